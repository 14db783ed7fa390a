//! The checks: what may stand in a `[[check]]` table, and how the record is judged by it.
//!
//! A check is fed the record in its order and keeps a bounded summary of it; it may be asked for
//! its verdict at any time, so progress can be shown while a run goes on. One file or folder per
//! check, one line in [`CHECKS`].

pub mod accuracy;
mod alerts;
pub(crate) mod calibration;
mod came;
pub(crate) mod command_ack;
pub mod delivery;
mod demand;
mod energy_balance;
mod jitter;
pub(crate) mod kind;
mod latency;
mod motion;
mod no_loss;
mod planned;
mod published;
mod published_table;
pub(crate) mod read;
mod recovery;
mod refused;
mod rows;
pub(crate) mod select;
pub(crate) mod selection;
mod share;
mod signal;
mod test_plan;

pub use demand::{BalancedMeters, Demand};
pub use kind::{CHECK_FIELDS, Check, CheckContext, CheckKind, Needs, RecordTable};
pub use planned::{PlannedBench, PlannedNetwork, PlannedReports};

/// Every kind of check.
pub static CHECKS: &[CheckKind] = &[
    accuracy::KIND,
    no_loss::KIND,
    command_ack::KIND,
    refused::KIND,
    alerts::KIND,
    motion::event::KIND,
    motion::supply::LAST_GASP,
    motion::supply::RESTORED,
    motion::tamper::KIND,
    motion::operated::KIND,
    motion::unserved::KIND,
    latency::KIND,
    jitter::KIND,
    recovery::KIND,
    published::KIND,
    published_table::KIND,
    test_plan::KIND,
    calibration::KIND,
    energy_balance::KIND,
    signal::kinds::STEP,
    signal::kinds::CONSTANT,
    signal::kinds::SETTLES,
    signal::kinds::FOLLOWS,
];

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of the checks have in common.

    use lastmeter_params::{Diagnostics, Pattern, read_text};
    use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

    use super::selection::Selection;
    use super::*;
    use crate::latency::Validity;
    use crate::verdict::{Because, Verdict};
    use lastmeter_record::{
        Event, GridRow, LatencyRow, Observation, RunFacts, RunState, SignalSample, TimeMode,
    };

    pub(crate) const START: SimTime = SimTime(1_800_000_000_000_000_000);

    /// The instant some seconds after the start.
    pub(crate) fn at(seconds: i64) -> SimTime {
        START + SimDuration::from_seconds(seconds)
    }

    /// A check from the keys of its kind, or the messages about them.
    pub(crate) fn try_check(kind: &str, toml: &str) -> Result<Box<dyn Check>, Vec<String>> {
        let kind = CHECKS.iter().find(|check| check.entry.name == kind).unwrap();
        let context = CheckContext {
            name: "c".to_owned(),
            scenario: "s".to_owned(),
            covers: vec!["F-04".to_owned()],
            ..CheckContext::default()
        };
        try_check_in(kind, toml, context)
    }

    /// Like [`try_check`], for a check that is told this about itself.
    pub(crate) fn try_check_in(
        kind: &CheckKind,
        toml: &str,
        context: CheckContext,
    ) -> Result<Box<dyn Check>, Vec<String>> {
        let messages = |list: Vec<lastmeter_params::Diagnostic>| {
            list.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>()
        };
        let values = read_text(toml, &[kind.entry.fields]).map_err(messages)?;
        let mut diagnostics = Diagnostics::new();
        let check = (kind.build)(&values, context, &mut diagnostics);
        let found = messages(diagnostics.into_sorted());
        check.filter(|_| found.is_empty()).map(|check| fed(kind, check)).ok_or(found)
    }

    /// The check with the rows of its kind's tables alone, as it gets them of a record: tests of a
    /// kind whose `tables` lack one fail.
    pub(crate) fn fed(kind: &CheckKind, check: Box<dyn Check>) -> Box<dyn Check> {
        Box::new(FedByTables { tables: kind.tables, check })
    }

    struct FedByTables {
        tables: &'static [RecordTable],
        check: Box<dyn Check>,
    }

    impl FedByTables {
        fn of(&mut self, table: RecordTable) -> Option<&mut dyn Check> {
            self.tables.contains(&table).then_some(&mut *self.check)
        }
    }

    impl Check for FedByTables {
        fn demand(&self) -> Option<Demand> {
            self.check.demand()
        }

        fn balances(&self) -> Option<&BalancedMeters> {
            self.check.balances()
        }

        fn accounts_for(&self) -> Option<&Pattern> {
            self.check.accounts_for()
        }

        fn accounts_for_commands(&self) -> Option<&Pattern> {
            self.check.accounts_for_commands()
        }

        fn messages(&self) -> Option<&Selection> {
            self.check.messages()
        }

        fn is_not_measurable(&self, validity: &Validity) -> Option<Because> {
            self.check.is_not_measurable(validity)
        }

        fn begin(&mut self, facts: &RunFacts) {
            self.check.begin(facts);
        }

        fn observation(&mut self, observation: &Observation<'_>) {
            if let Some(check) = self.of(RecordTable::Observations) {
                check.observation(observation);
            }
        }

        fn event(&mut self, line: u64, event: &Event) {
            if let Some(check) = self.of(RecordTable::Events) {
                check.event(line, event);
            }
        }

        fn signal(&mut self, sample: &SignalSample<'_>) {
            if let Some(check) = self.of(RecordTable::Signals) {
                check.signal(sample);
            }
        }

        fn grid(&mut self, row: &GridRow) {
            if let Some(check) = self.of(RecordTable::Grid) {
                check.grid(row);
            }
        }

        fn latency(&mut self, row: &LatencyRow<'_>) {
            if let Some(check) = self.of(RecordTable::Latency) {
                check.latency(row);
            }
        }

        fn verdict(&self, facts: &RunFacts) -> Verdict {
            self.check.verdict(facts)
        }
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
            span: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::kind::finish;
    use super::testing::facts;
    use super::*;
    use crate::verdict::Reason;
    use lastmeter_record::{RunState, Status};

    #[test]
    fn each_kind_is_named_once_and_documented() {
        let mut names: Vec<_> = CHECKS.iter().map(|kind| kind.entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CHECKS.len());
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
