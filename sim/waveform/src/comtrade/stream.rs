//! A recording that stays where it is: its header and facts here, its samples in blocks on demand.

use std::io::{Read, Seek};
use std::ops::ControlFlow;

use super::ComtradeError;
use super::assemble::about;
use super::cff::{CffParts, parts};
use super::header::{Header, parse};
use super::join::Joiner;
use super::scan::{Wanted, scan, unreadable};
use crate::blocks::{Blocks, Pieces, Take};
use crate::columns::Columns;
use crate::gaps::{Filler, Tracked, Tracker};
use crate::recording::Recording;
use crate::window::Window;

/// A recording whose data was read through once.
#[derive(Debug)]
pub(crate) struct Comtrade<R> {
    header: Header,
    dat: Window<R>,
    /// What is missing of each channel.
    gaps: Vec<Tracked>,
    block: usize,
}

impl<R: Read + Seek> Comtrade<R> {
    /// A recording of two files; the first is small.
    pub(crate) fn open(
        cfg: &[u8],
        dat: R,
        block: usize,
    ) -> Result<(Self, Recording, u64), ComtradeError> {
        let header = parse(cfg)?;
        let dat = Window::whole(dat).map_err(unreadable)?;
        Self::read_through(header, dat, block)
    }

    /// A single-file recording.
    pub(crate) fn open_cff(file: R, block: usize) -> Result<(Self, Recording, u64), ComtradeError> {
        let CffParts { header, dat } = parts(file)?;
        Self::read_through(header, dat, block)
    }

    fn read_through(
        header: Header,
        mut dat: Window<R>,
        block: usize,
    ) -> Result<(Self, Recording, u64), ComtradeError> {
        let analogue = header.analogue.len();
        let wanted = Wanted { analogue: (0..analogue).collect(), digital: false, checked: true };
        let mut trackers = vec![Tracker::default(); analogue];
        let mut track = |columns: &Columns| {
            for (tracker, samples) in trackers.iter_mut().zip(&columns.analogue) {
                tracker.take(samples, block as u64);
            }
            ControlFlow::Continue(())
        };
        // What is wrong with the data is told before what is wrong with its sections.
        let (mut joiner, refused) = match Joiner::of(&header, analogue, 0) {
            Ok(joiner) => (joiner, None),
            Err(error) => (None, Some(error)),
        };
        let mut pieces = Pieces::new(analogue, |columns: &_| match &mut joiner {
            Some(joiner) => joiner.push(columns, &mut track),
            None => track(columns),
        });
        let facts = scan(&header, &mut dat, &wanted, &mut pieces)?;
        let records = facts.records;
        let mut recording = about(&header, facts)?;
        if let Some(error) = refused {
            return Err(error);
        }
        let samples = joiner.as_ref().map_or(records, Joiner::count);
        if joiner.is_some() {
            recording.notes.push(Joiner::note(&header.sections));
        }
        let mut gaps = Vec::with_capacity(analogue);
        for (tracker, channel) in trackers.into_iter().zip(&recording.channels) {
            let mut tracked = tracker.finish(&channel.name, block as u64);
            recording.notes.extend(tracked.note.take());
            gaps.push(tracked);
        }
        Ok((Self { header, dat, gaps, block }, recording, samples))
    }

    /// How many samples of a channel are missing.
    pub(crate) fn missing(&self, channel: usize) -> u64 {
        self.gaps.get(channel).map_or(0, |gaps| gaps.missing)
    }

    /// Reads the samples of some channels again, block by block.
    pub(crate) fn play(
        &mut self,
        channels: &[usize],
        take: &mut Take<'_>,
    ) -> Result<(), ComtradeError> {
        let analogue = channels.to_vec();
        let mut joiner = Joiner::of(&self.header, analogue.len(), 0)?;
        let spans = |&index: &usize| self.gaps.get(index).map_or(&[][..], |gaps| &gaps.spans);
        let fillers = analogue.iter().map(|index| Filler::new(spans(index))).collect();
        let mut blocks = Blocks::new(fillers, self.block, take);
        let mut pieces = Pieces::new(analogue.len(), |columns: &_| match &mut joiner {
            Some(joiner) => joiner.push(columns, &mut |made| blocks.push(made)),
            None => blocks.push(columns),
        });
        let wanted = Wanted { analogue, digital: false, checked: false };
        scan(&self.header, &mut self.dat, &wanted, &mut pieces)?;
        blocks.finish();
        Ok(())
    }
}
