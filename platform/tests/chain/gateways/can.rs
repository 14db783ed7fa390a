//! A gateway of a CAN metering network: its nodes' frames become readings by the DBC file, what the
//! network does not have is refused, a switching unit is ordered.

use lastmeter_platform::ClockSource;
use lastmeter_zigbee::payload::{Content, Delivered};
use serde_json::json;

use super::gateway::{GATEWAY, Gateway, door, now_s, power, rest, start};
use super::{PLUG, refusals, rows};
use crate::common::LIMIT;

const NODE_ID: &str = "00124b0000000c05";
/// The bus of that node.
const BUS: u64 = 0x0012_4B00_0000_0C00;

fn relay(gateway: &mut Gateway, identifier: u16, data: &[u8]) {
    let frame = [&BUS.to_be_bytes()[..], &identifier.to_be_bytes(), data].concat();
    gateway.outbox.put(now_s(), &Content::Relay { network_type: 1, frame: &frame });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_nodes_become_readings_by_the_database_of_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let body = json!({
        "token": "riser", "type": "can", "name": "Home", "gatewayAddress": GATEWAY.to_string(),
    });
    let made = rest(&platform, "POST", "/api/v1/networks", Some(body)).await;
    assert_eq!(made.0, 201, "{made:?}");
    let key = made.1["key"].as_str().unwrap().parse().unwrap();
    let mut gateway = Gateway::home(door(&platform), &key).await;
    // 230 V and 5 A; -1.5 kW; no register; a byte too few; a power factor of 1.5 beside 50 Hz; a
    // switching unit in a state 2; a ZigBee frame.
    relay(&mut gateway, 0x205, &[0x0D, 0xB5, 0x85, 0x80, 0x00, 0x4C, 0x4B, 0x40]);
    relay(&mut gateway, 0x225, &[0xFF, 0xFF, 0xFF, 0xFF, 0xA6, 0x97, 0xD1, 0x00]);
    relay(&mut gateway, 0x605, &[0; 8]);
    relay(&mut gateway, 0x205, &[0; 7]);
    relay(&mut gateway, 0x265, &[0x00, 0x16, 0xE3, 0x60, 0x02, 0xFA, 0xF0, 0x80]);
    relay(&mut gateway, 0x065, &[2, 0]);
    gateway.relay(&power(PLUG, 1, 5));
    gateway.deliver().await;
    assert_eq!(gateway.delivered, Some(Delivered { epoch: 0, next: 7 }));
    let is_its = |row: &serde_json::Value| row["device"] == NODE_ID;
    let readings = rows(platform.rest_address(), "/api/v1/readings", is_its, 3).await;
    let of = |at: usize| (readings[at]["serial"].as_u64().unwrap(), readings[at]["values"].clone());
    let voltage = json!({ "electricity.voltage.rms.l1": 230.0, "electricity.current.rms.l1": 5.0 });
    let powers = json!({
        "electricity.power.active.consumed.total": 0.0,
        "electricity.power.active.injected.total": 1.5,
    });
    assert_eq!(of(0), (0, voltage));
    assert_eq!(of(1), (1, powers));
    assert_eq!(of(2), (4, json!({ "electricity.frequency": 50.0 })));
    let refused = refusals(&platform, 4).await;
    let with = |reason: &str| {
        let row = refused.iter().find(|row| row["reason"] == reason);
        row.unwrap_or_else(|| panic!("{refused:?}"))["detail"].as_str().unwrap().to_owned()
    };
    assert!(with("unknown_identifier").contains("605#0000000000000000"));
    assert!(with("wrong_length").contains("7 bytes of data, expected 8"));
    assert!(with("unusable_value").contains("State is 2, expected 0 to 1"));
    assert!(with("other_network_type").contains("expected `can`"));
    // Its switching unit is ordered, and answers with the number of the order.
    let path = format!("/api/v1/recognised/{NODE_ID}");
    let registered = rest(&platform, "POST", &path, Some(json!({}))).await;
    assert_eq!(registered.1["specificationToken"], "network-can", "{registered:?}");
    let path = format!("/sitewhere/api/devices/{NODE_ID}/assignment");
    let of = rest(&platform, "GET", &path, None).await.1["token"].clone();
    let path = format!("/sitewhere/api/assignments/{}/invocations", of.as_str().unwrap());
    let asked = json!({ "commandToken": "setBreaker", "parameterValues": { "state": "open" } });
    let (status, made) = rest(&platform, "POST", &path, Some(asked)).await;
    assert_eq!((status, &made["state"]), (201, &json!("Sent")), "{made}");
    gateway.until(|it| !it.orders.is_empty()).await;
    let (_, order) = gateway.orders.remove(0);
    assert_eq!(order[..11], [&BUS.to_be_bytes()[..], &[0x00, 0x65, 0]].concat());
    relay(&mut gateway, 0x065, &[0, order[11]]);
    gateway.deliver().await;
    let path = format!("/sitewhere/api/invocations/{}", made["id"].as_str().unwrap());
    let answered =
        async { while rest(&platform, "GET", &path, None).await.1["status"] != "Responded" {} };
    tokio::time::timeout(LIMIT, answered).await.unwrap();
    platform.shutdown().await;
}
