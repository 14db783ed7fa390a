//! The sender's end: messages to frames, with a counter that never repeats.
//!
//! Counters are reserved in blocks, and a block is used only after its end was written durably.
//! After a loss of power the sender begins behind the block, and what was left of it is never used.
//! The receiver cannot follow that jump from a truncated counter: [`Sender::resync`] carries it.

use super::codec::{Keys, Subject, seal_resync};
use super::keys::NodeKey;
use super::{Address, Direction, NODE_MAX, RESYNC_REGISTER, Scheme};
use crate::frame::{CanFrame, CanId, FrameError};

/// What a sender keeps durably. One that is set back to an older state repeats counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderRecord {
    /// The least counter that was never reserved.
    pub first_free: u64,
}

/// That of a sender that never sent.
impl Default for SenderRecord {
    fn default() -> Self {
        Self { first_free: 1 }
    }
}

/// Why a message is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A node that no identifier has.
    #[error("node {found}, expected 0 to 31; use one of them")]
    Node {
        /// What was given.
        found: u8,
    },
    /// An identifier of another node, or one that is no data's.
    #[error(
        "the identifier {found} is not one of data of node {node}, expected register * 32 + \
         {node} with a register from 0 to 31, by the compact scheme to 63, that is neither 30 nor \
         62; use one"
    )]
    Identifier {
        /// What was given.
        found: CanId,
        /// The node.
        node: u8,
    },
    /// More data than a message has.
    #[error("{found} data bytes, and a message of this scheme has at most {most}; split them")]
    DataLength {
        /// How many were given.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The block of counters is used up.
    #[error("counter {counter} is not reserved; reserve a block before the message is sealed")]
    NotReserved {
        /// The counter that comes next.
        counter: u64,
    },
    /// Bytes that make no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// One direction of one node, at the end that sends.
///
/// Messages have one counter, whatever their register, so their frames must leave in the order in
/// which they were sealed: mailboxes that send by identifier would let one overtake another.
#[derive(Debug)]
pub struct Sender {
    scheme: Scheme,
    node: u8,
    direction: Direction,
    keys: Keys,
    next: u64,
    record: SenderRecord,
}

impl Sender {
    /// A sender that has just started, with what it had kept. `node` is 0 to 31; with another one
    /// nothing is sealed.
    pub fn new(
        scheme: Scheme,
        node: u8,
        direction: Direction,
        key: &NodeKey,
        record: SenderRecord,
    ) -> Self {
        let next = record.first_free.max(1);
        Self { scheme, node, direction, keys: Keys::new(key, scheme), next, record }
    }

    /// How many messages can be sealed before a block has to be reserved.
    pub const fn reserved(&self) -> u64 {
        self.record.first_free.saturating_sub(self.next)
    }

    /// Reserves so many counters more. They are used only if `write` has kept the record durably.
    pub fn reserve<E>(
        &mut self,
        block: u32,
        write: impl FnOnce(SenderRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = self.record.first_free.max(self.next);
        let record = SenderRecord { first_free: end.saturating_add(u64::from(block)) };
        write(record)?;
        self.record = record;
        Ok(())
    }

    /// The frames of a message.
    pub fn seal(&mut self, id: CanId, data: &[u8]) -> Result<Vec<CanFrame>, SealError> {
        let address = Address::of(id)
            .map(|address| address.by(self.scheme))
            .filter(|address| !address.closes && address.node() == self.node)
            .filter(|address| address.register() != RESYNC_REGISTER)
            .ok_or(SealError::Identifier { found: id, node: self.node })?;
        let (found, most) = (data.len(), self.scheme.data_bytes_max());
        if found > most {
            return Err(SealError::DataLength { found, most });
        }
        let counter = self.take_counter()?;
        let subject = Subject { address, direction: self.direction, data };
        Ok(subject.seal(&self.keys, self.scheme, counter)?)
    }

    /// The frames that carry the whole counter: after a start, and whenever a receiver may have
    /// missed more messages than the truncated counter spans.
    pub fn resync(&mut self) -> Result<Vec<CanFrame>, SealError> {
        let counter = self.take_counter()?;
        let data_id = RESYNC_REGISTER * 32 + u16::from(self.node);
        let address = Address { data_id, closes: false };
        Ok(seal_resync(&self.keys, address, self.direction, counter)?)
    }

    fn take_counter(&mut self) -> Result<u64, SealError> {
        if self.node > NODE_MAX {
            return Err(SealError::Node { found: self.node });
        }
        if self.reserved() == 0 {
            return Err(SealError::NotReserved { counter: self.next });
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}
