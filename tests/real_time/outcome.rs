//! Runs that go well, and those that must not.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bench::{json, run, verdict};

/// One run in real time at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A scenario of the library in real time.
pub(crate) fn library(name: &str) -> String {
    format!("scenarios/library/real-time/{name}.toml")
}

/// Ten meters of `first-light-realtime` for half a minute: with stalls of 250 ms the claim of 95 %
/// takes 14.6 s behind the warm-up.
pub(crate) const SHORT: [&str; 10] = [
    "--set",
    "device.meter.count=10",
    "--set",
    "scenario.duration=30 s",
    "--set",
    "check.class-tt3.stall=250 ms",
    "--set",
    "check.readable.stall=250 ms",
    "--set",
    "check.steady.stall=250 ms",
];

/// Whether the machine was too busy for a verdict; then the test prints why it is skipped.
pub(crate) fn is_too_busy(test: &str, folder: &Path) -> bool {
    let verdicts = json(folder, "verdicts.json");
    let reason = verdicts.as_array().unwrap().iter().find_map(|verdict| {
        let why = verdict["why"].as_str().unwrap();
        let by_machine = why.contains("not measurable here") || why.contains("deadlines missed");
        (verdict["status"] == "inconclusive" && by_machine).then(|| why.to_owned())
    });
    if let Some(reason) = &reason {
        println!("SKIPPED: {test}: {reason}");
    }
    reason.is_some()
}

#[test]
fn meters_over_tls_are_read_in_time_and_each_reading_once() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let few = [&SHORT[..], &["--set", "floor.messages=200"]].concat();
    let done = run(&library("first-light-realtime"), &out, &few);
    assert_eq!(verdict(&out, "readings-once")["status"], "pass", "{done:?}");
    assert_eq!(verdict(&out, "voltage")["status"], "pass");
    let facts = json(&out, "run.json");
    assert_eq!(facts["real_time"]["tls"], "mutual");
    assert_eq!(facts["real_time"]["nodelay"], true);
    assert_eq!(facts["time"], "real");
    let deadlines = &facts["real_time"]["deadlines"];
    // Ten meters, a reading every half second for thirty seconds.
    assert_eq!(deadlines["scheduled"], 600);
    let rows = std::fs::read_to_string(out.join("latency.csv")).unwrap();
    assert_eq!(rows.lines().count(), 1201, "a row to the platform and one to the observer each");
    if !is_too_busy("meters_over_tls", &out) {
        assert_eq!(done.code, 0, "{done:?}");
    }
}

/// What is refused in the very last moment was refused all the same.
#[test]
fn a_refusal_at_the_end_is_not_missed() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(library("first-light-realtime")).unwrap();
    let late =
        "\n[[inject]]\nat = \"19.99 s\"\nkind = \"unknown_identifier\"\ndevice = \"meter-10\"\n";
    let path = folder.path().join("late.toml");
    std::fs::write(&path, text.replace("duration = \"60 s\"", "duration = \"20 s\"") + late)
        .unwrap();
    let out = folder.path().join("run");
    let few = ["--set", "device.meter.count=10", "--set", "floor.messages=200"];
    let few = [&few[..], &["--set", "check.class-tt3.stall=100 ms"]].concat();
    let few = [&few[..], &["--set", "check.steady.stall=100 ms"]].concat();
    let few = [&few[..], &["--set", "check.readable.stall=100 ms"]].concat();
    let done = run(path.to_str().unwrap(), &out, &few);
    assert_eq!(verdict(&out, "nothing-refused")["status"], "fail", "{done:?}");
    assert_eq!(done.code, 1, "{done:?}");
}

#[test]
fn a_latency_check_without_an_observer_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(library("first-light-realtime")).unwrap();
    let text = text.replace("[[observer]]\nname = \"head-end\"\n", "");
    let path = folder.path().join("blind.toml");
    std::fs::write(&path, text).unwrap();
    let done = run(path.to_str().unwrap(), &folder.path().join("run"), &[]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("observer"), "{done:?}");
}
