//! `household_decisions`: how often a household's aggregator has decided something, and why.

use lastmeter_params::{Code, Dimension, Entry, Field, Kind, Pattern};
use lastmeter_text::plural;
use lastmeter_units::{SimDuration, SimTime};

use super::named_in;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, EventKind, RunFacts, field};

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 1e9 };
/// What a household's aggregator does, and all of that.
const ACTIONS: &[&str] =
    &["*", "open", "close", "start", "wait", "run", "stop", "strategy", "contract", "window"];
const COUNT: Kind = Kind::Integer { min: 0, max: 1_000_000_000 };

pub(in crate::checks) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "household_decisions",
        summary: "a household's aggregator has decided something so often",
        description: "Counts the decisions that are about `about`, do `action` for `reason`, and \
            were made from `from` on and before `until`. There have to be `at_least` and `at_most` \
            so many. `measured` counts them, `n` all decisions of the run; without any the check is \
            inconclusive.",
        fields: &[
            Field::default("gateway", Kind::Pattern, "\"*\"", "which aggregators"),
            Field::default(
                "about",
                Kind::Pattern,
                "\"*\"",
                "about which loads or units; `*` also about the household as a whole",
            ),
            Field::default("action", Kind::Choice(ACTIONS), "\"*\"", "what is done"),
            Field::default("reason", Kind::Pattern, "\"*\"", "why, such as `price`"),
            Field::default("from", TIME, "\"0 s\"", "since when, after the scenario's start"),
            Field::optional("until", TIME, "before when; left out, to the end"),
            Field::optional("at_least", COUNT, "the fewest"),
            Field::optional("at_most", COUNT, "the most"),
        ],
    },
    build: |values, context, out| {
        let count = |key| values.integer_opt(key).map(i64::unsigned_abs);
        let (least, most) = (count("at_least"), count("at_most"));
        if least.is_none() && most.is_none() {
            let message = "neither `at_least` nor `at_most` is given".to_owned();
            out.report(Code::MISSING_KEY, values.span, message, "any count would do");
            return None;
        }
        if let (Some(least), Some(most)) = (least, most)
            && least > most
        {
            let message = format!("`at_least` is {least} and `at_most` {most}");
            let span = values.span_of("at_most");
            out.report(Code::DOES_NOT_FIT, span, message, "no count would do");
            return None;
        }
        let (from, until) = (values.duration("from"), values.duration_opt("until"));
        if until.is_some_and(|until| until <= from) {
            let message = "the time ends before it begins".to_owned();
            let span = values.span_of("until");
            out.report(Code::DOES_NOT_FIT, span, message, "expected after `from`");
            return None;
        }
        let pattern = |key| Pattern::new(values.text(key));
        Some(Box::new(Decisions {
            context,
            of: ["gateway", "about", "action", "reason"].map(pattern),
            from,
            until,
            least,
            most,
            start: SimTime(0),
            all: 0,
            counted: 0,
            beyond: None,
        }))
    },
    tables: &[RecordTable::Events],
    fits: |values, bench, out| {
        let devices = bench.device_names.iter().cloned();
        let units: Vec<String> = devices.chain([CO_GENERATOR.to_owned()]).collect();
        named_in(values, "about", &units, out);
        named_in(values, "gateway", &bench.gateway_names, out);
        let from = values.duration("from");
        if let Some(duration) = bench.duration.filter(|duration| from >= *duration) {
            let (from_s, end_s) = (from.as_seconds_f64(), duration.as_seconds_f64());
            let message = format!("`from` is {from_s} s, when the scenario is over");
            let label = format!("the duration is {end_s} s");
            out.report(Code::OUTSIDE_SCENARIO, values.span_of("from"), message, label);
        }
    },
    ..CheckKind::PLAIN
};

/// What decisions call the household's co-generator.
const CO_GENERATOR: &str = "co-generator";

struct Decisions {
    context: CheckContext,
    /// Gateway, about what, action, reason.
    of: [Pattern; 4],
    from: SimDuration,
    until: Option<SimDuration>,
    least: Option<u64>,
    most: Option<u64>,
    start: SimTime,
    all: u64,
    counted: u64,
    /// The first that is one too many.
    beyond: Option<At>,
}

impl Check for Decisions {
    fn begin(&mut self, facts: &RunFacts) {
        self.start = facts.start;
    }

    fn event(&mut self, line: u64, event: &Event) {
        if event.kind != EventKind::HouseholdDecision {
            return;
        }
        self.all += 1;
        let text = |name| event.text(name).unwrap_or_default();
        let found = [&event.source, text(field::ABOUT), text(field::ACTION), text(field::REASON)];
        let since = event.time - self.start;
        let is_then = since >= self.from && self.until.is_none_or(|until| since < until);
        if is_then && self.of.iter().zip(found).all(|(own, found)| own.matches(found)) {
            self.counted += 1;
            if self.beyond.is_none() && self.most.is_some_and(|most| self.counted > most) {
                self.beyond =
                    Some(At { time: Some(event.time), event: Some(line), ..At::default() });
            }
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let is_within = self.least.is_none_or(|least| self.counted >= least)
            && self.most.is_none_or(|most| self.counted <= most);
        let why = format!("{} of {}", self.counted, plural(self.all, "decision"));
        let reason = match self.all {
            0 => Reason::NothingToJudge,
            _ if is_within => Reason::WithinLimit,
            _ => Reason::OutsideLimit,
        };
        let verdict = Verdict {
            measured: Some(self.counted as f64),
            limit_low: self.least.map(|least| least as f64),
            limit: self.most.map(|most| most as f64),
            n: self.all,
            at: self.beyond.clone(),
            ..self.context.verdict(reason, "1", why)
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{at, check, facts, try_check};
    use super::*;
    use lastmeter_record::{RunState, Status};

    fn verdict(keys: &str) -> Verdict {
        let mut check = check("household_decisions", keys);
        let facts = facts(RunState::Finished);
        check.begin(&facts);
        let decisions = [
            (10, Some("heater"), "open", "limit"),
            (20, Some("heater"), "close", "limit"),
            (30, Some("washer"), "open", "price"),
            (40, None, "strategy", "customer"),
        ];
        for (line, (seconds, about, action, reason)) in (1..).zip(decisions) {
            let event = Event::new(at(seconds), "hub", EventKind::HouseholdDecision)
                .with(field::ABOUT, about)
                .with(field::ACTION, action)
                .with(field::REASON, reason);
            check.event(line, &event);
        }
        check.verdict(&facts)
    }

    #[test]
    fn those_are_counted_that_fit_in_the_window() {
        for (keys, count, status) in [
            ("at_least = 4\nat_most = 4", 4.0, Status::Pass),
            ("about = \"heater\"\naction = \"open\"\nat_least = 1", 1.0, Status::Pass),
            (
                "reason = \"limit\"\nfrom = \"10 s\"\nuntil = \"20 s\"\nat_most = 1",
                1.0,
                Status::Pass,
            ),
            ("reason = \"limit\"\nfrom = \"11 s\"\nat_least = 2", 1.0, Status::Fail),
            ("action = \"open\"\nat_most = 1", 2.0, Status::Fail),
            ("about = \"boiler\"\nat_most = 0", 0.0, Status::Pass),
            ("gateway = \"other\"\nat_least = 1", 0.0, Status::Fail),
        ] {
            let found = verdict(keys);
            assert_eq!((found.measured, found.status, found.n), (Some(count), status, 4), "{keys}");
        }
        assert_eq!(verdict("action = \"open\"\nat_most = 1").at.unwrap().event, Some(3));
    }

    #[test]
    fn without_a_limit_or_a_decision_there_is_nothing_to_judge() {
        assert!(try_check("household_decisions", "").is_err());
        let check = check("household_decisions", "at_most = 0");
        assert_eq!(check.verdict(&facts(RunState::Finished)).status, Status::Inconclusive);
    }
}
