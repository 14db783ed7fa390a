//! `protection_operation`: exactly these devices of the network did exactly this.

use std::fmt;

use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Pattern, Values};
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_units::{SimDuration, SimTime};

use super::{Outcome, fits, section, since};
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, Section};
use crate::verdict::{At, Reason, Verdict};

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 };

const OPERATIONS: &[&str] =
    &["ignited", "cleared", "tripped", "melted", "blown", "opened", "closed", "locked_out", "idle"];

const EXPECT: &[Field] = &[
    Field::required("element", Kind::Text, "as `fuse-link:F1`, or a pattern with *"),
    Field::required("what", Kind::Choice(OPERATIONS), "what it did"),
    Field::required("from", TIME, "when it may at the earliest, since the start"),
    Field::required("to", TIME, "when it may at the latest, since the start"),
    Field::default("count", Kind::Integer { min: 1, max: 1_000_000_000 }, "1", "how often"),
];

pub(in super::super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "protection_operation",
        summary: "exactly these elements of the network did exactly this",
        description: "Compares what was done in the network (`operated` in the record) by the \
            elements that fit `element` with the list `expect`; an empty list means that they did \
            nothing, and is inconclusive where nobody did anything. `only = false` lets them do more than is listed. `measured` counts what is \
            missing and what is too much.",
        fields: &[
            Field::default(
                "element",
                Kind::Text,
                "\"*\"",
                "an element as `switch:CB1`, or a pattern",
            ),
            Field::default("expect", Kind::List(&Kind::Table(EXPECT)), "[]", "what has to be done"),
            Field::default("only", Kind::Boolean, "true", "whether nothing else may be done"),
        ],
    },
    build: |values, context, diagnostics| {
        if !values.boolean("only") && values.tables("expect").is_empty() {
            let message = "nothing has to be done, and everything may be: it could never fail";
            let label = "expected `only = true`, or something in `expect`";
            diagnostics.report(Code::DOES_NOT_FIT, values.span_of("only"), message, label);
            return None;
        }
        Some(Box::new(ProtectionOperation {
            context,
            element: Pattern::new(values.text("element")),
            expect: read(values, diagnostics)?,
            only: values.boolean("only"),
            start: SimTime(0),
            surplus: Vec::new(),
            seen: 0,
            has_happened: false,
        }))
    },
    tables: &[RecordTable::Events],
    section: Some(Section { place: 25, make: section::section }),
    former_name: Some("operated"),
    fits: fits::protection_operation,
    elements: fits::elements,
    ..CheckKind::PLAIN
};

#[derive(Clone, Debug)]
struct Expected {
    element: Pattern,
    what: String,
    from: SimDuration,
    to: SimDuration,
    count: u64,
    came: u64,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from_s, to_s] = [self.from, self.to].map(SimDuration::as_seconds_f64);
        let missing = self.count - self.came;
        write!(f, "{missing} of {} {} from {from_s} s to {to_s} s", self.element, self.what)
    }
}

fn read(values: &Values, diagnostics: &mut Diagnostics) -> Option<Vec<Expected>> {
    let mut expect = Vec::new();
    for table in values.tables("expect") {
        let (from, to) = (table.duration("from"), table.duration("to"));
        if from > to {
            let message = "the time for it ends before it begins";
            let label = "expected `from` or later";
            diagnostics.report(Code::DOES_NOT_FIT, table.span_of("to"), message, label);
            return None;
        }
        let (element, what) = (Pattern::new(table.text("element")), table.text("what").to_owned());
        let count = table.integer("count").unsigned_abs();
        expect.push(Expected { element, what, from, to, count, came: 0 });
    }
    Some(expect)
}

struct ProtectionOperation {
    context: CheckContext,
    element: Pattern,
    expect: Vec<Expected>,
    only: bool,
    start: SimTime,
    surplus: Vec<(String, At)>,
    seen: u64,
    /// Whether anything was done in the network, by whatever element.
    has_happened: bool,
}

impl Check for ProtectionOperation {
    fn begin(&mut self, facts: &RunFacts) {
        self.start = facts.start;
    }

    fn event(&mut self, line: u64, event: &Event) {
        if event.kind != EventKind::Operated {
            return;
        }
        self.has_happened = true;
        let element = event.text(field::ELEMENT).unwrap_or_default();
        let what = event.text(field::WHAT).unwrap_or_default();
        let at = event.time - self.start;
        let fits = |one: &&mut Expected| {
            one.came < one.count
                && one.what == what
                && one.element.matches(element)
                && (one.from..=one.to).contains(&at)
        };
        // Whose time is over first has the first choice.
        if let Some(one) = self.expect.iter_mut().filter(fits).min_by_key(|one| one.to) {
            one.came += 1;
            self.seen += 1;
        } else if self.element.matches(element) && self.only {
            self.seen += 1;
            let text = format!("{element} {what} at {}", since(self.start, event.time));
            let at = At { time: Some(event.time), event: Some(line), ..At::default() };
            self.surplus.push((text, at));
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let mut outcome = Outcome {
            wanted: self.expect.iter().map(|one| one.count).sum(),
            surplus: self.surplus.clone(),
            expects_none: true,
            // That an element did nothing is known of a run that has come to its end, and is
            // something where others did.
            others: u64::from(facts.is_finished() && self.has_happened),
            ..Outcome::default()
        };
        for one in self.expect.iter().filter(|one| one.came < one.count) {
            let at = At { time: Some(self.start + one.to), ..At::default() };
            for _ in one.came..one.count {
                outcome.missing.push((one.to_string(), at.clone()));
            }
        }
        let mut verdict = outcome.verdict(&self.context, facts, "operation");
        verdict.n = self.seen.max(outcome.others);
        if verdict.reason == Reason::UnexpectedAlert {
            verdict.set_reason(Reason::UnexpectedOperation);
        } else if verdict.reason == Reason::AlertMissing {
            verdict.set_reason(Reason::OperationMissing);
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{at, check, facts, try_check};
    use super::*;
    use lastmeter_record::{RunState, Status};

    fn done(seconds: i64, element: &str, what: &str) -> Event {
        Event::new(at(seconds), "bench", EventKind::Operated)
            .with(field::ELEMENT, element)
            .with(field::WHAT, what)
            .with_prose(field::DETAIL, "")
    }

    fn judge(keys: &str, events: &[Event]) -> Verdict {
        let mut check = check("protection_operation", keys);
        check.begin(&facts(RunState::Finished));
        for (line, event) in (1..).zip(events) {
            check.event(line, event);
        }
        check.verdict(&facts(RunState::Finished))
    }

    const BLOWS: &str = "element = \"fuse*\"\nexpect = [{ element = \"fuse-link:F1\", what = \
                         \"blown\", from = \"8 s\", to = \"9 s\" }]";

    #[test]
    fn what_is_listed_and_nothing_else() {
        let blown = || done(8, "fuse-link:F1", "blown");
        assert_eq!(judge(BLOWS, &[blown(), done(8, "fault:x", "ignited")]).status, Status::Pass);
        for (events, reason, named) in [
            (vec![], Reason::OperationMissing, "1 of fuse-link:F1 blown from 8 s to 9 s"),
            (vec![done(10, "fuse-link:F1", "blown")], Reason::UnexpectedOperation, "at 10 s"),
            (vec![blown(), blown()], Reason::UnexpectedOperation, "fuse-link:F1 blown at 8 s"),
        ] {
            let verdict = judge(BLOWS, &events);
            assert_eq!((verdict.status, verdict.reason), (Status::Fail, reason));
            assert!(verdict.why.to_string().contains(named), "{}", verdict.why);
            assert!(verdict.at.is_some());
        }
        // One count of all: so many had to come, of which one did not, and another did.
        let verdict = judge(BLOWS, &[done(10, "fuse-link:F1", "blown")]);
        let text = verdict.told.unwrap();
        assert_eq!(text.measured, "1 missing, 1 not expected");
        assert_eq!(text.basis, "1 operation had to come");
        assert!(
            verdict.why.to_string().starts_with("1 operation had to come, 0 did; "),
            "{}",
            verdict.why
        );
        let open = format!("{BLOWS}\nonly = false");
        assert_eq!(judge(&open, &[blown(), blown()]).status, Status::Pass);
        // An empty list: nothing at all.
        let fuses = "element = \"fuse*\"";
        assert_eq!(judge(fuses, &[done(8, "fault:x", "ignited")]).status, Status::Pass);
        assert_eq!(judge(fuses, &[]).reason, Reason::NothingToJudge);
        assert_eq!(judge("", &[blown()]).status, Status::Fail);
        assert!(try_check("protection_operation", &BLOWS.replace("9 s", "7 s")).is_err());
        // Whatever happens, it would pass.
        assert!(try_check("protection_operation", "only = false").is_err());
    }
}
