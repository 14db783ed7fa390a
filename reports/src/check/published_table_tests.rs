//! Tests of the check with planted deviations, whose r.m.s. values are known beforehand.

use std::fmt::Write as _;

use lastmeter_params::read_text;
use lastmeter_units::{Epoch, Serial, SimDuration};

use super::*;
use crate::check::testing::{START, facts, id};
use crate::record::RunState;
use crate::standard::{Connection, tests as testing};
use crate::verdict::Status;

const NAME: &str = "paper-table-1-sinusoidal";

fn plan(explained_ratio: Option<f64>) -> Arc<Plan> {
    let mut plan = testing::plan(NAME, "published", Connection::Direct);
    for row in &mut plan.suite.published {
        row.explained_ratio = explained_ratio;
        row.explanation = explained_ratio.map_or("", |_| "because").to_owned();
    }
    Arc::new(plan)
}

fn check_of(plan: &Arc<Plan>, toml: &str) -> Result<Box<dyn Check>, String> {
    let values = read_text(toml, &[KIND.entry.fields]).unwrap();
    let plan = Some(Arc::clone(plan));
    let context = CheckContext { name: "c".to_owned(), plan, ..CheckContext::default() };
    let mut out = Diagnostics::new();
    let check = build(&values, context, &mut out);
    check.ok_or_else(|| {
        out.into_sorted().into_iter().fold(String::new(), |mut text, mistake| {
            let _ = write!(text, "{}; ", mistake.message);
            text
        })
    })
}

/// Feeds a record of voltages and powers that deviate alternately by plus and minus these shares
/// in percent; readings for which `is_there` says no never come.
fn run(
    plan: &Arc<Plan>,
    toml: &str,
    (voltage, power): (f64, f64),
    is_there: impl Fn(u64) -> bool,
) -> Verdict {
    let mut check = check_of(plan, toml).unwrap();
    let facts = facts(RunState::Finished);
    check.begin(&facts);
    let (mut due, mut serial) = (SimDuration::ZERO, 0);
    while due < plan.duration() {
        due = due + plan.period;
        serial += 1;
        let point = plan.points.iter().find(|point| due <= point.end).unwrap();
        let at = &point.conditions;
        // What settles is far off, and must not count.
        let is_settling = due <= point.measure_from;
        let sign = if serial % 2 == 0 { 1.0 } else { -1.0 };
        let share = |percent: f64| if is_settling { 9.0 } else { sign * percent / 100.0 };
        let watts = at.apparent() * at.lag_rad.cos();
        for (name, reference, deviation) in [
            ("electricity.voltage.rms.l1", at.voltages[0], share(voltage)),
            // At 90 degrees nothing is left of the reference: a share of it would be infinite.
            ("electricity.power.active.consumed.l1", watts.max(1e-13), share(power)),
            ("electricity.frequency", at.frequency, share(FREQUENCY)),
        ] {
            check.observation(&Observation {
                device: "meter",
                epoch: Some(Epoch(1)),
                serial: Some(Serial(serial)),
                quantity: id(name),
                event_time: START + due,
                reference: Some(reference),
                reported: is_there(serial).then_some(reference * (1.0 + deviation)),
            });
        }
    }
    check.verdict(&facts)
}

/// The share in percent that frequency deviates by.
const FREQUENCY: f64 = 0.0001;

/// What is measured stands in the unit of the limit beside it: published in mHz, judged in Hz.
#[test]
fn measured_and_limit_are_told_in_one_unit() {
    let toml = "rows = [\"frequency\"]\nat_most = \"10 %\"";
    let verdict = run(&plan(None), toml, (0.0, 0.0), |_| true);
    assert_eq!((verdict.status, verdict.unit.as_str()), (Status::Pass, "Hz"), "{}", verdict.why);
    assert!((verdict.limit.unwrap() - 6.7e-5).abs() < 1e-12);
    let told = verdict.told.unwrap();
    // 1 ppm of 42.5 to 57.5 Hz.
    let measured = told.measured.strip_suffix(" Hz").unwrap().parse::<f64>().unwrap();
    assert!((4e-5..6e-5).contains(&measured), "{}", told.measured);
    assert!(told.basis.ends_with("published 0.67 mHz"), "{}", told.basis);
}

const ROWS: &str = "rows = [\"voltage\", \"active-power\"]\n";

#[test]
fn rows_are_held_to_what_was_published_either_way() {
    let plan = plan(None);
    // Published: 0.03 % and 0.043 %.
    for (within, deviations, status, measured) in [
        ("20 %", (0.03, 0.043), Status::Pass, 0.03),
        ("20 %", (0.0359, 0.043), Status::Pass, 0.0359),
        ("20 %", (0.0361, 0.043), Status::Fail, 0.0361),
        ("20 %", (0.03, 0.0340), Status::Fail, 0.0340),
        ("20 %", (0.03, f64::NAN), Status::Fail, f64::NAN),
    ] {
        let toml = format!("{ROWS}within = \"{within}\"");
        let verdict = run(&plan, &toml, deviations, |_| true);
        assert_eq!(verdict.status, status, "{deviations:?}: {}", verdict.why);
        if measured.is_nan() {
            assert_eq!(verdict.measured, None);
        } else {
            let found = verdict.measured.unwrap();
            assert!((found - measured).abs() < 1e-9 || status == Status::Pass, "{found}");
        }
    }
    let at_most = format!("{ROWS}at_most = \"10 %\"");
    assert_eq!(run(&plan, &at_most, (0.0029, 0.0042), |_| true).status, Status::Pass);
    let verdict = run(&plan, &at_most, (0.0029, 0.0044), |_| true);
    assert_eq!(verdict.status, Status::Fail);
    assert!((verdict.limit.unwrap() - 0.0043).abs() < 1e-12);
    assert!(
        verdict.why.starts_with("active-power: 0.0044 %, published 0.043 %"),
        "{}",
        verdict.why
    );
}

#[test]
fn what_is_far_off_needs_a_word() {
    let toml = format!("{ROWS}explained = 2");
    for (explained_ratio, deviations, status) in [
        (None, (0.03, 0.085), Status::Pass),
        (None, (0.03, 0.087), Status::Fail),
        (None, (0.0149, 0.043), Status::Fail),
        // Explained is one figure, up to the same factor: 0.25 to 1, and as well 0.5 to 2.
        (Some(0.5), (0.0149, 0.043), Status::Pass),
        (Some(0.5), (0.0076, 0.085), Status::Pass),
        (Some(0.5), (0.0074, 0.043), Status::Fail),
        (Some(3.0), (0.0149, 0.043), Status::Fail),
        (Some(3.0), (0.179, 0.047), Status::Pass),
        (Some(3.0), (0.181, 0.047), Status::Fail),
    ] {
        let verdict = run(&plan(explained_ratio), &toml, deviations, |_| true);
        assert_eq!(verdict.status, status, "{deviations:?}: {}", verdict.why);
    }
}

#[test]
fn what_is_missing_or_never_came_passes_nothing() {
    let plan = plan(None);
    let toml = format!("{ROWS}within = \"20 %\"");
    let verdict = run(&plan, &toml, (0.03, 0.043), |serial| serial != 40);
    assert_eq!(verdict.status, Status::Inconclusive, "{}", verdict.why);
    assert!(verdict.why.contains("missing"));
    let never = run(&plan, "rows = [\"current\"]\nwithin = \"20 %\"", (0.03, 0.043), |_| true);
    assert_eq!(never.status, Status::Inconclusive);
}

#[test]
fn a_check_says_how_it_judges_and_what() {
    let plan = plan(None);
    for (toml, message) in [
        ("", "one of `within`"),
        ("within = \"1 %\"\nat_most = \"1 %\"", "one of `within`"),
        ("within = \"1 %\"\nrows = [\"thd\"]", "no published row fits `thd`"),
        ("within = \"1 %\"\nrows = []", "a check of no rows"),
    ] {
        let found = check_of(&plan, toml).err().unwrap();
        assert!(found.contains(message), "{found}");
    }
    let limits = testing::plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    let found = check_of(&Arc::new(limits), "within = \"1 %\"").err().unwrap();
    assert!(found.contains("published figures"), "{found}");
}
