//! The ingest port: what every door needs of the platform, one trait and the types on it.
//!
//! Terms: a *door* is a way for devices to reach the platform; an *arrival* is one message as it
//! came through one; *durable* means that it survives power loss. Nothing here knows a door, so the
//! port can be served and faked without any.

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use lastmeter_model::access::{Action, Decision, Principal, Scope};
use lastmeter_units::{HardwareId, TenantName};

use lastmeter_model::refusal::RefusalReason;

use crate::tls::DeviceCertificate;

/// One message as it came from a device, or the last will of one that went away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The door it came through: its name in `DOORS`.
    pub(crate) door: &'static str,
    /// Who sent it; no identity, only a name for logs.
    pub(crate) sender: String,
    /// Its input topic, which names tenant, format and, where it is bound to one, the device
    /// (`lastmeter_wire::topics::input_name`), also where a door has no topics.
    pub(crate) topic: String,
    /// The body as it arrived.
    pub(crate) payload: Bytes,
    /// Whether it came with the secret that devices share, which is for those without their own.
    pub(crate) is_shared: bool,
}

/// What a client presents to prove who it is.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) user_name: &'a str,
    pub(crate) password: &'a [u8],
    /// Its certificate, if it showed one.
    pub(crate) certificate: Option<&'a DeviceCertificate>,
    pub(crate) from: IpAddr,
}

/// What became of an arrival. Both are durable, so both are acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is in the journal.
    Stored,
    /// It is refused and the record of that is in the journal. Senders get the reason where
    /// their door has a place for it, as MQTT 5 has and MQTT 3.1.1 has not.
    Refused {
        reason: RefusalReason,
        /// What was found and what was expected.
        detail: String,
    },
}

/// Why nothing is durable, in words. The sender gets no acknowledgement and sends again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not durable: {why}")]
pub(crate) struct NotDurable {
    pub(crate) why: String,
}

/// The platform, as seen from its doors.
///
/// A future returned here may be dropped before it is done, when the door closes: the message may
/// then be durable or not, and its sender has no acknowledgement.
#[async_trait]
pub(crate) trait IngestPort: Send + Sync + 'static {
    /// Takes or refuses one message; returns when either is durable. While it has not returned,
    /// nothing further of the same connection is read: that is the back-pressure.
    async fn accept(&self, tenant: &TenantName, arrival: Arrival) -> Result<Verdict, NotDurable>;

    /// Counts and records what a door refused of a sender on a topic; returns when the record is
    /// durable.
    async fn refuse(
        &self,
        tenant: &TenantName,
        refusal: RefusalReason,
        of: (&str, &str),
        detail: &str,
    ) -> Result<(), NotDurable>;

    /// Counts what a door refused of nobody in particular, without a record.
    fn count(&self, refusal: RefusalReason);

    /// Records what a door refused and has counted; returns when the record is durable. The
    /// device is a claim.
    async fn record(
        &self,
        refusal: RefusalReason,
        device: Option<&str>,
        detail: &str,
    ) -> Result<(), NotDurable>;

    /// Who a client is by what it presents, if anybody.
    async fn identify(&self, presented: Presented<'_>) -> Option<Principal>;

    /// Decides whether a principal may publish on a topic (`write`) or have what comes by a filter
    /// (`read`).
    fn decide(&self, who: &Principal, action: Action, topic: &str) -> Decision;

    /// Whether a principal may subscribe to a filter; what comes of it is cut by `hears`.
    fn follows(&self, who: &Principal, filter: &str) -> bool {
        self.decide(who, Action::Read, filter) == Decision::Yes(Scope::All)
    }

    /// Whether a principal may have a message that has come for it on a topic.
    fn hears(&self, who: &Principal, topic: &str, _payload: &[u8]) -> bool {
        self.follows(who, topic)
    }

    /// Why a principal may not publish on a topic.
    fn refusal(&self, _who: &Principal, _topic: &str) -> RefusalReason {
        RefusalReason::TopicNotAllowed
    }

    /// MQTT connections that a tenant may have at a time.
    fn connections_max(&self, _tenant: &TenantName) -> usize {
        usize::MAX
    }

    /// A device takes its commands at this door from now on; what waits for it is sent then.
    fn listens(&self, tenant: &TenantName, door: &'static str, device: HardwareId);
}
