//! The registry of sources: what a scenario may connect devices to.
//!
//! A source's entry says which keys its `[[source]]` table takes beside `name` and `kind`, and its
//! constructor makes a terminal of the checked values. What is wrong is told in the scenario
//! author's terms, at the value that causes it.

mod files;
mod recording;
mod spectrum_table;
mod synthetic;

use lastmeter_params::{Diagnostics, Entry, Values};

use crate::random::Streams;
use crate::terminal::Terminal;

/// What a source's constructor may look at besides its own values.
pub struct SourceContext<'a> {
    /// The source's name in the scenario; names its random streams.
    pub name: &'a str,
    /// The scenario's random streams.
    pub streams: &'a Streams,
    /// Reads a file that the scenario names; the error says why that failed.
    pub read_file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// Makes the terminal of a source; `None` after a mistake, which is then in the diagnostics.
pub type BuildSource = fn(&Values, &SourceContext<'_>, &mut Diagnostics) -> Option<Terminal>;

/// One kind of source.
pub struct SourceKind {
    /// Name, texts and keys.
    pub entry: Entry,
    /// The constructor.
    pub build: BuildSource,
}

/// Every kind of source.
pub static SOURCES: &[SourceKind] = &[synthetic::KIND, recording::KIND, spectrum_table::KIND];
