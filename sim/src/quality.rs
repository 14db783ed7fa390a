//! The reference of power quality: harmonics one by one, and unbalance.
//!
//! A harmonic sub-group (IEC 61000-4-7) is the RMS value of an order's line and of both its
//! neighbours, 5 Hz away. Where a channel carries nothing but harmonics those neighbours are empty,
//! and the sub-group is the harmonic; where it carries anything else, what falls among the
//! neighbours depends on where a window begins, and there is no reference. Nor is there one in a
//! played recording, or while something moves. Noise is not counted.
//!
//! Interharmonic sub-groups have a reference where every tone lies on a bin of the window, a tenth
//! (a twelfth at 60 Hz) of the fundamental apart: then each is in one bin alone.
//!
//! Unbalance is made of the symmetrical components of the fundamentals (IEC 61000-4-30, 5.7); where
//! it changes it is the root of the mean of its squares over time, as windows are aggregated (4.4).

use num_complex::Complex64;

use crate::means::{AGREEMENT, PhaseHarmonics};

/// Highest order that counts for THD (IEC 61000-4-7).
pub(crate) const ORDER_MAX: u32 = 50;

/// How far, relative to itself, a tone may lie from a multiple of the fundamental to count as its
/// harmonic: far more than rounding, far less than any interharmonic meant as such.
pub(crate) const ORDER_TOLERANCE: f64 = 1e-9;

/// How many orders there are, 2 to 50.
const ORDERS: usize = ORDER_MAX as usize - 1;

/// RMS value of each order from 2 on, and of what lies between them; not a number where there is no
/// reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orders {
    orders: [f64; ORDERS],
    /// RMS value of the interharmonic sub-groups.
    pub(crate) between: f64,
}

impl Orders {
    pub(crate) const UNKNOWN: Self = Self { orders: [f64::NAN; ORDERS], between: f64::NAN };

    /// From the RMS value of each order; there is nothing between them.
    pub(crate) fn from_fn(rms: impl Fn(u32) -> f64) -> Self {
        Self { orders: std::array::from_fn(|index| rms(index as u32 + 2)), between: 0.0 }
    }

    /// The same with what lies between them.
    pub(crate) fn with_between(self, between: f64) -> Self {
        Self { between, ..self }
    }

    /// Of tones by their order.
    pub(crate) fn of_lines(lines: impl Iterator<Item = (u32, Complex64)>) -> Self {
        let mut sums = [Complex64::ZERO; ORDERS];
        for (order, phasor) in lines {
            if let Some(sum) = (order as usize).checked_sub(2).and_then(|at| sums.get_mut(at)) {
                *sum += phasor;
            }
        }
        Self { orders: sums.map(|sum| sum.norm_sqr().sqrt()), between: 0.0 }
    }

    pub(crate) fn rms(&self, order: u8) -> Option<f64> {
        self.orders.get(usize::from(order).checked_sub(2)?).copied()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quality {
    /// Harmonics of all channels, voltages first.
    pub(crate) channels: Vec<Orders>,
    /// Negative-sequence voltage over the positive-sequence one.
    pub(crate) negative: f64,
    /// Zero-sequence voltage over the positive-sequence one.
    pub(crate) zero: f64,
}

impl Quality {
    pub(crate) fn new(channels: Vec<Orders>, harmonics: &[PhaseHarmonics]) -> Self {
        let [negative, zero] = unbalance(harmonics);
        Self { channels, negative, zero }
    }

    /// Makes what differs from another not a number.
    pub(crate) fn keep_what_agrees(&mut self, other: &Self) {
        let keep = |mine: &mut f64, other: f64, scale: f64| {
            let agrees = (*mine - other).abs() <= AGREEMENT * scale;
            if !agrees {
                *mine = f64::NAN;
            }
        };
        keep(&mut self.negative, other.negative, 1.0);
        keep(&mut self.zero, other.zero, 1.0);
        for (mine, other) in self.channels.iter_mut().zip(&other.channels) {
            for (mine, other) in mine.orders.iter_mut().zip(other.orders) {
                keep(mine, other, other.abs());
            }
            keep(&mut mine.between, other.between, other.between.abs());
        }
    }
}

/// Negative and zero over positive sequence; not a number unless there are three phases.
pub(crate) fn unbalance(harmonics: &[PhaseHarmonics]) -> [f64; 2] {
    let [a, b, c] = harmonics else { return [f64::NAN; 2] };
    let sequence = |thirds: f64| {
        let turn = Complex64::cis(std::f64::consts::TAU / 3.0 * thirds);
        (a.u1 + b.u1 * turn + c.u1 * turn * turn).norm()
    };
    [sequence(-1.0) / sequence(1.0), sequence(0.0) / sequence(1.0)]
}
