//! HTTP beside a gateway that runs by itself: what it counts, its values, and values for it.
//!
//! A request is handed to the task that moves the gateway and waits for its answer, so that nothing
//! is shared. Who has no token is answered before anything is handed over. Requests with a body
//! name its type, which pages of other origins cannot do without being asked for it first.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// The largest body: a frame with 300 points as JSON has less than a tenth of it.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Connections at a time; others wait to be accepted.
const CONNECTIONS: usize = 64;
/// Requests that wait for the gateway.
const REQUESTS: usize = 64;
/// How long the head of a request may take.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long its body and its answer may take.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection is kept, so that nobody holds one forever.
const CONNECTION_LIMIT: Duration = Duration::from_mins(5);
/// How long the last request of a connection may take.
const LAST_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    Metrics,
    Health,
    Points,
    SetPoints,
    Samples { is_json: bool, bytes: Vec<u8> },
    Set(Vec<u8>),
}

/// A question with the way back for its answer.
#[derive(Debug)]
pub(super) struct PendingRequest {
    pub(super) question: Question,
    pub(super) reply: oneshot::Sender<Answer>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: "application/json", body: body.into() }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        (status, [(CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

/// Where it is served, and to whom.
#[derive(Clone)]
pub struct HttpOptions {
    /// The address; port 0 takes a free one.
    pub at: String,
    /// The token that requests have to carry; without one only this machine is served.
    pub token: Option<String>,
}

impl std::fmt::Debug for HttpOptions {
    /// Everything but the token, which must not reach a log.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HttpOptions").field("at", &self.at).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Api {
    asked: mpsc::Sender<PendingRequest>,
    /// Of the token: comparing hashes takes the same time wherever a guess goes wrong.
    token: Option<[u8; 32]>,
}

/// Serves until the program ends; gives where, and the questions.
///
/// # Errors
/// If the address cannot be used, or is not of this machine alone and there is no token.
pub(super) async fn serve(
    options: &HttpOptions,
) -> Result<(SocketAddr, mpsc::Receiver<PendingRequest>), String> {
    let at = &options.at;
    let refused = |error: std::io::Error| format!("--http {at}: {error}");
    let listener = TcpListener::bind(at).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    if options.token.is_none() && !address.ip().is_loopback() {
        return Err(format!(
            "--http {at}: others can reach it, so it needs a token: give `--http-token-file`, or \
             an address such as 127.0.0.1:9100"
        ));
    }
    if options.token.as_ref().is_some_and(String::is_empty) {
        return Err("--http-token-file: the file is empty, expected a token".to_owned());
    }
    let (asked, questions) = mpsc::channel(REQUESTS);
    let token = options.token.as_ref().map(|token| Sha256::digest(token.as_bytes()).into());
    let router = router(Api { asked, token });
    tokio::spawn(accept(listener, router));
    Ok((address, questions))
}

fn router(api: Api) -> Router {
    let show = |question: fn() -> Question| {
        get(move |State(api): State<Api>| async move { ask(&api, question()).await })
    };
    Router::new()
        .route("/metrics", show(|| Question::Metrics))
        .route("/health", show(|| Question::Health))
        .route("/points", show(|| Question::Points))
        .route("/set-points", show(|| Question::SetPoints).post(set))
        .route("/samples", post(samples))
        .layer(from_fn_with_state(api.clone(), authorise))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}

async fn accept(listener: TcpListener, router: Router) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, for example: others have to go first. Nothing ends this wait.
            let _ = timeout(Duration::from_millis(100), std::future::pending::<()>()).await;
            continue;
        };
        // Small answers leave at once; where that is not to be had, they leave later.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            if timeout(CONNECTION_LIMIT, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                // Who has not finished by then is cut off.
                let _ = timeout(LAST_LIMIT, connection).await;
            }
            drop(seat);
        });
    }
}

/// Lets a request pass that carries the token, where there is one.
async fn authorise(State(api): State<Api>, request: Request, next: Next) -> Response {
    let given = |headers: &HeaderMap| {
        let value = headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")?;
        Some(<[u8; 32]>::from(Sha256::digest(value)))
    };
    if api.token.is_some() && given(request.headers()) != api.token {
        let body = "{\"error\":\"expected `Authorization: Bearer TOKEN`\"}";
        let mut response = Answer::json(401, body).into_response();
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    // A body that does not come holds its seat no longer than a head.
    timeout(BODY_LIMIT, next.run(request)).await.unwrap_or_else(|_| {
        let body = "{\"error\":\"the body did not come within 10 s\"}";
        let mut response = Answer::json(408, body).into_response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    })
}

async fn ask(api: &Api, question: Question) -> Answer {
    let (reply, answer) = oneshot::channel();
    let gone = || Answer::json(503, "{\"error\":\"the adapter ends\"}");
    if api.asked.send(PendingRequest { question, reply }).await.is_err() {
        return gone();
    }
    answer.await.unwrap_or_else(|_| gone())
}

/// The type of a body, without its parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

async fn samples(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Answer {
    let is_json = match content_type(&headers) {
        "application/octet-stream" => false,
        "application/json" => true,
        _ => return not_this("application/octet-stream or application/json"),
    };
    ask(&api, Question::Samples { is_json, bytes: body.to_vec() }).await
}

async fn set(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Answer {
    match content_type(&headers) {
        "application/json" => ask(&api, Question::Set(body.to_vec())).await,
        _ => not_this("application/json"),
    }
}

fn not_this(expected: &str) -> Answer {
    Answer::json(415, format!("{{\"error\":\"expected a body of {expected}\"}}"))
}
