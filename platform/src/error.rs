//! Why the platform does not start.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lastmeter_store::StoreError;
use lastmeter_store::files;

use crate::Duration;
use crate::config::ConfigError;
use crate::journal::JournalStopped;

/// How long a barrier may take before it is reported as failed.
pub(crate) const BARRIER_LIMIT: Duration = Duration::from_mins(1);

/// The same where the store does nothing but fail. The barrier fails; the store tries on.
pub(crate) const FAILING_LIMIT: Duration = Duration::from_secs(10);

/// Why the platform does not start.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file system or the machine refused something.
    #[error("{doing} ({path})")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Another process uses the data folder.
    #[error("{path} is in use by another process; stop that one, or give another data folder")]
    DataInUse {
        /// The data folder.
        path: PathBuf,
    },
    /// The store is damaged, foreign, or of another version.
    #[error(transparent)]
    Store(Box<dyn Error + Send + Sync>),
    /// A file or folder that was named is not what it has to be for this.
    #[error("{path}: {found}")]
    Unusable {
        /// It.
        path: PathBuf,
        /// What is the matter with it, and what was expected.
        found: String,
    },
    /// A backup is not what was written.
    #[error("{path} is damaged: {found}; nothing was changed, take another backup")]
    DamagedBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The journal cannot be read back.
    #[error(transparent)]
    Journal(Box<dyn Error + Send + Sync>),
    /// What was read back from the journal could not be committed.
    #[error("the journal could not be committed to the store")]
    NotReady(#[source] Box<dyn Error + Send + Sync>),
    /// The MQTT broker does not start.
    #[error(transparent)]
    Broker(Box<dyn Error + Send + Sync>),
    /// The certificates for TLS cannot be used.
    #[error("the settings for TLS cannot be used")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
    /// The system grants too few open files.
    #[error(transparent)]
    Descriptors(Box<dyn Error + Send + Sync>),
    /// REST, or a door, cannot listen.
    #[error("{what} cannot listen on {address}; is it taken?")]
    Listen {
        /// What was to listen there.
        what: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl PlatformError {
    /// Whether it only means that nothing can be written.
    pub(crate) fn is_no_room(&self) -> bool {
        match self {
            Self::Io { source, .. } => files::cannot_write(source),
            Self::Store(error) => {
                error.downcast_ref::<StoreError>().is_some_and(StoreError::is_no_room)
            }
            _ => false,
        }
    }

    /// The error and everything that caused it.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// A file or folder that is not what it has to be, with what was found and expected.
    pub(crate) fn unusable(path: &Path, found: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), found: found.into() }
    }

    /// A file of a backup that is not what was written.
    pub(crate) fn damaged_backup(path: &Path, found: impl Into<String>) -> Self {
        Self::DamagedBackup { path: path.to_owned(), found: found.into() }
    }

    /// Makes an error of a system error and what was being done with a path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

impl From<StoreError> for PlatformError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
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
        /// What failed last, in words.
        cause: String,
    },
    /// The store is too far behind.
    #[error("what is in the journal was not committed within {} s", BARRIER_LIMIT.as_secs())]
    Late,
}
