//! `alerts`: exactly the alerts came that had to come.

use std::fmt;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Pattern, Values};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_text::{append, plural};
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Map, Value};

use super::motion::{WITHOUT_FACTS, expected_within};
use super::reading_count::ReadingCount;
use crate::check::kind::{Check, CheckContext, CheckKind, JudgedAlerts, RecordTable, finish};
use crate::verdict::{At, Reason, Verdict, some_of};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "alerts",
        summary: "exactly these alerts came",
        description: "Compares the alerts that the platform has of these devices and of this type \
            with the list `expect`; an empty list means that none may come. An alert is expected \
            if the name `about` is its sender's or one of its facts, and its own time lies between \
            `from` and `to`, both included; of several expectations that it fits it counts for \
            the first that lacks one. `measured` counts alerts too many and too few, `n` the \
            readings and alerts that were there to judge by; with none, with a platform that \
            does not list alerts, or where an alert that may be one of them has no facts, the \
            check is inconclusive. Alerts of them that the platform lost or altered, or that \
            nobody sent, fail it too; one listed again under its number counts once.",
        fields: &[
            Field::default(
                "device",
                Kind::Pattern,
                "\"*\"",
                "name of the device, gateway or application, or a pattern with *",
            ),
            Field::required("type", Kind::Text, "type of the alerts, such as device.unreachable"),
            Field::default(
                "expect",
                Kind::List(&Kind::Table(EXPECT)),
                "[]",
                "the alerts that have to come",
            ),
        ],
    },
    build: |values, context, diagnostics| {
        Some(Box::new(Alerts {
            context,
            device: Pattern::new(values.text("device")),
            kind: values.text("type").to_owned(),
            expect: read(values, diagnostics)?,
            start: SimTime(0),
            surplus: Vec::new(),
            surplus_count: 0,
            unreadable: None,
            without_facts: None,
            readings: ReadingCount::new(),
        }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events],
    is_about_gateways_too: true,
    fits: expected_within,
    ..CheckKind::PLAIN
};

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 };

const EXPECT: &[Field] = &[
    Field::required("about", Kind::Text, "whom it is about: its sender, or one of its facts"),
    Field::required("from", TIME, "when it may come at the earliest, since the start"),
    Field::required("to", TIME, "when it may come at the latest, since the start"),
    Field::default("count", Kind::Integer { min: 1, max: 1_000_000_000 }, "1", "how many"),
];

/// Of so many alerts too many it is kept what they are.
const SHOWN_MAX: usize = 5;

/// Alerts that have to come, and how many of them came.
#[derive(Clone, Debug)]
struct Expected {
    about: String,
    from: SimDuration,
    to: SimDuration,
    count: u64,
    came: u64,
}

impl Expected {
    /// Whether it lacks an alert at this time.
    fn lacks_at(&self, since_start: SimDuration) -> bool {
        self.missing() > 0 && (self.from..=self.to).contains(&since_start)
    }

    fn missing(&self) -> u64 {
        self.count - self.came
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from_s, to_s] = [self.from, self.to].map(SimDuration::as_seconds_f64);
        write!(f, "{} about {} from {from_s} s to {to_s} s", self.missing(), self.about)
    }
}

fn read(values: &Values, diagnostics: &mut Diagnostics) -> Option<Vec<Expected>> {
    let kind = values.text("type");
    if kind.contains('*') {
        let message = format!("`{kind}` is not a type of alerts");
        diagnostics.report(
            Code::DOES_NOT_FIT,
            values.span_of("type"),
            message,
            "expected one type",
        );
        return None;
    }
    let mut expect: Vec<Expected> = Vec::new();
    for table in values.tables("expect") {
        let (from, to) = (table.duration("from"), table.duration("to"));
        let about = table.text("about").to_owned();
        let mut reject = |field, message: String, label: &str| {
            diagnostics.report(Code::DOES_NOT_FIT, table.span_of(field), message, label);
            None
        };
        if about.is_empty() {
            return reject("about", "`about` is empty".to_owned(), "expected a name");
        }
        if from > to {
            let message = format!("the time for `{about}` ends before it begins");
            return reject("to", message, "expected `from` or later");
        }
        if expect.iter().any(|other| other.about == about && from <= other.to && other.from <= to) {
            let message = format!("two times for `{about}` overlap");
            return reject("from", message, "make them one, with the sum of their counts");
        }
        let count = table.integer("count").unsigned_abs();
        expect.push(Expected { about, from, to, count, came: 0 });
    }
    Some(expect)
}

/// Whether an alert is about somebody: its sender, or whom one of its facts names.
fn is_about(event: &Event, name: &str) -> bool {
    let facts = event.get(field::METADATA).and_then(Value::as_object);
    event.text(field::DEVICE) == Some(name)
        || facts.into_iter().flat_map(Map::values).any(|fact| fact.as_str() == Some(name))
}

impl Alerts {
    /// Where in the record: what is too much, or when what is missing had to be there.
    fn place(&self) -> Option<At> {
        let missing = self.expect.iter().find(|one| one.missing() > 0).map(|one| At {
            device: Some(self.device.to_string()),
            time: Some(self.start + one.to),
            ..At::default()
        });
        let first = self.surplus.first().map(|(_, at)| at.clone());
        let bare = self.without_facts.as_ref().map(|(at, _)| at.clone());
        first.or_else(|| self.unreadable.clone()).or(bare).or(missing)
    }
}

struct Alerts {
    context: CheckContext,
    device: Pattern,
    kind: String,
    expect: Vec<Expected>,
    start: SimTime,
    /// What nobody expected, in words, and where: the first of them.
    surplus: Vec<(String, At)>,
    surplus_count: u64,
    /// Where the record has that alerts could not be read.
    unreadable: Option<At>,
    /// The first alert that may be an expected one and has no facts, and how many there are.
    without_facts: Option<(At, u64)>,
    readings: ReadingCount,
}

impl Check for Alerts {
    fn accounts_for_alerts(&self) -> Option<JudgedAlerts> {
        Some(JudgedAlerts::new(&self.device, [self.kind.as_str()]))
    }

    fn begin(&mut self, facts: &RunFacts) {
        self.start = facts.start;
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.readings.observation(observation);
    }

    fn event(&mut self, line: u64, event: &Event) {
        let at = || At { time: Some(event.time), event: Some(line), ..At::default() };
        if event.kind == EventKind::AlertsUnreadable {
            self.unreadable.get_or_insert_with(at);
        }
        if event.kind != EventKind::Alert || event.text(field::TYPE) != Some(&self.kind) {
            return;
        }
        let device = event.text(field::DEVICE).unwrap_or_default();
        if !self.device.matches(device) {
            return;
        }
        let since_start = event.own_time() - self.start;
        let fits = |expected: &&mut Expected| {
            expected.lacks_at(since_start) && is_about(event, &expected.about)
        };
        if let Some(expected) = self.expect.iter_mut().find(fits) {
            expected.came += 1;
            return;
        }
        let may_be_one = self.expect.iter().any(|one| one.lacks_at(since_start));
        if may_be_one && event.get(field::METADATA).is_none() {
            let (_, count) = self.without_facts.get_or_insert_with(|| (at(), 0));
            *count += 1;
            return;
        }
        self.surplus_count += 1;
        if self.surplus.len() < SHOWN_MAX {
            let message = event.prose(field::MESSAGE).cloned().unwrap_or_default();
            let what = format!("`{message}` of {device} at {} s", since_start.as_seconds_f64());
            let device = Some(device.to_owned());
            self.surplus.push((what, At { device, ..at() }));
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let sum = |of: fn(&Expected) -> u64| self.expect.iter().map(of).sum::<u64>();
        let (expected, missing) = (sum(|one| one.count), sum(Expected::missing));
        let unknown = self.without_facts.as_ref().map_or(0, |(_, count)| *count);
        let alerts = sum(|one| one.came) + self.surplus_count + unknown;
        let mut why = format!("{} of type {}", plural(alerts, "alert"), self.kind);
        append(&mut why, format_args!(", {expected} expected"));
        if self.surplus_count > 0 {
            let shown: Vec<&str> = self.surplus.iter().map(|(what, _)| what.as_str()).collect();
            let named = some_of(&shown, self.surplus_count as usize);
            append(&mut why, format_args!("; not expected: {named}"));
        }
        if missing > 0 {
            let lacking = self.expect.iter().filter(|one| one.missing() > 0).take(SHOWN_MAX);
            let shown: Vec<String> = lacking.map(ToString::to_string).collect();
            append(&mut why, format_args!("; did not come: {}", shown.join(", ")));
        }
        let n = self.readings.count() + alerts;
        // A surplus alert is a finding whatever else is unknown; a missing one is not.
        let reason = if self.surplus_count > 0 {
            Reason::UnexpectedAlert
        } else if self.unreadable.is_some() {
            why = String::from("the platform does not list alerts, so whether any came is unknown");
            Reason::Incomplete
        } else if unknown > 0 {
            why = String::from(WITHOUT_FACTS);
            Reason::Incomplete
        } else if n == 0 {
            why = String::from("nothing reached the platform, so no alert could");
            Reason::NothingToJudge
        } else if facts.is_finished() && missing > 0 {
            Reason::AlertMissing
        } else if missing > 0 {
            Reason::Incomplete
        } else {
            Reason::WithinLimit
        };
        let off = (missing + self.surplus_count) as f64;
        let verdict = Verdict {
            measured: Some(off).filter(|_| self.unreadable.is_none() && unknown == 0),
            limit: Some(0.0),
            n,
            at: self.place(),
            ..self.context.verdict(reason, "1", why)
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, check, facts, row, try_check};
    use super::*;
    use lastmeter_record::{RunState, Status};

    const TYPE: &str = "device.unreachable";
    const ONE: &str = r#"{ about = "heat-1", from = "60 s", to = "2 min" }"#;

    /// Its message and its facts have these words.
    fn alert(seconds: i64, device: &str, words: &str) -> Event {
        let facts = (0..).zip(words.split(' ')).map(|(at, word)| (at.to_string(), word.into()));
        Event::new(at(seconds), "platform", EventKind::Alert)
            .with(field::DEVICE, device)
            .with(field::TYPE, TYPE)
            .with(field::LEVEL, "Warning")
            .with_prose(field::MESSAGE, words)
            .with(field::METADATA, facts.collect::<Map<_, _>>())
    }

    /// One as older versions recorded them.
    fn bare(seconds: i64) -> Event {
        Event::new(at(seconds), "platform", EventKind::Alert)
            .with(field::DEVICE, "cellar")
            .with(field::TYPE, TYPE)
    }

    fn judge(expect: &str, events: &[Event], state: RunState) -> Verdict {
        let keys = format!("device = \"cellar*\"\ntype = \"{TYPE}\"\nexpect = [{expect}]");
        let mut check = check("alerts", &keys);
        check.begin(&facts(state));
        check.observation(&row("m", 1, "electricity.frequency", Some(50.0), Some(50.0)));
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts(state))
    }

    #[test]
    fn exactly_what_was_expected_is_a_pass() {
        let verdict = judge("", &[], RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 1, Some(0.0)));
        for seconds in [60, 90, 120] {
            let events = [alert(seconds, "cellar", "heat-1")];
            let verdict = judge(ONE, &events, RunState::Finished);
            assert_eq!((verdict.status, verdict.n), (Status::Pass, 2), "{}", verdict.why);
        }
    }

    #[test]
    fn what_nobody_expected_fails_and_is_named() {
        let good = || alert(90, "cellar", "heat-1 is unreachable");
        for (surplus, place) in [
            // Too early, too late, about another one, and one more than was expected.
            (alert(59, "cellar", "heat-1"), 2),
            (alert(121, "cellar-2", "heat-1"), 2),
            (alert(90, "cellar", "heat-10"), 2),
            (good(), 2),
        ] {
            let device = surplus.text(field::DEVICE).unwrap().to_owned();
            let verdict = judge(ONE, &[good(), surplus], RunState::Finished);
            assert_eq!((verdict.status, verdict.reason), (Status::Fail, Reason::UnexpectedAlert));
            assert_eq!((verdict.measured, verdict.limit), (Some(1.0), Some(0.0)));
            let found = verdict.at.unwrap();
            assert_eq!((found.device, found.event), (Some(device), Some(place)));
            assert!(verdict.why.to_string().contains("not expected: `heat-1"), "{}", verdict.why);
        }
        let verdict = judge("", &[good()], RunState::Interrupted);
        assert_eq!(verdict.status, Status::Fail, "also in a run that ended early");
    }

    #[test]
    fn only_the_first_surplus_alerts_are_shown_and_all_are_counted() {
        let events: Vec<Event> = (0..1000).map(|_| alert(1, "cellar", "x")).collect();
        let verdict = judge("", &events, RunState::Finished);
        assert_eq!(verdict.measured, Some(1000.0));
        assert!(verdict.why.to_string().ends_with("and 995 more"), "{}", verdict.why);
    }

    #[test]
    fn an_alert_that_did_not_come_fails_once_the_run_is_over() {
        let verdict = judge(ONE, &[], RunState::Finished);
        assert_eq!((verdict.status, verdict.reason), (Status::Fail, Reason::AlertMissing));
        assert_eq!(verdict.measured, Some(1.0));
        let named = "did not come: 1 about heat-1 from 60 s to 120 s";
        assert!(verdict.why.to_string().contains(named), "{}", verdict.why);
        assert_eq!(judge(ONE, &[], RunState::Interrupted).status, Status::Inconclusive);
    }

    #[test]
    fn each_expectation_takes_so_many_as_it_counts() {
        let expect = r#"{ about = "a", from = "0 s", to = "9 s", count = 2 },
            { about = "a", from = "10 s", to = "20 s" },
            { about = "b", from = "0 s", to = "20 s" }"#;
        let at_times = |times: &[(i64, &str)]| -> Vec<Event> {
            times.iter().map(|(seconds, text)| alert(*seconds, "cellar", text)).collect()
        };
        let whole = [(1, "a"), (9, "a"), (10, "a"), (5, "b")];
        assert_eq!(judge(expect, &at_times(&whole), RunState::Finished).status, Status::Pass);
        // One names both: it counts for `a` while that lacks one, then for `b`.
        let both = [(1, "a"), (2, "a"), (3, "a b"), (10, "a")];
        assert_eq!(judge(expect, &at_times(&both), RunState::Finished).status, Status::Pass);
        for off in [&whole[..3], &[(1, "a"), (10, "a"), (11, "a"), (5, "b")]] {
            assert_eq!(judge(expect, &at_times(off), RunState::Finished).status, Status::Fail);
        }
    }

    #[test]
    fn others_alerts_and_other_types_are_not_judged() {
        let other = Event::new(at(1), "platform", EventKind::Alert)
            .with(field::DEVICE, "cellar")
            .with(field::TYPE, "mbus.status");
        let verdict = judge("", &[alert(1, "attic", "heat-1"), other], RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 1));
    }

    #[test]
    fn an_alerts_own_time_is_judged_where_its_event_stands_later() {
        let late = || alert(300, "cellar", "heat-1");
        assert_eq!(judge(ONE, &[late()], RunState::Finished).status, Status::Fail);
        let own = late().with(field::EVENT_TIME, at(90).to_string());
        assert_eq!(judge(ONE, &[own], RunState::Finished).status, Status::Pass);
    }

    #[test]
    fn a_platform_that_lists_no_alerts_leaves_it_open() {
        let unreadable = Event::new(at(1), "platform", EventKind::AlertsUnreadable);
        for expect in ["", ONE] {
            let verdict = judge(expect, std::slice::from_ref(&unreadable), RunState::Finished);
            assert_eq!((verdict.status, verdict.measured), (Status::Inconclusive, None));
            assert_eq!(verdict.reason, Reason::Incomplete);
            assert_eq!(verdict.at.unwrap().event, Some(1));
        }
    }

    #[test]
    fn without_anything_at_the_platform_it_is_inconclusive() {
        for expect in ["", ONE] {
            let keys = format!("type = \"{TYPE}\"\nexpect = [{expect}]");
            let verdict = check("alerts", &keys).verdict(&facts(RunState::Finished));
            assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 0));
            assert_eq!(verdict.reason, Reason::NothingToJudge);
        }
    }

    #[test]
    fn whom_it_is_about_is_a_fact_and_never_a_word_of_its_message() {
        let with = |facts: Value| {
            bare(90).with_prose(field::MESSAGE, "heat-1").with(field::METADATA, facts)
        };
        for (facts, status) in [
            (serde_json::json!({ "device": "heat-1", "polls": "3" }), Status::Pass),
            (serde_json::json!({ "device": "heat-10" }), Status::Fail),
            (serde_json::json!({ "heat-1": "device" }), Status::Fail),
            (serde_json::json!({}), Status::Fail),
        ] {
            let verdict = judge(ONE, &[with(facts)], RunState::Finished);
            assert_eq!(verdict.status, status, "{}", verdict.why);
        }
        // Its sender is known without.
        let own = ONE.replace("heat-1", "cellar");
        assert_eq!(judge(&own, &[bare(90)], RunState::Finished).status, Status::Pass);
    }

    #[test]
    fn an_alert_without_facts_neither_passes_nor_fails() {
        let verdict = judge(ONE, &[bare(90)], RunState::Finished);
        assert_eq!((verdict.status, verdict.measured), (Status::Inconclusive, None));
        assert_eq!((verdict.reason, verdict.n), (Reason::Incomplete, 2), "{}", verdict.why);
        assert_eq!(verdict.at.unwrap().event, Some(1));
        // At no time of an expected one, and where none is expected, it is one too many.
        assert_eq!(judge(ONE, &[bare(59)], RunState::Finished).status, Status::Fail);
        assert_eq!(judge("", &[bare(90)], RunState::Finished).status, Status::Fail);
    }

    #[test]
    fn expectations_that_make_no_sense_are_reported() {
        let overlap = r#"{ about = "a", from = "0 s", to = "10 s" },
            { about = "a", from = "10 s", to = "20 s" }"#;
        let backwards = r#"{ about = "a", from = "2 s", to = "1 s" }"#;
        let empty = r#"{ about = "", from = "1 s", to = "2 s" }"#;
        for (expect, message) in [
            (overlap, "two times for `a` overlap"),
            (backwards, "the time for `a` ends before it begins"),
            (empty, "`about` is empty"),
        ] {
            let keys = format!("type = \"t\"\nexpect = [{expect}]");
            assert_eq!(try_check("alerts", &keys).err().unwrap(), [message]);
        }
        let pattern = try_check("alerts", "type = \"voltage.*\"");
        assert_eq!(pattern.err().unwrap(), ["`voltage.*` is not a type of alerts"]);
    }
}
