//! From samples to the phasors before a fault and during it.
//!
//! A phasor is that of one cycle of `N` samples (32 at 1,600 Hz and 50 Hz), as its RMS value:
//!
//! ```text
//! X = sqrt(2) / N  sum x[k] exp(-j 2 pi k / N)
//! ```
//!
//! with `k` counted from the first sample of the recording, so that angles of different cycles
//! compare. A window that straddles the inception is the phasor of neither state. The inception is
//! the first sample that differs from the one a cycle before by more than noise explains; cycles
//! before it and after it are averaged, a clearing that follows is left out. After a switching a
//! current has a decaying offset, `d exp(-t / T)`, which a Fourier transform of one cycle does not
//! suppress: it is fitted together with the phasor, over some time constants `T`. Samples that a
//! recorder cut off at the end of its range are left out of the fit.

use std::f64::consts::{SQRT_2, TAU};

use lastmeter_grid::Complex64;
use lastmeter_grid::block::{apply, inverse};
use lastmeter_grid::fault_search::{Observation, Phasors};
use lastmeter_units::{SimDuration, SimTime};
use thiserror::Error;

use super::Recording;

/// The most cycles that are averaged.
const CYCLES_MAX: usize = 20;
/// Fewest samples of a cycle.
const SAMPLES_MIN: usize = 8;
/// Time constants that are tried, in cycles.
const TIME_CONSTANTS: [f64; 8] = [0.15, 0.25, 0.4, 0.6, 0.9, 1.4, 2.2, 3.5];
/// Noise of a phasor's component that is assumed at least, as a share of the largest phasor.
const NOISE_MIN: f64 = 2e-4;

/// Why a recording shows no fault.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum PhasorError {
    /// Cycles are no whole number of samples.
    #[error(
        "{rate_hz} samples per second at {frequency_hz} Hz: expected a whole number, at \
             least 8, of samples per cycle"
    )]
    Rate {
        /// Samples per second.
        rate_hz: f64,
        /// Rated frequency.
        frequency_hz: f64,
    },
    /// Samples that are not numbers.
    #[error("samples are not finite")]
    NotFinite,
    /// Nothing changes, or too early or too late.
    #[error("no inception of a fault with a whole cycle before and after it")]
    NoInception,
}

/// What a recording shows of a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The phasors of both states, against the same instant, and their noise.
    pub observation: Observation,
    /// When the fault began, to about a sample.
    pub inception: SimTime,
    /// How many cycles before it were averaged.
    pub cycles_before: usize,
    /// How many after it.
    pub cycles_during: usize,
}

/// The phasors of a recording before a fault and during it.
///
/// # Errors
/// If the samples do not show a fault with a clean cycle on both sides.
pub fn measure(recording: &Recording, frequency_hz: f64) -> Result<Measured, PhasorError> {
    let cycle = samples_per_cycle(recording.rate_hz, frequency_hz)?;
    let samples = recording.samples();
    let channels: [&[f64]; 6] = std::array::from_fn(|at| &recording.channels[at][..samples]);
    if !channels.iter().all(|channel| channel.iter().all(|it| it.is_finite())) {
        return Err(PhasorError::NotFinite);
    }
    let inception = inception(&channels, cycle).ok_or(PhasorError::NoInception)?;
    let guard = cycle / 8;
    let cycles_before = (inception.saturating_sub(guard) / cycle).min(CYCLES_MAX);
    let begin = inception.saturating_sub(guard).saturating_sub(cycles_before * cycle);
    let before = Window { begin, cycles: cycles_before, cycle };
    let during = during(&channels, inception, cycle).ok_or(PhasorError::NoInception)?;
    if cycles_before == 0 {
        return Err(PhasorError::NoInception);
    }
    let (before, _) = before.phasors(&channels, false);
    let (cycles_during, (during, noise)) = (during.cycles, during.phasors(&channels, true));
    let largest = |of: &[Complex64; 3]| of.iter().map(|it| it.norm()).fold(0.0, f64::max);
    let floor = |noise: f64, one: &[Complex64; 3], other: &[Complex64; 3]| {
        noise.max(NOISE_MIN * largest(one).max(largest(other)))
    };
    let since = SimDuration::from_seconds_f64(inception as f64 / recording.rate_hz);
    Ok(Measured {
        observation: Observation {
            before,
            during,
            voltage_sigma_v: floor(noise[0], &before.voltage_v, &during.voltage_v),
            current_sigma_a: floor(noise[1], &before.current_a, &during.current_a),
        },
        inception: SimTime(recording.first.0.saturating_add(since.0)),
        cycles_before,
        cycles_during,
    })
}

fn samples_per_cycle(rate_hz: f64, frequency_hz: f64) -> Result<usize, PhasorError> {
    let samples = rate_hz / frequency_hz;
    let is_whole = (samples - samples.round()).abs() < 1e-6 * samples;
    if !(is_whole && (SAMPLES_MIN as f64..1e4).contains(&samples)) {
        return Err(PhasorError::Rate { rate_hz, frequency_hz });
    }
    Ok(samples.round() as usize)
}

/// The first sample from which a channel differs from the cycle before for a while.
fn inception(channels: &[&[f64]; 6], cycle: usize) -> Option<usize> {
    let samples = channels[0].len();
    let first_of = |channel: &&[f64]| {
        let change = |at: usize| (channel[at] - channel[at - cycle]).abs();
        let usual = (cycle..(2 * cycle).min(samples)).map(|at| change(at).powi(2)).sum::<f64>();
        let usual = (usual / cycle as f64).sqrt();
        let peak = channel.iter().take(cycle).fold(0.0f64, |peak, it| peak.max(it.abs()));
        let threshold = (6.0 * usual).max(0.05 * peak);
        let is_sustained = |at: usize| {
            let next = at..(at + cycle / 4).min(samples);
            next.filter(|&it| change(it) > threshold).count() >= cycle / 8
        };
        (2 * cycle..samples).find(|&at| change(at) > threshold && is_sustained(at))
    };
    channels.iter().filter_map(first_of).min()
}

/// The clean cycles after an inception: until the fault is cleared or changes.
fn during(channels: &[&[f64]; 6], inception: usize, cycle: usize) -> Option<Window> {
    let samples = channels[0].len();
    // Fast oscillations of the first moments are left out where there is time.
    let is_long = samples.saturating_sub(inception) >= 3 * cycle + cycle / 4;
    let begin = inception + if is_long { cycle / 4 } else { 1 };
    let last = samples.checked_sub(cycle).filter(|last| *last >= begin)?;
    let currents = |at: usize| -> [Complex64; 3] {
        std::array::from_fn(|k| phasor(&channels[3 + k][at..at + cycle], at))
    };
    let mut end = last;
    let mut at = begin + cycle;
    while at <= last {
        let (now, earlier) = (currents(at), currents(at - cycle));
        let size = now.iter().chain(&earlier).map(|it| it.norm()).fold(0.0, f64::max);
        let change = now.iter().zip(&earlier).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
        if change > 0.35 * size {
            end = at.saturating_sub(cycle).max(begin);
            break;
        }
        at += (cycle / 4).max(1);
    }
    Some(Window { begin, cycles: ((end - begin) / cycle + 1).min(CYCLES_MAX), cycle })
}

/// The phasor of one cycle of samples, of which the first has this index.
fn phasor(samples: &[f64], begin: usize) -> Complex64 {
    let cycle = samples.len();
    let sum: Complex64 =
        samples.iter().enumerate().map(|(k, x)| turn((begin + k) % cycle, cycle) * *x).sum();
    sum * (SQRT_2 / cycle as f64)
}

fn turn(sample: usize, cycle: usize) -> Complex64 {
    Complex64::from_polar(1.0, -TAU * sample as f64 / cycle as f64)
}

/// Whole cycles of samples.
#[derive(Clone, Copy, Debug)]
struct Window {
    begin: usize,
    cycles: usize,
    cycle: usize,
}

impl Window {
    /// The phasors of all channels, and the noise of each component of a voltage and of a current.
    fn phasors(self, channels: &[&[f64]; 6], has_offset: bool) -> (Phasors, [f64; 2]) {
        let end = self.begin + self.cycles * self.cycle;
        let cut: [&[f64]; 6] = std::array::from_fn(|at| &channels[at][self.begin..end]);
        let wave: Vec<Complex64> =
            (self.begin..end).map(|at| turn(at % self.cycle, self.cycle).conj() * SQRT_2).collect();
        let taken = cut.map(unclipped);
        let fit = |decay: &[f64]| -> [Fit; 6] {
            std::array::from_fn(|at| fit(cut[at], &taken[at], &wave, decay))
        };
        let mut best = fit(&[]);
        if has_offset {
            let energy = cut.map(|of| of.iter().map(|it| it * it).sum::<f64>());
            let left = |fits: &[Fit; 6]| -> f64 {
                let share = |(fit, energy): (&Fit, f64)| fit.remaining / energy;
                fits.iter().zip(energy).filter(|it| it.1 > 0.0).map(share).sum()
            };
            for cycles in TIME_CONSTANTS {
                let by_sample = (-1.0 / (cycles * self.cycle as f64)).exp();
                let decay: Vec<f64> = std::iter::successors(Some(1.0), |it| Some(it * by_sample))
                    .take(end - self.begin)
                    .collect();
                let fits = fit(&decay);
                if left(&fits) < left(&best) {
                    best = fits;
                }
            }
        }
        let noise = |fits: &[Fit]| {
            let remaining: f64 = fits.iter().map(|it| it.remaining).sum();
            let count: f64 = fits.iter().map(|it| it.count).sum();
            (remaining / (count - 12.0).max(1.0)).sqrt() / (count / 3.0).sqrt().max(1.0)
        };
        let phasors = Phasors {
            voltage_v: std::array::from_fn(|k| best[k].phasor),
            current_a: std::array::from_fn(|k| best[3 + k].phasor),
        };
        (phasors, [noise(&best[..3]), noise(&best[3..])])
    }
}

/// Which samples are not cut off at the end of the channel's range.
fn unclipped(samples: &[f64]) -> Vec<bool> {
    let largest = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let is_end = |at: usize| samples.get(at).is_some_and(|it| *it == largest || *it == smallest);
    (0..samples.len())
        .map(|at| !(is_end(at) && (is_end(at + 1) || is_end(at.wrapping_sub(1)))))
        .collect()
}

/// A channel over a window.
#[derive(Clone, Copy, Debug)]
struct Fit {
    phasor: Complex64,
    /// Sum of the squares of what is left.
    remaining: f64,
    /// How many samples were taken.
    count: f64,
}

/// Least squares of a phasor, and of a decay where one is given. Over whole cycles without a decay
/// that is the mean of the phasors of one cycle.
fn fit(samples: &[f64], taken: &[bool], wave: &[Complex64], decay: &[f64]) -> Fit {
    let row = |at: usize| {
        let wave = wave[at];
        [wave.re, -wave.im, decay.get(at).copied().unwrap_or(0.0)]
    };
    let (mut normal, mut right, mut count) = ([[0.0; 3]; 3], [0.0; 3], 0.0);
    let those = || (0..samples.len()).filter(|at| taken[*at]);
    for at in those() {
        let row = row(at);
        for ((right, normal), value) in right.iter_mut().zip(&mut normal).zip(row) {
            *right += value * samples[at];
            normal.iter_mut().zip(row).for_each(|(entry, other)| *entry += value * other);
        }
        count += 1.0;
    }
    if decay.is_empty() {
        normal[2][2] = 1.0;
    }
    let Some(inverse) = inverse::<f64, 3>(&normal) else {
        let energy = samples.iter().map(|it| it * it).sum();
        return Fit { phasor: Complex64::ZERO, remaining: energy, count };
    };
    let found = apply(&inverse, &right);
    let left = |at: usize| {
        let row = row(at);
        (samples[at] - row[0] * found[0] - row[1] * found[1] - row[2] * found[2]).powi(2)
    };
    let remaining = those().map(left).sum();
    Fit { phasor: Complex64::new(found[0], found[1]), remaining, count }
}
