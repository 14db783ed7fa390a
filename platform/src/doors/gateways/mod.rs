//! `gateways`: gateways of field networks, which dial in over TCP and stay.
//!
//! One task for each connection, from its first byte until it ends: the machine of
//! `lastmeter_zigbee::session` does the protocol (`docs/gateway-protocol.md`), the task has its
//! bytes, and what it sends on is handed to the ingest port. While a connection's packets are not
//! on disk nothing more of it is read, and nobody else waits for it.
//!
//! | file | purpose |
//! |---|---|
//! | `connection` | one connection: handshake, packets, time limits |
//! | `session` | what is done with packets: each is on disk before it is acknowledged |
//! | `nodes` | which node a frame is from, what is known of it, whose it is |
//! | `standing` | up to where packets of a gateway are on disk, and frames that wait for a table |
//! | `firmware` | program images on their way to nodes |
//! | `orders` | commands on their way to nodes, and whose answer is whose |
//!
//! Larger than its budget: it is a door, the book of nodes and the way of commands in one, which
//! share each connection.

mod connection;
mod firmware;
mod nodes;
mod orders;
mod session;
mod standing;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lastmeter_model::access::PrincipalRef;
use lastmeter_params::{Entry, Field, Kind};
use lastmeter_store::lock;
use lastmeter_units::TenantName;
use lastmeter_zigbee::session::Refusal;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::firmware::Transfers;
use self::orders::{Orders, SentOrder};
use super::{DoorKind, Opening};
use crate::config::ConfigError;
use crate::device_routes::GATEWAYS;
use crate::error::PlatformError;
use crate::gate::{self, Acceptor, ConnectionSlots, Gate, ListenerLimits, Origin};
use crate::open_doors::Door;
use crate::tenant::Tenant;
use crate::tenants::Tenants;

/// How long a connection that has not shown its key keeps its slot, whoever comes.
const GRACE: Duration = Duration::from_secs(1);
/// Orders and notes that wait for a connection.
const INBOX_MAX: usize = 64;

pub(super) const DOOR: DoorKind = DoorKind {
    entry: Entry {
        name: GATEWAYS,
        summary: "gateways of field networks, which dial in and stay",
        description: "TCP, by the protocol of docs/gateway-protocol.md: a gateway shows the key of \
            its network, sends what its nodes send as they send it, and takes commands for them. \
            Networks are registered at `/api/v1/networks`. Its address is in the ready line, as \
            `gateways`.",
        fields: &[
            Field::optional("address", Kind::Text, "where it listens, such as `0.0.0.0:8091`"),
            Field::optional(
                "connections",
                Kind::Integer { min: 1, max: 100_000 },
                "connections at a time, 1024 unless given",
            ),
        ],
    },
    check: |keys| Keys::of(keys).map(|_| ()),
    connections: |keys| Keys::of(keys).map_or(0, |keys| keys.connections),
    open: |opening| Box::pin(async { open(opening) }),
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_address")]
    address: SocketAddr,
    #[serde(default = "default_connections")]
    connections: usize,
}

fn default_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8091))
}

fn default_connections() -> usize {
    1024
}

impl Keys {
    fn of(keys: &toml::Table) -> Result<Self, ConfigError> {
        let keys: Self = keys.clone().try_into().map_err(ConfigError::Syntax)?;
        if keys.connections == 0 {
            return Err(ConfigError::value("door.connections", "0", "give at least 1"));
        }
        Ok(keys)
    }
}

fn open(opening: Opening<'_>) -> Result<Box<dyn Door>, PlatformError> {
    let Opening { keys, connections, gate, tenants, .. } = opening;
    let address = Keys::of(keys)?.address;
    let listener = gate::Listener::Gateways;
    let bound = Acceptor::bind(address, listener, Arc::clone(&gate))
        .and_then(|acceptor| Ok((acceptor.address()?, acceptor)));
    let (address, acceptor) = bound.map_err(|source| PlatformError::Listen {
        what: "the door of gateways",
        address,
        source,
    })?;
    let limits = ListenerLimits {
        listener,
        slots: connections,
        unauthenticated: connections,
        of_peer: connections,
        grace: GRACE,
    };
    let slots = ConnectionSlots::new(connections, &[limits], Arc::clone(&gate));
    let (stop, stopping) = watch::channel(false);
    let shared = Arc::new(Shared {
        tenants: Arc::clone(tenants),
        gate,
        links: Mutex::default(),
        transfers: Mutex::default(),
        counters: Counters::default(),
        stopping,
    });
    let accepting = tokio::spawn(accept(acceptor, slots, Arc::clone(&shared)));
    Ok(Box::new(Gateways { address, shared, stop, accepting }))
}

/// Takes connections until it is to stop, then waits for those that are there.
async fn accept(mut acceptor: Acceptor, slots: Arc<ConnectionSlots>, shared: Arc<Shared>) {
    let (mut connections, mut stopping) = (JoinSet::new(), shared.stopping.clone());
    loop {
        let (socket, from) = tokio::select! {
            accepted = acceptor.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let origin = Origin { listener: gate::Listener::Gateways, peer: from.ip() };
        let (slots, shared) = (Arc::clone(&slots), Arc::clone(&shared));
        connections.spawn(async move {
            if let Some(slot) = slots.admit_within(origin, &socket, GRACE).await {
                connection::serve(shared, socket, slot).await;
            } else {
                shared.gate.reject(origin.listener, gate::RejectReason::Full);
            }
        });
        while connections.try_join_next().is_some() {}
    }
    drop(acceptor);
    while connections.join_next().await.is_some() {}
}

struct Gateways {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Drop for Gateways {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What the connections of the door have in common.
struct Shared {
    tenants: Arc<Tenants>,
    gate: Arc<Gate>,
    /// Who is connected, by tenant and network.
    links: Mutex<BTreeMap<LinkName, Link>>,
    /// Images on their way, while their network has no connection.
    transfers: Mutex<BTreeMap<LinkName, Transfers>>,
    counters: Counters,
    stopping: watch::Receiver<bool>,
}

/// A tenant, and the token of one of its networks.
type LinkName = (TenantName, String);

/// The way to a connection.
struct Link {
    /// Which connection it is.
    id: u64,
    gateway: u64,
    to: mpsc::Sender<ToConnection>,
}

/// What a connection is given.
enum ToConnection {
    /// An order for a node.
    Order(SentOrder),
    /// It is to end.
    End(Refusal),
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    packets: AtomicU64,
    frames: AtomicU64,
    orders: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    next: AtomicU64,
}

impl Counters {
    fn refuse(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A number that nothing else has had since the start.
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn list(&self) -> Vec<(String, u64)> {
        let count = |name: &str, counter: &AtomicU64| {
            (format!("gateways_{name}"), counter.load(Ordering::Relaxed))
        };
        let mut all = vec![
            count("connections", &self.connections),
            count("packets", &self.packets),
            count("frames", &self.frames),
            count("orders", &self.orders),
        ];
        let refused = Refusal::ALL.iter().zip(&self.refused);
        all.extend(refused.map(|(why, counter)| count(&format!("refused_{why}"), counter)));
        all
    }
}

impl Shared {
    /// The way to the connection of a network.
    fn link(&self, tenant: &TenantName, token: &str) -> Option<mpsc::Sender<ToConnection>> {
        let links = lock(&self.links);
        links.get(&(tenant.clone(), token.to_owned())).map(|link| link.to.clone())
    }

    /// A network has a connection, and one that was there before ends. Whether it is so: not where
    /// the gateway has dialled again meanwhile, and the later connection has shown its key first.
    fn enter(&self, name: LinkName, link: Link) -> bool {
        let mut links = lock(&self.links);
        if links.get(&name).is_some_and(|there| there.id > link.id) {
            return false;
        }
        if let Some(before) = links.insert(name, link) {
            // One whose inbox is full is stuck, and ends by its own limit.
            let _ = before.to.try_send(ToConnection::End(Refusal::Closed));
        }
        true
    }

    /// A connection is gone; whether it was that of the network still.
    fn leave(&self, name: &LinkName, id: u64) -> bool {
        let mut links = lock(&self.links);
        let is_it = links.get(name).is_some_and(|link| link.id == id);
        if is_it {
            links.remove(name);
        }
        is_it
    }

    /// Ends the connections that are meant; how many there were.
    fn end(&self, is_meant: impl Fn(&LinkName, &Link) -> bool) -> usize {
        let links = lock(&self.links);
        let meant = links.iter().filter(|(name, link)| is_meant(name, link));
        let ended = meant.map(|(_, link)| link.to.try_send(ToConnection::End(Refusal::Closed)));
        ended.flatten().count()
    }
}

#[async_trait]
impl Door for Gateways {
    fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![(GATEWAYS, self.address)]
    }

    fn attach(&self, tenant: &Tenant) {
        tenant.gateways.set_port(self.address.port());
        tenant.dispatcher.routes.open(GATEWAYS, Arc::new(Orders::of(tenant, &self.shared)));
    }

    async fn cut(&self, tenant: &TenantName) -> usize {
        self.shared.end(|(of, _), _| of == tenant);
        0
    }

    fn cut_principal(&self, tenant: &TenantName, who: &PrincipalRef) {
        if let PrincipalRef::Gateway(address) = who {
            self.shared.end(|(of, _), link| of == tenant && link.gateway == address.0);
        }
    }

    async fn close(mut self: Box<Self>, limit: Duration) -> bool {
        // An error means that nobody is there any more.
        let _ = self.stop.send(true);
        tokio::time::timeout(limit, &mut self.accepting).await.is_ok()
    }
}
