//! The part of a report about a standard's test plan, from a run folder whose errors are known.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lastmeter_params::{Diagnostics, SourceId, parse_document};
use lastmeter_plans::standard::plan_of;
use lastmeter_record::{Observation, RunEnd, RunFacts, RunStart, RunState, RunWriter, Status};
use lastmeter_reports::standard::Assessed;
use lastmeter_reports::{evaluate, junit, render};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

use crate::boxes;

const TEST_PLAN: &str = r#"format = 1
[test_plan]
name = "ours"
title = "Ours <b>"
edition = "first"
classes = ["fine", "rough"]
default_class = "fine"
connections = ["direct"]
missing_clauses = [
    { clause = "9.1", name = "repeatability", title = "Repeatability", reason = "nobody wrote it", elsewhere = "test plan theirs", classes = ["rough"], confirmed = true },
]
[[test]]
name = "error"
title = "Error against current"
current = ["0.1 Ib", "Ib", "Imax"]
power_factor = ["1", "0.5 ind"]
limit = [
    { values = { fine = "0.5 %" }, below = "Ib", clause = "1", confirmed = true, source = "here" },
    { values = { fine = "0.2 %" }, from = "Ib", clause = "1", confirmed = true, source = "here" },
    { values = { rough = "2 %" }, clause = "1", confirmed = false, source = "memory" },
]
[[not_simulated]]
name = "field"
title = "Magnetic field"
reason = "there is none"
"#;

const SCENARIO: &str = r#"format = 1
[scenario]
name = "s"
[test_plan]
standard = "ours.toml"
device = "meter"
[[device]]
name = "meter"
at = "source:test-plan"
model = "stpm34-3ph"
report_every = "1 s"
[[check]]
name = "fine"
kind = "test_plan"
[[check]]
name = "rough"
kind = "test_plan"
class = "rough"
"#;

fn start() -> SimTime {
    "2027-01-18T17:00:00Z".parse().unwrap()
}

/// A run in which the register gains `1 + error` of what is true, the error in percent by point.
fn write(dir: &Path, error: &dyn Fn(usize) -> f64) {
    let files = BTreeMap::from([("suite:ours.toml".to_owned(), TEST_PLAN.to_owned())]);
    let document = parse_document(SCENARIO, SourceId::FILE, &mut Diagnostics::new());
    let plan = plan_of(&document, &files, &mut Diagnostics::new()).unwrap();
    let end = start() + plan.duration();
    let facts = RunFacts {
        scenario: "s".to_owned(),
        files,
        seed: 1,
        start: start(),
        end,
        started: start(),
        overrides: Some(Vec::new()),
        platform: "embedded".to_owned(),
        ..RunFacts::default()
    };
    let begin = RunStart { scenario_toml: SCENARIO.to_owned(), facts };
    let mut writer = RunWriter::create(dir, &begin).unwrap();
    let (mut truth, mut reported) = (0.0, 0.0);
    for serial in 1..=plan.duration().0 / 1_000_000_000 {
        let due = SimDuration::from_seconds(serial);
        let place = plan.points.iter().position(|point| due <= point.end).unwrap();
        let conditions = &plan.points[place].conditions;
        let step = conditions.apparent() * conditions.lag_rad.cos();
        truth += step;
        reported += step * (1.0 + error(place) / 100.0);
        writer.observation(&Observation {
            device: "meter",
            epoch: Some(Epoch(1)),
            serial: Some(Serial(serial as u64)),
            quantity: MeasurementId::lookup("electricity.energy.active.consumed.total").unwrap(),
            event_time: start() + due,
            reference: Some(truth),
            reported: Some(reported),
            span: None,
        });
    }
    let end = RunEnd {
        state: RunState::Finished,
        cause: None,
        recorded_until: end,
        ended: end,
        guarantees: Vec::new(),
        more: serde_json::Map::new(),
    };
    writer.finish(end).unwrap();
}

#[test]
fn classes_curves_and_points_are_on_the_page() {
    let dir = tempfile::tempdir().unwrap();
    // The second current at unity power factor is off by 0.3 %, where 0.2 % are allowed.
    write(dir.path(), &|place| if place == 2 { 0.3 } else { 0.1 });
    let judged = evaluate(dir.path()).unwrap();
    let statuses: Vec<Status> = judged.verdicts.iter().map(|verdict| verdict.status).collect();
    assert_eq!(statuses, [Status::Fail, Status::Pass]);
    let worth = "limit unconfirmed, clauses missing";
    assert_eq!(judged.verdicts[1].qualification.as_deref(), Some(worth));
    let xml = junit::of_runs("s", [&judged]);
    assert!(
        xml.contains("name=\"qualification\" value=\"limit unconfirmed, clauses missing\""),
        "{xml}"
    );
    let page = fs::read_to_string(render(dir.path()).unwrap()).unwrap();
    for text in [
        "Accuracy against the standard",
        "Ours &lt;b&gt;",
        "<b>class fine</b>: fails at error, Ib, PF 1: 0.3 ±",
        "<b>class rough</b>: met in the tests that this plan has (1 test); limit unconfirmed in all \
         of them; not in it: repeatability (9.1), field",
        "6 points, 1 outside",
        "Not tested of class fine, with reasons: 1<",
        "there is none",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let figures = dir.path().join("figures");
    let points = fs::read_to_string(figures.join("suite-points.csv")).unwrap();
    assert_eq!(points.lines().count(), 7);
    assert!(
        points.lines().nth(3).unwrap().starts_with("error,error,\"Ib, PF 1\",fail,active_energy,%")
    );
    let curve = fs::read_to_string(figures.join("error-curve-active_energy-balanced.svg")).unwrap();
    // Two curves through three currents, and for each the limits on both sides as dashed steps.
    let lines: Vec<&str> = curve.split("<polyline ").skip(1).collect();
    let points = |line: &str| line.split('"').nth(1).unwrap().split(' ').count();
    let steps = || lines.iter().filter(|line| line.contains("stroke-dasharray=\"5 4\""));
    assert_eq!((lines.len(), steps().count()), (2 + 2 * 2, 2 * 2));
    assert!(lines.iter().all(|line| points(line) == if line.contains("dash") { 5 } else { 3 }));
    assert_eq!(boxes::faults(&curve), [""; 0]);
    let surface = fs::read_to_string(figures.join("surface-error.svg")).unwrap();
    assert_eq!(surface.matches("<title>").count(), 1 + 6);
    assert_eq!(boxes::faults(&surface), [""; 0]);
    // The same folder gives the same pictures.
    render(dir.path()).unwrap();
    let again = fs::read_to_string(figures.join("error-curve-active_energy-balanced.svg")).unwrap();
    assert_eq!(curve, again);
}

#[test]
fn a_folder_is_held_against_every_class() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &|_| 0.1);
    let assessed = Assessed::read(dir.path()).unwrap().unwrap();
    let lines: Vec<(String, Status)> =
        assessed.summary().into_iter().map(|line| (line.class, line.status)).collect();
    let expected = [("fine".to_owned(), Status::Pass), ("rough".to_owned(), Status::Pass)];
    assert_eq!(lines, expected);
    let missing: Vec<Vec<String>> = assessed
        .summary()
        .into_iter()
        .map(|line| line.missing.iter().map(|one| format!("{}: {}", one.name, one.why())).collect())
        .collect();
    let field = "field: there is none";
    let repeated = "repeatability: nobody wrote it; tested by test plan theirs";
    assert_eq!(missing, [vec![field], vec![repeated, field]]);
    let worst = assessed.claimed().tests[0].worst().unwrap();
    let figures = worst.figures.as_ref().unwrap();
    // What is reported is a multiple of a few millijoules, as far as anybody can see.
    let budget = figures.budget;
    assert!((figures.value - 0.1).abs() < 1e-6 && budget.expanded() < 1e-3, "{budget:?}");
    let rest = lastmeter_reports::standard::Budget { register: 0.0, ..budget };
    assert!(rest.expanded() < 1e-6, "{budget:?}");
}

/// Somebody makes the meter right in the record: its class is no better for it.
#[test]
fn an_edited_record_meets_no_class() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &|_| 0.1);
    let path = dir.path().join("observations.csv");
    let text = fs::read_to_string(&path).unwrap();
    let at = text.rfind("00").unwrap();
    fs::write(&path, format!("{}01{}", &text[..at], &text[at + 2..])).unwrap();
    let assessed = Assessed::read(dir.path()).unwrap().unwrap();
    for line in assessed.summary() {
        assert_eq!(line.status, Status::Error, "{}: {}", line.class, line.text);
        assert!(line.text.contains("changed after the run"), "{}", line.text);
    }
}
