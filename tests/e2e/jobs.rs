//! Suites with several runs at a time: what comes out is that of one run after the other.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::bench::{COMPARED, Done, call, json, lastmeter, run, signal};

/// An ideal meter that reads 1 % too much voltage for so long, held to a limit.
fn scenario(name: &str, duration: &str, limit: &str) -> String {
    format!(
        "format = 1\n[scenario]\nname = \"{name}\"\nduration = \"{duration}\"\n[[source]]\n\
         name = \"g\"\nkind = \"synthetic\"\n[[device]]\nname = \"home\"\nat = \"source:g\"\n\
         model = \"ideal-3ph\"\nvoltage_gain_error = \"1 %\"\n[[check]]\nname = \"voltage\"\n\
         kind = \"accuracy\"\nquantity = \"electricity.voltage.rms.*\"\nlimit = \"{limit}\"\n\
         [[check]]\nname = \"once\"\nkind = \"no_loss\"\n"
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

/// Runs of a suite by name, with its status and its reason.
fn runs(out: &Path) -> Vec<[String; 3]> {
    let suite = json(out, "suite.json");
    let words = |run: &Value| {
        ["scenario", "status", "reason"].map(|key| run[key].as_str().unwrap().to_owned())
    };
    suite["runs"].as_array().unwrap().iter().map(words).collect()
}

/// The events on standard output without what differs from one time to the next: times, folders,
/// how far a run was, and what was measured in real time.
fn events(done: &Done) -> Vec<Value> {
    let mut is_real = false;
    let mut events = Vec::new();
    for line in done.stdout.lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let kind = event["event"].as_str().unwrap_or_default().to_owned();
        if kind == "started" {
            is_real = event["scenario"] == "d-real";
        }
        if ["progress", "cost", "schedule", "remark"].contains(&kind.as_str()) {
            continue;
        }
        let object = event.as_object_mut().unwrap();
        object.retain(|key, _| !["wall_s", "folder"].contains(&key.as_str()));
        if is_real {
            object
                .retain(|key, _| ["event", "scenario", "check", "status"].contains(&key.as_str()));
        }
        events.push(event);
    }
    events
}

/// A file without the values of these attributes.
fn without(text: &str, attributes: &[&str]) -> String {
    let mut text = text.to_owned();
    for attribute in attributes {
        let mark = format!(" {attribute}=\"");
        let parts: Vec<&str> = text.split(&mark).collect();
        let rest = parts[1..].iter().map(|part| part.split_once('"').unwrap().1);
        text = std::iter::once(parts[0]).chain(rest).collect();
    }
    text
}

/// When a run of a suite began and ended.
fn span(out: &Path, name: &str) -> [String; 2] {
    let facts = json(&out.join(name), "run.json");
    ["started", "ended"].map(|key| facts[key].as_str().unwrap().to_owned())
}

#[test]
fn two_at_a_time_give_what_one_after_the_other_gives_and_real_time_runs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    std::fs::create_dir(&suite).unwrap();
    write(&suite, "a-broken", &scenario("a-broken", "20 s", "2 %").replace("3ph", "4ph"));
    write(&suite, "b-long", &scenario("b-long", "10 min", "2 %"));
    write(&suite, "c-bad", &scenario("c-bad", "20 s", "0.5 %"));
    let real = scenario("d-real", "3 s", "2 %");
    let real = real.replace("duration", "time = \"real\"\nduration");
    let real = real.replace("\"ideal-3ph\"", "\"ideal-3ph\"\nreport_every = \"500 ms\"");
    write(&suite, "d-real", &real);
    let odd = scenario("e-odd", "20 s", "2 %");
    write(&suite, "e-odd", &odd.replace("\"synthetic\"", "\"synthetic\"\nvoltage = \"500 V\""));
    write(&suite, "f-last", &scenario("f-last", "20 s", "2 %"));
    let suite = suite.to_str().unwrap();
    let outs = ["1", "2"].map(|jobs| folder.path().join(jobs));
    let [one, two] = ["1", "2"]
        .map(|jobs| run(suite, &folder.path().join(jobs), &["--jobs", jobs, "--format", "json"]));
    assert_eq!((one.code, two.code), (2, 2), "{one:?} {two:?}");
    assert_eq!(events(&one), events(&two));
    assert_eq!(one.stderr, two.stderr);
    let found = runs(&outs[1]);
    assert_eq!(found, runs(&outs[0]));
    let statuses: Vec<&str> = found.iter().map(|run| run[1].as_str()).collect();
    assert_eq!(statuses, ["error", "pass", "fail", "pass", "pass", "pass"]);
    for name in ["b-long", "c-bad", "e-odd", "f-last"] {
        for file in COMPARED {
            let [a, b] = [0, 1].map(|of| std::fs::read(outs[of].join(name).join(file)).unwrap());
            assert!(a == b, "{file} of {name} differs");
        }
        let command = &json(&outs[1].join(name), "run.json")["command_line"];
        assert!(!command.to_string().contains("jobs"), "{command}");
        let [[begun, ended], [real_begun, real_ended]] =
            [name, "d-real"].map(|name| span(&outs[1], name));
        assert!(ended <= real_begun || real_ended <= begun, "{name} ran beside d-real");
    }
    let facts = json(&outs[1].join("d-real"), "run.json");
    assert_eq!(facts["real_time"]["floor_before"], Value::Null, "no check needs it");
    let [a, b] = [0, 1].map(|of| {
        let text = std::fs::read_to_string(outs[of].join("junit.xml")).unwrap();
        let text = without(&text, &["time", "timestamp"]);
        // What was measured in real time may differ.
        let suites = text.split("<testsuite ").filter(|suite| !suite.contains("name=\"d-real\""));
        suites.map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(a, b);
    assert_eq!(a.len(), 6, "the head, and five runs");
}

#[test]
fn what_runs_print_at_a_time_stands_in_blocks_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    std::fs::create_dir(&suite).unwrap();
    // The first takes longest.
    let names = ["a", "b", "c", "d"];
    for (name, duration) in names.iter().zip(["20 min", "1 min", "20 s", "20 s"]) {
        write(&suite, name, &scenario(name, duration, "2 %"));
    }
    let out = folder.path().join("out");
    let done = run(suite.to_str().unwrap(), &out, &["--jobs", "3"]);
    assert_eq!(done.code, 0, "{done:?}");
    let beginnings: Vec<&str> =
        done.stdout.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    let block = ["lastmeter", "", "", "Account", "Summary", ""];
    assert_eq!(beginnings[..24], block.repeat(4), "{}", done.stdout);
    let titles = done.stdout.lines().filter(|line| line.starts_with("lastmeter "));
    let found: Vec<&str> = titles.map(|line| line.split("  ").nth(1).unwrap()).collect();
    assert_eq!(found, names);
}

#[test]
fn a_signal_ends_all_that_run_and_no_other_begins() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    std::fs::create_dir(&suite).unwrap();
    for name in ["a", "b", "c"] {
        write(&suite, name, &scenario(name, "300 days", "2 %"));
    }
    let out = folder.path().join("out");
    let mut child = lastmeter()
        .args(["run", suite.to_str().unwrap(), "--jobs", "2", "--format", "json", "--out"])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The second is under way once its record has rows; the first goes on all the while.
    let of_second = out.join("b/observations.csv");
    let has_rows = |_: &String| of_second.metadata().is_ok_and(|file| file.len() > 10_000);
    assert!(lines.by_ref().any(|line| has_rows(&line)), "both ended before the signal");
    signal(&child, "INT");
    for line in lines {
        serde_json::from_str::<Value>(&line).unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let reasons: Vec<String> = runs(&out).into_iter().map(|[_, _, reason]| reason).collect();
    assert_eq!(reasons, ["unfinished", "unfinished", "not-run"]);
    assert!(!out.join("c").exists());
}

#[test]
fn a_number_of_jobs_that_cannot_be_is_a_bad_command_line() {
    for jobs in ["0", "two", "1025"] {
        let done = call(&["run", "scenarios/library", "--jobs", jobs, "--out", "/nowhere"]);
        assert_eq!(done.code, 2, "{jobs}: {done:?}");
        assert!(done.stderr.contains("--jobs"), "{jobs}: {done:?}");
    }
}
