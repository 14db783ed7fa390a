//! The one writer of a schema: look-ups as they are asked for, everything else at the commit.
//!
//! Nobody else writes the schema, so what was read or committed once need not be read again: the
//! highest serial of each device shows without a query that a number is new, and the states of
//! some thousand devices are kept. Look-ups end at where the store stood before the batch. So a
//! batch whose commit was not answered is decided the same when it is repeated, and its commit
//! finds whether it is there already.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use lastmeter_model::decide::{Batch, Effect, Found, Known, NewReading, Put, State};
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind};
use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::message::Number;
use lastmeter_model::row::{DeviceRow, ReadingRow};
use lastmeter_model::standing::Standing;
use lastmeter_units::{MeasurementId, SimTime};
use tokio::runtime::Runtime;
use tokio_postgres::Row;

use super::error::{PostgresError, ReadError, ReadResult, is_corrupt};
use super::gathered::Gathered;
use super::session::{Database, Parameter, Session};
use super::{INVOCATION, READING_BY_NUMBER, STATE, rows, schema, text};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::seam::{StoreBatch, StoreWriter};
use crate::sqlite::ReadContext;
use crate::sqlite::standing::decode;

/// States of devices that are kept in memory.
const STATES_MAX: usize = 4096;
/// How long the server may work on one request, s.
const ANSWER_S: u64 = 60;

/// The one connection that writes a schema. It works on a runtime of its own, so it must not be
/// used within another one: a thread of its own has it.
pub struct PostgresWriter {
    runtime: Runtime,
    database: Database,
    context: ReadContext,
    session: Option<Session>,
    /// Where the schema stood when it was last heard.
    standing: Standing,
    /// States as they stand there, of some devices.
    states: BTreeMap<i64, State>,
    /// By device, an epoch and the highest serial of it that is there.
    highest: BTreeMap<i64, (u64, Option<i64>)>,
    doubt: Option<Doubt>,
}

/// A batch of which it is not known whether it was committed.
struct Doubt {
    standing: Standing,
    /// The invocations that it found.
    invocations: BTreeMap<InvocationId, Found<InvocationRow>>,
}

/// Runs something that the server has to answer; the runtime of one thread waits for it.
fn wait<T>(
    runtime: &Runtime,
    doing: &'static str,
    work: impl Future<Output = Result<T, PostgresError>>,
) -> Result<T, PostgresError> {
    let limited = async { tokio::time::timeout(Duration::from_secs(ANSWER_S), work).await };
    let silent = |_| PostgresError::Silent { doing, limit_s: ANSWER_S };
    runtime.block_on(limited).map_err(silent).flatten()
}

fn storing(source: tokio_postgres::Error) -> PostgresError {
    PostgresError::Query { doing: "store a batch", source }
}

impl PostgresWriter {
    /// Connects; the schema is made if it is not there.
    pub(super) fn open(
        database: Database,
        tenant: &str,
        context: impl FnOnce(&schema::Start) -> ReadContext,
    ) -> Result<(Self, schema::Start), PostgresError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(PostgresError::Runtime)?;
        let (session, start) = runtime.block_on(async {
            let session = schema::connect_writer(&database).await?;
            let start = schema::start(&database, &session, tenant).await?;
            Ok::<_, PostgresError>((session, start))
        })?;
        let writer = Self {
            runtime,
            context: context(&start),
            database,
            session: Some(session),
            standing: start.standing,
            states: BTreeMap::new(),
            highest: BTreeMap::new(),
            doubt: None,
        };
        Ok((writer, start))
    }

    pub(super) fn context(&self) -> &ReadContext {
        &self.context
    }

    /// Connects again if the connection is lost.
    fn ensure_connected(&mut self) -> Result<(), PostgresError> {
        if self.session.as_ref().is_some_and(|session| session.client.is_closed()) {
            self.session = None;
        }
        if self.session.is_none() {
            let connecting = schema::connect_writer(&self.database);
            self.session = Some(wait(&self.runtime, "connect", connecting)?);
        }
        Ok(())
    }

    /// The row of a look-up.
    fn row(&mut self, sql: &'static str, keys: &[Parameter<'_>]) -> StoreResult<Option<Row>> {
        self.ensure_connected()?;
        let Some(session) = &self.session else { return Ok(None) };
        let query = async { session.row(sql, keys).await.map_err(storing) };
        let found = wait(&self.runtime, "look up", query);
        if found.is_err() {
            self.session = None;
        }
        Ok(found?)
    }

    /// What was read; damage is reported, and nothing is made of it.
    fn found<T>(
        &mut self,
        (part, key): (&'static str, String),
        row: StoreResult<Option<Row>>,
        read: impl FnOnce(&ReadContext, &Row) -> ReadResult<T>,
    ) -> StoreResult<Found<T>> {
        let damage = match row {
            Ok(None) => return Ok(Found::Absent),
            Ok(Some(row)) => match read(&self.context, &row) {
                Ok(value) => return Ok(Found::Sound(value)),
                Err(ReadError::Damaged(damage)) => damage,
                Err(ReadError::Postgres(error)) => Damage::new(part, key, error.to_string()),
            },
            Err(StoreError::Postgres(PostgresError::Query { source, .. }))
                if is_corrupt(&source) =>
            {
                Damage::new(part, key, source.to_string())
            }
            Err(error) => return Err(error),
        };
        self.context.observer.damaged(&damage);
        Ok(Found::Damaged)
    }

    /// Whether a device was there before the batch at hand.
    fn is_committed(&self, device: i64) -> bool {
        device.cast_unsigned() <= self.standing.devices
    }

    /// The reading of a number, as of before the batch.
    fn numbered(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<ReadingRow>> {
        if !self.is_committed(device.id) || self.is_above(device.id, number)? {
            return Ok(Found::Absent);
        }
        let (epoch, serial) = (number.0.cast_signed(), number.1.cast_signed());
        let end = self.standing.readings.cast_signed();
        let row = self.row(READING_BY_NUMBER, &[&device.id, &epoch, &serial, &end]);
        let key = format!("{}, {}, {}", device.id, number.0, number.1);
        self.found(("reading_identity", key), row, |context, row| {
            Ok(rows::reading(context, Some(device), row)?.0)
        })
    }

    /// Whether a number lies above all that a device has of its epoch.
    fn is_above(&mut self, device: i64, (epoch, serial): Number) -> StoreResult<bool> {
        let known = self.highest.get(&device).filter(|known| known.0 == epoch);
        let highest = if let Some((_, highest)) = known {
            *highest
        } else {
            let query = "SELECT max(serial) FROM reading WHERE device = $1 AND epoch = $2
                         AND serial IS NOT NULL AND sequence <= $3";
            let end = self.standing.readings.cast_signed();
            let row = self.row(query, &[&device, &epoch.cast_signed(), &end])?;
            let highest = row.map(|row| row.try_get(0)).transpose().map_err(storing)?.flatten();
            self.highest.insert(device, (epoch, highest));
            highest
        };
        Ok(highest.is_none_or(|highest| highest < serial.cast_signed()))
    }

    /// Whether a number was there before the batch.
    fn has(&mut self, device: i64, (epoch, serial): Number) -> StoreResult<bool> {
        let (epoch, serial) = (epoch.cast_signed(), serial.cast_signed());
        let end = self.standing.readings.cast_signed();
        let row = self.row(READING_BY_NUMBER, &[&device, &epoch, &serial, &end])?;
        Ok(row.is_some())
    }

    fn state(&mut self, device: i64) -> StoreResult<Found<State>> {
        if let Some(state) = self.states.get(&device) {
            return Ok(Found::Sound(state.clone()));
        }
        if !self.is_committed(device) {
            return Ok(Found::Absent);
        }
        let row = self.row(STATE, &[&device]);
        let found = self.found(("state", device.to_string()), row, |_, row| rows::state(row))?;
        if let Found::Sound(state) = &found {
            self.states.insert(device, state.clone());
        }
        Ok(found)
    }

    /// Writes a batch, unless it is there already.
    fn write(&mut self, gathered: &Gathered, to: &Standing) -> Result<(), PostgresError> {
        self.ensure_connected()?;
        let Some(session) = &self.session else { return Ok(()) };
        let moved = |found: u64| PostgresError::Moved {
            schema: self.database.schema.clone(),
            found,
            expected: self.standing.journal_committed,
        };
        let in_doubt = self.doubt.as_ref().map(|doubt| doubt.standing);
        wait(&self.runtime, "store a batch", async {
            session.client.batch_execute("BEGIN").await.map_err(storing)?;
            let lock = "SELECT standing FROM meta FOR UPDATE";
            let found = session.row(lock, &[]).await.map_err(storing)?;
            let found = found.and_then(|row| decode(row.try_get(0).ok()?));
            if found != Some(self.standing) {
                if found == Some(*to) && found == in_doubt {
                    return session.client.batch_execute("ROLLBACK").await.map_err(storing);
                }
                return Err(moved(found.map_or(0, |found| found.journal_committed)));
            }
            if !gathered.write(session).await.map_err(storing)? {
                return Err(moved(self.standing.journal_committed));
            }
            let standing = crate::sqlite::standing::encode(to);
            let update = "UPDATE meta SET standing = $1";
            session.run(update, &[&&standing[..]]).await.map_err(storing)?;
            let commit = session.client.batch_execute("COMMIT").await;
            commit.map_err(|source| PostgresError::Query { doing: "commit a batch", source })
        })
    }

    /// Takes over what has been committed.
    fn settle(&mut self, mut gathered: Gathered, standing: &Standing) {
        (self.standing, self.doubt) = (*standing, None);
        for (device, (epoch, serial)) in gathered.readings.by_number.into_keys() {
            let serial = serial.cast_signed();
            if let Some(known) = self.highest.get_mut(&device).filter(|known| known.0 == epoch) {
                known.1 = known.1.max(Some(serial));
            }
        }
        if self.states.len() + gathered.states.len() > STATES_MAX {
            self.states.clear();
        }
        if gathered.states.len() <= STATES_MAX {
            self.states.append(&mut gathered.states);
        }
    }
}

impl StoreWriter for PostgresWriter {
    fn begin(&mut self) -> StoreResult<Box<dyn StoreBatch + '_>> {
        let invocations =
            self.doubt.as_ref().map(|doubt| doubt.invocations.clone()).unwrap_or_default();
        Ok(Box::new(PostgresBatch { writer: self, gathered: Gathered::default(), invocations }))
    }
}

/// A batch that is gathered, and what was found of invocations before it.
struct PostgresBatch<'a> {
    writer: &'a mut PostgresWriter,
    gathered: Gathered,
    invocations: BTreeMap<InvocationId, Found<InvocationRow>>,
}

impl PostgresBatch<'_> {
    /// A reading of this batch as it will be read back.
    fn put_before(&self, device: &DeviceRow, number: Number) -> Option<Found<ReadingRow>> {
        let readings = &self.gathered.readings;
        let at = *readings.by_number.get(&(device.id, number))?;
        let Ok(values) = rows::named(&self.writer.context, readings.values(at)) else {
            return Some(Found::Damaged);
        };
        Some(Found::Sound(ReadingRow {
            sequence: readings.sequence(at),
            device: device.hardware_id.clone(),
            device_row: device.id,
            number: Some(number),
            event: SimTime(readings.event[at]),
            is_dated: readings.dated[at],
            updates_state: readings.update_state[at],
            received: SimTime(readings.received[at]),
            commit: SimTime(readings.commit[at]),
            values,
            extra: readings.extra[at].clone().map(text::unescape),
        }))
    }

    /// Gathers a reading, unless its number is there.
    fn put_reading(&mut self, reading: &NewReading<'_>) -> StoreResult<Put> {
        if let Some(number) = reading.number {
            let (writer, readings) = (&mut *self.writer, &self.gathered.readings);
            let is_there = readings.by_number.contains_key(&(reading.device, number))
                || writer.is_committed(reading.device)
                    && !writer.is_above(reading.device, number)?
                    && writer.has(reading.device, number)?;
            if is_there {
                return Ok(Put::Repeated);
            }
        }
        self.gathered.readings.add(reading);
        Ok(Put::Written)
    }
}

impl Known for PostgresBatch<'_> {
    type Error = StoreError;

    fn quantity(&self, id: MeasurementId) -> u16 {
        self.writer.context.quantities.number(id)
    }

    fn numbered(
        &mut self,
        device: &DeviceRow,
        number: Number,
        _: Option<SimTime>,
    ) -> StoreResult<Found<ReadingRow>> {
        match self.put_before(device, number) {
            Some(found) => Ok(found),
            None => self.writer.numbered(device, number),
        }
    }

    fn invocation(&mut self, id: InvocationId) -> StoreResult<Found<InvocationRow>> {
        if let Some(row) = self.gathered.invocations.get(&id) {
            return Ok(Found::Sound(row.clone()));
        }
        if let Some(found) = self.invocations.get(&id) {
            return Ok(found.clone());
        }
        if id.0.cast_unsigned() > self.writer.standing.invocations {
            return Ok(Found::Absent);
        }
        let row = self.writer.row(INVOCATION, &[&id.0]);
        let key = ("invocation", id.0.to_string());
        let found = self.writer.found(key, row, |_, row| rows::invocation(row))?;
        self.invocations.insert(id, found.clone());
        Ok(found)
    }

    fn state(&mut self, device: i64) -> StoreResult<Found<State>> {
        match self.gathered.states.get(&device) {
            Some(state) => Ok(Found::Sound(state.clone())),
            None => self.writer.state(device),
        }
    }

    // It keeps none of these yet: see `put`.
    fn document(&mut self, _: &'static DocumentKind, _: &str) -> StoreResult<Found<Document>> {
        Ok(Found::Absent)
    }

    fn answer(&mut self, _: &AnswerKey) -> StoreResult<Found<Answer>> {
        Ok(Found::Absent)
    }

    fn old_answers(&mut self, _: SimTime, _: (&str, u32), _: u32) -> StoreResult<Vec<AnswerKey>> {
        Ok(Vec::new())
    }
}

impl Batch for PostgresBatch<'_> {
    fn put(&mut self, effect: Effect<'_>) -> StoreResult<Put> {
        let to = &mut self.gathered;
        match effect {
            Effect::Reading(reading) => return self.put_reading(&reading),
            Effect::Device(device) => drop(to.devices.insert(device.id, device.clone())),
            Effect::Alert(alert) => to.add_alert(&alert),
            Effect::Refusal(refusal) => to.add_refusal(&refusal),
            Effect::Invocation(row) => drop(to.invocations.insert(row.id, row.clone())),
            Effect::State(device, state) => drop(to.states.insert(device, state.clone())),
            Effect::Document(_)
            | Effect::Audit(..)
            | Effect::Answer(..)
            | Effect::AnswerGone(_) => return Err(PostgresError::NoDocuments.into()),
        }
        Ok(Put::Written)
    }
}

impl StoreBatch for PostgresBatch<'_> {
    fn commit(self: Box<Self>, standing: &Standing) -> StoreResult<()> {
        let Self { writer, gathered, invocations } = *self;
        match writer.write(&gathered, standing) {
            Ok(()) => writer.settle(gathered, standing),
            Err(error) => {
                // Whatever has become of its transaction ends with the session.
                writer.session = None;
                writer.doubt = Some(Doubt { standing: *standing, invocations });
                return Err(error.into());
            }
        }
        Ok(())
    }
}
