//! The adapter of real-time simulators by itself: frames over UDP and TCP, kills, garbage.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::{first_line, lastmeter};
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
    fn start(on: &str, broker: &str, folder: &Path) -> Self {
        Self::start_with(on, broker, folder, &[])
    }

    /// With more arguments.
    pub(crate) fn start_with(on: &str, broker: &str, folder: &Path, more: &[&str]) -> Self {
        let password = folder.join("password");
        std::fs::write(&password, "meters\n").unwrap();
        let log = OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let map = folder.join("map.toml");
        if !map.exists() {
            std::fs::write(&map, MAP).unwrap();
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

    fn kill(&mut self) {
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
    // Empty datagrams are none; of the others each reason is told, at its powers of ten only.
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("answer_refused")).collect();
    assert!(told.iter().any(|line| line.contains("(1000 so far)")), "{told:?}");
    assert!(told.len() <= 12, "{told:?}");
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
    for line in ["line 10: ", "line 20: "] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let list = path("points.csv", "u1,float,kV\ntap,integer,,to-simulator\n");
    let output =
        lastmeter().args(["rts", "check", "--import", "list"]).arg(&list).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("name = \"tap\""), "{printed}");
}
