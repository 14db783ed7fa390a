//! Where a network is looked at.

use std::ops::{Add, Mul};

use num_complex::Complex64;

use super::{Network, Pair};
use crate::flow::Flow;
use crate::network::{Configuration, NodeId, Wire};
use crate::transient::{Phasors, Transient};

/// Where somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAt {
    /// At a load: its currents, and the voltages of its node.
    Load(usize),
    /// At a source: the currents that it delivers, and the voltages of its node.
    Source(usize),
    /// At a node: its voltages only.
    Node(NodeId),
    /// At a switch: the voltages of the node at its end `from`, and the currents of its wires into
    /// that end.
    Switch(usize),
}

/// A voltage and a current, as sums of what there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbePair {
    /// How often each wire of the node counts.
    pub voltage: [f64; 4],
    /// How often the current of each conductor of the load, or of each wire of the source.
    pub current: [f64; 4],
}

/// Where, and what is seen there.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Where.
    pub at: ProbeAt,
    /// What.
    pub pairs: Vec<ProbePair>,
}

fn sum<T: Copy + Default + Add<Output = T> + Mul<f64, Output = T>>(
    weights: &[f64; 4],
    values: &[T; 4],
) -> T {
    let used = weights.iter().zip(values).filter(|(weight, _)| **weight != 0.0);
    used.fold(T::default(), |sum, (weight, value)| sum + *value * *weight)
}

impl Probe {
    fn node(&self, network: &Network) -> NodeId {
        match self.at {
            ProbeAt::Load(load) => network.loads[load].connection.node,
            ProbeAt::Source(source) => network.sources[source].node,
            ProbeAt::Node(node) => node,
            ProbeAt::Switch(switch) => network.switches[switch].from.node,
        }
    }

    /// Its pairs, by the voltages of its node's wires and the currents of its conductors.
    #[must_use]
    pub fn pairs<T: Copy + Default + Add<Output = T> + Mul<f64, Output = T>>(
        &self,
        voltages: &[T; 4],
        currents: &[T; 4],
    ) -> Vec<(T, T)> {
        let pair = |it: &ProbePair| (sum(&it.voltage, voltages), sum(&it.current, currents));
        self.pairs.iter().map(pair).collect()
    }

    /// In a power flow.
    pub(super) fn in_flow(
        &self,
        network: &Network,
        flow: &Flow,
        closed: &[Vec<bool>],
    ) -> Vec<Pair> {
        let voltages = &flow.nodes[self.node(network).index()].voltage_v;
        let currents = match self.at {
            ProbeAt::Load(load) => flow.loads[load].current_a,
            ProbeAt::Source(source) => flow.sources[source].current_a,
            ProbeAt::Node(_) => [Complex64::ZERO; 4],
            ProbeAt::Switch(switch) => {
                let poles = poles_in_flow(flow, switch, &closed[switch]);
                by_wire(network, switch, |pole| poles[pole])
            }
        };
        self.pairs(voltages, &currents)
    }

    /// In a steady state of the circuit.
    pub(super) fn in_steady<const N: usize>(
        &self,
        network: &Network,
        circuit: &Transient<N>,
        steady: &Phasors<N>,
    ) -> Vec<Pair> {
        let node = self.node(network);
        let voltages = Wire::ALL.map(|wire| steady.voltage_v(node, wire));
        let currents = match self.at {
            ProbeAt::Load(load) => {
                conductors(network, load, |part| circuit.load_phasor_a(steady, load, part))
            }
            ProbeAt::Source(source) => {
                Wire::ALL.map(|wire| circuit.source_phasor_a(steady, source, wire))
            }
            ProbeAt::Node(_) => [Complex64::ZERO; 4],
            ProbeAt::Switch(switch) => {
                by_wire(network, switch, |pole| circuit.switch_phasor_a(steady, switch, pole))
            }
        };
        self.pairs(&voltages, &currents)
    }

    /// At an instant; the voltages across the load's parts are those of `elapsed_s` before, and
    /// become those of now.
    pub(super) fn now<const N: usize>(
        &self,
        network: &Network,
        circuit: &Transient<N>,
        (across_v, elapsed_s): (&mut [f64; 3], f64),
    ) -> Vec<(f64, f64)> {
        let node = self.node(network);
        let voltages = Wire::ALL.map(|wire| circuit.voltage_v(node, wire));
        let currents = match self.at {
            ProbeAt::Load(load) => conductors(network, load, |part| {
                let before =
                    std::mem::replace(&mut across_v[part], circuit.load_voltage_v(load, part));
                circuit.load_current_a(load, part, (before, elapsed_s))
            }),
            ProbeAt::Source(source) => Wire::ALL.map(|wire| circuit.source_current_a(source, wire)),
            ProbeAt::Node(_) => [0.0; 4],
            ProbeAt::Switch(switch) => {
                by_wire(network, switch, |pole| circuit.switch_current_a(switch, pole))
            }
        };
        self.pairs(&voltages, &currents)
    }
}

/// The currents of a switch's poles in a power flow, where it has only those that are closed.
pub(super) fn poles_in_flow(flow: &Flow, switch: usize, closed: &[bool]) -> Vec<Complex64> {
    let mut own = flow.switches[switch].from.current_a.iter();
    let mut next = || own.next().copied().unwrap_or_default();
    closed.iter().map(|it| if *it { next() } else { Complex64::ZERO }).collect()
}

/// The currents of a switch's poles, each at its wire.
fn by_wire<T: Copy + Default>(
    network: &Network,
    switch: usize,
    of_pole: impl Fn(usize) -> T,
) -> [T; 4] {
    let mut currents = [T::default(); 4];
    for (pole, wire) in network.switches[switch].from.wires.as_slice().iter().enumerate() {
        currents[wire.index()] = of_pole(pole);
    }
    currents
}

/// The currents of a load's conductors by those of its parts.
fn conductors<T: Copy + Default + Add<Output = T> + Mul<f64, Output = T>>(
    network: &Network,
    load: usize,
    mut part: impl FnMut(usize) -> T,
) -> [T; 4] {
    let own = &network.loads[load];
    let (wires, parts) = (own.connection.wires.as_slice(), own.parts());
    let mut currents = [T::default(); 4];
    for at in 0..parts {
        let through = part(at);
        currents[at] = currents[at] + through;
        let back = match own.configuration {
            Configuration::Delta => Some((at + 1) % wires.len()),
            _ => wires.iter().position(|wire| *wire == Wire::Neutral),
        };
        if let Some(back) = back.filter(|back| *back != at) {
            currents[back] = currents[back] + through * -1.0;
        }
    }
    currents
}
