//! The windows of a recording on their way to the output: a long recording has more of them than
//! memory should hold.
//!
//! They are written down as they come, in memory up to a limit and then in a temporary file without
//! a name, and copied to the output when everything went well: what fails prints no half of a
//! document.

use std::fmt::Write as _;
use std::io::{self, Seek, Write};

use lastmeter_bench::output::Format;
use lastmeter_metrology::{Analysis, WindowAnalysis};
use tempfile::SpooledTempFile;

use super::table::{COLUMNS, as_table};

/// Bytes of windows kept in memory.
const IN_MEMORY: usize = 1 << 23;

/// Windows in the form they will be printed in.
#[derive(Debug)]
pub(super) struct Windows {
    format: Format,
    count: u64,
    written: SpooledTempFile,
}

impl Windows {
    pub(super) fn new(format: Format) -> Self {
        Self { format, count: 0, written: SpooledTempFile::new(IN_MEMORY) }
    }

    pub(super) fn take(&mut self, windows: &[WindowAnalysis]) -> Result<(), String> {
        let mut text = String::new();
        for window in windows {
            match self.format {
                Format::Table => {}
                Format::Csv => rows(window, &mut text),
                Format::Json => {
                    let shown = serde_json::to_string_pretty(window).map_err(|e| e.to_string())?;
                    text.push_str(if self.count == 0 { "\n    " } else { ",\n    " });
                    text.push_str(&shown.replace('\n', "\n    "));
                }
            }
            self.count += 1;
        }
        let written = self.written.write_all(text.as_bytes());
        written.map_err(|error| format!("cannot write a temporary file: {error}"))
    }

    /// Prints everything, the windows in their place. `analysis` has none itself.
    pub(super) fn print(
        mut self,
        analysis: &Analysis,
        file: &std::path::Path,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        const PLACE: &str = "\n  \"windows\": [";
        self.written.rewind()?;
        let text = match self.format {
            Format::Table => as_table(analysis, file),
            Format::Csv => {
                let names = COLUMNS.map(|(name, _, _)| name).join(",");
                let unbalance = "u2_pct,u0_pct,i2_pct,i0_pct";
                writeln!(out, "start_s,duration_s,flagged,frequency_hz,phase,{names},{unbalance}")?;
                return io::copy(&mut self.written, out).map(|_| ());
            }
            Format::Json => serde_json::to_string_pretty(analysis).map_err(io::Error::other)?,
        };
        let place = (self.format == Format::Json && self.count > 0).then(|| text.find(PLACE));
        let Some(place) = place.flatten() else {
            return writeln!(out, "{}", text.trim_end_matches('\n'));
        };
        let (before, after) = text.split_at(place + PLACE.len());
        out.write_all(before.as_bytes())?;
        io::copy(&mut self.written, out)?;
        writeln!(out, "\n  {after}")
    }
}

/// One row per phase; empty where there is nothing to report.
fn rows(window: &WindowAnalysis, text: &mut String) {
    let shown = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let of_all = &window.unbalance;
    let unbalance = [of_all.u2_pct, of_all.u0_pct, of_all.i2_pct, of_all.i0_pct];
    for phase in &window.phases {
        let values = COLUMNS.iter().map(|(_, _, value)| value(phase)).chain(unbalance);
        let row: Vec<String> = values.map(shown).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{},{}",
            window.start_s,
            window.duration_s,
            window.flagged,
            shown(window.frequency_hz),
            phase.name,
            row.join(",")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_metrology::{AnalysisInput, analyse};

    /// What is printed of a recording of `seconds`, the windows taken one by one.
    fn printed(format: Format, seconds: u32) -> (Analysis, String) {
        let samples: Vec<f64> = (0..seconds * 5000)
            .map(|k| (f64::from(k) * std::f64::consts::TAU / 100.0).cos())
            .collect();
        let (names, voltages) = (["a".to_owned()], [samples]);
        let mut analysis = analyse(&AnalysisInput {
            rate_hz: 5000.0,
            nominal_hz: Some(50.0),
            names: &names,
            voltages: &voltages,
            currents: &[],
        })
        .unwrap();
        let whole = analysis.clone();
        let mut windows = Windows::new(format);
        for window in std::mem::take(&mut analysis.windows) {
            windows.take(&[window]).unwrap();
        }
        let mut out = Vec::new();
        windows.print(&analysis, std::path::Path::new("r.csv"), &mut out).unwrap();
        (whole, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_document_is_what_it_would_be_in_one_piece() {
        for seconds in [1, 2, 40] {
            let (whole, text) = printed(Format::Json, seconds);
            assert_eq!(text, serde_json::to_string_pretty(&whole).unwrap() + "\n");
        }
    }

    #[test]
    fn there_is_a_row_for_each_window_and_phase() {
        let (whole, text) = printed(Format::Csv, 2);
        assert_eq!(text.lines().count(), 1 + whole.windows.len());
        assert!(text.starts_with("start_s,duration_s,flagged,frequency_hz,phase,u_rms_v,"));
        let columns = text.lines().next().unwrap().split(',').count();
        assert!(text.lines().all(|line| line.split(',').count() == columns), "{text}");
    }
}
