//! Coarse frequencies: fits of a sine by least squares, and an election among stretches.
//!
//! Works on channels whose samples are averaged in groups, which leaves a fundamental what it is.

use std::f64::consts::TAU;

use crate::numeric::{dot, oscillate};
use crate::sync::sines::golden;
use crate::sync::steady::average;

/// Samples per second above which samples are averaged in groups.
const RATE_MAX_HZ: f64 = 3200.0;

/// A stretch in s: three cycles of the lowest frequency.
const STRETCH_S: f64 = 0.0706;

/// Distance of the frequencies in a ballot, in Hz.
const STEP_HZ: f64 = 0.25;

/// Part of a channel's AC power the best sine must explain to be taken for a fundamental.
const EXPLAINED_MIN: f64 = 0.09;

/// How sharply a stretch votes for its best frequency: the power its relative fit is raised to.
const VOTE_EXPONENT: i32 = 8;

/// A sine and a cosine, without what a constant and a slope would explain of them.
#[derive(Debug)]
struct Sine {
    /// In cycles per averaged sample.
    frequency: f64,
    one: Vec<f64>,
    other: Vec<f64>,
}

/// The sines that stretches of one length are compared with.
#[derive(Debug)]
pub(super) struct Ballot {
    /// How many samples are averaged to make one of those that are looked at.
    pub(super) group: usize,
    length: usize,
    slope: Vec<f64>,
    sines: Vec<Sine>,
}

impl Ballot {
    /// For a range in Hz; `None` where the recording is shorter than a stretch.
    pub(super) fn new((low_hz, high_hz): (f64, f64), rate_hz: f64, samples: usize) -> Option<Self> {
        let group = ((rate_hz / RATE_MAX_HZ) as usize).max(1);
        let averaged_hz = rate_hz / group as f64;
        let most = (STRETCH_S * averaged_hz).ceil() as usize;
        // A recording of three cycles of a higher frequency may be shorter.
        let least = 3.0 / high_hz * averaged_hz - 1.0;
        let length = most.min(samples / group);
        if (length as f64) < least || length < 16 {
            return None;
        }
        let middle = 0.5 * (length - 1) as f64;
        let slope = normalised((0..length).map(|k| k as f64 - middle).collect());
        let count = ((high_hz - low_hz) / STEP_HZ) as usize;
        let sines = (0..=count).map(|k| {
            let frequency = (low_hz + STEP_HZ * k as f64) / averaged_hz;
            let (mut one, mut other) = (Vec::new(), Vec::new());
            oscillate(0.0, TAU * frequency, length, &mut one, &mut other);
            let one = normalised(without(without_mean(one), &[&slope]));
            let other = normalised(without(without_mean(other), &[&slope, &one]));
            Sine { frequency, one, other }
        });
        let sines = sines.collect();
        Some(Self { group, length, slope, sines })
    }

    /// The frequency (cycles per sample of the channel) that most stretches of a channel vote for:
    /// each with what it explains of the stretch relative to the best, and as heavily as the best
    /// does.
    pub(super) fn elect(&self, samples: &[f64]) -> Option<f64> {
        let mut averaged = Vec::new();
        average(samples, self.group, &mut averaged);
        let samples = averaged;
        let mut votes = vec![0.0; self.sines.len()];
        let mut explained = vec![0.0; self.sines.len()];
        for start in (0..=samples.len().saturating_sub(self.length)).step_by(self.length / 2) {
            let Some(stretch) = samples.get(start..start + self.length) else { break };
            let x = without(without_mean(stretch.to_vec()), &[&self.slope]);
            let power = dot(&x, &x);
            let total = dot(stretch, stretch);
            // What is left of a constant or a slope by rounding is no signal.
            if power <= 1e-20 * total {
                continue;
            }
            for (explained, sine) in explained.iter_mut().zip(&self.sines) {
                let (a, b) = (dot(&x, &sine.one), dot(&x, &sine.other));
                *explained = (a * a + b * b) / power;
            }
            let best = explained.iter().copied().fold(0.0, f64::max);
            if best >= EXPLAINED_MIN {
                for (vote, explained) in votes.iter_mut().zip(&explained) {
                    *vote += best * best * (explained / best).powi(VOTE_EXPONENT);
                }
            }
        }
        let best = votes.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let (place, _) = best.filter(|(_, vote)| **vote > 0.0)?;
        Some(self.sines[place].frequency / self.group as f64)
    }
}

/// Cycles from which on a slope is distinguished from a sine.
const SLOPE_CYCLES: f64 = 1.4;

/// The frequency (cycles per sample) within a range of the sine that fits samples best, beside a
/// constant and, where that can be distinguished, a slope; and the part of the other power that it
/// explains. `None` where that is hardly any.
pub(super) fn best_fit(samples: &[f64], (low, high): (f64, f64)) -> Option<(f64, f64)> {
    let length = samples.len();
    let middle = 0.5 * (length as f64 - 1.0);
    let slope = normalised((0..length).map(|k| k as f64 - middle).collect());
    let has_slope = length as f64 * low >= SLOPE_CYCLES;
    let beside: Vec<&Vec<f64>> = has_slope.then_some(&slope).into_iter().collect();
    let x = without(without_mean(samples.to_vec()), &beside);
    let power = dot(&x, &x);
    let explained = |frequency: f64| {
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        oscillate(0.0, TAU * frequency, length, &mut cos, &mut sin);
        let one = normalised(without(without_mean(cos), &beside));
        let others: Vec<&Vec<f64>> = beside.iter().copied().chain([&one]).collect();
        let other = normalised(without(without_mean(sin), &others));
        let (a, b) = (dot(&x, &one), dot(&x, &other));
        a * a + b * b
    };
    // A quarter of the resolution, and no coarser than a fortieth of the range.
    let step = (0.25 / length as f64).min((high - low) / 40.0);
    let count = ((high - low) / step).ceil() as usize;
    let mut best = (0.0, low);
    for k in 0..=count {
        let frequency = (low + step * k as f64).min(high);
        let explained = explained(frequency);
        if explained > best.0 {
            best = (explained, frequency);
        }
    }
    if power <= 0.0 || best.0 < EXPLAINED_MIN * power {
        return None;
    }
    let frequency = golden(best.1 - step, best.1 + step, 40, explained);
    let is_inside = (0.995 * low..=1.005 * high).contains(&frequency);
    is_inside.then_some((best.0 / power, frequency))
}

/// A list without its mean.
fn without_mean(mut x: Vec<f64>) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len().max(1) as f64;
    for x in &mut x {
        *x -= mean;
    }
    x
}

/// A list without what others, of unit length and at right angles to each other, explain of it.
fn without(mut x: Vec<f64>, others: &[&Vec<f64>]) -> Vec<f64> {
    for other in others {
        let part = dot(&x, other);
        x.iter_mut().zip(*other).for_each(|(x, y)| *x -= part * y);
    }
    x
}

/// A list of unit length; zeros where next to nothing is left of it.
fn normalised(mut x: Vec<f64>) -> Vec<f64> {
    let square = dot(&x, &x);
    let scale = if square > 1e-9 * x.len() as f64 { 1.0 / square.sqrt() } else { 0.0 };
    for x in &mut x {
        *x *= scale;
    }
    x
}
