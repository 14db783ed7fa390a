//! Values of a frame's bits, and bits of values.

use super::error::{DecodeError, EncodeError};
use super::message::{ByteOrder, Message, Multiplexing, NumberFormat, Signal};
use crate::frame::{CanFrame, Content, DATA_BYTES_MAX};

/// A value of a frame, with its name and its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value<'a> {
    /// The name of its signal.
    pub name: &'a str,
    /// Raw value * factor + offset; any number where the signal has the format of IEEE 754.
    pub value: f64,
    /// Its unit, empty for none.
    pub unit: &'a str,
    /// The raw value; nothing where the signal has the format of IEEE 754.
    pub raw: Option<i128>,
    /// The name of the raw value, if the database has one.
    pub label: Option<&'a str>,
}

/// What becomes of a value between two that its signal can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// It becomes the nearest.
    Nearest,
    /// It is an error.
    Error,
}

/// How far from a whole number of factors a value may be that counts as one: the sum of what
/// factor, offset and value have been rounded by.
const STEPS_TOLERANCE: f64 = 1e-6;

type Bytes = [u8; DATA_BYTES_MAX];

impl Signal {
    fn bits_in(&self, bytes: Bytes) -> u64 {
        let all = match self.byte_order {
            ByteOrder::Intel => u64::from_le_bytes(bytes),
            ByteOrder::Motorola => u64::from_be_bytes(bytes),
        };
        self.shift().map_or(0, |shift| all >> shift & self.mask())
    }

    fn put(&self, bits: u64, bytes: &mut Bytes) {
        let bits = self.shift().map_or(0, |shift| (bits & self.mask()) << shift);
        let bits = match self.byte_order {
            ByteOrder::Intel => bits.to_le_bytes(),
            ByteOrder::Motorola => bits.to_be_bytes(),
        };
        for (byte, bits) in bytes.iter_mut().zip(bits) {
            *byte |= bits;
        }
    }

    /// The whole number of the bits; nothing of a [`NumberFormat::Float`].
    fn raw(&self, bits: u64) -> Option<i128> {
        match self.format {
            NumberFormat::Unsigned => Some(bits.into()),
            NumberFormat::Signed => {
                let unused = 64 - self.length_bits;
                Some(((bits << unused).cast_signed() >> unused).into())
            }
            NumberFormat::Float => None,
        }
    }

    fn value(&self, bytes: Bytes) -> Value<'_> {
        let bits = self.bits_in(bytes);
        let raw = self.raw(bits);
        let number = match raw {
            Some(raw) => raw as f64,
            None if self.length_bits == 32 => f32::from_bits(bits as u32).into(),
            None => f64::from_bits(bits),
        };
        let label = raw.and_then(|raw| self.labels.get(&i64::try_from(raw).ok()?));
        Value {
            name: &self.name,
            value: number * self.factor + self.offset,
            unit: &self.unit,
            raw,
            label: label.map(String::as_str),
        }
    }

    /// Least and greatest raw value.
    fn raw_range(&self) -> (f64, f64) {
        let size = 2f64.powi(self.length_bits.cast_signed());
        match self.format {
            NumberFormat::Unsigned => (0.0, size - 1.0),
            NumberFormat::Signed => (-size / 2.0, size / 2.0 - 1.0),
            NumberFormat::Float if self.length_bits == 32 => (f32::MIN.into(), f32::MAX.into()),
            NumberFormat::Float => (f64::MIN, f64::MAX),
        }
    }

    /// What the value of a message has to lie in.
    fn value_range(&self) -> (f64, f64) {
        let (least, most) = self.raw_range();
        let ends = [least, most].map(|raw| raw * self.factor + self.offset);
        let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let (minimum, maximum) = self.range.unwrap_or((least, most));
        (minimum.max(least), maximum.min(most))
    }

    /// The bits of a value.
    fn bits_of(&self, message: &str, value: f64, rounding: Rounding) -> Result<u64, EncodeError> {
        let (message, signal, unit) = (message.to_owned(), self.name.clone(), self.unit.clone());
        let steps = (value - self.offset) / self.factor;
        let (minimum, maximum) = self.value_range();
        let (least, most) = self.raw_range();
        // Half a step covers what the bounds in the file have been rounded by.
        let is_float = self.format == NumberFormat::Float;
        let margin = if is_float { 0.0 } else { self.factor.abs() / 2.0 };
        let raw = if is_float { steps } else { steps.round() };
        let is_within = (minimum - margin..=maximum + margin).contains(&value)
            && (least..=most).contains(&raw)
            // 2^63 - 1 and 2^64 - 1 are no floating point numbers: the bounds above are one more.
            && (self.length_bits < 64 || is_float || raw < most);
        if !is_within {
            return Err(EncodeError::Range {
                message,
                signal,
                found: value,
                unit,
                minimum,
                maximum,
            });
        }
        if is_float {
            let is_short = self.length_bits == 32;
            return Ok(if is_short { (raw as f32).to_bits().into() } else { raw.to_bits() });
        }
        let tolerance = STEPS_TOLERANCE + steps.abs() * f64::EPSILON;
        if rounding == Rounding::Error && (steps - raw).abs() > tolerance {
            let (step, nearest) = (self.factor, raw * self.factor + self.offset);
            return Err(EncodeError::Rounding {
                message,
                signal,
                found: value,
                unit,
                step,
                nearest,
            });
        }
        Ok(raw as i128 as u64)
    }
}

impl Message {
    fn selector(&self, bytes: Bytes) -> Option<i128> {
        self.multiplexer().and_then(|signal| signal.raw(signal.bits_in(bytes)))
    }

    pub(super) fn decode(&self, frame: &CanFrame) -> Result<Vec<Value<'_>>, DecodeError> {
        let message = || self.name.clone();
        let Content::Data(data) = frame.content() else {
            return Err(DecodeError::Remote { message: message() });
        };
        if data.len() < usize::from(self.dlc) {
            let (found, expected) = (data.len(), self.dlc);
            return Err(DecodeError::Short { message: message(), found, expected });
        }
        let mut bytes = Bytes::default();
        for (byte, found) in bytes.iter_mut().zip(data) {
            *byte = *found;
        }
        let selector = self.selector(bytes);
        let signals = self.signals.iter().filter(|signal| signal.is_selected_by(selector));
        Ok(signals.map(|signal| signal.value(bytes)).collect())
    }

    pub(super) fn encode(
        &self,
        values: &[(&str, f64)],
        rounding: Rounding,
    ) -> Result<CanFrame, EncodeError> {
        let mut bytes = Bytes::default();
        let given = |name: &str| values.iter().find(|(given, _)| *given == name);
        let is_multiplexer = |s: &&Signal| s.multiplexing == Multiplexing::Multiplexer;
        let rest = self.signals.iter().filter(|signal| !is_multiplexer(signal));
        let mut taken = Vec::new();
        for signal in self.signals.iter().filter(is_multiplexer).chain(rest) {
            // The multiplexer comes first, so what it selects is in the bytes.
            if !is_multiplexer(&signal) && !signal.is_selected_by(self.selector(bytes)) {
                continue;
            }
            let Some(&(name, value)) = given(&signal.name) else {
                let (message, signal) = (self.name.clone(), signal.name.clone());
                return Err(EncodeError::Missing { message, signal });
            };
            signal.put(signal.bits_of(&self.name, value, rounding)?, &mut bytes);
            taken.push(name);
        }
        for (number, (name, _)) in values.iter().enumerate() {
            let (message, signal) = (self.name.clone(), (*name).to_owned());
            if !taken.contains(name) {
                let expected = taken.join(", ");
                return Err(EncodeError::Signal { message, signal, expected });
            }
            if values[..number].iter().any(|(earlier, _)| earlier == name) {
                return Err(EncodeError::Twice { message, signal });
            }
        }
        let length = usize::from(self.dlc).min(bytes.len());
        Ok(CanFrame::data(self.id, &bytes[..length])?)
    }
}
