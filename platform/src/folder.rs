//! The data folder: one process at a time, and for its owner alone.

use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lastmeter_units::TenantName;

use crate::config::Config;

use lastmeter_store::files;
use lastmeter_store::files::FolderLock;

use crate::error::PlatformError;

/// The file that versions before this one lock.
const LOCK_FILE: &str = "lock";
/// The list of tenants.
pub(crate) const PLATFORM_FILE: &str = "platform.db";
/// The log-ins to pages of people's own devices.
pub(crate) const LOG_INS_FILE: &str = "log-ins.json";
/// Where the data of tenants is put that are removed.
const REMOVED_FOLDER: &str = "removed";
/// Folder of the journal's segments within the tenant's.
const JOURNAL_FOLDER: &str = "journal";
/// What stands beside the tenant's folder, for it must not go with it.
const HEAD_SUFFIX: &str = "head";
const LOSSES_SUFFIX: &str = "losses";

#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) name: TenantName,
    /// The tenant's folder.
    pub(crate) tenant: PathBuf,
    /// The journal's folder.
    pub(crate) journal: PathBuf,
    pub(crate) head: PathBuf,
    /// The reports of losses.
    pub(crate) losses: PathBuf,
}

impl Places {
    pub(crate) fn of(name: &TenantName, config: &Config) -> Self {
        let tenant = config.data.join(name.as_str());
        Self {
            journal: tenant.join(JOURNAL_FOLDER),
            head: config.data.join(format!("{name}.{HEAD_SUFFIX}")),
            losses: config.data.join(format!("{name}.{LOSSES_SUFFIX}")),
            tenant,
            name: name.clone(),
        }
    }

    /// Whether a tenant of this name would meet something that is there, or is to be.
    pub(crate) fn is_taken(&self, data: &Path) -> bool {
        let mut all = [&self.tenant, &self.head, &self.losses].into_iter();
        all.any(|path| path.exists()) || self.tenant == data.join(REMOVED_FOLDER)
    }

    /// Takes everything of the tenant out of use.
    pub(crate) fn put_aside(&self, data: &Path) -> Result<(), PlatformError> {
        let mut aside = self.aside(data, 1);
        for number in 2.. {
            if !aside.exists() {
                break;
            }
            aside = self.aside(data, number);
        }
        let put_aside = || {
            files::make_folder(&aside)?;
            for path in [&self.tenant, &self.head, &self.losses] {
                if let (true, Some(name)) = (path.exists(), path.file_name()) {
                    std::fs::rename(path, aside.join(name))?;
                }
            }
            File::open(data)?.sync_all()
        };
        put_aside().map_err(PlatformError::io("put a tenant's data aside", &aside))
    }

    /// Deletes what was put aside of tenants of this name.
    pub(crate) fn delete_aside(&self, data: &Path) -> Result<(), PlatformError> {
        for number in 1.. {
            let aside = self.aside(data, number);
            if !aside.exists() {
                break;
            }
            std::fs::remove_dir_all(&aside)
                .map_err(PlatformError::io("remove a tenant's data", &aside))?;
        }
        Ok(())
    }

    fn aside(&self, data: &Path, number: u32) -> PathBuf {
        data.join(REMOVED_FOLDER).join(format!("{}-{number}", self.name))
    }

    /// Closes what is there to everybody but its owner. The data folder itself is left as it is
    /// if it was there before: it may be somebody's whose other files others shall see.
    pub(crate) fn tighten(&self) -> std::io::Result<()> {
        for path in [&self.tenant, &self.journal, &self.head, &self.losses] {
            if path.exists() {
                files::tighten(path)?;
            }
        }
        for entry in std::fs::read_dir(&self.journal)? {
            files::tighten(&entry?.path())?;
        }
        Ok(())
    }
}

/// Takes the folder for this process alone.
pub(crate) fn lock_folder(data: &Path) -> Result<FolderLock, PlatformError> {
    files::make_folder(data).map_err(PlatformError::io("make the data folder", data))?;
    let folder = File::open(data).map_err(PlatformError::io("open the data folder", data))?;
    if let Err(error) = take(&folder, data) {
        // Not every file system locks folders; then there is the file.
        if matches!(error, PlatformError::DataInUse { .. }) {
            return Err(error);
        }
        tracing::warn!(why = error.in_full(), "only the lock file keeps other processes out");
    }
    let mode = folder.metadata().map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o022 != 0 {
        tracing::warn!(
            path = %data.display(),
            "others than its owner can write to the data folder, and so replace what is in it"
        );
    }
    let path = data.join(LOCK_FILE);
    let file = match files::private().create(true).append(true).open(&path) {
        Ok(file) => {
            take(&file, data)?;
            Some(file)
        }
        // The lock on the folder is the one that counts.
        Err(error) if files::cannot_write(&error) => None,
        Err(error) => return Err(PlatformError::io("make the lock file", &path)(error)),
    };
    Ok(FolderLock { folder, file })
}

fn take(file: &File, data: &Path) -> Result<(), PlatformError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(PlatformError::DataInUse { path: data.to_owned() }),
        Err(TryLockError::Error(source)) => {
            Err(PlatformError::io("lock the data folder", data)(source))
        }
    }
}
