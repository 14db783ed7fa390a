//! Judging a run: the checks of its scenario, fed with its record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lastmeter_params::{
    Code, Diagnostic, Diagnostics, Node, NodeValue, SourceId, Table, Values, nearest,
    parse_document, read_table_of,
};

use crate::account::{Accountant, UNJUDGED_READINGS};
use crate::answers::{Answers, PLATFORM_ANSWERS};
use crate::check::command_ack::{UNJUDGED_COMMANDS, Unjudged};
use crate::check::{CHECK_FIELDS, CHECKS, Check, CheckContext};
use crate::exit::ExitCode;
use crate::latency::Validity;
use crate::verdict::{Because, Reason, Verdict};
use lastmeter_params::Pattern;
use lastmeter_plans::{calibration, standard};
use lastmeter_record::{
    Account, Event, Floor, Found, GridRow, LatencyRow, Observation, RecordError, RunFacts,
    RunReader, RunState, Torn, changed, file, write_facts, write_whole,
};
use lastmeter_record::{Counts, Status};

/// Why a run could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The `[[check]]` tables of the scenario make no sense to this version.
    #[error("{}", list(.0))]
    Scenario(Vec<Diagnostic>),
}

fn list(diagnostics: &[Diagnostic]) -> String {
    let told: Vec<String> =
        diagnostics.iter().map(|d| format!("scenario.toml: {}: {}", d.code, d.message)).collect();
    told.join("\n")
}

/// The checks of one scenario at work. The runner keeps one of its run to show verdicts so far
/// ([`Self::of_run`]); the final word is [`evaluate`]'s.
pub struct Judge {
    checks: Vec<(CheckContext, Box<dyn Check>)>,
    /// Commands that none of them is about; a calibration judges its own.
    unjudged: Option<Unjudged>,
    accountant: Accountant,
    answers: Answers,
    scenario: String,
    lines: u64,
}

impl Judge {
    /// The checks of a run that has begun, by its scenario as resolved: told about the run, and
    /// ready for its record.
    pub fn of_run(facts: &RunFacts, scenario_toml: &str) -> Result<Self, EvaluateError> {
        let mut judge = Self::with_files(&facts.scenario, scenario_toml, &facts.files)?;
        for (_, check) in &mut judge.checks {
            check.begin(facts);
        }
        Ok(judge)
    }

    /// The checks that could say nothing on a machine with this floor, and why.
    pub fn not_measurable(&self, floor: &Floor) -> Vec<(String, Because)> {
        let validity = Validity::of_floor(floor);
        let of = |(context, check): &(CheckContext, Box<dyn Check>)| {
            Some((context.name.clone(), check.is_not_measurable(&validity)?))
        };
        self.checks.iter().filter_map(of).collect()
    }

    /// The checks of a scenario as resolved, for the scenario's name: whether they make sense.
    /// They know of no run, so those that have to cannot judge one.
    pub fn new(scenario: &str, scenario_toml: &str) -> Result<Self, EvaluateError> {
        Self::with_files(scenario, scenario_toml, &BTreeMap::new())
    }

    /// Like [`Self::new`], with the texts of the files that checks name, by the names as written.
    pub fn with_files(
        scenario: &str,
        scenario_toml: &str,
        files: &BTreeMap<String, String>,
    ) -> Result<Self, EvaluateError> {
        let mut diagnostics = Diagnostics::new();
        let document = parse_document(scenario_toml, SourceId::FILE, &mut diagnostics);
        let plan = standard::plan_of(&document, files, &mut diagnostics).map(Arc::new);
        let about = CheckContext {
            scenario: scenario.to_owned(),
            files: files.clone(),
            plan,
            calibration: calibration::plan_of(&document, &mut diagnostics).map(Arc::new),
            ..CheckContext::default()
        };
        let unjudged = about.calibration.is_none().then(|| {
            let tables = check_tables(&document).into_iter().filter_map(|node| match &node.value {
                NodeValue::Table(table) => Some(table),
                _ => None,
            });
            let commands = tables.filter(|table| table.text("kind") == Some("command_ack"));
            let patterns = commands.map(|table| Pattern::new(table.text("device").unwrap_or("*")));
            Unjudged::new(scenario, patterns.collect())
        });
        let checks: Vec<_> = check_tables(&document)
            .into_iter()
            .filter_map(|node| build(node, &about, &mut diagnostics))
            .collect();
        let judged = checks.iter().filter_map(|(_, check)| check.accounts_for().cloned());
        let accountant = Accountant::new(scenario, judged.collect());
        if diagnostics.is_empty() {
            let (scenario, answers) = (scenario.to_owned(), Answers::default());
            Ok(Self { checks, unjudged, accountant, answers, scenario, lines: 0 })
        } else {
            Err(EvaluateError::Scenario(diagnostics.into_sorted()))
        }
    }

    /// Takes the next value of the record.
    pub fn observation(&mut self, observation: &Observation<'_>) {
        self.accountant.observation(observation);
        for (_, check) in &mut self.checks {
            check.observation(observation);
        }
    }

    /// Takes the next event of the record.
    pub fn event(&mut self, event: &Event) {
        self.lines += 1;
        for (_, check) in &mut self.checks {
            check.event(self.lines, event);
        }
        if let Some(unjudged) = &mut self.unjudged {
            unjudged.event(self.lines, event);
        }
        self.accountant.event(self.lines, event);
        self.answers.event(self.lines, event);
    }

    /// Takes the next step of the plant's network.
    pub fn grid(&mut self, row: &GridRow) {
        for (_, check) in &mut self.checks {
            check.grid(row);
        }
    }

    /// Takes the next latency row of the record.
    pub fn latency(&mut self, row: &LatencyRow<'_>) {
        for (_, check) in &mut self.checks {
            check.latency(row);
        }
    }

    /// What the checks say of the record so far, in the scenario's order, and behind them what no
    /// check is about and must not be passed over.
    pub fn verdicts(&self, facts: &RunFacts) -> Vec<Verdict> {
        if facts.state == RunState::Skipped {
            let why = facts.cause.as_deref().unwrap_or("the run was skipped");
            let skipped = |context: &CheckContext| context.verdict(Reason::RunSkipped, "1", why);
            return self.checks.iter().map(|(context, _)| skipped(context)).collect();
        }
        let commands = self.unjudged.as_ref().and_then(|unjudged| unjudged.verdict(facts));
        let readings = self.accountant.verdict(facts);
        let checks = self.checks.iter().map(|(_, check)| check.verdict(facts));
        let answers = self.answers.verdict(&self.scenario, facts);
        checks.chain(commands).chain(readings).chain(answers).collect()
    }

    /// What became of the readings that were due, in the record so far.
    pub fn account(&self) -> Account {
        self.accountant.account()
    }

    /// What the checks say of a run whose record cannot be read, or not be trusted.
    fn errors(&self, reason: Reason, why: &str) -> Vec<Verdict> {
        self.checks.iter().map(|(context, _)| context.verdict(reason, "1", why)).collect()
    }
}

/// The `[[check]]` tables of a scenario.
pub(crate) fn check_tables(document: &Table) -> Vec<&Node> {
    match document.get("check").map(|node| &node.value) {
        Some(NodeValue::Array(list)) => list.iter().collect(),
        _ => Vec::new(),
    }
}

/// Reads the keys of one `[[check]]` table: those all have, and those of its kind.
pub(crate) fn read_check(
    node: &Node,
    diagnostics: &mut Diagnostics,
) -> Option<(&'static crate::check::CheckKind, Values)> {
    let NodeValue::Table(table) = &node.value else {
        diagnostics.report(
            Code::WRONG_KIND,
            node.span,
            "a check is not a table",
            "expected [[check]]",
        );
        return None;
    };
    let name = table.text("kind").unwrap_or_default();
    let names = || CHECKS.iter().map(|kind| kind.entry.name);
    let Some(kind) = CHECKS.iter().find(|kind| kind.entry.name == name) else {
        let span = table.get("kind").map_or(node.span, |kind| kind.span);
        let help = nearest(name, names()).map(|near| format!("did you mean `{near}`?"));
        diagnostics.report_with_help(
            Code::UNKNOWN_THING,
            span,
            format!("unknown check kind `{name}`"),
            format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            help,
        );
        return None;
    };
    let values = read_table_of(table, node.span, &[CHECK_FIELDS, kind.entry.fields], diagnostics)?;
    Some((kind, values))
}

fn build(
    node: &Node,
    about: &CheckContext,
    diagnostics: &mut Diagnostics,
) -> Option<(CheckContext, Box<dyn Check>)> {
    let (kind, values) = read_check(node, diagnostics)?;
    let context = CheckContext {
        name: values.text("name").to_owned(),
        covers: values.text_list("covers").into_iter().map(str::to_owned).collect(),
        ..about.clone()
    };
    let check = (kind.build)(&values, context.clone(), diagnostics)?;
    Some((context, check))
}

/// The names of verdicts that nobody has to write a check for: they are there where something
/// happened that no check is about.
pub const IMPLICIT_CHECKS: [&str; 3] = [UNJUDGED_COMMANDS, UNJUDGED_READINGS, PLATFORM_ANSWERS];

/// What a run is worth.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What `run.json` says.
    pub facts: RunFacts,
    /// What the checks say, in the scenario's order.
    pub verdicts: Vec<Verdict>,
    /// What became of the readings that were due.
    pub account: Account,
    /// Files whose last line was torn.
    pub torn: Vec<Torn>,
    /// What could not be read, if so; then every verdict is an error.
    pub unreadable: Option<String>,
    /// In what the record differs from what the run wrote, if so; then too every verdict is an
    /// error.
    pub changed: Option<String>,
}

impl Evaluation {
    /// How many checks ended with each status.
    pub fn counts(&self) -> Counts {
        Counts::of(self.verdicts.iter().map(|verdict| verdict.status))
    }

    /// Whether the record could be read and is, as far as can be told, what the run wrote. That of
    /// a run that never finished its record may end early.
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_none() && self.changed.is_none()
    }

    /// The exit code of this run alone.
    pub fn exit_code(&self) -> ExitCode {
        match ExitCode::of_run(self.facts.state, self.counts()) {
            ExitCode::Interrupted => {
                self.facts.signal.map_or(ExitCode::Interrupted, ExitCode::of_signal)
            }
            // Without checks there is no verdict that could be an error.
            ExitCode::NothingEvaluated if !self.is_whole() => ExitCode::Broken,
            code => code,
        }
    }

    /// The status of the whole run; error if the bench broke or the record is not whole, at best
    /// inconclusive if the run did not get to its end or nothing was checked.
    pub fn status(&self) -> Status {
        if !self.is_whole() {
            return Status::Error;
        }
        let checks = self.counts().status();
        match self.facts.state {
            RunState::Finished => checks.unwrap_or(Status::Inconclusive),
            RunState::Error => Status::Error,
            RunState::Skipped => Status::Skipped,
            RunState::Interrupted | RunState::Stopped | RunState::Running => {
                checks.unwrap_or(Status::Inconclusive).max(Status::Inconclusive)
            }
        }
    }

    /// Writes `verdicts.json`; if the record is finished also the exit code and the counts into
    /// `run.json`; and `junit.xml` last: whoever finds one finds a run that has all of it.
    pub fn write(&self, dir: &Path) -> Result<(), RecordError> {
        write_whole(&dir.join(file::VERDICTS), &verdicts_json(&self.verdicts))?;
        // A running process owns its run.json.
        if self.facts.state != RunState::Running {
            let mut facts = self.facts.clone();
            facts.exit_code = Some(self.exit_code().number());
            facts.verdicts = Some(self.counts());
            facts.account = Some(self.account);
            write_facts(dir, &facts)?;
        }
        let junit = crate::junit::of_runs(&self.facts.scenario, [self]);
        write_whole(&dir.join(file::JUNIT), junit.as_bytes())?;
        Ok(())
    }
}

/// The bytes of `verdicts.json`.
pub fn verdicts_json(verdicts: &[Verdict]) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(verdicts)
        .expect("a verdict is text, finite numbers and nothing else");
    bytes.push(b'\n');
    bytes
}

/// Judges a run by its folder alone.
///
/// A line of the record that cannot be read (other than the torn last one of a run that never
/// finished its record) turns every verdict into an error, and so does a record that is not what
/// the run wrote: rows or events are missing or more, or a hash in `run.json` does not fit. Only a
/// folder that is no run folder at all, or whose checks cannot be understood, is an `Err`.
pub fn evaluate(dir: &Path) -> Result<Evaluation, EvaluateError> {
    let reader = RunReader::open(dir)?;
    let facts = reader.facts().clone();
    let scenario_toml = reader.scenario_toml()?;
    let mut judge = Judge::of_run(&facts, &scenario_toml)?;
    let (unreadable, found) = match feed(&reader, &mut judge) {
        Ok(found) => (None, found),
        Err(error) => (Some(format!("the record cannot be read: {error}")), Vec::new()),
    };
    let changed = changed(&facts, &scenario_toml, &found);
    let torn = found.iter().filter_map(|found| found.torn).collect();
    let verdicts = match (&unreadable, &changed) {
        (Some(why), _) => judge.errors(Reason::RecordUnreadable, why),
        (None, Some(why)) => judge.errors(Reason::RecordChanged, why),
        (None, None) => judge.verdicts(&facts),
    };
    let account = judge.account();
    Ok(Evaluation { facts, verdicts, account, torn, unreadable, changed })
}

/// Reads the record to its end: every file once, hashed on the way.
fn feed(reader: &RunReader, judge: &mut Judge) -> Result<Vec<Found>, RecordError> {
    let mut events = reader.open_events(true)?;
    let mut observations = reader.open_observations(true)?;
    for event in &mut events {
        let (_, event) = event?;
        judge.event(&event);
    }
    let mut rows = 0;
    while let Some(observation) = observations.next_row()? {
        judge.observation(&observation);
        rows += 1;
    }
    let mut found = vec![events.found(), observations.found(rows)];
    if let Some(mut grid) = reader.open_grid(true)? {
        let mut rows = 0;
        while let Some(row) = grid.next_row()? {
            judge.grid(&row);
            rows += 1;
        }
        found.push(grid.found(rows));
        found.push(reader.found_table(file::GRID_LOADS)?);
        found.push(reader.found_table(file::GRID_VOLTAGES)?);
        for picture in [file::GRID_HEAVIEST, file::GRID_HIGHEST] {
            if reader.facts().hashes.contains_key(picture) {
                found.push(reader.found_table(picture)?);
            }
        }
    } else if reader.facts().grid.is_some() {
        found.push(Found { file: file::GRID, lines: 0, sha256: None, torn: None });
    }
    if let Some(mut latency) = reader.open_latency(true)? {
        let mut rows = 0;
        while let Some(row) = latency.next_row()? {
            judge.latency(&row);
            rows += 1;
        }
        found.push(latency.found(rows));
    } else if reader.facts().latency.is_some() {
        found.push(Found { file: file::LATENCY, lines: 0, sha256: None, torn: None });
    }
    Ok(found)
}
