//! Simulators that are written to and that go away, with the programs as they are: commands over
//! REST down to a breaker, kills of all parties, and frames by the broker.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Stdio};

use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use serde_json::{Value, json};

use crate::bench::{first_line, lastmeter, library};
use crate::doors::Served;
use crate::simulators::{Adapter, frame, pause, readings, wait_until};

/// A simulator that runs.
struct Simulator(Child);

impl Simulator {
    fn start(to: &str, folder: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = lastmeter();
        command.args(["rts", "serve", &library("rts-meter-feeder"), "--on", to]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        assert_eq!(first_line(&mut child)["ready"], true);
        Self(child)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the platform give a command, and waits for its end.
fn command(served: &Served, folder: &Path, device: &str, token: &str, parameters: &Value) -> Value {
    let path = format!("GET /sitewhere/api/devices/{device}/assignment");
    let (status, assignment) = served.ask("rest", "secret", &path, "", "");
    assert_eq!(status, 200, "{assignment}");
    let assignment = assignment["token"].as_str().unwrap().to_owned();
    let body = json!({
        "initiator": "REST", "initiatorId": "test", "target": "Assignment",
        "commandToken": token, "parameterValues": parameters,
    });
    let path = format!("POST /sitewhere/api/assignments/{assignment}/invocations");
    let (status, made) = served.ask("rest", "secret", &path, "application/json", &body.to_string());
    assert!(status < 300, "{status} {made}");
    let path = format!("GET /sitewhere/api/invocations/{}", made["id"].as_str().unwrap());
    let mut last = Value::Null;
    wait_until(folder, || {
        last = served.ask("rest", "secret", &path, "", "").1;
        last["response"].is_null().then(|| format!("no answer: {last}"))
    });
    last
}

/// The last voltage at the far end.
fn far_end_v(served: &Served) -> Option<f64> {
    let rows = readings(served, "bus-3");
    rows.last().and_then(|(_, values)| values["electricity.voltage.rms.l1"].as_f64())
}

fn expect_voltage(served: &Served, folder: &Path, is_there: bool) {
    wait_until(folder, || {
        let found = far_end_v(served);
        let is_right =
            found.is_some_and(|volts| if is_there { volts > 200.0 } else { volts < 1.0 });
        (!is_right).then(|| format!("{found:?} V, expected a live line: {is_there}"))
    });
}

/// Simulator, adapter and platform each die and come back: what was written is written again, what
/// was measured is there once.
#[test]
fn what_was_written_stays_written_whoever_dies() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let map = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scenarios/points/feeder.toml"
    ))
    .unwrap();
    let data = folder.join("platform");
    let mut served = Served::start(&data);
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let mut adapter = Adapter::start_map(&map, "udp-listen:127.0.0.1:0", &broker, folder);
    let at = adapter.port();
    let to = format!("udp:{at}");
    let mut simulator = Simulator::start(&to, folder);
    expect_voltage(&served, folder, true);
    let open = command(&served, folder, "bus-2", "setBreaker", &json!({"state": "open"}));
    assert_eq!(open["response"], "sectioner = 0, reflected", "{open}");
    expect_voltage(&served, folder, false);

    // A simulator begins with its breaker closed, and is sent at once what it was.
    drop(simulator);
    pause(300);
    simulator = Simulator::start(&to, folder);
    pause(1500);
    expect_voltage(&served, folder, false);

    // So does the adapter, from what it kept.
    adapter.kill();
    drop(simulator);
    adapter = Adapter::start_map(&map, &format!("udp-listen:{at}"), &broker, folder);
    simulator = Simulator::start(&to, folder);
    pause(1500);
    expect_voltage(&served, folder, false);

    // A platform that was away gets what was measured in the meantime, once.
    served.kill();
    pause(1000);
    served = Served::start_at(&data, &broker);
    expect_voltage(&served, folder, false);
    let close = command(&served, folder, "bus-2", "setBreaker", &json!({"state": "closed"}));
    assert_eq!(close["response"], "sectioner = 1, reflected", "{close}");
    expect_voltage(&served, folder, true);
    let serials: Vec<u64> = readings(&served, "bus-3").iter().map(|(serial, _)| *serial).collect();
    assert_eq!(serials, (1..=serials.len() as u64).collect::<Vec<_>>());
    drop((simulator, adapter));
}

/// A simulator that publishes its frames: garbage first, then good ones.
#[test]
fn five_thousand_bad_payloads_cost_no_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let served = Served::start(&folder.join("platform"));
    let broker = served.ready["mqtt"].as_str().unwrap().to_owned();
    let adapter = Adapter::start("mqtt", &broker, folder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SessionOptions::new(&broker, "simulator", "default", "meters");
        let (session, mut events) = Session::open(options);
        loop {
            if matches!(events.recv().await.unwrap(), SessionEvent::Connected) {
                break;
            }
        }
        let topic = "default/rts/rack/frames";
        let send = async |number: u64, payload: Vec<u8>| {
            session.publish(number, topic.to_owned(), payload.into()).await.unwrap();
        };
        send(0, frame(1).to_vec()).await;
        pause(500);
        let before = adapter.resident_kib();
        for number in 1..=5000_u64 {
            let length = [1, 3, 7, 9, 1200][number as usize % 5];
            send(number, vec![number as u8; length]).await;
            while let Ok(Some(_)) =
                tokio::time::timeout(std::time::Duration::ZERO, events.recv()).await
            {}
        }
        for count in 2..=1001 {
            send(5000 + count as u64, frame(count).to_vec()).await;
            while let Ok(Some(_)) =
                tokio::time::timeout(std::time::Duration::ZERO, events.recv()).await
            {}
        }
        let drain = async { while events.recv().await.is_some() {} };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), drain).await;
        wait_until(folder, || {
            let rows = readings(&served, "counter");
            let register = "electricity.energy.active.consumed.l1";
            let found = rows.last().and_then(|(_, values)| values[register].as_f64());
            (found != Some(1001.0)).then(|| format!("{found:?}, expected 1001"))
        });
        let grown = adapter.resident_kib().saturating_sub(before);
        assert!(grown < 16 * 1024, "{grown} KiB more");
    });
    // Of each reason the 1st, 10th, 100th and 1000th are reported.
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("answer_refused")).collect();
    assert!(refused.iter().any(|line| line.contains("(1000 so far)")), "{refused:#?}");
    assert!(refused.len() < 20, "{refused:#?}");
    drop(adapter);
}
