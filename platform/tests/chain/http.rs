//! The HTTP door beside MQTT, through a whole platform: readings in both formats, refusals, and
//! commands that go to a device by the door it last came through.

use std::net::SocketAddr;
use std::time::Duration;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use lastmeter_platform::{ClockSource, Config, DoorConfig, Platform, Running, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{INPUT, LIMIT, TOKEN, by_reason, client, read_back, reading};

/// The devices' secret.
const DEVICES: &str = "the devices' secret";
const JSON: &str = "application/json";
const BATCH: &str = "application/vnd.lastmeter.jsonbatch+json";

async fn start(folder: &std::path::Path) -> Running {
    let mut config = Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall);
    config.device_token = Some(Token::new(DEVICES));
    let keys = toml::Table::from_iter([("address".to_owned(), "127.0.0.1:0".into())]);
    config.doors = vec![DoorConfig { kind: "http".to_owned(), keys }];
    Platform::start(config).await.unwrap()
}

fn door(platform: &Running) -> SocketAddr {
    platform.door_addresses().iter().find(|(name, _)| *name == "http").unwrap().1
}

/// Status and body of an answer.
async fn ask(to: SocketAddr, method: &str, path: &str, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let asking = async {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = String::from_utf8_lossy(&bytes[9..12]).parse().unwrap();
        (status, bytes[end + 4..].to_vec())
    };
    tokio::time::timeout(LIMIT, asking).await.unwrap()
}

fn bearer(secret: &str) -> String {
    format!("Authorization: Bearer {secret}\r\n")
}

async fn post(to: SocketAddr, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
    let head = format!("{}Content-Type: {kind}\r\n", bearer(DEVICES));
    let (status, body) = ask(to, "POST", path, &head, body).await;
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn commands(to: SocketAddr, device: &str, query: &str) -> Vec<Value> {
    let path = format!("/devices/{device}/commands{query}");
    let (status, body) = ask(to, "GET", &path, &bearer(DEVICES), b"").await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let body: Value = serde_json::from_slice(&body).unwrap();
    body["commands"].as_array().unwrap().clone()
}

/// Returns when the door has a connection.
pub(crate) async fn somebody_is_there(rest: &Client) {
    let there = async {
        let line = "lastmeter_connections{door=\"http\"} 1";
        while !rest.get_text("/metrics").await.unwrap().lines().any(|found| found == line) {}
    };
    tokio::time::timeout(LIMIT, there).await.unwrap();
}

async fn set_period(rest: &Client, device: &str, seconds: &str) -> Value {
    let path = format!("/sitewhere/api/devices/{device}/assignment");
    let assignment: Value = rest.get_json(&path).await.unwrap();
    let path =
        format!("/sitewhere/api/assignments/{}/invocations", assignment["token"].as_str().unwrap());
    let asked =
        json!({ "commandToken": "setReportingPeriod", "parameterValues": { "seconds": seconds } });
    rest.post_json(&path, &asked).await.unwrap()
}

fn answer(device: &str, invocation: &Value) -> Vec<u8> {
    json!({ "hardwareId": device, "type": "Acknowledge",
            "request": { "originatingEventId": invocation, "response": "done" } })
    .to_string()
    .into_bytes()
}

async fn state_of(rest: &Client, invocation: &Value) -> String {
    let path = format!("/sitewhere/api/invocations/{}", invocation.as_str().unwrap());
    let read: Value = rest.get_json(&path).await.unwrap();
    read["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_posted_is_stored_once_whatever_the_door_and_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let (http, rest) = (door(&platform), client(platform.rest_address()));
    assert_eq!(post(http, "/input", JSON, &reading("home", 1)).await.0, 204);
    let bound = "/devices/home/input";
    assert_eq!(post(http, bound, JSON, &reading("home", 1)).await.0, 204);
    let request = |serial| {
        let message: Value = serde_json::from_slice(&reading("home", serial)).unwrap();
        message["request"].clone()
    };
    let batch = json!([{ "hardwareId": "home", "measurements": [request(1), request(2)] },
                       { "hardwareId": "shed", "register": true }]);
    for _ in 0..2 {
        assert_eq!(post(http, "/input", BATCH, batch.to_string().as_bytes()).await.0, 204);
    }
    // The same once more, by the other door.
    let address = platform.mqtt_address().to_string();
    let (session, mut events) =
        Session::open(SessionOptions::new(&address, "gateway", "default", DEVICES));
    assert_eq!(events.recv().await, Some(SessionEvent::Connected));
    let topic = "default/SiteWhere/input/jsonbatch";
    session.publish(1, topic, batch.to_string().into()).await.unwrap();
    assert_eq!(events.recv().await, Some(SessionEvent::Acknowledged { message: 1 }));

    assert_eq!(post(http, bound, JSON, &reading("other", 1)).await.0, 422);
    let (status, problem) = post(http, "/input", JSON, b"{").await;
    assert_eq!((status, &problem["code"]), (422, &"not_json".into()));
    let broken = json!({ "hardwareId": "home", "measurements": [request(3), {}] }).to_string();
    let (status, problem) = post(http, "/input", BATCH, broken.as_bytes()).await;
    assert_eq!((status, &problem["code"]), (422, &"missing_field".into()));
    assert!(problem["detail"].as_str().unwrap().contains("measurements[1]"), "{problem}");
    let (status, problem) = post(http, "/input", "text/plain", b"1").await;
    assert_eq!((status, &problem["code"]), (415, &"unsupported_encoding".into()));
    assert_eq!(post(http, "/input", JSON, &vec![b' '; 70_000]).await.0, 422);
    assert_eq!(post(http, "/input", JSON, &vec![b' '; 300_000]).await.0, 413);

    let refusals: Value = rest.get_json("/api/v1/refusals?after=4&wait_ms=10000").await.unwrap();
    assert_eq!(refusals["results"].as_array().unwrap().len(), 1);
    let found = by_reason(&read_back(&rest, "/api/v1/refusals").await);
    let reasons =
        ["hardware_id_mismatch", "missing_field", "not_json", "too_large", "unsupported_encoding"];
    assert_eq!(found, reasons.map(|reason| (reason.to_owned(), 1)).into());
    let stored = read_back(&rest, "/api/v1/readings").await;
    let numbers: Vec<(&Value, &Value)> =
        stored.iter().map(|row| (&row["device"], &row["serial"])).collect();
    assert_eq!(numbers, [(&"home".into(), &1.into()), (&"home".into(), &2.into())]);
    let metrics = rest.get_text("/metrics").await.unwrap();
    for line in [
        "lastmeter_http_requests_stored_total 4",
        "lastmeter_http_requests_refused_total 5",
        // Serial 1 four times more, serial 2 twice.
        "lastmeter_repetitions_total 6",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn only_the_devices_secret_opens_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let http = door(&platform);
    for head in [String::new(), bearer(TOKEN), bearer("guess"), bearer("")] {
        let (status, _) = ask(http, "POST", "/input", &head, b"{}").await;
        assert_eq!(status, 401, "{head}");
        assert_eq!(ask(http, "GET", "/devices/home/commands", &head, b"").await.0, 401);
        assert_eq!(ask(http, "GET", "/elsewhere", &head, b"").await.0, 401);
    }
    // Nor does it open REST.
    let (status, _) =
        ask(platform.rest_address(), "GET", "/api/v1/readings", &bearer(DEVICES), b"").await;
    assert_eq!(status, 401);
    let own = bearer(DEVICES);
    for (path, status) in [
        ("/devices/home/commands", 404),
        ("/devices/a%2Fb/commands", 400),
        ("/elsewhere", 404),
        ("/input", 405),
    ] {
        assert_eq!(ask(http, "GET", path, &own, b"").await.0, status, "{path}");
    }
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn a_command_comes_by_the_door_that_its_device_last_came_through() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let (http, rest) = (door(&platform), client(platform.rest_address()));
    let register = br#"{"hardwareId":"home","register":true}"#;
    assert_eq!(post(http, "/input", BATCH, register).await.0, 204);
    let registered =
        async { while rest.get_json::<Value>("/sitewhere/api/devices/home").await.is_err() {} };
    tokio::time::timeout(LIMIT, registered).await.unwrap();
    // Somebody listens on its topic, which takes nothing from the device.
    let address = platform.mqtt_address().to_string();
    let filter = "default/SiteWhere/commands/home";
    let watch = |client: &str, filter: &str| {
        Session::open(SessionOptions {
            subscriptions: vec![filter.to_owned()],
            ..SessionOptions::new(&address, client, "default", TOKEN)
        })
    };
    let (_watcher, mut watching) = watch("watcher", "default/SiteWhere/commands/+");
    assert_eq!(watching.recv().await, Some(SessionEvent::Connected));

    assert!(commands(http, "home", "").await.is_empty());
    let invoked = set_period(&rest, "home", "5").await;
    assert_eq!(invoked["status"], "Pending", "nobody has taken it yet");
    // Until it is answered it comes again: at least once.
    for _ in 0..2 {
        let given = commands(http, "home", "").await;
        assert_eq!(given.len(), 1);
        assert_eq!(given[0]["command"]["invocation"]["id"], invoked["id"]);
        assert_eq!(given[0]["command"]["parameters"]["seconds"], 5.0);
    }
    assert_eq!(state_of(&rest, &invoked["id"]).await, "Sent");
    assert_eq!(post(http, "/input", JSON, &answer("home", &invoked["id"])).await.0, 204);
    let answered = async { while state_of(&rest, &invoked["id"]).await != "Responded" {} };
    tokio::time::timeout(LIMIT, answered).await.unwrap();

    // Who waits has it as soon as it is there.
    let waiting = tokio::spawn(async move { commands(http, "home", "?wait_ms=60000").await });
    somebody_is_there(&rest).await;
    let second = set_period(&rest, "home", "6").await;
    let given = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    assert_eq!(given[0]["command"]["invocation"]["id"], second["id"]);

    // It moves: what it has not answered comes by its new door, and so does what is asked next.
    let (session, mut events) = watch("home", filter);
    let received = |event: Option<SessionEvent>| {
        let Some(SessionEvent::Received { payload, .. }) = event else { panic!("{event:?}") };
        serde_json::from_slice::<Value>(&payload).unwrap()["command"]["invocation"]["id"].clone()
    };
    assert_eq!(events.recv().await, Some(SessionEvent::Connected));
    assert_eq!(received(events.recv().await), second["id"]);
    session.publish(1, INPUT, answer("home", &second["id"]).into()).await.unwrap();
    assert_eq!(events.recv().await, Some(SessionEvent::Acknowledged { message: 1 }));
    let third = set_period(&rest, "home", "7").await;
    assert_eq!(
        (received(events.recv().await), &third["status"]),
        (third["id"].clone(), &"Sent".into())
    );
    // And back again: a reading is enough.
    assert_eq!(post(http, "/input", JSON, &reading("home", 1)).await.0, 204);
    let fourth = set_period(&rest, "home", "8").await;
    assert_eq!(fourth["status"], "Pending", "nothing goes to the door it left");
    let given = commands(http, "home", "").await;
    let ids: Vec<&Value> = given.iter().map(|one| &one["command"]["invocation"]["id"]).collect();
    assert_eq!(ids, [&third["id"], &fourth["id"]]);
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn whoever_waits_for_commands_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let http = door(&platform);
    assert_eq!(post(http, "/input", JSON, &reading("home", 1)).await.0, 204);
    let rest = client(platform.rest_address());
    let _: Value = rest.get_json("/api/v1/readings?after=0&wait_ms=10000").await.unwrap();
    let path = "/devices/home/commands?wait_ms=60000";
    let waiting = tokio::spawn(async move { ask(http, "GET", path, &bearer(DEVICES), b"").await });
    somebody_is_there(&rest).await;
    assert!(tokio::time::timeout(Duration::from_secs(20), platform.shutdown()).await.unwrap());
    // It is answered, unless it had not been read yet.
    if let Ok((status, body)) = waiting.await {
        assert_eq!((status, body.as_slice()), (200, &b"{\"commands\":[]}"[..]));
    }
}

#[tokio::test]
async fn doors_that_there_are_not_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (doors, word) in [
        (&["window"][..], "window"),
        (&["mqtt"], "always open"),
        (&["http", "http"], "one of each kind"),
    ] {
        let mut config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Wall);
        let keys = toml::Table::new;
        config.doors = doors
            .iter()
            .map(|kind| DoorConfig { kind: (*kind).to_owned(), keys: keys() })
            .collect();
        let error = Platform::start(config).await.err().unwrap().to_string();
        assert!(error.contains(word), "{error}");
    }
    let text = "data = \"d\"\ntoken = \"t\"\n[[door]]\nkind = \"http\"\naddress = \"x\"";
    let config = Config::from_toml(text).unwrap();
    let error = Platform::start(config).await.err().unwrap();
    assert!(error.to_string().contains("settings"), "{error}");
}

#[tokio::test]
async fn who_waits_for_commands_of_a_tenant_that_is_removed_is_answered_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let rest = client(platform.rest_address());
    let made: Value = rest.post_json("/api/v1/tenants", &json!({ "name": "b" })).await.unwrap();
    let (door, head) = (door(&platform), bearer(made["device_secret"].as_str().unwrap()));
    let sent = format!("{head}Content-Type: {JSON}\r\n");
    assert_eq!(ask(door, "POST", "/input", &sent, &reading("home", 1)).await.0, 204);
    let theirs = Client::new(
        &format!("http://{}", platform.rest_address()),
        made["bench_token"].as_str().unwrap(),
    );
    let found = theirs.unwrap().get_json::<Value>("/api/v1/readings?after=0&wait_ms=10000").await;
    assert_eq!(found.unwrap()["results"].as_array().map(Vec::len), Some(1));
    let path = "/devices/home/commands?wait_ms=60000";
    let waiting = tokio::spawn(async move { ask(door, "GET", path, &head, b"").await });
    somebody_is_there(&rest).await;
    let removed = rest.ask("DELETE", "/api/v1/tenants/b", None, None).await.unwrap();
    assert_eq!(removed.0, 200);
    // Whoever had not begun to wait by then is nobody any more.
    let (status, body) = waiting.await.unwrap();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    match status {
        503 => assert_eq!(problem["code"], "tenant_closed"),
        status => assert!([401, 403].contains(&status), "{status} {problem}"),
    }
    assert!(platform.shutdown().await);
}
