//! What a crew does once a fault is mended: it closes what protective devices have opened.

use super::network_state::ActiveFault;
use super::place::Site;
use super::play::Player;
use super::{Event, Motion, NetworkAction};
use crate::network::{Network, NodeId};
use crate::topology::Groups;
use crate::transient::{Action, Pole};

/// From when a fault is mended until switches are closed again.
const MENDED_NS: i64 = 1_000_000_000;

impl<const N: usize> Player<'_, N> {
    /// The end of a fault, after which every switch with a device that is open is closed, but onto
    /// another fault: that waits for the repair of the other one.
    pub(super) fn repaired(&mut self, at_ns: i64, id: u32, found: &[Site]) -> Option<Action> {
        let closed_ns = at_ns + MENDED_NS;
        // Interface protections reconnect by themselves.
        let guards = self.motion.guards.iter().filter(|it| it.watches.is_none());
        let open = |switch: &usize| self.motion.state.closed[*switch].contains(&false);
        let mut switches: Vec<usize> = guards.map(|it| it.switch).filter(open).collect();
        switches.retain(|switch| !self.motion.burns_behind(&self.network, *switch, id));
        for switch in switches {
            let what = NetworkAction::Close { switch, pole: Pole::All };
            let place = self.motion.events.partition_point(|it| it.at_ns <= closed_ns);
            self.motion.events.insert(place, Event { at_ns: closed_ns, what });
        }
        self.taken(at_ns, NetworkAction::Clear { id }, found)
    }
}

impl Motion {
    /// Whether a fault other than this one burns in what a switch would energise: the islands at
    /// its ends that have no source.
    fn burns_behind(&self, network: &Network, switch: usize, id: u32) -> bool {
        // One that is about to be gone for want of a voltage is no reason to wait.
        let stays = |it: &&ActiveFault| it.fault.extinguishes_s.is_none() || it.dead_s <= 0.0;
        let others = self.state.faults.iter().filter(|it| it.fault.id != id).filter(stays);
        let others: Vec<NodeId> = others.map(|it| it.fault.node).collect();
        if others.is_empty() {
            return false;
        }
        let mut islands = self.islands(network, switch);
        let mut of = |node: NodeId| islands.find(node.0);
        let fed: Vec<u32> =
            network.sources.iter().filter(|it| it.connected).map(|it| of(it.node)).collect();
        let burning: Vec<u32> = others.into_iter().map(&mut of).collect();
        let it = &network.switches[switch];
        [of(it.from.node), of(it.to.node)]
            .iter()
            .any(|island| !fed.contains(island) && burning.contains(island))
    }

    /// The nodes that something joins, other than a switch.
    fn islands(&self, network: &Network, without: usize) -> Groups {
        let mut islands = Groups::new(network.nodes.len());
        for it in network.lines.iter().filter(|it| it.from_closed && it.to_closed) {
            islands.join(it.from.node.0, it.to.node.0);
        }
        for (at, it) in network.switches.iter().enumerate() {
            if at != without && self.state.closed[at].contains(&true) {
                islands.join(it.from.node.0, it.to.node.0);
            }
        }
        for it in &network.transformers {
            for two in it.windings.windows(2) {
                islands.join(two[0].connection.node.0, two[1].connection.node.0);
            }
        }
        islands
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{network, probes};
    use super::super::{
        FaultAt, FuseLink, Motion, OperationKind, Options, Protector, Resolution, SegmentContent,
    };
    use super::*;
    use crate::flow;
    use crate::network::{Wire, Wires};
    use crate::protection::{Curve, Fuse};
    use crate::transient::FaultKind;

    const MS: i64 = 1_000_000;

    fn fuse(switch: usize) -> Protector {
        let points = [60.0, 6e3].map(|it: f64| (it, 1e5 / (it * it)));
        let melting = Curve::table(points.to_vec()).unwrap();
        let fuse = Fuse::new(melting, None).unwrap();
        let device = Box::new(FuseLink::new(fuse, true));
        Protector { name: format!("fuse:q{switch}").into(), switch, device }
    }

    /// A fault of two conductors at a node from 300 ms on, mended later.
    fn mended(id: u32, node: u32, repair_ms: i64) -> [Event; 2] {
        let kind = FaultKind::Between(Wires::NONE.with(Wire::B).with(Wire::C));
        let (arc, angle_rad, extinguishes_s) = (None, None, None);
        let (name, node) = (format!("fault:{id}").into(), NodeId(node));
        let resistance_ohm = 0.5;
        let fault =
            FaultAt { id, name, node, kind, resistance_ohm, arc, angle_rad, extinguishes_s };
        let repaired = NetworkAction::Repair { id };
        [
            Event { at_ns: 300 * MS, what: NetworkAction::Fault(fault) },
            Event { at_ns: repair_ms * MS, what: repaired },
        ]
    }

    /// When each switch was closed again, milliseconds, and how often fuses blew.
    fn closed(events: Vec<Event>) -> (Vec<(String, i64)>, usize) {
        let network = network();
        let options = Options { resolution: Resolution::Phasors, ..Options::default() };
        let guards = vec![fuse(0), fuse(1)];
        let mut motion = Motion::new(&network, options, events, guards, probes()).unwrap();
        let flow = flow::solve(&network, &flow::Options::default()).unwrap();
        let (segments, _) = motion.play(&network, &flow, (0, 4_000 * MS)).unwrap();
        let SegmentContent::Steady { supply, .. } = &segments.last().unwrap().what else {
            panic!()
        };
        assert_eq!(supply.supplied, [1.0, 1.0]);
        let of = |kind: OperationKind| motion.operations().iter().filter(move |it| it.kind == kind);
        let when = |it: &super::super::Operation| (it.element.to_string(), it.at_ns / MS);
        (of(OperationKind::Closed).map(when).collect(), of(OperationKind::Blown).count())
    }

    #[test]
    fn a_switch_is_closed_when_the_last_fault_behind_it_is_mended() {
        let (closed, blown) = closed([mended(1, 3, 700), mended(2, 1, 1_500)].concat());
        assert_eq!(closed, [("switch:q0".to_owned(), 2_500)]);
        assert!(blown <= 2, "{blown}");
    }

    #[test]
    fn a_fault_behind_another_switch_is_nothing_to_wait_for() {
        let (closed, _) = closed([mended(1, 3, 700), mended(2, 4, 1_500)].concat());
        let expected = [("switch:q0".to_owned(), 1_700), ("switch:q1".to_owned(), 2_500)];
        assert_eq!(closed, expected);
    }
}
