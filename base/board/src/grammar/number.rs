//! Numbers as meters write them.

lastmeter_units::words! {
    /// What stands between the whole part and the fraction of a number.
    pub enum DecimalSeparator {
        /// A point.
        Point = ".",
        /// A comma.
        Comma = ",",
    }
}

/// In which digits a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberBase {
    /// Decimal digits, with sign, fraction and exponent.
    Decimal,
    /// Hexadecimal digits of a whole number without sign, with or without `0x` in front.
    Hexadecimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberFault {
    NotANumber,
    NotFinite,
    Overflow,
}

/// Above this a double no longer holds every whole number.
const EXACT_MAX: u64 = 1 << 53;

/// Reads a number; one that is too large for a double is infinite.
pub(super) fn parse(
    text: &str,
    base: NumberBase,
    decimal: DecimalSeparator,
) -> Result<f64, NumberFault> {
    match base {
        NumberBase::Hexadecimal => match parse_whole(text, base)? {
            whole if whole <= EXACT_MAX => Ok(whole as f64),
            _ => Err(NumberFault::Overflow),
        },
        NumberBase::Decimal => parse_decimal(text, decimal),
    }
}

fn parse_decimal(text: &str, decimal: DecimalSeparator) -> Result<f64, NumberFault> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let word = unsigned.to_ascii_lowercase();
    if ["nan", "-nan", "inf", "infinity"].contains(&word.as_str()) {
        return Err(NumberFault::NotFinite);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once(decimal.word()).unwrap_or((mantissa, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    let has_digit = !(whole.is_empty() && fraction.is_empty());
    if !has_digit || !are_digits(whole) || !are_digits(fraction) || !exponent_fits {
        return Err(NumberFault::NotANumber);
    }
    let text = text.replace(decimal.word(), DecimalSeparator::Point.word());
    // Too many digits make it infinite, and then so is the value.
    text.parse().map_err(|_| NumberFault::NotANumber)
}

/// Reads a whole number without sign.
pub(super) fn parse_whole(text: &str, base: NumberBase) -> Result<u64, NumberFault> {
    let (digits, radix) = match base {
        NumberBase::Decimal => (text, 10),
        NumberBase::Hexadecimal => {
            let prefix = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            (prefix.unwrap_or(text), 16)
        }
    };
    // The library would take a sign.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(NumberFault::NotANumber);
    }
    u64::from_str_radix(digits, radix).map_err(|_| NumberFault::Overflow)
}
