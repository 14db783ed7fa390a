//! The rule on run values that were recorded: how often it finds what is not there, and what is.

use chacha20::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// Of `recorded_runs.toml`, which has the command that made it.
const RECORDED: &str = include_str!("recorded_runs.csv");

const P50: Tolerance = Tolerance { relative: 0.1, absolute: 0.0 };
const P99: Tolerance = Tolerance { relative: 0.25, absolute: 0.0 };

/// From the intended instant until it can be asked for, and until an observer has it.
const PATHS: [&str; 2] = ["reading", "reading>subscriber"];

/// Column 2 has medians, column 3 the 99th percentiles, in ms.
fn recorded(path: &str, column: usize) -> Vec<f64> {
    let lines = RECORDED.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let values: Vec<f64> =
        lines.filter(|it| it[1] == path).map(|it| it[column].parse().unwrap()).collect();
    assert_eq!(values.len(), 40);
    values
}

/// The standard deviation of logarithms.
fn spread(values: &[f64]) -> f64 {
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
    (squares / (logs.len() - 1) as f64).sqrt()
}

/// The same values with another spread.
fn with_spread(values: &[f64], wanted: f64) -> Vec<f64> {
    let (middle, found) = (median(values), spread(values));
    values.iter().map(|value| middle * (value / middle).powf(wanted / found)).collect()
}

/// So many of the values for each side, none twice; the new ones so many times as large.
fn sides(values: &[f64], runs: usize, factor: f64, rng: &mut ChaCha8Rng) -> [Vec<f64>; 2] {
    let mut rest = values.to_vec();
    let mut draw = || -> Vec<f64> {
        (0..runs).map(|_| rest.swap_remove(rng.random_range(0..rest.len()))).collect()
    };
    let (base, new) = (draw(), draw());
    [base, new.iter().map(|value| value * factor).collect()]
}

#[test]
fn what_is_recorded_scatters_as_such_values_do() {
    for path in PATHS {
        let [p50, p99] = [2, 3].map(|column| spread(&recorded(path, column)));
        assert!((0.01..0.05).contains(&p50) && (0.2..0.35).contains(&p99), "{p50} and {p99}");
    }
    assert!((spread(&recorded(PATHS[1], 3)) - 0.22).abs() < 0.005);
}

#[test]
fn a_thousand_comparisons_of_the_same_trip_in_one_of_a_hundred_at_most() {
    let both = PATHS.map(|path| [(path, 2, P50), (path, 3, P99)]);
    for (path, column, tolerance) in both.into_iter().flatten() {
        let values = recorded(path, column);
        for (runs, seed) in [(5, 1), (10, 2)] {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let trips = |_: &i32| {
                let [base, new] = sides(&values, runs, 1.0, &mut rng);
                Gate::estimated(&base, &new).found(tolerance).is_some()
            };
            let count = (0..1_000).filter(trips).count();
            assert!(count <= 10, "{count} of 1,000, {runs} against {runs}, column {column}");
        }
    }
}

/// The test alone, without the tolerances, is at its nominal rate: that it is not more is what the
/// comparison above cannot show.
#[test]
fn the_test_alone_finds_what_is_not_there_as_often_as_it_states() {
    let values = recorded("reading", 3);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let trips = |_: &i32| {
        let [base, new] = sides(&values, 10, 1.0, &mut rng);
        mann_whitney(&base, &new).unwrap().p <= ALPHA
    };
    let count = (0..10_000).filter(trips).count();
    assert!((50..=120).contains(&count), "{count} of 10,000");
}

/// With 5 against 5 one run among those of the base hides it: where the values have outliers, it
/// takes a sixth.
#[test]
fn a_fifth_more_at_a_spread_of_four_percent_is_found() {
    let [stored, observed] = PATHS.map(|path| recorded(path, 2));
    for (values, runs) in [
        (with_spread(&observed, 0.04), 5),
        (with_spread(&stored, 0.04), 6),
        (stored, 5),
        (observed, 5),
    ] {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let is_found = |_: &i32| {
            let [base, new] = sides(&values, runs, 1.2, &mut rng);
            Gate::estimated(&base, &new).found(P50) == Some(Outcome::Worse)
        };
        let count = (0..1_000).filter(is_found).count();
        assert!(count >= 950, "{count} of 1,000, {runs} runs, spread {}", spread(&values));
    }
}

/// The change that is found in 80 % of comparisons, by trying: draws with replacement of the values
/// themselves, the rule on each, and halving.
fn simulated(values: &[f64], runs: usize, tolerance: Tolerance) -> f64 {
    let power = |change: f64| {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut side = |factor: f64| -> Vec<f64> {
            (0..runs).map(|_| factor * values[rng.random_range(0..values.len())]).collect()
        };
        let found = (0..2_000).filter(|_| {
            let (base, new) = (side(1.0), side(1.0 + change));
            Gate::estimated(&base, &new).found(tolerance) == Some(Outcome::Worse)
        });
        found.count() as f64 / 2_000.0
    };
    let (mut low, mut high) = (0.0, 4.0);
    for _ in 0..9 {
        let half = f64::midpoint(low, high);
        *if power(half) < POWER { &mut low } else { &mut high } = half;
    }
    high
}

/// Of the 99th percentile: recorded with a spread of 22 %, and recorded with another brought to it.
#[test]
fn the_smallest_change_is_confirmed_by_a_simulation() {
    for values in [recorded(PATHS[1], 3), with_spread(&recorded(PATHS[0], 3), 0.22)] {
        let (base, new) = values.split_at(20);
        let whole = gate(base, new, P99).smallest.unwrap().relative.unwrap();
        let expected = simulated(&values, 20, P99);
        assert!((whole / expected - 1.0).abs() < 0.1, "20 runs: {whole}, simulated {expected}");
        for runs in [5, 10] {
            // Of a few runs the spread itself is uncertain: the median comparison is meant.
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let of_some = |_| {
                let [base, new] = sides(&values, runs, 1.0, &mut rng);
                smallest_change(&base, &new, P99).unwrap().relative.unwrap()
            };
            let found = median(&(0..101).map(of_some).collect::<Vec<_>>());
            let expected = simulated(&values, runs, P99);
            let off = found / expected - 1.0;
            assert!(off.abs() < 0.1, "{runs} runs: {found}, simulated {expected}");
        }
    }
}

#[test]
fn one_against_one_cannot_gate() {
    let values = recorded("reading", 2);
    let found = gate(&values[..1], &values[1..2], P50);
    assert_eq!(found.outcome, Outcome::CannotGate(Doubt::TooFewRuns));
    // Five of the 99th percentile cannot either, and how many could is part of the answer.
    let values = recorded("reading", 3);
    let found = gate(&values[..5], &values[5..10], P99);
    assert_eq!(found.outcome, Outcome::CannotGate(Doubt::TooMuchSpread));
    let needed = found.smallest.unwrap().runs_needed.unwrap();
    assert!((8..60).contains(&needed), "{needed}");
}
