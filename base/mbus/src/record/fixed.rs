//! The fixed data structure (CI 73 and 77; EN 1434-3:1997, M-Bus documentation 6.2): two counters.

use std::fmt;

use super::decimal::Decimal;
use super::quantity::{Meaning, Quantity as Q, Unit as U};
use super::value::Digits;
use crate::bcd;
use crate::header::Identification;

/// Bytes of the structure.
pub const FIXED_LENGTH: usize = 16;

/// Status of a fixed data structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FixedStatus(pub u8);

impl FixedStatus {
    /// Bit 0: counters are signed integers; otherwise decimals.
    pub const fn is_binary(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bit 1: counters were stored at a fixed date; otherwise they are current.
    pub const fn is_stored(self) -> bool {
        self.0 & 2 != 0
    }
}

/// The value of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// A signed integer.
    Binary(i32),
    /// Eight decimal digits.
    Bcd(i64),
    /// Eight digits, at least one of which is not decimal, low byte first.
    Invalid([u8; 4]),
}

impl Counter {
    /// The integer, where it is one.
    pub const fn integer(&self) -> Option<i64> {
        match *self {
            Self::Binary(value) => Some(value as i64),
            Self::Bcd(value) => Some(value),
            Self::Invalid(_) => None,
        }
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary(value) => write!(f, "{value}"),
            Self::Bcd(value) => write!(f, "{value}"),
            Self::Invalid(digits) => write!(f, "invalid {}", Digits(digits)),
        }
    }
}

/// What a meter with two counters answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// Identification number of eight digits.
    pub identification: Identification,
    /// Counts the answers, modulo 256.
    pub access_number: u8,
    /// Status of the meter, coding of the counters.
    pub status: FixedStatus,
    /// What it measures: a code of four bits, other than in a variable data structure.
    pub medium: u8,
    /// Codes of the counters' units, six bits each.
    pub units: [u8; 2],
    /// The two counters, in units of `units`.
    pub counters: [Counter; 2],
}

impl Fixed {
    /// From its bytes, of which those of one field are the low byte first.
    pub fn from_bytes(bytes: [u8; FIXED_LENGTH]) -> Self {
        let [i0, i1, i2, i3, access_number, status, u0, u1, a0, a1, a2, a3, b0, b1, b2, b3] = bytes;
        let status = FixedStatus(status);
        let counter = |bytes: [u8; 4]| {
            if status.is_binary() {
                return Counter::Binary(i32::from_le_bytes(bytes));
            }
            bcd::decode(&bytes, true).map_or(Counter::Invalid(bytes), Counter::Bcd)
        };
        Self {
            identification: Identification::from_bytes([i0, i1, i2, i3]),
            access_number,
            status,
            medium: u0 >> 6 | u1 >> 6 << 2,
            units: [u0 & 0x3F, u1 & 0x3F],
            counters: [counter([a0, a1, a2, a3]), counter([b0, b1, b2, b3])],
        }
    }

    /// Its bytes, low byte first; nothing where a counter has no place, or another coding than the
    /// status states.
    pub fn bytes(&self) -> Option<[u8; FIXED_LENGTH]> {
        let [i0, i1, i2, i3] = self.identification.bytes();
        let counter = |counter: Counter| match counter {
            Counter::Binary(value) => self.status.is_binary().then(|| value.to_le_bytes()),
            Counter::Bcd(value) => {
                let mut digits = Vec::with_capacity(4);
                bcd::encode(value, 4, &mut digits);
                let fits = bcd::fits(value, 8) && !self.status.is_binary();
                digits.try_into().ok().filter(|_| fits)
            }
            Counter::Invalid(digits) => {
                let invalid = bcd::decode(&digits, true).is_none() && !self.status.is_binary();
                invalid.then_some(digits)
            }
        };
        let [a0, a1, a2, a3] = counter(self.counters[0])?;
        let [b0, b1, b2, b3] = counter(self.counters[1])?;
        let units = [self.units[0] | self.medium << 6, self.units[1] | self.medium >> 2 << 6];
        let (access, status) = (self.access_number, self.status.0);
        let fits = self.medium < 16 && self.units.iter().all(|unit| *unit < 64);
        fits.then_some([
            i0, i1, i2, i3, access, status, units[0], units[1], a0, a1, a2, a3, b0, b1, b2, b3,
        ])
    }

    /// The same bytes with each field's high byte first (CI 77), or back.
    pub const fn swapped(bytes: [u8; FIXED_LENGTH]) -> [u8; FIXED_LENGTH] {
        let [i0, i1, i2, i3, access, status, u0, u1, a0, a1, a2, a3, b0, b1, b2, b3] = bytes;
        [i3, i2, i1, i0, access, status, u1, u0, a3, a2, a1, a0, b3, b2, b1, b0]
    }

    /// Quantity, unit and power of ten of a counter.
    pub const fn meaning(&self, counter: usize) -> Meaning {
        fixed_unit(if counter == 0 { self.units[0] } else { self.units[1] })
    }

    /// The number of a counter, exactly; nothing where its digits are not decimal.
    pub fn decimal(&self, counter: usize) -> Option<Decimal> {
        let mantissa = self.counters.get(counter)?.integer()?;
        Some(Decimal { mantissa, exponent: i16::from(self.meaning(counter).exponent) })
    }

    /// What the meter measures.
    pub const fn medium_name(&self) -> &'static str {
        match self.medium {
            0x0 => "other",
            0x1 => "oil",
            0x2 => "electricity",
            0x3 => "gas",
            0x4 => "heat",
            0x5 => "steam",
            0x6 => "hot water",
            0x7 => "water",
            0x8 => "heat cost allocator",
            0xA => "gas, mode 2",
            0xB => "heat, mode 2",
            0xC => "hot water, mode 2",
            0xD => "water, mode 2",
            0xE => "heat cost allocator, mode 2",
            _ => "reserved",
        }
    }
}

/// The table of units: most have three rows, for 1, 10 and 100.
const fn fixed_unit(code: u8) -> Meaning {
    match code {
        0x00 => Meaning::new(Q::Time, U::None, 0),
        0x01 => Meaning::new(Q::Date, U::None, 0),
        0x02..=0x0A => Meaning::new(Q::Energy, U::WattHour, (code - 0x02) as i8),
        0x0B..=0x13 => Meaning::new(Q::Energy, U::Joule, (code - 0x0B) as i8 + 3),
        0x14..=0x1C => Meaning::new(Q::Power, U::Watt, (code - 0x14) as i8),
        0x1D..=0x25 => Meaning::new(Q::Power, U::JoulePerHour, (code - 0x1D) as i8 + 3),
        0x26..=0x2B => Meaning::new(Q::Volume, U::Litre, (code - 0x26) as i8 - 3),
        0x2C..=0x2E => Meaning::new(Q::Volume, U::CubicMetre, (code - 0x2C) as i8),
        0x2F..=0x34 => Meaning::new(Q::VolumeFlow, U::LitrePerHour, (code - 0x2F) as i8 - 3),
        0x35..=0x37 => Meaning::new(Q::VolumeFlow, U::CubicMetrePerHour, (code - 0x35) as i8),
        0x38 => Meaning::new(Q::Temperature, U::DegreeCelsius, -3),
        0x39 => Meaning::new(Q::HeatCostAllocation, U::HeatCostUnit, 0),
        0x3E => Meaning::new(Q::Reserved, U::Historic, 0),
        0x3F => Meaning::new(Q::Dimensionless, U::None, 0),
        _ => Meaning::new(Q::Reserved, U::None, 0),
    }
}
