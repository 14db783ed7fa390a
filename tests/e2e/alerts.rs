//! Alerts through the program as it is: published over MQTT, read back by REST.

use std::time::Duration;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use serde_json::{Value, json};

use crate::bench::{library, run};
use crate::repeats::Served;

const TOPIC: &str = "default/SiteWhere/input/json";
const LIMIT: Duration = Duration::from_secs(30);

/// Publishes each and waits for its PUBACK.
async fn publish(address: &str, payloads: &[Value]) {
    let options = SessionOptions::new(address, "cellar", "default", "secret");
    let (session, mut events) = Session::open(options);
    let mut expected = SessionEvent::Connected;
    for (message, payload) in (1..).zip(payloads) {
        let event = tokio::time::timeout(LIMIT, events.recv()).await.unwrap();
        assert_eq!(event, Some(expected));
        session.publish(message, TOPIC, payload.to_string().into_bytes().into()).await.unwrap();
        expected = SessionEvent::Acknowledged { message };
    }
    let event = tokio::time::timeout(LIMIT, events.recv()).await.unwrap();
    assert_eq!(event, Some(expected));
    session.close().await;
}

fn alert(kind: &str, message: &str, second: u32) -> Value {
    json!({
        "hardwareId": "cellar", "type": "DeviceAlert",
        "request": {
            "type": kind, "level": "Warning", "message": message,
            "eventDate": format!("2027-01-18T17:00:{second:02}Z"),
        },
    })
}

fn row(sequence: u64, kind: &str, message: &str, second: u32) -> Value {
    json!({
        "sequence": sequence, "device": "cellar", "type": kind, "level": "Warning",
        "message": message, "event_time": format!("2027-01-18T17:00:{second:02}.000Z"),
    })
}

/// All alerts, one on a page; without when they arrived, which is the platform's clock.
async fn alerts(rest: &str) -> Vec<Value> {
    let client = Client::new(rest, "secret").unwrap();
    let mut all = Vec::new();
    loop {
        let path = format!("/api/v1/alerts?after={}&limit=1", all.len());
        let page: Value = client.get_json(&path).await.unwrap();
        for found in page["results"].as_array().unwrap() {
            let mut found = found.clone();
            assert!(found.as_object_mut().unwrap().remove("received_time").is_some());
            all.push(found);
        }
        assert_eq!(page["last"], all.len());
        if page["more"] == false {
            return all;
        }
    }
}

/// What was acknowledged is listed after a kill, and a bench does not take it for its own.
#[test]
fn alerts_survive_a_kill_and_keep_a_virtual_time_run_out() {
    let folder = tempfile::tempdir().unwrap();
    let (data, any) = (folder.path().join("data"), "127.0.0.1:0");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = Served::start(&data, any, any);
    let sent = [
        alert("device.unreachable", "heat-1 does not answer", 40),
        alert("device.reachable", "heat-1 answers again", 20),
        alert("mbus.status", "heat-2: status 4", 30),
    ];
    runtime.block_on(publish(&served.mqtt, &sent));
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let again = Served::start(&data, any, any);
    let expected = [
        row(1, "device.unreachable", "heat-1 does not answer", 40),
        row(2, "device.reachable", "heat-1 answers again", 20),
        row(3, "mbus.status", "heat-2: status 4", 30),
    ];
    assert_eq!(runtime.block_on(alerts(&again.rest)), expected);

    let profile = folder.path().join("platform.toml");
    let text =
        format!("mqtt = \"{}\"\nrest = \"{}\"\ntoken = \"secret\"\n", again.mqtt, again.rest);
    std::fs::write(&profile, text).unwrap();
    let options = ["--set", "scenario.duration=1 min", "--platform", profile.to_str().unwrap()];
    let used = run(&library("first-light"), &folder.path().join("used"), &options);
    assert_eq!(used.code, 3, "{used:?}");
    assert!(used.stderr.contains("already holds alerts"), "{used:?}");
}
