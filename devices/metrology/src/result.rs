//! The result of measuring a recording: what `lastmeter measure --format json` prints.
//!
//! Names and order of the fields are a promise to those who read the JSON: add, do not rename.
//! What cannot be told is `None` (`null`), with the reason among the notes.

use serde::Serialize;

/// Everything measured in a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// Version of this format: 1.
    pub format_version: u32,
    /// Samples per second and channel.
    pub rate_hz: f64,
    /// Frequency of the first voltage's fundamental: the mean over the windows.
    pub frequency_hz: f64,
    /// Length of the recording in seconds (what was evaluated is in `basis` and `windows`).
    pub duration_s: f64,
    /// What the values are taken over: "15 windows of 10 cycles" or "9 cycles".
    pub basis: String,
    /// Over all windows: RMS values as the root of the mean square, powers as the mean.
    pub phases: Vec<PhaseAnalysis>,
    /// All phases together.
    pub total: Total,
    /// Window by window.
    pub windows: Vec<WindowAnalysis>,
    /// Dips, swells and interruptions; `null` while no declared voltage is known to judge them by.
    pub events: Option<Vec<Event>>,
    /// What a reader must know about the values, in whole sentences.
    pub notes: Vec<String>,
}

/// The values of one phase.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseValues {
    /// Name of the phase.
    pub name: String,
    /// RMS voltage in V.
    pub u_rms_v: Option<f64>,
    /// RMS current in A.
    pub i_rms_a: Option<f64>,
    /// Active power in W, positive for import.
    pub p_w: Option<f64>,
    /// Reactive power of the fundamentals in var, positive for a lagging current.
    pub q1_var: Option<f64>,
    /// Apparent power U I in VA.
    pub s_va: Option<f64>,
    /// Non-active power sqrt(S^2 - P^2) in var.
    pub n_var: Option<f64>,
    /// Power factor P/S; `null` where S is 0.
    pub pf: Option<f64>,
    /// Voltage distortion over harmonic sub-groups in per cent (IEC 61000-4-7 THDS).
    pub thd_u_pct: Option<f64>,
    /// Current distortion, likewise.
    pub thd_i_pct: Option<f64>,
    /// Voltage distortion over plain harmonics in per cent (IEC 61000-4-7 THD).
    pub thd_u_harm_pct: Option<f64>,
    /// Current distortion, likewise.
    pub thd_i_harm_pct: Option<f64>,
}

/// The values of one phase over the whole recording, with its harmonics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseAnalysis {
    /// The values.
    #[serde(flatten)]
    pub values: PhaseValues,
    /// Harmonics of the voltage from order 1.
    pub harmonics_u: Option<Vec<HarmonicLine>>,
    /// Harmonics of the current from order 1.
    pub harmonics_i: Option<Vec<HarmonicLine>>,
}

/// One harmonic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HarmonicLine {
    /// Multiple of the fundamental.
    pub order: u32,
    /// RMS in V or A.
    pub rms: f64,
    /// Phase in degrees, -180..=180, in the cosine convention with t = 0 at a positive peak of
    /// the first voltage's fundamental: x(t) = sqrt(2) rms cos(2 pi order f t + phase).
    pub phase_deg: f64,
}

/// All phases together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Total {
    /// Sum of the active powers in W.
    pub p_w: Option<f64>,
    /// Sum of the fundamental reactive powers in var.
    pub q1_var: Option<f64>,
    /// Arithmetic apparent power: sum of the phases' U I, in VA.
    pub s_va: Option<f64>,
    /// Effective apparent power of IEEE 1459, 3 Ue Ie, in VA; three phases only. Which form
    /// (three- or four-wire) was used is among the notes; see
    /// [`Effective`](crate::Effective) for both.
    pub se_va: Option<f64>,
}

/// One window of the recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowAnalysis {
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// Length in seconds.
    pub duration_s: f64,
    /// True if the window is not synchronous to a fundamental.
    pub flagged: bool,
    /// Frequency in Hz; `null` where none could be tracked.
    pub frequency_hz: Option<f64>,
    /// The phases' values.
    pub phases: Vec<PhaseValues>,
}

/// A dip, swell or interruption.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// "dip", "swell" or "interruption".
    pub kind: String,
    /// Name of the phase.
    pub phase: String,
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// Length in seconds.
    pub duration_s: f64,
    /// Residual (or largest) voltage in V.
    pub residual_v: f64,
}
