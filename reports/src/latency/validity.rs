//! Whether a run can carry a verdict on latency at all, and on which limits.
//!
//! Terms: a run is *invalid* if the bench did not keep its own schedule, or a clock was stepped or
//! the machine suspended; it is *flagged* for less, and then judged all the same. A limit below ten
//! times the *floor*, the worse 99 % of what bench and machine add before and after the run, is
//! *not measurable here*; the floor is never subtracted (docs/decisions.md). In virtual time a
//! delay is the model's, and there is no verdict about the platform.
//!
//! What holds messages up, load on the machine or a late tick of the bench, makes measured delays
//! longer, never shorter, so a message within its limit is so for certain. One over it is *touched*
//! if it was under way while threads waited for longer than a tenth of the limit
//! ([`super::HoldUps`]). A fail is reported only if it holds with all touched ones counted as good,
//! and then it is reported of a run with too many missed deadlines as well; nothing else is. What
//! is undecided, and would be a pass with the touched ones in time, is so for the load. Where load
//! may have made delays seem shorter, as between two points behind the instant a message was due, a
//! pass has to hold with those counted as late.

use super::judge::Judgement;
use super::message::{Limit, describe};
use super::population::Population;
use super::quantile::Delay;
use crate::verdict::{Because, Reason};
use lastmeter_record::{Floor, RealTimeFacts, RunFacts, Status};
use lastmeter_text::plural;

/// A wall clock set further than this, in ns, makes a run invalid; also a sleep that is longer.
/// Less is what two readings of a clock on a busy machine are apart.
const CLOCK_ERROR_NS: i64 = 1_000_000;

/// More missed deadlines than this share make a run invalid: what was sent is no longer what the
/// scenario has. Of fewer each is taken for what it can have touched.
const MISSED_SHARE: f64 = 0.01;

/// The same where it is not known when they were.
const MISSED_UNKNOWN_SHARE: f64 = 0.001;

/// More messages than this share with a negative delay make a run invalid.
const EARLY_SHARE: f64 = 0.001;

/// A limit is to be so many times the floor's 99 %.
const FLOOR_FACTOR: i64 = 10;

/// What bench and machine add by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorBound {
    /// The worse median of before and after, in ns.
    pub p50_ns: Delay,
    /// The worse 99 % of before and after, in ns.
    pub p99_ns: Delay,
}

impl FloorBound {
    /// The shortest limit that can be judged, in ns.
    pub fn least_limit_ns(&self) -> Delay {
        self.p99_ns.saturating_mul(FLOOR_FACTOR)
    }
}

/// What a run reports of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// Whether the run was in virtual time: its delays are the model's.
    pub modelled: bool,
    /// Why the run is invalid; empty if it is not.
    pub invalid: Vec<Because>,
    /// What a reader has to know although the run is valid.
    pub flags: Vec<String>,
    /// Whether it is invalid by the deadlines it missed, and these are known one by one.
    pub missed_too_many: bool,
    /// Whether it missed deadlines of which it is not known when they were.
    pub missed_unknown: bool,
    /// The floor; `None` if it was not measured both before and after.
    pub floor: Option<FloorBound>,
}

impl Validity {
    /// Of a run.
    pub fn of(facts: &RunFacts) -> Self {
        let Some(real) = &facts.real_time else {
            let is_virtual = facts.time == lastmeter_record::TimeMode::Virtual;
            let invalid = "run.json does not state how clock, timers and floor were";
            let invalid = Because::new(Reason::NoFloor, invalid);
            return Self {
                modelled: is_virtual,
                invalid: if is_virtual { Vec::new() } else { vec![invalid] },
                ..Self::default()
            };
        };
        let mut validity = Self::default();
        validity.clock(real);
        validity.deadlines(real);
        validity.floor(real);
        validity
    }

    /// Of a machine with this floor.
    pub fn of_floor(floor: &Floor) -> Self {
        let mut validity = Self::default();
        validity.floor(&RealTimeFacts {
            floor_before: Some(floor.clone()),
            floor_after: Some(floor.clone()),
            ..RealTimeFacts::default()
        });
        validity
    }

    fn clock(&mut self, real: &RealTimeFacts) {
        let (step_ns, asleep_ns) = (real.clock.wall_step_ns, real.clock.suspended_ns);
        if step_ns.unsigned_abs() > CLOCK_ERROR_NS as u64 {
            let why = format!("the wall clock was set by {}", describe(step_ns));
            self.invalid.push(Because::new(Reason::ClockChanged, why));
        }
        if asleep_ns.unsigned_abs() > CLOCK_ERROR_NS as u64 {
            let why = format!("the machine was suspended for {}", describe(asleep_ns));
            self.invalid.push(Because::new(Reason::ClockChanged, why));
        }
    }

    fn deadlines(&mut self, real: &RealTimeFacts) {
        let deadlines = real.deadlines;
        if deadlines.scheduled == 0 {
            let why = "no deadline was kept account of";
            self.invalid.push(Because::new(Reason::DeadlinesMissed, why));
        } else if deadlines.missed > 0 {
            let share = deadlines.missed as f64 / deadlines.scheduled as f64;
            let text = format!(
                "{} of {} deadlines missed by more than {}, the worst by {}",
                deadlines.missed,
                deadlines.scheduled,
                describe(deadlines.limit_ns),
                describe(deadlines.worst_ns),
            );
            let are_known = real.late_ticks.len() as u64 == deadlines.missed;
            let allowed = if are_known { MISSED_SHARE } else { MISSED_UNKNOWN_SHARE };
            self.missed_unknown = !are_known;
            self.missed_too_many = share > allowed && are_known;
            if share > allowed {
                self.invalid.push(Because::new(Reason::DeadlinesMissed, text));
            } else {
                self.flags.push(text);
            }
        }
    }

    fn floor(&mut self, real: &RealTimeFacts) {
        let (Some(before), Some(after)) = (&real.floor_before, &real.floor_after) else { return };
        if before.timer.n == 0 || after.timer.n == 0 {
            return;
        }
        let p50_ns = |floor: &Floor| {
            floor.echo.map_or(floor.timer.p50_ns, |echo| echo.p50_ns.max(floor.timer.p50_ns))
        };
        self.floor = Some(FloorBound {
            p50_ns: p50_ns(before).max(p50_ns(after)),
            p99_ns: before.p99_ns().max(after.p99_ns()),
        });
        if after.p99_ns() > before.p99_ns().saturating_mul(3) {
            self.flags.push(format!(
                "disturbed: the floor's 99 % rose from {} to {}",
                describe(before.p99_ns()),
                describe(after.p99_ns())
            ));
        }
        if before.echo.is_none_or(|echo| echo.n == 0) || after.echo.is_none_or(|echo| echo.n == 0) {
            self.flags.push("the floor is that of the timers alone, without an echo".to_owned());
        }
        if let Some(floor) = [before, after].iter().find(|floor| floor.is_past_broker()) {
            self.flags.push(format!("the floor left the broker out: {}", floor.echo_kind));
        }
    }

    /// Why no delay of a population can be judged; `None` if it can.
    pub fn refuses(&self, population: &Population) -> Option<Because> {
        self.invalid().or_else(|| self.refuses_by_rows(population))
    }

    /// Why the run is invalid, if it is: the first of the reasons.
    pub fn invalid(&self) -> Option<Because> {
        let Because { reason, why } = self.invalid.first()?;
        Some(Because::new(*reason, format!("invalid run: {why}")))
    }

    /// The same by the messages and the floor alone.
    fn refuses_by_rows(&self, population: &Population) -> Option<Because> {
        let early = population.early;
        if early as f64 > EARLY_SHARE * population.n() as f64 {
            let messages = plural(early, "message");
            let why = format!("invalid run: {messages} published before they were due");
            return Some(Because::new(Reason::ClockChanged, why));
        }
        if population.is_unmeasured() {
            let span = population.span;
            let point = if population.lost == population.n() { span.to } else { span.from };
            let why = format!("messages came, but none has an instant at `{}`", point.word());
            return Some(Because::new(Reason::NotStamped, why));
        }
        self.without_floor()
    }

    /// Why nothing can be judged without a floor; `None` if there is one, or none is needed.
    pub(crate) fn without_floor(&self) -> Option<Because> {
        let why = "there is no floor from before and after the run";
        (self.floor.is_none() && !self.modelled).then(|| Because::new(Reason::NoFloor, why))
    }

    /// Why a limit cannot be judged on this machine; `None` if it can.
    pub fn is_not_measurable(&self, limit: Limit) -> Option<Because> {
        let (limit_ns, floor) = (limit.ns()?, self.floor?);
        (limit_ns < floor.least_limit_ns()).then(|| {
            let why = format!(
                "not measurable here: {} is below {FLOOR_FACTOR} times the floor's 99 %, {}",
                describe(limit_ns),
                describe(floor.p99_ns)
            );
            Because::new(Reason::NotMeasurableHere, why)
        })
    }

    /// What holds of a judgement in this run: its status, or why there is none.
    pub fn conclude(&self, population: &Population, limit: Limit, judged: &Judgement) -> Because {
        let refused = self.refuses(population).or_else(|| self.is_not_measurable(limit));
        let tally = judged.tally;
        let held_up = plural(tally.touched, "message");
        let held_up = format!("{held_up} that load on this machine may have held up");
        match (judged.status, refused) {
            (Status::Fail, refused) if self.is_late_at_most(population, limit) => {
                let fails = judged.fails_with(tally.over - tally.touched, tally.n);
                match (refused, tally.touched) {
                    (None, _) if self.missed_unknown => {
                        let why = "over the bound, but it is not known which messages the missed \
                                   deadlines may have delayed";
                        Because::new(Reason::DeadlinesMissed, why)
                    }
                    (_, 1..) if fails => {
                        let why = format!("over the bound, even if {held_up} had been in time");
                        Because::new(judged.reason(), why)
                    }
                    (Some(refused), 1..) => refused,
                    (None, 1..) => {
                        let why = format!("over the bound, but not if {held_up} had been in time");
                        Because::new(Reason::HostLoad, why)
                    }
                    (_, 0) => Because::new(judged.reason(), judged.words()),
                }
            }
            (_, Some(refused)) => refused,
            (Status::Pass, None) if !judged.passes_with(tally.k() + tally.shortened) => {
                let why = format!(
                    "within the bound, but not if {} that load on this machine may have made seem \
                     shorter had been late",
                    plural(tally.shortened, "message")
                );
                Because::new(Reason::HostLoad, why)
            }
            (Status::Inconclusive, None)
                if tally.touched > 0 && judged.passes_without(tally.touched) =>
            {
                let why = format!("undecided, but within the bound if {held_up} had been in time");
                Because::new(Reason::HostLoad, why)
            }
            _ => Because::new(judged.reason(), judged.words()),
        }
    }

    /// Whether nothing but missed deadlines speaks against a verdict.
    fn is_late_at_most(&self, population: &Population, limit: Limit) -> bool {
        let by_deadlines = usize::from(self.missed_too_many);
        self.invalid.len() == by_deadlines
            && self.refuses_by_rows(population).is_none()
            && self.is_not_measurable(limit).is_none()
    }
}

#[cfg(test)]
#[path = "validity_tests.rs"]
mod tests;
