//! Sends commands to devices, at least once: what was handed over and never answered is handed
//! over again when its device subscribes again, so nothing relies on a session of the broker.
//!
//! The commands of a mailbox wait until their device is heard: then the oldest is handed over, and
//! the next one when that has ended. The mailbox is the set of open invocations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use lastmeter_model::access::Kind;
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::document::Transaction;
use lastmeter_model::facts::DocumentFacts;
use lastmeter_model::invocation::{
    CANCELLED, CAUSES_MAX, InvocationId, InvocationRow, InvocationState, NewInvocation,
    StoredInvocation, causes,
};
use lastmeter_model::work::{Change, Changed};
use lastmeter_store::lock;
use lastmeter_store::{StoreError, StoreReader};
use lastmeter_units::{HardwareId, SimDuration, SimTime, TenantName};
use lastmeter_wire::commands::{ArgumentError, Command};
use lastmeter_wire::flexmeter::{CommandMessage, Invocation, encode_command};
use tokio::sync::oneshot;

use super::Definitions;
use super::batches::Batches;
use super::schedules;
use super::turns::{Queues, Turns};
use crate::attention::Attention;
use crate::clock::{Clock, Timer};
use crate::config::{Limits, TENANT};
use crate::device_routes::{DeviceRoutes, Outbound};
use crate::journal::{Journal, JournalStopped};
use crate::metrics::Metrics;
use crate::pipeline::Job;

/// Invocations that are read in one go; with it the memory for them is bounded.
const ROUND_MAX: usize = 100;

/// Why a command was not taken or sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    /// There is no such command.
    #[error("there is no command `{name}`; there is {known}")]
    UnknownCommand {
        name: String,
        /// Names of all commands there are.
        known: String,
    },
    /// The arguments do not fit.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// It is brought about by too many others.
    #[error("it has {causes} causes, expected at most {CAUSES_MAX}: they may cause each other")]
    TooManyCauses { causes: usize },
    /// A door could not be reached.
    #[error("{0}")]
    Door(String),
    /// The tenant has no room for the documents with it.
    #[error("the tenant has reached its limit of `{0}`")]
    NoRoom(&'static str),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The platform takes nothing more.
    #[error(transparent)]
    Stopped(#[from] JournalStopped),
}

/// Which of a device's invocations are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outstanding {
    /// Those nobody has taken yet.
    Pending,
    /// These, and those that were sent long ago and not answered.
    Overdue,
    /// Those nobody has answered yet: the device is new here and may have missed them.
    Unanswered,
}

/// Stores invocations and sends them to their devices.
pub(crate) struct Dispatcher {
    pub(super) tenant: TenantName,
    journal: Journal,
    pub(super) devices: Arc<DeviceDirectory>,
    pub(super) readers: Arc<dyn StoreReader>,
    pub(crate) definitions: Definitions,
    pub(crate) attention: Arc<Attention>,
    pub(super) clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    pub(super) batches: Batches,
    /// Where commands go; nothing is sent as long as no door is open.
    pub(crate) routes: Arc<DeviceRoutes>,
    turns: Turns,
    queues: Queues,
    /// The last invocation of each device with open ones that was sent: what is before it was too.
    handed: Mutex<BTreeMap<HardwareId, InvocationId>>,
    /// Devices that are sent something again at an instant.
    retries: Mutex<BTreeSet<HardwareId>>,
    retry: Option<SimDuration>,
    /// After how many seconds an invocation expires unless it is given.
    pub(crate) expiry_s: u32,
    sent: Mutex<BTreeMap<String, u64>>,
}

impl Dispatcher {
    /// A dispatcher that sends by these routes.
    pub(crate) fn new(
        (tenant, journal): (TenantName, Journal),
        (devices, readers, routes): (Arc<DeviceDirectory>, Arc<dyn StoreReader>, Arc<DeviceRoutes>),
        (definitions, attention): (Definitions, Arc<Attention>),
        (clock, metrics): (Arc<Clock>, Arc<Metrics>),
        limits: &Limits,
    ) -> Self {
        let retry_s = limits.command_retry_s;
        Self {
            tenant,
            journal,
            batches: Batches::default(),
            devices,
            readers,
            definitions,
            attention,
            clock,
            metrics,
            routes,
            turns: Turns::default(),
            queues: Queues::default(),
            handed: Mutex::default(),
            retries: Mutex::default(),
            retry: (retry_s > 0).then(|| SimDuration::from_seconds(retry_s.into())),
            expiry_s: limits.command_expiry_s,
            sent: Mutex::default(),
        }
    }

    /// What the documents hold about access.
    pub(super) fn facts(&self) -> DocumentFacts<'_> {
        DocumentFacts { documents: &self.definitions.0, devices: &self.devices }
    }

    /// Does what belongs together; when this returns it is durable, and documents that are
    /// resident can be found.
    pub(crate) async fn apply(&self, transaction: Transaction) -> Result<Changed, JournalStopped> {
        let has = |kind| transaction.edits.iter().any(|edit| edit.kind.resource == kind);
        let (has_schedules, has_batches) = (has(Kind::Schedule), has(Kind::Batch));
        let has_notices = has(Kind::Notification);
        let changed = self.change(Change::Apply(Box::new(transaction))).await?;
        if has_schedules {
            schedules::plan(self, SimTime(i64::MIN));
        }
        if has_batches {
            self.look_at_batches();
        }
        if has_notices {
            self.attention.outgoing.notify_one();
        }
        self.attention.documents.notify_one();
        Ok(changed)
    }

    /// Checks that a device has a command, and that arguments fit it; returns the command's token.
    pub(crate) fn check(
        &self,
        device: &HardwareId,
        name: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<String, InvokeError> {
        let Some(command) = self.definitions.find(device, name) else {
            return Err(InvokeError::UnknownCommand {
                name: lastmeter_model::refusal::shortened(name, 80),
                known: self.definitions.names(device),
            });
        };
        command.arguments(parameters)?;
        Ok(command.token)
    }

    /// Checks and stores an invocation, then tries to send it. When this returns it is durable.
    pub(crate) async fn invoke(
        &self,
        hardware_id: &HardwareId,
        mut asked: NewInvocation,
    ) -> Result<StoredInvocation, InvokeError> {
        asked.command = self.check(hardware_id, &asked.command, &asked.parameters)?;
        let causes = causes(&asked.metadata);
        if causes > CAUSES_MAX {
            return Err(InvokeError::TooManyCauses { causes });
        }
        let expires = asked.expires;
        let changed = self.change(Change::Invoke(Box::new(asked))).await?;
        let id = changed.invocation.ok_or(JournalStopped)?;
        self.clock.schedule(expires, Timer::Expire(id));
        if self.is_sent_at_once(hardware_id) {
            self.send(hardware_id, Outstanding::Pending).await?;
        }
        let stored = self.readers.invocation(id).await?;
        stored.ok_or(InvokeError::Stopped(JournalStopped))
    }

    /// Takes note of an invocation that was made in a transaction.
    pub(crate) fn made(&self, device: &HardwareId, id: InvocationId, expires: SimTime) {
        self.clock.schedule(expires, Timer::Expire(id));
        if self.is_sent_at_once(device) {
            self.attention.heard(device.clone());
        }
    }

    /// Whether what is new for a device is sent before it is heard. Who comes for its commands is
    /// always notified: it may be waiting for them.
    fn is_sent_at_once(&self, device: &HardwareId) -> bool {
        let is_polled = self.routes.to(device).is_some_and(|(_, way)| way.is_polled());
        is_polled || !self.definitions.is_mailbox(device)
    }

    /// What of a device may be sent now: of a mailbox only the oldest.
    fn open(&self, device: &HardwareId) -> Vec<InvocationId> {
        let mut open = self.devices.open(Some(device));
        if self.definitions.is_mailbox(device) {
            open.truncate(1);
        }
        open
    }

    /// Sends what is outstanding for a device, in the order of ids.
    pub(crate) async fn send(
        &self,
        device: &HardwareId,
        which: Outstanding,
    ) -> Result<(), InvokeError> {
        let _turn = self.turns.of(device).await;
        let Some((_, way)) = self.routes.to(device) else { return Ok(()) };
        let mut open = self.open(device);
        if open.is_empty() {
            lock(&self.handed).remove(device);
        }
        if which == Outstanding::Pending {
            let handed = lock(&self.handed).get(device).copied();
            open.retain(|id| handed.is_none_or(|handed| *id > handed));
        }
        if way.is_polled() {
            if !open.is_empty() {
                way.send(device, Vec::new()).await.map_err(InvokeError::Door)?;
            }
            return Ok(());
        }
        for round in open.chunks(ROUND_MAX) {
            let rows = self.readers.invocations(round.to_vec()).await?;
            if !self.send_round(&*way, &rows, which).await? {
                break;
            }
        }
        self.retry_later(device);
        Ok(())
    }

    /// Sends some invocations of one device; whether it has taken all of them.
    async fn send_round(
        &self,
        way: &dyn Outbound,
        rows: &[StoredInvocation],
        which: Outstanding,
    ) -> Result<bool, InvokeError> {
        let now = self.clock.now();
        let is_due = |row: &InvocationRow| match (row.state, which) {
            (InvocationState::Pending, _) | (InvocationState::Sent, Outstanding::Unanswered) => {
                true
            }
            (InvocationState::Sent, Outstanding::Overdue) => {
                row.sent.zip(self.retry).is_none_or(|(sent, retry)| sent + retry <= now)
            }
            _ => false,
        };
        let (mut changes, mut is_taken) = (Vec::new(), true);
        for one in rows.iter().filter(|one| is_due(&one.row)) {
            let (id, now) = (one.row.id, self.clock.now());
            let outcome = match self.encode(one) {
                Ok(payload) => way.send(&one.hardware_id, payload).await,
                Err(error) => Err(error.to_string()),
            };
            match outcome {
                // What comes behind it would overtake it.
                Ok(0) => {
                    is_taken = false;
                    break;
                }
                Ok(_) => {
                    self.count_sent(one.hardware_id.as_str());
                    changes.extend(self.hand_over(one, now));
                }
                Err(error) => {
                    tracing::warn!(%id, error, "a command could not be sent");
                    changes.push(Change::Failed(id, now, error));
                }
            }
        }
        self.change_all(changes).await?;
        Ok(is_taken)
    }

    /// What a device has not answered yet, for it to take: with this it is sent.
    pub(crate) async fn collect(&self, device: &HardwareId) -> Result<Vec<Vec<u8>>, InvokeError> {
        let _turn = self.turns.of(device).await;
        // Further ones come when some of these are answered.
        let ids: Vec<InvocationId> = self.open(device).into_iter().take(ROUND_MAX).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.readers.invocations(ids).await?;
        let now = self.clock.now();
        let (mut given, mut changes) = (Vec::new(), Vec::new());
        // But for what has ended meanwhile.
        for row in rows.iter().filter(|one| one.row.is_open()) {
            match self.encode(row) {
                Ok(payload) => {
                    given.push(payload);
                    changes.extend(self.hand_over(row, now));
                }
                Err(error) => changes.push(Change::Failed(row.row.id, now, error.to_string())),
            }
        }
        self.change_all(changes).await?;
        Ok(given)
    }

    /// An invocation was handed over; what there is to store of it.
    fn hand_over(&self, one: &StoredInvocation, now: SimTime) -> Option<Change> {
        self.metrics.commands_sent.fetch_add(1, Ordering::Relaxed);
        let id = one.row.id;
        let mut handed = lock(&self.handed);
        let last = handed.entry(one.hardware_id.clone()).or_insert(id);
        *last = (*last).max(id);
        (one.row.state == InvocationState::Pending).then_some(Change::Sent(id, now))
    }

    /// Has what a device does not answer sent again, one instant for all of it.
    fn retry_later(&self, device: &HardwareId) {
        let Some(retry) = self.retry.filter(|_| self.devices.is_open(device, None)) else { return };
        if lock(&self.handed).contains_key(device) && lock(&self.retries).insert(device.clone()) {
            self.clock.schedule(self.clock.now() + retry, Timer::Retry(device.clone()));
        }
    }

    /// What a device has not answered is sent again; to a mailbox when it is heard.
    pub(crate) async fn retry(&self, device: &HardwareId) -> Result<(), InvokeError> {
        lock(&self.retries).remove(device);
        if self.definitions.is_mailbox(device) {
            lock(&self.handed).remove(device);
            return Ok(());
        }
        self.send(device, Outstanding::Overdue).await
    }

    /// What of a device is sent when it is heard.
    pub(crate) fn when_heard(&self, device: &HardwareId) -> Outstanding {
        let is_again = self.retry.is_some() && !lock(&self.handed).contains_key(device);
        if is_again { Outstanding::Overdue } else { Outstanding::Pending }
    }

    /// Puts devices into the queues of their doors; returns the doors that need a task.
    pub(crate) fn queue(&self, devices: BTreeMap<HardwareId, Outstanding>) -> Vec<&'static str> {
        let mut by_door = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (device, which) in devices {
            let Some((door, _)) = self.routes.to(&device) else { continue };
            by_door.entry(door).or_default().insert(device, which);
        }
        by_door
            .into_iter()
            .filter_map(|(door, of)| self.queues.add((door, of)).then_some(door))
            .collect()
    }

    /// Sends to the devices in the queue of a door until there is none.
    pub(crate) async fn serve(&self, door: &'static str) {
        while let Some((device, which)) = self.queues.next(door) {
            if let Err(error) = self.send(&device, which).await {
                tracing::warn!(%device, %error, "commands could not be sent");
            }
        }
    }

    /// Ends an invocation that nobody answered.
    pub(crate) async fn expire(&self, id: InvocationId, at: SimTime) -> Result<(), JournalStopped> {
        self.change(Change::Expire(id, at)).await?;
        self.look_at_batches();
        Ok(())
    }

    /// Ends invocations of which nobody wants an answer any more; whether each was open.
    pub(crate) async fn cancel(&self, ids: &[InvocationId]) -> Result<Vec<bool>, JournalStopped> {
        let now = self.clock.now();
        let changes = ids.iter().map(|id| Change::Failed(*id, now, CANCELLED.to_owned()));
        let changed = self.change_all(changes.collect()).await?;
        self.look_at_batches();
        Ok(changed.iter().map(|one| one.changed).collect())
    }

    /// Has batches go on, if there are any: some of their commands may have ended.
    pub(crate) fn look_at_batches(&self) {
        if self.definitions.has_batches() {
            self.attention.batches();
        }
    }

    /// A message was sent to a device that is no command of an invocation.
    pub(crate) fn count_sent(&self, device: &str) {
        *lock(&self.sent).entry(device.to_owned()).or_default() += 1;
    }

    /// Messages sent to each device since this was last asked.
    pub(crate) fn take_sent(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *lock(&self.sent))
    }

    /// When an invocation asked for now is created, and when it expires.
    pub(crate) fn lifetime(&self, after_s: f64) -> (SimTime, SimTime) {
        let created = self.clock.now();
        let after = SimDuration::from_seconds_f64(after_s);
        (created, SimTime(created.0.saturating_add(after.0)))
    }

    /// An invocation will never be answered.
    pub(crate) async fn failed(&self, id: InvocationId, why: &str) -> Result<(), JournalStopped> {
        let change = Change::Failed(id, self.clock.now(), why.to_owned());
        self.change(change).await.map(drop)
    }

    async fn change(&self, change: Change) -> Result<Changed, JournalStopped> {
        let changed = self.change_all(vec![change]).await?;
        changed.into_iter().next().ok_or(JournalStopped)
    }

    /// Has changes stored in their order, as one group where the store is free for it.
    async fn change_all(&self, changes: Vec<Change>) -> Result<Vec<Changed>, JournalStopped> {
        let mut waits = Vec::with_capacity(changes.len());
        for change in changes {
            let (reply, done) = oneshot::channel();
            self.journal.pass(Job::Change(change, reply)).await?;
            waits.push(done);
        }
        let mut changed = Vec::with_capacity(waits.len());
        for done in waits {
            changed.push(done.await.map_err(|_| JournalStopped)?);
        }
        Ok(changed)
    }

    /// The command as it goes to the device (Flexmeter deliverable, section 4.5.3).
    fn encode(&self, invocation: &StoredInvocation) -> Result<Vec<u8>, InvokeError> {
        let asked = &invocation.row.asked;
        let find = || self.definitions.find(&invocation.hardware_id, &asked.command);
        let command = find().ok_or_else(|| InvokeError::UnknownCommand {
            name: asked.command.clone(),
            known: self.definitions.names(&invocation.hardware_id),
        })?;
        encode(invocation, &command)
    }
}

/// The command as it goes to the device (Flexmeter deliverable, section 4.5.3).
fn encode(invocation: &StoredInvocation, command: &Command) -> Result<Vec<u8>, InvokeError> {
    let asked = &invocation.row.asked;
    let message = CommandMessage {
        definition: command.definition(),
        invocation: Invocation {
            id: invocation.row.id.to_string(),
            event_type: "CommandInvocation".to_owned(),
            site_token: TENANT.to_owned(),
            device_assignment_token: invocation.assignment.clone(),
            assignment_type: "Unassociated".to_owned(),
            event_date: Some(asked.created),
            received_date: Some(asked.created),
            initiator: asked.initiator.clone(),
            initiator_id: asked.initiator_id.clone(),
            target: "Assignment".to_owned(),
            command_token: asked.command.clone(),
            parameter_values: asked.parameters.clone(),
            status: invocation.row.sitewhere_status().to_owned(),
            metadata: asked.metadata.clone(),
        },
        parameters: command.arguments(&asked.parameters)?,
    };
    let mut payload = Vec::new();
    encode_command(&message, &mut payload);
    Ok(payload)
}
