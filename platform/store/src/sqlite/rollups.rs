//! Roll-ups as rows, what they are made of, and what retention removes.

use lastmeter_model::decide::{List, Old, OldContent, RefusedBytes};
use lastmeter_model::row::{BlockRow, ResultRow};
use lastmeter_model::series::rollup::{BUCKET, Rollup, bucket};
use lastmeter_model::standing::Standing;
use lastmeter_units::SimTime;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::{self, ALERT, ALERT_COLUMNS, Measured, READING, REFUSAL, REFUSAL_COLUMNS};
use super::seal::{ReadError, ReadResult, check_row, write_row};
use super::{standing, tally};
use crate::damage::Damage;
use crate::rows::{Columns, NUMBERED, Numbered as _};

/// Where the store stands in the snapshot at hand.
pub(super) fn standing(connection: &Connection) -> ReadResult<Standing> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'standing'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let found = bytes.as_deref().and_then(standing::decode);
    found.ok_or_else(|| Damage::new("meta", "standing", "it cannot be read").into())
}

const ROLLUP: &str = "SELECT device, bucket, content, sum FROM rollup";

fn read(row: &Row<'_>) -> ReadResult<Rollup> {
    check_row("rollup", row, 3)?;
    let (device, start) = (row.get::<_, i64>(0)?, SimTime(row.get(1)?));
    let content = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    Rollup::decode(start, content).map_err(|error| {
        Damage::new("rollup", format!("device {device}, from {start}"), error.to_string()).into()
    })
}

/// The roll-up of a bucket.
pub(super) fn find(
    connection: &Connection,
    device: i64,
    start: SimTime,
) -> ReadResult<Option<Rollup>> {
    let query = format!("{ROLLUP} WHERE device = ?1 AND bucket = ?2");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([device, start.as_nanoseconds()])?;
    rows.next()?.map(read).transpose()
}

/// The first roll-ups of a device whose first instants lie in a range, in their order; what is
/// damaged is given to `damaged`, which leaves it out or fails.
pub(super) fn within(
    connection: &Connection,
    device: i64,
    (first, last): (SimTime, SimTime),
    limit: usize,
    mut damaged: impl FnMut(ReadError) -> ReadResult<()>,
) -> ReadResult<Vec<Rollup>> {
    let query =
        format!("{ROLLUP} WHERE device = ?1 AND bucket BETWEEN ?2 AND ?3 ORDER BY bucket LIMIT ?4");
    let mut statement = connection.prepare_cached(&query)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows =
        statement.query(params![device, first.as_nanoseconds(), last.as_nanoseconds(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(rollup) => found.push(rollup),
            Err(error) => damaged(error)?,
        }
    }
    Ok(found)
}

pub(super) fn write(
    connection: &Connection,
    device: i64,
    rollup: &Rollup,
) -> rusqlite::Result<usize> {
    let content = rollup.encode();
    let row = [
        ValueRef::Integer(device),
        ValueRef::Integer(rollup.start().as_nanoseconds()),
        ValueRef::Blob(&content),
    ];
    let insert = "INSERT OR REPLACE INTO rollup VALUES (?1, ?2, ?3, ?4)";
    write_row(&mut *connection.prepare_cached(insert)?, "rollup", &row)
}

/// Removes the roll-ups of some devices before a bucket.
pub(super) fn remove(
    connection: &Connection,
    (first, last): (i64, i64),
    before: SimTime,
) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM rollup WHERE device = ?1 AND bucket < ?2";
    let mut delete = connection.prepare_cached(delete)?;
    let one = |device| delete.execute([device, before.as_nanoseconds()]);
    (first..=last).map(one).sum()
}

/// The readings of a device in a bucket, summed up. `more` of them are not in the tallies yet.
pub(super) fn summed_up(
    connection: &Connection,
    device: i64,
    start: SimTime,
    more: i64,
) -> ReadResult<Option<Rollup>> {
    let last = start.as_nanoseconds().saturating_add(BUCKET.0 - 1);
    let minutes = tally::minutes(start, SimTime(last));
    let tallies = tally::read(connection, device, minutes, false, u64::MAX)?;
    let expected = tallies.readings.values().sum::<u64>().cast_signed() + more;
    let query = READING.replace("FROM reading", "FROM reading INDEXED BY reading_time");
    let query = format!("{query} WHERE device = ?1 AND event_ns BETWEEN ?2 AND ?3");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([device, start.as_nanoseconds(), last])?;
    let mut rollup = Rollup::new(start);
    while let Some(row) = rows.next()? {
        let Measured { device: of, event, received, values, .. } = read::measured(row)?;
        if of == device && bucket(event) == start {
            rollup.add((event, received), values);
        }
    }
    if i64::from(rollup.readings()) != expected {
        let key = format!("device {device}, from {start}");
        let found = format!("it has {} readings, expected {expected}", rollup.readings());
        return Err(Damage::new("reading_time", key, found).into());
    }
    Ok((expected > 0).then_some(rollup))
}

/// The first instant of the last bucket of which a device has anything.
pub(super) fn last_bucket(
    connection: &Connection,
    device: i64,
) -> rusqlite::Result<Option<SimTime>> {
    let last = |query| {
        let mut statement = connection.prepare_cached(query)?;
        statement.query_row([device], |row| row.get::<_, Option<i64>>(0))
    };
    let event =
        last("SELECT max(event_ns) FROM reading INDEXED BY reading_time WHERE device = ?1")?;
    // What one index has lost the tallies know.
    let minute = last("SELECT max(minute) FROM tally WHERE device = ?1")?;
    let row = last("SELECT max(bucket) FROM rollup WHERE device = ?1")?;
    let minute = minute.map(|minute| tally::instants_of(minute).0);
    Ok([event, minute, row].into_iter().flatten().max().map(|at| bucket(SimTime(at))))
}

/// The event of the first reading of a device from an instant on.
pub(super) fn event_from(
    connection: &Connection,
    device: i64,
    from: SimTime,
) -> rusqlite::Result<Option<SimTime>> {
    let query = "SELECT min(event_ns) FROM reading INDEXED BY reading_time
                 WHERE device = ?1 AND event_ns >= ?2";
    let mut statement = connection.prepare_cached(query)?;
    let event = statement.query_row([device, from.as_nanoseconds()], |row| row.get(0));
    event.map(|event: Option<i64>| event.map(SimTime))
}

/// The first rows of a list behind a sequence.
pub(super) fn oldest(
    connection: &Connection,
    list: List,
    after: u64,
    limit: u32,
) -> ReadResult<Vec<Old>> {
    let select = match list {
        List::Readings => READING,
        List::Alerts => ALERT,
        List::Refusals => REFUSAL,
        List::Results => ResultRow::SEALED,
        List::Blocks => BlockRow::SEALED,
    };
    let query = format!("{select} WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query(params![after.cast_signed(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let content = match old(list, row) {
            Ok(old) => Some(old),
            // Damage is reported to those who read the row.
            Err(ReadError::Damaged(_)) => None,
            Err(error) => return Err(error),
        };
        found.push(Old { sequence: row.count(0)?, content });
    }
    Ok(found)
}

fn old(list: List, row: &Row<'_>) -> ReadResult<OldContent> {
    let (mut reading, mut kept_bytes) = (None, 0);
    let received = match list {
        List::Readings => {
            let Measured { device, event, received, .. } = read::measured(row)?;
            reading = Some((device, row.number(2)?, event));
            received
        }
        List::Alerts => {
            check_row("alert", row, ALERT_COLUMNS)?;
            row.time(5)?
        }
        List::Refusals => {
            check_row("refusal", row, REFUSAL_COLUMNS)?;
            let content: Option<&[u8]> = row.get_ref(6)?.as_blob_or_null().unwrap_or_default();
            kept_bytes = content.map_or(0, |content| content.len() as u64);
            row.time(5)?
        }
        List::Results => {
            check_row("result", row, NUMBERED)?;
            row.time(8)?
        }
        List::Blocks => {
            check_row("block", row, NUMBERED)?;
            row.time(5)?
        }
    };
    Ok(OldContent { received, reading, kept_bytes })
}

/// Bytes of content that are kept with refusals, by the device that was claimed.
pub(super) fn refused_bytes(connection: &Connection) -> rusqlite::Result<RefusedBytes> {
    let query = "SELECT device, sum(length(content)) FROM refusal
                 WHERE content IS NOT NULL GROUP BY device";
    let mut statement = connection.prepare_cached(query)?;
    let bytes = statement.query_map([], |row| {
        // What is damaged is reported to those who read the row.
        let device = row.get(0).unwrap_or_default();
        Ok((device, row.get(1).map_or(0, i64::cast_unsigned)))
    })?;
    bytes.collect()
}

/// The highest serial of a device and epoch that was removed.
pub(super) fn removed(connection: &Connection, device: i64, epoch: u64) -> ReadResult<Option<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT device, epoch, serial, removed, sum FROM contiguous
         WHERE device = ?1 AND epoch = ?2",
    )?;
    let mut rows = statement.query([device, epoch.cast_signed()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    check_row("contiguous", row, 4)?;
    Ok(row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned))
}

pub(super) fn write_removed(
    connection: &Connection,
    device: i64,
    (epoch, serial): (u64, u64),
) -> rusqlite::Result<usize> {
    let before = match removed(connection, device, epoch) {
        Ok(before) => before,
        Err(ReadError::Sqlite(error)) => return Err(error),
        // As it is it will go on being noticed.
        Err(ReadError::Damaged(_)) => return Ok(0),
    };
    let serial = before.map_or(serial, |before| before.max(serial));
    // How far serials come without a gap is not counted here.
    let row = [device, epoch.cast_signed(), 0, serial.cast_signed()].map(ValueRef::Integer);
    let insert = "INSERT OR REPLACE INTO contiguous VALUES (?1, ?2, ?3, ?4, ?5)";
    write_row(&mut *connection.prepare_cached(insert)?, "contiguous", &row)
}

/// Removes the rows of a list up to a sequence; of readings it gives device and event.
pub(super) fn remove_through(
    connection: &Connection,
    list: List,
    through: u64,
    mut gone: impl FnMut(i64, i64),
) -> rusqlite::Result<usize> {
    let through = [through.cast_signed()];
    let delete = match list {
        List::Readings => {
            let select = "SELECT device, event_ns FROM reading WHERE sequence <= ?1";
            let mut statement = connection.prepare_cached(select)?;
            let mut rows = statement.query(through)?;
            while let Some(row) = rows.next()? {
                gone(row.get(0)?, row.get(1)?);
            }
            "DELETE FROM reading WHERE sequence <= ?1"
        }
        List::Alerts => "DELETE FROM alert WHERE sequence <= ?1",
        List::Refusals => "DELETE FROM refusal WHERE sequence <= ?1",
        List::Results => "DELETE FROM result WHERE sequence <= ?1",
        List::Blocks => "DELETE FROM block WHERE sequence <= ?1",
    };
    connection.prepare_cached(delete)?.execute(through)
}
