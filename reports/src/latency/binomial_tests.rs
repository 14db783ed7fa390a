//! The bounds against scipy and the needed sizes against the printed table.

use proptest::prelude::*;

use super::*;

/// Bounds computed by scipy's `beta.ppf`, for random k and n up to ten million.
const SCIPY: &str = include_str!("binomial_scipy.csv");

/// k, n, upper and lower bound.
const FRACTIONS: [(f64, f64, f64, f64); 3] = [
    (2.2, 100.5, 0.064_185_187_812_806_52, 0.004_379_372_999_272_816),
    (28.7, 8_003.5, 0.004_894_097_904_619_631, 0.002_561_545_415_228_374),
    (0.4, 2_995.0, 0.001_245_555_626_316_209, 1.384_347_762_334_972_5e-7),
];

/// n, coverage, rank.
const RANKS: [(u64, f64, u64); 6] = [
    (10_000, 0.999, 9_996),
    (30_000, 0.999, 29_980),
    (18_408, 0.99, 18_247),
    (3_000, 0.99, 2_980),
    (299, 0.99, 299),
    (100, 0.95, 99),
];

/// a, b, x, share.
const INCOMPLETE_BETA: [(f64, f64, f64, f64); 5] = [
    (2.5, 3.5, 0.3, 0.296_752_989_295_666_46),
    (0.5, 0.5, 0.1, 0.204_832_764_699_133_45),
    (1e5, 1e6, 0.0909, 0.487_131_279_666_713_7),
    (30.2, 1e6, 3e-5, 0.509_743_196_680_921_2),
    (7.0, 1.0, 0.9, 0.478_296_900_000_000_1),
];

fn assert_near(found: f64, expected: f64, what: &str) {
    let off = (found - expected).abs();
    // The twelfth digit of scipy's own answer may be off, as the test below shows.
    assert!(off <= 1e-10 * expected.abs(), "{what}: {found:e}, scipy {expected:e}");
}

#[test]
fn the_bounds_are_those_of_scipy() {
    let mut edges = [0, 0];
    for line in SCIPY.lines().skip(1) {
        let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let [k, n, upper, lower] = fields[..] else { panic!("{line}") };
        assert_near(upper_bound(k, n), upper, &format!("upper bound of {k} in {n}"));
        assert_near(lower_bound(k, n), lower, &format!("lower bound of {k} in {n}"));
        edges[0] += usize::from(k == 0.0);
        edges[1] += usize::from(k == n);
    }
    assert!(edges.iter().all(|&count| count > 50), "{edges:?}");
}

/// `beta.ppf(.95, k + 1, n - k)` and `beta.ppf(.05, k, n - k + 1)` of scipy.
#[test]
fn fractions_of_messages_have_bounds_too() {
    for (k, n, upper, lower) in FRACTIONS {
        assert_near(upper_bound(k, n), upper, "upper");
        assert_near(lower_bound(k, n), lower, "lower");
    }
}

/// At 50 digits by summing the binomial terms; scipy 1.17.1 has 1.237_546_917_501_673_5e-5.
#[test]
fn where_scipy_loses_digits_the_sum_is_met() {
    let summed = 1.237_546_917_491_295_1e-5;
    assert!((upper_bound(19.0, 2_252_778.0) - summed).abs() < 1e-13 * summed);
}

#[test]
fn without_messages_nothing_is_refuted() {
    assert_eq!((upper_bound(0.0, 0.0), lower_bound(0.0, 0.0)), (1.0, 0.0));
    assert_eq!((upper_bound(f64::NAN, 5.0), lower_bound(5.0, f64::NAN)), (1.0, 0.0));
}

/// The closed forms of Clopper and Pearson at the edges.
#[test]
fn none_and_all_have_closed_forms() {
    for n in [1.0, 2.0, 59.0, 3e6] {
        assert_near(upper_bound(0.0, n), -(0.05_f64.ln() / n).exp_m1(), "none");
        assert_near(lower_bound(n, n), 0.05_f64.powf(1.0 / n), "all");
    }
}

/// The table of docs/real-time.md, digit for digit.
#[test]
fn the_needed_sizes_are_those_of_the_table() {
    for (coverage, sizes) in [
        (0.95, [59, 93, 124, 208, 336]),
        (0.99, [299, 473, 628, 1_049, 1_693]),
        (0.999, [2_995, 4_742, 6_294, 10_511, 16_959]),
        (0.9999, [29_956, 47_437, 62_956, 105_128, 169_619]),
    ] {
        assert_eq!([0, 1, 2, 5, 10].map(|k| sample_size_with(coverage, k)), sizes);
        assert_eq!(needed_sample_size(coverage), sizes[0]);
    }
    assert_eq!(needed_sample_size(1.0), u64::MAX);
    assert_eq!(needed_sample_size(f64::NAN), u64::MAX);
    assert_eq!(needed_sample_size(0.0), 1);
}

/// `binom.ppf(.95, n, p) + 1` of scipy.
#[test]
fn the_deciding_rank_is_that_of_the_order_statistic() {
    for (n, coverage, rank) in RANKS {
        assert_eq!(deciding_rank(n, coverage), Some(rank), "{n} at {coverage}");
    }
    assert_eq!(deciding_rank(298, 0.99), None);
    assert_eq!(deciding_rank(0, 0.99), None);
}

/// `beta.cdf` of scipy.
#[test]
fn the_incomplete_beta_function_is_that_of_scipy() {
    for (a, b, x, share) in INCOMPLETE_BETA {
        assert_near(incomplete_beta(a, b, x), share, &format!("I_{x}({a}, {b})"));
    }
    assert_eq!((incomplete_beta(2.0, 3.0, 0.0), incomplete_beta(2.0, 3.0, 1.0)), (0.0, 1.0));
}

proptest! {
    /// With k over the limit of n the claim passes if and only if the deciding order statistic is
    /// within it, that is, if at most n - rank are over it.
    #[test]
    fn the_bound_and_the_order_statistic_decide_alike(
        n in 1_u64..5_000,
        k in 0_u64..60,
        coverage in prop::sample::select(vec![0.9, 0.95, 0.97, 0.99, 0.999]),
    ) {
        prop_assume!(k <= n);
        let passes = upper_bound(k as f64, n as f64) <= 1.0 - coverage;
        let by_rank = deciding_rank(n, coverage).is_some_and(|rank| k <= n - rank);
        prop_assert_eq!(passes, by_rank);
    }

    #[test]
    fn the_bounds_enclose_the_share_and_grow_with_k(n in 1_u64..1_000_000, part in 0.0..1.0_f64) {
        let k = (n as f64 * part).floor();
        let n = n as f64;
        let (low, high) = (lower_bound(k, n), upper_bound(k, n));
        prop_assert!(low <= k / n && k / n <= high && low < high);
        prop_assert!(upper_bound(k + 1.0, n) > high || high == 1.0);
        prop_assert!(lower_bound(k + 1.0, n) >= low);
    }

    /// The short way and the bound itself decide alike, and more messages per stall never turn a
    /// claim that fails into one that passes.
    #[test]
    fn a_share_is_within_what_is_allowed_if_its_bound_is(
        n in 1_u64..200_000,
        part in 0.0..0.02_f64,
        stall in 1.0..50.0_f64,
        allowed in prop::sample::select(vec![0.5, 0.1, 0.03, 0.01, 0.001]),
    ) {
        let n = n as f64;
        let k = (n * part).floor();
        let passes = |stall: f64| is_within(k / stall, n / stall, allowed);
        prop_assert_eq!(passes(stall), upper_bound(k / stall, n / stall) <= allowed);
        prop_assert!(passes(stall) || !passes(1.5 * stall));
    }

    #[test]
    fn any_input_gives_a_share(k in any::<f64>(), n in any::<f64>()) {
        prop_assume!(n.abs() < 1e9 || !n.is_finite());
        prop_assert!((0.0..=1.0).contains(&upper_bound(k, n)));
        prop_assert!((0.0..=1.0).contains(&lower_bound(k, n)));
    }
}
