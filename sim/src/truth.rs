//! The reference values: what a perfect meter would have reported.
//!
//! Computed from the plant's own description of its waveforms, by closed form or exact
//! integration; no code is shared with the devices' metrology (architecture invariant 1).
//!
//! Definitions: RMS values and active power are means over the whole span, with everything the
//! waveform contains (direct component, interharmonics, expected power of the noise). Reactive
//! power is that of the fundamental, `Q1 = U1 I1 sin(phi_u - phi_i)`, positive for a lagging
//! current (IEEE 1459-2010). `S = U I`, `PF = P/S`, `N = sqrt(S^2 - P^2)`; the total S is the
//! arithmetic sum of the phases. Consumed and injected are never negative, and the total is split
//! after or before summing the phases (D-21). THD is that of the orders 2 to 50 relative to the
//! fundamental (IEC 61000-4-7). Phase angles are relative to the first voltage's fundamental.
//! Momentary values have no reference.

use std::cell::OnceCell;

use lastmeter_units::{Direction, MeasurementId, Phase, Quantity, SimDuration};
use num_complex::Complex64;
use serde::{Deserialize, Serialize};

use crate::terminal::Waveform;

/// What a reading spans, since the scenario's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceSpan {
    /// Beginning of the span of RMS values and powers, in nanoseconds.
    pub from: SimDuration,
    /// End of the span, and the instant at which the registers were read, in nanoseconds.
    pub to: SimDuration,
    /// When the energy registers stood at zero, in nanoseconds.
    pub registers_from: SimDuration,
}

/// How the phases make a total of consumed and of injected power and energy (D-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Netting {
    /// Sum the phases, then split by sign.
    Net,
    /// Split each phase by sign, then sum.
    PerPhase,
}

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
    fn apparent_power_va(&self) -> f64 {
        (self.u2.max(0.0) * self.i2.max(0.0)).sqrt()
    }
}

/// What is told by the harmonics of one phase.
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
    fn q1_var(&self) -> f64 {
        (self.u1 * self.i1.conj()).im
    }
}

/// The reference values of one span; what several of them need is computed once.
#[derive(Debug)]
pub struct Truth<'a> {
    waveform: &'a Waveform,
    span: ReferenceSpan,
    means: OnceCell<Vec<PhaseMeans>>,
    register_means: OnceCell<Vec<PhaseMeans>>,
}

impl<'a> Truth<'a> {
    pub(crate) fn new(waveform: &'a Waveform, span: ReferenceSpan) -> Self {
        Self { waveform, span, means: OnceCell::new(), register_means: OnceCell::new() }
    }

    /// The reference value of a quantity in the SI unit of its registry row.
    ///
    /// `None` where the terminal cannot know it: another quantity than an electrical one, a phase
    /// it does not have, a momentary value, a ratio of zeros, a mean over an empty span.
    pub fn value(&self, id: MeasurementId, netting: Netting) -> Option<f64> {
        let row = id.row();
        let value = match row.quantity {
            Quantity::ActivePower(direction) => {
                split(&self.active_powers()?, row.phase, direction, netting)
            }
            Quantity::ReactivePower(direction) => {
                self.means()?;
                split(&self.reactive_powers(), row.phase, direction, netting)
            }
            Quantity::ApparentPower => of_phase(&self.apparent_powers()?, row.phase),
            Quantity::ActiveEnergy(direction) => {
                split(&self.energies(|means, _| means.ui)?, row.phase, direction, netting)
            }
            Quantity::ReactiveEnergy(direction) => {
                let energies = self.energies(|_, harmonics| harmonics.q1_var())?;
                split(&energies, row.phase, direction, netting)
            }
            Quantity::ApparentEnergy => {
                of_phase(&self.energies(|means, _| means.apparent_power_va())?, row.phase)
            }
            Quantity::CurrentRms => Some(self.means()?.get(row.phase.index()?)?.i2.max(0.0).sqrt()),
            Quantity::VoltageRms => Some(self.means()?.get(row.phase.index()?)?.u2.max(0.0).sqrt()),
            Quantity::CurrentPhase => self.angle(self.harmonics(row.phase)?.i1),
            Quantity::VoltagePhase => self.angle(self.harmonics(row.phase)?.u1),
            Quantity::PowerFactor => {
                let active = of_phase(&self.active_powers()?, row.phase)?;
                let apparent = of_phase(&self.apparent_powers()?, row.phase)?;
                // Where nothing flows there is no factor; a meter shows 0, and so does the truth.
                Some(if apparent == 0.0 { 0.0 } else { active / apparent })
            }
            Quantity::NonActivePower => {
                let active = of_phase(&self.active_powers()?, row.phase)?;
                let apparent = of_phase(&self.apparent_powers()?, row.phase)?;
                Some(((apparent - active) * (apparent + active)).max(0.0).sqrt())
            }
            Quantity::Frequency => Some(self.waveform.fundamental_hz()),
            Quantity::VoltageThd => Some(self.harmonics(row.phase)?.thd_u),
            Quantity::CurrentThd => Some(self.harmonics(row.phase)?.thd_i),
            Quantity::CurrentInstant | Quantity::VoltageInstant | Quantity::Other => None,
        };
        value.filter(|value| value.is_finite())
    }

    fn harmonics(&self, phase: Phase) -> Option<&PhaseHarmonics> {
        self.waveform.harmonics().get(phase.index()?)
    }

    /// Phase of a fundamental relative to the first voltage's, from -pi to pi.
    fn angle(&self, fundamental: Complex64) -> Option<f64> {
        let reference = self.waveform.harmonics().first()?.u1;
        let relative = fundamental * reference.conj();
        (relative != Complex64::ZERO).then(|| libm::atan2(relative.im, relative.re))
    }

    fn means(&self) -> Option<&[PhaseMeans]> {
        let ReferenceSpan { from, to, .. } = self.span;
        (from < to).then(|| &**self.means.get_or_init(|| self.waveform.means(from, to)))
    }

    fn active_powers(&self) -> Option<Vec<f64>> {
        Some(self.means()?.iter().map(|means| means.ui).collect())
    }

    fn reactive_powers(&self) -> Vec<f64> {
        self.waveform.harmonics().iter().map(PhaseHarmonics::q1_var).collect()
    }

    fn apparent_powers(&self) -> Option<Vec<f64>> {
        Some(self.means()?.iter().map(PhaseMeans::apparent_power_va).collect())
    }

    /// Per phase a power of the register span, times its length.
    fn energies(&self, power: impl Fn(&PhaseMeans, &PhaseHarmonics) -> f64) -> Option<Vec<f64>> {
        let ReferenceSpan { from, to, registers_from } = self.span;
        if registers_from > to {
            return None;
        }
        if registers_from == to {
            return Some(vec![0.0; self.waveform.phases()]);
        }
        let means = if registers_from == from {
            self.means()?
        } else {
            self.register_means.get_or_init(|| self.waveform.means(registers_from, to))
        };
        let length_s = (to - registers_from).as_seconds_f64();
        let phases = means.iter().zip(self.waveform.harmonics());
        Some(phases.map(|(means, harmonics)| power(means, harmonics) * length_s).collect())
    }
}

/// The value of a phase, or the sum over the phases.
fn of_phase(values: &[f64], phase: Phase) -> Option<f64> {
    match phase {
        Phase::Total => Some(values.iter().sum()),
        Phase::L1 | Phase::L2 | Phase::L3 => values.get(phase.index()?).copied(),
        Phase::None => None,
    }
}

/// The part of a value that flows in a direction, never negative (D-21).
fn split(values: &[f64], phase: Phase, direction: Direction, netting: Netting) -> Option<f64> {
    let part = |value: f64| match direction {
        Direction::Consumed if value > 0.0 => value,
        Direction::Injected if value < 0.0 => -value,
        Direction::Consumed | Direction::Injected => 0.0,
    };
    match (phase, netting) {
        (Phase::Total, Netting::PerPhase) => Some(values.iter().copied().map(part).sum()),
        _ => of_phase(values, phase).map(part),
    }
}
