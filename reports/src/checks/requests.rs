//! `requests`: every request of the scenario was answered as it states.

use lastmeter_params::{Entry, Field, Kind, Pattern};

use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::{append, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "requests",
        summary: "every request over REST was answered as it states",
        description: "Each `[[request]]` of the scenario has to be answered with the status and \
            the members that it states. `measured` counts those that were not, `n` all of them; \
            without any the check is inconclusive.",
        fields: &[Field::default(
            "request",
            Kind::Text,
            "\"*\"",
            "which requests: a name, or a pattern with *",
        )],
    },
    build: |values, context, _| {
        let request = Pattern::new(values.text("request"));
        Some(Box::new(Requests { context, request, count: 0, wrong: 0, first: None }))
    },
    tables: &[RecordTable::Events],
    ..CheckKind::PLAIN
};

struct Requests {
    context: CheckContext,
    request: Pattern,
    count: u64,
    wrong: u64,
    /// The first that was not answered as it states, in words.
    first: Option<(String, At)>,
}

impl Check for Requests {
    fn event(&mut self, line: u64, event: &Event) {
        let name = event.text(field::NAME).unwrap_or_default();
        if event.kind != EventKind::Request || !self.request.matches(name) {
            return;
        }
        self.count += 1;
        if event.boolean(field::IS_AS_EXPECTED) == Some(true) {
            return;
        }
        self.wrong += 1;
        if self.first.is_none() {
            let detail = event.prose(field::DETAIL).map(ToString::to_string).unwrap_or_default();
            let at = At { time: Some(event.time), event: Some(line), ..At::default() };
            self.first = Some((format!("`{name}`: {detail}"), at));
        }
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let right = self.count - self.wrong;
        let mut why = format!("{right} of {} as expected", plural(self.count, "answer"));
        let reason = match &self.first {
            Some((what, _)) => {
                append(&mut why, format_args!("; {what}"));
                Reason::OtherAnswer
            }
            None if self.count == 0 => {
                why = String::from("no request was sent");
                Reason::NothingToJudge
            }
            None => Reason::WithinLimit,
        };
        let verdict = Verdict {
            measured: Some(self.wrong as f64),
            limit: Some(0.0),
            n: self.count,
            at: self.first.as_ref().map(|(_, at)| at.clone()),
            ..self.context.verdict(reason, "1", why)
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, check, facts};
    use super::*;
    use lastmeter_record::{RunState, Status};

    fn answered(name: &str, is_as_expected: bool) -> Event {
        Event::new(at(1), "bench", EventKind::Request)
            .with(field::NAME, name)
            .with(field::IS_AS_EXPECTED, is_as_expected)
    }

    #[test]
    fn one_answer_that_is_not_as_expected_fails() {
        for (answers, status) in [
            (&[][..], Status::Inconclusive),
            (&[("a", true), ("b", true)], Status::Pass),
            (&[("a", true), ("b", false), ("c", false)], Status::Fail),
        ] {
            let mut check = check("requests", "");
            for (line, (name, is_as_expected)) in (1..).zip(answers) {
                check.event(line, &answered(name, *is_as_expected));
            }
            let verdict = check.verdict(&facts(RunState::Finished));
            assert_eq!((verdict.status, verdict.n), (status, answers.len() as u64));
            let first = answers.iter().position(|(_, is_right)| !is_right);
            let found = verdict.at.and_then(|at| at.event);
            assert_eq!(found, first.map(|index| index as u64 + 1));
        }
    }

    #[test]
    fn it_judges_those_that_it_names() {
        let mut check = check("requests", "request = \"a*\"");
        check.event(1, &answered("a1", true));
        check.event(2, &answered("b", false));
        assert_eq!(check.verdict(&facts(RunState::Finished)).status, Status::Pass);
    }
}
