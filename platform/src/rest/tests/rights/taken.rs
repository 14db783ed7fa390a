//! What somebody may not take: room, rights that outlive their own, and what was another's.

use lastmeter_model::access::KeyScope;
use lastmeter_model::decide::DOCUMENT_BYTES_MAX;
use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_name};

use super::super::*;
use super::world::{SampleTenant, now};
use super::{Principal, principals};
use crate::config::ClockSource;
use crate::tenant::Tenant;
use lastmeter_units::TenantName;

const FAR: &str = "2100-01-01T00:00:00Z";
const LIMIT: Duration = Duration::from_secs(20);

async fn full() -> (SampleTenant, Vec<(&'static str, Principal)>) {
    let all = principals(&TenantName::default());
    (SampleTenant::full(&all).await, all)
}

fn of(all: &[(&'static str, Principal)], name: &str) -> Principal {
    all.iter().find(|(known, _)| *known == name).unwrap().1.clone()
}

fn json_of(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}"))
}

/// By a key with these actions, for these things.
fn by_key(who: &Principal, actions: &[&str], on: Option<&[&str]>) -> Principal {
    let scope = json!({ "actions": actions, "until": FAR });
    let mut scope: KeyScope = serde_json::from_value(scope).unwrap();
    scope.on = on.map(|on| on.iter().map(|one| one.parse().unwrap()).collect());
    Principal { key: Some(scope), ..who.clone() }
}

/// Sends a request; status, code and body.
async fn ask(
    world: &SampleTenant,
    who: &Principal,
    (method, path): (&str, &str),
    body: Value,
) -> (u16, String, Value) {
    let told = world.ask_with(who, (method, path), &[], &body.to_string()).await;
    let body = json_of(&told.body);
    (told.status, body["code"].as_str().unwrap_or_default().to_owned(), body)
}

/// A tenant with users, a key and a device, whose documents have taken so many bytes.
async fn filled(bytes: u64) -> SampleTenant {
    let Bench { core, config, folder, .. } = Bench::start(ClockSource::Driven).await;
    let sum = "0".repeat(64);
    let key = json!({
        "of": "user:ann", "proof": { "secret": { "sha256": sum } }, "until": FAR,
        "scope": { "actions": ["read"], "until": FAR },
    });
    let edits = [
        ("user", "ann", json!({ "roles": ["user"] })),
        ("user", "eve", json!({ "roles": ["user"] })),
        ("credential", "0000000000000001", key),
        ("device", "m", json!({ "status": "registered" })),
    ];
    let edit = |(kind, token, body): (&str, &str, Value)| {
        let kind = kind_of_name(kind).unwrap();
        (kind.check)(&body).unwrap();
        Edit { kind, token: Some(token.to_owned()), expect: Expect::New, body: Some(body) }
    };
    let edits = edits.into_iter().map(edit).collect();
    let registered = lastmeter_model::message::MessageBody::Registration;
    let device = lastmeter_units::HardwareId::new("m").unwrap();
    let messages = vec![lastmeter_model::message::Message::new(device, registered)];
    let by = "bench".to_owned();
    let done = core.apply(Transaction { by, edits, messages, ..Transaction::default() }).await;
    assert_eq!(done.unwrap().limit, None);
    assert!(core.stop(LIMIT).await);
    drop(core);
    let store = rusqlite::Connection::open(folder.path().join("default/store.db")).unwrap();
    let found = "SELECT value FROM meta WHERE key = 'standing'";
    let mut standing: Vec<u8> = store.query_row(found, [], |row| row.get(0)).unwrap();
    let (place, end) = (3 + 13 * 8, standing.len() - 4);
    standing[place..place + 8].copy_from_slice(&bytes.to_le_bytes());
    let sum = crc32c::crc32c(&standing[..end]);
    standing[end..].copy_from_slice(&sum.to_le_bytes());
    let put = "UPDATE meta SET value = ?1 WHERE key = 'standing'";
    assert_eq!(store.execute(put, [standing]).unwrap(), 1);
    drop(store);
    let core = Tenant::start(&config).unwrap();
    SampleTenant::start(Bench::ready(core, config, folder).await)
}

#[tokio::test]
async fn what_users_fill_leaves_room_to_revoke_to_block_and_to_erase() {
    let all = principals(&TenantName::default());
    let (ann, adam) = (of(&all, "user"), of(&all, "admin"));
    let world = filled(DOCUMENT_BYTES_MAX - DOCUMENT_BYTES_MAX / 10).await;
    let key = json!({ "actions": ["read"], "until": FAR });
    let made = ask(&world, &ann, ("POST", "/api/v1/keys"), key).await;
    assert_eq!((made.0, &*made.1), (507, "limit_reached"), "{made:?}");
    let path = "/api/v1/keys/0000000000000001";
    let revoked = ask(&world, &ann, ("DELETE", path), json!({})).await;
    assert_eq!((revoked.0, revoked.2["revoked"].is_null()), (200, false), "{revoked:?}");
    let blocked = json!({ "status": "blocked" });
    let path = "/sitewhere/api/devices/m";
    let done = ask(&world, &adam, ("PUT", path), blocked).await;
    assert_eq!((done.0, &done.2["status"]), (200, &"blocked".into()), "{done:?}");
    let path = "/sitewhere/api/users/ann/reset";
    assert_eq!(ask(&world, &adam, ("POST", path), json!({})).await.0, 201);
    let path = "/sitewhere/api/users/eve";
    assert_eq!(ask(&world, &adam, ("DELETE", path), json!({})).await.0, 200);
    assert_eq!(ask(&world, &adam, ("GET", path), json!({})).await.0, 404);
    world.stop().await;
}

#[tokio::test]
async fn what_finds_no_room_is_not_answered_as_done() {
    let adam = of(&principals(&TenantName::default()), "admin");
    let world = filled(DOCUMENT_BYTES_MAX).await;
    for (method, path) in
        [("POST", "/sitewhere/api/users/ann/reset"), ("DELETE", "/sitewhere/api/users/eve")]
    {
        let done = ask(&world, &adam, (method, path), json!({})).await;
        assert_eq!((done.0, &*done.1), (507, "limit_reached"), "{path}: {done:?}");
    }
    assert_eq!(ask(&world, &adam, ("GET", "/sitewhere/api/users/eve"), json!({})).await.0, 200);
    world.stop().await;
}

#[tokio::test]
async fn a_user_writes_so_many_bytes_a_day() {
    let (world, all) = full().await;
    let quantities = |turn: usize| {
        let name = |n: usize| format!("q{turn}-{n}-{}", "x".repeat(100));
        (0..256).map(name).collect::<Vec<_>>()
    };
    let mut grant = json!({
        "to": "app:locator", "on": "device:m-home", "actions": ["read"], "quantities": ["*"],
        "from": now(), "until": FAR, "by": "user:ann",
    });
    let ann = of(&all, "user");
    let made = ask(&world, &ann, ("POST", "/api/v1/grants"), grant.clone()).await;
    let path = format!("/api/v1/grants/{}", made.2["token"].as_str().unwrap());
    let mut done = Vec::new();
    for turn in 0..200 {
        grant["quantities"] = json!(quantities(turn));
        done.push(ask(&world, &ann, ("PUT", &path), grant.clone()).await.0);
    }
    assert_eq!((done.first(), done.last()), (Some(&200), Some(&507)), "{done:?}");
    grant["revoked"] = json!(now());
    let revoked = ask(&world, &ann, ("PUT", &path), grant.clone()).await;
    assert_eq!(revoked.0, 200, "{revoked:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_user_has_a_hundred_keys_and_grants_and_a_key_a_hundred_things() {
    let (world, all) = full().await;
    let (ann, keys) = (of(&all, "user"), "/api/v1/keys");
    world.put("user", "ann", json!({ "roles": ["user"] })).await;
    let things: Vec<String> = (0..101).map(|n| format!("device:m-{n}")).collect();
    let key = |count: usize| json!({ "actions": ["read"], "until": FAR, "on": things[..count] });
    let long = ask(&world, &ann, ("POST", keys), key(101)).await;
    assert_eq!((long.0, &long.2["field"]), (422, &"scope.on".into()), "{long:?}");
    for _ in 0..100 {
        assert_eq!(ask(&world, &ann, ("POST", keys), key(100)).await.0, 201);
    }
    let more = ask(&world, &ann, ("POST", keys), key(1)).await;
    assert_eq!((more.0, &*more.1), (409, "too_many"), "{more:?}");
    let grant = json!({
        "to": "app:locator", "on": "device:m-home", "actions": ["read"], "quantities": ["*"],
        "from": now(), "until": FAR, "by": "user:ann",
    });
    let grants = "/api/v1/grants";
    for _ in 0..100 {
        assert_eq!(ask(&world, &ann, ("POST", grants), grant.clone()).await.0, 201);
    }
    let more = ask(&world, &ann, ("POST", grants), grant.clone()).await;
    assert_eq!((more.0, &*more.1), (409, "too_many"), "{more:?}");
    world.stop().await;
}

#[tokio::test]
async fn whoever_may_write_a_device_makes_it_neither_public_nor_registered() {
    let (world, all) = full().await;
    let (ann, adam) = (of(&all, "user"), of(&all, "admin"));
    let grant = json!({
        "to": "user:ann", "on": "device:m-bobs", "actions": ["write"], "quantities": ["*"],
        "from": now(), "until": FAR, "by": "user:bob",
    });
    world.put("grant", "w", grant).await;
    let put = async |who: &Principal, device: &str, body: Value| {
        ask(&world, who, ("PUT", &format!("/sitewhere/api/devices/{device}")), body).await.0
    };
    let (public, blocked) = (json!({ "visibility": "public" }), json!({ "status": "blocked" }));
    assert_eq!(put(&ann, "m-bobs", json!({ "name": "one" })).await, 200);
    for body in [&public, &blocked, &json!({ "status": "deleted" })] {
        assert_eq!(put(&ann, "m-bobs", body.clone()).await, 403, "{body}");
    }
    let key = by_key(&ann, &["read", "write", "grant"], None);
    assert_eq!(put(&key, "m-home", public.clone()).await, 403);
    assert_eq!(put(&ann, "m-home", public.clone()).await, 200);
    // Who may not choose it leaves it as it is.
    assert_eq!(put(&key, "m-home", json!({ "name": "one" })).await, 200);
    let seen = ask(&world, &ann, ("GET", "/sitewhere/api/devices/m-home"), json!({})).await;
    assert_eq!(seen.2["visibility"], "public", "{seen:?}");
    assert_eq!(put(&ann, "m-home", blocked.clone()).await, 403);
    assert_eq!(put(&adam, "m-home", blocked).await, 200);
    assert_eq!(put(&ann, "m-home", json!({ "status": "registered" })).await, 403);
    world.stop().await;
}

#[tokio::test]
async fn what_one_owner_made_public_is_private_for_the_next() {
    let (world, all) = full().await;
    let (nobody, ann, adam) = (of(&all, "anonymous"), of(&all, "user"), of(&all, "admin"));
    let public = json!({ "visibility": "public" });
    for device in ["m-home", "m-came"] {
        let path = format!("/sitewhere/api/devices/{device}");
        assert_eq!(ask(&world, &ann, ("PUT", &path), public.clone()).await.0, 200);
    }
    let series = async |device: &str| {
        let path = format!("/api/v1/series?device={device}");
        ask(&world, &nobody, ("GET", &path), json!({})).await.0
    };
    assert_eq!(series("m-home").await, 200);
    let path = "/sitewhere/api/assignments/m-home-ann/end";
    assert_eq!(ask(&world, &adam, ("POST", path), json!({})).await.0, 200);
    assert_eq!(series("m-home").await, 401);
    let path = "/sitewhere/api/assignments";
    let next = json!({ "deviceHardwareId": "m-home", "assetId": "bob" });
    assert_eq!(ask(&world, &adam, ("POST", path), next).await.0, 201);
    assert_eq!(series("m-home").await, 401);
    // So it is where the person is another user.
    assert_eq!(series("m-came").await, 200);
    let other = json!({ "category": "person", "name": "x", "user": "bob" });
    assert_eq!(ask(&world, &adam, ("PUT", "/sitewhere/api/assets/ann"), other).await.0, 200);
    assert_eq!(series("m-came").await, 401);
    world.stop().await;
}

#[tokio::test]
async fn former_versions_are_for_who_could_read_them_then() {
    let (world, all) = full().await;
    let [nobody, ann, app, adam] = ["anonymous", "user", "app", "admin"].map(|name| of(&all, name));
    let home = |room: &str, seen: &str| json!({ "status": "registered", "room": room, "visibility": seen });
    world.put("device", "m-home", home("first", "private")).await;
    world.put("device", "m-home", home("second", "public")).await;
    let person = |user: &str| json!({ "category": "person", "name": user, "user": user });
    world.put("asset", "px", person("bob")).await;
    let core = Arc::clone(&world.bench.core);
    core.advance(SimTime(now().0 + 2_000_000_000)).await.unwrap();
    world.put("asset", "px", person("ann")).await;
    let grant = json!({
        "to": "app:locator", "on": "device:m-home", "actions": ["read"],
        "quantities": ["electricity.voltage.*"], "from": SimTime(now().0 + 1_000_000_000),
        "until": FAR, "by": "user:ann",
    });
    world.put("grant", "h", grant).await;
    world.put("device", "m-home", home("third", "private")).await;
    core.advance(SimTime(now().0 + 4_000_000_000)).await.unwrap();
    world.put("device", "m-home", home("fourth", "public")).await;
    let rooms = async |who: &Principal| {
        let path = "/sitewhere/api/devices/m-home/history";
        let found = ask(&world, who, ("GET", path), json!({})).await.2;
        let versions = found["results"].as_array().unwrap().clone();
        versions.iter().map(|one| one["room"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(rooms(&nobody).await, ["fourth", "second"]);
    assert_eq!(rooms(&app).await, ["fourth", "third", "second"]);
    for who in [&ann, &adam] {
        assert_eq!(rooms(who).await, ["fourth", "third", "second", "first"]);
    }
    let page = "/sitewhere/api/devices/m-home/history?page=2&pageSize=1";
    let page = ask(&world, &app, ("GET", page), json!({})).await.2;
    assert_eq!(page["results"][0]["room"], "third", "{page}");
    // Who is the person now does not see who it was.
    let at = serde_json::to_string(&now()).unwrap().replace('"', "");
    for (path, status) in [
        ("/sitewhere/api/assets/px/history".to_owned(), 200),
        (format!("/sitewhere/api/assets/px?at={at}"), 404),
    ] {
        let of_ann = ask(&world, &ann, ("GET", &path), json!({})).await;
        let of_adam = ask(&world, &adam, ("GET", &path), json!({})).await;
        assert_eq!((of_ann.0, of_adam.0), (status, 200), "{path}: {of_ann:?} {of_adam:?}");
        assert!(!of_ann.2.to_string().contains("bob"), "{of_ann:?}");
        assert!(of_adam.2.to_string().contains("bob"), "{of_adam:?}");
    }
    drop(core);
    world.stop().await;
}

#[tokio::test]
async fn what_is_hidden_is_named_in_no_document() {
    let (world, all) = full().await;
    let (ann, adam) = (of(&all, "user"), of(&all, "admin"));
    world.put("site", "hidden", json!({ "name": "hidden" })).await;
    let path = "/sitewhere/api/devices/m-home";
    let put = async |who: &Principal, body: Value| ask(&world, who, ("PUT", path), body).await;
    for (member, there, absent) in
        [("siteToken", "hidden", "hiddem"), ("parentHardwareId", "m-bobs", "m-bobr")]
    {
        let found = put(&ann, json!({ member: there })).await;
        let none = put(&ann, json!({ member: absent })).await;
        let text = |body: &Value, name: &str| body.to_string().replace(name, "@");
        assert_eq!((found.0, none.0), (422, 422), "{found:?} {none:?}");
        assert_eq!(text(&found.2, there), text(&none.2, absent));
    }
    assert_eq!(put(&ann, json!({ "parentHardwareId": "m-came" })).await.0, 200);
    // What administrators named stays.
    assert_eq!(put(&adam, json!({ "siteToken": "hidden" })).await.0, 200);
    assert_eq!(put(&ann, json!({ "siteToken": "hidden", "room": "hall" })).await.0, 200);
    world.stop().await;
}

#[tokio::test]
async fn an_owner_sees_no_former_owners_assignment() {
    let (world, all) = full().await;
    let (ann, adam) = (of(&all, "user"), of(&all, "admin"));
    for path in
        ["/sitewhere/api/devices/m-came/assignments", "/sitewhere/api/assignments/m-came-bob"]
    {
        let of_ann = ask(&world, &ann, ("GET", path), json!({})).await.2.to_string();
        assert!(!of_ann.contains("\"bob\""), "{path}: {of_ann}");
    }
    let path = "/sitewhere/api/devices/m-came/assignments";
    let of_ann = ask(&world, &ann, ("GET", path), json!({})).await.2;
    assert_eq!(
        (&of_ann["numResults"], &of_ann["results"][0]["assetId"]),
        (&1.into(), &"ann".into())
    );
    let of_adam = ask(&world, &adam, ("GET", path), json!({})).await.2;
    assert_eq!(of_adam["numResults"], 2);
    // She may do as little with it as with one that is not there, though the device is hers now.
    for (method, behind) in [
        ("GET", ""),
        ("PUT", ""),
        ("PUT", "/metadata"),
        ("POST", "/missing"),
        ("POST", "/end"),
        ("DELETE", ""),
    ] {
        let of = async |who: &Principal, token: &str| {
            let path = format!("/sitewhere/api/assignments/{token}{behind}");
            let (status, code, body) = ask(&world, who, (method, &path), json!({})).await;
            (status, code, body.to_string().replace(token, "@"))
        };
        let (hidden, absent) = (of(&ann, "m-came-bob").await, of(&ann, "m-came-bod").await);
        assert_eq!((hidden.0, &hidden), (404, &absent), "{method} {behind}");
        // With it comes what was measured, which is no administrator's.
        let is_measured = (method, behind) == ("GET", "");
        let of_adam = of(&adam, "m-came-bob").await;
        assert_eq!(of_adam.0 == 404, is_measured, "{method} {behind}: {of_adam:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_key_makes_no_grant_and_sees_of_the_audit_what_is_about_its_things() {
    let (world, all) = full().await;
    let ann = of(&all, "user");
    let grant = json!({
        "to": "app:locator", "on": "device:m-home", "actions": ["read"], "quantities": ["*"],
        "from": now(), "until": FAR, "by": "user:ann",
    });
    let key = by_key(&ann, &["read", "grant"], Some(&["device:m-home"]));
    let made = ask(&world, &key, ("POST", "/api/v1/grants"), grant.clone()).await;
    assert_eq!((made.0, &*made.1), (403, "not_by_key"), "{made:?}");
    let made = ask(&world, &ann, ("POST", "/api/v1/grants"), grant.clone()).await;
    assert_eq!(made.0, 201, "{made:?}");
    // Whom a grant is to and what it is on stay.
    let path = format!("/api/v1/grants/{}", made.2["token"].as_str().unwrap());
    for (member, value) in [("to", "app:other"), ("on", "device:m-came")] {
        let mut other = grant.clone();
        other[member] = value.into();
        let changed = ask(&world, &ann, ("PUT", &path), other).await;
        assert_eq!((changed.0, &changed.2["field"]), (422, &member.into()), "{changed:?}");
    }
    let changed = ask(&world, &key, ("PUT", &path), grant).await;
    assert_eq!((changed.0, &*changed.1), (403, "not_by_key"), "{changed:?}");
    let path = "/sitewhere/api/devices/m-came";
    assert_eq!(ask(&world, &ann, ("PUT", path), json!({ "name": "one" })).await.0, 200);
    let audit = async |who: &Principal| {
        let found = ask(&world, who, ("GET", "/api/v1/audit"), json!({})).await;
        assert_eq!(found.0, 200, "{found:?}");
        found.2.to_string()
    };
    assert!(audit(&ann).await.contains("device:m-came"));
    let of_key = audit(&key).await;
    assert!(!of_key.contains("device:m-came") && !of_key.contains("grant:"), "{of_key}");
    world.stop().await;
}

#[tokio::test]
async fn a_version_is_a_number_and_a_batch_that_is_repeated_is_answered_again() {
    let (world, all) = full().await;
    let ann = of(&all, "user");
    for version in [json!(-1), json!(18_446_744_073_709_551_616_f64), json!("1")] {
        let body = json!({ "name": "one", "version": version });
        let put = ask(&world, &ann, ("PUT", "/sitewhere/api/devices/m-home"), body).await;
        assert_eq!((put.0, &put.2["field"]), (422, &"version".into()), "{put:?}");
    }
    let batch = json!({
        "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
        "hardwareIds": ["m-home", "m-came"],
    });
    let asked = ("POST", "/sitewhere/api/batch/command");
    let headers = [("idempotency-key", "k")];
    let send = async || world.ask_with(&ann, asked, &headers, &batch.to_string()).await;
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, second.status), (201, 201), "{second:?}");
    assert_eq!(json_of(&first.body)["token"], json_of(&second.body)["token"]);
    world.stop().await;
}
