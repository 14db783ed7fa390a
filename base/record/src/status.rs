//! How checks end: the five statuses, and how a whole follows from its parts.

use std::fmt;

use serde::{Deserialize, Serialize};

lastmeter_units::words! {
    /// The outcome of a check, from best to worst.
    pub enum Status in files {
        /// Evaluated, and within its limit.
        Pass = "pass",
        /// Not evaluated on purpose, with the reason.
        Skipped = "skipped",
        /// Not enough data to judge, missed deadlines, clock trouble, or not measurable here.
        Inconclusive = "inconclusive",
        /// Evaluated, and outside its limit.
        Fail = "fail",
        /// Could not be evaluated.
        Error = "error",
    }
}

impl Status {
    /// The word on the console and in headings, at most seven letters.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Skipped => "SKIPPED",
            Self::Inconclusive => "INCONC",
            Self::Fail => "FAIL",
            Self::Error => "ERROR",
        }
    }

    /// The status of a whole: as bad as its worst part, except that skipped parts leave a whole
    /// with passes a pass. `None` if there are no parts.
    pub fn worst_of(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut worst = None;
        let mut any_pass = false;
        for part in parts {
            any_pass |= part == Self::Pass;
            worst = worst.max(Some(part));
        }
        if worst == Some(Self::Skipped) && any_pass { Some(Self::Pass) } else { worst }
    }
}

/// How many checks ended with each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Number of passes.
    pub pass: u64,
    /// Number of skipped checks.
    pub skipped: u64,
    /// Number of inconclusive checks.
    pub inconclusive: u64,
    /// Number of failed checks.
    pub fail: u64,
    /// Number of checks that could not be evaluated.
    pub error: u64,
}

impl Counts {
    /// Counts statuses, each by its kind.
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            *counts.slot(status) += 1;
        }
        counts
    }

    fn slot(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Pass => &mut self.pass,
            Status::Skipped => &mut self.skipped,
            Status::Inconclusive => &mut self.inconclusive,
            Status::Fail => &mut self.fail,
            Status::Error => &mut self.error,
        }
    }

    /// How many ended with this status.
    pub fn get(mut self, status: Status) -> u64 {
        *self.slot(status)
    }

    /// How many there are.
    pub fn total(self) -> u64 {
        Status::ALL.into_iter().map(|status| self.get(status)).sum()
    }

    /// The sum of two counts.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for status in Status::ALL {
            *self.slot(status) += other.get(status);
        }
        self
    }

    /// The status of the whole, as [`Status::worst_of`]; `None` if nothing was counted.
    pub fn status(self) -> Option<Status> {
        Status::worst_of(Status::ALL.into_iter().filter(|&status| self.get(status) > 0))
    }
}

/// `3 pass, 1 inconclusive`: what there is, best first.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for status in Status::ALL {
            let count = self.get(status);
            if count > 0 {
                write!(f, "{separator}{count} {status}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_statuses_are_ordered_as_promised() {
        let words: Vec<_> = Status::ALL.iter().map(|status| status.word()).collect();
        assert_eq!(words, ["pass", "skipped", "inconclusive", "fail", "error"]);
        assert!(Status::ALL.is_sorted());
        assert!(Status::ALL.iter().all(|status| status.label().len() <= 7));
    }

    #[test]
    fn every_pair_of_statuses_has_its_typed_in_whole() {
        use Status::{Error, Fail, Inconclusive, Pass, Skipped};
        // Rows and columns in the order of `Status::ALL`.
        let expected = [
            [Pass, Pass, Inconclusive, Fail, Error],
            [Pass, Skipped, Inconclusive, Fail, Error],
            [Inconclusive, Inconclusive, Inconclusive, Fail, Error],
            [Fail, Fail, Fail, Fail, Error],
            [Error, Error, Error, Error, Error],
        ];
        for (row, first) in Status::ALL.into_iter().enumerate() {
            for (column, second) in Status::ALL.into_iter().enumerate() {
                let whole = Status::worst_of([first, second]);
                assert_eq!(whole, Some(expected[row][column]), "{first} and {second}");
            }
        }
        assert_eq!(Status::worst_of([]), None);
    }

    fn statuses() -> impl Strategy<Value = Vec<Status>> {
        prop::collection::vec(prop::sample::select(Status::ALL.to_vec()), 0..8)
    }

    proptest! {
        #[test]
        fn the_whole_does_not_depend_on_order_or_grouping(parts in statuses(), cut in 0_usize..8) {
            let whole = Status::worst_of(parts.iter().copied());
            let reversed = Status::worst_of(parts.iter().rev().copied());
            prop_assert_eq!(whole, reversed);
            let (left, right) = parts.split_at(cut.min(parts.len()));
            let halves = [left, right].map(|half| Status::worst_of(half.iter().copied()));
            prop_assert_eq!(whole, Status::worst_of(halves.into_iter().flatten()));
            prop_assert_eq!(whole, Counts::of(parts).status());
        }

        #[test]
        fn only_passes_and_skipped_make_a_pass(parts in statuses()) {
            let passes = Status::worst_of(parts.iter().copied()) == Some(Status::Pass);
            let expected = parts.contains(&Status::Pass) && parts.iter().all(|part| *part <= Status::Skipped);
            prop_assert_eq!(passes, expected);
        }

        #[test]
        fn another_part_never_makes_a_judged_whole_better(parts in statuses(), more in prop::sample::select(Status::ALL.to_vec())) {
            let before = Status::worst_of(parts.iter().copied());
            let after = Status::worst_of(parts.iter().copied().chain([more]));
            // Skipped is the one exception: a pass beside it lifts the whole.
            prop_assert!(after >= before || (before, more) == (Some(Status::Skipped), Status::Pass));
        }
    }

    #[test]
    fn counts_are_listed_best_first() {
        let counts = Counts::of([Status::Fail, Status::Pass, Status::Pass]);
        assert_eq!(counts.to_string(), "2 pass, 1 fail");
        assert_eq!(counts.plus(counts).total(), 6);
        assert_eq!(Counts::default().to_string(), "none");
    }
}
