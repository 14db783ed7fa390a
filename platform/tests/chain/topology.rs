//! The topology service: the model as it was put, the states of switches with their versions, and
//! an alert of each change.

use lastmeter_platform::Running;
use serde_json::{Value, json};

use crate::common::{TOKEN, ask, start};

const NETWORK: &str = "/api/v1/electric-networks/feeder";

async fn rest(platform: &Running, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    ask(platform, method, path, body.as_ref(), TOKEN).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switches_change_by_version_and_each_change_is_an_alert() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let model = r#"{"version": "1.0",  "data": {"node": []}}"#;
    let network = json!({ "token": "feeder", "name": "Feeder", "model": model, "switches": [
        { "id": 7, "normal": true }, { "id": 3, "normal": false },
    ] });
    let made = rest(&platform, "POST", "/api/v1/electric-networks", Some(network)).await;
    assert_eq!(made.0, 201, "{made:?}");
    let more = format!("Authorization: Bearer {TOKEN}\r\n");
    let text = crate::common::text(&platform, &format!("{NETWORK}/model"), &more).await;
    assert_eq!(text, model);
    let path = format!("{NETWORK}/topology");
    let normal = rest(&platform, "GET", &path, None).await.1;
    assert_eq!((&normal["version"], &normal["states"]), (&0.into(), &json!([true, false])));

    let change = |version: u64, states: Value| json!({ "version": version, "states": states });
    let first = rest(&platform, "PUT", &path, Some(change(0, json!([false, true])))).await;
    assert_eq!((first.0, &first.1["version"]), (200, &1.into()), "{first:?}");
    // The same again changes nothing, another one of that version is late.
    let again = rest(&platform, "PUT", &path, Some(change(0, json!([false, true])))).await;
    assert_eq!(again, first);
    let late = rest(&platform, "PUT", &path, Some(change(0, json!([true, true])))).await;
    assert_eq!((late.0, &late.1["code"]), (409, &"version_conflict".into()));
    let short = rest(&platform, "PUT", &path, Some(change(1, json!([true])))).await;
    assert_eq!((short.0, &short.1["field"]), (422, &"states".into()));
    let second = rest(&platform, "PUT", &path, Some(change(1, json!([true, true])))).await;
    assert_eq!(second.1["version"], 2);

    let old = rest(&platform, "GET", &format!("{path}?version=1"), None).await.1;
    assert_eq!(old["states"], json!([false, true]));
    let before = rest(&platform, "GET", &format!("{path}?at=2020-01-01T00:00:00Z"), None).await.1;
    assert_eq!(before["version"], 0);
    let history = rest(&platform, "GET", &format!("{path}/history"), None).await.1;
    assert_eq!(history["numResults"], 2);
    platform.shutdown().await;

    // The alerts were committed with the changes.
    let platform = start(folder.path()).await;
    let alerts = rest(&platform, "GET", "/api/v1/alerts?after=0&limit=10", None).await.1;
    let alerts = alerts["results"].as_array().unwrap();
    let found: Vec<_> =
        alerts.iter().map(|one| (&one["type"], &one["metadata"]["version"])).collect();
    let kind = json!("topology.changed");
    assert_eq!(found, [(&kind, &json!("1")), (&kind, &json!("2"))], "{alerts:?}");
    platform.shutdown().await;
}
