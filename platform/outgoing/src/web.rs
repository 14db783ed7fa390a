//! One request over HTTP/1.1 to an address that is looked up once. No redirect is followed, and
//! nothing is sent twice.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::error::OutgoingError;
use crate::hosts::{Hosts, resolve_trusted};
use crate::{ANSWER_BYTES_MAX, TIME_LIMIT};

/// An address of the web: scheme, host, port, path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    is_tls: bool,
    host: String,
    port: u16,
    /// As the `Host` header has it.
    authority: String,
    path: String,
}

impl Url {
    /// The host, as it stands in the address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, given or usual.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "an address such as `https://hooks.example.org/path`".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        // A name and a password before the host would stand in what is shown of it.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            is_tls,
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

/// How servers are known.
#[derive(Clone, Debug)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// By these authorities.
    ///
    /// # Errors
    /// If one of them is none.
    pub fn trusting(
        authorities: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority)?;
        }
        Self::of(roots)
    }

    /// By those that the machine trusts.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn of_machine() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        let (taken, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        tracing::debug!(taken, "authorities of this machine");
        Self::of(roots)
    }

    /// As a library takes it.
    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.0)
    }

    fn of(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What is sent, with its media type; without it is a `GET`.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// A bearer token.
    pub token: Option<String>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// It, if it is one of success.
    ///
    /// # Errors
    /// If it is another: one that may be otherwise later has failed.
    pub fn taken(self) -> Result<Self, OutgoingError> {
        let why = || format!("the answer was {}", self.status);
        match self.status {
            200..=299 => Ok(self),
            408 | 425 | 429 | 500.. => Err(OutgoingError::Failed(why())),
            _ => Err(OutgoingError::Refused(why())),
        }
    }
}

/// A client.
#[derive(Clone)]
pub struct Web {
    hosts: Hosts,
    tls: ClientTls,
}

impl Web {
    /// One that reaches these hosts.
    pub fn new(hosts: Hosts, tls: ClientTls) -> Self {
        Self { hosts, tls }
    }

    /// Whether an address is of a host that may be reached.
    pub fn may_reach(&self, url: &Url) -> bool {
        self.hosts.has(url.host(), url.port())
    }

    /// Sends a request that somebody wants to a host that may be reached.
    ///
    /// # Errors
    /// If it may not be reached, or there is no answer in time.
    pub async fn send(&self, url: &Url, asked: Asked) -> Result<Reply, OutgoingError> {
        self.within_limit(url, asked, false).await
    }

    /// Sends one to whatever host whoever runs the platform names.
    ///
    /// # Errors
    /// If there is no answer in time.
    pub async fn send_trusted(&self, url: &Url, asked: Asked) -> Result<Reply, OutgoingError> {
        self.within_limit(url, asked, true).await
    }

    async fn within_limit(
        &self,
        url: &Url,
        asked: Asked,
        is_trusted: bool,
    ) -> Result<Reply, OutgoingError> {
        let sent = tokio::time::timeout(TIME_LIMIT, self.once(url, asked, is_trusted)).await;
        let too_late = || format!("{} did not answer within {TIME_LIMIT:?}", url.authority);
        sent.unwrap_or_else(|_| Err(OutgoingError::Failed(too_late())))
    }

    async fn once(
        &self,
        url: &Url,
        asked: Asked,
        is_trusted: bool,
    ) -> Result<Reply, OutgoingError> {
        let address = if is_trusted {
            resolve_trusted(&url.host, url.port).await?
        } else {
            self.hosts.resolve(&url.host, url.port).await?
        };
        let request = request(url, asked)?;
        let failed =
            |error: std::io::Error| OutgoingError::Failed(format!("{}: {error}", url.authority));
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        if !url.is_tls {
            return exchange(stream, request, url).await;
        }
        let bare = url.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(bare)
            .map_err(|_| OutgoingError::Refused(format!("{} is no name of a server", url.host)))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls.0));
        exchange(connector.connect(name, stream).await.map_err(failed)?, request, url).await
    }
}

fn request(url: &Url, asked: Asked) -> Result<Request<Full<Bytes>>, OutgoingError> {
    let Asked { body, token, headers } = asked;
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let mut request = Request::builder()
        .method(method)
        .uri(&url.path)
        .header(HOST, &url.authority)
        .header(USER_AGENT, concat!("lastmeter/", env!("CARGO_PKG_VERSION")));
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let wrong = |_| OutgoingError::Refused("the token cannot stand in a header".to_owned());
        let mut value = value.map_err(wrong)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    for (name, value) in headers {
        request = request.header(HeaderName::from_static(name), value);
    }
    let (media_type, bytes) = body.unwrap_or_default();
    if !media_type.is_empty() {
        request = request.header(CONTENT_TYPE, media_type);
    }
    let wrong = |error: hyper::http::Error| OutgoingError::Refused(error.to_string());
    request.body(Full::new(bytes.into())).map_err(wrong)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    url: &Url,
) -> Result<Reply, OutgoingError> {
    let failed = |error: hyper::Error| OutgoingError::Failed(format!("{}: {error}", url.authority));
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with this, however that ends.
    let mut connected = JoinSet::new();
    connected.spawn(connection);
    let answer = async {
        let answer = sender.send_request(request).await.map_err(failed)?;
        let status: StatusCode = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                OutgoingError::Refused(format!("the answer has more than {ANSWER_BYTES_MAX} bytes"))
            } else {
                OutgoingError::Failed(format!("{}: {error}", url.authority))
            }
        })?;
        Ok(Reply { status: status.as_u16(), body: body.to_bytes().to_vec() })
    };
    answer.await
}

#[cfg(test)]
mod tests;
