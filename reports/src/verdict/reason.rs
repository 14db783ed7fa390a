//! Why a verdict is as it is, in one stable word for machines.
//!
//! A program that acts on a verdict reads its `reason`, never the prose of `why`. Each word belongs
//! to exactly one status, so the two cannot contradict each other. Words are promises: add, never
//! rename or move to another status.

use std::fmt;

use serde::{Deserialize, Serialize};

use lastmeter_record::Status;
use lastmeter_text::Prose;

/// Declares the reasons: identifier, status, word, meaning.
macro_rules! reasons {
    ($($name:ident, $status:ident, $word:literal, $meaning:literal;)+) => {
        /// The reason of a verdict.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason {
            $(
                #[doc = $meaning]
                #[serde(rename = $word)]
                $name,
            )+
        }

        impl Reason {
            /// Every reason, by status from best to worst.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word in files.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The status that a verdict with this reason has.
            pub const fn status(self) -> Status {
                match self { $(Self::$name => Status::$status,)+ }
            }

            /// The reason with this word.
            pub fn lookup(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.word() == word)
            }

            /// Its text, for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }
        }
    };
}

reasons! {
    WithinLimit, Pass, "within-limit", "Everything that was asked for holds.";

    RunSkipped, Skipped, "run-skipped",
        "The run could not take place on this machine; its cause names what is missing.";
    Modelled, Skipped, "modelled",
        "Latency in virtual time is the link model's, not the platform's.";
    NotReproduced, Skipped, "not-reproduced",
        "A published row is known to be missed; its explanation is in the verdict.";

    NothingToJudge, Inconclusive, "nothing-to-judge",
        "Nothing of what the check is about was due, given or recorded.";
    Incomplete, Inconclusive, "incomplete",
        "Part of what the check is about is missing from the record.";
    TooFew, Inconclusive, "too-few",
        "There are fewer messages, readings or pulses than the claim needs.";
    BetweenBounds, Inconclusive, "between-bounds",
        "The limit lies between the statistical bounds or within the uncertainty.";
    SpreadNotTaken, Inconclusive, "spread-not-taken",
        "The reference has a spread, which a check of this kind cannot take into account.";
    StallTooShort, Inconclusive, "stall-too-short",
        "The claim holds only if no stall is as long as the declared one.";
    BeyondRange, Inconclusive, "beyond-range",
        "The input may exceed the converter's range, which the fidelity used does not model.";
    AlteredReadings, Inconclusive, "altered-readings",
        "Readings of the judged series were stored altered, or not as they were sent.";
    Unnumbered, Inconclusive, "unnumbered",
        "Readings without serial numbers cannot be matched.";
    UnjudgedReadings, Inconclusive, "unjudged-readings",
        "Readings are missing, altered, unexpected, foreign or sparse, and no check judges them.";
    UnjudgedCommands, Inconclusive, "unjudged-commands",
        "Commands were not carried out, or not answered as reported, and no check judges them.";
    UnjudgedAlerts, Inconclusive, "unjudged-alerts",
        "Alerts of level Warning or worse came, or alerts are lost, altered or foreign, and no \
         check judges them.";
    Unanswered, Inconclusive, "unanswered",
        "The record ends before the time for an answer was up.";
    ShowsNothing, Inconclusive, "shows-nothing",
        "The conditions under which the result would mean something were not there.";
    NotReflected, Inconclusive, "not-reflected",
        "A command was written to a simulator that does not show whether it obeys.";
    NotMeasurableHere, Inconclusive, "not-measurable-here",
        "The limit is too near to what bench and machine add by themselves.";
    HostLoad, Inconclusive, "host-load",
        "The machine was busy during the run, and that may have decided the result.";
    DeadlinesMissed, Inconclusive, "deadlines-missed",
        "The bench did not keep its schedule, and that may have decided the result.";
    ClockChanged, Inconclusive, "clock-changed",
        "A clock was stepped, drifted, or the machine was suspended during the run.";
    NoFloor, Inconclusive, "no-floor",
        "The floor of bench and machine was not measured before and after the run.";
    NotStamped, Inconclusive, "not-stamped",
        "Messages came, but a measuring point of the path has no instants.";
    TooMany, Inconclusive, "too-many",
        "There are more messages than are kept one by one.";
    Unfinished, Inconclusive, "unfinished",
        "The run was interrupted, or never finished its record.";

    OutsideLimit, Fail, "outside-limit", "A measured value is outside its limit.";
    StaleExplanation, Fail, "explanation-out-of-date",
        "A published row that is declared as not reproduced is within its band.";
    ReadingsLost, Fail, "readings-lost", "Readings that were due are missing.";
    ReadingsUnexpected, Fail, "readings-unexpected",
        "Readings are stored that nobody sent, or more than once.";
    ReadingsSparse, Fail, "readings-sparse",
        "Readings rest on too few samples that could be used.";
    UnexpectedRefusal, Fail, "unexpected-refusal",
        "The platform refused what it should have taken.";
    RefusalMissing, Fail, "refusal-missing", "The platform took what it should have refused.";
    UnexpectedAlert, Fail, "unexpected-alert", "An alert came that nothing gave cause for.";
    AlertMissing, Fail, "alert-missing", "An alert that had to come is missing.";
    NotAsSent, Fail, "not-as-sent",
        "Alerts or answers to commands are lost, altered, or were never sent.";
    UnexpectedOperation, Fail, "unexpected-operation",
        "Something of the network operated that should not have.";
    OperationMissing, Fail, "operation-missing",
        "Something of the network did not operate that should have.";
    NotObeyed, Fail, "not-obeyed", "A command was not carried out as expected.";
    OtherAnswer, Fail, "other-answer", "A request was answered otherwise than it states.";
    NeverAnswered, Fail, "never-answered", "A command was never acknowledged.";
    TooLate, Fail, "too-late", "Messages, answers or a recovery took longer than allowed.";
    NotRecovered, Fail, "not-recovered", "Messages never came again after an injection.";
    NotAsExpected, Fail, "not-as-expected", "A must-fail twin did not end as it has to.";
    WrongAnswers, Fail, "wrong-answers",
        "The platform answered with what its interface does not allow, or not at all.";

    BenchBroke, Error, "bench-broke", "The bench could not go on.";
    RecordUnreadable, Error, "record-unreadable", "A file of the record cannot be read.";
    RecordChanged, Error, "record-changed", "The record is not what the run wrote.";
    FileBroken, Error, "file-broken", "The scenario file cannot be read or makes no sense.";
    NotRun, Error, "not-run", "The run never began: a signal ended the suite before its turn.";
    NotEvaluated, Error, "not-evaluated", "The check could not be evaluated.";
}

/// A reason with the words that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// The word for machines.
    pub reason: Reason,
    /// The words for people.
    pub why: Prose,
}

impl Because {
    /// A reason in these words.
    pub fn new(reason: Reason, why: impl Into<Prose>) -> Self {
        Self { reason, why: why.into() }
    }

    /// The status of the reason.
    pub const fn status(&self) -> Status {
        self.reason.status()
    }
}

impl Reason {
    /// The general reason of a status, where nothing more is known.
    pub const fn of(status: Status) -> Self {
        match status {
            Status::Pass => Self::WithinLimit,
            Status::Skipped => Self::RunSkipped,
            Status::Inconclusive => Self::BetweenBounds,
            Status::Fail => Self::OutsideLimit,
            Status::Error => Self::NotEvaluated,
        }
    }

    /// Whether the machine, and not what is under test, is why nothing could be judged: another run
    /// on a quiet machine may decide.
    pub const fn is_of_the_machine(self) -> bool {
        matches!(
            self,
            Self::NotMeasurableHere
                | Self::HostLoad
                | Self::DeadlinesMissed
                | Self::ClockChanged
                | Self::NoFloor
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_unique_lower_case_and_the_one_in_files() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        for reason in Reason::ALL {
            let word = reason.word();
            assert!(word.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{word}");
            assert_eq!(serde_json::to_value(reason).unwrap(), word);
            assert_eq!(Reason::lookup(word), Some(*reason));
            assert!(reason.meaning().ends_with('.'));
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }

    #[test]
    fn the_general_reason_of_a_status_has_that_status() {
        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.status()));
        for status in Status::ALL {
            assert_eq!(Reason::of(status).status(), status);
        }
        for reason in Reason::ALL.iter().filter(|reason| reason.is_of_the_machine()) {
            assert_eq!(reason.status(), Status::Inconclusive);
        }
    }
}
