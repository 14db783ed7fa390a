//! What a record's data field holds.

use std::fmt;

use super::date::{Date, DateTime, DateTimeSecond, Time};

/// The value of a record, by its coding (EN 13757-3, table 5 and annex A).
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// Data field 0: no data.
    NoData,
    /// Data field 8: selection for readout.
    Selection,
    /// A signed integer, low byte first (type B).
    Integer {
        /// 1, 2, 3, 4, 6 or 8.
        bytes: u8,
        /// The integer, unscaled.
        value: i64,
    },
    /// The most negative integer of its bytes: a signed value that is not valid (type B).
    InvalidInteger {
        /// 1, 2, 3, 4, 6 or 8.
        bytes: u8,
    },
    /// A real of 32 bits (type H).
    Real(f32),
    /// Binary coded decimal (type A).
    Bcd {
        /// 2, 4, 6, 8 or 12.
        digits: u8,
        /// The number, unscaled.
        value: i64,
    },
    /// Binary coded decimal with a digit that is none; F in the highest digit is a minus.
    Invalid(Digits<'a>),
    /// Date (type G).
    Date(Date),
    /// Date and time to the minute (type F).
    DateTime(DateTime),
    /// Date and time to the second (type I).
    DateTimeSecond(DateTimeSecond),
    /// Time of day (type J).
    Time(Time),
    /// Variable length 00 to BF: Latin-1, last character first as transmitted.
    Text(Text<'a>),
    /// Variable length C0 to C9 (positive) and D0 to D9 (negative): binary coded decimal.
    VariableBcd {
        /// 0 to 9; the digits are twice as many.
        bytes: u8,
        /// The number, unscaled.
        value: i64,
    },
    /// Such a decimal with a digit that is none.
    VariableInvalid {
        /// The number would be negative.
        negative: bool,
        /// The digits as they were sent.
        digits: Digits<'a>,
    },
    /// Variable length E0 to EF: bytes.
    Binary(&'a [u8]),
    /// Variable length F4: a real of 32 bits.
    VariableReal(f32),
    /// Variable length F8: a real of 64 bits.
    VariableDouble(f64),
    /// Variable length F0 to FA of another size, whose coding is open: at most 10 bytes.
    VariableOther(&'a [u8]),
}

/// Binary coded digits, low byte first as transmitted, at least one of which is not decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits<'a>(pub &'a [u8]);

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Latin-1, last character first as transmitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl PartialEq for Value<'_> {
    /// Reals are the same where their bits are, so that an undefined one is the same as itself.
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::NoData, Self::NoData) | (Self::Selection, Self::Selection) => true,
            (Self::Integer { bytes, value }, Self::Integer { bytes: others, value: other }) => {
                (bytes, value) == (others, other)
            }
            (Self::InvalidInteger { bytes }, Self::InvalidInteger { bytes: other }) => {
                bytes == other
            }
            (Self::Bcd { digits, value }, Self::Bcd { digits: others, value: other }) => {
                (digits, value) == (others, other)
            }
            (Self::Real(value), Self::Real(other))
            | (Self::VariableReal(value), Self::VariableReal(other)) => {
                value.to_bits() == other.to_bits()
            }
            (Self::VariableDouble(value), Self::VariableDouble(other)) => {
                value.to_bits() == other.to_bits()
            }
            (Self::Invalid(digits), Self::Invalid(other)) => digits == other,
            (Self::Date(value), Self::Date(other)) => value == other,
            (Self::DateTime(value), Self::DateTime(other)) => value == other,
            (Self::DateTimeSecond(value), Self::DateTimeSecond(other)) => value == other,
            (Self::Time(value), Self::Time(other)) => value == other,
            (Self::Text(value), Self::Text(other)) => value == other,
            (
                Self::VariableBcd { bytes, value },
                Self::VariableBcd { bytes: others, value: other },
            ) => (bytes, value) == (others, other),
            (
                Self::VariableInvalid { negative, digits },
                Self::VariableInvalid { negative: sign, digits: other },
            ) => (negative, digits) == (sign, other),
            (Self::Binary(value), Self::Binary(other))
            | (Self::VariableOther(value), Self::VariableOther(other)) => value == other,
            _ => false,
        }
    }
}

impl Value<'_> {
    /// The integer, of integers and decimals.
    pub const fn integer(&self) -> Option<i64> {
        match *self {
            Self::Integer { value, .. }
            | Self::Bcd { value, .. }
            | Self::VariableBcd { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The number of reals.
    pub fn real(&self) -> Option<f64> {
        match *self {
            Self::Real(value) | Self::VariableReal(value) => Some(f64::from(value)),
            Self::VariableDouble(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData => f.write_str("no data"),
            Self::Selection => f.write_str("selection for readout"),
            Self::Integer { value, .. }
            | Self::Bcd { value, .. }
            | Self::VariableBcd { value, .. } => write!(f, "{value}"),
            Self::Real(value) | Self::VariableReal(value) => write!(f, "{value}"),
            Self::VariableDouble(value) => write!(f, "{value}"),
            Self::InvalidInteger { bytes } => {
                write!(f, "invalid 80{:0>1$}", "", 2 * usize::from(bytes.saturating_sub(1)))
            }
            Self::Invalid(digits) => write!(f, "invalid {digits}"),
            Self::VariableInvalid { negative, digits } => {
                write!(f, "invalid {}{digits}", if *negative { "-" } else { "" })
            }
            Self::Date(date) => write!(f, "{date}"),
            Self::DateTime(time) => write!(f, "{time}"),
            Self::DateTimeSecond(time) => write!(f, "{time}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::Text(text) => write!(f, "{text}"),
            Self::Binary(bytes) | Self::VariableOther(bytes) => {
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
            }
        }
    }
}
