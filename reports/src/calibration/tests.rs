//! What counts at the points of a plan, and errors from known records.

use lastmeter_params::{Diagnostics, SourceId, parse_document};
use lastmeter_units::{Epoch, Serial, SimTime};

use super::*;
use lastmeter_plans::calibration::{Conditions, Plan, Stage, Subject, plan_of};
use lastmeter_record::Observation;

const START: SimTime = SimTime(1_800_000_000_000_000_000);

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

pub(crate) fn chip() -> Plan {
    let keys = "procedure = \"energy-chip\"\ncurrents = [\"1 A\", \"10 A\"]\nreadings = 3";
    try_plan(keys).unwrap()
}

pub(crate) fn levels() -> Plan {
    let keys = "procedure = \"static\"\nvoltage = \"600 V\"\ncurrent = \"40 A\"\n\
                levels = [\"-100 %\", \"0 %\", \"100 %\"]\nreadings = 3";
    try_plan(keys).unwrap()
}

/// Feeds a record: `value(device, due in seconds, quantity)` gives reference and reported.
pub(crate) fn fed(
    plan: &Plan,
    names: &[&'static str],
    value: impl Fn(&str, i64, &str) -> (f64, f64),
) -> Vec<Observation<'static>> {
    let seconds = plan.duration().as_seconds_f64() as i64;
    let mut rows = Vec::new();
    for due in 1..=seconds {
        for device in ["m", "r"] {
            for name in names {
                let (reference, reported) = value(device, due, name);
                rows.push(Observation {
                    device,
                    epoch: Some(Epoch(1)),
                    serial: Some(Serial(due as u64)),
                    quantity: lastmeter_units::MeasurementId::lookup(name).unwrap(),
                    event_time: START + lastmeter_units::SimDuration::from_seconds(due),
                    reference: Some(reference),
                    reported: Some(reported),
                    span: None,
                });
            }
        }
    }
    rows
}

#[test]
fn errors_are_counted_from_the_truth_or_from_the_reference_meter() {
    let plan = levels();
    let mut assessor = Assessor::new(plan.clone(), START);
    // The meter is 0.6 V off (0.1 % of 600 V) with a zigzag of 0.06 V, the reference meter 0.3 V.
    let rows = fed(&plan, &["x.electricity.voltage.mean.l1"], |device, due, _| match device {
        "m" => (100.0, 100.6 + 0.06 * [0.0, 1.0, -1.0][(due % 3) as usize]),
        _ => (100.0, 100.3),
    });
    for row in &rows {
        assessor.observation(row);
    }
    let truth = assessor.sweeps(ErrorBasis::Truth);
    let of = |points: &[SweepPoint], stage| {
        let mine = points.iter().find(|p| p.stage == stage && p.subject == Subject::Voltage);
        mine.unwrap().figure.unwrap()
    };
    let after = of(&truth, Stage::After);
    assert!((after.error - 0.1).abs() < 1e-12 && after.readings == 3, "{after:?}");
    // Zigzag 0, 1, -1 has the standard deviation 1: 0.01 %.
    assert!((after.deviation - 0.01).abs() < 1e-12);
    // Student's factor of two degrees is 4.53: 4.53 * 0.01 / sqrt(3).
    assert!((after.uncertainty.scatter - 0.026_154).abs() < 1e-6);
    assert_eq!(after.uncertainty.given, 0.0);
    let seen = of(&assessor.sweeps(ErrorBasis::Reference), Stage::After);
    assert!((seen.error - 0.05).abs() < 1e-12);
    assert!((seen.uncertainty.given - 0.04).abs() < 1e-12);
    // The current was never reported.
    let current = truth.iter().find(|point| point.subject == Subject::Current).unwrap();
    assert_eq!(current.figure, None);
}

#[test]
fn powers_that_are_a_small_part_of_the_apparent_one_have_no_relative_error() {
    let plan = chip();
    let points = Assessor::new(plan, START).sweeps(ErrorBasis::Truth);
    let has = |subject, lag: f64| {
        points.iter().any(|point| {
            let Conditions::Sine { lag_rad, .. } = point.conditions else { return false };
            point.subject == subject && (lag_rad - lag).abs() < 1e-9
        })
    };
    let sixty = std::f64::consts::FRAC_PI_3;
    assert!(has(Subject::ActivePower, 0.0) && has(Subject::ActivePower, sixty));
    assert!(!has(Subject::ReactivePower, 0.0) && has(Subject::ReactivePower, sixty));
}
