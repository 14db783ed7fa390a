//! The HTTP server: a bounded number of connections, a time limit on the head of each request and
//! on each stretch of an answer, and an end that lets requests finish.
//!
//! Terms: the *anteroom* is for connections for which there is no seat: there health and metrics
//! are answered, and who asks for something else waits a moment for a seat. It is small, and
//! whoever is in it longest gives way.

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

use super::problem::Problem;
use super::unread::Impatient;
use crate::config::Limits;
use crate::gate::{ANTEROOM, Acceptor, Answer, Door, DoorLimits, Gate, Seats, Socket, Turned};
use crate::rest::Visit;
use crate::rest::visit::Place;

/// How long a connection keeps its seat, whoever comes, before it has shown its token. A client
/// sends its request with the end of the handshake.
const GRACE: Duration = Duration::from_millis(250);
/// How long a request waits in the anteroom for a seat.
const SEAT_WAIT: Duration = Duration::from_secs(2);
/// How long a connection waits for those to go that were sent away from the anteroom.
const LEAVING_LIMIT: Duration = Duration::from_secs(1);
/// What is answered in the anteroom.
const ALWAYS_ANSWERED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The bounds of a server.
pub(crate) struct Settings {
    /// Which door of the platform it is.
    pub(crate) door: Door,
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Connections of one address at a time.
    pub(crate) of_peer: usize,
    /// How long the head of a request may take, and how long an answer may be left unread.
    pub(crate) limit: Duration,
    /// What the platform's ports have in common.
    pub(crate) gate: Arc<Gate>,
}

impl Settings {
    /// As the platform's limits have them, for so many connections at a door.
    pub(crate) fn of(limits: &Limits, door: Door, connections: usize, gate: &Arc<Gate>) -> Self {
        Self {
            door,
            connections,
            of_peer: limits.rest_peer_connections,
            limit: Duration::from_secs(limits.rest_header_s),
            gate: Arc::clone(gate),
        }
    }

    /// How many may wait for something at a time: half of the connections stay free for others.
    pub(crate) fn waiting(&self) -> usize {
        (self.connections / 2).clamp(1, Semaphore::MAX_PERMITS)
    }
}

/// Tells a handler that the server is to stop.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Returns when the server is to stop.
    pub(crate) async fn wait(&mut self) {
        // An error means that the server is gone, which is a stop too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
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
        let acceptor = Acceptor::bind(address, settings.door, Arc::clone(&settings.gate))?;
        let address = acceptor.address()?;
        let (stop, stopping) = watch::channel(false);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(settings.limit);
        let router = router.layer(Extension(Stopping(stopping.clone())));
        let service = TowerToHyperService::new(router);
        let house = House::new(settings, service, http, Stopping(stopping));
        let accepting = tokio::spawn(house.accept(acceptor));
        Ok(Self { address, stop, accepting })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
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

struct House {
    door: Door,
    seats: Arc<Seats>,
    anteroom: Arc<Seats>,
    gate: Arc<Gate>,
    limit: Duration,
    service: TowerToHyperService<Router>,
    http: http1::Builder,
    stopping: Stopping,
}

impl House {
    fn new(
        settings: Settings,
        service: TowerToHyperService<Router>,
        http: http1::Builder,
        stopping: Stopping,
    ) -> Self {
        let Settings { door, connections, of_peer, limit, gate } = settings;
        let bounds = |seats, of_peer, grace| {
            let limits = DoorLimits { door, seats, guests: seats, of_peer, grace };
            Seats::new(seats, &[limits], Arc::clone(&gate))
        };
        let seats = bounds(connections, of_peer, GRACE);
        let anteroom = bounds(ANTEROOM, ANTEROOM, Duration::ZERO);
        Self { door, seats, anteroom, gate, limit, service, http, stopping }
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

    /// Finds a place for a connection. In the anteroom there always is one, as soon as those that
    /// were sent away for others have gone; the next connections are not accepted before.
    async fn receive(&self, socket: Socket, from: IpAddr) -> Option<Visit> {
        let no_seat = match self.seats.ask(self.door, from, &socket) {
            Answer::Seated(seat) => {
                return Some(Visit::new(self.door, from, socket, Place::Seat(seat)));
            }
            Answer::Wait(_) => Turned::Full,
            Answer::Full(reason) => reason,
        };
        let seat = self.anteroom.wait(self.door, from, &socket, LEAVING_LIMIT).await;
        if seat.is_none() {
            self.gate.turn_away(self.door, Turned::Full);
        }
        seat.map(|seat| Visit::new(self.door, from, socket, Place::Anteroom(no_seat, seat)))
    }

    fn serve(&self, visit: Visit) -> impl Future<Output = ()> + use<> {
        let (inner, gate) = (self.service.clone(), Arc::clone(&self.gate));
        let (usher, asking) = (Usher::of(self), visit.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let (visit, usher) = (asking.clone(), usher.clone());
            visit.0.has_asked.store(true, Ordering::Relaxed);
            let is_always_answered = ALWAYS_ANSWERED.contains(&request.uri().path());
            request.extensions_mut().insert(visit.clone());
            let inner = inner.clone();
            async move {
                if !is_always_answered && let Err(refused) = usher.seat(&visit).await {
                    return Ok::<Response, std::convert::Infallible>(refused);
                }
                let mut response = inner.call(request).await?;
                if visit.no_seat().is_some() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response)
            }
        });
        let stream = Impatient::new(visit.0.socket.clone(), self.limit, visit.clone());
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut stopping = self.stopping.clone();
        async move {
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

/// Finds seats for those in the anteroom.
#[derive(Clone)]
struct Usher {
    door: Door,
    seats: Arc<Seats>,
    gate: Arc<Gate>,
}

impl Usher {
    fn of(house: &House) -> Self {
        let (seats, gate) = (Arc::clone(&house.seats), Arc::clone(&house.gate));
        Self { door: house.door, seats, gate }
    }

    /// Takes a connection from the anteroom to a seat, if it is there; the answer to give where
    /// there is none in time.
    async fn seat(&self, visit: &Visit) -> Result<(), Response> {
        let Some(reason) = visit.no_seat() else { return Ok(()) };
        let (from, socket) = (visit.0.from, &visit.0.socket);
        if let Some(seat) = self.seats.wait(self.door, from, socket, SEAT_WAIT).await {
            *visit.place() = Place::Seat(seat);
            Ok(())
        } else {
            self.gate.turn_away(self.door, reason);
            Err(no_seat(reason))
        }
    }
}

/// The answer to a request for which there is no seat.
fn no_seat(reason: Turned) -> Response {
    let whose = match reason {
        Turned::FullOfPeer => "your address has as many connections as one may have",
        _ => "every connection is in use",
    };
    let detail = format!("{whose}; health and metrics are answered all the same");
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", detail);
    let mut response = problem.into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
