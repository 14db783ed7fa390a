//! What is refused although it was right in itself keeps its content, whenever it is refused.

use std::sync::atomic::Ordering;

use super::*;
use crate::losses::LossKind;

/// Sends while the store cannot commit, so that nothing of it can be judged at the door.
async fn send_in_flight(bench: &Bench, messages: &[Vec<u8>]) {
    let path = bench.folder.path().join("default/store.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for message in messages {
        assert_eq!(accept(&bench.core, message.clone()).await.unwrap(), Accepted::Stored);
    }
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    bench.core.barrier().await.unwrap();
}

#[tokio::test]
async fn a_reading_that_was_acknowledged_and_refused_at_the_commit_is_kept() {
    let bench = Bench::start(ClockSource::Driven).await;
    let first = bytes(&reading("home", Some(1), 230.0));
    let other = bytes(&reading("home", Some(1), 231.0));
    let answer = br#"{"hardwareId":"home","type":"Acknowledge","request":
        {"originatingEventId":"00000000000000000000001f","response":"done"}}"#;
    send_in_flight(&bench, &[first, other.clone()]).await;
    let accepted = accept(&bench.core, answer.to_vec()).await.unwrap();
    assert_eq!(accepted, Accepted::Refused(RefusalReason::UnknownInvocation));
    bench.core.barrier().await.unwrap();
    let rows = refusals(&bench.core).await;
    let reasons: Vec<&str> = rows.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(reasons, ["conflicting_content", "unknown_invocation"]);
    assert_eq!(rows[0].content.as_ref(), Some(&other));
    assert_eq!(rows[0].content_bytes, Some(other.len() as u64));
    assert_eq!(rows[1].content.as_deref(), Some(&answer[..]));
    assert_eq!(bench.core.metrics.conflicting_devices(), 1);
    let bench = bench.restart().await;
    assert_eq!(refusals(&bench.core).await, rows);
    bench.stop().await;
}

#[tokio::test]
async fn a_meter_that_counts_anew_in_its_epoch_is_refused_at_once_and_nothing_of_it_is_lost() {
    let bench = Bench::start(ClockSource::Driven).await;
    let before: Vec<_> = (1..=50).map(|serial| reading("home", Some(serial), 230.0)).collect();
    store(&bench.core, &before).await;
    // It forgets its epoch's count with its memory, over a restart of the platform or without one.
    for restart in [false, true] {
        let volts = if restart { 250.0 } else { 240.0 };
        let again: Vec<_> = (1..=52).map(|serial| reading("home", Some(serial), volts)).collect();
        let mut refused = 0;
        for message in &again {
            let accepted = accept(&bench.core, bytes(message)).await.unwrap();
            let conflicts = accepted == Accepted::Refused(RefusalReason::ConflictingContent);
            assert!(conflicts || accepted == Accepted::Stored);
            refused += usize::from(conflicts);
            bench.core.barrier().await.unwrap();
        }
        assert_eq!(refused, if restart { 52 } else { 50 }, "the rest goes on where it was");
        let kept: Vec<_> = refusals(&bench.core).await.into_iter().map(|row| row.content).collect();
        for message in &again[..refused] {
            assert!(kept.contains(&Some(bytes(message))));
        }
    }
    assert_eq!(readings(&bench.core).await.len(), 52);
    assert_eq!(bench.core.metrics.refused()["conflicting_content"], 102);
    assert_eq!(bench.core.metrics.conflicting_devices(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn after_a_restart_the_door_knows_what_was_stored() {
    let bench = Bench::start(ClockSource::Driven).await;
    let before: Vec<_> = (1..=3).map(|serial| reading("home", Some(serial), 230.0)).collect();
    store(&bench.core, &before).await;
    let bench = bench.restart().await;
    let accepted = accept(&bench.core, bytes(&reading("home", Some(2), 1.0))).await.unwrap();
    assert_eq!(accepted, Accepted::Refused(RefusalReason::ConflictingContent));
    store(&bench.core, &before).await;
    assert_eq!(bench.core.metrics.repetitions.load(Ordering::Relaxed), 3);
    bench.stop().await;
}

#[tokio::test]
async fn refused_content_is_kept_up_to_a_devices_share_and_counted_beyond() {
    let conflict = |device: &str, volts: u32| bytes(&reading(device, Some(1), f64::from(volts)));
    // Three of each of sixteen devices.
    let room = 16 * 3 * conflict("home-00", 1).len() as u64;
    let mut bench = Bench::start_with(ClockSource::Driven, |config| {
        config.limits.refused_content_bytes = room;
    })
    .await;
    let send = async |core: &Arc<Tenant>, device: &str, count: u32| {
        store(core, &[reading(device, Some(1), 230.0)]).await;
        for volts in 1..=count {
            accept(core, conflict(device, volts)).await.unwrap();
        }
        core.barrier().await.unwrap();
        let rows = refusals(core).await;
        let of_device = rows.iter().filter(|row| row.device.as_deref() == Some(device));
        assert!(of_device.clone().all(|row| row.content_bytes.is_some()), "how much it was");
        (of_device.clone().count(), of_device.filter(|row| row.content.is_some()).count())
    };
    assert_eq!(send(&bench.core, "home-00", 5).await, (5, 3));
    // A restart gives nobody another share.
    bench = bench.restart().await;
    assert_eq!(send(&bench.core, "home-00", 2).await, (7, 3));
    assert_eq!(bench.core.metrics.content_not_kept.load(Ordering::Relaxed), 2);
    assert_eq!(bench.core.losses.open_ones().0, 0, "a device does not make the tenant unready");
    for number in 1..16 {
        assert_eq!(send(&bench.core, &format!("home-{number:02}"), 3).await, (3, 3));
    }
    assert_eq!(bench.core.losses.open_ones().0, 0);
    // All together have filled the room.
    assert_eq!(send(&bench.core, "home-16", 1).await, (1, 0));
    let (_, loss) = bench.core.losses.open_ones();
    assert_eq!(loss.unwrap().kind, LossKind::ContentNotKept);
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_was_let_in_is_stored_even_if_the_limit_is_lower_by_then() {
    let bench = Bench::start(ClockSource::Driven).await;
    let path = bench.folder.path().join("default/store.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for device in ["a", "b", "c"] {
        let accepted = accept(&bench.core, bytes(&reading(device, Some(1), 230.0))).await;
        assert_eq!(accepted.unwrap(), Accepted::Stored);
    }
    let mut config = bench.config.clone();
    config.limits.devices = 1;
    // The store has none of it; the journal does.
    bench.core.health.give_up.store(true, Ordering::Release);
    assert!(bench.core.stop(STOP_LIMIT).await);
    drop(bench.core);
    drop(other);
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, bench.folder).await;
    assert_eq!(readings(&bench.core).await.len(), 3);
    assert!(refusals(&bench.core).await.is_empty());
    let refused = accept(&bench.core, bytes(&reading("d", Some(1), 230.0))).await.unwrap();
    assert_eq!(refused, Accepted::Refused(RefusalReason::TooManyDevices));
    bench.stop().await;
}
