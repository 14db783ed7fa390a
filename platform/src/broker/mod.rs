//! The embedded MQTT broker: 3.1.1 and 5 on one port, with PUBACK only after the journal.
//!
//! Terms: the *port* is what the broker needs from the rest of the platform ([`IngestPort`]), not
//! to be mixed up with a TCP port.
//!
//! With TLS there are two more listeners, on the loopback, which the TLS door (`tls`) connects to:
//! one for clients with certificate and one for those without.
//!
//! On rmqtt 0.24.0, of which nothing shows outside of this module. No session outlives its
//! connection (nothing that must last relies on a broker session, R-02), nothing is retained, and
//! shared subscriptions are off. Its TLS feature stays off. Sessions and their queues run on
//! threads of the broker's own, because rmqtt offers no way to end them: stopping the broker ends
//! the threads, and with them every task and socket.
//!
//! What rmqtt 0.24.0 does and this module cannot change:
//! - A client that comes back while its last connection is still being cleared away may be refused
//!   once as unavailable (`shared.rs`, `kick` and `try_lock`); it has to try again.
//! - A connection that never sends a byte has no time limit (`rmqtt-net`, `probe_version`), and one
//!   whose CONNECT is over the limit ends without a hook, so without a record.
//! - The socket is left open after DISCONNECT until the client closes it or its keep-alive ends.
//! - One connection's publications go one at a time through the hook, so one connection gets no
//!   more through than one message per sync of the journal; many connections share each sync.
//! - A burst can overflow a subscriber's queue although the subscriber keeps up (`run_loop` picks
//!   between filling and emptying it at random). So the platform never subscribes to its own
//!   broker, and `deliveries_dropped` must stay zero where somebody relies on a subscription.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use rmqtt::codec::types::Publish as Packet;
use rmqtt::context::ServerContext;
use rmqtt::net::{Builder, Listener};
use rmqtt::router::DefaultRouter;
use rmqtt::server::MqttServer;
use rmqtt::shared::DefaultShared;
use rmqtt::types::{From as Origin, Id, Publish, QoS};
use tokio::runtime::Runtime;

mod access;
mod counters;
mod hooks;
mod port;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use counters::BrokerCounters;
pub(crate) use port::{Arrival, BrokerRefusal, IngestPort, NotDurable, Verdict};
use tls::{Door, Entrance, Inner, Peers, Reports};
pub(crate) use tls::{Naming, Settings as TlsSettings, TlsRefusal};

/// How long stopping waits for the broker's threads.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// QoS 1 and 2 messages per connection and direction without acknowledgement. rmqtt's 16 is below
/// what clients of MQTT 3.1.1 use, who cannot be told, and more than that ends their connection.
const IN_FLIGHT_LIMIT: NonZeroU16 = NonZeroU16::new(1024).unwrap();
/// Longest client identifier, bytes.
const CLIENT_ID_LIMIT_BYTES: usize = 256;
/// Subscriptions per connection.
const SUBSCRIPTION_LIMIT: usize = 1024;
/// Time for CONNECT to arrive once its first byte is there.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a session may outlive its connection: rmqtt reads zero as "for ever".
const SESSION_EXPIRY: Duration = Duration::from_millis(1);
/// The names under which rmqtt keeps the listeners.
const PLAIN: u16 = 1;
const BEHIND_TLS: u16 = 2;
const CERTIFIED: u16 = 3;

/// Where the TLS door reaches the broker: a free port of this machine.
const INNER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a broker is told at its start.
#[derive(Clone, Debug)]
pub(crate) struct BrokerConfig {
    /// Where it listens without TLS; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// Whether it listens without TLS. It has to if there is no TLS.
    pub(crate) plain: bool,
    /// The TLS door.
    pub(crate) tls: Option<TlsSettings>,
    /// Largest packet, without its fixed header, bytes. Above it the connection ends.
    pub(crate) packet_limit_bytes: u32,
    /// Messages waiting for one subscriber; above that the oldest is dropped and counted.
    pub(crate) queue_limit: usize,
    /// Connections at a time.
    pub(crate) connection_limit: u32,
}

impl BrokerConfig {
    /// The defaults: packets to 256 KiB, 10 000 messages waiting per subscriber, 100 000
    /// connections, no TLS.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            plain: true,
            tls: None,
            packet_limit_bytes: 256 * 1024,
            queue_limit: 10_000,
            connection_limit: 100_000,
        }
    }
}

/// Why the broker could not start, or could not publish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    /// Its threads could not be started.
    #[error("the broker's threads could not be started: {source}")]
    Threads {
        /// The cause.
        source: std::io::Error,
    },
    /// The address is taken or not of this machine.
    #[error("{what} cannot listen on {address}: {why}")]
    Listen {
        /// What was to listen there.
        what: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        why: String,
    },
    /// What shall be published cannot be: the packet would exceed the limit, or the topic holds a
    /// wildcard.
    #[error("cannot publish {bytes} bytes to {topic:?}: {why}")]
    Publish {
        /// The topic.
        topic: String,
        /// Size of the payload, bytes.
        bytes: usize,
        /// What is wrong.
        why: &'static str,
    },
}

/// A running broker. Dropping it stops it too, in the background.
pub(crate) struct Broker {
    plain_address: Option<SocketAddr>,
    tls_address: Option<SocketAddr>,
    behind: Behind,
    #[cfg(test)]
    inner: Option<Inner>,
    packet_limit_bytes: u32,
    counters: Arc<counters::Running>,
    engine: Option<Engine>,
}

/// What stands between the TLS door and the broker.
#[derive(Clone)]
struct Behind {
    peers: Arc<Peers>,
    reports: Arc<Reports>,
}

/// By which listener a client came.
fn entrance(client: &Id) -> Entrance {
    match client.lid {
        CERTIFIED => Entrance::Certified,
        BEHIND_TLS => Entrance::Tls,
        _ => Entrance::Plain,
    }
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
        let counters = Arc::new(counters::Running::default());
        // The watch on the machine's load would refuse connections by it, and would never end.
        let context = ServerContext::new()
            .busy_check_enable(false)
            .mqtt_max_sessions(config.connection_limit as isize)
            .build()
            .await;
        let behind = Behind { peers: Arc::default(), reports: Reports::new(Arc::clone(&port)) };
        // From here on dropping `broker` ends what was started, should something fail.
        let engine = Engine { runtime, context };
        let mut broker = Self {
            plain_address: None,
            tls_address: None,
            behind: behind.clone(),
            #[cfg(test)]
            inner: None,
            packet_limit_bytes: config.packet_limit_bytes,
            counters: counters.clone(),
            engine: None,
        };
        let engine = broker.engine.insert(engine);
        let hooks = hooks::Hooks::new(port, Arc::clone(&counters), behind.clone());
        hooks.register(&engine.context).await;
        let mut server = MqttServer::new(engine.context.clone());
        if config.plain || config.tls.is_none() {
            let (listener, address) = engine.bind(&config, config.address)?;
            server = server.listener_by_id(listener, PLAIN);
            broker.plain_address = Some(address);
        }
        if let Some(settings) = &config.tls {
            let (bare, tls) = engine.bind(&config, INNER)?;
            let (proven, certified) = engine.bind(&config, INNER)?;
            server = server.listener_by_id(bare, BEHIND_TLS).listener_by_id(proven, CERTIFIED);
            let inner = Inner { tls, certified };
            #[cfg(test)]
            {
                broker.inner = Some(inner);
            }
            let _inside = engine.runtime.enter();
            let opened = Door::open(settings, inner, behind.peers, behind.reports, counters);
            broker.tls_address = Some(opened.map_err(|error| BrokerError::Listen {
                what: "MQTT over TLS",
                address: settings.address,
                why: error.to_string(),
            })?);
        }
        engine.runtime.spawn(server.build().run());
        Ok(broker)
    }

    /// Where it listens, with the real TCP port: without TLS, if it does.
    pub(crate) fn address(&self) -> SocketAddr {
        // It listens on at least one of them.
        self.plain_address.or(self.tls_address).unwrap_or(INNER)
    }

    /// Where it listens without TLS, with the real TCP port.
    pub(crate) fn plain_address(&self) -> Option<SocketAddr> {
        self.plain_address
    }

    /// Where it listens with TLS, with the real TCP port.
    pub(crate) fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
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

    /// What was counted since the start.
    pub(crate) fn counters(&self) -> BrokerCounters {
        self.counters.now()
    }

    /// Stops at once: connections are cut as a crash would cut them, which senders must survive
    /// anyway, and no last will is published. When it returns the TCP port is free and no thread,
    /// task or socket is left.
    pub(crate) async fn stop(mut self) {
        if let Some(engine) = self.engine.take() {
            self.behind.reports.settle().await;
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

impl Engine {
    fn bind(
        &self,
        config: &BrokerConfig,
        address: SocketAddr,
    ) -> Result<(Listener, SocketAddr), BrokerError> {
        self.listener(config, address).map_err(|error| BrokerError::Listen {
            what: "MQTT",
            address,
            why: error.to_string(),
        })
    }

    fn listener(
        &self,
        config: &BrokerConfig,
        address: SocketAddr,
    ) -> rmqtt::Result<(Listener, SocketAddr)> {
        // The socket belongs to the broker's own threads.
        let _inside = self.runtime.enter();
        let listener = Builder::new()
            .name("mqtt")
            .laddr(address)
            .reuseaddr(Some(true))
            .nodelay(true)
            .allow_anonymous(false)
            .max_packet_size(config.packet_limit_bytes)
            .max_connections(config.connection_limit as usize)
            .max_inflight(IN_FLIGHT_LIMIT)
            .max_mqueue_len(config.queue_limit)
            .max_clientid_len(CLIENT_ID_LIMIT_BYTES)
            .max_subscriptions(SUBSCRIPTION_LIMIT)
            .handshake_timeout(HANDSHAKE_LIMIT)
            .session_expiry_interval(SESSION_EXPIRY)
            .max_session_expiry_interval(SESSION_EXPIRY)
            // A connection that is up delivers in order and once; a repetition is only due on a
            // new one, and sessions do not outlive theirs.
            .message_retry_interval(Duration::ZERO)
            // Zero: never.
            .message_expiry_interval(Duration::ZERO)
            .bind()?
            .tcp()?;
        let address = listener.local_addr()?;
        Ok((listener, address))
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
