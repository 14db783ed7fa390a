//! What of the runs that were loaded is meant: those in quarantine, those that were no pass before,
//! and the controls of twins that are left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lastmeter_record::Status;
use lastmeter_reports::ExitCode;
use lastmeter_reports::suite::Suite;

use super::controls::Control;
use super::options::SuiteOptions;
use super::plan::{Item, suite_name};
use super::quarantine::Quarantined;
use crate::host::wall_now;
use crate::output::{complain, print_err};
use crate::run::chain;

/// The controls of twins that run.
pub(super) fn of_those(items: &[Item], mut controls: Vec<Control>) -> Vec<Control> {
    let runs = |name: &String| {
        items.iter().any(|item| item.scenario().is_some_and(|it| it.about.name == *name))
    };
    for control in &mut controls {
        control.of.retain(runs);
    }
    controls.retain(|control| !control.of.is_empty());
    controls
}

/// The entries of the file of quarantines, if one is given.
pub(super) fn quarantined(options: &SuiteOptions) -> Result<Option<Quarantined>, String> {
    let read = |file: &PathBuf| Quarantined::read(file, wall_now());
    let read = options.quarantine.as_ref().map(read).transpose();
    read.map_err(|message| format!("--quarantine: {message}"))
}

/// All of them, or only those in quarantine if these are to be verified. An entry that fits none of
/// them is named.
pub(super) fn in_quarantine(
    items: Vec<Item>,
    all: Option<&Quarantined>,
    options: &SuiteOptions,
) -> Result<Vec<Item>, ExitCode> {
    let Some(all) = all else { return Ok(items) };
    let is_in = |item: &Item| item.scenario().is_some_and(|it| all.of(it).is_some());
    let (inside, outside): (Vec<Item>, Vec<Item>) = if options.quarantine_verify {
        items.into_iter().partition(is_in)
    } else {
        // Each is asked, so that what fits nothing is known.
        let _ = items.iter().filter(|item| is_in(item)).count();
        (items, Vec::new())
    };
    for term in all.unused() {
        print_err(&format!("--quarantine: nothing here fits `{term}`"));
    }
    if inside.is_empty() && !outside.is_empty() {
        print_err("nothing here is in quarantine");
        return Err(ExitCode::NothingEvaluated);
    }
    Ok(inside)
}

/// Those that were no pass in a suite folder.
pub(super) fn failed_before(
    items: Vec<Item>,
    before: &Path,
    options: &SuiteOptions,
) -> Result<Vec<Item>, ExitCode> {
    let suite = Suite::read(before)
        .map_err(|error| complain(&format!("--rerun-failed: {}", chain(&error))))?;
    let name = suite_name(options);
    if suite.name != name {
        let (found, at) = (&suite.name, before.display());
        let message =
            format!("--rerun-failed: {at} has the runs of `{found}`, and not of `{name}`");
        return Err(complain(&message));
    }
    let runs = suite.runs.iter().filter(|it| it.status() != Status::Pass);
    let failed: BTreeSet<&str> = runs.map(|run| run.scenario.as_str()).collect();
    let is_one = |item: &Item| match item {
        Item::Run(scenario) => failed.contains(&*scenario.about.name),
        Item::Broken(broken) => failed.contains(&*broken.file.to_string_lossy()),
    };
    let items: Vec<Item> = items.into_iter().filter(is_one).collect();
    if items.is_empty() {
        print_err(&format!("nothing here was no pass in {}", before.display()));
        return Err(ExitCode::NothingEvaluated);
    }
    Ok(items)
}
