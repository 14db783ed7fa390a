//! What the journal promises, on a disk that forgets: everything acknowledged survives a crash at
//! any operation, and the same test goes red when the sync is left out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;

use proptest::prelude::*;

use super::append::{Appender, ClosedSegment};
use super::file::{Directory, RealDirectory};
use super::record::Kind;
use super::recover::{Recovery, recover};
use super::simulated::SimulatedDirectory;

type Image = BTreeMap<String, Vec<u8>>;

/// Small segments, so that crashes also meet their borders.
const SEGMENT_BYTES: u64 = 150;

fn payload(number: u64) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

/// What recovery delivers: sequence and payload.
fn read_back(directory: &dyn Directory, committed: u64) -> (Vec<(u64, Vec<u8>)>, Recovery) {
    let mut seen = Vec::new();
    let recovery = recover(directory, committed, |record| {
        seen.push((record.sequence, record.payload.to_vec()));
        Ok::<(), Infallible>(())
    });
    (seen, recovery.unwrap())
}

fn continue_after(directory: SimulatedDirectory, recovery: &Recovery) -> Appender {
    let segments = recovery.segments.clone();
    Appender::new(Box::new(directory), SEGMENT_BYTES, recovery.last_sequence, segments)
}

/// Appends groups of the given sizes; tells for each operation of the disk how many records had
/// been acknowledged before a crash right after it.
fn write_groups(directory: &SimulatedDirectory, groups: &[usize]) -> Vec<u64> {
    let mut appender = Appender::new(Box::new(directory.clone()), SEGMENT_BYTES, 0, Vec::new());
    let mut acknowledged = 0;
    let mut acknowledged_at = Vec::new();
    for size in groups {
        let payloads: Vec<Vec<u8>> =
            (acknowledged + 1..=acknowledged + *size as u64).map(payload).collect();
        let records: Vec<(Kind, &[u8])> =
            payloads.iter().map(|payload| (Kind::Message, payload.as_slice())).collect();
        assert_eq!(appender.append_group(&records).unwrap(), acknowledged + 1);
        acknowledged_at.resize(directory.images().len(), acknowledged);
        acknowledged += *size as u64;
    }
    // The last operation of a group comes before its acknowledgement; a crash may also come after.
    acknowledged_at.push(acknowledged);
    acknowledged_at
}

/// Images after each operation and one after the last acknowledgement.
fn crash_images(directory: &SimulatedDirectory) -> Vec<Image> {
    let mut images = directory.images();
    images.push(directory.crash_image());
    images
}

/// How many acknowledged records a crash after each operation would lose.
fn losses(directory: &SimulatedDirectory, acknowledged_at: &[u64]) -> Vec<u64> {
    let images = crash_images(directory);
    assert_eq!(images.len(), acknowledged_at.len());
    let lost = |(image, acknowledged): (&Image, &u64)| {
        let (seen, _) = read_back(&SimulatedDirectory::from_image(image), 0);
        for (sequence, bytes) in &seen {
            assert_eq!(*bytes, payload(*sequence));
        }
        let kept = seen.iter().filter(|(sequence, _)| sequence <= acknowledged).count();
        acknowledged - kept as u64
    };
    images.iter().zip(acknowledged_at).map(lost).collect()
}

#[test]
fn each_acknowledged_record_survives_a_crash_after_every_operation() {
    let directory = SimulatedDirectory::default();
    let acknowledged_at = write_groups(&directory, &[1; 30]);
    assert!(acknowledged_at.len() > 60, "one write and one sync per record at least");
    assert_eq!(losses(&directory, &acknowledged_at).iter().sum::<u64>(), 0);
    let (seen, recovery) = read_back(&directory, 0);
    assert_eq!(seen.len(), 30);
    assert!(recovery.segments.len() > 3, "the test has to cross segments");
}

#[test]
fn without_the_sync_the_same_crashes_lose_acknowledged_records() {
    let directory = SimulatedDirectory::default();
    directory.leave_out_syncs();
    let acknowledged_at = write_groups(&directory, &[1; 30]);
    let losses = losses(&directory, &acknowledged_at);
    assert_eq!(losses.last(), Some(&30), "nothing had been made durable");
}

proptest! {
    #[test]
    fn groups_of_any_size_survive_a_crash_after_every_operation(
        groups in prop::collection::vec(1_usize..6, 1..12),
    ) {
        let directory = SimulatedDirectory::default();
        let acknowledged_at = write_groups(&directory, &groups);
        prop_assert_eq!(losses(&directory, &acknowledged_at).iter().sum::<u64>(), 0);
    }

    #[test]
    fn a_journal_goes_on_after_a_tail_torn_anywhere(
        before in 1_usize..8,
        cut in any::<prop::sample::Index>(),
    ) {
        let directory = SimulatedDirectory::default();
        write_groups(&directory, &vec![1; before]);
        let mut image = directory.crash_image();
        let (_, last) = image.iter_mut().next_back().unwrap();
        last.truncate(cut.index(last.len() + 1));

        let torn = SimulatedDirectory::from_image(&image);
        let (kept, recovery) = read_back(&torn, 0);
        prop_assert!(recovery.damage.is_empty());
        let mut appender = continue_after(torn.clone(), &recovery);
        let first = appender.append_group(&[(Kind::Message, b"after")]).unwrap();
        prop_assert!(kept.iter().all(|(sequence, _)| *sequence < first));

        let (seen, recovery) = read_back(&torn, 0);
        prop_assert_eq!(&seen[..kept.len()], &kept[..]);
        prop_assert_eq!(seen.last().unwrap(), &(first, b"after".to_vec()));
        prop_assert_eq!(recovery.torn, 0, "the tail was cut the first time");
    }

    #[test]
    fn a_flipped_bit_is_reported_and_costs_one_record_at_most(
        file in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let directory = SimulatedDirectory::default();
        write_groups(&directory, &[1; 12]);
        let mut image = directory.crash_image();
        let segments = image.len();
        let file = file.index(segments);
        let (_, bytes) = image.iter_mut().nth(file).unwrap();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (seen, recovery) = read_back(&SimulatedDirectory::from_image(&image), 0);
        prop_assert!(seen.len() >= 11);
        prop_assert_eq!(recovery.damage.len() as u64 + recovery.torn, 1);
        // Only the very last record of the journal has nothing behind it that tells that it was
        // durable; the head of a segment holds no record.
        if seen.len() == 11 && seen.last().unwrap().0 == 12 {
            prop_assert_eq!(recovery.damage.len(), 1);
        }
    }
}

#[test]
fn a_full_disk_refuses_and_later_goes_on_without_reusing_sequences() {
    let directory = SimulatedDirectory::default();
    let mut appender = Appender::new(Box::new(directory.clone()), 1 << 20, 0, Vec::new());
    assert_eq!(appender.append_group(&[(Kind::Message, b"one")]).unwrap(), 1);
    directory.limit_space(Some(30));
    let error = appender.append_group(&[(Kind::Message, b"two"), (Kind::Message, b"three")]);
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(appender.counts().failures, 1);
    directory.limit_space(None);
    assert_eq!(appender.append_group(&[(Kind::Message, b"four")]).unwrap(), 4);

    let (seen, recovery) = read_back(&directory, 0);
    assert_eq!(seen, [(1, b"one".to_vec()), (4, b"four".to_vec())]);
    assert!(recovery.damage.is_empty());
    assert_eq!(recovery.torn, 0, "what could not be written was cut at once");
}

#[test]
fn after_a_failed_sync_a_new_segment_is_begun() {
    let directory = SimulatedDirectory::default();
    let mut appender = Appender::new(Box::new(directory.clone()), 1 << 20, 0, Vec::new());
    appender.append_group(&[(Kind::Message, b"one")]).unwrap();
    directory.fail_syncs(1);
    appender.append_group(&[(Kind::Message, b"two")]).unwrap_err();
    appender.append_group(&[(Kind::Message, b"three")]).unwrap();
    assert_eq!(directory.list().unwrap().len(), 2);
    let image = directory.crash_image();
    let (seen, recovery) = read_back(&SimulatedDirectory::from_image(&image), 0);
    assert_eq!(seen, [(1, b"one".to_vec()), (3, b"three".to_vec())]);
    assert!(recovery.damage.is_empty());
}

#[test]
fn what_is_committed_is_trimmed_and_never_more() {
    let directory = SimulatedDirectory::default();
    let mut appender = Appender::new(Box::new(directory.clone()), SEGMENT_BYTES, 0, Vec::new());
    for number in 1..=20 {
        appender.append_group(&[(Kind::Message, &payload(number))]).unwrap();
    }
    let segments = directory.list().unwrap().len();
    for committed in 0..=20 {
        appender.trim(committed);
        let (seen, recovery) = read_back(&directory, committed);
        let needed = committed + 1..=20;
        let kept: Vec<u64> = seen.iter().map(|(sequence, _)| *sequence).collect();
        assert!(needed.clone().all(|sequence| kept.contains(&sequence)), "{committed}: {kept:?}");
        assert_eq!(recovery.last_sequence, 20);
    }
    assert!(directory.list().unwrap().len() < segments);
}

#[test]
fn a_damaged_segment_is_kept_under_another_name() {
    let directory = SimulatedDirectory::default();
    write_groups(&directory, &[1; 12]);
    let mut image = directory.crash_image();
    let (name, bytes) = image.iter_mut().next().unwrap();
    let name = name.clone();
    bytes[40] ^= 1;
    let damaged = SimulatedDirectory::from_image(&image);
    let (_, recovery) = read_back(&damaged, 0);
    assert_eq!(recovery.damage[0].segment, name);
    continue_after(damaged.clone(), &recovery).trim(12);
    assert_eq!(damaged.list().unwrap(), [name.replace(".segment", ".damaged")]);
}

#[test]
fn sequences_go_on_beyond_the_store_even_without_a_journal() {
    let (_, recovery) = read_back(&SimulatedDirectory::default(), 77);
    assert_eq!(recovery.last_sequence, 77);
}

#[test]
fn the_real_disk_does_what_the_simulated_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let open = || RealDirectory::open(&folder.path().join("journal")).unwrap();
    let mut appender = Appender::new(Box::new(open()), SEGMENT_BYTES, 0, Vec::new());
    for number in 1..=12 {
        appender.append_group(&[(Kind::Refusal, &payload(number))]).unwrap();
    }
    drop(appender);
    let names = open().list().unwrap();
    let last = names.last().unwrap();
    let bytes = open().read(last).unwrap();
    open().truncate(last, bytes.len() as u64 - 1).unwrap();

    let (seen, recovery) = read_back(&open(), 0);
    assert_eq!(seen.len(), 11);
    assert_eq!((recovery.torn, recovery.damage.len()), (1, 0));
    let segments: Vec<ClosedSegment> = recovery.segments;
    let mut appender = Appender::new(Box::new(open()), SEGMENT_BYTES, 12, segments);
    appender.append_group(&[(Kind::Message, b"more")]).unwrap();
    appender.trim(11);
    let (seen, _) = read_back(&open(), 11);
    assert_eq!(seen, [(13, b"more".to_vec())]);
}
