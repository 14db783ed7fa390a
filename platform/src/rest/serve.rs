//! The HTTP server: a bounded number of connections, a time limit on the head of each request and
//! on each stretch of an answer, and an end that lets requests finish.
//!
//! Terms: the *reserve* is for connections for which there is no slot: there health and metrics are
//! answered, and other requests wait a moment for a slot. It is small, and the connection that has
//! been in it longest is evicted first.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::Problem;
use super::edge::{Edge, check_host};
use super::unread::Impatient;
use crate::config::Limits;
use crate::gate::{
    Acceptor, ConnectionSlots, Gate, HEALTH_RESERVE, Listener, ListenerLimits, Origin,
    RejectReason, SlotOffer, Socket,
};
use crate::rest::Visit;
use crate::rest::visit::Admission;

/// How long an unauthenticated connection keeps its slot, whoever comes. A client
/// sends its request with the end of the handshake.
const GRACE: Duration = Duration::from_millis(250);
/// How long a request of the reserve waits for a slot.
const SLOT_WAIT: Duration = Duration::from_secs(2);
/// How long a connection waits for those to close that were evicted from the reserve.
const EVICTION_LIMIT: Duration = Duration::from_secs(1);
/// The longest head of a request, with what is read ahead of its body, bytes: a connection that
/// sends one and never ends it costs no more.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The paths that are answered in the reserve.
pub(super) const ALWAYS_ANSWERED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

pub(crate) struct Settings {
    pub(crate) listener: Listener,
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Connections of one address at a time.
    pub(crate) of_peer: usize,
    /// How long the head of a request may take, and how long an answer may be left unread.
    pub(crate) limit: Duration,
    pub(crate) gate: Arc<Gate>,
    pub(crate) edge: Edge,
}

impl Settings {
    /// As the platform's limits have them, for so many connections at a listener; without TLS.
    pub(crate) fn of(
        limits: &Limits,
        listener: Listener,
        connections: usize,
        gate: &Arc<Gate>,
    ) -> Self {
        Self {
            listener,
            connections,
            of_peer: limits.rest_peer_connections,
            limit: Duration::from_secs(limits.rest_header_s),
            gate: Arc::clone(gate),
            edge: Edge::default(),
        }
    }

    /// How many may wait for something at a time: half of the connections stay free for others.
    pub(crate) fn waiting(&self) -> usize {
        (self.connections / 2).clamp(1, Semaphore::MAX_PERMITS)
    }
}

/// Informs a handler that the server is to stop.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Of no server, and never.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        let (stop, stopping) = watch::channel(false);
        std::mem::forget(stop);
        Self(stopping)
    }

    /// Returns when the server is to stop.
    pub(crate) async fn wait(&mut self) {
        // An error means that the server is gone, which is a stop too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Whether clients speak TLS.
    pub(crate) has_tls: bool,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts serving on an address; port 0 takes a free one.
    pub(crate) fn start(
        address: SocketAddr,
        router: Router,
        settings: Settings,
    ) -> io::Result<Self> {
        let acceptor = Acceptor::bind(address, settings.listener, Arc::clone(&settings.gate))?;
        let address = acceptor.address()?;
        let (stop, stopping) = watch::channel(false);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(settings.limit);
        http.max_buf_size(HEAD_BYTES_MAX);
        let has_tls = settings.edge.has_tls();
        let router = router.layer(Extension(Stopping(stopping.clone())));
        let service = TowerToHyperService::new(router);
        let state = ServerState::new(settings, address.ip(), service, http, Stopping(stopping));
        let accepting = tokio::spawn(state.accept(acceptor));
        Ok(Self { address, has_tls, stop, accepting })
    }

    /// Takes no more connections and lets requests that are being served finish, within a limit.
    pub(crate) async fn stop(mut self, limit: Duration) -> bool {
        // An error means that the server has ended already.
        let _ = self.stop.send(true);
        tokio::time::timeout(limit, &mut self.accepting).await.is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct ServerState {
    listener: Listener,
    slots: Arc<ConnectionSlots>,
    reserve: Arc<ConnectionSlots>,
    gate: Arc<Gate>,
    limit: Duration,
    edge: Arc<Edge>,
    is_for_loopback: bool,
    service: TowerToHyperService<Router>,
    http: http1::Builder,
    stopping: Stopping,
}

impl ServerState {
    fn new(
        settings: Settings,
        listens: IpAddr,
        service: TowerToHyperService<Router>,
        http: http1::Builder,
        stopping: Stopping,
    ) -> Self {
        let Settings { listener, connections, of_peer, limit, gate, edge } = settings;
        let (is_for_loopback, edge) = (edge.is_for_loopback(listens), Arc::new(edge));
        let bounds = |slots, of_peer, grace| {
            let limits = ListenerLimits { listener, slots, unauthenticated: slots, of_peer, grace };
            ConnectionSlots::new(slots, &[limits], Arc::clone(&gate))
        };
        let slots = bounds(connections, of_peer, GRACE);
        let reserve = bounds(HEALTH_RESERVE, HEALTH_RESERVE, Duration::ZERO);
        Self {
            listener,
            slots,
            reserve,
            gate,
            limit,
            edge,
            is_for_loopback,
            service,
            http,
            stopping,
        }
    }

    /// Takes connections until it is to stop, then waits for those that are there.
    async fn accept(self, mut acceptor: Acceptor) {
        let mut connections = JoinSet::new();
        let mut stopping = self.stopping.clone();
        loop {
            let (socket, from) = tokio::select! {
                accepted = acceptor.accept() => accepted,
                () = stopping.wait() => break,
            };
            if let Some(visit) = self.receive(socket, from.ip()).await {
                connections.spawn(self.serve(visit));
            }
            while connections.try_join_next().is_some() {}
        }
        drop(acceptor);
        while connections.join_next().await.is_some() {}
    }

    /// Finds a slot for a connection. In the reserve there always is one, as soon as those that
    /// were evicted for others have closed; the next connections are not accepted before.
    async fn receive(&self, socket: Socket, from: IpAddr) -> Option<Visit> {
        let origin = Origin { listener: self.listener, peer: from };
        let no_slot = match self.slots.try_admit(origin, &socket) {
            SlotOffer::Granted(slot) => {
                return Some(Visit::new(origin, socket, Admission::Slot(slot)));
            }
            SlotOffer::Wait(_) => RejectReason::Full,
            SlotOffer::Full(reason) => reason,
        };
        let slot = self.reserve.admit_within(origin, &socket, EVICTION_LIMIT).await;
        if slot.is_none() {
            self.gate.reject(self.listener, RejectReason::Full);
        }
        slot.map(|slot| Visit::new(origin, socket, Admission::Reserve(no_slot, slot)))
    }

    fn serve(&self, visit: Visit) -> impl Future<Output = ()> + use<> {
        let (inner, gate, edge) =
            (self.service.clone(), Arc::clone(&self.gate), Arc::clone(&self.edge));
        let (admitter, asking) = (Admitter::of(self), visit.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let admitter = admitter.clone();
            let sender = admitter.edge.sender(asking.0.origin.peer, request.headers());
            let visit = asking.on_behalf_of(sender);
            visit.0.has_asked.store(true, Ordering::Relaxed);
            let is_always_answered = ALWAYS_ANSWERED.contains(&request.uri().path());
            let checked = if admitter.is_for_loopback { check_host(&request) } else { Ok(()) };
            request.extensions_mut().insert(visit.clone());
            let inner = inner.clone();
            async move {
                if let Err(problem) = checked {
                    return Ok::<Response, std::convert::Infallible>(problem.into_response());
                }
                if !is_always_answered && let Err(refused) = admitter.admit(&visit).await {
                    return Ok(refused);
                }
                let mut response = inner.call(request).await?;
                if visit.no_slot().is_some() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response)
            }
        });
        let stream = Impatient::new(visit.0.socket.clone(), self.limit, visit.clone());
        let (http, mut stopping) = (self.http.clone(), self.stopping.clone());
        async move {
            let opened = tokio::select! {
                opened = edge.open(&visit, stream, &gate) => opened,
                () = visit.0.socket.until_cut() => return,
                () = stopping.wait() => return,
            };
            let Some(stream) = opened else { return };
            let connection = http.serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                // Whatever it waits for, there is nobody any more to be answered.
                () = visit.0.socket.until_cut() => return,
                () = stopping.wait() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            visit.ended(&ended, &gate);
        }
    }
}

/// Admits requests, and connections from the reserve to slots.
#[derive(Clone)]
struct Admitter {
    slots: Arc<ConnectionSlots>,
    gate: Arc<Gate>,
    edge: Arc<Edge>,
    is_for_loopback: bool,
}

impl Admitter {
    fn of(state: &ServerState) -> Self {
        let (slots, gate) = (Arc::clone(&state.slots), Arc::clone(&state.gate));
        let (edge, is_for_loopback) = (Arc::clone(&state.edge), state.is_for_loopback);
        Self { slots, gate, edge, is_for_loopback }
    }

    /// Moves a connection from the reserve to a slot, if it is there; the answer to give where
    /// there is none in time.
    async fn admit(&self, visit: &Visit) -> Result<(), Response> {
        let Some(reason) = visit.no_slot() else { return Ok(()) };
        let (origin, socket) = (visit.0.origin, &visit.0.socket);
        if let Some(slot) = self.slots.admit_within(origin, socket, SLOT_WAIT).await {
            *visit.admission() = Admission::Slot(slot);
            Ok(())
        } else {
            self.gate.reject(origin.listener, reason);
            Err(no_slot(reason))
        }
    }
}

/// The answer to a request for which there is no slot.
fn no_slot(reason: RejectReason) -> Response {
    let whose = match reason {
        RejectReason::FullOfPeer => "your address has as many connections as one may have",
        _ => "every connection is in use",
    };
    let detail = format!("{whose}; health and metrics are answered all the same");
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", detail);
    let mut response = problem.into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
