//! The checks of signals: each status of each kind, and what makes no sense.

use crate::check::Check;
use crate::checks::testing::{at, facts, try_check};
use crate::verdict::{Reason, Verdict};
use lastmeter_record::{RunFacts, RunState, SignalFacts, SignalOrigin, SignalSample, Status};
use lastmeter_units::SimDuration;

const STEP: &str = "signal = \"u\"\nfrom = \"230 V\"\nto = \"240 V\"\nat = \"5 s\"\n\
    within = \"2 s\"\ntolerance = \"1 V\"\n";
const CONSTANT: &str = "signal = \"u\"\ntolerance = \"1 V\"\n";
const SETTLES: &str =
    "signal = \"u\"\nto = \"240 V\"\nat = \"5 s\"\nwithin = \"2 s\"\ntolerance = \"1 V\"\n";
const FOLLOWS: &str = "signal = \"u\"\nother = \"plant\"\nlag = \"1 s\"\ntolerance = \"1 V\"\n";

/// A run of ten seconds with a signal of a device and one of the plant.
fn run(state: RunState) -> RunFacts {
    let signal = |name: &str, from| SignalFacts {
        name: name.to_owned(),
        quantity: "electricity.voltage.rms.l1".to_owned(),
        from,
    };
    let signals = vec![
        signal("u", SignalOrigin::Device("meter".to_owned())),
        signal("plant", SignalOrigin::Plant("source:grid".to_owned())),
    ];
    RunFacts { recorded_signals: signals, end: at(10), ..facts(state) }
}

/// The verdict about samples one second apart, the first at 1 s.
fn verdict(kind: &str, toml: &str, own: &[f64], other: &[f64]) -> Verdict {
    verdict_in(RunState::Finished, kind, toml, own, other)
}

fn verdict_in(state: RunState, kind: &str, toml: &str, own: &[f64], other: &[f64]) -> Verdict {
    let mut check: Box<dyn Check> = try_check(kind, toml).unwrap();
    check.begin(&run(state));
    for (signal, values) in [("u", own), ("plant", other), ("else", &[0.0][..])] {
        for (second, &value) in (1..).zip(values) {
            let time = SimDuration::from_seconds(second);
            check.signal(&SignalSample { signal, time, value });
        }
    }
    check.verdict(&run(state))
}

const STEPPED: [f64; 10] = [230.0, 230.2, 229.9, 230.0, 230.1, 236.0, 241.5, 240.5, 240.1, 240.0];

#[test]
fn a_step_is_seen_and_one_that_is_late_or_missing_fails() {
    let passed = verdict("step", STEP, &STEPPED, &[]);
    assert_eq!((passed.status, passed.n, passed.unit.as_str()), (Status::Pass, 8, "V"));
    assert!((passed.measured.unwrap() - 0.5).abs() < 1e-9 && passed.limit == Some(1.0));
    let expected = "`u` is within 1 V of 230 V and then 240 V; from 0 s to 5 s for 100 % of 5 s in \
        5 samples, worst deviation 0.2 V at 2 s";
    assert!(passed.why.to_string().starts_with(expected), "{}", passed.why);
    let never = verdict("step", STEP, &[230.0; 10], &[]);
    assert_eq!((never.status, never.reason), (Status::Fail, Reason::OutsideLimit));
    assert_eq!(never.measured, Some(10.0));
    let place = never.at.unwrap();
    assert_eq!((place.device.as_deref(), place.time), (Some("meter"), Some(at(8))));
    let early = verdict("step", STEP, &[240.0; 10], &[]);
    assert_eq!(early.at.unwrap().time, Some(at(1)));
    let mut late = STEPPED;
    late[7] = 238.0;
    assert_eq!(verdict("step", STEP, &late, &[]).at.unwrap().time, Some(at(8)));
}

#[test]
fn of_a_signal_of_the_plant_alone_no_reading_matters() {
    let is_about_readings = |kind: &str, toml: &str| {
        let mut check: Box<dyn Check> = try_check(kind, toml).unwrap();
        check.begin(&run(RunState::Finished));
        check.is_about_readings()
    };
    let of_plant = CONSTANT.replace("\"u\"", "\"plant\"");
    assert!(is_about_readings("constant", CONSTANT));
    assert!(!is_about_readings("constant", &of_plant));
    assert!(is_about_readings("follows", FOLLOWS));
    assert!(is_about_readings("constant", &of_plant.replace("plant", "gone")));
}

#[test]
fn a_constant_is_held_to_its_value_or_to_its_own_mean() {
    let drifting: Vec<f64> = (0..10).map(|second| 230.0 + 0.2 * f64::from(second)).collect();
    let own_mean = verdict("constant", CONSTANT, &drifting, &[]);
    assert_eq!(own_mean.status, Status::Pass, "{}", own_mean.why);
    assert!((own_mean.measured.unwrap() - 0.9).abs() < 1e-9);
    assert!(own_mean.why.to_string().contains("its own mean of 230.9 V"), "{}", own_mean.why);
    let of_value = format!("{CONSTANT}value = \"230 V\"\n");
    let failed = verdict("constant", &of_value, &drifting, &[]);
    assert_eq!((failed.status, failed.at.unwrap().time), (Status::Fail, Some(at(7))));
    let window = format!("{of_value}since = \"1 s\"\nuntil = \"4 s\"\n");
    let passed = verdict("constant", &window, &drifting, &[]);
    assert_eq!((passed.status, passed.n), (Status::Pass, 3), "{}", passed.why);
    let share = format!("{of_value}share = \"60 %\"\n");
    let passed = verdict("constant", &share, &drifting, &[]);
    assert_eq!(passed.status, Status::Pass);
    assert!(
        passed.why.to_string().contains("for 60 % of 10 s in 10 samples, expected 60 %"),
        "{}",
        passed.why
    );
}

#[test]
fn what_settles_stays() {
    assert_eq!(verdict("settles", SETTLES, &STEPPED, &[]).status, Status::Pass);
    let mut gone = STEPPED;
    gone[9] = 242.0;
    let failed = verdict("settles", SETTLES, &gone, &[]);
    assert_eq!((failed.status, failed.at.unwrap().time), (Status::Fail, Some(at(10))));
    let until = format!("{SETTLES}until = \"9 s\"\n");
    assert_eq!(verdict("settles", &until, &gone, &[]).status, Status::Pass);
}

#[test]
fn a_follower_may_lag_so_long_and_no_longer() {
    let other = [230.0, 230.0, 240.0, 240.0, 240.0, 240.0, 240.0, 240.0, 240.0, 240.0];
    let own = [230.0, 230.0, 230.0, 240.0, 240.0, 240.0, 240.0, 240.0, 240.0, 240.0];
    assert_eq!(verdict("follows", FOLLOWS, &own, &other).status, Status::Pass);
    let mut late = own;
    late[3] = 230.0;
    let failed = verdict("follows", FOLLOWS, &late, &other);
    assert_eq!((failed.status, failed.at.unwrap().time), (Status::Fail, Some(at(4))));
    let alone = verdict("follows", FOLLOWS, &own, &[]);
    assert_eq!(alone.reason, Reason::NothingToJudge);
    assert!(alone.why.to_string().contains("0 samples of `u`"), "{}", alone.why);
}

#[test]
fn without_enough_samples_nothing_is_judged() {
    let none = verdict("constant", CONSTANT, &[], &[]);
    assert_eq!((none.status, none.reason), (Status::Inconclusive, Reason::NothingToJudge));
    assert_eq!((none.n, none.measured), (0, None));
    let one = verdict("constant", CONSTANT, &[230.0], &[]);
    assert_eq!(one.reason, Reason::TooFew);
    let short = verdict("constant", CONSTANT, &[230.0; 5], &[]);
    assert_eq!(short.reason, Reason::Incomplete, "{}", short.why);
    let before_only = verdict("step", STEP, &[230.0; 6], &[]);
    assert_eq!(before_only.reason, Reason::NothingToJudge);
    // What was seen and is wrong fails all the same.
    assert_eq!(verdict("constant", CONSTANT, &[230.0, 290.0], &[]).status, Status::Fail);
    let nan = verdict("constant", CONSTANT, &[f64::NAN; 10], &[]);
    assert_eq!((nan.status, nan.measured), (Status::Fail, None));
    assert!(nan.why.to_string().contains("no number at 1 s"), "{}", nan.why);
    let interrupted = verdict_in(RunState::Interrupted, "constant", CONSTANT, &[230.0; 10], &[]);
    assert_eq!(interrupted.reason, Reason::Unfinished);
}

#[test]
fn what_could_never_be_red_or_never_be_judged_is_a_mistake() {
    let wrong = |kind: &str, toml: &str| try_check(kind, toml).err().unwrap().join("; ");
    let wide = STEP.replace("\"1 V\"", "\"5 V\"");
    assert_eq!(wrong("step", &wide), "a signal that never changes is within both bands");
    let message = wrong("follows", &FOLLOWS.replace("plant", "u"));
    assert_eq!(message, "a signal always follows itself");
    let message = wrong("step", &format!("{STEP}until = \"7 s\"\n"));
    assert_eq!(message, "judging ends at 7 s, and would begin at 7 s");
    let message = wrong("step", &format!("{STEP}since = \"5 s\"\n"));
    assert_eq!(message, "judging begins at 5 s, and the step is at 5 s");
    let message = wrong("constant", &format!("{CONSTANT}since = \"3 s\"\nuntil = \"2 s\"\n"));
    assert_eq!(message, "judging ends at 2 s, and would begin at 3 s");
}
