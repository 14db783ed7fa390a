//! Which messages are judged, and what is counted of them while the record passes by.
//!
//! Terms: a *span* goes from one measuring point to another; its *delay* is the time between them.
//! The *population* is every message whose intended instant lies in the *window*, which begins when
//! the *warm-up* is over and ends with the schedule. A message that is lost, or
//! arrives later than the *grace* after the window's end, has an infinite delay and stays in the
//! population: nobody leaves it but by time. Of several copies the first counts.
//!
//! A message is *early* if it was published or received before it was due, or has a negative delay:
//! a clock is wrong, so its delay shows nothing, and it is open against every limit.
//!
//! Memory is bounded: up to [`EXACT_MAX`] messages are kept one by one; beyond that the counts stay
//! exact, delays go into a histogram, and what stalls can hit is known on the safe side.

use std::sync::Arc;

use lastmeter_units::{Epoch, Serial};

use super::blocks::{Blocks, design_effect};
use super::due::{Due, Late};
use super::hold_up::HoldUps;
use super::judge::{Claim, Judgement, LimitEvidence, Tally, judge};
use super::message::{Limit, Message, NamedMessage, Span, Window, grace_ns};
use super::quantile::{Delay, INFINITE};
use super::stream::Stream;
use super::values::{Distribution, EXACT_MAX, Values};
use lastmeter_record::{LatencyRow, Point};

/// How many messages it takes to move a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovedBy {
    /// A median, a quartile.
    Many,
    /// A share.
    Few,
    /// A whisker: it is one message's delay. Which message that is, is chance; so those that load
    /// may have held up longest, a tenth at most, are left out.
    One,
}

/// One part in so many.
const EXCLUDED_PART: usize = 10;

/// What is counted against one limit.
#[derive(Clone, Debug)]
struct Exceedances {
    limit: Limit,
    /// But for the number of all messages.
    tally: Tally,
    by_block: Vec<u64>,
}

/// The messages of one path and what was counted of them.
#[derive(Clone, Debug)]
pub struct Population {
    /// From where to where.
    pub(crate) span: Span,
    /// Which time is judged.
    pub(crate) window: Window,
    /// How long after the window's end a message may arrive, in ns.
    pub(crate) grace_ns: i64,
    blocks: Blocks,
    by_block: Vec<u64>,
    limits: Vec<Exceedances>,
    n: u64,
    /// How many messages never came.
    pub(crate) lost: u64,
    /// How many came after the grace; they count as lost.
    pub(crate) too_late: u64,
    /// How many came more than once.
    pub(crate) duplicated: u64,
    /// How many were published or received before they were due, or have a negative delay.
    pub(crate) early: u64,
    /// Messages with an instant at the span's end and none at its beginning.
    begun_unstamped: u64,
    /// How many rows were due after the schedule's end; they are not judged.
    pub(crate) outside: u64,
    arrived_unstamped: u64,
    /// What was due before the window.
    pub(crate) warm_up: Values,
    messages: Vec<Message>,
    /// In the place of the messages, where there are too many.
    stream: Option<Stream>,
    exact_max: usize,
    devices: Devices,
    /// By device.
    senders: Vec<Sender>,
    worst: Option<NamedMessage>,
    first_lost: Option<NamedMessage>,
    /// What load can have held up of these messages.
    pub(crate) hold_ups: Arc<HoldUps>,
}

/// What is known of one device's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    /// How many are judged.
    pub(crate) rows: u64,
    /// The first of a numbered reading, with when it was intended.
    pub(crate) numbered: Option<(Epoch, Serial, i64)>,
}

impl Sender {
    fn row(&mut self, id: &str, intended_ns: i64) {
        self.rows += 1;
        if self.numbered.is_none() {
            let mut parts = id.split('/').skip(1).map(str::parse);
            if let (Some(Ok(epoch)), Some(Ok(serial))) = (parts.next(), parts.next()) {
                self.numbered = Some((Epoch(epoch), Serial(serial), intended_ns));
            }
        }
    }
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
        let exceedances = |&limit: &Limit| Exceedances {
            limit,
            tally: Tally::default(),
            by_block: by_block.clone(),
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
            early: 0,
            begun_unstamped: 0,
            outside: 0,
            arrived_unstamped: 0,
            warm_up: Values::new(exact_max),
            messages: Vec::new(),
            stream: None,
            exact_max,
            devices: Devices::default(),
            senders: Vec::new(),
            worst: None,
            first_lost: None,
            hold_ups: Arc::default(),
        }
    }

    /// The same, of a run in which load can have held messages up. To be given before any row.
    #[must_use]
    pub fn held_up_by(mut self, hold_ups: Arc<HoldUps>) -> Self {
        self.hold_ups = hold_ups;
        self
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
        let is_early = self.is_early(row);
        self.early += u64::from(is_early);
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
        let device = self.devices.number(row.device());
        self.senders.resize_with(self.devices.names.len(), Sender::default);
        self.senders[device as usize].row(row.id, intended_ns);
        let message = Message { intended_ns, delay, device, is_early };
        for one in &mut self.limits {
            let limit_ns = one.limit.ns().unwrap_or(i64::MAX);
            let held_up_ns = || {
                let end_ns = begun_ns.saturating_add(delay.min(limit_ns));
                self.hold_ups.touching_ns((begun_ns, end_ns), limit_ns)
            };
            if !message.is_late(one.limit) {
                // Only of the instant it was due nothing can be late.
                let is_longer = self.span.from != Point::Intended
                    && delay.saturating_add(held_up_ns()) > limit_ns;
                one.tally.shortened += u64::from(is_longer);
                continue;
            }
            // It had its time of grace, whenever in the run that was.
            let known_ns = begun_ns.saturating_add(one.limit.ns().unwrap_or(self.grace_ns));
            let is_known = row.at(self.span.to).is_some() || waited_until_ns >= known_ns;
            let is_over = is_known && !is_early;
            one.tally.over += u64::from(is_over);
            one.tally.open += u64::from(!is_over);
            // Load makes messages late and loses none.
            let came = row.at(self.span.to).is_some();
            one.tally.touched += u64::from(is_over && came && held_up_ns() > 0);
            one.by_block[block] += 1;
        }
        self.name(row.id, intended_ns, delay);
        self.keep(message);
    }

    fn is_early(&self, row: &LatencyRow<'_>) -> bool {
        let Span { from, to } = self.span;
        [(Point::Intended, Point::Published), (Point::Intended, to), (from, to)].iter().any(
            |&(first, second)| matches!((row.at(first), row.at(second)), (Some(a), Some(b)) if b < a),
        )
    }

    /// The delay of a message by the rules: infinite if it did not come in time for the grace.
    fn delay(&self, row: &LatencyRow<'_>) -> Delay {
        let end_ns = self.window.to_ns.saturating_add(self.grace_ns);
        let is_in = row.at(self.span.to).is_some_and(|at| at <= end_ns);
        self.span.delay(row).filter(|_| is_in).unwrap_or(INFINITE)
    }

    fn name(&mut self, id: &str, intended_ns: i64, delay: Delay) {
        let named = || NamedMessage { id: id.to_owned(), intended_ns, delay };
        if delay == INFINITE {
            if self.first_lost.as_ref().is_none_or(|first| intended_ns < first.intended_ns) {
                self.first_lost = Some(named());
            }
        } else if self.worst.as_ref().is_none_or(|worst| delay > worst.delay) {
            self.worst = Some(named());
        }
    }

    fn keep(&mut self, message: Message) {
        if self.stream.is_none() && self.messages.len() < self.exact_max {
            self.messages.push(message);
            return;
        }
        let (window, exact_max) = (self.window, self.exact_max);
        let limits = self.limits.iter().map(|one| one.limit);
        let stream = self.stream.get_or_insert_with(|| Stream::new(window, limits, exact_max / 4));
        for message in std::mem::take(&mut self.messages) {
            stream.push(&message);
        }
        stream.push(&message);
    }

    /// How many messages were due.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Whether messages came of which none has an instant at the span's end, or none at its
    /// beginning: it is not measured.
    pub fn is_unmeasured(&self) -> bool {
        self.n > 0
            && (self.lost == self.n && self.arrived_unstamped > 0 || self.begun_unstamped == self.n)
    }

    /// The messages, in the order of the record; `None` if there were too many to keep.
    pub fn messages(&self) -> Option<&[Message]> {
        self.stream.is_none().then_some(&self.messages)
    }

    /// The devices' names.
    pub fn devices(&self) -> &[String] {
        &self.devices.names
    }

    /// What is known of a device's rows; `None` if none is judged.
    pub(crate) fn sender(&self, device: &str) -> Option<&Sender> {
        self.senders.get(*self.devices.numbers.get(device)? as usize)
    }

    /// The slowest message that came.
    pub fn worst(&self) -> Option<&NamedMessage> {
        self.worst.as_ref()
    }

    /// The first message that is lost, or came after the grace.
    pub fn first_lost(&self) -> Option<&NamedMessage> {
        self.first_lost.as_ref()
    }

    /// The delays in order.
    pub fn distribution(&self) -> Distribution {
        match &self.stream {
            Some(stream) => stream.distribution(),
            None => Distribution::of(self.messages.iter().map(|message| message.delay).collect()),
        }
    }

    /// The delays in order as they are without what load may have added to them, where that touches
    /// so long a time; the second figure is whether it touches any. `None` if there were too many
    /// to keep.
    pub fn least_distribution(
        &self,
        limit_ns: i64,
        moved_by: MovedBy,
    ) -> Option<(Distribution, bool)> {
        let held_up_ns = |message: &Message| {
            let Message { intended_ns, delay, .. } = *message;
            let alive = (intended_ns, intended_ns.saturating_add(delay));
            match moved_by {
                // It stays infinite.
                _ if delay == INFINITE => 0,
                MovedBy::Few => self.hold_ups.touching_ns(alive, limit_ns),
                MovedBy::Many | MovedBy::One => self.hold_ups.as_a_rule_ns(alive, limit_ns),
            }
        };
        let mut least: Vec<(i64, Delay)> =
            (self.messages()?.iter()).map(|message| (held_up_ns(message), message.delay)).collect();
        let is_touched = least.iter().any(|(held_up_ns, _)| *held_up_ns > 0);
        if moved_by == MovedBy::One && is_touched {
            let mut ascending: Vec<i64> = least.iter().map(|(held_up_ns, _)| *held_up_ns).collect();
            ascending.sort_unstable();
            let most_ns = ascending[ascending.len() - ascending.len() / EXCLUDED_PART - 1];
            least.retain(|(held_up_ns, _)| *held_up_ns <= most_ns);
        }
        let less = |(held_up_ns, delay): (i64, Delay)| delay.saturating_sub(held_up_ns);
        Some((Distribution::of(least.into_iter().map(less).collect()), is_touched))
    }

    /// What was counted against a limit; `None` if the population was not asked to.
    pub fn tally(&self, limit: Limit) -> Option<Tally> {
        let found = self.limits.iter().find(|one| one.limit == limit)?;
        Some(Tally { n: self.n, ..found.tally })
    }

    /// The messages in the order in which they were due, to be judged.
    pub fn in_order(&self) -> InOrder<'_> {
        if let Some(stream) = &self.stream {
            return InOrder { population: self, due: stream.due(), order: Vec::new() };
        }
        let mut names: Vec<u32> = (0..self.devices.names.len() as u32).collect();
        names.sort_by_key(|&device| &self.devices.names[device as usize]);
        let mut rank = vec![0_u32; names.len()];
        names.iter().zip(0..).for_each(|(&device, place)| rank[device as usize] = place);
        let mut order: Vec<u32> = (0..self.messages.len() as u32).collect();
        order.sort_unstable_by_key(|&place| {
            let message = &self.messages[place as usize];
            (message.intended_ns, rank[message.device as usize], message.delay, place)
        });
        let due = order.iter().map(|&place| self.messages[place as usize].intended_ns).collect();
        InOrder { population: self, due: Due::Each(due), order }
    }

    /// The verdict on the claim that a share is within a limit; `None` as [`Self::tally`].
    pub fn judge(&self, limit: Limit, claim: Claim) -> Option<Judgement> {
        self.in_order().judge(limit, claim)
    }

    /// The least delay of a message that came, and of no early one; `None` if there is none, or if
    /// there were too many to keep.
    pub fn fastest(&self) -> Option<Delay> {
        let came = |message: &&Message| message.delay < INFINITE && !message.is_early;
        self.messages()?.iter().filter(came).map(|message| message.delay).min()
    }

    /// What a limit counts against another zero: the delays minus the population's least, as packet
    /// delay variation is defined by ITU-T Y.1540; `None` if there were too many to keep.
    pub fn judge_variation(&self, limit: Delay, claim: Claim) -> Option<Judgement> {
        let messages = self.messages()?;
        // Where nothing came at all, nothing was fast.
        let least = self.fastest().unwrap_or(0);
        let is_late = |message: &Message| {
            let is_lost = message.delay == INFINITE;
            message.is_early || is_lost || message.delay.saturating_sub(least) > limit
        };
        let mut by_block = vec![0; self.by_block.len()];
        let mut tally = Tally { n: self.n, ..Tally::default() };
        for message in messages.iter().filter(|message| is_late(message)) {
            // A lost message could have been as fast as the limit allows until then.
            let known_ns = message.intended_ns.saturating_add(least).saturating_add(limit);
            let is_known = message.delay < INFINITE || self.window.waited_until_ns >= known_ns;
            let is_over = is_known && !message.is_early;
            let alive = (message.intended_ns, message.intended_ns.saturating_add(least + limit));
            let came = message.delay < INFINITE;
            tally.touched += u64::from(is_over && came && self.hold_ups.touch(alive, limit));
            tally.over += u64::from(is_over);
            tally.open += u64::from(!is_over);
            by_block[self.blocks.index(message.intended_ns)] += 1;
        }
        // The fastest may have been faster still: then more of them were late.
        let came = |message: &&Message| message.delay < INFINITE && !message.is_early;
        let least_ns = messages.iter().filter(came).map(|message| {
            let alive = (message.intended_ns, message.intended_ns.saturating_add(message.delay));
            message.delay.saturating_sub(self.hold_ups.touching_ns(alive, limit))
        });
        let least_ns = least_ns.min().unwrap_or(least).min(least);
        let is_later = |message: &&Message| message.delay.saturating_sub(least_ns) > limit;
        let later = messages.iter().filter(|message| !is_late(message)).filter(is_later);
        tally.shortened = later.count() as u64;
        let ordered = self.in_order();
        let late = ordered.late(is_late);
        Some(ordered.judge_by(tally, &by_block, &late, claim))
    }
}

/// The messages of a population in the order in which they were due; those due at one instant by
/// the names of their devices.
pub struct InOrder<'a> {
    population: &'a Population,
    due: Due,
    /// Places in the population's messages; none where there are too many to keep.
    order: Vec<u32>,
}

impl InOrder<'_> {
    /// The verdict on the claim that a share is within a limit; `None` as [`Population::tally`].
    pub fn judge(&self, limit: Limit, claim: Claim) -> Option<Judgement> {
        let found = self.population.limits.iter().find(|one| one.limit == limit)?;
        let tally = self.population.tally(limit)?;
        let late = match &self.population.stream {
            Some(stream) => stream.late(limit)?,
            None => self.late(|message| message.is_late(limit)),
        };
        Some(self.judge_by(tally, &found.by_block, &late, claim))
    }

    fn late(&self, is_late: impl Fn(&Message) -> bool) -> Late {
        let messages = self.order.iter().map(|&place| &self.population.messages[place as usize]);
        Late::of(messages.map(|one| (one.intended_ns, one.device, is_late(one))))
    }

    fn judge_by(&self, tally: Tally, by_block: &[u64], late: &Late, claim: Claim) -> Judgement {
        let Population { window, blocks, .. } = self.population;
        let shown = LimitEvidence {
            tally,
            deff: design_effect(blocks, &self.population.by_block, by_block),
            due: &self.due,
            late,
            window_ns: window.to_ns.saturating_sub(window.from_ns),
        };
        judge(&shown, claim)
    }
}

#[cfg(test)]
#[path = "population_tests.rs"]
mod tests;
