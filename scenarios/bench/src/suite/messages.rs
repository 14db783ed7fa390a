//! What is printed about each run of a suite, and of the whole.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use lastmeter_language::Scenario;
use lastmeter_record::{Counts, Status};
use lastmeter_reports::suite::{Outcome, Suite, SuiteRun};
use lastmeter_reports::{ExitCode, format_summary};
use lastmeter_text::plural;
use serde_json::json;

use super::plan::{Item, Plan};
use crate::run::Console;

/// What is odd about a scenario that makes sense; it runs all the same.
pub(super) fn print_warnings(console: &Console<'_>, scenario: &Scenario) {
    let options = console.options;
    if options.json {
        scenario.warnings_json().iter().for_each(|value| console.line(&value.to_string()));
    } else if !scenario.written.warnings.is_empty() {
        console.error(scenario.render_warnings(options.color).trim_end());
    }
}

/// What would run.
pub(super) fn print_plan(console: &Console<'_>, plan: &Plan) -> ExitCode {
    for place in 0..plan.items.len() + plan.controls.len() {
        let (item, of) = plan.case(place);
        let (name, file, text) = match item {
            Item::Run(scenario) => {
                let schedule = &scenario.schedule;
                let text = format!("{}, {}", schedule.time, schedule.duration);
                (scenario.about.name.clone(), &scenario.written.path, text)
            }
            Item::Broken(broken) => (String::new(), &broken.file, broken.why.clone()),
        };
        let control = if of.is_some() { "control of a twin: " } else { "" };
        let line = format!("{control}{name}  {}  ({text})", file.display());
        let value = json!({
            "event": "planned", "scenario": name, "file": file, "is_control": of.is_some(),
            "broken": matches!(item, Item::Broken(_)),
        });
        console.text_or_json(line.trim_start(), value);
    }
    if !console.options.json {
        console.line(&format!("{} in all", plural(plan.items.len(), "run")));
    }
    ExitCode::Passed
}

pub(super) fn print_run(console: &Console<'_>, run: &SuiteRun, folder: &Path, took: Duration) {
    let (exit, reason) = (run.exit_code(), run.reason());
    let counts = match &run.outcome {
        Outcome::Judged(evaluation) => {
            if let Some(cause) = &evaluation.facts.cause {
                console.error(&format!("{}: {cause}", run.scenario));
            }
            evaluation.counts()
        }
        Outcome::NotRun { why, .. } => {
            console.error(&format!("error: {}: {why}", run.scenario));
            Counts::default()
        }
    };
    if let Some(twin) = &run.twin {
        let why = run.why();
        let text = match &why {
            None if twin.verdict == Status::Fail => {
                format!("Twin     `{}` failed, as it must", twin.check)
            }
            None => format!("Twin     `{}` is {}, as it must be", twin.check, twin.verdict),
            Some(why) => format!("Twin     {why}"),
        };
        let value = json!({
            "event": "twin", "scenario": run.scenario, "twin_of": twin.twin_of,
            "check": twin.check, "as_expected": why.is_none(), "reason": reason, "why": why,
        });
        console.text_or_json(&text, value);
    }
    let mut text = format_summary(counts, took, exit);
    let report = folder.join("report.html");
    if run.judged().is_some() {
        text = format!("{text}\n         {}", report.display());
    }
    let value = json!({
        "event": "finished", "scenario": run.scenario, "exit": exit.number(), "reason": reason,
        "verdicts": counts, "wall_s": took.as_secs_f64(), "folder": folder,
    });
    console.text_or_json(&text, value);
}

pub(super) fn print_suite(console: &Console<'_>, suite: &Suite, base: &Path) {
    let mut lines = vec![String::new()];
    for run in &suite.runs {
        let over = run.quarantine.as_ref().filter(|entry| entry.has_expired);
        if let Some(entry) = over.filter(|_| run.why().is_none()) {
            lines.push(format!(
                "{:>7}  {}: {entry}, which is over",
                Status::Fail.label(),
                run.scenario
            ));
        }
        if let Some(why) = run.why() {
            let note = run.quarantine.as_ref().map(|entry| format!(" ({})", entry.label()));
            let (status, note) = (run.status().label(), note.unwrap_or_default());
            lines.push(format!("{status:>7}  {}{note}: {why}", run.scenario));
        }
    }
    let runs = Counts::of(suite.runs.iter().map(SuiteRun::status));
    let exit = suite.exit_code().number();
    let flaky = suite.runs.iter().filter(|run| run.is_flaky()).count();
    let flaky = if flaky > 0 { format!(" ({flaky} flaky)") } else { String::new() };
    lines.push(format!("{}{flaky}  exit {exit}", suite_line(runs)));
    lines.push(format!("         {}", base.join("index.html").display()));
    let value = json!({
        "event": "suite", "scenarios": suite.runs.len(), "passed": runs.pass, "runs": runs,
        "exit": exit,
    });
    console.text_or_json(&lines.join("\n"), value);
}

/// `Suite    3 scenarios: 2 as expected, 1 fail`.
fn suite_line(runs: Counts) -> String {
    let mut line = format!("Suite    {}", plural(runs.total(), "scenario"));
    let _ = write!(line, ": {} as expected", runs.pass);
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Pass) {
        let count = runs.get(status);
        if count > 0 {
            let _ = write!(line, ", {count} {status}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_as_expected_stands_beside_what_was() {
        use Status::{Error, Fail, Pass, Skipped};
        for (statuses, text) in [
            (&[Pass][..], "Suite    1 scenario: 1 as expected"),
            (&[Pass, Fail, Pass], "Suite    3 scenarios: 2 as expected, 1 fail"),
            (&[Skipped, Error], "Suite    2 scenarios: 0 as expected, 1 skipped, 1 error"),
        ] {
            assert_eq!(suite_line(Counts::of(statuses.iter().copied())), text);
        }
    }
}
