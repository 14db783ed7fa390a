//! `lastmeter accuracy` from outside: class verdicts, exit codes, and a run folder that repeats.

use serde_json::Value;

use crate::bench::{COMPARED, call, json, run, verdict};

/// A suite of a user: three currents of a directly connected meter.
const SUITE: &str = r#"format = 1
[suite]
name = "ours"
title = "Ours"
edition = "first"
classes = ["fine", "rough"]
default_class = "fine"
connections = ["direct"]
[[test]]
name = "error"
title = "Error against current"
current = ["0.1 Ib", "Ib", "Imax"]
limit = [
    { values = { fine = "0.2 %" }, clause = "1", confirmed = true, source = "this test" },
    { values = { rough = "2 %" }, clause = "1", confirmed = false, source = "memory" },
]
"#;

/// A test that no meter can be put to.
const NOT_REPORTED: &str = r#"[[test]]
name = "not-reported"
title = "What the meter does not report"
quantity = "x.electricity.tomorrow.*"
current = ["Ib"]
limit = [{ values = { fine = "1 %" }, clause = "2", confirmed = true, source = "this test" }]
"#;

fn document(arguments: &[&str], code: i32) -> Value {
    let done = call(&[&["accuracy"], arguments, &["--format", "json"]].concat());
    assert_eq!(done.code, code, "{}{}", done.stdout, done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn a_users_suite_gives_a_class_verdict_and_a_folder_that_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("ours.toml"), SUITE).unwrap();
    let (suite, good, bad) = (path("ours.toml"), path("good"), path("bad"));
    let found = document(&["stpm34-3ph", "--suite", &suite, "--out", &good], 0);
    assert_eq!(found["classes"][0]["class"], "fine");
    assert_eq!(found["classes"][0]["status"], "pass");
    assert_eq!(found["classes"][0]["qualification"], Value::Null);
    assert_eq!(found["classes"][0]["told"], "met in 1 test");
    assert_eq!(found["classes"][0]["missing"], serde_json::json!([]));
    assert_eq!(found["classes"][1]["qualification"], "limit unconfirmed");
    let point = &found["tests"][0]["points"][0];
    assert_eq!((&point["limit"], &point["clause"]), (&Value::from(0.2), &Value::from("1")));
    // 0.3 % of gain is outside the fine class and inside the rough one, whose limit is unverified.
    let gain = ["--set", "meter.current_gain_error=0.3 %"];
    let arguments = [&["stpm34-3ph", "--suite", &suite, "--out", &bad][..], &gain].concat();
    let found = document(&arguments, 1);
    assert_eq!(found["classes"][0]["status"], "fail");
    assert_eq!(found["classes"][1]["status"], "pass");
    let point = &found["tests"][0]["points"][1];
    let (figure, u) = (point["figure"].as_f64().unwrap(), point["uncertainty"].as_f64().unwrap());
    assert!((figure - 0.3).abs() < 0.001 + u && u < 0.01, "{point}");
    assert_eq!(verdict(std::path::Path::new(&bad), "error")["status"], "fail");
    let page = std::fs::read_to_string(format!("{bad}/report.html")).unwrap();
    assert!(page.contains("Accuracy against the standard") && page.contains("error-curve-active"));
    // The folder's scenario does the same once more.
    let again = folder.path().join("again");
    assert_eq!(run(&format!("{bad}/scenario.toml"), &again, &[]).code, 1);
    for file in COMPARED {
        let read = |folder: &str| std::fs::read(format!("{folder}/{file}")).unwrap();
        assert!(read(&bad) == read(again.to_str().unwrap()), "{file} differs");
    }
    // What it was judged by is in the folder, whatever becomes of the file.
    std::fs::remove_file(&suite).unwrap();
    let files = json(std::path::Path::new(&bad), "run.json")["files"].clone();
    assert!(files.as_object().unwrap().values().any(|text| text == SUITE));
    assert_eq!(call(&["report", &bad]).code, 1);
    // So it is when it is run again: by the copy, not by what has become of the file.
    let kept = folder.path().join("kept");
    assert_eq!(run(&format!("{bad}/scenario.toml"), &kept, &[]).code, 1);
    let lenient = SUITE.replace("fine = \"0.2 %\"", "fine = \"5 %\"");
    std::fs::write(&suite, &lenient).unwrap();
    let kept = folder.path().join("kept-again");
    assert_eq!(run(&format!("{bad}/scenario.toml"), &kept, &[]).code, 1);
    // A copy that somebody changed is not what it was judged by.
    let facts = std::path::Path::new(&bad).join("run.json");
    let written = std::fs::read_to_string(&facts).unwrap();
    let changed = written.replace("fine = \\\"0.2 %\\\"", "fine = \\\"5 %\\\"");
    assert_ne!(written, changed);
    std::fs::write(&facts, &changed).unwrap();
    let done = run(&format!("{bad}/scenario.toml"), &folder.path().join("changed"), &[]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("was changed after the run"), "{}", done.stderr);
    assert_eq!(call(&["report", &bad]).code, 3);
    // Without a copy nobody knows what it was judged by; who names another suite means it.
    let mut without = json(std::path::Path::new(&bad), "run.json");
    without["files"] = serde_json::json!({});
    std::fs::write(&facts, without.to_string()).unwrap();
    let done = run(&format!("{bad}/scenario.toml"), &folder.path().join("none"), &[]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(
        done.stderr.contains("the run folder keeps no copy of the test plan"),
        "{}",
        done.stderr
    );
    let other = format!("suite.standard={suite}");
    let out = folder.path().join("other");
    assert_eq!(run(&format!("{bad}/scenario.toml"), &out, &["--set", &other]).code, 0);
}

/// The meter's table has its ratings, the user's `[suite]` goes before it, and two values of the
/// user's that contradict each other are reported.
#[test]
fn a_meter_is_tested_at_its_own_ratings() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("ours.toml");
    std::fs::write(&suite, SUITE).unwrap();
    let suite = suite.to_str().unwrap();
    let ratings = |name: &str, meter: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let arguments = [&[meter, "--suite", suite, "--out", out.to_str().unwrap()], more].concat();
        let found = document(&arguments, 0);
        let of = |key: &str| found["ratings"][key].as_f64().unwrap();
        let all = ["nominal_voltage_v", "nominal_current_a", "maximum_current_a", "frequency_hz"];
        (all.map(of), found["ratings"]["from"]["nominal_current_a"].as_str().unwrap().to_owned())
    };
    // 10 A of an ADE7953 that sees 25 A at most: with room for crests 20 A.
    let plug = ratings("plug", "ade7953-1ph", &["--class", "rough"]);
    assert_eq!(plug, ([230.0, 10.0, 20.0, 50.0], "meter".to_owned()));
    for section in ["test_plan", "suite"] {
        let set = format!("{section}.nominal_current=2 A");
        let given = ratings(section, "stpm34-3ph", &["--set", &set]);
        assert_eq!(given, ([230.0, 2.0, 24.0, 50.0], "given".to_owned()), "{section}");
    }
    // A scenario's table, seen through a transformer of 2.
    let text = r#"format = 1
[scenario]
name = "s"
duration = "10 s"
[[source]]
name = "mains"
kind = "synthetic"
[[device]]
name = "feeder"
at = "source:mains"
model = "stpm34-3ph"
report_every = "500 ms"
nominal_voltage = "120 V"
nominal_current = "1 A"
current_ratio = 2
nominal_frequency = "60 Hz"
[[check]]
name = "loss"
kind = "no_loss"
"#;
    let scenario = folder.path().join("feeder.toml");
    std::fs::write(&scenario, text).unwrap();
    let scenario = scenario.to_str().unwrap();
    let table = ratings("table", scenario, &[]);
    assert_eq!(table, ([120.0, 2.0, 24.0, 60.0], "meter".to_owned()));
    for (meter, more, expected) in [
        (
            scenario,
            "suite.nominal_voltage=230 V",
            "`nominal_voltage` is 230 V, and the meter's is 120 V",
        ),
        ("stpm34-3ph", "suite.maximum_current=200 A", "expected at most 100 A"),
    ] {
        let done = call(&["accuracy", meter, "--suite", suite, "--set", more]);
        assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
        assert!(
            done.stderr.contains(expected) && done.stderr.contains("--set:1:"),
            "{}",
            done.stderr
        );
    }
}

/// One root cause makes one error, at its place in what the user wrote.
#[test]
fn a_mistake_is_reported_once_and_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("ours.toml");
    std::fs::write(&suite, SUITE.replace("\"Imax\"", "\"Itop\"")).unwrap();
    let suite = suite.to_str().unwrap();
    let known = "iec-62053-21-2003";
    for (arguments, expected) in [
        (&["ideal-1ph", "--suite", suite][..], "ours.toml:12:28"),
        (&["ideal-1ph", "--suite", known, "--set", "meter.report_every=\"x\""], "--set:1:"),
        (&["ideal-1ph", "--suite", known, "--set", "suite.readings=1"], "--set:1:"),
        // A check that judges another class would end otherwise than the class's line.
        (
            &["ideal-1ph", "--suite", known, "--set", "check.error-pf1.class=\"2\""],
            "check `error-pf1` judges class `2`, and `1` is claimed",
        ),
    ] {
        let done = call(&[&["accuracy"], arguments].concat());
        assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
        assert_eq!(done.stderr.matches("error[").count(), 1, "{}", done.stderr);
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
}

/// What is not reported is skipped, and the class not met by what is left.
#[test]
fn a_class_is_not_met_where_a_test_of_it_was_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("more.toml");
    std::fs::write(&suite, format!("{SUITE}{NOT_REPORTED}")).unwrap();
    let out = folder.path().join("out");
    let (suite, out) = (suite.to_str().unwrap(), out.to_str().unwrap());
    let found = document(&["stpm34-3ph", "--suite", suite, "--out", out], 5);
    assert_eq!(found["tests"][0]["status"], "pass");
    assert_eq!(found["tests"][1]["status"], "skipped");
    assert!(found["tests"][1]["skipped"].as_str().unwrap().contains("no quantity"), "{found}");
    assert_eq!(found["classes"][0]["status"], "inconclusive");
    // Who asks for one test only, is answered about that.
    let again = folder.path().join("again");
    let again = again.to_str().unwrap();
    document(&["stpm34-3ph", "--suite", suite, "--test", "error", "--out", again], 0);
    // And who asks for two of which one cannot be done, is not answered by the other.
    let both = folder.path().join("both");
    let asked = ["--test", "error", "--test", "not-reported", "--out", both.to_str().unwrap()];
    document(&[&["stpm34-3ph", "--suite", suite][..], &asked].concat(), 5);
}

/// A class of a standard is met in the tests that the plan has; what it lacks is named everywhere.
#[test]
fn clauses_that_no_test_plays_are_named() {
    const CLAUSE: &str = r#"connections = ["direct"]
missing_clauses = [
    { clause = "7.3", name = "self-heating", title = "Self-heating", reason = "not modelled", elsewhere = "suite theirs" },
    { clause = "8.9", name = "of-rough", title = "For rough meters", reason = "x", classes = ["rough"] },
]
"#;
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("clauses.toml");
    std::fs::write(&suite, SUITE.replace("connections = [\"direct\"]\n", CLAUSE)).unwrap();
    let (suite, out) = (suite.to_str().unwrap(), folder.path().join("out"));
    let arguments = ["stpm34-3ph", "--suite", suite, "--out", out.to_str().unwrap()];
    let found = document(&arguments, 0);
    let class = &found["classes"][0];
    assert_eq!(
        (&class["status"], &class["qualification"]),
        (&"pass".into(), &"clauses missing".into())
    );
    let text = "met in the tests that this plan has (1 test); not in it: self-heating (7.3)";
    assert_eq!(class["told"], text);
    assert_eq!(class["missing"].as_array().unwrap().len(), 1);
    assert_eq!(class["missing"][0]["elsewhere"], "suite theirs");
    assert_eq!(found["missing_clauses"], class["missing"]);
    assert!(found["classes"][1]["told"].as_str().unwrap().contains("of-rough (8.9)"), "{found}");
    let verdict = verdict(&out, "error");
    assert_eq!(verdict["qualification"], "clauses missing");
    assert!(verdict["why"].as_str().unwrap().ends_with("not in self-heating (7.3)"), "{verdict}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains(text) && page.contains("not modelled; tested by suite theirs"));
    let again = folder.path().join("text");
    let arguments = ["accuracy", "stpm34-3ph", "--suite", suite, "--out", again.to_str().unwrap()];
    let done = call(&arguments);
    assert!(done.stdout.contains(text), "{}", done.stdout);
    let line = "self-heating  clause 7.3 (unverified) is not in the suite: not modelled; tested by";
    assert!(done.stdout.contains(line), "{}", done.stdout);
    // As a scenario the console prints it at each check.
    let done = run(&format!("{}/scenario.toml", out.display()), &folder.path().join("run"), &[]);
    assert!(
        done.stdout.contains("class fine in the tests that this plan has, "),
        "{}",
        done.stdout
    );
    let explained = call(&["explain", "en-50470-3-2006"]).stdout;
    assert!(explained.contains("with any of them a class is met in the tests that this plan has"));
}

/// Single-phase load of polyphase meters: two phases that are off in opposite directions are right
/// together, and one phase by itself is not.
#[test]
fn unmatched_transformers_meet_no_class_of_en_50470_3() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mismatch = "meter.current_gain_mismatch=[\"3 %\",\"-3 %\",\"0 %\"]";
    let arguments = ["--class", "C", "--set", mismatch, "--out", out.to_str().unwrap()];
    let found =
        document(&[&["ideal-3ph", "--suite", "en-50470-3-2006"][..], &arguments].concat(), 1);
    assert_eq!(found["classes"][0]["status"], "fail");
    let tests = found["tests"].as_array().unwrap();
    let of = |name: &str| tests.iter().find(|test| test["name"] == name).unwrap();
    assert_eq!(of("error-pf1")["status"], "pass");
    assert_eq!(of("single-phase")["status"], "fail");
    let worst = |point: &&Value| point["figure"].as_f64().unwrap().abs();
    let points = of("single-phase")["points"].as_array().unwrap();
    let worst = points.iter().map(|point| worst(&point)).fold(0.0, f64::max);
    assert!((worst - 3.0).abs() < 0.01, "{worst} %");
}

/// A check that was made to look at another test cannot make a class green that fails.
#[test]
fn a_class_that_fails_is_never_green() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("two.toml");
    let repeated = r#"[[test]]
name = "repeatability"
title = "Repeatability"
evaluate = "repeatability"
current = ["Ib"]
limit = [{ values = { fine = "0.2 %" }, clause = "2", confirmed = true, source = "this test" }]
"#;
    std::fs::write(&suite, format!("{SUITE}{repeated}")).unwrap();
    let (suite, out) = (suite.to_str().unwrap(), folder.path().join("out"));
    let looks_away = [
        "stpm34-3ph",
        "--suite",
        suite,
        "--test",
        "*",
        "--set",
        "check.error.tests=[\"repeatability\"]",
        "--set",
        "meter.current_gain_error=5 %",
        "--out",
        out.to_str().unwrap(),
    ];
    let found = document(&looks_away, 1);
    assert_eq!(found["classes"][0]["status"], "fail");
}

#[test]
fn what_cannot_be_tested_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.toml");
    std::fs::write(&broken, SUITE.replace("confirmed = true, ", "")).unwrap();
    let broken = broken.to_str().unwrap();
    for (arguments, expected) in [
        (&["stpm34-3ph", "--suite", "iec-62053-22-2004"][..], "did you mean `iec-62053-22-2003`?"),
        (&["stpm35-3ph", "--suite", "iec-62053-22-2003"], "did you mean `stpm34-3ph`?"),
        (&["stpm34-3ph", "--suite", broken], "key `confirmed` is missing"),
        (&["stpm34-3ph", "--suite", "iec-62053-22-2003", "--class", "7"], "no class `7`"),
        (&["stpm34-3ph", "--suite", "iec-62053-22-2003", "--test", "none"], "no test `none`"),
        (&["stpm34-3ph", "--suite", "iec-62053-22-2003", "--test", "eror-pf1"], "`error-pf1`?"),
        (&["stpm34-3ph", "--suite", "iec-62053-22-2003", "--set", "meter.gain=1"], "meter.gain"),
    ] {
        let done = call(&[&["accuracy"], arguments].concat());
        assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
    }
    let checked = call(&["validate", broken]);
    assert_eq!(checked.code, 2);
    assert!(checked.stderr.contains("broken.toml:14"), "{}", checked.stderr);
}

#[test]
fn suites_are_listed_and_explained() {
    let sweeps = call(&["accuracy", "ideal-1ph", "--suite", "paper-table-1-sinusoidal"]);
    assert_eq!(sweeps.code, 2, "{sweeps:?}");
    assert!(sweeps.stderr.contains("has no tests of a class"), "{}", sweeps.stderr);
    assert!(call(&["list"]).stdout.contains("\n  iec-62053-22-2003 "));
    let listed = call(&["list", "suites"]);
    assert!(listed.stdout.contains("iec-62053-22-2003") && listed.stdout.contains("confirmed"));
    let done = call(&["explain", "iec-62053-22-2003"]);
    assert_eq!(done.code, 0);
    assert!(done.stdout.contains("0.05 In") && done.stdout.contains("table 4: unverified]"));
}
