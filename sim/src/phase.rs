//! Exact phases: how many turns a tone has made, without loss after any length of time.
//!
//! `frequency * count / per_second` grows to 10^9 turns in a day, where a double resolves only
//! 10^-7 of a turn. The product and the quotient are therefore carried in two doubles
//! (Dekker 1971, Knuth TAOCP 4.2.2), and only the fraction is given back; its error stays below
//! 2 * 2^-53 of a turn, 1.4e-15 rad, at any count. Plain multiplication and addition only, so the
//! bits are the same on every CPU.

use std::f64::consts::TAU;

use num_complex::Complex64;

/// The fraction, from -0.5 to 0.5, of the turns a tone makes while `count` ticks pass, when
/// `per_second` of them make a second.
pub(crate) fn turns(frequency_hz: f64, count: i64, per_second: f64) -> f64 {
    // Both halves of the count are exact doubles.
    let high = (count >> 32) as f64 * 4_294_967_296.0;
    let low = (count & 0xffff_ffff) as f64;
    let (high_product, high_error) = two_product(frequency_hz, high);
    let (low_product, low_error) = two_product(frequency_hz, low);
    let (product, sum_error) = two_sum(high_product, low_product);
    let product_error = sum_error + (high_error + low_error);
    let quotient = product / per_second;
    let (back, back_error) = two_product(quotient, per_second);
    let remainder = ((product - back) - back_error) + product_error;
    let fraction = (quotient - quotient.round()) + remainder / per_second;
    fraction - fraction.round()
}

/// `e^(i 2 pi turns)` of [`turns`].
pub(crate) fn rotation(frequency_hz: f64, count: i64, per_second: f64) -> Complex64 {
    cis(TAU * turns(frequency_hz, count, per_second))
}

/// `cos(angle) + i sin(angle)`, the same bits on every machine.
pub(crate) fn cis(angle_rad: f64) -> Complex64 {
    let (sin, cos) = libm::sincos(angle_rad);
    Complex64::new(cos, sin)
}

/// Sum and its rounding error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// Product and its rounding error.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
    let error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    (product, error)
}

/// The upper and lower 26 bits of a number.
fn halves(a: f64) -> (f64, f64) {
    let scaled = 134_217_729.0 * a; // 2^27 + 1
    let high = scaled - (scaled - a);
    (high, a - high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same in integers: frequency as a fraction of powers of two, everything exact.
    fn exact_turns(frequency: (u64, u32), count: i64, per_second: u64) -> f64 {
        // frequency.0 / 2^frequency.1 * count / per_second, modulo 1
        let denominator = i128::from(per_second) << frequency.1;
        let product = i128::from(frequency.0) * i128::from(count);
        let mut rest = product.rem_euclid(denominator);
        if rest * 2 > denominator {
            rest -= denominator;
        }
        rest as f64 / denominator as f64
    }

    fn distance(a: f64, b: f64) -> f64 {
        (a - b - (a - b).round()).abs()
    }

    proptest! {
        #[test]
        fn the_phase_is_exact_after_any_length_of_time(
            mantissa in 1_u64..(1 << 53), scale in 40_u32..53,
            // A thousand years at 7812.5 samples a second are 2^48 samples.
            count in 0_i64..(1 << 50), per_second in 1_u64..2_000_000,
        ) {
            // Frequencies up to 8 kHz with all their 53 bits in use.
            let frequency_hz = mantissa as f64 / (1_u64 << scale) as f64;
            let found = turns(frequency_hz, count, per_second as f64);
            let expected = exact_turns((mantissa, scale), count, per_second);
            prop_assert!(distance(found, expected) < 3e-16, "{found} {expected}");
            prop_assert!(found.abs() <= 0.5);
        }
    }

    #[test]
    fn a_day_of_fifty_hertz_is_a_whole_number_of_turns() {
        let day = 86_400 * 50_000;
        for order in 1_i64..=50 {
            let frequency = 50.0 * order as f64;
            assert_eq!(turns(frequency, day, 50_000.0), 0.0, "order {order}");
            assert!((turns(frequency, day + 1, 50_000.0) - order as f64 / 1000.0).abs() < 1e-16);
        }
    }

    #[test]
    fn nonsense_gives_no_panic() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX] {
            let _ = turns(value, i64::MIN, 1e9);
            let _ = turns(50.0, i64::MAX, value);
        }
    }
}
