//! Numbers as they were transmitted: an integer times a power of ten.

use std::fmt;

/// `mantissa` times ten to the `exponent`, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The integer as transmitted.
    pub mantissa: i64,
    /// The power of ten.
    pub exponent: i16,
}

impl Decimal {
    /// The nearest number, or nearly so beyond 2^53 or 10^22.
    pub fn to_f64(self) -> f64 {
        scale(self.mantissa as f64, self.exponent)
    }

    /// The sum with a power of ten; nothing where it has no place.
    pub(crate) fn plus_power(self, power: i8) -> Option<Self> {
        let power = i16::from(power);
        let exponent = self.exponent.min(power);
        let shift = |from: i16| 10_i64.checked_pow(u32::try_from(from - exponent).ok()?);
        let mantissa = self.mantissa.checked_mul(shift(self.exponent)?)?;
        Some(Self { mantissa: mantissa.checked_add(shift(power)?)?, exponent })
    }
}

/// A number times a power of ten. Powers up to 22 are exact, so the result is the nearest.
pub(crate) fn scale(value: f64, exponent: i16) -> f64 {
    let power = |exponent: u16| -> f64 {
        const EXACT: [f64; 23] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
        ];
        let known = EXACT.get(usize::from(exponent)).copied();
        known.unwrap_or_else(|| 10_f64.powi(i32::from(exponent)))
    };
    if exponent < 0 {
        value / power(exponent.unsigned_abs())
    } else {
        value * power(exponent as u16)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let Ok(zeros) = usize::try_from(self.exponent) else {
            let places = usize::from(self.exponent.unsigned_abs());
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            return write!(f, "{sign}{whole}.{fraction}");
        };
        let zeros = if self.mantissa == 0 { 0 } else { zeros };
        write!(f, "{sign}{digits}{:0<zeros$}", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_printed_exactly() {
        let text = |mantissa, exponent| Decimal { mantissa, exponent }.to_string();
        assert_eq!(text(12_565, -3), "12.565");
        assert_eq!(text(-5, -3), "-0.005");
        assert_eq!(text(7, 3), "7000");
        assert_eq!(text(0, 3), "0");
        assert_eq!(text(i64::MIN, 0), "-9223372036854775808");
        assert_eq!(Decimal { mantissa: 3, exponent: -1 }.to_f64(), 0.3);
        let sum = Decimal { mantissa: 15, exponent: -1 }.plus_power(-3);
        assert_eq!(sum, Some(Decimal { mantissa: 1501, exponent: -3 }));
        assert_eq!(Decimal { mantissa: i64::MAX, exponent: 0 }.plus_power(-1), None);
    }
}
