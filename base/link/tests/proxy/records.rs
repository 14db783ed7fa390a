//! What the link reports of MQTT publications in a plain stream.

use bytes::Bytes;
use lastmeter_link::impair::{LegName, LegSpec, LinkSpec};
use lastmeter_link::proxy::LinkRecord;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Bench, MILLISECOND, both, delayed, within};

const CONNECT: &[u8] = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04home";
const CONNACK: &[u8] = b"\x20\x02\x00\x00";

/// A publication of quality of service 1 on the topic `t`.
fn publish(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len() + 5).unwrap();
    let mut packet = vec![0x32, length, 0, 1, b't', 0, 1];
    packet.extend_from_slice(payload);
    packet
}

async fn pass(to: &mut TcpStream, from: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    to.write_all(bytes).await.unwrap();
    let mut passed = vec![0; bytes.len()];
    within("the bytes", from.read_exact(&mut passed)).await.unwrap();
    passed
}

/// A publication as reported, with the entries and exits of the releases reported before it.
type ReportedPublication = (LegName, Bytes, i64, i64, Vec<(i64, i64)>);

/// The publications reported so far.
fn describe(bench: &mut Bench) -> Vec<ReportedPublication> {
    let (mut releases, mut found) = ([vec![], vec![]], vec![]);
    while let Ok(record) = bench.records.try_recv() {
        match record {
            LinkRecord::Release { leg, in_ns, actual_ns, .. } => {
                releases[leg as usize].push((in_ns, actual_ns));
            }
            LinkRecord::Publish { leg, payload, in_ns, out_ns, .. } => {
                found.push((leg, payload, in_ns, out_ns, releases[leg as usize].clone()));
            }
        }
    }
    found
}

#[tokio::test]
async fn publications_are_recorded_both_ways_however_they_are_cut() {
    let mut bench = Bench::new(&both(delayed(3e6))).await;
    let (mut near, mut far) = bench.connect("home").await;
    pass(&mut near, &mut far, CONNECT).await;
    pass(&mut far, &mut near, CONNACK).await;
    // Two in one chunk, then one in two.
    pass(&mut near, &mut far, &[publish(b"one"), publish(b"two")].concat()).await;
    let three = publish(b"three");
    pass(&mut near, &mut far, &three[..4]).await;
    pass(&mut near, &mut far, &three[4..]).await;
    pass(&mut far, &mut near, &publish(b"down")).await;
    // The record is reported after the release that the reader was waiting for.
    bench.proxy.break_link(lastmeter_link::impair::Breakage::Close);
    within("the end", near.read(&mut [0])).await.unwrap();
    let found = describe(&mut bench);
    let texts: Vec<(LegName, &[u8])> = found.iter().map(|row| (row.0, &row.1[..])).collect();
    assert_eq!(
        texts,
        [
            (LegName::Up, &b"one"[..]),
            (LegName::Up, b"two"),
            (LegName::Up, b"three"),
            (LegName::Down, b"down"),
        ]
    );
    for (_, payload, in_ns, out_ns, releases) in &found {
        let (last_in, last_out) = releases[releases.len() - 1];
        assert_eq!(*out_ns, last_out, "{payload:?}");
        assert!(out_ns - in_ns >= 3 * MILLISECOND);
        let first_in =
            if &payload[..] == b"three" { releases[releases.len() - 2].0 } else { last_in };
        assert_eq!(*in_ns, first_in, "{payload:?}");
    }
}

#[tokio::test]
async fn a_publication_is_recorded_as_it_was_before_the_link_changed_it() {
    let up = LegSpec { byte_flip: 1.0, ..LegSpec::PERFECT };
    let mut bench = Bench::new(&LinkSpec { up, ..LinkSpec::PERFECT }).await;
    let (mut near, mut far) = bench.connect("home").await;
    pass(&mut near, &mut far, CONNECT).await;
    let sent = publish(b"as it was");
    let came = pass(&mut near, &mut far, &sent).await;
    assert!(came.iter().zip(&sent).all(|(a, b)| (a ^ b).is_power_of_two()));
    bench.proxy.break_link(lastmeter_link::impair::Breakage::Close);
    within("the end", near.read(&mut [0])).await.unwrap();
    let found = describe(&mut bench);
    assert_eq!(found.len(), 1);
    assert_eq!(&found[0].1[..], b"as it was");
    let flipped = (CONNECT.len() + sent.len()) as u64;
    assert_eq!(bench.proxy.report().flipped_bytes, [flipped, 0]);
}

#[tokio::test]
async fn a_stream_that_is_not_mqtt_is_recorded_by_its_releases_only() {
    let mut bench = Bench::new(&LinkSpec::PERFECT).await;
    let (mut near, mut far) = bench.connect("home").await;
    // A TLS client's first record, then what would be a publication.
    pass(&mut near, &mut far, b"\x16\x03\x01\x00\x05hello").await;
    pass(&mut near, &mut far, &publish(b"sealed")).await;
    bench.proxy.break_link(lastmeter_link::impair::Breakage::Close);
    within("the end", near.read(&mut [0])).await.unwrap();
    let mut releases = 0;
    while let Ok(record) = bench.records.try_recv() {
        assert!(matches!(record, LinkRecord::Release { .. }), "{record:?}");
        releases += 1;
    }
    assert_eq!(releases, 2);
}
