//! Summaries of series, slice by slice.

use std::ops::ControlFlow;

use lastmeter_model::series::rollup::Rollup;
use rusqlite::CachedStatement;

use super::lanes::Slice;
use super::read::{self, Measured, READING, Reader};
use super::rollups;
use super::seal::ReadResult;
use super::walk::Walk;
use crate::damage::Damage;
use crate::seam::{Place, Range, Summaries, SummaryQuery};
use crate::summaries::{Need, ROWS_AT_ONCE, SummaryWalk};

/// The summaries of a device, as a query that is read in turns with others.
pub(super) struct SummaryScan {
    query: SummaryQuery,
    walk: Option<SummaryWalk>,
}

impl SummaryScan {
    pub(super) fn new(query: SummaryQuery) -> Self {
        Self { query, walk: None }
    }

    /// Reads on until it is time for others, one bucket at least: what it reads of one is of one
    /// moment.
    pub(super) fn slice(&mut self, reader: &Reader) -> ReadResult<Slice<Summaries>> {
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => self.begin(reader)?,
        };
        let begun = walk.position();
        let is_over = |walk: &SummaryWalk| begun < walk.position() && reader.is_over();
        loop {
            match walk.need() {
                Need::Nothing => return Ok(Slice::Done(walk.end())),
                Need::Rows(range) => walk.rows(self.rows(reader, range)?),
                Need::Readings(range) => self.read(reader, range, &mut walk, is_over)?,
            }
            if is_over(&walk) {
                walk.pause();
                self.walk = Some(walk);
                return Ok(Slice::More);
            }
        }
    }

    fn begin(&self, reader: &Reader) -> ReadResult<SummaryWalk> {
        // What the device never sent is looked for nowhere.
        let known = reader.quantities_of(self.query.device)?;
        let mut query = self.query.clone();
        query.ids.retain(|id| known.contains(id));
        Ok(SummaryWalk::new(query, |id| reader.context.quantities.number(id)))
    }

    fn rows(&self, reader: &Reader, range: Range) -> ReadResult<Vec<Rollup>> {
        let device = self.query.device;
        let lists_are_whole = rollups::standing(&reader.connection)?.reading_floor == 0;
        let range = (range.start, range.end);
        rollups::within(&reader.connection, device, range, ROWS_AT_ONCE, |error| {
            // While all readings are there nothing depends on it.
            match error.as_damage("rollup", device).filter(|_| lists_are_whole) {
                Some(damage) => reader.context.report(&damage),
                None => return Err(error),
            }
            Ok(())
        })
    }

    fn read(
        &self,
        reader: &Reader,
        range: Range,
        walk: &mut SummaryWalk,
        is_over: impl Fn(&SummaryWalk) -> bool,
    ) -> ReadResult<()> {
        let query = format!("{READING} WHERE sequence = ?1");
        let mut statement = reader.connection.prepare_cached(&query)?;
        let mut places = Walk::new(self.query.device, range, false);
        while !places.is_done() {
            for place in places.places(reader)? {
                if self.take(&mut statement, place, walk)?.is_break() {
                    return Ok(());
                }
            }
            if is_over(walk) {
                return Ok(());
            }
        }
        walk.readings_end(range);
        Ok(())
    }

    /// Gives the reading at a place to the walk.
    fn take(
        &self,
        statement: &mut CachedStatement<'_>,
        (event_ns, sequence): Place,
        walk: &mut SummaryWalk,
    ) -> ReadResult<ControlFlow<()>> {
        let mut rows = statement.query([sequence])?;
        let Some(row) = rows.next()? else {
            return Err(Damage::missing("reading", sequence).into());
        };
        let Measured { device, event, received, values, .. } = read::measured(row)?;
        if (device, event.0) != (self.query.device, event_ns) {
            let found = format!("an entry of device {} leads to it", self.query.device);
            return Err(Damage::new("reading_time", sequence, found).into());
        }
        Ok(walk.reading((event, received), values))
    }
}
