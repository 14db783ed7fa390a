//! Where a store stands as bytes: one row of `meta`, written with every batch. Pure.
//!
//! A version, how many numbers there are (u16), the numbers (u64), and the CRC-32C of all before
//! it, little endian. Version 1 had twelve numbers and no count. More numbers than are known here
//! are of a later version, which they mean nothing without; missing ones are 0.

use lastmeter_model::standing::Standing;

/// First byte of the row; counts changes of it.
const VERSION: u8 = 2;
const NUMBERS: usize = 31;
/// Those of version 1.
const NUMBERS_1: usize = 12;
const BYTES: usize = 3 + NUMBERS * 8 + 4;
/// Of the clock, which is before all time in a store that has none.
const CLOCK: usize = 1;
const IS_GUARDED: usize = 11;
/// The hash of the chain, as four numbers.
const HASH: std::ops::Range<usize> = 18..22;

/// The numbers that stand there as they are, by their places.
fn plain(of: &mut Standing) -> [(usize, &mut u64); 25] {
    [
        (0, &mut of.journal_committed),
        (2, &mut of.readings),
        (3, &mut of.refusals),
        (4, &mut of.alerts),
        (5, &mut of.devices),
        (6, &mut of.quantities),
        (7, &mut of.invocations),
        (8, &mut of.open),
        (9, &mut of.changes),
        (10, &mut of.refused_bytes),
        (12, &mut of.documents),
        (13, &mut of.document_bytes),
        (14, &mut of.versions),
        (15, &mut of.tokens),
        (16, &mut of.answers),
        (17, &mut of.chain.count),
        (22, &mut of.results),
        (23, &mut of.configurations),
        (24, &mut of.blocks),
        (25, &mut of.reading_floor),
        (26, &mut of.alert_floor),
        (27, &mut of.refusal_floor),
        (28, &mut of.rolled_up),
        (29, &mut of.result_floor),
        (30, &mut of.block_floor),
    ]
}

pub(crate) fn encode(standing: &Standing) -> [u8; BYTES] {
    let mut numbers = [0; NUMBERS];
    for (place, number) in plain(&mut { *standing }) {
        numbers[place] = *number;
    }
    numbers[CLOCK] = standing.clock_ns.unwrap_or(i64::MIN).cast_unsigned();
    numbers[IS_GUARDED] = u64::from(standing.is_guarded);
    for (number, word) in numbers[HASH].iter_mut().zip(standing.chain.hash.as_chunks::<8>().0) {
        *number = u64::from_le_bytes(*word);
    }
    let mut bytes = [VERSION; BYTES];
    bytes[1..3].copy_from_slice(&(NUMBERS as u16).to_le_bytes());
    for (place, number) in bytes[3..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let sum = crc32c::crc32c(&bytes[..BYTES - 4]);
    bytes[BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// `None` if the bytes are not what was written.
pub(crate) fn decode(bytes: &[u8]) -> Option<Standing> {
    let (content, sum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (count, stored) = match content {
        [1, stored @ ..] => (NUMBERS_1, stored),
        [VERSION, low, high, stored @ ..] => (u16::from_le_bytes([*low, *high]).into(), stored),
        _ => return None,
    };
    if stored.len() != count * 8 {
        return None;
    }
    let mut numbers = [0; NUMBERS];
    for (number, place) in numbers.iter_mut().zip(stored.as_chunks::<8>().0) {
        *number = u64::from_le_bytes(*place);
    }
    let clock_ns = numbers[CLOCK].cast_signed();
    let mut standing = Standing {
        clock_ns: (clock_ns != i64::MIN).then_some(clock_ns),
        is_guarded: numbers[IS_GUARDED] != 0,
        ..Standing::default()
    };
    for (place, number) in plain(&mut standing) {
        *number = numbers[place];
    }
    for (place, word) in standing.chain.hash.chunks_exact_mut(8).zip(&numbers[HASH]) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Some(standing)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use lastmeter_model::audit::Chain;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_back_and_no_flipped_bit_passes(
            n in prop::array::uniform10(any::<u64>()), clock in prop::option::of(0..i64::MAX),
            m in prop::array::uniform15(any::<u64>()), hash: [u8; 32], bit in 0..BYTES * 8,
        ) {
            let standing = Standing {
                journal_committed: n[0], clock_ns: clock, readings: n[1], refusals: n[2],
                alerts: n[3], devices: n[4], quantities: n[5], invocations: n[6], open: n[7],
                changes: n[8], refused_bytes: n[9], is_guarded: bit % 2 == 0,
                documents: m[0], document_bytes: m[1], versions: m[2], tokens: m[3],
                answers: m[4], chain: Chain { count: m[5], hash }, results: m[6],
                configurations: m[7], blocks: m[8], reading_floor: m[9], alert_floor: m[10],
                refusal_floor: m[11], rolled_up: m[12], result_floor: m[13],
                block_floor: m[14],
            };
            let mut bytes = encode(&standing);
            prop_assert_eq!(decode(&bytes), Some(standing));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&bytes), None);
        }

        #[test]
        fn other_versions_are_read(n in prop::array::uniform12(0..i64::MAX.cast_unsigned())) {
            let sealed = |mut bytes: Vec<u8>| {
                bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
                bytes
            };
            let numbers = n.map(u64::to_le_bytes).concat();
            let first = decode(&sealed([&[1][..], &numbers].concat())).unwrap();
            prop_assert_eq!((first.readings, first.refused_bytes), (n[2], n[10]));
            prop_assert_eq!((first.is_guarded, first.documents), (n[11] != 0, 0));
            // One number more than are known here.
            let mut later = encode(&first)[..BYTES - 4].to_vec();
            later[1] += 1;
            later.extend([7; 8]);
            prop_assert_eq!(decode(&sealed(later)), Some(first));
        }
    }
}
