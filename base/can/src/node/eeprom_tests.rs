//! The memory beside what it promises: after a loss of power at any byte the record is the old or
//! the new one. Checksums are calculated here bit by bit.

use rand::{RngExt as _, SeedableRng as _};

use super::*;

const ENDLESS: u64 = u64::MAX;
/// The polynomial of CRC-32C (RFC 3720, 12.1), reflected.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// The register of a CRC-32C after more bytes.
fn register(start: u32, bytes: &[u8]) -> u32 {
    let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| u32::from(byte >> bit & 1)));
    bits.fold(start, |it, bit| if (it ^ bit) & 1 == 1 { it >> 1 ^ POLYNOMIAL } else { it >> 1 })
}

/// The register before four bytes of 0.
fn before_four(mut register: u32) -> u32 {
    for _ in 0..32 {
        let is_odd = register >> 31 == 1;
        register = if is_odd { (register ^ POLYNOMIAL) << 1 | 1 } else { register << 1 };
    }
    register
}

fn record(number: u64) -> NodeRecord {
    NodeRecord {
        consumed_mj: number * 3_600_123,
        injected_mj: number << 40 | 7,
        reading: number,
        freshness: number * 64 + 1,
        is_open: number % 3 == 1,
    }
}

fn erased(slots: usize) -> Eeprom {
    Eeprom::new(slots * SLOT_BYTES + 5, BYTE_TIME, ENDLESS).unwrap()
}

/// So many records stored, at whole seconds.
fn with_history(slots: usize, records: u64) -> Eeprom {
    let mut eeprom = erased(slots);
    for number in 0..records {
        eeprom.store(second(number), record(number));
    }
    assert_eq!(eeprom.pop(second(records)).is_some(), records > 0);
    eeprom
}

fn second(number: u64) -> SimTime {
    SimTime(number as i64 * 1_000_000_000)
}

/// The middle of the write of a byte.
fn within(start: SimTime, byte: usize) -> SimTime {
    start + BYTE_TIME * byte as i64 + SimDuration(BYTE_TIME.0 / 2)
}

#[test]
fn the_check_value_of_the_checksum() {
    assert_eq!(!register(!0, b"123456789"), 0xE306_9283);
    assert_eq!(before_four(register(0x1234_5678, &[0; 4])), 0x1234_5678);
}

#[test]
fn bytes_lie_where_the_table_has_them() {
    let mut eeprom = erased(2);
    let record = NodeRecord {
        consumed_mj: 0x0102_0304_0506_0708,
        injected_mj: 0x1112_1314_1516_1718,
        reading: 0x2122_2324_2526_2728,
        freshness: 0x3132_3334_3536_3738,
        is_open: false,
    };
    for number in 0..2 {
        eeprom.store(second(number), record);
    }
    eeprom.pop(second(9));
    let body: Vec<u8> = [0, 0, 0, 0, 0, 0, 0, 1]
        .into_iter()
        .chain((0..4).flat_map(|value| (1..=8).map(move |byte| value * 16 + byte)))
        .collect();
    let slot = &eeprom.cells[46..];
    assert_eq!((slot[0], slot[45]), (0, 0));
    assert_eq!(slot[1..41], body);
    assert_eq!(slot[41..45], (!register(!0, &body)).to_be_bytes());
    // One that is open differs in the highest bit of the last value.
    let open = NodeRecord { is_open: true, ..record };
    eeprom.store(second(10), open);
    eeprom.pop(second(19));
    assert_eq!(eeprom.load(), Some(open));
    assert_eq!(eeprom.cells[33], 0xB1);
}

#[test]
fn power_lost_at_any_byte_leaves_the_old_or_the_new_record() {
    let (mut cuts, mut completed) = (0, 0);
    for (slots, records) in [2, 3, 5].into_iter().flat_map(|n| (0..=2 * n + 1).map(move |r| (n, r)))
    {
        let mut ready = with_history(slots, records as u64);
        let start = second(records as u64);
        let (old, new) = (ready.load(), Some(record(records as u64)));
        assert_eq!(old, records.checked_sub(1).map(|number| record(number as u64)));
        ready.store(start, record(records as u64));
        for byte in 0..=SLOT_BYTES {
            let mut cut = ready.clone();
            cut.power_loss(start + BYTE_TIME * byte as i64, 0xA5);
            let writes = |it: &Eeprom| it.writes.iter().sum::<u64>();
            assert_eq!(writes(&cut), writes(&ready) + byte as u64);
            assert_eq!(cut.load(), if byte == SLOT_BYTES { new } else { old }, "before {byte}");
        }
        for (byte, torn) in (0..SLOT_BYTES).flat_map(|byte| (0..=255).map(move |torn| (byte, torn)))
        {
            let mut cut = ready.clone();
            cut.power_loss(within(start, byte), torn);
            let found = cut.load();
            let is_complete = byte == LAST_MARK && found == new;
            assert!(found == old || is_complete, "{slots} slots, byte {byte}, torn {torn}");
            cuts += 1;
            completed += usize::from(is_complete);
            // What follows is stored as if nothing had been.
            cut.store(start + BYTE_TIME * 100, record(99));
            assert!(cut.pop(SimTime(i64::MAX)).unwrap().is_verified);
            assert_eq!(cut.load(), Some(record(99)));
        }
    }
    // The one value of the last mark that was missing, in each history.
    assert_eq!(completed, 6 + 8 + 12);
    assert_eq!(cuts, completed * SLOT_BYTES * 256);
}

/// Twice in a row, so that a slot holds parts of three records.
#[test]
fn power_lost_twice_leaves_a_whole_record() {
    let start = second(5);
    let mut ready = with_history(2, 5);
    ready.store(start, record(5));
    let mark = ready.cells[SLOT_BYTES + LAST_MARK];
    let values = [0, 0xFF, mark, mark.wrapping_add(1), mark.wrapping_sub(1)];
    let pairs = (0..SLOT_BYTES).flat_map(|byte| values.map(|torn| (byte, torn)));
    for (byte, torn) in pairs.clone() {
        let mut once = ready.clone();
        once.power_loss(within(start, byte), torn);
        let old = once.load();
        once.store(second(6), record(6));
        for (byte_2, torn_2) in pairs.clone() {
            let mut twice = once.clone();
            twice.power_loss(within(second(6), byte_2), torn_2);
            let found = twice.load();
            assert!(
                found == old || byte_2 + 1 >= LAST_MARK && found == Some(record(6)),
                "{byte} {torn}, then {byte_2} {torn_2}: {found:?}"
            );
        }
    }
}

/// A new record of which the first part, with the rest of the old one, has the old checksum.
#[test]
fn a_mixture_with_a_right_checksum_is_no_record() {
    let mut ready = with_history(2, 3);
    let (base, old) = (SLOT_BYTES, record(1));
    let before = register(!0, &ready.cells[base + 1..base + 17]);
    let head = [3_u64.to_be_bytes().as_slice(), &[0; 4]].concat();
    let four = (before_four(before) ^ register(!0, &head)).to_le_bytes();
    let consumed_mj = u64::from(u32::from_be_bytes(four));
    let mixture = NodeRecord { consumed_mj, ..old };
    assert_ne!(mixture, old);
    ready.store(second(3), NodeRecord { consumed_mj, ..record(3) });
    ready.power_loss(second(3) + BYTE_TIME * 17, 0);
    let checksum = !register(!0, &ready.cells[base + 1..base + 41]);
    assert_eq!(ready.cells[base + 41..base + 45], checksum.to_be_bytes());
    assert_eq!(ready.load(), Some(record(2)));
    // Nor is it one by a torn first mark of the next try.
    ready.store(second(4), NodeRecord { consumed_mj, ..record(4) });
    for torn in 0..=255 {
        let mut cut = ready.clone();
        cut.power_loss(within(second(4), 0), torn);
        assert_eq!(cut.load(), Some(record(2)), "torn {torn}");
    }
}

#[test]
fn any_stores_and_losses_leave_what_was_stored_last() {
    for seed in 0..300 {
        let mut rng = chacha20::ChaCha8Rng::seed_from_u64(seed);
        let mut eeprom = erased(rng.random_range(2..6));
        let (mut now, mut kept, mut sent) = (SimTime(0), None, Vec::new());
        for number in 0..60 {
            now += SimDuration(rng.random_range(0..400_000_000));
            while let Some(stored) = eeprom.pop(now) {
                assert!(stored.is_verified);
                kept = Some(stored.record);
                assert_eq!(sent.remove(0), stored.record);
            }
            assert_eq!(eeprom.load(), kept, "seed {seed}");
            if rng.random_bool(0.6) {
                sent.push(record(number));
                if let Some(given_up) = eeprom.store(now, record(number)) {
                    sent.retain(|&it| it != given_up);
                }
            } else {
                eeprom.power_loss(now, rng.random());
                let found = eeprom.load();
                let is_new = found.is_some() && found == sent.first().copied();
                assert!(found == kept || is_new, "seed {seed}: {found:?}");
                kept = found;
                sent.clear();
            }
        }
    }
}

#[test]
fn memory_that_was_never_written_holds_no_record() {
    for byte in 0..=255 {
        let mut eeprom = erased(3);
        eeprom.cells.fill(byte);
        assert_eq!(eeprom.load(), None);
        eeprom.store(second(0), record(1));
        eeprom.pop(second(1));
        assert_eq!(eeprom.load(), Some(record(1)));
    }
}

#[test]
fn wear_is_spread_evenly() {
    for slots in [2, 3, 7] {
        for records in 1..50 {
            let eeprom = with_history(slots, records);
            let wear = eeprom.wear();
            assert_eq!(wear.max, records.div_ceil(slots as u64));
            assert!((wear.mean - records as f64 / slots as f64).abs() < 1e-9);
            assert!((wear.max as f64) < wear.mean + 1.0);
            let least = eeprom.writes.iter().min().unwrap();
            assert!(wear.max - least <= 1);
        }
    }
}

#[test]
fn worn_cells_keep_what_they_have_and_the_last_good_record_stays() {
    let mut eeprom = Eeprom::new(3 * SLOT_BYTES, BYTE_TIME, 4).unwrap();
    for number in 0..20 {
        eeprom.store(second(number), record(number));
        let stored = eeprom.pop(second(number + 1)).unwrap();
        assert_eq!(stored.is_verified, number < 12);
        assert_eq!(eeprom.load(), Some(record(number.min(11))));
    }
    assert_eq!(eeprom.wear().worn, 3 * SLOT_BYTES);
}

#[test]
fn a_record_waits_for_the_one_that_is_written_and_gives_way_to_a_newer_one() {
    let mut eeprom = erased(3);
    assert_eq!(eeprom.next(), None);
    assert_eq!(eeprom.store(second(1), record(1)), None);
    assert_eq!(eeprom.store(second(1) + BYTE_TIME, record(2)), None);
    assert_eq!(eeprom.store(second(1) + BYTE_TIME * 2, record(3)), Some(record(2)));
    let end = second(1) + BYTE_TIME * SLOT_BYTES as i64;
    assert_eq!(eeprom.next(), Some(end));
    assert_eq!(eeprom.pop(end - SimDuration(1)), None);
    let first = Stored { at: end, record: record(1), is_verified: true };
    assert_eq!(eeprom.pop(second(9)), Some(first));
    let end = end + BYTE_TIME * SLOT_BYTES as i64;
    assert_eq!(eeprom.pop(second(9)).map(|it| (it.at, it.record)), Some((end, record(3))));
    assert_eq!((eeprom.pop(second(9)), eeprom.next()), (None, None));
    // A slot whose marks differ needs a byte less.
    eeprom.store(second(20), record(4));
    eeprom.power_loss(within(second(20), 7), 0);
    eeprom.store(second(21), record(5));
    assert_eq!(eeprom.next(), Some(second(21) + BYTE_TIME * 45));
}

#[test]
fn one_slot_is_too_few() {
    let found = Eeprom::new(2 * SLOT_BYTES - 1, BYTE_TIME, ENDLESS).map(|_| ());
    assert_eq!(found, Err(TooFewCells { cells: 91 }));
    assert_eq!(
        TooFewCells { cells: 91 }.to_string(),
        "91 cells, expected at least two slots of 46; add cells"
    );
}
