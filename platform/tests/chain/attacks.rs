//! What anybody can do to REST who reaches it, with TLS and without: heads that never end, answers
//! that are never read, bodies that are too large or too deep, and a thousand connections. Others
//! are answered all the same, and memory stays bounded.
//!
//! The platform is this test binary itself, started again to run `child` only, so that its memory
//! is its own. Attackers come from other addresses of this machine than others.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use lastmeter_link::http::Client;
use lastmeter_link::tls::{Authority, ClientTls};
use lastmeter_platform::{ClockSource, Config, Platform, RestTlsConfig, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::common::{LIMIT, TOKEN};

/// Gives the child the place of its data.
const DATA: &str = "LASTMETER_TEST_ATTACK_DATA";
/// How soon others have their answers.
const AT_MOST: Duration = Duration::from_secs(1);
/// How much more memory than when quiet, KiB.
const ABOVE_QUIET_KIB: u64 = 64 * 1024;
const CROWD: usize = 1000;
/// Addresses of attackers.
const ATTACKERS: u8 = 8;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}
type Wire = Box<dyn Duplex>;

struct Victim {
    child: Child,
    rest: SocketAddr,
    authority: Option<Authority>,
    quiet_kib: u64,
    attackers: AtomicU8,
    _folder: tempfile::TempDir,
}

impl Drop for Victim {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The platform that is attacked; does nothing when it is run as an ordinary test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let data = Path::new(&data);
    let mut config = Config::embedded(data, Token::new(TOKEN), ClockSource::Wall);
    let (certificate, key) = (data.join("server.pem"), data.join("server.key"));
    if certificate.exists() {
        let pem = |path: &Path| path.display().to_string().into();
        config.rest_tls = Some(RestTlsConfig { certificate: pem(&certificate), key: pem(&key) });
    }
    let platform = Platform::start(config).await.expect("a platform");
    println!("rest={}", platform.rest_address());
    std::future::pending::<()>().await;
}

impl Victim {
    async fn start(has_tls: bool) -> Self {
        let limit = getrlimit(Resource::Nofile);
        // Both sides need their sockets.
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("a limit");
        let folder = tempfile::tempdir().expect("a folder");
        let authority = has_tls.then(|| Authority::generate("the bench").unwrap());
        if let Some(authority) = &authority {
            let server = authority.issue_server(&["localhost"]).unwrap();
            std::fs::write(folder.path().join("server.pem"), server.certificate_pem).unwrap();
            std::fs::write(folder.path().join("server.key"), server.key_pem).unwrap();
        }
        let mut child = Command::new(std::env::current_exe().expect("a test binary"))
            .args(["attacks::child", "--exact", "--nocapture"])
            .env(DATA, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let rest = lines
            .map(|line| line.expect("a line"))
            .find_map(|line| line.split_once("rest=").map(|(_, rest)| rest.trim().to_owned()))
            .expect("the child starts")
            .parse()
            .expect("an address");
        let mut victim = Self {
            child,
            rest,
            authority,
            quiet_kib: 0,
            attackers: AtomicU8::new(0),
            _folder: folder,
        };
        for _ in 0..20 {
            victim.honest().get_text("/openapi.json").await.expect("an answer");
        }
        victim.quiet_kib = victim.memory_kib("VmRSS:");
        victim
    }

    fn tls(&self) -> Option<ClientTls> {
        self.authority.as_ref().map(|own| ClientTls::new(own.certificate_pem(), "localhost"))
    }

    /// Somebody else, over a connection of its own.
    fn honest(&self) -> Client {
        match self.tls() {
            None => Client::new(&format!("http://{}", self.rest), TOKEN).unwrap(),
            Some(tls) => Client::over_tls(&format!("https://{}", self.rest), TOKEN, &tls).unwrap(),
        }
    }

    fn memory_kib(&self, what: &str) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("the child runs");
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// An attacker's connection without TLS.
    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        // So that no limit on one address helps.
        let number = self.attackers.fetch_add(1, Ordering::Relaxed) % ATTACKERS;
        socket.bind(([127, 0, 0, 2 + number], 0).into()).unwrap();
        socket.connect(self.rest).await.unwrap()
    }

    /// An attacker's connection that speaks as the platform does; `None` if it was thrown out.
    async fn open(&self) -> Option<Wire> {
        let stream = self.connect().await;
        let Some(tls) = self.tls() else { return Some(Box::new(stream)) };
        let (config, name) = tls.config().unwrap();
        let shaking = TlsConnector::from(config).connect(name, stream);
        let stream = tokio::time::timeout(LIMIT, shaking).await.expect("an end").ok()?;
        Some(Box::new(stream))
    }

    /// Sends these over so many connections, as far as they are taken.
    async fn send(&self, connections: usize, bytes: &[u8]) -> Vec<Wire> {
        let mut open = Vec::new();
        for _ in 0..connections {
            let Some(mut wire) = self.open().await else { continue };
            // It may have been thrown out, and who reads nothing takes nothing any more.
            let _ = tokio::time::timeout(Duration::from_millis(200), wire.write_all(bytes)).await;
            open.push(wire);
        }
        open
    }

    /// The statuses that these get which send all of these.
    async fn statuses(&self, connections: usize, bytes: &[u8]) -> Vec<String> {
        let mut statuses = Vec::new();
        for _ in 0..connections {
            let wire = self.open().await.expect("a connection");
            let (mut from, mut to) = tokio::io::split(wire);
            let mut status = [0; 12];
            let asking = async {
                // The answer comes before all of it is sent.
                tokio::select! {
                    read = from.read_exact(&mut status) => drop(read),
                    () = async {
                        let _ = to.write_all(bytes).await;
                        std::future::pending::<()>().await;
                    } => {}
                }
            };
            tokio::time::timeout(LIMIT, asking).await.expect("an answer");
            statuses.push(String::from_utf8_lossy(&status[9..]).into_owned());
        }
        statuses
    }

    /// Others are answered, over a connection that they had and over new ones, and memory is
    /// bounded.
    #[expect(clippy::disallowed_methods, reason = "how long an answer takes is what is tested")]
    #[expect(clippy::print_stdout, reason = "the measured memory is for people")]
    async fn serves_others(&self, what: &str, member: &Client) {
        let mut times = Vec::new();
        // What else the machine does must not decide this.
        while times.len() < 5 && times.last().is_none_or(|time| *time >= AT_MOST) {
            let mut longest = Duration::ZERO;
            let newcomer = self.honest();
            for (client, path) in
                [(member, "/api/v1/clock"), (&newcomer, "/api/v1/clock"), (&newcomer, "/healthz")]
            {
                let begun = Instant::now();
                client
                    .get_json::<Value>(path)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                longest = longest.max(begun.elapsed());
            }
            times.push(longest);
        }
        let above_kib = self.memory_kib("VmHWM:").saturating_sub(self.quiet_kib);
        println!("{what}: {times:?}, {above_kib} KiB above {} KiB", self.quiet_kib);
        assert!(times.iter().any(|time| *time < AT_MOST), "{what}: {times:?}");
        assert!(above_kib <= ABOVE_QUIET_KIB, "{what}: {above_kib} KiB above quiet");
    }
}

fn request(method: &str, path: &str, more: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n").into_bytes()
}

async fn attack(has_tls: bool) {
    let victim = Victim::start(has_tls).await;
    let member = victim.honest();
    member.get_json::<Value>("/api/v1/clock").await.unwrap();
    let token = format!("Authorization: Bearer {TOKEN}\r\n");

    let mut silent = Vec::new();
    for _ in 0..CROWD {
        silent.push(victim.connect().await);
    }
    victim.serves_others("a thousand silent connections", &member).await;
    drop(silent);

    for (what, kib) in [("heads that do not end", 15), ("heads of 400 KiB that do not end", 400)] {
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(kib * 1024));
        let crowd = victim.send(CROWD, head.as_bytes()).await;
        victim.serves_others(what, &member).await;
        drop(crowd);
    }

    let much = request("GET", "/openapi.json", &token).repeat(400);
    let deaf = victim.send(60, &much).await;
    victim.serves_others("answers that nobody reads", &member).await;
    drop(deaf);

    let json = format!("{token}Content-Type: application/json\r\n");
    let advance = "/api/v1/clock/advance";
    let large = |headers: &str| {
        let headers = format!("{headers}Content-Length: {}\r\n", 64 << 20);
        [request("POST", advance, &headers), vec![b'x'; 64 << 20]].concat()
    };
    assert_eq!(victim.statuses(8, &large(&json)).await, ["413"; 8]);
    assert_eq!(victim.statuses(8, &large("")).await, ["401"; 8]);
    victim.serves_others("bodies of 64 MiB", &member).await;

    let date = r#"{"to":"2027-01-18T17:00:00Z","more":"#;
    let deep = [date.as_bytes(), &vec![b'['; 900 * 1024]].concat();
    let headers = format!("{json}Content-Length: {}\r\n", deep.len());
    let deep = [request("POST", advance, &headers), deep].concat();
    let statuses = victim.statuses(8, &deep).await;
    assert!(statuses.iter().all(|status| status == "400" || status == "422"), "{statuses:?}");
    victim.serves_others("JSON 900,000 deep", &member).await;

    let begun = format!("{json}Content-Length: 1000\r\n");
    let begun = [request("POST", advance, &begun), b"{".to_vec()].concat();
    let crowd = victim.send(60, &begun).await;
    victim.serves_others("bodies that do not end", &member).await;
    drop(crowd);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_on_rest_hold_nobody_up_and_cost_little_memory() {
    attack(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_on_rest_over_tls_hold_nobody_up_and_cost_little_memory() {
    attack(true).await;
}
