//! A small HTTP/1.1 client for JSON, on hyper: one server, one connection at a time, kept alive.
//!
//! Terms: the *time limit* covers one whole request from connecting to the last byte of the answer;
//! a *problem* is the `application/problem+json` body of RFC 9457, whose `detail` (or `title`)
//! becomes part of the error.
//!
//! A request is sent a second time only where the first one provably never left: on a kept-alive
//! connection that the server had closed meanwhile. Never here: redirects, cookies, proxies,
//! compression, a retry of what was sent. TLS is there where it is asked for, as MQTT has it.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::tls::{ClientTls, TlsError};

/// Time limit of a request unless set otherwise.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(30);
/// Largest answer taken unless set otherwise, bytes.
pub const DEFAULT_RESPONSE_LIMIT_BYTES: usize = 64 * 1024 * 1024;
/// Most memory reserved for an answer before it is there, bytes.
const RESERVED_LIMIT_BYTES: usize = 1024 * 1024;
/// How much of an answer that is no problem document is quoted in an error, characters.
const QUOTED_CHARS: usize = 300;

lastmeter_units::words! {
    /// What a request waited for when its time was up.
    pub enum Stage {
        /// An earlier request of the same client to finish.
        Turn = "an earlier request to finish",
        /// The TCP connection.
        Connection = "the connection",
        /// The status line and headers of the answer.
        Answer = "the answer",
        /// The rest of the answer.
        Body = "the rest of the answer",
    }
}

/// Why a request brought no value. Every variant names method and path, but for what is wrong with
/// the client itself ([`HttpError::BaseUrl`], [`HttpError::Tls`]).
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The base URL is not one this client can use.
    #[error("{url:?} is no base URL; write it as http://host:port or http://host:port/prefix")]
    BaseUrl {
        /// The URL as given.
        url: String,
    },
    /// The certificates to trust cannot be used.
    #[error("{url}: {source}")]
    Tls {
        /// The URL as given.
        url: String,
        /// What is wrong with them.
        source: TlsError,
    },
    /// The request could not be formed: a path with characters that must be percent-encoded, or a
    /// bad token.
    #[error("{request}: {why}")]
    Request {
        /// Method and path as given.
        request: RequestLine,
        /// What is wrong with it.
        why: String,
    },
    /// The server could not be reached, or the connection broke.
    #[error("{request}: {stage} failed: {why}")]
    Connection {
        /// Method and path.
        request: RequestLine,
        /// What was under way.
        stage: Stage,
        /// The cause in words.
        why: String,
    },
    /// The time limit passed.
    #[error("{request}: waited {limit:?} for {stage}")]
    TimeLimit {
        /// Method and path.
        request: RequestLine,
        /// What was waited for.
        stage: Stage,
        /// The client's time limit.
        limit: Duration,
    },
    /// The answer exceeds the response limit.
    #[error("{request}: the answer exceeds the limit of {limit_bytes} bytes")]
    TooLarge {
        /// Method and path.
        request: RequestLine,
        /// The client's response limit.
        limit_bytes: usize,
    },
    /// The server answered with a status other than 2xx.
    #[error("{request}: {status}: {detail}")]
    Status {
        /// Method and path.
        request: RequestLine,
        /// Status of the answer.
        status: StatusCode,
        /// `detail` or `title` of the problem document, else the beginning of the body.
        detail: String,
    },
    /// The answer is not the JSON that was expected, or the request's value could not be written as
    /// JSON.
    #[error("{request}: {why}")]
    Json {
        /// Method and path.
        request: RequestLine,
        /// What serde found, with the place.
        why: String,
    },
}

/// What was requested, as it begins each error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// Method of the request.
    pub method: Method,
    /// Path of the request.
    pub path: String,
}

impl RequestLine {
    fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned() }
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl HttpError {
    /// The status the server answered with, if it answered at all.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A client of one server. Requests of one client go one after the other; for requests side by side
/// make several.
pub struct Client {
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// `host:port`, for the connection and the Host header.
    authority: String,
    /// Put before each path; empty or `/x` without a slash at the end.
    prefix: String,
    authorization: Option<String>,
    time_limit: Duration,
    response_limit_bytes: usize,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl fmt::Debug for Client {
    /// Everything but the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("authority", &self.authority)
            .field("prefix", &self.prefix)
            .field("has_tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// One request on its way; carries what its errors report.
struct Call<'a> {
    line: &'a RequestLine,
    deadline: Instant,
    limit: Duration,
}

/// The media type of most bodies.
pub const JSON: &str = "application/json";

/// What is sent.
struct Content<'a> {
    media_type: &'a str,
    bytes: Bytes,
}

impl Client {
    /// A client for `http://host:port[/prefix]`, with a bearer token unless it is empty. Connects
    /// on the first request.
    pub fn new(base_url: &str, bearer_token: &str) -> Result<Self, HttpError> {
        Self::of(base_url, ("http://", 80), bearer_token)
    }

    /// The same for `https://host:port[/prefix]`.
    pub fn over_tls(
        base_url: &str,
        bearer_token: &str,
        tls: &ClientTls,
    ) -> Result<Self, HttpError> {
        let client = Self::of(base_url, ("https://", 443), bearer_token)?;
        let unusable = |source| HttpError::Tls { url: base_url.to_owned(), source };
        let (config, name) = tls.config().map_err(unusable)?;
        Ok(Self { tls: Some((config.into(), name)), ..client })
    }

    fn of(
        base_url: &str,
        (scheme, port): (&str, u16),
        bearer_token: &str,
    ) -> Result<Self, HttpError> {
        let bad = || HttpError::BaseUrl { url: base_url.to_owned() };
        let rest = base_url.strip_prefix(scheme).ok_or_else(bad)?;
        let (authority, prefix) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let authority: hyper::http::uri::Authority = authority.parse().map_err(|_| bad())?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(bad());
        }
        let port = authority.port_u16().unwrap_or(port);
        Ok(Self {
            tls: None,
            authority: format!("{}:{port}", authority.host()),
            prefix: prefix.trim_end_matches('/').to_owned(),
            authorization: (!bearer_token.is_empty()).then(|| format!("Bearer {bearer_token}")),
            time_limit: DEFAULT_TIME_LIMIT,
            response_limit_bytes: DEFAULT_RESPONSE_LIMIT_BYTES,
            connection: Mutex::new(None),
        })
    }

    /// Sets the time limit of each request.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets the largest answer taken, bytes.
    #[must_use]
    pub fn with_response_limit(mut self, limit_bytes: usize) -> Self {
        self.response_limit_bytes = limit_bytes;
        self
    }

    /// GETs `path` (with its query) and reads the answer as JSON.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, HttpError> {
        let request = RequestLine::new(Method::GET, path);
        let body = self.exchange(&request, None).await?;
        read_json(request, &body)
    }

    /// POSTs `body` as JSON and reads the answer as JSON; an empty answer reads as `null`.
    pub async fn post_json<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, HttpError> {
        let request = RequestLine::new(Method::POST, path);
        let body = serde_json::to_vec(body).map_err(|error| HttpError::Json {
            request: request.clone(),
            why: format!("the value to send is not JSON: {error}"),
        })?;
        let answer = self.exchange(&request, Some(body.into())).await?;
        read_json(request, &answer)
    }

    /// GETs `path` and returns the answer as text.
    pub async fn get_text(&self, path: &str) -> Result<String, HttpError> {
        let request = RequestLine::new(Method::GET, path);
        let body = self.exchange(&request, None).await?;
        let why = |error| format!("the answer is not UTF-8: {error}");
        String::from_utf8(body.into()).map_err(|error| HttpError::Json { request, why: why(error) })
    }

    /// Sends any request, with a body and its media type or none, as whoever has the bearer token
    /// (`Some("")` is nobody, `None` the client's own), and returns status and body whatever they
    /// are. What is no method is GET.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
        bearer_token: Option<&str>,
    ) -> Result<(u16, Bytes), HttpError> {
        self.ask_once(method, path, body, (bearer_token, None)).await
    }

    /// The same with an idempotency key, so that the request acts once however often it is sent.
    pub async fn ask_once(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
        (bearer_token, key): (Option<&str>, Option<&str>),
    ) -> Result<(u16, Bytes), HttpError> {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let request = RequestLine::new(method, path);
        let bytes = |(media_type, body): (_, &str)| Content {
            media_type,
            bytes: Bytes::copy_from_slice(body.as_bytes()),
        };
        let (status, answer, _) =
            self.answer(&request, body.map(bytes), (bearer_token, key)).await?;
        Ok((status.as_u16(), answer))
    }

    async fn exchange(
        &self,
        request: &RequestLine,
        body: Option<Bytes>,
    ) -> Result<Bytes, HttpError> {
        let body = body.map(|bytes| Content { media_type: JSON, bytes });
        let (status, answer, is_json) = self.answer(request, body, (None, None)).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let detail = detail(&answer, is_json);
        Err(HttpError::Status { request: request.clone(), status, detail })
    }

    /// Status and body of an answer, and whether that is JSON.
    async fn answer(
        &self,
        request: &RequestLine,
        body: Option<Content<'_>>,
        who: (Option<&str>, Option<&str>),
    ) -> Result<(StatusCode, Bytes, bool), HttpError> {
        let limit = self.time_limit;
        let call = Call { line: request, deadline: Instant::now() + limit, limit };
        let request = self.request(&call, body, who)?;
        // The lock is the turn; a cancelled or failed request leaves `None` behind, hence a fresh
        // connection.
        let mut slot = call.within(Stage::Turn, self.connection.lock()).await?;
        let (sender, response) = self.send(&call, slot.take(), request).await?;
        let status = response.status();
        let problem = is_json(&response);
        let answer = self.read(&call, response).await?;
        *slot = Some(sender);
        drop(slot);
        Ok((status, answer, problem))
    }

    fn request(
        &self,
        call: &Call<'_>,
        body: Option<Content<'_>>,
        (bearer_token, key): (Option<&str>, Option<&str>),
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let mut builder = Request::builder()
            .method(call.line.method.clone())
            .uri(format!("{}{}", self.prefix, call.line.path))
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json, application/problem+json, text/plain");
        let other = bearer_token.map(|token| format!("Bearer {token}"));
        let is_nobody = bearer_token == Some("");
        let authorization = other.as_ref().or(self.authorization.as_ref());
        if let Some(authorization) = authorization.filter(|_| !is_nobody) {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = key {
            builder = builder.header("idempotency-key", key);
        }
        // The platform wants writes declared, also those without a body.
        if body.is_some() || [Method::POST, Method::PUT].contains(&call.line.method) {
            let media_type = body.as_ref().map_or(JSON, |body| body.media_type);
            builder = builder.header(CONTENT_TYPE, media_type);
        }
        let bytes = body.map(|body| body.bytes).unwrap_or_default();
        builder.body(Full::new(bytes)).map_err(|error| HttpError::Request {
            request: call.line.clone(),
            why: error.to_string(),
        })
    }

    /// Sends on the kept connection if it is still good, else on a fresh one.
    async fn send(
        &self,
        call: &Call<'_>,
        kept: Option<SendRequest<Full<Bytes>>>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(SendRequest<Full<Bytes>>, Response<Incoming>), HttpError> {
        if let Some(mut sender) = kept
            && call.within(Stage::Answer, sender.ready()).await?.is_ok()
        {
            match call.within(Stage::Answer, sender.try_send_request(request)).await? {
                Ok(response) => return Ok((sender, response)),
                Err(mut error) => match error.take_message() {
                    // hyper hands the request back only when none of it was written.
                    Some(unsent) => request = unsent,
                    None => return Err(call.failed(Stage::Answer, error.error())),
                },
            }
        }
        let mut sender = self.connect(call).await?;
        let response = call
            .within(Stage::Answer, sender.send_request(request))
            .await?
            .map_err(|error| call.failed(Stage::Answer, &error))?;
        Ok((sender, response))
    }

    async fn connect(&self, call: &Call<'_>) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let failed = |error: &dyn std::error::Error| call.failed(Stage::Connection, error);
        let stream = call
            .within(Stage::Connection, TcpStream::connect(&self.authority))
            .await?
            .map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        match &self.tls {
            None => self.speak(call, stream).await,
            Some((connector, name)) => {
                // On the heap: a TLS session is large, and every request would carry its place.
                let shaking = Box::pin(connector.connect(name.clone(), stream));
                let stream = call.within(Stage::Connection, shaking).await?;
                let stream = Box::new(stream.map_err(|error| failed(&error))?);
                Box::pin(self.speak(call, stream)).await
            }
        }
    }

    /// Begins HTTP on a connection.
    async fn speak<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        call: &Call<'_>,
        stream: S,
    ) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let (sender, connection) = call
            .within(Stage::Connection, handshake(TokioIo::new(stream)))
            .await?
            .map_err(|error| call.failed(Stage::Connection, &error))?;
        // Ends by itself when the sender is dropped or the server closes; its error reaches the
        // request under way.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn read(
        &self,
        call: &Call<'_>,
        response: Response<Incoming>,
    ) -> Result<Bytes, HttpError> {
        let too_large = || HttpError::TooLarge {
            request: call.line.clone(),
            limit_bytes: self.response_limit_bytes,
        };
        let announced = response.headers().get(CONTENT_LENGTH).and_then(announced_bytes);
        if announced.is_some_and(|bytes| bytes > self.response_limit_bytes) {
            return Err(too_large());
        }
        let mut body = response.into_body();
        // Reserved up to here only, whatever the server announces.
        let mut read = BytesMut::with_capacity(announced.unwrap_or(0).min(RESERVED_LIMIT_BYTES));
        while let Some(frame) = call.within(Stage::Body, body.frame()).await? {
            let frame = frame.map_err(|error| call.failed(Stage::Body, &error))?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > self.response_limit_bytes {
                return Err(too_large());
            }
            read.extend_from_slice(&data);
        }
        Ok(read.freeze())
    }
}

impl Call<'_> {
    async fn within<T>(
        &self,
        stage: Stage,
        waited_for: impl Future<Output = T>,
    ) -> Result<T, HttpError> {
        timeout_at(self.deadline, waited_for).await.map_err(|_| HttpError::TimeLimit {
            request: self.line.clone(),
            stage,
            limit: self.limit,
        })
    }

    fn failed(&self, stage: Stage, error: &dyn std::error::Error) -> HttpError {
        let mut why = error.to_string();
        // hyper keeps the interesting half, such as "connection reset by peer", in the source.
        let mut source = error.source();
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        HttpError::Connection { request: self.line.clone(), stage, why }
    }
}

fn announced_bytes(length: &HeaderValue) -> Option<usize> {
    length.to_str().ok()?.parse().ok()
}

fn is_json(response: &Response<Incoming>) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("json"))
}

fn read_json<T: DeserializeOwned>(request: RequestLine, body: &[u8]) -> Result<T, HttpError> {
    let body = if body.is_empty() { b"null" } else { body };
    let why = |error| format!("unexpected answer: {error}");
    serde_json::from_slice(body).map_err(|error| HttpError::Json { request, why: why(error) })
}

/// The words of an error answer.
fn detail(body: &[u8], json: bool) -> String {
    let problem = json.then(|| serde_json::from_slice::<serde_json::Value>(body).ok()).flatten();
    let detail = problem.as_ref().and_then(|problem| {
        ["detail", "title"].into_iter().find_map(|key| problem.get(key)?.as_str())
    });
    match detail {
        Some(detail) => detail.to_owned(),
        None if body.is_empty() => "no explanation given".to_owned(),
        None => String::from_utf8_lossy(body).chars().take(QUOTED_CHARS).collect(),
    }
}
