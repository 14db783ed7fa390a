//! The plant and nothing else: time, randomness, the sources of signals, and their truth.
//!
//! Pure and synchronous: no I/O, no clock of its own; files come in through a function, time and
//! randomness as arguments.
//!
//! Terms: a *source* is what makes voltage and current, or what flows in a pipe; a *metering point*
//! is where devices are connected to it, of electricity a *terminal*; *truth* or *reference* is
//! what a perfect meter would have reported there.
//!
//! ```text
//! instant, phase, clock, random, noise        time, angles and randomness, exact at any instant
//! track, tones, looped, sampled, gate         what a waveform is made of
//!   -> law, spectrum, waveform, stationary, moving, disturbance, timeline  what a terminal carries
//!     -> program, plan, injection             what will happen there
//!     -> home                                 what homes draw of it, and who opens their sockets
//!       -> source, terminal, grid, domain     sources, and where devices are connected
//! registry                                    which kinds a scenario may name
//! closed_form, means, energy, quality, voltage_events, declared, excerpt, profile
//!   -> truth                                  the reference
//! ```

mod clock;
pub mod closed_form;
mod declared;
pub mod disturbance;
mod domain;
mod energy;
mod excerpt;
mod gate;
pub mod grid;
pub mod home;
mod injection;
mod instant;
mod law;
mod looped;
mod means;
mod moving;
mod noise;
mod phase;
pub mod plan;
mod profile;
mod program;
mod quality;
mod random;
mod registry;
mod sampled;
mod source;
mod spectrum;
mod stationary;
mod terminal;
mod timeline;
mod tones;
mod track;
mod truth;
pub mod voltage_events;
mod waveform;

pub use declared::{AdmittedSpans, CHANGES_MAX, DeclaredSpan, GRID, GRID_OF_TWO, Identity};
pub use domain::heat::{HeatCircuit, HeatState};
pub use domain::room::{Room, RoomState};
pub use domain::water::{WaterState, WaterSupply};
pub use domain::{ElectricityFacts, MeteringPoint, MeteringTruth, PipeState, PipeStretch};
pub use energy::Netting;
pub use excerpt::{Excerpt, ExcerptError};
pub use injection::{BuildChange, InjectionContext, InjectionKind};
pub use looped::{Loop, LoopError};
pub use plan::REFERENCE_CELSIUS;
pub use profile::ProfileIntervals;
pub use program::Program;
pub use random::Streams;
pub use registry::{INJECTIONS, SOURCES};
pub use source::{BuildSource, Signal, SourceContext, SourceKind};
pub use spectrum::{ChannelSpectrum, Spectrum, TerminalError, Tone};
pub use terminal::{Block, Terminal};
pub use timeline::{SpectrumSpan, TemperatureChange};
pub use truth::{ReferenceSpan, Truth};
