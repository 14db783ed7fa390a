//! The formats behind one name: a frame from and to a sample, whichever it is.

use crate::async_ip::OPAL_ASYNC_IP;
use crate::format_kind::FormatKind;
use crate::frame_description::DESCRIBED_FRAME;
use crate::gtnet::{GTNET_SKT, GTNET_SKT_HEADER};
use crate::villas::{binary::VILLAS_BINARY, json::VILLAS_JSON, protobuf::VILLAS_PROTOBUF};
use crate::{
    AsyncIp, FrameDescription, Framing, Gtnet, GtnetHeader, Rejection, Sample, SequenceWatch,
};

/// Every kind of format, in the order of [`crate::point_map::WireFormat::ALL`].
pub static FORMATS: &[FormatKind] = &[
    GTNET_SKT,
    GTNET_SKT_HEADER,
    OPAL_ASYNC_IP,
    VILLAS_BINARY,
    VILLAS_JSON,
    VILLAS_PROTOBUF,
    DESCRIBED_FRAME,
];

/// A configured format: what one frame is, in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// RTDS GTNET-SKT.
    GtnetSkt(Gtnet),
    /// OPAL-RT `AsyncIP`.
    OpalAsyncIp(AsyncIp),
    /// Frames of described signals.
    DescribedFrame(FrameDescription),
}

impl Format {
    /// Appends the frame of a sample to `out`, which a refusal leaves as it was.
    pub fn encode(&self, sample: &Sample, out: &mut Vec<u8>) -> Result<(), Rejection> {
        let before = out.len();
        let written = match self {
            Self::GtnetSkt(gtnet) => gtnet.encode(sample, out),
            Self::OpalAsyncIp(async_ip) => async_ip.encode(sample, out),
            Self::DescribedFrame(description) => description.encode(sample, out),
        };
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    /// Reads one whole frame into `sample`, whose values are of no use after a refusal. Its vector
    /// is used again, so a stream of frames allocates nothing.
    pub fn decode(&self, frame: &[u8], sample: &mut Sample) -> Result<(), Rejection> {
        match self {
            Self::GtnetSkt(gtnet) => gtnet.decode(frame, sample),
            Self::OpalAsyncIp(async_ip) => async_ip.decode(frame, sample),
            Self::DescribedFrame(description) => description.decode(frame, sample),
        }
    }

    /// How its frames are found in a stream of bytes.
    pub const fn framing(&self) -> Framing {
        match self {
            Self::GtnetSkt(gtnet) => Framing::Fixed(gtnet.frame_bytes()),
            Self::OpalAsyncIp(_) => Framing::AsyncIp,
            Self::DescribedFrame(description) => Framing::Fixed(description.frame_bytes()),
        }
    }

    /// A watch over its sequence numbers, where it has some.
    pub fn sequence_watch(&self) -> Option<SequenceWatch> {
        match self {
            Self::GtnetSkt(gtnet) if gtnet.header() == GtnetHeader::None => None,
            Self::GtnetSkt(_) | Self::OpalAsyncIp(_) => Some(SequenceWatch::new(u32::BITS)),
            Self::DescribedFrame(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point_map::WireFormat;
    use crate::{ByteOrder, FieldType, FrameField, GtnetPoint, Value};

    #[test]
    fn every_wire_format_of_a_map_is_listed() {
        assert_eq!(FORMATS.len(), WireFormat::ALL.len());
        for (format, row) in WireFormat::ALL.into_iter().zip(FORMATS) {
            assert_eq!((format.word(), format.kind()), (row.name, row));
            assert!(!row.summary.is_empty() && row.description.ends_with('.'), "{format}");
        }
    }

    #[test]
    fn each_frame_works_behind_the_one_name() {
        let gtnet = |header| Gtnet::new(header, vec![GtnetPoint::Int32]).unwrap();
        let async_ip = AsyncIp::new(1, 0, None);
        let field = FrameField::new(0, 24, ByteOrder::Big, FieldType::Unsigned);
        let description = FrameDescription::new(vec![field], None);
        let formats = [
            (Format::GtnetSkt(gtnet(GtnetHeader::None)), None, vec![0, 0, 0, 1]),
            (
                Format::OpalAsyncIp(async_ip),
                Some(5),
                vec![0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F],
            ),
            (Format::DescribedFrame(description), None, vec![0, 0, 1]),
        ];
        for (format, sequence, bytes) in formats {
            let sample = Sample { sequence, origin: None, values: vec![Value::Integer(1)] };
            let mut out = Vec::new();
            format.encode(&sample, &mut out).unwrap();
            assert_eq!(out, bytes);
            let mut read = Sample::default();
            format.decode(&bytes, &mut read).unwrap();
            assert_eq!((read.sequence, read.values.len()), (sequence, 1));
            assert_eq!(format.sequence_watch().is_some(), sequence.is_some());
        }
    }
}
