//! One tenant, without network edges: journal, pipeline, store, clock and commands put
//! together, started from what a stop of any kind left behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::document::Transaction;
use lastmeter_model::documents::Documents;
use lastmeter_model::facts::DocumentFacts;
use lastmeter_model::standing::{Standing, Totals};
use lastmeter_model::work::{Change, Changed};
use lastmeter_store::files::FolderLock;
use lastmeter_store::lock;
use lastmeter_store::{Inspection, Progress, StoreKind, StorePlace, StoreReader};
use lastmeter_units::{SimTime, TenantName};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::access::{Notes, Sealing, SecretSum};
use crate::attention::{Attention, Waiting};
use crate::clock::{Clock, Timer};
use crate::commands::batches;
use crate::commands::{Definitions, Dispatcher, InvokeError, Outstanding, schedules};
use crate::concluded::Concluded;
use crate::config::{ClockSource, Config, Token};
use crate::device_routes::DeviceRoutes;
use crate::error::{BARRIER_LIMIT, BarrierError, FAILING_LIMIT, PlatformError};
use crate::folder::{Places, lock_folder};
use crate::gateways::GatewayBook;
use crate::ingest::Ingest;
use crate::journal::{Journal, JournalStopped, Source};
use crate::live::{Live, Watch};
use crate::losses::Losses;
use crate::metrics::Metrics;
use crate::outgoing::Outgoing;
use crate::pipeline::Job;
use crate::reader::Reader;
use crate::services::{Core, Services};
use crate::start::{OpenDirectory, Start, Threads, real_directory};
use crate::store_thread::Health;
use crate::tenant_limits::TenantLimits;

/// Devices whose doors are stored in one commit.
const ROUTES_MAX: usize = 256;

pub(crate) struct Tenant {
    pub(crate) name: TenantName,
    secrets: Mutex<Secrets>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) journal: Journal,
    pub(crate) progress: Arc<Progress>,
    /// Queries of the REST interface.
    pub(crate) readers: Reader,
    pub(crate) devices: Arc<DeviceDirectory>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) losses: Arc<Losses>,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) health: Arc<Health>,
    pub(crate) live: Arc<Live>,
    pub(crate) notes: Notes,
    pub(crate) services: Services,
    pub(crate) outgoing: Outgoing,
    /// Seals the keys of networks.
    pub(crate) sealing: Sealing,
    /// How its gateways stand.
    pub(crate) gateways: GatewayBook,
    /// Where its files are.
    pub(crate) places: Places,
    /// Its store: the kind, and the place.
    pub(crate) store: (&'static StoreKind, StorePlace),
    /// Held by the job of maintenance that is under way.
    pub(crate) maintaining: tokio::sync::Mutex<()>,
    /// Held by who changes documents, from what is checked of them to the commit.
    pub(crate) changing: Arc<tokio::sync::Mutex<()>>,
    /// Bytes of documents that who is no administrator has written, on a day since 1970.
    pub(crate) written: Mutex<(i64, BTreeMap<String, u64>)>,
    /// What applications conclude, as far as somebody has looked at it.
    pub(crate) concluded: tokio::sync::Mutex<Concluded>,
    /// For look-ups that must not wait behind queries.
    urgent: Arc<dyn StoreReader>,
    advancing: tokio::sync::Mutex<()>,
    threads: Arc<Mutex<Threads>>,
    mqtt_connections: AtomicUsize,
    /// At the start nothing could be written.
    began_reading_only: bool,
}

/// What opens a tenant; where there is none, nothing does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secrets {
    /// Of REST.
    pub(crate) administrators: Option<SecretSum>,
    /// Of the doors.
    pub(crate) devices: Option<SecretSum>,
}

impl Secrets {
    /// Those of the first tenant.
    pub(crate) fn of(config: &Config) -> Self {
        let of = |token: &Token| SecretSum::of(token.reveal().as_bytes());
        let administrators = config.token.as_ref().map(of);
        Self { administrators, devices: config.device_secret().map(of) }
    }
}

/// Whether a secret is the one that is kept; it takes as long where none is.
fn is_of(kept: Option<SecretSum>, secret: &[u8]) -> bool {
    kept.unwrap_or(SecretSum([0; 32])).is_of(secret) && kept.is_some()
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvanceError {
    /// It follows the wall.
    #[error("the clock follows the wall; start with `clock = \"driven\"` to drive it")]
    NotDriven,
    /// Time does not go back.
    #[error("the clock stands at {now}, it cannot go back to {to}")]
    Backwards {
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advanced {
    pub(crate) now: SimTime,
    pub(crate) totals: Totals,
    /// Messages sent to each device since the last advance.
    pub(crate) sent: BTreeMap<String, u64>,
    /// Live values that went to each party since the last advance.
    pub(crate) parties: BTreeMap<String, u64>,
}

impl Tenant {
    /// Locks the data folder, and starts the first tenant on it. Blocks while it replays.
    pub(crate) fn start(config: &Config) -> Result<Self, PlatformError> {
        let keep = Arc::new(lock_folder(&config.data)?);
        Self::start_with(config, Box::new(real_directory), keep)
    }

    /// Recovers a tenant in a data folder that is locked, and starts its threads.
    pub(crate) fn start_as(
        name: TenantName,
        secrets: Secrets,
        config: &Config,
        keep: Arc<FolderLock>,
    ) -> Result<Self, PlatformError> {
        Self::bring_up((name, secrets), config, Box::new(real_directory), keep)
    }

    /// As `start`, on a given disk for the journal.
    pub(crate) fn start_with(
        config: &Config,
        open_directory: OpenDirectory,
        keep: Arc<FolderLock>,
    ) -> Result<Self, PlatformError> {
        Self::bring_up((TenantName::default(), Secrets::of(config)), config, open_directory, keep)
    }

    fn bring_up(
        (name, secrets): (TenantName, Secrets),
        config: &Config,
        open_directory: OpenDirectory,
        keep: Arc<FolderLock>,
    ) -> Result<Self, PlatformError> {
        let start = Start::new(&name, config, open_directory, keep)?;
        let (content, working) = match start.bring_up() {
            Ok((working, content)) => (content, Ok(working)),
            Err(error) if error.is_no_room() => {
                // Only what can be read at all can be served.
                let content = match start.open_alone() {
                    Ok(content) => content,
                    Err(other) => {
                        tracing::error!(why = other.in_full(), "nor can the store be read");
                        return Err(error);
                    }
                };
                let why = error.in_full();
                tracing::error!(why, "nothing can be written; only reading is served");
                (content, Err(why))
            }
            Err(error) => return Err(error),
        };
        let began_reading_only = working.is_err();
        let queries = (content.reader, content.urgent);
        Self::assemble((name, secrets), config, start, queries, working)
            .map(|tenant| Self { began_reading_only, ..tenant })
    }

    #[expect(clippy::too_many_lines, reason = "puts all the parts together")]
    fn assemble(
        (name, secrets): (TenantName, Secrets),
        config: &Config,
        start: Start,
        (readers, urgent): (Arc<dyn StoreReader>, Arc<dyn StoreReader>),
        working: Result<crate::journal::Working, String>,
    ) -> Result<Self, PlatformError> {
        let limits = &config.limits;
        let (clock, metrics) = (Arc::clone(&start.clock), Arc::clone(&start.metrics));
        let (devices, losses) = (Arc::clone(&start.devices), Arc::clone(&start.losses));
        let documents = Arc::clone(&start.documents);
        let (health, progress) = (Arc::clone(&start.health), Arc::clone(&start.progress));
        let (threads, keep) = (Arc::clone(&start.threads), Arc::clone(&start.keep));
        let (committed, places) = (Arc::clone(&start.committed), start.places.clone());
        let store = (start.kind, start.place.clone());
        let source = match working {
            Ok(working) => Source::Working(Box::new(working)),
            // Read-only for now: the journal's thread brings the rest up once there is room.
            Err(why) => Source::Waiting(why, Box::new(move || start.wake_up())),
        };
        let (journal, thread) = Journal::start(source, limits.queue_messages, committed, keep)
            .map_err(PlatformError::io("start the journal's thread", &places.tenant))?;
        lock(&threads).threads.push(thread);
        let attention = Arc::new(Attention::new(clock.source == ClockSource::Driven));
        let routes = DeviceRoutes::new(Arc::clone(&documents), Arc::clone(&attention));
        let routes = Arc::new(routes);
        let ingest = Ingest::new(
            (name.clone(), config),
            journal.clone(),
            (Arc::clone(&clock), Arc::clone(&metrics)),
            (Arc::clone(&devices), Arc::clone(&documents)),
            Arc::clone(&urgent),
            (Arc::clone(&attention), Arc::clone(&routes)),
        );
        let dispatcher = Dispatcher::new(
            (name.clone(), journal.clone()),
            (Arc::clone(&devices), Arc::clone(&readers), routes),
            (Definitions(Arc::clone(&documents)), attention),
            (Arc::clone(&clock), Arc::clone(&metrics)),
            limits,
        );
        let (dispatcher, readers) = (Arc::new(dispatcher), Reader::new(readers));
        let changing = Arc::default();
        let core = Core {
            name: name.clone(),
            clock: Arc::clone(&clock),
            documents: Arc::clone(&documents),
            devices: Arc::clone(&devices),
            readers: readers.clone(),
            progress: Arc::clone(&progress),
            dispatcher: Arc::clone(&dispatcher),
            metrics: Arc::clone(&metrics),
            changing: Arc::clone(&changing),
        };
        let outgoing = Outgoing::new(config, core.clone())?;
        let services = Services::new(core);
        let tenant = Self {
            name,
            secrets: Mutex::new(secrets),
            clock,
            metrics,
            journal,
            progress,
            readers,
            devices,
            documents,
            losses,
            ingest: Arc::new(ingest),
            dispatcher,
            health,
            live: Arc::default(),
            notes: Notes::default(),
            services,
            outgoing,
            sealing: Sealing::of(&config.data),
            gateways: GatewayBook::default(),
            places,
            store,
            maintaining: tokio::sync::Mutex::new(()),
            changing,
            written: Mutex::default(),
            concluded: tokio::sync::Mutex::default(),
            urgent,
            advancing: tokio::sync::Mutex::new(()),
            threads,
            mqtt_connections: AtomicUsize::new(usize::MAX),
            began_reading_only: false,
        };
        schedules::plan(&tenant.dispatcher, SimTime(i64::MIN));
        tenant.dispatcher.look_at_batches();
        tenant.live.show(tenant.progress.totals());
        Ok(tenant)
    }

    /// What its documents hold about access.
    pub(crate) fn facts(&self) -> DocumentFacts<'_> {
        DocumentFacts { documents: &self.documents, devices: &self.devices }
    }

    /// Does what belongs together; when this returns it is durable, and documents that are
    /// resident can be found.
    pub(crate) async fn apply(&self, transaction: Transaction) -> Result<Changed, JournalStopped> {
        self.dispatcher.apply(transaction).await
    }

    /// Puts the limits in place that hold at once.
    pub(crate) fn limit(&self, limits: &TenantLimits) {
        self.ingest.pace.set(limits.messages_per_s);
        let connections = limits.mqtt_connections.map_or(usize::MAX, |most| most as usize);
        self.mqtt_connections.store(connections, Ordering::Relaxed);
    }

    /// MQTT connections that it may have at a time.
    pub(crate) fn mqtt_connections(&self) -> usize {
        self.mqtt_connections.load(Ordering::Relaxed)
    }

    /// Whether it is the one that is always there.
    pub(crate) fn is_first(&self) -> bool {
        self.name == TenantName::default()
    }

    /// Whether this is the administrators' secret.
    pub(crate) fn is_administrators(&self, secret: &[u8]) -> bool {
        is_of(lock(&self.secrets).administrators, secret)
    }

    /// Puts other secrets in the place of those that open it.
    pub(crate) fn rotate(&self, secrets: Secrets) {
        *lock(&self.secrets) = secrets;
    }

    /// Whether this is the secret that the devices share.
    pub(crate) fn is_devices(&self, secret: &[u8]) -> bool {
        is_of(lock(&self.secrets).devices, secret)
    }

    /// Waits until what was replayed is committed, unless nothing could be written.
    pub(crate) async fn ready(&self) -> Result<(), PlatformError> {
        if !self.began_reading_only {
            let committed = self.barrier().await;
            self.live.show(committed.map_err(|error| PlatformError::NotReady(Box::new(error)))?);
        }
        Ok(())
    }

    /// A watch on what is committed.
    pub(crate) fn watch(&self) -> Watch {
        self.live.watch(&self.progress, self.clock.source == ClockSource::Driven)
    }

    /// Returns when everything journalled before the call is committed.
    pub(crate) async fn barrier(&self) -> Result<Totals, BarrierError> {
        let (reply, reached) = oneshot::channel();
        self.pass(Job::Barrier(reply), reached).await
    }

    /// Has a part removed of what is kept no longer: where the store stands then, and whether
    /// there may be more.
    pub(crate) async fn tend(&self) -> Result<(Standing, bool), BarrierError> {
        let (reply, reached) = oneshot::channel();
        self.pass(Job::Tend(reply), reached).await
    }

    /// Returns the answer to a job behind everything that is journalled.
    async fn pass<T>(&self, job: Job, reached: oneshot::Receiver<T>) -> Result<T, BarrierError> {
        let wait = async {
            self.journal.pass(job).await?;
            reached.await.map_err(|_| JournalStopped)
        };
        let reached = async {
            tokio::select! {
                reached = wait => Ok(reached?),
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
        if self.clock.source != ClockSource::Driven {
            return Err(AdvanceError::NotDriven);
        }
        let now = self.clock.now();
        if to < now {
            return Err(AdvanceError::Backwards { now, to });
        }
        self.barrier().await?;
        self.serve_until(now, to).await?;
        self.clock.set(to);
        if self.dispatcher.attention.take_batches() {
            batches::go_on(&self.dispatcher).await?;
        }
        let waiting = self.dispatcher.attention.take_now();
        if waiting.batches {
            self.dispatcher.attention.batches();
        }
        self.keep_routes().await.map_err(InvokeError::from)?;
        for device in waiting.subscribed {
            self.dispatcher.send(&device, Outstanding::Unanswered).await?;
        }
        for device in waiting.heard {
            self.dispatcher.send(&device, self.dispatcher.when_heard(&device)).await?;
        }
        let (reply, _committed) = oneshot::channel();
        let change = Job::Change(Change::Clock(to), reply);
        self.journal.pass(change).await.map_err(BarrierError::from)?;
        let totals = self.barrier().await?;
        self.live.show(totals);
        let parties = self.live.take_parties(totals).await;
        Ok(Advanced { now: to, totals, sent: self.dispatcher.take_sent(), parties })
    }

    /// Fires timers and has services step, in the order of their instants.
    async fn serve_until(&self, now: SimTime, to: SimTime) -> Result<(), AdvanceError> {
        loop {
            let step = self.services.next(to).await?;
            // What services want told is told after them.
            let outside = self.outgoing.next(to).filter(|at| step.is_none_or(|step| *at < step));
            match (self.clock.take_due(outside.or(step).unwrap_or(to)), outside, step) {
                (Some((due, timer)), ..) => {
                    self.clock.set(due.max(now));
                    self.serve(due, timer).await?;
                }
                (None, Some(at), _) => {
                    self.clock.set(at.max(self.clock.now()));
                    self.outgoing.step(at).await?;
                }
                (None, None, Some(at)) => {
                    self.clock.set(at.max(self.clock.now()));
                    self.services.step(at).await?;
                }
                (None, None, None) => return Ok(()),
            }
        }
    }

    /// Does what a timer is for.
    async fn serve(&self, due: SimTime, timer: Timer) -> Result<(), InvokeError> {
        match timer {
            Timer::Expire(id) => Ok(self.dispatcher.expire(id, due).await?),
            Timer::Retry(device) => self.dispatcher.retry(&device).await,
            Timer::Schedules => schedules::serve(&self.dispatcher, self.clock.now()).await,
        }
    }

    /// Fires timers on the wall's clock, has services follow, and sends to devices that have
    /// subscribed or were heard, a task for each door; never ends.
    pub(crate) async fn attend(&self) {
        let services = self.services.follow(self.watch());
        tokio::join!(self.attend_devices(), services);
    }

    async fn attend_devices(&self) {
        let mut doors = JoinSet::new();
        loop {
            tokio::select! {
                (due, timer) = self.clock.next_due() => {
                    if let Err(error) = self.serve(due, timer).await {
                        tracing::warn!(%error, "a timer could not be served");
                        if matches!(error, InvokeError::Stopped(_)) {
                            return;
                        }
                    }
                }
                waiting = self.dispatcher.attention.take() => {
                    for door in self.look(waiting).await {
                        let dispatcher = Arc::clone(&self.dispatcher);
                        doors.spawn(async move { dispatcher.serve(door).await });
                    }
                }
                Some(_) = doors.join_next() => {}
            }
        }
    }

    /// Does what waits, but for sending; returns the doors that need a task for that.
    async fn look(&self, waiting: Waiting) -> Vec<&'static str> {
        // What was heard may be the answer on which the next command depends.
        if (waiting.batches || !waiting.heard.is_empty()) && self.barrier().await.is_err() {
            return Vec::new();
        }
        if waiting.batches
            && let Err(error) = batches::go_on(&self.dispatcher).await
        {
            tracing::warn!(%error, "a batch could not go on");
        }
        if waiting.routes
            && let Err(error) = self.keep_routes().await
        {
            tracing::warn!(%error, "the doors of devices could not be stored");
        }
        let heard = waiting.heard.into_iter();
        let heard = heard.map(|device| (self.dispatcher.when_heard(&device), device));
        let mut devices: BTreeMap<_, _> = heard.map(|(which, device)| (device, which)).collect();
        let subscribed = waiting.subscribed.into_iter();
        devices.extend(subscribed.map(|device| (device, Outstanding::Unanswered)));
        self.dispatcher.queue(devices)
    }

    /// Has the doors kept through which devices came last.
    async fn keep_routes(&self) -> Result<(), JournalStopped> {
        loop {
            let edits = self.dispatcher.routes.edits(ROUTES_MAX);
            if edits.is_empty() {
                return Ok(());
            }
            let change = Transaction::of("routes".to_owned(), edits.clone());
            let changed = self.apply(change).await?;
            self.dispatcher.routes.kept(&edits);
            if let Some(limit) = changed.limit {
                tracing::warn!(
                    limit,
                    "the doors of devices are not kept; the tenant is at its limit"
                );
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
        self.live.end();
        let ended = async {
            self.journal.stop().await;
            let Threads { mut threads, inspection } = std::mem::take(&mut *lock(&self.threads));
            threads.extend(inspection.map(Inspection::end));
            let joined = tokio::task::spawn_blocking(move || {
                threads.into_iter().all(|thread| thread.join().is_ok())
            });
            joined.await.unwrap_or(false)
        };
        // The writer leaves a tidy file behind only if it is the last to close it.
        self.readers.close();
        self.urgent.close();
        tokio::time::timeout(limit, ended).await.unwrap_or(false)
    }
}
