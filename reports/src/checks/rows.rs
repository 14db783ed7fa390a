//! The common keys of checks of delays, and the populations that their rows make.
//!
//! A check that finds no row of its path passes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_params::{Diagnostics, Dimension, Field, Kind, Values};

use crate::by_device::ByDevice;
use crate::check::demand::Demand;
use crate::check::kind::CheckContext;
use crate::check::selection::Selection;
use crate::latency::{
    Claim, ExpectedRows, HoldUps, Limit, MissingRows, NamedMessage, Population, Validity, Window,
    needed_sample_size,
};
use crate::verdict::{At, Because, Reason, Verdict};
use lastmeter_record::{Event, LatencyPath, LatencyRow, Observation, RunFacts};

/// What a check over delays does with the record: gathers the messages it judges.
macro_rules! feed_gather {
    () => {
        fn messages(&self) -> Option<&$crate::check::selection::Selection> {
            Some(&self.gather.selection)
        }

        fn begin(&mut self, facts: &lastmeter_record::RunFacts) {
            self.gather.begin(facts);
        }

        fn observation(&mut self, observation: &lastmeter_record::Observation<'_>) {
            self.gather.observation(observation);
        }

        fn event(&mut self, _line: u64, event: &lastmeter_record::Event) {
            self.gather.event(event);
        }

        fn latency(&mut self, row: &lastmeter_record::LatencyRow<'_>) {
            self.gather.row(row);
        }
    };
}
pub(super) use feed_gather;

pub(super) const PATH: Field = Field::required(
    "path",
    Kind::Text,
    "from one measuring point to another, such as intended..received",
);

pub(super) const OBSERVER: Field = Field::optional(
    "observer",
    Kind::Name,
    "the observer that receives the readings, where there are several",
);

pub(super) const MESSAGES: Field = Field::optional(
    "messages",
    Kind::Choice(&[LatencyPath::READING, LatencyPath::COMMAND]),
    "which messages; left out: commands if the path ends at obeyed, else readings",
);

pub(super) const WARM_UP: Field = Field::optional(
    "warm_up",
    Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 },
    "messages due earlier are not judged; left out: 5 % of the duration, at least 10 s",
);

pub(super) const COVERAGE: Field = Field::optional(
    "coverage",
    Kind::Quantity { dimension: Dimension::Ratio, min: 0.5, max: 0.999_999 },
    "share of messages that has to be within the limit, lost ones are not; left out: 99.9 %",
);

pub(super) const STALL: Field = Field::default(
    "stall",
    Kind::Quantity { dimension: Dimension::Time, min: 1e-6, max: 1e6 },
    "\"1 s\"",
    "longest stretch in which one cause may make messages of all devices late, a cluster of stalls \
     counted as one; a pass holds for stalls up to that",
);

/// The coverage where a scenario gives none (decision 3 of the latency rules).
pub(crate) const DEFAULT_COVERAGE: f64 = 0.999;

pub(super) const LIMIT_KIND: Kind =
    Kind::Quantity { dimension: Dimension::Time, min: 1e-6, max: 1e9 };

/// A limit of this check, in ns.
pub(crate) fn time_ns(values: &Values, key: &str) -> Option<i64> {
    values.duration_opt(key).map(|duration| duration.0)
}

/// The share that is to be within the limit, and the declared stall; `of_table` is the share of a
/// requirement table.
pub(crate) fn shares(values: &Values, of_table: Option<f64>) -> Option<Claim> {
    let coverage = values.si_opt("coverage").or(of_table).unwrap_or(DEFAULT_COVERAGE);
    Some(Claim { coverage, stall_ns: time_ns(values, "stall")? })
}

/// The populations of a check, by path.
pub(super) struct Populations {
    pub(super) selection: Selection,
    limits: Vec<Limit>,
    window: Option<Window>,
    wanted: ByDevice<()>,
    by_path: BTreeMap<String, Population>,
    last: String,
    expected: Option<ExpectedRows>,
    hold_ups: Arc<HoldUps>,
}

impl Populations {
    /// Reads the common keys; the messages will be judged by these limits.
    pub(super) fn read(values: &Values, limits: &[Limit], out: &mut Diagnostics) -> Option<Self> {
        let selection = Selection::read(values, out)?;
        Some(Self {
            limits: limits.to_vec(),
            window: None,
            wanted: ByDevice::new(selection.device.clone()),
            by_path: BTreeMap::new(),
            last: String::new(),
            expected: None,
            hold_ups: Arc::default(),
            selection,
        })
    }

    /// What the common keys demand of the bench, and enough messages for a coverage if it has one.
    pub(super) fn demand(&self, claim: Option<Claim>) -> Demand {
        Demand {
            messages_min: claim.map_or(1, |claim| needed_sample_size(claim.coverage)),
            claim,
            warm_up_ns: self.selection.warm_up_ns,
            ..self.selection.demand()
        }
    }

    pub(super) fn begin(&mut self, facts: &RunFacts) {
        self.window = Some(Window::of(facts, self.selection.warm_up_ns));
        self.hold_ups = Arc::new(facts.real_time.as_ref().map(HoldUps::of).unwrap_or_default());
        self.expected = Some(ExpectedRows::new(facts, self.selection.device.clone()));
    }

    /// Takes the next value of the record: each reading that was due has to have a row.
    pub(super) fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(expected) = &mut self.expected {
            expected.observation(observation);
        }
    }

    /// Takes the next event of the record: each command has to have a row.
    pub(super) fn event(&mut self, event: &Event) {
        if let Some(expected) = &mut self.expected {
            expected.event(event);
        }
    }

    /// The rows that the record lacks of the path that is judged.
    pub(super) fn missing(&self) -> Option<MissingRows> {
        let path = self.path().ok()?;
        self.expected.as_ref()?.missing(path, self.by_path.get(path)?, |_| true)
    }

    pub(super) fn row(&mut self, row: &LatencyRow<'_>) {
        let Some(window) = self.window else { return };
        if self.last != row.path {
            if !self.selection.takes(row.path) {
                return;
            }
            row.path.clone_into(&mut self.last);
        }
        if self.wanted.entry(row.device()).is_none() {
            return;
        }
        if !self.by_path.contains_key(row.path) {
            let population = Population::new(self.selection.span, window, &self.limits)
                .held_up_by(Arc::clone(&self.hold_ups));
            self.by_path.insert(row.path.to_owned(), population);
        }
        if let Some(population) = self.by_path.get_mut(row.path) {
            population.row(row);
        }
    }

    /// The population that is judged, or why there is none.
    pub(super) fn population(&self) -> Result<&Population, Because> {
        self.judged().map_err(|why| Because::new(Reason::NothingToJudge, why))
    }

    fn path(&self) -> Result<&str, String> {
        self.selection.judged_path(self.by_path.keys().map(String::as_str))
    }

    fn judged(&self) -> Result<&Population, String> {
        let Some(window) = self.window else {
            return Err("the check has no facts about the run".to_owned());
        };
        let Some(population) = self.by_path.get(self.path()?) else {
            return Err(format!("the record has no latency of {}", self.selection.describe()));
        };
        if population.n() == 0 {
            let from = crate::latency::describe(window.from_ns);
            return Err(format!("no message was due after the warm-up of {from}"));
        }
        Ok(population)
    }
}

/// A verdict without a judgement: virtual time, or nothing to judge. `unit` is the check's.
pub(super) fn without_judgement(
    context: &CheckContext,
    facts: &RunFacts,
    unit: &str,
    because: Because,
) -> Verdict {
    if Validity::of(facts).modelled {
        let why = "modelled: in virtual time a delay is the model's, not the platform's";
        return context.verdict(Reason::Modelled, unit, why);
    }
    context.verdict(because.reason, unit, because.why)
}

/// Where in the record a message is.
pub(super) fn place(named: &NamedMessage, facts: &RunFacts) -> At {
    let mut parts = named.id.split('/');
    let device = parts.next().map(str::to_owned);
    let epoch = parts.next().and_then(|part| part.parse().ok());
    // Behind an empty epoch stands a count, not a serial number.
    let serial = parts.next().and_then(|part| part.parse().ok()).filter(|_| epoch.is_some());
    let time = facts.start + lastmeter_units::SimDuration(named.intended_ns);
    At { device, epoch, serial, time: Some(time), ..At::default() }
}

#[cfg(test)]
mod tests {
    use super::super::latency::tests::{SECOND, message, real_time};
    use super::super::testing::{at, check, facts, row};
    use super::*;
    use lastmeter_record::{RunState, Status};

    #[test]
    fn a_message_is_found_by_its_id() {
        let find = |id: &str| {
            let named = NamedMessage { id: id.to_owned(), intended_ns: 10_000_000_000, delay: 1 };
            place(&named, &facts(RunState::Finished))
        };
        let found = find("meter-01/2/7");
        assert_eq!(
            (found.device.as_deref(), found.epoch, found.serial),
            (Some("meter-01"), Some(2), Some(7))
        );
        assert_eq!(found.time, Some(at(10)));
        let never_made = find("meter-01//7");
        assert_eq!((never_made.epoch, never_made.serial), (None, None));
    }

    /// Of each kind: a reading that was due and a command that was given are missed if they have no
    /// row.
    #[test]
    fn what_the_latency_record_lacks_is_missed() {
        const SHARE: &str = "limit = \"1 s\"\ncoverage = \"50 %\"\nstall = \"100 ms\"";
        const FIGURE: &str = "source = \"x\"\nstatistic = \"median\"\nvalue = \"1 ms\"\n\
                              tolerance = \"100 ms\"";
        let facts = real_time(RunState::Finished);
        for (kind, keys) in [("latency", SHARE), ("jitter", SHARE), ("published", FIGURE)] {
            for path in [LatencyPath::READING, LatencyPath::COMMAND] {
                let span = "path = \"intended..queryable\"";
                let mut check = check(kind, &format!("{span}\nmessages = \"{path}\"\n{keys}"));
                check.begin(&facts);
                for number in 0..200 {
                    let due = 30 * SECOND + number * SECOND / 10;
                    message(check.as_mut(), (path, &format!("m/1/{number}")), due, Some(1));
                    check.event(1, &Event::command(at(30), number as u64, "m", "x"));
                }
                assert_eq!(check.verdict(&facts).status, Status::Pass, "{kind} {path}");
                match path {
                    LatencyPath::READING => {
                        check.observation(&row("n", 5, "electricity.frequency", Some(50.0), None));
                    }
                    _ => check.event(201, &Event::command(at(50), 200, "m", "x")),
                }
                assert_eq!(check.verdict(&facts).reason, Reason::Incomplete, "{kind} {path}");
            }
        }
    }
}
