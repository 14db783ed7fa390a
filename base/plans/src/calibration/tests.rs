//! Tests of unrolling a `[calibration]`.

use lastmeter_params::{Diagnostics, SourceId, parse_document};

use super::*;

fn try_plan(section: &str) -> Result<Plan, Vec<String>> {
    let text = format!(
        "[calibration]\ndevice = \"m\"\nreference = \"r\"\n{section}\n\
         [[device]]\nname = \"m\"\nreport_every = \"1 s\"\n\
         [[device]]\nname = \"r\"\nreport_every = \"1 s\"\nstated_uncertainty = \"0.04 %\"\n"
    );
    let mut out = Diagnostics::new();
    let document = parse_document(&text, SourceId::FILE, &mut out);
    let plan = plan_of(&document, &mut out);
    let messages: Vec<String> = out.into_sorted().into_iter().map(|d| d.message).collect();
    plan.filter(|_| messages.is_empty()).ok_or(messages)
}

fn chip() -> Plan {
    let keys = "procedure = \"energy-chip\"\ncurrents = [\"1 A\", \"10 A\"]\nreadings = 3";
    try_plan(keys).unwrap()
}

fn levels() -> Plan {
    let keys = "procedure = \"static\"\nvoltage = \"600 V\"\ncurrent = \"40 A\"\n\
                levels = [\"-100 %\", \"0 %\", \"100 %\"]\nreadings = 3";
    try_plan(keys).unwrap()
}

#[test]
fn points_follow_one_another_with_whole_readings() {
    let plan = chip();
    assert_eq!(plan.reference_uncertainty, Some(0.000_4));
    let stages: Vec<&str> = plan.points.iter().map(|point| point.stage.word()).collect();
    // Two currents at two power factors, before and after; five measuring points between.
    let sweep = |word| vec![word; 4];
    let steps = vec!["rms-gains", "active-gain", "phase", "other-gains", "offsets"];
    assert_eq!(stages, [sweep("before"), steps, sweep("after")].concat());
    // 2 s to settle and three readings of a second.
    assert_eq!(plan.duration().as_seconds_f64(), 13.0 * 5.0);
    let steps: Vec<f64> = plan.steps().iter().map(|(at, _)| at.as_seconds_f64()).collect();
    assert_eq!(steps, [25.0, 30.0, 35.0, 40.0, 45.0]);
    // The static procedure computes once, from the sweep before.
    let steps = levels().steps();
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].0.as_seconds_f64(), steps[0].1), (15.0, Stage::Before));
}

#[test]
fn only_readings_wholly_within_the_measuring_time_count() {
    let plan = chip();
    let seconds = lastmeter_units::SimDuration::from_seconds;
    let place = |previous, due| plan.point_of(seconds(previous), seconds(due));
    assert_eq!(place(0, 1), None);
    assert_eq!(place(1, 2), None);
    assert_eq!(place(2, 3), Some(0));
    assert_eq!(place(4, 5), Some(0));
    assert_eq!(place(5, 6), None);
    // A reading that bridges a lost one may reach back before the measuring time.
    assert_eq!(place(6, 8), None);
    assert_eq!(place(7, 8), Some(1));
    assert_eq!(place(64, 65), Some(12));
    assert_eq!(place(65, 66), None);
}

#[test]
fn totals_stand_in_for_the_phase_of_a_device_that_has_none() {
    let (plan, seconds) = (chip(), lastmeter_units::SimDuration::from_seconds);
    let id = |name: &str| lastmeter_units::MeasurementId::lookup(name).unwrap();
    let (phase, total) =
        ("electricity.power.active.consumed.l1", "electricity.power.active.consumed.total");
    let back = "electricity.power.active.injected.total";
    for (values, expected) in [
        (&[(phase, 5.0)][..], 5.0),
        (&[(total, 6.0), (back, 2.0)], 4.0),
        // Both are one power.
        (&[(phase, 5.0), (total, 6.0)], 5.0),
    ] {
        let mut gatherer = Gatherer::new(&plan);
        for due in 1..=3 {
            for &(name, value) in values {
                gatherer.value(&plan, seconds(due), id(name), value);
            }
        }
        gatherer.close(&plan);
        let found = &gatherer.points()[0];
        assert_eq!(found[&Subject::ActivePower], [expected], "{values:?}");
    }
}

#[test]
fn what_makes_no_calibration_is_reported() {
    for (keys, part) in [
        ("procedure = \"static\"\nlevels = [\"0 %\", \"1 %\"]", "three levels"),
        ("procedure = \"static\"\nlevels = [\"0 %\", \"0 %\", \"1 %\", \"1 %\"]", "three levels"),
        ("procedure = \"energy-chip\"\ncurrents = []", "without points"),
        ("procedure = \"guess\"", "guess"),
    ] {
        let messages = try_plan(keys).unwrap_err();
        assert!(messages.iter().any(|message| message.contains(part)), "{keys}: {messages:?}");
    }
    let text = "[calibration]\ndevice = \"m\"\nreference = \"m\"\nprocedure = \"static\"\n";
    let mut out = Diagnostics::new();
    let document = parse_document(text, SourceId::FILE, &mut out);
    assert_eq!(plan_of(&document, &mut out), None);
    assert!(out.into_sorted()[0].message.contains("its own reference"));
}
