//! A thousand bad messages between a thousand good ones, over the whole chain: broker, journal,
//! store, REST; and the memory that takes.
//!
//! It runs in a process of its own: other tests would be in the measured memory.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};

use crate::common::{LIMIT, Sender, TOKEN, bad, by_reason, client, read_back, reading};
use serde_json::{Value, json};

/// What memory may grow by after the warm-up, KiB.
const GROWTH_LIMIT_KIB: u64 = 16 * 1024;

/// Serials of the warm-up and of the measured round; each good one has a bad one beside it.
const WARM_UP: std::ops::RangeInclusive<u64> = 1..=1000;
const MEASURED: std::ops::RangeInclusive<u64> = 1001..=2000;
/// Packets over the limit, spread over the measured round.
const OVERSIZED: u64 = 10;

/// Marks the process as the one that is the one to be measured.
const MEASURE: &str = "LASTMETER_TEST_THOUSAND";

#[test]
fn a_thousand_bad_messages_between_a_thousand_good_ones() {
    let status = Command::new(std::env::current_exe().expect("a test binary"))
        .args(["thousand::measured", "--exact", "--nocapture"])
        .env(MEASURE, "1")
        .status();
    assert!(status.expect("a process").success(), "see its output above");
}

/// The measured process; does nothing when it is run as an ordinary test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn measured() {
    if std::env::var_os(MEASURE).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Driven);
    let platform = Platform::start(config.clone()).await.expect("a platform");
    let mut sender = Sender::open(platform.mqtt_address(), "sender");

    send_round(&platform, &mut sender, WARM_UP).await;
    let before = memory_kib("VmRSS:");
    let peak_is_fresh = fs::write("/proc/self/clear_refs", "5").is_ok();
    send_round(&platform, &mut sender, MEASURED).await;
    let peak = memory_kib("VmHWM:");
    match (before, peak) {
        (Some(before), Some(peak)) if peak_is_fresh => {
            println!("memory: {before} KiB before, {peak} KiB at the peak");
            assert!(peak < before + GROWTH_LIMIT_KIB, "{before} KiB grew to {peak} KiB");
        }
        _ => skip("this system does not report the peak of a process's memory"),
    }

    sender.close().await;
    check(&platform).await;
    assert!(platform.shutdown().await);
    let again = Platform::start(config).await.expect("a second start");
    check(&again).await;
    assert!(again.shutdown().await);
}

/// Good and bad in turn, and where it is due a packet over the limit; then the barrier.
async fn send_round(
    platform: &Running,
    sender: &mut Sender,
    serials: std::ops::RangeInclusive<u64>,
) {
    let oversize_every = serials.clone().count() as u64 / OVERSIZED;
    let measured = *serials.start() == *MEASURED.start();
    for serial in serials {
        sender.queue(2 * serial, reading("good", serial));
        sender.queue(2 * serial + 1, bad("bad", serial).0);
        if measured && serial % oversize_every == 0 {
            sender.run(|_| false).await;
            send_oversized(sender).await;
        }
    }
    sender.run(|_| false).await;
    let client = client(platform.rest_address()).with_time_limit(LIMIT);
    let to = json!({"to": "2027-01-18T17:00:00Z"});
    let _: Value = client.post_json("/api/v1/clock/advance", &to).await.expect("a barrier");
}

/// A packet over the limit costs its sender the connection; it comes back and goes on.
async fn send_oversized(sender: &mut Sender) {
    const NUMBER: u64 = u64::MAX;
    let lost = sender.lost;
    sender.queue(NUMBER, vec![b' '; 300 * 1024]);
    sender.run(|sender| sender.lost > lost).await;
    assert!(!sender.acknowledged.contains(&NUMBER), "it must not be acknowledged");
    sender.give_up(NUMBER);
}

async fn check(platform: &Running) {
    let client = client(platform.rest_address());
    let readings = read_back(&client, "/api/v1/readings").await;
    let serials: Vec<u64> =
        readings.iter().map(|row| row["serial"].as_u64().expect("a serial")).collect();
    let expected: Vec<u64> = (*WARM_UP.start()..=*MEASURED.end()).collect();
    assert_eq!(serials, expected, "each good one exactly once, in order");
    assert!(readings.iter().all(|row| row["device"] == "good"));
    assert!(readings.iter().all(|row| row["values"].as_object().is_some_and(|v| v.len() == 20)));

    let mut due: BTreeMap<String, u64> = BTreeMap::new();
    for serial in *WARM_UP.start()..=*MEASURED.end() {
        *due.entry(bad("bad", serial).1.to_owned()).or_default() += 1;
    }
    due.insert("packet_too_large".to_owned(), OVERSIZED);
    let refusals = read_back(&client, "/api/v1/refusals").await;
    assert_eq!(by_reason(&refusals), due);
}

/// A line of the process's own status, KiB.
fn memory_kib(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[expect(clippy::print_stdout, reason = "a skipped measurement must show")]
fn skip(reason: &str) {
    let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|tier| tier == "all"), "{reason}");
    println!("SKIPPED: {reason}");
}
