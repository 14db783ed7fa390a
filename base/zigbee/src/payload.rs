//! What the payloads of a gateway's packets hold, by opcode, to and from bytes.
//!
//! Big-endian throughout. Some packets up are *numbered*: what they hold is kept by the gateway
//! until the platform has it on disk, and they carry the number by which it is stored once.

use thiserror::Error;

use crate::address::{Eui64, ShortAddress};
use crate::keys::{NONCE_BYTES, Nonce};
use crate::opcode::{Administration, Direction, Opcode};

/// The most bytes of a network's name.
pub const NAME_BYTES_MAX: usize = 64;

/// Bytes that are no payload of their opcode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("payload of {opcode}: {what}")]
pub struct PayloadError {
    /// Of which opcode.
    pub opcode: Opcode,
    /// What was found and what is expected.
    pub what: String,
}

/// Reads fields from the front.
struct Fields<'a> {
    rest: &'a [u8],
    opcode: Opcode,
}

impl<'a> Fields<'a> {
    fn error(&self, what: impl Into<String>) -> PayloadError {
        PayloadError { opcode: self.opcode, what: what.into() }
    }

    fn bytes<const N: usize>(&mut self, field: &str) -> Result<[u8; N], PayloadError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            let found = self.rest.len();
            return Err(self.error(format!("{found} bytes left for {field}, expected {N}")));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    fn u8(&mut self, field: &str) -> Result<u8, PayloadError> {
        self.bytes::<1>(field).map(|[byte]| byte)
    }

    fn u16(&mut self, field: &str) -> Result<u16, PayloadError> {
        self.bytes(field).map(u16::from_be_bytes)
    }

    fn u32(&mut self, field: &str) -> Result<u32, PayloadError> {
        self.bytes(field).map(u32::from_be_bytes)
    }

    fn u64(&mut self, field: &str) -> Result<u64, PayloadError> {
        self.bytes(field).map(u64::from_be_bytes)
    }

    fn slice(&mut self, count: usize, field: &str) -> Result<&'a [u8], PayloadError> {
        let Some((slice, rest)) = self.rest.split_at_checked(count) else {
            let found = self.rest.len();
            return Err(self.error(format!("{found} bytes left for {field}, expected {count}")));
        };
        self.rest = rest;
        Ok(slice)
    }

    fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn end<T>(self, value: T) -> Result<T, PayloadError> {
        if self.rest.is_empty() {
            return Ok(value);
        }
        Err(self.error(format!("{} bytes behind its end", self.rest.len())))
    }

    fn text(&mut self, field: &str, limit: usize) -> Result<&'a str, PayloadError> {
        let length = usize::from(self.u8(field)?);
        if length > limit {
            return Err(self.error(format!("{field} of {length} bytes, expected at most {limit}")));
        }
        let bytes = self.slice(length, field)?;
        std::str::from_utf8(bytes).map_err(|_| self.error(format!("{field} is not UTF-8")))
    }
}

/// `hello`: a gateway wants a connection. In clear, with a tag that proves its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The gateway's part of the connection's keys.
    pub nonce: Nonce,
    /// The name of its network.
    pub network_name: &'a str,
}

impl<'a> Hello<'a> {
    const OPCODE: Opcode = Opcode::Administration(Administration::Hello);

    /// Writes it behind what is there.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.nonce);
        let name = &self.network_name.as_bytes()[..self.network_name.len().min(NAME_BYTES_MAX)];
        to.push(name.len() as u8);
        to.extend_from_slice(name);
    }

    /// Reads it.
    ///
    /// # Errors
    /// If the bytes are no such payload.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PayloadError> {
        let mut fields = Fields { rest: bytes, opcode: Self::OPCODE };
        let nonce = fields.bytes("nonce")?;
        let network_name = fields.text("network name", NAME_BYTES_MAX)?;
        fields.end(Self { nonce, network_name })
    }
}

/// Up to where numbered packets of a gateway are on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivered {
    /// The life of the gateway's store that the number is from.
    pub epoch: u32,
    /// The first number of it that is not on disk.
    pub next: u32,
}

impl Delivered {
    fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.epoch.to_be_bytes());
        to.extend_from_slice(&self.next.to_be_bytes());
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, PayloadError> {
        Ok(Self { epoch: fields.u32("epoch")?, next: fields.u32("next number")? })
    }
}

/// `accept`: encrypted communication may begin. In clear, with a tag that proves the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The platform's part of the connection's keys.
    pub nonce: Nonce,
    /// Up to where the gateway's numbered packets are on disk.
    pub delivered: Delivered,
}

impl Accept {
    const OPCODE: Opcode = Opcode::Administration(Administration::Accept);
    /// Bytes of it.
    pub const BYTES: usize = NONCE_BYTES + 8;

    /// Writes it behind what is there.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.nonce);
        self.delivered.write(to);
    }

    /// Reads it.
    ///
    /// # Errors
    /// If the bytes are no such payload.
    pub fn read(bytes: &[u8]) -> Result<Self, PayloadError> {
        let mut fields = Fields { rest: bytes, opcode: Self::OPCODE };
        let nonce = fields.bytes("nonce")?;
        let delivered = Delivered::read(&mut fields)?;
        fields.end(Self { nonce, delivered })
    }
}

/// The state of a node in the coordinator's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeEntry {
    /// What it is: its address for life.
    pub node: Eui64,
    /// Its address in the network.
    pub address: ShortAddress,
    /// Whether it sleeps, and fetches what is for it when it wakes.
    pub sleeps: bool,
}

impl NodeEntry {
    /// Bytes of it.
    pub const BYTES: usize = 11;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.node.0.to_be_bytes());
        to.extend_from_slice(&self.address.0.to_be_bytes());
        to.push(u8::from(self.sleeps));
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, PayloadError> {
        let node = Eui64(fields.u64("node")?);
        let address = ShortAddress(fields.u16("network address")?);
        let sleeps = match fields.u8("flags")? {
            0 => false,
            1 => true,
            found => return Err(fields.error(format!("flags {found}, expected 0 or 1"))),
        };
        Ok(Self { node, address, sleeps })
    }
}

/// What a numbered packet is about. Only these are kept by the gateway until they are on disk: what
/// nodes sent, and what decides which node that was, in one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A native frame of a network.
    Relay {
        /// The type of the network, by its number.
        network_type: u8,
        /// The frame, as the type has it.
        frame: &'a [u8],
    },
    /// All nodes: what is not in it has left.
    NodeTable(Vec<NodeEntry>),
    /// A node has joined, or joined again.
    NodeJoined(NodeEntry),
    /// A node has left.
    NodeLeft(Eui64),
    /// A node has another network address.
    NodeChanged(NodeEntry),
}

impl Content<'_> {
    /// Its opcode.
    pub fn opcode(&self) -> Opcode {
        match self {
            Self::Relay { network_type, .. } => {
                Opcode::Relay { network_type: *network_type, direction: Direction::Up }
            }
            Self::NodeTable(_) => Administration::NodeTable.into(),
            Self::NodeJoined(_) => Administration::NodeJoined.into(),
            Self::NodeLeft(_) => Administration::NodeLeft.into(),
            Self::NodeChanged(_) => Administration::NodeChanged.into(),
        }
    }

    /// Writes it, without number and time, behind what is there.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Relay { frame, .. } => to.extend_from_slice(frame),
            Self::NodeTable(entries) => entries.iter().for_each(|entry| entry.write(to)),
            Self::NodeJoined(entry) | Self::NodeChanged(entry) => entry.write(to),
            Self::NodeLeft(node) => to.extend_from_slice(&node.0.to_be_bytes()),
        }
    }
}

/// A packet up that is stored once, whatever is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered<'a> {
    /// The life of the gateway's store: it rises when a store was lost.
    pub epoch: u32,
    /// Its number in it, from 0 without gaps.
    pub sequence: u32,
    /// When the gateway took it in: Unix seconds by the platform's time. The header has when it was
    /// sent, which may be hours later.
    pub taken_s: u32,
    /// What it holds.
    pub content: Content<'a>,
}

/// Bytes before the content of a numbered packet.
pub const NUMBER_BYTES: usize = 12;

/// An entry of a gateway's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// Which one.
    pub key: u8,
    /// Its value.
    pub value: &'a [u8],
}

/// Keys of a gateway's configuration, with the bytes of their values.
pub mod setting {
    /// The radio channel, u8: 11 to 26.
    pub const CHANNEL: u8 = 1;
    /// The network's id (PAN), u16.
    pub const NETWORK_ID: u8 = 2;
    /// The security level of the network, u8: 0 to 7.
    pub const SECURITY_LEVEL: u8 = 3;
    /// For how long nodes may join, in seconds, u8; 255: until it is changed.
    pub const PERMIT_JOIN: u8 = 4;
    /// Seconds between two packets `keep-alive`, u16.
    pub const KEEP_ALIVE: u8 = 5;
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum OrderState {
    /// It waits for its node.
    Waiting = 0,
    /// Its node has it.
    Delivered = 1,
    /// No such node.
    UnknownNode = 2,
    /// Its node did not acknowledge it.
    Unreachable = 3,
    /// There is no room for it.
    Full = 4,
}

impl OrderState {
    /// All of them, by their numbers.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Delivered, Self::UnknownNode, Self::Unreachable, Self::Full];
}

lastmeter_units::words! {
    /// A counter of a gateway; its number is its place here.
    pub enum Counter {
        /// Connections that were made.
        Connections = "connections",
        /// Frames that came from nodes.
        FramesUp = "frames-up",
        /// Frames that went to nodes.
        FramesDown = "frames-down",
        /// Numbered packets that had no room.
        Lost = "lost",
        /// Packets of the platform that were refused.
        Refused = "refused",
        /// Numbered packets that wait.
        Waiting = "waiting",
    }
}

/// What a gateway sends under the connection's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Up<'a> {
    /// It is there.
    KeepAlive,
    /// What is stored once.
    Numbered(Numbered<'a>),
    /// What became of an order.
    OrderResult {
        /// The order's number.
        order: u64,
        /// What became of it.
        state: OrderState,
    },
    /// Its configuration.
    Configuration(Vec<Setting<'a>>),
    /// How far a program image has come.
    FirmwareStatus {
        /// The image.
        image: u32,
        /// Bytes from its front that are there.
        bytes: u32,
    },
    /// Its counters.
    Diagnostics([u32; Counter::ALL.len()]),
}

/// What the platform sends under the connection's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down<'a> {
    /// Its time is in the header.
    Time,
    /// Up to where numbered packets are on disk.
    Delivered(Delivered),
    /// A native frame for a node.
    Order {
        /// The order's number, for its result.
        order: u64,
        /// The type of the network, by its number.
        network_type: u8,
        /// The frame, as the type has it.
        frame: &'a [u8],
    },
    /// The gateway's configuration is wanted.
    ReadConfiguration,
    /// Entries of it that are to be changed.
    WriteConfiguration(Vec<Setting<'a>>),
    /// Restart.
    Restart,
    /// A block of a program image.
    FirmwareBlock {
        /// The image.
        image: u32,
        /// Where the block begins.
        offset: u32,
        /// Bytes of the whole image.
        length: u32,
        /// CRC-32 of the whole image.
        checksum: u32,
        /// The block.
        block: &'a [u8],
    },
    /// The gateway's counters are wanted.
    ReadDiagnostics,
}

fn write_settings(settings: &[Setting<'_>], to: &mut Vec<u8>) {
    for setting in settings {
        // A value is a number; the length of a text that does not fit is not reached.
        let value = &setting.value[..setting.value.len().min(255)];
        to.extend_from_slice(&[setting.key, value.len() as u8]);
        to.extend_from_slice(value);
    }
}

fn read_settings<'a>(fields: &mut Fields<'a>) -> Result<Vec<Setting<'a>>, PayloadError> {
    let mut settings = Vec::new();
    while !fields.rest.is_empty() {
        let key = fields.u8("key")?;
        let length = fields.u8("length of a value")?;
        settings.push(Setting { key, value: fields.slice(length.into(), "value")? });
    }
    Ok(settings)
}

impl<'a> Up<'a> {
    /// Its opcode.
    pub fn opcode(&self) -> Opcode {
        match self {
            Self::KeepAlive => Administration::KeepAlive.into(),
            Self::Numbered(numbered) => numbered.content.opcode(),
            Self::OrderResult { .. } => Administration::OrderResult.into(),
            Self::Configuration(_) => Administration::Configuration.into(),
            Self::FirmwareStatus { .. } => Administration::FirmwareStatus.into(),
            Self::Diagnostics(_) => Administration::Diagnostics.into(),
        }
    }

    /// Writes its payload behind what is there.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::KeepAlive => {}
            Self::Numbered(numbered) => {
                for field in [numbered.epoch, numbered.sequence, numbered.taken_s] {
                    to.extend_from_slice(&field.to_be_bytes());
                }
                numbered.content.write(to);
            }
            Self::OrderResult { order, state } => {
                to.extend_from_slice(&order.to_be_bytes());
                to.push(*state as u8);
            }
            Self::Configuration(settings) => write_settings(settings, to),
            Self::FirmwareStatus { image, bytes } => {
                to.extend_from_slice(&image.to_be_bytes());
                to.extend_from_slice(&bytes.to_be_bytes());
            }
            Self::Diagnostics(counters) => {
                for count in counters {
                    to.extend_from_slice(&count.to_be_bytes());
                }
            }
        }
    }

    /// Reads the payload of an opcode that goes up under the connection's key; `None` if the opcode
    /// does not.
    ///
    /// # Errors
    /// If the bytes are no payload of that opcode.
    pub fn read(opcode: Opcode, bytes: &'a [u8]) -> Option<Result<Self, PayloadError>> {
        use Administration as A;
        let mut fields = Fields { rest: bytes, opcode };
        let read = match opcode {
            Opcode::Relay { direction: Direction::Up, .. }
            | Opcode::Administration(A::NodeTable | A::NodeJoined | A::NodeLeft | A::NodeChanged) => {
                Self::read_numbered(fields)
            }
            Opcode::Administration(A::KeepAlive) => fields.end(Self::KeepAlive),
            Opcode::Administration(A::OrderResult) => Self::read_order_result(fields),
            Opcode::Administration(A::Configuration) => {
                read_settings(&mut fields).map(Self::Configuration)
            }
            Opcode::Administration(A::FirmwareStatus) => Self::read_firmware_status(fields),
            Opcode::Administration(A::Diagnostics) => Self::read_diagnostics(fields),
            _ => return None,
        };
        Some(read)
    }

    fn read_numbered(mut fields: Fields<'a>) -> Result<Self, PayloadError> {
        use Administration as A;
        let (epoch, sequence) = (fields.u32("epoch")?, fields.u32("number")?);
        let taken_s = fields.u32("time")?;
        let content = match fields.opcode {
            Opcode::Relay { network_type, .. } => {
                Content::Relay { network_type, frame: fields.all() }
            }
            Opcode::Administration(A::NodeJoined) => {
                Content::NodeJoined(NodeEntry::read(&mut fields)?)
            }
            Opcode::Administration(A::NodeChanged) => {
                Content::NodeChanged(NodeEntry::read(&mut fields)?)
            }
            Opcode::Administration(A::NodeLeft) => Content::NodeLeft(Eui64(fields.u64("node")?)),
            Opcode::Administration(_) => {
                let mut entries = Vec::with_capacity(fields.rest.len() / NodeEntry::BYTES);
                while !fields.rest.is_empty() {
                    entries.push(NodeEntry::read(&mut fields)?);
                }
                Content::NodeTable(entries)
            }
        };
        fields.end(Self::Numbered(Numbered { epoch, sequence, taken_s, content }))
    }

    fn read_order_result(mut fields: Fields<'a>) -> Result<Self, PayloadError> {
        let order = fields.u64("order")?;
        let found = fields.u8("state")?;
        let Some(&state) = OrderState::ALL.get(usize::from(found)) else {
            return Err(fields.error(format!("state {found}, expected 0 to 4")));
        };
        fields.end(Self::OrderResult { order, state })
    }

    fn read_firmware_status(mut fields: Fields<'a>) -> Result<Self, PayloadError> {
        let (image, bytes) = (fields.u32("image")?, fields.u32("bytes")?);
        fields.end(Self::FirmwareStatus { image, bytes })
    }

    fn read_diagnostics(mut fields: Fields<'a>) -> Result<Self, PayloadError> {
        let mut counters = [0; Counter::ALL.len()];
        for (counter, count) in Counter::ALL.iter().zip(&mut counters) {
            *count = fields.u32(counter.word())?;
        }
        fields.end(Self::Diagnostics(counters))
    }
}

impl<'a> Down<'a> {
    /// Its opcode.
    pub fn opcode(&self) -> Opcode {
        match self {
            Self::Time => Administration::Time.into(),
            Self::Delivered(_) => Administration::Delivered.into(),
            Self::Order { network_type, .. } => {
                Opcode::Relay { network_type: *network_type, direction: Direction::Down }
            }
            Self::ReadConfiguration => Administration::ReadConfiguration.into(),
            Self::WriteConfiguration(_) => Administration::WriteConfiguration.into(),
            Self::Restart => Administration::Restart.into(),
            Self::FirmwareBlock { .. } => Administration::FirmwareBlock.into(),
            Self::ReadDiagnostics => Administration::ReadDiagnostics.into(),
        }
    }

    /// Writes its payload behind what is there.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Time | Self::ReadConfiguration | Self::Restart | Self::ReadDiagnostics => {}
            Self::Delivered(delivered) => delivered.write(to),
            Self::Order { order, frame, .. } => {
                to.extend_from_slice(&order.to_be_bytes());
                to.extend_from_slice(frame);
            }
            Self::WriteConfiguration(settings) => write_settings(settings, to),
            Self::FirmwareBlock { image, offset, length, checksum, block } => {
                for field in [image, offset, length, checksum] {
                    to.extend_from_slice(&field.to_be_bytes());
                }
                to.extend_from_slice(block);
            }
        }
    }

    /// Reads the payload of an opcode that goes down under the connection's key; `None` if the
    /// opcode does not.
    ///
    /// # Errors
    /// If the bytes are no payload of that opcode.
    pub fn read(opcode: Opcode, bytes: &'a [u8]) -> Option<Result<Self, PayloadError>> {
        use Administration as A;
        let mut fields = Fields { rest: bytes, opcode };
        let read = match opcode {
            Opcode::Relay { network_type, direction: Direction::Down } => fields
                .u64("order")
                .map(|order| Self::Order { order, network_type, frame: fields.all() }),
            Opcode::Administration(A::Time) => fields.end(Self::Time),
            Opcode::Administration(A::Delivered) => Delivered::read(&mut fields)
                .and_then(|delivered| fields.end(Self::Delivered(delivered))),
            Opcode::Administration(A::ReadConfiguration) => fields.end(Self::ReadConfiguration),
            Opcode::Administration(A::WriteConfiguration) => {
                read_settings(&mut fields).map(Self::WriteConfiguration)
            }
            Opcode::Administration(A::Restart) => fields.end(Self::Restart),
            Opcode::Administration(A::FirmwareBlock) => Self::read_firmware_block(fields),
            Opcode::Administration(A::ReadDiagnostics) => fields.end(Self::ReadDiagnostics),
            _ => return None,
        };
        Some(read)
    }

    fn read_firmware_block(mut fields: Fields<'a>) -> Result<Self, PayloadError> {
        Ok(Self::FirmwareBlock {
            image: fields.u32("image")?,
            offset: fields.u32("offset")?,
            length: fields.u32("length")?,
            checksum: fields.u32("checksum")?,
            block: fields.all(),
        })
    }
}

#[cfg(test)]
mod tests;
