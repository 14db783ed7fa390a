//! Values of a reading and of a device's state as compact bytes. Pure.
//!
//! A reading: per value the quantity's number u16 and the value f64, little endian, in ascending
//! order of the number, so that equal content is equal bytes. A state: the event time i64 is put
//! between the two, and of its alerts the sequences i64 are kept, newest first.

use std::collections::BTreeSet;

use lastmeter_model::decide::STATE_ALERTS_MAX;

/// Values in one reading: quantity number and value in the message's unit.
pub(super) type Values = Vec<(u16, f64)>;

const VALUE_BYTES: usize = 10;
const STATE_BYTES: usize = 18;

/// Writes the values of a reading; they must be in ascending order.
pub(super) fn encode_values(values: &[(u16, f64)], out: &mut Vec<u8>) {
    out.clear();
    for (quantity, value) in values {
        out.extend_from_slice(&quantity.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Reads the values of a reading; bytes that do not make a whole value are left out.
pub(super) fn decode_values(bytes: &[u8]) -> Values {
    let one = |bytes: &[u8; VALUE_BYTES]| {
        let [q0, q1, value @ ..] = *bytes;
        (u16::from_le_bytes([q0, q1]), f64::from_le_bytes(value))
    };
    bytes.as_chunks::<VALUE_BYTES>().0.iter().map(one).collect()
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
        fn values_and_state_read_back(
            values in prop::collection::vec((any::<u16>(), any::<i64>(), -1e300..1e300), 0..30),
        ) {
            let plain: Values = values.iter().map(|(q, _, value)| (*q, *value)).collect();
            let mut bytes = Vec::new();
            encode_values(&plain, &mut bytes);
            prop_assert_eq!(decode_values(&bytes), plain);
            let known: BTreeSet<u16> = values.iter().map(|(q, ..)| *q).collect();
            prop_assert_eq!(decode_quantities(&encode_quantities(known.iter())), known);
            let alerts: Vec<i64> = values.iter().map(|(_, at, _)| *at).take(STATE_ALERTS_MAX).collect();
            prop_assert_eq!(decode_alerts(&encode_alerts(&alerts)), alerts);
            prop_assert_eq!(decode_state(&encode_state(values.iter().copied())), values);
        }
    }

    #[test]
    fn a_value_takes_ten_bytes() {
        let mut bytes = Vec::new();
        encode_values(&[(0x0102, 1.0)], &mut bytes);
        assert_eq!(bytes, [2, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }
}
