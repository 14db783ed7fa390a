//! Tenants in one process: the same device and client names in each, and nothing of one in another.

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_platform::{ClockSource, Config, Platform, Running, TenantName, Token};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{LIMIT, TOKEN, client, reading};

const OTHER: &str = "b";

fn other() -> TenantName {
    TenantName::new(OTHER).expect("a name")
}

async fn start(folder: &std::path::Path) -> Running {
    let config = Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall);
    let platform = Platform::start(config).await.expect("a platform");
    open_other(&platform).await;
    platform
}

async fn open_other(platform: &Running) {
    let secrets = (Token::new("b's administrators"), Token::new("b's devices"));
    platform.open_tenant(other(), secrets.0, secrets.1).await.expect("a further tenant");
}

fn client_of_other(platform: &Running) -> Client {
    let base = format!("http://{}", platform.rest_address());
    Client::new(&base, "b's administrators").expect("a base URL")
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
    let path = format!("{path}?after=0&wait_ms=10000");
    for _ in 0..100 {
        let answer: Value = rest.get_json(&path).await.expect("a list");
        let rows = answer["results"].as_array().cloned().unwrap_or_default();
        if rows.len() >= at_least {
            return rows;
        }
    }
    panic!("fewer than {at_least} at {path}");
}

/// The status of an answer to a tenant's administrators, by way of a proxy or not.
async fn asked(platform: &Running, token: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(platform.rest_address()).await.expect("a connection");
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
    open_other(&platform).await;
    let mut statuses = Vec::new();
    for number in 0..8 {
        let from = format!("X-Forwarded-For: 192.0.2.{number}\r\n");
        statuses.push(asked(&platform, "b's administrators", &from).await);
        assert_eq!(asked(&platform, TOKEN, &from).await, "200", "the bench's own");
        assert_eq!(asked(&platform, "b's administrators", "").await, "200", "on this machine");
    }
    // Four at once, whatever address they come from.
    assert_eq!(statuses[..4], ["200"; 4]);
    assert!(statuses.iter().any(|status| status == "429"), "{statuses:?}");
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn what_one_tenant_sends_is_seen_by_it_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path()).await;
    let (ours, theirs) = (client(platform.rest_address()), client_of_other(&platform));
    // Both devices have the same name, the same client identifier and the same numbers.
    let (first, mut first_events) = session(&platform, "default", TOKEN).await;
    let (second, mut second_events) = session(&platform, OTHER, "b's devices").await;
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
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn a_tenant_is_closed_opened_again_and_removed_while_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path()).await;
    let ours = client(platform.rest_address());
    let (first, mut first_events) = session(&platform, "default", TOKEN).await;
    let (second, mut second_events) = session(&platform, OTHER, "b's devices").await;
    publish(&second, &mut second_events, "b/SiteWhere/input/json", reading("home", 1)).await;
    assert!(platform.close_tenant(&other(), false).await.expect("it is closed"));
    assert!(!platform.close_tenant(&other(), false).await.expect("it was closed"));
    assert!(!platform.close_tenant(&TenantName::default(), true).await.expect("it stays"));
    let event = next(&mut second_events).await;
    assert!(matches!(event, SessionEvent::Disconnected { .. }), "{event:?}");
    assert!(client_of_other(&platform).get_json::<Value>("/api/v1/clock").await.is_err());
    publish(&first, &mut first_events, "default/SiteWhere/input/json", reading("home", 1)).await;
    assert_eq!(list(&ours, "/api/v1/readings", 1).await.len(), 1);

    // Its devices come back by themselves, and what was acknowledged is there.
    open_other(&platform).await;
    while next(&mut second_events).await != SessionEvent::Connected {}
    assert_eq!(list(&client_of_other(&platform), "/api/v1/readings", 1).await.len(), 1);
    let secrets = (Token::new(TOKEN), Token::new("c's devices"));
    let name = TenantName::new("c").expect("a name");
    let error = platform.open_tenant(name, secrets.0, secrets.1).await.unwrap_err();
    assert!(error.to_string().contains("secrets that nobody else has"), "{error}");

    assert!(platform.close_tenant(&other(), true).await.expect("it is removed"));
    for left in ["b", "b.head", "b.losses"] {
        assert!(!folder.path().join(left).exists(), "{left}");
    }
    open_other(&platform).await;
    let rows: Value =
        client_of_other(&platform).get_json("/api/v1/readings?after=0").await.unwrap();
    assert_eq!(rows["results"].as_array().map(Vec::len), Some(0), "it begins anew");
    assert!(platform.shutdown().await);
}
