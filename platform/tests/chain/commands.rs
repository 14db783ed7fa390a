//! Commands over REST: cancelled, summed up, in batches and by schedule.

use std::path::Path;

use lastmeter_platform::Running;
use serde_json::{Value, json};

use crate::common::{LIMIT, Sender, TOKEN, ask, ask_with, reading, start};

const BATCHES: &str = "/sitewhere/api/batch";

async fn rest(platform: &Running, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    ask(platform, method, path, body.as_ref(), TOKEN).await
}

/// A platform that has heard of so many devices, `d0` and so on.
async fn with_devices(folder: &Path, count: u64) -> Running {
    let platform = start(folder).await;
    let mut sender = Sender::open(platform.mqtt_address(), "devices");
    for number in 0..count {
        sender.queue(number, reading(&format!("d{number}"), 1));
    }
    sender.run(|_| false).await;
    sender.close().await;
    let known = async {
        while rest(&platform, "GET", "/sitewhere/api/devices", None).await.1["numResults"] != count
        {
        }
    };
    tokio::time::timeout(LIMIT, known).await.expect("the devices are known");
    platform
}

/// The commands that a device was given.
async fn given(platform: &Running, device: &str) -> Vec<Value> {
    let path = format!("/sitewhere/api/devices/{device}");
    let token = rest(platform, "GET", &path, None).await.1["assignmentToken"].clone();
    let path = format!("/sitewhere/api/assignments/{}/invocations", token.as_str().unwrap());
    rest(platform, "GET", &path, None).await.1["results"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_summed_up_and_cancelled_once() {
    let folder = tempfile::tempdir().unwrap();
    let platform = with_devices(folder.path(), 1).await;
    let device = rest(&platform, "GET", "/sitewhere/api/devices/d0", None).await.1;
    let of = device["assignmentToken"].as_str().unwrap();
    let path = format!("/sitewhere/api/assignments/{of}/invocations");
    let asked =
        json!({ "commandToken": "setReportingPeriod", "parameterValues": { "seconds": 5 } });
    let made = rest(&platform, "POST", &path, Some(asked.clone())).await.1;
    let one = format!("/sitewhere/api/invocations/{}", made["id"].as_str().unwrap());
    let summary = rest(&platform, "GET", &format!("{one}/summary"), None).await;
    let expected = json!([{ "name": "seconds", "value": "5" }]);
    assert_eq!((summary.0, &summary.1["parameters"]), (200, &expected), "{summary:?}");
    assert_eq!(summary.1["namespace"], "urn:lastmeter:commands");
    let responses = rest(&platform, "GET", &format!("{one}/responses"), None).await;
    assert_eq!(responses, (200, json!({ "numResults": 0, "results": [] })));
    let cancelled = rest(&platform, "DELETE", &one, None).await;
    assert_eq!((cancelled.0, &cancelled.1["state"]), (200, &"Failed".into()), "{cancelled:?}");
    assert_eq!(cancelled.1["metadata"]["failure"], "cancelled");
    let again = rest(&platform, "DELETE", &one, None).await;
    assert_eq!((again.0, &again.1["code"]), (409, &"invocation_ended".into()));
    let unknown = "/sitewhere/api/invocations/0000000000000000000000ff";
    assert_eq!(rest(&platform, "DELETE", unknown, None).await.0, 404);
    let mut chained = asked;
    chained["metadata"] = json!({ "cause": "rule:a,app:b,app:c,app:d" });
    let chained = rest(&platform, "POST", &path, Some(chained)).await;
    assert_eq!((chained.0, &chained.1["code"]), (422, &"too_many_causes".into()));
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_made_once_for_a_key_counted_and_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let platform = with_devices(folder.path(), 3).await;
    let of = |devices: &[&str]| {
        json!({
            "commandToken": "readRegister", "parameterValues": { "register": "1" },
            "hardwareIds": devices,
        })
    };
    let path = format!("{BATCHES}/command");
    let more = format!("Authorization: Bearer {TOKEN}\r\nIdempotency-Key: k\r\n");
    let body = of(&["d2", "d0", "d0"]);
    let made = ask_with(&platform, ("POST", &path), Some(&body), &more).await;
    assert_eq!((made.0, &made.1["size"]), (201, &2.into()), "{made:?}");
    let again = ask_with(&platform, ("POST", &path), Some(&body), &more).await;
    assert_eq!((again.0, &again.1["token"]), (201, &made.1["token"]));
    let one = format!("{BATCHES}/{}", made.1["token"].as_str().unwrap());
    let counted = async {
        loop {
            let batch = rest(&platform, "GET", &one, None).await.1;
            if batch["counts"] == json!({ "Pending": 2 }) {
                return batch;
            }
        }
    };
    let batch = tokio::time::timeout(LIMIT, counted).await.expect("both are commanded");
    assert_eq!((&batch["cursor"], &batch["done"]), (&2.into(), &false.into()));
    for (device, count) in [("d0", 1), ("d1", 0), ("d2", 1)] {
        let given = given(&platform, device).await;
        assert_eq!(given.len(), count, "{device}");
        assert!(given.iter().all(|one| one["initiator"] == "BatchOperation"));
    }
    let cancelled = rest(&platform, "DELETE", &one, None).await;
    assert_eq!((cancelled.0, &cancelled.1["cancelled"]), (200, &true.into()));
    let ended = async {
        while rest(&platform, "GET", &one, None).await.1["counts"] != json!({ "Failed": 2 }) {}
    };
    tokio::time::timeout(LIMIT, ended).await.expect("both are cancelled");
    assert_eq!(rest(&platform, "GET", BATCHES, None).await.1["numResults"], 1);
    // What cannot be done is refused whole.
    let unknown = rest(&platform, "POST", &path, Some(of(&["d1", "d9"]))).await;
    assert_eq!((unknown.0, &unknown.1["code"]), (404, &"unknown_device".into()));
    let mut glow = of(&["d1"]);
    glow["commandToken"] = "glow".into();
    let glow = rest(&platform, "POST", &path, Some(glow)).await;
    assert_eq!((glow.0, &glow.1["code"]), (404, &"unknown_command".into()));
    assert!(given(&platform, "d1").await.is_empty());
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_commanded_by_criteria_and_by_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let platform = with_devices(folder.path(), 3).await;
    let member =
        |device: &str| json!({ "of": { "device": device }, "from": "2020-01-01T00:00:00Z" });
    let group = json!({ "token": "g", "name": "g", "members": [member("d0"), member("d2")] });
    assert_eq!(rest(&platform, "POST", "/sitewhere/api/devicegroups", Some(group)).await.0, 201);
    let command = json!({ "commandToken": "readRegister", "parameterValues": { "register": "1" } });
    let mut asked = command.clone();
    asked["groupToken"] = "g".into();
    let path = format!("{BATCHES}/command/criteria");
    let made = rest(&platform, "POST", &path, Some(asked.clone())).await;
    assert_eq!((made.0, &made.1["size"]), (201, &2.into()), "{made:?}");
    asked["zoneToken"] = "z".into();
    let both = rest(&platform, "POST", &path, Some(asked)).await;
    assert_eq!((both.0, &both.1["field"]), (422, &"groupToken".into()));
    let schedule = json!({
        "schedule": { "kind": "every", "from": "2020-01-01T00:00:00Z", "every_s": 1 },
        "command": command, "target": { "group": "g" },
    });
    let schedule = rest(&platform, "POST", "/sitewhere/api/schedules", Some(schedule)).await;
    assert_eq!(schedule.0, 201, "{schedule:?}");
    let commanded = async { while given(&platform, "d2").await.len() < 3 {} };
    tokio::time::timeout(LIMIT, commanded).await.expect("once by criteria, twice by schedule");
    assert!(given(&platform, "d1").await.is_empty());
    platform.shutdown().await;
}
