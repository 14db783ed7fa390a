//! The smart plug: a meter whose way out is a node of a ZigBee network, with its coordinator in
//! memory.

use lastmeter_devices::{DEVICES, Device, DeviceContext, DeviceKind, EventKind, Input, Output};
use lastmeter_params::{Diagnostic, Diagnostics, read_text};
use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_zigbee::address::Eui64;
use lastmeter_zigbee::network::{ApsFrame, Coordinator, CoordinatorConfig, Event, RadioFrame};
use lastmeter_zigbee::scale::{Quantity, Scales};
use lastmeter_zigbee::zcl::cluster::on_off::OnOff;
use lastmeter_zigbee::zcl::cluster::plug::{CALIBRATION_WRITE, CalibrationWrite, MANUFACTURER};
use lastmeter_zigbee::zcl::cluster::{
    ELECTRICAL_MEASUREMENT, METERING, ON_OFF, PLUG, PROFILE_HOME_AUTOMATION,
};
use lastmeter_zigbee::zcl::global::{AttributeId, command};
use lastmeter_zigbee::zcl::{Direction, Frame, Global, Header};

use super::support::{START, sines};

const NODE: Eui64 = Eui64(0x0015_8D00_0000_002A);
const FIELDS: &str = "eui64 = \"00:15:8d:00:00:00:00:2a\"\nreport_every = \"10 s\"\n\
                      fidelity = \"windows\"\n";

fn smart_plug() -> &'static DeviceKind {
    DEVICES.iter().find(|kind| kind.entry.name == "smart-plug").expect("a registered model")
}

fn build(toml: &str) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    let values = read_text(toml, &[smart_plug().entry.fields])?;
    let streams = Streams::new(42);
    let context = DeviceContext {
        name: "home",
        hardware_id: HardwareId::new("home").expect("a valid id"),
        start: START,
        node: None,
        streams: &streams,
        phases: 1,
        has_spectrum: true,
    };
    let mut diagnostics = Diagnostics::new();
    let device = (smart_plug().build)(&values, &context, &mut diagnostics);
    device.ok_or_else(|| diagnostics.into_sorted())
}

/// A value of a reading as it came over the radio.
type Reported = (SimTime, Quantity, f64);

struct Home {
    device: Box<dyn Device>,
    coordinator: Coordinator,
    is_on: bool,
    now: SimTime,
    scales: Scales,
    reported: Vec<Reported>,
    events: Vec<Event>,
    readings: Vec<(u64, SimTime)>,
    notes: Vec<(EventKind, String)>,
    /// How the relay stood, each time that was put out.
    switched: Vec<bool>,
    sequence: u8,
    /// RMS current of the load.
    amperes: f64,
}

impl Home {
    fn new(toml: &str) -> Self {
        let device = build(toml).unwrap_or_else(|diagnostics| panic!("{diagnostics:?}"));
        let mut coordinator = Coordinator::new(CoordinatorConfig::new(Eui64(1)));
        coordinator.permit_joining(SimTime(i64::MAX));
        Self {
            device,
            coordinator,
            is_on: true,
            now: START,
            scales: Scales::default(),
            reported: Vec::new(),
            events: Vec::new(),
            readings: Vec::new(),
            notes: Vec::new(),
            switched: Vec::new(),
            sequence: 0,
            amperes: 4.0,
        }
    }

    fn run(&mut self, seconds: f64) {
        let end = self.now + SimDuration::from_seconds_f64(seconds);
        loop {
            let next = self.device.wake_at().into_iter().chain(self.coordinator.next()).min();
            let to = next.unwrap_or(end).clamp(self.now, end);
            self.go(to);
            if to == end && next.is_none_or(|next| next > end) {
                return;
            }
        }
    }

    fn go(&mut self, to: SimTime) {
        self.now = to;
        let terminal = sines(50.0, [(230.0, 0.0, self.amperes, 0.5)]);
        let stretch = terminal.spectrum_at(SimDuration::ZERO).expect("a spectrum");
        let spectrum = stretch.spectrum;
        let mut out = Vec::new();
        let input = Input::Spectrum { until: to - START, spectrum, celsius: 23.0 };
        self.device.step(to, input, &mut out);
        self.device.step(to, Input::Passed, &mut out);
        self.take(out);
        self.coordinator.step(to);
        self.hand_over();
    }

    fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Transmit { at, bytes, .. } => {
                    assert!(at <= self.now);
                    let frame = RadioFrame::decode(&bytes).expect("a frame");
                    if self.is_on {
                        self.coordinator.receive(at, &frame, &mut || 0x1234);
                    }
                }
                Output::Reading { serial, at, .. } => self.readings.push((serial.0, at)),
                Output::Event { kind, detail } => self.notes.push((kind, detail)),
                Output::Switched { is_closed } => self.switched.push(is_closed),
                Output::Reported { values, frames } => {
                    assert!(!values.is_empty() && !frames.is_empty());
                }
                other => panic!("{other:?}"),
            }
        }
        self.hand_over();
    }

    fn hand_over(&mut self) {
        while let Some(event) = self.coordinator.event() {
            if let Event::Received { aps, .. } = &event {
                self.read(aps);
            }
            self.events.push(event);
        }
        while let Some(frame) = self.coordinator.transmit() {
            let (mut bytes, mut out) = (Vec::new(), Vec::new());
            frame.encode(&mut bytes);
            if self.is_on {
                self.device.step(self.now, Input::Heard { bytes }, &mut out);
            }
            self.take(out);
        }
    }

    fn read(&mut self, aps: &ApsFrame) {
        let frame = Frame::decode(&aps.payload).expect("a cluster frame");
        match Global::decode(&frame) {
            Ok(Global::ReadResponse(records)) => {
                for record in records {
                    let record = record.expect("a record");
                    let value = record.result.expect("a value");
                    let attribute = lastmeter_zigbee::zcl::Attribute { id: record.id, value };
                    assert_eq!(self.scales.learn(aps.cluster, &attribute), Ok(true));
                }
            }
            Ok(Global::Report(attributes)) => {
                for attribute in attributes {
                    let attribute = attribute.expect("an attribute");
                    if let Ok(Some(scaled)) = self.scales.convert(aps.cluster, &attribute) {
                        self.reported.push((self.now, scaled.quantity, scaled.value));
                    }
                }
            }
            _ => {}
        }
    }

    fn send(&mut self, cluster: u16, payload: Vec<u8>) {
        let aps = ApsFrame {
            profile: PROFILE_HOME_AUTOMATION,
            cluster,
            source_endpoint: 1,
            destination_endpoint: 1,
            payload,
        };
        self.coordinator.send(self.now, NODE, aps).expect("a member with room");
        self.hand_over();
    }

    /// Reads what values are scaled by.
    fn learn(&mut self) {
        for (cluster, ids) in [
            (ELECTRICAL_MEASUREMENT, vec![0x0400, 0x0401, 0x0600, 0x0601, 0x0602, 0x0603]),
            (ELECTRICAL_MEASUREMENT, vec![0x0604, 0x0605]),
            (METERING, vec![0x0300, 0x0301, 0x0302]),
        ] {
            self.sequence += 1;
            let header = Header::global(Direction::ToServer, self.sequence, command::READ);
            let ids: Vec<_> = ids.into_iter().map(AttributeId).collect();
            self.send(cluster, header.with_records(&ids).expect("a frame"));
        }
    }

    fn values(&self, quantity: Quantity) -> Vec<f64> {
        let of = self.reported.iter().filter(|reported| reported.1 == quantity);
        of.map(|reported| reported.2).collect()
    }
}

/// A load of 230 V, 4 A, lagging by 0.5 rad: P = 920 W cos 0.5.
#[test]
fn readings_go_over_the_radio_and_are_announced() {
    let exact =
        "voltage_gain_error = \"0 %\"\ncurrent_gain_error = \"0 %\"\nphase_error = \"0 deg\"\n";
    let mut home = Home::new(&format!("{FIELDS}{exact}"));
    assert_eq!(home.device.network_address().as_deref(), Some("00:15:8d:00:00:00:00:2a"));
    home.run(1.0);
    home.learn();
    home.run(60.0);
    let at: Vec<_> = home.readings.iter().map(|(serial, at)| (*serial, *at - START)).collect();
    let expected: Vec<_> = (1..=6).map(|k| (k, SimDuration::from_seconds(10 * k as i64))).collect();
    assert_eq!(at, expected);
    let watts = 920.0 * 0.5_f64.cos();
    for (quantity, expected, within) in [
        (Quantity::VoltageRms, 230.0, 0.15),
        (Quantity::CurrentRms, 4.0, 0.005),
        (Quantity::ActivePower, watts, 0.5),
        (Quantity::ApparentPower, 920.0, 1.0),
        (Quantity::PowerFactor, 0.5_f64.cos(), 0.006),
        (Quantity::Frequency, 50.0, 0.006),
    ] {
        let values = home.values(quantity);
        assert_eq!(values.len(), 6, "{quantity:?}");
        for value in values {
            assert!((value - expected).abs() < within, "{quantity:?}: {value} for {expected}");
        }
    }
    // Energy at the end of the window before each report: 10 s of that power between two.
    let energy = home.values(Quantity::EnergyDelivered);
    for pair in energy.windows(2) {
        assert!((pair[1] - pair[0] - 10.0 * watts).abs() < 10.0, "{energy:?}");
    }
}

#[test]
fn reading_is_left_out_while_the_coordinator_is_away_and_energy_is_not() {
    let mut home = Home::new(FIELDS);
    home.run(1.0);
    home.learn();
    home.run(30.0);
    let (before, energy) = (home.readings.len(), home.values(Quantity::EnergyDelivered));
    home.is_on = false;
    home.run(300.0);
    home.is_on = true;
    home.run(120.0);
    let left_out = |(kind, _): &&(EventKind, String)| *kind == EventKind::ReadingLeftOut;
    assert!(home.notes.iter().filter(left_out).count() > 10, "{:?}", home.notes);
    assert!(home.readings.len() > before + 5);
    // Numbers go on without a gap, and the energy has all of the time in it.
    let serials: Vec<_> = home.readings.iter().map(|(serial, _)| *serial).collect();
    assert_eq!(serials, (1..=serials.len() as u64).collect::<Vec<_>>());
    let after = home.values(Quantity::EnergyDelivered);
    let watts = (energy[1] - energy[0]) / 10.0;
    let (last, at) = (after[after.len() - 1], home.readings[home.readings.len() - 1].1);
    let seconds = (at - home.readings[0].1).as_seconds_f64();
    assert!((last - energy[0] - watts * seconds).abs() < 0.01 * watts * seconds);
}

#[test]
fn calibration_over_the_radio_reaches_the_registers() {
    let mut home = Home::new(FIELDS);
    home.run(1.0);
    home.learn();
    home.run(20.0);
    // The voltage is 0.8 % too high as delivered: 2^22 / 1.008.
    let written = CalibrationWrite { channel: 0, gain: 4_161_016, offset: 0 };
    let header = Header::cluster(Direction::ToServer, 9, CALIBRATION_WRITE);
    let frame = header.of_manufacturer(MANUFACTURER).with_records(&[written]).expect("a frame");
    home.send(PLUG, frame);
    home.run(30.0);
    let volts = home.values(Quantity::VoltageRms);
    assert!((volts[0] - 231.8).abs() < 0.15, "{volts:?}");
    assert!((volts[volts.len() - 1] - 230.0).abs() < 0.15, "{volts:?}");
    let obeyed = home.notes.iter().filter(|(kind, _)| *kind == EventKind::CommandObeyed).count();
    assert_eq!(obeyed, 2, "a gain and an offset: {:?}", home.notes);
}

#[test]
fn relay_is_switched_over_the_radio() {
    let mut home = Home::new(FIELDS);
    home.run(1.0);
    home.send(ON_OFF, OnOff::Off.frame(1));
    let switched = (EventKind::CommandObeyed, "relay opened".to_owned());
    assert_eq!(home.notes.last(), Some(&switched));
    home.send(ON_OFF, OnOff::Off.frame(2));
    home.send(ON_OFF, OnOff::Toggle.frame(3));
    assert_eq!(home.switched, [false, true], "the plant follows the contact, not the command");
    let mut open = Home::new(&format!("{FIELDS}relay_closed = false\n"));
    open.run(1.0);
    assert_eq!(open.switched, [false]);
}

#[test]
fn wrong_address_is_refused_at_its_place() {
    let diagnostics = build("eui64 = \"00:15:8d:00:00:00:00\"").err().expect("refused");
    assert!(diagnostics[0].message.contains("is not an EUI-64"), "{diagnostics:?}");
    let name = |toml: &str| build(toml).expect("a plug").network_address();
    assert!(name("").is_some_and(|address| address.starts_with("00:15:8d:00:")));
}
