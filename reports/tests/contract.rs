//! What users and their continuous integration build on: verdicts, exit codes, files.

use std::fs;

use lastmeter_record::{
    DeviceFacts, Evidence, GridRecord, GridRow, GridTable, Observation, RecordedSpan, RunEnd,
    RunFacts, RunReader, RunStart, RunState, RunWriter, Status, file,
};
use lastmeter_reports::{
    ExitCode, Judge, Reason, evaluate, format_summary, format_verdicts, verdicts_json,
};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration};
use sample::Sample;

use crate::sample;

const BAD: Sample =
    Sample { current_gain_error: 0.01, disturbed: true, readings: 60, ..Sample::CALM };

#[test]
fn a_good_run_passes_in_every_output() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    let evaluation = evaluate(dir.path()).unwrap();
    evaluation.write(dir.path()).unwrap();
    assert!(evaluation.verdicts.iter().all(|verdict| verdict.status == Status::Pass));
    assert_eq!((evaluation.status(), evaluation.exit_code()), (Status::Pass, ExitCode::Passed));
    let facts = RunReader::open(dir.path()).unwrap().facts().clone();
    assert_eq!((facts.exit_code, facts.verdicts.unwrap().pass), (Some(0), 6));
}

#[test]
fn verdicts_json_is_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    BAD.write(dir.path()).unwrap();
    let evaluation = evaluate(dir.path()).unwrap();
    evaluation.write(dir.path()).unwrap();
    let text = fs::read_to_string(dir.path().join(file::VERDICTS)).unwrap();
    let list: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(&text).unwrap();
    let expected = [
        "check", "scenario", "status", "reason", "measured", "limit", "unit", "n", "bound", "at",
        "covers", "why",
    ];
    for verdict in &list {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        // How it is shown on one line is there only where the figures alone show too little, and
        // how many devices are wrong only of checks that judge each.
        let others = ["told", "devices"];
        let promised = verdict.keys().map(String::as_str).filter(|key| !others.contains(key));
        let mut keys: Vec<_> = promised.collect();
        keys.sort_unstable();
        assert_eq!(keys, expected);
        // The word for machines and the status never contradict each other.
        let reason: Reason = serde_json::from_value(verdict["reason"].clone()).unwrap();
        assert_eq!(verdict["status"], reason.status().word(), "{reason}");
    }
    // The order of the keys is part of the bytes.
    let places: Vec<_> =
        expected.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted());
    insta::assert_snapshot!("verdicts", text);
}

/// What programs build on is written down where their authors look, word by word.
#[test]
fn the_page_about_verdicts_has_every_reason_and_every_exit_code() {
    let page = include_str!("../../docs/verdicts.md");
    let row = |reason: &Reason| {
        let machine = if reason.is_of_the_machine() { "machine" } else { "" };
        format!("| `{reason}` | {} | {machine} | {} |", reason.status(), reason.meaning())
    };
    let expected: Vec<String> = Reason::ALL.iter().map(row).collect();
    let (_, table) =
        page.split_once("| reason | status | of the | meaning |\n|---|---|---|---|\n").unwrap();
    let found: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(found, expected);
    for code in ExitCode::ALL {
        let number = code.number().to_string();
        let cell = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let mut numbers = cell.flat_map(|cell| cell.split(", "));
        assert!(numbers.any(|found| found == number), "{number}");
    }
}

#[test]
fn judging_twice_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    BAD.write(dir.path()).unwrap();
    let once = verdicts_json(&evaluate(dir.path()).unwrap().verdicts);
    evaluate(dir.path()).unwrap().write(dir.path()).unwrap();
    assert_eq!(once, verdicts_json(&evaluate(dir.path()).unwrap().verdicts));
    assert_eq!(once, fs::read(dir.path().join(file::VERDICTS)).unwrap());
}

#[test]
fn a_gain_error_of_one_percent_is_measured_as_one_percent() {
    let dir = tempfile::tempdir().unwrap();
    BAD.write(dir.path()).unwrap();
    let evaluation = evaluate(dir.path()).unwrap();
    assert_eq!(evaluation.exit_code(), ExitCode::Failed);
    let verdict = evaluation.verdicts.iter().find(|v| v.check == "current-in-class").unwrap();
    // The gain error and at most 5e-4 of made-up noise.
    let measured = verdict.measured.unwrap();
    assert!((1.0..=1.051).contains(&measured), "{measured}");
    assert_eq!((verdict.status, verdict.unit.as_str(), verdict.n), (Status::Fail, "%", 59 * 3));
    let failed: Vec<_> = evaluation
        .verdicts
        .iter()
        .filter(|verdict| verdict.status == Status::Fail)
        .map(|verdict| verdict.check.as_str())
        .collect();
    assert_eq!(failed, ["current-in-class", "readings-once"]);
}

#[test]
fn an_early_end_never_passes_and_exits_as_reported() {
    for (ends, exit, worst) in [
        (Some(RunState::Interrupted), 130, Status::Inconclusive),
        (None, 130, Status::Inconclusive),
        (Some(RunState::Error), 3, Status::Error),
        (Some(RunState::Skipped), 4, Status::Skipped),
    ] {
        let dir = tempfile::tempdir().unwrap();
        Sample { ends, ..Sample::CALM }.write(dir.path()).unwrap();
        let before = fs::read(dir.path().join(file::RUN)).unwrap();
        let evaluation = evaluate(dir.path()).unwrap();
        evaluation.write(dir.path()).unwrap();
        assert!(evaluation.verdicts.iter().all(|verdict| verdict.status == worst), "{ends:?}");
        assert_eq!((evaluation.exit_code().number(), evaluation.status()), (exit, worst));
        // A run that may still be going keeps its run.json to itself.
        let untouched = fs::read(dir.path().join(file::RUN)).unwrap() == before;
        assert_eq!(untouched, ends.is_none());
    }
}

#[test]
fn a_scenario_without_checks_evaluates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut facts = Sample::CALM.start_facts();
    "format = 1\n".clone_into(&mut facts.scenario_toml);
    Sample::CALM.write_as(dir.path(), &facts).unwrap();
    let evaluation = evaluate(dir.path()).unwrap();
    assert_eq!(evaluation.exit_code(), ExitCode::NothingEvaluated);
    assert_eq!(evaluation.status(), Status::Inconclusive);
}

#[test]
fn invalid_checks_are_all_reported() {
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    let toml = "[[check]]\nname = \"a\"\nkind = \"accurracy\"\n\
                [[check]]\nname = \"b\"\nkind = \"no_loss\"\ndevise = \"m\"\n";
    fs::write(dir.path().join(file::SCENARIO), toml).unwrap();
    let error = evaluate(dir.path()).unwrap_err().to_string();
    assert!(error.contains("unknown check kind `accurracy`"), "{error}");
    assert!(error.contains("unknown key `devise`"), "{error}");
}

#[test]
fn verdicts_so_far_can_be_asked_for_at_any_time() {
    let sample = Sample::CALM;
    let dir = tempfile::tempdir().unwrap();
    sample.write(dir.path()).unwrap();
    let reader = RunReader::open(dir.path()).unwrap();
    let mut judge = Judge::of_run(reader.facts(), &sample.scenario()).unwrap();
    let mut rows = reader.observations().unwrap();
    let mut due = Vec::new();
    while let Some(row) = rows.next_row().unwrap() {
        judge.observation(&row);
        let verdicts = judge.verdicts(reader.facts());
        due.push(verdicts.iter().find(|v| v.check == "readings-once").unwrap().n);
    }
    // Twenty rows a reading; the one passing by is counted from its first row on.
    let expected: Vec<u64> = (0..60 * 20).map(|row| row / 20 + 1).collect();
    assert_eq!(due, expected);
    let last = judge.verdicts(reader.facts());
    assert_eq!(last, evaluate(dir.path()).unwrap().verdicts);
}

#[test]
fn junit_holds_each_check_with_its_figures() {
    let dir = tempfile::tempdir().unwrap();
    BAD.write(dir.path()).unwrap();
    evaluate(dir.path()).unwrap().write(dir.path()).unwrap();
    let xml = fs::read_to_string(dir.path().join(file::JUNIT)).unwrap();
    for part in [
        "tests=\"7\" skipped=\"0\" failures=\"2\" errors=\"0\"",
        "<testcase name=\"voltage-in-class\" classname=\"first-light\"",
        "<property name=\"limit\" value=\"0.2\"",
        "<property name=\"unit\" value=\"%\"",
        "<property name=\"n\" value=\"177\"",
        "<property name=\"covers\" value=\"C-04 F-02\"",
        "type=\"fail\"",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
}

#[test]
fn the_console_lines_are_aligned() {
    let dir = tempfile::tempdir().unwrap();
    BAD.write(dir.path()).unwrap();
    let evaluation = evaluate(dir.path()).unwrap();
    let mut text: Vec<String> =
        format_verdicts(&evaluation.verdicts).iter().map(ToString::to_string).collect();
    let took = std::time::Duration::from_millis(1_821_400);
    text.push(format_summary(evaluation.counts(), took, evaluation.exit_code()));
    insta::assert_snapshot!("console", text.join("\n"));
}

/// A device that restarts its counter begins a new epoch; its readings are others.
#[test]
fn the_same_serial_in_another_epoch_is_another_reading() {
    let mut judge = Judge::new("s", "[[check]]\nname = \"c\"\nkind = \"no_loss\"\n").unwrap();
    let dir = tempfile::tempdir().unwrap();
    Sample::CALM.write(dir.path()).unwrap();
    let facts = RunReader::open(dir.path()).unwrap().facts().clone();
    let (quantity, _) = sample::quantities()[0];
    for epoch in 1..=2 {
        for serial in 1..=3 {
            judge.observation(&Observation {
                device: "meter",
                epoch: Some(Epoch(epoch)),
                serial: Some(Serial(serial)),
                quantity,
                event_time: Sample::start() + SimDuration::from_seconds(serial as i64),
                reference: Some(1.0),
                reported: Some(1.0),
                span: None,
            });
        }
    }
    let verdict = &judge.verdicts(&facts)[0];
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 6));
}

/// A home of 1 kW behind a line that takes 10 W, for ten minutes, read every five.
fn network_start() -> RunStart {
    let device = |name: &str, at: &str| DeviceFacts {
        name: name.to_owned(),
        model: "ideal-1ph".to_owned(),
        evidence: Evidence::Simulated,
        at: at.to_owned(),
        under_test: false,
        fidelity: None,
        serial: None,
        firmware: None,
        reports: Vec::new(),
    };
    let toml = "[[check]]\nname = \"sum\"\nkind = \"energy_balance\"\n\
                substation = \"all\"\nlimit = \"0.1 %\"\nevery = \"5 min\"\n";
    let start = Sample::start();
    let facts = RunFacts {
        scenario: "network".to_owned(),
        seed: 1,
        start,
        end: start + SimDuration::from_seconds(600),
        started: start,
        overrides: Some(Vec::new()),
        platform: "embedded".to_owned(),
        devices: vec![device("all", "source:supply"), device("home", "load:1")],
        ..RunFacts::default()
    };
    RunStart { scenario_toml: toml.to_owned(), facts }
}

fn network_steps() -> Vec<GridRow> {
    let step = |number: i64| GridRow {
        time: Sample::start() + SimDuration::from_seconds(60 * number),
        length: SimDuration::from_seconds(60),
        p_w: [1010.0, 0.0, 0.0],
        q_var: [0.0; 3],
        loads: (1000.0, 0.0),
        losses: (10.0, 0.0),
        declared_losses: (10.0, 0.0),
        lowest: (1.0, "end.a".to_owned()),
        highest: (1.0, "bus.a".to_owned()),
    };
    (0..10).map(step).collect()
}

/// The sums of registers whose instants are declared only are judged by nobody.
fn declared_span(spread: f64) -> RecordedSpan<'static> {
    RecordedSpan { from: SimDuration(0), to: SimDuration(1), spread, way: "direct" }
}

/// The checks of a run that goes on get the facts of its start, and the network ahead of values.
#[test]
fn a_check_with_run_facts_concludes_the_same_while_it_goes_on() {
    for (error, span, status) in [
        (0.0, None, Status::Pass),
        (0.01, None, Status::Fail),
        (0.0, Some(declared_span(0.0)), Status::Pass),
        (0.0, Some(declared_span(1.0)), Status::Inconclusive),
        (0.01, Some(declared_span(f64::NAN)), Status::Inconclusive),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let start = network_start();
        let mut writer = RunWriter::create(dir.path(), &start).unwrap();
        let table = |column: &str, figure: f64| GridTable {
            columns: vec![column.to_owned()],
            rows: vec![vec![figure]; 10],
        };
        let record = GridRecord {
            rows: network_steps(),
            loads: table("1.a.p_w", 1000.0),
            voltages: table("end.a", 1.0),
            ..GridRecord::default()
        };
        writer.grid(&record).unwrap();
        let mut judge = Judge::of_run(writer.facts(), &start.scenario_toml).unwrap();
        for row in &record.rows {
            judge.grid(row);
        }
        let facts = writer.facts().clone();
        let mut open = Vec::new();
        for serial in 1..=2 {
            for (device, power_w) in [("all", 1010.0), ("home", 1000.0 * (1.0 - error))] {
                for (direction, part) in [("consumed", 1.0), ("injected", 0.0)] {
                    let name = format!("electricity.energy.active.{direction}.total");
                    let energy_j = part * power_w * 300.0 * serial as f64;
                    let observation = Observation {
                        device,
                        epoch: Some(Epoch(1)),
                        serial: Some(Serial(serial)),
                        quantity: MeasurementId::lookup(&name).unwrap(),
                        event_time: start.facts.start
                            + SimDuration::from_seconds(300 * serial as i64),
                        reference: Some(energy_j),
                        reported: Some(energy_j),
                        span,
                    };
                    judge.observation(&observation);
                    writer.observation(&observation);
                }
            }
            let finished = RunFacts { state: RunState::Finished, ..facts.clone() };
            open.push(judge.verdicts(&finished).remove(0));
        }
        writer.sync().unwrap();
        let end = RunEnd {
            state: RunState::Finished,
            cause: None,
            recorded_until: start.facts.end,
            ended: start.facts.end,
            guarantees: Vec::new(),
            more: serde_json::Map::new(),
        };
        writer.finish(end).unwrap();
        let last = evaluate(dir.path()).unwrap().verdicts.remove(0);
        assert_eq!((last.status, last.n), (status, 2), "{last:?}");
        assert_eq!(open[1], last, "when all is in");
        // Half of it is in: that half is judged, and the other is reported as open.
        assert_eq!(open[0].n, 1, "{:?}", open[0]);
        let fails = status == Status::Fail;
        let so_far = if fails { Status::Fail } else { Status::Inconclusive };
        let is_uncertain = span.is_some_and(|span| span.is_uncertain());
        assert_eq!(last.reason == Reason::SpreadNotTaken, is_uncertain, "{last:?}");
        assert_eq!(open[0].status, so_far, "{:?}", open[0]);
    }
}
