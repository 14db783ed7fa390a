//! The point map: what the values of a real-time simulator are.
//!
//! GTNET-SKT, `AsyncIP` and raw frames do not describe themselves: order, number and types of the
//! points stand in the simulator's own draft, and a bench that has them wrong reads plausible
//! nonsense and writes it into the plant. A point map is the bench's own list of them, as TOML:
//!
//! ```toml
//! format = 1
//!
//! [simulator]
//! name = "feeder"
//! wire_format = "gtnet-skt"
//! card = "gtnetx2"
//! sample_rate = "1 kHz"
//!
//! [[point]]                              # in the order on the wire, each direction by itself
//! name = "u1"
//! direction = "from-simulator"
//! type = "float"
//! unit = "kV"                            # value in this unit = word * scale + offset
//! least = "0 V"
//! greatest = "300 V"
//! device = "house-1"
//! quantity = "electricity.voltage.rms.l1"
//!
//! [[point]]
//! name = "tap"
//! direction = "to-simulator"
//! type = "integer"
//! least = -8                             # without a unit: bare numbers
//! greatest = 8
//! greatest_change_per_second = 1
//! initial = 0
//! safe_value = 0
//! ```
//!
//! With `wire_format = "frame"` each point states where it lies: `bits`, `byte_order`, and
//! `byte_offset` and `bit_offset` where it does not follow the point before it (see
//! [`FrameField`]).
//!
//! [`PointMap::parse`] checks a whole map before anything starts, and returns all mistakes at once.
//! [`unnoticeable_shifts`] lists the neighbours that could change places unnoticed,
//! [`Plausibility`] watches decoded samples for signs of a wrong map, and [`villas_points`] and
//! [`listed_points`] write the beginnings of a map from what a laboratory already has.
//!
//! | file | purpose |
//! |---|---|
//! | `read`, `fields`, `format` | TOML to drafts of tables; their keys; wire formats and cards |
//! | `layout` | where points of a described frame lie |
//! | `check`, `point_check` | mistakes of the whole, of single points |
//! | `feed` | where the value of a fed point comes from |
//! | `plausibility`, `shifts`, `import` | signs of a wrong map; maps begun from other files |
//! | `word` | words on the wire, and how else the same bits can be read |
//!
//! Everything here is pure: text in, map or mistakes out.
//!
//! Larger than its budget: a language of its own, with its checks and its beginnings from other
//! files.

mod check;
mod feed;
mod fields;
mod format;
mod import;
mod layout;
mod plausibility;
mod point_check;
mod read;
mod shifts;
#[cfg(test)]
mod tests;
mod word;

use lastmeter_params::{Diagnostics, Dimension, Mistakes, WrittenUnit};
use lastmeter_units::MeasurementId;

use crate::FrameField;
use crate::sample::SignalType;

pub use feed::{FedValue, Feed, FeedSource, Pointers, is_filter_of};
pub use fields::documented_keys;
pub use format::{Card, WireFormat};
pub use import::{ImportError, listed_points, villas_points};
pub use plausibility::{Evidence, Finding, Plausibility, SAMPLES_NEEDED, Suspicion, shown};
pub use shifts::{UnnoticeableShift, unnoticeable_shifts};
pub use word::are_shifts_watched;

lastmeter_units::words! {
    /// Who sends a point.
    pub enum PointDirection {
        /// The simulator sends it.
        FromSimulator = "from-simulator",
        /// The bench sends it.
        ToSimulator = "to-simulator",
    }
}

lastmeter_units::words! {
    /// What a status word reports.
    pub enum StatusRole {
        /// 1 where the packet has new data.
        NewData = "new-data",
        /// The number of the packet.
        Sequence = "sequence",
        /// Whole seconds of the simulator's time.
        Seconds = "seconds",
        /// Nanoseconds within the second.
        Nanoseconds = "nanoseconds",
        /// 0 while the simulator is operated by hand, 1 while it takes what the bench writes.
        Mode = "mode",
        /// 1 where the simulator is ready to take the next packet.
        Ready = "ready",
        /// 1 where the card has lost packets.
        SocketOverflow = "socket-overflow",
        /// 1 where the card has rejected a packet.
        InvalidMessage = "invalid-message",
    }
}

lastmeter_units::words! {
    /// A channel of instantaneous values of a device.
    pub enum WaveformChannel {
        /// Voltage of the first phase.
        U1 = "u1",
        /// Voltage of the second phase.
        U2 = "u2",
        /// Voltage of the third phase.
        U3 = "u3",
        /// Current of the first phase.
        I1 = "i1",
        /// Current of the second phase.
        I2 = "i2",
        /// Current of the third phase.
        I3 = "i3",
        /// Current in the neutral.
        In = "in",
    }
}

impl StatusRole {
    /// Least and greatest word that such a status can have.
    pub const fn word_range(self) -> (f64, f64) {
        match self {
            Self::NewData
            | Self::Mode
            | Self::Ready
            | Self::SocketOverflow
            | Self::InvalidMessage => (0.0, 1.0),
            // Counters wrap, and some drafts read them as signed.
            Self::Sequence => (i32::MIN as f64, u32::MAX as f64),
            Self::Seconds => (0.0, u32::MAX as f64),
            Self::Nanoseconds => (0.0, 999_999_999.0),
        }
    }

    /// Whether only the simulator can know it.
    pub const fn is_of_simulator(self) -> bool {
        matches!(self, Self::Mode | Self::Ready | Self::SocketOverflow | Self::InvalidMessage)
    }
}

impl WaveformChannel {
    /// What the channel measures.
    pub const fn dimension(self) -> Dimension {
        match self {
            Self::U1 | Self::U2 | Self::U3 => Dimension::Voltage,
            Self::I1 | Self::I2 | Self::I3 | Self::In => Dimension::Current,
        }
    }
}

/// The simulator of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulator {
    /// How reports refer to it.
    pub name: String,
    /// How points stand in a packet.
    pub wire_format: WireFormat,
    /// The card whose limits hold.
    pub card: Card,
    /// The number by which `AsyncIP` routes packets.
    pub dev_id: Option<i16>,
    /// Packets per second in each direction, in hertz.
    pub sample_rate: f64,
    /// Bytes of a described frame from the simulator; `None` where it ends with its last point.
    pub frame_bytes_from_simulator: Option<usize>,
    /// The same of a frame to the simulator.
    pub frame_bytes_to_simulator: Option<usize>,
}

impl Simulator {
    /// Bytes of a described frame of a direction, where the map states them.
    pub const fn frame_bytes(&self, direction: PointDirection) -> Option<usize> {
        match direction {
            PointDirection::FromSimulator => self.frame_bytes_from_simulator,
            PointDirection::ToSimulator => self.frame_bytes_to_simulator,
        }
    }
}

/// What a point stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A quantity of a device.
    Measured {
        /// The device's name.
        device: String,
        /// The quantity, with its phase and unit.
        quantity: MeasurementId,
    },
    /// Instantaneous values of a device.
    Waveform {
        /// The device's name.
        device: String,
        /// The voltage or current of one phase.
        channel: WaveformChannel,
    },
    /// A status word.
    Status(StatusRole),
    /// A signal and nothing more.
    Raw,
}

/// A declared range in SI units, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointRange {
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub greatest: f64,
}

/// How a point may be written, in SI units.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteLimits {
    /// The steepest change per second; a boolean point has none.
    pub greatest_change_per_second: Option<f64>,
    /// What is written before anything else.
    pub initial: f64,
    /// What is written when the bench loses its input.
    pub safe_value: f64,
    /// The point that echoes it, as an index into [`PointMap::points`].
    pub reflected_by: Option<usize>,
    /// Whether it is not written while the simulator's mode is manual.
    pub blocked_by_mode: bool,
    /// Whose commands write it; `None`: nobody's.
    pub commanded: Option<Commanded>,
    /// What writes it beside commands; `None`: nothing.
    pub fed: Option<Feed>,
}

/// Whose commands write a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commanded {
    /// The device's name.
    pub device: String,
    /// Whether it is the device's breaker, and not a point by its name.
    pub is_breaker: bool,
}

/// One point of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its name, unique in the map.
    pub name: String,
    /// Who sends it.
    pub direction: PointDirection,
    /// How it is carried.
    pub signal_type: SignalType,
    /// The unit of the value after `scale`.
    pub unit: WrittenUnit,
    /// Word times this is the value in `unit`.
    pub scale: f64,
    /// Added after that, in the SI unit.
    pub offset: f64,
    /// The declared range, where there is one. Of a written point it is the limit of what the
    /// bench writes.
    pub range: Option<PointRange>,
    /// Of a measured point, by how much a sample may differ from the one before, in SI units per
    /// second; what differs by more cannot be used.
    pub steepest: Option<f64>,
    /// What it stands for.
    pub meaning: Meaning,
    /// How it may be written; `None` for what the simulator sends, and for status words, which the
    /// bench writes by their role.
    pub write: Option<WriteLimits>,
    /// Where it lies, of points in described frames ([`WireFormat::Frame`]) only. Neither scaled
    /// nor offset: `scale` and `offset` of the point are applied to the word.
    pub place: Option<FrameField>,
    /// The line of the map at which it stands.
    pub line: usize,
}

impl Point {
    /// The status that it reports, if it is a status word.
    pub const fn role(&self) -> Option<StatusRole> {
        match self.meaning {
            Meaning::Status(role) => Some(role),
            _ => None,
        }
    }

    /// A word on the wire as a value in the SI unit.
    pub fn to_si(&self, word: f64) -> f64 {
        word * (self.scale * self.unit.factor) + self.offset
    }

    /// A value in the SI unit as the word on the wire, not rounded.
    pub fn to_word(&self, si: f64) -> f64 {
        (si - self.offset) / (self.scale * self.unit.factor)
    }

    /// Least and greatest word that its range, or else its role, allows.
    pub fn word_range(&self) -> Option<(f64, f64)> {
        let Some(PointRange { least, greatest }) = self.range else {
            return match (self.role(), self.signal_type) {
                (Some(role), _) => Some(role.word_range()),
                (None, SignalType::Boolean) => Some((0.0, 1.0)),
                (None, _) => None,
            };
        };
        let (a, b) = (self.to_word(least), self.to_word(greatest));
        // A negative scale turns the range round.
        Some((a.min(b), a.max(b)))
    }
}

/// The points of one real-time simulator, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct PointMap {
    /// The simulator and its wire format.
    pub simulator: Simulator,
    /// All points, in the order of the map. Those of one direction stand in the order on the wire,
    /// but for described frames, where each has its place.
    pub points: Vec<Point>,
}

impl PointMap {
    /// Reads and checks a map.
    ///
    /// # Errors
    /// All mistakes of the text, in the order of its lines.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut out = Diagnostics::new();
        let map = read::read(text, &mut out);
        match map {
            Some(map) if out.is_empty() => Ok(map),
            _ => Err(out.located_in(text)),
        }
    }

    /// The points of one direction, in the order of a sample's values.
    pub fn of_direction(&self, direction: PointDirection) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(move |point| point.direction == direction)
    }

    /// Where the point of a role stands among those of its direction.
    pub fn position_of_role(&self, direction: PointDirection, role: StatusRole) -> Option<usize> {
        self.of_direction(direction).position(|point| point.role() == Some(role))
    }
}
