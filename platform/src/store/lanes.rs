//! The connections for reading, and how queries share them.
//!
//! A query works in *slices* of some milliseconds: after each it gives its connection back and
//! queues again, so that a long one holds nobody up for longer than that. Everything within a
//! slice is of one moment. Each query has a deadline, its waits included; SQLite is interrupted at
//! it, in the middle of a statement if need be.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::read::Reader;
use super::seal::{Damage, ReadError, ReadResult, is_corrupt};
use super::{StoreError, StoreResult, schema};
use crate::lock::lock;
use crate::store::read::ReadContext;

/// Queries at a time; more wait for their turn.
const READ_CONNECTIONS: usize = 4;
/// How long a query works before others get a turn.
const SLICE: Duration = Duration::from_millis(20);
/// Steps of SQLite's machine between two looks at the time: some ten microseconds.
const STEPS_BETWEEN_CHECKS: std::ffi::c_int = 2000;

/// What a slice of a query came to.
#[derive(Debug)]
pub(crate) enum Slice<T> {
    Done(T),
    More,
}

pub(crate) struct Readers {
    path: PathBuf,
    context: Mutex<ReadContext>,
    deadline: Duration,
    idle: Mutex<Vec<Connection>>,
    /// The only connection there is, where nothing can be written.
    alone: Mutex<Option<Connection>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    /// Readers of a store that has been opened for writing; queries may take so long.
    pub(crate) fn new(path: &Path, context: ReadContext, deadline: Duration) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            context: Mutex::new(context),
            deadline,
            idle: Mutex::new(Vec::new()),
            alone: Mutex::new(None),
            turns: Arc::new(Semaphore::new(READ_CONNECTIONS)),
        })
    }

    /// From now on everything is read over this one connection, or, with `None`, over several.
    pub(crate) fn read_alone(&self, connection: Option<Connection>) {
        *lock(&self.alone) = connection;
    }

    /// From now on this is around the file.
    pub(crate) fn renew(&self, context: ReadContext) {
        *lock(&self.context) = context;
    }

    fn context(&self) -> ReadContext {
        lock(&self.context).clone()
    }

    /// Runs a query that takes one slice at most.
    pub(crate) async fn with<T, Q>(self: &Arc<Self>, query: Q) -> StoreResult<T>
    where
        T: Send + 'static,
        Q: FnOnce(&Reader) -> ReadResult<T> + Send + 'static,
    {
        let end = self.end();
        let turn = self.turn(end).await?;
        let readers = Arc::clone(self);
        let work = move || {
            let result = readers.run(end, query);
            drop(turn);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::WorkerGone)?
    }

    /// Runs a query slice by slice.
    pub(crate) async fn scan<T, S>(self: &Arc<Self>, mut scan: S) -> StoreResult<T>
    where
        T: Send + 'static,
        S: FnMut(&Reader) -> ReadResult<Slice<T>> + Send + 'static,
    {
        let end = self.end();
        loop {
            let turn = self.turn(end).await?;
            let readers = Arc::clone(self);
            let work = move || {
                let result = readers.run(end, &mut scan);
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

    #[expect(clippy::disallowed_methods, reason = "a deadline is the machine's time")]
    fn end(&self) -> Instant {
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
        self.context().metrics.slow_queries.fetch_add(1, Ordering::Relaxed);
        StoreError::TooSlow { limit_s: self.deadline.as_secs_f64() }
    }

    #[expect(clippy::disallowed_methods, reason = "a slice is the machine's time")]
    fn run<T>(&self, end: Instant, query: impl FnOnce(&Reader) -> ReadResult<T>) -> StoreResult<T> {
        let now = Instant::now();
        if now >= end {
            return Err(self.too_slow());
        }
        let mut alone = lock(&self.alone);
        let is_alone = alone.is_some();
        let idle = if is_alone { alone.take() } else { lock(&self.idle).pop() };
        if !is_alone {
            // Only who reads alone keeps the others out.
            drop(alone);
            return self.run_on(idle, (now, end), query, |connection| {
                if !self.turns.is_closed() {
                    lock(&self.idle).push(connection);
                }
            });
        }
        self.run_on(idle, (now, end), query, |connection| *alone = Some(connection))
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

    /// Answers no more queries and closes the connections.
    pub(crate) fn close(&self) {
        self.turns.close();
        lock(&self.idle).clear();
        *lock(&self.alone) = None;
    }
}
