//! The three-valued verdict on a share of late messages: *messages per stall*.
//!
//! Terms: a *claim* is that at least a share (the *coverage*) of all messages is within a limit,
//! and that no *stall*, a stretch in which one cause may make the messages of all devices late,
//! lasts longer than the declared one. A message that had not arrived when the bench stopped
//! waiting, and was not late yet, is *open*, and so is one with a negative delay: open ones count
//! as late against a pass, and not for a fail.
//!
//! Messages that one stall makes late are one event. So the exact binomial bounds of Clopper and
//! Pearson (1934) are taken of k / w late ones in n / w messages, where w messages count as one:
//!
//! - a **pass** needs the upper bound to be at most what the coverage leaves, with w the largest of
//!   the most messages due in any half-open stretch of the declared stall, the design effect
//!   between blocks of time, and the longest unbroken run of late messages;
//! - a **fail** needs the lower bound to be above that, with w only as large as the messages show:
//!   the largest of the design effect, the most *late* messages in a stretch of the stall, and the
//!   longest run, that at most a third of all messages;
//! - everything else is inconclusive.
//!
//! Each pass states the longest stall with which it would still be one: W is the largest number of
//! messages that may count as one, and no stretch shorter than `holds_up_to_ns` holds more than W.
//! A run too short for its claim reports how long one with the same share would have to be.
//!
//! With nothing late a pass needs a window of about 3 stalls / (1 - coverage), with one whole stall
//! late 4.74. What is not excluded: single stalls longer than declared that the run did not see.

use super::binomial::{is_within, lower_bound, needed_sample_size, upper_bound};
use super::blocks::DesignEffect;
use super::due::{Due, Late};
use super::message::describe;
use crate::verdict::Reason;
use lastmeter_record::Status;
use lastmeter_text::{append, plural, three_digits};

/// The longest stall where a scenario gives none, in ns.
pub const DEFAULT_STALL_NS: i64 = 1_000_000_000;

/// No run longer than this is advised: 30 days.
const ADVISED_NS_MAX: f64 = 30.0 * 86_400.0 * 1e9;

/// What is to be shown of a population.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// The share that is to be within the limit.
    pub coverage: f64,
    /// The longest stretch, a cluster counted as one, in which one cause may make messages of all
    /// devices late, in ns.
    pub stall_ns: i64,
}

/// Messages over one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All messages of the population.
    pub n: u64,
    /// Those that were later than the limit for certain.
    pub over: u64,
    /// Those of which it is not known.
    pub open: u64,
    /// Those of `over` that load on the machine may have carried over the limit.
    pub touched: u64,
    /// Those within the limit that may be so only since load on the machine made them seem shorter.
    pub shortened: u64,
}

impl Tally {
    /// Over the limit as far as can be seen: what counts against a pass.
    pub fn k(&self) -> u64 {
        self.over + self.open
    }
}

/// What a population shows of one limit.
#[derive(Clone, Copy, Debug)]
pub struct LimitEvidence<'a> {
    /// What was counted.
    pub tally: Tally,
    /// How late messages vary between blocks of time, open ones among them.
    pub deff: DesignEffect,
    /// When messages were due.
    pub due: &'a Due,
    /// Which were late, open ones among them.
    pub late: &'a Late,
    /// How long the judged window is, in ns.
    pub window_ns: i64,
}

/// Why a verdict is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// The upper bound is at most what is allowed.
    Within,
    /// The lower bound is above what is allowed.
    Over,
    /// What is allowed lies between the bounds.
    Between,
    /// The upper bound would be within what is allowed if stalls were shorter than declared.
    StallTooShort,
    /// There are fewer messages than the claim needs even if none is late.
    TooFew {
        /// So many it needs.
        needed: u64,
    },
    /// There are too many late messages to keep, so their longest run is not known.
    TooManyLate,
}

/// A verdict on one claim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// What was claimed.
    pub claim: Claim,
    /// What was counted.
    pub tally: Tally,
    /// How late messages vary between blocks.
    pub deff: DesignEffect,
    /// The most messages due in any stretch of the declared stall.
    pub per_stall: u64,
    /// The longest unbroken run of late messages.
    pub longest_run: u64,
    /// The longest of one device.
    pub longest_of_device: u64,
    /// So many messages count as one in the upper bound.
    pub pass_weight: f64,
    /// So many messages count as one in the lower bound.
    pub fail_weight: f64,
    /// The upper bound on the share over the limit.
    pub upper: f64,
    /// The lower bound.
    pub lower: f64,
    /// The longest stall with which the claim holds, in ns; `None` if with none, or if the run
    /// shows that messages are late in longer runs than that.
    pub holds_up_to_ns: Option<i64>,
    /// How long the judged window would have to be for a pass, with as many late ones as in this
    /// one, in ns; `None` for a pass or a fail, and where no length would be enough.
    pub needs_ns: Option<i64>,
    /// The longest time between a message and the next, where it is longer than the stall, in ns.
    pub gap_ns: Option<i64>,
    /// Where instants are counted by parts of the window: how long one is, in ns.
    pub part_ns: Option<i64>,
    /// Pass, fail or inconclusive.
    pub status: Status,
    /// Why.
    pub grounds: Grounds,
}

impl Judgement {
    /// The share that may be over the limit.
    pub fn allowed(&self) -> f64 {
        1.0 - self.claim.coverage
    }

    /// The share that is over the limit; 0 without messages.
    pub fn share(&self) -> f64 {
        self.tally.k() as f64 / (self.tally.n as f64).max(1.0)
    }

    /// Why it is as it is, in one word.
    pub fn reason(&self) -> Reason {
        self.grounds.reason()
    }

    /// The bound that was compared with what is allowed: the lower one of a fail, else the upper.
    pub fn bound(&self) -> f64 {
        if self.status == Status::Fail { self.lower } else { self.upper }
    }

    /// How many messages count as one in that bound.
    pub fn weight(&self) -> f64 {
        if self.status == Status::Fail { self.fail_weight } else { self.pass_weight }
    }

    /// Whether it would be a fail with so many messages over the limit, of so many.
    pub fn fails_with(&self, over: u64, n: u64) -> bool {
        let weight = self.fail_weight;
        n > 0 && lower_bound(over as f64 / weight, n as f64 / weight) > self.allowed()
    }

    /// Whether it would be a pass with so many messages over the limit.
    pub fn passes_with(&self, over: u64) -> bool {
        let (weight, n) = (self.pass_weight, self.tally.n as f64);
        is_within(over as f64 / weight, n / weight, self.allowed())
    }

    /// Whether it would be a pass with so many of the late messages in time. One run of late ones
    /// cannot be longer than those that are left.
    pub fn passes_without(&self, touched: u64) -> bool {
        let late = self.tally.k().saturating_sub(touched);
        let weight = self.pass_weight.min(self.per_stall.max(late).max(1) as f64);
        let n = self.tally.n as f64;
        n > 0.0 && is_within(late as f64 / weight, n / weight, self.allowed())
    }

    /// What it rests on, for people: `if no stall lasts longer than 1.4 s (asked: 1 s)`, `n too
    /// small: 120 of 299; run at least 300 s after the warm-up`.
    pub fn words(&self) -> String {
        let stall = describe(self.claim.stall_ns);
        let up_to = describe(readable(self.holds_up_to_ns.unwrap_or(0)));
        let mut text = match self.grounds {
            Grounds::Within => format!("if no stall lasts longer than {up_to} (asked: {stall})"),
            Grounds::Over => {
                let lower = three_digits(100.0 * self.lower);
                let run = plural(self.longest_run, "message");
                format!("at least {lower} % late; longest late run {run}")
            }
            Grounds::Between => "undecided at 95 % confidence".to_owned(),
            Grounds::StallTooShort => {
                format!("holds only if no stall lasts longer than {up_to} (asked: {stall})")
            }
            Grounds::TooFew { needed } => format!("n too small: {} of {needed}", self.tally.n),
            Grounds::TooManyLate => {
                format!("{} late messages are too many to find their longest run", self.tally.k())
            }
        };
        if let Some(needs_ns) = self.needs_ns {
            append(
                &mut text,
                format_args!("; run at least {} after the warm-up", at_least(needs_ns)),
            );
        }
        if let Some(gap_ns) = self.gap_ns {
            let gap = describe(readable(gap_ns));
            append(
                &mut text,
                format_args!(
                    "; messages were due up to {gap} apart: a stall of {stall} may fall between two"
                ),
            );
        }
        if self.tally.open > 0 {
            append(
                &mut text,
                format_args!(
                    "; {} may have come after the bench stopped waiting, or have a negative delay",
                    self.tally.open
                ),
            );
        }
        text
    }

    /// The stall it holds up to, or the one that was declared: `no stall above 1.4 s`, `stall 1 s`.
    pub fn stall_words(&self, concluded: Status) -> String {
        match self.holds_up_to_ns.filter(|_| concluded == Status::Pass) {
            Some(ns) => format!("no stall above {}", describe(readable(ns))),
            None => format!("stall {}", describe(self.claim.stall_ns)),
        }
    }

    /// How many messages count as one, and why, for people.
    pub fn weight_words(&self) -> String {
        let Self { deff, per_stall, .. } = self;
        let mut text = match three_digits(self.weight()) {
            one if one == "1" => "each message counted".to_owned(),
            weight => format!("{weight} messages counted as one"),
        };
        append(
            &mut text,
            format_args!(
                " ({per_stall} due within the stall, design effect {} by {} blocks of {}, longest \
                 late run {}",
                three_digits(deff.estimate),
                deff.blocks,
                describe(deff.block_ns),
                self.longest_run,
            ),
        );
        if let Some(part_ns) = self.part_ns {
            append(&mut text, format_args!(", counted by {}", describe(readable(part_ns))));
        }
        text.push(')');
        text
    }
}

impl Grounds {
    /// The word for machines.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Within => Reason::WithinLimit,
            Self::Over => Reason::TooLate,
            Self::Between => Reason::BetweenBounds,
            Self::StallTooShort => Reason::StallTooShort,
            Self::TooFew { .. } => Reason::TooFew,
            Self::TooManyLate => Reason::TooMany,
        }
    }
}

/// One in the third digit of a time.
fn third_digit(ns: i64) -> i64 {
    let mut unit = 1;
    while ns / unit >= 1_000 {
        unit *= 10;
    }
    unit
}

/// A time rounded down to three digits: what is reported to hold up to it does.
fn readable(ns: i64) -> i64 {
    ns / third_digit(ns) * third_digit(ns)
}

/// A length of time rounded up, as one asks for it: `50.2 s`, `300 s`, `50 min`, `2.5 h`.
fn at_least(ns: i64) -> String {
    let up_to = |unit: i64| (ns + unit - 1) / unit;
    match ns / 1_000_000_000 {
        ..100 => format!("{} s", up_to(100_000_000) as f64 / 10.0),
        100..1_000 => format!("{} s", up_to(1_000_000_000)),
        1_000..7_200 => format!("{} min", up_to(60_000_000_000)),
        _ => format!("{} h", up_to(360_000_000_000) as f64 / 10.0),
    }
}

/// Judges a claim.
pub fn judge(shown: &LimitEvidence<'_>, claim: Claim) -> Judgement {
    let LimitEvidence { tally, deff, due, late, window_ns } = *shown;
    let (n, k, over) = (tally.n as f64, tally.k() as f64, tally.over as f64);
    let allowed = 1.0 - claim.coverage;
    let per_stall = due.most_within(claim.stall_ns);
    // Where late ones are too many to keep, all of them may be one run.
    let longest_run = if late.due_ns.is_some() { late.longest() } else { tally.k() };
    let late_per_stall = late.most_within(claim.stall_ns).unwrap_or(per_stall);
    let shown_weight = deff.estimate.max(longest_run as f64);
    let pass_weight = shown_weight.max(per_stall as f64);
    let fail_weight = deff
        .estimate
        .max(per_stall.min(late_per_stall) as f64)
        .max((longest_run as f64).min(n / 3.0));
    let upper = upper_bound(k / pass_weight, n / pass_weight);
    let lower = lower_bound(over / fail_weight, n / fail_weight);
    let most = most_as_one(k, n, allowed);
    let holds = is_within(k / shown_weight, n / shown_weight, allowed);
    let needed = needed_sample_size(claim.coverage);
    let grounds = if tally.n > 0 && lower > allowed {
        Grounds::Over
    } else if tally.n < needed {
        Grounds::TooFew { needed }
    } else if is_within(k / pass_weight, n / pass_weight, allowed) {
        Grounds::Within
    } else if late.due_ns.is_none() {
        Grounds::TooManyLate
    } else if holds {
        Grounds::StallTooShort
    } else {
        Grounds::Between
    };
    let status = grounds.reason().status();
    let is_open = status == Status::Inconclusive && grounds != Grounds::TooManyLate;
    Judgement {
        claim,
        tally,
        deff,
        per_stall,
        longest_run,
        longest_of_device: late.longest_of_device,
        pass_weight,
        fail_weight,
        upper,
        lower,
        holds_up_to_ns: due.shortest(most).filter(|_| holds),
        needs_ns: needed_ns(k / pass_weight, n / pass_weight, allowed, window_ns)
            .filter(|_| is_open && tally.n > 0),
        gap_ns: Some(due.longest_gap()).filter(|gap_ns| *gap_ns > claim.stall_ns),
        part_ns: due.part_ns(),
        status,
        grounds,
    }
}

/// The largest whole number of messages that may count as one for k of n to be within what is
/// allowed; 0 if not even each by itself.
fn most_as_one(k: f64, n: f64, allowed: f64) -> u64 {
    let holds = |weight: u64| is_within(k / weight as f64, n / weight as f64, allowed);
    if !holds(1) {
        return 0;
    }
    let (mut low, mut high) = (1, 2);
    while holds(high) {
        (low, high) = (high, 2 * high);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

/// How long a window has to be for k of n, both in the same proportion to its length, to be within
/// what is allowed, in ns.
fn needed_ns(k: f64, n: f64, allowed: f64, window_ns: i64) -> Option<i64> {
    let window_ns = window_ns as f64;
    let times_max = ADVISED_NS_MAX / window_ns;
    let holds = |times: f64| is_within(times * k, times * n, allowed);
    if k >= allowed * n || !holds(times_max) {
        return None;
    }
    let (mut low, mut high) = (0.0, times_max);
    while high - low > 1e-9 * high {
        let middle = f64::midpoint(low, high);
        if holds(middle) { high = middle } else { low = middle }
    }
    Some((high * window_ns).ceil() as i64)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
