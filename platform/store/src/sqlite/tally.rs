//! How many readings a device has in each minute of event time.
//!
//! A secondary index has no seals: a flipped bit in it can hide a reading from a search, or end a
//! search too early. The tallies are a table of their own, so no one fault hides a reading in both:
//! whoever reads a stretch of the index counts what it finds in whole minutes and compares.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::seal::{ReadResult, seal, write_row};
use crate::damage::Damage;

const MINUTE_NS: i64 = 60_000_000_000;

/// The minute of an instant, counted from 1970.
pub(super) fn minute_of(event_ns: i64) -> i64 {
    event_ns.div_euclid(MINUTE_NS)
}

/// The first and the last instant of a minute.
pub(super) fn instants_of(minute: i64) -> (i64, i64) {
    let start = minute.saturating_mul(MINUTE_NS);
    // The first minute that can be counted has begun before the first instant that can.
    let end = i128::from(minute) * i128::from(MINUTE_NS) + i128::from(MINUTE_NS - 1);
    (start, i64::try_from(end).unwrap_or(i64::MAX))
}

/// The event time of a reading as a stretch of minutes.
pub(super) fn minutes(start: SimTime, end: SimTime) -> (i64, i64) {
    (minute_of(start.as_nanoseconds()), minute_of(end.as_nanoseconds()))
}

/// Counts readings: by device and minute, how many more or fewer there are.
pub(super) fn add(
    connection: &Connection,
    more: &BTreeMap<(i64, i64), i64>,
    mut damaged: impl FnMut(Damage),
) -> rusqlite::Result<()> {
    let mut read = connection.prepare_cached(
        "SELECT device, minute, readings, sum FROM tally WHERE device = ?1 AND minute = ?2",
    )?;
    let mut write =
        connection.prepare_cached("INSERT OR REPLACE INTO tally VALUES (?1, ?2, ?3, ?4)")?;
    let mut remove =
        connection.prepare_cached("DELETE FROM tally WHERE device = ?1 AND minute = ?2")?;
    for ((device, minute), more) in more {
        let mut rows = read.query(params![device, minute])?;
        let known = match rows.next()? {
            None => Ok(0),
            Some(row) => check(row).map(|(_, known)| known),
        };
        drop(rows);
        match known {
            Ok(known) => {
                let readings = known.saturating_add_signed(*more);
                if readings == 0 {
                    remove.execute([device, minute])?;
                } else {
                    write_tally(&mut write, *device, *minute, readings)?;
                }
            }
            // As it is it will go on being noticed; counting on would hide it.
            Err(damage) => damaged(damage),
        }
    }
    Ok(())
}

pub(super) fn write_tally(
    statement: &mut rusqlite::Statement<'_>,
    device: i64,
    minute: i64,
    readings: u64,
) -> rusqlite::Result<usize> {
    let row = [device, minute, readings.cast_signed()].map(ValueRef::Integer);
    write_row(statement, "tally", &row)
}

/// Minute and readings of a tally.
fn check(row: &rusqlite::Row<'_>) -> Result<(i64, u64), Damage> {
    let read = || Ok::<_, rusqlite::Error>([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
    match read() {
        Ok([device, minute, readings, sum])
            if sum == seal("tally", [device, minute, readings].map(ValueRef::Integer)) =>
        {
            Ok((minute, readings.cast_unsigned()))
        }
        Ok([device, minute, ..]) => {
            let key = format!("{device}, minute {minute}");
            Err(Damage::new("tally", key, "the row does not fit its checksum"))
        }
        Err(error) => Err(Damage::new("tally", "?", error.to_string())),
    }
}

pub(super) struct Tallies {
    /// Readings by minute.
    pub(super) readings: BTreeMap<i64, u64>,
    /// The last minute they are of: there are no others up to it.
    pub(super) through: i64,
}

/// Reads the tallies of a device from one end of a stretch, up to its other end or until there are
/// enough readings.
pub(super) fn read(
    connection: &Connection,
    device: i64,
    (first, last): (i64, i64),
    newest_first: bool,
    enough: u64,
) -> ReadResult<Tallies> {
    let order = if newest_first { "DESC" } else { "ASC" };
    let query = format!(
        "SELECT device, minute, readings, sum FROM tally
         WHERE device = ?1 AND minute BETWEEN ?2 AND ?3 ORDER BY minute {order}"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query(params![device, first, last])?;
    let mut tallies =
        Tallies { readings: BTreeMap::new(), through: if newest_first { first } else { last } };
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (minute, readings) = check(row)?;
        if !(first..=last).contains(&minute) || tallies.readings.insert(minute, readings).is_some()
        {
            let key = format!("{device}, minute {minute}");
            return Err(Damage::new("tally", key, "the row is out of its place").into());
        }
        count += readings;
        if count >= enough {
            tallies.through = minute;
            break;
        }
    }
    Ok(tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instant_lies_in_its_minute() {
        let edges =
            [i64::MIN, i64::MIN + 1, -MINUTE_NS, -1, 0, 1, MINUTE_NS - 1, MINUTE_NS, i64::MAX];
        for instant in edges {
            let (start, end) = instants_of(minute_of(instant));
            assert!((start..=end).contains(&instant), "{instant}: {start} to {end}");
        }
        assert_eq!(minute_of(-1), -1);
        assert_eq!(instants_of(-1), (-MINUTE_NS, -1));
    }
}
