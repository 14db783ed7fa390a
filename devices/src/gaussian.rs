//! Draws from the normal distribution, the same bits on every machine.
//!
//! Box-Muller on a named stream; logarithm and sine come from `libm`, because those of the
//! system's library differ between processors.

use std::f64::consts::TAU;

use chacha20::ChaCha8Rng;
use rand::Rng as _;

/// 2^-53: makes 53 random bits a number from 0 to 1.
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

/// A stream of independent draws from the standard normal distribution.
#[derive(Debug)]
pub(crate) struct Gaussian {
    words: ChaCha8Rng,
    spare: Option<f64>,
}

impl Gaussian {
    pub(crate) fn new(words: ChaCha8Rng) -> Self {
        Self { words, spare: None }
    }

    /// The next draw.
    pub(crate) fn draw(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // The first lies in (0, 1], so that its logarithm exists.
        let radius_draw = ((self.words.next_u64() >> 11) + 1) as f64 * UNIT;
        let angle_draw = (self.words.next_u64() >> 11) as f64 * UNIT;
        let radius = (-2.0 * libm::log(radius_draw)).sqrt();
        let (sin, cos) = libm::sincos(TAU * angle_draw);
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_sim::Streams;

    #[test]
    fn the_first_four_moments_are_those_of_the_standard_normal_distribution() {
        let draws = 200_000;
        let mut stream = Gaussian::new(Streams::new(5).stream("gaussian"));
        let values: Vec<f64> = (0..draws).map(|_| stream.draw()).collect();
        // Variances of the first four powers: 1, 2, 15, 96.
        for (power, expected, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0_f64)]
        {
            let moment = values.iter().map(|v| v.powi(power)).sum::<f64>() / f64::from(draws);
            let limit = 5.0 * (variance / f64::from(draws)).sqrt();
            assert!((moment - expected).abs() < limit, "moment {power}: {moment}");
        }
    }
}
