//! Documents over REST: made, read, changed, removed, and what they were.

use lastmeter_platform::Running;
use serde_json::{Value, json};

use crate::common::{TOKEN, ask, ask_with, start};

const SITES: &str = "/sitewhere/api/sites";

async fn rest(platform: &Running, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    ask(platform, method, path, body.as_ref(), TOKEN).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_made_changed_and_removed_and_keeps_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let made = rest(&platform, "POST", SITES, Some(json!({ "token": "a", "name": "one" }))).await;
    assert_eq!(
        (made.0, &made.1["version"], &made.1["updatedBy"]),
        (201, &1.into(), &"bench".into())
    );
    let again = rest(&platform, "POST", SITES, Some(json!({ "token": "a", "name": "one" }))).await;
    assert_eq!((again.0, &again.1["code"]), (409, &"token_is_taken".into()));
    let wrong = rest(&platform, "POST", SITES, Some(json!({ "name": 7 }))).await;
    assert_eq!((wrong.0, &wrong.1["field"]), (422, &"name".into()), "{wrong:?}");
    let one = format!("{SITES}/a");
    let mut body = rest(&platform, "GET", &one, None).await.1;
    body["name"] = "two".into();
    let changed = rest(&platform, "PUT", &one, Some(body.clone())).await;
    assert_eq!((changed.0, &changed.1["version"]), (200, &2.into()), "{changed:?}");
    // The same once more is of a version that is gone.
    body["name"] = "three".into();
    let late = rest(&platform, "PUT", &one, Some(body)).await;
    assert_eq!((late.0, &late.1["code"]), (409, &"version_conflict".into()));
    let zone = json!({ "token": "z", "name": "z", "kind": "area", "siteToken": "a" });
    assert_eq!(rest(&platform, "POST", "/sitewhere/api/zones", Some(zone)).await.0, 201);
    let used = rest(&platform, "DELETE", &one, None).await;
    assert_eq!((used.0, &used.1["code"]), (409, &"document_is_used".into()));
    let of_site = rest(&platform, "GET", "/sitewhere/api/zones?with=site:a", None).await;
    assert_eq!(of_site.1["numResults"], 1);
    assert_eq!(rest(&platform, "DELETE", "/sitewhere/api/zones/z", None).await.0, 200);
    let removed = rest(&platform, "DELETE", &one, None).await;
    assert_eq!((removed.0, &removed.1["deleted"]), (200, &true.into()));
    assert_eq!(rest(&platform, "GET", &one, None).await.0, 404);
    platform.shutdown().await;
    let platform = start(folder.path()).await;
    let history = rest(&platform, "GET", &format!("{one}/history"), None).await.1;
    let versions = history["results"].as_array().unwrap().iter();
    let versions: Vec<_> = versions.map(|one| (&one["version"], &one["name"])).collect();
    let expected = [(3, "two"), (2, "two"), (1, "one")].map(|(n, name)| (json!(n), json!(name)));
    let expected: Vec<_> = expected.iter().map(|(n, name)| (n, name)).collect();
    assert_eq!(versions, expected);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_a_key_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let more = format!("Authorization: Bearer {TOKEN}\r\nIdempotency-Key: k\r\n");
    let (body, other) = (json!({ "name": "one" }), json!({ "name": "two" }));
    let first = ask_with(&platform, ("POST", SITES), Some(&body), &more).await;
    let second = ask_with(&platform, ("POST", SITES), Some(&body), &more).await;
    assert_eq!(first, second);
    assert_eq!(first.0, 201);
    let differs = ask_with(&platform, ("POST", SITES), Some(&other), &more).await;
    assert_eq!((differs.0, &differs.1["code"]), (422, &"key_is_taken".into()));
    assert_eq!(rest(&platform, "GET", SITES, None).await.1["numResults"], 1);
    platform.shutdown().await;
}
