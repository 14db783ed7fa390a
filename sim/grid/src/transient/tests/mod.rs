//! Against closed forms, the power flow and the short-circuit engine.

mod arcs;
mod closed_forms;
mod earthing;
pub(super) mod energy;
mod engines;
mod inception;
mod low_rank_update;
mod refusals;
mod saturation;

use std::f64::consts::TAU;

use num_complex::Complex64;

use super::{Loads, Options, Transient};
use crate::network::{Network, NodeId, Wire};
use crate::testing::{
    self, add_load, add_node, add_shunt, add_switch, add_transformer, c, sequence,
};

const OMEGA: f64 = TAU * 50.0;

fn add_source(network: &mut Network, node: NodeId, z1_ohm: Complex64, z0_ohm: Complex64) {
    testing::add_source(network, node, [z1_ohm, z0_ohm]).angle_rad = 0.4;
}

fn add_line(network: &mut Network, from: NodeId, to: NodeId, z1: Complex64, z0: Complex64) {
    let impedance = sequence([z1, z0], [c(0.0, 2e-6), c(0.0, 1e-6)]);
    testing::add_line(network, from, to, impedance);
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
