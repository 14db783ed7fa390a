//! Reading a journal back after a stop of any kind.
//!
//! Terms: a *torn tail* is what a crash left of a group that was never acknowledged; it is cut off
//! and counted. A *missing stretch* had been acknowledged, cannot be read, and is not in the store
//! either. An unreadable stretch that the store has is *settled*: it costs nothing.
//!
//! What was acknowledged shows in whatever was written after it: each record and each head of a
//! segment holds up to where the journal was durable then, and the head file (`head`) holds it of
//! the end. So a stretch is noticed as missing however it went: flipped, cut off between two
//! records, with its segment, or with all of them.

use std::convert::Infallible;
use std::io;

use super::append::{ClosedSegment, SEGMENT_SUFFIX};
use super::file::Directory;
use super::record::{self, Record};
use super::scan::{Item, scan};

/// Acknowledged records that are neither in the journal nor in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// They come after this sequence,
    pub(crate) after: u64,
    /// up to this one.
    pub(crate) through: u64,
    /// The segment with unreadable bytes in their place, which is kept, if there is one.
    pub(crate) segment: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// The last sequence that was durable: all up to it are in the journal or the store, or are
    /// missing.
    pub(crate) durable: u64,
    /// The last sequence that may have been used; new ones begin behind it.
    pub(crate) used: u64,
    /// Stretches that were torn, and cut off.
    pub(crate) torn: u64,
    pub(crate) torn_bytes: u64,
    /// Unreadable stretches of records that the store has.
    pub(crate) settled: u64,
    pub(crate) missing: Vec<Missing>,
    /// All segments, oldest first.
    pub(crate) segments: Vec<ClosedSegment>,
}

/// Why a journal could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError<E> {
    /// A file could not be read or listed.
    #[error("read journal segment {segment}")]
    Io {
        /// File name, or `.` for the folder.
        segment: String,
        #[source]
        source: io::Error,
    },
    /// The receiver of the records refused one.
    #[error("replay the journal")]
    Deliver(E),
}

struct Gap {
    after: u64,
    through: u64,
    /// They were acknowledged only if this sequence was.
    if_durable: u64,
}

struct Unreadable {
    segment: usize,
    offset: usize,
    bytes: usize,
    /// The last sequence before it, in this segment or an earlier one.
    after: u64,
    /// It reaches the end of its segment.
    is_tail: bool,
}

#[derive(Default)]
struct Reading {
    last: u64,
    durable: u64,
    names: u64,
    gaps: Vec<Gap>,
    unreadable: Vec<Unreadable>,
}

impl Reading {
    /// Something written after everything read so far holds what was durable then.
    fn hear(&mut self, synced: u64) {
        self.durable = self.durable.max(synced);
        let known = self.gaps.last().map_or(0, |gap| gap.through);
        let after = self.last.max(known);
        if synced > after {
            self.gaps.push(Gap { after, through: synced, if_durable: synced });
        }
    }

    fn take(&mut self, item: &Item<'_>, segment: usize) {
        match item {
            Item::Unreadable { offset, bytes } => self.unreadable.push(Unreadable {
                segment,
                offset: *offset,
                bytes: *bytes,
                after: self.last,
                is_tail: true,
            }),
            Item::Record(record) => self.take_record(record, segment),
        }
    }

    fn take_record(&mut self, record: &Record<'_>, segment: usize) {
        self.hear(record.synced);
        let before = self.unreadable.last_mut();
        if let Some(before) = before.filter(|found| found.segment == segment && found.is_tail) {
            before.is_tail = false;
            // Within a group no sequence is left out: what stood there was a record.
            let known = self.gaps.last().map_or(0, |gap| gap.through);
            let (after, through) = (self.last.max(known), record.sequence - 1);
            if record.synced <= after && through > after {
                self.gaps.push(Gap { after, through, if_durable: record.sequence });
            }
        }
        self.last = record.sequence;
    }
}

/// Looks at all segments and cuts torn tails. `committed` is the last sequence the store has,
/// `synced` the last one that is known from elsewhere to have been acknowledged.
pub(crate) fn survey(
    directory: &dyn Directory,
    committed: u64,
    synced: u64,
) -> Result<Survey, RecoverError<Infallible>> {
    let (survey, tails) = look(directory, committed, synced)?;
    for (segment, length) in tails {
        if let Err(error) = directory.truncate(&segment, length) {
            // It is distinguished from durable records at the next start as at this one.
            tracing::warn!(segment, %error, "a torn tail could not be cut");
        }
    }
    Ok(survey)
}

/// Torn tails: the segment of each, and its length without it.
type Tails = Vec<(String, u64)>;

/// As [`survey`], and cuts nothing.
pub(crate) fn look(
    directory: &dyn Directory,
    committed: u64,
    synced: u64,
) -> Result<(Survey, Tails), RecoverError<Infallible>> {
    let mut reading = Reading::default();
    let mut segments = Vec::new();
    for (index, name) in segment_names(directory)?.into_iter().enumerate() {
        let bytes = directory.read(&name).map_err(|source| io_error(&name, source))?;
        reading.names = reading.names.max(sequence_in(&name));
        if let Some(synced) = record::read_segment_head(&bytes) {
            reading.hear(synced);
        }
        let last = reading.last;
        let Ok(()) = scan(&bytes, last, |item| {
            reading.take(&item, index);
            Ok::<(), Infallible>(())
        });
        segments.push(ClosedSegment { name, last_sequence: reading.last, damaged: false });
    }
    reading.hear(synced.max(committed));
    Ok(judge(&reading, committed, segments))
}

/// Distinguishes what is missing from what was never durable, and from what the store has.
fn judge(reading: &Reading, committed: u64, mut segments: Vec<ClosedSegment>) -> (Survey, Tails) {
    let mut tails = Tails::new();
    let durable = reading.durable.max(reading.last);
    let mut survey = Survey { durable, used: durable.max(reading.names), ..Survey::default() };
    // Whatever stands before something durable was durable.
    let is_durable = |gap: &&Gap| gap.if_durable <= reading.durable.max(committed);
    for gap in reading.gaps.iter().filter(is_durable).filter(|gap| gap.through > committed) {
        let in_place = reading.unreadable.iter().find(|found| found.after == gap.after);
        let segment = in_place.map(|found| {
            segments[found.segment].damaged = true;
            segments[found.segment].name.clone()
        });
        let after = gap.after.max(committed);
        survey.missing.push(Missing { after, through: gap.through, segment });
    }
    for found in &reading.unreadable {
        let mut gaps = reading.gaps.iter().filter(is_durable);
        match gaps.find(|gap| gap.after == found.after) {
            Some(gap) if gap.through > committed => {}
            Some(_) => survey.settled += 1,
            None => {
                survey.torn += 1;
                survey.torn_bytes += found.bytes as u64;
                if found.is_tail {
                    tails.push((segments[found.segment].name.clone(), found.offset as u64));
                }
            }
        }
    }
    survey.segments = segments;
    (survey, tails)
}

/// Shows every whole record after a sequence to `deliver`, in order.
pub(crate) fn replay<E>(
    directory: &dyn Directory,
    after: u64,
    mut deliver: impl FnMut(Record<'_>) -> Result<(), E>,
) -> Result<(), RecoverError<E>> {
    let mut last = 0;
    for name in segment_names(directory)? {
        let bytes = directory.read(&name).map_err(|source| io_error(&name, source))?;
        scan(&bytes, last, |item| match item {
            Item::Record(record) => {
                last = record.sequence;
                if record.sequence > after { deliver(record) } else { Ok(()) }
            }
            Item::Unreadable { .. } => Ok(()),
        })
        .map_err(RecoverError::Deliver)?;
    }
    Ok(())
}

fn segment_names<E>(directory: &dyn Directory) -> Result<Vec<String>, RecoverError<E>> {
    let mut names = directory.list().map_err(|source| io_error(".", source))?;
    names.retain(|name| name.ends_with(SEGMENT_SUFFIX));
    names.sort();
    Ok(names)
}

fn sequence_in(name: &str) -> u64 {
    name.trim_end_matches(SEGMENT_SUFFIX).parse().unwrap_or(0)
}

fn io_error<E>(segment: &str, source: io::Error) -> RecoverError<E> {
    RecoverError::Io { segment: segment.to_owned(), source }
}
