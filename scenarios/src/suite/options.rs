//! What running several scenarios is asked with.

use std::path::PathBuf;

use crate::language::LoadOptions;
use crate::run::ConsoleOptions;

/// What `lastmeter run` was asked for.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// Scenario files and folders.
    pub paths: Vec<PathBuf>,
    /// Where the results go.
    pub out: Option<PathBuf>,
    /// Which of the scenarios found there are meant; all of these have to fit.
    pub filters: Vec<String>,
    /// Overrides, seed, platform and time.
    pub load: LoadOptions,
    /// Run twins only, and turn them round.
    pub must_fail: bool,
    /// Run nothing if one of the files is broken.
    pub strict: bool,
    /// Longest wall time of one scenario, as written.
    pub timeout: Option<String>,
    /// Whether real-time runs ask for real-time priority.
    pub real_time_priority: bool,
    /// How long each real-time run waits for a quieter machine, as written.
    pub wait_quiet: Option<String>,
    /// How to tell.
    pub console: ConsoleOptions,
}
