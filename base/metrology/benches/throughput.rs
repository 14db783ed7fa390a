//! Channel-samples per second of the whole 10-cycle job: `throughput RATE_HZ PHASES RUNS`.
//!
//! Sums, powers, synchronisation, resampling, lines, groups and interharmonics of 50 orders, from
//! 20 s of signal in memory that is pushed in pieces of 0.2 s. Prints two figures per run, from the
//! processor time the process has had: the windows alone, and with one-cycle values beside them
//! (RMS values and power, refreshed every half cycle), which other analysers compute along.

#![expect(clippy::print_stdout, reason = "its result")]

use lastmeter_metrology::events::HalfCycles;
use lastmeter_metrology::{EngineConfig, WindowEngine};
use rustix::time::{ClockId, clock_gettime};

/// Seconds this process has had of a processor: other work on the machine does not count.
fn processor_s() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + 1e-9 * now.tv_nsec as f64
}

/// A fundamental with a fifth harmonic, 5 % in voltages and 40 % in currents.
fn wave(rate_hz: f64, channel: usize, phases: usize) -> Vec<f64> {
    let is_voltage = channel < phases;
    let (peak, fifth) = if is_voltage { (325.269, 0.05) } else { (14.142, 0.4) };
    let turn = (channel % phases) as f64 / 3.0;
    (0..(20.0 * rate_hz) as usize)
        .map(|k| {
            let angle = std::f64::consts::TAU * (50.02 * k as f64 / rate_hz - turn);
            peak * (angle.sin() + fifth * (5.0 * angle).sin())
        })
        .collect()
}

/// One-cycle values beside the windows: RMS values and power, refreshed every half cycle.
struct Cycles {
    half: Vec<HalfCycles>,
    sum: f64,
}

impl Cycles {
    fn new(rate_hz: f64, phases: usize) -> Self {
        Self { half: vec![HalfCycles::new(rate_hz, 50.0); phases], sum: 0.0 }
    }

    fn push(&mut self, cut: &[&[f64]]) {
        let (voltages, currents) = cut.split_at(self.half.len());
        for ((half, u), i) in self.half.iter_mut().zip(voltages).zip(currents) {
            half.push_pair(u, i);
            while let Some(value) = half.pop() {
                self.sum += value.rms + value.current.map_or(0.0, |(_, p_w)| p_w);
            }
        }
    }
}

/// One pass over the signal, perhaps with one-cycle values: channel-samples per second.
fn run(channels: &[Vec<f64>], rate_hz: f64, phases: usize, has_cycles: bool) -> f64 {
    let config = EngineConfig { harmonics: true, ..EngineConfig::new(rate_hz, 50.0, phases) };
    let mut engine = WindowEngine::new(config).expect("a good configuration");
    let mut cycles = has_cycles.then(|| Cycles::new(rate_hz, phases));
    let count = channels[0].len();
    let piece = (0.2 * rate_hz) as usize;
    let begin = processor_s();
    let mut windows = 0;
    let mut sum = 0.0;
    for first in (0..count).step_by(piece) {
        let last = (first + piece).min(count);
        let cut: Vec<&[f64]> = channels.iter().map(|c| &c[first..last]).collect();
        engine.push(&cut[..phases], &cut[phases..]).expect("good samples");
        if let Some(cycles) = &mut cycles {
            cycles.push(&cut);
        }
        while let Some(window) = engine.pop() {
            windows += 1;
            let harmonics = window.phases[0].harmonics.as_ref().expect("asked for");
            sum += harmonics.u.thd_pct().expect("a fundamental");
        }
    }
    let seconds = processor_s() - begin;
    // Also what keeps the work from being left out.
    assert!((sum / f64::from(windows) - 5.0).abs() < 0.005 && windows >= 99);
    assert!(cycles.is_none_or(|cycles| cycles.sum > 0.0));
    (count * channels.len()) as f64 / seconds
}

fn main() {
    let numbers: Vec<f64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (rate_hz, phases, runs) = match numbers[..] {
        [rate_hz, phases, runs] => (rate_hz, phases as usize, runs as usize),
        _ => (20_000.0, 3, 3),
    };
    let channels: Vec<Vec<f64>> = (0..2 * phases).map(|c| wave(rate_hz, c, phases)).collect();
    for _ in 0..runs {
        let windows = run(&channels, rate_hz, phases, false);
        let with_cycles = run(&channels, rate_hz, phases, true);
        println!("{windows:.4e} {with_cycles:.4e}");
    }
}
