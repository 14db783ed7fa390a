//! The commands that look without running: validate, list, explain, schema, report.

use std::path::{Path, PathBuf};

use lastmeter_bench::library::{self, LIBRARY};
use lastmeter_bench::output::{broken, complain, print_err, print_out};
use lastmeter_bench::plant::{self, NotPlayed, Watch};
use lastmeter_bench::run::chain;
use lastmeter_bench::select::{Selected, select};
use lastmeter_bench::stop::{Stop, block_on, stop_signal};
use lastmeter_bench::suite::{passed_over, print_left_out};
use lastmeter_language::{
    self as language, Document, LoadFailure, LoadOptions, Scenario, ScenarioFile, Variation,
    read_file,
};
use lastmeter_params::Requirement;
use lastmeter_plans::standard::{self, EMBEDDED, TestPlan, embedded};
use lastmeter_reports::console::format_verdicts;
use lastmeter_reports::{ExitCode, Reason, verdicts_json};
use lastmeter_text::plural;
use lastmeter_units::MeasurementId;
use lastmeter_wire::commands::{self, COMMANDS, CommandKind};
use serde_json::{Value, json};

use crate::{grid, suites};

/// How files are validated.
#[derive(Clone, Copy, Debug)]
pub struct Validation {
    /// Whether networks are played too, for the mistakes that only a solution shows.
    pub plays: bool,
    /// One JSON object per line instead of text.
    pub json: bool,
    /// Whether mistakes are coloured.
    pub color: bool,
}

/// Validates scenario files; prints every mistake of every file.
pub fn validate(paths: &[PathBuf], options: &LoadOptions, how: Validation) -> ExitCode {
    if how.plays {
        return block_on(async { validate_each(paths, options, how, Some(&stop_signal())).await });
    }
    block_on(validate_each(paths, options, how, None))
}

/// A scenario with its must-fail twins, and how many cases it has, if it varies.
struct WithTwins {
    scenario: Scenario,
    twins: Vec<Scenario>,
    cases: usize,
}

/// Loads what is in a file, and plays each where somebody may stop that; `Err` is the end of all.
async fn load_and_play(
    file: &Path,
    options: &LoadOptions,
    how: Validation,
    stop: Option<&Stop>,
) -> Result<Result<WithTwins, Vec<LoadFailure>>, ExitCode> {
    let (mut loaded, stop) = match (load_whole(file, options), stop) {
        (Ok(loaded), Some(stop)) => (loaded, stop),
        (loaded, _) => return Ok(loaded),
    };
    let watch = Watch { stop, limit: &None, shows_progress: !how.json };
    let mut failures = Vec::new();
    for scenario in std::iter::once(&mut loaded.scenario).chain(&mut loaded.twins) {
        match plant::play(scenario, &watch).await {
            // Of what was played its warnings are kept, and not the waves.
            Ok(played) => scenario.written.warnings = played.written.warnings,
            Err(NotPlayed::Broken(failure)) => failures.push(*failure),
            Err(NotPlayed::Interrupted(signal)) => return Err(ExitCode::of_signal(signal)),
            Err(NotPlayed::TooLong(_)) => return Err(ExitCode::Broken),
        }
    }
    Ok(if failures.is_empty() { Ok(loaded) } else { Err(failures) })
}

async fn validate_each(
    paths: &[PathBuf],
    options: &LoadOptions,
    how: Validation,
    stop: Option<&Stop>,
) -> ExitCode {
    let Validation { json, color, .. } = how;
    let files = match selected(paths) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let (mut errors, mut wrong) = (0, 0);
    for Selected { path: file, .. } in &files {
        let text = text_of(file).unwrap_or_default();
        let meant = Document::of(file, &text);
        if meant == Document::TestPlan && TestPlan::read(&text).is_ok() {
            let value = json!({ "file": file, "valid": true, "suite": true });
            let line = format!("ok  {}  (a test plan)", file.display());
            print_out(&if json { value.to_string() } else { line });
            continue;
        }
        if meant == Document::Network {
            let mistakes = check_network(file, json);
            errors += mistakes;
            wrong += usize::from(mistakes > 0); // files, not mistakes
            continue;
        }
        let loaded = match load_and_play(file, options, how, stop).await {
            Ok(loaded) => loaded,
            Err(exit) => return exit,
        };
        match loaded {
            Ok(loaded) => print_valid(file, &loaded, json, color),
            Err(failures) => {
                wrong += 1;
                for failure in failures {
                    errors += failure.diagnostics().len();
                    if json {
                        failure.to_json().iter().for_each(|value| print_out(&value.to_string()));
                    } else {
                        print_err(&failure.render(color));
                    }
                }
            }
        }
    }
    if files.is_empty() {
        print_err("no scenario file was found");
        return ExitCode::NothingEvaluated;
    }
    if errors == 0 {
        return ExitCode::Passed;
    }
    if !json {
        let (errors, wrong) = (plural(errors, "error"), plural(wrong, "file"));
        print_err(&format!("{errors} in {wrong}"));
    }
    ExitCode::BadInput
}

/// A scenario and its must-fail twins, or what is wrong with it, or with each of them.
fn load(file: &Path, options: &LoadOptions) -> Result<WithTwins, Vec<LoadFailure>> {
    let file = ScenarioFile::read(file).map_err(|failure| vec![failure])?;
    let (scenario, twins) = file.with_twins(options)?;
    Ok(WithTwins { scenario, twins, cases: 0 })
}

/// The same, with a look at the controls of the twins.
fn load_whole(file: &Path, options: &LoadOptions) -> Result<WithTwins, Vec<LoadFailure>> {
    let file = ScenarioFile::read(file).map_err(|failure| vec![failure])?;
    let (scenario, twins) = file.with_twins(options)?;
    let controls = file.controls(file.twins(), options).into_iter();
    let mut failures: Vec<_> = controls.filter_map(|control| control.scenario.err()).collect();
    let cases = file.cases(options, &Variation::default()).map_err(|failure| vec![failure])?;
    failures.extend(cases.iter().filter_map(|case| file.case(case, options).err()));
    let loaded = WithTwins { scenario, twins, cases: cases.len() };
    if failures.is_empty() { Ok(loaded) } else { Err(failures) }
}

/// Reports that a scenario makes sense with its twins, and what is odd about it.
fn print_valid(file: &Path, loaded: &WithTwins, json: bool, color: bool) {
    let WithTwins { scenario, twins, cases } = loaded;
    let note = scenario.unavailable();
    if json {
        let twins: Vec<&str> = twins.iter().map(|twin| twin.about.name.as_str()).collect();
        let value = json!({
            "file": file, "valid": true, "unavailable": note, "must_fail": twins, "cases": cases,
            "warnings": scenario.warnings_json(),
        });
        print_out(&value.to_string());
        return;
    }
    let note = note.map(|reason| format!("  (cannot run here: {reason})"));
    let warnings = match scenario.written.warnings.len() {
        0 => String::new(),
        count => format!("  ({})", plural(count, "warning")),
    };
    let twins = match twins.len() {
        0 => String::new(),
        count => format!("  ({})", plural(count, "must-fail twin")),
    };
    let cases = match cases {
        0 => String::new(),
        count => format!("  ({})", plural(*count, "case")),
    };
    let note = note.unwrap_or_default();
    print_out(&format!("ok  {}{cases}{twins}{note}{warnings}", file.display()));
    if !scenario.written.warnings.is_empty() {
        print_err(&scenario.render_warnings(color));
    }
}

/// Prints whether a network can be read, or why not; returns how many mistakes it has.
fn check_network(file: &Path, json: bool) -> usize {
    let (mistakes, notes): (Vec<String>, Vec<String>) = match grid::read(file) {
        Ok(read) => (Vec::new(), read.notes),
        Err(lines) => (lines.lines().map(str::to_owned).collect(), Vec::new()),
    };
    if json {
        let mut value = json!({ "file": file, "valid": mistakes.is_empty(), "network": true });
        if !notes.is_empty() {
            value["notes"] = json!(notes);
        }
        if !mistakes.is_empty() {
            value["errors"] = json!(mistakes);
        }
        print_out(&value.to_string());
    } else if mistakes.is_empty() {
        print_out(&format!("ok  {}  (a network)", file.display()));
        for note in &notes {
            print_out(&grid::printable(&format!("    note: {note}")));
        }
    } else {
        for line in &mistakes {
            print_err(&grid::printable(line));
        }
    }
    mistakes.len()
}

/// Lists what is registered, or the scenarios of some folders.
pub fn list(what: Option<&str>, paths: &[PathBuf], json: bool) -> ExitCode {
    match what {
        Some("scenarios") => return list_scenarios(paths, json),
        Some("quantities") => return list_quantities(json),
        Some("test-plans" | "suites") => return list_test_plans(json),
        Some("reasons") => return list_reasons(json),
        Some("commands") => return list_commands(json),
        _ => {}
    }
    let rows: Vec<_> = language::registry()
        .filter(|(section, _)| what.is_none_or(|what| what == section.heading))
        .collect();
    if json {
        let values = rows.iter().map(|(section, row)| {
            json!({ "section": section.name, "name": row.name, "summary": row.summary })
        });
        return print_document("registered", values);
    }
    let width = rows.iter().map(|(_, row)| row.name.len()).max().unwrap_or(0);
    let mut heading = "";
    for (section, row) in &rows {
        if section.heading != heading {
            heading = section.heading;
            print_out(&format!("{heading}:"));
        }
        print_out(&format!("  {:width$}  {}", row.name, row.summary));
    }
    if what.is_none() {
        print_out("commands:");
        print_columns("  ", COMMANDS.iter().map(|kind| (kind.name, kind.description.to_owned())));
        print_out("test plans:");
        print_columns("  ", test_plans().iter().map(|plan| (&*plan.name, plan.title.clone())));
        let quantities = plural(MeasurementId::all().count(), "identifier");
        print_out("quantities and reasons of verdicts:");
        print_out(&format!("  `lastmeter list quantities` shows {quantities} of measurements"));
        print_out(&format!("  `lastmeter list reasons` shows {} words", Reason::ALL.len()));
    }
    ExitCode::Passed
}

/// Prints names and what is known of each in two columns.
fn print_columns<'a>(indent: &str, rows: impl Iterator<Item = (&'a str, String)>) -> ExitCode {
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, text) in rows {
        print_out(&format!("{indent}{name:width$}  {text}"));
    }
    ExitCode::Passed
}

fn test_plans() -> Vec<TestPlan> {
    EMBEDDED.iter().filter_map(|(_, text)| TestPlan::read(text).ok()).collect()
}

/// A list for programs.
fn print_document(key: &str, values: impl Iterator<Item = Value>) -> ExitCode {
    let values: Vec<Value> = values.collect();
    print_out(&json!({ "format_version": 1, key: values }).to_string());
    ExitCode::Passed
}

/// The standards' test plans that come along.
fn list_test_plans(json: bool) -> ExitCode {
    let test_plans = test_plans();
    if json {
        let values = test_plans.iter().map(|test_plan| {
            let (limits, confirmed) = test_plan.confirmation();
            json!({
                "name": test_plan.name, "title": test_plan.title, "classes": test_plan.classes,
                "tests": test_plan.tests.len(), "limits": limits, "confirmed": confirmed,
                "missing_clauses": test_plan.missing_clauses.len(),
            })
        });
        return print_document("suites", values);
    }
    let row = |plan: &'_ TestPlan| {
        let ((limits, confirmed), tests) = (plan.confirmation(), plural(plan.tests.len(), "test"));
        format!("{} ({tests}; {confirmed} of {limits} limits confirmed)", plan.title)
    };
    print_columns("", test_plans.iter().map(|plan| (&*plan.name, row(plan))))
}

/// The text of a file of reasonable size; `None` of a pipe, a folder, or what is no text.
fn text_of(path: &Path) -> Option<String> {
    String::from_utf8(read_file(path).ok()?).ok()
}

/// The text of a test plan that comes along, or of a test-plan file; `None` for what is neither.
fn explain_test_plan(name: &str) -> Option<String> {
    let text = match embedded(name) {
        Some(text) => text.to_owned(),
        None => text_of(Path::new(name))?,
    };
    Some(standard::explain_test_plan(&TestPlan::read(&text).ok()?))
}

/// The identifiers a message may carry and a check may name.
fn list_quantities(json: bool) -> ExitCode {
    let rows = MeasurementId::all().map(MeasurementId::row);
    if json {
        let values = rows.map(|row| {
            json!({
                "name": row.name, "unit": row.unit, "record_unit": row.si_unit.to_string(),
                "record_factor": row.si_factor, "table_2": row.is_table2(),
            })
        });
        return print_document("quantities", values);
    }
    print_out(&format!("{:46} {:12} {}", "identifier", "in messages", "in the record"));
    for row in rows {
        print_out(&format!("{:46} {:12} {}", row.name, row.unit, row.si_unit));
    }
    ExitCode::Passed
}

/// What the platform may ask of a device.
fn list_commands(json: bool) -> ExitCode {
    if json {
        let value = |kind: &CommandKind| {
            let parameters: Vec<_> = kind.parameters.iter().map(|one| &*one.name).collect();
            json!({ "name": kind.name, "summary": kind.description, "parameters": parameters })
        };
        return print_document("commands", COMMANDS.iter().map(value));
    }
    print_columns("", COMMANDS.iter().map(|kind| (kind.name, kind.description.to_owned())))
}

/// The words that state for machines why a verdict is as it is.
fn list_reasons(json: bool) -> ExitCode {
    if json {
        let value = |reason: &Reason| {
            json!({
                "reason": reason, "status": reason.status(), "meaning": reason.meaning(),
                "of_the_machine": reason.is_of_the_machine(),
            })
        };
        return print_document("reasons", Reason::ALL.iter().map(value));
    }
    let row = |reason: &Reason| {
        let machine = if reason.is_of_the_machine() { " (of the machine)" } else { "" };
        (reason.word(), format!("{:12}  {}{machine}", reason.status(), reason.meaning()))
    };
    print_columns("", Reason::ALL.iter().map(row))
}

/// The text of the reason of a verdict.
fn explain_reason(word: &str) -> Option<String> {
    let reason = Reason::lookup(word)?;
    let status = reason.status();
    let machine = if reason.is_of_the_machine() {
        "\n\nThe machine, and not what is under test, is why nothing could be judged: another run on \
         a quiet\nmachine may decide. `lastmeter doctor` shows what this machine can measure."
    } else {
        ""
    };
    let meaning = reason.meaning();
    let where_it_stands = "It stands as `reason` in verdicts.json, suite.json, junit.xml and \
                           summary.md.\n`lastmeter list reasons` has them all; docs/verdicts.md \
                           describes how a whole follows from its parts.";
    Some(format!("{word} (a verdict that is {status})\n\n{meaning}{machine}\n\n{where_it_stands}"))
}

/// The words of a row that checks may cover.
fn explain_requirement(id: &str) -> Option<String> {
    let Requirement { id, words, state } = Requirement::lookup(&id.to_uppercase())?;
    Some(format!(
        "{id} (a requirement, which a check may name in `covers`)\n\n{words}\n\nIn the library: \
         {state}. docs/requirements.md has all rows; `lastmeter run {LIBRARY} --filter covers:{id}`\n\
         runs the scenarios of this one."
    ))
}

/// The files that are meant, those that are left out reported.
fn selected(paths: &[PathBuf]) -> Result<Vec<Selected>, ExitCode> {
    let selection = select(paths).map_err(|message| complain(&message))?;
    print_left_out(&selection.passed_over);
    Ok(selection.files)
}

fn list_scenarios(paths: &[PathBuf], json: bool) -> ExitCode {
    let default = match library::folder() {
        Ok(folder) => [folder],
        Err(message) if paths.is_empty() => return broken(&message),
        Err(_) => [PathBuf::new()],
    };
    let paths = if paths.is_empty() { &default } else { paths };
    let files = match selected(paths) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let options = LoadOptions::from_environment();
    let (mut rows, mut unreadable) = (Vec::new(), 0);
    for Selected { path: file, named } in files {
        if !named && passed_over(&file).is_some() {
            continue;
        }
        match load(&file, &options) {
            Ok(WithTwins { scenario, twins, .. }) => {
                // Twins stand behind their scenario.
                let all = std::iter::once(scenario).chain(twins);
                rows.extend(all.map(|scenario| (file.clone(), scenario)));
            }
            Err(failures) => {
                unreadable += 1;
                let errors: usize =
                    failures.iter().map(|failure| failure.diagnostics().len()).sum();
                print_err(&format!(
                    "{}: {}; see `lastmeter validate`",
                    file.display(),
                    plural(errors, "error")
                ));
            }
        }
    }
    if json {
        let values = rows.iter().map(|(file, scenario)| scenario_row(file, scenario));
        print_document("scenarios", values);
    } else {
        let rows = rows.iter().map(|(_, scenario)| {
            let twin = if scenario.expected().is_some() { "(must fail) " } else { "" };
            let title = scenario.about.title.as_deref().unwrap_or_default();
            let seconds = scenario.schedule.duration.as_seconds_f64();
            let (time, tags) = (scenario.schedule.time, &scenario.about.tags);
            let tags =
                if tags.is_empty() { String::new() } else { format!("  [{}]", tags.join(", ")) };
            (&*scenario.about.name, format!("{seconds:>8} s  {time:<7}  {twin}{title}{tags}"))
        });
        print_columns("", rows);
    }
    if unreadable > 0 { ExitCode::BadInput } else { ExitCode::Passed }
}

fn scenario_row(file: &Path, scenario: &Scenario) -> Value {
    let covers: std::collections::BTreeSet<&str> =
        scenario.checks.iter().flat_map(|check| check.covers.iter().map(String::as_str)).collect();
    json!({
        "file": file, "name": scenario.about.name, "title": scenario.about.title,
        "tags": scenario.about.tags, "time": scenario.schedule.time.word(),
        "duration_s": scenario.schedule.duration.as_seconds_f64(), "covers": covers,
        "checks": scenario.checks.iter().map(|check| &check.name).collect::<Vec<_>>(),
        "must_fail": scenario.expected().map(|expect| &expect.check),
        "unavailable": scenario.unavailable(),
    })
}

/// Prints all about a registered thing or an error code.
pub fn explain(name: &str) -> ExitCode {
    let name = &*lastmeter_params::current_address(name);
    // One word may be a section of a scenario and a table of a network.
    let of_scenario = language::explain(name).or_else(|| explain_test_plan(name));
    let of_network = grid::explain(name);
    let texts = of_scenario.into_iter().chain(of_network).chain(explain_reason(name));
    let texts = texts.chain(commands::explain(name)).chain(explain_requirement(name));
    let texts: Vec<String> = texts.collect();
    if !texts.is_empty() {
        let texts: Vec<&str> = texts.iter().map(|text| text.trim_end()).collect();
        print_out(&texts.join("\n\n"));
        return ExitCode::Passed;
    }
    let names = language::registry().map(|(_, row)| row.name);
    let names = names.chain(language::section_names());
    let names = names.chain(EMBEDDED.iter().map(|(name, _)| *name));
    let names = names.chain(Reason::ALL.iter().map(|reason| reason.word()));
    let names = names.chain(COMMANDS.iter().map(|kind| kind.name));
    let names = names.chain(Requirement::all().map(|row| row.id));
    let near = lastmeter_params::nearest(name, names);
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    complain(&format!("unknown name `{name}`{near} (see `lastmeter list`)"))
}

/// Prints the JSON Schema of the scenario language.
pub fn schema() -> ExitCode {
    print_out(&language::json_schema_text());
    ExitCode::Passed
}

/// Judges and renders a run folder again.
pub fn report(run: &Path, json: bool) -> ExitCode {
    if run.join("suite.json").exists() && !run.join("run.json").exists() {
        return suites::report(run, json);
    }
    let judged =
        lastmeter_reports::evaluate(run).map_err(|error| chain(&error)).and_then(|judged| {
            let page = lastmeter_reports::complete(run, &judged).map_err(|error| chain(&error))?;
            Ok((judged, page))
        });
    let (judged, page) = match judged {
        Ok(done) => done,
        Err(message) => {
            return if run.is_dir() { broken(&message) } else { complain(&message) };
        }
    };
    if json {
        print_out(String::from_utf8_lossy(&verdicts_json(&judged.verdicts)).trim_end());
    } else {
        for line in format_verdicts(&judged.verdicts) {
            print_out(&line.to_string());
        }
        let state = judged.facts.cause.as_deref().map(|cause| format!("  ({cause})"));
        let exit = judged.exit_code();
        print_out(&format!(
            "Report   {}  exit {}{}",
            page.display(),
            exit.number(),
            state.unwrap_or_default()
        ));
    }
    judged.exit_code()
}
