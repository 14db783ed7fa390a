//! What a kind of check is: the row of the registry, the check at work, and what both may ask for.
//!
//! A row has all that is particular to its kind, so that judging never asks for its name: its keys,
//! which tables of the record it is fed, what it needs of the scenario, its section of the report.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use lastmeter_params::{Diagnostics, Entry, Field, Kind, Pattern, Span, Table, Values};
use lastmeter_plans::{calibration, standard};
use lastmeter_record::{
    Event, GridRow, LatencyRow, Observation, RecordError, RunFacts, RunReader, SignalSample,
};
use lastmeter_text::Prose;

use super::demand::{BalancedMeters, Demand};
use super::planned::PlannedBench;
use super::selection::Selection;
use crate::error::RenderError;
use crate::latency::Validity;
use crate::render::collect::{Collected, Judged};
use crate::render::figure::Figure;
use crate::verdict::{Because, Reason, Verdict, unfinished};

/// The keys every `[[check]]` table has, besides those of its kind.
pub static CHECK_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "what verdicts and reports call it"),
    Field::required("kind", Kind::Name, "which check"),
    Field::default("covers", Kind::List(&Kind::Text), "[]", "ids of the requirements it covers"),
];

/// One kind of check.
pub struct CheckKind {
    /// Its word in a scenario, its keys, its help.
    pub entry: Entry,
    /// The name it had before, which is read for as long as scenarios and records have it.
    pub former_name: Option<&'static str>,
    /// Makes the check from its table. `None` if the table makes no sense; `diagnostics` has why.
    pub build: fn(&Values, CheckContext, &mut Diagnostics) -> Option<Box<dyn Check>>,
    /// The tables of the record whose rows it is fed.
    pub tables: &'static [RecordTable],
    /// Without what of the scenario it could judge nothing.
    pub needs: Needs,
    /// Whether a `limit` in % is one of what is reported, so that at 100 % nothing could miss it.
    pub is_limit_of_report: bool,
    /// Whether its `device` may name gateways, which have no readings.
    pub is_about_gateways_too: bool,
    /// Whether it compares what was reported as if each reference, or the instant of each reading,
    /// were exact: where devices declare the spans of their readings it judges nothing.
    pub takes_readings_as_exact: bool,
    /// Whether a check with these keys comes to the same where a rule of `[record]` has left rows
    /// out: one that judges the worst value, or readings as a whole.
    pub takes_thinned: fn(&Values) -> bool,
    /// Whether it reads the folder of the run itself, whatever `tables` names.
    pub reads_folder: bool,
    /// What has to hold of all checks of the kind in one scenario together, which has this plan;
    /// the place is where the scenario names the plan's test plan.
    pub together: Option<RuleOfAll>,
    /// Reports what the planned bench lacks, or has too much of, for the check to judge anything.
    pub fits: fn(&Values, &PlannedBench<'_>, &mut Diagnostics),
    /// Reports elements of the network that it names and that never do anything, once it is known
    /// which do.
    pub elements: fn(&Values, &[String], &mut Diagnostics),
    pub(crate) section: Option<Section>,
}

/// Reports what is wrong with the checks of a kind together.
type RuleOfAll = fn(&standard::Plan, &[&Values], Span, &mut Diagnostics);

impl CheckKind {
    /// A kind with nothing particular, to begin a row with.
    pub(crate) const PLAIN: Self = Self {
        entry: Entry { name: "", summary: "", description: "", fields: &[] },
        former_name: None,
        build: |_, _, _| None,
        tables: &[],
        needs: Needs::Nothing,
        is_limit_of_report: false,
        is_about_gateways_too: false,
        takes_readings_as_exact: false,
        takes_thinned: |_| false,
        reads_folder: false,
        together: None,
        fits: |_, _, _| {},
        elements: |_, _, _| {},
        section: None,
    };

    /// Whether a table of this kind, by its present or its former name, is of it.
    pub fn is_called(&self, name: &str) -> bool {
        self.entry.name == name || self.former_name == Some(name)
    }

    /// Whether it judges how long messages took, for which it has to be known what the bench and
    /// the machine add.
    pub fn needs_floor(&self) -> bool {
        self.tables.contains(&RecordTable::Latency)
    }
}

/// A table of the record, as checks are fed its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordTable {
    /// `events.jsonl`.
    Events,
    /// `observations.csv`.
    Observations,
    /// `signals.csv`.
    Signals,
    /// `grid.csv`.
    Grid,
    /// `latency.csv`.
    Latency,
}

/// What a scenario must have for a check to judge anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing besides devices; what more it takes the check at work states.
    Nothing,
    /// A `[test_plan]`.
    TestPlan,
    /// A `[calibration]`.
    Calibration,
}

#[derive(Clone, Copy)]
pub(crate) struct Section {
    /// Where it stands: smaller numbers come first.
    pub(crate) place: u8,
    /// Makes it, and adds its pictures and tables to the figures. `None` of a run that has nothing
    /// to show in it.
    pub(crate) make: MakeSection,
}

type MakeSection =
    fn(&SectionInput<'_>, &mut Vec<Figure>) -> Result<Option<SectionHtml>, RenderError>;

/// What a section of the report is made from.
pub(crate) struct SectionInput<'a> {
    pub(crate) reader: &'a RunReader,
    /// The scenario's checks and plans, as they were read for judging.
    pub(crate) scenario: &'a ScenarioChecks,
    pub(crate) verdicts: &'a [Verdict],
    pub(crate) accuracy: &'a [Judged<'a>],
    /// What one pass over events and observations gathered.
    pub(crate) collected: &'a Collected,
    /// The end of all time axes, in seconds since the start.
    pub(crate) end_s: f64,
}

impl<'a> SectionInput<'a> {
    /// The checks that were judged, each with what it came to, in the scenario's order.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (&'a dyn Check, &'a Verdict)> {
        self.scenario.judged(self.verdicts)
    }
}

pub(crate) struct SectionHtml {
    pub(crate) html: String,
    /// `measured` or `modelled`, where it shows latency.
    pub(crate) evidence: Option<&'static str>,
}

impl From<String> for SectionHtml {
    fn from(html: String) -> Self {
        Self { html, evidence: None }
    }
}

/// The checks of one scenario and what they are judged by, read once to judge and to report.
pub(crate) struct ScenarioChecks {
    /// The scenario as resolved.
    pub(crate) document: Table,
    /// The plan of its `[test_plan]`.
    pub(crate) plan: Option<Arc<standard::Plan>>,
    pub(crate) calibration: Option<Arc<calibration::Plan>>,
    /// In the scenario's order.
    pub(crate) checks: Vec<ScenarioCheck>,
}

/// One `[[check]]` table, read and built.
pub(crate) struct ScenarioCheck {
    pub(crate) kind: &'static CheckKind,
    /// What it knows about itself.
    pub(crate) context: CheckContext,
    /// The check, with its parameters.
    pub(crate) check: Box<dyn Check>,
}

impl ScenarioChecks {
    /// Those that came to one of these verdicts, each with its own.
    pub(crate) fn judged<'a>(
        &'a self,
        verdicts: &'a [Verdict],
    ) -> impl Iterator<Item = (&'a dyn Check, &'a Verdict)> {
        self.checks.iter().filter_map(move |one| {
            let verdict = verdicts.iter().find(|verdict| verdict.check == one.context.name)?;
            Some((&*one.check, verdict))
        })
    }

    pub(crate) fn of<T: Check>(&self) -> impl Iterator<Item = &T> {
        self.checks.iter().filter_map(|one| as_type(&*one.check))
    }
}

/// The check as its own type, if it is of that one.
pub(crate) fn as_type<T: Check>(check: &dyn Check) -> Option<&T> {
    (check as &dyn Any).downcast_ref()
}

/// The alerts that a check judges.
#[derive(Clone, Debug)]
pub struct JudgedAlerts {
    device: Pattern,
    types: Vec<String>,
}

impl JudgedAlerts {
    /// Those of these devices and types.
    pub fn new<T: Into<String>>(device: &Pattern, types: impl IntoIterator<Item = T>) -> Self {
        Self { device: device.clone(), types: types.into_iter().map(Into::into).collect() }
    }

    /// Whether an alert of this sender and type is among them.
    pub(crate) fn includes(&self, device: &str, kind: &str) -> bool {
        self.device.matches(device) && self.types.iter().any(|own| own == kind)
    }
}

/// What a check knows about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckContext {
    /// Its name in the scenario.
    pub name: String,
    /// The scenario's name.
    pub scenario: String,
    /// Ids of the requirements it covers.
    pub covers: Vec<String>,
    /// The texts of the files that the check's table names, by the names as written there.
    pub files: BTreeMap<String, String>,
    /// The plan of the scenario's `[test_plan]`, if it has one.
    pub plan: Option<Arc<standard::Plan>>,
    /// The plan of the scenario's `[calibration]`, if it has one.
    pub calibration: Option<Arc<calibration::Plan>>,
}

impl CheckContext {
    /// Of a verdict for which nobody has to write a check.
    pub(crate) fn implicit(name: &str, scenario: &str) -> Self {
        let (name, scenario) = (name.to_owned(), scenario.to_owned());
        Self { name, scenario, ..Self::default() }
    }

    /// The same for the check of a table: with its name, and what it covers.
    #[must_use]
    pub fn of(&self, values: &Values) -> Self {
        let covers = values.text_list("covers").into_iter().map(str::to_owned).collect();
        Self { name: values.text("name").to_owned(), covers, ..self.clone() }
    }

    /// A verdict of this check about nothing yet.
    pub fn verdict(&self, reason: Reason, unit: &str, why: impl Into<Prose>) -> Verdict {
        Verdict {
            check: self.name.clone(),
            scenario: self.scenario.clone(),
            status: reason.status(),
            reason,
            measured: None,
            figure: None,
            limit: None,
            limit_low: None,
            unit: unit.to_owned(),
            n: 0,
            bound: None,
            at: None,
            covers: self.covers.clone(),
            why: why.into(),
            told: None,
            devices: None,
            qualification: None,
        }
    }
}

/// A check at work.
pub trait Check: Any + Send {
    /// What it needs of the bench if it is about latency; `None` if it is not.
    fn demand(&self) -> Option<Demand> {
        None
    }

    /// The meters it adds up in the plant's network; `None` if it adds up none.
    fn balances(&self) -> Option<&BalancedMeters> {
        None
    }

    /// The devices whose missing, altered and unexpected readings it judges, each of them; `None`
    /// if it leaves that to others.
    fn accounts_for(&self) -> Option<&Pattern> {
        None
    }

    /// The devices of which it judges whether they obeyed commands; `None` if it leaves that to
    /// others.
    fn accounts_for_commands(&self) -> Option<&Pattern> {
        None
    }

    /// The alerts of which it judges whether they had to come: it fails if the bench's account of
    /// them is not clean. `None` if it leaves that to others.
    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        None
    }

    /// The messages whose delays it judges; `None` if it is not about delays.
    fn messages(&self) -> Option<&Selection> {
        None
    }

    /// Why it could judge nothing of a run on a machine with this floor; `None` if it could.
    fn is_not_measurable(&self, _validity: &Validity) -> Option<Because> {
        None
    }

    /// Whether it looks at readings of devices; of a kind that does, one may look at the plant.
    fn is_about_readings(&self) -> bool {
        true
    }

    /// Takes the facts of the run before the record is fed to it.
    fn begin(&mut self, _facts: &RunFacts) {}

    /// Takes the next value of the record.
    fn observation(&mut self, _observation: &Observation<'_>) {}

    /// Takes the next event of the record, with its line in `events.jsonl`, from 1.
    fn event(&mut self, _line: u64, _event: &Event) {}

    /// Takes the next sample of a signal: after all values and events, or, while the run goes on,
    /// with them.
    fn signal(&mut self, _sample: &SignalSample<'_>) {}

    /// Takes the next step of the plant's network: after all values and events, before latency, or,
    /// while the run goes on, before them all.
    fn grid(&mut self, _row: &GridRow) {}

    /// Takes the next latency row of the record, after all values and events.
    fn latency(&mut self, _row: &LatencyRow<'_>) {}

    /// Takes the whole run folder, once the record is complete and was fed to it.
    ///
    /// # Errors
    /// If the folder cannot be looked at.
    fn judge_folder(&mut self, _folder: &Path) -> Result<(), RecordError> {
        Ok(())
    }

    /// What it concludes from the record so far, given how far the run got. What was never seen
    /// because the run ended early is inconclusive, not a failure; what was seen and is wrong
    /// fails.
    fn verdict(&self, facts: &RunFacts) -> Verdict;
}

/// Holds a verdict to the rules that bind every check: a run that did not get to its end passes
/// nothing, and a figure that is no number is not written as one.
pub(crate) fn finish(mut verdict: Verdict, facts: &RunFacts) -> Verdict {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    verdict.measured = finite(verdict.measured);
    verdict.limit = finite(verdict.limit);
    verdict.limit_low = finite(verdict.limit_low);
    verdict.bound = finite(verdict.bound);
    let Some((reason, what)) = unfinished(facts) else { return verdict };
    if verdict.status <= reason.status() {
        verdict.set_reason(reason);
        verdict.why = format!("{what}; until then {}", verdict.why).into();
    }
    verdict
}

/// Why a pass is none where the input of these devices may exceed their converters' range.
pub(crate) fn beyond_range(devices: &BTreeSet<String>, otherwise: impl fmt::Display) -> String {
    let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
    format!(
        "the input of {} may exceed the converter's range, which is modelled with \
         fidelity = \"samples\" only; use it, or see the ratios and nominal values of the device; \
         otherwise {otherwise}",
        devices.join(", ")
    )
}
