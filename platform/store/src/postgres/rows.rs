//! Rows that PostgreSQL keeps in another form than SQLite: lists are arrays there.

use lastmeter_model::decide::{NewReading, State};
use lastmeter_model::row::ReadingRow;
use rusqlite::types::ValueRef;
use tokio_postgres::Row;

use super::error::{ReadError, ReadResult};
use super::tables::list;
use super::text::unescape;
use crate::damage::Damage;
use crate::page::reading_bytes;
use crate::rows::{Column, Columns, number, text};
use crate::sqlite::Names;

impl Columns for Row {
    type Error = ReadError;

    fn value<T: Column>(&self, column: usize) -> ReadResult<T> {
        Ok(self.try_get(column)?)
    }

    fn text_or_none(&self, column: usize) -> ReadResult<Option<String>> {
        Ok(self.try_get::<_, Option<String>>(column)?.map(unescape))
    }
}

/// A column with numbers of quantities.
pub(super) fn quantities(row: &Row, column: usize) -> ReadResult<Vec<u16>> {
    let numbers: Vec<i32> = row.try_get(column)?;
    // What does not fit is no quantity's number.
    Ok(numbers.into_iter().map(|number| u16::try_from(number).unwrap_or(0)).collect())
}

/// Bit by bit, in the fewest digits.
fn digits(value: f64) -> String {
    format!("{value:e}")
}

/// Writes a reading.
pub(super) fn reading(reading: &NewReading<'_>, write: impl FnOnce(&[ValueRef<'_>])) {
    let quantities = list(reading.values.iter().map(|(quantity, _)| quantity));
    let values = list(reading.values.iter().map(|(_, value)| digits(*value)));
    write(&[
        ValueRef::Integer(reading.sequence.cast_signed()),
        ValueRef::Integer(reading.device),
        number(reading.number.map(|(epoch, _)| epoch.cast_signed())),
        number(reading.number.map(|(_, serial)| serial.cast_signed())),
        ValueRef::Integer(reading.event.as_nanoseconds()),
        ValueRef::Integer(reading.is_dated.into()),
        ValueRef::Integer(reading.updates_state.into()),
        ValueRef::Integer(reading.received.as_nanoseconds()),
        ValueRef::Integer(reading.commit.as_nanoseconds()),
        text(&quantities),
        text(&values),
        reading.extra.map_or(ValueRef::Null, text),
    ]);
}

/// A reading, and the bytes that it counts on a page.
pub(super) fn read_reading(names: Names<'_>, row: &Row) -> ReadResult<(ReadingRow, usize)> {
    let (quantities, values) = (quantities(row, 9)?, row.try_get::<_, Vec<f64>>(10)?);
    if quantities.len() != values.len() {
        let found = "it has another number of values than of quantities";
        return Err(Damage::new("reading", row.count(0)?, found).into());
    }
    let device_row = row.try_get(1)?;
    let reading = ReadingRow {
        sequence: row.count(0)?,
        device: names.device(device_row)?,
        device_row,
        number: row.number(2)?,
        event: row.time(4)?,
        is_dated: row.try_get(5)?,
        updates_state: row.try_get(6)?,
        received: row.time(7)?,
        commit: row.time(8)?,
        values: names.values(quantities.into_iter().zip(values))?,
        extra: row.text_or_none(11)?,
    };
    let bytes = reading_bytes(&reading);
    Ok((reading, bytes))
}

/// Writes the state of a device.
pub(super) fn state(device: i64, state: &State, write: impl FnOnce(&[ValueRef<'_>])) {
    let last = || state.quantities.iter().filter_map(|(one, last)| Some((one, last.as_ref()?)));
    let lists = [
        list(state.quantities.keys()),
        list(last().map(|(quantity, _)| quantity)),
        list(last().map(|(_, (event_ns, _))| event_ns)),
        list(last().map(|(_, (_, value))| digits(*value))),
        list(state.alerts.iter()),
    ];
    let interaction = ValueRef::Integer(state.last_interaction.as_nanoseconds());
    let [quantities, last, events, values, alerts] = lists.each_ref().map(|list| text(list));
    write(&[ValueRef::Integer(device), interaction, quantities, last, events, values, alerts]);
}

pub(super) fn read_state(row: &Row) -> ReadResult<State> {
    let known = quantities(row, 2)?.into_iter().map(|quantity| (quantity, None));
    let (events, values): (Vec<i64>, Vec<f64>) = (row.try_get(4)?, row.try_get(5)?);
    let last = quantities(row, 3)?.into_iter().zip(events.into_iter().zip(values).map(Some));
    let quantities = known.chain(last).collect();
    Ok(State { last_interaction: row.time(1)?, quantities, alerts: row.try_get(6)? })
}
