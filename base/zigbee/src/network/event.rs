//! What happens in a network, as its coordinator and as a node see it.

use super::delivery::{Failure, Handle};
use super::frame::ApsFrame;
use crate::address::{Eui64, ShortAddress};
use crate::zdp::Capability;

/// How a node came to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// It left by itself.
    Announced,
    /// It was removed.
    Removed,
    /// It joins like a new one, so it must have left unheard.
    Unheard,
    /// It was silent for too long.
    Forgotten,
}

/// Why a node is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Joining is not permitted.
    NotPermitted,
    /// The table is full.
    Full,
    /// It was removed before.
    Removed,
}

/// What happened in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A node is a member.
    Joined {
        /// Which.
        node: Eui64,
        /// Its short address.
        address: ShortAddress,
        /// What it stated of itself.
        capability: Capability,
    },
    /// A member has another short address.
    AddressChanged {
        /// Which.
        node: Eui64,
        /// Its address until now, which is free.
        from: ShortAddress,
        /// Its address from now on.
        to: ShortAddress,
    },
    /// A node is a member no more.
    Left {
        /// Which.
        node: Eui64,
        /// The address that it had, which is free.
        address: ShortAddress,
        /// How it came to leave.
        how: Departure,
    },
    /// A member was silent for too long.
    Lost(Eui64),
    /// A lost member was heard again.
    Back(Eui64),
    /// Two nodes use one address; both get another one.
    Conflict {
        /// The address.
        address: ShortAddress,
        /// Its owner, and who announced it.
        nodes: [Eui64; 2],
    },
    /// A node may not join or rejoin.
    Refused(Eui64, Refusal),
    /// Data of a member, each message once.
    Received {
        /// Who sent it.
        node: Eui64,
        /// The sender's short address.
        address: ShortAddress,
        /// The message's counter.
        aps_counter: u8,
        /// The data.
        aps: ApsFrame,
    },
    /// A message was acknowledged.
    Delivered(Handle),
    /// A message was given up.
    Undelivered(Handle, Failure),
}

/// What happened to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// It is a member.
    Joined(ShortAddress),
    /// It is a member again, or has another address.
    Rejoined {
        /// Its address until now.
        from: ShortAddress,
        /// Its address from now on.
        to: ShortAddress,
    },
    /// Its parent is silent.
    Orphaned,
    /// It is a member no more.
    Left,
    /// It may not join or rejoin now.
    Refused,
    /// Data for it, each message once.
    Received(ApsFrame),
    /// A message was acknowledged.
    Delivered(Handle),
    /// A message was given up.
    Undelivered(Handle, Failure),
}
