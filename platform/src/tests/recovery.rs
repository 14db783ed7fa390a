//! What a stop of any kind leaves behind, and what the next start makes of it.

use std::fs;

use super::*;
use crate::error::PlatformError;
use crate::tenant::AdvanceError;

fn start_error(config: &Config) -> PlatformError {
    match Tenant::start(config) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_the_journal_has_and_the_store_lost_is_replayed_exactly_once() {
    let disk = SimulatedDirectory::default();
    let bench = Bench::start_on(&disk).await;
    let mut messages: Vec<MeasurementMessage> =
        (1..=20).map(|serial| reading("home", Some(serial), 230.0)).collect();
    messages.push(reading("home", None, 230.0));
    store(&bench.core, &messages).await;
    accept(&bench.core, b"{".to_vec()).await.unwrap();
    let alert = br#"{"hardwareId":"home","type":"DeviceAlert","request":{"type":"device.reachable",
        "level":"Info","message":"heat-1"}}"#;
    accept(&bench.core, alert.to_vec()).await.unwrap();
    bench.core.barrier().await.unwrap();
    let (rows, refused) = (readings(&bench.core).await, refusals(&bench.core).await);
    let alerted = alerts(&bench.core).await;
    assert_eq!(alerted.len(), 1);
    // A crash: no stop, a new process, an empty store, the journal as it is on the disk.
    let image = disk.crash_image();
    let after = Bench::start_on(&SimulatedDirectory::from_image(&image)).await;
    assert_eq!(readings(&after.core).await, rows);
    assert_eq!(refusals(&after.core).await, refused);
    assert_eq!(alerts(&after.core).await, alerted);
    let replayed = &after.core.metrics.journal_replayed;
    assert_eq!(replayed.load(std::sync::atomic::Ordering::Relaxed), 23);
    bench.stop().await;
    after.stop().await;
}

#[tokio::test]
async fn at_every_crash_point_each_acknowledged_message_reaches_the_store() {
    let disk = SimulatedDirectory::default();
    let bench = Bench::start_on(&disk).await;
    let mut acknowledged = Vec::new();
    for serial in 1..=12_u64 {
        if serial % 3 == 0 {
            accept(&bench.core, b"{".to_vec()).await.unwrap();
        } else {
            store(&bench.core, &[reading("home", Some(serial), 230.0)]).await;
        }
        acknowledged.push((disk.images().len(), serial));
    }
    bench.stop().await;
    for (operations, image) in disk.images().iter().enumerate() {
        let after = Bench::start_on(&SimulatedDirectory::from_image(image)).await;
        let stored: Vec<u64> =
            readings(&after.core).await.iter().map(|row| row.number.unwrap().1).collect();
        let refused = refusals(&after.core).await.len();
        let due = || acknowledged.iter().filter(|(at, _)| *at <= operations).map(|(_, s)| *s);
        assert!(due().filter(|s| s % 3 != 0).all(|s| stored.contains(&s)), "{operations}");
        assert!(due().filter(|s| s % 3 == 0).count() <= refused, "{operations}");
        after.stop().await;
    }
}

#[tokio::test]
async fn a_restart_goes_on_where_the_stop_was() {
    let bench = Bench::start(ClockSource::Driven).await;
    bench.core.advance(time("2027-01-18T17:00:00Z")).await.unwrap();
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    let bench = bench.restart().await;
    assert_eq!(bench.core.clock.now(), time("2027-01-18T17:00:00Z"), "time does not go back");
    store(&bench.core, &[reading("home", Some(2), 230.0), reading("home", Some(1), 230.0)]).await;
    let sequences: Vec<u64> = readings(&bench.core).await.iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, [1, 2]);
    bench.stop().await;
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let bench = Bench::start(ClockSource::Driven).await;
    let error = start_error(&bench.config);
    assert!(matches!(error, PlatformError::DataInUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    let config = bench.config.clone();
    let folder = bench.folder;
    assert!(bench.core.stop(STOP_LIMIT).await);
    drop(bench.core);
    let again = Tenant::start(&config).unwrap();
    assert!(again.stop(STOP_LIMIT).await);
    drop(folder);
}

#[tokio::test]
async fn a_damaged_store_is_refused_with_its_name() {
    let bench = Bench::start(ClockSource::Driven).await;
    let messages: Vec<MeasurementMessage> =
        (1..=500).map(|serial| reading("home", Some(serial), serial as f64)).collect();
    store(&bench.core, &messages).await;
    let (config, folder) = (bench.config.clone(), bench.folder);
    assert!(bench.core.stop(STOP_LIMIT).await);
    drop(bench.core);
    let path = folder.path().join("default/store.db");
    let sound = fs::read(&path).unwrap();
    let mut holed = sound.clone();
    // Every page but the first: whatever they are for, the trees they belong to break.
    for page in holed.chunks_mut(4096).skip(1) {
        page[..512].fill(0x5a);
    }
    for (bytes, word) in [
        (holed, "damaged"),
        (b"this is no database, but it is long enough to look at".repeat(99), "damaged"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = start_error(&config).to_string();
        assert!(error.contains(word) && error.contains("store.db"), "{error}");
    }
    fs::write(&path, sound).unwrap();
    Tenant::start(&config).unwrap().stop(STOP_LIMIT).await;
}

#[tokio::test]
async fn somebody_elses_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("default")).unwrap();
    let path = folder.path().join("default/store.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE precious (a); INSERT INTO precious VALUES (1)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let error = start_error(&config(folder.path(), ClockSource::Wall)).to_string();
    assert!(error.contains("not a store of this program"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A process that is being started has copies of all open files for a moment.
#[test]
fn a_folder_given_up_is_free_although_a_copy_of_its_lock_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let lock = lock_folder(folder.path()).unwrap();
    let copies =
        (lock.folder.try_clone().unwrap(), lock.file.as_ref().map(|f| f.try_clone().unwrap()));
    assert!(lock_folder(folder.path()).is_err());
    drop(lock);
    lock_folder(folder.path()).unwrap();
    drop(copies);
}

#[tokio::test]
async fn a_driven_clock_that_the_power_took_stands_where_the_last_was_received() {
    let disk = SimulatedDirectory::default();
    let bench = Bench::start_on(&disk).await;
    bench.core.advance(time("2027-01-18T17:00:00Z")).await.unwrap();
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    // It moves nothing: it is in the head alone, which the power takes with the store.
    bench.core.advance(time("2027-01-18T17:00:09Z")).await.unwrap();
    store(&bench.core, &[reading("home", Some(2), 230.0)]).await;
    let image = disk.crash_image();
    let after = Bench::start_on(&SimulatedDirectory::from_image(&image)).await;
    assert_eq!(after.core.clock.now(), time("2027-01-18T17:00:09Z"));
    let before = after.core.advance(time("2027-01-18T17:00:08Z")).await;
    assert!(matches!(before, Err(AdvanceError::Backwards { .. })), "{before:?}");
    store(&after.core, &[reading("home", Some(3), 230.0)]).await;
    let received: Vec<SimTime> = readings(&after.core).await.iter().map(|r| r.received).collect();
    assert_eq!(received, ["00", "09", "09"].map(|s| time(&format!("2027-01-18T17:00:{s}Z"))));
    bench.stop().await;
    after.stop().await;
}
