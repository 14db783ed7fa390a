//! The session with MQTT 5 (OASIS, 7 March 2019) against a broker of bytes: what it makes of reason
//! codes, and that it goes on with 3.1.1 where nothing else is spoken.

use bytes::Bytes;
use lastmeter_link::mqtt::{
    MqttVersion, PublicationRefusal, Session, SessionEvent, SessionEvents, SessionOptions,
};

use crate::mqtt::fake::{Fake, Peer, soon};

fn options(fake: &Fake) -> SessionOptions {
    let options = SessionOptions::new(&fake.address(), "gateway", "default", "token");
    SessionOptions { version: MqttVersion::V5, ..options }
}

async fn event(events: &mut SessionEvents) -> SessionEvent {
    soon("an event", events.recv()).await.expect("the session ended")
}

/// A session that is up, with its other end. CONNACK has no properties (section 3.2).
async fn up(fake: &Fake) -> (Session, SessionEvents, Peer) {
    let (session, mut events) = Session::open(options(fake));
    let (mut peer, connect) = fake.connecting().await;
    assert_eq!(connect[..7], *b"\x00\x04MQTT\x05", "protocol name and version 5");
    peer.send(&[0x20, 3, 0, 0, 0]).await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    (session, events, peer)
}

/// PUBACK with a reason code and a reason string (section 3.4.2).
fn puback(packet: [u8; 2], code: u8, why: &str) -> Vec<u8> {
    let why_bytes = why.len() as u8;
    let mut properties = Vec::new();
    if !why.is_empty() {
        properties.extend([0x1F, 0, why_bytes]);
        properties.extend(why.as_bytes());
    }
    let mut bytes = vec![0x40, 4 + properties.len() as u8, packet[0], packet[1], code];
    bytes.push(properties.len() as u8);
    bytes.extend(properties);
    bytes
}

#[tokio::test]
async fn a_refusal_reaches_the_message_that_it_is_of() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake).await;
    let mut packets = Vec::new();
    for message in 1..=4_u64 {
        let sent = session.publish(message, "a/b", Bytes::from_static(b"x"));
        soon("room in flight", sent).await.unwrap();
        let (header, body) = peer.packet().await;
        assert_eq!((header, &body[..5]), (0x32, &b"\x00\x03a/b"[..]));
        packets.push([body[5], body[6]]);
    }
    // Nobody subscribes (0x10) is a success; 0x83 and 0x97 are not (table 3.4.2.1).
    for (at, code, why) in
        [(2, 0x83, "conflicting_content"), (0, 0, ""), (3, 0x97, ""), (1, 0x10, "nobody")]
    {
        peer.send(&puback(packets[at], code, why)).await;
        let message = at as u64 + 1;
        let expected = if code < 0x80 {
            SessionEvent::Acknowledged { message }
        } else {
            let refusal = PublicationRefusal { code, why: why.to_owned() };
            SessionEvent::Refused { message, refusal }
        };
        assert_eq!(event(&mut events).await, expected);
    }
}

#[tokio::test]
async fn a_session_that_is_taken_over_is_reported_as_such() {
    let fake = Fake::listen().await;
    let (_session, mut events, mut peer) = up(&fake).await;
    // DISCONNECT, section 3.14.2.1: 0x8E session taken over, then 0x89 server busy.
    peer.send(&[0xE0, 2, 0x8E, 0]).await;
    assert_eq!(event(&mut events).await, SessionEvent::TakenOver);
    let SessionEvent::Disconnected { reason } = event(&mut events).await else { panic!() };
    assert!(reason.contains("`gateway` took the place of this one"), "{reason}");
    let (mut peer, _) = fake.connecting().await;
    peer.send(&[0x20, 3, 0, 0, 0]).await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    peer.send(&[0xE0, 2, 0x89, 0]).await;
    let SessionEvent::Disconnected { reason } = event(&mut events).await else { panic!() };
    assert!(reason.contains("ServerBusy"), "{reason}");
}

#[tokio::test]
async fn a_broker_of_the_version_before_is_spoken_to_in_that() {
    // Its CONNACK of two bytes (MQTT 3.1.1, section 3.2) and the end; silence; MQTT 5's own code.
    for refusal in [&[0x20, 2, 0, 1][..], &[], &[0x20, 3, 0, 0x84, 0]] {
        let fake = Fake::listen().await;
        let (session, mut events) = Session::open(options(&fake));
        let (mut peer, connect) = fake.connecting().await;
        assert_eq!(connect[6], 5);
        peer.send(refusal).await;
        drop(peer);
        let SessionEvent::Disconnected { reason } = event(&mut events).await else { panic!() };
        assert!(reason.ends_with("to MQTT 5; 3.1.1 is tried next"), "{reason}");
        let mut peer = fake.connected().await;
        assert_eq!(event(&mut events).await, SessionEvent::Connected);
        soon("room", session.publish(1, "a", Bytes::new())).await.unwrap();
        let published = peer.published().await;
        peer.acknowledge(published.id).await;
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 1 });
        // The next connection begins with MQTT 5 again: who was there may have been another one.
        drop(peer);
        assert!(matches!(event(&mut events).await, SessionEvent::Disconnected { .. }));
        assert_eq!(fake.connecting().await.1[6], 5);
    }
}

#[tokio::test]
async fn refused_connections_have_the_words_of_the_version_before() {
    let fake = Fake::listen().await;
    let (_session, mut events) = Session::open(options(&fake));
    for (code, words) in
        [(0x86, "bad user name or password"), (0x87, "not authorised"), (0x88, "ServerUnavailable")]
    {
        let (mut peer, _) = fake.connecting().await;
        peer.send(&[0x20, 3, 0, code, 0]).await;
        let SessionEvent::Disconnected { reason } = event(&mut events).await else { panic!() };
        assert_eq!(reason, format!("the broker refused the connection: {words}"));
    }
}
