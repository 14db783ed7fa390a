//! What is particular to the TLS port: certificates, who may be whom, and the record of who
//! was refused.
//!
//! Terms: a *device certificate* names a device (see `identity`).
//!
//! A session is never resumed: each connection proves its certificate anew, so one that has expired
//! in the meantime does not come back. Never here: revocation lists, and user names from
//! certificates; user name and password are wanted as well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use lastmeter_store::lock;

mod identity;
mod ration;
mod refusal;
mod reports;
mod verifier;

pub(super) use identity::device_name;
pub(crate) use refusal::TlsRefusal;
pub(super) use reports::Reports;
pub(super) use verifier::CLAIMED;
pub(crate) use verifier::Naming;

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
