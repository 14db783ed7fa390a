//! The exit codes of the program, as a documented enum.
//!
//! Public interface: continuous integration branches on these numbers. Nothing here exits.

use lastmeter_record::{Counts, RunState, Signal, Status};

/// What the process returns to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// At least one check passed, none failed, none inconclusive, none in error.
    Passed = 0,
    /// A check failed, or a comparison got worse.
    Failed = 1,
    /// Bad command line or scenario.
    BadInput = 2,
    /// The bench could not be set up, broke or panicked; or a check ended in error.
    Broken = 3,
    /// Nothing was evaluated: nothing selected, or all skipped.
    NothingEvaluated = 4,
    /// Nothing failed, but a check was inconclusive.
    Inconclusive = 5,
    /// Ended by SIGHUP, the end of its terminal: 128 and the signal's number, as shells have it.
    HungUp = 129,
    /// Ended by SIGINT, as Ctrl-C does; also a run whose record was never finished.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl ExitCode {
    /// Every exit code, by its number.
    pub const ALL: [Self; 9] = [
        Self::Passed,
        Self::Failed,
        Self::BadInput,
        Self::Broken,
        Self::NothingEvaluated,
        Self::Inconclusive,
        Self::HungUp,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number given to the operating system.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What it means, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "a check failed",
            Self::BadInput => "bad command line or scenario",
            Self::Broken => "the bench broke, or a check could not be evaluated",
            Self::NothingEvaluated => "nothing was evaluated",
            Self::Inconclusive => "inconclusive",
            Self::HungUp => "ended by SIGHUP",
            Self::Interrupted => "interrupted",
            Self::Terminated => "ended by SIGTERM",
        }
    }

    /// The code of a whole whose checks have this status; `None` means there was no check.
    pub const fn of_status(status: Option<Status>) -> Self {
        match status {
            Some(Status::Pass) => Self::Passed,
            Some(Status::Fail) => Self::Failed,
            Some(Status::Error) => Self::Broken,
            Some(Status::Inconclusive) => Self::Inconclusive,
            Some(Status::Skipped) | None => Self::NothingEvaluated,
        }
    }

    /// The code of what a signal ended.
    pub const fn of_signal(signal: Signal) -> Self {
        match signal {
            Signal::HangUp => Self::HungUp,
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
        }
    }

    /// The code of one run. A run whose record was never finished counts as interrupted.
    pub fn of_run(state: RunState, counts: Counts) -> Self {
        match state {
            RunState::Running | RunState::Interrupted => Self::Interrupted,
            RunState::Error => Self::Broken,
            RunState::Skipped => Self::NothingEvaluated,
            RunState::Finished => Self::of_status(counts.status()),
            RunState::Stopped => Self::of_status(counts.status().max(Some(Status::Inconclusive))),
        }
    }

    /// How urgent a code is among several: signals, then 2 (a scenario that could not be read means
    /// nothing of the others), then 3 before 1 before 5 as promised; a pass outweighs a part in
    /// which nothing was evaluated.
    const fn urgency(self) -> u8 {
        match self {
            Self::NothingEvaluated => 0,
            Self::Passed => 1,
            Self::Inconclusive => 2,
            Self::Failed => 3,
            Self::Broken => 4,
            Self::BadInput => 5,
            Self::HungUp => 6,
            Self::Interrupted => 7,
            Self::Terminated => 8,
        }
    }

    /// The code of several runs together; nothing evaluated if there is none.
    pub fn worst_of(codes: impl IntoIterator<Item = Self>) -> Self {
        codes.into_iter().max_by_key(|code| code.urgency()).unwrap_or(Self::NothingEvaluated)
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_promised_ones() {
        let numbers = ExitCode::ALL.map(ExitCode::number);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 129, 130, 143]);
    }

    /// POSIX: a shell reports 128 and the number of the signal (kill -l: 1 HUP, 2 INT, 15 TERM).
    #[test]
    fn what_a_signal_ends_exits_as_shells_report_it() {
        for (signal, number) in
            [(Signal::HangUp, 1), (Signal::Interrupt, 2), (Signal::Terminate, 15)]
        {
            assert_eq!(ExitCode::of_signal(signal).number(), 128 + number);
        }
    }

    /// Every set of statuses that can occur (32 subsets), against the contract's sentences.
    #[test]
    fn every_set_of_statuses_has_its_exit_code() {
        for set in 0_u8..32 {
            let has = |status: Status| set & (1 << (status as u8)) != 0;
            let present = Status::ALL.into_iter().filter(|&status| has(status));
            let expected = if has(Status::Error) {
                3
            } else if has(Status::Fail) {
                1
            } else if has(Status::Inconclusive) {
                5
            } else if has(Status::Pass) {
                0
            } else {
                4
            };
            let code = ExitCode::of_run(RunState::Finished, Counts::of(present));
            assert_eq!(code.number(), expected, "set {set:05b}");
        }
    }

    #[test]
    fn a_run_that_did_not_finish_never_exits_as_passed() {
        let counts = Counts::of([Status::Pass]);
        for (state, expected) in [
            (RunState::Finished, 0),
            (RunState::Interrupted, 130),
            (RunState::Stopped, 5),
            (RunState::Running, 130),
            (RunState::Error, 3),
            (RunState::Skipped, 4),
        ] {
            assert_eq!(ExitCode::of_run(state, counts).number(), expected, "{state:?}");
        }
    }

    #[test]
    fn of_several_reasons_three_comes_before_one_before_five() {
        let order = [143, 130, 129, 2, 3, 1, 5, 0, 4]
            .map(|number| ExitCode::ALL.into_iter().find(|code| code.number() == number).unwrap());
        for (place, &first) in order.iter().enumerate() {
            for &second in &order[place..] {
                assert_eq!(ExitCode::worst_of([second, first]), first);
                assert_eq!(ExitCode::worst_of([first, second]), first);
            }
        }
        assert_eq!(ExitCode::worst_of([]), ExitCode::NothingEvaluated);
    }
}
