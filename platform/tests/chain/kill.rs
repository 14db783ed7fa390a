//! A platform in a process of its own, killed in the middle of a burst, again and again: whatever
//! was acknowledged is there afterwards, the refused too, and nothing is there twice.
//!
//! The process is this test binary itself, started again to run `child` only.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lastmeter_platform::{ClockSource, Config, Platform, Token};

use crate::common::{Sender, bad, client, read_back, reading};

/// Gives the child the place of its data.
const DATA: &str = "LASTMETER_TEST_KILL_DATA";
/// How often the process is killed.
const KILLS: u64 = 4;
/// Messages queued per round, good and bad.
const BURST: u64 = 600;

/// A running child; killed when this is dropped.
struct Served {
    child: Child,
    mqtt: SocketAddr,
    rest: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL; an error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(data: &Path) -> Served {
    let mut child = Command::new(std::env::current_exe().expect("a test binary"))
        .args(["kill::child", "--exact", "--nocapture"])
        .env(DATA, data)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut address = |name: &str| loop {
        let line = lines.next().expect("the child starts").expect("a line");
        if let Some((_, address)) = line.split_once(name) {
            break address.trim().parse().expect("an address");
        }
    };
    let (mqtt, rest) = (address("mqtt="), address("rest="));
    Served { child, mqtt, rest }
}

/// The platform that is killed; does nothing when it is run as an ordinary test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let mut config =
        Config::embedded(Path::new(&data), Token::new(crate::common::TOKEN), ClockSource::Wall);
    // Small segments, so that kills also meet their borders and trimming.
    config.limits.segment_bytes = 64 * 1024;
    let platform = Platform::start(config).await.expect("a platform");
    println!("mqtt={}", platform.mqtt_address());
    println!("rest={}", platform.rest_address());
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_missing_after_any_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = BTreeSet::new();
    for round in 0..KILLS {
        let served = serve(folder.path());
        let numbers = round * BURST + 1..=(round + 1) * BURST;
        let mut sender = Sender::open(served.mqtt, "sender");
        for number in numbers {
            sender.queue(number, message(number));
        }
        // Killed with the next ones on their way; each round at another point of the burst.
        let enough = (BURST / (KILLS + 1) * (round + 1)) as usize;
        sender.run(|sender| sender.acknowledged.len() >= enough).await;
        drop(served);
        assert!(sender.acknowledged.len() >= enough);
        acknowledged.append(&mut sender.acknowledged);
    }
    check(folder.path(), &acknowledged).await;
}

/// Every third is bad; its number is in its hardware id, so that its record can be found. Of the
/// others every fifth is an alert with its number as the text.
fn message(number: u64) -> Vec<u8> {
    match kind(number) {
        Kind::Bad => bad(&device(number), 2).0,
        Kind::Alert => format!(
            r#"{{"hardwareId":"good","type":"DeviceAlert","request":{{"type":"t","level":"Info",
            "message":"{number}"}}}}"#
        )
        .into_bytes(),
        Kind::Reading => reading("good", number),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bad,
    Alert,
    Reading,
}

fn kind(number: u64) -> Kind {
    match (number.is_multiple_of(3), number.is_multiple_of(5)) {
        (true, _) => Kind::Bad,
        (false, true) => Kind::Alert,
        (false, false) => Kind::Reading,
    }
}

fn device(number: u64) -> String {
    format!("bad-{number}")
}

async fn check(data: &Path, acknowledged: &BTreeSet<u64>) {
    let served = serve(data);
    let client = client(served.rest);
    let readings = read_back(&client, "/api/v1/readings").await;
    let stored: Vec<u64> =
        readings.iter().map(|row| row["serial"].as_u64().expect("a serial")).collect();
    let once: BTreeSet<u64> = stored.iter().copied().collect();
    assert_eq!(once.len(), stored.len(), "nothing is there twice");
    let refusals = read_back(&client, "/api/v1/refusals").await;
    let refused: BTreeSet<&str> =
        refusals.iter().map(|row| row["device"].as_str().expect("a device")).collect();
    let alerts = read_back(&client, "/api/v1/alerts").await;
    let alerted: Vec<String> =
        alerts.iter().map(|row| row["message"].as_str().expect("a text").to_owned()).collect();
    let unique: BTreeSet<&String> = alerted.iter().collect();
    assert_eq!(unique.len(), alerted.len(), "no alert is there twice");
    for number in acknowledged {
        let there = match kind(*number) {
            Kind::Bad => refused.contains(device(*number).as_str()),
            Kind::Alert => unique.contains(&number.to_string()),
            Kind::Reading => once.contains(number),
        };
        assert!(there, "message {number} was acknowledged and is missing");
    }
    assert!(
        readings.iter().all(|row| row["serial"].as_u64().is_some_and(|s| kind(s) == Kind::Reading))
    );
}
