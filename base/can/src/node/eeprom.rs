//! Non-volatile memory (EEPROM) of a node: its registers survive a loss of power at any instant.
//!
//! Sans-I/O: instants are arguments. A byte is written after another, each takes the time of a
//! write, and each write wears its cell. A cell that was written as often as it endures keeps what
//! it has. If the power is lost while a byte is written, that byte may hold anything.
//!
//! Records go around a ring of slots, so that cells wear alike. Integers are big endian:
//!
//! | bytes of a slot | what |
//! |---|---|
//! | 0 | first mark, written first |
//! | 1 to 8 | sequence number, one more than that of the record before |
//! | 9 to 40 | consumed, injected (mJ), number of the reading, freshness: 8 bytes each |
//! | 33 | its highest bit, above the freshness: whether the switching unit is open |
//! | 41 to 44 | CRC-32C of bytes 1 to 40 |
//! | 45 | last mark, written last |
//!
//! A slot counts if its marks are equal and its checksum is right; of those that count the one of
//! the highest sequence number is valid. The next record goes into the slot behind it, with marks
//! that differ from the last mark which that slot has; where its marks differ already, its first
//! one stays and is not written. So the slot does not count from when its first mark was written
//! until its last one is, whatever its bytes are in between: that a mixture of two records is not
//! taken for one does not hang on the checksum, which is for worn cells. A mark that is torn either
//! leaves the marks different, or is the only change to an older record, or completes the new one.
//!
//! ```
//! use lastmeter_can::node::eeprom::{BYTE_TIME, Eeprom, NodeRecord, SLOT_BYTES};
//! use lastmeter_units::SimTime;
//! let mut eeprom = Eeprom::new(4 * SLOT_BYTES, BYTE_TIME, 100_000).unwrap();
//! let record = NodeRecord { consumed_mj: 3_600_000, ..NodeRecord::default() };
//! eeprom.store(SimTime(0), record);
//! assert_eq!(eeprom.load(), None);
//! let stored = eeprom.pop(SimTime(i64::MAX)).unwrap();
//! assert_eq!(stored.at, SimTime(230_000_000));
//! assert_eq!(eeprom.load(), Some(record));
//! ```

use std::collections::VecDeque;

use lastmeter_units::{SimDuration, SimTime};

/// How long the write of a byte takes, at most, in a usual part (unverified).
pub const BYTE_TIME: SimDuration = SimDuration::from_milliseconds(5);
/// Cells of a slot.
pub const SLOT_BYTES: usize = 46;

/// Where the checksum begins, and where it ends.
const CHECKSUM: std::ops::Range<usize> = 41..45;
const FIRST_MARK: usize = 0;
const LAST_MARK: usize = 45;
/// The bit of the freshness that is set while the switching unit is open; 0 in older records.
const OPEN: u32 = 63;
/// What an erased cell holds.
const ERASED: u8 = 0xFF;

/// What a node keeps durably.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeRecord {
    /// Energy consumed, in mJ.
    pub consumed_mj: u64,
    /// Energy injected, in mJ.
    pub injected_mj: u64,
    /// The number of the latest reading.
    pub reading: u64,
    /// The counter of authentication, see [`crate::authentication::SenderRecord`].
    pub freshness: u64,
    /// Whether the switching unit is open.
    pub is_open: bool,
}

/// Fewer cells than two slots have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cells} cells, expected at least two slots of {SLOT_BYTES}; add cells")]
pub struct TooFewCells {
    /// How many there are.
    pub cells: usize,
}

/// A record that was written to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// When.
    pub at: SimTime,
    /// What.
    pub record: NodeRecord,
    /// Whether it reads back: worn cells hold other bytes.
    pub is_verified: bool,
}

/// How often cells were written, those of slots only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wear {
    /// Writes of the cell that was written most.
    pub max: u64,
    /// The mean of all cells.
    pub mean: f64,
    /// Cells that were written as often as they endure.
    pub worn: usize,
}

/// A record that is written.
#[derive(Clone, Debug)]
struct Write {
    /// When its first byte was, or that of a slot of which it stays would have been.
    began: SimTime,
    /// The first cell of its slot.
    base: usize,
    bytes: [u8; SLOT_BYTES],
    /// How many of them are written.
    done: usize,
    record: NodeRecord,
}

/// The memory and what is written to it.
#[derive(Clone, Debug)]
pub struct Eeprom {
    byte_time: SimDuration,
    endurance: u64,
    now: SimTime,
    cells: Vec<u8>,
    writes: Vec<u64>,
    write: Option<Write>,
    /// The record that is written after this one.
    waiting: Option<NodeRecord>,
    /// What was stored and not taken.
    due: VecDeque<Stored>,
}

impl Eeprom {
    /// An erased memory of so many cells, of which whole slots are used. A byte takes at least a
    /// nanosecond; `endurance` is the number of writes that each cell takes.
    ///
    /// # Errors
    /// There is no room for two slots.
    pub fn new(cells: usize, byte_time: SimDuration, endurance: u64) -> Result<Self, TooFewCells> {
        let used = cells / SLOT_BYTES * SLOT_BYTES;
        if used < 2 * SLOT_BYTES {
            return Err(TooFewCells { cells });
        }
        Ok(Self {
            byte_time: byte_time.max(SimDuration(1)),
            endurance,
            now: SimTime(i64::MIN),
            cells: vec![ERASED; used],
            writes: vec![0; used],
            write: None,
            waiting: None,
            due: VecDeque::new(),
        })
    }

    /// Begins to write a record, or has it wait for the one that is written. One that waited is
    /// given up for it and returned. What lies before an earlier call counts as now.
    pub fn store(&mut self, at: SimTime, record: NodeRecord) -> Option<NodeRecord> {
        self.settle(at);
        if self.write.is_some() {
            return self.waiting.replace(record);
        }
        self.write = Some(self.begin(self.now, record));
        None
    }

    /// When [`Self::pop`] returns something, if nothing is changed until then.
    pub fn next(&self) -> Option<SimTime> {
        let end = self.write.as_ref().map(|write| write.end(self.byte_time));
        self.due.front().map(|stored| stored.at).or(end)
    }

    /// The next record that was written to its end up to an instant.
    pub fn pop(&mut self, until: SimTime) -> Option<Stored> {
        self.settle(until);
        self.due.pop_front_if(|stored| stored.at <= until)
    }

    /// The power is lost: what is written ends there, what waits is gone. A byte of which the write
    /// has begun and not ended holds `torn` from now on. After it the memory may be used as before.
    pub fn power_loss(&mut self, at: SimTime, torn: u8) {
        self.settle(at);
        self.waiting = None;
        if let Some(write) = self.write.take()
            && write.began + self.byte_time * (write.done as i64) < self.now
        {
            self.program(write.base + write.done, torn);
        }
    }

    /// What the cells hold now: the record that was stored last to its end.
    pub fn load(&self) -> Option<NodeRecord> {
        self.latest().map(|(_, _, record)| record)
    }

    /// How often cells were written.
    pub fn wear(&self) -> Wear {
        Wear {
            max: self.writes.iter().copied().max().unwrap_or_default(),
            mean: self.writes.iter().sum::<u64>() as f64 / self.writes.len() as f64,
            worn: self.writes.iter().filter(|&&writes| writes >= self.endurance).count(),
        }
    }

    /// The valid slot, its sequence number and record.
    fn latest(&self) -> Option<(usize, u64, NodeRecord)> {
        let slots = self.cells.chunks_exact(SLOT_BYTES).enumerate();
        let read = slots.filter_map(|(slot, bytes)| {
            let (sequence, record) = decode(bytes)?;
            Some((slot, sequence, record))
        });
        read.max_by_key(|(_, sequence, _)| *sequence)
    }

    fn begin(&self, at: SimTime, record: NodeRecord) -> Write {
        let slots = self.cells.len() / SLOT_BYTES;
        let (slot, sequence) = match self.latest() {
            Some((slot, sequence, _)) => ((slot + 1) % slots, sequence.saturating_add(1)),
            None => (0, 0),
        };
        let base = slot * SLOT_BYTES;
        let (first, last) = (self.cells[base + FIRST_MARK], self.cells[base + LAST_MARK]);
        // To write a first mark that may be torn into the last one again would make what is between
        // them count, and after a loss of power that is a mixture.
        let (mark, done) = if first == last { (last.wrapping_add(1), 0) } else { (first, 1) };
        let began = SimTime(at.0.saturating_sub(self.byte_time.0.saturating_mul(done)));
        Write { began, base, bytes: encode(mark, sequence, record), done: done as usize, record }
    }

    fn program(&mut self, cell: usize, byte: u8) {
        if self.writes[cell] < self.endurance {
            self.cells[cell] = byte;
        }
        self.writes[cell] += 1;
    }

    /// Writes what is written up to an instant.
    fn settle(&mut self, until: SimTime) {
        self.now = self.now.max(until);
        while let Some(mut write) = self.write.take() {
            let whole = self.now.0.saturating_sub(write.began.0) / self.byte_time.0;
            let whole = usize::try_from(whole).unwrap_or(0).clamp(write.done, SLOT_BYTES);
            for at in write.done..whole {
                self.program(write.base + at, write.bytes[at]);
            }
            write.done = whole;
            if whole < SLOT_BYTES {
                self.write = Some(write);
                return;
            }
            let (at, record) = (write.end(self.byte_time), write.record);
            let is_verified = self.cells[write.base..][..SLOT_BYTES] == write.bytes;
            self.due.push_back(Stored { at, record, is_verified });
            self.write = self.waiting.take().map(|record| self.begin(at, record));
        }
    }
}

impl Write {
    fn end(&self, byte_time: SimDuration) -> SimTime {
        SimTime(self.began.0.saturating_add(byte_time.0.saturating_mul(SLOT_BYTES as i64)))
    }
}

fn encode(mark: u8, sequence: u64, record: NodeRecord) -> [u8; SLOT_BYTES] {
    let mut bytes = [mark; SLOT_BYTES];
    let NodeRecord { consumed_mj, injected_mj, reading, freshness, is_open } = record;
    let last = freshness & !(1 << OPEN) | u64::from(is_open) << OPEN;
    let values = [sequence, consumed_mj, injected_mj, reading, last];
    for (place, value) in bytes[FIRST_MARK + 1..].chunks_exact_mut(8).zip(values) {
        place.copy_from_slice(&value.to_be_bytes());
    }
    let checksum = crc32c::crc32c(&bytes[FIRST_MARK + 1..CHECKSUM.start]);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The sequence number and the record of a slot that counts.
fn decode(bytes: &[u8]) -> Option<(u64, NodeRecord)> {
    let checksum = crc32c::crc32c(&bytes[FIRST_MARK + 1..CHECKSUM.start]);
    if bytes[FIRST_MARK] != bytes[LAST_MARK] || bytes[CHECKSUM] != checksum.to_be_bytes() {
        return None;
    }
    let mut values = bytes[FIRST_MARK + 1..]
        .chunks_exact(8)
        .map(|value| value.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    let sequence = values.next()?;
    let [consumed_mj, injected_mj, reading] = [values.next()?, values.next()?, values.next()?];
    let last = values.next()?;
    let (freshness, is_open) = (last & !(1 << OPEN), last >> OPEN == 1);
    let record = NodeRecord { consumed_mj, injected_mj, reading, freshness, is_open };
    Some((sequence, record))
}

#[cfg(test)]
#[path = "eeprom_tests.rs"]
mod tests;
