//! Many delays in bounded memory: exact up to a number, beyond it a histogram.
//!
//! Terms: *exact* values are kept one by one; a *histogram* (`HdrHistogram`, three digits, 0.1 %)
//! takes over when there are too many, and is labelled as such by [`Distribution::is_exact`].
//! Counts of lost messages, the least and the largest value stay exact always. Quantiles from a
//! histogram never decide a verdict: verdicts count.

use hdrhistogram::Histogram;

use super::quantile::{Delay, INFINITE, TukeyBox, nearest_rank, rank, tukey_box};

/// Up to so many values of a population are kept one by one.
pub const EXACT_MAX: usize = 2_000_000;

/// Digits that a histogram keeps.
const DIGITS: u8 = 3;

/// Delays as they come.
#[derive(Clone, Debug)]
pub struct Values {
    exact_max: usize,
    exact: Vec<Delay>,
    histogram: Option<Histogram<u64>>,
    n: u64,
    infinite: u64,
    least: Delay,
    largest: Delay,
}

impl Values {
    /// No values yet; so many will be kept one by one.
    pub fn new(exact_max: usize) -> Self {
        let (least, largest) = (INFINITE, Delay::MIN);
        Self { exact_max, exact: Vec::new(), histogram: None, n: 0, infinite: 0, least, largest }
    }

    /// Takes one more.
    pub fn push(&mut self, delay: Delay) {
        self.n += 1;
        if delay == INFINITE {
            self.infinite += 1;
        } else {
            self.least = self.least.min(delay);
            self.largest = self.largest.max(delay);
        }
        match &mut self.histogram {
            Some(histogram) => count(histogram, delay),
            None if self.exact.len() < self.exact_max => self.exact.push(delay),
            None => {
                self.histogram = histogram_of(self.exact.drain(..).chain([delay]));
                self.exact = Vec::new();
            }
        }
    }

    /// How many there are, lost ones too.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many are infinite.
    pub fn infinite(&self) -> u64 {
        self.infinite
    }

    /// The largest finite one.
    pub fn largest_finite(&self) -> Option<Delay> {
        (self.n > self.infinite).then_some(self.largest)
    }

    /// All of them in order.
    pub fn distribution(&self) -> Distribution {
        let mut ascending = self.exact.clone();
        ascending.sort_unstable();
        let histogram = self.histogram.clone();
        Distribution { ascending, histogram, n: self.n, infinite: self.infinite, least: self.least }
    }
}

fn count(histogram: &mut Histogram<u64>, delay: Delay) {
    if delay != INFINITE {
        // A histogram has no negative values; a delay that is one makes the run invalid anyway.
        histogram.saturating_record(delay.max(0) as u64);
    }
}

fn histogram_of(delays: impl Iterator<Item = Delay>) -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new_with_bounds(1, i64::MAX as u64 / 2, DIGITS).ok()?;
    for delay in delays {
        count(&mut histogram, delay);
    }
    Some(histogram)
}

/// Delays in order, to ask for quantiles.
#[derive(Clone, Debug)]
pub struct Distribution {
    ascending: Vec<Delay>,
    histogram: Option<Histogram<u64>>,
    n: u64,
    infinite: u64,
    least: Delay,
}

impl Distribution {
    /// The distribution of some delays, in any order, which are all kept.
    pub fn of(mut delays: Vec<Delay>) -> Self {
        delays.sort_unstable();
        let n = delays.len() as u64;
        let infinite = delays.iter().rev().take_while(|&&delay| delay == INFINITE).count() as u64;
        let least = delays.first().copied().unwrap_or(INFINITE);
        Self { ascending: delays, histogram: None, n, infinite, least }
    }

    /// How many there are, lost ones too.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many are infinite.
    pub fn infinite(&self) -> u64 {
        self.infinite
    }

    /// Whether the quantiles are exact; otherwise they are right to 0.1 %.
    pub fn is_exact(&self) -> bool {
        self.histogram.is_none()
    }

    /// The values in ascending order, lost ones as [`INFINITE`] at the end; `None` if there were
    /// too many to keep.
    pub fn ascending(&self) -> Option<&[Delay]> {
        self.is_exact().then_some(&self.ascending)
    }

    /// The nearest-rank quantile; [`INFINITE`] where that message is lost, `None` without any.
    pub fn quantile(&self, share: f64) -> Option<Delay> {
        let Some(histogram) = &self.histogram else {
            return nearest_rank(&self.ascending, share);
        };
        let rank = rank(self.n, share);
        if rank > self.n - self.infinite {
            return Some(INFINITE);
        }
        let mut seen = 0;
        for step in histogram.iter_recorded() {
            seen += step.count_at_value();
            if seen >= rank {
                let value = step.value_iterated_to().min(histogram.max());
                return Some((value as Delay).max(self.least));
            }
        }
        None
    }

    /// The largest; [`INFINITE`] if one is lost, `None` without any.
    pub fn largest(&self) -> Option<Delay> {
        self.quantile(1.0)
    }

    /// The share of values below a limit; `None` without any.
    pub fn share_below(&self, limit: Delay) -> Option<f64> {
        let below = match &self.histogram {
            None => self.ascending.partition_point(|&delay| delay < limit) as u64,
            Some(_) if limit <= 0 => 0,
            Some(histogram) => histogram.count_between(0, limit as u64 - 1),
        };
        (self.n > 0).then(|| below as f64 / self.n as f64)
    }

    /// Tukey's box; `None` without values, and if there were too many to keep: its whiskers are
    /// values, which a histogram does not have.
    pub fn tukey_box(&self) -> Option<TukeyBox> {
        self.ascending().and_then(tukey_box)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(exact_max: usize, delays: &[Delay]) -> Values {
        let mut values = Values::new(exact_max);
        for &delay in delays {
            values.push(delay);
        }
        values
    }

    proptest! {
        /// What the histogram gives is within its three digits of the exact quantile.
        #[test]
        fn beyond_the_exact_ones_quantiles_are_right_to_a_thousandth(
            delays in prop::collection::vec(
                prop_oneof![9 => 0..10_000_000_000_i64, 1 => Just(INFINITE)],
                1..200,
            ),
            share in 0.0..=1.0_f64,
        ) {
            let exact = filled(1000, &delays).distribution();
            let coarse = filled(5, &delays).distribution();
            prop_assert!(exact.is_exact());
            prop_assert_eq!(coarse.is_exact(), delays.len() <= 5);
            prop_assert_eq!((exact.n(), exact.infinite()), (coarse.n(), coarse.infinite()));
            let [expected, found] = [&exact, &coarse].map(|one| one.quantile(share).unwrap());
            prop_assert_eq!(expected == INFINITE, found == INFINITE);
            if expected != INFINITE {
                let off = (found - expected).abs();
                prop_assert!(off <= expected / 1000 + 1, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn counts_and_ends_stay_exact() {
        let delays = [5, 1_000_000_007, INFINITE, 3, 2_000_000_011, INFINITE];
        for exact_max in [100, 2] {
            let values = filled(exact_max, &delays);
            assert_eq!((values.n(), values.infinite()), (6, 2));
            assert_eq!(values.largest_finite(), Some(2_000_000_011));
            let distribution = values.distribution();
            assert_eq!(distribution.quantile(0.0), Some(3));
            assert_eq!(distribution.largest(), Some(INFINITE));
            assert_eq!(distribution.share_below(1000), Some(2.0 / 6.0));
            assert_eq!(distribution.tukey_box(), None);
        }
        let none = Values::new(2);
        assert_eq!(none.largest_finite(), None);
        assert_eq!(none.distribution().quantile(0.5), None);
        assert_eq!(none.distribution().share_below(1), None);
        let lost = filled(2, &[INFINITE; 3]).distribution();
        assert_eq!((lost.quantile(0.0), lost.share_below(9)), (Some(INFINITE), Some(0.0)));
    }

    #[test]
    fn a_distribution_of_kept_delays_counts_the_lost() {
        let distribution = Distribution::of(vec![INFINITE, 2, 1, INFINITE]);
        assert_eq!((distribution.n(), distribution.infinite()), (4, 2));
        assert_eq!(distribution.ascending(), Some(&[1, 2, INFINITE, INFINITE][..]));
    }
}
