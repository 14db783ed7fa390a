//! Tones rendered by rotation: the fast inner loop of every stationary source.
//!
//! All channels of a terminal share one list of frequencies; a channel is one complex amplitude
//! (phasor) per frequency. The sample axis is divided on a fixed absolute grid into *cells* of
//! 1024 samples and *rows* of 32. At each cell's first sample every frequency's phase is computed
//! exactly ([`crate::phase`]); within the cell the rotation goes on from row to row, and inside a
//! row a table of the first 32 rotations is multiplied in:
//! `x[row, column] = re(Z_row) * cos(w column) - im(Z_row) * sin(w column)`.
//!
//! No sample depends on its neighbour, so the loop vectorises; every sample is always computed by
//! the same operations in the same order, so neither the cut of the range nor the CPU changes a
//! bit. The rounding of at most 32 + 5 rotations keeps a tone within 2e-14 of its amplitude.

use multiversion::multiversion;
use num_complex::Complex64;

use crate::phase::rotation;
use crate::spectrum::{ChannelSpectrum, Tone};

/// Samples between two exact phases.
const CELL: u64 = 1024;
/// Samples that share one row phasor.
const ROW: usize = 32;
const ROWS: usize = CELL as usize / ROW;
/// Frequencies added up in one pass over a row.
const GROUP: usize = 4;

/// Frequencies and the phasors of every channel.
#[derive(Clone, Debug)]
pub(crate) struct ToneBank {
    /// In ascending order; 0 Hz carries the direct component.
    pub(crate) frequencies_hz: Vec<f64>,
    /// Per channel, one phasor (peak value, phase at time zero) per frequency.
    pub(crate) channels: Vec<Vec<Complex64>>,
}

/// What one frequency contributes to one cell.
#[derive(Clone)]
struct CellTone {
    cos: [f64; ROW],
    sin: [f64; ROW],
    row_step: Complex64,
    rows: [Complex64; ROWS],
}

impl ToneBank {
    /// The bank of several channels; tones of the same frequency are added up.
    pub(crate) fn new<'a>(spectra: impl Iterator<Item = &'a ChannelSpectrum> + Clone) -> Self {
        let mut frequencies_hz = vec![0.0];
        frequencies_hz.extend(spectra.clone().flat_map(|s| &s.tones).map(frequency_hz));
        frequencies_hz.sort_by(f64::total_cmp);
        frequencies_hz.dedup();
        let channels = spectra.map(|spectrum| phasors(spectrum, &frequencies_hz)).collect();
        Self { frequencies_hz, channels }
    }

    /// The phasors of a channel that has no other frequencies than the bank.
    pub(crate) fn phasors(&self, spectrum: &ChannelSpectrum) -> Vec<Complex64> {
        phasors(spectrum, &self.frequencies_hz)
    }

    /// Writes samples `first_sample..` of every channel; the slices have one length.
    pub(crate) fn render(&self, first_sample: u64, rate_hz: f64, out: &mut [&mut [f64]]) {
        self.render_with(&self.channels, first_sample, rate_hz, out);
    }

    /// The same with other phasors than the bank's own.
    pub(crate) fn render_with(
        &self,
        channels: &[Vec<Complex64>],
        first_sample: u64,
        rate_hz: f64,
        out: &mut [&mut [f64]],
    ) {
        debug_assert_eq!(out.len(), channels.len());
        let samples = out.first().map_or(0, |channel| channel.len());
        let mut tones: Vec<CellTone> =
            self.frequencies_hz.iter().map(|&f| CellTone::new(f, rate_hz)).collect();
        // Unused places of the last group add nothing.
        let padded = tones.len().next_multiple_of(GROUP);
        tones.resize(padded, CellTone::new(0.0, 1.0));
        let mut done = 0;
        while done < samples {
            let at = first_sample.wrapping_add(done as u64);
            let from = (at % CELL) as usize;
            let to = (CELL as usize).min(from + samples - done);
            for (tone, &frequency_hz) in tones.iter_mut().zip(&self.frequencies_hz) {
                tone.seed(frequency_hz, (at - from as u64) as i64, rate_hz, to.div_ceil(ROW));
            }
            for (amplitudes, channel) in channels.iter().zip(out.iter_mut()) {
                let cell = &mut channel[done..done + to - from];
                cell.fill(0.0);
                for (group, tones) in tones.chunks_exact(GROUP).enumerate() {
                    let places = amplitudes.iter().skip(group * GROUP).take(GROUP);
                    let mut amplitudes = [Complex64::ZERO; GROUP];
                    for (amplitude, place) in amplitudes.iter_mut().zip(places) {
                        *amplitude = *place;
                    }
                    add_group(cell, from, tones, &amplitudes);
                }
            }
            done += to - from;
        }
    }
}

impl CellTone {
    fn new(frequency_hz: f64, rate_hz: f64) -> Self {
        // Rotations 0 to 31 by doubling, so that none is the product of more than five.
        let mut table = [Complex64::ONE; ROW];
        table[1] = rotation(frequency_hz, 1, rate_hz);
        for column in 2..ROW {
            table[column] = table[column / 2] * table[column - column / 2];
        }
        Self {
            cos: std::array::from_fn(|column| table[column].re),
            sin: std::array::from_fn(|column| table[column].im),
            row_step: rotation(frequency_hz, ROW as i64, rate_hz),
            rows: [Complex64::ONE; ROWS],
        }
    }

    /// Computes the row phasors of a cell, as far as they are needed.
    fn seed(&mut self, frequency_hz: f64, first_sample: i64, rate_hz: f64, rows: usize) {
        let mut row = rotation(frequency_hz, first_sample, rate_hz);
        for place in &mut self.rows[..rows] {
            *place = row;
            row *= self.row_step;
        }
    }
}

/// Adds four frequencies to a part of a cell that begins at sample `from` of the cell. There is a
/// version for each set of vector instructions; the operations and their order are the same. Plain
/// loops: a closure would be compiled for the plainest instructions, and called.
#[multiversion(targets = "simd")]
fn add_group(part: &mut [f64], from: usize, tones: &[CellTone], amplitudes: &[Complex64; GROUP]) {
    let mut is_silent = true;
    for amplitude in amplitudes {
        is_silent &= amplitude.re == 0.0 && amplitude.im == 0.0;
    }
    let [a, b, c, d] = tones else { return };
    if is_silent {
        return;
    }
    let (mut done, mut at) = (0, from);
    while done < part.len() {
        let (row, column) = (at / ROW, at % ROW);
        let mut length = ROW - column;
        if length > part.len() - done {
            length = part.len() - done;
        }
        let head = &mut part[done..done + length];
        let mut z = [Complex64::ZERO; GROUP];
        let mut place = 0;
        while place < GROUP {
            let (turned, amplitude) = (tones[place].rows[row], amplitudes[place]);
            z[place].re = turned.re * amplitude.re - turned.im * amplitude.im;
            z[place].im = turned.re * amplitude.im + turned.im * amplitude.re;
            place += 1;
        }
        // A whole row has a length known at compile time, which makes its loop free of remainders.
        if let Ok(whole) = <&mut [f64; ROW]>::try_from(&mut *head) {
            let mut k = 0;
            while k < ROW {
                whole[k] += sample([a, b, c, d], &z, k);
                k += 1;
            }
        } else {
            let mut k = 0;
            while k < length {
                head[k] += sample([a, b, c, d], &z, column + k);
                k += 1;
            }
        }
        done += length;
        at += length;
    }
}

/// What four tones make of one column of a row.
#[expect(clippy::inline_always, reason = "not inlined it would be compiled without the vectors")]
#[inline(always)]
fn sample([a, b, c, d]: [&CellTone; GROUP], z: &[Complex64; GROUP], k: usize) -> f64 {
    let first =
        (z[0].re * a.cos[k] - z[0].im * a.sin[k]) + (z[1].re * b.cos[k] - z[1].im * b.sin[k]);
    let second =
        (z[2].re * c.cos[k] - z[2].im * c.sin[k]) + (z[3].re * d.cos[k] - z[3].im * d.sin[k]);
    first + second
}

/// A tone's frequency, without the negative zero that would sort apart from zero.
fn frequency_hz(tone: &Tone) -> f64 {
    tone.frequency_hz + 0.0
}

/// The phasors of one channel over a list of frequencies.
fn phasors(spectrum: &ChannelSpectrum, frequencies_hz: &[f64]) -> Vec<Complex64> {
    let mut phasors = vec![Complex64::ZERO; frequencies_hz.len()];
    let mut add = |at_hz: f64, value: Complex64| {
        if let Ok(place) = frequencies_hz.binary_search_by(|f| f.total_cmp(&at_hz)) {
            phasors[place] += value;
        }
    };
    add(0.0, Complex64::new(spectrum.dc, 0.0));
    for tone in &spectrum.tones {
        let value = crate::phase::cis(tone.phase_rad) * (std::f64::consts::SQRT_2 * tone.rms);
        // What does not rotate has no imaginary part: it is its cosine.
        let rotates = tone.frequency_hz != 0.0;
        add(frequency_hz(tone), if rotates { value } else { Complex64::new(value.re, 0.0) });
    }
    phasors
}
