//! A node whose multiplier changes gives no values until that is accepted; then its gateway's
//! session uses it at once.

use lastmeter_platform::{ClockSource, Running};
use lastmeter_zigbee::payload::Content;
use lastmeter_zigbee::session::Refusal;
use lastmeter_zigbee::zcl::Value as Attribute;
use serde_json::{Value, json};

use super::gateway::{GATEWAY, Gateway, door, entry, power, register, report, rest, scale, start};
use super::{PLUG, PLUG_ID, readings, refusals};

const ADDRESS: u16 = 10;

fn divisor(divisor: u16) -> Vec<u8> {
    report(PLUG, ADDRESS, &[(0x0605, Attribute::U16(Some(divisor)))])
}

async fn accept(platform: &Running) -> (u16, Value) {
    let path = format!("/api/v1/nodes/{PLUG_ID}/scales");
    rest(platform, "POST", &path, None).await
}

/// The reason of the newest refusal, once there are so many.
async fn refused(platform: &Running, count: usize) -> String {
    let rows = refusals(platform, count).await;
    assert_eq!(rows.len(), count, "{rows:?}");
    let last = rows.last().unwrap();
    assert_eq!(last["reason"], "unusable_value", "{last}");
    last["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_come_by_a_changed_multiplier_once_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), ClockSource::Wall).await;
    let key = register(&platform, GATEWAY, "home").await;
    let mut gateway = Gateway::home(door(&platform), &key).await;
    gateway.put(&Content::NodeTable(vec![entry(PLUG, ADDRESS)]));
    gateway.relay(&scale(PLUG, ADDRESS));
    gateway.relay(&power(PLUG, ADDRESS, 1234));
    gateway.deliver().await;
    let watts = async |count: usize| -> Vec<f64> {
        let found = readings(&platform, PLUG_ID, count).await;
        found.iter().map(|it| (it.2 * 1e6).round() / 1e3).collect()
    };
    assert_eq!(watts(1).await, [123.4]);
    let (status, nothing) = accept(&platform).await;
    assert_eq!((status, &nothing["code"]), (409, &json!("nothing_changed")), "{nothing}");
    // Its program was changed, and it counts in hundredths.
    gateway.relay(&divisor(100));
    gateway.relay(&power(PLUG, ADDRESS, 1234));
    gateway.deliver().await;
    let detail = refused(&platform, 1).await;
    assert!(detail.contains("changed from 10 to 100"), "{detail}");
    let (status, accepted) = accept(&platform).await;
    assert_eq!((status, &accepted["state"]), (200, &json!("joined")), "{accepted}");
    // The connection ends, and the one that comes knows it.
    gateway.until(|_| false).await;
    assert_eq!(gateway.rejected, Some(Refusal::Closed));
    let as_whom = (GATEWAY, "Home", &key);
    let mut gateway = Gateway::dial(door(&platform), as_whom, gateway.outbox).await;
    gateway.relay(&power(PLUG, ADDRESS, 1234));
    gateway.deliver().await;
    assert_eq!(watts(2).await, [123.4, 12.34]);
    assert_eq!(accept(&platform).await.0, 409, "it is accepted");
    // A zero is never accepted.
    gateway.relay(&divisor(0));
    gateway.relay(&power(PLUG, ADDRESS, 1234));
    gateway.deliver().await;
    let detail = refused(&platform, 2).await;
    assert!(detail.contains("is 0"), "{detail}");
    assert_eq!(accept(&platform).await.1["code"], "nothing_changed");
    gateway.relay(&divisor(100));
    gateway.relay(&power(PLUG, ADDRESS, 100));
    gateway.deliver().await;
    assert_eq!(watts(3).await, [123.4, 12.34, 1.0]);
    let path = "/api/v1/nodes/0000000000000009/scales";
    assert_eq!(rest(&platform, "POST", path, None).await.0, 404);
    platform.shutdown().await;
}
