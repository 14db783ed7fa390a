//! How a network stands: what is open, and what burns.

use crate::network::{Connection, Network, Switch, Wire, WireList};
use crate::transient::Action;

use super::FaultAt;

/// Switches and faults.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NetworkState {
    /// Of each switch its poles.
    pub(super) closed: Vec<Vec<bool>>,
    pub(super) faults: Vec<ActiveFault>,
}

/// A fault that burns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ActiveFault {
    pub(super) fault: FaultAt,
    /// For how long there has been no voltage, seconds.
    pub(super) dead_s: f64,
}

impl NetworkState {
    pub(super) fn new(network: &Network) -> Self {
        let poles = |it: &Switch| vec![it.closed; it.from.wires.as_slice().len()];
        Self { closed: network.switches.iter().map(poles).collect(), faults: Vec::new() }
    }

    /// A switch of which some poles are open has only the others, and its neutral: without that
    /// loads have no powers, but are the impedances that they were with it.
    pub(super) fn put_into(&self, network: &mut Network) {
        for (switch, closed) in network.switches.iter_mut().zip(&self.closed) {
            let lost = lost_neutral(switch, closed);
            switch.closed = closed.iter().any(|it| *it);
            let stays = |(at, is_closed): (usize, &bool)| *is_closed || lost == Some(at);
            if !switch.closed || closed.iter().enumerate().all(stays) {
                continue;
            }
            let only = |end: Connection| {
                let wires = end.wires.as_slice().iter().zip(closed.iter().enumerate());
                let wires = wires.filter(|(_, pole)| stays(*pole));
                let wires: Vec<_> = wires.map(|(wire, _)| *wire).collect();
                Connection { wires: WireList::new(&wires).unwrap_or(end.wires), ..end }
            };
            (switch.from, switch.to) = (only(switch.from), only(switch.to));
        }
    }

    /// Whether the neutral of a switch is open beside closed poles.
    pub(super) fn has_lost_neutral(&self, network: &Network) -> bool {
        let mut all = network.switches.iter().zip(&self.closed);
        all.any(|(switch, closed)| lost_neutral(switch, closed).is_some())
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

/// The pole of a switch's neutral, where that is open beside closed poles.
fn lost_neutral(switch: &Switch, closed: &[bool]) -> Option<usize> {
    let at = switch.from.wires.as_slice().iter().position(|wire| *wire == Wire::Neutral)?;
    (closed.get(at) == Some(&false) && closed.contains(&true)).then_some(at)
}

pub(super) fn begun(fault: &FaultAt) -> Action {
    let FaultAt { id, node, kind, resistance_ohm, arc, .. } = *fault;
    let place = crate::transient::Place(node);
    match arc {
        None => Action::Fault { id, place, kind, resistance_ohm },
        Some(arc) => Action::ArcFault { id, place, kind, arc },
    }
}
