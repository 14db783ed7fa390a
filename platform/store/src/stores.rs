//! The stores that there are, and how each is opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::standing::Standing;
use lastmeter_units::{SimTime, TenantName};

use crate::error::StoreResult;
use crate::memory::{self, MemoryStore};
use crate::seam::{Observer, StoreReader, StoreWriter};
use crate::sqlite;

/// A kind of store.
#[derive(Clone, Copy, Debug)]
pub struct StoreKind {
    /// Its name in settings.
    pub name: &'static str,
    /// Where it keeps what is committed.
    pub summary: &'static str,
    /// Opens a tenant's store, making it if it is not there. It blocks.
    pub open: fn(&StorePlace) -> StoreResult<OpenStore>,
}

/// Every kind of store; a new one is a row here and has to pass the contract test.
pub const STORES: &[StoreKind] = &[
    StoreKind {
        name: "sqlite",
        summary: "one SQLite file a tenant, durable at each commit",
        open: sqlite::open,
    },
    StoreKind {
        name: "memory",
        summary: "maps in memory, lost at the end of the process; the reference of the tests",
        open: memory::open,
    },
];

/// Where a tenant's store is, and what is around it.
#[derive(Clone)]
pub struct StorePlace {
    /// Whose it is.
    pub tenant: TenantName,
    /// Folder of a store that is a file.
    pub folder: PathBuf,
    /// Content of a store in memory.
    pub memory: MemoryStore,
    /// Filled with the devices and open invocations of the store; empty until then.
    pub devices: Arc<DeviceDirectory>,
    /// Hears of damage.
    pub observer: Arc<dyn Observer>,
    /// How long a query may take.
    pub deadline: Duration,
}

/// A store that has been opened.
pub struct OpenStore {
    /// The one writing end.
    pub writer: Box<dyn StoreWriter>,
    /// Queries of what is committed.
    pub reader: Arc<dyn StoreReader>,
    /// Where the store stands.
    pub standing: Standing,
    /// When which open invocation expires.
    pub expiries: Vec<(InvocationId, SimTime)>,
}
