//! Comparing runs: which checks and values got worse, and where that cannot be judged.
//!
//! Runs are matched by scenario, cases by theirs. In *virtual time* nothing scatters: the three
//! compared files are held against each other byte for byte, then each check by its status and by
//! how near its measured value is to its limit. In *real time* the values that the runs of both
//! sides have are compared by the rule of [`crate::gate`].
//!
//! | module | purpose |
//! |---|---|
//! | `metric` | what a run has to be compared by |
//! | `side` | runs of folders, gathered by scenario |
//! | `baseline` | the same from a file with tolerances, and that file |
//! | `exact`, `scattered` | the comparison in virtual and in real time |
//! | `text` | all of it for a terminal |

mod baseline;
mod exact;
mod metric;
mod scattered;
mod side;
mod text;

use lastmeter_record::{Status, TimeMode};
use lastmeter_text::Prose;
use serde::Serialize;

pub use side::{CompareError, Side};

use self::metric::{Metric, RUN};
use self::side::Group;
use crate::exit::ExitCode;
use crate::gate::Gate;

/// The version of the JSON document.
const FORMAT_VERSION: u32 = 1;

lastmeter_units::words! {
    /// What the comparison of one value comes to.
    pub enum RowOutcome in files {
        /// It is the same.
        Equal = "equal",
        /// It got better.
        Better = "better",
        /// It changed by no more than it may, or nobody has stated which way is worse.
        Changed = "changed",
        /// No change was found, and one as large as the tolerance would have been.
        NoChange = "no-change",
        /// Only the new runs have it.
        New = "new",
        /// Nothing was found, and that shows nothing.
        CannotGate = "cannot-gate",
        /// It got worse.
        Worse = "worse",
    }
}

lastmeter_units::words! {
    /// Why a value is worse, or cannot gate.
    pub enum RowReason in files {
        /// The check ended worse.
        Status = "status",
        /// The measured value is nearer its limit, by more than its tolerance.
        NearerLimit = "nearer-limit",
        /// The new run judged it by another limit.
        OtherLimit = "other-limit",
        /// By the rule for runs that scatter.
        Shifted = "shifted",
        /// The check failed in more runs, by the same test.
        FailsMoreOften = "fails-more-often",
        /// The new runs do not have it any more.
        Gone = "gone",
        /// A greater share of the new runs did not run to their end.
        LeftOut = "left-out",
        /// It was skipped.
        NotEvaluated = "not-evaluated",
        /// There is no new run of the scenario.
        NoRun = "no-run",
        /// The new runs are in the other kind of time.
        OtherTime = "other-time",
        /// The new runs have other seeds.
        OtherSeed = "other-seed",
        /// There are fewer than 5 runs on a side.
        TooFewRuns = "too-few-runs",
        /// A change as large as the tolerance would most likely have been missed.
        TooMuchSpread = "too-much-spread",
        /// A run has no finite value.
        NotFinite = "not-finite",
    }
}

/// The comparison of one value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `check NAME`, `latency PATH p50`, `latency PATH p99` or `run`.
    pub metric: String,
    /// What it comes to.
    pub outcome: RowOutcome,
    /// Why it is worse, or cannot gate.
    pub reason: Option<RowReason>,
    /// The base; in real time the median of the runs.
    pub from: Option<f64>,
    /// What is new.
    pub to: Option<f64>,
    /// The unit of both.
    pub unit: String,
    /// How the check ended, the worst run of the base.
    pub from_status: Option<Status>,
    /// How it ended, the worst new run.
    pub to_status: Option<Status>,
    /// The limit of the check.
    pub limit: Option<f64>,
    /// The relative tolerance.
    pub relative_percent: f64,
    /// The absolute tolerance, in the unit.
    pub absolute: f64,
    /// In real time: the test, the estimates, and what could have been found.
    pub statistics: Option<Gate>,
    /// For people.
    pub why: Prose,
}

impl Row {
    fn of(metric: &Metric, new: Option<&Metric>, outcome: RowOutcome) -> Self {
        let tolerance = metric.tolerance();
        Self {
            metric: metric.name.clone(),
            outcome,
            reason: None,
            from: metric.values.first().copied(),
            to: new.and_then(|new| new.values.first().copied()),
            unit: metric.unit.clone(),
            from_status: metric.status,
            to_status: new.and_then(|new| new.status),
            limit: metric.limit,
            relative_percent: 100.0 * tolerance.relative,
            absolute: tolerance.absolute,
            statistics: None,
            why: Prose::default(),
        }
    }

    fn because(self, reason: RowReason, why: impl Into<Prose>) -> Self {
        Self { reason: Some(reason), why: why.into(), ..self }
    }
}

/// A compared file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name in the run folder.
    pub file: String,
    /// The first line that differs, from 1; `None` if a side does not have the file.
    pub line: Option<u64>,
}

/// The comparison of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The scenario, with its case.
    pub scenario: String,
    /// How time runs, if that is known.
    pub time: Option<TimeMode>,
    /// The seed, in virtual time.
    pub seed: Option<u64>,
    /// How many runs of the base there are.
    pub base_runs: usize,
    /// How many new ones.
    pub new_runs: usize,
    /// How many of both sides did not run to their end, and are left out.
    pub left_out: usize,
    /// In how many of both sides the machine kept a check from being judged; they count.
    pub disturbed: usize,
    /// Whether the scenarios that were run are not the same, but for their seeds.
    pub scenario_differs: bool,
    /// Files that differ, in virtual time.
    pub differences: Vec<Difference>,
    /// The values.
    pub rows: Vec<Row>,
}

impl Compared {
    fn of(base: &Group, new: &Group) -> Self {
        let both = base.experiment.as_ref().zip(new.experiment.as_ref());
        Self {
            scenario: base.scenario.clone(),
            time: base.time.or(new.time),
            seed: base.seed.or(new.seed),
            base_runs: base.runs,
            new_runs: new.runs,
            left_out: base.left_out + new.left_out,
            disturbed: base.disturbed + new.disturbed,
            scenario_differs: both.is_some_and(|(base, new)| base != new),
            differences: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Whether nothing differs at all.
    pub fn is_equal(&self) -> bool {
        let is_equal = |row: &Row| row.outcome == RowOutcome::Equal;
        self.differences.is_empty() && self.rows.iter().all(is_equal)
    }
}

/// The comparison of two sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The version of this document.
    pub format_version: u32,
    /// What the program ends with.
    pub exit_code: u8,
    /// How many values got worse.
    pub worse: usize,
    /// How many could not gate.
    pub cannot_gate: usize,
    /// How many values were compared.
    pub compared: usize,
    /// By scenario of the base.
    pub scenarios: Vec<Compared>,
    /// Scenarios of which only new runs are there.
    pub only_new: Vec<String>,
    /// What could not be read, and why.
    pub broken: Vec<String>,
}

impl Comparison {
    /// Compares what is new with a base.
    pub fn of(base: &Side, new: &Side) -> Self {
        let (base_groups, new_groups) = (base.gathered(new), new.gathered(base));
        let scenarios: Vec<Compared> =
            base_groups.iter().map(|group| compared(group, &new_groups)).collect();
        let is_known = |group: &Group| base_groups.iter().any(|it| it.scenario == group.scenario);
        let only_new: Vec<&Group> = new_groups.iter().filter(|it| !is_known(it)).collect();
        // Of a file that cannot be read nobody knows which scenario it was.
        let crashed = only_new.iter().filter(|group| group.crashed > 0).map(|group| {
            format!("{}: a new run ended in error, and the base has none of it", group.scenario)
        });
        let crashed: Vec<String> = crashed.collect();
        let rows = || scenarios.iter().flat_map(|scenario| &scenario.rows);
        let count = |outcome| rows().filter(|row| row.outcome == outcome).count();
        let mut whole = Self {
            format_version: FORMAT_VERSION,
            exit_code: 0,
            worse: count(RowOutcome::Worse),
            cannot_gate: count(RowOutcome::CannotGate),
            compared: rows().count() - count(RowOutcome::New),
            only_new: only_new.iter().map(|group| group.scenario.clone()).collect(),
            broken: [&base.broken[..], &new.broken, &crashed].concat(),
            scenarios,
        };
        whole.exit_code = whole.exit().number();
        whole
    }

    /// What the program ends with.
    pub fn exit(&self) -> ExitCode {
        let has_match =
            |one: &Compared| !one.rows.iter().all(|row| row.reason == Some(RowReason::NoRun));
        let found = if self.worse > 0 {
            ExitCode::Failed
        } else if !self.scenarios.iter().any(has_match) {
            ExitCode::NothingEvaluated
        } else if self.cannot_gate > 0 {
            ExitCode::Inconclusive
        } else {
            ExitCode::Passed
        };
        let broken = (!self.broken.is_empty()).then_some(ExitCode::Broken);
        ExitCode::worst_of(broken.into_iter().chain([found]))
    }

    /// The JSON document.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and text")
    }
}

/// The text of a baseline file of these runs; `None` if there is no run to write of.
pub fn baseline_of(side: &Side) -> Option<String> {
    baseline::written(side)
}

/// Compares the runs of one scenario with what is new of it.
fn compared(base: &Group, new: &[Group]) -> Compared {
    if let Some(group) = Group::joined(new.iter().filter(|group| group.is_like(base))) {
        return match base.time.or(group.time) {
            Some(TimeMode::Real) => scattered::compare(base, &group),
            _ => exact::compare(base, &group),
        };
    }
    let named = new.iter().find(|group| group.scenario == base.scenario);
    let (reason, why) = match named {
        None => (RowReason::NoRun, "there is no new run of it".to_owned()),
        Some(group) if group.time != base.time => {
            let word = |group: &Group| group.time.map_or("an unknown", TimeMode::word);
            let why = format!("base in {} time, new in {} time", word(base), word(group));
            (RowReason::OtherTime, why)
        }
        Some(group) => {
            let seed = |group: &Group| group.seed.map_or("none".to_owned(), |it| it.to_string());
            let why = format!("base with seed {}, new with seed {}", seed(base), seed(group));
            (RowReason::OtherSeed, why)
        }
    };
    let mut one = Compared::of(base, named.unwrap_or(&Group::default()));
    let run = Metric { name: RUN.to_owned(), ..Metric::default() };
    let run = base.metric(RUN).unwrap_or(&run);
    one.rows.push(Row::of(run, None, RowOutcome::CannotGate).because(reason, why));
    one
}

#[cfg(test)]
mod tests;
