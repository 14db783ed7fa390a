//! The classic formulas of one end (IEEE C37.114), on a uniform line without loads or branches.
//!
//! With the voltage `V` and the current `I` of the faulted loop, the change `dI` of that current
//! and the line's impedance `z1` per metre:
//!
//! ```text
//! reactance          d = Im(V / I) / Im(z1)
//! Takagi             d = Im(V conj(dI)) / Im(z1 I conj(dI))
//! modified Takagi    the same with 3 I0 in place of dI, for faults to earth
//! ```
//!
//! A loop from a phase to earth has `I = Ia + k0 3 I0` with `k0 = (z0 - z1) / (3 z1)`.

use lastmeter_grid::Complex64;
use lastmeter_grid::fault_search::{Observation, Reference};
use lastmeter_grid::network::Wire;
use lastmeter_grid::short_circuit::Kind;

/// At least this share of the largest change of a current: a phase that is faulted.
const FAULTED: f64 = 0.5;
/// At least this share of it returns through earth in a fault to earth.
const EARTHED: f64 = 0.2;

/// Distances by the formulas, metres; none where a formula has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distances {
    /// By the reactance of the loop.
    pub reactance_m: Option<f64>,
    /// By the change of the loop's current.
    pub takagi_m: Option<f64>,
    /// By the earth current; of faults without earth the same as Takagi's.
    pub modified_takagi_m: Option<f64>,
}

/// The kind of a fault by the change of the currents; none if nothing changes.
#[must_use]
pub fn classify(observation: &Observation) -> Option<Kind> {
    let change = changes(observation);
    let largest = change.iter().map(|it| it.norm()).fold(0.0, f64::max);
    if !(largest > 0.0 && largest.is_finite()) {
        return None;
    }
    let is_faulted = |wire: &Wire| change[wire.index()].norm() >= FAULTED * largest;
    let faulted: Vec<Wire> = Wire::PHASES.into_iter().filter(is_faulted).collect();
    let earth: Complex64 = change.iter().sum();
    let is_earthed = earth.norm() >= EARTHED * largest;
    match (faulted.as_slice(), is_earthed) {
        ([one], _) => Some(Kind::SinglePhaseToGround(*one)),
        ([one, other], true) => Some(Kind::TwoPhaseToGround(*one, *other)),
        ([one, other], false) => Some(Kind::TwoPhase(*one, *other)),
        _ => Some(Kind::ThreePhase),
    }
}

fn changes(observation: &Observation) -> [Complex64; 3] {
    let (before, during) = (&observation.before.current_a, &observation.during.current_a);
    std::array::from_fn(|k| during[k] - before[k])
}

/// The distances of a fault of this kind.
#[must_use]
pub fn distances(observation: &Observation, kind: Kind, line: &Reference) -> Distances {
    let (volts, amperes) = (&observation.during.voltage_v, &observation.during.current_a);
    let change = changes(observation);
    let (z1, z0) = (line.z1_ohm_by_m, line.z0_ohm_by_m);
    let earth: Complex64 = amperes.iter().sum();
    let (voltage, current, changed, by_earth) = match kind {
        Kind::SinglePhaseToGround(wire) => {
            let k = wire.index().min(2);
            let k0 = (z0 - z1) / (z1 * 3.0);
            (volts[k], amperes[k] + k0 * earth, change[k], earth)
        }
        other => {
            let [one, other] = match other {
                Kind::TwoPhase(one, other) | Kind::TwoPhaseToGround(one, other) => [one, other],
                _ => [Wire::A, Wire::B],
            }
            .map(|wire| wire.index().min(2));
            let changed = change[one] - change[other];
            (volts[one] - volts[other], amperes[one] - amperes[other], changed, changed)
        }
    };
    let by = |reference: Complex64| {
        let metres = (voltage * reference.conj()).im / (z1 * current * reference.conj()).im;
        metres.is_finite().then_some(metres)
    };
    let reactance_m = (voltage / current).im / z1.im;
    Distances {
        reactance_m: reactance_m.is_finite().then_some(reactance_m),
        takagi_m: by(changed),
        modified_takagi_m: by(by_earth),
    }
}
