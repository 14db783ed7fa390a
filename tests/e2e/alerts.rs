//! Alerts through the program as it is: published over MQTT, read back by REST.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use serde_json::{Value, json};

use crate::bench::{lastmeter, library, run};
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

/// About this device, in these words, numbered by its second.
fn alert(kind: &str, (device, words): (&str, &str), second: u32) -> Value {
    json!({
        "hardwareId": "cellar", "type": "DeviceAlert",
        "request": {
            "type": kind, "level": "Warning", "message": format!("{device} {words}"),
            "metadata": { "device": device, "epoch": "1", "serial": second.to_string() },
            "eventDate": format!("2027-01-18T17:00:{second:02}Z"),
        },
    })
}

fn row(sequence: u64, kind: &str, (device, words): (&str, &str), second: u32) -> Value {
    json!({
        "sequence": sequence, "device": "cellar", "type": kind, "level": "Warning",
        "message": format!("{device} {words}"), "epoch": 1, "serial": second,
        "metadata": { "device": device }, "event_time": format!("2027-01-18T17:00:{second:02}.000Z"),
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

fn profile(folder: &Path, served: &Served) -> PathBuf {
    let path = folder.join("platform.toml");
    let (mqtt, rest) = (&served.mqtt, &served.rest);
    let text = format!("mqtt = \"{mqtt}\"\nrest = \"{rest}\"\ntoken = \"secret\"\n");
    std::fs::write(&path, text).unwrap();
    path
}

/// What was acknowledged is listed after a kill, and a bench does not take it for its own.
#[test]
fn alerts_survive_a_kill_and_keep_a_virtual_time_run_out() {
    let folder = tempfile::tempdir().unwrap();
    let (data, any) = (folder.path().join("data"), "127.0.0.1:0");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = Served::start(&data, any, any);
    let sent = [
        alert("device.unreachable", ("heat-1", "does not answer"), 40),
        alert("device.reachable", ("heat-1", "answers again"), 20),
        alert("mbus.status", ("heat-2", "has status 4"), 30),
    ];
    runtime.block_on(publish(&served.mqtt, &sent));
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let again = Served::start(&data, any, any);
    let expected = [
        row(1, "device.unreachable", ("heat-1", "does not answer"), 40),
        row(2, "device.reachable", ("heat-1", "answers again"), 20),
        row(3, "mbus.status", ("heat-2", "has status 4"), 30),
    ];
    assert_eq!(runtime.block_on(alerts(&again.rest)), expected);

    let profile = profile(folder.path(), &again);
    let options = ["--set", "scenario.duration=1 min", "--platform", profile.to_str().unwrap()];
    let used = run(&library("first-light"), &folder.path().join("used"), &options);
    assert_eq!(used.code, 3, "{used:?}");
    assert!(used.stderr.contains("already holds alerts"), "{used:?}");
}

const CHECKS: &str = r#"
[[check]]
name = "unreachable"
kind = "alerts"
type = "device.unreachable"
expect = [{ about = "heat-1", from = "5 s", to = "5 s" }]

[[check]]
name = "reachable"
kind = "alerts"
type = "device.reachable"
"#;

/// The last reading, once there is one after this sequence.
async fn last_reading_after(rest: &str, after: u64) -> u64 {
    let client = Client::new(rest, "secret").unwrap();
    let path = format!("/api/v1/readings?after={after}&wait_ms=10000");
    let page: Value = client.get_json(&path).await.unwrap();
    let last = page["last"].as_u64().unwrap();
    assert!(last > after, "no reading after {after} came for 10 s");
    last
}

/// Somebody sends alerts while a run goes on: they are in its record, however late they came, and
/// are judged by their own time. None of them is of the bench's own senders: they are foreign.
#[test]
fn alerts_that_come_during_a_run_are_recorded_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0";
    let served = Served::start(&folder.path().join("data"), any, any);
    let profile = profile(folder.path(), &served);
    let data = concat!("\"", env!("CARGO_MANIFEST_DIR"), "/scenarios/library/data/");
    let text = std::fs::read_to_string(library("first-light")).unwrap().replace("\"data/", data);
    let scenario = folder.path().join("with-alerts.toml");
    std::fs::write(&scenario, format!("{text}{CHECKS}")).unwrap();
    let out = folder.path().join("out");
    let child = lastmeter()
        .arg("run")
        .args([&scenario, Path::new("--out"), &out, Path::new("--platform"), &profile])
        .args(["--set", "scenario.duration=20 min"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // Once a reading is there the bench has seen that the platform was empty.
        let last = last_reading_after(&served.rest, 0).await;
        publish(&served.mqtt, &[alert("device.reachable", ("heat-1", "answers again"), 10)]).await;
        // Two minutes later, so that the record of the first alert is written.
        last_reading_after(&served.rest, last + 24).await;
        let late = alert("device.unreachable", ("heat-1", "does not answer"), 5);
        publish(&served.mqtt, &[late]).await;
    });
    let done = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{shown}{}", String::from_utf8_lossy(&done.stderr));
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    let alerts = events.lines().filter(|line| line.contains(r#""kind":"alert""#));
    let alerts: Vec<Value> = alerts.map(|line| serde_json::from_str(line).unwrap()).collect();
    let times: Vec<[&Value; 2]> =
        alerts.iter().map(|alert| [&alert["time"], &alert["event_time"]]).collect();
    // The lines stand by time, so the late one has its own time beside it.
    let stands_at = json!("2027-01-18T17:00:10.000Z");
    let own = json!("2027-01-18T17:00:05.000Z");
    assert_eq!(times, [[&stands_at, &Value::Null], [&stands_at, &own]], "{events}");
    let numbers = alerts.iter().map(|alert| (&alert["epoch"], &alert["serial"]));
    assert_eq!(numbers.collect::<Vec<_>>(), [(&json!(1), &json!(10)), (&json!(1), &json!(5))]);
    assert_eq!(alerts[1]["metadata"], json!({ "device": "heat-1" }));
    let verdicts = std::fs::read(out.join("verdicts.json")).unwrap();
    let verdicts: Value = serde_json::from_slice(&verdicts).unwrap();
    let of = |name: &str| {
        let all = verdicts.as_array().unwrap();
        let verdict = all.iter().find(|verdict| verdict["check"] == name).unwrap();
        [&verdict["status"], &verdict["reason"], &verdict["measured"]].map(Value::clone)
    };
    // The one that was expected came, at its own time.
    assert_eq!(of("unreachable"), [json!("fail"), json!("not-as-sent"), json!(0.0)], "{shown}");
    assert_eq!(of("reachable"), [json!("fail"), json!("unexpected-alert"), json!(1.0)], "{shown}");
    assert!(shown.contains("0 of 0 alerts stored as sent, 2 foreign"), "{shown}");
}
