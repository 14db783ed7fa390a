//! Operating points, laid one after another: how a test plan is written for a source.
//!
//! Angles are those of the standards' tables. The first voltage begins at the scenario's start with
//! its positive zero crossing, the other phases follow by thirds of a period. Each current lags the
//! voltage of its phase by an angle, and harmonics count from the positive zero crossing of their
//! own channel's fundamental: with `theta` the angle since that crossing a channel is
//!
//! ```text
//! sqrt(2) X1 [ sin(theta) + sum_h share_h sin(h theta + angle_h) ] + dc
//! ```
//!
//! Where a point follows another the angle of the fundamental goes on without a jump.

use lastmeter_units::SimDuration;

/// The ambient temperature where nothing else is given, in degrees Celsius: the reference
/// temperature of the meter standards (IEC 62052-11).
pub const REFERENCE_CELSIUS: f64 = 23.0;

/// A component at a multiple of the fundamental's frequency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Harmonic {
    /// Multiple of the fundamental's frequency, at least 2.
    pub order: u32,
    /// RMS value relative to the fundamental of its channel.
    pub share: f64,
    /// Angle of the sine where the fundamental of its channel crosses zero upwards, in radians.
    pub angle_rad: f64,
}

/// In which order the phases follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhaseSequence {
    /// L1, L2, L3.
    #[default]
    Positive,
    /// L1, L3, L2: reversed.
    Negative,
}

/// The shape of a current.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum WaveShape {
    /// The sum of its fundamental and harmonics.
    #[default]
    Sine,
    /// Only the positive half waves of that: the class tests' direct component and even harmonics.
    HalfWave,
    /// Each half wave of that from an angle on: the class tests' odd harmonics.
    PhaseFired {
        /// Angle after each zero crossing in radians, 0 to pi.
        angle_rad: f64,
    },
    /// Whole cycles of that switched on and off: the class tests' sub-harmonics.
    BurstFired {
        /// Cycles on.
        on: u32,
        /// Cycles off.
        off: u32,
    },
    /// With harmonics 3, 5, 7, 11, 13 of 30, 18, 14, 9, 5 %, all in phase at the zero crossing: a
    /// flat wave (OIML R 46-2:2012, the shares from memory).
    Quadriform,
    /// With the same harmonics and the sign of `sin(90 degrees h)`: a narrow peak.
    Peaked,
}

/// What [`WaveShape::Quadriform`] and [`WaveShape::Peaked`] are made of: order and share.
const OIML_CURRENT: [(u32, f64); 5] = [(3, 0.30), (5, 0.18), (7, 0.14), (11, 0.09), (13, 0.05)];

impl WaveShape {
    pub(crate) fn harmonics(&self) -> Vec<Harmonic> {
        let add = |is_peaked: bool| {
            let harmonic = |(order, share): (u32, f64)| {
                let is_turned = is_peaked && order % 4 == 3;
                let angle_rad = if is_turned { std::f64::consts::PI } else { 0.0 };
                Harmonic { order, share, angle_rad }
            };
            OIML_CURRENT.into_iter().map(harmonic).collect()
        };
        match self {
            Self::Quadriform => add(false),
            Self::Peaked => add(true),
            _ => Vec::new(),
        }
    }
}

/// A rectangular modulation of the voltages, as flickermeters are tested with (IEC 61000-4-15,
/// table 5): it begins at the higher level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoltageModulation {
    /// Steps up and down per minute; two of them are a period.
    pub changes_per_minute: f64,
    /// From the lower level to the higher one, relative to the mean (dV/V).
    pub depth: f64,
}

/// What is constant for a while: a row of a test plan.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingPoint {
    /// How long it lasts. The last point of a program lasts forever.
    pub duration: SimDuration,
    /// Frequency of the fundamental in hertz.
    pub frequency_hz: f64,
    /// RMS value of each phase's fundamental voltage, in volts; one or three phases.
    pub voltages_v: Vec<f64>,
    /// RMS value of each phase's fundamental current, in amperes.
    pub currents_a: Vec<f64>,
    /// Angle by which each current lags its voltage, in radians.
    pub current_lags_rad: Vec<f64>,
    /// Angle by which each voltage leads its place in the sequence, in radians; empty: none does.
    pub voltage_leads_rad: Vec<f64>,
    /// Order of the phases.
    pub sequence: PhaseSequence,
    /// Harmonics of every voltage.
    pub voltage_harmonics: Vec<Harmonic>,
    /// Modulation of every voltage, for as long as the point lasts.
    pub voltage_modulation: Option<VoltageModulation>,
    /// Harmonics of every current.
    pub current_harmonics: Vec<Harmonic>,
    /// Shape of the currents. What is cut is cut from the sine that `currents_a` and the harmonics
    /// make, by the angle of each current's own fundamental; a burst begins at the first positive
    /// zero crossing of the point.
    pub current_shape: WaveShape,
    /// Direct component of every voltage in volts.
    pub voltage_dc_v: f64,
    /// Direct component of every current in amperes.
    pub current_dc_a: f64,
    /// RMS value of white noise on every voltage, in volts.
    pub voltage_noise_v: f64,
    /// RMS value of white noise on every current, in amperes.
    pub current_noise_a: f64,
    /// Ambient temperature in degrees Celsius.
    pub temperature_celsius: f64,
}

impl OperatingPoint {
    /// A balanced point of one or three phases: sines, unity power factor, 23 degrees Celsius.
    pub fn balanced(
        duration: SimDuration,
        phases: usize,
        frequency_hz: f64,
        voltage_v: f64,
        current_a: f64,
    ) -> Self {
        Self {
            duration,
            frequency_hz,
            voltages_v: vec![voltage_v; phases],
            currents_a: vec![current_a; phases],
            current_lags_rad: vec![0.0; phases],
            voltage_leads_rad: Vec::new(),
            sequence: PhaseSequence::Positive,
            voltage_harmonics: Vec::new(),
            voltage_modulation: None,
            current_harmonics: Vec::new(),
            current_shape: WaveShape::Sine,
            voltage_dc_v: 0.0,
            current_dc_a: 0.0,
            voltage_noise_v: 0.0,
            current_noise_a: 0.0,
            temperature_celsius: REFERENCE_CELSIUS,
        }
    }
}
