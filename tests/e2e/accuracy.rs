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
    assert_eq!(found["classes"][1]["qualification"], "limit unconfirmed");
    let point = &found["tests"][0]["points"][0];
    assert_eq!((&point["limit"], &point["clause"]), (&Value::from(0.2), &Value::from("1")));
    // 0.3 % of gain is outside the fine class and inside the rough one, whose limit is from memory.
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
}

#[test]
fn what_cannot_be_tested_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.toml");
    std::fs::write(&broken, SUITE.replace("confirmed = true, ", "")).unwrap();
    let broken = broken.to_str().unwrap();
    for (arguments, told) in [
        (&["stpm34-3ph", "--suite", "iec-62053-22-2004"][..], "did you mean `iec-62053-22-2003`?"),
        (&["stpm35-3ph", "--suite", "iec-62053-22-2003"], "did you mean `stpm34-3ph`?"),
        (&["stpm34-3ph", "--suite", broken], "key `confirmed` is missing"),
        (&["stpm34-3ph", "--suite", "iec-62053-22-2003", "--class", "7"], "no class `7`"),
        (&["stpm34-3ph", "--suite", "iec-62053-22-2003", "--test", "none"], "no test `none`"),
        (&["stpm34-3ph", "--suite", "iec-62053-22-2003", "--set", "meter.gain=1"], "meter.gain"),
    ] {
        let done = call(&[&["accuracy"], arguments].concat());
        assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(told), "{told}: {}", done.stderr);
    }
    let checked = call(&["check", broken]);
    assert_eq!(checked.code, 2);
    assert!(checked.stderr.contains("broken.toml:14"), "{}", checked.stderr);
}

#[test]
fn suites_are_listed_and_explained() {
    let listed = call(&["list", "suites"]);
    assert!(listed.stdout.contains("iec-62053-22-2003") && listed.stdout.contains("confirmed"));
    let told = call(&["explain", "iec-62053-22-2003"]);
    assert_eq!(told.code, 0);
    assert!(told.stdout.contains("0.05 In") && told.stdout.contains("not confirmed, memory"));
}
