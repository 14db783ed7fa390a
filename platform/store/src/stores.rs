//! The stores that there are, and how each is opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::standing::Standing;
use lastmeter_units::{SimTime, TenantName};

use crate::error::{StoreError, StoreResult};
use crate::files;
use crate::memory::MemoryStore;
use crate::seam::{Observer, StoreReader, StoreWriter};
use crate::sqlite::{ReadContext, Readers, STORE_FILE, SqliteWriter, load, open_for_writing};

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
        open: open_sqlite,
    },
    StoreKind {
        name: "memory",
        summary: "maps in memory, lost at the end of the process; the reference of the tests",
        open: open_memory,
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

/// Opens the file of a place, making it if it is not there.
fn open_sqlite(place: &StorePlace) -> StoreResult<OpenStore> {
    let folder = &place.folder;
    files::make_folder(folder)
        .map_err(|source| StoreError::File { path: folder.clone(), source })?;
    let path = folder.join(STORE_FILE);
    let mut opened = open_for_writing(&path)?;
    let context = ReadContext {
        quantities: Arc::new(opened.quantities.clone()),
        devices: Arc::clone(&place.devices),
        observer: Arc::clone(&place.observer),
    };
    let expiries = load(&mut opened, &context, (place.tenant.as_str(), &path))?;
    Ok(OpenStore {
        reader: Arc::new(Readers::new(&path, context.clone(), place.deadline)),
        standing: opened.standing,
        writer: Box::new(SqliteWriter::new(opened.connection, context)?),
        expiries,
    })
}

/// Opens the content of a place.
#[expect(clippy::unnecessary_wraps, reason = "other stores fail to open")]
fn open_memory(place: &StorePlace) -> StoreResult<OpenStore> {
    let store = place.memory.clone();
    let (standing, expiries) = store.enter(&place.devices);
    Ok(OpenStore { reader: Arc::new(store.clone()), writer: Box::new(store), standing, expiries })
}
