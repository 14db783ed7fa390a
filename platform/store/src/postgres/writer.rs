//! The one writer of a schema: look-ups as they are asked for, everything else at the commit.
//!
//! Nobody else writes the schema, so what was read or committed once need not be read again: the
//! highest serial of each device shows without a query that a number is new, and the states of
//! some thousand devices are kept. What a batch has put is written when it is asked for again, or
//! at the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use lastmeter_model::decide::{
    Batch, Effect, Found, Known, List, NewReading, NewVersion, Old, Put, RefusedBytes, State,
};
use lastmeter_model::document::{Answer, AnswerKey, Cursor, Document, DocumentKind, Key};
use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::message::Number;
use lastmeter_model::row::{BlockRow, DeviceRow, ReadingRow, ResultRow};
use lastmeter_model::series::rollup::Rollup;
use lastmeter_model::standing::Standing;
use lastmeter_units::{MeasurementId, SimTime};
use tokio::runtime::Runtime;
use tokio_postgres::Row;

use super::error::{PostgresError, ReadError, ReadResult, is_corrupt, querying};
use super::session::{Database, Parameter, Session, runtime};
use super::tables::Gathered;
use super::{ANSWER, DOCUMENT, INVOCATION, READING_BY_NUMBER, STATE};
use super::{rollups, rows, schema, text::escape};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::rows::{self as common, Columns, Numbered};
use crate::seam::{StoreBatch, StoreWriter};
use crate::sqlite::standing::encode;
use crate::sqlite::{Names, ReadContext};

/// States of devices that are kept in memory.
const STATES_MAX: usize = 4096;
/// How long the server may work on one request, s.
const ANSWER_S: u64 = 60;

/// The one connection that writes a schema. It works on a runtime of its own, so it must not be
/// used within another one: a thread of its own has it.
pub(crate) struct PostgresWriter {
    runtime: Runtime,
    database: Database,
    context: ReadContext,
    session: Option<Session>,
    /// Whether a transaction is open in the session.
    is_begun: bool,
    /// Where the schema stood when it was last heard.
    standing: Standing,
    /// States as they stand there, of some devices.
    states: BTreeMap<i64, State>,
    /// By device, an epoch and a serial of it that none there is above.
    highest: BTreeMap<i64, (u64, Option<i64>)>,
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

impl PostgresWriter {
    /// Connects; the schema is made if it is not there.
    pub(super) fn open(
        database: Database,
        tenant: &str,
        context: impl FnOnce(&schema::Start) -> ReadContext,
    ) -> Result<(Self, schema::Start), PostgresError> {
        let runtime = runtime()?;
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
            is_begun: false,
            standing: start.standing,
            states: BTreeMap::new(),
            highest: BTreeMap::new(),
        };
        Ok((writer, start))
    }

    pub(super) fn context(&self) -> &ReadContext {
        &self.context
    }

    /// Has the server do something over a connection that stands, a new one if the last is lost.
    /// Whatever has become of a request that fails ends with its session.
    pub(super) fn ask<T>(
        &mut self,
        doing: &'static str,
        work: impl AsyncFnOnce(&Session) -> Result<T, PostgresError>,
    ) -> Result<T, PostgresError> {
        let is_lost = self.session.as_ref().is_none_or(|session| session.client.is_closed());
        if is_lost && self.is_begun {
            return Err(PostgresError::Broken);
        }
        if is_lost {
            let connecting = schema::connect_writer(&self.database);
            self.session = Some(wait(&self.runtime, "connect", connecting)?);
        }
        let Some(session) = &self.session else { return Err(PostgresError::Broken) };
        let answer = wait(&self.runtime, doing, work(session));
        if answer.is_err() {
            self.session = None;
        }
        answer
    }

    /// Begins a transaction, unless one is open.
    fn begin_transaction(&mut self) -> Result<(), PostgresError> {
        if self.is_begun {
            return Ok(());
        }
        let (schema, standing) = (self.database.schema.clone(), self.standing);
        self.ask("begin a batch", async |session| {
            session.client.batch_execute("BEGIN").await.map_err(querying("begin a batch"))?;
            let found = schema::standing(session, true).await?;
            if found == Some(standing) {
                return Ok(());
            }
            let found = found.map_or(0, |found| found.journal_committed);
            Err(PostgresError::Moved { schema, found, expected: standing.journal_committed })
        })?;
        self.is_begun = true;
        Ok(())
    }

    /// The rows of a look-up.
    pub(super) fn rows(
        &mut self,
        sql: &'static str,
        keys: &[Parameter<'_>],
    ) -> StoreResult<Vec<Row>> {
        let rows = self.ask("look up", async |session| {
            session.rows(sql, keys).await.map_err(querying("look up"))
        });
        Ok(rows?)
    }

    /// What a look-up finds; damage is reported, and nothing is made of it.
    pub(super) fn find<T>(
        &mut self,
        (part, key): (&'static str, String),
        (sql, keys): (&'static str, &[Parameter<'_>]),
        read: impl FnOnce(&ReadContext, &Row) -> ReadResult<T>,
    ) -> StoreResult<Found<T>> {
        let damage = match self.rows(sql, keys) {
            Ok(rows) => match rows.first().map(|row| read(&self.context, row)) {
                None => return Ok(Found::Absent),
                Some(Ok(value)) => return Ok(Found::Sound(value)),
                Some(Err(ReadError::Damaged(damage))) => damage,
                Some(Err(ReadError::Postgres(error))) => Damage::new(part, key, error.to_string()),
            },
            // Within a transaction it would be the end of that.
            Err(StoreError::Postgres(PostgresError::Query { source, .. }))
                if is_corrupt(&source) && !self.is_begun =>
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

    fn numbered(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<ReadingRow>> {
        self.under_number(
            "reading_identity",
            READING_BY_NUMBER,
            (device, number),
            |context, row| {
                let names = Names { context, of_batch: Some(device) };
                Ok(rows::read_reading(names, row)?.0)
            },
        )
    }

    /// What a look-up by a number of a device finds.
    fn under_number<T>(
        &mut self,
        part: &'static str,
        sql: &'static str,
        (device, number): (&DeviceRow, Number),
        read: impl FnOnce(&ReadContext, &Row) -> ReadResult<T>,
    ) -> StoreResult<Found<T>> {
        let (epoch, serial) = (number.0.cast_signed(), number.1.cast_signed());
        let keys: [Parameter<'_>; 3] = [&device.id, &epoch, &serial];
        let key = format!("{}, {}, {}", device.id, number.0, number.1);
        self.find((part, key), (sql, &keys), read)
    }

    /// Whether a look-up by a number of a device finds something.
    fn is_there(&mut self, sql: &'static str, device: i64, number: Number) -> StoreResult<bool> {
        let (epoch, serial) = (number.0.cast_signed(), number.1.cast_signed());
        Ok(!self.rows(sql, &[&device, &epoch, &serial])?.is_empty())
    }

    /// Whether a number lies above all that a device has of its epoch.
    fn is_above(&mut self, device: i64, (epoch, serial): Number) -> StoreResult<bool> {
        let known = self.highest.get(&device).filter(|known| known.0 == epoch);
        let highest = if let Some((_, highest)) = known {
            *highest
        } else {
            let query = "SELECT max(serial) FROM reading
                         WHERE device = $1 AND epoch = $2 AND serial IS NOT NULL";
            let rows = self.rows(query, &[&device, &epoch.cast_signed()])?;
            let highest = rows.first().map(|row| row.try_get(0)).transpose();
            let highest = highest.map_err(querying("look up"))?.flatten();
            self.highest.insert(device, (epoch, highest));
            highest
        };
        Ok(highest.is_none_or(|highest| highest < serial.cast_signed()))
    }

    fn state(&mut self, device: i64) -> StoreResult<Found<State>> {
        if let Some(state) = self.states.get(&device) {
            return Ok(Found::Sound(state.clone()));
        }
        if !self.is_committed(device) {
            return Ok(Found::Absent);
        }
        let key = ("state", device.to_string());
        let found = self.find(key, (STATE, &[&device]), |_, row| rows::read_state(row))?;
        if let Found::Sound(state) = &found {
            self.states.insert(device, state.clone());
        }
        Ok(found)
    }
}

impl StoreWriter for PostgresWriter {
    fn begin(&mut self) -> StoreResult<Box<dyn StoreBatch + '_>> {
        if std::mem::take(&mut self.is_begun) {
            // Whatever is left of a batch that was given up ends with the session.
            self.session = None;
        }
        Ok(Box::new(PostgresBatch { writer: self, put: PutSoFar::default() }))
    }

    fn has_committed(&mut self, standing: &Standing) -> StoreResult<bool> {
        if std::mem::take(&mut self.is_begun) {
            self.session = None;
        }
        let found = self.ask("look where the store stands", async |session| {
            schema::standing(session, false).await
        })?;
        let has_committed = found == Some(*standing);
        if has_committed {
            self.standing = *standing;
            self.states.clear();
            self.highest.clear();
        }
        Ok(has_committed)
    }
}

/// A batch.
struct PostgresBatch<'a> {
    writer: &'a mut PostgresWriter,
    put: PutSoFar,
}

/// What a batch has put.
#[derive(Default)]
struct PutSoFar {
    /// What is not written yet.
    gathered: Gathered,
    /// Numbers and keys of the documents of it.
    documents: BTreeMap<(u8, String), (i64, Vec<Key>)>,
    numbers: BTreeSet<(i64, Number)>,
    /// Numbers of results and blocks, by table.
    kept: BTreeSet<(&'static str, i64, Number)>,
    states: BTreeMap<i64, State>,
    /// Roll-ups that are not written yet.
    rollups: rollups::Rollups,
    /// Serials up to which readings were removed, by device and epoch.
    removed: BTreeMap<(i64, u64), u64>,
}

impl PostgresBatch<'_> {
    /// Writes what has been gathered.
    fn write(&mut self) -> StoreResult<()> {
        self.writer.begin_transaction()?;
        let gathered = std::mem::take(&mut self.put.gathered);
        let documents = std::mem::take(&mut self.put.documents);
        let rollups = std::mem::take(&mut self.put.rollups);
        let removed = std::mem::take(&mut self.put.removed);
        let standing = self.writer.standing.journal_committed;
        let schema = self.writer.database.schema.clone();
        let storing = || querying("store a batch");
        let written = self.writer.ask("store a batch", async |session| {
            if !gathered.write(session).await.map_err(storing())? {
                let (found, expected) = (standing, standing);
                return Err(PostgresError::Moved { schema, found, expected });
            }
            rollups::write(session, &rollups).await.map_err(storing())?;
            rollups::write_removed(session, &removed).await.map_err(storing())?;
            write_keys(session, &documents).await.map_err(storing())
        });
        Ok(written?)
    }

    /// Gathers a reading, unless its number is there.
    fn put_reading(&mut self, reading: &NewReading<'_>) -> StoreResult<Put> {
        if let Some(number) = reading.number {
            let (writer, place) = (&mut *self.writer, (reading.device, number));
            let is_there = self.put.numbers.contains(&place)
                || writer.is_committed(reading.device)
                    && !writer.is_above(reading.device, number)?
                    && writer.is_there(READING_BY_NUMBER, reading.device, number)?;
            if is_there {
                return Ok(Put::Repeated);
            }
            self.put.numbers.insert(place);
        }
        rows::reading(reading, |row| self.put.gathered.add("reading", row));
        Ok(Put::Written)
    }

    /// Gathers a result or a block, unless its number is there.
    fn put_numbered<R: Numbered>(&mut self, device: i64, row: &R) -> StoreResult<Put> {
        if let (_, _, Some(number)) = row.place() {
            let place = (R::TABLE, device, number);
            let is_there = self.put.kept.contains(&place)
                || self.writer.is_committed(device)
                    && self.writer.is_there(R::BY_NUMBER, device, number)?;
            if is_there {
                return Ok(Put::Repeated);
            }
            self.put.kept.insert(place);
        }
        row.columns(device, |columns| self.put.gathered.add(R::TABLE, columns));
        Ok(Put::Written)
    }

    /// The result or block of a device under a number.
    fn row<R: Numbered>(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<R>> {
        if self.put.kept.contains(&(R::TABLE, device.id, number)) {
            self.write()?;
        }
        self.writer.under_number(R::TABLE, R::BY_NUMBER, (device, number), |_, row| {
            Ok(R::read(row, device.hardware_id.clone())?.0)
        })
    }

    /// Gathers a version, which becomes the current one in place of any before.
    fn put_document(&mut self, NewVersion { number, document, keys }: &NewVersion<'_>) {
        let (row, put) = (common::document(*number, document), &mut self.put);
        put.gathered.add("document_version", &row);
        put.gathered.add("document", &row);
        let place = (document.kind.code, document.token.clone());
        let number = number.cast_signed();
        if let Some((before, _)) = put.documents.insert(place, (number, keys.to_vec())) {
            put.gathered.remove("document", before);
        }
    }
}

/// Writes the keys of documents in place of those that they had.
async fn write_keys(
    session: &Session,
    documents: &BTreeMap<(u8, String), (i64, Vec<Key>)>,
) -> Result<(), tokio_postgres::Error> {
    if documents.is_empty() {
        return Ok(());
    }
    let places = documents.keys().map(|(kind, token)| (i64::from(*kind), escape(token)));
    let (kinds, tokens): (Vec<_>, Vec<_>) = places.unzip();
    let delete =
        "DELETE FROM document_key k USING unnest($1::int8[], $2::text[]) AS d (kind, token)
                  WHERE k.kind = d.kind AND k.token = d.token";
    session.run(delete, &[&kinds, &tokens]).await?;
    let (mut of_kinds, mut names, mut values, mut of_tokens) = (vec![], vec![], vec![], vec![]);
    for ((kind, token), (_, keys)) in documents {
        for key in keys {
            of_kinds.push(i64::from(*kind));
            names.push(key.name);
            values.push(escape(&key.value));
            of_tokens.push(escape(token));
        }
    }
    let insert = "INSERT INTO document_key
                  SELECT * FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[])";
    session.run(insert, &[&of_kinds, &names, &values, &of_tokens]).await.map(drop)
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
        if self.put.numbers.contains(&(device.id, number)) {
            self.write()?;
        } else if !self.writer.is_committed(device.id) || self.writer.is_above(device.id, number)? {
            return Ok(Found::Absent);
        }
        self.writer.numbered(device, number)
    }

    fn result(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<ResultRow>> {
        self.row(device, number)
    }

    fn block(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<BlockRow>> {
        self.row(device, number)
    }

    fn invocation(&mut self, id: InvocationId) -> StoreResult<Found<InvocationRow>> {
        if self.put.gathered.has("invocation", id.0) {
            self.write()?;
        }
        let key = ("invocation", id.0.to_string());
        self.writer.find(key, (INVOCATION, &[&id.0]), |_, row| common::read_invocation(row))
    }

    fn state(&mut self, device: i64) -> StoreResult<Found<State>> {
        match self.put.states.get(&device) {
            Some(state) => Ok(Found::Sound(state.clone())),
            None => self.writer.state(device),
        }
    }

    fn document(
        &mut self,
        kind: &'static DocumentKind,
        token: &str,
    ) -> StoreResult<Found<Document>> {
        if self.put.documents.contains_key(&(kind.code, token.to_owned())) {
            self.write()?;
        }
        let keys: [Parameter<'_>; 2] = [&i64::from(kind.code), &escape(token)];
        let key = ("document", format!("{}:{token}", kind.name));
        let read = |_: &ReadContext, row: &Row| Ok(common::read_document(row, "document")?.1);
        self.writer.find(key, (DOCUMENT, &keys), read)
    }

    fn answer(&mut self, key: &AnswerKey) -> StoreResult<Found<Answer>> {
        let keys: [Parameter<'_>; 2] = [&escape(&key.by), &escape(&key.key)];
        let place = ("answer", format!("{} of {}", key.key, key.by));
        self.writer.find(place, (ANSWER, &keys), |_, row| common::read_answer(row))
    }

    fn old_answers(
        &mut self,
        given: SimTime,
        (by, kept): (&str, u32),
        limit: u32,
    ) -> StoreResult<Vec<AnswerKey>> {
        let query = "SELECT who, key FROM answer WHERE number IN (
                       SELECT number FROM answer WHERE at_ns <= $1
                       UNION (SELECT number FROM answer WHERE who = $2
                              ORDER BY number DESC OFFSET $3)
                       ORDER BY 1 LIMIT $4)
                     ORDER BY number";
        let (kept, limit) = (i64::from(kept), i64::from(limit));
        let keys: [Parameter<'_>; 4] = [&given.as_nanoseconds(), &escape(by), &kept, &limit];
        let rows = self.writer.rows(query, &keys)?;
        let key = |row: &Row| Ok(AnswerKey { by: row.text(0)?, key: row.text(1)? });
        let found: ReadResult<_> = rows.iter().map(key).collect();
        found.map_err(|error| match error {
            ReadError::Postgres(source) => querying("look up")(source).into(),
            ReadError::Damaged(damage) => StoreError::DamagedPart(damage),
        })
    }

    fn rollup(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        if self.put.rollups.contains_key(&(device, start)) {
            self.write()?;
        }
        self.writer.rollup(device, start)
    }

    // Readings are summed up and looked for before the batch puts any of them.
    fn summed_up(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        self.writer.summed_up(device, start)
    }

    fn last_bucket(&mut self, device: i64) -> StoreResult<Option<SimTime>> {
        self.writer.last_bucket(device)
    }

    fn event_from(&mut self, device: i64, from: SimTime) -> StoreResult<Option<SimTime>> {
        self.writer.event_from(device, from)
    }

    fn oldest(&mut self, list: List, after: u64, limit: u32) -> StoreResult<Vec<Old>> {
        self.writer.oldest(list, after, limit)
    }

    fn removed(&mut self, device: i64, epoch: u64) -> StoreResult<Found<u64>> {
        self.writer.removed(device, epoch)
    }

    fn refused_bytes(&mut self) -> StoreResult<RefusedBytes> {
        self.writer.refused_bytes()
    }
}

impl Batch for PostgresBatch<'_> {
    fn put(&mut self, effect: Effect<'_>) -> StoreResult<Put> {
        let to = &mut self.put.gathered;
        // Long, as each effect has a table or a statement of its own.
        match effect {
            Effect::Reading(reading) => return self.put_reading(&reading),
            Effect::Result(device, result) => return self.put_numbered(device, result),
            Effect::Block(device, block) => return self.put_numbered(device, block),
            Effect::Device(device) => to.add("device", &common::device(device)),
            Effect::Alert(alert) => to.add("alert", &common::alert(&alert)),
            Effect::Refusal(refusal) => to.add("refusal", &common::refusal(&refusal)),
            Effect::Invocation(row) => common::invocation(row, |row| to.add("invocation", row)),
            Effect::State(device, state) => {
                rows::state(device, state, |row| to.add("state", row));
                self.put.states.insert(device, state.clone());
            }
            Effect::Document(version) => self.put_document(&version),
            Effect::Audit(row, hash) => to.add("audit", &common::audit(row, &hash)),
            Effect::Answer(number, answer) => {
                to.add("answer", &common::answer(number, answer));
                self.write()?;
            }
            Effect::Rollup(device, row) => {
                self.put.rollups.insert((device, row.start()), row.encode());
            }
            Effect::RollupsGone { devices, before } => {
                self.write()?;
                self.writer.remove(devices, before)?;
            }
            Effect::Gone(list, through) => {
                self.write()?;
                self.writer.remove_through(list, through)?;
            }
            Effect::Removed { device, epoch, serial } => {
                self.put.removed.insert((device, epoch), serial);
            }
            Effect::Cursor(Cursor { name, value }) => {
                self.write()?;
                let insert = "INSERT INTO cursor VALUES ($1, $2)
                              ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                let row: [Parameter<'_>; 2] = [name, value];
                self.writer.ask("store a batch", async |session| {
                    session.run(insert, &row).await.map_err(querying("store a batch"))
                })?;
            }
            Effect::AnswerGone(key) => {
                self.write()?;
                let delete = "DELETE FROM answer WHERE who = $1 AND key = $2";
                let keys: [Parameter<'_>; 2] = [&escape(&key.by), &escape(&key.key)];
                self.writer.ask("store a batch", async |session| {
                    session.run(delete, &keys).await.map_err(querying("store a batch"))
                })?;
            }
        }
        Ok(Put::Written)
    }
}

impl StoreBatch for PostgresBatch<'_> {
    fn commit(mut self: Box<Self>, to: &Standing) -> StoreResult<()> {
        let is_idle = self.put.gathered.is_empty()
            && self.put.rollups.is_empty()
            && self.put.removed.is_empty()
            && !self.writer.is_begun;
        if is_idle && *to == self.writer.standing {
            return Ok(());
        }
        self.write()?;
        let Self { writer, put } = *self;
        let standing = encode(to);
        writer.ask("commit a batch", async |session| {
            let update = "UPDATE meta SET standing = $1";
            let written = session.run(update, &[&&standing[..]]).await;
            written.map_err(querying("store a batch"))?;
            let committed = session.client.batch_execute("COMMIT").await;
            committed.map_err(querying("commit a batch"))
        })?;
        (writer.standing, writer.is_begun) = (*to, false);
        for (device, (epoch, serial)) in put.numbers {
            let serial = serial.cast_signed();
            if let Some(known) = writer.highest.get_mut(&device).filter(|known| known.0 == epoch) {
                known.1 = known.1.max(Some(serial));
            }
        }
        if writer.states.len() + put.states.len() > STATES_MAX {
            writer.states.clear();
        }
        if put.states.len() <= STATES_MAX {
            writer.states.extend(put.states);
        }
        Ok(())
    }
}
