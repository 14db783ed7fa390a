//! How many messages the bare broker takes: 50 connections, QoS 1, 1.3 kB, with and without a
//! journal behind it.
//!
//! The row with the journal is what the platform's end-to-end figure is compared with: same broker,
//! same clients on the same cores, and a journal that does nothing but append, sync the group with
//! `fdatasync` and let go of the PUBACKs. `append and sync` is the cost of one such sync alone;
//! where it is above 0.5 ms the other rows measure the disk.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
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
async fn send(session: &Session, events: &mut SessionEvents, payload: &Bytes) {
    let publishing = async {
        for message in 0..MESSAGES_PER_CONNECTION {
            session.publish(message, TOPIC, payload.clone()).await.expect("a connection");
        }
    };
    let hearing = async {
        for _ in 0..MESSAGES_PER_CONNECTION {
            let event = events.recv().await.expect("a session");
            assert!(matches!(event, SessionEvent::Acknowledged { .. }), "{event:?}");
        }
    };
    tokio::join!(publishing, hearing);
}

/// The connections, given back after a round.
type Senders = Vec<(Session, SessionEvents)>;

async fn connect(broker: &Broker) -> Senders {
    let mut senders = Vec::new();
    for client in 0..CONNECTIONS {
        let address = broker.address().to_string();
        let options = SessionOptions::new(&address, &format!("meter-{client}"), "default", "x");
        let (session, mut events) = Session::open(options);
        assert_eq!(events.recv().await, Some(SessionEvent::Connected));
        senders.push((session, events));
    }
    senders
}

async fn round(senders: Senders, payload: Bytes) -> Senders {
    let tasks: Vec<_> = senders
        .into_iter()
        .map(|(session, mut events)| {
            let payload = payload.clone();
            tokio::spawn(async move {
                send(&session, &mut events, &payload).await;
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
        let mut senders = connect(&broker).await;
        let start = Instant::now();
        for _ in 0..rounds {
            senders = round(senders, payload.clone()).await;
        }
        let took = start.elapsed();
        for (session, _) in senders {
            session.close().await;
        }
        broker.stop().await;
        took
    })
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
    group.finish();

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
