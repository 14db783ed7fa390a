//! Comparisons of runs: equal ones, worse ones, too few ones, and baselines.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::{Done, call, run};

/// A meter that reads 1 % too much voltage, held to 2 %.
const VIRTUAL: &str = r#"format = 1
[scenario]
name = "gain"
duration = "20 s"
[[source]]
name = "g"
kind = "synthetic"
[[device]]
name = "home"
at = "source:g"
model = "ideal-3ph"
voltage_gain_error = "1 %"
[[check]]
name = "voltage"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "2 %"
[[check]]
name = "readings-once"
kind = "no_loss"
"#;

/// Two meters by the clock on the wall.
const REAL: &str = r#"format = 1
[scenario]
name = "clock"
time = "real"
duration = "4 s"
[floor]
messages = 100
[[source]]
name = "g"
kind = "synthetic"
[[device]]
name = "home"
count = 2
at = "source:g"
model = "ideal-3ph"
report_every = "250 ms"
[[check]]
name = "half"
kind = "latency"
path = "intended..queryable"
limit = "5 s"
coverage = "50 %"
stall = "100 ms"
warm_up = "500 ms"
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Runs a scenario into a folder of its own.
    fn run(&self, scenario: &str, out: &str, more: &[&str]) -> PathBuf {
        let file = self.text("scenario.toml");
        std::fs::write(&file, scenario).unwrap();
        let done = run(&file, &self.path(out), more);
        assert!([0, 1].contains(&done.code), "{done:?}");
        self.path(out)
    }
}

fn compare(base: &[&Path], more: &[&str]) -> Done {
    let base = base.iter().map(|path| path.to_str().unwrap());
    let words: Vec<&str> =
        std::iter::once("compare").chain(base).chain(more.iter().copied()).collect();
    call(&words)
}

fn rows(done: &Done) -> Vec<Value> {
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    let scenarios = json["scenarios"].as_array().unwrap().iter();
    scenarios.flat_map(|one| one["rows"].as_array().unwrap().clone()).collect()
}

#[test]
fn equal_runs_are_equal_and_a_worse_one_names_its_check() {
    let folder = Folder::new();
    let base = folder.run(VIRTUAL, "base", &[]);
    folder.run(VIRTUAL, "same", &[]);
    let gain = ["--set", "device.home.voltage_gain_error=1.5 %"];
    folder.run(VIRTUAL, "nearer", &gain);
    folder.run(VIRTUAL, "over", &["--set", "device.home.voltage_gain_error=3 %"]);

    let done = compare(&[&base], &["--against", &folder.text("same")]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.starts_with("NOTHING GOT WORSE: "), "{}", done.stdout);

    let done = compare(&[&base], &["--against", &folder.text("nearer")]);
    assert_eq!(done.code, 1, "{done:?}");
    for expected in [
        "gain, virtual time, seed 1",
        "the scenario that was run is not the same",
        "verdicts.json differs from line ",
        "observations.csv differs from line 2",
        "check voltage",
        "WORSE: nearer its limit of 2 %",
        "WORSE: check voltage of gain; 1 of 2 values got worse  exit 1",
    ] {
        assert!(done.stdout.contains(expected), "{expected} in {}", done.stdout);
    }
    // The other way round it got better.
    let done = compare(&[&folder.path("nearer")], &["--against", &folder.text("base")]);
    assert_eq!(done.code, 0, "{done:?}");

    let json = ["--against", &folder.text("over"), "--format", "json"];
    let done = compare(&[&base], &json);
    assert_eq!(done.code, 1, "{done:?}");
    let row = &rows(&done)[0];
    let words = ["metric", "outcome", "reason", "from_status", "to_status"].map(|key| &row[key]);
    assert_eq!(words, ["check voltage", "worse", "status", "pass", "fail"]);
}

#[test]
fn suites_are_compared_case_by_case() {
    let folder = Folder::new();
    let vary = |gains: &str| format!("device.home.voltage_gain_error={gains}");
    let base = folder.run(VIRTUAL, "base", &["--vary", &vary("0.5 %,1 %")]);
    folder.run(VIRTUAL, "new", &["--vary", &vary("1 %,1.5 %")]);
    let done = compare(&[&base], &["--against", &folder.text("new")]);
    assert_eq!(done.code, 5, "{done:?}");
    for expected in [
        "gain/voltage_gain_error=0.5pct, virtual time, seed 1",
        "CANNOT GATE: there is no new run of it",
        "gain/voltage_gain_error=1.5pct: only new runs are there",
    ] {
        assert!(done.stdout.contains(expected), "{expected} in {}", done.stdout);
    }
    assert!(!done.stdout.contains("gain/voltage_gain_error=1pct"), "{}", done.stdout);
    let done = compare(&[&base], &["--against", &folder.text("base")]);
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn one_run_against_one_cannot_gate_in_real_time() {
    let folder = Folder::new();
    let base = folder.run(REAL, "base", &[]);
    folder.run(REAL, "new", &[]);
    let done = compare(&[&base], &["--against", &folder.text("new")]);
    assert_eq!(done.code, 5, "{done:?}");
    for expected in [
        "clock, real time, 1 run against 1",
        "latency reading p50",
        "latency reading p99",
        "  all: 1 run against 1; 5 against 5 are needed",
        "could not be judged",
    ] {
        assert!(done.stdout.contains(expected), "{expected} in {}", done.stdout);
    }
    // Five against the same five do, or are too far apart for that.
    let five = [base.as_path(); 5];
    let names = [base.to_str().unwrap(); 5];
    let done = compare(&five, &[&["--against"], &names[..], &["--format", "json"]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let rows = rows(&done);
    let p50 = rows.iter().find(|row| row["metric"] == "latency reading p50").unwrap();
    assert_eq!(
        (&p50["outcome"], &p50["statistics"]["ratio"]["value"]),
        (&"no-change".into(), &1.0.into())
    );
    assert!(p50["absolute"].as_f64().unwrap() > 0.0, "three times the floor: {p50}");
}

#[test]
fn a_baseline_is_written_gated_by_and_refused_where_it_is_broken() {
    let folder = Folder::new();
    let base = folder.run(VIRTUAL, "base", &[]);
    let file = folder.path("baseline.toml");
    let write = ["--write-baseline", file.to_str().unwrap()];
    assert_eq!(compare(&[&base], &write).code, 0);
    let again = compare(&[&base], &write);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.stderr.contains("it is there already"), "{again:?}");

    folder.run(VIRTUAL, "nearer", &["--set", "device.home.voltage_gain_error=1.5 %"]);
    let same = compare(&[&file], &["--against", &folder.text("base")]);
    assert_eq!(same.code, 0, "{same:?}");
    let nearer = ["--against", &folder.text("nearer")];
    let worse = compare(&[&file], &nearer);
    assert_eq!(worse.code, 1, "{worse:?}");
    assert!(worse.stdout.contains("WORSE: check voltage of gain"), "{worse:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("relative_percent = 1.0", "relative_percent = 60.0"))
        .unwrap();
    assert_eq!(compare(&[&file], &nearer).code, 0);

    std::fs::write(&file, text.replacen("absolute = ", "absolut = ", 1)).unwrap();
    let broken = compare(&[&file], &nearer);
    assert_eq!(broken.code, 2, "{broken:?}");
    assert!(broken.stderr.contains("baseline.toml:"), "{broken:?}");
    assert!(broken.stderr.contains("unknown field `absolut`"), "{broken:?}");
}

#[test]
fn what_is_no_run_or_cannot_be_read_is_named() {
    let folder = Folder::new();
    let base = folder.run(VIRTUAL, "base", &[]);
    std::fs::create_dir(folder.path("empty")).unwrap();
    for path in ["empty", "nowhere"] {
        let done = compare(&[&base], &["--against", &folder.text(path)]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains(path) && done.stderr.contains("expected a run folder"));
    }
    let alone = compare(&[&base], &[]);
    assert_eq!(alone.code, 2, "{alone:?}");
    assert!(alone.stderr.contains("--against"), "{alone:?}");
    folder.run(VIRTUAL, "cut", &[]);
    let verdicts = folder.path("cut").join("verdicts.json");
    std::fs::write(&verdicts, "[\n  {").unwrap();
    let done = compare(&[&base], &["--against", &folder.text("cut")]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains("verdicts.json:2: "), "{done:?}");
}
