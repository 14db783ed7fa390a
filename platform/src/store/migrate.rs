//! Bringing a store of format 1, which had no seals, up to date: once, in one transaction.
//!
//! It is checked as a whole first, so that no damage gets a seal. Its table of values is dropped:
//! every value stands in its reading as well.

use std::path::Path;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use super::seal::seal;
use super::standing::Standing;
use super::tables::{NEW_TABLES, damaged, mark_current, write_standing};
use super::{StoreError, StoreResult, content, tally};

/// What format 1 had and this one has not, and columns that are new.
const CHANGES: &str = "
DROP VIEW named_value;
DROP TABLE value;
DROP TABLE assignment;
DROP INDEX invocation_open;
ALTER TABLE quantity ADD COLUMN sum INTEGER;
ALTER TABLE device ADD COLUMN commands INTEGER;
ALTER TABLE device ADD COLUMN last_command INTEGER;
ALTER TABLE device ADD COLUMN sum INTEGER;
ALTER TABLE reading ADD COLUMN sum INTEGER;
ALTER TABLE state ADD COLUMN alerts BLOB;
ALTER TABLE state ADD COLUMN sum INTEGER;
ALTER TABLE alert ADD COLUMN sum INTEGER;
ALTER TABLE refusal ADD COLUMN content BLOB;
ALTER TABLE refusal ADD COLUMN content_bytes INTEGER;
ALTER TABLE refusal ADD COLUMN sum INTEGER;
ALTER TABLE invocation ADD COLUMN previous INTEGER;
ALTER TABLE invocation ADD COLUMN sum INTEGER;
";

/// What the new columns hold, while the old indexes help to find it.
const FILLS: &str = "
UPDATE device SET
  commands = (SELECT count(*) FROM invocation WHERE invocation.device = device.id),
  last_command = (SELECT coalesce(max(id), 0) FROM invocation WHERE invocation.device = device.id);
UPDATE invocation SET previous = (SELECT coalesce(max(earlier.id), 0) FROM invocation AS earlier
  WHERE earlier.device = invocation.device AND earlier.id < invocation.id);
";

/// Indexes that were of help.
const LAST_DROPS: &str = "DROP INDEX invocation_device; DROP INDEX alert_device;";

/// Each table with its columns in order, the key first.
const SEALED: &[(&str, &str)] = &[
    ("quantity", "id, name"),
    ("device", "id, hardware_id, created_ns, commands, last_command"),
    (
        "reading",
        "sequence, device, epoch, serial, event_ns, dated, update_state, received_ns, commit_ns, \
         content, extra",
    ),
    ("state", "device, last_interaction_ns, quantities, content, alerts"),
    ("alert", "sequence, device, event_ns, received_ns, level, type, message, update_state, extra"),
    ("refusal", "sequence, reason, device, topic, detail, event_ns, content, content_bytes"),
    (
        "invocation",
        "id, device, command, parameters, initiator, initiator_id, metadata, created_ns, \
         expires_ns, state, sent_ns, ended_ns, response, previous",
    ),
];

/// Rows that are sealed in one go.
const CHUNK: i64 = 10_000;

/// Brings a store up to date.
pub(super) fn bring_up(connection: &mut Connection, path: &Path) -> StoreResult<()> {
    tracing::info!(path = %path.display(), "the store is brought up to date, which takes a while");
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| damaged(path, error))?;
    if verdict != "ok" {
        return Err(StoreError::Damaged { path: path.to_owned(), found: verdict });
    }
    migrate(connection).map_err(|error| damaged(path, error))?;
    // An error only means that the file beside it stays as long as the transaction was.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    tracing::info!(path = %path.display(), "the store is up to date");
    Ok(())
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(CHANGES)?;
    transaction.execute_batch(FILLS)?;
    fill_alerts(&transaction)?;
    transaction.execute_batch(LAST_DROPS)?;
    transaction.execute_batch(NEW_TABLES)?;
    for (table, columns) in SEALED {
        seal_table(&transaction, table, columns)?;
    }
    count_minutes(&transaction)?;
    let standing = standing(&transaction)?;
    transaction.execute("DELETE FROM meta", [])?;
    write_standing(&transaction, &standing)?;
    mark_current(&transaction)?;
    transaction.commit()
}

/// The latest alerts of each device that asked to be in its state.
fn fill_alerts(connection: &Connection) -> rusqlite::Result<()> {
    let devices = numbers(connection, "SELECT device FROM state", None)?;
    for device in devices {
        let query = "SELECT sequence FROM alert WHERE device = ?1 AND update_state
             ORDER BY sequence DESC LIMIT ?2";
        let latest = numbers(connection, query, Some(device))?;
        let alerts = content::encode_alerts(&latest);
        connection
            .execute("UPDATE state SET alerts = ?2 WHERE device = ?1", params![device, alerts])?;
    }
    Ok(())
}

fn numbers(connection: &Connection, query: &str, of: Option<i64>) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(query)?;
    let parameters = [of.unwrap_or_default(), content::ALERTS_MAX as i64];
    let count = statement.parameter_count();
    let rows =
        statement.query_map(rusqlite::params_from_iter(&parameters[..count]), |row| row.get(0))?;
    rows.collect()
}

fn seal_table(connection: &Connection, table: &str, columns: &str) -> rusqlite::Result<()> {
    let key = columns.split(',').next().unwrap_or_default();
    let mut read = connection.prepare(&format!(
        "SELECT {columns} FROM {table} WHERE {key} > ?1 ORDER BY {key} LIMIT {CHUNK}"
    ))?;
    let mut write = connection.prepare(&format!("UPDATE {table} SET sum = ?2 WHERE {key} = ?1"))?;
    let count = read.column_count();
    let mut after = i64::MIN;
    loop {
        let rows = read.query_map([after], |row| {
            let values = (0..count).map(|index| row.get_ref(index).unwrap_or(ValueRef::Null));
            Ok((row.get::<_, i64>(0)?, seal(table, values)))
        })?;
        let seals: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        for (key, sum) in &seals {
            write.execute([key, sum])?;
        }
        match seals.last() {
            Some((last, _)) => after = *last,
            None => return Ok(()),
        }
    }
}

fn count_minutes(connection: &Connection) -> rusqlite::Result<()> {
    let mut read =
        connection.prepare("SELECT device, event_ns FROM reading ORDER BY device, event_ns")?;
    let mut write = connection.prepare("INSERT INTO tally VALUES (?1, ?2, ?3, ?4)")?;
    let mut rows = read.query([])?;
    let mut open: Option<(i64, i64, u64)> = None;
    while let Some(row) = rows.next()? {
        let (device, minute) = (row.get(0)?, tally::minute_of(row.get(1)?));
        open = match open {
            Some((d, m, readings)) if (d, m) == (device, minute) => Some((d, m, readings + 1)),
            done => {
                if let Some((device, minute, readings)) = done {
                    tally::write_tally(&mut write, device, minute, readings)?;
                }
                Some((device, minute, 1))
            }
        };
    }
    if let Some((device, minute, readings)) = open {
        tally::write_tally(&mut write, device, minute, readings)?;
    }
    Ok(())
}

fn standing(connection: &Connection) -> rusqlite::Result<Standing> {
    let count = |query: &str| {
        let value: Option<Value> = connection.query_row(query, [], |row| row.get(0)).optional()?;
        match value {
            Some(Value::Integer(number)) => Ok(Some(number)),
            _ => Ok::<_, rusqlite::Error>(None),
        }
    };
    let last = |query: &str| Ok::<_, rusqlite::Error>(count(query)?.unwrap_or(0).cast_unsigned());
    Ok(Standing {
        journal_committed: last("SELECT value FROM meta WHERE key = 'journal_committed'")?,
        clock_ns: count("SELECT value FROM meta WHERE key = 'clock_ns'")?,
        readings: last("SELECT max(sequence) FROM reading")?,
        refusals: last("SELECT max(sequence) FROM refusal")?,
        alerts: last("SELECT max(sequence) FROM alert")?,
        devices: last("SELECT max(id) FROM device")?,
        quantities: last("SELECT max(id) FROM quantity")?,
        invocations: last("SELECT max(id) FROM invocation")?,
        open: last("SELECT count(*) FROM invocation WHERE state IN ('Pending', 'Sent')")?,
        changes: 0,
        refused_bytes: 0,
        is_guarded: false,
    })
}
