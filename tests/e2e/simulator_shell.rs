//! What the adapter of simulators does beside readings: samples as they come, a map read again.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::doors::Served;
use crate::simulators::{Adapter, LIMIT, MAP, frame, pause, readings, wait_until};

/// The first so many messages under a topic, while something is done again and again.
fn hear(broker: &str, topic: &str, count: usize, mut again: impl FnMut()) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut options = SessionOptions::new(broker, "listener", "default", "meters");
    options.subscriptions = vec![topic.to_owned()];
    let heard = async {
        let (session, mut events) = Session::open(options);
        let mut heard = Vec::new();
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let mut is_there = false;
        while heard.len() < count {
            tokio::select! {
                event = events.recv() => match event.unwrap() {
                    SessionEvent::Received { payload, .. } => heard.push(payload.to_vec()),
                    SessionEvent::Connected => is_there = true,
                    other => panic!("{other:?}"),
                },
                _ = ticks.tick() => if is_there { again() },
            }
        }
        session.close().await;
        heard
    };
    runtime.block_on(async { tokio::time::timeout(LIMIT, heard).await }).unwrap()
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

#[test]
fn samples_go_out_as_they_come_as_json_and_as_villas_binary() {
    for form in ["json", "binary"] {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(&folder.path().join("platform"));
        let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
        let raw = format!("raw = \"{form}\"");
        let more = ["--set", &raw, "--set", "raw_decimate = 2"];
        let adapter = Adapter::start_with("udp-listen:127.0.0.1:0", &broker, folder.path(), &more);
        assert!(adapter.ready["receive_buffer_bytes"][0].as_u64().unwrap() > 100_000);
        let (at, socket) = (adapter.port(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let mut count = 0;
        let heard = hear(&broker, "default/rts/rack/points", 20, || {
            socket.send_to(&frame(count), at).unwrap();
            count += 1;
        });
        let numbers: Vec<i64> = heard
            .iter()
            .map(|payload| {
                if form == "json" {
                    let read: Value = serde_json::from_slice(payload).unwrap();
                    assert_eq!(read["points"]["u"], 230.5, "{read}");
                    assert_eq!(read["points"]["frames"], read["sequence"], "{read}");
                    read["sequence"].as_i64().unwrap()
                } else {
                    // Version 2, source 0, two values; sequence, time, the two words.
                    assert_eq!(payload[..4], [0x20, 0, 0, 2]);
                    assert_eq!(payload.len(), 24);
                    assert_eq!(payload[4..8], payload[16..20]);
                    assert_eq!(payload[20..], 230.5_f32.to_be_bytes());
                    i64::from(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
                }
            })
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 2), "{numbers:?}");
        assert_eq!(numbers[0] % 2, 0);
        // None of them is stored, none is refused.
        let (_, refused) = served.ask("rest", "secret", "GET /api/v1/refusals", "", "");
        assert_eq!(refused["results"], json!([]));
    }
}

#[test]
fn a_map_is_read_again_at_a_signal_and_a_wrong_one_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let adapter = Adapter::start_with("udp-listen:127.0.0.1:0", &broker, folder.path(), &[]);
    let (at, socket) = (adapter.port(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let mut count = 0;
    let mut send = |frames| {
        for _ in 0..frames {
            count += 1;
            socket.send_to(&frame(count), at).unwrap();
            pause(10);
        }
    };
    let signal = || {
        let pid = Pid::from_raw(i32::try_from(adapter.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    };
    let logged = |word: &str| {
        wait_until(folder.path(), || (!log(folder.path()).contains(word)).then(|| word.to_owned()));
    };
    send(30);
    let map = folder.path().join("map.toml");
    let wrong = MAP.replace("\"V\"", "\"kA\"").replace("type = \"integer\"", "type = \"text\"");
    std::fs::write(&map, wrong).unwrap();
    signal();
    logged("files_refused, the old ones stay: line 10: ");
    logged("line 20: ");
    send(30);
    assert!(!log(folder.path()).contains("files_read"));
    std::fs::write(&map, MAP.replace("device = \"house\"", "device = \"villa\"")).unwrap();
    signal();
    logged("files_read");
    send(50);
    let of = |device: &str| {
        let rows = readings(&served, device);
        let mut serials: Vec<u64> = rows.iter().map(|(serial, _)| *serial).collect();
        serials.sort_unstable();
        // Serials without a gap or a repetition, across both maps.
        assert_eq!(serials, (1..=rows.len() as u64).collect::<Vec<_>>(), "{device}");
        rows.len()
    };
    wait_until(folder.path(), || {
        let counts = ["counter", "house", "villa"].map(|device| (device, of(device)));
        let counts = BTreeMap::from(counts);
        let is_there = counts["villa"] >= 3 && counts["house"] >= 5;
        let is_whole = counts["counter"] == counts["villa"] + counts["house"];
        (!(is_there && is_whole)).then(|| format!("{counts:?}"))
    });
}
