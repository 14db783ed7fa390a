//! How long a frame is: in bits on a classical CAN bus, in characters on an SLCAN line.
//!
//! A frame of ISO 11898-1 is start of frame, arbitration field, control field, data and CRC, in
//! which five equal bits are followed by a stuff bit of the other value; then, without stuffing,
//! CRC delimiter, acknowledge slot and its delimiter, end of frame (7) and intermission (3).
//! Clauses are unverified; the polynomial is checked with the published value of
//! CRC-15/CAN for `123456789`.

use crate::frame::{CanFrame, Content};

/// The generator of the CRC: x^15 + x^14 + x^10 + x^8 + x^7 + x^4 + x^3 + 1, without x^15.
const CRC_POLYNOMIAL: u16 = 0x4599;
const CRC_BITS: u32 = 15;
/// CRC delimiter, acknowledge slot and delimiter, end of frame, intermission.
const TAIL_BITS: u32 = 1 + 1 + 1 + 7 + 3;
/// Start of frame, identifier, RTR, IDE, r0, data length code.
const STANDARD_HEAD_BITS: u32 = 1 + 11 + 1 + 1 + 1 + 4;
/// Start of frame, 11 bits, SRR, IDE, 18 bits, RTR, r1, r0, data length code.
const EXTENDED_HEAD_BITS: u32 = 1 + 11 + 1 + 1 + 18 + 1 + 1 + 1 + 4;
/// A start bit, eight data bits, a stop bit.
const SERIAL_BITS_PER_CHARACTER: u64 = 10;
/// Characters of a time stamp.
const TIME_STAMP_CHARACTERS: u32 = 4;

/// The CRC of classical CAN over bits in the order of the wire: 15 bits, beginning from 0.
pub fn crc15(bits: impl IntoIterator<Item = bool>) -> u16 {
    bits.into_iter().fold(0_u16, |crc, bit| {
        let feedback = bit != (crc >> 14 & 1 == 1);
        let shifted = crc << 1 & 0x7FFF;
        if feedback { shifted ^ CRC_POLYNOMIAL } else { shifted }
    })
}

/// The lowest `count` bits of a value, highest first.
fn bits_of(value: u32, count: u32) -> impl Iterator<Item = bool> {
    (0..count).rev().map(move |at| value >> at & 1 == 1)
}

/// The stuffed part of a frame up to its data, without stuff bits and CRC.
fn head_and_data(frame: &CanFrame) -> impl Iterator<Item = bool> {
    let (value, remote) = (frame.id().value(), u32::from(frame.is_remote()));
    // Upper identifier with its start of frame; then what stands between it and the length code.
    let (upper, between, between_bits) = if frame.id().is_extended() {
        (value >> 18, 0b11 << 21 | (value & 0x3_FFFF) << 3 | remote << 2, 2 + 18 + 3)
    } else {
        (value, remote << 2, 3)
    };
    let bytes: [u8; 8] = std::array::from_fn(|at| frame.bytes().get(at).copied().unwrap_or(0));
    let length = frame.bytes().len();
    bits_of(upper, 1 + 11)
        .chain(bits_of(between, between_bits))
        .chain(bits_of(u32::from(frame.dlc()), 4))
        .chain(bytes.into_iter().take(length).flat_map(|byte| bits_of(u32::from(byte), 8)))
}

/// How many stuff bits a sender inserts; a stuff bit counts towards the next run.
fn stuff_bits(bits: impl Iterator<Item = bool>) -> u32 {
    let (mut inserted, mut last, mut run) = (0, None, 0);
    for bit in bits {
        run = if last == Some(bit) { run + 1 } else { 1 };
        last = Some(bit);
        if run == 5 {
            inserted += 1;
            (last, run) = (Some(!bit), 1);
        }
    }
    inserted
}

/// The bits before stuffing that stuffing applies to.
fn stuffed_part_bits(frame: &CanFrame) -> u32 {
    let head = if frame.id().is_extended() { EXTENDED_HEAD_BITS } else { STANDARD_HEAD_BITS };
    head + 8 * frame.bytes().len() as u32 + CRC_BITS
}

/// The bits that this very frame takes on the bus, with its stuff bits and the intermission.
#[must_use]
pub fn exact_bits(frame: &CanFrame) -> u32 {
    let crc = u32::from(crc15(head_and_data(frame)));
    shortest_bits(frame) + stuff_bits(head_and_data(frame).chain(bits_of(crc, CRC_BITS)))
}

/// The bits of a frame of this format, kind and length if no stuff bit is needed.
#[must_use]
pub fn shortest_bits(frame: &CanFrame) -> u32 {
    stuffed_part_bits(frame) + TAIL_BITS
}

/// The bits of a frame of this format, kind and length with the most stuff bits that any content
/// can need: one behind the first five bits, and one behind every four that follow.
///
/// An upper bound; the CRC keeps most formats from reaching it.
#[must_use]
pub fn longest_bits(frame: &CanFrame) -> u32 {
    shortest_bits(frame) + (stuffed_part_bits(frame) - 1) / 4
}

/// The characters of a frame on an SLCAN line, with its carriage return: 22 for a standard frame
/// of 8 bytes, 27 for an extended one, 4 more with a time stamp.
#[must_use]
pub fn slcan_characters(frame: &CanFrame, time_stamp: bool) -> u32 {
    let digits_of_id = if frame.id().is_extended() { 8 } else { 3 };
    let digits_of_data = match frame.content() {
        Content::Data(bytes) => 2 * bytes.len() as u32,
        Content::Remote { .. } => 0,
    };
    let stamp = if time_stamp { TIME_STAMP_CHARACTERS } else { 0 };
    1 + digits_of_id + 1 + digits_of_data + stamp + 1
}

/// The baud rate (bit/s, 10 bits a character) that a serial line needs at least to carry all
/// frames of a bus that is never idle, whatever they are.
///
/// The frame that costs most is an extended one of 8 bytes without stuff bits: 27 characters for
/// 131 bits, or 31 with a time stamp; `tests` compare it with all other formats and lengths.
#[must_use]
pub fn least_baud(bit_rate: u32, time_stamps: bool) -> u64 {
    let characters: u64 = if time_stamps { 31 } else { 27 };
    (u64::from(bit_rate) * characters * SERIAL_BITS_PER_CHARACTER).div_ceil(131)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::CanId;
    use crate::frame::testing::frame;
    use proptest::prelude::*;

    fn read(text: &str) -> CanFrame {
        text.parse().unwrap()
    }

    #[test]
    fn shortest_and_longest_of_each_kind() {
        let bounds = |text| (shortest_bits(&read(text)), longest_bits(&read(text)));
        assert_eq!(bounds("123#1122334455667788"), (111, 135));
        assert_eq!(bounds("123#R8"), (47, 55));
        assert_eq!(bounds("123#"), (47, 55));
        assert_eq!(bounds("12345678#1122334455667788"), (131, 160));
        assert_eq!(bounds("12345678#R"), (67, 80));
    }

    #[test]
    fn the_check_value_of_crc_15_can() {
        let bits = b"123456789".iter().flat_map(|&byte| bits_of(u32::from(byte), 8));
        assert_eq!(crc15(bits), 0x059E);
    }

    /// CRC and bits by another program, which divides polynomials as integers and inserts stuff
    /// bits into a text.
    #[test]
    fn crc_and_length_of_typed_in_frames() {
        let cases = [
            ("000#", 0x0000, 53),
            ("000#R", 0x73C5, 50),
            ("555#R5", 0x09DF, 48),
            ("014#01", 0x7753, 58),
            ("123#1122", 0x04B7, 65),
            ("000#0000000000000000", 0x145B, 127),
            ("7FF#FFFFFFFFFFFFFFFF", 0x4C89, 126),
            ("555#AAAAAAAAAAAAAAAA", 0x7DCE, 112),
            ("0F0#3C3C3C3C3C3C3C3C", 0x334C, 128),
            ("078#3C3C3C3C3C3C3C3C", 0x1921, 131),
            ("12345678#R8", 0x6B55, 67),
            ("1FFFFFFF#FFFFFFFFFFFFFFFF", 0x1B69, 149),
        ];
        for (text, crc, bits) in cases {
            let frame = read(text);
            assert_eq!((crc15(head_and_data(&frame)), exact_bits(&frame)), (crc, bits), "{text}");
        }
    }

    #[test]
    fn the_most_stuff_bits_are_those_of_five_bits_and_then_every_four() {
        // 00000 1111 0000 1111 ...: every stuff bit begins the next run.
        let worst = |count: u32| stuff_bits((0..count).map(|at| at >= 5 && (at - 1) / 4 % 2 == 1));
        assert_eq!((worst(98), worst(34), worst(118), worst(54)), (24, 8, 29, 13));
    }

    #[test]
    fn characters_on_the_line() {
        let cases = [
            ("123#1122334455667788", 22),
            ("12345678#1122334455667788", 27),
            ("123#", 6),
            ("12345678#R8", 11),
        ];
        for (text, characters) in cases {
            assert_eq!(slcan_characters(&read(text), false), characters, "{text}");
            assert_eq!(slcan_characters(&read(text), true), characters + 4, "{text}");
        }
    }

    #[test]
    fn no_frame_costs_the_line_more_than_the_least_baud_rate_allows() {
        assert_eq!(least_baud(500_000, false), 1_030_535);
        assert_eq!(least_baud(1_000_000, true), 2_366_413);
        assert_eq!(least_baud(0, true), 0);
        let ids = [CanId::standard(1).unwrap(), CanId::extended(1).unwrap()];
        let frames: Vec<CanFrame> = ids
            .iter()
            .flat_map(|&id| {
                (0..=8_u8).flat_map(move |dlc| {
                    let data = vec![0; usize::from(dlc)];
                    [CanFrame::data(id, &data).unwrap(), CanFrame::remote(id, dlc).unwrap()]
                })
            })
            .collect();
        for time_stamps in [false, true] {
            // 131 Mbit/s makes the division exact.
            let needed = |frame: &CanFrame| {
                let characters = u64::from(slcan_characters(frame, time_stamps));
                (131_000_000 * characters * 10).div_ceil(u64::from(shortest_bits(frame)))
            };
            let most = frames.iter().map(needed).max();
            assert_eq!(most, Some(least_baud(131_000_000, time_stamps)));
        }
    }

    proptest! {
        #[test]
        fn every_frame_lies_within_its_bounds(frame in frame()) {
            let bits = exact_bits(&frame);
            prop_assert!((shortest_bits(&frame)..=longest_bits(&frame)).contains(&bits));
            let written = head_and_data(&frame).count() as u32 + CRC_BITS + TAIL_BITS;
            prop_assert_eq!(shortest_bits(&frame), written);
        }
    }
}
