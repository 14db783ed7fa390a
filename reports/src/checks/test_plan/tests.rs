//! Tests of the check with records made by hand: energies of planted errors, so that every figure
//! is known beforehand.

use std::sync::Arc;

use lastmeter_params::read_text;
use lastmeter_units::{Epoch, Serial, SimDuration};
use proptest::prelude::*;

use super::*;
use crate::checks::testing::{START, facts, id, try_check_in};
use crate::standard::judge_tests as plans;
use lastmeter_plans::standard::{Connection, Plan, Point};
use lastmeter_record::RunState;

/// The register a reading shows, from the true energy of all points so far.
type Reported<'a> = &'a dyn Fn(&Point, u64) -> Option<f64>;

fn check_of(plan: &Arc<Plan>, toml: &str) -> Result<Box<dyn Check>, Vec<String>> {
    let context = CheckContext {
        name: "c".to_owned(),
        plan: Some(Arc::clone(plan)),
        ..CheckContext::default()
    };
    try_check_in(&KIND, toml, context)
}

/// Feeds a record in which each reading registers what was true at its point times `1 + error`, the
/// error in percent by point and number of the reading; `None`: the reading is missing.
fn run(plan: &Arc<Plan>, toml: &str, error: Reported<'_>) -> Verdict {
    run_uneven(plan, toml, error, |_| 1.0)
}

/// Like `run`, with readings that cover this many periods by their number: what a reading covers
/// ends with a window, so that they are seldom of one length.
fn run_uneven(
    plan: &Arc<Plan>,
    toml: &str,
    error: Reported<'_>,
    periods: fn(u64) -> f64,
) -> Verdict {
    let mut check = check_of(plan, toml).unwrap();
    let facts = facts(RunState::Finished);
    check.begin(&facts);
    let period_s = plan.period.as_seconds_f64();
    let (mut truth, mut reported) = (0.0, 0.0);
    let mut due = SimDuration::ZERO;
    let mut serial = 0;
    while due < plan.duration() {
        due = due + plan.period;
        serial += 1;
        let point = plan.points.iter().find(|point| due <= point.end).unwrap();
        let conditions = &point.conditions;
        let step = conditions.apparent() * conditions.lag_rad.cos() * period_s * periods(serial);
        truth += step;
        let made = error(point, serial);
        reported += step * (1.0 + made.unwrap_or(0.0) / 100.0);
        for (name, reference, value) in [
            ("electricity.energy.active.consumed.total", truth, reported),
            ("electricity.energy.active.injected.total", 0.0, 0.0),
        ] {
            check.observation(&Observation {
                device: "meter",
                epoch: Some(Epoch(1)),
                serial: Some(Serial(serial)),
                quantity: id(name),
                event_time: START + due,
                reference: Some(reference),
                reported: made.map(|_| value),
                span: None,
            });
        }
    }
    check.verdict(&facts)
}

fn plan() -> Arc<Plan> {
    Arc::new(plans::plan("iec-62053-22-2003", "0.2S", Connection::Transformer))
}

#[test]
fn a_meter_without_error_meets_its_class() {
    let plan = plan();
    for tests in ["error-*", "voltage-*", "temperature", "repeatability", "starting", "no-load"] {
        let verdict = run(&plan, &format!("tests = [\"{tests}\"]"), &|_, _| Some(0.0));
        assert_eq!(verdict.status, Status::Pass, "{tests}: {}", verdict.why);
        assert!(verdict.n > 0);
    }
}

/// Table 4 of IEC 62053-22:2003, class 0.2S: 0.2 % from 0.05 In on.
#[test]
fn a_gain_error_falls_on_its_side_of_the_limit() {
    let plan = plan();
    let of = |error: f64| run(&plan, "tests = [\"error-pf1\"]", &|_, _| Some(error));
    let (inside, outside) = (of(0.199_99), of(0.200_01));
    assert_eq!((inside.status, outside.status), (Status::Pass, Status::Fail));
    assert!((inside.measured.unwrap() - 0.199_99).abs() < 1e-7, "{:?}", inside.measured);
    let place = inside.at.unwrap();
    assert_eq!(place.device.as_deref(), Some("meter"));
    assert!(place.time.is_some_and(|time| time > START && time <= START + plan.duration()));
    assert_eq!((inside.limit, inside.unit.as_str()), (Some(0.2), "%"));
    assert_eq!(inside.qualification.as_deref(), Some("clauses missing"));
    assert!(outside.why.to_string().starts_with("6 of 8 points fail"), "{}", outside.why);
    assert_eq!(of(-0.200_01).status, Status::Fail);
    // Below 0.05 In 0.4 % are allowed.
    let low = |point: &Point, _: u64| {
        Some(if point.conditions.currents[0] < 0.249 { 0.399 } else { 0.0 })
    };
    assert_eq!(run(&plan, "tests = [\"error-pf1\"]", &low).status, Status::Pass);
}

#[test]
fn a_limit_from_memory_qualifies_a_pass_and_a_fail() {
    let plan = plan();
    let toml = "tests = [\"error-pf1\"]\nclass = \"0.5S\"";
    let passed = run(&plan, toml, &|_, _| Some(0.3));
    assert_eq!(passed.status, Status::Pass, "{}", passed.why);
    assert_eq!(passed.qualification.as_deref(), Some("limit unconfirmed, clauses missing"));
    assert!(passed.told.unwrap().basis.ends_with("limit unconfirmed, clauses missing"));
    let failed = run(&plan, toml, &|_, _| Some(1.2));
    assert_eq!(failed.status, Status::Fail);
    assert_eq!(failed.qualification.as_deref(), Some("limit unconfirmed"));
}

/// A pass states of its class what it rests on, and names what the plan lacks.
#[test]
fn a_class_is_met_in_the_tests_that_the_plan_has() {
    let plan = plan();
    let clauses = plan.test_plan.missing_clauses.len();
    assert!(clauses > 5, "{clauses}");
    let of = |plan: &Arc<Plan>| run(plan, "tests = [\"error-pf1\"]", &|_, _| Some(0.1));
    let verdict = of(&plan);
    let basis = "class 0.2S in the tests that this plan has, 8 points, clauses missing";
    assert_eq!(verdict.told.unwrap().basis, basis);
    for clause in &plan.test_plan.missing_clauses {
        let named = format!("{} ({})", clause.name, clause.clause);
        assert!(verdict.why.to_string().contains(&named), "{named}: {}", verdict.why);
    }
    // Without any of them it is met, and with one that is asked of other meters it is as well.
    let mut whole = (*plan).clone();
    let mut other = whole.test_plan.missing_clauses[0].clone();
    other.classes = vec![whole.test_plan.class("0.5S").unwrap()];
    whole.test_plan.missing_clauses = vec![other];
    let whole = Arc::new(whole);
    let verdict = of(&whole);
    assert_eq!((verdict.status, verdict.qualification), (Status::Pass, None), "{}", verdict.why);
    assert_eq!(verdict.told.unwrap().basis, "class 0.2S, 8 points");
    assert!(
        !verdict.why.to_string().contains("in the tests that this plan has"),
        "{}",
        verdict.why
    );
    // One phase has no load to be unbalanced: what is skipped is missing, and named.
    let mut claim = whole.claim.clone();
    claim.phases = 1;
    let single = Plan::new(whole.test_plan.clone(), claim, whole.period).unwrap();
    let verdict = of(&Arc::new(single));
    assert_eq!(verdict.qualification.as_deref(), Some("clauses missing"));
    assert!(verdict.why.to_string().contains("load-balance (8.1)"), "{}", verdict.why);
    // A fail is one, whatever else was not tested.
    let failed = run(&plan, "tests = [\"error-pf1\"]", &|_, _| Some(1.0));
    assert_eq!((failed.status, failed.qualification), (Status::Fail, None));
    assert!(failed.told.unwrap().basis.starts_with("class 0.2S, 8 points"));
}

/// Four readings of errors 0.19 -+ d: s = 2d/sqrt(3), U = 3.31 s/2 (JCGM 100, tables G.2).
#[test]
fn a_point_within_the_guard_band_is_too_close_to_call() {
    let plan = plan();
    let noisy = |d: f64| {
        move |_: &Point, serial: u64| Some(0.19 + if serial.is_multiple_of(2) { d } else { -d })
    };
    let verdict = run(&plan, "tests = [\"load-balance\", \"error-pf1\"]", &noisy(0.002));
    assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
    let expected = 3.31 * 2.0 * 0.002 / 3.0_f64.sqrt() / 2.0;
    let text = verdict.told.unwrap().measured;
    let uncertainty: f64 = format!("{expected:.1e}").parse().unwrap();
    assert!(text.contains(&format!("± {uncertainty}")), "{text}");
    let verdict = run(&plan, "tests = [\"error-pf1\"]", &noisy(0.01));
    assert_eq!(verdict.status, Status::Inconclusive, "{}", verdict.why);
    assert!(verdict.why.to_string().contains("too close to call"), "{}", verdict.why);
}

/// Two windows in one reading and three in the next are no scatter of the error.
#[test]
fn readings_of_unequal_length_do_not_scatter_a_constant_error() {
    let plan = plan();
    let uneven = |serial: u64| if serial.is_multiple_of(2) { 1.2 } else { 0.8 };
    let of = |error: f64| run_uneven(&plan, "tests = [\"error-pf1\"]", &|_, _| Some(error), uneven);
    assert_eq!((of(0.199).status, of(0.201).status), (Status::Pass, Status::Fail));
}

#[test]
fn what_is_missing_or_no_number_never_passes() {
    let plan = plan();
    let toml = "tests = [\"error-pf1\"]";
    let missing = run(&plan, toml, &|_, serial| (serial % 60 != 30).then_some(0.0));
    assert_eq!(missing.status, Status::Inconclusive, "{}", missing.why);
    assert_eq!(run(&plan, toml, &|_, _| None).status, Status::Inconclusive);
    assert_eq!(run(&plan, toml, &|_, _| Some(f64::NAN)).status, Status::Fail);
    assert_eq!(run(&plan, toml, &|_, _| Some(f64::INFINITY)).status, Status::Fail);
    let mut check = check_of(&plan, toml).unwrap();
    let finished = facts(RunState::Finished);
    check.begin(&finished);
    let nothing = check.verdict(&finished);
    assert_eq!((nothing.status, nothing.n), (Status::Inconclusive, 0), "{}", nothing.why);
    assert!(!nothing.why.to_string().contains("skipped"), "{}", nothing.why);
    assert_eq!(nothing.reason, Reason::NothingToJudge);
    // A device that reports something else is not tested, which is reported.
    check.observation(&crate::checks::testing::row(
        "meter",
        1,
        "electricity.frequency",
        Some(50.0),
        Some(50.0),
    ));
    let skipped = check.verdict(&finished);
    assert_eq!(skipped.status, Status::Skipped);
    assert!(
        skipped.why.to_string().starts_with("every test is skipped; 1 test skipped"),
        "{}",
        skipped.why
    );
    assert!(skipped.why.to_string().contains("does not report active_energy"), "{}", skipped.why);
}

#[test]
fn a_meter_whose_input_may_exceed_what_it_models_is_not_passed() {
    let plan = plan();
    let mut check = check_of(&plan, "tests = [\"error-pf1\"]").unwrap();
    let finished = facts(RunState::Finished);
    check.begin(&finished);
    let before = check.verdict(&finished);
    check.event(1, &Event::device(START, "other", "beyond_range", ""));
    assert_eq!(check.verdict(&finished).why, before.why);
    check.event(2, &Event::device(START, "meter", "beyond_range", ""));
    let verdict = check.verdict(&finished);
    assert_eq!(verdict.reason, Reason::BeyondRange);
    assert!(
        verdict.why.to_string().ends_with(&format!("otherwise {}", before.why)),
        "{}",
        verdict.why
    );
}

/// The second phase is 0.2 % off, where 0.1 % of the declared voltage are allowed.
#[test]
fn the_phase_that_is_worst_is_named() {
    let plan = Arc::new(plans::plan("iec-61000-4-30-a", "A", Connection::Direct));
    let mut check = check_of(&plan, "tests = [\"voltage-state-1\"]").unwrap();
    let finished = facts(RunState::Finished);
    check.begin(&finished);
    let (mut due, mut serial) = (SimDuration::ZERO, 0);
    while due < plan.duration() {
        (due, serial) = (due + plan.period, serial + 1);
        let point = plan.points.iter().find(|point| due <= point.end).unwrap();
        for (phase, gain) in [(1, 1.0), (2, 1.002), (3, 0.9995)] {
            let volts = point.conditions.voltages[phase - 1];
            let name = format!("electricity.voltage.rms.l{phase}");
            let (reference, reported) = (Some(volts), Some(gain * volts));
            let row = crate::checks::testing::row("meter", serial, &name, reference, reported);
            check.observation(&Observation { event_time: START + due, ..row });
        }
    }
    let verdict = check.verdict(&finished);
    assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
    let place = verdict.at.unwrap();
    assert_eq!(place.quantity.as_deref(), Some("electricity.voltage.rms.l2"));
}

#[test]
fn what_settles_does_not_count() {
    let plan = plan();
    let settling = |point: &Point, serial: u64| {
        let due = SimDuration(plan.period.0 * serial as i64);
        Some(if due <= point.measure_from { 50.0 } else { 0.1 })
    };
    assert_eq!(run(&plan, "tests = [\"error-pf1\"]", &settling).status, Status::Pass);
}

#[test]
fn each_planted_influence_fails_its_own_test_only() {
    use Status::{Fail, Pass};

    let plan = plan();
    let tests = ["error-pf1", "temperature", "voltage-pf1", "frequency", "load-balance"];
    let statuses = |error: Reported<'_>| {
        tests.map(|test| run(&plan, &format!("tests = [\"{test}\"]"), error).status)
    };
    // 0.015 %/K where 0.01 are allowed at unity power factor.
    let temperature = |point: &Point, _: u64| Some(0.015 * (point.conditions.celsius - 23.0));
    assert_eq!(statuses(&temperature), [Pass, Fail, Pass, Pass, Pass]);
    let voltage =
        |point: &Point, _: u64| Some(0.15 * (point.conditions.voltages[0] / 230.0 - 1.0) * 10.0);
    assert_eq!(statuses(&voltage), [Pass, Pass, Fail, Pass, Pass]);
    let frequency =
        |point: &Point, _: u64| Some(0.15 * (point.conditions.frequency / 50.0 - 1.0) * 50.0);
    assert_eq!(statuses(&frequency), [Pass, Pass, Pass, Fail, Pass]);
    let single =
        |point: &Point, _: u64| Some(if point.conditions.currents[1] == 0.0 { 0.41 } else { 0.0 });
    assert_eq!(statuses(&single), [Pass, Pass, Pass, Pass, Fail]);
}

/// 0.001 In is 5 mA: at 230 V and three phases 3.45 W. A pulse at 100,000 per kWh is 36 J.
#[test]
fn starting_and_no_load_are_about_registered_energy() {
    let plan = plan();
    let starting = |error: f64| run(&plan, "tests = [\"starting\"]", &|_, _| Some(error));
    assert_eq!(starting(-30.0).status, Status::Pass);
    assert_eq!(starting(-40.0).status, Status::Fail);
    assert_eq!(starting(-100.0).status, Status::Fail);
    let dead = starting(-100.0);
    assert!((dead.measured.unwrap() - 100.0).abs() < 1e-6);
    let creeping = |joules: f64| {
        let mut check = check_of(&plan, "tests = [\"no-load\"]").unwrap();
        let finished = facts(RunState::Finished);
        check.begin(&finished);
        let place = plan.points.iter().position(|point| point.conditions.apparent() == 0.0);
        let point = &plan.points[place.unwrap()];
        let (from, end) = (point.measure_from.as_seconds_f64(), point.end.as_seconds_f64());
        let mut due = SimDuration::ZERO;
        let mut serial = 0;
        while due < plan.duration() {
            due = due + plan.period;
            serial += 1;
            let share = ((due.as_seconds_f64() - from) / (end - from)).clamp(0.0, 1.0);
            let name = "electricity.energy.active.consumed.total";
            check.observation(&Observation {
                event_time: START + due,
                ..crate::checks::testing::row(
                    "meter",
                    serial,
                    name,
                    Some(0.0),
                    Some(joules * share),
                )
            });
        }
        check.verdict(&finished)
    };
    let half = creeping(18.0);
    assert_eq!(half.status, Status::Pass, "{}", half.why);
    assert!((half.measured.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(creeping(37.0).status, Status::Fail);
    assert_eq!(creeping(-37.0).status, Status::Fail);
}

#[test]
fn a_check_that_makes_no_sense_is_refused() {
    let plan = plan();
    let messages = |toml: &str| check_of(&plan, toml).err().unwrap_or_default();
    assert_eq!(messages("tests = [\"eror-pf1\"]"), ["no test that is played fits `eror-pf1`"]);
    assert_eq!(messages("class = \"3\""), ["iec-62053-22-2003 has no such class"]);
    assert_eq!(messages("tests = []"), ["a check of no tests judges nothing"]);
    let values = read_text("", &[KIND.entry.fields]).unwrap();
    let mut out = Diagnostics::new();
    assert!(build(&values, CheckContext::default(), &mut out).is_none());
    assert_eq!(out.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Outside its printed uncertainty a planted error is on the right side of every class's limit.
    #[test]
    fn a_planted_error_is_on_the_right_side(error in -1.5_f64..1.5, scatter in 0.0_f64..0.01) {
        let plan = plan();
        // Errors of four readings whose mean is the planted one.
        let planted = |_: &Point, serial: u64| {
            Some(error + if serial.is_multiple_of(2) { scatter } else { -scatter })
        };
        for (class, low, high) in [("0.2S", 0.4, 0.2), ("0.5S", 1.0, 0.5), ("0.1S", 0.2, 0.1)] {
            let toml = format!("tests = [\"error-pf1\"]\nclass = \"{class}\"");
            let verdict = run(&plan, &toml, &planted);
            let uncertainty = 3.31 * 2.0 * scatter / 3.0_f64.sqrt() / 2.0 + 1e-6;
            // The tighter limit, from 0.05 In on, decides.
            prop_assert!(high < low);
            if error.abs() <= high - uncertainty {
                prop_assert_eq!(verdict.status, Status::Pass, "{} {}", class, verdict.why);
            } else if error.abs() > high + uncertainty {
                prop_assert_eq!(verdict.status, Status::Fail, "{} {}", class, verdict.why);
            }
        }
    }
}
