//! Finding the fundamental of a recording nothing is known about.
//!
//! A sine with an offset is fitted by least squares at many frequencies; the best fit wins and is
//! refined. Works from one cycle on, unlike transforms, but harmonics bias it where there are only
//! one or two cycles; longer recordings are refined by the tracker.

use std::f64::consts::TAU;

use crate::numeric::{dot, oscillate};
use crate::recording::{AnalysisError, AnalysisInput};
use crate::sync::dft::{Scratch, estimate};

/// Frequencies looked for where the nominal one is not known (IEC 61000-4-30, both ranges).
const RANGE_HZ: (f64, f64) = (42.5, 69.0);

/// Part of a channel's AC power the best sine must explain to be taken for a fundamental.
const EXPLAINED_MIN: f64 = 0.09;

/// The stretch the first search uses, in seconds: long enough to tell 15 Hz apart.
const SEARCH_S: f64 = 0.2;

/// What a recording turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Acquired {
    /// The fundamental over the whole recording, in Hz.
    pub(crate) frequency_hz: f64,
    /// 50 or 60.
    pub(crate) nominal_hz: f64,
    /// The channel it was found in: voltages first, then currents.
    pub(crate) channel: usize,
    /// Whole cycles in the recording.
    pub(crate) cycles: u64,
}

/// Finds the fundamental of the first channel that has one.
pub(crate) fn acquire(input: &AnalysisInput<'_>) -> Result<Acquired, AnalysisError> {
    let (low_hz, high_hz) =
        input.nominal_hz.map_or(RANGE_HZ, |nominal| (0.85 * nominal, 1.15 * nominal));
    let found_s = input.samples() as f64 / input.rate_hz;
    // Half a sample is forgiven at the end.
    let forgiven_s = found_s + 0.5 / input.rate_hz;
    if forgiven_s * high_hz < 1.0 {
        return Err(AnalysisError::TooShort { found_s, cycle_s: 1.0 / high_hz });
    }
    let range = (low_hz / input.rate_hz, high_hz / input.rate_hz);
    let stretch = ((SEARCH_S * input.rate_hz).ceil() as usize).max(1);
    for (channel, (_, samples)) in input.channels().enumerate() {
        // A recording may begin before its signal does, so every stretch gets a chance.
        let starts = (0..samples.len()).step_by(stretch);
        let found = starts.into_iter().find_map(|start| {
            let end = samples.len().min(start + stretch);
            Some((start, search(&samples[start..end], range)?))
        });
        let Some((start, coarse)) = found else { continue };
        let frequency_hz = refine(&samples[start..], coarse) * input.rate_hz;
        // The search stops at the ends of the range; what lies beyond is no mains frequency.
        if !(0.995 * low_hz..=1.005 * high_hz).contains(&frequency_hz) {
            continue;
        }
        let cycles = (forgiven_s * frequency_hz).floor() as u64;
        if cycles == 0 {
            return Err(AnalysisError::TooShort { found_s, cycle_s: 1.0 / frequency_hz });
        }
        let guessed = if frequency_hz < 55.0 { 50.0 } else { 60.0 };
        let nominal_hz = input.nominal_hz.unwrap_or(guessed);
        return Ok(Acquired { frequency_hz, nominal_hz, channel, cycles });
    }
    Err(AnalysisError::NoPeriodicSignal { low_hz, high_hz })
}

/// The frequency (cycles per sample) within a range of the sine that fits a stretch best.
fn search(stretch: &[f64], (low, high): (f64, f64)) -> Option<f64> {
    let mean = stretch.iter().sum::<f64>() / stretch.len() as f64;
    let ac: Vec<f64> = stretch.iter().map(|x| x - mean).collect();
    let power = dot(&ac, &ac);
    // A quarter of the resolution of the stretch, and no coarser than a fortieth of the range.
    let step = (0.25 / stretch.len() as f64).min((high - low) / 40.0);
    let count = ((high - low) / step).ceil() as usize;
    let mut best = (0.0, low);
    for k in 0..=count {
        let frequency = (low + step * k as f64).min(high);
        let explained = explained(&ac, frequency);
        if explained > best.0 {
            best = (explained, frequency);
        }
    }
    if power <= 0.0 || best.0 < EXPLAINED_MIN * power {
        return None;
    }
    Some(golden(best.1 - step, best.1 + step, |f| explained(&ac, f)))
}

/// The sum of squares a sine with an offset explains at a frequency.
fn explained(x: &[f64], frequency: f64) -> f64 {
    let n = x.len() as f64;
    let (mut cos, mut sin) = (Vec::new(), Vec::new());
    oscillate(0.0, TAU * frequency, x.len(), &mut cos, &mut sin);
    let (mean_c, mean_s) = (cos.iter().sum::<f64>() / n, sin.iter().sum::<f64>() / n);
    let mean_x = x.iter().sum::<f64>() / n;
    let cc = dot(&cos, &cos) - n * mean_c * mean_c;
    let ss = dot(&sin, &sin) - n * mean_s * mean_s;
    let cs = dot(&cos, &sin) - n * mean_c * mean_s;
    let xc = dot(x, &cos) - n * mean_x * mean_c;
    let xs = dot(x, &sin) - n * mean_x * mean_s;
    let determinant = cc * ss - cs * cs;
    if determinant <= 1e-12 * n * n {
        return 0.0;
    }
    (xc * xc * ss - 2.0 * xc * xs * cs + xs * xs * cc) / determinant
}

/// Where a function with one maximum between `low` and `high` has it.
fn golden(mut low: f64, mut high: f64, value: impl Fn(f64) -> f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut value_a, mut value_b) = (value(a), value(b));
    for _ in 0..40 {
        if value_a > value_b {
            (high, b, value_b) = (b, a, value_a);
            a = high - RATIO * (high - low);
            value_a = value(a);
        } else {
            (low, a, value_a) = (a, b, value_b);
            b = low + RATIO * (high - low);
            value_b = value(b);
        }
    }
    0.5 * (low + high)
}

/// The mean frequency over all whole cycles, from stretches that double in length so that each is
/// near enough to the next one's answer. Fewer than three cycles stay as they are.
fn refine(samples: &[f64], coarse: f64) -> f64 {
    let mut scratch = Scratch::default();
    let mut frequency = coarse;
    let mut cycles = 10.0_f64;
    loop {
        let whole = ((samples.len() as f64 + 0.5) * frequency).floor();
        if whole < 3.0 {
            return frequency;
        }
        let stretch = cycles.min(whole);
        for _ in 0..4 {
            let length = (stretch / frequency).min(samples.len() as f64);
            match estimate(samples, 0.0, length, frequency, &mut scratch) {
                Some(found) if (found.frequency / frequency - 1.0).abs() < 0.1 => {
                    frequency = found.frequency;
                }
                _ => return frequency,
            }
        }
        if stretch >= whole {
            return frequency;
        }
        cycles *= 2.0;
    }
}
