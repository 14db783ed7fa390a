//! How a recording is to be judged, and what it is.

use crate::acquire::Acquired;
use crate::flicker::Lamp;

/// Below this many cycles a frequency comes from a sine fit, which harmonics bias.
pub(super) const TRACKABLE_CYCLES: u64 = 3;

/// How a recording is to be judged, beyond what it contains.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AnalysisOptions {
    /// The declared voltage Udin in V that dips and swells are relative to, and the limits of
    /// EN 50160. `None`: 230 V at 50 Hz or 120 V at 60 Hz if the recording begins within 10 % of
    /// that, else unknown.
    pub declared_voltage_v: Option<f64>,
    /// The line frequency the recording itself states, whatever it is: an opinion, which the signal
    /// may prove wrong.
    pub stated_hz: Option<f64>,
    /// The lamp flicker is meant for. `None`: 120 V for declared voltages nearer to that than to
    /// 230 V, or unknown ones at 60 Hz; else 230 V.
    pub lamp: Option<Lamp>,
    /// The instant of the first sample in nanoseconds since 1970-01-01T00:00:00Z. With it windows
    /// are synchronised anew at each ten-minute tick of that clock, and intervals begin with it
    /// (IEC 61000-4-30, class A); without it intervals begin with the first sample.
    pub first_sample_unix_ns: Option<i64>,
    /// Whether the waveforms of all windows are wanted, at so many points per cycle (a power of
    /// two): see [`super::Analyser::take_waveforms`].
    pub samples_per_cycle: Option<usize>,
    /// Whether the values of every half cycle are wanted: see
    /// [`super::Analyser::take_half_cycles`].
    pub half_cycles: bool,
}

/// What an [`super::Analyser`] is to be fed with.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalyserSetup {
    /// Samples per second and channel.
    pub rate_hz: f64,
    /// 50 or 60 where the user states it, which excludes what lies beyond 15 % of it; `None`: the
    /// signal decides.
    pub nominal_hz: Option<f64>,
    /// Names of the phases, as many as there are voltages or currents, whichever are more.
    pub names: Vec<String>,
    /// Number of voltages.
    pub voltages: usize,
    /// Number of currents.
    pub currents: usize,
    /// How to judge.
    pub options: AnalysisOptions,
}

/// What a recording is, for those who describe it.
pub(super) struct Described<'a> {
    pub(super) acquired: &'a Acquired,
    pub(super) rate_hz: f64,
    /// The nominal frequency by the user, and by the recording itself.
    pub(super) given_hz: Option<f64>,
    pub(super) stated_hz: Option<f64>,
    pub(super) names: &'a [String],
    pub(super) voltages: usize,
    pub(super) currents: usize,
    pub(super) samples: usize,
    /// Whether the instant of the first sample is known.
    pub(super) has_clock: bool,
    /// Of a window.
    pub(super) cycles: u32,
}

impl Described<'_> {
    /// Cycles of a full window (IEC 61000-4-30).
    pub(super) fn full_cycles(&self) -> u32 {
        full_cycles(self.acquired.nominal_hz)
    }

    /// "voltage a": voltages first, then currents.
    pub(super) fn channel_name(&self, channel: usize) -> String {
        let (kind, phase) = match channel.checked_sub(self.voltages) {
            None => ("voltage", channel),
            Some(phase) => ("current", phase),
        };
        format!("{kind} {}", self.names.get(phase).map_or("?", String::as_str))
    }
}

pub(super) fn full_cycles(nominal_hz: f64) -> u32 {
    if nominal_hz == 60.0 { 12 } else { 10 }
}
