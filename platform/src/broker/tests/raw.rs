//! Packets no well-behaved client sends, as bytes typed from MQTT 3.1.1 and MQTT 5.0 (OASIS).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// A connection of MQTT level 4 (3.1.1) or 5, past its CONNACK.
async fn connect(broker: &Broker, client: &str, level: u8) -> TcpStream {
    let (stream, answer) = ask(broker, "default", client, level).await;
    assert_eq!(answer[1], 0, "accepted");
    stream
}

/// A connection that has sent CONNECT, and what CONNACK has behind its fixed header.
pub(super) async fn ask(
    broker: &Broker,
    user_name: &str,
    client: &str,
    level: u8,
) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    // Section 3.1: user name, password, clean session; keep-alive 60 s; MQTT 5: no properties.
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 0xc2, 0, 60];
    if level == 5 {
        body.push(0);
    }
    for text in [client, user_name, "token"] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    stream.write_all(&packet(0x10, &body)).await.unwrap();
    let mut head = [0; 2];
    soon("CONNACK", stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[0], 0x20, "CONNACK");
    let mut rest = vec![0; usize::from(head[1])];
    soon("CONNACK", stream.read_exact(&mut rest)).await.unwrap();
    (stream, rest)
}

/// A packet with this first byte.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    while length > 0x7f {
        packet.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend(body);
    packet
}

/// Everything the broker sends until it closes the connection.
pub(super) async fn last_words(stream: &mut TcpStream) -> Vec<u8> {
    let mut words = Vec::new();
    // A reset ends the connection as well as a close does.
    let _ = soon("the end of the connection", stream.read_to_end(&mut words)).await;
    words
}

/// A QoS 1 PUBLISH with packet id 1; level 5 has no properties.
pub(super) fn publish_packet(level: u8, topic: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend(topic);
    body.extend([0, 1]);
    if level == 5 {
        body.push(0);
    }
    body.extend(payload);
    packet(0x32, &body)
}

#[tokio::test]
async fn the_length_alone_ends_the_connection_before_the_packet_is_there() {
    let config = BrokerConfig { packet_limit_bytes: 1000, ..config() };
    let platform = Platform::new();
    let broker = Broker::start(config, platform.clone()).await.unwrap();
    for (round, level) in [(1, 4), (2, 5)] {
        let mut stream = connect(&broker, &format!("raw-{level}"), level).await;
        // The header of a PUBLISH of 1001 bytes, and nothing of it: 0xe9 0x07 is 7 * 128 + 105.
        stream.write_all(&[0x32, 0xe9, 0x07]).await.unwrap();
        last_words(&mut stream).await;
        platform.until("the record", |seen| seen.refusals.len() == round).await;
    }
    let expected: [Refused; 2] = ["raw-4", "raw-5"]
        .map(|client| (RefusalReason::PacketTooLarge, client.into(), String::new()));
    assert_eq!(platform.look(|seen| seen.refusals.clone()), expected);
    assert_eq!(broker.counters().packets_too_large, 2);
    broker.stop().await;
}

#[tokio::test]
async fn the_limit_itself_is_taken_in_both_versions() {
    let config = BrokerConfig { packet_limit_bytes: 1000, ..config() };
    let platform = Platform::new();
    let broker = Broker::start(config, platform.clone()).await.unwrap();
    for (level, overhead) in [(4, 2 + INPUT.len() + 2), (5, 2 + INPUT.len() + 3)] {
        let mut stream = connect(&broker, &format!("raw-{level}"), level).await;
        let payload = vec![b'x'; 1000 - overhead];
        stream.write_all(&publish_packet(level, INPUT.as_bytes(), &payload)).await.unwrap();
        let mut puback = [0; 4];
        soon("PUBACK", stream.read_exact(&mut puback)).await.unwrap();
        // MQTT 5 may leave out reason and properties (section 3.4.2.1) or state them.
        assert_eq!((puback[0], &puback[2..4]), (0x40, &[0, 1][..]));
    }
    assert_eq!(platform.payloads().len(), 2);
    broker.stop().await;
}

#[tokio::test]
async fn broken_packets_end_the_connection_without_puback_and_are_counted() {
    let (broker, platform) = start().await;
    let invalid_topic = publish_packet(4, b"\xff\xfe", b"x");
    let broken: [(&str, &[u8]); 5] = [
        ("a reserved packet type", &[0x00, 0x00]),
        ("a QoS 1 PUBLISH without packet id", &[0x32, 0x03, 0x00, 0x01, b'a']),
        ("a topic longer than its packet", &[0x32, 0x04, 0x00, 0x09, b'a', b'b']),
        ("a topic that is not UTF-8", &invalid_topic),
        ("a length of five bytes", &[0x32, 0xff, 0xff, 0xff, 0xff, 0x01]),
    ];
    for (round, (what, bytes)) in (1..).zip(broken) {
        let mut stream = connect(&broker, &format!("raw-{round}"), 4).await;
        stream.write_all(bytes).await.unwrap();
        assert_eq!(last_words(&mut stream).await, b"", "{what}");
        soon(what, async {
            while broker.counters().packets_malformed < round {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert!(platform.payloads().is_empty());
    let mut stream = connect(&broker, "raw", 4).await;
    stream.write_all(&publish_packet(4, INPUT.as_bytes(), b"x")).await.unwrap();
    let mut puback = [0; 4];
    soon("PUBACK", stream.read_exact(&mut puback)).await.unwrap();
    assert_eq!(puback, [0x40, 2, 0, 1], "section 3.4");
    broker.stop().await;
}

#[tokio::test]
async fn a_client_that_publishes_before_its_connect_gets_nothing_through() {
    let (broker, platform) = start().await;
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    stream.write_all(&publish_packet(4, INPUT.as_bytes(), b"x")).await.unwrap();
    last_words(&mut stream).await;
    assert!(platform.payloads().is_empty());
    assert_eq!(broker.counters().connected, 0);
    broker.stop().await;
}

#[tokio::test]
async fn half_a_packet_and_then_nothing_hurts_nobody_else() {
    let (broker, platform) = start().await;
    let mut silent = TcpStream::connect(broker.address()).await.unwrap();
    silent.write_all(&[0x10]).await.unwrap();
    let mut half = connect(&broker, "raw", 4).await;
    half.write_all(&publish_packet(4, INPUT.as_bytes(), b"half")[..20]).await.unwrap();
    let (session, mut events) = open(options(&broker, "meter")).await;
    publish(&session, 1, INPUT, "whole").await;
    acknowledged(&mut events, 1).await;
    drop(half);
    publish(&session, 2, INPUT, "afterwards").await;
    acknowledged(&mut events, 2).await;
    assert_eq!(platform.payloads(), ["whole", "afterwards"]);
    broker.stop().await;
}

/// Nobody acknowledges QoS 0, so a client may close as soon as it has sent: what came before the
/// close counts, whether the connection still stands when it is the message's turn or not.
#[tokio::test]
async fn what_was_sent_before_a_close_is_taken_after_it() {
    const CLIENTS: usize = 50;
    const EACH: usize = 5;
    let (broker, platform) = start().await;
    let topic = INPUT.as_bytes();
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend(topic);
    body.extend(b"last");
    for client in 0..CLIENTS {
        let mut stream = connect(&broker, &format!("raw-{client}"), 4).await;
        stream.write_all(&packet(0x30, &body).repeat(EACH)).await.unwrap();
    }
    platform.until("all", |seen| seen.arrivals.len() == CLIENTS * EACH).await;
    broker.stop().await;
}
