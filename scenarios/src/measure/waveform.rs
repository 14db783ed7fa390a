//! The waveforms of a recording at a whole number of points per cycle, on their way to a file: what
//! fault location takes, 32 points per cycle of root-substation voltages and currents.
//!
//! One row per point, in a form that `lastmeter measure` reads itself. Written down in a temporary
//! file as they come, and copied when everything went well.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use lastmeter_metrology::WaveformAnalysis;
use tempfile::SpooledTempFile;

/// Bytes kept in memory.
const IN_MEMORY: usize = 1 << 22;

/// Waveforms in the form they will be written in.
#[derive(Debug)]
pub(super) struct Waveforms(SpooledTempFile);

impl Waveforms {
    /// With a heading of the channels' names and units.
    pub(super) fn new(voltages: &[String], currents: &[String]) -> Result<Self, String> {
        let mut heading = "time_s".to_owned();
        for (names, unit) in [(voltages, "V"), (currents, "A")] {
            for name in names {
                let cell = format!("{name} [{unit}]").replace('"', "\"\"");
                let _ = write!(heading, ",\"{cell}\"");
            }
        }
        heading.push('\n');
        let mut made = Self(SpooledTempFile::new(IN_MEMORY));
        made.write(&heading)?;
        Ok(made)
    }

    /// Takes the next windows' waveforms.
    pub(super) fn take(&mut self, waveforms: &[WaveformAnalysis]) -> Result<(), String> {
        for waveform in waveforms {
            let mut text = String::new();
            for k in 0..waveform.points() {
                let _ = write!(text, "{:.9}", waveform.time_s(k));
                for channel in &waveform.channels {
                    let value = channel.get(k).copied().unwrap_or(0.0);
                    let _ = write!(text, ",{value}");
                }
                text.push('\n');
            }
            self.write(&text)?;
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        let written = self.0.write_all(text.as_bytes());
        written.map_err(|error| format!("cannot write a temporary file: {error}"))
    }

    /// Writes the file.
    pub(super) fn save(mut self, path: &Path) -> Result<(), String> {
        let copied = self.0.rewind().and_then(|()| {
            let mut file = File::create(path)?;
            io::copy(&mut self.0, &mut file)
        });
        copied.map(|_| ()).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}
