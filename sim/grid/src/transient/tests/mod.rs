//! Against closed forms, the power flow and the short-circuit engine.

mod arcs;
mod beside;
mod closed_forms;
mod earthing;
mod engines;
mod inception;
mod refusals;
mod saturation;

use std::f64::consts::TAU;

use num_complex::Complex64;

use super::{Loads, Options, Transient};
use crate::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Network, Node, NodeId, Place,
    SequenceImpedance, Shunt, ShuntAdmittance, Source, Switch, SwitchKind, Wire, Wires,
};

const OMEGA: f64 = TAU * 50.0;

fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

fn add_node(network: &mut Network, rated_voltage_v: f64) -> NodeId {
    let name = format!("n{}", network.nodes.len()).into();
    let (wires, place) = (Wires::ABC, Place(0));
    network.push_node(Node { name, wires, rated_voltage_v, position: None, place })
}

fn add_source(network: &mut Network, node: NodeId, z1_ohm: Complex64, z0_ohm: Complex64) {
    network.sources.push(Source {
        name: "supply".into(),
        node,
        voltage_v: network.nodes[node.index()].rated_voltage_v,
        angle_rad: 0.4,
        z1_ohm,
        z0_ohm,
        connected: true,
        place: Place(0),
    });
}

fn add_line(network: &mut Network, from: NodeId, to: NodeId, z1: Complex64, z0: Complex64) {
    let (y1_s, y0_s) = (c(0.0, 2e-6), c(0.0, 1e-6));
    network.lines.push(Line {
        name: format!("l{}", network.lines.len()).into(),
        from: Connection::abc(from),
        to: Connection::abc(to),
        from_closed: true,
        to_closed: true,
        impedance: LineImpedance::Sequence(SequenceImpedance {
            z1_ohm: z1,
            z0_ohm: z0,
            y1_s,
            y0_s,
        }),
        length_m: Some(1000.0),
        rated_current_a: None,
        place: Place(0),
    });
}

fn add_switch(network: &mut Network, from: NodeId, to: NodeId, closed: bool) {
    network.switches.push(Switch {
        name: format!("q{}", network.switches.len()).into(),
        kind: SwitchKind::Breaker,
        from: Connection::abc(from),
        to: Connection::abc(to),
        closed,
        rated_current_a: None,
        place: Place(0),
    });
}

fn add_shunt(network: &mut Network, node: NodeId, y: Complex64) {
    network.shunts.push(Shunt {
        name: format!("c{}", network.shunts.len()).into(),
        connection: Connection::abc(node),
        admittance: ShuntAdmittance::Sequence { y1_s: y, y0_s: y },
        connected: true,
        place: Place(0),
    });
}

fn add_load(network: &mut Network, node: NodeId, power_va: [Complex64; 3]) {
    let rated = network.nodes[node.index()].rated_voltage_v / 3.0_f64.sqrt();
    network.loads.push(Load {
        name: format!("home {}", network.loads.len()).into(),
        connection: Connection::abc(node),
        configuration: Configuration::Star,
        power_va,
        model: LoadModel::ConstantImpedance,
        rated_voltage_v: rated,
        band: None,
        connected: true,
        generator: false,
        place: Place(0),
    });
}

fn play(network: &Network, step_s: f64) -> Transient<3> {
    Transient::new(network, &Options { step_s, loads: Loads::Rated, saturations: &[] }).unwrap()
}

/// The phasor (RMS) of values at instants, by least squares over whole periods: a third of a
/// Fourier sum's samples need not fall on its raster.
fn phasor(samples: &[(f64, f64)]) -> Complex64 {
    let (mut ss, mut sc, mut cc, mut ys, mut yc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(at, value) in samples {
        let (sin, cos) = (OMEGA * at).sin_cos();
        ss += sin * sin;
        sc += sin * cos;
        cc += cos * cos;
        ys += value * sin;
        yc += value * cos;
    }
    let determinant = ss * cc - sc * sc;
    let of_sin = (ys * cc - yc * sc) / determinant;
    let of_cos = (yc * ss - ys * sc) / determinant;
    c(of_sin, of_cos) / 2.0_f64.sqrt()
}

/// One wire's voltage of a node.
fn volts(transient: &Transient<3>, node: NodeId) -> f64 {
    transient.voltage_v(node, Wire::A)
}
