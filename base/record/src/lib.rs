//! The run folder: what a run writes down as it goes, and everything is judged from.
//!
//! | file | purpose |
//! |---|---|
//! | `writer`, `reader` | the folder as a whole: rows in, rows out, none kept |
//! | `observation`, `aggregate`, `span`, `latency`, `signal` | a row of each of its files |
//! | `grid`, `event` | the same of the network, and of what happened |
//! | `facts`, `bus`, `real_time`, `load`, `account`, `status` | what `run.json` holds |
//! | `seal`, `hash`, `waveforms` | how a later change is noticed |
//! | `line`, `number` | lines and numbers of tables |
//!
//! Terms: the *record* is `run.json`, `scenario.toml`, `events.jsonl`, `observations.csv`, if
//! devices declare the spans of their readings `spans.csv`, if the run records latency
//! `latency.csv`, if it names signals `signals.csv`, and if it has a network `grid.csv` with its
//! tables; the *compared files* are `events.jsonl`, `observations.csv` and `verdicts.json`,
//! identical byte for byte between repeats of a virtual-time run, so no wall-clock time enters
//! them. A process that is killed leaves a valid prefix: readers leave out a torn last line and
//! report it. A record that was finished has its counts and hashes in `run.json`, so that a later
//! change is noticed.

mod account;
mod aggregate;
mod bus;
mod event;
mod facts;
mod grid;
mod hash;
mod latency;
mod line;
mod load;
mod number;
mod observation;
mod reader;
mod real_time;
mod rows;
mod seal;
mod signal;
mod span;
mod status;
mod waveforms;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

pub use account::{Account, NoticeAccount};
pub use aggregate::{AGGREGATE_HEADER, Aggregate};
pub use bus::{BusFacts, IdentifierFacts, TimeShare};
pub use event::{Event, EventKind, FieldValue, ProseField, field};
pub use facts::{
    DeviceFacts, Evidence, Override, RunEnd, RunFacts, RunStart, RunState, Signal, TimeMode,
};
pub use grid::{GRID_HEADER, GridRecord, GridRow, GridTable, read_table as read_grid_table};
pub use hash::{hexadecimal, sha256};
pub use latency::{LATENCY_HEADER, LatencyPath, LatencyRow, Point};
pub use load::{LateTick, LoadFacts, LoadSecond, Wait};
pub use number::write_number;
pub use observation::{OBSERVATION_HEADER, Observation};
pub use reader::{
    EventReader, GridReader, LatencyReader, ObservationReader, RunReader, SignalReader,
};
pub use real_time::{
    ClockFacts, Deadlines, Floor, LinkFacts, RealTimeFacts, SimulatorFacts, Summary,
};
pub use seal::{Found, Torn, changed};
pub use signal::{SIGNAL_HEADER, SignalFacts, SignalOrigin, SignalSample};
pub use span::{RecordedSpan, SPAN_HEADER};
pub use status::{Counts, Status};
pub use waveforms::{changed_aggregates, changed_waveforms};
pub use writer::{RunWriter, write_facts};

/// The version of the run folder's format written and read here.
pub const FORMAT_VERSION: u32 = 1;

/// The names of the files of a run folder.
pub mod file {
    /// Who, what, when: never compared between repeats.
    pub const RUN: &str = "run.json";
    /// The scenario as resolved.
    pub const SCENARIO: &str = "scenario.toml";
    /// One line per thing that happened.
    pub const EVENTS: &str = "events.jsonl";
    /// One line per value that was due, or came unexpected.
    pub const OBSERVATIONS: &str = "observations.csv";
    /// One line per interval of each series that a rule of the scenario thins; there if and only
    /// if a rule does.
    pub const AGGREGATES: &str = "aggregates.csv";
    /// One line per value whose reference was taken over a span that its device did not announce,
    /// there if and only if there is such a value.
    pub const SPANS: &str = "spans.csv";
    /// One line per message, with when it passed each measuring point; there if and only if the
    /// run records latency.
    pub const LATENCY: &str = "latency.csv";
    /// One line per value of a signal that the scenario names, there if and only if it names one.
    pub const SIGNALS: &str = "signals.csv";
    /// One line per step of a network, there if and only if the run has one.
    pub const GRID: &str = "grid.csv";
    /// Beside it: what each part of each load drew.
    pub const GRID_LOADS: &str = "grid-loads.csv";
    /// Beside it: the voltage of each wire of each node.
    pub const GRID_VOLTAGES: &str = "grid-voltages.csv";
    /// Beside it: how breakers stood and what sources were set to, there if and only if anything of
    /// the network changed between steps.
    pub const GRID_INPUTS: &str = "grid-inputs.csv";
    /// Beside it: the one-line diagram of the step in which loads draw most.
    pub const GRID_HEAVIEST: &str = "grid-heaviest.svg";
    /// Beside it: that of the step with the highest voltage.
    pub const GRID_HIGHEST: &str = "grid-highest.svg";
    /// Beside it: the one-line diagram at the instant at which most loads had no supply.
    pub const GRID_DARK: &str = "grid-dark.svg";
    /// Beside it: the time-current curves of protective devices.
    pub const GRID_CURVES: &str = "grid-curves.csv";
    /// Beside it: what is in the folder of waveforms, with the SHA-256 of each file.
    pub const GRID_WAVEFORMS: &str = "grid-waveforms.csv";
    /// What is beside it only if there is something to report.
    pub const GRID_OPTIONAL: [&str; 6] =
        [GRID_INPUTS, GRID_HEAVIEST, GRID_HIGHEST, GRID_DARK, GRID_CURVES, GRID_WAVEFORMS];
    /// The folder of what disturbance recorders kept, as COMTRADE.
    pub const WAVEFORMS: &str = "waveforms";
    /// What the checks came to.
    pub const VERDICTS: &str = "verdicts.json";
    /// The page for people.
    pub const REPORT: &str = "report.html";
    /// The verdicts for continuous integration.
    pub const JUNIT: &str = "junit.xml";
    /// The folder of pictures and their data.
    pub const FIGURES: &str = "figures";
}

/// Why a run folder could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was tried: `create`, `read`, `write`.
        action: &'static str,
        /// The file that could not be used.
        path: PathBuf,
        /// What the operating system reported.
        source: io::Error,
    },
    /// The folder already holds a run.
    #[error("{} already holds a run; give another folder, a run is never overwritten", .0.display())]
    Occupied(PathBuf),
    /// Written by a newer version.
    #[error("{} has format version {found}, this version reads {FORMAT_VERSION}", path.display())]
    Version {
        /// The file that another version wrote.
        path: PathBuf,
        /// The format version it has.
        found: u32,
    },
    /// Not what such a file holds.
    #[error("{}:{line}: {what}", path.display())]
    Malformed {
        /// The file that is not as its format asks.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What was found and what was expected.
        what: String,
    },
}

impl RecordError {
    /// What to make of an error of the operating system while a file was to be created or read.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn malformed(path: &Path, line: u64, what: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), line, what: what.into() }
    }
}

/// Writes a file whole or not at all: beside it first, then renamed over it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let beside = path.with_extension("partial");
    std::fs::write(&beside, bytes).map_err(RecordError::io("write", &beside))?;
    std::fs::rename(&beside, path).map_err(RecordError::io("write", path))
}
