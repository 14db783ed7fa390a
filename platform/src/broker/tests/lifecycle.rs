//! Starting and stopping: several at once, one after the other, and nothing left behind.

use super::*;

#[tokio::test]
async fn brokers_side_by_side_are_strangers_to_each_other() {
    let (first, first_platform) = start().await;
    let (second, second_platform) = start().await;
    assert_ne!(first.address().port(), 0);
    assert_ne!(first.address(), second.address());
    // The same client identifier on both: were anything global, one would end the other.
    let (one, mut one_events) = open(options(&first, "same")).await;
    let (two, mut two_events) = open(options(&second, "same")).await;
    publish(&one, 1, INPUT, "for the first").await;
    publish(&two, 2, INPUT, "for the second").await;
    acknowledged(&mut one_events, 1).await;
    acknowledged(&mut two_events, 2).await;
    assert_eq!(first_platform.payloads(), ["for the first"]);
    assert_eq!(second_platform.payloads(), ["for the second"]);
    first.stop().await;
    publish(&two, 3, INPUT, "still here").await;
    acknowledged(&mut two_events, 3).await;
    second.stop().await;
}

#[tokio::test]
async fn a_stopped_broker_leaves_nothing_behind_and_another_takes_its_address() {
    let platform = Platform::new();
    let mut address = config().address;
    for round in 0..10 {
        let config = BrokerConfig { address, ..config() };
        let broker = Broker::start(config, platform.clone()).await.unwrap();
        address = broker.address();
        let mut options = options(&broker, "meter");
        options.subscriptions = vec!["default/SiteWhere/commands/meter".into()];
        let (session, mut events) = open(options).await;
        publish(&session, round, INPUT, "x").await;
        acknowledged(&mut events, round).await;
        soon("the broker to stop", broker.stop()).await;
        // Hooks, sessions and rmqtt's context held the port; all of them are gone.
        assert_eq!(Arc::strong_count(&platform), 1);
        disconnected(&mut events).await;
    }
    assert_eq!(platform.look(|seen| seen.arrivals.len()), 10);
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_journal_that_hangs() {
    let (broker, platform) = start().await;
    let (session, mut events) = open(options(&broker, "meter")).await;
    publish(&session, 1, INPUT, "hold").await;
    platform.until("the arrival", |seen| seen.arrivals.len() == 1).await;
    soon("the broker to stop", broker.stop()).await;
    assert_eq!(Arc::strong_count(&platform), 1);
    // No PUBACK came: the first thing heard is the loss.
    disconnected(&mut events).await;
}

#[tokio::test]
async fn a_dropped_broker_ends_too() {
    let (broker, platform) = start().await;
    let (_session, mut events) = open(options(&broker, "meter")).await;
    drop(broker);
    disconnected(&mut events).await;
    soon("the broker to let go", async {
        while Arc::strong_count(&platform) > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_reported() {
    let (broker, platform) = start().await;
    let config = BrokerConfig { address: broker.address(), ..config() };
    let Err(error) = Broker::start(config, platform.clone()).await else { panic!("it started") };
    let expected = format!("MQTT cannot listen on {}: ", broker.address());
    assert!(error.to_string().starts_with(&expected), "{error}");
    broker.stop().await;
    // The one that failed let go as well.
    soon("the failed one to let go", async {
        while Arc::strong_count(&platform) > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn no_session_outlives_its_connection() {
    let (broker, platform) = start().await;
    for expected_subscriptions in 1..=2 {
        let address = broker.address();
        let broker_at = (address.ip().to_string(), address.port());
        let mut mqtt = rumqttc::MqttOptions::new("meter", broker_at);
        mqtt.set_credentials("default", "token").set_clean_session(false);
        let (client, mut events) = rumqttc::AsyncClient::builder(mqtt).capacity(10).build();
        let connected = soon("CONNACK", events.poll()).await.unwrap();
        let rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(connected)) = connected else {
            panic!("{connected:?}")
        };
        assert!(!connected.session_present);
        let filter = "default/SiteWhere/commands/meter";
        client.subscribe(filter, rumqttc::QoS::AtLeastOnce).await.unwrap();
        while !matches!(
            soon("SUBACK", events.poll()).await.unwrap(),
            rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_))
        ) {}
        assert_eq!(platform.look(|seen| seen.listening.len()), expected_subscriptions);
        assert_eq!(broker.publish(filter, b"x".to_vec()).await.unwrap(), 1);
        drop(events);
        soon("the session to be forgotten", async {
            while broker.publish(filter, b"x".to_vec()).await.unwrap() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    broker.stop().await;
}
