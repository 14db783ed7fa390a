//! Whether a channel has a steady fundamental over a stretch: one whose phase advances evenly.
//!
//! The stretch is cut into blocks of two cycles, half a cycle apart, each weighted by a Hann window
//! and demodulated at a frequency near the fundamental's. Direct and harmonic components lie on the
//! zeros of such a block. From one block to the next a steady fundamental turns by the same angle,
//! give or take noise and a slow drift of the frequency; the inception of a fault, a phase jump, a
//! decaying direct component or the end of the signal shows as a turn unlike the others. How much
//! of that may be noise follows from what sines at the fundamental and its multiples leave of a
//! block by least squares: a jump is in few blocks, noise in all.
//!
//! Terms: a *turn* is the angle in radians between two successive blocks, less that of the
//! frequency demodulated with; *noise* is the standard deviation of a turn that the residue of a
//! block alone would cause.

use std::f64::consts::PI;
use std::ops::Range;

use super::sines::{Sines, fit};
use crate::numeric::{oscillate, wrap};

const HALF_CYCLES_PER_BLOCK: usize = 4;

/// Samples per cycle above which samples are averaged in groups.
const SAMPLES_PER_CYCLE_MAX: f64 = 64.0;

/// Turns from which on the frequency may drift and what swings may be distinguished from what
/// jumps: ten cycles.
pub(crate) const MANY_TURNS: usize = 16;

/// A turn this far from the others is a jump whatever the noise, in radians, among many and among
/// few. Nearly half of a jump of the phase is in its largest turn, and one of 0.01 rad in the
/// middle of a window moves its frequency by 20 mHz.
const JUMP_MIN_RAD: f64 = 3e-3;
const JUMP_OF_FEW_MIN_RAD: f64 = 2e-3;

/// A turn beyond this many times the noise is a jump, among many and among few, all blocks of which
/// may have the jump in them.
const NOISE_RATIO_MAX: f64 = 6.0;
const NOISE_RATIO_OF_FEW_MAX: f64 = 3.0;

/// A turn beyond this many times the scatter of many is one, too: what swings evenly, as with an
/// interharmonic, stays within.
const SCATTER_RATIO_MAX: f64 = 2.2;

/// Where noise or scatter are larger, in radians, there is no fundamental to speak of.
const NOISE_MAX: f64 = 0.1;

/// Part of a block's power, about its mean and slope, that the fundamental has: more than the last
/// of something that decays.
const SHARE_MIN: f64 = 0.25;

/// Change of the turn from block to block that is taken for a drift of the frequency: 10 Hz/s at
/// 50 Hz; and what noise adds to it.
const DRIFT_MAX: f64 = 6e-3;
const DRIFT_OF_NOISE: f64 = 0.3;

/// Ratio of the levels of two successive blocks beyond which a signal begins, ends or rings down.
const LEVEL_RATIO: f64 = 1.25;

/// What was found from block to block: as many of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Turns {
    /// NaN where there is nothing to turn.
    pub(crate) turn: Vec<f64>,
    noise: Vec<f64>,
    /// The fundamental's part of a block's power about its mean and slope.
    share: Vec<f64>,
    /// Level of the later block relative to the earlier one.
    ratio: Vec<f64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    averaged: Vec<f64>,
    cos: Vec<f64>,
    sin: Vec<f64>,
    sums: Vec<[f64; 6]>,
    sines: Sines,
    found: Turns,
    sorted: Vec<f64>,
}

impl Memory {
    /// Whether the fundamental near `frequency` (cycles per sample) is steady over the stretch of
    /// `length` samples from `start` on. A stretch of less than two blocks is not.
    pub(crate) fn is_steady(
        &mut self,
        samples: &[f64],
        (start, length): (f64, f64),
        frequency: f64,
    ) -> bool {
        let group = ((1.0 / frequency / SAMPLES_PER_CYCLE_MAX) as usize).max(1);
        let end = ((start + length).max(0.0).ceil() as usize).min(samples.len());
        let mut averaged = std::mem::take(&mut self.averaged);
        average(&samples[..end], group, &mut averaged);
        let scale = group as f64;
        let span = ((start - 0.5 * (scale - 1.0)) / scale, length / scale);
        let mut found = std::mem::take(&mut self.found);
        self.turns(&averaged, span, frequency * scale, &mut found);
        let turns = found.turn.len();
        let mut is_steady = turns > 0 && self.are_even(&found, 0..turns);
        if turns < MANY_TURNS {
            let cycles = length * frequency;
            is_steady &= fit(&averaged, span.0, cycles, frequency * scale).is_some();
        }
        (self.averaged, self.found) = (averaged, found);
        is_steady
    }

    /// What turns from block to block in a stretch.
    pub(crate) fn turns(
        &mut self,
        samples: &[f64],
        (start, length): (f64, f64),
        frequency: f64,
        found: &mut Turns,
    ) {
        let Turns { turn: turns, noise: noises, share: shares, ratio: ratios } = found;
        for list in [&mut *turns, &mut *noises, &mut *shares, &mut *ratios] {
            list.clear();
        }
        let half = 0.5 / frequency;
        let count = (length / half + 1e-3).floor() as usize;
        if count <= HALF_CYCLES_PER_BLOCK {
            return;
        }
        self.half_cycles(samples, (start, half), count, frequency);
        self.sines.prepare(frequency);
        let mut before: Option<(f64, f64)> = None;
        for block in 0..=count - HALF_CYCLES_PER_BLOCK {
            let (re, im) = hann(&self.sums[block..block + HALF_CYCLES_PER_BLOCK], block);
            let level = (re * re + im * im).sqrt();
            if let Some((re0, im0)) = before {
                let (x, y) = (re * re0 + im * im0, im * re0 - re * im0);
                let is_there = x != 0.0 || y != 0.0;
                turns.push(if is_there { libm::atan2(y, x) } else { f64::NAN });
                let first = (start + half * block as f64).max(0.0).ceil() as usize;
                let (noise, share) = self.sines.rest(samples, first, level);
                noises.push(noise);
                shares.push(share);
                ratios.push(level / (re0 * re0 + im0 * im0).sqrt());
            }
            before = Some((re, im));
        }
    }

    /// The sums over each half cycle of the samples times exp(-j w n), times exp(-j w n / 2) and
    /// times exp(-j 3 w n / 2), n being counted from `start`.
    fn half_cycles(
        &mut self,
        samples: &[f64],
        (start, half): (f64, f64),
        count: usize,
        frequency: f64,
    ) {
        let limit = |k: usize| {
            let at = (start + half * k as f64).max(0.0).ceil() as usize;
            at.min(samples.len())
        };
        let (first, last) = (limit(0), limit(count));
        let step = PI * frequency;
        let Self { cos, sin, sums, .. } = self;
        oscillate((first as f64 - start) * step, step, last - first, cos, sin);
        sums.clear();
        for k in 0..count {
            let (from, to) = (limit(k), limit(k + 1));
            let (cos, sin) = (&cos[from - first..to - first], &sin[from - first..to - first]);
            sums.push(half_cycle(&samples[from..to], cos, sin));
        }
    }

    /// Whether a range of turns is that of a steady fundamental.
    pub(crate) fn are_even(&mut self, found: &Turns, range: Range<usize>) -> bool {
        let Some(turns) = found.turn.get(range.clone()).filter(|turns| !turns.is_empty()) else {
            return false;
        };
        let levels = 1.0 / LEVEL_RATIO..=LEVEL_RATIO;
        let is_there = turns.iter().all(|turn| turn.is_finite())
            && found.ratio[range.clone()].iter().all(|ratio| levels.contains(ratio))
            && found.share[range.clone()].iter().all(|share| *share >= SHARE_MIN);
        let noise = self.noise(found, range);
        if !is_there || noise > NOISE_MAX {
            return false;
        }
        // About the first, so that none is cut by the limit of half a turn.
        let about = turns[0];
        let off = |k: usize| wrap(turns[k] - about);
        if turns.len() < MANY_TURNS {
            let [_, largest] = self.spread(turns.len(), off);
            return largest <= JUMP_OF_FEW_MIN_RAD.max(NOISE_RATIO_OF_FEW_MAX * noise);
        }
        let drift = self.drift(turns.len(), off);
        let straight = self.spread(turns.len(), off);
        let drifting = self.spread(turns.len(), |k| off(k) - drift * k as f64);
        let is_drift = drifting[0] < straight[0];
        let [scatter, largest] = if is_drift { drifting } else { straight };
        scatter <= NOISE_MAX
            && (!is_drift || drift.abs() <= DRIFT_MAX + DRIFT_OF_NOISE * noise.max(scatter))
            && largest <= JUMP_MIN_RAD.max(NOISE_RATIO_MAX * noise).max(SCATTER_RATIO_MAX * scatter)
    }

    pub(crate) fn noise(&mut self, found: &Turns, range: Range<usize>) -> f64 {
        self.sorted.clear();
        self.sorted.extend_from_slice(&found.noise[range]);
        // What jumps is in some of the blocks, and makes their residue larger.
        self.quantile(0.2)
    }

    /// The standard deviation of turns about their median if most are normal scatter, and the
    /// farthest from it.
    fn spread(&mut self, count: usize, turn: impl Fn(usize) -> f64) -> [f64; 2] {
        self.sorted.clear();
        self.sorted.extend((0..count).map(&turn));
        let middle = self.quantile(0.5);
        self.sorted.clear();
        self.sorted.extend((0..count).map(|k| (turn(k) - middle).abs()));
        let largest = self.sorted.iter().copied().fold(0.0, f64::max);
        // A quarter of normal scatter is within 0.3186 standard deviations.
        [self.quantile(0.25) / 0.3186, largest]
    }

    /// The median of the slopes between any two of the turns (Theil and Sen).
    fn drift(&mut self, count: usize, turn: impl Fn(usize) -> f64) -> f64 {
        self.sorted.clear();
        for later in 1..count {
            let slope = |k: usize| (turn(later) - turn(k)) / (later - k) as f64;
            self.sorted.extend((0..later).map(slope));
        }
        self.quantile(0.5)
    }

    /// A quantile of what is in `sorted`, which it reorders.
    fn quantile(&mut self, part: f64) -> f64 {
        let place = (part * self.sorted.len() as f64) as usize;
        if place >= self.sorted.len() {
            return f64::INFINITY;
        }
        *self.sorted.select_nth_unstable_by(place, f64::total_cmp).1
    }
}

/// Replaces neighbouring samples by their mean, group by group.
pub(crate) fn average(samples: &[f64], group: usize, averaged: &mut Vec<f64>) {
    averaged.clear();
    let part = 1.0 / group.max(1) as f64;
    let groups = samples.chunks_exact(group.max(1));
    averaged.extend(groups.map(|group| part * group.iter().sum::<f64>()));
}

/// A block under the Hann window, from the sums of its half cycles.
fn hann(halves: &[[f64; 6]], block: usize) -> (f64, f64) {
    let sum = |part: usize| halves.iter().map(|sums| sums[part]).sum::<f64>();
    let [re, im, slow_re, slow_im, fast_re, fast_im] =
        [sum(0), sum(1), sum(2), sum(3), sum(4), sum(5)];
    // The window's own cosine has turned by a quarter since the block before.
    let (c, s) = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][block % 4];
    let re = 0.5 * re - 0.25 * (slow_re * c + slow_im * s + fast_re * c - fast_im * s);
    let im = 0.5 * im - 0.25 * (slow_im * c - slow_re * s + fast_im * c + fast_re * s);
    (re, im)
}

/// The sums of [`Memory::half_cycles`] over one of them; `cos` and `sin` are of half the angle.
fn half_cycle(x: &[f64], cos: &[f64], sin: &[f64]) -> [f64; 6] {
    let mut sums = [0.0; 6];
    for ((x, c), s) in x.iter().zip(cos).zip(sin) {
        let (c2, s2) = (c * c - s * s, 2.0 * c * s);
        let (c3, s3) = (c2 * c - s2 * s, s2 * c + c2 * s);
        sums[0] += x * c2;
        sums[1] -= x * s2;
        sums[2] += x * c;
        sums[3] -= x * s;
        sums[4] += x * c3;
        sums[5] -= x * s3;
    }
    sums
}

/// The frequency that a mean turn stands for, relative to the one demodulated with.
pub(crate) fn ratio(turn: f64) -> f64 {
    1.0 + turn / PI
}

/// How many half cycles so many turns cover.
pub(crate) fn halves(turns: usize) -> usize {
    turns + HALF_CYCLES_PER_BLOCK
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATE_HZ: f64 = 4000.0;

    /// Twelve cycles at 50 Hz of what a phase in radians and an amplitude make, with a harmonic.
    fn wave(phase: impl Fn(f64) -> f64, amplitude: impl Fn(f64) -> f64) -> Vec<f64> {
        let value = |t: f64| {
            let angle = TAU * 50.0 * t + phase(t);
            amplitude(t) * (angle.cos() + 0.1 * (5.0 * angle).cos()) + 3.0
        };
        (0..(0.24 * RATE_HZ) as usize).map(|k| value(k as f64 / RATE_HZ)).collect()
    }

    fn steady(samples: &[f64]) -> bool {
        let span = (3.4, 0.2 * RATE_HZ);
        Memory::default().is_steady(samples, span, 50.0 / RATE_HZ)
    }

    /// White noise between -0.5 and 0.5, by a fixed rule.
    fn noise(seed: &mut u64, count: usize) -> Vec<f64> {
        let next = |_| {
            *seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) as f64 / 2f64.powi(31) - 0.5
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn turns_are_those_of_the_frequency_whatever_is_on_it() {
        for hz in [49.0, 50.0, 50.7] {
            let samples = wave(|t| TAU * (hz - 50.0) * t, |_| 325.0);
            let mut found = Turns::default();
            Memory::default().turns(&samples, (7.3, 800.0), 50.0 / RATE_HZ, &mut found);
            assert_eq!((found.turn.len(), found.noise.len()), (16, 16));
            for turn in found.turn {
                assert!((ratio(turn) * 50.0 - hz).abs() < 0.02, "{hz}: {}", ratio(turn) * 50.0);
            }
        }
    }

    #[test]
    fn a_fundamental_is_steady_until_its_phase_jumps() {
        assert!(steady(&wave(|_| 0.3, |_| 325.0)));
        // A fluctuation, and a frequency that falls by 5 Hz/s, leave the phase even.
        assert!(steady(&wave(|_| 0.3, |t| if t < 0.1 { 325.0 } else { 315.0 })));
        assert!(steady(&wave(|t| -TAU * 2.5 * t * t, |_| 325.0)));
        for (jump_deg, is_steady) in [(0.3, true), (1.5, false), (20.0, false), (120.0, false)] {
            for at_s in [0.04, 0.1, 0.17] {
                let jumps = |t: f64| if t < at_s { 0.0 } else { f64::to_radians(jump_deg) };
                assert_eq!(steady(&wave(jumps, |_| 325.0)), is_steady, "{jump_deg} {at_s}");
            }
        }
    }

    #[test]
    fn noise_does_not_make_a_fundamental_jump_nor_hide_that_it_does() {
        let mut seed = 3_u64;
        let mut jumps_seen = 0;
        for k in 0..300 {
            // A signal-to-noise ratio of 25 dB.
            let noise = noise(&mut seed, 960);
            let with_noise = |samples: Vec<f64>| -> Vec<f64> {
                samples.iter().zip(&noise).map(|(x, n)| x + 45.0 * n).collect()
            };
            assert!(steady(&with_noise(wave(|_| f64::from(k), |_| 325.0))), "{k}");
            let jumps = |t: f64| if t < 0.09 { f64::from(k) } else { f64::from(k) + 0.2 };
            jumps_seen += u32::from(!steady(&with_noise(wave(jumps, |_| 325.0))));
        }
        assert!(jumps_seen >= 297, "{jumps_seen}");
    }

    #[test]
    fn what_ends_decays_or_is_noise_is_not_steady() {
        assert!(!steady(&wave(|_| 0.3, |t| if t < 0.1 { 325.0 } else { 0.0 })));
        assert!(!steady(&[0.0; 960]) && !steady(&[7.0; 960]) && !steady(&[]));
        let direct = |t: f64| if t < 0.07 { 0.0 } else { 300.0 * (-(t - 0.07) / 0.04).exp() };
        let fault: Vec<f64> = (0..)
            .zip(wave(|_| 0.3, |_| 325.0))
            .map(|(k, x)| x + direct(f64::from(k) / RATE_HZ))
            .collect();
        assert!(!steady(&fault));
        let rings = wave(|t| -TAU * 3.0 * t, |t| 325.0 * (-t / 0.02).exp());
        assert!(!steady(&rings));
        let mut seed = 7_u64;
        for _ in 0..300 {
            assert!(!steady(&noise(&mut seed, 960)));
        }
    }
}
