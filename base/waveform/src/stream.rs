//! Recordings larger than memory: what they are at once, their samples in blocks.
//!
//! A recording is read through when it is opened, which checks all of it and gives its rate, its
//! notes and how long it is. Then the samples of some channels are read again, as often as wanted.
//! What comes out, samples, notes and errors, is what reading it whole gives; the decoders are the
//! same. Memory does not grow with the recording, but for one note of 48 bytes for each gap that
//! lies across a border of blocks.

use std::io::{Read, Seek};
use std::ops::ControlFlow;

use crate::blocks::{Blocks, Pieces};
use crate::clipping::{ClipWatch, Clipping};
use crate::columns::Columns;
use crate::comtrade::{Comtrade, ComtradeError};
use crate::csv::{CsvError, CsvOptions, Plan, Scanned, scan};
use crate::gaps::Filler;
use crate::recording::Recording;

/// Why a recording cannot be read in blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It is no COMTRADE recording.
    #[error(transparent)]
    Comtrade(#[from] ComtradeError),
    /// It is no CSV recording.
    #[error(transparent)]
    Csv(#[from] CsvError),
}

/// A recording that stays where it is.
///
/// ```
/// use std::io::Cursor;
/// use std::ops::ControlFlow;
/// use lastmeter_waveform::{Stream, csv::CsvOptions};
/// let file = Cursor::new(b"time,Va_V,Ia_A\n0.000,10,1\n0.001,12,2\n0.002,14,3\n");
/// let mut stream = Stream::csv(file, &CsvOptions::default(), 2)?;
/// assert_eq!((stream.samples(), stream.recording().rate_hz), (3, 1000.0));
/// let mut blocks = Vec::new();
/// stream.play(&[1], &mut |channels| {
///     blocks.push(channels[0].to_vec());
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(blocks, [vec![1.0, 2.0], vec![3.0]]);
/// # Ok::<(), lastmeter_waveform::StreamError>(())
/// ```
#[derive(Debug)]
pub struct Stream<R> {
    source: Source<R>,
    recording: Recording,
    samples: u64,
    block: usize,
    /// Of the channels played last.
    clips: Vec<ClipWatch>,
}

#[derive(Debug)]
enum Source<R> {
    Comtrade(Box<Comtrade<R>>),
    Csv(R, Plan),
}

impl<R: Read + Seek> Stream<R> {
    /// Opens a COMTRADE recording of two files: the bytes of the `.cfg`, and the `.dat`. A block
    /// will hold `block` samples of each channel.
    ///
    /// # Errors
    /// As [`comtrade::read`](crate::comtrade::read).
    pub fn comtrade(cfg: &[u8], dat: R, block: usize) -> Result<Self, ComtradeError> {
        let block = block.max(1);
        Ok(Self::of_comtrade(Comtrade::open(cfg, dat, block)?, block))
    }

    /// Opens a single-file COMTRADE recording, to be read in such blocks.
    ///
    /// # Errors
    /// As [`comtrade::read_cff`](crate::comtrade::read_cff).
    pub fn cff(file: R, block: usize) -> Result<Self, ComtradeError> {
        let block = block.max(1);
        Ok(Self::of_comtrade(Comtrade::open_cff(file, block)?, block))
    }

    fn of_comtrade(opened: (Comtrade<R>, Recording, u64), block: usize) -> Self {
        let (comtrade, recording, samples) = opened;
        let source = Source::Comtrade(Box::new(comtrade));
        Self { source, recording, samples, block, clips: Vec::new() }
    }

    /// Opens a CSV recording, to be read in such blocks; its channels are those that the options
    /// choose.
    ///
    /// # Errors
    /// As [`csv::read`](crate::csv::read).
    pub fn csv(mut file: R, options: &CsvOptions, block: usize) -> Result<Self, CsvError> {
        let mut nobody = Pieces::new(0, |_| ControlFlow::Continue(()));
        let Scanned { recording, rows, plan } = scan(&mut file, options, &mut nobody)?;
        let source = Source::Csv(file, plan);
        Ok(Self { source, recording, samples: rows, block, clips: Vec::new() })
    }

    /// What the recording is: as reading it whole gives it, but the channels hold no samples or
    /// states, and the gaps are in the notes only.
    pub const fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The number of sampling instants.
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// How many samples of a channel the file marks as missing; straight lines stand in for them.
    /// Where that is all of them, the channel is zero.
    pub fn missing(&self, channel: usize) -> u64 {
        match &self.source {
            Source::Comtrade(comtrade) => comtrade.missing(channel),
            Source::Csv(..) => 0,
        }
    }

    /// Reads the samples of some channels, given by their index in [`Recording::channels`], from
    /// the first to the last. `take` is given a slice for each channel, all equally long, and may
    /// end the reading with `Break`. An index that is no channel's is left out.
    ///
    /// # Errors
    /// As when it was opened, if what is read has changed since then.
    pub fn play(
        &mut self,
        channels: &[usize],
        take: &mut dyn FnMut(&[&[f64]]) -> ControlFlow<()>,
    ) -> Result<(), StreamError> {
        let there = |&index: &usize| index < self.recording.channels.len();
        let channels: Vec<usize> = channels.iter().copied().filter(there).collect();
        let mut clips = vec![ClipWatch::default(); channels.len()];
        let mut seen = |columns: &Columns| {
            for (clip, samples) in clips.iter_mut().zip(&columns.analogue) {
                clip.take(samples);
            }
        };
        match &mut self.source {
            Source::Comtrade(comtrade) => comtrade.play(&channels, &mut seen, take)?,
            Source::Csv(file, plan) => {
                // A cell without a number is an error: there are no gaps.
                let fillers = channels.iter().map(|_| Filler::new(&[])).collect();
                let mut blocks = Blocks::new(fillers, self.block, take);
                let mut pieces = Pieces::new(channels.len(), |columns: &_| {
                    seen(columns);
                    blocks.push(columns)
                });
                plan.play(file, &channels, &mut pieces)?;
                blocks.finish();
            }
        }
        self.clips = clips;
        Ok(())
    }

    /// At which levels the channels were clipped that were played last, as far as they were: a list
    /// for each, in the order they were asked for. Nothing before anything was played.
    pub fn clipping(&self) -> Vec<Vec<Clipping>> {
        self.clips.iter().map(ClipWatch::clipped).collect()
    }
}
