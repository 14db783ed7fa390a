//! The test of Mann and Whitney (1947), with ties.
//!
//! Up to [`EXACT_MAX`] values of both sides the permutation distribution of the rank sum is counted
//! out, given the ties that there are; beyond it p is that of the normal distribution, with
//! corrections for ties and continuity. Our own, since that of the crate `statrs` refuses ties
//! where it is exact, and lists all combinations one by one.

use serde::Serialize;

/// Up to so many values of both sides together p is exact.
pub const EXACT_MAX: usize = 100;

/// What the test finds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RankSum {
    /// How likely a difference as large as this, in either direction, is by chance alone: twice the
    /// smaller tail, at most 1.
    pub p: f64,
    /// Whether p is exact.
    pub is_exact: bool,
    /// In which share of all pairs of runs the new one has the larger value, ties as half a pair:
    /// the probability of superiority. 0.5 is no effect; Cliff's delta is twice this minus 1.
    pub superiority: f64,
}

/// Compares two samples; `None` if one is empty or has a value that is not a number.
pub fn mann_whitney(base: &[f64], new: &[f64]) -> Option<RankSum> {
    let all: Vec<f64> = base.iter().chain(new).copied().collect();
    if base.is_empty() || new.is_empty() || all.iter().any(|value| value.is_nan()) {
        return None;
    }
    let (ranks, ties) = double_ranks(&all);
    let of_new: usize = ranks[base.len()..].iter().sum();
    let n = new.len();
    let pairs = (base.len() * n) as f64;
    let superiority = (of_new - n * (n + 1)) as f64 / 2.0 / pairs;
    let is_exact = all.len() <= EXACT_MAX;
    let p = if is_exact {
        let counts = sums(&ranks, n);
        let (below, above) = (&counts[..=of_new], &counts[of_new..]);
        let tail = below.iter().sum::<f64>().min(above.iter().sum());
        (2.0 * tail / counts.iter().sum::<f64>()).min(1.0)
    } else {
        normal_p((base.len(), n), superiority * pairs, &ties)
    };
    Some(RankSum { p, is_exact, superiority })
}

/// Twice the rank of each value, from 1, equal ones sharing the mean of theirs; and how many values
/// each group of equal ones has.
fn double_ranks(values: &[f64]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let (mut ranks, mut ties) = (vec![0; values.len()], Vec::new());
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let double = 2 * first + group.len() + 1;
        for &place in group {
            ranks[place] = double;
        }
        ties.push(group.len());
        first += group.len();
    }
    (ranks, ties)
}

/// Of each sum, how many choices of so many ranks have it.
fn sums(ranks: &[usize], chosen: usize) -> Vec<f64> {
    let mut ascending = ranks.to_vec();
    ascending.sort_unstable();
    let first: Vec<usize> = std::iter::once(0)
        .chain(ascending.iter().scan(0, |sum, &rank| {
            *sum += rank;
            Some(*sum)
        }))
        .collect();
    let all = ascending.len();
    let largest = first[all] - first[all - chosen];
    let mut counts = vec![vec![0.0; largest + 1]; chosen + 1];
    counts[0][0] = 1.0;
    for (before, &rank) in ascending.iter().enumerate() {
        let taken = before + 1;
        // With all that follow there have to be enough.
        let least = chosen.saturating_sub(all - taken).max(1);
        for many in (least..=chosen.min(taken)).rev() {
            let (fewer, more) = counts.split_at_mut(many);
            let (fewer, more) = (&fewer[many - 1], &mut more[0]);
            for sum in first[many].max(rank)..=first[taken] - first[taken - many] {
                more[sum] += fewer[sum - rank];
            }
        }
    }
    counts.swap_remove(chosen)
}

/// p by the normal distribution, for so many pairs in which the new value is the larger one.
fn normal_p((base, new): (usize, usize), larger: f64, ties: &[usize]) -> f64 {
    let (m, n) = (base as f64, new as f64);
    let all = m + n;
    let tied: f64 = ties.iter().map(|&tie| (tie as f64).powi(3) - tie as f64).sum();
    let variance = m * n / 12.0 * (all + 1.0 - tied / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = ((larger - m * n / 2.0).abs() - 0.5) / variance.sqrt();
    libm::erfc(z / std::f64::consts::SQRT_2).min(1.0)
}

/// In how many pairs of a base and a new run the new value has to be the larger one for p <= alpha,
/// without ties; `None` if all of them would not do.
///
/// The pairwise differences from this rank, and to it from the other end, are the confidence
/// interval of the shift at 1 - alpha.
pub fn deciding_pairs((base, new): (usize, usize), alpha: f64) -> Option<usize> {
    let pairs = base * new;
    if base + new > EXACT_MAX {
        let ties = vec![1; base + new];
        let p = |larger: usize| normal_p((base, new), larger as f64, &ties);
        return (pairs.div_ceil(2)..=pairs).find(|&larger| p(larger) <= alpha);
    }
    let ranks: Vec<usize> = (1..=base + new).collect();
    let counts = sums(&ranks, new);
    let least = new * (new + 1) / 2;
    let allowed = alpha / 2.0 * counts.iter().sum::<f64>();
    let mut tail = 0.0;
    let mut deciding = None;
    for larger in (pairs.div_ceil(2)..=pairs).rev() {
        tail += counts[least + larger];
        if tail > allowed {
            break;
        }
        deciding = Some(larger);
    }
    deciding
}
