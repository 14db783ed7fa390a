//! What crosses between a device that is somebody else's program and whoever starts the program.

use std::time::Duration;

use super::device::Device;

/// The program of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramSpec {
    /// The program's file, as the scenario names it.
    pub file: String,
    /// What runs it, such as `python3`; empty if it runs by itself.
    pub with: Vec<String>,
    /// How long an answer may take in wall time.
    pub within: Duration,
}

/// Carries lines to a program and back.
pub trait Exchange: Send {
    /// Asks with one line, and waits for the line that answers.
    ///
    /// # Errors
    /// What the program did wrong, with its name.
    fn ask(&mut self, request: &str) -> Result<String, String>;
}

/// A device that is somebody else's program.
pub trait ProgramDevice: Device {
    /// The program.
    fn spec(&self) -> &ProgramSpec;

    /// Takes the way to the program, which has been started, and begins.
    ///
    /// # Errors
    /// What the program did wrong.
    fn connect(&mut self, exchange: Box<dyn Exchange>) -> Result<(), String>;
}
