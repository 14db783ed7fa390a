//! Good readings among hostile messages, and a platform that is killed right after its last PUBACK.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use serde_json::Value;

use crate::repeats::Served;

const TOPIC: &str = "default/SiteWhere/input/json";
const WARM_UP: u64 = 500;
const GOOD: u64 = 1000;

/// The sender under test: what it publishes is only given up once it is acknowledged.
struct Sender {
    session: Session,
    events: SessionEvents,
    message: u64,
}

impl Sender {
    async fn open(address: &str) -> Self {
        let options = SessionOptions {
            // Lets through what the broker must not.
            packet_limit_bytes: 2 << 20,
            ..SessionOptions::new(address, "sender", "default", "secret")
        };
        let (session, events) = Session::open(options);
        let mut sender = Self { session, events, message: 0 };
        assert_eq!(sender.next().await, SessionEvent::Connected);
        sender
    }

    async fn next(&mut self) -> SessionEvent {
        let event = tokio::time::timeout(Duration::from_secs(30), self.events.recv()).await;
        event.expect("nothing happened on the session for 30 s").expect("the session ended")
    }

    async fn publish(&mut self, payload: Vec<u8>) {
        self.message += 1;
        self.session.publish(self.message, TOPIC, payload.into()).await.unwrap();
    }

    /// Publishes, and waits for the PUBACK.
    async fn deliver(&mut self, payload: Vec<u8>) {
        self.publish(payload).await;
        let acknowledged = SessionEvent::Acknowledged { message: self.message };
        assert_eq!(self.next().await, acknowledged);
    }

    /// Publishes what the broker must not take: the connection is lost, and comes back.
    async fn overload(&mut self) {
        self.publish(vec![b'x'; 1 << 20]).await;
        let lost = self.next().await;
        assert!(matches!(lost, SessionEvent::Disconnected { .. }), "{lost:?}");
        // It may come back before its last connection is cleared away, and has to try again then.
        loop {
            match self.next().await {
                SessionEvent::Connected => return,
                SessionEvent::Disconnected { reason } => {
                    assert!(reason.contains("unavailable"), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn good(serial: u64) -> Vec<u8> {
    format!(
        r#"{{"hardwareId":"meter","type":"DeviceMeasurements","request":{{"measurements":{{
        "electricity.voltage.rms.l1":{},"electricity.frequency":50.01}},
        "eventDate":"2027-01-18T17:00:00.{:03}Z",
        "metadata":{{"serial":"{serial}","epoch":"1"}}}}}}"#,
        230.0 + serial as f64 / 1000.0,
        serial % 1000
    )
    .into_bytes()
}

/// A hostile message, and the reason for which it has to be refused.
fn hostile(number: u64) -> (Vec<u8>, &'static str) {
    let request = |body: &str| {
        format!(r#"{{"hardwareId":"meter","type":"DeviceMeasurements","request":{body}}}"#)
            .into_bytes()
    };
    let measurements = |body: &str| request(&format!(r#"{{"measurements":{{{body}}}}}"#));
    match number % 10 {
        0 => (vec![0xff, 0xfe, 0x00, 0x80], "not_utf8"),
        1 => (b"{\"hardwareId\":\"meter\"".to_vec(), "not_json"),
        2 => (request(r#"{"measurements":[50]}"#), "wrong_type"),
        3 => (measurements(r#""electricity.frequency":1e999"#), "not_a_number"),
        4 => (measurements(r#""electricity.frequenzy":50"#), "unknown_identifier"),
        5 => (br#"{"type":"DeviceMeasurements","request":{}}"#.to_vec(), "missing_field"),
        6 => (
            request(r#"{"measurements":{"electricity.frequency":50},"eventDate":"yesterday"}"#),
            "bad_date",
        ),
        7 => (measurements(r#""electricity.frequency":50,"electricity.frequency":51"#), "duplicate_key"),
        // Under the packet limit, above what a message may hold.
        8 => (vec![b' '; 200_000], "too_large"),
        _ => (br#"{"hardwareId":"a/b","type":"DeviceMeasurements","request":{"measurements":{"electricity.frequency":50}}}"#.to_vec(), "bad_hardware_id"),
    }
}

/// Most memory the process ever had, KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Everything REST reads back from one of the bench's lists.
async fn read_all(rest: &str, list: &str) -> Vec<Value> {
    let client = Client::new(rest, "secret").unwrap();
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let path = format!("/api/v1/{list}?after={after}&limit=500");
        let page: Value = client.get_json(&path).await.unwrap();
        all.extend(page["results"].as_array().unwrap().iter().cloned());
        after = page["last"].as_u64().unwrap();
        if page["more"] != true {
            return all;
        }
    }
}

/// The whole of it; returns how many of each reason were sent.
async fn attack(served: &Served) -> BTreeMap<&'static str, u64> {
    let mut sender = Sender::open(&served.mqtt).await;
    for serial in 1..=WARM_UP {
        sender.deliver(good(serial)).await;
        // Hostile ones too: what they need once is not growth.
        sender.deliver(hostile(serial).0).await;
    }
    sender.overload().await;
    let warm = peak_kib(served.child.id());
    let mut sent = BTreeMap::new();
    for number in 0..WARM_UP {
        *sent.entry(hostile(number + 1).1).or_default() += 1;
    }
    for number in 0..GOOD {
        if number % 250 == 100 {
            sender.overload().await;
        }
        let (payload, reason) = hostile(number);
        sender.deliver(payload).await;
        *sent.entry(reason).or_default() += 1;
        sender.deliver(good(WARM_UP + 1 + number)).await;
    }
    let grown = peak_kib(served.child.id()).saturating_sub(warm);
    println!("peak memory after warm-up {warm} KiB, grown by {grown} KiB");
    assert!(grown < 16 * 1024, "peak memory grew by {grown} KiB");
    sent
}

fn check(sent: &BTreeMap<&'static str, u64>, readings: &[Value], refusals: &[Value]) {
    let serials: Vec<u64> =
        readings.iter().map(|reading| reading["serial"].as_u64().unwrap()).collect();
    assert_eq!(serials, (1..=WARM_UP + GOOD).collect::<Vec<_>>());
    for (reading, serial) in readings.iter().zip(serials) {
        let voltage = &reading["values"]["electricity.voltage.rms.l1"];
        assert_eq!(voltage.as_f64(), Some(230.0 + serial as f64 / 1000.0), "{reading}");
        let time = format!("2027-01-18T17:00:00.{:03}Z", serial % 1000);
        assert_eq!(reading["event_time"], time.as_str(), "{reading}");
    }
    let mut refused = BTreeMap::new();
    for refusal in refusals {
        *refused.entry(refusal["reason"].as_str().unwrap()).or_default() += 1;
    }
    // Above the packet limit nothing is acknowledged, but it is noted.
    let dropped = refused.remove("packet_too_large");
    assert_eq!(dropped, Some(5));
    assert_eq!(&refused, sent);
}

fn data(folder: &Path) -> std::path::PathBuf {
    folder.join("data")
}

#[test]
fn hostile_messages_are_refused_durably_and_good_ones_stored() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = Served::start(&data(folder.path()), "127.0.0.1:0", "127.0.0.1:0");
    let sent = runtime.block_on(attack(&served));
    // Right after the last PUBACK.
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let again = Served::start(&data(folder.path()), "127.0.0.1:0", "127.0.0.1:0");
    let (readings, refusals) = runtime.block_on(async {
        (read_all(&again.rest, "readings").await, read_all(&again.rest, "refusals").await)
    });
    check(&sent, &readings, &refusals);
}
