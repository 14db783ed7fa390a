//! Authentication of messages on CAN: a published scheme as it is written, and two that hold.
//!
//! | module | what |
//! |---|---|
//! | [`paper`] | hash of message, sync code and one shared key; with it its weaknesses are shown |
//! | [`Scheme::Compact`] | 4 data bytes, counter and MAC in one frame |
//! | [`Scheme::Strong`] | 8 data bytes in one frame, counter and MAC in a second one |
//! | [`Sender`] | seals frames with counters that never repeat, also after a loss of power |
//! | [`Receiver`] | verifies frames, counts what it refuses by reason, raises alarms |
//!
//! No I/O and no clock: records that must survive are handed to the caller, instants are arguments.
//! A counter shows the order of messages, not their age: a frame that is held back and delivered
//! before any later one of its sender is accepted. Remote frames have no data and so no MAC.
//!
//! # Bytes
//!
//! Integers are big endian. Identifiers have 11 bits, `register * 32 + node`. The last frame of a
//! message of several frames has 0x400 added to its identifier. Register 30 is that of
//! resynchronisation, and so 62 is that of its last frame. By the strong scheme data have registers
//! 0 to 31, and those from 32 on close messages; by the compact scheme all but 30 and 62 have data.
//! So a network has one scheme: identifiers of one would be those of the other.
//!
//! ```text
//! KDF(key, label, context) = CMAC-AES-128(key, 01 || label || 00 || context || 00 80)
//! node key       = KDF(master key, "can node", node)                     node: one byte
//! key of a use   = KDF(node key, "can compact" | "can strong" | "can resync", nothing)
//! MAC            = CMAC-AES-128(key of the use, id || direction || counter || dlc || data)
//!                  id: 2 bytes (of the data frame), direction: 00 to the master, 01 from it,
//!                  counter: 8 bytes, from 1 on, dlc: one byte, the number of the data bytes
//! compact        = id          : data (0 to 4) || counter mod 2^8 (1)  || MAC, its first 3 bytes
//! strong         = id          : data (0 to 8)
//!                  id + 0x400  : counter mod 2^16 (2) || MAC, its first 6 bytes
//! resync         = 960 + node  : counter (8), which are also the data of the MAC
//!                  1984 + node : MAC, its first 8 bytes
//! ```
//!
//! The functions are those of NIST SP 800-108 (counter mode, one block) and SP 800-38B (RFC 4493).
//! The key of node 0, to which all listen, is known to all of them: it keeps outsiders out only.

mod alarm;
mod codec;
mod keys;
pub mod paper;
mod receiver;
mod sender;

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod paper_tests;
#[cfg(test)]
mod tests;

pub use alarm::{ALARM_FAILURES, ALARM_SPAN};
pub use keys::{KEY_BYTES, KeyError, NodeKey, SecretKey};
pub use receiver::{Event, Message, Receiver, ReceiverRecord, Settings, Verified};
pub use sender::{SealError, Sender, SenderRecord};

use crate::frame::{CanFrame, CanId, FrameError};

/// The largest node number; 0 is that of all nodes.
pub const NODE_MAX: u8 = 31;
/// The register of frames that carry the whole counter.
pub const RESYNC_REGISTER: u16 = 30;
/// What the identifier of the last frame of several has more than that of the others.
pub const CLOSING: u16 = 0x400;

lastmeter_units::words! {
    /// How messages are authenticated, with a key for each node.
    pub enum Scheme {
        /// One frame: 4 data bytes, 1 byte of the counter, 3 bytes of MAC.
        Compact = "compact",
        /// Two frames: 8 data bytes; 2 bytes of the counter, 6 bytes of MAC.
        Strong = "strong",
    }
}

impl Scheme {
    /// The most data bytes of a message.
    pub const fn data_bytes_max(self) -> usize {
        match self {
            Self::Compact => codec::COMPACT_DATA_BYTES,
            Self::Strong => crate::frame::DATA_BYTES_MAX,
        }
    }
}

lastmeter_units::words! {
    /// Which way a message goes. It is part of the MAC, so that none can be sent back.
    pub enum Direction {
        /// From a node to the master.
        ToMaster = "to-master",
        /// From the master to a node.
        FromMaster = "from-master",
    }
}

lastmeter_units::words! {
    /// Why a frame is refused.
    pub enum Refusal {
        /// There is no key for the node in the identifier, or the identifier has 29 bits.
        UnknownSender = "unknown-sender",
        /// A remote frame, or one without room for counter and MAC.
        Malformed = "malformed",
        /// The MAC is that of no counter in the window: forged, altered, or of another sender.
        WrongTag = "wrong-tag",
        /// The MAC is right, and the counter is that of the last message accepted.
        Replayed = "replayed",
        /// The MAC is right, and the counter is below that of the last message accepted.
        TooOld = "too-old",
        /// One frame of two, without the other within the time limit.
        Unpaired = "unpaired",
        /// Too many frames with this identifier were refused, and it is locked out.
        LockedOut = "locked-out",
    }
}

impl Refusal {
    /// Whether it is evidence of an attack, and so counts for alarm and lock-out.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::WrongTag | Self::Replayed | Self::TooOld | Self::Unpaired)
    }
}

/// What became of the messages of one sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were verified.
    pub verified: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl Counts {
    /// How many were refused for this reason.
    pub const fn refused(&self, reason: Refusal) -> u64 {
        self.refused[reason as usize]
    }

    const fn refuse(&mut self, reason: Refusal) {
        self.refused[reason as usize] += 1;
    }
}

/// An identifier of 11 bits as register, node, and whether it closes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    /// The identifier of the data, `register * 32 + node`.
    data_id: u16,
    closes: bool,
}

impl Address {
    fn of(id: CanId) -> Option<Self> {
        let value = id.value() as u16;
        let address = Self { data_id: value & !CLOSING, closes: value & CLOSING != 0 };
        (!id.is_extended()).then_some(address)
    }

    /// As a network by this scheme has it: by the compact one, only resynchronisations have two
    /// frames.
    fn by(self, scheme: Scheme) -> Self {
        match scheme {
            Scheme::Compact if self.closes && self.register() != RESYNC_REGISTER => {
                Self { data_id: self.data_id | CLOSING, closes: false }
            }
            Scheme::Compact | Scheme::Strong => self,
        }
    }

    const fn node(self) -> u8 {
        self.data_id as u8 & NODE_MAX
    }

    const fn register(self) -> u16 {
        self.data_id >> 5
    }

    /// A data frame with the identifier of the data, or with that which closes a message.
    fn frame(self, closes: bool, bytes: &[u8]) -> Result<CanFrame, FrameError> {
        CanFrame::data(self.id(closes)?, bytes)
    }

    fn id(self, closes: bool) -> Result<CanId, FrameError> {
        CanId::standard(u32::from(self.data_id | if closes { CLOSING } else { 0 }))
    }
}
