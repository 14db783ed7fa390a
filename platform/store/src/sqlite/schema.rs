//! Opening a tenant's file: making it, or making sure that it is one of ours.
//!
//! The rows are not looked at here: each has its seal (`seal`), which is checked when it is read,
//! and all of them are read in the background (`inspect`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use lastmeter_model::standing::Standing;
use lastmeter_units::MEASUREMENTS;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::seal::{ReadResult, check_row, write_row};
use super::standing::decode;
use super::tables::{FORMAT, TABLES, TABLES_OF_3, damaged, unreadable, write_standing};
use super::{Quantities, migrate};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::files;
use crate::rows::text;

/// "LMTR", so that `file` and people recognise it.
const APPLICATION_ID: i64 = 0x4c4d_5452;

/// A file that has been opened.
pub(crate) struct Opened {
    /// The one connection that writes.
    pub connection: Connection,
    /// Its numbers of quantities.
    pub quantities: Quantities,
    /// Where it stands.
    pub standing: Standing,
}

/// Opens the file for the one writer, making it if it is not there.
pub(crate) fn open_for_writing(path: &Path) -> StoreResult<Opened> {
    make_private(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    check_header(path)?;
    let mut connection =
        Connection::open(path).map_err(StoreError::doing("open the store's file"))?;
    prepare_connection(&connection, 16 * 1024).map_err(|error| damaged(path, error))?;
    let found = format(&connection, path)?;
    let known = found.filter(|found| *found != migrate::FROM);
    known.map_or(Ok(()), |found| check_format(found, path))?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(|error| damaged(path, error))?;
    match found {
        None => make_tables(&mut connection).map_err(|error| damaged(path, error))?,
        Some(migrate::FROM) => migrate::migrate(&mut connection, path)?,
        Some(_) => {}
    }
    let (quantities, standing) = begin(&mut connection, path)?;
    Ok(Opened { connection, quantities, standing })
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

/// Opens the file for reading where nothing can be written, not even beside it: alone, so that
/// SQLite keeps in memory what several connections would share through a file.
pub(crate) fn open_alone(path: &Path) -> StoreResult<Opened> {
    check_header(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(StoreError::doing("open the store's file"))?;
    // Before anything is read: from then on it would be too late.
    connection
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON;")
        .map_err(|error| damaged(path, error))?;
    prepare_connection(&connection, 16 * 1024).map_err(|error| damaged(path, error))?;
    check_format(format(&connection, path)?.unwrap_or(0), path)?;
    check_schema(&connection, path)?;
    let standing = read_standing(&connection, path)?;
    let names = read_quantities(&connection, standing.quantities)
        .map_err(|error| unreadable(path, error))?;
    Ok(Opened { connection, quantities: Quantities::new(&names), standing })
}

/// An empty file that only its owner can read, if there is none; what is there is tightened.
pub(super) fn make_private(path: &Path) -> std::io::Result<()> {
    files::private().create(true).append(true).open(path)?;
    files::tighten(path)?;
    for beside in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        let beside = Path::new(&name);
        if beside.exists() {
            files::tighten(beside)?;
        }
    }
    Ok(())
}

/// What of the file's first bytes never changes, and what SQLite would believe it: the page's
/// size and reserved part, that no automatic vacuum moves pages, and the encoding of texts.
fn check_header(path: &Path) -> StoreResult<()> {
    const BYTES: usize = 100;
    let file = |source| StoreError::File { path: path.to_owned(), source };
    let mut bytes = Vec::with_capacity(BYTES);
    let opened = std::fs::File::open(path).map_err(file)?;
    opened.take(BYTES as u64).read_to_end(&mut bytes).map_err(file)?;
    if bytes.len() < BYTES || !bytes.starts_with(b"SQLite format 3\0") {
        // An empty file is a new one; of any other SQLite itself reports that it is none of its
        // own.
        return Ok(());
    }
    let number =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let is_sound = bytes[16..18] == [0x10, 0x00]
        && bytes[20..24] == [0, 64, 32, 32]
        && [number(52), number(56), number(64)] == [0, 1, 0];
    if is_sound || i64::from(number(68).cast_signed()) != APPLICATION_ID {
        return Ok(());
    }
    let found = "its header is not what was written".to_owned();
    Err(StoreError::Damaged { path: path.to_owned(), found })
}

pub(super) fn prepare_connection(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// The format of the store that there is, if there is one; refuses what is not ours, before
/// anything is written.
fn format(connection: &Connection, path: &Path) -> StoreResult<Option<i64>> {
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(|error| damaged(path, error))
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| damaged(path, error))?;
    if tables == 0 {
        return Ok(None);
    }
    let found = number("application_id")?;
    if found != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned(), found });
    }
    number("user_version").map(Some)
}

/// Refuses every format but this version's.
fn check_format(found: i64, path: &Path) -> StoreResult<()> {
    if found != FORMAT {
        return Err(StoreError::Format { path: path.to_owned(), found, expected: FORMAT });
    }
    Ok(())
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(TABLES_OF_3)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    write_standing(&transaction, &Standing::default())?;
    transaction.commit()
}

/// Everything that has to be right before a row is read or written.
fn begin(connection: &mut Connection, path: &Path) -> StoreResult<(Quantities, Standing)> {
    check_schema(connection, path)?;
    let mut standing = read_standing(connection, path)?;
    let names = read_quantities(connection, standing.quantities);
    let mut names = names.map_err(|error| unreadable(path, error))?;
    let transaction = connection.transaction().map_err(|error| damaged(path, error))?;
    let added = number_quantities(&transaction, &mut names, &mut standing);
    let begun = added.and_then(|()| {
        if !standing.has_earlier_rollups() {
            return Ok(());
        }
        transaction.execute("DELETE FROM rollup", []).map(drop)
    });
    begun.and_then(|()| transaction.commit()).map_err(|error| damaged(path, error))?;
    Ok((Quantities::new(&names), standing))
}

type Schema = std::collections::BTreeSet<(String, String, String, Option<String>)>;

fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}

/// The tables and indexes have to be the ones of this version, to the letter.
fn check_schema(connection: &Connection, path: &Path) -> StoreResult<()> {
    let expected = || {
        let model = Connection::open_in_memory()?;
        model.execute_batch(TABLES)?;
        model.execute_batch(TABLES_OF_3)?;
        schema(&model)
    };
    let expected = expected().map_err(StoreError::doing("lay out the tables"))?;
    let found = schema(connection).map_err(|error| damaged(path, error))?;
    match expected.symmetric_difference(&found).next() {
        None => Ok(()),
        Some((kind, name, ..)) => {
            let found = format!("{kind} `{name}` is not what was made");
            Err(StoreError::Damaged { path: path.to_owned(), found })
        }
    }
}

pub(super) fn read_standing(connection: &Connection, path: &Path) -> StoreResult<Standing> {
    let bytes: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM meta WHERE key = 'standing'", [], |row| row.get(0))
        .optional()
        .map_err(|error| damaged(path, error))?;
    bytes.as_deref().and_then(decode).ok_or_else(|| StoreError::Damaged {
        path: path.to_owned(),
        found: "where it stands cannot be read".to_owned(),
    })
}

/// Numbers the registry's identifiers in the store, keeping the numbers given before.
fn number_quantities(
    connection: &Connection,
    names: &mut BTreeMap<u16, String>,
    standing: &mut Standing,
) -> rusqlite::Result<()> {
    let known: std::collections::BTreeSet<String> = names.values().cloned().collect();
    let mut insert = connection.prepare("INSERT INTO quantity VALUES (?1, ?2, ?3)")?;
    for measurement in MEASUREMENTS.iter().filter(|one| !known.contains(one.name)) {
        let number = names.len() as u16 + 1;
        let row = [ValueRef::Integer(number.into()), text(measurement.name)];
        write_row(&mut insert, "quantity", &row)?;
        names.insert(number, measurement.name.to_owned());
    }
    if standing.quantities != names.len() as u64 {
        standing.quantities = names.len() as u64;
        write_standing(connection, standing)?;
    }
    Ok(())
}

/// The quantities; they are numbered from 1 without gaps, and there are so many.
fn read_quantities(connection: &Connection, count: u64) -> ReadResult<BTreeMap<u16, String>> {
    let mut statement = connection.prepare("SELECT id, name, sum FROM quantity ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut names = BTreeMap::new();
    while let Some(row) = rows.next()? {
        check_row("quantity", row, 2)?;
        names.insert(row.get(0)?, row.get(1)?);
        if names.last_key_value().map(|(id, _)| usize::from(*id)) != Some(names.len()) {
            return Err(Damage::missing("quantity", names.len()).into());
        }
    }
    if names.len() as u64 != count {
        return Err(Damage::missing("quantity", count).into());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLite takes no notice of a pragma that it does not know, and so of one that is misspelt.
    #[test]
    fn what_is_asked_of_sqlite_is_what_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let opened = open_for_writing(&path).unwrap();
        let asked = |connection: &Connection, pragma: &str| {
            connection
                .pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0))
        };
        for (pragma, expected) in [
            ("synchronous", 2.into()),
            ("wal_autocheckpoint", 4000.into()),
            ("journal_size_limit", 67_108_864.into()),
            ("journal_mode", "wal".to_owned().into()),
        ] {
            let expected: rusqlite::types::Value = expected;
            assert_eq!(asked(&opened.connection, pragma), Ok(expected), "{pragma}");
        }
    }
}
