//! The result of measuring a recording: what `lastmeter measure --format json` prints.
//!
//! Names and order of the fields are a promise to those who read the JSON: add, do not rename.
//! An unavailable value is `None` (`null`), with the reason among the notes.

use serde::Serialize;

use crate::aggregate::{Aggregate, Frequency};
use crate::en50160::WeeklyRow;
use crate::power_theory::{EffectivePower, PowerTheory};
use crate::unbalance::Unbalance;

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
    /// Unbalance over all windows.
    pub unbalance: UnbalanceValues,
    /// Energy over all windows; `null` without a voltage and a current of one phase.
    pub energy: Option<Energy>,
    /// Window by window.
    pub windows: Vec<WindowAnalysis>,
    /// The waveforms that were asked for and not taken before; no part of the JSON.
    #[serde(skip)]
    pub waveforms: Vec<WaveformAnalysis>,
    /// The half-cycle values that were asked for and not taken before; no part of the JSON.
    #[serde(skip)]
    pub half_cycles: Vec<HalfCycleAnalysis>,
    /// The voltage events are judged by in V; `null` where none is known.
    pub declared_voltage_v: Option<f64>,
    /// Dips, swells and interruptions of single phases; `null` while no declared voltage is known
    /// to judge them by.
    pub events: Option<Vec<Event>>,
    /// The same of two or more phases as one system (phase "all").
    pub system_events: Option<Vec<Event>>,
    /// Rapid voltage changes; `null` likewise.
    pub rapid_changes: Option<Vec<RapidChangeEvent>>,
    /// Load currents that went away.
    pub current_events: Vec<CurrentEvent>,
    /// Values over 150/180 cycles, ten minutes, two hours, and ten seconds of frequency.
    pub aggregates: Aggregates,
    /// The weekly verdict of EN 50160; `null` where the recording does not span a week.
    pub en50160: Option<Vec<WeeklyRow>>,
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
    /// Budeanu's reactive power in var: the sum over all harmonics, not the fundamental's.
    pub q_budeanu_var: Option<f64>,
    /// Displacement power factor P1/S1; `null` without a fundamental in both channels.
    pub displacement_pf: Option<f64>,
}

/// The values of one phase over the whole recording, with its harmonics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseAnalysis {
    /// Values of this phase.
    #[serde(flatten)]
    pub values: PhaseValues,
    /// IEEE 1459-2010 and Budeanu over all windows; `null` without a signal in both channels.
    pub ieee1459: Option<PowerTheory>,
    /// Flicker; `null` where the recording is too short for one value.
    pub flicker: Option<PhaseFlicker>,
    /// Harmonics of the voltage from order 1.
    pub harmonics_u: Option<Vec<HarmonicLine>>,
    /// Harmonics of the current from order 1.
    pub harmonics_i: Option<Vec<HarmonicLine>>,
    /// Centred interharmonic sub-groups of the voltage (IEC 61000-4-7): RMS in V of what lies
    /// between two orders, element 0 below the fundamental. Empty where windows have fewer than
    /// four cycles.
    pub interharmonics_u: Option<Vec<f64>>,
    /// Of the current, in A.
    pub interharmonics_i: Option<Vec<f64>>,
}

/// One harmonic of a spectrum.
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
    /// IEEE 1459-2010's effective quantities; three phases only.
    pub ieee1459: Option<EffectivePower>,
}

/// Unbalance in per cent (IEC 61000-4-30, 5.7); `null` unless there are three phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct UnbalanceValues {
    /// Negative- over positive-sequence voltage.
    pub u2_pct: Option<f64>,
    /// Zero- over positive-sequence voltage.
    pub u0_pct: Option<f64>,
    /// Negative- over positive-sequence current.
    pub i2_pct: Option<f64>,
    /// Zero- over positive-sequence current.
    pub i0_pct: Option<f64>,
}

impl UnbalanceValues {
    pub(crate) fn new(u: Option<Unbalance>, i: Option<Unbalance>) -> Self {
        Self {
            u2_pct: u.and_then(|u| u.negative_pct),
            u0_pct: u.and_then(|u| u.zero_pct),
            i2_pct: i.and_then(|i| i.negative_pct),
            i0_pct: i.and_then(|i| i.zero_pct),
        }
    }
}

/// Energy over all windows: the net of the phases, split into import and export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Energy {
    /// Imported active energy in Wh.
    pub active_import_wh: f64,
    /// Exported active energy in Wh, never negative.
    pub active_export_wh: f64,
    /// Reactive energy of the fundamentals in the quadrants I to IV in varh, never negative.
    pub reactive_varh: [f64; 4],
    /// Apparent energy (of the phases' U I) in `VAh`.
    pub apparent_vah: f64,
}

/// Values over longer intervals.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Aggregates {
    /// Over 150 (50 Hz) or 180 (60 Hz) cycles.
    pub cycles_150_180: Vec<Aggregate>,
    /// Over ten minutes.
    pub ten_minutes: Vec<Aggregate>,
    /// Over two hours.
    pub two_hours: Vec<Aggregate>,
    /// Frequency over ten seconds.
    pub frequency_10s: Vec<Frequency>,
}

/// Flicker of one voltage (IEC 61000-4-15).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PhaseFlicker {
    /// Every ten minutes once the filters have settled.
    pub pst: Vec<ShortTermValue>,
    /// Every twelve of these.
    pub plt: Vec<LongTermValue>,
}

/// Flicker over ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShortTermValue {
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// Short-term severity.
    pub pst: f64,
    /// Largest instantaneous sensation.
    pub pinst_max: f64,
    /// Whether it contains a part of an event; `null` while events are not judged.
    pub flagged: Option<bool>,
}

/// Flicker over two hours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LongTermValue {
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// Long-term severity.
    pub plt: f64,
    /// Whether any of its parts is flagged.
    pub flagged: bool,
}

/// One window of the recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowAnalysis {
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// Length in seconds.
    pub duration_s: f64,
    /// True if the window is not synchronous to a fundamental, or contains a part of a dip, swell
    /// or interruption.
    pub flagged: bool,
    /// True if it runs across a ten-minute tick of the clock: the next one starts at the tick,
    /// before this one ends (IEC 61000-4-30, class A). Energies count it up to the tick.
    pub overlaps_next: bool,
    /// Frequency in Hz; `null` where none could be tracked.
    pub frequency_hz: Option<f64>,
    /// Unbalance in the window.
    #[serde(flatten)]
    pub unbalance: UnbalanceValues,
    /// The phases' values.
    pub phases: Vec<PhaseValues>,
}

/// The waveforms in one window, at a whole number of points per cycle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WaveformAnalysis {
    /// The first point, in seconds since the first sample of the recording.
    pub start_s: f64,
    /// From point to point, in seconds.
    pub step_s: f64,
    /// The voltages there are, in V, then the currents, in A.
    pub channels: Vec<Vec<f64>>,
}

impl WaveformAnalysis {
    /// Points of each channel.
    pub fn points(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// When a point is, in seconds since the first sample of the recording.
    pub fn time_s(&self, point: usize) -> f64 {
        self.start_s + self.step_s * point as f64
    }
}

/// RMS values and power of one cycle, refreshed every half cycle (Urms(1/2) of IEC 61000-4-30).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfCycleAnalysis {
    /// Which phase, by its place among the names.
    pub phase: usize,
    /// Where the voltage's cycle starts, in seconds since the first sample.
    pub start_s: f64,
    /// Its length in seconds.
    pub duration_s: f64,
    /// RMS voltage in V.
    pub u_rms_v: f64,
    /// RMS current in A and active power in W; `None` for a voltage without current.
    pub current: Option<(f64, f64)>,
}

/// A dip, swell or interruption.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// "dip", "swell" or "interruption".
    pub kind: String,
    /// Name of the phase; "all" for the system.
    pub phase: String,
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// Length in seconds.
    pub duration_s: f64,
    /// Residual (or largest) voltage in V.
    pub residual_v: f64,
    /// The same in per cent of the declared voltage.
    pub residual_pct: f64,
    /// The sample nearest to the start, from 0.
    pub start_sample: u64,
    /// False if it had begun before the recording or had not ended with it.
    pub complete: bool,
}

/// A rapid voltage change (IEC 61000-4-30, 5.11).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RapidChangeEvent {
    /// Name of the phase.
    pub phase: String,
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// Length in seconds.
    pub duration_s: f64,
    /// Largest departure from the voltage before, in V.
    pub largest_v: f64,
    /// Steady voltage after minus before, in V.
    pub steady_v: f64,
}

/// A load current that went away.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurrentEvent {
    /// The kind of event, `current_interruption`.
    pub kind: String,
    /// Name of the phase.
    pub phase: String,
    /// Time of the first sample without it, in seconds since the first sample.
    pub start_s: f64,
    /// That sample, from 0.
    pub start_sample: u64,
    /// RMS current before, in A.
    pub before_a: f64,
    /// What is left of it, in A.
    pub left_a: f64,
}
