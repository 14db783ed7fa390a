//! Repeats of a virtual-time run: identical byte for byte, wherever the platform runs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::bench::{COMPARED, lastmeter, library, run};

const SHORT: [&str; 2] = ["--set", "scenario.duration=1 min"];

fn assert_same(first: &Path, second: &Path) {
    for file in COMPARED {
        let [a, b] = [first, second].map(|folder| std::fs::read(folder.join(file)).unwrap());
        assert!(a == b, "{file} of {} and {} differ", first.display(), second.display());
    }
}

/// A platform started by hand.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) mqtt: String,
    pub(crate) rest: String,
}

impl Served {
    pub(crate) fn start(data: &Path, mqtt: &str, rest: &str) -> Self {
        Self::start_logging(data, mqtt, rest, Stdio::inherit())
    }

    /// With its log somewhere else.
    pub(crate) fn start_logging(data: &Path, mqtt: &str, rest: &str, log: Stdio) -> Self {
        Self::start_with(data, mqtt, rest, log, &[])
    }

    /// With more options.
    pub(crate) fn start_with(
        data: &Path,
        mqtt: &str,
        rest: &str,
        log: Stdio,
        options: &[&str],
    ) -> Self {
        let mut child = lastmeter()
            .args(["serve", "--clock", "driven", "--token", "secret", "--until-stdin-closes"])
            .args(["--mqtt", mqtt, "--rest", rest, "--data"])
            .arg(data)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        Self { child, mqtt: text("mqtt"), rest: text("rest") }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may be gone already; that is for the test to judge.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn repeats_are_identical_on_every_kind_of_platform() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let scenario = library("first-light");
    assert_eq!(run(&scenario, &path("first"), &SHORT).code, 0);
    assert_eq!(run(&scenario, &path("again"), &SHORT).code, 0);
    assert_same(&path("first"), &path("again"));

    let child = run(&scenario, &path("child"), &[&SHORT[..], &["--platform", "child"]].concat());
    assert_eq!(child.code, 0, "{child:?}");
    assert_same(&path("first"), &path("child"));

    let served = Served::start(&path("data"), "127.0.0.1:0", "127.0.0.1:0");
    let profile = path("platform.toml");
    let text =
        format!("mqtt = \"{}\"\nrest = \"{}\"\ntoken = \"secret\"\n", served.mqtt, served.rest);
    std::fs::write(&profile, text).unwrap();
    let platform = ["--platform", profile.to_str().unwrap()];
    let hand = run(&scenario, &path("hand"), &[&SHORT[..], &platform[..]].concat());
    assert_eq!(hand.code, 0, "{hand:?}");
    assert_same(&path("first"), &path("hand"));

    // What is there would mix with what comes: such a platform is refused, with the reason.
    let used = run(&scenario, &path("used"), &[&SHORT[..], &platform[..]].concat());
    assert_eq!(used.code, 3, "{used:?}");
    assert!(used.stderr.contains("already holds readings"), "{used:?}");
}

#[test]
fn a_suite_on_a_platform_that_runs_has_a_tenant_for_each_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let scenario = library("energy-reversal");
    let cases = ["--seeds", "1..2", "--set", "scenario.duration=90 s"];
    assert_eq!(run(&scenario, &path("own"), &cases).code, 0);
    let served = Served::start(&path("data"), "127.0.0.1:0", "127.0.0.1:0");
    let profile = path("platform.toml");
    let with = |more: &str| {
        let (mqtt, rest) = (&served.mqtt, &served.rest);
        let text = format!("mqtt = \"{mqtt}\"\nrest = \"{rest}\"\ntoken = \"secret\"\n{more}\n");
        std::fs::write(&profile, text).unwrap();
    };
    let options = [&cases[..], &["--platform", profile.to_str().unwrap()]].concat();
    // The second run would find what the first has left: nothing begins.
    with("");
    let refused = run(&scenario, &path("refused"), &options);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("2 runs would follow one another"), "{refused:?}");
    assert!(!path("refused").exists());
    with("tenant_per_run = true");
    for out in ["served", "again"] {
        let done = run(&scenario, &path(out), &options);
        assert_eq!(done.code, 0, "{done:?}");
        for seed in [1, 2] {
            let case = format!("energy-reversal/seed={seed}");
            assert_same(&path("own").join(&case), &path(out).join(&case));
        }
    }
    // Nothing of a run is left but its name, and what empties a platform has to do so.
    with("reset = [\"sh\", \"-c\", \"echo no such store >&2; exit 4\"]");
    let done = run(&scenario, &path("reset"), &options);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains("`reset` (sh): exit status: 4: no such store"), "{done:?}");
}

#[test]
fn a_run_pinned_to_one_core_is_identical() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let scenario = library("first-light");
    assert_eq!(run(&scenario, &path("free"), &SHORT).code, 0);
    let pinned = std::process::Command::new("taskset")
        .args(["-c", "0", env!("CARGO_BIN_EXE_lastmeter"), "run", &scenario])
        .args(SHORT)
        .arg("--out")
        .arg(path("pinned"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(pinned.status.success(), "{pinned:?}");
    assert_same(&path("free"), &path("pinned"));
}

#[test]
fn kills_leave_no_trace_in_what_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["first", "again"] {
        assert_eq!(run(&library("platform-killed"), &path(name), &[]).code, 0);
    }
    assert_same(&path("first"), &path("again"));
}

#[test]
fn another_seed_changes_the_observations() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let scenario = library("first-light");
    assert_eq!(run(&scenario, &path("one"), &SHORT).code, 0);
    assert_eq!(run(&scenario, &path("other"), &[&SHORT[..], &["--seed", "7"]].concat()).code, 0);
    let [one, other] =
        ["one", "other"].map(|name| std::fs::read(path(name).join("observations.csv")).unwrap());
    assert_ne!(one, other);
}
