//! Exact one-sided bounds on a share, after Clopper and Pearson (1934), and the sizes they need.
//!
//! Terms: of n messages k are *over* a limit; the *upper bound* is the largest share of messages
//! over it that is not refuted by such a result, the *lower bound* the smallest, each at
//! [`CONFIDENCE`]. Both are quantiles of the beta distribution, so that k and n may be the
//! fractions that counting messages per stall makes of them (see [`super::judge`]).
//!
//! The incomplete beta function is our own: the one of the crate `statrs` stops its continued
//! fraction after 140 terms and clamps its first guess at 1e-4, and is off by 1 % at k = 0 of three
//! million, or never ends. Here it is a continued fraction (Didonato and Morris 1992) times the
//! saddle-point form of the density (Loader 2000), neither of which loses digits at large n.

use libm::{exp, expm1, lgamma, log, log1p, sqrt};

/// The confidence of every bound, one-sided.
pub const CONFIDENCE: f64 = 0.95;

/// The largest share over the limit that k of n leaves possible: `beta.ppf(0.95, k + 1, n - k)`.
///
/// 1 for no messages at all. k and n may be fractions; k is taken as at most n.
pub fn upper_bound(k: f64, n: f64) -> f64 {
    if !k.is_finite() || !n.is_finite() || k >= n || n <= 0.0 {
        return 1.0;
    }
    let k = k.max(0.0);
    inverse_incomplete_beta(k + 1.0, n - k, CONFIDENCE)
}

/// The smallest share over the limit that k of n leaves possible: `beta.ppf(0.05, k, n - k + 1)`.
///
/// 0 for no messages at all. k and n may be fractions; k is taken as at most n.
pub fn lower_bound(k: f64, n: f64) -> f64 {
    if !k.is_finite() || !n.is_finite() || k <= 0.0 || n <= 0.0 {
        return 0.0;
    }
    let k = k.min(n);
    inverse_incomplete_beta(k, n - k + 1.0, 1.0 - CONFIDENCE)
}

/// Whether k of n leave a share above `allowed` refuted: `upper_bound(k, n) <= allowed`, without
/// searching for the bound.
pub(super) fn is_within(k: f64, n: f64, allowed: f64) -> bool {
    k < n && n > 0.0 && incomplete_beta(k.max(0.0) + 1.0, n - k.max(0.0), allowed) >= CONFIDENCE
}

/// The smallest number of messages of which k may be over the limit and the claim "a share of at
/// least `coverage` is within it" still passes. The largest integer if
/// there is no such number: no finite sample shows a coverage of 1.
pub fn sample_size_with(coverage: f64, k: u64) -> u64 {
    let allowed = 1.0 - coverage;
    if allowed.is_nan() || allowed <= 0.0 {
        return u64::MAX;
    }
    let passes = |n: u64| n > k && upper_bound(k as f64, n as f64) <= allowed;
    let mut high = k + 1;
    while !passes(high) {
        // Beyond this a double has no room for n and n + 1.
        if high >= 1 << 52 {
            return u64::MAX;
        }
        high *= 2;
    }
    let mut low = (high / 2).max(k);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if passes(middle) { high = middle } else { low = middle }
    }
    high
}

/// The smallest number of messages that can carry a claim at this coverage at all: none may be over
/// the limit. With fewer the verdict is never a pass.
pub fn needed_sample_size(coverage: f64) -> u64 {
    sample_size_with(coverage, 0)
}

/// The rank, from 1, of the order statistic that is within the limit if and only if the claim
/// passes: `binom.ppf(0.95, n, coverage) + 1`. `None` if n is too small.
pub fn deciding_rank(n: u64, coverage: f64) -> Option<u64> {
    let allowed = 1.0 - coverage;
    // The claim passes with k over the limit; the bound grows with k.
    let passes = |k: u64| upper_bound(k as f64, n as f64) <= allowed;
    if n == 0 || !passes(0) {
        return None;
    }
    let (mut low, mut high) = (0, n);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if passes(middle) { low = middle } else { high = middle }
    }
    Some(n - low)
}

/// `I_x(a, b)`, the regularised incomplete beta function, for a and b above 0.
pub(super) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let y = 1.0 - x;
    let front = power_term(a, b, x, y);
    // The fraction converges fast on its own side of the mean.
    if x <= (a + 1.0) / (a + b + 2.0) {
        (front / continued_fraction(a, b, x, y)).clamp(0.0, 1.0)
    } else {
        (1.0 - front / continued_fraction(b, a, y, x)).clamp(0.0, 1.0)
    }
}

/// x^a (1-x)^b / B(a, b).
fn power_term(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let exponent = stirling_error(n)
        - stirling_error(a)
        - stirling_error(b)
        - deviance(a, n * x)
        - deviance(b, n * y);
    exp(exponent) * sqrt(a * b / (2.0 * std::f64::consts::PI * n))
}

/// ln n! - ln(sqrt(2 pi n) (n/e)^n), for n above 0.
fn stirling_error(n: f64) -> f64 {
    const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;
    if n < 16.0 {
        return lgamma(n + 1.0) - (n + 0.5) * log(n) + n - HALF_LN_TWO_PI;
    }
    // Stirling's series (DLMF 5.11.1).
    let square = n * n;
    let tail = 1.0 / 1680.0 - 1.0 / (1188.0 * square);
    let tail = 1.0 / 1260.0 - tail / square;
    let tail = 1.0 / 360.0 - tail / square;
    (1.0 / 12.0 - tail / square) / n
}

/// x ln(x / mean) + mean - x, without losing digits where both are near.
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * log(x / mean) + mean - x;
    }
    let v = difference / (x + mean);
    let mut sum = difference * v;
    let mut term = 2.0 * x * v;
    for order in 1..1000 {
        term *= v * v;
        let next = sum + term / f64::from(2 * order + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// The continued fraction F with `I_x(a, b) = x^a y^b / (B(a, b) F)`, after Didonato and Morris
/// (1992), equation 13, by Lentz's method. `y` is 1 - x: handed over, it saves the digits that
/// a - (a + b) x would lose.
fn continued_fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    // About the square root of the larger of a and b is needed; this is enough for 1e11.
    const TERMS_MAX: u32 = 1_000_000;
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let skew = a * y - b * x + 1.0;
    let mut fraction = away(a * skew / (a + 1.0));
    let (mut c, mut d) = (fraction, 0.0);
    for m in 1..TERMS_MAX {
        let m = f64::from(m);
        let odd = a + 2.0 * m - 1.0;
        let numerator = (a + m - 1.0) / odd * ((a + b + m - 1.0) / odd) * m * (b - m) * x * x;
        let denominator =
            m + m * (b - m) * x / odd + (a + m) * (skew + m * (1.0 + y)) / (a + 2.0 * m + 1.0);
        d = 1.0 / away(denominator + numerator * d);
        c = away(denominator + numerator / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 4e-16 {
            break;
        }
    }
    fraction
}

/// The x with `I_x(a, b)` = `share`, to the last digits of a double.
pub(super) fn inverse_incomplete_beta(a: f64, b: f64, share: f64) -> f64 {
    if share <= 0.0 {
        return 0.0;
    }
    if share >= 1.0 {
        return 1.0;
    }
    // Closed forms: I_x(1, b) = 1 - (1-x)^b, I_x(a, 1) = x^a.
    if a == 1.0 {
        return -expm1(log1p(-share) / b);
    }
    if b == 1.0 {
        return exp(log(share) / a);
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = a / (a + b);
    for _ in 0..200 {
        let error = incomplete_beta(a, b, x) - share;
        if error > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let newton = x - error * x * (1.0 - x) / power_term(a, b, x, 1.0 - x);
        if (newton - x).abs() <= 1e-15 * x {
            return newton;
        }
        x = if newton > low && newton < high {
            newton
        } else if high > 4.0 * low {
            // By ratio towards 0, for a bound may be 1e-9.
            sqrt(low.max(high * 1e-6) * high)
        } else {
            f64::midpoint(low, high)
        };
    }
    x
}

#[cfg(test)]
#[path = "binomial_tests.rs"]
mod tests;
