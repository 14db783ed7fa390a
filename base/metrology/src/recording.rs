//! A whole recording as input: what it must look like to be measured.

use crate::engine::{EngineError, usable};

/// A recording: samples of all channels at one rate.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisInput<'a> {
    /// Samples per second and channel.
    pub rate_hz: f64,
    /// 50 or 60 where the user states it, which excludes what lies beyond 15 % of it; `None`: the
    /// signal decides.
    pub nominal_hz: Option<f64>,
    /// Names of the phases, as many as there are voltages or currents, whichever are more.
    pub names: &'a [String],
    /// Voltages in V, one list of samples per phase; may be empty.
    pub voltages: &'a [Vec<f64>],
    /// Currents in A, one list of samples per phase; may be empty.
    pub currents: &'a [Vec<f64>],
}

/// Why a recording cannot be measured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnalysisError {
    /// Neither a voltage nor a current.
    #[error("the recording has neither voltages nor currents; name at least one channel")]
    NoChannels,
    /// Not as many names as phases.
    #[error("{found} phases are named, the recording has {expected}; name each once")]
    Names {
        /// Number of names given.
        found: usize,
        /// Phases there are.
        expected: usize,
    },
    /// Channels of different length.
    #[error(
        "the {channel} has {found} samples, the first channel has {expected}; all must be equal"
    )]
    UnequalLengths {
        /// Name of the channel.
        channel: String,
        /// Length of that channel, samples.
        found: usize,
        /// The first channel's length.
        expected: usize,
    },
    /// NaN, infinity, or a value whose square would overflow, among the samples.
    #[error(
        "sample {sample} of the {channel} is not a finite number below 1e100; \
         repair or cut the recording"
    )]
    NotFinite {
        /// Name of the channel.
        channel: String,
        /// Index of the sample, from 0.
        sample: usize,
    },
    /// Less than a cycle.
    #[error("the recording holds {found_s} s, less than one cycle ({cycle_s:.4} s)")]
    TooShort {
        /// Length of the recording, s.
        found_s: f64,
        /// A cycle of the fundamental, or of the highest frequency looked for.
        cycle_s: f64,
    },
    /// No steady fundamental in any channel.
    #[error(
        "no channel has three steady cycles of a fundamental between {low_hz} and {high_hz} Hz; \
         check the sampling rate, the nominal frequency and the channels"
    )]
    NoPeriodicSignal {
        /// Lowest frequency looked for.
        low_hz: f64,
        /// Highest frequency looked for.
        high_hz: f64,
    },
    /// A fundamental outside of the range of the nominal frequency that was asked for.
    #[error(
        "the nominal frequency is given as {nominal_hz} Hz, but the {channel} has its fundamental \
         at {found_hz:.3} Hz; give the other nominal frequency, or none"
    )]
    OtherFrequency {
        /// The nominal frequency as given, Hz.
        nominal_hz: f64,
        /// A channel with a steady fundamental.
        channel: String,
        /// The frequency found, Hz.
        found_hz: f64,
    },
    /// What the options of a spectrum ask for cannot be.
    #[error("the {what} is {found}; expected {expected}")]
    Option {
        /// Name of the option.
        what: &'static str,
        /// The option's value as given.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// The engine refused the rate or the nominal frequency.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl AnalysisInput<'_> {
    /// Number of phases: voltages or currents, whichever are more.
    pub(crate) fn phases(&self) -> usize {
        self.voltages.len().max(self.currents.len())
    }

    /// Samples per channel.
    pub(crate) fn samples(&self) -> usize {
        self.channels().next().map_or(0, |(_, samples)| samples.len())
    }

    /// All channels with a name for messages, voltages first.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (String, &[f64])> {
        let named = |kind: &'static str, list: &'_ [Vec<f64>]| -> Vec<String> {
            (0..list.len())
                .map(|p| format!("{kind} {}", self.names.get(p).map_or("?", String::as_str)))
                .collect()
        };
        let names = named("voltage", self.voltages).into_iter();
        let names = names.chain(named("current", self.currents));
        names.zip(self.voltages.iter().chain(self.currents).map(Vec::as_slice))
    }

    /// Refuses what cannot be measured, whatever the signal.
    pub(crate) fn check(&self) -> Result<(), AnalysisError> {
        let expected = self.phases();
        if expected == 0 {
            return Err(AnalysisError::NoChannels);
        }
        if self.names.len() != expected {
            return Err(AnalysisError::Names { found: self.names.len(), expected });
        }
        let nominal_hz = self.nominal_hz.unwrap_or(50.0);
        if nominal_hz != 50.0 && nominal_hz != 60.0 {
            return Err(EngineError::Nominal(nominal_hz).into());
        }
        if !(self.rate_hz.is_finite() && self.rate_hz >= 8.0 * nominal_hz) {
            return Err(EngineError::Rate { rate_hz: self.rate_hz, nominal_hz }.into());
        }
        let expected = self.samples();
        for (channel, samples) in self.channels() {
            if samples.len() != expected {
                let found = samples.len();
                return Err(AnalysisError::UnequalLengths { channel, found, expected });
            }
            if let Some(sample) = samples.iter().position(|x| !usable(*x)) {
                return Err(AnalysisError::NotFinite { channel, sample });
            }
        }
        Ok(())
    }
}
