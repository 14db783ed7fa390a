//! The session over TLS: it does what it does over TCP, reports TLS errors, and leaves nothing
//! behind.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_link::tls::{Authority, ClientTls, Identity};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::mqtt::fake::{Fake, soon};

const NAME: &str = "platform.test";
const INPUT: &str = "default/SiteWhere/input/json";

fn server(identity: &Identity) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// A broker of bytes behind TLS, and how to reach it.
async fn listen() -> (Fake, SessionOptions) {
    let authority = Authority::generate("bench").unwrap();
    let fake = Fake::listen_tls(server(&authority.issue_server(&[NAME]).unwrap())).await;
    let options = options(&fake.address(), &authority);
    (fake, options)
}

fn options(address: &str, authority: &Authority) -> SessionOptions {
    let tls = ClientTls::new(authority.certificate_pem(), NAME);
    let options = SessionOptions::new(address, "meter-1", "default", "token");
    SessionOptions { tls: Some(tls), ..options }
}

async fn event(events: &mut SessionEvents) -> SessionEvent {
    soon("an event", events.recv()).await.expect("the session ended")
}

async fn reason(events: &mut SessionEvents) -> String {
    match event(events).await {
        SessionEvent::Disconnected { reason } => reason,
        other => panic!("expected Disconnected, found {other:?}"),
    }
}

#[tokio::test]
async fn messages_of_any_size_pass_both_ways() {
    let (fake, options) = listen().await;
    let (session, mut events) = Session::open(options);
    let mut peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    for bytes in [0, 1, 8191, 8192, 8193, 200_001_usize] {
        let payload: Bytes = (0..bytes).map(|at| (at * 7 % 251) as u8).collect();
        let message = bytes as u64;
        // The broker of bytes reads only while it is asked to.
        let publishing = session.publish(message, INPUT, payload.clone());
        let (published, handed) = tokio::join!(peer.published(), publishing);
        handed.unwrap();
        assert!(published.payload == payload, "{bytes} bytes arrived changed");
        peer.acknowledge(published.id).await;
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message });
        peer.publish("default/x", &payload).await;
        let expected = SessionEvent::Received { topic: "default/x".into(), payload };
        assert!(event(&mut events).await == expected, "{bytes} bytes came back changed");
    }
    session.close().await;
}

#[tokio::test]
async fn closing_sends_disconnect_and_close_notify() {
    let (fake, options) = listen().await;
    let (session, mut events) = Session::open(options);
    let peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    session.publish(1, INPUT, Bytes::from_static(b"x")).await.unwrap();
    let (rest, ()) = tokio::join!(peer.rest(), session.close());
    // An end without close_notify would be an error (RFC 8446 section 6.1). The last packet is
    // DISCONNECT (MQTT 3.1.1 section 3.14).
    let rest = rest.expect("an orderly end");
    assert_eq!(rest[0], 0x32, "the publication came before");
    assert_eq!(rest[rest.len() - 2..], [0xe0, 0]);
}

#[tokio::test]
async fn dropping_cuts_as_a_crash_does() {
    let (fake, options) = listen().await;
    let (session, mut events) = Session::open(options);
    let peer = fake.connected().await;
    assert_eq!(event(&mut events).await, SessionEvent::Connected);
    drop(session);
    let error = peer.rest().await.expect_err("neither DISCONNECT nor close_notify");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_lost_connection_is_reported_and_made_again_with_a_new_handshake() {
    let (fake, options) = listen().await;
    let (session, mut events) = Session::open(options);
    for round in 0..5 {
        let mut peer = fake.connected().await;
        assert_eq!(event(&mut events).await, SessionEvent::Connected);
        session.publish(round, INPUT, Bytes::from_static(b"x")).await.unwrap();
        let published = peer.published().await;
        peer.acknowledge(published.id).await;
        assert_eq!(event(&mut events).await, SessionEvent::Acknowledged { message: round });
        drop(peer);
        assert_eq!(reason(&mut events).await, "the broker closed the connection");
    }
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_spoken_to() {
    let (fake, mut options) = listen().await;
    let another = Authority::generate("another").unwrap();
    options.tls = Some(ClientTls::new(another.certificate_pem(), NAME));
    let (_session, mut events) = Session::open(options);
    let met = fake.accept().await;
    assert!(met.is_err(), "not a byte of CONNECT may leave");
    let why = reason(&mut events).await;
    assert_eq!(why, "the broker's certificate is not valid: unknown authority");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_reported() {
    let authority = Authority::generate("bench").unwrap();
    for (answer, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "the broker does not speak TLS on this port"),
        (b"", "closed the connection during the TLS handshake"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (_session, mut events) = Session::open(options(&address, &authority));
        let (mut stream, _) = soon("a connection", listener.accept()).await.unwrap();
        // All of the hello is read, or closing would reset the connection.
        let mut hello = [0; 4096];
        assert!(soon("a hello", stream.read(&mut hello)).await.unwrap() > 0);
        stream.write_all(answer).await.unwrap();
        drop(stream);
        let why = reason(&mut events).await;
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_limit() {
    let authority = Authority::generate("bench").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options = SessionOptions {
        connect_limit: Duration::from_millis(100),
        ..options(&address, &authority)
    };
    let (_session, mut events) = Session::open(options);
    assert_eq!(reason(&mut events).await, format!("no TLS connection to {address} within 100ms"));
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_reported() {
    let authority = Authority::generate("bench").unwrap();
    let good = options("127.0.0.1:1", &authority);
    let bad_name = ClientTls::new(authority.certificate_pem(), "no name");
    let no_pem = ClientTls::new("", NAME);
    for (options, words) in [
        (SessionOptions { tls: Some(bad_name), ..good.clone() }, "\"no name\""),
        (SessionOptions { tls: Some(no_pem), ..good.clone() }, "the authority to trust"),
        (SessionOptions { address: "nowhere".into(), ..good.clone() }, "host:port"),
        (good, "cannot connect to 127.0.0.1:1"),
    ] {
        let (_session, mut events) = Session::open(options);
        let why = reason(&mut events).await;
        assert!(why.contains(words), "{why}");
    }
}

/// On a runtime of its own, whose tasks can be counted; the sockets are the tasks'.
#[tokio::test]
async fn nothing_is_left_of_a_session_however_it_ends() {
    let (fake, options) = listen().await;
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for round in 0..30 {
        let (session, mut events) = Session::open(options.clone());
        if round % 3 > 0 {
            let peer = fake.connected().await;
            assert_eq!(event(&mut events).await, SessionEvent::Connected);
            if round % 3 == 1 {
                let (_, ()) = tokio::join!(peer.rest(), session.close());
            } else {
                drop(session);
            }
        } else {
            // In the midst of the handshake.
            let mut socket = fake.socket().await;
            assert!(soon("a hello", socket.read(&mut [0; 100])).await.unwrap() > 0);
            drop(session);
        }
        // The driver ends its events by ending.
        while soon("the end of the events", events.recv()).await.is_some() {}
    }
    soon("the tasks to end", async {
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
