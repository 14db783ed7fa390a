//! One run from a file to a folder: exit code, files, what the verdicts state.

use crate::bench::{json, library, run, verdict};

#[test]
fn first_light_passes_and_writes_the_whole_run_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run(&library("first-light"), &out, &["--set", "scenario.duration=30 s"]);
    assert_eq!(done.code, 0, "{done:?}");
    for file in [
        "run.json",
        "scenario.toml",
        "events.jsonl",
        "observations.csv",
        "verdicts.json",
        "report.html",
        "junit.xml",
        "figures",
        "logs",
    ] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    let facts = json(&out, "run.json");
    assert_eq!(facts["state"], "finished");
    assert_eq!(facts["exit_code"], 0);
    assert_eq!(facts["verdicts"]["pass"], 7);
    let observations = std::fs::read_to_string(out.join("observations.csv")).unwrap();
    let header = "device,epoch,serial,quantity,unit,event_time,reference,reported";
    assert_eq!(observations.lines().next(), Some(header));
    // Six readings of fifty values.
    assert_eq!(observations.lines().count(), 1 + 6 * 50);
    assert!(done.stdout.contains("7 pass") && done.stdout.contains("report.html"), "{done:?}");
    assert!(!out.join("platform").exists(), "a passed run leaves no database behind");
}

#[test]
fn a_gain_error_of_one_per_cent_is_measured_as_one_per_cent() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run(
        &library("first-light"),
        &out,
        &["--set", "scenario.duration=30 s", "--set", "device.meter.current_gain_error=1 %"],
    );
    assert_eq!(done.code, 1, "{done:?}");
    let current = verdict(&out, "current");
    assert_eq!(current["status"], "fail");
    let measured = current["measured"].as_f64().unwrap();
    assert!((measured - 1.0).abs() < 0.001, "measured {measured} %");
    assert_eq!(verdict(&out, "voltage")["status"], "pass");
}

#[test]
fn a_twin_whose_fault_is_taken_away_turns_red() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let twin = ["--must-fail", "--filter", "first-light/current-gain-error"];
    let change = ["--set", "device.meter.current_gain_error=0 %"];
    let done = run(&library("first-light"), &out, &[&twin[..], &change].concat());
    assert_eq!(done.code, 1, "{done:?}");
    // The command that repeats the run is of this twin.
    let command = &json(&out, "run.json")["command_line"];
    let command: Vec<&str> =
        command.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(command.windows(3).any(|words| words == twin), "{command:?}");
    assert!(done.stdout.contains("expected to be fail and is pass"), "{done:?}");
}

#[test]
fn a_killed_platform_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run(&library("platform-killed"), &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(verdict(&out, "readings-once")["n"], 3000);
    let facts = json(&out, "run.json");
    let kills = facts["more"]["platform_kills"].as_array().unwrap();
    assert_eq!(kills.len(), 3);
    for kill in kills {
        let number = |key: &str| kill[key].as_u64().unwrap();
        let in_flight = number("expected") - number("acknowledged");
        assert!(in_flight > 0, "the platform had nothing to do when it was killed: {kill}");
    }
    // Five devices, each of which comes back three times.
    assert!(facts["more"]["connections"].as_u64().unwrap() >= 20, "{facts}");
}

#[test]
fn a_command_is_obeyed_and_the_schedule_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run(&library("reporting-period"), &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    // 6 readings at 10 s, then every 2 s from 63 s to 180 s, then every 15 s to 300 s.
    assert_eq!(verdict(&out, "readings-once")["n"], 6 + 58 + 8);
}

#[test]
fn refusals_are_counted_by_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let done = run(&library("refusals"), &out, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    let refused = events.lines().filter(|line| line.contains(r#""kind":"refused""#)).count();
    assert_eq!(refused, 2, "{events}");
}

#[test]
fn a_scenario_without_its_recording_is_skipped_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = crate::bench::lastmeter()
        .args(["run", &library("first-light-recording"), "--out", out.to_str().unwrap()])
        .env_remove("LASTMETER_RECORDINGS")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(verdict(&out, "voltage")["status"], "skipped");
    let why = verdict(&out, "voltage")["why"].as_str().unwrap().to_owned();
    assert!(why.contains("LASTMETER_RECORDINGS"), "{why}");
}

#[test]
fn a_run_folder_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let short = ["--set", "scenario.duration=10 s"];
    assert_eq!(run(&library("first-light"), &out, &short).code, 0);
    let again = run(&library("first-light"), &out, &short);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.stderr.contains("already holds a run"), "{again:?}");
}
