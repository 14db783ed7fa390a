//! Rows as the server gives them.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_model::decide::State;
use lastmeter_model::invocation::{InvocationId, InvocationRow, InvocationState, NewInvocation};
use lastmeter_model::row::{AlertRow, DeviceRow, ReadingRow, RefusalRow, extra_metadata};
use lastmeter_units::{HardwareId, SimTime};
use tokio_postgres::Row;

use super::error::{ReadError, ReadResult};
use super::text::unescape;
use crate::damage::Damage;
use crate::sqlite::ReadContext;

/// A column with a text.
fn text(row: &Row, column: usize) -> ReadResult<String> {
    Ok(unescape(row.try_get(column)?))
}

fn text_or_none(row: &Row, column: usize) -> ReadResult<Option<String>> {
    Ok(row.try_get::<_, Option<String>>(column)?.map(unescape))
}

fn count(row: &Row, column: usize) -> ReadResult<u64> {
    Ok(row.try_get::<_, i64>(column)?.cast_unsigned())
}

fn time(row: &Row, column: usize) -> ReadResult<SimTime> {
    Ok(SimTime(row.try_get(column)?))
}

/// Epoch and serial, from two columns.
pub(super) fn number(row: &Row, column: usize) -> ReadResult<Option<(u64, u64)>> {
    let epoch: Option<i64> = row.try_get(column)?;
    let serial: Option<i64> = row.try_get(column + 1)?;
    Ok(epoch.zip(serial).map(|(epoch, serial)| (epoch.cast_unsigned(), serial.cast_unsigned())))
}

/// The device of a row: it has to be in the directory, or in the batch.
fn device(context: &ReadContext, of_batch: Option<&DeviceRow>, row: i64) -> ReadResult<HardwareId> {
    let of_batch = of_batch.filter(|device| device.id == row);
    let of_batch = of_batch.map(|device| device.hardware_id.clone());
    let known = of_batch.or_else(|| context.devices.hardware_id(row));
    known.ok_or_else(|| Damage::missing("device", row).into())
}

/// Values with the names of their quantities.
pub(super) fn named(
    context: &ReadContext,
    values: impl IntoIterator<Item = (u16, f64)>,
) -> ReadResult<Vec<(Arc<str>, f64)>> {
    let one = |(quantity, value)| match context.quantities.name(quantity) {
        Some(name) => Ok((Arc::clone(name), value)),
        None => Err(Damage::missing("quantity", quantity).into()),
    };
    values.into_iter().map(one).collect()
}

/// A column with numbers of quantities.
fn quantities(row: &Row, column: usize) -> ReadResult<Vec<u16>> {
    let numbers: Vec<i32> = row.try_get(column)?;
    // What does not fit is no quantity's number.
    Ok(numbers.into_iter().map(|number| u16::try_from(number).unwrap_or(0)).collect())
}

/// `reading`, in the order of its columns.
pub(super) fn reading(
    context: &ReadContext,
    of_batch: Option<&DeviceRow>,
    row: &Row,
) -> ReadResult<(ReadingRow, usize)> {
    let device_row = row.try_get(1)?;
    let values: Vec<f64> = row.try_get(10)?;
    let quantities = quantities(row, 9)?;
    if quantities.len() != values.len() {
        let found = "it has another number of values than of quantities";
        return Err(Damage::new("reading", count(row, 0)?, found).into());
    }
    let bytes = values.len() * 10;
    let reading = ReadingRow {
        sequence: count(row, 0)?,
        device: device(context, of_batch, device_row)?,
        device_row,
        number: number(row, 2)?,
        event: time(row, 4)?,
        is_dated: row.try_get(5)?,
        updates_state: row.try_get(6)?,
        received: time(row, 7)?,
        commit: time(row, 8)?,
        values: named(context, quantities.into_iter().zip(values))?,
        extra: text_or_none(row, 11)?,
    };
    Ok((reading, bytes))
}

/// `alert`, in the order of its columns.
pub(super) fn alert(context: &ReadContext, row: &Row) -> ReadResult<(AlertRow, usize)> {
    let alert = AlertRow {
        sequence: count(row, 0)?,
        device: device(context, None, row.try_get(1)?)?,
        event: time(row, 2)?,
        received: time(row, 3)?,
        level: text(row, 4)?,
        kind: text(row, 5)?,
        message: text(row, 6)?,
        metadata: extra_metadata(text_or_none(row, 8)?.as_deref()),
    };
    let facts = alert.metadata.iter().map(|(name, value)| name.len() + value.len());
    let bytes = alert.kind.len() + alert.message.len() + facts.sum::<usize>();
    Ok((alert, bytes))
}

/// `refusal`, in the order of its columns.
pub(super) fn refusal(row: &Row) -> ReadResult<(RefusalRow, usize)> {
    let refusal = RefusalRow {
        sequence: count(row, 0)?,
        reason: text(row, 1)?,
        device: text_or_none(row, 2)?,
        topic: text(row, 3)?,
        detail: text(row, 4)?,
        event: time(row, 5)?,
        content: row.try_get(6)?,
        content_bytes: row.try_get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
    };
    let bytes = refusal.content.as_ref().map_or(0, Vec::len);
    Ok((refusal, bytes))
}

/// `state`, in the order of its columns.
pub(super) fn state(row: &Row) -> ReadResult<State> {
    let mut known: BTreeMap<_, _> =
        quantities(row, 2)?.into_iter().map(|quantity| (quantity, None)).collect();
    let (last, events, values) = (quantities(row, 3)?, row.try_get(4)?, row.try_get(5)?);
    let (events, values): (Vec<i64>, Vec<f64>) = (events, values);
    for (quantity, last) in last.into_iter().zip(events.into_iter().zip(values)) {
        known.insert(quantity, Some(last));
    }
    Ok(State { last_interaction: time(row, 1)?, quantities: known, alerts: row.try_get(6)? })
}

/// `invocation`, in the order of its columns.
pub(super) fn invocation(row: &Row) -> ReadResult<InvocationRow> {
    let id = row.try_get(0)?;
    let word = text(row, 9)?;
    let Some(state) = InvocationState::from_word(&word) else {
        return Err(Damage::new("invocation", id, format!("`{word}` is not a state")).into());
    };
    let texts = |column| {
        let json = text(row, column)?;
        let texts = serde_json::from_str(&json);
        texts.map_err(|error| ReadError::from(Damage::new("invocation", id, error.to_string())))
    };
    let time_or_none =
        |column| row.try_get::<_, Option<i64>>(column).map(|instant| instant.map(SimTime));
    Ok(InvocationRow {
        id: InvocationId(id),
        asked: NewInvocation {
            device: row.try_get(1)?,
            command: text(row, 2)?,
            parameters: texts(3)?,
            initiator: text(row, 4)?,
            initiator_id: text(row, 5)?,
            metadata: texts(6)?,
            created: time(row, 7)?,
            expires: time(row, 8)?,
        },
        state,
        sent: time_or_none(10)?,
        ended: time_or_none(11)?,
        response: text_or_none(row, 12)?,
        previous: row.try_get(13)?,
    })
}
