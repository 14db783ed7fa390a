//! Stores of one tenant: everything that is committed, and queries of it.
//!
//! Terms: a *reading* is one stored measurement message, its row's key is the *commit sequence*; a
//! *series* is one quantity of one device. What is stored is decided by `lastmeter_model::decide`,
//! the same for every store; a store looks up and writes. It has to be durable: the journal is
//! trimmed on the strength of a commit.
//!
//! | module | purpose |
//! |---|---|
//! | `seam` | what the platform asks of a store, whichever it is |
//! | `writer` | the one writer: a batch decided and committed |
//! | `stores` | the kinds of store that there are, and how each is opened |
//! | `sqlite` | one SQLite file a tenant |
//! | `tests` | the contract that every store has to pass, and its reference, maps in `memory` |
//! | `postgres` | one schema of a PostgreSQL database a tenant |
//! | `summaries` | which roll-ups and readings sums of series are made of |
//! | `page` | where the pages of lists end |
//! | `rows` | rows of the tables that both databases keep alike |
//! | `progress` | how far queries see: wakes those who wait for more |
//! | `error`, `postgres_error`, `damage`, `damages` | why a store does not answer; what is not as it was stored |
//! | `files`, `lock` | files for their owner alone; mutexes that cannot be left half changed |

mod damage;
mod damages;
mod error;
pub mod files;
mod lock;
#[cfg(test)]
#[path = "tests/memory/mod.rs"]
mod memory;
mod page;
mod postgres;
mod postgres_error;
mod progress;
mod rows;
mod seam;
mod sqlite;
mod stores;
mod summaries;
#[cfg(test)]
mod tests;
mod writer;

pub use damage::Damage;
pub use damages::Damages;
pub use error::{StoreError, StoreResult};
pub use lock::lock;
pub use page::PAGE_BYTES_MAX;
pub use postgres::Database;
pub use postgres_error::PostgresError;
pub use progress::Progress;
pub use seam::{
    Observer, Page, Place, Range, Rows, Series, SeriesQuery, StoreBatch, StoreReader, StoreWriter,
    Stretch, Summaries, SummaryQuery,
};
pub use sqlite::{Inspection, PlatformFile, TenantRecord, TenantState};
pub use stores::{
    FileReaders, OpenStore, Readable, STORES, StartInspection, StoreKind, StorePlace, standing,
};
pub use writer::Writer;
