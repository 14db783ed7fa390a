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

/// The CRC sequence of bits, the first one first; without stuff bits.
pub fn crc_15(bits: impl IntoIterator<Item = bool>) -> u16 {
    bits.into_iter().fold(0, crc_after)
}

/// The bits of a frame from its start to the end of the CRC sequence, stuffed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireBits {
    words: [u64; WORDS],
    length: u8,
    run: u8,
    crc: u16,
}

impl WireBits {
    /// Those of a frame.
    pub fn of(frame: &CanFrame) -> Self {
        let mut bits = Self { words: [0; WORDS], length: 0, run: 0, crc: 0 };
        let (id, is_remote) = (frame.id().value(), frame.is_remote());
        bits.put(false);
        if frame.id().is_extended() {
            bits.put_all(id >> 18, 11);
            bits.put_all(0b11, 2);
            bits.put_all(id & 0x3_FFFF, 18);
            bits.put(is_remote);
            bits.put_all(0, 2);
        } else {
            bits.put_all(id, 11);
            bits.put(is_remote);
            bits.put_all(0, 2);
        }
        bits.put_all(frame.dlc().into(), 4);
        frame.bytes().iter().for_each(|&byte| bits.put_all(byte.into(), 8));
        bits.put_all(bits.crc.into(), CRC_BITS.into());
        if bits.run == STUFF_RUN {
            bits.stuff();
        }
        bits
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
        place >= self.len() || self.words[place / 64] >> (place % 64) & 1 == 1
    }

    /// The first bit that differs from another frame's, if one does while both last.
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let words = self.words.iter().zip(&other.words).enumerate();
        let mut places = words.filter(|(_, (mine, its))| mine != its);
        let place = places
            .next()
            .map(|(word, (mine, its))| word * 64 + (mine ^ its).trailing_zeros() as usize)?;
        (place < self.len().min(other.len())).then_some(place)
    }

    fn put_all(&mut self, value: u32, bits: u32) {
        (0..bits).rev().for_each(|bit| self.put(value >> bit & 1 == 1));
    }

    fn put(&mut self, bit: bool) {
        if self.run == STUFF_RUN {
            self.stuff();
        }
        self.run = if self.length > 0 && bit == self.last() { self.run + 1 } else { 1 };
        self.push(bit);
        self.crc = crc_after(self.crc, bit);
    }

    fn stuff(&mut self) {
        let bit = !self.last();
        self.run = 1;
        self.push(bit);
    }

    fn last(&self) -> bool {
        self.is_recessive(self.len() - 1)
    }

    fn push(&mut self, bit: bool) {
        let place = self.len();
        self.words[place / 64] |= u64::from(bit) << (place % 64);
        self.length += 1;
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
