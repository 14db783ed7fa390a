//! What the adapter of simulators does beside readings: samples as they come, a map read again,
//! HTTP.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bench::lastmeter;
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
fn a_stream_whose_frames_cannot_be_found_is_connected_again() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let map = MAP.replace("type = \"integer\"", "type = \"float\"");
    let map = map.replace("gtnet-skt", "opal-asyncip").replace("gtnetx2", "none");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let on = format!("tcp:{}", listener.local_addr().unwrap());
    let adapter = Adapter::start_of(&map, &on, &broker, folder.path(), &[]);
    let (mut first, _) = listener.accept().unwrap();
    // A header that announces a negative length, and good frames behind it that nobody can find.
    first.write_all(&[0xff; 64]).unwrap();
    let (mut second, _) = listener.accept().unwrap();
    for number in 1..=40_u8 {
        let mut sent = vec![0, 0, number, 0, 0, 0, 16, 0];
        sent.extend([f64::from(number), 230.5].map(f64::to_le_bytes).concat());
        second.write_all(&sent).unwrap();
        pause(50);
    }
    wait_until(folder.path(), || {
        let stored = readings(&served, "house");
        stored.is_empty().then(|| "readings".to_owned())
    });
    assert!(log(folder.path()).contains("nobody is there: given up here, to be opened again"));
    drop(adapter);
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
    // One that has to ask a platform, which nobody has named.
    let fed = "[[point]]\nname = \"load\"\ndirection = \"to-simulator\"\ntype = \"float\"\n\
        unit = \"kW\"\nleast = \"0 kW\"\ngreatest = \"25 kW\"\n\
        greatest_change_per_second = \"1000 kW\"\ninitial = \"9 kW\"\nsafe_value = \"9 kW\"\n\
        from = \"device:house/electricity.power.active.consumed.total\"\nstale_after = \"4 s\"\n";
    std::fs::write(&map, format!("{MAP}{fed}")).unwrap();
    signal();
    logged("`--rest HOST:PORT` is missing");
}

/// A connection to the adapter's HTTP that is kept.
struct Http {
    stream: TcpStream,
}

impl Http {
    fn of(adapter: &Adapter) -> Self {
        let stream = TcpStream::connect(adapter.ready["http"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { stream }
    }

    /// Status and body of an answer; `head` has further lines of the request's head.
    fn ask(&mut self, request: &str, head: &str, body: &[u8]) -> (u16, String) {
        let length = body.len();
        let text =
            format!("{request} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {length}\r\n\r\n");
        self.stream.write_all(&[text.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), "", b"")
    }

    fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
        let head = format!("Content-Type: {kind}\r\n");
        let (status, body) = self.ask(&format!("POST {path}"), &head, body);
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    fn metric(&mut self, name: &str) -> f64 {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}\n{text}")).parse().unwrap()
    }
}

const TAP: &str = "[[point]]\nname = \"tap\"\ndirection = \"to-simulator\"\ntype = \"integer\"\n\
                   least = -8\ngreatest = 8\ngreatest_change_per_second = 1000000\ninitial = 3\n\
                   safe_value = 0\n";

/// With what sends to it and hears from it.
fn with_http(folder: &Path, broker: &str, more: &[&str]) -> (Adapter, UdpSocket) {
    std::fs::write(folder.join("map.toml"), format!("{MAP}{TAP}")).unwrap();
    let more = [&["--http", "127.0.0.1:0"], more].concat();
    let adapter = Adapter::start_with("udp-listen:127.0.0.1:0", broker, folder, &more);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(adapter.port()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    (adapter, socket)
}

#[test]
fn counts_and_values_are_served_and_taken_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let (adapter, socket) = with_http(folder.path(), &broker, &[]);
    let mut http = Http::of(&adapter);
    assert_eq!(http.get("/points").0, 404);
    assert_eq!(http.get("/health").0, 503);
    socket.send(&frame(1)).unwrap();
    let mut word = [0; 4];
    socket.recv(&mut word).unwrap();
    assert_eq!(word, [0, 0, 0, 3]);
    wait_until(folder.path(), || {
        let (status, body) = http.get("/health");
        (status != 200).then_some(body)
    });
    let binary = "application/octet-stream";
    let taken = |count| (200, json!({ "taken": count, "refused": {} }));
    assert_eq!(http.post("/samples", binary, &frame(2)), taken(1));
    let two = b"[{\"data\":[3,229.5]},{\"data\":[4,229.5]}]";
    assert_eq!(http.post("/samples", "application/json; charset=utf-8", two), taken(2));
    let (status, answer) = http.post("/samples", binary, &[0; 11]);
    assert_eq!((status, answer), (422, json!({ "taken": 0, "refused": { "remainder": 1 } })));
    assert_eq!(http.post("/samples", "text/plain", &frame(2)).0, 415);
    let (status, points) = http.get("/points");
    let points: Value = serde_json::from_str(&points).unwrap();
    assert_eq!((status, &points["points"]), (200, &json!({ "frames": 4, "u": 229.5 })));
    assert_eq!(http.metric("lastmeter_rts_samples_total"), 4.0);
    assert_eq!(http.metric("lastmeter_rts_refused_total{reason=\"remainder\"}"), 1.0);
    assert_eq!(http.metric("lastmeter_rts_taken_total"), 1.0);
    assert_eq!(http.metric("lastmeter_rts_broker_up"), 1.0);
    assert!(http.metric("lastmeter_rts_resident_memory_bytes") > 1e6);
    // What is set reaches the simulator; what is refused does not.
    let json = "application/json";
    assert_eq!(http.post("/set-points", json, b"{\"tap\":9}").0, 422);
    assert_eq!(http.post("/set-points", json, b"{\"tap\":-5}"), (200, json!({ "taken": true })));
    // Soon after the frame before it comes by a ramp.
    while word != (-5_i32).to_be_bytes() {
        socket.recv(&mut word).unwrap();
    }
    assert_eq!(http.get("/set-points"), (200, "{\"points\":{\"tap\":-5}}".to_owned()));
    assert_eq!(http.get("/nothing").0, 404);
}

#[test]
fn a_token_is_asked_for_where_there_is_one_and_needed_where_others_can_come() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let more = ["--http-token-file", token.to_str().unwrap()];
    let (adapter, _socket) = with_http(folder.path(), "127.0.0.1:1", &more);
    let mut http = Http::of(&adapter);
    for head in ["", "Authorization: Bearer other\r\n", "Authorization: Basic s3cret\r\n"] {
        assert_eq!(http.ask("GET /metrics", head, b"").0, 401, "{head}");
        assert_eq!(http.ask("POST /samples", head, &frame(1)).0, 401, "{head}");
    }
    assert_eq!(http.ask("GET /metrics", "Authorization: Bearer s3cret\r\n", b"").0, 200);
    let done = lastmeter()
        .args(["rts", "bridge"])
        .arg(folder.path().join("map.toml"))
        .args(["--on", "udp-listen:127.0.0.1:0", "--mqtt", "127.0.0.1:1", "--http", "0.0.0.0:0"])
        .arg("--data")
        .arg(folder.path().join("other"))
        .output()
        .unwrap();
    let printed = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{printed}");
    assert!(printed.contains("--http-token-file"), "{printed}");
}

#[test]
fn a_flood_of_bad_posts_is_bounded_and_costs_no_good_sample() {
    let folder = tempfile::tempdir().unwrap();
    let (adapter, _socket) = with_http(folder.path(), "127.0.0.1:1", &[]);
    let mut http = Http::of(&adapter);
    let binary = "application/octet-stream";
    assert_eq!(http.post("/samples", binary, &frame(1)).0, 200);
    let before = adapter.resident_kib();
    for number in 0..5000_usize {
        let body = vec![number as u8; [3, 7, 9, 1200, 60_000][number % 5]];
        let kind = if number % 2 == 0 { binary } else { "application/json" };
        assert_eq!(http.post("/samples", kind, &body).0, 422, "{number}");
    }
    assert_eq!(http.post("/samples", binary, &frame(2)).0, 200);
    let grown = adapter.resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    assert_eq!(http.metric("lastmeter_rts_samples_total"), 2.0);
    let log = log(folder.path());
    let logged = log.lines().filter(|line| line.contains("answer_refused")).count();
    assert!((4..=30).contains(&logged), "{logged}");
    // More than is looked at is not even read.
    let (status, _) = http.post("/samples", binary, &vec![0; 70_000]);
    assert_eq!(status, 413);
}
