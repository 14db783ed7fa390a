//! The adapter's side of the line: it edits lines, answers each command, and writes the frames that
//! it receives.
//!
//! What it does to a bus it asks of its owner ([`Order`]). A command that is wrong, or comes at the
//! wrong time, is refused by BEL and changes nothing; the next line is taken as if it had not been.

use super::BitRate;
use super::line::{BEL, CR, LINE_BYTES_MAX, read_frame, write_frame};
use crate::frame::CanFrame;

/// Time stamps begin again at 0 after so many milliseconds.
const STAMPS_MS: u64 = super::TIME_STAMP_WRAP_MS as u64;

/// How long the bits of a bus are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitTiming {
    /// By `S`: a rate that has a digit.
    Rate(BitRate),
    /// By `s`: the bit timing registers of an SJA1000, BTR0 in the upper byte.
    Registers(u16),
}

/// What an adapter asks of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// To take part in the bus.
    Open {
        /// How long its bits are.
        timing: BitTiming,
        /// Without acknowledging and sending.
        listens_only: bool,
    },
    /// To leave the bus.
    Close,
    /// To send a frame.
    Transmit(CanFrame),
}

/// What `F` shows, and forgets by showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Its queue of received frames is full.
    ReceiveFull,
    /// Its queue of frames to send is full.
    TransmitFull,
    /// An error counter has reached 96.
    Warning,
    /// A received frame was lost.
    Overrun,
    /// The controller is error-passive.
    Passive,
    /// An arbitration was lost.
    ArbitrationLost,
    /// An error on the bus.
    BusError,
}

/// The bit of each flag with one maker's adapters.
pub type FlagBits = [(Flag, u8); 7];

/// Those of LAWICEL (CAN232 manual, version 3, unverified).
pub const LAWICEL_FLAGS: FlagBits = [
    (Flag::ReceiveFull, 0),
    (Flag::TransmitFull, 1),
    (Flag::Warning, 2),
    (Flag::Overrun, 3),
    (Flag::Passive, 5),
    (Flag::ArbitrationLost, 6),
    (Flag::BusError, 7),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Closed,
    Open,
    Listening,
}

/// What received frames are compared with: two filters of the SJA1000, of which one is to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Acceptance {
    code: u32,
    /// Ones do not matter.
    mask: u32,
}

impl Acceptance {
    const ALL: Self = Self { code: 0, mask: u32::MAX };

    fn takes(self, frame: &CanFrame) -> bool {
        let id = frame.id().value();
        let differs = |offered: u32, part: u32| (offered ^ self.code) & !self.mask & part != 0;
        if frame.id().is_extended() {
            // The upper 16 bits of the identifier, in each half.
            let upper = id >> 13;
            return !differs(upper << 16, 0xFFFF_0000) || !differs(upper, 0x0000_FFFF);
        }
        // Identifier, RTR; the first filter has the first data byte besides, in two nibbles.
        let head = id << 5 | u32::from(frame.is_remote()) << 4;
        let first = frame.bytes().first().map(|&byte| u32::from(byte));
        let data = first.map_or(0, |byte| (byte >> 4) << 16 | byte & 0xF);
        let with_data = if first.is_some() { 0x000F_000F } else { 0 };
        !differs(head << 16 | data, 0xFFF0_0000 | with_data) || !differs(head, 0x0000_FFF0)
    }
}

/// An adapter between a serial line and a bus, closed at first.
#[derive(Clone, Debug)]
pub struct Adapter {
    line: Vec<u8>,
    length: usize,
    channel: Channel,
    timing: Option<BitTiming>,
    has_stamps: bool,
    acceptance: Acceptance,
    flag_bits: FlagBits,
    flags: u8,
    /// How many frames it has room for.
    room: usize,
    /// Four digits, and four letters or digits.
    version: [u8; 4],
    serial_number: [u8; 4],
}

impl Default for Adapter {
    fn default() -> Self {
        Self {
            line: Vec::new(),
            length: 0,
            channel: Channel::Closed,
            timing: None,
            has_stamps: false,
            acceptance: Acceptance::ALL,
            flag_bits: LAWICEL_FLAGS,
            flags: 0,
            room: usize::MAX,
            version: *b"1013",
            serial_number: *b"LM01",
        }
    }
}

impl Adapter {
    /// One with flags where another maker has them.
    pub fn with_flags(flag_bits: FlagBits) -> Self {
        Self { flag_bits, ..Self::default() }
    }

    /// Whether it takes part in the bus.
    pub fn is_open(&self) -> bool {
        self.channel != Channel::Closed
    }

    /// For how many frames to send there is room from now on; without any they are refused.
    pub fn set_room(&mut self, frames: usize) {
        self.room = frames;
    }

    /// A flag is up until it was shown.
    pub fn raise(&mut self, flag: Flag) {
        let bit = self.flag_bits.iter().find(|(known, _)| *known == flag);
        self.flags |= bit.map_or(0, |(_, bit)| 1 << (bit & 7));
    }

    /// Another host is at the line: what the one before has set is forgotten, and the bus is left.
    pub fn reset(&mut self, orders: &mut Vec<Order>) {
        if self.is_open() {
            orders.push(Order::Close);
        }
        *self = Self::with_flags(self.flag_bits);
    }

    /// Takes bytes of the host; appends the answers, and what is to be done.
    pub fn bytes(&mut self, bytes: &[u8], answers: &mut Vec<u8>, orders: &mut Vec<Order>) {
        for &byte in bytes {
            // Some hosts end a line in both.
            if byte == b'\n' && self.length == 0 {
                continue;
            }
            if byte != CR {
                if self.line.len() < LINE_BYTES_MAX {
                    self.line.push(byte);
                }
                self.length = self.length.saturating_add(1);
                continue;
            }
            let (line, length) = (std::mem::take(&mut self.line), std::mem::take(&mut self.length));
            let answer = if length > LINE_BYTES_MAX { None } else { self.command(&line, orders) };
            match answer {
                Some(answer) => {
                    answers.extend(answer);
                    answers.push(CR);
                }
                None => answers.push(BEL),
            }
        }
    }

    /// Takes a frame of the bus at an instant of its own clock; appends its line, unless it is
    /// closed or the frame is not accepted.
    pub fn frame(&mut self, frame: &CanFrame, now_ms: u64, to_host: &mut Vec<u8>) {
        if !self.is_open() || !self.acceptance.takes(frame) {
            return;
        }
        write_frame(frame, to_host);
        if self.has_stamps {
            to_host.extend(format!("{:04X}", now_ms % STAMPS_MS).into_bytes());
        }
        to_host.push(CR);
    }

    /// The answer to a command without its end; `None`: it is refused.
    fn command(&mut self, line: &[u8], orders: &mut Vec<Order>) -> Option<Vec<u8>> {
        let is_closed = self.channel == Channel::Closed;
        match *line {
            [] => {}
            [b'S', digit] if is_closed => {
                let rate = usize::from(digit.wrapping_sub(b'0'));
                self.timing = Some(BitTiming::Rate(BitRate::ALL.get(rate)?.0));
            }
            [b's', ref registers @ ..] if is_closed && registers.len() == 4 => {
                self.timing = Some(BitTiming::Registers(number(registers)? as u16));
            }
            [kind @ (b'M' | b'm'), ref digits @ ..] if is_closed && digits.len() == 8 => {
                let value = number(digits)?;
                *(if kind == b'M' {
                    &mut self.acceptance.code
                } else {
                    &mut self.acceptance.mask
                }) = value;
            }
            [b'Z', digit @ (b'0' | b'1')] if is_closed => self.has_stamps = digit == b'1',
            [kind @ (b'O' | b'L')] if is_closed => {
                let (timing, listens_only) = (self.timing?, kind == b'L');
                self.channel = if listens_only { Channel::Listening } else { Channel::Open };
                self.flags = 0;
                orders.push(Order::Open { timing, listens_only });
            }
            // Received frames are written at once in any case.
            [b'X', b'1'] if is_closed => {}
            [b'C'] if !is_closed => {
                self.channel = Channel::Closed;
                orders.push(Order::Close);
            }
            [b'F'] if !is_closed => {
                return Some(format!("F{:02X}", std::mem::take(&mut self.flags)).into_bytes());
            }
            [b'V'] => return Some([b"V", &self.version[..]].concat()),
            [b'N'] => return Some([b"N", &self.serial_number[..]].concat()),
            [b't' | b'T' | b'r' | b'R', ..] if self.channel == Channel::Open => {
                // A host adds no time stamp.
                let (frame, None) = read_frame(line).ok()? else { return None };
                let Some(room) = self.room.checked_sub(1) else {
                    self.raise(Flag::TransmitFull);
                    return None;
                };
                self.room = room;
                orders.push(Order::Transmit(frame));
                return Some(if frame.id().is_extended() { b"Z".to_vec() } else { b"z".to_vec() });
            }
            _ => return None,
        }
        Some(Vec::new())
    }
}

/// The value of up to eight hexadecimal digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |value: u32, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}
