//! Metrology: samples in, quantities out.
//!
//! Gapless windows of 10 cycles (50 Hz) or 12 cycles (60 Hz) as IEC 61000-4-30 and 61000-4-7 ask
//! for, the quantities of IEEE 1459 in each of them, harmonics and sub-groups, and the analysis of
//! whole recordings. Streaming ([`WindowEngine`]) for a device, in one piece ([`analyse`],
//! [`spectrum`]) for a recording.
//!
//! Terms: a *channel* is one voltage or one current; a *phase* is a voltage with its current; a
//! *window* is a whole number of cycles of the fundamental; all phase angles use the cosine
//! convention x(t) = sqrt(2) X cos(2 pi f t + phi). Power is positive for import (consumption),
//! reactive power is positive for a lagging current (inductive consumption).
//!
//! | module | purpose; samples flow from the top down |
//! |---|---|
//! | `recording`, `config` | what is to be measured, and how |
//! | `acquire`, `sync` | the fundamental: found at first, then followed from window to window |
//! | `engine`, `window` | gapless windows, popped as they complete ([`WindowEngine`]) |
//! | `edge`, `resample`, `fft`, `numeric`, `rows` | the arithmetic of one window |
//! | `quantities`, `power_theory`, `harmonics`, `unbalance`, `energy` | the values of one window |
//! | [`aggregate`], `ticks`, [`flagging`] | IEC 61000-4-30: longer intervals and flags |
//! | [`events`], [`flicker`], [`en50160`] | dips and swells; Pst and Plt; the weekly verdict |
//! | `analysis` -> `result`; `spectrum` | a whole recording: values and notes; its lines |
//!
//! Pure and synchronous: no I/O, no clock, no randomness, no panic on any input. Results depend on
//! the samples alone, not on how they were cut into pushes. Never used to compute the reference
//! value a report is judged against.

mod acquire;
pub mod aggregate;
mod analysis;
mod config;
mod edge;
pub mod en50160;
mod energy;
mod engine;
pub mod events;
mod fft;
pub mod flagging;
pub mod flicker;
mod harmonics;
mod numeric;
mod power_theory;
mod quantities;
mod recording;
mod resample;
mod result;
mod rows;
mod spectrum;
mod sync;
mod ticks;
mod unbalance;
mod window;

pub use analysis::{Analyser, AnalyserSetup, AnalysisOptions, analyse, analyse_with};
pub use energy::{CompensatedSum, EnergyRegisters, Powers};
pub use engine::{EngineConfig, EngineError, WindowEngine};
pub use power_theory::{EffectiveMeans, EffectivePower, PowerMeans, PowerTheory, Wires};
pub use recording::{AnalysisError, AnalysisInput};
pub use resample::Resampling;
pub use result::{
    Aggregates, Analysis, CurrentEvent, Energy, Event, HalfCycleAnalysis, HarmonicLine,
    LongTermValue, PhaseAnalysis, PhaseFlicker, PhaseValues, RapidChangeEvent, ShortTermValue,
    Total, UnbalanceValues, WaveformAnalysis, WindowAnalysis,
};
pub use spectrum::{Spectrum, SpectrumChannel, SpectrumLine, SpectrumOptions, spectrum};
pub use sync::Synchronisation;
pub use sync::crossing::{BAND as CROSSING_BAND, next as next_rising_crossing};
pub use unbalance::{Sequence, Unbalance};
pub use window::{
    BeforeTick, Effective, EffectiveResidue, Harmonics, PhaseHarmonics, PhaseQuantities, Phasor,
    Residue, SynchronousSamples, Window,
};
