//! What the broker rejects, by whose decision, and that each leaves a record and a number.

use super::*;

#[tokio::test]
async fn what_the_platform_refuses_is_acknowledged_to_mqtt_3() {
    let (broker, platform) = start().await;
    let (session, mut events) = open(options(&broker, "meter")).await;
    for (message, payload) in [(1, "refuse"), (2, "store"), (3, "refuse")] {
        publish(&session, message, INPUT, payload).await;
        acknowledged(&mut events, message).await;
    }
    assert_eq!(platform.payloads(), ["refuse", "store", "refuse"]);
    assert!(platform.look(|seen| seen.refusals.is_empty()), "the platform recorded them itself");
    let counters = broker.counters();
    assert_eq!((counters.publications_refused, counters.publications_stored), (2, 1));
    broker.stop().await;
}

#[tokio::test]
async fn publishing_elsewhere_is_refused_recorded_and_acknowledged() {
    let (broker, platform) = start().await;
    let (session, mut events) = open(options(&broker, "meter")).await;
    let topics = [
        "default/SiteWhere/commands/home-1",
        "default/device/home-1/ack",
        "default/echo/another",
        "default/echo/meter/x",
        "other/echo/meter",
        "other/SiteWhere/input/json",
        "$SYS/x",
        "x",
    ];
    for (message, topic) in (0..).zip(topics) {
        publish(&session, message, topic, "store").await;
        acknowledged(&mut events, message).await;
    }
    let expected: Vec<Refused> = topics
        .iter()
        .map(|topic| (RefusalReason::TopicNotAllowed, "meter".into(), (*topic).into()))
        .collect();
    assert_eq!(platform.look(|seen| seen.refusals.clone()), expected);
    assert!(platform.payloads().is_empty());
    assert_eq!(broker.counters().publications_refused, topics.len() as u64);
    broker.stop().await;
}

#[tokio::test]
async fn a_packet_over_the_limit_ends_the_connection_is_recorded_and_the_sender_recovers() {
    let config = BrokerConfig { packet_limit_bytes: 1000, ..config() };
    let platform = Platform::new();
    let broker = Broker::start(config, platform.clone()).await.unwrap();
    let (other, mut other_events) = open(options(&broker, "other")).await;
    let (session, mut events) = open(options(&broker, "meter")).await;
    // Topic with its length, packet id and payload are the remaining length (section 2.2.3).
    let fits = 1000 - (2 + INPUT.len()) - 2;
    for round in 0..5 {
        publish(&session, round, INPUT, &"x".repeat(fits)).await;
        acknowledged(&mut events, round).await;
        // The second one is far more than one read of a socket.
        let excess = if round % 2 == 0 { 1 } else { 200_000 };
        publish(&session, 100 + round, INPUT, &"x".repeat(fits + excess)).await;
        disconnected(&mut events).await;
        reconnected(&mut events).await;
        let recorded = round as usize + 1;
        platform.until("the record", |seen| seen.refusals.len() == recorded).await;
        publish(&other, round, INPUT, "store").await;
        acknowledged(&mut other_events, round).await;
    }
    let expected: Refused = (RefusalReason::PacketTooLarge, "meter".into(), String::new());
    assert!(platform.look(|seen| seen.refusals.iter().all(|refused| *refused == expected)));
    assert_eq!(platform.payloads().len(), 10);
    assert_eq!(broker.counters().packets_too_large, 5);
    broker.stop().await;
}

#[tokio::test]
async fn a_wrong_password_and_a_nameless_client_are_turned_away() {
    let (broker, _platform) = start().await;
    let good = options(&broker, "meter");
    let wrong = [
        ("default", "wrong"),
        ("nobody", "token"),
        ("default\u{1f}meter", "token"),
        ("", ""),
        ("default", ""),
    ];
    for (username, password) in wrong {
        let (username, password) = (username.to_owned(), password.to_owned());
        let (_session, mut events) =
            Session::open(SessionOptions { username, password, ..good.clone() });
        assert_eq!(
            disconnected(&mut events).await,
            "the broker refused the connection: bad user name or password"
        );
    }
    // Without any user name: the broker library would let it in unless configured otherwise.
    let address = broker.address();
    let mqtt = rumqttc::MqttOptions::new("anonymous", (address.ip().to_string(), address.port()));
    let (_client, mut events) = rumqttc::AsyncClient::builder(mqtt).capacity(10).build();
    let refused = soon("CONNACK", events.poll()).await;
    let Err(rumqttc::ConnectionError::ConnectionRefused(code)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(code, rumqttc::ConnectReturnCode::BadUserNamePassword);
    assert!(broker.counters().not_authenticated >= 6);
    assert_eq!(broker.counters().connected, 0);
    broker.stop().await;
}

#[tokio::test]
async fn subscriptions_outside_the_tenant_are_refused() {
    let (broker, platform) = start().await;
    let filters = ["#", "+/SiteWhere/commands/x", "other/#", "$SYS/#", "default"];
    for (n, filter) in filters.into_iter().enumerate() {
        let subscriptions = vec![filter.to_owned()];
        let client = format!("meter-{n}");
        let (_session, mut events) =
            Session::open(SessionOptions { subscriptions, ..options(&broker, &client) });
        let expected = format!("the broker refused the subscription to {filter}");
        assert_eq!(disconnected(&mut events).await, expected);
    }
    assert!(platform.look(|seen| seen.listening.is_empty()));
    assert!(broker.counters().subscriptions_refused >= 5);
    broker.stop().await;
}

#[tokio::test]
async fn a_client_of_another_tenant_has_its_own_topics_only() {
    let (broker, platform) = start().await;
    let username = "other".to_owned();
    let (session, mut events) = open(SessionOptions { username, ..options(&broker, "m") }).await;
    publish(&session, 1, INPUT, "forged").await;
    acknowledged(&mut events, 1).await;
    publish(&session, 2, "other/SiteWhere/input/json", "own").await;
    acknowledged(&mut events, 2).await;
    assert_eq!(platform.payloads(), ["own"]);
    assert_eq!(platform.look(|seen| seen.refusals.len()), 1);
    broker.stop().await;
}

#[tokio::test]
async fn the_devices_secret_subscribes_to_nothing_that_others_send() {
    let (broker, platform) = start().await;
    let filters = [
        ("default/SiteWhere/commands/home", true),
        ("default/device/home/ack", true),
        ("default/echo/+", true),
        ("default/rts/+/frames", true),
        ("default/#", false),
        ("default/SiteWhere/commands/+", false),
        ("default/SiteWhere/commands/#", false),
        (INPUT, false),
        ("default/device/home/input/json", false),
        ("default/device/+/input/json", false),
        ("default/live/device/home", false),
        ("default/live/alerts", false),
        ("default/se/zone", false),
        ("other/SiteWhere/commands/home", false),
    ];
    for (n, (filter, is_given)) in filters.into_iter().enumerate() {
        let subscriptions = vec![filter.to_owned()];
        let password = "devices".to_owned();
        let client = format!("meter-{n}");
        let (_session, mut events) =
            Session::open(SessionOptions { subscriptions, password, ..options(&broker, &client) });
        let found = event(&mut events).await;
        assert_eq!(found == SessionEvent::Connected, is_given, "{filter}: {found:?}");
    }
    let home = HardwareId::new("home").unwrap();
    assert_eq!(platform.look(|seen| seen.listening.clone()), [home]);
    assert!(broker.counters().subscriptions_refused >= 10);
    broker.stop().await;
}
