//! What gets through: to the platform once and before PUBACK, and from it to subscribers.

use std::collections::BTreeMap;

use super::*;

const CONNECTIONS: u64 = 50;
const MESSAGES: u64 = 200;

/// Publishes its messages, every tenth of which is to be refused, and waits for all PUBACKs.
async fn sender(options: SessionOptions, client: u64) {
    let (session, mut events) = open(options).await;
    let publishing = async {
        for message in 0..MESSAGES {
            let word = if message % 10 == 9 { "refuse" } else { "store" };
            publish(&session, message, INPUT, &format!("{word} {client} {message}")).await;
        }
    };
    let hearing = async {
        for message in 0..MESSAGES {
            acknowledged(&mut events, message).await;
        }
    };
    tokio::join!(publishing, hearing);
    session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_connections_get_every_message_through_once_in_order_and_acknowledged() {
    let (broker, platform) = start().await;
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|client| tokio::spawn(sender(options(&broker, &format!("meter-{client}")), client)))
        .collect();
    for sender in senders {
        soon("a sender", sender).await.unwrap();
    }
    let mut by_client = BTreeMap::<String, Vec<u64>>::new();
    for payload in platform.payloads() {
        let words: Vec<&str> = payload.split(' ').collect();
        by_client.entry(words[1].into()).or_default().push(words[2].parse().unwrap());
    }
    assert_eq!(by_client.len() as u64, CONNECTIONS);
    for (client, messages) in by_client {
        assert_eq!(messages, (0..MESSAGES).collect::<Vec<_>>(), "client {client}");
    }
    let counters = broker.counters();
    assert_eq!(counters.connected, CONNECTIONS);
    assert_eq!(counters.publications_refused, CONNECTIONS * MESSAGES / 10);
    assert_eq!(counters.publications_stored, CONNECTIONS * MESSAGES * 9 / 10);
    assert_eq!(counters.deliveries_dropped, 0);
    broker.stop().await;
}

#[tokio::test]
async fn puback_waits_for_the_platform_and_for_nobody_else() {
    let (broker, platform) = start().await;
    let (slow, mut slow_events) = open(options(&broker, "slow")).await;
    let (quick, mut quick_events) = open(options(&broker, "quick")).await;
    publish(&slow, 1, INPUT, "hold").await;
    publish(&slow, 2, INPUT, "behind it").await;
    platform.until("the held arrival", |seen| seen.arrivals.len() == 1).await;
    for message in 0..100 {
        publish(&quick, message, INPUT, "quick").await;
        acknowledged(&mut quick_events, message).await;
    }
    // A hundred round trips later the held one is unacknowledged, and the one behind it unread.
    assert_eq!(slow_events.try_recv(), None);
    assert!(!platform.payloads().contains(&"behind it".to_owned()));
    platform.gate.add_permits(1);
    acknowledged(&mut slow_events, 1).await;
    acknowledged(&mut slow_events, 2).await;
    broker.stop().await;
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_not_acknowledged_and_ends_the_connection() {
    let (broker, platform) = start().await;
    let (session, mut events) = open(options(&broker, "meter")).await;
    let (other, mut other_events) = open(options(&broker, "other")).await;
    publish(&session, 1, INPUT, "store").await;
    publish(&session, 2, INPUT, "fail").await;
    publish(&session, 3, INPUT, "behind it").await;
    acknowledged(&mut events, 1).await;
    assert_eq!(disconnected(&mut events).await, "the broker closed the connection");
    reconnected(&mut events).await;
    assert_eq!(platform.payloads(), ["store"]);
    publish(&session, 2, INPUT, "store this time").await;
    acknowledged(&mut events, 2).await;
    publish(&other, 1, INPUT, "other").await;
    acknowledged(&mut other_events, 1).await;
    let counters = broker.counters();
    assert_eq!((counters.publications_failed, counters.publications_stored), (1, 3));
    broker.stop().await;
}

#[tokio::test]
async fn a_command_reaches_its_subscribers_and_their_number_is_reported() {
    let (broker, platform) = start().await;
    let topic = "default/SiteWhere/commands/meter";
    assert_eq!(broker.publish(topic, b"nobody".to_vec()).await.unwrap(), 0);
    let subscribed = |client: &str, filter: &str| {
        let subscriptions = vec![filter.to_owned()];
        open(SessionOptions { subscriptions, ..options(&broker, client) })
    };
    let (meter, mut meter_events) = subscribed("meter", topic).await;
    let (_other, mut other_events) = subscribed("watcher", "default/SiteWhere/commands/+").await;
    // The other one names no device: it listens in.
    assert_eq!(platform.look(|seen| seen.listening.clone()), [HardwareId::new("meter").unwrap()]);
    assert_eq!(broker.publish(topic, b"set".to_vec()).await.unwrap(), 2);
    let expected = SessionEvent::Received { topic: topic.into(), payload: "set".into() };
    assert_eq!(event(&mut meter_events).await, expected);
    assert_eq!(event(&mut other_events).await, expected);
    soon("the session to close", meter.close()).await;
    soon("the broker to notice", async {
        while broker.publish(topic, b"gone".to_vec()).await.unwrap() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for topic in ["", "default/+", "default/#"] {
        assert!(matches!(
            broker.publish(topic, Vec::new()).await,
            Err(BrokerError::Publish { .. })
        ));
    }
    assert!(broker.publish("default/x", vec![0; 300 * 1024]).await.is_err());
    broker.stop().await;
}

#[tokio::test]
async fn live_subscribers_see_what_was_stored_and_not_what_was_refused() {
    let (broker, _platform) = start().await;
    let subscriptions = vec!["default/device/+/input/json".to_owned()];
    let (_watcher, mut watching) =
        open(SessionOptions { subscriptions, ..options(&broker, "watcher") }).await;
    let (session, mut events) = open(options(&broker, "meter")).await;
    let topic = "default/device/meter/input/json";
    for (message, payload) in [(1, "store 1"), (2, "refuse 2"), (3, "store 3")] {
        publish(&session, message, topic, payload).await;
        acknowledged(&mut events, message).await;
    }
    for payload in ["store 1", "store 3"] {
        let expected = SessionEvent::Received { topic: topic.into(), payload: payload.into() };
        assert_eq!(event(&mut watching).await, expected);
    }
    broker.stop().await;
}
