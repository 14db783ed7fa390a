//! Results and blocks: rows by their sequence and by their number, each against its seal.

use lastmeter_model::message::Number;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::read::{Names, Reader};
use super::seal::{ReadResult, check_row};
use crate::damage::Damage;
use crate::rows::{NUMBERED, Numbered};
use crate::seam::{Rows, Stretch};

impl Reader {
    /// Rows after a sequence, up to the last one that is known to be committed.
    pub(super) fn rows<R: Numbered>(&self, stretch: Stretch) -> ReadResult<Rows<R>> {
        let names = self.names();
        self.in_order((R::TABLE, "sequence"), R::SEALED, stretch, |row| read(names, row))
    }

    /// The same, where the index of numbers has to lead to each.
    pub(super) fn indexed<R: Numbered>(&self, stretch: Stretch) -> ReadResult<Rows<R>> {
        let found = self.rows::<R>(stretch)?;
        for (sequence, device, number) in found.rows.iter().map(R::place) {
            let device = self.devices().row(device);
            let (Some(device), Some(number)) = (device, number) else { continue };
            let indexed = sequence_of::<R>(&self.connection, device, number)?;
            if indexed != Some(sequence.cast_signed()) {
                return Err(Damage::new(R::IDENTITY, sequence, "the entry is missing").into());
            }
        }
        Ok(found)
    }

    /// The row that a device sent under a number.
    pub(super) fn row<R: Numbered>(&self, device: i64, number: Number) -> ReadResult<Option<R>> {
        find(&self.connection, self.names(), device, number)
    }
}

fn read<R: Numbered>(names: Names<'_>, row: &Row<'_>) -> ReadResult<(R, usize)> {
    check_row(R::TABLE, row, NUMBERED)?;
    R::read(row, names.device(row.get(1)?)?)
}

/// Where the index of numbers leads to.
fn sequence_of<R: Numbered>(
    connection: &Connection,
    device: i64,
    (epoch, serial): Number,
) -> rusqlite::Result<Option<i64>> {
    let query = format!(
        "SELECT sequence FROM {} INDEXED BY {}
         WHERE device = ?1 AND epoch = ?2 AND serial = ?3 AND serial IS NOT NULL",
        R::TABLE,
        R::IDENTITY
    );
    let mut statement = connection.prepare_cached(&query)?;
    let key = params![device, epoch.cast_signed(), serial.cast_signed()];
    statement.query_row(key, |row| row.get(0)).optional()
}

/// The row that a device sent under a number.
pub(super) fn find<R: Numbered>(
    connection: &Connection,
    names: Names<'_>,
    device: i64,
    number: Number,
) -> ReadResult<Option<R>> {
    let Some(sequence) = sequence_of::<R>(connection, device, number)? else { return Ok(None) };
    let query = format!("{} WHERE sequence = ?1", R::SEALED);
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([sequence])?;
    match rows.next()? {
        Some(row) => Ok(Some(read(names, row)?.0)),
        None => Err(Damage::missing(R::TABLE, sequence).into()),
    }
}
