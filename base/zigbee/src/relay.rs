//! The payload of the two opcodes that relay frames between a node and the platform.
//!
//! Numbers in front of the node's frame have the high byte first, as all of the gateway's packet;
//! the node's frame follows byte for byte, with the low byte first as ZigBee has it:
//!
//! | bytes | field |
//! |---|---|
//! | 2 | network address of the node |
//! | 8 | EUI-64 of the node |
//! | 1 | source endpoint |
//! | 1 | destination endpoint |
//! | 2 | profile |
//! | 2 | cluster |
//! | 1 | link quality; 0 to a node |
//! | 1 | counter of the application support layer |
//! | rest | cluster frame, or of profile 0 its frame |

use crate::address::{Eui64, ShortAddress};
use crate::bytes::{DecodeError, Reader};
use crate::zcl::Frame;
use crate::zdp::{self, Zdp};

/// Bytes before the node's frame.
pub const HEADER_LENGTH: usize = 18;
/// Bytes of a node's frame that pass the radio without fragments, with network security (ZigBee
/// 05-3474, derived from the 127 bytes of a radio frame; unverified).
pub const FRAME_MAX: usize = 82;

/// A node's frame with its addresses. The node is the sender of one that goes up and the receiver
/// of one that goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relay<'a> {
    /// The node's network address.
    pub short: ShortAddress,
    /// The node's own address.
    pub eui64: Eui64,
    /// Endpoint of the sender.
    pub source_endpoint: u8,
    /// Endpoint of the receiver.
    pub destination_endpoint: u8,
    /// Profile: 0 for [`zdp`], otherwise that of an application.
    pub profile: u16,
    /// Cluster.
    pub cluster: u16,
    /// Link quality, of 255.
    pub lqi: u8,
    /// Counter by which repeated frames are recognised.
    pub aps_counter: u8,
    /// The frame.
    pub frame: &'a [u8],
}

/// A node's frame, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Of a cluster.
    Zcl(Frame<'a>),
    /// Of profile 0.
    Zdp(Zdp),
}

impl<'a> Relay<'a> {
    /// Reads a payload; the node's frame stays as it is.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            short: ShortAddress(reader.big("network address", 2)? as u16),
            eui64: Eui64(reader.big("EUI-64", 8)?),
            source_endpoint: reader.u8("source endpoint")?,
            destination_endpoint: reader.u8("destination endpoint")?,
            profile: reader.big("profile", 2)? as u16,
            cluster: reader.big("cluster", 2)? as u16,
            lqi: reader.u8("link quality")?,
            aps_counter: reader.u8("counter of the application support layer")?,
            frame: reader.rest(),
        })
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.short.0.to_be_bytes());
        out.extend(self.eui64.0.to_be_bytes());
        out.extend([self.source_endpoint, self.destination_endpoint]);
        out.extend(self.profile.to_be_bytes());
        out.extend(self.cluster.to_be_bytes());
        out.extend([self.lqi, self.aps_counter]);
        out.extend(self.frame);
    }

    /// Reads the node's frame. Positions in errors count from its start.
    pub fn content(&self) -> Result<Content<'a>, DecodeError> {
        if self.profile == zdp::PROFILE {
            Zdp::decode(self.cluster, self.frame).map(Content::Zdp)
        } else {
            Frame::decode(self.frame).map(Content::Zcl)
        }
    }
}
