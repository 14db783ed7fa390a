//! `signals.csv`: what is written of signals, how it reads back, is judged and drawn, and that a
//! change of it is noticed.

#![expect(clippy::unwrap_used, reason = "a test reports by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{
    RunEnd, RunReader, RunState, RunWriter, SignalFacts, SignalOrigin, SignalSample, Status, file,
};
use lastmeter_reports::{Reason, complete, evaluate};
use lastmeter_units::SimDuration;
use sample::Sample;

use crate::boxes;
use crate::sample;

/// The voltage of each second: it steps after the fifth, and the last value is `last`.
fn write(dir: &Path, last: f64) {
    let mut start = Sample::CALM.start_facts();
    start.facts.end = start.facts.start + SimDuration::from_seconds(10);
    start.facts.recorded_signals = vec![SignalFacts {
        name: "u".to_owned(),
        quantity: "electricity.voltage.rms.l1".to_owned(),
        from: SignalOrigin::Plant("source:g".to_owned()),
    }];
    "[[check]]\nname = \"rise\"\nkind = \"step\"\nsignal = \"u\"\n\
        from = \"230 V\"\nto = \"240 V\"\nat = \"5 s\"\nwithin = \"1 s\"\ntolerance = \"1 V\"\n"
        .clone_into(&mut start.scenario_toml);
    let end = start.facts.end;
    let mut writer = RunWriter::create(dir, &start).unwrap();
    writer.record_signals().unwrap();
    let value = |second: i64| match second {
        10 => last,
        6.. => 240.0,
        _ => 230.0,
    };
    let mut sample = |second: i64| {
        let time = SimDuration::from_seconds(second);
        writer.signal(&SignalSample { signal: "u", time, value: value(second) }).unwrap();
        if second == 4 {
            writer.sync().unwrap();
        }
    };
    // In any order between two calls of `sync`.
    [3, 1, 2, 4, 10, 9, 8, 7, 6, 5].into_iter().for_each(&mut sample);
    writer
        .finish(RunEnd {
            state: RunState::Finished,
            cause: None,
            recorded_until: end,
            ended: end,
            guarantees: Vec::new(),
            more: serde_json::Map::new(),
        })
        .unwrap();
}

#[test]
fn signals_are_written_in_order_read_back_judged_and_drawn() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 240.0);
    let text = fs::read_to_string(dir.path().join(file::SIGNALS)).unwrap();
    assert!(text.starts_with("signal,time_ns,value\nu,1000000000,230\nu,2000000000,230\n"));
    assert!(text.ends_with("u,10000000000,240\n"), "{text}");
    let reader = RunReader::open(dir.path()).unwrap();
    assert_eq!(reader.facts().signals, Some(10));
    let evaluation = evaluate(dir.path()).unwrap();
    assert!(evaluation.is_whole());
    let verdict = &evaluation.verdicts[0];
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 9), "{}", verdict.why);
    complete(dir.path(), &evaluation).unwrap();
    let figures = dir.path().join(file::FIGURES);
    let svg = fs::read_to_string(figures.join("signal-rise.svg")).unwrap();
    // One band before and one after, and the curve.
    assert_eq!(svg.matches("<polygon").count(), 2);
    assert_eq!(svg.matches("<polyline").count(), 1);
    assert_eq!(boxes::faults(&svg), [""; 0]);
    let csv = fs::read_to_string(figures.join("signal-rise.csv")).unwrap();
    assert!(csv.contains("u,5,230,229,231\nu,6,240,,\nu,7,240,239,241\n"), "{csv}");
    let page = fs::read_to_string(dir.path().join(file::REPORT)).unwrap();
    assert!(page.contains("<h2>Signals</h2>") && page.contains("needed tolerance"));
}

#[test]
fn a_value_outside_is_marked_in_the_picture() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 245.0);
    let evaluation = evaluate(dir.path()).unwrap();
    assert_eq!(evaluation.verdicts[0].reason, Reason::OutsideLimit);
    complete(dir.path(), &evaluation).unwrap();
    let figures = dir.path().join(file::FIGURES);
    let svg = fs::read_to_string(figures.join("signal-rise.svg")).unwrap();
    assert!(svg.contains("stroke-dasharray=\"4 3\""));
}

#[test]
fn without_signals_there_is_no_file_and_no_word_of_them() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    assert!(!dir.path().join(file::SIGNALS).exists());
    let facts = fs::read_to_string(dir.path().join(file::RUN)).unwrap();
    assert!(!facts.contains("signals"), "{facts}");
    // One that was put there is noticed.
    fs::write(dir.path().join(file::SIGNALS), "signal,time_ns,value\n").unwrap();
    let verdict = evaluate(dir.path()).unwrap().verdicts.remove(0);
    assert_eq!(verdict.reason, Reason::RecordChanged, "{}", verdict.why);
}

#[test]
fn a_changed_or_missing_table_of_signals_turns_every_verdict_into_an_error() {
    type Change = fn(&str) -> Option<String>;
    let changes: [(&str, Change, Reason); 5] = [
        (
            "another value",
            |text| Some(text.replace("9000000000,240", "9000000000,239.5")),
            Reason::RecordChanged,
        ),
        (
            "the last line cut",
            |text| Some(text[..text.len() - 9].to_owned()),
            Reason::RecordChanged,
        ),
        ("gone", |_| None, Reason::RecordChanged),
        ("no number", |text| Some(text.replace(",240", ",high")), Reason::RecordUnreadable),
        ("another header", |text| Some(text.replace("value", "v")), Reason::RecordUnreadable),
    ];
    for (what, change, reason) in changes {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 240.0);
        let path = dir.path().join(file::SIGNALS);
        match change(&fs::read_to_string(&path).unwrap()) {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let verdict = evaluate(dir.path()).unwrap().verdicts.remove(0);
        let found = (verdict.status, verdict.reason);
        assert_eq!(found, (Status::Error, reason), "{what}: {}", verdict.why);
        assert!(verdict.why.to_string().contains("signals.csv"), "{what}: {}", verdict.why);
    }
}
