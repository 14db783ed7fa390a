//! The sensor of a room: what it senses goes out by radio, to a coordinator in memory.

use std::collections::BTreeMap;

use lastmeter_devices::{
    DEVICES, Device, DeviceContext, DeviceFault, DeviceKind, EventKind, Input, Output,
};
use lastmeter_params::{Diagnostic, Diagnostics, read_text};
use lastmeter_sim::{PipeState, RoomState, Streams};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_zigbee::address::Eui64;
use lastmeter_zigbee::network::{Coordinator, CoordinatorConfig, Event, RadioFrame};
use lastmeter_zigbee::zcl::cluster::{IAS_ZONE, TEMPERATURE_MEASUREMENT};

use super::support::START;

const FIELDS: &str = "eui64 = \"00:15:8d:00:00:00:00:2b\"\nreport_every = \"10 s\"\n\
                      poll_every = \"5 s\"\ntemperature_noise = \"0 K\"\n";

fn room_sensor() -> &'static DeviceKind {
    DEVICES.iter().find(|kind| kind.entry.name == "room-sensor").expect("a registered model")
}

fn build(toml: &str) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    let values = read_text(toml, &[room_sensor().entry.fields])?;
    let streams = Streams::new(42);
    let context = DeviceContext {
        name: "window",
        hardware_id: HardwareId::new("window").expect("a valid id"),
        start: START,
        node: None,
        streams: &streams,
        phases: 0,
        has_spectrum: false,
    };
    let mut diagnostics = Diagnostics::new();
    let device = (room_sensor().build)(&values, &context, &mut diagnostics);
    device.ok_or_else(|| diagnostics.into_sorted())
}

fn s(seconds: f64) -> SimDuration {
    SimDuration::from_seconds_f64(seconds)
}

/// A sensor and its coordinator.
struct Home {
    device: Box<dyn Device>,
    coordinator: Coordinator,
    now: SimTime,
    room: RoomState,
    readings: Vec<(u64, f64)>,
    values: Vec<BTreeMap<String, f64>>,
    /// Seconds since the start at which a temperature came, in steps of 0.01 K.
    temperatures: Vec<(f64, i16)>,
    /// The same of the state of the contact.
    contacts: Vec<(f64, bool)>,
    notes: Vec<EventKind>,
}

impl Home {
    fn new(toml: &str) -> Self {
        let device = build(toml).unwrap_or_else(|diagnostics| panic!("{diagnostics:?}"));
        let mut coordinator = Coordinator::new(CoordinatorConfig::new(Eui64(1)));
        coordinator.permit_joining(SimTime(i64::MAX));
        let room = RoomState { celsius: 21.374, is_open: false };
        let (readings, values, notes) = (Vec::new(), Vec::new(), Vec::new());
        let (temperatures, contacts) = (Vec::new(), Vec::new());
        let now = START;
        Self { device, coordinator, now, room, readings, values, temperatures, contacts, notes }
    }

    /// The room is like this from now on.
    fn becomes(&mut self, celsius: f64, is_open: bool) {
        self.room = RoomState { celsius, is_open };
        // An instant of it wakes the sensor, as on the bench.
        self.run(1e-9);
    }

    /// To an instant, in seconds since the start.
    fn run_to(&mut self, seconds: f64) {
        self.run((START + s(seconds) - self.now).as_seconds_f64());
    }

    fn run(&mut self, seconds: f64) {
        let end = self.now + s(seconds);
        loop {
            let next = self.device.wake_at().into_iter().chain(self.coordinator.next()).min();
            let to = next.unwrap_or(end).clamp(self.now, end);
            self.now = to;
            let state = PipeState::Room(self.room);
            self.step(Input::Pipe { until: to - START, state });
            self.step(Input::Passed);
            self.coordinator.step(to);
            self.hand_over();
            if to == end && next.is_none_or(|next| next > end) {
                return;
            }
        }
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.device.step(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Transmit { bytes, .. } => {
                    let frame = RadioFrame::decode(&bytes).expect("a frame");
                    self.coordinator.receive(self.now, &frame, &mut || 0x1234);
                }
                Output::Reading { serial, at, .. } => {
                    self.readings.push((serial.0, (at - START).as_seconds_f64()));
                }
                Output::Reported { values, frames } => {
                    assert_eq!(frames.len(), 2);
                    self.values.push(values);
                }
                Output::Event { kind, .. } => self.notes.push(kind),
                other => panic!("{other:?}"),
            }
        }
        self.hand_over();
    }

    fn hand_over(&mut self) {
        let at = (self.now - START).as_seconds_f64();
        while let Some(event) = self.coordinator.event() {
            let Event::Received { aps, .. } = event else { continue };
            let payload = &aps.payload;
            match aps.cluster {
                // A report of attribute 0, of type 0x29; a status change.
                TEMPERATURE_MEASUREMENT => {
                    assert_eq!(payload[2..6], [0x0A, 0, 0, 0x29]);
                    let number = i16::from_le_bytes([payload[6], payload[7]]);
                    self.temperatures.push((at, number));
                }
                IAS_ZONE => self.contacts.push((at, payload[3] & 1 == 1)),
                _ => {}
            }
        }
        while let Some(frame) = self.coordinator.transmit() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            self.step(Input::Heard { bytes });
        }
    }

    /// When the contact was reported beside readings, by seconds, and how it was.
    fn changes(&self) -> Vec<(i64, bool)> {
        let of = |(at, is_open): &(f64, bool)| (at.round() as i64, *is_open);
        let all = self.contacts.iter().map(of);
        all.filter(|(at, _)| at % 10 != 0).collect()
    }
}

#[test]
fn reading_has_temperature_and_contact_and_a_change_is_sent_at_once() {
    let mut home = Home::new(&format!("{FIELDS}temperature_offset = \"0.5 K\""));
    home.run_to(24.0);
    home.becomes(19.0, true);
    home.run_to(43.0);
    home.becomes(19.0, false);
    home.run_to(55.0);
    let expected: Vec<_> = (1..=5).map(|k| (k, 10.0 * k as f64)).collect();
    assert_eq!(home.readings, expected);
    let numbers: Vec<_> = home.temperatures.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [2187, 2187, 1950, 1950, 1950]);
    assert_eq!(home.changes(), [(24, true), (43, false)]);
    let of = |name: &str| home.values.iter().map(|values| values[name]).collect::<Vec<_>>();
    assert_eq!(of("x.room.temperature"), [21.87, 21.87, 19.5, 19.5, 19.5]);
    assert_eq!(of("x.contact.open"), [0.0, 0.0, 1.0, 1.0, 0.0]);
    // What was announced came.
    let at_readings = home.contacts.iter().filter(|(at, _)| at.round() as i64 % 10 == 0);
    let came: Vec<_> = at_readings.map(|(_, is_open)| f64::from(u8::from(*is_open))).collect();
    assert_eq!(came, of("x.contact.open"));
}

/// Of the noise of 2,000 readings mean and deviation, within four standard errors.
#[test]
fn noise_has_the_deviation_that_is_asked_for() {
    let noise = FIELDS.replace("\"0 K\"", "\"0.2 K\"");
    let mut home = Home::new(&noise);
    home.run_to(20_005.0);
    let errors = home.temperatures.iter().map(|(_, number)| f64::from(*number) / 100.0 - 21.374);
    let errors: Vec<f64> = errors.collect();
    let count = errors.len() as f64;
    assert_eq!(errors.len(), 2_000);
    let mean = errors.iter().sum::<f64>() / count;
    let deviation = (errors.iter().map(|error| error.powi(2)).sum::<f64>() / count).sqrt();
    assert!(mean.abs() < 4.0 * 0.2 / count.sqrt(), "{mean}");
    assert!((deviation - 0.2).abs() < 4.0 * 0.2 / (2.0 * count).sqrt(), "{deviation}");
}

#[test]
fn contact_that_sticks_reports_what_it_reported_last() {
    let mut home = Home::new(FIELDS);
    home.run_to(15.0);
    home.step(Input::Fault(DeviceFault::ContactSticks));
    home.becomes(19.0, true);
    home.run_to(35.0);
    assert_eq!(home.changes(), []);
    assert!(home.contacts.iter().all(|(_, is_open)| !is_open));
    assert_eq!(home.notes.last(), Some(&EventKind::FaultBegun));
}

#[test]
fn sensor_without_its_battery_reports_its_contact_once_it_is_back() {
    let mut home = Home::new(FIELDS);
    home.run_to(15.0);
    let until = START + s(61.0);
    home.step(Input::Fault(DeviceFault::Away { until, is_silent: true }));
    home.run_to(25.0);
    home.becomes(19.0, true);
    home.run_to(60.5);
    assert_eq!((home.readings.len(), home.changes()), (1, vec![]));
    home.run_to(95.0);
    let changes = home.changes();
    assert!(changes.len() == 1 && changes[0].1 && changes[0].0 < 70, "{changes:?}");
    assert_eq!(home.readings.last(), Some(&(4, 90.0)), "numbers go on without a gap");
}

#[test]
fn readings_are_skipped_frozen_and_refused_on_purpose() {
    let mut home = Home::new(FIELDS);
    home.run_to(15.0);
    home.step(Input::Fault(DeviceFault::SkipReading { count: 1 }));
    home.run_to(25.0);
    assert_eq!((home.readings.len(), home.temperatures.len()), (2, 1));
    home.step(Input::Fault(DeviceFault::Freeze { until: Some(START + s(45.0)) }));
    home.becomes(19.0, true);
    home.run_to(46.0);
    assert_eq!(home.readings.len(), 2);
    home.run_to(51.0);
    assert_eq!(home.readings.last(), Some(&(3, 50.0)));
    assert!(home.contacts.last().is_some_and(|(_, is_open)| *is_open));
    for fault in [DeviceFault::RenumberReading, DeviceFault::DisplaySticks] {
        home.step(Input::Fault(fault));
        assert_eq!(home.notes.last(), Some(&EventKind::InputRefused));
    }
    home.step(Input::Connected);
    assert_eq!(home.notes.last(), Some(&EventKind::InputRefused));
}

#[test]
fn what_is_sent_does_not_depend_on_how_the_room_is_shown() {
    let sent = |pieces: usize| {
        let mut home = Home::new(FIELDS);
        for second in 0..60 * pieces {
            if second == 24 * pieces {
                home.becomes(20.0, true);
            }
            home.run_to((second + 1) as f64 / pieces as f64);
        }
        (home.temperatures, home.contacts, home.values)
    };
    assert_eq!(sent(1), sent(8));
}

#[test]
fn wrong_address_and_unknown_command_are_refused() {
    let diagnostics = build("eui64 = \"00:15\"").err().expect("refused");
    assert!(diagnostics[0].message.contains("is not an EUI-64"), "{diagnostics:?}");
    let device = build("").expect("a sensor");
    assert!(device.network_address().is_some_and(|address| address.starts_with("00:15:8d:00:")));
    assert!(device.validate_command("off", &BTreeMap::new()).is_some());
    assert!(device.validate_command("readAttribute", &BTreeMap::new()).is_none());
    assert_eq!(device.report_period(), s(300.0));
}
