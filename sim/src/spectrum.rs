//! What a terminal carries, as sums of tones: the plant's exchange form.
//!
//! Terms: a *tone* is one cosine; a *channel* is the voltage or the current of one phase. Time
//! counts in seconds from the scenario's start.

use lastmeter_units::SimDuration;
use serde::{Deserialize, Serialize};

use crate::excerpt::ExcerptError;

/// Why something is no terminal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TerminalError {
    /// Neither one phase nor three, or voltages without currents.
    #[error(
        "found {voltages} voltages and {currents} currents; a terminal has one of each or three"
    )]
    Phases {
        /// Voltages found.
        voltages: usize,
        /// Currents found.
        currents: usize,
    },
    /// The fundamental frequency is not a positive number.
    #[error("the fundamental frequency is {0} Hz; it has to be positive and finite")]
    Fundamental(f64),
    /// A program without operating points.
    #[error("the program has no operating point")]
    Empty,
    /// A program whose points have different numbers of phases.
    #[error("one operating point has {first} phases, a later one {later}; all need the same")]
    PhasesDiffer {
        /// Phases of the first point.
        first: usize,
        /// Phases of another.
        later: usize,
    },
    /// A rectangular modulation without an end.
    #[error("a rectangular modulation needs an end")]
    Endless,
    /// More changes than can be kept.
    #[error("more than {most} changes; let what comes again and again end earlier")]
    TooMany {
        /// Most there may be.
        most: usize,
    },
    /// A value that is infinite or not a number.
    #[error("channel {channel} contains a value that is not a finite number")]
    NotFinite {
        /// Its number, voltages first.
        channel: usize,
    },
    /// An excerpt that cannot be played.
    #[error("the excerpt at {from}: {error}")]
    Excerpt {
        /// When it begins.
        from: SimDuration,
        /// What is wrong with it.
        error: ExcerptError,
    },
    /// An excerpt whose number of phases is not that of the program.
    #[error("the excerpt at {from} has {found} phases, the program {expected}; both need the same")]
    ExcerptPhases {
        /// When it begins.
        from: SimDuration,
        /// Its phases.
        found: usize,
        /// Those of the program.
        expected: usize,
    },
    /// An excerpt that begins before the one ahead of it has ended.
    #[error(
        "the excerpt at {from} begins before {until}, where the one ahead of it ends; play \
         excerpts in order of time, and one at a time"
    )]
    ExcerptsOverlap {
        /// When it begins.
        from: SimDuration,
        /// When the one ahead of it ends.
        until: SimDuration,
    },
    /// An excerpt of more cycles of the fundamental than can be kept.
    #[error("the excerpt at {from} lasts {cycles} cycles; {most} are played at most, split it")]
    ExcerptCycles {
        /// When it begins.
        from: SimDuration,
        /// Its length in cycles of the fundamental.
        cycles: f64,
        /// Most there may be.
        most: usize,
    },
}

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

impl Spectrum {
    pub(crate) fn check(&self) -> Result<(), TerminalError> {
        let (voltages, currents) = (self.voltages.len(), self.currents.len());
        if voltages != currents || !matches!(voltages, 1 | 3) {
            return Err(TerminalError::Phases { voltages, currents });
        }
        if !(self.fundamental_hz.is_finite() && self.fundamental_hz > 0.0) {
            return Err(TerminalError::Fundamental(self.fundamental_hz));
        }
        let finite = |channel: &ChannelSpectrum| {
            let tones = channel.tones.iter();
            tones.flat_map(|tone| [tone.frequency_hz, tone.rms, tone.phase_rad]).all(f64::is_finite)
                && channel.dc.is_finite()
                && channel.noise_rms.is_finite()
        };
        let mut channels = self.voltages.iter().chain(&self.currents);
        match channels.position(|channel| !finite(channel)) {
            Some(channel) => Err(TerminalError::NotFinite { channel }),
            None => Ok(()),
        }
    }
}
