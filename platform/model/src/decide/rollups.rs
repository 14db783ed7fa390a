//! Roll-ups: what is written of the buckets of a device, and when.
//!
//! One rule holds after every commit: **a bucket that has a row has all its readings in it, also
//! those that were removed since; one that has no row has lost no reading.** So whoever reads takes
//! the row where there is one and the readings where there is none, and gets the same.
//!
//! The last bucket of a device by event time is open: it is summed up in memory, where it is made
//! again from the readings at need. It is written when a reading of a later one comes. A bucket
//! before the last one is looked up for a late reading and written again.

use std::collections::BTreeMap;

use lastmeter_units::SimTime;

use super::Deciding;
use super::seam::{Batch, Effect, Found};
use crate::series::rollup::{Rollup, bucket};

/// Devices whose last bucket is kept in memory: some 1.5 KB each at five quantities. That of
/// another one is made again from its readings.
const OPEN_MAX: usize = 8192;

/// A bucket of a device as it stands.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) rollup: Rollup,
    pub(super) row: Row,
}

/// Whether a bucket has a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Absent,
    Written,
    /// It or a reading of the bucket is damaged: as it is that will go on being noticed.
    Damaged,
}

impl Bucket {
    fn new(at: SimTime) -> Self {
        Self { rollup: Rollup::new(at), row: Row::Absent }
    }
}

/// The buckets that a batch has to do with.
#[derive(Default)]
pub(super) struct Buckets {
    /// By device and first instant; and whether the batch has a reading of it.
    all: BTreeMap<(i64, SimTime), (Bucket, bool)>,
    /// The last ones by device.
    last: BTreeMap<i64, SimTime>,
}

impl Buckets {
    /// Keeps the last bucket of each device in memory, of not too many.
    pub(super) fn keep_in(self, kept: &mut BTreeMap<i64, Bucket>) {
        for ((device, start), (one, _)) in self.all {
            if self.last.get(&device) == Some(&start) {
                kept.insert(device, one);
            }
        }
        while kept.len() > OPEN_MAX {
            kept.pop_first();
        }
    }
}

impl<B: Batch + ?Sized> Deciding<'_, B> {
    /// Has the bucket of a reading at hand as it is before that is put.
    pub(super) fn enter_bucket(&mut self, device: i64, event: SimTime) -> Result<(), B::Error> {
        let start = bucket(event);
        if self.so_far.buckets.all.contains_key(&(device, start)) {
            return Ok(());
        }
        if !self.so_far.buckets.last.contains_key(&device)
            && let Some(last) = self.last_bucket(device)?
        {
            let buckets = &mut self.so_far.buckets;
            buckets.last.insert(device, last.rollup.start());
            buckets.all.insert((device, last.rollup.start()), (last, false));
        }
        let last = self.so_far.buckets.last.get(&device);
        let one = match last {
            Some(last) if *last == start => return Ok(()),
            Some(last) if start < *last => self.stored_bucket(device, start)?,
            _ => Bucket::new(start),
        };
        self.so_far.buckets.all.insert((device, start), (one, false));
        Ok(())
    }

    /// The last bucket of a device, if it has any.
    fn last_bucket(&mut self, device: i64) -> Result<Option<Bucket>, B::Error> {
        if let Some(known) = self.decider.last_buckets.get(&device) {
            return Ok(Some(known.clone()));
        }
        if device.cast_unsigned() > self.decider.standing.devices {
            return Ok(None);
        }
        match self.batch.last_bucket(device)? {
            Some(start) => self.stored_bucket(device, start).map(Some),
            None => Ok(None),
        }
    }

    /// A bucket as it is in the store.
    fn stored_bucket(&mut self, device: i64, start: SimTime) -> Result<Bucket, B::Error> {
        let (found, row) = match self.batch.rollup(device, start)? {
            Found::Absent => (self.batch.summed_up(device, start)?, Row::Absent),
            found => (found, Row::Written),
        };
        let is_damaged = found == Found::Damaged;
        let rollup = found.sound().unwrap_or_else(|| Rollup::new(start));
        Ok(Bucket { rollup, row: if is_damaged { Row::Damaged } else { row } })
    }

    /// Adds a reading that has been put.
    pub(super) fn add_to_bucket(
        &mut self,
        device: i64,
        (event, received): (SimTime, SimTime),
        values: &[(u16, f64)],
    ) {
        let (buckets, start) = (&mut self.so_far.buckets, bucket(event));
        if let Some((one, has_reading)) = buckets.all.get_mut(&(device, start)) {
            one.rollup.add((event, received), values.iter().copied());
            *has_reading = true;
            let last = buckets.last.entry(device).or_insert(start);
            *last = start.max(*last);
        }
    }

    /// Writes the rows that are to be written.
    pub(super) fn write_rollups(&mut self) -> Result<(), B::Error> {
        let Buckets { all, last } = &mut self.so_far.buckets;
        for ((device, start), (one, has_reading)) in all {
            let is_closed = last.get(device) != Some(start);
            let is_due = match one.row {
                Row::Absent => is_closed && one.rollup.has_row(),
                Row::Written => *has_reading,
                Row::Damaged => false,
            };
            if is_due {
                self.batch.put(Effect::Rollup(*device, &one.rollup))?;
                one.row = Row::Written;
            }
        }
        Ok(())
    }

    /// Writes the row of a bucket that is not going to have all its readings any more, unless there
    /// is one.
    pub(super) fn settle_bucket(&mut self, device: i64, start: SimTime) -> Result<(), B::Error> {
        let known = self.decider.last_buckets.get(&device);
        let known = known.filter(|known| known.rollup.start() == start).cloned();
        let is_last = known.is_some();
        let mut one = match known {
            Some(known) => known,
            None => self.stored_bucket(device, start)?,
        };
        if one.row == Row::Absent && one.rollup.readings() > 0 {
            self.batch.put(Effect::Rollup(device, &one.rollup))?;
            one.row = Row::Written;
        }
        if is_last {
            self.so_far.buckets.last.insert(device, start);
            self.so_far.buckets.all.insert((device, start), (one, false));
        }
        Ok(())
    }

    /// Writes the row that a bucket of an earlier version lacks.
    pub(super) fn make_up_for_bucket(
        &mut self,
        device: i64,
        start: SimTime,
    ) -> Result<(), B::Error> {
        let one = self.stored_bucket(device, start)?;
        if one.row == Row::Absent && one.rollup.has_row() {
            self.batch.put(Effect::Rollup(device, &one.rollup))?;
        }
        Ok(())
    }
}
