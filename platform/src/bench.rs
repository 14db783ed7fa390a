//! What the benchmarks in `benches/` drive; no part of the platform's interface.

use std::path::Path;
use std::sync::Arc;

use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{MeasurementMessage, Request};

use crate::clock::Clock;
use crate::config::ClockSource;
use crate::journal::{Appender, Kind, RealDirectory, recover};
use crate::pipeline::{Body, Delivery, Job};
use crate::store::{self, Writer};

/// A journal without its thread.
pub struct BenchJournal(Appender);

impl BenchJournal {
    /// A journal in a folder.
    pub fn open(folder: &Path) -> Self {
        let directory = RealDirectory::open(folder).expect("a folder for the journal");
        let recovered = recover(&directory, 0, |_| Ok::<(), std::convert::Infallible>(()))
            .expect("a readable journal");
        let (last, segments) = (recovered.last_sequence, recovered.segments);
        Self(Appender::new(Box::new(directory), 8 * 1024 * 1024, last, segments))
    }

    /// Appends a group of equal records and syncs once; removes what is behind.
    pub fn append(&mut self, records: usize, payload: &[u8]) {
        let group = vec![(Kind::Message, payload); records];
        let first = self.0.append_group(&group).expect("a writable journal");
        self.0.trim(first);
    }
}

/// A store without its thread.
pub struct BenchStore {
    writer: Writer,
    sequence: u64,
    values: Vec<MeasurementId>,
}

impl BenchStore {
    /// A store in a folder; its messages have that many values.
    pub fn open(folder: &Path, values: usize) -> Self {
        let (connection, quantities) =
            store::open_for_writing(&folder.join(store::STORE_FILE)).expect("a store");
        let clock = Arc::new(Clock::new(ClockSource::Driven, SimTime(0)));
        let writer = Writer::new(connection, quantities, clock, 100_000).expect("a writer");
        let sequence = writer.journal_committed();
        Self { writer, sequence, values: MeasurementId::all().take(values).collect() }
    }

    /// Messages of so many devices in turn, decoded and ready to be stored.
    pub fn batch(&mut self, messages: usize, devices: u64) -> BenchBatch {
        let jobs = (0..messages).map(|_| self.job(devices)).collect();
        BenchBatch(jobs)
    }

    fn job(&mut self, devices: u64) -> Job {
        self.sequence += 1;
        let (device, serial) = (self.sequence % devices, self.sequence / devices + 1);
        let hardware_id = HardwareId::new(format!("meter-{device:04}")).expect("an id");
        let values = self.values.iter().map(|id| (*id, self.sequence as f64 * 0.1)).collect();
        let message = MeasurementMessage {
            epoch: Some(Epoch(1)),
            serial: Some(Serial(serial)),
            event_date: Some(SimTime(serial.cast_signed() * 1_000_000_000)),
            update_state: true,
            ..MeasurementMessage::new(hardware_id, values)
        };
        Job::Delivery(Box::new(Delivery {
            sequence: self.sequence,
            received: SimTime(0),
            topic: "default/SiteWhere/input/json".to_owned(),
            body: Body::Request(Box::new(Request::Measurements(message))),
            _permit: None,
        }))
    }

    /// Stores a batch in one transaction.
    pub fn apply(&mut self, batch: &BenchBatch) {
        let outcome = self.writer.apply(&batch.0).expect("a writable store");
        assert_eq!(outcome.stored, batch.0.len() as u64);
    }
}

/// Messages ready to be stored.
pub struct BenchBatch(Vec<Job>);
