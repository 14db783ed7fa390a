//! The scenario that puts a meter through a test plan.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use lastmeter_devices::{DEVICES, DeviceKind, group_of};
use lastmeter_language::{LoadFailure, LoadOptions, Scenario, Texts, failure, read_file};
use lastmeter_params::{Code, Diagnostic, Pattern, Values, nearest, quote};
use lastmeter_plans::standard::{
    Connection, EMBEDDED, Subject, TEST_PLAN_BYTES_MAX, TEST_PLAN_SOURCE, TestPlan, embedded,
};
use lastmeter_text::plural;

use super::meter::{Meter, Refusal};
use super::options::AccuracyOptions;
use super::ratings::{Ratings, ratings};

/// How often the meter reports where nothing else is stated: a reading of two windows or three.
const REPORT_EVERY: &str = "500 ms";

/// The same for flicker, of which there is a figure every ten minutes, and so many count.
const REPORT_FLICKER: (&str, u32) = ("10 min", 3);

/// The scenario, and what the meter is rated for in it.
pub(super) fn assemble(options: &AccuracyOptions) -> Result<(Scenario, Ratings), Refusal> {
    let (text, standard) = test_plan_text(&options.test_plan)?;
    let test_plan = TestPlan::read(&text)
        .map_err(|mistakes| Refusal::Failure(failure(mistakes, Texts::new(&standard, &text))))?;
    let connection = is_of_test_plan(options, &test_plan)?;
    let meter = meter(options)?;
    let ratings = ratings(options, &test_plan, connection, &meter)?;
    let made =
        Inputs { options, test_plan: &test_plan, standard: &standard, meter: &meter, connection };
    let scenario = made.load(&ratings).map_err(Refusal::Failure)?;
    claimed_class_only(&scenario, &test_plan)?;
    Ok((scenario, ratings))
}

/// Class, connection and tests that were asked for are the test plan's.
fn is_of_test_plan(options: &AccuracyOptions, test_plan: &TestPlan) -> Result<Connection, Refusal> {
    let name = &test_plan.name;
    if test_plan.tests.is_empty() {
        let message = format!(
            "{name} has no tests of a class, but sweeps to compare with published values: see \
             docs/paper-table-1.md, and `lastmeter run scenarios/library/table-1-sinusoidal.toml`"
        );
        return Err(Refusal::Message(message));
    }
    if let Some(class) = options.class.as_deref().filter(|class| test_plan.class(class).is_none()) {
        let classes = test_plan.classes.join(", ");
        return Err(Refusal::Message(format!(
            "{name} has no class `{class}`; there are {classes}"
        )));
    }
    let all: Vec<&str> = test_plan.connections.iter().map(|one| one.word()).collect();
    let connection = match options.connection.as_deref() {
        None => test_plan.connections[0],
        Some(word) => Connection::from_word(word)
            .filter(|one| test_plan.connections.contains(one))
            .ok_or_else(|| {
                let known = all.join(", ");
                Refusal::Message(format!("{name} is not for connection `{word}`; there is {known}"))
            })?,
    };
    for text in &options.tests {
        let pattern = Pattern::new(text);
        let tests: Vec<&str> = test_plan.tests.iter().map(|test| test.name.as_str()).collect();
        if !tests.iter().any(|test| pattern.matches(test)) {
            let help = instead(text, &tests);
            return Err(Refusal::Message(format!("{name} has no test `{text}`; {help}")));
        }
    }
    Ok(connection)
}

/// What is reported of the class that is claimed and how it ends are one thing: no check judges
/// another.
fn claimed_class_only(scenario: &Scenario, test_plan: &TestPlan) -> Result<(), Refusal> {
    let Some(plan) = scenario.test_plan() else { return Ok(()) };
    let claimed = plan.test_plan.classes.get(plan.claim.class).map_or("", String::as_str);
    for check in &scenario.checks {
        let Some(class) = check.values.text_opt("class").filter(|class| *class != claimed) else {
            continue;
        };
        let message =
            format!("check `{}` judges class `{class}`, and `{claimed}` is claimed", check.name);
        let label = format!("expected `{claimed}`, or nothing");
        let help = Some(format!("write `--class {class}` to claim that of {}", test_plan.name));
        let (code, span) = (Code::DOES_NOT_FIT, check.values.span_of("class"));
        let mistake = Diagnostic { code, message, span, label, help };
        return Err(Refusal::Failure(failure(vec![mistake], scenario.written.texts.clone())));
    }
    Ok(())
}

/// What may have been meant.
fn instead(text: &str, names: &[&str]) -> String {
    match nearest(text, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names.join(", ")),
    }
}

/// The text of a test plan, and how a scenario names it from anywhere.
fn test_plan_text(name: &str) -> Result<(String, String), Refusal> {
    if let Some(text) = embedded(name) {
        return Ok((text.to_owned(), name.to_owned()));
    }
    let path = Path::new(name);
    if path.is_file() {
        let bytes = read_file(path)
            .map_err(|error| Refusal::Message(format!("`{name}` cannot be read: {error}")))?;
        if !(1..=TEST_PLAN_BYTES_MAX).contains(&bytes.len()) {
            let most = TEST_PLAN_BYTES_MAX >> 20;
            let message = format!("`{name}` is refused: it is empty, or larger than {most} MiB");
            return Err(Refusal::Message(message));
        }
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        return Ok((String::from_utf8_lossy(&bytes).into_owned(), path.display().to_string()));
    }
    let names: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
    let help = instead(name, &names);
    Err(Refusal::Message(format!("there is no test plan and no file `{name}`; {help}")))
}

/// The phases of a model, which has to be an electricity meter: test plans play nothing else.
fn phases(kind: &DeviceKind) -> Result<usize, Refusal> {
    kind.fits.phases().ok_or_else(|| {
        let (name, domain) = (kind.entry.name, kind.fits.domain());
        let message = format!("`{name}` measures {domain}; test plans are for electricity meters");
        Refusal::Message(message)
    })
}

fn meter(options: &AccuracyOptions) -> Result<Meter, Refusal> {
    let name = options.meter.as_str();
    if let Some(kind) = DEVICES.iter().find(|kind| kind.entry.name == name) {
        phases(kind)?;
        return Ok(Meter { name: "meter".to_owned(), kind, values: None, claim: None });
    }
    let path = Path::new(name);
    if !path.is_file() {
        let models: Vec<&str> = DEVICES.iter().map(|kind| kind.entry.name).collect();
        let help = instead(name, &models);
        let message = format!("there is no device model and no scenario file `{name}`; {help}");
        return Err(Refusal::Message(message));
    }
    let scenario = Scenario::load(path, &LoadOptions::from_environment());
    let scenario = scenario.map_err(Refusal::Failure)?;
    if !scenario.injections.is_empty() {
        return Err(Refusal::Message(format!(
            "{name} has {}, which would be left out: a test plan plays its own points; take injections \
             out, or write a scenario with `[test_plan]`",
            plural(scenario.injections.len(), "injection")
        )));
    }
    let devices = || scenario.devices.iter();
    let marked: Vec<_> = devices().filter(|row| row.values.boolean("under_test")).collect();
    let row = match (marked.as_slice(), scenario.devices.as_slice()) {
        ([row], _) => *row,
        ([], [row]) => row,
        (marked, all) => {
            return Err(Refusal::Message(format!(
                "{name} has {}, {} of them with `under_test = true`; expected one",
                plural(all.len(), "device"),
                marked.len()
            )));
        }
    };
    let test_plan = scenario.written.single("test_plan");
    let claim = test_plan.map(|values| ((**values).clone(), scenario.written.texts.clone()));
    phases(row.kind)?;
    let (name, values) = (row.name.clone(), Some(Arc::clone(&row.values)));
    Ok(Meter { name, kind: row.kind, values, claim })
}

struct Inputs<'a> {
    options: &'a AccuracyOptions,
    test_plan: &'a TestPlan,
    standard: &'a str,
    meter: &'a Meter,
    connection: Connection,
}

impl Inputs<'_> {
    fn load(&self, ratings: &Ratings) -> Result<Scenario, LoadFailure> {
        let text = self.scenario_text(ratings);
        let own = format!("device.{}.", self.meter.name);
        let overrides = self.options.set.iter().map(|change| match change.strip_prefix("meter.") {
            Some(rest) => format!("{own}{rest}"),
            None => change.clone(),
        });
        let load =
            LoadOptions { overrides: overrides.collect(), ..LoadOptions::from_environment() };
        Scenario::from_bytes(Path::new(MADE), text.as_bytes(), &load)
    }

    fn scenario_text(&self, ratings: &Ratings) -> String {
        let Self { options, test_plan, meter, .. } = self;
        let class = options.class.as_deref().unwrap_or(&test_plan.classes[test_plan.default_class]);
        let mut text = String::from("# Made by `lastmeter accuracy`.\nformat = 1\n\n[scenario]\n");
        let mut line = |args: std::fmt::Arguments<'_>| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{args}");
        };
        let (model, phases) = (meter.kind.entry.name, meter.kind.fits.phases().unwrap_or(0));
        let title = format!("{model} against {}, class {class}", test_plan.title);
        line(format_args!("name = {}", quote(&format!("accuracy-{}", test_plan.name))));
        line(format_args!("title = {}", quote(&title)));
        line(format_args!("\n[test_plan]\nstandard = {}", quote(self.standard)));
        line(format_args!("device = {}\nphases = {phases}", quote(&meter.name)));
        line(format_args!("connection = {}", quote(self.connection.word())));
        line(format_args!("class = {}", quote(class)));
        line(format_args!("{}", ratings.lines().trim_end()));
        let groups = groups_of(options, test_plan, phases);
        let has_flicker = groups.contains(&"flicker");
        if has_flicker && meter.values.is_none() {
            line(format_args!("readings = {}", REPORT_FLICKER.1));
        }
        if !options.tests.is_empty() {
            line(format_args!("tests = {}", list(&options.tests)));
        }
        line(format_args!("\n[[device]]\nname = {}", quote(&meter.name)));
        line(format_args!("at = \"source:{TEST_PLAN_SOURCE}\"\nmodel = {}", quote(model)));
        line(format_args!("under_test = true"));
        line(format_args!("{}", self.keys(ratings, &groups)));
        for test in test_plan.tests.iter().filter(|test| is_selected(options, &test.name)) {
            let name = quote(&test.name);
            line(format_args!(
                "\n[[check]]\nname = {name}\nkind = \"test_plan\"\ntests = [{name}]"
            ));
            line(format_args!("covers = [\"F-10\"]"));
        }
        text
    }

    /// The keys of the meter's table: those it has, or what a test plan needs of a bare model.
    fn keys(&self, ratings: &Ratings, groups: &[&str]) -> String {
        let mut keys: Vec<(String, String)> = match &self.meter.values {
            Some(values) => keys_of(values),
            None => self.usual_keys(groups),
        };
        for (key, value) in &ratings.changed {
            keys.retain(|(known, _)| known != key);
            keys.push(((*key).to_owned(), quote(value)));
        }
        let lines: Vec<String> =
            keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        lines.join("\n")
    }

    fn usual_keys(&self, groups: &[&str]) -> Vec<(String, String)> {
        let fields = self.meter.kind.entry.fields;
        let has = |key: &str| fields.iter().any(|field| field.name == key);
        let mut keys = Vec::new();
        let every = if groups.contains(&"flicker") { REPORT_FLICKER.0 } else { REPORT_EVERY };
        if has("report_every") {
            keys.push(("report_every".to_owned(), quote(every)));
        }
        // What a reading has without being asked is enough for the others.
        let is_more = |group: &&str| ["thd", "harmonics", "unbalance", "flicker"].contains(group);
        if has("quantities") && groups.iter().any(is_more) {
            let usual = ["voltage", "current", "active_power", "frequency", "active_energy"];
            let more = groups.iter().filter(|group| !usual.contains(group));
            let all: Vec<String> = usual.iter().chain(more).map(|&g| g.to_owned()).collect();
            keys.push(("quantities".to_owned(), list(&all)));
        }
        // As the claim has it: starting and no-load tests last as long as pulses are rare.
        if has("pulse_constant") {
            keys.push(("pulse_constant".to_owned(), "100000".to_owned()));
        }
        keys
    }
}

/// What messages call the scenario that is made here.
const MADE: &str = "(made by lastmeter accuracy)";

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", quoted.join(", "))
}

/// The keys of a table, without those that state where the meter is.
fn keys_of(values: &Values) -> Vec<(String, String)> {
    let ours = ["name", "at", "model", "via", "count", "under_test"];
    let table = values.to_toml();
    let keys = table.lines().filter_map(|line| line.split_once(" = "));
    let keys = keys.filter(|(key, _)| !ours.contains(key));
    keys.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The groups of quantities the tests that are played need.
fn groups_of(options: &AccuracyOptions, test_plan: &TestPlan, phases: usize) -> Vec<&'static str> {
    let mut groups = Vec::new();
    for test in test_plan.tests.iter().filter(|test| test.not_played.is_none()) {
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

/// Whether a test is among those that were asked for: all of them unless some are named.
pub(super) fn is_selected(options: &AccuracyOptions, test: &str) -> bool {
    let mut patterns = options.tests.iter().map(|text| Pattern::new(text));
    options.tests.is_empty() || patterns.any(|pattern| pattern.matches(test))
}
