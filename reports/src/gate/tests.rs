//! The statistics against scipy, closed forms and counting.

use proptest::prelude::*;

use super::*;

/// Made by `tests/conformance/gate_scipy.py`, which compares it with scipy again.
const SCIPY: &str = include_str!("mann_whitney_scipy.csv");

const TENTH: Tolerance = Tolerance { relative: 0.1, absolute: 0.0 };

fn numbers(text: &str) -> Vec<f64> {
    text.split(' ').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn the_test_is_that_of_scipy() {
    let (mut exact, mut normal) = (0, 0);
    for line in SCIPY.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [base, new, is_exact, p, superiority] = fields[..] else { panic!("{line}") };
        let found = mann_whitney(&numbers(base), &numbers(new)).unwrap();
        assert_eq!(found.is_exact, is_exact == "1", "{line}");
        let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * expected;
        assert!(near(found.p, p.parse().unwrap()), "{line}: {}", found.p);
        assert!(near(found.superiority, superiority.parse().unwrap()), "{line}");
        *if found.is_exact { &mut exact } else { &mut normal } += 1;
    }
    assert!(exact > 40 && normal > 10, "{exact} exact, {normal} normal");
}

#[test]
fn five_against_five_have_to_be_apart_and_four_are_too_few() {
    let (base, mut new) = ([1.0, 2.0, 3.0, 4.0, 5.0], vec![6.0, 7.0, 8.0, 9.0, 10.0]);
    let found = mann_whitney(&base, &new).unwrap();
    assert!((found.p - 2.0 / 252.0).abs() < 1e-15 && found.superiority == 1.0, "{found:?}");
    assert_eq!(gate(&base, &new, TENTH).outcome, Outcome::Worse);
    assert_eq!(gate(&new, &base, TENTH).outcome, Outcome::Better);
    // One run among those of before, and p is 0.016.
    new[0] = 4.5;
    assert!(matches!(gate(&base, &new, TENTH).outcome, Outcome::CannotGate(_)));
    let of_four = gate(&base[..4], &new[1..], TENTH);
    assert_eq!(of_four.outcome, Outcome::CannotGate(Doubt::TooFewRuns));
    assert_eq!(of_four.smallest, None);
    for (base, new) in [(&[][..], &new[..]), (&base[..], &[][..]), (&[][..], &[][..])] {
        assert_eq!(gate(base, new, TENTH).outcome, Outcome::CannotGate(Doubt::TooFewRuns));
    }
}

#[test]
fn each_part_of_the_rule_can_hold_it_back() {
    let base = [100.0, 100.1, 100.2, 100.3, 100.4, 100.5];
    let times = |factor: f64| base.map(|value| value * factor);
    let of = |relative, absolute, factor| {
        gate(&base, &times(factor), Tolerance { relative, absolute }).outcome
    };
    assert_eq!(of(0.1, 5.0, 1.12), Outcome::Worse);
    assert_eq!(of(0.1, 15.0, 1.12), Outcome::NoChange);
    assert_eq!(of(0.15, 5.0, 1.12), Outcome::NoChange);
    assert_eq!(of(0.1, 5.0, 1.0 / 1.12), Outcome::Better);
    assert_eq!(of(0.1, 15.0, 1.0 / 1.12), Outcome::NoChange);
    assert_eq!(of(0.1, 5.0, 1.0), Outcome::NoChange);
}

#[test]
fn where_a_value_is_zero_there_is_a_shift_and_no_ratio() {
    let none = [0.0; 5];
    let some = [3.0, 3.0, 2.0, 2.0, 4.0];
    let found = gate(&none, &some, Tolerance { relative: 0.25, absolute: 1.0 });
    assert_eq!((found.outcome, found.ratio), (Outcome::Worse, None));
    assert_eq!(found.shift.unwrap(), Estimate { value: 3.0, interval: Some((2.0, 4.0)) });
    let found = gate(&none, &none, Tolerance { relative: 0.25, absolute: 1.0 });
    assert_eq!((found.outcome, found.test.unwrap().p), (Outcome::NoChange, 1.0));
    assert_eq!(found.smallest.unwrap().shift, 1.0);
}

#[test]
fn what_never_came_is_larger_than_all_and_hides_what_could_be_seen() {
    let base = [1.0, 1.1, 1.2, 1.3, 1.4];
    let lost = [f64::INFINITY; 5];
    let found = gate(&base, &lost, TENTH);
    assert_eq!((found.outcome, found.smallest), (Outcome::Worse, None));
    assert_eq!(gate(&lost, &base, TENTH).outcome, Outcome::Better);
    let same = gate(&lost, &lost, TENTH);
    assert_eq!(same.outcome, Outcome::CannotGate(Doubt::NotFinite));
    assert_eq!(same.shift.unwrap().value, 0.0);
    let one = [1.0, 1.1, 1.2, 1.3, f64::INFINITY];
    assert_eq!(gate(&base, &one, TENTH).outcome, Outcome::CannotGate(Doubt::NotFinite));
    assert_eq!(gate(&[f64::NAN; 5], &base, TENTH).runs, (0, 5));
}

/// At the ends of the interval the test changes its mind.
#[test]
fn the_interval_is_that_of_the_test() {
    let base = [1.0, 4.0, 9.0, 16.0, 25.0, 36.0];
    let new = [2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0];
    let deciding = deciding_pairs((6, 7), ALPHA).unwrap();
    let found = hodges_lehmann(&base, &new, Some(deciding));
    let (low, high) = found.interval.unwrap();
    let p = |shift: f64| mann_whitney(&base, &new.map(|value| value - shift)).unwrap().p;
    assert!(p(low - 1e-6) <= ALPHA && p(high + 1e-6) <= ALPHA);
    assert!(p(low + 1e-6) > ALPHA && p(high - 1e-6) > ALPHA);
    assert_eq!(deciding_pairs((5, 5), ALPHA), Some(25));
    assert_eq!(deciding_pairs((4, 4), ALPHA), None);
    assert_eq!(deciding_pairs((0, 5), ALPHA), None);
    let by_scipy = [
        ((5, 6), 29),
        ((8, 8), 57),
        ((10, 10), 84),
        ((20, 20), 295),
        ((12, 30), 272),
        ((60, 60), 2_292),
    ];
    for (n, expected) in by_scipy {
        assert_eq!(deciding_pairs(n, ALPHA), Some(expected), "{n:?}");
    }
}

#[test]
fn more_runs_and_less_spread_show_smaller_changes() {
    let run = |n: u32, spread: f64| -> Vec<f64> {
        (0..n)
            .map(|k| 100.0 * (1.0 + spread * (f64::from(k * 7 % n) / f64::from(n) - 0.5)))
            .collect()
    };
    let of = |n, spread| smallest_change(&run(n, spread), &run(n, spread), TENTH).unwrap();
    assert!(of(20, 0.1).significant < of(8, 0.1).significant);
    assert!(of(8, 0.05).significant < of(8, 0.1).significant);
    let hidden = of(5, 0.3);
    assert!(hidden.significant > 10.0 && hidden.runs_needed.unwrap() > 5, "{hidden:?}");
    assert_eq!(of(20, 0.01).runs_needed, None);
    // A change as large as the tolerance is found in half of the comparisons only.
    assert!(of(20, 0.01).relative.unwrap() > 0.1);
    assert_eq!(of(8, 0.1), of(8, 0.1));
}

#[test]
fn the_absolute_tolerance_is_part_of_what_can_be_seen() {
    let base = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05];
    let of = |absolute| {
        let tolerance = Tolerance { relative: 0.1, absolute };
        smallest_change(&base, &base, tolerance).unwrap().shift
    };
    let (plain, held) = (of(0.0), of(0.5));
    assert!((0.1..0.15).contains(&plain), "{plain}");
    assert!((0.5..0.55).contains(&held), "{held}");
}

proptest! {
    #[test]
    fn exchanging_the_sides_turns_the_result_round(
        base in prop::collection::vec(0.1..10.0_f64, 1..9),
        new in prop::collection::vec(0.1..10.0_f64, 1..9),
    ) {
        let base: Vec<f64> = base.iter().map(|value| value.round()).collect();
        let (there, back) = (mann_whitney(&base, &new).unwrap(), mann_whitney(&new, &base).unwrap());
        prop_assert!((there.p - back.p).abs() < 1e-12);
        prop_assert!((there.superiority + back.superiority - 1.0).abs() < 1e-12);
        let n = (base.len(), new.len());
        let one = hodges_lehmann(&base, &new, deciding_pairs(n, 0.2));
        let other = hodges_lehmann(&new, &base, deciding_pairs((n.1, n.0), 0.2));
        prop_assert!((one.value + other.value).abs() < 1e-12);
        prop_assert_eq!(one.interval.map(|(low, high)| (-high, -low)), other.interval);
    }

    #[test]
    fn any_values_come_to_something(
        base in prop::collection::vec(any::<f64>(), 0..12),
        new in prop::collection::vec(any::<f64>(), 0..12),
        relative in 0.0..2.0_f64,
        absolute in 0.0..1e6_f64,
    ) {
        let found = gate(&base, &new, Tolerance { relative, absolute });
        if let Some(test) = found.test {
            prop_assert!((0.0..=1.0).contains(&test.p) && (0.0..=1.0).contains(&test.superiority));
        }
    }
}
