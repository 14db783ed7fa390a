//! Frames by which nodes announce themselves and leave (ZigBee 05-3474, 2.4): those of profile 0.

use serde::{Deserialize, Serialize};

use crate::address::{Eui64, ShortAddress};
use crate::bytes::{DecodeError, Reader};

/// The profile of these frames.
pub const PROFILE: u16 = 0x0000;
/// The endpoint that they come from and go to.
pub const ENDPOINT: u8 = 0;
/// Cluster of [`Message::DeviceAnnounce`].
pub const DEVICE_ANNOUNCE: u16 = 0x0013;
/// Cluster of [`Message::LeaveRequest`].
pub const LEAVE_REQUEST: u16 = 0x0034;
/// Cluster of [`Message::LeaveResponse`].
pub const LEAVE_RESPONSE: u16 = 0x8034;

/// What a node is capable of (ZigBee 05-3474, table 3-47, unverified); a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability(pub u8);

impl Capability {
    /// A plug: a router on the mains that listens all the time and gets an address from its parent.
    pub const PLUG: Self = Self(0x8E);
    /// A sensor on a battery that sleeps.
    pub const SLEEPER: Self = Self(0x80);

    /// Whether it routes for others (a full-function device).
    pub const fn is_router(self) -> bool {
        self.0 & 1 << 1 != 0
    }

    /// Whether it has power from the mains.
    pub const fn is_mains_powered(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    /// Whether its receiver is on when it is idle; one whose receiver is not sleeps.
    pub const fn listens_when_idle(self) -> bool {
        self.0 & 1 << 3 != 0
    }
}

/// How a node is to leave (ZigBee 05-3474, 2.4.3.3.5); a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaveFlags(pub u8);

impl LeaveFlags {
    /// It leaves for good.
    pub const FINAL: Self = Self(0);
    /// It leaves and joins again.
    pub const REJOIN: Self = Self(1 << 7);
    /// Its children leave with it.
    pub const REMOVE_CHILDREN: Self = Self(1 << 6);

    /// Whether it joins again.
    pub const fn rejoins(self) -> bool {
        self.0 & Self::REJOIN.0 != 0
    }
}

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A node has joined, or has a new address (2.4.3.1.11).
    DeviceAnnounce {
        /// Its address now.
        short: ShortAddress,
        /// Its address for life.
        eui64: Eui64,
        /// What it is capable of.
        capability: Capability,
    },
    /// A node has to leave (2.4.3.3.5).
    LeaveRequest {
        /// Which; 0 is the one that is asked.
        node: Eui64,
        /// How.
        flags: LeaveFlags,
    },
    /// Whether it does (2.4.4.3.5): 0 for yes.
    LeaveResponse {
        /// The status.
        status: u8,
    },
}

/// A frame of profile 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zdp {
    /// What an answer repeats.
    pub sequence: u8,
    /// What it is about.
    pub message: Message,
}

impl Zdp {
    /// Its cluster.
    pub const fn cluster(&self) -> u16 {
        match self.message {
            Message::DeviceAnnounce { .. } => DEVICE_ANNOUNCE,
            Message::LeaveRequest { .. } => LEAVE_REQUEST,
            Message::LeaveResponse { .. } => LEAVE_RESPONSE,
        }
    }

    /// Reads a frame of this cluster. A cluster that is none of the three is an error with the
    /// position 0 of the frame.
    pub fn decode(cluster: u16, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let sequence = reader.u8("transaction sequence number")?;
        let message = match cluster {
            DEVICE_ANNOUNCE => Message::DeviceAnnounce {
                short: ShortAddress(reader.u16("network address")?),
                eui64: Eui64(reader.u64("extended address")?),
                capability: Capability(reader.u8("capability")?),
            },
            LEAVE_REQUEST => Message::LeaveRequest {
                node: Eui64(reader.u64("extended address")?),
                flags: LeaveFlags(reader.u8("flags")?),
            },
            LEAVE_RESPONSE => Message::LeaveResponse { status: reader.u8("status")? },
            found => {
                let (what, found, at) = ("cluster of profile 0", found.into(), 0);
                let expected = "0013, 0034 or 8034";
                return Err(DecodeError::Unexpected { what, at, found, expected });
            }
        };
        reader.end("frame of profile 0")?;
        Ok(Self { sequence, message })
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.sequence);
        match self.message {
            Message::DeviceAnnounce { short, eui64, capability } => {
                out.extend(short.0.to_le_bytes());
                out.extend(eui64.0.to_le_bytes());
                out.push(capability.0);
            }
            Message::LeaveRequest { node, flags } => {
                out.extend(node.0.to_le_bytes());
                out.push(flags.0);
            }
            Message::LeaveResponse { status } => out.push(status),
        }
    }
}
