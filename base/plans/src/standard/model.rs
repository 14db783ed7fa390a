//! What a test plan is made of, once it is read.

use std::collections::BTreeMap;

use lastmeter_units::MeasurementId;

use super::current::Expression;
use lastmeter_text::number;

/// The words for a class in which everything that was played is within its limits, and which asks
/// for more than was played.
pub const IN_THIS_PLAN: &str = "in the tests that this plan has";

lastmeter_units::words! {
    /// How a meter is connected.
    pub enum Connection {
        /// The whole current goes through the meter.
        Direct = "direct",
        /// The current comes from a transformer.
        Transformer = "transformer",
    }
}

lastmeter_units::words! {
    /// How the readings of a test's points become the figure that is held against the limit.
    pub enum Evaluate {
        /// The error at the point.
        Error = "error",
        /// The error at the point less that at its reference point.
        Variation = "variation",
        /// That variation per kelvin between the two temperatures.
        TemperatureCoefficient = "temperature_coefficient",
        /// The worst combination of the error at reference with its variations, root of the sum of
        /// squares, one influence after the other.
        Composite = "composite",
        /// By how much the energy of each half of the time falls short of the true one.
        Starting = "starting",
        /// Pulses that the registered energy amounts to although no current flows.
        NoLoad = "no_load",
        /// Standard deviation of the readings.
        Repeatability = "repeatability",
    }
}

impl Evaluate {
    /// Whether it is made of the point and another one at reference conditions.
    pub fn has_reference_point(self) -> bool {
        matches!(self, Self::Variation | Self::TemperatureCoefficient)
    }
}

/// What of a reading is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Active energy, of the direction that flows.
    ActiveEnergy,
    /// Reactive energy, of the direction that flows.
    ReactiveEnergy,
    /// Each quantity by itself; the worst counts. Empty: none of this version's registry.
    Each(Vec<MeasurementId>),
}

lastmeter_units::words! {
    /// Of what a limit in percent is a share.
    pub enum Relative {
        /// Of the reference.
        Reading = "reading",
        /// Of the nominal value, voltage or current.
        Nominal = "nominal",
        /// Of nothing: the difference of two shares.
        Absolute = "absolute",
    }
}

/// The figure of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitFigure {
    /// In percent of what the test counts errors from.
    Percent(f64),
    /// In the quantity's SI unit, or a plain number.
    Absolute(f64),
}

impl LimitFigure {
    /// The number, in percent or in the unit.
    pub fn value(self) -> f64 {
        match self {
            Self::Percent(value) | Self::Absolute(value) => value,
        }
    }
}

/// A row of limits: what classes allow in one range of currents.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// By class, as the class list counts.
    pub values: BTreeMap<usize, LimitFigure>,
    /// Currents from here, included; from zero if left out.
    pub from: Option<Expression>,
    /// Currents below this, not included; without end if left out.
    pub below: Option<Expression>,
    /// The power factors it holds for, as written in the test; all if empty.
    pub power_factor: Vec<String>,
    /// Where in the standard.
    pub clause: String,
    /// Of which edition.
    pub edition: String,
    /// Whether the figures were read in a source.
    pub confirmed: bool,
    /// Which source, or why there is none.
    pub source: String,
}

/// One harmonic of a waveform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Multiple of the fundamental's frequency; not whole for an interharmonic.
    pub order: f64,
    /// RMS value relative to the fundamental.
    pub share: f64,
    /// Angle in radians, sine convention: zero crosses zero upwards together with the fundamental.
    pub angle_rad: f64,
}

/// The shape of the current's fundamental.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Sines: the fundamental, and harmonics where there are any.
    Sine,
    /// The positive half waves of a sine.
    HalfWave,
    /// A sine that flows from this angle of each half wave on, in radians.
    PhaseFired(f64),
    /// Whole cycles on, whole cycles off.
    Burst {
        /// Cycles with current.
        on: u32,
        /// Cycles without.
        off: u32,
    },
}

/// A rectangular modulation of the voltage, as flickermeters are tested with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modulation {
    /// Changes per minute, two in each period.
    pub changes_per_minute: f64,
    /// The whole change, relative to the voltage.
    pub depth: f64,
}

/// A named distortion of voltage and current.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// Its name in the test plan.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// The voltage's harmonics.
    pub voltage: Vec<Component>,
    /// The current's harmonics.
    pub current: Vec<Component>,
    /// The shape of the current.
    pub shape: Shape,
    /// How the voltage is modulated, if it is.
    pub modulation: Option<Modulation>,
}

/// A current that the test plan gives a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Symbol {
    /// Its name, as expressions of currents use it.
    pub name: String,
    /// The classes it holds for; all if empty.
    pub classes: Vec<usize>,
    /// What it is.
    pub value: Expression,
}

/// The active power's place between current and voltage.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerFactor {
    /// As written: `0.5 ind`, `sin 0.5 ind`.
    pub text: String,
    /// By how much the current lags, in radians.
    pub lag_rad: f64,
}

/// One test: a sweep over operating points, and what they are held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Its name, as a scenario's `tests` chooses it.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// How it is evaluated.
    pub evaluate: Evaluate,
    /// As written.
    pub quantity: String,
    /// What is judged.
    pub subject: Subject,
    /// Of what limits in percent are shares.
    pub relative: Relative,
    /// The connections it is for; all if empty.
    pub connections: Vec<Connection>,
    /// The classes the standard asks it of; all if empty.
    pub classes: Vec<usize>,
    /// Whether it makes sense with three phases only.
    pub three_phases: bool,
    /// Currents; empty: none flows.
    pub current: Vec<Expression>,
    /// Power factors.
    pub power_factor: Vec<PowerFactor>,
    /// Whether energy flows back.
    pub export: Vec<bool>,
    /// Loaded phases: `None` all, or one.
    pub loaded: Vec<Option<usize>>,
    /// Voltage over nominal.
    pub voltage: Vec<f64>,
    /// Each phase's voltage over nominal, instead of `voltage`.
    pub phase_voltages: Vec<[f64; 3]>,
    /// Frequency over nominal.
    pub frequency: Vec<f64>,
    /// Ambient temperature in degrees Celsius.
    pub temperature: Vec<f64>,
    /// Waveforms, as the test plan's list counts; the first is the sine.
    pub waveform: Vec<usize>,
    /// Whether the phase sequence is reversed.
    pub reversed: Vec<bool>,
    /// Number of readings, where it differs from the claim's.
    pub readings: Option<u32>,
    /// By class: C in the duration C * 10^6 / (k m Un Imax) minutes of the no-load test.
    pub no_load_constant: BTreeMap<usize, f64>,
    /// True energy, in pulses, over which the starting test lasts.
    pub pulses: f64,
    /// What is true where the plant knows nothing: what the standard defines by construction.
    pub expected: Option<f64>,
    /// Why it is not played in this version, if so.
    pub not_played: Option<String>,
    /// Its limits by class, current and power factor.
    pub limits: Vec<Limit>,
}

/// A clause of a standard about accuracy that no test of its test plan plays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingClause {
    /// Where in the standard.
    pub clause: String,
    /// A short name.
    pub name: String,
    /// What it asks for.
    pub title: String,
    /// Why no test plays it.
    pub reason: String,
    /// Where else it is tested, if anywhere.
    pub elsewhere: Option<String>,
    /// Whether the clause was read in a source; else it is from memory.
    pub confirmed: bool,
    /// The connections it is asked of; all if empty.
    pub connections: Vec<Connection>,
    /// The classes it is asked of; all if empty.
    pub classes: Vec<usize>,
    /// Whether it is asked of meters with three phases only.
    pub three_phases: bool,
}

impl MissingClause {
    /// Whether it is asked of a meter of this class, with this connection and so many phases.
    pub fn is_asked_of(&self, class: usize, connection: Connection, phases: usize) -> bool {
        (self.classes.is_empty() || self.classes.contains(&class))
            && (self.connections.is_empty() || self.connections.contains(&connection))
            && (phases > 1 || !self.three_phases)
    }
}

/// `0.4 %` or `0.01 Hz`.
pub fn value_text(figure: LimitFigure, unit: &str) -> String {
    match (figure, unit) {
        (LimitFigure::Percent(value), "%/K") => format!("{} %/K", number(value)),
        (LimitFigure::Percent(value), _) => format!("{} %", number(value)),
        (LimitFigure::Absolute(value), "1") => number(value),
        (LimitFigure::Absolute(value), unit) => format!("{} {unit}", number(value)),
    }
}
