//! The fault recorder: when it triggers, which samples its block has and how well they are known,
//! against plain loops over the waveform that it was given.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_devices::{Device, DeviceFault, ERROR_PREFIX, EventKind, Feed, Input, Output};
use lastmeter_params::Code;
use lastmeter_sim::Block as Samples;
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_wire::block::{Block, decode_block};
use lastmeter_wire::flexmeter::{AlertMessage, DecodeRules, Request, decode};

use crate::behaviour::{answer, command, events};
use crate::support::{START, meter, refused_by};

const FIELDS: &str = "rated_voltage = \"11547 V\"\nrated_current = \"200 A\"\n";
const RATE_HZ: f64 = 1600.0;
const VOLTS: f64 = 11_547.0;

/// Three voltages and three currents, sample by sample.
type Wave = [Vec<f64>; 6];

/// So many samples of rated voltages and 100 A; `factor` is by how much a channel is larger.
fn wave(samples: usize, factor: impl Fn(usize, usize) -> f64) -> Wave {
    std::array::from_fn(|channel| {
        let rms = if channel < 3 { VOLTS } else { 100.0 };
        let angle = -TAU / 3.0 * (channel % 3) as f64;
        let value = |at: usize| {
            let phase = TAU * 50.0 * at as f64 / RATE_HZ + angle + 0.3;
            SQRT_2 * rms * factor(channel, at) * phase.sin()
        };
        (0..samples).map(value).collect()
    })
}

/// The first sample with which the r.m.s. of a cycle is above or below a limit.
fn crossing(values: &[f64], is_beyond: impl Fn(f64) -> bool) -> u64 {
    let rms = |at: usize| {
        let squares: f64 = values[at - 31..=at].iter().map(|value| value * value).sum();
        (squares / 32.0).sqrt()
    };
    (31..values.len()).find(|at| is_beyond(rms(*at))).expect("a crossing") as u64
}

/// Hands a waveform over in pieces of so many samples.
fn play(device: &mut dyn Device, wave: &Wave, piece: usize) -> Vec<Output> {
    let mut out = Vec::new();
    for from in (0..wave[0].len()).step_by(piece) {
        let to = wave[0].len().min(from + piece);
        let part =
            |channels: &[Vec<f64>]| channels.iter().map(|it| it[from..to].to_vec()).collect();
        let block = Samples {
            voltages: part(&wave[..3]),
            currents: part(&wave[3..]),
            temperatures: Vec::new(),
        };
        let input = Input::Samples { first_sample: from as u64, rate_hz: RATE_HZ, block };
        device.step(at(to as u64), input, &mut out);
    }
    out
}

fn at(sample: u64) -> SimTime {
    START + SimDuration::from_seconds_f64(sample as f64 / RATE_HZ)
}

fn payloads(out: &[Output]) -> Vec<&Vec<u8>> {
    let sent = out.iter().filter_map(|output| match output {
        Output::Send { payload, .. } => Some(payload),
        _ => None,
    });
    sent.collect()
}

/// Blocks and the alerts behind them.
fn recorded(out: &[Output]) -> Vec<(Block, AlertMessage)> {
    let sent = payloads(out);
    let pairs = sent.chunks(2).map(|pair| {
        let block = decode_block(pair[0]).expect("a block");
        match decode(pair[1], &DecodeRules::default()) {
            Ok(Request::Alert(alert)) => (block, alert),
            other => panic!("{other:?}"),
        }
    });
    pairs.collect()
}

fn connected(fields: &str) -> Box<dyn Device> {
    let mut device = meter("fault-recorder", fields, 3);
    device.step(START, Input::Connected, &mut Vec::new());
    device
}

/// A fault of 12 cycles in phase 2: ten times the current from sample 1000 on.
fn faulted() -> Wave {
    wave(3000, |channel, at| if channel == 4 && (1000..1384).contains(&at) { 10.0 } else { 1.0 })
}

#[test]
fn a_block_has_the_samples_around_the_first_crossing_within_half_a_count() {
    let wave = faulted();
    for piece in [1, 37, 3000] {
        let mut device = connected(FIELDS);
        assert_eq!(device.feed(), Feed::Samples { rate_hz: RATE_HZ });
        let all = recorded(&play(device.as_mut(), &wave, piece));
        let [(block, alert)] = &all[..] else { panic!("{} blocks", all.len()) };
        let trigger = crossing(&wave[4], |rms| rms > 300.0);
        assert!((1000..1032).contains(&trigger));
        assert_eq!((block.epoch.0, block.serial.0, block.rate_hz), (1, 1, RATE_HZ));
        assert_eq!(block.samples_per_channel(), 20 * 32);
        let first = trigger - 8 * 32;
        assert_eq!(block.first, at(first));
        let names: Vec<&str> =
            block.channels.iter().map(|one| MeasurementId::name(one.id)).collect();
        let of =
            |what: &str| ["l1", "l2", "l3"].map(|it| format!("electricity.{what}.instant.{it}"));
        assert_eq!(names, [of("voltage"), of("current")].concat());
        for (channel, truth) in block.channels.iter().zip(&wave) {
            // 12 bits of which one is the sign; ranges of 2 and 20 times the rated value.
            let rms = if channel.id.name().contains("voltage") { 2.0 * VOLTS } else { 4000.0 };
            assert!((channel.scale - rms * SQRT_2 / 2047.0).abs() < 1e-9 * channel.scale);
            for (found, truth) in channel.values().zip(&truth[first as usize..]) {
                assert!(
                    (found - truth).abs() <= 0.500_000_1 * channel.scale,
                    "{found} for {truth}"
                );
            }
        }
        assert_eq!((&*alert.alert_type, alert.event_date), ("fault.recorded", Some(at(trigger))));
        let fact = |name: &str| alert.metadata[name].as_str();
        assert_eq!([fact("block"), fact("kind"), fact("phase")], ["1/1", "current", "l2"]);
        assert_eq!(alert.serial.map(|serial| serial.0), Some(1));
    }
}

#[test]
fn it_triggers_again_only_after_all_is_as_it_should_be() {
    // A dip to 70 % that lasts 40 cycles, then a swell, which it does not look for, and last a
    // short fault of three phases.
    let wave = wave(9600, |channel, at| match (channel, at) {
        (0, 1000..2280) => 0.7,
        (0, 4000..4640) => 1.3,
        (3.., 6000..6160) => 8.0,
        _ => 1.0,
    });
    let all = recorded(&play(connected(FIELDS).as_mut(), &wave, 100));
    let found: Vec<_> = all
        .iter()
        .map(|(block, alert)| {
            assert_eq!(alert.metadata["block"], format!("1/{}", block.serial.0));
            (block.serial.0, alert.metadata["kind"].clone(), alert.event_date)
        })
        .collect();
    let dip = crossing(&wave[0], |rms| rms < 0.8 * VOLTS);
    let fault = (3..6).map(|channel| crossing(&wave[channel], |rms| rms > 300.0)).min().unwrap();
    let expected =
        [(1, "voltage".to_owned(), Some(at(dip))), (2, "current".to_owned(), Some(at(fault)))];
    assert_eq!(found, expected);
    let quiet = self::wave(9600, |_, _| 1.0);
    assert!(play(connected(FIELDS).as_mut(), &quiet, 100).is_empty());
}

#[test]
fn what_is_not_acknowledged_is_sent_again_with_the_same_bytes() {
    let mut device = meter("fault-recorder", FIELDS, 3);
    assert!(play(device.as_mut(), &faulted(), 500).is_empty());
    assert_eq!(device.unacknowledged(), 2);
    let reconnect = |device: &mut Box<dyn Device>| {
        let mut out = Vec::new();
        device.step(at(3000), Input::Disconnected, &mut out);
        device.step(at(3000), Input::Connected, &mut out);
        out
    };
    let first = reconnect(&mut device);
    assert_eq!(recorded(&first).len(), 1);
    assert_eq!(reconnect(&mut device), first);
    let Output::Send { message, .. } = &first[0] else { panic!("{first:?}") };
    device.step(at(3000), Input::Acknowledged { message: *message }, &mut Vec::new());
    assert_eq!(payloads(&reconnect(&mut device)).len(), 1);
}

#[test]
fn what_is_beyond_its_range_is_clipped_and_noise_is_as_wide_as_it_is_stated() {
    let large = wave(3000, |channel, at| if channel == 3 && at >= 1000 { 60.0 } else { 1.0 });
    let all = recorded(&play(connected(FIELDS).as_mut(), &large, 3000));
    let counts = &all[0].0.channels[3].samples;
    assert_eq!((counts.iter().max(), counts.iter().min()), (Some(&2047), Some(&-2047)));
    let fields = format!("{FIELDS}noise = \"0.5 %\"\nbits = 16\n");
    let (wave, mut device) = (faulted(), connected(&fields));
    let all = recorded(&play(device.as_mut(), &wave, 3000));
    let block = &all[0].0;
    let first = block.first.since(START).as_seconds_f64() * RATE_HZ;
    for (channel, (rated, truth)) in
        block.channels.iter().zip([VOLTS; 3].into_iter().chain([200.0; 3]).zip(&wave))
    {
        let truth = &truth[first.round() as usize..];
        let squares: f64 =
            channel.values().zip(truth).map(|(one, other)| (one - other).powi(2)).sum();
        let found = (squares / 640.0).sqrt() / rated;
        // 640 draws: a standard deviation is known to 1/sqrt(1280), 2.8 %.
        assert!((found / 0.005 - 1.0).abs() < 0.12, "{}: {found}", channel.id);
    }
    // The same seed gives the same bytes.
    let again = play(connected(&fields).as_mut(), &wave, 3000);
    assert_eq!(decode_block(payloads(&again)[0]).as_ref(), Ok(block));
}

#[test]
fn a_block_that_is_too_large_is_not_accepted_and_commands_are_refused() {
    for (cycles, fits) in [(328, true), (668, false)] {
        let fields = format!("{FIELDS}before = {cycles}\nafter = 340\n");
        if fits {
            assert_eq!(meter("fault-recorder", &fields, 3).quantities(), []);
        } else {
            let found = refused_by("fault-recorder", &fields, 3, true);
            assert_eq!(found[0].code, Code::DOES_NOT_FIT, "{found:?}");
        }
    }
    let mut device = connected(FIELDS);
    let mut out = Vec::new();
    device.step(START, command("a", "ping", None), &mut out);
    assert_eq!(events(&out), [EventKind::CommandRefused]);
    assert!(answer(&out).response.starts_with(ERROR_PREFIX));
}

#[test]
fn one_that_hangs_records_nothing() {
    let mut device = connected(FIELDS);
    let hang = Input::Fault(DeviceFault::Freeze { until: None });
    device.step(START, hang, &mut Vec::new());
    assert!(payloads(&play(device.as_mut(), &faulted(), 500)).is_empty());
}
