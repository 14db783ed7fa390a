//! Cycles by hand: their figures, what is lost, late, repeated and out of order, and verdicts.

use super::*;

const MS: i64 = 1_000_000;

fn cycles(count: usize, loop_ms: impl Fn(usize) -> Option<i64>) -> Cycles {
    let cycle = |number: usize| {
        let due_ns = number as i64 * 50 * MS;
        let back_ns = loop_ms(number).map(|length| due_ns + length * MS);
        Cycle {
            due_ns,
            sent_ns: Some(due_ns),
            heard_ns: back_ns.map(|_| due_ns + MS),
            answered_ns: back_ns.map(|_| due_ns + MS + 1000),
            back_ns,
        }
    };
    let all = (0..count).map(cycle).collect();
    Cycles { all, period_ns: 50 * MS, timeout_ns: 100 * MS, count, ..Cycles::default() }
}

/// 3 ms; each late loop counts by itself.
fn tt6() -> Claim {
    Claim { class: "TT6".to_owned(), limit_ns: 3 * MS, coverage: 0.95, stall_ns: 1 }
}

fn exit(all: &Cycles) -> ExitCode {
    all.conclude(&tt6()).exit
}

#[test]
fn figures_are_those_of_the_instants() {
    let mut all = cycles(100, |number| Some(2 + i64::from(number == 99)));
    all.floor_ns = vec![MS / 2; 10];
    let summary = all.summary();
    assert_eq!(summary["legs"]["whole_loop_s"]["p50"], 0.002);
    assert_eq!(summary["legs"]["whole_loop_s"]["max"], 0.003);
    assert_eq!(summary["legs"]["frame_to_broker_s"]["p99"], 0.001);
    assert_eq!((&summary["ratio_to_floor"], &summary["lost"]), (&2.0.into(), &0.into()));
    all.warm_up = 1;
    let csv = all.csv();
    let head = "cycle,due_ns,sent_ns,heard_ns,answered_ns,back_ns\n";
    let rows = "0,0,0,1000000,1001000,2000000\n1,50000000,50000000,51000000,";
    assert!(csv.starts_with(&format!("{head}{rows}")), "{csv}");
    // A hop that did not arrive is no fast one.
    all.floor_ns.extend([INFINITE; 11]);
    let summary = all.summary();
    assert!(summary["floor_s"]["p50"].is_null() && summary["ratio_to_floor"].is_null());
    assert_eq!(summary["floor_lost"], 11);
}

#[test]
fn each_value_is_matched_once_and_what_is_odd_is_counted() {
    let mut all = cycles(5, |_| None);
    // 2 overtakes 1, 1 comes twice, 9 was never sent.
    for (number, at, is_first) in [(0, 1, true), (2, 101, true), (1, 102, true), (1, 103, false)] {
        assert_eq!(all.heard(number, at * MS), is_first, "{number}");
    }
    assert!(!all.heard(9, 104 * MS));
    assert_eq!((all.repeated, all.out_of_order), (1, 1));
    // A frame with its value before the answer is none of its.
    all.came_back(0, 2 * MS);
    assert_eq!(all.all[0].back_ns, None);
    for cycle in &mut all.all[..3] {
        cycle.answered_ns = cycle.heard_ns;
    }
    for (number, at) in [(0, 3), (0, 4), (2, 110), (1, 160), (4, 210)] {
        all.came_back(number, at * MS);
    }
    assert_eq!((all.repeated, all.out_of_order), (2, 2));
    // 1 came back after 110 ms of 100: late, and lost.
    let summary = all.summary();
    for (key, expected) in
        [("sent", 5), ("heard", 3), ("back", 2), ("lost", 3), ("late", 1), ("wanted", 5)]
    {
        assert_eq!(summary[key], expected, "{key}");
    }
    assert_eq!(summary["legs"]["whole_loop_s"]["p50"], Value::Null);
    // Back or given up are 0, 1 and 2; 3 and 4 are sent at 150 and 200 ms.
    for (at, is_over) in [(250, false), (300, false), (301, true)] {
        assert_eq!(all.is_over(at * MS), is_over, "{at}");
    }
    all.count = 6;
    assert!(!all.is_over(301 * MS));
    // Who could send nothing has lost it as well.
    let mut unsent = cycles(1, |_| None);
    unsent.all[0].sent_ns = None;
    assert!(unsent.is_over(0) && unsent.lost() == 1 && unsent.missed() == 0);
}

#[test]
fn loops_are_judged_by_exact_bounds_and_lost_ones_are_beyond_any_limit() {
    // 0 of 59 leave at most 4.95 % possible, 0 of 58 more than 5 %.
    assert_eq!(exit(&cycles(59, |_| Some(2))), ExitCode::Passed);
    assert_eq!(exit(&cycles(58, |_| Some(2))), ExitCode::Inconclusive);
    let lost = cycles(59, |number| (number != 7).then_some(2));
    assert_eq!(exit(&lost), ExitCode::Inconclusive);
    assert_eq!(lost.summary()["legs"]["whole_loop_s"]["max"], Value::Null);
    let each_fifth = cycles(100, |number| Some(if number % 5 == 0 { 4 } else { 2 }));
    assert_eq!(exit(&each_fifth), ExitCode::Failed);
    assert_eq!(exit(&cycles(100, |_| None)), ExitCode::Failed);
    // Too long is lost, though it came.
    assert_eq!(cycles(100, |_| Some(101)).lost(), 100);
    // The warm-up is left out.
    let mut cold = cycles(100, |number| Some(if number < 20 { 9 } else { 2 }));
    (cold.warm_up, cold.count) = (20, 80);
    assert_eq!(exit(&cold), ExitCode::Passed);
}

#[test]
fn what_one_stall_can_hold_up_counts_as_one() {
    let second = Claim { stall_ns: 1_000 * MS, ..tt6() };
    // 20 cycles in each second: 59 of them are not three independent ones. By hand: 1200 are 60.
    let short = cycles(59, |_| Some(2)).conclude(&second);
    assert_eq!(short.exit, ExitCode::Inconclusive);
    assert!(short.why.contains("run at least"), "{}", short.why);
    assert_eq!(cycles(1200, |_| Some(2)).conclude(&second).exit, ExitCode::Passed);
}

#[test]
fn who_was_held_up_ended_early_or_has_a_slow_broker_concludes_nothing() {
    let mut all = cycles(100, |_| Some(2));
    for cycle in all.all.iter_mut().take(2) {
        cycle.sent_ns = Some(cycle.due_ns + 6 * MS);
    }
    let concluded = all.conclude(&tt6());
    assert!(concluded.exit == ExitCode::Inconclusive && concluded.why.contains("held up"));
    let mut slow = cycles(100, |_| Some(2));
    slow.floor_ns = vec![MS; 50];
    assert!(slow.conclude(&tt6()).why.starts_with("not measurable here"));
    let mut early = cycles(100, |_| Some(2));
    assert_eq!((exit(&early), early.plain_exit()), (ExitCode::Passed, ExitCode::Passed));
    early.count = 200;
    let both = (exit(&early), early.plain_exit());
    assert_eq!(both, (ExitCode::Inconclusive, ExitCode::Inconclusive));
    let none = Cycles { count: 200, ..Cycles::default() };
    let both = (exit(&none), none.plain_exit());
    assert_eq!(both, (ExitCode::Inconclusive, ExitCode::NothingEvaluated));
    assert_eq!(cycles(9, |number| (number > 0).then_some(2)).plain_exit(), ExitCode::Failed);
}

#[test]
fn a_class_that_is_not_known_is_named() {
    let of = |name, coverage| Claim::of_class(name, coverage, 1);
    assert!(of("TT6", 0.95).unwrap().limit_ns == 3 * MS);
    assert!(of("TT9", 0.95).unwrap_err().contains("no class `TT9`"));
    assert!(of("TT6", 1.0).unwrap_err().contains("0.5 to below 1"));
}
