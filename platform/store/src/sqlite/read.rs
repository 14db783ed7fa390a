//! What one connection reads of committed snapshots: rows by their keys, each against its seal.

use std::sync::Arc;
use std::time::Instant;

use lastmeter_model::access::Cut;
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::documents::Documents;
use lastmeter_model::invocation::{InvocationId, InvocationRow, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{AlertRow, DeviceRow, DeviceState, ReadingRow, RefusalRow, StateValue};
use lastmeter_units::{HardwareId, MeasurementId, SimTime};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::seal::{ReadResult, check_row};
use super::{Quantities, content, invocations, rollups};
use crate::damage::Damage;
use crate::page::{PAGE_BYTES_MAX, PageRows, invocation_bytes, reading_bytes};
use crate::rows::{self, Columns, read_alert, read_refusal};
use crate::seam::{Observer, Page, Rows, Stretch};

/// What numbers in rows are called.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The quantities and the devices that are committed.
    pub(crate) context: &'a ReadContext,
    /// A device that may not be committed yet.
    pub(crate) of_batch: Option<&'a DeviceRow>,
}

impl Names<'_> {
    /// The device of a row: it has to be in the directory, or in the batch.
    pub(crate) fn device(&self, row: i64) -> Result<HardwareId, Damage> {
        let of_batch = self.of_batch.filter(|device| device.id == row);
        let of_batch = of_batch.map(|device| device.hardware_id.clone());
        let known = of_batch.or_else(|| self.context.devices.hardware_id(row));
        known.ok_or_else(|| Damage::missing("device", row))
    }

    /// Values with the names of their quantities.
    pub(crate) fn values(
        &self,
        values: impl IntoIterator<Item = (u16, f64)>,
    ) -> Result<Vec<(Arc<str>, f64)>, Damage> {
        let named = |(quantity, value)| match self.context.quantities.name(quantity) {
            Some(name) => Ok((Arc::clone(name), value)),
            None => Err(Damage::missing("quantity", quantity)),
        };
        values.into_iter().map(named).collect()
    }
}

/// One connection while it runs a query.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) context: ReadContext,
    slice_end: Instant,
}

/// The columns of a reading, without the seal.
const READING_COLUMNS: usize = 11;
pub(super) const READING: &str =
    "SELECT sequence, device, epoch, serial, event_ns, dated, update_state,
    received_ns, commit_ns, content, extra, sum FROM reading";

pub(super) const REFUSAL_COLUMNS: usize = 8;
pub(super) const REFUSAL: &str =
    "SELECT sequence, reason, device, topic, detail, event_ns, content,
    content_bytes, sum FROM refusal";

pub(super) const ALERT_COLUMNS: usize = 11;
pub(super) const ALERT: &str =
    "SELECT sequence, device, epoch, serial, event_ns, received_ns, level, type,
    message, update_state, extra, sum FROM alert";

/// The columns of a device's state, without the seal.
pub(super) const STATE_COLUMNS: usize = 5;
pub(super) const STATE: &str = "SELECT device, last_interaction_ns, quantities, content, alerts,
    sum FROM state WHERE device = ?1";

impl Reader {
    pub(super) fn new(connection: Connection, context: ReadContext, slice_end: Instant) -> Self {
        Self { connection, context, slice_end }
    }

    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }

    /// The directory of all registered devices.
    pub(super) fn devices(&self) -> &Arc<DeviceDirectory> {
        &self.context.devices
    }

    pub(super) fn names(&self) -> Names<'_> {
        Names { context: &self.context, of_batch: None }
    }

    /// Whether it is time to let others have a turn.
    #[expect(clippy::disallowed_methods, reason = "a slice is the machine's time")]
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.slice_end
    }

    /// Runs a query that is broken off at an instant, looking at the time after so many steps of
    /// SQLite's machine.
    #[expect(clippy::disallowed_methods, reason = "a deadline is the machine's time")]
    pub(super) fn interrupted_at<T>(
        &mut self,
        end: Instant,
        steps: std::ffi::c_int,
        query: impl FnOnce(&Self) -> ReadResult<T>,
    ) -> ReadResult<T> {
        self.connection.progress_handler(steps, Some(move || Instant::now() >= end))?;
        let result = self.snapshot(query);
        self.connection.progress_handler(0, None::<fn() -> bool>)?;
        result
    }

    /// Everything a query reads is of one moment.
    pub(super) fn snapshot<T>(&self, query: impl FnOnce(&Self) -> ReadResult<T>) -> ReadResult<T> {
        self.connection.execute_batch("BEGIN")?;
        let result = query(self);
        let ended = self.connection.execute_batch("COMMIT");
        let value = result?;
        ended?;
        Ok(value)
    }

    /// Rows of a table after a sequence, without a gap up to the last one there has to be. What
    /// cannot be read ends the rows before it; if there are none, it is the answer.
    pub(super) fn in_order<T>(
        &self,
        (table, key): (&'static str, &str),
        select: &str,
        Stretch { after, limit, last }: Stretch,
        read: impl Fn(&Row<'_>) -> ReadResult<(T, usize)>,
    ) -> ReadResult<Rows<T>> {
        let query = format!("{select} WHERE {key} > ?1 ORDER BY {key} LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut found = statement.query(params![after.cast_signed(), limit])?;
        let next = after.max(self.floor(table)?).saturating_add(1);
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0, next);
        while next <= last && rows.len() < limit as usize && bytes < PAGE_BYTES_MAX {
            let one = match found.next() {
                Ok(Some(row)) if row.get::<_, i64>(0) == Ok(next.cast_signed()) => read(row),
                Ok(_) => Err(Damage::missing(table, next).into()),
                Err(error) => Err(error.into()),
            };
            match one {
                Ok((row, row_bytes)) => {
                    rows.push(row);
                    bytes += row_bytes;
                    next += 1;
                }
                Err(error) => match error.as_damage(table, next) {
                    Some(damage) if !rows.is_empty() => {
                        self.context.report(&damage);
                        break;
                    }
                    Some(damage) => return Err(damage.into()),
                    None => return Err(error),
                },
            }
        }
        Ok(Rows { rows, is_more: next <= last })
    }

    /// Up to which sequence rows of a table are not kept any more.
    fn floor(&self, table: &str) -> ReadResult<u64> {
        Ok(rows::floor(&rollups::standing(&self.connection)?, table))
    }

    /// Readings after a commit sequence, up to the last one that is known to be committed.
    pub(super) fn readings(&self, stretch: Stretch) -> ReadResult<Rows<ReadingRow>> {
        let names = self.names();
        self.in_order(("reading", "sequence"), READING, stretch, |row| {
            let row = reading(names, row)?;
            let bytes = reading_bytes(&row);
            Ok((row, bytes))
        })
    }

    /// One reading; it has to be there.
    pub(super) fn reading_of(&self, sequence: i64) -> ReadResult<ReadingRow> {
        reading_of(&self.connection, self.names(), sequence)
    }

    /// The reading that a device sent under a number, if the store has one.
    pub(super) fn numbered(&self, device: i64, number: Number) -> ReadResult<Option<ReadingRow>> {
        numbered(&self.connection, self.names(), device, number)
    }

    /// Refusals after a sequence, up to the last one that is known to be committed.
    pub(super) fn refusals(&self, stretch: Stretch) -> ReadResult<Rows<RefusalRow>> {
        self.in_order(("refusal", "sequence"), REFUSAL, stretch, |row| {
            check_row("refusal", row, REFUSAL_COLUMNS)?;
            read_refusal(row)
        })
    }

    /// Alerts after a sequence, up to the last one that is known to be committed.
    pub(super) fn alerts(&self, stretch: Stretch) -> ReadResult<Rows<AlertRow>> {
        let names = self.names();
        self.in_order(("alert", "sequence"), ALERT, stretch, |row| alert(names, row))
    }

    /// What is known last of a device.
    pub(super) fn state(&self, device: i64) -> ReadResult<DeviceState> {
        let mut statement = self.connection.prepare_cached(STATE)?;
        let mut rows = statement.query([device])?;
        let Some(row) = rows.next()? else {
            // A device is made together with its state.
            return Err(Damage::missing("state", device).into());
        };
        check_row("state", row, STATE_COLUMNS)?;
        let mut values = Vec::new();
        for (quantity, event_ns, value) in content::decode_state(&row.get::<_, Vec<u8>>(3)?) {
            let Some(name) = self.context.quantities.name(quantity) else {
                return Err(Damage::missing("quantity", quantity).into());
            };
            values.push(StateValue { name: name.to_string(), event: SimTime(event_ns), value });
        }
        let alerts = content::decode_alerts(&row.get::<_, Vec<u8>>(4)?);
        let floor = self.floor("alert")?.cast_signed();
        Ok(DeviceState {
            last_interaction: SimTime(row.get(1)?),
            values,
            alerts: alerts
                .into_iter()
                .filter(|sequence| floor < *sequence)
                .map(|sequence| self.alert_of(device, sequence))
                .collect::<ReadResult<_>>()?,
        })
    }

    /// An alert that the state of a device names.
    fn alert_of(&self, device: i64, sequence: i64) -> ReadResult<AlertRow> {
        let mut statement =
            self.connection.prepare_cached(&format!("{ALERT} WHERE sequence = ?1"))?;
        let mut rows = statement.query([sequence])?;
        let Some(row) = rows.next()? else {
            return Err(Damage::missing("alert", sequence).into());
        };
        let (alert, _) = alert(self.names(), row)?;
        if row.get::<_, i64>(1)? != device {
            return Err(Damage::new("state", device, "it names another device's alert").into());
        }
        Ok(alert)
    }

    pub(super) fn quantities_of(&self, device: i64) -> ReadResult<Vec<MeasurementId>> {
        let mut statement = self.connection.prepare_cached(STATE)?;
        let mut rows = statement.query([device])?;
        let Some(row) = rows.next()? else {
            return Err(Damage::missing("state", device).into());
        };
        check_row("state", row, STATE_COLUMNS)?;
        let known = content::decode_quantities(&row.get::<_, Vec<u8>>(2)?);
        let quantities = &self.context.quantities;
        Ok(MeasurementId::all().filter(|id| known.contains(&quantities.number(*id))).collect())
    }

    pub(super) fn invocation(&self, id: InvocationId) -> ReadResult<Option<StoredInvocation>> {
        let Some(row) = invocations::find(&self.connection, id)? else { return Ok(None) };
        self.stored(row).map(Some)
    }

    /// Several invocations, which have to be there.
    pub(super) fn invocations(&self, ids: &[InvocationId]) -> ReadResult<Vec<StoredInvocation>> {
        let one = |id: &InvocationId| match self.invocation(*id)? {
            Some(row) => Ok(row),
            None => Err(Damage::missing("invocation", id.0).into()),
        };
        ids.iter().map(one).collect()
    }

    /// Invocations of a device that a cut leaves, newest first, and how many these are: from each
    /// to the one before.
    pub(super) fn invocations_of(
        &self,
        device: i64,
        page: Page,
        cut: &Cut,
    ) -> ReadResult<(u64, Vec<StoredInvocation>)> {
        // Read before the store: by then it has at least what the directory holds.
        let Some(known) = self.devices().device(device) else {
            return Err(Damage::missing("device", device).into());
        };
        let mut rows = PageRows::new(page.limit);
        let (mut next, mut place) = (known.last_command, 0);
        // The number of all is known; that of some is found at the end.
        let end = page.offset.saturating_add(page.limit.into());
        let end = if cut.windows().is_none() { known.commands.min(end) } else { known.commands };
        for _ in 0..end {
            let Some(row) = invocations::find(&self.connection, InvocationId(next))? else {
                return Err(Damage::missing("invocation", next).into());
            };
            if row.asked.device != device {
                let found = format!("it is not of device {device}");
                return Err(Damage::new("invocation", next, found).into());
            }
            next = row.previous;
            if cut.has(row.asked.created) {
                if place >= page.offset && !rows.is_full() {
                    let bytes = invocation_bytes(&row);
                    rows.push(self.stored(row)?, bytes);
                }
                place += 1;
            }
        }
        Ok((if cut.windows().is_none() { known.commands } else { place }, rows.take()))
    }

    fn stored(&self, row: InvocationRow) -> ReadResult<StoredInvocation> {
        let Some(device) = self.devices().device(row.asked.device) else {
            return Err(Damage::missing("device", row.asked.device).into());
        };
        let (hardware_id, assignment) = (device.hardware_id, device.assignment);
        Ok(StoredInvocation { hardware_id, assignment, row })
    }
}

/// One reading; it has to be there.
pub(super) fn reading_of(
    connection: &Connection,
    names: Names<'_>,
    sequence: i64,
) -> ReadResult<ReadingRow> {
    let mut statement = connection.prepare_cached(&format!("{READING} WHERE sequence = ?1"))?;
    let mut rows = statement.query([sequence])?;
    match rows.next()? {
        Some(row) => reading(names, row),
        None => Err(Damage::missing("reading", sequence).into()),
    }
}

/// The reading that a device sent under a number, if the store has one.
pub(super) fn numbered(
    connection: &Connection,
    names: Names<'_>,
    device: i64,
    number: Number,
) -> ReadResult<Option<ReadingRow>> {
    let Some(sequence) = sequence_of(connection, device, number)? else { return Ok(None) };
    let row = reading_of(connection, names, sequence)?;
    if row.device_row == device && row.number == Some(number) {
        return Ok(Some(row));
    }
    let key = format!("{device}, {}, {}", number.0, number.1);
    Err(Damage::new("reading_identity", key, "it leads to another reading").into())
}

/// Where a reading is by the index of identities.
pub(super) fn sequence_of(
    connection: &Connection,
    device: i64,
    (epoch, serial): Number,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT sequence FROM reading INDEXED BY reading_identity
             WHERE device = ?1 AND epoch = ?2 AND serial = ?3 AND serial IS NOT NULL",
        )?
        .query_row(params![device, epoch.cast_signed(), serial.cast_signed()], |row| row.get(0))
        .optional()
}

/// Where a device has readings of an instant by the index of times, the latest of them.
pub(super) fn sequences_at(
    connection: &Connection,
    device: i64,
    event: SimTime,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM reading INDEXED BY reading_time
         WHERE device = ?1 AND event_ns = ?2 ORDER BY sequence DESC LIMIT 1000",
    )?;
    let rows = statement.query_map([device, event.as_nanoseconds()], |row| row.get(0))?;
    rows.collect()
}

/// Whether the index of times has an entry of a reading.
pub(super) fn is_at(
    connection: &Connection,
    device: i64,
    event: SimTime,
    sequence: i64,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM reading INDEXED BY reading_time
             WHERE device = ?1 AND event_ns = ?2 AND sequence = ?3",
        )?
        .exists([device, event.as_nanoseconds(), sequence])
}

fn reading(names: Names<'_>, row: &Row<'_>) -> ReadResult<ReadingRow> {
    let Measured { device, event, is_dated, received, commit, values } = measured(row)?;
    Ok(ReadingRow {
        sequence: row.count(0)?,
        device: names.device(device)?,
        device_row: device,
        number: row.number(2)?,
        event,
        is_dated,
        updates_state: row.get(6)?,
        received,
        commit,
        values: names.values(values)?,
        extra: row.get(10)?,
    })
}

/// What a row of `reading` has of its device, times and values.
pub(super) struct Measured {
    pub(super) device: i64,
    pub(super) event: SimTime,
    is_dated: bool,
    pub(super) received: SimTime,
    commit: SimTime,
    pub(super) values: content::Values,
}

/// Reads a row of `READING` that fits its seal.
pub(super) fn measured(row: &Row<'_>) -> ReadResult<Measured> {
    check_row("reading", row, READING_COLUMNS)?;
    let (device, event) = (row.get(1)?, SimTime(row.get(4)?));
    let numbers = [row.get(5)?, row.get(7)?, row.get(8)?];
    let (is_dated, received, commit) = content::decode_times(event, numbers);
    let bytes = row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?;
    let values = content::decode_values(numbers[0], bytes);
    Ok(Measured { device, event, is_dated, received, commit, values })
}

fn alert(names: Names<'_>, row: &Row<'_>) -> ReadResult<(AlertRow, usize)> {
    check_row("alert", row, ALERT_COLUMNS)?;
    read_alert(row, names.device(row.get(1)?)?)
}

/// What queries need beside the file.
#[derive(Clone)]
pub struct ReadContext {
    /// The store's numbers of quantities.
    pub quantities: Arc<Quantities>,
    /// Every registered device.
    pub devices: Arc<DeviceDirectory>,
    /// The resident documents.
    pub documents: Arc<Documents>,
    /// Hears of damage.
    pub observer: Arc<dyn Observer>,
}

impl ReadContext {
    /// Reports damage that was found while something was read.
    pub(super) fn report(&self, damage: &Damage) {
        self.observer.damaged(damage);
    }
}
