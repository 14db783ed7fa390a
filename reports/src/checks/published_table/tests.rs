//! Tests of the check with planted deviations, whose r.m.s. values are known beforehand.

use std::fmt::Write as _;

use lastmeter_params::{Diagnostic, read_text};
use lastmeter_units::{Epoch, Serial, SimDuration};

use super::*;
use crate::check::CHECK_FIELDS;
use crate::checks::testing::{START, facts, fed, id};
use crate::standard::judge_tests as plans;
use lastmeter_plans::standard::Connection;
use lastmeter_record::{RunState, Status};

const NAME: &str = "paper-table-1-sinusoidal";

fn plan() -> Arc<Plan> {
    Arc::new(plans::plan(NAME, "published", Connection::Direct))
}

fn describe(mistakes: Vec<Diagnostic>) -> String {
    mistakes.into_iter().fold(String::new(), |mut text, mistake| {
        let _ = write!(text, "{}; ", mistake.message);
        text
    })
}

fn check_of(plan: &Arc<Plan>, toml: &str) -> Result<Box<dyn Check>, String> {
    let values = read_text(toml, &[CHECK_FIELDS, KIND.entry.fields]).map_err(describe)?;
    let context = CheckContext {
        name: "c".to_owned(),
        plan: Some(Arc::clone(plan)),
        covers: values.text_list("covers").into_iter().map(str::to_owned).collect(),
        ..CheckContext::default()
    };
    let mut out = Diagnostics::new();
    let check = build(&values, context, &mut out);
    check.map(|check| fed(&KIND, check)).ok_or_else(|| describe(out.into_sorted()))
}

/// Feeds a record of voltages and powers that deviate alternately by plus and minus these shares
/// in percent; readings for which `is_there` is false never come.
fn run(
    plan: &Arc<Plan>,
    toml: &str,
    (voltage, power): (f64, f64),
    is_there: impl Fn(u64) -> bool,
) -> Verdict {
    let toml = format!("{HEAD}{toml}");
    let mut check = check_of(plan, &toml).unwrap();
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
                span: None,
            });
        }
    }
    check.verdict(&facts)
}

/// What every check has.
const HEAD: &str = "name = \"c\"\nkind = \"published_table\"\n";

/// The share in percent that frequency deviates by.
const FREQUENCY: f64 = 0.0001;

/// What is measured stands in the unit of the limit beside it: published in mHz, judged in Hz.
#[test]
fn measured_and_limit_are_shown_in_one_unit() {
    let toml = "rows = [\"frequency\"]\nat_most = \"10 %\"";
    let verdict = run(&plan(), toml, (0.0, 0.0), |_| true);
    assert_eq!((verdict.status, verdict.unit.as_str()), (Status::Pass, "Hz"), "{}", verdict.why);
    assert!((verdict.limit.unwrap() - 6.7e-5).abs() < 1e-12);
    let text = verdict.told.unwrap();
    // 1 ppm of 42.5 to 57.5 Hz.
    let (measured, _) = text.measured.split_once(" Hz").unwrap();
    let measured = measured.parse::<f64>().unwrap();
    assert!((4e-5..6e-5).contains(&measured), "{}", text.measured);
    assert_eq!(text.measured.split(", ").nth(1), Some("published 0.67 mHz"));
    let place = verdict.at.unwrap();
    assert_eq!(place.device.as_deref(), Some("meter"));
    assert_eq!(place.quantity.as_deref(), Some("electricity.frequency"));
}

const ROWS: &str = "rows = [\"voltage\", \"active-power\"]\n";

#[test]
fn rows_are_held_to_what_was_published_either_way() {
    let plan = plan();
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
        verdict.why.to_string().starts_with("active-power: 0.0044 %, published 0.043 %"),
        "{}",
        verdict.why
    );
    // Of two outside the farther one decides: 1.5 and 2.1 times what is allowed.
    let verdict = run(&plan, &at_most, (0.0045, 0.00903), |_| true);
    assert!(verdict.why.to_string().starts_with("active-power: 0.00903 %"), "{}", verdict.why);
}

/// A row with its limits on the console: what is measured never looks outside on a pass.
#[test]
fn a_limit_with_two_sides_is_shown_with_both() {
    for (voltage, within, shown) in [
        (0.0246, "20 %", "0.0246 %, published 0.03 %, allowed 0.024 to 0.036 %"),
        (0.0354, "20 %", "0.0354 %, published 0.03 %, allowed 0.024 to 0.036 %"),
        (0.0100, "150 %", "0.01 %, published 0.03 %, allowed 0 to 0.075 %"),
    ] {
        let toml = format!("rows = [\"voltage\"]\nwithin = \"{within}\"");
        let verdict = run(&plan(), &toml, (voltage, 0.043), |_| true);
        assert_eq!((verdict.status, verdict.reason), (Status::Pass, Reason::WithinLimit));
        let (low, high) = (verdict.limit_low.unwrap(), verdict.limit.unwrap());
        assert!((low..=high).contains(&verdict.measured.unwrap()), "{verdict:?}");
        let text = verdict.told.as_ref().unwrap();
        assert_eq!(text.measured, shown);
        assert_eq!(text.basis, "voltage, nearest to its limit of 1 row");
        let line = crate::console::format_verdicts(std::slice::from_ref(&verdict))[0].to_string();
        assert!(line.contains(shown) && !line.contains("limit 0"), "{line}");
        assert!(verdict.why.to_string().starts_with("voltage (fitted): 0.0"), "{}", verdict.why);
    }
}

const EXCUSED: &str = "within = \"20 %\"\nnot_reproduced = [\
    { row = \"voltage\", explanation = \"V because\" },\
    { row = \"active-power\", explanation = \"P because\" }]";

#[test]
fn a_row_that_is_missed_with_an_explanation_is_skipped_and_no_pass() {
    let plan = plan();
    for (deviations, reason, message) in [
        // Published: 0.03 % and 0.043 %, so that 0.024 to 0.036 and 0.0344 to 0.0516 are inside.
        ((0.1, 0.001), Reason::NotReproduced, "explanation: V because"),
        ((0.0361, 0.0343), Reason::NotReproduced, "explanation: P because"),
        ((0.0359, 0.001), Reason::StaleExplanation, "its explanation is out of date"),
        ((0.1, 0.043), Reason::StaleExplanation, "name it in `rows`"),
        ((f64::NAN, 0.001), Reason::OutsideLimit, "NaN"),
    ] {
        let verdict = run(&plan, EXCUSED, deviations, |_| true);
        assert_eq!(verdict.reason, reason, "{deviations:?}: {}", verdict.why);
        assert!(verdict.why.to_string().contains(message), "{}", verdict.why);
        assert_eq!((verdict.limit, verdict.limit_low), (None, None));
    }
    let verdict = run(&plan, EXCUSED, (0.1, 0.001), |_| true);
    assert_eq!(verdict.status, Status::Skipped);
    assert!(
        verdict.why.to_string().contains("voltage (fitted): 0.1 %, published 0.03 %, ratio 3.333")
    );
    assert!(verdict.why.to_string().contains("active-power (fitted): 0.001 %, published 0.043 %"));
    assert!(verdict.n > 0 && verdict.qualification.is_none());
    let missing = run(&plan, EXCUSED, (0.1, 0.001), |serial| serial != 40);
    assert_eq!(missing.reason, Reason::Incomplete, "{}", missing.why);
}

#[test]
fn assumptions_are_listed_with_a_pass() {
    let toml = "rows = [\"voltage\"]\nwithin = \"20 %\"\nqualification = \"a rate of ours\"";
    let verdict = run(&plan(), toml, (0.03, 0.043), |_| true);
    assert_eq!(verdict.qualification.as_deref(), Some("a rate of ours"));
    assert!(verdict.told.unwrap().basis.ends_with(", a rate of ours"));
    let failed = run(&plan(), toml, (0.3, 0.043), |_| true);
    assert_eq!((failed.status, failed.qualification), (Status::Fail, None));
}

#[test]
fn what_is_missing_or_never_came_passes_nothing() {
    let plan = plan();
    let toml = format!("{ROWS}within = \"20 %\"");
    let verdict = run(&plan, &toml, (0.03, 0.043), |serial| serial != 40);
    assert_eq!(verdict.status, Status::Inconclusive, "{}", verdict.why);
    assert!(verdict.why.to_string().contains("missing"));
    let never = run(&plan, "rows = [\"current\"]\nwithin = \"20 %\"", (0.03, 0.043), |_| true);
    assert_eq!(never.status, Status::Inconclusive);
}

#[test]
fn a_check_states_how_it_judges_and_what() {
    const ONE: &str = "not_reproduced = [{ row = \"voltage\", explanation = \"x\" }]\n";
    let plan = plan();
    for (toml, message) in [
        ("", "one of `within`"),
        ("within = \"1 %\"\nat_most = \"1 %\"", "one of `within`"),
        ("within = \"1 %\"\nrows = [\"thd\"]", "no published row fits `thd`"),
        ("within = \"1 %\"\nrows = []", "a check of no rows"),
        (ONE, "`not_reproduced` needs `within`"),
        (&format!("{ONE}at_most = \"1 %\""), "`not_reproduced` needs `within`"),
        (&format!("{ONE}within = \"1 %\"\nrows = [\"current\"]"), "in a check of their own"),
        (&format!("{ONE}within = \"1 %\"\ncovers = [\"C-09\"]"), "covers no requirement"),
        ("within = 1\nnot_reproduced = [{ row = \"x\", explanation = \"y\" }]", "row fits `x`"),
        (
            "within = 1\nnot_reproduced = [{ row = \"voltage\", explanation = \" \" }]",
            "nothing explains why `voltage`",
        ),
        (
            "within = 1\nnot_reproduced = [{ row = \"voltage\", explanation = \"x\" }, \
             { row = \"voltage\", explanation = \"y\" }]",
            "`voltage` is already among",
        ),
        ("explained = 2", "key `explained` is no longer supported"),
    ] {
        let found = check_of(&plan, &format!("{HEAD}{toml}")).err().unwrap();
        assert!(found.contains(message), "{found}");
    }
    let limits = plans::plan("iec-62053-22-2003", "0.2S", Connection::Transformer);
    let found = check_of(&Arc::new(limits), &format!("{HEAD}within = \"1 %\"")).err().unwrap();
    assert!(found.contains("published values"), "{found}");
}

/// The rows of the sinusoidal set: voltage, current, frequency, active-power, apparent-power,
/// power-factor, non-active-power.
#[test]
fn each_published_row_stands_in_exactly_one_check() {
    const REST: &str = "within = \"20 %\"\nnot_reproduced = [\
        { row = \"apparent-power\", explanation = \"x\" },\
        { row = \"power-factor\", explanation = \"x\" },\
        { row = \"non-active-power\", explanation = \"x\" }]";
    const BAND: &str =
        "rows = [\"voltage\", \"current\", \"frequency\", \"active-*\"]\nwithin = \"20 %\"";
    let plan = plan();
    let mistakes = |tables: &[&str]| {
        let read = |(place, toml): (usize, &&str)| {
            let toml = format!("name = \"c{place}\"\nkind = \"published_table\"\n{toml}");
            read_text(&toml, &[CHECK_FIELDS, KIND.entry.fields]).unwrap()
        };
        let values: Vec<Values> = tables.iter().enumerate().map(read).collect();
        let mut out = Diagnostics::new();
        let values: Vec<&Values> = values.iter().collect();
        each_row_has_its_check(&plan, &values, lastmeter_params::Span::default(), &mut out);
        describe(out.into_sorted())
    };
    let other = format!("device = \"other\"\n{BAND}");
    let other_rest = format!("device = \"other\"\n{REST}");
    let at_most = "device = \"ideal\"\nat_most = \"10 %\"";
    for (tables, message) in [
        (&[BAND, REST][..], ""),
        (&["within = \"20 %\""], ""),
        // How little an ideal meter deviates means nothing for the publication.
        (&[BAND, REST, at_most], ""),
        (&[BAND, REST, &other, &other_rest], ""),
        (
            &[BAND],
            "no check states whether `meter` reproduces `apparent-power`, `power-factor`, `non",
        ),
        (&[REST], "whether `meter` reproduces `voltage`, `current`, `frequency`, `active-power`; "),
        (&["at_most = \"10 %\""], "whether `meter` reproduces `voltage`, `current`, `frequency`"),
        (&[BAND, REST, "rows = [\"voltage\"]\nwithin = \"1 %\""], "`voltage` of `meter` stands in"),
        (&[BAND, REST, &other], "no check states whether `other` reproduces `apparent-power`"),
        (&[], "whether `meter` reproduces `voltage`"),
    ] {
        let found = mistakes(tables);
        assert!(found.contains(message) && found.is_empty() == message.is_empty(), "{found}");
    }
}
