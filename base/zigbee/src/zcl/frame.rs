//! The header of a cluster frame (ZCL 075123, 2.4.1), and what follows it.

use crate::bytes::{DecodeError, EncodeError, Reader};
use crate::zcl::global::{self, Record};

/// Whether a command means the same in every cluster (frame control, bits 0 and 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// It does: reading, writing, reporting.
    Global,
    /// It belongs to its cluster.
    Cluster,
}

/// Which side of a cluster a frame is for (frame control, bit 3). A server has the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From client to server: a command to a plug.
    ToServer,
    /// From server to client: a report of a plug.
    ToClient,
}

const MANUFACTURER: u8 = 1 << 2;
const TO_CLIENT: u8 = 1 << 3;
const NO_DEFAULT_RESPONSE: u8 = 1 << 4;

/// The header (ZCL 075123, 2.4.1.1). Bits 5 to 7 of the frame control are reserved: they are
/// written as 0 and ignored when read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether the command belongs to the cluster.
    pub frame_type: FrameType,
    /// Whose command or attributes it is about, if they are a manufacturer's own.
    pub manufacturer: Option<u16>,
    /// Which side it is for.
    pub direction: Direction,
    /// Whether a default response is wanted for errors only.
    pub disable_default_response: bool,
    /// What an answer repeats.
    pub sequence: u8,
    /// The command.
    pub command: u8,
}

impl Header {
    /// A global command.
    pub const fn global(direction: Direction, sequence: u8, command: u8) -> Self {
        Self {
            frame_type: FrameType::Global,
            manufacturer: None,
            direction,
            disable_default_response: false,
            sequence,
            command,
        }
    }

    /// A command of a cluster.
    pub const fn cluster(direction: Direction, sequence: u8, command: u8) -> Self {
        let header = Self::global(direction, sequence, command);
        Self { frame_type: FrameType::Cluster, ..header }
    }

    /// The same, of a manufacturer.
    #[must_use]
    pub const fn of_manufacturer(self, code: u16) -> Self {
        Self { manufacturer: Some(code), ..self }
    }

    /// The same, with a default response for errors only, as reports and responses are sent.
    #[must_use]
    pub const fn without_default_response(self) -> Self {
        Self { disable_default_response: true, ..self }
    }

    /// The header that answers this one, with another command.
    #[must_use]
    pub const fn answer(self, command: u8) -> Self {
        let direction = match self.direction {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        };
        Self { direction, command, disable_default_response: true, ..self }
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut control = match self.frame_type {
            FrameType::Global => 0,
            FrameType::Cluster => 1,
        };
        if self.manufacturer.is_some() {
            control |= MANUFACTURER;
        }
        if self.direction == Direction::ToClient {
            control |= TO_CLIENT;
        }
        if self.disable_default_response {
            control |= NO_DEFAULT_RESPONSE;
        }
        out.push(control);
        out.extend(self.manufacturer.into_iter().flat_map(u16::to_le_bytes));
        out.extend([self.sequence, self.command]);
    }

    /// A whole frame: this header, then records.
    pub fn with_records<'a, R: Record<'a>>(self, records: &[R]) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        self.encode(&mut out);
        global::encode(records, &mut out)?;
        Ok(out)
    }
}

/// A frame: its header and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// What follows it, which the command gives its meaning.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a header; what follows it stays as it is.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let control = reader.u8("frame control")?;
        let frame_type = match control & 3 {
            0 => FrameType::Global,
            1 => FrameType::Cluster,
            found => {
                let (what, expected) = ("frame type in the frame control", "00 or 01");
                let found = u64::from(found);
                return Err(DecodeError::Unexpected { what, at: 0, found, expected });
            }
        };
        let manufacturer = match control & MANUFACTURER {
            0 => None,
            _ => Some(reader.u16("manufacturer code")?),
        };
        let direction = match control & TO_CLIENT {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        let header = Header {
            frame_type,
            manufacturer,
            direction,
            disable_default_response: control & NO_DEFAULT_RESPONSE != 0,
            sequence: reader.u8("transaction sequence number")?,
            command: reader.u8("command identifier")?,
        };
        Ok(Self { header, payload: reader.rest() })
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        out.extend(self.payload);
    }
}
