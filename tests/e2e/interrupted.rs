//! Runs that do not get to their end: signals, kills, time limits.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::bench::{Done, call, json, lastmeter, library, signal};

/// Starts a long run and waits until it has come some way.
fn start_long(out: &Path) -> Child {
    start_long_by(lastmeter(), out)
}

fn start_long_by(mut command: std::process::Command, out: &Path) -> Child {
    let mut child = command
        .args(["run", &library("day-of-ten-meters"), "--format", "json", "--out"])
        .arg(out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.as_mut().unwrap();
    let progress = BufReader::new(stdout)
        .lines()
        .map(Result::unwrap)
        .filter(|line| line.contains(r#""event":"progress""#))
        .nth(5);
    assert!(progress.is_some(), "the run ended before it could be interrupted");
    child
}

#[test]
fn a_killed_run_can_be_rendered_and_is_shown_as_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = start_long(&out);
    signal(&child, "KILL");
    child.wait().unwrap();
    assert_eq!(json(&out, "run.json")["state"], "running");
    let report: Done = call(&["report", out.to_str().unwrap()]);
    assert_eq!(report.code, 130, "{report:?}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Interrupted"), "the page does not state that the run was interrupted");
    for verdict in json(&out, "verdicts.json").as_array().unwrap() {
        assert_ne!(verdict["status"], "pass", "{verdict}");
        assert_ne!(verdict["status"], "fail", "{verdict}");
    }
    let observations = std::fs::read_to_string(out.join("observations.csv")).unwrap();
    assert!(observations.lines().count() > 1000, "what there was is not in the record");
}

#[test]
fn a_signal_finishes_the_record_is_named_and_gives_its_exit_code() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let child = start_long(&out);
        signal(&child, name);
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{done:?}");
        let facts = json(&out, "run.json");
        assert_eq!((&facts["state"], &facts["exit_code"]), (&"interrupted".into(), &code.into()));
        assert_eq!(facts["signal"], format!("SIG{name}"));
        assert_eq!(facts["cause"], format!("ended by SIG{name}"));
        assert!(out.join("report.html").exists());
        let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
        assert!(events.contains(r#""kind":"interrupted""#), "{events}");
        let printed = String::from_utf8_lossy(&done.stderr);
        assert!(printed.contains(&format!("ended by SIG{name}")), "{printed}");
        for verdict in json(&out, "verdicts.json").as_array().unwrap() {
            assert_eq!(verdict["reason"], "unfinished", "{verdict}");
        }
        // Judged again from the folder alone it is the same.
        assert_eq!(call(&["report", out.to_str().unwrap()]).code, code);
    }
}

/// The terminal goes away: the record is finished all the same, but below `nohup` it goes on.
#[test]
fn a_hang_up_finishes_the_record_unless_hang_ups_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // These tests may run below `nohup` themselves.
    let mut command = std::process::Command::new("env");
    command.arg("--default-signal=HUP").arg(lastmeter().get_program());
    let child = start_long_by(command, &out);
    signal(&child, "HUP");
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(129), "{done:?}");
    assert_eq!(json(&out, "run.json")["state"], "interrupted");
    assert!(out.join("verdicts.json").exists());
    let ignored = folder.path().join("ignored");
    let mut command = std::process::Command::new("nohup");
    command.arg(lastmeter().get_program());
    let child = start_long_by(command, &ignored);
    signal(&child, "HUP");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let running = json(&ignored, "run.json");
    assert_ne!(running["state"], "interrupted", "{running}");
    signal(&child, "TERM");
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(143), "{done:?}");
}

#[test]
fn a_time_limit_is_an_error_of_the_bench_not_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = crate::bench::run(&library("day-of-ten-meters"), &out, &["--timeout", "1 s"]);
    assert_eq!(done.code, 3, "{done:?}");
    let facts = json(&out, "run.json");
    assert_eq!(facts["state"], "error");
    assert!(facts["cause"].as_str().unwrap().contains("--timeout 1 s"), "{facts}");
}

/// A network that takes long to be played, before there is a run.
const PLAYED_LONG: [&str; 4] =
    ["--set", "inject.lightning.faults=2000", "--set", "inject.lightning.for=\"600 s\""];

#[test]
fn a_time_limit_holds_while_a_network_is_played_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = [&["--timeout", "1 s"], &PLAYED_LONG[..]].concat();
    let done = crate::bench::run(&library("voltage-events"), &out, &arguments);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains("longer than 1 s (--timeout)"), "{done:?}");
    assert!(!out.exists());
}

#[test]
fn signals_end_the_process_while_a_network_is_played_ahead() {
    let folder = tempfile::tempdir().unwrap();
    for (word, code) in [("INT", 130), ("TERM", 143)] {
        let child = lastmeter()
            .args(["run", &library("voltage-events"), "--out"])
            .arg(folder.path().join(word))
            .args(PLAYED_LONG)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Until it is listened for signals, and long before it is played.
        std::thread::sleep(std::time::Duration::from_secs(2));
        signal(&child, word);
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{done:?}");
        let printed = String::from_utf8_lossy(&done.stderr);
        assert!(printed.contains("nothing was run"), "{printed}");
    }
}

#[test]
fn a_platform_that_is_not_there_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("nobody.toml");
    std::fs::write(
        &profile,
        "mqtt = \"127.0.0.1:9\"\nrest = \"http://127.0.0.1:9\"\ntoken = \"t\"\n",
    )
    .unwrap();
    let out = folder.path().join("run");
    let arguments = ["--platform", profile.to_str().unwrap()];
    let done = crate::bench::run(&library("first-light"), &out, &arguments);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains("127.0.0.1:9"), "{done:?}");
}
