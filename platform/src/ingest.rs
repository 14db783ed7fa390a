//! What stands behind the ingest port, for everything that devices send: checks it, has it
//! journalled, and only then lets it be acknowledged.
//!
//! Terms: an *arrival* is one message as a door took it, which may hold several (a batch). `Ok`
//! from any function here means that what happened is durable, so the door may acknowledge; an
//! error means that nothing is, so it must not, and the sender sends again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use lastmeter_model::access::{self, Facts as _, Permit};
use lastmeter_model::decide::{Admission, admit, conflict, is_same_content, unknown_invocation};
use lastmeter_model::directory::{DeviceDirectory, Freshness};
use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_code};
use lastmeter_model::documents::Documents;
use lastmeter_model::entity::{Body as _, Device, DeviceStatus};
use lastmeter_model::facts::DocumentFacts;
use lastmeter_model::message::{Message, MessageBody, Number};
use lastmeter_model::refusal::{REFUSAL_TEXT_BYTES_MAX, RefusalReason, RefusalRecord, shortened};
use lastmeter_model::work::{Body, Change, Delivery};
use lastmeter_store::{Page, Range, StoreError, StoreReader};
use lastmeter_units::{HardwareId, SimTime, TenantName};
use lastmeter_wire::topics::{InputName, input_name};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::attention::Attention;
use crate::clock::Clock;
use crate::commands::Definitions;
use crate::config::Config;
use crate::device_routes::DeviceRoutes;
use crate::format::{self, Format, Rules};
use crate::journal::{Append, Journal, JournalFailed, Kind};
use crate::metrics::Metrics;
use crate::pipeline::{self, Entry, Job};
use crate::port::{Arrival, NotDurable, Verdict};
use crate::tenant_limits::Pace;

/// In place of a door: what came through none leaves the way to its device as it is.
pub(crate) const NO_DOOR: &str = "none";

/// What a message costs in memory beside its payload, bytes: the decoded values and the queues.
const MESSAGE_OVERHEAD_BYTES: usize = 2048;

/// Messages that are kept of a device that nobody has registered.
const RECOGNISED_MAX: u64 = 1000;
/// For how long they are.
const RECOGNISED_NS: i64 = 86_400_000_000_000;

/// The longest name from outside that stands in a detail, bytes.
const NAME_BYTES_MAX: usize = 80;

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
    NoAnswer { why: String },
    /// The platform takes nothing more.
    #[error("the platform is stopping")]
    Stopping,
}

impl From<IngestError> for NotDurable {
    fn from(error: IngestError) -> Self {
        Self { why: error.to_string() }
    }
}

/// The one way in for messages: judges, journals, answers.
pub(crate) struct Ingest {
    journal: Journal,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    devices: Arc<DeviceDirectory>,
    documents: Arc<Documents>,
    readers: Arc<dyn StoreReader>,
    devices_max: usize,
    attention: Arc<Attention>,
    routes: Arc<DeviceRoutes>,
    definitions: Definitions,
    in_flight: Arc<Semaphore>,
    in_flight_bytes: u32,
    accept_wait_s: u64,
    /// Messages that were taken of devices that nobody has registered.
    recognised: tokio::sync::Mutex<BTreeMap<HardwareId, u64>>,
    rules: Rules,
    tenant: TenantName,
    pub(crate) pace: Pace,
}

impl Ingest {
    /// A port in front of a journal, with readers that nobody else's queries hold up.
    pub(crate) fn new(
        (tenant, config): (TenantName, &Config),
        journal: Journal,
        (clock, metrics): (Arc<Clock>, Arc<Metrics>),
        (devices, documents): (Arc<DeviceDirectory>, Arc<Documents>),
        readers: Arc<dyn StoreReader>,
        (attention, routes): (Arc<Attention>, Arc<DeviceRoutes>),
    ) -> Self {
        let in_flight_bytes = config.limits.in_flight_bytes;
        Self {
            journal,
            clock,
            metrics,
            devices,
            definitions: Definitions(Arc::clone(&documents)),
            documents,
            readers,
            devices_max: config.limits.devices,
            attention,
            routes,
            in_flight: Arc::new(Semaphore::new(in_flight_bytes as usize)),
            in_flight_bytes,
            accept_wait_s: config.limits.accept_wait_s,
            recognised: tokio::sync::Mutex::default(),
            rules: Rules { strict_table2: config.strict_table2, plausible_only: true },
            tenant,
            pace: Pace::default(),
        }
    }

    /// Takes what a device sent, or refuses it with its reason; durable either way.
    ///
    /// Waits while too much is in flight: that is how back-pressure reaches the sender's socket.
    /// What shows only at the commit (a conflict with something on its way or within a batch, an
    /// unknown invocation) is judged there, from the journal, and recorded with its content.
    pub(crate) async fn accept(&self, arrival: Arrival) -> Result<Verdict, IngestError> {
        let mut run = Vec::new();
        let begun = self.begin(arrival, &mut run).await?;
        self.hand_on(&mut run).await?;
        self.settle(begun).await
    }

    /// Takes arrivals of one sender in their order, which become durable together. On an error the
    /// first of them may be durable.
    pub(crate) async fn accept_run(
        &self,
        arrivals: Vec<Arrival>,
    ) -> Result<Vec<Verdict>, IngestError> {
        let (mut begun, mut verdicts) = (Vec::with_capacity(arrivals.len()), Vec::new());
        let mut run = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            begun.push(self.begin(arrival, &mut run).await?);
        }
        self.hand_on(&mut run).await?;
        for one in begun {
            verdicts.push(self.settle(one).await?);
        }
        Ok(verdicts)
    }

    /// Hands what was begun to the journal, where it is one group.
    async fn hand_on(&self, run: &mut Vec<Append>) -> Result<(), IngestError> {
        let run = std::mem::take(run);
        self.journal.append(run).await.map_err(|_| IngestError::Stopping)
    }

    /// Judges an arrival; it, or its refusal, joins the run that is handed to the journal.
    async fn begin(&self, arrival: Arrival, run: &mut Vec<Append>) -> Result<Begun, IngestError> {
        self.journal.not_yet()?;
        let target = self.target(&arrival.topic, arrival.door);
        let memory_per_byte = target.as_ref().map_or(1, |target| target.format.memory_per_byte);
        let bytes = arrival.payload.len().saturating_mul(memory_per_byte);
        let permit = if let Some(permit) = self.admit_at_once(bytes) {
            permit
        } else {
            // What the run holds is given back once it is stored.
            self.hand_on(run).await?;
            self.admit(bytes).await?
        };
        let read = target.and_then(|target| self.judge(&target, &arrival));
        let read = read.and_then(|read| self.judge_sender(read, arrival.is_shared));
        self.pace.pass(read.as_ref().map_or(1, |read| read.messages.len())).await;
        let received = self.clock.now();
        let judged = match read {
            Ok(read) => self.judge_by_store(read).await?,
            Err(refused) => Err(refused),
        };
        match judged {
            Ok((Read { format, messages }, admitted)) => {
                let (topic, payload) = (&arrival.topic, &arrival.payload);
                let payload = pipeline::encode_message(&Entry { received, format, topic, payload });
                let count = messages.len() as u64;
                let delivery = Delivery {
                    sequence: 0,
                    received,
                    topic: arrival.topic,
                    body: Body::Messages(messages),
                    content: arrival.payload,
                };
                let (append, durable) = appended((Kind::Message, payload), delivery, permit);
                run.push(append);
                let outcome = Outcome::Stored { door: arrival.door, admitted, count };
                Ok(Begun { durable, outcome })
            }
            Err(no) => {
                let NotTaken { reason, device, detail, keeps_content } = no;
                let (sender, door) = (arrival.sender, arrival.door);
                let place = format!("{door} {sender}");
                if let Some(device) = &device {
                    self.metrics.count_conflict(reason, device);
                }
                let content = keeps_content.then_some(arrival.payload);
                let refused = Refused { reason, device, topic: &arrival.topic, detail: &detail };
                let (append, durable) = refusal(received, refused, content, permit);
                run.push(append);
                Ok(Begun { durable, outcome: Outcome::Refused { reason, place, detail } })
            }
        }
    }

    /// Waits until what was begun is durable, and takes note of it.
    async fn settle(&self, Begun { durable, outcome }: Begun) -> Result<Verdict, IngestError> {
        until_durable(durable).await?;
        match outcome {
            Outcome::Stored { door, admitted, count } => {
                // Only now: a route follows a message that was taken (see `device_routes`).
                for device in admitted {
                    if door != NO_DOOR {
                        self.routes.record_arrival(&device.device, door);
                    }
                    self.hear(&device);
                    device.confirm();
                }
                self.metrics.accepted.fetch_add(count, Ordering::Relaxed);
                Ok(Verdict::Stored)
            }
            Outcome::Refused { reason, place, detail } => {
                self.metrics.count_refusal(reason.word(), &place, &detail);
                Ok(Verdict::Refused { reason, detail })
            }
        }
    }

    /// Bytes that are between arrival and commit.
    pub(crate) fn in_flight_bytes(&self) -> u64 {
        u64::from(self.in_flight_bytes) - self.in_flight.available_permits() as u64
    }

    /// The share that a message has of the memory that may be in flight.
    fn share(&self, payload_bytes: usize) -> u32 {
        let share = u32::try_from(payload_bytes + MESSAGE_OVERHEAD_BYTES).unwrap_or(u32::MAX);
        share.min(self.in_flight_bytes)
    }

    /// A share of the memory that may be in flight, if there is enough of it.
    fn admit_at_once(&self, payload_bytes: usize) -> Option<OwnedSemaphorePermit> {
        let share = self.share(payload_bytes);
        Arc::clone(&self.in_flight).try_acquire_many_owned(share).ok()
    }

    /// Waits for a share of the memory that may be in flight.
    async fn admit(&self, payload_bytes: usize) -> Result<OwnedSemaphorePermit, IngestError> {
        let share = self.share(payload_bytes);
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

    /// Judges what only the store can show, while the sender waits: whether there may be one device
    /// more, and whether a reading's number has been stored with other content. Of a batch the
    /// latter is left to the commit, where it costs that reading alone.
    async fn judge_by_store(
        &self,
        read: Read,
    ) -> Result<Judged<(Read, Vec<Admitted>)>, IngestError> {
        let mut admitted = Vec::new();
        for message in &read.messages {
            let is_heard = self.devices.row(&message.device).is_some();
            let admission = match admit(&self.documents, message, is_heard) {
                Ok(admission) => admission,
                Err((reason, detail)) => {
                    let device = Some(message.device.clone());
                    return Ok(Err(NotTaken::new(reason, device, detail)));
                }
            };
            // It registers nobody.
            if let MessageBody::Acknowledgement { invocation, .. } = &message.body {
                if read.messages.len() == 1
                    && let Some(detail) = self.unknown_invocation(message, invocation).await?
                {
                    let device = Some(message.device.clone());
                    return Ok(Err(NotTaken::new(
                        RefusalReason::UnknownInvocation,
                        device,
                        detail,
                    )));
                }
                if self.devices.row(&message.device).is_some() {
                    let device = message.device.clone();
                    admitted.push(Admitted { devices: None, device, number: None });
                }
                continue;
            }
            if !self.devices.admit(&message.device, self.devices_max) {
                let most = self.devices_max;
                let detail = format!("{most} devices are registered, no more may be");
                let device = Some(message.device.clone());
                return Ok(Err(NotTaken::new(RefusalReason::TooManyDevices, device, detail)));
            }
            admitted.push(Admitted {
                devices: Some(Arc::clone(&self.devices)),
                device: message.device.clone(),
                number: reading_number(message),
            });
            if admission == Admission::Recognised
                && let Some(refused) = self.recognise(&message.device).await?
            {
                return Ok(Err(refused));
            }
        }
        if let [message] = &read.messages[..]
            && let Some(number) = reading_number(message)
            && let Some(detail) = self.conflict(message, number).await?
        {
            let device = Some(message.device.clone());
            return Ok(Err(NotTaken::new(RefusalReason::ConflictingContent, device, detail)));
        }
        Ok(Ok((read, admitted)))
    }

    /// Whether there may be one device more.
    pub(crate) fn has_room(&self) -> bool {
        self.devices.count() < self.devices_max
    }

    /// Takes note of a device that nobody has registered; refuses what is beyond the part of it
    /// that is kept.
    async fn recognise(&self, device: &HardwareId) -> Result<Option<NotTaken>, IngestError> {
        let Some(kind) = kind_of_code(Device::CODE) else { return Ok(None) };
        let document = self.documents.find(kind, device.as_str());
        let mut recognised = self.recognised.lock().await;
        let since = if let Some(document) = document {
            document.created
        } else {
            let token = Some(device.to_string());
            let body = Some(json!({ "status": DeviceStatus::Recognised }));
            let edits = vec![Edit { kind, token, expect: Expect::New, body }];
            let by = "platform".to_owned();
            // Without it the device would count as registered.
            let change = Transaction { by, edits, reserve: true, ..Transaction::default() };
            let (reply, done) = oneshot::channel();
            let job = Job::Change(Change::Apply(Box::new(change)), reply);
            self.journal.pass(job).await.map_err(|_| IngestError::Stopping)?;
            done.await.map_err(|_| IngestError::Stopping)?;
            self.clock.now()
        };
        let kept = match (recognised.get(device), self.devices.row(device)) {
            (Some(kept), _) => *kept,
            (None, Some(row)) => {
                let range = Range { start: SimTime(i64::MIN), end: SimTime(i64::MAX) };
                let (page, cut) =
                    (Page { offset: 0, limit: 1 }, Permit::whole_tenant().cut(device));
                let found = self.readers.events(row, range, page, cut).await;
                found.map_err(|error| IngestError::NoAnswer { why: error.to_string() })?.0
            }
            (None, None) => 0,
        };
        let age_ns = self.clock.now().0.saturating_sub(since.0);
        if kept < RECOGNISED_MAX && age_ns < RECOGNISED_NS {
            recognised.insert(device.clone(), kept + 1);
            return Ok(None);
        }
        let detail = format!(
            "`{device}` is not registered, and {RECOGNISED_MAX} messages or a day of it are kept"
        );
        let refused = NotTaken::new(RefusalReason::UnknownDevice, Some(device.clone()), detail);
        Ok(Some(NotTaken { keeps_content: false, ..refused }))
    }

    /// Describes the conflict if a reading of this number was stored with other content.
    async fn conflict(
        &self,
        message: &Message,
        number: Number,
    ) -> Result<Option<String>, IngestError> {
        let Freshness::Unsure(row) = self.devices.freshness(&message.device, number) else {
            return Ok(None);
        };
        let found = self.readers.numbered(row, number).await;
        match found {
            Ok(stored) => {
                let conflicts = stored.is_some_and(|row| !is_same_content(&row, message));
                Ok(conflicts.then(|| conflict(number)))
            }
            // Damage is reported where it is found; at the commit the message is kept beside it.
            Err(StoreError::DamagedPart(_)) => Ok(None),
            Err(error) => Err(IngestError::NoAnswer { why: error.to_string() }),
        }
    }

    /// Describes the mistake if an answer names no command of its device. Devices that have one are
    /// in the directory, and the command was stored before it was sent.
    async fn unknown_invocation(
        &self,
        message: &Message,
        invocation: &str,
    ) -> Result<Option<String>, IngestError> {
        let unknown = || Ok(Some(unknown_invocation(&message.device, invocation)));
        let (Some(device), Ok(id)) = (self.devices.row(&message.device), invocation.parse()) else {
            return unknown();
        };
        match self.readers.invocation(id).await {
            Ok(Some(stored)) if stored.row.asked.device == device => Ok(None),
            Ok(_) => unknown(),
            // As of a conflict.
            Err(StoreError::DamagedPart(_)) => Ok(None),
            Err(error) => Err(IngestError::NoAnswer { why: error.to_string() }),
        }
    }

    /// What a topic of this tenant states.
    fn target(&self, topic: &str, door: &str) -> Judged<Target> {
        let not_allowed = |detail| NotTaken::new(RefusalReason::TopicNotAllowed, None, detail);
        match input_name(topic) {
            Some(InputName { tenant, .. }) if tenant != self.tenant.as_str() => {
                Err(not_allowed(format!("unknown tenant `{}`", shortened(tenant, NAME_BYTES_MAX))))
            }
            Some(InputName { device, format, .. }) => match format::at_door(format, door) {
                Some(format) => Ok(Target { format, bound_to: device }),
                None => Err(not_allowed("no topic of a format that is spoken here".to_owned())),
            },
            None => Err(not_allowed("no topic for messages of devices".to_owned())),
        }
    }

    fn judge(&self, target: &Target, arrival: &Arrival) -> Judged<Read> {
        let Target { format, bound_to } = target;
        let messages = format.decode(&arrival.payload, self.rules).map_err(|refusal| {
            let reason = RefusalReason::Format(refusal.reason);
            NotTaken {
                keeps_content: refusal.holds_sound,
                ..NotTaken::new(reason, refusal.device, refusal.detail)
            }
        })?;
        for message in &messages {
            let device = &message.device;
            if let Some(bound_to) = bound_to.as_ref().filter(|bound_to| *bound_to != device) {
                let detail = format!("the message names `{device}`, the topic `{bound_to}`");
                let device = Some(device.clone());
                return Err(NotTaken::new(RefusalReason::HardwareIdMismatch, device, detail));
            }
            if let Some(number) = unstorable_number(message) {
                let reason = RefusalReason::Format("bad_metadata");
                let detail = format!("epoch or serial {number}; at most {} is counted", i64::MAX);
                return Err(NotTaken::new(reason, Some(device.clone()), detail));
            }
        }
        Ok(Read { format, messages })
    }

    /// Refuses what came with the secret that devices share for one with a credential of its own.
    fn judge_sender(&self, read: Read, is_shared: bool) -> Judged<Read> {
        let facts = DocumentFacts { documents: &self.documents, devices: &self.devices };
        let has_own = |message: &&Message| {
            is_shared && facts.has_credential(&access::Target::Device(message.device.clone()))
        };
        let Some(message) = read.messages.iter().find(has_own) else { return Ok(read) };
        let device = Some(message.device.clone());
        let detail = format!("`{}` has a credential of its own, expected that one", message.device);
        Err(NotTaken::new(RefusalReason::DeviceHasCredential, device, detail))
    }

    /// Counts and records what a door refused; durable when it returns.
    pub(crate) async fn refuse(
        &self,
        reason: RefusalReason,
        sender: &str,
        topic: &str,
        detail: &str,
    ) -> Result<(), NotDurable> {
        let permit = self.admit(detail.len()).await?;
        let refused = Refused { reason, device: None, topic, detail };
        self.record(self.clock.now(), refused, None, permit).await?;
        self.metrics.count_refusal(reason.word(), sender, detail);
        Ok(())
    }

    /// Counts what a door refused, without a record.
    pub(crate) fn count(&self, refusal: RefusalReason) {
        self.metrics.count_refusal(refusal.word(), "a connection", "");
    }

    /// Records what a door refused and has counted. The device is a claim.
    pub(crate) async fn record_counted(
        &self,
        reason: RefusalReason,
        device: Option<&str>,
        detail: &str,
    ) -> Result<(), NotDurable> {
        let permit = self.admit(detail.len()).await?;
        // What is no hardware id is in the detail all the same.
        let device = device.and_then(|device| HardwareId::new(device).ok());
        let refused = Refused { reason, device, topic: "", detail };
        Ok(self.record(self.clock.now(), refused, None, permit).await?)
    }

    /// A device takes its commands at this door from now on; what waits for it is sent then.
    pub(crate) fn listens(&self, door: &'static str, device: HardwareId) {
        // Others may listen in on a device that there is not.
        if self.devices.row(&device).is_some() {
            self.routes.record_arrival(&device, door);
        }
        self.attention.subscribed(device);
    }

    /// A device was heard: what waits for that is sent, and batches that wait for its answer go on.
    fn hear(&self, Admitted { devices, device, .. }: &Admitted) {
        if !self.devices.is_open(device, None) {
            return;
        }
        if self.definitions.is_mailbox(device) {
            self.attention.heard(device.clone());
        }
        if devices.is_none() && self.definitions.has_batches() {
            self.attention.batches();
        }
    }

    async fn record(
        &self,
        received: SimTime,
        refused: Refused<'_>,
        content: Option<Bytes>,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), IngestError> {
        let (append, durable) = refusal(received, refused, content, permit);
        self.hand_on(&mut vec![append]).await?;
        until_durable(durable).await
    }
}

/// The number of a reading: only these are known before the commit.
fn reading_number(message: &Message) -> Option<Number> {
    message.number.filter(|_| matches!(message.body, MessageBody::Measurements(_)))
}

/// A refusal for the journal.
fn refusal(
    received: SimTime,
    refused: Refused<'_>,
    content: Option<Bytes>,
    permit: OwnedSemaphorePermit,
) -> (Append, Durable) {
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
    };
    appended((Kind::Refusal, payload), delivery, permit)
}

/// An entry for the journal, and what resolves once it is durable.
fn appended(
    (kind, payload): (Kind, Vec<u8>),
    delivery: Delivery,
    permit: OwnedSemaphorePermit,
) -> (Append, Durable) {
    let (done, durable) = oneshot::channel();
    (Append { kind, payload, delivery, permit: Some(permit), done }, durable)
}

/// Resolves once an entry of the journal is durable, or will not be.
type Durable = oneshot::Receiver<Result<(), JournalFailed>>;

/// The sync has no limit in time: whether it happened is only known by waiting for it.
async fn until_durable(durable: Durable) -> Result<(), IngestError> {
    Ok(durable.await.map_err(|_| IngestError::Stopping)??)
}

/// An arrival that is on its way to disk.
struct Begun {
    durable: Durable,
    outcome: Outcome,
}

/// What will have become of an arrival once it is durable.
enum Outcome {
    Stored { door: &'static str, admitted: Vec<Admitted>, count: u64 },
    Refused { reason: RefusalReason, place: String, detail: String },
}

type Judged<T> = Result<T, NotTaken>;

struct NotTaken {
    reason: RefusalReason,
    /// The device, if it is known.
    device: Option<HardwareId>,
    detail: String,
    keeps_content: bool,
}

impl NotTaken {
    fn new(reason: RefusalReason, device: Option<HardwareId>, detail: String) -> Self {
        Self { reason, device, detail, keeps_content: reason.keeps_content() }
    }
}

/// What an input topic states about its messages.
struct Target {
    format: &'static Format,
    bound_to: Option<HardwareId>,
}

struct Read {
    format: &'static Format,
    messages: Vec<Message>,
}

/// What is recorded of a refusal beside its content.
struct Refused<'a> {
    reason: RefusalReason,
    device: Option<HardwareId>,
    topic: &'a str,
    detail: &'a str,
}

/// A device that was let in, of an arrival which is not durable yet.
struct Admitted {
    /// Where it has to be withdrawn from, unless it stays; nowhere if it was not entered.
    devices: Option<Arc<DeviceDirectory>>,
    device: HardwareId,
    number: Option<Number>,
}

impl Admitted {
    /// The arrival is durable.
    fn confirm(mut self) {
        let devices = self.devices.take();
        if let (Some(devices), Some(number)) = (devices, self.number) {
            devices.record_newest(&self.device, number);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(devices) = &self.devices {
            devices.withdraw(&self.device);
        }
    }
}

/// A serial or epoch beyond what the store's signed integers hold.
fn unstorable_number(message: &Message) -> Option<u64> {
    let (epoch, serial) = message.number?;
    [epoch, serial].into_iter().find(|number| i64::try_from(*number).is_err())
}
