//! The storing rules: what becomes of each message, refusal and change, decided batch by batch.
//!
//! The only place that knows repetition and conflict, registration, the matching of answers, the
//! order of sequences and what a device's state takes over. It asks a store through [`Known`] and
//! has it write through [`Batch`], within one transaction, so every store keeps the same rules. A
//! batch is stored whole or not at all, together with the journal position that it reaches: so
//! reading the journal again after any stop has the effect of applying each entry exactly once.
//!
//! | file | purpose |
//! |---|---|
//! | `seam` | what is asked of a store, and what it is given to write |
//! | `messages` | readings, alerts and answers |
//! | `numbered` | results and blocks |
//! | `changes` | invocations and their ends |
//! | `documents` | documents, with their audit rows and the answer to who changed them |
//! | `registration` | whether a device may send |
//! | `state` | what a batch changes of the last known state |
//! | `rollups` | which roll-ups are written, and when |
//! | `retention` | what is kept no longer |

mod changes;
mod documents;
mod messages;
mod numbered;
mod registration;
mod retention;
mod rollups;
mod seam;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use documents::{ANSWER_AGE_MAX, ANSWERS_MAX, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX};
use lastmeter_units::{HardwareId, SimTime};
pub use messages::{conflict, is_same_content, unknown_invocation};
pub use registration::{Admission, SETTINGS, admission, admit, is_reserved, specification};
use retention::Kept;
pub use retention::Retention;
use rollups::{Bucket, Buckets};
pub use seam::{
    Batch, Effect, Found, Known, List, NewAlert, NewReading, NewRefusal, NewVersion, Old,
    OldContent, Put, RefusedBytes, STATE_ALERTS_MAX, State,
};
use state::Touched;

use crate::directory::{DeviceDirectory, device_row};
use crate::document::{Document, Key};
use crate::documents::Documents;
use crate::invocation::InvocationId;
use crate::message::{Message, MessageBody, Number};
use crate::refusal::{RefusalReason, RefusalRecord};
use crate::row::DeviceRow;
use crate::standing::Standing;
use crate::work::{Body, Changed, Delivery, Work};

/// What a batch did; counted only once it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Readings stored.
    pub stored: u64,
    /// Of these, those without a serial.
    pub without_serial: u64,
    /// Messages stored before, with the same content.
    pub repetitions: u64,
    /// Alerts stored.
    pub alerts: u64,
    /// Answers to commands that had ended.
    pub late_acknowledgements: u64,
    /// What was refused here, at the commit, and of which device.
    pub refused: Vec<(RefusalReason, HardwareId)>,
    /// Refusals whose content there was no room for.
    pub content_not_kept: u64,
    /// Of these, those of devices that have had their share of the room.
    pub beyond_share: u64,
    /// Answers to the batch's changes, in their order.
    pub changes: Vec<Changed>,
    /// Where the store stands after it.
    pub standing: Standing,
}

/// The part of the room for refused content that one device may fill is one in so many, so that
/// none keeps that of the others out.
pub const REFUSED_SHARES: u64 = 16;

/// Done, or refused with the reason and what was found.
type Judged<T> = Result<T, (RefusalReason, String)>;

/// Decides what a store writes, and remembers what makes asking it needless.
pub struct Decider {
    tenant: String,
    devices: Arc<DeviceDirectory>,
    documents: Arc<Documents>,
    refused_bytes_max: u64,
    /// Bytes of refused content that are kept, by the device that was claimed; not asked for yet.
    refused_of: Option<RefusedBytes>,
    standing: Standing,
    /// The last number of each device that was stored since the start.
    newest: BTreeMap<i64, Number>,
    /// The last bucket of some devices.
    last_buckets: BTreeMap<i64, Bucket>,
    kept: Kept,
}

/// What was decided of a batch: thrown away if the batch fails, else given to [`Decider::accept`].
#[derive(Default)]
pub struct Decided {
    outcome: Outcome,
    new_devices: BTreeMap<HardwareId, i64>,
    /// Rows of devices that are new or other ones than before.
    devices: BTreeMap<i64, DeviceRow>,
    /// Invocations that were opened or ended.
    opened: Vec<(i64, InvocationId, bool)>,
    newest: BTreeMap<i64, Number>,
    /// What the store had before, where it was asked for, and what has come to it.
    refused_of: (Option<RefusedBytes>, RefusedBytes),
    /// Documents that are other ones than before, and their keys.
    documents: Vec<(Document, Vec<Key>)>,
    buckets: Buckets,
    /// Of a removal: what it has looked at, and numbers that are not there any more.
    kept: Option<Kept>,
    removed: BTreeMap<(i64, u64), u64>,
}

impl Decided {
    /// What the batch does once it is committed.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

impl Decider {
    /// A decider for a store that stands there, with room for so many bytes of refused content.
    pub fn new(
        tenant: &str,
        devices: Arc<DeviceDirectory>,
        standing: Standing,
        refused_bytes_max: u64,
    ) -> Self {
        Self {
            tenant: tenant.to_owned(),
            devices,
            documents: Arc::default(),
            refused_bytes_max,
            refused_of: None,
            standing,
            newest: BTreeMap::new(),
            last_buckets: BTreeMap::new(),
            kept: Kept::default(),
        }
    }

    /// The same with the directory that holds all resident documents of the store.
    #[must_use]
    pub fn with_documents(self, documents: Arc<Documents>) -> Self {
        Self { documents, ..self }
    }

    /// Where the store stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Moves the driven clock of where the store stands; written with the next batch.
    pub fn move_clock(&mut self, now: SimTime) {
        self.standing.clock_ns = Some(now.as_nanoseconds());
    }

    /// Decides a batch and has it written, all but its commit.
    ///
    /// # Errors
    /// If the store cannot be read or written; nothing is decided then.
    pub fn decide<'w, B: Batch + ?Sized>(
        &self,
        work: impl IntoIterator<Item = Work<'w>>,
        batch: &mut B,
        now: SimTime,
    ) -> Result<Decided, B::Error> {
        let mut deciding = self.deciding(batch, now);
        // Whoever applies keeps a head beside the store.
        deciding.standing().is_guarded = true;
        for one in work {
            match one {
                Work::Delivery(delivery) => deciding.deliver(delivery)?,
                Work::Change(change) => {
                    let changed = deciding.change(change)?;
                    deciding.standing().changes += 1;
                    deciding.so_far.outcome.changes.push(changed);
                }
                Work::Settle { committed, changes } => {
                    let standing = deciding.standing();
                    standing.journal_committed = standing.journal_committed.max(committed);
                    standing.changes = standing.changes.max(changes);
                }
            }
        }
        deciding.update_states()?;
        deciding.write_rollups()?;
        Ok(deciding.so_far)
    }

    fn deciding<'a, B: Batch + ?Sized>(
        &'a self,
        batch: &'a mut B,
        commit: SimTime,
    ) -> Deciding<'a, B> {
        let mut so_far = Decided::default();
        so_far.outcome.standing = self.standing;
        let (touched, values) = (BTreeMap::new(), Vec::new());
        Deciding { decider: self, batch, so_far, touched, values, commit }
    }

    /// Takes over a batch that has been committed.
    pub fn accept(&mut self, decided: Decided) -> Outcome {
        let Decided { outcome, devices, opened, mut newest, documents, .. } = decided;
        self.kept = decided.kept.unwrap_or(self.kept.behind(&self.standing, &outcome.standing));
        let (asked, added) = decided.refused_of;
        if outcome.standing.refused_bytes < self.standing.refused_bytes {
            self.refused_of = None;
        } else if let Some(refused_of) = asked.or(self.refused_of.take()) {
            let of = self.refused_of.insert(refused_of);
            for (device, bytes) in added {
                *of.entry(device).or_default() += bytes;
            }
        }
        self.standing = outcome.standing;
        self.newest.append(&mut newest);
        for ((device, epoch), serial) in decided.removed {
            // What was removed must not seem to be new.
            if let Some(newest) = self.newest.get_mut(&device).filter(|one| one.0 == epoch) {
                newest.1 = newest.1.max(serial);
            }
        }
        decided.buckets.keep_in(&mut self.last_buckets);
        for device in devices.into_values() {
            self.devices.enter(device);
        }
        for (device, id, is_open) in opened {
            self.devices.set_open(device, id, is_open);
        }
        self.documents.enter(documents);
        outcome
    }
}

/// A batch while it is decided.
struct Deciding<'a, B: ?Sized> {
    decider: &'a Decider,
    batch: &'a mut B,
    so_far: Decided,
    touched: BTreeMap<i64, Touched>,
    /// Values of the reading at hand.
    values: Vec<(u16, f64)>,
    commit: SimTime,
}

impl<B: Batch + ?Sized> Deciding<'_, B> {
    fn standing(&mut self) -> &mut Standing {
        &mut self.so_far.outcome.standing
    }

    fn deliver(&mut self, delivery: &Delivery) -> Result<(), B::Error> {
        if delivery.sequence <= self.standing().journal_committed {
            return Ok(());
        }
        self.standing().journal_committed = delivery.sequence;
        let messages = match &delivery.body {
            Body::Refusal(record) => return self.refuse(record, delivery.received),
            Body::Messages(messages) => messages,
        };
        for (index, message) in messages.iter().enumerate() {
            let Err((reason, detail)) = self.store(message, delivery)? else { continue };
            let detail = match messages.len() {
                1 => detail,
                all => format!("message {} of {all} in this batch: {detail}", index + 1),
            };
            let record = RefusalRecord {
                reason: reason.word().to_owned(),
                device: Some(message.device.clone()),
                topic: delivery.topic.clone(),
                detail,
                // It was acknowledged as taken: nobody else has it any more.
                content: Some(delivery.content.clone()),
            };
            self.so_far.outcome.refused.push((reason, message.device.clone()));
            self.refuse(&record, delivery.received)?;
        }
        Ok(())
    }

    /// Stores one message, or judges that it cannot be.
    fn store(&mut self, message: &Message, delivery: &Delivery) -> Result<Judged<()>, B::Error> {
        match &message.body {
            MessageBody::Measurements(values) => self.measurements((message, values), delivery),
            MessageBody::Alert { kind, level, text } => {
                self.alert(message, [kind.as_str(), level, text.as_str()], delivery)
            }
            MessageBody::Acknowledgement { invocation, response } => {
                self.acknowledge(message, (invocation, response), delivery)
            }
            MessageBody::Result { .. } | MessageBody::Block { .. } => {
                self.numbered(message, delivery)
            }
            MessageBody::Registration => {
                let device = self.device(message, delivery.received)?;
                self.touch(device, delivery.received);
                Ok(Ok(()))
            }
        }
    }

    fn refuse(&mut self, record: &RefusalRecord, received: SimTime) -> Result<(), B::Error> {
        let content_bytes = record.content.as_ref().map(|content| content.len() as u64);
        let is_kept = match content_bytes {
            Some(bytes) => self.keeps(record.device.as_ref(), bytes)?,
            None => false,
        };
        let content = record.content.as_deref().filter(|_| is_kept);
        let outcome = &mut self.so_far.outcome;
        outcome.standing.refusals += 1;
        let refusal = NewRefusal {
            sequence: outcome.standing.refusals,
            reason: &record.reason,
            device: record.device.as_ref().map(HardwareId::as_str),
            topic: &record.topic,
            detail: &record.detail,
            received,
            content,
            content_bytes,
        };
        self.batch.put(Effect::Refusal(refusal)).map(drop)
    }

    /// Whether so many bytes of content that was refused of a device are kept.
    fn keeps(&mut self, device: Option<&HardwareId>, bytes: u64) -> Result<bool, B::Error> {
        let device = device.map(ToString::to_string);
        let (asked, added) = &mut self.so_far.refused_of;
        let before = match (asked.as_ref(), &self.decider.refused_of) {
            (Some(known), _) | (None, Some(known)) => known,
            (None, None) => &*asked.insert(self.batch.refused_bytes()?),
        };
        let of_device = |of: &RefusedBytes| of.get(&device).copied().unwrap_or(0);
        let has_share = of_device(before) + of_device(added) + bytes
            <= self.decider.refused_bytes_max / REFUSED_SHARES;
        let outcome = &mut self.so_far.outcome;
        let after = outcome.standing.refused_bytes + bytes;
        let is_kept = has_share && after <= self.decider.refused_bytes_max;
        if is_kept {
            outcome.standing.refused_bytes = after;
            *added.entry(device).or_default() += bytes;
        } else {
            outcome.content_not_kept += 1;
            outcome.beyond_share += u64::from(!has_share);
        }
        Ok(is_kept)
    }

    /// The row of a device, made with it if it is new here. The door has seen to their number.
    fn device(&mut self, message: &Message, received: SimTime) -> Result<i64, B::Error> {
        if let Some(id) = self.row(&message.device) {
            return Ok(id);
        }
        let standing = self.standing();
        standing.devices += 1;
        let id = standing.devices.cast_signed();
        if standing.rolled_up + 1 == standing.devices {
            // It has nothing from before there were roll-ups.
            standing.rolled_up += 1;
        }
        let hardware_id = message.device.clone();
        let device = device_row(&self.decider.tenant, (id, hardware_id), received, 0, 0);
        self.batch.put(Effect::Device(&device))?;
        self.so_far.new_devices.insert(device.hardware_id.clone(), id);
        self.so_far.devices.insert(id, device);
        Ok(id)
    }

    /// The row of a device that there is.
    fn row(&self, hardware_id: &HardwareId) -> Option<i64> {
        let known = self.decider.devices.row(hardware_id);
        known.or_else(|| self.so_far.new_devices.get(hardware_id).copied())
    }

    /// A device as it stands.
    fn device_of(&self, row: i64) -> Option<DeviceRow> {
        self.so_far.devices.get(&row).cloned().or_else(|| self.decider.devices.device(row))
    }

    /// The last number that is known to be stored of a device.
    fn newest(&self, device: i64) -> Option<Number> {
        self.so_far.newest.get(&device).or_else(|| self.decider.newest.get(&device)).copied()
    }
}
