//! A value through the adapter and back, on one clock.

use std::path::Path;
use std::process::Stdio;

use bytes::BytesMut;
use rmqtt::context::ServerContext;
use rmqtt::net::{Arrived, Builder, Listener};
use rmqtt::server::MqttServer;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::bench::{lastmeter, signal};
use crate::simulators::{Adapter, pause};

const MAP: &str = r#"format = 1
[simulator]
name = "rack"
wire_format = "gtnet-skt"
card = "gtnetx2"
sample_rate = "1 kHz"
[[point]]
name = "ping"
direction = "from-simulator"
type = "float"
unit = "V"
least = "0 V"
greatest = "300 V"
device = "house"
quantity = "electricity.voltage.rms.l1"
[[point]]
name = "pong"
direction = "to-simulator"
type = "float"
unit = "kW"
least = "0 kW"
greatest = "10 kW"
greatest_change_per_second = "10000 kW"
initial = "0 kW"
safe_value = "0 kW"
"#;

/// A broker that lets everybody publish everywhere; it ends with its runtime.
fn broker() -> (Runtime, String) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let context = ServerContext::new().busy_check_enable(false).build().await;
        let sockets = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = sockets.local_addr().unwrap();
        let settings = Builder { allow_anonymous: true, ..Builder::new(address) };
        let (listener, entry) = Listener::new(settings, 16);
        tokio::spawn(async move {
            while let Ok((socket, from)) = sockets.accept().await {
                let arrived = Arrived { wire: Box::new(socket), read: BytesMut::new(), from };
                entry.send(arrived).await.unwrap();
            }
        });
        tokio::spawn(MqttServer::new(context).listener_by_id(listener, 1).build().run());
        address.to_string()
    });
    (runtime, address)
}

fn ping_pong(folder: &Path, broker: &str, at: &str, more: &[&str]) -> std::process::Child {
    lastmeter()
        .args(["rts", "ping-pong"])
        .arg(folder.join("map.toml"))
        .args(["--on", &format!("udp:{at}"), "--mqtt", broker, "--name", "rack"])
        .args(["--out", "ping", "--back", "pong", "--every", "20 ms", "--format", "json"])
        .arg("--mqtt-password-file")
        .arg(folder.join("password"))
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn summary(child: std::process::Child) -> (Option<i32>, Value) {
    let done = child.wait_with_output().unwrap();
    let text = String::from_utf8(done.stdout.clone()).unwrap();
    let last = text.lines().last().unwrap_or_else(|| panic!("{done:?}"));
    (done.status.code(), serde_json::from_str(last).unwrap())
}

#[test]
fn values_go_out_and_come_back_and_each_leg_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, broker) = broker();
    let more = ["--set", "raw = \"json\""];
    let adapter = Adapter::start_of(MAP, "udp-listen:127.0.0.1:0", &broker, folder.path(), &more);
    let at = adapter.port().to_string();
    let csv = folder.path().join("cycles.csv");
    let more = ["--count", "60", "--warm-up", "5", "--floor", "--csv", csv.to_str().unwrap()];
    let (code, summary) = summary(ping_pong(folder.path(), &broker, &at, &more));
    assert_eq!((code, &summary["cycles"], &summary["lost"]), (Some(0), &60.into(), &0.into()));
    let p50 = |leg: &str| summary["legs"][leg]["p50"].as_f64().unwrap();
    let (out, back, whole) =
        (p50("frame_to_broker_s"), p50("broker_to_frame_s"), p50("whole_loop_s"));
    assert!(out > 0.0 && back > 0.0 && whole >= out, "{summary}");
    assert!(summary["ratio_to_floor"].as_f64().unwrap() > 0.0, "{summary}");
    let rows = std::fs::read_to_string(&csv).unwrap();
    // The first ones may be lost: the adapter has not subscribed yet.
    for row in rows.lines().skip(1 + 5) {
        let instants: Vec<i64> = row.split(',').skip(1).map(|at| at.parse().unwrap()).collect();
        assert!(instants.is_sorted(), "{row}");
    }
    assert_eq!(rows.lines().count(), 66);
}

#[test]
fn values_that_do_not_come_back_are_lost_and_beyond_any_limit() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, broker) = broker();
    let more = ["--set", "raw = \"json\""];
    let adapter = Adapter::start_of(MAP, "udp-listen:127.0.0.1:0", &broker, folder.path(), &more);
    let at = adapter.port().to_string();
    let more = ["--count", "60", "--warm-up", "0", "--timeout", "100 ms", "--class", "TT2"];
    let child = ping_pong(folder.path(), &broker, &at, &more);
    pause(700);
    signal(&adapter.child, "STOP");
    pause(1500);
    signal(&adapter.child, "CONT");
    let (code, summary) = summary(child);
    assert!(summary["lost"].as_u64().unwrap() >= 3, "{summary}");
    assert!(code != Some(0) && summary["class"]["verdict"] != "pass", "{summary}");
    assert!(summary["legs"]["whole_loop_s"]["max"].is_null(), "{summary}");
}
