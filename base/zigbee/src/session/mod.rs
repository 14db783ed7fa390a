//! Both ends of a gateway's connection as machines: bytes and times in, bytes and events out.
//!
//! 1. The gateway sends `hello` in clear: a nonce, its network's name, a tag that proves its key.
//! 2. The platform sends `accept`: a nonce of its own, its time, up to where numbered packets are
//!    on disk, a tag that proves its key and is about the gateway's nonce. Or `reject`, with the
//!    reason, and ends the connection.
//! 3. Both derive one key for each direction. The first packet under the gateway's key opens the
//!    session: from then on the platform knows that nobody repeats an old `hello`.
//! 4. Serial numbers rise strictly in each direction. What does not fit ends the connection, but
//!    for a packet with a wrong time, an unknown opcode or a bad payload, which is refused by
//!    itself.

mod gateway;
mod platform;
#[cfg(test)]
mod tests;

pub use gateway::{GatewayEnd, GatewayEvent, GatewaySettings};
pub use platform::{KnownNetwork, Limits, PlatformEnd, PlatformEvent};

use lastmeter_units::SimTime;

use crate::keys::{DirectionKey, NetworkKey, Nonce};
use crate::opcode::{Administration, Direction, Opcode};
use crate::packet::{GatewayAddress, HEADER_BYTES, Header, PacketError, TAG_BYTES, is_clear};

lastmeter_units::words! {
    /// Why a packet, or a connection with it, was refused. A number in `reject`: its place here.
    pub enum Refusal {
        /// The stream holds something that begins no packet of this version.
        Version = "version",
        /// A length that no packet has.
        Length = "length",
        /// The first packet is no `hello`, or one in clear came later.
        Handshake = "handshake",
        /// No `hello`, no answer to it, or nothing at all for too long.
        Silent = "silent",
        /// No network is registered for the gateway's address.
        UnknownGateway = "unknown_gateway",
        /// The network has another name.
        WrongName = "wrong_name",
        /// The tag does not prove the network's key.
        WrongKey = "wrong_key",
        /// The gateway is connected otherwise and that connection stays, or the network is closed.
        Closed = "closed",
        /// Another gateway's address in the midst of a connection.
        OtherGateway = "other_gateway",
        /// A packet of the other direction.
        Direction = "direction",
        /// A serial number that came before.
        RepeatedSerial = "repeated_serial",
        /// The packet is not what the other end has sealed.
        WrongTag = "wrong_tag",
        /// Too far from the platform's time.
        WrongTime = "wrong_time",
        /// No opcode has this number.
        UnknownOpcode = "unknown_opcode",
        /// The payload is none of its opcode.
        BadPayload = "bad_payload",
    }
}

impl Refusal {
    /// Whether it ends the connection.
    pub const fn ends_connection(self) -> bool {
        !matches!(self, Self::WrongTime | Self::UnknownOpcode | Self::BadPayload)
    }
}

impl From<PacketError> for Refusal {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Version { .. } => Self::Version,
            PacketError::Short { .. } | PacketError::Oversized { .. } => Self::Length,
        }
    }
}

/// The instant of a step by both clocks that matter. An instant alone stands for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instants {
    /// By the clock that readings are dated with, which may be driven: headers have it.
    pub clock: SimTime,
    /// By a clock that nobody drives or sets: how long somebody is silent.
    pub watch: SimTime,
}

impl From<SimTime> for Instants {
    fn from(now: SimTime) -> Self {
        Self { clock: now, watch: now }
    }
}

/// Unix seconds of an instant, as headers have them.
fn unix_s(now: SimTime) -> u32 {
    u32::try_from(now.as_nanoseconds().div_euclid(1_000_000_000)).unwrap_or_default()
}

/// The keys of a connection and where its serial numbers stand.
#[derive(Debug)]
struct Keys {
    own: DirectionKey,
    other: DirectionKey,
    own_serial: u32,
    other_serial: u32,
}

impl Keys {
    /// Of the end that sends into a direction; `hello` and `accept` had the serial number 0.
    fn new(
        key: &NetworkKey,
        gateway: GatewayAddress,
        nonces: (&Nonce, &Nonce),
        own: Direction,
    ) -> Self {
        let other = match own {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        let of = |direction| DirectionKey::new(key, gateway, nonces, direction);
        Self { own: of(own), other: of(other), own_serial: 0, other_serial: 0 }
    }

    /// Writes a packet, sealed; false if the serial numbers of the connection are used up.
    fn seal(
        &mut self,
        gateway: GatewayAddress,
        opcode: Opcode,
        time_s: u32,
        write: impl FnOnce(&mut Vec<u8>),
        to: &mut Vec<u8>,
    ) -> bool {
        let Some(serial) = self.own_serial.checked_add(1) else { return false };
        self.own_serial = serial;
        put_packet(gateway, opcode, (time_s, serial), write, to, |header, head, payload| {
            self.own.seal(header, head, payload)
        });
        true
    }
}

/// Writes a packet whose tag is made by a function of header and payload.
fn put_packet(
    gateway: GatewayAddress,
    opcode: Opcode,
    (time_s, serial): (u32, u32),
    write: impl FnOnce(&mut Vec<u8>),
    to: &mut Vec<u8>,
    tag: impl FnOnce(&Header, &[u8; HEADER_BYTES], &mut [u8]) -> [u8; TAG_BYTES],
) {
    let at = to.len();
    to.extend_from_slice(&[0; HEADER_BYTES]);
    let from = to.len();
    write(to);
    // Callers write payloads that fit: the outbox and the platform hold them against the limit.
    let length = (to.len() - from + TAG_BYTES) as u16;
    let header = Header { length, gateway, opcode: opcode.code(), time_s, serial };
    let head = header.encode();
    to[at..from].copy_from_slice(&head);
    let tag = tag(&header, &head, &mut to[from..]);
    to.extend_from_slice(&tag);
}

/// Writes `reject`. It has no tag: an end that is refused may have no key in common.
fn put_reject(gateway: GatewayAddress, time_s: u32, refusal: Refusal, to: &mut Vec<u8>) {
    let write = |to: &mut Vec<u8>| to.push(refusal as u8);
    let tag = |_: &Header, _: &[u8; HEADER_BYTES], _: &mut [u8]| [0; TAG_BYTES];
    put_packet(gateway, Administration::Reject.into(), (time_s, 0), write, to, tag);
}

/// Whether a header admits a packet under the keys that goes into a direction. Only then is it
/// decrypted.
fn admitted(
    header: &Header,
    gateway: GatewayAddress,
    keys: &Keys,
    direction: Direction,
) -> Result<(), Refusal> {
    if header.gateway != gateway {
        return Err(Refusal::OtherGateway);
    }
    if let Some(opcode) = header.opcode() {
        if is_clear(opcode) {
            return Err(Refusal::Handshake);
        }
        if opcode.direction() != direction {
            return Err(Refusal::Direction);
        }
    }
    if header.serial <= keys.other_serial {
        return Err(Refusal::RepeatedSerial);
    }
    Ok(())
}
