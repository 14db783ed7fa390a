//! A waveform of tones and noise that never change, whole or cut by gates.
//!
//! Gates at a constant frequency repeat exactly: within each part of their cycle every channel is a
//! sum of tones, and a part that comes again and again makes a comb of spans, whose mean is known
//! in closed form. A mean over any time so costs no more than the parts of one cycle.

use std::f64::consts::TAU;
use std::sync::{Arc, OnceLock};

use num_complex::Complex64;

use crate::closed_form::{SpanWeights, mean_product};
use crate::gate::Cycle;
use crate::instant::Instant;
use crate::means::{PhaseHarmonics, PhaseMeans};
use crate::phase::cis;
use crate::quality::{ORDER_MAX, ORDER_TOLERANCE, Orders, Quality};
use crate::spectrum::{ChannelSpectrum, Spectrum, TerminalError};
use crate::tones::ToneBank;

/// Tones and noise of one or three phases.
#[derive(Debug)]
pub(crate) struct Stationary {
    /// What it would be without gates.
    spectrum: Arc<Spectrum>,
    /// Voltages, then currents.
    bank: ToneBank,
    gates: Option<Gates>,
    harmonics: OnceLock<Vec<PhaseHarmonics>>,
}

/// What is cut, and what is left in each part of the cycle.
#[derive(Debug)]
struct Gates {
    cycle: Cycle,
    /// By part of the cycle and channel, the phasors.
    parts: Vec<Vec<Vec<Complex64>>>,
}

impl Stationary {
    pub(crate) fn new(spectrum: Spectrum) -> Result<Self, TerminalError> {
        spectrum.check()?;
        let bank = ToneBank::new(spectrum.voltages.iter().chain(&spectrum.currents));
        let harmonics = OnceLock::new();
        Ok(Self { spectrum: Arc::new(spectrum), bank, gates: None, harmonics })
    }

    /// Tones of which those in `inner` (one per channel, voltages first) pass gates.
    pub(crate) fn gated(
        spectrum: Spectrum,
        inner: &[ChannelSpectrum],
        cycle: Cycle,
    ) -> Result<Self, TerminalError> {
        let mut made = Self::new(spectrum)?;
        let outer = &made.bank;
        let inner: Vec<Vec<Complex64>> =
            inner.iter().map(|channel| outer.phasors(channel)).collect();
        let part = |factors: &Vec<f64>| -> Vec<Vec<Complex64>> {
            let channels = outer.channels.iter().zip(&inner).zip(factors);
            channels
                .map(|((all, inner), factor)| {
                    all.iter().zip(inner).map(|(all, inner)| all - inner * (1.0 - factor)).collect()
                })
                .collect()
        };
        let parts = cycle.factors.iter().map(part).collect();
        made.gates = Some(Gates { cycle, parts });
        Ok(made)
    }

    pub(crate) fn fundamental_hz(&self) -> f64 {
        self.spectrum.fundamental_hz
    }

    pub(crate) fn phases(&self) -> usize {
        self.spectrum.voltages.len()
    }

    /// Whether it is the same again after so many cycles of the fundamental.
    pub(crate) fn repeats_every(&self, cycles: u32) -> bool {
        let is_whole = |frequency_hz: &f64| {
            let turns = frequency_hz / self.fundamental_hz() * f64::from(cycles);
            (turns - turns.round()).abs() <= ORDER_TOLERANCE * turns.abs().max(1.0)
        };
        let gates = self.gates.as_ref();
        gates.is_none_or(|gates| cycles.is_multiple_of(gates.cycle.cycles))
            && self.bank.frequencies_hz.iter().all(is_whole)
    }

    /// The tones; `None` where they are cut.
    pub(crate) fn spectrum(&self) -> Option<&Arc<Spectrum>> {
        self.gates.is_none().then_some(&self.spectrum)
    }

    /// RMS value of the noise of each channel, voltages first.
    pub(crate) fn noise_rms(&self) -> impl Iterator<Item = f64> {
        self.spectrum.voltages.iter().chain(&self.spectrum.currents).map(|c| c.noise_rms)
    }

    pub(crate) fn harmonics(&self) -> &[PhaseHarmonics] {
        self.harmonics.get_or_init(|| {
            let (fundamental_hz, phases) = (self.fundamental_hz(), self.phases());
            let channel = |number: usize| {
                let frequencies_hz = &self.bank.frequencies_hz;
                match &self.gates {
                    None => {
                        let phasors = &self.bank.channels[number];
                        fundamental_and_thd(frequencies_hz, phasors, fundamental_hz)
                    }
                    Some(gates) => gates.fundamental_and_thd(frequencies_hz, number),
                }
            };
            (0..phases)
                .map(|phase| {
                    let (u1, thd_u) = channel(phase);
                    let (i1, thd_i) = channel(phases + phase);
                    PhaseHarmonics { u1, i1, thd_u, thd_i }
                })
                .collect()
        })
    }

    /// Harmonics one by one, and unbalance.
    pub(crate) fn quality(&self) -> Quality {
        let frequencies_hz = &self.bank.frequencies_hz;
        let channel = |number: usize| match &self.gates {
            None => orders(frequencies_hz, &self.bank.channels[number], self.fundamental_hz()),
            Some(gates) => gates.orders(frequencies_hz, number),
        };
        let channels = (0..2 * self.phases()).map(channel).collect();
        Quality::new(channels, self.harmonics())
    }

    /// Writes the samples without their noise. On the edge of a gate the value is the mean of both
    /// sides.
    pub(crate) fn render(&self, first_sample: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        let Some(Gates { cycle, parts }) = &self.gates else {
            return self.bank.render(first_sample, rate_hz, channels);
        };
        let samples = channels.first().map_or(0, |channel| channel.len());
        let is_usable = rate_hz.is_finite() && rate_hz > 0.0;
        let mut done = 0;
        while done < samples {
            let sample = first_sample.wrapping_add(done as u64);
            let at = Instant::of_sample(sample, rate_hz);
            let position = cycle.position(at);
            let tolerance = at.nearness_s() * cycle.frequency_hz;
            let left = samples - done;
            if let Some(edge) = cycle.edge_at(position, tolerance).filter(|_| is_usable) {
                let sides = [edge, cycle.before(edge)].map(|part| {
                    let mut values = vec![[0.0]; channels.len()];
                    let mut outs: Vec<&mut [f64]> =
                        values.iter_mut().map(<[f64; 1]>::as_mut_slice).collect();
                    self.bank.render_with(&parts[part], sample, rate_hz, &mut outs);
                    values
                });
                for (channel, ([after], [before])) in
                    channels.iter_mut().zip(sides[0].iter().zip(&sides[1]))
                {
                    channel[done] = 0.5 * (after + before);
                }
                done += 1;
                continue;
            }
            let end = at.plus_seconds(cycle.turns_left(position) / cycle.frequency_hz);
            let until = end.first_sample(rate_hz).0.max(sample + 1) - sample;
            let count = if is_usable { left.min(until as usize) } else { left };
            let mut slices: Vec<&mut [f64]> =
                channels.iter_mut().map(|channel| &mut channel[done..done + count]).collect();
            let part = &parts[cycle.part_at(position)];
            self.bank.render_with(part, sample, rate_hz, &mut slices);
            done += count;
        }
    }

    pub(crate) fn means(&self, from: Instant, to: Instant) -> Vec<PhaseMeans> {
        let Some(gates) = &self.gates else {
            let weights = SpanWeights::between(&self.bank.frequencies_hz, from, to);
            return self.with_noise(phase_means(&weights, &self.bank.channels));
        };
        let length_s = to.seconds_since(from);
        let mut sums = vec![PhaseMeans::default(); self.phases()];
        for (comb, part) in gates.cycle.combs(from, to) {
            let weights = SpanWeights::of_comb(&self.bank.frequencies_hz, &comb);
            let share = comb.to.seconds_since(comb.from) * comb.repeats as f64 / length_s;
            for (sum, means) in sums.iter_mut().zip(phase_means(&weights, &gates.parts[part])) {
                *sum = sum.merged(&means, |sum, mean| sum + share * mean);
            }
        }
        self.with_noise(sums)
    }

    /// Mean voltage and current of each phase; `None` where tones are cut.
    pub(crate) fn averages(&self, from: Instant, to: Instant) -> Option<Vec<(f64, f64)>> {
        if self.gates.is_some() {
            return None;
        }
        // The mean of a channel is that of its product with one: a direct component of one.
        let frequencies_hz = &self.bank.frequencies_hz;
        let one: Vec<Complex64> = frequencies_hz
            .iter()
            .map(|&f| Complex64::from(f64::from(u8::from(f == 0.0))))
            .collect();
        let weights = SpanWeights::between(frequencies_hz, from, to);
        let one = weights.weighted(&weights.at_middle(&one));
        let (voltages, currents) = self.bank.channels.split_at(self.phases());
        let mean = |phasors: &Vec<Complex64>| mean_product(&weights.at_middle(phasors), &one);
        Some(voltages.iter().zip(currents).map(|(u, i)| (mean(u), mean(i))).collect())
    }

    /// Adds the expected power of the noise.
    fn with_noise(&self, mut means: Vec<PhaseMeans>) -> Vec<PhaseMeans> {
        let noise = self.spectrum.voltages.iter().zip(&self.spectrum.currents);
        for (means, (voltage, current)) in means.iter_mut().zip(noise) {
            means.u2 += voltage.noise_rms.powi(2);
            means.i2 += current.noise_rms.powi(2);
        }
        means
    }
}

/// The means of each phase from the phasors of all channels, voltages first.
fn phase_means(weights: &SpanWeights, channels: &[Vec<Complex64>]) -> Vec<PhaseMeans> {
    let (voltages, currents) = channels.split_at(channels.len() / 2);
    let phases = voltages.iter().zip(currents).map(|(voltage, current)| {
        let (u, i) = (weights.at_middle(voltage), weights.at_middle(current));
        let weighted_current = weights.weighted(&i);
        PhaseMeans {
            u2: mean_product(&u, &weights.weighted(&u)),
            i2: mean_product(&i, &weighted_current),
            ui: mean_product(&u, &weighted_current),
        }
    });
    phases.collect()
}

impl Gates {
    /// RMS phasor of the fundamental and THD of the orders 2 to 50, as Fourier coefficients over
    /// the gates' cycle. Tones that do not repeat with it are left out: what they make together
    /// with the gates is no harmonic.
    fn fundamental_and_thd(&self, frequencies_hz: &[f64], channel: usize) -> (Complex64, f64) {
        let cycle = &self.cycle;
        let orders = self.tone_orders(frequencies_hz);
        let coefficient = |order| self.coefficient(order, &orders, frequencies_hz, channel);
        // The fundamental, as the phasor it has at the scenario's start.
        let back = cycle.origin.turns_since(Instant::default(), cycle.frequency_hz);
        let fundamental = coefficient(1.0) * cis(-TAU * back) * std::f64::consts::FRAC_1_SQRT_2;
        let square = |order: u32| coefficient(f64::from(order)).norm_sqr() / 2.0;
        let harmonics_square: f64 = (2..=ORDER_MAX).map(square).sum();
        (fundamental, harmonics_square.sqrt() / fundamental.norm_sqr().sqrt())
    }

    /// Each harmonic of a channel, where all its tones and the gates repeat in each cycle.
    fn orders(&self, frequencies_hz: &[f64], channel: usize) -> Orders {
        let orders = self.tone_orders(frequencies_hz);
        let phasors = self.parts.iter().flat_map(|part| part[channel].iter().zip(&orders));
        let mut carried = phasors.filter(|(phasor, _)| **phasor != Complex64::ZERO);
        let repeats = |order: &Option<f64>| order.is_some_and(|order| order.fract() == 0.0);
        if self.cycle.cycles != 1 || !carried.all(|(_, order)| repeats(order)) {
            return Orders::UNKNOWN;
        }
        Orders::from_fn(|order| {
            let coefficient = self.coefficient(f64::from(order), &orders, frequencies_hz, channel);
            (coefficient.norm_sqr() / 2.0).sqrt()
        })
    }

    /// The order of each tone; `None` if it does not repeat with the gates' cycle.
    fn tone_orders(&self, frequencies_hz: &[f64]) -> Vec<Option<f64>> {
        let cycles = f64::from(self.cycle.cycles);
        let order = |frequency_hz: &f64| {
            let laps = frequency_hz / self.cycle.frequency_hz * cycles;
            let whole = laps.round();
            ((laps - whole).abs() <= ORDER_TOLERANCE * laps).then_some(whole / cycles)
        };
        frequencies_hz.iter().map(order).collect()
    }

    /// The Fourier coefficient of an order of the fundamental, an amplitude.
    fn coefficient(
        &self,
        order: f64,
        orders: &[Option<f64>],
        frequencies_hz: &[f64],
        channel: usize,
    ) -> Complex64 {
        let cycle = &self.cycle;
        let mut sum = Complex64::ZERO;
        for (index, phasors) in self.parts.iter().enumerate() {
            let (from, to) = cycle.span_of(index);
            let tones = phasors[channel].iter().zip(orders).zip(frequencies_hz);
            for ((phasor, tone), &frequency_hz) in tones {
                let Some(tone) = *tone else { continue };
                // Phasors count from the scenario's start, positions from the origin.
                let phasor =
                    phasor * cis(TAU * cycle.origin.turns_since(Instant::default(), frequency_hz));
                sum += phasor * turned_over(tone - order, from, to);
                sum += phasor.conj() * turned_over(-tone - order, from, to);
            }
        }
        sum / f64::from(cycle.cycles)
    }
}

/// Each harmonic of a channel of tones; unknown if there is anything else but a direct component.
fn orders(frequencies_hz: &[f64], phasors: &[Complex64], fundamental_hz: f64) -> Orders {
    let between = between_orders(frequencies_hz, phasors, fundamental_hz);
    let mut lines = Vec::new();
    for (frequency_hz, phasor) in frequencies_hz.iter().zip(phasors) {
        let order = (frequency_hz / fundamental_hz).round();
        let off_hz = (frequency_hz - order * fundamental_hz).abs();
        if *phasor == Complex64::ZERO {
            continue;
        }
        if off_hz > ORDER_TOLERANCE * frequency_hz.abs() {
            return Orders::UNKNOWN.with_between(between);
        }
        lines.push((order as u32, phasor * std::f64::consts::FRAC_1_SQRT_2));
    }
    Orders::of_lines(lines.into_iter()).with_between(between)
}

/// RMS value of what lies in the centred interharmonic sub-groups below order 50; not a number
/// where a tone lies between two bins of a window of 10 cycles (12 at 60 Hz), and so in many.
fn between_orders(frequencies_hz: &[f64], phasors: &[Complex64], fundamental_hz: f64) -> f64 {
    let cycles = if fundamental_hz < 55.0 { 10.0 } else { 12.0 };
    let mut square = 0.0;
    for (frequency_hz, phasor) in frequencies_hz.iter().zip(phasors) {
        if *phasor == Complex64::ZERO {
            continue;
        }
        let bins = frequency_hz / fundamental_hz * cycles;
        let bin = bins.round();
        if (bins - bin).abs() > ORDER_TOLERANCE * bins.abs().max(1.0) {
            return f64::NAN;
        }
        let past = bin % cycles;
        if (2.0..=cycles - 2.0).contains(&past) && bin < cycles * f64::from(ORDER_MAX) {
            square += 0.5 * phasor.norm_sqr();
        }
    }
    square.sqrt()
}

/// The integral of `e^(i 2 pi m p)` over positions.
pub(crate) fn turned_over(m: f64, from: f64, to: f64) -> Complex64 {
    if m.abs() < ORDER_TOLERANCE {
        return Complex64::from(to - from);
    }
    let angle = TAU * m;
    (cis(angle * to) - cis(angle * from)) / Complex64::new(0.0, angle)
}

/// RMS phasor of the fundamental, and THD of the orders 2 to 50.
fn fundamental_and_thd(
    frequencies_hz: &[f64],
    phasors: &[Complex64],
    fundamental_hz: f64,
) -> (Complex64, f64) {
    let mut fundamental = Complex64::ZERO;
    let mut harmonics_square = 0.0;
    for (frequency_hz, phasor) in frequencies_hz.iter().zip(phasors) {
        let order = (frequency_hz / fundamental_hz).round();
        if (frequency_hz - order * fundamental_hz).abs() > ORDER_TOLERANCE * frequency_hz.abs() {
            continue;
        }
        if order == 1.0 {
            fundamental += phasor * std::f64::consts::FRAC_1_SQRT_2;
        } else if (2.0..=f64::from(ORDER_MAX)).contains(&order) {
            harmonics_square += phasor.norm_sqr() / 2.0;
        }
    }
    (fundamental, harmonics_square.sqrt() / fundamental.norm_sqr().sqrt())
}
