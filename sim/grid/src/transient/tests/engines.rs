//! Against the power flow and the short-circuit engine of the same network.

use num_complex::Complex64;

use super::{add_line, add_load, add_node, add_source, add_transformer, c, phasor};
use crate::flow;
use crate::network::{Magnetising, Network, Neutral, NodeId, WindingKind, Wire, Wires};
use crate::short_circuit::{self, Fault, Kind, Location, PrefaultState};
use crate::transient::{Action, FaultKind, Loads, Options, Place, Transient};

/// 20 kV behind an impedance, a transformer of the clock number 11 or 5, lines and loads.
pub(super) fn feeder(clock: u8) -> Network {
    let mut network = Network::new("feeder", 50.0);
    let top = add_node(&mut network, 20e3);
    add_source(&mut network, top, c(0.4, 4.0), c(0.4, 4.0));
    let middle = add_node(&mut network, 20e3);
    add_line(&mut network, top, middle, c(1.0, 1.5), c(2.0, 5.0));
    let low = add_node(&mut network, 400.0);
    let star = WindingKind::Star(Neutral::Earthed(Complex64::ZERO));
    let windings = [(middle, WindingKind::Delta), (low, star)];
    let transformer = add_transformer(&mut network, windings, clock, 400e3, c(0.01, 0.04));
    transformer.magnetising =
        Magnetising::AtWinding { winding: 0, y_pu: c(0.002, -0.01), antifloat_pu: 0.0 };
    let mut before = low;
    for home in 0..4 {
        let node = add_node(&mut network, 400.0);
        add_line(&mut network, before, node, c(0.02, 0.008), c(0.08, 0.03));
        let mut power = [c(4000.0, 1000.0), c(2000.0, 300.0), c(6000.0, -500.0)];
        power.rotate_left(home % 3);
        add_load(&mut network, node, power);
        before = node;
    }
    network
}

pub(super) fn difference(one: Complex64, other: Complex64) -> f64 {
    (one - other).norm()
}

#[test]
fn the_steady_state_is_that_of_the_power_flow_and_stays_it() {
    for clock in [11, 5] {
        let network = feeder(clock);
        let flow = flow::solve(&network, &flow::Options::default()).unwrap();
        let options = Options { step_s: 50e-6, loads: Loads::AsFlow(&flow), saturations: &[] };
        let mut transient = Transient::<3>::new(&network, &options).unwrap();
        let mut seen = vec![[const { Vec::new() }; 3]; network.nodes.len()];
        for _ in 0..400 {
            transient.advance().unwrap();
            for (node, seen) in seen.iter_mut().enumerate() {
                for wire in Wire::PHASES {
                    let volts = transient.voltage_v(NodeId(node as u32), wire);
                    seen[wire.index()].push((transient.time_s(), volts));
                }
            }
        }
        for (node, seen) in seen.iter().enumerate() {
            for wire in 0..3 {
                let expected = flow.nodes[node].voltage_v[wire];
                let found = phasor(&seen[wire]);
                let share = difference(found, expected) / expected.norm();
                assert!(share < 1e-4, "node {node} wire {wire}: {found} {expected} {share}");
            }
        }
    }
}

/// The phasors of the currents of a fault, once its offset has decayed.
fn fault_currents(network: &Network, kind: FaultKind, node: NodeId, step_s: f64) -> Vec<Complex64> {
    let options = Options { step_s, loads: Loads::None, saturations: &[] };
    let mut transient = Transient::<3>::new(network, &options).unwrap();
    let place = Place(node);
    let fault = Action::Fault { id: 7, place, kind, resistance_ohm: 0.0 };
    transient.schedule(0.0, fault).unwrap();
    let mut seen: Vec<Vec<(f64, f64)>> = Vec::new();
    let steps = (0.02 / step_s).round() as usize;
    while transient.time_s() < 0.6 {
        transient.advance().unwrap();
    }
    for _ in 0..steps {
        transient.advance().unwrap();
        let currents = transient.fault_currents_a(7);
        seen.resize(currents.len(), Vec::new());
        for (seen, current) in seen.iter_mut().zip(currents) {
            seen.push((transient.time_s(), current));
        }
    }
    seen.iter().map(|it| phasor(it)).collect()
}

#[test]
fn fault_currents_are_those_of_the_short_circuit_engine() {
    let network = feeder(11);
    let phases = flow::Phases::All;
    let before = PrefaultState::Unloaded(short_circuit::Scaling::Actual);
    let options = short_circuit::Options { phases, before };
    let a = Wires::NONE.with(Wire::A);
    let cases = [
        (Kind::ThreePhase, FaultKind::Ground(Wires::ABC)),
        (Kind::SinglePhaseToGround(Wire::A), FaultKind::Ground(a)),
        (
            Kind::TwoPhaseToGround(Wire::B, Wire::C),
            FaultKind::Ground(Wires::NONE.with(Wire::B).with(Wire::C)),
        ),
    ];
    for node in [NodeId(1), NodeId(2), NodeId(6)] {
        for (kind, of_transient) in cases {
            let location = Location::Node(node);
            let fault = Fault { kind, location, impedance_ohm: Complex64::ZERO };
            let solved = short_circuit::solve(&network, &[fault], &options).unwrap();
            let expected: Vec<Complex64> = solved.faults[0].current_a[..3]
                .iter()
                .copied()
                .filter(|it| it.norm() > 0.0)
                .collect();
            for (step_s, within) in [(50e-6, 5e-5), (10e-6, 2e-6)] {
                let found = fault_currents(&network, of_transient, node, step_s);
                assert_eq!(found.len(), expected.len(), "{kind:?} {expected:?}");
                for (found, expected) in found.iter().zip(&expected) {
                    let share = difference(*found, *expected) / expected.norm();
                    assert!(share < within, "{kind:?} at {node:?}: {found} {expected} {share}");
                }
            }
        }
    }
}

#[test]
fn voltages_at_every_node_during_a_fault_are_those_of_the_short_circuit_engine() {
    let network = feeder(11);
    let flow = flow::solve(&network, &flow::Options::default()).unwrap();
    let before = PrefaultState::Loaded(flow::Options::default());
    let choices = short_circuit::Options { phases: flow::Phases::All, before };
    for (kind, of_transient, ohm) in [
        (Kind::SinglePhaseToGround(Wire::B), FaultKind::Ground(Wires::NONE.with(Wire::B)), 0.05),
        (
            Kind::TwoPhase(Wire::A, Wire::B),
            FaultKind::Between(Wires::NONE.with(Wire::A).with(Wire::B)),
            0.02,
        ),
        (Kind::ThreePhase, FaultKind::Ground(Wires::ABC), 0.01),
    ] {
        let location = Location::Node(NodeId(5));
        let fault = Fault { kind, location, impedance_ohm: c(ohm, 0.0) };
        let solved = short_circuit::solve(&network, &[fault], &choices).unwrap();
        let options = Options { step_s: 50e-6, loads: Loads::AsFlow(&flow), saturations: &[] };
        let mut transient = Transient::<3>::new(&network, &options).unwrap();
        let place = Place(NodeId(5));
        let fault = Action::Fault { id: 1, place, kind: of_transient, resistance_ohm: ohm };
        transient.schedule(0.0, fault).unwrap();
        while transient.time_s() < 0.6 {
            transient.advance().unwrap();
        }
        let mut seen = vec![[const { Vec::new() }; 3]; network.nodes.len()];
        for _ in 0..400 {
            transient.advance().unwrap();
            for (node, seen) in seen.iter_mut().enumerate() {
                for wire in Wire::PHASES {
                    let volts = transient.voltage_v(NodeId(node as u32), wire);
                    seen[wire.index()].push((transient.time_s(), volts));
                }
            }
        }
        for (node, seen) in seen.iter().enumerate() {
            let rated = network.nodes[node].rated_voltage_v / 3.0_f64.sqrt();
            for wire in 0..3 {
                let expected = solved.flow.nodes[node].voltage_v[wire];
                let found = phasor(&seen[wire]);
                let share = difference(found, expected) / rated;
                assert!(share < 1e-3, "{kind:?} node {node} wire {wire}: {found} {expected}");
            }
        }
    }
}

const FOUR_WIRES: &str = r#"
format = 1
name = "Four wires"
voltage = "400 V"
[[node]]
name = "grid"
voltage = "10 kV"
[[node]]
name = "busbar"
wires = "abcn"
[[node]]
name = "farm"
wires = "abcn"
[[source]]
node = "grid"
short_circuit_power = "250 MVA"
[[transformer]]
name = "T1"
from = "grid"
to = "busbar"
group = "Dyn5"
voltages = ["10 kV", "400 V"]
power = "400 kVA"
uk = "4 %"
copper_loss = "4.6 kW"
[[line]]
name = "L1"
from = "busbar"
to = "farm"
wires = "abcn"
length = "150 m"
r_matrix = [
  ["0.69 ohm/km", "0.05 ohm/km", "0.05 ohm/km", "0.05 ohm/km"],
  ["0.05 ohm/km", "0.69 ohm/km", "0.05 ohm/km", "0.05 ohm/km"],
  ["0.05 ohm/km", "0.05 ohm/km", "0.69 ohm/km", "0.05 ohm/km"],
  ["0.05 ohm/km", "0.05 ohm/km", "0.05 ohm/km", "1.25 ohm/km"],
]
x_matrix = [
  ["0.76 ohm/km", "0.68 ohm/km", "0.68 ohm/km", "0.68 ohm/km"],
  ["0.68 ohm/km", "0.76 ohm/km", "0.68 ohm/km", "0.68 ohm/km"],
  ["0.68 ohm/km", "0.68 ohm/km", "0.76 ohm/km", "0.68 ohm/km"],
  ["0.68 ohm/km", "0.68 ohm/km", "0.68 ohm/km", "0.77 ohm/km"],
]
[[load]]
name = "home"
node = "farm"
wires = "an"
p = "4 kW"
q = "1 kvar"
[[load]]
name = "workshop"
node = "farm"
wires = "bc"
connection = "delta"
p = "9 kW"
q = "3 kvar"
"#;

#[test]
fn a_neutral_wire_has_the_voltages_of_the_power_flow() {
    let network = crate::format::toml::read("four wires", FOUR_WIRES).unwrap();
    let flow = flow::solve(&network, &flow::Options::default()).unwrap();
    let options = Options { step_s: 50e-6, loads: Loads::AsFlow(&flow), saturations: &[] };
    let mut transient = Transient::<4>::new(&network, &options).unwrap();
    let mut seen = vec![[const { Vec::new() }; 4]; network.nodes.len()];
    for _ in 0..400 {
        transient.advance().unwrap();
        for (node, seen) in seen.iter_mut().enumerate() {
            for wire in Wire::ALL {
                let volts = transient.voltage_v(NodeId(node as u32), wire);
                seen[wire.index()].push((transient.time_s(), volts));
            }
        }
    }
    let farm = &flow.nodes[2].voltage_v;
    assert!(farm[3].norm() > 1.0, "{farm:?}");
    for (node, seen) in seen.iter().enumerate() {
        let rated = network.nodes[node].rated_voltage_v / 3.0_f64.sqrt();
        for wire in 0..4 {
            let expected = flow.nodes[node].voltage_v[wire];
            let share = difference(phasor(&seen[wire]), expected) / rated;
            assert!(share < 1e-4, "node {node} wire {wire}: {} {expected}", phasor(&seen[wire]));
        }
    }
}
