//! Why there is no solution, and where.

use std::fmt;

use super::{Options, newton};
use crate::block::{Column, magnitude};
use crate::block_lu::Singular;
use crate::circuit::Circuit;
use crate::network::{Fault, Network, Place, Wire};
use crate::topology::NONE;

/// Why a power flow has no solution.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The network cannot be solved as it is described.
    Description(Fault),
    /// Voltages collapse before all loads are served.
    Collapse(Box<Collapse>),
    /// Regulators did not come to rest.
    Regulators {
        /// How many rounds of tap changes were tried.
        rounds: u32,
        /// A regulator that still wanted to move.
        name: Box<str>,
    },
}

/// Where voltages collapse.
#[derive(Clone, Debug, PartialEq)]
pub struct Collapse {
    /// The source of the island.
    pub source: Box<str>,
    /// The node with the lowest voltage.
    pub node: Box<str>,
    /// At which wire.
    pub wire: Wire,
    /// Its voltage, per unit, at the largest share of the loads for which there is a solution.
    pub voltage_pu: f64,
    /// That share of all loads; zero if there is none at all.
    pub share: f64,
    /// From the source to that node: names and lowest voltages of the nodes, per unit; where much
    /// is lost shows what is too weak.
    pub path: Vec<(Box<str>, f64)>,
}

impl Collapse {
    /// Of a long path what tells most: its ends, and the nodes before which most is lost.
    fn telling(&self) -> impl Iterator<Item = &(Box<str>, f64)> {
        let last = self.path.len().saturating_sub(1);
        let mut steps: Vec<usize> = (1..last).collect();
        let drop = |at: usize| self.path[at - 1].1 - self.path[at].1;
        steps.sort_by(|&a, &b| drop(b).total_cmp(&drop(a)));
        steps.truncate(10);
        let chosen = move |at: usize| at == 0 || at == last || steps.contains(&at);
        self.path.iter().enumerate().filter(move |(at, _)| chosen(*at)).map(|(_, it)| it)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(fault) => fault.fmt(f),
            Self::Regulators { rounds, name } => write!(
                f,
                "regulators did not come to rest in {rounds} rounds; `{name}` still moves: its band \
                 may be narrower than a tap"
            ),
            Self::Collapse(it) => {
                write!(
                    f,
                    "no solution: behind source `{}` voltages collapse at {:.1} % of the loads; \
                     lowest is node `{}` wire {} with {:.3} pu; on the way there",
                    it.source,
                    it.share * 100.0,
                    it.node,
                    it.wire,
                    it.voltage_pu
                )?;
                for (name, voltage) in it.telling() {
                    write!(f, " {name} {voltage:.3}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Failure {}

/// The first node of the network that is this one of the circuit.
fn name_of<'a, const N: usize>(
    network: &'a Network,
    circuit: &Circuit<N>,
    node: u32,
) -> (&'a str, Place) {
    let at = circuit.node_of.iter().position(|&it| it == node);
    at.map_or(("?", Place::default()), |at| (&*network.nodes[at].name, network.nodes[at].place))
}

pub(crate) fn singular<const N: usize>(
    network: &Network,
    circuit: &Circuit<N>,
    Singular(node): Singular,
) -> Failure {
    let (name, place) = name_of(network, circuit, node);
    let what = "nothing determines its voltage: an admittance is infinite, or cancels another one, \
                or all that is connected to it floats";
    Failure::Description(Fault::new("node", name, place, what))
}

/// Looks for the largest share of the loads that can be served, and for the lowest voltage there.
pub(super) fn collapse<const N: usize>(
    network: &Network,
    circuit: &Circuit<N>,
    start: &[Column<N>],
    options: &Options,
) -> Failure {
    let (mut low, mut high) = (0.0, 1.0);
    let mut best = start.to_vec();
    // Some digits for small networks, a bound on the time for large ones.
    let halvings = if circuit.nodes() > 20_000 { 5 } else { 12 };
    let few = Options { most_iterations: options.most_iterations.min(20), ..*options };
    for _ in 0..halvings {
        let share = 0.5 * (low + high);
        let solved = newton::solve(&with_share(circuit, share), best.clone(), &few);
        if solved.converged {
            low = share;
            best = solved.voltages;
        } else {
            high = share;
        }
    }
    let (mut worst, mut lowest) = ((0, 0), f64::INFINITY);
    for node in 0..circuit.nodes() as u32 {
        for wire in (0..N.min(3)).filter(|&wire| circuit.has_wire(node, wire)) {
            let voltage = per_unit(circuit, &best, node, wire);
            if voltage < lowest {
                (worst, lowest) = ((node, wire), voltage);
            }
        }
    }
    let (node, wire) = worst;
    // Looked up once for all: the path may be as long as the network is large.
    let mut first = vec![NONE; circuit.nodes()];
    for (at, &node) in (0..network.nodes.len() as u32).zip(&circuit.node_of).rev() {
        if node != NONE {
            first[node as usize] = at;
        }
    }
    let name = |node: u32| match first.get(node as usize) {
        Some(&at) if at != NONE => &*network.nodes[at as usize].name,
        _ => "?",
    };
    let mut path = Vec::new();
    let mut at = node;
    while at != NONE && (at as usize) < circuit.nodes() {
        path.push((name(at).into(), per_unit(circuit, &best, at, wire)));
        at = circuit.parent[at as usize];
    }
    path.reverse();
    let root = root_of(circuit, node);
    let source = circuit.sources.iter().find(|source| source.node == root);
    Failure::Collapse(Box::new(Collapse {
        source: source.map_or("?", |it| &network.sources[it.source as usize].name).into(),
        node: name(node).into(),
        wire: Wire::ALL[wire],
        voltage_pu: lowest,
        share: low,
        path,
    }))
}

fn root_of<const N: usize>(circuit: &Circuit<N>, mut node: u32) -> u32 {
    while circuit.parent.get(node as usize).is_some_and(|&parent| parent != NONE) {
        node = circuit.parent[node as usize];
    }
    node
}

fn per_unit<const N: usize>(
    circuit: &Circuit<N>,
    voltages: &[Column<N>],
    node: u32,
    wire: usize,
) -> f64 {
    magnitude(voltages[node as usize][wire]) / circuit.rated_voltage_v[node as usize]
}

fn with_share<const N: usize>(circuit: &Circuit<N>, share: f64) -> Circuit<N> {
    let mut circuit = circuit.clone();
    for part in &mut circuit.parts {
        part.scale(share);
    }
    circuit
}
