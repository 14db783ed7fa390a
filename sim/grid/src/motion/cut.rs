//! Switches where a network has none, so that what is behind them can be cut off.

use crate::network::{Connection, Network, Node, NodeId, Place, Switch, Transformer, Wires};

/// What is cut off, by its place in the network's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// A line, at its end `from`.
    Line(usize),
    /// A transformer, at its first winding.
    Transformer(usize),
    /// The neutral of a transformer, between its star point and the neutral wire of its node.
    StarPoint(usize),
    /// A load.
    Load(usize),
    /// A source.
    Source(usize),
}

/// Puts a closed switch in front of something; where it is in the list of switches. None if there
/// is no such thing. Places of everything else stay as they are.
#[must_use]
pub fn cut(network: &mut Network, piece: Piece) -> Option<usize> {
    let (name, place, end) = match piece {
        Piece::Line(at) => {
            let it = network.lines.get(at)?;
            (it.name.clone(), it.place, it.from)
        }
        Piece::Transformer(at) => {
            let it = network.transformers.get(at)?;
            (it.name.clone(), it.place, it.windings.first()?.connection)
        }
        Piece::StarPoint(at) => {
            let it = network.transformers.get(at)?;
            let (name, end) = (&it.name, it.windings[star_point(it)?].connection);
            (format!("{name} neutral").into(), it.place, whole(end.node, Wires::ABCN)?)
        }
        Piece::Load(at) => {
            let it = network.loads.get(at)?;
            (it.name.clone(), it.place, it.connection)
        }
        Piece::Source(at) => {
            let it = network.sources.get(at)?;
            let wires = network.nodes[it.node.index()].wires;
            (it.name.clone(), it.place, whole(it.node, wires)?)
        }
    };
    let behind = inserted(network, &name, end, place);
    match piece {
        Piece::Line(at) => network.lines[at].from.node = behind,
        Piece::Transformer(at) => network.transformers[at].windings[0].connection.node = behind,
        Piece::StarPoint(at) => {
            let it = &mut network.transformers[at];
            let winding = star_point(it)?;
            it.windings[winding].connection.node = behind;
        }
        Piece::Load(at) => network.loads[at].connection.node = behind,
        Piece::Source(at) => network.sources[at].node = behind,
    }
    let behind = Connection { node: behind, ..end };
    // Current counts from where it comes: of a source from itself.
    let is_source = matches!(piece, Piece::Source(_) | Piece::StarPoint(_));
    let (from, to) = if is_source { (behind, end) } else { (end, behind) };
    network.switches.push(Switch { name, from, to, closed: true, rated_current_a: None, place });
    Some(network.switches.len() - 1)
}

/// The last winding whose star point is brought to a neutral wire.
fn star_point(it: &Transformer) -> Option<usize> {
    it.windings.iter().rposition(|winding| winding.kind.is_at_wire())
}

fn whole(node: NodeId, wires: Wires) -> Option<Connection> {
    let wires: Vec<_> = wires.iter().collect();
    Some(Connection { node, wires: crate::network::WireList::new(&wires)? })
}

/// What a node between a switch and its element is called, behind the name of the element.
const BEHIND: &str = " behind its switch";

/// Whether a node of this name was put in to hold a switch.
pub(crate) fn is_behind_a_switch(node: &str) -> bool {
    node.trim_end_matches('\'').ends_with(BEHIND)
}

fn inserted(network: &mut Network, name: &str, end: Connection, place: Place) -> NodeId {
    let rated_voltage_v = network.nodes[end.node.index()].rated_voltage_v;
    let mut called = format!("{name}{BEHIND}");
    while network.node(&called).is_some() {
        called.push('\'');
    }
    network.push_node(Node {
        name: called.into(),
        wires: end.wires.set(),
        rated_voltage_v,
        position: network.nodes[end.node.index()].position,
        place,
    })
}
