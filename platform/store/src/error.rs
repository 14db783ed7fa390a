//! Why a store does not do what it is asked to.

use std::path::PathBuf;

use crate::damage::Damage;
use crate::postgres_error::PostgresError;

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused something.
    #[error("{doing}")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// SQLite's error.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is not a sound store.
    #[error(
        "{path} is damaged: {found}; restore it from a copy, or move it away to begin with an empty one"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The file belongs to something else.
    #[error("{path} is not a store of this program (application id {found:#x}); move it away")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i64,
    },
    /// The tenant has a store of another kind.
    #[error(
        "{path} shows that this tenant's store is of kind `{kind}`; set `store.kind = \"{kind}\"`, \
         or move it away to begin with an empty store"
    )]
    OtherKind {
        /// What shows it.
        path: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
    /// The file was written by another version.
    #[error(
        "{path} has format {found}, this version reads {expected}; start the version that wrote \
         it, or give another data folder"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format of this version.
        expected: i64,
    },
    /// There is no room to copy a file, as before its format changes.
    #[error(
        "{path} has {free} bytes left, and {needed} are needed to copy the store: {} more; make \
         room, nothing was changed", needed - free
    )]
    NoRoomForCopy {
        /// The folder of the copy.
        path: PathBuf,
        /// Bytes of the copy at most.
        needed: u64,
        /// Bytes that there are.
        free: u64,
    },
    /// A store of this kind is not copied by this program.
    #[error("{place} is copied by {by}; `lastmeter store export` writes what any store takes")]
    CopiedOtherwise {
        /// The store.
        place: String,
        /// What copies it.
        by: String,
    },
    /// The file itself could not be opened.
    #[error("open {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Something that was to be read is not what was stored.
    #[error("{0}")]
    DamagedPart(Damage),
    /// A query took too long.
    #[error("the query took longer than {limit_s} s")]
    TooSlow {
        /// `limits.query_s`.
        limit_s: f64,
    },
    /// PostgreSQL refused something, or its store is not as it has to be.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A worker thread has ended.
    #[error("the store's worker has ended")]
    WorkerGone,
}

impl StoreError {
    /// Whether it only means that nothing can be written.
    pub fn is_no_room(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
        match self {
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure)
            ),
            Self::File { source, .. } => crate::files::cannot_write(source),
            _ => false,
        }
    }

    pub(crate) fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }
}

/// What a store answers.
pub type StoreResult<T> = Result<T, StoreError>;
