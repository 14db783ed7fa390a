//! One transaction of the writer: rows by their keys, each against its seal, and rows written.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_model::decide::{
    Batch, Effect, Found, Known, List, NewAlert, NewReading, NewRefusal, Old, Put, RefusedBytes,
    State,
};
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind};
use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::message::Number;
use lastmeter_model::row::{BlockRow, DeviceRow, ReadingRow, ResultRow};
use lastmeter_model::series::rollup::{BUCKET, Rollup};
use lastmeter_model::standing::Standing;
use lastmeter_units::{MeasurementId, SimTime};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction};

use super::files::StoreFiles;
use super::read::{self, Names, ReadContext, STATE, STATE_COLUMNS};
use super::seal::{ReadError, ReadResult, check_row, write_row};
use super::tables::write_standing;
use super::{audit, content, documents, invocations, numbered, rollups, tally};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::rows::{self, Numbered, number, text};
use crate::seam::{StoreBatch, StoreWriter};

/// The one connection that writes.
pub(crate) struct SqliteWriter {
    connection: Connection,
    context: ReadContext,
    files: StoreFiles,
}

impl SqliteWriter {
    /// Writes over a connection to a file; fails if that is not there any more.
    pub(crate) fn new(connection: Connection, context: ReadContext) -> StoreResult<Self> {
        let files = StoreFiles::of(Path::new(connection.path().unwrap_or_default()))?;
        Ok(Self { connection, context, files })
    }
}

impl StoreWriter for SqliteWriter {
    fn begin(&mut self) -> StoreResult<Box<dyn StoreBatch + '_>> {
        let transaction =
            self.connection.transaction().map_err(StoreError::doing("begin a transaction"))?;
        let (tallies, content) = (BTreeMap::new(), Vec::new());
        Ok(Box::new(SqliteBatch { transaction, context: &self.context, tallies, content }))
    }

    fn trouble(&self) -> Option<String> {
        self.files.trouble()
    }
}

/// A transaction, and what it counts for its end.
struct SqliteBatch<'a> {
    transaction: Transaction<'a>,
    context: &'a ReadContext,
    /// How many readings more there are by device and minute.
    tallies: BTreeMap<(i64, i64), i64>,
    content: Vec<u8>,
}

impl SqliteBatch<'_> {
    /// What was read; damage is reported, and nothing is made of it.
    fn found<T>(&self, read: ReadResult<Option<T>>) -> StoreResult<Found<T>> {
        match read {
            Ok(Some(value)) => Ok(Found::Sound(value)),
            Ok(None) => Ok(Found::Absent),
            Err(ReadError::Damaged(damage)) => {
                self.context.report(&damage);
                Ok(Found::Damaged)
            }
            Err(ReadError::Sqlite(error)) => Err(StoreError::doing("store a batch")(error)),
        }
    }

    /// The reading of a number, by its number or else by its date: a flipped bit in the index of
    /// numbers must not let a message be stored twice.
    fn find(
        &self,
        device: &DeviceRow,
        numbered: Number,
        event: Option<SimTime>,
    ) -> ReadResult<Option<ReadingRow>> {
        let names = Names { context: self.context, of_batch: Some(device) };
        let connection = &*self.transaction;
        if let Some(row) = read::numbered(connection, names, device.id, numbered)? {
            return Ok(Some(row));
        }
        let Some(date) = event else { return Ok(None) };
        for sequence in read::sequences_at(connection, device.id, date)? {
            let row = read::reading_of(connection, names, sequence)?;
            if row.device_row == device.id && row.number == Some(numbered) {
                let key = format!("{}, {}, {}", device.id, numbered.0, numbered.1);
                let damage = Damage::new("reading_identity", key, "the entry is missing");
                self.context.report(&damage);
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn stored_state(&self, device: i64) -> ReadResult<Option<State>> {
        let mut read = self.transaction.prepare_cached(STATE)?;
        let mut rows = read.query([device])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        check_row("state", row, STATE_COLUMNS)?;
        let known = content::decode_quantities(&row.get::<_, Vec<u8>>(2)?);
        let mut quantities: BTreeMap<_, _> = known.into_iter().map(|one| (one, None)).collect();
        for (quantity, event_ns, value) in content::decode_state(&row.get::<_, Vec<u8>>(3)?) {
            quantities.insert(quantity, Some((event_ns, value)));
        }
        let alerts = content::decode_alerts(&row.get::<_, Vec<u8>>(4)?);
        Ok(Some(State { last_interaction: SimTime(row.get(1)?), quantities, alerts }))
    }

    /// Writes a row, replacing one of its key where the statement does.
    fn write(&self, insert: &str, table: &str, row: &[ValueRef<'_>]) -> rusqlite::Result<usize> {
        write_row(&mut *self.transaction.prepare_cached(insert)?, table, row)
    }

    fn write_device(&self, device: &DeviceRow) -> rusqlite::Result<usize> {
        let insert = "INSERT OR REPLACE INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.write(insert, "device", &rows::device(device))
    }

    /// Whether it was written: not if its number is there already.
    fn write_reading(&mut self, reading: &NewReading<'_>) -> rusqlite::Result<bool> {
        content::encode_values(reading.values, &mut self.content);
        let event_ns = reading.event.as_nanoseconds();
        let times = (reading.event, reading.received, reading.commit);
        let [dated, received, commit] = content::encode_times(reading.is_dated, times);
        let row = [
            ValueRef::Integer(reading.sequence.cast_signed()),
            ValueRef::Integer(reading.device),
            number(reading.number.map(|(epoch, _)| epoch.cast_signed())),
            number(reading.number.map(|(_, serial)| serial.cast_signed())),
            ValueRef::Integer(event_ns),
            ValueRef::Integer(dated),
            ValueRef::Integer(reading.updates_state.into()),
            ValueRef::Integer(received),
            ValueRef::Integer(commit),
            ValueRef::Blob(&self.content),
            reading.extra.map_or(ValueRef::Null, text),
        ];
        let insert =
            "INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (device, epoch, serial) WHERE serial IS NOT NULL DO NOTHING";
        let is_written = self.write(insert, "reading", &row)? > 0;
        if is_written {
            let minute = tally::minute_of(event_ns);
            *self.tallies.entry((reading.device, minute)).or_default() += 1;
        }
        Ok(is_written)
    }

    fn write_alert(&self, alert: &NewAlert<'_>) -> rusqlite::Result<usize> {
        let insert = "INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        self.write(insert, "alert", &rows::alert(alert))
    }

    fn write_refusal(&self, refusal: &NewRefusal<'_>) -> rusqlite::Result<usize> {
        let insert = "INSERT INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.write(insert, "refusal", &rows::refusal(refusal))
    }

    /// Whether it was written: not if its number is there already.
    fn write_numbered<R: Numbered>(&self, device: i64, row: &R) -> rusqlite::Result<usize> {
        let table = R::TABLE;
        let insert = format!(
            "INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (device, epoch, serial) WHERE serial IS NOT NULL DO NOTHING"
        );
        row.columns(device, |columns| self.write(&insert, table, columns))
    }

    /// The result or block of a device under a number.
    fn row<R: Numbered>(&self, device: &DeviceRow, number: Number) -> StoreResult<Found<R>> {
        let names = Names { context: self.context, of_batch: Some(device) };
        self.found(numbered::find(&self.transaction, names, device.id, number))
    }

    fn write_state(&self, device: i64, state: &State) -> rusqlite::Result<usize> {
        let quantities = content::encode_quantities(state.quantities.keys());
        let last = |(quantity, last): (&u16, &Option<(i64, f64)>)| {
            last.map(|(event_ns, value)| (*quantity, event_ns, value))
        };
        let values = content::encode_state(state.quantities.iter().filter_map(last));
        let alerts = content::encode_alerts(&state.alerts);
        let row = [
            ValueRef::Integer(device),
            ValueRef::Integer(state.last_interaction.as_nanoseconds()),
            ValueRef::Blob(&quantities),
            ValueRef::Blob(&values),
            ValueRef::Blob(&alerts),
        ];
        self.write("INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "state", &row)
    }
}

impl Known for SqliteBatch<'_> {
    type Error = StoreError;

    fn quantity(&self, id: MeasurementId) -> u16 {
        self.context.quantities.number(id)
    }

    fn numbered(
        &mut self,
        device: &DeviceRow,
        number: Number,
        event: Option<SimTime>,
    ) -> StoreResult<Found<ReadingRow>> {
        self.found(self.find(device, number, event))
    }

    fn result(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<ResultRow>> {
        self.row(device, number)
    }

    fn block(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<BlockRow>> {
        self.row(device, number)
    }

    fn invocation(&mut self, id: InvocationId) -> StoreResult<Found<InvocationRow>> {
        self.found(invocations::find(&self.transaction, id))
    }

    fn state(&mut self, device: i64) -> StoreResult<Found<State>> {
        self.found(self.stored_state(device))
    }

    fn document(
        &mut self,
        kind: &'static DocumentKind,
        token: &str,
    ) -> StoreResult<Found<Document>> {
        self.found(documents::current(&self.transaction, kind, token))
    }

    fn answer(&mut self, key: &AnswerKey) -> StoreResult<Found<Answer>> {
        self.found(audit::answer(&self.transaction, key))
    }

    fn old_answers(
        &mut self,
        given: SimTime,
        of: (&str, u32),
        limit: u32,
    ) -> StoreResult<Vec<AnswerKey>> {
        let old = audit::old_answers(&self.transaction, given, of, limit);
        old.map_err(StoreError::doing("store a batch"))
    }

    fn rollup(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        self.found(rollups::find(&self.transaction, device, start))
    }

    fn summed_up(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        let (first, last) = tally::minutes(start, SimTime(start.0.saturating_add(BUCKET.0 - 1)));
        let more = self.tallies.range((device, first)..=(device, last)).map(|(_, more)| more).sum();
        self.found(rollups::summed_up(&self.transaction, device, start, more))
    }

    fn last_bucket(&mut self, device: i64) -> StoreResult<Option<SimTime>> {
        let last = rollups::last_bucket(&self.transaction, device);
        last.map_err(StoreError::doing("store a batch"))
    }

    fn event_from(&mut self, device: i64, from: SimTime) -> StoreResult<Option<SimTime>> {
        let event = rollups::event_from(&self.transaction, device, from);
        event.map_err(StoreError::doing("store a batch"))
    }

    fn oldest(&mut self, list: List, after: u64, limit: u32) -> StoreResult<Vec<Old>> {
        let found = rollups::oldest(&self.transaction, list, after, limit).map(Some);
        Ok(self.found(found)?.sound().unwrap_or_default())
    }

    fn removed(&mut self, device: i64, epoch: u64) -> StoreResult<Found<u64>> {
        self.found(rollups::removed(&self.transaction, device, epoch))
    }

    fn refused_bytes(&mut self) -> StoreResult<RefusedBytes> {
        let bytes = rollups::refused_bytes(&self.transaction);
        bytes.map_err(StoreError::doing("store a batch"))
    }
}

impl StoreBatch for SqliteBatch<'_> {
    fn commit(self: Box<Self>, standing: &Standing) -> StoreResult<()> {
        let Self { transaction, context, tallies, .. } = *self;
        tally::add(&transaction, &tallies, |damage| context.report(&damage))
            .and_then(|()| write_standing(&transaction, standing))
            .map_err(StoreError::doing("store a batch"))?;
        transaction.commit().map_err(StoreError::doing("commit a batch"))
    }
}

impl Batch for SqliteBatch<'_> {
    fn put(&mut self, effect: Effect<'_>) -> StoreResult<Put> {
        let written = match effect {
            Effect::Device(device) => self.write_device(device),
            Effect::Reading(reading) => self.write_reading(&reading).map(usize::from),
            Effect::Alert(alert) => self.write_alert(&alert),
            Effect::Result(device, result) => self.write_numbered(device, result),
            Effect::Block(device, block) => self.write_numbered(device, block),
            Effect::Refusal(refusal) => self.write_refusal(&refusal),
            Effect::Invocation(row) => invocations::write(&self.transaction, row),
            Effect::State(device, state) => self.write_state(device, state),
            Effect::Document(version) => documents::write(&self.transaction, &version),
            Effect::Audit(row, hash) => audit::write(&self.transaction, row, &hash),
            Effect::Answer(number, answer) => {
                audit::write_answer(&self.transaction, number, answer)
            }
            Effect::AnswerGone(key) => audit::remove_answer(&self.transaction, key),
            Effect::Cursor(cursor) => audit::write_cursor(&self.transaction, cursor),
            Effect::Rollup(device, row) => rollups::write(&self.transaction, device, row),
            Effect::RollupsGone { devices, before } => {
                rollups::remove(&self.transaction, devices, before)
            }
            Effect::Gone(list, through) => {
                let tallies = &mut self.tallies;
                rollups::remove_through(&self.transaction, list, through, |device, event_ns| {
                    *tallies.entry((device, tally::minute_of(event_ns))).or_default() -= 1;
                })
            }
            Effect::Removed { device, epoch, serial } => {
                rollups::write_removed(&self.transaction, device, (epoch, serial))
            }
        };
        let rows = written.map_err(StoreError::doing("store a batch"))?;
        Ok(if rows > 0 { Put::Written } else { Put::Repeated })
    }
}
