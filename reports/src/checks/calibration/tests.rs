//! The check of a calibration on records whose errors are known.

use std::sync::Arc;

use lastmeter_params::read_text;
use lastmeter_units::SimDuration;

use super::super::testing::{START, facts, try_check_in};
use super::*;
use crate::calibration::tests::{fed, levels};
use lastmeter_record::{EventKind, RunState};

const VOLTAGE: &str = "x.electricity.voltage.mean.l1";

fn try_check(toml: &str) -> Result<Box<dyn Check>, Vec<String>> {
    let context = CheckContext {
        name: "c".to_owned(),
        calibration: Some(Arc::new(levels())),
        ..CheckContext::default()
    };
    try_check_in(&KIND, toml, context)
}

/// The verdict on a meter that is so many per cent of full scale off, before and after.
fn verdict(toml: &str, before: f64, after: f64) -> Verdict {
    let mut check = try_check(&format!("quantities = [\"voltage\"]\n{toml}")).unwrap();
    check.begin(&facts(RunState::Finished));
    // The sweep before ends after 15 s; a little scatter, so that there is an uncertainty.
    let rows = fed(&levels(), &[VOLTAGE], |device, due, _| match device {
        "m" => {
            let percent = if due <= 15 { before } else { after };
            let scatter = 0.001 * [0.0, 1.0, -1.0][(due % 3) as usize];
            (100.0, 100.0 + 6.0 * (percent + scatter))
        }
        _ => (100.0, 100.0 + 6.0 * 0.2),
    });
    assert_eq!(rows[0].event_time - START, SimDuration::from_seconds(1));
    for row in &rows {
        check.observation(row);
    }
    check.verdict(&facts(RunState::Finished))
}

#[test]
fn a_calibration_passes_if_errors_are_small_after_it_and_were_not_before() {
    let found = verdict("limit = \"0.05 %\"", 0.4, 0.01);
    assert_eq!(found.status, Status::Pass, "{}", found.why);
    assert!((found.measured.unwrap() - 0.01).abs() < 1e-9 && found.n == 3);
    assert_eq!(found.at.as_ref().unwrap().device.as_deref(), Some("m"));
    // It states that nothing was written; that alone is no failure, the errors are.
    assert!(found.why.to_string().contains("no coefficient"), "{}", found.why);
    assert!(!found.why.to_string().contains("outside"), "{}", found.why);
    let found = verdict("limit = \"0.05 %\"", 0.4, 0.06);
    assert_eq!(found.status, Status::Fail);
    assert!(
        found.why.to_string().starts_with("3 of 3 values outside; voltage at"),
        "{}",
        found.why
    );
    // 4.53 * 0.001 / sqrt(3) = 0.0026 is the guard band.
    assert_eq!(verdict("limit = \"0.05 %\"", 0.4, 0.049).status, Status::Inconclusive);
    assert_eq!(verdict("limit = \"0.05 %\"", 0.4, 0.051).status, Status::Inconclusive);
}

#[test]
fn a_point_without_its_readings_leaves_it_open() {
    let mut check = try_check("quantities = [\"voltage\"]\nlimit = \"0.05 %\"").unwrap();
    check.begin(&facts(RunState::Finished));
    let rows = fed(&levels(), &[VOLTAGE], |_, due, _| {
        (100.0, 100.0 + 6.0 * if due <= 15 { 0.4 } else { 0.0 })
    });
    // The last point of the sweep after is never measured.
    let last = rows.iter().map(|row| row.event_time).max().unwrap();
    for row in rows.iter().filter(|row| last - row.event_time > SimDuration::from_seconds(4)) {
        check.observation(row);
    }
    let found = check.verdict(&facts(RunState::Finished));
    assert_eq!((found.reason, found.n), (Reason::Incomplete, 2), "{}", found.why);
    assert!(
        found.why.to_string().starts_with("1 point without enough readings; otherwise"),
        "{}",
        found.why
    );
}

/// The points' errors after it, in the order in which they are played.
#[test]
fn the_worst_point_is_measured_wherever_it_is() {
    for errors in [[0.01, 0.02, 0.03], [0.03, 0.01, 0.02], [0.02, 0.03, 0.01]] {
        let mut check = try_check("quantities = [\"voltage\"]\nlimit = \"0.05 %\"").unwrap();
        check.begin(&facts(RunState::Finished));
        let rows = fed(&levels(), &[VOLTAGE], |_, due, _| {
            let percent = if due <= 15 { 0.4 } else { errors[(due as usize - 16) / 5] };
            (100.0, 100.0 + 6.0 * percent)
        });
        for row in &rows {
            check.observation(row);
        }
        let found = check.verdict(&facts(RunState::Finished));
        assert_eq!((found.status, found.n), (Status::Pass, 3), "{}", found.why);
        assert!((found.measured.unwrap() - 0.03).abs() < 1e-9, "{errors:?}: {}", found.why);
        let level = ["-100", "0", "100"][errors.iter().position(|error| *error == 0.03).unwrap()];
        let place = format!("voltage at {level} % of full scale: 0.03");
        assert!(found.why.to_string().starts_with(&place), "{}", found.why);
    }
}

#[test]
fn a_point_is_named_by_its_level_or_its_current_and_power_factor() {
    assert_eq!(describe(&Conditions::Direct { level: 0.25 }), "25 % of full scale");
    let half = std::f64::consts::FRAC_PI_3;
    let sine = Conditions::Sine { voltage_v: 230.0, current_a: 5.0, lag_rad: half };
    assert_eq!(describe(&sine), "5 A, PF 0.5");
}

#[test]
fn one_that_had_nothing_to_do_shows_nothing() {
    let found = verdict("limit = \"0.05 %\"", 0.03, 0.01);
    assert_eq!(found.status, Status::Inconclusive);
    assert!(found.why.to_string().contains("shows nothing"), "{}", found.why);
    let found = verdict("limit = \"0.05 %\"\nbefore = \"0.02 %\"", 0.03, 0.01);
    assert_eq!(found.status, Status::Pass);
}

#[test]
fn errors_before_are_held_to_the_published_range() {
    let range = "limit = \"0.05 %\"\nbefore_range = [\"0.1 %\", \"0.8 %\"]";
    let found = verdict(range, 0.4, 0.01);
    assert_eq!(found.status, Status::Pass);
    let basis = found.told.unwrap().basis;
    assert!(basis.ends_with("before 0.4 to 0.4 %, allowed 0.1 to 0.8 %"), "{basis}");
    assert_eq!(verdict(range, 0.9, 0.01).status, Status::Fail);
    assert_eq!(verdict(range, 0.09, 0.01).status, Status::Fail);
    assert!(try_check("limit = \"1 %\"\nbefore_range = [\"0.8 %\", \"0.1 %\"]").is_err());
}

#[test]
fn against_the_reference_meter_what_it_is_off_by_is_the_meters_error() {
    let found = verdict("limit = \"0.1 %\"\nagainst = \"reference\"", 0.4, 0.2);
    assert_eq!(found.status, Status::Pass, "{}", found.why);
    assert_eq!(verdict("limit = \"0.1 %\"", 0.4, 0.2).status, Status::Fail);
    // 0.07 and the stated 0.04 are more than 0.1.
    let found = verdict("limit = \"0.1 %\"\nagainst = \"reference\"", 0.4, 0.27);
    assert_eq!(found.status, Status::Inconclusive);
}

#[test]
fn the_scatter_is_judged_where_it_is_asked_for() {
    let deviation = "figure = \"deviation\"\nlimit =";
    let found = verdict(&format!("{deviation} \"0.01 %\""), 0.0, 5.0);
    assert_eq!(found.status, Status::Pass, "{}", found.why);
    assert!((found.measured.unwrap() - 0.001).abs() < 1e-9);
    let found = verdict(&format!("{deviation} \"0.000_1 %\"").replace('_', ""), 0.0, 5.0);
    assert_eq!(found.status, Status::Inconclusive, "of three readings little is known");
}

/// Three points with the readings 0, 1, -1 times 0.001 about 0.4: nine values.
#[test]
fn a_whole_sweep_is_judged_as_one() {
    let sweep = "figure = \"deviation\"\nover = \"sweep\"\nlimit = \"0.002 %\"";
    let found = verdict(sweep, 0.0, 0.4);
    assert_eq!(found.status, Status::Pass, "{}", found.why);
    // Six squares of 0.001 over eight degrees of freedom.
    let expected = 0.001 * (6.0_f64 / 8.0).sqrt();
    assert!((found.measured.unwrap() - expected).abs() < 1e-9, "{found:?}");
    assert!(found.why.to_string().contains("voltage over the sweep"), "{}", found.why);
    let found = verdict("over = \"sweep\"\nlimit = \"0.05 %\"", 0.4, 0.06);
    assert_eq!(found.status, Status::Fail);
    assert!((found.measured.unwrap() - 0.06).abs() < 1e-9);
}

#[test]
fn registers_that_did_not_take_their_words_are_named() {
    let mut check = try_check("limit = \"1 %\"").unwrap();
    check.begin(&facts(RunState::Finished));
    for (register, response) in [("A", "A is 0x1 (1)"), ("B", "error: no"), ("C", "")] {
        let event = Event::new(START, "bench", EventKind::Calibration)
            .with("step", "line")
            .with("register", register)
            .with("meaning", "x")
            .with("unit", "1")
            .with("word_before", "0x0")
            .with("before", 0.0)
            .with("wanted", 1.0)
            .with("word", "0x1")
            .with("after", 1.0)
            .with("response", response);
        check.event(1, &event);
    }
    let rows = fed(&levels(), &[VOLTAGE], |_, _, _| (100.0, 100.0));
    for row in &rows {
        check.observation(row);
    }
    let found = check.verdict(&facts(RunState::Finished));
    assert!(found.why.to_string().contains("not written: B, C"), "{}", found.why);
    // Without the current nothing passes.
    assert_eq!(found.status, Status::Inconclusive);
}

#[test]
fn without_a_calibration_there_is_no_such_check() {
    let values = read_text("limit = \"1 %\"", &[KIND.entry.fields]).unwrap();
    let mut out = Diagnostics::new();
    assert!(build(&values, CheckContext::default(), &mut out).is_none());
    assert!(out.into_sorted()[0].message.contains("[calibration]"));
}
