//! Sessions side by side against a real broker (rmqtt, in this process, with its defaults).
#![expect(clippy::unwrap_used, reason = "a test ends by panicking")]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use rmqtt::context::ServerContext;
use rmqtt::net::{Arrived, Builder, Listener};
use rmqtt::server::MqttServer;
use tokio::net::TcpListener;

/// No wait of a test takes longer.
const LIMIT: Duration = Duration::from_secs(50);
const SESSIONS: u64 = 4;
const MESSAGES: u64 = 500;

/// A broker on a free port of its own runtime's, which ends with the test.
async fn broker() -> String {
    let context = ServerContext::new().busy_check_enable(false).build().await;
    let sockets = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = sockets.local_addr().unwrap();
    let settings =
        Builder { max_mqueue_len: 100_000, allow_anonymous: true, ..Builder::new(address) };
    let (listener, entry) = Listener::new(settings, 16);
    tokio::spawn(async move {
        while let Ok((socket, from)) = sockets.accept().await {
            let arrived = Arrived { wire: Box::new(socket), read: BytesMut::new(), from };
            entry.send(arrived).await.unwrap();
        }
    });
    tokio::spawn(MqttServer::new(context).listener_by_id(listener, 1).build().run());
    address.to_string()
}

/// Publishes its messages to its own topic and returns what came back, in the order of arrival.
async fn echo(address: String, client: u64) -> Vec<u64> {
    let mut options = SessionOptions::new(&address, &format!("client-{client}"), "u", "p");
    let topic = format!("echo/{client}");
    options.subscriptions = vec![topic.clone()];
    let (session, mut events) = Session::open(options);
    assert_eq!(events.recv().await, Some(SessionEvent::Connected));
    let publishing = async {
        for message in 0..MESSAGES {
            let payload = Bytes::from(message.to_be_bytes().to_vec());
            session.publish(message, &topic, payload).await.unwrap();
        }
    };
    let hearing = async {
        let (mut acknowledged, mut received) = (Vec::new(), Vec::new());
        while (acknowledged.len() as u64) < MESSAGES || (received.len() as u64) < MESSAGES {
            match events.recv().await.expect("the session ended") {
                SessionEvent::Acknowledged { message } => acknowledged.push(message),
                SessionEvent::Received { topic: on, payload } => {
                    assert_eq!(on, topic);
                    received.push(u64::from_be_bytes(payload[..].try_into().unwrap()));
                }
                other => panic!("{other:?}"),
            }
        }
        acknowledged.sort_unstable();
        assert_eq!(acknowledged, (0..MESSAGES).collect::<Vec<_>>());
        received
    };
    let ((), received) = tokio::join!(publishing, hearing);
    session.close().await;
    received
}

async fn next(events: &mut SessionEvents) -> Option<SessionEvent> {
    tokio::time::timeout(LIMIT, events.recv()).await.expect("an event")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_side_by_side_each_get_their_own_messages_once_and_in_order() {
    let address = broker().await;
    let sessions: Vec<_> =
        (0..SESSIONS).map(|client| tokio::spawn(echo(address.clone(), client))).collect();
    for session in sessions {
        let received = tokio::time::timeout(LIMIT, session).await.expect("all messages").unwrap();
        assert_eq!(received, (0..MESSAGES).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_client_identifier_is_taken_over_is_reported() {
    let address = broker().await;
    let options = SessionOptions::new(&address, "same", "u", "p");
    let (first, mut first_events) = Session::open(options.clone());
    assert_eq!(next(&mut first_events).await, Some(SessionEvent::Connected));
    let (_second, mut second_events) = Session::open(options);
    assert_eq!(next(&mut second_events).await, Some(SessionEvent::Connected));
    let lost = next(&mut first_events).await;
    assert!(matches!(lost, Some(SessionEvent::Disconnected { .. })), "{lost:?}");
    // Otherwise the two would take the name from each other forever.
    first.close().await;
}
