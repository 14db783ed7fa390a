//! A real Fourier transform of several channels at once.
//!
//! The channels lie side by side, so that every operation of the transform is one operation on a
//! whole row of them: whatever vector units there are get used, without a sum ever changing its
//! order. A real transform of N points is a complex one of N/2 with even points as real and odd
//! ones as imaginary parts; that one is cut into short ones (columns, then rows) that stay in the
//! nearest cache, each in Stockham's form with radix 4, which needs no reordering.

use std::f64::consts::{SQRT_2, TAU};

use multiversion::multiversion;

use crate::rows::Rows;

/// A complex number of each channel: real parts, imaginary parts.
pub(crate) type Pair<const W: usize> = [[f64; W]; 2];

/// Angles of transforms of one length.
#[derive(Clone, Debug)]
pub(crate) struct RealFft {
    /// Cosine and sine of -2 pi k / N for k below N/2.
    turns: Vec<(f64, f64)>,
}

impl RealFft {
    /// For `points` points, a power of two of at least 8.
    pub(crate) fn new(points: usize) -> Self {
        let turn = |k: usize| {
            let (sin, cos) = libm::sincos(-TAU * k as f64 / points as f64);
            (cos, sin)
        };
        Self { turns: (0..points / 2).map(turn).collect() }
    }

    pub(crate) fn points(&self) -> usize {
        2 * self.turns.len()
    }

    /// Transforms `work` (N/2 pairs; lost) with the help of `spare` and fills `bins` with the RMS
    /// phasors of the bins from 0 on; no more than N/2 of them are given.
    pub(crate) fn transform<const W: usize>(
        &self,
        work: &mut [Pair<W>],
        spare: &mut Spare,
        bins: &mut [Pair<W>],
    ) {
        let half = self.turns.len().min(work.len());
        let rows = 1 << (half.ilog2() / 2);
        let columns = half / rows;
        let together = columns.min(COLUMNS_AT_A_TIME);
        let size = columns.max(rows * together);
        let (here, there) = (spare.here.pairs(size), spare.there.pairs(size));
        // Short transforms down the columns, some at a time, turned by what is still missing.
        for column in (0..columns).step_by(together) {
            let (here, there) = (&mut here[..rows * together], &mut there[..rows * together]);
            for (row, to) in here.chunks_exact_mut(together).enumerate() {
                to.copy_from_slice(&work[row * columns + column..][..together]);
            }
            let done = stockham(&self.turns, here, there, together);
            for (row, from) in done.chunks_exact(together).enumerate() {
                let to = &mut work[row * columns + column..][..together];
                turn(&self.turns, (row, column), from, to);
            }
        }
        // Short transforms along the rows; of their results only the first and the last are kept,
        // which is what the bins need.
        let wanted = (bins.len().div_ceil(rows) + 1).min(columns / 2);
        let kept = spare.kept.pairs(2 * wanted * rows);
        for (row, here) in work[..half].chunks_exact_mut(columns).enumerate() {
            let done = stockham(&self.turns, here, &mut there[..columns], 1);
            let ends = done[..wanted].iter().chain(&done[columns - wanted..]);
            for (to, from) in kept[row..].iter_mut().step_by(rows).zip(ends) {
                *to = *from;
            }
        }
        separate(&self.turns, kept, bins);
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Spare {
    kept: Rows,
    here: Rows,
    there: Rows,
}

/// Columns that are transformed at a time, so that memory is read in longer pieces.
const COLUMNS_AT_A_TIME: usize = 4;

/// Transforms several columns side by side, going to and fro between two buffers; answers with the
/// one that holds the results.
fn stockham<'a, const W: usize>(
    turns: &[(f64, f64)],
    here: &'a mut [Pair<W>],
    there: &'a mut [Pair<W>],
    columns: usize,
) -> &'a [Pair<W>] {
    let (mut from, mut to) = (here, there);
    let (mut length, mut stride) = (from.len() / columns, columns);
    while length >= 4 {
        step_four(turns, from, to, (stride, 2 * turns.len() / length));
        std::mem::swap(&mut from, &mut to);
        (length, stride) = (length / 4, stride * 4);
    }
    if length == 2 {
        step_two(from, to);
        std::mem::swap(&mut from, &mut to);
    }
    from
}

/// The turn by -2 pi k / N.
#[inline]
fn turn_of(turns: &[(f64, f64)], k: usize) -> (f64, f64) {
    match turns.get(k) {
        Some(turn) => *turn,
        None => (-turns[k - turns.len()].0, -turns[k - turns.len()].1),
    }
}

/// Turns the elements of a row by the angle between its column transforms and its row's.
#[multiversion(targets = "simd")]
fn turn<const W: usize>(
    turns: &[(f64, f64)],
    (row, column): (usize, usize),
    from: &[Pair<W>],
    to: &mut [Pair<W>],
) {
    for (k, (from, to)) in from.iter().zip(to).enumerate() {
        let (cos, sin) = turn_of(turns, 2 * row * (column + k));
        let mut turned = [[0.0; W]; 2];
        for lane in 0..W {
            turned[0][lane] = from[0][lane] * cos - from[1][lane] * sin;
            turned[1][lane] = from[0][lane] * sin + from[1][lane] * cos;
        }
        *to = turned;
    }
}

/// One pass of radix 4 over sub-transforms that are interleaved by `stride`, whose angles are
/// `step` times 2 pi / N apart.
#[multiversion(targets = "simd")]
fn step_four<const W: usize>(
    turns: &[(f64, f64)],
    from: &[Pair<W>],
    to: &mut [Pair<W>],
    (stride, step): (usize, usize),
) {
    let quarter = from.len() / 4;
    let (first, second) = from.split_at(2 * quarter);
    let ((a, b), (c, d)) = (first.split_at(quarter), second.split_at(quarter));
    let inputs = a.chunks_exact(stride).zip(b.chunks_exact(stride));
    let inputs = inputs.zip(c.chunks_exact(stride).zip(d.chunks_exact(stride)));
    for (p, (to, ((a, b), (c, d)))) in to.chunks_exact_mut(4 * stride).zip(inputs).enumerate() {
        let one = turn_of(turns, step * p);
        let two = turn_of(turns, 2 * step * p);
        let three = turn_of(turns, 3 * step * p);
        let (to_ab, to_cd) = to.split_at_mut(2 * stride);
        let ((to_a, to_b), (to_c, to_d)) = (to_ab.split_at_mut(stride), to_cd.split_at_mut(stride));
        let outputs = to_a.iter_mut().zip(to_b).zip(to_c.iter_mut().zip(to_d));
        for ((((a, b), c), d), ((to_a, to_b), (to_c, to_d))) in
            a.iter().zip(b).zip(c).zip(d).zip(outputs)
        {
            // Results gather here first: nothing the compiler sees may then overlap.
            let [mut at_a, mut at_b, mut at_c, mut at_d] = [[[0.0; W]; 2]; 4];
            for lane in 0..W {
                let sum_ac = (a[0][lane] + c[0][lane], a[1][lane] + c[1][lane]);
                let sum_bd = (b[0][lane] + d[0][lane], b[1][lane] + d[1][lane]);
                let minus_ac = (a[0][lane] - c[0][lane], a[1][lane] - c[1][lane]);
                let minus_bd = (b[0][lane] - d[0][lane], b[1][lane] - d[1][lane]);
                at_a[0][lane] = sum_ac.0 + sum_bd.0;
                at_a[1][lane] = sum_ac.1 + sum_bd.1;
                let b = (minus_ac.0 + minus_bd.1, minus_ac.1 - minus_bd.0);
                at_b[0][lane] = b.0 * one.0 - b.1 * one.1;
                at_b[1][lane] = b.0 * one.1 + b.1 * one.0;
                let c = (sum_ac.0 - sum_bd.0, sum_ac.1 - sum_bd.1);
                at_c[0][lane] = c.0 * two.0 - c.1 * two.1;
                at_c[1][lane] = c.0 * two.1 + c.1 * two.0;
                let d = (minus_ac.0 - minus_bd.1, minus_ac.1 + minus_bd.0);
                at_d[0][lane] = d.0 * three.0 - d.1 * three.1;
                at_d[1][lane] = d.0 * three.1 + d.1 * three.0;
            }
            (*to_a, *to_b, *to_c, *to_d) = (at_a, at_b, at_c, at_d);
        }
    }
}

/// The last pass where the number of points is twice a power of four.
#[multiversion(targets = "simd")]
fn step_two<const W: usize>(from: &[Pair<W>], to: &mut [Pair<W>]) {
    let (a, b) = from.as_flattened().as_flattened().split_at(from.len() * W);
    let (to_a, to_b) = to.as_flattened_mut().as_flattened_mut().split_at_mut(from.len() * W);
    for ((a, b), (to_a, to_b)) in a.iter().zip(b).zip(to_a.iter_mut().zip(to_b)) {
        (*to_a, *to_b) = (a + b, a - b);
    }
}

/// The real points' transform from that of even and odd points, of which the first and the last
/// are there, as RMS phasors.
#[multiversion(targets = "simd")]
fn separate<const W: usize>(turns: &[(f64, f64)], from: &[Pair<W>], bins: &mut [Pair<W>]) {
    let points = 2 * turns.len();
    // Bin 0 is its own mirror.
    let mirrors = from.first().into_iter().chain(from.iter().rev());
    let pairs = from.iter().zip(mirrors).zip(turns);
    for (k, (bin, ((z, mirror), turn))) in bins.iter_mut().zip(pairs).enumerate() {
        // A direct component is its own RMS value, a tone's is amplitude / sqrt 2.
        let scale = if k == 0 { 0.5 } else { 0.5 * SQRT_2 } / points as f64;
        let mut phasor = [[0.0; W]; 2];
        for lane in 0..W {
            let even = (z[0][lane] + mirror[0][lane], z[1][lane] - mirror[1][lane]);
            let odd = (z[1][lane] + mirror[1][lane], mirror[0][lane] - z[0][lane]);
            phasor[0][lane] = scale * (even.0 + (odd.0 * turn.0 - odd.1 * turn.1));
            phasor[1][lane] = scale * (even.1 + (odd.0 * turn.1 + odd.1 * turn.0));
        }
        *bin = phasor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_sum_it_stands_for_in_every_lane() {
        for points in [8, 16, 32, 64, 128, 256, 512] {
            // Deterministic, broad-band, different in each lane.
            let value = |k: usize, lane: usize| {
                let mixed = (k as u64 + 1).wrapping_mul(6_364_136_223_846_793_005 + lane as u64);
                f64::from((mixed >> 40) as u32) / f64::from(1 << 24) - 0.3
            };
            let pair = |k: usize| {
                [
                    std::array::from_fn(|l| value(2 * k, l)),
                    std::array::from_fn(|l| value(2 * k + 1, l)),
                ]
            };
            let mut work: Vec<Pair<4>> = (0..points / 2).map(pair).collect();
            let mut bins = vec![[[0.0; 4]; 2]; points / 2];
            RealFft::new(points).transform(&mut work, &mut Spare::default(), &mut bins);
            for (m, [real, imaginary]) in bins.iter().enumerate() {
                for (lane, (real, imaginary)) in real.iter().zip(imaginary).enumerate() {
                    let (mut re, mut im) = (0.0, 0.0);
                    for k in 0..points {
                        let angle = -TAU * ((m * k) % points) as f64 / points as f64;
                        re += value(k, lane) * angle.cos();
                        im += value(k, lane) * angle.sin();
                    }
                    let scale = if m == 0 { 1.0 } else { SQRT_2 } / points as f64;
                    assert!((real - scale * re).abs() < 1e-14, "{points} {m} {lane}");
                    assert!((imaginary - scale * im).abs() < 1e-14, "{points} {m} {lane}");
                }
            }
        }
    }
}
