//! What is read once at the start: the devices, the resident documents, and the commands that
//! nobody has answered.
//!
//! This is all there is to read before the first query: how long a start takes does not depend on
//! how much devices have sent.

use std::path::Path;

use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::row::DeviceRow;
use lastmeter_units::SimTime;
use rusqlite::Connection;

use super::read::ReadContext;
use super::schema::Opened;
use super::seal::{ReadResult, check_row};
use super::tables::unreadable;
use super::{documents, invocations};
use crate::damage::Damage;
use crate::error::StoreResult;
use crate::rows::read_device;

/// Fills the directories, and reports what is wrong with the ends of the tables. Returns when
/// which invocation expires.
///
/// # Errors
/// [`crate::StoreError::Damaged`] if a device cannot be read: nothing of it could be answered, and
/// it would be registered a second time.
pub(crate) fn load(
    opened: &mut Opened,
    context: &ReadContext,
    (tenant, path): (&str, &Path),
) -> StoreResult<Vec<(InvocationId, SimTime)>> {
    let devices = devices(tenant, &opened.connection, opened.standing.devices);
    let devices = devices.map_err(|error| unreadable(path, error))?;
    let open = open_invocations(opened, context).map_err(|error| unreadable(path, error))?;
    check_ends(opened, context).map_err(|error| unreadable(path, error.into()))?;
    let documents = documents::resident(&opened.connection, |damage| context.report(damage));
    context.documents.enter(documents.map_err(|error| unreadable(path, error))?);
    let expiries = open.iter().map(|row| (row.id, row.asked.expires)).collect();
    context.devices.fill(devices, open.iter().map(|row| (row.asked.device, row.id)).collect());
    Ok(expiries)
}

fn devices(tenant: &str, connection: &Connection, count: u64) -> ReadResult<Vec<DeviceRow>> {
    let mut statement = connection.prepare(
        "SELECT id, hardware_id, created_ns, commands, last_command, sum FROM device ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        check_row("device", row, 5)?;
        devices.push(read_device(row, tenant, devices.len() + 1)?);
    }
    if devices.len() as u64 != count {
        return Err(Damage::missing("device", count).into());
    }
    Ok(devices)
}

/// The open invocations by their index; if that has another number of them than there are, by the
/// table itself.
fn open_invocations(opened: &Opened, context: &ReadContext) -> ReadResult<Vec<InvocationRow>> {
    let connection = &opened.connection;
    let mut statement = connection.prepare(
        "SELECT id FROM invocation INDEXED BY invocation_open
         WHERE state IN ('Pending', 'Sent') ORDER BY id",
    )?;
    let indexed: Result<Vec<i64>, _> = statement.query_map([], |row| row.get(0))?.collect();
    let mut damaged = Vec::new();
    let mut open = still_open(connection, indexed?.into_iter(), &mut damaged)?;
    if open.len() as u64 != opened.standing.open || !damaged.is_empty() {
        context.report(&Damage::new("invocation_open", "", "it does not match the table"));
        damaged.clear();
        let all = 1..=opened.standing.invocations.cast_signed();
        open = still_open(connection, all, &mut damaged)?;
    }
    for damage in &damaged {
        context.report(damage);
    }
    Ok(open)
}

fn still_open(
    connection: &Connection,
    ids: impl Iterator<Item = i64>,
    damaged: &mut Vec<Damage>,
) -> ReadResult<Vec<InvocationRow>> {
    let mut open = Vec::new();
    for id in ids {
        match invocations::find(connection, InvocationId(id)) {
            Ok(Some(row)) if row.is_open() => open.push(row),
            Ok(Some(_)) => {}
            Ok(None) => damaged.push(Damage::missing("invocation", id)),
            Err(error) => match error.as_damage("invocation", id) {
                Some(damage) => damaged.push(damage),
                None => return Err(error),
            },
        }
    }
    Ok(open)
}

/// The last row of each table has to be the one that was written last. New rows go behind whatever
/// is there.
fn check_ends(opened: &mut Opened, context: &ReadContext) -> rusqlite::Result<()> {
    let checkpoint = &mut opened.standing;
    let ends = [
        ("reading", "sequence", &mut checkpoint.readings, checkpoint.reading_floor),
        ("refusal", "sequence", &mut checkpoint.refusals, checkpoint.refusal_floor),
        ("alert", "sequence", &mut checkpoint.alerts, checkpoint.alert_floor),
        ("result", "sequence", &mut checkpoint.results, checkpoint.result_floor),
        ("block", "sequence", &mut checkpoint.blocks, checkpoint.block_floor),
        ("invocation", "id", &mut checkpoint.invocations, 0),
        ("document_version", "number", &mut checkpoint.versions, 0),
        ("audit", "number", &mut checkpoint.chain.count, 0),
    ];
    for (table, key, count, floor) in ends {
        let query = format!("SELECT coalesce(max({key}), ?1) FROM {table}");
        let floor = [floor.cast_signed()];
        let last = opened.connection.query_row(&query, floor, |row| row.get::<_, i64>(0));
        match last.map(i64::cast_unsigned) {
            Ok(last) if last == *count => {}
            Ok(last) => {
                let found = format!("the last row is {last}");
                context.report(&Damage::new(table, *count, found));
                *count = last.max(*count);
            }
            Err(error) if super::seal::is_corrupt(&error) => {
                context.report(&Damage::new(table, *count, error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
