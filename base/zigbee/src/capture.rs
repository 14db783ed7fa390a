//! Relayed frames as a capture file (pcap) of IEEE 802.15.4 frames, for Wireshark and tshark.
//!
//! A gateway relays what is inside of the network layer. The layers outside of it are written here
//! as a radio would have sent them: medium access (IEEE 802.15.4-2006, 7.2), network (ZigBee
//! 05-3474, 3.3.1) and application support (2.2.5.1), without security and, between a node and the
//! coordinator, in one hop. Clauses are unverified; tshark reads what is written.

use std::io::{self, Write};
use std::time::Duration;

use thiserror::Error;

use crate::address::{Eui64, ShortAddress};
use crate::bytes::crc16;
use crate::opcode::Direction;
use crate::relay::Relay;
use crate::zdp;

/// Whether frames end in their check sequence: the link type of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameCheck {
    /// They do (link type 195), and tshark checks it.
    Written,
    /// They do not (link type 230).
    LeftOut,
}

impl FrameCheck {
    const fn link_type(self) -> u32 {
        match self {
            Self::Written => 195,
            Self::LeftOut => 230,
        }
    }
}

/// Why a frame was not written.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// It would be longer than a radio can send.
    #[error("frame of {found} bytes in the radio, expected at most 127; it needs fragments")]
    TooLong {
        /// Its length, with the check sequence.
        found: usize,
    },
    /// The file ends at 2^32 seconds.
    #[error("time {found_s} s, expected less than 2^32 s")]
    Time {
        /// The time.
        found_s: u64,
    },
    /// The file could not be written.
    #[error("capture could not be written: {0}")]
    Io(#[from] io::Error),
}

/// Bytes of a radio frame, its check sequence included.
const RADIO_MAX: usize = 127;
const CHECK_LENGTH: usize = 2;
/// Hops that a frame may take.
const RADIUS: u8 = 30;

// Frame control of medium access: data, one network, short addresses.
const MAC_DATA: u16 = 0x8841;
const MAC_WANTS_ACKNOWLEDGEMENT: u16 = 1 << 5;
// Frame control of the network layer: data, protocol version 2, route discovery as needed.
const NETWORK_DATA: u16 = 2 << 2 | 1 << 6;
const NETWORK_HAS_DESTINATION: u16 = 1 << 11;
const NETWORK_HAS_SOURCE: u16 = 1 << 12;
// Frame control of application support: data; to one node, or to all.
const SUPPORT_DATA: u8 = 0;
const SUPPORT_BROADCAST: u8 = 2 << 2;
const SUPPORT_WANTS_ACKNOWLEDGEMENT: u8 = 1 << 6;

/// A capture file that grows.
#[derive(Debug)]
pub struct Capture<W> {
    out: W,
    check: FrameCheck,
    pan: u16,
    sequence: u8,
}

impl<W: Write> Capture<W> {
    /// Begins a file of the network with this identifier.
    pub fn new(mut out: W, check: FrameCheck, pan: u16) -> io::Result<Self> {
        // Nanoseconds; version 2.4; no time zone, no accuracy.
        let head = [0xA1B2_3C4D_u32, 4 << 16 | 2, 0, 0, RADIO_MAX as u32, check.link_type()];
        for word in head {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { out, check, pan, sequence: 0 })
    }

    /// Adds a frame between a node and the coordinator, at a time since 1970.
    pub fn frame(
        &mut self,
        at: Duration,
        way: Direction,
        relay: &Relay<'_>,
    ) -> Result<(), CaptureError> {
        let found_s = at.as_secs();
        let seconds = u32::try_from(found_s).map_err(|_| CaptureError::Time { found_s })?;
        let mut bytes = self.radio_frame(way, relay);
        let found = bytes.len() + CHECK_LENGTH;
        if found > RADIO_MAX {
            return Err(CaptureError::TooLong { found });
        }
        if self.check == FrameCheck::Written {
            bytes.extend(crc16(&bytes).to_le_bytes());
        }
        let length = bytes.len() as u32;
        for word in [seconds, at.subsec_nanos(), length, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(&bytes)?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// A frame without its check sequence.
    fn radio_frame(&self, way: Direction, relay: &Relay<'_>) -> Vec<u8> {
        let coordinator = ShortAddress::COORDINATOR;
        // A node announces itself to all that listen.
        let announces = (relay.profile, relay.cluster) == (zdp::PROFILE, zdp::DEVICE_ANNOUNCE);
        let (source, destination) = match way {
            Direction::Up if announces => (relay.short, ShortAddress::BROADCAST_LISTENING),
            Direction::Up => (relay.short, coordinator),
            Direction::Down => (coordinator, relay.short),
        };
        let mut out = Vec::with_capacity(RADIO_MAX);
        self.medium_access(source, destination, &mut out);
        self.network(way, (source, destination), relay.eui64, &mut out);
        let delivery = if destination.is_broadcast() {
            SUPPORT_BROADCAST
        } else {
            SUPPORT_WANTS_ACKNOWLEDGEMENT
        };
        out.extend([SUPPORT_DATA | delivery, relay.destination_endpoint]);
        out.extend(relay.cluster.to_le_bytes());
        out.extend(relay.profile.to_le_bytes());
        out.extend([relay.source_endpoint, relay.aps_counter]);
        out.extend(relay.frame);
        out
    }

    fn medium_access(&self, source: ShortAddress, destination: ShortAddress, out: &mut Vec<u8>) {
        let (control, to) = if destination.is_broadcast() {
            (MAC_DATA, ShortAddress::BROADCAST)
        } else {
            (MAC_DATA | MAC_WANTS_ACKNOWLEDGEMENT, destination)
        };
        out.extend(control.to_le_bytes());
        out.push(self.sequence);
        for field in [self.pan, to.0, source.0] {
            out.extend(field.to_le_bytes());
        }
    }

    fn network(
        &self,
        way: Direction,
        (source, destination): (ShortAddress, ShortAddress),
        eui64: Eui64,
        out: &mut Vec<u8>,
    ) {
        // The node's own address stands beside its short one.
        let has = match way {
            Direction::Up => NETWORK_HAS_SOURCE,
            Direction::Down => NETWORK_HAS_DESTINATION,
        };
        for field in [NETWORK_DATA | has, destination.0, source.0] {
            out.extend(field.to_le_bytes());
        }
        out.extend([RADIUS, self.sequence]);
        out.extend(eui64.0.to_le_bytes());
    }
}
