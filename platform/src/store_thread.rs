//! The one thread that writes to the store: gathers jobs into batches, applies them, answers.
//!
//! A batch that fails is tried again, for ever: its entries are durable in the journal and have
//! been acknowledged, so they may neither be dropped nor overtaken. Meanwhile the queue fills and
//! senders wait.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lastmeter_model::decide::{Outcome, Retention};
use lastmeter_model::standing::Standing;
use lastmeter_model::work::{Change, Changed};
use lastmeter_store::files::FolderLock;
use lastmeter_store::lock;
use lastmeter_store::{Progress, Writer};

use crate::clock::Clock;
use crate::journal::Head;
use crate::log_throttle::LogThrottle;
use crate::metrics::Metrics;
use crate::pipeline::Job;

/// Between two syncs of the head.
const HEAD_SYNC_EVERY: Duration = Duration::from_secs(1);
/// Between two attempts at a batch that fails.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Whether the store works, and how far it is behind.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The last transaction failed and is being tried again.
    pub(crate) failing: AtomicBool,
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
            tokio::time::sleep(RETRY_INTERVAL).await;
            if self.failing.load(Ordering::Acquire) {
                failing += RETRY_INTERVAL;
            } else {
                failing = Duration::ZERO;
            }
            if failing >= limit {
                return lock(&self.cause).clone();
            }
        }
    }
}

#[derive(Clone)]
pub(crate) struct Signals {
    pub(crate) health: Arc<Health>,
    /// The journal entries up to this one are in the store.
    pub(crate) committed: Arc<AtomicU64>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) metrics: Arc<Metrics>,
    /// The note of how far the store has come that is kept beside it.
    pub(crate) head: Arc<Head>,
}

pub(crate) struct StoreThread {
    /// Takes jobs; the thread ends when all clones are gone.
    pub(crate) jobs: SyncSender<Job>,
    /// To be waited for at the end.
    pub(crate) thread: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Batching {
    /// Jobs in one transaction at most.
    pub(crate) jobs_max: usize,
    /// How long a batch may wait to fill.
    pub(crate) wait: Duration,
    pub(crate) queue: usize,
    /// For how long what is stored is kept.
    pub(crate) retention: Retention,
}

impl StoreThread {
    /// Starts the thread on a store. The data folder is this process's as long as
    /// the thread may write: `keep` is kept until then.
    #[expect(
        clippy::disallowed_methods,
        reason = "how often a file is synced is the machine's time"
    )]
    pub(crate) fn start(
        (writer, clock): (Writer, Arc<Clock>),
        batching: Batching,
        signals: Signals,
        keep: Arc<FolderLock>,
    ) -> io::Result<Self> {
        let (jobs, inbox) = sync_channel(batching.queue);
        signals.committed.store(writer.standing().journal_committed, Ordering::Release);
        let worker = Worker {
            writer,
            clock,
            batching,
            inbox,
            signals,
            failures: LogThrottle::default(),
            head_synced: Instant::now(),
            _keep: keep,
        };
        let thread =
            std::thread::Builder::new().name("store".into()).spawn(move || worker.run())?;
        Ok(Self { jobs, thread })
    }
}

struct Worker {
    writer: Writer,
    clock: Arc<Clock>,
    batching: Batching,
    inbox: Receiver<Job>,
    signals: Signals,
    failures: LogThrottle,
    head_synced: Instant,
    _keep: Arc<FolderLock>,
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
        let _mark = EndMark(Arc::clone(&self.signals.health));
        let mut batch = Vec::with_capacity(self.batching.jobs_max);
        while let Some(first) = self.next() {
            self.gather(first, &mut batch);
            let Some(outcome) = self.apply_or_move(&batch) else { return };
            let standing = outcome.standing;
            self.signals.committed.store(standing.journal_committed, Ordering::Release);
            self.signals.progress.audit(standing.chain.count);
            self.signals.progress.reach(standing.totals(), self.clock.now());
            self.count(&outcome);
            if batch.iter().any(Job::moves_clock) {
                // What is there at an instant does not depend on how fast the machine is.
                while self.tend() {}
            }
            let is_more = batch.iter().any(|job| matches!(job, Job::Tend(_))) && self.tend();
            answer(&mut batch, outcome, &(*self.writer.standing(), is_more));
        }
    }

    /// Waits for a job; meanwhile, and at least once a second, the head is made durable.
    #[expect(
        clippy::disallowed_methods,
        reason = "how often a file is synced is the machine's time"
    )]
    fn next(&mut self) -> Option<Job> {
        loop {
            let left = HEAD_SYNC_EVERY.saturating_sub(self.head_synced.elapsed());
            if self.tend() && !left.is_zero() {
                match self.inbox.try_recv() {
                    Ok(job) => return Some(job),
                    Err(TryRecvError::Disconnected) => return None,
                    Err(TryRecvError::Empty) => continue,
                }
            }
            match self.inbox.recv_timeout(left) {
                Ok(job) if !left.is_zero() => return Some(job),
                Err(RecvTimeoutError::Disconnected) => return None,
                due => {
                    if let Err(error) = self.signals.head.sync()
                        && let Some(kept_back) = self.failures.admit()
                    {
                        tracing::error!(%error, kept_back, "the head could not be made durable");
                    }
                    self.head_synced = Instant::now();
                    if let Ok(job) = due {
                        return Some(job);
                    }
                }
            }
        }
    }

    /// Does a part of what is to be done without a job; whether there may be more.
    fn tend(&mut self) -> bool {
        match self.writer.tend(self.batching.retention, self.clock.now()) {
            Ok(is_more) => is_more,
            Err(error) => {
                if let Some(kept_back) = self.failures.admit() {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, kept_back, "what is kept no longer was not removed");
                }
                false
            }
        }
    }

    /// Waits for more jobs until the batch is full or its time is up. A change is waited for:
    /// behind it only those are taken that have come already, so that many changes cost one commit.
    /// A barrier ends the batch, so that its totals are of what came before it.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a batch fills is a matter of throughput, not of the platform's time"
    )]
    fn gather(&self, first: Job, batch: &mut Vec<Job>) {
        let mut end = Instant::now() + self.batching.wait;
        let mut job = first;
        loop {
            match job {
                Job::Delivery { .. } => {}
                Job::Change(..) => end = Instant::now(),
                Job::Barrier(_) | Job::Tend(_) | Job::Settle { .. } => {
                    batch.push(job);
                    return;
                }
            }
            batch.push(job);
            if batch.len() >= self.batching.jobs_max {
                return;
            }
            job = match self.inbox.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Applies a batch, or, where nothing but the driven clock moves, notes in the head alone how
    /// far that is: the store has it with the next batch. `None` as of `apply`.
    fn apply_or_move(&mut self, batch: &[Job]) -> Option<Outcome> {
        let mut outcome = Outcome::default();
        for job in batch {
            match job {
                Job::Barrier(_) => {}
                Job::Change(Change::Clock(now), _) if self.writer.move_clock(*now) => {
                    outcome.changes.push(Changed { changed: true, ..Changed::default() });
                }
                _ => return self.apply(batch),
            }
        }
        outcome.standing = *self.writer.standing();
        self.note(&outcome)?;
        Some(outcome)
    }

    /// Applies a batch; `None` only if the platform stops while the store fails.
    fn apply(&mut self, batch: &[Job]) -> Option<Outcome> {
        loop {
            match self.writer.apply(batch.iter().filter_map(Job::work), self.clock.now()) {
                Ok(outcome) => {
                    self.note(&outcome)?;
                    self.signals.metrics.commits.fetch_add(1, Ordering::Relaxed);
                    return Some(outcome);
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    let why = match cause {
                        Some(cause) => format!("{error}: {cause}"),
                        None => error.to_string(),
                    };
                    if !self.fails(why) {
                        return None;
                    }
                }
            }
        }
    }

    /// Notes in the head what was committed, and makes sure that it was committed to the files
    /// that the next start will find. `None` only if the platform stops while that is not so.
    fn note(&self, outcome: &Outcome) -> Option<()> {
        let standing = &outcome.standing;
        loop {
            let head = &self.signals.head;
            let noted = head.store(standing).and_then(|()| head.audit(standing.chain.head()));
            let why = match (noted, self.writer.trouble()) {
                (Ok(()), None) => {
                    self.signals.health.failing.store(false, Ordering::Release);
                    return Some(());
                }
                (_, Some(why)) => why,
                (Err(error), None) => format!("the head cannot be written: {error}"),
            };
            if !self.fails(why) {
                return None;
            }
        }
    }

    /// Reports that the store fails and waits a moment; `false` if the platform stops.
    fn fails(&self, why: String) -> bool {
        let Signals { health, metrics, .. } = &self.signals;
        if let Some(kept_back) = self.failures.admit() {
            tracing::error!(why, kept_back, "the store cannot be written; trying again");
        }
        *lock(&health.cause) = why;
        metrics.commit_failures.fetch_add(1, Ordering::Relaxed);
        health.failing.store(true, Ordering::Release);
        if health.give_up.load(Ordering::Acquire) {
            return false;
        }
        std::thread::sleep(RETRY_INTERVAL);
        true
    }

    fn count(&self, outcome: &Outcome) {
        let metrics = &self.signals.metrics;
        metrics.stored.fetch_add(outcome.stored, Ordering::Relaxed);
        metrics.alerts.fetch_add(outcome.alerts, Ordering::Relaxed);
        metrics.repetitions.fetch_add(outcome.repetitions, Ordering::Relaxed);
        metrics.without_serial.fetch_add(outcome.without_serial, Ordering::Relaxed);
        metrics.late_acknowledgements.fetch_add(outcome.late_acknowledgements, Ordering::Relaxed);
        metrics.content_not_kept.fetch_add(outcome.content_not_kept, Ordering::Relaxed);
        for (reason, device) in &outcome.refused {
            metrics.count_refusal(reason.word(), device.as_str(), "found when it was stored");
            metrics.count_conflict(*reason, device);
        }
    }
}

/// Notifies everybody who waited for this batch; permits go back as the jobs are dropped.
fn answer(batch: &mut Vec<Job>, outcome: Outcome, tended: &(Standing, bool)) {
    let mut changes = outcome.changes.into_iter();
    for job in batch.drain(..) {
        // Somebody who has stopped waiting needs no answer.
        match job {
            Job::Delivery { .. } | Job::Settle { .. } => {}
            Job::Change(_, reply) => {
                let _ = reply.send(changes.next().unwrap_or_default());
            }
            Job::Barrier(reply) => {
                let _ = reply.send(outcome.standing.totals());
            }
            Job::Tend(reply) => {
                let _ = reply.send(*tended);
            }
        }
    }
}
