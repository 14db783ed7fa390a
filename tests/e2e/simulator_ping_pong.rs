//! A value through the adapter and back, on one clock.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};

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
                // Small messages are not to wait for one another.
                socket.set_nodelay(true).unwrap();
                let arrived = Arrived { wire: Box::new(socket), read: BytesMut::new(), from };
                entry.send(arrived).await.unwrap();
            }
        });
        tokio::spawn(MqttServer::new(context).listener_by_id(listener, 1).build().run());
        address.to_string()
    });
    (runtime, address)
}

fn ping_pong(folder: &Path, broker: &str, at: &str, more: &[&str]) -> Child {
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

/// After its first line: adapter and broker are there.
fn ready(mut child: Child) -> Child {
    let stdout = child.stdout.as_mut().unwrap();
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\n") {
        stdout.read_exact(&mut byte).unwrap();
        line.extend(byte);
    }
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["ready"], true, "{line}");
    child
}

fn summary(child: Child) -> (Option<i32>, Value) {
    let done = child.wait_with_output().unwrap();
    let text = String::from_utf8(done.stdout.clone()).unwrap();
    let last = text.lines().last().unwrap_or_else(|| panic!("{done:?}"));
    (done.status.code(), serde_json::from_str(last).unwrap())
}

fn count(summary: &Value, key: &str) -> u64 {
    summary[key].as_u64().unwrap_or_else(|| panic!("{key}: {summary}"))
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
    let (code, summary) = summary(ready(ping_pong(folder.path(), &broker, &at, &more)));
    for (key, expected) in [("cycles", 60), ("sent", 60), ("back", 60), ("lost", 0), ("late", 0)] {
        assert_eq!(summary[key], expected, "{key}: {summary}");
    }
    println!("ping-pong: {summary}");
    assert_eq!((code, count(&summary, "out_of_order")), (Some(0), 0), "{summary}");
    let p50 = |leg: &str| summary["legs"][leg]["p50"].as_f64().unwrap();
    let (out, back, whole) =
        (p50("frame_to_broker_s"), p50("broker_to_frame_s"), p50("whole_loop_s"));
    assert!(out > 0.0 && back > 0.0 && whole >= out, "{summary}");
    assert!(summary["ratio_to_floor"].as_f64().unwrap() > 0.0, "{summary}");
    assert_eq!(summary["floor_lost"], 0, "{summary}");
    let rows = std::fs::read_to_string(&csv).unwrap();
    let mut due = Vec::new();
    for row in rows.lines().skip(1) {
        let instants: Vec<i64> = row.split(',').skip(1).map(|at| at.parse().unwrap()).collect();
        assert!(instants.is_sorted(), "{row}");
        due.push(instants[0]);
    }
    // The schedule is kept to, whatever came back when.
    let expected: Vec<i64> = (0..65).map(|number| number * 20_000_000).collect();
    assert_eq!(due, expected);
    // A file that is there is not written over, and nothing is measured for it.
    let done = ping_pong(folder.path(), &broker, &at, &more).wait_with_output().unwrap();
    assert!(done.status.code() == Some(2) && done.stdout.is_empty(), "{done:?}");
}

#[test]
fn each_value_that_a_stall_holds_up_is_lost_or_over_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, broker) = broker();
    let more = ["--set", "raw = \"json\""];
    let adapter = Adapter::start_of(MAP, "udp-listen:127.0.0.1:0", &broker, folder.path(), &more);
    let at = adapter.port().to_string();
    let csv = folder.path().join("cycles.csv");
    let limits = ["--timeout", "600 ms", "--class", "TT2", "--stall", "1 ms"];
    let more = ["--count", "200", "--warm-up", "0", "--csv", csv.to_str().unwrap()];
    let more = [&more[..], &limits].concat();
    let child = ready(ping_pong(folder.path(), &broker, &at, &more));
    pause(400);
    signal(&adapter.child, "STOP");
    pause(1500);
    signal(&adapter.child, "CONT");
    let (code, summary) = summary(child);
    // 75 were due while nobody answered; but for those of the last 600 ms all are lost, by the
    // schedule and not by what the stall let through.
    assert!(count(&summary, "lost") >= 40, "{summary}");
    assert_eq!(count(&summary, "lost") + count(&summary, "back"), 200, "{summary}");
    assert!(count(&summary, "back") >= 60, "{summary}");
    // One stall is one event, and shows too little of how often there is one.
    assert_eq!(code, Some(5), "{summary}");
    assert_eq!(summary["class"]["verdict"], "inconclusive", "{summary}");
    assert!(summary["legs"]["whole_loop_s"]["max"].is_null(), "{summary}");
    // What is held up arrives late, and is not taken for what was sent later: it waited for the
    // stall's end, so that of those sent in its first second none took less than a third of one.
    let rows = std::fs::read_to_string(&csv).unwrap();
    let held_up = rows.lines().skip(1 + 30).take(40).filter_map(|row| {
        let instants: Vec<Option<i64>> = row.split(',').map(|at| at.parse().ok()).collect();
        Some(instants[3]? - instants[2]?)
    });
    let held_up: Vec<i64> = held_up.collect();
    assert!(held_up.iter().all(|delay| *delay > 300_000_000), "{held_up:?}");
}

#[test]
fn who_hears_nothing_reports_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, broker) = broker();
    // Without `raw` no sample comes.
    let adapter = Adapter::start_of(MAP, "udp-listen:127.0.0.1:0", &broker, folder.path(), &[]);
    let (at, csv) = (adapter.port().to_string(), folder.path().join("cycles.csv"));
    let child = ping_pong(folder.path(), &broker, &at, &["--csv", csv.to_str().unwrap()]);
    let done = child.wait_with_output().unwrap();
    let printed = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{printed}");
    assert!(printed.contains("nothing arrived on `default/rts/rack/points`"), "{printed}");
    assert!(!csv.exists());
    for (more, what) in [
        (["--timeout", "90 ms", "--class", "TT3"], "--timeout: found less than the limit of TT3"),
        (["--stall", "0 s", "--class", "TT3"], "--stall: found 0 s"),
        (["--coverage", "1", "--class", "TT3"], "--coverage: found 1"),
    ] {
        let done = ping_pong(folder.path(), &broker, &at, &more).wait_with_output().unwrap();
        let printed = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(2) && printed.contains(what), "{printed}");
    }
}
