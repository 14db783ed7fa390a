//! Numbers into the fields of a frame and back, without silent loss.
//!
//! A floating-point number is rounded to the field's precision, as the field's user expects.
//! Everything else that the field would alter is refused: an integer that a float does not carry
//! exactly, a finite number that would become infinite, a fraction in an integer field. NaN and
//! infinities pass unaltered. They are moved by their bits, as Rust leaves the payload of a NaN
//! open when it converts one.

use std::cmp::Ordering;

use crate::{Refusal, Rejection, Value};

const F32_EXPONENT: u32 = 0x7F80_0000;
const F64_EXPONENT: u64 = 0x7FF0_0000_0000_0000;
const F32_QUIET: u32 = 0x0040_0000;
/// Bits that the fraction of a float64 has more than that of a float32.
const FRACTION_BITS_MORE: u32 = 29;

/// A float32 as float64, with a NaN's bits kept.
pub(crate) const fn widen(narrow: f32) -> f64 {
    if !narrow.is_nan() {
        return narrow as f64;
    }
    let bits = narrow.to_bits();
    let sign = ((bits >> 31) as u64) << 63;
    let fraction = ((bits & !F32_EXPONENT & (u32::MAX >> 1)) as u64) << FRACTION_BITS_MORE;
    f64::from_bits(sign | F64_EXPONENT | fraction)
}

/// A float64 as float32: rounded, with the upper bits of a NaN kept. `None` where a finite number
/// would become infinite.
const fn narrow(wide: f64) -> Option<f32> {
    if wide.is_nan() {
        let bits = wide.to_bits();
        let sign = ((bits >> 63) as u32) << 31;
        let fraction = ((bits >> FRACTION_BITS_MORE) as u32) & !F32_EXPONENT & (u32::MAX >> 1);
        // A NaN whose upper bits are all zero would else become an infinity.
        let fraction = if fraction == 0 { F32_QUIET } else { fraction };
        return Some(f32::from_bits(sign | F32_EXPONENT | fraction));
    }
    let rounded = wide as f32;
    if rounded.is_infinite() && wide.is_finite() { None } else { Some(rounded) }
}

fn inexact(index: usize, integer: i64, bits: u32) -> Rejection {
    let detail = format!(
        "value {index} is {integer}, which a float{bits} does not carry exactly; expected an \
         integer field, or a value that was rounded on purpose"
    );
    Rejection::new(Refusal::InexactInteger, detail)
}

/// What is wrong with a complex number as the value at an index.
pub(crate) fn complex(index: usize) -> Rejection {
    let detail = format!(
        "value {index} is complex, expected a real number; send its two parts as two signals"
    );
    Rejection::new(Refusal::ComplexValue, detail)
}

/// What is wrong with a finite number that a float32 does not reach, as the value at an index.
fn overflow(index: usize, wide: f64) -> Rejection {
    let detail = format!(
        "value {index} is {wide:e}, expected at most {:e} either side of zero; send it scaled",
        f32::MAX
    );
    Rejection::new(Refusal::FloatOverflow, detail)
}

/// The value at an index of a sample as a float32; true is 1 and false is 0.
pub(crate) fn float32(index: usize, value: Value) -> Result<f32, Rejection> {
    match value {
        Value::Float(wide) => narrow(wide).ok_or_else(|| overflow(index, wide)),
        Value::Integer(integer) => {
            let rounded = integer as f32;
            let same = rounded as i128 == i128::from(integer);
            if same { Ok(rounded) } else { Err(inexact(index, integer, 32)) }
        }
        Value::Boolean(truth) => Ok(f32::from(truth)),
        Value::Complex(..) => Err(complex(index)),
    }
}

/// The value at an index of a sample as a float64; true is 1 and false is 0.
pub(crate) fn float64(index: usize, value: Value) -> Result<f64, Rejection> {
    match value {
        Value::Float(wide) => Ok(wide),
        Value::Integer(integer) => {
            let rounded = integer as f64;
            let same = rounded as i128 == i128::from(integer);
            if same { Ok(rounded) } else { Err(inexact(index, integer, 64)) }
        }
        Value::Boolean(truth) => Ok(f64::from(truth)),
        Value::Complex(..) => Err(complex(index)),
    }
}

/// The value at an index of a sample as an integer from `low` to `high`; true is 1 and false is 0.
pub(crate) fn integer(
    index: usize,
    value: Value,
    low: i128,
    high: i128,
) -> Result<i128, Rejection> {
    let whole = match value {
        Value::Integer(integer) => i128::from(integer),
        Value::Boolean(truth) => i128::from(truth),
        // A conversion beyond the range of i128 gives its end, which no field carries.
        Value::Float(float) if float.fract() == 0.0 => float as i128,
        Value::Float(float) => {
            let detail = format!("value {index} is {float}, expected an integer; round it first");
            return Err(Rejection::new(Refusal::NotAnInteger, detail));
        }
        Value::Complex(..) => return Err(complex(index)),
    };
    if (low..=high).contains(&whole) {
        return Ok(whole);
    }
    let detail = format!(
        "value {index} is {whole}, expected {low} to {high}; limit it, or describe a wider field"
    );
    Err(Rejection::new(Refusal::IntegerOutOfRange, detail))
}

/// Whether there are as many values as signals.
pub(crate) fn count(found: usize, expected: usize) -> Result<(), Rejection> {
    same(found, expected, [Refusal::TooFewValues, Refusal::TooManyValues], || {
        format!(
            "found {found} values, expected {expected}; compare the list of signals at both ends"
        )
    })
}

/// Whether as much was found as expected; else the refusal of too little, or of too much.
pub(crate) fn same(
    found: usize,
    expected: usize,
    [less, more]: [Refusal; 2],
    detail: impl FnOnce() -> String,
) -> Result<(), Rejection> {
    match found.cmp(&expected) {
        Ordering::Less => Err(Rejection::new(less, detail())),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Rejection::new(more, detail())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_a_number_and_infinities_keep_their_bits() {
        // Quiet, signalling with the lowest bit, negative with payload, both infinities.
        for bits in [0x7FC0_0000, 0x7F80_0001, 0xFFC1_2345, 0x7F80_0000, 0xFF80_0000, 0x8000_0000] {
            let wide = widen(f32::from_bits(bits));
            assert_eq!(narrow(wide).unwrap().to_bits(), bits, "{bits:08x}");
        }
        assert_eq!(widen(f32::from_bits(0x7F80_0001)).to_bits(), 0x7FF0_0000_2000_0000);
        let low_payload = f64::from_bits(0x7FF0_0000_0000_0001);
        assert!(narrow(low_payload).unwrap().is_nan());
    }

    #[test]
    fn what_a_float_would_alter_is_refused_and_what_it_rounds_is_not() {
        let refusal = |value| float32(0, value).map_err(|error| error.refusal);
        assert_eq!(refusal(Value::Integer(1 << 24)), Ok(16_777_216.0));
        assert_eq!(refusal(Value::Integer((1 << 24) + 1)), Err(Refusal::InexactInteger));
        assert_eq!(refusal(Value::Integer((1 << 24) + 2)), Ok(16_777_218.0));
        assert_eq!(refusal(Value::Integer(i64::MIN)), Ok(-9.223_372e18));
        assert_eq!(refusal(Value::Integer(i64::MAX)), Err(Refusal::InexactInteger));
        assert_eq!(refusal(Value::Float(0.1)), Ok(0.1));
        assert_eq!(refusal(Value::Float(16_777_217.0)), Ok(16_777_216.0));
        assert_eq!(refusal(Value::Float(3.5e38)), Err(Refusal::FloatOverflow));
        assert_eq!(refusal(Value::Float(f64::NEG_INFINITY)), Ok(f32::NEG_INFINITY));
        assert_eq!(refusal(Value::Boolean(true)), Ok(1.0));
        assert_eq!(refusal(Value::Complex(1.0, 0.0)), Err(Refusal::ComplexValue));
        let wide = |value| float64(0, value).map_err(|error| error.refusal);
        assert_eq!(wide(Value::Integer(1 << 53)), Ok(9_007_199_254_740_992.0));
        assert_eq!(wide(Value::Integer((1 << 53) + 1)), Err(Refusal::InexactInteger));
    }

    #[test]
    fn an_integer_field_takes_integers_in_its_range() {
        let refusal = |value| integer(0, value, -8, 7).map_err(|error| error.refusal);
        assert_eq!(refusal(Value::Integer(-8)), Ok(-8));
        assert_eq!(refusal(Value::Float(7.0)), Ok(7));
        assert_eq!(refusal(Value::Boolean(false)), Ok(0));
        assert_eq!(refusal(Value::Integer(8)), Err(Refusal::IntegerOutOfRange));
        assert_eq!(refusal(Value::Float(1e300)), Err(Refusal::IntegerOutOfRange));
        for float in [0.5, f64::NAN, f64::INFINITY] {
            assert_eq!(refusal(Value::Float(float)), Err(Refusal::NotAnInteger));
        }
    }
}
