//! The adapter on frames that are typed in: readings, dates, what is left out, silence, restarts.

use std::collections::BTreeMap;

use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{DecodeRules, Request, decode};

use super::*;
use crate::gateway::{
    Gateway, GatewayContext, GatewayEventKind, GatewayInput, GatewayOutput, NetworkContext,
};

mod feeding;
mod reloading;

const START: SimTime = SimTime(1_800_000_000_000_000_000);

const MAP: &str = r#"format = 1
[simulator]
name = "feeder"
wire_format = "gtnet-skt"
card = "gtnetx2"
sample_rate = "10 Hz"

[[point]]
name = "u"
direction = "from-simulator"
type = "float"
unit = "kV"
least = "0 V"
greatest = "300 V"
device = "house-1"
quantity = "electricity.voltage.rms.l1"

[[point]]
name = "w"
direction = "from-simulator"
type = "float"
unit = "kWh"
least = "0 kWh"
greatest = "1000000 kWh"
device = "house-1"
quantity = "electricity.energy.active.consumed.l1"

[[point]]
name = "v"
direction = "from-simulator"
type = "integer"
unit = "V"
least = "0 V"
greatest = "300 V"
device = "house-2"
quantity = "electricity.voltage.rms.l1"

[[point]]
name = "tap"
direction = "to-simulator"
type = "integer"
least = -8
greatest = 8
greatest_change_per_second = 1
initial = 3
safe_value = 0
"#;

fn at(milliseconds: i64) -> SimTime {
    START + SimDuration::from_milliseconds(milliseconds)
}

fn frame(kilovolts: f32, kilowatt_hours: f32, volts: i32) -> Vec<u8> {
    let words = [kilovolts.to_be_bytes(), kilowatt_hours.to_be_bytes(), volts.to_be_bytes()];
    words.concat()
}

type Values = Vec<(&'static str, f64)>;

/// An adapter with whoever keeps its records and hands them out again.
struct Bench {
    adapter: Box<dyn Gateway>,
    kept: Vec<Vec<u8>>,
    out: Vec<GatewayOutput>,
}

fn make(keys: &str, kept: &[Vec<u8>]) -> Result<Box<dyn Gateway>, Vec<String>> {
    make_of(MAP, keys, kept)
}

fn make_of(map: &str, keys: &str, kept: &[Vec<u8>]) -> Result<Box<dyn Gateway>, Vec<String>> {
    let text = format!("map = \"rack.toml\"\n{keys}");
    let files = BTreeMap::from([("rack.toml".to_owned(), map.to_owned())]);
    let values = read_text(&text, &[SIMULATOR_ADAPTER.entry.fields]).unwrap();
    let context = GatewayContext {
        name: "rack",
        hardware_id: HardwareId::new("rack").unwrap(),
        tenant: "default",
        start: START,
        epoch: crate::EPOCH,
        streams: &Streams::new(1),
        networks: vec![NetworkContext { bits_per_second: 0, devices: Vec::new() }],
        files: &files,
    };
    let mut out = Diagnostics::new();
    (SIMULATOR_ADAPTER.build)(&values, &context, kept, &mut out)
        .ok_or_else(|| out.into_sorted().into_iter().map(|mistake| mistake.message).collect())
}

impl Bench {
    fn new(keys: &str) -> Self {
        Self::of(make(keys, &[]).unwrap())
    }

    fn of(adapter: Box<dyn Gateway>) -> Self {
        let mut bench = Self { adapter, kept: Vec::new(), out: Vec::new() };
        bench.step(0, GatewayInput::Wake);
        bench.step(0, GatewayInput::Connected);
        bench
    }

    /// One input; what is to be kept is kept at once.
    fn step(&mut self, milliseconds: i64, input: GatewayInput) {
        let mut out = Vec::new();
        self.adapter.step(at(milliseconds), input, &mut out);
        self.follow(milliseconds, out);
    }

    fn follow(&mut self, milliseconds: i64, mut out: Vec<GatewayOutput>) {
        while !out.is_empty() {
            let mut more = Vec::new();
            for output in std::mem::take(&mut out) {
                if let GatewayOutput::Keep { number, record } = &output {
                    self.kept.push(record.clone());
                    let kept = GatewayInput::Kept { number: *number };
                    self.adapter.step(at(milliseconds), kept, &mut more);
                }
                self.out.push(output);
            }
            out = more;
        }
    }

    fn bytes(&mut self, milliseconds: i64, bytes: Vec<u8>) {
        self.step(milliseconds, GatewayInput::Bytes { network: 0, lane: None, bytes });
    }

    /// Readings: device, milliseconds since the start, serial, values.
    fn readings(&self) -> Vec<(String, i64, u64, Values)> {
        let read = |output: &GatewayOutput| {
            let GatewayOutput::Send { payload, .. } = output else { return None };
            let Ok(Request::Measurements(message)) = decode(payload, &DecodeRules::default())
            else {
                return None;
            };
            let values = message.values.iter().map(|(id, value)| (id.name(), *value)).collect();
            let date = (message.event_date.unwrap() - START).0 / 1_000_000;
            Some((message.hardware_id.to_string(), date, message.serial.unwrap().0, values))
        };
        self.out.iter().filter_map(read).collect()
    }

    fn events(&self, kind: GatewayEventKind) -> Vec<String> {
        let detail = |output: &'_ GatewayOutput| match output {
            GatewayOutput::Event { kind: found, detail, .. } if *found == kind => {
                Some(detail.clone())
            }
            _ => None,
        };
        self.out.iter().filter_map(detail).collect()
    }
}

#[test]
fn samples_of_a_period_become_one_reading_per_device() {
    let mut bench = Bench::new("");
    for (time, kilovolts, energy, volts) in [(100, 0.229, 5.0, 231), (900, 0.231, 6.5, 233)] {
        bench.bytes(time, frame(kilovolts, energy, volts));
    }
    assert_eq!(bench.adapter.wake_at(), Some(at(1000)));
    bench.step(1000, GatewayInput::Wake);
    let readings = bench.readings();
    let [(one, date, 1, house), (two, 1000, 1, other)] = readings.as_slice() else {
        panic!("{readings:?}")
    };
    assert_eq!((one.as_str(), two.as_str(), *date), ("house-1", "house-2", 1000));
    // The mean of voltages, the last of a register; the first are 32-bit numbers.
    let [(voltage, mean), (energy, last)] = house.as_slice() else { panic!("{house:?}") };
    assert_eq!(*voltage, "electricity.voltage.rms.l1");
    assert!((mean - 230.0).abs() < 1e-5, "{mean}");
    assert_eq!((*energy, *last), ("electricity.energy.active.consumed.l1", 6.5));
    assert_eq!(other.as_slice(), [("electricity.voltage.rms.l1", 232.0)]);
    // Without samples there is no reading; serials go on.
    bench.step(2000, GatewayInput::Wake);
    assert_eq!(bench.readings().len(), 2);
    bench.bytes(2500, frame(0.23, 7.0, 230));
    bench.step(3000, GatewayInput::Wake);
    assert_eq!(bench.readings()[2].2, 2);
}

#[test]
fn the_last_of_a_period_may_be_asked_for() {
    let mut bench = Bench::new("reduce = \"last\"\nreport_every = \"500 ms\"");
    bench.bytes(100, frame(0.1, 5.0, 231));
    bench.bytes(499, frame(0.125, 5.5, 233));
    // What comes at the border belongs to the next period.
    bench.bytes(500, frame(0.2, 6.0, 100));
    let readings = bench.readings();
    assert_eq!(readings[0].3[0], ("electricity.voltage.rms.l1", 125.0));
    assert_eq!(readings[1].3[0], ("electricity.voltage.rms.l1", 233.0));
}

#[test]
fn what_does_not_fit_is_left_out_and_counted() {
    let mut bench = Bench::new("");
    bench.bytes(100, frame(f32::NAN, 5.0, 301));
    bench.bytes(200, vec![0; 11]);
    bench.bytes(300, vec![0; 13]);
    bench.step(1000, GatewayInput::Wake);
    let readings = bench.readings();
    let [(house, _, _, values)] = readings.as_slice() else { panic!("{readings:?}") };
    assert_eq!(house, "house-1");
    assert_eq!(values.as_slice(), [("electricity.energy.active.consumed.l1", 5.0)]);
    assert_eq!(bench.events(GatewayEventKind::ValueRefused).len(), 2);
    let refused = bench.events(GatewayEventKind::AnswerRefused);
    assert_eq!(refused.len(), 1, "{refused:?}");
    // A flood is reported at its powers of ten only.
    for _ in 0..1000 {
        bench.bytes(1100, vec![0; 11]);
    }
    let reported = bench.events(GatewayEventKind::AnswerRefused);
    assert_eq!(reported.len(), 4, "{reported:?}");
    assert!(reported[3].starts_with("remainder (1000 so far)"), "{reported:?}");
}

/// The share of usable samples that each reading of a device states.
fn shares(bench: &Bench, device: &str) -> Vec<Option<f64>> {
    let read = |output: &GatewayOutput| {
        let GatewayOutput::Send { payload, .. } = output else { return None };
        let Ok(Request::Measurements(message)) = decode(payload, &DecodeRules::default()) else {
            return None;
        };
        let share = message.metadata.get("usable").map(|share| share.parse().unwrap());
        (message.hardware_id.as_str() == device).then_some(share)
    };
    bench.out.iter().filter_map(read).collect()
}

#[test]
fn a_reading_states_on_which_share_of_its_samples_it_rests() {
    let steepest =
        "greatest = \"300 V\"\ngreatest_change_per_second = \"100 V\"\ndevice = \"house-1\"";
    let map = MAP.replacen("greatest = \"300 V\"\ndevice = \"house-1\"", steepest, 1);
    assert_ne!(map, MAP);
    let mut bench = Bench::of(make_of(&map, "", &[]).unwrap());
    // A frame each 100 ms, which a voltage may change by 10 V in. Seconds: as it should be; all but
    // one no number; every second frame missing; a register that runs backwards; a voltage that
    // jumps by 20 V; one that jumps once, and a register that is set again.
    for number in 0..60 {
        let (second, place) = (number / 10, number % 10);
        let kilovolts = match (second, place) {
            (1, 1..) => f32::NAN,
            (2, _) if place % 2 == 1 => continue,
            (4, _) => 0.23 + 0.02 * (place % 2) as f32,
            (5, 5) => 0.26,
            _ => 0.23,
        };
        let energy = match second {
            3 => 100.0 - place as f32,
            5 if place >= 5 => place as f32,
            _ => 200.0 + number as f32,
        };
        bench.bytes(number * 100 + 50, frame(kilovolts, energy, 230));
    }
    bench.step(6000, GatewayInput::Wake);
    let found = shares(&bench, "house-1");
    // The jumps of the fifth second begin with its second sample, and end with the first of the
    // next second.
    assert_eq!(found, [None, Some(0.1), Some(0.5), Some(0.0), Some(0.1), Some(0.7)]);
    assert_eq!(shares(&bench, "house-2"), [None, None, Some(0.5), None, None, None]);
    let refused = bench.events(GatewayEventKind::ValueRefused);
    let went_back =
        refused.iter().filter(|text| text.starts_with("point `w`: a register went back"));
    assert_eq!(went_back.count(), 2, "{refused:?}");
}

#[test]
fn a_frame_that_comes_again_is_no_sample_of_its_own() {
    let header = MAP.replace("gtnet-skt\"", "gtnet-skt-header\"");
    let mut bench = Bench::of(make_of(&header, "", &[]).unwrap());
    for place in 0..10_i64 {
        // Its number never moves after the fifth.
        let number = place.min(4) as i32;
        let words = [number.to_be_bytes(), 0_i32.to_be_bytes(), 0_i32.to_be_bytes()].concat();
        bench.bytes(place * 100 + 50, [words, frame(0.23, 1.0, 230)].concat());
    }
    bench.step(1000, GatewayInput::Wake);
    assert_eq!(shares(&bench, "house-1"), [Some(0.5)]);
    assert_eq!(bench.readings()[0].3.len(), 2);
}

#[test]
fn a_stream_is_cut_anyhow_and_half_a_frame_is_none() {
    let mut bench = Bench::new("carrier = \"stream\"");
    for byte in frame(0.23, 5.0, 230) {
        bench.bytes(100, vec![byte]);
    }
    bench.bytes(200, frame(0.24, 5.0, 230).repeat(7));
    bench.bytes(300, [frame(0.25, 5.0, 230).repeat(3), vec![0x3E; 6]].concat());
    bench.step(400, GatewayInput::LineUp { network: 0 });
    assert_eq!(bench.events(GatewayEventKind::AnswerRefused).len(), 1);
    bench.bytes(500, frame(0.26, 5.0, 230));
    bench.step(1000, GatewayInput::Wake);
    let mean = bench.readings()[0].3[0].1;
    let expected = f64::from(0.23_f32 + 7.0 * 0.24 + 3.0 * 0.25 + 0.26) / 12.0 * 1000.0;
    assert!((mean - expected).abs() < 1e-3, "{mean} {expected}");
    // The written points go out whenever the simulator is there again.
    let written = bench.out.iter().filter_map(|output| match output {
        GatewayOutput::Bytes { bytes, .. } => Some(bytes.clone()),
        _ => None,
    });
    assert_eq!(written.collect::<Vec<_>>(), [[0, 0, 0, 3]]);
}

#[test]
fn a_stream_whose_frames_are_lost_is_opened_again_and_nobody_is_written_to_meanwhile() {
    let map = MAP.replace("gtnet-skt", "opal-asyncip").replace("gtnetx2", "none");
    let map = map.replace("\"integer\"", "\"float\"");
    let mut bench = Bench::of(make_of(&map, "carrier = \"stream\"", &[]).unwrap());
    bench.step(10, GatewayInput::LineUp { network: 0 });
    let reopened = |bench: &Bench| {
        let wanted = GatewayOutput::Reopen { network: 0 };
        bench.out.iter().filter(|output| **output == wanted).count()
    };
    // A length that no header of the map has.
    bench.bytes(20, vec![0xFF; 40]);
    assert_eq!(reopened(&bench), 1);
    bench.bytes(30, vec![0xFF; 40]);
    assert_eq!(reopened(&bench), 1, "once for each connection");
    bench.step(40, GatewayInput::LineDown { network: 0 });
    bench.step(50, GatewayInput::LineUp { network: 0 });
    bench.bytes(60, vec![0xFF; 40]);
    assert_eq!(reopened(&bench), 2);
}

#[test]
fn silence_is_reported_once_and_its_end_too() {
    let mut bench = Bench::new("");
    for second in 1..20 {
        bench.step(second * 1000, GatewayInput::Wake);
    }
    bench.bytes(20_100, frame(0.23, 5.0, 230));
    bench.step(21_000, GatewayInput::Wake);
    assert_eq!(
        bench.events(GatewayEventKind::DeviceUnreachable),
        ["simulator feeder: no sample for 5.0 s"]
    );
    assert_eq!(bench.events(GatewayEventKind::DeviceReachable), ["simulator feeder sends again"]);
}

#[test]
fn a_restart_loses_and_doubles_nothing_that_was_kept() {
    let mut bench = Bench::new("");
    bench.bytes(100, frame(0.23, 5.0, 230));
    bench.step(1000, GatewayInput::Disconnected);
    bench.bytes(1100, frame(0.24, 5.0, 230));
    bench.step(2000, GatewayInput::Wake);
    let sent = bench.readings().len();
    // What was due when the link broke is kept, and goes out when it is there again.
    assert_eq!((sent, bench.adapter.unacknowledged()), (0, 4));
    bench.adapter = make("", &bench.kept).unwrap();
    bench.out.clear();
    bench.step(2500, GatewayInput::Connected);
    let mut numbers: Vec<_> =
        bench.readings().into_iter().map(|(device, _, serial, _)| (device, serial)).collect();
    bench.bytes(2600, frame(0.25, 5.0, 230));
    bench.step(3000, GatewayInput::Wake);
    numbers.extend(
        bench.readings().into_iter().skip(4).map(|(device, _, serial, _)| (device, serial)),
    );
    let expected = |serial| [("house-1".to_owned(), serial), ("house-2".to_owned(), serial)];
    assert_eq!(numbers, [expected(1), expected(2), expected(3)].concat());
}

#[test]
fn a_wrong_byte_order_is_named() {
    let mut bench = Bench::new("");
    let mut reversed = Vec::new();
    for word in frame(0.23, 5.0, 230).chunks(4) {
        reversed.extend(word.iter().rev());
    }
    for time in 1..10 {
        bench.bytes(time * 100, reversed.clone());
    }
    let reported = bench.events(GatewayEventKind::ValueRefused);
    assert!(reported.iter().any(|text| text.contains("reverse order")), "{reported:?}");
}

#[test]
fn every_mistake_of_the_map_is_reported() {
    let wrong = MAP.replace("kV", "kA").replace("\"rack\"", "1");
    let Err(reported) = make_of(&wrong, "", &[]) else { panic!("a map with mistakes was taken") };
    assert!(reported.iter().any(|message| message.starts_with("line 12:")), "{reported:?}");
}

#[test]
fn by_the_simulator_s_clock_a_sample_belongs_to_the_period_in_which_it_was_taken() {
    let map = MAP.replace("gtnet-skt", "gtnet-skt-header");
    let mut bench = Bench::of(make_of(&map, "", &[]).unwrap());
    // Its clock is 30 ms behind: what it took at 990 ms comes at 1020 ms.
    let send = |bench: &mut Bench, taken: i64, volts: i32| {
        let seconds = (START + SimDuration::from_milliseconds(taken)).0 / 1_000_000_000;
        let words = [taken as i32, seconds as i32, (taken % 1000) as i32 * 1_000_000];
        let head: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bench.bytes(taken + 30, [head, frame(0.23, 5.0, volts)].concat());
    };
    for taken in [800, 900] {
        send(&mut bench, taken, 230);
    }
    // The last sample that a period can have ends it: no timer is waited for.
    assert_eq!(bench.readings().len(), 2);
    send(&mut bench, 1000, 240);
    send(&mut bench, 980, 100);
    assert_eq!(bench.events(GatewayEventKind::AnswerRefused).len(), 1);
    // A lost last sample is waited for, not forever.
    bench.step(2029, GatewayInput::Wake);
    assert_eq!(bench.readings().len(), 2);
    bench.step(2250, GatewayInput::Wake);
    let readings = bench.readings();
    assert_eq!(readings[1].1, 1000);
    assert_eq!(readings[1].3, [("electricity.voltage.rms.l1", 230.0)]);
    assert_eq!((readings[3].1, readings[3].3[0].1), (2000, 240.0));
}

#[test]
fn a_simulator_whose_clock_jitters_loses_no_sample_at_the_end_of_a_period() {
    let map = MAP.replace("gtnet-skt", "gtnet-skt-header");
    let mut bench = Bench::of(make_of(&map, "", &[]).unwrap());
    let send = |bench: &mut Bench, taken: i64, volts: i32| {
        let seconds = (START + SimDuration::from_milliseconds(taken)).0 / 1_000_000_000;
        let words = [taken as i32, seconds as i32, (taken % 1000) as i32 * 1_000_000];
        let head: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bench.bytes(taken + 1, [head, frame(0.23, 5.0, volts)].concat());
    };
    // 100 ms apart by the map: what was taken at 930 ms looks like the last one, and is not.
    for taken in [100, 930, 999] {
        send(&mut bench, taken, 230);
    }
    assert!(bench.readings().is_empty());
    send(&mut bench, 1004, 240);
    assert!(bench.events(GatewayEventKind::AnswerRefused).is_empty());
    let readings = bench.readings();
    assert_eq!((readings.len(), readings[1].1), (2, 1000));
    assert_eq!(readings[1].3, [("electricity.voltage.rms.l1", 230.0)]);
    // Without a further sample it goes out a while after the period is over.
    send(&mut bench, 1960, 240);
    bench.step(2190, GatewayInput::Wake);
    assert_eq!(bench.readings().len(), 2);
    bench.step(2210, GatewayInput::Wake);
    assert_eq!(bench.readings().len(), 4);
}
