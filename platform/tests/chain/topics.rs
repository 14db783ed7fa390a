//! The two input topics and the echo topic, through a whole platform.

use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};

use crate::common::{LIMIT, TOKEN, by_reason, client, read_back, reading};

async fn start(folder: &std::path::Path) -> Running {
    let config = Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall);
    Platform::start(config).await.expect("a platform")
}

async fn open(
    platform: &Running,
    client_id: &str,
    filter: Option<&str>,
) -> (Session, SessionEvents) {
    let address = platform.mqtt_address().to_string();
    let (session, mut events) = Session::open(SessionOptions {
        subscriptions: filter.map(str::to_owned).into_iter().collect(),
        ..SessionOptions::new(&address, client_id, "default", TOKEN)
    });
    assert_eq!(next(&mut events).await, SessionEvent::Connected);
    (session, events)
}

async fn next(events: &mut SessionEvents) -> SessionEvent {
    let event = tokio::time::timeout(LIMIT, events.recv()).await;
    event.expect("an event").expect("a session")
}

async fn publish(session: &Session, events: &mut SessionEvents, topic: &str, payload: Vec<u8>) {
    session.publish(1, topic, payload.into()).await.expect("a connection");
    assert_eq!(next(events).await, SessionEvent::Acknowledged { message: 1 });
}

#[tokio::test]
async fn a_bound_topic_takes_its_device_and_refuses_others_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path()).await;
    let rest = client(platform.rest_address());
    let (session, mut events) = open(&platform, "home-1", None).await;
    let bound = "default/device/home-1/input/json";
    publish(&session, &mut events, bound, reading("home-1", 1)).await;
    publish(&session, &mut events, bound, reading("home-2", 1)).await;
    let stored: serde_json::Value =
        rest.get_json("/api/v1/readings?after=0&wait_ms=10000").await.expect("readings");
    assert_eq!(stored["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(stored["results"][0]["device"], "home-1");
    let refused: serde_json::Value =
        rest.get_json("/api/v1/refusals?after=0&wait_ms=10000").await.expect("refusals");
    assert_eq!(refused["results"].as_array().map(Vec::len), Some(1));
    let refusal = &refused["results"][0];
    assert_eq!(
        (&refusal["reason"], &refusal["device"], &refusal["topic"]),
        (&"hardware_id_mismatch".into(), &"home-2".into(), &bound.into())
    );
    assert!(platform.shutdown().await);
}

/// Connects with a last will, and breaks the connection.
async fn die(platform: &Running, client_id: &str, topic: &str, will: Vec<u8>) {
    let address = platform.mqtt_address();
    let mut options =
        rumqttc::MqttOptions::new(client_id, (address.ip().to_string(), address.port()));
    options.set_credentials("default", TOKEN);
    options.set_last_will(rumqttc::LastWill::new(topic, will, rumqttc::QoS::AtLeastOnce, false));
    let (_client, mut events) = rumqttc::AsyncClient::builder(options).capacity(10).build();
    let first = tokio::time::timeout(LIMIT, events.poll()).await.expect("an answer");
    let rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_)) = first.expect("a connection") else {
        panic!("no CONNACK")
    };
}

#[tokio::test]
async fn a_last_will_on_a_bound_topic_is_held_against_it_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path()).await;
    let rest = client(platform.rest_address());
    let bound = "default/device/home-1/input/json";
    die(&platform, "home-1", bound, reading("home-1", 1)).await;
    die(&platform, "home-2", bound, reading("home-2", 1)).await;
    let stored: serde_json::Value =
        rest.get_json("/api/v1/readings?after=0&wait_ms=10000").await.expect("readings");
    assert_eq!(stored["results"][0]["device"], "home-1");
    let refused: serde_json::Value =
        rest.get_json("/api/v1/refusals?after=0&wait_ms=10000").await.expect("refusals");
    assert_eq!(refused["results"][0]["reason"], "hardware_id_mismatch");
    assert_eq!(read_back(&rest, "/api/v1/readings").await.len(), 1);
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn an_echo_passes_through_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path()).await;
    let topic = "default/echo/probe";
    let (session, mut events) = open(&platform, "probe", None).await;
    let (_listener, mut heard) = open(&platform, "listener", Some(topic)).await;
    // Not even what would be a reading elsewhere.
    for serial in 1..=50 {
        publish(&session, &mut events, topic, reading("home-1", serial)).await;
        let expected = SessionEvent::Received {
            topic: topic.to_owned(),
            payload: reading("home-1", serial).into(),
        };
        assert_eq!(next(&mut heard).await, expected);
    }
    publish(&session, &mut events, "default/echo/listener", b"forged".to_vec()).await;
    let rest = client(platform.rest_address());
    assert!(read_back(&rest, "/api/v1/readings").await.is_empty());
    let _: serde_json::Value =
        rest.get_json("/api/v1/refusals?after=0&wait_ms=10000").await.expect("refusals");
    let refusals = read_back(&rest, "/api/v1/refusals").await;
    assert_eq!(by_reason(&refusals), [("topic_not_allowed".to_owned(), 1)].into());
    // One record in the journal, that of the refusal, and none of the echoes.
    let metrics = rest.get_text("/metrics").await.expect("metrics");
    for line in [
        "lastmeter_broker_publications_echoed_total 50",
        "lastmeter_broker_publications_refused_total 1",
        "lastmeter_broker_publications_stored_total 0",
        "lastmeter_accepted_total 0",
        "lastmeter_journal_syncs_total 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert!(platform.shutdown().await);
}
