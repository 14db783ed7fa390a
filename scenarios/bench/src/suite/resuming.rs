//! A suite that was interrupted goes on: what of its runs is done, by their records.

use std::path::Path;

use lastmeter_language::Scenario;
use lastmeter_record::{RunReader, RunState, file, sha256};
use lastmeter_reports::evaluate;
use lastmeter_reports::suite::{Outcome, SuiteRun};
use serde_json::json;

use super::options::SuiteOptions;
use crate::run::Console;

/// A run that is done: its folder has a finished record of this very scenario, and is judged again.
/// A record that is not finished, or of another scenario, is removed, for the run is made again.
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
    let judged = is_finished(scenario, folder).then(|| evaluate(folder).ok()).flatten();
    let what = if judged.is_some() { "done before" } else { "unfinished, made again" };
    let value = json!({ "event": "resumed", "scenario": name, "is_done": judged.is_some() });
    console.text_or_json(&format!("Resume   {name}: {what}"), value);
    let Some(evaluation) = judged else {
        if let Err(error) = std::fs::remove_dir_all(folder) {
            console.error(&format!("error: {}: {error}", folder.display()));
        }
        return None;
    };
    Some(super::ended(scenario, Outcome::Judged(Box::new(evaluation)), about))
}

fn is_finished(scenario: &Scenario, folder: &Path) -> bool {
    let Ok(reader) = RunReader::open(folder) else { return false };
    let facts = reader.facts();
    let is_same = facts.scenario_hash == sha256(scenario.resolved_toml().as_bytes());
    is_same && facts.state == RunState::Finished
}
