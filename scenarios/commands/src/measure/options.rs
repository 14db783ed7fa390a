//! The command line of `lastmeter measure`.

use std::path::PathBuf;

use clap::Args;
use lastmeter_bench::output::Format;
use lastmeter_units::SimTime;

/// What `lastmeter measure` is asked with.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  lastmeter measure fault.cfg
  lastmeter measure fault.cfg --declared-voltage 127017
  lastmeter measure generator.csv --voltage Va,Vb,Vc --current Ia,Ib,Ic --format json
  lastmeter measure week.csv --start 2026-11-16T00:00:00Z
  lastmeter measure fault.cfg --waveform fault-32.csv --per-cycle 32
  lastmeter measure generator.csv --voltage Va,Vb,Vc --current Ia,Ib,Ic --spectrum table.csv")]
pub struct MeasureOptions {
    /// A COMTRADE configuration (.cfg beside its .dat, or .cff) or a CSV file
    pub file: PathBuf,
    /// Voltage columns or channels, each the exact name or a unique part of one
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub voltage: Vec<String>,
    /// Current columns or channels, each the exact name or a unique part of one
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub current: Vec<String>,
    /// The column of a CSV file that holds the time
    #[arg(long, alias = "time", value_name = "COLUMN", conflicts_with = "rate")]
    pub time_column: Option<String>,
    /// Samples per second of a CSV file without time column
    #[arg(long, value_name = "HERTZ", value_parser = bare_number)]
    pub rate: Option<f64>,
    /// When the first sample was taken, as in 2026-11-20T09:59:58.5Z: intervals of ten minutes
    /// begin with the clock; without it, the recording's start
    #[arg(long, value_name = "TIME")]
    pub start: Option<SimTime>,
    /// Measure only what lies within 15 % of this frequency; without it the signal decides,
    /// whatever the recording states
    #[arg(long, value_parser = ["50", "60"])]
    pub nominal: Option<String>,
    /// The declared voltage in V (of a phase) that dips, swells and EN 50160's limits are relative
    /// to; without it, 230 V or 120 V where the recording begins near that
    #[arg(long, value_name = "VOLTS", value_parser = bare_number)]
    pub declared_voltage: Option<f64>,
    /// The lamp flicker is meant for, by its voltage; without it, by the declared voltage
    #[arg(long, value_parser = ["230", "120"])]
    pub lamp: Option<String>,
    /// A table for people, one JSON document, or CSV rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write the recording's spectrum table, which a `spectrum` source plays back
    #[arg(long, value_name = "FILE")]
    pub spectrum: Option<PathBuf>,
    /// Write the waveforms at a whole number of points per cycle, as fault location takes them
    #[arg(long, value_name = "FILE")]
    pub waveform: Option<PathBuf>,
    /// Points per cycle of the waveforms, a power of two from 4 to 1024
    #[arg(long, value_name = "N", default_value_t = 32, requires = "waveform")]
    pub per_cycle: usize,
    /// Write the RMS values and power of one cycle, refreshed every half cycle, as CSV
    #[arg(long, value_name = "FILE")]
    pub half_cycles: Option<PathBuf>,
    /// Leave lines out of the spectrum table that are smaller than this share of the fundamental
    #[arg(long, value_name = "RATIO", default_value_t = 1e-4, requires = "spectrum")]
    pub threshold: f64,
}

impl MeasureOptions {
    /// 50 or 60, if the user states it: only what lies within 15 % of it is measured.
    pub(crate) fn nominal_hz(&self) -> Option<f64> {
        self.nominal.as_deref().and_then(|text| text.parse().ok())
    }
}

/// A number whose unit is fixed.
fn bare_number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number without its unit, as in 230".to_owned())
}
