//! Which messages are judged, and what is counted of them while the record passes by.
//!
//! Terms: a *span* goes from one measuring point to another; its *delay* is the time between them.
//! The *population* is every message whose intended instant lies in the *window*, which begins when
//! the *warm-up* is over and ends with the schedule (rules 2.2 and 2.4). A message that is lost, or
//! arrives later than the *grace* after the window's end, has an infinite delay and stays in the
//! population: nobody leaves it but by time. Of several copies the first counts.
//!
//! Memory is bounded: up to [`EXACT_MAX`] messages are kept one by one; beyond that the counts stay
//! exact and the rest comes from a histogram.

use super::blocks::{Blocks, DesignEffect, design_effect};
use super::judge::{Judgement, Tally, judge};
use super::quantile::{Delay, INFINITE};
use super::values::{Distribution, EXACT_MAX, Values};
use crate::record::{LatencyRow, Point, RunFacts, TimeMode};

/// From one measuring point to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the time begins.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
}

impl Span {
    /// Reads `intended..received`. The error says what was found and what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let words = || Point::ALL.map(Point::word).join(", ");
        let Some((from, to)) = text.split_once("..") else {
            return Err(format!("`{text}` is no span: write two points, as `intended..received`"));
        };
        let point = |word: &str| {
            Point::of_word(word)
                .ok_or_else(|| format!("`{word}` is no measuring point; there are {}", words()))
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

/// The shortest warm-up of a real-time run, and the shortest grace, in ns (rules 2.2 and 2.4).
const TEN_SECONDS: i64 = 10_000_000_000;

/// The warm-up where a scenario gives none: 5 % of the schedule, at least 10 s (rule 2.4).
pub fn default_warm_up_ns(duration_ns: i64) -> i64 {
    (duration_ns / 20).max(TEN_SECONDS)
}

/// How long after the schedule's end a message may still arrive: 10 times the limit, at least 10 s
/// (rule 2.2).
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
        // While a run goes on it does not yet say how its timers were, only how time runs.
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
    /// The device, by its place in [`Population::devices`].
    pub device: u32,
}

/// A message to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
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

    /// In ns; `None`: delivery.
    pub fn ns(self) -> Option<Delay> {
        match self {
            Self::Delivery => None,
            Self::Within(limit) => Some(limit),
        }
    }
}

/// What is counted against one limit.
#[derive(Clone, Debug)]
struct Exceedances {
    limit: Limit,
    over: u64,
    open: u64,
    by_block: Vec<u64>,
}

/// The messages of one path and what was counted of them.
#[derive(Clone, Debug)]
pub struct Population {
    span: Span,
    window: Window,
    grace_ns: i64,
    blocks: Blocks,
    by_block: Vec<u64>,
    limits: Vec<Exceedances>,
    n: u64,
    lost: u64,
    too_late: u64,
    duplicated: u64,
    copies_beyond: u64,
    early: u64,
    /// Messages with an instant at the span's end and none at its beginning.
    begun_unstamped: u64,
    outside: u64,
    arrived_unstamped: u64,
    warm_up: Values,
    messages: Vec<Message>,
    histogram: Option<Values>,
    exact_max: usize,
    devices: Devices,
    worst: Option<Named>,
    first_lost: Option<Named>,
}

/// Device names as numbers; neighbouring rows are often of one device.
#[derive(Clone, Debug, Default)]
struct Devices {
    names: Vec<String>,
    numbers: std::collections::BTreeMap<String, u32>,
    last: usize,
}

impl Devices {
    fn number(&mut self, name: &str) -> u32 {
        if self.names.get(self.last).is_none_or(|last| last != name) {
            let next = self.names.len();
            let known = self.numbers.get(name).copied();
            self.last = known.map_or(next, |number| number as usize);
            if known.is_none() {
                self.numbers.insert(name.to_owned(), next as u32);
                self.names.push(name.to_owned());
            }
        }
        self.last as u32
    }
}

impl Population {
    /// A population without messages yet, that will be judged by these limits.
    pub fn new(span: Span, window: Window, limits: &[Limit]) -> Self {
        Self::keeping(EXACT_MAX, span, window, limits)
    }

    /// As [`Self::new`], but so many messages are kept one by one.
    pub fn keeping(exact_max: usize, span: Span, window: Window, limits: &[Limit]) -> Self {
        let blocks = Blocks::of(window.from_ns, window.to_ns);
        let by_block = vec![0; blocks.count() as usize];
        let exceedances = |&limit: &Limit| {
            let by_block = by_block.clone();
            Exceedances { limit, over: 0, open: 0, by_block }
        };
        Self {
            span,
            window,
            grace_ns: grace_ns(limits.iter().filter_map(|limit| limit.ns()).max()),
            blocks,
            limits: limits.iter().map(exceedances).collect(),
            by_block,
            n: 0,
            lost: 0,
            too_late: 0,
            duplicated: 0,
            copies_beyond: 0,
            early: 0,
            begun_unstamped: 0,
            outside: 0,
            arrived_unstamped: 0,
            warm_up: Values::new(exact_max),
            messages: Vec::new(),
            histogram: None,
            exact_max,
            devices: Devices::default(),
            worst: None,
            first_lost: None,
        }
    }

    /// Takes a row of the record.
    pub fn row(&mut self, row: &LatencyRow<'_>) {
        // The reader refuses a row without it.
        let intended_ns = row.at(Point::Intended).unwrap_or(i64::MAX);
        let delay = self.delay(row);
        if intended_ns < self.window.from_ns {
            self.warm_up.push(delay);
            return;
        }
        if !self.window.holds(intended_ns) {
            self.outside += 1;
            return;
        }
        self.n += 1;
        let before = |from: Point, to: Point| matches!((row.at(from), row.at(to)), (Some(a), Some(b)) if b < a);
        self.early += u64::from(
            before(Point::Intended, Point::Published) || before(self.span.from, self.span.to),
        );
        self.copies_beyond += u64::from(row.copies.saturating_sub(1));
        self.duplicated += u64::from(row.copies > 1);
        if delay == INFINITE {
            let arrived = row.at(self.span.to).is_some();
            self.lost += u64::from(!arrived);
            self.too_late += u64::from(arrived);
            self.arrived_unstamped += u64::from(!arrived && row.copies > 0);
        }
        let has = |point: Point| row.at(point).is_some();
        self.begun_unstamped += u64::from(has(self.span.to) && !has(self.span.from));
        let block = self.blocks.index(intended_ns);
        self.by_block[block] += 1;
        let begun_ns = row.at(self.span.from).unwrap_or(intended_ns);
        let waited_until_ns = self.window.waited_until_ns;
        for one in &mut self.limits {
            let (is_over, known_ns) = match one.limit {
                // It had its time of grace, whenever in the run that was.
                Limit::Delivery => (delay == INFINITE, begun_ns.saturating_add(self.grace_ns)),
                Limit::Within(limit) => (delay > limit, begun_ns.saturating_add(limit)),
            };
            if is_over {
                let is_known = row.at(self.span.to).is_some() || waited_until_ns >= known_ns;
                one.over += u64::from(is_known);
                one.open += u64::from(!is_known);
                one.by_block[block] += 1;
            }
        }
        self.name(row.id, intended_ns, delay);
        self.keep(row.device(), intended_ns, delay);
    }

    /// The delay of a message by the rules: infinite if it did not come in time for the grace.
    fn delay(&self, row: &LatencyRow<'_>) -> Delay {
        let end_ns = self.window.to_ns.saturating_add(self.grace_ns);
        let is_in = row.at(self.span.to).is_some_and(|at| at <= end_ns);
        self.span.delay(row).filter(|_| is_in).unwrap_or(INFINITE)
    }

    fn name(&mut self, id: &str, intended_ns: i64, delay: Delay) {
        let named = || Named { id: id.to_owned(), intended_ns, delay };
        if delay == INFINITE {
            if self.first_lost.as_ref().is_none_or(|first| intended_ns < first.intended_ns) {
                self.first_lost = Some(named());
            }
        } else if self.worst.as_ref().is_none_or(|worst| delay > worst.delay) {
            self.worst = Some(named());
        }
    }

    fn keep(&mut self, device: &str, intended_ns: i64, delay: Delay) {
        let device = self.devices.number(device);
        if let Some(histogram) = &mut self.histogram {
            histogram.push(delay);
        } else if self.messages.len() < self.exact_max {
            self.messages.push(Message { intended_ns, delay, device });
        } else {
            let mut histogram = Values::new(0);
            self.messages.drain(..).for_each(|message| histogram.push(message.delay));
            histogram.push(delay);
            self.messages = Vec::new();
            self.histogram = Some(histogram);
        }
    }

    /// From where to where.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Which time is judged.
    pub fn window(&self) -> Window {
        self.window
    }

    /// How long after the window's end a message may arrive, in ns.
    pub fn grace_ns(&self) -> i64 {
        self.grace_ns
    }

    /// How many messages were due.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many of them never came.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many of them came after the grace; they count as lost.
    pub fn too_late(&self) -> u64 {
        self.too_late
    }

    /// How many came more than once.
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    /// How many copies came beyond the first ones.
    pub fn copies_beyond(&self) -> u64 {
        self.copies_beyond
    }

    /// How many were published before they were due: their delay says too little.
    pub fn early(&self) -> u64 {
        self.early
    }

    /// How many rows were due after the schedule's end; they are not judged.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Whether messages came of which none has an instant at the span's end, or none at its
    /// beginning: it is not measured.
    pub fn is_unmeasured(&self) -> bool {
        self.n > 0
            && (self.lost == self.n && self.arrived_unstamped > 0 || self.begun_unstamped == self.n)
    }

    /// What was due before the window.
    pub fn warm_up(&self) -> &Values {
        &self.warm_up
    }

    /// The messages, in the order of the record; `None` if there were too many to keep.
    pub fn messages(&self) -> Option<&[Message]> {
        self.histogram.is_none().then_some(&self.messages)
    }

    /// The devices' names.
    pub fn devices(&self) -> &[String] {
        &self.devices.names
    }

    /// The slowest message that came.
    pub fn worst(&self) -> Option<&Named> {
        self.worst.as_ref()
    }

    /// The first message that is lost, or came after the grace.
    pub fn first_lost(&self) -> Option<&Named> {
        self.first_lost.as_ref()
    }

    /// The delays in order.
    pub fn distribution(&self) -> Distribution {
        match &self.histogram {
            Some(histogram) => histogram.distribution(),
            None => Distribution::of(self.messages.iter().map(|message| message.delay).collect()),
        }
    }

    /// What was counted against a limit, with its design effect; `None` if the population was not
    /// told of the limit.
    pub fn tally(&self, limit: Limit) -> Option<(Tally, DesignEffect)> {
        let found = self.limits.iter().find(|one| one.limit == limit)?;
        let tally = Tally { n: self.n, over: found.over, open: found.open };
        Some((tally, design_effect(&self.blocks, &self.by_block, &found.by_block)))
    }

    /// The verdict on the claim that a share is within a limit; `None` as [`Self::tally`].
    pub fn judge(&self, limit: Limit, coverage: f64) -> Option<Judgement> {
        let (tally, deff) = self.tally(limit)?;
        Some(judge(tally, deff, coverage))
    }

    /// What a limit counts against another zero: the delays minus the population's least, as packet
    /// delay variation is defined by ITU-T Y.1540; `None` if there were too many to keep.
    pub fn judge_variation(&self, limit: Delay, coverage: f64) -> Option<Judgement> {
        let messages = self.messages()?;
        let came = messages.iter().map(|message| message.delay).filter(|delay| *delay < INFINITE);
        // Where nothing came at all, nothing was fast.
        let least = came.min().unwrap_or(0);
        let mut by_block = vec![0; self.by_block.len()];
        let mut tally = Tally { n: self.n, ..Tally::default() };
        for message in messages {
            let is_lost = message.delay == INFINITE;
            if !is_lost && message.delay.saturating_sub(least) <= limit {
                continue;
            }
            // A lost message could have been as fast as the limit allows until then.
            let known_ns = message.intended_ns.saturating_add(least).saturating_add(limit);
            let is_known = !is_lost || self.window.waited_until_ns >= known_ns;
            tally.over += u64::from(is_known);
            tally.open += u64::from(!is_known);
            by_block[self.blocks.index(message.intended_ns)] += 1;
        }
        Some(judge(tally, design_effect(&self.blocks, &self.by_block, &by_block), coverage))
    }

    /// The longest run of messages of one device, in the order in which they were due, that are all
    /// over a limit; `None` if there were too many to keep.
    pub fn longest_run(&self, limit: Limit) -> Option<u64> {
        let mut order: Vec<&Message> = self.messages()?.iter().collect();
        order.sort_by_key(|message| (message.device, message.intended_ns));
        let (mut longest, mut current, mut device) = (0, 0, None);
        for message in order {
            if device != Some(message.device) {
                (device, current) = (Some(message.device), 0);
            }
            let is_over = match limit {
                Limit::Delivery => message.delay == INFINITE,
                Limit::Within(limit) => message.delay > limit,
            };
            current = if is_over { current + 1 } else { 0 };
            longest = longest.max(current);
        }
        Some(longest)
    }
}

#[cfg(test)]
#[path = "population_tests.rs"]
mod tests;
