//! Joining of sections of different rates: all are brought to the highest one by straight lines.
//!
//! Works on columns of any length one after another and holds one record between them. What comes
//! out does not depend on how the samples were cut.

use std::ops::ControlFlow;

use super::ComtradeError;
use super::header::{Header, Section};
use crate::columns::Columns;

/// Positions nearer to a sample than this are that sample.
const NEAR: f64 = 1e-6;
/// Values that may be made in any case, and how many times the recorded ones beyond that.
const VALUES: f64 = 8e6;
const TIMES: f64 = 16.0;
/// Joined samples made at a time.
const BATCH: usize = 1024;

/// A section as it lies in the recording.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    starts_s: f64,
    rate_hz: f64,
}

/// Joins the sections.
#[derive(Debug)]
pub(super) struct Joiner {
    rate_hz: f64,
    spans: Vec<Span>,
    records: u64,
    /// Joined samples in all.
    count: u64,
    /// Which one is next, in which span it lies, and which record the one before it was made of.
    next: u64,
    at: usize,
    reached: u64,
    /// Records taken so far, and the last of them.
    taken: u64,
    last: Columns,
    made: Columns,
}

/// The highest rate of a header.
pub(super) fn highest_hz(sections: &[Section]) -> f64 {
    sections.iter().map(|section| section.rate_hz).fold(0.0, f64::max)
}

impl Joiner {
    /// A joiner for recordings with such a header, if it states several rates. That the data holds
    /// all records which the header announces is checked elsewhere.
    pub(super) fn of(
        header: &Header,
        analogue: usize,
        digital: usize,
    ) -> Result<Option<Self>, ComtradeError> {
        let sections = &header.sections;
        let uniform = sections.windows(2).all(|pair| pair[0].rate_hz == pair[1].rate_hz);
        if header.timed_by_stamps() || uniform {
            return Ok(None);
        }
        let rate_hz = highest_hz(sections);
        let mut spans = Vec::with_capacity(sections.len());
        let (mut first, mut starts_s) = (0_u64, 0.0);
        for section in sections {
            spans.push(Span { first, starts_s, rate_hz: section.rate_hz });
            starts_s += section.end.saturating_sub(first) as f64 / section.rate_hz;
            first = section.end;
        }
        let records = first;
        let last_step_s = sections.last().map_or(0.0, |section| 1.0 / section.rate_hz);
        let count = ((starts_s - last_step_s) * rate_hz + NEAR).floor() + 1.0;
        let channels = (header.analogue.len() + header.digital.len()).max(1) as f64;
        let most = (VALUES / channels).max(TIMES * records as f64);
        // Written so that a count that is not a number is refused too.
        if !(count >= 1.0 && count <= most) {
            let lowest = sections.iter().map(|s| s.rate_hz).fold(f64::INFINITY, f64::min);
            return Err(ComtradeError::RatesTooDifferent {
                lowest_hz: lowest.to_string(),
                highest_hz: rate_hz.to_string(),
                samples: usize::try_from(records).unwrap_or(usize::MAX),
                joined: count.to_string(),
            });
        }
        Ok(Some(Self {
            rate_hz,
            spans,
            records,
            count: count as u64,
            next: 0,
            at: 0,
            reached: 0,
            taken: 0,
            last: Columns::new(analogue, digital),
            made: Columns::new(analogue, digital),
        }))
    }

    /// How many samples come out.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The sentence about what was joined.
    pub(super) fn note(sections: &[Section]) -> String {
        let list: Vec<String> =
            sections.iter().take(8).map(|s| format!("{} Hz up to {}", s.rate_hz, s.end)).collect();
        format!(
            "{} sections of different rates ({}{}) were joined at {} Hz; slower ones follow \
             straight lines between their samples",
            sections.len(),
            list.join(", "),
            if sections.len() > 8 { ", ..." } else { "" },
            highest_hz(sections),
        )
    }

    /// For the next joined sample the record before it and the weight of the one after that.
    fn place(&mut self) -> (u64, f64) {
        let time_s = self.next as f64 / self.rate_hz;
        while let Some(span) = self.spans.get(self.at + 1)
            && (time_s - span.starts_s) * span.rate_hz > -NEAR
        {
            self.at += 1;
        }
        let Some(span) = self.spans.get(self.at) else { return (self.reached, 0.0) };
        let position = ((time_s - span.starts_s) * span.rate_hz).max(0.0);
        let whole = (position + NEAR).floor();
        let weight = position - whole;
        let weight = if weight < NEAR { 0.0 } else { weight };
        let record = span.first.saturating_add(whole as u64).min(self.records - 1);
        (record.max(self.reached), weight)
    }

    /// Takes the next records and hands on what they make.
    pub(super) fn push(
        &mut self,
        columns: &Columns,
        out: &mut dyn FnMut(&Columns) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let rows = columns.rows() as u64;
        if rows == 0 {
            return ControlFlow::Continue(());
        }
        let before = self.taken;
        self.taken += rows;
        let mut places: Vec<(u64, f64)> = Vec::with_capacity(BATCH);
        loop {
            places.clear();
            while self.next < self.count && places.len() < BATCH {
                let (record, weight) = self.place();
                let alone = weight <= 0.0 || record == self.records - 1;
                // What needs records that are still to come waits for them.
                if record + u64::from(!alone) >= self.taken {
                    break;
                }
                places.push((record, if alone { 0.0 } else { weight }));
                self.reached = record;
                self.next += 1;
            }
            if places.is_empty() {
                break;
            }
            self.made.clear();
            make(columns, &self.last, before, &places, &mut self.made);
            out(&self.made)?;
        }
        self.last.clear();
        for (last, column) in self.last.analogue.iter_mut().zip(&columns.analogue) {
            last.extend(column.last());
        }
        for (last, column) in self.last.digital.iter_mut().zip(&columns.digital) {
            last.extend(column.last());
        }
        ControlFlow::Continue(())
    }
}

/// Makes the samples at these places, of records from `before` on and the one before them.
fn make(columns: &Columns, last: &Columns, before: u64, places: &[(u64, f64)], made: &mut Columns) {
    for ((column, last), made) in
        columns.analogue.iter().zip(&last.analogue).zip(&mut made.analogue)
    {
        let at = |record: u64| at(column, last, before, record).unwrap_or(f64::NAN);
        made.extend(places.iter().map(|&(record, weight)| {
            let value = at(record);
            if weight > 0.0 { value * (1.0 - weight) + at(record + 1) * weight } else { value }
        }));
    }
    for ((column, last), made) in columns.digital.iter().zip(&last.digital).zip(&mut made.digital) {
        let at = |record: u64| at(column, last, before, record).unwrap_or_default();
        made.extend(places.iter().map(|&(record, _)| at(record)));
    }
}

/// A record's value among those from `before` on, or the one before them.
fn at<T: Copy>(column: &[T], last: &[T], before: u64, record: u64) -> Option<T> {
    match record.checked_sub(before) {
        Some(index) => column.get(usize::try_from(index).ok()?).copied(),
        None => last.first().copied(),
    }
}
