//! Sends commands to devices, at least once: what was handed over and never answered is handed
//! over again when its device subscribes again, so nothing relies on a session of the broker.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::invocation::{
    InvocationId, InvocationRow, InvocationState, NewInvocation, StoredInvocation,
};
use lastmeter_model::work::{Change, Changed};
use lastmeter_store::lock;
use lastmeter_store::{StoreError, StoreReader};
use lastmeter_units::{HardwareId, SimDuration, SimTime, TenantName};
use lastmeter_wire::commands::ArgumentError;
use lastmeter_wire::flexmeter::{CommandMessage, Invocation, encode_command};
use tokio::sync::oneshot;

use super::definitions::Definitions;
use crate::clock::Clock;
use crate::config::TENANT;
use crate::device_routes::DeviceRoutes;
use crate::journal::{Journal, JournalStopped};
use crate::metrics::Metrics;
use crate::pipeline::Job;

/// Invocations that are read in one go; with it the memory for them is bounded.
const ROUND_MAX: usize = 100;
/// Why a command failed that somebody called off.
const CANCELLED: &str = "cancelled";

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
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The platform takes nothing more.
    #[error(transparent)]
    Stopped(#[from] JournalStopped),
}

/// Which of a device's invocations are sent. Of a device with a mailbox it is the oldest one, and
/// none before the device is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outstanding {
    /// Those nobody has taken yet.
    Pending,
    /// The same, and the device has a mailbox and has just been heard.
    Next,
    /// Those nobody has answered yet: the device is new here and may have missed them.
    Unanswered,
}

/// Stores invocations and sends them to their devices.
pub(crate) struct Dispatcher {
    pub(super) tenant: TenantName,
    journal: Journal,
    pub(super) devices: Arc<DeviceDirectory>,
    pub(crate) definitions: Definitions,
    readers: Arc<dyn StoreReader>,
    pub(super) clock: Arc<Clock>,
    /// After how many seconds a command expires that states nothing else.
    pub(super) expiry_s: f64,
    metrics: Arc<Metrics>,
    /// Where commands go; nothing is sent as long as no door is open.
    pub(crate) routes: Arc<DeviceRoutes>,
    /// Held while sending, so that no two senders send one invocation.
    sending: tokio::sync::Mutex<()>,
    sent: Mutex<BTreeMap<String, u64>>,
}

impl Dispatcher {
    /// A dispatcher that sends by these routes.
    pub(crate) fn new(
        (tenant, expiry_s): (TenantName, f64),
        journal: Journal,
        (devices, definitions): (Arc<DeviceDirectory>, Definitions),
        (readers, routes): (Arc<dyn StoreReader>, Arc<DeviceRoutes>),
        (clock, metrics): (Arc<Clock>, Arc<Metrics>),
    ) -> Self {
        Self {
            tenant,
            journal,
            devices,
            definitions,
            readers,
            clock,
            expiry_s,
            metrics,
            routes,
            sending: tokio::sync::Mutex::new(()),
            sent: Mutex::new(BTreeMap::new()),
        }
    }

    /// Checks and stores an invocation, then tries to send it. When this returns it is durable.
    pub(crate) async fn invoke(
        &self,
        hardware_id: &HardwareId,
        asked: NewInvocation,
    ) -> Result<StoredInvocation, InvokeError> {
        self.check(hardware_id, &asked.command, &asked.parameters)?;
        let expires = asked.expires;
        let changed = self.change(Change::Invoke(Box::new(asked))).await?;
        let id = changed.invocation.ok_or(JournalStopped)?;
        self.clock.schedule(expires, id);
        self.send(Some(hardware_id), Outstanding::Pending).await?;
        let stored = self.readers.invocation(id).await?;
        stored.ok_or(InvokeError::Stopped(JournalStopped))
    }

    /// Checks that a device has a command, and that arguments fit it.
    pub(crate) fn check(
        &self,
        device: &HardwareId,
        name: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), InvokeError> {
        let Some(command) = self.definitions.find(device, name) else {
            return Err(InvokeError::UnknownCommand {
                name: lastmeter_model::refusal::shortened(name, 80),
                known: self.definitions.names(device),
            });
        };
        command.arguments(parameters)?;
        Ok(())
    }

    /// Ends an invocation that nobody has answered, on somebody's word; the invocation, and whether
    /// it was open until then.
    pub(crate) async fn cancel(
        &self,
        id: InvocationId,
    ) -> Result<Option<(StoredInvocation, bool)>, InvokeError> {
        let now = self.clock.now();
        let changed = self.change(Change::Failed(id, now, CANCELLED.to_owned())).await?;
        Ok(self.readers.invocation(id).await?.map(|stored| (stored, changed.changed)))
    }

    /// Sends what is outstanding, for one device or for all, in the order of (device, id).
    pub(crate) async fn send(
        &self,
        device: Option<&HardwareId>,
        which: Outstanding,
    ) -> Result<(), InvokeError> {
        let _one_at_a_time = self.sending.lock().await;
        let is_due = |row: &InvocationRow| match which {
            Outstanding::Pending | Outstanding::Next => row.state == InvocationState::Pending,
            Outstanding::Unanswered => row.is_open(),
        };
        let most = |device: &HardwareId| match (self.definitions.is_mailbox(device), which) {
            (false, _) => usize::MAX,
            (true, Outstanding::Pending) => 0,
            (true, _) => 1,
        };
        for round in self.devices.oldest_open(device, most).chunks(ROUND_MAX) {
            let ids = round.to_vec();
            let rows = self.readers.invocations(ids).await?;
            for invocation in rows.iter().filter(|one| is_due(&one.row)) {
                self.send_one(invocation).await?;
            }
        }
        Ok(())
    }

    /// What a device has not answered yet, for it to take: with this it is sent.
    pub(crate) async fn collect(&self, device: &HardwareId) -> Result<Vec<Vec<u8>>, InvokeError> {
        let _one_at_a_time = self.sending.lock().await;
        // Further ones come when some of these are answered.
        let most = if self.definitions.is_mailbox(device) { 1 } else { ROUND_MAX };
        let ids = self.devices.oldest_open(Some(device), |_| most);
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.readers.invocations(ids).await?;
        let now = self.clock.now();
        let mut given = Vec::new();
        // But for what has ended meanwhile.
        for row in rows.iter().filter(|one| one.row.is_open()) {
            match self.encode(row) {
                Ok(payload) => {
                    given.push(payload);
                    self.sent(row, now).await?;
                }
                Err(error) => {
                    self.change(Change::Failed(row.row.id, now, error.to_string())).await?;
                }
            }
        }
        Ok(given)
    }

    /// An invocation was handed over.
    async fn sent(&self, one: &StoredInvocation, now: SimTime) -> Result<(), JournalStopped> {
        self.metrics.commands_sent.fetch_add(1, Ordering::Relaxed);
        if one.row.state == InvocationState::Pending {
            self.change(Change::Sent(one.row.id, now)).await?;
        }
        Ok(())
    }

    async fn send_one(&self, invocation: &StoredInvocation) -> Result<(), InvokeError> {
        let Some(way) = self.routes.to(&invocation.hardware_id) else { return Ok(()) };
        let id = invocation.row.id;
        let now = self.clock.now();
        let payload = match self.encode(invocation) {
            Ok(payload) => payload,
            Err(error) => {
                self.change(Change::Failed(id, now, error.to_string())).await?;
                return Ok(());
            }
        };
        match way.send(&invocation.hardware_id, payload).await {
            Ok(0) => {}
            Ok(_) => {
                *lock(&self.sent).entry(invocation.hardware_id.to_string()).or_default() += 1;
                self.sent(invocation, now).await?;
            }
            Err(error) => {
                tracing::warn!(%id, error, "a command could not be sent");
                self.change(Change::Failed(id, now, error)).await?;
            }
        }
        Ok(())
    }

    /// Ends an invocation that nobody answered.
    pub(crate) async fn expire(&self, id: InvocationId, at: SimTime) -> Result<(), JournalStopped> {
        self.change(Change::Expire(id, at)).await.map(drop)
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

    pub(super) async fn change(&self, change: Change) -> Result<Changed, JournalStopped> {
        let (reply, done) = oneshot::channel();
        self.journal.pass(Job::Change(change, reply)).await?;
        done.await.map_err(|_| JournalStopped)
    }

    /// The command as it goes to the device (Flexmeter deliverable, section 4.5.3).
    fn encode(&self, invocation: &StoredInvocation) -> Result<Vec<u8>, InvokeError> {
        let asked = &invocation.row.asked;
        let device = &invocation.hardware_id;
        let command = self.definitions.find(device, &asked.command);
        let command = command.ok_or_else(|| InvokeError::UnknownCommand {
            name: asked.command.clone(),
            known: self.definitions.names(device),
        })?;
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
}
