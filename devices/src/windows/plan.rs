//! A plan of windows: all that depends on the spectrum but not on the window.

use std::f64::consts::TAU;

use num_complex::Complex64;

use super::converted::Components;
use super::crossing::Wave;
use super::spread::Spread;
use crate::window::PHASES_MAX;

/// Means over a window, or amplitudes of their oscillation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums<T> {
    pub(super) u2: T,
    pub(super) i2: T,
    pub(super) ui: T,
}

/// The constant part of one phase.
#[derive(Clone, Debug, Default)]
pub(super) struct PhasePlan {
    pub(super) means: Sums<f64>,
    pub(super) u_components: Components,
    pub(super) i_components: Components,
    pub(super) u1: Complex64,
    pub(super) i1: Complex64,
    pub(super) u_thd2: f64,
    pub(super) i_thd2: f64,
    pub(super) u_variance: f64,
    pub(super) i_variance: f64,
    /// Mean squares and product that coarse converters' steps leave beside the components.
    pub(super) u_left: f64,
    pub(super) i_left: f64,
    pub(super) both_left: f64,
    /// How noise spreads the means, where all windows have the same.
    pub(super) steady_spread: Option<Spread>,
}

impl PhasePlan {
    /// Nothing oscillates: how noise spreads the means is the same in all windows.
    pub(super) fn keep_spread(&mut self, samples: f64) {
        let variances = (self.u_variance, self.i_variance);
        self.steady_spread = Some(Spread::new(self.means, (self.u1, self.i1), variances, samples));
    }
}

/// What oscillates at one frequency, of one phase. Means: `re(amplitude e^(i angle))`;
/// fundamentals: `ahead e^(i angle) + behind e^(-i angle)`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PhaseOscillation {
    pub(super) means: Sums<Complex64>,
    pub(super) u1: [Complex64; 2],
    pub(super) i1: [Complex64; 2],
}

#[derive(Clone, Debug, Default)]
pub(super) struct Oscillation {
    pub(super) frequency_hz: f64,
    pub(super) phases: [PhaseOscillation; PHASES_MAX],
}

/// All that depends on the spectrum but not on the window.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) samples: f64,
    pub(super) frequency_hz: f64,
    pub(super) frequency_spread_hz: f64,
    pub(super) phases: Vec<PhasePlan>,
    pub(super) oscillations: Vec<Oscillation>,
    pub(super) is_beyond_range: bool,
    /// What zero crossings are looked for in, where they are.
    pub(super) wave: Option<Wave>,
}

/// `e^(i 2 pi cycles)`.
pub(super) fn unit(cycles: f64) -> Complex64 {
    let (sin, cos) = libm::sincos(TAU * (cycles - cycles.floor()));
    Complex64::new(cos, sin)
}
