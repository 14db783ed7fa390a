//! What a terminal carries over time: pieces laid one after another at exact instants.
//!
//! Each piece describes its waveform by absolute angles, so it can be asked for any part of itself,
//! and pieces that come again (flicker, tones after an excerpt) are shared. Excerpts alone, which
//! are computed elsewhere, count from their own beginning. At an instant where one piece follows
//! another the value is the mean of both sides, as it is for a Fourier series; so a sample that
//! lies on a jump takes neither side.
//!
//! Means over a span are those of the pieces in it, weighted by their lengths. The integrals of
//! whole pieces are kept once they have been asked for, so that registers over a plan of many
//! hours cost two pieces and a look-up.

mod piece;
mod registers;
mod windows;

use std::sync::{Arc, Mutex, PoisonError};

use lastmeter_units::SimDuration;
use num_complex::Complex64;
use serde::{Deserialize, Serialize};

use crate::instant::Instant;
use crate::means::{PhaseHarmonics, SpanMeans};
use crate::moving::GAUSS;
use crate::noise::Noise;
use crate::quality::{Quality, unbalance};
use crate::random::Streams;
use crate::spectrum::Spectrum;
use piece::Registers;
pub(crate) use piece::{Piece, Wave};

/// Up to so many pieces are summed one by one: what is kept from the beginning has lost digits.
const DIRECTLY: usize = 64;

/// A stretch of time in which a terminal carries tones that do not change, or a part of an excerpt
/// that tones stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectrumSpan {
    /// The tones; their phases count from the scenario's start.
    pub spectrum: Arc<Spectrum>,
    /// When something changes next, since the scenario's start; `None`: never. What changes
    /// between two nanoseconds changes at the nearer one here.
    pub until: Option<SimDuration>,
    /// The ambient temperature in degrees Celsius.
    pub temperature_celsius: f64,
}

/// A new ambient temperature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemperatureChange {
    /// The first sample of the block it holds at.
    pub sample: usize,
    /// The temperature in degrees Celsius.
    pub celsius: f64,
}

/// Pieces in order of time; the first begins at zero, the last never ends.
#[derive(Debug)]
pub(crate) struct Timeline {
    pieces: Vec<Piece>,
    /// Per channel, voltages first.
    noise: Vec<Noise>,
    /// The ambient temperature in degrees Celsius from instants on, the first at zero.
    temperatures: Vec<(SimDuration, f64)>,
    /// Integrals from zero to the end of each of the first pieces, as far as asked for.
    integrals: Mutex<Vec<Vec<Integrals>>>,
    registers: Registers,
}

/// Integrals over time of one phase: means times seconds.
type Integrals = SpanMeans;

/// Panels in which unbalance is integrated while something moves: ramps are smooth within them.
const UNBALANCE_PANEL_S: f64 = 0.1;

/// No span is cut into more of them; the longest ramps are the slowest.
const UNBALANCE_PANELS_MAX: f64 = 1000.0;

impl Timeline {
    /// Pieces and temperatures in order of time, each list with a first entry at zero; `name` is
    /// the source's name.
    pub(crate) fn new(
        pieces: Vec<Piece>,
        temperatures: Vec<(SimDuration, f64)>,
        name: &str,
        streams: Streams,
    ) -> Self {
        let phases = pieces.first().map_or(0, |piece| piece.wave.phases());
        let noise = ["voltage", "current"].iter().flat_map(|kind| {
            (0..phases).map(move |phase| {
                Noise::new(streams, &format!("source/{name}/{kind}/{phase}/noise"))
            })
        });
        let noise = noise.collect();
        let registers = Registers::new(&pieces);
        Self { pieces, noise, temperatures, integrals: Mutex::new(Vec::new()), registers }
    }

    /// Replaces what comes from an instant on up to another; the first piece begins there.
    pub(crate) fn replace(&mut self, from: Instant, to: Instant, pieces: Vec<Piece>) {
        let kept = self.pieces.partition_point(|piece| piece.from < from);
        let rest = self.pieces.partition_point(|piece| piece.from < to).max(kept);
        self.pieces.splice(kept..rest, pieces);
        // Integrals reach to the end of a piece, which is where the next one begins.
        let integrals = self.integrals.get_mut().unwrap_or_else(PoisonError::into_inner);
        integrals.truncate(kept.saturating_sub(1));
        let registers = Registers::new(&self.pieces);
        self.registers.replace_with(registers, kept);
    }

    pub(crate) fn phases(&self) -> usize {
        self.noise.len() / 2
    }

    /// The fundamental's frequency at the scenario's start.
    pub(crate) fn fundamental_hz(&self) -> f64 {
        self.pieces.first().map_or(f64::NAN, |piece| piece.wave.fundamental_hz())
    }

    /// The fundamental's frequency at an instant, as it is set.
    pub(crate) fn frequency_at(&self, at: Instant) -> f64 {
        self.pieces.get(self.index_at(at)).map_or(f64::NAN, |it| it.wave.frequency().at(at))
    }

    /// Whether all of it is tones that change at instants only, or excerpts for which tones stand.
    pub(crate) fn has_spectrum_throughout(&self) -> bool {
        self.pieces.iter().all(|piece| piece.wave.is_tones())
    }

    /// The piece an instant lies in; at a border the one that begins.
    fn index_at(&self, at: Instant) -> usize {
        self.pieces.partition_point(|piece| piece.from <= at).saturating_sub(1)
    }

    pub(crate) fn spectrum_at(&self, at: SimDuration) -> Option<SpectrumSpan> {
        // Ends are given in whole nanoseconds; so is what begins there.
        let begun = |piece: &Piece| piece.from.rounded() <= at;
        let index = self.pieces.partition_point(begun).saturating_sub(1);
        let (spectrum, next_part) = self.pieces.get(index)?.wave.tones(at)?;
        let next = self.pieces.get(index + 1).map(|piece| piece.from.rounded());
        let warmer = self.temperatures.partition_point(|&(from, _)| from <= at);
        let next_warmer = self.temperatures.get(warmer).map(|&(from, _)| from);
        let temperature_celsius = self.temperatures[warmer.saturating_sub(1)].1;
        let until = next.into_iter().chain(next_warmer).chain(next_part).min();
        Some(SpectrumSpan { spectrum, until, temperature_celsius })
    }

    /// When something changes or moves, up to an instant: in order, both ends included.
    pub(crate) fn unsteady(&self, until: SimDuration) -> Vec<(SimDuration, SimDuration)> {
        let mut stretches = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let from = piece.from.rounded();
            if from > until {
                break;
            }
            let next = self.pieces.get(index + 1).map_or(until, |next| next.from.rounded());
            let is_steady = matches!(*piece.wave, Wave::Stationary(_));
            match (is_steady, index) {
                (true, 0) => {}
                (true, _) => stretches.push((from, from)),
                (false, _) => stretches.push((from, next.min(until))),
            }
        }
        stretches
    }

    /// The changes of the temperature in a range of samples; sample 0 begins with one.
    pub(crate) fn temperatures(
        &self,
        first_sample: u64,
        rate_hz: f64,
        samples: usize,
        out: &mut Vec<TemperatureChange>,
    ) {
        out.clear();
        let end = first_sample.saturating_add(samples as u64);
        let sample_of = |from: SimDuration| Instant::from(from).first_sample(rate_hz).0;
        let begin = self.temperatures.partition_point(|&(from, _)| sample_of(from) < first_sample);
        for &(from, celsius) in &self.temperatures[begin..] {
            let sample = sample_of(from);
            if sample >= end {
                break;
            }
            let sample = (sample - first_sample) as usize;
            // Of several that fall between two samples the last holds.
            if out.last().is_some_and(|last: &TemperatureChange| last.sample == sample) {
                out.pop();
            }
            out.push(TemperatureChange { sample, celsius });
        }
    }

    pub(crate) fn render(&self, first_sample: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        let samples = channels.first().map_or(0, |channel| channel.len());
        let is_usable = rate_hz.is_finite() && rate_hz > 0.0;
        let mut done = 0;
        let mut index = if is_usable { self.index_of_sample(first_sample, rate_hz) } else { 0 };
        while done < samples {
            let Some(piece) = self.pieces.get(index) else { return };
            let at = first_sample.wrapping_add(done as u64);
            let next = self.pieces.get(index + 1).filter(|_| is_usable);
            let next = next.map(|next| next.from.first_sample(rate_hz));
            let left = samples - done;
            let count = next.map_or(left, |(next, _)| {
                left.min(usize::try_from(next.saturating_sub(at)).unwrap_or(left))
            });
            if count > 0 {
                let mut part = parts(channels, done, count);
                self.render_piece(&piece.wave, at, rate_hz, &mut part);
                let (begins_at, is_on_it) = piece.from.first_sample(rate_hz);
                if is_on_it && begins_at == at && index > 0 {
                    self.mix_with_before(index, at, rate_hz, &mut part);
                }
            }
            done += count;
            index += 1;
        }
    }

    /// The piece that a sample is rendered of.
    fn index_of_sample(&self, sample: u64, rate_hz: f64) -> usize {
        let begun = |piece: &Piece| piece.from.first_sample(rate_hz).0 <= sample;
        self.pieces.partition_point(begun).saturating_sub(1)
    }

    fn render_piece(&self, wave: &Wave, at: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        wave.render(at, rate_hz, channels);
        for ((noise, rms), channel) in self.noise.iter().zip(wave.noise_rms()).zip(channels) {
            noise.add_to(rms, at, channel);
        }
    }

    /// The first sample of a piece lies on its beginning: it is the mean of both sides.
    fn mix_with_before(&self, index: usize, at: u64, rate_hz: f64, channels: &mut [&mut [f64]]) {
        // A piece that begins on the same sample is too short to stand for anything.
        let begins_here = |piece: &&Piece| piece.from.first_sample(rate_hz) == (at, true);
        let before = self.pieces[..index].iter().rev().find(|piece| !begins_here(piece));
        let Some(before) = before else { return };
        let mut values = vec![[0.0]; channels.len()];
        let mut outs: Vec<&mut [f64]> = values.iter_mut().map(<[f64; 1]>::as_mut_slice).collect();
        self.render_piece(&before.wave, at, rate_hz, &mut outs);
        for (channel, [value]) in channels.iter_mut().zip(values) {
            channel[0] = 0.5 * (channel[0] + value);
        }
    }

    /// Means of each phase over a span that is not empty.
    pub(crate) fn means(&self, from: SimDuration, to: SimDuration) -> Vec<SpanMeans> {
        self.means_between(from.into(), to.into())
    }

    fn means_between(&self, from: Instant, to: Instant) -> Vec<SpanMeans> {
        let (first, last) = (self.index_at(from), self.index_before(to));
        let Some(piece) = self.pieces.get(first) else { return Vec::new() };
        if first >= last {
            return piece.wave.means(from, to);
        }
        let mut sums = vec![Integrals::default(); self.phases()];
        let mut add = |index: usize, from: Instant, to: Instant| {
            let means = self.pieces[index].wave.means(from, to);
            let length_s = to.seconds_since(from);
            for (sum, means) in sums.iter_mut().zip(&means) {
                *sum = sum.merged(means, |sum, mean| sum + mean * length_s);
            }
        };
        add(first, from, self.pieces[first + 1].from);
        add(last, self.pieces[last].from, to);
        if last - first <= DIRECTLY {
            for index in first + 1..last {
                add(index, self.pieces[index].from, self.pieces[index + 1].from);
            }
        } else {
            let whole = self.between(first, last - 1);
            for (sum, whole) in sums.iter_mut().zip(&whole) {
                *sum = sum.merged(whole, |sum, whole| sum + whole);
            }
        }
        let length_s = to.seconds_since(from);
        sums.iter().map(|sum| sum.merged(sum, |integral, _| integral / length_s)).collect()
    }

    /// Mean voltage and current of each phase over a span that is not empty; `None` where
    /// something else than whole tones and excerpts is played.
    pub(crate) fn averages(&self, from: SimDuration, to: SimDuration) -> Option<Vec<(f64, f64)>> {
        let (from, to) = (Instant::from(from), Instant::from(to));
        let mut sums = vec![(0.0, 0.0); self.phases()];
        for index in self.index_at(from)..=self.index_before(to) {
            let piece = self.pieces.get(index)?;
            let begin = if piece.from <= from { from } else { piece.from };
            let next = self.pieces.get(index + 1).map(|next| next.from);
            let end = next.filter(|next| *next < to).unwrap_or(to);
            let share = end.seconds_since(begin) / to.seconds_since(from);
            let averages = match &*piece.wave {
                Wave::Moving(_) => return None,
                _ if share <= 0.0 => continue,
                Wave::Stationary(stationary) => stationary.averages(begin, end)?,
                Wave::Sampled(sampled) => sampled.averages(begin, end),
            };
            for (sum, (u, i)) in sums.iter_mut().zip(averages) {
                sum.0 += share * u;
                sum.1 += share * i;
            }
        }
        Some(sums)
    }

    /// The piece that holds just before an instant.
    fn index_before(&self, at: Instant) -> usize {
        self.pieces.partition_point(|piece| piece.from < at).saturating_sub(1)
    }

    /// Integrals over the whole pieces after `first` up to and including `last`, which has an end.
    fn between(&self, first: usize, last: usize) -> Vec<Integrals> {
        let mut kept = self.integrals.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() <= last {
            let index = kept.len();
            let (from, to) = (self.pieces[index].from, self.pieces[index + 1].from);
            let nothing = || vec![Integrals::default(); self.phases()];
            let mut sums = kept.last().cloned().unwrap_or_else(nothing);
            if from < to {
                let means = self.pieces[index].wave.means(from, to);
                let length_s = to.seconds_since(from);
                for (sum, means) in sums.iter_mut().zip(&means) {
                    *sum = sum.merged(means, |sum, mean| sum + mean * length_s);
                }
            }
            kept.push(sums);
        }
        let pairs = kept[last].iter().zip(&kept[first]);
        pairs.map(|(last, first)| last.merged(first, |last, first| last - first)).collect()
    }

    /// Harmonics and unbalance over a span. What is not the same all over it is not a number.
    pub(crate) fn quality(&self, from: SimDuration, to: SimDuration) -> Quality {
        let first = self.index_at(from.into());
        let last = self.index_before(to.into()).max(first);
        let unknown = Quality { channels: Vec::new(), negative: f64::NAN, zero: f64::NAN };
        let Some(piece) = self.pieces.get(first) else { return unknown };
        let mut known = &piece.wave;
        let mut found = known.quality();
        for piece in &self.pieces[first + 1..=last] {
            if !Arc::ptr_eq(known, &piece.wave) {
                known = &piece.wave;
                found.keep_what_agrees(&known.quality());
            }
        }
        if (found.negative.is_nan() || found.zero.is_nan()) && self.phases() == 3 && from < to {
            let squares = self.squared_unbalance(from.into(), to.into());
            [found.negative, found.zero] = squares.map(f64::sqrt);
        }
        found
    }

    /// Means over a span that is not empty of the squares of both unbalances; not a number where
    /// there is no positive sequence, or a fundamental is not known.
    fn squared_unbalance(&self, from: Instant, to: Instant) -> [f64; 2] {
        let mut sums = [0.0; 2];
        let mut add = |harmonics: &[PhaseHarmonics], share: f64| {
            for (sum, ratio) in sums.iter_mut().zip(unbalance(harmonics)) {
                *sum += share * ratio * ratio;
            }
        };
        let length_s = to.seconds_since(from);
        for index in self.index_at(from)..=self.index_before(to) {
            let Some(piece) = self.pieces.get(index) else { continue };
            let begin = if piece.from <= from { from } else { piece.from };
            let next = self.pieces.get(index + 1).map(|next| next.from);
            let part_s = next.filter(|next| *next < to).unwrap_or(to).seconds_since(begin);
            if part_s <= 0.0 {
                continue;
            }
            match &*piece.wave {
                Wave::Stationary(stationary) => add(stationary.harmonics(), part_s / length_s),
                Wave::Sampled(sampled) => add(&sampled.harmonics(), part_s / length_s),
                Wave::Moving(moving) => {
                    let panels = (part_s / UNBALANCE_PANEL_S).ceil().min(UNBALANCE_PANELS_MAX);
                    let width_s = part_s / panels;
                    for panel in 0..panels as u64 {
                        for (abscissa, weight) in *GAUSS {
                            let at = begin.plus_seconds((panel as f64 + abscissa) * width_s);
                            add(&moving.harmonics(at), weight * width_s / length_s);
                        }
                    }
                }
            }
        }
        sums
    }

    /// Values of the harmonics over a span. What is not the same all over it is not a number.
    pub(crate) fn harmonics(&self, from: SimDuration, to: SimDuration) -> Vec<PhaseHarmonics> {
        let first = self.index_at(from.into());
        let last = self.index_before(to.into()).max(first);
        let Some(piece) = self.pieces.get(first) else { return Vec::new() };
        let (mut known, at) = (&piece.wave, Instant::from(from));
        if self.pieces[first..=last].iter().all(|piece| Arc::ptr_eq(known, &piece.wave)) {
            return known.harmonics(at);
        }
        let mut found = relative(&known.harmonics(at));
        for piece in &self.pieces[first + 1..=last] {
            if Arc::ptr_eq(known, &piece.wave) {
                continue;
            }
            known = &piece.wave;
            for (found, other) in found.iter_mut().zip(relative(&known.harmonics(piece.from))) {
                found.keep_what_agrees(&other);
            }
        }
        found
    }
}

/// Harmonics with all angles counted from that of the first voltage's fundamental.
fn relative(harmonics: &[PhaseHarmonics]) -> Vec<PhaseHarmonics> {
    let back = harmonics.first().map_or(Complex64::ONE, |first| {
        let length = first.u1.norm();
        if length > 0.0 { first.u1.conj() / length } else { Complex64::new(f64::NAN, f64::NAN) }
    });
    let turned = |phase: &PhaseHarmonics| PhaseHarmonics {
        u1: phase.u1 * back,
        i1: phase.i1 * back,
        ..*phase
    };
    harmonics.iter().map(turned).collect()
}

/// A part of every channel.
fn parts<'a>(channels: &'a mut [&mut [f64]], from: usize, count: usize) -> Vec<&'a mut [f64]> {
    channels.iter_mut().map(|channel| &mut channel[from..from + count]).collect()
}
