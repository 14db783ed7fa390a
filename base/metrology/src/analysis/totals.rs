//! What is kept of the windows for the values over the whole recording.

use crate::numeric::degrees;
use crate::power_theory::{EffectiveMeans, EffectivePower, PowerMeans, PowerTheory, Wires};
use crate::result::{HarmonicLine, Total, UnbalanceValues};
use crate::unbalance::{Unbalance, sequence_squares};
use crate::window::{Harmonics, PhaseQuantities, Phasor, Residue, Window, distortion_pct};

/// A channel whose fundamental has less than this part of its mean square has no signal: noise
/// spread over hundreds of bins has far less, the most distorted load far more.
const SIGNAL_SHARE: f64 = 0.09;

/// A sum of currents above this part of the effective current means that there is a neutral.
const NEUTRAL_SHARE: f64 = 0.01;

/// Whether there is a fundamental worth relating anything to.
pub(super) fn has_signal(square: f64, fundamental_square: f64) -> bool {
    fundamental_square > 0.0 && fundamental_square >= SIGNAL_SHARE * square
}

/// Distortions in per cent: over sub-groups and over plain harmonics.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Distortion {
    pub(super) groups: Option<f64>,
    pub(super) lines: Option<f64>,
}

impl Distortion {
    /// Of one window; `None`s where there is no signal.
    pub(super) fn of(harmonics: Option<&Harmonics>, signal: bool) -> Self {
        let found = harmonics.filter(|_| signal);
        Self {
            groups: found.and_then(Harmonics::thds_pct),
            lines: found.and_then(Harmonics::thd_pct),
        }
    }
}

/// Sums over the windows of one channel's harmonics.
#[derive(Clone, Debug, Default)]
pub(super) struct HarmonicSums {
    count: u32,
    sub_groups: Vec<f64>,
    lines: Vec<f64>,
    turned: Vec<Phasor>,
    between: Vec<f64>,
}

impl HarmonicSums {
    fn add(&mut self, harmonics: &Harmonics, reference_rad: f64) {
        if self.count == 0 {
            let orders = harmonics.lines.len();
            self.sub_groups = vec![0.0; orders];
            self.lines = vec![0.0; orders];
            self.turned = vec![Phasor::default(); orders];
            self.between = vec![0.0; harmonics.interharmonic_sub_groups.len()];
        }
        // Windows of different length may reach different orders; the lowest common one counts.
        let orders = harmonics.lines.len().min(self.lines.len());
        self.lines.truncate(orders);
        self.count += 1;
        let between = &harmonics.interharmonic_sub_groups;
        self.between.truncate(between.len());
        for (sum, rms) in self.between.iter_mut().zip(between) {
            *sum += rms * rms;
        }
        for k in 0..orders {
            let line = harmonics.lines[k];
            self.lines[k] += line.re * line.re + line.im * line.im;
            self.sub_groups[k] += harmonics.sub_groups[k] * harmonics.sub_groups[k];
            let turned = line.rotated(-((k + 1) as f64) * reference_rad);
            self.turned[k].re += turned.re;
            self.turned[k].im += turned.im;
        }
    }

    /// Distortion from mean squares.
    pub(super) fn distortion(&self) -> Distortion {
        let orders = self.lines.len();
        Distortion {
            groups: distortion_pct(self.sub_groups[..orders].iter().copied()),
            lines: distortion_pct(self.lines.iter().copied()),
        }
    }

    /// RMS between the orders.
    pub(super) fn interharmonics(&self) -> Vec<f64> {
        let count = f64::from(self.count.max(1));
        self.between.iter().map(|square| (square / count).sqrt()).collect()
    }

    /// RMS from mean squares, phase from the direction of the mean phasor (turned to the
    /// reference's fundamental).
    pub(super) fn lines(&self) -> Vec<HarmonicLine> {
        let count = f64::from(self.count.max(1));
        let line = |(k, (square, turned)): (usize, (&f64, &Phasor))| HarmonicLine {
            order: k as u32 + 1,
            rms: (square / count).sqrt(),
            phase_deg: degrees(turned.phase_rad()),
        };
        self.lines.iter().zip(&self.turned).enumerate().map(line).collect()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct PhaseTotals {
    count: u32,
    sums: [f64; 10],
    q_harmonic: Option<f64>,
    pub(super) u: HarmonicSums,
    pub(super) i: HarmonicSums,
}

impl PhaseTotals {
    fn add(&mut self, phase: &PhaseQuantities, reference_rad: f64) {
        let means = PowerMeans::of(phase);
        let PowerMeans { u2, i2, u1_2, i1_2, p_w, p1_w, q1_var, residue, q_harmonic_var } = means;
        let Residue { u2: uh2, i2: ih2, p_w: ph_w } = residue;
        let values = [u2, i2, u1_2, i1_2, p_w, p1_w, q1_var, uh2, ih2, ph_w];
        self.sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
        self.q_harmonic = match (self.count, q_harmonic_var) {
            (0, found) => found,
            (_, found) => self.q_harmonic.zip(found).map(|(sum, x)| sum + x),
        };
        self.count += 1;
        if let Some(harmonics) = phase.harmonics.as_deref() {
            self.u.add(&harmonics.u, reference_rad);
            self.i.add(&harmonics.i, reference_rad);
        }
    }

    /// The means over all windows.
    pub(super) fn means(&self) -> PowerMeans {
        let part = 1.0 / f64::from(self.count.max(1));
        let [u2, i2, u1_2, i1_2, p_w, p1_w, q1_var, uh2, ih2, ph_w] =
            self.sums.map(|sum| sum * part);
        let residue = Residue { u2: uh2, i2: ih2, p_w: ph_w };
        let q_harmonic_var = self.q_harmonic.map(|sum| sum * part);
        PowerMeans { u2, i2, u1_2, i1_2, p_w, p1_w, q1_var, residue, q_harmonic_var }
    }

    /// Whether the voltage and the current have a signal.
    pub(super) fn signals(&self) -> (bool, bool) {
        let means = self.means();
        (has_signal(means.u2, means.u1_2), has_signal(means.i2, means.i1_2))
    }

    /// IEEE 1459 over all windows.
    pub(super) fn power_theory(&self) -> PowerTheory {
        PowerTheory::new(&self.means())
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) windows: u32,
    /// Windows that run across a tick of the clock.
    pub(super) overlapping: u32,
    pub(super) phases: Vec<PhaseTotals>,
    frequency: (f64, u32),
    effective: Option<[f64; 19]>,
    /// Squares of zero, positive and negative sequence: of voltages, of currents.
    sequences: [[f64; 3]; 2],
}

impl Totals {
    pub(super) fn new(phases: usize) -> Self {
        Self { phases: vec![PhaseTotals::default(); phases], ..Self::default() }
    }

    /// Adds a window. `channel` is the reference's place among the window's channels.
    pub(super) fn add(&mut self, window: &Window, channel: usize) {
        self.windows += 1;
        self.overlapping += u32::from(window.before_tick.is_some());
        if !window.flagged {
            self.frequency.0 += window.frequency_hz;
            self.frequency.1 += 1;
        }
        let reference_rad = reference(window, channel).phase_rad();
        for (totals, phase) in self.phases.iter_mut().zip(&window.phases) {
            totals.add(phase, reference_rad);
        }
        if let Some(means) = EffectiveMeans::of(window) {
            let sums = self.effective.get_or_insert([0.0; 19]);
            sums.iter_mut().zip(means.list()).for_each(|(sum, x)| *sum += x);
        }
        if let Some(squares) = sequence_squares(window) {
            let sums = self.sequences.iter_mut().flatten();
            sums.zip(squares.iter().flatten()).for_each(|(sum, square)| *sum += square);
        }
    }

    /// Mean frequency of the windows that are not flagged.
    pub(super) fn frequency_hz(&self) -> Option<f64> {
        let (sum, count) = self.frequency;
        (count > 0).then(|| sum / f64::from(count))
    }

    /// Unbalance over all windows, of voltages and of currents.
    pub(super) fn unbalance(&self) -> [Unbalance; 2] {
        self.sequences.map(Unbalance::from_squares)
    }

    /// Effective quantities in the form the neutral current decides on, with its share.
    pub(super) fn effective(&self) -> Option<(EffectivePower, f64)> {
        let part = 1.0 / f64::from(self.windows.max(1));
        let means = EffectiveMeans::from_list(self.effective?.map(|sum| sum * part));
        let share =
            if means.ie_three_2 > 0.0 { (means.in_2 / means.ie_three_2).sqrt() } else { 0.0 };
        let wires = if share > NEUTRAL_SHARE { Wires::Four } else { Wires::Three };
        Some((EffectivePower::new(&means, wires), share))
    }
}

/// The fundamental everything is turned to: the first voltage's, or the channel tracked instead.
fn reference(window: &Window, channel: usize) -> Phasor {
    let phases = window.phases.len();
    match channel.checked_sub(phases) {
        None => window.phases[channel].u1,
        Some(current) => window.phases[current].i1,
    }
}

/// Unbalance of one window; `None`s for channels that are not there.
pub(super) fn window_unbalance(window: &Window, voltages: bool, currents: bool) -> UnbalanceValues {
    let Some(squares) = sequence_squares(window) else { return UnbalanceValues::default() };
    let [u, i] = squares.map(|squares| Some(Unbalance::from_squares(squares)));
    UnbalanceValues::new(u.filter(|_| voltages), i.filter(|_| currents))
}

/// All phases together, with a note on what `se_va` means or why it is missing.
pub(super) fn total(
    totals: &Totals,
    sums: [Option<f64>; 3],
    complete: bool,
    notes: &mut Vec<String>,
) -> Total {
    let [p_w, q1_var, s_va] = sums;
    let found = totals.effective().filter(|_| complete);
    match &found {
        Some((power, share)) => notes.push(format!(
            "se_va is IEEE 1459's 3 Ue Ie in its {} form: the sum of the currents is {:.2} % \
             of the effective current",
            if power.wires == Wires::Four { "four-wire" } else { "three-wire" },
            100.0 * share
        )),
        None => notes
            .push("se_va is null: it is defined for three voltages with three currents".to_owned()),
    }
    let ieee1459 = found.map(|(power, _)| power);
    Total { p_w, q1_var, s_va, se_va: ieee1459.map(|power| power.se_va), ieee1459 }
}
