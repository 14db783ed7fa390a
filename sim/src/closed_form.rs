//! Mean values of products of tones over any span, in closed form. For truth only: what a device
//! computes from the same spectrum has its own implementation ("Reference and reported value
//! share no code", ARCHITECTURE.md).
//!
//! With `x(t) = sum re(A_i e^(i w_i t))`, `y(t) = sum re(B_j e^(i w_j t))`, a span of length T with
//! its middle at m, `X_i = A_i e^(i w_i m)` and `Y_j` likewise, the mean of x*y over the span is
//!
//! ```text
//! 1/2 sum_ij [ sinc((w_i - w_j) T/2) re(X_i conj(Y_j)) + sinc((w_i + w_j) T/2) re(X_i Y_j) ]
//! = 1/2 sum_ij [ (D + S)_ij re X_i re Y_j + (D - S)_ij im X_i im Y_j ]
//! ```
//!
//! where D and S are the two sinc terms: two symmetric matrices that depend on the frequencies and
//! the span only and serve all channels. Their sines come from products of one sine and cosine
//! per tone (angle sum formulas); no trigonometry per pair. Every cross term is kept, so the
//! result is exact for any span, whole cycles or not.
//!
//! Terms: a *phasor* is a complex peak amplitude at time zero; 0 Hz carries a direct component as
//! a real phasor.

use std::f64::consts::PI;

use lastmeter_units::SimDuration;
use num_complex::Complex64;

use crate::instant::{Instant, half_rotation};
use crate::phase::{rotation, turns};

/// Below this the sine of a difference is taken from its series: the product formula would lose
/// digits to cancellation.
const SERIES_BELOW_RAD: f64 = 0.1;

/// A span that is repeated every so many cycles of a frequency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comb {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) repeats: u64,
    pub(crate) cycles: u32,
    pub(crate) frequency_hz: f64,
}

impl Comb {
    /// What the repetitions leave of an oscillation, seen from their middle: with its turns `q`
    /// from one repetition to the next, `sin(pi n q) / (n sin(pi q))`.
    fn response(&self, oscillation_hz: f64) -> f64 {
        if self.repeats <= 1 {
            return 1.0;
        }
        let n = self.repeats as f64;
        let fraction = turns(oscillation_hz, i64::from(self.cycles), self.frequency_hz);
        let whole = oscillation_hz / self.frequency_hz * f64::from(self.cycles) - fraction;
        // Seen from the middle each whole turn more is half a turn for an even number.
        let is_turned = self.repeats.is_multiple_of(2) && whole.round().rem_euclid(2.0) == 1.0;
        let sign = if is_turned { -1.0 } else { 1.0 };
        let angle = PI * fraction;
        // Near a whole number of turns both sines are small; their quotient is near one.
        let near = if (n * angle).abs() < 1e-4 {
            1.0 - (n * n - 1.0) * angle * angle / 6.0
        } else {
            libm::sin(n * angle) / (n * libm::sin(angle))
        };
        sign * near
    }

    /// What turns a phasor from the first repetition's middle to that of all.
    fn turn_to_middle(&self, frequency_hz: f64) -> Complex64 {
        let count = (self.repeats - 1) as i64 * i64::from(self.cycles);
        rotation(frequency_hz, count, 2.0 * self.frequency_hz)
    }
}

/// The two matrices of one span and one list of frequencies.
#[derive(Clone, Debug)]
pub struct SpanWeights {
    /// What turns phasors at time zero into phasors at the middle of the span.
    to_middle: Vec<Complex64>,
    /// (D + S)/2, row by row.
    real: Vec<f64>,
    /// (D - S)/2, row by row.
    imaginary: Vec<f64>,
}

/// The phasors of a channel at the middle of a span, multiplied by the span's matrices.
#[derive(Clone, Debug)]
pub struct WeightedPhasors {
    real: Vec<f64>,
    imaginary: Vec<f64>,
}

impl SpanWeights {
    /// The weights of the span `[from, to]` since the scenario's start, `from < to`.
    pub fn new(frequencies_hz: &[f64], from: SimDuration, to: SimDuration) -> Self {
        Self::between(frequencies_hz, from.into(), to.into())
    }

    /// The same between instants finer than a nanosecond.
    pub(crate) fn between(frequencies_hz: &[f64], from: Instant, to: Instant) -> Self {
        Self::of_comb(frequencies_hz, &Comb { from, to, repeats: 1, cycles: 1, frequency_hz: 1.0 })
    }

    /// The weights of a span that is repeated: the mean is that over all repetitions.
    pub(crate) fn of_comb(frequencies_hz: &[f64], comb: &Comb) -> Self {
        let Comb { from, to, .. } = *comb;
        let length_s = to.seconds_since(from);
        let turned = |ns: i64, part: f64| -> Vec<Complex64> {
            frequencies_hz.iter().map(|&f| half_rotation(f, ns, part)).collect()
        };
        let half_span = turned(to.ns.saturating_sub(from.ns), to.part - from.part);
        let n = frequencies_hz.len();
        let (mut real, mut imaginary) = (vec![0.0; n * n], vec![0.0; n * n]);
        for i in 0..n {
            let (a, f) = (half_span[i], frequencies_hz[i]);
            for j in 0..=i {
                let (b, g) = (half_span[j], frequencies_hz[j]);
                let difference = sinc(PI * (f - g) * length_s, a.im * b.re - a.re * b.im);
                let sum = sinc(PI * (f + g) * length_s, a.im * b.re + a.re * b.im);
                let difference = difference * comb.response(f - g);
                let sum = sum * comb.response(f + g);
                for place in [i * n + j, j * n + i] {
                    real[place] = 0.5 * (difference + sum);
                    imaginary[place] = 0.5 * (difference - sum);
                }
            }
        }
        let mut to_middle = turned(from.ns.saturating_add(to.ns), from.part + to.part);
        if comb.repeats > 1 {
            for (turn, &f) in to_middle.iter_mut().zip(frequencies_hz) {
                *turn *= comb.turn_to_middle(f);
            }
        }
        Self { to_middle, real, imaginary }
    }

    /// A channel's phasors at the middle of the span.
    pub fn at_middle(&self, phasors: &[Complex64]) -> Vec<Complex64> {
        phasors.iter().zip(&self.to_middle).map(|(phasor, turn)| phasor * turn).collect()
    }

    /// Multiplies phasors at the middle of the span by the matrices.
    pub fn weighted(&self, at_middle: &[Complex64]) -> WeightedPhasors {
        let n = self.to_middle.len();
        let (mut real, mut imaginary) = (vec![0.0; n], vec![0.0; n]);
        // Column by column (the matrices are symmetric), so that sums run side by side.
        for (j, phasor) in at_middle.iter().enumerate().filter(|(_, p)| **p != Complex64::ZERO) {
            add_scaled(&mut real, &self.real[j * n..(j + 1) * n], phasor.re);
            add_scaled(&mut imaginary, &self.imaginary[j * n..(j + 1) * n], phasor.im);
        }
        WeightedPhasors { real, imaginary }
    }
}

/// The mean of the product of two channels over the span.
pub fn mean_product(x_at_middle: &[Complex64], y: &WeightedPhasors) -> f64 {
    let terms = x_at_middle.iter().zip(&y.real).zip(&y.imaginary);
    terms.map(|((x, real), imaginary)| x.re * real + x.im * imaginary).sum()
}

fn add_scaled(sum: &mut [f64], row: &[f64], factor: f64) {
    for (sum, term) in sum.iter_mut().zip(row) {
        *sum += term * factor;
    }
}

/// `sin(angle)/angle`, where the sine is known from elsewhere.
fn sinc(angle: f64, sine: f64) -> f64 {
    if angle.abs() > SERIES_BELOW_RAD {
        return sine / angle;
    }
    let square = angle * angle;
    1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0 * (1.0 - square / 72.0)))
}
