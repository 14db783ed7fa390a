//! What the steps of a coarse converter make of a cycle.
//!
//! Rounding is like white noise only where a signal moves over many steps between samples that
//! never meet the same phase twice. Below that a converter has a dead band, and a direct component
//! where its middle lies between two steps; and samples of whole cycles repeat the same errors. So
//! the errors of one cycle's samples are computed (the very samples if a cycle has a whole number
//! of them, otherwise points all over the cycle), and go by their discrete Fourier transform to the
//! components of the channels; what is left is power of the mean square.

use num_complex::Complex64;

use super::converted::{Converted, ON_GRID, ORDER_MAX, StepRemainder};
use super::plan::unit;
use crate::front_end::Channel;

/// Points of a cycle whose samples are no whole number.
const POINTS: usize = 1024;

/// Samples of a cycle that are looked at one by one.
const SAMPLES_MAX: f64 = 4096.0;

/// Steps of a peak value beyond which those points are too far apart, and rounding is like noise.
const STEPS_MAX: f64 = 64.0;

/// Parts of a step that are nothing.
const NEGLIGIBLE: f64 = 1e-9;

/// Lets the steps of both converters of a phase act on what they get; the mean of the product of
/// what is left. A tone between the harmonics leaves everything as it is: it moves the others over
/// the steps.
pub(super) fn round(
    both: [(&mut Converted, &Channel); 2],
    fundamental_hz: f64,
    rate_hz: f64,
) -> f64 {
    let mut orders = vec![0, 1];
    for (converted, _) in &both {
        for (frequency_hz, _) in &converted.components {
            let order = frequency_hz / fundamental_hz;
            if (order - order.round()).abs() > ON_GRID {
                return 0.0;
            }
            orders.push(order.round() as usize);
        }
    }
    orders.sort_unstable();
    orders.dedup();
    let per_cycle = rate_hz / fundamental_hz;
    let is_whole = (per_cycle - per_cycle.round()).abs() < ON_GRID && per_cycle < SAMPLES_MAX;
    let mut all = Vec::new();
    for (converted, channel) in both {
        let Some((steps, noise_rms)) = channel.coarse_steps(converted.source_variance) else {
            continue;
        };
        let calibration = channel.calibration;
        if !is_whole && converted.peak() > STEPS_MAX * steps.step * calibration.gain.abs() {
            continue;
        }
        let points = if is_whole { per_cycle.round() as usize } else { POINTS };
        let cycle = Cycle { roots: (0..points).map(|k| unit(k as f64 / points as f64)).collect() };
        let mut values = vec![-calibration.offset * channel.full_scale; points];
        for &(frequency_hz, x) in &converted.components {
            cycle.add((frequency_hz / fundamental_hz).round() as usize, x, &mut values);
        }
        let mut variance = 0.0;
        for value in &mut values {
            let x = *value / calibration.gain;
            let (mean, of_noise) = steps.moments(x, noise_rms);
            variance += of_noise / points as f64;
            *value = (mean - x) * calibration.gain;
        }
        variance *= calibration.gain * calibration.gain;
        // Whatever of a line is less is nothing but rounding of its sum.
        let least = NEGLIGIBLE * steps.step * calibration.gain.abs();
        let highest = (points - 1) / 2;
        for &order in orders.iter().filter(|order| **order <= highest) {
            let error = cycle.line(order, &values);
            cycle.add(order, -error, &mut values);
            converted.add(&[(order as f64 * fundamental_hz, error)], 1.0);
        }
        // In the dead band nothing is left of a tone.
        converted.components.retain(|(_, x)| x.norm() > least);
        let mut left = StepRemainder { square: 0.0, by_order: vec![0.0; ORDER_MAX + 1] };
        let others = (2..=ORDER_MAX.min(highest)).filter(|order| !orders.contains(order));
        for order in others {
            let line = cycle.line(order, &values);
            if line.norm() > least {
                left.by_order[order] = line.norm_sqr();
                left.square += 0.5 * line.norm_sqr();
            }
        }
        let rest = mean_product(&values, &values);
        if is_whole {
            left.square = rest;
        } else {
            // What lies beyond the orders folds back to anywhere.
            variance += (rest - left.square).max(0.0);
        }
        (converted.variance, converted.left) = (variance, left);
        all.push(values);
    }
    match &all[..] {
        [u, i] if u.len() == i.len() => mean_product(u, i),
        _ => 0.0,
    }
}

fn mean_product(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / x.len() as f64
}

/// A cycle's points, by their places on the unit circle.
struct Cycle {
    roots: Vec<Complex64>,
}

impl Cycle {
    fn at(&self, order: usize, point: usize) -> Complex64 {
        self.roots[order * point % self.roots.len()]
    }

    /// Adds a tone of an order to the points' values.
    fn add(&self, order: usize, x: Complex64, values: &mut [f64]) {
        for (point, value) in values.iter_mut().enumerate() {
            *value += (x * self.at(order, point)).re;
        }
    }

    /// Complex peak amplitude of an order; the mean of order 0.
    fn line(&self, order: usize, values: &[f64]) -> Complex64 {
        let turned = values.iter().enumerate().map(|(k, e)| self.at(order, k).conj() * *e);
        let sum: Complex64 = turned.sum();
        let scale = if order == 0 { 1.0 } else { 2.0 };
        sum * (scale / values.len() as f64)
    }
}
