//! Program images by the cluster OTA Upgrade: what a node asks, and the frames that answer it.

use lastmeter_zigbee::bytes::EncodeError;
use lastmeter_zigbee::relay::Relay;
use lastmeter_zigbee::zcl::cluster::OTA_UPGRADE;
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::global::{DefaultResponse, command};
use lastmeter_zigbee::zcl::{Direction, Frame, FrameType, Header, Status};

use super::{FrameRefusal, NodeContext, OWN_ENDPOINT, relayed, word};
use crate::firmware::{Asked, Demand, ImageKey, Supply};

/// The greatest random number, of 100, with which a node asks after a notice: each does.
const JITTER: u8 = 100;
/// Bytes of a block at most, which a frame carries whole.
const BLOCK_BYTES_MAX: u32 = 48;

const fn key_of(image: ImageId) -> ImageKey {
    let ImageId { manufacturer, image_type, version } = image;
    ImageKey { manufacturer, image_type, version }
}

/// What a frame asks about images; none if it asks nothing of the kind.
pub(super) fn demand(
    relay: &Relay<'_>,
    content: &Frame<'_>,
) -> Result<Option<Demand>, FrameRefusal> {
    let header = content.header;
    let is_asked = relay.cluster == OTA_UPGRADE
        && header.frame_type == FrameType::Cluster
        && header.manufacturer.is_none()
        && header.direction == Direction::ToServer;
    if !is_asked {
        return Ok(None);
    }
    let (asked, image) = match Ota::decode(content).map_err(FrameRefusal::malformed)? {
        Ota::QueryNextImage { current, .. } => (Asked::Other, current),
        Ota::BlockRequest { image, offset, size_max, .. } => {
            (Asked::Block { offset, bytes_max: u32::from(size_max).min(BLOCK_BYTES_MAX) }, image)
        }
        Ota::UpgradeEnd { status: Status::SUCCESS, image } => (Asked::End(Ok(())), image),
        Ota::UpgradeEnd { status, image } => (Asked::End(Err(word(status))), image),
        _ => return Ok(None),
    };
    let reply = u16::from_be_bytes([relay.source_endpoint, header.sequence]);
    Ok(Some(Demand { asked, image: key_of(image), reply }))
}

/// What a node is given, as a frame for it.
pub(super) fn supply(
    context: &NodeContext,
    (reply, image): (u16, ImageKey),
    supply: &Supply<'_>,
) -> Result<Vec<u8>, String> {
    let [endpoint, sequence] = reply.to_be_bytes();
    // A node that has asked for nothing is given notice where others ask from.
    let endpoint = if endpoint == 0 { OWN_ENDPOINT } else { endpoint };
    let frame = frame_of(image, supply, sequence).map_err(|error| error.to_string())?;
    Ok(relayed(context, (endpoint, OTA_UPGRADE), sequence, &frame))
}

fn frame_of(image: ImageKey, supply: &Supply<'_>, sequence: u8) -> Result<Vec<u8>, EncodeError> {
    let ImageKey { manufacturer, image_type, version } = image;
    let id = ImageId { manufacturer, image_type, version };
    let answer = match *supply {
        Supply::Notice => Ota::ImageNotify {
            jitter: JITTER,
            manufacturer: Some(manufacturer),
            image_type: Some(image_type),
            version: Some(version),
        },
        Supply::Offer { bytes } => Ota::NextImage(Ok((id, bytes))),
        Supply::Nothing => Ota::NextImage(Err(Status::NO_IMAGE_AVAILABLE)),
        Supply::Block { offset, data } => {
            Ota::BlockResponse(BlockResponse::Data { image: id, offset, data })
        }
        Supply::Ended => Ota::BlockResponse(BlockResponse::Refused(Status::ABORT)),
        Supply::Run => Ota::UpgradeEndResponse { image: id, now_s: 0, upgrade_at_s: 0 },
        Supply::Noted => {
            let response = DefaultResponse { command: Ota::UPGRADE_END, status: Status::SUCCESS };
            let header = Header::global(Direction::ToClient, sequence, command::DEFAULT_RESPONSE);
            return header.without_default_response().with_records(&[response]);
        }
    };
    answer.frame(sequence)
}
