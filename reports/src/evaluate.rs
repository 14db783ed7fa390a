//! Judging a run: the checks of its scenario, fed with its record.

use std::collections::BTreeMap;
use std::path::Path;

use crate::accounts::alerts::{AlertAccountant, UNJUDGED_ALERTS};
use crate::accounts::answers::{AnswerAccountant, PLATFORM_ANSWERS};
use crate::accounts::readings::{ReadingAccountant, UNJUDGED_READINGS};
use crate::check::kind::{Check, CheckContext, RecordTable, ScenarioCheck, ScenarioChecks};
use crate::checks::command_ack::{UNJUDGED_COMMANDS, Unjudged};
use crate::error::EvaluateError;
use crate::evaluation::Evaluation;
use crate::kept::judged_before;
use crate::latency::Validity;
use crate::verdict::{Because, Reason, Verdict};
use lastmeter_record::Status;
use lastmeter_record::{
    Account, Event, EventKind, Floor, Found, GridRow, LatencyRow, Observation, RecordError,
    RunFacts, RunReader, RunState, SignalSample, SimulatorFacts, changed, changed_aggregates,
    changed_waveforms, field, file, write_facts, write_whole,
};

/// The checks of one scenario at work. The runner keeps one of its run to show verdicts so far
/// ([`Self::of_run`]); the final word is [`evaluate`]'s.
pub struct Judge {
    checks: Vec<ScenarioCheck>,
    /// Commands that none of them is about.
    unjudged: Unjudged,
    accountant: ReadingAccountant,
    notices: AlertAccountant,
    answers: AnswerAccountant,
    /// The first device with a value whose reference has a spread.
    uncertain: Option<String>,
    /// The first attack of the run that did nothing.
    idle_attack: Option<String>,
    scenario: String,
    lines: u64,
}

impl Judge {
    /// The checks of a run that has begun, by its scenario as resolved: with the facts of the run,
    /// and ready for its record.
    pub fn of_run(facts: &RunFacts, scenario_toml: &str) -> Result<Self, EvaluateError> {
        let mut judge = Self::with_files(&facts.scenario, scenario_toml, &facts.files)?;
        for one in &mut judge.checks {
            one.check.begin(facts);
        }
        Ok(judge)
    }

    /// The checks that could judge nothing on a machine with this floor, and why.
    pub fn not_measurable(&self, floor: &Floor) -> Vec<(String, Because)> {
        let validity = Validity::of_floor(floor);
        let of = |one: &ScenarioCheck| {
            Some((one.context.name.clone(), one.check.is_not_measurable(&validity)?))
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
        let scenario_checks = ScenarioChecks::read(scenario, scenario_toml, files)?;
        let checks = || scenario_checks.checks.iter().map(|one| &one.check);
        let commands = checks().filter_map(|check| check.accounts_for_commands().cloned());
        let is_calibration = scenario_checks.calibration.is_some();
        let unjudged = Unjudged::new(scenario, commands.collect(), is_calibration);
        let alerts = checks().filter_map(|check| check.accounts_for_alerts());
        let notices = AlertAccountant::new(scenario, alerts.collect());
        let readings = checks().filter_map(|check| check.accounts_for().cloned());
        let accountant = ReadingAccountant::new(scenario, readings.collect());
        let (checks, answers) = (scenario_checks.checks, AnswerAccountant::default());
        let scenario = scenario.to_owned();
        Ok(Self {
            checks,
            unjudged,
            accountant,
            notices,
            answers,
            uncertain: None,
            idle_attack: None,
            scenario,
            lines: 0,
        })
    }

    /// Hands a row of a table to those checks that are fed it.
    fn feed(&mut self, table: RecordTable, mut row: impl FnMut(&mut dyn Check)) {
        for one in self.checks.iter_mut().filter(|one| one.kind.tables.contains(&table)) {
            row(&mut *one.check);
        }
    }

    /// Takes the next value of the record.
    pub fn observation(&mut self, observation: &Observation<'_>) {
        self.accountant.observation(observation);
        if self.uncertain.is_none() && observation.span.is_some_and(|span| span.is_uncertain()) {
            self.uncertain = Some(observation.device.to_owned());
        }
        self.feed(RecordTable::Observations, |check| check.observation(observation));
    }

    /// Takes the next event of the record.
    pub fn event(&mut self, event: &Event) {
        self.lines += 1;
        let line = self.lines;
        if self.notices.is_repetition(event) {
            return;
        }
        self.feed(RecordTable::Events, |check| check.event(line, event));
        let idle = || [field::SENT, field::DESTROYED].iter().all(|it| event.number(it) == Some(0));
        if event.kind == EventKind::Attacked && self.idle_attack.is_none() && idle() {
            self.idle_attack = Some(event.text(field::ATTACK).unwrap_or_default().to_owned());
        }
        self.notices.event(self.lines, event);
        self.unjudged.event(self.lines, event);
        self.accountant.event(self.lines, event);
        self.answers.event(self.lines, event);
    }

    /// Takes the next sample of a signal.
    pub fn signal(&mut self, sample: &SignalSample<'_>) {
        self.feed(RecordTable::Signals, |check| check.signal(sample));
    }

    /// Takes the next step of the plant's network.
    pub fn grid(&mut self, row: &GridRow) {
        self.feed(RecordTable::Grid, |check| check.grid(row));
    }

    /// Takes the next latency row of the record.
    pub fn latency(&mut self, row: &LatencyRow<'_>) {
        self.feed(RecordTable::Latency, |check| check.latency(row));
    }

    /// What the checks conclude from the record so far, in the scenario's order, and behind them
    /// what no check is about and must not be passed over.
    pub fn verdicts(&self, facts: &RunFacts) -> Vec<Verdict> {
        if facts.state == RunState::Skipped {
            let why = facts.cause.as_deref().unwrap_or("the run was skipped");
            let skipped = |context: &CheckContext| context.verdict(Reason::RunSkipped, "1", why);
            return self.checks.iter().map(|one| skipped(&one.context)).collect();
        }
        let commands = self.unjudged.verdict(facts);
        let readings = self.accountant.verdict(facts);
        let alerts = self.notices.verdict(facts);
        let checks = self.checks.iter().map(|one| self.verdict_of(one, facts));
        let answers = self.answers.verdict(&self.scenario, facts);
        checks.chain(commands).chain(readings).chain(alerts).chain(answers).collect()
    }

    /// What one check concludes, unless it cannot take what is known of the references.
    fn verdict_of(&self, one: &ScenarioCheck, facts: &RunFacts) -> Verdict {
        let mut verdict = one.check.verdict(facts);
        let decides = matches!(verdict.status, Status::Pass | Status::Fail);
        let is_exact = one.kind.takes_readings_as_exact && one.check.is_about_readings();
        if let (Some(device), true, true) = (&self.uncertain, decides, is_exact) {
            verdict.set_reason(Reason::SpreadNotTaken);
            verdict.why = format!(
                "readings of {device} have declared spans, over which the reference differs, and \
                 `{}` takes each as exact; use `accuracy`, or devices that announce their spans; \
                 otherwise {}",
                one.kind.entry.name, verdict.why
            )
            .into();
        }
        let simulators = facts.real_time.iter().flat_map(|real| &real.simulators);
        let late = simulators.filter(|simulator| simulator.steps.missed > 0);
        if let (Some(SimulatorFacts { name, steps }), Status::Pass) =
            (late.max_by_key(|simulator| simulator.steps.missed), verdict.status)
        {
            verdict.set_reason(Reason::DeadlinesMissed);
            verdict.why = format!(
                "simulator {name} missed {} of {} steps, the worst {:.3} s late: it was not played \
                 in real time; otherwise {}",
                steps.missed,
                steps.scheduled,
                steps.worst_ns as f64 / 1e9,
                verdict.why
            )
            .into();
        }
        if let (Some(attack), Status::Pass) = (&self.idle_attack, verdict.status) {
            verdict.set_reason(Reason::ShowsNothing);
            let why = &verdict.why;
            verdict.why = format!(
                "the attack `{attack}` sent and destroyed nothing, so nothing was tried; otherwise \
                 {why}"
            )
            .into();
        }
        self.notices.held_against(&*one.check, verdict)
    }

    /// What became of the readings that were due, of alerts and of answers, in the record so far.
    pub fn account(&self) -> Account {
        self.notices.add_to(self.accountant.account())
    }

    /// Lets checks look at the whole folder.
    fn judge_folder(&mut self, dir: &Path) -> Result<(), RecordError> {
        self.checks.iter_mut().try_for_each(|one| one.check.judge_folder(dir))
    }

    /// The verdicts of a run whose record cannot be read, or not be trusted.
    fn errors(&self, reason: Reason, why: &str) -> Vec<Verdict> {
        self.checks.iter().map(|one| one.context.verdict(reason, "1", why)).collect()
    }
}

/// The names of verdicts that nobody has to write a check for: they are there where something
/// happened that no check is about.
pub const IMPLICIT_CHECKS: [&str; 4] =
    [UNJUDGED_COMMANDS, UNJUDGED_READINGS, UNJUDGED_ALERTS, PLATFORM_ANSWERS];

impl Evaluation {
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
    if let Some(hash) = facts.removed_behind.clone() {
        return Ok(judged_before(dir, facts, &hash));
    }
    let scenario_toml = reader.scenario_toml()?;
    let mut judge = Judge::of_run(&facts, &scenario_toml)?;
    let (unreadable, found) = match feed(&reader, &mut judge) {
        Ok(found) => (None, found),
        Err(error) => (Some(format!("the record cannot be read: {error}")), Vec::new()),
    };
    judge.judge_folder(dir)?;
    let is_sealed = facts.hashes.contains_key(file::GRID_WAVEFORMS);
    let changed = changed(&facts, &scenario_toml, &found)
        .or_else(|| changed_waveforms(dir).filter(|_| is_sealed))
        .or_else(|| changed_aggregates(dir, &facts));
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
    let reader = reader.hashing();
    let mut events = reader.events()?;
    let mut observations = reader.observations()?;
    for event in &mut events {
        let (_, event) = event?;
        judge.event(&event);
    }
    let mut rows = 0;
    while let Some(observation) = observations.next_row()? {
        judge.observation(&observation);
        rows += 1;
    }
    // What `run.json` lists and is not there counts as a file without lines.
    let absent = |file| Found { file, lines: 0, sha256: None, torn: None };
    let mut found = vec![events.found(), observations.found(rows)];
    let is_missing = reader.facts().spans.is_some();
    found.extend(observations.found_spans().or(is_missing.then(|| absent(file::SPANS))));
    macro_rules! feed_table {
        ($table:ident, $take:ident, $file:expr) => {
            if let Some(mut table) = reader.$table()? {
                let mut rows = 0;
                while let Some(row) = table.next_row()? {
                    judge.$take(&row);
                    rows += 1;
                }
                found.push(table.found(rows));
            } else if reader.facts().$table.is_some() {
                found.push(absent($file));
            }
        };
    }
    feed_table!(signals, signal, file::SIGNALS);
    feed_table!(grid, grid, file::GRID);
    if reader.grid()?.is_some() {
        found.push(reader.found_table(file::GRID_LOADS)?);
        found.push(reader.found_table(file::GRID_VOLTAGES)?);
        for optional in file::GRID_OPTIONAL {
            if reader.facts().hashes.contains_key(optional) {
                found.push(reader.found_table(optional)?);
            }
        }
    }
    feed_table!(latency, latency, file::LATENCY);
    Ok(found)
}
