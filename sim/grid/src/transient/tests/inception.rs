//! What flows from the instant of a fault on, against the short-circuit engine.

use std::f64::consts::SQRT_2;

use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

use super::engines::{difference, feeder};
use super::{OMEGA, c};
use crate::flow;
use crate::network::{LineImpedance, Magnetising, Network, NodeId, Wire, Wires};
use crate::short_circuit::{self, Fault, Kind, Location, PrefaultState, Scaling};
use crate::transient::{Action, FaultKind, Loads, Options, Place, Transient};

const ONE: Kind = Kind::SinglePhaseToGround(Wire::A);

fn wires(some: &[Wire]) -> Wires {
    some.iter().fold(Wires::NONE, |all, wire| all.with(*wire))
}

/// Kinds of faults in both engines. With a resistance two phases to earth would be two of them.
fn kinds() -> Vec<(Kind, FaultKind)> {
    let of = |one: Wire, other: Wire| wires(&[one, other]);
    vec![
        (Kind::ThreePhase, FaultKind::Ground(Wires::ABC)),
        (ONE, FaultKind::Ground(wires(&[Wire::A]))),
        (Kind::TwoPhase(Wire::B, Wire::C), FaultKind::Between(of(Wire::B, Wire::C))),
        (Kind::TwoPhaseToGround(Wire::A, Wire::B), FaultKind::Ground(of(Wire::A, Wire::B))),
    ]
}

/// The currents of a fault by the short-circuit engine, of the wires that have one.
fn by_short_circuit(
    network: &Network,
    kind: Kind,
    node: NodeId,
    before: PrefaultState,
) -> Vec<Complex64> {
    let fault = Fault { kind, location: Location::Node(node), impedance_ohm: Complex64::ZERO };
    let options = short_circuit::Options { phases: flow::Phases::All, before };
    let solved = short_circuit::solve(network, &[fault], &options).unwrap();
    let all = solved.faults[0].current_a.iter().copied().filter(|it| it.norm() > 0.0);
    // Between two phases it is one current, counted once.
    all.take(if let Kind::TwoPhase(..) = kind { 1 } else { 3 }).collect()
}

fn bolted(kind: FaultKind, node: NodeId) -> Action {
    Action::Fault { id: 1, place: Place(node), kind, resistance_ohm: 0.0 }
}

#[test]
fn phasors_of_a_fault_are_those_of_the_short_circuit_engine() {
    let network = feeder(11);
    let flow = flow::solve(&network, &flow::Options::default()).unwrap();
    for (loads, before) in [
        (Loads::None, PrefaultState::Unloaded(Scaling::Actual)),
        (Loads::AsFlow(&flow), PrefaultState::Loaded(flow::Options::default())),
    ] {
        let options = Options { step_s: 50e-6, loads, saturations: &[] };
        for (kind, of_transient) in kinds() {
            for node in (1..network.nodes.len() as u32).map(NodeId) {
                let mut transient = Transient::<3>::new(&network, &options).unwrap();
                transient.set(&[bolted(of_transient, node)]).unwrap();
                let found = transient.fault_phasors_a(&transient.phasors().unwrap(), 1);
                let expected = by_short_circuit(&network, kind, node, before);
                assert_eq!(found.len(), expected.len(), "{kind:?}");
                for (found, expected) in found.iter().zip(&expected) {
                    let share = difference(*found, *expected) / expected.norm();
                    assert!(share < 1e-6, "{kind:?} at {node:?}: {found} {expected} {share}");
                }
            }
        }
    }
}

/// By which ratio from step to step the offsets of a fault decay: R and L of the loops that its
/// current goes through, by the rule of the steps.
fn decays(network: &Network, kind: Kind, node: NodeId, step_s: f64) -> Vec<f64> {
    let before = PrefaultState::Unloaded(Scaling::Actual);
    let source_v = |kind| {
        let location = Location::Node(node);
        let fault = Fault { kind, location, impedance_ohm: Complex64::ZERO };
        let options = short_circuit::Options { phases: flow::Phases::All, before };
        short_circuit::solve(network, &[fault], &options).unwrap().faults[0].before_v[0]
    };
    let through = |kind| by_short_circuit(network, kind, node, before)[0];
    let z1 = source_v(Kind::ThreePhase) / through(Kind::ThreePhase);
    let z0 = source_v(ONE) * 3.0 / through(ONE) - z1 * 2.0;
    let loops = match kind {
        Kind::SinglePhaseToGround(_) => vec![z1 * 2.0 + z0],
        Kind::TwoPhaseToGround(..) => vec![z1, z1 + z0 * 2.0],
        _ => vec![z1],
    };
    let ratio = |z: Complex64| {
        let half = step_s / 2.0 * z.re / (z.im / OMEGA);
        (1.0 - half) / (1.0 + half)
    };
    loops.into_iter().map(ratio).collect()
}

/// The phasors of a fault's currents in the first period: what is left without offsets.
fn at_inception(
    network: &Network,
    (kind, node): (FaultKind, NodeId),
    begin_s: f64,
    (step_s, decays): (f64, &[f64]),
) -> Vec<Complex64> {
    let options = Options { step_s, loads: Loads::None, saturations: &[] };
    let mut transient = Transient::<3>::new(network, &options).unwrap();
    transient.schedule(begin_s, bolted(kind, node)).unwrap();
    while transient.time_s() <= begin_s {
        transient.advance().unwrap();
    }
    let steps = (0.02 / step_s).round() as usize;
    let (mut rows, mut currents) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let (sin, cos) = (OMEGA * transient.time_s()).sin_cos();
        rows.extend([sin * SQRT_2, cos * SQRT_2]);
        rows.extend(decays.iter().map(|ratio| ratio.powi(step as i32)));
        currents.push(transient.fault_currents_a(1));
        transient.advance().unwrap();
    }
    let rows = DMatrix::from_row_slice(steps, 2 + decays.len(), &rows).svd(true, true);
    let phasor = |at: usize| {
        let values = DVector::from_iterator(steps, currents.iter().map(|it| it[at]));
        let fitted = rows.solve(&values, 1e-14).unwrap();
        c(fitted[0], fitted[1])
    };
    (0..currents[0].len()).map(phasor).collect()
}

#[test]
fn waves_of_a_fault_are_those_of_the_short_circuit_engine_from_its_first_period_on() {
    // Without charging, which would ring on beside the offsets, and without what stays on in iron.
    let mut network = feeder(11);
    for line in &mut network.lines {
        if let LineImpedance::Sequence(it) = &mut line.impedance {
            (it.y1_s, it.y0_s) = (Complex64::ZERO, Complex64::ZERO);
        }
    }
    network.transformers[0].magnetising =
        Magnetising::AtWinding { winding: 0, y_pu: Complex64::ZERO, antifloat_pu: 0.0 };
    for node in [NodeId(1), NodeId(2), NodeId(6)] {
        for (kind, of_transient) in kinds() {
            let before = PrefaultState::Unloaded(Scaling::Actual);
            let expected = by_short_circuit(&network, kind, node, before);
            for (step_s, within) in [(50e-6, 5e-5), (10e-6, 2e-6)] {
                let decays = decays(&network, kind, node, step_s);
                for begin_s in [0.003_217, 0.009_04] {
                    let what = (of_transient, node);
                    let found = at_inception(&network, what, begin_s, (step_s, &decays));
                    assert_eq!(found.len(), expected.len(), "{kind:?} {expected:?}");
                    for (found, expected) in found.iter().zip(&expected) {
                        let share = difference(*found, *expected) / expected.norm();
                        assert!(share < within, "{kind:?} at {node:?}: {found} {expected} {share}");
                    }
                }
            }
        }
    }
}
