//! REST and the HTTP door over TLS, through a whole platform.

use lastmeter_link::http::{Client, HttpError};
use lastmeter_link::tls::{Authority, ClientTls, Identity, Validity};
use lastmeter_platform::{
    ClockSource, Config, DoorConfig, Pem, Platform, RestTlsConfig, Running, Token,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{LIMIT, TOKEN};

/// The name in the server's certificate.
const SERVER: &str = "platform.test";

struct Lab {
    authority: Authority,
    platform: Running,
    _folder: tempfile::TempDir,
}

fn settings(server: &Identity) -> RestTlsConfig {
    let text = |pem: &str| Pem::Text(pem.to_owned());
    RestTlsConfig { certificate: text(&server.certificate_pem), key: text(&server.key_pem) }
}

impl Lab {
    async fn start(validity: Validity, change: impl FnOnce(&mut Config, &Identity)) -> Self {
        let authority = Authority::generate("the bench").unwrap();
        let server = authority.issue_server_valid(&[SERVER, "127.0.0.1"], validity).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Driven);
        config.rest_tls = Some(settings(&server));
        change(&mut config, &server);
        let platform = Platform::start(config).await.expect("a platform");
        Self { authority, platform, _folder: folder }
    }

    async fn valid() -> Self {
        Self::start(Validity::from_now(LIMIT), |_, _| ()).await
    }

    fn client_as(&self, authority: &Authority, name: &str) -> Client {
        let tls = ClientTls::new(authority.certificate_pem(), name);
        Client::over_tls(&self.platform.rest_url(), TOKEN, &tls).unwrap()
    }

    fn client(&self) -> Client {
        self.client_as(&self.authority, SERVER)
    }

    async fn metrics(&self) -> String {
        self.client().get_text("/metrics").await.expect("metrics")
    }

    /// Waits until refusals of a kind were counted.
    async fn until_counted(&self, line: &str) {
        let counted = async { while !self.metrics().await.lines().any(|found| found == line) {} };
        assert!(tokio::time::timeout(LIMIT, counted).await.is_ok(), "{}", self.metrics().await);
    }

    async fn why_not(&self, client: &Client) -> String {
        match client.get_text("/healthz").await {
            Err(HttpError::Connection { why, .. }) => why,
            other => panic!("expected no connection, found {other:?}"),
        }
    }

    /// What a client gets to read that sends these bytes as they are.
    async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.platform.rest_address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        tokio::time::timeout(LIMIT, reading).await.unwrap().expect("no reset");
        answer
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_over_tls_answers_and_keeps_its_connection() {
    let lab = Lab::valid().await;
    assert!(lab.platform.rest_url().starts_with("https://127.0.0.1:"));
    let client = lab.client();
    let advanced: Value = client
        .post_json("/api/v1/clock/advance", &json!({ "to": "2027-01-18T17:00:00Z" }))
        .await
        .unwrap();
    assert!(advanced["sent"].is_object(), "{advanced}");
    // More than one record of TLS.
    assert!(client.get_text("/openapi.json").await.unwrap().len() > 20_000);
    let metrics = client.get_text("/metrics").await.unwrap();
    assert!(metrics.contains("lastmeter_connections{door=\"rest\"} 1\n"), "{metrics}");
    let stranger =
        Client::over_tls(&lab.platform.rest_url(), "wrong", &trusting(&lab.authority)).unwrap();
    let refused = stranger.get_text("/metrics").await.unwrap_err();
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(401));
    assert!(lab.platform.shutdown().await);
}

fn trusting(authority: &Authority) -> ClientTls {
    ClientTls::new(authority.certificate_pem(), SERVER)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_name_is_not_trusted_by_clients_of_rest() {
    let lab = Lab::valid().await;
    let why = lab.why_not(&lab.client_as(&lab.authority, "elsewhere.test")).await;
    assert!(why.contains("not valid for name"), "{why}");
    lab.until_counted("lastmeter_refused_total{reason=\"tls_distrusted\"} 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_is_not_trusted_by_clients_of_rest() {
    let lab = Lab::valid().await;
    let another = Authority::generate("another").unwrap();
    let why = lab.why_not(&lab.client_as(&another, SERVER)).await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    lab.until_counted("lastmeter_refused_total{reason=\"tls_distrusted\"} 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_server_is_not_trusted_by_clients_of_rest() {
    let lab = Lab::start(Validity::expired(), |_, _| ()).await;
    let why = lab.why_not(&lab.client()).await;
    assert!(why.contains("certificate expired"), "{why}");
}

/// A client's first message that knows no version above this one (RFC 5246, 7.4.1.2).
fn client_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session; ECDHE-ECDSA and RSA with AES-128-CBC; no compression.
    hello.extend([0, 0, 4, 0xc0, 0x09, 0x00, 0x2f, 1, 0]);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend(hello);
    let mut record = vec![22, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_1_and_1_0_are_refused_at_rest() {
    let lab = Lab::valid().await;
    for minor in [1, 2] {
        let answer = lab.raw(&client_hello(minor)).await;
        // A fatal alert, `protocol_version` or, which comes before it, `handshake_failure`.
        assert_eq!((answer[0], answer[5]), (21, 2), "{answer:?}");
        assert!([70, 40].contains(&answer[6]), "{answer:?}");
    }
    lab.until_counted("lastmeter_refused_total{reason=\"tls_incompatible\"} 2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_at_the_tls_port_is_closed_and_counted() {
    let lab = Lab::valid().await;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    assert_eq!(lab.raw(request.as_bytes()).await, b"");
    lab.until_counted("lastmeter_refused_total{reason=\"tls_not_tls\"} 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_does_not_end_is_ended_and_one_that_is_broken_off_counted() {
    let lab =
        Lab::start(Validity::from_now(LIMIT), |config, _| config.limits.tls_handshake_s = 1).await;
    let address = lab.platform.rest_address();
    let mut halves = Vec::new();
    for bytes in [&[][..], &[22, 3, 1]] {
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(bytes).await.unwrap();
        halves.push(half);
    }
    drop(TcpStream::connect(address).await.unwrap());
    lab.until_counted("lastmeter_refused_total{reason=\"tls_handshake_timeout\"} 2").await;
    lab.until_counted("lastmeter_connections_refused_total{door=\"rest\",reason=\"gave_up\"} 1")
        .await;
    // Who is through and asks nothing is silent, as without TLS.
    drop(halves);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_http_door_speaks_tls_with_its_own_certificate() {
    let change = |config: &mut Config, server: &Identity| {
        config.rest_tls = None;
        let keys = [
            ("address", "127.0.0.1:0".to_owned()),
            ("certificate", server.certificate_pem.clone()),
            ("key", server.key_pem.clone()),
        ];
        let keys = keys.map(|(key, value)| (key.to_owned(), value.into()));
        config.doors =
            vec![DoorConfig { kind: "http".to_owned(), keys: toml::Table::from_iter(keys) }];
    };
    let lab = Lab::start(Validity::from_now(LIMIT), change).await;
    assert!(lab.platform.rest_url().starts_with("http://"));
    let (_, door) = lab.platform.door_addresses().iter().find(|(name, _)| *name == "http").unwrap();
    let client = |name| {
        let tls = ClientTls::new(lab.authority.certificate_pem(), name);
        Client::over_tls(&format!("https://{door}"), TOKEN, &tls).unwrap()
    };
    let register = json!({ "hardwareId": "home", "type": "RegisterDevice", "request": {} });
    let stored: Result<Value, HttpError> = client(SERVER).post_json("/input", &register).await;
    // It is at the door, whatever becomes of the message.
    assert!(!matches!(stored, Err(HttpError::Connection { .. })), "{stored:?}");
    let refused = client("elsewhere.test").get_text("/devices/home/commands").await;
    assert!(matches!(refused, Err(HttpError::Connection { .. })), "{refused:?}");
}

#[tokio::test]
async fn settings_for_rest_over_tls_that_cannot_work_are_named() {
    let authority = Authority::generate("the bench").unwrap();
    let [one, two] = [(); 2].map(|()| authority.issue_server(&[SERVER]).unwrap());
    let good = settings(&one);
    for (rest_tls, word) in [
        (RestTlsConfig { key: Pem::Text(two.key_pem), ..good.clone() }, "rest_tls.key cannot be"),
        (RestTlsConfig { certificate: Pem::File("no.pem".into()), ..good }, "rest_tls.certificate"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Wall);
        let config = Config { rest_tls: Some(rest_tls), ..config };
        let error = Platform::start(config).await.map(|_| ()).unwrap_err();
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert!(source.contains(word), "{source}");
    }
}
