//! Speed of rendering, as tone-samples per second of one core: tones times channels times samples.
//! Twenty harmonics at 60 M samples per second are 1.2 G tone-samples.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_sim::{Block, ChannelSpectrum, Loop, Spectrum, Streams, Terminal, Tone};
use std::hint::black_box;

fn terminal(tones: u32, noise_rms: f64) -> Terminal {
    let lines = (1..=tones).map(|order| Tone {
        frequency_hz: 50.0 * f64::from(order),
        rms: 10.0 / f64::from(order),
        phase_rad: f64::from(order),
    });
    let channel = ChannelSpectrum { dc: 0.0, tones: lines.collect(), noise_rms };
    let spectrum = Spectrum {
        fundamental_hz: 50.0,
        voltages: vec![channel.clone(); 3],
        currents: vec![channel; 3],
    };
    Terminal::from_spectrum(spectrum, "bench", &Streams::new(1)).expect("three finite phases")
}

fn tones(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tones");
    for (tones, samples) in [(1, 7813), (10, 7813), (20, 7813), (50, 7813), (20, 1000), (20, 100)] {
        let terminal = terminal(tones, 0.0);
        let mut block = Block::default();
        let name = BenchmarkId::new(format!("{tones} tones x 6"), format!("{samples} samples"));
        group.throughput(Throughput::Elements(u64::from(tones) * 6 * samples as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| terminal.render(black_box(123_456_789), 7812.5, samples, &mut block));
        });
    }
    group.finish();
}

/// Elements are samples of one channel here.
fn others(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("channel-samples");
    let samples = 7813;
    group.throughput(Throughput::Elements(6 * samples as u64));
    let noisy = terminal(1, 1.0);
    let mut block = Block::default();
    group.bench_function("1 tone and noise", |bencher| {
        bencher.iter(|| noisy.render(black_box(123_456_789), 7812.5, samples, &mut block));
    });
    let sine: Vec<f64> = (0..8000_u32).map(|k| (0.0075 * f64::from(k)).sin()).collect();
    let table = Loop::from_samples(&[sine.as_slice(); 3], &[sine.as_slice(); 3], 50_000.0)
        .expect("nine cycles");
    let played = Terminal::from_loop(table);
    group.bench_function("recording", |bencher| {
        bencher.iter(|| played.render(black_box(123_456_789), 7812.5, samples, &mut block));
    });
    group.finish();
}

criterion_group!(benches, tones, others);
criterion_main!(benches);
