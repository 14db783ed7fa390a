//! What benchmarks and fuzzers drive; no part of the platform's interface.

use std::path::Path;
use std::sync::Arc;

use lastmeter_model::access::Permit;
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::work::{Body, Delivery, Work};
use lastmeter_store::{
    OpenStore, Page, Range, SeriesQuery, StorePlace, StoreReader, SummaryQuery, Writer,
};
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime, TenantName};
use lastmeter_wire::flexmeter::{MeasurementMessage, encode_measurements};

use crate::clock::Clock;
use crate::config::{ClockSource, Config, Limits, StoreConfig, Token};
use crate::journal::{Appender, Facts, Head, Item, Kind, Position, RealDirectory, scan, survey};
use crate::losses::Losses;
use crate::port::{Arrival, Verdict};
use crate::store_reports::StoreReports;
use crate::tenant::Tenant;

/// A journal without its thread.
pub struct BenchJournal(Appender);

impl BenchJournal {
    /// A journal in a folder.
    pub fn open(folder: &Path) -> Self {
        let directory = RealDirectory::open(folder).expect("a folder for the journal");
        let found = survey(&directory, 0, 0).expect("a readable journal");
        let head = Head::create(&folder.join("head"), Facts::default()).expect("a head");
        let position = Position { durable: found.durable, used: found.used };
        let (directory, head) = (Box::new(directory), Arc::new(head));
        Self(Appender::new(directory, head, 8 * 1024 * 1024, position, found.segments))
    }

    /// Appends a group of equal records and syncs once; removes what is behind.
    pub fn append(&mut self, records: usize, payload: &[u8]) {
        let group = vec![(Kind::Message, payload); records];
        let first = self.0.append_group(&group).expect("a writable journal");
        self.0.trim(first);
    }
}

/// How many whole records stand in a journal's segment.
pub fn records_in(segment: &[u8]) -> usize {
    let mut records = 0;
    let Ok(()) = scan(segment, 0, |item| {
        records += usize::from(matches!(item, Item::Record(_)));
        Ok::<(), std::convert::Infallible>(())
    });
    records
}

/// A store without its thread.
pub struct BenchStore {
    writer: Writer,
    readers: Arc<dyn StoreReader>,
    sequence: u64,
    values: Vec<MeasurementId>,
    every_s: i64,
    is_rounded: bool,
}

/// The instant before the first message.
const BEGIN: SimTime = SimTime(1_800_000_000_000_000_000);

impl BenchStore {
    /// A store in a folder; its messages have that many values, and each device sends one after so
    /// many seconds.
    pub fn open(folder: &Path, values: usize, every_s: i64) -> Self {
        let clock = Arc::new(Clock::new(ClockSource::Driven, SimTime(0)));
        let losses = Losses::open(&folder.join("losses"), Arc::clone(&clock)).expect("no losses").0;
        let room = Limits::default().refused_content_bytes;
        let reports = StoreReports {
            losses: Arc::new(losses),
            metrics: Arc::default(),
            refused_content_bytes: room,
        };
        let name = TenantName::default();
        let place = StorePlace::new(name.clone(), folder.to_owned(), Arc::new(reports));
        let kind = StoreConfig::default().kind().expect("a kind of store");
        let OpenStore { writer, content, .. } = (kind.open)(&place).expect("a store");
        let around = (place.devices, place.observer);
        let writer = Writer::new(&name, (writer, content.standing), around, room);
        let readers = content.reader;
        let sequence = writer.standing().journal_committed;
        let values = MeasurementId::all().take(values).collect();
        Self { writer, readers, sequence, values, every_s, is_rounded: true }
    }

    /// The same with values of as many digits as an f64 has, not of two behind the point.
    #[must_use]
    pub fn unrounded(self) -> Self {
        Self { is_rounded: false, ..self }
    }

    /// Messages of so many devices in turn, decoded and ready to be stored.
    pub fn batch(&mut self, messages: usize, devices: u64) -> BenchBatch {
        let batch = (0..messages).map(|_| self.delivery(devices)).collect();
        BenchBatch(batch)
    }

    fn value(&self, which: u64) -> f64 {
        let hundredths = self.sequence * 7919 + which * 20_011;
        if self.is_rounded {
            (hundredths % 100_000) as f64 / 100.0
        } else {
            hundredths as f64 / 300.0
        }
    }

    fn delivery(&mut self, devices: u64) -> Delivery {
        self.sequence += 1;
        let (device, serial) = (self.sequence % devices, self.sequence / devices + 1);
        let hardware_id = HardwareId::new(format!("meter-{device:04}")).expect("an id");
        let values = self.values.iter().zip(0..).map(|(id, which)| (*id, self.value(which)));
        let values = values.collect();
        let event = self.at(serial.cast_signed());
        let message = Message {
            number: Some((1, serial)),
            event: Some(event),
            updates_state: true,
            ..Message::new(hardware_id, MessageBody::Measurements(values))
        };
        Delivery {
            sequence: self.sequence,
            received: SimTime(event.0 + 137_000_000),
            topic: "default/SiteWhere/input/json".to_owned(),
            body: Body::Messages(vec![message]),
            content: bytes::Bytes::new(),
        }
    }

    /// Stores a batch in one transaction.
    pub fn apply(&mut self, batch: &BenchBatch) {
        let received = batch.0.last().map_or(BEGIN, |delivery| delivery.received);
        let now = SimTime(received.0 + 11_000_000);
        let outcome =
            self.writer.apply(batch.0.iter().map(Work::Delivery), now).expect("a writable store");
        assert_eq!(outcome.stored, batch.0.len() as u64);
    }
}

impl BenchStore {
    /// Reads the first readings of the first device, all its series; how many points that is.
    pub async fn read_series(&self, readings: i64) -> usize {
        let (start, end) = (SimTime(0), self.at(readings));
        let query = SeriesQuery {
            device: 1,
            ids: self.values.clone(),
            range: Range { start, end },
            page: Page { offset: 0, limit: u32::MAX },
            after: None,
            cut: Permit::whole_tenant().cut(&HardwareId::new("bench").expect("an id")),
        };
        let series = self.readers.series(query).await.expect("a readable store");
        series.iter().map(|(_, points)| points.len()).sum()
    }
}

impl BenchStore {
    fn at(&self, serial: i64) -> SimTime {
        SimTime(BEGIN.0 + serial * self.every_s * 1_000_000_000)
    }

    /// Sums up the same by 15 minutes; how many values they are of.
    pub async fn sum_up(&self, readings: i64) -> u64 {
        let query = SummaryQuery {
            device: 1,
            ids: self.values.clone(),
            range: Range { start: SimTime(0), end: self.at(readings) },
            rows_from: SimTime(i64::MIN),
            limit: usize::MAX,
            cut: Permit::whole_tenant().cut(&HardwareId::new("bench").expect("an id")),
        };
        let (mut query, mut values) = (query, 0);
        loop {
            let found = self.readers.summaries(query.clone()).await.expect("a readable store");
            values += found.summaries.iter().map(|(_, summary)| summary.n).sum::<u64>();
            match found.next {
                Some(next) => query.range.start = next,
                None => return values,
            }
        }
    }
}

/// Messages ready to be stored.
pub struct BenchBatch(Vec<Delivery>);

/// Everything between the broker and REST, running.
pub struct BenchCore {
    tenant: Arc<Tenant>,
    round: u64,
}

impl BenchCore {
    /// A tenant in a folder.
    pub async fn start(folder: &Path) -> Self {
        let config = Config::embedded(folder, Token::new("token"), ClockSource::Driven);
        let tenant = Tenant::start(&config).expect("a tenant");
        tenant.ready().await.expect("a tenant that is ready");
        Self { tenant: Arc::new(tenant), round: 0 }
    }

    /// Has each of some senders send messages of 20 values, one after the other as each is
    /// acknowledged, and returns when all of them are committed.
    pub async fn round(&mut self, senders: u64, messages: u64) {
        self.round += 1;
        let first = self.round * messages;
        let mut tasks = tokio::task::JoinSet::new();
        for sender in 0..senders {
            let tenant = Arc::clone(&self.tenant);
            tasks.spawn(async move {
                for serial in first..first + messages {
                    let arrival = Arrival {
                        door: "mqtt",
                        sender: String::new(),
                        topic: "default/SiteWhere/input/json".to_owned(),
                        payload: payload(sender, serial).into(),
                        is_shared: false,
                    };
                    let accepted = tenant.ingest.accept(arrival).await.expect("a working journal");
                    assert_eq!(accepted, Verdict::Stored);
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.expect("a sender that works");
        }
        self.tenant.barrier().await.expect("a barrier");
    }

    /// Ends the threads.
    pub async fn stop(self) {
        self.tenant.stop(std::time::Duration::from_secs(10)).await;
    }
}

fn payload(device: u64, serial: u64) -> Vec<u8> {
    let values = MeasurementId::all().take(20).map(|id| (id, serial as f64 * 0.1)).collect();
    let hardware_id = HardwareId::new(format!("meter-{device:04}")).expect("an id");
    let message = MeasurementMessage {
        epoch: Some(Epoch(1)),
        serial: Some(Serial(serial)),
        event_date: Some(SimTime(serial.cast_signed() * 1_000_000_000)),
        update_state: true,
        ..MeasurementMessage::new(hardware_id, values)
    };
    let mut payload = Vec::new();
    encode_measurements(&message, &mut payload);
    payload
}
