//! Maintenance of a data folder whose platform does not run: looked at, backed up, restored,
//! exported and imported.
//!
//! | file | purpose |
//! |---|---|
//! | `verify` | everything that is stored, or the audit alone, held against what it has to be |
//! | `restore` | a backup put in the place of a tenant |
//! | `transfer` | a tenant as files that any store takes, and such files taken in |

mod restore;
mod transfer;
mod verify;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_store::TenantState;
use lastmeter_store::files::FolderLock;
use lastmeter_units::TenantName;

pub use transfer::{RefusedRow, Transferred};
pub use verify::{AuditEnd, Extent, Finding, Verified};

use crate::backup::{self, Manifest};
use crate::config::{Config, ConfigError};
use crate::error::{BarrierError, PlatformError};
use crate::folder::{self, Places};
use crate::process::{self, blocking, start_tenant};
use crate::tenant::{Secrets, Tenant};

/// A data folder that this process has for itself.
pub struct DataFolder {
    config: Config,
    keep: Arc<FolderLock>,
}

impl DataFolder {
    /// Takes the folder of these settings, which has to be there.
    ///
    /// # Errors
    /// If it is not, or a platform uses it.
    pub fn open(config: Config) -> Result<Self, PlatformError> {
        if !config.data.is_dir() {
            let found = config.data.display().to_string();
            let expected = "name the data folder of a platform, as `serve` has it";
            return Err(ConfigError::value("data", found, expected).into());
        }
        Self::take(config)
    }

    /// The same; a folder that is not there is made.
    fn take(config: Config) -> Result<Self, PlatformError> {
        config.store.check()?;
        let keep = Arc::new(folder::lock_folder(&config.data)?);
        Ok(Self { config, keep })
    }

    /// The tenants that have data in it, `default` first.
    ///
    /// # Errors
    /// If the list of tenants cannot be read.
    pub fn tenants(&self) -> Result<Vec<TenantName>, PlatformError> {
        let has_data =
            |name: &TenantName| Places::of(name, &self.config).is_taken(&self.config.data);
        let first = Some(TenantName::default()).filter(has_data);
        let is_kept = |state| !matches!(state, TenantState::Closing | TenantState::Removed);
        let others = process::open_file(&self.config)?.1.into_iter();
        let others = others.filter(|record| is_kept(record.state)).map(|record| record.name);
        Ok(first.into_iter().chain(others.filter(has_data)).collect())
    }

    /// Writes a backup of a tenant into a folder that is not there yet. What its journal has and
    /// its store has not is stored before.
    ///
    /// # Errors
    /// If the tenant cannot be started, or the backup not be written; nothing is left of it then.
    pub async fn back_up(&self, name: &TenantName, to: &Path) -> Result<Manifest, PlatformError> {
        let to = to.to_owned();
        self.with(name, async |tenant| {
            let tenant = Arc::clone(tenant);
            blocking(move || {
                let above = to.parent().unwrap_or(&to);
                std::fs::create_dir_all(above)
                    .map_err(PlatformError::io("make the folder of the backup", above))?;
                backup::back_up(&tenant, &to)
            })
            .await
        })
        .await
    }

    /// Starts a tenant without doors, does something with it, and stops it.
    async fn with<T>(
        &self,
        name: &TenantName,
        work: impl AsyncFnOnce(&Arc<Tenant>) -> Result<T, PlatformError>,
    ) -> Result<T, PlatformError> {
        let nobody = Secrets { administrators: None, devices: None };
        let tenant = start_tenant(name.clone(), nobody, &self.config, &self.keep).await?;
        let done = match tenant.ready().await {
            Ok(()) => work(&tenant).await,
            Err(error) => Err(error),
        };
        let limit = Duration::from_secs(self.config.limits.shutdown_s);
        if !tenant.stop(limit).await && done.is_ok() {
            return Err(PlatformError::NotReady(Box::new(BarrierError::Late)));
        }
        done
    }
}

/// Puts a backup in the place of its tenant in the data folder of these settings, which is made if
/// it is not there. A tenant that is there stays as it is, or, if it `replaces`, is put into
/// `removed`. Everything of the backup is looked at before anything is changed.
///
/// # Errors
/// If the backup is damaged, its tenant is there, or the system refuses something.
pub fn restore(config: Config, from: &Path, replaces: bool) -> Result<Manifest, PlatformError> {
    let manifest = backup::check(from)?;
    DataFolder::take(config)?.restore(from, manifest, replaces)
}

/// The folders of backups in a folder: itself, or those in it, by name.
///
/// # Errors
/// If it cannot be read, or there is none.
pub fn backups_in(folder: &Path) -> Result<Vec<std::path::PathBuf>, PlatformError> {
    if backup::is_there(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(PlatformError::io("read the folder of backups", folder))?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut found: Vec<_> = paths.filter(|path| backup::is_there(path)).collect();
    found.sort();
    if found.is_empty() {
        let expected = "there is no backup.json in it, nor in a folder of it; name a backup";
        return Err(PlatformError::unusable(folder, expected));
    }
    Ok(found)
}
