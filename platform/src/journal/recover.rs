//! Reading a journal back after a stop of any kind.
//!
//! Terms: a *torn tail* is what a crash left of a group that was never acknowledged; it is cut off
//! and counted. *Damage* is a stretch that had been durable and cannot be read: the segment is
//! kept for inspection, the loss is reported, and everything around it is still delivered.

use std::io;

use super::append::{ClosedSegment, SEGMENT_SUFFIX};
use super::file::Directory;
use super::record::{self, Record};
use super::scan::{self, Scan};

/// Acknowledged records that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// File name of the segment.
    pub(crate) segment: String,
    /// Where the unreadable stretch begins, bytes.
    pub(crate) offset: usize,
    /// How long it is, bytes.
    pub(crate) bytes: usize,
    /// The records lost lie after this sequence.
    pub(crate) after_sequence: u64,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// The last sequence ever used, as far as can be told.
    pub(crate) last_sequence: u64,
    /// Whole records read, committed ones included.
    pub(crate) records: u64,
    /// Torn stretches.
    pub(crate) torn: u64,
    /// Bytes in them.
    pub(crate) torn_bytes: u64,
    /// Acknowledged records that cannot be read.
    pub(crate) damage: Vec<Damage>,
    /// All segments, oldest first.
    pub(crate) segments: Vec<ClosedSegment>,
}

/// Why recovery stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError<E> {
    /// A file could not be read, cut or listed.
    #[error("read journal segment {segment}")]
    Io {
        /// File name, or `.` for the folder.
        segment: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The receiver of the records refused one.
    #[error("replay the journal")]
    Deliver(E),
}

/// Reads all segments in order and shows every whole record to `deliver`. `committed` is the last
/// sequence the store has: new sequences begin beyond it even if the journal is gone.
pub(crate) fn recover<E>(
    directory: &dyn Directory,
    committed: u64,
    mut deliver: impl FnMut(Record<'_>) -> Result<(), E>,
) -> Result<Recovery, RecoverError<E>> {
    let names = segment_names(directory)?;
    let mut result = Recovery { last_sequence: 0, ..Recovery::default() };
    let mut previous: Option<(String, Scan)> = None;
    for name in names {
        let bytes = directory.read(&name).map_err(|source| io_error(&name, source))?;
        let head_synced = record::read_segment_head(&bytes);
        if let Some((segment, scan)) = previous.take() {
            finish_segment(directory, &mut result, segment, &scan, head_synced)?;
        }
        let scan = scan::scan(&bytes, result.last_sequence, &mut deliver)
            .map_err(RecoverError::Deliver)?;
        result.records += scan.records;
        // The name counts too: a segment of which nothing is left had used that sequence.
        result.last_sequence = scan.last_sequence.max(sequence_in(&name));
        previous = Some((name, scan));
    }
    if let Some((segment, scan)) = previous {
        finish_segment(directory, &mut result, segment, &scan, None)?;
    }
    result.last_sequence = result.last_sequence.max(committed);
    Ok(result)
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

/// Judges the flaws of a segment now that the head of the next one is known, and cuts its tail.
fn finish_segment<E>(
    directory: &dyn Directory,
    result: &mut Recovery,
    name: String,
    scan: &Scan,
    next_head_synced: Option<u64>,
) -> Result<(), RecoverError<E>> {
    let damage_before = result.damage.len();
    for flaw in &scan.flaws {
        if flaw.hit_durable(next_head_synced) {
            tracing::error!(
                segment = name,
                offset = flaw.offset,
                bytes = flaw.bytes,
                "the journal is damaged: acknowledged records cannot be read"
            );
            result.damage.push(Damage {
                segment: name.clone(),
                offset: flaw.offset,
                bytes: flaw.bytes,
                after_sequence: flaw.after_sequence,
            });
            continue;
        }
        result.torn += 1;
        result.torn_bytes += flaw.bytes as u64;
        if flaw.next_synced.is_none() {
            directory
                .truncate(&name, flaw.offset as u64)
                .map_err(|source| io_error(&name, source))?;
        }
    }
    let damaged = result.damage.len() > damage_before;
    result.segments.push(ClosedSegment { name, last_sequence: scan.last_sequence, damaged });
    Ok(())
}
