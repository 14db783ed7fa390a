//! Reading one segment: every whole record in order, and every stretch that is none. Pure.

use super::record::{self, Record, SEGMENT_HEAD_BYTES};

/// What stands in a segment, in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Record(Record<'a>),
    /// A stretch that holds no readable record.
    Unreadable {
        /// Where it begins, bytes from the start of the file.
        offset: usize,
        bytes: usize,
    },
}

/// Reads a segment whose records come after `last_sequence`, showing everything in it to `visit`.
pub(crate) fn scan<E>(
    bytes: &[u8],
    mut last_sequence: u64,
    mut visit: impl FnMut(Item<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let has_head = record::read_segment_head(bytes).is_some();
    let mut at = if has_head { SEGMENT_HEAD_BYTES } else { 0 };
    let mut unreadable_from = (!has_head && !bytes.is_empty()).then_some(0);
    while at < bytes.len() {
        let found =
            record::decode(&bytes[at..]).filter(|(record, _)| record.sequence > last_sequence);
        let Some((record, length)) = found else {
            unreadable_from = unreadable_from.or(Some(at));
            at += 1;
            continue;
        };
        if let Some(offset) = unreadable_from.take() {
            visit(Item::Unreadable { offset, bytes: at - offset })?;
        }
        last_sequence = record.sequence;
        visit(Item::Record(record))?;
        at += length;
    }
    match unreadable_from {
        Some(offset) => visit(Item::Unreadable { offset, bytes: bytes.len() - offset }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::record::{Kind, encode, segment_head};
    use super::*;

    /// A segment of records of which each one was durable before the next was written.
    fn segment(payloads: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = segment_head(0).to_vec();
        let mut ends = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            let sequence = index as u64 + 1;
            let record = Record { sequence, synced: sequence - 1, kind: Kind::Message, payload };
            encode(&mut bytes, &record);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    /// Sequences and payloads, and where bytes could not be read.
    #[expect(clippy::type_complexity, reason = "two lists of pairs, for comparisons")]
    fn read(bytes: &[u8]) -> (Vec<(u64, Vec<u8>)>, Vec<(usize, usize)>) {
        let (mut seen, mut unreadable) = (Vec::new(), Vec::new());
        let Ok(()) = scan(bytes, 0, |item| {
            match item {
                Item::Record(record) => seen.push((record.sequence, record.payload.to_vec())),
                Item::Unreadable { offset, bytes } => unreadable.push((offset, bytes)),
            }
            Ok::<(), Infallible>(())
        });
        (seen, unreadable)
    }

    /// A record that was copied behind itself is not a second one.
    #[test]
    fn a_sequence_that_was_there_is_unreadable() {
        let (mut bytes, ends) = segment(&[b"a".to_vec(), b"b".to_vec()]);
        let copy = bytes[ends[0]..ends[1]].to_vec();
        bytes.extend_from_slice(&copy);
        let (seen, unreadable) = read(&bytes);
        assert_eq!(seen, [(1, b"a".to_vec()), (2, b"b".to_vec())]);
        assert_eq!(unreadable, [(ends[1], copy.len())]);
    }

    proptest! {
        #[test]
        fn a_cut_anywhere_keeps_every_record_before_it(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let (bytes, ends) = segment(&payloads);
            let cut = cut.index(bytes.len() + 1);
            let (seen, unreadable) = read(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            prop_assert_eq!(seen.len(), whole);
            for (index, (sequence, payload)) in seen.iter().enumerate() {
                prop_assert_eq!(*sequence, index as u64 + 1);
                prop_assert_eq!(payload, &payloads[index]);
            }
            let good = if whole == 0 { SEGMENT_HEAD_BYTES } else { ends[whole - 1] };
            let good = if cut < SEGMENT_HEAD_BYTES { 0 } else { good };
            let expected = if cut == good { vec![] } else { vec![(good, cut - good)] };
            prop_assert_eq!(unreadable, expected);
        }

        #[test]
        fn a_flipped_bit_costs_one_record_and_is_reported(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 2..12),
            bit in any::<prop::sample::Index>(),
        ) {
            let (mut bytes, ends) = segment(&payloads);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (seen, unreadable) = read(&bytes);
            prop_assert_eq!(unreadable.len(), 1);
            let hit = ends.iter().position(|end| bit / 8 < *end).unwrap();
            let in_head = bit / 8 < SEGMENT_HEAD_BYTES;
            let expected: Vec<u64> = (1..=payloads.len() as u64)
                .filter(|sequence| in_head || *sequence != hit as u64 + 1)
                .collect();
            prop_assert_eq!(seen.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = read(&bytes);
        }
    }
}
