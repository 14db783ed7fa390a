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
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::commands::{self, ArgumentError};
use lastmeter_wire::flexmeter::{CommandMessage, Invocation, encode_command};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::config::TENANT;
use crate::device_routes::DeviceRoutes;
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
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The platform takes nothing more.
    #[error(transparent)]
    Stopped(#[from] JournalStopped),
}

/// Which of a device's invocations are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outstanding {
    /// Those nobody has taken yet.
    Pending,
    /// Those nobody has answered yet: the device is new here and may have missed them.
    Unanswered,
}

/// Stores invocations and sends them to their devices.
pub(crate) struct Dispatcher {
    journal: Journal,
    devices: Arc<DeviceDirectory>,
    readers: Arc<dyn StoreReader>,
    clock: Arc<Clock>,
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
        journal: Journal,
        (devices, readers, routes): (Arc<DeviceDirectory>, Arc<dyn StoreReader>, Arc<DeviceRoutes>),
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            journal,
            devices,
            readers,
            clock,
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
        let Some(kind) = commands::find(&asked.command) else {
            return Err(InvokeError::UnknownCommand {
                name: lastmeter_model::refusal::shortened(&asked.command, 80),
                known: commands::names(),
            });
        };
        kind.arguments(&asked.parameters)?;
        let expires = asked.expires;
        let changed = self.change(Change::Invoke(Box::new(asked))).await?;
        let id = changed.invocation.ok_or(JournalStopped)?;
        self.clock.schedule(expires, id);
        self.send(Some(hardware_id), Outstanding::Pending).await?;
        let stored = self.readers.invocation(id).await?;
        stored.ok_or(InvokeError::Stopped(JournalStopped))
    }

    /// Sends what is outstanding, for one device or for all, in the order of (device, id).
    pub(crate) async fn send(
        &self,
        device: Option<&HardwareId>,
        which: Outstanding,
    ) -> Result<(), InvokeError> {
        let _one_at_a_time = self.sending.lock().await;
        let is_due = |row: &InvocationRow| match which {
            Outstanding::Pending => row.state == InvocationState::Pending,
            Outstanding::Unanswered => row.is_open(),
        };
        for round in self.devices.open(device).chunks(ROUND_MAX) {
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
        let open = self.devices.open(Some(device));
        // Further ones come when some of these are answered.
        let ids: Vec<InvocationId> = open.into_iter().take(ROUND_MAX).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.readers.invocations(ids).await?;
        let now = self.clock.now();
        let mut given = Vec::new();
        // But for what has ended meanwhile.
        for row in rows.iter().filter(|one| one.row.is_open()) {
            match encode(row) {
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
        let payload = match encode(invocation) {
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

    async fn change(&self, change: Change) -> Result<Changed, JournalStopped> {
        let (reply, done) = oneshot::channel();
        self.journal.pass(Job::Change(change, reply)).await?;
        done.await.map_err(|_| JournalStopped)
    }
}

/// The command as it goes to the device (Flexmeter deliverable, section 4.5.3).
fn encode(invocation: &StoredInvocation) -> Result<Vec<u8>, InvokeError> {
    let asked = &invocation.row.asked;
    let kind = commands::find(&asked.command).ok_or_else(|| InvokeError::UnknownCommand {
        name: asked.command.clone(),
        known: "no such command in this version".to_owned(),
    })?;
    let message = CommandMessage {
        definition: kind.definition(),
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
        parameters: kind.arguments(&asked.parameters)?,
    };
    let mut payload = Vec::new();
    encode_command(&message, &mut payload);
    Ok(payload)
}
