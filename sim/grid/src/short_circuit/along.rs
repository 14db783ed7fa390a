//! Lines in two parts.

use crate::network::{Connection, Line, Network, Node, NodeId};

/// Makes two lines of one, each with its share of impedance, charging and length, and a node
/// between them. The first part keeps its place in the list, the second is added at the end.
///
/// # Panics
/// If there is no such line.
pub fn split(network: &mut Network, at: usize, share: f64) -> NodeId {
    let line = network.lines[at].clone();
    let rated_voltage_v = network.nodes[line.from.node.index()].rated_voltage_v;
    let between = network.push_node(Node {
        name: format!("{} at {share}", line.name).into(),
        wires: line.from.wires.set(),
        rated_voltage_v,
        position: None,
        place: line.place,
    });
    let middle = Connection { node: between, wires: line.from.wires };
    let part = |share: f64| Line {
        impedance: line.impedance.times(share),
        length_m: line.length_m.map(|length| length * share),
        ..line.clone()
    };
    network.lines[at] = Line { to: middle, to_closed: true, ..part(share) };
    let name = format!("{} from {share}", line.name).into();
    network.lines.push(Line { name, from: middle, from_closed: true, ..part(1.0 - share) });
    between
}
