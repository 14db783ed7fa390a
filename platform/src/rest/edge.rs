//! The edge of HTTP: TLS in front of it, for whom a request comes, by which name the server is
//! asked for, and how many requests there may be.
//!
//! A server that listens on the loopback answers under names of the loopback alone: a page that a
//! browser has from elsewhere reaches it by a name of its own that resolves to 127.0.0.1, and no
//! further (DNS rebinding). `X-Forwarded-For` is what anybody can write, so it is read from the
//! right and only as far as trusted proxies have written it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Request, StatusCode, Version};
use lastmeter_model::refusal::{RefusalReason, shortened};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::unread::Impatient;
use super::{Problem, Visit};
use crate::certificates::load_http;
use crate::config::{Config, Network, ServerIdentity};
use crate::error::PlatformError;
use crate::gate::{Gate, RejectReason};
use crate::port::IngestPort;
use crate::tls::{Failed, TlsRefusal, linger, shake};

/// What stands between a server's connections and its routes. By default nothing but the check of
/// `Host`.
#[derive(Default)]
pub(crate) struct Edge {
    tls: Option<TlsEdge>,
    behind_proxy: bool,
    trusted_proxies: Vec<Network>,
}

/// TLS in front of HTTP.
pub(super) struct TlsEdge {
    acceptor: TlsAcceptor,
    /// How long a handshake may take.
    limit: Duration,
    /// Where refusals are counted.
    port: Arc<dyn IngestPort>,
}

/// Bytes both ways, with TLS or without.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

impl Edge {
    /// As the settings have it, with TLS where a certificate is given.
    pub(crate) fn of(
        config: &Config,
        shown: Option<ServerIdentity<'_>>,
        port: Arc<dyn IngestPort>,
    ) -> Result<Self, PlatformError> {
        let tls = match shown {
            Some(shown) => {
                let server =
                    load_http(shown).map_err(|error| PlatformError::Tls(Box::new(error)))?;
                let limit = Duration::from_secs(config.limits.tls_handshake_s);
                Some(TlsEdge { acceptor: Arc::new(server).into(), limit, port })
            }
            None => None,
        };
        let (behind_proxy, trusted_proxies) = (config.behind_proxy, config.trusted_proxies.clone());
        Ok(Self { tls, behind_proxy, trusted_proxies })
    }

    /// Whether clients speak TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What HTTP is spoken over; `None` where a handshake failed, which is counted then.
    pub(super) async fn open(
        &self,
        visit: &Visit,
        stream: Impatient,
        gate: &Gate,
    ) -> Option<Box<dyn Duplex>> {
        match &self.tls {
            None => Some(Box::new(stream)),
            Some(tls) => tls.open(visit, stream, gate).await,
        }
    }

    /// From which address a request comes: that of its connection, or what trusted proxies report.
    pub(super) fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address| self.trusted_proxies.iter().any(|proxy| proxy.has(address));
        let values = headers.get_all("X-Forwarded-For").iter();
        let reported = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
        let mut sender = peer.to_canonical();
        for text in reported.rev() {
            if !is_trusted(sender) {
                break;
            }
            let Some(address) = address_of(text.trim()) else { break };
            sender = address;
        }
        sender
    }

    /// Whether requests are answered only under names of the loopback.
    pub(super) fn is_for_loopback(&self, listens: IpAddr) -> bool {
        listens.to_canonical().is_loopback() && !self.behind_proxy
    }
}

impl TlsEdge {
    async fn open(&self, visit: &Visit, stream: Impatient, gate: &Gate) -> Option<Box<dyn Duplex>> {
        let socket = &visit.0.socket;
        let shaken = timeout(self.limit, shake(&self.acceptor, socket, stream)).await;
        let (reason, found, failed) = match shaken {
            // It was crowded out, and counted as that.
            _ if socket.is_cut() => return None,
            Ok(Ok(stream)) => {
                visit.mark_unread();
                return Some(Box::new(stream));
            }
            Ok(Err(Failed { refusal: None, .. })) => {
                gate.reject(visit.0.origin.listener, RejectReason::GaveUp);
                return None;
            }
            Ok(Err(Failed { refusal: Some((reason, found)), stream, .. })) => {
                (reason, found, Some(stream))
            }
            Err(_) => {
                let found = format!("no complete handshake within {:?}", self.limit);
                (TlsRefusal::HandshakeTimeout, found, None)
            }
        };
        self.port.count(RefusalReason::Connection(reason.word()));
        let (from, door) = (visit.from(), visit.0.origin.listener.word());
        tracing::debug!(reason = reason.word(), %from, door, found, "refused in the handshake");
        if let Some(stream) = failed {
            linger(stream).await;
        }
        None
    }
}

/// An address as proxies write it, with a port or without.
fn address_of(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        match bare {
            Some(bare) => bare.parse(),
            None => text.parse().map(|socket: std::net::SocketAddr| socket.ip()),
        }
    });
    address.ok().map(|address| address.to_canonical())
}

/// Refuses a request under another name than one of the loopback (RFC 9112, 3.2; RFC 9110,
/// 15.5.20).
pub(super) fn check_host<B>(request: &Request<B>) -> Result<(), Problem> {
    let bad = |detail| Err(Problem::bad_request("bad_host", detail));
    let mut given = request.headers().get_all(HOST).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        return bad("`Host` stands more than once");
    }
    let Some(host) = first else {
        let may_lack_it = request.version() < Version::HTTP_11;
        return if may_lack_it { Ok(()) } else { bad("the request has no `Host`") };
    };
    let host = String::from_utf8_lossy(host.as_bytes());
    let target = request.uri().authority().map(Authority::as_str);
    if is_loopback_name(&host) && target.is_none_or(is_loopback_name) {
        return Ok(());
    }
    let detail = format!(
        "this server listens on the loopback and answers there as `localhost` or by its address, \
         not as `{}`; where a proxy in front is asked by that name, set `behind_proxy = true`",
        shortened(target.unwrap_or(&host), 80)
    );
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "not_this_host", detail))
}

fn is_loopback_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = address.is_ok_and(|address| address.to_canonical().is_loopback());
    !host.contains('@') && (is_loopback || name.eq_ignore_ascii_case("localhost"))
}

/// Refuses a request of an address that sends more of them than it may.
pub(super) fn check_rate(gate: &Gate, from: IpAddr) -> Result<(), Problem> {
    let refused = |wait| too_many_requests(wait, "your address", "limits.rest_per_address_s");
    gate.take_request(from).map_err(refused)
}

/// The same for who proves who it is.
pub(super) fn check_rate_of(gate: &Gate, of: String, from: IpAddr) -> Result<(), Problem> {
    let refused = |wait| too_many_requests(wait, "the token", "limits.rest_per_principal_s");
    gate.take_request_of(of, from).map_err(refused)
}

/// The answer to somebody who sends more requests than it may.
fn too_many_requests(wait: Duration, whose: &str, limit: &str) -> Problem {
    let detail = format!("{whose} sends more requests than it may (`{limit}`); wait, then go on");
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
    problem.retry_after(wait)
}
