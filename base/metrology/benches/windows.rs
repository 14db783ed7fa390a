//! Channel-samples per second of the window engine: three phases, pushed in pieces of 0.2 s.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lastmeter_metrology::{EngineConfig, WindowEngine};

/// A distorted wave of 2 s.
fn wave(rate_hz: f64, phase_rad: f64) -> Vec<f64> {
    (0..(2.0 * rate_hz) as usize)
        .map(|k| {
            let angle = std::f64::consts::TAU * 50.02 * k as f64 / rate_hz + phase_rad;
            325.0 * angle.cos() + 16.0 * (5.0 * angle).cos() + 9.0 * (7.0 * angle).cos()
        })
        .collect()
}

fn windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("windows");
    for rate_hz in [7812.5, 50_000.0] {
        let channels: Vec<Vec<f64>> = (0..6).map(|k| wave(rate_hz, f64::from(k))).collect();
        let piece = (0.2 * rate_hz) as usize;
        group.throughput(Throughput::Elements(6 * channels[0].len() as u64));
        for harmonics in [false, true] {
            let name = if harmonics { "with harmonics" } else { "basic" };
            let config = EngineConfig { harmonics, ..EngineConfig::new(rate_hz, 50.0, 3) };
            group.bench_function(BenchmarkId::new(name, rate_hz), |bencher| {
                let mut engine = WindowEngine::new(config.clone()).expect("a good configuration");
                bencher.iter(|| {
                    let mut windows = 0;
                    for first in (0..channels[0].len()).step_by(piece) {
                        let last = (first + piece).min(channels[0].len());
                        let cut: Vec<&[f64]> = channels.iter().map(|c| &c[first..last]).collect();
                        engine.push(&cut[..3], &cut[3..]).expect("good samples");
                        while engine.pop().is_some() {
                            windows += 1;
                        }
                    }
                    windows
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);
