//! What may happen to a source: steps and ramps, events of power quality, waves that are cut.
//!
//! Any number may be under way at once. A channel is made in this order:
//!
//! 1. the operating point's fundamental, harmonics, interharmonics and direct component, with the
//!    phases swapped where the sequence is reversed;
//! 2. added components, relative to the undisturbed fundamental; quadriform and peaked currents;
//! 3. gates: cut currents and notches. Of several shapes of a current the one that began last
//!    holds; notches multiply;
//! 4. factors: amplitude (the one set last), levels (dips, swells), flicker; they multiply;
//! 5. added direct components and transients, which nothing of the above reaches.
//!
//! Shifts of the angle add up and move the whole wave of a channel, its gates included. Noise adds
//! up as power. Of frequencies, and of temperatures, the one set last holds; a ramp that another
//! interrupts is left where it is. What ends at an instant is over there.

use lastmeter_units::SimDuration;

use crate::plan::WaveShape;

/// Phases by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases(pub [bool; 3]);

impl Phases {
    /// All there are.
    pub const ALL: Self = Self([true; 3]);

    /// Whether a phase, counted from 0, is among them.
    pub fn has(self, phase: usize) -> bool {
        self.0.get(phase).copied().unwrap_or(false)
    }
}

lastmeter_units::words! {
    /// Voltages or currents.
    pub enum Side {
        /// The voltages.
        Voltage = "voltage",
        /// The currents.
        Current = "current",
        /// Both.
        Both = "both",
    }
}

/// An angle of a voltage at which something begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointOnWave {
    /// The phase whose undisturbed voltage is looked at, counted from 0.
    pub phase: usize,
    /// Its angle in radians, counted from the positive zero crossing of its fundamental.
    pub angle_rad: f64,
}

/// Where in the spectrum an added component is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ComponentPlace {
    /// A multiple of the fundamental; follows it. Its angle counts where the voltage's fundamental
    /// of its phase has its maximum.
    Order(u32),
    /// A frequency of its own in hertz. Its angle counts where it begins.
    Hertz(f64),
}

/// A cosine that is added, its RMS value relative to the undisturbed fundamental of its channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Where it is.
    pub place: ComponentPlace,
    /// RMS value relative to the fundamental of each voltage.
    pub voltage_share: f64,
    /// Angle of the voltage's component in radians.
    pub voltage_angle_rad: f64,
    /// RMS value relative to the fundamental of each current.
    pub current_share: f64,
    /// Angle of the current's component in radians.
    pub current_angle_rad: f64,
    /// In which time it grows from nothing, along a straight line.
    pub rise: SimDuration,
    /// In which time it goes back to nothing before its end.
    pub fall: SimDuration,
    /// How far its amplitude swings up and down, relative to itself, along a sine.
    pub swing: f64,
    /// How often it swings, in hertz.
    pub swing_hz: f64,
}

/// How the voltage is modulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modulation {
    /// `1 + depth/2 sin(2 pi f t)`, from the beginning on.
    Sine,
    /// `1 + depth/2` for half of a period, then `1 - depth/2`.
    Rectangle,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The amplitude goes to a part of the operating point's, with everything the channel carries.
    /// Stays.
    Amplitude {
        /// Of voltages or currents.
        side: Side,
        /// Of which phases.
        phases: Phases,
        /// To which part.
        to: f64,
        /// In which time, along a straight line.
        over: SimDuration,
    },
    /// The fundamental's frequency goes to another. Stays.
    Frequency {
        /// In hertz.
        to_hz: f64,
        /// In which time, along a straight line.
        over: SimDuration,
    },
    /// The wave goes ahead by an angle of the fundamental. Stays.
    Angle {
        /// Of voltages or currents.
        side: Side,
        /// Of which phases.
        phases: Phases,
        /// By how much, in radians.
        by_rad: f64,
        /// In which time, along a straight line.
        over: SimDuration,
    },
    /// The ambient temperature becomes another. Stays.
    Temperature {
        /// In degrees Celsius.
        celsius: f64,
        /// In which time, in steps of at most a quarter of a kelvin.
        over: SimDuration,
    },
    /// Voltages on another level: dip, swell, interruption, rapid change, unbalance.
    Level {
        /// Of each phase, relative to before.
        factors: [f64; 3],
        /// By how much each phase goes ahead meanwhile, in radians.
        jumps_rad: [f64; 3],
        /// At which point on the wave it begins, at or after its instant.
        point: Option<PointOnWave>,
    },
    /// A harmonic or interharmonic.
    Component {
        /// Of which phases.
        phases: Phases,
        /// What it is.
        component: Component,
    },
    /// Voltages that are modulated. A rectangle needs an end.
    Flicker {
        /// Of which phases.
        phases: Phases,
        /// The shape.
        modulation: Modulation,
        /// From the highest to the lowest level, relative to the mean (dV/V of IEC 61000-4-15).
        depth: f64,
        /// Periods per second; two changes are one period.
        hz: f64,
    },
    /// Commutation notches: parts of each cycle in which the voltage is smaller.
    Notch {
        /// Of which phases.
        phases: Phases,
        /// So many in each cycle, at equal distances.
        per_cycle: u32,
        /// Where the first begins, in radians from the positive zero crossing.
        first_rad: f64,
        /// How wide each is, in radians.
        width_rad: f64,
        /// How much of the voltage is missing there.
        depth: f64,
    },
    /// An oscillation that dies away: `peak e^(-t/decay) sin(2 pi f t)`.
    Transient {
        /// On which voltages.
        phases: Phases,
        /// Its amplitude in volts.
        peak_v: f64,
        /// Its frequency in hertz.
        hz: f64,
        /// Its time constant in seconds.
        decay_s: f64,
        /// At which point on the wave it begins, at or after its instant.
        point: Option<PointOnWave>,
    },
    /// Direct components.
    Direct {
        /// Of which phases.
        phases: Phases,
        /// On each voltage, in volts.
        voltage_v: f64,
        /// On each current, in amperes.
        current_a: f64,
    },
    /// Another shape of the current.
    Shape {
        /// Of which phases.
        phases: Phases,
        /// Which.
        shape: WaveShape,
    },
    /// L2 and L3 change places.
    ReversedSequence,
    /// White noise.
    Noise {
        /// On which phases.
        phases: Phases,
        /// RMS value on each voltage, in volts.
        voltage_v: f64,
        /// RMS value on each current, in amperes.
        current_a: f64,
    },
}

/// Something that happens at an instant or for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Disturbance {
    /// When it begins, since the scenario's start.
    pub at: SimDuration,
    /// How long it lasts; `None`: forever. What stays has no length.
    pub length: Option<SimDuration>,
    /// What it is.
    pub change: Change,
}
