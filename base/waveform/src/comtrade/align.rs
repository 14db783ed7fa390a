//! Bringing all samples to common instants, evenly spaced: sections of different rates at the
//! highest of them, and channels that were sampled later than their time stamps (*skew*) at the
//! time stamps.
//!
//! By a windowed sinc on the samples of a section; where it reaches beyond the section, into the
//! neighbour's values at the instants the section would have had. Beyond the recording's ends
//! samples are mirrored about the first or last one. Where a sample that is needed is missing, a
//! straight line between the neighbours takes the sinc's place, and is missing with them.
//!
//! Works on columns of any length one after another and holds the records in reach. What comes out
//! does not depend on how the samples were cut.

use std::ops::ControlFlow;

use super::ComtradeError;
use super::header::{Header, Section};
use crate::columns::Columns;
use crate::sinc::{REACH, Sinc};

/// Positions nearer to a sample than this are that sample.
const ON_SAMPLE_TOLERANCE: f64 = 1e-6;
/// How often a value is mirrored to come into the recording.
const MIRRORED_MAX: u32 = 100;
/// Positions that differ by less, from rounding, have the same weights.
const SAME_POSITION_TOLERANCE: f64 = 1e-7;
/// Values that may be made in any case, and how many times the recorded ones beyond that.
const VALUES_ALWAYS_MADE: f64 = 8e6;
const VALUES_RATIO_MAX: f64 = 16.0;
/// Samples made at a time.
const BATCH: usize = 1024;
/// A skew of more than this and than the time between two samples is no skew.
const SKEW_MAX_S: f64 = 0.1;

/// A section as it lies in the recording: from record `first` to before record `end`.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    end: u64,
    starts_s: f64,
    rate_hz: f64,
}

/// What is kept of a channel from one value to the next.
#[derive(Clone, Debug)]
struct Memory {
    /// What a section's grid has before its first and after its last sample.
    span: usize,
    before: Option<Vec<f64>>,
    after: Option<Vec<f64>>,
    /// The last weights, and how far past a sample they are for.
    past: f64,
    taps: [f64; 2 * REACH],
}

impl Memory {
    const NONE: Self =
        Self { span: 0, before: None, after: None, past: f64::NAN, taps: [0.0; 2 * REACH] };

    /// The weights for a position past a sample, in a section.
    fn prepare(&mut self, span: usize, past: f64) {
        if self.span != span {
            (self.span, self.before, self.after) = (span, None, None);
        }
        let is_same = (past - self.past).abs() < SAME_POSITION_TOLERANCE;
        // Nothing is the same as the first.
        if !is_same {
            (self.past, self.taps) = (past, Sinc::shared().taps(past));
        }
    }
}

/// Brings samples to common instants.
#[derive(Debug)]
pub(super) struct Aligner {
    rate_hz: f64,
    grid: Grid,
    /// Of the analogue columns, in s.
    skews_s: Vec<f64>,
    /// The least and the greatest of them, and none.
    skew_range_s: (f64, f64),
    memory: Vec<Memory>,
    /// Samples in all, and which one is next.
    count: u64,
    next: u64,
    /// Records taken so far, and those that are kept.
    taken: u64,
    base: u64,
    kept: Columns,
    made: Columns,
}

/// Where records lie in time.
#[derive(Clone, Debug)]
struct Grid {
    spans: Vec<Span>,
    records: u64,
}

pub(super) fn highest_hz(sections: &[Section]) -> f64 {
    sections.iter().map(|section| section.rate_hz).fold(0.0, f64::max)
}

/// Whether sections have different rates.
fn differ(sections: &[Section]) -> bool {
    sections.windows(2).any(|pair| pair[0].rate_hz != pair[1].rate_hz)
}

/// The skew of a channel that is corrected: none of what cannot be one, or where the time stamps
/// alone give the rate.
pub(super) fn corrected_s(header: &Header, skew_s: f64) -> f64 {
    let lowest = header.sections.iter().map(|s| s.rate_hz).fold(f64::INFINITY, f64::min);
    let is_skew = skew_s.abs() <= SKEW_MAX_S.max(1.0 / lowest);
    if is_skew && !header.timed_by_stamps() { skew_s } else { 0.0 }
}

impl Aligner {
    /// An aligner for some analogue channels of recordings with such a header, if there is anything
    /// to align. That the data holds all records which the header announces is checked elsewhere.
    pub(super) fn of(
        header: &Header,
        analogue: &[usize],
        digital: usize,
    ) -> Result<Option<Self>, ComtradeError> {
        let sections = &header.sections;
        let skew_s = |&index: &usize| {
            header.analogue.get(index).map_or(0.0, |line| corrected_s(header, line.skew_s))
        };
        let skews_s: Vec<f64> = analogue.iter().map(skew_s).collect();
        let is_even = !differ(sections) && skews_s.iter().all(|&skew_s| skew_s == 0.0);
        if header.timed_by_stamps() || is_even {
            return Ok(None);
        }
        let rate_hz = highest_hz(sections);
        let grid = Grid::new(sections);
        let records = grid.records;
        let count = if differ(sections) {
            (grid.last_s() * rate_hz + ON_SAMPLE_TOLERANCE).floor() + 1.0
        } else {
            records as f64
        };
        let channels = (header.analogue.len() + header.digital.len()).max(1) as f64;
        let most = (VALUES_ALWAYS_MADE / channels).max(VALUES_RATIO_MAX * records as f64);
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
        let extreme = |of: fn(f64, f64) -> f64| skews_s.iter().copied().fold(0.0, of);
        Ok(Some(Self {
            rate_hz,
            grid,
            skew_range_s: (extreme(f64::min), extreme(f64::max)),
            memory: vec![Memory::NONE; skews_s.len()],
            count: count as u64,
            next: 0,
            taken: 0,
            base: 0,
            kept: Columns::new(skews_s.len(), digital),
            made: Columns::new(skews_s.len(), digital),
            skews_s,
        }))
    }

    /// How many samples come out.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The sentence about sections of different rates, if they are.
    pub(super) fn note(header: &Header) -> Option<String> {
        let sections = &header.sections;
        if header.timed_by_stamps() || !differ(sections) {
            return None;
        }
        let list: Vec<String> =
            sections.iter().take(8).map(|s| format!("{} Hz up to {}", s.rate_hz, s.end)).collect();
        let lowest = sections.iter().map(|s| s.rate_hz).fold(f64::INFINITY, f64::min);
        Some(format!(
            "{} sections of different rates ({}{}) were resampled at {} Hz by a windowed sinc of \
             {} samples, exact to 20 ppm up to 0.45 of a section's rate; a section holds nothing \
             above half its rate, the slowest nothing above {} Hz",
            sections.len(),
            list.join(", "),
            if sections.len() > 8 { ", ..." } else { "" },
            highest_hz(sections),
            2 * REACH,
            0.5 * lowest,
        ))
    }

    /// Takes the next records and hands on what they make.
    pub(super) fn push(
        &mut self,
        columns: &Columns,
        out: &mut dyn FnMut(&Columns) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if columns.rows() == 0 {
            return ControlFlow::Continue(());
        }
        self.taken += columns.rows() as u64;
        self.kept.append(columns);
        loop {
            let begin = self.next;
            let mut end = begin;
            while end < self.count && end - begin < BATCH as u64 && self.is_ready(end) {
                end += 1;
            }
            if end == begin {
                break;
            }
            self.make(begin, end);
            self.next = end;
            out(&self.made)?;
        }
        self.forget();
        ControlFlow::Continue(())
    }

    /// When a sample that comes out lies on the channels' own clocks, at the earliest and at the
    /// latest, in s.
    fn instants_s(&self, sample: u64) -> [f64; 2] {
        let instant_s = sample as f64 / self.rate_hz;
        [instant_s - self.skew_range_s.1, instant_s - self.skew_range_s.0]
    }

    /// Whether all records that a sample needs have been taken.
    fn is_ready(&self, sample: u64) -> bool {
        let [earliest_s, latest_s] = self.instants_s(sample);
        // What lies before the first record is mirrored about it.
        let latest_s = latest_s.max(-earliest_s);
        self.taken >= self.grid.records || self.grid.reach(latest_s, 1.0) < self.taken
    }

    /// Drops records that nothing needs any more, once they are more than half.
    fn forget(&mut self) {
        let [earliest_s, latest_s] = self.instants_s(self.next);
        let earliest_s = earliest_s.min(2.0 * self.grid.last_s() - latest_s);
        // A section that is still to come looks back by its own steps.
        let later = self.grid.spans.iter().map(|span| span.starts_s);
        let later = later.filter(|&starts_s| starts_s > earliest_s);
        let looks_back = |time_s: f64| self.grid.reach(time_s, -1.0);
        let needed = later.map(looks_back).fold(looks_back(earliest_s), u64::min);
        let unused = usize::try_from(needed.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let rows = self.kept.rows();
        if unused > rows / 2 {
            let unused = unused.min(rows);
            self.kept.analogue.iter_mut().for_each(|column| drop(column.drain(..unused)));
            self.kept.digital.iter_mut().for_each(|column| drop(column.drain(..unused)));
            self.base += unused as u64;
        }
    }

    fn make(&mut self, begin: u64, end: u64) {
        self.made.clear();
        let Self { rate_hz, grid, base, kept, made, .. } = self;
        let lists = kept.analogue.iter().zip(&mut made.analogue);
        let more = self.skews_s.iter().zip(&mut self.memory);
        for ((column, made), (skew_s, memory)) in lists.zip(more) {
            let channel = Channel { grid, base: *base, column };
            let value = |n: u64| channel.value(n as f64 / *rate_hz - skew_s, memory);
            made.extend((begin..end).map(value));
        }
        for (column, made) in kept.digital.iter().zip(&mut made.digital) {
            let state = |n: u64| {
                let (_, record, _) = grid.place(n as f64 / *rate_hz);
                let index = usize::try_from(record.checked_sub(*base)?).ok()?;
                column.get(index).copied()
            };
            made.extend((begin..end).map(|n| state(n).unwrap_or_default()));
        }
    }
}

impl Grid {
    fn new(sections: &[Section]) -> Self {
        let mut spans: Vec<Span> = Vec::with_capacity(sections.len());
        let (mut first, mut starts_s) = (0_u64, 0.0);
        for section in sections {
            let (end, rate_hz) = (section.end.max(first), section.rate_hz);
            match spans.last_mut() {
                // Sections of one rate are one, so that nothing rounds between them.
                Some(last) if last.rate_hz == rate_hz => last.end = end,
                _ => spans.push(Span { first, end, starts_s, rate_hz }),
            }
            if let Some(last) = spans.last() {
                starts_s = last.starts_s + (end - last.first) as f64 / rate_hz;
            }
            first = end;
        }
        Self { spans, records: first }
    }

    fn last_s(&self) -> f64 {
        self.records.checked_sub(1).map_or(0.0, |last| self.time_s(last))
    }

    /// The section an instant lies in, or the nearest one.
    fn span_at(&self, time_s: f64) -> usize {
        let begun = |span: &Span| (time_s - span.starts_s) * span.rate_hz > -ON_SAMPLE_TOLERANCE;
        self.spans.partition_point(begun).saturating_sub(1)
    }

    fn time_s(&self, record: u64) -> f64 {
        let place = self.spans.partition_point(|span| span.first <= record).saturating_sub(1);
        let after = |span: &Span| (record - span.first) as f64 / span.rate_hz;
        self.spans.get(place).map_or(0.0, |span| span.starts_s + after(span))
    }

    /// The section of an instant, the record at or before it, and how far past that it is, as a
    /// part of the section's step.
    fn place(&self, time_s: f64) -> (usize, u64, f64) {
        let at = self.span_at(time_s);
        let Some(span) = self.spans.get(at) else { return (0, 0, 0.0) };
        let position = ((time_s - span.starts_s) * span.rate_hz).max(0.0);
        let whole = (position + ON_SAMPLE_TOLERANCE).floor();
        let past = position - whole;
        let record = span.first.saturating_add(whole as u64);
        if record >= self.records {
            return (at, self.records.saturating_sub(1), 0.0);
        }
        (at, record, if past < ON_SAMPLE_TOLERANCE { 0.0 } else { past })
    }

    /// The last (`direction` 1) or first (-1) record that a value at an instant can need: what its
    /// section's grid has within reach and as far beyond the section, what each section there has
    /// within its own reach of that, and a few records more.
    fn reach(&self, time_s: f64, direction: f64) -> u64 {
        let Some(span) = self.spans.get(self.span_at(time_s)) else { return 0 };
        let far_s = time_s + direction * (2 * REACH + 1) as f64 / span.rate_hz;
        let (low_s, high_s) = (time_s.min(far_s), time_s.max(far_s));
        let mut farthest_s = far_s;
        for span in &self.spans {
            let ends_s = span.starts_s + (span.end - span.first) as f64 / span.rate_hz;
            if span.starts_s <= high_s && ends_s >= low_s {
                let step_s = (REACH + 1) as f64 / span.rate_hz;
                farthest_s = if direction > 0.0 {
                    farthest_s.max(high_s.min(ends_s) + step_s)
                } else {
                    farthest_s.min(low_s.max(span.starts_s) - step_s)
                };
            }
        }
        let (_, record, _) = self.place(farthest_s.max(0.0));
        if direction > 0.0 { record.saturating_add(4) } else { record.saturating_sub(4) }
    }
}

/// One channel's records as far as they are kept.
#[derive(Clone, Copy)]
struct Channel<'a> {
    grid: &'a Grid,
    base: u64,
    column: &'a [f64],
}

impl Channel<'_> {
    fn at(&self, record: u64) -> f64 {
        let index = record.checked_sub(self.base).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.column.get(index)).copied().unwrap_or(f64::NAN)
    }

    fn value(&self, time_s: f64, memory: &mut Memory) -> f64 {
        self.mirrored(time_s, &mut |time_s| {
            let (at, record, past) = self.grid.place(time_s);
            let Some(span) = self.grid.spans.get(at).filter(|_| past > 0.0) else {
                return self.at(record);
            };
            memory.prepare(at, past);
            let Memory { before, after, taps, .. } = memory;
            if let Some(near) = self.near(span, record) {
                return self.or_line(weighed(taps, near.iter().copied()), time_s);
            }
            let first = record as i64 - span.first as i64 + 1 - REACH as i64;
            let count = (span.end - span.first) as i64;
            let foreign = |indices: std::ops::Range<i64>| -> Vec<f64> {
                indices.map(|k| self.foreign(span.starts_s + k as f64 / span.rate_hz)).collect()
            };
            let values = (first..first + 2 * REACH as i64).map(|k| {
                let (list, index) = if k < 0 {
                    let before = before.get_or_insert_with(|| foreign(-(REACH as i64)..0));
                    (before, k + REACH as i64)
                } else if k >= count {
                    let reached = count..count + REACH as i64;
                    (after.get_or_insert_with(|| foreign(reached)), k - count)
                } else {
                    return self.at(span.first + k as u64);
                };
                list.get(index as usize).copied().unwrap_or(f64::NAN)
            });
            self.or_line(weighed(taps, values), time_s)
        })
    }

    /// What another section has at an instant: by its sinc, or by a cubic where that would reach
    /// beyond it.
    fn foreign(&self, time_s: f64) -> f64 {
        self.mirrored(time_s, &mut |time_s| {
            let (at, record, past) = self.grid.place(time_s);
            let Some(span) = self.grid.spans.get(at).filter(|_| past > 0.0) else {
                return self.at(record);
            };
            let taps = Sinc::shared().taps(past);
            if let Some(near) = self.near(span, record) {
                return self.or_line(weighed(&taps, near.iter().copied()), time_s);
            }
            let first = record as i64 - span.first as i64 + 1 - REACH as i64;
            let count = (span.end - span.first) as i64;
            let values = (first..first + 2 * REACH as i64).map(|k| match k {
                k if k < 0 || k >= count => {
                    let there_s = span.starts_s + k as f64 / span.rate_hz;
                    self.mirrored(there_s, &mut |time_s| self.cubic(time_s))
                }
                k => self.at(span.first + k as u64),
            });
            self.or_line(weighed(&taps, values), time_s)
        })
    }

    /// The records about one, where all of them are in the section.
    fn near(&self, span: &Span, record: u64) -> Option<&[f64]> {
        let first = (record + 1).checked_sub(REACH as u64).filter(|&first| first >= span.first)?;
        if first + 2 * REACH as u64 > span.end {
            return None;
        }
        let index = usize::try_from(first.checked_sub(self.base)?).ok()?;
        self.column.get(index..index + 2 * REACH)
    }

    /// A value within the recording, or mirrored about its first or last sample, as often as it
    /// takes.
    fn mirrored(&self, time_s: f64, within: &mut dyn FnMut(f64) -> f64) -> f64 {
        let last_s = self.grid.last_s();
        let (mut time_s, mut sum, mut sign) = (time_s, 0.0, 1.0);
        for _ in 0..MIRRORED_MAX {
            let (about, edge_s) = match time_s {
                before if before < 0.0 => (0, 0.0),
                after if after > last_s => (self.grid.records.saturating_sub(1), last_s),
                inside => return sum + sign * within(inside),
            };
            sum += sign * 2.0 * self.at(about);
            sign = -sign;
            time_s = 2.0 * edge_s - time_s;
        }
        // A recording of next to nothing.
        self.at(0)
    }

    /// The cubic through the four nearest records.
    fn cubic(&self, time_s: f64) -> f64 {
        let (_, record, past) = self.grid.place(time_s);
        let records = self.grid.records;
        if past == 0.0 || records < 4 {
            return if past == 0.0 { self.at(record) } else { self.line(time_s) };
        }
        let first = record.saturating_sub(1).min(records - 4);
        let points: [(f64, f64); 4] = std::array::from_fn(|k| {
            let record = first + k as u64;
            (self.grid.time_s(record), self.at(record))
        });
        let mut value = 0.0;
        for (k, (time, y)) in points.iter().enumerate() {
            let others = points.iter().enumerate().filter(|(other, _)| *other != k);
            let weight: f64 = others.map(|(_, (t, _))| (time_s - t) / (time - t)).product();
            value += weight * y;
        }
        self.or_line(value, time_s)
    }

    /// The value, or what is between the neighbours where it is none.
    fn or_line(&self, value: f64, time_s: f64) -> f64 {
        if value.is_finite() { value } else { self.line(time_s) }
    }

    /// The straight line between the records before and after an instant.
    fn line(&self, time_s: f64) -> f64 {
        let (_, record, past) = self.grid.place(time_s);
        if past == 0.0 || record + 1 >= self.grid.records {
            return self.at(record);
        }
        let (from_s, to_s) = (self.grid.time_s(record), self.grid.time_s(record + 1));
        let weight = ((time_s - from_s) / (to_s - from_s)).clamp(0.0, 1.0);
        self.at(record) * (1.0 - weight) + self.at(record + 1) * weight
    }
}

/// The sum of values, each times its weight.
fn weighed(taps: &[f64; 2 * REACH], values: impl Iterator<Item = f64>) -> f64 {
    let (mut even, mut odd) = (0.0, 0.0);
    for (k, (tap, value)) in taps.iter().zip(values).enumerate() {
        if k % 2 == 0 { even += tap * value } else { odd += tap * value }
    }
    even + odd
}
