//! One reading of the data, from the first record to the last: checks, facts, and the samples that
//! are wanted, which go to a sink.
//!
//! Used for whole recordings (once, everything wanted) and for those read in blocks: once for the
//! facts, and then again for the samples of some channels.

use super::ComtradeError;
use super::header::{Analogue, Header};
use super::numbers::SampleNumbers;
use crate::columns::Columns;
use crate::names::si_unit;
use crate::text::quote;
use crate::time_axis::{PICOSECONDS_PER_SECOND, Steps};

#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Indices of analogue channels, in the order of the sink's columns.
    pub(super) analogue: Vec<usize>,
    /// Whether the digital channels go to the sink, all or none.
    pub(super) digital: bool,
    /// Whether everything is checked; not where that was done before, and no states are wanted.
    pub(super) checked: bool,
}

/// What brings a raw value to SI primary values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    multiplier: f64,
    offset: f64,
    factor: f64,
}

impl Scale {
    /// The scale of a channel: `(raw * a + b)`, then unit prefix and ratio.
    pub(super) fn of(channel: &Analogue) -> Self {
        let factor = si_unit(&channel.unit).factor * channel.to_primary;
        Self { multiplier: channel.multiplier, offset: channel.offset, factor }
    }

    pub(super) fn apply(self, raw: f64) -> f64 {
        (raw * self.multiplier + self.offset) * self.factor
    }
}

/// Values of a channel beyond the range that the header declares for its raw numbers.
#[derive(Clone, Copy, Debug)]
struct Beyond {
    low: f64,
    high: f64,
    count: u64,
    /// The record of the first one, counted from 1.
    first: u64,
}

impl Beyond {
    /// None where no range is declared.
    fn of(channel: &Analogue) -> Option<Self> {
        let (low, high) = channel.range?;
        let ends = [low, high].map(|raw| Scale::of(channel).apply(raw));
        let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        Some(Self { low, high, count: 0, first: 0 })
    }

    /// Takes samples, the first of which is that of a record counted from 0.
    fn take(&mut self, samples: &[f64], record: u64) {
        // What is missing is no number, and beyond nothing.
        let is_beyond =
            |&sample: &f64| sample.is_finite() && (sample < self.low || sample > self.high);
        let count = samples.iter().filter(|sample| is_beyond(sample)).count();
        if let (0, Some(at)) = (self.count, samples.iter().position(is_beyond)) {
            self.first = record + at as u64 + 1;
        }
        self.count += count as u64;
    }
}

/// What the records hold beside their samples.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) records: u64,
    pub(super) damage: Vec<String>,
    pub(super) notes: Vec<String>,
    /// The steps between time stamps, where they alone give the rate.
    pub(super) steps: Steps,
    /// The first and the last time stamp in seconds, where they are there.
    pub(super) first_s: Option<f64>,
    pub(super) last_s: Option<f64>,
    numbers: SampleNumbers,
    /// Of each channel, where all are read and checked.
    beyond: Vec<Option<Beyond>>,
}

impl Facts {
    /// Takes the sample number of a record (counted from 1).
    pub(super) fn number(&mut self, record: u64, number: u64) -> Result<(), ComtradeError> {
        self.numbers.take(record, number)
    }

    /// Takes the time stamp of a record, in units of the header's tick.
    pub(super) fn stamp(
        &mut self,
        header: &Header,
        record: u64,
        ticks: Option<f64>,
    ) -> Result<(), ComtradeError> {
        let stamp_ps = ticks.map(|ticks| (ticks * header.tick_ps).round());
        if record == 1 {
            self.first_s = stamp_ps.map(|ps| ps / PICOSECONDS_PER_SECOND);
        }
        self.last_s = stamp_ps.map(|ps| ps / PICOSECONDS_PER_SECOND);
        if !header.timed_by_stamps() {
            return Ok(());
        }
        let why = match stamp_ps {
            // Well inside an i64.
            Some(ps) if ps < 9e18 => {
                self.steps.take(ps as i64);
                return Ok(());
            }
            Some(_) => format!("that of record {record} is later than 104 days"),
            None => format!("record {record} has none"),
        };
        Err(ComtradeError::NoRate { why })
    }

    /// Takes the samples of all channels that were added to the columns since these had so many
    /// rows; `record` of them were read before.
    pub(super) fn values(&mut self, header: &Header, columns: &Columns, rows: usize, record: u64) {
        if self.beyond.is_empty() {
            self.beyond = header.analogue.iter().map(Beyond::of).collect();
        }
        for (beyond, samples) in self.beyond.iter_mut().zip(&columns.analogue) {
            if let Some(beyond) = beyond {
                beyond.take(samples.get(rows..).unwrap_or_default(), record);
            }
        }
    }

    /// After the last record.
    pub(super) fn end(&mut self, records: u64) -> Result<(), ComtradeError> {
        self.records = records;
        self.damage.extend(self.numbers.note(records)?);
        Ok(())
    }

    /// Sentences about values beyond the declared range, each with its channel.
    pub(super) fn beyond(&self, header: &Header) -> Vec<(usize, String)> {
        let describe = |(index, beyond): (usize, &Option<Beyond>)| {
            let Beyond { count, first, .. } = beyond.filter(|beyond| beyond.count > 0)?;
            let channel = header.analogue.get(index)?;
            let (name, (low, high)) = (quote(&channel.name), channel.range?);
            let note = format!(
                "channel {name}: {count} of {} values are beyond the range of {low} to {high} that \
                 the .cfg declares for it, the first at record {first}; they are used as they are",
                self.records
            );
            Some((index, note))
        };
        self.beyond.iter().enumerate().filter_map(describe).collect()
    }
}
