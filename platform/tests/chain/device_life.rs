//! The life of a device over REST: registered, assigned, moved, exchanged, decommissioned.

use lastmeter_platform::Running;
use serde_json::{Value, json};

use crate::common::{TOKEN, ask, start};

const DEVICES: &str = "/sitewhere/api/devices";
const ASSIGNMENTS: &str = "/sitewhere/api/assignments";
const VOLTS: &str = "electricity.voltage.rms.l1";

async fn rest(platform: &Running, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    ask(platform, method, path, body.as_ref(), TOKEN).await
}

async fn ok(platform: &Running, method: &str, path: &str, body: Option<Value>) -> Value {
    let (status, answer) = rest(platform, method, path, body).await;
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    answer
}

fn device(id: &str) -> Value {
    json!({ "hardwareId": id, "name": "Cellar", "room": "cellar",
        "location": { "latitude": 45.0, "longitude": 7.0 } })
}

fn volts(value: f64, serial: u64) -> Value {
    json!({ "measurements": { VOLTS: value }, "metadata": { "serial": serial.to_string() } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meter_is_registered_assigned_moved_exchanged_and_decommissioned() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let made = ok(&platform, "POST", DEVICES, Some(device("old"))).await;
    let again = ok(&platform, "POST", DEVICES, Some(device("old"))).await;
    assert_eq!((&made["version"], &made["name"]), (&1.into(), &"Cellar".into()));
    assert_eq!(made, again);
    let other = rest(&platform, "POST", DEVICES, Some(json!({ "hardwareId": "old" }))).await;
    assert_eq!((other.0, &other.1["code"]), (409, &"device_exists".into()));
    let reserved = rest(&platform, "POST", DEVICES, Some(device("$feed"))).await;
    assert_eq!((reserved.0, &reserved.1["code"]), (422, &"reserved_id".into()));
    let implicit = ok(&platform, "GET", &format!("{DEVICES}/old/assignments"), None).await;
    assert_eq!(implicit["results"][0]["assignmentType"], "Unassociated");

    // Assigned; a second one in force is refused.
    let person = json!({ "token": "ann", "category": "person", "name": "Ann" });
    ok(&platform, "POST", "/sitewhere/api/assets", Some(person)).await;
    let first = json!({ "token": "first", "deviceHardwareId": "old", "assetId": "ann" });
    ok(&platform, "POST", ASSIGNMENTS, Some(first)).await;
    let second = json!({ "deviceHardwareId": "old", "assetId": "ann" });
    let second = rest(&platform, "POST", ASSIGNMENTS, Some(second)).await;
    assert_eq!((second.0, &second.1["code"]), (409, &"already_assigned".into()), "{second:?}");
    let seen = ok(&platform, "GET", &format!("{DEVICES}/old"), None).await;
    assert_eq!(seen["assignmentToken"], "first");
    let state = ok(&platform, "GET", &format!("{DEVICES}/old/assignment"), None).await;
    assert_eq!(
        (&state["assignmentType"], &state["assetId"]),
        (&json!("Associated"), &json!("ann"))
    );

    // Readings and alerts through its assignment, each sent twice and stored once.
    let readings = format!("{ASSIGNMENTS}/first/measurements");
    assert_eq!(ok(&platform, "POST", &readings, Some(volts(230.0, 1))).await["stored"], 1);
    assert_eq!(ok(&platform, "POST", &readings, Some(volts(230.0, 1))).await["repeated"], 1);
    let alert = json!({ "type": "close", "level": "Warning", "message": "close",
        "eventDate": "2100-01-01T00:00:00Z" });
    let alerts = format!("{ASSIGNMENTS}/first/alerts");
    assert_eq!(ok(&platform, "POST", &alerts, Some(alert.clone())).await["stored"], 1);
    assert_eq!(ok(&platform, "POST", &alerts, Some(alert)).await["repeated"], 1);
    assert_eq!(ok(&platform, "GET", &readings, None).await["numResults"], 1);
    let listed = ok(&platform, "GET", &alerts, None).await;
    assert_eq!(
        (&listed["numResults"], &listed["results"][0]["source"]),
        (&1.into(), &"Device".into())
    );
    assert_eq!(listed["results"][0].get("declared"), None);

    // Moved: what was measured before keeps the position that it was taken at.
    let place = json!({ "latitude": 50.0, "longitude": 8.0 });
    ok(&platform, "POST", &format!("{ASSIGNMENTS}/first/locations"), Some(place)).await;
    ok(&platform, "POST", &readings, Some(volts(231.0, 2))).await;
    let observations = ok(&platform, "GET", "/api/v1/observations?device=old", None).await;
    let places: Vec<_> = observations["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["data_field"]["value"], &one["geographical_position"]["latitude"]))
        .collect();
    assert_eq!(places, [(&json!(230.0), &json!(45.0)), (&json!(231.0), &json!(50.0))]);
    let inside = |text: &str| format!("{DEVICES}?bbox={text}");
    assert_eq!(ok(&platform, "GET", &inside("7.5,49,8.5,51"), None).await["numResults"], 1);
    assert_eq!(ok(&platform, "GET", &inside("6.5,44,7.5,46"), None).await["numResults"], 0);
    let moves = ok(&platform, "GET", &format!("{ASSIGNMENTS}/first/locations"), None).await;
    assert_eq!(moves["numResults"], 1, "{moves}");

    exchange_and_decommission(&platform, &readings).await;
    platform.shutdown().await;
}

async fn exchange_and_decommission(platform: &Running, readings: &str) {
    // Exchanged: the end of one assignment and a new one of another device.
    let gone = rest(platform, "DELETE", &format!("{DEVICES}/old"), None).await;
    assert_eq!((gone.0, &gone.1["code"]), (409, &"device_is_assigned".into()));
    let ended = ok(platform, "POST", &format!("{ASSIGNMENTS}/first/end"), None).await;
    assert_eq!(ended["status"], "released");
    assert_eq!(ok(platform, "POST", &format!("{ASSIGNMENTS}/first/end"), None).await, ended);
    ok(platform, "POST", DEVICES, Some(device("new"))).await;
    let next = json!({ "token": "next", "deviceHardwareId": "new", "assetId": "ann" });
    ok(platform, "POST", ASSIGNMENTS, Some(next)).await;
    ok(platform, "POST", &format!("{ASSIGNMENTS}/next/measurements"), Some(volts(229.0, 1))).await;
    assert_eq!(ok(platform, "GET", readings, None).await["numResults"], 2);

    // Decommissioned: its readings stay, and nothing more of it is taken.
    let gone = ok(platform, "DELETE", &format!("{DEVICES}/old"), None).await;
    assert_eq!((&gone["deleted"], &gone["status"]), (&true.into(), &"deleted".into()));
    let late = rest(platform, "POST", readings, Some(volts(228.0, 3))).await;
    assert_eq!((late.0, &late.1["reason"]), (422, &"blocked_device".into()));
    assert_eq!(ok(platform, "GET", readings, None).await["numResults"], 2);
    let history = ok(platform, "GET", &format!("{DEVICES}/old/history"), None).await;
    assert_eq!(history["numResults"], 3);
}

async fn batch(platform: &Running, id: &str, serial: u64) -> (u16, Value) {
    let line =
        json!({ "hardwareId": id, "type": "DeviceMeasurements", "request": volts(1.0, serial) });
    let more = format!("Authorization: Bearer {TOKEN}\r\n");
    crate::common::import(platform, &line.to_string(), &more).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_nobody_registered_are_taken_recognised_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let settings = |rule: &str| {
        json!({ "token": "settings", "timeZone": "Europe/Rome", "currency": "EUR",
            "registration": rule })
    };
    assert_eq!(batch(&platform, "early", 1).await.1["stored"], 1);
    assert_eq!(batch(&platform, "$feed", 1).await.1["refusals"][0]["reason"], "reserved_id");
    ok(&platform, "POST", "/api/v1/settings", Some(settings("closed"))).await;
    let refused = batch(&platform, "late", 1).await.1;
    assert_eq!(refused["refusals"][0]["reason"], "unknown_device", "{refused}");
    assert_eq!(batch(&platform, "early", 2).await.1["stored"], 1);
    ok(&platform, "PUT", "/api/v1/settings/settings", Some(settings("recognise"))).await;
    for serial in 1..=3 {
        assert_eq!(batch(&platform, "late", serial).await.1["stored"], 1, "{serial}");
    }
    let recognised = ok(&platform, "GET", "/api/v1/recognised", None).await;
    assert_eq!(
        (&recognised["numResults"], &recognised["results"][0]["hardwareId"]),
        (&1.into(), &"late".into())
    );
    ok(&platform, "POST", DEVICES, Some(device("late"))).await;
    assert_eq!(ok(&platform, "GET", "/api/v1/recognised", None).await["numResults"], 0);
    let blocked = json!({ "status": "blocked" });
    ok(&platform, "PUT", &format!("{DEVICES}/late"), Some(blocked)).await;
    assert_eq!(batch(&platform, "late", 4).await.1["refusals"][0]["reason"], "blocked_device");
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_that_no_specification_declares_are_marked_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let specification = |is_strict: bool| {
        json!({ "token": "meter", "name": "Meter", "strictAlerts": is_strict,
            "alertTypes": [{ "name": "tamper", "level": "Critical" }] })
    };
    ok(&platform, "POST", "/sitewhere/api/specifications", Some(specification(false))).await;
    let one = json!({ "hardwareId": "m", "specificationToken": "meter" });
    let token = ok(&platform, "POST", DEVICES, Some(one)).await["assignmentToken"].clone();
    let alerts = format!("{ASSIGNMENTS}/{}/alerts", token.as_str().unwrap());
    let alert = |kind: &str| json!({ "type": kind, "level": "Critical", "message": "" });
    ok(&platform, "POST", &alerts, Some(alert("tamper"))).await;
    ok(&platform, "POST", &alerts, Some(alert("mood"))).await;
    let listed = ok(&platform, "GET", &alerts, None).await;
    let mut marks: Vec<_> = listed["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["type"].as_str().unwrap(), one["declared"].as_bool().unwrap()))
        .collect();
    marks.sort_unstable();
    assert_eq!(marks, [("mood", false), ("tamper", true)]);
    let path = "/sitewhere/api/specifications/meter";
    ok(&platform, "PUT", path, Some(specification(true))).await;
    let refused = rest(&platform, "POST", &alerts, Some(alert("mood"))).await;
    assert_eq!((refused.0, &refused.1["reason"]), (422, &"undeclared_alert".into()));
    let of = ok(&platform, "GET", &format!("{DEVICES}/specification/meter"), None).await;
    assert_eq!(of["numResults"], 1);
    platform.shutdown().await;
}
