//! `last_gasp`, `restored`: who loses its supply reports it in time, and nobody else does.

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_units::SimDuration;

use super::{
    ReceivedAlert, ReportState, Reported, RequiredReport, UNLISTED, figure, fits, is_certain, since,
};
use crate::check::kind::{Check, CheckContext, CheckKind, JudgedAlerts, RecordTable};
use crate::check::selection::DEVICE;
use crate::verdict::Verdict;

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 1e6 };
const SHARE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

const WITHIN: Field = Field::default("within", TIME, "\"1 s\"", "how soon it has to come");
const AT_LEAST: Field = Field::default(
    "at_least",
    SHARE,
    "\"100 %\"",
    "the share of them that has to come, where some may be lost on the way",
);

pub(in super::super) const LAST_GASP: CheckKind = CheckKind {
    entry: Entry {
        name: "last_gasp",
        summary: "every device that loses its supply sends a last gasp, and no other one does",
        description: "Each time the plant leaves a device that lives on its supply (`hold_up`) \
            without a voltage (`supply_lost` in the record), an alert `supply.failed` of it has to \
            come, dated within `within`; no such alert may come without that. `measured` counts \
            what is missing and what is too much.",
        fields: &[DEVICE, WITHIN, AT_LEAST],
    },
    build: |values, context, _| Some(Box::new(Supply::new(values, context, true))),
    tables: &[RecordTable::Observations, RecordTable::Events],
    fits: fits::supply,
    ..CheckKind::PLAIN
};

pub(in super::super) const RESTORED: CheckKind = CheckKind {
    entry: Entry {
        name: "restored",
        summary: "every device whose supply comes back reports it, and no other one does",
        description: "Each time the voltage comes back to a device that lives on its supply \
            (`supply_returned` in the record), an alert `supply.returned` of it has to come, dated \
            within its time to start and `within`; none without that. One whose time is up only \
            after the end is not asked for.",
        fields: &[DEVICE, WITHIN, AT_LEAST],
    },
    build: |values, context, _| Some(Box::new(Supply::new(values, context, false))),
    tables: &[RecordTable::Observations, RecordTable::Events],
    fits: fits::supply,
    ..CheckKind::PLAIN
};

struct Supply {
    state: ReportState,
    within: SimDuration,
    at_least: f64,
    is_gasp: bool,
    required: Vec<RequiredReport>,
    reported: Vec<Reported>,
}

impl Supply {
    fn new(values: &Values, context: CheckContext, is_gasp: bool) -> Self {
        Self {
            state: ReportState::new(values, context, None),
            within: values.duration("within"),
            at_least: values.si("at_least"),
            is_gasp,
            required: Vec::new(),
            reported: Vec::new(),
        }
    }

    /// The type of the alerts that it is about.
    fn alert_type(&self) -> &'static str {
        if self.is_gasp { "supply.failed" } else { "supply.returned" }
    }
}

impl Check for Supply {
    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        Some(JudgedAlerts::new(&self.state.device, [self.alert_type()]))
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.state.begin(facts);
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.state.readings.observation(observation);
    }

    fn event(&mut self, line: u64, event: &Event) {
        if event.kind == EventKind::AlertsUnreadable {
            self.state.leave_open(line, event, UNLISTED);
        }
        let kind = self.alert_type();
        if let Some(alert) = ReceivedAlert::of(line, event, kind) {
            if self.state.device.matches(&alert.device) {
                self.reported.push((kind, alert));
            }
            return;
        }
        let (wanted, flag) = if self.is_gasp {
            (EventKind::SupplyLost, field::GASPS)
        } else {
            (EventKind::SupplyReturned, field::REPORTS)
        };
        let device = event.text(field::DEVICE).unwrap_or_default();
        let reports = event.get(flag).and_then(serde_json::Value::as_bool) == Some(true);
        if event.kind != wanted || !reports || !self.state.device.matches(device) {
            return;
        }
        let boot_s = figure(event, field::BOOT_S).unwrap_or(0.0);
        let until = event.time + SimDuration::from_seconds_f64(boot_s) + self.within;
        self.required.push(RequiredReport {
            device: device.to_owned(),
            what: kind,
            // A meter may look at other half periods than the plant's truth.
            from: event.time - SimDuration::from_milliseconds(50),
            until,
            line,
            is_certain: is_certain(event),
        });
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let mut left: Vec<&Reported> = self.reported.iter().collect();
        let (start, mut outcome) = (self.state.start, self.state.outcome());
        outcome.take(&self.required, &mut left, (start, self.within, facts.end), |one| {
            format!("{} by {}", one.device, since(start, one.until))
        });
        let surplus = left
            .iter()
            .map(|(_, it)| (format!("{} at {}", it.device, since(start, it.time)), it.at()));
        outcome.surplus = surplus.collect();
        outcome.may_lack = ((1.0 - self.at_least) * outcome.wanted as f64).floor() as u64;
        let what = if self.is_gasp { "last gasp" } else { "power-up report" };
        self.state.verdict(&outcome, facts, what)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{at, check, facts, row};
    use super::*;
    use lastmeter_record::{RunState, Status};

    fn lost(seconds: i64, device: &str) -> Event {
        Event::new(at(seconds), "bench", EventKind::SupplyLost)
            .with(field::DEVICE, device)
            .with(field::GASPS, true)
    }

    fn back(seconds: i64, device: &str) -> Event {
        Event::new(at(seconds), "bench", EventKind::SupplyReturned)
            .with(field::DEVICE, device)
            .with(field::REPORTS, true)
            .with(field::BOOT_S, 5.0)
    }

    fn alert(seconds: i64, device: &str, kind: &str) -> Event {
        Event::new(at(seconds), "platform", EventKind::Alert)
            .with(field::DEVICE, device)
            .with(field::TYPE, kind)
            .with_prose(field::MESSAGE, format!("{device}: something"))
    }

    fn judge(kind: &str, keys: &str, events: &[Event]) -> Verdict {
        let mut check = check(kind, keys);
        check.begin(&facts(RunState::Finished));
        check.observation(&row("m", 1, "electricity.frequency", Some(50.0), Some(50.0)));
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts(RunState::Finished))
    }

    #[test]
    fn who_loses_its_supply_gasps_and_nobody_else() {
        let gasp = |seconds, device| alert(seconds, device, "supply.failed");
        let good = [lost(10, "a"), gasp(10, "a"), lost(10, "b"), gasp(11, "b")];
        let verdict = judge("last_gasp", "", &good);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 2), "{}", verdict.why);
        for (events, named) in [
            (vec![lost(10, "a")], "did not come: a by 11 s"),
            (vec![lost(10, "a"), gasp(12, "a")], "did not come: a by 11 s (it came at 12 s)"),
            (vec![lost(10, "a"), gasp(22, "a")], "not expected: a at 22 s"),
            (vec![lost(10, "a"), gasp(10, "a"), gasp(10, "b")], "not expected: b at 10 s"),
            (vec![lost(10, "a"), gasp(10, "a"), gasp(10, "a")], "not expected: a at 10 s"),
        ] {
            let verdict = judge("last_gasp", "", &events);
            assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
            assert!(verdict.why.to_string().contains(named), "{}", verdict.why);
            assert!(verdict.at.is_some());
        }
        // A late one counts once, and takes no other's.
        let late = [lost(10, "a"), gasp(12, "a"), lost(13, "a"), gasp(13, "a")];
        assert_eq!(judge("last_gasp", "", &late).measured, Some(1.0));
        let lost_one = [lost(10, "a"), lost(13, "a"), gasp(13, "a")];
        assert_eq!(judge("last_gasp", "", &lost_one).measured, Some(1.0));
        // Some may be lost, by a share that is written down.
        let half = [lost(10, "a"), lost(10, "b"), gasp(10, "b")];
        assert_eq!(judge("last_gasp", "at_least = \"50 %\"", &half).status, Status::Pass);
        assert_eq!(judge("last_gasp", "at_least = \"51 %\"", &half).status, Status::Fail);
        // Who may have missed it reports, or does not.
        let brief = || lost(10, "a").with(field::IS_CERTAIN, false);
        let with = |more: Vec<Event>| {
            let good = [lost(20, "b"), gasp(20, "b")];
            judge("last_gasp", "", &[more, good.to_vec()].concat()).status
        };
        assert_eq!(with(vec![brief()]), Status::Pass);
        assert_eq!(with(vec![brief(), gasp(10, "a")]), Status::Pass);
        // Nothing had to come, and nothing did: that proves nothing.
        assert_eq!(judge("last_gasp", "", &[]).status, Status::Inconclusive);
    }

    #[test]
    fn who_comes_back_reports_after_its_start() {
        let report = |seconds| alert(seconds, "a", "supply.returned");
        let keys = "within = \"2 s\"";
        for (seconds, status) in
            [(15, Status::Pass), (17, Status::Pass), (18, Status::Fail), (9, Status::Fail)]
        {
            let verdict = judge("restored", keys, &[back(10, "a"), report(seconds)]);
            assert_eq!(verdict.status, status, "{seconds}: {}", verdict.why);
        }
        assert_eq!(judge("restored", keys, &[back(10, "a")]).status, Status::Fail);
    }
}
