//! What the wire formats and the cards of simulators can carry.

use crate::sample::SignalType;
use crate::{FORMATS, FormatKind};

lastmeter_units::words! {
    /// How the points stand in a packet.
    pub enum WireFormat {
        /// RTDS GTNET-SKT: 32-bit words, most significant byte first, without any header.
        GtnetSkt = "gtnet-skt",
        /// The same behind three words of sequence, seconds and nanoseconds.
        GtnetSktHeader = "gtnet-skt-header",
        /// OPAL-RT `AsyncIP`: a header of eight bytes, then 64-bit floats, least significant first.
        OpalAsyncIp = "opal-asyncip",
        /// The binary messages of `VILLASnode`: a header of sixteen bytes, then 32-bit words.
        VillasBinary = "villas-binary",
        /// Samples of `VILLASnode` as JSON.
        VillasJson = "villas-json",
        /// Samples of `VILLASnode` as Protocol Buffers.
        VillasProtobuf = "villas-protobuf",
        /// A layout that a frame description gives.
        Frame = "frame",
    }
}

lastmeter_units::words! {
    /// The communication card that sends and takes the packets.
    pub enum Card {
        /// RTDS `GTNETx2`.
        GtnetX2 = "gtnetx2",
        /// The older RTDS GTNET.
        Gtnet = "gtnet",
        /// None whose limits are known.
        None = "none",
    }
}

impl WireFormat {
    /// Its row of [`FORMATS`].
    pub fn kind(self) -> &'static FormatKind {
        &FORMATS[self as usize]
    }

    /// The types that it can carry.
    pub const fn types(self) -> &'static [SignalType] {
        match self {
            Self::GtnetSkt | Self::GtnetSktHeader | Self::VillasBinary => {
                &[SignalType::Float, SignalType::Integer]
            }
            Self::OpalAsyncIp => &[SignalType::Float],
            Self::VillasJson | Self::VillasProtobuf => &SignalType::ALL,
            Self::Frame => &[SignalType::Float, SignalType::Integer, SignalType::Boolean],
        }
    }

    /// Whether it carries this type.
    pub fn carries(self, signal_type: SignalType) -> bool {
        self.types().contains(&signal_type)
    }

    /// The most values of one packet, where the format itself has a limit: 64 in OPAL's published
    /// example of `AsyncIP`, and what the 16-bit length of `VILLASnode`'s messages can state.
    pub const fn values_max(self) -> Option<usize> {
        match self {
            Self::OpalAsyncIp => Some(64),
            Self::VillasBinary => Some(u16::MAX as usize),
            _ => None,
        }
    }

    /// Words that stand before the values, are of the values' kind, and count as points of a card.
    pub const fn header_words(self) -> usize {
        match self {
            Self::GtnetSktHeader => 3,
            _ => 0,
        }
    }

    /// How many bits its words have, of `f32` or `i32` or else of `f64` or `i64`; `None` where the
    /// values are text, tagged, or of a layout that only the frame description knows.
    pub const fn word_bits(self) -> Option<u8> {
        match self {
            Self::GtnetSkt | Self::GtnetSktHeader | Self::VillasBinary => Some(32),
            Self::OpalAsyncIp => Some(64),
            Self::VillasJson | Self::VillasProtobuf | Self::Frame => None,
        }
    }

    /// Whether packets of it leave a GTNET card.
    pub const fn is_gtnet(self) -> bool {
        matches!(self, Self::GtnetSkt | Self::GtnetSktHeader)
    }
}

impl Card {
    /// The most points of one packet: 300 in and 300 out for one GTNET-SKT device (RTDS,
    /// "`GTNETx2`" and "Model Monday: GTNET-SKT").
    pub const fn points_max(self) -> Option<usize> {
        match self {
            Self::GtnetX2 | Self::Gtnet => Some(300),
            Self::None => None,
        }
    }

    /// The highest recommended rate in hertz at a number of points in one packet (RTDS, "Model
    /// Monday: GTNET-SKT"): `GTNETx2` 5,000 Hz below 60 points and 1,000 Hz up to 300; GTNET
    /// 100 Hz.
    pub const fn rate_max(self, points: usize) -> Option<f64> {
        match self {
            Self::GtnetX2 if points < 60 => Some(5_000.0),
            Self::GtnetX2 => Some(1_000.0),
            Self::Gtnet => Some(100.0),
            Self::None => None,
        }
    }
}
