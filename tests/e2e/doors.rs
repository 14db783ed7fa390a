//! Doors beside MQTT, with the program as it is: `serve --door`, a kill, and a scenario with one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::*;

const LIMIT: Duration = Duration::from_secs(30);

/// A served platform with its ready line.
pub(crate) struct Served {
    child: Child,
    pub(crate) ready: Value,
}

impl Served {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_at(data, "127.0.0.1:0")
    }

    /// With its broker at an address.
    pub(crate) fn start_at(data: &Path, mqtt: &str) -> Self {
        Self::start_with(data, mqtt, Stdio::null())
    }

    fn start_with(data: &Path, mqtt: &str, log: Stdio) -> Self {
        let mut child = lastmeter()
            .args(["serve", "--token", "secret", "--device-token", "meters", "--mqtt"])
            .args([mqtt, "--rest", "127.0.0.1:0", "--door", "http=127.0.0.1:0"])
            .args(["--until-stdin-closes", "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let ready = first_line(&mut child);
        Self { child, ready }
    }

    /// Status and body of an answer of a door, or of REST.
    pub(crate) fn ask(
        &self,
        at: &str,
        secret: &str,
        request: &str,
        kind: &str,
        body: &str,
    ) -> (u16, Value) {
        let address = self.ready[at].as_str().unwrap().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Authorization: Bearer {secret}\r\nContent-Type: {kind}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was answered with success is there after a kill, once, however often it was sent.
#[test]
fn what_a_door_took_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let kind = "application/vnd.lastmeter.jsonbatch+json";
    let batch = |first: u64| {
        let reading = |serial: u64| {
            json!({ "measurements": { "electricity.frequency": 50.0 + serial as f64 / 100.0 },
                    "eventDate": "2027-01-18T17:00:00Z",
                    "metadata": { "serial": serial.to_string(), "epoch": "1" } })
        };
        let readings: Vec<Value> = (first..first + 10).map(reading).collect();
        json!([{ "hardwareId": "a", "measurements": readings },
               { "hardwareId": "b", "measurements": [reading(first)] }])
        .to_string()
    };
    for round in 0..3 {
        let mut served = Served::start(folder.path());
        for first in [round * 5 + 1, round * 5 + 6] {
            let (status, problem) =
                served.ask("http", "meters", "POST /input", kind, &batch(first));
            assert_eq!(status, 204, "{problem}");
        }
        served.kill();
    }
    let served = Served::start(folder.path());
    let (status, read) = served.ask("rest", "secret", "GET /api/v1/readings", "", "");
    assert_eq!(status, 200);
    let rows = read["results"].as_array().unwrap();
    let of = |device: &str| -> Vec<u64> {
        let own = rows.iter().filter(|row| row["device"] == device);
        own.map(|row| row["serial"].as_u64().unwrap()).collect()
    };
    assert_eq!(of("a"), (1..=25).collect::<Vec<_>>());
    assert_eq!(of("b"), [1, 6, 11, 16]);
    let (_, refused) = served.ask("rest", "secret", "GET /api/v1/refusals", "", "");
    assert_eq!(refused["results"], json!([]));
}

#[test]
fn a_scenario_opens_doors_on_either_kind_of_platform() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(library("platform-killed")).unwrap();
    let file = folder.path().join("with-door.toml");
    std::fs::write(&file, format!("{text}\n[[door]]\nkind = \"http\"\n")).unwrap();
    let out = folder.path().join("out");
    let done = lastmeter().arg("run").arg(&file).arg("--out").arg(&out).output().unwrap();
    let shown = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{shown}");
    let data = concat!("\"", env!("CARGO_MANIFEST_DIR"), "/scenarios/library/data/");
    let text = std::fs::read_to_string(library("first-light")).unwrap();
    let text = text.replace("\"data/", data);
    std::fs::write(&file, format!("{text}\n[[door]]\nkind = \"http\"\nconnections = 4\n")).unwrap();
    let out = folder.path().join("again");
    let done = lastmeter().arg("run").arg(&file).arg("--out").arg(&out).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_door_that_cannot_be_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    for (door, word) in [
        ("window=127.0.0.1:0", "`window`"),
        ("http", "KIND=HOST:PORT"),
        ("http=here", "--door"),
        ("mqtt=127.0.0.1:0", "always open"),
    ] {
        let done = lastmeter()
            .args(["serve", "--token", "t", "--mqtt", "127.0.0.1:0", "--rest", "127.0.0.1:0"])
            .args(["--door", door, "--data"])
            .arg(folder.path())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{door}: {shown}");
        assert!(shown.contains(word), "{door}: {shown}");
    }
}

#[test]
fn what_is_refused_is_answered_so_and_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let served = Served::start_with(&folder.path().join("data"), "127.0.0.1:0", file.into());
    let kind = "application/json";
    let reading = |volts: &str| {
        format!(
            r#"{{"hardwareId":"a","type":"DeviceMeasurements","request":{{
            "measurements":{{"electricity.voltage.rms.l1":{volts}}}}}}}"#
        )
    };
    let post = |body: &str| served.ask("http", "meters", "POST /input", kind, body);
    assert_eq!(post(&reading("230.1")).0, 204);
    for _ in 0..10 {
        let (status, problem) = post(&reading("-2.3e30"));
        assert_eq!((status, &problem["code"]), (422, &json!("implausible_value")), "{problem}");
    }
    // Nor is an answer to a command that nobody gave taken and refused a moment later.
    let answer = r#"{"hardwareId":"a","type":"Acknowledge","request":{
        "originatingEventId":"00000000000000000000001f","response":"ok"}}"#;
    let (status, problem) = post(answer);
    assert_eq!((status, &problem["code"]), (422, &json!("unknown_invocation")), "{problem}");
    let (status, problem) = served.ask("http", "secret", "POST /input", kind, &reading("230.1"));
    assert_eq!(status, 401);
    assert!(problem["detail"].as_str().unwrap().contains("not valid here"), "{problem}");
    let (_, page) = served.ask("rest", "secret", "GET /api/v1/readings", "", "");
    assert_eq!(page["results"].as_array().unwrap().len(), 1);
    drop(served);
    let text = std::fs::read_to_string(log).unwrap();
    let logged: Vec<&str> =
        text.lines().filter(|line| line.contains("refused; all stand")).collect();
    // The first and the tenth of one reason, the first of another.
    assert_eq!(logged.len(), 3, "{text}");
    assert!(
        logged[0].contains("implausible_value") && logged[0].contains("-2.3e30 V"),
        "{}",
        logged[0]
    );
}
