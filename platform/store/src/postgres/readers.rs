//! Queries of committed snapshots, each within one transaction that only reads.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use lastmeter_model::access::Cut;
use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::decide::State;
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind, Key};
use lastmeter_model::invocation::{InvocationId, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{
    AlertRow, BlockRow, DeviceState, ReadingRow, RefusalRow, ResultRow, SeriesPoint, StateValue,
};
use lastmeter_model::standing::Standing;
use lastmeter_units::{MeasurementId, SimTime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::error::{ReadError, ReadResult, is_corrupt, querying};
use super::rows::{read_reading, read_state};
use super::session::{Database, Parameter, Session};
use super::text::escape;
use super::{ANSWER, DOCUMENT, INVOCATION, READING_BY_NUMBER, STATE};
use super::{alert_where, document_where, invocation_where, reading_where};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::lock;
use crate::page::{PAGE_BYTES_MAX, PageRows, invocation_bytes, reading_bytes};
use crate::rows::{
    Columns, Numbered, floor, read_alert, read_answer, read_audit, read_document, read_invocation,
    read_refusal,
};
use crate::seam::{
    Page, Range, Rows, Series, SeriesQuery, StoreReader, Stretch, Summaries, SummaryQuery,
};
use crate::sqlite::standing::decode;
use crate::sqlite::{Names, ReadContext};

/// Queries at a time; more wait for their turn.
const CONNECTIONS: usize = 4;

/// Queries of one schema.
pub(crate) struct PostgresReaders {
    database: Database,
    context: ReadContext,
    deadline: Duration,
    idle: Mutex<Vec<Session>>,
    turns: Semaphore,
}

impl PostgresReaders {
    /// Readers of a schema that has been opened for writing; queries may take so long.
    pub(super) fn new(database: Database, context: ReadContext, deadline: Duration) -> Self {
        let (idle, turns) = (Mutex::new(Vec::new()), Semaphore::new(CONNECTIONS));
        Self { database, context, deadline, idle, turns }
    }

    /// Runs a query on a connection of its own; everything it reads is of one moment.
    #[expect(clippy::disallowed_methods, reason = "a deadline is the machine's time")]
    async fn with<'p, T, F>(&'p self, query: impl FnOnce(Query<'p>) -> F) -> StoreResult<T>
    where
        F: Future<Output = (Query<'p>, ReadResult<T>)>,
    {
        self.context.observer.queried();
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
                Err(error) => return Err(querying("read the store")(error).into()),
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
            ReadError::Postgres(error) => return querying("read the store")(error).into(),
        };
        self.context.observer.damaged(&damage);
        StoreError::DamagedPart(damage)
    }
}

/// A query while it runs.
pub(super) struct Query<'p> {
    pub(super) session: Session,
    pub(super) context: &'p ReadContext,
    _turn: SemaphorePermit<'p>,
}

/// What a query selects.
type Select<'a> = (&'static str, &'a [Parameter<'a>]);

impl Query<'_> {
    fn names(&self) -> Names<'_> {
        Names { context: self.context, of_batch: None }
    }

    async fn one<T>(
        &self,
        (sql, keys): Select<'_>,
        read: impl FnOnce(&Row) -> ReadResult<T>,
    ) -> ReadResult<Option<T>> {
        self.session.row(sql, keys).await?.map(|row| read(&row)).transpose()
    }

    /// A number that is there always.
    async fn count(&self, select: Select<'_>) -> ReadResult<u64> {
        Ok(self.one(select, |row| row.count(0)).await?.unwrap_or(0))
    }

    /// Rows of a page: none beyond those that fill it with bytes.
    async fn several<T>(
        &self,
        (sql, keys): Select<'_>,
        read: impl Fn(&Row) -> ReadResult<(T, usize)>,
    ) -> ReadResult<Vec<T>> {
        let mut found = pin!(self.session.stream(sql, keys).await?);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES_MAX
            && let Some(row) = found.try_next().await?
        {
            let (row, row_bytes) = read(&row)?;
            rows.push(row);
            bytes += row_bytes;
        }
        Ok(rows)
    }

    /// A page of what is left of rows that have to be looked at to be counted, and how many these
    /// are.
    async fn left<T>(
        &self,
        (sql, keys): Select<'_>,
        page: Page,
        read: impl Fn(&Row) -> ReadResult<Option<(T, usize)>>,
    ) -> ReadResult<(u64, Vec<T>)> {
        let mut found = pin!(self.session.stream(sql, keys).await?);
        let (mut count, mut rows) = (0, PageRows::new(page.limit));
        while let Some(row) = found.try_next().await? {
            let Some((row, bytes)) = read(&row)? else { continue };
            if count >= page.offset {
                rows.push(row, bytes);
            }
            count += 1;
        }
        Ok((count, rows.take()))
    }

    /// Rows of a table after a sequence, without a gap up to the last one there has to be. What
    /// cannot be read ends the rows before it; if there are none, it is the answer.
    async fn in_order<T>(
        &self,
        (table, select): (&'static str, &'static str),
        Stretch { after, limit, last }: Stretch,
        read: impl Fn(&Row) -> ReadResult<(T, usize)>,
    ) -> ReadResult<Rows<T>> {
        let floor = floor(&self.standing().await?, table);
        let keys: [Parameter<'_>; 2] = [&after.cast_signed(), &i64::from(limit)];
        let mut found = pin!(self.session.stream(select, &keys).await?);
        let next = after.max(floor).saturating_add(1);
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0, next);
        while next <= last && rows.len() < limit as usize && bytes < PAGE_BYTES_MAX {
            let one = match found.try_next().await? {
                Some(row) if row.count(0)? == next => read(&row),
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

    /// Where the store stands in the snapshot at hand.
    async fn standing(&self) -> ReadResult<Standing> {
        let query = "SELECT standing FROM meta";
        let found = self.one((query, &[]), |row| Ok(decode(row.try_get(0)?))).await?.flatten();
        found.ok_or_else(|| Damage::new("meta", "standing", "it cannot be read").into())
    }

    fn alert(&self, row: &Row) -> ReadResult<(AlertRow, usize)> {
        read_alert(row, self.names().device(row.try_get(1)?)?)
    }

    fn numbered<R: Numbered>(&self, row: &Row) -> ReadResult<(R, usize)> {
        R::read(row, self.names().device(row.try_get(1)?)?)
    }

    pub(super) async fn state_row(&self, device: i64) -> ReadResult<State> {
        // A device is made together with its state.
        let state = self.one((STATE, &[&device]), read_state).await?;
        state.ok_or_else(|| Damage::missing("state", device).into())
    }

    async fn state(&self, device: i64) -> ReadResult<DeviceState> {
        let state = self.state_row(device).await?;
        let last = |(quantity, last): (&u16, &Option<(i64, f64)>)| Some((*quantity, (*last)?));
        let (quantities, last): (Vec<_>, Vec<_>) = state.quantities.iter().filter_map(last).unzip();
        let named =
            self.names().values(quantities.into_iter().zip(last.iter().map(|one| one.1)))?;
        let value = |((name, value), (event_ns, _)): ((Arc<str>, f64), (i64, f64))| StateValue {
            name: name.to_string(),
            event: SimTime(event_ns),
            value,
        };
        let mut alerts = Vec::new();
        let floor = self.standing().await?.alert_floor.cast_signed();
        for sequence in state.alerts.iter().filter(|sequence| floor < **sequence) {
            let query = alert_where!("sequence = $1");
            let of = |row: &Row| Ok((row.try_get::<_, i64>(1)?, self.alert(row)?.0));
            let Some((of, alert)) = self.one((query, &[sequence]), of).await? else {
                return Err(Damage::missing("alert", sequence).into());
            };
            if of != device {
                return Err(Damage::new("state", device, "it names another device's alert").into());
            }
            alerts.push(alert);
        }
        let values = named.into_iter().zip(last).map(value).collect();
        Ok(DeviceState { last_interaction: state.last_interaction, values, alerts })
    }

    async fn quantities_of(&self, device: i64) -> ReadResult<Vec<MeasurementId>> {
        let known = self.state_row(device).await?.quantities;
        let quantities = &self.context.quantities;
        Ok(MeasurementId::all().filter(|id| known.contains_key(&quantities.number(*id))).collect())
    }

    async fn invocation(&self, id: InvocationId) -> ReadResult<Option<StoredInvocation>> {
        self.one((INVOCATION, &[&id.0]), |row| self.stored(row)).await
    }

    fn stored(&self, row: &Row) -> ReadResult<StoredInvocation> {
        let row = read_invocation(row)?;
        let Some(device) = self.context.devices.device(row.asked.device) else {
            return Err(Damage::missing("device", row.asked.device).into());
        };
        let (hardware_id, assignment) = (device.hardware_id, device.assignment);
        Ok(StoredInvocation { hardware_id, assignment, row })
    }

    async fn invocations(&self, ids: &[InvocationId]) -> ReadResult<Vec<StoredInvocation>> {
        let mut rows = Vec::new();
        for id in ids {
            let row = self.invocation(*id).await?;
            rows.push(row.ok_or_else(|| Damage::missing("invocation", id.0))?);
        }
        Ok(rows)
    }

    async fn invocations_of(
        &self,
        device: i64,
        page: Page,
        cut: &Cut,
    ) -> ReadResult<(u64, Vec<StoredInvocation>)> {
        let query = "SELECT commands FROM device WHERE id = $1";
        let commands = self.one((query, &[&device]), |row| row.count(0)).await?;
        let commands = commands.ok_or_else(|| Damage::missing("device", device))?;
        let stored = |row: &Row| {
            let stored = self.stored(row)?;
            let bytes = invocation_bytes(&stored.row);
            Ok((stored, bytes))
        };
        if cut.windows().is_some() {
            let query = invocation_where!("device = $1 ORDER BY id DESC");
            let keys: [Parameter<'_>; 1] = [&device];
            let left = |row: &Row| {
                let (row, bytes) = stored(row)?;
                Ok(cut.has(row.row.asked.created).then_some((row, bytes)))
            };
            return self.left((query, &keys), page, left).await;
        }
        let query = invocation_where!("device = $1 ORDER BY id DESC OFFSET $2 LIMIT $3");
        let (offset, limit) = paged(page);
        let keys: [Parameter<'_>; 3] = [&device, &offset, &limit];
        let rows = self.several((query, &keys), stored).await?;
        let bytes: usize = rows.iter().map(|row| invocation_bytes(&row.row)).sum();
        let expected = commands.saturating_sub(page.offset).min(page.limit.into());
        let is_cut_short = bytes >= PAGE_BYTES_MAX && (rows.len() as u64) < expected;
        if rows.len() as u64 != expected && !is_cut_short {
            let found = format!("it has {} on a page, expected {expected}", rows.len());
            return Err(Damage::new("invocation", format!("device {device}"), found).into());
        }
        Ok((commands, rows))
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
        let point = |row: &Row| {
            let (event, sequence) = (row.time(0)?, row.count(1)?);
            let (number, value) = (row.number(2)?, row.try_get(4)?);
            Ok((SeriesPoint { event, sequence, number, value }, 0))
        };
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
            let keys: [Parameter<'_>; 12] = [
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
            ];
            answer.push((*id, self.several((points, &keys), point).await?));
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
            let (start, end) = (range.start.max(cut.first()).as_nanoseconds(), range.end);
            let query = reading_where!(
                "device = $1 AND event_ns BETWEEN $2 AND $3 ORDER BY event_ns DESC, sequence DESC"
            );
            let keys: [Parameter<'_>; 3] = [&device, &start, &end.as_nanoseconds()];
            let left = |row: &Row| {
                let left = cut.reading(read_reading(self.names(), row)?.0);
                Ok(left.map(|row| {
                    let bytes = reading_bytes(&row);
                    (row, bytes)
                }))
            };
            return self.left((query, &keys), page, left).await;
        }
        let (start, end) = (range.start.as_nanoseconds(), range.end.as_nanoseconds());
        let count = "SELECT count(*) FROM reading WHERE device = $1 AND event_ns BETWEEN $2 AND $3";
        let count = self.count((count, &[&device, &start, &end])).await?;
        let query = reading_where!(
            "device = $1 AND event_ns BETWEEN $2 AND $3
             ORDER BY event_ns DESC, sequence DESC OFFSET $4 LIMIT $5"
        );
        let (offset, limit) = paged(page);
        let keys: [Parameter<'_>; 5] = [&device, &start, &end, &offset, &limit];
        Ok((count, self.several((query, &keys), |row| read_reading(self.names(), row)).await?))
    }

    /// A document in a version, or in its last one.
    async fn document(
        &self,
        kind: &'static DocumentKind,
        token: &str,
        version: Option<u64>,
    ) -> ReadResult<Option<Document>> {
        let (code, token) = (i64::from(kind.code), escape(token));
        let Some(version) = version else {
            return self.one((DOCUMENT, &[&code, &token]), document).await;
        };
        let query =
            document_where!("document_version", "kind = $1 AND token = $2 AND version = $3");
        self.one((query, &[&code, &token, &version.cast_signed()]), document).await
    }

    async fn document_at(
        &self,
        kind: &'static DocumentKind,
        token: &str,
        at: SimTime,
    ) -> ReadResult<Option<Document>> {
        let query = document_where!(
            "document_version",
            "kind = $1 AND token = $2 AND changed_ns <= $3 ORDER BY version DESC LIMIT 1"
        );
        let (code, token) = (i64::from(kind.code), escape(token));
        self.one((query, &[&code, &token, &at.as_nanoseconds()]), document).await
    }

    async fn documents(
        &self,
        kind: &'static DocumentKind,
        key: Option<&Key>,
        page: Page,
    ) -> ReadResult<(u64, Vec<Document>)> {
        let (code, (offset, limit)) = (i64::from(kind.code), paged(page));
        let Some(Key { name, value }) = key else {
            let count = "SELECT count(*) FROM document WHERE kind = $1 AND NOT deleted";
            let query = document_where!(
                "document",
                "kind = $1 AND NOT deleted ORDER BY token OFFSET $2 LIMIT $3"
            );
            let keys: [Parameter<'_>; 3] = [&code, &offset, &limit];
            let documents = self.several((query, &keys), sized_document).await?;
            return Ok((self.count((count, &[&code])).await?, documents));
        };
        let count = "SELECT count(*) FROM document_key
                     WHERE kind = $1 AND name = $2 AND value = $3";
        let query = document_where!(
            "document",
            "kind = $1 AND token IN (
               SELECT token FROM document_key WHERE kind = $1 AND name = $2 AND value = $3
               ORDER BY token OFFSET $4 LIMIT $5) ORDER BY token"
        );
        let value = escape(value);
        let keys: [Parameter<'_>; 5] = [&code, name, &value, &offset, &limit];
        let documents = self.several((query, &keys), sized_document).await?;
        Ok((self.count((count, &[&code, name, &value])).await?, documents))
    }

    /// The versions of a document, newest first, and how many there are: as many as the last one
    /// has counted.
    async fn history(
        &self,
        kind: &'static DocumentKind,
        token: &str,
        page: Page,
    ) -> ReadResult<(u64, Vec<Document>)> {
        let Some(last) = self.document(kind, token, None).await? else {
            return Ok((0, Vec::new()));
        };
        let query = document_where!(
            "document_version",
            "kind = $1 AND token = $2 AND version <= $3 ORDER BY version DESC LIMIT $4"
        );
        let newest = last.version.saturating_sub(page.offset);
        let (code, name, limit) = (i64::from(kind.code), escape(token), i64::from(page.limit));
        let keys: [Parameter<'_>; 4] = [&code, &name, &newest.cast_signed(), &limit];
        let found = self.several((query, &keys), sized_document).await?;
        for (expected, document) in (1..=newest).rev().zip(&found) {
            if document.version != expected {
                let key = format!("{}:{token}, version {expected}", kind.name);
                return Err(Damage::missing("document_version", key).into());
            }
        }
        Ok((last.version, found))
    }
}

/// A document, and the bytes that it counts on a page.
fn sized_document(row: &Row) -> ReadResult<(Document, usize)> {
    let (_, document) = read_document(row, "document")?;
    let bytes = document.body.len();
    Ok((document, bytes))
}

fn document(row: &Row) -> ReadResult<Document> {
    Ok(sized_document(row)?.0)
}

fn paged(page: Page) -> (i64, i64) {
    (i64::try_from(page.offset).unwrap_or(i64::MAX), i64::from(page.limit))
}

/// Runs one query of a pool; the connection comes back with the answer.
macro_rules! ask {
    ($readers:expr, $query:ident => $answer:expr) => {
        $readers
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
        self.turns.close();
        lock(&self.idle).clear();
    }

    async fn readings(&self, stretch: Stretch) -> StoreResult<Rows<ReadingRow>> {
        let select = ("reading", reading_where!("sequence > $1 ORDER BY sequence LIMIT $2"));
        ask!(self, query => {
            query.in_order(select, stretch, |row| read_reading(query.names(), row))
        })
    }

    async fn refusals(&self, stretch: Stretch) -> StoreResult<Rows<RefusalRow>> {
        let select = "SELECT sequence, reason, device, topic, detail, event_ns, content,
                             content_bytes
            FROM refusal WHERE sequence > $1 ORDER BY sequence LIMIT $2";
        ask!(self, query => query.in_order(("refusal", select), stretch, read_refusal))
    }

    async fn alerts(&self, stretch: Stretch) -> StoreResult<Rows<AlertRow>> {
        let select = ("alert", alert_where!("sequence > $1 ORDER BY sequence LIMIT $2"));
        ask!(self, query => query.in_order(select, stretch, |row| query.alert(row)))
    }

    async fn results(&self, stretch: Stretch) -> StoreResult<Rows<ResultRow>> {
        let select = (ResultRow::TABLE, ResultRow::IN_ORDER);
        ask!(self, query => query.in_order(select, stretch, |row| query.numbered(row)))
    }

    async fn blocks(&self, stretch: Stretch) -> StoreResult<Rows<BlockRow>> {
        let select = (BlockRow::TABLE, BlockRow::IN_ORDER);
        ask!(self, query => query.in_order(select, stretch, |row| query.numbered(row)))
    }

    async fn block(&self, device: i64, number: Number) -> StoreResult<Option<BlockRow>> {
        let (epoch, serial) = (number.0.cast_signed(), number.1.cast_signed());
        let keys: [Parameter<'_>; 3] = [&device, &epoch, &serial];
        let select = BlockRow::BY_NUMBER;
        ask!(self, query => query.one((select, &keys), |row| Ok(query.numbered(row)?.0)))
    }

    async fn numbered(&self, device: i64, number: Number) -> StoreResult<Option<ReadingRow>> {
        let (epoch, serial) = (number.0.cast_signed(), number.1.cast_signed());
        let keys: [Parameter<'_>; 3] = [&device, &epoch, &serial];
        ask!(self, query => query.one((READING_BY_NUMBER, &keys), |row| {
            Ok(read_reading(query.names(), row)?.0)
        }))
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

    async fn summaries(&self, asked: SummaryQuery) -> StoreResult<Summaries> {
        ask!(self, query => query.summaries(&asked))
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

    async fn document(
        &self,
        kind: &'static DocumentKind,
        token: String,
        version: Option<u64>,
    ) -> StoreResult<Option<Document>> {
        ask!(self, query => query.document(kind, &token, version))
    }

    async fn document_at(
        &self,
        kind: &'static DocumentKind,
        token: String,
        at: SimTime,
    ) -> StoreResult<Option<Document>> {
        ask!(self, query => query.document_at(kind, &token, at))
    }

    async fn documents(
        &self,
        kind: &'static DocumentKind,
        key: Option<Key>,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        ask!(self, query => query.documents(kind, key.as_ref(), page))
    }

    async fn history(
        &self,
        kind: &'static DocumentKind,
        token: String,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        ask!(self, query => query.history(kind, &token, page))
    }

    async fn audit(&self, stretch: Stretch) -> StoreResult<Rows<(AuditRow, Hash)>> {
        let select = "SELECT number, at_ns, who, action, resource, before, after, outcome, hash
            FROM audit WHERE number > $1 ORDER BY number LIMIT $2";
        ask!(self, query => query.in_order(("audit", select), stretch, read_audit))
    }

    async fn answer(&self, key: AnswerKey) -> StoreResult<Option<Answer>> {
        let (by, key) = (escape(&key.by), escape(&key.key));
        ask!(self, query => query.one((ANSWER, &[&by, &key]), read_answer))
    }

    async fn cursor(&self, name: String) -> StoreResult<Option<Vec<u8>>> {
        let query_of = "SELECT value FROM cursor WHERE name = $1";
        ask!(self, query => query.one((query_of, &[&name]), |row| row.value(0)))
    }
}
