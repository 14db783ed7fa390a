//! The accuracy check against typed-in pairs.

use lastmeter_units::{Serial, SimDuration};
use proptest::prelude::*;

use super::super::testing::{at, check, facts, row, try_check};
use super::*;
use lastmeter_record::{DeviceFacts, Evidence, RecordedSpan, RunState};

const U: &str = "electricity.voltage.rms.l1";
const P: &str = "electricity.power.active.consumed.l1";
const RELATIVE: &str = "quantity = \"electricity.voltage.rms.*\"\nlimit = \"0.2 %\"";

fn judge(toml: &str, rows: &[Observation<'_>]) -> Verdict {
    let mut check = check("accuracy", toml);
    for row in rows {
        check.observation(row);
    }
    check.verdict(&facts(RunState::Finished))
}

fn pairs<'a>(quantity: &str, values: &[(f64, f64)]) -> Vec<Observation<'a>> {
    (1..)
        .zip(values)
        .map(|(serial, &(reference, reported))| {
            row("m", serial, quantity, Some(reference), Some(reported))
        })
        .collect()
}

#[test]
fn the_worst_pair_is_measured_and_located() {
    let verdict = judge(RELATIVE, &pairs(U, &[(230.0, 230.1), (230.0, 229.77), (230.0, 230.0)]));
    assert_eq!((verdict.status, verdict.n, verdict.unit.as_str()), (Status::Pass, 3, "%"));
    assert!((verdict.measured.unwrap() - 0.1).abs() < 1e-9);
    assert_eq!(verdict.limit, Some(0.2));
    let place = verdict.at.unwrap();
    assert_eq!((place.device.as_deref(), place.time), (Some("m"), Some(at(20))));
    assert_eq!((place.epoch, place.serial), (Some(1), Some(2)));
    assert_eq!(place.quantity.as_deref(), Some(U));
    assert_eq!((verdict.bound, verdict.covers), (None, vec!["F-04".to_owned()]));
    assert_eq!(verdict.why.to_string(), "all 3 pairs within 0.2 %");
}

#[test]
fn one_pair_outside_fails_and_shows_both_values() {
    let verdict = judge(RELATIVE, &pairs(U, &[(230.0, 230.0), (230.0, 232.3)]));
    assert_eq!(verdict.status, Status::Fail);
    assert!((verdict.measured.unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(verdict.why.to_string(), "1 of 2 outside; worst: reported 232.3 V, reference 230 V");
}

#[test]
fn an_error_equal_to_the_limit_is_inside() {
    let toml = format!("quantity = \"{U}\"\nlimit = \"500 mV\"");
    assert_eq!(judge(&toml, &pairs(U, &[(230.0, 230.5)])).status, Status::Pass);
    let verdict = judge(&toml, &pairs(U, &[(230.0, 230.5 + 1e-9)]));
    assert_eq!(
        (verdict.status, verdict.limit, verdict.unit.as_str()),
        (Status::Fail, Some(0.5), "V")
    );
}

#[test]
fn nan_and_infinity_are_inside_no_limit() {
    for reported in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let verdict = judge(RELATIVE, &pairs(U, &[(230.0, 230.0), (230.0, reported)]));
        assert_eq!((verdict.status, verdict.measured), (Status::Fail, None), "{reported}");
        assert!(verdict.why.to_string().contains("inside no limit"), "{}", verdict.why);
        assert_eq!(verdict.at.unwrap().serial, Some(2));
    }
}

#[test]
fn a_percentage_of_zero_fails_unless_minimum_leaves_it_out() {
    let values = pairs(P, &[(0.0, 0.001), (100.0, 100.0), (0.0, 0.0)]);
    let toml = format!("quantity = \"{P}\"\nlimit = \"0.2 %\"");
    let verdict = judge(&toml, &values);
    assert_eq!((verdict.status, verdict.measured, verdict.n), (Status::Fail, None, 3));
    assert!(verdict.why.to_string().contains("see `minimum`"), "{}", verdict.why);
    let verdict = judge(&format!("{toml}\nminimum = \"50 W\""), &values);
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 1));
    assert!(
        verdict.why.to_string().ends_with("; 2 values below `minimum` not judged"),
        "{}",
        verdict.why
    );
}

/// A meter that creeps: nothing flows, and it reports what `minimum` is about.
#[test]
fn what_is_reported_though_nothing_flows_is_judged_in_percent_of_the_minimum() {
    let toml = format!("quantity = \"{P}\"\nlimit = \"2 %\"\nminimum = \"50 W\"");
    for (reference, reported, expected) in [
        (0.0, 75.0, Some(150.0)),
        (0.0, -75.0, Some(150.0)),
        (49.0, 50.0, Some(2.0)),
        (49.0, 50.5, Some(3.0)),
        (0.0, 49.9, None),
        (-49.9, 49.9, None),
    ] {
        let verdict = judge(&toml, &pairs(P, &[(100.0, 100.0), (reference, reported)]));
        let measured = expected.unwrap_or(0.0);
        assert!((verdict.measured.unwrap() - measured).abs() < 1e-9, "{verdict:?}");
        let status = if measured <= 2.0 { Status::Pass } else { Status::Fail };
        assert_eq!(verdict.status, status, "{reference} {reported}: {}", verdict.why);
        assert_eq!(verdict.n, 1 + u64::from(expected.is_some()), "{reference} {reported}");
    }
    let verdict = judge(&toml, &pairs(P, &[(100.0, 100.0), (0.0, f64::NAN)]));
    assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
}

#[test]
fn the_line_of_a_pass_lists_what_it_is_not_about() {
    let device = |name: &str| DeviceFacts {
        name: name.to_owned(),
        model: "ideal-1ph".to_owned(),
        evidence: Evidence::Simulated,
        at: "source:s".to_owned(),
        under_test: false,
        fidelity: None,
        serial: None,
        firmware: None,
        reports: Vec::new(),
    };
    let describe = |toml: &str, devices: &[&str]| {
        let devices = devices.iter().map(|name| device(name)).collect();
        let facts = RunFacts { devices, ..facts(RunState::Finished) };
        let mut check = check("accuracy", toml);
        for row in pairs(P, &[(100.0, 100.1), (1.0, 1.0)]) {
            check.observation(&row);
        }
        let verdict = check.verdict(&facts);
        assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
        (verdict.why.to_string(), verdict.told.map(|text| (text.measured, text.basis)))
    };
    let toml = format!("quantity = \"{P}\"\nlimit = \"1 %\"");
    assert_eq!(describe(&toml, &["m"]), ("all 2 pairs within 1 %".to_owned(), None));
    // Whom the check is not about is not spoken of.
    assert_eq!(describe(&format!("{toml}\ndevice = \"m\""), &["m", "x"]).1, None);
    let (why, line) = describe(&format!("{toml}\nminimum = \"50 W\""), &["m", "x"]);
    let rest = "1 value below `minimum` not judged; nothing of x to compare";
    assert_eq!(why, format!("all 1 pair within 1 %; {rest}"));
    let basis = "n 1, 1 value below `minimum` not judged, nothing of x to compare";
    assert_eq!(line, Some(("0.1 %".to_owned(), basis.to_owned())));
    let (why, _) = describe(&toml, &["m", "a", "b", "c", "d"]);
    assert!(why.ends_with("; nothing of a, b, c and 1 more to compare"), "{why}");
    let (why, _) = describe(&toml, &["m", "a", "b", "c"]);
    assert!(why.ends_with("; nothing of a, b, c to compare"), "{why}");
}

/// As where kilovolts were meant.
#[test]
fn an_absolute_limit_that_a_dead_meter_meets_is_inconclusive() {
    for (limit, reported, expected) in [
        ("231 V", 230.0, Reason::NothingToJudge),
        ("230 V", 0.0, Reason::NothingToJudge),
        ("229 V", 230.0, Reason::WithinLimit),
        ("229 V", 0.0, Reason::OutsideLimit),
        ("231 V", 500.0, Reason::OutsideLimit),
    ] {
        let toml = format!("quantity = \"{U}\"\nlimit = \"{limit}\"");
        let verdict = judge(&toml, &pairs(U, &[(230.0, reported), (100.0, 100.0)]));
        assert_eq!(verdict.reason, expected, "{limit} {reported}: {}", verdict.why);
    }
    // Of a power there may be none.
    let toml = format!("quantity = \"{P}\"\nlimit = \"5 W\"");
    assert_eq!(judge(&toml, &pairs(P, &[(1.0, 0.0)])).status, Status::Pass);
}

#[test]
fn leaving_everything_out_is_inconclusive() {
    let toml = format!("quantity = \"{P}\"\nlimit = \"0.2 %\"\nminimum = \"50 W\"");
    let verdict = judge(&toml, &pairs(P, &[(10.0, 10.0)]));
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 0));
    assert!(verdict.why.to_string().contains("1 value below `minimum`"), "{}", verdict.why);
}

#[test]
fn no_pair_at_all_is_inconclusive() {
    assert_eq!(judge(RELATIVE, &[]).status, Status::Inconclusive);
    let unexpected = row("m", 1, U, None, Some(230.0));
    assert_eq!(judge(RELATIVE, &[unexpected]).status, Status::Inconclusive);
    let unknown = row("m", 1, U, Some(f64::NAN), Some(230.0));
    let verdict = judge(RELATIVE, &[unknown]);
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(
        verdict.why.to_string().contains("1 value without a known reference"),
        "{}",
        verdict.why
    );
}

#[test]
fn a_missing_value_is_named_but_a_series_that_never_came_is_inconclusive() {
    let mut rows = pairs(U, &[(230.0, 230.0), (230.0, 230.0)]);
    rows.push(row("m", 3, U, Some(230.0), None));
    let verdict = judge(RELATIVE, &rows);
    assert_eq!(verdict.status, Status::Pass);
    assert!(verdict.why.to_string().ends_with("; 1 value missing"), "{}", verdict.why);
    rows.push(row("other", 1, U, Some(230.0), None));
    let verdict = judge(RELATIVE, &rows);
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 2));
    assert!(verdict.why.to_string().starts_with(&format!("{U} of other: due")), "{}", verdict.why);
}

#[test]
fn a_due_series_of_which_nothing_could_be_judged_is_inconclusive_by_name() {
    let toml = format!("{RELATIVE}\nminimum = \"50 V\"");
    for (reference, reported, message) in [
        (f64::NAN, Some(230.0), "; 1 value without a known reference not judged"),
        (f64::NAN, None, "; 1 value missing; 1 value without a known reference not judged"),
        (10.0, Some(10.0), "; 1 value below `minimum` not judged"),
    ] {
        let mut rows = pairs(U, &[(230.0, 230.0)]);
        rows.push(row("other", 1, U, Some(reference), reported));
        let verdict = judge(&toml, &rows);
        assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 1), "{}", verdict.why);
        assert!(
            verdict.why.to_string().starts_with(&format!("{U} of other: due")),
            "{}",
            verdict.why
        );
        assert!(verdict.why.to_string().ends_with(message), "{}", verdict.why);
        // What was seen and is wrong stays so.
        rows.push(row("m", 2, U, Some(230.0), Some(0.0)));
        assert_eq!(judge(&toml, &rows).status, Status::Fail);
    }
}

#[test]
fn only_the_named_device_and_quantity_are_judged() {
    let toml = format!("device = \"m\"\n{RELATIVE}");
    let mut rows = pairs(U, &[(230.0, 230.0)]);
    rows.push(row("x", 1, U, Some(230.0), Some(0.0)));
    rows.push(row("m", 1, P, Some(230.0), Some(0.0)));
    rows[0].serial = Some(Serial(7));
    let verdict = judge(&toml, &rows);
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 1));
}

#[test]
fn a_limit_of_another_dimension_is_refused() {
    for (toml, message) in [
        (
            format!("quantity = \"{U}\"\nlimit = \"1 W\""),
            format!("`limit` is of dimension active power, which {U} is not"),
        ),
        (
            format!("quantity = \"{P}\"\nlimit = \"1 %\"\nminimum = \"1 V\""),
            format!("`minimum` is of dimension voltage, which {P} is not"),
        ),
        (
            "quantity = \"electricity.*.rms.l1\"\nlimit = \"1 A\"".to_owned(),
            format!("`limit` is of dimension current, which {U} is not"),
        ),
        (
            "quantity = \"speed\"\nlimit = \"1 %\"".to_owned(),
            "no measurement identifier fits `speed`".to_owned(),
        ),
    ] {
        assert_eq!(try_check("accuracy", &toml).err().unwrap(), [message]);
    }
}

#[test]
fn a_limit_in_percent_keeps_the_figure_that_was_written() {
    for written in ["0.07", "0.2", "0.3", "1", "0.05", "33.3"] {
        let toml = format!("quantity = \"{U}\"\nlimit = \"{written} %\"");
        let verdict = judge(&toml, &[]);
        assert_eq!(verdict.limit.unwrap().to_string(), written);
    }
}

proptest! {
    /// The definition, pair by pair: nothing outside passes, nothing inside fails.
    #[test]
    fn the_verdict_agrees_with_the_definition(
        values in prop::collection::vec((1.0_f64..1000.0, -0.004_f64..0.004), 1..40),
    ) {
        let values: Vec<_> = values.into_iter().map(|(x, e)| (x, x * (1.0 + e))).collect();
        let errors = values.iter().map(|(x, y)| ((y - x) / x).abs() * 100.0);
        let worst = errors.fold(0.0, f64::max);
        prop_assume!((worst - 0.2).abs() > 1e-9);
        let verdict = judge(RELATIVE, &pairs(U, &values));
        prop_assert_eq!(verdict.status == Status::Pass, worst <= 0.2);
        prop_assert!((verdict.measured.unwrap() - worst).abs() < 1e-9);
        prop_assert_eq!(verdict.n, values.len() as u64);
    }
}

#[test]
fn a_device_beyond_what_it_models_is_not_passed() {
    let rows = pairs(U, &[(230.0, 230.0)]);
    for (device, status) in [("m", Status::Inconclusive), ("other", Status::Inconclusive)] {
        let mut check = check("accuracy", RELATIVE);
        for row in &rows {
            check.observation(row);
        }
        let event = Event::device(rows[0].event_time, device, "beyond_range", "");
        check.event(1, &event);
        let verdict = check.verdict(&facts(RunState::Finished));
        assert_eq!(verdict.status, status, "{}", verdict.why);
        assert!(verdict.why.to_string().contains("samples"), "{}", verdict.why);
    }
    let mut narrow = check("accuracy", &format!("device = \"m\"\n{RELATIVE}"));
    for row in &rows {
        narrow.observation(row);
    }
    narrow.event(1, &Event::device(rows[0].event_time, "other", "beyond_range", ""));
    assert_eq!(narrow.verdict(&facts(RunState::Finished)).status, Status::Pass);
}

/// 0.5 % of 1000 pulses are 5, and one more is free: 1006 is inside, 1007 is not.
#[test]
fn of_a_count_of_pulses_one_is_free_and_the_limit_holds_for_the_rest() {
    let pulses = "x.electricity.pulses.active";
    let toml = "quantity = \"x.electricity.pulses.*\"\nlimit = \"0.5 %\"";
    for (reference, reported, error, status) in [
        (1000.0, 1006.0, 0.5, Status::Pass),
        (1000.0, 994.0, 0.5, Status::Pass),
        (1000.0, 1007.0, 0.6, Status::Fail),
        (1000.0, 993.0, 0.6, Status::Fail),
        // A quarter too many, and one of few: the limit is a hundredth of what is free.
        (4.0, 5.0, 0.0, Status::Inconclusive),
        (200.0, 201.0, 0.0, Status::Pass),
        (199.0, 200.0, 0.0, Status::Inconclusive),
        (0.0, 1.0, 0.0, Status::Inconclusive),
        (1.0, 0.0, 0.0, Status::Inconclusive),
    ] {
        let verdict = judge(toml, &pairs(pulses, &[(reference, reported)]));
        assert_eq!(verdict.status, status, "{reported} for {reference}");
        assert!((verdict.measured.unwrap() - error).abs() < 1e-12, "{reported} for {reference}");
    }
    let few = judge(toml, &pairs(pulses, &[(4.0, 5.0)]));
    assert!(
        few.why.to_string().contains("came to 4 only")
            && few.why.to_string().contains("at least 200"),
        "{}",
        few.why
    );
    // What began with nothing is judged by what it came to.
    let whole = judge(toml, &pairs(pulses, &[(0.0, 0.0), (300.0, 300.0)]));
    assert_eq!(whole.status, Status::Pass, "{}", whole.why);
    // No number is inside no limit, and two pulses out of nothing are no share of nothing.
    for (reference, reported) in [(1000.0, f64::NAN), (0.0, 2.0)] {
        assert_eq!(judge(toml, &pairs(pulses, &[(reference, reported)])).status, Status::Fail);
    }
    // A voltage has no pulse that is free.
    assert_eq!(judge(RELATIVE, &pairs(U, &[(230.0, 231.0)])).status, Status::Fail);
}

/// With a platform that doubles every second reading, each doubled one is a missing and an
/// unexpected row, and those that were left alone agree.
#[test]
fn a_series_with_altered_values_passes_nothing() {
    let mut rows = pairs(U, &[(230.0, 230.0), (230.0, 230.0)]);
    rows.push(row("m", 3, U, Some(230.0), None));
    rows.push(row("m", 3, U, None, Some(460.0)));
    let verdict = judge(RELATIVE, &rows);
    assert_eq!(verdict.reason, Reason::AlteredReadings);
    assert!(
        verdict.why.to_string().starts_with("1 value stored that no device sent"),
        "{}",
        verdict.why
    );
    // Another quantity's is not this check's business, and a value outside stays a fail.
    let other = row("m", 3, P, None, Some(1.0));
    rows.pop();
    assert_eq!(judge(RELATIVE, &[rows.clone(), vec![other]].concat()).status, Status::Pass);
    rows.push(row("m", 4, U, None, Some(230.0)));
    rows.push(row("m", 5, U, Some(230.0), Some(300.0)));
    assert_eq!(judge(RELATIVE, &rows).reason, Reason::OutsideLimit);
}

/// A pair whose reference is known to so many volts.
fn uncertain(reported: f64, spread: f64) -> Observation<'static> {
    let (from, to) = (SimDuration(0), SimDuration(1));
    let span = Some(RecordedSpan { from, to, spread, way: "direct" });
    Observation { span, ..row("m", 1, U, Some(200.0), Some(reported)) }
}

/// 1 % of 200 V is 2 V, and 0.5 V of spread are 0.25 %.
#[test]
fn a_spread_guards_both_sides_of_the_limit() {
    let toml = format!("quantity = \"{U}\"\nlimit = \"1 %\"");
    for (reported, spread, status) in [
        (201.5, 0.5, Status::Pass),
        (201.5001, 0.5, Status::Inconclusive),
        (198.4, 0.5, Status::Inconclusive),
        (202.5, 0.5, Status::Inconclusive),
        (202.5001, 0.5, Status::Fail),
        (197.4, 0.5, Status::Fail),
        (202.0, 0.0, Status::Pass),
        (202.1, 0.0, Status::Fail),
        (200.0, 2.1, Status::Inconclusive),
        (200.0, f64::NAN, Status::Inconclusive),
        (500.0, f64::NAN, Status::Inconclusive),
        (f64::NAN, f64::NAN, Status::Fail),
    ] {
        let verdict = judge(&toml, &[uncertain(reported, spread)]);
        assert_eq!(verdict.status, status, "{reported} known to {spread}: {}", verdict.why);
        let absolute = format!("quantity = \"{U}\"\nlimit = \"2 V\"");
        assert_eq!(judge(&absolute, &[uncertain(reported, spread)]).status, status, "{reported}");
    }
}

/// 190 V to 210 V may be a value that `minimum` is about.
#[test]
fn what_may_reach_the_minimum_is_not_left_out() {
    let toml = format!("quantity = \"{U}\"\nlimit = \"4.8 %\"\nminimum = \"210 V\"");
    for (spread, n) in [(0.0, 0), (9.9, 0), (10.0, 1), (f64::NAN, 1)] {
        let verdict = judge(&toml, &[uncertain(201.0, spread)]);
        assert_eq!((verdict.n, verdict.status), (n, Status::Inconclusive), "{spread}");
    }
}

#[test]
fn an_undecided_verdict_shows_error_limit_and_spread() {
    let toml = format!("quantity = \"{U}\"\nlimit = \"1 %\"");
    // The second is farther off, yet decided.
    let rows = [uncertain(201.8, 0.5), uncertain(201.85, 0.1), uncertain(200.0, 0.6)];
    let verdict = judge(&toml, &rows);
    assert_eq!(verdict.reason, Reason::BetweenBounds);
    assert!((verdict.measured.unwrap() - 0.9).abs() < 1e-9);
    let expected = "1 of 3 not decided; worst: 0.9 % with a limit of 1 % and a reference known to \
                    0.25 %";
    assert_eq!(verdict.why.to_string(), expected);
    let unknown = judge(&toml, &[uncertain(200.0, f64::NAN)]);
    assert!(unknown.why.to_string().contains("is not known over all spans"), "{}", unknown.why);
    // What fails fails, whatever else is not decided.
    let both = judge(&toml, &[uncertain(202.4, 0.5), uncertain(202.3, 0.1)]);
    assert_eq!(both.status, Status::Fail);
    assert!((both.measured.unwrap() - 1.15).abs() < 1e-9, "{}", both.why);
    assert!(
        both.why.to_string().ends_with("reported 202.3 V, reference 200 V, known to 0.05 %"),
        "{}",
        both.why
    );
    let passes = judge(&toml, &[uncertain(200.1, 0.5)]);
    let expected = "all 1 pair within 1 %, with references known to 0.25 % or better";
    assert_eq!(passes.why.to_string(), expected);
}

/// While a plant moves the reference of some values is known less well than the limit. What is
/// judged on either side of them shows whether a meter follows.
#[test]
fn values_around_a_step_are_left_out_if_enough_is_judged_beside_them() {
    let toml = format!("quantity = \"{U}\"\nlimit = \"1 %\"");
    // A letter each: `x` has a spread of 5 %, and so has `F`, which is 10 % off; `f` is 2 % off.
    let of_rows = judge;
    let judge = |text: &str| {
        let values = text.chars().map(|letter| match letter {
            'x' => uncertain(205.0, 10.0),
            'F' => uncertain(220.5, 10.0),
            'f' => uncertain(204.0, 0.0),
            _ => uncertain(200.0, 0.1),
        });
        judge(&toml, &values.collect::<Vec<_>>())
    };
    for (text, n, reason) in [
        ("..x..", 4, Reason::WithinLimit),
        ("..xx..x..", 6, Reason::WithinLimit),
        (".x..", 3, Reason::TooFew),
        ("..x.", 3, Reason::TooFew),
        ("..x.x..", 5, Reason::TooFew),
        ("x..", 2, Reason::WithinLimit),
        ("x.", 1, Reason::TooFew),
        ("x.x..", 3, Reason::TooFew),
        ("....x", 4, Reason::TooFew),
        ("xxx", 0, Reason::NothingToJudge),
        ("..x.f", 4, Reason::OutsideLimit),
        ("..F..", 5, Reason::OutsideLimit),
    ] {
        let verdict = judge(text);
        assert_eq!((verdict.n, verdict.reason), (n, reason), "{text}: {}", verdict.why);
        let left_out = text.matches('x').count();
        let message = format!("{left_out} value");
        assert!(left_out == 0 || verdict.why.to_string().contains(&message), "{}", verdict.why);
    }
    // What is below `minimum` would have been judged had it been reported otherwise.
    let toml = format!("{toml}\nminimum = \"250 V\"");
    let [low, step] = [uncertain(200.0, 0.1), uncertain(205.0, 60.0)];
    let high = Observation { reference: Some(300.0), reported: Some(300.0), ..uncertain(0.0, 0.1) };
    let rows = [high, high, step, low, low];
    assert_eq!(of_rows(&toml, &rows).reason, Reason::WithinLimit);
}

/// What a register counted between two readings is judged, whatever it began with.
#[test]
fn a_register_is_judged_by_what_it_counted() {
    const E: &str = "electricity.energy.active.consumed.l1";
    let zero = SimDuration(0);
    let judge = |limit: &str, readings: &[(f64, f64, f64)]| {
        let rows: Vec<_> = (1..)
            .zip(readings)
            .map(|(serial, &(reference, reported, spread))| {
                let span = RecordedSpan { from: zero, to: zero, spread, way: "direct" };
                let row = row("m", serial, E, Some(reference), Some(reported));
                Observation { span: Some(span), ..row }
            })
            .collect();
        judge(&format!("quantity = \"{E}\"\nlimit = \"{limit}\"\ndifference = true"), &rows)
    };
    let good = judge("1 %", &[(100.0, 7100.0, 0.0), (600.0, 7000.0, 0.0), (1100.0, 8105.0, 0.0)]);
    assert_eq!((good.reason, good.n), (Reason::WithinLimit, 1), "{}", good.why);
    assert!((good.measured.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(good.at.unwrap().serial, Some(3));
    for (limit, readings, expected) in [
        // Frozen, begun again, counting another meter's energy.
        ("1 %", [(100.0, 7100.0, 0.0), (1100.0, 7100.0, 0.0)], Reason::OutsideLimit),
        ("1 %", [(100.0, 7100.0, 0.0), (1100.0, 0.0, 0.0)], Reason::OutsideLimit),
        ("1 %", [(100.0, 7100.0, 0.0), (1100.0, 8200.0, 0.0)], Reason::OutsideLimit),
        // Both ends are known to 4 J of 1000 J.
        ("1 %", [(100.0, 0.0, 4.0), (1100.0, 1001.0, 4.0)], Reason::WithinLimit),
        ("1 %", [(100.0, 0.0, 4.0), (1100.0, 1003.0, 4.0)], Reason::BetweenBounds),
        ("0.5 %", [(100.0, 0.0, 4.0), (1100.0, 1000.0, 4.0)], Reason::NothingToJudge),
    ] {
        let verdict = judge(limit, &readings);
        assert_eq!(verdict.reason, expected, "{readings:?}: {}", verdict.why);
    }
    assert_eq!(judge("1 %", &[(100.0, 7100.0, 0.0)]).reason, Reason::NothingToJudge);
    let no_register = format!("quantity = \"{U}\"\nlimit = \"1 V\"\ndifference = true");
    assert!(try_check("accuracy", &no_register).is_err());
}
