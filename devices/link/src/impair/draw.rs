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
pub(super) struct Draws {
    words: ChaCha8Rng,
    spare: Option<f64>,
}

impl Draws {
    /// The stream of a number under a key.
    pub(super) fn new(key: [u8; 32], stream: u64) -> Self {
        let mut words = ChaCha8Rng::from_seed(key);
        words.set_stream(stream);
        Self { words, spare: None }
    }

    /// Evenly from 0 (included) to 1 (excluded).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.words.next_u64() >> 11) as f64 * UNIT
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

    /// From the lognormal distribution.
    pub(super) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        (median * libm::exp(sigma * self.normal())).min(DELAY_LIMIT_NS)
    }
}

/// The jitter of consecutive chunks.
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
