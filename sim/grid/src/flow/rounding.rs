//! How far rounding alone may move voltages, so that what it moves does not pass for unsolved.
//!
//! The currents at a node cancel each other but for the rounding of the largest of them. Where
//! the way to earth is almost none, as on sides that nothing earths, these last digits shift the
//! voltages to earth of all wires alike, by what is left divided by next to nothing: often by more
//! than any tolerance, and by something else in each iteration. Voltages from wire to wire stay as
//! they are, and with them all that loads between wires draw.

use num_complex::Complex64;

use super::options::largest_change;
use crate::block::{Column, magnitude};
use crate::circuit::Circuit;

/// Sums of products are rounded some times over, and so are the voltages in them.
const ROUNDING_FACTOR: f64 = 4.0;

/// Voltages that rounding may add to those of a solution.
pub(super) struct Rounding<const N: usize> {
    /// What currents of last digits add if all have the same direction, which is the worst for
    /// wires that shift alike, and if they have those of [`directions`], volts.
    pub(super) moved: [Vec<Column<N>>; 2],
    /// Voltages to earth that rounding moves by no more than this are compared as they are, per
    /// unit: it cannot keep them from standing still.
    pub(super) tolerance_pu: f64,
}

/// The directions of last digits' currents, one after the other: all the same, or quarters of a
/// turn in no order.
pub(super) fn directions(all_alike: bool) -> impl FnMut() -> Complex64 {
    let mut state = 0_u32;
    move || {
        if all_alike {
            return Complex64::ONE;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        [Complex64::ONE, Complex64::I, -Complex64::ONE, -Complex64::I][(state >> 30) as usize]
    }
}

impl<const N: usize> Rounding<N> {
    /// The largest change of any voltage beyond what is rounding, per unit of its rated one: of
    /// voltages to earth, and where rounding moves those, of those from wire to wire as well.
    pub(super) fn change(
        &self,
        circuit: &Circuit<N>,
        before: &[Column<N>],
        after: &[Column<N>],
    ) -> f64 {
        let all = largest_change(circuit, before, after);
        if !all.is_finite() {
            return all;
        }
        let mut largest = 0.0_f64;
        for (node, (a, b)) in before.iter().zip(after).enumerate() {
            let rated = circuit.rated_voltage_v[node];
            let of = |pick: &dyn Fn(&Column<N>) -> Complex64| {
                let rounding = self.moved.iter().map(|it| magnitude(pick(&it[node])));
                let rounding = ROUNDING_FACTOR * rounding.fold(0.0, f64::max) / rated;
                (magnitude(pick(b) - pick(a)) / rated, rounding)
            };
            let mut is_rounded = false;
            for wire in 0..N {
                let (change, rounding) = of(&|it| it[wire]);
                let counts = rounding > self.tolerance_pu;
                largest = largest.max(if counts { change - rounding } else { change });
                is_rounded |= counts;
            }
            if is_rounded {
                for wire in 1..N {
                    for other in 0..wire {
                        let (change, rounding) = of(&|it| it[wire] - it[other]);
                        largest = largest.max(change - rounding);
                    }
                }
            }
        }
        largest
    }
}
