//! The words in which points stand, and how else the same bits can be read.

use super::{Point, PointDirection, PointMap, WireFormat};
use crate::sample::{SignalType, Value};
use crate::{FieldType, FrameField};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Its bits, 1 to 64.
    pub(super) bits: u8,
    is_unsigned: bool,
    /// Whether it is of whole bytes, so that it can be read with its bytes in reverse order.
    pub(super) is_of_bytes: bool,
}

impl Word {
    const fn of_field(field: &FrameField) -> Self {
        Self {
            bits: field.width_bits,
            is_unsigned: matches!(field.field_type, FieldType::Unsigned),
            is_of_bytes: field.bit_offset == 0 && field.width_bits.is_multiple_of(8),
        }
    }

    /// The word of a point; `None` where its values are text, or have their types with them.
    pub(super) fn of(format: WireFormat, point: &Point) -> Option<Self> {
        let own = point.place.as_ref().map(Self::of_field);
        let of_format = |bits| Self { bits, is_unsigned: false, is_of_bytes: true };
        own.or_else(|| format.word_bits().map(of_format))
    }

    const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits as u32)
    }

    /// The word with its bytes in reverse order, of one of whole bytes.
    pub(super) const fn reversed(self, word: u64) -> u64 {
        word.swap_bytes() >> (64 - self.bits as u32)
    }

    /// The word in which a value stood.
    pub(super) fn of_value(self, value: Value) -> Option<u64> {
        match (value, self.bits) {
            (Value::Float(value), 32) => {
                let narrow = value as f32;
                (f64::from(narrow) == value || value.is_nan()).then(|| u64::from(narrow.to_bits()))
            }
            (Value::Float(value), 64) => Some(value.to_bits()),
            (Value::Float(_) | Value::Complex(..), _) => None,
            // Some readers extend a negative word with zeros.
            (Value::Integer(value), _) => {
                let word = value.cast_unsigned() & self.mask();
                let is_carried = word.cast_signed() == value || self.signed(word) == value;
                is_carried.then_some(word)
            }
            (Value::Boolean(value), _) => Some(u64::from(value)),
        }
    }

    const fn signed(self, word: u64) -> i64 {
        let unused = 64 - self.bits as u32;
        (word << unused).cast_signed() >> unused
    }

    pub(super) fn value(self, word: u64, signal_type: SignalType) -> Option<Value> {
        match (signal_type, self.bits) {
            (SignalType::Float, 32) => Some(Value::Float(f64::from(f32::from_bits(word as u32)))),
            (SignalType::Float, 64) => Some(Value::Float(f64::from_bits(word))),
            (SignalType::Float | SignalType::Complex, _) => None,
            (SignalType::Integer | SignalType::Boolean, _) if self.is_unsigned => {
                i64::try_from(word).ok().map(Value::Integer)
            }
            (SignalType::Integer | SignalType::Boolean, _) => {
                Some(Value::Integer(self.signed(word)))
            }
        }
    }

    /// Whether a float of this word is too small to be a physical value.
    pub(super) fn is_subnormal(self, value: f64) -> bool {
        match self.bits {
            32 => value != 0.0 && value.abs() < f64::from(f32::MIN_POSITIVE),
            _ => value.is_subnormal(),
        }
    }
}

/// Whether the later of two fields follows the earlier one without a gap, and one could stand in
/// the other's place.
pub(super) fn are_neighbours(first: &FrameField, second: &FrameField) -> bool {
    let begin = |field: &FrameField| 8 * field.byte_offset + usize::from(field.bit_offset);
    first.width_bits == second.width_bits
        && first.byte_order == second.byte_order
        && begin(first) + usize::from(first.width_bits) == begin(second)
}

/// Whether [`Plausibility`](super::Plausibility) looks for values that are some words off: always,
/// but for described frames whose points are not words of 32 or of 64 bits of one byte order, one
/// behind the other in the order of the map.
pub fn are_shifts_watched(map: &PointMap) -> bool {
    if map.simulator.wire_format != WireFormat::Frame {
        return true;
    }
    let points = map.of_direction(PointDirection::FromSimulator);
    let fields: Option<Vec<FrameField>> = points.map(|point| point.place).collect();
    fields.is_some_and(|fields| {
        let is_word = |field: &FrameField| field.bit_offset == 0 && field.width_bits >= 32;
        let is_even = |field: &FrameField| field.width_bits.is_power_of_two();
        fields.iter().all(|field| is_word(field) && is_even(field))
            && fields.windows(2).all(|pair| are_neighbours(&pair[0], &pair[1]))
    })
}
