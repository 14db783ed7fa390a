//! Frames as bits on the wire (ISO 11898-1): the stuffed bits of a sender, their CRC, lengths, and
//! the receiver that reads a frame bit by bit.
//!
//! A level is `true` where it is recessive. What is stuffed goes from the start of frame to the end
//! of the CRC sequence; the bit behind five equal ones is their complement, also behind the last of
//! the CRC sequence.

#[cfg(test)]
mod tests;

use crate::frame::{CanFrame, CanId, DATA_BYTES_MAX};

/// Bits behind the CRC sequence up to the end of frame: CRC delimiter, acknowledge slot and
/// delimiter, end of frame.
pub const TRAILER_BITS: u32 = 10;
/// Bits of the end of frame, the last ones of the trailer.
pub const END_OF_FRAME_BITS: u8 = 7;
/// Bits between a frame and the next one.
pub const INTERMISSION_BITS: u32 = 3;
/// Equal bits behind which a stuff bit stands.
const STUFF_RUN: u8 = 5;
/// The generator of the CRC, x^15 + x^14 + x^10 + x^8 + x^7 + x^4 + x^3 + 1, without its first
/// term.
const CRC_15: u16 = 0x4599;
const CRC_BITS: u16 = 15;
/// Longer than any frame: 118 bits and 29 stuff bits of an extended one with 8 bytes.
const WORDS: usize = 3;

/// The CRC after one more bit.
const fn crc_after(crc: u16, bit: bool) -> u16 {
    let is_fed_back = (crc >> 14 & 1 == 1) != bit;
    let shifted = crc << 1 & 0x7FFF;
    if is_fed_back { shifted ^ CRC_15 } else { shifted }
}

/// What eight bits do to a CRC whose upper eight they are added to.
static CRC_TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 7;
        let mut bit = 0;
        while bit < 8 {
            crc = crc_after(crc, false);
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The CRC sequence of the bits of a number; zeros in front of them do not matter.
fn crc_15(bits: u128) -> u16 {
    bits.to_be_bytes().iter().fold(0, |crc: u16, &byte| {
        let place = (crc >> 7) as u8 ^ byte;
        crc << 8 & 0x7FFF ^ CRC_TABLE[usize::from(place)]
    })
}

/// The bits of a frame from its start to the end of the CRC sequence, stuffed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireBits {
    /// The first bit is the uppermost one of the first word.
    words: [u64; WORDS],
    length: u32,
}

impl WireBits {
    /// Those of a frame.
    pub fn of(frame: &CanFrame) -> Self {
        let (id, is_remote) = (u128::from(frame.id().value()), u128::from(frame.is_remote()));
        // From the start of frame, which is 0, to the bits in front of the data length code.
        let (mut bits, mut count) = if frame.id().is_extended() {
            (((id >> 18 << 2 | 0b11) << 18 | id & 0x3_FFFF) << 3 | is_remote << 2, 35)
        } else {
            (id << 3 | is_remote << 2, 15)
        };
        bits = bits << 4 | u128::from(frame.dlc());
        count += 4;
        for &byte in frame.bytes() {
            bits = bits << 8 | u128::from(byte);
            count += 8;
        }
        bits = bits << CRC_BITS | u128::from(crc_15(bits));
        Self::stuffed(bits, count + u32::from(CRC_BITS))
    }

    /// Puts stuff bits into the lower bits of a number.
    fn stuffed(bits: u128, count: u32) -> Self {
        let mut stuffed = Self { words: [0; WORDS], length: 0 };
        // The next bit is the uppermost one; a stuff bit is the first of the bits behind it.
        let (mut rest, mut left) = (bits << (u128::BITS - count), count);
        loop {
            let equal = !(rest ^ rest << 1);
            let runs = equal & equal << 1 & equal << 2 & equal << 3;
            let taken = runs.leading_zeros() + u32::from(STUFF_RUN);
            if taken > left {
                stuffed.push(rest, left);
                return stuffed;
            }
            stuffed.push(rest, taken);
            let stuff = !(rest << (taken - 1)) & 1 << (u128::BITS - 1);
            rest = if taken < u128::BITS { rest << taken } else { 0 } >> 1 | stuff;
            left = left - taken + 1;
        }
    }

    /// Adds the upper bits of a number.
    fn push(&mut self, bits: u128, count: u32) {
        let mut bits =
            if count == 0 { 0 } else { bits >> (u128::BITS - count) << (u128::BITS - count) };
        let mut left = count;
        while left > 0 {
            let (word, used) = (self.length as usize / 64, self.length % 64);
            let Some(word) = self.words.get_mut(word) else { return };
            *word |= (bits >> 64) as u64 >> used;
            let taken = left.min(64 - used);
            bits <<= taken;
            (self.length, left) = (self.length + taken, left - taken);
        }
    }

    /// How many bits there are.
    pub const fn len(&self) -> usize {
        self.length as usize
    }

    /// Never: a frame has bits.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether a bit is recessive; those behind the last one are.
    pub fn is_recessive(&self, place: usize) -> bool {
        place >= self.len() || self.words[place / 64] >> (63 - place % 64) & 1 == 1
    }

    /// The first bit that differs from another frame's, if one does while both last.
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let words = self.words.iter().zip(&other.words).enumerate();
        let place = words
            .filter(|(_, (mine, its))| mine != its)
            .map(|(word, (mine, its))| word * 64 + (mine ^ its).leading_zeros() as usize);
        place.into_iter().next().filter(|&place| place < self.len().min(other.len()))
    }
}

/// Bits of a frame on the wire, from its start to its end, without the intermission behind it.
pub fn frame_bits(frame: &CanFrame) -> u32 {
    WireBits::of(frame).len() as u32 + TRAILER_BITS
}

/// What is wrong with a frame (ISO 11898-1, error detection).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// A sender reads another level than it drives.
    Bit,
    /// Six equal bits where there is stuffing.
    Stuff,
    /// The CRC sequence is not that of the bits before it.
    Crc,
    /// A dominant level in a field that is recessive.
    Form,
    /// Nobody acknowledges the frame.
    Acknowledge,
}

/// Where in a frame a receiver is: what its next bit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// A bit of what is stuffed, at a place that is counted without stuff bits.
    Body(u16),
    /// A stuff bit in front of such a place.
    Stuff(u16),
    CrcDelimiter,
    AcknowledgeSlot,
    AcknowledgeDelimiter,
    /// The end of frame from its first bit, 0, on.
    End(u8),
}

/// What a bit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    More,
    Error(ErrorKind),
    /// The frame is valid for who receives it: its last but one bit.
    Valid,
    /// The frame is over.
    Over,
    /// The frame is over and its last bit was dominant.
    OverDominant,
}

/// Reads one frame, bit by bit from its start on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    field: Field,
    run: u8,
    last: bool,
    crc: u16,
    header: u64,
    is_extended: bool,
    /// Where the data begin, and where the CRC sequence does.
    data_at: u16,
    crc_at: u16,
    data: u64,
    crc_read: u16,
}

/// Places of bits in the base format, counted without stuff bits.
const SUBSTITUTE_OR_REMOTE: u16 = 12;
const EXTENSION: u16 = 13;
/// Where the data length code begins, in the base and the extended format.
const LENGTH_AT: [u16; 2] = [15, 35];

impl Receiver {
    /// At the start of a frame, of which no bit was read.
    pub(crate) const fn new() -> Self {
        Self {
            field: Field::Body(0),
            run: 0,
            last: true,
            crc: 0,
            header: 0,
            is_extended: false,
            data_at: u16::MAX,
            crc_at: u16::MAX,
            data: 0,
            crc_read: 0,
        }
    }

    /// What the next bit is.
    pub(crate) const fn field(&self) -> Field {
        self.field
    }

    /// Whether what was read so far is what its CRC sequence is of.
    pub(crate) const fn has_right_crc(&self) -> bool {
        self.crc_read == self.crc
    }

    /// Whether its next bit is the one by which it acknowledges the frame.
    pub(crate) fn is_acknowledging(&self) -> bool {
        self.field == Field::AcknowledgeSlot && self.has_right_crc()
    }

    /// Takes the next bit.
    pub(crate) fn take(&mut self, level: bool) -> Taken {
        match self.field {
            Field::Stuff(place) => {
                if level == self.last {
                    return Taken::Error(ErrorKind::Stuff);
                }
                (self.last, self.run) = (level, 1);
                let is_crc_over = place == self.crc_at.saturating_add(CRC_BITS);
                self.field = if is_crc_over { Field::CrcDelimiter } else { Field::Body(place) };
                Taken::More
            }
            Field::Body(place) => {
                self.run = if level == self.last && place > 0 { self.run + 1 } else { 1 };
                self.last = level;
                self.read(place, level);
                let is_crc_over = place + 1 == self.crc_at.saturating_add(CRC_BITS);
                self.field = match (self.run, is_crc_over) {
                    (STUFF_RUN, _) => Field::Stuff(place + 1),
                    (_, true) => Field::CrcDelimiter,
                    (_, false) => Field::Body(place + 1),
                };
                Taken::More
            }
            Field::CrcDelimiter => self.fixed(level, Field::AcknowledgeSlot),
            Field::AcknowledgeSlot => {
                self.field = Field::AcknowledgeDelimiter;
                Taken::More
            }
            Field::AcknowledgeDelimiter => match self.fixed(level, Field::End(0)) {
                Taken::More if !self.has_right_crc() => Taken::Error(ErrorKind::Crc),
                taken => taken,
            },
            Field::End(place) if place + 1 == END_OF_FRAME_BITS => {
                if level {
                    Taken::Over
                } else {
                    Taken::OverDominant
                }
            }
            Field::End(place) => match self.fixed(level, Field::End(place + 1)) {
                Taken::More if place + 2 == END_OF_FRAME_BITS => Taken::Valid,
                taken => taken,
            },
        }
    }

    /// A bit that is recessive in each frame.
    fn fixed(&mut self, level: bool, next: Field) -> Taken {
        if !level {
            return Taken::Error(ErrorKind::Form);
        }
        self.field = next;
        Taken::More
    }

    /// Reads a bit of what is stuffed.
    fn read(&mut self, place: u16, level: bool) {
        if place >= self.crc_at {
            self.crc_read = self.crc_read << 1 | u16::from(level);
            return;
        }
        self.crc = crc_after(self.crc, level);
        if place >= self.data_at {
            self.data = self.data << 1 | u64::from(level);
            return;
        }
        self.header = self.header << 1 | u64::from(level);
        if place == EXTENSION {
            self.is_extended = level;
        }
        if place == LENGTH_AT[usize::from(self.is_extended)] + 3 && place > EXTENSION {
            self.data_at = place + 1;
            self.crc_at = self.data_at + 8 * u16::from(self.data_bytes());
        }
    }

    fn is_remote(&self) -> bool {
        // Behind it stand two reserved bits and the length; in the base format IDE and one.
        self.header >> 6 & 1 == 1
    }

    fn data_bytes(&self) -> u8 {
        let code = (self.header & 0xF) as u8;
        if self.is_remote() { 0 } else { code.min(DATA_BYTES_MAX as u8) }
    }

    /// The frame, once its CRC sequence was read.
    pub(crate) fn frame(&self) -> Option<CanFrame> {
        // Behind the identifier's last bits: RTR, two bits, length.
        let id = if self.is_extended {
            let (first, last) = (self.header >> 27 & 0x7FF, self.header >> 7 & 0x3_FFFF);
            CanId::extended((first << 18 | last) as u32)
        } else {
            CanId::standard((self.header >> 7 & 0x7FF) as u32)
        };
        let length = (self.header & 0xF).min(DATA_BYTES_MAX as u64) as u8;
        if self.is_remote() {
            return CanFrame::remote(id.ok()?, length).ok();
        }
        let bytes = self.data.to_be_bytes();
        CanFrame::data(id.ok()?, &bytes[DATA_BYTES_MAX - usize::from(self.data_bytes())..]).ok()
    }
}

/// Whether a sender that reads dominant at a place of its frame while it drives recessive has lost
/// the arbitration, and no error happened: in the identifier and up to its RTR bit.
pub(crate) const fn is_arbitrated(place: u16, is_extended: bool) -> bool {
    let last = if is_extended { LENGTH_AT[1] - 3 } else { SUBSTITUTE_OR_REMOTE };
    place >= 1 && place <= last
}
