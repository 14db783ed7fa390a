//! `lastmeter serve` on a disk that is full: clients that try again and again make neither its
//! files nor its log grow, what is stored is served, and once there is room everything goes on.
#![expect(clippy::disallowed_methods, reason = "how long a process takes is the machine's time")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lastmeter_link::http::{Client, HttpError};
use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use serde_json::Value;

use crate::repeats::Served;

const TOPIC: &str = "default/SiteWhere/input/json";
/// Clients at a time, and how often each is turned away.
const CLIENTS: usize = 4;
const ATTEMPTS: u32 = 50;
/// The longest that any one thing may take.
const LIMIT: Duration = Duration::from_mins(1);

/// A file system of a few megabytes in memory; gone when this is dropped.
struct SmallDisk {
    mounted: PathBuf,
}

impl SmallDisk {
    fn mount(folder: &Path) -> Result<Self, String> {
        let mounted = folder.join("disk");
        fs::create_dir(&mounted).unwrap();
        let arguments = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
        let mount = Command::new("mount").args(arguments).arg(&mounted).output();
        let output = mount.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(Self { mounted });
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// Takes all the room there is, that which was freed since included.
    fn fill(&self) {
        use std::io::Write as _;
        let filler = self.mounted.join("filler");
        let mut file = File::options().create(true).append(true).open(filler).unwrap();
        for bytes in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![0; bytes]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.mounted.join("filler")).unwrap();
    }

    fn segments(&self) -> usize {
        fs::read_dir(self.mounted.join("data/default/journal")).unwrap().count()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is left mounted goes with the machine; the test has judged already.
        let _ = Command::new("umount").arg("-l").arg(&self.mounted).output();
    }
}

fn reading(device: &str, serial: u64) -> Vec<u8> {
    format!(
        r#"{{"hardwareId":"{device}","type":"DeviceMeasurements","request":{{"measurements":{{
        "electricity.frequency":50.01}},"metadata":{{"serial":"{serial}","epoch":"1"}}}}}}"#
    )
    .into_bytes()
}

/// Sends one reading until it is acknowledged or has been turned away so often; how often it was.
async fn send(mqtt: &str, device: &str, serial: u64, attempts: u32) -> Result<(), u32> {
    let options = SessionOptions::new(mqtt, device, "default", "secret");
    let (session, mut events) = Session::open(options);
    let mut refused = 0;
    while refused < attempts {
        let event = tokio::time::timeout(LIMIT, events.recv()).await.expect("something happens");
        match event.expect("a session") {
            SessionEvent::Connected => {
                // If the connection is gone again, an event reports it.
                let _ = session.publish(serial, TOPIC, reading(device, serial).into()).await;
            }
            SessionEvent::Disconnected { .. } => refused += 1,
            SessionEvent::Acknowledged { .. } => return Ok(()),
            SessionEvent::Refused { refusal, .. } => panic!("{refusal:?}"),
            SessionEvent::TakenOver | SessionEvent::Received { .. } => {}
        }
    }
    Err(refused)
}

async fn readings(rest: &str) -> usize {
    let client = Client::new(rest, "secret").unwrap();
    let page: Value = client.get_json("/api/v1/readings?after=0&limit=100").await.unwrap();
    page["results"].as_array().unwrap().len()
}

async fn is_ready(rest: &str) -> bool {
    match Client::new(rest, "secret").unwrap().get_text("/readyz").await {
        Ok(_) => true,
        Err(HttpError::Status { status, .. }) => {
            assert_eq!(status.as_u16(), 503);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

async fn until_ready(rest: &str) {
    let ready = async { while !is_ready(rest).await {} };
    tokio::time::timeout(LIMIT, ready).await.expect("it is ready again");
}

/// What is acknowledged is durable, and stored a moment later.
async fn until_stored(served: &Served, count: usize) {
    let stored = async { while readings(&served.rest).await < count {} };
    tokio::time::timeout(LIMIT, stored).await.expect("it is stored");
    assert_eq!(readings(&served.rest).await, count);
}

/// Returns how many readings were acknowledged.
async fn attack(disk: &SmallDisk, served: &Served, log: &Path) -> usize {
    send(&served.mqtt, "first", 1, 1).await.expect("there is room");
    until_stored(served, 1).await;
    // What fits into the last block still goes through, and what is stored frees its segment. The
    // name is shorter than those of the clients below: what they send is no shorter.
    let (mut stored, mut refused_in_a_row) = (1, 0);
    while refused_in_a_row < 5 {
        disk.fill();
        if send(&served.mqtt, "l", stored, 1).await.is_ok() {
            (stored, refused_in_a_row) = (stored + 1, 0);
        } else {
            refused_in_a_row += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let (segments, lines) = (disk.segments(), fs::read_to_string(log).unwrap().lines().count());
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let mqtt = served.mqtt.clone();
        clients.spawn(async move { send(&mqtt, &format!("c{client}"), 1, ATTEMPTS).await });
    }
    while let Some(client) = clients.join_next().await {
        assert_eq!(client.unwrap(), Err(ATTEMPTS), "nothing is acknowledged");
    }
    assert_eq!(disk.segments(), segments, "{CLIENTS} clients x {ATTEMPTS} attempts");
    let text = fs::read_to_string(log).unwrap();
    let grown = text.lines().count() - lines;
    assert!(grown <= 10, "the log has grown by {grown} lines:\n{text}");
    assert!(!is_ready(&served.rest).await);
    assert!(readings(&served.rest).await >= 1, "what is stored is served");
    disk.free();
    send(&served.mqtt, "first", 2, 5).await.expect("there is room again");
    until_ready(&served.rest).await;
    // The two of `first`, and those of `l` that still went through.
    let acknowledged = stored as usize + 1;
    until_stored(served, acknowledged).await;
    acknowledged
}

#[test]
fn a_full_disk_is_survived_without_growth_and_reading_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(folder.path()) {
        Ok(disk) => disk,
        Err(why) => {
            println!("SKIPPED: a full disk: no file system may be mounted here: {why}");
            return;
        }
    };
    let data = disk.mounted.join("data");
    let log = folder.path().join("log");
    let start = || {
        let log = File::options().create(true).append(true).open(&log).unwrap();
        Served::start_logging(&data, "127.0.0.1:0", "127.0.0.1:0", log.into())
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut served = start();
    let before = runtime.block_on(attack(&disk, &served, &log));
    drop(served.child.stdin.take());
    assert!(served.child.wait().unwrap().success());

    disk.fill();
    let again = start();
    runtime.block_on(async {
        assert_eq!(readings(&again.rest).await, before);
        assert!(!is_ready(&again.rest).await);
        disk.free();
        until_ready(&again.rest).await;
        send(&again.mqtt, "first", 3, 5).await.expect("there is room again");
    });
}
