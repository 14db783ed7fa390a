//! Tables that are written beside the measured values: waveforms at a whole number of points per
//! cycle, which fault location takes, and the values of every half cycle.
//!
//! Both are CSV; `lastmeter measure` reads waveforms itself. Rows are written down in a temporary
//! file as they come, and copied when everything went well.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use lastmeter_metrology::{Analyser, Analysis, HalfCycleAnalysis, WaveformAnalysis};
use tempfile::SpooledTempFile;

use super::options::MeasureOptions;

/// Bytes of a table kept in memory.
const IN_MEMORY: usize = 1 << 22;

#[derive(Debug)]
pub(super) struct ExtraTables {
    waveforms: Option<Table>,
    half_cycles: Option<Table>,
    /// Of the phases.
    names: Vec<String>,
}

impl ExtraTables {
    /// With their headings: waveforms under the channels' names and units.
    pub(super) fn new(
        options: &MeasureOptions,
        (voltages, currents): &(Vec<String>, Vec<String>),
        phases: Vec<String>,
    ) -> Result<Self, String> {
        let mut heading = "time_s".to_owned();
        for (names, unit) in [(voltages, "V"), (currents, "A")] {
            for name in names {
                let cell = format!("{name} [{unit}]").replace('"', "\"\"");
                let _ = write!(heading, ",\"{cell}\"");
            }
        }
        heading.push('\n');
        let cycles = "start_s,duration_s,phase,u_rms_v,i_rms_a,p_w\n";
        let table = |wanted: bool, heading| wanted.then(|| Table::new(heading)).transpose();
        Ok(Self {
            waveforms: table(options.waveform.is_some(), heading.as_str())?,
            half_cycles: table(options.half_cycles.is_some(), cycles)?,
            names: phases,
        })
    }

    /// Takes what an analyser has completed.
    pub(super) fn take(&mut self, analyser: &mut Analyser) -> Result<(), String> {
        self.write(&analyser.take_waveforms(), &analyser.take_half_cycles())
    }

    /// Takes what came with the end of the recording.
    pub(super) fn take_last(&mut self, analysis: &mut Analysis) -> Result<(), String> {
        let half_cycles = std::mem::take(&mut analysis.half_cycles);
        self.write(&std::mem::take(&mut analysis.waveforms), &half_cycles)
    }

    fn write(
        &mut self,
        waveforms: &[WaveformAnalysis],
        half_cycles: &[HalfCycleAnalysis],
    ) -> Result<(), String> {
        if let Some(table) = &mut self.waveforms {
            waveforms.iter().try_for_each(|waveform| table.write(&rows(waveform)))?;
        }
        let Some(table) = &mut self.half_cycles else { return Ok(()) };
        let mut text = String::new();
        for value in half_cycles {
            let name = self.names.get(value.phase).map_or("?", String::as_str);
            let HalfCycleAnalysis { start_s, duration_s, u_rms_v, .. } = value;
            let _ = write!(text, "{start_s:.9},{duration_s:.9},{name},{u_rms_v},");
            let _ = match value.current {
                Some((i_rms_a, p_w)) => writeln!(text, "{i_rms_a},{p_w}"),
                None => writeln!(text, ","),
            };
        }
        table.write(&text)
    }

    pub(super) fn save(self, options: &MeasureOptions) -> Result<(), String> {
        let tables =
            [(self.waveforms, &options.waveform), (self.half_cycles, &options.half_cycles)];
        for (table, path) in tables {
            if let (Some(table), Some(path)) = (table, path) {
                table.save(path)?;
            }
        }
        Ok(())
    }
}

/// One row per point.
fn rows(waveform: &WaveformAnalysis) -> String {
    let mut text = String::new();
    for k in 0..waveform.points() {
        let _ = write!(text, "{:.9}", waveform.time_s(k));
        for channel in &waveform.channels {
            let value = channel.get(k).copied().unwrap_or(0.0);
            let _ = write!(text, ",{value}");
        }
        text.push('\n');
    }
    text
}

/// A table on its way to a file.
#[derive(Debug)]
struct Table(SpooledTempFile);

impl Table {
    fn new(heading: &str) -> Result<Self, String> {
        let mut made = Self(SpooledTempFile::new(IN_MEMORY));
        made.write(heading)?;
        Ok(made)
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        let written = self.0.write_all(text.as_bytes());
        written.map_err(|error| format!("cannot write a temporary file: {error}"))
    }

    fn save(mut self, path: &Path) -> Result<(), String> {
        let copied = self.0.rewind().and_then(|()| {
            let mut file = File::create(path)?;
            io::copy(&mut self.0, &mut file)
        });
        copied.map(|_| ()).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}
