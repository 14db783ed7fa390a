//! What a check concludes: the five statuses, how a whole follows from its parts, and the verdict.
//!
//! Terms: a *status* is one word; a *verdict* is a status with the figures it rests on. The order
//! `pass < skipped < inconclusive < fail < error`, and the fields of `verdicts.json`, are promises
//! to users and their continuous integration: add, never rename.

mod reason;

use std::borrow::Borrow;
use std::fmt;

use lastmeter_record::{RunFacts, RunState, Status};
use lastmeter_text::{Prose, append};
use lastmeter_units::{MeasurementId, SimTime};
use serde::{Deserialize, Serialize};

pub use reason::{Because, Reason};

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
    /// An event about a device, in this line of `events.jsonl`.
    pub(crate) fn of_device(device: &str, time: SimTime, line: u64) -> Self {
        let device = Some(device.to_owned());
        Self { device, time: Some(time), event: Some(line), ..Self::default() }
    }

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

/// How a verdict is shown on one line where its figures alone show too little.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictText {
    /// What was measured: `66 over 1 s, bound 0.49 %`.
    pub measured: String,
    /// On what it rests: `TT1 at 99 %, n 18408, deff 2.3`.
    pub basis: String,
}

/// How many devices a check compared, and how many of them are outside its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// Those with a value outside.
    pub wrong: usize,
    /// All with a value that was judged.
    pub judged: usize,
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
    /// `None` where nothing was, or where it is not a finite number (then [`Self::why`] has it).
    pub measured: Option<f64>,
    /// The figure itself, for the report, where [`Self::measured`] is how far it is from another.
    #[serde(skip)]
    pub figure: Option<f64>,
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
    pub why: Prose,
    /// How the console shows it, where a check has more to report than the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<VerdictText>,
    /// Of a check that judges device by device: how many are wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Devices>,
    /// What a pass is worth less by, or a fail: `limit unconfirmed`, `clauses missing`,
    /// `interchangeable`.
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
        match self.limit_low {
            None => Some(value.abs() / limit),
            Some(low) => {
                let middle = f64::midpoint(low, limit);
                // Of no way no share is used.
                (middle < limit).then(|| (value - middle).abs() / (limit - middle))
            }
        }
    }
}

/// Some of so many names: `first, second and 7 more`.
pub(crate) fn some_of(shown: &[impl Borrow<str>], count: usize) -> String {
    let mut text = shown.join(", ");
    let more = count.saturating_sub(shown.len());
    if more > 0 {
        append(&mut text, format_args!(" and {more} more"));
    }
    text
}

/// Whether a must-fail twin did what it is for: the named check has exactly the expected status,
/// `fail` or `inconclusive`, by the expected reason if one is named, and no other check is `fail`
/// or `error`. The error states what happened instead. Where the machine kept the named check from
/// being judged, and that is not what was to be shown, nothing is known of the twin: the error then
/// is that check's reason, which is inconclusive.
pub fn judge_twin(
    (check, expected, by): (&str, Status, Option<Reason>),
    verdicts: &[Verdict],
) -> Result<(), Because> {
    let differs = |why: String| Err(Because::new(Reason::NotAsExpected, why));
    if !matches!(expected, Status::Fail | Status::Inconclusive) {
        return differs(format!("a twin is expected to be fail or inconclusive, not {expected}"));
    }
    let Some(named) = verdicts.iter().find(|verdict| verdict.check == check) else {
        return differs(format!("the run has no check `{check}`"));
    };
    let other =
        verdicts.iter().find(|verdict| verdict.check != check && verdict.status >= Status::Fail);
    let is_as_expected = named.status == expected
        && by.map_or(!named.reason.is_of_the_machine(), |by| named.reason == by);
    if !is_as_expected {
        let by = by.map(|by| format!(" by `{by}`")).unwrap_or_default();
        let why = format!(
            "`{check}` was expected to be {expected}{by} and is {} by `{}`: {}",
            named.status, named.reason, named.why
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

/// What a run that did not run to its end comes to at best, and why; `None` of one that did.
pub(crate) fn unfinished(facts: &RunFacts) -> Option<(Reason, String)> {
    let (reason, what) = match facts.state {
        RunState::Finished => return None,
        RunState::Interrupted => (Reason::Unfinished, "the run was interrupted"),
        RunState::Stopped => (Reason::Unfinished, "the run was stopped"),
        RunState::Running => (Reason::Unfinished, "the run never finished its record"),
        RunState::Error => (Reason::BenchBroke, "the bench broke"),
        RunState::Skipped => (Reason::RunSkipped, "the run was skipped"),
    };
    let cause = facts.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    Some((reason, format!("{what}{cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(check: &str, status: Status) -> Verdict {
        Verdict {
            check: check.to_owned(),
            scenario: "s".to_owned(),
            status,
            reason: Reason::of(status),
            measured: None,
            figure: None,
            limit: None,
            limit_low: None,
            unit: "1".to_owned(),
            n: 1,
            bound: None,
            at: None,
            covers: Vec::new(),
            why: Prose::default(),
            told: None,
            devices: None,
            qualification: None,
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
            let judged = judge_twin(("named", expected, None), &verdicts);
            assert_eq!(judged.is_ok(), right, "{expected}: {named} beside {other}");
        }
        assert!(judge_twin(("absent", Fail, None), &[verdict("named", Fail)]).is_err());
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
        assert_eq!(of(3.0, Some(3.0), 3.0), None);
        assert_eq!(verdict("c", Status::Pass).share(), None);
    }

    #[test]
    fn of_a_twin_that_the_machine_kept_from_being_judged_nothing_is_known() {
        let mut named = verdict("named", Status::Inconclusive);
        for reason in Reason::ALL.iter().filter(|reason| reason.status() == Status::Inconclusive) {
            named.set_reason(*reason);
            let of_the_machine = reason.is_of_the_machine();
            let judged = |expected, by, more: &[Verdict]| {
                let verdicts = [more, std::slice::from_ref(&named)].concat();
                judge_twin(("named", expected, by), &verdicts).map_err(|because| because.reason)
            };
            let unknown = if of_the_machine { *reason } else { Reason::NotAsExpected };
            assert_eq!(judged(Status::Fail, None, &[]), Err(unknown));
            // What is to be inconclusive is not so because of the machine, unless that is named.
            let without = if of_the_machine { Err(*reason) } else { Ok(()) };
            assert_eq!(judged(Status::Inconclusive, None, &[]), without);
            assert_eq!(judged(Status::Inconclusive, Some(*reason), &[]), Ok(()));
            let another = if *reason == Reason::TooFew { Reason::HostLoad } else { Reason::TooFew };
            assert_eq!(judged(Status::Inconclusive, Some(another), &[]), Err(unknown));
            // Beside it something failed that must not: that is known.
            let other = [verdict("other", Status::Fail)];
            assert_eq!(judged(Status::Fail, None, &other), Err(Reason::NotAsExpected));
        }
    }
}
