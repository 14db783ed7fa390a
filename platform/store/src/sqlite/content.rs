//! What a reading and a device's state hold, as compact bytes. Pure.
//!
//! A reading of format 3 (`PACKED` in its `dated`): per value the difference to the quantity's
//! number before it as LEB128, one byte with the decimals in its lower half and the bytes that
//! follow in its upper half, and these: a value is a whole number of `10^-decimals`, little endian
//! in as few bytes as hold it, or, where no such number is the value to the last bit, the f64. Its
//! `received_ns` counts from the event, its `commit_ns` from there. So a value that a meter has
//! rounded takes four bytes, and each time as many as it is late. One of format 2, which stays as
//! it is: per value the number u16 and the f64, little endian; its times count from 1970.
//!
//! Values are in ascending order of the number, so that equal content is equal bytes. A state has
//! the number u16, the event time i64 and the f64 of each value, and of its alerts the sequences
//! i64, newest first.

use std::collections::BTreeSet;

use lastmeter_model::decide::STATE_ALERTS_MAX;
use lastmeter_units::SimTime;

/// Values in one reading: quantity number and value in the message's unit.
pub(super) type Values = Vec<(u16, f64)>;

/// In `dated` of a reading: its message has a date.
const DATED: i64 = 1;
/// In `dated` of a reading: its values and times are those of format 3.
const PACKED: i64 = 2;

/// Bytes of a value in format 2.
const VALUE_BYTES: usize = 10;
const STATE_BYTES: usize = 18;

/// Powers of ten that are exact; a whole number below 2^53 over one of them is the f64 that is
/// nearest to the decimal fraction, which is the one that is read from its digits.
const TENS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// In place of decimals: what follows is the f64.
const BINARY: u8 = 15;
/// Whole numbers up to this are exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The numbers in a row of `reading`: `dated`, `received_ns`, `commit_ns`.
pub(super) fn encode_times(
    is_dated: bool,
    (event, received, commit): (SimTime, SimTime, SimTime),
) -> [i64; 3] {
    let dated = PACKED | if is_dated { DATED } else { 0 };
    [dated, received.0.wrapping_sub(event.0), commit.0.wrapping_sub(received.0)]
}

/// Whether the message has a date, when it was received and when committed.
pub(super) fn decode_times(
    event: SimTime,
    [dated, received, commit]: [i64; 3],
) -> (bool, SimTime, SimTime) {
    let is_dated = dated & DATED != 0;
    if dated & PACKED == 0 {
        return (is_dated, SimTime(received), SimTime(commit));
    }
    let received = event.0.wrapping_add(received);
    (is_dated, SimTime(received), SimTime(received.wrapping_add(commit)))
}

/// Writes the values of a reading; they must be in ascending order.
pub(super) fn encode_values(values: &[(u16, f64)], out: &mut Vec<u8>) {
    out.clear();
    let mut before = 0;
    for (quantity, value) in values {
        let mut difference = quantity.wrapping_sub(before);
        before = *quantity;
        while difference > 0x7f {
            out.push(difference as u8 | 0x80);
            difference >>= 7;
        }
        out.push(difference as u8);
        if let Some((whole, decimals)) = decimal(*value) {
            let bytes = (72 - (whole ^ (whole >> 63)).leading_zeros() as usize) / 8;
            let bytes = if whole == 0 { 0 } else { bytes };
            out.push(decimals | (bytes as u8) << 4);
            out.extend_from_slice(&whole.to_le_bytes()[..bytes]);
        } else {
            out.push(BINARY | 8 << 4);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// The value as a whole number of a power of ten, with the fewest decimals.
fn decimal(value: f64) -> Option<(i64, u8)> {
    if value == 0.0 {
        return value.is_sign_positive().then_some((0, 0));
    }
    for (ten, decimals) in TENS.iter().zip(0..) {
        let whole = (value * ten).round();
        // An infinity or no number at all ends here too.
        if whole.is_nan() || whole.abs() > WHOLE_MAX {
            return None;
        }
        if whole / ten == value {
            return Some((whole as i64, decimals));
        }
    }
    None
}

/// Reads the values of a reading with this `dated`; bytes that do not make a whole value are left
/// out.
pub(super) fn decode_values(dated: i64, bytes: &[u8]) -> Values {
    if dated & PACKED == 0 {
        let one = |bytes: &[u8; VALUE_BYTES]| {
            let [q0, q1, value @ ..] = *bytes;
            (u16::from_le_bytes([q0, q1]), f64::from_le_bytes(value))
        };
        return bytes.as_chunks::<VALUE_BYTES>().0.iter().map(one).collect();
    }
    let (mut values, mut rest, mut before) = (Values::new(), bytes, 0);
    while let Some((quantity, value, left)) = decode_value(before, rest) {
        values.push((quantity, value));
        (before, rest) = (quantity, left);
    }
    values
}

/// The next value behind the quantity before it, and what is left.
fn decode_value(before: u16, mut rest: &[u8]) -> Option<(u16, f64, &[u8])> {
    let (mut difference, mut shift) = (0_u16, 0);
    loop {
        let byte;
        (byte, rest) = rest.split_first()?;
        difference |= u16::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (form, rest) = rest.split_first()?;
    let (decimals, bytes) = (form & 0xf, usize::from(form >> 4));
    let (number, rest) = rest.split_at_checked(bytes)?;
    let is_negative = number.last().is_some_and(|last| last & 0x80 != 0);
    let mut whole = if is_negative { [0xff; 8] } else { [0; 8] };
    whole.get_mut(..bytes)?.copy_from_slice(number);
    let value = match decimals {
        BINARY => f64::from_le_bytes(whole),
        _ => i64::from_le_bytes(whole) as f64 / TENS.get(usize::from(decimals))?,
    };
    Some((before.wrapping_add(difference), value, rest))
}

/// Writes a device's state: quantity number, event time in ns, value.
pub(super) fn encode_state(state: impl Iterator<Item = (u16, i64, f64)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (quantity, event_ns, value) in state {
        out.extend_from_slice(&quantity.to_le_bytes());
        out.extend_from_slice(&event_ns.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out
}

pub(super) fn decode_state(bytes: &[u8]) -> Vec<(u16, i64, f64)> {
    let one = |bytes: &[u8; STATE_BYTES]| {
        let [q0, q1, t0, t1, t2, t3, t4, t5, t6, t7, value @ ..] = *bytes;
        let event_ns = i64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
        (u16::from_le_bytes([q0, q1]), event_ns, f64::from_le_bytes(value))
    };
    bytes.as_chunks::<STATE_BYTES>().0.iter().map(one).collect()
}

pub(super) fn encode_alerts(sequences: &[i64]) -> Vec<u8> {
    sequences.iter().take(STATE_ALERTS_MAX).flat_map(|sequence| sequence.to_le_bytes()).collect()
}

pub(super) fn decode_alerts(bytes: &[u8]) -> Vec<i64> {
    bytes.as_chunks::<8>().0.iter().map(|number| i64::from_le_bytes(*number)).collect()
}

/// Writes the quantities a device has values of.
pub(super) fn encode_quantities<'a>(quantities: impl Iterator<Item = &'a u16>) -> Vec<u8> {
    quantities.flat_map(|quantity| quantity.to_le_bytes()).collect()
}

/// Reads the quantities a device has values of.
pub(super) fn decode_quantities(bytes: &[u8]) -> BTreeSet<u16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_state_reads_back(
            values in prop::collection::vec((any::<u16>(), any::<i64>(), -1e300..1e300), 0..30),
        ) {
            let known: BTreeSet<u16> = values.iter().map(|(q, ..)| *q).collect();
            prop_assert_eq!(decode_quantities(&encode_quantities(known.iter())), known);
            let alerts: Vec<i64> = values.iter().map(|(_, at, _)| *at).take(STATE_ALERTS_MAX).collect();
            prop_assert_eq!(decode_alerts(&encode_alerts(&alerts)), alerts);
            prop_assert_eq!(decode_state(&encode_state(values.iter().copied())), values);
        }
    }

    fn packed(values: &[(u16, f64)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_values(values, &mut bytes);
        bytes
    }

    fn value() -> impl Strategy<Value = f64> {
        let decimal = |(whole, decimals): (i64, i32)| format!("{whole}e-{decimals}");
        let decimal = (-1_000_000_000_i64..1_000_000_000, 0..12).prop_map(decimal);
        let edge = prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            -1.0,
            127.0,
            128.0,
            -128.0,
            -129.0,
            WHOLE_MAX,
            -WHOLE_MAX,
            WHOLE_MAX + 2.0,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            f64::INFINITY,
            0.1 + 0.2,
        ]);
        prop_oneof![
            any::<f64>().prop_filter("a number", |value| !value.is_nan()),
            decimal.prop_map(|digits| digits.parse().unwrap()),
            edge,
        ]
    }

    proptest! {
        #[test]
        fn a_reading_reads_back_to_the_last_bit(
            values in prop::collection::vec((any::<u16>(), value()), 0..30),
            event in any::<i64>(), received in any::<i64>(), commit in any::<i64>(),
            is_dated in any::<bool>(),
        ) {
            let times = (SimTime(event), SimTime(received), SimTime(commit));
            let numbers = encode_times(is_dated, times);
            prop_assert_eq!(decode_times(times.0, numbers), (is_dated, times.1, times.2));
            let read = decode_values(numbers[0], &packed(&values));
            prop_assert_eq!(read.len(), values.len());
            for ((quantity, value), (expected, exact)) in read.iter().zip(&values) {
                prop_assert_eq!((quantity, value.to_bits()), (expected, exact.to_bits()));
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..60), dated in 0..4_i64) {
            let _ = decode_values(dated, &bytes);
        }
    }

    #[test]
    fn what_a_meter_has_rounded_takes_four_bytes() {
        assert_eq!(packed(&[(1, 230.1), (3, -0.5)]), [1, 0x21, 0xfd, 0x08, 2, 0x11, 0xfb]);
        assert_eq!(packed(&[(200, 0.0)]), [0xc8, 1, 0]);
        // Nothing with nine decimals is this to the last bit.
        assert_eq!(packed(&[(1, 1.0 / 3.0)]).len(), 10);
        assert!(packed(&[(1, 32_767.0)]).len() < packed(&[(1, 32_768.0)]).len());
    }

    /// As version 0.2.0 wrote it.
    #[test]
    fn a_reading_of_format_2_is_read() {
        let bytes = [2, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
        assert_eq!(decode_values(1, &bytes), [(0x0102, 1.0)]);
        assert_eq!(decode_times(SimTime(7), [0, 8, 9]), (false, SimTime(8), SimTime(9)));
    }
}
