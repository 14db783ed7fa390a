//! `event`: meters report the dips, swells and interruptions that there were.

use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_units::{SimDuration, SimTime};

use super::{
    Outcome, ReceivedAlert, ReportState, UNLISTED, UNSTATED, WITHOUT_FACTS, WantedReports, about,
    article, figure, fits, is_certain, since,
};
use crate::check::kind::{Check, CheckContext, CheckKind, JudgedAlerts, RecordTable};
use crate::check::selection::DEVICE;
use crate::verdict::{At, Verdict};

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e6 };
const SHARE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: 0.0, max: 1.0 };

pub(in super::super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "event",
        summary: "meters report the dips, swells and interruptions that there were, and no others",
        description: "What there was is `voltage_event` in the record: by the plant's own voltages, \
            over all alignments of the half periods by which Urms(1/2) is refreshed \
            (IEC 61000-4-30, 5.4). A meter's alert (`voltage.dip` and so on) has to be of the same \
            phase, begin within the range that alignments give, widened by `start`, have a \
            residual voltage within its range, widened by `residual` of the declared voltage \
            (class A: 0.2 %), and a duration \
            within its range, widened by `duration`. What only some alignments see, what is not \
            over within `settle` of the end, and what lies where the meter is without a supply for \
            longer than its `hold_up`, may be reported and need not be; the verdict states how many \
            that were. A run in which nothing had to be reported shows nothing of \
            it, so it is inconclusive, unless `none` asks for just that. \
            All three kinds stand for those that each meter reports (`events`); of fewer, and with \
            `none`, it has to report each. Meters of `device` that do not are left out, and where \
            all do not the check is refused.",
        fields: &[
            DEVICE,
            Field::default(
                "what",
                Kind::List(&Kind::Choice(&["dip", "swell", "interruption"])),
                "[\"dip\", \"swell\", \"interruption\"]",
                "which events",
            ),
            Field::default("start", TIME, "\"20 ms\"", "how far its beginning may be off"),
            Field::default("residual", SHARE, "\"0.2 %\"", "of the declared voltage"),
            Field::default("duration", TIME, "\"20 ms\"", "how far its duration may be off"),
            Field::default("settle", TIME, "\"1 s\"", "what ends later before the end is left out"),
            Field::default(
                "none",
                Kind::Boolean,
                "false",
                "whether none of them may have happened, nor be reported",
            ),
        ],
    },
    build: |values, context, _| Some(Box::new(Events::new(values, context))),
    tables: &[RecordTable::Observations, RecordTable::Events],
    fits: |values, bench, out| fits::report_unseen(values, ("events", |it| &it.events), bench, out),
    ..CheckKind::PLAIN
};

/// An event that there was.
#[derive(Clone, Debug)]
struct Truth {
    device: String,
    what: String,
    phase: String,
    time: SimTime,
    line: u64,
    duration_s: (f64, f64),
    residual_v: (f64, f64),
    declared_v: f64,
    is_certain: bool,
    /// How far its beginning may be seen from its time.
    spread: SimDuration,
    /// As how many events it may be seen.
    most: usize,
}

impl Truth {
    /// That of an event of the record; `None` if it lacks something.
    fn of(line: u64, event: &Event) -> Option<Self> {
        let text = |name: &str| event.text(name).map(str::to_owned);
        let of = |name: &str| figure(event, name);
        Some(Self {
            device: text(field::DEVICE)?,
            what: text(field::WHAT)?,
            phase: text(field::PHASE)?,
            time: event.time,
            line,
            duration_s: (of(field::DURATION_MIN_S)?, of(field::DURATION_MAX_S)?),
            residual_v: (of(field::RESIDUAL_MIN_V)?, of(field::RESIDUAL_MAX_V)?),
            declared_v: of(field::DECLARED_V)?,
            is_certain: is_certain(event),
            spread: SimDuration::from_seconds_f64(of(field::SPREAD_S).unwrap_or(0.0)),
            most: of(field::MOST).map_or(1, |most| most as usize),
        })
    }

    fn at(&self) -> At {
        At::of_device(&self.device, self.time, self.line)
    }
}

/// An event that was reported.
#[derive(Clone, Debug)]
struct Reported {
    alert: ReceivedAlert,
    what: &'static str,
    phase: String,
    residual_v: f64,
    duration_s: f64,
}

const WORDS: [(&str, &str); 3] =
    [("dip", "voltage.dip"), ("swell", "voltage.swell"), ("interruption", "voltage.interruption")];

/// The facts of an alert: phase, residual voltage and duration.
fn facts_of(event: &Event) -> Option<(String, f64, f64)> {
    let number = |name: &str| event.fact(name)?.parse().ok();
    let phase = event.fact(field::PHASE)?.to_owned();
    Some((phase, number(field::RESIDUAL_V)?, number(field::DURATION_S)?))
}

struct Events {
    state: ReportState,
    what: Vec<String>,
    start_within: SimDuration,
    residual: f64,
    duration_s: f64,
    settle: SimDuration,
    truths: Vec<Truth>,
    reported: Vec<Reported>,
    /// Alerts whose facts nobody can read.
    unread: Vec<(String, At)>,
    /// Of each device that lost its supply, since when and until when.
    dark: Vec<(String, SimTime, Option<SimTime>)>,
}

impl Events {
    fn new(values: &Values, context: CheckContext) -> Self {
        Self {
            state: ReportState::new(values, context, Some(WantedReports::of(values))),
            what: values.text_list("what").into_iter().map(str::to_owned).collect(),
            start_within: values.duration("start"),
            residual: values.si("residual"),
            duration_s: values.si("duration"),
            settle: values.duration("settle"),
            truths: Vec::new(),
            reported: Vec::new(),
            unread: Vec::new(),
            dark: Vec::new(),
        }
    }

    /// Takes an event that there was, if it is asked for.
    fn truth(&mut self, line: u64, event: &Event) {
        let is_of = |device: &str| self.state.device.matches(device);
        let is_what = |what: &str| self.what.iter().any(|own| own == what);
        if !event.text(field::DEVICE).is_some_and(is_of)
            || !event.text(field::WHAT).is_some_and(is_what)
        {
            return;
        }
        if let Some(truth) = Truth::of(line, event) {
            self.truths.push(truth);
        } else {
            self.state.leave_open(line, event, UNSTATED);
        }
    }

    fn alert(&mut self, line: u64, event: &Event) {
        for (what, kind) in WORDS {
            let Some(alert) = ReceivedAlert::of(line, event, kind) else { continue };
            let is_what = self.what.iter().any(|own| own == what);
            if !is_what || !self.state.device.matches(&alert.device) {
                continue;
            }
            if let Some((phase, residual_v, duration_s)) = facts_of(event) {
                self.reported.push(Reported { alert, what, phase, residual_v, duration_s });
            } else if event.get(field::METADATA).is_some() {
                let message = event.prose(field::MESSAGE).cloned().unwrap_or_default();
                let text = format!("`{message}`, whose facts cannot be read");
                self.unread.push((text, alert.at()));
            } else {
                self.state.unknown.get_or_insert_with(|| (alert.at(), WITHOUT_FACTS));
            }
        }
    }

    /// Whether a device has no supply at some time between two instants.
    fn is_dark(&self, device: &str, from: SimTime, to: SimTime) -> bool {
        self.dark.iter().any(|(own, since, until)| {
            own == device && *since <= to && until.is_none_or(|until| from <= until)
        })
    }

    fn name(&self, truth: &Truth) -> String {
        let Truth { what, device, phase, time, .. } = truth;
        format!("{what} of {device} on {phase} at {}", since(self.state.start, *time))
    }

    /// Takes from the reports those of events that there were.
    fn take_what_was(&self, left: &mut Vec<&Reported>, last: SimTime, outcome: &mut Outcome) {
        // What is certain takes its report first.
        let mut truths: Vec<&Truth> = self.truths.iter().collect();
        truths.sort_by_key(|truth| !truth.is_certain);
        for truth in truths {
            let mut may_come = truth.most;
            let fits = |found: &Reported| {
                found.alert.device == truth.device
                    && found.what == truth.what
                    && found.phase == truth.phase
                    && about(truth.time, self.start_within + truth.spread)
                        .contains(&found.alert.time)
            };
            // An uncertain one may be reported, also as several.
            while !truth.is_certain && may_come > 1 {
                let Some(place) = left.iter().position(|it| fits(it)) else { break };
                left.remove(place);
                may_come -= 1;
            }
            let nearest = (0..left.len()).filter(|place| fits(left[*place]));
            let nearest =
                nearest.min_by_key(|place| (left[*place].alert.time - truth.time).0.abs());
            let ends = truth.time + SimDuration::from_seconds_f64(truth.duration_s.1);
            let why_not = if !truth.is_certain {
                Some("uncertain")
            } else if self.is_dark(&truth.device, truth.time, ends) {
                Some("the supply below `supply_minimum` for longer than `hold_up`")
            } else if ends > last {
                Some("not over within `settle` of the end")
            } else {
                None
            };
            let is_owed = why_not.is_none();
            outcome.wanted += u64::from(is_owed);
            if let Some(why) = why_not {
                let of = format!("of {} ({why})", truth.device);
                *outcome.left_out.entry((truth.what.clone(), of)).or_default() += 1;
            }
            let name = self.name(truth);
            match nearest.map(|place| left.remove(place)) {
                Some(found) => {
                    if let Some(what) = self.difference(truth, found).filter(|_| is_owed) {
                        outcome.wrong.push((format!("{name}: {what}"), found.alert.at()));
                    }
                }
                None if is_owed => {
                    outcome.missing.push((name, At { time: Some(ends), ..truth.at() }));
                }
                None => {}
            }
        }
    }

    /// What a report has that is not as it was.
    fn difference(&self, truth: &Truth, found: &Reported) -> Option<String> {
        let more_v = self.residual * truth.declared_v;
        let (low_v, high_v) = (truth.residual_v.0 - more_v, truth.residual_v.1 + more_v);
        let (least_s, most_s) =
            (truth.duration_s.0 - self.duration_s, truth.duration_s.1 + self.duration_s);
        if !(low_v..=high_v).contains(&found.residual_v) {
            let residual_v = shown(found.residual_v, 2);
            return Some(format!("residual {residual_v} V, not {low_v:.2} to {high_v:.2} V"));
        }
        if !(least_s..=most_s).contains(&found.duration_s) {
            let duration_s = shown(found.duration_s, 4);
            return Some(format!("for {duration_s} s, not {least_s:.4} to {most_s:.4} s"));
        }
        None
    }
}

/// A value with so many decimals at most: a fact has more of them than people want to see.
fn shown(value: f64, decimals: usize) -> f64 {
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

impl Check for Events {
    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        let types = WORDS.iter().filter(|(what, _)| self.what.iter().any(|own| own == what));
        Some(JudgedAlerts::new(&self.state.device, types.map(|(_, kind)| *kind)))
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.state.begin(facts);
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.state.readings.observation(observation);
    }

    fn event(&mut self, line: u64, event: &Event) {
        match event.kind {
            EventKind::VoltageEvent => self.truth(line, event),
            EventKind::Alert => self.alert(line, event),
            EventKind::AlertsUnreadable => self.state.leave_open(line, event, UNLISTED),
            EventKind::SupplyLost => {
                let device = event.text(field::DEVICE).unwrap_or_default().to_owned();
                self.dark.push((device, event.time, None));
            }
            EventKind::SupplyReturned => {
                let device = event.text(field::DEVICE).unwrap_or_default();
                let boot_s = figure(event, field::BOOT_S).unwrap_or(0.0);
                let until = event.time + SimDuration::from_seconds_f64(boot_s) + self.settle;
                let place = self.dark.iter().rposition(|(own, ..)| own == device);
                let holds_out = event.get(field::HELD_OUT) == Some(&serde_json::Value::Bool(true));
                match place {
                    // It was at work all the time.
                    Some(place) if holds_out => drop(self.dark.remove(place)),
                    Some(place) => self.dark[place].2 = Some(until),
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let mut left: Vec<&Reported> = self.reported.iter().collect();
        let mut outcome = Outcome { wrong: self.unread.clone(), ..self.state.outcome() };
        let last = facts.end - self.settle;
        if self.state.expects_none {
            for truth in self.truths.iter().filter(|truth| truth.is_certain) {
                let name = self.name(truth);
                let text = format!("there was {} {name}", article(&name));
                outcome.wrong.push((text, truth.at()));
            }
        } else {
            self.take_what_was(&mut left, last, &mut outcome);
        }
        for found in left {
            let (device, time) = (&found.alert.device, found.alert.time);
            let ends = time + SimDuration::from_seconds_f64(found.duration_s);
            // One that ends behind the run, which read it, is excused by nothing.
            let is_of_the_end = ends > last && ends <= facts.end + self.settle;
            if is_of_the_end || self.is_dark(device, time, ends.min(facts.end)) {
                continue;
            }
            let at = since(self.state.start, time);
            let text = format!("{} of {device} on {} at {at}", found.what, found.phase);
            outcome.surplus.push((text, found.alert.at()));
        }
        self.state.verdict(&outcome, facts, "event report")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{at, check, facts, row};
    use super::*;
    use crate::verdict::Reason;
    use lastmeter_record::{DeviceFacts, Evidence, RunState, Status};

    fn truth(seconds: i64) -> Event {
        Event::new(at(seconds), "bench", EventKind::VoltageEvent)
            .with(field::DEVICE, "m")
            .with(field::WHAT, "dip")
            .with(field::PHASE, "l1")
            .with(field::DURATION_MIN_S, 0.19)
            .with(field::DURATION_MAX_S, 0.2)
            .with(field::RESIDUAL_MIN_V, 80.0)
            .with(field::RESIDUAL_MAX_V, 81.0)
            .with(field::DECLARED_V, 230.0)
    }

    fn alert(milliseconds: i64, kind: &str) -> Event {
        let time = at(0) + SimDuration::from_milliseconds(milliseconds);
        Event::new(time, "platform", EventKind::Alert)
            .with(field::DEVICE, "m")
            .with(field::TYPE, kind)
            .with_prose(field::MESSAGE, "m: in words that nobody reads")
    }

    fn dip(milliseconds: i64, phase: &str, residual: &str, duration: &str) -> Event {
        let facts = serde_json::json!({
            "kind": "dip", "phase": phase, "residual_v": residual, "duration_s": duration,
        });
        alert(milliseconds, "voltage.dip").with(field::METADATA, facts)
    }

    fn judge(events: &[Event]) -> Verdict {
        judge_by("", events)
    }

    fn judge_by(fields: &str, events: &[Event]) -> Verdict {
        let mut check = check("event", fields);
        check.begin(&facts(RunState::Finished));
        check.observation(&row("m", 1, "electricity.frequency", Some(50.0), Some(50.0)));
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts(RunState::Finished))
    }

    #[test]
    fn what_is_reported_as_it_was_passes_and_all_else_is_named() {
        for good in [
            dip(10_000, "l1", "80.50", "0.1950"),
            dip(10_020, "l1", "79.54", "0.2200"),
            dip(9_980, "l1", "81.46", "0.1700"),
        ] {
            let verdict = judge(&[truth(10), good]);
            assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
        }
        let good = || dip(10_000, "l1", "80.50", "0.1950");
        for (events, named) in [
            (vec![truth(10)], "did not come: dip of m on l1 at 10 s"),
            (vec![truth(10), dip(10_021, "l1", "80.50", "0.19")], "not expected: dip of m on l1"),
            (vec![truth(10), dip(10_000, "l2", "80.50", "0.19")], "not expected: dip of m on l2"),
            (vec![truth(10), dip(10_000, "l1", "79.50", "0.19")], "residual 79.5 V, not 79.54"),
            (vec![truth(10), dip(10_000, "l1", "80.50", "0.25")], "for 0.25 s, not 0.1700"),
            (vec![truth(10), good(), good()], "not expected: dip of m on l1 at 10 s"),
            // It claims to end long behind the run.
            (vec![truth(10), good(), dip(20_000, "l2", "80.50", "1e6")], "on l2 at 20 s"),
            (vec![truth(10), good(), dip(9, "l1", "80.5", "long")], "facts cannot be read"),
        ] {
            let verdict = judge(&events);
            assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
            assert!(verdict.why.to_string().contains(named), "{}", verdict.why);
            assert!(verdict.at.is_some());
        }
    }

    #[test]
    fn alerts_without_facts_neither_pass_nor_fail() {
        let good = || dip(10_000, "l1", "80.50", "0.1950");
        let bare = || alert(10_000, "voltage.dip");
        for events in [vec![truth(10), bare()], vec![truth(10), good(), bare()], vec![bare()]] {
            let verdict = judge(&events);
            assert_eq!(verdict.reason, Reason::Incomplete, "{}", verdict.why);
            assert_eq!((verdict.measured, verdict.status), (None, Status::Inconclusive));
            assert!(verdict.why.to_string().contains("alerts have no facts"), "{}", verdict.why);
        }
        // What is known to be wrong is no less so.
        let verdict = judge(&[truth(10), good(), good(), bare()]);
        assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
        // An event that lacks something is no event that was not.
        let mut lacking = truth(10);
        lacking.fields.retain(|(name, _)| name != field::RESIDUAL_MIN_V);
        assert_eq!(judge(&[truth(9), lacking]).reason, Reason::Incomplete);
        // Those of others are not asked for.
        let verdict = judge_by("what = [\"swell\"]", &[bare()]);
        assert_eq!(verdict.reason, Reason::NothingToJudge, "{}", verdict.why);
    }

    #[test]
    fn where_a_voltage_lingers_at_the_threshold_its_beginning_has_a_range() {
        let lingers = || truth(10).with(field::SPREAD_S, 0.1);
        for milliseconds in [9_880, 9_900, 10_100, 10_120] {
            let verdict = judge(&[lingers(), dip(milliseconds, "l1", "80.50", "0.1950")]);
            assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
        }
        for milliseconds in [9_879, 10_121] {
            let verdict = judge(&[lingers(), dip(milliseconds, "l1", "80.50", "0.1950")]);
            assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
        }
    }

    #[test]
    fn what_need_not_be_reported_may_be() {
        let uncertain = || truth(10).with(field::IS_CERTAIN, false);
        // Beside one that has to be: by itself it proves nothing.
        let with = |more: &[Event]| {
            let good = [truth(2), dip(2_000, "l1", "80.50", "0.1950")];
            judge(&[&good, more].concat()).status
        };
        assert_eq!(with(&[uncertain()]), Status::Pass);
        assert_eq!(with(&[uncertain(), dip(10_000, "l1", "1.00", "9.0")]), Status::Pass);
        let lost = Event::new(at(9), "bench", EventKind::SupplyLost).with(field::DEVICE, "m");
        assert_eq!(with(&[lost.clone(), truth(10)]), Status::Pass);
        assert_eq!(judge(&[uncertain()]).status, Status::Inconclusive);
        assert_eq!(judge(&[]).status, Status::Inconclusive);
        let back = Event::new(at(9), "bench", EventKind::SupplyReturned)
            .with(field::DEVICE, "m")
            .with(field::BOOT_S, 0.0);
        let verdict = judge(&[lost, back, truth(20)]);
        assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
    }

    #[test]
    fn what_a_meter_holds_out_is_owed_and_what_is_left_out_is_counted() {
        let lost = |at_s| Event::new(at(at_s), "bench", EventKind::SupplyLost);
        let back = |at_s| Event::new(at(at_s), "bench", EventKind::SupplyReturned);
        let of_m = |event: Event| event.with(field::DEVICE, "m");
        let held = [
            of_m(lost(10)),
            truth(10),
            of_m(back(10)).with(field::BOOT_S, 0.0).with(field::HELD_OUT, true),
        ];
        let verdict = judge(&held);
        assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
        assert!(
            verdict.why.to_string().contains("did not come: dip of m on l1 at 10 s"),
            "{}",
            verdict.why
        );
        let reported = dip(10_000, "l1", "80.50", "0.1950");
        let verdict = judge(&[&held[..], &[reported]].concat());
        assert_eq!(verdict.status, Status::Pass, "{}", verdict.why);
        let dark = [of_m(lost(10)), truth(10), of_m(back(12)).with(field::BOOT_S, 2.0)];
        let verdict = judge(&[&dark[..], &[truth(30).with(field::IS_CERTAIN, false)]].concat());
        assert_eq!(verdict.status, Status::Inconclusive);
        let expected = "nothing happened of which there had to be an event report; not asked for: \
                        1 dip of m (the supply below `supply_minimum` for longer than `hold_up`), \
                        1 dip of m (uncertain)";
        assert_eq!(verdict.why.to_string(), expected);
    }

    #[test]
    fn that_there_is_none_is_judged_when_asked_for() {
        let judge = |events: &[Event]| judge_by("none = true", events);
        assert_eq!(judge(&[]).status, Status::Pass);
        assert_eq!(judge(&[truth(10).with(field::IS_CERTAIN, false)]).status, Status::Pass);
        let report = || dip(10_000, "l1", "80.50", "0.1950");
        for (events, named) in [
            (vec![truth(10), report()], "came otherwise: there was a dip of m on l1 at 10 s"),
            (vec![truth(10)], "there was a dip of m on l1 at 10 s"),
            (vec![report()], "not expected: dip of m on l1 at 10 s"),
        ] {
            let verdict = judge(&events);
            assert_eq!(verdict.status, Status::Fail, "{}", verdict.why);
            assert!(verdict.why.to_string().contains(named), "{}", verdict.why);
            assert!(verdict.at.is_some());
        }
    }

    #[test]
    fn meters_that_report_none_of_it_are_listed() {
        let device = |name: &str, reports: &[&str]| DeviceFacts {
            name: name.to_owned(),
            model: "ideal-1ph".to_owned(),
            evidence: Evidence::Simulated,
            at: "load:x".to_owned(),
            under_test: false,
            fidelity: None,
            serial: None,
            firmware: None,
            reports: reports.iter().map(|&it| it.to_owned()).collect(),
        };
        let judge = |fields: &str, others: &[&str]| {
            let mut facts = facts(RunState::Finished);
            facts.devices = vec![device("m", &["dip", "swell", "interruption"])];
            facts.devices.push(device("n", others));
            let mut check = check("event", fields);
            check.begin(&facts);
            check.observation(&row("m", 1, "electricity.frequency", Some(50.0), Some(50.0)));
            check.event(1, &truth(10));
            check.event(2, &dip(10_000, "l1", "80.50", "0.1950"));
            check.verdict(&facts).why.to_string()
        };
        let why = judge("", &[]);
        let expected = "; 1 of 2 devices report none of these: what they do not is left out";
        assert!(why.ends_with(expected), "{why}");
        assert!(!judge("", &["dip"]).contains("devices"));
        let why = judge("what = [\"dip\", \"swell\"]", &["dip"]);
        assert!(why.contains("; 1 of 2 devices report not all of these"), "{why}");
        assert!(!judge("device = \"m\"", &[]).contains("devices"));
        assert!(judge("none = true", &["dip", "swell"]).contains("1 of 2 devices"));
    }
}
