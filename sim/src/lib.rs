//! The plant and nothing else: time, randomness, the sources of signals, and their truth.
//!
//! Pure and synchronous: no I/O, no clock of its own; files come in through a function, time and
//! randomness as arguments.
//!
//! Terms: a *source* is what makes voltage and current; a *terminal* is the point where devices
//! are connected to it; *truth* or *reference* is what a perfect meter would have reported there.

mod clock;
pub mod closed_form;
pub mod disturbance;
mod energy;
mod gate;
pub mod grid;
mod injection;
mod instant;
mod law;
mod looped;
mod moving;
mod noise;
mod phase;
pub mod plan;
mod program;
mod quality;
mod queue;
mod random;
mod source;
mod spectrum;
mod stationary;
mod terminal;
mod timeline;
mod tones;
mod track;
mod truth;

pub use injection::{BuildChange, INJECTIONS, InjectionContext, InjectionKind};
pub use looped::{Loop, LoopError};
pub use program::Program;
pub use queue::EventQueue;
pub use random::Streams;
pub use source::{BuildSource, SOURCES, Signal, SourceContext, SourceKind};
pub use spectrum::{ChannelSpectrum, Spectrum, Tone};
pub use terminal::{Block, REFERENCE_CELSIUS, Stretch, TemperatureChange, Terminal, TerminalError};
pub use truth::{Netting, ReferenceSpan, Truth};
