//! What the tests of the checks have in common.

use lastmeter_params::{Diagnostics, Pattern, read_text};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

use crate::check::selection::Selection;
use crate::check::{
    BalancedMeters, Check, CheckContext, CheckKind, Demand, JudgedAlerts, RecordTable,
};
use crate::checks::CHECKS;
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

/// Like [`try_check`], for a check with this context.
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
    fn is_about_readings(&self) -> bool {
        self.check.is_about_readings()
    }

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

    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        self.check.accounts_for_alerts()
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
