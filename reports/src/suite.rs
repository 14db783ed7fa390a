//! Several runs as one: the suite folder with `suite.json`, merged `junit.xml`, `summary.md` and
//! `index.html` on top.
//!
//! Terms: a *must-fail twin* is a run that is right if the named check fails, or is inconclusive
//! where that is what it has to show, and nothing else fails; it shows that the check can.

use std::path::Path;

use serde::Serialize;

use crate::console::number;
use crate::evaluate::Evaluation;
use crate::exit::ExitCode;
use crate::record::{FORMAT_VERSION, RecordError, RunState, write_whole};
use crate::render::{RenderError, STYLE, fill};
use crate::text::append;
use crate::verdict::{Counts, Status, judge_twin};

const TEMPLATE: &str = include_str!("render/index.html");

/// One run of a suite.
#[derive(Clone, Debug)]
pub struct SuiteRun {
    /// Its run folder, relative to the suite folder, with `/` between levels.
    pub folder: String,
    /// The scenario's name.
    pub scenario: String,
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
        /// Why.
        why: String,
    },
}

impl SuiteRun {
    /// Whether a twin did what it is for; `None` if the run is no twin or has not ended by itself.
    fn twin_verdict(&self) -> Option<Result<(), String>> {
        match (&self.twin, &self.outcome) {
            (Some(twin), Outcome::Judged(run)) if run.facts.state == RunState::Finished => {
                Some(judge_twin(&twin.check, twin.verdict, &run.verdicts))
            }
            _ => None,
        }
    }

    /// The exit code of this run alone; a twin's is turned round.
    pub fn exit_code(&self) -> ExitCode {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(Ok(()))) => ExitCode::Passed,
            (_, Some(Err(_))) => ExitCode::Failed,
            (Outcome::Judged(run), None) => run.exit_code(),
            (Outcome::NotRun { exit, .. }, None) => *exit,
        }
    }

    /// The status of this run; a twin's is turned round.
    pub fn status(&self) -> Status {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(Ok(()))) => Status::Pass,
            (_, Some(Err(_))) => Status::Fail,
            (Outcome::Judged(run), None) => run.status(),
            (Outcome::NotRun { exit: ExitCode::NothingEvaluated, .. }, None) => Status::Skipped,
            (Outcome::NotRun { .. }, None) => Status::Error,
        }
    }

    /// Why it is no pass; `None` if it is one.
    pub fn why(&self) -> Option<String> {
        match (&self.outcome, self.twin_verdict()) {
            (_, Some(verdict)) => verdict.err(),
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
        match &self.outcome {
            Outcome::Judged(run) => run.counts(),
            Outcome::NotRun { .. } => Counts::default(),
        }
    }
}

/// Several runs.
#[derive(Clone, Debug)]
pub struct Suite {
    /// What to call it.
    pub name: String,
    /// The runs, in the order they were asked for.
    pub runs: Vec<SuiteRun>,
}

#[derive(Serialize)]
struct SuiteJson<'a> {
    format_version: u32,
    name: &'a str,
    exit_code: u8,
    verdicts: Counts,
    runs: Vec<RunJson<'a>>,
}

#[derive(Serialize)]
struct RunJson<'a> {
    scenario: &'a str,
    folder: &'a str,
    status: Status,
    exit_code: u8,
    verdicts: Counts,
    seed: Option<u64>,
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
}

impl<'a> RunJson<'a> {
    fn of(run: &'a SuiteRun) -> Self {
        let seed = match &run.outcome {
            Outcome::Judged(evaluation) => Some(evaluation.facts.seed),
            Outcome::NotRun { .. } => None,
        };
        Self {
            scenario: &run.scenario,
            folder: &run.folder,
            status: run.status(),
            exit_code: run.exit_code().number(),
            verdicts: run.counts(),
            seed,
            must_fail: run.twin.as_ref(),
            why: run.why(),
        }
    }
}

impl<'a> IndexRow<'a> {
    fn of(run: &'a SuiteRun) -> Self {
        let judged = matches!(run.outcome, Outcome::Judged(_));
        Self {
            status: run.status(),
            scenario: &run.scenario,
            link: judged.then(|| format!("{}/report.html", link_path(&run.folder))),
            must_fail: run.twin.as_ref().map(|twin| twin.check.as_str()),
            checks: run.counts().to_string(),
            worst: worst_margin(&run.outcome),
            why: run.why().unwrap_or_default(),
        }
    }
}

impl Suite {
    /// The exit code of all runs together: 130, 2, then 3 before 1 before 5.
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
        let junit = crate::junit::of_suite(&self.name, &self.runs)
            .map_err(|error| RecordError::io("write", &path)(std::io::Error::other(error)))?;
        write_whole(&path, junit.as_bytes())?;
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
        let total = self.runs.len();
        let mut text = format!(
            "# {}: {}\n\n{total} runs: {}; checks: {}; exit {}\n\n\
             | run | status | checks | why |\n|---|---|---|---|\n",
            cell(&self.name),
            self.status(),
            self.runs_told(),
            self.counts(),
            self.exit_code().number()
        );
        for run in &self.runs {
            let twin = if run.twin.is_some() { " (must fail)" } else { "" };
            append(
                &mut text,
                format_args!(
                    "| {}{twin} | {} | {} | {} |\n",
                    cell(&run.scenario),
                    run.status(),
                    run.counts(),
                    cell(&run.why().unwrap_or_default())
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
fn worst_margin(outcome: &Outcome) -> String {
    let Outcome::Judged(run) = outcome else { return String::new() };
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
