//! What the owner of a session and the task behind it share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::client::Client;
use crate::tls::ClientTls;

/// Most publications without acknowledgement at a time. rumqttc's own bound and its packet
/// identifiers are sized from it, so that its packet identifiers do not come round while they are
/// in use.
pub const IN_FLIGHT_LIMIT: u16 = 100;

/// Most publications of QoS 0 that wait to leave: a fifth of a second at 5000 a second.
pub const LIVE_LIMIT: u16 = 1000;

/// Packet size limit unless the options set another, bytes: the platform's default for MQTT
/// packets.
pub const DEFAULT_PACKET_LIMIT_BYTES: usize = 256 * 1024;

/// The version of MQTT that a session speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttVersion {
    /// MQTT 3.1.1, whose PUBACK cannot refuse anything.
    V3,
    /// MQTT 5; 3.1.1 from then on where the broker answers that it does not speak it.
    V5,
}

/// What an MQTT 5 broker answers to a publication that it acknowledges and does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationRefusal {
    /// The reason code of PUBACK, from 0x80 on (MQTT 5, table 3.4.2.1).
    pub code: u8,
    /// The reason string; of the lastmeter platform its word for the refusal. Empty where there is
    /// none.
    pub why: String,
}

/// What a session needs to know. [`SessionOptions::new`] fills in everything but the identity.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// `host:port` of the broker; an IPv6 address stands in brackets.
    pub address: String,
    /// The MQTT client identifier; the broker ends an older connection with the same one.
    pub client_id: String,
    /// The MQTT user name: the tenant, for the lastmeter platform.
    pub username: String,
    /// The MQTT password: the bearer token, for the lastmeter platform.
    pub password: String,
    /// Topic filters, subscribed with QoS 1 before each `Connected`.
    pub subscriptions: Vec<String>,
    /// Keep-alive, rounded down to whole seconds and not below one second; zero switches it off. A
    /// silent broker is noticed after one to two of them.
    pub keep_alive: Duration,
    /// Largest packet sent or received, bytes.
    pub packet_limit_bytes: usize,
    /// `TCP_NODELAY`. On, unless the delay of Nagle's algorithm is what shall be studied.
    pub nodelay: bool,
    /// How long a publication may stay unacknowledged before the connection counts as lost.
    pub acknowledge_limit: Duration,
    /// How long TCP connect, CONNACK and SUBACK may take together, and before that the TLS
    /// handshake, if there is one; whole seconds, at least one.
    pub connect_limit: Duration,
    /// Received messages held for the owner. Above that the socket is not read any more, and if the
    /// owner takes nothing for half a keep-alive the connection is given up.
    pub receive_limit: usize,
    /// The version of MQTT.
    pub version: MqttVersion,
    /// How to speak TLS with the broker; plain TCP without.
    pub tls: Option<ClientTls>,
}

impl SessionOptions {
    /// Options with the defaults: no subscriptions, keep-alive 10 s, packets up to
    /// [`DEFAULT_PACKET_LIMIT_BYTES`], `TCP_NODELAY` on, 30 s for an acknowledgement, 5 s to
    /// connect, 10 000 received messages held, MQTT 3.1.1, no TLS.
    pub fn new(address: &str, client_id: &str, username: &str, password: &str) -> Self {
        Self {
            address: address.to_owned(),
            client_id: client_id.to_owned(),
            username: username.to_owned(),
            password: password.to_owned(),
            subscriptions: Vec::new(),
            keep_alive: Duration::from_secs(10),
            packet_limit_bytes: DEFAULT_PACKET_LIMIT_BYTES,
            nodelay: true,
            acknowledge_limit: Duration::from_secs(30),
            connect_limit: Duration::from_secs(5),
            receive_limit: 10_000,
            version: MqttVersion::V3,
            tls: None,
        }
    }
}

impl std::fmt::Debug for SessionOptions {
    /// Everything but the password, which must not reach a log.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SessionOptions")
            .field("address", &self.address)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("subscriptions", &self.subscriptions)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// What happens on a session, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The broker accepted the connection and all subscriptions. The owner now publishes its outbox
    /// again: nothing that was published before reaches the broker by itself.
    Connected,
    /// A connection was lost, or an attempt to connect failed; the next attempt follows by itself.
    Disconnected {
        /// Why, in words for a person, such as `the broker refused the connection: bad user name or
        /// password`.
        reason: String,
    },
    /// The broker acknowledged this message, published in the current connection. Comes once per
    /// call of [`super::Session::publish`] that returned `Ok`, unless the connection is lost first.
    Acknowledged {
        /// The number given to [`super::Session::publish`].
        message: u64,
    },
    /// In place of `Acknowledged`: the broker has refused this message and will not take it, so it
    /// is not to be sent again. With MQTT 5 only.
    Refused {
        /// The number given to [`super::Session::publish`].
        message: u64,
        /// What the broker answered.
        refusal: PublicationRefusal,
    },
    /// Ahead of `Disconnected`: another connection with this client identifier has taken the
    /// place of this one. With MQTT 5 only.
    TakenOver,
    /// A message arrived on a subscription. It is acknowledged to the broker on receipt.
    Received {
        /// Topic of the message.
        topic: String,
        /// Payload of the message.
        payload: Bytes,
    },
}

/// An event with what only this module needs to know about it.
#[derive(Debug)]
pub(super) enum Queued {
    Connected { connection: u64 },
    Other(SessionEvent),
}

/// What owner, events and driver share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) live: Mutex<Option<Live>>,
    /// The connection whose `Connected` the owner has taken. Publishing on a connection the owner
    /// does not know of yet would make it publish the same message twice.
    pub(super) announced: AtomicU64,
    /// Whether the broker refused user name and password at the last attempt.
    pub(super) is_refused: AtomicBool,
    /// Room for received messages the owner has not taken yet.
    pub(super) room: Semaphore,
}

#[derive(Debug)]
pub(super) struct Live {
    pub(super) connection: u64,
    pub(super) client: Client,
    /// Message numbers handed to rumqttc's request queue and not yet seen leaving it. Filled under
    /// the same lock as the queue itself, so both have one order.
    pub(super) handed: VecDeque<u64>,
    /// Publications of QoS 0 in rumqttc's request queue.
    pub(super) unsent: u16,
    /// A permit per publication that may still go in flight; closed when the connection is lost.
    pub(super) window: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn live(&self) -> std::sync::MutexGuard<'_, Option<Live>> {
        // The lock is never held over anything that can panic half-way, so a poisoned value is
        // still whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
