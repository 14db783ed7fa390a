//! What a message of a population is: the span it is timed over, when it is judged, and by which
//! limit.

use lastmeter_record::{LatencyRow, Point, RunFacts, TimeMode};
use lastmeter_text::number;

use super::quantile::{Delay, INFINITE};

/// From one measuring point to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the time begins.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
}

impl Span {
    /// Reads `intended..received`. The error states what was found and what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let words = || Point::ALL.map(Point::word).join(", ");
        let Some((from, to)) = text.split_once("..") else {
            return Err(format!(
                "`{text}` is not a span: write two points, as `intended..received`"
            ));
        };
        let point = |word: &str| {
            Point::from_word(word)
                .ok_or_else(|| format!("`{word}` is not a measuring point; there are {}", words()))
        };
        let span = Self { from: point(from)?, to: point(to)? };
        if span.from >= span.to {
            return Err(format!("`{text}` ends where it begins, or before"));
        }
        Ok(span)
    }

    /// The delay of a message between the points; `None` if it did not pass both.
    pub fn delay(&self, row: &LatencyRow<'_>) -> Option<Delay> {
        Some(row.at(self.to)?.saturating_sub(row.at(self.from)?))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.from.word(), self.to.word())
    }
}

/// The shortest warm-up of a real-time run, and the shortest grace, in ns.
const TEN_SECONDS: i64 = 10_000_000_000;

/// The warm-up where a scenario gives none: 5 % of the schedule, at least 10 s.
pub fn default_warm_up_ns(duration_ns: i64) -> i64 {
    (duration_ns / 20).max(TEN_SECONDS)
}

/// How long after the schedule's end a message may still arrive: 10 times the limit, at least 10 s.
pub fn grace_ns(limit_ns: Option<Delay>) -> i64 {
    limit_ns.unwrap_or(0).saturating_mul(10).max(TEN_SECONDS)
}

/// The time of a run that is judged; since the schedule began, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the warm-up is over; a message intended then is judged.
    pub from_ns: i64,
    /// When the schedule ends; a message intended then is judged.
    pub to_ns: i64,
    /// Until when the bench waited for what was under way.
    pub waited_until_ns: i64,
}

impl Window {
    /// The window of a run; `warm_up_ns` as the scenario gives it.
    ///
    /// In virtual time nothing has to warm up, and everything has arrived that ever will.
    pub fn of(facts: &RunFacts, warm_up_ns: Option<i64>) -> Self {
        let to_ns = (facts.end - facts.start).0;
        // While a run goes on it does not yet report how its timers were, only how time runs.
        let is_real = facts.time == TimeMode::Real || facts.real_time.is_some();
        let default_ns = if is_real { default_warm_up_ns(to_ns) } else { 0 };
        Self {
            from_ns: warm_up_ns.unwrap_or(default_ns),
            to_ns,
            waited_until_ns: facts.real_time.as_ref().map_or(i64::MAX, |real| real.waited_until_ns),
        }
    }

    /// Whether a message that was due then is judged.
    pub fn holds(&self, intended_ns: i64) -> bool {
        (self.from_ns..=self.to_ns).contains(&intended_ns)
    }
}

/// One message of the population.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it was due, since the schedule began, in ns.
    pub intended_ns: i64,
    /// How long it took; [`INFINITE`] if it never came, or after the grace.
    pub delay: Delay,
    /// The device, by its place in `Population::devices`.
    pub device: u32,
    /// Whether it was published or received before it was due, or its delay is negative.
    pub is_early: bool,
}

impl Message {
    /// Whether it counts as late against a pass.
    pub fn is_late(&self, limit: Limit) -> bool {
        self.is_early || limit.is_exceeded_by(self.delay)
    }
}

/// A message to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMessage {
    /// As in the record: `DEVICE/EPOCH/SERIAL`.
    pub id: String,
    /// When it was due, in ns.
    pub intended_ns: i64,
    /// How long it took.
    pub delay: Delay,
}

/// What a limit of a population is: a time, or that the message comes at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Delivery within the grace, however late (TT0).
    Delivery,
    /// At most so many ns.
    Within(Delay),
}

impl Limit {
    /// The limit of a requirement.
    pub fn of(limit_ns: Option<Delay>) -> Self {
        limit_ns.map_or(Self::Delivery, Self::Within)
    }

    /// Whether a delay is over it.
    pub fn is_exceeded_by(self, delay: Delay) -> bool {
        match self {
            Self::Delivery => delay == INFINITE,
            Self::Within(limit) => delay > limit,
        }
    }

    /// In ns; `None`: delivery.
    pub fn ns(self) -> Option<Delay> {
        match self {
            Self::Delivery => None,
            Self::Within(limit) => Some(limit),
        }
    }
}

/// A time for people, from ns: `0.29 ms`, `1.5 s`, `2 h`.
pub fn describe(duration_ns: i64) -> String {
    if duration_ns == i64::MAX {
        return "never".to_owned();
    }
    let ns = duration_ns as f64;
    let magnitude = ns.abs();
    if magnitude == 0.0 {
        "0 s".to_owned()
    } else if magnitude < 1e3 {
        format!("{} ns", number(ns))
    } else if magnitude < 10e3 {
        format!("{} us", number(ns / 1e3))
    } else if magnitude < 1e9 {
        format!("{} ms", number(ns / 1e6))
    } else if magnitude < 120e9 {
        format!("{} s", number(ns / 1e9))
    } else if magnitude < 7200e9 {
        format!("{} min", number(ns / 60e9))
    } else {
        format!("{} h", number(ns / 3600e9))
    }
}
