//! From the feed to the converter's samples: values at any instant, averaged as a decimator does.
//!
//! The feed is oversampled. A converter's sample is a weighted sum of feed samples about its
//! instant; the weights are a windowed sinc (32 taps, Kaiser window of shape 14.5: flat within
//! 3e-7 up to 0.35 of the feed's rate), and with a sigma-delta decimation they are
//! its three moving averages as well (the sinc^3 filter, an odd number of feed samples long each,
//! so that it is centred). Response: `(sin(pi f M/F) / (M sin(pi f/F)))^3` at the feed rate F, and
//! the turn `exp(j 2 pi f s)` of a sample taken s seconds late.
//!
//! Instants that do not move with respect to the feed have exact weights; others take them from a
//! table of 512 fractions, linearly interpolated (error `(pi f/512F)^2 / 2`: 1e-10 at 50 Hz).

use std::f64::consts::{PI, TAU};

use multiversion::multiversion;
use num_complex::Complex64;

const TAPS: usize = 32;

/// Taps before the position, the one at it included.
const BEFORE: usize = TAPS / 2;

const FRACTIONS: usize = 512;

/// Products that are added up side by side.
const LANES: usize = 8;

/// Shape of the Kaiser window.
const BETA: f64 = 14.5;

/// Weights for every fraction of a feed sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kernel {
    /// One row after the other, each filled up with zeros.
    rows: Vec<[f64; LANES]>,
    /// Weights of a row.
    length: usize,
    /// Feed samples before the whole part of a position that weigh in.
    before: usize,
    /// Feed samples of each of the three moving averages; 1 without.
    average: usize,
}

/// The kernel's weights at a position that never changes its fraction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fixed {
    /// From the nominal position to the first feed sample that weighs in.
    from: i64,
    weights: Vec<f64>,
}

/// The feed of a channel as far as it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed<'a> {
    /// Number of the first sample.
    pub(crate) base: i64,
    pub(crate) samples: &'a [f64],
}

impl<'a> Feed<'a> {
    /// So many samples from a number on; none where they are not all there.
    #[expect(clippy::inline_always, reason = "called for each sample")]
    #[inline(always)]
    fn cut(self, from: i64, count: usize) -> &'a [f64] {
        let from = (from - self.base).max(0) as usize;
        self.samples.get(from..from + count).unwrap_or_default()
    }
}

impl Kernel {
    /// A kernel with moving averages of `average` samples (odd; 1 for none).
    pub(crate) fn new(average: usize) -> Self {
        let length = TAPS + 3 * (average - 1);
        let rows = (0..=FRACTIONS).flat_map(|k| {
            let mut row = row(k as f64 / FRACTIONS as f64, average);
            row.resize(length.next_multiple_of(LANES), 0.0);
            row.as_chunks().0.to_vec()
        });
        Self { rows: rows.collect(), length, before: before(average), average }
    }

    /// Feed samples needed before and after the whole part of a position.
    pub(crate) fn reach(&self) -> (usize, usize) {
        (self.before, self.length - 1 - self.before)
    }

    /// The weights for samples that are all taken `late` feed samples late.
    pub(crate) fn fixed(&self, late: f64) -> Fixed {
        let whole = late.floor();
        let mut weights = row(late - whole, self.average);
        // Without a fraction the interpolator is a single weight, and most at the ends are zero.
        let first = weights.iter().take_while(|weight| **weight == 0.0).count();
        let behind = weights.iter().rev().take_while(|weight| **weight == 0.0).count();
        let length = (weights.len() - first - behind).next_multiple_of(LANES).min(weights.len());
        let first = first.min(weights.len() - length);
        weights.drain(..first);
        weights.truncate(length);
        Fixed { from: whole as i64 - self.before as i64 + first as i64, weights }
    }

    /// Response of the moving averages.
    pub(crate) fn response(average: usize, frequency_hz: f64, feed_hz: f64) -> f64 {
        let half = PI * frequency_hz / feed_hz;
        let sine = libm::sin(half);
        if sine.abs() < 1e-12 {
            return 1.0;
        }
        let one = libm::sin(average as f64 * half) / (average as f64 * sine);
        one * one * one
    }

    /// The values at instants, each a whole feed sample and a fraction, that are `late` feed
    /// samples late; `values` has room for as many.
    pub(crate) fn sample(
        &self,
        feed: Feed<'_>,
        instants: &[(i64, f64)],
        late: f64,
        values: &mut [f64],
    ) {
        sample_moving(self, feed, instants, late, values);
    }
}

impl Fixed {
    /// The same at instants without a fraction.
    pub(crate) fn sample(&self, feed: Feed<'_>, instants: &[(i64, f64)], values: &mut [f64]) {
        sample_fixed(&self.weights, self.from, feed, instants, values);
    }
}

/// One for each set of vector instructions, for many samples at once: finding the right one costs
/// as much as a sample does.
#[multiversion(targets = "simd")]
fn sample_fixed(
    weights: &[f64],
    from: i64,
    feed: Feed<'_>,
    instants: &[(i64, f64)],
    values: &mut [f64],
) {
    let (weights_whole, weights_rest) = weights.as_chunks::<LANES>();
    for (value, &(whole, _)) in values.iter_mut().zip(instants) {
        let (near, rest) = feed.cut(whole + from, weights.len()).as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for (x, y) in near.iter().zip(weights_whole) {
            add_products(&mut lanes, x, y);
        }
        for ((lane, x), y) in lanes.iter_mut().zip(rest).zip(weights_rest) {
            *lane += x * y;
        }
        *value = sum(&lanes);
    }
}

/// The same with weights from the table, between two rows of it. Plain loops: a closure would be
/// compiled for the plainest instructions, and called.
#[multiversion(targets = "simd")]
fn sample_moving(
    kernel: &Kernel,
    feed: Feed<'_>,
    instants: &[(i64, f64)],
    late: f64,
    values: &mut [f64],
) {
    let per_row = kernel.length.div_ceil(LANES);
    for (value, &(whole, fraction)) in values.iter_mut().zip(instants) {
        let position = fraction + late;
        let further = position.floor();
        let place = (position - further) * FRACTIONS as f64;
        let mut row = place as usize;
        if row >= FRACTIONS {
            row = FRACTIONS - 1;
        }
        let (low, high) = kernel.rows[row * per_row..(row + 2) * per_row].split_at(per_row);
        let near = feed.cut(whole + further as i64 - kernel.before as i64, kernel.length);
        let (near, rest) = near.as_chunks::<LANES>();
        let (mut lanes, mut next) = ([0.0; LANES], [0.0; LANES]);
        let mut n = 0;
        while n < near.len() {
            add_products(&mut lanes, &near[n], &low[n]);
            add_products(&mut next, &near[n], &high[n]);
            n += 1;
        }
        if !rest.is_empty() {
            let mut last = [0.0; LANES];
            last[..rest.len()].copy_from_slice(rest);
            add_products(&mut lanes, &last, &low[n]);
            add_products(&mut next, &last, &high[n]);
        }
        let part = place - row as f64;
        let mut lane = 0;
        while lane < LANES {
            lanes[lane] += part * (next[lane] - lanes[lane]);
            lane += 1;
        }
        *value = sum(&lanes);
    }
}

fn before(average: usize) -> usize {
    BEFORE - 1 + 3 * (average - 1) / 2
}

/// The weights at a fraction: the interpolator, averaged three times.
fn row(fraction: f64, average: usize) -> Vec<f64> {
    let mut weights: Vec<f64> =
        (0..TAPS).map(|k| shape(k as f64 - (BEFORE as f64 - 1.0) - fraction)).collect();
    let sum: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= sum;
    }
    for _ in 0..3 {
        let mut wider = vec![0.0; weights.len() + average - 1];
        for (k, weight) in weights.iter().enumerate() {
            for place in &mut wider[k..k + average] {
                *place += weight / average as f64;
            }
        }
        weights = wider;
    }
    weights
}

/// The windowed sinc at `x` samples from its centre.
fn shape(x: f64) -> f64 {
    let reach = BEFORE as f64;
    let inside = 1.0 - (x / reach) * (x / reach);
    if inside <= 0.0 {
        return 0.0;
    }
    let sinc = match x {
        x if x.abs() < 1e-9 => 1.0,
        // Exactly so: pi itself is rounded.
        x if x.fract() == 0.0 => 0.0,
        x => libm::sin(PI * x) / (PI * x),
    };
    sinc * bessel_i0(BETA * inside.sqrt()) / bessel_i0(BETA)
}

/// Modified Bessel function of the first kind, order 0, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-18 * sum {
        term *= (0.5 * x / k) * (0.5 * x / k);
        sum += term;
        k += 1.0;
    }
    sum
}

#[expect(clippy::inline_always, reason = "not inlined it would be compiled without the vectors")]
#[inline(always)]
fn add_products(lanes: &mut [f64; LANES], x: &[f64; LANES], y: &[f64; LANES]) {
    let mut lane = 0;
    while lane < LANES {
        lanes[lane] += x[lane] * y[lane];
        lane += 1;
    }
}

/// The sum of all lanes, by halves.
#[expect(clippy::inline_always, reason = "not inlined it would be compiled without the vectors")]
#[inline(always)]
fn sum(lanes: &[f64; LANES]) -> f64 {
    let (mut four, mut two) = ([0.0; LANES / 2], [0.0; LANES / 4]);
    let mut lane = 0;
    while lane < LANES / 2 {
        four[lane] = lanes[lane] + lanes[lane + LANES / 2];
        lane += 1;
    }
    lane = 0;
    while lane < LANES / 4 {
        two[lane] = four[lane] + four[lane + LANES / 4];
        lane += 1;
    }
    two[0] + two[1]
}

/// What a decimator's compensation does: a filter of three taps `-c, 1 + 2c, -c` at the
/// converter's rate, whose gain `1 + 2c (1 - cos w)` takes the droop's square term away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compensation {
    side: f64,
    rate_hz: f64,
}

impl Compensation {
    /// The compensation of three moving averages of `average` samples each.
    pub(crate) fn new(average: usize, rate_hz: f64) -> Self {
        let part = 1.0 - 1.0 / (average * average) as f64;
        Self { side: part / 8.0, rate_hz }
    }

    /// Its gain; it turns nothing.
    pub(crate) fn response(&self, frequency_hz: f64) -> Complex64 {
        let cos = libm::cos(TAU * frequency_hz / self.rate_hz);
        Complex64::from(1.0 + 2.0 * self.side * (1.0 - cos))
    }

    /// Replaces samples by the outputs they complete; the first repeats itself before the start.
    pub(crate) fn process(&self, last: &mut Option<(f64, f64)>, samples: &mut Vec<f64>) {
        let mut kept = 0;
        for n in 0..samples.len() {
            let x = samples[n];
            if let Some((before, middle)) = last.replace((last.map_or(x, |(_, m)| m), x)) {
                samples[kept] = middle + self.side * ((middle - before) + (middle - x));
                kept += 1;
            }
        }
        samples.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_between_the_samples_is_itself_within_a_millionth() {
        let kernel = Kernel::new(1);
        let (before, after) = kernel.reach();
        for (frequency, limit) in [(0.003, 1e-7), (0.1, 4e-7), (0.25, 2e-6), (0.34, 4e-6)] {
            let at = |x: f64| (TAU * frequency * x + 0.3).cos();
            for k in 0..200 {
                let fraction = f64::from(k) / 199.9;
                let feed: Vec<f64> = (0..=before + after).map(|n| at(n as f64)).collect();
                let expected = at(before as f64 + fraction);
                let mut found = [0.0];
                let samples = Feed { base: 0, samples: &feed };
                kernel.sample(samples, &[(before as i64, fraction)], 0.0, &mut found);
                let [found] = found;
                assert!((found - expected).abs() < limit, "{frequency} {fraction}: {found}");
                let mut found = [0.0];
                kernel.fixed(fraction).sample(samples, &[(before as i64, 0.0)], &mut found);
                let [found] = found;
                let limit = 4e-7;
                assert!((found - expected).abs() < limit, "{frequency} {fraction}: {found}");
            }
        }
    }

    /// The 50th harmonic of 50 Hz at 7812.5 S/s: (sin(pi f/F)/(pi f/F))^3 is 0.592 (F the
    /// converter's rate), the finite decimation by 15 makes it 0.2 % more.
    #[test]
    fn the_moving_averages_droop_as_stated() {
        let (rate, average) = (7812.5, 15);
        let feed_hz = rate * 15.0;
        let kernel = Kernel::new(average);
        let (before, after) = kernel.reach();
        for (frequency_hz, expected) in [(50.0, 0.999_798), (1000.0, 0.922_25), (2500.0, 0.594_2)] {
            let stated = Kernel::response(average, frequency_hz, feed_hz);
            let x = PI * frequency_hz / rate;
            assert!((stated - (x.sin() / x).powi(3)).abs() < 5e-3 * (1.0 - stated));
            assert!((stated - expected).abs() < 2e-3 * (1.0 - expected) + 1e-6, "{stated}");
            for late in [0.0, 0.37, -2.8] {
                let fixed = kernel.fixed(late);
                let at = |n: f64| (TAU * frequency_hz * n / feed_hz - 1.1).cos();
                let base = 990 - before as i64;
                let feed: Vec<f64> =
                    (0..=(20 + before + after) as i64).map(|n| at((base + n) as f64)).collect();
                let mut found = [0.0];
                fixed.sample(Feed { base, samples: &feed }, &[(1000, 0.0)], &mut found);
                let [found] = found;
                let expected = stated * at(1000.0 + late);
                assert!((found - expected).abs() < 1e-6, "{frequency_hz} {late}: {found}");
            }
        }
    }

    /// Whatever it is fed, at whole positions it is the moving averages and nothing else.
    #[test]
    fn without_a_fraction_it_is_three_moving_averages() {
        let feed: Vec<f64> = (0..400).map(|k: u32| f64::from(k * k % 97) - 48.0).collect();
        for average in [1, 15] {
            let mut expected = feed.clone();
            for _ in 0..3 {
                let mean = |near: &[f64]| near.iter().sum::<f64>() / average as f64;
                expected = expected.windows(average).map(mean).collect();
            }
            // Three times half an average is missing in front.
            let missing = 3 * (average - 1) / 2;
            let kernel = Kernel::new(average);
            let instants: Vec<(i64, f64)> = (0..12).map(|n| (100 + 15 * n, 0.0)).collect();
            let (mut fixed, mut moving) = ([0.0; 12], [0.0; 12]);
            let samples = Feed { base: 0, samples: &feed };
            kernel.fixed(-30.0).sample(samples, &instants, &mut fixed);
            kernel.sample(samples, &instants, -30.0, &mut moving);
            for ((&(whole, _), fixed), moving) in instants.iter().zip(fixed).zip(moving) {
                let expected = expected[whole as usize - 30 - missing];
                assert!((fixed - expected).abs() < 1e-13, "{average}: {fixed} for {expected}");
                assert!((moving - expected).abs() < 1e-13, "{average}: {moving} for {expected}");
            }
        }
    }

    #[test]
    fn the_compensation_takes_the_square_term_of_the_droop_away() {
        let (rate, average) = (7812.5, 15);
        let compensation = Compensation::new(average, rate);
        let droop = |f: f64| Kernel::response(average, f, rate * 15.0);
        let both = |f: f64| droop(f) * compensation.response(f).re;
        assert!((both(50.0) - 1.0).abs() < 1e-6);
        assert!((both(1000.0) - 1.0).abs() < 0.1 * (1.0 - droop(1000.0)));
        // What it does to samples is its stated response.
        let mut samples: Vec<f64> =
            (0..50).map(|k| (TAU * 2000.0 * f64::from(k) / rate).cos()).collect();
        let input = samples.clone();
        let mut last = None;
        let tail = samples.split_off(20);
        compensation.process(&mut last, &mut samples);
        let mut tail = tail;
        compensation.process(&mut last, &mut tail);
        samples.extend(tail);
        assert_eq!(samples.len(), 49);
        for k in 1..49 {
            let expected = compensation.response(2000.0).re * input[k];
            assert!((samples[k] - expected).abs() < 1e-12);
        }
    }
}
