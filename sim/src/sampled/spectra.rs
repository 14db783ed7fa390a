//! An excerpt cycle by cycle: what stands for it where tones are asked for.
//!
//! A *part* is one cycle of the fundamental, counted from the excerpt's beginning, or the rest at
//! its end. Its tones are the Fourier coefficients of the straight lines over the cycle, each an
//! exact integral. A rest takes those of the cycle before it. An excerpt shorter than one cycle has
//! the fundamental only, the one with the least mean square of the deviation over the excerpt.

use std::f64::consts::{FRAC_1_SQRT_2, PI, TAU};
use std::sync::{Arc, OnceLock};

use lastmeter_units::SimDuration;
use num_complex::Complex64;

use super::{Excerpt, Sampled};
use crate::instant::Instant;
use crate::phase::cis;
use crate::spectrum::{ChannelSpectrum, Spectrum, Tone};

/// The highest order of a part's tones.
const ORDERS: usize = 25;

/// Most parts of an excerpt: more than five hours of 50 Hz.
pub(crate) const PARTS_MAX: usize = 1_000_000;

/// So much may be missing from a cycle, in seconds: rounding.
const MISSING_S: f64 = 1e-12;

/// What is left after whole cycles and is no longer than this, in seconds, belongs to the last of
/// them: changes are given in whole nanoseconds.
const LEFT_S: f64 = 1e-9;

/// Below this half angle, series have all digits and quotients have not.
const SMALL_RAD: f64 = 0.05;

/// Powers of one phase in one part.
#[derive(Clone, Copy, Debug, Default)]
struct Powers {
    q1_var: f64,
    s_va: f64,
    /// Integrals of both from the excerpt's beginning to that of the part.
    q1_before: f64,
    s_before: f64,
}

/// The parts of an excerpt, and what is kept of them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) frequency_hz: f64,
    length_s: f64,
    /// Whole cycles.
    whole: usize,
    spectra: Vec<OnceLock<Arc<Spectrum>>>,
    /// By part and phase.
    powers: OnceLock<Vec<Vec<Powers>>>,
}

impl Parts {
    /// The parts of a length of time; the number of cycles if there are too many.
    pub(super) fn new(frequency_hz: f64, length_s: f64) -> Result<Self, f64> {
        let cycles = length_s * frequency_hz;
        // A frequency that is not a number has no cycles either.
        if cycles.is_nan() || cycles > PARTS_MAX as f64 {
            return Err(cycles);
        }
        let whole = (cycles + (MISSING_S * frequency_hz).min(0.5)).floor() as usize;
        let has_rest = whole == 0 || length_s - whole as f64 / frequency_hz > LEFT_S;
        let count = whole + usize::from(has_rest);
        let spectra = (0..count).map(|_| OnceLock::new()).collect();
        Ok(Self { frequency_hz, length_s, whole, spectra, powers: OnceLock::new() })
    }

    pub(super) fn count(&self) -> usize {
        self.spectra.len()
    }

    pub(super) fn begin(&self, from: Instant, part: usize) -> Instant {
        from.plus_cycles(part as i64, self.frequency_hz)
    }

    fn begin_s(&self, part: usize) -> f64 {
        part as f64 / self.frequency_hz
    }

    fn end_s(&self, part: usize) -> f64 {
        if part + 1 < self.count() { self.begin_s(part + 1) } else { self.length_s }
    }

    /// The part that seconds from the beginning lie in.
    fn at_s(&self, at_s: f64) -> usize {
        ((at_s * self.frequency_hz) as usize).min(self.count() - 1)
    }

    /// The part that an instant lies in; parts begin with whole nanoseconds here.
    pub(super) fn at(&self, from: Instant, at: SimDuration) -> usize {
        let begun = |part: usize| self.begin(from, part).rounded() <= at;
        let mut part = self.at_s(Instant::from(at).seconds_since(from).max(0.0));
        while part > 0 && !begun(part) {
            part -= 1;
        }
        while part + 1 < self.count() && begun(part + 1) {
            part += 1;
        }
        part
    }

    /// Means over a span of each phase's reactive power of the fundamental and of its apparent
    /// power, part by part.
    pub(super) fn powers(&self, sampled: &Sampled, from_s: f64, to_s: f64) -> Vec<(f64, f64)> {
        let kept = self.powers.get_or_init(|| self.all_powers(sampled));
        let (first, last) = (self.at_s(from_s), self.at_s(to_s));
        let phases = kept[first].iter().zip(&kept[last]);
        let mean = |(begin, end): (&Powers, &Powers)| {
            if first == last {
                return (begin.q1_var, begin.s_va);
            }
            let (head_s, tail_s) = (from_s - self.begin_s(first), to_s - self.begin_s(last));
            let until = (end.q1_before + tail_s * end.q1_var, end.s_before + tail_s * end.s_va);
            let since =
                (begin.q1_before + head_s * begin.q1_var, begin.s_before + head_s * begin.s_va);
            let length_s = to_s - from_s;
            ((until.0 - since.0) / length_s, (until.1 - since.1) / length_s)
        };
        phases.map(mean).collect()
    }

    fn all_powers(&self, sampled: &Sampled) -> Vec<Vec<Powers>> {
        let phases = sampled.phases();
        let mut kept: Vec<Vec<Powers>> = Vec::with_capacity(self.count());
        let mut fundamentals = Vec::new();
        let mut before = vec![(0.0, 0.0); phases];
        for part in 0..self.count() {
            let (from_s, to_s) = (self.begin_s(part), self.end_s(part));
            // A rest keeps those of the cycle before it.
            if part < self.whole {
                fundamentals = self.coefficients(&sampled.excerpt, part, 1);
            } else if self.whole == 0 {
                fundamentals = self.nearest_fundamentals(&sampled.excerpt);
            }
            let means = sampled.phase_means(from_s, to_s);
            let mut powers = Vec::with_capacity(phases);
            for (phase, (means, before)) in means.iter().zip(&mut before).enumerate() {
                let (u, i) = (fundamentals[phase][0], fundamentals[phases + phase][0]);
                let (q1_var, s_va) = (0.5 * (u * i.conj()).im, means.apparent_power_va());
                powers.push(Powers { q1_var, s_va, q1_before: before.0, s_before: before.1 });
                before.0 += q1_var * (to_s - from_s);
                before.1 += s_va * (to_s - from_s);
            }
            kept.push(powers);
        }
        kept
    }

    /// The tones of a part.
    pub(super) fn spectrum(&self, sampled: &Sampled, part: usize) -> Arc<Spectrum> {
        if part >= self.whole && self.whole > 0 {
            return self.spectrum(sampled, self.whole - 1);
        }
        let made = || {
            let excerpt = &*sampled.excerpt;
            let (begin, phasors, averages) = if self.whole == 0 {
                let middle = sampled.from.plus_seconds(0.5 * self.length_s);
                let none = vec![(0.0, 0.0); sampled.phases()];
                (middle, self.nearest_fundamentals(excerpt), none)
            } else {
                let (from_s, to_s) = (self.begin_s(part), self.begin_s(part + 1));
                let sums = sampled.integrals(from_s, to_s);
                let mean = |sum: f64| sum * self.frequency_hz;
                let averages = sums.iter().map(|sum| (mean(sum.u), mean(sum.i))).collect();
                let begin = self.begin(sampled.from, part);
                (begin, self.coefficients(excerpt, part, ORDERS), averages)
            };
            let dc = averages.iter().map(|(u, _)| *u).chain(averages.iter().map(|(_, i)| *i));
            let mut voltages: Vec<ChannelSpectrum> = phasors
                .iter()
                .zip(dc)
                .map(|(phasors, dc)| self.channel(begin, phasors, dc))
                .collect();
            let currents = voltages.split_off(sampled.phases());
            Arc::new(Spectrum { fundamental_hz: self.frequency_hz, voltages, currents })
        };
        Arc::clone(self.spectra[part].get_or_init(made))
    }

    /// A channel from its peak phasors at an instant, the fundamental's first.
    fn channel(&self, at: Instant, phasors: &[Complex64], dc: f64) -> ChannelSpectrum {
        let tone = |(index, phasor): (usize, &Complex64)| {
            let frequency_hz = (index + 1) as f64 * self.frequency_hz;
            let back = at.turns_since(Instant::default(), frequency_hz);
            let phasor = phasor * cis(-TAU * back);
            let rms = phasor.norm() * FRAC_1_SQRT_2;
            Tone { frequency_hz, rms, phase_rad: libm::atan2(phasor.im, phasor.re) }
        };
        let tones = phasors.iter().enumerate().map(tone).collect();
        ChannelSpectrum { dc, tones, noise_rms: 0.0 }
    }

    /// Peak phasors of each channel's orders from 1 on over a cycle, as they are where it begins.
    fn coefficients(&self, excerpt: &Excerpt, part: usize, orders: usize) -> Vec<Vec<Complex64>> {
        let span_s = (self.begin_s(part), self.begin_s(part + 1));
        let mut sums = self.turned_integrals(excerpt, span_s, span_s.0, orders);
        sums.iter_mut().flatten().for_each(|sum| *sum *= 2.0 * self.frequency_hz);
        sums
    }

    /// The peak phasor of each channel, in the middle of the whole excerpt, of the fundamental that
    /// is nearest to it by least squares. About the middle cosine and sine are orthogonal.
    fn nearest_fundamentals(&self, excerpt: &Excerpt) -> Vec<Vec<Complex64>> {
        let middle_s = 0.5 * self.length_s;
        let mut sums = self.turned_integrals(excerpt, (0.0, self.length_s), middle_s, 1);
        // Integrals of both squares over the excerpt.
        let angle = TAU * self.frequency_hz * self.length_s;
        let missing = one_less_sinc(angle);
        let (cosine, sine) = (middle_s * (2.0 - missing), middle_s * missing);
        for sum in sums.iter_mut().flatten() {
            let im = if sine > 0.0 { sum.im / sine } else { 0.0 };
            *sum = Complex64::new(sum.re / cosine, im);
        }
        sums
    }

    /// The integral of each channel times `e^(-i 2 pi n f (t - origin))` over a span, by order n
    /// from 1 on.
    fn turned_integrals(
        &self,
        excerpt: &Excerpt,
        (from_s, to_s): (f64, f64),
        origin_s: f64,
        orders: usize,
    ) -> Vec<Vec<Complex64>> {
        let mut sums: Vec<Vec<Complex64>> =
            excerpt.channels().map(|_| vec![Complex64::ZERO; orders]).collect();
        for line in excerpt.line_at(from_s)..=excerpt.line_at(to_s) {
            let Some((begin_s, end_s)) = excerpt.clip(line, from_s, to_s) else { continue };
            let half_s = 0.5 * (end_s - begin_s);
            let middle_s = begin_s + half_s - origin_s;
            let half_turn = PI * self.frequency_hz * 2.0 * half_s;
            let (turn, half) = (cis(-TAU * self.frequency_hz * middle_s), cis(half_turn));
            let (mut turned, mut halved) = (Complex64::ONE, Complex64::ONE);
            let factors: Vec<(Complex64, Complex64)> = (1..=orders)
                .map(|order| {
                    turned *= turn;
                    halved *= half;
                    let (even, odd) = even_and_odd(order as f64 * half_turn, halved);
                    (turned * (half_s * even), turned * Complex64::new(0.0, -half_s * odd))
                })
                .collect();
            for (values, sums) in excerpt.channels().zip(&mut sums) {
                let begin = excerpt.on_line(values, line, begin_s);
                let end = excerpt.on_line(values, line, end_s);
                for (sum, (even, odd)) in sums.iter_mut().zip(&factors) {
                    *sum += even * (begin + end) + odd * (end - begin);
                }
            }
        }
        sums
    }
}

/// Means over `x` from -1 to 1 of `cos(angle x)` and of `x sin(angle x)`; `turned` is
/// `e^(i angle)`.
fn even_and_odd(angle: f64, turned: Complex64) -> (f64, f64) {
    let square = angle * angle;
    if angle < SMALL_RAD {
        let even = 1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0));
        let odd = 1.0 - square / 10.0 * (1.0 - square / 28.0 * (1.0 - square / 54.0));
        return (even, angle / 3.0 * odd);
    }
    (turned.im / angle, (turned.im - angle * turned.re) / square)
}

/// `1 - sin(x) / x`.
fn one_less_sinc(angle: f64) -> f64 {
    let square = angle * angle;
    if angle < SMALL_RAD {
        return square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0));
    }
    1.0 - libm::sin(angle) / angle
}
