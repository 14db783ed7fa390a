//! Tests of the platform without its broker: messages go in at the door, devices are a stand-in
//! that takes what is published.

mod advance;
mod back_pressure;
mod batches;
mod bursts;
mod command_batches;
pub(crate) mod commands;
mod credentials;
mod full;
mod full_start;
mod idempotency;
mod ingest;
mod late;
mod maintenance;
mod missing;
mod modes;
pub(crate) mod numbered;
mod one_format;
mod recovery;
mod schedules;
mod services;
mod start;
mod wall;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lastmeter_model::invocation::{NewInvocation, StoredInvocation};
use lastmeter_model::refusal::RefusalReason;
use lastmeter_model::row::{AlertRow, ReadingRow, RefusalRow};
use lastmeter_store::Stretch;
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{self, CommandMessage, MeasurementMessage, Request};
use tempfile::TempDir;

use crate::config::{ClockSource, Config, Token};
use crate::device_routes::Outbound;
use crate::folder::lock_folder;
use crate::ingest::IngestError;
use crate::journal::simulated::SimulatedDirectory;
use crate::port::{Arrival, Verdict};
use crate::process::Process;
use crate::start::OpenDirectory;
use crate::tenant::Tenant;

pub(crate) const DOOR: &str = "mqtt";
pub(crate) const TOKEN: &str = "a token of the tests";
pub(crate) const INPUT: &str = "default/SiteWhere/input/json";
const VOLTAGE: &str = "electricity.voltage.rms.l1";
const STOP_LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn time(text: &str) -> SimTime {
    text.parse().unwrap()
}

pub(crate) fn config(folder: &Path, clock: ClockSource) -> Config {
    Config::embedded(folder, Token::new(TOKEN), clock)
}

/// A reading of one voltage.
pub(crate) fn reading(device: &str, serial: Option<u64>, volts: f64) -> MeasurementMessage {
    let voltage = MeasurementId::lookup(VOLTAGE).unwrap();
    let mut message =
        MeasurementMessage::new(HardwareId::new(device).unwrap(), vec![(voltage, volts)]);
    message.epoch = serial.map(|_| Epoch(1));
    message.serial = serial.map(Serial);
    message.event_date =
        serial.map(|serial| SimTime(1_800_000_000_000_000_000 + serial as i64 * 1_000_000_000));
    message.update_state = true;
    message
}

pub(crate) fn bytes(message: &MeasurementMessage) -> Vec<u8> {
    let mut out = Vec::new();
    flexmeter::encode(&Request::Measurements(message.clone()), &mut out);
    out
}

pub(crate) fn arrival(topic: &str, payload: impl Into<Vec<u8>>) -> Arrival {
    Arrival {
        door: DOOR,
        sender: "client".to_owned(),
        topic: topic.to_owned(),
        payload: payload.into().into(),
        is_shared: false,
    }
}

/// What became of an arrival, but for what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    Stored,
    Refused(RefusalReason),
}

pub(crate) async fn accept(core: &Tenant, payload: Vec<u8>) -> Result<Accepted, IngestError> {
    take(core, arrival(INPUT, payload)).await
}

pub(crate) async fn take(core: &Tenant, arrival: Arrival) -> Result<Accepted, IngestError> {
    Ok(match core.ingest.accept(arrival).await? {
        Verdict::Stored => Accepted::Stored,
        Verdict::Refused { reason, .. } => Accepted::Refused(reason),
    })
}

/// Accepts readings that have to be taken.
pub(crate) async fn store(core: &Tenant, messages: &[MeasurementMessage]) {
    for message in messages {
        assert_eq!(accept(core, bytes(message)).await.unwrap(), Accepted::Stored);
    }
    core.barrier().await.unwrap();
}

/// Asks a device to report each so many seconds.
pub(crate) async fn set_period(
    core: &Tenant,
    device: &str,
    seconds: &str,
    expires_s: f64,
) -> StoredInvocation {
    let device = core.devices.find(device).unwrap();
    let (created, expires) = core.dispatcher.lifetime(expires_s);
    let asked = NewInvocation {
        device: device.id,
        command: "setReportingPeriod".to_owned(),
        parameters: BTreeMap::from([("seconds".to_owned(), seconds.to_owned())]),
        initiator: "REST".to_owned(),
        initiator_id: "tests".to_owned(),
        metadata: BTreeMap::new(),
        created,
        expires,
    };
    core.dispatcher.invoke(&device.hardware_id, asked).await.unwrap()
}

pub(crate) async fn readings(core: &Tenant) -> Vec<ReadingRow> {
    let last = core.progress.totals().readings;
    let stretch = Stretch { after: 0, limit: 1_000_000, last };
    let rows = core.readers.store().readings(stretch).await.unwrap();
    assert!(!rows.is_more);
    rows.rows
}

pub(crate) async fn refusals(core: &Tenant) -> Vec<RefusalRow> {
    let last = core.progress.totals().refusals;
    let stretch = Stretch { after: 0, limit: 1_000_000, last };
    let rows = core.readers.store().refusals(stretch).await.unwrap();
    assert!(!rows.is_more);
    rows.rows
}

pub(crate) async fn alerts(core: &Tenant) -> Vec<AlertRow> {
    let last = core.progress.totals().alerts;
    let stretch = Stretch { after: 0, limit: 1_000_000, last };
    let rows = core.readers.store().alerts(stretch).await.unwrap();
    assert!(!rows.is_more);
    rows.rows
}

/// A simulated disk in place of the journal's folder.
pub(crate) fn on(disk: &SimulatedDirectory) -> OpenDirectory {
    let disk = disk.clone();
    Box::new(move |_| Ok(Box::new(disk.clone())))
}

/// A core on a folder of its own.
pub(crate) struct Bench {
    pub(crate) core: Arc<Tenant>,
    pub(crate) devices: Arc<Devices>,
    pub(crate) config: Config,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) async fn start(clock: ClockSource) -> Self {
        Self::start_with(clock, |_| ()).await
    }

    pub(crate) async fn start_with(clock: ClockSource, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path(), clock);
        change(&mut config);
        let core = Tenant::start(&config).unwrap();
        Self::ready(core, config, folder).await
    }

    /// With the journal on a simulated disk.
    pub(crate) async fn start_on(disk: &SimulatedDirectory) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), ClockSource::Driven);
        let lock = lock_folder(folder.path()).unwrap();
        let core = Tenant::start_with(&config, on(disk), Arc::new(lock)).unwrap();
        Self::ready(core, config, folder).await
    }

    pub(crate) async fn ready(core: Tenant, config: Config, folder: TempDir) -> Self {
        core.ready().await.unwrap();
        let devices = Arc::new(Devices::default());
        core.dispatcher.routes.open(DOOR, Arc::clone(&devices) as Arc<dyn Outbound>);
        Self { core: Arc::new(core), devices, config, folder }
    }

    /// It as the first tenant of a process without doors.
    pub(crate) fn process(&self) -> Arc<Process> {
        // The folder is locked already.
        let elsewhere = lock_folder(&self.folder.path().join("unused")).unwrap();
        let config = (self.config.clone(), Arc::new(elsewhere));
        Process::of(Arc::clone(&self.core), config, (None, Vec::new()), 16)
    }

    /// Stops and starts again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        assert!(self.core.stop(STOP_LIMIT).await);
        drop(self.core);
        let core = Tenant::start(&self.config).unwrap();
        Self::ready(core, self.config, self.folder).await
    }

    pub(crate) async fn stop(self) {
        assert!(self.core.stop(STOP_LIMIT).await);
    }
}

/// Stands in for broker and devices: takes commands for those that are subscribed.
#[derive(Default)]
pub(crate) struct Devices {
    subscribed: Mutex<BTreeMap<String, Vec<CommandMessage>>>,
    failing: Mutex<bool>,
}

impl Devices {
    pub(crate) fn subscribe(&self, core: &Tenant, device: &str) {
        self.subscribed.lock().unwrap().entry(device.to_owned()).or_default();
        core.ingest.listens(DOOR, HardwareId::new(device).unwrap());
    }

    /// Takes what is published for a device, which knows nothing of it.
    pub(crate) fn listen_in(&self, device: &str) {
        self.subscribed.lock().unwrap().entry(device.to_owned()).or_default();
    }

    pub(crate) fn fail(&self) {
        *self.failing.lock().unwrap() = true;
    }

    pub(crate) fn received(&self, device: &str) -> Vec<CommandMessage> {
        self.subscribed.lock().unwrap().get(device).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Outbound for Devices {
    async fn send(&self, device: &HardwareId, payload: Vec<u8>) -> Result<usize, String> {
        if *self.failing.lock().unwrap() {
            return Err("too large".to_owned());
        }
        let command = flexmeter::decode_command(&payload, &flexmeter::Limits::default()).unwrap();
        match self.subscribed.lock().unwrap().get_mut(device.as_str()) {
            None => Ok(0),
            Some(received) => {
                received.push(command);
                Ok(1)
            }
        }
    }

    fn counters(&self) -> Vec<(String, u64)> {
        vec![("broker_stand_ins".to_owned(), 1)]
    }
}
