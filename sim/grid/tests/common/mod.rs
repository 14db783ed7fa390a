//! One way to build networks for tests, element by element: what a call leaves open is plain, and
//! can be changed in what it returns. Networks that look random are in [`random`].

pub(crate) mod random;

use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Magnetising, Network, Node,
    NodeId, Place, SequenceImpedance, Shunt, ShuntAdmittance, Source, Switch, Transformer, Winding,
    WindingKind, Wires,
};
use num_complex::Complex64;

/// A complex number.
pub(crate) fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

/// The last of a list, to which it was added just now.
fn added<T>(list: &mut Vec<T>, it: T) -> &mut T {
    list.push(it);
    list.last_mut().unwrap()
}

/// A node of three phases, `n0`, `n1` and so on.
pub(crate) fn add_node(network: &mut Network, rated_voltage_v: f64) -> NodeId {
    let name = format!("n{}", network.nodes.len()).into();
    let (wires, place) = (Wires::ABC, Place(0));
    network.push_node(Node { name, wires, rated_voltage_v, position: None, place })
}

/// A source of the rated voltage.
pub(crate) fn add_source(
    network: &mut Network,
    node: NodeId,
    [z1_ohm, z0_ohm]: [Complex64; 2],
) -> &mut Source {
    let source = Source {
        name: format!("s{}", node.0).into(),
        node,
        voltage_v: network.nodes[node.index()].rated_voltage_v,
        angle_rad: 0.0,
        z1_ohm,
        z0_ohm,
        connected: true,
        place: Place(0),
    };
    added(&mut network.sources, source)
}

/// Impedances and admittances by the positive and the zero sequence.
pub(crate) fn sequence([z1, z0]: [Complex64; 2], [y1, y0]: [Complex64; 2]) -> LineImpedance {
    LineImpedance::Sequence(SequenceImpedance { z1_ohm: z1, z0_ohm: z0, y1_s: y1, y0_s: y0 })
}

/// A line of three phases and a kilometre.
pub(crate) fn add_line(
    network: &mut Network,
    from: NodeId,
    to: NodeId,
    impedance: LineImpedance,
) -> &mut Line {
    let line = Line {
        name: format!("l{}", network.lines.len()).into(),
        from: Connection::abc(from),
        to: Connection::abc(to),
        from_closed: true,
        to_closed: true,
        impedance,
        length_m: Some(1000.0),
        rated_current_a: None,
        place: Place(0),
    };
    added(&mut network.lines, line)
}

/// A circuit-breaker of three phases.
pub(crate) fn add_switch(
    network: &mut Network,
    from: NodeId,
    to: NodeId,
    closed: bool,
) -> &mut Switch {
    let switch = Switch {
        name: format!("q{}", network.switches.len()).into(),
        from: Connection::abc(from),
        to: Connection::abc(to),
        closed,
        rated_current_a: None,
        place: Place(0),
    };
    added(&mut network.switches, switch)
}

/// The same admittance in all sequences.
pub(crate) fn add_shunt(network: &mut Network, node: NodeId, y_s: Complex64) -> &mut Shunt {
    let shunt = Shunt {
        name: format!("c{}", network.shunts.len()).into(),
        connection: Connection::abc(node),
        admittance: ShuntAdmittance::Sequence { y1_s: y_s, y0_s: y_s },
        connected: true,
        place: Place(0),
    };
    added(&mut network.shunts, shunt)
}

/// Constant impedances from each phase to earth.
pub(crate) fn add_load(network: &mut Network, node: NodeId, power_va: [Complex64; 3]) -> &mut Load {
    let load = Load {
        name: format!("home {}", network.loads.len()).into(),
        connection: Connection::abc(node),
        configuration: Configuration::Star,
        power_va,
        model: LoadModel::ConstantImpedance,
        rated_voltage_v: network.nodes[node.index()].rated_voltage_v / 3f64.sqrt(),
        band: None,
        connected: true,
        generator: false,
        place: Place(0),
    };
    added(&mut network.loads, load)
}

/// Two windings rated as their nodes are, without taps and magnetising current.
pub(crate) fn add_transformer(
    network: &mut Network,
    windings: [(NodeId, WindingKind); 2],
    clock: u8,
    rated_power_va: f64,
    short_circuit_pu: Complex64,
) -> &mut Transformer {
    let winding = |(node, kind): (NodeId, WindingKind)| Winding {
        connection: Connection::abc(node),
        kind,
        rated_voltage_v: network.nodes[node.index()].rated_voltage_v,
        tap: None,
    };
    let transformer = Transformer {
        name: "t".into(),
        windings: windings.map(winding).into(),
        clock: vec![clock],
        closed: vec![true, true],
        rated_power_va,
        short_circuit_pu: vec![short_circuit_pu],
        magnetising: Magnetising::AtWinding {
            winding: 0,
            y_pu: Complex64::ZERO,
            antifloat_pu: 1e-6,
        },
        place: Place(0),
    };
    added(&mut network.transformers, transformer)
}
