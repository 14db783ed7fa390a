//! The converter proper: supply, non-linearity, range, steps and the errors of its steps.

use std::f64::consts::FRAC_1_SQRT_2;
use std::sync::Arc;

use crate::gaussian::Gaussian;

/// The steps of a converter; values in primary volts or amperes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Digitiser {
    pub(crate) step: f64,
    /// Where a step lies exactly: zero, or what the converter's own zero is seen as.
    pub(crate) origin: f64,
    /// The least and the largest value that come through.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Integral non-linearity in steps at equal distances from `low` to `high`; empty for none.
    pub(crate) inl: Arc<[f64]>,
}

impl Digitiser {
    /// Clips and rounds to the nearest step.
    #[inline]
    fn convert(&self, x: f64) -> f64 {
        // Adding and taking away 1.5 * 2^52 rounds to a whole number without a library call.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let steps = (x.clamp(self.low, self.high) - self.origin) / self.step;
        ((steps + ROUND) - ROUND) * self.step + self.origin
    }

    pub(crate) fn process(&self, samples: &mut [f64]) {
        if !self.inl.is_empty() {
            for sample in samples.iter_mut() {
                *sample += self.inl_at(*sample) * self.step;
            }
        }
        for sample in samples {
            *sample = self.convert(*sample);
        }
    }

    /// The error at a value in steps, between the points of the table.
    fn inl_at(&self, x: f64) -> f64 {
        let last = self.inl.len() - 1;
        let place = (x - self.low) / (self.high - self.low) * last as f64;
        let place = place.clamp(0.0, last as f64);
        let k = (place as usize).min(last.saturating_sub(1));
        let next = self.inl[(k + 1).min(last)];
        self.inl[k] + (place - k as f64) * (next - self.inl[k])
    }

    /// Mean and variance of what comes out for a value with normally distributed noise of this RMS;
    /// the noise does not reach the ends of the range.
    pub(crate) fn moments(&self, x: f64, noise_rms: f64) -> (f64, f64) {
        let plain = self.convert(x);
        if noise_rms == 0.0 {
            return (plain, 0.0);
        }
        // Of each step that the noise reaches: the probability that the value lies beyond it.
        let reach = (6.0 * noise_rms / self.step).ceil() + 1.0;
        let (mut mean, mut square) = (-reach, reach * reach);
        let mut code = 1.0 - reach;
        while code <= reach {
            let limit = plain + (code - 0.5) * self.step;
            let beyond = 0.5 * libm::erfc((limit - x) * FRAC_1_SQRT_2 / noise_rms);
            mean += beyond;
            square += (2.0 * code - 1.0) * beyond;
            code += 1.0;
        }
        let step = self.step;
        (plain + mean * step, (square - mean * mean).max(0.0) * step * step)
    }

    /// Whether a sample lies at or beyond the end of the range.
    pub(crate) fn is_at_end(&self, sample: f64) -> bool {
        sample <= self.low + 0.5 * self.step || sample >= self.high - 0.5 * self.step
    }

    /// Variance of the rounding, if the signal moves over several steps.
    pub(crate) fn rounding_variance(&self) -> f64 {
        self.step * self.step / 12.0
    }
}

/// A table of integral non-linearity with one point per code: the given points, and a random walk
/// of the stated differential error (RMS, in steps) that ends where it began.
pub(crate) fn inl_table(points: &[f64], dnl: f64, bits: u32, draws: &mut Gaussian) -> Arc<[f64]> {
    if dnl == 0.0 {
        return points.into();
    }
    let codes = 1_usize << bits;
    let mut walk = Vec::with_capacity(codes);
    let mut sum = 0.0;
    for _ in 0..codes {
        walk.push(sum);
        sum += dnl * draws.draw();
    }
    let last = (codes - 1) as f64;
    let end = walk[codes - 1];
    for (k, value) in walk.iter_mut().enumerate() {
        let part = k as f64 / last;
        *value -= part * end;
        if let Some(intervals) = points.len().checked_sub(1).filter(|&n| n > 0) {
            let place = part * intervals as f64;
            let at = (place as usize).min(intervals - 1);
            *value += points[at] + (place - at as f64) * (points[at + 1] - points[at]);
        }
    }
    walk.into()
}

/// A polynomial curve: `x + F (2 a (x/F)^2 + 4 b (x/F)^3)` with the full scale F, so that a sine
/// at full scale has the second harmonic a and the third b, relative to it (and the direct
/// component a and 3 b more of itself).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Curve {
    pub(crate) second: f64,
    pub(crate) third: f64,
}

impl Curve {
    pub(crate) fn is_straight(self) -> bool {
        self.second == 0.0 && self.third == 0.0
    }

    pub(crate) fn process(self, full_scale: f64, samples: &mut [f64]) {
        for sample in samples {
            let u = *sample / full_scale;
            *sample += full_scale * u * u * (2.0 * self.second + 4.0 * self.third * u);
        }
    }
}

/// A supply that comes up with the first voltage: rail and middle follow `1 - exp(-t/tau)`.
///
/// The output of an inverting stage is `middle - x`, between zero and the rail; the firmware takes
/// the final middle away, so that it sees `x + F (1 - r)` between `F (1 - 2 r)` and `F`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Supply {
    pub(crate) tau_s: f64,
}

impl Supply {
    /// When nothing is left of its coming up in a double, in s.
    pub(crate) fn is_over_at_s(self) -> f64 {
        40.0 * self.tau_s
    }

    /// The part of the final voltage at an instant.
    pub(crate) fn part(self, at_s: f64) -> f64 {
        -libm::expm1(-at_s.max(0.0) / self.tau_s)
    }

    /// Acts on samples from number `first` on.
    pub(crate) fn process(self, first: u64, rate_hz: f64, full_scale: f64, samples: &mut [f64]) {
        for (k, sample) in samples.iter_mut().enumerate() {
            let at_s = (first + k as u64) as f64 / rate_hz;
            if at_s > self.is_over_at_s() {
                break;
            }
            let part = self.part(at_s);
            let seen = *sample + full_scale * (1.0 - part);
            *sample = seen.clamp(full_scale * (1.0 - 2.0 * part), full_scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_sim::Streams;
    use std::f64::consts::TAU;

    fn twelve_bits() -> Digitiser {
        Digitiser {
            step: 1.0 / 2048.0,
            origin: 0.0,
            low: -1.0,
            high: 2047.0 / 2048.0,
            inl: [].into(),
        }
    }

    #[test]
    fn it_clips_and_rounds_about_its_origin() {
        let digitiser = Digitiser { origin: 0.25 / 2048.0, ..twelve_bits() };
        let mut samples = [0.0, 0.7 / 2048.0, 0.8 / 2048.0, 9.0, -9.0];
        digitiser.process(&mut samples);
        let steps = samples.map(|y| y * 2048.0);
        for (found, expected) in steps.into_iter().zip([0.25, 0.25, 1.25, 2047.25, -1999.0]) {
            if expected > -1999.0 {
                assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
            } else {
                assert!(found < -2047.0);
            }
        }
        assert_eq!(samples.map(|y| digitiser.is_at_end(y)), [false, false, false, true, true]);
    }

    /// Noise as a sum over its density, by the rounding itself.
    #[test]
    fn moments_are_those_of_rounded_noise() {
        let digitiser = Digitiser { origin: 0.3 / 2048.0, ..twelve_bits() };
        let step = digitiser.step;
        for (x, noise_rms) in [(0.0, 0.1), (0.31, 0.02), (7.8, 0.3), (-2.2, 0.5), (0.8, 0.001)] {
            let (mut all, mut mean, mut square) = (0.0, 0.0, 0.0);
            for k in -60_000..=60_000_i32 {
                let sigmas = f64::from(k) / 10_000.0;
                let weight = (-0.5 * sigmas * sigmas).exp();
                let mut y = [(x + noise_rms * sigmas) * step];
                digitiser.process(&mut y);
                all += weight;
                mean += weight * y[0];
                square += weight * y[0] * y[0];
            }
            mean /= all;
            let variance = square / all - mean * mean;
            let (found_mean, found) = digitiser.moments(x * step, noise_rms * step);
            assert!((found_mean - mean).abs() < 1e-4 * step, "{x} {noise_rms}");
            assert!((found - variance).abs() < 2e-4 * step * step, "{x} {noise_rms}");
        }
        assert_eq!(digitiser.moments(0.7 * step, 0.0).1, 0.0);
    }

    #[test]
    fn a_curve_makes_the_stated_harmonics_at_full_scale() {
        let curve = Curve { second: 2e-3, third: 5e-4 };
        let mut samples: Vec<f64> =
            (0..1000).map(|k| 3.0 * (TAU * f64::from(k) / 1000.0).cos()).collect();
        curve.process(3.0, &mut samples);
        let line = |order: f64| {
            let sum: f64 =
                (0..1000).map(|k| samples[k] * (TAU * order * k as f64 / 1000.0).cos()).sum();
            sum / 500.0 / 3.0
        };
        let expected = [2.0 * 2e-3, 1.0 + 3.0 * 5e-4, 2e-3, 5e-4, 0.0];
        for (order, expected) in expected.into_iter().enumerate() {
            assert!((line(order as f64) - expected).abs() < 1e-12, "order {order}");
        }
    }

    #[test]
    fn a_table_moves_each_code_by_its_error() {
        let inl = [0.0, 3.0, 0.0];
        let digitiser = Digitiser { inl: inl.into(), ..twelve_bits() };
        let mut samples = [-1.0, -0.5, 0.0 - 0.5 / 2048.0, 0.5];
        digitiser.process(&mut samples);
        // At a quarter and three quarters of the range 1.5 steps, in the middle 3.
        for (found, expected) in
            samples.map(|y| y * 2048.0).into_iter().zip([-2048.0, -1022.0, 3.0, 1026.0])
        {
            assert!((found - expected).abs() <= 1.0, "{found} for {expected}");
        }
        let mut draws = Gaussian::new(Streams::new(1).stream("dnl"));
        let table = inl_table(&inl, 0.2, 12, &mut draws);
        assert_eq!((table.len(), table[0], table[4095]), (4096, 0.0, 0.0));
        let steps: f64 = table.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
        assert!(((steps / 4095.0).sqrt() - 0.2).abs() < 0.02);
    }

    #[test]
    fn the_supply_comes_up_once_and_leaves_nothing_behind() {
        let supply = Supply { tau_s: 0.01 };
        let mut samples = vec![0.1; 1000];
        supply.process(0, 1000.0, 1.0, &mut samples);
        assert_eq!(samples[0], 1.0, "at first the output is at zero: full scale, inverted");
        // After a time constant the middle is 1/e short.
        assert!((samples[10] - (0.1 + (-1.0_f64).exp())).abs() < 1e-12);
        assert_eq!(samples[500], 0.1);
        let mut later = vec![0.1; 990];
        supply.process(10, 1000.0, 1.0, &mut later);
        assert_eq!(later[..], samples[10..]);
    }
}
