//! The join of readings whose device announces no spans, and perhaps not even a number.
//!
//! By number: an instant that is due is served by the first number whose instant lies between it
//! and the next one that is due and that is stored, or by the first if none is. The other numbers
//! before the next are the device's own affair (a gateway that searches reads meters too, one that
//! starts again asks once more): what is stored of them, once, is not unexpected, even if it was
//! still on its way when its instant was looked at. By schedule: by the event time alone, which has
//! to lie within what the declaration admits about the due instant. Of several that do, the one
//! nearest to it serves, of what was sent before what was not; the others are unexpected. What is
//! due and is not stored has the number under which it was sent, if the bench saw that: it is lost,
//! not silent.
//!
//! What is stored is held against what was sent as far as the bench sees messages of the device; of
//! a device that somebody else asks, against what the device answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lastmeter_sim::{DeclaredSpan, Identity};
use lastmeter_units::{Epoch, Serial, SimDuration, SimTime};

use super::{Account, AccountTerms, AnnouncedReading, Row, SentReading, StoredReading, Tally};

/// So many answers of a device are remembered.
const ANSWERS_MAX: usize = 10_000;

/// What a master may round an answered value by, as a share of it: a real of 32 bits does.
const ANSWER_ROUNDING: f64 = 1e-6;

/// How long after a device has made a reading a gateway may date it: the answer has to be sent.
const CARRIED_MAX: SimDuration = SimDuration::from_seconds(10);

type Number = (Epoch, Serial);

type Sent = BTreeMap<Number, SentReading>;

struct Join<'a> {
    settled: Tally,
    rows: &'a mut Vec<Row>,
}

/// What an account keeps of a device that declares its spans.
pub(super) struct Declared {
    span: DeclaredSpan,
    /// How much later than admitted the date of a reading may be, because a gateway gave it.
    carried: SimDuration,
    end: SimTime,
    /// Whether the bench has seen any message of the device.
    pub(super) sees_messages: bool,
    /// Due instants that are not settled.
    pending: VecDeque<SimTime>,
    /// By number: readings that served no due instant and were not stored by then. They may still
    /// come.
    spare: Vec<AnnouncedReading>,
    /// The nominal end before.
    before: SimTime,
    /// Whether the bench itself closes each reading: one that was left out is not in the next.
    is_closed_here: bool,
    /// By schedule: instants at which the device states it made a reading. They show nothing of
    /// which reading is which, only that a message was there to wait for.
    announced: BTreeSet<SimTime>,
    /// What it answered and when, of a device that somebody else asks.
    answers: Option<VecDeque<(SimTime, BTreeMap<String, f64>)>>,
}

impl Declared {
    pub(super) fn new(span: DeclaredSpan, terms: &AccountTerms) -> Self {
        Self {
            span,
            carried: if terms.way.is_some() { CARRIED_MAX } else { SimDuration::ZERO },
            end: terms.end,
            sees_messages: false,
            pending: VecDeque::new(),
            spare: Vec::new(),
            before: terms.start,
            is_closed_here: terms.is_closed_here,
            announced: BTreeSet::new(),
            answers: terms.answers_others.then(VecDeque::new),
        }
    }

    pub(super) fn answered(&mut self, at: SimTime, values: BTreeMap<String, f64>) {
        let Some(answers) = &mut self.answers else { return };
        answers.push_back((at, values));
        if answers.len() > ANSWERS_MAX {
            answers.pop_front();
        }
    }

    /// Why what is stored is none of the answers: the device gave none about the time that its date
    /// admits, or with other values. The digits that a master leaves away are none.
    pub(super) fn unanswered(&self, stored: &StoredReading) -> Option<&'static str> {
        let at = stored.event_time;
        let admitted = at - self.span.earliest..=at + self.span.latest;
        let mut about_then =
            self.answers.as_ref()?.iter().filter(|(at, _)| admitted.contains(at)).peekable();
        if about_then.peek().is_none() {
            return Some("not-asked");
        }
        let is_same = |answer: &BTreeMap<String, f64>| {
            stored.known_values().all(|(id, value)| {
                let value = value * id.row().si_factor;
                let is_it =
                    |answered: &f64| (answered - value).abs() <= ANSWER_ROUNDING * answered.abs();
                answer.get(id.name()).is_some_and(is_it)
            })
        };
        (!about_then.any(|(_, answer)| is_same(answer))).then_some("other-values")
    }

    /// Takes number and instant of a reading; the span that comes with them is not believed.
    pub(super) fn made(&mut self, made: AnnouncedReading, all: &mut Vec<AnnouncedReading>) {
        match self.span.identity {
            Identity::Number => {
                let place = all.partition_point(|other| other.at <= made.at);
                all.insert(place, made);
            }
            Identity::Schedule => {
                self.announced.insert(made.at);
            }
        }
    }

    pub(super) fn is_as_sent(
        &self,
        stored: &StoredReading,
        made: &[AnnouncedReading],
        sent: &Sent,
    ) -> bool {
        match self.span.identity {
            Identity::Number => {
                let mut made = made.iter().chain(&self.spare);
                let made = made.find(|made| Some(key_of(made)) == stored.number());
                made.is_some_and(|made| self.is_of_number(stored, made, sent))
            }
            Identity::Schedule => self.is_of_schedule(stored, sent),
        }
    }

    /// Whether an event time is one that the declaration admits for a nominal end.
    fn admits(&self, nominal: SimTime, event_time: SimTime) -> bool {
        (nominal - self.span.earliest..=nominal + self.span.latest).contains(&event_time)
    }

    /// Whether what is stored is what the device sent under its number.
    fn is_of_number(&self, stored: &StoredReading, made: &AnnouncedReading, sent: &Sent) -> bool {
        let (first, last) = (made.at - self.span.earliest, made.at + self.span.latest);
        (first..=last + self.carried).contains(&stored.event_time)
            && self.unanswered(stored).is_none()
            && (!self.sees_messages
                || sent.get(&key_of(made)).is_some_and(|sent| sent.values == stored.values))
    }

    /// Whether the device sent this: by number if both have one, else by event time.
    fn is_of_schedule(&self, stored: &StoredReading, sent: &Sent) -> bool {
        if self.unanswered(stored).is_some() {
            return false;
        }
        if !self.sees_messages {
            return true;
        }
        let found = match stored.number() {
            Some(number) => sent.get(&number),
            None => sent.values().find(|sent| sent.event_time == Some(stored.event_time)),
        };
        found.is_some_and(|sent| {
            sent.values == stored.values
                && sent.event_time.is_none_or(|event_time| event_time == stored.event_time)
        })
    }

    /// Joins what was due up to an instant, as far as nothing more can belong to it.
    pub(super) fn settle(
        &mut self,
        account: &mut Account,
        until: SimTime,
        rows: &mut Vec<Row>,
    ) -> Tally {
        // A poll that begins at the end need not be answered any more; if it is, it was due.
        let is_carried = self.carried > SimDuration::ZERO;
        let is_there = |stored: &StoredReading| self.admits(self.end, stored.event_time);
        let is_owed_at_end = !is_carried
            || self.span.identity == Identity::Schedule && account.stored.iter().any(is_there);
        let due_until = if is_owed_at_end { until } else { until.min(self.end - SimDuration(1)) };
        self.pending.extend(account.schedule.take_until(due_until));
        let mut join = Join { settled: Tally::default(), rows };
        match self.span.identity {
            Identity::Number => self.settle_by_number(account, until, &mut join),
            Identity::Schedule => self.settle_by_schedule(account, until, &mut join),
        }
        self.settle_rest(account, until, &mut join);
        join.settled
    }

    /// The due instant that follows the first one that is not settled.
    fn second(&self, account: &mut Account) -> SimTime {
        self.pending.get(1).copied().unwrap_or_else(|| account.schedule.next())
    }

    /// Where what is stored under the number of a reading stands, if it is what was sent.
    fn place_of(&self, account: &Account, made: &AnnouncedReading) -> Option<usize> {
        account.stored.iter().position(|stored| {
            stored.number() == Some(key_of(made)) && self.is_of_number(stored, made, &account.sent)
        })
    }

    fn stored_of(&self, account: &mut Account, made: &AnnouncedReading) -> Option<StoredReading> {
        let place = self.place_of(account, made)?;
        Some(account.stored.remove(place))
    }

    fn settle_by_number(&mut self, account: &mut Account, until: SimTime, join: &mut Join<'_>) {
        let at_end = until >= self.end;
        let known = account.made.partition_point(|made| made.at <= until);
        let mut all: VecDeque<AnnouncedReading> = account.made.drain(..known).collect();
        while let Some(made) = all.pop_front() {
            while !self.pending.is_empty() && self.second(account) <= made.at {
                self.settle_missing(account, join);
            }
            let serves = self.pending.front().copied().filter(|due| *due <= made.at);
            let found = self.stored_of(account, &made);
            if serves.is_some() && found.is_none() {
                let next = self.second(account);
                // Another one before the next that is due may be the one that was carried.
                let is_carried = |other: &AnnouncedReading| {
                    other.at < next && self.place_of(account, other).is_some()
                };
                if all.iter().any(is_carried) {
                    self.spare.push(made);
                    continue;
                }
                if until + SimDuration(1) < next && !at_end {
                    all.push_front(made);
                    break;
                }
            }
            if serves.is_none() && found.is_none() {
                self.spare.push(made);
            } else {
                account.sent.remove(&key_of(&made));
            }
            if self.is_closed_here {
                self.before = self.before.max(account.terms.start + made.span.from);
            }
            match serves {
                Some(due) => {
                    self.pending.pop_front();
                    let number = Some(key_of(&made));
                    self.settle_one(account, (due, made.at), number, found.as_ref(), join);
                }
                None => join.settled.unknown_values += found.as_ref().map_or(0, unknown),
            }
            self.before = made.at;
        }
        // What may still be carried is settled when the next one is due.
        account.made.splice(0..0, all);
        let is_over = |next: SimTime| until + SimDuration(1) >= next || at_end;
        while !self.pending.is_empty() && is_over(self.second(account)) {
            self.settle_missing(account, join);
        }
    }

    fn settle_by_schedule(&mut self, account: &mut Account, until: SimTime, join: &mut Join<'_>) {
        let at_end = until >= self.end;
        while let Some(due) = self.pending.front().copied() {
            // Before that another one may still come that fits as well.
            if due + self.span.latest > until && !at_end {
                break;
            }
            let off = |at: SimTime| (at - due).0.abs();
            let fits = |(_, stored): &(usize, &StoredReading)| {
                self.admits(due, stored.event_time) && self.is_of_schedule(stored, &account.sent)
            };
            let all = account.stored.iter().enumerate().filter(fits);
            let place = all.min_by_key(|(_, stored)| (off(stored.event_time), stored.number()));
            let place = place.map(|(place, _)| place);
            let found = place.map(|place| account.stored.remove(place));
            self.pending.pop_front();
            let number = match found {
                Some(_) => None,
                None => self.number_sent_for(due, &account.sent),
            };
            self.settle_one(account, (due, due), number, found.as_ref(), join);
            self.before = due;
        }
    }

    /// The number under which a reading was sent that is due then.
    fn number_sent_for(&self, due: SimTime, sent: &Sent) -> Option<Number> {
        let fits = |sent: &&SentReading| sent.event_time.is_some_and(|at| self.admits(due, at));
        sent.values().find(fits).map(|sent| sent.key)
    }

    /// The first due instant that is not settled never will be served.
    fn settle_missing(&mut self, account: &mut Account, join: &mut Join<'_>) {
        if let Some(due) = self.pending.pop_front() {
            self.settle_one(account, (due, due), None, None, join);
        }
    }

    /// One due instant with what serves it.
    fn settle_one(
        &mut self,
        account: &mut Account,
        (due, nominal): (SimTime, SimTime),
        number: Option<Number>,
        found: Option<&StoredReading>,
        join: &mut Join<'_>,
    ) {
        join.settled.due += 1;
        account.due += 1;
        join.settled.stored += u64::from(found.is_some());
        join.settled.missing += u64::from(found.is_none());
        join.settled.unknown_values += found.map_or(0, unknown);
        let (first, last) = (due - self.span.earliest, due + self.span.latest);
        let is_announced = number.is_some() || self.announced.range(first..=last).next().is_some();
        if found.is_none() && !is_announced {
            account.never_made.push((account.due, due));
        }
        let (start, before) = (account.terms.start, self.before.min(nominal));
        // Nothing is known of the plant behind the end, up to which it is played.
        let latest = self.span.latest.min(self.end - nominal).max(SimDuration::ZERO);
        let span = DeclaredSpan { latest, ..self.span };
        let admitted = span.admitted(before - start, nominal - start);
        // Nothing is held against the reference of what did not come.
        let spreads = found.map(|_| {
            let (point, quantities) = (&account.terms.metering_point, &account.terms.quantities);
            point.spread(&admitted, account.terms.electricity, quantities)
        });
        let key = number.unzip();
        let span = (admitted.nominal(), spreads.as_deref());
        account.reading_rows((key, due), span, found, join.rows);
    }

    /// What has come of readings that were not due is the device's own affair; they are waited for
    /// as long as a round of their gateway may take.
    fn settle_spare(&mut self, account: &mut Account, until: SimTime, join: &mut Join<'_>) {
        let wait = account.terms.period.max(CARRIED_MAX);
        for made in std::mem::take(&mut self.spare) {
            let found = self.stored_of(account, &made);
            join.settled.unknown_values += found.as_ref().map_or(0, unknown);
            if found.is_none() && until - made.at <= wait {
                self.spare.push(made);
            } else {
                account.sent.remove(&key_of(&made));
            }
        }
    }

    /// What is stored and can serve nothing any more is unexpected; what was sent and is of no use
    /// any more is forgotten.
    fn settle_rest(&mut self, account: &mut Account, until: SimTime, join: &mut Join<'_>) {
        let open = self.pending.front().copied().unwrap_or_else(|| account.schedule.next());
        let open = open - self.span.earliest;
        let at_end = until >= self.end;
        self.settle_spare(account, until, join);
        for stored in std::mem::take(&mut account.stored) {
            let may_serve = match self.span.identity {
                Identity::Number => {
                    let number = stored.number();
                    account.made.iter().any(|made| Some(key_of(made)) == number)
                }
                Identity::Schedule => stored.event_time >= open && !at_end,
            };
            if may_serve {
                account.stored.push(stored);
                continue;
            }
            join.settled.unexpected += 1;
            join.settled.unknown_values += unknown(&stored);
            account.unexpected(&stored, join.rows);
        }
        if self.span.identity == Identity::Schedule {
            let is_open = |sent: &SentReading| sent.event_time.is_none_or(|at| at >= open);
            account.sent.retain(|_, sent| is_open(sent));
            self.announced = self.announced.split_off(&open);
        }
    }
}

fn key_of(made: &AnnouncedReading) -> Number {
    (made.epoch, made.serial)
}

/// How many of its values nobody knows.
fn unknown(stored: &StoredReading) -> u64 {
    stored.unknown_values().count() as u64
}

impl StoredReading {
    /// Epoch and serial, if it has both.
    fn number(&self) -> Option<Number> {
        Some((self.epoch?, self.serial?))
    }
}

#[cfg(test)]
#[path = "declared_tests.rs"]
mod tests;
