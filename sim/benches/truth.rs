//! Speed of the reference values: one reading of the twenty values of a three-phase meter.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lastmeter_sim::{
    ChannelSpectrum, Loop, Netting, ReferenceSpan, Spectrum, Streams, Terminal, Tone,
};
use lastmeter_units::{MeasurementId, SimDuration};
use std::hint::black_box;

const VALUES: [&str; 20] = [
    "electricity.voltage.rms.l1",
    "electricity.voltage.rms.l2",
    "electricity.voltage.rms.l3",
    "electricity.current.rms.l1",
    "electricity.current.rms.l2",
    "electricity.current.rms.l3",
    "electricity.power.active.consumed.l1",
    "electricity.power.active.consumed.l2",
    "electricity.power.active.consumed.l3",
    "electricity.power.active.consumed.total",
    "electricity.power.active.injected.total",
    "electricity.power.reactive.consumed.total",
    "electricity.power.reactive.injected.total",
    "electricity.power.apparent.total",
    "electricity.energy.active.consumed.total",
    "electricity.energy.active.injected.total",
    "electricity.energy.reactive.consumed.total",
    "electricity.energy.apparent.total",
    "electricity.powerFactor.l1",
    "electricity.frequency",
];

fn stationary(tones: u32) -> Terminal {
    let lines = (1..=tones).map(|order| Tone {
        frequency_hz: 50.0 * f64::from(order),
        rms: 10.0 / f64::from(order),
        phase_rad: f64::from(order),
    });
    let channel = ChannelSpectrum { dc: 0.0, tones: lines.collect(), noise_rms: 0.1 };
    let spectrum = Spectrum {
        fundamental_hz: 50.0,
        voltages: vec![channel.clone(); 3],
        currents: vec![channel; 3],
    };
    Terminal::from_spectrum(spectrum, "bench", &Streams::new(1)).expect("three finite phases")
}

fn played() -> Terminal {
    let sine: Vec<f64> = (0..8000_u32).map(|k| (0.0075 * f64::from(k)).sin()).collect();
    Terminal::from_loop(
        Loop::from_samples(&[sine.as_slice(); 3], &[sine.as_slice(); 3], 50_000.0)
            .expect("9 cycles"),
    )
}

fn reading(criterion: &mut Criterion) {
    let ids = VALUES.map(|name| MeasurementId::lookup(name).expect("a registered identifier"));
    let span = ReferenceSpan {
        from: SimDuration::from_seconds(43_200),
        to: SimDuration::from_seconds(43_210),
        registers_from: SimDuration::ZERO,
    };
    let terminals = [
        ("1 tone x 6".to_owned(), stationary(1)),
        ("10 tones x 6".to_owned(), stationary(10)),
        ("50 tones x 6".to_owned(), stationary(50)),
        ("recording".to_owned(), played()),
    ];
    let mut group = criterion.benchmark_group("reading of 20 values");
    for (name, terminal) in &terminals {
        group.bench_function(BenchmarkId::new("shared", name), |bencher| {
            bencher.iter(|| {
                let truth = terminal.truth(black_box(span));
                ids.map(|id| truth.value(id, Netting::Net))
            });
        });
        group.bench_function(BenchmarkId::new("one by one", name), |bencher| {
            bencher.iter(|| ids.map(|id| terminal.reference(id, black_box(span), Netting::Net)));
        });
    }
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
