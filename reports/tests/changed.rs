//! A record that was changed or cut after the run: nothing passes, and what is wrong is reported.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{RunReader, RunState, Status, file};
use lastmeter_reports::{ExitCode, complete, evaluate, render_evaluated};
use sample::Sample;
use sha2::Digest;

use crate::sample;

/// 10 readings of 20 values: 200 rows; 5 events.
const SMALL: Sample = Sample { readings: 10, disturbed: true, ..Sample::CALM };

fn edit(path: &Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(path).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text, "{} was to be changed", path.display());
    fs::write(path, changed).unwrap();
}

/// Judges a good run after a change of one of its files.
fn judged(name: &str, change: impl Fn(&str) -> String) -> lastmeter_reports::Evaluation {
    let dir = tempfile::tempdir().unwrap();
    SMALL.write(dir.path()).unwrap();
    assert!(evaluate(dir.path()).unwrap().is_whole());
    edit(&dir.path().join(name), change);
    let evaluation = evaluate(dir.path()).unwrap();
    evaluation.write(dir.path()).unwrap();
    render_evaluated(dir.path(), &evaluation).unwrap();
    evaluation
}

fn assert_error(evaluation: &lastmeter_reports::Evaluation, why: &str) {
    assert_eq!(evaluation.verdicts.len(), 7);
    for verdict in &evaluation.verdicts {
        assert_eq!(verdict.status, Status::Error, "{}: {}", verdict.check, verdict.why);
        assert!(verdict.why.to_string().contains(why), "{} lacks {why}", verdict.why);
    }
    assert_eq!((evaluation.status(), evaluation.exit_code()), (Status::Error, ExitCode::Broken));
}

fn without_last_line(text: &str) -> String {
    let end = text.trim_end().rfind('\n').unwrap() + 1;
    text[..end].to_owned()
}

#[test]
fn missing_lines_of_a_record_are_counted() {
    let rows =
        "observations.csv holds 199 of 200 rows: the record was changed or cut after the run";
    assert_error(&judged(file::OBSERVATIONS, without_last_line), rows);
    // A torn tail is a line that is missing too.
    assert_error(&judged(file::OBSERVATIONS, |text| text[..text.len() - 3].to_owned()), rows);
    let events = "events.jsonl holds 4 of 5 events";
    assert_error(&judged(file::EVENTS, without_last_line), events);
    assert_error(&judged(file::EVENTS, |text| text[..text.len() - 3].to_owned()), events);
    assert_error(&judged(file::OBSERVATIONS, |_| String::new()), "holds 0 of 200 rows");
}

#[test]
fn a_record_that_grew_is_noticed() {
    let last = |text: &str| text[without_last_line(text).len()..].to_owned();
    let twice = judged(file::OBSERVATIONS, |text| format!("{text}{}", last(text)));
    assert_error(&twice, "observations.csv holds 201 of 200 rows");
    let begun = judged(file::OBSERVATIONS, |text| format!("{text}meter,1"));
    assert_error(&begun, "the last line of observations.csv is torn; its 7 bytes were left out");
}

#[test]
fn an_edited_line_is_noticed() {
    let row = judged(file::OBSERVATIONS, |text| {
        let place = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
        let digit = if text[place..].starts_with('1') { "2" } else { "1" };
        format!("{}{digit}{}", &text[..place], &text[place + 1..])
    });
    assert_error(&row, "observations.csv was changed after the run");
    let event = judged(file::EVENTS, |text| text.replacen("10 s", "11 s", 1));
    assert_error(&event, "events.jsonl was changed after the run");
    // Blank lines are no rows, but they were not written by the run.
    assert_error(&judged(file::OBSERVATIONS, |text| format!("{text}\n")), "was changed after");
}

#[test]
fn an_edited_scenario_is_noticed() {
    let evaluation = judged(file::SCENARIO, |text| text.replacen("0.2 %", "2 %", 1));
    assert_error(&evaluation, "scenario.toml was changed after the run");
    let none = judged(file::SCENARIO, |_| "format = 1\n".to_owned());
    assert_eq!(none.verdicts, []);
    assert_eq!((none.status(), none.exit_code()), (Status::Error, ExitCode::Broken));
}

/// Without what the end of the run wrote into it, `run.json` seals nothing.
#[test]
fn a_finished_record_without_counts_or_hashes_passes_nothing() {
    let without = |key: &'static str| {
        judged(file::RUN, move |text| {
            let mut facts: serde_json::Value = serde_json::from_str(text).unwrap();
            facts.as_object_mut().unwrap().remove(key).unwrap();
            facts.to_string()
        })
    };
    let unstated = "run.json does not state how many";
    assert_error(&without("observations"), &format!("{unstated} rows observations.csv held"));
    assert_error(&without("events"), &format!("{unstated} events events.jsonl held"));
    assert_error(&without("hashes"), unstated);
    assert_error(&without("scenario_hash"), "scenario.toml was changed after the run");
    assert_error(&without("source_hash"), "run.json was changed after the run");
}

#[test]
fn a_run_that_never_ended_has_no_counts_and_is_not_called_changed() {
    let dir = tempfile::tempdir().unwrap();
    Sample { ends: None, ..SMALL }.write(dir.path()).unwrap();
    let facts = RunReader::open(dir.path()).unwrap().facts().clone();
    assert_eq!((facts.observations, facts.events, facts.hashes.len()), (None, None, 0));
    edit(&dir.path().join(file::OBSERVATIONS), |text| text[..text.len() - 3].to_owned());
    let evaluation = evaluate(dir.path()).unwrap();
    assert!(evaluation.is_whole() && evaluation.torn.len() == 1);
    assert_eq!(evaluation.status(), Status::Inconclusive);
}

#[test]
fn a_run_that_was_interrupted_is_sealed_too() {
    let dir = tempfile::tempdir().unwrap();
    Sample { ends: Some(RunState::Interrupted), ..SMALL }.write(dir.path()).unwrap();
    assert!(evaluate(dir.path()).unwrap().is_whole());
    edit(&dir.path().join(file::OBSERVATIONS), without_last_line);
    let evaluation = evaluate(dir.path()).unwrap();
    assert!(evaluation.verdicts.iter().all(|verdict| verdict.status == Status::Error));
}

/// The counts and hashes are those of the files read at once.
#[test]
fn run_json_states_what_the_files_hold() {
    let dir = tempfile::tempdir().unwrap();
    SMALL.write(dir.path()).unwrap();
    let facts = RunReader::open(dir.path()).unwrap().facts().clone();
    assert_eq!((facts.observations, facts.events), (Some(200), Some(5)));
    assert_eq!(facts.source_hash, SMALL.start_facts().facts.source_hash);
    let hashes = [
        (file::SCENARIO, &facts.scenario_hash),
        (file::OBSERVATIONS, &facts.hashes[file::OBSERVATIONS]),
        (file::EVENTS, &facts.hashes[file::EVENTS]),
    ];
    for (name, hash) in hashes {
        let whole = sha2::Sha256::digest(fs::read(dir.path().join(name)).unwrap());
        let bytes = (0..hash.len()).step_by(2).map(|at| u8::from_str_radix(&hash[at..at + 2], 16));
        assert!(bytes.map(Result::unwrap).eq(whole), "{name}");
    }
}

#[test]
fn a_figure_of_the_run_that_was_changed_by_hand_is_noticed() {
    let why = "run.json was changed after the run";
    assert_error(&judged(file::RUN, |text| text.replacen("\"seed\": ", "\"seed\": 1", 1)), why);
    let without = judged(file::RUN, |text| {
        let mut facts: serde_json::Value = serde_json::from_str(text).unwrap();
        facts["hashes"].as_object_mut().unwrap().remove(file::RUN).unwrap();
        facts.to_string()
    });
    assert_error(&without, why);
}

/// A disk may be full by then: whoever looks for `junit.xml` alone must not find a good one.
#[test]
fn what_could_not_be_completed_holds_no_good_verdict() {
    for blocked in [file::REPORT, file::VERDICTS] {
        let dir = tempfile::tempdir().unwrap();
        SMALL.write(dir.path()).unwrap();
        fs::create_dir_all(dir.path().join(blocked).join("in the way")).unwrap();
        let evaluation = evaluate(dir.path()).unwrap();
        complete(dir.path(), &evaluation).unwrap_err();
        assert!(!dir.path().join(file::JUNIT).exists(), "{blocked}");
        assert!(!dir.path().join(file::VERDICTS).is_file(), "{blocked}");
        assert_eq!(RunReader::open(dir.path()).unwrap().facts().exit_code, None, "{blocked}");
    }
}
