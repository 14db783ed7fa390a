//! The checks: what may stand in a `[[check]]` table, and how the record is judged by it.
//!
//! A check is fed the record in its order and keeps a bounded summary of it; it may be asked for
//! its verdict at any time, so progress can be shown while a run goes on. One file per check, one
//! line in [`CHECKS`].

pub mod accuracy;
pub(crate) mod calibration;
pub(crate) mod command_ack;
pub mod delivery;
mod demand;
mod energy_balance;
mod jitter;
mod latency;
mod no_loss;
pub(crate) mod published;
pub(crate) mod published_table;
mod recovery;
mod refused;
pub(crate) mod rows;
mod select;
mod share;
pub(crate) mod suite;

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_params::Pattern;
use lastmeter_params::{Diagnostics, Entry, Field, Kind, Values};

use crate::latency::Validity;
use crate::verdict::{Because, Reason, Verdict};
use lastmeter_plans::standard::Plan;
use lastmeter_record::{Event, GridRow, LatencyRow, Observation, RunFacts, RunState};

pub use demand::Demand;
pub use published_table::each_row_has_its_check;
pub(crate) use select::ByDevice;

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
    /// Makes the check from its table. `None` if the table makes no sense; `diagnostics` has why.
    pub build: fn(&Values, CheckContext, &mut Diagnostics) -> Option<Box<dyn Check>>,
}

/// Every kind of check.
pub static CHECKS: &[CheckKind] = &[
    accuracy::KIND,
    no_loss::KIND,
    command_ack::KIND,
    refused::KIND,
    latency::KIND,
    jitter::KIND,
    recovery::KIND,
    published::KIND,
    published_table::KIND,
    suite::KIND,
    calibration::KIND,
    energy_balance::KIND,
];

/// What a check is told about itself.
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
    /// The plan of the scenario's `[suite]`, if it has one.
    pub plan: Option<Arc<Plan>>,
    /// The plan of the scenario's `[calibration]`, if it has one.
    pub calibration: Option<Arc<lastmeter_plans::calibration::Plan>>,
}

impl CheckContext {
    /// A verdict of this check about nothing yet.
    pub fn verdict(&self, reason: Reason, unit: &str, why: impl Into<String>) -> Verdict {
        Verdict {
            check: self.name.clone(),
            scenario: self.scenario.clone(),
            status: reason.status(),
            reason,
            measured: None,
            limit: None,
            limit_low: None,
            unit: unit.to_owned(),
            n: 0,
            bound: None,
            at: None,
            covers: self.covers.clone(),
            why: why.into(),
            told: None,
            qualification: None,
        }
    }
}

/// A check at work.
pub trait Check: Send {
    /// What it needs of the bench if it is about latency; `None` if it is not.
    fn demand(&self) -> Option<Demand> {
        None
    }

    /// The devices whose missing, altered and unexpected readings it judges, each of them; `None`
    /// if it leaves that to others.
    fn accounts_for(&self) -> Option<&Pattern> {
        None
    }

    /// Why it could say nothing of a run on a machine with this floor; `None` if it could.
    fn is_not_measurable(&self, _validity: &Validity) -> Option<Because> {
        None
    }

    /// Is told about the run before the record is fed to it.
    fn begin(&mut self, _facts: &RunFacts) {}

    /// Takes the next value of the record.
    fn observation(&mut self, _observation: &Observation<'_>) {}

    /// Takes the next event of the record, with its line in `events.jsonl`, from 1.
    fn event(&mut self, _line: u64, _event: &Event) {}

    /// Takes the next step of the plant's network: after all values and events, before latency, or,
    /// while the run goes on, before them all.
    fn grid(&mut self, _row: &GridRow) {}

    /// Takes the next latency row of the record, after all values and events.
    fn latency(&mut self, _row: &LatencyRow<'_>) {}

    /// What it says of the record so far, given how far the run got. What was never seen because
    /// the run ended early is inconclusive, not a failure; what was seen and is wrong fails.
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
        verdict.why = format!("{what}; until then {}", verdict.why);
    }
    verdict
}

/// What a run that did not run to its end comes to at best, and why; `None` of one that did.
pub(crate) fn unfinished(facts: &RunFacts) -> Option<(Reason, String)> {
    let (reason, what) = match facts.state {
        RunState::Finished => return None,
        RunState::Interrupted => (Reason::Unfinished, "the run was interrupted"),
        RunState::Stopped => (Reason::Unfinished, "the run was stopped"),
        RunState::Running => (Reason::Unfinished, "the run never finished its record"),
        RunState::Error => (Reason::BenchBroke, "the bench broke"),
        RunState::Skipped => (Reason::RunSkipped, "the run was skipped"),
    };
    let cause = facts.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    Some((reason, format!("{what}{cause}")))
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of the checks have in common.

    use lastmeter_params::read_text;
    use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

    use super::*;
    use lastmeter_record::TimeMode;

    pub(crate) const START: SimTime = SimTime(1_800_000_000_000_000_000);

    /// The instant some seconds after the start.
    pub(crate) fn at(seconds: i64) -> SimTime {
        START + SimDuration::from_seconds(seconds)
    }

    /// A check from the keys of its kind, or the messages about them.
    pub(crate) fn try_check(kind: &str, toml: &str) -> Result<Box<dyn Check>, Vec<String>> {
        let kind = CHECKS.iter().find(|check| check.entry.name == kind).unwrap();
        let messages = |list: Vec<lastmeter_params::Diagnostic>| {
            list.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>()
        };
        let values = read_text(toml, &[kind.entry.fields]).map_err(messages)?;
        let context = CheckContext {
            name: "c".to_owned(),
            scenario: "s".to_owned(),
            covers: vec!["F-04".to_owned()],
            files: BTreeMap::new(),
            plan: None,
            calibration: None,
        };
        let mut diagnostics = Diagnostics::new();
        let check = (kind.build)(&values, context, &mut diagnostics);
        let found = messages(diagnostics.into_sorted());
        check.filter(|_| found.is_empty()).ok_or(found)
    }

    pub(crate) fn check(kind: &str, toml: &str) -> Box<dyn Check> {
        try_check(kind, toml).unwrap()
    }

    /// The facts of a run of ten minutes in this state.
    pub(crate) fn facts(state: RunState) -> RunFacts {
        let json = serde_json::json!({
            "format_version": 1, "state": state, "scenario": "s", "seed": 1,
            "time": TimeMode::Virtual, "start": START, "end": at(600),
            "recorded_until": at(600), "started": START,
        });
        serde_json::from_value(json).unwrap()
    }

    pub(crate) fn id(name: &str) -> MeasurementId {
        MeasurementId::lookup(name).unwrap()
    }

    /// A value of reading number `serial` of a device that reports every 10 s.
    pub(crate) fn row<'a>(
        device: &'a str,
        serial: u64,
        quantity: &str,
        reference: Option<f64>,
        reported: Option<f64>,
    ) -> Observation<'a> {
        Observation {
            device,
            epoch: Some(Epoch(1)),
            serial: Some(Serial(serial)),
            quantity: id(quantity),
            event_time: at(10 * serial as i64),
            reference,
            reported,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::facts;
    use super::*;
    use lastmeter_record::Status;

    #[test]
    fn each_kind_is_named_once_and_documented() {
        let mut names: Vec<_> = CHECKS.iter().map(|kind| kind.entry.name).collect();
        names.sort_unstable();
        names.dedup();
        let expected = [
            "accuracy",
            "calibration",
            "command_ack",
            "energy_balance",
            "jitter",
            "latency",
            "no_loss",
            "published",
            "published_table",
            "recovery",
            "refused",
            "suite",
        ];
        assert_eq!(names, expected);
        for kind in CHECKS {
            assert!(kind.entry.description.len() > kind.entry.summary.len());
            assert!(kind.entry.fields.iter().all(|field| !field.doc.is_empty()));
            let common = |name| CHECK_FIELDS.iter().any(|field| field.name == name);
            assert!(!kind.entry.fields.iter().any(|field| common(field.name)));
        }
    }

    #[test]
    fn only_a_finished_run_passes_anything() {
        let context = CheckContext { name: "c".to_owned(), ..CheckContext::default() };
        for (state, expected) in [
            (RunState::Finished, Status::ALL.map(|status| status)),
            (RunState::Interrupted, worst_with(Status::Inconclusive)),
            (RunState::Running, worst_with(Status::Inconclusive)),
            (RunState::Error, worst_with(Status::Error)),
        ] {
            let statuses = Status::ALL.map(|status| {
                finish(context.verdict(Reason::of(status), "1", "fine"), &facts(state)).status
            });
            assert_eq!(statuses, expected, "{state:?}");
        }
    }

    fn worst_with(other: Status) -> [Status; 5] {
        Status::ALL.map(|status| status.max(other))
    }

    #[test]
    fn what_is_no_number_is_not_written_as_one() {
        let context = CheckContext { name: "c".to_owned(), ..CheckContext::default() };
        let mut verdict = context.verdict(Reason::OutsideLimit, "%", "x");
        verdict.measured = Some(f64::INFINITY);
        verdict.bound = Some(f64::NAN);
        let finished = finish(verdict, &facts(RunState::Finished));
        assert_eq!((finished.measured, finished.bound), (None, None));
    }
}
