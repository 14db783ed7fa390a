//! The store of one tenant: one SQLite file that holds everything queryable.
//!
//! Terms: a *reading* is one stored measurement message, its rowid is the *commit sequence*; a
//! *series* is one quantity of one device. SQLite is asked for full durability: the journal is
//! trimmed on the strength of a commit.
//!
//! | file | purpose |
//! |---|---|
//! | `thread` -> `apply` -> `messages`, `invocations` | the one writer, job by job |
//! | `lanes` -> `read`, `walk` -> `rows` | queries of committed snapshots, any number at a time |
//! | `schema`, `tables`, `load` | opening a file; the devices and open invocations of a start |
//! | `content`; `seal`, `checkpoint`, `tally` | values; checksums and counts: no loss is unseen |
//! | `inspect` | everything that is stored, looked at from time to time |
//! | `progress` | how far queries see: wakes those who wait for more |

mod apply;
mod checkpoint;
mod content;
mod inspect;
mod invocations;
mod lanes;
mod load;
mod messages;
mod progress;
mod read;
mod rows;
mod schema;
mod seal;
mod tables;
mod tally;
mod thread;
mod walk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use apply::Writer;
pub(crate) use checkpoint::StoreCheckpoint;
pub(crate) use inspect::Inspection;
pub(crate) use lanes::Readers;
use lastmeter_units::{MEASUREMENTS, Measurement, MeasurementId};
pub(crate) use load::load;
pub(crate) use messages::{conflict, is_same_content, unknown_invocation};
pub(crate) use progress::Progress;
pub(crate) use read::{Page, Range, ReadContext, Reader, Rows};
pub(crate) use rows::{
    AlertRow, DeviceRow, DeviceState, ReadingRow, RefusalRow, SeriesPoint, StateValue,
};
pub(crate) use schema::{Opened, open_alone, open_for_writing};
pub(crate) use seal::Damage;
use sha2::{Digest, Sha256};
pub(crate) use thread::{Batching, Health, Signals, StoreThread};
pub(crate) use walk::{EventsScan, SeriesScan};

/// File name of a tenant's store.
pub(crate) const STORE_FILE: &str = "store.db";

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite refused something.
    #[error("{doing}")]
    Sqlite {
        doing: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    /// The file is not a sound store.
    #[error(
        "{path} is damaged: {found}; restore it from a copy, or move it away to begin with an empty one"
    )]
    Damaged { path: PathBuf, found: String },
    /// The file belongs to something else.
    #[error("{path} is not a store of this program (application id {found:#x}); move it away")]
    Foreign { path: PathBuf, found: i64 },
    /// The file was written by another version.
    #[error(
        "{path} has format {found}, this version reads {expected}; start the version that wrote \
         it, or give another data folder"
    )]
    Format { path: PathBuf, found: i64, expected: i64 },
    /// The file itself could not be opened.
    #[error("open {path}")]
    File {
        path: PathBuf,
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
    /// A worker thread has ended.
    #[error("the store's worker has ended")]
    WorkerGone,
}

impl StoreError {
    /// Whether it only means that nothing can be written.
    pub(crate) fn is_no_room(&self) -> bool {
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

    fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }
}

pub(crate) type StoreResult<T> = Result<T, StoreError>;

/// The token of a device's assignment: the same for the same tenant and device, everywhere, and
/// shaped like a UUID.
pub(crate) fn assignment_token(tenant: &str, hardware_id: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(tenant);
    hash.update([0]);
    hash.update(hardware_id);
    let hash_bytes = hash.finalize();
    let [high, low] = [0, 8].map(|at| {
        let bytes = hash_bytes[at..at + 8].iter();
        bytes.fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    });
    let digits = format!("{high:016x}{low:016x}");
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    groups.join("-")
}

/// The store's numbers of quantities, which outlive the order of the registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quantities {
    /// Store number by registry index.
    numbers: Vec<u16>,
    names: BTreeMap<u16, Arc<str>>,
}

impl Quantities {
    /// Quantities by their numbers in the store; what the registry has and the store has not gets
    /// a number that is nothing's.
    fn new(names: &BTreeMap<u16, String>) -> Self {
        let by_name: BTreeMap<&str, u16> =
            names.iter().map(|(number, name)| (name.as_str(), *number)).collect();
        let number = |measurement: &Measurement| by_name.get(measurement.name).copied();
        let numbers = MEASUREMENTS.iter().map(|one| number(one).unwrap_or(u16::MAX)).collect();
        let names = names.iter().map(|(number, name)| (*number, name.as_str().into())).collect();
        Self { numbers, names }
    }

    fn number(&self, id: MeasurementId) -> u16 {
        self.numbers[id.index()]
    }

    /// The identifier of a stored quantity, if there is one of that number.
    fn name(&self, number: u16) -> Option<&Arc<str>> {
        self.names.get(&number)
    }
}
