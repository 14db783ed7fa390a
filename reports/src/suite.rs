//! Several runs as one: the suite folder with `suite.json`, merged `junit.xml`, `summary.md` and
//! `index.html` on top.
//!
//! Terms: a *must-fail twin* is a run that is right if the named check fails, or is inconclusive
//! where that is what it has to show, and nothing else fails; it shows that the check can. Its
//! *control* is the run without the defect, which has to pass: else it may be something else that
//! the check found.

mod again;
mod coverage;
mod files;
mod junit;
mod map;

pub use again::SuiteError;
pub use coverage::{Coverage, CoverageState, CoveredRow, CoveringCheck};
pub use files::FILES;

use lastmeter_units::SimTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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
    /// Its place among the runs of the whole suite, from 0.
    pub place: usize,
    /// Which case of its scenario it is, if it is one.
    pub case: Option<Case>,
    /// What has to fail, if the run is a must-fail twin that was asked to be one.
    pub twin: Option<Twin>,
    /// Why it need be no pass for now, if somebody has declared that.
    pub quarantine: Option<Quarantine>,
    /// Attempts before this one, in their order: each was no pass.
    pub attempts: Vec<Attempt>,
    /// How it went.
    pub outcome: Outcome,
}

/// Why a run need be no pass for now: it is shown as it is, and counts for nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Who sees to it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Its last day.
    pub until: String,
    /// Whether that day was over: then the suite fails, whatever the run is.
    pub has_expired: bool,
}

impl Quarantine {
    /// The same in a few words.
    pub fn label(&self) -> String {
        let over = if self.has_expired { ", which is over" } else { "" };
        format!("in quarantine until {}{over}", self.until)
    }
}

/// `in quarantine until 2027-03-31 (head-end team): the broker loses the last will`.
impl std::fmt::Display for Quarantine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.label(), self.owner, self.reason)
    }
}

/// An attempt that was no pass, behind which the run was made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its run folder, relative to the suite folder.
    pub folder: String,
    /// How it ended.
    pub status: Status,
    /// Why, in one word for machines.
    pub reason: Reason,
    /// Why it was no pass.
    pub why: Option<Prose>,
    /// Its checks that were none.
    pub checks: Vec<AttemptedCheck>,
}

/// A check of an attempt that was no pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptedCheck {
    /// The check.
    pub check: String,
    /// How it ended.
    pub status: Status,
    /// Why.
    pub why: Prose,
}

/// The folder of a suite in which attempts lie that were no pass.
pub const ATTEMPTS: &str = "attempts";

/// A case of a scenario: one value of each of what varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The scenario.
    pub scenario: String,
    /// What it is called behind its scenario.
    pub name: String,
    /// What varies.
    pub values: Vec<CaseValue>,
}

/// A value that a case has of what varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseValue {
    /// Which value, as `--set` addresses it.
    pub address: String,
    /// What it is, as a TOML value.
    pub value: String,
}

/// Which part of a suite ran, of several that other machines may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// `2/4`.
impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected `NUMBER/OF`, such as `2/4`, found `{text}`");
        let (number, of) = text.split_once('/').ok_or_else(expected)?;
        let (number, of) = number.parse().ok().zip(of.parse().ok()).ok_or_else(expected)?;
        if of == 0 || !(1..=of).contains(&number) {
            return Err(format!("expected a NUMBER from 1 to OF, found `{text}`"));
        }
        Ok(Self { number, of })
    }
}

impl Shard {
    /// Whether what has this name is in it, which depends on that and the number of shards.
    pub fn has(self, name: &str) -> bool {
        let digest = Sha256::digest(name.as_bytes());
        let first = digest.first_chunk().copied().map_or(0, u64::from_le_bytes);
        first % u64::from(self.of) == u64::from(self.number - 1)
    }
}

/// What a must-fail twin has to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// The check that has to fail.
    pub check: String,
    /// What it has to be: `fail` or `inconclusive`.
    pub verdict: Status,
    /// The reason that it has to have, if one is named.
    pub reason: Option<Reason>,
    /// The check it mirrors, as `SCENARIO/CHECK`.
    pub twin_of: String,
    /// How the same ended without the defect; `None` if that was not run.
    pub control: Option<Control>,
}

/// How the scenario of a must-fail twin ended without the defect: it has to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The scenario.
    pub scenario: String,
    /// Its run folder, relative to the suite folder.
    pub folder: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Why, in one word for machines.
    pub reason: Reason,
    /// Why it is no pass.
    pub why: Option<Prose>,
    /// What it came to by itself.
    #[serde(skip, default = "unknown_exit")]
    pub exit: ExitCode,
}

/// That of what is judged again.
fn unknown_exit() -> ExitCode {
    ExitCode::Broken
}

impl Control {
    /// That of a run without a defect.
    pub fn of(run: &SuiteRun) -> Self {
        Self {
            scenario: run.scenario.clone(),
            folder: run.folder.clone(),
            status: run.status(),
            reason: run.reason(),
            why: run.why(),
            exit: run.exit_code(),
        }
    }

    /// Why a twin whose check turned red shows nothing, if this is so.
    fn verdict(&self, check: &str) -> Result<(), Because> {
        if self.status == Status::Pass {
            return Ok(());
        }
        let why = self.why.clone().unwrap_or_default();
        let why = format!(
            "without its defect `{}` has to pass and is {}: {why}; so the defect may not be what \
             `{check}` found",
            self.scenario, self.status
        );
        let is_unknown = self.status == Status::Error || self.reason.is_of_the_machine();
        let reason = if is_unknown { self.reason } else { Reason::NotAsExpected };
        Err(Because::new(reason, why))
    }
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
                let expected = (&*twin.check, twin.verdict, twin.reason);
                let control = twin.control.as_ref();
                Some(
                    judge_twin(expected, &run.verdicts).and_then(|()| {
                        control.map_or(Ok(()), |control| control.verdict(&twin.check))
                    }),
                )
            }
            _ => None,
        }
    }

    /// The exit code of this run alone; a twin's is turned round.
    pub fn exit_code(&self) -> ExitCode {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(Ok(()))) => ExitCode::Passed,
            (_, Some(Err(because))) => {
                let control = self.twin.as_ref().and_then(|twin| twin.control.as_ref());
                // A signal that ended the control ended the suite.
                let ended = control.map(|it| it.exit).filter(|_| because.status() == Status::Error);
                ended.unwrap_or(ExitCode::of_status(Some(because.status())))
            }
            (Outcome::Judged(run), None) => run.exit_code(),
            (Outcome::NotRun { exit, .. }, None) => *exit,
        }
    }

    /// What its exit code is to the whole: in quarantine it is as if it had not been run, unless it
    /// passed, and fails once that is over.
    fn exit_in_suite(&self) -> ExitCode {
        let exit = self.exit_code();
        match &self.quarantine {
            Some(entry) if entry.has_expired => ExitCode::worst_of([exit, ExitCode::Failed]),
            Some(_) if self.is_excused() => ExitCode::NothingEvaluated,
            _ => exit,
        }
    }

    /// The same of its status.
    pub(crate) fn status_in_suite(&self) -> Status {
        let status = self.status();
        match &self.quarantine {
            Some(entry) if entry.has_expired => status.max(Status::Fail),
            Some(_) if self.is_excused() => Status::Skipped,
            _ => status,
        }
    }

    /// Whether it is no pass, and need be none. What ended the suite is not excused.
    pub fn is_excused(&self) -> bool {
        let is_in_force = self.quarantine.as_ref().is_some_and(|entry| !entry.has_expired);
        let by_signal = [ExitCode::Interrupted, ExitCode::Terminated, ExitCode::HungUp];
        is_in_force && self.status() != Status::Pass && !by_signal.contains(&self.exit_code())
    }

    /// Whether it passed, but not at once.
    pub fn is_flaky(&self) -> bool {
        !self.attempts.is_empty() && self.status() == Status::Pass
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
    /// Which part of the suite it is, if it is one.
    pub shard: Option<Shard>,
    /// How many runs the whole suite has.
    pub in_all: usize,
    /// SHA-256 of what the whole suite was to run: names, files and what changed them.
    pub planned: String,
    /// The two addresses over which cases are shown; without them the first two that vary.
    pub map: Vec<String>,
}

/// A file or folder that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Its path.
    pub path: String,
    /// Why, as `a hidden file`.
    pub why: Prose,
}

impl Suite {
    /// The exit code of all runs together: that of a signal, 2, then 3 before 1 before 5.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::worst_of(self.runs.iter().map(SuiteRun::exit_in_suite))
    }

    /// The status of all runs together; inconclusive if there is none.
    pub fn status(&self) -> Status {
        let all = self.runs.iter().map(SuiteRun::status_in_suite);
        Status::worst_of(all).unwrap_or(Status::Inconclusive)
    }

    /// The checks of all runs by status; those of twins count as they ended.
    pub fn counts(&self) -> Counts {
        self.runs.iter().fold(Counts::default(), |sum, run| sum.plus(run.counts()))
    }
}
