//! What a terminal carries, as sums of tones: the plant's exchange form.
//!
//! Terms: a *tone* is one cosine; a *channel* is the voltage or the current of one phase. Time
//! counts in seconds from the scenario's start.

use serde::{Deserialize, Serialize};

/// One cosine: `sqrt(2) * rms * cos(2 pi * frequency_hz * t + phase_rad)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tone {
    /// Frequency in hertz.
    pub frequency_hz: f64,
    /// RMS value in volts or amperes.
    pub rms: f64,
    /// Phase angle at the scenario's start in radians, cosine convention.
    pub phase_rad: f64,
}

/// The voltage or the current of one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChannelSpectrum {
    /// Direct component in volts or amperes.
    pub dc: f64,
    /// The tones, the fundamental among them.
    pub tones: Vec<Tone>,
    /// RMS value of white Gaussian noise in the band of whatever rate it is sampled at.
    pub noise_rms: f64,
}

/// Voltages and currents of all phases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// The frequency to which fundamental quantities (Q, phase angles, harmonic orders) refer.
    pub fundamental_hz: f64,
    /// One channel per phase.
    pub voltages: Vec<ChannelSpectrum>,
    /// One channel per phase, positive towards the load.
    pub currents: Vec<ChannelSpectrum>,
}
