//! A frame that its user describes: where each signal lies and how it is carried.
//!
//! Source: the frame builders of the simulators. The TCP and UDP drivers of HYPERSIM and RT-LAB
//! give each signal a type, byte offset, bit offset and size, with gaps; Typhoon HIL sends 64-bit
//! little-endian words; Speedgoat and Simulink pack bytes by blocks. Layouts unverified against
//! hardware.
//!
//! # Where bits lie
//! A signal of `width_bits` begins at `bit_offset` (0 to 7) of the byte at `byte_offset`.
//!
//! - little endian: bit offsets count from the least significant bit of a byte; the signal's least
//!   significant bit comes first, and it goes on towards higher bits and higher bytes;
//! - big endian: bit offsets count from the most significant bit of a byte; the signal's most
//!   significant bit comes first, and it goes on towards lower bits and higher bytes.
//!
//! So a signal of whole bytes at bit offset 0 is an ordinary little-endian or big-endian number.
//!
//! # What values mean
//! Nothing is computed: an integer is read as [`Value::Integer`], and everything comes back bit for
//! bit. An unsigned number above the highest `i64` is refused.
//!
//! Bits of no signal are zero when a frame is written and ignored when one is read. There is no
//! sequence and no time: a counter in the frame is a signal like any other.

use lastmeter_params::{Field, Kind};

use crate::{FormatKind, Refusal, Rejection, Sample, Value, number};

/// The most bytes of a frame: what one UDP datagram carries over IPv4.
pub(crate) const FRAME_MAX_BYTES: usize = 65_507;

/// How `frame_bytes_from_simulator` and its like are read.
const FRAME_BYTES: Kind = Kind::Integer { min: 1, max: FRAME_MAX_BYTES as i64 };

pub(crate) const DESCRIBED_FRAME: FormatKind = FormatKind {
    name: "frame",
    summary: "a frame of described signals: offset, width, byte order and type of each",
    description: "A frame has a fixed length, and each point lies at a byte and bit offset in it, \
        1 to 64 bits wide, little or big endian, as unsigned or signed integer, float32, float64 \
        or boolean. A point without `byte_offset` follows the point before it in its direction \
        without a gap. Gaps are allowed, overlaps are rejected. For HYPERSIM and RT-LAB drivers, \
        Typhoon HIL and byte packing of Speedgoat.",
    simulator_keys: &[
        Field::optional(
            "byte_order",
            Kind::Choice(ByteOrder::WORDS),
            "which end of a point comes first, of points without a `byte_order` of their own",
        ),
        Field::optional(
            "frame_bytes_from_simulator",
            FRAME_BYTES,
            "the length of a frame from the simulator; up to the last point unless given",
        ),
        Field::optional(
            "frame_bytes_to_simulator",
            FRAME_BYTES,
            "the length of a frame to the simulator; up to the last point unless given",
        ),
    ],
    point_keys: &[
        Field::optional(
            "byte_offset",
            Kind::Integer { min: 0, max: FRAME_MAX_BYTES as i64 - 1 },
            "the byte in which it begins; behind the point before of its direction unless given",
        ),
        Field::optional(
            "bit_offset",
            Kind::Integer { min: 0, max: 7 },
            "the bit of that byte with which it begins, from the least significant in little \
             endian and from the most significant in big endian; 0 unless given",
        ),
        Field::optional("bits", Kind::Integer { min: 1, max: 64 }, "its width in bits"),
        Field::optional(
            "byte_order",
            Kind::Choice(ByteOrder::WORDS),
            "which end of it comes first; as in `[simulator]` unless given",
        ),
        Field::optional(
            "unsigned",
            Kind::Boolean,
            "whether an integer has no sign; it has one (two's complement) unless given",
        ),
    ],
};

lastmeter_units::words! {
    /// Which end of a signal comes first.
    pub enum ByteOrder {
        /// The least significant.
        Little = "little",
        /// The most significant.
        Big = "big",
    }
}

lastmeter_units::words! {
    /// How a signal's bits are read.
    pub enum FieldType {
        /// An unsigned integer.
        Unsigned = "unsigned",
        /// A signed integer, two's complement.
        Signed = "signed",
        /// An IEEE 754 number of 32 bits, at a whole byte.
        Float32 = "float32",
        /// An IEEE 754 number of 64 bits, at a whole byte.
        Float64 = "float64",
        /// 1 for true, 0 for false, as an unsigned integer; anything else is refused.
        Boolean = "boolean",
    }
}

/// Where a signal lies in a frame and how it is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameField {
    /// The byte in which it begins.
    pub byte_offset: usize,
    /// The bit of that byte with which it begins, 0 to 7; see the module's head.
    pub bit_offset: u8,
    /// Its bits, 1 to 64.
    pub width_bits: u8,
    /// Which end comes first.
    pub byte_order: ByteOrder,
    /// How its bits are read.
    pub field_type: FieldType,
}

impl FrameField {
    /// A signal at a whole byte.
    pub const fn new(
        byte_offset: usize,
        width_bits: u8,
        byte_order: ByteOrder,
        field_type: FieldType,
    ) -> Self {
        Self { byte_offset, bit_offset: 0, width_bits, byte_order, field_type }
    }

    /// How many bytes it touches, at most 9.
    pub(crate) fn bytes(&self) -> usize {
        (usize::from(self.bit_offset) + usize::from(self.width_bits)).div_ceil(8)
    }

    const fn mask(&self) -> u128 {
        u128::MAX >> (128 - self.width_bits as u32)
    }

    /// How far its least significant bit lies above that of the bytes it touches, read in order.
    fn shift(&self) -> usize {
        let before = usize::from(self.bit_offset);
        match self.byte_order {
            ByteOrder::Little => before,
            ByteOrder::Big => 8 * self.bytes() - before - usize::from(self.width_bits),
        }
    }

    /// Its bits as an unsigned number. The frame has been found long enough.
    fn read_raw(&self, frame: &[u8]) -> u64 {
        let bytes = frame.iter().skip(self.byte_offset).take(self.bytes());
        let append = |above: u128, byte: &u8| above << 8 | u128::from(*byte);
        let whole = match self.byte_order {
            ByteOrder::Little => bytes.rev().fold(0, append),
            ByteOrder::Big => bytes.fold(0, append),
        };
        (whole >> self.shift() & self.mask()) as u64
    }

    /// Sets its bits, which are zero before.
    fn write_raw(&self, frame: &mut [u8], raw: u64) {
        let whole = (u128::from(raw) & self.mask()) << self.shift();
        let bytes = frame.iter_mut().skip(self.byte_offset).take(self.bytes());
        let set = |(nth, byte): (usize, &mut u8)| *byte |= (whole >> (8 * nth)) as u8;
        match self.byte_order {
            ByteOrder::Little => bytes.enumerate().for_each(set),
            ByteOrder::Big => bytes.rev().enumerate().for_each(set),
        }
    }

    /// Its bits, each by the number of its byte and by its significance within that byte, so that
    /// both byte orders can be compared.
    pub(crate) fn bits(self) -> impl Iterator<Item = usize> {
        let first = 8 * self.byte_offset + usize::from(self.bit_offset);
        (first..first + usize::from(self.width_bits)).map(move |at| match self.byte_order {
            ByteOrder::Little => at,
            ByteOrder::Big => at / 8 * 8 + 7 - at % 8,
        })
    }

    /// The least and the highest raw integer.
    pub(crate) const fn range(&self) -> (i128, i128) {
        let above = 1 << (self.width_bits as u32 - 1);
        match self.field_type {
            FieldType::Signed => (-above, above - 1),
            FieldType::Boolean => (0, 1),
            _ => (0, 2 * above - 1),
        }
    }

    fn raw_of(&self, index: usize, value: Value) -> Result<u64, Rejection> {
        match self.field_type {
            FieldType::Float32 => Ok(number::float32(index, value)?.to_bits().into()),
            FieldType::Float64 => Ok(number::float64(index, value)?.to_bits()),
            FieldType::Unsigned | FieldType::Signed => {
                let (low, high) = self.range();
                Ok(number::integer(index, value, low, high)? as u64)
            }
            FieldType::Boolean => match value {
                Value::Boolean(_) | Value::Integer(0 | 1) | Value::Float(0.0 | 1.0) => {
                    Ok(number::integer(index, value, 0, 1)? as u64)
                }
                Value::Complex(..) => Err(number::complex(index)),
                other => {
                    let detail =
                        format!("value {index} is {other:?}, expected true or false, 1 or 0");
                    Err(Rejection::new(Refusal::NotABoolean, detail))
                }
            },
        }
    }

    fn value_of(&self, index: usize, raw: u64) -> Result<Value, Rejection> {
        Ok(match self.field_type {
            FieldType::Float32 => Value::Float(number::widen(f32::from_bits(raw as u32))),
            FieldType::Float64 => Value::Float(f64::from_bits(raw)),
            FieldType::Boolean if raw <= 1 => Value::Boolean(raw == 1),
            FieldType::Boolean => {
                let detail = format!(
                    "value {index} is {raw}, expected 1 or 0; check its place and byte order, or \
                     describe it as an integer"
                );
                return Err(Rejection::new(Refusal::NotABoolean, detail));
            }
            FieldType::Signed => {
                let unused = 64 - u32::from(self.width_bits);
                Value::Integer((raw << unused).cast_signed() >> unused)
            }
            FieldType::Unsigned => Value::Integer(i64::try_from(raw).map_err(|_| {
                let detail = format!("value {index} is {raw}, expected at most {}", i64::MAX);
                Rejection::new(Refusal::IntegerOutOfRange, detail)
            })?),
        })
    }
}

/// The frames of one stream, in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameDescription {
    bytes: usize,
    fields: Vec<FrameField>,
}

impl FrameDescription {
    /// Frames of these signals, as [`PointMap::parse`](crate::point_map::PointMap::parse) has
    /// checked them: each is 1 to 64 bits wide, lies within the frame, and on no other. `bytes` is
    /// the frame's length, without it the frame ends with the last signal.
    pub fn new(fields: Vec<FrameField>, bytes: Option<usize>) -> Self {
        let end = |field: &FrameField| field.byte_offset + field.bytes();
        let longest = fields.iter().map(end).max().unwrap_or_default();
        Self { bytes: bytes.unwrap_or(longest), fields }
    }

    /// Bytes of a frame.
    pub const fn frame_bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the frame of a sample to `out`, or a part of it before a refusal. Neither sequence
    /// nor origin is carried.
    pub(crate) fn encode(&self, sample: &Sample, out: &mut Vec<u8>) -> Result<(), Rejection> {
        number::count(sample.values.len(), self.fields.len())?;
        let before = out.len();
        out.resize(before + self.bytes, 0);
        for (index, (value, field)) in sample.values.iter().zip(&self.fields).enumerate() {
            field.write_raw(&mut out[before..], field.raw_of(index, *value)?);
        }
        Ok(())
    }

    /// Reads a frame, which a datagram or a [`Reassembly`](crate::Reassembly) gave whole, into
    /// `sample`, whose values are of no use after a refusal. Sequence and origin become `None`.
    pub fn decode(&self, frame: &[u8], sample: &mut Sample) -> Result<(), Rejection> {
        number::same(
            frame.len(),
            self.bytes,
            [Refusal::FrameTooShort, Refusal::FrameTooLong],
            || format!("found {} bytes, expected {}", frame.len(), self.bytes),
        )?;
        (sample.sequence, sample.origin) = (None, None);
        sample.values.clear();
        for (index, field) in self.fields.iter().enumerate() {
            sample.values.push(field.value_of(index, field.read_raw(frame))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ByteOrder::{Big, Little};
    use super::FieldType::{Boolean, Float32, Float64, Signed, Unsigned};
    use super::*;

    fn field(byte: usize, bit: u8, width: u8, order: ByteOrder, of: FieldType) -> FrameField {
        FrameField { bit_offset: bit, ..FrameField::new(byte, width, order, of) }
    }

    /// One frame of these signals is these bytes, both ways.
    fn both_ways(fields: &[FrameField], values: &[Value], bytes: &[u8]) {
        let description = FrameDescription::new(fields.to_vec(), Some(bytes.len()));
        let sample = Sample { values: values.to_vec(), ..Sample::default() };
        let mut out = Vec::new();
        description.encode(&sample, &mut out).unwrap();
        assert_eq!(out, bytes);
        let mut read = Sample::default();
        description.decode(bytes, &mut read).unwrap();
        assert_eq!(read, sample);
    }

    fn refused(fields: &[FrameField], value: Value) -> Refusal {
        let format = crate::Format::DescribedFrame(FrameDescription::new(fields.to_vec(), None));
        let sample = Sample { values: vec![value], ..Sample::default() };
        let mut out = vec![7];
        let refusal = format.encode(&sample, &mut out).unwrap_err().refusal;
        assert_eq!(out, [7]);
        refusal
    }

    #[test]
    fn bits_lie_where_the_byte_order_puts_them() {
        let abc = [Value::Integer(0xABC)];
        both_ways(&[field(0, 4, 12, Little, Unsigned)], &abc, &[0xC0, 0xAB]);
        both_ways(&[field(0, 4, 12, Big, Unsigned)], &abc, &[0x0A, 0xBC]);
        both_ways(&[field(0, 2, 12, Little, Unsigned)], &abc, &[0xF0, 0x2A]);
        both_ways(&[field(0, 2, 12, Big, Unsigned)], &abc, &[0x2A, 0xF0]);
        let minus_one = [Value::Integer(-1)];
        let nine_little = [0xF8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07];
        both_ways(&[field(0, 3, 64, Little, Signed)], &minus_one, &nine_little);
        let nine_big = [0x1F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xE0];
        both_ways(&[field(0, 3, 64, Big, Signed)], &minus_one, &nine_big);
    }

    #[test]
    fn types_share_a_frame_with_gaps() {
        both_ways(
            &[
                field(0, 0, 1, Little, Boolean),
                field(0, 3, 5, Little, Signed),
                field(1, 0, 16, Big, Unsigned),
                field(4, 0, 32, Big, Float32),
                field(10, 0, 64, Little, Float64),
                field(3, 0, 8, Big, Boolean),
            ],
            &[
                Value::Boolean(true),
                Value::Integer(-3),
                Value::Integer(0x1234),
                Value::Float(f64::from(325.27_f32)),
                Value::Float(1.0),
                Value::Boolean(false),
            ],
            &[
                0xE9, 0x12, 0x34, 0x00, 0x43, 0xA2, 0xA2, 0x8F, // the first five
                0, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, // a gap, 1.0, a gap
            ],
        );
    }

    #[test]
    fn mixed_64_bit_little_endian_words_follow_one_another() {
        let fields = [field(0, 0, 64, Little, Float64), field(8, 0, 64, Little, Signed)];
        assert_eq!(FrameDescription::new(fields.to_vec(), None).frame_bytes(), 16);
        let values = [Value::Float(-0.5), Value::Integer(-2)];
        let fe = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        let bytes = [[0, 0, 0, 0, 0, 0, 0xE0, 0xBF], fe].concat();
        both_ways(&fields, &values, &bytes);
    }

    #[test]
    fn bits_of_no_signal_are_ignored() {
        let description = FrameDescription::new(vec![field(1, 1, 2, Little, Unsigned)], Some(3));
        let mut sample = Sample::default();
        description.decode(&[0xFF, 0b1111_1101, 0xFF], &mut sample).unwrap();
        assert_eq!(sample.values, [Value::Integer(2)]);
    }

    #[test]
    fn frames_and_values_that_do_not_fit_are_refused() {
        let boolean = [field(0, 0, 8, Big, Boolean)];
        let description = FrameDescription::new(boolean.to_vec(), None);
        let read = |frame: &[u8]| description.decode(frame, &mut Sample::default());
        assert_eq!(read(&[]).unwrap_err().refusal, Refusal::FrameTooShort);
        assert_eq!(read(&[0, 0]).unwrap_err().refusal, Refusal::FrameTooLong);
        assert_eq!(read(&[2]).unwrap_err().refusal, Refusal::NotABoolean);
        assert_eq!(refused(&boolean, Value::Integer(2)), Refusal::NotABoolean);
        assert_eq!(refused(&boolean, Value::Complex(1.0, 0.0)), Refusal::ComplexValue);
        let fields = [field(0, 0, 64, Big, Unsigned)];
        let unsigned = FrameDescription::new(fields.to_vec(), None);
        let refusal = unsigned.decode(&[0xFF; 8], &mut Sample::default()).unwrap_err().refusal;
        assert_eq!(refusal, Refusal::IntegerOutOfRange);
        assert_eq!(refused(&fields, Value::Integer(-1)), Refusal::IntegerOutOfRange);
        let nibble = [field(0, 0, 4, Big, Unsigned)];
        assert_eq!(refused(&nibble, Value::Integer(16)), Refusal::IntegerOutOfRange);
        let none = description.encode(&Sample::default(), &mut Vec::new()).unwrap_err().refusal;
        assert_eq!(none, Refusal::TooFewValues);
    }
}
