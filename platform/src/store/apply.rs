//! Applying a batch of jobs in one transaction: the only place that changes the store.
//!
//! A batch is applied whole or not at all, together with the journal position it reaches, so that
//! replaying the journal after any stop has the effect of applying each entry exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastmeter_units::{HardwareId, SimTime};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction};

use super::invocations;
use super::read::{ReadContext, STATE, STATE_COLUMNS};
use super::schema::Opened;
use super::seal::{ReadError, ReadResult, check_row, number, text, write_row};
use super::tables::write_checkpoint;
use super::{DeviceRow, StoreCheckpoint, StoreError, StoreResult, content, tally};
use crate::clock::Clock;
use crate::commands::{InvocationId, InvocationRow, InvocationState, NewInvocation};
use crate::device_directory::device_row;
use crate::losses::LossKind;
use crate::message::{Message, MessageBody, Number};
use crate::pipeline::{Body, Change, Changed, Delivery, Job};
use crate::refusal::{RefusalReason, RefusalRecord};

/// What a batch did; counted only once it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) stored: u64,
    /// Readings stored without a serial.
    pub(crate) without_serial: u64,
    /// Messages stored before, with the same content.
    pub(crate) repetitions: u64,
    pub(crate) alerts: u64,
    /// Answers to commands that had ended.
    pub(crate) late_acknowledgements: u64,
    /// What was refused here, at the commit, and of which device.
    pub(crate) refused: Vec<(RefusalReason, HardwareId)>,
    /// Refusals whose content there was no room for.
    pub(crate) content_not_kept: u64,
    /// Answers to the batch's changes, in their order.
    pub(crate) changes: Vec<Changed>,
    pub(crate) checkpoint: StoreCheckpoint,
}

/// Done, or refused with the reason and what was found.
pub(super) type Judged<T> = Result<T, (RefusalReason, String)>;

/// The writing end of the store.
pub(crate) struct Writer {
    connection: Connection,
    context: ReadContext,
    clock: Arc<Clock>,
    refused_bytes_max: u64,
    checkpoint: StoreCheckpoint,
    /// The last number of each device that was stored since the start.
    newest: BTreeMap<i64, Number>,
}

/// What a batch has gathered so far; thrown away if the batch fails.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) outcome: Outcome,
    pub(super) new_devices: BTreeMap<HardwareId, i64>,
    /// Rows of `device` that are new or other ones than before.
    devices: BTreeMap<i64, DeviceRow>,
    /// Invocations that were opened or ended.
    opened: Vec<(i64, InvocationId, bool)>,
    touched: BTreeMap<i64, Touched>,
    /// Readings by device and minute.
    pub(super) tallies: BTreeMap<(i64, i64), u64>,
    pub(super) newest: BTreeMap<i64, Number>,
    pub(super) content: Vec<u8>,
    pub(super) commit_ns: i64,
}

/// What a batch changes of a device's state.
#[derive(Default)]
pub(super) struct Touched {
    last_interaction_ns: i64,
    /// Quantities of which there is any value.
    quantities: BTreeSet<u16>,
    /// Last values, of messages that asked for it.
    values: BTreeMap<u16, (i64, f64)>,
    /// Alerts that asked to be in the state, newest last.
    pub(super) alerts: Vec<i64>,
}

impl Writer {
    /// Takes over an opened store, with room for so many bytes of refused content.
    pub(crate) fn new(
        opened: Opened,
        context: ReadContext,
        clock: Arc<Clock>,
        refused_bytes_max: u64,
    ) -> Self {
        let Opened { connection, checkpoint, .. } = opened;
        Self { connection, context, clock, refused_bytes_max, checkpoint, newest: BTreeMap::new() }
    }

    pub(crate) fn checkpoint(&self) -> &StoreCheckpoint {
        &self.checkpoint
    }

    pub(crate) fn now(&self) -> SimTime {
        self.clock.now()
    }

    /// Applies a batch in one transaction. On an error nothing has changed.
    pub(crate) fn apply(&mut self, jobs: &[Job]) -> StoreResult<Outcome> {
        let mut batch = Batch { commit_ns: self.clock.now().as_nanoseconds(), ..Batch::default() };
        // Whoever applies keeps a head beside the store.
        batch.outcome.checkpoint = StoreCheckpoint { is_guarded: true, ..self.checkpoint };
        let transaction =
            self.connection.transaction().map_err(StoreError::doing("begin a transaction"))?;
        let applier = Applier {
            transaction: &transaction,
            context: &self.context,
            newest: &self.newest,
            refused_bytes_max: self.refused_bytes_max,
        };
        applier.apply_all(jobs, &mut batch).map_err(StoreError::doing("store a batch"))?;
        transaction.commit().map_err(StoreError::doing("commit a batch"))?;
        self.checkpoint = batch.outcome.checkpoint;
        self.newest.append(&mut batch.newest);
        let devices = &self.context.devices;
        for device in batch.devices.into_values() {
            devices.enter(device);
        }
        for (device, id, is_open) in batch.opened {
            devices.set_open(device, id, is_open);
        }
        Ok(batch.outcome)
    }
}

/// What applying needs and does not change.
pub(super) struct Applier<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) context: &'a ReadContext,
    newest: &'a BTreeMap<i64, Number>,
    refused_bytes_max: u64,
}

impl Applier<'_> {
    fn apply_all(&self, jobs: &[Job], batch: &mut Batch) -> rusqlite::Result<()> {
        for job in jobs {
            match job {
                Job::Delivery(delivery) => self.deliver(delivery, batch)?,
                Job::Change(change, _) => {
                    let changed = self.change(change, batch)?;
                    batch.outcome.checkpoint.changes += 1;
                    batch.outcome.changes.push(changed);
                }
                Job::Settle { committed, changes } => {
                    let checkpoint = &mut batch.outcome.checkpoint;
                    checkpoint.journal_committed = checkpoint.journal_committed.max(*committed);
                    checkpoint.changes = checkpoint.changes.max(*changes);
                }
                Job::Barrier(_) => {}
            }
        }
        tally::add(self.transaction, &batch.tallies, |damage| self.context.report(&damage))?;
        self.update_states(batch)?;
        write_checkpoint(self.transaction, &batch.outcome.checkpoint)
    }

    fn deliver(&self, delivery: &Delivery, batch: &mut Batch) -> rusqlite::Result<()> {
        if delivery.sequence <= batch.outcome.checkpoint.journal_committed {
            return Ok(());
        }
        batch.outcome.checkpoint.journal_committed = delivery.sequence;
        let messages = match &delivery.body {
            Body::Refusal(record) => {
                return self.insert_refusal(record, delivery.received, batch);
            }
            Body::Messages(messages) => messages,
        };
        for (index, message) in messages.iter().enumerate() {
            let Err((reason, detail)) = self.store(message, delivery, batch)? else { continue };
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
            batch.outcome.refused.push((reason, message.device.clone()));
            self.insert_refusal(&record, delivery.received, batch)?;
        }
        Ok(())
    }

    /// Stores one message, or judges that it cannot be.
    fn store(
        &self,
        message: &Message,
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<()>> {
        match &message.body {
            MessageBody::Measurements(values) => {
                self.measurements((message, values), delivery, batch)
            }
            MessageBody::Alert { kind, level, text } => {
                self.alert(message, [kind.as_str(), level, text.as_str()], delivery, batch)
            }
            MessageBody::Acknowledgement { invocation, response } => {
                self.acknowledge(message, (invocation, response), delivery, batch)
            }
            MessageBody::Registration => {
                let device = self.device(message, delivery.received, batch)?;
                batch.touch(device, delivery.received);
                Ok(Ok(()))
            }
        }
    }

    fn insert_refusal(
        &self,
        record: &RefusalRecord,
        received: SimTime,
        batch: &mut Batch,
    ) -> rusqlite::Result<()> {
        let checkpoint = &mut batch.outcome.checkpoint;
        checkpoint.refusals += 1;
        let bytes = record.content.as_ref().map(|content| content.len() as u64);
        let after = checkpoint.refused_bytes + bytes.unwrap_or(0);
        let content = record.content.as_ref().filter(|_| after <= self.refused_bytes_max);
        if content.is_some() {
            checkpoint.refused_bytes = after;
        } else if bytes.is_some() {
            batch.outcome.content_not_kept += 1;
            self.report_full();
        }
        let row = [
            ValueRef::Integer(checkpoint.refusals.cast_signed()),
            text(&record.reason),
            record.device.as_ref().map_or(ValueRef::Null, |device| text(device.as_str())),
            text(&record.topic),
            text(&record.detail),
            ValueRef::Integer(received.as_nanoseconds()),
            content.map_or(ValueRef::Null, |content| ValueRef::Blob(content)),
            number(bytes.map(u64::cast_signed)),
        ];
        let mut statement = self
            .transaction
            .prepare_cached("INSERT INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
        write_row(&mut statement, "refusal", &row).map(|_| ())
    }

    fn report_full(&self) {
        let detail = format!(
            "refused readings whose content would be lost have filled the {} bytes there are for \
             them (`limits.refused_content_bytes`); of further ones only the reason is kept",
            self.refused_bytes_max
        );
        self.context.losses.note(LossKind::ContentNotKept, "refusals", &detail);
    }

    fn change(&self, change: &Change, batch: &mut Batch) -> rusqlite::Result<Changed> {
        match change {
            Change::Invoke(asked) => self.invoke(asked, batch),
            // The device's answer may have been faster than this note.
            Change::Sent(id, at) => self.edit(*id, batch, |row| {
                row.sent = row.sent.or(Some(*at));
                if row.state == InvocationState::Pending {
                    row.state = InvocationState::Sent;
                }
                true
            }),
            Change::Failed(id, at, detail) => self.edit(*id, batch, |row| {
                if !row.is_open() {
                    return false;
                }
                row.asked.metadata.insert("failure".to_owned(), detail.clone());
                (row.state, row.ended) = (InvocationState::Failed, Some(*at));
                true
            }),
            Change::Expire(id, at) => self.edit(*id, batch, |row| {
                if !row.is_open() {
                    return false;
                }
                (row.state, row.ended) = (InvocationState::Expired, Some(*at));
                true
            }),
            Change::Clock(now) => {
                batch.outcome.checkpoint.clock_ns = Some(now.as_nanoseconds());
                Ok(Changed { invocation: None, changed: true })
            }
        }
    }

    fn invoke(&self, asked: &NewInvocation, batch: &mut Batch) -> rusqlite::Result<Changed> {
        let known = batch.devices.get(&asked.device).cloned();
        let Some(mut device) = known.or_else(|| self.context.devices.device(asked.device)) else {
            return Ok(Changed::default());
        };
        let checkpoint = &mut batch.outcome.checkpoint;
        checkpoint.invocations += 1;
        checkpoint.open += 1;
        let id = InvocationId(checkpoint.invocations.cast_signed());
        let row = InvocationRow {
            id,
            asked: asked.clone(),
            state: InvocationState::Pending,
            sent: None,
            ended: None,
            response: None,
            previous: device.last_command,
        };
        invocations::write(self.transaction, &row)?;
        device.commands += 1;
        device.last_command = id.0;
        self.write_device(&device)?;
        batch.devices.insert(device.id, device);
        batch.opened.push((asked.device, id, true));
        Ok(Changed { invocation: Some(id), changed: true })
    }

    /// Changes an invocation, if it is there; `edit` returns whether anything is different.
    pub(super) fn edit(
        &self,
        id: InvocationId,
        batch: &mut Batch,
        edit: impl FnOnce(&mut InvocationRow) -> bool,
    ) -> rusqlite::Result<Changed> {
        let found = self.sound(invocations::find(self.transaction, id))?.flatten();
        let Some(mut row) = found else { return Ok(Changed::default()) };
        let was_open = row.is_open();
        if !edit(&mut row) {
            return Ok(Changed::default());
        }
        invocations::write(self.transaction, &row)?;
        if was_open && !row.is_open() {
            batch.outcome.checkpoint.open -= 1;
            batch.opened.push((row.asked.device, id, false));
        }
        Ok(Changed { invocation: None, changed: true })
    }

    /// What was read, or `None` if it is damaged: that is reported, and nothing is made of it.
    pub(super) fn sound<T>(&self, read: ReadResult<T>) -> rusqlite::Result<Option<T>> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(ReadError::Damaged(damage)) => {
                self.context.report(&damage);
                Ok(None)
            }
            Err(ReadError::Sqlite(error)) => Err(error),
        }
    }

    /// The row of a device, made with it if it is new here. The door has seen to their number.
    pub(super) fn device(
        &self,
        message: &Message,
        received: SimTime,
        batch: &mut Batch,
    ) -> rusqlite::Result<i64> {
        let hardware_id = &message.device;
        let known = self.context.devices.row(hardware_id);
        if let Some(id) = known.or_else(|| batch.new_devices.get(hardware_id).copied()) {
            return Ok(id);
        }
        let checkpoint = &mut batch.outcome.checkpoint;
        checkpoint.devices += 1;
        let id = checkpoint.devices.cast_signed();
        let device = device_row(message.tenant, (id, hardware_id.clone()), received, 0, 0);
        self.write_device(&device)?;
        batch.devices.insert(id, device);
        batch.new_devices.insert(hardware_id.clone(), id);
        Ok(id)
    }

    fn write_device(&self, device: &DeviceRow) -> rusqlite::Result<()> {
        let row = [
            ValueRef::Integer(device.id),
            text(device.hardware_id.as_str()),
            ValueRef::Integer(device.created.as_nanoseconds()),
            ValueRef::Integer(device.commands.cast_signed()),
            ValueRef::Integer(device.last_command),
        ];
        let mut statement = self
            .transaction
            .prepare_cached("INSERT OR REPLACE INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        write_row(&mut statement, "device", &row).map(|_| ())
    }

    /// The last number that is known to be stored of a device.
    pub(super) fn newest(&self, device: i64, batch: &Batch) -> Option<Number> {
        batch.newest.get(&device).or_else(|| self.newest.get(&device)).copied()
    }

    fn update_states(&self, batch: &Batch) -> rusqlite::Result<()> {
        let mut read = self.transaction.prepare_cached(STATE)?;
        let mut write = self
            .transaction
            .prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for (device, touched) in &batch.touched {
            let mut rows = read.query([device])?;
            let stored = match rows.next()? {
                None => Ok(None),
                Some(row) => check_row("state", row, STATE_COLUMNS)
                    .and_then(|()| Ok(Some((row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))),
            };
            drop(rows);
            // As it is it will go on being noticed; what was made of it would not.
            let Some(stored) = self.sound(stored)? else { continue };
            let (last_ns, quantities, stored, alerts): (i64, Vec<u8>, Vec<u8>, Vec<u8>) =
                stored.unwrap_or_default();
            let mut merged = Touched {
                last_interaction_ns: last_ns.max(touched.last_interaction_ns),
                quantities: content::decode_quantities(&quantities),
                ..Touched::default()
            };
            merged.quantities.extend(&touched.quantities);
            for (quantity, event_ns, value) in content::decode_state(&stored) {
                merged.offer(quantity, event_ns, value);
            }
            for (quantity, (event_ns, value)) in &touched.values {
                merged.offer(*quantity, *event_ns, *value);
            }
            let newest_first = touched.alerts.iter().rev().copied();
            merged.alerts = newest_first.chain(content::decode_alerts(&alerts)).collect();
            merged.write(*device, &mut write)?;
        }
        Ok(())
    }
}

impl Batch {
    pub(super) fn touch(&mut self, device: i64, received: SimTime) -> &mut Touched {
        let touched = self.touched.entry(device).or_default();
        touched.last_interaction_ns = touched.last_interaction_ns.max(received.as_nanoseconds());
        touched
    }
}

impl Touched {
    /// Notes that there is a value of a quantity.
    pub(super) fn know(&mut self, quantity: u16) {
        self.quantities.insert(quantity);
    }

    /// Takes a value over unless a later one is known: a repetition that comes late does not turn
    /// the state back.
    pub(super) fn offer(&mut self, quantity: u16, event_ns: i64, value: f64) {
        let known = self.values.get(&quantity);
        if known.is_none_or(|(known_ns, _)| *known_ns <= event_ns) {
            self.values.insert(quantity, (event_ns, value));
        }
    }

    fn write(&self, device: i64, statement: &mut rusqlite::Statement<'_>) -> rusqlite::Result<()> {
        let quantities = content::encode_quantities(&self.quantities);
        let values = content::encode_state(self.values.iter().map(|(q, (ns, v))| (*q, *ns, *v)));
        let alerts = content::encode_alerts(&self.alerts);
        let row = [
            ValueRef::Integer(device),
            ValueRef::Integer(self.last_interaction_ns),
            ValueRef::Blob(&quantities),
            ValueRef::Blob(&values),
            ValueRef::Blob(&alerts),
        ];
        write_row(statement, "state", &row).map(|_| ())
    }
}
