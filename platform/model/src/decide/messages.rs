//! What each kind of message comes to: stored, or refused as a repetition or a conflict.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, MeasurementId, SimTime};

use super::seam::{Batch, Effect, Found, NewAlert, NewReading, Put};
use super::{Deciding, Judged};
use crate::invocation::{InvocationId, InvocationState};
use crate::message::{Message, MessageBody, Number};
use crate::refusal::{RefusalReason, shortened};
use crate::row::ReadingRow;
use crate::work::Delivery;

/// The detail of the refusal of a number that was stored with other content.
pub fn conflict((epoch, serial): Number) -> String {
    format!(
        "epoch {epoch}, serial {serial} has been stored with other content; a device that restarts \
         its count has to change its epoch"
    )
}

/// Whether a stored reading has the content of a message of its number. A message without a
/// date gets a new one each time it is sent: only its being undated is compared.
pub fn is_same_content(row: &ReadingRow, message: &Message) -> bool {
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

impl<B: Batch + ?Sized> Deciding<'_, B> {
    /// Stores a reading, unless its number shows that it is there already.
    pub(super) fn measurements(
        &mut self,
        (message, values): (&Message, &[(MeasurementId, f64)]),
        delivery: &Delivery,
    ) -> Result<Judged<()>, B::Error> {
        let device = self.device(message, delivery.received)?;
        let numbered = message.number;
        if let Some(numbered) = numbered {
            let goes_on = |(epoch, serial): Number| epoch == numbered.0 && serial < numbered.1;
            if !self.newest(device).is_some_and(goes_on)
                && let Some(judged) = self.stored_before(device, numbered, message, delivery)?
            {
                return Ok(judged);
            }
        }
        let batch = &*self.batch;
        self.values.clear();
        self.values.extend(values.iter().map(|(id, value)| (batch.quantity(*id), *value)));
        self.values.sort_unstable_by_key(|(quantity, _)| *quantity);
        let event = message.event.unwrap_or(delivery.received);
        self.enter_bucket(device, event)?;
        if self.put_reading((device, event), message, delivery)? == Put::Repeated {
            // Its device goes on from a number that was not its last one.
            let numbered = numbered.unwrap_or_default();
            let judged = self.stored_before(device, numbered, message, delivery)?;
            return Ok(judged.unwrap_or_else(|| Err(damaged(numbered))));
        }
        let outcome = &mut self.so_far.outcome;
        outcome.standing.readings += 1;
        outcome.stored += 1;
        outcome.without_serial += u64::from(numbered.is_none());
        if let Some(numbered) = numbered {
            let newest = self.so_far.newest.entry(device).or_insert(numbered);
            *newest = if newest.0 == numbered.0 { (*newest).max(numbered) } else { numbered };
        }
        let values = std::mem::take(&mut self.values);
        self.add_to_bucket(device, (event, delivery.received), &values);
        let touched = self.touch(device, delivery.received);
        for (quantity, value) in &values {
            touched.know(*quantity);
            if message.updates_state {
                touched.offer(*quantity, event.as_nanoseconds(), *value);
            }
        }
        self.values = values;
        Ok(Ok(()))
    }

    /// Has `self.values` written as the next reading.
    fn put_reading(
        &mut self,
        (device, event): (i64, SimTime),
        message: &Message,
        delivery: &Delivery,
    ) -> Result<Put, B::Error> {
        let extra = extra(message.originator.as_deref(), &message.metadata);
        let sequence = self.standing().readings + 1;
        self.batch.put(Effect::Reading(NewReading {
            sequence,
            device,
            number: message.number,
            event,
            is_dated: message.event.is_some(),
            updates_state: message.updates_state,
            received: delivery.received,
            commit: self.commit,
            values: &self.values,
            extra: extra.as_deref(),
        }))
    }

    /// What becomes of a message whose number has been stored before; `None` if it has not.
    fn stored_before(
        &mut self,
        row: i64,
        numbered: Number,
        message: &Message,
        delivery: &Delivery,
    ) -> Result<Option<Judged<()>>, B::Error> {
        let Some(device) = self.device_of(row) else { return Ok(None) };
        let found = self.batch.numbered(&device, numbered, message.event)?;
        if found == Found::Absent {
            return self.removed_before(row, numbered, delivery);
        }
        self.touch(row, delivery.received);
        let is_same = |stored| is_same_content(&stored, message);
        Ok(Some(self.repeated(numbered, found, is_same)))
    }

    pub(super) fn alert(
        &mut self,
        message: &Message,
        [kind, level, words]: [&str; 3],
        delivery: &Delivery,
    ) -> Result<Judged<()>, B::Error> {
        let device = self.device(message, delivery.received)?;
        self.standing().alerts += 1;
        let sequence = self.standing().alerts;
        let touched = self.touch(device, delivery.received);
        if message.updates_state {
            touched.alerts.push(sequence.cast_signed());
        }
        let extra = extra(message.originator.as_deref(), &message.metadata);
        self.batch.put(Effect::Alert(NewAlert {
            sequence,
            device,
            event: message.event.unwrap_or(delivery.received),
            received: delivery.received,
            level,
            kind,
            message: words,
            updates_state: message.updates_state,
            extra: extra.as_deref(),
        }))?;
        self.so_far.outcome.alerts += 1;
        Ok(Ok(()))
    }

    /// Matches an answer to its invocation.
    pub(super) fn acknowledge(
        &mut self,
        message: &Message,
        (invocation, response): (&str, &str),
        delivery: &Delivery,
    ) -> Result<Judged<()>, B::Error> {
        let hardware_id = &message.device;
        let unknown = || {
            let detail = unknown_invocation(hardware_id, invocation);
            Ok(Err((RefusalReason::UnknownInvocation, detail)))
        };
        let id = invocation.parse::<InvocationId>().ok();
        let (Some(device), Some(id)) = (self.row(hardware_id), id) else { return unknown() };
        let found = self.batch.invocation(id)?.sound();
        let Some(row) = found.filter(|row| row.asked.device == device) else { return unknown() };
        self.touch(device, delivery.received);
        let ended = message.event.unwrap_or(delivery.received);
        let answer = || Some(response.to_owned());
        match (row.is_open(), row.response) {
            (true, _) => {
                self.edit(id, |row| {
                    row.state = InvocationState::Acknowledged;
                    (row.ended, row.response) = (Some(ended), answer());
                    true
                })?;
            }
            (false, Some(before)) if before == response => self.so_far.outcome.repetitions += 1,
            (false, Some(_)) => {
                let detail = "the invocation has been answered with another response".to_owned();
                return Ok(Err((RefusalReason::ConflictingContent, detail)));
            }
            // Expired or failed, and obeyed all the same: the state stays, the answer is kept.
            (false, None) => {
                self.so_far.outcome.late_acknowledgements += 1;
                self.edit(id, |row| {
                    row.response = answer();
                    true
                })?;
            }
        }
        Ok(Ok(()))
    }
}

/// What an answer to a command is refused with that its device was never sent.
pub fn unknown_invocation(device: &HardwareId, invocation: &str) -> String {
    format!("`{device}` has no invocation `{}`", shortened(invocation, 80))
}

/// The refusal of a message whose number was stored in a reading that cannot be read any more.
pub(super) fn damaged((epoch, serial): Number) -> (RefusalReason, String) {
    let detail = format!(
        "epoch {epoch}, serial {serial} has been stored and is damaged there, so that it cannot be \
         compared"
    );
    (RefusalReason::ConflictingContent, detail)
}

/// Originator and metadata as one text; `None` if there is neither.
fn extra(originator: Option<&str>, metadata: &BTreeMap<String, String>) -> Option<String> {
    if originator.is_none() && metadata.is_empty() {
        return None;
    }
    Some(serde_json::json!({ "originator": originator, "metadata": metadata }).to_string())
}
