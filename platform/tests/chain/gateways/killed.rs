//! The platform is killed between what a gateway delivers and what it hears of it: each frame is
//! stored once, under its own number, and decoded again as it was.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lastmeter_platform::{ClockSource, Platform};
use lastmeter_zigbee::delivery::Outbox;
use lastmeter_zigbee::keys::NetworkKey;
use lastmeter_zigbee::payload::Content;
use serde_json::{Value, json};

use super::gateway::{GATEWAY, Gateway, config, entry, power, scale};
use super::{PLUG, PLUG_ID, POWER, rows};
use crate::common::{client, read_back};

/// Gives the child the place of its data.
const DATA: &str = "LASTMETER_TEST_GATEWAYS_DATA";
const KILLS: usize = 12;

/// A running child; killed when this is dropped.
struct Served {
    child: Child,
    rest: SocketAddr,
    door: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL; an error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(data: &Path) -> Served {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["gateways::killed::child", "--exact", "--nocapture"])
        .env(DATA, data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address = |name: &str| loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, address)) = line.split_once(name) {
            break address.trim().parse().unwrap();
        }
    };
    let (rest, door) = (address("rest="), address("door="));
    Served { child, rest, door }
}

/// The platform that is killed; does nothing when it is run as an ordinary test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let platform = Platform::start(config(Path::new(&data), ClockSource::Wall)).await.unwrap();
    println!("rest={}", platform.rest_address());
    println!("door={}", super::door(&platform));
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_frame_is_stored_once_whenever_the_platform_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = serve(folder.path());
    let body = json!({
        "token": "home", "type": "zigbee", "name": "Home", "gatewayAddress": GATEWAY.to_string(),
    });
    let made: Value = client(served.rest).post_json("/api/v1/networks", &body).await.unwrap();
    let key: NetworkKey = made["key"].as_str().unwrap().parse().unwrap();
    let (mut outbox, mut sent) = (Outbox::new(1 << 20), 0_i16);
    for round in 0..KILLS {
        let mut gateway = Gateway::dial(served.door, (GATEWAY, "Home", &key), outbox).await;
        assert!(gateway.end.is_open(), "{:?}", gateway.rejected);
        gateway.put(&Content::NodeTable(vec![entry(PLUG, round as u16)]));
        // Its scale is a context that later frames depend on.
        gateway.relay(&scale(PLUG, round as u16));
        for _ in 0..40 {
            gateway.relay(&power(PLUG, round as u16, sent));
            sent += 1;
        }
        gateway.send().await;
        // Sooner or later while they become durable.
        let some = 42 * round + 3 * round;
        gateway.until(|it| it.delivered.is_some_and(|at| at.next as usize > some)).await;
        drop(served);
        outbox = gateway.outbox;
        served = serve(folder.path());
    }
    let mut gateway = Gateway::dial(served.door, (GATEWAY, "Home", &key), outbox).await;
    gateway.deliver().await;
    let rest = client(served.rest);
    let is_its = |row: &Value| row["device"] == PLUG_ID;
    let of_plug = rows(served.rest, "/api/v1/readings", is_its, sent as usize).await;
    let mut values: Vec<f64> =
        of_plug.iter().map(|row| (row["values"][POWER].as_f64().unwrap() * 1e4).round()).collect();
    values.sort_by(f64::total_cmp);
    let expected: Vec<f64> = (0..sent).map(f64::from).collect();
    assert_eq!(values, expected, "none is missing and none is there twice");
    let serials: std::collections::BTreeSet<u64> =
        of_plug.iter().map(|row| row["serial"].as_u64().unwrap()).collect();
    assert_eq!(serials.len(), of_plug.len());
    let refusals = read_back(&rest, "/api/v1/refusals").await;
    assert!(refusals.is_empty(), "{refusals:?}");
    let status: Value = rest.get_json("/api/v1/networks/home/status").await.unwrap();
    assert_eq!(status["missing"], 0, "{status}");
}
