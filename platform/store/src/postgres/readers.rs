//! Queries of committed snapshots, each within one transaction that only reads.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lastmeter_model::access::Cut;
use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind, Key};
use lastmeter_model::invocation::{InvocationId, InvocationRow, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{
    AlertRow, DeviceState, ReadingRow, RefusalRow, SeriesPoint, StateValue,
};
use lastmeter_units::{MeasurementId, SimTime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::error::{PostgresError, ReadError, ReadResult, is_corrupt};
use super::session::{Database, Session};
use super::{INVOCATION, READING_BY_NUMBER, STATE, invocation_where, reading_where, rows};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::lock;
use crate::seam::{Page, Range, Rows, Series, SeriesQuery, StoreReader, Stretch};
use crate::sqlite::ReadContext;

/// Queries at a time; more wait for their turn.
const CONNECTIONS: usize = 4;
/// Content of rows in one answer at most, bytes; a page ends where it is reached.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Queries of one schema; clones share the connections.
#[derive(Clone)]
pub struct PostgresReaders(Arc<Pool>);

struct Pool {
    database: Database,
    context: ReadContext,
    deadline: Duration,
    idle: Mutex<Vec<Session>>,
    turns: Semaphore,
}

impl PostgresReaders {
    /// Readers of a schema that has been opened for writing; queries may take so long.
    pub fn new(database: Database, context: ReadContext, deadline: Duration) -> Self {
        let (idle, turns) = (Mutex::new(Vec::new()), Semaphore::new(CONNECTIONS));
        Self(Arc::new(Pool { database, context, deadline, idle, turns }))
    }
}

impl Pool {
    /// Runs a query on a connection of its own; everything it reads is of one moment.
    #[expect(clippy::disallowed_methods, reason = "a deadline is the machine's time")]
    async fn with<'p, T, F>(&'p self, query: impl FnOnce(Query<'p>) -> F) -> StoreResult<T>
    where
        F: Future<Output = (Query<'p>, ReadResult<T>)>,
    {
        let end = Instant::now() + self.deadline;
        let work = async {
            let (query, result) = query(self.begin().await?).await;
            let ended = query.session.client.batch_execute("COMMIT").await;
            if ended.is_ok() && !self.turns.is_closed() {
                lock(&self.idle).push(query.session);
            }
            result.map_err(|error| self.judge(error))
        };
        match tokio::time::timeout_at(end.into(), work).await {
            Ok(answer) => answer,
            Err(_) => Err(self.too_slow()),
        }
    }

    async fn begin(&self) -> StoreResult<Query<'_>> {
        let turn = self.turns.acquire().await.map_err(|_| StoreError::WorkerGone)?;
        loop {
            let idle = lock(&self.idle).pop();
            let is_idle = idle.is_some();
            let session = match idle {
                Some(session) => session,
                None => Session::open(&self.database, &self.settings()).await?,
            };
            match session.client.batch_execute("BEGIN").await {
                Ok(()) => return Ok(Query { session, context: &self.context, _turn: turn }),
                // The server has been restarted since.
                Err(_) if is_idle => {}
                Err(error) => return Err(reading(error).into()),
            }
        }
    }

    fn settings(&self) -> String {
        let deadline = self.deadline.as_millis().max(1);
        format!(
            "SET statement_timeout TO {deadline};
             SET idle_in_transaction_session_timeout TO '60s';
             SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )
    }

    fn too_slow(&self) -> StoreError {
        self.context.observer.too_slow();
        StoreError::TooSlow { limit_s: self.deadline.as_secs_f64() }
    }

    fn judge(&self, error: ReadError) -> StoreError {
        let damage = match error {
            ReadError::Damaged(damage) => damage,
            ReadError::Postgres(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                return self.too_slow();
            }
            ReadError::Postgres(error) if is_corrupt(&error) => {
                Damage::new("schema", &self.database.schema, error.to_string())
            }
            ReadError::Postgres(error) => return reading(error).into(),
        };
        self.context.observer.damaged(&damage);
        StoreError::DamagedPart(damage)
    }
}

fn reading(source: tokio_postgres::Error) -> PostgresError {
    PostgresError::Query { doing: "read the store", source }
}

/// A query while it runs.
struct Query<'p> {
    session: Session,
    context: &'p ReadContext,
    _turn: SemaphorePermit<'p>,
}

impl Query<'_> {
    /// Rows of a table after a sequence, without a gap up to the last one there has to be. What
    /// cannot be read ends the rows before it; if there are none, it is the answer.
    async fn in_order<T>(
        &self,
        (table, select): (&'static str, &'static str),
        Stretch { after, limit, last }: Stretch,
        read: impl Fn(&ReadContext, &Row) -> ReadResult<(T, usize)>,
    ) -> ReadResult<Rows<T>> {
        let (after_key, limit_key) = (after.cast_signed(), i64::from(limit));
        let mut found = self.session.rows(select, &[&after_key, &limit_key]).await?.into_iter();
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0, after.saturating_add(1));
        while next <= last && rows.len() < limit as usize && bytes < PAGE_BYTES_MAX {
            let one = match found.next() {
                Some(row) if row.try_get::<_, i64>(0)? == next.cast_signed() => {
                    read(self.context, &row)
                }
                _ => Err(Damage::missing(table, next).into()),
            };
            match one {
                Ok((row, row_bytes)) => {
                    rows.push(row);
                    bytes += row_bytes;
                    next += 1;
                }
                Err(ReadError::Damaged(damage)) if !rows.is_empty() => {
                    self.context.observer.damaged(&damage);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Rows { rows, is_more: next <= last })
    }

    async fn state_row(&self, device: i64) -> ReadResult<lastmeter_model::decide::State> {
        match self.session.row(STATE, &[&device]).await? {
            Some(row) => rows::state(&row),
            // A device is made together with its state.
            None => Err(Damage::missing("state", device).into()),
        }
    }

    async fn state(&self, device: i64) -> ReadResult<DeviceState> {
        let state = self.state_row(device).await?;
        let mut values = Vec::new();
        for (quantity, last) in &state.quantities {
            let Some((event_ns, value)) = *last else { continue };
            let Some(name) = self.context.quantities.name(*quantity) else {
                return Err(Damage::missing("quantity", quantity).into());
            };
            values.push(StateValue { name: name.to_string(), event: SimTime(event_ns), value });
        }
        let mut alerts = Vec::new();
        for sequence in &state.alerts {
            let query = "SELECT sequence, device, event_ns, received_ns, level, type, message,
                                update_state, extra FROM alert WHERE sequence = $1";
            let Some(row) = self.session.row(query, &[sequence]).await? else {
                return Err(Damage::missing("alert", sequence).into());
            };
            if row.try_get::<_, i64>(1)? != device {
                return Err(Damage::new("state", device, "it names another device's alert").into());
            }
            alerts.push(rows::alert(self.context, &row)?.0);
        }
        Ok(DeviceState { last_interaction: state.last_interaction, values, alerts })
    }

    async fn quantities_of(&self, device: i64) -> ReadResult<Vec<MeasurementId>> {
        let known = self.state_row(device).await?.quantities;
        let quantities = &self.context.quantities;
        Ok(MeasurementId::all().filter(|id| known.contains_key(&quantities.number(*id))).collect())
    }

    async fn invocation(&self, id: InvocationId) -> ReadResult<Option<StoredInvocation>> {
        let row = self.session.row(INVOCATION, &[&id.0]).await?;
        row.map(|row| self.stored(rows::invocation(&row)?)).transpose()
    }

    fn stored(&self, row: InvocationRow) -> ReadResult<StoredInvocation> {
        let Some(device) = self.context.devices.device(row.asked.device) else {
            return Err(Damage::missing("device", row.asked.device).into());
        };
        let (hardware_id, assignment) = (device.hardware_id, device.assignment);
        Ok(StoredInvocation { hardware_id, assignment, row })
    }

    async fn invocations(&self, ids: &[InvocationId]) -> ReadResult<Vec<StoredInvocation>> {
        let mut rows = Vec::new();
        for id in ids {
            match self.invocation(*id).await? {
                Some(row) => rows.push(row),
                None => return Err(Damage::missing("invocation", id.0).into()),
            }
        }
        Ok(rows)
    }

    async fn invocations_of(
        &self,
        device: i64,
        page: Page,
        cut: &Cut,
    ) -> ReadResult<(u64, Vec<StoredInvocation>)> {
        if cut.windows().is_some() {
            return self.invocations_within(device, page, cut).await;
        }
        let query = "SELECT commands FROM device WHERE id = $1";
        let Some(row) = self.session.row(query, &[&device]).await? else {
            return Err(Damage::missing("device", device).into());
        };
        let commands = row.try_get::<_, i64>(0)?.cast_unsigned();
        let query = invocation_where!("device = $1 ORDER BY id DESC OFFSET $2 LIMIT $3");
        let (offset, limit) = paged(page);
        let found = self.session.rows(query, &[&device, &offset, &limit]).await?;
        let rows: Vec<_> = found
            .iter()
            .map(|row| self.stored(rows::invocation(row)?))
            .collect::<ReadResult<_>>()?;
        let expected = commands.saturating_sub(page.offset).min(page.limit.into());
        if rows.len() as u64 != expected {
            let found = format!("it has {} on a page, expected {expected}", rows.len());
            return Err(Damage::new("invocation", format!("device {device}"), found).into());
        }
        Ok((commands, rows))
    }

    /// The same where each invocation has to be looked at.
    async fn invocations_within(
        &self,
        device: i64,
        page: Page,
        cut: &Cut,
    ) -> ReadResult<(u64, Vec<StoredInvocation>)> {
        let query = "SELECT commands FROM device WHERE id = $1";
        if self.session.row(query, &[&device]).await?.is_none() {
            return Err(Damage::missing("device", device).into());
        }
        let query = invocation_where!("device = $1 ORDER BY id DESC");
        let found = self.session.rows(query, &[&device]).await?;
        let rows = found.iter().map(rows::invocation).collect::<ReadResult<Vec<_>>>()?;
        let left: Vec<_> = rows.into_iter().filter(|row| cut.has(row.asked.created)).collect();
        let count = left.len() as u64;
        let on_page = left.into_iter().skip(usize::try_from(page.offset).unwrap_or(usize::MAX));
        let on_page = on_page.take(page.limit as usize).map(|row| self.stored(row));
        Ok((count, on_page.collect::<ReadResult<_>>()?))
    }

    async fn series(&self, query: &SeriesQuery) -> ReadResult<Vec<Series>> {
        // A device is made together with its state.
        self.state_row(query.device).await?;
        let points = r#"SELECT event_ns, sequence, epoch, serial,
                               "values"[array_position(quantities, $2)]
            FROM reading WHERE device = $1 AND quantities @> ARRAY[$2::int4]
              AND event_ns BETWEEN $3 AND $4 AND (event_ns, sequence) > ($5, $6)
              AND ($9 OR EXISTS (SELECT 1 FROM unnest($10::int8[], $11::int8[], $12::bool[])
                                               AS span (first, behind, is_whole)
                  WHERE LEAST(event_ns, received_ns) >= first
                    AND LEAST(event_ns, received_ns) < behind
                    AND (NOT is_whole OR event_ns < behind)))
            ORDER BY event_ns, sequence OFFSET $7 LIMIT $8"#;
        let (start, end) = (query.range.start.as_nanoseconds(), query.range.end.as_nanoseconds());
        let (event, sequence) = query.after.unwrap_or((i64::MIN, i64::MIN));
        let (offset, limit) = paged(query.page);
        let mut answer = Vec::new();
        for id in &query.ids {
            let quantity = i32::from(self.context.quantities.number(*id));
            let windows = query.cut.windows();
            let of_quantity = windows.unwrap_or_default().iter();
            let of_quantity = of_quantity.filter(|one| one.quantities.contains(id.name()));
            let (mut first, mut behind, mut is_whole) = (Vec::new(), Vec::new(), Vec::new());
            for one in of_quantity {
                first.push(one.from.as_nanoseconds());
                behind.push(one.until.as_nanoseconds());
                is_whole.push(one.finest.is_some());
            }
            let found = self
                .session
                .rows(
                    points,
                    &[
                        &query.device,
                        &quantity,
                        &start,
                        &end,
                        &event,
                        &sequence,
                        &offset,
                        &limit,
                        &windows.is_none(),
                        &first,
                        &behind,
                        &is_whole,
                    ],
                )
                .await?;
            let point = |row: &Row| {
                Ok(SeriesPoint {
                    event: SimTime(row.try_get(0)?),
                    sequence: row.try_get::<_, i64>(1)?.cast_unsigned(),
                    number: rows::number(row, 2)?,
                    value: row.try_get(4)?,
                })
            };
            answer.push((*id, found.iter().map(point).collect::<ReadResult<_>>()?));
        }
        Ok(answer)
    }

    async fn events(
        &self,
        device: i64,
        range: Range,
        page: Page,
        cut: &Cut,
    ) -> ReadResult<(u64, Vec<ReadingRow>)> {
        if cut.windows().is_some() {
            return self.events_within(device, range, page, cut).await;
        }
        let (start, end) = (range.start.as_nanoseconds(), range.end.as_nanoseconds());
        let count = "SELECT count(*) FROM reading WHERE device = $1 AND event_ns BETWEEN $2 AND $3";
        let count = self.session.row(count, &[&device, &start, &end]).await?;
        let count = count.map_or(Ok(0), |row| row.try_get::<_, i64>(0))?.cast_unsigned();
        let query = reading_where!(
            "device = $1 AND event_ns BETWEEN $2 AND $3
             ORDER BY event_ns DESC, sequence DESC OFFSET $4 LIMIT $5"
        );
        let (offset, limit) = paged(page);
        let found = self.session.rows(query, &[&device, &start, &end, &offset, &limit]).await?;
        let one = |row: &Row| Ok(rows::reading(self.context, None, row)?.0);
        Ok((count, found.iter().map(one).collect::<ReadResult<_>>()?))
    }

    /// The same where each reading has to be looked at to be counted.
    async fn events_within(
        &self,
        device: i64,
        range: Range,
        page: Page,
        cut: &Cut,
    ) -> ReadResult<(u64, Vec<ReadingRow>)> {
        let (start, end) = (range.start.max(cut.first()).as_nanoseconds(), range.end);
        let query = reading_where!(
            "device = $1 AND event_ns BETWEEN $2 AND $3 AND (event_ns, sequence) < ($4, $5)
             ORDER BY event_ns DESC, sequence DESC LIMIT 1000"
        );
        let (mut count, mut rows, mut before) = (0, Vec::new(), (i64::MAX, i64::MAX));
        loop {
            let bounds: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                [&device, &start, &end.as_nanoseconds(), &before.0, &before.1];
            let found = self.session.rows(query, &bounds).await?;
            for row in &found {
                let row = rows::reading(self.context, None, row)?.0;
                before = (row.event.as_nanoseconds(), row.sequence.cast_signed());
                let Some(row) = cut.reading(row) else { continue };
                if count >= page.offset && rows.len() < page.limit as usize {
                    rows.push(row);
                }
                count += 1;
            }
            if found.is_empty() {
                return Ok((count, rows));
            }
        }
    }
}

fn paged(page: Page) -> (i64, i64) {
    (i64::try_from(page.offset).unwrap_or(i64::MAX), i64::from(page.limit))
}

/// Runs one query of a pool; the connection comes back with the answer.
macro_rules! ask {
    ($readers:expr, $query:ident => $answer:expr) => {
        $readers
            .0
            .with(async |$query| {
                let answer = $answer.await;
                ($query, answer)
            })
            .await
    };
}

#[async_trait]
impl StoreReader for PostgresReaders {
    fn close(&self) {
        self.0.turns.close();
        lock(&self.0.idle).clear();
    }

    async fn readings(&self, stretch: Stretch) -> StoreResult<Rows<ReadingRow>> {
        let select = reading_where!("sequence > $1 ORDER BY sequence LIMIT $2");
        let read = |context: &ReadContext, row: &Row| rows::reading(context, None, row);
        ask!(self, query => query.in_order(("reading", select), stretch, read))
    }

    async fn refusals(&self, stretch: Stretch) -> StoreResult<Rows<RefusalRow>> {
        // The content of a page is cut by the server: rows can be large.
        let select = "SELECT sequence, reason, device, topic, detail, event_ns, content,
                             content_bytes
            FROM (SELECT *, sum(coalesce(octet_length(content), 0)) OVER (ORDER BY sequence)
                              - coalesce(octet_length(content), 0) AS before
                  FROM (SELECT * FROM refusal WHERE sequence > $1 ORDER BY sequence LIMIT $2) page)
                 AS summed
            WHERE before < 8388608 ORDER BY sequence";
        let read = |_: &ReadContext, row: &Row| rows::refusal(row);
        ask!(self, query => query.in_order(("refusal", select), stretch, read))
    }

    async fn alerts(&self, stretch: Stretch) -> StoreResult<Rows<AlertRow>> {
        let select = "SELECT sequence, device, event_ns, received_ns, level, type, message,
                             update_state, extra
            FROM alert WHERE sequence > $1 ORDER BY sequence LIMIT $2";
        ask!(self, query => query.in_order(("alert", select), stretch, rows::alert))
    }

    async fn numbered(&self, device: i64, number: Number) -> StoreResult<Option<ReadingRow>> {
        let (epoch, serial) = (number.0.cast_signed(), number.1.cast_signed());
        ask!(self, query => async {
            let keys: [super::session::Parameter<'_>; 4] = [&device, &epoch, &serial, &i64::MAX];
            let row = query.session.row(READING_BY_NUMBER, &keys).await?;
            row.map(|row| Ok(rows::reading(query.context, None, &row)?.0)).transpose()
        })
    }

    async fn state(&self, device: i64) -> StoreResult<DeviceState> {
        ask!(self, query => query.state(device))
    }

    async fn quantities_of(&self, device: i64) -> StoreResult<Vec<MeasurementId>> {
        ask!(self, query => query.quantities_of(device))
    }

    async fn invocation(&self, id: InvocationId) -> StoreResult<Option<StoredInvocation>> {
        ask!(self, query => query.invocation(id))
    }

    async fn invocations(&self, ids: Vec<InvocationId>) -> StoreResult<Vec<StoredInvocation>> {
        ask!(self, query => query.invocations(&ids))
    }

    async fn invocations_of(
        &self,
        device: i64,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<StoredInvocation>)> {
        ask!(self, query => query.invocations_of(device, page, &cut))
    }

    async fn series(&self, asked: SeriesQuery) -> StoreResult<Vec<Series>> {
        ask!(self, query => query.series(&asked))
    }

    async fn events(
        &self,
        device: i64,
        range: Range,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<ReadingRow>)> {
        ask!(self, query => query.events(device, range, page, &cut))
    }

    // It keeps none of these yet.
    async fn document(
        &self,
        _: &'static DocumentKind,
        _: String,
        _: Option<u64>,
    ) -> StoreResult<Option<Document>> {
        Err(PostgresError::NoDocuments.into())
    }

    async fn document_at(
        &self,
        _: &'static DocumentKind,
        _: String,
        _: SimTime,
    ) -> StoreResult<Option<Document>> {
        Err(PostgresError::NoDocuments.into())
    }

    async fn documents(
        &self,
        _: &'static DocumentKind,
        _: Option<Key>,
        _: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        Err(PostgresError::NoDocuments.into())
    }

    async fn history(
        &self,
        _: &'static DocumentKind,
        _: String,
        _: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        Err(PostgresError::NoDocuments.into())
    }

    async fn audit(&self, _: Stretch) -> StoreResult<Rows<(AuditRow, Hash)>> {
        Err(PostgresError::NoDocuments.into())
    }

    async fn answer(&self, _: AnswerKey) -> StoreResult<Option<Answer>> {
        Err(PostgresError::NoDocuments.into())
    }
}
