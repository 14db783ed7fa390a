//! Which household it is: how likely the balance of a feeder is if the readings of one of them are
//! wrong by a factor, beside what it is if all are right within their class.
//!
//! What the infeed supplies, less what households reported, is modelled interval by interval as
//!
//! - losses: a constant, currents times the drops of voltages, and a smaller term in the square of
//!   the sum;
//! - a share of the sum, which the infeed's and all households' meters have in common;
//! - a share of what each household reported: its own error.
//!
//! All have prior distributions; those of the errors are as narrow as the meters' class. The score
//! of a household is the logarithm of how much more likely the balance becomes if its error may
//! be anything, plus that of how much more likely the ratio becomes that voltages show of it. The
//! first is found, and its error left free, until no score is high enough.

use super::intervals::Intervals;
use super::matrix::{Square, dot, mean};
use super::voltages::{Voltages, estimate};

/// Of what flows through the drop of a voltage, the active part for household loads on cables:
/// the cosine of the current's angle squared, and a little of the reactance.
const RESISTIVE: f64 = 0.9;
const RESISTIVE_SD: f64 = 0.05;
/// What is left to the square of the sum, relative to the losses in conductors.
const SQUARE_SD: f64 = 0.05;
/// What loads that move within an interval lose more than their means do, relative to a quarter of
/// the square of how means move from one to the next: 1 if they wander, 2 and more if they switch.
const MOVEMENT: f64 = 1.5;
const MOVEMENT_SD: f64 = 0.25;
/// Of losses, for what no term models.
const MODEL_SD: f64 = 0.015;
/// Watts: nothing is known before of what is lost without load.
const NO_LOAD_SD_W: f64 = 1e5;
/// The error of a household under suspicion: relative.
const WRONG_SD: f64 = 1.0;
/// How far a ratio by voltages may be from the truth, a logarithm.
const RATIO_SD: f64 = 0.05;
/// From this score on, so much above the next one, a household is under suspicion.
const SCORE: f64 = 10.0;
const MARGIN: f64 = 5.0;
/// So many are looked for.
const MOST: usize = 5;
/// Behind these come the columns of households.
const COMMON: usize = 4;
const ROUNDS: usize = 40;

/// What is known of one household.
#[derive(Clone, Debug)]
pub(super) struct Suspect {
    /// Its place in [`Intervals::homes`].
    pub(super) home: usize,
    pub(super) score: f64,
    pub(super) is_suspected: bool,
    /// What it takes beside what it reported, relative to that, and the standard deviation.
    pub(super) error: (f64, f64),
    /// Mean power that is missing, watts; negative where it reports too much.
    pub(super) missing_w: f64,
    /// Its current relative to the reported one as voltages show it: logarithm, deviation.
    pub(super) ratio: (f64, f64),
    /// Of what it reports with what is unaccounted for, all suspicion left aside.
    pub(super) correlation: f64,
}

/// Of a feeder, mean powers in watts.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    /// All households, the one under the strongest suspicion first.
    pub(super) suspects: Vec<Suspect>,
    /// One with a high score that is no suspect yet: too alike to the next one, or too little is
    /// missing.
    pub(super) undecided: Option<usize>,
    pub(super) losses_w: f64,
    /// Two standard deviations of them.
    pub(super) uncertainty_w: f64,
    /// What was supplied less what was reported and the losses.
    pub(super) unaccounted_w: f64,
}

/// What the errors and losses are, given the variance of an interval.
struct Fit {
    mean: Vec<f64>,
    covariance: Square,
}

struct Model<'a> {
    given: &'a Intervals,
    /// What is explained, and by which columns.
    balance: Vec<f64>,
    columns: Vec<Vec<f64>>,
    products: Square,
    sums: Vec<f64>,
    prior_sd: Vec<f64>,
    /// The logarithm that voltages add to each score.
    by_voltages: Vec<f64>,
    voltages: Voltages,
    reported_w: Vec<f64>,
    movement_w: f64,
}

/// The ranking of the households; `None` if readings do not differ enough for one. `class` is the
/// largest error of the meters, relative.
pub(super) fn rank(given: &Intervals, class: f64) -> Option<Ranking> {
    let model = Model::new(given, class)?;
    let (mut found, mut undecided): (Vec<(usize, f64)>, _) = (Vec::new(), None);
    loop {
        let free: Vec<usize> = found.iter().map(|(home, _)| *home).collect();
        let (variance, scores) = model.scores(&free)?;
        let mut order: Vec<usize> = (0..scores.len()).filter(|home| !free.contains(home)).collect();
        order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
        if let [best, next, ..] = order[..]
            && scores[best] >= SCORE
            && found.len() < MOST
        {
            let fit = model.fit(&[&free[..], &[best]].concat(), variance)?;
            let missing_w = fit.mean[COMMON + best] * model.reported_w[best];
            if scores[best] - scores[next] >= MARGIN && missing_w.abs() >= model.losses(&fit).1 {
                found.push((best, scores[best]));
                continue;
            }
            undecided = Some(best);
        }
        let fit = model.fit(&free, variance)?;
        let rest = order.into_iter().map(|home| (home, scores[home]));
        let order: Vec<(usize, f64)> = found.iter().copied().chain(rest).collect();
        return Some(model.ranking(&fit, &order, found.len(), undecided));
    }
}

impl<'a> Model<'a> {
    fn new(given: &'a Intervals, class: f64) -> Option<Self> {
        let of_each = given.power_w.iter().zip(&given.voltage_v);
        let currents: Vec<Vec<f64>> = of_each
            .map(|(power, voltage)| power.iter().zip(voltage).map(|(p, u)| p / u).collect())
            .collect();
        let voltages = estimate(&currents, &given.voltage_v, given.supply_v.as_deref())?;
        let (conductors, movement_w) = lost_in_conductors(&currents, &voltages.drop_v);
        let count = given.supplied_w.len();
        let sum: Vec<f64> =
            (0..count).map(|at| given.power_w.iter().map(|power| power[at]).sum()).collect();
        let scale = mean(&conductors) / (dot(&sum, &sum) / count as f64);
        let square = sum.iter().map(|sum| scale * sum * sum).collect();
        let left = |at: usize| given.supplied_w[at] - sum[at] - RESISTIVE * conductors[at];
        let balance: Vec<f64> = (0..count).map(left).collect();
        let mut columns = vec![vec![1.0; count], conductors, square, sum];
        columns.extend(given.power_w.iter().cloned());
        let error_sd = class / 3f64.sqrt();
        let mut prior_sd = vec![NO_LOAD_SD_W, RESISTIVE_SD, SQUARE_SD, error_sd / 2.0];
        prior_sd.resize(columns.len(), error_sd);
        let by_voltages = |(ratio, deviation): &(f64, f64)| {
            let right = RATIO_SD.powi(2) + deviation * deviation;
            more_likely(*ratio, right, deviation * deviation + WRONG_SD.powi(2))
        };
        Some(Self {
            given,
            products: Square::of_products(&columns),
            sums: columns.iter().map(|column| dot(column, &balance)).collect(),
            balance,
            columns,
            prior_sd,
            by_voltages: voltages.ratio.iter().map(by_voltages).collect(),
            voltages,
            reported_w: given.power_w.iter().map(|power| mean(power)).collect(),
            movement_w,
        })
    }

    /// With the errors of these households free.
    fn fit(&self, free: &[usize], variance: f64) -> Option<Fit> {
        let mut precision: Vec<f64> = self.prior_sd.iter().map(|sd| sd.powi(-2)).collect();
        for home in free {
            precision[COMMON + home] = WRONG_SD.powi(-2);
        }
        let covariance = self.products.scaled(1.0 / variance, &precision).inverse()?;
        let mean = covariance.times(&self.sums).iter().map(|it| it / variance).collect();
        Some(Fit { mean, covariance })
    }

    /// The variance of an interval if the best household's error is free beside these, and the
    /// score of each with all others' errors in their class.
    fn scores(&self, free: &[usize]) -> Option<(f64, Vec<f64>)> {
        let around = mean(&self.balance);
        let all = self.balance.iter().map(|it| (it - around).powi(2));
        let mut variance = all.sum::<f64>() / self.balance.len() as f64;
        let mut scores = Vec::new();
        for _ in 0..ROUNDS {
            if !(variance.is_finite() && variance > 0.0) {
                return None;
            }
            let fit = self.fit(free, variance)?;
            scores = (0..self.reported_w.len()).map(|home| self.score(&fit, home)).collect();
            let others = (0..scores.len()).filter(|home| !free.contains(home));
            let best = others.max_by(|one, other| scores[*one].total_cmp(&scores[*other]))?;
            let before = variance;
            variance = self.variance(&self.fit(&[free, &[best]].concat(), variance)?, variance);
            if (variance - before).abs() < 1e-6 * before {
                break;
            }
        }
        Some((variance, scores))
    }

    /// How much more likely all is if a household's error may be anything.
    fn score(&self, fit: &Fit, home: usize) -> f64 {
        let place = COMMON + home;
        let (found, variance) = (fit.mean[place], fit.covariance.at(place, place));
        // What the balance shows of the error without the prior; of one who takes nothing, nothing.
        let prior = self.prior_sd[place].powi(2);
        let shown = 1.0 / (1.0 / variance - 1.0 / prior);
        if !(shown > 0.0 && shown < 1e6 * WRONG_SD) {
            return self.by_voltages[home];
        }
        let error = shown * found / variance;
        more_likely(error, shown + prior, shown + WRONG_SD.powi(2)) + self.by_voltages[home]
    }

    /// Of what is left of an interval. Neighbours that are alike count as fewer.
    fn variance(&self, fit: &Fit, before: f64) -> f64 {
        let mut left = self.balance.clone();
        for (column, factor) in self.columns.iter().zip(&fit.mean) {
            left.iter_mut().zip(column).for_each(|(left, value)| *left -= factor * value);
        }
        let trace: f64 = (0..self.columns.len())
            .map(|place| dot(self.products.row(place), fit.covariance.row(place)))
            .sum();
        let (count, squares) = (left.len() as f64, dot(&left, &left));
        let freedom = (count - trace / before).max(count / 4.0);
        let alike = (dot(&left[1..], &left) / squares).clamp(0.0, 0.9);
        squares / freedom * (1.0 + alike) / (1.0 - alike)
    }

    /// Mean losses, and two standard deviations of them.
    fn losses(&self, fit: &Fit) -> (f64, f64) {
        let mut weights = vec![0.0; self.columns.len()];
        for (weight, column) in weights.iter_mut().zip(&self.columns[..COMMON - 1]) {
            *weight = mean(column);
        }
        let losses_w = dot(&weights, &fit.mean) + RESISTIVE * weights[1];
        let variance = dot(&weights, &fit.covariance.times(&weights))
            + (MOVEMENT_SD * self.movement_w).powi(2)
            + (MODEL_SD * losses_w).powi(2);
        (losses_w, 2.0 * variance.sqrt())
    }

    fn ranking(
        &self,
        fit: &Fit,
        order: &[(usize, f64)],
        found: usize,
        undecided: Option<usize>,
    ) -> Ranking {
        let (losses_w, uncertainty_w) = self.losses(fit);
        let lost = |at: usize| {
            let terms = self.columns[..COMMON - 1].iter().zip(&fit.mean);
            terms.map(|(column, factor)| factor * column[at]).sum::<f64>()
        };
        let left: Vec<f64> =
            self.balance.iter().enumerate().map(|(at, it)| it - lost(at)).collect();
        let suspect = |(rank, (home, score)): (usize, &(usize, f64))| {
            let place = COMMON + home;
            Suspect {
                home: *home,
                score: *score,
                is_suspected: rank < found,
                error: (fit.mean[place], fit.covariance.at(place, place).max(0.0).sqrt()),
                missing_w: fit.mean[place] * self.reported_w[*home],
                ratio: self.voltages.ratio[*home],
                correlation: correlation(&left, &self.columns[place]),
            }
        };
        Ranking {
            suspects: order.iter().enumerate().map(suspect).collect(),
            undecided,
            losses_w,
            uncertainty_w,
            unaccounted_w: mean(&self.given.supplied_w) - mean(&self.columns[3]) - losses_w,
        }
    }
}

/// What is lost in conductors, interval by interval, by reported currents and the drops of voltages
/// that they flow through, and the mean of the movement that is part of it, watts.
fn lost_in_conductors(currents: &[Vec<f64>], drops: &[Vec<f64>]) -> (Vec<f64>, f64) {
    let count = currents[0].len();
    let (mut lost, mut moved) = (vec![0.0; count], vec![0.0; count - 1]);
    for (current, drop) in currents.iter().zip(drops) {
        for at in 0..count {
            lost[at] += current[at] * drop[at];
        }
        for at in 1..count {
            moved[at - 1] += (current[at] - current[at - 1]) * (drop[at] - drop[at - 1]) / 4.0;
        }
    }
    let around = |at: usize| f64::midpoint(moved[at.saturating_sub(1)], moved[at.min(count - 2)]);
    let movement: Vec<f64> = (0..count).map(around).collect();
    lost.iter_mut().zip(&movement).for_each(|(lost, moved)| *lost += MOVEMENT * moved);
    (lost, mean(&movement))
}

/// The logarithm of how much more likely a value is with one variance than with another.
fn more_likely(value: f64, usual: f64, wrong: f64) -> f64 {
    0.5 * ((usual / wrong).ln() + value * value * (1.0 / usual - 1.0 / wrong))
}

fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let centred = |values: &[f64]| {
        let mean = mean(values);
        values.iter().map(|value| value - mean).collect::<Vec<f64>>()
    };
    let (one, other) = (centred(one), centred(other));
    dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
}
