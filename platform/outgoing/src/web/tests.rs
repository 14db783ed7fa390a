//! Requests to servers of this machine.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that answers one request after the other with the same bytes; gives what it was sent.
async fn server(answer: Vec<u8>) -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut all = Vec::new();
            while !all.windows(4).any(|four| four == b"\r\n\r\n") {
                let mut part = [0; 1024];
                let count = stream.read(&mut part).await.unwrap();
                all.extend_from_slice(&part[..count]);
                if count == 0 {
                    break;
                }
            }
            let _ = told.send(String::from_utf8(all).unwrap());
            let _ = stream.write_all(&answer).await;
        }
    });
    (port, heard)
}

fn web(hosts: &[String]) -> Web {
    let hosts = hosts.iter().map(|one| one.parse().unwrap()).collect();
    Web::new(Hosts::new(hosts), ClientTls::trusting([]).unwrap())
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn an_address_is_read_and_others_are_refused() {
    let url: Url = "https://Hooks.example.org/a?b=c".parse().unwrap();
    assert_eq!((url.host(), url.port(), url.path.as_str()), ("Hooks.example.org", 443, "/a?b=c"));
    let url: Url = "http://[::1]:9000".parse().unwrap();
    assert_eq!((url.host(), url.port(), url.path.as_str()), ("[::1]", 9000, "/"));
    for wrong in [
        "",
        "/a",
        "ftp://a/",
        "https://",
        "https://user:secret@a/",
        "https://a@b/",
        "//host",
        "https://a\\b",
        "javascript:alert(1)",
        "https:///a",
        "https://a b/",
        "file:///etc/passwd",
    ] {
        assert!(wrong.parse::<Url>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn what_is_sent_arrives_whole_and_its_answer_comes_back() {
    let (port, mut heard) = server(answer("200 OK", b"[1]")).await;
    let url: Url = format!("http://127.0.0.1:{port}/hook?x=1").parse().unwrap();
    let asked = Asked {
        body: Some(("application/json", b"{}".to_vec())),
        token: Some("secret".to_owned()),
        headers: vec![("idempotency-key", "t-1".to_owned())],
    };
    let web = web(&[format!("127.0.0.1:{port}")]);
    let reply = web.send(&url, asked).await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"[1]".as_slice()));
    let sent = heard.recv().await.unwrap().to_ascii_lowercase();
    assert!(sent.starts_with("post /hook?x=1 http/1.1\r\n"), "{sent}");
    for header in [
        format!("host: 127.0.0.1:{port}"),
        "authorization: bearer secret".to_owned(),
        "content-type: application/json".to_owned(),
        "idempotency-key: t-1".to_owned(),
        "content-length: 2".to_owned(),
    ] {
        assert!(sent.contains(&format!("\r\n{header}\r\n")), "{header} in {sent}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_named_is_not_even_connected_to() {
    let (port, mut heard) = server(answer("200 OK", b"")).await;
    for host in ["127.0.0.1", "localhost"] {
        let url: Url = format!("http://{host}:{port}/").parse().unwrap();
        let hosts = [format!("127.0.0.1:{}", port ^ 1), format!("localhost:{port}")];
        let sent = web(&hosts).send(&url, Asked::default()).await;
        assert!(matches!(sent, Err(OutgoingError::Refused(_))), "{host}: {sent:?}");
    }
    assert!(heard.try_recv().is_err());
    let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    assert!(web(&[]).send_trusted(&url, Asked::default()).await.is_ok());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (port, mut heard) = server(answer("302 Found", b"")).await;
    let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let reply = web(&[format!("127.0.0.1:{port}")]).send(&url, Asked::default()).await.unwrap();
    assert_eq!(reply.status, 302);
    assert!(matches!(reply.taken(), Err(OutgoingError::Refused(_))));
    assert!(heard.recv().await.is_some());
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused_and_a_broken_one_has_failed() {
    let too_long = vec![b'x'; ANSWER_BYTES_MAX + 1];
    for (answer, is_refused) in [
        (answer("200 OK", &too_long), true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec(), false),
        (b"no HTTP at all\r\n\r\n".to_vec(), false),
    ] {
        let (port, _heard) = server(answer).await;
        let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
        let sent = web(&[format!("127.0.0.1:{port}")]).send(&url, Asked::default()).await;
        match sent {
            Err(OutgoingError::Refused(_)) => assert!(is_refused),
            Err(OutgoingError::Failed(_)) => assert!(!is_refused),
            Ok(reply) => panic!("{reply:?}"),
        }
    }
}

#[test]
fn what_may_be_otherwise_later_has_failed() {
    let taken = |status| Reply { status, body: Vec::new() }.taken();
    for status in [200, 204, 299] {
        assert!(taken(status).is_ok());
    }
    for status in [408, 429, 500, 503] {
        assert!(matches!(taken(status), Err(OutgoingError::Failed(_))), "{status}");
    }
    for status in [301, 400, 401, 404, 410] {
        assert!(matches!(taken(status), Err(OutgoingError::Refused(_))), "{status}");
    }
}

#[tokio::test]
async fn a_server_over_tls_is_known_by_its_authority_or_not_at_all() {
    use rustls::pki_types::PrivateKeyDer;
    let mut made = rcgen::CertificateParams::new(Vec::new()).unwrap();
    made.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own = rcgen::KeyPair::generate().unwrap();
    let authority = made.self_signed(&own).unwrap();
    let issuer = rcgen::Issuer::new(made, own);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&answer("200 OK", b"ok")).await;
            let _ = stream.shutdown().await;
        }
    });
    let url: Url = format!("https://127.0.0.1:{port}/").parse().unwrap();
    let hosts = || Hosts::new(vec![format!("127.0.0.1:{port}").parse().unwrap()]);
    let known = Web::new(hosts(), ClientTls::trusting([authority.der().clone()]).unwrap());
    assert_eq!(known.send(&url, Asked::default()).await.unwrap().body, b"ok");
    let unknown = Web::new(hosts(), ClientTls::trusting([]).unwrap());
    assert!(matches!(unknown.send(&url, Asked::default()).await, Err(OutgoingError::Failed(_))));
}
