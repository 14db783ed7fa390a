//! Roll-ups: what 15 minutes of one device amount to, quantity by quantity.
//!
//! One row per device and bucket of 15 minutes UTC. Every zone's offset is a multiple of that
//! today, so hours, local days, months and bills are sums of rows ([`widened`]). A row does not
//! depend on the order in which values came: sums are exact ([`ExactSum`]), and of two values at
//! the same instant the first is the smaller one and the last the greater one (by `total_cmp`).
//!
//! A row takes 4 bytes and, per quantity, about 55: with five quantities each 10 s (90 readings a
//! bucket) that is 0.6 bytes a value. Below [`READINGS_MIN`] readings there is no row, so one never
//! costs more than 15 bytes a value.

use std::collections::BTreeMap;

use lastmeter_units::{SimDuration, SimTime};

pub use super::exact_sum::ExactSum;
use crate::calendar::Stretch;
use crate::row::instant_of_data;

/// How long a bucket is.
pub const BUCKET: SimDuration = SimDuration::from_seconds(900);

/// A bucket of fewer readings has no row and is read from the readings themselves.
pub const READINGS_MIN: u32 = 4;

/// Version of the bytes of a row.
const VERSION: u8 = 1;

/// The values of one quantity over some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many there are.
    pub n: u64,
    /// The smallest.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Their sum.
    pub sum: ExactSum,
    /// The earliest, with its time.
    pub first: (SimTime, f64),
    /// The latest, with its time.
    pub last: (SimTime, f64),
}

/// A bucket of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollup {
    start: SimTime,
    readings: u32,
    /// How long before its start the earliest instant is that a reading belongs to, in whole
    /// milliseconds, rounded up.
    lag_ms: u64,
    quantities: BTreeMap<u16, Summary>,
}

/// Why bytes are no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollupError {
    /// Written by another version.
    #[error("roll-up of version {0}, expected {VERSION}")]
    Version(u8),
    /// They end early, go on too long, or hold what no row has.
    #[error("damaged roll-up: {0}")]
    Damaged(&'static str),
}

/// The start of the bucket that an instant lies in.
pub fn bucket(at: SimTime) -> SimTime {
    SimTime(at.0.saturating_sub(at.0.rem_euclid(BUCKET.0)))
}

impl Summary {
    /// That of one value.
    pub fn of(at: SimTime, value: f64) -> Self {
        let mut sum = ExactSum::default();
        sum.add(value);
        Self { n: 1, min: value, max: value, sum, first: (at, value), last: (at, value) }
    }

    /// Adds one value, in any order of times.
    pub fn add(&mut self, at: SimTime, value: f64) {
        let is_before = |known: (SimTime, f64)| {
            at < known.0 || at == known.0 && value.total_cmp(&known.1).is_lt()
        };
        self.n = self.n.saturating_add(1);
        self.sum.add(value);
        self.min = if value.total_cmp(&self.min).is_lt() { value } else { self.min };
        self.max = if value.total_cmp(&self.max).is_gt() { value } else { self.max };
        self.first = if is_before(self.first) { (at, value) } else { self.first };
        self.last = if is_before(self.last) { self.last } else { (at, value) };
    }

    /// Adds the values of another.
    pub fn merge(&mut self, other: &Self) {
        let is_less = |a: f64, b: f64| a.total_cmp(&b).is_lt();
        let is_before =
            |a: (SimTime, f64), b: (SimTime, f64)| a.0 < b.0 || a.0 == b.0 && is_less(a.1, b.1);
        self.n = self.n.saturating_add(other.n);
        self.sum.merge(&other.sum);
        self.min = if is_less(other.min, self.min) { other.min } else { self.min };
        self.max = if is_less(self.max, other.max) { other.max } else { self.max };
        self.first = if is_before(other.first, self.first) { other.first } else { self.first };
        self.last = if is_before(self.last, other.last) { other.last } else { self.last };
    }

    /// The mean, rounded from the exact sum.
    pub fn mean(&self) -> f64 {
        self.sum.value() / self.n as f64
    }
}

impl Rollup {
    /// An empty bucket: the one that an instant lies in.
    pub fn new(at: SimTime) -> Self {
        Self { start: bucket(at), readings: 0, lag_ms: 0, quantities: BTreeMap::new() }
    }

    /// Its first instant.
    pub fn start(&self) -> SimTime {
        self.start
    }

    /// The first instant after it.
    pub fn end(&self) -> SimTime {
        SimTime(self.start.0.saturating_add(BUCKET.0))
    }

    /// An instant that all its readings belong to or to a later one: its start, or before it where
    /// the clock of the device was fast. Right to the millisecond.
    pub fn earliest(&self) -> SimTime {
        let lag = i64::try_from(self.lag_ms.saturating_mul(MILLISECOND)).unwrap_or(i64::MAX);
        SimTime(self.start.0.saturating_sub(lag))
    }

    /// How many readings came.
    pub fn readings(&self) -> u32 {
        self.readings
    }

    /// Whether it is worth a row.
    pub fn has_row(&self) -> bool {
        self.readings >= READINGS_MIN
    }

    /// The summary of a quantity, by its number in the store.
    pub fn quantity(&self, number: u16) -> Option<&Summary> {
        self.quantities.get(&number)
    }

    /// Adds a reading of this bucket, also a late one: when it was measured and when it arrived,
    /// and its values by the numbers of their quantities. Values that are not finite are left out;
    /// messages cannot hold any.
    pub fn add(
        &mut self,
        (at, received): (SimTime, SimTime),
        values: impl IntoIterator<Item = (u16, f64)>,
    ) {
        assert!(!cfg!(test) || bucket(at) == self.start, "a reading of another bucket");
        self.readings = self.readings.saturating_add(1);
        let lag = i128::from(self.start.0) - i128::from(instant_of_data(at, received).0);
        let lag_ms = (lag.max(0) as u64).div_ceil(MILLISECOND);
        self.lag_ms = self.lag_ms.max(lag_ms);
        for (number, value) in values.into_iter().filter(|(_, value)| value.is_finite()) {
            match self.quantities.get_mut(&number) {
                Some(known) => known.add(at, value),
                None => drop(self.quantities.insert(number, Summary::of(at, value))),
            }
        }
    }

    /// Adds the readings of another part of the same bucket.
    pub fn merge(&mut self, other: &Self) {
        assert!(!cfg!(test) || other.start == self.start, "another bucket");
        self.readings = self.readings.saturating_add(other.readings);
        self.lag_ms = self.lag_ms.max(other.lag_ms);
        for (number, summary) in &other.quantities {
            self.merge_summary(*number, summary);
        }
    }

    fn merge_summary(&mut self, number: u16, summary: &Summary) {
        match self.quantities.get_mut(&number) {
            Some(known) => known.merge(summary),
            None => drop(self.quantities.insert(number, summary.clone())),
        }
    }

    /// The row as bytes; its device and start are its key and not among them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_count(&mut out, self.readings.into());
        put_count(&mut out, self.lag_ms);
        put_count(&mut out, self.quantities.len() as u64);
        for (number, summary) in &self.quantities {
            put_count(&mut out, (*number).into());
            put_count(&mut out, summary.n);
            for value in [summary.min, summary.max, summary.first.1, summary.last.1] {
                out.extend(value.to_le_bytes());
            }
            for (at, _) in [summary.first, summary.last] {
                put_count(&mut out, short(at.since(self.start).0 as u64));
            }
            let digits = summary.sum.digits();
            out.push(digits.len() as u8);
            for (at, digit) in digits {
                out.push(at);
                out.extend(digit.to_le_bytes());
            }
        }
        out
    }

    /// The row of a bucket from its bytes.
    ///
    /// # Errors
    /// They are of another version or damaged.
    pub fn decode(start: SimTime, bytes: &[u8]) -> Result<Self, RollupError> {
        let mut rest = Bytes(bytes);
        match rest.take::<1>()? {
            [VERSION] => {}
            [other] => return Err(RollupError::Version(other)),
        }
        let readings = rest.count()?;
        let readings = u32::try_from(readings).map_err(|_| RollupError::Damaged("readings"))?;
        let lag_ms = rest.count()?;
        let mut rollup = Self { start, readings, lag_ms, quantities: BTreeMap::new() };
        for _ in 0..rest.count()? {
            let number = u16::try_from(rest.count()?);
            let number = number.map_err(|_| RollupError::Damaged("number of a quantity"))?;
            if rollup.quantities.last_key_value().is_some_and(|(last, _)| *last >= number) {
                return Err(RollupError::Damaged("order of quantities"));
            }
            let summary = rest.summary(start)?;
            rollup.quantities.insert(number, summary);
        }
        if rest.0.is_empty() {
            Ok(rollup)
        } else {
            Err(RollupError::Damaged("bytes after its end"))
        }
    }
}

/// Writes a number in groups of seven bits, the lowest first.
fn put_count(out: &mut Vec<u8>, mut count: u64) {
    while count >= 0x80 {
        out.push(count as u8 | 0x80);
        count >>= 7;
    }
    out.push(count as u8);
}

const MILLISECOND: u64 = 1_000_000;

/// Nanoseconds as twice the milliseconds if these are whole, else with the lowest bit set.
fn short(nanoseconds: u64) -> u64 {
    match nanoseconds % MILLISECOND {
        0 => nanoseconds / MILLISECOND * 2,
        _ => nanoseconds * 2 + 1,
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RollupError> {
        let (head, rest) =
            self.0.split_first_chunk().ok_or(RollupError::Damaged("it ends early"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn count(&mut self) -> Result<u64, RollupError> {
        let mut count = 0;
        for shift in (0..63).step_by(7) {
            let [byte] = self.take()?;
            count |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(count);
            }
        }
        Err(RollupError::Damaged("a count above 2^63"))
    }

    fn number(&mut self) -> Result<f64, RollupError> {
        let value = f64::from_le_bytes(self.take()?);
        if value.is_finite() { Ok(value) } else { Err(RollupError::Damaged("value not finite")) }
    }

    fn time(&mut self, start: SimTime) -> Result<SimTime, RollupError> {
        let count = self.count()?;
        let nanoseconds =
            if count % 2 == 0 { (count / 2).saturating_mul(MILLISECOND) } else { count / 2 };
        if nanoseconds >= BUCKET.0 as u64 {
            return Err(RollupError::Damaged("time outside of the bucket"));
        }
        Ok(start + SimDuration(nanoseconds as i64))
    }

    fn summary(&mut self, start: SimTime) -> Result<Summary, RollupError> {
        let n = self.count()?;
        if n == 0 {
            return Err(RollupError::Damaged("quantity without values"));
        }
        let (min, max) = (self.number()?, self.number()?);
        let (first, last) = (self.number()?, self.number()?);
        let (first, last) = ((self.time(start)?, first), (self.time(start)?, last));
        let [digits] = self.take()?;
        let mut sum = Vec::new();
        for _ in 0..digits {
            let [at] = self.take()?;
            sum.push((at, i32::from_le_bytes(self.take()?)));
        }
        let sum = ExactSum::from_digits(&sum).ok_or(RollupError::Damaged("digits of a sum"))?;
        Ok(Summary { n, min, max, sum, first, last })
    }
}

/// A quantity over wider stretches: the summary of each stretch that has values. Both stretches and
/// summaries come in order; a summary belongs to the stretch that its first value lies in, so a
/// bucket without a row takes part by the summary of each of its readings.
pub fn widened(
    stretches: impl IntoIterator<Item = Stretch>,
    summaries: impl IntoIterator<Item = Summary>,
) -> Vec<(Stretch, Summary)> {
    let mut summaries = summaries.into_iter().peekable();
    let mut wide = Vec::new();
    for stretch in stretches {
        while summaries.next_if(|next| next.first.0 < stretch.from).is_some() {}
        let Some(mut total) = summaries.next_if(|next| next.first.0 < stretch.until) else {
            continue;
        };
        while let Some(next) = summaries.next_if(|next| next.first.0 < stretch.until) {
            total.merge(&next);
        }
        wide.push((stretch, total));
    }
    wide
}

#[cfg(test)]
mod tests;
