//! What `rmqtt` asks of a listener's settings.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use rmqtt_codec::types::QoS;

/// The settings of a listener. Fields and their names are those that `rmqtt` 0.24.0 reads.
#[derive(Clone, Debug)]
pub struct Builder {
    /// The address that clients connect to; a name for logs, and the key of the handshakes' queue.
    pub laddr: SocketAddr,
    /// Handshakes that may wait for their turn.
    pub max_connections: usize,
    /// Handshakes at a time.
    pub max_handshaking_limit: usize,
    /// Largest packet without its fixed header, bytes.
    pub max_packet_size: u32,
    /// Whether a client without user name is let in without being asked for one.
    pub allow_anonymous: bool,
    /// Shortest keep-alive taken, seconds.
    pub min_keepalive: u16,
    /// Longest keep-alive taken, seconds.
    pub max_keepalive: u16,
    /// Whether a client may do without keep-alive.
    pub allow_zero_keepalive: bool,
    /// Half the number of keep-alives after which a silent client is gone.
    pub keepalive_backoff: f32,
    /// QoS 1 and 2 messages without acknowledgement, each way.
    pub max_inflight: NonZeroU16,
    /// Time for CONNECT, and for what is decided of it.
    pub handshake_timeout: Duration,
    /// Time that a client may take to make room for what it is sent.
    pub send_timeout: Duration,
    /// Messages that wait for one subscriber.
    pub max_mqueue_len: usize,
    /// Messages that are taken from a subscriber's queue, per time.
    pub mqueue_rate_limit: (NonZeroU32, Duration),
    /// Longest client identifier as `rmqtt` has it, with its scope, bytes; zero for any, for the
    /// bound is on the original.
    pub max_clientid_len: usize,
    /// Longest client identifier as the client states it, bytes.
    pub client_id_limit_bytes: usize,
    /// Highest quality of service.
    pub max_qos_allowed: QoS,
    /// Most levels of a topic; zero for any.
    pub max_topic_levels: usize,
    /// How long a session of MQTT 3 outlives its connection.
    pub session_expiry_interval: Duration,
    /// How long any session does at most.
    pub max_session_expiry_interval: Duration,
    /// When a message that was not acknowledged is sent again; zero for never.
    pub message_retry_interval: Duration,
    /// When a message that waits is dropped; zero for never.
    pub message_expiry_interval: Duration,
    /// Most subscriptions of a connection; zero for any.
    pub max_subscriptions: usize,
    /// Most topic aliases of MQTT 5.
    pub max_topic_aliases: u16,
    /// Whether subscriptions may be limited in number by their filter.
    pub limit_subscription: bool,
    /// Hears of client identifiers that no client may have.
    pub bad_names: BadNames,
}

/// Whom to notify of a client identifier that is no identifier.
#[derive(Clone, Default)]
pub struct BadNames(Option<Arc<dyn Fn() + Send + Sync>>);

impl BadNames {
    /// Calls this for each of them.
    pub fn to(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(notify)))
    }

    pub(crate) fn notify(&self) {
        if let Some(notify) = &self.0 {
            notify();
        }
    }
}

impl fmt::Debug for BadNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BadNames")
    }
}

impl Builder {
    /// The bounds of MQTT where there are any, otherwise none; packets to 1 MiB.
    pub fn new(laddr: SocketAddr) -> Self {
        Self {
            laddr,
            max_connections: 100_000,
            max_handshaking_limit: 1_000,
            max_packet_size: 1024 * 1024,
            allow_anonymous: false,
            min_keepalive: 0,
            max_keepalive: u16::MAX,
            allow_zero_keepalive: true,
            // MQTT 3.1.1 section 3.1.2.10: one and a half of them.
            keepalive_backoff: 0.75,
            max_inflight: NonZeroU16::MAX,
            handshake_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(10),
            max_mqueue_len: 1_000,
            mqueue_rate_limit: (NonZeroU32::MAX, Duration::from_secs(1)),
            max_clientid_len: 0,
            client_id_limit_bytes: usize::from(u16::MAX),
            max_qos_allowed: QoS::ExactlyOnce,
            max_topic_levels: 0,
            session_expiry_interval: Duration::ZERO,
            max_session_expiry_interval: Duration::ZERO,
            message_retry_interval: Duration::ZERO,
            message_expiry_interval: Duration::ZERO,
            max_subscriptions: 0,
            max_topic_aliases: 0,
            limit_subscription: false,
            bad_names: BadNames::default(),
        }
    }
}
