//! Rows of the audit, and answers that are kept.

use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::document::{Answer, AnswerKey, Cursor};
use lastmeter_units::SimTime;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::read::Reader;
use super::seal::{ReadResult, check_row, write_row};
use crate::rows;
use crate::seam::{Rows, Stretch};

const AUDIT_COLUMNS: usize = 9;
const AUDIT: &str =
    "SELECT number, at_ns, who, action, resource, before, after, outcome, hash, sum FROM audit";

const ANSWER_COLUMNS: usize = 10;

pub(super) fn write(
    connection: &Connection,
    row: &AuditRow,
    hash: &Hash,
) -> rusqlite::Result<usize> {
    let insert = "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    write_row(&mut *connection.prepare_cached(insert)?, "audit", &rows::audit(row, hash))
}

impl Reader {
    /// Rows of the audit after a number.
    pub(super) fn audit(&self, stretch: Stretch) -> ReadResult<Rows<(AuditRow, Hash)>> {
        self.in_order(("audit", "number"), AUDIT, stretch, |row| {
            check_row("audit", row, AUDIT_COLUMNS)?;
            rows::read_audit(row)
        })
    }
}

/// The answer of a key.
pub(super) fn answer(connection: &Connection, key: &AnswerKey) -> ReadResult<Option<Answer>> {
    let query = "SELECT number, who, key, request, status, at_ns, gives, kind, name, version, sum
                 FROM answer INDEXED BY answer_key WHERE who = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(params![key.by, key.key])?;
    rows.next()?.map(read_answer).transpose()
}

fn read_answer(row: &Row<'_>) -> ReadResult<Answer> {
    check_row("answer", row, ANSWER_COLUMNS)?;
    rows::read_answer(row)
}

/// Writes an answer in place of another one of its key.
pub(super) fn write_answer(
    connection: &Connection,
    place: u64,
    answer: &Answer,
) -> rusqlite::Result<usize> {
    remove_answer(connection, &answer.key)?;
    let insert = "INSERT INTO answer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    write_row(&mut *connection.prepare_cached(insert)?, "answer", &rows::answer(place, answer))
}

pub(super) fn remove_answer(connection: &Connection, key: &AnswerKey) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM answer WHERE who = ?1 AND key = ?2";
    connection.prepare_cached(delete)?.execute(params![key.by, key.key])
}

/// Writes how far somebody has come.
pub(super) fn write_cursor(connection: &Connection, cursor: &Cursor) -> rusqlite::Result<usize> {
    let row = [ValueRef::Text(cursor.name.as_bytes()), ValueRef::Blob(&cursor.value)];
    let insert = "INSERT OR REPLACE INTO cursor VALUES (?1, ?2, ?3)";
    write_row(&mut *connection.prepare_cached(insert)?, "cursor", &row)
}

/// How far somebody has come.
pub(super) fn cursor(connection: &Connection, name: &str) -> ReadResult<Option<Vec<u8>>> {
    let query = "SELECT name, value, sum FROM cursor WHERE name = ?1";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([name])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    check_row("cursor", row, 2)?;
    Ok(Some(row.get(1)?))
}

/// Answers that are kept no longer, the oldest ones first.
pub(super) fn old_answers(
    connection: &Connection,
    given: SimTime,
    (by, kept): (&str, u32),
    limit: u32,
) -> rusqlite::Result<Vec<AnswerKey>> {
    let query = "SELECT who, key FROM answer WHERE number IN (
                   SELECT number FROM answer INDEXED BY answer_time WHERE at_ns <= ?1
                   UNION SELECT * FROM (
                     SELECT number FROM answer INDEXED BY answer_who WHERE who = ?2
                     ORDER BY number DESC LIMIT -1 OFFSET ?3)
                   ORDER BY 1 LIMIT ?4)
                 ORDER BY number";
    let keys = params![given.as_nanoseconds(), by, kept, limit];
    let mut statement = connection.prepare_cached(query)?;
    let rows =
        statement.query_map(keys, |row| Ok(AnswerKey { by: row.get(0)?, key: row.get(1)? }))?;
    rows.collect()
}
