//! Several runs as one: the suite folder with `suite.json`, merged `junit.xml`, `summary.md` and
//! `index.html` on top.
//!
//! Terms: a *must-fail twin* is a run that is right if the named check fails, or is inconclusive
//! where that is what it has to show, and nothing else fails; it shows that the check can.

mod files;

use lastmeter_units::SimTime;
use serde::Serialize;

use crate::evaluation::Evaluation;
use crate::exit::ExitCode;
use crate::verdict::{Because, Reason, judge_twin};
use lastmeter_record::{Counts, RunState, Status};
use lastmeter_text::Prose;

/// One run of a suite.
#[derive(Clone, Debug)]
pub struct SuiteRun {
    /// Its run folder, relative to the suite folder, with `/` between levels; `None` if it has no
    /// name to call one by.
    pub folder: Option<String>,
    /// The scenario's name; of a file that cannot be read, the file.
    pub scenario: String,
    /// The scenario's file, if it came from one.
    pub file: Option<String>,
    /// What has to fail, if the run is a must-fail twin that was asked to be one.
    pub twin: Option<Twin>,
    /// How it went.
    pub outcome: Outcome,
}

/// What a must-fail twin has to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// The check that has to fail.
    pub check: String,
    /// What it has to be: `fail` or `inconclusive`.
    pub verdict: Status,
    /// The check it mirrors, as `SCENARIO/CHECK`.
    pub twin_of: String,
}

/// How a run of a suite went.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It left a record, which was judged.
    Judged(Box<Evaluation>),
    /// There is no record to judge.
    NotRun {
        /// What that means for the exit code.
        exit: ExitCode,
        /// Why, in one word for machines.
        reason: Reason,
        /// Why.
        why: Prose,
    },
}

impl SuiteRun {
    /// What it came to, if there is a record.
    pub fn judged(&self) -> Option<&Evaluation> {
        match &self.outcome {
            Outcome::Judged(run) => Some(run),
            Outcome::NotRun { .. } => None,
        }
    }

    /// Whether a twin did what it is for; `None` if the run is no twin or has not ended by itself.
    fn twin_verdict(&self) -> Option<Result<(), Because>> {
        match (&self.twin, self.judged()) {
            (Some(twin), Some(run)) if run.facts.state == RunState::Finished => {
                Some(judge_twin(&twin.check, twin.verdict, &run.verdicts))
            }
            _ => None,
        }
    }

    /// The exit code of this run alone; a twin's is turned round.
    pub fn exit_code(&self) -> ExitCode {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(Ok(()))) => ExitCode::Passed,
            (_, Some(Err(because))) => ExitCode::of_status(Some(because.status())),
            (Outcome::Judged(run), None) => run.exit_code(),
            (Outcome::NotRun { exit, .. }, None) => *exit,
        }
    }

    /// The status of this run; a twin's is turned round.
    pub fn status(&self) -> Status {
        self.reason().status()
    }

    /// Why it is as it is, in one word for machines; it has the status of the run.
    pub fn reason(&self) -> Reason {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(Ok(()))) => Reason::WithinLimit,
            (_, Some(Err(because))) => because.reason,
            (Outcome::Judged(run), None) => run.reason(),
            (Outcome::NotRun { reason, .. }, None) => *reason,
        }
    }

    /// Why it is no pass; `None` if it is one.
    pub fn why(&self) -> Option<Prose> {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(verdict)) => verdict.err().map(|because| because.why),
            (Outcome::NotRun { why, .. }, None) => Some(why.clone()),
            (Outcome::Judged(run), None) => {
                let worst = run.verdicts.iter().max_by_key(|verdict| verdict.status);
                let cause =
                    run.facts.cause.clone().or_else(|| {
                        worst.map(|verdict| format!("{}: {}", verdict.check, verdict.why))
                    });
                (self.status() != Status::Pass)
                    .then(|| cause.unwrap_or_else(|| "nothing was evaluated".to_owned()).into())
            }
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.judged().map(Evaluation::counts).unwrap_or_default()
    }
}

/// Several runs.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// What to call it.
    pub name: String,
    /// The runs, in the order they were asked for.
    pub runs: Vec<SuiteRun>,
    /// When it began, by the wall clock.
    pub started: Option<SimTime>,
    /// The machine it ran on.
    pub host: Option<String>,
    /// What lay in its folders and was left out.
    pub passed_over: Vec<PassedOver>,
}

/// A file or folder that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Its path.
    pub path: String,
    /// Why, as `a hidden file`.
    pub why: Prose,
}

impl Suite {
    /// The exit code of all runs together: that of a signal, 2, then 3 before 1 before 5.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::worst_of(self.runs.iter().map(SuiteRun::exit_code))
    }

    /// The status of all runs together; inconclusive if there is none.
    pub fn status(&self) -> Status {
        Status::worst_of(self.runs.iter().map(SuiteRun::status)).unwrap_or(Status::Inconclusive)
    }

    /// The checks of all runs by status; those of twins count as they ended.
    pub fn counts(&self) -> Counts {
        self.runs.iter().fold(Counts::default(), |sum, run| sum.plus(run.counts()))
    }
}
