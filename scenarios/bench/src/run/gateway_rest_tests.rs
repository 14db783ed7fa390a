//! What reaches a server of a gateway's requests, and what comes back of those that do not.

use lastmeter_wire::rest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn request(path: &str) -> Request {
    let (body, key) = (Some("{}".to_owned()), Some("k-1".to_owned()));
    Request { number: 7, method: Method::Post, path: path.to_owned(), body, key }
}

fn profile(rest: &str) -> Profile {
    toml::from_str(&format!("mqtt = \"\"\nrest = \"{rest}\"\ntoken = \"of-the-bench\"")).unwrap()
}

#[tokio::test]
async fn a_request_goes_out_once_with_its_own_credential() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut seen, mut part) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(b"\r\n\r\n{}") {
            let count = stream.read(&mut part).await.unwrap();
            seen.extend(&part[..count]);
        }
        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        String::from_utf8(seen).unwrap().to_lowercase()
    });
    let profile = profile(&format!("http://{address}"));
    let answer = ask(&profile, Some("own"), &request("/api/v1/feeds?x=1")).await;
    assert_eq!(answer, Answer { number: 7, status: 201, body: b"ok".to_vec() });
    let seen = server.await.unwrap();
    assert!(seen.starts_with("post /api/v1/feeds?x=1 http/1.1\r\n"), "{seen}");
    for header in ["authorization: bearer own\r\n", "idempotency-key: k-1\r\n"] {
        assert!(seen.contains(header), "{header} in {seen}");
    }
    assert!(!seen.contains("of-the-bench"), "{seen}");
}

#[tokio::test]
async fn what_may_not_go_out_is_answered_here() {
    // Nobody listens at this port, so that 0 would be the answer of what went out.
    let profile = profile("http://127.0.0.1:1");
    for (token, path, status) in [
        (None, "/api/v1/feeds", 401),
        (Some(""), "/api/v1/feeds", 401),
        (Some("own"), "/metrics", 400),
        (Some("own"), "/api/v1", 400),
        (Some("own"), "/api/v1/a b", 400),
        (Some("own"), "/sitewhere/api/devices", 0),
        (Some("own"), "/api/v1/feeds", 0),
    ] {
        let answer = ask(&profile, token, &request(path)).await;
        assert_eq!((answer.number, answer.status), (7, status), "{path}");
    }
}
