//! Sources: what a scenario may connect devices to.
//!
//! A source's entry lists the keys its `[[source]]` table takes beside `name` and `kind`, and its
//! constructor makes a signal of the checked values. What is wrong is reported in the scenario
//! author's terms, at the value that causes it.

mod files;
pub(crate) mod heat_circuit;
pub(crate) mod recording;
pub(crate) mod room;
pub(crate) mod spectrum_table;
pub(crate) mod synthetic;
pub(crate) mod water_supply;

use lastmeter_params::{Diagnostics, Entry, Values};

use lastmeter_units::{SimDuration, SimTime};

use crate::domain::MeteringPoint;
use crate::looped::Loop;
use crate::program::Program;
use crate::random::Streams;
use crate::spectrum::TerminalError;
use crate::terminal::Terminal;

/// What a source's constructor may look at besides its own values.
pub struct SourceContext<'a> {
    /// The source's name in the scenario; names its random streams.
    pub name: &'a str,
    /// The scenario's random streams.
    pub streams: &'a Streams,
    /// When the scenario starts, UTC.
    pub start: SimTime,
    /// How long the scenario lasts.
    pub duration: SimDuration,
    /// Reads a file that the scenario names; the error states why that failed.
    pub read_file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// What a source carries, before anything is injected into it.
#[derive(Clone, Debug)]
pub enum Signal {
    /// A program, into which disturbances may be injected.
    Program(Program),
    /// A recording, which is played as it is.
    Recording(Loop),
    /// What flows in a pipe, or is in a room, as it is.
    Pipe(MeteringPoint),
}

impl Signal {
    /// The metering point that carries it; `name` is the source's name.
    pub fn metering_point(
        self,
        name: &str,
        streams: &Streams,
    ) -> Result<MeteringPoint, TerminalError> {
        match self {
            Self::Program(program) => Ok(Terminal::from_program(&program, name, streams)?.into()),
            Self::Recording(table) => Ok(Terminal::from_loop(table).into()),
            Self::Pipe(point) => Ok(point),
        }
    }
}

/// Makes what a source carries; `None` after a mistake, which is then in the diagnostics.
pub type BuildSource = fn(&Values, &SourceContext<'_>, &mut Diagnostics) -> Option<Signal>;

/// One kind of source.
pub struct SourceKind {
    /// Name, texts and keys.
    pub entry: Entry,
    /// The constructor.
    pub build: BuildSource,
}
