//! Values of a sampled signal between its samples, by a windowed sinc.
//!
//! 48 taps under a 4-term Blackman-Harris window: a tone is kept within 5e-6 of its
//! amplitude up to 0.4 of the sampling rate.

use std::f64::consts::PI;

/// Samples needed on each side of a position.
pub(crate) const HALF_TAPS: usize = 24;

/// Blackman-Harris window (Harris 1978, 4 terms, minimum side lobes).
const WINDOW: [f64; 4] = [0.358_75, 0.488_29, 0.141_28, 0.011_68];

/// The weights for one position between two samples, to be used for every channel.
pub(crate) struct Taps {
    first: usize,
    weights: [f64; 2 * HALF_TAPS],
}

impl Taps {
    /// For a position in samples, from `HALF_TAPS - 1` to `samples - 1 - HALF_TAPS`.
    pub(crate) fn new(position: f64) -> Self {
        let left = position.floor();
        let part = position - left;
        let mut weights = [0.0; 2 * HALF_TAPS];
        let sine = libm::sin(PI * part);
        for (tap, weight) in weights.iter_mut().enumerate() {
            // Distance from the position to this tap's sample.
            let offset = tap as f64 - (HALF_TAPS - 1) as f64;
            let distance = offset - part;
            let sinc = if distance == 0.0 {
                1.0
            } else {
                // sin(pi (offset - part)) without another sine per tap.
                let sign = if (tap + HALF_TAPS) % 2 == 1 { -1.0 } else { 1.0 };
                sign * sine / (PI * distance)
            };
            *weight = sinc * window(distance);
        }
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        Self { first: left as usize + 1 - HALF_TAPS, weights }
    }

    /// The value of one channel.
    pub(crate) fn value(&self, samples: &[f64]) -> f64 {
        let samples = &samples[self.first..self.first + 2 * HALF_TAPS];
        self.weights.iter().zip(samples).map(|(weight, sample)| weight * sample).sum()
    }
}

fn window(distance: f64) -> f64 {
    let cos = libm::cos(PI * distance / HALF_TAPS as f64);
    let cos2 = 2.0 * cos * cos - 1.0;
    let cos3 = cos * (2.0 * cos2 - 1.0);
    WINDOW[0] + WINDOW[1] * cos + WINDOW[2] * cos2 + WINDOW[3] * cos3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_between_its_samples() {
        for frequency in [0.0, 0.01, 0.1, 0.3, 0.35, 0.4] {
            let tone = |position: f64| (2.0 * PI * frequency * position + 0.7).cos();
            let samples: Vec<f64> = (0..100).map(|k| tone(f64::from(k))).collect();
            for position in [23.0, 24.0, 30.25, 49.5, 50.999_999, 60.1, 74.999] {
                let error = (Taps::new(position).value(&samples) - tone(position)).abs();
                assert!(error < 5e-6, "{frequency} at {position}: {error}");
            }
        }
    }
}
