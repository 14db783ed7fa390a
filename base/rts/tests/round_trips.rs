//! What is written is read back bit for bit, for random values in every format.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::fmt::Write as _;

use lastmeter_rts::point_map::PointMap;
use lastmeter_rts::{
    AsyncIp, ByteOrder, FieldType, Format, FrameDescription, FrameField, Gtnet, GtnetHeader,
    GtnetPoint, Reassembly, Sample, Value, Wire,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A value by its bits, as no number that is not one equals itself.
fn bits(value: Value) -> (u8, u64) {
    match value {
        Value::Float(float) => (0, float.to_bits()),
        Value::Integer(integer) => (1, integer.cast_unsigned()),
        Value::Boolean(truth) => (2, truth.into()),
        Value::Complex(..) => unreachable!("no format here carries one"),
    }
}

/// Writes a sample and reads it again: nothing differs. Returns the frame.
fn write_and_read(format: &Format, sample: &Sample) -> Vec<u8> {
    let mut frame = Vec::new();
    format.encode(sample, &mut frame).unwrap();
    let mut read = Sample { values: vec![Value::Boolean(true)], ..Sample::default() };
    format.decode(&frame, &mut read).unwrap();
    assert_eq!((read.sequence, read.origin), (sample.sequence, sample.origin));
    let of = |sample: &Sample| sample.values.iter().map(|value| bits(*value)).collect::<Vec<_>>();
    assert_eq!(of(&read), of(sample));
    frame
}

/// A float32 of any bits, as the float64 with the same sign, exponent and fraction.
fn float32(bits: u32) -> f64 {
    let float = f32::from_bits(bits);
    if !float.is_nan() {
        return float.into();
    }
    let [sign, fraction] = [bits >> 31, bits & 0x007F_FFFF].map(u64::from);
    f64::from_bits(sign << 63 | 0x7FF << 52 | fraction << 29)
}

/// One signal of a frame: bits left free before it, its order, type, width and bits.
type Part = (usize, ByteOrder, FieldType, u8, u64);

fn part() -> impl Strategy<Value = Part> {
    let order = prop::sample::select(ByteOrder::ALL.to_vec());
    let of = prop::sample::select(FieldType::ALL.to_vec());
    (0..20_usize, order, of, 1..=64_u8, any::<u64>()).prop_map(|(gap, order, of, width, raw)| {
        let (width, raw) = match of {
            FieldType::Float32 => (32, raw),
            FieldType::Float64 => (64, raw),
            FieldType::Boolean => (width, raw & 1),
            // The highest bit would not be an i64.
            FieldType::Unsigned if width == 64 => (64, raw >> 1),
            FieldType::Unsigned | FieldType::Signed => (width, raw),
        };
        (gap, order, of, width, raw & (u64::MAX >> (64 - width)))
    })
}

/// What the bits of a signal mean, computed by arithmetic.
fn meant(of: FieldType, width: u8, raw: u64) -> Value {
    match of {
        FieldType::Float32 => Value::Float(float32(raw as u32)),
        FieldType::Float64 => Value::Float(f64::from_bits(raw)),
        FieldType::Boolean => Value::Boolean(raw == 1),
        FieldType::Unsigned => Value::Integer(raw as i64),
        FieldType::Signed => {
            let (raw, modulus) = (i128::from(raw), 1_i128 << width);
            let signed = if raw >= modulus / 2 { raw - modulus } else { raw };
            Value::Integer(i64::try_from(signed).unwrap())
        }
    }
}

/// Fields one behind the other with gaps, and the frame with their bits, set one by one.
fn laid_out(parts: &[Part]) -> (Vec<FrameField>, Vec<u8>) {
    let (mut fields, mut frame, mut at) = (Vec::<FrameField>::new(), vec![0_u8; 2000], 0);
    for (gap, order, of, width, raw) in parts {
        at += gap;
        let float = matches!(of, FieldType::Float32 | FieldType::Float64);
        // Where the order of bits changes, bits within one byte could meet.
        if float || fields.last().is_some_and(|last| last.byte_order != *order) {
            at = at.next_multiple_of(8);
        }
        let field = FrameField::new(at / 8, *width, *order, *of);
        fields.push(FrameField { bit_offset: (at % 8) as u8, ..field });
        for nth in 0..usize::from(*width) {
            let (byte, bit) = ((at + nth) / 8, (at + nth) % 8);
            match order {
                ByteOrder::Little => frame[byte] |= ((raw >> nth & 1) as u8) << bit,
                ByteOrder::Big => {
                    let significance = usize::from(*width) - 1 - nth;
                    frame[byte] |= ((raw >> significance & 1) as u8) << (7 - bit);
                }
            }
        }
        at += usize::from(*width);
    }
    frame.truncate(at.div_ceil(8));
    (fields, frame)
}

/// A map of these fields, in both directions; those without a gap before them have no offset.
fn map_of(parts: &[Part], fields: &[FrameField], bytes: usize) -> PointMap {
    let mut text = format!(
        "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"frame\"\nsample_rate = \"1 Hz\"\n\
         frame_bytes_from_simulator = {bytes}\nframe_bytes_to_simulator = {bytes}\n"
    );
    for direction in ["from", "to"] {
        let mut end = 0;
        for (at, (field, (_, order, of, width, _))) in fields.iter().zip(parts).enumerate() {
            let kind = match of {
                FieldType::Float32 | FieldType::Float64 => "float",
                FieldType::Boolean => "boolean",
                FieldType::Signed | FieldType::Unsigned => "integer",
            };
            let least = if *of == FieldType::Signed { -1 } else { 0 };
            let mut keys = format!("bits = {width}\nbyte_order = \"{order}\"\n");
            let begin = 8 * field.byte_offset + usize::from(field.bit_offset);
            if begin != end {
                writeln!(keys, "byte_offset = {}", begin / 8).unwrap();
                writeln!(keys, "bit_offset = {}", begin % 8).unwrap();
            }
            end = begin + usize::from(*width);
            if *of == FieldType::Unsigned {
                keys += "unsigned = true\n";
            }
            if direction == "to" {
                keys += "initial = 0\nsafe_value = 0\n";
            }
            if direction == "to" && *of != FieldType::Boolean {
                let greatest = least + 1;
                writeln!(keys, "least = {least}\ngreatest = {greatest}").unwrap();
                keys += "greatest_change_per_second = 1\n";
            }
            write!(
                text,
                "[[point]]\nname = \"{direction}{at}\"\ndirection = \"{direction}-simulator\"\n\
                 type = \"{kind}\"\n{keys}"
            )
            .unwrap();
        }
    }
    PointMap::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

proptest! {
    #[test]
    fn described_frames_by_their_map(
        parts in vec(part(), 1..12),
        rest in 0..5_usize,
        sizes in vec(1..40_usize, 1..20),
    ) {
        let (fields, mut expected) = laid_out(&parts);
        expected.resize(expected.len() + rest, 0);
        let map = map_of(&parts, &fields, expected.len());
        for (point, field) in map.points.iter().zip(fields.iter().cycle()) {
            prop_assert_eq!(point.place, Some(*field));
        }
        let values: Vec<Value> =
            parts.iter().map(|(_, _, of, width, raw)| meant(*of, *width, *raw)).collect();
        let sample = Sample { values, ..Sample::default() };
        let of = |sample: &Sample| sample.values.iter().map(|v| bits(*v)).collect::<Vec<_>>();
        let mut wire = Wire::new(&map, false).unwrap();
        prop_assert_eq!(wire.frame(sample.clone()).unwrap(), expected.clone());
        let read = wire.arrived(&expected);
        prop_assert_eq!(of(read[0].as_ref().unwrap()), of(&sample));
        // And seven of them in a stream, in any pieces.
        let mut stream = Wire::new(&map, true).unwrap();
        let (together, mut found, mut at) = (expected.repeat(7), 0, 0);
        for size in sizes.iter().cycle() {
            let end = (at + size).min(together.len());
            for read in stream.arrived(&together[at..end]) {
                prop_assert_eq!(of(&read.unwrap()), of(&sample));
                found += 1;
            }
            at = end;
            if at == together.len() {
                break;
            }
        }
        prop_assert_eq!((found, stream.reconnected().len()), (7, 0));
    }

    #[test]
    fn gtnet(
        words in vec((any::<bool>(), any::<u32>()), 1..=297),
        stamp in prop::option::of((any::<u32>(), 0..=i32::MAX, 0..1_000_000_000_u32)),
    ) {
        let points = words.iter().map(|(int, _)| {
            if *int { GtnetPoint::Int32 } else { GtnetPoint::Float32 }
        });
        let header = if stamp.is_some() { GtnetHeader::SequenceAndTime } else { GtnetHeader::None };
        let format = Format::GtnetSkt(Gtnet::new(header, points.collect()).unwrap());
        let values = words.iter().map(|(int, bits)| {
            if *int {
                Value::Integer(bits.cast_signed().into())
            } else {
                Value::Float(float32(*bits))
            }
        });
        let sample = Sample {
            sequence: stamp.map(|(sequence, ..)| sequence.into()),
            origin: stamp.map(|(_, seconds, nanoseconds)| (seconds as u64, nanoseconds)),
            values: values.collect(),
        };
        let head = stamp.map(|(sequence, seconds, nanoseconds)| {
            [sequence, seconds as u32, nanoseconds]
        });
        let expected: Vec<u8> = head
            .into_iter()
            .flatten()
            .chain(words.iter().map(|(_, bits)| *bits))
            .flat_map(u32::to_be_bytes)
            .collect();
        prop_assert_eq!(write_and_read(&format, &sample), expected);
    }

    #[test]
    fn async_ip(
        words in vec(any::<u64>(), 0..=64),
        device in any::<i16>(),
        sequence in any::<u32>(),
    ) {
        let format = AsyncIp::new(words.len(), device, Some(device));
        let sample = Sample {
            sequence: Some(sequence.into()),
            origin: None,
            values: words.iter().map(|word| Value::Float(f64::from_bits(*word))).collect(),
        };
        let frame = write_and_read(&Format::OpalAsyncIp(format), &sample);
        let values: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        prop_assert_eq!(&frame[8..], values);
    }

    #[test]
    fn described_frames(parts in vec(part(), 1..20), scatter in any::<prop::sample::Index>()) {
        let (mut fields, expected) = laid_out(&parts);
        let mut values: Vec<Value> =
            parts.iter().map(|(_, _, of, width, raw)| meant(*of, *width, *raw)).collect();
        // Signals need not be in the order of their places.
        let turn = scatter.index(parts.len());
        fields.rotate_left(turn);
        values.rotate_left(turn);
        let description = FrameDescription::new(fields, None);
        let sample = Sample { values, ..Sample::default() };
        let frame = write_and_read(&Format::DescribedFrame(description), &sample);
        prop_assert_eq!(frame, expected);
    }

    #[test]
    fn streams_in_any_pieces(sizes in vec(1..50_usize, 1..60), lengths in vec(0..=64_usize, 1..9)) {
        let frames: Vec<Vec<u8>> = lengths.iter().map(|values| {
            let format = Format::OpalAsyncIp(AsyncIp::new(*values, 1, None));
            let values = vec![Value::Float(*values as f64); *values];
            let mut frame = Vec::new();
            let sample = Sample { sequence: Some(0), origin: None, values };
            format.encode(&sample, &mut frame).unwrap();
            frame
        }).collect();
        let all = frames.concat();
        let framing = Format::OpalAsyncIp(AsyncIp::new(0, 0, None)).framing();
        let (mut stream, mut rest, mut found) = (Reassembly::new(framing), &all[..], vec![]);
        for size in sizes.iter().cycle() {
            let (piece, behind) = rest.split_at(rest.len().min(*size));
            rest = behind;
            stream.push(piece);
            while let Some(frame) = stream.next_frame() {
                found.push(frame.unwrap().to_vec());
            }
            if rest.is_empty() {
                break;
            }
        }
        stream.close();
        prop_assert!(stream.next_frame().is_none());
        prop_assert_eq!(found, frames);
    }
}
