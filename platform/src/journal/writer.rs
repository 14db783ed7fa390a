//! The one thread that appends: it collects what many senders want written, writes and syncs it
//! as one group, hands it on to the store in the order of the journal, and only then completes
//! the senders' waits.
//!
//! Everything that goes to the store passes through here, changes and barriers too, so that a
//! barrier has everything before it that was appended before it.
//!
//! Where nothing could be written at the start, as on a full disk, the thread takes nothing and
//! tries again from time to time to get going.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lastmeter_model::work::Delivery;
use lastmeter_store::files::FolderLock;
use lastmeter_store::lock;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::append::Appender;
use super::record::Kind;
use crate::log_throttle::LogThrottle;
use crate::pipeline::Job;

/// Between two attempts to get going.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Between two looks at what came meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Records of one group at most, beside the rest of the last sender's; with it a group's memory is
/// bounded.
const GROUP_RECORDS_MAX: usize = 512;

/// Something to be made durable and then handed to the store.
pub(crate) struct Append {
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
    /// What the store gets; its sequence is filled in here.
    pub(crate) delivery: Delivery,
    /// Its share of the memory that may be in flight.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    /// Notified when the record is durable, or why it is not.
    pub(crate) done: oneshot::Sender<Result<(), JournalFailed>>,
}

enum Work {
    /// Those of one sender, which become durable together.
    Append(Vec<Append>),
    Pass(Job),
    Stop,
}

/// Why nothing was made durable.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal cannot be written: {detail}")]
pub(crate) struct JournalFailed {
    pub(crate) detail: String,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the platform is stopping")]
pub(crate) struct JournalStopped;

/// What the journal has done since the start.
#[derive(Debug, Default)]
pub(crate) struct JournalCounters {
    /// Bytes appended.
    pub(crate) bytes: AtomicU64,
    /// Syncs, one per group.
    pub(crate) syncs: AtomicU64,
    /// Groups that could not be made durable.
    pub(crate) failures: AtomicU64,
    /// Whether the last group could not be made durable, as on a full disk.
    pub(crate) failing: AtomicBool,
    /// Nothing could be written since the start.
    waiting: AtomicBool,
    /// Why the last group that could not be made durable was not.
    cause: Mutex<String>,
}

/// What the thread writes to.
pub(crate) struct Working {
    /// Where records go first.
    pub(crate) appender: Appender,
    /// Where they go then.
    pub(crate) store: SyncSender<Job>,
}

/// Tries to get going; why it could not, if it could not.
pub(crate) type WakeUp = Box<dyn FnMut() -> Result<Working, String> + Send>;

/// What the thread begins with.
pub(crate) enum Source {
    /// Entries can be appended.
    Working(Box<Working>),
    /// Nothing can be written, for this reason.
    Waiting(String, WakeUp),
}

/// The end that senders hold; clones share the thread.
#[derive(Clone)]
pub(crate) struct Journal {
    work: mpsc::Sender<Work>,
    capacity: usize,
    pub(crate) counters: Arc<JournalCounters>,
}

impl Journal {
    /// Starts the thread. `committed` is what the store has; the data folder is this process's as
    /// long as `keep` is kept.
    pub(crate) fn start(
        source: Source,
        queue_messages: usize,
        committed: Arc<AtomicU64>,
        keep: Arc<FolderLock>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (work, inbox) = mpsc::channel(queue_messages);
        let counters = Arc::new(JournalCounters::default());
        if let Source::Waiting(why, _) = &source {
            counters.note(Some(why.clone()));
            counters.waiting.store(true, Ordering::Release);
        }
        let mut thread = Thread {
            inbox,
            committed,
            counters: Arc::clone(&counters),
            failures: LogThrottle::default(),
            _keep: keep,
        };
        let run = move || {
            if let Some(working) = thread.get_going(source) {
                thread.run(working);
            }
        };
        let handle = std::thread::Builder::new().name("journal".into()).spawn(run)?;
        Ok((Self { work, capacity: queue_messages, counters }, handle))
    }

    /// Why nothing is taken, if nothing could be written since the start.
    pub(crate) fn not_yet(&self) -> Result<(), JournalFailed> {
        if self.counters.waiting.load(Ordering::Acquire) {
            return Err(JournalFailed { detail: lock(&self.counters.cause).clone() });
        }
        Ok(())
    }

    /// Queues what is to be made durable together; waits while the queue is full.
    pub(crate) async fn append(&self, run: Vec<Append>) -> Result<(), JournalStopped> {
        if run.is_empty() {
            return Ok(());
        }
        self.work.send(Work::Append(run)).await.map_err(|_| JournalStopped)
    }

    /// Passes a job to the store behind everything queued so far.
    pub(crate) async fn pass(&self, job: Job) -> Result<(), JournalStopped> {
        self.work.send(Work::Pass(job)).await.map_err(|_| JournalStopped)
    }

    /// Asks the thread to write what is queued and to end; what comes later is refused.
    pub(crate) async fn stop(&self) {
        // An error means that it has ended already.
        let _ = self.work.send(Work::Stop).await;
    }

    /// Jobs that wait for the journal.
    pub(crate) fn depth(&self) -> usize {
        self.capacity - self.work.capacity()
    }

    /// Why it does not work: the thread takes nothing more, or the last could not be made durable.
    pub(crate) fn trouble(&self) -> Option<String> {
        if self.work.is_closed() {
            return Some("the journal has ended".to_owned());
        }
        let is_failing = self.counters.failing.load(Ordering::Acquire);
        is_failing.then(|| format!("the journal cannot be written: {}", lock(&self.counters.cause)))
    }
}

impl JournalCounters {
    /// Whether it works, and if not, why.
    fn note(&self, why: Option<String>) {
        let is_failing = why.is_some();
        if let Some(why) = why {
            *lock(&self.cause) = why;
        }
        self.failing.store(is_failing, Ordering::Release);
    }
}

struct Thread {
    inbox: mpsc::Receiver<Work>,
    committed: Arc<AtomicU64>,
    counters: Arc<JournalCounters>,
    failures: LogThrottle,
    _keep: Arc<FolderLock>,
}

impl Thread {
    /// Waits until there is something to write to; `None` if the platform stops before.
    #[expect(
        clippy::disallowed_methods,
        reason = "how often a disk is tried is the machine's time"
    )]
    fn get_going(&mut self, source: Source) -> Option<Working> {
        let (mut why, mut wake_up) = match source {
            Source::Working(working) => return Some(*working),
            Source::Waiting(why, wake_up) => (why, wake_up),
        };
        let mut tried = Instant::now();
        loop {
            match self.inbox.try_recv() {
                Ok(Work::Append(run)) => {
                    for append in run {
                        // A sender that has gone away needs no answer.
                        let _ = append.done.send(Err(JournalFailed { detail: why.clone() }));
                    }
                    continue;
                }
                // Whoever waits for it notices that it is gone.
                Ok(Work::Pass(job)) => {
                    drop(job);
                    continue;
                }
                Ok(Work::Stop) | Err(TryRecvError::Disconnected) => {
                    self.inbox.close();
                    return None;
                }
                Err(TryRecvError::Empty) => std::thread::sleep(LOOK_INTERVAL),
            }
            if tried.elapsed() < RETRY_INTERVAL {
                continue;
            }
            match wake_up() {
                Ok(working) => {
                    tracing::info!("it can be written again; messages are taken");
                    self.counters.note(None);
                    self.counters.waiting.store(false, Ordering::Release);
                    return Some(working);
                }
                Err(still) => why = still,
            }
            tried = Instant::now();
            self.counters.note(Some(why.clone()));
            if let Some(kept_back) = self.failures.admit() {
                tracing::error!(why, kept_back, "nothing can be written; only reading is served");
            }
        }
    }

    fn run(&mut self, working: Working) {
        let Working { mut appender, store } = working;
        let mut group: Vec<Append> = Vec::with_capacity(GROUP_RECORDS_MAX);
        while let Some(first) = self.inbox.blocking_recv() {
            let mut next = Some(first);
            let mut passed = None;
            while let Some(work) = next.take() {
                match work {
                    Work::Append(run) => group.extend(run),
                    // A job keeps its place: the group ends before it.
                    Work::Pass(job) => {
                        passed = Some(job);
                        break;
                    }
                    Work::Stop => self.inbox.close(),
                }
                if group.len() < GROUP_RECORDS_MAX {
                    next = self.inbox.try_recv().ok();
                }
            }
            let store_lives = self.write(&mut appender, &store, &mut group)
                && passed.is_none_or(|job| store.send(job).is_ok());
            if !store_lives {
                tracing::error!("the store has ended; the journal takes nothing more");
                return;
            }
            appender.trim(self.committed.load(Ordering::Acquire));
        }
        appender.end();
    }

    /// Makes a group durable and completes its waits; `false` if the store is gone.
    fn write(
        &self,
        appender: &mut Appender,
        store: &SyncSender<Job>,
        group: &mut Vec<Append>,
    ) -> bool {
        if group.is_empty() {
            return true;
        }
        let records: Vec<(Kind, &[u8])> =
            group.iter().map(|append| (append.kind, append.payload.as_slice())).collect();
        let written = appender.append_group(&records);
        let counts = appender.counts;
        self.counters.bytes.store(counts.bytes, Ordering::Relaxed);
        self.counters.syncs.store(counts.syncs, Ordering::Relaxed);
        self.counters.failures.store(counts.failures, Ordering::Relaxed);
        self.counters.note(written.as_ref().err().map(ToString::to_string));
        match written {
            Ok(first) => hand_on(store, group, first),
            Err(error) => {
                if let Some(kept_back) = self.failures.admit() {
                    tracing::error!(%error, kept_back, "the journal cannot be written");
                }
                let failed = JournalFailed { detail: error.to_string() };
                for append in group.drain(..) {
                    // A sender that has gone away needs no answer.
                    let _ = append.done.send(Err(failed.clone()));
                }
                true
            }
        }
    }
}

fn hand_on(store: &SyncSender<Job>, group: &mut Vec<Append>, first: u64) -> bool {
    for (sequence, append) in (first..).zip(group.drain(..)) {
        let Append { mut delivery, permit, done, .. } = append;
        delivery.sequence = sequence;
        if store.send(Job::Delivery { delivery: Box::new(delivery), _permit: permit }).is_err() {
            return false;
        }
        // A sender that has gone away needs no answer.
        let _ = done.send(Ok(()));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reports_how_many_wait_and_whether_it_has_begun() {
        let (work, mut inbox) = mpsc::channel(4);
        let journal = Journal { work, capacity: 4, counters: Arc::new(JournalCounters::default()) };
        assert_eq!(journal.depth(), 0);
        for _ in 0..3 {
            assert!(journal.work.try_send(Work::Stop).is_ok());
        }
        assert_eq!(journal.depth(), 3);
        assert!(inbox.try_recv().is_ok());
        assert_eq!(journal.depth(), 2);
        assert!(journal.not_yet().is_ok());
        journal.counters.note(Some("no room".to_owned()));
        journal.counters.waiting.store(true, Ordering::Release);
        assert_eq!(journal.not_yet().unwrap_err().detail, "no room");
    }
}
