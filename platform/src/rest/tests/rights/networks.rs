//! Field networks: whose they are, what is shown of them and when, and that a key is shown once.

use lastmeter_model::access::PrincipalRef;
use lastmeter_model::entity::{Body as _, FieldNetwork};

use super::super::*;
use super::named::{full, json_of};
use super::world::{ABSENT, DEVICES, SampleTenant};
use super::{Principal, TenantName, principals};
use crate::access::from_hex;
use crate::config::ClockSource;
use crate::ops::networks::purpose;

const NETWORKS: &str = "/api/v1/networks";

fn of(name: &str) -> Principal {
    let all = principals(&TenantName::default());
    all.into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// Another user.
fn eve() -> Principal {
    Principal { reference: "user:eve".parse::<PrincipalRef>().unwrap(), ..of("user") }
}

async fn world() -> SampleTenant {
    SampleTenant::start(Bench::start(ClockSource::Driven).await)
}

fn network(address: &str) -> Value {
    json!({
        "type": "zigbee", "name": "Home", "gatewayAddress": address, "options": { "channel": 15 },
    })
}

async fn ask(world: &SampleTenant, who: &Principal, asked: (&str, &str), body: &Value) -> Answered {
    let told = world.ask_with(who, asked, &[], &body.to_string()).await;
    Answered { status: told.status, body: serde_json::from_str(&told.body).unwrap() }
}

#[derive(Debug)]
struct Answered {
    status: u16,
    body: Value,
}

/// The tokens of a list.
async fn listed(world: &SampleTenant, who: &Principal, query: &str) -> Vec<String> {
    let told = ask(world, who, ("GET", &format!("{NETWORKS}{query}")), &Value::Null).await;
    let results = told.body["results"].as_array().unwrap_or_else(|| panic!("{told:?}"));
    results.iter().map(|one| one["token"].as_str().unwrap().to_owned()).collect()
}

/// Has the gateway of a network have been there.
async fn activate(world: &SampleTenant, token: &str) {
    let found = world.bench.core.documents.find(FieldNetwork::kind(), token).unwrap();
    let mut body = Value::Object(found.members());
    body["state"] = json!("active");
    world.put("field_network", token, body).await;
}

#[tokio::test]
async fn a_network_is_its_owners_and_is_listed_once_its_gateway_was_there() {
    let (world, ann, eve, admin) = (world().await, of("user"), eve(), of("admin"));
    let made = ask(&world, &ann, ("POST", NETWORKS), &network("00124b0000000001")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (token, owner) = (made.body["token"].as_str().unwrap(), &made.body["owner"]);
    assert_eq!((owner, &made.body["gatewayNumber"]), (&json!("user:ann"), &json!(1)));
    let one = format!("{NETWORKS}/{token}");
    // Who is waited for is seen by who waits.
    for (who, is_seen) in [(&ann, true), (&admin, true), (&eve, false)] {
        assert!(listed(&world, who, "").await.is_empty());
        assert_eq!(listed(&world, who, "?state=registered").await.len(), usize::from(is_seen));
    }
    activate(&world, token).await;
    for (name, status) in [
        ("user", 200),
        ("admin", 200),
        ("operator", 200),
        ("bench", 200),
        ("utility", 404),
        ("app", 404),
        ("device", 404),
        ("devices", 404),
        ("platform", 404),
        ("anonymous", 401),
    ] {
        let told = ask(&world, &of(name), ("GET", &one), &Value::Null).await;
        assert_eq!(told.status, status, "{name}: {told:?}");
        if status == 200 {
            assert_eq!(listed(&world, &of(name), "").await, [token], "{name}");
        }
    }
    let gateway = Principal { reference: "gateway:00124b0000000001".parse().unwrap(), ..of("app") };
    assert_eq!(ask(&world, &gateway, ("GET", &one), &Value::Null).await.status, 200);
    let absent = format!("{NETWORKS}/none");
    for asked in ["GET", "PUT", "DELETE"] {
        let [told, none] = [&one, &absent].map(|path| (path, asked));
        let body = network("00124b0000000001");
        let told = ask(&world, &eve, (told.1, told.0), &body).await;
        let none = ask(&world, &eve, (none.1, none.0), &body).await;
        assert_eq!((told.status, none.status), (404, 404), "{asked}");
        let shown = told.body.to_string().replace(token, "none");
        assert_eq!(shown, none.body.to_string(), "{asked}: hidden is as absent");
    }
    let refused = ask(&world, &of("operator"), ("DELETE", &one), &json!({})).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let removed = ask(&world, &ann, ("DELETE", &one), &json!({})).await;
    assert_eq!(removed.status, 200, "{removed:?}");
    // The number of a gateway is never given again, and neither is one that is removed.
    let again = ask(&world, &ann, ("POST", NETWORKS), &network("00124b0000000001")).await;
    assert_eq!(again.body["gatewayNumber"], 2, "{again:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_key_is_in_one_answer_only_and_sealed_where_it_is_kept() {
    let (world, ann) = (world().await, of("user"));
    let body = network("00124b0000000001");
    let asked = ("POST", NETWORKS);
    let key = [("idempotency-key", "k-1")];
    let made = world.ask_with(&ann, asked, &key, &body.to_string()).await;
    let shown: Value = serde_json::from_str(&made.body).unwrap();
    let secret = shown["key"].as_str().unwrap().to_owned();
    let token = shown["token"].as_str().unwrap();
    assert_eq!(from_hex(&secret).unwrap().len(), 16);
    let again = world.ask_with(&ann, asked, &key, &body.to_string()).await;
    let code = serde_json::from_str::<Value>(&again.body).unwrap()["code"].clone();
    assert_eq!((again.status, code), (409, json!("secret_was_shown")));
    activate(&world, token).await;
    let documents = &world.bench.core.documents;
    let kept = documents.find(FieldNetwork::kind(), token).unwrap();
    let network = documents.body::<FieldNetwork>(token).unwrap();
    let sealed = network.sealed_key.as_ref().unwrap().as_str().to_owned();
    let core = &world.bench.core;
    let opened = core.sealing.open(&purpose(&network, &core.name), &sealed).unwrap();
    assert_eq!(opened, from_hex(&secret).unwrap());
    for path in [
        NETWORKS.to_owned(),
        format!("{NETWORKS}/{token}"),
        format!("{NETWORKS}/{token}/history"),
        "/api/v1/audit".to_owned(),
    ] {
        for who in [&ann, &of("bench"), &of("admin"), &of("operator")] {
            let told = world.ask(who, "GET", &path).await.body;
            assert!(!told.contains(&secret) && !told.contains(&sealed), "{path}: {told}");
        }
    }
    assert!(!kept.body.contains(&secret));
    // What clients send of what was shown leaves the key and the number as they are.
    let mut back = shown.clone();
    back["gatewayNumber"] = json!(9);
    back["state"] = json!("registered");
    back["sealedKey"] = json!("00");
    back["description"] = json!("plugs");
    back.as_object_mut().unwrap().retain(|name, _| name != "key" && name != "version");
    let path = format!("{NETWORKS}/{token}");
    let changed = ask(&world, &ann, ("PUT", &path), &back).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let after = documents.body::<FieldNetwork>(token).unwrap();
    assert_eq!((&after.sealed_key, after.state.word()), (&network.sealed_key, "active"));
    assert_eq!(after.gateway_number, 1);
    back["gatewayAddress"] = json!("00124b0000000002");
    assert_eq!(ask(&world, &ann, ("PUT", &path), &back).await.status, 422);
    let renewed = ask(&world, &ann, ("POST", &format!("{path}/key")), &json!({})).await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    assert_ne!(renewed.body["key"].as_str().unwrap(), secret);
    assert_eq!(renewed.body["state"], "registered");
    core.advance(core.clock.now()).await.unwrap();
    let audit = ask(&world, &of("bench"), ("GET", "/api/v1/audit"), &Value::Null).await;
    let rows = audit.body["results"].as_array().unwrap();
    let of_network = rows.iter().filter(|row| row["resource"] == format!("field_network:{token}"));
    assert_eq!(of_network.count(), 4, "made, active, changed, with another key: {rows:?}");
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_network_is_refused_by_its_field() {
    let (world, ann) = (world().await, of("user"));
    let good = network("00124b0000000001");
    assert_eq!(ask(&world, &ann, ("POST", NETWORKS), &good).await.status, 201);
    for (member, value, status, field) in [
        ("gatewayAddress", json!("00124b0000000001"), 409, "gatewayAddress"),
        ("gatewayAddress", json!("1"), 422, "gatewayAddress"),
        ("name", json!(""), 422, "name"),
        ("options", json!(3), 422, "options"),
        ("token", json!("mine"), 422, "token"),
        ("more", json!(1), 422, "more"),
    ] {
        let mut body = network("00124b0000000002");
        body[member] = value;
        let told = ask(&world, &ann, ("POST", NETWORKS), &body).await;
        assert_eq!((told.status, &told.body["field"]), (status, &json!(field)), "{told:?}");
    }
    let mut others = network("00124b0000000002");
    others["owner"] = json!("user:eve");
    let told = ask(&world, &ann, ("POST", NETWORKS), &others).await;
    assert!((400..=404).contains(&told.status), "{told:?}");
    world.stop().await;
}

/// The networks `home`, which is ann's and has all devices as its nodes, and `shed`, which is bob's
/// and has none.
async fn with_nodes() -> (SampleTenant, Vec<(&'static str, Principal)>) {
    let (world, all) = full().await;
    for (number, (token, owner)) in (1..).zip([("home", "user:ann"), ("shed", "user:bob")]) {
        let mut body = network(&format!("00124b000000000{number}"));
        let more = json!({ "owner": owner, "gatewayNumber": number, "state": "active" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.put("field_network", token, body).await;
    }
    for device in DEVICES.into_iter().filter(|device| *device != ABSENT) {
        let body = json!({ "fieldNetworkToken": "home", "state": "joined" });
        world.put("node", device, body).await;
    }
    (world, all)
}

#[tokio::test]
async fn data_of_nodes_are_for_who_may_read_the_network_and_the_series() {
    let (world, all) = with_nodes().await;
    let voltage = "electricity.voltage.rms.l1";
    let data = |network: &str, device: &str| {
        format!("{NETWORKS}/{network}/sensors/{device}/data?measurementId={voltage}")
    };
    let mut given = 0;
    for (name, who) in &all {
        let get = async |path: &str| world.ask(who, "GET", path).await;
        let is_network_seen = get(&format!("{NETWORKS}/home")).await.status == 200;
        for device in DEVICES {
            let path = format!("/api/v1/series?device={device}&quantity={voltage}");
            let series = get(&path).await;
            let found = get(&data("home", device)).await;
            if !is_network_seen || series.status != 200 {
                assert!([401, 403, 404].contains(&found.status), "{name} {device}: {found:?}");
                let none = get(&data("home", "m-nona")).await;
                assert_eq!(found.status, none.status, "{name} {device}: {found:?} {none:?}");
                assert_eq!(found.body.replace(device, "@"), none.body.replace("m-nona", "@"));
                continue;
            }
            let points = json_of(&series.body)["results"].get(0).map(|one| one["points"].clone());
            given += points.as_ref().map_or(0, |points| points.as_array().unwrap().len());
            assert_eq!(json_of(&found.body), points.unwrap_or(json!([])), "{name} {device}");
            // It is no node of that network, whoever asks.
            assert!([401, 404].contains(&get(&data("shed", device)).await.status));
        }
    }
    assert!(given > 30, "{given}");
    world.stop().await;
}

#[tokio::test]
async fn availability_follows_from_nodes_that_may_be_read() {
    let (world, all) = with_nodes().await;
    let asked = "/api/v1/availability?quantity=electricity.voltage.rms.l1&resolution=1\
                 &accuracyPercent=2&pageSize=1000";
    for (name, who) in &all {
        let ids = |body: &str, list: &str| {
            let body = json_of(body);
            let rows = body[list].as_array().unwrap_or_else(|| panic!("{name}: {body}"));
            rows.iter()
                .map(|row| row["hardwareId"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let listed = world.ask(who, "GET", "/sitewhere/api/devices?pageSize=1000").await;
        let found = world.ask(who, "GET", asked).await;
        assert_eq!(found.status, listed.status, "{name}: {found:?}");
        for (network, path) in
            [("home", format!("{asked}&network=home")), ("shed", format!("{asked}&network=shed"))]
        {
            let seen = world.ask(who, "GET", &format!("{NETWORKS}/{network}")).await.status;
            let status = if found.status == 200 { seen } else { found.status };
            assert_eq!(world.ask(who, "GET", &path).await.status, status, "{name} {network}");
        }
        if found.status != 200 {
            continue;
        }
        let mut wanted = ids(&listed.body, "results");
        wanted.sort();
        assert_eq!(ids(&found.body, "sources"), wanted, "{name}");
        let answer = if wanted.is_empty() { "no" } else { "available" };
        assert_eq!(json_of(&found.body)["answer"], answer, "{name}");
        match *name {
            "user" => {
                assert!(wanted.contains(&"m-home".to_owned()));
                assert!(!wanted.contains(&"m-bobs".to_owned()));
            }
            "bench" => assert_eq!(wanted.len(), DEVICES.len() - 1),
            _ => {}
        }
    }
    world.stop().await;
}
