//! What a suite does with its runs beside running them: again, kept or not, gone on with,
//! annotated.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::{COMPARED, call, json, lastmeter, library, run};

#[test]
fn a_repeated_run_is_as_many_cases_and_what_passed_leaves_its_verdicts_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let options = ["--repeat", "2", "--keep", "failed"];
    let done = run(&library("energy-reversal"), &out, &options);
    assert_eq!(done.code, 0, "{done:?}");
    let own = |number: u32| out.join(format!("energy-reversal/repeat={number}"));
    let verdicts = |number| fs::read(own(number).join("verdicts.json")).unwrap();
    assert!(!own(1).join("observations.csv").exists() && own(1).join("report.html").exists());
    // The scenario's name is in them, and each is a case of it.
    let same = |text: Vec<u8>| String::from_utf8(text).unwrap().replace("repeat=2", "repeat=1");
    assert_eq!(same(verdicts(1)), same(verdicts(2)));
    let again = call(&["report", out.to_str().unwrap()]);
    assert_eq!(again.code, 0, "{again:?}");
    // Verdicts without a record are believed only as they were written.
    let path = own(1).join("verdicts.json");
    let changed = fs::read_to_string(&path).unwrap().replacen("0.", "0.0", 1);
    fs::write(&path, changed).unwrap();
    let again = call(&["report", own(1).to_str().unwrap()]);
    assert_eq!(again.code, 3, "{again:?}");
}

#[test]
fn what_failed_keeps_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let more = ["--keep", "failed", "--set", "device.meter.voltage_gain_error=\"5 %\""];
    let done = run(&library("energy-reversal"), &out, &more);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(out.join("observations.csv").exists());
}

/// Everything of a run folder that repeats have in common.
fn compared(out: &Path, run: &str) -> Vec<Vec<u8>> {
    COMPARED.map(|file| fs::read(out.join(run).join(file)).unwrap()).to_vec()
}

#[test]
fn a_suite_that_was_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, out) = (folder.path().join("whole"), folder.path().join("out"));
    let vary = ["--seeds", "1..3"];
    assert_eq!(run(&library("energy-reversal"), &whole, &vary).code, 0);
    assert_eq!(run(&library("energy-reversal"), &out, &vary).code, 0);
    // As a killed process leaves it: nothing on top, one run without an end, one not begun.
    for file in ["suite.json", "junit.xml", "summary.md", "index.html"] {
        fs::remove_file(out.join(file)).unwrap();
    }
    let of = |seed: u32| out.join(format!("energy-reversal/seed={seed}"));
    let facts = fs::read_to_string(of(2).join("run.json")).unwrap();
    fs::write(of(2).join("run.json"), facts.replace("\"finished\"", "\"running\"")).unwrap();
    fs::remove_dir_all(of(3)).unwrap();
    let began = fs::metadata(of(1).join("observations.csv")).unwrap().modified().unwrap();
    let again = run(&library("energy-reversal"), &out, &vary);
    assert_eq!(again.code, 2, "without --resume nothing is overwritten: {again:?}");
    let done = run(&library("energy-reversal"), &out, &[&vary[..], &["--resume"]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("energy-reversal/seed=1: done before"), "{}", done.stdout);
    assert!(done.stdout.contains("energy-reversal/seed=2: unfinished, made again"));
    assert_eq!(fs::metadata(of(1).join("observations.csv")).unwrap().modified().unwrap(), began);
    for seed in 1..=3 {
        let run = format!("energy-reversal/seed={seed}");
        assert!(compared(&whole, &run) == compared(&out, &run), "{run}");
    }
    assert_eq!(json(&out, "suite.json")["runs"].as_array().unwrap().len(), 3);
    // A record of another scenario is none of this one.
    let more = [&vary[..], &["--resume", "--set", "device.meter.report_every=\"4 s\""]].concat();
    let done = run(&library("energy-reversal"), &out, &more);
    assert_eq!(done.code, 0, "{done:?}");
    let changed = "the scenario has changed, made again; before: ";
    assert_eq!(done.stdout.matches(changed).count(), 3, "{}", done.stdout);
    // What was there is put aside, and a folder of another kind is not touched.
    assert!(out.join("energy-reversal/seed=1.before-1/run.json").exists());
    let files = || walk(&out).len();
    let before = files();
    let one = run(&library("energy-reversal"), &out, &["--resume"]);
    assert_eq!((one.code, files()), (2, before), "{one:?}");
    let single = folder.path().join("single");
    assert_eq!(run(&library("energy-reversal"), &single, &[]).code, 0);
    let suite = run(&library("energy-reversal"), &single, &[&vary[..], &["--resume"]].concat());
    assert_eq!(suite.code, 2, "{suite:?}");
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.extend(if path.is_dir() { walk(&path) } else { vec![path] });
    }
    found
}

#[test]
fn github_shows_each_run_that_needs_attention() {
    let folder = tempfile::tempdir().unwrap();
    let (out, page) = (folder.path().join("out"), folder.path().join("page.md"));
    let vary = "device.meter.voltage_gain_error=0 %,5 %";
    let done = lastmeter()
        .args(["run", &library("energy-reversal"), "--vary", vary, "--format", "github", "--out"])
        .arg(&out)
        .env("GITHUB_STEP_SUMMARY", &page)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    let text = String::from_utf8(done.stdout).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    let expected = "::error file=scenarios/library/energy-reversal.toml,title=energy-reversal/";
    assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:?}");
    assert!(fs::read_to_string(&page).unwrap().contains("| run | status |"));
}

#[test]
fn a_run_that_takes_too_long_is_an_error_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let vary = "scenario.duration=100 s,80000 h";
    let done = run(&library("energy-reversal"), &out, &["--vary", vary, "--timeout", "6 s"]);
    assert_eq!(done.code, 3, "{done:?}");
    let suite = json(&out, "suite.json");
    let statuses: Vec<&str> = suite["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["pass", "error"], "{}", done.stdout);
}

#[test]
fn requirements_are_covered_by_runs_and_twins_together() {
    let folder = tempfile::tempdir().unwrap();
    let (own, twins) = (folder.path().join("own"), folder.path().join("twins"));
    let file = library("energy-reversal");
    assert_eq!(run(&file, &own, &[]).code, 0);
    assert_eq!(run(&file, &twins, &["--must-fail", "--controls", "none"]).code, 0);
    let state = |folders: &[&Path], id: &str| {
        let names: Vec<&str> = folders.iter().map(|it| it.to_str().unwrap()).collect();
        let done = call(&[&["coverage", "--format", "json"], &names[..]].concat());
        let coverage: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let row = coverage["rows"].as_array().unwrap().iter().find(|row| row["id"] == id);
        row.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&[&own, &twins], "F-10"), "covered");
    assert_eq!(state(&[&own], "F-10"), "without twin");
    assert_eq!(state(&[&own, &twins], "F-12"), "not checked");
    // Without its twins the scenario covers nothing more.
    let text = fs::read_to_string(&file).unwrap();
    let cut = folder.path().join("energy-reversal.toml");
    fs::write(&cut, &text[..text.find("# DC components").unwrap()]).unwrap();
    let (own, twins) = (folder.path().join("own-2"), folder.path().join("twins-2"));
    assert_eq!(run(cut.to_str().unwrap(), &own, &[]).code, 0);
    assert_eq!(run(cut.to_str().unwrap(), &twins, &["--must-fail"]).code, 4);
    assert_eq!(state(&[&own], "F-10"), "without twin");
}

#[test]
fn the_library_is_there_without_a_checkout() {
    let folder = tempfile::tempdir().unwrap();
    let call = |arguments: &[&str]| {
        let mut command = lastmeter();
        command.current_dir(folder.path()).env("XDG_CACHE_HOME", folder.path().join("cache"));
        crate::bench::Done::from(command.args(arguments).output().unwrap())
    };
    let done = call(&["run", "energy-reversal", "--out", "out"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(folder.path().join("out/run.json").exists());
    let listed = call(&["list", "scenarios"]);
    assert!(listed.stdout.contains("energy-reversal") && listed.code == 0, "{listed:?}");
    let row = listed.stdout.lines().find(|line| line.contains("energy-reversal ")).unwrap();
    assert!(row.contains("100 s  virtual") && row.ends_with("[quick, metrology]"), "{row}");
    let done = call(&["run", "library:energy-revers", "--out", "none"]);
    assert!(done.code == 2 && done.stderr.contains("did you mean `library:energy-reversal`?"));
    for what in ["scenario", "check", "device"] {
        let file = format!("own-{what}.toml");
        assert_eq!(call(&["new", what, &format!("own-{what}")]).code, 0);
        let done = call(&["run", &file, "--out", &format!("out-{what}")]);
        assert_eq!(done.code, 0, "{what}: {done:?}");
        let done = call(&["run", &file, "--must-fail", "--out", &format!("twin-{what}")]);
        assert_eq!(done.code, 0, "{what}: {done:?}");
        assert_eq!(call(&["new", what, &format!("own-{what}")]).code, 2);
    }
}
