//! When a run carries a verdict, by the figures of the latency rules.

use super::super::{Claim, Span, Window};
use super::*;
use crate::record::{Deadlines, Floor, LatencyRow, Point, Summary, TimeMode};

const MS: i64 = 1_000_000;

fn facts(change: impl Fn(&mut RealTimeFacts)) -> RunFacts {
    let summary =
        Summary { n: 2000, p50_ns: MS / 10, p99_ns: 3 * MS / 10, p999_ns: MS, max_ns: MS };
    let floor = Floor { timer: summary, echo: Some(summary), ..Floor::default() };
    let mut real = RealTimeFacts {
        deadlines: Deadlines { scheduled: 10_000, limit_ns: 5 * MS, ..Deadlines::default() },
        floor_before: Some(floor.clone()),
        floor_after: Some(floor),
        waited_until_ns: i64::MAX,
        ..RealTimeFacts::default()
    };
    change(&mut real);
    let json = serde_json::json!({
        "format_version": 1, "state": "finished", "scenario": "s", "seed": 1, "time": "real",
        "start": "2027-01-18T17:00:00Z", "end": "2027-01-18T17:10:00Z",
        "started": "2027-01-18T17:00:00Z",
    });
    let facts: RunFacts = serde_json::from_value(json).unwrap();
    RunFacts { real_time: Some(real), ..facts }
}

#[test]
fn a_good_run_is_valid_and_has_a_floor() {
    let validity = Validity::of(&facts(|_| {}));
    let floor = Some(FloorBound { p50_ns: MS / 10, p99_ns: 3 * MS / 10 });
    assert_eq!(validity, Validity { floor, ..Validity::default() });
}

/// Section 7: invalid above 0.1 % of missed deadlines, flagged above none.
#[test]
fn missed_deadlines_flag_a_run_or_make_it_invalid() {
    for (missed, is_flagged, is_invalid) in
        [(0, false, false), (1, true, false), (10, true, false), (11, false, true)]
    {
        let validity = Validity::of(&facts(|real| real.deadlines.missed = missed));
        let found = (!validity.flags.is_empty(), !validity.invalid.is_empty());
        assert_eq!(found, (is_flagged, is_invalid), "{missed} of 10000");
    }
}

#[test]
fn a_stepped_clock_or_a_sleep_makes_a_run_invalid() {
    for (step_ns, asleep_ns, is_invalid) in
        [(MS, -MS, false), (MS + 1, 0, true), (-2 * MS, 0, true), (0, 2 * MS, true)]
    {
        let validity = Validity::of(&facts(|real| {
            real.clock.wall_step_ns = step_ns;
            real.clock.suspended_ns = asleep_ns;
        }));
        assert_eq!(!validity.invalid.is_empty(), is_invalid, "{step_ns} and {asleep_ns}");
    }
}

/// Rule 2.9: the worse of before and after, of timer and echo; ten times it is the least limit.
#[test]
fn a_limit_below_ten_times_the_floor_is_not_measurable() {
    let validity = Validity::of(&facts(|real| {
        real.floor_after.as_mut().unwrap().timer.p99_ns = 8 * MS / 10;
    }));
    assert_eq!(validity.floor.unwrap().least_limit_ns(), 8 * MS);
    assert!(validity.is_not_measurable(Limit::Within(8 * MS)).is_none());
    let why = validity.is_not_measurable(Limit::Within(8 * MS - 1)).unwrap().why;
    assert!(why.starts_with("not measurable here: "), "{why}");
    assert!(validity.is_not_measurable(Limit::Delivery).is_none());
    // A rise to less than three times disturbs nothing.
    assert!(validity.flags.is_empty());
    let disturbed = Validity::of(&facts(|real| {
        real.floor_after.as_mut().unwrap().echo.as_mut().unwrap().p99_ns = 9 * MS / 10 + 1;
    }));
    assert!(disturbed.flags[0].starts_with("disturbed: "), "{:?}", disturbed.flags);
    assert!(disturbed.invalid.is_empty());
}

#[test]
fn without_a_whole_floor_there_is_no_verdict() {
    let cases: [fn(&mut RealTimeFacts); 3] = [
        |real| real.floor_before = None,
        |real| real.floor_after = None,
        |real| real.floor_after.as_mut().unwrap().timer.n = 0,
    ];
    for change in cases {
        assert_eq!(Validity::of(&facts(change)).floor, None);
    }
    let alone = Validity::of(&facts(|real| real.floor_before.as_mut().unwrap().echo = None));
    assert!(alone.floor.is_some() && alone.flags[0].contains("without an echo"));
}

#[test]
fn a_run_that_says_nothing_of_its_clock_is_modelled_or_invalid() {
    let with = |time| Validity::of(&RunFacts { real_time: None, time, ..facts(|_| {}) });
    let modelled = with(TimeMode::Virtual);
    assert!(modelled.modelled && modelled.invalid.is_empty());
    let unsaid = with(TimeMode::Real);
    assert!(!unsaid.modelled && !unsaid.invalid.is_empty());
}

/// What is refused is inconclusive whatever was counted; the rest is as judged.
#[test]
fn a_conclusion_is_the_judgement_unless_the_run_forbids_one() {
    let window = Window { from_ns: 0, to_ns: 1_000 * MS, waited_until_ns: i64::MAX };
    let limit = Limit::Within(10 * MS);
    let population = |n: i64| {
        let span = Span { from: Point::Intended, to: Point::Received };
        let mut population = Population::new(span, window, &[limit]);
        for number in 0..n {
            let points = [Some(number * MS); Point::COUNT];
            let (path, id) = ("reading>o", "m/1/1");
            population.row(&LatencyRow { path, id, points, bytes: 1, copies: 1 });
        }
        population
    };
    let claim = Claim { coverage: 0.99, stall_ns: MS };
    let (few, population) = (population(100), population(400));
    let judged = population.judge(limit, claim).unwrap();
    let conclude = |change: fn(&mut RealTimeFacts)| {
        Validity::of(&facts(change)).conclude(&population, limit, &judged)
    };
    assert_eq!(conclude(|_| {}).status(), Status::Pass);
    for change in [
        (|real| real.deadlines.missed = 100) as fn(&mut RealTimeFacts),
        |real| real.floor_before = None,
        |real| real.floor_before.as_mut().unwrap().timer.p99_ns = 2 * MS,
    ] {
        assert_eq!(conclude(change).status(), Status::Inconclusive);
    }
    let judged = few.judge(limit, claim).unwrap();
    let why = Validity::of(&facts(|_| {})).conclude(&few, limit, &judged).why;
    assert!(why.starts_with("n too small: 100 of 299; run at least 3 s"), "{why}");
}

#[test]
fn times_are_told_with_a_fitting_unit() {
    for (ns, text) in [
        (0, "0 s"),
        (999, "999 ns"),
        (1_500, "1.5 us"),
        (290_000, "0.29 ms"),
        (100 * MS, "100 ms"),
        (1_000 * MS, "1 s"),
        (-3_000 * MS, "-3 s"),
        (90_000 * MS, "90 s"),
        (900_000 * MS, "15 min"),
        (14_400_000 * MS, "4 h"),
        (i64::MAX, "never"),
    ] {
        assert_eq!(told(ns), text);
    }
}

/// 400 messages in a second, one of so many late; of one missed deadline of 1 ms and a limit of
/// 10 ms, 1 + 2 * 400 * 0.011 = 10 are doubtful.
#[test]
fn a_fail_is_certain_if_it_holds_without_what_the_bench_may_have_delayed() {
    let window = Window { from_ns: 0, to_ns: 1_000 * MS, waited_until_ns: i64::MAX };
    let limit = Limit::Within(10 * MS);
    let claim = Claim { coverage: 0.97, stall_ns: MS };
    let population = |late_each: i64| {
        let span = Span { from: Point::Intended, to: Point::Received };
        let mut population = Population::new(span, window, &[limit]);
        for number in 0..400 {
            let due = number * 5 * MS / 2;
            let took = if number % late_each == 0 { 60 * MS } else { MS };
            let mut points = [Some(due); Point::COUNT];
            points[Point::Received as usize] = Some(due + took);
            let (path, id) = ("reading>o", "m/1/1");
            population.row(&LatencyRow { path, id, points, bytes: 1, copies: 1 });
        }
        population
    };
    let conclude = |late_each: i64, change: &dyn Fn(&mut RealTimeFacts)| {
        let population = population(late_each);
        let judged = population.judge(limit, claim).unwrap();
        assert_eq!(judged.status, Status::Fail, "{late_each}");
        Validity::of(&facts(change)).conclude(&population, limit, &judged)
    };
    let missed = |count: u64| {
        move |real: &mut RealTimeFacts| {
            real.deadlines.missed = count;
            real.deadlines.worst_ns = MS;
        }
    };
    let bound = Missed { count: 1, worst_ns: MS, too_many: false };
    assert_eq!(bound.doubtful(&population(2), 10 * MS), 10);
    // Half is late: 15 misses of 10,000 make the run invalid, and 150 doubtful leave 50 of 200.
    assert_eq!(conclude(2, &missed(0)).status(), Status::Fail);
    assert_eq!(conclude(2, &missed(1)).status(), Status::Fail);
    let certain = conclude(2, &missed(15));
    assert_eq!(certain.status(), Status::Fail);
    assert!(certain.why.contains("even if 150 messages"), "{}", certain.why);
    // Of 20 misses nothing is left that were late for certain.
    assert_eq!(conclude(2, &missed(20)).status(), Status::Inconclusive);
    // Valid, but without 10 of the 20 late ones it is no fail any more.
    let doubtful = conclude(20, &missed(1));
    assert_eq!(doubtful.status(), Status::Inconclusive);
    assert!(doubtful.why.contains("not if 10 messages"), "{}", doubtful.why);
    assert_eq!(conclude(20, &missed(0)).status(), Status::Fail);
    // A clock that was set, a floor that is too high: lateness is not all that speaks against it.
    let stepped = |real: &mut RealTimeFacts| {
        missed(15)(real);
        real.clock.wall_step_ns = 2 * MS;
    };
    assert_eq!(conclude(2, &stepped).status(), Status::Inconclusive);
    let high = |real: &mut RealTimeFacts| {
        missed(15)(real);
        real.floor_before.as_mut().unwrap().timer.p99_ns = 2 * MS;
    };
    assert_eq!(conclude(2, &high).status(), Status::Inconclusive);
    // Nothing that is missing makes a pass: that of a bench that was too late stays none.
    let in_time = population(401);
    let judged = in_time.judge(limit, claim).unwrap();
    assert_eq!((judged.status, judged.tally.over), (Status::Pass, 1));
    let late = Validity::of(&facts(missed(15))).conclude(&in_time, limit, &judged);
    assert_eq!(late.status(), Status::Inconclusive);
}
