//! How a client and the platform see each way a link can break, and its mending.

use std::io::ErrorKind;
use std::time::Duration;

use lastmeter_link::impair::{Breakage, LinkSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Bench, both, delayed, within};

/// Nothing comes for so long; what would come is there in a fraction of it.
const SILENCE: Duration = Duration::from_millis(300);

async fn is_silent(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(SILENCE, stream.read(&mut [0; 64])).await.is_err()
}

async fn pass(to: &mut TcpStream, from: &mut TcpStream, text: &[u8]) {
    to.write_all(text).await.unwrap();
    let mut bytes = vec![0; text.len()];
    within("the text", from.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(bytes, text);
}

async fn connect_again(bench: &Bench) {
    let (mut near, mut far) = bench.connect("home").await;
    pass(&mut near, &mut far, b"again").await;
    pass(&mut far, &mut near, b"indeed").await;
}

#[tokio::test]
async fn a_reset_is_a_reset_at_both_ends_until_mended() {
    let bench = Bench::new(&both(delayed(1e6))).await;
    let (mut near, mut far) = bench.connect("home").await;
    pass(&mut near, &mut far, b"before").await;
    bench.proxy.break_link(Breakage::Reset);
    for end in [&mut near, &mut far] {
        let error = within("the reset", end.read(&mut [0])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    let address = bench.proxy.lane("home").await.unwrap();
    let mut refused = TcpStream::connect(address).await.unwrap();
    let error = within("the reset", refused.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(bench.proxy.report().broken, 2);
    bench.proxy.mend();
    connect_again(&bench).await;
}

#[tokio::test]
async fn a_close_is_an_end_of_stream_at_both_ends_until_mended() {
    let bench = Bench::new(&both(delayed(50e6))).await;
    let (mut near, mut far) = bench.connect("home").await;
    // Bytes on their way, and unread ones, are gone; and still it is no reset.
    near.write_all(b"lost").await.unwrap();
    far.write_all(b"lost").await.unwrap();
    bench.proxy.break_link(Breakage::Close);
    near.write_all(b"lost as well").await.unwrap();
    for end in [&mut near, &mut far] {
        assert_eq!(within("the end", end.read(&mut [0])).await.unwrap(), 0);
    }
    let address = bench.proxy.lane("home").await.unwrap();
    let mut refused = TcpStream::connect(address).await.unwrap();
    refused.write_all(b"hello?").await.unwrap();
    assert_eq!(within("the end", refused.read(&mut [0])).await.unwrap(), 0);
    bench.proxy.mend();
    connect_again(&bench).await;
}

#[tokio::test]
async fn a_half_open_connection_swallows_for_ever_and_nobody_hears_of_it() {
    let bench = Bench::new(&LinkSpec::PERFECT).await;
    let (mut near, mut far) = bench.connect("home").await;
    pass(&mut near, &mut far, b"before").await;
    bench.proxy.break_link(Breakage::HalfOpen);
    // Far more than any buffer on the way holds: it is taken, and goes nowhere.
    let bytes = vec![0; 32 << 20];
    within("the void to take it all", near.write_all(&bytes)).await.unwrap();
    far.write_all(b"anybody there?").await.unwrap();
    assert!(is_silent(&mut near).await && is_silent(&mut far).await);
    bench.proxy.mend();
    near.write_all(b"still here").await.unwrap();
    assert!(is_silent(&mut near).await && is_silent(&mut far).await);
    // Not even the client's end reaches the platform.
    drop(near);
    assert!(is_silent(&mut far).await);
    connect_again(&bench).await;
}

#[tokio::test]
async fn a_connection_made_while_half_open_comes_to_life_when_mended() {
    let bench = Bench::new(&LinkSpec::PERFECT).await;
    let address = bench.proxy.lane("home").await.unwrap();
    bench.proxy.break_link(Breakage::HalfOpen);
    let mut gave_up = TcpStream::connect(address).await.unwrap();
    gave_up.write_all(b"gave up").await.unwrap();
    let mut patient = TcpStream::connect(address).await.unwrap();
    patient.write_all(b"patient").await.unwrap();
    assert!(is_silent(&mut patient).await);
    assert!(tokio::time::timeout(SILENCE, bench.platform.accept()).await.is_err());
    drop(gave_up);
    // Its end has to be there before the link is mended.
    assert!(is_silent(&mut patient).await);
    bench.proxy.mend();
    let (mut far, _) = within("the connection", bench.platform.accept()).await.unwrap();
    let mut bytes = [0; 7];
    within("the bytes", far.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"patient");
    pass(&mut far, &mut patient, b"welcome").await;
    assert!(tokio::time::timeout(SILENCE, bench.platform.accept()).await.is_err());
}

#[tokio::test]
async fn a_stall_holds_everything_and_lets_it_go_in_order() {
    let mut bench = Bench::new(&both(delayed(1e6))).await;
    let (mut near, mut far) = bench.connect("home").await;
    pass(&mut near, &mut far, b"before").await;
    bench.releases();
    bench.proxy.break_link(Breakage::Stall);
    for number in 0..20 {
        near.write_all(&[number]).await.unwrap();
        far.write_all(&[100 + number]).await.unwrap();
        tokio::task::yield_now().await;
    }
    // A new connection is as stuck as the old ones.
    let (mut newer, mut newer_far) = bench.connect("home").await;
    newer.write_all(b"new").await.unwrap();
    for end in [&mut near, &mut far, &mut newer_far] {
        assert!(is_silent(end).await);
    }
    let before_mending = lastmeter_link::clock::monotonic_ns();
    bench.proxy.mend();
    for (end, first) in [(&mut near, 100), (&mut far, 0)] {
        let mut bytes = [0; 20];
        within("what was held", end.read_exact(&mut bytes)).await.unwrap();
        assert!(bytes.iter().copied().eq(first..first + 20), "{bytes:?}");
    }
    let mut bytes = [0; 3];
    within("what was held", newer_far.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"new");
    // What was held was to be released by the mending, not by its delay.
    for (_, due, done) in bench.releases() {
        assert!(before_mending <= due && due <= done);
    }
}

#[tokio::test]
async fn connections_are_cut_even_if_the_link_is_mended_at_once() {
    let bench = Bench::new(&LinkSpec::PERFECT).await;
    for how in [Breakage::Reset, Breakage::Close, Breakage::HalfOpen] {
        let (mut near, mut far) = bench.connect("home").await;
        pass(&mut near, &mut far, b"before").await;
        bench.proxy.break_link(how);
        bench.proxy.mend();
        if how == Breakage::HalfOpen {
            near.write_all(b"swallowed").await.unwrap();
            assert!(is_silent(&mut far).await && is_silent(&mut near).await);
        } else {
            let read = within("the end", near.read(&mut [0])).await;
            assert!(matches!(read, Ok(0) | Err(_)));
        }
        connect_again(&bench).await;
    }
}

#[tokio::test]
async fn one_lane_breaks_without_the_others() {
    let bench = Bench::new(&LinkSpec::PERFECT).await;
    let (mut near, _far) = bench.connect("a").await;
    let (mut other_near, mut other_far) = bench.connect("b").await;
    assert!(!bench.proxy.break_lane("nobody", Breakage::Reset));
    assert!(bench.proxy.break_lane("a", Breakage::Reset));
    assert!(within("the reset", near.read(&mut [0])).await.is_err());
    pass(&mut other_near, &mut other_far, b"untouched").await;
    assert!(bench.proxy.mend_lane("a"));
    let (mut near, mut far) = bench.connect("a").await;
    pass(&mut near, &mut far, b"again").await;
    // A lane that comes while the whole link is broken is broken as well.
    bench.proxy.break_link(Breakage::Reset);
    let late = bench.proxy.lane("c").await.unwrap();
    let mut late = TcpStream::connect(late).await.unwrap();
    assert!(within("the reset", late.read(&mut [0])).await.is_err());
}
