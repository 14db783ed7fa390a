//! The PostgreSQL store on a server of the test's own.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod equal;
mod faults;
#[expect(dead_code, reason = "other tests do more with it")]
mod server;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use lastmeter_model::decide::Outcome;
use lastmeter_model::directory::DeviceDirectory;
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::work::{Body, Change, Delivery, Work};
use lastmeter_store::{
    Damage, Database, Observer, OpenStore, STORES, StorePlace, StoreReader, StoreResult, Writer,
};
use lastmeter_units::{HardwareId, MeasurementId, SimTime, TenantName};
use tempfile::TempDir;

/// Keeps what it hears.
#[derive(Default)]
struct Heard {
    damages: Mutex<Vec<Damage>>,
    slow: AtomicUsize,
}

impl Observer for Heard {
    fn damaged(&self, damage: &Damage) {
        self.damages.lock().unwrap().push(damage.clone());
    }
    fn too_slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }
    fn content_not_kept(&self) {}
    fn inspected(&self) {}
}

/// A store that is open.
struct Open {
    writer: Writer,
    readers: Arc<dyn StoreReader>,
    devices: Arc<DeviceDirectory>,
    heard: Arc<Heard>,
    _folder: TempDir,
}

fn tenant() -> TenantName {
    TenantName::new("north-1").unwrap()
}

/// Room for refused content, bytes.
const ROOM: u64 = 10_000;

fn open(connection: &str) -> StoreResult<Open> {
    open_for(connection, Duration::from_secs(10))
}

/// Opens a store whose queries may take so long.
fn open_for(connection: &str, deadline: Duration) -> StoreResult<Open> {
    open_kind("postgres", Some(Database::new(connection, "t_north-1")?), deadline)
}

fn open_kind(name: &str, database: Option<Database>, deadline: Duration) -> StoreResult<Open> {
    let kind = STORES.iter().find(|kind| kind.name == name).unwrap();
    let (folder, heard) = (tempfile::tempdir().unwrap(), Arc::new(Heard::default()));
    let observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let place = StorePlace::new(tenant(), folder.path().to_owned(), observer);
    let place = StorePlace { database, deadline, ..place };
    let OpenStore { writer, content, .. } = (kind.open)(&place)?;
    let around = (Arc::clone(&place.devices), Arc::clone(&place.observer));
    let writer = Writer::new(&tenant(), (writer, content.standing), around, ROOM);
    let readers = content.reader;
    Ok(Open { writer, readers, devices: place.devices, heard, _folder: folder })
}

/// Waits for queries.
fn wait<T>(query: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(query)
}

fn device(name: &str) -> HardwareId {
    HardwareId::new(name).unwrap()
}

/// A reading with some values, all of them a function of its serial.
fn reading(name: &str, epoch: u64, serial: u64, values: usize) -> Message {
    let value = |id: MeasurementId| (id, (serial as f64 + 0.1) / (id.index() as f64 + 3.0));
    let values = MeasurementId::all().take(values).map(value).collect();
    Message {
        number: Some((epoch, serial)),
        event: Some(SimTime(serial.cast_signed() * 1_000_000_000)),
        updates_state: true,
        ..Message::new(device(name), MessageBody::Measurements(values))
    }
}

fn delivery(sequence: u64, messages: Vec<Message>) -> Delivery {
    Delivery {
        sequence,
        received: SimTime(5_000_000_000_000 + sequence.cast_signed()),
        topic: "default/input/json".to_owned(),
        body: Body::Messages(messages),
        content: Bytes::from(format!("entry {sequence}").into_bytes()),
    }
}

/// Something for a batch.
enum Job {
    Entry(Delivery),
    Change(Change),
}

fn apply(writer: &mut Writer, jobs: &[Job]) -> StoreResult<Outcome> {
    let work = jobs.iter().map(|job| match job {
        Job::Entry(delivery) => Work::Delivery(delivery),
        Job::Change(change) => Work::Change(change),
    });
    writer.apply(work, SimTime(7_000_000_000_000))
}

fn entry(sequence: u64, messages: Vec<Message>) -> Job {
    Job::Entry(delivery(sequence, messages))
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
