//! The echo topic: passed on, never stored, and only its owner may publish there.

use super::*;

fn listening(broker: &Broker, client: &str, filter: &str) -> SessionOptions {
    SessionOptions { subscriptions: vec![filter.into()], ..options(broker, client) }
}

#[tokio::test]
async fn an_echo_goes_to_its_subscribers_and_nowhere_else() {
    let (broker, platform) = start().await;
    let (probe, mut probe_events) = open(options(&broker, "probe")).await;
    let topic = "default/echo/probe";
    let (_near, mut near) = open(listening(&broker, "near", topic)).await;
    let (_all, mut all) = open(listening(&broker, "all", "default/echo/+")).await;
    let (_other, mut other) = open(listening(&broker, "other", "default/echo/else")).await;
    for message in 0..100 {
        publish(&probe, message, topic, &format!("fail {message}")).await;
        acknowledged(&mut probe_events, message).await;
    }
    for events in [&mut near, &mut all] {
        for message in 0..100 {
            let payload = format!("fail {message}").into();
            let expected = SessionEvent::Received { topic: topic.into(), payload };
            assert_eq!(event(events).await, expected);
        }
    }
    assert_eq!(other.try_recv(), None);
    assert!(platform.look(|seen| seen.arrivals.is_empty() && seen.refusals.is_empty()));
    let counters = broker.counters();
    assert_eq!(counters.publications_echoed, 100);
    assert_eq!((counters.publications_stored, counters.publications_refused), (0, 0));
    broker.stop().await;
}

#[tokio::test]
async fn an_echo_that_nobody_hears_is_acknowledged_and_gone() {
    let (broker, _platform) = start().await;
    let (probe, mut events) = open(options(&broker, "probe")).await;
    publish(&probe, 1, "default/echo/probe", "unheard").await;
    acknowledged(&mut events, 1).await;
    let (_near, mut near) = open(listening(&broker, "near", "default/echo/probe")).await;
    publish(&probe, 2, "default/echo/probe", "heard").await;
    acknowledged(&mut events, 2).await;
    let expected =
        SessionEvent::Received { topic: "default/echo/probe".into(), payload: "heard".into() };
    assert_eq!(event(&mut near).await, expected);
    broker.stop().await;
}

#[tokio::test]
async fn an_echo_forged_for_another_client_reaches_nobody_and_leaves_a_record() {
    let (broker, platform) = start().await;
    let (_probe, mut heard) = open(listening(&broker, "probe", "default/echo/probe")).await;
    let (forger, mut events) = open(options(&broker, "forger")).await;
    publish(&forger, 1, "default/echo/probe", "forged").await;
    acknowledged(&mut events, 1).await;
    let expected: Refused =
        (RefusalReason::TopicNotAllowed, "forger".into(), "default/echo/probe".into());
    assert_eq!(platform.look(|seen| seen.refusals.clone()), [expected]);
    // What is sent later would come behind it.
    broker.publish("default/echo/probe", b"honest".to_vec()).await.unwrap();
    let expected =
        SessionEvent::Received { topic: "default/echo/probe".into(), payload: "honest".into() };
    assert_eq!(event(&mut heard).await, expected);
    assert_eq!(broker.counters().publications_echoed, 0);
    broker.stop().await;
}
