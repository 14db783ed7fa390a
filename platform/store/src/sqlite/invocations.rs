//! Invocations of commands as rows. They are few and change; each write replaces the whole row.
//!
//! Each names the one before it of the same device, and the device's row names the last: the list
//! of a device is walked from there, so that no index can leave one out.

use std::collections::BTreeMap;

use lastmeter_model::invocation::{InvocationId, InvocationRow, InvocationState, NewInvocation};
use lastmeter_units::SimTime;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::seal::{ReadResult, check_row, number, text, write_row};
use crate::damage::Damage;

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
    let id: i64 = row.get(0)?;
    let state: String = row.get(9)?;
    let Some(state) = InvocationState::from_word(&state) else {
        return Err(Damage::new("invocation", id, format!("`{state}` is not a state")).into());
    };
    let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(SimTime));
    Ok(InvocationRow {
        id: InvocationId(id),
        asked: NewInvocation {
            device: row.get(1)?,
            command: row.get(2)?,
            parameters: texts(&row.get::<_, String>(3)?),
            initiator: row.get(4)?,
            initiator_id: row.get(5)?,
            metadata: texts(&row.get::<_, String>(6)?),
            created: SimTime(row.get(7)?),
            expires: SimTime(row.get(8)?),
        },
        state,
        sent: time(10)?,
        ended: time(11)?,
        response: row.get(12)?,
        previous: row.get(13)?,
    })
}

/// Writes one, new or changed.
pub(super) fn write(connection: &Connection, row: &InvocationRow) -> rusqlite::Result<usize> {
    let asked = &row.asked;
    let (parameters, metadata) = (json(&asked.parameters), json(&asked.metadata));
    let time = |time: Option<SimTime>| number(time.map(SimTime::as_nanoseconds));
    let columns = [
        ValueRef::Integer(row.id.0),
        ValueRef::Integer(asked.device),
        text(&asked.command),
        text(&parameters),
        text(&asked.initiator),
        text(&asked.initiator_id),
        text(&metadata),
        ValueRef::Integer(asked.created.as_nanoseconds()),
        ValueRef::Integer(asked.expires.as_nanoseconds()),
        text(row.state.word()),
        time(row.sent),
        time(row.ended),
        row.response.as_deref().map_or(ValueRef::Null, text),
        ValueRef::Integer(row.previous),
    ];
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO invocation
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    write_row(&mut statement, "invocation", &columns)
}

fn texts(json: &str) -> BTreeMap<String, String> {
    serde_json::from_str(json).unwrap_or_default()
}

fn json(texts: &BTreeMap<String, String>) -> String {
    serde_json::json!(texts).to_string()
}
