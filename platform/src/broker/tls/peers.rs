//! Who is behind the connections that the door has made to the broker.
//!
//! The broker sees such a connection come from a loopback port; here is written which client that
//! is. A connection to an inner listener that is not written here was not made by the door.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::lock;

/// By which listener a connection came to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// Plain MQTT.
    Plain,
    /// The door, without a certificate.
    Tls,
    /// The door, with a device certificate.
    Certified,
}

/// The open connections of the door.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<BTreeMap<SocketAddr, Peer>>);

/// One client behind the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Where it connects from.
    pub(crate) from: SocketAddr,
    /// The name in its certificate.
    pub(crate) device: Option<String>,
}

impl Peers {
    /// Writes a connection down until the guard goes.
    pub(super) fn add(self: &Arc<Self>, port: SocketAddr, peer: Peer) -> Written {
        lock(&self.0).insert(port, peer);
        Written { peers: Arc::clone(self), port }
    }

    /// Who is behind a port.
    pub(crate) fn find(&self, port: SocketAddr) -> Option<Peer> {
        lock(&self.0).get(&port).cloned()
    }
}

/// A connection that is written down. To be dropped before its socket: a port that is free again
/// must not have a name any more.
pub(super) struct Written {
    peers: Arc<Peers>,
    port: SocketAddr,
}

impl Drop for Written {
    fn drop(&mut self) {
        lock(&self.peers.0).remove(&self.port);
    }
}
