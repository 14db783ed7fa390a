//! A data record.

use super::decimal::{Decimal, scale};
use super::modifier::{Modifier, Vifes};
use super::quantity::{Quantity, Unit};
use super::value::Value;
use super::vif::{MANUFACTURER, Vif};

/// Most extensions that a data or value information block may have (EN 13757-3, 6.1 and 6.4).
pub const EXTENSIONS_MAX: usize = 10;

lastmeter_units::words! {
    /// What kind of value it is (EN 13757-3, table 6), in the order of its codes.
    #[derive(Default, Hash)]
    pub enum Function {
        /// The value now.
        #[default]
        Instantaneous = "instantaneous",
        /// The largest.
        Maximum = "maximum",
        /// The smallest.
        Minimum = "minimum",
        /// The value while there was an error.
        DuringError = "during error state",
    }
}

/// A data record (EN 13757-3, 6): what it is, and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'a> {
    /// Instantaneous, maximum, minimum or during an error.
    pub function: Function,
    /// Storage number, 41 bits; 0 is the current value.
    pub storage: u64,
    /// Tariff, 20 bits; 0 is the total.
    pub tariff: u32,
    /// Subunit, 10 bits; 0 is the meter itself.
    pub subunit: u16,
    /// Quantity, unit and power of ten.
    pub vif: Vif<'a>,
    /// Combinable extensions, at most ten.
    pub vifes: Vifes<'a>,
    /// The value as transmitted.
    pub value: Value<'a>,
}

impl<'a> Record<'a> {
    /// An instantaneous value of the meter itself.
    pub const fn new(vif: Vif<'a>, value: Value<'a>) -> Self {
        let (function, vifes) = (Function::Instantaneous, Vifes(&[]));
        Self { function, storage: 0, tariff: 0, subunit: 0, vif, vifes, value }
    }

    /// What it measures or states.
    pub fn quantity(&self) -> Quantity {
        self.vif.meaning().quantity
    }

    /// The unit to which [`exponent`](Self::exponent) refers; empty where a text names it.
    pub fn unit(&self) -> Unit {
        self.vif.meaning().unit
    }

    /// Whether value and extensions have a meaning of the manufacturer's.
    pub const fn is_manufacturer_specific(&self) -> bool {
        matches!(self.vif, Vif::Primary(MANUFACTURER))
    }

    /// The power of ten, extensions that multiply included.
    pub fn exponent(&self) -> i16 {
        let mut exponent = i16::from(self.vif.meaning().exponent);
        if !self.vifes.0.is_empty() && !self.is_manufacturer_specific() {
            for modifier in self.vifes.modifiers() {
                if let Modifier::Multiply { exponent: more } = modifier {
                    exponent += i16::from(more);
                }
            }
        }
        exponent
    }

    /// The number, exactly, in [`unit`](Self::unit), with extensions that multiply or add; nothing
    /// where the value is no integer.
    pub fn decimal(&self) -> Option<Decimal> {
        let mantissa = self.value.integer()?;
        let decimal = Decimal { mantissa, exponent: self.exponent() };
        self.added().try_fold(decimal, Decimal::plus_power)
    }

    /// The number in [`unit`](Self::unit), with extensions that multiply or add.
    pub fn number(&self) -> Option<f64> {
        let value = self.value.integer().map(|value| value as f64).or_else(|| self.value.real())?;
        let scaled = scale(value, self.exponent());
        Some(self.added().fold(scaled, |sum, power| sum + scale(1.0, i16::from(power))))
    }

    /// Powers of ten that extensions add.
    fn added(&self) -> impl Iterator<Item = i8> + use<'a> {
        let vifes = if self.is_manufacturer_specific() { Vifes(&[]) } else { self.vifes };
        vifes.modifiers().filter_map(|modifier| match modifier {
            Modifier::Add { exponent } => Some(exponent),
            _ => None,
        })
    }
}

/// What follows the header of a variable data structure, one after another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item<'a> {
    /// A data record.
    Record(Record<'a>),
    /// DIF 0F or 1F: the rest of the telegram is the manufacturer's.
    Manufacturer {
        /// DIF 1F: more records follow in the next telegram.
        more_records_follow: bool,
        /// The manufacturer's data.
        data: &'a [u8],
    },
    /// DIF 7F: the master asks for all data.
    GlobalReadout,
}

/// A record whose value is a time point reads some widths as dates.
pub(crate) fn is_time_point(vif: Vif<'_>, vifes: Vifes<'_>) -> bool {
    matches!(vif, Vif::Primary(0x6C | 0x6D) | Vif::Fd(0x30 | 0x70))
        || vif != Vif::Primary(MANUFACTURER) && vifes.is_time_point()
}

/// The type as which an integer's width is read behind a time point.
pub(crate) const fn date_width(vif: Vif<'_>, bytes: u8) -> bool {
    match vif {
        // Date alone: type G only. Date and time: F, I and J.
        Vif::Primary(0x6C) => bytes == 2,
        Vif::Primary(0x6D) => matches!(bytes, 3 | 4 | 6),
        _ => matches!(bytes, 2 | 4 | 6),
    }
}
