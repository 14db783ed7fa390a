//! A suite that was interrupted goes on: what of its runs is done, by their records.

use std::path::{Path, PathBuf};

use lastmeter_language::Scenario;
use lastmeter_record::{RunReader, RunState, file, sha256};
use lastmeter_reports::suite::{Outcome, SuiteRun};
use lastmeter_reports::verdict::Reason;
use lastmeter_reports::{ExitCode, evaluate};
use serde_json::json;

use super::options::SuiteOptions;
use crate::run::Console;

/// A run that is done: its folder has a finished record of this very scenario, and is judged again.
/// A record that is not finished, or of another scenario, is put aside, for the run is made again.
pub(super) fn finished(
    scenario: &Scenario,
    folder: &Path,
    about: (&SuiteOptions, Option<&[String]>),
    console: &Console<'_>,
) -> Option<SuiteRun> {
    if !folder.join(file::RUN).exists() {
        return None;
    }
    let name = &scenario.about.name;
    let state = state_of(scenario, folder);
    let judged = (state == State::Finished).then(|| evaluate(folder).ok()).flatten();
    let aside = if judged.is_some() { Ok(None) } else { put_aside(folder).map(Some) };
    let why = match state {
        State::Changed => "the scenario has changed",
        _ => "unfinished",
    };
    let what = match &aside {
        Ok(None) => "done before".to_owned(),
        Ok(Some(aside)) => format!("{why}, made again; before: {}", aside.display()),
        Err(error) => format!("{why}: {error}"),
    };
    let value = json!({ "event": "resumed", "scenario": name, "is_done": judged.is_some() });
    console.text_or_json(&format!("Resume   {name}: {what}"), value);
    if let Err(error) = aside {
        let why = format!("{} cannot be put aside: {error}", folder.display()).into();
        let (exit, reason) = (ExitCode::Broken, Reason::BenchBroke);
        return Some(super::suite_run(scenario, Outcome::NotRun { exit, reason, why }));
    }
    let evaluation = judged?;
    Some(super::ended(scenario, Outcome::Judged(Box::new(evaluation)), about))
}

/// Nothing that somebody may want is removed: the folder gets another name.
fn put_aside(folder: &Path) -> std::io::Result<PathBuf> {
    let numbered = (1..).map(|number| folder.with_added_extension(format!("before-{number}")));
    let free = numbered.into_iter().find(|aside| !aside.exists()).unwrap_or_default();
    std::fs::rename(folder, &free).map(|()| free)
}

/// Why a folder cannot be gone on with, if it holds something of another kind.
pub(super) fn other(out: &Path, is_one_run: bool) -> Option<String> {
    let shown = out.display();
    let has_run = out.join(file::RUN).exists();
    let is_empty = || std::fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    match (is_one_run, has_run) {
        (true, true) | (false, false) => None,
        (true, false) if is_empty() => None,
        (true, false) => Some(format!(
            "--resume: {shown} holds no run, and this is one run: give the folder of its record"
        )),
        (false, true) => Some(format!(
            "--resume: {shown} holds one run, and this is a suite: give the folder of the suite"
        )),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Finished,
    /// Of another scenario than this.
    Changed,
    Unfinished,
}

fn state_of(scenario: &Scenario, folder: &Path) -> State {
    let Ok(reader) = RunReader::open(folder) else { return State::Unfinished };
    let facts = reader.facts();
    let is_same = facts.scenario_hash == sha256(scenario.resolved_toml().as_bytes())
        && facts.files == scenario.written.files;
    if !is_same {
        State::Changed
    } else if facts.state == RunState::Finished {
        State::Finished
    } else {
        State::Unfinished
    }
}
