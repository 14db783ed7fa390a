//! The rule "messages per stall" against its closed forms, and what it must never do.

use proptest::prelude::*;

use super::super::blocks::{Blocks, design_effect};
use super::*;

const SECOND: i64 = 1_000_000_000;

/// Messages evenly spread over a window, some of them late.
struct Run {
    window_s: f64,
    per_s: f64,
    /// By number: late for certain, or open.
    is_over: fn(u64) -> bool,
    is_open: fn(u64) -> bool,
}

/// Nothing late: a hundred messages a second.
const CALM: Run = Run { window_s: 50.0, per_s: 100.0, is_over: |_| false, is_open: |_| false };

impl Run {
    fn judge(&self, coverage: f64, stall_s: f64) -> Judgement {
        let window_ns = (self.window_s * 1e9) as i64;
        let n = (self.window_s * self.per_s).round() as u64;
        let instants: Vec<i64> =
            (0..n).map(|number| (number as f64 / self.per_s * 1e9).round() as i64).collect();
        let is_late = |number: u64| (self.is_over)(number) || (self.is_open)(number);
        let late = Late::of(
            instants
                .iter()
                .zip(0..)
                .map(|(&at, number)| (at, (number % 7) as u32, is_late(number))),
        );
        let blocks = Blocks::of(0, window_ns);
        let mut counts = [vec![0; blocks.count() as usize], vec![0; blocks.count() as usize]];
        for (&at, number) in instants.iter().zip(0..) {
            counts[0][blocks.index(at)] += 1;
            counts[1][blocks.index(at)] += u64::from(is_late(number));
        }
        let count = |test: fn(u64) -> bool| (0..n).filter(|&number| test(number)).count() as u64;
        let shown = LimitEvidence {
            tally: Tally {
                n,
                over: count(self.is_over),
                open: count(self.is_open),
                ..Tally::default()
            },
            deff: design_effect(&blocks, &counts[0], &counts[1]),
            due: &Due::Each(instants),
            late: &late,
            window_ns,
        };
        judge(&shown, Claim { coverage, stall_ns: (stall_s * 1e9) as i64 })
    }
}

/// Without a late message the bound of m stalls is 1 - 0.05^(1/m), so m = ln 0.05 / ln coverage of
/// them have to fit: 98.4, 298.1, 2994.2.
#[test]
fn with_nothing_late_a_pass_takes_three_stalls_over_the_allowed_share() {
    for (coverage, stalls) in [(0.97, 98.36), (0.99, 298.08), (0.999, 2_994.24)] {
        for stall_s in [0.1, 1.0] {
            let at = |stalls: f64| {
                Run { window_s: stalls * stall_s, per_s: 40.0, ..CALM }.judge(coverage, stall_s)
            };
            assert_eq!(at(1.003 * stalls).status, Status::Pass, "{coverage} {stall_s}");
            let short = at(0.997 * stalls);
            assert_eq!(short.status, Status::Inconclusive, "{coverage} {stall_s}");
            let needs_s = short.needs_ns.unwrap() as f64 / 1e9;
            assert!((needs_s / (stalls * stall_s) - 1.0).abs() < 0.02, "{needs_s} {coverage}");
        }
    }
}

/// The longest stall it holds up to is a T / 3, and one message more or fewer decides.
#[test]
fn a_pass_states_the_longest_stall_with_which_it_would_still_be_one() {
    let judged = CALM.judge(0.97, 0.5);
    // 5000 ln 0.97 / ln 0.05 = 50.8 messages: 50 places on is half a second later.
    assert_eq!((judged.status, judged.holds_up_to_ns), (Status::Pass, Some(SECOND / 2)));
    assert_eq!(judged.words(), "if no stall lasts longer than 500 ms (asked: 500 ms)");
    let judged = CALM.judge(0.97, 0.501);
    assert_eq!(judged.grounds, Grounds::StallTooShort);
    assert_eq!(judged.reason().word(), "stall-too-short");
    assert_eq!(judged.holds_up_to_ns, Some(SECOND / 2));
    assert_eq!(
        judged.words(),
        "holds only if no stall lasts longer than 500 ms (asked: 501 ms); run at least 50.2 s \
         after the warm-up"
    );
}

/// One whole stall late takes 4.74 stalls over the allowed share: beta.ppf(.95, 2, m - 1) is 1 % at
/// m = 473.
#[test]
fn one_whole_stall_late_takes_half_as_long_again() {
    let late = Run { per_s: 20.0, is_over: |number| (2_000..2_020).contains(&number), ..CALM };
    let at = |window_s: f64| Run { window_s, ..late }.judge(0.99, 1.0);
    assert_eq!(at(475.0).status, Status::Pass);
    assert_eq!(at(470.0).status, Status::Inconclusive);
    // The block it lies in shows 20 (n - 1) / n / (1 - 1/475).
    assert!((20.0..20.1).contains(&at(475.0).pass_weight), "{}", at(475.0).pass_weight);
}

/// A bench of fifty devices at two messages a second that stalls for one second each 95 s is late
/// in 1.05 % of all messages: the 6,000 of one minute never pass p99.
#[test]
fn a_rare_stall_of_all_devices_is_one_event_and_not_a_hundred() {
    for (is_over, name) in [
        ((|_| false) as fn(u64) -> bool, "none seen"),
        (|number| (3_000..3_100).contains(&number), "one seen"),
    ] {
        let judged = Run { window_s: 60.0, is_over, ..CALM }.judge(0.99, 1.0);
        assert_eq!(judged.status, Status::Inconclusive, "{name}");
        // Where messages are late one by one, so many would do.
        assert_eq!(
            Run { window_s: 60.0, is_over, ..CALM }.judge(0.99, 1e-3).status,
            match name {
                "none seen" => Status::Pass,
                _ => Status::Inconclusive,
            }
        );
    }
}

/// A longer outage than declared is seen by its run.
#[test]
fn an_outage_longer_than_the_stall_counts_as_one() {
    let outage = Run {
        window_s: 1_000.0,
        per_s: 10.0,
        is_over: |number| (4_000..4_080).contains(&number),
        ..CALM
    };
    let judged = outage.judge(0.99, 1.0);
    assert_eq!((judged.longest_run, judged.per_stall), (80, 10));
    assert!(judged.pass_weight >= 80.0, "{}", judged.pass_weight);
    assert_eq!((judged.status, judged.grounds), (Status::Inconclusive, Grounds::Between));
    assert_eq!(judged.holds_up_to_ns, None);
    assert_eq!(Run { window_s: 20_000.0, ..outage }.judge(0.99, 1.0).status, Status::Pass);
}

#[test]
fn a_fail_rests_on_what_was_seen() {
    let half = Run { is_over: |number| number % 20 == 0, ..CALM };
    // 5 % late, one by one, where a stall holds 10, 100 or 200 messages: 1, 5 or 10 of them late.
    for stall_s in [0.1, 1.0, 2.0] {
        let judged = half.judge(0.97, stall_s);
        assert_eq!((judged.status, judged.grounds), (Status::Fail, Grounds::Over), "{stall_s}");
    }
    assert_eq!(half.judge(0.97, 0.01).fail_weight, 1.0);
    let judged = half.judge(0.97, 2.0);
    assert_eq!((judged.fail_weight, judged.weight()), (10.0, 10.0));
    assert!(judged.pass_weight > 10.0, "{}", judged.pass_weight);
    let passed = Run { window_s: 20_000.0, is_over: |number| number < 80, ..CALM }.judge(0.97, 1.0);
    assert_eq!((passed.status, passed.weight()), (Status::Pass, passed.pass_weight));
    assert!(passed.fail_weight < passed.pass_weight, "{}", passed.fail_weight);
    // scipy: beta.ppf(.05, 250, 4751) = 0.045020.
    assert_eq!(half.judge(0.97, 0.01).words(), "at least 4.5 % late; longest late run 1 message");
    // All late is one run: a third of the messages counts as one, and 0.05^(1/3) is 36.8 %.
    let all = Run { is_over: |_| true, ..CALM };
    assert_eq!(all.judge(0.7, 1.0).status, Status::Fail);
    assert!((all.judge(0.97, 1.0).lower - 0.05_f64.cbrt()).abs() < 1e-12);
    assert_eq!(all.judge(0.6, 1.0).status, Status::Inconclusive);
}

#[test]
fn what_is_open_counts_against_a_pass_and_not_for_a_fail() {
    let open = Run { is_open: |number| number % 20 == 0, ..CALM };
    let judged = open.judge(0.97, 0.1);
    assert_eq!((judged.status, judged.tally.open, judged.lower), (Status::Inconclusive, 250, 0.0));
    assert!(judged.words().contains("; 250 may have come after"), "{}", judged.words());
    assert_eq!(
        Run { is_over: |number| number % 20 == 0, ..CALM }.judge(0.97, 0.1).status,
        Status::Fail
    );
}

#[test]
fn sparse_messages_count_each_and_the_gap_is_flagged() {
    let sparse = Run { window_s: 300.0 * 5.0, per_s: 0.2, ..CALM };
    let judged = sparse.judge(0.99, 1.0);
    assert_eq!((judged.status, judged.per_stall), (Status::Pass, 1));
    assert_eq!(judged.gap_ns, Some(5 * SECOND));
    assert!(judged.words().contains("messages were due up to 5 s apart"), "{}", judged.words());
    assert_eq!(CALM.judge(0.97, 0.01).gap_ns, None);
}

#[test]
fn too_few_messages_never_pass_and_may_fail() {
    let few = |n: f64, is_over| Run { window_s: 10.0 * n, per_s: 0.1, is_over, ..CALM };
    let judged = few(298.0, |_| false).judge(0.99, 1.0);
    assert_eq!(judged.grounds, Grounds::TooFew { needed: 299 });
    assert!(
        judged.words().starts_with("n too small: 298 of 299; run at least 50 min"),
        "{}",
        judged.words()
    );
    assert_eq!(few(299.0, |_| false).judge(0.99, 1.0).status, Status::Pass);
    assert_eq!(few(50.0, |number| number % 2 == 0).judge(0.99, 1.0).status, Status::Fail);
    let none = Run { window_s: 0.0, ..CALM }.judge(0.99, 1.0);
    assert_eq!(
        (none.status, none.holds_up_to_ns, none.needs_ns),
        (Status::Inconclusive, None, None)
    );
}

#[test]
fn where_no_length_would_do_none_is_advised() {
    let late = Run { is_over: |number| number % 100 == 0, ..CALM };
    // 1 % late, and 1 % allowed.
    assert_eq!(late.judge(0.99, 0.1).needs_ns, None);
    assert!(late.judge(0.985, 0.1).needs_ns.is_some());
    assert_eq!(late.judge(0.985, 0.1).words().matches("run at least").count(), 1);
}

#[test]
fn times_are_rounded_to_the_side_that_promises_less() {
    for (ns, down) in
        [(1_999_999, 1_990_000), (999, 999), (1_000, 1_000), (0, 0), (123_456, 123_000)]
    {
        assert_eq!(readable(ns), down);
    }
    for (ns, text) in [
        (49_110_000_000, "49.2 s"),
        (298_070_000_000, "299 s"),
        (2_994_200_000_000, "50 min"),
        (9_000_000_000_000, "2.5 h"),
    ] {
        assert_eq!(at_least(ns), text);
    }
}

/// With late messages that are too many to keep nothing passes, and what fails anyhow does.
#[test]
fn too_many_late_messages_to_keep_are_one_run_at_worst() {
    let due = Due::Each((0..10_000).map(|number| number * SECOND / 100).collect());
    let late = Late { due_ns: None, ..Late::default() };
    let of = |over: u64| {
        let blocks = Blocks::of(0, 100 * SECOND);
        let deff = design_effect(&blocks, &[500; 20], &[over / 20; 20]);
        let tally = Tally { n: 10_000, over, ..Tally::default() };
        let shown = LimitEvidence { tally, deff, due: &due, late: &late, window_ns: 100 * SECOND };
        judge(&shown, Claim { coverage: 0.9, stall_ns: SECOND / 10 })
    };
    assert_eq!(of(400).grounds, Grounds::TooManyLate);
    assert_eq!(of(400).reason().word(), "too-many");
    assert_eq!(of(9_000).status, Status::Fail);
}

fn run(n: u64, every: u64, length: u64) -> (u64, Vec<bool>) {
    (n, (0..n).map(|number| number % every < length).collect())
}

/// Judges flags of messages one tenth of a second apart.
fn judged(flags: &[bool], open: u64, coverage: f64, stall_s: f64) -> Judgement {
    let n = flags.len() as u64;
    let instants: Vec<i64> = (0..n).map(|number| number as i64 * SECOND / 10).collect();
    let late = Late::of(instants.iter().zip(flags).map(|(&at, &is_late)| (at, 0, is_late)));
    let blocks = Blocks::of(0, n as i64 * SECOND / 10);
    let mut counts = [vec![0; blocks.count() as usize], vec![0; blocks.count() as usize]];
    for (&at, &is_late) in instants.iter().zip(flags) {
        counts[0][blocks.index(at)] += 1;
        counts[1][blocks.index(at)] += u64::from(is_late);
    }
    let k = flags.iter().filter(|&&is_late| is_late).count() as u64;
    let open = open.min(k);
    let shown = LimitEvidence {
        tally: Tally { n, over: k - open, open, ..Tally::default() },
        deff: design_effect(&blocks, &counts[0], &counts[1]),
        due: &Due::Each(instants),
        late: &late,
        window_ns: n as i64 * SECOND / 10,
    };
    judge(&shown, Claim { coverage, stall_ns: (stall_s * 1e9) as i64 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// PASS if and only if the longest stall it holds up to is at least the declared one; a longer
    /// stall declared never makes a verdict better, and more open messages neither.
    #[test]
    fn the_stated_stall_is_the_one_that_decides(
        n in 20_u64..6_000, every in 20_u64..4_000, length in 0_u64..30, open in 0_u64..4,
        stall_s in 0.05..5.0_f64,
        coverage in prop::sample::select(vec![0.9, 0.95, 0.97, 0.99]),
    ) {
        let (_, flags) = run(n, every, length);
        let found = judged(&flags, open, coverage, stall_s);
        let stall_ns = (stall_s * 1e9) as i64;
        if found.status == Status::Pass {
            prop_assert!(found.holds_up_to_ns.unwrap() >= stall_ns);
            prop_assert!(found.upper <= found.allowed());
            let longest_s = found.holds_up_to_ns.unwrap() as f64 / 1e9;
            prop_assert_eq!(judged(&flags, open, coverage, longest_s).status, Status::Pass);
            let beyond = judged(&flags, open, coverage, longest_s + 1e-6);
            prop_assert_eq!(beyond.grounds, Grounds::StallTooShort);
        } else if let Some(holds_ns) = found.holds_up_to_ns
            && found.grounds == Grounds::StallTooShort
        {
            prop_assert!(holds_ns < stall_ns);
        }
        if found.status == Status::Fail {
            prop_assert!(found.lower > found.allowed() && found.upper > found.allowed());
            prop_assert!(found.fails_with(found.tally.over, found.tally.n));
        }
        prop_assert!(found.lower <= found.share() && found.share() <= found.upper);
        prop_assert!(found.fail_weight <= found.pass_weight);
        let longer = judged(&flags, open, coverage, 2.0 * stall_s);
        prop_assert!(longer.status != Status::Pass || found.status == Status::Pass);
        prop_assert!(longer.status != Status::Fail || found.status == Status::Fail);
        let more = judged(&flags, open + 1, coverage, stall_s);
        prop_assert!(more.status != Status::Fail || found.status == Status::Fail);
    }
}
