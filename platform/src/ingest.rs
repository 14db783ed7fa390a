//! The door for everything that devices send: checks it, has it journalled, and only then lets it
//! be acknowledged.
//!
//! Terms: an *arrival* is one PUBLISH as the broker took it. `Ok` from any function here means
//! that what happened is durable, so the broker may acknowledge; an error means that nothing is,
//! so it must end the connection without PUBACK and let the sender send again.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{self, DecodeRules, Request};
use lastmeter_wire::topics::Topic;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::access;
pub(crate) use crate::broker::Arrival;
use crate::broker::{BrokerRefusal, IngestPort, NotDurable, Verdict};
use crate::clock::Clock;
use crate::config::{Config, TENANT, Token};
use crate::journal::{Append, Journal, JournalFailed, Kind};
use crate::metrics::{Metrics, lock};
use crate::pipeline::{self, Body, Delivery};
pub(crate) use crate::refusal::RefusalReason;
use crate::refusal::{REFUSAL_TEXT_BYTES_MAX, RefusalRecord, shortened};

/// What a message costs in memory beside its payload, bytes: the decoded values and the queues.
const MESSAGE_OVERHEAD_BYTES: usize = 2048;

/// What became of an arrival; in both cases it may be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is durable in the journal.
    Stored,
    /// It is refused, and the record of that is durable.
    Refused(RefusalReason),
}

/// Why nothing is durable; the sender must not get an acknowledgement.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum IngestError {
    /// The journal could not be written.
    #[error(transparent)]
    JournalFailed(#[from] JournalFailed),
    /// Too much was in flight for too long.
    #[error("more is in flight than {limit_bytes} bytes, for longer than {wait_s} s")]
    Overloaded {
        /// `limits.in_flight_bytes`.
        limit_bytes: u32,
        /// `limits.accept_wait_s`.
        wait_s: u64,
    },
    /// The platform takes nothing more.
    #[error("the platform is stopping")]
    Stopping,
}

/// Devices that have just subscribed to their commands.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    devices: Mutex<BTreeSet<HardwareId>>,
    changed: Notify,
}

impl Subscriptions {
    /// Waits until some device has subscribed, and takes all that have.
    pub(crate) async fn take(&self) -> BTreeSet<HardwareId> {
        loop {
            let devices = self.take_now();
            if !devices.is_empty() {
                return devices;
            }
            self.changed.notified().await;
        }
    }

    /// Takes all that have subscribed since the last time.
    pub(crate) fn take_now(&self) -> BTreeSet<HardwareId> {
        std::mem::take(&mut *lock(&self.devices))
    }

    fn add(&self, device: HardwareId) {
        lock(&self.devices).insert(device);
        self.changed.notify_one();
    }
}

/// The door.
pub(crate) struct Ingest {
    journal: Journal,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    subscriptions: Arc<Subscriptions>,
    in_flight: Arc<Semaphore>,
    in_flight_bytes: u32,
    accept_wait_s: u64,
    rules: DecodeRules,
    token: Token,
}

impl Ingest {
    /// A door in front of a journal.
    pub(crate) fn new(
        config: &Config,
        journal: Journal,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
        subscriptions: Arc<Subscriptions>,
    ) -> Self {
        let in_flight_bytes = config.limits.in_flight_bytes;
        Self {
            journal,
            clock,
            metrics,
            subscriptions,
            in_flight: Arc::new(Semaphore::new(in_flight_bytes as usize)),
            in_flight_bytes,
            accept_wait_s: config.limits.accept_wait_s,
            rules: DecodeRules { strict_table2: config.strict_table2, ..DecodeRules::default() },
            token: config.device_secret().clone(),
        }
    }

    /// Whether a user with this password is the tenant.
    pub(crate) fn authenticate(&self, username: &str, password: &[u8]) -> bool {
        username == TENANT && access::is_same_secret(password, self.token.reveal().as_bytes())
    }

    /// Takes one message of a device, or refuses it with its reason; durable either way.
    ///
    /// Waits while too much is in flight: that is how back-pressure reaches the sender's socket.
    /// What only the store can tell (conflicting content, unknown invocation) is judged at the
    /// commit, from the journal, and recorded there.
    pub(crate) async fn accept(&self, arrival: Arrival) -> Result<Accepted, IngestError> {
        let permit = self.admit(arrival.payload.len()).await?;
        let received = self.clock.now();
        match self.judge(&arrival) {
            Ok(request) => {
                let payload = pipeline::encode_message(received, &arrival.topic, &arrival.payload);
                let body = Body::Request(Box::new(request));
                let topic = arrival.topic;
                self.journal(Kind::Message, payload, received, topic, body, permit).await?;
                self.metrics.accepted.fetch_add(1, Ordering::Relaxed);
                Ok(Accepted::Stored)
            }
            Err((reason, device, detail)) => {
                tracing::debug!(
                    client = arrival.client_id,
                    reason = reason.word(),
                    detail,
                    "refused"
                );
                self.record(received, reason, device, &arrival.topic, &detail, permit).await?;
                self.metrics.count_refusal(reason.word());
                Ok(Accepted::Refused(reason))
            }
        }
    }

    /// Records a refusal that the broker itself decided: a packet over the limit, a topic that is
    /// not the sender's. Durable when it returns.
    pub(crate) async fn refuse(
        &self,
        reason: RefusalReason,
        client_id: &str,
        topic: &str,
        detail: &str,
    ) -> Result<(), IngestError> {
        tracing::debug!(client = client_id, reason = reason.word(), detail, "refused");
        let permit = self.admit(detail.len()).await?;
        self.record(self.clock.now(), reason, None, topic, detail, permit).await?;
        self.metrics.count_refusal(reason.word());
        Ok(())
    }

    /// To be called when a client has subscribed to a topic: what waits for it is sent then.
    pub(crate) fn subscribed(&self, topic: &str) {
        if let Some(Topic::Commands { tenant, device }) = Topic::parse(topic)
            && tenant == TENANT
        {
            self.subscriptions.add(device);
        }
    }

    /// Bytes that are between arrival and commit.
    pub(crate) fn in_flight_bytes(&self) -> u64 {
        u64::from(self.in_flight_bytes) - self.in_flight.available_permits() as u64
    }

    /// Waits for a share of the memory that may be in flight.
    async fn admit(&self, payload_bytes: usize) -> Result<OwnedSemaphorePermit, IngestError> {
        let share = u32::try_from(payload_bytes + MESSAGE_OVERHEAD_BYTES)
            .unwrap_or(u32::MAX)
            .min(self.in_flight_bytes);
        let turn = Arc::clone(&self.in_flight).acquire_many_owned(share);
        match tokio::time::timeout(Duration::from_secs(self.accept_wait_s), turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(IngestError::Stopping),
            Err(_) => Err(IngestError::Overloaded {
                limit_bytes: self.in_flight_bytes,
                wait_s: self.accept_wait_s,
            }),
        }
    }

    fn judge(
        &self,
        arrival: &Arrival,
    ) -> Result<Request, (RefusalReason, Option<HardwareId>, String)> {
        let bound_to = match Topic::parse(&arrival.topic) {
            Some(topic) if topic.tenant() != TENANT => {
                let detail = format!("tenant `{}` is not known here", topic.tenant());
                return Err((RefusalReason::TopicNotAllowed, None, detail));
            }
            Some(Topic::Input { .. }) => None,
            Some(Topic::DeviceInput { device, .. }) => Some(device),
            Some(Topic::InputBatch { .. }) => {
                let detail = "batches are not taken; send one message per reading".to_owned();
                return Err((RefusalReason::UnsupportedEncoding, None, detail));
            }
            Some(Topic::Commands { .. } | Topic::Acknowledgement { .. } | Topic::Echo { .. })
            | None => {
                let detail = "no topic for messages of devices".to_owned();
                return Err((RefusalReason::TopicNotAllowed, None, detail));
            }
        };
        let request = flexmeter::decode(&arrival.payload, &self.rules).map_err(|refusal| {
            (RefusalReason::Format(refusal.reason), refusal.hardware_id, refusal.detail)
        })?;
        let device = request.hardware_id();
        if let Some(bound_to) = bound_to.filter(|bound_to| bound_to != device) {
            let detail = format!("the message says `{device}`, the topic `{bound_to}`");
            return Err((RefusalReason::HardwareIdMismatch, Some(device.clone()), detail));
        }
        if let Some(number) = unstorable_number(&request) {
            let reason = RefusalReason::Format(flexmeter::RefusalReason::BadMetadata);
            let detail = format!("epoch or serial {number}; at most {} is counted", i64::MAX);
            return Err((reason, Some(device.clone()), detail));
        }
        Ok(request)
    }

    async fn record(
        &self,
        received: SimTime,
        reason: RefusalReason,
        device: Option<HardwareId>,
        topic: &str,
        detail: &str,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), IngestError> {
        let record = RefusalRecord {
            reason: reason.word().to_owned(),
            device,
            topic: shortened(topic, REFUSAL_TEXT_BYTES_MAX),
            detail: shortened(detail, REFUSAL_TEXT_BYTES_MAX),
        };
        let payload = pipeline::encode_refusal(received, &record);
        let topic = record.topic.clone();
        let body = Body::Refusal(record);
        self.journal(Kind::Refusal, payload, received, topic, body, permit).await
    }

    async fn journal(
        &self,
        kind: Kind,
        payload: Vec<u8>,
        received: SimTime,
        topic: String,
        body: Body,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), IngestError> {
        let (done, durable) = oneshot::channel();
        let delivery = Delivery { sequence: 0, received, topic, body, _permit: Some(permit) };
        let append = Append { kind, payload, delivery, done };
        self.journal.append(append).await.map_err(|_| IngestError::Stopping)?;
        // The sync has no limit in time: whether it happened can only be told by waiting for it.
        durable.await.map_err(|_| IngestError::Stopping)??;
        Ok(())
    }
}

/// The door as the broker sees it.
#[async_trait]
impl IngestPort for Ingest {
    async fn accept(&self, arrival: Arrival) -> Result<Verdict, NotDurable> {
        match Self::accept(self, arrival).await {
            Ok(Accepted::Stored) => Ok(Verdict::Stored),
            Ok(Accepted::Refused(reason)) => Ok(Verdict::Refused { reason: reason.word() }),
            Err(error) => Err(NotDurable { why: error.to_string() }),
        }
    }

    async fn refuse(
        &self,
        refusal: BrokerRefusal,
        client_id: &str,
        topic: &str,
        detail: &str,
    ) -> Result<(), NotDurable> {
        let recorded = Self::refuse(self, refusal.into(), client_id, topic, detail).await;
        recorded.map_err(|error| NotDurable { why: error.to_string() })
    }

    fn count(&self, refusal: BrokerRefusal) {
        self.metrics.count_refusal(refusal.word());
    }

    async fn record(
        &self,
        refusal: BrokerRefusal,
        device: Option<&str>,
        detail: &str,
    ) -> Result<(), NotDurable> {
        let not_durable = |error: IngestError| NotDurable { why: error.to_string() };
        let permit = self.admit(detail.len()).await.map_err(not_durable)?;
        // What is no hardware id is in the detail all the same.
        let device = device.and_then(|device| HardwareId::new(device).ok());
        let recorded =
            Self::record(self, self.clock.now(), refusal.into(), device, "", detail, permit).await;
        recorded.map_err(not_durable)
    }

    fn authenticate(&self, username: &str, password: &[u8]) -> bool {
        Self::authenticate(self, username, password)
    }

    fn subscribed(&self, filter: &str) {
        Self::subscribed(self, filter);
    }
}

impl From<BrokerRefusal> for RefusalReason {
    fn from(refusal: BrokerRefusal) -> Self {
        match refusal {
            BrokerRefusal::PacketTooLarge => Self::PacketTooLarge,
            BrokerRefusal::TopicNotAllowed => Self::TopicNotAllowed,
            BrokerRefusal::Tls(reason) => Self::Tls(reason),
        }
    }
}

/// A serial or epoch beyond what the store's signed integers hold.
fn unstorable_number(request: &Request) -> Option<u64> {
    let Request::Measurements(message) = request else { return None };
    let (epoch, serial) = message.number()?;
    [epoch.0, serial.0].into_iter().find(|number| i64::try_from(*number).is_err())
}
