//! The one thread that writes to the store: gathers jobs into batches, applies them, answers.
//!
//! A batch that fails is tried again, for ever: its entries are durable in the journal and have
//! been acknowledged, so they may neither be dropped nor overtaken. Meanwhile the queue fills and
//! senders wait.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Progress;
use super::apply::{Outcome, Writer};
use crate::metrics::{Metrics, lock};
use crate::pipeline::Job;

/// Between two attempts at a batch that fails.
const RETRY: Duration = Duration::from_millis(100);

/// Whether the store works, and how far it is behind.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The last transaction failed and is being tried again.
    pub(crate) failing: AtomicBool,
    /// The thread has ended.
    pub(crate) ended: AtomicBool,
    /// Stop trying a batch that fails: the platform is stopping, the journal has it.
    pub(crate) give_up: AtomicBool,
    /// Why the last transaction that failed did so.
    cause: Mutex<String>,
}

impl Health {
    /// Why the store does not work, if it does not.
    pub(crate) fn trouble(&self) -> Option<String> {
        if self.ended.load(Ordering::Acquire) {
            return Some("the store has ended".to_owned());
        }
        let is_failing = self.failing.load(Ordering::Acquire);
        is_failing.then(|| format!("the store cannot be written: {}", lock(&self.cause)))
    }

    /// Returns why the store fails when it has been failing for so long without a break.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a disk fails is a matter of the machine, not of the platform's time"
    )]
    pub(crate) async fn fails_for(&self, limit: Duration) -> String {
        let mut failing = Duration::ZERO;
        loop {
            tokio::time::sleep(RETRY).await;
            if self.failing.load(Ordering::Acquire) {
                failing += RETRY;
            } else {
                failing = Duration::ZERO;
            }
            if failing >= limit {
                return lock(&self.cause).clone();
            }
        }
    }
}

/// The running thread.
pub(crate) struct StoreThread {
    /// Takes jobs; the thread ends when all clones are gone.
    pub(crate) jobs: SyncSender<Job>,
    /// Whether it works.
    pub(crate) health: Arc<Health>,
    /// The journal entries up to this one are in the store.
    pub(crate) committed: Arc<AtomicU64>,
    /// How far queries see.
    pub(crate) progress: Arc<Progress>,
    /// To be waited for at the end.
    pub(crate) thread: JoinHandle<()>,
}

/// How jobs are gathered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batching {
    /// Jobs in one transaction at most.
    pub(crate) jobs_max: usize,
    /// How long a batch may wait to fill.
    pub(crate) wait: Duration,
    /// Jobs that may wait.
    pub(crate) queue: usize,
}

impl StoreThread {
    /// Starts the thread.
    pub(crate) fn start(
        writer: Writer,
        batching: Batching,
        metrics: Arc<Metrics>,
        lock: Arc<File>,
    ) -> io::Result<Self> {
        let (jobs, inbox) = sync_channel(batching.queue);
        let health = Arc::new(Health::default());
        let committed = Arc::new(AtomicU64::new(writer.journal_committed()));
        let progress = Arc::new(Progress::new(writer.totals()));
        let worker = Worker {
            writer,
            batching,
            inbox,
            metrics,
            health: Arc::clone(&health),
            committed: Arc::clone(&committed),
            progress: Arc::clone(&progress),
            _lock: lock,
        };
        let thread =
            std::thread::Builder::new().name("store".into()).spawn(move || worker.run())?;
        Ok(Self { jobs, health, committed, progress, thread })
    }
}

struct Worker {
    writer: Writer,
    batching: Batching,
    inbox: Receiver<Job>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    committed: Arc<AtomicU64>,
    progress: Arc<Progress>,
    /// The data folder is this process's as long as this thread may write.
    _lock: Arc<File>,
}

/// Marks the end of the thread, however it comes.
struct EndMark(Arc<Health>);

impl Drop for EndMark {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

impl Worker {
    fn run(mut self) {
        let _mark = EndMark(Arc::clone(&self.health));
        let mut batch = Vec::with_capacity(self.batching.jobs_max);
        while let Ok(first) = self.inbox.recv() {
            self.gather(first, &mut batch);
            let Some(outcome) = self.apply(&batch) else { return };
            self.committed.store(outcome.journal_committed, Ordering::Release);
            self.progress.reach(outcome.totals, self.writer.now());
            self.count(&outcome);
            answer(&mut batch, outcome);
        }
    }

    /// Waits for more jobs until the batch is full, its time is up, or somebody waits for it.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a batch fills is a matter of throughput, not of the platform's time"
    )]
    fn gather(&self, first: Job, batch: &mut Vec<Job>) {
        let end = Instant::now() + self.batching.wait;
        let mut job = first;
        loop {
            let awaited = !matches!(job, Job::Delivery(_));
            batch.push(job);
            if batch.len() >= self.batching.jobs_max || awaited {
                return;
            }
            job = match self.inbox.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Applies a batch; `None` only if the platform stops while the store fails.
    fn apply(&mut self, batch: &[Job]) -> Option<Outcome> {
        loop {
            match self.writer.apply(batch) {
                Ok(outcome) => {
                    self.health.failing.store(false, Ordering::Release);
                    return Some(outcome);
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "the store cannot be written; trying again");
                    *lock(&self.health.cause) = match cause {
                        Some(cause) => format!("{error}: {cause}"),
                        None => error.to_string(),
                    };
                    self.metrics.commit_failures.fetch_add(1, Ordering::Relaxed);
                    self.health.failing.store(true, Ordering::Release);
                    if self.health.give_up.load(Ordering::Acquire) {
                        return None;
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    fn count(&self, outcome: &Outcome) {
        let metrics = &self.metrics;
        metrics.commits.fetch_add(1, Ordering::Relaxed);
        metrics.stored.fetch_add(outcome.stored, Ordering::Relaxed);
        metrics.alerts.fetch_add(outcome.alerts, Ordering::Relaxed);
        metrics.repetitions.fetch_add(outcome.repetitions, Ordering::Relaxed);
        metrics.without_serial.fetch_add(outcome.without_serial, Ordering::Relaxed);
        metrics.late_acknowledgements.fetch_add(outcome.late_acknowledgements, Ordering::Relaxed);
        for reason in &outcome.refused {
            metrics.count_refusal(reason.word());
        }
    }
}

/// Tells everybody who waited for this batch; permits go back as the jobs are dropped.
fn answer(batch: &mut Vec<Job>, outcome: Outcome) {
    let mut changes = outcome.changes.into_iter();
    for job in batch.drain(..) {
        // Somebody who has stopped waiting needs no answer.
        match job {
            Job::Delivery(_) => {}
            Job::Change(_, reply) => {
                let _ = reply.send(changes.next().unwrap_or_default());
            }
            Job::Barrier(reply) => {
                let _ = reply.send(outcome.totals);
            }
        }
    }
}
