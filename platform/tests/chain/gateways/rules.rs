//! A rule that configures a node by its state: a low battery has it report less often.

use lastmeter_platform::ClockSource;
use lastmeter_zigbee::payload::{Content, NodeEntry};
use lastmeter_zigbee::relay::Relay;
use lastmeter_zigbee::zcl::global::{Reportable, ReportingRecord, command};
use lastmeter_zigbee::zcl::{Attribute, Direction, Frame, Global, Header, Value};
use serde_json::json;

use super::gateway::{GATEWAY, Gateway, door, entry, framed, register, rest, start};
use super::{PLUG, PLUG_ID, rows};
use crate::common::LIMIT;

const ADDRESS: u16 = 3;
const POWER_CONFIGURATION: u16 = 0x0001;
const TEMPERATURE_MEASUREMENT: u16 = 0x0402;
const CHARGE: &str = "x.battery.charge";

/// The charge of a node's battery, as it reports it: in halves of a percent.
fn charge(percent: u8) -> Vec<u8> {
    let header = Header::global(Direction::ToClient, 7, command::REPORT);
    let attribute = Attribute { id: 0x0021, value: Value::U8(Some(percent * 2)) };
    let frame = header.with_records(&[attribute]).unwrap();
    framed(PLUG, ADDRESS, POWER_CONFIGURATION, &frame)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_low_battery_lengthens_the_reporting_period() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let mut gateway = Gateway::home(door(&platform), &key).await;
    let sensor = NodeEntry { sleeps: true, ..entry(PLUG, ADDRESS) };
    gateway.put(&Content::NodeTable(vec![sensor]));
    gateway.deliver().await;
    let path = format!("/api/v1/recognised/{PLUG_ID}");
    assert_eq!(rest(&platform, "POST", &path, Some(json!({}))).await.0, 200);
    // Its temperature at least every hour, and not at each tenth of a degree.
    let rule = json!({
        "name": "Spare the battery",
        "when": { "threshold": { "device": PLUG_ID, "quantity": CHARGE, "below": 0.2 } },
        "then": [{ "command": {
            "device": PLUG_ID, "command": "setReporting", "parameters": {
                "cluster": "1026", "attribute": "0", "minSeconds": "600", "maxSeconds": "3600",
                "change": "100",
            },
        } }],
    });
    let made = rest(&platform, "POST", "/api/v1/rules", Some(rule)).await;
    assert_eq!(made.0, 201, "{made:?}");
    let charges = async |count: usize| {
        let is_its = |row: &serde_json::Value| row["values"][CHARGE].is_number();
        let rows = rows(platform.rest_address(), "/api/v1/readings", is_its, count).await;
        rows.iter().map(|row| row["values"][CHARGE].as_f64().unwrap()).collect::<Vec<_>>()
    };
    let invocations = async || {
        let path = format!("/sitewhere/api/devices/{PLUG_ID}/assignment");
        let of = rest(&platform, "GET", &path, None).await.1["token"].clone();
        let path = format!("/sitewhere/api/assignments/{}/invocations", of.as_str().unwrap());
        rest(&platform, "GET", &path, None).await.1["results"].as_array().unwrap().clone()
    };
    gateway.relay(&charge(50));
    gateway.deliver().await;
    assert_eq!(charges(1).await, [0.5]);
    assert!(invocations().await.is_empty(), "the battery is full enough");
    gateway.relay(&charge(10));
    gateway.deliver().await;
    assert_eq!(charges(2).await, [0.5, 0.1]);
    let given = async { while invocations().await.is_empty() {} };
    tokio::time::timeout(LIMIT, given).await.unwrap();
    // It sleeps, and is configured when it is heard.
    gateway.relay(&charge(10));
    gateway.deliver().await;
    gateway.until(|it| !it.orders.is_empty()).await;
    let (_, frame) = gateway.orders.remove(0);
    let relay = Relay::decode(&frame).unwrap();
    assert_eq!((relay.eui64.0, relay.cluster), (PLUG, TEMPERATURE_MEASUREMENT));
    let content = Frame::decode(relay.frame).unwrap();
    let Ok(Global::ConfigureReporting(records)) = Global::decode(&content) else {
        panic!("{content:?}");
    };
    let change = Reportable::Change(Value::I16(Some(100)));
    let wanted = ReportingRecord::Send { id: 0, min_s: 600, max_s: 3600, change };
    assert_eq!(records.collect::<Result<Vec<_>, _>>().unwrap(), [wanted]);
    // The node answers that it does; a level that stays low gives the command once.
    let mut answer = Vec::new();
    let sequence = content.header.sequence;
    let done = command::CONFIGURE_REPORTING_RESPONSE;
    Header::global(Direction::ToClient, sequence, done).encode(&mut answer);
    answer.push(0);
    gateway.relay(&framed(PLUG, ADDRESS, TEMPERATURE_MEASUREMENT, &answer));
    gateway.relay(&charge(9));
    gateway.deliver().await;
    assert_eq!(charges(4).await, [0.5, 0.1, 0.1, 0.09]);
    let responded = async { while invocations().await[0]["status"] != "Responded" {} };
    tokio::time::timeout(LIMIT, responded).await.unwrap();
    assert_eq!((invocations().await.len(), gateway.orders.len()), (1, 0));
    platform.shutdown().await;
}
