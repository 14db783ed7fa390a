//! A point map put to work: samples out of what a simulator sends, and frames of what is written.

use crate::point_map::{Point, PointDirection, PointMap, StatusRole, WireFormat};
use crate::villas::{Decoded, binary, json, protobuf};
use crate::{
    AsyncIp, Format, FrameDescription, FrameField, Gtnet, GtnetHeader, GtnetPoint, Reassembly,
    Refusal, Refusals, Rejection, Sample, SequenceWatch, SignalType, Value,
};

/// Why a map cannot be put to work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The points do not make a frame of the format.
    #[error("{0}")]
    Format(String),
    /// The format marks no frames in a stream.
    #[error(
        "`{0}` has no marks between the messages of a stream; let the simulator send datagrams"
    )]
    NotInStreams(&'static str),
}

/// How one direction's frames are read or written.
#[derive(Clone, Debug)]
enum Codec {
    /// One frame in each datagram, of a length that is known or announced.
    Framed(Format),
    /// Messages of `VILLASnode`.
    Villas(WireFormat, Vec<SignalType>),
}

impl Codec {
    fn new(map: &PointMap, direction: PointDirection) -> Result<Self, WireError> {
        let types: Vec<SignalType> =
            map.of_direction(direction).map(|point| point.signal_type).collect();
        let gtnet = |header| {
            let point = |signal_type: &SignalType| match signal_type {
                SignalType::Integer => GtnetPoint::Int32,
                _ => GtnetPoint::Float32,
            };
            let gtnet = Gtnet::new(header, types.iter().map(point).collect());
            let gtnet = gtnet.map_err(|error| WireError::Format(error.to_string()))?;
            Ok(Self::Framed(Format::GtnetSkt(gtnet)))
        };
        match map.simulator.wire_format {
            WireFormat::GtnetSkt => gtnet(GtnetHeader::None),
            WireFormat::GtnetSktHeader => gtnet(GtnetHeader::SequenceAndTime),
            WireFormat::OpalAsyncIp => {
                let dev_id = map.simulator.dev_id;
                let async_ip = AsyncIp::new(types.len(), dev_id.unwrap_or(0), dev_id);
                Ok(Self::Framed(Format::OpalAsyncIp(async_ip)))
            }
            villas @ (WireFormat::VillasBinary
            | WireFormat::VillasJson
            | WireFormat::VillasProtobuf) => Ok(Self::Villas(villas, types)),
            WireFormat::Frame => {
                let format = described(map, direction)?;
                Ok(Self::Framed(Format::DescribedFrame(format)))
            }
        }
    }

    fn decode(&self, datagram: &[u8]) -> Vec<Decoded> {
        match self {
            Self::Framed(format) => {
                let mut sample = Sample::default();
                vec![format.decode(datagram, &mut sample).map(|()| sample)]
            }
            Self::Villas(WireFormat::VillasJson, types) => json::decode(datagram, types),
            Self::Villas(WireFormat::VillasProtobuf, types) => protobuf::decode(datagram, types),
            Self::Villas(_, types) => binary::decode(datagram, types),
        }
    }

    fn encode(&self, sample: Sample) -> Result<Vec<u8>, Rejection> {
        match self {
            Self::Framed(format) => {
                let mut out = Vec::new();
                format.encode(&sample, &mut out)?;
                Ok(out)
            }
            Self::Villas(WireFormat::VillasJson, types) => {
                json::encode(&[sample], types).map(String::into_bytes)
            }
            Self::Villas(WireFormat::VillasProtobuf, types) => protobuf::encode(&[sample], types),
            Self::Villas(_, types) => binary::encode(&[sample], types),
        }
    }

    fn sequence_bits(&self) -> Option<u32> {
        match self {
            Self::Framed(format) => format.sequence_watch().map(|_| u32::BITS),
            Self::Villas(WireFormat::VillasBinary, _) => Some(u32::BITS),
            Self::Villas(..) => Some(u64::BITS),
        }
    }
}

/// The connection with a simulator, without its I/O, from one of its two ends.
#[derive(Debug)]
pub struct Wire {
    /// `None` where nothing comes.
    reads: Option<Codec>,
    /// `None` where nothing is written.
    writes: Option<Codec>,
    stream: Option<Reassembly>,
    watch: Option<SequenceWatch>,
    /// The place of the point that numbers the frames, where the format does not.
    numbered_by: Option<usize>,
    samples: u64,
    refusals: Refusals,
    /// The number of the next frame that is written.
    next_sequence: u64,
}

impl Wire {
    /// The frames of a map in datagrams, or in a stream of bytes.
    ///
    /// # Errors
    /// If the map's points make no frame, or its format cannot be found in a stream.
    pub fn new(map: &PointMap, is_stream: bool) -> Result<Self, WireError> {
        Self::between(map, is_stream, PointDirection::FromSimulator, PointDirection::ToSimulator)
    }

    /// The other end: what the simulator itself reads and writes.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn of_simulator(map: &PointMap, is_stream: bool) -> Result<Self, WireError> {
        Self::between(map, is_stream, PointDirection::ToSimulator, PointDirection::FromSimulator)
    }

    fn between(
        map: &PointMap,
        is_stream: bool,
        reads: PointDirection,
        writes: PointDirection,
    ) -> Result<Self, WireError> {
        let codec = |direction| {
            let first = map.of_direction(direction).next();
            first.map(|_| Codec::new(map, direction)).transpose()
        };
        let role = map.position_of_role(reads, StatusRole::Sequence);
        let (reads, writes) = (codec(reads)?, codec(writes)?);
        let bits = reads.as_ref().and_then(Codec::sequence_bits);
        let numbered_by = role.filter(|_| bits.is_none());
        let stream = match &reads {
            Some(Codec::Framed(format)) if is_stream => Some(Reassembly::new(format.framing())),
            Some(Codec::Villas(format, _)) if is_stream => {
                return Err(WireError::NotInStreams(format.word()));
            }
            _ => None,
        };
        Ok(Self {
            watch: bits.or(role.map(|_| u32::BITS)).map(SequenceWatch::new),
            numbered_by,
            reads,
            writes,
            stream,
            samples: 0,
            refusals: Refusals::default(),
            next_sequence: 0,
        })
    }

    /// How many samples were read.
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// What was refused, by its reason.
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// What the simulator's numbers show, where it gives some: those of the format, else those of
    /// the point of role `sequence`.
    pub const fn sequences(&self) -> Option<&SequenceWatch> {
        self.watch.as_ref()
    }

    /// Takes what arrived: one datagram, or any piece of a stream. Gives the samples in it, and
    /// why others were refused, in order.
    pub fn arrived(&mut self, bytes: &[u8]) -> Vec<Decoded> {
        let Some(codec) = &self.reads else {
            let detail = format!("found {} bytes, expected none: no point comes here", bytes.len());
            self.refusals.count(Refusal::NoSuchPoint);
            return vec![Err(Rejection::new(Refusal::NoSuchPoint, detail))];
        };
        let decoded = match &mut self.stream {
            None => codec.decode(bytes),
            Some(stream) => {
                stream.push(bytes);
                frames(stream, codec)
            }
        };
        self.count(&decoded);
        decoded
    }

    /// Takes a whole frame that came beside the line, whatever is in a stream now.
    pub fn arrived_alone(&mut self, frame: &[u8]) -> Vec<Decoded> {
        match &self.reads {
            Some(codec) => {
                let decoded = codec.decode(frame);
                self.counted(decoded)
            }
            None => self.arrived(frame),
        }
    }

    /// Counts what was decoded elsewhere among its own.
    pub fn counted(&mut self, decoded: Vec<Decoded>) -> Vec<Decoded> {
        self.count(&decoded);
        decoded
    }

    /// The connection of a stream ended, or begins again: half a frame is none, and is refused.
    pub fn reconnected(&mut self) -> Vec<Decoded> {
        let (Some(stream), Some(codec)) = (&mut self.stream, &self.reads) else {
            return Vec::new();
        };
        stream.close();
        let rest = frames(stream, codec);
        if let Codec::Framed(format) = codec {
            *stream = Reassembly::new(format.framing());
        }
        self.count(&rest);
        rest
    }

    /// Whether nothing of a frame has come that is not whole yet.
    pub fn is_between_frames(&self) -> bool {
        self.stream.as_ref().is_none_or(Reassembly::is_empty)
    }

    /// The counts of the wire that this one takes the place of go on.
    #[must_use]
    pub fn continuing(mut self, before: &Self) -> Self {
        self.samples = before.samples;
        self.refusals = before.refusals.clone();
        self.next_sequence = before.next_sequence;
        self
    }

    /// Whether a stream can be read no further, so that it has to be opened again.
    pub fn is_lost(&self) -> bool {
        self.stream.as_ref().is_some_and(Reassembly::is_lost)
    }

    /// The frame of what is written, all points at once, numbered from 0 on.
    ///
    /// # Errors
    /// If a value is none that the format carries, or nothing is written by this map.
    pub fn frame(&mut self, mut sample: Sample) -> Result<Vec<u8>, Rejection> {
        let Some(codec) = &self.writes else {
            let detail = "found values to write, expected none: the map has no point that is sent";
            return Err(Rejection::new(Refusal::NoSuchPoint, detail.to_owned()));
        };
        sample.sequence = Some(self.next_sequence);
        let frame = codec.encode(sample)?;
        self.next_sequence = self.next_sequence.wrapping_add(1);
        Ok(frame)
    }

    fn count(&mut self, decoded: &[Decoded]) {
        for one in decoded {
            match one {
                Ok(sample) => {
                    self.samples = self.samples.saturating_add(1);
                    let point = self.numbered_by.and_then(|place| sample.values.get(place));
                    let sequence = sample.sequence.or_else(|| point.copied().and_then(numbered));
                    if let (Some(watch), Some(sequence)) = (&mut self.watch, sequence) {
                        watch.observe(sequence);
                    }
                }
                Err(rejection) => self.refusals.count(rejection.refusal),
            }
        }
    }
}

/// The number that a point of role `sequence` shows; none where it is no whole one.
fn numbered(value: Value) -> Option<u64> {
    match value {
        Value::Integer(word) => Some(word as u64),
        // A word of 32 bits counts exactly up to here.
        Value::Float(word) if word.is_finite() && word.fract() == 0.0 => Some(word as i64 as u64),
        Value::Float(_) | Value::Boolean(_) | Value::Complex(..) => None,
    }
}

fn described(map: &PointMap, direction: PointDirection) -> Result<FrameDescription, WireError> {
    let field = |point: &Point| {
        let name = &point.name;
        let missing = || format!("point `{name}` has no place in the frame, expected its `bits`");
        point.place.ok_or_else(|| WireError::Format(missing()))
    };
    let fields: Vec<FrameField> =
        map.of_direction(direction).map(field).collect::<Result<_, _>>()?;
    Ok(FrameDescription::new(fields, map.simulator.frame_bytes(direction)))
}

/// The whole frames of a stream, decoded.
fn frames(stream: &mut Reassembly, codec: &Codec) -> Vec<Decoded> {
    let mut decoded = Vec::new();
    while let Some(frame) = stream.next_frame() {
        match frame {
            Ok(frame) => decoded.extend(codec.decode(frame)),
            Err(rejection) => decoded.push(Err(rejection)),
        }
    }
    decoded
}
