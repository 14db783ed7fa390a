//! Amounts of a currency: decimals as they are declared, and money as it is paid. Both are whole
//! numbers inside and texts in JSON, since a float has no exact tenth.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::body::Currency;

/// Decimal places of a [`Decimal`].
const PLACES: u32 = 6;
/// The most places of a minor unit in ISO 4217.
const MINOR_PLACES_MAX: u32 = 4;

/// A declared amount of a currency, such as a price for 1 kWh or for a month, in 1e-6 of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(i64);

/// An amount of money, in minor units of its currency such as cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    minor: i64,
    places: u32,
}

impl Currency {
    /// Decimal places of its minor unit (ISO 4217); two for a currency that is not listed.
    pub fn minor_places(&self) -> u32 {
        match self.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF"
            | "UGX" | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }
}

impl Decimal {
    /// An amount of so many 1e-6.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// It in 1e-6.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

impl Money {
    /// Nothing, in a currency with so many places.
    pub const fn zero(places: u32) -> Self {
        Self { minor: 0, places }
    }

    /// A fraction of the currency, rounded to minor units, half away from zero. `None` without a
    /// denominator above 0, or beyond what is counted.
    pub fn rounded(numerator: i128, denominator: i128, places: u32) -> Option<Self> {
        let scaled = numerator.checked_mul(10_i128.checked_pow(places)?)?;
        if denominator <= 0 {
            return None;
        }
        let (whole, rest) = (scaled / denominator, scaled % denominator);
        // The rest is compared with what it lacks: twice the rest may be beyond an i128.
        let is_up = rest.abs() >= denominator - rest.abs();
        let minor = if is_up { whole + scaled.signum() } else { whole };
        Some(Self { minor: i64::try_from(minor).ok()?, places })
    }

    /// It in minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The sum with another amount of the same currency; `None` beyond what is counted.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_add(other.minor)?;
        (self.places == other.places).then_some(Self { minor, ..self })
    }
}

/// A decimal as the whole number of its digits, and how many of them are decimal places.
fn parse(text: &str) -> Option<(i64, u32)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (unsigned, ""),
    };
    let digits = [whole, fraction].concat();
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The lowest number is further from zero than the highest one.
    let number: i128 = digits.parse().ok()?;
    let number = if unsigned.len() == text.len() { number } else { -number };
    let places = u32::try_from(fraction.len()).ok()?;
    Some((i64::try_from(number).ok()?, places))
}

fn write(f: &mut fmt::Formatter<'_>, number: i64, places: u32) -> fmt::Result {
    let places = places as usize;
    let sign = if number < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let point = if places == 0 { "" } else { "." };
    write!(f, "{sign}{whole}{point}{fraction}")
}

impl TryFrom<String> for Decimal {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let read = || {
            let (number, places) = parse(&text)?;
            number.checked_mul(10_i64.checked_pow(PLACES.checked_sub(places)?)?).map(Self)
        };
        read().ok_or("expected a text of a decimal with at most six places such as `0.2215`")
    }
}

impl TryFrom<String> for Money {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let read = parse(&text).filter(|(_, places)| *places <= MINOR_PLACES_MAX);
        let money = read.map(|(minor, places)| Self { minor, places });
        money.ok_or("expected a text of an amount of money such as `28.97`")
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

/// As short as it can be: `0.2215`, `12.5`, `3`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut places) = (self.0, PLACES);
        while places > 0 && number % 10 == 0 {
            (number, places) = (number / 10, places - 1);
        }
        write(f, number, places)
    }
}

/// With all places of the minor unit: `28.97`, `3.00`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.minor, self.places)
    }
}
