//! A real Fourier transform of several channels at once.
//!
//! The channels lie side by side, so that every operation of the transform is one operation on a
//! whole row of them: whatever vector units there are get used, without a sum ever changing its
//! order. Radix 4 in Stockham's form, which needs no reordering; a real transform of N points is a
//! complex one of N/2 with even points as real and odd ones as imaginary parts.

use std::f64::consts::{SQRT_2, TAU};

use multiversion::multiversion;

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

    /// Number of points.
    pub(crate) fn points(&self) -> usize {
        2 * self.turns.len()
    }

    /// Transforms `work` (N/2 pairs; lost) with the help of `spare` (as many) and fills `bins` with
    /// the RMS phasors of the bins from 0 on; no more than N/2 of them are told.
    pub(crate) fn transform<const W: usize>(
        &self,
        work: &mut Vec<Pair<W>>,
        spare: &mut Vec<Pair<W>>,
        bins: &mut [Pair<W>],
    ) {
        let half = self.turns.len();
        let (mut length, mut stride) = (half, 1);
        while length >= 4 {
            step_four(&self.turns, work, spare, stride);
            std::mem::swap(work, spare);
            (length, stride) = (length / 4, stride * 4);
        }
        if length == 2 {
            step_two(work, spare);
            std::mem::swap(work, spare);
        }
        separate(&self.turns, work, bins);
    }
}

/// One pass of radix 4 over sub-transforms that are interleaved by `stride`.
#[multiversion(targets = "simd")]
fn step_four<const W: usize>(
    turns: &[(f64, f64)],
    from: &[Pair<W>],
    to: &mut [Pair<W>],
    stride: usize,
) {
    let quarter = from.len() / 4;
    let (first, second) = from.split_at(2 * quarter);
    let ((a, b), (c, d)) = (first.split_at(quarter), second.split_at(quarter));
    let inputs = a.chunks_exact(stride).zip(b.chunks_exact(stride));
    let inputs = inputs.zip(c.chunks_exact(stride).zip(d.chunks_exact(stride)));
    for (p, (to, ((a, b), (c, d)))) in to.chunks_exact_mut(4 * stride).zip(inputs).enumerate() {
        // Angles are in steps of 2 pi / N, a sub-transform's are 2 N / length = 2 stride apart.
        let place = 2 * stride * p;
        let (one, two) = (turns[place], turns[2 * place]);
        let three = match turns.get(3 * place) {
            Some(three) => *three,
            None => (-turns[3 * place - turns.len()].0, -turns[3 * place - turns.len()].1),
        };
        let (to_ab, to_cd) = to.split_at_mut(2 * stride);
        let ((to_a, to_b), (to_c, to_d)) = (to_ab.split_at_mut(stride), to_cd.split_at_mut(stride));
        let outputs = to_a.iter_mut().zip(to_b).zip(to_c.iter_mut().zip(to_d));
        for ((((a, b), c), d), ((to_a, to_b), (to_c, to_d))) in
            a.iter().zip(b).zip(c).zip(d).zip(outputs)
        {
            for lane in 0..W {
                let sum_ac = (a[0][lane] + c[0][lane], a[1][lane] + c[1][lane]);
                let sum_bd = (b[0][lane] + d[0][lane], b[1][lane] + d[1][lane]);
                let minus_ac = (a[0][lane] - c[0][lane], a[1][lane] - c[1][lane]);
                let minus_bd = (b[0][lane] - d[0][lane], b[1][lane] - d[1][lane]);
                to_a[0][lane] = sum_ac.0 + sum_bd.0;
                to_a[1][lane] = sum_ac.1 + sum_bd.1;
                let at_b = (minus_ac.0 + minus_bd.1, minus_ac.1 - minus_bd.0);
                to_b[0][lane] = at_b.0 * one.0 - at_b.1 * one.1;
                to_b[1][lane] = at_b.0 * one.1 + at_b.1 * one.0;
                let at_c = (sum_ac.0 - sum_bd.0, sum_ac.1 - sum_bd.1);
                to_c[0][lane] = at_c.0 * two.0 - at_c.1 * two.1;
                to_c[1][lane] = at_c.0 * two.1 + at_c.1 * two.0;
                let at_d = (minus_ac.0 - minus_bd.1, minus_ac.1 + minus_bd.0);
                to_d[0][lane] = at_d.0 * three.0 - at_d.1 * three.1;
                to_d[1][lane] = at_d.0 * three.1 + at_d.1 * three.0;
            }
        }
    }
}

/// The last pass where the number of points is twice a power of four.
#[multiversion(targets = "simd")]
fn step_two<const W: usize>(from: &[Pair<W>], to: &mut [Pair<W>]) {
    let half = from.len() / 2;
    let (a, b) = from.split_at(half);
    let (to_a, to_b) = to.split_at_mut(half);
    for ((a, b), (to_a, to_b)) in a.iter().zip(b).zip(to_a.iter_mut().zip(to_b)) {
        for part in 0..2 {
            for lane in 0..W {
                to_a[part][lane] = a[part][lane] + b[part][lane];
                to_b[part][lane] = a[part][lane] - b[part][lane];
            }
        }
    }
}

/// The real points' transform from that of even and odd points, as RMS phasors.
#[multiversion(targets = "simd")]
fn separate<const W: usize>(turns: &[(f64, f64)], from: &[Pair<W>], bins: &mut [Pair<W>]) {
    let half = from.len();
    let points = 2 * half;
    for (k, (bin, turn)) in bins.iter_mut().zip(turns).enumerate() {
        let (z, mirror) = (&from[k], &from[(half - k) % half]);
        // A direct component is its own RMS value, a tone's is amplitude / sqrt 2.
        let scale = if k == 0 { 0.5 } else { 0.5 * SQRT_2 } / points as f64;
        for lane in 0..W {
            let even = (z[0][lane] + mirror[0][lane], z[1][lane] - mirror[1][lane]);
            let odd = (z[1][lane] + mirror[1][lane], mirror[0][lane] - z[0][lane]);
            bin[0][lane] = scale * (even.0 + (odd.0 * turn.0 - odd.1 * turn.1));
            bin[1][lane] = scale * (even.1 + (odd.0 * turn.1 + odd.1 * turn.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_sum_it_stands_for_in_every_lane() {
        for points in [8, 16, 32, 64, 256, 512] {
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
            let mut spare = work.clone();
            let mut bins = vec![[[0.0; 4]; 2]; points / 2];
            RealFft::new(points).transform(&mut work, &mut spare, &mut bins);
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
