//! The limits of a window: a rectangle whose edges are smoothed over a few samples.
//!
//! A window of whole cycles begins and ends between two samples. Cutting it at whole samples would
//! cost up to 1/N of the value; so each edge is a smooth step over [`EDGE_SAMPLES`] either side.
//! The smoothed rectangle is the exact rectangle convolved with a short low-pass: its spectrum
//! keeps every zero of the rectangle's (all multiples of 1/T but 0), so sums over periodic signals
//! stay exact, while what sampling would fold back from near the sampling frequency is suppressed.
//! Two neighbouring windows' weights add up to one at every sample: no energy is lost or counted
//! twice.

use std::sync::LazyLock;

use crate::numeric::{bessel_i0, dots, mixed, phase_sums};

/// Half-width of an edge, in samples.
pub(crate) const EDGE_SAMPLES: f64 = 12.0;

/// Shape of the Kaiser kernel that smooths the rectangle: suppresses folding by about 60 dB from
/// 0.115 of the sampling frequency on, on top of the rectangle's own 1/(pi N).
const KAISER_BETA: f64 = 8.0;

/// Intervals of the table of the step.
const INTERVALS: usize = 512;

/// The smooth step from 0 to 1, the integral of a Kaiser kernel.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    /// Value and slope at each table point, over -1..=1.
    table: Vec<(f64, f64)>,
}

impl Edge {
    /// The step, computed once for all engines.
    pub(crate) fn shared() -> &'static Self {
        static EDGE: LazyLock<Edge> = LazyLock::new(Edge::new);
        &EDGE
    }

    /// Integrates the kernel by Simpson's rule within each table interval.
    fn new() -> Self {
        let kernel = |x: f64| bessel_i0(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt());
        let width = 2.0 / INTERVALS as f64;
        let mut sum = 0.0;
        let mut table = vec![(0.0, kernel(-1.0))];
        for k in 0..INTERVALS {
            let left = -1.0 + width * k as f64;
            let middle = kernel(left + 0.5 * width);
            let right = kernel(left + width);
            sum += width / 6.0 * (kernel(left) + 4.0 * middle + right);
            table.push((sum, right));
        }
        for entry in &mut table {
            *entry = (entry.0 / sum, entry.1 / sum);
        }
        Self { table }
    }

    /// The step at `x` half-widths from the window's limit (cubic Hermite interpolation).
    pub(crate) fn step(&self, x: f64) -> f64 {
        if x <= -1.0 {
            return 0.0;
        }
        if x >= 1.0 {
            return 1.0;
        }
        let width = 2.0 / INTERVALS as f64;
        let place = (x + 1.0) / width;
        let k = (place as usize).min(INTERVALS - 1);
        let t = place - k as f64;
        let ((v0, s0), (v1, s1)) = (self.table[k], self.table[k + 1]);
        let (t2, t3) = (t * t, t * t * t);
        v0 * (2.0 * t3 - 3.0 * t2 + 1.0)
            + width * s0 * (t3 - 2.0 * t2 + t)
            + v1 * (3.0 * t2 - 2.0 * t3)
            + width * s1 * (t3 - t2)
    }
}

/// The weights of one window over the samples of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// First index with a weight.
    pub(crate) first: usize,
    /// Weights of the samples from `first` on, around the start.
    left: Vec<f64>,
    /// Number of samples of weight one that follow.
    inner: usize,
    /// Weights of the samples after those, around the end.
    right: Vec<f64>,
    /// Length of the window in samples.
    length: f64,
}

impl Span {
    /// The window from position `start` to `start + length` over a slice (positions in samples;
    /// sample k of the slice is at position k). Samples outside the slice are left out.
    pub(crate) fn new(edge: &Edge, start: f64, length: f64, samples: usize) -> Self {
        let half = EDGE_SAMPLES.min((length / 3.0).floor()).max(1.0);
        let end = start + length;
        let index = |position: f64| (position.max(0.0) as usize).min(samples);
        let first = index((start - half).ceil());
        let one_from = index((start + half).ceil());
        let one_to = index((end - half).ceil()).max(one_from);
        let last = index((end + half).ceil()).max(one_to);
        let left = (first..one_from).map(|k| edge.step((k as f64 - start) / half)).collect();
        let right = (one_to..last).map(|k| 1.0 - edge.step((k as f64 - end) / half)).collect();
        Self { first, left, inner: one_to - one_from, right, length }
    }

    /// Number of samples with a weight.
    pub(crate) fn count(&self) -> usize {
        self.left.len() + self.inner + self.right.len()
    }

    /// Means of x x, y y and x y over the window; both slices begin with the first weighted sample.
    pub(crate) fn power(&self, x: &[f64], y: &[f64]) -> [f64; 3] {
        let (Some(inner_x), Some(inner_y)) = (self.inner(x), self.inner(y)) else {
            return [0.0; 3];
        };
        let [xx, yy, xy] = dots(inner_x, inner_y);
        [self.whole(x, x, xx), self.whole(y, y, yy), self.whole(x, y, xy)]
    }

    /// Means of u u, i i, u i, u c, u s, i c and i s of a voltage, a current, a cosine and a sine.
    pub(crate) fn phase(&self, u: &[f64], i: &[f64], cos: &[f64], sin: &[f64]) -> [f64; 7] {
        let [Some(inner_u), Some(inner_i), Some(inner_cos), Some(inner_sin)] =
            [u, i, cos, sin].map(|x| self.inner(x))
        else {
            return [0.0; 7];
        };
        let [uu, ii, ui, uc, us, ic, is] = phase_sums(inner_u, inner_i, inner_cos, inner_sin);
        [
            self.whole(u, u, uu),
            self.whole(i, i, ii),
            self.whole(u, i, ui),
            self.whole(u, cos, uc),
            self.whole(u, sin, us),
            self.whole(i, cos, ic),
            self.whole(i, sin, is),
        ]
    }

    /// Means of x y, y z and z x.
    pub(crate) fn mixed(&self, x: &[f64], y: &[f64], z: &[f64]) -> [f64; 3] {
        let [Some(inner_x), Some(inner_y), Some(inner_z)] = [x, y, z].map(|x| self.inner(x)) else {
            return [0.0; 3];
        };
        let [xy, yz, zx] = mixed(inner_x, inner_y, inner_z);
        [self.whole(x, y, xy), self.whole(y, z, yz), self.whole(z, x, zx)]
    }

    /// The samples of weight one; `None` if the slice does not hold all weighted samples.
    fn inner<'a>(&self, x: &'a [f64]) -> Option<&'a [f64]> {
        x.get(..self.count()).map(|x| &x[self.left.len()..self.left.len() + self.inner])
    }

    /// The mean of x times y, of which the sum over the samples of weight one is known.
    fn whole(&self, x: &[f64], y: &[f64], inner: f64) -> f64 {
        let right = self.left.len() + self.inner;
        let weighted = |w: &[f64], x: &[f64], y: &[f64]| -> f64 {
            w.iter().zip(x).zip(y).map(|((w, x), y)| w * x * y).sum()
        };
        let edges = weighted(&self.left, x, y) + weighted(&self.right, &x[right..], &y[right..]);
        (edges + inner) / self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_windows_share_every_sample_exactly() {
        let edge = Edge::new();
        for k in -200..=200 {
            let x = f64::from(k) / 150.0;
            assert!((edge.step(x) + edge.step(-x) - 1.0).abs() < 1e-14, "at {x}");
        }
        assert_eq!((edge.step(-1.0), edge.step(1.0)), (0.0, 1.0));
    }

    #[test]
    fn the_weights_add_up_to_the_length_of_the_window() {
        let edge = Edge::new();
        let ones = vec![1.0; 4000];
        for (start, length) in [(40.0, 1562.5), (33.3, 1000.77), (50.9, 2001.123), (20.5, 61.3)] {
            let span = Span::new(&edge, start, length, 4000);
            let [mean, ..] = span.power(&ones[span.first..], &ones[span.first..]);
            assert!((mean - 1.0).abs() < 1e-6 / length * 60.0, "{start} {length}: {mean}");
        }
    }

    #[test]
    fn a_slice_that_is_too_short_yields_zero_and_no_panic() {
        let span = Span::new(Edge::shared(), 0.0, 100.0, 200);
        assert_eq!(span.power(&[1.0; 10], &[1.0; 10]), [0.0; 3]);
    }
}
