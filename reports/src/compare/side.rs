//! One side of a comparison: the runs of folders, or a baseline, gathered by scenario.

use std::fs;
use std::path::{Path, PathBuf};

use lastmeter_record::{Status, TimeMode, file};
use serde::Deserialize;

use super::baseline;
use super::metric::{Metric, Run};

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A path of the command line leads to no runs.
    #[error(
        "{}: {found}; expected a run folder (run.json), a suite folder (suite.json) or a baseline \
         (.toml)",
        path.display()
    )]
    NoRuns {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// A baseline file is broken; where and why.
    #[error("{0}")]
    Baseline(String),
}

/// Runs, by scenario.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// In the order in which they were met.
    pub(super) groups: Vec<Group>,
    /// What could not be read, and why.
    pub(super) broken: Vec<String>,
}

/// The runs of one scenario, in virtual time of one seed.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) scenario: String,
    /// `None`: none of its runs has a record.
    pub(super) time: Option<TimeMode>,
    /// In virtual time.
    pub(super) seed: Option<u64>,
    /// How many runs gave values.
    pub(super) runs: usize,
    /// How many did not run to their end.
    pub(super) left_out: usize,
    /// How many broke: in real time of those left out, else of those without a record.
    pub(super) crashed: usize,
    /// In how many the machine kept a check from being judged.
    pub(super) disturbed: usize,
    /// Their folders; none of a baseline.
    pub(super) folders: Vec<PathBuf>,
    /// What the first run was of.
    pub(super) experiment: Option<String>,
    pub(super) metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct SuiteText {
    runs: Vec<SuiteRunText>,
}

#[derive(Deserialize)]
struct SuiteRunText {
    scenario: String,
    folder: Option<String>,
    status: Status,
    must_fail: Option<serde_json::Value>,
}

impl Side {
    /// Reads run folders, suite folders and baseline files. A run that cannot be read is kept as
    /// broken, beside the others.
    pub fn read(paths: &[PathBuf]) -> Result<Self, CompareError> {
        let mut side = Self::default();
        for path in paths {
            let no_runs = |found| CompareError::NoRuns { path: path.clone(), found };
            if path.join(file::RUN).exists() {
                side.run(path);
            } else if path.join("suite.json").exists() {
                side.suite(path);
            } else if path.is_dir() {
                return Err(no_runs("a folder without runs"));
            } else if !path.exists() {
                return Err(no_runs("not found"));
            } else if path.extension().is_some_and(|it| it == "toml") {
                side.groups.extend(baseline::read(path).map_err(CompareError::Baseline)?);
            } else {
                return Err(no_runs("a file of another kind"));
            }
        }
        Ok(side)
    }

    /// What could not be read.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    fn run(&mut self, dir: &Path) {
        match Run::read(dir) {
            Ok(run) => self.take(run, dir),
            Err(error) => self.broken.push(format!("{}: {}", dir.display(), chain(&error))),
        }
    }

    fn suite(&mut self, dir: &Path) {
        let path = dir.join("suite.json");
        let text = fs::read(&path).map_err(|error| error.to_string()).and_then(|bytes| {
            serde_json::from_slice::<SuiteText>(&bytes).map_err(|error| error.to_string())
        });
        let text = match text {
            Ok(text) => text,
            Err(error) => return self.broken.push(format!("{}: {error}", path.display())),
        };
        for run in text.runs {
            let folder = run.folder.map(|folder| dir.join(folder));
            match folder.filter(|folder| folder.join(file::RUN).exists()) {
                // What a twin measures is wrong on purpose; what counts is whether it is found.
                Some(folder) if run.must_fail.is_none() => self.run(&folder),
                _ => self.statuses(run.scenario, run.status),
            }
        }
    }

    /// Takes what is known by its status alone.
    fn statuses(&mut self, scenario: String, status: Status) {
        let group = self.group(Group { scenario, ..Group::default() });
        group.runs += 1;
        group.crashed += usize::from(status == Status::Error);
        group.add(vec![Metric::of_run(status)]);
    }

    /// The groups; what is known by its status alone counts as left out of its scenario where that
    /// runs in real time on a side. Only both sides together show that.
    pub(super) fn gathered(&self, other: &Self) -> Vec<Group> {
        let is_real = |name: &str| {
            let mut all = self.groups.iter().chain(&other.groups);
            all.any(|it| it.time == Some(TimeMode::Real) && it.scenario == name)
        };
        let is_part = |it: &Group| it.time.is_none() && is_real(&without_seed(&it.scenario));
        let kept = self.groups.iter().filter(|it| !is_part(it)).cloned().collect();
        let mut whole = Self { groups: kept, ..Self::default() };
        for part in self.groups.iter().filter(|it| is_part(it)) {
            let group = whole.group(Group {
                scenario: without_seed(&part.scenario),
                time: Some(TimeMode::Real),
                ..Group::default()
            });
            group.left_out += part.runs;
            group.crashed += part.crashed;
        }
        whole.groups
    }

    fn take(&mut self, run: Run, dir: &Path) {
        let is_real = run.time == TimeMode::Real;
        let group = self.group(Group {
            // Seeds of a matrix are repetitions of one experiment where values scatter anyway.
            scenario: if is_real { without_seed(&run.scenario) } else { run.scenario },
            time: Some(run.time),
            seed: (!is_real).then_some(run.seed),
            experiment: Some(run.experiment),
            ..Group::default()
        });
        if is_real && !run.is_finished {
            group.left_out += 1;
            group.crashed += usize::from(run.has_crashed);
            return;
        }
        group.runs += 1;
        group.disturbed += usize::from(run.is_disturbed);
        group.folders.push(dir.to_owned());
        group.add(run.metrics);
    }

    /// The group of what is the same as this; this, if there is none yet.
    fn group(&mut self, one: Group) -> &mut Group {
        let same =
            |it: &Group| (&it.scenario, it.time, it.seed) == (&one.scenario, one.time, one.seed);
        let place = self.groups.iter().position(same).unwrap_or(self.groups.len());
        if place == self.groups.len() {
            self.groups.push(one);
        }
        &mut self.groups[place]
    }
}

impl Group {
    fn add(&mut self, metrics: Vec<Metric>) {
        for metric in metrics {
            match self.metrics.iter_mut().find(|known| known.name == metric.name) {
                Some(known) => known.join(metric),
                None => self.metrics.push(metric),
            }
        }
    }

    pub(super) fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The same as a metric of the base. A check has to be in as great a share of the runs: beside
    /// one that has it, another may have lost it.
    pub(super) fn counterpart(&self, base: &Self, metric: &Metric) -> Option<&Metric> {
        let found = self.metric(&metric.name)?;
        let is_there =
            metric.status.is_none() || found.judged * base.runs.max(1) >= metric.judged * self.runs;
        is_there.then_some(found)
    }

    /// All of these as one; `None` of none. What has a record comes first: the others have their
    /// status alone, and count wherever they were met.
    pub(super) fn joined<'a>(groups: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let (recorded, others): (Vec<&Self>, Vec<&Self>) =
            groups.partition(|group| group.time.is_some());
        let mut all = recorded.into_iter().chain(others).cloned();
        let mut one = all.next()?;
        all.for_each(|other| one.add(other.metrics));
        Some(one)
    }

    /// Whether another one may be the same experiment: what has no record is known by name alone.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let has_record = self.time.is_some() && other.time.is_some();
        self.scenario == other.scenario
            && (!has_record || (self.time, self.seed) == (other.time, other.seed))
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The name of a case without its seed: `storm/load=2+seed=3` is a run of `storm/load=2`.
fn without_seed(name: &str) -> String {
    let Some((scenario, case)) = name.split_once('/') else { return name.to_owned() };
    let kept: Vec<&str> = case.split('+').filter(|part| !part.starts_with("seed=")).collect();
    if kept.is_empty() { scenario.to_owned() } else { format!("{scenario}/{}", kept.join("+")) }
}

#[cfg(test)]
mod tests {
    use super::without_seed;

    #[test]
    fn a_seed_is_no_part_of_what_is_repeated() {
        for (name, expected) in [
            ("storm", "storm"),
            ("storm/seed=3", "storm"),
            ("storm/load=2+seed=3", "storm/load=2"),
            ("storm/seed=3+load=2", "storm/load=2"),
            ("storm/seeds=3", "storm/seeds=3"),
        ] {
            assert_eq!(without_seed(name), expected);
        }
    }
}
