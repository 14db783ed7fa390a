//! Tones rendered by rotation: the fast inner loop of every stationary source.
//!
//! All channels of a terminal share one list of frequencies; a channel is one complex amplitude
//! (phasor) per frequency. The sample axis is divided on a fixed absolute grid into *cells* of
//! 1024 samples and *rows* of 32. At each cell's middle every frequency's phase is computed exactly
//! ([`crate::phase`]); a table turns it to the middle of each row, and another one from there to
//! both sides. With the phasor Z of a row's middle and `d` samples from it
//! `x(+d) = re(Z) cos(w d) - im(Z) sin(w d)` and `x(-d) = re(Z) cos(w d) + im(Z) sin(w d)`: the
//! sums over all tones of both products are made once for two samples.
//!
//! No sample depends on its neighbour, so the loop vectorises; every sample is always computed by
//! the same operations in the same order, so neither the cut of the range nor the CPU changes a
//! bit. The rounding of the first rotations, up to 16 and 15 times over, keeps a tone within 2e-14
//! of its amplitude.

use multiversion::multiversion;
use num_complex::Complex64;

use crate::phase::rotation;
use crate::spectrum::{ChannelSpectrum, Tone};

/// Samples between two exact phases.
const CELL: u64 = 1024;
/// Samples that share one row phasor.
const ROW: usize = 32;
/// Samples on either side of a row's middle, which lies between two of them.
const HALF: usize = ROW / 2;
const ROWS: usize = CELL as usize / ROW;

/// Frequencies and the phasors of every channel.
#[derive(Clone, Debug)]
pub(crate) struct ToneBank {
    /// In ascending order; 0 Hz carries the direct component.
    pub(crate) frequencies_hz: Vec<f64>,
    /// Per channel, one phasor (peak value, phase at time zero) per frequency.
    pub(crate) channels: Vec<Vec<Complex64>>,
}

/// How one frequency turns: by column from a row's middle on, and from a cell's middle to that of
/// each row. Whole vectors are read from it, which is slow across cache lines.
#[derive(Clone)]
#[repr(align(64))]
struct Table {
    cos: [f64; HALF],
    sin: [f64; HALF],
    re: [f64; ROWS],
    im: [f64; ROWS],
}

/// What one tone of one channel is in the middle of each row of a cell.
#[derive(Clone)]
#[repr(align(64))]
struct RotatedTone {
    re: [f64; ROWS],
    im: [f64; ROWS],
    /// The number of its frequency.
    tone: usize,
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
        assert_eq!(out.len(), channels.len());
        let samples = out.first().map_or(0, |channel| channel.len());
        let tables: Vec<Table> =
            self.frequencies_hz.iter().map(|&f| Table::new(f, rate_hz)).collect();
        let mut seeds = vec![Complex64::ONE; tables.len()];
        let silent = RotatedTone { re: [0.0; ROWS], im: [0.0; ROWS], tone: 0 };
        let mut tones = vec![silent; tables.len()];
        let mut done = 0;
        while done < samples {
            let at = first_sample.wrapping_add(done as u64);
            let from = (at % CELL) as usize;
            let to = (CELL as usize).min(from + samples - done);
            for (seed, &frequency_hz) in seeds.iter_mut().zip(&self.frequencies_hz) {
                let middle = at - from as u64 + CELL / 2;
                *seed = rotation(frequency_hz, middle as i64, rate_hz);
            }
            for (amplitudes, channel) in channels.iter().zip(out.iter_mut()) {
                let mut heard = 0;
                for (tone, amplitude) in amplitudes.iter().enumerate() {
                    if *amplitude != Complex64::ZERO {
                        tones[heard].tone = tone;
                        turn(&mut tones[heard], seeds[tone] * amplitude, &tables[tone]);
                        heard += 1;
                    }
                }
                add_up(&mut channel[done..done + to - from], from, &tables, &tones[..heard]);
            }
            done += to - from;
        }
    }
}

impl Table {
    fn new(frequency_hz: f64, rate_hz: f64) -> Self {
        let turns = |half_samples| rotation(frequency_hz, half_samples, 2.0 * rate_hz);
        let (half, middle) = (turns(1), turns(ROW as i64 - 1));
        let columns = powers::<HALF>(turns(2)).map(|turned| turned * half);
        let steps = powers::<{ ROWS / 2 + 1 }>(turns(2 * ROW as i64));
        let rows: [Complex64; ROWS] = std::array::from_fn(|row| {
            let step = steps[row.abs_diff(ROWS / 2)];
            middle * if row < ROWS / 2 { step.conj() } else { step }
        });
        Self {
            cos: columns.map(|turned| turned.re),
            sin: columns.map(|turned| turned.im),
            re: rows.map(|turned| turned.re),
            im: rows.map(|turned| turned.im),
        }
    }
}

/// The first powers of a rotation by doubling, so that none is more than four products deep.
fn powers<const N: usize>(step: Complex64) -> [Complex64; N] {
    let mut powers = [Complex64::ONE; N];
    powers[1] = step;
    for k in 2..N {
        powers[k] = powers[k / 2] * powers[k - k / 2];
    }
    powers
}

/// Turns what a tone is in a cell's middle to that of each row. There is a version
/// for each set of vector instructions; the operations and their order are the same. Plain loops:
/// a closure would be compiled for the plainest instructions, and called.
#[multiversion(targets = "simd")]
fn turn(turned: &mut RotatedTone, z: Complex64, table: &Table) {
    let mut row = 0;
    while row < ROWS {
        turned.re[row] = z.re * table.re[row] - z.im * table.im[row];
        turned.im[row] = z.re * table.im[row] + z.im * table.re[row];
        row += 1;
    }
}

/// Writes the sum of tones to a part of a cell that begins at sample `from` of the cell. Two rows
/// at once share what is read of the tables.
#[multiversion(targets = "simd")]
fn add_up(part: &mut [f64], from: usize, tables: &[Table], tones: &[RotatedTone]) {
    let (mut done, mut at) = (0, from);
    while done < part.len() {
        let (row, column) = (at / ROW, at % ROW);
        let left = &mut part[done..];
        if let (0, Some(pair)) = (column, left.first_chunk_mut::<{ 2 * ROW }>()) {
            let rows = sums([row, row + 1], tables, tones);
            write(&mut pair[..ROW], &rows[0]);
            write(&mut pair[ROW..], &rows[1]);
            (done, at) = (done + 2 * ROW, at + 2 * ROW);
            continue;
        }
        let mut whole = [0.0; ROW];
        let [sums] = sums([row], tables, tones);
        write(&mut whole, &sums);
        let mut length = ROW - column;
        if length > left.len() {
            length = left.len();
        }
        left[..length].copy_from_slice(&whole[column..column + length]);
        (done, at) = (done + length, at + length);
    }
}

/// Of some rows the sums of both products.
#[expect(clippy::inline_always, reason = "not inlined it would be compiled without the vectors")]
#[inline(always)]
fn sums<const N: usize>(
    rows: [usize; N],
    tables: &[Table],
    tones: &[RotatedTone],
) -> [[[f64; HALF]; 2]; N] {
    let mut sums = [[[0.0; HALF]; 2]; N];
    let mut place = 0;
    while place < tones.len() {
        let (turned, table) = (&tones[place], &tables[tones[place].tone]);
        let mut k = 0;
        while k < HALF {
            let (cos, sin) = (table.cos[k], table.sin[k]);
            let mut n = 0;
            while n < N {
                sums[n][0][k] += turned.re[rows[n]] * cos;
                sums[n][1][k] += turned.im[rows[n]] * sin;
                n += 1;
            }
            k += 1;
        }
        place += 1;
    }
    sums
}

/// Writes a row from the sums of both products.
#[expect(clippy::inline_always, reason = "not inlined it would be compiled without the vectors")]
#[inline(always)]
fn write(row: &mut [f64], [cos, sin]: &[[f64; HALF]; 2]) {
    let mut k = 0;
    while k < HALF {
        row[HALF + k] = cos[k] - sin[k];
        row[HALF - 1 - k] = cos[k] + sin[k];
        k += 1;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Frequencies in eighths of a hertz, so that each phase is a remainder of whole numbers.
    #[test]
    fn each_sample_is_its_cosine_within_2e_14() {
        const RATE_HZ: u64 = 12_800;
        let mut worst: f64 = 0.0;
        for eighths in (1..800).map(|k| 61 * k).chain([400, 40_000]) {
            let tone = Tone { frequency_hz: eighths as f64 / 8.0, rms: 1.0, phase_rad: 0.0 };
            let spectrum =
                ChannelSpectrum { dc: 0.0, tones: vec![tone], ..ChannelSpectrum::default() };
            let bank = ToneBank::new([&spectrum].into_iter());
            let (first, mut samples) = (86_400 * RATE_HZ + 77, vec![0.0; 3000]);
            bank.render(first, RATE_HZ as f64, &mut [&mut samples]);
            for (n, found) in (first..).zip(&samples) {
                let turns = (eighths * n) % (8 * RATE_HZ);
                let expected = (TAU * turns as f64 / (8 * RATE_HZ) as f64).cos();
                worst = worst.max((found / std::f64::consts::SQRT_2 - expected).abs());
            }
        }
        assert!(worst < 2e-14, "{worst:e}");
        println!("worst error of a sample: {worst:e}");
    }
}
