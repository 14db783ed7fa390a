//! A connection, for those who answer its requests.

use lastmeter_store::lock;

use crate::gate::{Origin, RejectReason, Slot, Socket};
use crate::{Duration, Gate};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// One connection, for those who answer its requests, and from which address these come.
#[derive(Clone)]
pub(crate) struct Visit(pub(super) Arc<Connection>, IpAddr);

pub(crate) struct Connection {
    pub(super) origin: Origin,
    pub(super) has_sent: AtomicBool,
    pub(super) has_asked: AtomicBool,
    pub(super) socket: Socket,
    /// The last to go, after its descriptor.
    pub(super) admission: Mutex<Admission>,
}

pub(super) enum Admission {
    Slot(Slot),
    /// To the reserve, and why.
    Reserve(RejectReason, #[expect(dead_code, reason = "it is taken until it is dropped")] Slot),
}

impl Visit {
    pub(crate) fn from(&self) -> IpAddr {
        self.1
    }

    /// The same for a request that comes from this address, by way of a proxy.
    pub(super) fn on_behalf_of(&self, from: IpAddr) -> Self {
        Self(Arc::clone(&self.0), from)
    }

    /// It has sent the right token.
    pub(crate) fn mark_authenticated(&self) {
        // No connection stays in the reserve.
        if let Admission::Slot(slot) = &*self.admission() {
            slot.mark_authenticated();
        }
    }

    pub(super) fn admission(&self) -> MutexGuard<'_, Admission> {
        lock(&self.0.admission)
    }

    /// Why it is in the reserve, if it is.
    pub(super) fn no_slot(&self) -> Option<RejectReason> {
        match *self.admission() {
            Admission::Slot(_) => None,
            Admission::Reserve(reason, _) => Some(reason),
        }
    }

    /// Something of it was read.
    pub(super) fn mark_read(&self) {
        self.0.has_sent.store(true, Ordering::Relaxed);
    }

    /// What was read so far was the handshake of TLS.
    pub(super) fn mark_unread(&self) {
        self.0.has_sent.store(false, Ordering::Relaxed);
    }

    /// Waits, and keeps the connection's slot in use for as long even if its client goes away: who
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

    pub(super) fn new(origin: Origin, socket: Socket, admission: Admission) -> Self {
        let (has_sent, has_asked) = (AtomicBool::new(false), AtomicBool::new(false));
        let admission = Mutex::new(admission);
        let connection = Connection { origin, has_sent, has_asked, socket, admission };
        Self(Arc::new(connection), origin.peer.to_canonical())
    }

    /// The connection has ended; counts it as rejected where no request ever came over it.
    pub(super) fn ended(&self, ended: &Result<(), hyper::Error>, gate: &Gate) {
        if let Err(error) = ended {
            tracing::debug!(%error, "a REST connection ended early");
        }
        let connection = &self.0;
        // An evicted one is counted as that.
        if connection.has_asked.load(Ordering::Relaxed) || connection.socket.is_cut() {
            return;
        }
        let is_late = ended.as_ref().is_err_and(hyper::Error::is_timeout);
        let reason = match (is_late, connection.has_sent.load(Ordering::Relaxed)) {
            (true, false) => RejectReason::Silent,
            (true, true) => RejectReason::Slow,
            (false, _) => RejectReason::GaveUp,
        };
        gate.reject(connection.origin.listener, reason);
    }
}
