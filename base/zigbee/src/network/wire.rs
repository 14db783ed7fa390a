//! A frame of the network as bytes, for media that carry bytes. The layout is this project's own:
//! it has what the headers of link, network and application support have together, and no codes
//! that protect it, since media lose what they damage.
//!
//! | bytes | field |
//! |---|---|
//! | 2, 8 | short address and EUI-64 of the sender |
//! | 2 | short address of the receiver |
//! | 1 | bit 0: the receiver's EUI-64 follows (8); bit 1: the frame counter follows (4) |
//! | 1 | what it is for, by the order of [`Body`] |
//! | rest | its fields, numbers with the low byte first |

use super::frame::{ApsFrame, Body, JoinStatus, RadioFrame};
use crate::address::{Eui64, ShortAddress};
use crate::bytes::{DecodeError, Reader};
use crate::zdp::Capability;

const HAS_EUI: u8 = 1;
const HAS_COUNTER: u8 = 1 << 1;

const DATA: u8 = 9;

impl RadioFrame {
    /// Writes it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.source.0.to_le_bytes());
        out.extend(self.source_eui.0.to_le_bytes());
        out.extend(self.destination.0.to_le_bytes());
        let has_eui = if self.destination_eui.is_some() { HAS_EUI } else { 0 };
        let has_counter = if self.counter.is_some() { HAS_COUNTER } else { 0 };
        out.push(has_eui | has_counter);
        out.extend(self.destination_eui.iter().flat_map(|eui| eui.0.to_le_bytes()));
        out.extend(self.counter.iter().flat_map(|counter| counter.to_le_bytes()));
        match &self.body {
            Body::AssociationRequest(capability) => out.extend([0, capability.0]),
            Body::AssociationResponse(status) => put_status(1, *status, out),
            Body::RejoinRequest(capability) => out.extend([2, capability.0]),
            Body::RejoinResponse(status) => put_status(3, *status, out),
            Body::Announce(capability) => out.extend([4, capability.0]),
            Body::Leave { request, rejoin } => out.extend([5, (*request).into(), (*rejoin).into()]),
            Body::Acknowledge { counter } => {
                out.push(6);
                out.extend(counter.to_le_bytes());
            }
            Body::Poll => out.push(7),
            Body::PollAnswer { pending } => out.extend([8, (*pending).into()]),
            Body::Data { aps_counter, acknowledge, aps } => {
                out.extend([DATA, *aps_counter, (*acknowledge).into()]);
                out.extend(aps.profile.to_le_bytes());
                out.extend(aps.cluster.to_le_bytes());
                out.extend([aps.source_endpoint, aps.destination_endpoint]);
                out.extend(&aps.payload);
            }
            Body::DataAcknowledge { aps_counter } => out.extend([10, *aps_counter]),
        }
    }

    /// Reads one; it has to be all of the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let source = ShortAddress(reader.u16("short address of the sender")?);
        let source_eui = Eui64(reader.u64("EUI-64 of the sender")?);
        let destination = ShortAddress(reader.u16("short address of the receiver")?);
        let (what, at) = ("flags of a frame", reader.at());
        let flags = reader.u8(what)?;
        if flags > HAS_EUI | HAS_COUNTER {
            let (found, expected) = (flags.into(), "bits 0 and 1 only");
            return Err(DecodeError::Unexpected { what, at, found, expected });
        }
        let mut destination_eui = None;
        if flags & HAS_EUI != 0 {
            destination_eui = Some(Eui64(reader.u64("EUI-64 of the receiver")?));
        }
        let mut counter = None;
        if flags & HAS_COUNTER != 0 {
            counter = Some(reader.u32("frame counter")?);
        }
        let body = take_body(&mut reader)?;
        reader.end("frame")?;
        Ok(Self { source, source_eui, destination, destination_eui, counter, body })
    }
}

fn put_status(kind: u8, status: JoinStatus, out: &mut Vec<u8>) {
    // Status codes of IEEE 802.15.4.
    let (code, address) = match status {
        JoinStatus::Success(address) => (0, address),
        JoinStatus::AtCapacity => (1, ShortAddress(0xFFFF)),
        JoinStatus::Denied => (2, ShortAddress(0xFFFF)),
    };
    out.push(kind);
    out.extend(address.0.to_le_bytes());
    out.push(code);
}

fn take_status(reader: &mut Reader<'_>) -> Result<JoinStatus, DecodeError> {
    let address = ShortAddress(reader.u16("assigned address")?);
    let (what, at) = ("status of joining", reader.at());
    match reader.u8(what)? {
        0 => Ok(JoinStatus::Success(address)),
        1 => Ok(JoinStatus::AtCapacity),
        2 => Ok(JoinStatus::Denied),
        found => {
            let (found, expected) = (found.into(), "00, 01 or 02");
            Err(DecodeError::Unexpected { what, at, found, expected })
        }
    }
}

fn take_flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, DecodeError> {
    let at = reader.at();
    match reader.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        found => {
            let (found, expected) = (found.into(), "00 or 01");
            Err(DecodeError::Unexpected { what, at, found, expected })
        }
    }
}

fn take_body(reader: &mut Reader<'_>) -> Result<Body, DecodeError> {
    let (what, at) = ("kind of a frame", reader.at());
    let capability = |reader: &mut Reader<'_>| reader.u8("capability").map(Capability);
    Ok(match reader.u8(what)? {
        0 => Body::AssociationRequest(capability(reader)?),
        1 => Body::AssociationResponse(take_status(reader)?),
        2 => Body::RejoinRequest(capability(reader)?),
        3 => Body::RejoinResponse(take_status(reader)?),
        4 => Body::Announce(capability(reader)?),
        5 => Body::Leave {
            request: take_flag(reader, "request to leave")?,
            rejoin: take_flag(reader, "rejoining")?,
        },
        6 => Body::Acknowledge { counter: reader.u32("acknowledged frame counter")? },
        7 => Body::Poll,
        8 => Body::PollAnswer { pending: take_flag(reader, "pending data")? },
        DATA => {
            let aps_counter = reader.u8("counter of a message")?;
            let acknowledge = take_flag(reader, "wish for an acknowledgement")?;
            let (profile, cluster) = (reader.u16("profile")?, reader.u16("cluster")?);
            let source_endpoint = reader.u8("source endpoint")?;
            let destination_endpoint = reader.u8("destination endpoint")?;
            let payload = reader.take("payload", reader.rest().len())?.to_vec();
            let aps = ApsFrame { profile, cluster, source_endpoint, destination_endpoint, payload };
            Body::Data { aps_counter, acknowledge, aps }
        }
        10 => Body::DataAcknowledge { aps_counter: reader.u8("counter of a message")? },
        found => {
            let (found, expected) = (found.into(), "00 to 0A");
            return Err(DecodeError::Unexpected { what, at, found, expected });
        }
    })
}
