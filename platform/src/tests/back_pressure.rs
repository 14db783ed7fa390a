//! A full pipeline makes senders wait; it neither grows nor drops.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_never_exceeds_its_limit_and_everything_arrives() {
    let bench = Bench::start_with(ClockSource::Driven, |config| {
        config.limits.packet_bytes = 4096;
        config.limits.in_flight_bytes = 8192;
        config.limits.queue_messages = 2;
        config.limits.batch_messages = 2;
    })
    .await;
    let worst = Arc::new(AtomicU64::new(0));
    let mut senders = tokio::task::JoinSet::new();
    for device in 0..8 {
        let (core, worst) = (Arc::clone(&bench.core), Arc::clone(&worst));
        senders.spawn(async move {
            for serial in 1..=50 {
                let message = reading(&format!("home-{device}"), Some(serial), 230.0);
                assert_eq!(accept(&core, bytes(&message)).await.unwrap(), Accepted::Stored);
                worst.fetch_max(core.ingest.in_flight_bytes(), Ordering::Relaxed);
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    bench.core.barrier().await.unwrap();
    assert_eq!(readings(&bench.core).await.len(), 400);
    assert!(worst.load(Ordering::Relaxed) <= 8192);
    assert_eq!(bench.core.ingest.in_flight_bytes(), 0, "every share has been given back");
    bench.stop().await;
}

fn run(serials: std::ops::Range<u64>) -> Vec<Arrival> {
    let one = |serial| arrival(INPUT, bytes(&reading("home", Some(serial), 230.0)));
    serials.map(one).collect()
}

#[tokio::test]
async fn a_run_becomes_durable_with_one_sync() {
    let bench = Bench::start(ClockSource::Driven).await;
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    let syncs = || bench.core.journal.counters.syncs.load(Ordering::Relaxed);
    let before = syncs();
    let verdicts = bench.core.ingest.accept_run(run(2..42)).await.unwrap();
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Stored)));
    assert_eq!((verdicts.len(), syncs() - before), (40, 1));
    bench.core.barrier().await.unwrap();
    assert_eq!(readings(&bench.core).await.len(), 41);
    bench.stop().await;
}

#[tokio::test]
async fn a_run_never_waits_for_room_that_it_holds_itself() {
    let bench = Bench::start_with(ClockSource::Driven, |config| {
        config.limits.packet_bytes = 1024;
        config.limits.in_flight_bytes = 8192;
        config.limits.accept_wait_s = 5;
    })
    .await;
    let verdicts = bench.core.ingest.accept_run(run(1..21)).await.unwrap();
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Stored)));
    bench.core.barrier().await.unwrap();
    assert_eq!((verdicts.len(), readings(&bench.core).await.len()), (20, 20));
    bench.stop().await;
}

#[tokio::test]
async fn a_sender_that_waits_too_long_is_error_so_and_gets_no_acknowledgement() {
    let bench = Bench::start_with(ClockSource::Driven, |config| {
        config.limits.packet_bytes = 1024;
        config.limits.in_flight_bytes = 2048;
        config.limits.accept_wait_s = 1;
    })
    .await;
    // The store cannot commit while somebody else holds its file, so the one share is not free.
    let path = bench.folder.path().join("default/store.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = accept(&bench.core, bytes(&reading("home", Some(1), 230.0))).await;
    assert_eq!(first.unwrap(), Accepted::Stored, "the journal has it");
    let second = accept(&bench.core, bytes(&reading("home", Some(2), 230.0))).await;
    assert!(matches!(second, Err(IngestError::Overloaded { .. })), "{second:?}");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    bench.core.barrier().await.unwrap();
    assert_eq!(readings(&bench.core).await.len(), 1);
    assert!(bench.core.is_ready());
    bench.stop().await;
}

#[tokio::test]
async fn whoever_waits_for_a_store_that_goes_on_failing_is_error_why_and_it_tries_on() {
    let bench = Bench::start(ClockSource::Driven).await;
    let path = bench.folder.path().join("default/store.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = accept(&bench.core, bytes(&reading("home", Some(1), 230.0))).await;
    assert_eq!(first.unwrap(), Accepted::Stored, "the journal has it");
    let error = bench.core.barrier().await.unwrap_err().to_string();
    assert!(error.starts_with("the store could not be written for 10 s: "), "{error}");
    assert!(error.contains("database is locked"), "{error}");
    let trouble = bench.core.trouble().unwrap();
    assert!(trouble.starts_with("the store cannot be written: "), "{trouble}");
    assert!(trouble.contains("database is locked"), "{trouble}");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    bench.core.barrier().await.unwrap();
    assert_eq!(bench.core.trouble(), None);
    assert_eq!(readings(&bench.core).await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_sender_that_goes_away_while_it_waits_loses_nothing_that_was_made_durable() {
    let bench = Bench::start(ClockSource::Driven).await;
    for serial in 1..=200 {
        let message = bytes(&reading("home", Some(serial), 230.0));
        let accepting = accept(&bench.core, message);
        // Dropped after its first steps, as when a connection breaks.
        let _ = tokio::time::timeout(Duration::ZERO, accepting).await;
    }
    store(&bench.core, &[reading("home", Some(201), 230.0)]).await;
    let rows = readings(&bench.core).await;
    let accepted = bench.core.metrics.accepted.load(Ordering::Relaxed);
    assert!(rows.len() as u64 >= accepted);
    assert_eq!(rows.last().unwrap().number, Some((1, 201)));
    assert_eq!(bench.core.ingest.in_flight_bytes(), 0);
    bench.stop().await;
}
