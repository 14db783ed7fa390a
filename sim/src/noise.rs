//! White Gaussian noise that can be asked for at any sample.
//!
//! Sample `k` is a fixed function of the stream's key and `k`: two taps at the same rate see the
//! same noise, and it does not matter how a range is cut. Box-Muller with two words of 64 bits per
//! pair of samples, because it uses up the same number of draws for every sample; logarithm and
//! sine come from `libm`, which gives the same bits on every machine. Values reach 8.5 sigma.

use std::f64::consts::TAU;

use chacha20::ChaCha8Rng;
use rand::{Rng as _, SeedableRng as _};

use crate::random::Streams;

/// 2^-53: makes 53 random bits a number from 0 to 1.
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

#[derive(Clone, Debug)]
pub(crate) struct Noise {
    key: [u8; 32],
}

impl Noise {
    pub(crate) fn new(streams: Streams, name: &str) -> Self {
        Self { key: streams.key(name) }
    }

    /// Adds the noise of samples `first_sample..`, of an RMS value, to `out`.
    pub(crate) fn add_to(&self, rms: f64, first_sample: u64, out: &mut [f64]) {
        if rms == 0.0 || out.is_empty() {
            return;
        }
        let mut words = ChaCha8Rng::from_seed(self.key);
        // Each pair of samples uses four 32-bit words.
        words.set_word_pos(u128::from(first_sample / 2) * 4);
        let mut rest = out;
        if first_sample % 2 == 1 && !rest.is_empty() {
            let (head, tail) = rest.split_at_mut(1);
            head[0] += rms * gaussian_pair(&mut words).1;
            rest = tail;
        }
        let mut pairs = rest.chunks_exact_mut(2);
        for pair in &mut pairs {
            let (even, odd) = gaussian_pair(&mut words);
            pair[0] += rms * even;
            pair[1] += rms * odd;
        }
        if let [last] = pairs.into_remainder() {
            *last += rms * gaussian_pair(&mut words).0;
        }
    }
}

/// Two independent draws from the standard normal distribution.
fn gaussian_pair(words: &mut ChaCha8Rng) -> (f64, f64) {
    // The first lies in (0, 1], so that its logarithm exists.
    let radius_draw = ((words.next_u64() >> 11) + 1) as f64 * UNIT;
    let angle_draw = (words.next_u64() >> 11) as f64 * UNIT;
    let radius = (-2.0 * libm::log(radius_draw)).sqrt();
    let (sin, cos) = libm::sincos(TAU * angle_draw);
    (radius * cos, radius * sin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(name: &str, first_sample: u64, samples: usize) -> Vec<f64> {
        let mut out = vec![0.0; samples];
        Noise::new(Streams::new(3), name).add_to(1.0, first_sample, &mut out);
        out
    }

    #[test]
    fn its_moments_are_those_of_the_standard_normal_distribution() {
        let samples = 400_000;
        let draws = noise("a", 0, samples);
        let moment =
            |power: i32| draws.iter().map(|draw| draw.powi(power)).sum::<f64>() / samples as f64;
        // Standard errors of the first four moments: sqrt(1, 2, 15, 96) / sqrt(n).
        for (power, expected, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
        {
            let limit = 5.0 * (variance / samples as f64).sqrt();
            assert!((moment(power) - expected).abs() < limit, "moment {power}: {}", moment(power));
        }
        let lag: f64 = draws.windows(2).map(|pair| pair[0] * pair[1]).sum();
        assert!(lag.abs() / (samples as f64) < 5.0 / (samples as f64).sqrt(), "not white");
    }

    #[test]
    fn two_channels_are_uncorrelated() {
        let samples = 100_000;
        let product: f64 =
            noise("a", 0, samples).iter().zip(noise("b", 0, samples)).map(|(a, b)| a * b).sum();
        assert!(product.abs() / (samples as f64) < 5.0 / (samples as f64).sqrt());
    }

    proptest! {
        #[test]
        fn a_sample_does_not_depend_on_how_the_range_is_cut(
            first in 0_u64..1_000_000_000_000, offset in 0_usize..40, samples in 0_usize..40,
        ) {
            let whole = noise("a", first, 80);
            prop_assert_eq!(&noise("a", first + offset as u64, samples), &whole[offset..offset + samples]);
        }
    }
}
