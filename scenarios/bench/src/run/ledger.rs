//! Joins what was due, what the device made of it, and what the platform gave back.
//!
//! Terms: *due* comes from the bench's [`Schedule`]; *made* is what a simulated device hands over
//! outside its messages, the serial and the exact span of a reading; *stored* is what REST
//! reads back. Joined on (device, epoch, serial), never on the platform's times alone.
//! What is due and not stored is a row without reported value; what is stored and was not due is a
//! row without reference. Devices that announce no spans are joined as [`declared`] describes.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_record::{Event, EventKind, Observation, RecordedSpan, field};
use lastmeter_sim::{DeclaredSpan, ElectricityFacts, MeteringPoint, ReferenceSpan};
use lastmeter_units::{
    Epoch, Formation, MeasurementId, Phase, Quantity, Serial, SimDuration, SimTime,
};
use lastmeter_wire::flexmeter::{DecodeRules, MeasurementMessage, Request, decode, fact};

use super::carried::{Carried, CarriedReadings, are_same};
use super::schedule::Schedule;
use declared::Declared;

mod declared;
mod supply_outages;

pub(crate) use supply_outages::{NOTICES, OffSpan, Outage, SupplyOutages, outages};

/// A reading as the device made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnnouncedReading {
    pub(crate) epoch: Epoch,
    pub(crate) serial: Serial,
    pub(crate) at: SimTime,
    pub(crate) span: ReferenceSpan,
}

/// A reading as it left the device: what the platform stores has to be exactly this.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SentReading {
    pub(crate) key: (Epoch, Serial),
    /// When it was measured, as the message states it.
    pub(crate) event_time: Option<SimTime>,
    /// Which share of its samples it rests on, where it states that.
    pub(crate) usable: Option<f64>,
    pub(crate) values: BTreeMap<String, f64>,
}

impl SentReading {
    /// Reads a message as it was sent; `None` for what is no numbered reading.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        match decode(payload, &DecodeRules::default()) {
            Ok(Request::Measurements(message)) => Self::of(&message),
            _ => None,
        }
    }

    /// What nobody can read of it, by the device's doing: it is sent as no number.
    fn unreadable(&self) -> impl Iterator<Item = MeasurementId> {
        let unreadable = self.values.iter().filter(|(_, value)| value.is_nan());
        unreadable.filter_map(|(name, _)| MeasurementId::lookup(name))
    }

    /// The reading that a message is, if it is numbered.
    pub(crate) fn of(message: &MeasurementMessage) -> Option<Self> {
        let key = message.number()?;
        let values = message.values.iter().map(|&(id, value)| (id.name().to_owned(), value));
        let usable = message.metadata.get(fact::USABLE).and_then(|share| share.parse().ok());
        Some(Self { key, event_time: message.event_date, usable, values: values.collect() })
    }
}

/// A reading as the platform gave it back, values in the units of messages.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct StoredReading {
    pub(crate) device: String,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) serial: Option<Serial>,
    pub(crate) event_time: SimTime,
    /// When it was committed, by the platform's own clock.
    #[serde(default)]
    pub(crate) commit_time: Option<SimTime>,
    pub(crate) values: BTreeMap<String, f64>,
}

/// The number of a reading, as far as it has one.
type Key = (Option<Epoch>, Option<Serial>);

/// One value of the record, of the device with this number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) device: usize,
    pub(crate) key: Key,
    pub(crate) quantity: MeasurementId,
    pub(crate) event_time: SimTime,
    pub(crate) reference: Option<f64>,
    pub(crate) reported: Option<f64>,
    /// What the reference was taken over and how well it is known, where that is recorded.
    pub(crate) span: Option<RowSpan>,
}

/// The span of a row's reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RowSpan {
    /// Since the scenario's start.
    pub(crate) from: SimDuration,
    /// Since the scenario's start.
    pub(crate) to: SimDuration,
    /// How far the reference may be off, in the quantity's SI unit.
    pub(crate) spread: f64,
}

impl Row {
    /// The row as the record takes it; `way` is by which way the device's readings come.
    pub(crate) fn observation<'a>(&self, device: &'a str, way: &'a str) -> Observation<'a> {
        Observation {
            device,
            epoch: self.key.0,
            serial: self.key.1,
            quantity: self.quantity,
            event_time: self.event_time,
            reference: self.reference,
            reported: self.reported,
            span: self.span.map(|RowSpan { from, to, spread }| RecordedSpan {
                from,
                to,
                spread,
                way,
            }),
        }
    }
}

/// One device's account.
pub struct Account {
    pub(crate) terms: AccountTerms,
    pub(crate) schedule: Schedule,
    made: Vec<AnnouncedReading>,
    sent: BTreeMap<(Epoch, Serial), SentReading>,
    stored: Vec<StoredReading>,
    /// The span of the reading before.
    last: Option<ReferenceSpan>,
    /// Due instants so far.
    due: u64,
    /// Due instants for which no reading was made, by their number from 1.
    never_made: Vec<(u64, SimTime)>,
    /// Of a device that announces no spans.
    declared: Option<Declared>,
    /// Of a node behind a transparent gateway.
    carried: Option<CarriedReadings>,
}

/// How far a span may end before its reading's instant: a window that is not complete yet, and the
/// samples the metrology looks ahead.
const SPAN_LAG_MAX: SimDuration = SimDuration::from_milliseconds(500);

/// What an account amounts to over one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) due: u64,
    pub(crate) stored: u64,
    pub(crate) missing: u64,
    pub(crate) unexpected: u64,
    /// Values whose identifier the registry does not know: only a foreign platform gives such.
    pub(crate) unknown_values: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.due += other.due;
        self.stored += other.stored;
        self.missing += other.missing;
        self.unexpected += other.unexpected;
        self.unknown_values += other.unknown_values;
    }
}

/// By what a device owes its readings.
pub(crate) struct AccountTerms {
    pub(crate) device: String,
    pub(crate) index: usize,
    pub(crate) metering_point: MeteringPoint,
    /// What only an electricity meter has.
    pub(crate) electricity: Option<ElectricityFacts>,
    pub(crate) quantities: Vec<MeasurementId>,
    pub(crate) start: SimTime,
    pub(crate) period: SimDuration,
    /// How much later than at whole periods readings are due.
    pub(crate) offset: SimDuration,
    /// When the run ends: nothing that was due is waited for any longer.
    pub(crate) end: SimTime,
    /// What it declares of its readings; `None`: it announces them.
    pub(crate) declared: Option<DeclaredSpan>,
    /// The gateway that carries its readings; `None`: its own session.
    pub(crate) way: Option<String>,
    /// Whether a reading may leave out the periods before it, whose readings are then missing: one
    /// that covers its own period whatever came before.
    pub(crate) may_leave_out: bool,
    /// Whether the bench itself closes each reading, as of a board, and so knows since when it is.
    pub(crate) is_closed_here: bool,
    /// When it does not work for want of a supply.
    pub(crate) darkness: SupplyOutages,
    /// Whether a gateway carries its frames unread.
    pub(crate) is_carried: bool,
    /// When it is no member of its network, since the scenario's start.
    pub(crate) away: Vec<(SimDuration, SimDuration)>,
    /// Whether it is here, and somebody who is not asks it: then what comes has to be its answers.
    pub(crate) answers_others: bool,
}

/// The way of readings that no gateway carries.
const DIRECT: &str = "direct";

impl Account {
    pub(crate) fn open(terms: AccountTerms) -> Self {
        Self {
            schedule: Schedule::new(terms.start + terms.offset, terms.period),
            made: Vec::new(),
            sent: BTreeMap::new(),
            stored: Vec::new(),
            last: None,
            due: 0,
            never_made: Vec::new(),
            declared: terms.declared.map(|declared| Declared::new(declared, &terms)),
            carried: terms.is_carried.then(CarriedReadings::default),
            terms,
        }
    }

    pub(crate) fn way(&self) -> &str {
        self.terms.way.as_deref().unwrap_or(DIRECT)
    }

    /// The device has acknowledged another reporting period.
    pub(crate) fn change_period(&mut self, at: SimTime, period: SimDuration) {
        self.schedule.change_period(at, period);
        self.terms.period = period;
    }

    /// Takes what the device hands over about a reading, if it holds together.
    ///
    /// The reference is computed over this span, so a device could talk itself right: spans have to
    /// follow one another without gap or overlap, end where the reading is due, and leave the
    /// registers' beginning alone.
    pub(crate) fn made(&mut self, made: AnnouncedReading) -> Result<(), String> {
        if let Some(declared) = &mut self.declared {
            declared.made(made, &mut self.made);
            return Ok(());
        }
        let instant = made.at - self.terms.start;
        let span = made.span;
        let is_whole = |gap: SimDuration| {
            self.terms.may_leave_out && gap.0 >= 0 && gap.0 % self.terms.period.0.max(1) == 0
        };
        let follows = match self.last {
            Some(last) => {
                (span.from == last.to
                    || is_whole(span.from - last.to)
                    || self.terms.darkness.lies_between(last.to, span.from))
                    && span.registers_from == last.registers_from
            }
            None if self.terms.may_leave_out => is_whole(span.from),
            None => {
                let first = span.registers_from;
                let is_dark_before = self.terms.darkness.lies_between(first, span.from);
                first.0 >= 0
                    && first <= SPAN_LAG_MAX
                    && (span.from == first || (span.from > first && is_dark_before))
            }
        };
        let ends_well = span.to <= instant && instant - span.to <= SPAN_LAG_MAX;
        if !follows || !ends_well || span.from >= span.to {
            return Err(format!(
                "reading {} of {} claims to cover {} to {} since the start, registers from {}; \
                 that does not follow the reading before, or does not end at the reading",
                made.serial, made.at, span.from, span.to, span.registers_from
            ));
        }
        self.last = Some(span);
        self.made.push(made);
        Ok(())
    }

    pub(crate) fn sent(&mut self, sent: SentReading) {
        if let Some(declared) = &mut self.declared {
            declared.sees_messages = true;
        }
        self.sent.insert(sent.key, sent);
    }

    /// Whether the platform gave back what the device sent, as long as that is remembered.
    pub(crate) fn is_as_sent(&self, stored: &StoredReading) -> bool {
        if let Some(declared) = &self.declared {
            return declared.is_as_sent(stored, &self.made, &self.sent);
        }
        let (Some(epoch), Some(serial)) = (stored.epoch, stored.serial) else { return false };
        let made = self.made.iter().find(|made| (made.epoch, made.serial) == (epoch, serial));
        made.is_some_and(|made| made.at == stored.event_time)
            && self.sent.get(&(epoch, serial)).is_some_and(|sent| sent.values == stored.values)
    }

    pub(crate) fn stored(&mut self, stored: StoredReading) {
        match &mut self.carried {
            Some(carried) => carried.put(stored, &self.sent, &mut self.stored),
            None => self.stored.push(stored),
        }
    }

    /// A frame of one of its readings has reached its gateway.
    pub(crate) fn carried(&mut self, of: Carried) {
        if let Some(carried) = &mut self.carried {
            carried.expect(of);
        }
    }

    /// Whether a reading is due at an instant since the start, made or not.
    fn is_owed(&self, at: SimDuration, is_made: bool) -> bool {
        let is_away = |&(from, to): &(SimDuration, SimDuration)| from <= at && at < to;
        self.terms.darkness.owes(at, is_made) && (is_made || !self.terms.away.iter().any(is_away))
    }

    /// The device answered with these values, in SI units, whoever asked it.
    pub(crate) fn answered(&mut self, at: SimTime, values: BTreeMap<String, f64>) {
        if let Some(declared) = &mut self.declared {
            declared.answered(at, values);
        }
    }

    /// Why what is stored is no answer of the device, where it has to be one.
    pub(crate) fn unanswered(&self, stored: &StoredReading) -> Option<&'static str> {
        self.declared.as_ref()?.unanswered(stored)
    }

    /// Joins everything that was due up to an instant before which nothing is on its way any more.
    /// What belongs to later readings is kept for them. Nothing is due after the end of the run,
    /// which may be long ago where another device lags far behind.
    pub(crate) fn settle(&mut self, until: SimTime, rows: &mut Vec<Row>) -> Tally {
        let until = until.min(self.terms.end);
        // Taken out, so that the join may use the rest of the account.
        let Some(mut declared) = self.declared.take() else {
            return self.settle_announced(until, rows);
        };
        let settled = declared.settle(self, until, rows);
        self.declared = Some(declared);
        settled
    }

    fn settle_announced(&mut self, until: SimTime, rows: &mut Vec<Row>) -> Tally {
        let mut settled = Tally::default();
        let mut stored: BTreeMap<(Epoch, Serial), Vec<StoredReading>> = BTreeMap::new();
        for reading in std::mem::take(&mut self.stored) {
            let known = reading.known_values().count();
            settled.unknown_values += (reading.values.len() - known) as u64;
            if let (Some(epoch), Some(serial)) = (reading.epoch, reading.serial) {
                stored.entry((epoch, serial)).or_default().push(reading);
            } else {
                settled.unexpected += 1;
                self.unexpected(&reading, rows);
            }
        }
        let mut made = std::mem::take(&mut self.made);
        // What is sent at the very end has not arrived there.
        let is_carried = self.carried.is_some();
        let due_until = if is_carried { until.min(self.terms.end - SimDuration(1)) } else { until };
        for due in self.schedule.take_until(due_until) {
            let is_made = made.iter().any(|made| made.at == due);
            if !self.is_owed(due - self.terms.start, is_made) {
                continue;
            }
            settled.due += 1;
            self.due += 1;
            let reading = made.iter().position(|made| made.at == due).map(|at| made.remove(at));
            if reading.is_none() {
                self.never_made.push((self.due, due));
            }
            let mut unreadable = BTreeSet::new();
            let found = reading.and_then(|made| {
                // Stored with another event time or other values than the device sent, it is
                // another device's reading or an altered one, not the one that was due.
                let key = (made.epoch, made.serial);
                let sent = self.sent.remove(&key);
                unreadable.extend(sent.iter().flat_map(SentReading::unreadable));
                let list = stored.get_mut(&key)?;
                let same = list.iter().position(|reading| {
                    let is_same = |sent: &SentReading| {
                        let (stored, sent) = (&reading.values, &sent.values);
                        if is_carried { are_same(stored, sent) } else { stored == sent }
                    };
                    reading.event_time == made.at && sent.as_ref().is_some_and(is_same)
                })?;
                Some(list.remove(same))
            });
            if found.is_some() {
                settled.stored += 1;
            } else {
                settled.missing += 1;
            }
            let from = rows.len();
            self.due_rows(due, reading, found.as_ref(), rows);
            if !unreadable.is_empty() {
                let is_owed = |row: &Row| !unreadable.contains(&row.quantity);
                let of_reading = rows.split_off(from);
                rows.extend(of_reading.into_iter().filter(is_owed));
            }
        }
        made.retain(|made| made.at > due_until);
        for (key, readings) in stored {
            if made.iter().any(|made| (made.epoch, made.serial) == key) {
                self.stored.extend(readings);
                continue;
            }
            for reading in readings {
                settled.unexpected += 1;
                self.unexpected(&reading, rows);
            }
        }
        self.made = made;
        settled
    }

    /// Takes out the due instants for which no reading was made, as far as they are settled.
    pub(crate) fn take_never_made(&mut self) -> Vec<(u64, SimTime)> {
        std::mem::take(&mut self.never_made)
    }

    /// One row per quantity of a reading that was due.
    fn due_rows(
        &self,
        due: SimTime,
        made: Option<AnnouncedReading>,
        stored: Option<&StoredReading>,
        rows: &mut Vec<Row>,
    ) {
        // A device that made nothing has no span; the truth of the period it owed stands in.
        let since_start = due - self.terms.start;
        let owed = ReferenceSpan {
            from: since_start - self.terms.period,
            to: since_start,
            registers_from: SimDuration::ZERO,
        };
        let span = made.map_or(owed, |made| made.span);
        let key = (made.map(|made| made.epoch), made.map(|made| made.serial));
        // Only of what a gateway makes readings of is there more to record than was announced.
        let is_made_elsewhere = self.terms.way.is_some() && !self.terms.is_carried;
        let spreads =
            stored.filter(|_| is_made_elsewhere).map(|_| vec![0.0; self.terms.quantities.len()]);
        self.reading_rows((key, due), (span, spreads.as_deref()), stored, rows);
    }

    /// One row per quantity of a reading with this key, due then; with the spread of each quantity
    /// where the span is recorded.
    fn reading_rows(
        &self,
        (key, due): (Key, SimTime),
        (span, spreads): (ReferenceSpan, Option<&[f64]>),
        stored: Option<&StoredReading>,
        rows: &mut Vec<Row>,
    ) {
        let truth = self.terms.metering_point.truth(span, self.terms.electricity);
        for (place, &id) in self.terms.quantities.iter().enumerate() {
            let reported = stored.and_then(|stored| stored.values.get(id.name())).copied();
            let is_of_interval = id.row().quantity.formation() == Some(Formation::Interval);
            if is_of_interval && reported.is_none() {
                // It is in one reading only, and which one that is depends on who asks.
                continue;
            }
            let ReferenceSpan { mut from, mut to, .. } = span;
            let reference = if id.row().quantity == Quantity::ProfilePower {
                let named = stored.and_then(|stored| self.named_interval(stored, to));
                (from, to) = named.unwrap_or((from, to));
                let (point, electricity) = (&self.terms.metering_point, self.terms.electricity);
                named.and_then(|interval| point.mean_power(interval, electricity))
            } else {
                truth.value(id)
            };
            // What the plant does not know was still due: not a number, but not empty either.
            let reference = reference.or(Some(f64::NAN));
            let spread = spreads.and_then(|spreads| spreads.get(place)).copied();
            let span = spread.map(|spread| RowSpan { from, to, spread });
            rows.push(Row { span, ..self.row(key, id, due, reference, reported) });
        }
        let Some(stored) = stored else { return };
        for (id, value) in stored.known_values() {
            if !self.terms.quantities.contains(&id) {
                rows.push(self.row(key, id, due, None, Some(value)));
            }
        }
    }

    /// Begin and end, since the start, of the interval of its power profile that a reading names,
    /// if that is over at an instant.
    fn named_interval(
        &self,
        stored: &StoredReading,
        until: SimDuration,
    ) -> Option<(SimDuration, SimDuration)> {
        let id = MeasurementId::of(Quantity::ProfileInterval, Phase::None)?;
        let number = *stored.values.get(id.name())?;
        let span = self.terms.electricity?.profile?.span(number)?;
        (span.1 <= until).then_some(span)
    }

    fn unexpected(&self, stored: &StoredReading, rows: &mut Vec<Row>) {
        let key = (stored.epoch, stored.serial);
        for (id, value) in stored.known_values() {
            rows.push(self.row(key, id, stored.event_time, None, Some(value)));
        }
    }

    /// A row with the reported value brought to the unit of the record.
    fn row(
        &self,
        key: Key,
        quantity: MeasurementId,
        event_time: SimTime,
        reference: Option<f64>,
        reported: Option<f64>,
    ) -> Row {
        let reported = reported.map(|value| value * quantity.row().si_factor);
        Row { device: self.terms.index, key, quantity, event_time, reference, reported, span: None }
    }
}

impl StoredReading {
    /// Device, epoch and serial, as far as there are any.
    pub(crate) fn key(&self) -> (String, Option<u64>, Option<u64>) {
        let epoch = self.epoch.map(|epoch| epoch.0);
        (self.device.clone(), epoch, self.serial.map(|serial| serial.0))
    }

    /// What to sort by.
    pub(crate) fn identity(&self) -> (&str, Option<Epoch>, Option<Serial>, SimTime) {
        (&self.device, self.epoch, self.serial, self.event_time)
    }

    /// Identifiers that the registry does not know.
    pub(crate) fn unknown_values(&self) -> impl Iterator<Item = &str> {
        let known = |name: &&String| MeasurementId::lookup(name).is_none();
        self.values.keys().filter(known).map(String::as_str)
    }

    /// Whether it holds anything at all.
    pub(crate) fn has_known_value(&self) -> bool {
        self.known_values().next().is_some()
    }

    fn known_values(&self) -> impl Iterator<Item = (MeasurementId, f64)> {
        self.values.iter().filter_map(|(name, &value)| Some((MeasurementId::lookup(name)?, value)))
    }
}

/// Hands readings to the accounts of their devices; what belongs to none is an event.
pub(crate) fn take_readings(
    mut readings: Vec<StoredReading>,
    accounts: &mut [Account],
    now: SimTime,
    events: &mut Vec<Event>,
) {
    // In which order several devices' readings were committed is chance.
    readings.sort_by(|a, b| a.identity().cmp(&b.identity()));
    for reading in readings {
        let event = |kind: EventKind| {
            let (device, epoch, serial) = reading.key();
            let event = Event::new(now, "platform", kind).with(field::DEVICE, device);
            event.with(field::EPOCH, epoch).with(field::SERIAL, serial)
        };
        let unknown = reading.unknown_values();
        events.extend(unknown.map(|name| event(EventKind::UnknownValue).with(field::NAME, name)));
        if !reading.has_known_value() {
            events.push(event(EventKind::ValuelessReading));
            continue;
        }
        match accounts.iter_mut().find(|account| account.terms.device == reading.device) {
            Some(account) => account.stored(reading),
            None => events.push(event(EventKind::ForeignReading)),
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
