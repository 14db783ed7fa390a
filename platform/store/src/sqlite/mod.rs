//! One SQLite file a tenant, with full durability.
//!
//! | file | purpose |
//! |---|---|
//! | `batch`, `files` | one transaction of the writer; whether its files are still in place |
//! | `lanes` -> `read`, `walk` | queries of committed snapshots, any number at a time |
//! | `invocations` | commands as rows, read and written |
//! | `schema`, `tables`, `load` | opening a file; the devices and open invocations of a start |
//! | `content`, `quantities`; `seal`, `standing`, `tally` | values; checksums and counts: no loss is unseen |
//! | `inspect` | everything that is stored, looked at from time to time |
//! | `platform_file` | the list of tenants, which is no tenant's |

mod batch;
mod content;
mod files;
mod inspect;
mod invocations;
mod lanes;
mod load;
mod platform_file;
mod quantities;
mod read;
mod schema;
mod seal;
pub(crate) mod standing;
mod tables;
mod tally;
mod walk;

pub(crate) use batch::SqliteWriter;
pub use inspect::Inspection;
pub use lanes::Readers;
pub use load::load;
pub use platform_file::{PlatformFile, TenantRecord, TenantState};
pub use quantities::Quantities;
pub use read::ReadContext;
pub use schema::{Opened, open_alone, open_for_writing};

/// File name of a tenant's store.
pub const STORE_FILE: &str = "store.db";
