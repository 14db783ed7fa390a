//! Numbers in CSV: the shortest text that reads back as exactly the same value.

use std::io::{self, Write};

/// Writes the shortest decimal text that reads back as `value`; `NaN`, `inf` and `-inf` are
/// spelled so. Very large and very small values get an exponent instead of a row of zeros.
pub fn write_number(out: &mut impl Write, value: f64) -> io::Result<()> {
    let magnitude = value.abs();
    if magnitude == 0.0 || !magnitude.is_finite() || (1e-5..1e16).contains(&magnitude) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut bytes = Vec::new();
        write_number(&mut bytes, value).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_are_written_short() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (230.0, "230"),
            (0.1, "0.1"),
            (-1.5e-7, "-1.5e-7"),
            (1e300, "1e300"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    proptest! {
        #[test]
        fn any_number_reads_back_bit_for_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let back: f64 = text(value).parse().unwrap();
            prop_assert!(back.to_bits() == bits || (back.is_nan() && value.is_nan()));
        }
    }
}
