//! The embedded MQTT broker: 3.1.1 and 5 on one port, with PUBACK only after the journal.
//!
//! Terms: the *port* is what an ingest door needs from the rest of the platform ([`IngestPort`]),
//! not to be mixed up with a TCP port.
//!
//! | file | purpose |
//! |---|---|
//! | `listener` | our listeners: admission by the gate, TLS, the whole CONNECT |
//! | `tls/` | the record of who was refused at the TLS port |
//! | `links` | the connections that the broker has: certificate, tenant, slot, bytes that wait |
//! | `hooks`, `access` | where packets meet the platform: password, topics, ingest, PUBACK |
//! | `queues`, `counters` | bounds on what waits for subscribers; what is counted |
//!
//! On rmqtt 0.24.0, of which nothing shows outside of this module, over connections of our own
//! (`platform/net`). No session outlives its connection (nothing that must last relies on a broker
//! session), nothing is retained, and shared subscriptions are off. Its TLS feature stays off.
//! Sessions and their queues run on threads of the broker's own, because rmqtt offers no way to end
//! them: stopping the broker ends the threads, and with them every task and socket.
//!
//! rmqtt has every client under its user name and its identifier (`platform/net`), so that nobody
//! ends the connection of another credential's client; here, and to clients, identifiers are those
//! that clients state.
//!
//! What rmqtt 0.24.0 does and this module cannot change:
//! - A client that comes back while its last connection is still being cleared away may be refused
//!   once as unavailable (`shared.rs`, `kick` and `try_lock`); it has to try again.
//! - One connection's publications go one at a time through the hook, so one connection gets no
//!   more through than one message per sync of the journal; many connections share each sync.
//! - While a subscriber's socket is full, its session does nothing else, for at most
//!   [`SEND_LIMIT`]; then the subscriber is disconnected.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_model::access::PrincipalRef;
use lastmeter_units::TenantName;
use rmqtt::codec::types::Publish as Packet;
use rmqtt::context::ServerContext;
use rmqtt::net::{BadNames, Builder, Entry, Listener as BrokerListener};
use rmqtt::router::DefaultRouter;
use rmqtt::server::MqttServer;
use rmqtt::shared::DefaultShared;
use rmqtt::types::{From as Origin, Id, Publish, QoS};
use tokio::runtime::Runtime;

mod access;
mod counters;
mod hooks;
mod links;
mod listener;
mod queues;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use access::DOOR;
pub(crate) use counters::BrokerCounters;
pub(crate) use links::CutLinks;
use links::{Links, Transport};
pub(crate) use listener::ConnectLimits;
use listener::{ListenerContext, TlsListener};
pub(crate) use queues::QueueLimits;
use queues::{Bounded, Queues};
use tls::Reports;

use crate::gate::{Acceptor, ConnectionSlots, Gate, Listener, ListenerLimits};
use crate::port::IngestPort;
use crate::tls::Settings as TlsSettings;

/// How long stopping waits for the broker's threads.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long cutting a tenant waits for its connections to be put down.
const CUT_LIMIT: Duration = Duration::from_secs(5);
/// QoS 1 and 2 messages per connection and direction without acknowledgement. rmqtt's 16 is below
/// what clients of MQTT 3.1.1 use, who cannot be informed, and more than that ends their
/// connection.
const IN_FLIGHT_LIMIT: NonZeroU16 = NonZeroU16::new(1024).unwrap();
/// Longest client identifier, bytes.
const CLIENT_ID_LIMIT_BYTES: usize = 256;
/// Subscriptions per connection.
const SUBSCRIPTION_LIMIT: usize = 1024;
/// Time for what is decided of a CONNECT.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a subscriber may take to make room in its socket.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// How long an unauthenticated connection keeps its slot, whoever comes.
const GRACE: Duration = Duration::from_secs(1);
/// Connections on their way from a port to the broker.
const ARRIVING_MAX: usize = 64;
/// How long a session may outlive its connection: rmqtt reads zero as "for ever".
const SESSION_EXPIRY: Duration = Duration::from_millis(1);
/// An address for when there is none.
const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[derive(Clone)]
pub(crate) struct BrokerConfig {
    /// Where it listens without TLS; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// Whether it listens without TLS. It has to if there is no TLS.
    pub(crate) plain: bool,
    pub(crate) tls: Option<TlsSettings>,
    /// Largest packet, without its fixed header, bytes. Above it the connection ends.
    pub(crate) packet_limit_bytes: u32,
    /// Connections at a time on all ports.
    pub(crate) connections: usize,
    /// Connections at a time without TLS.
    pub(crate) plain_connections: usize,
    /// Unauthenticated connections at a time without TLS.
    pub(crate) unauthenticated: usize,
    /// What a connection may take until its CONNECT is whole.
    pub(crate) limits: ConnectLimits,
    pub(crate) queues: QueueLimits,
    pub(crate) gate: Arc<Gate>,
}

impl BrokerConfig {
    fn slots(&self) -> Arc<ConnectionSlots> {
        let limits = |listener, slots, unauthenticated| ListenerLimits {
            listener,
            slots,
            unauthenticated,
            of_peer: usize::MAX,
            grace: GRACE,
        };
        let mut listeners =
            vec![limits(Listener::Mqtt, self.plain_connections, self.unauthenticated)];
        if let Some(tls) = &self.tls {
            listeners.push(limits(Listener::Mqtts, tls.connections, tls.handshakes));
        }
        ConnectionSlots::new(self.connections, &listeners, Arc::clone(&self.gate))
    }
}

/// Why the broker could not start, or could not publish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    /// Its threads could not be started.
    #[error("the broker's threads could not be started: {source}")]
    Threads { source: std::io::Error },
    /// The address is taken or not of this machine.
    #[error("{what} cannot listen on {address}: {why}")]
    Listen {
        /// What was to listen there.
        what: &'static str,
        address: SocketAddr,
        why: String,
    },
    /// What shall be published cannot be: the packet would exceed the limit, or the topic holds a
    /// wildcard.
    #[error("cannot publish {bytes} bytes to {topic:?}: {why}")]
    Publish {
        topic: String,
        /// Size of the payload, bytes.
        bytes: usize,
        /// What is wrong.
        why: &'static str,
    },
}

/// A running broker. Dropping it stops it too, in the background.
pub(crate) struct Broker {
    /// Where it listens without TLS, with the real TCP port; `tls_address` likewise.
    pub(crate) plain_address: Option<SocketAddr>,
    pub(crate) tls_address: Option<SocketAddr>,
    reports: Arc<Reports>,
    packet_limit_bytes: u32,
    counters: Arc<counters::Running>,
    links: Arc<Links>,
    port: Arc<dyn IngestPort>,
    engine: Option<Engine>,
}

/// What has to be ended.
struct Engine {
    runtime: Runtime,
    context: ServerContext,
}

impl Broker {
    /// Starts listening. The address is bound when it returns.
    pub(crate) async fn start(
        config: BrokerConfig,
        port: Arc<dyn IngestPort>,
    ) -> Result<Self, BrokerError> {
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("broker")
            .enable_all()
            .build()
            .map_err(|source| BrokerError::Threads { source })?;
        // The watch on the machine's load would refuse connections by it, and would never end.
        // Connections, and with them sessions, are bounded at the ports.
        let context = ServerContext::new().busy_check_enable(false).mqtt_max_sessions(0);
        let context = context.build().await;
        // From here on dropping `broker` ends what was started, should something fail.
        let mut broker = Self {
            plain_address: None,
            tls_address: None,
            reports: Reports::new(Arc::clone(&port)),
            packet_limit_bytes: config.packet_limit_bytes,
            counters: Arc::default(),
            links: Arc::default(),
            port: Arc::clone(&port),
            engine: None,
        };
        let engine = broker.engine.insert(Engine { runtime, context });
        let links = Arc::clone(&broker.links);
        let hooks = hooks::Hooks {
            port,
            counters: Arc::clone(&broker.counters),
            links: Arc::clone(&links),
            reports: Arc::clone(&broker.reports),
            gate: Arc::clone(&config.gate),
            not_durable: Arc::default(),
        };
        hooks.register(&engine.context).await;
        let (gate, counters) = (Arc::clone(&config.gate), Arc::clone(&broker.counters));
        let queues = Queues::new(config.queues, gate, counters, Arc::clone(&links));
        *engine.context.extends.shared_mut().await =
            Box::new(Bounded::new(&engine.context, queues));
        let (server, entries) = engine.listeners(&config, &broker.counters);
        let context = Arc::new(ListenerContext {
            gate: Arc::clone(&config.gate),
            slots: config.slots(),
            links,
            counters: Arc::clone(&broker.counters),
            limits: config.limits,
            entries,
        });
        let _inside = engine.runtime.enter();
        if config.plain || config.tls.is_none() {
            let (acceptor, address) = bind(&config, Transport::Plain, config.address)?;
            broker.plain_address = Some(address);
            tokio::spawn(listener::serve_plain(Arc::clone(&context), acceptor));
        }
        if let Some(settings) = &config.tls {
            let (acceptor, address) = bind(&config, Transport::Tls, settings.address)?;
            broker.tls_address = Some(address);
            let reports = Arc::clone(&broker.reports);
            tokio::spawn(TlsListener::new(settings, context, Arc::clone(&reports)).serve(acceptor));
            tokio::spawn(async move { reports.attend().await });
        }
        tokio::spawn(server.run());
        Ok(broker)
    }

    /// Where it listens, with the real TCP port: without TLS, if it does.
    pub(crate) fn address(&self) -> SocketAddr {
        // It listens on at least one of them.
        self.plain_address.or(self.tls_address).unwrap_or(NO_ADDRESS)
    }

    /// Publishes with QoS 1 as the platform. Returns the number of connected subscribers whose
    /// queue it went into: none means that nobody will get it, and it is not kept.
    pub(crate) async fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
    ) -> Result<usize, BrokerError> {
        let fault =
            |why| BrokerError::Publish { topic: topic.to_owned(), bytes: payload.len(), why };
        if topic.is_empty()
            || topic.len() > usize::from(u16::MAX)
            || topic.contains(['+', '#', '\0'])
        {
            return Err(fault("it is no topic name"));
        }
        if topic.len() + payload.len() + 4 > self.packet_limit_bytes as usize {
            return Err(fault("it exceeds the packet limit"));
        }
        let Some(engine) = &self.engine else { return Ok(0) };
        let packet = Packet {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: topic.into(),
            packet_id: None,
            payload: payload.into(),
            properties: Some(rmqtt::codec::v5::PublishProperties::default()),
        };
        let origin = Origin::from_system(Id::from(engine.context.node.id(), "platform".into()));
        let shared = engine.context.extends.shared().await;
        let reached = match shared.forwards(None, origin, Publish::from(packet)).await {
            Ok(reached) => reached,
            // Some had gone away between the look-up and the queue.
            Err((reached, _gone)) => reached,
        };
        Ok(reached)
    }

    /// Whether somebody would get live values of a tenant.
    pub(crate) fn has_live_listener(&self, tenant: &TenantName) -> bool {
        self.links.has_live_listener(tenant)
    }

    /// Who gets a live value of a tenant, once for each client.
    pub(crate) fn live_parties(
        &self,
        tenant: &TenantName,
        (topic, payload): (&str, &[u8]),
    ) -> Vec<PrincipalRef> {
        let who = self.links.live_parties(tenant, topic).into_iter();
        who.filter(|who| hooks::may_be_given(&*self.port, who, (topic, payload)))
            .map(|who| who.reference.clone())
            .collect()
    }

    /// Cuts all connections of a tenant, as a crash would cut them, and waits until nothing of
    /// them is left here, but no longer than [`CUT_LIMIT`]. It keeps nobody out: whoever comes
    /// back is let in or not by the port.
    pub(crate) async fn cut(&self, tenant: &TenantName) -> CutLinks {
        self.links.cut(tenant, CUT_LIMIT).await
    }

    /// Cuts the connections of a principal.
    pub(crate) fn cut_principal(&self, tenant: &TenantName, who: &PrincipalRef) {
        self.links.cut_principal(tenant, who);
    }

    /// What was counted since the start.
    pub(crate) fn counters(&self) -> BrokerCounters {
        self.counters.now()
    }

    /// Stops at once: connections are cut as a crash would cut them, which senders must survive
    /// anyway, and no last will is published. When it returns the TCP port is free and no thread,
    /// task or socket is left.
    pub(crate) async fn stop(mut self) {
        if let Some(engine) = self.engine.take() {
            self.reports.settle().await;
            // Ending a runtime blocks, which is not allowed on a thread of another one.
            let ended = tokio::task::spawn_blocking(move || engine.end()).await;
            if let Err(error) = ended {
                tracing::error!(%error, "the broker did not stop cleanly");
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            std::thread::spawn(move || engine.end());
        }
    }
}

/// Binds a port, on the threads that this is called in.
fn bind(
    config: &BrokerConfig,
    transport: Transport,
    address: SocketAddr,
) -> Result<(Acceptor, SocketAddr), BrokerError> {
    let bound = Acceptor::bind(address, transport.listener(), Arc::clone(&config.gate));
    let listening = bound.and_then(|acceptor| Ok((acceptor.address()?, acceptor)));
    let (address, acceptor) = listening.map_err(|error| BrokerError::Listen {
        what: match transport {
            Transport::Plain => "MQTT",
            Transport::Tls | Transport::Certified => "MQTT over TLS",
        },
        address,
        why: error.to_string(),
    })?;
    Ok((acceptor, address))
}

impl Engine {
    /// The server with its listeners, and where connections go into each.
    fn listeners(
        &self,
        config: &BrokerConfig,
        counters: &Arc<counters::Running>,
    ) -> (MqttServer, [Entry; Transport::ALL.len()]) {
        let mut server = MqttServer::new(self.context.clone());
        let mut joined = Vec::new();
        let entries = Transport::ALL.map(|transport| {
            let (listener, entry) = BrokerListener::new(settings(config, counters), ARRIVING_MAX);
            joined.push((transport.listener_id(), listener));
            entry
        });
        for (name, listener) in joined {
            server = server.listener_by_id(listener, name);
        }
        (server.build(), entries)
    }

    /// Ends threads, tasks and sockets. Blocks.
    fn end(self) {
        let Self { runtime, context } = self;
        runtime.shutdown_timeout(STOP_LIMIT);
        // The context owns these two and they own the context: without this, neither is ever freed.
        let cut = async {
            *context.extends.shared_mut().await = Box::new(DefaultShared::new(None));
            *context.extends.router_mut().await = Box::new(DefaultRouter::new(None));
        };
        match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime.block_on(cut),
            Err(error) => tracing::warn!(%error, "the broker's memory was not freed"),
        }
    }
}

/// The settings of one of rmqtt's listeners.
fn settings(config: &BrokerConfig, counters: &Arc<counters::Running>) -> Builder {
    let counters = Arc::clone(counters);
    Builder {
        max_packet_size: config.packet_limit_bytes,
        max_connections: config.connections,
        // So that the answers to wrong secrets, which are kept waiting, keep nobody else waiting.
        max_handshaking_limit: config.unauthenticated
            + config.tls.as_ref().map_or(0, |tls| tls.handshakes),
        max_inflight: IN_FLIGHT_LIMIT,
        // Bounded before (see `queues`).
        max_mqueue_len: config.queues.messages,
        client_id_limit_bytes: CLIENT_ID_LIMIT_BYTES,
        max_subscriptions: SUBSCRIPTION_LIMIT,
        handshake_timeout: HANDSHAKE_LIMIT,
        send_timeout: SEND_LIMIT,
        session_expiry_interval: SESSION_EXPIRY,
        max_session_expiry_interval: SESSION_EXPIRY,
        // A connection that is up delivers in order and once; a repetition is only due on a new
        // one, and sessions do not outlive theirs.
        message_retry_interval: Duration::ZERO,
        // Zero: never.
        message_expiry_interval: Duration::ZERO,
        bad_names: BadNames::to(move || counters::count(&counters.client_ids_refused)),
        ..Builder::new(config.address)
    }
}
