//! The real-time link with real sockets: bytes, order, delays, records and counts.
//!
//! Nothing here asserts that anything is fast. Delays have lower bounds, orders are exact, and
//! every wait has a generous limit.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod breakage;
mod records;

use std::net::SocketAddr;
use std::time::Duration;

use chacha20::ChaCha8Rng;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::impair::{Bandwidth, Impairment, Jitter, JitterLaw, LegSpec, LinkSpec, Loss};
use lastmeter_link::proxy::{LinkRecord, Proxy, ProxyOptions};
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const MILLISECOND: i64 = 1_000_000;

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_mins(1);

async fn within<T>(what: &str, waited_for: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(LIMIT, waited_for).await;
    outcome.unwrap_or_else(|_| panic!("waited {LIMIT:?} for {what}"))
}

/// A platform that takes connections, a link to it, and what the link reported.
struct Bench {
    platform: TcpListener,
    proxy: Proxy,
    records: UnboundedReceiver<LinkRecord>,
}

impl Bench {
    async fn new(spec: &LinkSpec) -> Self {
        let platform = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = platform.local_addr().unwrap();
        let (send, records) = unbounded_channel();
        Self { platform, proxy: proxy(upstream, spec, Some(send)), records }
    }

    /// An owner's connection, from both of its ends.
    async fn connect(&self, owner: &str) -> (TcpStream, TcpStream) {
        let near = TcpStream::connect(self.proxy.lane(owner).await.unwrap()).await.unwrap();
        near.set_nodelay(true).unwrap();
        let (far, _) =
            within("the connection at the platform", self.platform.accept()).await.unwrap();
        far.set_nodelay(true).unwrap();
        (near, far)
    }

    /// The releases reported so far: in, intended and actual instants.
    fn releases(&mut self) -> Vec<(i64, i64, i64)> {
        let mut found = Vec::new();
        while let Ok(record) = self.records.try_recv() {
            if let LinkRecord::Release { in_ns, intended_ns, actual_ns, .. } = record {
                found.push((in_ns, intended_ns, actual_ns));
            }
        }
        found
    }
}

fn proxy(
    upstream: SocketAddr,
    spec: &LinkSpec,
    records: Option<tokio::sync::mpsc::UnboundedSender<LinkRecord>>,
) -> Proxy {
    let stream = |name: &str| {
        let mut key = [0; 32];
        for (place, byte) in name.bytes().enumerate() {
            key[place % 32] ^= byte.wrapping_mul(place as u8 | 1);
        }
        ChaCha8Rng::from_seed(key)
    };
    Proxy::new(ProxyOptions {
        name: "wan",
        upstream,
        spec: *spec,
        stream: Box::new(stream),
        records,
    })
}

fn delayed(delay_ns: f64) -> LegSpec {
    LegSpec { delay_ns, ..LegSpec::PERFECT }
}

fn both(leg: LegSpec) -> LinkSpec {
    LinkSpec { up: leg, down: leg, ..LinkSpec::PERFECT }
}

/// Bytes that are different everywhere.
fn noise(bytes: usize, seed: u8) -> Vec<u8> {
    let mut words = ChaCha8Rng::from_seed([seed; 32]);
    let mut noise = vec![0; bytes];
    words.fill_bytes(&mut noise);
    noise
}

/// Writes in pieces of random length, some of them after a breath.
async fn write_in_pieces(mut to: impl tokio::io::AsyncWrite + Unpin, bytes: &[u8], seed: u8) {
    let mut words = ChaCha8Rng::from_seed([seed; 32]);
    let mut rest = bytes;
    while !rest.is_empty() {
        let draw = words.next_u64();
        let longest = if draw % 3 == 0 { 20_000 } else { 200 };
        let (piece, later) = rest.split_at((draw >> 8) as usize % longest.min(rest.len()) + 1);
        to.write_all(piece).await.unwrap();
        if draw % 7 == 0 {
            tokio::task::yield_now().await;
        }
        rest = later;
    }
    to.shutdown().await.unwrap();
}

async fn read_all(mut from: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    within("the end of the stream", from.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

async fn carries_everything(spec: &LinkSpec, bytes: usize) {
    let mut bench = Bench::new(spec).await;
    let (near, far) = bench.connect("home").await;
    let (upwards, downwards) = (noise(bytes, 1), noise(bytes, 2));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (.., came_down, came_up) = tokio::join!(
        write_in_pieces(near_write, &upwards, 3),
        write_in_pieces(far_write, &downwards, 4),
        read_all(near_read),
        read_all(far_read),
    );
    assert!(came_up == upwards, "other bytes came up");
    assert!(came_down == downwards, "other bytes came down");
    let report = bench.proxy.report();
    assert_eq!(report.bytes, [bytes as u64; 2]);
    assert_eq!((report.connections, report.resets, report.broken), (1, 0, 0));
    let releases = bench.releases();
    assert_eq!(releases.len() as u64, report.chunks[0] + report.chunks[1]);
    assert_eq!(report.release_error.count + report.blocked, releases.len() as u64);
    assert!(releases.iter().all(|(read, due, done)| read <= due && due <= done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_come_out_as_they_went_in_however_they_are_cut_and_delayed() {
    let jitter = Jitter { law: JitterLaw::Gamma { shape: 0.6, scale_ns: 3e6 }, correlation: 0.2 };
    let leg = LegSpec {
        jitter,
        loss: Loss { probability: 0.02, timeout_ns: 5e6 },
        bandwidth: Bandwidth { bits_per_s: 20e6, burst_bytes: 5000 },
        ..delayed(2e6)
    };
    carries_everything(&both(leg), 400_000).await;
}

#[tokio::test]
async fn a_perfect_link_carries_megabytes() {
    carries_everything(&LinkSpec::PERFECT, 8_000_000).await;
}

#[tokio::test]
async fn two_writes_and_nagle_change_no_byte() {
    let spec = LinkSpec { nodelay: false, two_writes: true, ..both(delayed(1e6)) };
    carries_everything(&spec, 100_000).await;
}

#[tokio::test]
async fn each_leg_takes_at_least_its_delay_and_keeps_the_order() {
    let spec = LinkSpec { up: delayed(30e6), down: delayed(10e6), ..LinkSpec::PERFECT };
    let mut bench = Bench::new(&spec).await;
    let (mut near, mut far) = bench.connect("home").await;
    let mut byte = [0];
    for number in 0..20 {
        let sent = monotonic_ns();
        near.write_all(&[number]).await.unwrap();
        within("the byte up", far.read_exact(&mut byte)).await.unwrap();
        assert!(monotonic_ns() - sent >= 30 * MILLISECOND);
        assert_eq!(byte, [number]);
        let answered = monotonic_ns();
        far.write_all(&[number]).await.unwrap();
        within("the byte down", near.read_exact(&mut byte)).await.unwrap();
        assert!(monotonic_ns() - answered >= 10 * MILLISECOND);
        assert_eq!(byte, [number]);
    }
    let releases = bench.releases();
    for (index, &(read, due, done)) in releases.iter().enumerate() {
        let delay = if index % 2 == 0 { 30 } else { 10 };
        assert_eq!(due - read, delay * MILLISECOND, "release {index}");
        assert!(done >= due, "released {} ns early", due - done);
    }
    assert_eq!(releases.len(), 40);
    assert_eq!(bench.proxy.report().injected_delay.max_ns / MILLISECOND, 30);
}

#[tokio::test]
async fn an_impairment_comes_and_goes_on_all_lanes_or_on_one() {
    let mut bench = Bench::new(&LinkSpec::PERFECT).await;
    let change = Impairment { up: Some(delayed(20e6)), down: None };
    let mut ends = Vec::new();
    for owner in ["a", "b"] {
        ends.push(bench.connect(owner).await);
    }
    assert!(!bench.proxy.impair_lane("nobody", &change));
    let mut byte = [0];
    let mut expected = Vec::new();
    for (step, delays) in [(0, [20, 20]), (1, [0, 0]), (2, [0, 20]), (3, [0, 0])] {
        match step {
            0 => bench.proxy.impair(&change),
            1 => bench.proxy.restore(),
            2 => assert!(bench.proxy.impair_lane("b", &change)),
            _ => assert!(bench.proxy.restore_lane("b")),
        }
        for ((near, far), delay) in ends.iter_mut().zip(delays) {
            near.write_all(&[1]).await.unwrap();
            within("the byte", far.read_exact(&mut byte)).await.unwrap();
            expected.push(delay * MILLISECOND);
        }
    }
    let found: Vec<i64> = bench.releases().iter().map(|(read, due, _)| due - read).collect();
    assert_eq!(found, expected);
    // A lane that comes later begins with what is in force.
    bench.proxy.impair(&change);
    let (mut near, mut far) = bench.connect("c").await;
    near.write_all(&[1]).await.unwrap();
    within("the byte", far.read_exact(&mut byte)).await.unwrap();
    let (read, due, _) = bench.releases()[0];
    assert_eq!(due - read, 20 * MILLISECOND);
}

#[tokio::test]
async fn an_end_of_stream_comes_after_all_bytes_and_ends_one_direction_only() {
    let bench = Bench::new(&both(delayed(5e6))).await;
    let (mut near, mut far) = bench.connect("home").await;
    near.write_all(b"question").await.unwrap();
    near.shutdown().await.unwrap();
    assert_eq!(read_all(&mut far).await, b"question");
    far.write_all(b"answer").await.unwrap();
    far.shutdown().await.unwrap();
    assert_eq!(read_all(&mut near).await, b"answer");
    assert_eq!(bench.proxy.report().resets, 0);
}

#[tokio::test]
async fn a_reset_at_one_end_becomes_a_reset_at_the_other() {
    let bench = Bench::new(&both(delayed(1e6))).await;
    for near_resets in [true, false] {
        let (near, mut far) = bench.connect("home").await;
        // The link has its own connection to the platform only when something has passed.
        far.write_all(b"!").await.unwrap();
        near.readable().await.unwrap();
        let (gone, mut left) = if near_resets { (near, far) } else { (far, near) };
        gone.set_zero_linger().unwrap();
        drop(gone);
        if !near_resets {
            left.read_exact(&mut [0]).await.unwrap();
        }
        let error = within("the reset", left.read(&mut [0])).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(bench.proxy.report().resets, 2);
}

#[tokio::test]
async fn a_new_connection_does_not_wait_for_what_the_old_one_had_on_its_way() {
    let mut bench = Bench::new(&LinkSpec::PERFECT).await;
    let hour = Impairment { up: Some(delayed(3600e9)), down: None };
    bench.proxy.impair(&hour);
    let (mut old_near, _old_far) = bench.connect("home").await;
    old_near.write_all(b"never there").await.unwrap();
    let (mut near, mut far) = bench.connect("home").await;
    bench.proxy.restore();
    near.write_all(b"there").await.unwrap();
    let mut bytes = [0; 5];
    within("the bytes", far.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"there");
    assert_eq!(bench.releases().len(), 1);
    assert_eq!(bench.proxy.report().connections, 2);
}

#[tokio::test]
async fn a_receiver_that_does_not_read_loses_nothing_and_is_no_error_of_the_link() {
    let bench = Bench::new(&LinkSpec::PERFECT).await;
    let (near, far) = bench.connect("home").await;
    let bytes = noise(24_000_000, 5);
    let (_, mut write) = near.into_split();
    let sent = bytes.clone();
    let writing = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    // Read only when the link has had to wait.
    within("the receiver's window to fill", async {
        while bench.proxy.report().bytes[0] < 1_000_000 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(read_all(far).await == bytes, "other bytes came up");
    writing.await.unwrap();
    let report = bench.proxy.report();
    assert!(report.blocked > 0, "{report:?}");
    assert_eq!(report.release_error.count + report.blocked, report.chunks[0]);
}

#[tokio::test]
async fn memory_is_bounded_where_nothing_is_released() {
    let bench = Bench::new(&both(delayed(3600e9))).await;
    let (mut near, _far) = bench.connect("home").await;
    // Without back-pressure loopback takes this in a fraction of a second. What the kernel's own
    // buffers take is a tenth of it.
    let bytes = vec![0; 128 << 20];
    let writing = near.write_all(&bytes);
    assert!(tokio::time::timeout(Duration::from_secs(3), writing).await.is_err());
}

#[tokio::test]
async fn a_platform_that_is_not_there_resets_its_owners() {
    let upstream = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let proxy = proxy(upstream, &LinkSpec::PERFECT, None);
    let mut near = TcpStream::connect(proxy.lane("home").await.unwrap()).await.unwrap();
    let error = within("the reset", near.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(proxy.report().upstream_refused, 1);
}

#[tokio::test]
async fn many_owners_have_lanes_of_their_own() {
    let mut bench = Bench::new(&both(delayed(1e6))).await;
    let mut ends = Vec::new();
    for number in 0..50 {
        ends.push(bench.connect(&format!("meter-{number:02}")).await);
    }
    assert_eq!(bench.proxy.lane("meter-07").await.unwrap(), ends[7].0.peer_addr().unwrap());
    for (number, (near, _)) in ends.iter_mut().enumerate() {
        near.write_all(&[number as u8; 10]).await.unwrap();
    }
    for (number, (_, far)) in ends.iter_mut().enumerate() {
        let mut bytes = [0; 10];
        within("the bytes", far.read_exact(&mut bytes)).await.unwrap();
        assert_eq!(bytes, [number as u8; 10]);
    }
    let report = bench.proxy.report();
    assert_eq!((report.lanes, report.connections, report.bytes), (50, 50, [500, 0]));
    let lanes: std::collections::BTreeSet<String> =
        std::iter::from_fn(|| bench.records.try_recv().ok())
            .map(|record| match record {
                LinkRecord::Release { lane, .. } | LinkRecord::Publish { lane, .. } => {
                    lane.to_string()
                }
            })
            .collect();
    assert_eq!(lanes.len(), 50);
}

#[tokio::test]
async fn a_stopped_link_lets_go_of_everything() {
    let bench = Bench::new(&LinkSpec::PERFECT).await;
    let (mut near, mut far) = bench.connect("home").await;
    let address = near.peer_addr().unwrap();
    within("the link to stop", bench.proxy.stop()).await;
    for end in [&mut near, &mut far] {
        let read = within("the end", end.read(&mut [0])).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    assert!(TcpStream::connect(address).await.is_err());
}
