//! What the broker needs from the rest of the platform: one trait and the types on it.
//!
//! Terms: an *arrival* is one PUBLISH as it came from a device; *durable* means that it survives
//! power loss. Nothing here knows the broker library, so the port can be served and faked without
//! it.

use async_trait::async_trait;
use bytes::Bytes;

use super::tls::TlsRefusal;

/// One PUBLISH as it came from a device, or the last will of one that went away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The MQTT client that sent it; no identity, only a name for logs.
    pub(crate) client_id: String,
    /// The topic it was published on.
    pub(crate) topic: String,
    /// The body.
    pub(crate) payload: Bytes,
}

/// What became of an arrival. Both are durable, so both are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is in the journal.
    Stored,
    /// It is refused and the record of that is in the journal. MQTT 5 senders are told the reason;
    /// MQTT 3.1.1 has no place for it in PUBACK.
    Refused {
        /// The stable word of the reason, such as `not_json`.
        reason: &'static str,
    },
}

/// What the broker itself refuses, before the platform sees a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BrokerRefusal {
    /// A packet above the limit. Its topic is not known: it is refused by its length alone.
    PacketTooLarge,
    /// A publication, or a last will, on a topic that is neither an input topic of the sender's
    /// tenant nor, for a publication, the sender's echo topic.
    TopicNotAllowed,
    /// A connection that did not get through the TLS door, or not as who it said it was.
    Tls(TlsRefusal),
}

impl BrokerRefusal {
    /// The stable word for records and counters.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::PacketTooLarge => "packet_too_large",
            Self::TopicNotAllowed => "topic_not_allowed",
            Self::Tls(reason) => reason.word(),
        }
    }
}

/// Why nothing is durable, in words. The sender is disconnected without PUBACK and sends again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not durable: {why}")]
pub(crate) struct NotDurable {
    /// The cause.
    pub(crate) why: String,
}

/// The platform, as seen from its broker.
///
/// A future returned here may be dropped before it is done, when the broker stops: the message may
/// then be durable or not, and its sender has no PUBACK.
#[async_trait]
pub(crate) trait IngestPort: Send + Sync + 'static {
    /// Takes or refuses one message; returns when either is durable. While it has not returned,
    /// no further packet of the same connection is read: that is the back-pressure.
    async fn accept(&self, arrival: Arrival) -> Result<Verdict, NotDurable>;

    /// Counts and records what the broker refused; returns when the record is durable.
    async fn refuse(
        &self,
        refusal: BrokerRefusal,
        client_id: &str,
        topic: &str,
        detail: &str,
    ) -> Result<(), NotDurable>;

    /// Counts what the broker refused, without a record.
    fn count(&self, refusal: BrokerRefusal);

    /// Records what the broker refused and has counted; returns when the record is durable. The
    /// device is a claim.
    async fn record(
        &self,
        refusal: BrokerRefusal,
        device: Option<&str>,
        detail: &str,
    ) -> Result<(), NotDurable>;

    /// Whether this user may connect. The user name is the tenant, the password its token.
    fn authenticate(&self, username: &str, password: &[u8]) -> bool;

    /// A client has subscribed to this filter; its SUBACK is sent before anything published later.
    fn subscribed(&self, filter: &str);
}
