//! What a run has to be compared by: how each check ended and what it measured, and, in real time,
//! the median and the 99th percentile of each path of messages.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_record::{
    LatencyRow, Point, RecordError, RunFacts, RunReader, RunState, Status, TimeMode, file,
};

use crate::check::kind::ScenarioChecks;
use crate::error::EvaluateError;
use crate::exit::ExitCode;
use crate::gate::{Tolerance, median};
use crate::latency::{INFINITE, Population, Span, Window, points_of};
use crate::verdict::Verdict;

/// The name of what a run came to as a whole.
pub(super) const RUN: &str = "run";

/// What one metric has in the runs of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metric {
    /// `check NAME`, `latency PATH p50`, `latency PATH p99`, or [`RUN`].
    pub(super) name: String,
    pub(super) unit: String,
    /// The worst of all runs; `None` of a latency.
    pub(super) status: Option<Status>,
    /// How many runs have a status, and in how many it is a fail or an error.
    pub(super) judged: usize,
    pub(super) failed: usize,
    /// One of each run that has one.
    pub(super) values: Vec<f64>,
    pub(super) limit: Option<f64>,
    pub(super) limit_low: Option<f64>,
    pub(super) relative: f64,
    /// The absolute tolerance by each run; the median holds.
    pub(super) absolutes: Vec<f64>,
}

impl Metric {
    pub(super) fn tolerance(&self) -> Tolerance {
        let absolute = if self.absolutes.is_empty() { 0.0 } else { median(&self.absolutes) };
        Tolerance { relative: self.relative, absolute }
    }

    /// How bad a value is: its distance from zero, or from the middle of what is allowed. `None`
    /// without a limit: nobody has stated which way is worse.
    pub(super) fn badness(&self, value: f64) -> Option<f64> {
        if self.status.is_none() {
            return Some(value);
        }
        let limit = self.limit?;
        Some((value - self.limit_low.map_or(0.0, |low| f64::midpoint(low, limit))).abs())
    }

    /// Takes what another run has.
    pub(super) fn join(&mut self, other: Self) {
        self.status = self.status.max(other.status);
        self.judged += other.judged;
        self.failed += other.failed;
        self.values.extend(other.values);
        self.absolutes.extend(other.absolutes);
    }

    /// What a whole run came to.
    pub(super) fn of_run(status: Status) -> Self {
        Self { name: RUN.to_owned(), ..Self::with_status(status) }
    }

    fn with_status(status: Status) -> Self {
        let failed = usize::from(status >= Status::Fail);
        Self { status: Some(status), judged: 1, failed, ..Self::default() }
    }

    /// What a check measured. In virtual time nothing scatters, so less is tolerated.
    fn of_check(verdict: &Verdict, time: TimeMode) -> Self {
        let (relative, of_limit) = match time {
            TimeMode::Virtual => (0.01, 0.001),
            TimeMode::Real => (0.25, 0.05),
        };
        let reach = verdict.limit.map(|limit| limit - verdict.limit_low.unwrap_or(0.0));
        Self {
            name: format!("check {}", verdict.check),
            unit: verdict.unit.clone(),
            values: verdict.measured.into_iter().collect(),
            limit: verdict.limit,
            limit_low: verdict.limit_low,
            relative,
            absolutes: vec![of_limit * reach.unwrap_or(0.0).abs()],
            ..Self::with_status(verdict.status)
        }
    }
}

/// One run, read.
pub(super) struct Run {
    pub(super) scenario: String,
    pub(super) time: TimeMode,
    pub(super) seed: u64,
    /// What was run, but for the seed.
    pub(super) experiment: String,
    /// Whether it ran to its end.
    pub(super) is_finished: bool,
    /// Whether it ended early, and not because somebody ended it or this machine cannot run it.
    pub(super) has_crashed: bool,
    /// Whether the machine kept a check of it from being judged.
    pub(super) is_disturbed: bool,
    pub(super) metrics: Vec<Metric>,
}

impl Run {
    /// Reads a run folder: its verdicts as they were written, and its messages in real time.
    pub(super) fn read(dir: &Path) -> Result<Self, EvaluateError> {
        let reader = RunReader::open(dir)?;
        let facts = reader.facts();
        let is_finished = facts.state == RunState::Finished;
        let verdicts = verdicts(dir, is_finished)?;
        let counted = lastmeter_record::Counts::of(verdicts.iter().map(|verdict| verdict.status));
        let status = match ExitCode::of_run(facts.state, counted) {
            ExitCode::Passed => Status::Pass,
            ExitCode::NothingEvaluated => Status::Skipped,
            ExitCode::Failed => Status::Fail,
            ExitCode::Inconclusive => Status::Inconclusive,
            _ => Status::Error,
        };
        let mut metrics = vec![Metric::of_run(status)];
        metrics.extend(verdicts.iter().map(|verdict| Metric::of_check(verdict, facts.time)));
        if facts.time == TimeMode::Real && is_finished {
            metrics.extend(latencies(&reader)?);
        }
        Ok(Self {
            scenario: facts.scenario.clone(),
            time: facts.time,
            seed: facts.seed,
            experiment: experiment(&reader.scenario_toml()?),
            is_finished,
            has_crashed: matches!(
                facts.state,
                RunState::Running | RunState::Stopped | RunState::Error
            ),
            is_disturbed: verdicts.iter().any(|verdict| verdict.reason.is_of_the_machine()),
            metrics,
        })
    }
}

/// The scenario as resolved, but for its seed.
fn experiment(scenario_toml: &str) -> String {
    let is_of_seed = |line: &&str| line.starts_with("seed = ") || line.starts_with("case = ");
    scenario_toml.lines().filter(|line| !is_of_seed(line)).collect::<Vec<_>>().join("\n")
}

/// The verdicts as they are written; a run that did not finish may have none.
fn verdicts(dir: &Path, is_finished: bool) -> Result<Vec<Verdict>, RecordError> {
    let path = dir.join(file::VERDICTS);
    if !is_finished && !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(&path).map_err(RecordError::io("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|error| RecordError::Malformed {
        line: error.line() as u64,
        what: error.to_string(),
        path,
    })
}

/// The median and the 99th percentile of each path, in ms, by nearest rank, from the intended
/// instant of each message that was due after the warm-up; lost ones are infinite.
fn latencies(reader: &RunReader) -> Result<Vec<Metric>, EvaluateError> {
    let Some(mut rows) = reader.latency()? else { return Ok(Vec::new()) };
    let facts = reader.facts();
    let checks = ScenarioChecks::read(&facts.scenario, &reader.scenario_toml()?, &facts.files)?;
    // As in the report: the warm-up that the checks agree on, else the default.
    let mut warm_ups =
        checks.checks.iter().filter_map(|one| Some(one.check.messages()?.warm_up_ns));
    let first = warm_ups.next().flatten();
    let window = Window::of(facts, first.filter(|_| warm_ups.all(|it| it == first)));
    let mut paths: BTreeMap<String, Vec<End>> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        if !paths.contains_key(row.path) {
            let ends = points_of(row.path).1.iter().map(|&to| End::new(to, window));
            paths.insert(row.path.to_owned(), ends.collect());
        }
        paths.get_mut(row.path).into_iter().flatten().for_each(|end| end.row(&row));
    }
    let absolute = 3.0 * floor_ms(facts);
    let mut metrics = Vec::new();
    for (path, ends) in paths {
        let stamped = ends.iter().find(|end| end.is_stamped).or(ends.first());
        let Some(delays) = stamped.map(|end| end.population.distribution()) else { continue };
        for (word, share, relative) in [("p50", 0.5, 0.1), ("p99", 0.99, 0.25)] {
            let ms = |ns| if ns == INFINITE { f64::INFINITY } else { ns as f64 / 1e6 };
            metrics.push(Metric {
                name: format!("latency {path} {word}"),
                unit: "ms".to_owned(),
                values: delays.quantile(share).map(ms).into_iter().collect(),
                relative,
                absolutes: vec![absolute],
                ..Metric::default()
            });
        }
    }
    Ok(metrics)
}

/// The delays of a path to one of the ends that it may have.
struct End {
    population: Population,
    is_stamped: bool,
}

impl End {
    fn new(to: Point, window: Window) -> Self {
        let span = Span { from: Point::Intended, to };
        Self { population: Population::new(span, window, &[]), is_stamped: false }
    }

    fn row(&mut self, row: &LatencyRow<'_>) {
        self.is_stamped |= row.at(self.population.span.to).is_some();
        self.population.row(row);
    }
}

/// The median that bench and machine add by themselves, in ms, by the worse of the floors before
/// and after a run; 0 where none was measured.
fn floor_ms(facts: &RunFacts) -> f64 {
    let floors = facts.real_time.iter().flat_map(|real| [&real.floor_before, &real.floor_after]);
    let of = |floor: &lastmeter_record::Floor| {
        floor.echo.filter(|echo| echo.n > 0 && echo.p50_ns < i64::MAX).unwrap_or(floor.timer).p50_ns
    };
    floors.flatten().map(of).max().unwrap_or(0) as f64 / 1e6
}
