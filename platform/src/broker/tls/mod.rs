//! The TLS door in front of the broker: handshakes, certificates, and who may be whom.
//!
//! Terms: the *door* is the TLS port; a *device certificate* names a device (see `identity`); the
//! *inner* listeners are two ports of the broker on the loopback, one for who showed a certificate
//! and one for who did not, which take connections from the door only.
//!
//! The broker library takes no stream of ours (its listeners own their sockets, and its own TLS
//! brings a second provider), so the door ends TLS and carries bytes over the loopback. Which inner
//! listener a connection came in by, and from which port, tells the broker's hooks what the
//! handshake has proved; so it is the broker's one parser that reads CONNECT, and no byte that a
//! client sends is read in two ways.
//!
//! A session is never resumed: each connection proves its certificate anew, so one that has expired
//! in the meantime does not come back. Never here: revocation lists, and user names from
//! certificates; user name and password are wanted as well.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;

mod door;
mod identity;
mod peers;
mod ration;
mod refusal;
mod reports;
mod verifier;

pub(super) use door::{Door, Inner};
pub(super) use peers::{Entrance, Peers};
pub(crate) use refusal::TlsRefusal;
pub(super) use reports::Reports;
pub(crate) use verifier::Naming;

/// What the door is told at its start.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// Certificates and what is spoken.
    pub(crate) server: Arc<ServerConfig>,
    /// How long a handshake may take, and again the first byte after it.
    pub(crate) handshake_limit: Duration,
    /// Handshakes at a time; more of them wait to be accepted.
    pub(crate) handshakes: usize,
    /// Connections at a time; more of them are refused.
    pub(crate) connections: usize,
}

impl fmt::Debug for Settings {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Locks a mutex whose holders cannot leave it half changed: a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
