//! Symmetrical components of the fundamentals of three phases, and unbalance.
//!
//! IEC 61000-4-30, 5.7: u2 and u0 are the negative- and zero-sequence components relative to the
//! positive-sequence one, in per cent, over 10/12 cycles.

use serde::Serialize;

use crate::numeric::ratio;
use crate::window::{Phasor, Window};

/// Symmetrical components (Fortescue) of three phasors in the order a, b, c.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sequence {
    /// Zero sequence: (a + b + c) / 3.
    pub zero: Phasor,
    /// Positive sequence: b lags a, c lags b.
    pub positive: Phasor,
    /// Negative sequence: the reverse.
    pub negative: Phasor,
}

impl Sequence {
    /// The components of three phasors.
    pub fn of([a, b, c]: [Phasor; 3]) -> Self {
        // Turned by 120 and 240 degrees: exact multiples, so no angle goes through a sine.
        let half = 0.5;
        let root = 0.75_f64.sqrt();
        let ahead =
            |x: Phasor| Phasor { re: -half * x.re - root * x.im, im: root * x.re - half * x.im };
        let behind =
            |x: Phasor| Phasor { re: -half * x.re + root * x.im, im: -root * x.re - half * x.im };
        let third = |x: Phasor, y: Phasor, z: Phasor| Phasor {
            re: (x.re + y.re + z.re) / 3.0,
            im: (x.im + y.im + z.im) / 3.0,
        };
        Self {
            zero: third(a, b, c),
            positive: third(a, ahead(b), behind(c)),
            negative: third(a, behind(b), ahead(c)),
        }
    }

    /// Unbalance of these components.
    pub fn unbalance(&self) -> Unbalance {
        Unbalance::from_squares(self.squares())
    }

    /// Squares of the zero, positive and negative sequence.
    fn squares(&self) -> [f64; 3] {
        [self.zero, self.positive, self.negative].map(|x| x.re * x.re + x.im * x.im)
    }
}

/// Squares of the zero, positive and negative sequence of three voltages and three currents; `None`
/// unless there are three phases.
pub(crate) fn sequence_squares(window: &Window) -> Option<[[f64; 3]; 2]> {
    let [a, b, c] = window.phases.as_slice() else { return None };
    let both = [[a.u1, b.u1, c.u1], [a.i1, b.i1, c.i1]];
    Some(both.map(|phasors| Sequence::of(phasors).squares()))
}

/// Unbalance in per cent of the positive sequence; `None` where there is none (no signal), above
/// 100 where the phase sequence is reversed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Unbalance {
    /// Negative over positive sequence (u2, i2).
    pub negative_pct: Option<f64>,
    /// Zero over positive sequence (u0, i0).
    pub zero_pct: Option<f64>,
}

impl Unbalance {
    /// From the squares (or mean squares, IEC 61000-4-30, 4.5) of the components.
    pub(crate) fn from_squares([zero, positive, negative]: [f64; 3]) -> Self {
        let share = |x: f64| ratio(x, positive).map(|share| 100.0 * share.max(0.0).sqrt());
        Self { negative_pct: share(negative), zero_pct: share(zero) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phasor(rms: f64, degrees: f64) -> Phasor {
        let (s, c) = degrees.to_radians().sin_cos();
        Phasor { re: rms * c, im: rms * s }
    }

    fn voltages(rms: [f64; 3]) -> [Phasor; 3] {
        [phasor(rms[0], 0.0), phasor(rms[1], -120.0), phasor(rms[2], 120.0)]
    }

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("a positive sequence");
        assert!((found - expected).abs() < 5e-7, "{found} is not {expected}");
    }

    #[test]
    fn unequal_magnitudes_give_the_published_unbalance() {
        // IEC 62586-2's magnitudes of the influence states, and 100/95/105 %, by hand.
        for (rms, expected) in [
            ([100.0, 95.0, 105.0], 2.886_751_3),
            ([73.0, 80.0, 87.0], 5.051_814_9),
            ([152.0, 140.0, 128.0], 4.948_716_6),
        ] {
            let found = Sequence::of(voltages(rms)).unbalance();
            near(found.negative_pct, expected);
            near(found.zero_pct, expected);
        }
    }

    #[test]
    fn the_formula_with_line_voltages_agrees() {
        // IEC 61000-4-30, 5.7.1: u2 from the magnitudes of the three line voltages alone.
        let u = [phasor(231.0, 3.0), phasor(219.0, -124.0), phasor(240.0, 117.0)];
        let line2 = |x: Phasor, y: Phasor| (x.re - y.re).powi(2) + (x.im - y.im).powi(2);
        let (ab, bc, ca) = (line2(u[0], u[1]), line2(u[1], u[2]), line2(u[2], u[0]));
        let beta = (ab * ab + bc * bc + ca * ca) / (ab + bc + ca).powi(2);
        let root = (3.0 - 6.0 * beta).sqrt();
        let expected = 100.0 * ((1.0 - root) / (1.0 + root)).sqrt();
        let found = Sequence::of(u).unbalance().negative_pct.expect("a positive sequence");
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn a_reversed_sequence_is_all_negative_and_silence_is_nothing() {
        let [a, b, c] = voltages([230.0; 3]);
        let reversed = Sequence::of([a, c, b]);
        assert!(reversed.positive.rms() < 1e-9 && (reversed.negative.rms() - 230.0).abs() < 1e-9);
        let silent = Sequence::of([Phasor::default(); 3]).unbalance();
        assert_eq!(silent, Unbalance { negative_pct: None, zero_pct: None });
    }
}
