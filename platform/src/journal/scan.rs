//! Reading one segment: every whole record in order, and every stretch that is none. Pure.

use super::record::{self, Record, SEGMENT_HEAD_BYTES};

/// A stretch of a segment that holds no readable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Where it begins, bytes from the start of the file.
    pub(crate) offset: usize,
    /// How long it is.
    pub(crate) bytes: usize,
    /// The last sequence read before it; 0 if none.
    pub(crate) after_sequence: u64,
    /// `synced` of the record that follows it; `None` if the flaw reaches the end of the file.
    pub(crate) next_synced: Option<u64>,
}

impl Flaw {
    /// Whether something durable was lost, given what was durable later on: by the next record of
    /// the segment, or by the head of the next segment.
    pub(crate) fn hit_durable(&self, next_segment_synced: Option<u64>) -> bool {
        self.next_synced.or(next_segment_synced).is_some_and(|synced| synced > self.after_sequence)
    }
}

/// What reading a segment showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// From the segment's head; `None` if that is damaged or missing.
    pub(crate) head_synced: Option<u64>,
    /// Records read.
    pub(crate) records: u64,
    /// The highest sequence read, or what the caller gave if there was none.
    pub(crate) last_sequence: u64,
    /// What could not be read, in the order of the file.
    pub(crate) flaws: Vec<Flaw>,
}

/// Reads a segment whose records come after `last_sequence`, showing each to `visit`.
pub(crate) fn scan<E>(
    bytes: &[u8],
    last_sequence: u64,
    mut visit: impl FnMut(Record<'_>) -> Result<(), E>,
) -> Result<Scan, E> {
    let head_synced = record::read_segment_head(bytes);
    let mut result = Scan { head_synced, last_sequence, ..Scan::default() };
    let mut at = if head_synced.is_some() { SEGMENT_HEAD_BYTES } else { 0 };
    let mut flaw_from = (head_synced.is_none() && !bytes.is_empty()).then_some(0);
    while at < bytes.len() {
        let found = record::decode(&bytes[at..])
            .filter(|(record, _)| record.sequence > result.last_sequence);
        let Some((record, length)) = found else {
            flaw_from = flaw_from.or(Some(at));
            at += 1;
            continue;
        };
        if let Some(offset) = flaw_from.take() {
            result.flaws.push(Flaw {
                offset,
                bytes: at - offset,
                after_sequence: result.last_sequence,
                next_synced: Some(record.synced),
            });
        }
        result.records += 1;
        result.last_sequence = record.sequence;
        visit(record)?;
        at += length;
    }
    if let Some(offset) = flaw_from {
        result.flaws.push(Flaw {
            offset,
            bytes: bytes.len() - offset,
            after_sequence: result.last_sequence,
            next_synced: None,
        });
    }
    Ok(result)
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

    fn read(bytes: &[u8]) -> (Vec<(u64, Vec<u8>)>, Scan) {
        let mut seen = Vec::new();
        let scan = scan(bytes, 0, |record| {
            seen.push((record.sequence, record.payload.to_vec()));
            Ok::<(), Infallible>(())
        });
        let Ok(scan) = scan;
        (seen, scan)
    }

    proptest! {
        #[test]
        fn a_cut_anywhere_keeps_every_record_before_it(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let (bytes, ends) = segment(&payloads);
            let cut = cut.index(bytes.len() + 1);
            let (seen, scan) = read(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            prop_assert_eq!(seen.len(), whole);
            for (index, (sequence, payload)) in seen.iter().enumerate() {
                prop_assert_eq!(*sequence, index as u64 + 1);
                prop_assert_eq!(payload, &payloads[index]);
            }
            let good = if whole == 0 { SEGMENT_HEAD_BYTES } else { ends[whole - 1] };
            prop_assert_eq!(scan.flaws.is_empty(), cut == good || cut == 0);
            prop_assert!(scan.flaws.iter().all(|flaw| !flaw.hit_durable(None)));
        }

        #[test]
        fn a_flipped_bit_costs_one_record_and_is_reported(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 2..12),
            bit in any::<prop::sample::Index>(),
        ) {
            let (mut bytes, ends) = segment(&payloads);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (seen, scan) = read(&bytes);
            prop_assert_eq!(scan.flaws.len(), 1);
            let hit = ends.iter().position(|end| bit / 8 < *end).unwrap();
            let in_head = bit / 8 < SEGMENT_HEAD_BYTES;
            let expected: Vec<u64> = (1..=payloads.len() as u64)
                .filter(|sequence| in_head || *sequence != hit as u64 + 1)
                .collect();
            prop_assert_eq!(seen.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), expected);
            // The last record is followed by nothing that could tell that it had been durable,
            // unless a later segment says so.
            let last = hit + 1 == payloads.len();
            prop_assert_eq!(scan.flaws[0].hit_durable(None), !in_head && !last);
            prop_assert!(in_head || scan.flaws[0].hit_durable(Some(payloads.len() as u64)));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = read(&bytes);
        }
    }
}
