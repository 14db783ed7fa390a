//! The files on top of a suite folder.

use std::path::Path;

use lastmeter_record::{
    Counts, FORMAT_VERSION, Override, RecordError, RunFacts, Status, write_whole,
};
use lastmeter_text::{Prose, append, number, plural};
use serde::Serialize;

use super::map::{Map, maps};
use super::{Attempt, Case, PassedOver, Quarantine, Shard, Suite, SuiteRun, Twin, junit};
use crate::error::RenderError;
use crate::evaluation::Evaluation;
use crate::render::template::{fill, style};
use crate::verdict::{Reason, Verdict};

const TEMPLATE: &str = include_str!("index.html");

/// The names of the files on top of a suite folder, beside its run folders.
pub const FILES: [&str; 4] = ["junit.xml", "suite.json", "summary.md", "index.html"];

#[derive(Serialize)]
struct SuiteJson<'a> {
    format_version: u32,
    name: &'a str,
    exit_code: u8,
    verdicts: Counts,
    shard: Option<Shard>,
    in_all: usize,
    planned: &'a str,
    map: &'a [String],
    runs: Vec<RunJson<'a>>,
    passed_over: &'a [PassedOver],
}

#[derive(Serialize)]
struct RunJson<'a> {
    place: usize,
    scenario: &'a str,
    file: Option<&'a str>,
    folder: Option<&'a str>,
    case: Option<&'a Case>,
    status: Status,
    reason: Reason,
    exit_code: u8,
    verdicts: Counts,
    seed: Option<u64>,
    overrides: &'a [Override],
    must_fail: Option<&'a Twin>,
    quarantine: Option<&'a Quarantine>,
    attempts: &'a [Attempt],
    flaky: bool,
    why: Option<Prose>,
}

#[derive(Serialize)]
struct Index<'a> {
    style: String,
    status: Status,
    name: &'a str,
    runs_summary: String,
    checks_summary: String,
    exit_code: u8,
    /// When it began.
    started: Option<String>,
    host: Option<&'a str>,
    /// What the table can be narrowed to.
    filters: Vec<RowFilter>,
    maps: Vec<Map<'a>>,
    runs: Vec<IndexRow<'a>>,
}

/// Rows of one kind: a status, or what took several attempts.
#[derive(Serialize)]
struct RowFilter {
    word: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct IndexRow<'a> {
    status: Status,
    scenario: &'a str,
    /// Absent if there is no report.
    link: Option<String>,
    must_fail: Option<&'a str>,
    /// Absent if it is in none.
    quarantine: Option<String>,
    /// Empty if there was one.
    attempts: String,
    /// How it ended without the defect; empty if that is not known.
    control: &'static str,
    checks: String,
    worst: String,
    why: Prose,
    /// Empty for a pass.
    reason: &'static str,
    is_flaky: bool,
}

impl<'a> RunJson<'a> {
    fn of(run: &'a SuiteRun) -> Self {
        let facts = run.judged().map(|evaluation| &evaluation.facts);
        Self {
            place: run.place,
            scenario: &run.scenario,
            file: run.file.as_deref(),
            folder: run.folder.as_deref(),
            case: run.case.as_ref(),
            status: run.status(),
            reason: run.reason(),
            exit_code: run.exit_code().number(),
            verdicts: run.counts(),
            seed: facts.map(|facts| facts.seed),
            overrides: facts.map(RunFacts::overrides).unwrap_or_default(),
            must_fail: run.twin.as_ref(),
            quarantine: run.quarantine.as_ref(),
            attempts: &run.attempts,
            flaky: run.is_flaky(),
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
            quarantine: run.quarantine.as_ref().map(ToString::to_string),
            attempts: attempts_of(run).unwrap_or_default(),
            control: control_of(run).unwrap_or_default(),
            checks: run.counts().to_string(),
            worst: run.judged().map(worst_margin).unwrap_or_default(),
            why: run.why().unwrap_or_default(),
            reason: if status == Status::Pass { "" } else { reason },
            is_flaky: run.is_flaky(),
        }
    }
}

impl Suite {
    /// Writes the files on top of the suite folder.
    pub fn write(&self, dir: &Path) -> Result<(), RenderError> {
        std::fs::create_dir_all(dir).map_err(RecordError::io("create", dir))?;
        let junit = junit::of_suite(self).into_bytes();
        let texts = [junit, self.json(), self.markdown().into_bytes(), self.index()?.into_bytes()];
        for (name, text) in FILES.iter().zip(texts) {
            write_whole(&dir.join(name), &text)?;
        }
        Ok(())
    }

    fn json(&self) -> Vec<u8> {
        let json = SuiteJson {
            format_version: FORMAT_VERSION,
            name: &self.name,
            exit_code: self.exit_code().number(),
            verdicts: self.counts(),
            shard: self.shard,
            in_all: self.in_all,
            planned: &self.planned,
            map: &self.map,
            runs: self.runs.iter().map(RunJson::of).collect(),
            passed_over: &self.passed_over,
        };
        let mut bytes =
            serde_json::to_vec_pretty(&json).expect("a suite is text and whole numbers only");
        bytes.push(b'\n');
        bytes
    }

    fn runs_summary(&self) -> String {
        Counts::of(self.runs.iter().map(SuiteRun::status)).to_string()
    }

    /// What it came to as a table in Markdown: `summary.md`.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# {}: {}\n\n{}: {}; checks: {}; exit {}\n\n\
             | run | status | checks | why | reason |\n|---|---|---|---|---|\n",
            cell(&self.name),
            self.status(),
            plural(self.runs.len(), "run"),
            self.runs_summary(),
            self.counts(),
            self.exit_code().number()
        );
        for run in &self.runs {
            let control = control_of(run).map(|word| format!("; control {word}"));
            let twin = match &run.twin {
                Some(_) => format!(" (must fail{})", control.unwrap_or_default()),
                None => String::new(),
            };
            let attempts = attempts_of(run).map(|text| format!(" ({text})"));
            let quarantine = run.quarantine.as_ref().map(|entry| format!(" ({})", entry.label()));
            let twin = twin + &attempts.unwrap_or_default() + &quarantine.unwrap_or_default();
            append(
                &mut text,
                format_args!(
                    "| {}{twin} | {} | {} | {} | {} |\n",
                    cell(&run.scenario),
                    run.status(),
                    run.counts(),
                    cell(&run.why().unwrap_or_default().to_string()),
                    run.reason()
                ),
            );
        }
        text
    }

    /// What its runs can be narrowed to: each status that there is, and what is flaky.
    fn filters(&self) -> Vec<RowFilter> {
        let by_status = Status::ALL.into_iter().map(|status| {
            let count = self.runs.iter().filter(|run| run.status() == status).count();
            RowFilter { word: status.word(), count }
        });
        let flaky = self.runs.iter().filter(|run| run.is_flaky()).count();
        let flaky = RowFilter { word: "flaky", count: flaky };
        by_status.chain([flaky]).filter(|filter| filter.count > 0).collect()
    }

    fn index(&self) -> Result<String, RenderError> {
        let index = Index {
            style: style(),
            status: self.status(),
            name: &self.name,
            runs_summary: self.runs_summary(),
            checks_summary: self.counts().to_string(),
            exit_code: self.exit_code().number(),
            started: self.started.map(|at| at.to_string()),
            host: self.host.as_deref(),
            filters: self.filters(),
            maps: maps(self),
            runs: self.runs.iter().map(IndexRow::of).collect(),
        };
        Ok(fill("index.html", TEMPLATE, &index)?)
    }
}

/// How many attempts a run took, if it took several.
fn attempts_of(run: &SuiteRun) -> Option<String> {
    let label = if run.is_flaky() { "flaky: " } else { "" };
    let count = run.attempts.len() + 1;
    (count > 1).then(|| format!("{label}{}", plural(count, "attempt")))
}

/// How the control of a must-fail twin ended, if it ran.
fn control_of(run: &SuiteRun) -> Option<&'static str> {
    Some(run.twin.as_ref()?.control.as_ref()?.status.word())
}

/// The check of a run that used most of its limit, and how much of it.
pub(super) fn worst_share(run: &Evaluation) -> Option<(f64, &Verdict)> {
    let share = |verdict: &Verdict| {
        let limit = verdict.limit.filter(|limit| *limit > 0.0)?;
        Some(verdict.measured? / limit)
    };
    let used = run.verdicts.iter().filter_map(|verdict| Some((share(verdict)?, verdict)));
    used.max_by(|(a, _), (b, _)| a.total_cmp(b))
}

fn worst_margin(run: &Evaluation) -> String {
    worst_share(run).map_or_else(String::new, |(share, verdict)| {
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
pub(super) fn link_path(folder: &str) -> String {
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
