//! The session against a broker of bytes: what it sends, what it makes of what it gets, and that an
//! acknowledgement never reaches the wrong message.

use std::time::Duration;

use bytes::Bytes;
use lastmeter_link::mqtt::{
    IN_FLIGHT_LIMIT, LIVE_LIMIT, LiveError, PublishError, Session, SessionEvent, SessionEvents,
    SessionOptions,
};

use crate::mqtt::fake::{Fake, Peer, Published, soon};

fn options(fake: &Fake) -> SessionOptions {
    SessionOptions::new(&fake.address(), "meter-1", "default", "token")
}

async fn event(events: &mut SessionEvents) -> SessionEvent {
    soon("an event", events.recv()).await.expect("the session ended")
}

async fn reason(events: &mut SessionEvents) -> String {
    match event(events).await {
        SessionEvent::Disconnected { reason } => reason,
        other => panic!("expected Disconnected, found {other:?}"),
    }
}

/// A session that is up, with its other end.
async fn up(fake: &Fake, options: SessionOptions) -> (Session, SessionEvents, Peer) {
    let (session, mut events) = Session::open(options);
    let peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    (session, events, peer)
}

/// Publishes a message whose payload is its number, so that both ends know which it is.
async fn publish(session: &Session, message: u64) -> Result<(), PublishError> {
    let payload = Bytes::from(message.to_be_bytes().to_vec());
    soon("room in flight", session.publish(message, "default/SiteWhere/input/json", payload)).await
}

fn number(published: &Published) -> u64 {
    u64::from_be_bytes(published.payload.clone().try_into().unwrap())
}

#[tokio::test]
async fn connect_carries_identity_and_a_clean_session() {
    let fake = Fake::listen().await;
    let (_session, _events) =
        Session::open(SessionOptions { keep_alive: Duration::from_secs(7), ..options(&fake) });
    let (_peer, connect) = fake.connecting().await;
    // Section 3.1: protocol name and level 4; flags user name, password, clean session; keep-alive;
    // client identifier, user name, password.
    let mut expected = b"\x00\x04MQTT\x04\xc2\x00\x07".to_vec();
    for text in ["meter-1", "default", "token"] {
        expected.extend((text.len() as u16).to_be_bytes());
        expected.extend(text.as_bytes());
    }
    assert_eq!(connect, expected);
}

#[tokio::test]
async fn connected_is_announced_only_after_the_suback() {
    let fake = Fake::listen().await;
    let filters = vec!["default/SiteWhere/commands/meter-1".to_owned(), "default/x/+".to_owned()];
    let (session, mut events) =
        Session::open(SessionOptions { subscriptions: filters.clone(), ..options(&fake) });
    let mut peer = fake.connected().await;
    // A retained message may overtake the SUBACK (section 3.8.4); it waits for the announcement.
    peer.publish("default/x/1", b"early").await;
    assert_eq!(events.try_recv(), None);
    assert_eq!(publish(&session, 1).await, Err(PublishError::NotConnected));
    assert_eq!(peer.subscribed(&[1, 0]).await, filters);
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    let early = SessionEvent::Received { topic: "default/x/1".into(), payload: "early".into() };
    assert_eq!(event(&mut events).await, early);
}

#[tokio::test]
async fn a_refused_subscription_is_a_failed_connection_and_named() {
    let fake = Fake::listen().await;
    let (_session, mut events) = Session::open(SessionOptions {
        subscriptions: vec!["mine/#".into(), "theirs/#".into()],
        ..options(&fake)
    });
    let mut peer = fake.connected().await;
    peer.subscribed(&[1, 0x80]).await;
    assert_eq!(reason(&mut events).await, "the broker refused the subscription to theirs/#");
    assert_eq!(peer.try_packet().await, None);
    // It is tried again.
    let mut peer = fake.connected().await;
    peer.subscribed(&[1, 1]).await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
}

#[tokio::test]
async fn every_refusal_of_a_connection_is_reported_in_words() {
    let fake = Fake::listen().await;
    let (_session, mut events) = Session::open(options(&fake));
    // Section 3.2.2.3, table 3.1.
    for (code, words) in [
        (1, "unacceptable protocol version"),
        (2, "client identifier rejected"),
        (3, "service unavailable"),
        (4, "bad user name or password"),
        (5, "not authorised"),
    ] {
        let (mut peer, _) = fake.connecting().await;
        peer.send(&[0x20, 2, 0, code]).await;
        let expected = format!("the broker refused the connection: {words}");
        assert_eq!(reason(&mut events).await, expected);
    }
    let mut peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    peer.send(&[0xd0, 0]).await;
    drop(peer);
    assert_eq!(reason(&mut events).await, "the broker closed the connection");
}

#[tokio::test]
async fn an_address_that_is_none_is_reported() {
    for address in ["", "localhost", "localhost:", ":1883", "localhost:http"] {
        let (_session, mut events) = Session::open(SessionOptions::new(address, "c", "u", "p"));
        let expected = format!("{address:?} is no broker address; write it as host:port");
        assert_eq!(reason(&mut events).await, expected);
    }
}

#[tokio::test]
async fn acknowledgements_out_of_order_reach_their_messages() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    let mut arrived = Vec::new();
    for message in [50, 40, 30, 20, 10] {
        publish(&session, message).await.unwrap();
        arrived.push(peer.published().await);
    }
    assert_eq!(arrived.iter().map(number).collect::<Vec<_>>(), [50, 40, 30, 20, 10]);
    for at in [4, 0, 3, 1, 2] {
        peer.acknowledge(arrived[at].id).await;
        let message = number(&arrived[at]);
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message });
    }
}

#[tokio::test]
async fn after_a_loss_nothing_is_resent_and_old_packet_ids_mean_nothing() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    for message in 1..=3 {
        publish(&session, message).await.unwrap();
    }
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(peer.published().await);
    }
    peer.acknowledge(first[1].id).await;
    assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 2 });
    drop(peer);
    reason(&mut events).await;
    assert_eq!(publish(&session, 1).await, Err(PublishError::NotConnected));

    let mut peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    let mut second = Vec::new();
    for message in [3, 9, 1] {
        publish(&session, message).await.unwrap();
        // Were anything resent, it would be read here first.
        second.push(peer.published().await);
        assert_eq!(number(second.last().unwrap()), message);
    }
    // The packet ids are used again, for other messages.
    assert!(second.iter().any(|again| first.iter().any(|once| once.id == again.id)));
    for published in second.iter().rev() {
        peer.acknowledge(published.id).await;
        let message = number(published);
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message });
    }
}

#[tokio::test]
async fn nothing_is_published_on_a_connection_the_owner_has_not_heard_of() {
    let fake = Fake::listen().await;
    let options = SessionOptions { keep_alive: Duration::from_secs(1), ..options(&fake) };
    let (session, mut events, peer) = up(&fake, options).await;
    drop(peer);
    let mut peer = fake.connected().await;
    // Pings show that the new connection is in service, while its `Connected` is still in the
    // queue.
    assert_eq!(peer.packet().await.0, 0xc0, "PINGREQ");
    peer.send(&[0xd0, 0]).await;
    assert_eq!(publish(&session, 1).await, Err(PublishError::NotConnected));
    reason(&mut events).await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    publish(&session, 1).await.unwrap();
    assert_eq!(number(&peer.published().await), 1);
}

#[tokio::test]
async fn an_acknowledgement_of_nothing_ends_the_connection() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    publish(&session, 1).await.unwrap();
    let published = peer.published().await;
    for id in [published.id + 1, 60_000] {
        peer.acknowledge(id).await;
        let expected = format!("the broker acknowledged packet {id}, which was not waiting for it");
        assert_eq!(reason(&mut events).await, expected);
        peer = fake.connected().await;
        assert_eq!(event(&mut events).await, SessionEvent::Connected);
    }
}

#[tokio::test]
async fn what_arrived_just_before_the_end_of_the_connection_is_not_lost() {
    let fake = Fake::listen().await;
    for _ in 0..20 {
        let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
        publish(&session, 1).await.unwrap();
        publish(&session, 2).await.unwrap();
        let (first, second) = (peer.published().await, peer.published().await);
        let mut last_words = Vec::new();
        for id in [first.id, second.id] {
            last_words.extend([0x40, 2]);
            last_words.extend(id.to_be_bytes());
        }
        peer.send(&last_words).await;
        drop(peer);
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 1 });
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 2 });
        reason(&mut events).await;
    }
}

#[tokio::test]
async fn a_lost_acknowledgement_ends_the_connection_and_names_the_message() {
    let fake = Fake::listen().await;
    let limit = Duration::from_millis(200);
    let (session, mut events, mut peer) =
        up(&fake, SessionOptions { acknowledge_limit: limit, ..options(&fake) }).await;
    publish(&session, 7).await.unwrap();
    publish(&session, 8).await.unwrap();
    let (_lost, kept) = (peer.published().await, peer.published().await);
    peer.acknowledge(kept.id).await;
    assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 8 });
    assert_eq!(reason(&mut events).await, "no acknowledgement of message 7 within 200ms");
    assert_eq!(peer.try_packet().await, None);
    let mut peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    publish(&session, 7).await.unwrap();
    let again = peer.published().await;
    peer.acknowledge(again.id).await;
    assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 7 });
}

#[tokio::test]
async fn a_packet_id_that_waits_for_its_acknowledgement_is_left_out_when_ids_come_round() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    publish(&session, 0).await.unwrap();
    let held = peer.published().await;
    for message in 1..1000 {
        publish(&session, message).await.unwrap();
        let arrived = peer.published().await;
        // MQTT 3.1.1 section 2.3.1: an identifier is free after its acknowledgement only.
        assert_ne!(arrived.id, held.id, "at message {message}");
        assert_eq!(number(&arrived), message);
        peer.acknowledge(arrived.id).await;
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message });
    }
    peer.acknowledge(held.id).await;
    assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 0 });
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_noticed_by_the_keep_alive() {
    let fake = Fake::listen().await;
    let options = SessionOptions { keep_alive: Duration::from_secs(1), ..options(&fake) };
    let (_session, mut events, mut peer) = up(&fake, options).await;
    assert_eq!(peer.packet().await, (0xc0, vec![]), "PINGREQ, section 3.12");
    assert_eq!(reason(&mut events).await, "the broker did not answer a keep-alive ping");
}

#[tokio::test]
async fn a_silent_broker_is_given_up_after_the_limit() {
    let fake = Fake::listen().await;
    let options = SessionOptions { connect_limit: Duration::from_secs(1), ..options(&fake) };
    let (_session, mut events) = Session::open(options);
    let _silent = fake.connecting().await;
    let why = reason(&mut events).await;
    assert!(why.contains(&fake.address()) && why.contains("within 1"), "{why}");
}

#[tokio::test]
async fn publishing_waits_while_the_window_is_full() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    for message in 0..u64::from(IN_FLIGHT_LIMIT) {
        publish(&session, message).await.unwrap();
    }
    let waiting = tokio::spawn(async move {
        publish(&session, 1000).await.unwrap();
        session
    });
    let first = peer.published().await;
    for _ in 1..IN_FLIGHT_LIMIT {
        peer.published().await;
    }
    assert!(!waiting.is_finished());
    peer.acknowledge(first.id).await;
    assert_eq!(number(&peer.published().await), 1000);
    assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 0 });
    soon("the waiting publication", waiting).await.unwrap();
}

#[tokio::test]
async fn a_publication_waiting_for_room_fails_when_the_connection_is_lost() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    for message in 0..u64::from(IN_FLIGHT_LIMIT) {
        publish(&session, message).await.unwrap();
    }
    let waiting = tokio::spawn(async move { publish(&session, 1000).await });
    for _ in 0..IN_FLIGHT_LIMIT {
        peer.published().await;
    }
    assert!(!waiting.is_finished());
    drop(peer);
    let failed = soon("the waiting publication", waiting).await.unwrap();
    assert_eq!(failed, Err(PublishError::NotConnected));
    reason(&mut events).await;
}

#[tokio::test]
async fn closing_sends_disconnect_even_with_a_full_window() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    for message in 0..u64::from(IN_FLIGHT_LIMIT) {
        publish(&session, message).await.unwrap();
    }
    for _ in 0..IN_FLIGHT_LIMIT {
        peer.published().await;
    }
    soon("the session to close", session.close()).await;
    assert_eq!(peer.packet().await, (0xe0, vec![]), "DISCONNECT, section 3.14");
    assert_eq!(peer.try_packet().await, None);
    assert_eq!(soon("the end of the events", events.recv()).await, None);
}

#[tokio::test]
async fn dropping_a_session_cuts_the_connection_without_a_word() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    drop(session);
    assert_eq!(peer.try_packet().await, None);
    assert_eq!(soon("the end of the events", events.recv()).await, None);
}

#[tokio::test]
async fn a_session_without_a_broker_closes_too() {
    let address = Fake::listen().await.address();
    let (session, mut events) = Session::open(SessionOptions::new(&address, "c", "u", "p"));
    let why = reason(&mut events).await;
    assert!(why.starts_with(&format!("cannot connect to {address}: ")), "{why}");
    soon("the session to close", session.close()).await;
}

#[tokio::test]
async fn what_is_too_large_or_no_topic_is_refused_before_it_is_sent() {
    let fake = Fake::listen().await;
    let options = SessionOptions { packet_limit_bytes: 64, ..options(&fake) };
    let (session, mut events, mut peer) = up(&fake, options).await;
    // 2 bytes of fixed header, 2 + 3 of topic, 2 of packet id leave 55 of 64 for the payload.
    let too_large = session.publish(1, "a/b", vec![0; 56].into()).await;
    assert_eq!(too_large, Err(PublishError::TooLarge { size_bytes: 65, limit_bytes: 64 }));
    assert!(matches!(
        session.publish(2, "a/+", Bytes::new()).await,
        Err(PublishError::Topic { .. })
    ));
    session.publish(3, "a/b", vec![0; 55].into()).await.unwrap();
    let arrived = peer.published().await;
    assert_eq!((arrived.topic.as_str(), arrived.payload.len()), ("a/b", 55));
    // The limit holds for what is received, too.
    peer.publish("a/b", &[0; 70]).await;
    let why = reason(&mut events).await;
    assert!(why.starts_with("the broker sent a bad packet: "), "{why}");
}

#[tokio::test]
async fn received_messages_wait_at_the_socket_while_the_owner_takes_none() {
    let fake = Fake::listen().await;
    let options = SessionOptions { receive_limit: 3, ..options(&fake) };
    let (_session, mut events, mut peer) = up(&fake, options).await;
    for n in 0..100_u8 {
        peer.publish("t", &[n]).await;
    }
    for n in 0..100_u8 {
        let expected = SessionEvent::Received { topic: "t".into(), payload: vec![n].into() };
        assert_eq!(event(&mut events).await, expected);
    }
}

#[tokio::test]
async fn an_owner_that_takes_no_messages_loses_the_connection_with_the_reason() {
    let fake = Fake::listen().await;
    let keep_alive = Duration::from_secs(1);
    let options = SessionOptions { receive_limit: 1, keep_alive, ..options(&fake) };
    let (_session, mut events, mut peer) = up(&fake, options).await;
    peer.publish("t", b"1").await;
    peer.publish("t", b"2").await;
    // The end of the connection shows that it was given up before anything was taken.
    while peer.try_packet().await.is_some() {}
    assert!(matches!(event(&mut events).await, SessionEvent::Received { .. }));
    assert_eq!(reason(&mut events).await, "1 received messages were left untaken for 500ms");
}

#[tokio::test]
async fn what_is_live_leaves_at_once_beside_a_full_window_and_needs_no_acknowledgement() {
    let fake = Fake::listen().await;
    let (session, mut events, mut peer) = up(&fake, options(&fake)).await;
    for message in 1..=u64::from(IN_FLIGHT_LIMIT) {
        publish(&session, message).await.unwrap();
    }
    for round in 0..3_u64 {
        for number in 0..u64::from(LIVE_LIMIT) {
            let payload = (round * 10_000 + number).to_be_bytes().to_vec();
            session.publish_live("default/rts/rack/points", payload).unwrap();
        }
        // This task has not let the connection go on: all of them wait.
        let busy = session.publish_live("default/rts/rack/points", vec![0]);
        assert_eq!(busy, Err(LiveError::Busy));
        let kept = if round == 0 { u64::from(IN_FLIGHT_LIMIT) } else { 0 };
        let mut live = 0;
        for _ in 0..kept + u64::from(LIVE_LIMIT) {
            let (kind, body) = peer.packet().await;
            if kind == 0x30 {
                let (topic, number) = body[2..].split_at(23);
                assert_eq!(topic, b"default/rts/rack/points");
                assert_eq!(number, (round * 10_000 + live).to_be_bytes());
                live += 1;
            }
        }
        assert_eq!(live, u64::from(LIVE_LIMIT));
    }
    // The window of the others is as full as before, and their acknowledgements are theirs.
    peer.acknowledge(1).await;
    assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: 1 });
    publish(&session, 101).await.unwrap();
    assert_eq!(number(&peer.published().await), 101);
}

#[tokio::test]
async fn what_is_live_is_refused_without_a_connection_and_beyond_its_size() {
    let fake = Fake::listen().await;
    let none = Err(LiveError::Publish(PublishError::NotConnected));
    let (session, mut events) =
        Session::open(SessionOptions { packet_limit_bytes: 100, ..options(&fake) });
    assert_eq!(session.publish_live("t", vec![0]), none);
    let peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    let large = session.publish_live("t", vec![0; 100]);
    assert!(matches!(large, Err(LiveError::Publish(PublishError::TooLarge { .. }))), "{large:?}");
    let wildcard = session.publish_live("t/#", vec![0]);
    assert!(matches!(wildcard, Err(LiveError::Publish(PublishError::Topic { .. }))));
    drop(peer);
    assert!(!reason(&mut events).await.is_empty());
    assert_eq!(session.publish_live("t", vec![0]), none);
}
