//! Summaries of series: from roll-ups where these are whole, and from the readings themselves
//! where there is none, or where a range or a right ends within one.
//!
//! A walk reads nothing by itself: it names what it needs next, and is given that. All that it is
//! given of one bucket has to be of one moment of the store, since a bucket gets its row and loses
//! its readings as time goes on.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use lastmeter_model::series::rollup::{BUCKET, Rollup, Summary, bucket};
use lastmeter_units::{MeasurementId, SimTime};

use crate::seam::{Range, Summaries, SummaryQuery};

/// Readings after which a walk ends with a bucket.
const READINGS_MAX: usize = 4096;
/// Rows that are asked for at once.
pub(crate) const ROWS_AT_ONCE: usize = 256;

/// What a walk needs next.
#[derive(Debug, PartialEq)]
pub(crate) enum Need {
    /// The roll-ups whose first instants lie in a range, the first [`ROWS_AT_ONCE`] of them.
    Rows(Range),
    /// The readings of a range in the order of event time.
    Readings(Range),
    /// It is done.
    Nothing,
}

/// A part of the range, in the order of time.
enum Part {
    /// A roll-up for some of the series, by their places.
    Row(Rollup, Vec<usize>),
    /// Readings for some of the series.
    Readings(Range, Vec<usize>),
}

/// A walk over the summaries of a device.
pub(crate) struct SummaryWalk {
    query: SummaryQuery,
    /// The store's numbers of the identifiers, in their order.
    numbers: Vec<u16>,
    parts: VecDeque<Part>,
    /// The series that the readings at hand are for.
    wanted: Vec<usize>,
    /// How many there were so far.
    readings: usize,
    /// All before is given or planned; all before `at` is given.
    planned: Option<SimTime>,
    at: SimTime,
    /// A bucket, by series and, where values are given one by one, by time.
    bucket: SimTime,
    of_bucket: BTreeMap<(usize, SimTime), Summary>,
    found: Summaries,
    is_over: bool,
}

/// The last instant of the bucket of an instant.
fn last_of(at: SimTime) -> SimTime {
    SimTime(bucket(at).0.saturating_add(BUCKET.0 - 1))
}

fn behind(at: SimTime) -> Option<SimTime> {
    at.0.checked_add(1).map(SimTime)
}

impl SummaryWalk {
    /// A walk in a store that has these numbers for the identifiers.
    pub(crate) fn new(mut query: SummaryQuery, number: impl Fn(MeasurementId) -> u16) -> Self {
        query.range.start = query.range.start.max(query.cut.first());
        let Range { start, end } = query.range;
        Self {
            numbers: query.ids.iter().map(|id| number(*id)).collect(),
            parts: VecDeque::new(),
            wanted: Vec::new(),
            readings: 0,
            planned: Some(start),
            at: start,
            bucket: bucket(start),
            of_bucket: BTreeMap::new(),
            found: Summaries::default(),
            is_over: query.ids.is_empty() || start > end,
            query,
        }
    }

    /// What it needs next.
    pub(crate) fn need(&mut self) -> Need {
        while !self.is_over
            && let Some(part) = self.parts.pop_front()
        {
            match part {
                Part::Row(row, ids) => self.take_row(&row, &ids),
                Part::Readings(range, wanted) => {
                    self.wanted = wanted;
                    self.at = self.at.max(range.start);
                    return Need::Readings(range);
                }
            }
        }
        let from = self.planned.filter(|from| !self.is_over && *from <= self.query.range.end);
        if let Some(from) = from {
            return Need::Rows(Range { start: bucket(from), end: self.query.range.end });
        }
        self.flush();
        self.is_over = true;
        Need::Nothing
    }

    /// Takes the rows that it needed, in their order.
    pub(crate) fn rows(&mut self, rows: Vec<Rollup>) {
        let Some(mut from) = self.planned else { return };
        let end = self.query.range.end;
        let is_last = rows.len() < ROWS_AT_ONCE;
        let through = rows.last().filter(|_| !is_last).map(|row| last_of(row.start()));
        let all: Vec<usize> = (0..self.numbers.len()).collect();
        for row in rows {
            let (start, last) = (row.start(), last_of(row.start()));
            let is_whole = self.query.range.start <= start && last <= end;
            if !is_whole || start < self.query.rows_from || start < from {
                continue;
            }
            let (by_row, others): (Vec<_>, Vec<_>) =
                all.iter().partition(|place| self.has_whole(**place, &row));
            if by_row.is_empty() {
                continue;
            }
            if from < start {
                let before = Range { start: from, end: SimTime(start.0 - 1) };
                self.parts.push_back(Part::Readings(before, all.clone()));
            }
            self.parts.push_back(Part::Row(row, by_row));
            if !others.is_empty() {
                self.parts.push_back(Part::Readings(Range { start, end: last }, others));
            }
            let Some(next) = behind(last) else {
                self.planned = None;
                return;
            };
            from = next;
        }
        let through = through.unwrap_or(end).min(end);
        if from <= through {
            self.parts.push_back(Part::Readings(Range { start: from, end: through }, all));
        }
        self.planned = behind(through).map(|next| next.max(from));
    }

    /// Whether a right leaves all of a roll-up of a series.
    fn has_whole(&self, place: usize, row: &Rollup) -> bool {
        let Some(windows) = self.query.cut.windows() else { return true };
        let name = self.query.ids.get(place).map_or("", |id| id.name());
        windows.iter().any(|window| {
            let is_within = window.from <= row.earliest() && row.end() <= window.until;
            is_within && window.quantities.contains(name)
        })
    }

    fn take_row(&mut self, row: &Rollup, ids: &[usize]) {
        for place in ids {
            if let Some(summary) = self.numbers.get(*place).and_then(|one| row.quantity(*one))
                && self.add(row.start(), (*place, SimTime(0)), summary).is_break()
            {
                return;
            }
        }
        let is_followed = matches!(
            self.parts.front(), Some(Part::Readings(range, _)) if range.start == row.start()
        );
        if !is_followed {
            self.at = row.end();
        }
    }

    /// Takes a reading that it needed: when it was measured and when it arrived, and its values by
    /// the numbers of their quantities. Breaks off where no more is needed.
    pub(crate) fn reading(
        &mut self,
        (event, received): (SimTime, SimTime),
        values: impl IntoIterator<Item = (u16, f64)>,
    ) -> ControlFlow<()> {
        self.at = self.at.max(bucket(event));
        self.readings += 1;
        if self.readings > READINGS_MAX && self.bucket < self.at {
            self.flush();
            self.stop(self.at);
            return ControlFlow::Break(());
        }
        for (number, value) in values {
            let mut wanted = self.wanted.iter().copied();
            let Some(place) = wanted.find(|place| self.numbers.get(*place) == Some(&number)) else {
                continue;
            };
            let name = self.query.ids.get(place).map_or("", |id| id.name());
            if !self.query.cut.has_value(event, received, name) {
                continue;
            }
            let key = if event < self.query.rows_from { event } else { SimTime(0) };
            self.add(bucket(event), (place, key), &Summary::of(event, value))?;
        }
        ControlFlow::Continue(())
    }

    /// It has been given all readings that it needed.
    pub(crate) fn readings_end(&mut self, range: Range) {
        self.at = behind(range.end).unwrap_or(range.end);
    }

    fn add(&mut self, start: SimTime, key: (usize, SimTime), summary: &Summary) -> ControlFlow<()> {
        if start != self.bucket {
            self.flush();
            if self.found.summaries.len() >= self.query.limit {
                self.stop(SimTime(last_of(self.bucket).0.saturating_add(1)));
                return ControlFlow::Break(());
            }
            self.bucket = start;
        }
        match self.of_bucket.get_mut(&key) {
            Some(known) => known.merge(summary),
            None => drop(self.of_bucket.insert(key, summary.clone())),
        }
        ControlFlow::Continue(())
    }

    /// There is more, from an instant on.
    fn stop(&mut self, next: SimTime) {
        self.found.next = Some(next);
        self.is_over = true;
        self.parts.clear();
    }

    fn flush(&mut self) {
        for ((place, _), summary) in std::mem::take(&mut self.of_bucket) {
            self.found.summaries.extend(self.query.ids.get(place).map(|id| (*id, summary)));
        }
    }

    /// How far it has come: that goes on with each bucket.
    pub(crate) fn position(&self) -> SimTime {
        self.at
    }

    /// What comes next is of another moment: what is not known as a whole is begun anew.
    pub(crate) fn pause(&mut self) {
        if self.is_over {
            return;
        }
        if last_of(self.bucket) < self.at {
            self.flush();
        } else {
            self.of_bucket.clear();
            self.at = self.query.range.start.max(bucket(self.at));
        }
        self.parts.clear();
        self.planned = Some(self.at);
    }

    /// What it has found.
    pub(crate) fn end(self) -> Summaries {
        self.found
    }
}
