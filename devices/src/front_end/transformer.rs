//! A current transformer: its magnetising current is what is missing at its output.
//!
//! Terms, all referred to the primary: `psi` is the core's flux linkage over the resistance of
//! winding and burden, in ampere-seconds. Then `d psi / dt = i - m(psi)` and the output is
//! `i - m(psi)`, where the magnetising current is
//!
//! `m = w psi (1 + r / (1 + (psi/psi_r)^2) + (psi/psi_s)^8)`.
//!
//! `w = 2 pi corner` is resistance over inductance: at the frequency f the output leads by
//! `atan(corner / f)` and is smaller by `(corner / f)^2 / 2`. The second term is the lower
//! permeability at low flux: `r` more magnetising current at small currents, half of it gone
//! about the *low current*. The third is saturation: at the *saturation current*, a sine's RMS at
//! nominal frequency, it equals the first at the flux's peak. A direct current moves the flux until
//! the core saturates, as in the real thing.
//!
//! Closed form, for a sine of flux amplitude A: describing function of the middle term
//! `r (2/k) (1 - 1/sqrt(1 + k))`, `k = (A/psi_r)^2`; without it and far from saturation the
//! stage is the linear high-pass of `corner`. Solved by the implicit trapezoidal rule with Newton's
//! method, whose error is `(omega T)^2 / 12` of the magnetising current.

use std::f64::consts::{SQRT_2, TAU};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TransformerParameters {
    /// Resistance over inductance, as a frequency in Hz.
    pub(crate) corner_hz: f64,
    /// Relative growth of the magnetising current at very low currents.
    pub(crate) low_current_error: f64,
    /// RMS current in primary amperes about which half of that is gone.
    pub(crate) low_current_a: f64,
    /// RMS of the largest sine in primary amperes that does not saturate the core.
    pub(crate) saturation_a: f64,
}

/// A transformer with its flux.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transformer {
    w: f64,
    r: f64,
    /// One over the squares of `psi_r` and of `psi_s`.
    low: f64,
    saturation: f64,
    step_s: f64,
    psi: f64,
    last_slope: Option<f64>,
}

impl Transformer {
    /// A transformer without remanence, sampled at `rate_hz`, for a network of `nominal_hz`.
    pub(crate) fn new(parameters: &TransformerParameters, nominal_hz: f64, rate_hz: f64) -> Self {
        let inverse_square = |rms_a: f64| (TAU * nominal_hz / (SQRT_2 * rms_a)).powi(2);
        Self {
            w: TAU * parameters.corner_hz,
            r: parameters.low_current_error,
            low: inverse_square(parameters.low_current_a),
            saturation: inverse_square(parameters.saturation_a),
            step_s: 1.0 / rate_hz,
            psi: 0.0,
            last_slope: None,
        }
    }

    /// The magnetising current, and its slope over the flux.
    fn magnetising(&self, psi: f64) -> (f64, f64) {
        let square = psi * psi;
        let low = 1.0 / (1.0 + square * self.low);
        let ratio = square * self.saturation;
        let fourth = ratio * ratio;
        let eighth = fourth * fourth;
        let value = self.w * psi * (1.0 + self.r * low + eighth);
        let slope = self.w * (1.0 + self.r * low * (2.0 * low - 1.0) + 9.0 * eighth);
        (value, slope)
    }

    /// Replaces primary currents by the outputs, in place.
    pub(crate) fn process(&mut self, samples: &mut [f64]) {
        for sample in samples {
            let i = *sample;
            let half = 0.5 * self.step_s;
            let known = self.psi + half * self.last_slope.unwrap_or(0.0);
            let begins = self.last_slope.is_none();
            let mut psi = self.psi;
            if !begins && i.is_finite() {
                // psi + half m(psi) = known + half i; the left side rises everywhere.
                for _ in 0..60 {
                    let (m, slope) = self.magnetising(psi);
                    let change = (known + half * (i - m) - psi) / (1.0 + half * slope.max(0.0));
                    psi += change;
                    if change.abs() <= 1e-15 * (psi.abs() + known.abs()) {
                        break;
                    }
                }
            }
            self.psi = psi;
            let output = i - self.magnetising(psi).0;
            self.last_slope = Some(output);
            *sample = output;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_complex::Complex64;

    const RATE_HZ: f64 = 20_000.0;

    fn parameters() -> TransformerParameters {
        TransformerParameters {
            corner_hz: 0.2,
            low_current_error: 0.0,
            low_current_a: 1.0,
            saturation_a: 1000.0,
        }
    }

    /// Fundamental of the output over that of the input, in the last second of ten.
    fn transfer(parameters: &TransformerParameters, rms: f64) -> Complex64 {
        let mut samples: Vec<f64> = (0..200_000)
            .map(|k| SQRT_2 * rms * (TAU * 50.0 * f64::from(k) / RATE_HZ).sin())
            .collect();
        Transformer::new(parameters, 50.0, RATE_HZ).process(&mut samples);
        let sum: Complex64 = (180_000..200_000)
            .map(|k| {
                let (sin, cos) = (TAU * 50.0 * k as f64 / RATE_HZ).sin_cos();
                Complex64::new(sin, cos) * samples[k]
            })
            .sum();
        sum * (SQRT_2 / rms / 20_000.0)
    }

    #[test]
    fn a_linear_core_leads_by_the_stated_angle() {
        let found = transfer(&parameters(), 10.0);
        let expected = Complex64::new(0.0, 250.0) / Complex64::new(1.0, 250.0);
        // (omega T)^2 / 12 of 0.4 %, and what is left of the start after ten seconds.
        assert!((found - expected).norm() < 1e-6, "{found} for {expected}");
    }

    #[test]
    fn at_low_currents_it_leads_more_by_the_describing_function() {
        let low = TransformerParameters { low_current_error: 1.5, ..parameters() };
        for rms in [0.01, 0.5, 1.0, 3.0, 50.0] {
            let found = transfer(&low, rms).arg();
            let k = (rms / low.low_current_a).powi(2);
            let describing = 2.0 / k * (1.0 - 1.0 / (1.0 + k).sqrt());
            let expected = (0.2 / 50.0 * (1.0 + 1.5 * describing)).atan();
            assert!((found / expected - 1.0).abs() < 2e-3, "{rms} A: {found} for {expected}");
        }
    }

    /// In the steady state the flux is periodic, so no direct component comes through; the core
    /// has moved into saturation and the output is far from the input.
    #[test]
    fn a_half_wave_current_saturates_the_core() {
        let half_wave = |k: i32| (20.0 * (TAU * 50.0 * f64::from(k) / RATE_HZ).sin()).max(0.0);
        let small = TransformerParameters { saturation_a: 40.0, ..parameters() };
        let mut samples: Vec<f64> = (0..400_000).map(half_wave).collect();
        Transformer::new(&small, 50.0, RATE_HZ).process(&mut samples);
        let last = &samples[380_000..];
        let mean = last.iter().sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 1e-4, "{mean}");
        let rms = (last.iter().map(|i| i * i).sum::<f64>() / 20_000.0).sqrt();
        // The input's 10 A RMS without its mean of 6.366 A would be 7.712 A.
        let without_mean = (100.0_f64 - (20.0 / std::f64::consts::PI).powi(2)).sqrt();
        assert!(rms < without_mean - 0.05, "{rms}");
        // The same core carries an undistorted sine of the same RMS value.
        assert!((transfer(&small, 10.0).norm() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn nothing_it_is_fed_makes_it_loop_or_panic() {
        let mut samples = vec![f64::NAN, 1e300, -1e300, f64::INFINITY, 0.0];
        Transformer::new(&parameters(), 50.0, RATE_HZ).process(&mut samples);
        assert_eq!(samples.len(), 5);
    }
}
