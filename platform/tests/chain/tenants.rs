//! Tenants in one process: the same device and client names in each, and nothing of one in another.

use std::path::Path;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};
use lastmeter_store::{PlatformFile, TenantState};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::common::{LIMIT, TOKEN, ask, client, reading, start};

const OTHER: &str = "b";
const TENANTS: &str = "/api/v1/tenants";
/// Marks the process as the one that is the one to be measured.
const SIXTEEN: &str = "LASTMETER_TEST_SIXTEEN";

/// A platform with one tenant more, and what opens that.
struct Two {
    platform: Running,
    bench: String,
    devices: String,
}

impl Two {
    async fn start(folder: &Path, limits: Value) -> Self {
        Self::with(start(folder).await, limits).await
    }

    async fn with(platform: Running, limits: Value) -> Self {
        let asked = json!({ "name": OTHER, "driven": false, "limits": limits });
        let made = ask(&platform, "POST", TENANTS, Some(&asked), TOKEN).await;
        assert_eq!((made.0, &made.1["state"]), (201, &"open".into()), "{made:?}");
        let of = |member: &str| made.1[member].as_str().expect("a secret").to_owned();
        let (bench, devices) = (of("bench_token"), of("device_secret"));
        assert!(bench.starts_with("lmb_b_") && devices.len() == 64, "{bench}");
        Self { platform, bench, devices }
    }

    fn client(&self) -> Client {
        client_with(&self.platform, &self.bench)
    }
}

fn client_with(platform: &Running, token: &str) -> Client {
    Client::new(&format!("http://{}", platform.rest_address()), token).expect("a base URL")
}

async fn next(events: &mut SessionEvents) -> SessionEvent {
    let event = tokio::time::timeout(LIMIT, events.recv()).await;
    event.expect("an event").expect("a session")
}

async fn session(platform: &Running, tenant: &str, secret: &str) -> (Session, SessionEvents) {
    let address = platform.mqtt_address().to_string();
    let (session, mut events) = Session::open(SessionOptions {
        subscriptions: vec![format!("{tenant}/SiteWhere/commands/home")],
        ..SessionOptions::new(&address, "home", tenant, secret)
    });
    assert_eq!(next(&mut events).await, SessionEvent::Connected);
    (session, events)
}

async fn publish(session: &Session, events: &mut SessionEvents, topic: &str, payload: Vec<u8>) {
    session.publish(1, topic, payload.into()).await.expect("a connection");
    assert_eq!(next(events).await, SessionEvent::Acknowledged { message: 1 });
}

async fn list(rest: &Client, path: &str, at_least: usize) -> Vec<Value> {
    let last = format!("{path}?after={}&wait_ms=10000", at_least - 1);
    rest.get_json::<Value>(&last).await.expect("the last of them");
    let answer: Value = rest.get_json(&format!("{path}?after=0")).await.expect("a list");
    let rows = answer["results"].as_array().cloned().unwrap_or_default();
    assert!(rows.len() >= at_least, "fewer than {at_least} at {path}");
    rows
}

/// The status of an answer to a tenant's administrators, by way of a proxy or not.
async fn asked(platform: &Running, token: &str, more: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(platform.rest_address()).await.unwrap();
    let request = format!(
        "GET /api/v1/clock HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("a connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer[9..12].to_owned()
}

#[tokio::test]
async fn a_token_has_so_many_requests_a_second_but_for_the_benchs_and_on_this_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Wall);
    config.limits.rest_per_principal_s = 1;
    config.trusted_proxies = vec!["127.0.0.1".parse().expect("a network")];
    let platform = Platform::start(config).await.expect("a platform");
    let Two { platform, bench, .. } = Two::with(platform, json!({})).await;
    let mut statuses = Vec::new();
    for number in 0..8 {
        let from = format!("X-Forwarded-For: 192.0.2.{number}\r\n");
        statuses.push(asked(&platform, &bench, &from).await);
        assert_eq!(asked(&platform, TOKEN, &from).await, "200", "the bench's own");
        assert_eq!(asked(&platform, &bench, "").await, "200", "on this machine");
    }
    // Four at once, whatever address they come from.
    assert_eq!(statuses[..4], ["200"; 4]);
    assert!(statuses.iter().any(|status| status == "429"), "{statuses:?}");
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn what_one_tenant_sends_is_seen_by_it_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let two = Two::start(folder.path(), json!({})).await;
    let (platform, theirs) = (&two.platform, two.client());
    let ours = client(platform.rest_address());
    // Both devices have the same name, the same client identifier and the same numbers.
    let (first, mut first_events) = session(platform, "default", TOKEN).await;
    let (second, mut second_events) = session(platform, OTHER, &two.devices).await;
    publish(&first, &mut first_events, "default/SiteWhere/input/json", reading("home", 1)).await;
    publish(&second, &mut second_events, "b/SiteWhere/input/json", reading("home", 1)).await;
    publish(&second, &mut second_events, "b/device/home/input/json", reading("home", 2)).await;
    // A topic of another tenant is refused into the records of whoever used it.
    publish(&second, &mut second_events, "default/SiteWhere/input/json", reading("x", 3)).await;
    assert_eq!(list(&ours, "/api/v1/readings", 1).await.len(), 1);
    assert_eq!(list(&theirs, "/api/v1/readings", 2).await.len(), 2);
    let refused = list(&theirs, "/api/v1/refusals", 1).await;
    assert_eq!((refused.len(), &refused[0]["reason"]), (1, &"topic_not_allowed".into()));
    let none: Value = ours.get_json("/api/v1/refusals?after=0").await.expect("a list");
    assert_eq!(none["results"].as_array().map(Vec::len), Some(0));

    // A command goes to the device of the tenant whose administrator asked for it.
    let device: Value = theirs.get_json("/sitewhere/api/devices/home").await.expect("a device");
    let assignment = device["assignmentToken"].as_str().expect("a token").to_owned();
    let here: Value = ours.get_json("/sitewhere/api/devices/home").await.expect("a device");
    assert_ne!(here["assignmentToken"], device["assignmentToken"]);
    let path = format!("/sitewhere/api/assignments/{assignment}/invocations");
    let asked = serde_json::json!({
        "commandToken": "setReportingPeriod", "parameterValues": { "seconds": 30 }
    });
    let invoked: Value = theirs.post_json(&path, &asked).await.expect("an invocation");
    let SessionEvent::Received { topic, .. } = next(&mut second_events).await else {
        panic!("no command")
    };
    assert_eq!(topic, "b/SiteWhere/commands/home");
    assert!(ours.post_json::<_, Value>(&path, &asked).await.is_err(), "not there for others");
    let path = format!("/sitewhere/api/invocations/{}", invoked["id"].as_str().expect("an id"));
    assert!(theirs.get_json::<Value>(&path).await.is_ok());
    assert!(ours.get_json::<Value>(&path).await.is_err(), "not there for others");

    // Its token opens REST of its own, and its device secret none.
    for (method, path) in [
        ("GET", TENANTS),
        ("GET", "/api/v1/tenants/b"),
        ("DELETE", "/api/v1/tenants/b"),
        ("GET", "/api/v1/health"),
    ] {
        assert_eq!(ask(platform, method, path, None, &two.bench).await.0, 403, "{method} {path}");
        assert_eq!(ask(platform, method, path, None, &two.devices).await.0, 401, "{method} {path}");
    }
    let metrics = ask(platform, "GET", "/metrics", None, &two.bench).await.1;
    let metrics = metrics.as_str().expect("text").to_owned();
    assert!(metrics.contains("lastmeter_readings_stored_total{tenant=\"b\"} 2\n"), "{metrics}");
    let foreign = |line: &&str| !line.starts_with('#') && !line.contains("{tenant=\"b\"");
    assert_eq!(metrics.lines().find(foreign), None);
    let metrics = ask(platform, "GET", "/metrics", None, TOKEN).await.1;
    let metrics = metrics.as_str().expect("text");
    for line in [
        "lastmeter_readings_stored_total 1\nlastmeter_readings_stored_total{tenant=\"b\"} 2\n",
        "lastmeter_refused_total{tenant=\"b\",reason=\"topic_not_allowed\"} 1\n",
        "lastmeter_tenant_ready{tenant=\"b\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(two.platform.shutdown().await);
}

#[tokio::test]
async fn a_tenant_survives_a_restart_and_is_removed_while_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let Two { platform, bench, devices } = Two::start(folder.path(), json!({ "devices": 7 })).await;
    let (second, mut second_events) = session(&platform, OTHER, &devices).await;
    publish(&second, &mut second_events, "b/SiteWhere/input/json", reading("home", 1)).await;
    assert!(platform.shutdown().await);
    let kept = std::fs::read(folder.path().join("platform.db")).expect("a file");
    for secret in [&bench, &devices] {
        let shown = kept.windows(32).any(|bytes| secret.as_bytes().ends_with(bytes));
        assert!(!shown, "the secret stands in the file");
    }

    let platform = start(folder.path()).await;
    let theirs = client_with(&platform, &bench);
    assert_eq!(list(&theirs, "/api/v1/readings", 1).await.len(), 1);
    let (_, found) = ask(&platform, "GET", "/api/v1/tenants/b", None, TOKEN).await;
    assert_eq!((&found["state"], &found["limits"]["devices"]), (&"open".into(), &7.into()));
    let ours = client(platform.rest_address());
    let (first, mut first_events) = session(&platform, "default", TOKEN).await;
    let (_second, mut second_events) = session(&platform, OTHER, &devices).await;

    let again = json!({ "name": OTHER });
    assert_eq!(ask(&platform, "POST", TENANTS, Some(&again), TOKEN).await.0, 409);
    for (name, status) in [("default", 409), ("removed", 409), ("B", 422), ("-", 422)] {
        let asked = json!({ "name": name });
        let answer = ask(&platform, "POST", TENANTS, Some(&asked), TOKEN).await;
        assert_eq!(answer.0, status, "{name}: {answer:?}");
    }
    let asked = json!({ "name": "c", "driven": true });
    assert_eq!(ask(&platform, "POST", TENANTS, Some(&asked), TOKEN).await.0, 409);
    assert_eq!(ask(&platform, "DELETE", "/api/v1/tenants/default", None, TOKEN).await.0, 409);

    let (status, removed) = ask(&platform, "DELETE", "/api/v1/tenants/b", None, TOKEN).await;
    assert_eq!((status, &removed["state"]), (200, &"removed".into()), "{removed}");
    let event = next(&mut second_events).await;
    assert!(matches!(event, SessionEvent::Disconnected { .. }), "{event:?}");
    assert!(theirs.get_json::<Value>("/api/v1/clock").await.is_err());
    publish(&first, &mut first_events, "default/SiteWhere/input/json", reading("home", 1)).await;
    assert_eq!(list(&ours, "/api/v1/readings", 1).await.len(), 1);
    for left in ["b", "b.head", "b.losses", "removed/b-1"] {
        assert!(!folder.path().join(left).exists(), "{left}");
    }
    let (_, made) = ask(&platform, "POST", TENANTS, Some(&again), TOKEN).await;
    let anew = client_with(&platform, made["bench_token"].as_str().expect("a token"));
    let rows: Value = anew.get_json("/api/v1/readings?after=0").await.unwrap();
    assert_eq!(rows["results"].as_array().map(Vec::len), Some(0), "it begins anew");
    assert!(theirs.get_json::<Value>("/api/v1/clock").await.is_err(), "an old token stays shut");
    assert!(platform.shutdown().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_secrets_are_exchanged_and_the_old_ones_open_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let Two { platform, bench, devices } = Two::start(folder.path(), json!({})).await;
    let (sender, mut events) = session(&platform, OTHER, &devices).await;
    publish(&sender, &mut events, "b/SiteWhere/input/json", reading("home", 1)).await;
    let path = "/api/v1/tenants/b/secrets";
    assert_eq!(ask(&platform, "POST", path, Some(&json!({})), &bench).await.0, 403);
    let (status, made) = ask(&platform, "POST", path, Some(&json!({})), TOKEN).await;
    assert_eq!(status, 201, "{made}");
    let event = next(&mut events).await;
    assert!(matches!(event, SessionEvent::Disconnected { .. }), "{event:?}");
    let given = |name: &str| made[name].as_str().expect("a secret").to_owned();
    let (other, secret) = (given("bench_token"), given("device_secret"));
    let platform = {
        assert!(platform.shutdown().await);
        start(folder.path()).await
    };
    assert!(client_with(&platform, &bench).get_json::<Value>("/api/v1/clock").await.is_err());
    let (sender, mut events) = session(&platform, OTHER, &secret).await;
    publish(&sender, &mut events, "b/SiteWhere/input/json", reading("home", 2)).await;
    assert_eq!(list(&client_with(&platform, &other), "/api/v1/readings", 2).await.len(), 2);
    let none = ask(&platform, "POST", "/api/v1/tenants/c/secrets", Some(&json!({})), TOKEN).await;
    assert_eq!(none.0, 404);
    assert!(platform.shutdown().await);
}

/// Every state in which a crash can leave a tenant is one that the next start goes on from.
#[tokio::test]
async fn what_a_crash_interrupted_goes_on_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let two = Two::start(folder.path(), json!({})).await;
    let bench = two.bench.clone();
    assert!(two.platform.shutdown().await);
    let set = |state| {
        let file = PlatformFile::open(&folder.path().join("platform.db")).expect("a list");
        let mut records = file.tenants().expect("a tenant");
        records[0].state = state;
        file.put(&records[0]).expect("it is written");
    };
    for state in [TenantState::Made, TenantState::Starting, TenantState::Failed, TenantState::Open]
    {
        set(state);
        let platform = start(folder.path()).await;
        let found = client_with(&platform, &bench).get_json::<Value>("/api/v1/clock").await;
        assert!(found.is_ok(), "{state}");
        assert!(platform.shutdown().await);
    }

    // One that cannot be started keeps nobody else from it.
    let store = folder.path().join("b/store.db");
    let sound = std::fs::read(&store).expect("a store");
    std::fs::write(&store, "no store at all, but long enough to be looked at as one").unwrap();
    let platform = start(folder.path()).await;
    let (_, found) = ask(&platform, "GET", "/api/v1/tenants/b", None, TOKEN).await;
    assert_eq!(found["state"], "failed");
    assert!(found["why"].as_str().is_some_and(|why| why.contains("store.db")), "{found}");
    let (_, health) = ask(&platform, "GET", "/api/v1/health", None, TOKEN).await;
    assert_eq!(
        (&health["status"], &health["tenants"][1]["trouble"]),
        (&"not_ready".into(), &found["why"])
    );
    assert_eq!(ask(&platform, "GET", "/readyz", None, TOKEN).await.0, 200);
    let metrics = ask(&platform, "GET", "/metrics", None, TOKEN).await.1;
    assert!(metrics.as_str().unwrap().contains("lastmeter_tenant_ready{tenant=\"b\"} 0\n"));
    assert!(platform.shutdown().await);
    std::fs::write(&store, sound).unwrap();

    for state in [TenantState::Closing, TenantState::Removed] {
        std::fs::create_dir_all(folder.path().join("removed/b-1")).unwrap();
        set(state);
        let platform = start(folder.path()).await;
        let (_, tenants) = ask(&platform, "GET", TENANTS, None, TOKEN).await;
        assert_eq!(tenants["results"], json!([]), "{state}");
        for left in ["b", "b.head", "removed/b-1", "removed/b-2"] {
            assert!(!folder.path().join(left).exists(), "{state}: {left}");
        }
        let again = json!({ "name": OTHER });
        assert_eq!(ask(&platform, "POST", TENANTS, Some(&again), TOKEN).await.0, 201);
        assert!(platform.shutdown().await);
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a rate is on the machine's clock")]
async fn a_tenant_is_held_at_its_limits() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = json!({ "messages_per_s": 40, "mqtt_connections": 1 });
    let two = Two::start(folder.path(), limits).await;
    let platform = &two.platform;
    let (flood, mut events) = session(platform, OTHER, &two.devices).await;
    let (quiet, mut quiet_events) = session(platform, "default", TOKEN).await;
    let begun = std::time::Instant::now();
    for serial in 1..=60 {
        publish(&flood, &mut events, "b/SiteWhere/input/json", reading("home", serial)).await;
        publish(&quiet, &mut quiet_events, "default/SiteWhere/input/json", reading("q", serial))
            .await;
    }
    let least = std::time::Duration::from_millis(1350);
    assert!(begun.elapsed() >= least, "60 messages in {:?}", begun.elapsed());
    let address = platform.mqtt_address().to_string();
    let options = SessionOptions::new(&address, "another", OTHER, &two.devices);
    let (_rejected, mut rejected) = Session::open(options);
    let event = next(&mut rejected).await;
    assert!(matches!(event, SessionEvent::Disconnected { .. }), "{event:?}");
    let metrics = ask(platform, "GET", "/metrics", None, TOKEN).await.1;
    let line = "lastmeter_connections_refused_total{door=\"mqtt\",reason=\"full_of_tenant\"} 0\n";
    assert!(!metrics.as_str().unwrap().contains(line), "it is counted");

    // Without the limit it is as fast as it comes, at once.
    let free = json!({ "limits": {} });
    assert_eq!(ask(platform, "PUT", "/api/v1/tenants/b", Some(&free), TOKEN).await.0, 200);
    while next(&mut rejected).await != SessionEvent::Connected {}
    let begun = std::time::Instant::now();
    for serial in 61..=260 {
        publish(&flood, &mut events, "b/SiteWhere/input/json", reading("home", serial)).await;
    }
    // Held at the limit they would take 4.9 s.
    assert!(begun.elapsed() < std::time::Duration::from_millis(4500), "{:?}", begun.elapsed());
    for (limits, word) in [
        (json!({ "messages_per_s": 0 }), "messages_per_s"),
        (json!({ "in_flight_bytes": 9 }), "524288"),
        (json!([1, 1]), "expected a map"),
    ] {
        let asked = json!({ "limits": limits });
        let (status, why) = ask(platform, "PUT", "/api/v1/tenants/b", Some(&asked), TOKEN).await;
        assert_eq!(status, 422);
        assert!(why["detail"].as_str().unwrap().contains(word), "{why}");
    }
    assert!(two.platform.shutdown().await);
}

/// In a process of its own: other tests would be in the measured memory.
#[test]
fn sixteen_idle_tenants_are_under_256_mib_and_there_is_no_seventeenth() {
    let status = std::process::Command::new(std::env::current_exe().expect("a test binary"))
        .args(["tenants::sixteen_idle_tenants", "--exact", "--nocapture"])
        .env(SIXTEEN, "1")
        .status();
    assert!(status.expect("a process").success(), "see its output above");
}

/// The measured process; does nothing when it is run as an ordinary test.
#[tokio::test]
async fn sixteen_idle_tenants() {
    if std::env::var_os(SIXTEEN).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Wall);
    config.limits.connections = 200;
    let platform = Platform::start(config).await.expect("a platform");
    let before = resident_kib();
    for number in 1..16 {
        let asked = json!({ "name": format!("t{number}") });
        let (status, made) = ask(&platform, "POST", TENANTS, Some(&asked), TOKEN).await;
        assert_eq!(status, 201, "{made}");
        let devices = made["device_secret"].as_str().unwrap();
        let name = format!("t{number}");
        let (sender, mut events) = session(&platform, &name, devices).await;
        let topic = format!("{name}/SiteWhere/input/json");
        publish(&sender, &mut events, &topic, reading("home", 1)).await;
    }
    let (status, why) = ask(&platform, "POST", TENANTS, Some(&json!({ "name": "x" })), TOKEN).await;
    assert_eq!(status, 409);
    assert!(why["detail"].as_str().unwrap().contains("there are 16 tenants"), "{why}");
    let after = resident_kib();
    println!("resident: {before} KiB with one tenant, {after} KiB with sixteen");
    assert!(after < 256 * 1024, "{after} KiB");
    assert!(platform.shutdown().await);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
