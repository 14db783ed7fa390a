//! `spans.csv`: what is written beside the observations, how it reads back, and that a change of it
//! is noticed.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::fs;
use std::path::Path;

use lastmeter_record::{
    Observation, RecordedSpan, RunEnd, RunReader, RunState, RunWriter, Status, file,
};
use lastmeter_reports::{Reason, evaluate};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration};
use sample::Sample;

use crate::sample;

const U: &str = "electricity.voltage.rms.l1";

/// A reading of 230 V; of device `m` the reference is known to a tenth of its serial.
fn row(device: &str, serial: u64) -> Observation<'_> {
    let span = RecordedSpan {
        from: SimDuration::from_seconds(10 * serial as i64 - 10),
        to: SimDuration::from_seconds(10 * serial as i64),
        spread: serial as f64 / 10.0,
        way: if serial == 2 { "cellar" } else { "direct" },
    };
    Observation {
        device,
        epoch: Some(Epoch(1)),
        serial: Some(Serial(serial)),
        quantity: MeasurementId::lookup(U).unwrap(),
        event_time: Sample::start() + SimDuration::from_seconds(10 * serial as i64),
        reference: Some(230.0),
        reported: Some(230.0),
        span: (device == "m").then_some(span),
    }
}

fn rows() -> Vec<Observation<'static>> {
    let unexpected = Observation { reference: None, span: None, ..row("m", 3) };
    vec![row("a", 1), row("m", 1), row("m", 2), row("a", 3), row("m", 3), unexpected]
}

/// Three readings of a device that declares, beside those of one that announces.
fn write(dir: &Path) {
    let mut start = Sample::CALM.start_facts();
    start.scenario_toml = format!(
        "[[check]]\nname = \"voltage\"\nkind = \"accuracy\"\nquantity = \"{U}\"\nlimit = \"2 V\"\n"
    );
    let mut writer = RunWriter::create(dir, &start).unwrap();
    // In any order, and in two parts.
    rows()[..3].iter().rev().for_each(|row| writer.observation(row));
    writer.sync().unwrap();
    rows()[3..].iter().rev().for_each(|row| writer.observation(row));
    let at = start.facts.end;
    writer
        .finish(RunEnd {
            state: RunState::Finished,
            cause: None,
            recorded_until: at,
            ended: at,
            guarantees: Vec::new(),
            more: serde_json::Map::new(),
        })
        .unwrap();
}

fn edit(dir: &Path, change: impl Fn(&str) -> String) {
    let path = dir.join(file::SPANS);
    let text = fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed);
    fs::write(path, changed).unwrap();
}

#[test]
fn spans_stand_beside_their_rows_and_read_back_with_them() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let text = fs::read_to_string(dir.path().join(file::SPANS)).unwrap();
    let expected = "device,epoch,serial,event_time,quantity,from_ns,to_ns,spread,way\n\
        m,1,1,2027-01-18T17:00:10.000Z,electricity.voltage.rms.l1,0,10000000000,0.1,direct\n\
        m,1,2,2027-01-18T17:00:20.000Z,electricity.voltage.rms.l1,10000000000,20000000000,0.2,cellar\n\
        m,1,3,2027-01-18T17:00:30.000Z,electricity.voltage.rms.l1,20000000000,30000000000,0.3,direct\n";
    assert_eq!(text, expected);
    let reader = RunReader::open(dir.path()).unwrap();
    assert_eq!(reader.facts().spans, Some(3));
    let mut read = reader.observations().unwrap();
    for row in rows() {
        assert_eq!(read.next_row().unwrap(), Some(row));
    }
    assert_eq!(read.next_row().unwrap(), None);
    assert_eq!(read.found_spans().unwrap().lines, 3);
    let evaluation = evaluate(dir.path()).unwrap();
    // The unexpected one keeps it from a pass; the record is whole.
    assert_eq!(evaluation.verdicts[0].reason, Reason::AlteredReadings);
}

#[test]
fn without_declared_spans_there_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    assert!(!dir.path().join(file::SPANS).exists());
    let facts = fs::read_to_string(dir.path().join(file::RUN)).unwrap();
    assert!(!facts.contains("spans"), "{facts}");
}

#[test]
fn a_changed_table_of_spans_turns_every_verdict_into_an_error() {
    type Change = fn(&str) -> String;
    let unreadable = Reason::RecordUnreadable;
    let changes: [(&str, Change, Reason); 7] = [
        ("another spread", |text| text.replace(",0.3,", ",0.1,"), Reason::RecordChanged),
        ("the last line cut", |text| text[..text.len() - 90].to_owned(), Reason::RecordChanged),
        (
            "no line left",
            |text| text[..=text.find('\n').unwrap()].to_owned(),
            Reason::RecordChanged,
        ),
        ("a line twice", |text| format!("{text}{}\n", text.lines().last().unwrap()), unreadable),
        ("another device", |text| text.replace("m,1,2", "x,1,2"), unreadable),
        ("no number", |text| text.replace(",0.2,", ",zero,"), unreadable),
        ("another header", |text| text.replace("spread", "spray"), unreadable),
    ];
    for (what, change, reason) in changes {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        edit(dir.path(), change);
        let verdict = evaluate(dir.path()).unwrap().verdicts.remove(0);
        assert_eq!(
            (verdict.status, verdict.reason),
            (Status::Error, reason),
            "{what}: {}",
            verdict.why
        );
        assert!(verdict.why.to_string().contains("spans.csv"), "{what}: {}", verdict.why);
    }
}

#[test]
fn a_table_of_spans_that_is_gone_or_was_put_there_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let kept = fs::read(dir.path().join(file::SPANS)).unwrap();
    fs::remove_file(dir.path().join(file::SPANS)).unwrap();
    let verdict = evaluate(dir.path()).unwrap().verdicts.remove(0);
    assert_eq!(verdict.reason, Reason::RecordChanged, "{}", verdict.why);
    assert!(verdict.why.to_string().contains("spans.csv holds 0 of 3 rows"), "{}", verdict.why);
    let other = tempfile::tempdir().unwrap();
    Sample::CALM.write(other.path()).unwrap();
    let header = kept.iter().position(|byte| *byte == b'\n').unwrap();
    fs::write(other.path().join(file::SPANS), &kept[..=header]).unwrap();
    let verdict = evaluate(other.path()).unwrap().verdicts.remove(0);
    assert_eq!(verdict.reason, Reason::RecordChanged, "{}", verdict.why);
}

/// Spans are written first: of a run that was killed there may be more of them than rows.
#[test]
fn of_a_killed_run_spans_may_be_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RunWriter::create(dir.path(), &Sample::CALM.start_facts()).unwrap();
    writer.observation(&row("m", 1));
    writer.sync().unwrap();
    std::mem::forget(writer);
    let path = dir.path().join(file::SPANS);
    let ahead =
        fs::read_to_string(&path).unwrap() + "m,1,2,2027-01-18T17:00:20.000Z,x,1,2,0,direct\n";
    fs::write(path, ahead).unwrap();
    let mut read = RunReader::open(dir.path()).unwrap().observations().unwrap();
    assert_eq!(read.next_row().unwrap(), Some(row("m", 1)));
    assert_eq!(read.next_row().unwrap(), None);
}
