//! Records out of bytes.

use super::date::{Date, DateTime, DateTimeSecond, Time};
use super::error::{Part, RecordError};
use super::model::{EXTENSIONS_MAX, Function, Item, Record, date_width, is_time_point};
use super::modifier::Vifes;
use super::value::{Digits, Text, Value};
use super::vif::{PLAIN_TEXT, TABLE_FB, TABLE_FD, Vif};
use crate::bcd;

/// Reads records one after another; ends behind the last, or behind a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    /// The records in these bytes.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { rest: data, at: 0 }
    }

    /// The records in these bytes, of which the first is the `at`-th of a frame.
    pub const fn within(data: &'a [u8], at: usize) -> Self {
        Self { rest: data, at }
    }

    /// The bytes that are not read yet.
    pub const fn bytes(&self) -> &'a [u8] {
        self.rest
    }

    fn byte(&mut self, part: Part) -> Result<u8, RecordError> {
        let Some((&first, rest)) = self.rest.split_first() else {
            return Err(RecordError::EndOfData { at: self.at, part, needed: 1, available: 0 });
        };
        self.rest = rest;
        self.at += 1;
        Ok(first)
    }

    fn take(&mut self, needed: usize, part: Part) -> Result<&'a [u8], RecordError> {
        let Some((taken, rest)) = self.rest.split_at_checked(needed) else {
            let available = self.rest.len();
            return Err(RecordError::EndOfData { at: self.at, part, needed, available });
        };
        self.rest = rest;
        self.at += needed;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let available = self.rest.len();
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            let (at, part) = (self.at, Part::Value);
            return Err(RecordError::EndOfData { at, part, needed: N, available });
        };
        self.rest = rest;
        self.at += N;
        Ok(*taken)
    }

    /// Everything behind a DIF with the data field F.
    fn special(&mut self, dif: u8) -> Result<Item<'a>, RecordError> {
        match dif {
            0x0F | 0x1F => {
                let data = std::mem::take(&mut self.rest);
                self.at += data.len();
                Ok(Item::Manufacturer { more_records_follow: dif == 0x1F, data })
            }
            0x7F => Ok(Item::GlobalReadout),
            found => Err(RecordError::ReservedDif { at: self.at - 1, found }),
        }
    }

    fn record(&mut self, dif: u8) -> Result<Record<'a>, RecordError> {
        let mut storage = u64::from(dif >> 6 & 1);
        let (mut tariff, mut subunit) = (0, 0);
        let (mut last, mut count) = (dif, 0);
        while last & 0x80 != 0 {
            if count == EXTENSIONS_MAX {
                return Err(RecordError::TooManyDife { at: self.at });
            }
            last = self.byte(Part::Dife)?;
            storage |= u64::from(last & 0x0F) << (1 + 4 * count);
            tariff |= u32::from(last >> 4 & 3) << (2 * count);
            subunit |= u16::from(last >> 6 & 1) << count;
            count += 1;
        }
        let (vif, vifes) = self.value_information()?;
        let value = self.value(dif & 0x0F, vif, vifes)?;
        let function = Function::ALL[usize::from(dif >> 4 & 3)];
        Ok(Record { function, storage, tariff, subunit, vif, vifes, value })
    }

    /// The value information block. The text of a plain-text unit follows its code at once, before
    /// extensions.
    fn value_information(&mut self) -> Result<(Vif<'a>, Vifes<'a>), RecordError> {
        let first = self.byte(Part::Vif)?;
        let extended = first & 0x80 != 0;
        let code = first & 0x7F;
        let mut room = EXTENSIONS_MAX;
        let mut more = extended;
        let vif = match code {
            PLAIN_TEXT => {
                let length = self.byte(Part::UnitText)?;
                Vif::PlainText(self.take(usize::from(length), Part::UnitText)?)
            }
            TABLE_FB | TABLE_FD if extended => {
                let second = self.byte(Part::Vife)?;
                room -= 1;
                more = second & 0x80 != 0;
                if code == TABLE_FB { Vif::Fb(second & 0x7F) } else { Vif::Fd(second & 0x7F) }
            }
            code => Vif::Primary(code),
        };
        if !more {
            return Ok((vif, Vifes(&[])));
        }
        let length = self.rest.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        if length > room {
            return Err(RecordError::TooManyVife { at: self.at + room });
        }
        if length > self.rest.len() {
            let (at, part) = (self.at + length - 1, Part::Vife);
            return Err(RecordError::EndOfData { at, part, needed: 1, available: 0 });
        }
        Ok((vif, Vifes(self.take(length, Part::Vife)?)))
    }

    fn value(
        &mut self,
        coding: u8,
        vif: Vif<'a>,
        vifes: Vifes<'a>,
    ) -> Result<Value<'a>, RecordError> {
        Ok(match coding {
            0x0 => Value::NoData,
            0x1..=0x4 | 0x6 | 0x7 => {
                let bytes = if coding == 7 { 8 } else { coding };
                if is_time_point(vif, vifes) && date_width(vif, bytes) {
                    return self.time_point(bytes);
                }
                let value = self.integer(bytes)?;
                // Type B: the most negative value is "not valid"; types C and D have all of theirs.
                let is_invalid = value == lowest(bytes) && vif.meaning().quantity.is_signed();
                if is_invalid {
                    Value::InvalidInteger { bytes }
                } else {
                    Value::Integer { bytes, value }
                }
            }
            0x5 => Value::Real(f32::from_le_bytes(self.array()?)),
            0x8 => Value::Selection,
            0xD => return self.variable(),
            _ => {
                let bytes = if coding == 0xE { 6 } else { coding - 8 };
                let digits = self.take(usize::from(bytes), Part::Value)?;
                match bcd::decode(digits, true) {
                    Some(value) => Value::Bcd { digits: 2 * bytes, value },
                    None => Value::Invalid(Digits(digits)),
                }
            }
        })
    }

    fn integer(&mut self, bytes: u8) -> Result<i64, RecordError> {
        Ok(match bytes {
            1 => i64::from(i8::from_le_bytes(self.array()?)),
            2 => i64::from(i16::from_le_bytes(self.array()?)),
            4 => i64::from(i32::from_le_bytes(self.array()?)),
            8 => i64::from_le_bytes(self.array()?),
            _ => {
                let taken = self.take(usize::from(bytes), Part::Value)?;
                let raw = taken.iter().rev().fold(0, |sum: i64, byte| sum << 8 | i64::from(*byte));
                let unused = 64 - 8 * u32::from(bytes);
                raw << unused >> unused
            }
        })
    }

    fn time_point(&mut self, bytes: u8) -> Result<Value<'a>, RecordError> {
        Ok(match bytes {
            2 => Value::Date(Date::from_bytes(self.array()?)),
            3 => Value::Time(Time::from_bytes(self.array()?)),
            4 => Value::DateTime(DateTime::from_bytes(self.array()?)),
            _ => Value::DateTimeSecond(DateTimeSecond::from_bytes(self.array()?)),
        })
    }

    fn variable(&mut self) -> Result<Value<'a>, RecordError> {
        let found = self.byte(Part::VariableLength)?;
        let length = usize::from(match found {
            0x00..=0xBF => found,
            0xC0..=0xC9 | 0xD0..=0xD9 | 0xE0..=0xEF | 0xF0..=0xFA => found & 0x0F,
            _ => return Err(RecordError::ReservedLength { at: self.at - 1, found }),
        });
        let data = self.take(length, Part::Value)?;
        Ok(match (found, data) {
            (0x00..=0xBF, _) => Value::Text(Text(data)),
            (0xC0..=0xDF, _) => {
                let negative = found >= 0xD0;
                let number = if data.is_empty() { Some(0) } else { bcd::decode(data, false) };
                match number {
                    Some(value) => Value::VariableBcd {
                        bytes: length as u8,
                        value: if negative { -value } else { value },
                    },
                    None => Value::VariableInvalid { negative, digits: Digits(data) },
                }
            }
            (0xE0..=0xEF, _) => Value::Binary(data),
            (_, &[a, b, c, d]) => Value::VariableReal(f32::from_le_bytes([a, b, c, d])),
            (_, &[a, b, c, d, e, f, g, h]) => {
                Value::VariableDouble(f64::from_le_bytes([a, b, c, d, e, f, g, h]))
            }
            _ => Value::VariableOther(data),
        })
    }
}

/// The most negative integer of so many bytes.
pub(super) const fn lowest(bytes: u8) -> i64 {
    i64::MIN >> (64 - 8 * bytes as u32)
}

/// A byte that fills, where a record may begin.
const IDLE_FILLER: u8 = 0x2F;

impl<'a> Iterator for Records<'a> {
    type Item = Result<Item<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&dif, rest) = self.rest.split_first()?;
            self.rest = rest;
            self.at += 1;
            if dif == IDLE_FILLER {
                continue;
            }
            let item = if dif & 0x0F == 0x0F {
                self.special(dif)
            } else {
                self.record(dif).map(Item::Record)
            };
            if item.is_err() {
                self.rest = &[];
            }
            return Some(item);
        }
    }
}
