//! Draws from distributions, the same bits on every machine.
//!
//! Words of 64 bits come from one `ChaCha8` stream for each purpose, so that one more draw here
//! moves none there; `libm` does the rest. Normal draws are Box-Muller's; everything else is the
//! inverse of a distribution function. A normal draw reaches 8.6 deviations.

use std::f64::consts::TAU;

use chacha20::ChaCha8Rng;
use rand::{Rng as _, SeedableRng as _};

use super::special::{gamma_quantile, normal_probability};
use super::{Jitter, JitterLaw};

/// 2^-53: makes 53 random bits a number from 0 to 1.
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

/// Longest single delay, ns: a draw beyond an hour is cut to it.
pub(super) const DELAY_LIMIT_NS: f64 = 3600e9;

/// A stream of draws for one purpose.
#[derive(Debug)]
pub(crate) struct Draws {
    words: ChaCha8Rng,
    spare: Option<f64>,
}

impl Draws {
    /// The stream of a number under a key.
    pub(crate) fn new(key: [u8; 32], stream: u64) -> Self {
        let mut words = ChaCha8Rng::from_seed(key);
        words.set_stream(stream);
        Self { words, spare: None }
    }

    /// Evenly from 0 (included) to 1 (excluded).
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.words.next_u64() >> 11) as f64 * UNIT
    }

    /// 64 random bits.
    pub(crate) fn word(&mut self) -> u64 {
        self.words.next_u64()
    }

    /// Three random bits.
    pub(super) fn bit_index(&mut self) -> u32 {
        (self.words.next_u64() >> 61) as u32
    }

    /// From the exponential distribution of the mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -libm::log1p(-self.uniform())
    }

    /// From the standard normal distribution.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = libm::sqrt(2.0 * self.exponential());
        let (sin, cos) = libm::sincos(TAU * self.uniform());
        self.spare = Some(radius * sin);
        radius * cos
    }

    pub(super) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        (median * libm::exp(sigma * self.normal())).min(DELAY_LIMIT_NS)
    }
}

#[derive(Debug)]
pub(super) struct JitterDraws {
    jitter: Jitter,
    draws: Draws,
    /// The normal score of the last chunk.
    score: Option<f64>,
}

impl JitterDraws {
    pub(super) const fn new(jitter: Jitter, draws: Draws) -> Self {
        Self { jitter, draws, score: None }
    }

    /// The next chunk's jitter, ns; below zero by the symmetric laws only.
    pub(super) fn next_ns(&mut self) -> f64 {
        if self.jitter.law == JitterLaw::None {
            return 0.0;
        }
        let rho = self.jitter.correlation.clamp(0.0, 1.0);
        let fresh = self.draws.normal();
        // Stationary from the first chunk on.
        let score = match self.score {
            None => fresh,
            Some(last) => rho * last + libm::sqrt(1.0 - rho * rho) * fresh,
        };
        self.score = Some(score);
        at_score(self.jitter.law, score).clamp(-DELAY_LIMIT_NS, DELAY_LIMIT_NS)
    }
}

/// The value of a distribution at the probability of a normal score.
fn at_score(law: JitterLaw, score: f64) -> f64 {
    match law {
        JitterLaw::None => 0.0,
        JitterLaw::Uniform { half_width_ns } => {
            half_width_ns * (2.0 * normal_probability(score) - 1.0)
        }
        JitterLaw::Normal { deviation_ns } => deviation_ns * score,
        JitterLaw::Gamma { shape, scale_ns } => scale_ns * gamma_quantile(shape, score),
        JitterLaw::Lognormal { median_ns, sigma } => median_ns * libm::exp(sigma * score),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::{ContinuousCDF, Exp, Gamma, LogNormal, Normal, Uniform};

    const SAMPLES: usize = 20_000;

    fn jitter(law: JitterLaw, correlation: f64, seed: u8) -> Vec<f64> {
        let draws = Draws::new([seed; 32], 0);
        let mut jitter = JitterDraws::new(Jitter { law, correlation }, draws);
        (0..SAMPLES).map(|_| jitter.next_ns()).collect()
    }

    /// The Kolmogorov-Smirnov distance, times the root of the sample size.
    fn distance(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        sample.sort_by(f64::total_cmp);
        let n = sample.len() as f64;
        let distances = sample.iter().enumerate().map(|(rank, &value)| {
            let expected = cdf(value);
            (expected - rank as f64 / n).max((rank + 1) as f64 / n - expected)
        });
        distances.fold(0.0, f64::max) * n.sqrt()
    }

    /// Exceeded by one of a hundred thousand samples of the right distribution (Kolmogorov's:
    /// `2 exp(-2 x^2)`).
    const DISTANCE_LIMIT: f64 = 2.47;

    #[test]
    fn each_law_is_the_distribution_of_another_implementation() {
        type Cdf = Box<dyn Fn(f64) -> f64>;
        let gamma = |shape: f64| Gamma::new(shape, 1.0 / 9e6).unwrap();
        let lognormal = LogNormal::new(libm::log(3e6), 0.8).unwrap();
        let uniform = Uniform::new(-2e6, 2e6).unwrap();
        let normal = Normal::new(0.0, 5e6).unwrap();
        let cases: [(JitterLaw, Cdf); 5] = [
            (
                JitterLaw::Gamma { shape: 0.5625, scale_ns: 9e6 },
                Box::new(move |x| gamma(0.5625).cdf(x)),
            ),
            (JitterLaw::Gamma { shape: 4.0, scale_ns: 9e6 }, Box::new(move |x| gamma(4.0).cdf(x))),
            (
                JitterLaw::Lognormal { median_ns: 3e6, sigma: 0.8 },
                Box::new(move |x| lognormal.cdf(x)),
            ),
            (JitterLaw::Uniform { half_width_ns: 2e6 }, Box::new(move |x| uniform.cdf(x))),
            (JitterLaw::Normal { deviation_ns: 5e6 }, Box::new(move |x| normal.cdf(x))),
        ];
        for (index, (law, cdf)) in cases.into_iter().enumerate() {
            let found = distance(jitter(law, 0.0, index as u8), cdf);
            assert!(found < DISTANCE_LIMIT, "{law:?}: {found}");
        }
        // The yardstick sees a scale that is 5 % off.
        let wrong = jitter(JitterLaw::Gamma { shape: 4.0, scale_ns: 9.45e6 }, 0.0, 1);
        assert!(distance(wrong, |x| gamma(4.0).cdf(x)) > DISTANCE_LIMIT);
    }

    #[test]
    fn correlation_leaves_the_distribution_of_each_chunk_as_it_is() {
        // Every 20th of them: 0.7 to the power of 20 is below a thousandth.
        let law = JitterLaw::Gamma { shape: 0.5625, scale_ns: 9e6 };
        let gamma = Gamma::new(0.5625, 1.0 / 9e6).unwrap();
        let sample: Vec<f64> = jitter(law, 0.7, 9).into_iter().step_by(20).collect();
        let found = distance(sample, |x| gamma.cdf(x));
        assert!(found < DISTANCE_LIMIT, "{found}");
    }

    fn correlation(sample: &[f64], lag: usize) -> f64 {
        let mean = sample.iter().sum::<f64>() / sample.len() as f64;
        let product = |(a, b): (&f64, &f64)| (a - mean) * (b - mean);
        let variance: f64 = sample.iter().zip(sample).map(product).sum();
        sample.iter().zip(&sample[lag..]).map(product).sum::<f64>() / variance
    }

    #[test]
    fn consecutive_chunks_are_correlated_as_asked_for() {
        // Standard error of a correlation: below 1/sqrt(n) inflated by (1 + rho^2)/(1 - rho^2).
        let limit = 5.0 * 2.2 / (SAMPLES as f64).sqrt();
        for rho in [0.0, 0.3, 0.6] {
            let normal = jitter(JitterLaw::Normal { deviation_ns: 1e6 }, rho, 3);
            for lag in 1..4 {
                let expected = rho.powi(lag as i32);
                let found = correlation(&normal, lag);
                assert!((found - expected).abs() < limit, "{rho}, lag {lag}: {found}");
            }
            // Pearson's correlation of uniform variables under a Gaussian copula.
            let expected = 6.0 / std::f64::consts::PI * (rho / 2.0).asin();
            let uniform = jitter(JitterLaw::Uniform { half_width_ns: 1e6 }, rho, 4);
            let found = correlation(&uniform, 1);
            assert!((found - expected).abs() < limit, "{rho}, uniform: {found}");
        }
        let constant = jitter(JitterLaw::Gamma { shape: 2.0, scale_ns: 1e6 }, 1.0, 5);
        assert!(constant.iter().all(|&value| value == constant[0]));
    }

    #[test]
    fn exponential_draws_are_exponential() {
        let mut draws = Draws::new([1; 32], 0);
        let exponential = Exp::new(1.0).unwrap();
        let sample = (0..SAMPLES).map(|_| draws.exponential()).collect();
        let found = distance(sample, |x| exponential.cdf(x));
        assert!(found < DISTANCE_LIMIT, "{found}");
    }

    #[test]
    fn the_first_draws_of_a_key_are_the_same_for_ever() {
        // From another program: ChaCha8 in Python (key of 32 ones, stream 0), Box-Muller, and
        // mpmath's incomplete gamma function.
        let expected = [7_941_122.858_475_1, 2_476_650.746_048_2, 10_467_565.797_172_1];
        let law = JitterLaw::Gamma { shape: 0.5625, scale_ns: 9e6 };
        let found = jitter(law, 0.3, 1);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
        // A change of the last bit would change every seeded result.
        let bits: Vec<u64> = found[..3].iter().map(|value| value.to_bits()).collect();
        assert_eq!(
            bits,
            [4_710_284_726_717_464_976, 4_702_572_978_326_372_843, 4_711_881_342_198_116_099]
        );
    }

    proptest! {
        #[test]
        fn no_draw_is_beyond_its_bounds(
            seed in 0_u8..=255, shape in 0.05_f64..1000.0, scale in 0.0_f64..3600e9,
            sigma in 0.0_f64..5.0, correlation in 0.0_f64..=1.0,
        ) {
            for law in [
                JitterLaw::Gamma { shape, scale_ns: scale },
                JitterLaw::Lognormal { median_ns: scale, sigma },
                JitterLaw::Normal { deviation_ns: scale },
                JitterLaw::Uniform { half_width_ns: scale },
            ] {
                let mut jitter =
                    JitterDraws::new(Jitter { law, correlation }, Draws::new([seed; 32], 0));
                for _ in 0..20 {
                    let value = jitter.next_ns();
                    prop_assert!(value.abs() <= DELAY_LIMIT_NS, "{law:?}: {value}");
                }
            }
        }
    }
}
