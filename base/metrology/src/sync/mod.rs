//! Finding the limits of windows: the frequency and phase of the fundamental.

pub(crate) mod crossing;
pub(crate) mod dft;
pub(crate) mod sines;
pub(crate) mod steady;

/// How the limits of a window are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronisation {
    /// The published method: of the samples around a rising zero crossing those within a band
    /// (hysteresis) are fitted by a straight line (least squares), whose zero is the crossing's
    /// fractional index; the frequency follows from the first and the last crossing of a window.
    /// The first window starts at the first crossing. Where no crossing is found for too long a
    /// window of nominal length is flagged, and the next one starts at the next crossing.
    ZeroCrossing,
    /// Frequency and phase of the windowed Fourier transform of the whole window, exact for a pure
    /// tone and, with whole cycles, blind to harmonics. The first window starts at the first
    /// sample.
    #[default]
    InterpolatedDft,
}
