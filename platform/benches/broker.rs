//! How many messages of 1.3 kB with five values 50 connections get through, QoS 1: to the bare
//! broker, with and without a journal behind it, and to whole platforms, until they can be queried.
//!
//! The row with the journal is what the platform's figure is compared with: same broker, same
//! clients on the same cores, and a journal that does nothing but append, sync the group with
//! `fdatasync` and let go of the PUBACKs. The other measure is a loop that inserts the same values
//! into SQLite, durable by groups. `append and sync` is the cost of one such sync alone; where it
//! is above 0.5 ms the other rows measure the disk.
//!
//! Platforms are programs that serve: `LASTMETER_SERVE` names them, `NAME=PROGRAM` each and a comma
//! between them, such as this build and an earlier one. Without it there is no such row.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_link::http::{Client, JSON};
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

#[expect(dead_code, unused_imports, reason = "the benchmark publishes and does nothing else")]
#[path = "../src/broker/mod.rs"]
mod broker;
#[expect(dead_code, unused_imports, reason = "the broker asks whether a format is there, no more")]
#[path = "../src/format/mod.rs"]
mod format;
#[expect(dead_code, unused_imports, reason = "of the platform's ports there is one here")]
#[path = "../src/gate/mod.rs"]
mod gate;
#[expect(unused_imports, reason = "tests are those of the package")]
#[path = "../src/log_throttle.rs"]
mod log_throttle;
#[expect(dead_code, reason = "everybody is let in")]
#[path = "../src/port.rs"]
mod port;
#[expect(dead_code, unused_imports, reason = "of the ports with TLS there is one here")]
#[path = "../src/tls/mod.rs"]
mod tls;

use broker::{Broker, BrokerConfig, ConnectLimits, QueueLimits};
use gate::{Gate, GuessLimits};
use lastmeter_model::access::{Action, Decision, Principal, PrincipalRef, Scope};
use lastmeter_model::refusal::RefusalReason;
use lastmeter_units::{HardwareId, TenantName};
use port::{Arrival, IngestPort, NotDurable, Presented, Verdict};

const CONNECTIONS: usize = 50;
const MESSAGES_PER_CONNECTION: u64 = 200;
const PAYLOAD_BYTES: usize = 1300;
const TOPIC: &str = "default/SiteWhere/input/json";

type Append = (Bytes, oneshot::Sender<()>);

/// A platform that appends what arrives, or does nothing with it at all.
struct Platform {
    journal: Option<mpsc::Sender<Append>>,
}

impl Platform {
    fn journalling() -> Self {
        let (appends, queue) = mpsc::channel(10_000);
        std::thread::spawn(move || journal(queue));
        Self { journal: Some(appends) }
    }
}

#[async_trait]
impl IngestPort for Platform {
    async fn accept(&self, _: &TenantName, arrival: Arrival) -> Result<Verdict, NotDurable> {
        if let Some(journal) = &self.journal {
            let gone = || NotDurable { why: "the journal ended".into() };
            let (done, durable) = oneshot::channel();
            journal.send((arrival.payload, done)).await.map_err(|_| gone())?;
            durable.await.map_err(|_| gone())?;
        }
        Ok(Verdict::Stored)
    }

    async fn refuse(
        &self,
        _: &TenantName,
        refusal: RefusalReason,
        (_, topic): (&str, &str),
        detail: &str,
    ) -> Result<(), NotDurable> {
        panic!("nothing is refused here, but {} was: {topic} {detail}", refusal.word())
    }

    fn count(&self, refusal: RefusalReason) {
        panic!("nothing is refused here, but {} was", refusal.word())
    }

    async fn record(
        &self,
        refusal: RefusalReason,
        _device: Option<&str>,
        detail: &str,
    ) -> Result<(), NotDurable> {
        panic!("nothing is refused here, but {} was: {detail}", refusal.word())
    }

    async fn identify(&self, _: Presented<'_>) -> Option<Principal> {
        Some(Principal::of(PrincipalRef::SharedDevices, TenantName::default()))
    }

    fn decide(&self, _: &Principal, _: Action, _: &str) -> Decision {
        Decision::Yes(Scope::All)
    }

    fn listens(&self, _: &TenantName, _: &'static str, _: HardwareId) {}
}

/// A file on the disk that the build is on; `/tmp` may be memory.
fn file() -> File {
    tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a file beside the build")
}

/// Appends whatever waits, syncs once, lets all of it go.
fn journal(mut queue: mpsc::Receiver<Append>) {
    let mut file = file();
    let mut group = Vec::new();
    while queue.blocking_recv_many(&mut group, 10_000) > 0 {
        let mut block = Vec::with_capacity(group.len() * (PAYLOAD_BYTES + 8));
        for (payload, _) in &group {
            block.extend((payload.len() as u64).to_le_bytes());
            block.extend_from_slice(payload);
        }
        file.write_all(&block).expect("room on the disk");
        file.sync_data().expect("a disk that syncs");
        for (_, done) in group.drain(..) {
            // The connection may be gone.
            let _ = done.send(());
        }
    }
}

/// One connection's share: publishes and waits for every PUBACK.
async fn send(session: &Session, events: &mut SessionEvents, payloads: Vec<Bytes>) {
    let count = payloads.len();
    let publishing = async {
        for (message, payload) in (0..).zip(payloads) {
            session.publish(message, TOPIC, payload).await.expect("a connection");
        }
    };
    let hearing = async {
        for _ in 0..count {
            let event = events.recv().await.expect("a session");
            assert!(matches!(event, SessionEvent::Acknowledged { .. }), "{event:?}");
        }
    };
    tokio::join!(publishing, hearing);
}

/// The connections, given back after a round.
type Senders = Vec<(Session, SessionEvents)>;

async fn connect(address: &str) -> Senders {
    let mut senders = Vec::new();
    for client in 0..CONNECTIONS {
        let options = SessionOptions::new(address, &format!("meter-{client}"), "default", "x");
        let (session, mut events) = Session::open(options);
        assert_eq!(events.recv().await, Some(SessionEvent::Connected));
        senders.push((session, events));
    }
    senders
}

async fn round(senders: Senders, payloads: Vec<Vec<Bytes>>) -> Senders {
    let tasks: Vec<_> = senders
        .into_iter()
        .zip(payloads)
        .map(|((session, mut events), payloads)| {
            tokio::spawn(async move {
                send(&session, &mut events, payloads).await;
                (session, events)
            })
        })
        .collect();
    let mut senders = Vec::new();
    for task in tasks {
        senders.push(task.await.expect("a sender"));
    }
    senders
}

fn config() -> BrokerConfig {
    let wrong = GuessLimits { burst: 10, per_minute: 60, wait: Duration::from_secs(5) };
    BrokerConfig {
        address: ([127, 0, 0, 1], 0).into(),
        plain: true,
        tls: None,
        packet_limit_bytes: 256 * 1024,
        connections: 100_000,
        plain_connections: 100_000,
        unauthenticated: 1024,
        limits: ConnectLimits {
            first_byte: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            bytes: 16 * 1024,
        },
        queues: QueueLimits {
            messages: 10_000,
            bytes: 16 * 1024 * 1024,
            tenant_bytes: 64 * 1024 * 1024,
            all_bytes: 64 * 1024 * 1024,
        },
        gate: Arc::new(Gate::new(wrong)),
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn measure(runtime: &Runtime, platform: Platform, rounds: u64) -> Duration {
    runtime.block_on(async {
        let broker = Broker::start(config(), Arc::new(platform)).await.expect("a broker");
        let payload = Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
        let mut senders = connect(&broker.address().to_string()).await;
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            let share = vec![payload.clone(); MESSAGES_PER_CONNECTION as usize];
            let payloads = vec![share; CONNECTIONS];
            let start = Instant::now();
            senders = round(senders, payloads).await;
            spent += start.elapsed();
        }
        for (session, _) in senders {
            session.close().await;
        }
        broker.stop().await;
        spent
    })
}

/// A message of a device with five values.
fn message(device: usize, serial: u64) -> Bytes {
    let names =
        ["voltage.rms.l1", "voltage.rms.l2", "voltage.rms.l3", "current.rms.l1", "current.rms.l2"];
    let values: serde_json::Map<_, _> = names
        .iter()
        .map(|name| (format!("electricity.{name}"), (serial as f64 * 0.1).into()))
        .collect();
    let message = |filler: &str| {
        let metadata = json!({ "epoch": "1", "serial": serial.to_string(), "filler": filler });
        json!({
            "hardwareId": format!("meter-{device}"), "type": "DeviceMeasurements",
            "request": { "measurements": values, "metadata": metadata, "updateState": true },
        })
        .to_string()
    };
    let room = PAYLOAD_BYTES.saturating_sub(message("").len());
    message(&"x".repeat(room)).into()
}

/// A program that serves, in a folder of its own.
struct Serve {
    process: Child,
    rest: Client,
    mqtt: String,
    _folder: tempfile::TempDir,
}

impl Serve {
    fn start(program: &str, clock: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let (data, settings) = (folder.path().join("data"), folder.path().join("settings.toml"));
        let text = format!(
            "data = \"{}\"\nclock = {clock:?}\ntoken = \"a\"\ndevice_token = \"x\"\n\
             mqtt_address = \"127.0.0.1:0\"\nrest_address = \"127.0.0.1:0\"\n",
            data.display()
        );
        std::fs::write(&settings, text).expect("a file");
        let mut process = Command::new(program)
            .args(["serve", "--until-stdin-closes", "--config"])
            .arg(&settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a program that serves");
        let mut line = String::new();
        let output = process.stdout.as_mut().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line when it is ready");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let address = |key: &str| ready[key].as_str().expect("an address").to_owned();
        let rest = Client::new(&address("rest"), "a").expect("an address");
        Self { process, rest, mqtt: address("mqtt"), _folder: folder }
    }

    /// Until so many readings can be queried.
    async fn has(&self, readings: u64) {
        let path = format!("/api/v1/readings?after={}&limit=1&wait_ms=10000", readings - 1);
        let (status, answer) = self.rest.ask("GET", &path, None, None).await.expect("an answer");
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        let list = answer["results"].as_array();
        assert!(status == 200 && list.is_some_and(|list| !list.is_empty()), "{status} {answer}");
    }
}

impl Serve {
    async fn advance(&self, seconds: u64) {
        let (hours, left) = (seconds / 3600, seconds % 3600);
        let to = format!(
            "2027-01-{:02}T{:02}:{:02}:{:02}Z",
            1 + hours / 24,
            hours % 24,
            left / 60,
            left % 60
        );
        let body = json!({ "to": to }).to_string();
        let done = self.rest.ask("POST", "/api/v1/clock/advance", Some((JSON, &body)), None).await;
        let (status, answer) = done.expect("an answer");
        assert_eq!(status, 200, "{answer:?}");
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn measure_serve(runtime: &Runtime, program: &str, rounds: u64) -> Duration {
    let serve = Serve::start(program, "wall");
    runtime.block_on(async {
        let mut senders = connect(&serve.mqtt).await;
        let mut spent = Duration::ZERO;
        for made in 0..rounds {
            let serials = made * MESSAGES_PER_CONNECTION..(made + 1) * MESSAGES_PER_CONNECTION;
            let device = |device| serials.clone().map(move |serial| message(device, serial + 1));
            let payloads = (0..CONNECTIONS).map(|of| device(of).collect()).collect();
            let start = Instant::now();
            senders = round(senders, payloads).await;
            serve.has((made + 1) * MESSAGES_PER_CONNECTION * CONNECTIONS as u64).await;
            spent += start.elapsed();
        }
        for (session, _) in senders {
            session.close().await;
        }
        spent
    })
}

/// Advances of a driven clock that move nothing else.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn measure_barriers(runtime: &Runtime, program: &str, barriers: u64) -> Duration {
    let serve = Serve::start(program, "driven");
    runtime.block_on(async {
        serve.advance(0).await;
        let start = Instant::now();
        for second in 0..barriers {
            serve.advance(second + 1).await;
        }
        start.elapsed()
    })
}

/// Inserts the values of as many messages in groups of those that are under way, each durable.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn measure_inserts(rounds: u64) -> Duration {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut store = rusqlite::Connection::open(folder.path().join("store.db")).expect("a file");
    store
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE reading (sequence INTEGER PRIMARY KEY, device INTEGER, epoch INTEGER,
                serial INTEGER, event INTEGER, received INTEGER, a REAL, b REAL, c REAL, d REAL,
                e REAL);
             CREATE UNIQUE INDEX identity ON reading (device, epoch, serial);",
        )
        .expect("a table");
    let start = Instant::now();
    for made in 0..rounds * MESSAGES_PER_CONNECTION {
        let group = store.transaction().expect("a transaction");
        for device in 0..CONNECTIONS {
            let mut insert = group
                .prepare_cached("INSERT INTO reading VALUES (NULL,?,1,?,?,?,?,?,?,?,?)")
                .expect("a statement");
            let (made, value) = (made.cast_signed(), made as f64 * 0.1);
            let row = (device as i64, made, made, made, value, value, value, value, value);
            insert.execute(row).expect("room on the disk");
        }
        group.commit().expect("a disk that syncs");
    }
    start.elapsed()
}

fn benches(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let mut group = criterion.benchmark_group("broker, 50 connections, 1.3 kB");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(CONNECTIONS as u64 * MESSAGES_PER_CONNECTION));
    group.bench_function("with a group-fsync journal", |bencher| {
        bencher.iter_custom(|rounds| measure(&runtime, Platform::journalling(), rounds));
    });
    group.bench_function("without a journal", |bencher| {
        bencher.iter_custom(|rounds| measure(&runtime, Platform { journal: None }, rounds));
    });
    group.bench_function("durable inserts", |bencher| bencher.iter_custom(measure_inserts));
    let programs = std::env::var("LASTMETER_SERVE").unwrap_or_default();
    for (name, program) in programs.split(',').filter_map(|one| one.split_once('=')) {
        group.bench_function(format!("until queryable, {name}"), |bencher| {
            bencher.iter_custom(|rounds| measure_serve(&runtime, program, rounds));
        });
    }
    group.finish();
    for (name, program) in programs.split(',').filter_map(|one| one.split_once('=')) {
        criterion.bench_function(&format!("idle barrier, {name}"), |bencher| {
            bencher.iter_custom(|barriers| measure_barriers(&runtime, program, barriers));
        });
    }

    let mut file = file();
    let record = [b'x'; PAYLOAD_BYTES];
    criterion.bench_function("append and sync 1.3 kB", |bencher| {
        bencher.iter(|| {
            file.write_all(&record).expect("room on the disk");
            file.sync_data().expect("a disk that syncs");
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
