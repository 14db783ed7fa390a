//! What one measurement window holds, whichever way it was computed.

use lastmeter_units::SimDuration;
use num_complex::Complex64;

/// The shortest reporting period: longer than the longest window (12 cycles at 50.7 Hz, 10 at
/// 42.25 Hz: 0.237 s), so that each reading has at least one.
pub(crate) const PERIOD_MIN: SimDuration = SimDuration::from_milliseconds(250);

pub(crate) const PHASES_MAX: usize = 3;

/// The basic quantities of one phase, primary values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct MeasuredPhase {
    pub(crate) u_rms_v: f64,
    pub(crate) i_rms_a: f64,
    /// Active power in W, positive for import.
    pub(crate) p_w: f64,
    /// Reactive power of the fundamental in var, positive for a lagging current.
    pub(crate) q1_var: f64,
    pub(crate) s_va: f64,
    /// Fundamentals as RMS phasors, their common angle arbitrary.
    pub(crate) u1: Complex64,
    pub(crate) i1: Complex64,
    /// Squares of the total harmonic distortions (to order 50), where asked for.
    pub(crate) u_thd2: f64,
    pub(crate) i_thd2: f64,
    /// Mean values in V and A, where asked for.
    pub(crate) u_mean_v: f64,
    pub(crate) i_mean_a: f64,
}

/// Orders of harmonics that are reported one by one: 2 to 50.
pub(crate) const ORDERS: usize = 49;

/// RMS values of the harmonic sub-groups from order 2 on: of the voltages, of the currents, by
/// phase. Not a number beyond what the sampling rate resolves.
pub(crate) type Orders = [[[f64; ORDERS]; PHASES_MAX]; 2];

/// One window of 10 or 12 cycles.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MeasuredWindow {
    /// Start, in seconds since the scenario's start.
    pub(crate) from_s: f64,
    pub(crate) duration_s: f64,
    /// How much more time passed by the meter's own clock, relative.
    pub(crate) clock_error: f64,
    /// Frequency of the fundamental in Hz, by the meter's clock.
    pub(crate) frequency_hz: f64,
    /// The phases; those the meter does not have are zero.
    pub(crate) phases: [MeasuredPhase; PHASES_MAX],
    /// A single-phase meter's second set of channels: the voltage behind its breaker and the
    /// current in the neutral.
    pub(crate) second: MeasuredPhase,
    /// Harmonics one by one, where they are reported.
    pub(crate) orders: Option<Box<Orders>>,
    /// Squares of the interharmonics of the voltages and of the currents, where they are reported.
    pub(crate) between2: Option<[[f64; PHASES_MAX]; 2]>,
    /// Its part before the ten-minute tick that it runs across.
    pub(crate) before_tick: Option<BeforeTick>,
    /// Whether it is the first of its ten minutes of the clock, which begin with it.
    pub(crate) begins_interval: bool,
}

/// The part of a window before the tick that it runs across: all that its energies are of, for the
/// next window begins at the tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct BeforeTick {
    pub(crate) duration_s: f64,
    /// Active power of the part less that of the whole window, by phase, in W.
    pub(crate) p_more_w: [f64; PHASES_MAX],
}

impl MeasuredWindow {
    /// What its energies are of: its length in seconds, up to the tick that it runs across.
    pub(crate) fn counted_s(&self) -> f64 {
        self.before_tick.map_or(self.duration_s, |before| before.duration_s)
    }

    /// Start and end of what counts, in whole nanoseconds.
    pub(crate) fn span(&self) -> (SimDuration, SimDuration) {
        let to_s = self.from_s + self.counted_s();
        (SimDuration::from_seconds_f64(self.from_s), SimDuration::from_seconds_f64(to_s))
    }
}
