//! A copy of a whole file, as of one moment, while it is written or not.

use std::path::Path;

use lastmeter_model::standing::Standing;
use rusqlite::Connection;

use super::schema;
use super::tables::damaged;
use crate::error::{StoreError, StoreResult};
use crate::files;

/// Copies a file that is or was open for writing; returns where the copy stands.
pub(crate) fn copy(path: &Path, to: &Path) -> StoreResult<Standing> {
    write_copy(&schema::open_for_reading(path)?, path, to)?;
    schema::read_standing(&schema::open_for_reading(to)?, to)
}

/// Writes what a connection sees into a file, durably; what is left there of an earlier attempt is
/// replaced.
pub(super) fn write_copy(connection: &Connection, path: &Path, to: &Path) -> StoreResult<()> {
    let file = |at: &Path| {
        let path = at.to_owned();
        |source| StoreError::File { path, source }
    };
    if to.exists() {
        std::fs::remove_file(to).map_err(file(to))?;
    }
    let folder = to.parent().unwrap_or(to);
    let pages = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let needed = pages("page_count").and_then(|count| Ok(count * pages("page_size")?));
    let needed = needed.map(i64::cast_unsigned).map_err(|error| damaged(path, error))?;
    let free = rustix::fs::statvfs(folder).map(|disk| disk.f_bavail * disk.f_frsize);
    let free = free.map_err(|error| file(folder)(error.into()))?;
    if free < needed {
        return Err(StoreError::NoRoomForCopy { path: folder.to_owned(), needed, free });
    }
    let copied = connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
    copied.map_err(StoreError::doing("copy the store"))?;
    let kept = files::tighten(to).and_then(|_| std::fs::File::open(to)?.sync_all());
    kept.map_err(file(to))
}
