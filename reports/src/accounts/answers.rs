//! Answers of the platform that its interface does not allow: a number that is none, a field that
//! is missing, an error where there should be an answer.
//!
//! They are what the platform under test did, not what the bench did: the run goes on as far as it
//! can, and an implicit verdict fails.

use crate::check::kind::{CheckContext, finish};
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::{Prose, append, plural};

/// What the verdict about them is called.
pub(crate) const PLATFORM_ANSWERS: &str = "platform-answers";

/// Counts them while the record passes by.
#[derive(Default)]
pub(crate) struct AnswerAccountant {
    wrong: u64,
    first: Option<(At, Prose)>,
}

impl AnswerAccountant {
    pub(crate) fn event(&mut self, line: u64, event: &Event) {
        if event.kind != EventKind::WrongAnswer {
            return;
        }
        self.wrong += 1;
        if self.first.is_none() {
            let at = At { time: Some(event.time), event: Some(line), ..At::default() };
            self.first = Some((at, event.prose(field::DETAIL).cloned().unwrap_or_default()));
        }
    }

    /// A verdict if there was any.
    pub(crate) fn verdict(&self, scenario: &str, facts: &RunFacts) -> Option<Verdict> {
        let (at, detail) = self.first.as_ref()?;
        let mut why = format!("{} that the interface does not allow", plural(self.wrong, "answer"));
        append(&mut why, format_args!("; the first: {detail}"));
        let context = CheckContext::implicit(PLATFORM_ANSWERS, scenario);
        let verdict = Verdict {
            measured: Some(self.wrong as f64),
            limit: Some(0.0),
            n: self.wrong,
            at: Some(at.clone()),
            ..context.verdict(Reason::WrongAnswers, "1", why)
        };
        Some(finish(verdict, facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{at, facts};
    use lastmeter_record::RunState;
    use lastmeter_record::Status;

    #[test]
    fn a_wrong_answer_fails_however_the_run_ended() {
        let mut answers = AnswerAccountant::default();
        answers.event(1, &Event::note(at(1), "a remark"));
        assert!(answers.verdict("s", &facts(RunState::Finished)).is_none());
        answers.event(2, &Event::wrong_answer(at(2), "the first"));
        answers.event(3, &Event::wrong_answer(at(3), "the second"));
        for state in [RunState::Finished, RunState::Stopped, RunState::Interrupted] {
            let verdict = answers.verdict("s", &facts(state)).unwrap();
            assert_eq!((verdict.status, verdict.n), (Status::Fail, 2), "{state:?}");
            let place = verdict.at.unwrap();
            assert_eq!((place.event, place.time), (Some(2), Some(at(2))));
            assert!(
                verdict.why.to_string().starts_with("2 answers")
                    && verdict.why.to_string().contains("the first")
            );
        }
    }
}
