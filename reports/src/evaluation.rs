//! What a run is worth: its verdicts, and what all of them come to.

use lastmeter_record::{Account, Counts, RunFacts, RunState, Status, Torn};

use crate::exit::ExitCode;
use crate::verdict::{Reason, Verdict};

/// What a run is worth.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What `run.json` holds.
    pub facts: RunFacts,
    /// What the checks came to, in the scenario's order.
    pub verdicts: Vec<Verdict>,
    /// What became of the readings that were due.
    pub account: Account,
    /// Files whose last line was torn.
    pub torn: Vec<Torn>,
    /// What could not be read, if so; then every verdict is an error.
    pub unreadable: Option<String>,
    /// In what the record differs from what the run wrote, if so; then too every verdict is an
    /// error.
    pub changed: Option<String>,
}

impl Evaluation {
    /// How many checks ended with each status.
    pub fn counts(&self) -> Counts {
        Counts::of(self.verdicts.iter().map(|verdict| verdict.status))
    }

    /// Whether the record could be read and is, as far as can be seen, what the run wrote. That of
    /// a run that never finished its record may end early.
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_none() && self.changed.is_none()
    }

    /// The exit code of this run alone.
    pub fn exit_code(&self) -> ExitCode {
        match ExitCode::of_run(self.facts.state, self.counts()) {
            ExitCode::Interrupted => {
                self.facts.signal.map_or(ExitCode::Interrupted, ExitCode::of_signal)
            }
            // Without checks there is no verdict that could be an error.
            ExitCode::NothingEvaluated if !self.is_whole() => ExitCode::Broken,
            code => code,
        }
    }

    /// The status of the whole run; error if the bench broke or the record is not whole, at best
    /// inconclusive if the run did not get to its end or nothing was checked.
    pub fn status(&self) -> Status {
        if !self.is_whole() {
            return Status::Error;
        }
        let checks = self.counts().status();
        match self.facts.state {
            RunState::Finished => checks.unwrap_or(Status::Inconclusive),
            RunState::Error => Status::Error,
            RunState::Skipped => Status::Skipped,
            RunState::Interrupted | RunState::Stopped | RunState::Running => {
                checks.unwrap_or(Status::Inconclusive).max(Status::Inconclusive)
            }
        }
    }

    /// The reason of a run as a whole: that of its worst verdict, which has the run's status. The
    /// machine is the reason only if it is that of all of these.
    pub fn reason(&self) -> Reason {
        let status = self.status();
        let worst = || {
            let all = self.verdicts.iter().map(|verdict| verdict.reason);
            all.filter(|reason| reason.status() == status)
        };
        let of_something_else = worst().find(|reason| !reason.is_of_the_machine());
        if let Some(reason) = of_something_else.or_else(|| worst().next()) {
            return reason;
        }
        if self.unreadable.is_some() {
            return Reason::RecordUnreadable;
        }
        if self.changed.is_some() {
            return Reason::RecordChanged;
        }
        match self.facts.state {
            RunState::Finished => Reason::NothingToJudge,
            RunState::Error => Reason::BenchBroke,
            RunState::Skipped => Reason::RunSkipped,
            RunState::Interrupted | RunState::Stopped | RunState::Running => Reason::Unfinished,
        }
    }
}
