//! Meters on M-Bus, asked by a master in memory.

use lastmeter_devices::{CommandFault, Device, DeviceFault, EventKind, Input, Output};
use lastmeter_mbus::application::Application;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::header::{Identification, Identity, Manufacturer, Medium};
use lastmeter_mbus::master::{Job, Master, MasterConfig, Outcome, Step, Target};
use lastmeter_mbus::record::{Item, Quantity};
use lastmeter_sim::{HeatState, PipeState};
use lastmeter_units::{SimDuration, SimTime};

use super::support::{START, meter};

const FIELDS: &str = "primary_address = 5\nidentification = 12345678\n\
                      measure_every = \"30 min\"\n";

/// A meter after so many seconds of 600 l/h between two temperatures.
fn heat(toml: &str, flow_celsius: f64, return_celsius: f64, seconds: i64) -> Box<dyn Device> {
    let mut device = meter("m-bus-heat-meter", toml, 0);
    let until = SimDuration::from_seconds(seconds);
    let volume_flow_m3_per_s = 600.0 / 3.6e6;
    let state = PipeState::Heat(HeatState { flow_celsius, return_celsius, volume_flow_m3_per_s });
    device.step(START + until, Input::Pipe { until, state }, &mut Vec::new());
    device
}

/// What becomes of a job, and what the meter put out.
fn ask(device: &mut dyn Device, job: Job) -> (Outcome, Vec<Output>) {
    let mut master = Master::new(MasterConfig::default());
    let (mut now, mut all) = (START + SimDuration::from_seconds(7200), Vec::new());
    let mut coming: Vec<(SimTime, u8)> = Vec::new();
    master.submit(job);
    loop {
        match master.step(now) {
            Step::Idle => break,
            Step::Wait(until) => match coming.first().copied() {
                Some((at, byte)) if at <= until => {
                    coming.remove(0);
                    now = at;
                    master.byte(at, byte);
                }
                _ => now = until,
            },
            Step::Send { bytes, baud } => {
                now += baud.bytes(bytes.len());
                let mut out = Vec::new();
                device.step(now, Input::Heard { bytes }, &mut out);
                for output in &out {
                    let Output::Transmit { at, bytes, .. } = output else { continue };
                    let ends = bytes.iter().enumerate();
                    coming.extend(ends.map(|(k, byte)| (*at + baud.bytes(k + 1), *byte)));
                }
                all.extend(out);
            }
        }
    }
    (master.finished().expect("a job ended"), all)
}

fn identity() -> Identity {
    Identity {
        identification: Identification::from_number(12_345_678).expect("eight digits"),
        manufacturer: Manufacturer::from_letters("LMT").expect("three letters"),
        version: 1,
        medium: Medium::HEAT_OUTLET,
    }
}

fn read(target: Target) -> Job {
    Job::Read { target, initialise: true }
}

/// Quantity, storage number and value of every record of every telegram.
fn records(outcome: &Outcome) -> Vec<(Quantity, u64, f64)> {
    let Outcome::Telegrams { telegrams, complete: true } = outcome else { panic!("{outcome:?}") };
    let mut found = Vec::new();
    for telegram in telegrams {
        let frame = Frame::decode(telegram).expect("a frame");
        let Ok(Application::Variable { records, .. }) = Application::decode(&frame) else {
            panic!("{frame:?}")
        };
        for item in records {
            if let Item::Record(record) = item.expect("a record")
                && let Some(number) = record.number()
            {
                found.push((record.quantity(), record.storage, number));
            }
        }
    }
    found
}

fn value(outcome: &Outcome, wanted: Quantity) -> f64 {
    let found = records(outcome);
    found.iter().find(|row| row.0 == wanted && row.1 == 0).expect("a record").2
}

#[test]
fn both_addresses_give_the_closed_formula_in_every_coding() {
    for coding in ["bcd", "integer", "real"] {
        let toml = format!("{FIELDS}coding = \"{coding}\"");
        let mut device = heat(&toml, 70.0, 40.0, 3600);
        let address = device.network_address().expect("an address");
        assert_eq!(address, "12345678-LMT-01-04");
        let identity = identity();
        for target in [Target::Primary(5), Target::Secondary(identity)] {
            let (outcome, out) = ask(device.as_mut(), read(target));
            // k = 1.152 370 534 kWh/(m3 K), 0.6 m3 and 30 K: 20 742 Wh, in steps of 100 Wh.
            assert!((value(&outcome, Quantity::Energy) - 20_700.0).abs() < 0.01, "{coding}");
            assert!((value(&outcome, Quantity::Volume) - 0.6).abs() <= 0.001_001);
            assert!((value(&outcome, Quantity::Power) - 20_742.67).abs() < 0.7);
            assert!((value(&outcome, Quantity::VolumeFlow) - 0.6).abs() < 1e-4);
            // What it hands over beside the bytes is what the bytes carry.
            let answered = out.iter().find_map(|output| match output {
                Output::Answered { values } => Some(values),
                _ => None,
            });
            let answered = answered.expect("values");
            for (name, quantity, si) in [
                ("heating.energy", Quantity::Energy, 3600.0),
                ("heating.volume", Quantity::Volume, 1.0),
                ("heating.power", Quantity::Power, 1.0),
                ("heating.flowrate", Quantity::VolumeFlow, 1.0 / 3600.0),
                ("heating.temp.primary.inlet", Quantity::FlowTemperature, 1.0),
                ("heating.temp.primary.outlet", Quantity::ReturnTemperature, 1.0),
            ] {
                let carried = value(&outcome, quantity) * si;
                let off = (answered[name] - carried).abs();
                assert!(off <= 1e-9 * carried, "{coding} {name}: {} {carried}", answered[name]);
            }
            assert_eq!(answered.len(), 6);
            let spans = out.iter().filter_map(|output| match output {
                Output::Reading { span, .. } => Some((span.from, span.to)),
                _ => None,
            });
            let expected = (SimDuration::from_seconds(1800), SimDuration::from_seconds(3600));
            assert_eq!(spans.collect::<Vec<_>>(), [expected]);
        }
        assert_eq!(ask(device.as_mut(), read(Target::Primary(6))).0, Outcome::Silent);
    }
}

#[test]
fn temperatures_below_zero_and_a_second_telegram() {
    for coding in ["bcd", "integer", "real"] {
        let toml = format!("{FIELDS}multi_telegram = true\ncoding = \"{coding}\"");
        let mut device = heat(&toml, 3.5, -5.25, 7200);
        let (outcome, _) = ask(device.as_mut(), read(Target::Primary(5)));
        assert!((value(&outcome, Quantity::ReturnTemperature) + 5.25).abs() < 1e-6, "{coding}");
        let found = records(&outcome);
        let stored: Vec<_> = found.iter().filter(|row| row.0 == Quantity::Energy).collect();
        assert_eq!(stored.iter().map(|row| row.1).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(stored[0].2, stored[1].2);
    }
}

/// A request of class 2 to address 5, with this frame count bit.
fn request(device: &mut dyn Device, bit: bool) -> Vec<Output> {
    let control = if bit { 0x7B } else { 0x5B };
    let bytes = vec![0x10, control, 5, control + 5, 0x16];
    let mut out = Vec::new();
    let now = START + SimDuration::from_seconds(if bit { 8000 } else { 9000 });
    device.step(now, Input::Heard { bytes }, &mut out);
    out
}

fn transmitted(out: &[Output]) -> Option<&[u8]> {
    out.iter().find_map(|output| match output {
        Output::Transmit { bytes, .. } => Some(&bytes[..]),
        _ => None,
    })
}

#[test]
fn a_repetition_is_the_same_to_the_byte_and_no_new_reading() {
    let mut device = heat(FIELDS, 70.0, 40.0, 3600);
    let first = request(device.as_mut(), true);
    let again = request(device.as_mut(), true);
    assert_eq!(transmitted(&first), transmitted(&again));
    assert_eq!((first.len(), again.len()), (3, 2));
    assert_eq!(first[2], again[1], "what they carry is the same too");
    let next = request(device.as_mut(), false);
    assert!(matches!(next[0], Output::Reading { serial, .. } if serial.0 == 2));
    assert_ne!(transmitted(&first), transmitted(&next));
}

#[test]
fn silent_frozen_and_skipping_meters_send_nothing() {
    let mut device = heat(&format!("{FIELDS}answers = false"), 70.0, 40.0, 3600);
    assert!(request(device.as_mut(), true).is_empty());
    let mut device = heat(FIELDS, 70.0, 40.0, 3600);
    let mut out = Vec::new();
    device.step(START, Input::Fault(DeviceFault::SkipReading { count: 1 }), &mut out);
    assert!(matches!(request(device.as_mut(), true)[..], [Output::Reading { .. }]));
    assert!(transmitted(&request(device.as_mut(), true)).is_some());
    device.step(START, Input::Fault(DeviceFault::Freeze { until: None }), &mut out);
    assert!(request(device.as_mut(), false).is_empty());
    out.clear();
    device.step(START, Input::Fault(DeviceFault::RenumberReading), &mut out);
    device.step(START, Input::Connected, &mut out);
    let refused =
        |output: &Output| matches!(output, Output::Event { kind: EventKind::InputRefused, .. });
    assert!(out.len() == 2 && out.iter().all(refused));
}

#[test]
fn no_bytes_make_it_panic() {
    let mut device = heat(FIELDS, 70.0, 40.0, 3600);
    let (mut state, mut out) = (42_u64, Vec::new());
    for k in 0..100_000 {
        let mut bytes = Vec::new();
        for _ in 0..state % 20 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.push(
                [0x10, 0x68, 0x16, 0x7B, 5, 0xFD, 0x52, (state >> 40) as u8]
                    [(state >> 61) as usize],
            );
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(3);
        device.step(START + SimDuration(k * 7_000_000), Input::Heard { bytes }, &mut out);
        out.clear();
    }
}

#[test]
fn numbers_go_on_beyond_255_and_only_their_low_byte_is_sent() {
    let mut device = heat(FIELDS, 70.0, 40.0, 3600);
    for number in 1..=300_u64 {
        let out = request(device.as_mut(), number % 2 == 0);
        assert!(matches!(out[0], Output::Reading { serial, .. } if serial.0 == number));
        let bytes = transmitted(&out).expect("an answer");
        // Start, two lengths, start, control, address, information, eight of the address.
        assert_eq!(u64::from(bytes[15]), number % 256);
    }
}

#[test]
fn names_that_differ_make_secondary_addresses_that_differ() {
    let of = |name: &str| {
        let toml = if name == "home" { String::new() } else { format!("version = {}", name.len()) };
        meter("m-bus-water-meter", &toml, 0).network_address().expect("an address")
    };
    assert_eq!(of("home"), of("home"));
    assert_ne!(of("home"), of("another"));
    assert!(of("home").ends_with("-LMT-01-07"), "{}", of("home"));
}

#[test]
fn an_electricity_meter_sends_power_with_its_sign_and_a_line_has_its_quantities_only() {
    let device = meter("m-bus-electricity-meter", "", 1);
    let names: Vec<&str> = device.quantities().iter().map(|id| id.name()).collect();
    let expected = [
        "electricity.power.active.consumed.total",
        "electricity.power.active.injected.total",
        "electricity.energy.active.consumed.total",
    ];
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!names.contains(&"electricity.energy.active.injected.total"), "{names:?}");
    assert!(device.declared().is_some_and(|declared| declared.window.is_some()));
}

#[test]
fn a_meter_on_a_line_takes_no_commands() {
    for (model, phases) in [("m-bus-heat-meter", 0), ("m-bus-electricity-meter", 1)] {
        let device = meter(model, "", phases);
        let seconds = [("seconds".to_owned(), "60".to_owned())].into();
        let fault = device.validate_command("setReportingPeriod", &seconds);
        assert!(matches!(fault, Some(CommandFault::Refused { .. })), "{model}: {fault:?}");
    }
}
