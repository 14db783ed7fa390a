//! The packet between a gateway and the platform, and packets out of a stream of bytes.
//!
//! Big-endian: version u16, length u16 (of what follows the header), gateway u64, opcode u16,
//! time u32 (Unix seconds), serial number u32, payload, tag of 8 bytes. The header is in clear and
//! authenticated; the payload is encrypted, but for [`hello`, `accept` and
//! `reject`](crate::session).

use std::fmt;

use thiserror::Error;

use crate::opcode::{Administration, Opcode};

/// The version of the packet's layout.
pub const VERSION: u16 = 1;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 22;
/// Bytes of the tag behind the payload.
pub const TAG_BYTES: usize = 8;
/// The most bytes of a payload. A table of 500 nodes has 5,500.
pub const PAYLOAD_BYTES_MAX: usize = 8192;

/// A gateway's address: it identifies the local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayAddress(pub u64);

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for GatewayAddress {
    type Err = AddressError;

    /// Reads sixteen hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = || AddressError(text.to_owned());
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| error())
    }
}

/// A text that is no gateway's address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}`, expected a gateway's address: sixteen hexadecimal digits")]
pub struct AddressError(pub String);

/// What stands before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes behind the header, the tag among them.
    pub length: u16,
    /// Whose packet it is.
    pub gateway: GatewayAddress,
    /// What it is for, by number.
    pub opcode: u16,
    /// When it was sent: Unix seconds by the sender's clock.
    pub time_s: u32,
    /// The sender's packets of this connection, counted from 0 (`hello`, `accept`).
    pub serial: u32,
}

impl Header {
    /// The header as it is sent.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
        bytes[2..4].copy_from_slice(&self.length.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.gateway.0.to_be_bytes());
        bytes[12..14].copy_from_slice(&self.opcode.to_be_bytes());
        bytes[14..18].copy_from_slice(&self.time_s.to_be_bytes());
        bytes[18..].copy_from_slice(&self.serial.to_be_bytes());
        bytes
    }

    /// Reads a header whose version and length may be wrong.
    fn read(bytes: &[u8; HEADER_BYTES]) -> (u16, Self) {
        let two = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let four = |at: usize| u32::from(two(at)) << 16 | u32::from(two(at + 2));
        let gateway = GatewayAddress(u64::from(four(4)) << 32 | u64::from(four(8)));
        let (time_s, serial) = (four(14), four(18));
        (two(0), Self { length: two(2), gateway, opcode: two(12), time_s, serial })
    }

    /// What it is for; `None` if no opcode has its number.
    pub fn opcode(&self) -> Option<Opcode> {
        Opcode::of(self.opcode)
    }
}

/// Bytes that are no packet: what stands behind them cannot be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Another version, or no packet at all.
    #[error("version {found} at the start of a packet, expected {VERSION}")]
    Version {
        /// What stands there.
        found: u16,
    },
    /// Shorter than a tag.
    #[error("length {found} of a packet, expected at least {TAG_BYTES}")]
    Short {
        /// What stands there.
        found: u16,
    },
    /// Longer than any packet.
    #[error("length {found} of a packet, expected at most {}", PAYLOAD_BYTES_MAX + TAG_BYTES)]
    Oversized {
        /// What stands there.
        found: u16,
    },
}

/// A whole packet as it came.
#[derive(Debug)]
pub struct Sealed<'a> {
    /// Its header.
    pub header: Header,
    /// The header's bytes: what the tag is about.
    pub head: [u8; HEADER_BYTES],
    /// The payload, encrypted or not. It is decrypted in place.
    pub payload: &'a mut [u8],
    /// The tag behind it.
    pub tag: [u8; TAG_BYTES],
}

/// Takes packets out of a stream of bytes. It holds at most one packet that is not whole, and what
/// was pushed and not taken.
#[derive(Debug, Default)]
pub struct PacketReader {
    bytes: Vec<u8>,
    /// Up to here they were taken.
    taken: usize,
}

impl PacketReader {
    /// Adds bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        } else if self.taken > PAYLOAD_BYTES_MAX {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// The next whole packet; `None` until more bytes come.
    ///
    /// # Errors
    /// If what stands there begins no packet. The stream is of no use from there on.
    pub fn next_packet(&mut self) -> Result<Option<Sealed<'_>>, PacketError> {
        let Some(head) = self.bytes[self.taken..].first_chunk::<HEADER_BYTES>().copied() else {
            // A wrong version is reported before a header's worth of it has come.
            return match self.bytes[self.taken..]
                .first_chunk::<2>()
                .map(|it| u16::from_be_bytes(*it))
            {
                Some(found) if found != VERSION => Err(PacketError::Version { found }),
                _ => Ok(None),
            };
        };
        let (version, header) = Header::read(&head);
        let found = header.length;
        if version != VERSION {
            return Err(PacketError::Version { found: version });
        }
        let length = usize::from(found);
        if length < TAG_BYTES {
            return Err(PacketError::Short { found });
        }
        if length > PAYLOAD_BYTES_MAX + TAG_BYTES {
            return Err(PacketError::Oversized { found });
        }
        let from = self.taken + HEADER_BYTES;
        let Some(body) = self.bytes.get_mut(from..from + length) else { return Ok(None) };
        self.taken = from + length;
        let (payload, tag) = body.split_at_mut(length - TAG_BYTES);
        let mut copy = [0; TAG_BYTES];
        copy.copy_from_slice(tag);
        Ok(Some(Sealed { header, head, payload, tag: copy }))
    }
}

/// Whether packets of an opcode are sent in clear.
pub fn is_clear(opcode: Opcode) -> bool {
    use Administration::{Accept, Hello, Reject};
    matches!(opcode, Opcode::Administration(Hello | Accept | Reject))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(payload: &[u8], serial: u32) -> Vec<u8> {
        let header = Header {
            length: (payload.len() + TAG_BYTES) as u16,
            gateway: GatewayAddress(0x0102_0304_0506_0708),
            opcode: 0x100,
            time_s: 0x6000_0000,
            serial,
        };
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(&[0xA5; TAG_BYTES]);
        bytes
    }

    #[test]
    fn the_header_is_laid_out_as_documented() {
        assert_eq!(
            packet(b"xy", 0x0A0B_0C0D),
            [
                0, 1, 0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0x60, 0, 0, 0, 0x0A, 0x0B, 0x0C, 0x0D,
                b'x', b'y', 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5
            ]
        );
    }

    #[test]
    fn what_begins_no_packet_is_an_error() {
        for (bytes, expected) in [
            (&[0, 2][..], PacketError::Version { found: 2 }),
            (&b"GET / HTTP/1.1"[..], PacketError::Version { found: 0x4745 }),
        ] {
            let mut reader = PacketReader::default();
            reader.push(bytes);
            assert_eq!(reader.next_packet().unwrap_err(), expected);
        }
        for (length, expected) in
            [(7, PacketError::Short { found: 7 }), (8201, PacketError::Oversized { found: 8201 })]
        {
            let mut bytes = packet(b"", 0);
            bytes[2..4].copy_from_slice(&u16::to_be_bytes(length));
            let mut reader = PacketReader::default();
            reader.push(&bytes);
            assert_eq!(reader.next_packet().unwrap_err(), expected);
        }
    }

    #[test]
    fn an_address_is_sixteen_digits() {
        let address = GatewayAddress(0x00AA_0000_0000_0001);
        assert_eq!(address.to_string(), "00aa000000000001");
        assert_eq!("00AA000000000001".parse(), Ok(address));
        for wrong in ["", "1", "+0aa000000000001", "00aa0000000000011", "00aa00000000000g"] {
            assert!(wrong.parse::<GatewayAddress>().is_err(), "{wrong}");
        }
    }

    proptest! {
        /// However the stream is cut, the same packets come out of it.
        #[test]
        fn packets_come_out_of_any_pieces(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..40),
            cuts in prop::collection::vec(1..500_usize, 1..40),
        ) {
            let mut stream = Vec::new();
            for (place, payload) in payloads.iter().enumerate() {
                stream.extend(packet(payload, place as u32));
            }
            let (mut reader, mut found) = (PacketReader::default(), Vec::new());
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                let (piece, behind) = rest.split_at(rest.len().min(*cut));
                reader.push(piece);
                while let Some(packet) = reader.next_packet().unwrap() {
                    prop_assert_eq!(packet.header.serial as usize, found.len());
                    prop_assert_eq!(packet.head, packet.header.encode());
                    found.push(packet.payload.to_vec());
                }
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, payloads);
            prop_assert_eq!(reader.waiting(), 0);
        }
    }
}
