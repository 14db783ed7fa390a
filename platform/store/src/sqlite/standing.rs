//! Where a store stands as bytes: one row of `meta`, written with every batch. Pure.

use lastmeter_model::standing::Standing;

/// First byte of the row; counts changes of it.
const VERSION: u8 = 1;
const NUMBERS: usize = 12;
const BYTES: usize = 1 + NUMBERS * 8 + 4;

pub(crate) fn encode(standing: &Standing) -> [u8; BYTES] {
    let clock = standing.clock_ns.unwrap_or(i64::MIN).cast_unsigned();
    let numbers = [
        standing.journal_committed,
        clock,
        standing.readings,
        standing.refusals,
        standing.alerts,
        standing.devices,
        standing.quantities,
        standing.invocations,
        standing.open,
        standing.changes,
        standing.refused_bytes,
        u64::from(standing.is_guarded),
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
pub(crate) fn decode(bytes: &[u8]) -> Option<Standing> {
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
    Some(Standing {
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
            let standing = Standing {
                journal_committed: n[0], clock_ns: clock, readings: n[1], refusals: n[2],
                alerts: n[3], devices: n[4], quantities: n[5], invocations: n[6], open: n[7],
                changes: n[8], refused_bytes: n[9], is_guarded: bit % 2 == 0,
            };
            let mut bytes = encode(&standing);
            prop_assert_eq!(decode(&bytes), Some(standing));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&bytes), None);
        }
    }
}
