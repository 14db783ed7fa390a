//! `lastmeter accuracy`: a meter against a standard's suite, without writing a scenario.
//!
//! What is run is a scenario like any other, made here: the meter at the suite's source, one check
//! for each test. The run folder holds it resolved, so that `lastmeter run` repeats it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lastmeter_devices::{DEVICES, group_of};
use lastmeter_params::{nearest, quote};
use lastmeter_reports::check::Pattern;
use lastmeter_reports::standard::{
    Assessed, Connection, EMBEDDED, Item, SUITE_SOURCE, Skip, Subject, Suite, TestResult, embedded,
    figure_told, with_uncertainty,
};
use lastmeter_reports::{Evaluation, ExitCode, Status, format_summary};
use lastmeter_units::MeasurementId;
use serde_json::{Value, json};

use crate::language::{LoadFailure, LoadOptions, Scenario, read_file};
use crate::run::{
    Console, ConsoleOptions, RunOptions, chain, default_out, monotonic, run_scenario,
};
use crate::suite::{stop_signal, tell, tell_out};

/// What `lastmeter accuracy` was asked for.
#[derive(Clone, Debug)]
pub struct AccuracyOptions {
    /// A device model, or a scenario file with one device under test.
    pub meter: String,
    /// A suite's name, or a suite file.
    pub suite: String,
    /// The class that is claimed.
    pub class: Option<String>,
    /// `direct` or `transformer`.
    pub connection: Option<String>,
    /// The tests to play, as names or patterns.
    pub tests: Vec<String>,
    /// Overrides: `meter.KEY=VALUE`, `suite.KEY=VALUE`, or any address of the scenario.
    pub set: Vec<String>,
    /// Where the results go.
    pub out: Option<PathBuf>,
    /// JSON instead of text.
    pub json: bool,
    /// Colour the words.
    pub color: bool,
    /// The command as it was given.
    pub command_line: Vec<String>,
}

/// How often the meter reports where nothing else is said: a reading of two windows or three.
const REPORT_EVERY: &str = "500 ms";

/// The same for flicker, of which there is a figure every ten minutes, and so many count.
const REPORT_FLICKER: (&str, u32) = ("10 min", 3);

/// The worst points that are listed.
const WORST_MAX: usize = 5;

/// A meter, ready to be put into a scenario.
struct Meter {
    name: String,
    model: String,
    /// The keys of its table beside name, place and model.
    keys: String,
}

/// Runs a suite on a meter; says how it ended.
pub fn accuracy(options: &AccuracyOptions) -> ExitCode {
    let scenario = match assemble(options) {
        Ok(scenario) => scenario,
        Err(Refused::Told(message)) => {
            tell(&format!("error: {message}"));
            return ExitCode::BadInput;
        }
        Err(Refused::Failure(failure)) => {
            if options.json {
                failure.to_json().iter().for_each(|value| tell_out(&value.to_string()));
            } else {
                tell(&failure.render(options.color));
            }
            return ExitCode::BadInput;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("bench")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(&scenario, options)),
        Err(error) => {
            tell(&format!("error: the runtime did not start: {error}"));
            ExitCode::Broken
        }
    }
}

async fn run(scenario: &Scenario, options: &AccuracyOptions) -> ExitCode {
    let out = options.out.clone().unwrap_or_else(|| default_out(&scenario.name));
    let run = RunOptions {
        out: out.clone(),
        timeout: None,
        command_line: options.command_line.clone(),
        real_time_priority: false,
    };
    let mut console = Console::new(ConsoleOptions {
        json: false,
        color: options.color,
        progress: !options.json,
        silent: true,
    });
    let started = monotonic();
    let judged = Box::pin(run_scenario(scenario, &run, &mut console, stop_signal())).await;
    let evaluation = match judged {
        Ok(evaluation) => evaluation,
        Err(error) => {
            tell(&format!("error: {}", chain(&error)));
            return ExitCode::Broken;
        }
    };
    if let Some(cause) = &evaluation.facts.cause {
        tell(&format!("error: {cause}"));
    }
    let assessed = match Assessed::read(&out) {
        Ok(Some(assessed)) => assessed,
        Ok(None) => {
            tell("error: the run folder has no suite");
            return ExitCode::Broken;
        }
        Err(error) => {
            tell(&format!("error: {}", chain(&error)));
            return ExitCode::Broken;
        }
    };
    let exit = exit_code(&assessed, &evaluation, options);
    if options.json {
        tell_out(&document(&assessed, &evaluation, exit, &out).to_string());
    } else {
        tell_out(headline(scenario, options, &assessed).trim_end());
        tell_out(told(&assessed, options.color).trim_end());
        tell_out(&format_summary(evaluation.counts(), started.elapsed(), exit));
        tell_out(&format!("         {}", out.join("report.html").display()));
    }
    exit
}

/// That of the checks; but a class that was asked for as a whole and of which something could not
/// be tested is not met, however good the rest was.
fn exit_code(assessed: &Assessed, evaluation: &Evaluation, options: &AccuracyOptions) -> ExitCode {
    let exit = evaluation.exit_code();
    let claimed = assessed.summary().into_iter().next();
    let is_met = claimed.is_some_and(|class| class.status == Status::Pass);
    match exit {
        ExitCode::Passed if options.tests.is_empty() && !is_met => ExitCode::Inconclusive,
        exit => exit,
    }
}

/// Why there is no scenario.
enum Refused {
    Told(String),
    Failure(LoadFailure),
}

fn assemble(options: &AccuracyOptions) -> Result<Scenario, Refused> {
    let (text, standard) = suite_text(&options.suite)?;
    let suite = Suite::read(&text).map_err(|mistakes| {
        let first = mistakes.first().map_or("", |mistake| mistake.message.as_str());
        let more = mistakes.len().saturating_sub(1);
        Refused::Told(format!(
            "{}: {first} (and {more} more); `lastmeter check` shows the places",
            options.suite
        ))
    })?;
    let meter = meter(options)?;
    let three = load(options, &suite, &standard, &meter, 3);
    let failure = match three {
        Ok(scenario) => return Ok(scenario),
        Err(failure) => failure,
    };
    // A single-phase meter says so by refusing three.
    load(options, &suite, &standard, &meter, 1).map_err(|_| Refused::Failure(failure))
}

/// The text of a suite, and how a scenario names it from anywhere.
fn suite_text(name: &str) -> Result<(String, String), Refused> {
    if let Some(text) = embedded(name) {
        return Ok((text.to_owned(), name.to_owned()));
    }
    let path = Path::new(name);
    if path.is_file() {
        let bytes = read_file(path)
            .map_err(|error| Refused::Told(format!("`{name}` cannot be read: {error}")))?;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        return Ok((String::from_utf8_lossy(&bytes).into_owned(), path.display().to_string()));
    }
    let names = EMBEDDED.iter().map(|(name, _)| *name);
    let help = match nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
    };
    Err(Refused::Told(format!("there is no suite and no file `{name}`; {help}")))
}

fn meter(options: &AccuracyOptions) -> Result<Meter, Refused> {
    let name = options.meter.as_str();
    if DEVICES.iter().any(|kind| kind.entry.name == name) {
        let (name, model) = ("meter".to_owned(), name.to_owned());
        return Ok(Meter { name, model, keys: String::new() });
    }
    let path = Path::new(name);
    if !path.is_file() {
        let models = DEVICES.iter().map(|kind| kind.entry.name);
        let help = match nearest(name, models.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the models are {}", models.collect::<Vec<_>>().join(", ")),
        };
        let message = format!("there is no device model and no scenario file `{name}`; {help}");
        return Err(Refused::Told(message));
    }
    let scenario = Scenario::load(path, &LoadOptions::from_environment());
    let scenario = scenario.map_err(Refused::Failure)?;
    if !scenario.injections.is_empty() {
        return Err(Refused::Told(format!(
            "{name} has {} injection(s), which would be left out: a suite plays its own points; take \
             them out, or write a scenario with `[suite]`",
            scenario.injections.len()
        )));
    }
    let devices = || scenario.devices.iter();
    let marked: Vec<_> = devices().filter(|row| row.values.boolean("under_test")).collect();
    let row = match (marked.as_slice(), scenario.devices.as_slice()) {
        ([row], _) => *row,
        ([], [row]) => row,
        (marked, all) => {
            return Err(Refused::Told(format!(
                "{name} has {} devices, {} of them with `under_test = true`; expected one",
                all.len(),
                marked.len()
            )));
        }
    };
    let ours = ["name", "at", "model", "via", "count", "under_test"];
    let is_kept = |line: &&str| {
        let key = line.split(" = ").next().unwrap_or_default();
        !ours.contains(&key)
    };
    let table = row.values.to_toml();
    let keys: Vec<&str> = table.lines().filter(is_kept).collect();
    Ok(Meter {
        name: row.name.clone(),
        model: row.kind.entry.name.to_owned(),
        keys: format!("{}\n", keys.join("\n")),
    })
}

/// The scenario's text, and what it means.
fn load(
    options: &AccuracyOptions,
    suite: &Suite,
    standard: &str,
    meter: &Meter,
    phases: usize,
) -> Result<Scenario, LoadFailure> {
    let text = scenario_text(options, suite, standard, meter, phases);
    let own = format!("device.{}.", meter.name);
    let overrides = options.set.iter().map(|change| match change.strip_prefix("meter.") {
        Some(rest) => format!("{own}{rest}"),
        None => change.clone(),
    });
    let load = LoadOptions { overrides: overrides.collect(), ..LoadOptions::from_environment() };
    Scenario::from_bytes(Path::new("accuracy.toml"), text.as_bytes(), &load)
}

/// The groups of quantities the tests that are played need.
fn groups_of(options: &AccuracyOptions, suite: &Suite, phases: usize) -> Vec<&'static str> {
    let mut groups = Vec::new();
    for test in suite.tests.iter().filter(|test| test.not_played.is_none()) {
        let ids = match &test.subject {
            Subject::Each(ids) if is_selected(options, &test.name) => ids.as_slice(),
            _ => &[],
        };
        for group in ids.iter().filter_map(|id| group_of(id.row().quantity)) {
            if !groups.contains(&group) && (phases == 3 || group != "unbalance") {
                groups.push(group);
            }
        }
    }
    groups
}

fn is_selected(options: &AccuracyOptions, test: &str) -> bool {
    let mut patterns = options.tests.iter().map(|text| Pattern::new(text));
    options.tests.is_empty() || patterns.any(|pattern| pattern.matches(test))
}

fn scenario_text(
    options: &AccuracyOptions,
    suite: &Suite,
    standard: &str,
    meter: &Meter,
    phases: usize,
) -> String {
    let connection = options.connection.as_deref().and_then(Connection::from_word);
    let connection = connection.unwrap_or(suite.connections[0]);
    let (current, _) = suite.currents[connection as usize];
    let class = options.class.as_deref().unwrap_or(&suite.classes[suite.default_class]);
    let list = |texts: &[String]| {
        let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
        format!("[{}]", quoted.join(", "))
    };
    let mut text = String::from("# Made by `lastmeter accuracy`.\nformat = 1\n\n[scenario]\n");
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{args}");
    };
    let title = format!("{} against {}, class {class}", meter.model, suite.title);
    line(format_args!("name = {}", quote(&format!("accuracy-{}", suite.name))));
    line(format_args!("title = {}", quote(&title)));
    line(format_args!("\n[suite]\nstandard = {}", quote(standard)));
    line(format_args!("device = {}\nphases = {phases}", quote(&meter.name)));
    line(format_args!("connection = {}", quote(connection.word())));
    line(format_args!("class = {}", quote(class)));
    let groups = groups_of(options, suite, phases);
    let has_flicker = groups.contains(&"flicker");
    if has_flicker && meter.keys.is_empty() {
        line(format_args!("readings = {}", REPORT_FLICKER.1));
    }
    if !options.tests.is_empty() {
        line(format_args!("tests = {}", list(&options.tests)));
    }
    line(format_args!("\n[[device]]\nname = {}", quote(&meter.name)));
    line(format_args!("at = \"source:{SUITE_SOURCE}\"\nmodel = {}", quote(&meter.model)));
    line(format_args!("under_test = true"));
    if meter.keys.is_empty() {
        let kind = DEVICES.iter().find(|kind| kind.entry.name == meter.model);
        let has = |key: &str| {
            kind.is_some_and(|kind| kind.entry.fields.iter().any(|field| field.name == key))
        };
        for (key, value) in [
            ("report_every", if has_flicker { REPORT_FLICKER.0 } else { REPORT_EVERY }.to_owned()),
            ("nominal_voltage", format!("{} V", suite.nominal_voltage)),
            ("nominal_current", format!("{current} A")),
            ("nominal_frequency", format!("{} Hz", suite.frequency)),
        ] {
            if has(key) {
                line(format_args!("{key} = {}", quote(&value)));
            }
        }
        // What a reading has without being asked is enough for the others.
        let is_more = |group: &&str| ["thd", "harmonics", "unbalance", "flicker"].contains(group);
        if has("quantities") && groups.iter().any(is_more) {
            let usual = ["voltage", "current", "active_power", "frequency", "active_energy"];
            let more = groups.iter().filter(|group| !usual.contains(group));
            let all: Vec<String> = usual.iter().chain(more).map(|&g| g.to_owned()).collect();
            line(format_args!("quantities = {}", list(&all)));
        }
        // As the claim has it: starting and no-load tests last as long as pulses are rare.
        if has("pulse_constant") {
            line(format_args!("pulse_constant = 100000"));
        }
    } else {
        line(format_args!("{}", meter.keys.trim_end()));
    }
    for test in suite.tests.iter().filter(|test| is_selected(options, &test.name)) {
        let name = quote(&test.name);
        line(format_args!("\n[[check]]\nname = {name}\nkind = \"suite\"\ntests = [{name}]"));
        line(format_args!("covers = [\"F-10\"]"));
    }
    text
}

fn headline(scenario: &Scenario, options: &AccuracyOptions, assessed: &Assessed) -> String {
    let plan = &assessed.plan;
    format!(
        "lastmeter {}  {}  {}  class {}  {}  {} points, {} event time",
        env!("CARGO_PKG_VERSION"),
        options.meter,
        plan.suite.title,
        plan.suite.classes[plan.claim.class],
        plan.claim.connection.word(),
        plan.points.len(),
        scenario.duration,
    )
}

/// Class verdict, tests and worst points for people.
fn told(assessed: &Assessed, color: bool) -> String {
    let suite = &assessed.plan.suite;
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{args}");
    };
    for class in assessed.summary() {
        let status = painted(class.status, color);
        line(format_args!("{status}  class {}: {}", class.class, class.text));
    }
    line(format_args!(""));
    let rows: Vec<[String; 5]> =
        assessed.claimed().tests.iter().map(|test| row(assessed, test)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    for (row, result) in rows.iter().zip(&assessed.claimed().tests) {
        let status = painted(result.status, color);
        let [name, worst, limit, points, place] = row;
        line(format_args!(
            "{status}  {name:0$}  {worst:>1$}  {limit:>2$}  {points:>3$}  {place}",
            widths[0], widths[1], widths[2], widths[3],
        ));
    }
    for row in &suite.not_simulated {
        let status = painted(Status::Skipped, color);
        let (name, reason) = (&row.name, &row.reason);
        line(format_args!("{status}  {name:0$}  not simulated: {reason}", widths[0]));
    }
    let mut worst: Vec<(&str, &Item)> = assessed
        .claimed()
        .tests
        .iter()
        .flat_map(|test| {
            let name = suite.tests[test.test].name.as_str();
            test.items.iter().map(move |item| (name, item))
        })
        .collect();
    worst.sort_by(|a, b| b.1.status.cmp(&a.1.status).then(b.1.share().total_cmp(&a.1.share())));
    if !worst.is_empty() {
        line(format_args!("\nWorst points, by the share of the limit they use:"));
    }
    for (name, item) in worst.into_iter().take(WORST_MAX) {
        let share = 100.0 * item.share();
        line(format_args!("  {share:5.1} %  {name}, {}", assessed.item_told(item)));
    }
    text
}

/// Name, worst figure, limit, number of points, and where the worst was or why there is none.
fn row(assessed: &Assessed, result: &TestResult) -> [String; 5] {
    let test = &assessed.plan.suite.tests[result.test];
    let name = test.name.clone();
    let points = match result.items.len() {
        0 => String::new(),
        1 => "1 point".to_owned(),
        count => format!("{count} points"),
    };
    let Some(worst) = result.worst() else {
        let why = result.skipped.as_ref().map_or("", Skip::reason).to_owned();
        return [name, String::new(), String::new(), points, why];
    };
    let confirmed = test.limits[worst.planned.limit].confirmed;
    let qualification = if confirmed { "" } else { "  (limit unconfirmed)" };
    let place = worst.planned.coordinates.told(&assessed.plan.suite);
    match &worst.figures {
        None => [name, String::new(), String::new(), points, format!("{place}: {}", worst.why)],
        Some(figures) => [
            name,
            with_uncertainty(worst),
            format!("limit {}", figure_told(worst.planned.figure, &figures.unit)),
            points,
            format!("{place}{qualification}"),
        ],
    }
}

fn painted(status: Status, color: bool) -> String {
    use anstyle::{AnsiColor, Style};
    let label = format!("{:>7}", status.label());
    let style = match status {
        Status::Pass => AnsiColor::Green.on_default(),
        Status::Skipped => Style::new(),
        Status::Inconclusive => AnsiColor::Yellow.on_default(),
        Status::Fail | Status::Error => AnsiColor::Red.on_default(),
    };
    if color { format!("{style}{label}{style:#}") } else { label }
}

/// Everything, for programs.
fn document(assessed: &Assessed, evaluation: &Evaluation, exit: ExitCode, out: &Path) -> Value {
    let plan = &assessed.plan;
    let suite = &plan.suite;
    let classes: Vec<Value> = assessed
        .summary()
        .into_iter()
        .map(|class| {
            json!({
                "class": class.class, "status": class.status, "told": class.text,
                "qualification": class.qualification,
            })
        })
        .collect();
    let tests: Vec<Value> = assessed
        .claimed()
        .tests
        .iter()
        .map(|result| {
            let test = &suite.tests[result.test];
            json!({
                "name": test.name, "title": test.title, "evaluate": test.evaluate.word(),
                "quantity": test.quantity, "status": result.status,
                "skipped": result.skipped.as_ref().map(Skip::reason),
                "points": result.items.iter().map(|i| point(assessed, result.test, i))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    let skipped: Vec<Value> = suite
        .not_simulated
        .iter()
        .map(|row| json!({ "name": row.name, "title": row.title, "reason": row.reason }))
        .collect();
    json!({
        "format_version": 1,
        "suite": suite.name,
        "edition": suite.edition,
        "class": suite.classes[plan.claim.class],
        "connection": plan.claim.connection.word(),
        "status": evaluation.status(),
        "exit": exit.number(),
        "classes": classes,
        "tests": tests,
        "not_simulated": skipped,
        "folder": out,
    })
}

fn point(assessed: &Assessed, test: usize, item: &Item) -> Value {
    let suite = &assessed.plan.suite;
    let limit = &suite.tests[test].limits[item.planned.limit];
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let figures = item.figures.as_ref();
    json!({
        "at": item.planned.coordinates.told(suite),
        "status": item.status,
        "figure": figures.and_then(|figures| finite(figures.value)),
        "unit": figures.map(|figures| figures.unit.clone()),
        "limit": item.planned.figure.value(),
        "uncertainty": figures.and_then(|figures| finite(figures.budget.expanded())),
        "reported": figures.and_then(|figures| finite(figures.reported)),
        "reference": figures.and_then(|figures| finite(figures.reference)),
        "quantity": figures.and_then(|figures| figures.quantity).map(MeasurementId::name),
        "readings": figures.map(|figures| figures.readings),
        "clause": limit.clause,
        "edition": limit.edition,
        "confirmed": limit.confirmed,
        "source": limit.source,
        "why": item.why,
    })
}
