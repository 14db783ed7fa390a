//! Quantiles by the two definitions in use, and Tukey's box.
//!
//! Terms: the *nearest rank* quantile is the smallest value with at least the share at or below it
//! (numpy's `inverted_cdf`), so that a lost message, which is infinite, is handled; it stands in
//! class and percentile tables. *Type 7* interpolates linearly (numpy's `linear`, R's default); it
//! stands in the box plot, whose whiskers are the most extreme values inside the fences.
//! Nothing here removes a value.

/// How long a message took, in ns; [`INFINITE`] if it never came.
pub type Delay = i64;

/// The delay of a lost message.
pub const INFINITE: Delay = i64::MAX;

/// The nearest-rank quantile of delays in ascending order; `None` without any.
///
/// The rank is the smallest whole number that is at least `share` times their number, as numpy
/// computes it.
pub fn nearest_rank(ascending: &[Delay], share: f64) -> Option<Delay> {
    let n = ascending.len();
    let last = n.checked_sub(1)?;
    ascending.get(rank(n as u64, share) as usize - 1).or(ascending.get(last)).copied()
}

/// The rank, from 1, of the nearest-rank quantile of n values; 1 for none.
pub fn rank(n: u64, share: f64) -> u64 {
    let exact = n as f64 * share.clamp(0.0, 1.0);
    (exact.ceil() as u64).clamp(1, n.max(1))
}

/// The type 7 quantile of delays in ascending order, in ns; infinite where one of the two
/// neighbours it lies between is. `None` without any.
pub fn type_7(ascending: &[Delay], share: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let place = last as f64 * share.clamp(0.0, 1.0);
    let low = (place.floor() as usize).min(last);
    let part = place - low as f64;
    let (below, above) = (ascending[low], ascending[(low + 1).min(last)]);
    if part == 0.0 || below == above {
        return Some(finite(below));
    }
    Some(finite(below) + (finite(above) - finite(below)) * part)
}

fn finite(delay: Delay) -> f64 {
    if delay == INFINITE { f64::INFINITY } else { delay as f64 }
}

/// A box plot after Tukey (1977), in ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TukeyBox {
    /// The lower quartile, type 7.
    pub q1_ns: f64,
    /// The median, type 7.
    pub median_ns: f64,
    /// The upper quartile, type 7.
    pub q3_ns: f64,
    /// The smallest value not below Q1 - 1.5 (Q3 - Q1).
    pub whisker_low_ns: Delay,
    /// The largest value not above Q3 + 1.5 (Q3 - Q1).
    pub whisker_high_ns: Delay,
}

/// The box of delays in ascending order; `None` without any, and if a quarter of them or more is
/// lost: then it has no finite upper quartile.
pub fn tukey_box(ascending: &[Delay]) -> Option<TukeyBox> {
    let [q1_ns, median_ns, q3_ns] = [0.25, 0.5, 0.75].map(|share| type_7(ascending, share));
    let (q1_ns, median_ns, q3_ns) = (q1_ns?, median_ns?, q3_ns?);
    if !q3_ns.is_finite() {
        return None;
    }
    let reach = 1.5 * (q3_ns - q1_ns);
    let first = ascending.partition_point(|&delay| finite(delay) < q1_ns - reach);
    let end = ascending.partition_point(|&delay| finite(delay) <= q3_ns + reach);
    let inside = ascending.get(first..end)?;
    Some(TukeyBox {
        q1_ns,
        median_ns,
        q3_ns,
        whisker_low_ns: *inside.first()?,
        whisker_high_ns: *inside.last()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `numpy.quantile(values, share, method=...)` of numpy 2.4.6, typed in.
    #[test]
    fn the_quantiles_are_those_of_numpy() {
        let ten: Vec<Delay> = vec![3, 7, 8, 20, 21, 22, 25, 30, 41, 90];
        for (share, inverted_cdf, linear) in [
            (0.0, 3, 3.0),
            (0.1, 3, 6.6),
            (0.25, 8, 11.0),
            (0.5, 21, 21.5),
            (0.75, 30, 28.75),
            (0.9, 41, 45.9),
            (0.97, 90, 76.77),
            (0.99, 90, 85.59),
            (1.0, 90, 90.0),
        ] {
            assert_eq!(nearest_rank(&ten, share), Some(inverted_cdf), "{share}");
            let found = type_7(&ten, share).unwrap();
            assert!((found - linear).abs() < 1e-12 * linear, "{share}: {found}");
        }
        assert_eq!((nearest_rank(&[], 0.5), type_7(&[], 0.5)), (None, None));
    }

    #[test]
    fn a_lost_message_is_infinite_and_keeps_its_rank() {
        let values = [1, 2, 3, INFINITE];
        assert_eq!(nearest_rank(&values, 0.75), Some(3));
        assert_eq!(nearest_rank(&values, 0.76), Some(INFINITE));
        assert_eq!(type_7(&values, 2.0 / 3.0), Some(3.0));
        assert_eq!(type_7(&values, 0.7), Some(f64::INFINITY));
        assert_eq!(type_7(&[INFINITE, INFINITE], 0.5), Some(f64::INFINITY));
    }

    /// The whisker is the most extreme value inside the fence, not the fence: the published value
    /// has Q1 110, median 140, Q3 150, so fences at 50 and 210 ms, and its least value is 100 ms.
    #[test]
    fn a_whisker_ends_at_a_value() {
        let ms = [100, 110, 110, 120, 140, 145, 150, 150, 210, 211, 900];
        let mut values: Vec<Delay> = ms.iter().map(|ms| ms * 1_000_000).collect();
        let found = tukey_box(&values).unwrap();
        assert_eq!((found.q1_ns, found.median_ns, found.q3_ns), (115e6, 145e6, 180e6));
        let ends = (found.whisker_low_ns, found.whisker_high_ns);
        assert_eq!(ends, (100_000_000, 211_000_000));
        values.push(INFINITE);
        assert_eq!(tukey_box(&values).unwrap().whisker_high_ns, 211_000_000);
        assert_eq!(tukey_box(&[1, 2, INFINITE]), None);
        assert_eq!(tukey_box(&[]), None);
    }

    proptest! {
        #[test]
        fn the_nearest_rank_is_the_smallest_with_the_share_at_or_below_it(
            mut values in prop::collection::vec(0_i64..50, 1..60),
            share in 0.001..1.0_f64,
        ) {
            values.sort_unstable();
            let found = nearest_rank(&values, share).unwrap();
            let at_or_below = |value| values.iter().filter(|&&v| v <= value).count() as f64;
            let needed = share * values.len() as f64;
            prop_assert!(at_or_below(found) >= needed);
            let smaller = values.iter().rev().find(|&&value| value < found);
            prop_assert!(smaller.is_none_or(|&value| at_or_below(value) < needed));
        }

        #[test]
        fn the_box_encloses_what_it_should(
            mut values in prop::collection::vec(0_i64..1000, 1..60),
        ) {
            values.sort_unstable();
            let found = tukey_box(&values).unwrap();
            let (low, high) = (found.whisker_low_ns, found.whisker_high_ns);
            prop_assert!(found.q1_ns <= found.median_ns && found.median_ns <= found.q3_ns);
            let reach = 1.5 * (found.q3_ns - found.q1_ns);
            prop_assert!(low as f64 >= found.q1_ns - reach && high as f64 <= found.q3_ns + reach);
        }
    }
}
