//! What TLS costs beside plain MQTT: per connection, and per message of 1.3 kB.
//!
//! `handshake` is the work of either side alone, without a network: certificates verified, keys
//! agreed. `connection` is from the first SYN to CONNACK and back to nothing. `message` is a
//! publication of 1.3 kB on the client's own echo topic until it has come back, one at a time: it
//! passes the broker twice and no journal. The table at the end has the processor's share of either
//! side, from the scheduler's account of their threads (`/proc/self/task/*/schedstat`), in rounds
//! that alternate between the three kinds, as medians over the rounds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_link::tls::{Authority, ClientTls};
use lastmeter_platform::{ClockSource, Config, Pem, Platform, Running, TlsConfig, Token};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tokio::runtime::Runtime;

const NAME: &str = "platform.test";
const DEVICE: &str = "home-1";
const TOPIC: &str = "default/echo/home-1";
const PAYLOAD_BYTES: usize = 1300;
/// Rounds of the table, and what is done in each.
const ROUNDS: usize = 7;
const CONNECTIONS: u32 = 100;
const MESSAGES: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Tls,
    Mutual,
}

const KINDS: [Kind; 3] = [Kind::Plain, Kind::Tls, Kind::Mutual];

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Mutual => "tls with certificate",
        }
    }
}

/// A platform that takes all three kinds, and a runtime for its clients.
struct Lab {
    clients: Runtime,
    platforms: Runtime,
    platform: Option<Running>,
    authority: Authority,
    _folder: tempfile::TempDir,
}

fn runtime(name: &str) -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(name)
        .enable_all()
        .build()
        .expect("a runtime")
}

impl Lab {
    fn new() -> Self {
        let authority = Authority::generate("bench").expect("an authority");
        let server = authority.issue_server(&[NAME]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let token = Token::new("token");
        let mut config = Config::embedded(folder.path(), token, ClockSource::Wall);
        config.tls = Some(TlsConfig {
            client_authority: Some(Pem::Text(authority.certificate_pem().to_owned())),
            ..TlsConfig::embedded(&server.certificate_pem, &server.key_pem)
        });
        let (clients, platforms) = (runtime("client"), runtime("platform"));
        let platform = platforms.block_on(Platform::start(config)).expect("a platform");
        Self { clients, platforms, platform: Some(platform), authority, _folder: folder }
    }

    fn options(&self, kind: Kind) -> SessionOptions {
        let platform = self.platform.as_ref().expect("a platform");
        let tls = ClientTls::new(self.authority.certificate_pem(), NAME);
        let (address, tls) = match kind {
            Kind::Plain => (platform.mqtt_address(), None),
            Kind::Tls => (platform.mqtts_address().expect("TLS"), Some(tls)),
            Kind::Mutual => {
                let identity = self.authority.issue_device(DEVICE).expect("a certificate");
                let tls = tls.with_identity(identity);
                (platform.mqtts_address().expect("TLS"), Some(tls))
            }
        };
        let options = SessionOptions::new(&address.to_string(), DEVICE, "default", "token");
        SessionOptions { tls, ..options }
    }

    /// Makes a connection and ends it; how long each took until CONNACK.
    fn connect(&self, options: &SessionOptions, count: u32) -> Vec<Duration> {
        self.clients.block_on(async {
            let mut took = Vec::new();
            for _ in 0..count {
                let options = options.clone();
                let begin = now();
                let (session, mut events) = Session::open(options);
                loop {
                    match events.recv().await.expect("a session") {
                        SessionEvent::Connected => break,
                        SessionEvent::Disconnected { reason } => {
                            assert!(reason.contains("unavailable"), "{reason}");
                        }
                        other => panic!("{other:?}"),
                    }
                }
                took.push(begin.elapsed());
                session.close().await;
            }
            took
        })
    }

    fn open(&self, kind: Kind) -> (Session, SessionEvents) {
        let options =
            SessionOptions { subscriptions: vec![TOPIC.to_owned()], ..self.options(kind) };
        self.clients.block_on(async {
            let (session, mut events) = Session::open(options);
            while events.recv().await.expect("a session") != SessionEvent::Connected {}
            (session, events)
        })
    }

    /// Publishes and waits for it to come back, one after the other; how long each took.
    fn echo(&self, session: &Session, events: &mut SessionEvents, count: u32) -> Vec<Duration> {
        let payload = Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
        self.clients.block_on(async {
            let mut took = Vec::new();
            for number in 0..count {
                let begin = now();
                session.publish(number.into(), TOPIC, payload.clone()).await.expect("a connection");
                let mut missing = 2;
                while missing > 0 {
                    match events.recv().await.expect("a session") {
                        SessionEvent::Received { .. } => took.push(begin.elapsed()),
                        SessionEvent::Acknowledged { .. } => {}
                        other => panic!("{other:?}"),
                    }
                    missing -= 1;
                }
            }
            took
        })
    }

    fn end(mut self) {
        if let Some(platform) = self.platform.take() {
            self.platforms.block_on(platform.shutdown());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds on the processor of the clients' threads and of all others, since their start.
fn on_processor() -> (f64, f64) {
    let (mut clients, mut others) = (0.0, 0.0);
    for task in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let ns: f64 =
            read("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
        // The thread that calls `block_on` runs the client too.
        let name = read("comm");
        if name.starts_with("client") || task.file_name() == *std::process::id().to_string() {
            clients += ns;
        } else {
            others += ns;
        }
    }
    (clients, others)
}

/// Both sides of handshakes in memory: time of the client's side and of the server's.
fn handshake(client: &ClientTls, server: &Arc<ServerConfig>) -> (Duration, Duration) {
    let (config, name) = client.config().expect("certificates");
    let (mut at_client, mut at_server) = (Duration::ZERO, Duration::ZERO);
    let timed = |sum: &mut Duration, work: &mut dyn FnMut()| {
        let begin = now();
        work();
        *sum += begin.elapsed();
    };
    let (mut client, mut server_side) = (None, None);
    timed(&mut at_client, &mut || {
        client = ClientConnection::new(config.clone(), name.clone()).ok();
    });
    timed(&mut at_server, &mut || server_side = ServerConnection::new(server.clone()).ok());
    let (mut client, mut server) = (client.expect("a client"), server_side.expect("a server"));
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        timed(&mut at_client, &mut || {
            wire.clear();
            while client.wants_write() {
                client.write_tls(&mut wire).expect("memory");
            }
        });
        timed(&mut at_server, &mut || {
            server.read_tls(&mut &wire[..]).expect("memory");
            server.process_new_packets().expect("a good client");
            wire.clear();
            while server.wants_write() {
                server.write_tls(&mut wire).expect("memory");
            }
        });
        timed(&mut at_client, &mut || {
            client.read_tls(&mut &wire[..]).expect("memory");
            client.process_new_packets().expect("a good server");
        });
    }
    (at_client, at_server)
}

fn handshakes(criterion: &mut Criterion) {
    let authority = Authority::generate("bench").expect("an authority");
    let identity = authority.issue_server(&[NAME]).expect("a certificate");
    let device = authority.issue_device(DEVICE).expect("a certificate");
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(der(authority.certificate_pem())).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.allow_unauthenticated().build().expect("a verifier"))
        .with_single_cert(
            vec![der(&identity.certificate_pem)],
            PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).expect("a key"),
        )
        .expect("an identity");
    server.send_tls13_tickets = 0;
    let server = Arc::new(server);
    let bare = ClientTls::new(authority.certificate_pem(), NAME);
    let mutual = bare.clone().with_identity(device);
    let mut group = criterion.benchmark_group("handshake");
    for (word, client) in [("tls", &bare), ("tls with certificate", &mutual)] {
        group.bench_function(format!("{word}, client"), |bencher| {
            bencher.iter_custom(|count| (0..count).map(|_| handshake(client, &server).0).sum());
        });
        group.bench_function(format!("{word}, server"), |bencher| {
            bencher.iter_custom(|count| (0..count).map(|_| handshake(client, &server).1).sum());
        });
    }
    group.finish();
}

fn connections_and_messages(criterion: &mut Criterion) {
    let lab = Lab::new();
    let mut group = criterion.benchmark_group("connection");
    group.sample_size(20);
    for kind in KINDS {
        let options = lab.options(kind);
        group.bench_function(kind.word(), |bencher| {
            bencher.iter_custom(|count| lab.connect(&options, count as u32).iter().sum());
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("message");
    group.throughput(Throughput::Elements(1));
    for kind in KINDS {
        let (session, mut events) = lab.open(kind);
        group.bench_function(kind.word(), |bencher| {
            bencher.iter_custom(|count| lab.echo(&session, &mut events, count as u32).iter().sum());
        });
        lab.clients.block_on(session.close());
    }
    group.finish();
    table(&lab);
    lab.end();
}

/// The `at`-quantile of what is there, nearest rank.
fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (at * values.len() as f64).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn table(lab: &Lab) {
    let mut rows: BTreeMap<(&str, usize, &str), Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (at, kind) in KINDS.into_iter().enumerate() {
            let options = lab.options(kind);
            let before = on_processor();
            let took = lab.connect(&options, CONNECTIONS);
            note(&mut rows, "connection", at, before, &took);
            let (session, mut events) = lab.open(kind);
            lab.echo(&session, &mut events, MESSAGES / 10);
            let before = on_processor();
            let took = lab.echo(&session, &mut events, MESSAGES);
            note(&mut rows, "message", at, before, &took);
            lab.clients.block_on(session.close());
        }
    }
    println!("medians over {ROUNDS} rounds of {CONNECTIONS} connections, {MESSAGES} messages, us:");
    for ((what, at, figure), mut values) in rows {
        let median = quantile(&mut values, 0.5);
        println!("{what:<11} {:<21} {figure:<13} {median:9.1}", KINDS[at].word());
    }
}

fn note(
    rows: &mut BTreeMap<(&'static str, usize, &'static str), Vec<f64>>,
    what: &'static str,
    kind: usize,
    before: (f64, f64),
    took: &[Duration],
) {
    let after = on_processor();
    let mut us: Vec<f64> = took.iter().map(|took| took.as_secs_f64() * 1e6).collect();
    let count = us.len() as f64;
    for (figure, value) in [
        ("CPU client", (after.0 - before.0) / count / 1e3),
        ("CPU platform", (after.1 - before.1) / count / 1e3),
        ("p50", quantile(&mut us, 0.5)),
        ("p99", quantile(&mut us, 0.99)),
    ] {
        rows.entry((what, kind, figure)).or_default().push(value);
    }
}

criterion_group!(benches, handshakes, connections_and_messages);
criterion_main!(benches);
