//! The TLS port: who may not be whom, and that it ends with the broker.

use lastmeter_link::tls::{Authority, ClientTls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::tls::Naming;

/// A broker with a TLS listener that wants a certificate, and nothing else; and its authority.
async fn start_behind_tls(platform: &Arc<Platform>) -> (Broker, Authority) {
    let authority = Authority::generate("bench").unwrap();
    let server = authority.issue_server(&["localhost"]).unwrap();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der(authority.certificate_pem())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes()).unwrap();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Naming(verifier.build().unwrap())))
        .with_single_cert(vec![der(&server.certificate_pem)], key)
        .unwrap();
    let tls = TlsSettings {
        address: config().address,
        server: Arc::new(server),
        handshake_limit: LIMIT,
        handshakes: 10,
        connections: 10,
    };
    let config = BrokerConfig { plain: false, tls: Some(tls), ..config() };
    (Broker::start(config, platform.clone()).await.unwrap(), authority)
}

fn device(broker: &Broker, authority: &Authority, name: &str) -> SessionOptions {
    let identity = authority.issue_device(name).unwrap();
    let tls = ClientTls::new(authority.certificate_pem(), "localhost").with_identity(identity);
    SessionOptions { tls: Some(tls), ..options(broker, name) }
}

/// A client that sends all it has and goes at once must not slip in while nobody looks: when the
/// broker judges its CONNECT, the connection may be gone already.
#[tokio::test]
async fn a_client_that_is_gone_before_its_name_was_asked_for_does_nothing() {
    let platform = Platform::new();
    let (broker, authority) = start_behind_tls(&platform).await;
    let options = device(&broker, &authority, "thief");
    for round in 0..20 {
        let (config, name) = options.tls.as_ref().unwrap().config().unwrap();
        let stream = TcpStream::connect(broker.tls_address.unwrap()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let mut stream = connector.connect(name, stream).await.unwrap();
        // CONNECT as another device with a QoS 0 PUBLISH behind it, in one go (sections 3.1, 3.3).
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0xc2, 0, 60];
        for text in ["victim", "default", "token"] {
            body.extend((text.len() as u16).to_be_bytes());
            body.extend(text.as_bytes());
        }
        let mut packets = vec![0x10, body.len() as u8];
        packets.extend(body);
        packets.extend([0x30, 2 + INPUT.len() as u8 + 5, 0, INPUT.len() as u8]);
        packets.extend(INPUT.as_bytes());
        packets.extend(b"store");
        stream.write_all(&packets).await.unwrap();
        if round % 2 == 0 {
            drop(stream);
        } else {
            stream.shutdown().await.unwrap();
            let mut waste = Vec::new();
            // Closed or reset, but over.
            let _ = soon("the end", stream.read_to_end(&mut waste)).await;
        }
    }
    let (session, mut events) = open(device(&broker, &authority, "home-1")).await;
    publish(&session, 1, INPUT, "last").await;
    acknowledged(&mut events, 1).await;
    assert_eq!(platform.payloads(), ["last"]);
    assert_eq!(broker.counters().connected, 1);
    broker.stop().await;
}

#[tokio::test]
async fn the_door_ends_with_the_broker() {
    let platform = Platform::new();
    let (broker, authority) = start_behind_tls(&platform).await;
    let address = broker.tls_address.unwrap();
    let (_session, mut events) = open(device(&broker, &authority, "home-1")).await;
    // One that is in the midst of its handshake.
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(&[22, 3, 1]).await.unwrap();
    soon("the broker to stop", broker.stop()).await;
    assert_eq!(Arc::strong_count(&platform), 1);
    disconnected(&mut events).await;
    assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
}
