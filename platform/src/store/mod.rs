//! The store of one tenant: one SQLite file that holds everything queryable.
//!
//! Terms: a *reading* is one stored measurement message, its rowid is the *commit sequence*; a
//! *series* is one quantity of one device, named by their two integers. One thread writes
//! (`thread`, `apply`, `messages`), any number of readers read committed snapshots (`read`).
//! SQLite is asked for full durability: the journal is trimmed on the strength of a commit.

mod apply;
mod content;
mod messages;
mod progress;
mod read;
mod rows;
mod schema;
mod thread;

use std::path::PathBuf;

pub(crate) use apply::Writer;
use lastmeter_units::MeasurementId;
pub(crate) use progress::Progress;
pub(crate) use read::{Page, Range, Reader, Readers};
pub(crate) use rows::{
    AlertRow, DeviceRow, DeviceState, ReadingRow, RefusalRow, SeriesPoint, StateValue,
};
pub(crate) use schema::open_for_writing;
use sha2::{Digest, Sha256};
pub(crate) use thread::{Batching, Health, StoreThread};

/// File name of a tenant's store.
pub(crate) const STORE_FILE: &str = "store.db";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite refused something.
    #[error("{doing}")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is not a sound store.
    #[error("{path} is damaged: {found}; restore it from a copy, or move it away to begin anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check said.
        found: String,
    },
    /// The file belongs to something else.
    #[error("{path} is not a store of this program (application id {found:#x}); move it away")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The application id found.
        found: i64,
    },
    /// The file was written by another version.
    #[error("{path} has format {found}, this version reads {expected}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The format expected.
        expected: i64,
    },
    /// A worker thread has ended.
    #[error("the store's worker has ended")]
    WorkerGone,
}

impl StoreError {
    fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }
}

/// Result of the store.
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
    /// Name by store number.
    names: std::collections::BTreeMap<u16, String>,
}

impl Quantities {
    fn number(&self, id: MeasurementId) -> u16 {
        self.numbers[id.index()]
    }

    /// The identifier of a stored quantity.
    fn name(&self, number: u16) -> &str {
        self.names.get(&number).map_or("?", String::as_str)
    }
}
