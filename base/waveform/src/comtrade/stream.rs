//! A recording that stays where it is: its header and facts here, its samples in blocks on demand.

use std::io::{Read, Seek};
use std::ops::ControlFlow;

use super::ComtradeError;
use super::align::Aligner;
use super::assemble::{about, scan};
use super::cff::{CffParts, parts};
use super::error::unreadable;
use super::header::{Header, parse};
use super::scan::Wanted;
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
        // What is wrong with the data is reported before what is wrong with its sections.
        let (mut aligner, refused) = match Aligner::of(&header, &wanted.analogue, 0) {
            Ok(aligner) => (aligner, None),
            Err(error) => (None, Some(error)),
        };
        let mut pieces = Pieces::new(analogue, |columns: &_| match &mut aligner {
            Some(aligner) => aligner.push(columns, &mut track),
            None => track(columns),
        });
        let facts = scan(&header, &mut dat, &wanted, &mut pieces)?;
        let records = facts.records;
        let mut recording = about(&header, facts)?;
        if let Some(error) = refused {
            return Err(error);
        }
        let samples = aligner.as_ref().map_or(records, Aligner::count);
        recording.notes.extend(Aligner::note(&header));
        let mut gaps = Vec::with_capacity(analogue);
        for (index, tracker) in trackers.into_iter().enumerate().take(recording.channels.len()) {
            let name = &recording.channels[index].name;
            let mut tracked = tracker.finish(name, block as u64);
            if let Some(note) = tracked.note.take() {
                recording.note_damage(Some(index), note);
            }
            gaps.push(tracked);
        }
        Ok((Self { header, dat, gaps, block }, recording, samples))
    }

    /// How many samples of a channel are missing.
    pub(crate) fn missing(&self, channel: usize) -> u64 {
        self.gaps.get(channel).map_or(0, |gaps| gaps.missing)
    }

    /// Reads the samples of some channels again, block by block; `seen` is shown them as they were
    /// recorded.
    pub(crate) fn play(
        &mut self,
        channels: &[usize],
        seen: &mut dyn FnMut(&Columns),
        take: &mut Take<'_>,
    ) -> Result<(), ComtradeError> {
        let analogue = channels.to_vec();
        let mut aligner = Aligner::of(&self.header, &analogue, 0)?;
        let spans = |&index: &usize| self.gaps.get(index).map_or(&[][..], |gaps| &gaps.spans);
        let fillers = analogue.iter().map(|index| Filler::new(spans(index))).collect();
        let mut blocks = Blocks::new(fillers, self.block, take);
        let mut pieces = Pieces::new(analogue.len(), |columns: &_| {
            seen(columns);
            match &mut aligner {
                Some(aligner) => aligner.push(columns, &mut |made| blocks.push(made)),
                None => blocks.push(columns),
            }
        });
        let wanted = Wanted { analogue, digital: false, checked: false };
        scan(&self.header, &mut self.dat, &wanted, &mut pieces)?;
        blocks.finish();
        Ok(())
    }
}
