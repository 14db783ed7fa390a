//! What each kind of message does to the store, within a batch's transaction: stored, or refused
//! as a repetition or a conflict.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, MeasurementId};
use rusqlite::types::ValueRef;

use super::apply::{Applier, Batch, Judged};
use super::read::Names;
use super::seal::{Damage, ReadResult, number, text, write_row};
use super::{ReadingRow, content, invocations, read, tally};
use crate::commands::{InvocationId, InvocationState};
use crate::message::{Message, MessageBody, Number};
use crate::pipeline::Delivery;
use crate::refusal::RefusalReason;

/// The detail of the refusal of a number that was stored with other content.
pub(crate) fn conflict((epoch, serial): Number) -> String {
    format!(
        "epoch {epoch}, serial {serial} has been stored with other content; a device that restarts \
         its count has to change its epoch"
    )
}

/// Whether a stored reading has the content of a message of its number. A message without a
/// date gets a new one each time it is sent: only its being undated is compared.
pub(crate) fn is_same_content(row: &ReadingRow, message: &Message) -> bool {
    let MessageBody::Measurements(values) = &message.body else { return false };
    let bits = |values: &mut Vec<(&str, u64)>| values.sort_unstable();
    let mut stored: Vec<(&str, u64)> =
        row.values.iter().map(|(name, value)| (&**name, value.to_bits())).collect();
    let mut sent: Vec<(&str, u64)> =
        values.iter().map(|(id, value)| (id.name(), value.to_bits())).collect();
    bits(&mut stored);
    bits(&mut sent);
    row.is_dated.then_some(row.event) == message.event
        && row.updates_state == message.updates_state
        && row.extra == extra(message.originator.as_deref(), &message.metadata)
        && stored == sent
}

impl Applier<'_> {
    /// Stores a reading, unless its number shows that it is there already.
    pub(super) fn measurements(
        &self,
        (message, values): (&Message, &[(MeasurementId, f64)]),
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<()>> {
        let device = self.device(message, delivery.received, batch)?;
        let numbered = message.number;
        if let Some(numbered) = numbered {
            let goes_on = |(epoch, serial): Number| epoch == numbered.0 && serial < numbered.1;
            if !self.newest(device, batch).is_some_and(goes_on)
                && let Some(judged) =
                    self.stored_before(device, numbered, message, delivery, batch)?
            {
                return Ok(judged);
            }
        }
        let quantities = &self.context.quantities;
        let mut values: content::Values =
            values.iter().map(|(id, value)| (quantities.number(*id), *value)).collect();
        values.sort_unstable_by_key(|(quantity, _)| *quantity);
        content::encode_values(&values, &mut batch.content);
        let event_ns = message.event.unwrap_or(delivery.received).as_nanoseconds();
        if self.insert_reading(device, event_ns, message, delivery, batch)? == 0 {
            // Its device goes on from a number that was not its last one.
            let numbered = numbered.unwrap_or_default();
            let judged = self.stored_before(device, numbered, message, delivery, batch)?;
            return Ok(judged.unwrap_or_else(|| Err(damaged(numbered))));
        }
        *batch.tallies.entry((device, tally::minute_of(event_ns))).or_default() += 1;
        batch.outcome.checkpoint.readings += 1;
        batch.outcome.stored += 1;
        batch.outcome.without_serial += u64::from(numbered.is_none());
        if let Some(numbered) = numbered {
            let newest = batch.newest.entry(device).or_insert(numbered);
            *newest = if newest.0 == numbered.0 { (*newest).max(numbered) } else { numbered };
        }
        let touched = batch.touch(device, delivery.received);
        for (quantity, value) in values {
            touched.know(quantity);
            if message.updates_state {
                touched.offer(quantity, event_ns, value);
            }
        }
        Ok(Ok(()))
    }

    /// Inserts `batch.content` as the next reading; 0 if its number is there already.
    fn insert_reading(
        &self,
        device: i64,
        event_ns: i64,
        message: &Message,
        delivery: &Delivery,
        batch: &Batch,
    ) -> rusqlite::Result<usize> {
        let numbered = message.number;
        let extra = extra(message.originator.as_deref(), &message.metadata);
        let row = [
            ValueRef::Integer((batch.outcome.checkpoint.readings + 1).cast_signed()),
            ValueRef::Integer(device),
            number(numbered.map(|(epoch, _)| epoch.cast_signed())),
            number(numbered.map(|(_, serial)| serial.cast_signed())),
            ValueRef::Integer(event_ns),
            ValueRef::Integer(message.event.is_some().into()),
            ValueRef::Integer(message.updates_state.into()),
            ValueRef::Integer(delivery.received.as_nanoseconds()),
            ValueRef::Integer(batch.commit_ns),
            ValueRef::Blob(&batch.content),
            extra.as_deref().map_or(ValueRef::Null, text),
        ];
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (device, epoch, serial) WHERE serial IS NOT NULL DO NOTHING",
        )?;
        write_row(&mut statement, "reading", &row)
    }

    /// What becomes of a message whose number has been stored before; `None` if it has not.
    fn stored_before(
        &self,
        device: i64,
        numbered: Number,
        message: &Message,
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Option<Judged<()>>> {
        let names = Names { context: self.context, new_devices: Some(&batch.new_devices) };
        let found = self.sound(self.find(device, numbered, message, names))?;
        if matches!(found, Some(None)) {
            return Ok(None);
        }
        batch.touch(device, delivery.received);
        Ok(Some(match found.flatten() {
            Some(row) if is_same_content(&row, message) => {
                batch.outcome.repetitions += 1;
                Ok(())
            }
            Some(_) => Err((RefusalReason::ConflictingContent, conflict(numbered))),
            // Its content cannot be compared any more, so it is kept beside it.
            None => Err(damaged(numbered)),
        }))
    }

    /// The reading of this number, by its number or else by its date: a flipped bit in the index
    /// of numbers must not let a message be stored twice.
    fn find(
        &self,
        device: i64,
        numbered: Number,
        message: &Message,
        names: Names<'_>,
    ) -> ReadResult<Option<ReadingRow>> {
        let connection = &**self.transaction;
        if let Some(row) = read::numbered(connection, names, device, numbered)? {
            return Ok(Some(row));
        }
        let Some(date) = message.event else { return Ok(None) };
        for sequence in read::sequences_at(connection, device, date)? {
            let row = read::reading_of(connection, names, sequence)?;
            if row.device_row == device && row.number == Some(numbered) {
                let key = format!("{device}, {}, {}", numbered.0, numbered.1);
                let damage = Damage::new("reading_identity", key, "the entry is missing");
                self.context.report(&damage);
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    pub(super) fn alert(
        &self,
        message: &Message,
        [kind, level, words]: [&str; 3],
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<()>> {
        let device = self.device(message, delivery.received, batch)?;
        batch.outcome.checkpoint.alerts += 1;
        let sequence = batch.outcome.checkpoint.alerts.cast_signed();
        let touched = batch.touch(device, delivery.received);
        if message.updates_state {
            touched.alerts.push(sequence);
        }
        let event = message.event.unwrap_or(delivery.received);
        let extra = extra(message.originator.as_deref(), &message.metadata);
        let row = [
            ValueRef::Integer(sequence),
            ValueRef::Integer(device),
            ValueRef::Integer(event.as_nanoseconds()),
            ValueRef::Integer(delivery.received.as_nanoseconds()),
            text(level),
            text(kind),
            text(words),
            ValueRef::Integer(message.updates_state.into()),
            extra.as_deref().map_or(ValueRef::Null, text),
        ];
        let mut statement = self
            .transaction
            .prepare_cached("INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
        write_row(&mut statement, "alert", &row)?;
        batch.outcome.alerts += 1;
        Ok(Ok(()))
    }

    /// Matches an answer to its invocation.
    pub(super) fn acknowledge(
        &self,
        message: &Message,
        (invocation, response): (&str, &str),
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<()>> {
        let hardware_id = &message.device;
        let known = self.context.devices.row(hardware_id);
        let device = known.or_else(|| batch.new_devices.get(hardware_id).copied());
        let id = invocation.parse::<InvocationId>().ok();
        let unknown = || {
            let detail = unknown_invocation(hardware_id, invocation);
            Ok(Err((RefusalReason::UnknownInvocation, detail)))
        };
        let (Some(device), Some(id)) = (device, id) else { return unknown() };
        let found = self.sound(invocations::find(self.transaction, id))?.flatten();
        let Some(row) = found.filter(|row| row.asked.device == device) else { return unknown() };
        batch.touch(device, delivery.received);
        let ended = message.event.unwrap_or(delivery.received);
        let answer = || Some(response.to_owned());
        match (row.is_open(), row.response) {
            (true, _) => {
                self.edit(id, batch, |row| {
                    row.state = InvocationState::Acknowledged;
                    (row.ended, row.response) = (Some(ended), answer());
                    true
                })?;
            }
            (false, Some(before)) if before == response => batch.outcome.repetitions += 1,
            (false, Some(_)) => {
                let detail = "the invocation has been answered with another response".to_owned();
                return Ok(Err((RefusalReason::ConflictingContent, detail)));
            }
            // Expired or failed, and obeyed all the same: the state stays, the answer is kept.
            (false, None) => {
                batch.outcome.late_acknowledgements += 1;
                self.edit(id, batch, |row| {
                    row.response = answer();
                    true
                })?;
            }
        }
        Ok(Ok(()))
    }
}

/// What an answer to a command is refused with that its device was never sent.
pub(crate) fn unknown_invocation(device: &HardwareId, invocation: &str) -> String {
    format!("`{device}` has no invocation `{}`", crate::refusal::shortened(invocation, 80))
}

/// The refusal of a message whose number was stored in a reading that cannot be read any more.
fn damaged((epoch, serial): Number) -> (RefusalReason, String) {
    let detail = format!(
        "epoch {epoch}, serial {serial} has been stored and is damaged there, so that it cannot be \
         compared"
    );
    (RefusalReason::ConflictingContent, detail)
}

/// Originator and metadata as one text; `None` if there is neither.
pub(super) fn extra(
    originator: Option<&str>,
    metadata: &BTreeMap<String, String>,
) -> Option<String> {
    if originator.is_none() && metadata.is_empty() {
        return None;
    }
    Some(serde_json::json!({ "originator": originator, "metadata": metadata }).to_string())
}
