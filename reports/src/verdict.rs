//! What a check says: the five statuses, how a whole follows from its parts, and the verdict.
//!
//! Terms: a *status* is one word; a *verdict* is a status with the figures it rests on. The order
//! `pass < skipped < inconclusive < fail < error`, and the fields of `verdicts.json`, are promises
//! to users and their continuous integration: add, never rename.

mod reason;

use std::fmt;

use lastmeter_units::{MeasurementId, SimTime};
use serde::{Deserialize, Serialize};

pub use reason::{Because, Reason};

/// The outcome of a check, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Evaluated, and within its limit.
    Pass,
    /// Not evaluated on purpose, with the reason.
    Skipped,
    /// Not enough data to say, missed deadlines, clock trouble, or not measurable here.
    Inconclusive,
    /// Evaluated, and outside its limit.
    Fail,
    /// Could not be evaluated.
    Error,
}

impl Status {
    /// Every status, from best to worst.
    pub const ALL: [Self; 5] =
        [Self::Pass, Self::Skipped, Self::Inconclusive, Self::Fail, Self::Error];

    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }

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

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
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
    /// Counts statuses.
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

/// The point of the record a verdict rests on: the worst pair, the first missing reading.
///
/// All keys are always written; what does not apply is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct At {
    /// The device.
    pub device: Option<String>,
    /// Its epoch.
    pub epoch: Option<u64>,
    /// The reading's serial number.
    pub serial: Option<u64>,
    /// The identifier of the measurement registry.
    pub quantity: Option<String>,
    /// The event time.
    pub time: Option<SimTime>,
    /// The line of `events.jsonl`, from 1.
    pub event: Option<u64>,
}

impl At {
    /// The registry row of [`Self::quantity`], if it names one.
    pub fn measurement(&self) -> Option<MeasurementId> {
        self.quantity.as_deref().and_then(MeasurementId::lookup)
    }
}

/// `meter serial 3, electricity.voltage.rms.l1, 2027-01-18T17:00:30.000Z (events.jsonl:8)`.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let serial = self.serial.map(|serial| format!("serial {serial}"));
        let who: Vec<&str> = self.device.as_deref().into_iter().chain(serial.as_deref()).collect();
        if !who.is_empty() {
            parts.push(who.join(" "));
        }
        parts.extend(self.quantity.clone());
        parts.extend(self.time.map(|time| time.to_string()));
        f.write_str(&parts.join(", "))?;
        match self.event {
            Some(line) if parts.is_empty() => write!(f, "events.jsonl:{line}"),
            Some(line) => write!(f, " (events.jsonl:{line})"),
            None => Ok(()),
        }
    }
}

/// How a verdict is told on one line where its figures alone say too little.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What was measured: `66 over 1 s, bound 0.49 %`.
    pub measured: String,
    /// On what it rests: `TT1 at 99 %, n 18408, deff 2.3`.
    pub basis: String,
}

/// One entry of `verdicts.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The check's name in the scenario.
    pub check: String,
    /// The scenario's name.
    pub scenario: String,
    /// The outcome: that of [`Self::reason`].
    pub status: Status,
    /// Why, in one stable word for machines.
    pub reason: Reason,
    /// What was measured, in [`Self::unit`]; the worst absolute error of an accuracy check.
    /// `None` where nothing was, or where it is not a finite number (then [`Self::why`] says so).
    pub measured: Option<f64>,
    /// What is allowed at most, in [`Self::unit`].
    pub limit: Option<f64>,
    /// What is allowed at least, where there is such a limit too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_low: Option<f64>,
    /// `%`, an SI unit, `s`, or `1` for counts.
    pub unit: String,
    /// On how many observations the verdict rests; with none it is at best inconclusive.
    pub n: u64,
    /// The statistical bound that was compared with the limit; `None` where every case was judged.
    pub bound: Option<f64>,
    /// Where in the record.
    pub at: Option<At>,
    /// Ids of the requirements the check covers.
    pub covers: Vec<String>,
    /// One or more sentences for people.
    pub why: String,
    /// How the console tells it, where a check has more to say than the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// What a pass is worth less by, or a fail: `limit unconfirmed`, `clauses missing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualification: Option<String>,
}

impl Verdict {
    /// Gives it another reason, and with it the status that this reason has.
    pub fn set_reason(&mut self, reason: Reason) {
        self.reason = reason;
        self.status = reason.status();
    }

    /// Which share of what is allowed is used: of the limit, or of the way from the middle of a
    /// limit with two sides to its edges.
    pub fn share(&self) -> Option<f64> {
        let value = self.bound.or(self.measured)?;
        let limit = self.limit.filter(|limit| *limit > 0.0)?;
        Some(match self.limit_low {
            None => value.abs() / limit,
            Some(low) => {
                let middle = f64::midpoint(low, limit);
                (value - middle).abs() / (limit - middle)
            }
        })
    }
}

/// Whether a must-fail twin did what it is for: the named check has exactly the expected status,
/// `fail` or `inconclusive`, and no other check is `fail` or `error`. The error says what happened
/// instead. Where the machine kept the named check from being judged, nothing is known of the twin:
/// the error then is that check's reason, which is inconclusive.
pub fn judge_twin(check: &str, expected: Status, verdicts: &[Verdict]) -> Result<(), Because> {
    let differs = |why: String| Err(Because::new(Reason::NotAsExpected, why));
    if !matches!(expected, Status::Fail | Status::Inconclusive) {
        return differs(format!("a twin is expected to be fail or inconclusive, not {expected}"));
    }
    let Some(named) = verdicts.iter().find(|verdict| verdict.check == check) else {
        return differs(format!("the run has no check `{check}`"));
    };
    let other =
        verdicts.iter().find(|verdict| verdict.check != check && verdict.status >= Status::Fail);
    if named.status != expected {
        let why = format!(
            "`{check}` was expected to be {expected} and is {}: {}",
            named.status, named.why
        );
        if named.reason.is_of_the_machine() && other.is_none() {
            return Err(Because::new(named.reason, why));
        }
        return differs(why);
    }
    match other {
        Some(other) => differs(format!(
            "`{check}` is {expected} as expected, but `{}` is {}",
            other.check, other.status
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(check: &str, status: Status) -> Verdict {
        Verdict {
            check: check.to_owned(),
            scenario: "s".to_owned(),
            status,
            reason: Reason::of(status),
            measured: None,
            limit: None,
            limit_low: None,
            unit: "1".to_owned(),
            n: 1,
            bound: None,
            at: None,
            covers: Vec::new(),
            why: String::new(),
            told: None,
            qualification: None,
        }
    }

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
    fn a_twin_is_right_only_if_its_check_is_as_expected_and_no_other_fails() {
        use Status::{Error, Fail, Inconclusive, Pass, Skipped};
        for (expected, named, other, right) in [
            (Fail, Fail, Pass, true),
            (Fail, Fail, Skipped, true),
            (Fail, Fail, Inconclusive, true),
            (Fail, Fail, Fail, false),
            (Fail, Fail, Error, false),
            (Fail, Pass, Pass, false),
            (Fail, Error, Pass, false),
            (Fail, Inconclusive, Pass, false),
            (Inconclusive, Inconclusive, Pass, true),
            (Inconclusive, Inconclusive, Skipped, true),
            (Inconclusive, Inconclusive, Inconclusive, true),
            (Inconclusive, Inconclusive, Fail, false),
            (Inconclusive, Inconclusive, Error, false),
            (Inconclusive, Pass, Pass, false),
            (Inconclusive, Skipped, Pass, false),
            (Inconclusive, Fail, Pass, false),
            (Inconclusive, Error, Pass, false),
            // A twin that passes shows nothing.
            (Pass, Pass, Pass, false),
        ] {
            let verdicts = [verdict("other", other), verdict("named", named)];
            let judged = judge_twin("named", expected, &verdicts);
            assert_eq!(judged.is_ok(), right, "{expected}: {named} beside {other}");
        }
        assert!(judge_twin("absent", Fail, &[verdict("named", Fail)]).is_err());
    }

    #[test]
    fn of_a_limit_with_two_sides_the_way_to_the_nearer_edge_is_used() {
        let of = |measured: f64, low: Option<f64>, limit: f64| {
            let limits =
                Verdict { limit: Some(limit), limit_low: low, ..verdict("c", Status::Pass) };
            Verdict { measured: Some(measured), ..limits }.share()
        };
        for (measured, low, limit, share) in [
            (-1.0, None, 2.0, 0.5),
            (1.0, Some(0.8), 1.2, 0.0),
            (0.9, Some(0.8), 1.2, 0.5),
            (1.2, Some(0.8), 1.2, 1.0),
            (0.6, Some(0.8), 1.2, 2.0),
        ] {
            let found = of(measured, low, limit).unwrap();
            assert!((found - share).abs() < 1e-12, "{measured}: {found}");
        }
        assert_eq!(of(1.0, None, 0.0), None);
        assert_eq!(verdict("c", Status::Pass).share(), None);
    }

    #[test]
    fn of_a_twin_that_the_machine_kept_from_being_judged_nothing_is_known() {
        let mut named = verdict("named", Status::Inconclusive);
        for reason in Reason::ALL.iter().filter(|reason| reason.status() == Status::Inconclusive) {
            named.set_reason(*reason);
            let because = judge_twin("named", Status::Fail, &[named.clone()]).unwrap_err();
            let of_the_machine = reason.is_of_the_machine();
            let expected = if of_the_machine { *reason } else { Reason::NotAsExpected };
            assert_eq!(because.reason, expected);
            // Beside it something failed that must not: that is known.
            let both = [verdict("other", Status::Fail), named.clone()];
            let because = judge_twin("named", Status::Fail, &both).unwrap_err();
            assert_eq!(because.reason, Reason::NotAsExpected);
        }
    }

    #[test]
    fn counts_are_told_best_first() {
        let counts = Counts::of([Status::Fail, Status::Pass, Status::Pass]);
        assert_eq!(counts.to_string(), "2 pass, 1 fail");
        assert_eq!(counts.plus(counts).total(), 6);
        assert_eq!(Counts::default().to_string(), "none");
    }
}
