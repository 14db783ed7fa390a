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

/// Taps of the interpolator.
const TAPS: usize = 32;

/// Taps before the position, the one at it included.
const BEFORE: usize = TAPS / 2;

/// Fractions of the table.
const FRACTIONS: usize = 512;

/// Shape of the Kaiser window.
const BETA: f64 = 14.5;

/// Weights for every fraction of a feed sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kernel {
    rows: Vec<Vec<f64>>,
    /// Feed samples before the whole part of a position that weigh in.
    before: usize,
    /// Feed samples of each of the three moving averages; 1 without.
    average: usize,
}

/// The kernel's weights at a position that never changes its fraction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fixed {
    /// Feed samples after the nominal position, whole part.
    pub(crate) whole: i64,
    weights: Vec<f64>,
}

impl Kernel {
    /// A kernel with moving averages of `average` samples (odd; 1 for none).
    pub(crate) fn new(average: usize) -> Self {
        let rows = (0..=FRACTIONS).map(|k| row(k as f64 / FRACTIONS as f64, average)).collect();
        Self { rows, before: before(average), average }
    }

    /// Feed samples needed before and after the whole part of a position.
    pub(crate) fn reach(&self) -> (usize, usize) {
        let length = self.rows.first().map_or(1, Vec::len);
        (self.before, length - 1 - self.before)
    }

    /// The weights for samples that are all taken `late` feed samples late.
    pub(crate) fn fixed(&self, late: f64) -> Fixed {
        let whole = late.floor();
        Fixed { whole: whole as i64, weights: row(late - whole, self.average) }
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

    /// The value at `whole + fraction`; `feed[0]` is the sample number `whole - before`.
    pub(crate) fn value(&self, feed: &[f64], fraction: f64) -> f64 {
        let place = fraction * FRACTIONS as f64;
        let row = (place as usize).min(FRACTIONS - 1);
        let part = place - row as f64;
        let low = dot(feed, &self.rows[row]);
        low + part * (dot(feed, &self.rows[row + 1]) - low)
    }
}

impl Fixed {
    /// The value; `feed[0]` is the sample number `whole - before`.
    pub(crate) fn value(&self, feed: &[f64]) -> f64 {
        dot(feed, &self.weights)
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
    let sinc = if x.abs() < 1e-9 { 1.0 } else { libm::sin(PI * x) / (PI * x) };
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

/// Sum of products in a fixed order, whatever the vector instructions.
#[multiversion(targets = "simd")]
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let ((xs, x_rest), (ys, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    for (x, y) in xs.iter().zip(ys) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let mut rest = 0.0;
    for (x, y) in x_rest.iter().zip(y_rest) {
        rest += x * y;
    }
    rest + ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
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
                let found = kernel.value(&feed, fraction);
                assert!((found - expected).abs() < limit, "{frequency} {fraction}: {found}");
                let fixed = kernel.fixed(fraction);
                let found = fixed.value(&feed);
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
                let first = 1000 + fixed.whole - before as i64;
                let feed: Vec<f64> =
                    (0..=(before + after) as i64).map(|n| at((first + n) as f64)).collect();
                let found = fixed.value(&feed);
                let expected = stated * at(1000.0 + late);
                assert!((found - expected).abs() < 1e-6, "{frequency_hz} {late}: {found}");
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
        // What it does to samples is what it says.
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
