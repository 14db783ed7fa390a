//! Several runs as one: the suite folder with `suite.json`, merged `junit.xml`, `summary.md` and
//! `index.html` on top.
//!
//! Terms: a *must-fail twin* is a run that is right if the named check fails, or is inconclusive
//! where that is what it has to show, and nothing else fails; it shows that the check can.

use std::path::Path;

use lastmeter_units::SimTime;
use serde::Serialize;

use crate::error::RenderError;
use crate::evaluate::Evaluation;
use crate::exit::ExitCode;
use crate::junit;
use crate::render::template::{STYLE, fill};
use crate::verdict::{Because, Reason, judge_twin};
use lastmeter_record::{Counts, Status};
use lastmeter_record::{FORMAT_VERSION, Override, RecordError, RunState, write_whole};
use lastmeter_text::number;
use lastmeter_text::{append, plural};

const TEMPLATE: &str = include_str!("render/index.html");

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
        why: String,
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
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(Ok(()))) => Status::Pass,
            (_, Some(Err(because))) => because.status(),
            (Outcome::Judged(run), None) => run.status(),
            (Outcome::NotRun { reason, .. }, None) => reason.status(),
        }
    }

    /// Why it is as it is, in one word for machines; it has the status of the run.
    pub fn reason(&self) -> Reason {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(Ok(()))) => Reason::WithinLimit,
            (_, Some(Err(because))) => because.reason,
            (Outcome::Judged(run), None) => reason_of(run),
            (Outcome::NotRun { reason, .. }, None) => *reason,
        }
    }

    /// Why it is no pass; `None` if it is one.
    pub fn why(&self) -> Option<String> {
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
                    .then(|| cause.unwrap_or_else(|| "nothing was evaluated".to_owned()))
            }
        }
    }

    fn counts(&self) -> Counts {
        self.judged().map(Evaluation::counts).unwrap_or_default()
    }
}

/// The reason of a run as a whole: that of its worst verdict, which has the run's status. The
/// machine is the reason only if it is that of all of these.
pub fn reason_of(run: &Evaluation) -> Reason {
    let status = run.status();
    let worst = || {
        let all = run.verdicts.iter().map(|verdict| verdict.reason);
        all.filter(|reason| reason.status() == status)
    };
    let of_something_else = worst().find(|reason| !reason.is_of_the_machine());
    if let Some(reason) = of_something_else.or_else(|| worst().next()) {
        return reason;
    }
    if run.unreadable.is_some() {
        return Reason::RecordUnreadable;
    }
    if run.changed.is_some() {
        return Reason::RecordChanged;
    }
    match run.facts.state {
        RunState::Finished => Reason::NothingToJudge,
        RunState::Error => Reason::BenchBroke,
        RunState::Skipped => Reason::RunSkipped,
        RunState::Interrupted | RunState::Stopped | RunState::Running => Reason::Unfinished,
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
    pub why: String,
}

#[derive(Serialize)]
struct SuiteJson<'a> {
    format_version: u32,
    name: &'a str,
    exit_code: u8,
    verdicts: Counts,
    runs: Vec<RunJson<'a>>,
    passed_over: &'a [PassedOver],
}

#[derive(Serialize)]
struct RunJson<'a> {
    scenario: &'a str,
    /// The scenario's file.
    file: Option<&'a str>,
    folder: Option<&'a str>,
    status: Status,
    reason: Reason,
    exit_code: u8,
    verdicts: Counts,
    seed: Option<u64>,
    overrides: &'a [Override],
    must_fail: Option<&'a Twin>,
    why: Option<String>,
}

#[derive(Serialize)]
struct Index<'a> {
    style: &'static str,
    status: Status,
    name: &'a str,
    runs_told: String,
    checks_told: String,
    exit_code: u8,
    runs: Vec<IndexRow<'a>>,
}

#[derive(Serialize)]
struct IndexRow<'a> {
    status: Status,
    scenario: &'a str,
    /// Absent if there is no report.
    link: Option<String>,
    must_fail: Option<&'a str>,
    checks: String,
    worst: String,
    why: String,
    /// Empty for a pass.
    reason: &'static str,
}

impl<'a> RunJson<'a> {
    fn of(run: &'a SuiteRun) -> Self {
        let facts = run.judged().map(|evaluation| &evaluation.facts);
        Self {
            scenario: &run.scenario,
            file: run.file.as_deref(),
            folder: run.folder.as_deref(),
            status: run.status(),
            reason: run.reason(),
            exit_code: run.exit_code().number(),
            verdicts: run.counts(),
            seed: facts.map(|facts| facts.seed),
            overrides: facts.map(lastmeter_record::RunFacts::overrides).unwrap_or_default(),
            must_fail: run.twin.as_ref(),
            why: run.why(),
        }
    }
}

impl<'a> IndexRow<'a> {
    fn of(run: &'a SuiteRun) -> Self {
        let folder = run.folder.as_deref().filter(|_| run.judged().is_some());
        let (status, reason) = (run.status(), run.reason().word());
        Self {
            status,
            scenario: &run.scenario,
            link: folder.map(|folder| format!("{}/report.html", link_path(folder))),
            must_fail: run.twin.as_ref().map(|twin| twin.check.as_str()),
            checks: run.counts().to_string(),
            worst: run.judged().map(worst_margin).unwrap_or_default(),
            why: run.why().unwrap_or_default(),
            reason: if status == Status::Pass { "" } else { reason },
        }
    }
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

    /// Writes the files on top of the suite folder.
    pub fn write(&self, dir: &Path) -> Result<(), RenderError> {
        std::fs::create_dir_all(dir).map_err(RecordError::io("create", dir))?;
        let path = dir.join("junit.xml");
        write_whole(&path, junit::of_suite(self).as_bytes())?;
        write_whole(&dir.join("suite.json"), &self.json())?;
        write_whole(&dir.join("summary.md"), self.markdown().as_bytes())?;
        write_whole(&dir.join("index.html"), self.index()?.as_bytes())?;
        Ok(())
    }

    fn json(&self) -> Vec<u8> {
        let json = SuiteJson {
            format_version: FORMAT_VERSION,
            name: &self.name,
            exit_code: self.exit_code().number(),
            verdicts: self.counts(),
            runs: self.runs.iter().map(RunJson::of).collect(),
            passed_over: &self.passed_over,
        };
        let mut bytes =
            serde_json::to_vec_pretty(&json).expect("a suite is text and whole numbers only");
        bytes.push(b'\n');
        bytes
    }

    fn runs_told(&self) -> String {
        Counts::of(self.runs.iter().map(SuiteRun::status)).to_string()
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "# {}: {}\n\n{}: {}; checks: {}; exit {}\n\n\
             | run | status | checks | why | reason |\n|---|---|---|---|---|\n",
            cell(&self.name),
            self.status(),
            plural(self.runs.len(), "run"),
            self.runs_told(),
            self.counts(),
            self.exit_code().number()
        );
        for run in &self.runs {
            let twin = if run.twin.is_some() { " (must fail)" } else { "" };
            append(
                &mut text,
                format_args!(
                    "| {}{twin} | {} | {} | {} | {} |\n",
                    cell(&run.scenario),
                    run.status(),
                    run.counts(),
                    cell(&run.why().unwrap_or_default()),
                    run.reason()
                ),
            );
        }
        text
    }

    fn index(&self) -> Result<String, RenderError> {
        let index = Index {
            style: STYLE,
            status: self.status(),
            name: &self.name,
            runs_told: self.runs_told(),
            checks_told: self.counts().to_string(),
            exit_code: self.exit_code().number(),
            runs: self.runs.iter().map(IndexRow::of).collect(),
        };
        Ok(fill("index.html", TEMPLATE, &index)?)
    }
}

/// The check of a run that used most of its limit.
fn worst_margin(run: &Evaluation) -> String {
    let share = |verdict: &crate::verdict::Verdict| {
        let limit = verdict.limit.filter(|limit| *limit > 0.0)?;
        Some(verdict.measured? / limit)
    };
    let used = run.verdicts.iter().filter_map(|verdict| Some((share(verdict)?, verdict)));
    let worst = used.max_by(|(a, _), (b, _)| a.total_cmp(b));
    worst.map_or_else(String::new, |(share, verdict)| {
        format!("{} % of the limit of {}", number((100.0 * share).round()), verdict.check)
    })
}

/// A text that stays within its cell of a Markdown table.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' => cell.extend(['\\', c]),
            '\n' | '\r' => cell.push(' '),
            c => cell.push(c),
        }
    }
    cell
}

/// A relative path as part of a link.
fn link_path(folder: &str) -> String {
    let mut path = String::from("./");
    for byte in folder.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                path.push(byte as char);
            }
            other => append(&mut path, format_args!("%{other:02X}")),
        }
    }
    path
}
