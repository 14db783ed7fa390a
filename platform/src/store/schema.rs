//! Opening a tenant's file: making it, or making sure that it is one of ours and sound.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_units::MEASUREMENTS;
use rusqlite::{Connection, OpenFlags};

use super::{Quantities, StoreError, StoreResult};

/// "LMTR", so that `file` and people can tell.
const APPLICATION_ID: i64 = 0x4c4d_5452;
/// Counts changes of the tables.
const FORMAT: i64 = 1;

/// The tables. Times are nanoseconds since 1970 UTC. `reading.content` and the blobs of `state` are
/// described in `content.rs`; the view is for people with an SQLite shell.
///
/// The key of `value` is that of D-22, a series being (device, quantity), with the quantity last:
/// the values of one message are neighbours on one page. With the series first they lie on as many
/// pages as there are values, each of which every commit would write whole. Both layouts measured
/// in turn, three times each (bench `store`, machine busy): batches of 50 and 1000 messages of 20
/// values took 2 to 4 times as long with the series first; for single messages no difference
/// showed. The price is that reading one series passes over the device's other values.
const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE quantity (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE device (
  id INTEGER PRIMARY KEY, hardware_id TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL);
CREATE TABLE assignment (
  token TEXT PRIMARY KEY, device INTEGER NOT NULL REFERENCES device, created_ns INTEGER NOT NULL,
  status TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX assignment_device ON assignment (device);
CREATE TABLE reading (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, epoch INTEGER, serial INTEGER,
  event_ns INTEGER NOT NULL, dated INTEGER NOT NULL, update_state INTEGER NOT NULL,
  received_ns INTEGER NOT NULL, commit_ns INTEGER NOT NULL, content BLOB NOT NULL, extra TEXT);
CREATE UNIQUE INDEX reading_identity ON reading (device, epoch, serial) WHERE serial IS NOT NULL;
CREATE INDEX reading_time ON reading (device, event_ns);
CREATE TABLE value (
  device INTEGER NOT NULL, event_ns INTEGER NOT NULL, epoch INTEGER NOT NULL,
  serial INTEGER NOT NULL, quantity INTEGER NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (device, event_ns, epoch, serial, quantity)) WITHOUT ROWID;
CREATE TABLE state (
  device INTEGER PRIMARY KEY, last_interaction_ns INTEGER NOT NULL, quantities BLOB NOT NULL,
  content BLOB NOT NULL);
CREATE TABLE alert (
  sequence INTEGER PRIMARY KEY, device INTEGER NOT NULL, event_ns INTEGER NOT NULL,
  received_ns INTEGER NOT NULL, level TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL,
  update_state INTEGER NOT NULL, extra TEXT);
CREATE INDEX alert_device ON alert (device, sequence);
CREATE TABLE refusal (
  sequence INTEGER PRIMARY KEY, reason TEXT NOT NULL, device TEXT, topic TEXT NOT NULL,
  detail TEXT NOT NULL, event_ns INTEGER NOT NULL);
CREATE TABLE invocation (
  id INTEGER PRIMARY KEY, device INTEGER NOT NULL, command TEXT NOT NULL,
  parameters TEXT NOT NULL, initiator TEXT NOT NULL, initiator_id TEXT NOT NULL,
  metadata TEXT NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,
  state TEXT NOT NULL, sent_ns INTEGER, ended_ns INTEGER, response TEXT);
CREATE INDEX invocation_device ON invocation (device, id);
CREATE INDEX invocation_open ON invocation (device, id) WHERE state IN ('Pending', 'Sent');
CREATE VIEW named_value AS
  SELECT device.hardware_id, quantity.name, value.event_ns, value.epoch, value.serial, value.value
  FROM value JOIN device ON device.id = value.device
  JOIN quantity ON quantity.id = value.quantity;
";

/// Opens the file for the one writer, making it if it is not there.
pub(crate) fn open_for_writing(path: &Path) -> StoreResult<(Connection, Quantities)> {
    let mut connection =
        Connection::open(path).map_err(StoreError::doing("open the store's file"))?;
    prepare_connection(&connection, 16 * 1024).map_err(|error| damaged(path, error))?;
    check(&connection, path)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(|error| damaged(path, error))?;
    make_tables(&mut connection).map_err(|error| damaged(path, error))?;
    let quantities = number_quantities(&mut connection)?;
    Ok((connection, quantities))
}

/// Opens the file for reading only; it must have been opened for writing before.
pub(super) fn open_for_reading(path: &Path) -> StoreResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        prepare_connection(&connection, 2 * 1024)?;
        Ok(connection)
    };
    open().map_err(StoreError::doing("open the store for reading"))
}

fn prepare_connection(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Refuses what is not ours or not sound, before anything is written to it.
fn check(connection: &Connection, path: &Path) -> StoreResult<()> {
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(|error| damaged(path, error))
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| damaged(path, error))?;
    if tables == 0 {
        return Ok(());
    }
    let found = number("application_id")?;
    if found != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned(), found });
    }
    let found = number("user_version")?;
    if found != FORMAT {
        return Err(StoreError::Format { path: path.to_owned(), found, expected: FORMAT });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| damaged(path, error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Damaged { path: path.to_owned(), found: verdict })
}

/// What SQLite says while a file is opened, as a verdict on the file where it is one.
fn damaged(path: &Path, error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            StoreError::Damaged { path: path.to_owned(), found: error.to_string() }
        }
        _ => StoreError::Sqlite { doing: "open the store's file", source: error },
    }
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let made: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if made == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

/// Numbers the registry's identifiers in the store, keeping the numbers given before.
fn number_quantities(connection: &mut Connection) -> StoreResult<Quantities> {
    let error = StoreError::doing("number the quantities");
    let transaction = connection.transaction().map_err(&error)?;
    {
        let mut insert = transaction
            .prepare("INSERT INTO quantity (name) VALUES (?1) ON CONFLICT DO NOTHING")
            .map_err(&error)?;
        for measurement in MEASUREMENTS {
            insert.execute([measurement.name]).map_err(&error)?;
        }
    }
    let names = read_quantities(&transaction)?;
    transaction.commit().map_err(&error)?;
    let by_name: BTreeMap<&str, u16> =
        names.iter().map(|(number, name)| (name.as_str(), *number)).collect();
    let numbers = MEASUREMENTS.iter().map(|measurement| by_name[measurement.name]).collect();
    Ok(Quantities { numbers, names })
}

fn read_quantities(connection: &Connection) -> StoreResult<BTreeMap<u16, String>> {
    let read = || {
        let mut statement = connection.prepare("SELECT id, name FROM quantity")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<_>>()
    };
    read().map_err(StoreError::doing("read the quantities"))
}
