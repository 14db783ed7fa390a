//! `latency.csv`: what is written, in which order, how it reads back whole or torn, and that a
//! later change is noticed.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{
    LATENCY_HEADER, LatencyRow, Point, RealTimeFacts, RunEnd, RunReader, RunState, RunWriter,
    Status, file,
};
use lastmeter_reports::{Evaluation, evaluate};
use sample::Sample;

use crate::sample;

fn row<'a>(path: &'a str, id: &'a str, intended_ns: i64) -> LatencyRow<'a> {
    let mut points = [None; Point::COUNT];
    points[Point::Intended.index()] = Some(intended_ns);
    points[Point::Received.index()] = Some(intended_ns + 5);
    LatencyRow { path, id, points, bytes: 1300, copies: 1 }
}

fn start(dir: &Path) -> RunWriter {
    let mut facts = Sample::CALM.start_facts();
    facts.scenario_toml.push_str(
        "\n[[check]]\nname = \"soon\"\nkind = \"latency\"\npath = \"intended..received\"\n\
         limit = \"1 s\"\n",
    );
    RunWriter::create(dir, &facts).unwrap()
}

fn finish(writer: RunWriter) {
    let end = RunEnd {
        state: RunState::Finished,
        cause: None,
        recorded_until: Sample::CALM.start_facts().facts.end,
        ended: Sample::start(),
        guarantees: Vec::new(),
        more: serde_json::Map::new(),
    };
    writer.finish(end).unwrap();
}

/// A finished run of ten rows.
fn ten(dir: &Path) {
    let mut writer = start(dir);
    writer.record_latency().unwrap();
    for number in 0..10 {
        writer.latency(&row("reading", &format!("m/1/{number}"), number * 1_000)).unwrap();
    }
    finish(writer);
}

fn lines(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join(file::LATENCY)).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_rows_of_one_writing_are_sorted_and_complete() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = start(dir.path());
    let mut points = [None; Point::COUNT];
    points[Point::Intended.index()] = Some(30);
    let lost = LatencyRow { points, bytes: 0, copies: 0, ..row("reading", "b//1", 30) };
    for row in [row("reading", "b/1/1", 20), row("reading>o", "a/1/1", 20), lost] {
        writer.latency(&row).unwrap();
    }
    writer.latency(&row("reading", "a/1/1", 20)).unwrap();
    writer.latency(&row("command", "z//1", 20)).unwrap();
    writer.sync().unwrap();
    // What comes late stands behind, whenever it was due.
    writer.latency(&row("reading", "a/1/0", -5)).unwrap();
    writer.sync().unwrap();
    assert_eq!(
        lines(dir.path()),
        [
            "path,id,intended_ns,published_ns,proxy_in_up_ns,proxy_out_up_ns,proxy_in_down_ns,\
             proxy_out_down_ns,received_ns,committed_ns,queryable_ns,obeyed_ns,acknowledged_ns,\
             asked_ns,heard_ns,answered_ns,bytes,copies",
            "command,z//1,20,,,,,,25,,,,,,,,1300,1",
            "reading,a/1/1,20,,,,,,25,,,,,,,,1300,1",
            "reading,b/1/1,20,,,,,,25,,,,,,,,1300,1",
            "reading>o,a/1/1,20,,,,,,25,,,,,,,,1300,1",
            "reading,b//1,30,,,,,,,,,,,,,,0,0",
            "reading,a/1/0,-5,,,,,,0,,,,,,,,1300,1",
        ]
    );
    assert_eq!(lines(dir.path())[0], LATENCY_HEADER.join(","));
    drop(writer);
    let reader = RunReader::open(dir.path()).unwrap();
    let mut rows = reader.latency().unwrap().unwrap();
    assert_eq!(rows.next_row().unwrap(), Some(row("command", "z//1", 20)));
    let mut count = 1;
    while rows.next_row().unwrap().is_some() {
        count += 1;
    }
    assert_eq!((count, rows.found(0).torn), (6, None));
}

#[test]
fn the_file_is_there_if_the_run_records_latency_and_only_then() {
    let dir = tempfile::tempdir().unwrap();
    finish(start(dir.path()));
    assert!(!dir.path().join(file::LATENCY).exists());
    let reader = RunReader::open(dir.path()).unwrap();
    assert!(reader.latency().unwrap().is_none());
    assert_eq!(reader.facts().latency, None);
    assert!(evaluate(dir.path()).unwrap().is_whole());
    let dir = tempfile::tempdir().unwrap();
    let mut writer = start(dir.path());
    writer.record_latency().unwrap();
    writer.record_latency().unwrap();
    finish(writer);
    let reader = RunReader::open(dir.path()).unwrap();
    assert_eq!(reader.facts().latency, Some(0));
    assert_eq!(reader.latency().unwrap().unwrap().next_row().unwrap(), None);
    assert!(evaluate(dir.path()).unwrap().is_whole());
}

#[test]
fn facts_of_a_real_time_run_are_in_run_json() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = start(dir.path());
    let facts = RealTimeFacts {
        timer: "timerfd".to_owned(),
        waited_until_ns: 7,
        poll_ns: Some(0),
        ..RealTimeFacts::default()
    };
    writer.set_real_time(facts.clone());
    finish(writer);
    assert_eq!(RunReader::open(dir.path()).unwrap().facts().real_time, Some(facts));
}

#[test]
fn wherever_the_file_is_torn_its_whole_lines_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = start(dir.path());
    for number in 0..3 {
        writer.latency(&row("reading", "m/1/1", number)).unwrap();
    }
    writer.sync().unwrap();
    // A killed process runs no destructors.
    std::mem::forget(writer);
    let path = dir.path().join(file::LATENCY);
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let reader = RunReader::open(dir.path()).unwrap();
        let mut rows = reader.latency().unwrap().unwrap();
        let mut count = 0;
        while rows.next_row().unwrap().is_some() {
            count += 1;
        }
        let ends = whole[..length].split(|&byte| byte == b'\n').count() - 1;
        assert_eq!(count, ends.saturating_sub(1), "cut at {length}");
        assert_eq!(rows.found(0).torn.is_some(), length > 0 && whole[length - 1] != b'\n');
        let evaluation = evaluate(dir.path()).unwrap();
        assert!(evaluation.is_whole(), "{:?}", evaluation.unreadable);
        assert!(evaluation.verdicts.iter().all(|verdict| verdict.status != Status::Pass));
    }
}

/// Judges a finished run after a change.
fn judged(change: impl Fn(&Path)) -> Evaluation {
    let dir = tempfile::tempdir().unwrap();
    ten(dir.path());
    assert!(evaluate(dir.path()).unwrap().is_whole());
    change(dir.path());
    evaluate(dir.path()).unwrap()
}

fn edited(change: impl Fn(&str) -> String) -> Evaluation {
    judged(|dir| {
        let path = dir.join(file::LATENCY);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(&text)).unwrap();
    })
}

#[test]
fn a_record_that_was_changed_is_noticed() {
    let why = |evaluation: Evaluation| {
        assert!(evaluation.verdicts.iter().all(|verdict| verdict.status == Status::Error));
        evaluation.changed.or(evaluation.unreadable).unwrap()
    };
    let without_last = |text: &str| text[..=text.trim_end().rfind('\n').unwrap()].to_owned();
    assert!(why(edited(without_last)).contains("latency.csv holds 9 of 10 rows"));
    let faster = |text: &str| text.replace("m/1/7,7000,,,,,,7005", "m/1/7,7000,,,,,,7004");
    assert!(why(edited(faster)).contains("latency.csv was changed after the run"));
    let gone = judged(|dir| fs::remove_file(dir.join(file::LATENCY)).unwrap());
    assert!(why(gone).contains("latency.csv holds 0 of 10 rows"));
    let unstated = judged(|dir| {
        let path = dir.join(file::RUN);
        let text = fs::read_to_string(&path).unwrap();
        let mut facts: serde_json::Value = serde_json::from_str(&text).unwrap();
        facts.as_object_mut().unwrap().remove("latency").unwrap();
        fs::write(&path, facts.to_string()).unwrap();
    });
    assert!(why(unstated).contains("does not state how many rows latency.csv held"));
    let undue = |text: &str| text.replace("m/1/7,7000,", "m/1/7,,");
    assert!(why(edited(undue)).contains("latency.csv:9: intended_ns is empty"));
}
