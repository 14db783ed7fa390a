//! The chain over TLS: a platform with certificates of an authority made for the test, and devices
//! with good ones and bad ones.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_link::tls::{Authority, ClientTls, Identity, Validity};
use lastmeter_platform::{ClockSource, Config, Pem, Platform, Running, TlsConfig, Token};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::common::{LIMIT, Sender, TOKEN, client, read_back, reading};

mod flood;
mod good;
mod refused;

/// The name in the server's certificate.
const SERVER: &str = "platform.test";

/// A platform behind TLS and the authority that everybody in it trusts.
struct Lab {
    authority: Authority,
    platform: Running,
    folder: tempfile::TempDir,
}

impl Lab {
    /// A platform that wants a device certificate.
    async fn start() -> Self {
        Self::start_with(|config| tls(config).require_client_certificate = true).await
    }

    /// A platform that takes a device certificate, with its settings changed.
    async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_as(Validity::from_now(LIMIT), change).await
    }

    /// The same, with a certificate that is valid for so long.
    async fn start_as(validity: Validity, change: impl FnOnce(&mut Config)) -> Self {
        let authority = Authority::generate("the bench").unwrap();
        let server = authority.issue_server_valid(&[SERVER, "127.0.0.1"], validity).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Wall);
        config.tls = Some(TlsConfig {
            client_authority: Some(Pem::Text(authority.certificate_pem().to_owned())),
            ..TlsConfig::embedded(&server.certificate_pem, &server.key_pem)
        });
        change(&mut config);
        let platform = Platform::start(config).await.expect("a platform");
        Self { authority, platform, folder }
    }

    fn address(&self) -> SocketAddr {
        self.platform.mqtts_address().expect("a TLS port")
    }

    fn rest(&self) -> Client {
        client(self.platform.rest_address())
    }

    /// A device with its certificate, trusting the lab's authority.
    fn options(&self, device: &str) -> SessionOptions {
        self.options_as(device, Some(self.authority.issue_device(device).unwrap()))
    }

    /// A client with this identifier that shows this certificate.
    fn options_as(&self, client_id: &str, identity: Option<Identity>) -> SessionOptions {
        let tls = ClientTls::new(self.authority.certificate_pem(), SERVER);
        let tls = ClientTls { identity, ..tls };
        let address = self.address().to_string();
        let options = SessionOptions::new(&address, client_id, "default", TOKEN);
        SessionOptions { tls: Some(tls), ..options }
    }

    /// What is refused so far, by reason, as `/metrics` has it.
    async fn counted(&self) -> BTreeMap<String, u64> {
        let text = self.metrics().await;
        let refused = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("lastmeter_refused_total{reason=\"")?;
            let (reason, count) = rest.split_once("\"} ")?;
            Some((reason.to_owned(), count.parse().ok()?))
        });
        refused.collect()
    }

    async fn metrics(&self) -> String {
        self.rest().get_text("/metrics").await.expect("metrics")
    }

    /// The readings stored, once there are so many.
    async fn stored(&self, count: usize) -> Vec<Value> {
        self.rows("/api/v1/readings", count).await
    }

    /// The refusals recorded, once there are so many.
    async fn recorded(&self, count: usize) -> Vec<Value> {
        self.rows("/api/v1/refusals", count).await
    }

    async fn rows(&self, path: &str, count: usize) -> Vec<Value> {
        let rest = self.rest();
        within("rows to be committed", async {
            loop {
                let rows = read_back(&rest, path).await;
                if rows.len() >= count {
                    return rows;
                }
            }
        })
        .await
    }

    /// The only kind of refusal so far, counted and recorded; device and detail of it. There may be
    /// more than one, because a session tries again by itself until it is dropped.
    async fn only_refusal(&self, reason: &str) -> (Option<String>, String) {
        let rows = self.recorded(1).await;
        assert!(rows.iter().all(|row| row["reason"] == reason), "{rows:?}");
        let counted = self.counted().await;
        assert_eq!(counted.keys().collect::<Vec<_>>(), [reason]);
        assert!(counted[reason] >= rows.len() as u64, "{counted:?} {rows:?}");
        let text = |key: &str| rows[0][key].as_str().map(str::to_owned);
        (text("device"), text("detail").expect("a detail"))
    }
}

/// A device that goes on in the background while others are refused: a reading every now and then,
/// until it is stopped. Gives how many were acknowledged, of which none may be lost.
struct Bystander {
    stop: oneshot::Sender<()>,
    task: JoinHandle<u64>,
}

impl Bystander {
    /// Begins once it is connected.
    async fn start(lab: &Lab) -> Self {
        let mut sender = Sender::open_with(lab.options("bystander"));
        sender.queue(1, reading("bystander", 1));
        within("the bystander", sender.run(|_| false)).await;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut serial = 1;
            while stopped.try_recv().is_err() {
                serial += 1;
                sender.queue(serial, reading("bystander", serial));
                sender.run(|_| false).await;
            }
            assert_eq!(sender.lost, 0, "its connection was lost");
            sender.close().await;
            serial
        });
        Self { stop, task }
    }

    /// Ends it; everything it has sent has to be there, once each.
    async fn stop(self, lab: &Lab) {
        self.stop.send(()).expect("it runs");
        let sent = within("the bystander", self.task).await.expect("it loses nothing");
        let rows = lab.stored(sent as usize).await;
        let serials: Vec<u64> =
            rows.iter().map(|row| row["serial"].as_u64().expect("a serial")).collect();
        assert_eq!(serials, (1..=sent).collect::<Vec<_>>());
    }
}

fn tls(config: &mut Config) -> &mut TlsConfig {
    config.tls.as_mut().expect("TLS")
}

async fn within<T>(what: &str, waited_for: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(LIMIT, waited_for).await else {
        panic!("waited {LIMIT:?} for {what}")
    };
    value
}

/// The first event of a session; the session goes on.
async fn first_word(options: SessionOptions) -> (Session, SessionEvents, SessionEvent) {
    let (session, mut events) = Session::open(options);
    let first = within("a first event", events.recv()).await.expect("a session");
    (session, events, first)
}

/// Why a session does not come about; it is ended then.
async fn why_not(options: SessionOptions) -> String {
    let (_session, _events, first) = first_word(options).await;
    match first {
        SessionEvent::Disconnected { reason } => reason,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key")
}

/// A CONNECT of MQTT 3.1.1 (section 3.1) with user name and password, put together by hand.
fn connect_packet(client_id: &str) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04\xc2\0\x0a".to_vec();
    for text in [client_id, "default", TOKEN] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    let mut packet = vec![0x10, body.len() as u8];
    packet.extend(body);
    packet
}
