//! Invocations of commands as rows. They are few and change; each write replaces the whole row.
//!
//! Each names the one before it of the same device, and the device's row names the last: the list
//! of a device is walked from there, so that no index can leave one out.

use lastmeter_model::invocation::{InvocationId, InvocationRow};
use rusqlite::{Connection, Row};

use super::seal::{ReadResult, check_row, write_row};
use crate::rows::{self, read_invocation};

const COLUMNS: usize = 14;
const SELECT: &str = "SELECT id, device, command, parameters, initiator, initiator_id, metadata,
    created_ns, expires_ns, state, sent_ns, ended_ns, response, previous, sum FROM invocation";

pub(super) fn find(connection: &Connection, id: InvocationId) -> ReadResult<Option<InvocationRow>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    let mut rows = statement.query([id.0])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> ReadResult<InvocationRow> {
    check_row("invocation", row, COLUMNS)?;
    read_invocation(row)
}

/// Writes one, new or changed.
pub(super) fn write(connection: &Connection, row: &InvocationRow) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO invocation
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    rows::invocation(row, |columns| write_row(&mut statement, "invocation", columns))
}
