//! When a run carries a verdict, by the figures of the latency rules.

use std::sync::Arc;

use super::super::{Claim, HoldUps, Span, Window};
use super::*;
use lastmeter_record::{
    Deadlines, LateTick, LatencyRow, LoadFacts, LoadSecond, Point, Summary, TimeMode, Wait,
};

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
    let why = validity.is_not_measurable(Limit::Within(8 * MS - 1)).unwrap().why.to_string();
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
fn a_run_without_facts_of_its_clock_is_modelled_or_invalid() {
    let with = |time| Validity::of(&RunFacts { real_time: None, time, ..facts(|_| {}) });
    let modelled = with(TimeMode::Virtual);
    assert!(modelled.modelled && modelled.invalid.is_empty());
    let unstated = with(TimeMode::Real);
    assert!(!unstated.modelled && !unstated.invalid.is_empty());
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
    let why = Validity::of(&facts(|_| {})).conclude(&few, limit, &judged).why.to_string();
    assert!(why.starts_with("n too small: 100 of 299; run at least 3 s"), "{why}");
}

#[test]
fn times_are_shown_with_a_fitting_unit() {
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
        assert_eq!(describe(ns), text);
    }
}

const HALF: &[i64] = &[0, 100, 200, 300, 400, 500, 600, 700, 800, 900];

/// 400 messages in a second, 2.5 ms apart, one of so many late by 60 ms with a limit of 10 ms, of
/// which 3 % may be over.
fn conclude(late_each: i64, change: &dyn Fn(&mut RealTimeFacts)) -> Because {
    let window = Window { from_ns: 0, to_ns: 1_000 * MS, waited_until_ns: i64::MAX };
    let limit = Limit::Within(10 * MS);
    let mut facts = facts(|_| {});
    change(facts.real_time.as_mut().unwrap());
    let hold_ups = HoldUps::of(facts.real_time.as_ref().unwrap());
    let span = Span { from: Point::Intended, to: Point::Received };
    let population = Population::new(span, window, &[limit]);
    let mut population = population.held_up_by(Arc::new(hold_ups));
    for number in 0..400 {
        let due = number * 5 * MS / 2;
        let took = if number % late_each == 0 { 60 * MS } else { MS };
        let mut points = [Some(due); Point::COUNT];
        points[Point::Received as usize] = Some(due + took);
        let (path, id) = ("reading>o", "m/1/1");
        population.row(&LatencyRow { path, id, points, bytes: 1, copies: 1 });
    }
    let claim = Claim { coverage: 0.97, stall_ns: MS };
    let judged = population.judge(limit, claim).unwrap();
    Validity::of(&facts).conclude(&population, limit, &judged)
}

/// Ticks that were 2 ms late.
fn ticks(at: &'static [i64]) -> impl Fn(&mut RealTimeFacts) {
    move |real| {
        let tick = |&at_ms: &i64| LateTick { at_ns: at_ms * MS, lateness_ns: 2 * MS };
        real.late_ticks = at.iter().map(tick).collect();
        real.deadlines.missed = at.len() as u64;
    }
}

/// Threads of the bench that waited for so long.
fn load(total_ns: i64) -> impl Fn(&mut RealTimeFacts) {
    move |real| {
        let bench = Wait { total_ns, longest_ns: total_ns, each_ns: 0 };
        let seconds = vec![LoadSecond { to_ns: 2_000 * MS, bench, ..LoadSecond::default() }];
        real.load = Some(LoadFacts { look_ns: 100 * MS, seconds });
    }
}

#[test]
fn a_share_is_undecided_for_the_load_if_it_would_pass_without_what_that_held_up() {
    // One in 40 is less than is allowed, but not surely.
    assert_eq!(conclude(40, &ticks(&[])).reason, Reason::BetweenBounds);
    let undecided = conclude(40, &load(MS + 1));
    assert_eq!(undecided.reason, Reason::HostLoad, "{}", undecided.why);
    assert!(undecided.why.to_string().contains("within the bound if 10 mess"), "{}", undecided.why);
    // With one of the ten in time nine are too many still.
    assert_eq!(conclude(40, &ticks(&[100])).reason, Reason::BetweenBounds);
}

#[test]
fn a_fail_is_certain_if_it_holds_without_what_load_may_have_held_up() {
    assert_eq!(conclude(2, &ticks(&[])).reason, Reason::TooLate);
    assert_eq!(conclude(20, &ticks(&[])).reason, Reason::TooLate);
    // A tick from 100 to 102 ms touches what was due from 90 ms on; of these every second is late.
    let certain = conclude(2, &ticks(&[100]));
    assert_eq!(certain.reason, Reason::TooLate);
    assert!(certain.why.to_string().contains("even if 3 messages"), "{}", certain.why);
    // Ticks that touch half of those that are late leave too few.
    let doubtful = conclude(20, &ticks(HALF));
    assert_eq!(doubtful.reason, Reason::HostLoad, "{}", doubtful.why);
    assert!(doubtful.why.to_string().contains("not if 10 messages"), "{}", doubtful.why);
    // A wait of a tenth of the limit touches nothing, a longer one all of its second.
    assert_eq!(conclude(2, &load(MS)).reason, Reason::TooLate);
    assert_eq!(conclude(2, &load(MS + 1)).reason, Reason::HostLoad);
    // A clock that was set, a floor that is too high: load is not all that speaks against it.
    let stepped = |real: &mut RealTimeFacts| {
        ticks(&[100])(real);
        real.clock.wall_step_ns = 2 * MS;
    };
    assert_eq!(conclude(2, &stepped).reason, Reason::ClockChanged);
    let high = |real: &mut RealTimeFacts| {
        ticks(&[100])(real);
        real.floor_before.as_mut().unwrap().timer.p99_ns = 2 * MS;
    };
    assert_eq!(conclude(2, &high).reason, Reason::NotMeasurableHere);
    // What is in time is so whatever the load was, and however late a tick.
    assert_eq!(conclude(401, &load(500 * MS)).reason, Reason::WithinLimit);
    assert_eq!(conclude(401, &ticks(HALF)).reason, Reason::WithinLimit);
    // When the missed deadlines were has to be known for that.
    let unknown = |missed: u64| move |real: &mut RealTimeFacts| real.deadlines.missed = missed;
    assert_eq!(conclude(2, &unknown(1)).reason, Reason::DeadlinesMissed);
    assert_eq!(conclude(401, &unknown(1)).reason, Reason::WithinLimit);
    assert_eq!(conclude(401, &unknown(20)).reason, Reason::DeadlinesMissed);
    // More than one in a hundred, and what was sent is not what the scenario asks for.
    let many = |real: &mut RealTimeFacts| (ticks(HALF)(real), real.deadlines.scheduled = 900).1;
    assert_eq!(conclude(401, &many).reason, Reason::DeadlinesMissed);
    assert_eq!(conclude(2, &many).reason, Reason::TooLate);
}

/// Between two points behind the instant a message was due load may hide a part of the delay.
#[test]
fn a_pass_holds_with_what_load_may_have_made_seem_shorter() {
    let window = Window { from_ns: 0, to_ns: 4_000 * MS, waited_until_ns: i64::MAX };
    let limit = Limit::Within(10 * MS);
    let claim = Claim { coverage: 0.97, stall_ns: MS };
    let conclude = |from: Point, total_ns: i64| {
        let mut facts = facts(|_| {});
        let bench = Wait { total_ns, longest_ns: total_ns, each_ns: 0 };
        let seconds = vec![LoadSecond { to_ns: 5_000 * MS, bench, ..LoadSecond::default() }];
        let real = facts.real_time.as_mut().unwrap();
        real.load = Some(LoadFacts { look_ns: 100 * MS, seconds });
        let hold_ups = Arc::new(HoldUps::of(real));
        let span = Span { from, to: Point::Received };
        let mut population = Population::new(span, window, &[limit]).held_up_by(hold_ups);
        for number in 0..400 {
            let mut points = [Some(number * 10 * MS); Point::COUNT];
            points[Point::Received as usize] = Some(number * 10 * MS + 8 * MS);
            let (path, id) = ("reading>o", "m/1/1");
            population.row(&LatencyRow { path, id, points, bytes: 1, copies: 1 });
        }
        let judged = population.judge(limit, claim).unwrap();
        Validity::of(&facts).conclude(&population, limit, &judged).reason
    };
    assert_eq!(conclude(Point::Intended, 3 * MS), Reason::WithinLimit);
    assert_eq!(conclude(Point::Published, 2 * MS), Reason::WithinLimit);
    assert_eq!(conclude(Point::Published, 3 * MS), Reason::HostLoad);
}
