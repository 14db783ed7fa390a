//! A store under test: its place, its writer, batches that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lastmeter_model::decide::{
    Batch, Effect, Found, Known, List, Old, Outcome, Put, RefusedBytes, Retention, State,
};
use lastmeter_model::document::{Answer, AnswerKey, Document, DocumentKind};
use lastmeter_model::documents::Documents;
use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::message::Number;
use lastmeter_model::row::{BlockRow, DeviceRow, ReadingRow, ResultRow};
use lastmeter_model::series::rollup::Rollup;
use lastmeter_model::standing::Standing;
use lastmeter_units::{MeasurementId, SimTime, TenantName};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::seen::{Seen, seen};
use super::server::Server;
use super::work::{Job, REFUSED_BYTES, Step};
use crate::damage::Damage;
use crate::error::{StoreError, StoreResult};
use crate::page::PAGE_BYTES_MAX;
use crate::postgres::Database;
use crate::seam::{Observer, StoreBatch, StoreReader, StoreWriter};
use crate::stores::{FileReaders, OpenStore, Readable, StoreKind, StorePlace};
use crate::writer::Writer;

/// No store is damaged here.
pub(super) struct Strict;

impl Observer for Strict {
    fn damaged(&self, damage: &Damage) {
        // A row that is asked for and is not there is answered with the same damage everywhere.
        assert_eq!(damage.found, "the row is missing");
    }
    fn too_slow(&self) {
        panic!("a query was broken off");
    }
    fn content_not_kept(&self) {}
    fn inspected(&self) {}
}

/// A store under test.
pub(super) struct Subject {
    kind: &'static StoreKind,
    place: StorePlace,
    open: Option<Opened>,
    /// Writes until the next failure.
    left: Arc<AtomicUsize>,
    runtime: Runtime,
    folder: TempDir,
}

struct Opened {
    writer: Writer,
    reader: Arc<dyn StoreReader>,
    expiries: Vec<(InvocationId, SimTime)>,
}

impl Subject {
    /// An empty store; one in PostgreSQL is on that server.
    pub(super) fn new(kind: &'static StoreKind, server: Option<&Server>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tenant = TenantName::default();
        let database = server.filter(|_| kind.name == "postgres").map(|server| {
            server.psql("DROP SCHEMA IF EXISTS t_default CASCADE");
            Database::new(&server.connection(), "t_default").unwrap()
        });
        let folder_path = folder.path().to_owned();
        let place =
            StorePlace { database, ..StorePlace::new(tenant, folder_path, Arc::new(Strict)) };
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let open = Some(Opened::new(kind, &place, &left));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { kind, place, open, left, runtime, folder }
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name
    }

    /// When the invocations expire that were open at the last start.
    pub(super) fn expiries(&self) -> &[(InvocationId, SimTime)] {
        &self.open().expiries
    }

    pub(super) fn standing(&self) -> Standing {
        *self.open().writer.standing()
    }

    pub(super) fn reader(&self) -> &dyn StoreReader {
        &*self.open().reader
    }

    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// The devices that are registered.
    pub(super) fn devices(&self) -> Vec<DeviceRow> {
        self.place.devices.page(0, u32::MAX).1
    }

    /// The resident documents.
    pub(super) fn documents(&self) -> &Documents {
        &self.place.documents
    }

    /// Everything that can be queried.
    pub(super) fn seen(&self) -> Seen {
        let standing = self.standing();
        let counts = (standing.totals(), standing.chain.count);
        self.wait(seen(self.reader(), &self.place.devices, counts))
    }

    /// Does a step at an instant; what it came to.
    pub(super) fn step(&mut self, step: &Step, now: usize) -> Outcome {
        match step {
            Step::Commit(jobs) => self.apply(jobs, now),
            Step::Fail(writes, jobs) => {
                let outcome = self.try_apply(*writes, jobs, now);
                outcome.unwrap_or_else(|_| self.apply(jobs, now))
            }
            Step::Tend(days, due) => {
                let limits = Retention { alerts: None, ..Retention::of(Some(1), *days) };
                while self.tend(usize::MAX, limits, after_a_day(*due)).unwrap() {}
                Outcome { standing: self.standing(), ..Outcome::default() }
            }
            Step::Restart => {
                self.restart();
                Outcome { standing: self.standing(), ..Outcome::default() }
            }
        }
    }

    pub(super) fn apply(&mut self, jobs: &[Job], now: usize) -> Outcome {
        self.try_apply(usize::MAX, jobs, now).unwrap()
    }

    /// Applies a batch for which so many writes are left, the commit being one.
    pub(super) fn try_apply(
        &mut self,
        writes: usize,
        jobs: &[Job],
        now: usize,
    ) -> StoreResult<Outcome> {
        self.left.store(writes, Ordering::Relaxed);
        let now = SimTime(now.try_into().unwrap());
        self.open.as_mut().unwrap().writer.apply(jobs.iter().map(Job::work), now)
    }

    /// Has a part done of what is to be done without being asked for, with so many writes left;
    /// whether there may be more.
    pub(super) fn tend(
        &mut self,
        writes: usize,
        limits: Retention,
        now: SimTime,
    ) -> StoreResult<bool> {
        self.left.store(writes, Ordering::Relaxed);
        self.open.as_mut().unwrap().writer.tend(limits, now)
    }

    /// Opens it again, with everything that was remembered forgotten.
    pub(super) fn restart(&mut self) {
        self.open = None;
        self.place.readers = FileReaders::default();
        self.place.devices = Arc::default();
        self.place.documents = Arc::default();
        self.open = Some(Opened::new(self.kind, &self.place, &self.left));
    }

    fn open(&self) -> &Opened {
        self.open.as_ref().unwrap()
    }
}

/// When what came at an instant has been there for a day.
pub(super) fn after_a_day(due: i64) -> SimTime {
    SimTime(due + 86_400_000_000_000)
}

impl Opened {
    fn new(kind: &StoreKind, place: &StorePlace, left: &Arc<AtomicUsize>) -> Self {
        let OpenStore { writer, content, .. } = (kind.open)(place).unwrap();
        let Readable { reader, standing, expiries, .. } = content;
        let writer = Box::new(Failing { inner: writer, left: Arc::clone(left) });
        let around = (Arc::clone(&place.devices), Arc::clone(&place.observer));
        let writer = Writer::new(&place.tenant, (writer, standing), around, REFUSED_BYTES);
        let writer = writer.with_documents(Arc::clone(&place.documents));
        Self { writer, reader, expiries }
    }
}

/// A writer that fails when no more writes are left.
struct Failing {
    inner: Box<dyn StoreWriter>,
    left: Arc<AtomicUsize>,
}

struct FailingBatch<'a> {
    inner: Box<dyn StoreBatch + 'a>,
    left: &'a AtomicUsize,
}

impl StoreWriter for Failing {
    fn begin(&mut self) -> StoreResult<Box<dyn StoreBatch + '_>> {
        Ok(Box::new(FailingBatch { inner: self.inner.begin()?, left: &self.left }))
    }
}

impl FailingBatch<'_> {
    fn spend(&self) -> StoreResult<()> {
        let spent = |left: usize| left.checked_sub(1);
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent);
        left.map(drop).map_err(|_| StoreError::WorkerGone)
    }
}

impl Known for FailingBatch<'_> {
    type Error = StoreError;

    fn quantity(&self, id: MeasurementId) -> u16 {
        self.inner.quantity(id)
    }

    fn numbered(
        &mut self,
        device: &DeviceRow,
        number: Number,
        event: Option<SimTime>,
    ) -> StoreResult<Found<ReadingRow>> {
        self.inner.numbered(device, number, event)
    }

    fn result(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<ResultRow>> {
        self.inner.result(device, number)
    }

    fn block(&mut self, device: &DeviceRow, number: Number) -> StoreResult<Found<BlockRow>> {
        self.inner.block(device, number)
    }

    fn invocation(&mut self, id: InvocationId) -> StoreResult<Found<InvocationRow>> {
        self.inner.invocation(id)
    }

    fn state(&mut self, device: i64) -> StoreResult<Found<State>> {
        self.inner.state(device)
    }

    fn document(
        &mut self,
        kind: &'static DocumentKind,
        token: &str,
    ) -> StoreResult<Found<Document>> {
        self.inner.document(kind, token)
    }

    fn answer(&mut self, key: &AnswerKey) -> StoreResult<Found<Answer>> {
        self.inner.answer(key)
    }

    fn old_answers(
        &mut self,
        given: SimTime,
        of: (&str, u32),
        limit: u32,
    ) -> StoreResult<Vec<AnswerKey>> {
        self.inner.old_answers(given, of, limit)
    }

    fn rollup(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        self.inner.rollup(device, start)
    }

    fn summed_up(&mut self, device: i64, start: SimTime) -> StoreResult<Found<Rollup>> {
        self.inner.summed_up(device, start)
    }

    fn last_bucket(&mut self, device: i64) -> StoreResult<Option<SimTime>> {
        self.inner.last_bucket(device)
    }

    fn event_from(&mut self, device: i64, from: SimTime) -> StoreResult<Option<SimTime>> {
        self.inner.event_from(device, from)
    }

    fn oldest(&mut self, list: List, after: u64, limit: u32) -> StoreResult<Vec<Old>> {
        // What is read at once, in the writer, is no more than a page.
        let row_bytes = match list {
            List::Results | List::Blocks => 256 * 1024,
            List::Readings | List::Alerts | List::Refusals => 0,
        };
        assert!(limit as usize * row_bytes <= PAGE_BYTES_MAX, "{limit} rows of {list:?}");
        self.inner.oldest(list, after, limit)
    }

    fn removed(&mut self, device: i64, epoch: u64) -> StoreResult<Found<u64>> {
        self.inner.removed(device, epoch)
    }

    fn refused_bytes(&mut self) -> StoreResult<RefusedBytes> {
        self.inner.refused_bytes()
    }
}

impl Batch for FailingBatch<'_> {
    fn put(&mut self, effect: Effect<'_>) -> StoreResult<Put> {
        self.spend()?;
        self.inner.put(effect)
    }
}

impl StoreBatch for FailingBatch<'_> {
    fn commit(self: Box<Self>, standing: &Standing) -> StoreResult<()> {
        self.spend()?;
        self.inner.commit(standing)
    }
}
