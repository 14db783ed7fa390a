//! What `lastmeter measure` is asked with.

use std::path::PathBuf;

use lastmeter_units::SimTime;

use crate::output::Format;

/// What `lastmeter measure` was asked for.
#[derive(Clone, Debug)]
pub struct MeasureOptions {
    /// The recording.
    pub file: PathBuf,
    /// Which voltages, by name or unique part of one.
    pub voltage: Vec<String>,
    /// Which currents.
    pub current: Vec<String>,
    /// CSV: the time column.
    pub time: Option<String>,
    /// CSV: the sampling rate.
    pub rate_hz: Option<f64>,
    /// When the first sample was taken, where the recording does not say or is not believed.
    pub start: Option<SimTime>,
    /// 50 or 60, if the user says so: only what lies within 15 % of it is measured.
    pub nominal_hz: Option<f64>,
    /// The declared voltage events and the weekly verdict are relative to, in V.
    pub declared_voltage_v: Option<f64>,
    /// The lamp flicker is meant for, by its voltage: 230 or 120.
    pub lamp_v: Option<f64>,
    /// How to print.
    pub format: Format,
    /// Where the spectrum table goes, if one is wanted.
    pub spectrum: Option<PathBuf>,
    /// Where the waveforms go, if they are wanted.
    pub waveform: Option<PathBuf>,
    /// Points per cycle of these.
    pub per_cycle: usize,
    /// Where the values of every half cycle go, if they are wanted.
    pub half_cycles: Option<PathBuf>,
    /// Lines below this part of a channel's largest are left out of the spectrum table.
    pub threshold: f64,
}
