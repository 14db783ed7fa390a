//! Sums of numbers without rounding.

use std::collections::BTreeMap;

/// The exact sum of finite numbers: equal for the same numbers in whatever order they came, and
/// rounded once, to the nearest `f64` (ties to even), when it is read.
///
/// It is an integer in units of the smallest `f64`, 2^-1074, in digits of 32 bits from -2^31 to
/// 2^31 - 1; each integer has one such form. Digits that are zero are left out, so that what meters
/// report needs two or three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactSum(BTreeMap<u8, i32>);

const DIGIT_BITS: u32 = 32;
const LOWEST_EXPONENT: i32 = -1074;

impl ExactSum {
    /// Adds a finite number.
    pub fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let (exponent, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
        let (mantissa, shift) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | 1 << 52, exponent as u32 - 1),
        };
        let magnitude = i128::from(mantissa) << (shift % DIGIT_BITS);
        let mut rest = if value.is_sign_negative() { -magnitude } else { magnitude };
        let mut at = (shift / DIGIT_BITS) as u8;
        while rest != 0 {
            let digit = rest as i32;
            self.add_digit(at, digit.into());
            rest = (rest - i128::from(digit)) >> DIGIT_BITS;
            at += 1;
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        for (at, digit) in &other.0 {
            self.add_digit(*at, (*digit).into());
        }
    }

    fn add_digit(&mut self, mut at: u8, mut carry: i64) {
        while carry != 0 {
            let sum = i64::from(self.0.remove(&at).unwrap_or(0)) + carry;
            let digit = sum as i32;
            if digit != 0 {
                self.0.insert(at, digit);
            }
            carry = (sum - i64::from(digit)) >> DIGIT_BITS;
            at += 1;
        }
    }

    /// The sum, rounded to the nearest number; infinite beyond the largest.
    pub fn value(&self) -> f64 {
        let Some((&top, _)) = self.0.last_key_value() else { return 0.0 };
        let at = |below: i16| {
            let at = u8::try_from(i16::from(top) - below).ok();
            i128::from(at.and_then(|at| self.0.get(&at)).copied().unwrap_or(0))
        };
        // At least 63 significant bits, and below them the sign of what is left.
        let head = (at(0) << 64) + (at(1) << 32) + at(2);
        let left = self.0.range(..top.saturating_sub(2)).next_back();
        let sticky = left.map_or(0, |(_, digit)| i128::from(digit.signum()));
        let exponent = LOWEST_EXPONENT + 32 * (i32::from(top) - 2) - 2;
        // In two steps, so that neither factor is beyond the range of normal numbers.
        let half = exponent / 2;
        (head * 4 + sticky) as f64 * power_of_two(half) * power_of_two(exponent - half)
    }

    /// Its digits with their places, from the lowest.
    pub(super) fn digits(&self) -> impl ExactSizeIterator<Item = (u8, i32)> + '_ {
        self.0.iter().map(|(at, digit)| (*at, *digit))
    }

    /// The sum of these digits; `None` if they are none: places that do not rise, a zero.
    pub(super) fn from_digits(digits: &[(u8, i32)]) -> Option<Self> {
        let rise = digits.windows(2).all(|two| two[0].0 < two[1].0);
        let is_valid = rise && digits.iter().all(|(at, digit)| *digit != 0 && *at < PLACES);
        is_valid.then(|| Self(digits.iter().copied().collect()))
    }
}

/// More than the largest number times 2^64 needs.
const PLACES: u8 = 70;

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for value in values {
            sum.add(*value);
        }
        sum
    }

    #[test]
    fn sums_are_rounded_once() {
        // Each expected value is that of Python's math.fsum.
        assert_eq!(sum(&[]).value(), 0.0);
        assert_eq!(sum(&[0.1; 10]).value(), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100]).value(), 1.0);
        assert_eq!(sum(&[1e308, 1e308, -1e308]).value(), 1e308);
        assert_eq!(sum(&[f64::MAX, f64::MAX]).value(), f64::INFINITY);
        assert_eq!(sum(&[1.0, 2f64.powi(-53)]).value(), 1.0);
        assert_eq!(sum(&[1.0, 2f64.powi(-53), 1e-300]).value(), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[-1.0, -(2f64.powi(-53)), 1e-300]).value(), -1.0);
        assert_eq!(sum(&[5e-324, 5e-324]).value(), 1e-323);
        assert_eq!(sum(&[0.1, -0.1]), ExactSum::default());
    }

    fn any_finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite())
    }

    proptest! {
        #[test]
        fn one_number_is_itself(value in any_finite()) {
            prop_assert_eq!(sum(&[value]).value(), value);
        }

        #[test]
        fn two_numbers_give_the_rounded_sum(a in any_finite(), b in any_finite()) {
            // IEEE 754 addition rounds the exact sum once, too.
            prop_assert_eq!(sum(&[a, b]).value(), a + b);
        }

        #[test]
        fn whole_numbers_sum_as_integers(values in proptest::collection::vec(any::<i32>(), 0..200)) {
            let exact: i64 = values.iter().map(|value| i64::from(*value)).sum();
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            prop_assert_eq!(sum(&values).value(), exact as f64);
        }

        #[test]
        fn order_and_grouping_do_not_matter(
            values in proptest::collection::vec(any_finite(), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let all = sum(&values);
            let mut turned: Vec<f64> = values.clone();
            turned.reverse();
            prop_assert_eq!(&sum(&turned), &all);
            let (left, right) = values.split_at(cut.index(values.len() + 1));
            let mut merged = sum(right);
            merged.merge(&sum(left));
            prop_assert_eq!(&merged, &all);
            let digits: Vec<_> = all.digits().collect();
            prop_assert_eq!(ExactSum::from_digits(&digits), Some(all));
        }
    }
}
