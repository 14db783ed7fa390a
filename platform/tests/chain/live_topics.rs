//! What is committed, on topics of the broker, for who may have all of it.

use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};
use serde_json::{Value, json};

use crate::common::{LIMIT, TOKEN, advance, ask, reading};
use crate::identity::{PASSWORD, basic, post, user};

const HOME: &str = "default/live/device/home";

async fn subscribe(
    platform: &Running,
    (client_id, user): (&str, &str),
    filter: &str,
) -> (Session, SessionEvents, SessionEvent) {
    let address = platform.mqtt_address().to_string();
    let password = if user == "default" { TOKEN } else { PASSWORD };
    let (session, mut events) = Session::open(SessionOptions {
        subscriptions: vec![filter.to_owned()],
        ..SessionOptions::new(&address, client_id, user, password)
    });
    let event = tokio::time::timeout(LIMIT, events.recv()).await;
    (session, events, event.unwrap().unwrap())
}

async fn listen(platform: &Running, who: (&str, &str), filter: &str) -> (Session, SessionEvents) {
    let (session, events, event) = subscribe(platform, who, filter).await;
    assert_eq!(event, SessionEvent::Connected);
    (session, events)
}

/// The next message: its topic and what it holds.
async fn heard(events: &mut SessionEvents) -> (String, Value) {
    match tokio::time::timeout(LIMIT, events.recv()).await.expect("a live value") {
        Some(SessionEvent::Received { topic, payload }) => {
            (topic, serde_json::from_slice(&payload).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// Moves the clock: to how many clients of whom live values went.
async fn parties(platform: &Running, to: &str) -> Value {
    let asked = json!({ "to": to });
    let (status, body) = ask(platform, "POST", "/api/v1/clock/advance", Some(&asked), TOKEN).await;
    assert_eq!(status, 200, "{body}");
    body["parties"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_a_grant_follows_what_that_covers() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Driven);
    let platform = Platform::start(config).await.unwrap();
    advance(&platform, "2027-01-15T08:00:00Z").await;
    user(&platform, "adam", &["tenant-admin"]).await;
    user(&platform, "tom", &["user"]).await;
    let (meter, mut taken) = listen(&platform, ("meter", "default"), "default/echo/meter").await;
    let mut serial = 0;
    let mut send = async |device: &str| {
        serial += 1;
        let payload = reading(device, serial).into();
        meter.publish(serial, "default/SiteWhere/input/json", payload).await.unwrap();
        let event = tokio::time::timeout(LIMIT, taken.recv()).await.unwrap();
        assert_eq!(event, Some(SessionEvent::Acknowledged { message: serial }));
    };
    send("home").await;
    send("other").await;
    assert_eq!(parties(&platform, "2027-01-15T08:10:00Z").await, json!({}));
    let tom = ("tom", "default/user/tom");
    for filter in [HOME, "default/live/+/home", "default/live/device/+", "default/live/alerts"] {
        let refused = subscribe(&platform, tom, filter).await.2;
        assert!(matches!(refused, SessionEvent::Disconnected { .. }), "{filter}: {refused:?}");
    }
    let grant = json!({
        "to": "user:tom", "on": "device:home", "actions": ["read"], "quantities": ["*"],
        "from": "2027-01-15T00:00:00Z", "until": "2027-01-15T08:30:00Z",
        "purpose": "advice", "by": "user:adam",
    });
    let made = post(&platform, "/api/v1/grants", &grant, &basic("adam", PASSWORD)).await;
    assert_eq!(made.0, 201, "{made:?}");
    for filter in ["default/live/device/other", "default/#", "default/echo/+"] {
        let refused = subscribe(&platform, tom, filter).await.2;
        assert!(matches!(refused, SessionEvent::Disconnected { .. }), "{filter}: {refused:?}");
    }
    let (_tom, mut own) = listen(&platform, tom, "default/live/device/+").await;
    send("other").await;
    send("home").await;
    send("other").await;
    let gone_to = parties(&platform, "2027-01-15T08:20:00Z").await;
    assert_eq!(gone_to, json!({ "user:tom": 1 }));
    let (topic, first) = heard(&mut own).await;
    assert_eq!((&*topic, &first["serial"]), (HOME, &4.into()));
    // The grant is over.
    advance(&platform, "2027-01-15T08:40:00Z").await;
    send("home").await;
    assert_eq!(parties(&platform, "2027-01-15T08:50:00Z").await, json!({}));
    let more = tokio::time::timeout(std::time::Duration::from_millis(200), own.recv()).await;
    assert!(more.is_err(), "{more:?}");
    assert!(platform.shutdown().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_values_come_to_who_may_have_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Driven);
    let platform = Platform::start(config).await.unwrap();
    advance(&platform, "2027-01-15T08:00:00Z").await;
    user(&platform, "adam", &["tenant-admin"]).await;
    user(&platform, "tom", &["user"]).await;
    let (meter, mut taken) = listen(&platform, ("meter", "default"), "default/echo/meter").await;
    let mut serial = 0;
    let mut send = async |device: &str, to: &str| {
        serial += 1;
        let payload = reading(device, serial).into();
        meter.publish(serial, "default/SiteWhere/input/json", payload).await.unwrap();
        let event = tokio::time::timeout(LIMIT, taken.recv()).await.unwrap();
        assert_eq!(event, Some(SessionEvent::Acknowledged { message: serial }));
        advance(&platform, to).await;
    };
    // Nobody listens: nothing is published, then or later.
    send("home", "2027-01-15T08:10:00Z").await;
    let grant = json!({
        "to": "user:tom", "on": "device:home", "actions": ["read"], "quantities": ["*"],
        "from": "2027-01-15T08:00:00Z", "until": "2027-01-15T09:00:00Z",
        "purpose": "advice", "by": "user:adam",
    });
    let made = post(&platform, "/api/v1/grants", &grant, &basic("adam", PASSWORD)).await;
    assert_eq!(made.0, 201, "{made:?}");
    let (_bench, mut all) = listen(&platform, ("bench", "default"), "default/live/#").await;

    send("home", "2027-01-15T08:20:00Z").await;
    let first = heard(&mut all).await;
    assert_eq!(first.0, HOME);
    assert_eq!((&first.1["device"], &first.1["serial"]), (&"home".into(), &2.into()));
    assert!(first.1["values"].as_object().is_some_and(|values| !values.is_empty()), "{first:?}");
    send("other", "2027-01-15T08:30:00Z").await;
    assert_eq!(heard(&mut all).await.0, "default/live/device/other");
    // An alert of the platform's own.
    let network = json!({
        "token": "feeder", "name": "Feeder", "model": "{}", "switches": [{ "id": 7, "normal": true }],
    });
    let change = json!({ "version": 0, "states": [false] });
    for (method, path, body) in [
        ("POST", "/api/v1/electric-networks", network),
        ("PUT", "/api/v1/electric-networks/feeder/topology", change),
    ] {
        let made = ask(&platform, method, path, Some(&body), TOKEN).await;
        assert!([200, 201].contains(&made.0), "{made:?}");
    }
    advance(&platform, "2027-01-15T08:40:00Z").await;
    let (topic, alert) = heard(&mut all).await;
    assert_eq!((&*topic, &alert["type"]), ("default/live/alerts", &"topology.changed".into()));
    assert_eq!(alert["metadata"]["version"], "1");
    assert!(platform.shutdown().await);
}
