//! Rows of the audit, and answers that are kept.

use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::document::{Answer, AnswerBody, AnswerKey};
use lastmeter_units::SimTime;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::read::Reader;
use super::seal::{ReadResult, check_row, number, text, write_row};
use crate::damage::Damage;
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
    let columns = [
        ValueRef::Integer(row.number.cast_signed()),
        ValueRef::Integer(row.at.as_nanoseconds()),
        text(&row.who),
        text(&row.action),
        text(&row.resource),
        row.before.as_ref().map_or(ValueRef::Null, |hash| ValueRef::Blob(hash)),
        row.after.as_ref().map_or(ValueRef::Null, |hash| ValueRef::Blob(hash)),
        text(&row.outcome),
        ValueRef::Blob(hash),
    ];
    let insert = "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    write_row(&mut *connection.prepare_cached(insert)?, "audit", &columns)
}

impl Reader {
    /// Rows of the audit after a number.
    pub(super) fn audit(&self, stretch: Stretch) -> ReadResult<Rows<(AuditRow, Hash)>> {
        self.in_order(("audit", "number"), AUDIT, stretch, |row| {
            check_row("audit", row, AUDIT_COLUMNS)?;
            let audit = AuditRow {
                number: row.get::<_, i64>(0)?.cast_unsigned(),
                at: SimTime(row.get(1)?),
                who: row.get(2)?,
                action: row.get(3)?,
                resource: row.get(4)?,
                before: row.get(5)?,
                after: row.get(6)?,
                outcome: row.get(7)?,
            };
            let bytes = audit.who.len() + audit.resource.len() + audit.outcome.len();
            Ok(((audit, row.get(8)?), bytes))
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
    let name = || row.get::<_, String>(8);
    let count = || row.get::<_, i64>(9);
    let body = match row.get::<_, i64>(6)? {
        0 => AnswerBody::Document(row.get(7)?, name()?, count()?.cast_unsigned()),
        1 => AnswerBody::Invocation(count()?),
        2 => AnswerBody::Text(name()?),
        3 => AnswerBody::Secret,
        other => {
            let found = format!("it gives {other}, expected 0 to 3");
            return Err(Damage::new("answer", row.get::<_, i64>(0)?, found).into());
        }
    };
    Ok(Answer {
        key: AnswerKey { by: row.get(1)?, key: row.get(2)? },
        request: row.get(3)?,
        status: row.get(4)?,
        at: SimTime(row.get(5)?),
        body,
    })
}

/// Writes an answer in place of another one of its key.
pub(super) fn write_answer(
    connection: &Connection,
    place: u64,
    answer: &Answer,
) -> rusqlite::Result<usize> {
    remove_answer(connection, &answer.key)?;
    let (gives, kind, name, version) = match &answer.body {
        AnswerBody::Document(kind, token, version) => {
            (0, Some((*kind).into()), Some(token), Some(version.cast_signed()))
        }
        AnswerBody::Invocation(id) => (1, None, None, Some(*id)),
        AnswerBody::Text(content) => (2, None, Some(content), None),
        AnswerBody::Secret => (3, None, None, None),
    };
    let columns = [
        ValueRef::Integer(place.cast_signed()),
        text(&answer.key.by),
        text(&answer.key.key),
        ValueRef::Blob(&answer.request),
        ValueRef::Integer(answer.status.into()),
        ValueRef::Integer(answer.at.as_nanoseconds()),
        ValueRef::Integer(gives),
        number(kind),
        name.map_or(ValueRef::Null, |name| text(name)),
        number(version),
    ];
    let insert = "INSERT INTO answer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    write_row(&mut *connection.prepare_cached(insert)?, "answer", &columns)
}

pub(super) fn remove_answer(connection: &Connection, key: &AnswerKey) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM answer WHERE who = ?1 AND key = ?2";
    connection.prepare_cached(delete)?.execute(params![key.by, key.key])
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
