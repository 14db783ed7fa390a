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
use bytes::Bytes;
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{self, DecodeRules, MeasurementMessage, Request};
use lastmeter_wire::topics::Topic;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::access;
use crate::book::{Book, Freshness, Number};
pub(crate) use crate::broker::Arrival;
use crate::broker::{BrokerRefusal, IngestPort, NotDurable, Verdict};
use crate::clock::Clock;
use crate::config::{Config, TENANT, Token};
use crate::journal::{Append, Journal, JournalFailed, Kind};
use crate::metrics::{Metrics, lock};
use crate::pipeline::{self, Body, Delivery};
pub(crate) use crate::refusal::RefusalReason;
use crate::refusal::{REFUSAL_TEXT_BYTES_MAX, RefusalRecord, shortened};
use crate::store::{self, Readers};

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
    /// What the store has of this reading's number could not be looked up.
    #[error("the store could not be asked: {why}")]
    NoAnswer {
        /// What it said.
        why: String,
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
    book: Arc<Book>,
    readers: Arc<Readers>,
    devices_max: usize,
    subscriptions: Arc<Subscriptions>,
    in_flight: Arc<Semaphore>,
    in_flight_bytes: u32,
    accept_wait_s: u64,
    rules: DecodeRules,
    token: Token,
}

impl Ingest {
    /// A door in front of a journal, with readers that nobody else's queries hold up.
    pub(crate) fn new(
        config: &Config,
        journal: Journal,
        (clock, metrics): (Arc<Clock>, Arc<Metrics>),
        (book, readers): (Arc<Book>, Arc<Readers>),
        subscriptions: Arc<Subscriptions>,
    ) -> Self {
        let in_flight_bytes = config.limits.in_flight_bytes;
        Self {
            journal,
            clock,
            metrics,
            book,
            readers,
            devices_max: config.limits.devices,
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
    /// What shows only at the commit (a conflict with something on its way, an unknown invocation)
    /// is judged there, from the journal, and recorded with its content.
    pub(crate) async fn accept(&self, arrival: Arrival) -> Result<Accepted, IngestError> {
        self.journal.not_yet()?;
        let permit = self.admit(arrival.payload.len()).await?;
        let received = self.clock.now();
        let judged = match self.judge(&arrival) {
            Ok(request) => self.judge_by_store(request).await?,
            Err(refused) => Err(refused),
        };
        match judged {
            Ok((request, guest)) => {
                let number = numbered(&request);
                let payload = pipeline::encode_message(received, &arrival.topic, &arrival.payload);
                let delivery = Delivery {
                    sequence: 0,
                    received,
                    topic: arrival.topic,
                    body: Body::Request(Box::new(request)),
                    content: arrival.payload,
                    _permit: Some(permit),
                };
                self.journal(Kind::Message, payload, delivery).await?;
                if let Some(guest) = guest {
                    guest.stays(number);
                }
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
                if let Some(device) = &device {
                    self.metrics.count_conflict(reason, device);
                }
                let content = reason.keeps_content().then_some(arrival.payload);
                let refused = Refused { reason, device, topic: &arrival.topic, detail: &detail };
                self.record(received, refused, content, permit).await?;
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
        let refused = Refused { reason, device: None, topic, detail };
        self.record(self.clock.now(), refused, None, permit).await?;
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

    /// Judges what only the store can tell, while the sender waits: whether there may be one device
    /// more, and whether the reading's number has been stored with other content.
    async fn judge_by_store(
        &self,
        request: Request,
    ) -> Result<Judged<(Request, Option<Guest>)>, IngestError> {
        let device = match &request {
            Request::Measurements(message) => &message.hardware_id,
            Request::Alert(message) => &message.hardware_id,
            // It registers nobody.
            Request::Acknowledge(_) => return Ok(Ok((request, None))),
        };
        if let Err(too_many) = self.book.admit(device, self.devices_max) {
            let detail = format!("{} devices are registered, no more may be", too_many.0);
            let refused = (RefusalReason::TooManyDevices, Some(device.clone()), detail);
            return Ok(Err(refused));
        }
        let guest = Guest { book: Arc::clone(&self.book), device: device.clone(), stays: false };
        if let Request::Measurements(message) = &request
            && let Some(number) = numbered(&request)
            && let Some(detail) = self.conflict(message, number).await?
        {
            let device = Some(guest.device.clone());
            return Ok(Err((RefusalReason::ConflictingContent, device, detail)));
        }
        Ok(Ok((request, Some(guest))))
    }

    /// Says so if a reading of this number has been stored with other content.
    async fn conflict(
        &self,
        message: &MeasurementMessage,
        number: Number,
    ) -> Result<Option<String>, IngestError> {
        let Freshness::Unsure(row) = self.book.freshness(&message.hardware_id, number) else {
            return Ok(None);
        };
        let found = self.readers.with(move |reader| reader.numbered(row, number)).await;
        match found {
            Ok(stored) => {
                let conflicts = stored.is_some_and(|row| !store::says_the_same(&row, message));
                Ok(conflicts.then(|| store::conflict(number)))
            }
            // Damage is reported where it is found; at the commit the message is kept beside it.
            Err(store::StoreError::DamagedPart(_)) => Ok(None),
            Err(error) => Err(IngestError::NoAnswer { why: error.to_string() }),
        }
    }

    fn judge(&self, arrival: &Arrival) -> Judged<Request> {
        let bound_to = match Topic::parse(&arrival.topic) {
            Some(topic) if topic.tenant() != TENANT => {
                let detail = format!("unknown tenant `{}`", topic.tenant());
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
            let detail = format!("the message names `{device}`, the topic `{bound_to}`");
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
        refused: Refused<'_>,
        content: Option<Bytes>,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), IngestError> {
        let Refused { reason, device, topic, detail } = refused;
        let record = RefusalRecord {
            reason: reason.word().to_owned(),
            device,
            topic: shortened(topic, REFUSAL_TEXT_BYTES_MAX),
            detail: shortened(detail, REFUSAL_TEXT_BYTES_MAX),
            content,
        };
        let payload = pipeline::encode_refusal(received, &record);
        let delivery = Delivery {
            sequence: 0,
            received,
            topic: record.topic.clone(),
            body: Body::Refusal(record),
            content: Bytes::new(),
            _permit: Some(permit),
        };
        self.journal(Kind::Refusal, payload, delivery).await
    }

    async fn journal(
        &self,
        kind: Kind,
        payload: Vec<u8>,
        delivery: Delivery,
    ) -> Result<(), IngestError> {
        let (done, durable) = oneshot::channel();
        let append = Append { kind, payload, delivery, done };
        self.journal.append(append).await.map_err(|_| IngestError::Stopping)?;
        // The sync has no limit in time: whether it happened can only be told by waiting for it.
        durable.await.map_err(|_| IngestError::Stopping)??;
        Ok(())
    }
}

/// Taken, or refused with the reason, the device if it is known, and what was found.
type Judged<T> = Result<T, (RefusalReason, Option<HardwareId>, String)>;

/// What is recorded of a refusal beside its content.
struct Refused<'a> {
    reason: RefusalReason,
    device: Option<HardwareId>,
    topic: &'a str,
    detail: &'a str,
}

/// A device that was let in with a message which is not durable yet.
struct Guest {
    book: Arc<Book>,
    device: HardwareId,
    stays: bool,
}

impl Guest {
    /// The message is durable.
    fn stays(mut self, number: Option<Number>) {
        self.stays = true;
        if let Some(number) = number {
            self.book.let_in(&self.device, number);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if !self.stays {
            self.book.withdraw(&self.device);
        }
    }
}

/// Epoch and serial of a reading that has them.
fn numbered(request: &Request) -> Option<Number> {
    let Request::Measurements(message) = request else { return None };
    message.number().map(|(epoch, serial)| (epoch.0, serial.0))
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
        let refused = Refused { reason: refusal.into(), device, topic: "", detail };
        Self::record(self, self.clock.now(), refused, None, permit).await.map_err(not_durable)
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
    let (epoch, serial) = numbered(request)?;
    [epoch, serial].into_iter().find(|number| i64::try_from(*number).is_err())
}
