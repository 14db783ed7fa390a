//! The two special functions behind the jitter: the normal distribution, and the gamma quantile.
//!
//! Everything is made of `libm`'s functions and of basic arithmetic, in one order: the same bits on
//! every machine, which no library's version on the system's `exp` and `log` promises.
//!
//! Sources: NIST Digital Library of Mathematical Functions, 7.2(i) (erfc), 8.7.1 (series of the
//! lower incomplete gamma function), 8.9.2 (continued fraction of the upper one).

use std::f64::consts::FRAC_1_SQRT_2;

/// Far above what the shapes allowed here need.
const TERMS_LIMIT: usize = 10_000;
/// Newton's method needs 3 to 6 steps here.
const STEPS_LIMIT: usize = 100;
/// Where a term or a step changes nothing any more.
const TINY: f64 = 1e-16;

/// Probability that a standard normal variable is at most `z`.
pub(super) fn normal_probability(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// The quantile of the gamma distribution of this shape and the scale 1, at the probability of the
/// normal score `z`. Taking the score keeps both tails exact: one minus a probability would not.
///
/// Newton's method on the logarithm of the nearer tail, over the logarithm of the variable. There
/// both tails are concave (the logarithm of a gamma variable has a log-concave density), so that it
/// converges from anywhere.
pub(super) fn gamma_quantile(shape: f64, z: f64) -> f64 {
    let lower = z <= 0.0;
    let target = libm::log(normal_probability(if lower { z } else { -z }));
    let log_gamma = libm::lgamma(shape);
    let mut y = start(shape, z, target, log_gamma);
    for _ in 0..STEPS_LIMIT {
        let tail = log_tail(shape, y, lower, log_gamma);
        // The tail's derivative over y: plus or minus x times the density, over the tail.
        let slope = libm::exp(shape * y - libm::exp(y) - log_gamma - tail);
        let step = (target - tail) / if lower { slope } else { -slope };
        if !step.is_finite() {
            break;
        }
        y += step.clamp(-1.0, 1.0);
        if step.abs() < TINY * y.abs().max(1.0) * 8.0 {
            break;
        }
    }
    libm::exp(y)
}

/// A first guess of the quantile's logarithm.
fn start(shape: f64, z: f64, target: f64, log_gamma: f64) -> f64 {
    // Wilson and Hilferty (1931): the cube root of a gamma variable is nearly normal.
    let ninth = 1.0 / (9.0 * shape);
    let root = 1.0 - ninth + z * libm::sqrt(ninth);
    if root > 0.3 {
        return libm::log(shape) + 3.0 * libm::log(root);
    }
    if z <= 0.0 {
        // The first term of the series.
        return (target + libm::log(shape) + log_gamma) / shape;
    }
    0.0
}

/// The logarithm of the lower or upper tail's probability at `exp(y)`.
fn log_tail(shape: f64, y: f64, lower: bool, log_gamma: f64) -> f64 {
    let x = libm::exp(y);
    let factor = shape * y - x - log_gamma;
    if x < shape + 1.0 {
        let log_lower = factor + libm::log(lower_series(shape, x));
        if lower { log_lower } else { libm::log1p(-libm::exp(log_lower).min(1.0)) }
    } else {
        let log_upper = factor + libm::log(upper_fraction(shape, x));
        if lower { libm::log1p(-libm::exp(log_upper).min(1.0)) } else { log_upper }
    }
}

/// `P(a, x) * gamma(a) / (x^a e^-x)`.
fn lower_series(shape: f64, x: f64) -> f64 {
    let mut term = 1.0 / shape;
    let mut sum = term;
    for n in 1..TERMS_LIMIT {
        term *= x / (shape + n as f64);
        sum += term;
        if term < sum * TINY {
            break;
        }
    }
    sum
}

/// `Q(a, x) * gamma(a) / (x^a e^-x)`, by Lentz's way of evaluating a continued fraction from its
/// front.
fn upper_fraction(shape: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - shape;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in 1..TERMS_LIMIT {
        let n = n as f64;
        let a = n * (shape - n);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() < TINY * 4.0 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::{ContinuousCDF, Gamma, Normal};

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        // Abramowitz and Stegun, table 26.1 and 26.2.
        for (z, expected) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (2.0, 0.977_249_868_051_821),
            (-3.0, 1.349_898_031_630_1e-3),
            (-5.0, 2.866_515_719e-7),
        ] {
            let found = normal_probability(z);
            assert!((found / expected - 1.0).abs() < 1e-9, "{z}: {found}");
        }
    }

    #[test]
    fn the_gamma_quantiles_are_those_of_another_implementation() {
        let normal = Normal::new(0.0, 1.0).unwrap();
        for shape in [0.1, 0.5625, 1.0, 1.125, 3.0, 20.0, 400.0] {
            for z in [-5.0, -2.0, -0.5, 0.0, 0.7, 1.5, 3.0, 5.0] {
                let found = gamma_quantile(shape, z);
                let gamma = Gamma::new(shape, 1.0).unwrap();
                // The nearer tail's probability: theirs at our quantile.
                let (theirs, wanted) = if z <= 0.0 {
                    (gamma.cdf(found), normal.cdf(z))
                } else {
                    (gamma.sf(found), normal.cdf(-z))
                };
                assert!((theirs / wanted - 1.0).abs() < 1e-8, "{shape} {z}: {theirs} {wanted}");
            }
        }
    }

    #[test]
    fn the_quantiles_of_chi_square_are_those_of_the_tables() {
        // Half a chi-square variable of k degrees is a gamma variable of shape k/2. Percentage
        // points of Abramowitz and Stegun, table 26.8; the scores are those of 5 %, 50 % and 95 %.
        let score = 1.644_853_626_951_472;
        for (degrees, z, expected) in [
            (1.0, score, 3.841_46),
            (2.0, -score, 0.102_587),
            (2.0, 0.0, 1.386_29),
            (10.0, -score, 3.940_30),
            (10.0, score, 18.307_0),
            (30.0, score, 43.772_97),
        ] {
            let found = 2.0 * gamma_quantile(degrees / 2.0, z);
            assert!((found / expected - 1.0).abs() < 5e-6, "{degrees} {z}: {found}");
        }
    }

    #[test]
    fn the_quantiles_of_shape_one_are_those_of_the_exponential_distribution() {
        for z in [-8.0, -4.0, -1.0, -0.1, 0.0, 0.1, 1.0, 4.0, 8.0] {
            let exact = if z < 0.0 {
                -libm::log1p(-normal_probability(z))
            } else {
                -libm::log(normal_probability(-z))
            };
            let found = gamma_quantile(1.0, z);
            assert!((found / exact - 1.0).abs() < 1e-13, "{z}: {found} {exact}");
        }
    }

    proptest! {
        #[test]
        fn the_quantile_grows_with_the_score_and_is_finite(
            shape in 0.05_f64..1000.0, z in -8.6_f64..8.6, further in 0.001_f64..1.0,
        ) {
            let (low, high) = (gamma_quantile(shape, z), gamma_quantile(shape, z + further));
            prop_assert!(low.is_finite() && low >= 0.0 && high.is_finite(), "{low} {high}");
            prop_assert!(high > low || low == 0.0, "{low} {high}");
        }
    }
}
