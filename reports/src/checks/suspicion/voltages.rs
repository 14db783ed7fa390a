//! What voltages show of a feeder whose impedances nobody has written down.
//!
//! The voltage at each household is what it would be without load, less what each household's
//! current takes away there; both follow from the readings by least squares. What one household's
//! current takes away at another is what the other's takes away at the first (a network of lines is
//! reciprocal), so where those two differ, one of the two currents is not what was reported: the
//! ratio of the real to the reported current follows for each household, up to what all have in
//! common.

use super::matrix::{Square, dot, mean};

/// How far two such effects differ by themselves, as losses and angles move: relative.
const RECIPROCITY: f64 = 0.02;
/// How far the ratio of a household may be from those of the others before anything is known of
/// it: a natural logarithm.
const RATIO_PRIOR: f64 = 0.5;
/// An effect counts from so many of its standard deviations on.
const SIGNIFICANT: f64 = 3.0;

/// By household.
pub(super) struct Voltages {
    /// Interval by interval, by how much the voltage is lower than without load, volts.
    pub(super) drop_v: Vec<Vec<f64>>,
    /// The natural logarithm of the real current relative to the reported one, as the voltages of
    /// others show it, and its standard deviation.
    pub(super) ratio: Vec<(f64, f64)>,
}

/// The voltages of households by their currents and, if it is there, the supply's voltage: a
/// series of each. `None` if currents do not differ enough for any of it to be known.
pub(super) fn estimate(
    currents_a: &[Vec<f64>],
    voltages_v: &[Vec<f64>],
    supply_v: Option<&[f64]>,
) -> Option<Voltages> {
    let (intervals, homes) = (currents_a.first()?.len(), currents_a.len());
    let mut columns = vec![vec![1.0; intervals]];
    if let Some(supply_v) = supply_v {
        let usual = mean(supply_v);
        columns.push(supply_v.iter().map(|voltage| voltage / usual - 1.0).collect());
    }
    let first = columns.len();
    columns.extend(currents_a.iter().map(|own| own.iter().map(|current| -current).collect()));
    let products = Square::of_products(&columns);
    let of_currents = (first..first + homes).map(|place| products.at(place, place));
    let ridge = 1e-6 * of_currents.sum::<f64>() / homes as f64;
    let mut ridges = vec![ridge; first + homes];
    ridges[0] = 0.0;
    ridges[1..first].fill(1e-9 * intervals as f64);
    let inverse = products.scaled(1.0, &ridges).inverse()?;
    let (mut drop_v, mut effects, mut variances) = (Vec::new(), Vec::new(), Vec::new());
    for voltage_v in voltages_v {
        let sums: Vec<f64> = columns.iter().map(|column| dot(column, voltage_v)).collect();
        let found = inverse.times(&sums);
        let at = |place: usize, interval: usize| found[place] * columns[place][interval];
        let without_load =
            |interval: usize| (0..first).map(|place| at(place, interval)).sum::<f64>();
        let drops: Vec<f64> =
            (0..intervals).map(|interval| without_load(interval) - voltage_v[interval]).collect();
        let rest = |(interval, drop): (usize, &f64)| {
            let explained = (first..first + homes).map(|place| at(place, interval)).sum::<f64>();
            (drop + explained).powi(2)
        };
        let freedom = intervals.saturating_sub(first + homes).max(1) as f64;
        variances.push(drops.iter().enumerate().map(rest).sum::<f64>() / freedom);
        effects.push(found[first..].to_vec());
        drop_v.push(drops);
    }
    let relative = |at: usize, of: usize| {
        let deviation = (variances[at] * inverse.at(first + of, first + of)).sqrt();
        let effect: f64 = effects[at][of];
        (effect > SIGNIFICANT * deviation).then(|| (effect.ln(), (deviation / effect).powi(2)))
    };
    Some(Voltages { drop_v, ratio: ratios(homes, relative)? })
}

/// The ratios of all that fit best what each pair of households shows: `effect(at, of)` is the
/// logarithm of what the current of one takes away at another, with its variance.
fn ratios(
    homes: usize,
    effect: impl Fn(usize, usize) -> Option<(f64, f64)>,
) -> Option<Vec<(f64, f64)>> {
    let mut normal = Square::diagonal(&vec![RATIO_PRIOR.powi(-2); homes]);
    let mut right = vec![0.0; homes];
    for one in 0..homes {
        for other in 0..one {
            let (Some(there), Some(here)) = (effect(other, one), effect(one, other)) else {
                continue;
            };
            let weight = 1.0 / (there.1 + here.1 + RECIPROCITY.powi(2));
            let pull = weight * (there.0 - here.0);
            for (place, by) in [((one, one), 1.0), ((other, other), 1.0)] {
                normal.add(place.0, place.1, by * weight);
            }
            normal.add(one, other, -weight);
            normal.add(other, one, -weight);
            right[one] += pull;
            right[other] -= pull;
        }
    }
    let inverse = normal.inverse()?;
    let found = inverse.times(&right);
    let mut sorted = found.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = f64::midpoint(sorted[(homes - 1) / 2], sorted[homes / 2]);
    let all = (0..homes).map(|row| mean(inverse.row(row))).sum::<f64>() / homes as f64;
    let deviation = |home: usize| {
        let variance = inverse.at(home, home) - 2.0 * mean(inverse.row(home)) + all;
        variance.max(0.0).sqrt()
    };
    Some(found.iter().enumerate().map(|(home, it)| (it - median, deviation(home))).collect())
}
