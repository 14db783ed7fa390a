//! Addresses of nodes: the one that a node is made with, and the one that its network lends it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The 64-bit address that a node keeps for life (EUI-64, the extended address of IEEE 802.15.4).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Eui64(pub u64);

/// As written on nodes and by coordinators: eight bytes from the highest, with colons.
impl fmt::Display for Eui64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0.to_be_bytes();
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

/// The 16-bit network address that a coordinator gives a node when it joins, and may give another
/// node later (ZigBee 05-3474, 3.6.1.7, unverified).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ShortAddress(pub u16);

impl ShortAddress {
    /// Of every coordinator.
    pub const COORDINATOR: Self = Self(0);
    /// All nodes whose receiver is on when idle (ZigBee 05-3474, 3.6.5, unverified).
    pub const BROADCAST_LISTENING: Self = Self(0xFFFD);
    /// All nodes.
    pub const BROADCAST: Self = Self(0xFFFF);

    /// Whether more than one node is meant.
    pub const fn is_broadcast(self) -> bool {
        self.0 >= 0xFFF8
    }
}

/// As tools of the field write it: `0x1a2b`.
impl fmt::Display for ShortAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}
