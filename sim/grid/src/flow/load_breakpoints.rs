//! The laws that loads follow, piece by piece: where a load leaves its band of voltages its law
//! turns a corner, and with it the path of voltages.
//!
//! A path may turn back at a corner or a little before it, and forth again behind it. From far away
//! the way across looks like one without a collapse. The laws on either side of the corner, each
//! continued beyond it, distinguish the two: they have no corners, and lead across as well.

use num_complex::Complex64;

use super::options::across;
use crate::block::{Column, magnitude};
use crate::circuit::{Circuit, Part, VoltageDependence};

/// Of a part's law, which piece it follows at a voltage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum VoltageRange {
    Within,
    Above,
    Below,
    BelowTurn,
}

fn across_v<const N: usize>(part: &Part, voltages: &[Column<N>]) -> f64 {
    magnitude(across(part, &voltages[part.node as usize]))
}

fn voltage_range(part: &Part, across_v: f64) -> VoltageRange {
    let Some((it, band)) = part.follows.as_ref().and_then(|it| Some((it, it.band.as_ref()?)))
    else {
        return VoltageRange::Within;
    };
    let share = across_v / it.rated_voltage_v;
    if share < band.lowest && band.lowest > 0.0 {
        let is_turned = band.turned.is_some_and(|turned| share <= turned);
        if is_turned { VoltageRange::BelowTurn } else { VoltageRange::Below }
    } else if share > band.highest {
        VoltageRange::Above
    } else {
        VoltageRange::Within
    }
}

/// Whether all parts follow the same pieces of their laws at both.
pub(super) fn are_in_same_ranges<const N: usize>(
    circuit: &Circuit<N>,
    a: &[Column<N>],
    b: &[Column<N>],
) -> bool {
    let banded = circuit.parts.iter().filter(|part| !part.is_constant());
    banded.into_iter().all(|part| {
        voltage_range(part, across_v(part, a)) == voltage_range(part, across_v(part, b))
    })
}

/// Makes a part follow at all voltages the piece of its law that it follows at these.
pub(super) fn extend_range<const N: usize>(part: &mut Part, voltages: &[Column<N>]) {
    let across_v = across_v(part, voltages);
    let at = voltage_range(part, across_v);
    let (power, slope) = (part.power(across_v), part.slope(across_v));
    let Some(it) = part.follows.as_mut() else { return };
    let share = across_v / it.rated_voltage_v;
    if at == VoltageRange::Within {
        it.band = None;
    } else if share > 0.0 {
        // Outside it is a sum of what goes with the voltage and what goes with its square.
        let slope = slope * it.rated_voltage_v;
        let by_square = (slope * share - power) / (share * share);
        let by_share = (power - slope * share * 0.5) * 2.0 / share;
        it.law = VoltageDependence::Mixed([by_square, by_share, Complex64::ZERO]);
        it.band = None;
    }
}
