//! What an engine is to measure and how, and why it may refuse.

use crate::resample::Resampling;
use crate::sync::Synchronisation;

/// Points of a resampled window unless the configuration sets another (far more
/// than order 50 needs, so that nothing an input below 40 kS/s contains folds onto a harmonic).
pub(crate) const WINDOW_SAMPLES: usize = 4096;

/// Resampled points a window may have.
const WINDOW_SAMPLES_RANGE: std::ops::RangeInclusive<usize> = 32..=1 << 20;

/// Synchronous samples per cycle that may be asked for.
const PER_CYCLE_RANGE: std::ops::RangeInclusive<usize> = 4..=1024;

/// What the engine is to measure, and by which method.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// Samples per second and channel; at least eight per nominal cycle.
    pub rate_hz: f64,
    /// 50 or 60.
    pub nominal_hz: f64,
    /// Number of phases: one voltage and one current each.
    pub phases: usize,
    /// Whether to compute harmonics, groups and interharmonics too (several times the work).
    pub harmonics: bool,
    /// How the limits of a window are found.
    pub synchronisation: Synchronisation,
    /// How the points between the samples are found, for harmonics and synchronous samples. RMS
    /// values and powers are summed over the samples themselves and do not depend on it.
    pub resampling: Resampling,
    /// With zero crossings: the published formulae as they are printed, misprints included. The
    /// residual of a window's first crossing is added to its length, and its first sample is
    /// missing in the sums of squares.
    pub as_printed: bool,
    /// Points a window is resampled to before its transform, a power of two; `None`: 4096. With
    /// fewer the highest orders are missing: 256 points hold twelve orders of ten cycles.
    pub window_samples: Option<usize>,
    /// Whether every window comes with its waveform at this many points per cycle, a power of two
    /// (32 for fault location).
    pub samples_per_cycle: Option<usize>,
    /// The instant of the first sample in nanoseconds since 1970-01-01T00:00:00Z. With it windows
    /// are synchronised anew at each 10-minute tick of that clock, as class A of IEC 61000-4-30
    /// asks: the window that runs across a tick is completed and belongs to the interval before,
    /// and another one starts at the tick; the two overlap. Without it (the default) windows are
    /// gapless and never overlap, so their energies add up to the energy.
    pub first_sample_unix_ns: Option<i64>,
}

impl EngineConfig {
    /// Basic quantities only, by the default methods.
    pub fn new(rate_hz: f64, nominal_hz: f64, phases: usize) -> Self {
        Self {
            rate_hz,
            nominal_hz,
            phases,
            harmonics: false,
            synchronisation: Synchronisation::default(),
            resampling: Resampling::default(),
            as_printed: false,
            window_samples: None,
            samples_per_cycle: None,
            first_sample_unix_ns: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let Self { rate_hz, nominal_hz, phases, .. } = *self;
        if nominal_hz != 50.0 && nominal_hz != 60.0 {
            return Err(EngineError::Nominal(nominal_hz));
        }
        if !(rate_hz.is_finite() && rate_hz >= 8.0 * nominal_hz) {
            return Err(EngineError::Rate { rate_hz, nominal_hz });
        }
        if phases == 0 {
            return Err(EngineError::NoPhases);
        }
        let is_good = |count: Option<usize>, range: std::ops::RangeInclusive<usize>| {
            count.is_none_or(|count| count.is_power_of_two() && range.contains(&count))
        };
        if !is_good(self.window_samples, WINDOW_SAMPLES_RANGE) {
            return Err(EngineError::WindowSamples(self.window_samples.unwrap_or(0)));
        }
        if !is_good(self.samples_per_cycle, PER_CYCLE_RANGE) {
            return Err(EngineError::SamplesPerCycle(self.samples_per_cycle.unwrap_or(0)));
        }
        Ok(())
    }
}

/// Why an engine cannot be made or fed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// Neither 50 nor 60 Hz.
    #[error("the nominal frequency is {0} Hz; windows are defined for 50 and 60 Hz")]
    Nominal(f64),
    /// Too few samples per cycle, or no rate at all.
    #[error("the sampling rate is {rate_hz} Hz; at least {} Hz are needed", 8.0 * nominal_hz)]
    Rate {
        /// The rate as given, Hz.
        rate_hz: f64,
        /// The nominal frequency it was compared with.
        nominal_hz: f64,
    },
    /// No phase at all.
    #[error("there is no phase to measure; give at least one voltage or current")]
    NoPhases,
    /// Not a power of two, or out of range.
    #[error("windows of {0} points were asked for; give a power of two from 32 to 1048576")]
    WindowSamples(usize),
    /// Not a power of two, or out of range.
    #[error("{0} samples per cycle were asked for; give a power of two from 4 to 1024")]
    SamplesPerCycle(usize),
    /// A push with the wrong number of channels.
    #[error("{found} {what} were pushed, expected {expected} (or none at all)")]
    Channels {
        /// "voltages" or "currents".
        what: &'static str,
        /// Channels in the samples pushed.
        found: usize,
        /// The number of phases.
        expected: usize,
    },
    /// Channels of one push differ in length.
    #[error("channel {channel} has {found} samples, the first has {expected}; all must be equal")]
    Lengths {
        /// Index, voltages first.
        channel: usize,
        /// Length of that channel, samples.
        found: usize,
        /// The first channel's length.
        expected: usize,
    },
    /// NaN, infinity, or a value whose square would overflow.
    #[error("sample {sample} of channel {channel} is not a finite number below 1e100")]
    NotFinite {
        /// Index, voltages first.
        channel: usize,
        /// Index within the push.
        sample: usize,
    },
    /// Samples after the end.
    #[error("samples were pushed after the signal was finished")]
    Finished,
}
