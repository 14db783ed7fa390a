//! One SQLite file a tenant, with full durability.
//!
//! | file | purpose |
//! |---|---|
//! | `batch`, `files` | one transaction of the writer; whether its files are still in place |
//! | `lanes` -> `read`, `walk` | queries of committed snapshots, any number at a time |
//! | `invocations`, `documents`, `audit` | commands, documents and what was done, as rows |
//! | `numbered` | results of applications and blocks of samples |
//! | `schema`, `tables`, `migrate`, `load` | opening a file, also of an earlier format; what a start reads |
//! | `rollups`, `summaries` | sums of buckets and what they are made of; summaries of series |
//! | `content`, `quantities`; `seal`, `standing`, `tally` | values; checksums and counts: no loss is unseen |
//! | `inspect`, `copy` | everything that is stored, looked at from time to time; copied |
//! | `platform_file` | the list of tenants, which is no tenant's |

mod audit;
mod batch;
mod content;
mod copy;
mod documents;
mod files;
mod inspect;
mod invocations;
mod lanes;
mod load;
mod migrate;
mod numbered;
mod platform_file;
mod quantities;
mod read;
mod rollups;
mod schema;
mod seal;
pub(crate) mod standing;
mod summaries;
mod tables;
mod tally;
mod walk;

pub(crate) use batch::SqliteWriter;
pub(crate) use copy::copy;
pub use inspect::Inspection;
pub(crate) use inspect::inspect;
pub(crate) use lanes::Readers;
pub(crate) use load::load;
pub use platform_file::{PlatformFile, TenantRecord, TenantState};
pub(crate) use quantities::Quantities;
pub(crate) use read::Names;
pub(crate) use read::ReadContext;
pub(crate) use schema::{Opened, open_alone, open_for_writing};

/// File name of a tenant's store.
pub(crate) const STORE_FILE: &str = "store.db";
