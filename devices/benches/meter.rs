//! How fast a meter is stepped: readings per second in closed form, channel samples per second
//! sample by sample.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_devices::{DEVICES, Device, DeviceContext, Feed, Input, Output};
use lastmeter_params::{Diagnostics, read_text};
use lastmeter_sim::{Block, ChannelSpectrum, Spectrum, Streams, Terminal, Tone};
use lastmeter_units::{HardwareId, SimDuration, SimTime};

const RATE_HZ: f64 = 7812.5;

fn meter(model: &str, toml: &str) -> Box<dyn Device> {
    let kind = DEVICES.iter().find(|kind| kind.entry.name == model).expect("a model");
    let values = read_text(toml, &[kind.entry.fields]).expect("valid fields");
    let streams = Streams::new(1);
    let context = DeviceContext {
        name: "home",
        hardware_id: HardwareId::new("home").expect("a valid id"),
        start: SimTime(0),
        node: None,
        streams: &streams,
        phases: 3,
        has_spectrum: true,
    };
    let mut device =
        (kind.build)(&values, &context, &mut Diagnostics::new()).expect("fields that fit");
    device.step(SimTime(0), Input::Connected, &mut Vec::new());
    device
}

/// Three phases with 20 harmonics each, and as many interharmonics as asked for.
fn spectrum(interharmonics: u32) -> Spectrum {
    let channel = |rms: f64, phase: f64| {
        let tone = |order: f64, part: f64| Tone {
            frequency_hz: 50.03 * order,
            rms: rms * part,
            phase_rad: phase * order,
        };
        let harmonics = (2..=21).map(|order| tone(f64::from(order), 0.02));
        let between = (0..interharmonics).map(|k| tone(1.73 + f64::from(k), 0.01));
        ChannelSpectrum {
            dc: 0.0,
            tones: std::iter::once(tone(1.0, 1.0)).chain(harmonics).chain(between).collect(),
            noise_rms: 0.0,
        }
    };
    let angles = [0.0, -2.094, 2.094];
    Spectrum {
        fundamental_hz: 50.03,
        voltages: angles.iter().map(|&angle| channel(230.0, angle)).collect(),
        currents: angles.iter().map(|&angle| channel(10.0, angle - 0.5)).collect(),
    }
}

fn acknowledge(device: &mut dyn Device, now: SimTime, out: &mut Vec<Output>) {
    for output in std::mem::take(out) {
        if let Output::Send { message, .. } = black_box(output) {
            device.step(now, Input::Acknowledged { message }, out);
        }
    }
}

fn windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("meter, windows, 20 values every 10 s");
    group.throughput(Throughput::Elements(1));
    for interharmonics in [0, 2] {
        let spectrum = Arc::new(spectrum(interharmonics));
        group.bench_function(format!("{interharmonics} interharmonics"), |bencher| {
            let mut device = meter("stpm34-3ph", "fidelity = \"windows\"\ntotals_only = true");
            let (mut until, mut out) = (SimDuration::ZERO, Vec::new());
            bencher.iter(|| {
                until = until + SimDuration::from_seconds(10);
                let input =
                    Input::Spectrum { until, spectrum: Arc::clone(&spectrum), celsius: 23.0 };
                device.step(SimTime(0) + until, input, &mut out);
                acknowledge(device.as_mut(), SimTime(0) + until, &mut out);
            });
        });
    }
    group.finish();
}

fn samples(criterion: &mut Criterion) {
    const SAMPLES: usize = 15_625;
    let terminal = Terminal::from_spectrum(spectrum(0), "g", &Streams::new(1)).expect("a terminal");
    // Two seconds that are played again and again: what is measured is speed.
    let mut block = Block::default();
    terminal.render(0, RATE_HZ, SAMPLES, &mut block);
    let mut group = criterion.benchmark_group("meter, samples, channel samples");
    group.throughput(Throughput::Elements(6 * SAMPLES as u64));
    for (name, toml) in [
        ("with noise", ""),
        ("without noise", "voltage_noise = \"0 V\"\ncurrent_noise = \"0 A\""),
        ("with a phase error", "phase_error = \"0.1 deg\""),
    ] {
        group.bench_function(name, |bencher| {
            let mut device = meter("stpm34-3ph", toml);
            let (mut first_sample, mut out) = (0, Vec::new());
            bencher.iter(|| {
                let block = block.clone();
                let input = Input::Samples { first_sample, rate_hz: RATE_HZ, block };
                first_sample += SAMPLES as u64;
                let now = SimTime(0) + SimDuration::from_seconds_f64(first_sample as f64 / RATE_HZ);
                device.step(now, input, &mut out);
                acknowledge(device.as_mut(), now, &mut out);
            });
        });
    }
    group.finish();
}

/// Three phases with 20 harmonics are rendered and go through a meter of 12.8 kS/s; counted are its
/// converters' samples.
fn synthesis_and_meter(criterion: &mut Criterion) {
    const SAMPLES: usize = 4096;
    let terminal = Terminal::from_spectrum(spectrum(0), "g", &Streams::new(1)).expect("a terminal");
    let mut group = criterion.benchmark_group("20 harmonics rendered and measured");
    group.throughput(Throughput::Elements(6 * SAMPLES as u64));
    for (name, toml) in [
        ("gain, offset and 24 bits", "voltage_gain_error = \"1 %\"\ncurrent_offset = \"1 mA\""),
        ("and white noise", "voltage_snr = 90\ncurrent_snr = 90"),
        ("and a phase error", "phase_error = \"0.1 deg\""),
        ("and a skew", "skew = \"5 us\""),
        ("and jitter", "jitter = \"10 ns\""),
        ("and an RC", "anti_alias = \"3 kHz\""),
        ("and sinc^3", "decimation = \"sinc3\""),
    ] {
        let toml = format!("bits = 24\n{toml}");
        group.bench_function(name, |bencher| {
            let mut device = meter("ideal-3ph", &toml);
            let Feed::Samples { rate_hz } = device.feed() else { panic!("no samples") };
            let samples = SAMPLES * (rate_hz / 12_800.0).round() as usize;
            let (mut first_sample, mut out) = (0, Vec::new());
            bencher.iter(|| {
                let mut block = Block::default();
                terminal.render(first_sample, rate_hz, samples, &mut block);
                let input = Input::Samples { first_sample, rate_hz, block };
                first_sample += samples as u64;
                let now = SimTime(0) + SimDuration::from_seconds_f64(first_sample as f64 / rate_hz);
                device.step(now, input, &mut out);
                acknowledge(device.as_mut(), now, &mut out);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, windows, samples, synthesis_and_meter);
criterion_main!(benches);
