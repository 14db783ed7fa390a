//! The tenants of the process beside `default`: made, limited and removed while it runs, and on
//! record in `platform.db`, so that what a crash interrupts goes on at the next start.
//!
//! `made -> starting -> open -> closing -> removed`; one that cannot be started is `failed`, and
//! tried again at the next start. The file is made with the first of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lastmeter_model::access::{MachineToken, PrincipalRef, Secret, TokenKind};
use lastmeter_store::files::FolderLock;
use lastmeter_store::{PlatformFile, TenantRecord, TenantState, lock};
use lastmeter_units::TenantName;

use crate::access::{SecretSum, random};
use crate::config::{ClockSource, Config};
use crate::database;
use crate::error::{BarrierError, PlatformError};
use crate::folder::{self, Places};
use crate::open_doors::Doors;
use crate::tenant::{Secrets, Tenant};
use crate::tenant_limits::TenantLimits;
use crate::tenants::Tenants;

/// Tenants that may be there at a time, `default` included.
const TENANTS_MAX: usize = 16;

/// Why a tenant is not made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TenantError {
    /// There is none of this name.
    #[error("there is no tenant `{0}`")]
    Unknown(TenantName),
    /// What there is does not permit it.
    #[error("{0}")]
    Conflict(String),
    /// A limit with which nothing works.
    #[error("{0}")]
    Limits(String),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] PlatformError),
}

/// What opens a tenant, shown once.
pub(crate) struct Credentials {
    /// Bearer token of its bench.
    pub(crate) bench: String,
    /// What its devices share.
    pub(crate) devices: String,
}

impl Credentials {
    fn random(tenant: &TenantName) -> Result<Self, PlatformError> {
        let make = || {
            let token = MachineToken {
                kind: TokenKind::Bench,
                tenant: tenant.clone(),
                id: u64::from_be_bytes(random()?),
                secret: Secret(random()?),
            };
            let (high, low) = (u128::from_be_bytes(random()?), u128::from_be_bytes(random()?));
            Ok(Self { bench: token.print(), devices: format!("{high:032x}{low:032x}") })
        };
        make().map_err(PlatformError::io("take random numbers", "the system's".as_ref()))
    }
}

impl Credentials {
    /// What is kept of them.
    fn sums(&self) -> [[u8; 32]; 2] {
        [&self.bench, &self.devices].map(|secret| SecretSum::of(secret.as_bytes()).0)
    }
}

/// What opens a tenant that is on record.
fn secrets_of(record: &TenantRecord) -> Secrets {
    let [administrators, devices] =
        [record.administrators, record.devices].map(|sum| Some(SecretSum(sum)));
    Secrets { administrators, devices }
}

/// What is not one tenant's.
pub(crate) struct Process {
    pub(crate) tenants: Arc<Tenants>,
    doors: tokio::sync::Mutex<Doors>,
    config: Config,
    keep: Arc<FolderLock>,
    /// Tenants that there are descriptors for.
    tenants_max: usize,
    /// One tenant is made or removed at a time. Those that did not end in time; nothing once the
    /// process stops.
    changing: tokio::sync::Mutex<Option<BTreeSet<TenantName>>>,
    records: Mutex<BTreeMap<TenantName, TenantRecord>>,
    file: Mutex<Option<PlatformFile>>,
}

/// The list of tenants of a data folder, if it has one.
pub(crate) fn open_file(
    config: &Config,
) -> Result<(Option<PlatformFile>, Vec<TenantRecord>), PlatformError> {
    let path = file_path(config);
    if !path.exists() {
        return Ok((None, Vec::new()));
    }
    let file = PlatformFile::open(&path)?;
    let records = file.tenants()?;
    Ok((Some(file), records))
}

fn file_path(config: &Config) -> PathBuf {
    config.data.join(folder::PLATFORM_FILE)
}

impl Process {
    /// Of the first tenant alone, with what is on record of others, and without doors.
    pub(crate) fn of(
        first: Arc<Tenant>,
        (config, keep): (Config, Arc<FolderLock>),
        (file, records): (Option<PlatformFile>, Vec<TenantRecord>),
        tenants_max: usize,
    ) -> Arc<Self> {
        let records = records.into_iter().map(|record| (record.name.clone(), record)).collect();
        let tenants = Tenants::of(first);
        tenants.access.keep_log_ins(config.data.join(folder::LOG_INS_FILE));
        Arc::new(Self {
            tenants: Arc::new(tenants),
            doors: tokio::sync::Mutex::default(),
            config,
            keep,
            tenants_max: tenants_max.min(TENANTS_MAX),
            changing: tokio::sync::Mutex::new(Some(BTreeSet::new())),
            records: Mutex::new(records),
            file: Mutex::new(file),
        })
    }

    /// Goes on with every tenant on record where the last stop left it. One that cannot be started
    /// keeps no other one from it.
    pub(crate) async fn resume(&self) {
        for record in self.records() {
            let name = record.name.clone();
            let resumed = match record.state {
                TenantState::Closing | TenantState::Removed => self.remove_data(record).await,
                _ => self.start(record).await,
            };
            if let Err(error) = resumed {
                tracing::error!(tenant = %name, why = error.in_full(), "a tenant is not open");
            }
        }
    }

    /// Lets clients in through these doors.
    pub(crate) async fn open(&self, doors: Doors) {
        *self.doors.lock().await = doors;
    }

    /// What is on record of all tenants but the first.
    pub(crate) fn records(&self) -> Vec<TenantRecord> {
        lock(&self.records).values().cloned().collect()
    }

    /// What is on record of a tenant.
    pub(crate) fn record(&self, name: &TenantName) -> Result<TenantRecord, TenantError> {
        let found = lock(&self.records).get(name).cloned();
        found.ok_or_else(|| TenantError::Unknown(name.clone()))
    }

    /// Whether clocks are driven.
    pub(crate) fn is_driven(&self) -> bool {
        self.config.clock == ClockSource::Driven
    }

    /// Makes a tenant and opens it. If that fails nothing of it is left.
    pub(crate) async fn make(
        &self,
        name: TenantName,
        limits: TenantLimits,
    ) -> Result<(TenantRecord, Credentials), TenantError> {
        let changing = self.changing.lock().await;
        self.check_new(&name, &limits, changing.is_some())?;
        if let Some(database) = database::of(&self.config.store, &name)? {
            let shown = database.to_string();
            let is_taken = blocking(move || Ok(database.is_there()?)).await?;
            if is_taken {
                let why = format!("{shown} is there; drop it, or give another name");
                return Err(TenantError::Conflict(why));
            }
        }
        let credentials = Credentials::random(&name)?;
        let [administrators, devices] = credentials.sums();
        let record = TenantRecord {
            state: TenantState::Made,
            limits: text_of(&limits),
            administrators,
            devices,
            why: None,
            name,
        };
        self.put(record.clone()).await?;
        if let Err(error) = self.start(record.clone()).await {
            // What stays of it, if anything, is removed at the next start.
            if let Err(error) = self.remove_data(record).await {
                tracing::error!(why = error.in_full(), "a tenant that failed was not removed");
            }
            return Err(error.into());
        }
        Ok((self.record(&record.name)?, credentials))
    }

    fn check_new(
        &self,
        name: &TenantName,
        limits: &TenantLimits,
        is_running: bool,
    ) -> Result<(), TenantError> {
        let conflict = |why: String| Err(TenantError::Conflict(why));
        if let Some(fault) = limits.fault(&self.config.limits) {
            return Err(TenantError::Limits(fault));
        }
        if !is_running {
            return conflict("the platform is stopping".to_owned());
        }
        let (count, is_known) = {
            let records = lock(&self.records);
            (records.len() + 1, records.contains_key(name))
        };
        if is_known || *name == self.tenants.first().name {
            return conflict(format!("there is a tenant `{name}`"));
        }
        if Places::of(name, &self.config).is_taken(&self.config.data) {
            return conflict(format!(
                "the data folder has something of the name `{name}`; move it away, or give another"
            ));
        }
        if count >= TENANTS_MAX {
            return conflict(format!("there are {count} tenants, and no more may be; remove one"));
        }
        if count >= self.tenants_max {
            return conflict(format!(
                "there are {count} tenants, and no descriptors for one more; raise the limit of \
                 open files, as with `ulimit -n`, or lower `limits.connections`, and start again"
            ));
        }
        Ok(())
    }

    /// Gives a tenant other limits.
    pub(crate) async fn limit(
        &self,
        name: &TenantName,
        limits: TenantLimits,
    ) -> Result<TenantRecord, TenantError> {
        let _one_at_a_time = self.changing.lock().await;
        let record = self.record(name)?;
        if let Some(fault) = limits.fault(&self.config.limits) {
            return Err(TenantError::Limits(fault));
        }
        let record = TenantRecord { limits: text_of(&limits), ..record };
        self.put(record.clone()).await?;
        if let Some(tenant) = self.tenants.find(name) {
            tenant.limit(&limits);
        }
        Ok(record)
    }

    /// Gives a tenant other secrets. Those that it had open it no more, and who came by them is cut
    /// off.
    pub(crate) async fn rotate(
        &self,
        name: &TenantName,
    ) -> Result<(TenantRecord, Credentials), TenantError> {
        let _one_at_a_time = self.changing.lock().await;
        let credentials = Credentials::random(name)?;
        let [administrators, devices] = credentials.sums();
        let record = TenantRecord { administrators, devices, ..self.record(name)? };
        self.put(record.clone()).await?;
        if let Some(tenant) = self.tenants.find(name) {
            tenant.rotate(secrets_of(&record));
            for who in [PrincipalRef::Bench, PrincipalRef::SharedDevices] {
                self.cut(name, &who).await;
            }
        }
        Ok((record, credentials))
    }

    /// Removes a tenant: nobody of it is let in any more, its connections are cut, what was
    /// acknowledged is committed, and its data is deleted.
    pub(crate) async fn remove(&self, name: &TenantName) -> Result<TenantRecord, TenantError> {
        let mut changing = self.changing.lock().await;
        if *name == self.tenants.first().name {
            return Err(TenantError::Conflict(format!("`{name}` stays")));
        }
        let record = self.record(name)?;
        let Some(unfinished) = changing.as_mut().filter(|unfinished| !unfinished.contains(name))
        else {
            let why = format!("`{name}` is being closed; its data is removed at the next start");
            return Err(TenantError::Conflict(why));
        };
        let closing = TenantRecord { state: TenantState::Closing, ..record };
        self.put(closing.clone()).await?;
        if let Some(tenant) = self.tenants.take(name)
            && !self.close(&tenant).await
        {
            // Its threads may still write.
            unfinished.insert(name.clone());
            return Err(PlatformError::NotReady(Box::new(BarrierError::Late)).into());
        }
        self.remove_data(closing.clone()).await?;
        tracing::info!(tenant = %name, "a tenant was removed");
        Ok(TenantRecord { state: TenantState::Removed, ..closing })
    }

    /// Cuts the connections of a tenant that is not let in any more, and commits what it has.
    async fn close(&self, tenant: &Tenant) -> bool {
        let doors = self.doors.lock().await;
        let mut left = doors.cut(&tenant.name).await;
        // Whoever was being let in at that moment is there now.
        left += doors.cut(&tenant.name).await;
        drop(doors);
        let stopped = tenant.stop(self.stop_limit()).await;
        tracing::info!(tenant = %tenant.name, left, stopped, "a tenant was closed");
        stopped
    }

    /// Cuts the connections of a principal whose credential is worth nothing any more.
    pub(crate) async fn cut(&self, tenant: &TenantName, who: &PrincipalRef) {
        self.doors.lock().await.cut_principal(tenant, who);
    }

    /// Closes the doors. Whether everybody in them had their answer within the limit.
    pub(crate) async fn close_doors(&self, limit: Duration) -> bool {
        let doors = std::mem::take(&mut *self.doors.lock().await);
        doors.close(limit).await
    }

    /// Commits what was acknowledged, of every tenant; whether all of it was in time.
    pub(crate) async fn stop(&self) -> bool {
        *self.changing.lock().await = None;
        let (limit, mut stopping) = (self.stop_limit(), tokio::task::JoinSet::new());
        for tenant in self.tenants.take_all() {
            stopping.spawn(async move { tenant.stop(limit).await });
        }
        stopping.join_all().await.into_iter().all(|stopped| stopped)
    }

    pub(crate) fn stop_limit(&self) -> Duration {
        Duration::from_secs(self.config.limits.shutdown_s)
    }

    /// Starts a tenant that is on record, and lets its clients in.
    async fn start(&self, record: TenantRecord) -> Result<(), PlatformError> {
        let record = TenantRecord { state: TenantState::Starting, why: None, ..record };
        self.put(record.clone()).await?;
        match self.bring_up(&record).await {
            Ok(tenant) => {
                self.doors.lock().await.attach(&tenant);
                self.tenants.add(tenant);
                tracing::info!(tenant = %record.name, "a tenant was opened");
                self.put(TenantRecord { state: TenantState::Open, ..record }).await
            }
            Err(error) => {
                let why = Some(error.in_full());
                self.put(TenantRecord { state: TenantState::Failed, why, ..record }).await?;
                Err(error)
            }
        }
    }

    async fn bring_up(&self, record: &TenantRecord) -> Result<Arc<Tenant>, PlatformError> {
        let limits = limits_of(record)?;
        let mut config = self.config.clone();
        config.limits = limits.within(&config.limits);
        let (name, secrets) = (record.name.clone(), secrets_of(record));
        let tenant = start_tenant(name, secrets, &config, &self.keep).await?;
        tenant.limit(&limits);
        if let Err(error) = tenant.ready().await {
            tenant.stop(self.stop_limit()).await;
            return Err(error);
        }
        Ok(tenant)
    }

    /// Deletes what there is of a tenant, and its row last.
    async fn remove_data(&self, record: TenantRecord) -> Result<(), PlatformError> {
        let places = Places::of(&record.name, &self.config);
        let data = self.config.data.clone();
        let aside = places.clone();
        blocking(move || aside.put_aside(&data)).await?;
        let name = record.name.clone();
        self.put(TenantRecord { state: TenantState::Removed, ..record }).await?;
        let data = self.config.data.clone();
        let (store, of) = (self.config.store.clone(), name.clone());
        blocking(move || {
            // Before the folder, which shows where it is.
            database::remove_store(&store, &of)?;
            places.delete_aside(&data)
        })
        .await?;
        if let Some(file) = lock(&self.file).as_ref() {
            file.remove(&name)?;
        }
        lock(&self.records).remove(&name);
        Ok(())
    }

    /// Puts a tenant on record, durably; the file is made if there is none.
    async fn put(&self, record: TenantRecord) -> Result<(), PlatformError> {
        let path = file_path(&self.config);
        let file = lock(&self.file).take();
        let row = record.clone();
        let (file, written) = blocking(move || {
            let file = match file {
                Some(file) => file,
                None => PlatformFile::open(&path)?,
            };
            let written = file.put(&row);
            Ok((file, written))
        })
        .await?;
        *lock(&self.file) = Some(file);
        written?;
        lock(&self.records).insert(record.name.clone(), record);
        Ok(())
    }
}

/// Does what waits for the disk where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PlatformError> + Send + 'static,
) -> Result<T, PlatformError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| PlatformError::Store(Box::new(panic)))?
}

/// Starts a tenant; what was acknowledged before is committed when queries of it are answered.
pub(crate) async fn start_tenant(
    name: TenantName,
    secrets: Secrets,
    config: &Config,
    keep: &Arc<FolderLock>,
) -> Result<Arc<Tenant>, PlatformError> {
    let (config, keep) = (config.clone(), Arc::clone(keep));
    blocking(move || Tenant::start_as(name, secrets, &config, keep).map(Arc::new)).await
}

/// The limits of a tenant on record.
pub(crate) fn limits_of(record: &TenantRecord) -> Result<TenantLimits, PlatformError> {
    let read = serde_json::from_str(&record.limits);
    read.map_err(|error| PlatformError::Store(Box::new(error)))
}

fn text_of(limits: &TenantLimits) -> String {
    serde_json::to_string(limits).unwrap_or_default()
}
