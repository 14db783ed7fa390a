//! What is kept beside the factors, against all that depends on it factored again.

use super::*;
use crate::network::NodeId;
use crate::transient::{Action, FaultKind, Place as At, Pole};

/// A ring of cables with two stubs, one of them behind a switch that is open, the other behind one
/// that is closed.
fn ring() -> (Network, Vec<NodeId>) {
    let mut network = Network::new("ring", 50.0);
    let nodes: Vec<NodeId> = (0..12).map(|_| add_node(&mut network, 400.0)).collect();
    add_source(&mut network, nodes[0], c(0.01, 0.02), c(0.02, 0.03));
    for (from, to) in (0..8).map(|at| (at, (at + 1) % 8)).chain([(8, 9), (10, 11)]) {
        add_line(&mut network, nodes[from], nodes[to], c(0.05, 0.02), c(0.1, 0.08));
    }
    add_switch(&mut network, nodes[3], nodes[8], false);
    add_switch(&mut network, nodes[6], nodes[10], true);
    for at in [4, 9, 11] {
        add_load(&mut network, nodes[at], [c(3000.0, 500.0), c(2000.0, 0.0), c(2500.0, 800.0)]);
    }
    (network, nodes)
}

fn fault(id: u32, node: NodeId, kind: FaultKind, resistance_ohm: f64) -> Action {
    Action::Fault { id, place: At(node), kind, resistance_ohm }
}

/// Beside a closed switch and a fault without resistance what is factored has lost 7 to 9 of its 16
/// digits; what is kept beside has not.
const ROUNDED_V: f64 = 2e-5;

/// Plays actions on both ways; says at which steps something was kept beside the factors.
fn play_both(network: &Network, actions: &[(f64, Action)]) -> Vec<bool> {
    let mut kept = play(network, 50e-6);
    let mut factored = kept.clone();
    for &(at_s, action) in actions {
        kept.schedule(at_s, action).unwrap();
        factored.schedule(at_s, action).unwrap();
    }
    let mut has_kept = Vec::new();
    for _ in 0..1600 {
        // What is said to be unknown of the factors makes all that depends on it new.
        for &at in &factored.switched {
            factored.conductances[at].factored_siemens = f64::NAN;
        }
        factored.unfactored.clone_from(&factored.switched);
        kept.advance().unwrap();
        factored.advance().unwrap();
        assert!(factored.beside.is_empty());
        has_kept.push(!kept.beside.is_empty());
        // A zero is found as exactly as voltages are; 1e-9 of a step is 5e-14 s.
        assert!((kept.time_s() - factored.time_s()).abs() < 1e-12, "{}", kept.time_s());
        for (one, other) in kept.voltage_v.iter().zip(&factored.voltage_v) {
            for (one, other) in one.iter().zip(other) {
                let missed = (one - other).abs();
                assert!(missed < ROUNDED_V, "{missed} V at {} s", kept.time_s());
            }
        }
        for id in 1..4 {
            let currents = kept.fault_currents_a(id).into_iter().zip(factored.fault_currents_a(id));
            for (one, other) in currents {
                let missed = (one - other).abs();
                assert!(missed < 1e-3 + 1e-6 * other.abs(), "{missed} A at {} s", kept.time_s());
            }
        }
    }
    has_kept
}

#[test]
fn faults_at_one_place_are_kept_and_what_flows_is_the_same() {
    let (network, nodes) = ring();
    for (at, node) in nodes.iter().copied().enumerate() {
        let wires =
            [Wires::ABC, Wires::NONE.with(Wire::A), Wires::NONE.with(Wire::B).with(Wire::C)]
                [at % 3];
        let resistance_ohm = [0.0, 0.01, 5.0][at / 3 % 3];
        let between = FaultKind::Between(Wires::ABC);
        let played = play_both(
            &network,
            &[
                (0.0102, fault(1, node, FaultKind::Ground(wires), resistance_ohm)),
                (0.0231, Action::Clear { id: 1, at_zero: true }),
                (0.0452, fault(2, node, between, resistance_ohm.max(0.01))),
                (0.0581, Action::Clear { id: 2, at_zero: true }),
            ],
        );
        assert!(!played[100] && played.contains(&true), "{node:?}");
    }
}

#[test]
fn what_is_at_several_places_or_opens_is_factored() {
    let (network, nodes) = ring();
    let open = Action::Open { switch: 1, pole: Pole::All, at_zero: true };
    let played = play_both(
        &network,
        &[
            (0.0102, fault(1, nodes[11], FaultKind::Ground(Wires::ABC), 0.0)),
            (0.0181, fault(2, nodes[5], FaultKind::Ground(Wires::NONE.with(Wire::A)), 0.1)),
            (0.0244, Action::Close { switch: 0, pole: Pole::All }),
            (0.0302, open),
            (0.0481, Action::Clear { id: 2, at_zero: true }),
            (0.0602, Action::Close { switch: 1, pole: Pole::One(1) }),
            (0.0652, Action::Clear { id: 1, at_zero: true }),
        ],
    );
    assert!(played[250] && !played[400], "the second place makes both known to the factors");
}
