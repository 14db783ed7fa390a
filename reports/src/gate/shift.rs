//! How far one sample lies from another, after Hodges and Lehmann (1963): the median of all
//! pairwise differences, with the interval that belongs to the test of Mann and Whitney.

use serde::Serialize;

/// An estimate with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The ends of its interval; `None` where the runs are too few for one.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// The same on another scale, which keeps the order.
    #[must_use]
    pub fn map(self, scale: impl Fn(f64) -> f64) -> Self {
        let interval = self.interval.map(|(low, high)| (scale(low), scale(high)));
        Self { value: scale(self.value), interval }
    }
}

/// All differences of a new and a base value, in order. Of two infinite ones it is none.
pub(super) fn differences(base: &[f64], new: &[f64]) -> Vec<f64> {
    let of = |a: f64, b: f64| if a == b { 0.0 } else { a - b };
    let mut pairs: Vec<f64> =
        new.iter().flat_map(|&value| base.iter().map(move |&before| of(value, before))).collect();
    pairs.sort_unstable_by(f64::total_cmp);
    pairs
}

/// The median of values in order, the mean of the middle two of an even number; NaN of none.
pub(super) fn middle(ascending: &[f64]) -> f64 {
    let n = ascending.len();
    match (ascending.get(n / 2), n % 2) {
        (None, _) => f64::NAN,
        (Some(&value), 1) => value,
        (Some(&above), _) => {
            let below = ascending[n / 2 - 1];
            if below == above { above } else { f64::midpoint(below, above) }
        }
    }
}

/// The shift of new against base; `deciding` as in [`super::deciding_pairs`].
pub fn hodges_lehmann(base: &[f64], new: &[f64], deciding: Option<usize>) -> Estimate {
    let pairs = differences(base, new);
    let interval = deciding.map(|rank| (pairs[pairs.len() - rank], pairs[rank - 1]));
    Estimate { value: middle(&pairs), interval }
}
