//! The stores that there are, and how each is opened.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::documents::Documents;
use lastmeter_model::invocation::InvocationId;
use lastmeter_model::standing::Standing;
use lastmeter_units::{SimTime, TenantName};

use crate::error::{StoreError, StoreResult};
use crate::files;
#[cfg(test)]
use crate::memory::{self, MemoryStore};
use crate::postgres::{self, Database, PostgresOpened};
use crate::postgres_error::PostgresError;
use crate::progress::Progress;
use crate::seam::{Observer, StoreReader, StoreWriter};
use crate::sqlite::{
    Inspection, Opened, Quantities, ReadContext, Readers, STORE_FILE, SqliteWriter, copy, inspect,
    load, open_alone, open_for_writing,
};

/// Stands in the folder of a tenant whose store is in PostgreSQL, and names where.
const ELSEWHERE_FILE: &str = "store.postgres";

/// A kind of store.
#[derive(Clone, Copy, Debug)]
pub struct StoreKind {
    /// Its name in settings.
    pub name: &'static str,
    /// Opens a tenant's store, making it if it is not there. It blocks, outside of any runtime.
    pub open: fn(&StorePlace) -> StoreResult<OpenStore>,
    /// Opens one that is there for queries alone, where nothing can be written to the folder.
    /// When it can be, it is opened with the same place again, and its readers stay.
    pub open_alone: fn(&StorePlace) -> StoreResult<Readable>,
    /// Opens one that is there and that nobody else has open, looks at everything in it, and
    /// closes it; what is damaged goes to the observer. `None` where rows show no damage by
    /// themselves.
    pub inspect: Option<fn(&StorePlace) -> StoreResult<()>>,
    /// Copies one that is or was open into a file, as of one moment; returns where the copy stands.
    pub copy: fn(&StorePlace, &Path) -> StoreResult<Standing>,
}

/// Every kind of store; a new one is a row here and has to pass the contract test.
pub const STORES: &[StoreKind] = &[
    // One SQLite file a tenant, durable at each commit.
    StoreKind {
        name: "sqlite",
        open: open_sqlite,
        open_alone: open_sqlite_alone,
        inspect: Some(inspect_sqlite),
        copy: |place, to| copy(&sqlite_path(place)?, to),
    },
    #[cfg(test)]
    memory::KIND,
    // One schema of a PostgreSQL database a tenant, durable at each commit.
    StoreKind {
        name: "postgres",
        open: open_postgres,
        open_alone: |place| Ok(open_postgres(place)?.content),
        inspect: None,
        copy: |place, _| {
            let database = place.database.as_ref().ok_or(PostgresError::Nowhere)?;
            let by = format!("PostgreSQL: `pg_dump --schema='{}'`", database.quoted());
            Err(StoreError::CopiedOtherwise { place: database.to_string(), by })
        },
    },
];

/// Where a tenant's store is, and what is around it.
#[derive(Clone)]
pub struct StorePlace {
    /// Whose it is.
    pub tenant: TenantName,
    /// Folder of a store that is a file.
    pub folder: PathBuf,
    /// Readers of a store that is a file.
    pub readers: FileReaders,
    #[cfg(test)]
    pub(crate) memory: MemoryStore,
    /// Where a store is that is in a database.
    pub database: Option<Database>,
    /// Filled with the devices and open invocations of the store; empty until then.
    pub devices: Arc<DeviceDirectory>,
    /// Filled with the resident documents of the store; empty until then.
    pub documents: Arc<Documents>,
    /// Hears of damage.
    pub observer: Arc<dyn Observer>,
    /// How long a query may take.
    pub deadline: Duration,
}

impl StorePlace {
    /// A place in a folder, with empty directories.
    pub fn new(tenant: TenantName, folder: PathBuf, observer: Arc<dyn Observer>) -> Self {
        Self {
            tenant,
            folder,
            readers: FileReaders::default(),
            #[cfg(test)]
            memory: MemoryStore::default(),
            database: None,
            devices: Arc::default(),
            documents: Arc::default(),
            observer,
            deadline: Duration::from_mins(1),
        }
    }
}

/// Readers of a file, the same ones each time that it is opened.
#[derive(Clone, Default)]
pub struct FileReaders(Arc<OnceLock<[Readers; 2]>>);

/// A store that has been opened.
pub struct OpenStore {
    /// The one writing end.
    pub writer: Box<dyn StoreWriter>,
    /// What is there.
    pub content: Readable,
    /// Starts looking at everything that is stored, where the store does not do so itself.
    pub inspection: Option<StartInspection>,
}

/// Starts the thread that looks at a store, up to what is committed.
pub type StartInspection = Box<dyn FnOnce(Arc<Progress>) -> std::io::Result<Inspection> + Send>;

/// What is there in a store that has been opened.
pub struct Readable {
    /// Queries of what is committed.
    pub reader: Arc<dyn StoreReader>,
    /// The same for look-ups that must not wait behind queries.
    pub urgent: Arc<dyn StoreReader>,
    /// Where the store stands.
    pub standing: Standing,
    /// When which open invocation expires.
    pub expiries: Vec<(InvocationId, SimTime)>,
}

/// The path of a file in the folder of a place; refused where the tenant has a store of another
/// kind, whose content would seem to be lost.
fn path_in(
    place: &StorePlace,
    file: &str,
    other: &str,
    kind: &'static str,
) -> StoreResult<PathBuf> {
    let other = place.folder.join(other);
    if other.exists() {
        return Err(StoreError::OtherKind { path: other, kind });
    }
    Ok(place.folder.join(file))
}

fn sqlite_path(place: &StorePlace) -> StoreResult<PathBuf> {
    path_in(place, STORE_FILE, ELSEWHERE_FILE, "postgres")
}

/// Opens the file of a place, making it if it is not there.
fn open_sqlite(place: &StorePlace) -> StoreResult<OpenStore> {
    let folder = &place.folder;
    files::make_folder(folder)
        .map_err(|source| StoreError::File { path: folder.clone(), source })?;
    let path = sqlite_path(place)?;
    // One that reads alone would keep the writer out.
    place.readers.0.get().into_iter().flatten().for_each(|readers| readers.read_alone(None));
    let mut opened = open_for_writing(&path)?;
    let (context, content) = enter_sqlite(place, &path, &mut opened)?;
    let looked_at = context.clone();
    Ok(OpenStore {
        writer: Box::new(SqliteWriter::new(opened.connection, context)?),
        content,
        inspection: Some(Box::new(|progress| Inspection::start(path, looked_at, progress))),
    })
}

fn open_sqlite_alone(place: &StorePlace) -> StoreResult<Readable> {
    let path = sqlite_path(place)?;
    let mut opened = open_alone(&path)?;
    let (_, content) = enter_sqlite(place, &path, &mut opened)?;
    if let Some([reader, _]) = place.readers.0.get() {
        reader.read_alone(Some(opened.connection));
    }
    Ok(content)
}

/// Where the file of a place stands that nobody else has open. What it is known to have lost goes
/// to the observer.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn standing(place: &StorePlace) -> StoreResult<Standing> {
    Ok(open_sqlite_alone(place)?.standing)
}

fn inspect_sqlite(place: &StorePlace) -> StoreResult<()> {
    let path = sqlite_path(place)?;
    let mut opened = open_alone(&path)?;
    let (context, content) = enter_sqlite(place, &path, &mut opened)?;
    inspect(opened.connection, context, &content.standing)
}

/// Reads what is read once, and gives the readers what is around the file now.
fn enter_sqlite(
    place: &StorePlace,
    path: &Path,
    opened: &mut Opened,
) -> StoreResult<(ReadContext, Readable)> {
    let context = context(place, opened.quantities.clone());
    let expiries = load(opened, &context, (place.tenant.as_str(), path))?;
    let new = || Readers::new(path, context.clone(), place.deadline);
    let readers = place.readers.0.get_or_init(|| [new(), new()]);
    for readers in readers {
        readers.renew(context.clone());
    }
    let [reader, urgent] = readers.clone().map(|readers| Arc::new(readers) as Arc<dyn StoreReader>);
    Ok((context, Readable { reader, urgent, standing: opened.standing, expiries }))
}

/// What queries need beside the store.
fn context(place: &StorePlace, quantities: Quantities) -> ReadContext {
    ReadContext {
        quantities: Arc::new(quantities),
        devices: Arc::clone(&place.devices),
        documents: Arc::clone(&place.documents),
        observer: Arc::clone(&place.observer),
    }
}

/// Opens the schema of a place.
fn open_postgres(place: &StorePlace) -> StoreResult<OpenStore> {
    let database = place.database.as_ref().ok_or(PostgresError::Nowhere)?;
    let path = path_in(place, ELSEWHERE_FILE, STORE_FILE, "sqlite")?;
    let around = (&place.tenant, place.deadline);
    let opened = postgres::open(database, around, |quantities| context(place, quantities))?;
    let file = |source| StoreError::File { path: path.clone(), source };
    if !path.exists() {
        files::make_folder(&place.folder).map_err(file)?;
        let text = format!("{database}\n");
        files::replace(&path, text.as_bytes()).map_err(file)?;
    }
    let PostgresOpened { writer, readers, standing, expiries } = opened;
    let [reader, urgent] = readers.map(|readers| Arc::new(readers) as Arc<dyn StoreReader>);
    let content = Readable { reader, urgent, standing, expiries };
    Ok(OpenStore { writer: Box::new(writer), content, inspection: None })
}
