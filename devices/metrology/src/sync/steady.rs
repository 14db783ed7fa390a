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

use std::f64::consts::{PI, TAU};

use crate::numeric::{dot, oscillate, wrap};

/// Half cycles in a block.
const HALVES: usize = 4;

/// Samples per second that are enough here; more are averaged in groups.
const ENOUGH_PER_CYCLE: f64 = 64.0;

/// Highest order that counts as harmonic and not as noise.
const ORDERS_MAX: usize = 13;

/// Turns from which on the frequency may drift and their own scatter tells more than the noise.
const MANY: usize = 8;

/// A turn this far from the others is a jump whatever the noise, in radians. Nearly half of a jump
/// of the phase is in its largest turn, and one of 0.01 rad in the middle of a window moves its
/// frequency by 20 mHz.
const JUMP: f64 = 0.005;

/// A turn beyond this many times the noise is a jump.
const NOISES: f64 = 6.0;

/// A turn beyond this many times the scatter of all is one, too: what swings evenly, as with an
/// interharmonic, stays within twice of it.
const SCATTERS: f64 = 3.0;

/// Where noise or scatter are larger, in radians, there is no fundamental to speak of.
const NOISE_MAX: f64 = 0.1;

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
    /// Level of the later block relative to the earlier one.
    ratio: Vec<f64>,
}

/// Working memory, kept between calls.
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

/// A constant, a slope, and cosine and sine of each order over a block, at right angles.
#[derive(Clone, Debug, Default)]
struct Sines {
    frequency: f64,
    columns: Vec<Vec<f64>>,
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
        let group = ((1.0 / frequency / ENOUGH_PER_CYCLE) as usize).max(1);
        let end = ((start + length).max(0.0).ceil() as usize).min(samples.len());
        let mut averaged = std::mem::take(&mut self.averaged);
        average(&samples[..end], group, &mut averaged);
        let scale = group as f64;
        let span = ((start - 0.5 * (scale - 1.0)) / scale, length / scale);
        let mut found = std::mem::take(&mut self.found);
        self.turns(&averaged, span, frequency * scale, &mut found);
        let is_steady = !found.turn.is_empty() && self.are_even(&found, 0..found.turn.len());
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
        let Turns { turn: turns, noise: noises, ratio: ratios } = found;
        turns.clear();
        noises.clear();
        ratios.clear();
        let half = 0.5 / frequency;
        let count = (length / half + 1e-3).floor() as usize;
        if count <= HALVES {
            return;
        }
        self.half_cycles(samples, (start, half), count, frequency);
        self.sines.prepare(frequency);
        let mut before: Option<(f64, f64)> = None;
        for block in 0..=count - HALVES {
            let (re, im) = hann(&self.sums[block..block + HALVES], block);
            let level = (re * re + im * im).sqrt();
            if let Some((re0, im0)) = before {
                let (x, y) = (re * re0 + im * im0, im * re0 - re * im0);
                let is_there = x != 0.0 || y != 0.0;
                turns.push(if is_there { libm::atan2(y, x) } else { f64::NAN });
                let first = (start + half * block as f64).max(0.0).ceil() as usize;
                noises.push(self.sines.noise(samples, first, level));
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
    pub(crate) fn are_even(&mut self, found: &Turns, range: std::ops::Range<usize>) -> bool {
        let Some(turns) = found.turn.get(range.clone()).filter(|turns| !turns.is_empty()) else {
            return false;
        };
        let levels = 1.0 / LEVEL_RATIO..=LEVEL_RATIO;
        let ratios = &found.ratio[range.clone()];
        if turns.iter().any(|turn| !turn.is_finite()) || ratios.iter().any(|r| !levels.contains(r))
        {
            return false;
        }
        self.sorted.clear();
        self.sorted.extend_from_slice(&found.noise[range]);
        // What jumps is in some of the blocks, and makes their residue larger.
        let noise = self.quantile(0.4);
        // About the first, so that none is cut by the limit of half a turn.
        let about = turns[0];
        let off = |k: usize| wrap(turns[k] - about);
        let is_long = turns.len() >= MANY;
        let drift = if is_long { self.drift(turns.len(), off) } else { 0.0 };
        let level = |k: usize| off(k) - drift * k as f64;
        self.sorted.clear();
        self.sorted.extend((0..turns.len()).map(level));
        let middle = self.quantile(0.5);
        self.sorted.clear();
        self.sorted.extend((0..turns.len()).map(|k| (level(k) - middle).abs()));
        let largest = self.sorted.iter().copied().fold(0.0, f64::max);
        // The standard deviation of normal scatter, from this quantile of it.
        let scatter = if is_long { 1.907 * self.quantile(0.4) } else { 0.0 };
        noise <= NOISE_MAX
            && scatter <= NOISE_MAX
            && drift.abs() <= DRIFT_MAX + DRIFT_OF_NOISE * noise.max(scatter)
            && largest <= JUMP.max(NOISES * noise).max(SCATTERS * scatter)
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

impl Sines {
    /// Makes the columns for a frequency (cycles per sample), if they are those of another.
    fn prepare(&mut self, frequency: f64) {
        // Over two cycles the highest order is then off by some milliradians.
        if (frequency / self.frequency - 1.0).abs() < 2e-5 {
            return;
        }
        self.frequency = frequency;
        let length = (2.0 / frequency).round() as usize;
        let orders = ((0.45 / frequency) as usize).min(ORDERS_MAX).min(length / 3);
        let middle = 0.5 * (length as f64 - 1.0);
        self.columns.clear();
        self.add(vec![1.0; length]);
        self.add((0..length).map(|k| k as f64 - middle).collect());
        for order in 1..=orders {
            let (mut cos, mut sin) = (Vec::new(), Vec::new());
            oscillate(0.0, TAU * frequency * order as f64, length, &mut cos, &mut sin);
            self.add(cos);
            self.add(sin);
        }
    }

    /// Adds what a column has that the others have not, at unit length.
    fn add(&mut self, mut column: Vec<f64>) {
        for other in &self.columns {
            let part = dot(&column, other);
            column.iter_mut().zip(other).for_each(|(x, y)| *x -= part * y);
        }
        let square = dot(&column, &column);
        if square > 1e-6 * column.len() as f64 {
            let scale = 1.0 / square.sqrt();
            column.iter_mut().for_each(|x| *x *= scale);
            self.columns.push(column);
        }
    }

    /// The noise of a turn for a block that begins at a sample and has a level: what the columns
    /// leave of the samples, as white noise under the Hann window.
    fn noise(&self, samples: &[f64], first: usize, level: f64) -> f64 {
        let length = self.columns.first().map_or(0, Vec::len);
        let free = length.saturating_sub(self.columns.len());
        let end = (first + length).min(samples.len());
        let Some(x) = end.checked_sub(length).and_then(|first| samples.get(first..end)) else {
            return f64::INFINITY;
        };
        let square = dot(x, x);
        let explained: f64 = self.columns.iter().map(|column| dot(x, column).powi(2)).sum();
        let deviation = ((square - explained).max(0.0) / free.max(1) as f64).sqrt();
        let peak = 4.0 * level / length as f64;
        // The phase of a block has sqrt(3/n) of the deviation over the peak, its difference to the
        // next 0.826 times as much.
        0.826 * (3.0 / length as f64).sqrt() * deviation / peak
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
    turns + HALVES
}

#[cfg(test)]
mod tests {
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
