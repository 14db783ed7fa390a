//! The platform without its network edges: journal, pipeline, store, clock and commands put
//! together, started from what a stop of any kind left behind.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use lastmeter_units::SimTime;
use lastmeter_wire::flexmeter::{self, DecodeRules};
use tokio::sync::oneshot;

use crate::clock::{Clock, Timer};
use crate::commands::{Dispatcher, InvokeError, Outstanding};
use crate::config::{ClockSource, Config, TENANT};
use crate::error::PlatformError;
use crate::ingest::{Ingest, Subscriptions};
use crate::journal::{
    self, Appender, Directory, Journal, JournalStopped, Kind, RealDirectory, Record, Recovery,
};
use crate::metrics::{Metrics, lock};
use crate::pipeline::{self, Body, Change, Delivery, Job, Totals};
use crate::refusal::RefusalRecord;
use crate::store::{self, Batching, Health, Progress, Reader, Readers, StoreThread, Writer};

/// What makes one process at a time use a data folder.
const LOCK_FILE: &str = "lock";
/// Folder of the journal's segments within the tenant's.
const JOURNAL_FOLDER: &str = "journal";
/// How long a barrier may take before whoever waits for it is told so.
const BARRIER_LIMIT: Duration = Duration::from_mins(1);
/// The same where the store does nothing but fail. Whoever waits is told; the store tries on.
const FAILING_LIMIT: Duration = Duration::from_secs(10);

/// The parts, running.
pub(crate) struct Core {
    /// The one clock.
    pub(crate) clock: Arc<Clock>,
    /// Counters.
    pub(crate) metrics: Arc<Metrics>,
    /// The journal's thread.
    pub(crate) journal: Journal,
    /// How far queries see.
    pub(crate) progress: Arc<Progress>,
    /// Queries.
    pub(crate) readers: Arc<Readers>,
    /// The door for messages.
    pub(crate) ingest: Arc<Ingest>,
    /// Commands.
    pub(crate) dispatcher: Arc<Dispatcher>,
    /// Whether the store works.
    pub(crate) health: Arc<Health>,
    subscriptions: Arc<Subscriptions>,
    advancing: tokio::sync::Mutex<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Why the clock was not advanced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvanceError {
    /// It follows the wall.
    #[error("the clock follows the wall; start with `clock = \"driven\"` to drive it")]
    NotDriven,
    /// Time does not go back.
    #[error("the clock stands at {now}, it cannot go back to {to}")]
    Backwards {
        /// Where it stands.
        now: SimTime,
        /// Where it was asked to go.
        to: SimTime,
    },
    /// Something due could not be done.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// The barrier was not reached.
    #[error(transparent)]
    Barrier(#[from] BarrierError),
}

/// Why a barrier was not reached.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum BarrierError {
    /// The platform takes nothing more.
    #[error(transparent)]
    Stopped(#[from] JournalStopped),
    /// The store fails, and goes on failing.
    #[error("the store could not be written for {} s: {cause}", FAILING_LIMIT.as_secs())]
    Failing {
        /// Why.
        cause: String,
    },
    /// The store is too far behind.
    #[error("what is in the journal was not committed within {} s", BARRIER_LIMIT.as_secs())]
    Late,
}

/// What an advance of the clock brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advanced {
    /// Where the clock stands.
    pub(crate) now: SimTime,
    /// How far the store has come.
    pub(crate) totals: Totals,
    /// Messages sent to each device since the last advance.
    pub(crate) sent: BTreeMap<String, u64>,
}

impl Core {
    /// Locks the data folder, recovers, and starts the threads. Blocks while it replays.
    pub(crate) fn start(config: &Config) -> Result<Self, PlatformError> {
        let folder = config.tenant_folder();
        let lock = lock_folder(&config.data)?;
        let directory = RealDirectory::open(&folder.join(JOURNAL_FOLDER))
            .map_err(PlatformError::io("make the journal's folder", &folder))?;
        Self::start_with(config, Box::new(directory), lock)
    }

    /// As `start`, on a given disk for the journal.
    pub(crate) fn start_with(
        config: &Config,
        directory: Box<dyn Directory>,
        lock: File,
    ) -> Result<Self, PlatformError> {
        let folder = config.tenant_folder();
        std::fs::create_dir_all(&folder)
            .map_err(PlatformError::io("make the tenant's folder", &folder))?;
        let store_path = folder.join(store::STORE_FILE);
        let (connection, quantities) = store::open_for_writing(&store_path)?;
        let clock = Arc::new(Clock::new(config.clock, SimTime(0)));
        let metrics = Arc::new(Metrics::default());
        let readers = Readers::new(&store_path, quantities.clone());
        let limits = &config.limits;
        let writer = Writer::new(connection, quantities, Arc::clone(&clock), limits.devices)?;
        if let Some(stands) = writer.clock()? {
            clock.set(stands);
        }
        let stored = writer.journal_committed();
        let batching = Batching {
            jobs_max: limits.batch_messages,
            wait: Duration::from_millis(limits.batch_wait_ms),
            queue: limits.queue_messages,
        };
        let lock = Arc::new(lock);
        let store = StoreThread::start(writer, batching, Arc::clone(&metrics), Arc::clone(&lock))
            .map_err(PlatformError::io("start the store's thread", &folder))?;
        let recovery = replay(directory.as_ref(), stored, &store.jobs, &metrics)?;
        let appender = Appender::new(
            directory,
            limits.segment_bytes,
            recovery.last_sequence,
            recovery.segments,
        );
        let (journal, journal_thread) =
            Journal::start(appender, limits.queue_messages, store.committed, store.jobs, lock)
                .map_err(PlatformError::io("start the journal's thread", &folder))?;
        let subscriptions = Arc::new(Subscriptions::default());
        let ingest = Ingest::new(
            config,
            journal.clone(),
            Arc::clone(&clock),
            Arc::clone(&metrics),
            Arc::clone(&subscriptions),
        );
        let dispatcher = Dispatcher::new(
            journal.clone(),
            Arc::clone(&readers),
            Arc::clone(&clock),
            Arc::clone(&metrics),
        );
        Ok(Self {
            clock,
            metrics,
            journal,
            progress: store.progress,
            readers,
            ingest: Arc::new(ingest),
            dispatcher: Arc::new(dispatcher),
            health: store.health,
            subscriptions,
            advancing: tokio::sync::Mutex::new(()),
            threads: Mutex::new(vec![journal_thread, store.thread]),
        })
    }

    /// Waits until what was replayed is committed, and takes up the timers that were running.
    pub(crate) async fn ready(&self) -> Result<(), PlatformError> {
        self.barrier().await?;
        for (id, expires) in self.readers.with(Reader::expiries).await? {
            self.clock.schedule(expires, Timer::ExpireInvocation(id));
        }
        Ok(())
    }

    /// Returns when everything journalled before the call is committed.
    pub(crate) async fn barrier(&self) -> Result<Totals, BarrierError> {
        let (reply, reached) = oneshot::channel();
        let wait = async {
            self.journal.pass(Job::Barrier(reply)).await?;
            reached.await.map_err(|_| JournalStopped)
        };
        let reached = async {
            tokio::select! {
                totals = wait => Ok(totals?),
                cause = self.health.fails_for(FAILING_LIMIT) => {
                    Err(BarrierError::Failing { cause })
                }
            }
        };
        tokio::time::timeout(BARRIER_LIMIT, reached).await.unwrap_or(Err(BarrierError::Late))
    }

    /// Moves a driven clock to an instant: commits what is journalled, fires every timer
    /// due by then in order, each at its own instant, sends what waits for a device, and commits
    /// what came of it.
    pub(crate) async fn advance(&self, to: SimTime) -> Result<Advanced, AdvanceError> {
        let _one_at_a_time = self.advancing.lock().await;
        if self.clock.source() != ClockSource::Driven {
            return Err(AdvanceError::NotDriven);
        }
        let now = self.clock.now();
        if to < now {
            return Err(AdvanceError::Backwards { now, to });
        }
        self.barrier().await?;
        while let Some((due, timer)) = self.clock.take_due(to) {
            self.clock.set(due.max(now));
            self.fire(due, timer).await.map_err(InvokeError::from)?;
        }
        self.clock.set(to);
        for device in self.subscriptions.take_now() {
            self.dispatcher.send(Some(&device), Outstanding::Unanswered).await?;
        }
        self.dispatcher.send(None, Outstanding::Pending).await?;
        let (reply, _committed) = oneshot::channel();
        let change = Job::Change(Change::Clock(to), reply);
        self.journal.pass(change).await.map_err(BarrierError::from)?;
        let totals = self.barrier().await?;
        Ok(Advanced { now: to, totals, sent: self.dispatcher.take_sent() })
    }

    async fn fire(&self, due: SimTime, timer: Timer) -> Result<(), JournalStopped> {
        match timer {
            Timer::ExpireInvocation(id) => self.dispatcher.expire(id, due).await,
        }
    }

    /// Fires timers on the wall's clock and sends to devices that have subscribed; never ends.
    pub(crate) async fn attend(&self) {
        loop {
            tokio::select! {
                (due, timer) = self.clock.next_due() => {
                    if let Err(error) = self.fire(due, timer).await {
                        tracing::warn!(%error, "a timer could not be served");
                        return;
                    }
                }
                devices = self.subscriptions.take() => {
                    for device in devices {
                        let sent = self.dispatcher.send(Some(&device), Outstanding::Unanswered);
                        if let Err(error) = sent.await {
                            tracing::warn!(%device, %error, "commands could not be sent");
                        }
                    }
                }
            }
        }
    }

    /// Whether messages are taken and committed.
    pub(crate) fn is_ready(&self) -> bool {
        self.trouble().is_none()
    }

    /// Why messages are not taken or not committed, where they are not.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.journal.trouble().or_else(|| self.health.trouble())
    }

    /// Takes nothing more, commits what is there, ends the threads. `false` if that took longer
    /// than the limit; what was acknowledged is then still in the journal.
    pub(crate) async fn stop(&self, limit: Duration) -> bool {
        self.health.give_up.store(true, Ordering::Release);
        let ended = async {
            self.journal.stop().await;
            let threads = std::mem::take(&mut *lock(&self.threads));
            let joined = tokio::task::spawn_blocking(move || {
                threads.into_iter().all(|thread| thread.join().is_ok())
            });
            joined.await.unwrap_or(false)
        };
        // The writer leaves a tidy file behind only if it is the last to close it.
        self.readers.close();
        tokio::time::timeout(limit, ended).await.unwrap_or(false)
    }
}

/// Takes the folder for this process alone; the lock ends with the process, however that ends.
pub(crate) fn lock_folder(data: &Path) -> Result<File, PlatformError> {
    std::fs::create_dir_all(data).map_err(PlatformError::io("make the data folder", data))?;
    let path = data.join(LOCK_FILE);
    let file = File::create(&path).map_err(PlatformError::io("make the lock file", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(PlatformError::DataInUse { path: data.to_owned() })
        }
        Err(std::fs::TryLockError::Error(source)) => {
            Err(PlatformError::io("lock the data folder", &path)(source))
        }
    }
}

/// Hands the store what the journal has and the store does not.
fn replay(
    directory: &dyn Directory,
    stored: u64,
    store: &SyncSender<Job>,
    metrics: &Metrics,
) -> Result<Recovery, PlatformError> {
    let mut replayed = 0;
    let recovery = journal::recover(directory, stored, |record| {
        if record.sequence <= stored {
            return Ok(());
        }
        replayed += 1;
        store.send(Job::Delivery(Box::new(delivery_of(&record)))).map_err(|_| JournalStopped)
    })?;
    metrics.journal_torn.store(recovery.torn, Ordering::Relaxed);
    metrics.journal_damaged.store(recovery.damage.len() as u64, Ordering::Relaxed);
    metrics.journal_replayed.store(replayed, Ordering::Relaxed);
    if replayed > 0 || recovery.torn > 0 {
        tracing::info!(
            replayed,
            torn = recovery.torn,
            torn_bytes = recovery.torn_bytes,
            "the journal was read back"
        );
    }
    Ok(recovery)
}

/// A journal record as it goes to the store. It was accepted once, under the rules of that time,
/// so it is read under the widest rules; one that cannot be read even so becomes a refusal, never
/// nothing.
fn delivery_of(record: &Record<'_>) -> Delivery {
    let read = match record.kind {
        Kind::Message => {
            pipeline::decode_message(record.payload).map(|(received, topic, payload)| {
                let body = match flexmeter::decode(payload, &DecodeRules::default()) {
                    Ok(request) => Body::Request(Box::new(request)),
                    Err(refusal) => Body::Refusal(RefusalRecord {
                        reason: refusal.reason.as_str().to_owned(),
                        device: refusal.hardware_id,
                        topic: topic.to_owned(),
                        detail: refusal.detail,
                    }),
                };
                (received, topic.to_owned(), body)
            })
        }
        Kind::Refusal => pipeline::decode_refusal(record.payload)
            .map(|(received, refusal)| (received, refusal.topic.clone(), Body::Refusal(refusal))),
    };
    let (received, topic, body) = read.unwrap_or_else(|error| {
        let refusal = RefusalRecord {
            reason: "unreadable_entry".to_owned(),
            device: None,
            topic: TENANT.to_owned(),
            detail: error.to_string(),
        };
        (SimTime(0), refusal.topic.clone(), Body::Refusal(refusal))
    });
    Delivery { sequence: record.sequence, received, topic, body, _permit: None }
}
