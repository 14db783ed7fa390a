//! Tests of the framer: packets written byte by byte after the standard's own figures, and packets
//! of another implementation, cut anywhere; and bytes that are no MQTT at all.

use proptest::prelude::*;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, Publish, SubAck, Subscribe,
};
use rumqttc::mqttbytes::{QoS, v4::SubscribeReasonCode};

use super::*;

const CONNECT_PACKET: &[u8] = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04home";
const CONNACK_PACKET: &[u8] = b"\x20\x02\x00\x00";

fn feed_all(framer: &mut Framer, chunks: &[&[u8]]) -> Vec<FramedPublish> {
    let mut out = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        framer.feed(chunk, 10 * index as i64, &mut out);
    }
    out
}

fn framed(payload: &'static [u8], in_ns: i64) -> FramedPublish {
    of("a/b", payload, in_ns)
}

fn of(topic: &str, payload: &'static [u8], in_ns: i64) -> FramedPublish {
    FramedPublish { topic: topic.to_owned(), payload: Bytes::from_static(payload), in_ns }
}

#[test]
fn a_publication_is_read_as_the_standard_prints_it() {
    // Figure 3.11: topic `a/b`, packet identifier 10, quality of service 1.
    let publish = b"\x32\x09\x00\x03a/b\x00\x0aok";
    let mut framer = Framer::new(LegName::Up);
    assert_eq!(feed_all(&mut framer, &[CONNECT_PACKET, publish]), [framed(b"ok", 10)]);
    // Without an identifier where the quality of service is 0, and with an empty message.
    let publish = b"\x30\x05\x00\x03a/b\x30\x08\x00\x03a/bxyz";
    let mut framer = Framer::new(LegName::Down);
    let found = feed_all(&mut framer, &[CONNACK_PACKET, publish]);
    assert_eq!(found, [framed(b"", 10), framed(b"xyz", 10)]);
}

#[test]
fn a_publication_in_pieces_came_with_its_first_and_is_there_with_its_last() {
    let mut framer = Framer::new(LegName::Up);
    let chunks: [&[u8]; 5] = [
        CONNECT_PACKET,
        b"\xc0\x00\x32",
        b"\x0b\x00\x03a/",
        b"b\x00\x0aone",
        b"!\x30\x03\x00\x00!",
    ];
    assert_eq!(feed_all(&mut framer, &chunks), [framed(b"one!", 10), of("", b"!", 40)]);
}

#[test]
fn what_is_not_mqtt_three_makes_it_silent() {
    let publish: &[u8] = b"\x30\x05\x00\x03a/b";
    let starts: [(LegName, &[u8]); 9] = [
        // TLS, HTTP, MQTT 5, another protocol, an answer in the wrong direction.
        (LegName::Up, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        (LegName::Up, b"GET / HTTP/1.1\r\n\r\n"),
        (LegName::Up, b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04home"),
        (LegName::Up, b"\x10\x10\x00\x04MQTX\x04\x02\x00\x3c\x00\x04home"),
        (LegName::Up, CONNACK_PACKET),
        (LegName::Down, CONNECT_PACKET),
        (LegName::Down, b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"),
        // CONNACK of MQTT 5; a publication before the connection stands.
        (LegName::Down, b"\x20\x03\x00\x00\x00"),
        (LegName::Down, b"\x30\x05\x00\x03a/b"),
    ];
    for (leg, start) in starts {
        let mut framer = Framer::new(leg);
        assert_eq!(feed_all(&mut framer, &[start, publish]), [], "{start:?}");
        assert_eq!(framer.state, State::Silent, "{start:?}");
    }
}

#[test]
fn garbage_after_a_good_start_makes_it_silent() {
    for garbage in [
        // Reserved types, reserved flags, quality of service 3, a length of five bytes, a topic
        // longer than its packet, no room for a packet identifier.
        &b"\x00\x00"[..],
        b"\xf0\x00",
        b"\xc1\x00",
        b"\x80\x00",
        b"\x36\x07\x00\x03a/b\x00\x01",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x04\x00\x05a/",
        b"\x32\x06\x00\x03a/b\x00",
        b"\x30\x01\x00",
    ] {
        let mut framer = Framer::new(LegName::Up);
        let chunks: [&[u8]; 3] = [CONNECT_PACKET, garbage, b"\x30\x05\x00\x03a/b"];
        assert_eq!(feed_all(&mut framer, &chunks), [], "{garbage:?}");
        assert_eq!(framer.state, State::Silent, "{garbage:?}");
    }
}

#[test]
fn a_huge_publication_passes_unrecorded_and_without_memory() {
    let mut framer = Framer::new(LegName::Up);
    let mut out = Vec::new();
    framer.feed(CONNECT_PACKET, 0, &mut out);
    // 268 435 455 bytes, the longest there is (2.2.3).
    framer.feed(b"\x30\xff\xff\xff\x7f", 1, &mut out);
    let block = vec![0; 1 << 20];
    let mut left = 268_435_455;
    while left > 0 {
        let now = left.min(block.len());
        framer.feed(&block[..now], 2, &mut out);
        left -= now;
        assert_eq!(framer.body.capacity(), 0);
    }
    framer.feed(b"\x30\x06\x00\x03a/b!", 3, &mut out);
    assert_eq!(out, [framed(b"!", 3)]);
}

/// A conversation as another implementation writes it, and the payloads in it.
fn conversation(leg: LegName, messages: &[(u8, u16, Vec<u8>)]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut bytes = bytes::BytesMut::new();
    let limit = usize::MAX;
    match leg {
        LegName::Up => {
            let connect = Connect::new("home");
            Packet::Connect(connect).write(&mut bytes, limit).unwrap();
            let mut subscribe = Subscribe::new("t/#", QoS::AtLeastOnce);
            subscribe.pkid = 7;
            Packet::Subscribe(subscribe).write(&mut bytes, limit).unwrap();
        }
        LegName::Down => {
            let accepted = ConnAck::new(ConnectReturnCode::Success, false);
            Packet::ConnAck(accepted).write(&mut bytes, limit).unwrap();
            let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
            Packet::SubAck(SubAck::new(7, codes)).write(&mut bytes, limit).unwrap();
        }
    }
    for (quality, id, payload) in messages {
        let quality =
            [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(quality % 3)];
        let mut publish = Publish::new("tenant/device/home", quality, payload.clone());
        publish.pkid = id % 65_535 + 1;
        Packet::Publish(publish).write(&mut bytes, limit).unwrap();
    }
    (bytes.to_vec(), messages.iter().map(|message| message.2.clone()).collect())
}

proptest! {
    #[test]
    fn every_publication_is_found_wherever_the_stream_is_cut(
        up in any::<bool>(),
        messages in proptest::collection::vec(
            (any::<u8>(), any::<u16>(), proptest::collection::vec(any::<u8>(), 0..400)), 0..8,
        ),
        cuts in proptest::collection::vec(1_usize..300, 0..200),
    ) {
        let leg = if up { LegName::Up } else { LegName::Down };
        let (bytes, payloads) = conversation(leg, &messages);
        let mut framer = Framer::new(leg);
        let (mut rest, mut out, mut now) = (&bytes[..], Vec::new(), 0);
        for cut in cuts {
            let (chunk, later) = rest.split_at(cut.min(rest.len()));
            framer.feed(chunk, now, &mut out);
            prop_assert!(out.iter().all(|framed| (0..=now).contains(&framed.in_ns)));
            now += 1;
            rest = later;
        }
        framer.feed(rest, now, &mut out);
        let found: Vec<Vec<u8>> = out.iter().map(|framed| framed.payload.to_vec()).collect();
        prop_assert_eq!(found, payloads);
        prop_assert!(out.is_sorted_by_key(|framed| framed.in_ns));
    }

    #[test]
    fn no_bytes_make_it_panic_or_hoard(
        up in any::<bool>(), sound_start in any::<bool>(),
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
    ) {
        let leg = if up { LegName::Up } else { LegName::Down };
        let mut framer = Framer::new(leg);
        let (mut out, mut taken) = (Vec::new(), 0);
        if sound_start {
            let start = if up { CONNECT_PACKET } else { CONNACK_PACKET };
            framer.feed(start, 0, &mut out);
        }
        for chunk in chunks {
            framer.feed(&chunk, 1, &mut out);
            taken += chunk.len();
            let held: usize = out.iter().map(|framed| framed.payload.len()).sum();
            prop_assert!(held + framer.body.len() <= taken);
        }
    }
}
