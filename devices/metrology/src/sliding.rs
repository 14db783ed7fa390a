//! Values that are refreshed faster than once per window, and do not drift.
//!
//! [`SlidingPower`] is the sliding window of the published meter, refreshed at every sample:
//! sums of squares and of products are kept and the root is taken on output; the sums are begun
//! anew once per window, so rounding cannot add up. [`HalfCycleRms`] is the one-cycle value
//! refreshed every half cycle, Urms(1/2) of IEC 61000-4-30 (3.20 and 5.4), from zero crossings at
//! fractional positions; [`HalfCyclePower`] has the current and the power with it.

use std::collections::VecDeque;

use multiversion::multiversion;

use crate::edge::Edge;
use crate::numeric::{dot, dots};

/// RMS values and power of the latest whole number of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SlidingValue {
    /// RMS voltage in V.
    pub u_rms_v: f64,
    /// RMS current in A.
    pub i_rms_a: f64,
    /// Active power, the mean of u times i, in W.
    pub p_w: f64,
}

/// Sums of u^2, i^2 and u i.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    uu: f64,
    ii: f64,
    ui: f64,
}

impl Sums {
    fn add(&mut self, (u, i): (f64, f64)) {
        self.uu += u * u;
        self.ii += i * i;
        self.ui += u * i;
    }

    fn add_weighted(&mut self, weight: f64, (u, i): (f64, f64)) {
        self.uu += weight * u * u;
        self.ii += weight * i * i;
        self.ui += weight * u * i;
    }

    fn remove(&mut self, (u, i): (f64, f64)) {
        self.uu -= u * u;
        self.ii -= i * i;
        self.ui -= u * i;
    }
}

/// A sliding window over one voltage and its current, refreshed at every sample.
///
/// The length is a whole number of samples. What that costs off nominal frequency is the method's
/// own error: the value ripples at twice the fundamental by up to 1/(2 N) of it.
#[derive(Clone, Debug)]
pub struct SlidingPower {
    /// The samples of the window; the oldest is at `next` once the window is full.
    ring: Vec<(f64, f64)>,
    length: usize,
    next: usize,
    /// Sums over the ring.
    running: Sums,
    /// Sums over the samples since the last turn of the ring: they replace the running ones at the
    /// next.
    fresh: Sums,
}

impl SlidingPower {
    /// A window of `length` samples (at least one): the sampling rate over the frequency for one
    /// cycle.
    pub fn new(length: usize) -> Self {
        let length = length.max(1);
        let (running, fresh) = (Sums::default(), Sums::default());
        Self { ring: Vec::new(), length, next: 0, running, fresh }
    }

    /// Follows a changed frequency: the latest samples stay, as many as both lengths hold.
    pub fn set_length(&mut self, length: usize) {
        let length = length.max(1);
        if length == self.length {
            return;
        }
        let oldest = if self.ring.len() == self.length { self.next } else { 0 };
        self.ring.rotate_left(oldest);
        let surplus = self.ring.len().saturating_sub(length);
        let kept = self.ring.split_off(surplus);
        *self = Self::new(length);
        for (u, i) in kept {
            self.push(u, i);
        }
    }

    /// Takes one sample of each and tells the values over the latest window; `None` until the
    /// window is full. Values that are no finite numbers below 1e100 count as zero.
    pub fn push(&mut self, u: f64, i: f64) -> Option<SlidingValue> {
        let clean = |x: f64| if crate::engine::usable(x) { x } else { 0.0 };
        let sample = (clean(u), clean(i));
        if self.ring.len() < self.length {
            self.ring.push(sample);
        } else {
            let oldest = std::mem::replace(&mut self.ring[self.next], sample);
            self.running.remove(oldest);
        }
        self.running.add(sample);
        self.fresh.add(sample);
        self.next += 1;
        if self.next == self.length {
            self.next = 0;
            self.running = self.fresh;
            self.fresh = Sums::default();
        }
        (self.ring.len() == self.length).then(|| self.value())
    }

    fn value(&self) -> SlidingValue {
        let n = self.length as f64;
        let rms = |sum: f64| (sum.max(0.0) / n).sqrt();
        let Sums { uu, ii, ui } = self.running;
        SlidingValue { u_rms_v: rms(uu), i_rms_a: rms(ii), p_w: ui / n }
    }
}

/// Half-width of the edges of a half cycle, in samples. The squared voltage is nearly zero around
/// a zero crossing, so little of a step that begins there is smeared across it.
const HALF_CYCLE_EDGE_SAMPLES: f64 = 6.0;

/// One value of [`HalfCycleRms`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfCycleValue {
    /// Where the cycle starts, in samples since the first one.
    pub start: f64,
    /// Length of the cycle in samples: from its first zero crossing to the second after it.
    pub length: f64,
    /// RMS over the cycle, in the unit of the samples.
    pub rms: f64,
}

/// One value of [`HalfCyclePower`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfCyclePowerValue {
    /// Where the cycle starts, in samples since the first one.
    pub start: f64,
    /// Length of the cycle in samples: from its first zero crossing to the second after it.
    pub length: f64,
    /// The values over the cycle.
    pub value: SlidingValue,
}

/// The one-cycle RMS value refreshed every half cycle, Urms(1/2), of one channel.
///
/// As [`HalfCyclePower`], for a voltage or a current alone.
#[derive(Clone, Debug)]
pub struct HalfCycleRms(HalfCyclePower);

impl HalfCycleRms {
    /// As [`HalfCyclePower::new`].
    pub fn new(keep: usize) -> Self {
        Self(HalfCyclePower::new(keep))
    }

    /// Takes the next samples. Values that are no finite numbers below 1e100 count as zero.
    pub fn push_samples(&mut self, samples: &[f64]) {
        self.0.push_samples(samples, &[]);
    }

    /// As [`HalfCyclePower::push_crossing`].
    pub fn push_crossing(&mut self, position: f64) {
        self.0.push_crossing(position);
    }

    /// The next value.
    pub fn pop(&mut self) -> Option<HalfCycleValue> {
        let HalfCyclePowerValue { start, length, value } = self.0.pop()?;
        Some(HalfCycleValue { start, length, rms: value.u_rms_v })
    }
}

/// The one-cycle RMS values and power of a voltage and its current, refreshed every half cycle.
///
/// Feed it with samples and, in any order relative to them, with the positions of the fundamental's
/// zero crossings of either direction, in samples since the first one; a position may lie between
/// two samples. Each crossing from the third on completes one value as soon as the six samples
/// after it are there. Half cycles are summed once and shared by the two values they belong to, so
/// nothing drifts. Where a voltage is gone, give the crossings its fundamental would have had.
#[derive(Clone, Debug)]
pub struct HalfCyclePower {
    edge: &'static Edge,
    /// Samples from `base` on; no currents where none were ever given.
    u: Vec<f64>,
    i: Vec<f64>,
    base: u64,
    keep: usize,
    /// Crossings from the start of the half cycle to be summed next on.
    crossings: VecDeque<f64>,
    /// What the samples around the first of them are in the half cycle after it.
    rise: Sums,
    /// Start and sums of the latest half cycle.
    previous: Option<(f64, Sums)>,
    ready: VecDeque<HalfCyclePowerValue>,
}

impl HalfCyclePower {
    /// Keeps up to `keep` samples until their crossings are told: crossings further back than that
    /// are ignored. Two windows of ten cycles are enough for crossings taken from windows.
    pub fn new(keep: usize) -> Self {
        Self {
            edge: Edge::shared(),
            u: Vec::new(),
            i: Vec::new(),
            base: 0,
            keep,
            crossings: VecDeque::new(),
            rise: Sums::default(),
            previous: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next samples of both; what one has less than the other counts as zero, and so do
    /// values that are no finite numbers below 1e100.
    pub fn push_samples(&mut self, u: &[f64], i: &[f64]) {
        let before = self.u.len();
        let count = before + u.len().max(i.len());
        append(&mut self.u, u, count);
        if !i.is_empty() || !self.i.is_empty() {
            self.i.resize(before, 0.0);
            append(&mut self.i, i, count);
        }
        self.advance();
        self.forget();
    }

    /// Takes the next zero crossing, at a position in samples since the first one. Positions that
    /// do not lie after the one before are ignored.
    pub fn push_crossing(&mut self, position: f64) {
        let last = self.crossings.back().copied().unwrap_or(f64::NEG_INFINITY);
        let kept = self.u.len().saturating_sub(self.keep) as u64;
        let first_usable = (self.base + kept) as f64 + HALF_CYCLE_EDGE_SAMPLES - 1.0;
        let is_later = position > last && position >= first_usable;
        if is_later && position.is_finite() && position < 9e15 {
            self.crossings.push_back(position);
            self.advance();
        }
    }

    /// The next value.
    pub fn pop(&mut self) -> Option<HalfCyclePowerValue> {
        self.ready.pop_front()
    }

    /// Sums the half cycles that are complete.
    fn advance(&mut self) {
        while let (Some(&from), Some(&to)) = (self.crossings.front(), self.crossings.get(1)) {
            let end = self.base + self.u.len() as u64;
            if to + HALF_CYCLE_EDGE_SAMPLES > end as f64 {
                return;
            }
            self.crossings.pop_front();
            let sums = self.sums(from, to);
            if let (Some((start, before)), Some(sums)) = (self.previous, sums) {
                let length = to - start;
                let rms = |sum: f64| (sum.max(0.0) / length).sqrt();
                let value = SlidingValue {
                    u_rms_v: rms(before.uu + sums.uu),
                    i_rms_a: rms(before.ii + sums.ii),
                    p_w: (before.ui + sums.ui) / length,
                };
                self.ready.push_back(HalfCyclePowerValue { start, length, value });
            }
            self.previous = sums.map(|sums| (from, sums));
        }
    }

    /// The sums between two positions, with complementary smooth edges; `None` where samples are
    /// gone already. Positions nearer to each other than the edges are wide make no half cycle.
    fn sums(&mut self, from: f64, to: f64) -> Option<Sums> {
        let (inner_from, inner_to) = (self.index(from, 1.0)?, self.index(to, -1.0)?);
        let rise = std::mem::take(&mut self.rise);
        let (mut sums, next_rise) = self.edge_sums(to)?;
        self.rise = next_rise;
        let rise = if self.previous.is_some() { rise } else { self.edge_sums(from)?.1 };
        let u = self.u.get(inner_from..inner_to)?;
        let [uu, ii, ui] = match self.i.get(inner_from..inner_to) {
            Some(i) => dots(u, i),
            None => [dot(u, u), 0.0, 0.0],
        };
        sums.uu += rise.uu + uu;
        sums.ii += rise.ii + ii;
        sums.ui += rise.ui + ui;
        Some(sums)
    }

    /// The first sample kept that is not before a position plus some half-widths of an edge.
    fn index(&self, position: f64, edges: f64) -> Option<usize> {
        let position = (position + edges * HALF_CYCLE_EDGE_SAMPLES).ceil().max(0.0) as u64;
        usize::try_from(position.checked_sub(self.base)?).ok()
    }

    /// What the samples around a crossing are in the half cycles before and after it.
    fn edge_sums(&self, crossing: f64) -> Option<(Sums, Sums)> {
        let (first, last) = (self.index(crossing, -1.0)?, self.index(crossing, 1.0)?);
        let (mut fall, mut rise) = (Sums::default(), Sums::default());
        let from_base = crossing - self.base as f64;
        for k in first..last.min(self.u.len()) {
            let place = (k as f64 - from_base) / HALF_CYCLE_EDGE_SAMPLES;
            let after = self.edge.step(place);
            let (u, i) = (self.u[k], self.i.get(k).copied().unwrap_or(0.0));
            fall.add_weighted(1.0 - after, (u, i));
            rise.add_weighted(after, (u, i));
        }
        Some((fall, rise))
    }

    /// Drops samples that no half cycle to come needs, once they are more than what is kept.
    fn forget(&mut self) {
        let surplus = self.u.len().saturating_sub(self.keep);
        let done = self.crossings.front().map_or(0.0, |from| from - HALF_CYCLE_EDGE_SAMPLES);
        let done = (done.max(0.0) as u64).saturating_sub(self.base) as usize;
        let unused = surplus.max(done.min(self.u.len()));
        if 2 * unused >= self.u.len() {
            self.u.drain(..unused);
            self.i.drain(..unused.min(self.i.len()));
            self.base += unused as u64;
        }
    }
}

/// Appends samples, and zeros up to a count and for what cannot be measured.
#[multiversion(targets = "simd")]
fn append(kept: &mut Vec<f64>, samples: &[f64], count: usize) {
    let clean = |x: &f64| if crate::engine::usable(*x) { *x } else { 0.0 };
    kept.extend(samples.iter().map(clean));
    kept.resize(count, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{SQRT_2, TAU};

    #[test]
    fn a_sliding_window_does_not_drift_where_a_running_sum_does() {
        // 1e8 V for one window, then ten million samples of a volt: a running sum keeps the
        // rounding of the surge, 1e16 times the epsilon, for ever.
        let mut sliding = SlidingPower::new(128);
        for _ in 0..128 {
            sliding.push(1e8 / 3.0, 1e8 / 7.0);
        }
        let mut value = SlidingValue::default();
        for k in 0..1_000_003_u32 {
            let angle = TAU * f64::from(k % 128) / 128.0;
            let (u, i) = (SQRT_2 * angle.cos(), SQRT_2 * (angle - 1.0).cos());
            value = sliding.push(u, i).expect("full since the surge");
        }
        assert!((value.u_rms_v - 1.0).abs() < 1e-14, "{value:?}");
        assert!((value.i_rms_a - 1.0).abs() < 1e-14, "{value:?}");
        assert!((value.p_w - 1f64.cos()).abs() < 1e-14, "{value:?}");
    }

    #[test]
    fn the_value_is_that_of_the_latest_samples_at_every_sample() {
        let mut sliding = SlidingPower::new(7);
        let sample = |k: i32| (f64::from(k % 11 - 4), f64::from(k % 5 + 1));
        for k in 0..100 {
            let found = sliding.push(sample(k).0, sample(k).1);
            let sum = |f: fn((f64, f64)) -> f64| (k - 6..=k).map(|k| f(sample(k))).sum::<f64>();
            match found {
                None => assert!(k < 6),
                Some(value) => {
                    assert!((value.u_rms_v - (sum(|(u, _)| u * u) / 7.0).sqrt()).abs() < 1e-12);
                    assert!((value.i_rms_a - (sum(|(_, i)| i * i) / 7.0).sqrt()).abs() < 1e-12);
                    assert!((value.p_w - sum(|(u, i)| u * i) / 7.0).abs() < 1e-12);
                }
            }
            if k == 50 {
                sliding.set_length(4);
                sliding.set_length(7);
                for missing in 51 - 7..51 {
                    sliding.push(sample(missing).0, sample(missing).1);
                }
            }
        }
    }

    /// Zero crossings of a sine whose first one is at `first`, `count` of them.
    fn crossings(first: f64, half: f64, count: usize) -> impl Iterator<Item = f64> {
        (0..count).map(move |k| first + half * k as f64)
    }

    #[test]
    fn a_sine_has_its_rms_in_every_half_cycle_at_any_frequency() {
        for (rate, f) in [(6400.0, 57.5), (7812.5, 50.0), (20_000.0, 45.03), (8000.0, 61.7)] {
            let mut rms = HalfCycleRms::new(4000);
            let first = 20.37;
            let sine = |k: u32| {
                let turns = f * (f64::from(k) - first) / rate;
                230.0 * SQRT_2 * (TAU * turns).sin() + 11.5 * SQRT_2 * (TAU * 5.0 * turns).sin()
            };
            let samples: Vec<f64> = (0..4000).map(sine).collect();
            rms.push_samples(&samples[..1000]);
            for position in crossings(first, 0.5 * rate / f, 24) {
                rms.push_crossing(position);
            }
            rms.push_samples(&samples[1000..]);
            let expected = 230.0 * (1.0 + 0.05 * 0.05_f64).sqrt();
            let mut count = 0;
            while let Some(value) = rms.pop() {
                assert!((value.rms / expected - 1.0).abs() < 10e-6, "{rate} {f}: {value:?}");
                assert!((value.length - rate / f).abs() < 1e-9);
                count += 1;
            }
            assert!(count == 22 || rate > 10_000.0, "{count} values");
        }
    }

    #[test]
    fn a_dip_that_starts_at_a_zero_crossing_reads_as_worked_out() {
        // To 40 % for 100 ms at 50 Hz: full, root of (1 + 0.16) / 2, nine at 0.4, and back.
        let (rate, first) = (7812.5, 40.0);
        let half = 0.5 * rate / 50.0;
        let samples: Vec<f64> = (0..3200)
            .map(|k| {
                let halves = (f64::from(k) - first) / half;
                let depth = if (6.0..16.0).contains(&halves) { 0.4 } else { 1.0 };
                depth * SQRT_2 * (0.5 * TAU * halves).sin()
            })
            .collect();
        let mut rms = HalfCycleRms::new(4000);
        rms.push_samples(&samples);
        for position in crossings(first, half, 24) {
            rms.push_crossing(position);
        }
        let values: Vec<f64> = std::iter::from_fn(|| rms.pop()).map(|v| v.rms).collect();
        let between = (0.5 * (1.0 + 0.4 * 0.4_f64)).sqrt();
        for (k, value) in values.iter().enumerate() {
            let expected = match k {
                0..=4 | 16.. => 1.0,
                5 | 15 => between,
                _ => 0.4,
            };
            assert!((value - expected).abs() < 1e-4, "value {k} is {value}, not {expected}");
        }
        assert_eq!(values.len(), 22);
        assert!((between - 0.761_577).abs() < 1e-6);
    }

    #[test]
    fn strange_samples_and_crossings_are_ignored() {
        let mut rms = HalfCycleRms::new(100);
        rms.push_samples(&[f64::NAN, f64::INFINITY, 1e300]);
        for position in [f64::NAN, -1.0, 1e300, 30.0, 20.0, 50.0, f64::INFINITY, 70.0] {
            rms.push_crossing(position);
        }
        rms.push_samples(&[1.0; 97]);
        let value = rms.pop().expect("one cycle, from 30 to 70");
        assert_eq!((value.start, value.length), (30.0, 40.0));
        assert!((value.rms - 1.0).abs() < 1e-6);
        assert_eq!(rms.pop(), None);
        rms.push_samples(&vec![1.0; 10_000]);
        rms.push_crossing(90.0);
        assert_eq!(rms.pop(), None, "its samples are gone");
        let mut sliding = SlidingPower::new(0);
        let zero = SlidingValue::default();
        assert_eq!(sliding.push(f64::NAN, f64::INFINITY), Some(zero));
    }
}
