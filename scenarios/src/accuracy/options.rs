//! What `lastmeter accuracy` is asked with.

use std::path::PathBuf;

/// What `lastmeter accuracy` was asked for.
#[derive(Clone, Debug)]
pub struct AccuracyOptions {
    /// A device model, or a scenario file with one device under test.
    pub meter: String,
    /// A suite's name, or a suite file.
    pub suite: String,
    /// The class that is claimed.
    pub class: Option<String>,
    /// `direct` or `transformer`.
    pub connection: Option<String>,
    /// The tests to play, as names or patterns.
    pub tests: Vec<String>,
    /// Overrides: `meter.KEY=VALUE`, `suite.KEY=VALUE`, or any address of the scenario.
    pub set: Vec<String>,
    /// Where the results go.
    pub out: Option<PathBuf>,
    /// JSON instead of text.
    pub json: bool,
    /// Colour the words.
    pub color: bool,
    /// The command as it was given.
    pub command_line: Vec<String>,
}
