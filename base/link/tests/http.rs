//! The HTTP client against a server of bytes.
#![expect(clippy::unwrap_used, reason = "a test ends by panicking")]

use std::time::Duration;

use lastmeter_link::http::{Client, HttpError, Stage};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

struct Server {
    listener: TcpListener,
}

struct Connection {
    stream: BufReader<TcpStream>,
}

impl Server {
    async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    async fn connection(&self) -> Connection {
        Connection { stream: BufReader::new(self.listener.accept().await.unwrap().0) }
    }
}

impl Connection {
    /// The next request as head lines and body; `None` at the end of the connection.
    async fn request(&mut self) -> Option<(Vec<String>, String)> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.unwrap() == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let length = lines
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        Some((lines, String::from_utf8(body).unwrap()))
    }

    async fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    async fn answer(&mut self, status: &str, kind: &str, body: &str) {
        let length = body.len();
        self.send(&format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
    }
}

#[tokio::test]
async fn requests_carry_token_prefix_and_body_on_one_kept_connection() {
    let server = Server::listen().await;
    let client = Client::new(&format!("{}/base/", server.url()), "t0ken").unwrap();
    let serving = tokio::spawn(async move {
        let mut connection = server.connection().await;
        let mut requests = Vec::new();
        for answer in [r#"{"a":1}"#, "2.5"] {
            requests.push(connection.request().await.unwrap());
            connection.answer("200 OK", "application/json", answer).await;
        }
        (requests, connection.request().await)
    });
    let first: Value = client.get_json("/x?after=3").await.unwrap();
    assert_eq!(first, json!({"a": 1}));
    let second: f64 = client.post_json("/y", &json!({"to": "now"})).await.unwrap();
    assert_eq!(second, 2.5);
    drop(client);
    let (requests, after) = serving.await.unwrap();
    assert_eq!(after, None);
    assert_eq!(requests[0].0[0], "GET /base/x?after=3 HTTP/1.1");
    assert_eq!(requests[1].0[0], "POST /base/y HTTP/1.1");
    for (head, _) in &requests {
        assert!(head.contains(&"authorization: Bearer t0ken".to_owned()), "{head:?}");
    }
    assert!(requests[1].0.contains(&"content-type: application/json".to_owned()));
    assert_eq!(requests[1].1, r#"{"to":"now"}"#);
}

#[tokio::test]
async fn a_problem_document_becomes_the_error() {
    let server = Server::listen().await;
    let client = Client::new(&server.url(), "").unwrap();
    let serving = tokio::spawn(async move {
        let mut connection = server.connection().await;
        for (status, kind, body) in [
            (
                "404 Not Found",
                "application/problem+json",
                r#"{"title":"no","detail":"no device x"}"#,
            ),
            ("401 Unauthorized", "application/problem+json", r#"{"title":"no token"}"#),
            ("500 Internal Server Error", "text/plain", "it broke"),
            ("503 Service Unavailable", "text/plain", ""),
        ] {
            let (head, _) = connection.request().await.unwrap();
            assert!(!head.iter().any(|line| line.starts_with("authorization")));
            connection.answer(status, kind, body).await;
        }
    });
    for (status, expected) in [
        (404, "GET /d/x: 404 Not Found: no device x"),
        (401, "GET /d/x: 401 Unauthorized: no token"),
        (500, "GET /d/x: 500 Internal Server Error: it broke"),
        (503, "GET /d/x: 503 Service Unavailable: no explanation given"),
    ] {
        let error = client.get_json::<Value>("/d/x").await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.status().unwrap().as_u16(), status);
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn a_connection_the_server_closed_is_made_anew() {
    let server = Server::listen().await;
    let client = Client::new(&server.url(), "").unwrap();
    let serving = tokio::spawn(async move {
        for body in ["1", "2", "3"] {
            let mut connection = server.connection().await;
            connection.request().await.unwrap();
            connection.answer("200 OK", "application/json", body).await;
        }
    });
    for expected in 1..=3 {
        let answer: Result<i32, HttpError> = client.post_json("/x", &()).await;
        match answer {
            Ok(answer) => assert_eq!(answer, expected),
            Err(error) => panic!("{error}"),
        }
        // Lets the client's side see the end of the connection before the next request.
        while !serving.is_finished() && expected == 3 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    let server = Server::listen().await;
    let client = Client::new(&server.url(), "").unwrap();
    let serving = tokio::spawn(async move {
        let mut connection = server.connection().await;
        connection.request().await.unwrap();
        connection.answer("200 OK", "application/json", "1").await;
        // The second request is read and the connection ends without an answer.
        connection.request().await.unwrap();
        drop(connection);
        // The next connection brings the third request, not the second again.
        let mut connection = server.connection().await;
        let (head, _) = connection.request().await.unwrap();
        connection.answer("200 OK", "application/json", "3").await;
        head[0].clone()
    });
    assert_eq!(client.post_json::<_, i32>("/first", &()).await.unwrap(), 1);
    let error = client.post_json::<_, i32>("/second", &()).await.unwrap_err();
    assert!(
        matches!(&error, HttpError::Connection { request, stage: Stage::Answer, .. } if request.path == "/second"),
        "{error}"
    );
    assert_eq!(client.post_json::<_, i32>("/third", &()).await.unwrap(), 3);
    assert_eq!(serving.await.unwrap(), "POST /third HTTP/1.1");
}

#[tokio::test]
async fn a_time_limit_names_what_was_waited_for() {
    let server = Server::listen().await;
    let limit = Duration::from_millis(100);
    let client = Client::new(&server.url(), "").unwrap().with_time_limit(limit);
    let serving = tokio::spawn(async move {
        let mut silent = server.connection().await;
        silent.request().await.unwrap();
        let mut half = server.connection().await;
        half.request().await.unwrap();
        half.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        (silent.request().await, half.request().await)
    });
    let error = client.get_text("/silent").await.unwrap_err();
    assert_eq!(error.to_string(), "GET /silent: waited 100ms for the answer");
    let error = client.get_text("/half").await.unwrap_err();
    assert_eq!(error.to_string(), "GET /half: waited 100ms for the rest of the answer");
    assert_eq!(serving.await.unwrap(), (None, None));
}

#[tokio::test]
async fn an_answer_above_the_limit_is_refused_however_it_is_framed() {
    let server = Server::listen().await;
    let client = Client::new(&server.url(), "").unwrap().with_response_limit(10);
    let serving = tokio::spawn(async move {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nghijk\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n4\r\nghij\r\n0\r\n\r\n",
        ] {
            let mut connection = server.connection().await;
            connection.request().await.unwrap();
            connection.send(answer).await;
            connection.request().await;
        }
    });
    for _ in 0..2 {
        let error = client.get_text("/x").await.unwrap_err();
        assert_eq!(error.to_string(), "GET /x: the answer exceeds the limit of 10 bytes");
    }
    assert_eq!(client.get_text("/x").await.unwrap(), "abcdefghij");
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn unexpected_and_empty_answers_are_distinguished() {
    let server = Server::listen().await;
    let client = Client::new(&server.url(), "").unwrap();
    let serving = tokio::spawn(async move {
        let mut connection = server.connection().await;
        for body in [r#""text""#, ""] {
            connection.request().await.unwrap();
            connection.answer("200 OK", "application/json", body).await;
        }
    });
    let error = client.get_json::<u32>("/x").await.unwrap_err();
    assert!(
        error.to_string().starts_with("GET /x: unexpected answer: invalid type: string"),
        "{error}"
    );
    client.get_json::<()>("/x").await.unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_and_a_url_that_is_none_are_reported() {
    let url = Server::listen().await.url();
    let client = Client::new(&url, "").unwrap();
    let error = client.get_text("/x").await.unwrap_err();
    assert!(error.to_string().starts_with("GET /x: the connection failed: "), "{error}");
    for url in ["", "localhost:1", "https://localhost:1", "http://", "http:///x", "http://u@h/x"] {
        let error = Client::new(url, "").unwrap_err();
        assert!(matches!(error, HttpError::BaseUrl { .. }), "{url}: {error}");
    }
    let error = client.get_text("/a b").await.unwrap_err();
    assert!(matches!(error, HttpError::Request { .. }), "{error}");
}
