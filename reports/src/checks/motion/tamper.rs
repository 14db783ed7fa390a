//! `tamper`: meters report the tampering that there was, in time, and no other.

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_units::{SimDuration, SimTime};

use super::{
    ReceivedAlert, ReportState, Reported, RequiredReport, TAMPER, UNLISTED, WantedReports, figure,
    fits, is_certain, since,
};
use crate::check::kind::{Check, CheckContext, CheckKind, JudgedAlerts, RecordTable};
use crate::check::selection::DEVICE;
use crate::verdict::{At, Verdict};

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: 1e6 };

pub(in super::super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "tamper",
        summary: "meters report the tampering that there was, and no other",
        description: "What there was is `tamper` in the record: by the injections of this kind, by \
            what was energised, and by the sensors that a meter declares (`tamper`, \
            `tamper_debounce`, `tamper_battery`). For each beginning and each end an alert \
            (`tamper.cover_opened` and so on) has to come, dated within `within` of when the \
            meter could see it first; none without that. What a meter may have seen or not, as \
            around an outage, and what it cannot send before the end, may be reported and need not \
            be. A run in which nothing had to be reported is inconclusive, unless `none` asks for \
            just that. All three kinds stand for those that each meter has sensors for (`tamper`); \
            of fewer, and with `none`, it needs one for each. Meters of `device` without are left \
            out, and where all are the check is refused.",
        fields: &[
            DEVICE,
            Field::default(
                "what",
                Kind::List(&Kind::Choice(&["cover", "terminal-cover", "magnetic-field"])),
                "[\"cover\", \"terminal-cover\", \"magnetic-field\"]",
                "which tampering",
            ),
            Field::default(
                "within",
                TIME,
                "\"2 s\"",
                "how soon, debounce time included, it has to be detected",
            ),
            Field::default(
                "none",
                Kind::Boolean,
                "false",
                "whether none of it may have happened, nor be reported",
            ),
        ],
    },
    build: |values, context, _| Some(Box::new(Tamper::new(values, context))),
    tables: &[RecordTable::Observations, RecordTable::Events],
    fits: |values, bench, out| fits::report_unseen(values, ("tamper", |it| &it.tamper), bench, out),
    ..CheckKind::PLAIN
};

/// What alerts are called behind `tamper.`: the kind, its beginning and its end.
const WORDS: [(&str, [&str; 2]); 3] = [
    ("cover", ["cover_opened", "cover_closed"]),
    ("terminal-cover", ["terminal_cover_opened", "terminal_cover_closed"]),
    ("magnetic-field", ["field_began", "field_ended"]),
];

struct Tamper {
    state: ReportState,
    what: Vec<&'static str>,
    within: SimDuration,
    required: Vec<RequiredReport>,
    reported: Vec<Reported>,
}

impl Tamper {
    fn new(values: &Values, context: CheckContext) -> Self {
        let kinds = values.text_list("what");
        let asked = WORDS.iter().filter(|(kind, _)| kinds.contains(kind));
        Self {
            state: ReportState::new(values, context, Some(WantedReports::of(values))),
            what: asked.flat_map(|(_, words)| *words).collect(),
            within: values.duration("within"),
            required: Vec::new(),
            reported: Vec::new(),
        }
    }

    fn truth(&mut self, line: u64, event: &Event) {
        let device = event.text(field::DEVICE).unwrap_or_default();
        let word = event.text(field::WHAT).unwrap_or_default();
        let what = self.what.iter().find(|own| **own == word);
        let Some(what) = what.filter(|_| self.state.device.matches(device)) else { return };
        let spread_s = figure(event, field::SPREAD_S).unwrap_or(0.0);
        self.required.push(RequiredReport {
            device: device.to_owned(),
            what,
            from: event.time,
            until: event.time + SimDuration::from_seconds_f64(spread_s) + self.within,
            line,
            is_certain: is_certain(event),
        });
    }

    /// What happened, for people.
    fn name(&self, device: &str, what: &str, at: SimTime) -> String {
        format!("{what} of {device} at {}", since(self.state.start, at))
    }
}

impl Check for Tamper {
    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        let types = self.what.iter().map(|what| format!("{TAMPER}{what}"));
        Some(JudgedAlerts::new(&self.state.device, types))
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.state.begin(facts);
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.state.readings.observation(observation);
    }

    fn event(&mut self, line: u64, event: &Event) {
        match event.kind {
            EventKind::Tamper => self.truth(line, event),
            EventKind::Alert => {
                for what in &self.what {
                    let alert = ReceivedAlert::of(line, event, &format!("{TAMPER}{what}"));
                    let alert = alert.filter(|alert| self.state.device.matches(&alert.device));
                    self.reported.extend(alert.map(|alert| (*what, alert)));
                }
            }
            EventKind::AlertsUnreadable => self.state.leave_open(line, event, UNLISTED),
            _ => {}
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let mut left: Vec<&Reported> = self.reported.iter().collect();
        let mut outcome = self.state.outcome();
        if self.state.expects_none {
            for one in self.required.iter().filter(|one| one.is_certain) {
                let name = self.name(&one.device, one.what, one.from);
                let at = At::of_device(&one.device, one.from, one.line);
                outcome.wrong.push((format!("there was {name}"), at));
            }
        } else {
            let times = (self.state.start, self.within, SimTime(i64::MAX));
            outcome.take(&self.required, &mut left, times, |one| {
                self.name(&one.device, one.what, one.from)
            });
        }
        let surplus = left
            .iter()
            .map(|(what, alert)| (self.name(&alert.device, what, alert.time), alert.at()));
        outcome.surplus = surplus.collect();
        self.state.verdict(&outcome, facts, "tamper report")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{at, check, facts, row};
    use super::*;
    use lastmeter_record::{RunState, Status};

    fn truth(seconds: i64, what: &str) -> Event {
        Event::new(at(seconds), "bench", EventKind::Tamper)
            .with(field::DEVICE, "m")
            .with(field::WHAT, what)
    }

    fn alert(seconds: i64, device: &str, what: &str) -> Event {
        Event::new(at(seconds), "platform", EventKind::Alert)
            .with(field::DEVICE, device)
            .with(field::TYPE, format!("tamper.{what}"))
            .with_prose(field::MESSAGE, format!("{device}: something"))
    }

    fn judge(fields: &str, events: &[Event]) -> Verdict {
        let mut check = check("tamper", fields);
        check.begin(&facts(RunState::Finished));
        check.observation(&row("m", 1, "electricity.frequency", Some(50.0), Some(50.0)));
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts(RunState::Finished))
    }

    #[test]
    fn what_is_reported_in_time_passes_and_all_else_is_named() {
        let opened = || truth(10, "cover_opened");
        let of_m = |seconds, what| alert(seconds, "m", what);
        let good = [
            opened(),
            of_m(10, "cover_opened"),
            truth(20, "cover_closed"),
            of_m(22, "cover_closed"),
        ];
        let verdict = judge("", &good);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 2), "{}", verdict.why);
        for (events, named) in [
            (vec![opened()], "did not come: cover_opened of m at 10 s"),
            (vec![opened(), of_m(13, "cover_opened")], "at 10 s (it came at 13 s)"),
            (vec![opened(), of_m(33, "cover_opened")], "not expected: cover_opened of m at 33 s"),
            (vec![opened(), of_m(9, "cover_opened")], "not expected: cover_opened of m at 9 s"),
            (vec![opened(), of_m(10, "field_began")], "not expected: field_began of m at 10 s"),
            (
                vec![opened(), of_m(10, "cover_opened"), of_m(11, "cover_opened")],
                "not expected: cover_opened of m at 11 s",
            ),
            (
                vec![opened(), of_m(10, "cover_opened"), alert(10, "n", "field_began")],
                "not expected: field_began of n at 10 s",
            ),
        ] {
            let verdict = judge("", &events);
            assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
            assert!(verdict.why.to_string().contains(named), "{}", verdict.why);
            assert!(verdict.at.is_some());
        }
        // A late one counts once; `what` and `device` leave out what is not meant.
        let late = [opened(), of_m(13, "cover_opened")];
        assert_eq!(judge("", &late).measured, Some(1.0));
        assert_eq!(judge("within = \"3 s\"", &late).status, Status::Pass);
        let other = [&good[..], &[of_m(30, "field_began")]].concat();
        assert_eq!(judge("what = [\"cover\"]", &other).status, Status::Pass);
        assert_eq!(judge("device = \"n\"", &other).status, Status::Inconclusive);
    }

    #[test]
    fn what_may_have_been_missed_may_be_reported() {
        let perhaps = || truth(30, "field_began").with(field::IS_CERTAIN, false);
        let with = |more: &[Event]| {
            let good = [truth(10, "cover_opened"), alert(11, "m", "cover_opened")];
            judge("", &[&good, more].concat()).status
        };
        assert_eq!(with(&[perhaps()]), Status::Pass);
        assert_eq!(with(&[perhaps(), alert(31, "m", "field_began")]), Status::Pass);
        assert_eq!(with(&[perhaps(), alert(33, "m", "field_began")]), Status::Fail);
        let later = perhaps().with(field::SPREAD_S, 1.0);
        assert_eq!(with(&[later, alert(33, "m", "field_began")]), Status::Pass);
        assert_eq!(judge("", &[perhaps()]).status, Status::Inconclusive);
        assert_eq!(judge("", &[]).status, Status::Inconclusive);
        let lost = Event::new(at(1), "bench", EventKind::AlertsUnreadable);
        let verdict = judge("", &[lost, truth(10, "cover_opened")]);
        assert_eq!(verdict.status, Status::Inconclusive, "{}", verdict.why);
    }

    #[test]
    fn that_there_is_none_is_judged_when_asked_for() {
        let judge = |events: &[Event]| judge("none = true", events);
        assert_eq!(judge(&[]).status, Status::Pass);
        for (events, named) in [
            (vec![truth(10, "cover_opened")], "there was cover_opened of m at 10 s"),
            (vec![alert(10, "m", "field_began")], "not expected: field_began of m at 10 s"),
        ] {
            let verdict = judge(&events);
            assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
            assert!(verdict.why.to_string().contains(named), "{}", verdict.why);
        }
    }
}
