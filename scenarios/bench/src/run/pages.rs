//! Pages of a gateway over HTTP, for browsers beside a run: each request is handed to the bench,
//! which asks the gateway and hands its answer back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, ORIGIN, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lastmeter_devices::{PageAnswer, PageMethod, PageRequest};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::error::BenchError;

/// The largest form.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Connections at a time; others wait to be accepted.
const CONNECTIONS: usize = 64;
/// Requests that wait for the gateway.
const REQUESTS: usize = 64;
/// How long the head of a request may take, and its body, and its answer.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a connection is kept.
const CONNECTION_LIMIT: Duration = Duration::from_mins(5);
/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// A request with the way back for its answer; `None`: no gateway answers pages.
#[derive(Debug)]
pub(crate) struct PendingPage {
    pub(crate) request: PageRequest,
    pub(crate) reply: oneshot::Sender<Option<PageAnswer>>,
}

/// Serves at an address until the program ends; gives where, and what is asked.
pub(crate) async fn serve(
    at: &str,
) -> Result<(SocketAddr, mpsc::Receiver<PendingPage>), BenchError> {
    let refused = || BenchError::file("cannot serve pages at", at);
    let listener = TcpListener::bind(at).await.map_err(refused())?;
    let address = listener.local_addr().map_err(refused())?;
    let (asked, questions) = mpsc::channel(REQUESTS);
    tokio::spawn(accept(listener, Router::new().fallback(page).with_state(asked)));
    Ok((address, questions))
}

async fn accept(listener: TcpListener, router: Router) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(LIMIT);
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, for example: others have to go first. Nothing ends this wait.
            let _ = timeout(Duration::from_millis(100), std::future::pending::<()>()).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // Who has not finished by then is cut off; what went wrong is the browser's to see.
            let _ = timeout(CONNECTION_LIMIT, connection).await;
            drop(seat);
        });
    }
}

/// Hands one request on and waits for its answer.
async fn page(State(asked): State<mpsc::Sender<PendingPage>>, request: Request) -> Response {
    match timeout(LIMIT, answered(asked, request)).await {
        Ok(Ok(answer)) => shown(answer),
        Ok(Err(status)) => status.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

async fn answered(
    asked: mpsc::Sender<PendingPage>,
    request: Request,
) -> Result<PageAnswer, StatusCode> {
    let (parts, body) = request.into_parts();
    let method = match parts.method {
        Method::GET => PageMethod::Get,
        Method::POST => PageMethod::Post,
        _ => return Err(StatusCode::METHOD_NOT_ALLOWED),
    };
    let header = |name: HeaderName| text_of(&parts.headers, &name);
    let body: Bytes =
        to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let media_type = header(CONTENT_TYPE).unwrap_or_default();
    if !body.is_empty() && media_type.split(';').next().map(str::trim) != Some(FORM) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (cookie, origin, host) = (header(COOKIE), header(ORIGIN), header(HOST));
    let request = PageRequest { method, path, cookie, origin, host, body: body.to_vec() };
    let (reply, answer) = oneshot::channel();
    let gone = StatusCode::SERVICE_UNAVAILABLE;
    asked.send(PendingPage { request, reply }).await.map_err(|_| gone)?;
    answer.await.map_err(|_| gone)?.ok_or(StatusCode::NOT_FOUND)
}

/// A header that is text; of several of one name the values, as of one (RFC 9113, 8.2.3).
fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join("; "))
}

fn shown(answer: PageAnswer) -> Response {
    let PageAnswer { status, media_type, location, set_cookie, body } = answer;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fixed = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    let mut response = (status, fixed, [(CONTENT_TYPE, media_type)], body).into_response();
    for (name, value) in [(LOCATION, location), (SET_COOKIE, set_cookie)] {
        // What is no header is left out: the gateway made it of what a browser sent.
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// What a server with a gateway that answers with what it was asked gives for raw bytes.
    async fn exchanged(sent: &str) -> (String, Vec<PageRequest>) {
        let (address, mut questions) = serve("127.0.0.1:0").await.unwrap();
        let gateway = tokio::spawn(async move {
            let mut seen = Vec::new();
            if let Some(PendingPage { request, reply }) = questions.recv().await {
                let set_cookie = Some("s=1; HttpOnly".to_owned());
                let body = request.path.clone().into_bytes();
                seen.push(request);
                let location = Some("/next".to_owned());
                let media_type = "text/html; charset=utf-8";
                let answer = PageAnswer { status: 303, media_type, location, set_cookie, body };
                reply.send(Some(answer)).unwrap();
            }
            seen
        });
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        if gateway.is_finished() {
            return (answer, gateway.await.unwrap());
        }
        gateway.abort();
        (answer, Vec::new())
    }

    #[tokio::test]
    async fn a_form_reaches_the_gateway_with_its_headers_and_the_answer_the_browser() {
        let sent = "POST /loads?x=1 HTTP/1.1\r\nHost: h:1\r\nOrigin: http://h:1\r\nCookie: s=0\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\
                    Connection: close\r\n\r\na=b";
        let (answer, seen) = exchanged(sent).await;
        let [PageRequest { method, path, cookie, origin, host, body }] = &seen[..] else {
            panic!("{answer}");
        };
        assert_eq!((*method, path.as_str()), (PageMethod::Post, "/loads?x=1"));
        assert_eq!(cookie.as_deref(), Some("s=0"));
        assert_eq!((origin.as_deref(), host.as_deref()), (Some("http://h:1"), Some("h:1")));
        assert_eq!(body, b"a=b");
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        for header in ["location: /next", "set-cookie: s=1; HttpOnly", "x-frame-options: DENY"] {
            assert!(answer.contains(header), "{header} in {answer}");
        }
        assert!(answer.ends_with("/loads?x=1"), "{answer}");
    }

    #[tokio::test]
    async fn what_is_no_page_never_reaches_the_gateway() {
        let long = "x".repeat(BODY_BYTES_MAX + 1);
        let post = |media_type: &str, body: &str| {
            format!(
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            )
        };
        for (sent, status) in [
            (post("application/json", "{}"), "415"),
            (post(FORM, &long), "413"),
            ("PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_owned(), "405"),
        ] {
            let (answer, seen) = exchanged(&sent).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
            assert!(seen.is_empty());
        }
    }
}
