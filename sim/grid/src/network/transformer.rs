//! Transformers, their taps, and the regulators that move them.

use num_complex::Complex64;

use super::{Connection, NodeId, Place, Wire};

/// What becomes of the star point of a winding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Neutral {
    /// Earthed through this impedance, ohm; zero is solid.
    Earthed(Complex64),
    /// Brought to the neutral wire of the winding's node.
    Wire,
    /// Brought to the neutral wire of the winding's node and earthed there through this impedance,
    /// ohm and not zero, as by the electrode of a TT network.
    WireThrough(Complex64),
    /// Brought to the neutral wire of the winding's node and solidly earthed there: that wire has
    /// the potential of earth at that node, as it has at the node of a source.
    EarthedWire,
    /// Connected to nothing.
    Isolated,
}

/// How the phases of a winding are connected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindingKind {
    /// Star: each phase between its wire and the star point.
    Star(Neutral),
    /// Delta: the k-th phase between the k-th wire and the next one of the list.
    Delta,
    /// Zigzag: each phase made of two half windings on different limbs.
    Zigzag(Neutral),
}

impl WindingKind {
    /// What becomes of its star point, if it has one.
    pub const fn neutral(self) -> Option<Neutral> {
        match self {
            Self::Star(neutral) | Self::Zigzag(neutral) => Some(neutral),
            Self::Delta => None,
        }
    }

    /// Whether its star point is brought to the neutral wire of its node.
    pub const fn is_at_wire(self) -> bool {
        let neutral = self.neutral();
        matches!(neutral, Some(Neutral::Wire | Neutral::WireThrough(_) | Neutral::EarthedWire))
    }

    /// The same with its star point, if it has one, brought elsewhere.
    #[must_use]
    pub const fn with_neutral(self, neutral: Neutral) -> Self {
        match self {
            Self::Star(_) => Self::Star(neutral),
            Self::Zigzag(_) => Self::Zigzag(neutral),
            Self::Delta => Self::Delta,
        }
    }
}

/// One winding of a transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct Winding {
    /// Where its phases are connected: three wires, or one (two in delta) for a single phase.
    pub connection: Connection,
    /// How.
    pub kind: WindingKind,
    /// Rated voltage, volts: between lines for three phases, across the winding for one.
    pub rated_voltage_v: f64,
    /// Its taps; none if its turns are fixed.
    pub tap: Option<TapChanger>,
}

impl Winding {
    /// The wires of its node that it is connected to, with the neutral where its star point is
    /// brought there.
    pub fn terminals(&self) -> impl Iterator<Item = Wire> {
        let star_point = self.kind.is_at_wire().then_some(Wire::Neutral);
        self.connection.wires.as_slice().iter().copied().chain(star_point)
    }

    /// Whether it earths the neutral wire of its node.
    pub fn earths_neutral_wire(&self) -> bool {
        self.kind.neutral() == Some(Neutral::EarthedWire)
    }
}

/// The taps of a winding: its turns are `1 + (position - neutral) * step` of the rated ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TapChanger {
    /// Change of the turns by one position, as a share of the rated turns; may be negative.
    pub step: f64,
    /// Where it stands.
    pub position: i32,
    /// Where turns are the rated ones.
    pub neutral: i32,
    /// Lowest position.
    pub lowest: i32,
    /// Highest position.
    pub highest: i32,
}

impl TapChanger {
    /// Turns as a share of the rated ones.
    pub fn ratio(&self) -> f64 {
        1.0 + f64::from(self.position - self.neutral) * self.step
    }
}

/// The magnetising admittance of a transformer in per unit of its rated power and of the turns as
/// the taps stand: the real part is the no-load loss, the imaginary one is negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Magnetising {
    /// By symmetrical components of a transformer of two windings, half of it at each end of the
    /// short-circuit impedance: as power-grid-model does it, whose rules for the zero sequence then
    /// hold for the whole transformer.
    BySequence {
        /// Positive and negative sequence.
        y1_pu: Complex64,
        /// Zero sequence.
        y0_pu: Complex64,
    },
    /// Across each phase of one winding, as in `OpenDSS`, which takes the second.
    AtWinding {
        /// Which one, from 0.
        winding: u8,
        /// Each phase's part of the whole.
        y_pu: Complex64,
        /// Susceptance of small reactors between the ends of each coil and earth, half of it at
        /// each end, so that a side without any earth keeps to a definite potential; `OpenDSS`
        /// takes a millionth.
        antifloat_pu: f64,
    },
}

/// A transformer with two or three windings, of three phases (its phases are alike and their
/// magnetic circuits apart) or of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    /// Unique among the transformers.
    pub name: Box<str>,
    /// Two or three; the first is called the primary here, whichever way power flows.
    pub windings: Vec<Winding>,
    /// By how many twelfths of a turn the second winding's phases lag the first's, 0 to 11 (the
    /// clock number of IEC 60076-1); for three windings of the second and the third.
    pub clock: Vec<u8>,
    /// Whether the breaker of each winding is closed.
    pub closed: Vec<bool>,
    /// Rated apparent power of all phases together, volt-amperes.
    pub rated_power_va: f64,
    /// Short-circuit impedance in per unit of the rated power and of the turns as the taps stand:
    /// between windings 1 and 2; for three windings also 1 and 3, 2 and 3.
    pub short_circuit_pu: Vec<Complex64>,
    /// What flows without load, and where.
    pub magnetising: Magnetising,
    /// Where it was read.
    pub place: Place,
}

/// Makes up for the voltage drop of the line behind a regulator: the settings of its dial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineDropCompensation {
    /// Primary rating of the current transformer, amperes.
    pub current_transformer_a: f64,
    /// Resistive setting, volts at the relay.
    pub resistive_v: f64,
    /// Reactive setting, volts at the relay.
    pub reactive_v: f64,
}

/// How a regulator gets to its band.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// By one position in each round.
    #[default]
    OneByOne,
    /// As `OpenDSS` has it for steady states (`controlmode=static`): by seven tenths of what is
    /// missing to the set point, but at least by one position, and only those of the shortest delay
    /// of all that want to move.
    Towards {
        /// The most positions at once.
        most: u32,
        /// How long it waits before it moves, seconds.
        delay_s: f64,
    },
}

/// Moves the taps of one transformer until the voltage at its relay lies within a band. Regulators
/// act in the order of their list: the same network ends at the same taps.
#[derive(Clone, Debug, PartialEq)]
pub struct Regulator {
    /// Unique among the regulators.
    pub name: Box<str>,
    /// Index into the network's transformers.
    pub transformer: u32,
    /// Which winding's taps, from 0.
    pub winding: u8,
    /// The node whose voltage it holds.
    pub node: NodeId,
    /// Whose voltage it holds.
    pub wire: Wire,
    /// Against which wire that voltage is measured; against earth if there is none.
    pub against: Option<Wire>,
    /// Ratio of the voltage transformer of its relay.
    pub voltage_transformer_ratio: f64,
    /// What it aims at, volts at the relay.
    pub set_point_v: f64,
    /// Width of the band around it, volts at the relay.
    pub bandwidth_v: f64,
    /// Its line drop compensation.
    pub compensation: Option<LineDropCompensation>,
    /// By how much it moves at once, and when.
    pub pace: Pace,
    /// Whether it moves at all; otherwise taps stay as they are.
    pub enabled: bool,
    /// Where it was read.
    pub place: Place,
}
