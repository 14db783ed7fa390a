//! Whatever somebody or something does to a data folder between two starts: what was acknowledged
//! is there afterwards or is reported as missing, to the record, until somebody acknowledges it.

use std::collections::BTreeSet;
use std::fs;

use super::advance::invoke;
use super::*;
use crate::losses::{Loss, LossKind};

/// Readings sent before the store stops committing, and after.
const STORED: u64 = 64;
const ON_THE_WAY: u64 = 40;

/// A data folder as a crash leaves it: with readings 1 to `STORED` in the store, most of their
/// segments trimmed, and `ON_THE_WAY` more acknowledged ones in the journal only.
struct CrashedFolder {
    folder: TempDir,
    /// The same folder before the last readings were stored, and before the second command.
    earlier: TempDir,
}

fn small(config: &mut Config) {
    config.limits.segment_bytes = 4096;
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn image(folder: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    copy(folder, image.path());
    image
}

fn numbered(serials: std::ops::RangeInclusive<u64>) -> Vec<MeasurementMessage> {
    serials.map(|serial| reading("home", Some(serial), serial as f64)).collect()
}

async fn leave() -> CrashedFolder {
    let bench = Bench::start_with(ClockSource::Driven, small).await;
    store(&bench.core, &numbered(1..=STORED / 2)).await;
    invoke(&bench, "5", 60.0).await;
    let earlier = image(bench.folder.path());
    store(&bench.core, &numbered(STORED / 2 + 1..=STORED)).await;
    invoke(&bench, "7", 60.0).await;
    bench.core.barrier().await.unwrap();
    // From here on the store cannot commit.
    let path = bench.folder.path().join("default/store.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for message in numbered(STORED + 1..=STORED + ON_THE_WAY) {
        assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), Accepted::Stored);
    }
    let folder = image(bench.folder.path());
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    bench.stop().await;
    CrashedFolder { folder, earlier }
}

fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder.join("default/journal")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Cuts the last record off a segment, without a trace.
fn cut_last_record(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let mut end = 20;
    while let Some(length) = bytes.get(end..end + 4) {
        let next = end + 25 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        if next >= bytes.len() {
            break;
        }
        end = next;
    }
    assert!(end > 20, "a segment of several records");
    fs::write(path, &bytes[..end]).unwrap();
}

fn remove_store(folder: &Path) {
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let _ = fs::remove_file(folder.join("default").join(name));
    }
}

/// What is done, and which kinds of losses it has to be reported as.
type Case = (&'static str, fn(&Path, &Path), &'static [LossKind]);

const CASES: &[Case] = &[
    ("nothing", |_, _| (), &[]),
    (
        "the last segment deleted",
        |folder, _| fs::remove_file(segments(folder).last().unwrap()).unwrap(),
        &[LossKind::MissingRecords],
    ),
    (
        "the first segment deleted",
        |folder, _| fs::remove_file(&segments(folder)[0]).unwrap(),
        &[LossKind::MissingRecords],
    ),
    (
        "a segment in the middle deleted",
        |folder, _| fs::remove_file(&segments(folder)[1]).unwrap(),
        &[LossKind::MissingRecords],
    ),
    (
        "every segment emptied",
        |folder, _| segments(folder).iter().for_each(|path| fs::write(path, b"").unwrap()),
        &[LossKind::MissingRecords],
    ),
    (
        "the last segment emptied",
        |folder, _| fs::write(segments(folder).last().unwrap(), b"").unwrap(),
        &[LossKind::MissingRecords],
    ),
    (
        "the last segment cut between two records",
        |folder, _| cut_last_record(segments(folder).last().unwrap()),
        &[LossKind::MissingRecords],
    ),
    (
        "a segment in the middle cut between two records",
        |folder, _| cut_last_record(&segments(folder)[1]),
        &[LossKind::MissingRecords],
    ),
    (
        "all segments gone",
        |folder, _| segments(folder).iter().for_each(|path| fs::remove_file(path).unwrap()),
        &[LossKind::MissingRecords],
    ),
    (
        "the journal's folder gone",
        |folder, _| fs::remove_dir_all(folder.join("default/journal")).unwrap(),
        &[LossKind::MissingRecords],
    ),
    (
        "the store deleted",
        |folder, _| remove_store(folder),
        &[LossKind::MissingRecords, LossKind::MissingChanges],
    ),
    (
        "the store emptied",
        |folder, _| {
            remove_store(folder);
            fs::write(folder.join("default/store.db"), b"").unwrap();
        },
        &[LossKind::MissingRecords, LossKind::MissingChanges],
    ),
    (
        "what the store had not yet moved into its file deleted",
        |folder, _| {
            fs::remove_file(folder.join("default/store.db-wal")).unwrap();
            fs::remove_file(folder.join("default/store.db-shm")).unwrap();
        },
        &[LossKind::MissingRecords, LossKind::MissingChanges],
    ),
    (
        "the store of an earlier day put back",
        |folder, earlier| {
            remove_store(folder);
            copy_store(earlier, folder);
        },
        &[LossKind::MissingRecords, LossKind::MissingChanges],
    ),
    (
        "everything of the tenant gone",
        |folder, _| fs::remove_dir_all(folder.join("default")).unwrap(),
        &[LossKind::MissingRecords, LossKind::MissingChanges],
    ),
    (
        "the head gone",
        |folder, _| fs::remove_file(folder.join("default.head")).unwrap(),
        &[LossKind::MissingHead],
    ),
    (
        "the head overwritten",
        |folder, _| fs::write(folder.join("default.head"), [0; 99]).unwrap(),
        &[LossKind::MissingHead],
    ),
];

fn copy_store(from: &Path, to: &Path) {
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        fs::copy(from.join("default").join(name), to.join("default").join(name)).unwrap();
    }
}

/// Journal sequences that are reported as missing; a reading's sequence is its serial here.
fn reported(losses: &[Loss]) -> BTreeSet<u64> {
    let of_records = losses.iter().filter(|loss| loss.kind == LossKind::MissingRecords);
    let range = |loss: &Loss| {
        let (from, to) = loss.place.split_once('-').unwrap();
        from.parse::<u64>().unwrap()..=to.parse().unwrap()
    };
    of_records.flat_map(range).collect()
}

async fn serials(core: &Tenant) -> BTreeSet<u64> {
    readings(core).await.iter().map(|row| row.number.unwrap().1).collect()
}

async fn start(folder: TempDir) -> Bench {
    let mut config = config(folder.path(), ClockSource::Driven);
    small(&mut config);
    let core = Tenant::start(&config).unwrap();
    Bench::ready(core, config, folder).await
}

async fn check(left: &CrashedFolder, (what, harm, kinds): &Case) {
    let folder = image(left.folder.path());
    harm(folder.path(), left.earlier.path());
    let bench = start(folder).await;
    let there = serials(&bench.core).await;
    let (losses, _) = bench.core.losses.list();
    let lost: BTreeSet<u64> = (1..=STORED + ON_THE_WAY).filter(|s| !there.contains(s)).collect();
    assert_eq!(reported(&losses), lost, "{what}: {losses:#?}");
    let found: BTreeSet<LossKind> = losses.iter().map(|loss| loss.kind).collect();
    assert_eq!(found, kinds.iter().copied().collect(), "{what}: {losses:#?}");

    // It goes on all the same, and no restart wipes it.
    store(&bench.core, &numbered(1000..=1040)).await;
    let bench = bench.restart().await.restart().await;
    assert_eq!(bench.core.losses.list().0, losses, "{what}");
    assert_eq!(bench.core.losses.open_ones().0, losses.len() as u64, "{what}");
    assert!(serials(&bench.core).await.is_superset(&there), "{what}");
    for loss in &losses {
        bench.core.losses.acknowledge(loss.id, "seen").unwrap().unwrap();
    }
    let bench = bench.restart().await;
    assert_eq!(bench.core.losses.open_ones().0, 0, "{what}");
    assert_eq!(bench.core.losses.list().0.len(), losses.len(), "{what}");
    bench.stop().await;
}

#[tokio::test]
async fn whatever_is_taken_from_a_data_folder_is_reported_until_it_is_acknowledged() {
    let left = leave().await;
    assert!(segments(left.folder.path()).len() > 2, "the test needs several segments");
    let first = |folder: &TempDir| segments(folder.path())[0].file_name().unwrap().to_owned();
    assert!(first(&left.earlier) < first(&left.folder), "and trimmed ones");
    for case in CASES {
        check(&left, case).await;
    }
}

#[tokio::test]
async fn reports_that_are_taken_away_are_missed_themselves() {
    let left = leave().await;
    fs::remove_file(segments(left.folder.path()).last().unwrap()).unwrap();
    let bench = start(left.folder).await;
    assert_eq!(bench.core.losses.count(), 1);
    let (config, folder) = (bench.config.clone(), bench.folder);
    assert!(bench.core.stop(STOP_LIMIT).await);
    drop(bench.core);
    fs::remove_file(config.data.join("default.losses")).unwrap();
    let bench = start(folder).await;
    let (losses, _) = bench.core.losses.list();
    let kinds: Vec<LossKind> = losses.iter().map(|loss| loss.kind).collect();
    assert_eq!(kinds, [LossKind::MissingReports]);
    bench.stop().await;
}

#[tokio::test]
async fn a_crash_right_after_the_report_reports_it_once() {
    let left = leave().await;
    for path in segments(left.folder.path()) {
        fs::remove_file(path).unwrap();
    }
    let before = image(left.folder.path());
    let bench = start(left.folder).await;
    let losses = bench.core.losses.list().0;
    // As if nothing but the reports had become durable.
    fs::copy(bench.config.data.join("default.losses"), before.path().join("default.losses"))
        .unwrap();
    bench.stop().await;
    let bench = start(before).await;
    assert_eq!(bench.core.losses.list().0, losses);
    bench.stop().await;
}

#[tokio::test]
async fn a_journal_that_is_removed_while_it_is_in_use_acknowledges_nothing_more() {
    let bench = Bench::start(ClockSource::Driven).await;
    store(&bench.core, &numbered(1..=3)).await;
    fs::remove_dir_all(bench.folder.path().join("default/journal")).unwrap();
    for message in numbered(4..=6) {
        let refused = accept(&bench.core, bytes(&message)).await;
        assert!(matches!(refused, Err(IngestError::JournalFailed(_))), "{refused:?}");
    }
    let trouble = bench.core.trouble().unwrap();
    assert!(trouble.starts_with("the journal cannot be written: "), "{trouble}");
    let bench = bench.restart().await;
    assert_eq!(serials(&bench.core).await, (1..=3).collect());
    assert_eq!(bench.core.losses.count(), 0, "nothing that was acknowledged is missing");
    store(&bench.core, &numbered(4..=6)).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_store_that_is_removed_while_it_is_in_use_commits_nothing_more() {
    for name in ["store.db", "store.db-wal"] {
        let bench = Bench::start(ClockSource::Driven).await;
        store(&bench.core, &numbered(1..=3)).await;
        fs::remove_file(bench.folder.path().join("default").join(name)).unwrap();
        for message in numbered(4..=6) {
            // The journal has it; the store has to get it at the next start.
            assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), Accepted::Stored);
        }
        let trouble = async {
            loop {
                if let Some(trouble) = bench.core.trouble() {
                    return trouble;
                }
                tokio::task::yield_now().await;
            }
        };
        let trouble = tokio::time::timeout(STOP_LIMIT, trouble).await.unwrap();
        assert!(trouble.contains("was taken away while it was in use"), "{name}: {trouble}");
        assert!(!bench.core.is_ready());
        let (config, folder) = (bench.config.clone(), bench.folder);
        assert!(bench.core.stop(STOP_LIMIT).await);
        drop(bench.core);
        let core = Tenant::start(&config).unwrap();
        let bench = Bench::ready(core, config, folder).await;
        assert_eq!(serials(&bench.core).await, (1..=6).collect(), "{name}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn only_one_process_uses_a_folder_even_if_its_lock_file_is_removed() {
    let bench = Bench::start(ClockSource::Driven).await;
    fs::remove_file(bench.folder.path().join("lock")).unwrap();
    let refused = Tenant::start(&bench.config).err().unwrap();
    assert!(matches!(refused, crate::error::PlatformError::DataInUse { .. }), "{refused}");
    bench.stop().await;
}
