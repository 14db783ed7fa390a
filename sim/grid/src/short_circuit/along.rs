//! Lines in two parts.

use num_complex::Complex64;

use crate::network::{
    Connection, Line, LineImpedance, Matrix, Network, Node, NodeId, SequenceImpedance,
};

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
        impedance: share_of(&line.impedance, share),
        length_m: line.length_m.map(|length| length * share),
        ..line.clone()
    };
    network.lines[at] = Line { to: middle, to_closed: true, ..part(share) };
    let name = format!("{} from {share}", line.name).into();
    network.lines.push(Line { name, from: middle, from_closed: true, ..part(1.0 - share) });
    between
}

/// So much of a line.
pub(super) fn share_of(whole: &LineImpedance, share: f64) -> LineImpedance {
    let scaled = |matrix: &Matrix| {
        Box::new(Matrix::from_fn(matrix.size.min(4), |i, j| matrix.rows[i][j] * share))
    };
    let times = |value: Complex64| value * share;
    match whole {
        LineImpedance::Sequence(it) => LineImpedance::Sequence(SequenceImpedance {
            z1_ohm: times(it.z1_ohm),
            z0_ohm: times(it.z0_ohm),
            y1_s: times(it.y1_s),
            y0_s: times(it.y0_s),
        }),
        LineImpedance::Matrix { series_ohm, shunt_s } => {
            LineImpedance::Matrix { series_ohm: scaled(series_ohm), shunt_s: scaled(shunt_s) }
        }
    }
}
