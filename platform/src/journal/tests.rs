//! What the journal promises, on a disk that forgets: everything acknowledged survives a crash at
//! any operation, and the same test goes red when the sync is left out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::append::{Appender, Position};
use super::file::{Directory, RealDirectory};
use super::head::{self, Facts, Found, Head};
use super::record::{self, Kind};
use super::recover::{Missing, Survey, replay, survey};
use super::simulated::{HEAD, SimulatedDirectory};

type Image = BTreeMap<String, Vec<u8>>;

/// Small segments, so that crashes also meet their borders.
const SEGMENT_BYTES: u64 = 150;

fn payload(number: u64) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

/// What was acknowledged by the head on the same disk.
fn noted(directory: &dyn Directory) -> u64 {
    match directory.read(HEAD).map(|bytes| head::parse(&bytes)) {
        Ok(Found::Facts(facts)) => facts.synced,
        _ => 0,
    }
}

/// What recovery finds and delivers: sequence and payload.
fn read_back(directory: &dyn Directory, committed: u64) -> (Vec<(u64, Vec<u8>)>, Survey) {
    let found = survey(directory, committed, noted(directory)).unwrap();
    let mut seen = Vec::new();
    replay(directory, 0, |record| {
        seen.push((record.sequence, record.payload.to_vec()));
        Ok::<(), Infallible>(())
    })
    .unwrap();
    (seen, found)
}

fn appender(directory: &SimulatedDirectory, segment_bytes: u64, found: &Survey) -> Appender {
    let position = Position { durable: found.durable, used: found.used };
    let head = directory.head(Facts { synced: found.durable, ..Facts::default() });
    let segments = found.segments.clone();
    Appender::new(Box::new(directory.clone()), head, segment_bytes, position, segments)
}

fn continue_after(directory: &SimulatedDirectory, found: &Survey) -> Appender {
    appender(directory, SEGMENT_BYTES, found)
}

fn new_journal(directory: &SimulatedDirectory, segment_bytes: u64) -> Appender {
    appender(directory, segment_bytes, &Survey::default())
}

/// Holds the records 1 to 20, in several segments.
fn journal_of_twenty(directory: &SimulatedDirectory) -> Appender {
    let mut appender = new_journal(directory, SEGMENT_BYTES);
    for number in 1..=20 {
        appender.append_group(&[(Kind::Message, &payload(number))]).unwrap();
    }
    appender
}

fn segments(directory: &dyn Directory) -> Vec<String> {
    let mut names = directory.list().unwrap();
    names.retain(|name| name != HEAD);
    names
}

/// Appends groups of the given sizes; returns for each operation of the disk how many records had
/// been acknowledged before a crash right after it.
fn write_groups(directory: &SimulatedDirectory, groups: &[usize]) -> Vec<u64> {
    let mut appender = new_journal(directory, SEGMENT_BYTES);
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
        let (seen, found) = read_back(&SimulatedDirectory::from_image(image), 0);
        for (sequence, bytes) in &seen {
            assert_eq!(*bytes, payload(*sequence));
        }
        let reported = found.missing.iter().map(|missing| missing.through - missing.after);
        assert!(reported.sum::<u64>() <= *acknowledged, "{:?}", found.missing);
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
    let (seen, found) = read_back(&directory, 0);
    assert_eq!(seen.len(), 30);
    assert!(found.segments.len() > 3, "the test has to cross segments");
    // The head never promises more than the journal has: no crash is an alarm.
    for image in crash_images(&directory) {
        assert_eq!(read_back(&SimulatedDirectory::from_image(&image), 0).1.missing, []);
    }
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
        // Without a head: that the last record had been acknowledged is not known.
        image.remove(HEAD);
        let (_, last) = image.iter_mut().next_back().unwrap();
        last.truncate(cut.index(last.len() + 1));

        let torn = SimulatedDirectory::from_image(&image);
        let (kept, found) = read_back(&torn, 0);
        prop_assert!(found.missing.is_empty());
        let mut appender = continue_after(&torn, &found);
        let first = appender.append_group(&[(Kind::Message, b"after")]).unwrap();
        prop_assert!(kept.iter().all(|(sequence, _)| *sequence < first));

        let (seen, found) = read_back(&torn, 0);
        prop_assert_eq!(&seen[..kept.len()], &kept[..]);
        prop_assert_eq!(seen.last().unwrap(), &(first, b"after".to_vec()));
        prop_assert_eq!(found.torn, 0, "the tail was cut the first time");
    }
}

/// What can become of a segment.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Deleted,
    Emptied,
    /// Cut off behind so many of its records.
    CutBetweenRecords(usize),
    CutAnywhere(usize),
    Flipped(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::Deleted),
        Just(Harm::Emptied),
        (0_usize..9).prop_map(Harm::CutBetweenRecords),
        any::<usize>().prop_map(Harm::CutAnywhere),
        any::<usize>().prop_map(Harm::Flipped),
    ]
}

fn damage(image: &mut Image, segment: usize, harm: Harm) {
    let names: Vec<String> = image.keys().filter(|name| *name != HEAD).cloned().collect();
    let name = &names[segment % names.len()];
    let bytes = image.get_mut(name).unwrap();
    match harm {
        Harm::Deleted => drop(image.remove(name)),
        Harm::Emptied => bytes.clear(),
        Harm::CutBetweenRecords(records) => {
            let mut end = record::SEGMENT_HEAD_BYTES;
            for _ in 0..records {
                let record = bytes.get(end..).and_then(record::decode);
                end += record.map_or(0, |(_, length)| length);
            }
            bytes.truncate(end);
        }
        Harm::CutAnywhere(place) => bytes.truncate(place % (bytes.len() + 1)),
        Harm::Flipped(_) if bytes.is_empty() => {}
        Harm::Flipped(bit) => {
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// The sequences in stretches that are reported.
fn reported(missing: &[Missing]) -> Vec<u64> {
    missing.iter().flat_map(|missing| missing.after + 1..=missing.through).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn what_is_missing_is_reported_to_the_record_and_nothing_else_is(
        groups in prop::collection::vec(1_usize..5, 1..12),
        harms in prop::collection::vec((any::<usize>(), harm()), 0..3),
        committed in 0_u64..40,
    ) {
        let directory = SimulatedDirectory::default();
        write_groups(&directory, &groups);
        let acknowledged = groups.iter().sum::<usize>() as u64;
        let committed = committed.min(acknowledged);
        let mut image = directory.image();
        for (segment, harm) in harms {
            if image.len() > 1 {
                damage(&mut image, segment, harm);
            }
        }
        let harmed = SimulatedDirectory::from_image(&image);
        let (seen, found) = read_back(&harmed, committed);
        let is_lost = |s: &u64| *s > committed && !seen.iter().any(|(sequence, _)| sequence == s);
        let lost: Vec<u64> = (1..=acknowledged).filter(is_lost).collect();
        prop_assert_eq!(reported(&found.missing), lost);
        prop_assert_eq!(found.durable, acknowledged);
        // Once it is reported, the journal goes on and none of it is missing again.
        let mut appender = continue_after(&harmed, &found);
        let first = appender.append_group(&[(Kind::Message, b"after")]).unwrap();
        prop_assert!(first > acknowledged);
        let (_, again) = read_back(&harmed, acknowledged);
        prop_assert_eq!(&again.missing, &[]);
        prop_assert_eq!(again.durable, first);
    }

    #[test]
    fn a_failed_group_between_others_is_nothing_that_is_missing(
        groups in prop::collection::vec((1_usize..5, any::<bool>()), 1..12),
    ) {
        let directory = SimulatedDirectory::default();
        let mut appender = new_journal(&directory, SEGMENT_BYTES);
        for (size, shall_fail) in groups {
            directory.fail_syncs(shall_fail.into());
            let group = vec![(Kind::Message, &b"record"[..]); size];
            prop_assert_eq!(appender.append_group(&group).is_err(), shall_fail);
        }
        prop_assert_eq!(read_back(&directory, 0).1.missing, vec![]);
        let image = directory.crash_image();
        prop_assert_eq!(read_back(&SimulatedDirectory::from_image(&image), 0).1.missing, vec![]);
    }
}

#[test]
fn with_every_segment_gone_the_head_still_shows_what_there_was() {
    let directory = SimulatedDirectory::default();
    write_groups(&directory, &[1; 12]);
    for name in segments(&directory) {
        directory.remove(&name).unwrap();
    }
    let expected = [Missing { after: 7, through: 12, segment: None }];
    assert_eq!(read_back(&directory, 7).1.missing, expected);
    assert_eq!(read_back(&directory, 12).1.missing, []);
}

#[test]
fn a_bit_of_a_record_that_the_store_has_is_no_alarm() {
    let directory = SimulatedDirectory::default();
    write_groups(&directory, &[1; 12]);
    let mut image = directory.crash_image();
    image.values_mut().next().unwrap()[40] ^= 1;
    let flipped = SimulatedDirectory::from_image(&image);
    let (_, found) = read_back(&flipped, 1);
    assert_eq!((found.missing.len(), found.settled, found.torn), (0, 1, 0));
    let (_, found) = read_back(&flipped, 0);
    assert_eq!(reported(&found.missing), [1]);
    assert_eq!(found.missing[0].segment.as_ref(), segments(&flipped).first());
}

#[test]
fn a_full_disk_refuses_and_later_goes_on_without_reusing_sequences() {
    let directory = SimulatedDirectory::default();
    let mut appender = new_journal(&directory, 1 << 20);
    assert_eq!(appender.append_group(&[(Kind::Message, b"one")]).unwrap(), 1);
    directory.limit_space(Some(30));
    let error = appender.append_group(&[(Kind::Message, b"two"), (Kind::Message, b"three")]);
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(appender.counts.failures, 1);
    directory.limit_space(None);
    assert_eq!(appender.append_group(&[(Kind::Message, b"four")]).unwrap(), 4);

    let (seen, found) = read_back(&directory, 0);
    assert_eq!(seen, [(1, b"one".to_vec()), (4, b"four".to_vec())]);
    assert!(found.missing.is_empty());
    assert_eq!(found.torn, 0, "what could not be written was cut at once");
}

#[test]
fn attempts_on_a_full_disk_leave_nothing_behind() {
    let directory = SimulatedDirectory::default();
    let mut appender = new_journal(&directory, 1 << 20);
    appender.append_group(&[(Kind::Message, b"one")]).unwrap();
    directory.limit_space(Some(10));
    for _ in 0..100 {
        appender.append_group(&[(Kind::Message, b"two")]).unwrap_err();
        directory.limit_space(Some(0));
    }
    let names = segments(&directory);
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(appender.counts.failures, 100);
    directory.limit_space(None);
    appender.append_group(&[(Kind::Message, b"three")]).unwrap();
    let image = directory.crash_image();
    let (seen, found) = read_back(&SimulatedDirectory::from_image(&image), 0);
    assert_eq!(seen.len(), 2);
    assert_eq!((found.missing.len(), found.torn), (0, 0));
}

#[test]
fn after_a_failed_sync_a_new_segment_is_begun() {
    let directory = SimulatedDirectory::default();
    let mut appender = new_journal(&directory, 1 << 20);
    appender.append_group(&[(Kind::Message, b"one")]).unwrap();
    directory.fail_syncs(1);
    appender.append_group(&[(Kind::Message, b"two")]).unwrap_err();
    appender.append_group(&[(Kind::Message, b"three")]).unwrap();
    assert_eq!(segments(&directory).len(), 2);
    let image = directory.crash_image();
    let (seen, found) = read_back(&SimulatedDirectory::from_image(&image), 0);
    assert_eq!(seen, [(1, b"one".to_vec()), (3, b"three".to_vec())]);
    assert!(found.missing.is_empty());
}

#[test]
fn what_is_committed_is_trimmed_and_never_more() {
    let directory = SimulatedDirectory::default();
    let mut appender = journal_of_twenty(&directory);
    let before = segments(&directory).len();
    for committed in 0..=20 {
        appender.trim(committed);
        let (seen, found) = read_back(&directory, committed);
        let needed = committed + 1..=20;
        let kept: Vec<u64> = seen.iter().map(|(sequence, _)| *sequence).collect();
        assert!(needed.clone().all(|sequence| kept.contains(&sequence)), "{committed}: {kept:?}");
        assert_eq!((found.durable, found.missing.len()), (20, 0));
    }
    assert!(segments(&directory).len() < before);
}

#[test]
fn a_segment_that_somebody_removed_keeps_none_behind_it() {
    let directory = SimulatedDirectory::default();
    let mut appender = journal_of_twenty(&directory);
    let names = segments(&directory);
    assert!(names.len() > 3, "{names:?}");
    directory.remove(&names[0]).unwrap();
    appender.trim(20);
    assert!(!segments(&directory).contains(&names[1]));
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
    let (_, found) = read_back(&damaged, 0);
    assert_eq!(found.missing[0].segment, Some(name.clone()));
    continue_after(&damaged, &found).trim(12);
    assert_eq!(segments(&damaged), [name.replace(".segment", ".damaged")]);
}

#[test]
fn sequences_go_on_beyond_the_store_even_without_a_journal() {
    let (_, found) = read_back(&SimulatedDirectory::default(), 77);
    assert_eq!((found.durable, found.used, found.missing.len()), (77, 77, 0));
}

/// Its name states which sequences were given out, even if nothing in it can be read.
#[test]
fn the_sequences_of_an_empty_segment_are_not_given_out_again() {
    let directory = SimulatedDirectory::default();
    directory.create("00000000000000000050.segment").unwrap();
    let (records, found) = read_back(&directory, 7);
    assert_eq!((records.len(), found.durable, found.used), (0, 7, 50));
}

fn real_appender(folder: &std::path::Path, found: &Survey) -> Appender {
    let directory = RealDirectory::open(&folder.join("journal")).unwrap();
    let head = Head::create(&folder.join("head"), Facts::default()).unwrap();
    let position = Position { durable: found.durable, used: found.used };
    let segments = found.segments.clone();
    Appender::new(Box::new(directory), Arc::new(head), SEGMENT_BYTES, position, segments)
}

#[test]
fn the_real_disk_does_what_the_simulated_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let open = || RealDirectory::open(&folder.path().join("journal")).unwrap();
    let mut appender = real_appender(folder.path(), &Survey::default());
    for number in 1..=12 {
        appender.append_group(&[(Kind::Refusal, &payload(number))]).unwrap();
    }
    drop(appender);
    let names = open().list().unwrap();
    let last = names.last().unwrap();
    let bytes = open().read(last).unwrap();
    open().truncate(last, bytes.len() as u64 - 1).unwrap();

    let (seen, found) = read_back(&open(), 0);
    assert_eq!(seen.len(), 11);
    assert_eq!((found.torn, found.missing.len()), (1, 0));
    let mut appender = real_appender(folder.path(), &found);
    appender.append_group(&[(Kind::Message, b"more")]).unwrap();
    appender.trim(11);
    let (seen, _) = read_back(&open(), 11);
    assert_eq!(seen, [(12, b"more".to_vec())]);
    let facts = Facts { synced: 12, ..Facts::default() };
    assert_eq!(head::read(&folder.path().join("head")).unwrap(), Found::Facts(facts));
}

#[test]
fn what_is_appended_to_a_file_that_was_taken_away_is_not_durable() {
    type Take = fn(&std::path::Path);
    let takes: [(&str, Take); 4] = [
        ("removed", |path| std::fs::remove_dir_all(path).unwrap()),
        ("moved", |path| std::fs::rename(path, path.with_extension("away")).unwrap()),
        ("emptied", |path| {
            for entry in std::fs::read_dir(path).unwrap() {
                std::fs::write(entry.unwrap().path(), b"").unwrap();
            }
        }),
        ("replaced", |path| {
            for entry in std::fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, bytes).unwrap();
            }
        }),
    ];
    for (what, take) in takes {
        let folder = tempfile::tempdir().unwrap();
        let mut appender = real_appender(folder.path(), &Survey::default());
        appender.append_group(&[(Kind::Message, b"one")]).unwrap();
        take(&folder.path().join("journal"));
        let error = appender.append_group(&[(Kind::Message, b"two")]).unwrap_err().to_string();
        assert!(error.contains("was taken away"), "{what}: {error}");
        appender.trim(1);
        let is_gone = !folder.path().join("journal").exists();
        let third = appender.append_group(&[(Kind::Message, b"three")]);
        assert_eq!(third.is_err(), is_gone, "{what}: {third:?}");
    }
}
