//! How long a start takes does not depend on how much is stored; what is damaged is found all the
//! same, in the background or when it is read.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Instant;

use lastmeter_store::{StoreError, Stretch};

use super::*;
use crate::bench::BenchStore;
use crate::losses::LossKind;

/// Readings unless `LASTMETER_TEST_READINGS` names another number, as `tests/long` does.
const READINGS: usize = 200_000;
/// Readings in one transaction of the generator.
const BATCH: usize = 5000;
/// The longest that a start may take.
const START_LIMIT: Duration = Duration::from_secs(2);

/// Writes readings of 50 devices with 5 values each.
fn generate(config: &Config, readings: usize) {
    let tenant = config.tenant_folder();
    fs::create_dir_all(&tenant).unwrap();
    let mut store = BenchStore::open(&tenant, 5, 1);
    for _ in 0..readings / BATCH {
        let batch = store.batch(BATCH, 50);
        store.apply(&batch);
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how long a start takes is what is tested")]
async fn a_start_with_many_readings_takes_no_longer_than_its_limit() {
    let named = std::env::var("LASTMETER_TEST_READINGS").ok();
    let count = named.map_or(READINGS, |text| text.parse().expect("a number of readings"));
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), ClockSource::Driven);
    generate(&config, count);
    // What else the machine does must not decide this.
    let mut tries = Vec::new();
    let core = loop {
        let begun = Instant::now();
        let core = Tenant::start(&config).unwrap();
        core.ready().await.unwrap();
        tries.push(begun.elapsed());
        if tries.len() == 3 || tries.last().is_some_and(|took| *took < START_LIMIT) {
            break core;
        }
        assert!(core.stop(STOP_LIMIT).await);
    };
    println!("started with {count} readings in {tries:?}");
    assert!(tries.iter().any(|took| *took < START_LIMIT), "{tries:?} with {count} readings");
    let last = core.progress.totals().readings;
    assert_eq!(last, count as u64);
    let stretch = Stretch { after: last - 1, limit: 10, last };
    assert_eq!(core.readers.store().readings(stretch).await.unwrap().rows.len(), 1);
    assert!(core.stop(STOP_LIMIT).await);
}

/// Flips a bit of the one place in a file where these bytes stand.
fn flip(path: &Path, bytes: &[u8]) {
    let mut content = fs::read(path).unwrap();
    let places: Vec<usize> = content
        .windows(bytes.len())
        .enumerate()
        .filter_map(|(place, window)| (window == bytes).then_some(place))
        .collect();
    assert_eq!(places.len(), 1, "the bytes stand in one place");
    content[places[0]] ^= 1;
    fs::write(path, content).unwrap();
}

#[tokio::test]
async fn a_damaged_reading_is_found_in_the_background_and_never_served() {
    let bench = Bench::start(ClockSource::Driven).await;
    // Out of the roll-ups as well: it is neither the least nor the greatest of any.
    let around = |serial: u64| if serial.is_multiple_of(2) { 229.0 } else { 20_000.0 };
    let volts = |serial: u64| if serial == 700 { 12_345.678 } else { around(serial) };
    let messages: Vec<_> =
        (1..=1000).map(|serial| reading("home", Some(serial), volts(serial))).collect();
    store(&bench.core, &messages).await;
    // Out of the state as well: its latest value is another one.
    let (config, folder) = (bench.config.clone(), bench.folder);
    assert!(bench.core.stop(STOP_LIMIT).await);
    drop(bench.core);
    // As the file has it: 12345678 thousandths.
    flip(&folder.path().join("default/store.db"), &12_345_678_i32.to_le_bytes());
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, folder).await;
    let found = async {
        while bench.core.metrics.inspections.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(STOP_LIMIT, found).await.expect("a round of inspection");
    let (losses, _) = bench.core.losses.list();
    let places: Vec<(LossKind, &str)> =
        losses.iter().map(|loss| (loss.kind, loss.place.as_str())).collect();
    assert_eq!(places, [(LossKind::DamagedStore, "reading 700")]);

    let readers = bench.core.readers.store();
    let before = readers.readings(Stretch { after: 600, limit: 200, last: 1000 }).await.unwrap();
    assert_eq!((before.rows.len(), before.is_more), (99, true), "up to the damaged one");
    let there = readers.readings(Stretch { after: 699, limit: 200, last: 1000 }).await;
    assert!(matches!(there, Err(StoreError::DamagedPart(_))), "{there:?}");
    let behind = readers.readings(Stretch { after: 700, limit: 1000, last: 1000 }).await.unwrap();
    assert_eq!((behind.rows.len(), behind.is_more), (300, false));
    assert!(bench.core.metrics.damaged_reads.load(Ordering::Relaxed) >= 2);
    bench.stop().await;
}

/// Format 1 had no checksums; a later one is not known yet.
#[tokio::test]
async fn a_store_of_another_format_is_rejected_by_name_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), ClockSource::Driven);
    let core = Tenant::start(&config).unwrap();
    assert!(core.stop(STOP_LIMIT).await);
    drop(core);
    let path = config.tenant_folder().join("store.db");
    for format in [1, 4] {
        let other = rusqlite::Connection::open(&path).unwrap();
        other.pragma_update(None, "user_version", format).unwrap();
        drop(other);
        let before = fs::read(&path).unwrap();
        let error = Tenant::start(&config).err().unwrap().to_string();
        let expected = format!("has format {format}, this version reads 3; start the version");
        assert!(error.contains(&expected), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
