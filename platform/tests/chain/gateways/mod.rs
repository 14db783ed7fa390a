//! Gateways over the door `gateways`: registered, connected, their nodes recognised and registered,
//! readings queryable; what is refused, and that nobody else is affected; commands.

mod attacked;
mod can;
mod firmware;
mod gateway;
mod killed;
mod nodes;
mod rules;
mod scales;
mod translator;

use std::net::SocketAddr;

use lastmeter_platform::{ClockSource, Running};
use lastmeter_zigbee::delivery::Outbox;
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::{Content, Delivered};
use lastmeter_zigbee::session::Refusal;
use lastmeter_zigbee::zcl::global::command;
use lastmeter_zigbee::zcl::{Direction, Header};
use serde_json::{Value, json};

use self::gateway::{
    GATEWAY, Gateway, door, entry, framed, power, register, report, rest, scale, start,
};
use crate::common::{LIMIT, client, read_back};

const PLUG: u64 = 0x0015_8D00_0000_0091;
const PLUG_ID: &str = "00158d0000000091";
const POWER: &str = "electricity.power.active.consumed.total";

/// Rows of a path once there are so many: what is on disk is committed a moment later.
async fn rows(
    rest: SocketAddr,
    path: &str,
    is_meant: impl Fn(&Value) -> bool,
    count: usize,
) -> Vec<Value> {
    let found = async {
        loop {
            let mut rows = read_back(&client(rest), path).await;
            rows.retain(&is_meant);
            if rows.len() >= count {
                return rows;
            }
        }
    };
    tokio::time::timeout(LIMIT, found).await.expect("so many rows")
}

/// What was refused, once that is so much.
async fn refusals(platform: &Running, count: usize) -> Vec<Value> {
    rows(platform.rest_address(), "/api/v1/refusals", |_| true, count).await
}

/// Readings of a device once there are so many: epoch, serial and power.
async fn readings(platform: &Running, device: &str, count: usize) -> Vec<(u64, u64, f64)> {
    let is_its = |row: &Value| row["device"] == device;
    let rows = rows(platform.rest_address(), "/api/v1/readings", is_its, count).await;
    let of = rows.iter();
    let number = |row: &Value| {
        let value = row["values"][POWER].as_f64().unwrap_or(f64::NAN);
        (row["epoch"].as_u64().unwrap(), row["serial"].as_u64().unwrap(), value)
    };
    of.map(number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_is_visible_after_the_handshake_and_its_nodes_values_can_be_queried() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let list = async |query: &str| {
        let path = format!("/api/v1/networks{query}");
        rest(&platform, "GET", &path, None).await.1["numResults"].clone()
    };
    assert_eq!((list("").await, list("?state=registered").await), (json!(0), json!(1)));
    let mut gateway = Gateway::home(door(&platform), &key).await;
    gateway.until(|it| !it.settings.is_empty()).await;
    assert_eq!(gateway.settings, [(1, vec![15])], "the channel of the options");
    assert_eq!((list("").await, list("?state=registered").await), (json!(1), json!(0)));
    gateway.put(&Content::NodeTable(vec![entry(PLUG, 0x1A2B)]));
    gateway.relay(&scale(PLUG, 0x1A2B));
    gateway.relay(&power(PLUG, 0x1A2B, 1234));
    gateway.deliver().await;
    assert_eq!(gateway.delivered, Some(Delivered { epoch: 0, next: 3 }));
    // Two numbers of the gateway went before: its epoch has its number in its upper half.
    assert_eq!(readings(&platform, PLUG_ID, 1).await, [(1 << 32, 2, 123.4 / 1e3)]);
    let waiting = rest(&platform, "GET", "/api/v1/recognised", None).await.1;
    assert_eq!(waiting["results"][0]["hardwareId"], PLUG_ID, "{waiting}");
    assert_eq!(waiting["results"][0]["fieldNetworkToken"], "home");
    let path = format!("/api/v1/recognised/{PLUG_ID}");
    let given = json!({ "name": "Fridge", "room": "kitchen" });
    let registered = rest(&platform, "POST", &path, Some(given)).await;
    assert_eq!((registered.0, &registered.1["status"]), (200, &json!("registered")));
    assert_eq!(registered.1["specificationToken"], "network-zigbee");
    assert_eq!(rest(&platform, "GET", "/api/v1/recognised", None).await.1["numResults"], 0);
    let nodes = rest(&platform, "GET", "/api/v1/networks/home/nodes", None).await.1;
    assert_eq!(
        (&nodes["numResults"], &nodes["results"][0]["address"]),
        (&json!(1), &json!(0x1A2B))
    );
    // A value that cannot be scaled is none, and the frame with it leaves a record.
    gateway.relay(&report(PLUG, 0x1A2B, &[(0x0505, lastmeter_zigbee::zcl::Value::U16(Some(9)))]));
    gateway.deliver().await;
    let rows = refusals(&platform, 1).await;
    assert_eq!(rows.last().unwrap()["reason"], "unusable_value", "{rows:?}");
    let specification = "/sitewhere/api/specifications/network-zigbee";
    let declared = rest(&platform, "GET", specification, None).await.1;
    let of_power = declared["quantities"].as_array().unwrap().iter().find(|it| it["id"] == POWER);
    assert_eq!(of_power.unwrap()["accuracy"], 1.1);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_address_name_or_key_is_named_at_the_gateway_and_at_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let (to, outbox) = (door(&platform), || Outbox::new(1 << 16));
    let other_key = NetworkKey::new([7; 16]);
    for (as_whom, expected) in [
        ((GatewayAddress(9), "Home", &key), Refusal::UnknownGateway),
        ((GATEWAY, "Holiday", &key), Refusal::WrongName),
        ((GATEWAY, "Home", &other_key), Refusal::WrongKey),
    ] {
        let gateway = Gateway::dial(to, as_whom, outbox()).await;
        assert_eq!(gateway.rejected, Some(expected));
    }
    let status = rest(&platform, "GET", "/api/v1/networks/home/status", None).await.1;
    let reasons: Vec<_> =
        status["attempts"].as_array().unwrap().iter().map(|it| it["reason"].clone()).collect();
    assert_eq!(reasons, ["wrong_key", "wrong_name"], "newest first: {status}");
    assert!(status["attempts"][0]["help"].as_str().unwrap().contains("make a new one"));
    assert_eq!(status["onlineSince"], json!(null));
    let metrics = client(platform.rest_address()).get_text("/metrics").await.unwrap();
    for word in ["unknown_gateway", "wrong_name", "wrong_key"] {
        let line = format!("lastmeter_gateways_refused_{word}_total 1");
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    let rows = refusals(&platform, 2).await;
    let words: Vec<_> = rows.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(words, ["wrong_name", "wrong_key"]);
    assert!(!format!("{rows:?}{metrics}{status}").contains(&key.to_text()));
    assert!(rest(&platform, "GET", "/api/v1/networks", None).await.1["numResults"] == 0);
    // Another key ends the one before and whoever is connected by it.
    let mut gateway = Gateway::home(to, &key).await;
    gateway.until(|it| !it.settings.is_empty()).await;
    let made = rest(&platform, "POST", "/api/v1/networks/home/key", Some(json!({}))).await;
    gateway.until(|_| false).await;
    assert_eq!(gateway.rejected, Some(Refusal::Closed));
    assert_eq!(Gateway::home(to, &key).await.rejected, Some(Refusal::WrongKey));
    let renewed = made.1["key"].as_str().unwrap().parse().unwrap();
    assert!(Gateway::home(to, &renewed).await.end.is_open());
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_goes_to_its_node_as_frames_and_its_answer_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let mut gateway = Gateway::home(door(&platform), &key).await;
    let sleeper = lastmeter_zigbee::payload::NodeEntry { sleeps: true, ..entry(7, 3) };
    gateway.put(&Content::NodeTable(vec![entry(PLUG, 2), sleeper]));
    gateway.deliver().await;
    let invoke = async |device: &str, command: &str, arguments: Value| {
        let path = format!("/sitewhere/api/devices/{device}/assignment");
        let of = rest(&platform, "GET", &path, None).await.1["token"].clone();
        let path = format!("/sitewhere/api/assignments/{}/invocations", of.as_str().unwrap());
        let asked = json!({ "commandToken": command, "parameterValues": arguments });
        rest(&platform, "POST", &path, Some(asked)).await
    };
    let state_of = async |made: &Value| {
        let path = format!("/sitewhere/api/invocations/{}", made["id"].as_str().unwrap());
        rest(&platform, "GET", &path, None).await.1["status"].clone()
    };
    for id in [PLUG_ID, "0000000000000007"] {
        let path = format!("/api/v1/recognised/{id}");
        assert_eq!(rest(&platform, "POST", &path, Some(json!({}))).await.0, 200);
    }
    let (status, made) = invoke(PLUG_ID, "off", json!({})).await;
    assert_eq!((status, &made["state"]), (201, &json!("Sent")), "{made}");
    gateway.until(|it| !it.orders.is_empty()).await;
    let (_, frame) = gateway.orders.remove(0);
    let relay = lastmeter_zigbee::relay::Relay::decode(&frame).unwrap();
    assert_eq!((relay.eui64.0, relay.cluster, relay.frame[2]), (PLUG, 6, 0));
    let mut answer = Vec::new();
    let sequence = relay.frame[1];
    Header::global(Direction::ToClient, sequence, command::DEFAULT_RESPONSE).encode(&mut answer);
    answer.extend([0, 0]);
    gateway.relay(&framed(PLUG, 2, 6, &answer));
    gateway.deliver().await;
    let acknowledged = async { while state_of(&made).await != "Responded" {} };
    tokio::time::timeout(LIMIT, acknowledged).await.unwrap();
    // What no node of the type can do fails, with the reason.
    let (status, made) = invoke(PLUG_ID, "setPoint", json!({ "point": "p", "value": "1" })).await;
    assert_eq!((status, &made["state"]), (201, &json!("Failed")), "{made}");
    // A node that sleeps gets it when it is heard.
    let (_, made) = invoke("0000000000000007", "on", json!({})).await;
    assert_eq!(made["state"], "Pending", "{made}");
    gateway.relay(&scale(7, 3));
    gateway.relay(&power(7, 3, 5));
    gateway.deliver().await;
    gateway.until(|it| !it.orders.is_empty()).await;
    let relay = lastmeter_zigbee::relay::Relay::decode(&gateway.orders[0].1).unwrap();
    assert_eq!((relay.eui64.0, relay.frame[2]), (7, 1));
    platform.shutdown().await;
}
