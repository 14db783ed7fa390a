//! What is no packet of the gateway is refused and counted, and nobody else is affected.

use lastmeter_platform::{ClockSource, Running};
use lastmeter_zigbee::delivery::Outbox;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::{Content, Up};
use lastmeter_zigbee::session::Refusal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gateway::{GATEWAY, Gateway, door, entry, now, power, register, rest, scale, start};
use super::{PLUG, PLUG_ID, readings};
use crate::common::{LIMIT, client};

/// The other gateway, which goes on meanwhile.
const OTHER: GatewayAddress = GatewayAddress(0x0012_4B00_0000_0002);

/// How often something was refused for a reason.
async fn refused(platform: &Running, word: &str) -> u64 {
    let metrics = client(platform.rest_address()).get_text("/metrics").await.unwrap();
    let name = format!("lastmeter_gateways_refused_{word}_total ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "a table of attacks")]
async fn what_is_between_gateway_and_platform_gets_nothing_taken() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let other_key = register(&platform, OTHER, "other").await;
    let to = door(&platform);
    let mut quiet = Gateway::dial(to, (OTHER, "Home", &other_key), Outbox::new(1 << 20)).await;
    let mut before = Vec::new();
    for (round, expected) in [
        Refusal::WrongTag,
        Refusal::RepeatedSerial,
        Refusal::Length,
        Refusal::Version,
        Refusal::Direction,
        Refusal::OtherGateway,
        Refusal::WrongTag,
    ]
    .into_iter()
    .enumerate()
    {
        let mut gateway = Gateway::home(to, &key).await;
        assert!(gateway.end.is_open());
        gateway.relay(&scale(PLUG, 10));
        gateway.relay(&power(PLUG, 10, 5));
        let good = gateway.unsent();
        let head = |bytes: &[u8]| bytes[..22].to_vec();
        let bytes = match round {
            // A payload that was changed on its way.
            0 => {
                let mut bytes = good.clone();
                bytes[30] ^= 1;
                bytes
            }
            // The same packet twice.
            1 => [&good[..], &good].concat(),
            // A length that no packet has.
            2 => {
                let mut bytes = head(&good);
                bytes[2..4].copy_from_slice(&[0xFF, 0xFF]);
                bytes
            }
            3 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            // A packet of the platform, sent back.
            4 => {
                let mut bytes = good.clone();
                bytes[12..14].copy_from_slice(&6_u16.to_be_bytes());
                bytes
            }
            5 => {
                let mut bytes = good.clone();
                bytes[11] ^= 1;
                bytes
            }
            // What another connection of the same gateway sent.
            _ => std::mem::take(&mut before),
        };
        before = good;
        let counted = refused(&platform, expected.word()).await;
        gateway.stream.write_all(&bytes).await.unwrap();
        gateway.until(|_| false).await;
        assert_eq!(gateway.rejected, Some(expected), "round {round}");
        assert_eq!(refused(&platform, expected.word()).await, counted + 1);
        // The other one's go on.
        quiet.relay(&scale(9, round as u16));
        quiet.relay(&power(9, round as u16, round as i16));
        quiet.deliver().await;
    }
    let of_plug = readings(&platform, PLUG_ID, 1).await;
    assert_eq!(of_plug.len(), 1, "what came before a repeated packet: {of_plug:?}");
    assert_eq!(readings(&platform, "0000000000000009", 7).await.len(), 7);
    // Refused by themselves: the connection stays.
    let mut gateway = Gateway::home(to, &key).await;
    let mut out = Vec::new();
    let unknown = lastmeter_zigbee::opcode::Opcode::of(0x0004).unwrap();
    gateway.end.send_payload(now(), unknown, |to| to.push(1), &mut out);
    gateway.stream.write_all(&out).await.unwrap();
    gateway.relay(&power(PLUG, 10, 6));
    gateway.deliver().await;
    assert_eq!(refused(&platform, "bad_payload").await, 1);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_and_not_acknowledged_is_taken_once_after_a_reconnection() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let to = door(&platform);
    let mut gateway = Gateway::home(to, &key).await;
    gateway.put(&Content::NodeTable(vec![entry(PLUG, 10)]));
    gateway.relay(&scale(PLUG, 10));
    for value in 0..50 {
        gateway.relay(&power(PLUG, 10, value));
    }
    // It is gone before it hears of any of them, again and again.
    let mut outbox = gateway.outbox.clone();
    for _ in 0..5 {
        let mut gateway = Gateway::dial(to, (GATEWAY, "Home", &key), outbox.clone()).await;
        let bytes = gateway.unsent();
        gateway.stream.write_all(&bytes).await.unwrap();
        drop(gateway);
    }
    let mut gateway = Gateway::dial(to, (GATEWAY, "Home", &key), outbox).await;
    gateway.deliver().await;
    outbox = gateway.outbox.clone();
    let serials: Vec<u64> = readings(&platform, PLUG_ID, 50).await.iter().map(|it| it.1).collect();
    assert_eq!(serials, (2..52).collect::<Vec<_>>());
    let status = rest(&platform, "GET", "/api/v1/networks/home/status", None).await.1;
    assert_eq!(status["missing"], 0, "{status}");
    assert!(outbox.is_empty());
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_later_connection_stays_whichever_shows_its_key_first() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let to = door(&platform);
    // The first is asked for its key and is slow; meanwhile the gateway dials again.
    let home = (GATEWAY, "Home", &key);
    let mut slow = Gateway::ask(to, home, Outbox::new(1 << 20)).await;
    slow.stream.readable().await.unwrap();
    let mut later = Gateway::home(to, &key).await;
    slow.until(|_| false).await;
    assert_eq!(slow.rejected, Some(Refusal::Closed));
    later.relay(&scale(PLUG, 10));
    later.relay(&power(PLUG, 10, 5));
    later.deliver().await;
    platform.shutdown().await;
}

/// Numbers that look random, the same each time.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self) -> Vec<u8> {
        let count = self.next() % 200;
        let mut bytes: Vec<u8> = (0..count).map(|_| self.next() as u8).collect();
        // Half of them begin like a packet, half of these like a request for a connection.
        if self.next().is_multiple_of(2) && bytes.len() > 22 {
            bytes[..2].copy_from_slice(&[0, 1]);
            bytes[2] = 0;
            if self.next().is_multiple_of(2) {
                bytes[3] = (bytes.len() - 22).max(8) as u8;
                bytes[12..14].copy_from_slice(&[0, 1]);
                bytes[18..22].copy_from_slice(&[0; 4]);
            }
        }
        bytes
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_streams_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let to = door(&platform);
    let mut gateway = Gateway::home(to, &key).await;
    gateway.relay(&scale(PLUG, 10));
    gateway.deliver().await;
    let mut random = Stream(0x5EED_0000_0000_0001);
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..10_000_u32 {
        let bytes = random.bytes();
        under_way.spawn(async move {
            let mut stream = TcpStream::connect(to).await.unwrap();
            // It may be refused before all of it is sent.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
            // Nothing but a packet that ends the connection ever comes back.
            assert!(answer.is_empty() || answer[12..14] == [0, 3], "{answer:?}");
        });
        if under_way.len() >= 64 {
            under_way.join_next().await.unwrap().unwrap();
        }
        if number % 1000 == 0 {
            gateway.relay(&power(PLUG, 10, number as i16));
            gateway.deliver().await;
        }
    }
    while let Some(ended) = under_way.join_next().await {
        ended.unwrap();
    }
    let mut out = Vec::new();
    gateway.end.send(now(), &Up::KeepAlive, &mut out);
    gateway.stream.write_all(&out).await.unwrap();
    assert_eq!(readings(&platform, PLUG_ID, 10).await.len(), 10);
    let mut counted = 0;
    for word in ["version", "length", "handshake", "unknown_gateway"] {
        counted += refused(&platform, word).await;
    }
    assert!(counted > 5_000, "{counted}");
    platform.shutdown().await;
}
