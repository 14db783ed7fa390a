//! A waveform that was computed elsewhere and is played in place of the tones: straight lines.
//!
//! Integrals of products of straight lines are polynomials, so means are exact. Those from the
//! beginning to every [`BLOCK`]th instant are kept; a span costs two blocks of lines and a
//! difference, however long it is.

mod spectra;

use std::sync::Arc;

use lastmeter_units::SimDuration;
use num_complex::Complex64;

use crate::excerpt::Excerpt;
use crate::instant::Instant;
use crate::means::{PhaseHarmonics, PhaseMeans, SpanMeans};
use crate::spectrum::Spectrum;
use crate::track::Line;
pub(crate) use spectra::PARTS_MAX;
use spectra::Parts;

/// Lines between two instants whose integrals from the beginning are kept.
const BLOCK: usize = 16;

/// Integrals over time of one phase, in volts and amperes times seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    u: f64,
    i: f64,
    u2: f64,
    i2: f64,
    ui: f64,
}

impl Sums {
    /// Adds straight lines: the values at both ends, and the seconds between them.
    fn add(&mut self, (u, next_u): (f64, f64), (i, next_i): (f64, f64), length_s: f64) {
        let third = length_s / 3.0;
        self.u += 0.5 * length_s * (u + next_u);
        self.i += 0.5 * length_s * (i + next_i);
        self.u2 += third * (u * u + u * next_u + next_u * next_u);
        self.i2 += third * (i * i + i * next_i + next_i * next_i);
        self.ui += third * (u * i + 0.5 * (u * next_i + next_u * i) + next_u * next_i);
    }

    fn add_difference(&mut self, later: &Self, earlier: &Self) {
        self.u += later.u - earlier.u;
        self.i += later.i - earlier.i;
        self.u2 += later.u2 - earlier.u2;
        self.i2 += later.i2 - earlier.i2;
        self.ui += later.ui - earlier.ui;
    }

    fn means(&self, length_s: f64) -> PhaseMeans {
        PhaseMeans { u2: self.u2 / length_s, i2: self.i2 / length_s, ui: self.ui / length_s }
    }
}

/// An excerpt, and what is kept of it.
#[derive(Debug)]
pub(crate) struct Sampled {
    excerpt: Arc<Excerpt>,
    from: Instant,
    /// The frequency of the tones in whose place it is played: since when, and its course.
    course: Vec<(Instant, Line)>,
    /// By block and phase, from the beginning to the first instant of the block.
    kept: Vec<Vec<Sums>>,
    parts: Parts,
}

impl Sampled {
    /// An excerpt that has been checked, and the course of the tones' frequency since it begins or
    /// before; the number of cycles if it has more than can be kept.
    pub(crate) fn new(excerpt: Arc<Excerpt>, course: Vec<(Instant, Line)>) -> Result<Self, f64> {
        let from = excerpt.begin();
        let frequency_hz = course.first().map_or(f64::NAN, |(_, line)| line.at(from));
        let parts = Parts::new(frequency_hz, excerpt.length_s())?;
        let mut made = Self { excerpt, from, course, kept: Vec::new(), parts };
        let phases = made.phases();
        let lines = made.excerpt.at_s.len().saturating_sub(1);
        let mut sums = vec![Sums::default(); phases];
        for block in (0..lines).step_by(BLOCK) {
            made.kept.push(sums.clone());
            let next = (block + BLOCK).min(lines);
            made.add_lines(block, made.excerpt.at_s[block], made.excerpt.at_s[next], &mut sums);
        }
        Ok(made)
    }

    pub(crate) fn phases(&self) -> usize {
        self.excerpt.voltages_v.len()
    }

    /// The frequency of the tones where it begins, of whose cycles its parts are made.
    pub(crate) fn fundamental_hz(&self) -> f64 {
        self.parts.frequency_hz
    }

    /// Seconds from the beginning to an instant, within the excerpt.
    fn seconds_to(&self, at: Instant) -> f64 {
        at.seconds_since(self.from).max(0.0).min(self.excerpt.length_s())
    }

    /// Writes the samples. On a jump the value is the mean of both sides; at the beginning and at
    /// the end it is that of the inner side.
    pub(crate) fn render(&self, first_sample: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        if !(rate_hz.is_finite() && rate_hz > 0.0) {
            return channels.iter_mut().for_each(|channel| channel.fill(f64::NAN));
        }
        let samples = channels.first().map_or(0, |channel| channel.len());
        for k in 0..samples {
            let at = Instant::of_sample(first_sample.wrapping_add(k as u64), rate_hz);
            let at_s = self.seconds_to(at);
            let (before, after) = self.sides(at_s, 2.0 * at.nearness_s());
            for (values, channel) in self.excerpt.channels().zip(channels.iter_mut()) {
                let value = |line: usize| self.excerpt.on_line(values, line, at_s);
                let later = value(after);
                channel[k] = if before == after { later } else { 0.5 * (value(before) + later) };
            }
        }
    }

    /// The lines before and after an instant: two if it lies, as nearly as given, on a jump.
    fn sides(&self, at_s: f64, nearness_s: f64) -> (usize, usize) {
        let (begins_s, length_s) = (&self.excerpt.at_s, self.excerpt.length_s());
        let line = self.excerpt.line_at(at_s);
        for first in [line.saturating_sub(1), line + 1] {
            let Some(&[a_s, b_s]) = begins_s.get(first..first + 2) else { continue };
            let is_inside = a_s > 0.0 && a_s < length_s;
            if a_s == b_s && is_inside && (at_s - a_s).abs() <= nearness_s {
                return (first - 1, first + 1);
            }
        }
        // A jump with the end has no later side here.
        let is_jump = line > 0 && begins_s[line] == begins_s[line + 1];
        let line = if is_jump { line - 1 } else { line };
        (line, line)
    }

    /// Adds the integrals between two instants from a line on, one line after another.
    fn add_lines(&self, first: usize, from_s: f64, to_s: f64, sums: &mut [Sums]) {
        let excerpt = &*self.excerpt;
        for line in first..excerpt.at_s.len().saturating_sub(1) {
            if excerpt.at_s[line] >= to_s {
                break;
            }
            let Some((begin_s, end_s)) = excerpt.clip(line, from_s, to_s) else { continue };
            let ends = |values: &[f64]| {
                let end = |at_s: f64| excerpt.on_line(values, line, at_s);
                (end(begin_s), end(end_s))
            };
            let phases = excerpt.voltages_v.iter().zip(&excerpt.currents_a);
            for (sum, (u, i)) in sums.iter_mut().zip(phases) {
                sum.add(ends(u), ends(i), end_s - begin_s);
            }
        }
    }

    /// Integrals of each phase from one instant to a later one.
    fn integrals(&self, from_s: f64, to_s: f64) -> Vec<Sums> {
        let mut sums = vec![Sums::default(); self.phases()];
        let (first, last) = (self.excerpt.line_at(from_s), self.excerpt.line_at(to_s));
        let (begin, end) = whole_blocks(first, last);
        if end <= begin {
            self.add_lines(first, from_s, to_s, &mut sums);
            return sums;
        }
        let at_s = |block: usize| self.excerpt.at_s[block * BLOCK];
        self.add_lines(first, from_s, at_s(begin), &mut sums);
        self.add_lines(end * BLOCK, at_s(end), to_s, &mut sums);
        for (sum, (later, earlier)) in
            sums.iter_mut().zip(self.kept[end].iter().zip(&self.kept[begin]))
        {
            sum.add_difference(later, earlier);
        }
        sums
    }

    /// Means over a span within the excerpt; those of an instant if it is empty.
    pub(crate) fn means(&self, from: Instant, to: Instant) -> Vec<SpanMeans> {
        let (from_s, to_s) = (self.seconds_to(from), self.seconds_to(to));
        let frequency_hz = self.frequency_hz(from, to);
        let phases = self.phase_means(from_s, to_s).into_iter();
        let powers = self.parts.powers(self, from_s, to_s);
        phases
            .zip(powers)
            .map(|(phase, (q1_var, s_va))| SpanMeans { phase, q1_var, s_va, frequency_hz })
            .collect()
    }

    fn phase_means(&self, from_s: f64, to_s: f64) -> Vec<PhaseMeans> {
        if from_s < to_s {
            let sums = self.integrals(from_s, to_s);
            return sums.iter().map(|sum| sum.means(to_s - from_s)).collect();
        }
        let line = self.sides(from_s, 0.0).0;
        let phases = self.excerpt.voltages_v.iter().zip(&self.excerpt.currents_a);
        let instant = |(u, i): (&Arc<Vec<f64>>, &Arc<Vec<f64>>)| {
            let [u, i] = [u, i].map(|values| self.excerpt.on_line(values, line, from_s));
            PhaseMeans { u2: u * u, i2: i * i, ui: u * i }
        };
        phases.map(instant).collect()
    }

    /// Mean voltage and current of each phase over a span that is not empty.
    pub(crate) fn averages(&self, from: Instant, to: Instant) -> Vec<(f64, f64)> {
        let (from_s, to_s) = (self.seconds_to(from), self.seconds_to(to));
        let sums = self.integrals(from_s, to_s);
        sums.iter().map(|sum| (sum.u / (to_s - from_s), sum.i / (to_s - from_s))).collect()
    }

    /// The mean frequency of the tones in whose place it is played.
    fn frequency_hz(&self, from: Instant, to: Instant) -> f64 {
        let length_s = to.seconds_since(from);
        let mut sum = 0.0;
        for (index, (since, line)) in self.course.iter().enumerate() {
            let begin = if index == 0 || *since < from { from } else { *since };
            let next = self.course.get(index + 1).map(|(since, _)| *since);
            let end = next.filter(|next| *next < to).unwrap_or(to);
            let part_s = end.seconds_since(begin);
            if part_s >= length_s {
                return line.at(begin.plus_seconds(0.5 * part_s));
            }
            if part_s > 0.0 {
                sum += part_s / length_s * line.at(begin.plus_seconds(0.5 * part_s));
            }
        }
        sum
    }

    /// The end of the whole cycles, one at least, that come next to a length of time from an
    /// instant on.
    pub(crate) fn after_whole_cycles(&self, at: Instant, length_s: f64) -> Instant {
        let frequency_hz = self.fundamental_hz();
        at.plus_seconds((length_s * frequency_hz).round().max(1.0) / frequency_hz)
    }

    /// Of a computed waveform neither angles nor distortions are the same all over it.
    pub(crate) fn harmonics(&self) -> Vec<PhaseHarmonics> {
        let unknown = Complex64::new(f64::NAN, f64::NAN);
        let phase = PhaseHarmonics { u1: unknown, i1: unknown, thd_u: f64::NAN, thd_i: f64::NAN };
        vec![phase; self.phases()]
    }

    /// The tones that stand for the excerpt at an instant in it, and when those of its next part
    /// do; `None`: no other part follows.
    pub(crate) fn spectrum_at(&self, at: SimDuration) -> (Arc<Spectrum>, Option<SimDuration>) {
        let part = self.parts.at(self.from, at);
        let next = part + 1;
        let until = (next < self.parts.count()).then(|| self.parts.begin(self.from, next));
        (self.parts.spectrum(self, part), until.map(Instant::rounded))
    }
}

/// The blocks that lie as a whole between two lines: the first of them, and the one after the last.
fn whole_blocks(first: usize, last: usize) -> (usize, usize) {
    (first / BLOCK + 1, last / BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_any_length_costs_two_blocks_of_lines() {
        for first in [0, 1, 15, 16, 1000, 999_999] {
            for length in [0, 1, 31, 32, 33, 100_000] {
                let last = first + length;
                let (begin, end) = whole_blocks(first, last);
                let kept = end.saturating_sub(begin) * BLOCK;
                assert!(length + 1 - kept <= 32, "{first} {length}: {kept} lines are kept");
                assert!(end <= begin || (begin * BLOCK >= first && end * BLOCK <= last));
            }
        }
    }
}
