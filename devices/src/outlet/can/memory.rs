//! What a node keeps in its EEPROM: the number of its latest reading, its energy registers, and
//! whether its switching unit is open.
//!
//! A record is begun when a reading is closed, and takes a quarter of a second, while the answers
//! go out within milliseconds. So the record may be behind what was given when the supply fails.
//! Therefore no number is given that is more than [`AHEAD`] behind the one that is stored, and a
//! node that comes back goes on that much behind it: no number is given twice. Energy that was
//! counted since the record is lost.

use lastmeter_can::node::eeprom::{Eeprom, NodeRecord, SLOT_BYTES};
use lastmeter_units::{SimDuration, SimTime};

/// 2 KiB, or 44 records.
const CELLS: usize = 2048;

/// How many numbers may be given beyond the one that is stored. Two writes of 5 ms a byte take
/// 0.46 s, in which a bus of 1 Mbit/s cannot close as many readings as this.
pub(super) const AHEAD: u64 = 1024;

/// What is in a byte whose write was broken off; any would do.
const TORN: u8 = 0x5A;

/// What the memory of a node is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryParts {
    /// What the write of a byte takes.
    pub(crate) byte_time: SimDuration,
    /// Writes that each cell takes.
    pub(crate) endurance: u64,
}

/// The EEPROM of a node.
#[derive(Debug)]
pub(super) struct Memory {
    eeprom: Eeprom,
    /// The number of the latest reading that is stored.
    stored: u64,
    /// What was given to be stored last.
    newest: NodeRecord,
}

impl Memory {
    /// The memory of a new node, in which empty registers are stored.
    pub(super) fn new(parts: MemoryParts, start: SimTime, is_open: bool) -> Self {
        let eeprom = Eeprom::new(CELLS, parts.byte_time, parts.endurance);
        let mut eeprom = eeprom.unwrap_or_else(|_| unreachable!("there is room for two records"));
        let takes = parts.byte_time.0.max(1).saturating_mul(SLOT_BYTES as i64);
        let newest = NodeRecord { is_open, ..NodeRecord::default() };
        eeprom.store(SimTime(start.0.saturating_sub(takes)), newest);
        while eeprom.pop(start).is_some() {}
        Self { eeprom, stored: 0, newest }
    }

    /// The number of the reading behind this one; `None` as long as it would not be certain that it
    /// is never given again.
    pub(super) fn next_number(&mut self, now: SimTime, last: u64) -> Option<u64> {
        while let Some(stored) = self.eeprom.pop(now) {
            if stored.is_verified {
                self.stored = stored.record.reading;
            }
        }
        (last < self.stored + AHEAD).then_some(last + 1)
    }

    pub(super) fn store(&mut self, now: SimTime, record: NodeRecord) {
        self.newest = record;
        self.eeprom.store(now, record);
    }

    /// Stores where the switching unit stands, with the registers of the latest reading.
    pub(super) fn store_unit(&mut self, now: SimTime, is_open: bool) {
        self.store(now, NodeRecord { is_open, ..self.newest });
    }

    pub(super) fn power_loss(&mut self, now: SimTime) {
        self.eeprom.power_loss(now, TORN);
    }

    /// What is stored, with a number behind all that were given; it is stored from now on.
    pub(super) fn restart(&mut self, now: SimTime) -> NodeRecord {
        let stored = self.eeprom.load().unwrap_or_default();
        self.stored = stored.reading;
        let record = NodeRecord { reading: stored.reading + AHEAD, ..stored };
        self.store(now, record);
        record
    }
}
