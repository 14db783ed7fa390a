//! TLS of every port that speaks it: the handshake, why there was none, and whose certificate was
//! shown.
//!
//! Terms: a *device certificate* names a device (see `identity`).
//!
//! Never here: revocation lists, and user names from certificates; user name and password are
//! wanted as well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

mod handshake;
mod identity;
mod refusal;
mod verifier;

pub(crate) use handshake::{Failed, LINGER_LIMIT, linger, shake};
pub(crate) use identity::{DeviceCertificate, device_certificate};
pub(crate) use refusal::TlsRefusal;
pub(crate) use verifier::Naming;

/// What the TLS port of MQTT is given.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// Certificates and versions of the protocol.
    pub(crate) server: Arc<ServerConfig>,
    /// How long a handshake may take, and again the CONNECT after it.
    pub(crate) handshake_limit: Duration,
    /// Unauthenticated connections at a time.
    pub(crate) handshakes: usize,
    /// Connections at a time; more of them are refused.
    pub(crate) connections: usize,
}
