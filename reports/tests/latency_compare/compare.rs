//! Whether one version is slower than another: a gate that trips on nothing but a real change.
//!
//! Terms: the unit is the *run*, never the message, for messages of one run are not independent; a
//! *statistic* is one figure of a run, such as its p50. The gate trips only if all three hold:
//! the exact two-sided Mann-Whitney test of the run figures has p <= 0.01, the
//! Hodges-Lehmann ratio is above a threshold, and the Hodges-Lehmann shift is above three times the
//! floor's median. Fewer than five runs on a side cannot trip it: 5 against 5 have p >= 2 / 252.
//! Runs should be interleaved (ABAB) on one host with one list of seeds.

use lastmeter_reports::latency::{Delay, INFINITE};

/// With fewer runs on a side there is no gate.
pub(crate) const RUNS_MIN: usize = 5;

/// The largest p at which two sides count as different.
pub(crate) const P_MAX: f64 = 0.01;

/// A shift has to be so many times the floor's median.
const FLOOR_FACTOR: f64 = 3.0;

/// Beyond so many runs on both sides together the exact test would take too long; no bench makes so
/// many.
const RUNS_MAX: usize = 60;

lastmeter_units::words! {
    /// Which figure of a run is compared.
    pub(crate) enum Statistic {
        /// The median.
        P50 = "p50",
        /// The 99 % quantile: it varies much from run to run, use ten runs or more.
        P99 = "p99",
    }
}

impl Statistic {
    /// The ratio that a change has to exceed.
    pub(crate) const fn ratio_max(self) -> f64 {
        match self {
            Self::P50 => 1.10,
            Self::P99 => 1.25,
        }
    }
}

/// What the comparison of two sides shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gate {
    /// There are too few runs, or too many, to compare.
    NotComparable {
        /// Runs of the base.
        base: usize,
        /// Runs of the new version.
        new: usize,
    },
    /// The new version is slower.
    Slower(Change),
    /// No change detected, or the new version is faster.
    NoChange(Change),
}

/// The figures of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    /// Two-sided p of the exact Mann-Whitney test.
    pub(crate) p: f64,
    /// New over base: the median of all ratios between a new run and a base run.
    pub(crate) ratio: f64,
    /// New minus base in ns: the median of all differences.
    pub(crate) shift_ns: f64,
    /// The smallest ratio that would have tripped the gate, had the new runs been like the base
    /// ones and slower by it; infinite if none would.
    pub(crate) detectable: f64,
}

/// Compares the figures of runs; `floor_p50_ns` is the floor's median, the worst of all runs.
pub(crate) fn gate(
    base: &[Delay],
    new: &[Delay],
    statistic: Statistic,
    floor_p50_ns: Delay,
) -> Gate {
    let (base_runs, new_runs) = (base.len(), new.len());
    if base_runs.min(new_runs) < RUNS_MIN || base_runs + new_runs > RUNS_MAX {
        return Gate::NotComparable { base: base_runs, new: new_runs };
    }
    let (base, new) = (seconds(base), seconds(new));
    let floor_s = floor_p50_ns as f64 / 1e9;
    let ratio = hodges_lehmann_ratio(&base, &new);
    let change = Change {
        p: mann_whitney(&base, &new),
        ratio,
        shift_ns: hodges_lehmann_shift(&base, &new) * 1e9,
        detectable: detectable(&base, &new, ratio, statistic, floor_s),
    };
    if trips(&base, &new, statistic, floor_s) {
        Gate::Slower(change)
    } else {
        Gate::NoChange(change)
    }
}

fn seconds(delays: &[Delay]) -> Vec<f64> {
    let seconds =
        |&delay: &Delay| if delay == INFINITE { f64::INFINITY } else { delay as f64 / 1e9 };
    delays.iter().map(seconds).collect()
}

/// All three conditions.
fn trips(base: &[f64], new: &[f64], statistic: Statistic, floor_s: f64) -> bool {
    hodges_lehmann_ratio(base, new) > statistic.ratio_max()
        && hodges_lehmann_shift(base, new) > FLOOR_FACTOR * floor_s
        && mann_whitney(base, new) <= P_MAX
}

/// The exact two-sided p of the Mann-Whitney test, ties by mid-ranks: the share of all ways to deal
/// the values to two sides of these sizes whose rank sum is as far from its mean, or farther. That
/// is scipy's `mannwhitneyu(method="exact")` without ties, and its permutation test with ties. 1 if
/// a side is empty.
pub(crate) fn mann_whitney(first: &[f64], second: &[f64]) -> f64 {
    let all: Vec<f64> = first.iter().chain(second).copied().collect();
    let total = all.len();
    if first.is_empty() || second.is_empty() || total > RUNS_MAX {
        return 1.0;
    }
    let ranks = doubled_ranks(&all);
    let observed: usize = ranks[..first.len()].iter().sum();
    let counts = rank_sums(&ranks, first.len());
    // Twice the mean of doubled ranks: n1 (n1 + n2 + 1).
    let mean = first.len() * (total + 1);
    let distance = observed.abs_diff(mean);
    let far = |sum: usize| sum.abs_diff(mean) >= distance;
    let extreme: f64 = counts.iter().enumerate().filter(|(sum, _)| far(*sum)).map(|(_, c)| c).sum();
    (extreme / counts.iter().sum::<f64>()).min(1.0)
}

/// Twice the rank of each value among all, from 2; ties share the mean of their ranks.
fn doubled_ranks(values: &[f64]) -> Vec<usize> {
    let below = |value: f64| values.iter().filter(|other| **other < value).count();
    let same = |value: f64| values.iter().filter(|other| **other == value).count();
    values.iter().map(|&value| 2 * below(value) + same(value) + 1).collect()
}

/// By sum: in how many ways some of the ranks add up to it.
fn rank_sums(ranks: &[usize], picked: usize) -> Vec<f64> {
    let largest: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; largest + 1]; picked + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        for count in (1..=picked).rev() {
            let (fewer, more) = ways.split_at_mut(count);
            let (from, to) = (&fewer[count - 1], &mut more[0]);
            for sum in rank..=largest {
                to[sum] += from[sum - rank];
            }
        }
    }
    ways.swap_remove(picked)
}

/// The median of all ratios between a new value and a base value.
pub(crate) fn hodges_lehmann_ratio(base: &[f64], new: &[f64]) -> f64 {
    median_of_pairs(base, new, |base, new| if base == new { 1.0 } else { new / base })
}

/// The median of all differences between a new value and a base value.
pub(crate) fn hodges_lehmann_shift(base: &[f64], new: &[f64]) -> f64 {
    median_of_pairs(base, new, |base, new| if base == new { 0.0 } else { new - base })
}

fn median_of_pairs(base: &[f64], new: &[f64], pair: impl Fn(f64, f64) -> f64) -> f64 {
    let mut all: Vec<f64> = new
        .iter()
        .flat_map(|&new| base.iter().map(move |&base| (base, new)))
        .map(|(b, n)| pair(b, n))
        .collect();
    all.sort_by(f64::total_cmp);
    let Some(last) = all.len().checked_sub(1) else { return f64::NAN };
    let (low, high) = (all[last / 2], all[last.div_ceil(2)]);
    if low == high { low } else { f64::midpoint(low, high) }
}

/// The smallest ratio that trips the gate for runs that vary as these do.
fn detectable(base: &[f64], new: &[f64], ratio: f64, statistic: Statistic, floor_s: f64) -> f64 {
    // Clocks that disagree make a delay negative, and a negative ratio is no slowness.
    if !(ratio.is_finite() && ratio > 0.0) {
        return f64::INFINITY;
    }
    let would_trip = |times: f64| {
        let slower: Vec<f64> = new.iter().map(|value| value / ratio * times).collect();
        trips(base, &slower, statistic, floor_s)
    };
    let (mut low, mut high) = (1.0, 2.0);
    while !would_trip(high) {
        low = high;
        high *= 2.0;
        if high > 1e6 {
            return f64::INFINITY;
        }
    }
    // To a thousandth: nobody acts on less.
    while high / low > 1.001 {
        let middle = f64::midpoint(low, high);
        if would_trip(middle) { high = middle } else { low = middle }
    }
    high
}
