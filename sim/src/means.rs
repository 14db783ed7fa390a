//! Means over a span, and values of harmonics: what the plant describes its waveforms by.

use num_complex::Complex64;

/// Mean values over a span, of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PhaseMeans {
    /// Mean of the squared voltage, in V^2.
    pub(crate) u2: f64,
    /// Mean of the squared current, in A^2.
    pub(crate) i2: f64,
    /// Mean of the product, in W.
    pub(crate) ui: f64,
}

impl PhaseMeans {
    pub(crate) fn apparent_power_va(&self) -> f64 {
        (self.u2.max(0.0) * self.i2.max(0.0)).sqrt()
    }

    /// Each of these with the same of another.
    pub(crate) fn merged(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self { u2: of(self.u2, other.u2), i2: of(self.i2, other.i2), ui: of(self.ui, other.ui) }
    }
}

/// All that is a mean over a span, of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SpanMeans {
    pub(crate) phase: PhaseMeans,
    /// Mean of the fundamental's reactive power, in var.
    pub(crate) q1_var: f64,
    /// Mean of the apparent power of the parts between which something changes, in VA.
    pub(crate) s_va: f64,
    /// Mean of the fundamental's true frequency.
    pub(crate) frequency_hz: f64,
}

impl SpanMeans {
    /// Of phases in which nothing changes over the span.
    pub(crate) fn of_steady(
        phases: Vec<PhaseMeans>,
        harmonics: &[PhaseHarmonics],
        frequency_hz: f64,
    ) -> Vec<Self> {
        let phases = phases.into_iter().zip(harmonics);
        let means = phases.map(|(phase, harmonics)| Self {
            phase,
            q1_var: harmonics.q1_var(),
            s_va: phase.apparent_power_va(),
            frequency_hz,
        });
        means.collect()
    }

    /// Each of these with the same of another.
    pub(crate) fn merged(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            phase: self.phase.merged(&other.phase, &of),
            q1_var: of(self.q1_var, other.q1_var),
            s_va: of(self.s_va, other.s_va),
            frequency_hz: of(self.frequency_hz, other.frequency_hz),
        }
    }
}

/// Values of the harmonics of one phase; what has no meaning is not a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PhaseHarmonics {
    /// Fundamental of the voltage: RMS value and phase.
    pub(crate) u1: Complex64,
    /// Fundamental of the current: RMS value and phase.
    pub(crate) i1: Complex64,
    /// THD of the voltage, dimensionless.
    pub(crate) thd_u: f64,
    /// THD of the current, dimensionless.
    pub(crate) thd_i: f64,
}

impl PhaseHarmonics {
    /// Fundamental reactive power in var, positive for a lagging current.
    pub(crate) fn q1_var(&self) -> f64 {
        (self.u1 * self.i1.conj()).im
    }

    /// Makes what differs from another not a number; both count angles from the same.
    pub(crate) fn keep_what_agrees(&mut self, other: &Self) {
        let agree = |a: f64, b: f64, scale: f64| (a - b).abs() <= AGREEMENT * scale;
        for (mine, other) in [(&mut self.u1, &other.u1), (&mut self.i1, &other.i1)] {
            // Only the angle is asked for; amplitudes may differ.
            let (turned, scale) = (*mine * other.conj(), mine.norm() * other.norm());
            if !(agree(turned.im, 0.0, scale) && turned.re > 0.0) {
                *mine = Complex64::new(f64::NAN, f64::NAN);
            }
        }
        for (mine, other) in [(&mut self.thd_u, other.thd_u), (&mut self.thd_i, other.thd_i)] {
            if !agree(*mine, other, 1.0) {
                *mine = f64::NAN;
            }
        }
    }
}

/// How near two angles in radians, or two distortions, have to be to be the same.
pub(crate) const AGREEMENT: f64 = 1e-9;
