//! How a network stands: what is open, and what burns.

use crate::network::{Connection, Network, WireList};
use crate::transient::Action;

use super::FaultAt;

/// Switches and faults.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    /// Of each switch its poles.
    pub(super) closed: Vec<Vec<bool>>,
    pub(super) faults: Vec<Burning>,
}

/// A fault that burns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Burning {
    pub(super) fault: FaultAt,
    /// For how long there has been no voltage, seconds.
    pub(super) dead_s: f64,
}

impl Standing {
    pub(super) fn new(network: &Network) -> Self {
        let poles = |it: &crate::network::Switch| vec![it.closed; it.from.wires.as_slice().len()];
        Self { closed: network.switches.iter().map(poles).collect(), faults: Vec::new() }
    }

    /// A switch of which some poles are open has only the others.
    pub(super) fn put_into(&self, network: &mut Network) {
        for (switch, closed) in network.switches.iter_mut().zip(&self.closed) {
            switch.closed = closed.iter().any(|it| *it);
            if !switch.closed || closed.iter().all(|it| *it) {
                continue;
            }
            let only = |end: Connection| {
                let wires = end.wires.as_slice().iter().zip(closed).filter(|(_, closed)| **closed);
                let wires: Vec<_> = wires.map(|(wire, _)| *wire).collect();
                Connection { wires: WireList::new(&wires).unwrap_or(end.wires), ..end }
            };
            (switch.from, switch.to) = (only(switch.from), only(switch.to));
        }
    }

    /// What makes a circuit with all switches as declared stand so.
    pub(super) fn actions(&self, network: &Network) -> Vec<Action> {
        let mut actions = Vec::new();
        for (at, (switch, closed)) in network.switches.iter().zip(&self.closed).enumerate() {
            for (pole, _) in closed.iter().enumerate().filter(|(_, it)| **it != switch.closed) {
                let (pole, is_closed) = (crate::transient::Pole::One(pole), closed[pole]);
                actions.push(if is_closed {
                    Action::Close { switch: at, pole }
                } else {
                    Action::Open { switch: at, pole, at_zero: false }
                });
            }
        }
        actions.extend(self.faults.iter().map(|it| begun(&it.fault)));
        actions
    }
}

/// The beginning of a fault.
pub(super) fn begun(fault: &FaultAt) -> Action {
    let FaultAt { id, node, kind, resistance_ohm, arc, .. } = *fault;
    let place = crate::transient::Place(node);
    match arc {
        None => Action::Fault { id, place, kind, resistance_ohm },
        Some(arc) => Action::ArcFault { id, place, kind, arc },
    }
}
