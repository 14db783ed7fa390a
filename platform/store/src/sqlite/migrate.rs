//! A file of format 2 becomes one of format 3: backed up first, then changed in one transaction, so
//! that whatever stops it finds format 2 at the next start.
//!
//! All tables stay as they are but `alert`, whose rows are copied with the two columns that they
//! gain. A row that does not fit its seal gets none, so that it stays damaged.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction};

use super::copy::write_copy;
use super::schema::read_standing;
use super::seal::seal;
use super::tables::{FORMAT, TABLES_OF_3, damaged, write_standing};
use crate::error::{StoreError, StoreResult};
use crate::files;

/// The format that this is for.
pub(super) const FROM: i64 = 2;

/// Columns of an alert of format 2, without the seal.
const ALERT_COLUMNS: usize = 9;

/// Changes a file in place, behind a backup in `backups` beside it.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> StoreResult<()> {
    let backup = back_up(connection, path)?;
    let standing = read_standing(connection, path)?;
    let transaction = connection.transaction().map_err(|error| damaged(path, error))?;
    let changed = change(&transaction)
        .and_then(|()| write_standing(&transaction, &standing))
        .and_then(|()| transaction.commit());
    changed.map_err(|error| damaged(path, error))?;
    let (path, backup) = (path.display(), backup.display());
    tracing::info!(%path, %backup, from = FROM, to = FORMAT, "a store was migrated");
    Ok(())
}

/// Writes a copy of the whole file; what a start that was broken off left of one is replaced.
fn back_up(connection: &Connection, path: &Path) -> StoreResult<PathBuf> {
    let folder = path.with_file_name("backups");
    let file = |at: &Path| {
        let path = at.to_owned();
        |source| StoreError::File { path, source }
    };
    files::make_folder(&folder).map_err(file(&folder))?;
    let backup = folder.join(format!("store-format-{FROM}.db"));
    let unfinished = backup.with_extension("db.new");
    write_copy(connection, path, &unfinished)?;
    let kept = std::fs::rename(&unfinished, &backup)
        .and_then(|()| std::fs::File::open(&folder)?.sync_all());
    kept.map_err(file(&backup))?;
    Ok(backup)
}

fn change(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch("ALTER TABLE alert RENAME TO alert_of_2")?;
    transaction.execute_batch(TABLES_OF_3)?;
    copy_alerts(transaction)?;
    transaction.execute_batch("DROP TABLE alert_of_2")?;
    transaction.pragma_update(None, "user_version", FORMAT)
}

fn copy_alerts(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut select = transaction.prepare(
        "SELECT sequence, device, event_ns, received_ns, level, type, message, update_state,
         extra, sum FROM alert_of_2 ORDER BY sequence",
    )?;
    let mut insert = transaction.prepare(
        "INSERT INTO alert VALUES (?1, ?2, NULL, NULL, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        for index in 0..ALERT_COLUMNS {
            let column = rusqlite::types::ToSqlOutput::Borrowed(row.get_ref(index)?);
            insert.raw_bind_parameter(index + 1, column)?;
        }
        insert.raw_bind_parameter(ALERT_COLUMNS + 1, new_seal(row)?)?;
        insert.raw_execute()?;
    }
    Ok(())
}

/// The seal of an alert in format 3, if it fits its seal in format 2.
fn new_seal(row: &Row<'_>) -> rusqlite::Result<Option<i64>> {
    let columns = (0..ALERT_COLUMNS).map(|index| row.get_ref(index));
    let mut columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
    let was = ValueRef::Integer(seal("alert", columns.iter().copied()));
    let is_sound = row.get_ref(ALERT_COLUMNS)? == was;
    columns.splice(2..2, [ValueRef::Null; 2]);
    Ok(is_sound.then(|| seal("alert", columns)))
}
