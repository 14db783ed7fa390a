//! The store's checkpoint: how many rows of each kind it has, and up to where it has the journal.
//!
//! One row of `meta`, written with every batch. Only the counts show that the last row of a
//! table is gone, as nothing in the table does. Pure.

use crate::pipeline::Totals;

/// First byte of the row; counts changes of it.
const VERSION: u8 = 1;
const NUMBERS: usize = 12;
const BYTES: usize = 1 + NUMBERS * 8 + 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreCheckpoint {
    /// The journal entries up to this one are in the store.
    pub(crate) journal_committed: u64,
    /// The driven clock when it was last moved, ns since 1970 UTC.
    pub(crate) clock_ns: Option<i64>,
    /// The last reading's sequence, which is also their number.
    pub(crate) readings: u64,
    /// The same of refusals.
    pub(crate) refusals: u64,
    /// The same of alerts.
    pub(crate) alerts: u64,
    /// The same of devices.
    pub(crate) devices: u64,
    /// The same of quantities.
    pub(crate) quantities: u64,
    /// The same of invocations.
    pub(crate) invocations: u64,
    /// Invocations that nobody has answered and that have not expired.
    pub(crate) open: u64,
    /// Changes the platform itself made (commands, clock); they are in no journal.
    pub(crate) changes: u64,
    /// Bytes of content kept with refusals.
    pub(crate) refused_bytes: u64,
    /// A head file has been kept beside this store (`journal::head`).
    pub(crate) is_guarded: bool,
}

impl StoreCheckpoint {
    pub(crate) fn totals(&self) -> Totals {
        Totals { readings: self.readings, refusals: self.refusals, alerts: self.alerts }
    }

    pub(super) fn encode(&self) -> [u8; BYTES] {
        let clock = self.clock_ns.unwrap_or(i64::MIN).cast_unsigned();
        let numbers = [
            self.journal_committed,
            clock,
            self.readings,
            self.refusals,
            self.alerts,
            self.devices,
            self.quantities,
            self.invocations,
            self.open,
            self.changes,
            self.refused_bytes,
            u64::from(self.is_guarded),
        ];
        let mut bytes = [VERSION; BYTES];
        for (place, number) in bytes[1..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let sum = crc32c::crc32c(&bytes[..BYTES - 4]);
        bytes[BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not what was written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<4>()?;
        let whole = bytes.len() == BYTES && content.first() == Some(&VERSION);
        if !whole || crc32c::crc32c(content) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut numbers = [0; NUMBERS];
        for (number, place) in numbers.iter_mut().zip(content[1..].as_chunks::<8>().0) {
            *number = u64::from_le_bytes(*place);
        }
        let clock_ns = numbers[1].cast_signed();
        Some(Self {
            journal_committed: numbers[0],
            clock_ns: (clock_ns != i64::MIN).then_some(clock_ns),
            readings: numbers[2],
            refusals: numbers[3],
            alerts: numbers[4],
            devices: numbers[5],
            quantities: numbers[6],
            invocations: numbers[7],
            open: numbers[8],
            changes: numbers[9],
            refused_bytes: numbers[10],
            is_guarded: numbers[11] != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_back_and_no_flipped_bit_passes(
            n in prop::array::uniform10(any::<u64>()), clock in prop::option::of(0..i64::MAX),
            bit in 0..BYTES * 8,
        ) {
            let checkpoint = StoreCheckpoint {
                journal_committed: n[0], clock_ns: clock, readings: n[1], refusals: n[2],
                alerts: n[3], devices: n[4], quantities: n[5], invocations: n[6], open: n[7],
                changes: n[8], refused_bytes: n[9], is_guarded: bit % 2 == 0,
            };
            let mut bytes = checkpoint.encode();
            prop_assert_eq!(StoreCheckpoint::decode(&bytes), Some(checkpoint));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(StoreCheckpoint::decode(&bytes), None);
        }
    }
}
