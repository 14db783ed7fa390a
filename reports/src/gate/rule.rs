//! The rule: when a value of runs in real time got worse, and when that cannot be judged.

use serde::Serialize;

use super::detectable::{Smallest, smallest_change};
use super::rank_sum::{RankSum, deciding_pairs, mann_whitney};
use super::shift::{Estimate, hodges_lehmann, middle};
use super::{ALPHA, RUNS_MIN};

/// What a value may change by: it is beyond its tolerance if it is beyond both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// As a share of the base: 0.1 is 10 %.
    pub relative: f64,
    /// In the unit of the values.
    pub absolute: f64,
}

impl Tolerance {
    /// The larger of both, in the unit of the values, for a base of this size.
    pub fn in_unit(self, base: f64) -> f64 {
        (self.relative * base.abs()).max(self.absolute)
    }
}

lastmeter_units::words! {
    /// Why a comparison cannot gate.
    pub enum Doubt in files {
        /// There are fewer than [`RUNS_MIN`] runs on a side.
        TooFewRuns = "too-few-runs",
        /// The runs scatter so much that a change as large as the tolerance would be missed.
        TooMuchSpread = "too-much-spread",
        /// A run has no finite value.
        NotFinite = "not-finite",
    }
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The values got worse: larger.
    Worse,
    /// They got better, by the same rule.
    Better,
    /// No change was found, and one as large as the tolerance would have been.
    NoChange,
    /// Nothing was found, and that shows nothing.
    CannotGate(Doubt),
}

/// A comparison of the values that runs of two sides have of one metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// The median of the base.
    #[serde(skip)]
    pub from: f64,
    /// The median of what is new.
    #[serde(skip)]
    pub to: f64,
    /// How many runs there are of the base, and new ones.
    pub runs: (usize, usize),
    /// The test; `None` without a run on a side.
    pub test: Option<RankSum>,
    /// How far the new values lie from the base.
    pub shift: Option<Estimate>,
    /// By which factor; `None` where a value is zero or negative.
    pub ratio: Option<Estimate>,
    /// What could have been found; `None` of too few runs.
    pub smallest: Option<Smallest>,
    /// What follows.
    #[serde(skip)]
    pub outcome: Outcome,
}

/// The median; NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut ascending = values.to_vec();
    ascending.sort_unstable_by(f64::total_cmp);
    middle(&ascending)
}

/// Compares the run values of two sides by the rule. Values that are not numbers are no values.
pub fn gate(base: &[f64], new: &[f64], tolerance: Tolerance) -> Gate {
    let numbers = |side: &[f64]| -> Vec<f64> {
        side.iter().copied().filter(|value| !value.is_nan()).collect()
    };
    let (base, new) = (numbers(base), numbers(new));
    let mut gate = Gate::estimated(&base, &new);
    if gate.runs.0.min(gate.runs.1) >= RUNS_MIN {
        gate.smallest = smallest_change(&base, &new, tolerance);
        gate.outcome = gate.found(tolerance).unwrap_or_else(|| gate.not_found(tolerance));
    }
    gate
}

impl Gate {
    /// The test and the estimates, before anything follows from them.
    pub(crate) fn estimated(base: &[f64], new: &[f64]) -> Self {
        let runs = (base.len(), new.len());
        let test = mann_whitney(base, new);
        let deciding = deciding_pairs(runs, ALPHA);
        let is_positive = base.iter().chain(new).all(|&value| value > 0.0);
        let logs = |side: &[f64]| -> Vec<f64> { side.iter().map(|&it| libm::log(it)).collect() };
        let ratio = || hodges_lehmann(&logs(base), &logs(new), deciding).map(libm::exp);
        Self {
            from: median(base),
            to: median(new),
            runs,
            test,
            shift: test.map(|_| hodges_lehmann(base, new, deciding)),
            ratio: test.filter(|_| is_positive).map(|_| ratio()),
            smallest: None,
            outcome: Outcome::CannotGate(Doubt::TooFewRuns),
        }
    }

    /// The change that the rule finds.
    pub(super) fn found(&self, tolerance: Tolerance) -> Option<Outcome> {
        let shift = self.shift?.value;
        self.test.filter(|test| test.p <= ALPHA)?;
        let least = tolerance.relative;
        let is_beyond = match self.ratio {
            Some(ratio) => ratio.value.max(1.0 / ratio.value) > 1.0 + least,
            None => shift.abs() > least * self.from.abs(),
        };
        if !is_beyond || shift.abs() <= tolerance.absolute {
            return None;
        }
        Some(if shift > 0.0 { Outcome::Worse } else { Outcome::Better })
    }

    /// Whether it shows something that no change was found.
    fn not_found(&self, tolerance: Tolerance) -> Outcome {
        match self.smallest {
            None => Outcome::CannotGate(Doubt::NotFinite),
            Some(smallest) if smallest.significant > tolerance.in_unit(self.from) => {
                Outcome::CannotGate(Doubt::TooMuchSpread)
            }
            Some(_) => Outcome::NoChange,
        }
    }
}
