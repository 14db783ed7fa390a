//! A concentrator on a simulated line of 2400 baud, a disk and a platform, in virtual time.

use std::collections::BTreeMap;

use std::collections::VecDeque;

use lastmeter_mbus::application::variable;
use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::header::{Header, Identity, Status};
use lastmeter_mbus::record::{Item, Record, Value, Vif};
use lastmeter_mbus::slave::{Answer, Slave, SlaveConfig, TurnAround};
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, Request, decode};

use super::super::{FIELDS, M_BUS_CONCENTRATOR, address};
use crate::gateway::{
    Gateway, GatewayContext, GatewayEventKind as Kind, GatewayInput, GatewayOutput, NetworkContext,
};

const START: SimTime = SimTime(1_700_000_000_000_000_000);

/// Bytes that a receiver sees, with the time at which each ends: of those that overlap, the AND.
fn overlapped(answers: &[Answer]) -> VecDeque<(SimTime, u8)> {
    let mut begun: Vec<(SimTime, SimTime, u8)> = Vec::new();
    for Answer { at, baud, bytes } in answers {
        begun.extend(bytes.iter().enumerate().map(|(place, byte)| {
            let begin = *at + baud.bytes(place);
            (begin, begin + baud.bytes(1), *byte)
        }));
    }
    begun.sort_unstable();
    let mut seen: VecDeque<(SimTime, u8)> = VecDeque::new();
    for (begin, end, byte) in begun {
        match seen.back_mut() {
            Some((until, overlapping)) if begin < *until => *overlapping &= byte,
            _ => seen.push_back((end, byte)),
        }
    }
    seen
}

/// Changes the answers to a request.
type Fault = Box<dyn FnMut(&mut Vec<Answer>)>;

/// Everything around one concentrator.
pub(super) struct Bench {
    gateway: Box<dyn Gateway>,
    settings: String,
    devices: Vec<(HardwareId, String)>,
    pub(super) slaves: Vec<Slave>,
    /// Changes the answers to a request.
    pub(super) fault: Fault,
    pub(super) now: SimTime,
    on_the_way: VecDeque<(SimTime, u8)>,
    /// Records that are durable.
    pub(super) disk: Vec<(u64, Vec<u8>)>,
    /// Records that are written and not durable yet.
    pub(super) unsynced: VecDeque<(u64, Vec<u8>)>,
    pub(super) in_flight: VecDeque<(u64, HardwareId, Vec<u8>)>,
    pub(super) received: Vec<(HardwareId, Request)>,
    pub(super) events: Vec<(SimTime, Kind, String)>,
    /// Whether records become durable and messages are acknowledged at once.
    pub(super) is_prompt: bool,
    /// When the last byte of an answer that is no acknowledgement was received.
    pub(super) answered_at: SimTime,
}

/// Makes a concentrator.
pub(super) fn build(
    settings: &str,
    devices: &[(HardwareId, String)],
    restored: &[Vec<u8>],
) -> Result<Box<dyn Gateway>, Vec<String>> {
    let values = read_text(settings, &[&FIELDS]).expect("settings");
    let network = NetworkContext { bits_per_second: 2400, devices: devices.to_vec() };
    let context = GatewayContext {
        name: "cellar",
        hardware_id: id("cellar"),
        tenant: "default",
        start: START,
        epoch: crate::EPOCH,
        streams: &Streams::new(1),
        networks: vec![network],
        files: &BTreeMap::new(),
    };
    let mut diagnostics = Diagnostics::new();
    let gateway = (M_BUS_CONCENTRATOR.build)(&values, &context, restored, &mut diagnostics);
    let messages = diagnostics.into_sorted().into_iter().map(|one| one.message).collect();
    gateway.ok_or(messages)
}

impl Bench {
    /// A bench whose concentrator knows these slaves, named `m-0` and so on, and is connected.
    pub(super) fn new(settings: &str, slaves: Vec<Slave>) -> Self {
        let named = |(place, slave): (usize, &Slave)| {
            (id(&format!("m-{place}")), address::text(slave.config().identity))
        };
        let devices = slaves.iter().enumerate().map(named).collect();
        Self::with_devices(settings, slaves, devices)
    }

    pub(super) fn with_devices(
        settings: &str,
        slaves: Vec<Slave>,
        devices: Vec<(HardwareId, String)>,
    ) -> Self {
        let mut bench = Self {
            gateway: build(settings, &devices, &[]).expect("a concentrator"),
            settings: settings.to_owned(),
            devices,
            slaves,
            fault: Box::new(|_| ()),
            now: START,
            on_the_way: VecDeque::new(),
            disk: Vec::new(),
            unsynced: VecDeque::new(),
            in_flight: VecDeque::new(),
            received: Vec::new(),
            events: Vec::new(),
            is_prompt: true,
            answered_at: START,
        };
        bench.step(GatewayInput::Connected);
        bench
    }

    /// Ends it without notice and begins again with what is durable.
    pub(super) fn kill(&mut self) {
        let records: Vec<Vec<u8>> = self.disk.iter().map(|(_, record)| record.clone()).collect();
        self.unsynced.clear();
        self.in_flight.clear();
        self.on_the_way.clear();
        self.gateway = build(&self.settings, &self.devices, &records).expect("a concentrator");
        self.step(GatewayInput::Connected);
    }

    pub(super) fn step(&mut self, input: GatewayInput) {
        let mut out = Vec::new();
        self.gateway.step(self.now, input, &mut out);
        for output in out {
            self.carry_out(output);
        }
        if self.is_prompt {
            self.sync();
            self.deliver();
        }
    }

    fn carry_out(&mut self, output: GatewayOutput) {
        match output {
            GatewayOutput::Send { message, owner, payload } => {
                let durable = self.disk.iter().any(|(number, _)| *number == message);
                assert!(durable || self.settings.contains("volatile"), "sent before it is durable");
                self.in_flight.push_back((message, owner, payload));
            }
            GatewayOutput::Bytes { network, bits_per_second, bytes, .. } => {
                assert_eq!((network, bits_per_second), (0, 2400));
                assert!(self.on_the_way.is_empty(), "it sends while a slave does");
                let end = self.now + BaudRate::Baud2400.bytes(bytes.len());
                let answers = self.slaves.iter_mut().filter_map(|one| one.receive(end, &bytes));
                let mut answers: Vec<Answer> = answers.collect();
                (self.fault)(&mut answers);
                self.on_the_way = overlapped(&answers);
                if self.on_the_way.len() > 1
                    && let Some((end, _)) = self.on_the_way.back()
                {
                    self.answered_at = *end;
                }
            }
            GatewayOutput::Keep { number, record } => {
                let last = self.unsynced.back().or(self.disk.last()).map_or(0, |(last, _)| *last);
                assert!(number > last, "{number} behind {last}");
                self.unsynced.push_back((number, record));
            }
            GatewayOutput::Forget { upto } => self.disk.retain(|(number, _)| *number > upto),
            GatewayOutput::Live { channel, .. } => panic!("{channel}"),
            GatewayOutput::Offer { network, .. }
            | GatewayOutput::Stage { network, .. }
            | GatewayOutput::Reopen { network } => panic!("{network}"),
            GatewayOutput::Request(_)
            | GatewayOutput::Page { .. }
            | GatewayOutput::Decided(_)
            | GatewayOutput::Billed(_) => panic!("{output:?}"),
            GatewayOutput::Event { kind, detail, .. } => self.events.push((self.now, kind, detail)),
        }
    }

    /// Makes everything durable that is written.
    pub(super) fn sync(&mut self) {
        while let Some((number, record)) = self.unsynced.pop_front() {
            self.disk.push((number, record));
            self.step(GatewayInput::Kept { number });
        }
    }

    /// The platform takes over what is under way, and acknowledges it.
    pub(super) fn deliver(&mut self) {
        while let Some((message, owner, payload)) = self.in_flight.pop_front() {
            self.receive(owner, &payload);
            self.step(GatewayInput::Acknowledged { message });
        }
    }

    pub(super) fn receive(&mut self, owner: HardwareId, payload: &[u8]) {
        let request = decode(payload, &DecodeRules::default()).expect("a message");
        assert_eq!(&owner, request.hardware_id());
        self.received.push((owner, request));
    }

    pub(super) fn disconnect(&mut self) {
        self.in_flight.clear();
        self.step(GatewayInput::Disconnected);
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.gateway.unacknowledged()
    }

    /// Moves on by one byte or one instant at which the concentrator wants to be woken.
    pub(super) fn move_on(&mut self) {
        let wake = self.gateway.wake_at().expect("a concentrator always waits");
        assert!(wake >= self.now || wake == START, "it wants to wake in the past");
        match self.on_the_way.pop_front() {
            Some((end, byte)) if end <= wake => {
                self.now = self.now.max(end);
                self.step(GatewayInput::Bytes { network: 0, lane: None, bytes: vec![byte] });
            }
            later => {
                if let Some(later) = later {
                    self.on_the_way.push_front(later);
                }
                self.now = self.now.max(wake);
                self.step(GatewayInput::Wake);
            }
        }
    }

    /// Moves on to so many seconds after the start.
    pub(super) fn run_to(&mut self, seconds: i64) {
        let end = START + SimDuration::from_seconds(seconds);
        while self.gateway.wake_at().is_some_and(|wake| wake < end)
            || self.on_the_way.front().is_some_and(|(at, _)| *at < end)
        {
            self.move_on();
        }
        self.now = end;
    }

    /// Values of the readings received of one device: serial and first value.
    pub(super) fn readings(&self, owner: &str) -> Vec<(u64, f64)> {
        let of = |(id, request): &(HardwareId, Request)| match request {
            Request::Measurements(message) if id.as_str() == owner => {
                Some((message.serial?.0, message.values.first()?.1))
            }
            _ => None,
        };
        self.received.iter().filter_map(of).collect()
    }

    /// Alerts received: of whom, type and text.
    pub(super) fn alerts(&self) -> Vec<(String, String, String)> {
        let alert = |(id, request): &(HardwareId, Request)| match request {
            Request::Alert(alert) => {
                Some((id.to_string(), alert.alert_type.clone(), alert.message.clone()))
            }
            _ => None,
        };
        self.received.iter().filter_map(alert).collect()
    }

    /// Details of the events of a kind.
    pub(super) fn details(&self, kind: Kind) -> Vec<&str> {
        let of = self.events.iter().filter(|(_, one, _)| *one == kind);
        of.map(|(_, _, detail)| detail.as_str()).collect()
    }
}

pub(super) fn id(text: &str) -> HardwareId {
    HardwareId::new(text).expect("a hardware id")
}

/// A telegram with these values, each with the code of its value information field.
pub(super) fn telegram(values: &[(u8, Value<'_>)], status: u8, more: bool) -> Vec<u8> {
    let header = Header::Long {
        identity: Identity::default(),
        access_number: 0,
        status: Status(status),
        signature: 0,
    };
    let records = values.iter().map(|(vif, value)| Record::new(Vif::Primary(*vif), *value));
    let mut items: Vec<Item<'_>> = records.map(Item::Record).collect();
    if more {
        items.push(Item::Manufacturer { more_records_follow: true, data: &[] });
    }
    variable(&header, &items).expect("it fits")
}

pub(super) const fn bcd(value: i64) -> Value<'static> {
    Value::Bcd { digits: 8, value }
}

/// A water meter with its secondary address as text; some answer later than others.
pub(super) fn slave(text: &str, telegrams: Vec<Vec<u8>>) -> Slave {
    let identity = address::parse(text).expect("a secondary address");
    let bits = 11 + identity.identification.0 % 7 * 3;
    let turn_around = TurnAround { bits, ..TurnAround::default() };
    let config = SlaveConfig { turn_around, ..SlaveConfig::new(0, identity) };
    Slave::new(config, telegrams)
}

/// Water meters with consecutive identifications that show so many litres.
pub(super) fn water_meters(count: u32, litres: i64) -> Vec<Slave> {
    let meter = |number: u32| {
        let text = format!("{:08}-LMT-01-07", 12_340_001 + 7 * number);
        slave(&text, vec![telegram(&[(0x13, bcd(litres + i64::from(number)))], 0, false)])
    };
    (0..count).map(meter).collect()
}
