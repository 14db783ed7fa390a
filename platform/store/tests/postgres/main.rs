//! The PostgreSQL store on a server of the test's own.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod equal;
mod faults;
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
    Damage, Database, Observer, PostgresOpened, PostgresReaders, StoreReader, StoreResult, Writer,
    open_postgres,
};
use lastmeter_units::{HardwareId, MeasurementId, SimTime, TenantName};

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
    readers: Box<dyn StoreReader>,
    devices: Arc<DeviceDirectory>,
    heard: Arc<Heard>,
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
    let database = Database::new(connection, &tenant())?;
    let devices = Arc::new(DeviceDirectory::default());
    let heard = Arc::new(Heard::default());
    let observer: Arc<dyn Observer> = Arc::clone(&heard) as _;
    let around = (Arc::clone(&devices), Arc::clone(&observer));
    let PostgresOpened { writer, standing, context, .. } =
        open_postgres(&database, &tenant(), around)?;
    let writer = Writer::new(
        &tenant(),
        (Box::new(writer), standing),
        (Arc::clone(&devices), observer),
        ROOM,
    );
    let readers = Box::new(PostgresReaders::new(database, context, deadline));
    Ok(Open { writer, readers, devices, heard })
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
