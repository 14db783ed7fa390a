//! The smallest change that a comparison would have found in [`POWER`] of its repetitions.
//!
//! Repetitions are simulated from the run values that were measured: the deviations of both sides
//! from their means, pooled, with a normal kernel (Silverman's width), so that few runs do not
//! stand for a distribution of few values; their standard deviation stays unbiased. They are
//! of logarithms where all values are positive: a change is then a factor, else a shift. Of each
//! repetition the change is computed from which on the rule holds, and the quantile of these is the
//! result: at a change as large, the share `POWER` of them finds it.

use std::f64::consts::PI;

use chacha20::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use super::rank_sum::deciding_pairs;
use super::rule::{Tolerance, median};
use super::shift::{differences, middle};
use super::{ALPHA, POWER};

/// Repetitions of a comparison.
const REPETITIONS: usize = 2_000;

/// Repetitions where only a number of runs is looked for.
const REPETITIONS_ROUGH: usize = 200;

const SEED: u64 = 1;

/// Numbers of runs that may be proposed.
const PROPOSED: [usize; 16] = [6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 40, 50, 70, 100];

/// What a comparison could have found in [`POWER`] of its repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Smallest {
    /// The smallest change that the whole rule finds, in the unit of the values.
    pub shift: f64,
    /// The same as a share of the base, where all values are positive.
    pub relative: Option<f64>,
    /// The smallest change that stands out from the spread of the runs, whatever the tolerance, in
    /// the unit of the values.
    pub significant: f64,
    /// How many runs of each side it takes for a change as large as the tolerance to stand out;
    /// `None` if these do, or if 100 do not.
    pub runs_needed: Option<usize>,
}

/// What a comparison of as many runs with as much spread finds. `None` if a value is infinite, if
/// no number of pairs decides, or if there are fewer than three values.
pub fn smallest_change(base: &[f64], new: &[f64], tolerance: Tolerance) -> Option<Smallest> {
    let model = Model::of(base, new)?;
    let n = (base.len(), new.len());
    let (rule, significant) = model.thresholds(n, REPETITIONS, Some(tolerance))?;
    let to_shift = |change: f64| {
        if model.is_log { model.level * libm::expm1(change) } else { change }
    };
    let significant = to_shift(significant);
    let tolerated = tolerance.in_unit(model.level);
    let stands_out = |&runs: &usize| {
        let rough = model.thresholds((runs, runs), REPETITIONS_ROUGH, None);
        rough.is_some_and(|(_, change)| to_shift(change) <= tolerated)
    };
    let more = || PROPOSED.into_iter().filter(|&runs| runs > n.0.min(n.1)).find(stands_out);
    Some(Smallest {
        shift: to_shift(rule),
        relative: model.is_log.then(|| libm::expm1(rule)),
        significant,
        runs_needed: if significant > tolerated { more() } else { None },
    })
}

/// How run values scatter.
struct Model {
    /// Whether deviations are of logarithms.
    is_log: bool,
    /// The median of the base, in the unit of the values.
    level: f64,
    deviations: Vec<f64>,
    /// The width of the kernel.
    kernel: f64,
    /// What keeps the standard deviation with it.
    shrinking: f64,
}

impl Model {
    fn of(base: &[f64], new: &[f64]) -> Option<Self> {
        let values = || base.iter().chain(new);
        let n = values().count();
        if n < 3 || base.is_empty() || new.is_empty() || values().any(|value| !value.is_finite()) {
            return None;
        }
        let is_log = values().all(|&value| value > 0.0);
        let scale = |value: f64| if is_log { libm::log(value) } else { value };
        let of_side = |side: &[f64]| -> Vec<f64> {
            let scaled: Vec<f64> = side.iter().map(|&value| scale(value)).collect();
            let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
            scaled.iter().map(|value| value - mean).collect()
        };
        let mut deviations = [of_side(base), of_side(new)].concat();
        let squares: f64 = deviations.iter().map(|deviation| deviation * deviation).sum();
        let spread = (squares / (n - 2) as f64).sqrt();
        // Two means were taken off.
        let widening = (n as f64 / (n - 2) as f64).sqrt();
        for deviation in &mut deviations {
            *deviation *= widening;
        }
        let width = libm::pow(4.0 / (3.0 * n as f64), 0.2);
        Some(Self {
            is_log,
            level: median(base),
            deviations,
            kernel: width * spread,
            shrinking: 1.0 / (1.0 + width * width).sqrt(),
        })
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        let deviation = self.deviations[rng.random_range(0..self.deviations.len())];
        // Box and Muller.
        let (radius, angle): (f64, f64) = (rng.random(), rng.random());
        let normal = (-2.0 * libm::log(1.0 - radius)).sqrt() * libm::cos(2.0 * PI * angle);
        (deviation + self.kernel * normal) * self.shrinking
    }

    /// The changes from which on the whole rule, and the test alone, hold in [`POWER`] of the
    /// repetitions; without a tolerance both are of the test.
    fn thresholds(
        &self,
        (base, new): (usize, usize),
        repetitions: usize,
        tolerance: Option<Tolerance>,
    ) -> Option<(f64, f64)> {
        let deciding = deciding_pairs((base, new), ALPHA)?;
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let (mut of_rule, mut of_test) = (Vec::new(), Vec::new());
        for _ in 0..repetitions {
            let mut side =
                |runs: usize| -> Vec<f64> { (0..runs).map(|_| self.draw(&mut rng)).collect() };
            let (base, new) = (side(base), side(new));
            let pairs = differences(&base, &new);
            let test = -pairs[pairs.len() - deciding];
            of_test.push(test);
            let beyond =
                tolerance.map_or(test, |tolerance| self.beyond((&base, &new), &pairs, tolerance));
            of_rule.push(test.max(beyond));
        }
        let quantile = |mut thresholds: Vec<f64>| {
            thresholds.sort_unstable_by(f64::total_cmp);
            thresholds[(repetitions as f64 * POWER).ceil() as usize - 1]
        };
        Some((quantile(of_rule), quantile(of_test)))
    }

    /// The change from which on the estimate of a repetition is beyond both tolerances.
    fn beyond(&self, (base, new): (&[f64], &[f64]), pairs: &[f64], tolerance: Tolerance) -> f64 {
        let found = middle(pairs);
        if !self.is_log {
            let level = self.level + median(base);
            return tolerance.in_unit(level) - found;
        }
        let relative = libm::log1p(tolerance.relative) - found;
        let value = |deviation: &f64| self.level * libm::exp(*deviation);
        let before: Vec<f64> = base.iter().map(value).collect();
        let is_beyond = |change: f64| {
            let after: Vec<f64> = new.iter().map(|it| value(it) * libm::exp(change)).collect();
            middle(&differences(&before, &after)) > tolerance.absolute
        };
        if is_beyond(relative) {
            return relative;
        }
        // The absolute tolerance decides: somewhere up to a factor of a million.
        let (mut low, mut high) = (relative, relative + 14.0);
        for _ in 0..24 {
            let half = f64::midpoint(low, high);
            *if is_beyond(half) { &mut high } else { &mut low } = half;
        }
        high
    }
}
