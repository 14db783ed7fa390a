//! The controls of must-fail twins: the same without the defect, which has to pass. They run behind
//! the twins, one for all that have the same.

use lastmeter_language::{LoadOptions, Scenario, ScenarioFile};
use lastmeter_record::Status;
use lastmeter_reports::suite::{self, SuiteRun};
use serde_json::json;

use super::options::SuiteOptions;
use super::plan::Item;
use crate::filter::Filter;
use crate::run::Console;

/// The folder of a control in that of the first twin that has it.
pub(super) const FOLDER: &str = "control";

/// What the lines of controls begin with.
const LABEL: &str = "Control";

/// What `--controls` has for none, and for all.
const NONE: &str = "none";
pub(super) const ALL: &str = "*";

pub(super) struct Control {
    pub(super) item: Item,
    /// The names of the twins that have it.
    pub(super) of: Vec<String>,
}

/// The twins whose controls are asked for; `None`: those of none.
pub(super) fn wanted(options: &SuiteOptions) -> Result<Option<Filter>, String> {
    if !options.must_fail || options.controls == NONE {
        return Ok(None);
    }
    Filter::read(&options.controls).map(Some).map_err(|message| format!("--controls: {message}"))
}

/// The control of a twin in a file of its own: its scenario, which is in one of these files.
pub(super) fn of_file(
    twin: &Scenario,
    files: &[ScenarioFile],
    options: &LoadOptions,
) -> Result<Control, String> {
    let (file, name) = (twin.written.path.display(), &twin.about.name);
    let Some(expect) = twin.expected() else { return Err(format!("{file}: no must-fail twin")) };
    let scenario = &expect.twin_scenario;
    let Some(original) = files.iter().find(|file| file.name() == Some(scenario)) else {
        return Err(format!(
            "{file}: `{name}` is the twin of `{scenario}`, which is not among the files given, so \
             there is no control that shows that the defect turns `{}` red; give that file as well, \
             or leave controls out (`--controls {NONE}`)",
            expect.check
        ));
    };
    let control = original.control_of(twin, options).map_err(|failure| failure.render(false))?;
    for check in &twin.checks {
        let check = &check.name;
        if judged_by(twin, check) != judged_by(&control, check) {
            return Err(format!(
                "{file}: the check `{check}` is not that of `{scenario}`: what is judged is no \
                 defect; write the twin as a table `[[must_fail]]` of `{scenario}`, where what else \
                 differs stands in `shortened`"
            ));
        }
    }
    Ok(Control { item: Item::Run(Box::new(control)), of: vec![name.clone()] })
}

/// A check as it is written out, but for what it covers.
fn judged_by(scenario: &Scenario, name: &str) -> Option<Vec<String>> {
    let mut checks = scenario.written.all("check");
    let text = checks.find(|values| values.text("name") == name)?;
    let text = text.to_toml();
    Some(text.lines().filter(|line| !line.starts_with("covers = ")).map(str::to_owned).collect())
}

pub(super) fn print_begin(console: &Console<'_>, of: &[String]) {
    let text = format!("{LABEL:9}of {}, without the defect", list_of(of));
    console.text_or_json(&text, json!({ "event": "control", "of": of }));
}

/// Prints what it means that a control did not pass.
pub(super) fn print_end(console: &Console<'_>, of: &[String], run: &SuiteRun) {
    let (status, reason) = (run.status(), run.reason());
    let value = json!({
        "event": "control_ended", "scenario": run.scenario, "of": of, "status": status,
        "reason": reason, "as_expected": status == Status::Pass,
    });
    let text = match status {
        Status::Pass => {
            format!(
                "{LABEL:9}passed, as it must: the defect is all that is wrong in {}",
                list_of(of)
            )
        }
        _ => format!("{LABEL:9}is {status} and has to pass: {} shows nothing", list_of(of)),
    };
    console.text_or_json(&text, value);
}

fn list_of(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Gives each twin what its control came to.
pub(super) fn join(twins: &mut [SuiteRun], ended: &[(&Control, SuiteRun)]) {
    for (control, run) in ended {
        for twin in twins.iter_mut().filter(|twin| control.of.contains(&twin.scenario)) {
            if let Some(twin) = &mut twin.twin {
                twin.control = Some(suite::Control::of(run));
            }
        }
    }
}
