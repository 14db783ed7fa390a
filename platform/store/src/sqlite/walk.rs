//! Reading what a device sent by event time, so that nothing can go missing unnoticed.
//!
//! The index of times is read in whole minutes and compared with the tallies (`tally`), in order
//! and without repetition; the readings it leads to are then fetched by their sequence, each with
//! its seal. An index entry that is flipped is either out of order, leads to a reading that does
//! not fit it, or is missing from its minute's count.

use std::ops::RangeInclusive;

use lastmeter_model::access::Cut;
use lastmeter_model::row::{ReadingRow, SeriesPoint};
use lastmeter_units::{MeasurementId, SimTime};
use rusqlite::params;

use super::lanes::Slice;
use super::read::{self, Measured, READING, Reader};
use super::seal::{ReadError, ReadResult};
use super::tally::{self, instants_of, minute_of};
use crate::damage::Damage;
use crate::page::{PageRows, reading_bytes};
use crate::rows::Columns;
use crate::seam::{Page, Place, Range, Series, SeriesQuery};

/// Readings between two looks at the time.
const ROWS_BETWEEN_CHECKS: u64 = 256;
/// The same where they are only counted.
const STRETCH_COUNTED: u64 = 16 * 1024;

/// Walks over the readings of a device in a stretch of event time.
pub(super) struct Walk {
    device: i64,
    range: RangeInclusive<i64>,
    newest_first: bool,
    /// The minutes that are still to be read; `None` at the end.
    left: Option<(i64, i64)>,
}

impl Walk {
    pub(super) fn new(device: i64, range: Range, newest_first: bool) -> Self {
        let (first, last) = tally::minutes(range.start, range.end);
        let range = range.start.as_nanoseconds()..=range.end.as_nanoseconds();
        let left = (!range.is_empty()).then_some((first, last));
        Self { device, range, newest_first, left }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_none()
    }

    /// The next minutes to be read and what is in them.
    fn next(
        &mut self,
        reader: &Reader,
        enough: u64,
    ) -> ReadResult<Option<(i64, i64, tally::Tallies)>> {
        let Some((first, last)) = self.left else { return Ok(None) };
        let tallies =
            tally::read(&reader.connection, self.device, (first, last), self.newest_first, enough)?;
        let through = tallies.through;
        let (from, to, left) = if self.newest_first {
            (through, last, (first, through.saturating_sub(1)))
        } else {
            (first, through, (through.saturating_add(1), last))
        };
        let is_end = through == if self.newest_first { first } else { last };
        self.left = (!is_end).then_some(left);
        Ok(Some((from, to, tallies)))
    }

    /// The next places in the range, in order; empty where a stretch has none.
    pub(super) fn places(&mut self, reader: &Reader) -> ReadResult<Vec<Place>> {
        let Some((from, to, mut expected)) = self.next(reader, ROWS_BETWEEN_CHECKS)? else {
            return Ok(Vec::new());
        };
        let order = if self.newest_first { "DESC" } else { "ASC" };
        let query = format!(
            "SELECT event_ns, sequence FROM reading INDEXED BY reading_time
             WHERE device = ?1 AND event_ns BETWEEN ?2 AND ?3
             ORDER BY event_ns {order}, sequence {order}"
        );
        let mut statement = reader.connection.prepare_cached(&query)?;
        let bounds = params![self.device, instants_of(from).0, instants_of(to).1];
        let mut rows = statement.query(bounds)?;
        let (mut places, mut previous) = (Vec::new(), None);
        while let Some(row) = rows.next()? {
            let place: Place = (row.get(0)?, row.get(1)?);
            let in_order =
                |before: Place| if self.newest_first { place < before } else { before < place };
            if !previous.is_none_or(in_order) {
                return Err(self.damage(minute_of(place.0), "the entries are out of order"));
            }
            previous = Some(place);
            match expected.readings.get_mut(&minute_of(place.0)) {
                Some(left) if *left > 0 => *left -= 1,
                _ => {
                    return Err(
                        self.damage(minute_of(place.0), "it has more entries than readings")
                    );
                }
            }
            if self.range.contains(&place.0) {
                places.push(place);
            }
        }
        match expected.readings.iter().find(|(_, left)| **left > 0) {
            None => Ok(places),
            Some((minute, _)) => Err(self.damage(*minute, "it has fewer entries than readings")),
        }
    }

    /// Counts the next stretch.
    fn count(&mut self, reader: &Reader) -> ReadResult<u64> {
        let Some((from, to, expected)) = self.next(reader, STRETCH_COUNTED)? else { return Ok(0) };
        let mut statement = reader.connection.prepare_cached(
            "SELECT count(*) FROM reading INDEXED BY reading_time
             WHERE device = ?1 AND event_ns BETWEEN ?2 AND ?3",
        )?;
        let mut count = |first: i64, last: i64| {
            statement.query_row([self.device, first, last], |row| row.get::<_, i64>(0))
        };
        let (first, last) = (instants_of(from).0, instants_of(to).1);
        let (found, whole) = (count(first, last)?, expected.readings.values().sum::<u64>());
        if found.cast_unsigned() != whole {
            return Err(self.damage(from, "entries and readings are not the same number"));
        }
        // The minutes at the ends may lie in the range in part only.
        let before =
            if first < *self.range.start() { count(first, self.range.start() - 1)? } else { 0 };
        let behind = if last > *self.range.end() { count(self.range.end() + 1, last)? } else { 0 };
        Ok((found - before - behind).max(0).cast_unsigned())
    }

    fn damage(&self, minute: i64, found: &str) -> ReadError {
        let minute = SimTime(instants_of(minute).0);
        let key = format!("device {}, minute from {minute}", self.device);
        Damage::new("reading_time", key, found).into()
    }

    pub(super) fn reading(
        &self,
        reader: &Reader,
        (event_ns, sequence): Place,
    ) -> ReadResult<ReadingRow> {
        let row = reader.reading_of(sequence)?;
        if row.device_row != self.device || row.event.as_nanoseconds() != event_ns {
            return Err(self.leads_astray((event_ns, sequence)));
        }
        Ok(row)
    }

    fn leads_astray(&self, (event_ns, _): Place) -> ReadError {
        self.damage(minute_of(event_ns), "an entry leads to another reading")
    }
}

/// Several series of a device at once.
pub(super) struct SeriesScan {
    walk: Walk,
    /// Only what comes behind this place.
    after: Option<Place>,
    cut: Cut,
    wanted: Vec<Wanted>,
    is_begun: bool,
}

struct Wanted {
    id: MeasurementId,
    /// Its number in the store.
    quantity: u16,
    skip: u64,
    limit: usize,
    points: Vec<SeriesPoint>,
}

impl SeriesScan {
    /// A page of each series in a range, oldest first.
    pub(super) fn new(query: SeriesQuery) -> Self {
        let SeriesQuery { device, ids, mut range, page, after, cut } = query;
        range.start = range.start.max(cut.first());
        if let Some((event_ns, _)) = after {
            range.start = range.start.max(SimTime(event_ns));
        }
        let wanted = |id| Wanted {
            id,
            quantity: 0,
            skip: page.offset,
            limit: page.limit as usize,
            points: Vec::new(),
        };
        Self {
            walk: Walk::new(device, range, false),
            after,
            cut,
            wanted: ids.into_iter().map(wanted).collect(),
            is_begun: false,
        }
    }

    /// Reads on until it is time for others; the answer is a series per identifier.
    pub(super) fn slice(&mut self, reader: &Reader) -> ReadResult<Slice<Vec<Series>>> {
        if !self.is_begun {
            self.is_begun = true;
            // What the device never sent is looked for nowhere.
            let known = reader.quantities_of(self.walk.device)?;
            for wanted in &mut self.wanted {
                wanted.quantity = reader.context.quantities.number(wanted.id);
                if !known.contains(&wanted.id) {
                    wanted.limit = 0;
                }
            }
        }
        loop {
            let is_full = self.wanted.iter().all(|wanted| wanted.points.len() >= wanted.limit);
            if is_full || self.walk.is_done() {
                let wanted = std::mem::take(&mut self.wanted);
                return Ok(Slice::Done(
                    wanted.into_iter().map(|one| (one.id, one.points)).collect(),
                ));
            }
            if reader.is_over() {
                return Ok(Slice::More);
            }
            self.stretch(reader)?;
        }
    }

    fn stretch(&mut self, reader: &Reader) -> ReadResult<()> {
        let places = self.walk.places(reader)?;
        let by_sequence = format!("{READING} WHERE sequence = ?1");
        let mut statement = reader.connection.prepare_cached(&by_sequence)?;
        for place in places {
            if self.after.is_some_and(|after| place <= after) {
                continue;
            }
            let mut rows = statement.query([place.1])?;
            let Some(row) = rows.next()? else {
                return Err(Damage::missing("reading", place.1).into());
            };
            let Measured { device, event, received, values, .. } = read::measured(row)?;
            if (device, event.0) != (self.walk.device, place.0) {
                return Err(self.walk.leads_astray(place));
            }
            let (sequence, number) = (row.count(0)?, row.number(2)?);
            for (quantity, value) in values {
                let Some(name) = reader.context.quantities.name(quantity) else {
                    return Err(Damage::missing("quantity", quantity).into());
                };
                let mut wanted = self.wanted.iter_mut();
                let Some(wanted) = wanted.find(|one| one.quantity == quantity) else { continue };
                if wanted.points.len() >= wanted.limit || !self.cut.has_value(event, received, name)
                {
                    continue;
                }
                if wanted.skip > 0 {
                    wanted.skip -= 1;
                    continue;
                }
                wanted.points.push(SeriesPoint { event, sequence, number, value });
            }
        }
        Ok(())
    }
}

/// What a cut leaves of the readings of a device, newest first, and how many these are.
pub(super) struct EventsScan {
    cut: Cut,
    counting: Walk,
    count: u64,
    listing: Walk,
    skip: u64,
    rows: PageRows<ReadingRow>,
}

impl EventsScan {
    pub(super) fn new(device: i64, mut range: Range, page: Page, cut: Cut) -> Self {
        range.start = range.start.max(cut.first());
        Self {
            cut,
            counting: Walk::new(device, range, false),
            count: 0,
            listing: Walk::new(device, range, true),
            skip: page.offset,
            rows: PageRows::new(page.limit),
        }
    }

    /// Reads on until it is time for others.
    pub(super) fn slice(&mut self, reader: &Reader) -> ReadResult<Slice<(u64, Vec<ReadingRow>)>> {
        if self.cut.windows().is_some() {
            return self.cut_slice(reader);
        }
        while !self.counting.is_done() {
            self.count += self.counting.count(reader)?;
            if reader.is_over() {
                return Ok(Slice::More);
            }
        }
        while !self.listing.is_done() && !self.rows.is_full() {
            for place in self.listing.places(reader)? {
                if self.skip > 0 {
                    self.skip -= 1;
                } else if !self.rows.is_full() {
                    let row = self.listing.reading(reader, place)?;
                    let bytes = reading_bytes(&row);
                    self.rows.push(row, bytes);
                }
            }
            if reader.is_over() {
                return Ok(Slice::More);
            }
        }
        Ok(Slice::Done((self.count, self.rows.take())))
    }

    /// The same where each reading has to be looked at to be counted.
    fn cut_slice(&mut self, reader: &Reader) -> ReadResult<Slice<(u64, Vec<ReadingRow>)>> {
        while !self.listing.is_done() {
            for place in self.listing.places(reader)? {
                let Some(row) = self.cut.reading(self.listing.reading(reader, place)?) else {
                    continue;
                };
                if self.count >= self.skip {
                    let bytes = reading_bytes(&row);
                    self.rows.push(row, bytes);
                }
                self.count += 1;
            }
            if reader.is_over() {
                return Ok(Slice::More);
            }
        }
        Ok(Slice::Done((self.count, self.rows.take())))
    }
}
