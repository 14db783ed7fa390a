//! A connection, for those who answer its requests.

use crate::gate::{Door, Seat, Socket, Turned};
use crate::{Duration, Gate};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One connection, for those who answer its requests.
#[derive(Clone)]
pub(crate) struct Visit(pub(super) Arc<Visitor>);

pub(crate) struct Visitor {
    pub(super) door: Door,
    pub(super) from: IpAddr,
    pub(super) has_spoken: AtomicBool,
    pub(super) has_asked: AtomicBool,
    pub(super) socket: Socket,
    /// The last to go, after its descriptor.
    pub(super) place: Mutex<Place>,
}

/// Where a connection is.
pub(super) enum Place {
    Seat(Seat),
    /// In the anteroom, and why.
    Anteroom(Turned, #[expect(dead_code, reason = "it is taken until it is dropped")] Seat),
}

impl Visit {
    /// Where it comes from.
    pub(crate) fn from(&self) -> IpAddr {
        self.0.from
    }

    /// It has shown the token.
    pub(crate) fn is_known(&self) {
        // Nobody stays in the anteroom.
        if let Place::Seat(seat) = &*self.place() {
            seat.is_known();
        }
    }

    pub(super) fn place(&self) -> MutexGuard<'_, Place> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it is in the anteroom, if it is.
    pub(super) fn no_seat(&self) -> Option<Turned> {
        match *self.place() {
            Place::Seat(_) => None,
            Place::Anteroom(reason, _) => Some(reason),
        }
    }

    /// Something of it was read.
    pub(super) fn has_spoken(&self) {
        self.0.has_spoken.store(true, Ordering::Relaxed);
    }

    /// Waits, and keeps the connection's seat taken for as long even if its client goes away: who
    /// guesses secrets gains nothing by not waiting for the answers.
    pub(crate) async fn wait(&self, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        let visit = self.clone();
        let waiting = tokio::spawn(async move {
            // Out of time it goes on; cut off it ends.
            let _ = tokio::time::timeout(wait, visit.0.socket.until_cut()).await;
        });
        // It cannot fail but with the server.
        let _ = waiting.await;
    }
}

impl Visit {
    pub(super) fn new(door: Door, from: IpAddr, socket: Socket, place: Place) -> Self {
        let (has_spoken, has_asked) = (AtomicBool::new(false), AtomicBool::new(false));
        let place = Mutex::new(place);
        Self(Arc::new(Visitor { door, from, has_spoken, has_asked, socket, place }))
    }

    /// The connection has ended; says so where nobody ever got an answer over it.
    pub(super) fn ended(&self, ended: &Result<(), hyper::Error>, gate: &Gate) {
        if let Err(error) = ended {
            tracing::debug!(%error, "a REST connection ended early");
        }
        let visitor = &self.0;
        // Who was crowded out is counted as that.
        if visitor.has_asked.load(Ordering::Relaxed) || visitor.socket.is_cut() {
            return;
        }
        let is_late = ended.as_ref().is_err_and(hyper::Error::is_timeout);
        let reason = match (is_late, visitor.has_spoken.load(Ordering::Relaxed)) {
            (true, false) => Turned::Silent,
            (true, true) => Turned::Slow,
            (false, _) => Turned::GaveUp,
        };
        gate.turn_away(visitor.door, reason);
    }
}
