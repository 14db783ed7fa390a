//! Bringing the platform up from what a stop of any kind left behind.
//!
//! In this order, so that nothing that is missing goes unnoticed and no restart wipes what shows
//! it: the reports of losses and the head are read; the store is opened; the journal is looked
//! through and compared with both; what is missing is reported, durably; only then is anything
//! else written. Where nothing can be written at all, as on a full disk, what is stored is served,
//! and the journal's thread tries again from time to time.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use lastmeter_model::audit::{Chain, ChainHead};
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::documents::Documents;
use lastmeter_model::refusal::RefusalRecord;
use lastmeter_model::standing::{Standing, Totals};
use lastmeter_model::work::{Body, Change, Delivery};
use lastmeter_store::files;
use lastmeter_store::files::FolderLock;
use lastmeter_store::lock;
use lastmeter_store::{
    Inspection, OpenStore, Progress, Readable, StoreKind, StorePlace, StoreWriter, Writer,
};
use lastmeter_units::{SimTime, TenantName};
use tokio::sync::oneshot;

use crate::clock::{Clock, Timer};
use crate::config::{ClockSource, Config, Limits, TENANT};
use crate::database;
use crate::error::PlatformError;
use crate::folder::Places;
use crate::format::Rules;
use crate::journal::{
    self, Appender, Directory, Facts, Found, Head, JournalStopped, Kind, Missing, Position,
    RealDirectory, Record, Survey, Working,
};
use crate::losses::{LossKind, Losses};
use crate::metrics::Metrics;
use crate::pipeline::{self, Job};
use crate::store_reports::StoreReports;
use crate::store_thread::{Batching, Health, Signals, StoreThread};

/// What is written to see whether there is room again, bytes.
const PROBE_BYTES: usize = 256 * 1024;
/// How long the store waits at least for a batch to fill where the clock is driven: what moves it
/// ends the batch, and nobody looks before that.
const DRIVEN_WAIT: Duration = Duration::from_millis(50);

/// How the journal's folder is opened.
pub(crate) type OpenDirectory = Box<dyn Fn(&Path) -> std::io::Result<Box<dyn Directory>> + Send>;

/// The journal's folder on the real file system.
pub(crate) fn real_directory(path: &Path) -> std::io::Result<Box<dyn Directory>> {
    Ok(Box::new(RealDirectory::open(path)?))
}

/// Threads to be waited for at the end.
#[derive(Default)]
pub(crate) struct Threads {
    /// Those that end when their queue does.
    pub(crate) threads: Vec<JoinHandle<()>>,
    /// The one that has to be asked to stop.
    pub(crate) inspection: Option<Inspection>,
}

/// What is there from the first moment, and what the rest is made of.
pub(crate) struct Start {
    pub(crate) places: Places,
    pub(crate) kind: &'static StoreKind,
    pub(crate) place: StorePlace,
    limits: Limits,
    pub(crate) keep: Arc<FolderLock>,
    open_directory: OpenDirectory,
    pub(crate) clock: Arc<Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) devices: Arc<DeviceDirectory>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) losses: Arc<Losses>,
    pub(crate) health: Arc<Health>,
    pub(crate) committed: Arc<AtomicU64>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) threads: Arc<Mutex<Threads>>,
    head: Found,
    has_unreadable_reports: bool,
}

impl Start {
    /// Reads what shows whether anything is missing.
    pub(crate) fn new(
        tenant: &TenantName,
        config: &Config,
        open_directory: OpenDirectory,
        keep: Arc<FolderLock>,
    ) -> Result<Self, PlatformError> {
        let places = Places::of(tenant, config);
        let kind = config.store.kind()?;
        let clock = Arc::new(Clock::new(config.clock, SimTime(0)));
        let (losses, has_unreadable_reports) = Losses::open(&places.losses, Arc::clone(&clock))
            .map_err(PlatformError::io("read the reports of losses", &places.losses))?;
        let (open, _) = losses.open_ones();
        if open > 0 {
            tracing::warn!(open, "reports of lost or damaged data have not been acknowledged");
        }
        let head = journal::read_head(&places.head)
            .map_err(PlatformError::io("read the head", &places.head))?;
        let (losses, metrics) = (Arc::new(losses), Arc::<Metrics>::default());
        let reports = StoreReports {
            losses: Arc::clone(&losses),
            metrics: Arc::clone(&metrics),
            refused_content_bytes: config.limits.refused_content_bytes,
        };
        let place = StorePlace {
            database: database::of(&config.store, tenant)?,
            deadline: Duration::from_secs(config.limits.query_s),
            ..StorePlace::new(tenant.clone(), places.tenant.clone(), Arc::new(reports))
        };
        Ok(Self {
            places,
            kind,
            limits: config.limits.clone(),
            keep,
            open_directory,
            clock,
            metrics,
            devices: Arc::clone(&place.devices),
            documents: Arc::clone(&place.documents),
            place,
            losses,
            health: Arc::default(),
            committed: Arc::default(),
            progress: Arc::new(Progress::new(Totals::default())),
            threads: Arc::default(),
            head,
            has_unreadable_reports,
        })
    }

    /// Opens everything for writing, reports what is missing, and starts the store's thread on
    /// what the journal has and the store has not. Blocks while it replays.
    pub(crate) fn bring_up(&self) -> Result<(Working, Readable), PlatformError> {
        let Places { tenant, journal, .. } = &self.places;
        files::make_folder(tenant)
            .map_err(PlatformError::io("make the tenant's folder", tenant))?;
        let directory = (self.open_directory)(journal)
            .map_err(PlatformError::io("make the journal's folder", journal))?;
        files::make_folder(journal)
            .and_then(|()| self.places.tighten())
            .map_err(PlatformError::io("close the data folder to others", tenant))?;
        let OpenStore { writer, content, inspection } = (self.kind.open)(&self.place)?;
        self.enter(&content);
        let mut stored = content.standing;
        let survey = self.survey(directory.as_ref(), &stored)?;
        let head = self.note(&survey, &stored)?;
        let position = Position { durable: survey.durable, used: survey.used };
        let changes = stored.changes.max(self.facts().changes);
        // A clock that moved nothing is in the head alone: from here on the store has it.
        stored.clock_ns = stored.clock_ns.max(self.clock_of_head());
        let jobs = self.start_store((writer, stored), Arc::clone(&head))?;
        let (replayed, latest) = replay(directory.as_ref(), stored.journal_committed, &jobs)?;
        if latest > self.clock.now() && self.clock.source == ClockSource::Driven {
            // The power went before the head was durable; nothing came after now.
            self.clock.set(latest);
            let (reply, _) = oneshot::channel();
            jobs.send(Job::Change(Change::Clock(latest), reply))
                .map_err(|_| PlatformError::NotReady(Box::new(JournalStopped)))?;
        }
        self.metrics.journal_replayed.store(replayed, Ordering::Relaxed);
        jobs.send(Job::Settle { committed: survey.durable, changes })
            .map_err(|_| PlatformError::NotReady(Box::new(JournalStopped)))?;
        if replayed > 0 || survey.torn > 0 {
            let (torn, torn_bytes) = (survey.torn, survey.torn_bytes);
            tracing::info!(replayed, torn, torn_bytes, "the journal was read back");
        }
        let inspection = inspection.map(|start| start(Arc::clone(&self.progress))).transpose();
        lock(&self.threads).inspection =
            inspection.map_err(PlatformError::io("start looking at the store", tenant))?;
        let segment_bytes = self.limits.segment_bytes;
        let appender = Appender::new(directory, head, segment_bytes, position, survey.segments);
        Ok((Working { appender, store: jobs }, content))
    }

    /// What is stored, for reading only, where nothing can be written.
    pub(crate) fn open_alone(&self) -> Result<Readable, PlatformError> {
        let content = (self.kind.open_alone)(&self.place)?;
        self.enter(&content);
        Ok(content)
    }

    /// Takes over what is read once.
    fn enter(&self, content: &Readable) {
        for (id, expires) in &content.expiries {
            self.clock.schedule(*expires, Timer::Expire(*id));
        }
        if let Some(stands) = content.standing.clock_ns.max(self.clock_of_head()) {
            self.clock.set(SimTime(stands));
        }
        self.progress.begin(content.standing.totals());
        self.progress.audit(content.standing.chain.count);
    }

    /// Where the driven clock stood by the head, if it did anywhere.
    fn clock_of_head(&self) -> Option<i64> {
        Some(self.facts().clock_ns).filter(|stands| *stands != 0)
    }

    fn facts(&self) -> Facts {
        match self.head {
            Found::Facts(facts) => facts,
            Found::Missing | Found::Unreadable => Facts::default(),
        }
    }

    fn survey(
        &self,
        directory: &dyn Directory,
        stored: &Standing,
    ) -> Result<Survey, PlatformError> {
        let committed = stored.journal_committed;
        let survey = journal::survey(directory, committed, self.facts().synced)
            .map_err(|error| PlatformError::Journal(Box::new(error)))?;
        let metrics = &self.metrics;
        metrics.journal_torn.store(survey.torn, Ordering::Relaxed);
        metrics.journal_settled.store(survey.settled, Ordering::Relaxed);
        metrics.journal_missing.store(survey.missing.len() as u64, Ordering::Relaxed);
        if survey.settled > 0 {
            let stretches = survey.settled;
            tracing::info!(stretches, "unreadable stretches of the journal are all in the store");
        }
        Ok(survey)
    }

    /// Reports what is missing, durably, and begins a head of what there is.
    fn note(&self, survey: &Survey, checkpoint: &Standing) -> Result<Arc<Head>, PlatformError> {
        let reports = (self.losses.count(), self.has_unreadable_reports);
        let head = (&*self.places.head, self.head);
        for (kind, place, detail) in shortfalls(head, checkpoint, survey, reports) {
            self.losses
                .report(kind, &place, &detail)
                .map_err(PlatformError::io("write the reports of losses", &self.places.losses))?;
        }
        self.begin_head(survey, checkpoint)
    }

    fn begin_head(&self, survey: &Survey, stored: &Standing) -> Result<Arc<Head>, PlatformError> {
        let facts = Facts {
            synced: survey.durable,
            committed: stored.journal_committed,
            changes: stored.changes.max(self.facts().changes),
            clock_ns: stored.clock_ns.max(self.clock_of_head()).unwrap_or_default(),
            losses: self.losses.count(),
            audit: stored.chain.head(),
        };
        let head = Head::create(&self.places.head, facts).map(Arc::new);
        let head = head.and_then(|head| self.losses.count_in(Arc::clone(&head)).map(|()| head));
        head.map_err(PlatformError::io("write the head", &self.places.head))
    }

    fn start_store(
        &self,
        store: (Box<dyn StoreWriter>, Standing),
        head: Arc<Head>,
    ) -> Result<SyncSender<Job>, PlatformError> {
        let limits = &self.limits;
        let wait = Duration::from_millis(limits.batch_wait_ms);
        let batching = Batching {
            jobs_max: limits.batch_messages,
            wait: match self.clock.source {
                ClockSource::Wall => wait,
                ClockSource::Driven => wait.max(DRIVEN_WAIT),
            },
            queue: limits.queue_messages,
            retention: limits.retention(),
        };
        let signals = Signals {
            health: Arc::clone(&self.health),
            committed: Arc::clone(&self.committed),
            progress: Arc::clone(&self.progress),
            metrics: Arc::clone(&self.metrics),
            head,
        };
        let path = &self.places.tenant;
        let around = (Arc::clone(&self.devices), Arc::clone(&self.place.observer));
        let writer = Writer::new(&self.places.name, store, around, limits.refused_content_bytes)
            .with_documents(Arc::clone(&self.documents));
        let clock = Arc::clone(&self.clock);
        let store = StoreThread::start((writer, clock), batching, signals, Arc::clone(&self.keep))
            .map_err(PlatformError::io("start the store's thread", path))?;
        lock(&self.threads).threads.push(store.thread);
        Ok(store.jobs)
    }

    /// Whether there is room to write again.
    fn probe(&self) -> std::io::Result<()> {
        let path = self.places.tenant.join("probe");
        let written = files::replace(&path, &vec![0; PROBE_BYTES]);
        // It must not take the room it found; if it was not written there is nothing to remove.
        let _ = std::fs::remove_file(&path);
        written
    }

    /// One attempt to get going after a start at which nothing could be written. Queries are
    /// answered over one connection before, and wait while it is tried.
    pub(crate) fn wake_up(&self) -> Result<Working, String> {
        self.probe().map_err(|error| format!("nothing can be written: {error}"))?;
        let error = match self.bring_up() {
            Ok((working, _)) => return Ok(working),
            Err(error) => error,
        };
        if let Err(error) = self.open_alone() {
            tracing::warn!(%error, "the store cannot be read");
        }
        Err(error.in_full())
    }
}

fn in_words(missing: &Missing) -> String {
    let Missing { after, through, segment } = missing;
    let count = through - after;
    let kept = segment.as_ref().map_or(String::new(), |name| {
        format!(" (unreadable bytes in their place are kept in journal/{name})")
    });
    format!(
        "up to {count} messages or refusals that were acknowledged are in neither the journal nor \
         the store{kept}; restore both from a copy, or have the last messages sent again"
    )
}

/// What the files of a tenant show to be missing: of which kind, where, and what it means.
/// `reports` are the reports of losses that are readable, and whether some are not.
pub(crate) fn shortfalls(
    (path, head): (&Path, Found),
    stored: &Standing,
    survey: &Survey,
    (reports, has_unreadable): (u64, bool),
) -> Vec<(LossKind, String, String)> {
    let facts = match head {
        Found::Facts(facts) => facts,
        Found::Missing | Found::Unreadable => Facts::default(),
    };
    let of_records = |missing: &Missing| {
        let place = format!("{}-{}", missing.after + 1, missing.through);
        (LossKind::MissingRecords, place, in_words(missing))
    };
    // Reports are numbered in this order.
    let mut found: Vec<_> = survey.missing.iter().map(of_records).collect();
    if facts.changes > stored.changes {
        let (from, to) = (stored.changes + 1, facts.changes);
        let detail = format!(
            "the store is an older one than it was: {} changes of commands or of the clock are \
             missing; look at the commands that were sent last, and send them again",
            to - stored.changes
        );
        found.push((LossKind::MissingChanges, format!("{from}-{to}"), detail));
    }
    if let Some((place, detail)) = missing_audit(facts.audit, stored.chain) {
        found.push((LossKind::MissingAudit, place, detail));
    }
    let is_missing = head == Found::Missing && stored.is_guarded;
    if is_missing || head == Found::Unreadable {
        let detail = format!(
            "{} is {}: whether the journal and the store have everything that was acknowledged \
             last is unknown",
            path.display(),
            if is_missing { "missing" } else { "unreadable" }
        );
        found.push((LossKind::MissingHead, format!("journal {}", survey.durable), detail));
    }
    if facts.losses > reports || has_unreadable {
        let detail = format!(
            "of {} reports of losses {reports} are readable; the content of the others is unknown",
            facts.losses.max(reports)
        );
        let place = format!("{reports} of {}", facts.losses);
        found.push((LossKind::MissingReports, place, detail));
    }
    found
}

/// What the head shows to be missing of the audit chain of a store, with its place.
fn missing_audit(head: ChainHead, stored: Chain) -> Option<(String, String)> {
    let advice = "restore the store from a copy; `lastmeter audit verify` shows what still fits";
    if head.count > stored.count {
        let detail = format!(
            "the store is an older one than it was: the audit ends with row {}, and had {} rows; \
             {advice}",
            stored.count, head.count
        );
        return Some((format!("{}-{}", stored.count + 1, head.count), detail));
    }
    let is_other = head.count == stored.count && head != stored.head();
    is_other.then(|| {
        let detail = format!("audit row {} is another one than it was; {advice}", head.count);
        (head.count.to_string(), detail)
    })
}

/// Hands the store what the journal has and the store has not; how many there were, and when the
/// last of them was received.
fn replay(
    directory: &dyn Directory,
    stored: u64,
    store: &SyncSender<Job>,
) -> Result<(u64, SimTime), PlatformError> {
    let (mut replayed, mut latest) = (0, SimTime(i64::MIN));
    journal::replay(directory, stored, |record| {
        let delivery = Box::new(delivery_of(&record));
        (replayed, latest) = (replayed + 1, latest.max(delivery.received));
        store.send(Job::Delivery { delivery, _permit: None }).map_err(|_| JournalStopped)
    })
    .map_err(|error| PlatformError::Journal(Box::new(error)))?;
    Ok((replayed, latest))
}

/// A journal record as it goes to the store. It was accepted once, under the rules of that time,
/// so it is read under the widest rules; one that cannot be read even so becomes a refusal, never
/// nothing.
fn delivery_of(record: &Record<'_>) -> Delivery {
    let mut content = Bytes::new();
    let message = |entry: pipeline::Entry<'_>| {
        let payload = Bytes::copy_from_slice(entry.payload);
        content = payload.clone();
        let body = match entry.format.decode(&payload, Rules::default()) {
            Ok(messages) => Body::Messages(messages),
            Err(refusal) => Body::Refusal(RefusalRecord {
                reason: refusal.reason.to_owned(),
                device: refusal.device,
                topic: entry.topic.to_owned(),
                detail: refusal.detail,
                content: Some(payload),
            }),
        };
        (entry.received, entry.topic.to_owned(), body)
    };
    let read = match record.kind {
        Kind::Message => pipeline::decode_message(record.payload).map(message),
        Kind::Unnamed => pipeline::decode_unnamed(record.payload).map(message),
        Kind::Refusal => pipeline::decode_refusal(record.payload)
            .map(|(received, refusal)| (received, refusal.topic.clone(), Body::Refusal(refusal))),
    };
    let (received, topic, body) = read.unwrap_or_else(|error| {
        let refusal = RefusalRecord {
            reason: "unreadable_entry".to_owned(),
            device: None,
            topic: TENANT.to_owned(),
            detail: error.to_string(),
            content: Some(Bytes::copy_from_slice(record.payload)),
        };
        (SimTime(0), refusal.topic.clone(), Body::Refusal(refusal))
    });
    Delivery { sequence: record.sequence, received, topic, body, content }
}
