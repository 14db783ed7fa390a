//! Bytes out of records: what is written is read as the same.

use super::decode::lowest;
use super::error::EncodeError;
use super::model::{EXTENSIONS_MAX, Item, Record, date_width, is_time_point};
use super::value::{Digits, Value};
use super::vif::{MANUFACTURER, PLAIN_TEXT, TABLE_FB, TABLE_FD, Vif};
use crate::bcd;

/// Longest text of a value, by its length field.
const TEXT_MAX: usize = 0xBF;
/// Longest bytes of a value, by their length field.
const BINARY_MAX: usize = 0x0F;

impl Record<'_> {
    /// Appends the record; nothing is appended where it cannot be written.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let before = out.len();
        let written = self.append(out);
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    fn append(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.append_data_information(out)?;
        self.append_value_information(out)?;
        self.append_value(out)
    }

    fn append_data_information(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let function = self.function as u8;
        let mut last = coding(&self.value)? | function << 4 | ((self.storage & 1) as u8) << 6;
        let (mut storage, mut tariff, mut subunit) = (self.storage >> 1, self.tariff, self.subunit);
        for count in 0.. {
            if storage == 0 && tariff == 0 && subunit == 0 {
                out.push(last);
                break;
            }
            if count == EXTENSIONS_MAX {
                let Self { storage, tariff, subunit, .. } = *self;
                return Err(EncodeError::TooManyDife { storage, tariff, subunit });
            }
            out.push(last | 0x80);
            last = (storage & 0x0F) as u8 | ((tariff & 3) as u8) << 4 | ((subunit & 1) as u8) << 6;
            (storage, tariff, subunit) = (storage >> 4, tariff >> 2, subunit >> 1);
        }
        Ok(())
    }

    fn append_value_information(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let extensions = self.vifes.0.len()
            + usize::from(!matches!(self.vif, Vif::Primary(_) | Vif::PlainText(_)));
        if extensions > EXTENSIONS_MAX {
            return Err(EncodeError::TooManyVife { found: extensions });
        }
        let more = if self.vifes.0.is_empty() { 0 } else { 0x80 };
        match self.vif {
            Vif::Primary(code @ (PLAIN_TEXT | 0x80..))
            | Vif::Fd(code @ 0x80..)
            | Vif::Fb(code @ 0x80..) => return Err(EncodeError::Code { code }),
            // With the extension bit these would announce a table.
            Vif::Primary(code @ (TABLE_FB | TABLE_FD)) if more != 0 => {
                return Err(EncodeError::Code { code });
            }
            Vif::Primary(code) => out.push(code | more),
            Vif::Fd(code) => out.extend([TABLE_FD | 0x80, code | more]),
            Vif::Fb(code) => out.extend([TABLE_FB | 0x80, code | more]),
            Vif::PlainText(text) => {
                let too_long = EncodeError::TooLong { found: text.len(), limit: 0xFF };
                out.extend([PLAIN_TEXT | more, u8::try_from(text.len()).map_err(|_| too_long)?]);
                out.extend(text);
            }
        }
        if let Some((last, before)) = self.vifes.0.split_last() {
            out.extend(before.iter().map(|code| code | 0x80));
            out.push(last & 0x7F);
        }
        Ok(())
    }

    fn append_value(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let dates = |bytes| is_time_point(self.vif, self.vifes) && date_width(self.vif, bytes);
        let dated = |bytes, fits: bool| match (dates(bytes), fits) {
            (false, _) => Err(EncodeError::Coding),
            (_, false) => Err(EncodeError::Date),
            _ => Ok(()),
        };
        match self.value {
            Value::NoData | Value::Selection => {}
            Value::Integer { bytes, value } => {
                if dates(bytes) {
                    return Err(EncodeError::Coding);
                }
                // The most negative integer means an invalid value (type B).
                if value == lowest(bytes) && self.quantity().is_signed() {
                    return Err(EncodeError::Coding);
                }
                append_integer(value, usize::from(bytes), out)?;
            }
            Value::InvalidInteger { bytes } => {
                if dates(bytes) || !self.quantity().is_signed() {
                    return Err(EncodeError::Coding);
                }
                append_integer(lowest(bytes), usize::from(bytes), out)?;
            }
            Value::Real(value) => out.extend(value.to_le_bytes()),
            Value::Bcd { digits, value } => {
                let bytes = usize::from(digits) / 2;
                if !bcd::fits(value, u32::from(digits)) {
                    return Err(EncodeError::Number { value, bytes });
                }
                bcd::encode(value, bytes, out);
            }
            Value::Invalid(Digits(digits)) => {
                if bcd::decode(digits, true).is_some() {
                    return Err(EncodeError::ValidDigits);
                }
                out.extend(digits);
            }
            Value::Date(date) => {
                dated(2, date.fits())?;
                out.extend(date.bytes());
            }
            Value::Time(time) => {
                dated(3, time.fits())?;
                out.extend(time.bytes());
            }
            Value::DateTime(time) => {
                dated(4, time.fits())?;
                out.extend(time.bytes());
            }
            Value::DateTimeSecond(time) => {
                dated(6, time.fits())?;
                out.extend(time.bytes());
            }
            _ => append_variable(&self.value, out)?,
        }
        Ok(())
    }
}

/// The data field: the coding of a value.
fn coding(value: &Value<'_>) -> Result<u8, EncodeError> {
    Ok(match *value {
        Value::NoData => 0,
        Value::Selection => 8,
        Value::Integer { bytes: bytes @ (1..=4 | 6), .. }
        | Value::InvalidInteger { bytes: bytes @ (1..=4 | 6) } => bytes,
        Value::Integer { bytes: 8, .. } | Value::InvalidInteger { bytes: 8 } => 7,
        Value::Integer { bytes, .. } | Value::InvalidInteger { bytes } => {
            return Err(EncodeError::Width { found: bytes.into() });
        }
        Value::Real(_) => 5,
        Value::Bcd { digits: digits @ (2 | 4 | 6 | 8), .. } => 8 + digits / 2,
        Value::Bcd { digits: 12, .. } => 0xE,
        Value::Bcd { digits, .. } => return Err(EncodeError::Width { found: digits.into() }),
        Value::Invalid(Digits(digits)) => match digits.len() {
            bytes @ 1..=4 => 8 + bytes as u8,
            6 => 0xE,
            found => return Err(EncodeError::Width { found }),
        },
        Value::Date(_) => 2,
        Value::Time(_) => 3,
        Value::DateTime(_) => 4,
        Value::DateTimeSecond(_) => 6,
        _ => 0xD,
    })
}

fn append_integer(value: i64, bytes: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let unused = 64 - 8 * bytes as u32;
    if value << unused >> unused != value {
        return Err(EncodeError::Number { value, bytes });
    }
    out.extend(value.to_le_bytes().iter().take(bytes));
    Ok(())
}

fn append_variable(value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut bytes = |kind: u8, data: &[u8], limit: usize| {
        if data.len() > limit {
            return Err(EncodeError::TooLong { found: data.len(), limit });
        }
        out.push(kind + data.len() as u8);
        out.extend(data);
        Ok(())
    };
    match *value {
        Value::Text(text) => bytes(0, text.0, TEXT_MAX),
        Value::Binary(data) => bytes(0xE0, data, BINARY_MAX),
        Value::VariableReal(value) => bytes(0xF0, &value.to_le_bytes(), 4),
        Value::VariableDouble(value) => bytes(0xF0, &value.to_le_bytes(), 8),
        Value::VariableOther(data) if matches!(data.len(), 4 | 8) => Err(EncodeError::Coding),
        Value::VariableOther(data) => bytes(0xF0, data, 10),
        Value::VariableInvalid { negative, digits: Digits(digits) } => {
            if digits.is_empty() || bcd::decode(digits, false).is_some() {
                return Err(EncodeError::ValidDigits);
            }
            bytes(if negative { 0xD0 } else { 0xC0 }, digits, 9)
        }
        Value::VariableBcd { bytes, value } => {
            let places = usize::from(bytes);
            if bytes > 9 {
                return Err(EncodeError::Width { found: places });
            }
            let (kind, size) =
                if value < 0 { (0xD0, value.checked_neg()) } else { (0xC0, Some(value)) };
            let fitting = size.filter(|size| bcd::fits(*size, 2 * u32::from(bytes)));
            let Some(size) = fitting else {
                return Err(EncodeError::Number { value, bytes: places });
            };
            out.push(kind + bytes);
            bcd::encode(size, places, out);
            Ok(())
        }
        _ => Err(EncodeError::Coding),
    }
}

impl Item<'_> {
    /// Appends the item; nothing is appended where it cannot be written.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::Record(ref record) => record.encode(out)?,
            Self::Manufacturer { more_records_follow, data } => {
                out.push(if more_records_follow { 0x1F } else { 0x0F });
                out.extend(data);
            }
            Self::GlobalReadout => out.push(MANUFACTURER),
        }
        Ok(())
    }
}
