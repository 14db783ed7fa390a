//! `platform.db`: the tenants of a process, each with its state, its limits and the hashes of its
//! secrets, so that whatever a crash interrupted goes on at the next start.

use std::path::Path;

use lastmeter_units::TenantName;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::schema::{make_private, prepare_connection};
use super::seal::{ReadResult, check_row, write_row};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::rows::text;

/// "LMPF".
const APPLICATION_ID: i64 = 0x4c4d_5046;
const FORMAT: i64 = 1;
const TABLE: &str = "CREATE TABLE tenant (name TEXT PRIMARY KEY, state TEXT NOT NULL, \
    limits TEXT NOT NULL, administrators BLOB NOT NULL, devices BLOB NOT NULL, why TEXT, \
    sum INTEGER NOT NULL) STRICT, WITHOUT ROWID";
/// How many tenants there are, which a file that has lost some shows.
const TOTAL: &str = "CREATE TABLE total (tenants INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT";
/// Memory of all of SQLite's caches of the process. Beyond it each uses its own pages again instead
/// of growing, so that no number of tenants takes more than this and what each cannot do without.
const CACHES_BYTES: i64 = 64 * 1024 * 1024;

lastmeter_units::words! {
    /// Where a tenant stands between its making and its removal.
    pub enum TenantState {
        /// It is on record, and may have no files yet.
        Made = "made",
        /// Its files are made, or recovered.
        Starting = "starting",
        /// Clients are let in.
        Open = "open",
        /// Nobody is let in any more; its data is about to be removed.
        Closing = "closing",
        /// Its data is put aside, and being deleted.
        Removed = "removed",
        /// It could not be started.
        Failed = "failed",
    }
}

/// A tenant as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    /// Its name.
    pub name: TenantName,
    /// Where it stands.
    pub state: TenantState,
    /// Its limits, JSON.
    pub limits: String,
    /// SHA-256 of the administrators' secret.
    pub administrators: [u8; 32],
    /// SHA-256 of the secret that its devices share.
    pub devices: [u8; 32],
    /// Why it could not be started.
    pub why: Option<String>,
}

/// The file, open for the one process that uses its folder.
#[derive(Debug)]
pub struct PlatformFile(Connection);

impl PlatformFile {
    /// Opens the file; makes it if there is none.
    ///
    /// # Errors
    /// If the file is damaged, foreign or of another version, or the system refuses something.
    pub fn open(path: &Path) -> StoreResult<Self> {
        make_private(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        let damaged = |error: rusqlite::Error| {
            let found = error.to_string();
            StoreError::Damaged { path: path.to_owned(), found }
        };
        let connection =
            Connection::open(path).map_err(StoreError::doing("open the list of tenants"))?;
        prepare_connection(&connection, 1024).map_err(damaged)?;
        let number = |pragma: &str| {
            connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(damaged)
        };
        let tables = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
            .map_err(damaged)?;
        let (id, format) = (number("application_id")?, number("user_version")?);
        if tables > 0 && id != APPLICATION_ID {
            return Err(StoreError::Foreign { path: path.to_owned(), found: id });
        }
        if tables > 0 && format != FORMAT {
            let (path, expected) = (path.to_owned(), FORMAT);
            return Err(StoreError::Format { path, found: format, expected });
        }
        let settings = format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA soft_heap_limit = {CACHES_BYTES};"
        );
        connection.execute_batch(&settings).map_err(damaged)?;
        if tables == 0 {
            let made = format!(
                "BEGIN; {TABLE}; {TOTAL}; PRAGMA application_id = {APPLICATION_ID}; \
                 PRAGMA user_version = {FORMAT}; COMMIT;"
            );
            connection.execute_batch(&made).map_err(damaged)?;
        }
        let file = Self(connection);
        if tables == 0 {
            file.change(|_| Ok(()))?;
        }
        Ok(file)
    }

    /// Changes the list, and counts it anew, at once and durably.
    fn change(&self, change: impl Fn(&Connection) -> rusqlite::Result<()>) -> StoreResult<()> {
        let changed = || {
            let transaction = self.0.unchecked_transaction()?;
            change(&transaction)?;
            let count = |row: &Row<'_>| row.get(0);
            let count = transaction.query_row("SELECT count(*) FROM tenant", [], count)?;
            transaction.execute("DELETE FROM total", [])?;
            let mut statement = transaction.prepare_cached("INSERT INTO total VALUES (?1,?2)")?;
            write_row(&mut statement, "total", &[ValueRef::Integer(count)])?;
            drop(statement);
            transaction.commit()
        };
        changed().map_err(StoreError::doing("write the list of tenants"))
    }

    /// All tenants, by name.
    ///
    /// # Errors
    /// If a row is not as it was written.
    pub fn tenants(&self) -> StoreResult<Vec<TenantRecord>> {
        let doing = StoreError::doing("read the list of tenants");
        let list = || -> ReadResult<Vec<TenantRecord>> {
            let mut statement = self.0.prepare(
                "SELECT name, state, limits, administrators, devices, why, sum FROM tenant \
                 ORDER BY name",
            )?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                check_row("tenant", row, 6)?;
                found.push(record(row)?);
            }
            let counted = |row: &Row<'_>| Ok(check_row("total", row, 1).and(Ok(row.get(0)?)));
            let total: i64 = self.0.query_row("SELECT tenants, sum FROM total", [], counted)??;
            if total != found.len() as i64 {
                let found = format!("there are {} of {total} rows", found.len());
                return Err(Damage::new("tenant", "", found).into());
            }
            Ok(found)
        };
        list().map_err(|error| match error.as_damage("tenant", "") {
            Some(damage) => StoreError::DamagedPart(damage),
            None => doing(match error {
                super::seal::ReadError::Sqlite(error) => error,
                super::seal::ReadError::Damaged(_) => rusqlite::Error::InvalidQuery,
            }),
        })
    }

    /// Writes a tenant's row, durably.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn put(&self, record: &TenantRecord) -> StoreResult<()> {
        let row = [
            text(record.name.as_str()),
            text(record.state.word()),
            text(&record.limits),
            ValueRef::Blob(&record.administrators),
            ValueRef::Blob(&record.devices),
            record.why.as_deref().map_or(ValueRef::Null, text),
        ];
        self.change(|connection| {
            let mut statement = connection
                .prepare_cached("INSERT OR REPLACE INTO tenant VALUES (?1,?2,?3,?4,?5,?6,?7)")?;
            write_row(&mut statement, "tenant", &row).map(drop)
        })
    }

    /// Takes a tenant out of the list, durably.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn remove(&self, name: &TenantName) -> StoreResult<()> {
        self.change(|connection| {
            connection.execute("DELETE FROM tenant WHERE name = ?1", [name.as_str()]).map(drop)
        })
    }
}

fn record(row: &Row<'_>) -> ReadResult<TenantRecord> {
    let (name, state): (String, String) = (row.get(0)?, row.get(1)?);
    let unknown = |what: &str| Damage::new("tenant", &name, format!("it has no {what}"));
    Ok(TenantRecord {
        name: TenantName::new(&name).map_err(|_| unknown("name of a tenant"))?,
        state: TenantState::from_word(&state).ok_or_else(|| unknown("state of a tenant"))?,
        limits: row.get(2)?,
        administrators: row.get(3)?,
        devices: row.get(4)?,
        why: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn of(name: &str, state: TenantState) -> TenantRecord {
        TenantRecord {
            name: TenantName::new(name).unwrap(),
            state,
            limits: "{}".to_owned(),
            administrators: [1; 32],
            devices: [2; 32],
            why: None,
        }
    }

    #[test]
    fn rows_are_read_as_they_were_written_by_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.db");
        let file = PlatformFile::open(&path).unwrap();
        let why = Some("damaged".to_owned());
        let failed = TenantRecord { why, ..of("c", TenantState::Failed) };
        for record in [&failed, &of("b", TenantState::Made), &of("b", TenantState::Open)] {
            file.put(record).unwrap();
        }
        file.put(&of("d", TenantState::Closing)).unwrap();
        file.remove(&TenantName::new("d").unwrap()).unwrap();
        drop(file);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let found = PlatformFile::open(&path).unwrap().tenants().unwrap();
        assert_eq!(found, [of("b", TenantState::Open), failed]);
    }

    #[test]
    fn a_row_that_is_gone_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let file = PlatformFile::open(&folder.path().join("platform.db")).unwrap();
        assert_eq!(file.tenants().unwrap(), []);
        file.put(&of("b", TenantState::Open)).unwrap();
        file.put(&of("c", TenantState::Open)).unwrap();
        file.0.execute("DELETE FROM tenant WHERE name = 'b'", []).unwrap();
        let error = file.tenants().unwrap_err();
        assert!(matches!(error, StoreError::DamagedPart(_)), "{error}");
        assert!(error.to_string().contains("1 of 2 rows"), "{error}");
    }

    #[test]
    fn a_row_that_is_not_as_it_was_written_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.db");
        let file = PlatformFile::open(&path).unwrap();
        file.put(&of("b", TenantState::Open)).unwrap();
        file.0.execute("UPDATE tenant SET state = 'closing'", []).unwrap();
        let error = file.tenants().unwrap_err();
        assert!(matches!(error, StoreError::DamagedPart(_)), "{error}");
        file.0.pragma_update(None, "user_version", 2).unwrap();
        let error = PlatformFile::open(&path).unwrap_err();
        assert!(error.to_string().contains("has format 2"), "{error}");
    }
}
