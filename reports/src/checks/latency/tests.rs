//! Tests of the check `latency`, and what the tests of its neighbours share.

use super::super::testing::{START, at, check, facts, try_check};
use super::*;
use lastmeter_record::{
    Deadlines, Floor, LatencyRow, Observation, Point, RealTimeFacts, RunState, Status, Summary,
    TimeMode,
};

pub(in crate::checks) const MS: i64 = 1_000_000;
pub(in crate::checks) const SECOND: i64 = 1_000 * MS;

/// A real-time run of ten minutes with a floor of 0.1 ms (p50) and 0.3 ms (p99).
pub(in crate::checks) fn real_time(state: RunState) -> RunFacts {
    let summary =
        Summary { n: 2000, p50_ns: MS / 10, p99_ns: 3 * MS / 10, p999_ns: MS, max_ns: MS };
    let floor = Floor { timer: summary, echo: Some(summary), ..Floor::default() };
    RunFacts {
        time: TimeMode::Real,
        real_time: Some(RealTimeFacts {
            timer: "timerfd".to_owned(),
            policy: "SCHED_OTHER".to_owned(),
            deadlines: Deadlines {
                scheduled: 10_000,
                limit_ns: 5 * MS,
                worst_ns: MS,
                ..Deadlines::default()
            },
            waited_until_ns: 610 * SECOND,
            floor_before: Some(floor.clone()),
            floor_after: Some(floor),
            ..RealTimeFacts::default()
        }),
        ..facts(state)
    }
}

/// A message of `path` that was due at an instant and took so long, in ms; `None`: lost.
pub(in crate::checks) fn message(
    check: &mut dyn Check,
    (path, id): (&str, &str),
    intended_ns: i64,
    took_ms: Option<i64>,
) {
    let mut points = [None; Point::COUNT];
    points[Point::Intended.index()] = Some(intended_ns);
    points[Point::Published.index()] = Some(intended_ns + MS / 10);
    let end = took_ms.map(|took_ms| intended_ns + took_ms * MS);
    points[Point::Received.index()] = end;
    points[Point::Queryable.index()] = end;
    points[Point::Obeyed.index()] = end;
    let copies = u32::from(took_ms.is_some());
    check.latency(&LatencyRow { path, id, points, bytes: 1300, copies });
}

/// A check fed with a message each 0.1 s from 30 s on; `took_ms` gives how long each takes.
fn fed(toml: &str, n: i64, took_ms: impl Fn(i64) -> Option<i64>) -> Box<dyn Check> {
    let mut check = check("latency", toml);
    check.begin(&real_time(RunState::Finished));
    for number in 0..n {
        let (id, due) = (format!("m/1/{number}"), 30 * SECOND + number * SECOND / 10);
        message(check.as_mut(), ("reading", &id), due, took_ms(number));
    }
    check
}

fn judge(toml: &str, n: i64, took_ms: impl Fn(i64) -> Option<i64>) -> Verdict {
    fed(toml, n, took_ms).verdict(&real_time(RunState::Finished))
}

/// `100 * beta.ppf(.95, 6, 4995)` and `100 * beta.ppf(.05, 100, 4901)` of scipy.
const PASSED: f64 = 0.210_144_797_839_667_94;
const FAILED: f64 = 1.685_301_854_861_701_8;

/// What is wrong with a run.
type Change = fn(&mut RealTimeFacts);

/// Messages are 0.1 s apart, so a stall of that length hits one.
const ONE_SECOND: &str = "path = \"intended..queryable\"\nlimit = \"1 s\"\ncoverage = \"99 %\"\n\
                          stall = \"100 ms\"";

/// A class at 99 %, with the same stall.
fn class(name: &str) -> String {
    ONE_SECOND.replace("limit = \"1 s\"", &format!("class = \"{name}\""))
}

#[test]
fn enough_messages_in_time_pass_and_too_many_late_fail() {
    let late_each = |each: i64| move |number| Some(if number % each == 0 { 1500 } else { 20 });
    for (each, status, k) in
        [(1_000, Status::Pass, 5), (100, Status::Inconclusive, 50), (50, Status::Fail, 100)]
    {
        let verdict = judge(ONE_SECOND, 5_000, late_each(each));
        assert_eq!((verdict.status, verdict.n), (status, 5_000), "{}", verdict.why);
        assert_eq!(verdict.measured, Some(f64::from(k) / 50.0));
        assert_eq!((verdict.limit, verdict.unit.as_str()), (Some(1.0), "%"));
    }
}

#[test]
fn the_bound_is_the_one_that_was_compared() {
    let passed =
        judge(ONE_SECOND, 5_000, |number| Some(if number % 1_000 == 0 { 1500 } else { 20 }));
    assert!((passed.bound.unwrap() - PASSED).abs() < 1e-9, "{:?}", passed.bound);
    let failed = judge(ONE_SECOND, 5_000, |number| Some(if number % 50 == 0 { 1500 } else { 20 }));
    assert!((failed.bound.unwrap() - FAILED).abs() < 1e-9, "{:?}", failed.bound);
}

#[test]
fn the_verdict_is_shown_in_the_words_of_the_console() {
    let verdict = judge(&class("TT1"), 5_000, |number| Some(if number == 7 { 1500 } else { 20 }));
    let text = verdict.told.clone().unwrap();
    assert_eq!(text.measured, "1 over 1 s, bound 0.0948 %");
    assert_eq!(text.basis, "TT1 at 99 %, n 5000, no stall above 1.6 s");
    let first = "timing consistent with TT1 at p99, 95 % confidence, this run, if no stall lasts \
                 longer than 1.6 s (asked: 100 ms); 1 over 1 s of 5000 (0.02 %), bound 0.0948 %, \
                 each message counted (1 due within the stall, design effect 1 by 20 blocks of \
                 28.5 s, longest late run 1); 0 lost, ";
    assert!(verdict.why.to_string().starts_with(first), "{}", verdict.why);
    assert!(!verdict.why.to_string().to_lowercase().contains("complian"), "{}", verdict.why);
    assert!(verdict.why.to_string().contains("IEC 61850-5 Ed. 2 (2013), unverified"));
    let place = verdict.at.unwrap();
    assert_eq!((place.device.as_deref(), place.epoch, place.serial), (Some("m"), Some(1), Some(7)));
    assert_eq!(place.time, Some(at(30) + lastmeter_units::SimDuration(7 * SECOND / 10)));
}

/// Why it is a fail is added only where load had to be thought of.
#[test]
fn a_fail_states_each_finding_once() {
    let verdict = judge(ONE_SECOND, 5_000, |number| Some(if number % 20 == 7 { 1500 } else { 20 }));
    assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
    let why = verdict.why.to_string();
    let mut parts: Vec<&str> = why.split("; ").collect();
    let count = parts.len();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!(parts.len(), count, "{}", verdict.why);
    for part in &parts {
        assert_eq!(verdict.why.to_string().matches(part).count(), 1, "{part} in {}", verdict.why);
    }
}

/// What the bench has to know before a run: how many messages it takes, and from when they count.
#[test]
fn a_check_of_a_share_demands_as_many_messages_as_its_coverage_takes() {
    let demand = |more: &str| {
        let toml = format!("path = \"intended..received\"\nlimit = \"1 s\"\n{more}");
        check("latency", &toml).demand().unwrap()
    };
    let found = demand("coverage = \"99 %\"\nstall = \"2 s\"\nwarm_up = \"7 s\"");
    // ln 0.05 / ln 0.99 = 298.07: with nothing late, so many show it.
    assert_eq!((found.messages_min, found.warm_up_ns), (299, Some(7 * SECOND)));
    let claim = found.claim.unwrap();
    assert_eq!((claim.coverage, claim.stall_ns), (0.99, 2 * SECOND));
    let found = demand("coverage = \"90 %\"");
    assert_eq!((found.messages_min, found.warm_up_ns), (29, None));
}

/// The line of the console, as users' terminals show it.
#[test]
fn the_console_shows_how_many_were_late_and_on_what_that_rests() {
    let verdict =
        judge(&class("TT1"), 5_000, |number| Some(if number % 1_000 == 0 { 1500 } else { 20 }));
    let [line] = &crate::console::format_verdicts(&[verdict])[..] else { panic!("one line") };
    assert_eq!(
        line.to_string(),
        "   PASS  c  5 over 1 s, bound 0.21 %  limit 1 %  TT1 at 99 %, n 5000, no stall above \
         1.3 s"
    );
}

#[test]
fn a_lost_message_is_over_every_limit() {
    let lost = |number| (number % 20 != 0).then_some(1);
    for toml in [ONE_SECOND.to_owned(), class("TT0")] {
        let verdict = judge(&toml, 5_000, lost);
        assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(5.0)), "{toml}");
        assert!(verdict.why.to_string().contains("250 lost"), "{}", verdict.why);
    }
    // Delivery asks for nothing but arrival.
    let slow = |_| Some(9_000);
    assert_eq!(judge(ONE_SECOND, 5_000, slow).status, Status::Fail);
    assert_eq!(judge(&class("TT0"), 5_000, slow).status, Status::Pass);
}

/// What may have come after the bench stopped waiting is no failure, and no pass either.
#[test]
fn a_run_that_did_not_wait_is_inconclusive() {
    let after_waiting_until = |waited_until_ns| {
        let mut facts = real_time(RunState::Finished);
        facts.real_time.as_mut().unwrap().waited_until_ns = waited_until_ns;
        let mut check = check("latency", ONE_SECOND);
        check.begin(&facts);
        for number in 0..5_000 {
            let (id, due) = (format!("m/1/{number}"), 30 * SECOND + number * SECOND / 10);
            message(check.as_mut(), ("reading", &id), due, (number % 50 != 0).then_some(1));
        }
        check.verdict(&facts)
    };
    assert_eq!(after_waiting_until(610 * SECOND).status, Status::Fail);
    // A hundred are lost; the first is due at 30 s, and so late at 31 s.
    let verdict = after_waiting_until(30 * SECOND);
    assert_eq!((verdict.status, verdict.measured), (Status::Inconclusive, Some(2.0)));
    let expected = "100 may have come after the bench stopped waiting";
    assert!(verdict.why.to_string().contains(expected), "{}", verdict.why);
}

#[test]
fn too_few_messages_are_no_pass() {
    let verdict = judge(ONE_SECOND, 298, |_| Some(1));
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(verdict.why.to_string().starts_with("n too small: 298 of 299"), "{}", verdict.why);
    assert_eq!(judge(ONE_SECOND, 299, |_| Some(1)).status, Status::Pass);
    let default = ONE_SECOND.replace("\ncoverage = \"99 %\"", "");
    assert_eq!(judge(&default, 2_994, |_| Some(1)).status, Status::Inconclusive);
    assert_eq!(judge(&default, 2_995, |_| Some(1)).status, Status::Pass);
}

/// A stall of 1 s is the default, and hits ten of these messages: at 99 % 2,981 are needed, of
/// which no run this short can have seen enough.
#[test]
fn a_pass_holds_for_stalls_of_the_declared_length_or_there_is_none() {
    let default = ONE_SECOND.replace("\nstall = \"100 ms\"", "");
    let verdict = judge(&default, 2_980, |_| Some(1));
    assert_eq!((verdict.status, verdict.reason), (Status::Inconclusive, Reason::StallTooShort));
    let first = "holds only if no stall lasts longer than 900 ms (asked: 1 s); run at least 571 s \
                 after the warm-up; ";
    assert!(verdict.why.to_string().starts_with(first), "{}", verdict.why);
    // The bound is of ten messages counted as one: 1 - 0.05^(1/298).
    let bound = 100.0 * (1.0 - 0.05_f64.powf(10.0 / 2_980.0));
    assert!((verdict.bound.unwrap() - bound).abs() < 1e-9, "{:?}", verdict.bound);
    assert_eq!(judge(&default, 2_982, |_| Some(1)).status, Status::Pass);
    // Half a second of them late, once: five in a row, and no more than that is shown.
    let burst = |number| Some(if (1_000..1_005).contains(&number) { 1_500 } else { 1 });
    let passed = judge(&default, 5_000, burst);
    assert_eq!(passed.status, Status::Pass, "{}", passed.why);
    assert!(passed.why.to_string().contains("longest late run 5"), "{}", passed.why);
    let all_late = judge(&default, 600, |_| Some(1_500));
    assert!(
        all_late
            .why
            .to_string()
            .contains("; at least 36.8 % late; longest late run 600 messages; ")
    );
    assert_eq!(all_late.told.unwrap().basis, "at 99 %, n 600, stall 1 s");
}

/// Whoever lengthens a stall makes nothing pass that did not.
#[test]
fn a_stall_is_a_time() {
    for stall in ["0 s", "-1 s", "5", "1 V"] {
        assert!(try_check("latency", &ONE_SECOND.replace("100 ms", stall)).is_err(), "{stall}");
    }
}

fn reading(number: i64, device: &'static str) -> Observation<'static> {
    Observation {
        device,
        epoch: Some(lastmeter_units::Epoch(1)),
        serial: Some(lastmeter_units::Serial(number as u64)),
        quantity: super::super::testing::id("electricity.frequency"),
        event_time: at(30) + lastmeter_units::SimDuration(number * SECOND / 10),
        reference: Some(50.0),
        reported: Some(50.0),
        span: None,
    }
}

/// Rows that were due and are not there are no messages in time: half a minute of a pass was cut
/// out, and a device that is not there at all.
#[test]
fn rows_that_the_record_lacks_are_no_pass_and_no_fail() {
    let judged = |took_ms: i64, missing: std::ops::Range<i64>, devices: &[&'static str]| {
        let mut check = check("latency", ONE_SECOND);
        let facts = real_time(RunState::Finished);
        check.begin(&facts);
        for number in 0..5_000 {
            for device in devices {
                check.observation(&reading(number, device));
            }
        }
        for number in (0..5_000).filter(|number| !missing.contains(number)) {
            let (id, due) = (format!("m/1/{number}"), 30 * SECOND + number * SECOND / 10);
            // One in fifty takes so long.
            let took_ms = if number % 50 == 0 { took_ms } else { 1 };
            message(check.as_mut(), ("reading", &id), due, Some(took_ms));
        }
        check.verdict(&facts)
    };
    assert_eq!(judged(1, 0..0, &["m"]).status, Status::Pass);
    let cut = judged(1, 700..1_000, &["m"]);
    assert_eq!(
        (cut.status, cut.reason, cut.bound),
        (Status::Inconclusive, Reason::Incomplete, None)
    );
    let why = "the record is incomplete: latency.csv has 4700 of 5000 readings due in the judged \
               time (device m: 4700 of 5000); 0 over 1 s of 4700 (0 %); 0 lost, ";
    assert!(cut.why.to_string().starts_with(why), "{}", cut.why);
    let absent = judged(1, 0..0, &["m", "n"]);
    assert_eq!(absent.reason, Reason::Incomplete, "{}", absent.why);
    assert!(absent.why.to_string().contains("5000 of 10000 readings"), "{}", absent.why);
    assert!(absent.why.to_string().contains("device n: 0 of 5000"), "{}", absent.why);
    // A fail stays one only if it would be with the missing ones in time.
    assert_eq!(judged(1_500, 0..0, &["m"]).status, Status::Fail);
    let failed = judged(1_500, 10..20, &["m"]);
    assert_eq!(failed.status, Status::Fail);
    assert!(failed.why.to_string().contains("latency.csv has 4990 of 5000"), "{}", failed.why);
    assert_eq!(judged(1_500, 0..0, &["m", "n"]).reason, Reason::Incomplete);
}

/// An invalid run compares no bound, so none is printed: neither that of the share late, nor of the
/// one in time.
#[test]
fn where_something_else_decides_no_bound_is_printed() {
    for (took_ms, change) in [
        (1, (|real| real.clock.wall_step_ns = -3 * SECOND) as Change),
        (1_500, |real| real.clock.wall_step_ns = -3 * SECOND),
        (1_500, |real| real.floor_after = None),
        (1_500, |real| real.floor_after.as_mut().unwrap().timer.p99_ns = 200 * MS),
    ] {
        let mut facts = real_time(RunState::Finished);
        change(facts.real_time.as_mut().unwrap());
        let verdict = fed(ONE_SECOND, 5_000, |_| Some(took_ms)).verdict(&facts);
        assert_eq!((verdict.status, verdict.bound), (Status::Inconclusive, None));
        let text = verdict.told.unwrap();
        for text in [&verdict.why.to_string(), &text.measured, &text.basis] {
            assert!(!text.contains("bound") && !text.contains("at least"), "{text}");
        }
    }
}

#[test]
fn a_record_without_latency_of_the_path_passes_nothing() {
    let none = check("latency", ONE_SECOND).verdict(&real_time(RunState::Finished));
    assert_eq!((none.status, none.n, none.measured), (Status::Inconclusive, 0, None));
    let mut other = check("latency", ONE_SECOND);
    other.begin(&real_time(RunState::Finished));
    for number in 0..5_000 {
        message(other.as_mut(), ("command", "m//1"), 30 * SECOND + number, Some(1));
    }
    let verdict = other.verdict(&real_time(RunState::Finished));
    assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 0), "{}", verdict.why);
    let unmeasured = ONE_SECOND.replace("queryable", "committed");
    let verdict = judge(&unmeasured, 5_000, |_| Some(1));
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(
        verdict.why.to_string().contains("none has an instant at `committed`"),
        "{}",
        verdict.why
    );
}

#[test]
fn the_warm_up_is_left_out_by_time_and_reported() {
    // The first 300 of the messages are due from 30 s to 60 s.
    let toml = format!("{ONE_SECOND}\nwarm_up = \"60 s\"");
    let slow_start = |number| Some(if number < 300 { 5_000 } else { 1 });
    let verdict = judge(&toml, 5_000, slow_start);
    assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 4_700, Some(0.0)));
    let expected = "300 messages of the warm-up left out (p50 5 s, max 5 s)";
    assert!(verdict.why.to_string().contains(expected), "{}", verdict.why);
    // By itself the warm-up is 5 % of ten minutes, which is where the messages begin.
    assert_eq!(judge(ONE_SECOND, 5_000, slow_start).n, 5_000);
    let all = judge(&format!("{ONE_SECOND}\nwarm_up = \"600 s\""), 5_000, slow_start);
    assert_eq!(all.status, Status::Inconclusive);
}

#[test]
fn nothing_is_judged_in_virtual_time_or_in_an_invalid_run() {
    let check = fed(ONE_SECOND, 5_000, |_| Some(1));
    let verdict = check.verdict(&facts(RunState::Finished));
    assert_eq!(verdict.status, Status::Skipped);
    assert!(verdict.why.to_string().starts_with("modelled"), "{}", verdict.why);
    let with = |change: Change| {
        let mut facts = real_time(RunState::Finished);
        change(facts.real_time.as_mut().unwrap());
        check.verdict(&facts)
    };
    assert_eq!(with(|_| {}).status, Status::Pass);
    let cases: [(Change, &str); 6] = [
        (|real| real.deadlines.missed = 11, "invalid run: 11 of 10000 deadlines missed"),
        (|real| real.deadlines.scheduled = 0, "no deadline was kept account of"),
        (|real| real.clock.wall_step_ns = -3 * SECOND, "the wall clock was set by -3 s"),
        (|real| real.clock.suspended_ns = 2 * SECOND, "the machine was suspended for 2 s"),
        (|real| real.floor_after = None, "there is no floor"),
        (
            |real| real.floor_after.as_mut().unwrap().timer.p99_ns = 101 * MS,
            "not measurable here: 1 s is below 10 times the floor's 99 %, 101 ms",
        ),
    ];
    for (change, expected) in cases {
        let verdict = with(change);
        assert_eq!(verdict.status, Status::Inconclusive, "{expected}");
        assert!(verdict.why.to_string().contains(expected), "{} lacks {expected}", verdict.why);
        assert_eq!(verdict.n, 5_000);
    }
    // Fewer missed deadlines, and a worse floor, are reported and judged.
    let flagged = with(|real| {
        real.deadlines.missed = 10;
        real.floor_after.as_mut().unwrap().timer.p99_ns = 2 * MS;
    });
    assert_eq!(flagged.status, Status::Pass);
    assert!(flagged.why.to_string().contains("10 of 10000 deadlines missed"), "{}", flagged.why);
    assert!(
        flagged.why.to_string().contains("disturbed: the floor's 99 % rose"),
        "{}",
        flagged.why
    );
    // A run fails only if it is known which messages a missed deadline may have delayed.
    let late = fed(ONE_SECOND, 5_000, |_| Some(5_000));
    let mut facts = real_time(RunState::Finished);
    assert_eq!(late.verdict(&facts).status, Status::Fail);
    facts.real_time.as_mut().unwrap().deadlines.missed = 1;
    assert_eq!(late.verdict(&facts).status, Status::Inconclusive);
    let tick = lastmeter_record::LateTick { at_ns: 100 * SECOND, lateness_ns: 200 * MS };
    facts.real_time.as_mut().unwrap().late_ticks = vec![tick];
    let certain = late.verdict(&facts);
    assert_eq!(certain.status, Status::Fail);
    assert!(certain.why.to_string().contains("1 of 10000 deadlines missed"), "{}", certain.why);
    facts.real_time.as_mut().unwrap().deadlines.missed = 5_000;
    assert_eq!(late.verdict(&facts).status, Status::Inconclusive);
    facts.real_time = None;
    assert_eq!(late.verdict(&facts).status, Status::Inconclusive);
}

/// One message of many is late, or all are; a late tick may have held one up.
#[test]
fn a_fail_reports_what_load_may_have_held_up_and_a_pass_does_not() {
    let calm = real_time(RunState::Finished);
    let mut busy = calm.clone();
    let tick = lastmeter_record::LateTick { at_ns: 100 * SECOND, lateness_ns: 200 * MS };
    busy.real_time.as_mut().unwrap().late_ticks = vec![tick];
    let judged = |facts: &RunFacts, is_late: fn(i64) -> bool| {
        let mut check = check("latency", ONE_SECOND);
        check.begin(facts);
        for number in 0..5_000 {
            let (id, due) = (format!("m/1/{number}"), 30 * SECOND + number * SECOND / 10);
            let took_ms = if is_late(number) { 5_000 } else { 100 };
            message(check.as_mut(), ("reading", &id), due, Some(took_ms));
        }
        check.verdict(facts)
    };
    let fail = judged(&busy, |_| true);
    assert_eq!(fail.status, Status::Fail, "{}", fail.why);
    assert!(fail.why.to_string().contains("over the bound, even if"), "{}", fail.why);
    assert!(!judged(&calm, |_| true).why.to_string().contains("even if"));
    // Due at 100 s.
    let pass = judged(&busy, |number| number == 700);
    assert_eq!((pass.status, pass.n), (Status::Pass, 5_000), "{}", pass.why);
    assert_eq!(pass.why, judged(&calm, |number| number == 700).why);
}

#[test]
fn a_message_sent_too_early_is_not_a_fast_one() {
    let mut check = check("latency", ONE_SECOND);
    let facts = real_time(RunState::Finished);
    check.begin(&facts);
    for number in 0..5_000 {
        let due = 30 * SECOND + number * SECOND / 10;
        let mut points = [Some(due); Point::COUNT];
        if number % 100 == 0 {
            points[Point::Published.index()] = Some(due - MS);
        }
        let row = LatencyRow { path: "reading", id: "m/1/1", points, bytes: 1, copies: 1 };
        check.latency(&row);
    }
    let verdict = check.verdict(&facts);
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(
        verdict.why.to_string().contains("50 messages published before they were due"),
        "{}",
        verdict.why
    );
}

/// Up to 0.1 % of negative delays leave a run valid; they count against a pass and not for a fail.
#[test]
fn a_few_negative_delays_are_neither_in_time_nor_late() {
    let judged = |early: i64, took_ms: i64| {
        let mut check = check("latency", ONE_SECOND);
        let facts = real_time(RunState::Finished);
        check.begin(&facts);
        for number in 0..5_000 {
            let due = 30 * SECOND + number * SECOND / 10;
            let mut points = [Some(due); Point::COUNT];
            let is_slow = number % 1_000 < 10;
            points[Point::Queryable.index()] = Some(due + if is_slow { took_ms * MS } else { MS });
            if number % 1_000 == 500 && number / 1_000 < early {
                points[Point::Queryable.index()] = Some(due - MS);
            }
            let row = LatencyRow { path: "reading", id: "m/1/1", points, bytes: 1, copies: 1 };
            check.latency(&row);
        }
        check.verdict(&facts)
    };
    let none = judged(0, 1);
    assert_eq!((none.status, none.measured), (Status::Pass, Some(0.0)));
    let five = judged(5, 1);
    assert_eq!((five.status, five.measured), (Status::Pass, Some(0.1)));
    assert!(five.bound > none.bound, "{:?} and {:?}", five.bound, none.bound);
    assert!(five.why.to_string().contains("5 published or received before due"), "{}", five.why);
    assert!(five.why.to_string().contains("or have a negative delay"), "{}", five.why);
}

#[test]
fn the_path_follows_from_the_span_and_the_observer() {
    let feed = |toml: &str, paths: &[&str]| {
        let mut check = check("latency", toml);
        let facts = real_time(RunState::Finished);
        check.begin(&facts);
        for path in paths {
            for number in 0..400 {
                let due = 30 * SECOND + number * SECOND / 10;
                message(check.as_mut(), (path, "m/1/1"), due, Some(1));
            }
        }
        check.verdict(&facts)
    };
    let limits = "limit = \"1 s\"\ncoverage = \"99 %\"\nstall = \"100 ms\"";
    let received = format!("path = \"intended..received\"\n{limits}");
    assert_eq!(feed(&received, &["reading>a", "reading"]).n, 400);
    let several = feed(&received, &["reading>a", "reading>b"]);
    assert_eq!(several.status, Status::Inconclusive);
    assert!(
        several.why.to_string().contains("several observers received them (a, b)"),
        "{}",
        several.why
    );
    let named = format!("{received}\nobserver = \"b\"");
    assert_eq!(feed(&named, &["reading>a", "reading>b"]).status, Status::Pass);
    assert_eq!(feed(&named, &["reading>a"]).status, Status::Inconclusive);
    let obeyed = format!("path = \"intended..obeyed\"\n{limits}");
    assert_eq!(feed(&obeyed, &["command", "reading"]).n, 400);
    let of_commands = format!("path = \"intended..received\"\nmessages = \"command\"\n{limits}");
    assert_eq!(feed(&of_commands, &["command", "reading>a"]).n, 400);
}

#[test]
fn only_the_named_devices_count() {
    let toml = format!("{ONE_SECOND}\ndevice = \"a-*\"");
    let mut check = check("latency", &toml);
    let facts = real_time(RunState::Finished);
    check.begin(&facts);
    for number in 0..800_i64 {
        let (id, took) = if number % 2 == 0 { ("a-1/1/1", 1) } else { ("b-1/1/1", 5_000) };
        let due = 30 * SECOND + number * SECOND / 20;
        message(check.as_mut(), ("reading", id), due, Some(took));
    }
    let verdict = check.verdict(&facts);
    assert_eq!((verdict.status, verdict.n), (Status::Pass, 400));
}

#[test]
fn a_claim_that_makes_no_sense_is_refused() {
    let path = "path = \"intended..queryable\"\n";
    for (toml, expected) in [
        ("", "needs one of limit, class, profile; has none"),
        ("limit = \"1 s\"\nclass = \"TT1\"", "has `limit` and `class`"),
        ("class = \"TT9\"", "there is no requirement `TT9`"),
        ("class = \"P1\"", "write `ed2-P1` or `ed1-P1`"),
        ("profile = \"on-demand-reed\"", "did you mean `on-demand-read`?"),
        ("profile = \"x\"\nrequirements = \"ours.toml\"", "the file `ours.toml` cannot be read"),
        (
            "limit = \"1 s\"\nobserver = \"o\"\nmessages = \"command\"",
            "an observer receives readings",
        ),
    ] {
        let errors = try_check("latency", &format!("{path}{toml}")).err().unwrap();
        assert!(errors.join("; ").contains(expected), "{errors:?} lacks {expected}");
    }
    for path in ["intended", "intended..nowhere", "received..intended", "received..received"] {
        assert!(try_check("latency", &format!("path = \"{path}\"\nlimit = \"1 s\"")).is_err());
    }
    assert!(try_check("latency", &format!("{path}limit = \"1 s\"\ncoverage = \"100 %\"")).is_err());
}

#[test]
fn a_profile_brings_its_own_coverage() {
    let toml = "path = \"intended..queryable\"\nprofile = \"outage-report\"\nstall = \"100 ms\"";
    // 98 % within 20 s: 149 messages are enough.
    let verdict = judge(toml, 149, |_| Some(19_000));
    assert_eq!((verdict.status, verdict.limit), (Status::Pass, Some(2.0)));
    let stricter = format!("{toml}\ncoverage = \"99.9 %\"");
    let verdict = judge(&stricter, 149, |_| Some(19_000));
    assert_eq!((verdict.status, verdict.limit), (Status::Inconclusive, Some(0.1)));
}

#[test]
fn an_interrupted_run_passes_nothing() {
    let check = fed(ONE_SECOND, 5_000, |_| Some(1));
    let verdict = check.verdict(&real_time(RunState::Interrupted));
    assert_eq!(verdict.status, Status::Inconclusive);
    assert_eq!(START, facts(RunState::Finished).start);
}
