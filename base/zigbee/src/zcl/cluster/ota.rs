//! Commands of the cluster OTA Upgrade (ZCL 075123, 11.13, unverified): a node fetches an image
//! block by block.

use crate::address::Eui64;
use crate::bytes::{DecodeError, EncodeError, Reader};
use crate::zcl::frame::{Direction, Frame, FrameType, Header};
use crate::zcl::global::Record;
use crate::zcl::status::Status;

/// Which image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageId {
    /// Whose.
    pub manufacturer: u16,
    /// For which device.
    pub image_type: u16,
    /// Which version.
    pub version: u32,
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ota<'a> {
    /// There may be an image for a node (00, to the client).
    ImageNotify {
        /// The greatest random number, 1 to 100, with which a node that draws one asks.
        jitter: u8,
        /// Whose image it is, if it is not for all.
        manufacturer: Option<u16>,
        /// For which device, if the manufacturer is stated.
        image_type: Option<u16>,
        /// Its version, if the device is stated.
        version: Option<u32>,
    },
    /// A node asks for an image newer than its own (01, to the server).
    QueryNextImage {
        /// The image that it runs.
        current: ImageId,
        /// The version of its hardware, if it states one.
        hardware: Option<u16>,
    },
    /// The image for it and its bytes, or why there is none (02, to the client).
    NextImage(Result<(ImageId, u32), Status>),
    /// A node asks for a block (03, to the server).
    BlockRequest {
        /// Of which image.
        image: ImageId,
        /// From which byte on.
        offset: u32,
        /// Bytes, at most.
        size_max: u8,
        /// The node, if it states itself.
        node: Option<Eui64>,
        /// Time between its requests at least, in the server's unit, if it states one.
        min_block_period: Option<u16>,
    },
    /// The answer to it (05, to the client).
    BlockResponse(BlockResponse<'a>),
    /// A node has the whole image, or gives up (06, to the server).
    UpgradeEnd {
        /// Whether the image is good.
        status: Status,
        /// Which image.
        image: ImageId,
    },
    /// When to change to it (07, to the client).
    UpgradeEndResponse {
        /// Which image.
        image: ImageId,
        /// The server's time, in seconds since 2000 or 0.
        now_s: u32,
        /// When, in the same count; 0xFFFFFFFF: wait for another command.
        upgrade_at_s: u32,
    },
}

/// What a server answers to the request of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockResponse<'a> {
    /// Bytes of the image, at most 255.
    Data {
        /// Of which image.
        image: ImageId,
        /// From which byte on.
        offset: u32,
        /// The bytes.
        data: &'a [u8],
    },
    /// Ask again later.
    Wait {
        /// The server's time, in seconds.
        now_s: u32,
        /// When to ask, in the same count.
        ask_at_s: u32,
        /// Time between requests at least, in the server's unit.
        min_block_period: u16,
    },
    /// There will be none.
    Refused(Status),
}

const NOTIFY_FIELDS_MAX: u8 = 3;
const HAS_HARDWARE: u8 = 1;
const HAS_NODE: u8 = 1;
const HAS_PERIOD: u8 = 1 << 1;
/// Where a payload begins whose header has no manufacturer's code.
const COMMAND_AT: usize = 2;

impl<'a> Record<'a> for ImageId {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            manufacturer: reader.u16("manufacturer code of an image")?,
            image_type: reader.u16("image type")?,
            version: reader.u32("file version")?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.manufacturer.to_le_bytes());
        out.extend(self.image_type.to_le_bytes());
        out.extend(self.version.to_le_bytes());
        Ok(())
    }
}

/// The field control of a command, of which only some bits may be set.
fn field_control(
    reader: &mut Reader<'_>,
    allowed: u8,
    expected: &'static str,
) -> Result<u8, DecodeError> {
    let (what, at) = ("field control", reader.at());
    match reader.u8(what)? {
        found if found & !allowed == 0 => Ok(found),
        found => Err(DecodeError::Unexpected { what, at, found: found.into(), expected }),
    }
}

impl<'a> BlockResponse<'a> {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match Status(reader.u8("status of a block")?) {
            Status::SUCCESS => {
                let image = ImageId::take(reader)?;
                let offset = reader.u32("file offset")?;
                let size = reader.u8("data size")?;
                Self::Data { image, offset, data: reader.take("data of a block", size.into())? }
            }
            Status::WAIT_FOR_DATA => Self::Wait {
                now_s: reader.u32("current time")?,
                ask_at_s: reader.u32("request time")?,
                min_block_period: reader.u16("minimum block period")?,
            },
            status => Self::Refused(status),
        })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::Data { image, offset, data } => {
                let Ok(size) = u8::try_from(data.len()) else {
                    let (found, max) = (data.len(), usize::from(u8::MAX));
                    return Err(EncodeError::TooLong { what: "data of a block", found, max });
                };
                out.push(Status::SUCCESS.0);
                image.put(out)?;
                out.extend(offset.to_le_bytes());
                out.push(size);
                out.extend(data);
            }
            Self::Wait { now_s, ask_at_s, min_block_period } => {
                out.push(Status::WAIT_FOR_DATA.0);
                out.extend(now_s.to_le_bytes());
                out.extend(ask_at_s.to_le_bytes());
                out.extend(min_block_period.to_le_bytes());
            }
            Self::Refused(status @ (Status::SUCCESS | Status::WAIT_FOR_DATA)) => {
                let (what, found) = ("status of a refused block", status.0.into());
                let expected = "another than success (00) and wait for data (97)";
                return Err(EncodeError::OutOfRange { what, found, expected });
            }
            Self::Refused(status) => out.push(status.0),
        }
        Ok(())
    }
}

impl<'a> Ota<'a> {
    /// The identifier of [`Self::UpgradeEnd`], which default responses name.
    pub const UPGRADE_END: u8 = 0x06;

    /// Its identifier, and for which side it is.
    pub const fn command(&self) -> (u8, Direction) {
        match self {
            Self::ImageNotify { .. } => (0x00, Direction::ToClient),
            Self::QueryNextImage { .. } => (0x01, Direction::ToServer),
            Self::NextImage(_) => (0x02, Direction::ToClient),
            Self::BlockRequest { .. } => (0x03, Direction::ToServer),
            Self::BlockResponse(_) => (0x05, Direction::ToClient),
            Self::UpgradeEnd { .. } => (Self::UPGRADE_END, Direction::ToServer),
            Self::UpgradeEndResponse { .. } => (0x07, Direction::ToClient),
        }
    }

    /// A whole frame.
    pub fn frame(&self, sequence: u8) -> Result<Vec<u8>, EncodeError> {
        let (command, direction) = self.command();
        let header = Header::cluster(direction, sequence, command).without_default_response();
        let mut out = Vec::new();
        header.encode(&mut out);
        self.put(&mut out)?;
        Ok(out)
    }

    /// The command of a frame to this cluster. Positions count from the start of the payload.
    pub fn decode(frame: &Frame<'a>) -> Result<Self, DecodeError> {
        let header = frame.header;
        let mut reader = Reader::new(frame.payload);
        let is_ours = header.frame_type == FrameType::Cluster && header.manufacturer.is_none();
        let command = match (header.command, header.direction) {
            (0x00, Direction::ToClient) if is_ours => Self::take_notify(&mut reader)?,
            (0x01, Direction::ToServer) if is_ours => Self::take_query(&mut reader)?,
            (0x02, Direction::ToClient) if is_ours => {
                Self::NextImage(match Status(reader.u8("status of a query")?) {
                    Status::SUCCESS => Ok((ImageId::take(&mut reader)?, reader.u32("image size")?)),
                    status => Err(status),
                })
            }
            (0x03, Direction::ToServer) if is_ours => Self::take_block_request(&mut reader)?,
            (0x05, Direction::ToClient) if is_ours => {
                Self::BlockResponse(BlockResponse::take(&mut reader)?)
            }
            (0x06, Direction::ToServer) if is_ours => Self::UpgradeEnd {
                status: Status(reader.u8("status of an upgrade")?),
                image: ImageId::take(&mut reader)?,
            },
            (0x07, Direction::ToClient) if is_ours => Self::UpgradeEndResponse {
                image: ImageId::take(&mut reader)?,
                now_s: reader.u32("current time")?,
                upgrade_at_s: reader.u32("upgrade time")?,
            },
            (found, _) => {
                let (what, found) = ("command of OTA Upgrade", found.into());
                let expected = "01, 03, 06 to the server or 00, 02, 05, 07 to the client";
                return Err(DecodeError::Unexpected { what, at: COMMAND_AT, found, expected });
            }
        };
        reader.end("command of OTA Upgrade")?;
        Ok(command)
    }

    fn take_notify(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (what, at) = ("payload type", reader.at());
        let fields = reader.u8(what)?;
        if fields > NOTIFY_FIELDS_MAX {
            let (found, expected) = (fields.into(), "00 to 03");
            return Err(DecodeError::Unexpected { what, at, found, expected });
        }
        let jitter = reader.u8("query jitter")?;
        let has = |count: u8| fields >= count;
        let manufacturer = has(1).then(|| reader.u16("manufacturer code")).transpose()?;
        let image_type = has(2).then(|| reader.u16("image type")).transpose()?;
        let version = has(3).then(|| reader.u32("file version")).transpose()?;
        Ok(Self::ImageNotify { jitter, manufacturer, image_type, version })
    }

    fn take_query(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let control = field_control(reader, HAS_HARDWARE, "00 or 01")?;
        let current = ImageId::take(reader)?;
        let has_hardware = control & HAS_HARDWARE != 0;
        let hardware = has_hardware.then(|| reader.u16("hardware version")).transpose()?;
        Ok(Self::QueryNextImage { current, hardware })
    }

    fn take_block_request(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let control = field_control(reader, HAS_NODE | HAS_PERIOD, "00 to 03")?;
        let image = ImageId::take(reader)?;
        let offset = reader.u32("file offset")?;
        let size_max = reader.u8("maximum data size")?;
        let (has_node, has_period) = (control & HAS_NODE != 0, control & HAS_PERIOD != 0);
        let node = has_node.then(|| reader.u64("address of the node")).transpose()?.map(Eui64);
        let min_block_period =
            has_period.then(|| reader.u16("minimum block period")).transpose()?;
        Ok(Self::BlockRequest { image, offset, size_max, node, min_block_period })
    }

    /// Writes the payload.
    fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {
            Self::ImageNotify { jitter, manufacturer, image_type, version } => {
                // Each field stands only behind the one before.
                let image_type = image_type.filter(|_| manufacturer.is_some());
                let version = version.filter(|_| image_type.is_some());
                let fields = [manufacturer.is_some(), image_type.is_some(), version.is_some()];
                out.extend([fields.into_iter().map(u8::from).sum(), jitter]);
                out.extend(manufacturer.into_iter().flat_map(u16::to_le_bytes));
                out.extend(image_type.into_iter().flat_map(u16::to_le_bytes));
                out.extend(version.into_iter().flat_map(u32::to_le_bytes));
            }
            Self::QueryNextImage { current, hardware } => {
                out.push(if hardware.is_some() { HAS_HARDWARE } else { 0 });
                current.put(out)?;
                out.extend(hardware.into_iter().flat_map(u16::to_le_bytes));
            }
            Self::NextImage(Ok((image, size))) => {
                out.push(Status::SUCCESS.0);
                image.put(out)?;
                out.extend(size.to_le_bytes());
            }
            Self::NextImage(Err(Status::SUCCESS)) => {
                let (what, expected) = ("status of a query", "another than success (00)");
                return Err(EncodeError::OutOfRange { what, found: 0, expected });
            }
            Self::NextImage(Err(status)) => out.push(status.0),
            Self::BlockRequest { image, offset, size_max, node, min_block_period } => {
                let has_node = if node.is_some() { HAS_NODE } else { 0 };
                let has_period = if min_block_period.is_some() { HAS_PERIOD } else { 0 };
                out.push(has_node | has_period);
                image.put(out)?;
                out.extend(offset.to_le_bytes());
                out.push(size_max);
                out.extend(node.into_iter().flat_map(|node| node.0.to_le_bytes()));
                out.extend(min_block_period.into_iter().flat_map(u16::to_le_bytes));
            }
            Self::BlockResponse(response) => response.put(out)?,
            Self::UpgradeEnd { status, image } => {
                out.push(status.0);
                image.put(out)?;
            }
            Self::UpgradeEndResponse { image, now_s, upgrade_at_s } => {
                image.put(out)?;
                out.extend(now_s.to_le_bytes());
                out.extend(upgrade_at_s.to_le_bytes());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image() -> impl Strategy<Value = ImageId> {
        any::<(u16, u16, u32)>().prop_map(|(manufacturer, image_type, version)| ImageId {
            manufacturer,
            image_type,
            version,
        })
    }

    fn command(data: &[u8]) -> impl Strategy<Value = Ota<'_>> {
        let failure = any::<u8>().prop_filter("a failure", |it| ![0, 0x97].contains(it));
        prop_oneof![
            (any::<u8>(), any::<(u16, u16, u32)>(), 0..4_u8).prop_map(|(jitter, of, fields)| {
                Ota::ImageNotify {
                    jitter,
                    manufacturer: (fields > 0).then_some(of.0),
                    image_type: (fields > 1).then_some(of.1),
                    version: (fields > 2).then_some(of.2),
                }
            }),
            (image(), any::<Option<u16>>())
                .prop_map(|(current, hardware)| Ota::QueryNextImage { current, hardware }),
            (image(), any::<u32>()).prop_map(|of| Ota::NextImage(Ok(of))),
            failure.clone().prop_map(|status| Ota::NextImage(Err(Status(status)))),
            (image(), any::<u32>(), any::<u8>(), any::<Option<u64>>(), any::<Option<u16>>())
                .prop_map(|(image, offset, size_max, node, min_block_period)| {
                    let node = node.map(Eui64);
                    Ota::BlockRequest { image, offset, size_max, node, min_block_period }
                }),
            (image(), any::<u32>()).prop_map(move |(image, offset)| {
                Ota::BlockResponse(BlockResponse::Data { image, offset, data })
            }),
            any::<(u32, u32, u16)>().prop_map(|(now_s, ask_at_s, min_block_period)| {
                Ota::BlockResponse(BlockResponse::Wait { now_s, ask_at_s, min_block_period })
            }),
            failure.prop_map(|it| Ota::BlockResponse(BlockResponse::Refused(Status(it)))),
            (image(), any::<u8>())
                .prop_map(|(image, it)| Ota::UpgradeEnd { status: Status(it), image }),
            (image(), any::<(u32, u32)>()).prop_map(|(image, (now_s, upgrade_at_s))| {
                Ota::UpgradeEndResponse { image, now_s, upgrade_at_s }
            }),
        ]
    }

    proptest! {
        #[test]
        fn commands_read_back_and_any_bytes_are_read_without_a_panic(
            sequence: u8,
            made in command(&[7; 48]),
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            cut: prop::sample::Index,
        ) {
            let whole = made.frame(sequence).unwrap();
            prop_assert_eq!(Ota::decode(&Frame::decode(&whole).unwrap()), Ok(made));
            for bytes in [&whole[..cut.index(whole.len())], &bytes] {
                if let Ok(frame) = Frame::decode(bytes) {
                    let _ = Ota::decode(&frame);
                }
            }
        }
    }

    #[test]
    fn bytes_of_a_block_request_are_those_of_the_standard() {
        let image = ImageId { manufacturer: 0x1234, image_type: 0xABCD, version: 0x0102_0304 };
        let (node, min_block_period) = (None, None);
        let asked = Ota::BlockRequest { image, offset: 96, size_max: 48, node, min_block_period };
        let expected = [0x11, 9, 3, 0, 0x34, 0x12, 0xCD, 0xAB, 4, 3, 2, 1, 96, 0, 0, 0, 48];
        assert_eq!(asked.frame(9).unwrap(), expected);
    }
}
