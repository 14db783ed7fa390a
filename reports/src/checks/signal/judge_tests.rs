//! Samples against bands: parts, shares, numbers that are none, and followers.

use proptest::prelude::*;

use super::judge::{Interval, Part, Sample, Wanted, allowed_ns, deviation, intervals, judge, mean};

const S: i64 = 1_000_000_000;

/// Samples one second apart, the first at 1 s.
fn samples(values: &[f64]) -> Vec<Interval> {
    let sample = |(n, value): (usize, &f64)| Sample { at_ns: (n as i64 + 1) * S, value: *value };
    intervals(&values.iter().enumerate().map(sample).collect::<Vec<_>>())
}

fn level(from_s: i64, to_s: i64, level: f64) -> Part<'static> {
    Part { from_ns: from_s * S, to_ns: to_s * S, wanted: Wanted::Level(level) }
}

#[test]
fn a_sample_stands_for_the_time_since_the_one_before_in_any_order() {
    let at = |at_ns, value| Sample { at_ns, value };
    let found = intervals(&[at(5, 2.0), at(2, 1.0), at(5, 3.0)]);
    let times: Vec<_> = found.iter().map(|own| (own.from_ns, own.to_ns, own.value)).collect();
    assert_eq!(times, [(0, 2, 1.0), (2, 5, 2.0), (2, 5, 3.0)]);
}

#[test]
fn a_mean_over_the_edge_of_a_part_is_not_judged() {
    let own = samples(&[0.0, 0.0, 5.0, 9.0, 9.0]);
    // The change is at 2.5 s: the sample at 3 s stands for both sides.
    let part = |from_ns, to_ns, wanted| Part { from_ns, to_ns, wanted };
    let before = judge(&own, &part(0, 2_500_000_000, Wanted::Level(0.0)), 0.1, 1.0);
    let after = judge(&own, &part(2_500_000_000, 5 * S, Wanted::Level(9.0)), 0.1, 1.0);
    assert_eq!((before.n, before.outside_ns, before.is_whole), (2, 0, true));
    assert_eq!((after.n, after.outside_ns, after.is_whole), (2, 0, true));
}

#[test]
fn the_first_outside_the_worst_and_the_share_are_found() {
    let own = samples(&[10.0, 10.5, 12.0, 9.0, 10.0]);
    let found = judge(&own, &level(0, 5, 10.0), 0.5, 0.6);
    assert_eq!((found.n, found.outside_ns), (5, 2 * S));
    assert_eq!(found.first_ns, Some(3 * S));
    assert_eq!(found.worst, Some((2.0, 3 * S)));
    assert!((found.share() - 0.6).abs() < 1e-12);
    // For 3 of 5 s it holds with 0.5, which is therefore enough.
    assert_eq!((found.needed, allowed_ns(found.judged_ns, 0.6)), (0.5, 2 * S));
    assert_eq!(judge(&own, &level(0, 5, 10.0), 0.5, 0.61).needed, 1.0);
    assert_eq!(judge(&own, &level(0, 5, 10.0), 0.5, 1.0).needed, 2.0);
}

#[test]
fn what_is_no_number_is_within_no_tolerance() {
    let own = samples(&[1.0, f64::NAN, 1.0]);
    let found = judge(&own, &level(0, 3, 1.0), f64::MAX, 1.0);
    assert_eq!((found.outside_ns, found.first_ns), (S, Some(2 * S)));
    assert!(found.needed.is_infinite());
    let unknown = judge(&own, &level(0, 3, f64::NAN), f64::MAX, 1.0);
    assert_eq!(unknown.outside_ns, 3 * S);
    assert!(deviation(f64::INFINITY, (f64::INFINITY, f64::INFINITY)).is_infinite());
    assert_eq!(mean(&own, 0, 3 * S), Some(1.0));
    assert_eq!(mean(&samples(&[f64::NAN]), 0, 3 * S), None);
}

#[test]
fn samples_that_end_early_or_begin_late_do_not_make_a_part_whole() {
    let own = samples(&[1.0; 5]);
    assert!(judge(&own, &level(0, 5, 1.0), 0.1, 1.0).is_whole);
    assert!(!judge(&own, &level(0, 6, 1.0), 0.1, 1.0).is_whole);
    let late: Vec<Interval> = own[2..].to_vec();
    assert!(!judge(&late, &level(0, 5, 1.0), 0.1, 1.0).is_whole);
    assert!(!judge(&[], &level(0, 5, 1.0), 0.1, 1.0).is_whole);
}

#[test]
fn a_follower_lies_between_what_the_other_was_within_the_lag() {
    let other = samples(&[0.0, 0.0, 10.0, 10.0, 10.0, 10.0]);
    let late = samples(&[0.0, 0.0, 0.0, 4.0, 10.0, 10.0]);
    let outside = |lag_ns| {
        let wanted = Wanted::Follows { other: &other, lag_ns };
        let found = judge(&late, &Part { from_ns: 0, to_ns: 6 * S, wanted }, 0.1, 1.0);
        (found.outside_ns / S, found.first_ns.map(|at| at / S))
    };
    assert_eq!(outside(0), (2, Some(3)));
    assert_eq!(outside(S), (1, Some(4)));
    assert_eq!(outside(2 * S), (0, None));
    // A NaN of the other is no value to follow, and the sample after it follows again.
    let holed = samples(&[0.0, f64::NAN, 10.0, 10.0, 10.0, 10.0]);
    let wanted = Wanted::Follows { other: &holed, lag_ns: 0 };
    let found = judge(&other, &Part { from_ns: 0, to_ns: 6 * S, wanted }, 0.1, 1.0);
    assert_eq!((found.outside_ns, found.first_ns), (S, Some(2 * S)));
    // Where the other has nothing there is nothing to compare.
    let wanted = Wanted::Follows { other: &other[..2], lag_ns: 0 };
    let found = judge(&other, &Part { from_ns: 0, to_ns: 6 * S, wanted }, 0.1, 1.0);
    assert_eq!((found.n, found.left_out, found.is_whole), (2, 4, false));
}

fn any_samples() -> impl Strategy<Value = Vec<Interval>> {
    let value = prop_oneof![8 => -10.0..10.0_f64, 1 => Just(f64::NAN)];
    proptest::collection::vec((0..50_i64, value), 0..40).prop_map(|list| {
        let sample = |(at, value): (i64, f64)| Sample { at_ns: at * S, value };
        intervals(&list.into_iter().map(sample).collect::<Vec<_>>())
    })
}

proptest! {
    /// `needed` is where the verdict changes: it is what decides, as a figure.
    #[test]
    fn it_holds_exactly_with_the_needed_tolerance_or_more(
        own in any_samples(),
        tolerance in 0.0..12.0_f64,
        share in 0.01..1.0_f64,
    ) {
        let found = judge(&own, &level(0, 50, 1.0), tolerance, share);
        prop_assume!(found.n > 0);
        let holds = found.outside_ns <= allowed_ns(found.judged_ns, share);
        prop_assert_eq!(holds, found.needed <= tolerance, "{:?}", found);
    }

    /// A wider tolerance and a smaller share never turn a pass into a fail.
    #[test]
    fn wider_is_never_stricter(own in any_samples(), a in 0.0..9.0_f64, more in 0.0..9.0_f64) {
        let part = level(0, 50, 0.0);
        let (narrow, wide) = (judge(&own, &part, a, 1.0), judge(&own, &part, a + more, 1.0));
        prop_assert!(wide.outside_ns <= narrow.outside_ns);
        prop_assert!(allowed_ns(narrow.judged_ns, 0.9) >= allowed_ns(narrow.judged_ns, 1.0));
        prop_assert!(judge(&own, &part, a, 0.9).needed <= narrow.needed);
    }

    /// Every signal without gaps in its numbers follows itself, whatever the lag.
    #[test]
    fn a_signal_follows_itself(own in any_samples(), lag_ns in 0..10 * S) {
        let wanted = Wanted::Follows { other: &own, lag_ns };
        let part = Part { from_ns: 0, to_ns: 50 * S, wanted };
        let found = judge(&own, &part, 0.0, 1.0);
        let is_known = own.iter().all(|interval| interval.value.is_finite());
        prop_assert!(!is_known || found.outside_ns == 0, "{:?}", found);
    }
}
