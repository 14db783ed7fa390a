//! A store in memory, the reference that the contract test compares every other store with.
//!
//! Plain maps, copied for each transaction and searched from end to end: as little as possible can
//! be wrong here. It is not durable and not meant for many rows.
//!
//! | file | purpose |
//! |---|---|
//! | `batch` | one transaction: a copy that replaces the content when it is committed |
//! | `read` | queries of the content that is committed |

mod batch;
mod read;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lastmeter_model::audit::{AuditRow, Hash};
use lastmeter_model::decide::State;
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::document::{Answer, Document, Key};
use lastmeter_model::documents::Documents;
use lastmeter_model::invocation::{InvocationId, InvocationRow};
use lastmeter_model::row::{AlertRow, BlockRow, DeviceRow, ReadingRow, RefusalRow, ResultRow};
use lastmeter_model::series::rollup::Rollup;
use lastmeter_model::standing::Standing;
use lastmeter_units::{MEASUREMENTS, MeasurementId, SimTime};

use crate::error::{StoreError, StoreResult};
use crate::lock;
use crate::stores::{OpenStore, Readable, StoreKind, StorePlace};

/// Its row.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "memory",
    open,
    open_alone: |place| Ok(open(place)?.content),
    inspect: None,
    copy: |place, _| {
        let (place, by) = (format!("a store in memory, of `{}`,", place.tenant), "nobody");
        Err(StoreError::CopiedOtherwise { place, by: by.to_owned() })
    },
};

/// Opens the content of a place.
#[expect(clippy::unnecessary_wraps, reason = "other stores fail to open")]
fn open(place: &StorePlace) -> StoreResult<OpenStore> {
    let store = place.memory.clone();
    let (standing, expiries) = store.enter(&place.devices, &place.documents);
    let (reader, urgent) = (Arc::new(store.clone()), Arc::new(store.clone()));
    let content = Readable { reader, urgent, standing, expiries };
    Ok(OpenStore { writer: Box::new(store), content, inspection: None })
}

/// The content of a store in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<Arc<Content>>>);

/// Everything that is committed.
#[derive(Clone, Debug, Default)]
struct Content {
    standing: Standing,
    /// By row.
    devices: BTreeMap<i64, DeviceRow>,
    /// By sequence.
    readings: BTreeMap<u64, ReadingRow>,
    alerts: BTreeMap<u64, AlertRow>,
    refusals: BTreeMap<u64, RefusalRow>,
    results: BTreeMap<u64, ResultRow>,
    blocks: BTreeMap<u64, BlockRow>,
    invocations: BTreeMap<InvocationId, InvocationRow>,
    /// By row of the device.
    states: BTreeMap<i64, State>,
    /// Current versions and their keys, by kind and token.
    documents: BTreeMap<(u8, String), (Document, Vec<Key>)>,
    /// All versions, by number.
    versions: BTreeMap<u64, Document>,
    /// By number.
    audit: BTreeMap<u64, (AuditRow, Hash)>,
    answers: BTreeMap<u64, Answer>,
    cursors: BTreeMap<String, Vec<u8>>,
    /// By row of the device and first instant.
    rollups: BTreeMap<(i64, SimTime), Rollup>,
    /// The highest serials that were removed, by row of the device and epoch.
    removed: BTreeMap<(i64, u64), u64>,
}

impl MemoryStore {
    fn content(&self) -> Arc<Content> {
        Arc::clone(&lock(&self.0))
    }

    /// Begins to write: fills the directories; where it stands, and when which open
    /// invocation expires.
    pub(crate) fn enter(
        &self,
        devices: &DeviceDirectory,
        documents: &Documents,
    ) -> (Standing, Vec<(InvocationId, SimTime)>) {
        let mut content = Content::clone(&self.content());
        content.standing.quantities = MEASUREMENTS.len() as u64;
        let standing = content.standing;
        let open: Vec<_> = content.invocations.values().filter(|row| row.is_open()).collect();
        let expiries = open.iter().map(|row| (row.id, row.asked.expires)).collect();
        let open = open.iter().map(|row| (row.asked.device, row.id)).collect();
        devices.fill(content.devices.values().cloned().collect(), open);
        documents.enter(content.documents.values().cloned().collect());
        *lock(&self.0) = Arc::new(content);
        (standing, expiries)
    }
}

/// The store's number of a quantity: its place in the registry, from 1.
fn number_of(id: MeasurementId) -> u16 {
    u16::try_from(id.index() + 1).unwrap_or(u16::MAX)
}

/// The identifier of a quantity's number.
fn identifier(number: u16) -> Option<MeasurementId> {
    MeasurementId::all().find(|id| number_of(*id) == number)
}
