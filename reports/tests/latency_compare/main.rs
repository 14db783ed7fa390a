//! The gate against scipy, and on runs of a link that changes or does not.

#![expect(clippy::unwrap_used, reason = "a test shows by its panic what went wrong")]

use rand::{RngExt as _, SeedableRng};

use compare::*;
use lastmeter_reports::latency::{Delay, INFINITE, nearest_rank};

mod compare;

type Rng = chacha20::ChaCha8Rng;

/// `scipy.stats.mannwhitneyu(..., method="exact")`, with ties `permutation_test` over all deals.
#[test]
fn the_test_is_that_of_scipy() {
    let cases: [(&[f64], &[f64], f64); 4] = [
        (&[1.0, 2.0, 3.5, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0], 0.007_936_507_936_507_936),
        (&[1.1, 2.2, 3.3, 4.4, 5.5, 9.0], &[2.0, 6.1, 7.3, 8.2, 5.0], 0.428_571_428_571_428_55),
        (
            &[2.041, -2.556, 0.418, -0.568, -0.453, -0.216, -2.02, -0.232, -0.865],
            &[4.223, 1.126, 0.547, 0.619, 0.233, -0.155, 0.509, 1.382],
            0.007_897_984_368_572_603,
        ),
        (&[1.0, 2.0, 2.0, 3.0, 3.0], &[2.0, 3.0, 4.0, 4.0, 5.0, 5.0], 0.056_277_056_277_056_28),
    ];
    for (first, second, p) in cases {
        assert!((mann_whitney(first, second) - p).abs() < 1e-12, "{first:?} {second:?}");
        assert!((mann_whitney(second, first) - p).abs() < 1e-12, "{second:?} {first:?}");
    }
    assert_eq!(mann_whitney(&[], &[1.0]), 1.0);
    assert_eq!(mann_whitney(&[3.0; 5], &[3.0; 5]), 1.0);
}

/// By hand, and with numpy's median of all pairs.
#[test]
fn ratio_and_shift_are_medians_of_all_pairs() {
    let base = [100.0, 110.0, 120.0, 130.0, 140.0];
    let new = [150.0, 160.0, 170.0, 180.0, 200.0];
    assert_eq!(hodges_lehmann_shift(&base, &new), 50.0);
    assert!((hodges_lehmann_ratio(&base, &new) - 1.428_571_428_571_428_6).abs() < 1e-12);
    let lost = [f64::INFINITY; 5];
    assert_eq!(hodges_lehmann_ratio(&base, &lost), f64::INFINITY);
    assert_eq!(
        (hodges_lehmann_ratio(&lost, &lost), hodges_lehmann_shift(&lost, &lost)),
        (1.0, 0.0)
    );
}

const MS: Delay = 1_000_000;

fn runs(ms: &[Delay]) -> Vec<Delay> {
    ms.iter().map(|ms| ms * MS).collect()
}

#[test]
fn fewer_than_five_runs_on_a_side_cannot_trip() {
    let five = runs(&[100, 101, 102, 103, 104]);
    let slow = runs(&[500, 501, 502, 503]);
    let gated = gate(&five, &slow, Statistic::P50, 0);
    assert_eq!(gated, Gate::NotComparable { base: 5, new: 4 });
    assert_eq!(gate(&slow, &five, Statistic::P50, 0), Gate::NotComparable { base: 4, new: 5 });
}

/// Each of the three conditions of the gate alone holds the gate open.
#[test]
fn all_three_conditions_are_needed() {
    let base = runs(&[100, 101, 102, 103, 104]);
    let is_slower = |new: &[Delay], statistic, floor_p50_ns| {
        matches!(gate(&base, &runs(new), statistic, floor_p50_ns), Gate::Slower(_))
    };
    let slower = [130, 131, 132, 133, 134];
    assert!(is_slower(&slower, Statistic::P50, MS));
    // A shift of 30 ms has to be above three times the floor's median.
    assert!(!is_slower(&slower, Statistic::P50, 10 * MS + MS / 10));
    assert!(is_slower(&slower, Statistic::P50, 10 * MS - MS / 10));
    // 10 % for the median, 25 % for the 99 % quantile.
    assert!(!is_slower(&[110, 111, 112, 113, 113], Statistic::P50, 0));
    assert!(is_slower(&[113, 114, 115, 116, 117], Statistic::P50, 0));
    assert!(!is_slower(&[125, 126, 127, 128, 128], Statistic::P99, 0));
    assert!(is_slower(&slower, Statistic::P99, 0));
    // One run that is fast among five is p = 0.016.
    assert!(!is_slower(&[103, 131, 132, 133, 134], Statistic::P50, 0));
    // Faster is no alarm.
    assert!(!is_slower(&[50, 51, 52, 53, 54], Statistic::P50, 0));
    assert!(is_slower(&[i64::MAX / MS; 5].map(|_| 9_000), Statistic::P50, 0));
    let gated = gate(&base, &runs(&slower), Statistic::P50, MS);
    let Gate::Slower(change) = gated else { panic!("{gated:?}") };
    assert!((change.shift_ns / 30e6 - 1.0).abs() < 1e-9, "{change:?}");
    assert!((change.ratio / (132.0 / 102.0) - 1.0).abs() < 0.01, "{change:?}");
    let lost = gate(&base, &[INFINITE; 5], Statistic::P50, 0);
    assert!(matches!(lost, Gate::Slower(change) if change.ratio == f64::INFINITY), "{lost:?}");
}

#[test]
fn what_would_have_been_seen_is_reported() {
    let base = runs(&[100, 101, 102, 103, 104]);
    let Gate::NoChange(change) = gate(&base, &base, Statistic::P50, 0) else { panic!("no change") };
    assert_eq!((change.ratio, change.shift_ns), (1.0, 0.0));
    // All of 1.1 times 100 is above 104; the threshold of 10 % decides.
    assert!((1.10..1.102).contains(&change.detectable), "{change:?}");
    // Nothing can be concluded beside delays that are none.
    let early = runs(&[-104, -103, -102, -101, -100]);
    let Gate::NoChange(change) = gate(&base, &early, Statistic::P50, 0) else { panic!("slower") };
    assert!(change.ratio < 0.0 && change.detectable == f64::INFINITY, "{change:?}");
    let scattered = runs(&[60, 80, 100, 120, 140]);
    let gated = gate(&scattered, &scattered, Statistic::P50, 0);
    // The slowest base run is 140, so the fastest new one, 60, has to become more.
    let Gate::NoChange(change) = gated else { panic!("{gated:?}") };
    assert!((140.0 / 60.0..140.0 / 60.0 * 1.002).contains(&change.detectable), "{change:?}");
}

/// A wide-area link of two legs as in section 3 of the latency rules, messages each 500 ms, each
/// leg first in, first out. Gives p50 and p99 of a run, in ns.
fn run_of_link(rng: &mut Rng, jitter: &[f64], messages: usize, slower: f64) -> [Delay; 2] {
    let mut normal = NormalPairs::default();
    let mut is_slow = rng.random::<f64>() < 27.6 / 47.6;
    let mut state = [0.0_f64; 2];
    let mut released = [0.0_f64; 2];
    let mut delays = Vec::new();
    for number in 0..messages {
        let due = 500.0 * number as f64;
        let dwell = if is_slow { 27.6 } else { 20.0 };
        if rng.random::<f64>() < 0.5 / dwell {
            is_slow = !is_slow;
        }
        let mut at = due;
        for leg in 0..2 {
            state[leg] = 0.3 * state[leg] + (1.0_f64 - 0.09).sqrt() * normal.draw(rng);
            let place = (state[leg].clamp(-4.0, 4.0) + 4.0) / 8.0 * (jitter.len() - 1) as f64;
            let mut delay = 50.0 + 9.0 * jitter[place as usize];
            if leg == 0 && is_slow {
                delay += (39.0 + 5.0 * normal.draw(rng)).max(0.0);
            }
            if rng.random::<f64>() < 0.018 {
                delay += 180.0 * (0.9 * normal.draw(rng)).exp();
            }
            at = (at + delay * slower).max(released[leg]);
            released[leg] = at;
        }
        delays.push(((at - due) * 1e6) as Delay);
    }
    delays.sort_unstable();
    [0.5, 0.99].map(|share| nearest_rank(&delays, share).unwrap())
}

/// Normal deviates after Box and Muller.
#[derive(Default)]
struct NormalPairs(Option<f64>);

impl NormalPairs {
    fn draw(&mut self, rng: &mut Rng) -> f64 {
        if let Some(second) = self.0.take() {
            return second;
        }
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * rng.random::<f64>();
        self.0 = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// The quantile of a gamma distribution, by bisection on the series of its distribution function
/// (DLMF 8.7.1).
fn gamma_quantile(shape: f64, share: f64) -> f64 {
    let below = |x: f64| {
        let (mut term, mut sum, mut denominator) = (1.0, 1.0, shape);
        while term > 1e-17 * sum {
            denominator += 1.0;
            term *= x / denominator;
            sum += term;
        }
        sum * (shape * x.ln() - x - libm::lgamma(shape + 1.0)).exp()
    };
    let (mut low, mut high) = (0.0, 50.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if below(middle) < share { low = middle } else { high = middle }
    }
    high
}

/// Gamma(0.5625) quantiles over normal deviates from -4 to 4.
fn jitter_table() -> Vec<f64> {
    (0..2048)
        .map(|step| {
            let deviate = -4.0 + 8.0 * f64::from(step) / 2047.0;
            gamma_quantile(0.5625, 0.5 * libm::erfc(-deviate / std::f64::consts::SQRT_2))
        })
        .collect()
}

/// How many of some comparisons of 5 against 5 runs of 1500 messages trip, at p50 and at p99.
fn trips_of(pairs: u64, slower: f64) -> [usize; 2] {
    let jitter = jitter_table();
    let mut trips = [0, 0];
    for pair in 0..pairs {
        let mut rng = Rng::seed_from_u64(20_270_118 + pair);
        let mut side = |slower| -> Vec<[Delay; 2]> {
            (0..5).map(|_| run_of_link(&mut rng, &jitter, 1_500, slower)).collect()
        };
        let (base, new) = (side(1.0), side(slower));
        for (place, statistic) in [Statistic::P50, Statistic::P99].into_iter().enumerate() {
            let of = |side: &[[Delay; 2]]| side.iter().map(|run| run[place]).collect::<Vec<_>>();
            let gated = gate(&of(&base), &of(&new), statistic, MS / 10);
            trips[place] += usize::from(matches!(gated, Gate::Slower(_)));
        }
    }
    trips
}

/// The goals of section 8: at most 1 % false alarms at p50 and 3 % at p99; ten pairs give none.
#[test]
fn runs_of_an_unchanged_link_trip_nothing() {
    assert_eq!(trips_of(10, 1.0), [0, 0]);
    let [p50, p99] = trips_of(100, 1.0);
    assert!(p50 <= 1 && p99 <= 3, "{p50} and {p99} of 100");
}

/// A link half as slow again is seen at p50 in at least 95 of 100; the 99 % quantile varies too
/// much for five runs (54 of 100 by simulation).
#[test]
fn a_link_half_as_slow_again_is_seen() {
    let [p50, p99] = trips_of(100, 1.5);
    assert!(p50 >= 95, "{p50} of 100");
    assert!((30..=95).contains(&p99), "{p99} of 100");
}
