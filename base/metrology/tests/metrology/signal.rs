//! Signals whose quantities are known in closed form.
//!
//! Expected values come from the drawn amplitudes and phases alone, never from the code under test.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_metrology::{EngineConfig, Window, WindowEngine};

/// RMS value, order (multiple of the fundamental) and phase in degrees (cosine convention).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tone {
    pub(crate) rms: f64,
    pub(crate) order: f64,
    pub(crate) phase_deg: f64,
}

/// A tone of a whole or broken order.
pub(crate) fn tone(order: f64, rms: f64, phase_deg: f64) -> Tone {
    Tone { rms, order, phase_deg }
}

/// `count` samples of a sum of tones.
pub(crate) fn render(tones: &[Tone], fundamental_hz: f64, rate_hz: f64, count: usize) -> Vec<f64> {
    (0..count)
        .map(|k| {
            let cycles = fundamental_hz * k as f64 / rate_hz;
            tones
                .iter()
                .map(|t| {
                    let turns = (t.order * cycles).fract();
                    SQRT_2 * t.rms * (TAU * turns + t.phase_deg.to_radians()).cos()
                })
                .sum()
        })
        .collect()
}

/// RMS of a sum of tones of different orders.
pub(crate) fn rms(tones: &[Tone]) -> f64 {
    tones.iter().map(|t| t.rms * t.rms).sum::<f64>().sqrt()
}

/// Active power: only equal orders contribute.
pub(crate) fn power(u: &[Tone], i: &[Tone]) -> f64 {
    u.iter()
        .flat_map(|a| i.iter().map(move |b| (a, b)))
        .filter(|(a, b)| a.order == b.order)
        .map(|(a, b)| a.rms * b.rms * (a.phase_deg - b.phase_deg).to_radians().cos())
        .sum()
}

/// All windows of one phase, pushed at once.
pub(crate) fn windows(
    rate_hz: f64,
    nominal_hz: f64,
    u: &[f64],
    i: &[f64],
    harmonics: bool,
) -> Vec<Window> {
    let config = EngineConfig { harmonics, ..EngineConfig::new(rate_hz, nominal_hz, 1) };
    let mut engine = WindowEngine::new(config).expect("a good configuration");
    engine.push(&[u], &[i]).expect("good samples");
    engine.finish();
    std::iter::from_fn(|| engine.pop()).collect()
}

/// Relative difference in parts per million.
pub(crate) fn ppm(found: f64, expected: f64) -> f64 {
    1e6 * (found - expected) / expected
}
