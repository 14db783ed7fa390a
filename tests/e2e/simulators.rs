//! The adapter of real-time simulators by itself: frames over UDP and TCP, kills, garbage.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::{call, first_line, lastmeter};
use crate::doors::Served;

pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// A register that counts frames, and a voltage.
pub(crate) const MAP: &str = r#"format = 1
[simulator]
name = "rack"
wire_format = "gtnet-skt"
card = "gtnetx2"
sample_rate = "100 Hz"
[[point]]
name = "frames"
direction = "from-simulator"
type = "integer"
unit = "kWh"
least = "0 kWh"
greatest = "1000000000 kWh"
device = "counter"
quantity = "electricity.energy.active.consumed.l1"
[[point]]
name = "u"
direction = "from-simulator"
type = "float"
unit = "V"
least = "0 V"
greatest = "300 V"
device = "house"
quantity = "electricity.voltage.rms.l1"
"#;

pub(crate) fn frame(count: i32) -> [u8; 8] {
    let mut frame = [0; 8];
    frame[..4].copy_from_slice(&count.to_be_bytes());
    frame[4..].copy_from_slice(&230.5_f32.to_be_bytes());
    frame
}

/// An adapter that runs, with where it listens.
pub(crate) struct Adapter {
    pub(crate) child: Child,
    pub(crate) ready: Value,
}

impl Adapter {
    pub(crate) fn start(on: &str, broker: &str, folder: &Path) -> Self {
        Self::start_with(on, broker, folder, &[])
    }

    /// With another map.
    pub(crate) fn start_map(map: &str, on: &str, broker: &str, folder: &Path) -> Self {
        Self::start_of(map, on, broker, folder, &[])
    }

    /// With more arguments.
    pub(crate) fn start_with(on: &str, broker: &str, folder: &Path, more: &[&str]) -> Self {
        Self::start_of(MAP, on, broker, folder, more)
    }

    pub(crate) fn start_of(
        text: &str,
        on: &str,
        broker: &str,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let password = folder.join("password");
        std::fs::write(&password, "meters\n").unwrap();
        let log = OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let map = folder.join("map.toml");
        // One that a test has put there stays.
        if !map.exists() {
            std::fs::write(&map, text).unwrap();
        }
        let mut command = lastmeter();
        command.args(["rts", "bridge"]).arg(map).args(["--name", "rack", "--on", on]);
        command.args(["--mqtt", broker, "--mqtt-password-file"]).arg(password);
        command.args([
            "--set",
            "report_every = \"100 ms\"",
            "--set",
            "reduce = \"last\"",
            "--data",
        ]);
        command.arg(folder.join("outbox")).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let ready = first_line(&mut child);
        Self { child, ready }
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> SocketAddr {
        let place = self.ready["lines"][0].as_str().unwrap();
        place.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Its resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The readings of a device that a platform has, as serial and values.
pub(crate) fn readings(served: &Served, device: &str) -> Vec<(u64, Value)> {
    let (status, page) =
        served.ask("rest", "secret", "GET /api/v1/readings?after=0&limit=1000", "", "");
    assert_eq!(status, 200, "{page}");
    let rows = page["results"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["device"] == device);
    rows.map(|row| (row["serial"].as_u64().unwrap(), row["values"].clone())).collect()
}

pub(crate) fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Waits until something is so; else what was found, and the adapter's own words.
#[expect(clippy::disallowed_methods, reason = "a real line is waited for by the clock")]
pub(crate) fn wait_until(folder: &Path, mut missing: impl FnMut() -> Option<String>) {
    let begin = Instant::now();
    while let Some(missing) = missing() {
        if begin.elapsed() > LIMIT {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            panic!("{missing}\n{log}");
        }
        pause(50);
    }
}

const REGISTER: &str = "electricity.energy.active.consumed.l1";

/// Serials without gap or repetition from 1 on, and a register that never goes back.
fn expect_in_order(rows: &[(u64, Value)], least: usize) {
    assert!(rows.len() >= least, "{} readings", rows.len());
    let serials: Vec<u64> = rows.iter().map(|(serial, _)| *serial).collect();
    assert_eq!(serials, (1..=rows.len() as u64).collect::<Vec<_>>());
    let counts: Vec<f64> =
        rows.iter().map(|(_, values)| values[REGISTER].as_f64().unwrap()).collect();
    assert!(counts.is_sorted(), "{counts:?}");
}

#[test]
fn kills_lose_and_double_nothing_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let mut adapter = Adapter::start("udp-listen:127.0.0.1:0", &broker, folder.path());
    let at = adapter.port();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut count = 0;
    for _ in 0..8 {
        for _ in 0..30 {
            count += 1;
            socket.send_to(&frame(count), at).unwrap();
            pause(10);
        }
        adapter.kill();
        adapter = Adapter::start(&format!("udp-listen:{at}"), &broker, folder.path());
    }
    socket.send_to(&frame(count + 1), at).unwrap();
    let last = f64::from(count + 1);
    wait_until(folder.path(), || {
        let rows = readings(&served, "counter");
        let found = rows.last().and_then(|(_, values)| values[REGISTER].as_f64());
        (found != Some(last)).then(|| format!("{found:?}, expected {last}"))
    });
    expect_in_order(&readings(&served, "counter"), 8);
    let house = readings(&served, "house");
    assert!(house.iter().all(|(_, values)| values["electricity.voltage.rms.l1"] == 230.5));
}

#[test]
fn a_flood_of_garbage_costs_no_good_sample_and_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let adapter = Adapter::start("udp-listen:127.0.0.1:0", &broker, folder.path());
    let at = adapter.port();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&frame(1), at).unwrap();
    pause(300);
    let before = adapter.resident_kib();
    for number in 0..5000_u32 {
        let length = [0, 3, 7, 9, 1200][number as usize % 5];
        socket.send_to(&vec![number as u8; length], at).unwrap();
        if number % 50 == 0 {
            pause(2);
        }
    }
    for count in 2..=1000 {
        socket.send_to(&frame(count), at).unwrap();
        if count % 20 == 0 {
            pause(2);
        }
    }
    wait_until(folder.path(), || {
        let rows = readings(&served, "counter");
        let found = rows.last().and_then(|(_, values)| values[REGISTER].as_f64());
        (found != Some(1000.0)).then(|| format!("{found:?}, expected 1000"))
    });
    let grown = adapter.resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    expect_in_order(&readings(&served, "counter"), 2);
    // Empty datagrams are none; of the others each reason is logged, at its powers of ten only.
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let logged: Vec<&str> = log.lines().filter(|line| line.contains("answer_refused")).collect();
    assert!(logged.iter().any(|line| line.contains("(1000 so far)")), "{logged:?}");
    assert!(logged.len() <= 12, "{logged:?}");
}

#[test]
fn a_stream_is_read_however_it_is_cut_and_half_a_frame_never() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let on = format!("tcp:{}", listener.local_addr().unwrap());
    let _adapter = Adapter::start(&on, &broker, folder.path());
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in frame(1) {
        stream.write_all(&[byte]).unwrap();
        pause(20);
    }
    let seven: Vec<u8> = (2..=8).flat_map(frame).collect();
    stream.write_all(&seven).unwrap();
    pause(200);
    let half: Vec<u8> = (9..=12).flat_map(frame).collect();
    stream.write_all(&half[..28]).unwrap();
    pause(200);
    drop(stream);
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(&frame(20)).unwrap();
    wait_until(folder.path(), || {
        let rows = readings(&served, "counter");
        let found = rows.last().and_then(|(_, values)| values[REGISTER].as_f64());
        (found != Some(20.0)).then(|| format!("{found:?}, expected 20"))
    });
    let rows = readings(&served, "counter");
    expect_in_order(&rows, 3);
    let counts: Vec<f64> =
        rows.iter().map(|(_, values)| values[REGISTER].as_f64().unwrap()).collect();
    assert!(counts.contains(&8.0) && counts.contains(&11.0), "{counts:?}");
    assert!(!counts.contains(&12.0), "{counts:?}");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("truncated"), "{log}");
}

/// The watcher of a map, with its output as JSON.
fn watcher(folder: &Path, map: &str, on: &str, more: &[&str]) -> Child {
    let path = folder.join("map.toml");
    std::fs::write(&path, map).unwrap();
    let mut command = lastmeter();
    command.args(["rts", "watch"]).arg(&path).args(["--on", on, "--format", "json"]).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a watcher that ended has printed, and its exit code.
fn watched(child: Child) -> (Vec<Value>, Option<i32>) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, output.status.code())
}

/// Watches the map above on a free port, and sends it some datagrams. Gives what was printed behind
/// the first line, and the exit code.
fn watch(more: &[&str], datagrams: &[Vec<u8>]) -> (Vec<Value>, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let more = [&["--for", "2 s"], more].concat();
    let mut child = watcher(folder.path(), MAP, "udp-listen:127.0.0.1:0", &more);
    let ready = first_line(&mut child);
    let at: SocketAddr =
        ready["line"].as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for datagram in datagrams {
        socket.send_to(datagram, at).unwrap();
        pause(10);
    }
    watched(child)
}

#[test]
fn what_a_simulator_sends_is_shown_by_its_map() {
    let good: Vec<Vec<u8>> = (1..=60).map(|count| frame(count).to_vec()).collect();
    let (lines, code) = watch(&["--strict", "--every", "500 ms"], &good);
    let summary = lines.last().unwrap();
    assert_eq!(
        (code, &summary["summary"], &summary["samples"]),
        (Some(0), &true.into(), &60.into())
    );
    assert_eq!((&summary["refused"], &summary["sequence"]), (&0.into(), &Value::Null));
    let rate = summary["rate_mean_hz"].as_f64().unwrap();
    assert!(rate > 5.0 && rate < 110.0, "{summary}");
    assert!(summary["jitter_s"].as_f64().unwrap() > 0.0, "{summary}");
    let [counter, voltage] = summary["points"].as_array().unwrap().as_slice() else {
        panic!("{summary}");
    };
    let values = ["last", "least", "greatest", "mean"].map(|key| counter[key].as_f64().unwrap());
    assert_eq!(values, [60.0, 1.0, 60.0, 30.5]);
    assert_eq!((&voltage["mean"], &voltage["unit"]), (&230.5.into(), &"V".into()));
    // One object for each period, each with all that came so far.
    let periods: Vec<u64> = lines[..lines.len() - 1]
        .iter()
        .filter(|line| line.get("event").is_none())
        .map(|line| line["samples"].as_u64().unwrap())
        .collect();
    assert!(periods.len() >= 2 && periods.is_sorted(), "{periods:?}");
}

#[test]
fn what_does_not_fit_its_map_is_an_event_and_with_strict_an_exit_code() {
    let swapped = |count: i32| {
        // 230.3 V read in reverse order is far below 0 V.
        [count.to_le_bytes(), 230.3_f32.to_le_bytes()].concat()
    };
    let mut datagrams: Vec<Vec<u8>> = (1..=5).map(swapped).collect();
    datagrams.extend([vec![0; 7], vec![0; 12], vec![0; 12]]);
    for (strict, expected) in [(&["--strict"][..], 1), (&[], 0)] {
        // No period is ever over: events do not wait for one.
        let (lines, code) = watch(&[strict, &["--every", "60 s"]].concat(), &datagrams);
        assert_eq!(code, Some(expected), "{lines:?}");
        let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
        assert_eq!(events, ["up", "finding", "refusal", "refusal"]);
        let summary = lines.last().unwrap();
        assert_eq!((&summary["samples"], &summary["refused"]), (&5.into(), &3.into()));
        let refusals = summary["refusals"].as_array().unwrap();
        let too_many = refusals.iter().find(|one| one["reason"] == "too-many-values").unwrap();
        assert_eq!(too_many["count"], 2, "{summary}");
        assert!(too_many["last"].as_str().unwrap().contains("found 3 values"), "{summary}");
        assert!(summary["faults"].as_array().unwrap().len() >= 3, "{summary}");
    }
}

#[test]
fn a_lost_stream_is_connected_again_and_nothing_is_written_to_it() {
    let map = MAP.replace("type = \"integer\"", "type = \"float\"");
    let map = map.replace("gtnet-skt", "opal-asyncip").replace("gtnetx2", "none");
    // A watcher writes no initial values.
    let map = map
        + "[[point]]\nname = \"tap\"\ndirection = \"to-simulator\"\ntype = \"float\"\n\
           least = -8\ngreatest = 8\ngreatest_change_per_second = 1\ninitial = 0\nsafe_value = 0\n";
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let on = format!("tcp:{}", listener.local_addr().unwrap());
    let child = watcher(folder.path(), &map, &on, &["--for", "3 s", "--every", "100 ms"]);
    let (mut lost, _) = listener.accept().unwrap();
    // A header that announces a negative length.
    lost.write_all(&[0xff; 64]).unwrap();
    // One that never comes is no reason to wait longer than the watcher lives.
    listener.set_nonblocking(true).unwrap();
    let mut stream = None;
    for _ in 0..60 {
        stream = stream.or_else(|| listener.accept().ok());
        pause(if stream.is_some() { 0 } else { 50 });
    }
    let (mut stream, _) = stream.expect("a second connection");
    stream.set_nonblocking(false).unwrap();
    let mut sent = vec![0, 0, 1, 0, 0, 0, 16, 0];
    sent.extend([7.0_f64, 230.5].map(f64::to_le_bytes).concat());
    stream.write_all(&sent).unwrap();
    let (lines, code) = watched(child);
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received, [0_u8; 0]);
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["up", "refusal", "lost", "down", "up"], "{lines:?}");
    let summary = lines.last().unwrap();
    assert_eq!((code, &summary["samples"]), (Some(0), &1.into()), "{summary}");
    assert_eq!(summary["points"][1]["last"], 230.5);
}

#[test]
fn what_cannot_be_watched_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let none = MAP.split("[[point]]").next().unwrap();
    let villas = MAP.replace("gtnet-skt", "villas-binary").replace("gtnetx2", "none");
    for (map, on, more, expected) in [
        (MAP, "udp-listen:127.0.0.1:0", &["--every", "1 ms"][..], "from `10 ms` on"),
        (MAP, "nowhere", &[], "--on: "),
        (none, "udp-listen:127.0.0.1:0", &[], "map.toml: "),
        (&villas, "tcp-listen:127.0.0.1:0", &[], "no marks between the messages of a stream"),
    ] {
        let output = watcher(folder.path(), map, on, more).wait_with_output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.starts_with("error: ") && printed.contains(expected), "{printed}");
    }
}

#[test]
fn a_map_is_described_or_all_its_mistakes_are_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = path("good.toml", MAP);
    let output = lastmeter().args(["rts", "check"]).arg(&good).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("from-simulator: 2 points, card at most 5000 Hz"), "{printed}");
    let bad = MAP.replace("\"V\"", "\"kA\"").replace("type = \"integer\"", "type = \"text\"");
    let bad = path("bad.toml", &bad);
    let output = lastmeter().args(["rts", "check"]).arg(&bad).output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{printed}");
    for place in ["bad.toml:10:8", "bad.toml:20:8", "unit = \"kA\"", "       ^^^^"] {
        assert!(printed.contains(place), "{place}: {printed}");
    }
    let list = path("points.csv", "u1,float,kV\ntap,integer,,to-simulator\n");
    let output =
        lastmeter().args(["rts", "check", "--import", "list"]).arg(&list).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("name = \"tap\""), "{printed}");
}

#[test]
fn a_scenario_whose_simulator_cannot_be_played_so_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/");
    let text = std::fs::read_to_string(format!("{scenarios}library/rts-meter-feeder.toml"));
    let text = text.unwrap().replace("../", scenarios);
    let real = text.replace("seed = 2027", "seed = 2027\ntime = \"real\"");
    let real = real.replace("delay = \"2 ms\"", "line = \"udp-listen:127.0.0.1:7202\"");
    let simulator = |text: &str| {
        let (begin, end) = (text.find("[[simulator]]").unwrap(), text.find("[[gateway]]").unwrap());
        format!("{}{}", &text[..begin], &text[end..])
    };
    for (name, text, expected) in [
        (
            "steps",
            text.replace("step = \"20 ms\"", "step = \"33 ms\""),
            "`step` of 33 ms is not a whole",
        ),
        (
            "periods",
            text.replace("reflect_within", "report_every = \"333 ms\"\nreflect_within"),
            "`report_every` of 333 ms is not a whole number of frames at 50 Hz",
        ),
        ("nobody", simulator(&text), "no simulator is on the network"),
        ("beside", real.clone(), "the simulator of a real line is at the other end of it"),
        ("virtual", real.replace("time = \"real\"\n", ""), "has a clock of their own"),
    ] {
        let path = folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        let done = call(&["validate", path.to_str().unwrap()]);
        assert!(done.code == 2 && done.stderr.contains(expected), "{name}: {done:?}");
    }
    // Two maps of one line may be what is tested, so they are a warning and end nothing.
    let path = folder.path().join("maps.toml");
    let text = text.split("[[must_fail]]").next().unwrap();
    std::fs::write(&path, text.replacen("feeder.toml", "feeder-shifted.toml", 1)).unwrap();
    let done = call(&["validate", path.to_str().unwrap()]);
    assert!(done.code == 0 && done.stderr.contains("warning[W010]"), "{done:?}");
    assert!(!done.stderr.contains("error"), "{done:?}");
}

#[test]
fn a_scenario_that_does_not_have_what_feeds_its_points_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/");
    let text_of_map = |from: &str, to: &str| {
        let map = std::fs::read_to_string(format!("{scenarios}points/fed.toml")).unwrap();
        let path = folder.path().join("fed.toml");
        std::fs::write(&path, map.replace(from, to)).unwrap();
        let fed = std::fs::read_to_string(format!("{scenarios}library/rts-fed.toml")).unwrap();
        let fed = fed.split("[[must_fail]]").next().unwrap().to_owned();
        fed.replace("../points/fed.toml", path.to_str().unwrap()).replace("../", scenarios)
    };
    let quantity = "device:hall-meter/electricity.power.active.consumed.total\"\nevery = \"1 s\"";
    let path = folder.path().join("topic.toml");
    let real = |text: String| text.replace("seed = 2027", "seed = 2027\ntime = \"real\"");
    let killed = |text: String| format!("{text}\n[[inject]]\nat = \"9 s\"\nkind = \"kill\"\n");
    for (topic, change, expected) in [
        ("default/live/device/+", None, ""),
        ("default/live/device/+", Some(&real as &dyn Fn(String) -> String), ""),
        ("default/live/device/+", Some(&killed), "of a platform that is killed"),
        ("default/rts/other/points", None, "on which nobody publishes here"),
    ] {
        let text = text_of_map(quantity, &format!("topic:{topic}\"\npointer = \"/p\""));
        let text = change.map_or(text.clone(), |change| change(text));
        std::fs::write(&path, text).unwrap();
        let done = call(&["validate", path.to_str().unwrap()]);
        let is_named = done.stderr.contains("point `load` (line 31) is fed");
        assert_ne!(is_named, expected.is_empty(), "{done:?}");
        assert!(done.stderr.contains(expected), "{done:?}");
    }
    let strange = "is no device of the scenario";
    for from in [
        quantity.replace("hall-meter", "hall-metre"),
        "topic:default/live/device/hall-metre\"\npointer = \"/p\"".to_owned(),
    ] {
        std::fs::write(&path, text_of_map(quantity, &from)).unwrap();
        let done = call(&["validate", path.to_str().unwrap()]);
        assert!(done.code == 2 && done.stderr.contains(strange), "{done:?}");
        assert!(done.stderr.contains("did you mean `hall-meter`?"), "{done:?}");
    }
    let nobody = text_of_map("", "").replace("reads_as = \"adapter\"\n", "");
    std::fs::write(&path, &nobody).unwrap();
    let done = call(&["validate", path.to_str().unwrap()]);
    assert!(done.code == 2 && done.stderr.contains("write `reads_as`"), "{done:?}");
}
