//! Platforms and signals that would have a run pass although something went wrong.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::bench::{call, json, lastmeter, library, run, signal, verdict, virtual_library};

#[test]
fn an_interrupted_folder_never_passes_and_names_what_did_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("suite");
    let mut child = lastmeter()
        .args(["run", &virtual_library(folder.path()), "--must-fail", "--format", "json", "--out"])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // About the moment at which one run is over and judged, and the next has not begun.
    let first = BufReader::new(child.stdout.as_mut().unwrap())
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains(r#""event":"finished""#));
    assert!(first.is_some(), "no run was finished");
    signal(&child, "TERM");
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(143), "{done:?}");
    let files = std::fs::read_dir(folder.path().join("library")).unwrap().map(Result::unwrap);
    let files = files.map(|entry| entry.path()).filter(|path| path.is_file());
    let twins: usize = files
        .map(|path| std::fs::read_to_string(path).unwrap_or_default())
        .map(|text| text.lines().filter(|line| *line == "[[must_fail]]").count())
        .sum();
    let suite = json(&out, "suite.json");
    let runs = suite["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &suite["exit_code"]), (twins, &143.into()));
    let last = runs.last().unwrap();
    assert_eq!((&last["reason"], &last["status"]), (&"not-run".into(), &"error".into()));
    assert_eq!(last["why"], "not run: the suite was ended by SIGTERM before");
}

#[test]
fn a_pipe_is_no_scenario_and_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pipe.toml", "pipe.csv"] {
        let path = folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let checked = call(&["validate", &path("pipe.toml")]);
    assert_eq!(checked.code, 2);
    assert!(checked.stderr.contains("not a regular file"), "{checked:?}");
    let measured = call(&["measure", &path("pipe.csv")]);
    assert_eq!(measured.code, 2);
    assert!(measured.stderr.contains("not a regular file"), "{measured:?}");
}

#[test]
fn results_that_cannot_be_written_are_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = lastmeter().arg("schema").stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

#[test]
fn results_of_a_suite_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("suite.json"), "{}").unwrap();
    let done = call(&["run", "scenarios/library", "--out", folder.path().to_str().unwrap()]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("already holds a suite"), "{done:?}");
}

#[test]
fn a_meter_beyond_its_range_is_not_passed_by_a_model_that_does_not_clip() {
    let folder = tempfile::tempdir().unwrap();
    // Eight kilovolts on a meter for 230 V.
    let direct = ["--set", "device.meter.voltage_ratio=1", "--set", "scenario.duration=30 s"];
    let windows = [&direct[..], &["--set", "device.meter.fidelity=windows"]].concat();
    let out = folder.path().join("windows");
    let done = run(&library("first-light"), &out, &windows);
    assert_eq!(done.code, 5, "{done:?}");
    assert_eq!(verdict(&out, "voltage")["status"], "inconclusive");
    let out = folder.path().join("samples");
    let done = run(&library("first-light"), &out, &direct);
    assert_eq!(done.code, 1, "{done:?}");
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    assert!(events.contains(r#""what":"clipped""#), "{events}");
}

#[test]
fn a_twin_of_a_check_that_there_is_not_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(library("reporting-period")).unwrap();
    std::fs::write(folder.path().join("reporting-period.toml"), &text).unwrap();
    let twin = text.split("[[must_fail]]").next().unwrap().replacen("reporting-period", "twin", 1);
    let twin = format!(
        "{twin}[expect]\nverdict = \"fail\"\ncheck = \"obeyed\"\n\
         twin_of = \"reporting-period/obyed\"\n"
    );
    std::fs::write(folder.path().join("twin.toml"), twin).unwrap();
    let done = call(&["run", "--must-fail", folder.path().to_str().unwrap()]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("reporting-period/obyed"), "{done:?}");
}

/// Readings every 10 s, each of which may end up to 12 s late: which is which cannot be known.
#[test]
fn readings_that_would_fit_two_due_instants_are_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(library("declared-span")).unwrap();
    let text = text.replacen("span_earliest = \"0.5 s\"", "span_latest = \"12 s\"", 1);
    let (path, out) = (folder.path().join("ambiguous.toml"), folder.path().join("out"));
    std::fs::write(&path, text).unwrap();
    let done = run(path.to_str().unwrap(), &out, &[]);
    assert_eq!(done.code, 2, "{done:?}");
    for part in ["S027", "which reading is which would be unknown"] {
        assert!(done.stderr.contains(part), "{part}: {done:?}");
    }
}
