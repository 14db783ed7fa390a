//! What cannot be played is refused, and nothing is changed by it.

use super::{add_line, add_node, add_source, c, play};
use crate::network::{Network, NodeId, Wires};
use crate::transient::{Action, FaultKind, Loads, Options, Place, Pole, Transient};

fn network() -> Network {
    let mut network = Network::new("short", 50.0);
    let [first, second] = [add_node(&mut network, 400.0), add_node(&mut network, 400.0)];
    add_source(&mut network, first, c(0.01, 0.03), c(0.01, 0.03));
    add_line(&mut network, first, second, c(0.1, 0.05), c(0.3, 0.2));
    network
}

fn refused(network: &Network, step_s: f64) -> String {
    let options = Options { step_s, loads: Loads::None, saturations: &[] };
    Transient::<3>::new(network, &options).unwrap_err().to_string()
}

#[test]
fn steps_and_elements_that_cannot_be_played_are_named() {
    for step_s in [0.0, -1e-6, f64::NAN, f64::INFINITY, 0.003] {
        assert!(refused(&network(), step_s).contains("expected one between 0 and a tenth"));
    }
    let mut open = network();
    open.lines[0].from_closed = false;
    assert!(refused(&open, 50e-6).contains("open at one end"), "{}", refused(&open, 50e-6));
    let mut neutral = network();
    neutral.nodes[1].wires = Wires::ABCN;
    assert!(refused(&neutral, 50e-6).contains("`n1` has a neutral wire"));
}

#[test]
fn actions_about_nothing_are_refused() {
    let network = network();
    let mut transient = play(&network, 50e-6);
    let fault = |node, wires, resistance_ohm| Action::Fault {
        id: 1,
        place: Place(NodeId(node)),
        kind: FaultKind::Between(wires),
        resistance_ohm,
    };
    for (action, expected) in [
        (Action::Close { switch: 0, pole: Pole::All }, "there is no switch 0: the network has 0"),
        (fault(9, Wires::ABC, 0.0), "there is no node 9: the network has 2"),
        (fault(1, Wires::NONE, 0.0), "a fault's number of phases of 0"),
        (fault(1, Wires::ABC, -1.0), "a fault's resistance in ohm of -1"),
        (fault(1, Wires::ABC, f64::NAN), "a fault's resistance in ohm of NaN"),
        (Action::SourceVoltage { source: 3, share: 1.0 }, "there is no source 3"),
        (Action::SourceVoltage { source: 0, share: f64::INFINITY }, "as a share of inf"),
    ] {
        let found = transient.schedule(0.01, action).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
    assert!(transient.schedule(f64::NAN, fault(1, Wires::ABC, 0.0)).is_err());
    assert!(!transient.is_waiting());
    // A fault that is cleared and nobody has made is none.
    transient.schedule(0.0, Action::Clear { id: 5, at_zero: true }).unwrap();
    transient.advance().unwrap();
    assert!(!transient.is_waiting() && transient.fault_currents_a(5).is_empty());
}
