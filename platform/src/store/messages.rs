//! What each kind of message does to the store, within a batch's transaction.

use std::collections::BTreeMap;

use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{AcknowledgeMessage, AlertMessage, MeasurementMessage};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, params};

use super::apply::{Batch, Context};
use super::{assignment_token, content};
use crate::commands::InvocationId;
use crate::config::TENANT;
use crate::pipeline::Delivery;
use crate::refusal::RefusalReason;

/// The epoch under which values of readings without a serial are kept; real epochs are not
/// negative.
const NO_EPOCH: i64 = -1;

/// Done, or refused with the reason and what was found.
pub(super) type Judged<T> = Result<T, (RefusalReason, String)>;

impl Context<'_> {
    /// The row of a device, made with its assignment if it is new here.
    fn device(
        &self,
        hardware_id: &HardwareId,
        received: SimTime,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<i64>> {
        let known = self.devices.get(hardware_id).or_else(|| batch.new_devices.get(hardware_id));
        if let Some(id) = known {
            return Ok(Ok(*id));
        }
        if self.devices.len() + batch.new_devices.len() >= self.devices_max {
            let detail = format!("{} devices are registered, no more may be", self.devices_max);
            return Ok(Err((RefusalReason::TooManyDevices, detail)));
        }
        let created_ns = received.as_nanoseconds();
        self.transaction
            .prepare_cached("INSERT INTO device (hardware_id, created_ns) VALUES (?1, ?2)")?
            .execute(params![hardware_id.as_str(), created_ns])?;
        let id = self.transaction.last_insert_rowid();
        self.transaction
            .prepare_cached("INSERT INTO assignment VALUES (?1, ?2, ?3, 'Active')")?
            .execute(params![assignment_token(TENANT, hardware_id.as_str()), id, created_ns])?;
        batch.new_devices.insert(hardware_id.clone(), id);
        Ok(Ok(id))
    }

    /// Stores a reading, unless its number says that it is there already (D-22).
    pub(super) fn measurements(
        &self,
        message: &MeasurementMessage,
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<()>> {
        let device = match self.device(&message.hardware_id, delivery.received, batch)? {
            Ok(device) => device,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut values: content::Values = message
            .values
            .iter()
            .map(|(id, value)| (self.quantities.number(*id), *value))
            .collect();
        values.sort_unstable_by_key(|(quantity, _)| *quantity);
        content::encode_values(&values, &mut batch.content);
        let number =
            message.number().map(|(epoch, serial)| (epoch.0.cast_signed(), serial.0.cast_signed()));
        let extra = extra(message.originator.as_deref(), &message.metadata);
        let event_ns = message.event_date.unwrap_or(delivery.received).as_nanoseconds();
        let sequence = (batch.outcome.totals.readings + 1).cast_signed();
        let inserted = self
            .transaction
            .prepare_cached(
                "INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT (device, epoch, serial) WHERE serial IS NOT NULL DO NOTHING",
            )?
            .execute(params![
                sequence,
                device,
                number.map(|(epoch, _)| epoch),
                number.map(|(_, serial)| serial),
                event_ns,
                message.event_date.is_some(),
                message.update_state,
                delivery.received.as_nanoseconds(),
                batch.commit_ns,
                batch.content,
                extra,
            ])?;
        if let (0, Some(number)) = (inserted, number) {
            let same =
                self.is_repetition(device, number, message, &batch.content, extra.as_deref())?;
            batch.touch(device, delivery.received);
            if same {
                batch.outcome.repetitions += 1;
                return Ok(Ok(()));
            }
            let (epoch, serial) = number;
            let detail =
                format!("epoch {epoch}, serial {serial} has been stored with other content");
            return Ok(Err((RefusalReason::ConflictingContent, detail)));
        }
        batch.outcome.totals.readings += 1;
        batch.outcome.stored += 1;
        batch.outcome.without_serial += u64::from(number.is_none());
        let (epoch, serial) = number.unwrap_or((NO_EPOCH, sequence));
        for (quantity, value) in &values {
            batch.values.push((device, event_ns, epoch, serial, *quantity, *value));
        }
        let touched = batch.touch(device, delivery.received);
        for (quantity, value) in values {
            touched.know(quantity);
            if message.update_state {
                touched.offer(quantity, event_ns, value);
            }
        }
        Ok(Ok(()))
    }

    /// Whether what is stored under this number says the same (D-22). A message without a date
    /// gets a new one each time it is sent: only its being undated is compared.
    fn is_repetition(
        &self,
        device: i64,
        (epoch, serial): (i64, i64),
        message: &MeasurementMessage,
        content: &[u8],
        extra: Option<&str>,
    ) -> rusqlite::Result<bool> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT dated, event_ns, update_state, content, extra FROM reading
             WHERE device = ?1 AND epoch = ?2 AND serial = ?3",
        )?;
        statement.query_row(params![device, epoch, serial], |row| {
            let stored_date = row.get::<_, bool>(0)?.then_some(row.get::<_, i64>(1)?);
            Ok(stored_date == message.event_date.map(SimTime::as_nanoseconds)
                && row.get::<_, bool>(2)? == message.update_state
                && row.get_ref(3)?.as_blob()? == content
                && text_or_null(row.get_ref(4)?)? == extra)
        })
    }

    /// Stores an alert.
    pub(super) fn alert(
        &self,
        message: &AlertMessage,
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<()>> {
        let device = match self.device(&message.hardware_id, delivery.received, batch)? {
            Ok(device) => device,
            Err(refused) => return Ok(Err(refused)),
        };
        batch.touch(device, delivery.received);
        self.transaction
            .prepare_cached(
                "INSERT INTO alert (device, event_ns, received_ns, level, type, message,
                 update_state, extra) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                device,
                message.event_date.unwrap_or(delivery.received).as_nanoseconds(),
                delivery.received.as_nanoseconds(),
                message.level.as_str(),
                message.alert_type,
                message.message,
                message.update_state,
                extra(message.originator.as_deref(), &message.metadata),
            ])?;
        batch.outcome.alerts += 1;
        Ok(Ok(()))
    }

    /// Matches an answer to its invocation.
    pub(super) fn acknowledge(
        &self,
        message: &AcknowledgeMessage,
        delivery: &Delivery,
        batch: &mut Batch,
    ) -> rusqlite::Result<Judged<()>> {
        let hardware_id = &message.hardware_id;
        let device =
            self.devices.get(hardware_id).or_else(|| batch.new_devices.get(hardware_id)).copied();
        let id = message.originating_event_id.parse::<InvocationId>().ok();
        let unknown = || {
            let id = crate::refusal::shortened(&message.originating_event_id, 80);
            let detail = format!("`{hardware_id}` has no invocation `{id}`");
            Ok(Err((RefusalReason::UnknownInvocation, detail)))
        };
        let (Some(device), Some(InvocationId(id))) = (device, id) else { return unknown() };
        let stored: Option<(String, Option<String>)> = self
            .transaction
            .prepare_cached("SELECT state, response FROM invocation WHERE id = ?1 AND device = ?2")?
            .query_row([id, device], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((state, response)) = stored else { return unknown() };
        batch.touch(device, delivery.received);
        let ended_ns = message.event_date.unwrap_or(delivery.received).as_nanoseconds();
        match (state.as_str(), response) {
            ("Pending" | "Sent", _) => {
                self.transaction
                    .prepare_cached(
                        "UPDATE invocation SET state = 'Acknowledged', ended_ns = ?2, response = ?3
                         WHERE id = ?1",
                    )?
                    .execute(params![id, ended_ns, message.response])?;
            }
            (_, Some(response)) if response == message.response => batch.outcome.repetitions += 1,
            (_, Some(_)) => {
                let detail = "the invocation has been answered with another response".to_owned();
                return Ok(Err((RefusalReason::ConflictingContent, detail)));
            }
            // Expired or failed, and obeyed all the same: the state stays, the answer is kept.
            (_, None) => {
                batch.outcome.late_acknowledgements += 1;
                self.transaction
                    .prepare_cached("UPDATE invocation SET response = ?2 WHERE id = ?1")?
                    .execute(params![id, message.response])?;
            }
        }
        Ok(Ok(()))
    }
}

/// Originator and metadata as one text; `None` if there is neither.
fn extra(originator: Option<&str>, metadata: &BTreeMap<String, String>) -> Option<String> {
    if originator.is_none() && metadata.is_empty() {
        return None;
    }
    Some(serde_json::json!({ "originator": originator, "metadata": metadata }).to_string())
}

/// A column that is a text or null.
fn text_or_null(column: ValueRef<'_>) -> rusqlite::Result<Option<&str>> {
    match column {
        ValueRef::Null => Ok(None),
        other => other.as_str().map(Some).map_err(Into::into),
    }
}
