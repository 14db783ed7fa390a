//! The connections for reading, and how queries share them.
//!
//! A query works in *slices* of some milliseconds: after each it gives its connection back and
//! queues again, so that a long one holds nobody up for longer than that. Everything within a
//! slice is of one moment. Each query has a deadline, its waits included; SQLite is interrupted at
//! it, in the middle of a statement if need be.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lastmeter_model::access::Cut;
use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind, Key};
use lastmeter_model::invocation::{InvocationId, StoredInvocation};
use lastmeter_model::message::Number;
use lastmeter_model::row::{AlertRow, BlockRow, DeviceState, ReadingRow, RefusalRow, ResultRow};
use lastmeter_units::{MeasurementId, SimTime};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::read::ReadContext;
use super::read::Reader;
use super::schema;
use super::seal::{ReadError, ReadResult, is_corrupt};
use super::summaries::SummaryScan;
use super::walk::{EventsScan, SeriesScan};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::lock;
use crate::seam::{
    Page, Range, Rows, Series, SeriesQuery, StoreReader, Stretch, Summaries, SummaryQuery,
};

/// Queries at a time; more wait for their turn.
const READ_CONNECTIONS: usize = 4;
/// How long a query works before others get a turn.
const SLICE: Duration = Duration::from_millis(20);
/// A connection that no query has used for so long is closed.
const UNUSED_LIMIT: Duration = Duration::from_mins(1);
/// Steps of SQLite's machine between two looks at the time: some ten microseconds.
const STEPS_BETWEEN_CHECKS: std::ffi::c_int = 2000;

/// What a slice of a query came to.
#[derive(Debug)]
pub(super) enum Slice<T> {
    Done(T),
    More,
}

/// Queries of one file; clones share the connections.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Lanes>);

struct Lanes {
    path: PathBuf,
    context: Mutex<ReadContext>,
    deadline: Duration,
    /// With when they were used last, the most recent one at the end.
    idle: Mutex<Vec<(Instant, Connection)>>,
    /// Whether somebody looks after those that are idle.
    is_swept: AtomicBool,
    /// The only connection there is, where nothing can be written.
    alone: Mutex<Option<Connection>>,
    turns: Arc<Semaphore>,
}

#[async_trait]
impl StoreReader for Readers {
    async fn readings(&self, stretch: Stretch) -> StoreResult<Rows<ReadingRow>> {
        self.with(move |reader| reader.readings(stretch)).await
    }

    async fn refusals(&self, stretch: Stretch) -> StoreResult<Rows<RefusalRow>> {
        self.with(move |reader| reader.refusals(stretch)).await
    }

    async fn alerts(&self, stretch: Stretch) -> StoreResult<Rows<AlertRow>> {
        self.with(move |reader| reader.alerts(stretch)).await
    }

    async fn results(&self, stretch: Stretch) -> StoreResult<Rows<ResultRow>> {
        self.with(move |reader| reader.rows(stretch)).await
    }

    async fn blocks(&self, stretch: Stretch) -> StoreResult<Rows<BlockRow>> {
        self.with(move |reader| reader.rows(stretch)).await
    }

    async fn block(&self, device: i64, number: Number) -> StoreResult<Option<BlockRow>> {
        self.with(move |reader| reader.row(device, number)).await
    }

    async fn numbered(&self, device: i64, number: Number) -> StoreResult<Option<ReadingRow>> {
        self.with(move |reader| reader.numbered(device, number)).await
    }

    async fn state(&self, device: i64) -> StoreResult<DeviceState> {
        self.with(move |reader| reader.state(device)).await
    }

    async fn quantities_of(&self, device: i64) -> StoreResult<Vec<MeasurementId>> {
        self.with(move |reader| reader.quantities_of(device)).await
    }

    async fn invocation(&self, id: InvocationId) -> StoreResult<Option<StoredInvocation>> {
        self.with(move |reader| reader.invocation(id)).await
    }

    async fn invocations(&self, ids: Vec<InvocationId>) -> StoreResult<Vec<StoredInvocation>> {
        self.with(move |reader| reader.invocations(&ids)).await
    }

    async fn invocations_of(
        &self,
        device: i64,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<StoredInvocation>)> {
        self.with(move |reader| reader.invocations_of(device, page, &cut)).await
    }

    async fn series(&self, query: SeriesQuery) -> StoreResult<Vec<Series>> {
        let mut scan = SeriesScan::new(query);
        self.scan(move |reader| scan.slice(reader)).await
    }

    async fn summaries(&self, query: SummaryQuery) -> StoreResult<Summaries> {
        let mut scan = SummaryScan::new(query);
        self.scan(move |reader| scan.slice(reader)).await
    }

    async fn events(
        &self,
        device: i64,
        range: Range,
        page: Page,
        cut: Cut,
    ) -> StoreResult<(u64, Vec<ReadingRow>)> {
        let mut scan = EventsScan::new(device, range, page, cut);
        self.scan(move |reader| scan.slice(reader)).await
    }

    async fn document(
        &self,
        kind: &'static DocumentKind,
        token: String,
        version: Option<u64>,
    ) -> StoreResult<Option<Document>> {
        self.with(move |reader| reader.document(kind, &token, version)).await
    }

    async fn document_at(
        &self,
        kind: &'static DocumentKind,
        token: String,
        at: SimTime,
    ) -> StoreResult<Option<Document>> {
        self.with(move |reader| reader.document_at(kind, &token, at)).await
    }

    async fn documents(
        &self,
        kind: &'static DocumentKind,
        key: Option<Key>,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        self.with(move |reader| reader.documents(kind, key.as_ref(), page)).await
    }

    async fn history(
        &self,
        kind: &'static DocumentKind,
        token: String,
        page: Page,
    ) -> StoreResult<(u64, Vec<Document>)> {
        self.with(move |reader| reader.history(kind, &token, page)).await
    }

    async fn audit(&self, stretch: Stretch) -> StoreResult<Rows<(AuditRow, Hash)>> {
        self.with(move |reader| reader.audit(stretch)).await
    }

    async fn answer(&self, key: AnswerKey) -> StoreResult<Option<Answer>> {
        self.with(move |reader| super::audit::answer(&reader.connection, &key)).await
    }

    async fn cursor(&self, name: String) -> StoreResult<Option<Vec<u8>>> {
        self.with(move |reader| super::audit::cursor(&reader.connection, &name)).await
    }

    fn close(&self) {
        self.0.turns.close();
        lock(&self.0.idle).clear();
        *lock(&self.0.alone) = None;
    }
}

impl Readers {
    /// Readers of a store that has been opened for writing; queries may take so long.
    pub(crate) fn new(path: &Path, context: ReadContext, deadline: Duration) -> Self {
        Self(Arc::new(Lanes {
            path: path.to_owned(),
            context: Mutex::new(context),
            deadline,
            idle: Mutex::new(Vec::new()),
            is_swept: AtomicBool::new(false),
            alone: Mutex::new(None),
            turns: Arc::new(Semaphore::new(READ_CONNECTIONS)),
        }))
    }

    /// From now on everything is read over this one connection, or, with `None`, over several.
    pub(crate) fn read_alone(&self, connection: Option<Connection>) {
        *lock(&self.0.alone) = connection;
    }

    /// From now on this is around the file.
    pub(crate) fn renew(&self, context: ReadContext) {
        *lock(&self.0.context) = context;
    }

    /// Runs a query that takes one slice at most.
    async fn with<T, Q>(&self, query: Q) -> StoreResult<T>
    where
        T: Send + 'static,
        Q: FnOnce(&Reader) -> ReadResult<T> + Send + 'static,
    {
        let end = self.0.begin();
        let turn = self.0.turn(end).await?;
        let lanes = Arc::clone(&self.0);
        let work = move || {
            let result = lanes.run(end, query);
            drop(turn);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::WorkerGone)?
    }

    /// Runs a query slice by slice.
    async fn scan<T, S>(&self, mut scan: S) -> StoreResult<T>
    where
        T: Send + 'static,
        S: FnMut(&Reader) -> ReadResult<Slice<T>> + Send + 'static,
    {
        let end = self.0.begin();
        loop {
            let turn = self.0.turn(end).await?;
            let lanes = Arc::clone(&self.0);
            let work = move || {
                let result = lanes.run(end, &mut scan);
                drop(turn);
                (scan, result)
            };
            let worked = tokio::task::spawn_blocking(work).await;
            let (back, result) = worked.map_err(|_| StoreError::WorkerGone)?;
            match result? {
                Slice::Done(answer) => return Ok(answer),
                Slice::More => scan = back,
            }
        }
    }
}

impl Lanes {
    fn context(&self) -> ReadContext {
        lock(&self.context).clone()
    }

    /// Counts a query; until when it may take.
    #[expect(clippy::disallowed_methods, reason = "a deadline is the machine's time")]
    fn begin(&self) -> Instant {
        self.context().observer.queried();
        Instant::now() + self.deadline
    }

    async fn turn(&self, end: Instant) -> StoreResult<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout_at(end.into(), turn).await {
            Ok(turn) => turn.map_err(|_| StoreError::WorkerGone),
            Err(_) => Err(self.too_slow()),
        }
    }

    fn too_slow(&self) -> StoreError {
        self.context().observer.too_slow();
        StoreError::TooSlow { limit_s: self.deadline.as_secs_f64() }
    }

    #[expect(clippy::disallowed_methods, reason = "a slice is the machine's time")]
    fn run<T>(
        self: &Arc<Self>,
        end: Instant,
        query: impl FnOnce(&Reader) -> ReadResult<T>,
    ) -> StoreResult<T> {
        let now = Instant::now();
        if now >= end {
            return Err(self.too_slow());
        }
        let mut alone = lock(&self.alone);
        let is_alone = alone.is_some();
        let idle =
            if is_alone { alone.take() } else { lock(&self.idle).pop().map(|(_, idle)| idle) };
        if !is_alone {
            // Only who reads alone keeps the others out.
            drop(alone);
            return self.run_on(idle, (now, end), query, |connection| {
                if !self.turns.is_closed() {
                    self.keep(connection, UNUSED_LIMIT);
                }
            });
        }
        self.run_on(idle, (now, end), query, |connection| *alone = Some(connection))
    }

    /// Keeps a connection for the next query, unless there is none for so long.
    #[expect(clippy::disallowed_methods, reason = "how long it is unused is the machine's time")]
    fn keep(self: &Arc<Self>, connection: Connection, limit: Duration) {
        lock(&self.idle).push((Instant::now(), connection));
        if self.is_swept.swap(true, Ordering::AcqRel) {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(sweep(Arc::downgrade(self), limit))),
            Err(_) => self.is_swept.store(false, Ordering::Release),
        }
    }

    /// Closes what has not been used for so long; whether anything is left.
    #[expect(clippy::disallowed_methods, reason = "how long it is unused is the machine's time")]
    fn close_unused(&self, limit: Duration) -> bool {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        idle.retain(|(used, _)| now.saturating_duration_since(*used) < limit);
        if idle.is_empty() {
            self.is_swept.store(false, Ordering::Release);
        }
        !idle.is_empty()
    }

    /// Runs a query on a connection, a new one if there is none, and gives it back.
    fn run_on<T>(
        &self,
        connection: Option<Connection>,
        (now, end): (Instant, Instant),
        query: impl FnOnce(&Reader) -> ReadResult<T>,
        give_back: impl FnOnce(Connection),
    ) -> StoreResult<T> {
        let connection = match connection {
            Some(connection) => connection,
            None => schema::open_for_reading(&self.path)?,
        };
        let mut reader = Reader::new(connection, self.context(), (now + SLICE).min(end));
        let result = reader.interrupted_at(end, STEPS_BETWEEN_CHECKS, query);
        let interrupted = matches!(
            &result,
            Err(ReadError::Sqlite(error))
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted)
        );
        give_back(reader.into_connection());
        match result {
            Ok(value) => Ok(value),
            Err(_) if interrupted => Err(self.too_slow()),
            Err(ReadError::Damaged(damage)) => {
                self.context().report(&damage);
                Err(StoreError::DamagedPart(damage))
            }
            Err(ReadError::Sqlite(error)) if is_corrupt(&error) => {
                let damage = Damage::new(super::STORE_FILE, "", error.to_string());
                self.context().report(&damage);
                Err(StoreError::DamagedPart(damage))
            }
            Err(ReadError::Sqlite(error)) => Err(StoreError::doing("read the store")(error)),
        }
    }
}

/// Closes connections that are not used any more, until there are none.
async fn sweep(lanes: Weak<Lanes>, limit: Duration) {
    loop {
        let far = tokio::time::Instant::now() + limit;
        tokio::time::sleep_until(far).await;
        if !lanes.upgrade().is_some_and(|lanes| lanes.close_unused(limit)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use lastmeter_model::directory::DeviceDirectory;

    use super::*;
    use crate::seam::Observer;
    use crate::sqlite::open_for_writing;

    struct Nobody;

    impl Observer for Nobody {
        fn damaged(&self, _: &Damage) {}
        fn too_slow(&self) {}
        fn content_not_kept(&self) {}
        fn inspected(&self) {}
    }

    fn readers(folder: &Path, deadline: Duration) -> Readers {
        let path = folder.join("store.db");
        let opened = open_for_writing(&path).unwrap();
        let context = ReadContext {
            quantities: Arc::new(opened.quantities.clone()),
            devices: Arc::new(DeviceDirectory::default()),
            documents: Arc::default(),
            observer: Arc::new(Nobody),
        };
        Readers::new(&path, context, deadline)
    }

    #[tokio::test]
    async fn a_connection_that_is_not_used_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path(), Duration::from_secs(10));
        let limit = Duration::from_millis(20);
        for _ in 0..2 {
            let stretch = Stretch { after: 0, limit: 10, last: 0 };
            assert!(readers.readings(stretch).await.unwrap().rows.is_empty());
            assert_eq!(lock(&readers.0.idle).len(), 1, "kept for the next query");
            assert!(readers.0.close_unused(Duration::from_mins(1)));
            while readers.0.close_unused(limit) {
                tokio::task::yield_now().await;
            }
            assert!(lock(&readers.0.idle).is_empty());
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "that it ends in time is what is tested")]
    async fn a_statement_is_broken_off_in_its_midst() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path(), Duration::from_secs(1));
        let begun = Instant::now();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                       SELECT count(*) FROM n";
        let query = move |reader: &Reader| {
            Ok(reader.connection.query_row(endless, [], |row| row.get::<_, i64>(0))?)
        };
        let ended = tokio::time::timeout(Duration::from_secs(30), readers.with(query)).await;
        let error = ended.expect("it is broken off").unwrap_err();
        assert!(matches!(error, StoreError::TooSlow { .. }), "{error}");
        assert!(begun.elapsed() >= Duration::from_secs(1));
        let stretch = Stretch { after: 0, limit: 10, last: 0 };
        assert!(readers.readings(stretch).await.unwrap().rows.is_empty(), "the connection goes on");
    }
}
