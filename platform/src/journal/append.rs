//! Appending groups of records to segments. Synchronous: the thread around it is in `writer`.
//!
//! A group is one write and one sync; it succeeds or fails as a whole. After any failure the
//! segment is left as it is and a new one is begun: what a failed write or sync left behind is
//! unknown, and a second sync that succeeds would prove nothing. A segment that nothing became
//! durable in is removed again, so that attempts on a full disk leave nothing behind. Sequences are
//! never used twice.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::file::{Directory, SegmentFile};
use super::head::Head;
use super::record::{self, Kind, Record};
use crate::log_throttle::LogThrottle;

/// Suffix of a segment's name.
pub(crate) const SEGMENT_SUFFIX: &str = ".segment";
/// Suffix given to a damaged segment instead of removing it, so that somebody can look at it.
pub(crate) const DAMAGED_SUFFIX: &str = ".damaged";

/// A segment that is not appended to any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosedSegment {
    pub(crate) name: String,
    /// The last sequence in it that was acknowledged.
    pub(crate) last_sequence: u64,
    /// Kept under another name when its time has come.
    pub(crate) damaged: bool,
}

struct ActiveSegment {
    file: Box<dyn SegmentFile>,
    name: String,
    bytes: u64,
    last_sequence: u64,
}

/// What has been written since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AppendCounts {
    /// Bytes appended, heads included.
    pub(crate) bytes: u64,
    /// Syncs of files, one per group.
    pub(crate) syncs: u64,
    /// Groups that could not be made durable.
    pub(crate) failures: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The last sequence that is durable.
    pub(crate) durable: u64,
    /// The last one that may have been used.
    pub(crate) used: u64,
}

/// The writing end of a journal.
pub(crate) struct Appender {
    directory: Box<dyn Directory>,
    head: Arc<Head>,
    segment_bytes_max: u64,
    active: Option<ActiveSegment>,
    closed: VecDeque<ClosedSegment>,
    next_sequence: u64,
    synced: u64,
    buffer: Vec<u8>,
    pub(crate) counts: AppendCounts,
    uncut: LogThrottle,
    untrimmed: LogThrottle,
}

impl Appender {
    /// Goes on behind what was found, and notes in the head how far it is.
    pub(crate) fn new(
        directory: Box<dyn Directory>,
        head: Arc<Head>,
        segment_bytes_max: u64,
        position: Position,
        closed: Vec<ClosedSegment>,
    ) -> Self {
        Self {
            directory,
            head,
            segment_bytes_max,
            active: None,
            closed: closed.into(),
            next_sequence: position.used.max(position.durable) + 1,
            synced: position.durable,
            buffer: Vec::new(),
            counts: AppendCounts::default(),
            uncut: LogThrottle::default(),
            untrimmed: LogThrottle::default(),
        }
    }

    /// Writes the records and syncs once. When this returns `Ok`, all of them are durable; they
    /// have the sequences from the one returned on. On an error none may be acknowledged.
    pub(crate) fn append_group(&mut self, records: &[(Kind, &[u8])]) -> io::Result<u64> {
        let first = self.next_sequence;
        self.next_sequence += records.len() as u64;
        let last = self.next_sequence - 1;
        match self.try_append(first, records).and_then(|()| self.head.journal(last)) {
            Ok(()) => {
                self.synced = last;
                self.close_if_full();
                Ok(first)
            }
            Err(error) => {
                self.counts.failures += 1;
                self.abandon_active();
                Err(error)
            }
        }
    }

    fn try_append(&mut self, first: u64, records: &[(Kind, &[u8])]) -> io::Result<()> {
        let begun = self.active.is_none();
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin_segment(first)?,
        };
        self.buffer.clear();
        if begun {
            self.buffer.extend_from_slice(&record::segment_head(self.synced));
        }
        for (sequence, (kind, payload)) in (first..).zip(records) {
            let record = Record { sequence, synced: self.synced, kind: *kind, payload };
            record::encode(&mut self.buffer, &record);
        }
        let bytes = active.bytes + self.buffer.len() as u64;
        let written = active
            .file
            .append(&self.buffer)
            .and_then(|()| active.file.sync())
            .and_then(|()| if begun { self.directory.sync() } else { Ok(()) })
            .and_then(|()| active.file.check_in_place(bytes));
        if written.is_ok() {
            self.counts.bytes += self.buffer.len() as u64;
            self.counts.syncs += 1;
            active.bytes = bytes;
            active.last_sequence = first + records.len() as u64 - 1;
        }
        self.active = Some(active);
        // One group of large payloads shall not keep its memory for ever.
        self.buffer.clear();
        self.buffer.shrink_to(1024 * 1024);
        written
    }

    fn begin_segment(&self, first: u64) -> io::Result<ActiveSegment> {
        let name = format!("{first:020}{SEGMENT_SUFFIX}");
        let file = self.directory.create(&name)?;
        Ok(ActiveSegment { file, name, bytes: 0, last_sequence: self.synced })
    }

    fn close_if_full(&mut self) {
        if self.active.as_ref().is_some_and(|active| active.bytes >= self.segment_bytes_max) {
            self.close_active();
        }
    }

    fn close_active(&mut self) {
        if let Some(active) = self.active.take() {
            self.closed.push_back(ClosedSegment {
                name: active.name,
                last_sequence: active.last_sequence,
                damaged: false,
            });
        }
    }

    /// Leaves a segment after a failure, without what was appended in vain where that is possible;
    /// one without anything else is removed.
    fn abandon_active(&mut self) {
        let Some(active) = &self.active else { return };
        if active.bytes == 0 && self.directory.remove(&active.name).is_ok() {
            self.active = None;
            return;
        }
        // What is left over was never acknowledged; it is cut at the next start or read as it is.
        if let Err(error) = self.directory.truncate(&active.name, active.bytes)
            && let Some(kept_back) = self.uncut.admit()
        {
            let segment = &active.name;
            tracing::warn!(segment, %error, kept_back, "cannot cut what failed to become durable");
        }
        self.close_active();
    }

    /// Makes the note of how far it is durable: nothing is appended any more.
    pub(crate) fn end(&self) {
        if let Err(error) = self.head.sync() {
            tracing::warn!(%error, "the head could not be made durable");
        }
    }

    /// Removes closed segments of which everything has been committed to the store.
    pub(crate) fn trim(&mut self, committed: u64) {
        while let Some(segment) = self.closed.front()
            && segment.last_sequence <= committed
        {
            let done = if segment.damaged {
                let kept = segment.name.replace(SEGMENT_SUFFIX, DAMAGED_SUFFIX);
                self.directory.rename(&segment.name, &kept)
            } else {
                self.directory.remove(&segment.name)
            };
            match done {
                Ok(()) => {}
                // Somebody else has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    if let Some(kept_back) = self.untrimmed.admit() {
                        let segment = &segment.name;
                        tracing::warn!(segment, %error, kept_back, "cannot trim the journal");
                    }
                    return;
                }
            }
            self.closed.pop_front();
        }
    }
}
