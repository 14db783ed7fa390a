//! Who somebody is, over REST and at the doors: users with passwords and log-ins, API keys, devices
//! with secrets of their own; what ends each of them, and what the audit has of it.

use std::path::Path;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_platform::{ClockSource, Config, DoorConfig, Platform, Running, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::common::{
    LIMIT, TOKEN, ask, ask_with, by_reason, client, read_back, reading, start, text,
};

const DEVICES: &str = "the devices' secret";
const USERS: &str = "/sitewhere/api/users";
const SITES: &str = "/sitewhere/api/sites";
const ACCOUNT: &str = "/api/v1/account";
pub(crate) const PASSWORD: &str = "correct horse";
const KEYS: &str = "/api/v1/keys";
const FAR: &str = "2100-01-01T00:00:00Z";

/// Base64 (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        let sign = |at: usize| char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]);
        (0..4).map(|at| if at <= group.len() { sign(at) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", base64(format!("{user}:{password}").as_bytes()))
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

pub(crate) async fn get(platform: &Running, path: &str, head: &str) -> (u16, Value) {
    ask_with(platform, ("GET", path), None, head).await
}

pub(crate) async fn post(platform: &Running, path: &str, body: &Value, head: &str) -> (u16, Value) {
    ask_with(platform, ("POST", path), Some(body), head).await
}

/// Makes a user with a password.
pub(crate) async fn user(platform: &Running, name: &str, roles: &[&str]) {
    let body = json!({ "username": name, "password": PASSWORD, "roles": roles });
    let made = ask(platform, "POST", USERS, Some(&body), TOKEN).await;
    assert_eq!(made.0, 201, "{made:?}");
    let shown = made.1.to_string();
    assert!(!shown.contains("argon2") && !shown.contains(PASSWORD), "{shown}");
}

async fn log_in(platform: &Running, name: &str) -> String {
    let made = post(platform, "/api/v1/tokens", &json!({}), &basic(name, PASSWORD)).await;
    assert_eq!(made.0, 201, "{made:?}");
    made.1["token"].as_str().unwrap().to_owned()
}

/// Makes an API key; its token and itself.
pub(crate) async fn key(platform: &Running, body: Value, head: &str) -> (String, String) {
    let made = post(platform, KEYS, &body, head).await;
    assert_eq!(made.0, 201, "{made:?}");
    let text = |name: &str| made.1[name].as_str().unwrap().to_owned();
    (text("token"), text("key"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_logs_in_and_what_came_of_a_password_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    user(&platform, "ann", &["user"]).await;
    let (ann, token) = (basic("ann", PASSWORD), log_in(&platform, "ann").await);
    for head in [&ann, &bearer(&token)] {
        let own = get(&platform, ACCOUNT, head).await;
        assert_eq!((own.0, &own.1["username"]), (200, &"ann".into()), "{own:?}");
    }
    // Neither is an access token worth a password, nor an administrator's right.
    assert_eq!(post(&platform, "/api/v1/tokens", &json!({}), &bearer(&token)).await.0, 403);
    assert_eq!(get(&platform, USERS, &ann).await.0, 404);
    let profile = json!({ "fullName": "Ann", "roles": ["user"] });
    let changed = ask_with(&platform, ("PUT", ACCOUNT), Some(&profile), &ann).await;
    assert_eq!((changed.0, &changed.1["fullName"]), (200, &"Ann".into()), "{changed:?}");
    let roles = json!({ "roles": ["tenant-admin"] });
    assert_eq!(ask_with(&platform, ("PUT", ACCOUNT), Some(&roles), &ann).await.0, 422);
    let other = json!({ "password": "battery staple" });
    let path = "/api/v1/account/password";
    assert_eq!(ask_with(&platform, ("PUT", path), Some(&other), &bearer(&token)).await.0, 403);
    assert_eq!(ask_with(&platform, ("PUT", path), Some(&other), &ann).await.0, 200);
    for head in [&ann, &bearer(&token)] {
        assert_eq!(get(&platform, ACCOUNT, head).await.0, 401);
    }
    let ann = basic("ann", "battery staple");
    let ended = log_in_with(&platform, &ann).await;
    assert_eq!(
        ask_with(&platform, ("DELETE", "/api/v1/tokens"), None, &bearer(&ended)).await.0,
        200
    );
    assert_eq!(get(&platform, ACCOUNT, &bearer(&ended)).await.0, 401);
    let token = log_in_with(&platform, &ann).await;
    let disabled = json!({ "roles": ["user"], "disabled": true });
    let path = format!("{USERS}/ann");
    assert_eq!(ask(&platform, "PUT", &path, Some(&disabled), TOKEN).await.0, 200);
    for head in [&ann, &bearer(&token)] {
        assert_eq!(get(&platform, ACCOUNT, head).await.0, 401);
    }
    platform.shutdown().await;
}

async fn log_in_with(platform: &Running, head: &str) -> String {
    let made = post(platform, "/api/v1/tokens", &json!({}), head).await;
    made.1["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_five_wrong_passwords_the_right_one_is_not_looked_at_whether_there_is_a_user_or_not()
{
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    user(&platform, "ann", &["user"]).await;
    let mut last = Vec::new();
    for name in ["ann", "nobody"] {
        let mut wrong = Vec::new();
        for _ in 0..5 {
            wrong.push(get(&platform, ACCOUNT, &basic(name, "wrong")).await);
        }
        assert!(wrong.iter().all(|one| one.0 == 401 && *one == wrong[0]), "{wrong:?}");
        let locked = get(&platform, ACCOUNT, &basic(name, PASSWORD)).await;
        assert_eq!((locked.0, &locked.1["code"]), (429, &"too_many_wrong_passwords".into()));
        last.push((wrong.pop(), locked));
    }
    assert_eq!(last[0], last[1]);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_offered_to_no_browser_and_taken_from_no_other_site() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    user(&platform, "ann", &["user"]).await;
    for (more, is_taken, is_offered) in [
        (String::new(), false, true),
        ("Sec-Fetch-Mode: cors\r\n".to_owned(), false, false),
        (basic("ann", PASSWORD), true, false),
        (basic("ann", PASSWORD) + "Sec-Fetch-Site: same-origin\r\n", true, false),
        (
            basic("ann", PASSWORD) + "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: cross-site\r\n",
            false,
            false,
        ),
        (basic("ann", "wrong") + "Sec-Fetch-Mode: navigate\r\n", false, false),
    ] {
        let mut stream = tokio::net::TcpStream::connect(platform.rest_address()).await.unwrap();
        let request =
            format!("GET {ACCOUNT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.starts_with("HTTP/1.1 200"), is_taken, "{more}: {answer}");
        assert_eq!(answer.contains("Basic realm"), is_offered, "{more}: {answer}");
    }
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_has_no_more_than_its_scope_its_owner_and_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    user(&platform, "adam", &["tenant-admin"]).await;
    user(&platform, "eve", &["tenant-admin"]).await;
    user(&platform, "ann", &["user"]).await;
    let adam = basic("adam", PASSWORD);
    let reads = json!({ "actions": ["read", "outline"], "until": FAR });
    let all = json!({ "actions": ["read", "outline", "write"], "until": FAR });
    let again = format!("{adam}Idempotency-Key: k\r\n");
    let (token, reading) = key(&platform, reads.clone(), &again).await;
    let shown = post(&platform, KEYS, &reads, &again).await;
    assert_eq!((shown.0, &shown.1["code"]), (409, &"secret_was_shown".into()));
    let site = json!({ "name": "one" });
    assert_eq!(get(&platform, SITES, &bearer(&reading)).await.0, 200);
    assert_eq!(post(&platform, SITES, &site, &bearer(&reading)).await.0, 403);
    let (_, writing) = key(&platform, all.clone(), &adam).await;
    assert_eq!(post(&platform, SITES, &site, &bearer(&writing)).await.0, 201);
    // A key makes no other key, user or password, and is not the platform's administrator.
    for path in [KEYS, USERS] {
        let made = post(&platform, path, &all, &bearer(&writing)).await;
        assert_eq!((made.0, &made.1["code"]), (403, &"not_by_key".into()), "{path}");
    }
    assert_eq!(get(&platform, "/api/v1/tenants", &bearer(&writing)).await.0, 403);
    assert_eq!(get(&platform, "/api/v1/tenants", &adam).await.0, 200);
    // Of a user without the right the key has none either.
    let ann = basic("ann", PASSWORD);
    let (_, anns) = key(&platform, all.clone(), &ann).await;
    for head in [&ann, &bearer(&anns)] {
        assert_eq!(get(&platform, USERS, head).await.0, 404);
        assert_eq!(post(&platform, SITES, &site, head).await.0, 404);
    }
    let (_, ended) =
        key(&platform, json!({ "actions": ["read"], "until": "2000-01-01T00:00:00Z" }), &adam)
            .await;
    assert_eq!(get(&platform, SITES, &bearer(&ended)).await.0, 401);
    // It goes with its owner's roles, and with the owner.
    let path = format!("{USERS}/adam");
    let demoted = json!({ "roles": ["user"] });
    assert_eq!(ask(&platform, "PUT", &path, Some(&demoted), TOKEN).await.0, 200);
    assert_eq!(post(&platform, SITES, &site, &bearer(&writing)).await.0, 404);
    let disabled = json!({ "roles": ["tenant-admin"], "disabled": true });
    assert_eq!(ask(&platform, "PUT", &path, Some(&disabled), TOKEN).await.0, 200);
    assert_eq!(get(&platform, SITES, &bearer(&writing)).await.0, 401);
    let enabled = json!({ "roles": ["tenant-admin"] });
    assert_eq!(ask(&platform, "PUT", &path, Some(&enabled), TOKEN).await.0, 200);
    assert_eq!(get(&platform, SITES, &bearer(&reading)).await.0, 200);
    let listed = get(&platform, KEYS, &adam).await.1.to_string();
    assert!(!listed.contains("sha256") && !listed.contains("lmk_"), "{listed}");
    let revoked = format!("{KEYS}/{token}");
    // Another's key is as one that is not there.
    let hidden = ask_with(&platform, ("DELETE", &revoked), None, &ann).await;
    let absent = format!("{KEYS}/{}", "0".repeat(16));
    let absent = ask_with(&platform, ("DELETE", &absent), None, &ann).await;
    assert_eq!((hidden.0, absent.0, &hidden.1["code"]), (404, 404, &absent.1["code"]));
    assert_eq!(ask_with(&platform, ("DELETE", &revoked), None, &adam).await.0, 200);
    for _ in 0..2 {
        assert_eq!(get(&platform, SITES, &bearer(&reading)).await.0, 401);
    }
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_contradicts_the_credential_does_not_show_which_tenants_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let made =
        ask(&platform, "POST", "/api/v1/tenants", Some(&json!({ "name": "b" })), TOKEN).await;
    let bench = made.1["bench_token"].as_str().unwrap();
    let ann = json!({ "username": "ann", "password": PASSWORD, "roles": ["user"] });
    assert_eq!(ask(&platform, "POST", USERS, Some(&ann), bench).await.0, 201);
    let of_b = basic("ann", PASSWORD) + "X-SiteWhere-Tenant: b\r\n";
    assert_eq!(get(&platform, ACCOUNT, &of_b).await.0, 200);
    let query = format!("{ACCOUNT}?tenantAuthToken=b");
    assert_eq!(get(&platform, &query, &basic("ann", PASSWORD)).await.0, 200);
    let token = log_in_with(&platform, &of_b).await;
    assert_eq!(get(&platform, ACCOUNT, &bearer(&token)).await.0, 200);
    let other = |name| format!("{}X-SiteWhere-Tenant: {name}\r\n", bearer(&token));
    let (there, absent) = (
        get(&platform, ACCOUNT, &other("default")).await,
        get(&platform, ACCOUNT, &other("c")).await,
    );
    assert_eq!((there.0, &there), (403, &absent));
    // Nor does a name with a wrong password, or nothing at all.
    let mut answers = Vec::new();
    for tenant in ["b", "c", "default"] {
        let named = format!("X-SiteWhere-Tenant: {tenant}\r\n");
        answers.push(get(&platform, ACCOUNT, &(basic("ann", "wrong") + &named)).await);
        answers.push(get(&platform, ACCOUNT, &named).await);
        answers.push(get(&platform, "/nothing", &named).await);
    }
    assert!(answers.iter().all(|answer| answer.0 == 401), "{answers:?}");
    assert_eq!(answers[..3], answers[3..6]);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_of_other_tenants_are_for_administrators_of_the_platform() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let b = json!({ "name": "b" });
    assert_eq!(ask(&platform, "POST", "/api/v1/tenants", Some(&b), TOKEN).await.0, 201);
    user(&platform, "olga", &["operator"]).await;
    user(&platform, "adam", &["tenant-admin"]).await;
    let read = json!({ "actions": ["read"], "until": FAR });
    let (_, key) = key(&platform, read, &basic("olga", PASSWORD)).await;
    for (head, is_all) in [
        (bearer(TOKEN), true),
        (basic("adam", PASSWORD), true),
        (basic("olga", PASSWORD), false),
        (bearer(&key), false),
    ] {
        let text = text(&platform, "/metrics", &head).await;
        assert!(text.contains("\nlastmeter_losses_open 0"), "{text}");
        assert_eq!(text.contains("tenant=\"b\""), is_all, "{text}");
    }
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_for_a_new_password_once() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    user(&platform, "ann", &["user"]).await;
    let reset =
        ask(&platform, "POST", &format!("{USERS}/ann/reset"), Some(&json!({})), TOKEN).await;
    assert_eq!(reset.0, 201, "{reset:?}");
    let code = basic("ann", reset.1["code"].as_str().unwrap());
    let account = get(&platform, ACCOUNT, &code).await;
    assert_eq!((account.0, &account.1["code"]), (403, &"password_must_be_replaced".into()));
    let (path, short) = ("/api/v1/account/password", json!({ "password": "short" }));
    assert_eq!(ask_with(&platform, ("PUT", path), Some(&short), &code).await.0, 422);
    let new = json!({ "password": "battery staple" });
    let replaced = ask_with(&platform, ("PUT", path), Some(&new), &code).await;
    assert_eq!(replaced.0, 200, "{replaced:?}");
    assert_eq!(ask_with(&platform, ("PUT", path), Some(&new), &code).await.0, 401);
    assert_eq!(get(&platform, ACCOUNT, &basic("ann", "battery staple")).await.0, 200);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_user_leaves_things_without_a_name_and_the_last_administrator_stays() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    user(&platform, "adam", &["tenant-admin"]).await;
    let last = ask(&platform, "DELETE", &format!("{USERS}/adam"), None, TOKEN).await;
    assert_eq!((last.0, &last.1["code"]), (409, &"last_administrator".into()));
    user(&platform, "ann", &["user"]).await;
    let person = json!({ "token": "p", "name": "P", "category": "person", "user": "ann" });
    let made = ask(&platform, "POST", "/sitewhere/api/assets", Some(&person), TOKEN).await;
    assert_eq!(made.0, 201, "{made:?}");
    let ann = basic("ann", PASSWORD);
    let (_, key) = key(&platform, json!({ "actions": ["read"], "until": FAR }), &ann).await;
    assert_eq!(ask_with(&platform, ("DELETE", ACCOUNT), None, &ann).await.0, 200);
    for head in [&ann, &bearer(&key)] {
        assert_eq!(get(&platform, ACCOUNT, head).await.0, 401);
    }
    let left = ask(&platform, "GET", "/sitewhere/api/assets/p", None, TOKEN).await;
    assert_eq!((left.0, &left.1["user"]), (200, &Value::Null));
    assert_eq!(ask(&platform, "GET", &format!("{USERS}/ann"), None, TOKEN).await.0, 404);
    platform.shutdown().await;
}

/// A platform whose devices share a secret, with the HTTP door.
async fn start_with_door(folder: &Path) -> Running {
    let mut config = Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall);
    config.device_token = Some(Token::new(DEVICES));
    let keys = toml::Table::from_iter([("address".to_owned(), "127.0.0.1:0".into())]);
    config.doors = vec![DoorConfig { kind: "http".to_owned(), keys }];
    Platform::start(config).await.unwrap()
}

/// Connects, with a subscription.
fn connect(
    platform: &Running,
    (user, password): (&str, &str),
    filter: Option<&str>,
) -> (Session, SessionEvents) {
    let address = platform.mqtt_address().to_string();
    Session::open(SessionOptions {
        subscriptions: filter.map(str::to_owned).into_iter().collect(),
        ..SessionOptions::new(&address, "a client", user, password)
    })
}

async fn next(events: &mut SessionEvents) -> SessionEvent {
    let event = tokio::time::timeout(LIMIT, events.recv()).await;
    event.expect("an event").expect("a session")
}

async fn is_let_in(platform: &Running, user: &str, password: &str) -> bool {
    let (session, mut events) = connect(platform, (user, password), None);
    let is_in = next(&mut events).await == SessionEvent::Connected;
    session.close().await;
    is_in
}

async fn publish(session: &Session, events: &mut SessionEvents, topic: &str, device: &str) {
    session.publish(1, topic, reading(device, 1).into()).await.expect("a connection");
    assert_eq!(next(events).await, SessionEvent::Acknowledged { message: 1 });
}

async fn credential(platform: &Running, of: &str) -> (String, String) {
    let body = json!({ "of": of });
    let made = ask(platform, "POST", "/api/v1/credentials", Some(&body), TOKEN).await;
    assert_eq!(made.0, 201, "{made:?}");
    let text = |name: &str| made.1[name].as_str().unwrap().to_owned();
    (text("token"), text("secret"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_with_its_own_secret_speaks_for_itself_alone_and_the_shared_one_not_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start_with_door(folder.path()).await;
    let (token, secret) = credential(&platform, "device:own").await;
    let (shared, mut of_shared) = connect(&platform, ("default", DEVICES), None);
    assert_eq!(next(&mut of_shared).await, SessionEvent::Connected);
    let bound = "default/device/own/input/json";
    publish(&shared, &mut of_shared, "default/SiteWhere/input/json", "free").await;
    publish(&shared, &mut of_shared, "default/SiteWhere/input/json", "own").await;
    publish(&shared, &mut of_shared, bound, "own").await;
    let user = "default/device/own";
    let (session, mut events) = connect(&platform, (user, &secret), None);
    assert_eq!(next(&mut events).await, SessionEvent::Connected);
    publish(&session, &mut events, bound, "own").await;
    publish(&session, &mut events, "default/device/free/input/json", "free").await;
    let rest = client(platform.rest_address());
    committed(&rest, "/api/v1/readings", 2).await;
    let refusals = by_reason(&committed(&rest, "/api/v1/refusals", 3).await);
    let expected = [("device_has_credential", 2), ("topic_not_allowed", 1)];
    assert_eq!(refusals, expected.map(|(reason, count)| (reason.to_owned(), count)).into());
    for (user, password) in [
        (user, DEVICES),
        (user, TOKEN),
        ("default/device/free", &*secret),
        ("default", &*secret),
        ("b/device/own", &*secret),
        ("default/device/own", "00"),
    ] {
        assert!(!is_let_in(&platform, user, password).await, "{user}");
    }
    // Over HTTP as well.
    let door = platform.door_addresses().iter().find(|(name, _)| *name == "http").unwrap().1;
    let own = basic(user, &secret);
    for (path, head, status) in [
        ("/devices/own/input", own.clone(), 204),
        ("/devices/free/input", own.clone(), 422),
        ("/devices/own/input", bearer(DEVICES), 422),
        ("/input", bearer(DEVICES), 422),
        ("/devices/own/input", basic(user, DEVICES), 401),
    ] {
        let body = String::from_utf8(reading("own", 2)).unwrap();
        let found = send(door, "POST", path, &head, &body).await;
        assert_eq!(found, status, "{path}");
    }
    assert_eq!(send(door, "GET", "/devices/own/commands", &own, "").await, 200);
    assert_eq!(send(door, "GET", "/devices/own/commands", &bearer(DEVICES), "").await, 403);
    // Revoked, it ends what is connected; the shared secret is not for the device again.
    let head = own.clone();
    let waiting = tokio::spawn(async move {
        send(door, "GET", "/devices/own/commands?wait_ms=60000", &head, "").await
    });
    crate::http::somebody_is_there(&rest).await;
    let path = format!("/api/v1/credentials/{token}");
    assert_eq!(ask(&platform, "DELETE", &path, None, TOKEN).await.0, 200);
    assert_eq!(waiting.await.unwrap(), 401, "who waits is asked again");
    assert!(matches!(next(&mut events).await, SessionEvent::Disconnected { .. }));
    assert!(!is_let_in(&platform, user, &secret).await);
    publish(&shared, &mut of_shared, bound, "own").await;
    let refusals = by_reason(&committed(&rest, "/api/v1/refusals", 7).await);
    assert_eq!(refusals["device_has_credential"], 5);
    shared.close().await;
    session.close().await;
    platform.shutdown().await;
}

/// All rows of a read-back path, once there are so many.
async fn committed(rest: &Client, path: &str, count: usize) -> Vec<Value> {
    let rows = async {
        loop {
            let rows = read_back(rest, path).await;
            if rows.len() >= count {
                return rows;
            }
        }
    };
    let rows = tokio::time::timeout(LIMIT, rows).await.expect("so many rows");
    assert_eq!(rows.len(), count, "{rows:?}");
    rows
}

/// The status of an answer at a door.
async fn send(to: std::net::SocketAddr, method: &str, path: &str, head: &str, body: &str) -> u16 {
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}Content-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer[9..12].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_applications_connect_by_mqtt_as_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start_with_door(folder.path()).await;
    user(&platform, "ann", &["user"]).await;
    let none = json!({ "of": "app:viewer" });
    assert_eq!(ask(&platform, "POST", "/api/v1/credentials", Some(&none), TOKEN).await.0, 422);
    let viewer = json!({ "token": "viewer" });
    let made = ask(&platform, "POST", "/api/v1/applications", Some(&viewer), TOKEN).await;
    assert_eq!(made.0, 201, "{made:?}");
    let (_, secret) = credential(&platform, "app:viewer").await;
    for (user, password, is_in) in [
        ("default/user/ann", PASSWORD, true),
        ("default/user/ann", "wrong", false),
        ("default/app/viewer", &secret, true),
        ("default/app/viewer", PASSWORD, false),
        ("default/app/other", &secret, false),
    ] {
        assert_eq!(is_let_in(&platform, user, password).await, is_in, "{user}");
    }
    let path = "/api/v1/applications/viewer";
    let disabled = json!({ "disabled": true });
    assert_eq!(ask(&platform, "PUT", path, Some(&disabled), TOKEN).await.0, 200);
    assert!(!is_let_in(&platform, "default/app/viewer", &secret).await);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_has_log_ins_denials_and_who_made_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    for (name, role) in [("adam", "tenant-admin"), ("ann", "user")] {
        user(&platform, name, &[role]).await;
    }
    let (adam, ann) = (basic("adam", PASSWORD), basic("ann", PASSWORD));
    for _ in 0..30 {
        assert_eq!(get(&platform, USERS, &ann).await.0, 404);
    }
    assert_eq!(get(&platform, ACCOUNT, &basic("ann", "wrong")).await.0, 401);
    let (session, mut events) = connect(&platform, ("default", TOKEN), None);
    assert_eq!(next(&mut events).await, SessionEvent::Connected);
    publish(&session, &mut events, "default/SiteWhere/input/json", "home").await;
    committed(&client(platform.rest_address()), "/api/v1/readings", 1).await;
    let command = json!({
        "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
        "initiatorId": "somebody else",
    });
    let assignment = "/sitewhere/api/devices/home/assignment";
    let assignment = ask(&platform, "GET", assignment, None, TOKEN).await.1;
    let token = assignment["token"].as_str().unwrap();
    let path = format!("/sitewhere/api/assignments/{token}/invocations");
    let made = post(&platform, &path, &command, &adam).await;
    assert_eq!(made.0, 201, "{made:?}");
    assert_eq!(
        (&made.1["initiator"], &made.1["initiatorId"]),
        (&"REST".into(), &"user:adam".into())
    );
    assert_eq!(made.1["metadata"]["initiatorId"], "somebody else");
    let bench = post(&platform, &path, &command, &bearer(TOKEN)).await.1;
    assert_eq!(bench["initiatorId"], "somebody else");
    assert!(bench["metadata"].as_object().unwrap().is_empty());
    let rows = rows(&platform, &bearer(TOKEN)).await;
    let count = |who: &str, action: &str, outcome: &str| {
        let is_it = |row: &&Value| {
            row["who"] == who && row["action"] == action && row["outcome"] == outcome
        };
        rows.iter().filter(is_it).count()
    };
    assert_eq!(count("user:ann", "log_in", "done"), 1);
    assert_eq!(count("anonymous", "log_in", "denied"), 1);
    assert_eq!(count("user:ann", "read", "denied"), 20);
    assert_eq!(count("bench", "make", "done"), 2);
    // Administrators see it all, others what is about them.
    assert_eq!(rows.len(), self::rows(&platform, &adam).await.len());
    let own = self::rows(&platform, &ann).await;
    let is_own = |row: &Value| row["who"] == "user:ann" || row["resource"] == "user:ann";
    assert!(!own.is_empty() && own.iter().all(is_own), "{own:?}");
    session.close().await;
    platform.shutdown().await;
}

/// Every row of the audit that somebody sees, in pages of seven.
async fn rows(platform: &Running, head: &str) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(platform, &format!("/api/v1/audit?limit=7{cursor}"), head).await;
        assert_eq!(page.0, 200, "{page:?}");
        rows.extend(page.1["results"].as_array().unwrap().iter().cloned());
        let Some(next) = page.1["next"].as_str() else { return rows };
        cursor = format!("&cursor={next}");
    }
}
