//! Whose a reading is after every change of addresses, and frames that wait for a table.

use lastmeter_platform::ClockSource;
use lastmeter_zigbee::address::Eui64;
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::Content;
use serde_json::json;

use super::gateway::{GATEWAY, Gateway, door, entry, power, register, rest, scale, start};
use super::{PLUG, PLUG_ID, readings, refusals};

/// Another plug.
const OTHER: u64 = 0x0015_8D00_0000_0092;
const OTHER_ID: &str = "00158d0000000092";
/// What a gateway writes that does not know which node has an address.
const UNKNOWN: u64 = 0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reading_lands_on_the_former_owner_of_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let mut gateway = Gateway::home(door(&platform), &key).await;
    gateway.put(&Content::NodeTable(vec![entry(PLUG, 10), entry(OTHER, 11)]));
    gateway.relay(&scale(PLUG, 10));
    gateway.relay(&scale(OTHER, 11));
    gateway.relay(&power(UNKNOWN, 10, 100));
    // They swap their addresses.
    gateway.put(&Content::NodeLeft(Eui64(OTHER)));
    gateway.put(&Content::NodeChanged(entry(PLUG, 11)));
    gateway.put(&Content::NodeJoined(entry(OTHER, 10)));
    gateway.relay(&power(UNKNOWN, 10, 200));
    gateway.relay(&power(UNKNOWN, 11, 300));
    gateway.relay(&power(PLUG, 11, 400));
    gateway.deliver().await;
    let of = async |id: &str| -> Vec<f64> {
        readings(&platform, id, if id == PLUG_ID { 3 } else { 1 })
            .await
            .iter()
            .map(|it| (it.2 * 1e4).round())
            .collect()
    };
    assert_eq!((of(PLUG_ID).await, of(OTHER_ID).await), (vec![100., 300., 400.], vec![200.]));
    let path = format!("/api/v1/nodes/{OTHER_ID}/history");
    let history = rest(&platform, "GET", &path, None).await.1;
    let versions: Vec<_> = history["results"].as_array().unwrap().iter().collect();
    let states: Vec<_> = versions.iter().map(|it| (&it["state"], &it["address"])).collect();
    let (joined, left) = (json!("joined"), json!("left"));
    let (none, ten, eleven) = (json!(null), json!(10), json!(11));
    // Newest first; its scale came between.
    let expected = [(&joined, &ten), (&left, &none), (&joined, &eleven), (&joined, &eleven)];
    assert_eq!(states, expected, "{history}");
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_an_unknown_address_waits_for_the_table_also_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let mut gateway = Gateway::home(door(&platform), &key).await;
    gateway.relay(&scale(UNKNOWN, 10));
    gateway.relay(&power(UNKNOWN, 10, 100));
    gateway.deliver().await;
    let held = async |platform: &lastmeter_platform::Running| {
        rest(platform, "GET", "/api/v1/networks/home/status", None).await.1["held"].clone()
    };
    assert_eq!((held(&platform).await, readings(&platform, PLUG_ID, 0).await.len()), (json!(2), 0));
    platform.shutdown().await;
    let platform = start(folder.path(), ClockSource::Wall).await;
    let mut gateway = Gateway::dial(door(&platform), (GATEWAY, "Home", &key), gateway.outbox).await;
    gateway.until(|it| !it.settings.is_empty()).await;
    assert_eq!(held(&platform).await, 2);
    gateway.put(&Content::NodeTable(vec![entry(PLUG, 10)]));
    gateway.deliver().await;
    let found = readings(&platform, PLUG_ID, 1).await;
    assert_eq!((found.len(), found[0].1), (1, 1), "once, under the number that it came with");
    assert_eq!(held(&platform).await, 0);
    // Those whose node never comes give way.
    for _ in 0..70 {
        gateway.relay(&power(UNKNOWN, 99, 1));
    }
    gateway.deliver().await;
    let status = rest(&platform, "GET", "/api/v1/networks/home/status", None).await.1;
    assert_eq!((&status["held"], &status["unknown"]), (&json!(64), &json!(6)), "{status}");
    assert_eq!(status["missing"], 0);
    platform.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_does_not_speak_for_somebody_elses_node() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    for name in ["ann", "eve"] {
        let body = json!({ "username": name, "password": "correct horse", "roles": ["user"] });
        assert_eq!(rest(&platform, "POST", "/sitewhere/api/users", Some(body)).await.0, 201);
    }
    let (hers, other) = (GATEWAY, GatewayAddress(2));
    let mut keys = Vec::new();
    for (address, token, owner) in [(hers, "ann", "user:ann"), (other, "eve", "user:eve")] {
        let body = json!({
            "token": token, "type": "zigbee", "name": "Home", "owner": owner,
            "gatewayAddress": address.to_string(),
        });
        let made = rest(&platform, "POST", "/api/v1/networks", Some(body)).await;
        assert_eq!(made.0, 201, "{made:?}");
        keys.push(made.1["key"].as_str().unwrap().parse().unwrap());
    }
    let mut gateway = Gateway::home(door(&platform), &keys[0]).await;
    gateway.relay(&scale(PLUG, 10));
    gateway.relay(&power(PLUG, 10, 100));
    gateway.deliver().await;
    let outbox = lastmeter_zigbee::delivery::Outbox::new(1 << 16);
    let to = door(&platform);
    let mut gateway = Gateway::dial(to, (other, "Home", &keys[1]), outbox).await;
    gateway.put(&Content::NodeTable(vec![entry(PLUG, 20), entry(OTHER, 21)]));
    gateway.relay(&power(PLUG, 20, 999));
    gateway.relay(&scale(OTHER, 21));
    gateway.relay(&power(OTHER, 21, 5));
    gateway.deliver().await;
    assert_eq!(readings(&platform, OTHER_ID, 1).await.len(), 1);
    assert_eq!(readings(&platform, PLUG_ID, 1).await.len(), 1);
    let rows = refusals(&platform, 1).await;
    assert_eq!(rows.iter().filter(|row| row["reason"] == "foreign_node").count(), 1, "{rows:?}");
    // Once it is registered its readings are its owner's, those of before included.
    let path = format!("/api/v1/recognised/{PLUG_ID}");
    assert_eq!(rest(&platform, "POST", &path, Some(json!({}))).await.0, 200);
    let path = format!("/sitewhere/api/devices/{PLUG_ID}/assignments");
    let assigned = rest(&platform, "GET", &path, None).await.1;
    assert_eq!(assigned["results"][0]["assetId"], "person-ann", "{assigned}");
    // Gateways state whole seconds, and one may have come in the second of its network.
    let since = assigned["results"][0]["activeDate"].as_str().unwrap();
    assert!(since.split_once(".000Z").is_some(), "{since}");
    platform.shutdown().await;
}
