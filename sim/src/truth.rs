//! The reference values: what a perfect meter would have reported.
//!
//! Computed from the plant's own description of its waveforms, by closed form or exact
//! integration; no code is shared with the devices' metrology ("Reference and reported value
//! share no code", ARCHITECTURE.md).
//!
//! Definitions: RMS values and active power are means over the whole span, with everything the
//! waveform contains (direct component, interharmonics, expected power of the noise). Reactive
//! power is that of the fundamental, `Q1 = U1 I1 sin(phi_u - phi_i)`, positive for a lagging
//! current (IEEE 1459-2010). `S` is the mean of the products `U I` of windows of 10/12 cycles that
//! follow each other from the span's beginning: the interval over which IEC 61000-4-30 takes RMS
//! values and from which it aggregates. `PF = P/S`, `N = sqrt(S^2 - P^2)`; the total S is the
//! arithmetic sum of the phases. Consumed and injected are never negative, and the total is split
//! after or before summing the phases. THD is that of the orders 2 to 50 relative to the
//! fundamental (IEC 61000-4-7). Phase angles are relative to the first voltage's fundamental.
//! Momentary values have no reference.
//!
//! Where the waveform changes within the span: the windows of S have 10 cycles of the mean
//! frequency (12 from 55 Hz on), stretched to make up the whole span; a meter whose windows lie
//! elsewhere differs by less than one of them for each change. The frequency is the mean of the
//! fundamental's true frequency; the reactive power that of the fundamental's; apparent energy is
//! the integral of the apparent power between the changes; energies consumed and injected add up by
//! themselves, see `energy`. Phase angles and THD have a reference only if they are the same all
//! over the span; mean values only where tones change at instants and in excerpts, not in
//! recordings, ramps and waves that are cut. Harmonics have one where they are the same all over
//! it, unbalance also while voltages change, unless it is their angles that move; see `quality`.
//! Pst has none.
//!
//! While an excerpt is played, a computed waveform of straight lines: means, RMS values, active
//! power and energy and windows of S are exact integrals of the lines. The frequency is that of the
//! tones in whose place it is played. The fundamental is taken cycle by cycle, counted from where
//! the excerpt begins, with the frequency that the tones have there: reactive power is that of the
//! cycle's Fourier coefficients of order 1 all over the cycle, and the mean over a span that of its
//! cycles by their shares in it. A rest at the end has that of the cycle before it; an excerpt
//! shorter than a cycle that of the fundamental nearest to it by least squares. So reactive energy
//! adds up wherever it is cut, and so does apparent energy, which is the integral over the same
//! cycles of the product of the RMS values in each (in the rest, of its own). Phase angles, THD,
//! harmonics and unbalance have no reference over a span with an excerpt in it.

use std::cell::OnceCell;

use lastmeter_units::{Direction, MeasurementId, Phase, Quantity, SimDuration};
use num_complex::Complex64;
use serde::{Deserialize, Serialize};

use crate::energy::{Energies, Flows, Netting, of_phase};
use crate::means::{PhaseHarmonics, SpanMeans};
use crate::profile::ProfileIntervals;
use crate::quality::Quality;
use crate::waveform::Waveform;

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

/// The reference values of one span; what several of them need is computed once.
#[derive(Debug)]
pub struct Truth<'a> {
    waveform: &'a Waveform,
    span: ReferenceSpan,
    means: OnceCell<Vec<SpanMeans>>,
    energies: OnceCell<Energies>,
    apparent: OnceCell<Vec<f64>>,
    harmonics: OnceCell<Vec<PhaseHarmonics>>,
    averages: OnceCell<Vec<(f64, f64)>>,
    quality: OnceCell<Quality>,
    pulses_per_kilo_hour: Option<f64>,
    profile: Option<ProfileIntervals>,
}

/// Windows of fundamentals from here on have 12 cycles, below it 10: 0.2 s at 60 Hz and at 50 Hz.
const TWELVE_CYCLES_FROM_HZ: f64 = 55.0;

/// Joules in a kilowatt hour, var-seconds in a kilovar hour.
const PER_KILO_HOUR: f64 = 3.6e6;

impl<'a> Truth<'a> {
    pub(crate) fn new(waveform: &'a Waveform, span: ReferenceSpan) -> Self {
        Self {
            waveform,
            span,
            means: OnceCell::new(),
            energies: OnceCell::new(),
            apparent: OnceCell::new(),
            harmonics: OnceCell::new(),
            averages: OnceCell::new(),
            quality: OnceCell::new(),
            pulses_per_kilo_hour: None,
            profile: None,
        }
    }

    /// With the constant on the nameplate of the meter that is asked about, in pulses per kWh and
    /// kvarh, without which nothing is known of its pulses.
    #[must_use]
    pub fn with_pulse_constant(self, pulses_per_kilo_hour: f64) -> Self {
        Self { pulses_per_kilo_hour: Some(pulses_per_kilo_hour), ..self }
    }

    /// With the intervals of the meter's power profile, of which the last one that is over has a
    /// number. The mean in an interval is [`crate::MeteringPoint::mean_power`].
    #[must_use]
    pub(crate) fn with_profile(self, profile: Option<ProfileIntervals>) -> Self {
        Self { profile, ..self }
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
                split(&self.reactive_powers()?, row.phase, direction, netting)
            }
            Quantity::ApparentPower => of_phase(self.apparent_powers()?, row.phase),
            Quantity::ActiveEnergy(direction) => {
                self.energies()?.active.of(row.phase, direction, netting)
            }
            Quantity::ReactiveEnergy(direction) => {
                self.energies()?.reactive.of(row.phase, direction, netting)
            }
            Quantity::ApparentEnergy => of_phase(&self.energies()?.apparent, row.phase),
            Quantity::CurrentRms => {
                Some(self.means()?.get(row.phase.index()?)?.phase.i2.max(0.0).sqrt())
            }
            Quantity::VoltageRms => {
                Some(self.means()?.get(row.phase.index()?)?.phase.u2.max(0.0).sqrt())
            }
            Quantity::CurrentPhase => self.angle(self.harmonics(row.phase)?.i1),
            Quantity::VoltagePhase => self.angle(self.harmonics(row.phase)?.u1),
            Quantity::PowerFactor => {
                let active = of_phase(&self.active_powers()?, row.phase)?;
                let apparent = of_phase(self.apparent_powers()?, row.phase)?;
                // Where nothing flows there is no factor; a meter shows 0, and so does the truth.
                Some(if apparent == 0.0 { 0.0 } else { active / apparent })
            }
            Quantity::NonActivePower => {
                let active = of_phase(&self.active_powers()?, row.phase)?;
                let apparent = of_phase(self.apparent_powers()?, row.phase)?;
                Some(((apparent - active) * (apparent + active)).max(0.0).sqrt())
            }
            Quantity::Frequency => match self.means() {
                Some(means) => Some(means.first()?.frequency_hz),
                None => Some(self.waveform.means(self.span.to, self.span.to).first()?.frequency_hz),
            },
            Quantity::VoltageThd => Some(self.harmonics(row.phase)?.thd_u),
            Quantity::CurrentThd => Some(self.harmonics(row.phase)?.thd_i),
            Quantity::VoltageMean => Some(self.averages(row.phase)?.0),
            Quantity::CurrentMean => Some(self.averages(row.phase)?.1),
            Quantity::VoltageHarmonic(order) => self.order(row.phase.index()?, order),
            Quantity::CurrentHarmonic(order) => {
                self.order(self.waveform.phases() + row.phase.index()?, order)
            }
            Quantity::VoltageInterharmonics => self.between(row.phase.index()?),
            Quantity::CurrentInterharmonics => {
                self.between(self.waveform.phases() + row.phase.index()?)
            }
            Quantity::VoltageUnbalanceNegative => Some(self.quality().negative),
            Quantity::VoltageUnbalanceZero => Some(self.quality().zero),
            Quantity::ActivePulses => self.pulses(&self.energies()?.active, netting),
            Quantity::ReactivePulses => self.pulses(&self.energies()?.reactive, netting),
            Quantity::ProfileInterval => Some(self.profile?.last(self.span.to) as f64),
            // What a flickermeter shows has no closed form, instantaneous values have no reference,
            // what lies behind the meter is not the plant's, and the rest is of other domains.
            _ => None,
        };
        value.filter(|value| value.is_finite())
    }

    /// Whole pulses of an output that counts both directions of the total, whatever way it flows.
    fn pulses(&self, energy: &Flows, netting: Netting) -> Option<f64> {
        let of = |direction| energy.of(Phase::Total, direction, netting);
        let both = of(Direction::Consumed)? + of(Direction::Injected)?;
        Some((both * self.pulses_per_kilo_hour? / PER_KILO_HOUR).floor())
    }

    fn quality(&self) -> &Quality {
        let ReferenceSpan { from, to, .. } = self.span;
        self.quality.get_or_init(|| self.waveform.quality(from, to))
    }

    /// Harmonic of a channel, voltages first.
    fn order(&self, channel: usize, order: u8) -> Option<f64> {
        self.quality().channels.get(channel)?.rms(order)
    }

    /// What lies between the orders of a channel, likewise.
    fn between(&self, channel: usize) -> Option<f64> {
        Some(self.quality().channels.get(channel)?.between)
    }

    fn all_harmonics(&self) -> &[PhaseHarmonics] {
        let ReferenceSpan { from, to, .. } = self.span;
        self.harmonics.get_or_init(|| self.waveform.harmonics(from, to))
    }

    fn harmonics(&self, phase: Phase) -> Option<&PhaseHarmonics> {
        self.all_harmonics().get(phase.index()?)
    }

    /// Phase of a fundamental relative to the first voltage's, from -pi to pi.
    fn angle(&self, fundamental: Complex64) -> Option<f64> {
        let reference = self.all_harmonics().first()?.u1;
        let relative = fundamental * reference.conj();
        (relative != Complex64::ZERO).then(|| libm::atan2(relative.im, relative.re))
    }

    /// Mean voltage and current of a phase.
    fn averages(&self, phase: Phase) -> Option<(f64, f64)> {
        let ReferenceSpan { from, to, .. } = self.span;
        let averages = self
            .averages
            .get_or_init(|| if from < to { self.waveform.averages(from, to) } else { Vec::new() });
        averages.get(phase.index()?).copied()
    }

    fn means(&self) -> Option<&[SpanMeans]> {
        let ReferenceSpan { from, to, .. } = self.span;
        (from < to).then(|| &**self.means.get_or_init(|| self.waveform.means(from, to)))
    }

    fn active_powers(&self) -> Option<Vec<f64>> {
        Some(self.means()?.iter().map(|means| means.phase.ui).collect())
    }

    fn reactive_powers(&self) -> Option<Vec<f64>> {
        Some(self.means()?.iter().map(|means| means.q1_var).collect())
    }

    fn apparent_powers(&self) -> Option<&[f64]> {
        let ReferenceSpan { from, to, .. } = self.span;
        let frequency_hz = self.means()?.first()?.frequency_hz;
        let cycles: u32 = if frequency_hz < TWELVE_CYCLES_FROM_HZ { 10 } else { 12 };
        let span_s = to.0.saturating_sub(from.0) as f64 / 1e9;
        let windows = (span_s * frequency_hz / f64::from(cycles)).round().max(1.0) as u64;
        let made = || self.waveform.apparent_powers(from, to, (windows, cycles));
        Some(&**self.apparent.get_or_init(made))
    }

    /// The registers, as `energy` defines them.
    fn energies(&self) -> Option<&Energies> {
        let ReferenceSpan { to, registers_from, .. } = self.span;
        if registers_from > to {
            return None;
        }
        Some(self.energies.get_or_init(|| {
            if registers_from == to {
                return Energies::new(self.waveform.phases());
            }
            self.waveform.energies(registers_from, to)
        }))
    }
}

/// The part of a value that flows in a direction, never negative.
pub(crate) fn split(
    values: &[f64],
    phase: Phase,
    direction: Direction,
    netting: Netting,
) -> Option<f64> {
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
