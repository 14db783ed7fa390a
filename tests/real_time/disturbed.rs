//! A bench that was held up: never a pass, and the reason is reported.

use std::process::Stdio;
use std::time::Duration;

use crate::bench::{json, lastmeter, signal, verdict};
use crate::outcome::{SHORT, alone, library};

/// Waits; a real-time run is disturbed at an instant of its own.
fn wait(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

const LATENCY_CHECKS: [&str; 3] = ["class-tt3", "readable", "steady"];

#[test]
fn a_bench_that_was_stopped_for_three_seconds_passes_no_latency() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = lastmeter()
        .args(["run", &library("first-light-realtime"), "--out", out.to_str().unwrap()])
        .args(SHORT)
        .args(["--set", "floor.messages=200"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not before the schedule has begun: by then the record has its first rows.
    while std::fs::metadata(out.join("latency.csv")).map_or(0, |file| file.len()) < 2000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        wait(1);
    }
    signal(&child, "STOP");
    wait(3);
    signal(&child, "CONT");
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(5), "{done:?}");
    for check in LATENCY_CHECKS {
        let verdict = verdict(&out, check);
        assert_eq!(verdict["status"], "inconclusive", "{verdict}");
        assert!(verdict["why"].as_str().unwrap().contains("deadlines"), "{verdict}");
    }
    let deadlines = &json(&out, "run.json")["real_time"]["deadlines"];
    // Twenty readings a second were due in these three seconds.
    assert!(deadlines["missed"].as_u64().unwrap() >= 50, "{deadlines}");
    assert!(deadlines["worst_ns"].as_i64().unwrap() >= 2_500_000_000, "{deadlines}");
    // Readings are judged all the same: none was lost.
    assert_eq!(verdict(&out, "readings-once")["status"], "pass");
}

#[test]
fn a_simulator_that_was_stopped_for_three_seconds_makes_the_run_inconclusive() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = lastmeter()
        .args(["run", &library("rts-real-time"), "--out", out.to_str().unwrap()])
        .args(["--set", "scenario.duration=18 s"])
        .args(["--set", "check.class-tt1.coverage=60 %"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while std::fs::metadata(out.join("latency.csv")).map_or(0, |file| file.len()) < 500 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        wait(1);
    }
    signal(&child, "STOP");
    wait(3);
    signal(&child, "CONT");
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(5), "{done:?}");
    let facts = json(&out, "run.json");
    let simulator = &facts["real_time"]["simulators"][0];
    // One step each 20 ms was due in these three seconds.
    assert!(simulator["steps"]["missed"].as_u64().unwrap() >= 100, "{simulator}");
    let readings = verdict(&out, "readings-once");
    assert_eq!(readings["status"], "inconclusive", "{readings}");
    let why = readings["why"].as_str().unwrap();
    assert!(why.contains("simulator rack missed") && why.contains("steps"), "{why}");
    assert_eq!(readings["reason"], "deadlines-missed");
}
