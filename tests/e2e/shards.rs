//! Suites in parts: what shards give once they are joined is what the suite gives, and what is
//! missing of them is found.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::{COMPARED, call, json, run};

/// An ideal meter over one second, so many times, with a limit that some exceed.
const SCENARIO: &str = r#"format = 1
[scenario]
name = "many"
duration = "1 s"
[matrix]
vary = { "device.home.voltage_gain_error" = { from = "0.1 %", to = "20 %", count = 100 } }
seeds = "1..2"
[[source]]
name = "g"
kind = "synthetic"
[[device]]
name = "home"
at = "source:g"
model = "ideal-3ph"
report_every = "500 ms"
[[check]]
name = "voltage"
kind = "accuracy"
quantity = "electricity.voltage.rms.*"
limit = "19.1 %"
[[must_fail]]
name = "much"
check = "voltage"
set = { "device.home.voltage_gain_error" = "25 %" }
"#;

const SHARDS: u32 = 4;

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    std::fs::create_dir(&suite).unwrap();
    std::fs::write(suite.join("many.toml"), SCENARIO).unwrap();
    std::fs::write(suite.join("broken.toml"), "format = 1\n[scenario]\n").unwrap();
    let text = suite.to_str().unwrap().to_owned();
    (folder, text)
}

fn merge(shards: &[PathBuf], out: &Path) -> crate::bench::Done {
    let shards = shards.iter().map(|it| it.to_str().unwrap());
    let mut words = vec!["merge"];
    words.extend(shards);
    words.extend(["--out", out.to_str().unwrap()]);
    call(&words)
}

/// A text without times, hosts and the number of the shard.
fn compared(out: &Path, file: &str) -> String {
    let text = std::fs::read_to_string(out.join(file)).unwrap();
    let mut text = text.replace("\r\n", "\n");
    for attribute in [" time=\"", " timestamp=\"", " hostname=\""] {
        let parts: Vec<&str> = text.split(attribute).collect();
        let rest = parts[1..].iter().map(|part| part.split_once('"').unwrap().1);
        text = std::iter::once(parts[0]).chain(rest).collect();
    }
    // Times, and the folders in commands that repeat a run.
    let of_the_call = ["\"command_line\"", "<p class=\"soft\">runs: "];
    let is_of_the_call = |line: &&str| !of_the_call.iter().any(|words| line.contains(words));
    text.lines().filter(is_of_the_call).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_hundred_cases_in_four_shards_are_the_suite_once_they_are_joined() {
    let (folder, suite) = folder();
    let whole = folder.path().join("whole");
    let done = run(&suite, &whole, &["--jobs", "2"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    let mut shards = Vec::new();
    for number in 1..=SHARDS {
        let out = folder.path().join(format!("shard-{number}"));
        let shard = format!("{number}/{SHARDS}");
        let done = run(&suite, &out, &["--jobs", "2", "--shard", &shard]);
        assert!([0, 1, 2].contains(&done.code), "{shard}: {}", done.stderr);
        let count = json(&out, "suite.json")["runs"].as_array().unwrap().len();
        assert!((20..=80).contains(&count), "{shard} has {count} runs");
        shards.push(out);
    }
    let merged = folder.path().join("merged");
    // In any order.
    shards.rotate_left(1);
    let done = merge(&shards, &merged);
    assert_eq!(done.code, 2, "{done:?}");
    for file in ["suite.json", "junit.xml", "summary.md", "index.html"] {
        assert_eq!(compared(&merged, file), compared(&whole, file), "{file}");
    }
    let runs = json(&merged, "suite.json")["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 201);
    let statuses = |word: &str| runs.iter().filter(|run| run["status"] == word).count();
    assert_eq!((statuses("pass"), statuses("error")), (190, 1));
    for run in runs.iter().filter_map(|run| run["folder"].as_str()) {
        for file in COMPARED {
            let [a, b] =
                [&whole, &merged].map(|of| std::fs::read(of.join(run).join(file)).unwrap());
            assert!(a == b, "{file} of {run} differs");
        }
    }
    // A suite folder is judged again as a whole; what was changed in it does not stay hidden.
    let again = call(&["report", merged.to_str().unwrap()]);
    assert_eq!(again.code, 2, "{again:?}");
    assert_eq!(compared(&merged, "suite.json"), compared(&whole, "suite.json"));
    let passed = runs.iter().find(|run| run["status"] == "pass").unwrap();
    let record = merged.join(passed["folder"].as_str().unwrap()).join("observations.csv");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replacen("23", "24", 1)).unwrap();
    let gone = runs.iter().filter(|run| run["status"] == "pass").nth(1).unwrap();
    std::fs::remove_dir_all(merged.join(gone["folder"].as_str().unwrap())).unwrap();
    call(&["report", merged.to_str().unwrap()]);
    let of = |name: &Value| {
        let runs = json(&merged, "suite.json")["runs"].clone();
        let mut runs = runs.as_array().unwrap().iter();
        runs.find(|run| run["scenario"] == *name).unwrap()["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(of(&passed["scenario"]), "record-changed");
    assert_eq!(of(&gone["scenario"]), "record-unreadable");
}

#[test]
fn shards_that_are_not_all_of_one_suite_are_not_joined() {
    let (folder, suite) = folder();
    let some = ["--filter", "many/voltage_gain_error=0.1*,many/voltage_gain_error=20pct*"];
    let of = |name: &str, shard: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let done = run(&suite, &out, &[&some[..], &["--shard", shard], more].concat());
        assert!([1, 2, 4].contains(&done.code) || done.code == 0, "{done:?}");
        out
    };
    let (one, two) = (of("one", "1/2", &[]), of("two", "2/2", &[]));
    let out = |name: &str| folder.path().join(name);
    let done = merge(&[one.clone(), two.clone()], &out("both"));
    assert_eq!((done.code, out("both").join("index.html").exists()), (2, true), "{done:?}");
    let plain = out("plain");
    run(&suite, &plain, &some);
    let wrong = [
        (vec![one.clone()], "shard 2/2 is missing"),
        (vec![one.clone(), one.clone()], "are both shard 1/2"),
        (vec![one.clone(), of("third", "2/3", &[])], "is of another suite"),
        (vec![one.clone(), plain], "is no shard"),
        (vec![one.clone(), of("seeds", "2/2", &["--seeds", "1..3"])], "is of another suite"),
        (
            vec![one.clone(), of("set", "2/2", &["--set", "check.voltage.limit=30 %"])],
            "was to run something else",
        ),
        (vec![one.clone(), folder.path().to_owned()], "suite.json"),
    ];
    for (number, (shards, word)) in wrong.into_iter().enumerate() {
        let name = format!("wrong-{number}");
        let done = merge(&shards, &out(&name));
        assert!(done.code != 0 && done.stderr.contains(word), "{word}: {done:?}");
        assert!(!out(&name).join("suite.json").exists(), "{word}");
    }
    let done = merge(&[one, two], &out("both"));
    assert!(done.code == 2 && done.stderr.contains("is there already"), "{done:?}");
}

#[test]
fn what_would_run_is_shown_and_nothing_runs_behind_a_failure() {
    let (folder, suite) = folder();
    let filter = ["--filter", "many/*=20pct*,many/*=18.191*"];
    let out = folder.path().join("out");
    let done = run(&suite, &out, &[&filter[..], &["--dry-run"]].concat());
    assert_eq!((done.code, out.exists()), (0, false), "{done:?}");
    assert!(done.stdout.contains("many/voltage_gain_error=20pct+seed=2"), "{done:?}");
    // The broken file is behind none: it comes first.
    let file = format!("{suite}/many.toml");
    let done = run(&file, &out, &["--filter", "many/*=20pct*,many/*=0.1pct*", "--fail-fast"]);
    assert_eq!(done.code, 1, "{done:?}");
    let suite = json(&out, "suite.json");
    let statuses: Vec<&str> = suite["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["pass", "pass", "fail", "skipped"]);
    for bad in ["0/4", "5/4", "1", "a/b", "1/0"] {
        assert_eq!(run(&file, &out.join("x"), &["--shard", bad]).code, 2, "{bad}");
    }
}

#[test]
fn a_run_that_is_no_pass_is_made_again_and_each_attempt_kept() {
    let (folder, suite) = folder();
    let out = folder.path().join("out");
    let more = ["--filter", "many/*=20pct+seed=1,many/*=0.1pct+seed=1", "--retries", "2"];
    let done = run(&suite, &out, &more);
    assert_eq!(done.code, 2, "a broken file is not tried again: {done:?}");
    let suite_json = json(&out, "suite.json");
    let runs = suite_json["runs"].as_array().unwrap();
    let attempts: Vec<usize> =
        runs.iter().map(|run| run["attempts"].as_array().unwrap().len()).collect();
    assert_eq!(attempts, [0, 0, 2], "{suite_json}");
    assert_eq!((&runs[2]["status"], &runs[2]["flaky"]), (&"fail".into(), &false.into()));
    let own = out.join(runs[2]["folder"].as_str().unwrap());
    for attempt in runs[2]["attempts"].as_array().unwrap() {
        assert_eq!(attempt["checks"][0]["check"], "voltage");
        let aside = out.join(attempt["folder"].as_str().unwrap());
        for file in COMPARED {
            let [a, b] = [&own, &aside].map(|of| std::fs::read(of.join(file)).unwrap());
            assert!(a == b, "{file} of {} differs", aside.display());
        }
    }
    assert!(done.stdout.contains("Retry    attempt 3 of 3: it was fail"), "{done:?}");
    let junit = std::fs::read_to_string(out.join("junit.xml")).unwrap();
    assert_eq!(junit.matches("<rerunFailure type=\"fail\"").count(), 2, "{junit}");
    // Only what was no pass runs again.
    let again = folder.path().join("again");
    let before = out.to_str().unwrap();
    let done = run(&suite, &again, &["--rerun-failed", before]);
    assert_eq!(done.code, 2, "{done:?}");
    let names = json(&again, "suite.json")["runs"].as_array().unwrap().clone();
    let names: Vec<&str> = names.iter().map(|run| run["scenario"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(names[1], "many/voltage_gain_error=20pct+seed=1");
    let file = format!("{suite}/many.toml");
    let passed = folder.path().join("passed");
    run(&file, &passed, &["--filter", "many/*=0.1pct*"]);
    let done = run(&file, &again.join("x"), &["--rerun-failed", passed.to_str().unwrap()]);
    assert_eq!(done.code, 4, "{done:?}");
    let done = run(&file, &again.join("y"), &["--rerun-failed", &file]);
    assert!(done.code == 2 && done.stderr.contains("suite.json"), "{done:?}");
}

#[test]
fn what_is_in_quarantine_is_shown_and_makes_nothing_red_until_that_is_over() {
    let (folder, suite) = folder();
    let file = format!("{suite}/many.toml");
    let quarantine = folder.path().join("quarantine.toml");
    let entry = |until: &str| {
        let text = format!(
            "[[quarantine]]\nrun = \"many/*=20pct*\"\nowner = \"us\"\nreason = \"known\"\nuntil = \
             {until}\n"
        );
        std::fs::write(&quarantine, text).unwrap();
    };
    let filter = ["--filter", "many/*=20pct+seed=1,many/*=0.1pct+seed=1", "--fail-fast"];
    let with = ["--quarantine", quarantine.to_str().unwrap()];
    let out = |name: &str| folder.path().join(name);
    let red = run(&file, &out("red"), &filter);
    assert_eq!(red.code, 1, "{red:?}");
    entry("2999-12-31");
    let done = run(&file, &out("green"), &[&filter[..], &with].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let suite_json = json(&out("green"), "suite.json");
    let bad = &suite_json["runs"][1];
    assert_eq!((&bad["status"], &bad["quarantine"]["owner"]), (&"fail".into(), &"us".into()));
    let junit = std::fs::read_to_string(out("green").join("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains("<skipped"), "{junit}");
    assert!(junit.contains("in quarantine until 2999-12-31 (us): known"), "{junit}");
    let again = call(&["report", out("green").to_str().unwrap()]);
    assert_eq!(again.code, 0, "{again:?}");
    // Only what is in it, as if it was not.
    let verify = [&filter[..], &with, &["--quarantine-verify"]].concat();
    let done = run(&file, &out("verified"), &verify);
    assert_eq!(done.code, 1, "{done:?}");
    entry("2020-01-31");
    let done = run(&file, &out("over"), &[&filter[..2], &with].concat());
    assert_eq!(done.code, 1, "{done:?}");
    let done = run(&file, &out("healed"), &[&["--filter", "many/*=0.1pct*"][..], &with].concat());
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("--quarantine: nothing here fits `many/*=20pct*`"), "{done:?}");
    // Expired it is red even of what passes.
    let text = std::fs::read_to_string(&quarantine).unwrap();
    std::fs::write(&quarantine, text.replace("20pct", "0.1pct")).unwrap();
    let done = run(&file, &out("passes"), &[&["--filter", "many/*=0.1pct*"][..], &with].concat());
    assert_eq!(done.code, 1, "{done:?}");
    let junit = std::fs::read_to_string(out("passes").join("junit.xml")).unwrap();
    assert!(junit.contains("which is over (us): known"), "{junit}");
    std::fs::write(&quarantine, "[[quarantine]]\nrun = \"x\"\n").unwrap();
    let done = run(&file, &out("bad"), &with);
    assert!(done.code == 2 && done.stderr.contains("missing field `owner`"), "{done:?}");
}
