//! What the tests of reading in blocks share: a source that gives few bytes at a time, and the
//! comparison with the recording as it is read whole.

use std::fmt::{Debug, Display};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use lastmeter_waveform::{Recording, Stream};

/// Gives at most so many bytes at a time, as a pipe or a slow disk may.
#[derive(Debug)]
pub(crate) struct Dribble<'a> {
    inner: Cursor<&'a [u8]>,
    most: usize,
}

impl<'a> Dribble<'a> {
    pub(crate) fn new(bytes: &'a [u8], most: usize) -> Self {
        Self { inner: Cursor::new(bytes), most }
    }
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.most.min(buffer.len());
        self.inner.read(&mut buffer[..most])
    }
}

impl Seek for Dribble<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// All samples of some channels, read in blocks.
pub(crate) fn played<R: Read + Seek>(stream: &mut Stream<R>, channels: &[usize]) -> Vec<Vec<f64>> {
    let mut samples = vec![Vec::new(); channels.len()];
    let mut take = |block: &[&[f64]]| {
        for (all, part) in samples.iter_mut().zip(block) {
            all.extend_from_slice(part);
        }
        ControlFlow::Continue(())
    };
    stream.play(channels, &mut take).expect("it was read before");
    samples
}

/// Whether reading in blocks gives what reading whole gives: samples to the last bit, notes and
/// errors.
#[track_caller]
pub(crate) fn agree<R: Read + Seek, E: Debug + Display + PartialEq>(
    whole: &Result<Recording, E>,
    stream: Result<Stream<R>, E>,
) {
    let (whole, mut stream) = match (whole, stream) {
        (Ok(whole), Ok(stream)) => (whole, stream),
        (Err(whole), Err(in_blocks)) => {
            assert_eq!(*whole, in_blocks);
            return;
        }
        (Ok(_), Err(error)) => panic!("only in blocks it is refused: {error}"),
        (Err(error), Ok(_)) => panic!("only as a whole it is refused: {error}"),
    };
    assert_eq!(stream.samples(), whole.samples() as u64);
    let mut without = whole.clone();
    without.channels.iter_mut().for_each(|channel| channel.samples.clear());
    without.digital.iter_mut().for_each(|channel| channel.states.clear());
    without.gaps.clear();
    assert_eq!(*stream.recording(), without);
    for (index, _) in whole.channels.iter().enumerate() {
        let of_channel = whole.gaps.iter().filter(|gap| gap.channel == index);
        let missing: usize = of_channel.map(|gap| gap.samples).sum();
        assert_eq!(stream.missing(index), missing as u64, "channel {index}");
    }
    // Backwards, so that the selection is not the order of the file.
    let channels: Vec<usize> = (0..whole.channels.len()).rev().collect();
    for (&channel, samples) in channels.iter().zip(played(&mut stream, &channels)) {
        assert_eq!(samples, whole.channels[channel].samples, "channel {channel}");
    }
}
