//! What the solvers see of a network: nodes of `N` wires, what joins them, and what draws from
//! them.
//!
//! `N` is 1 for the positive sequence alone, 3 for the three phases, 4 with a neutral wire. All
//! figures are in SI units: volts to earth, amperes, ohms, siemens, volt-amperes of each wire (so
//! with `N` = 1 a third of the power of all phases). Nodes joined by closed switches are one here,
//! and only what a source reaches is here at all.
//!
//! Nodes are numbered depth-first from the sources: parents come before their children, and what is
//! downstream of a node follows it without a gap.
//!
//! A wire that a node does not have, or that nothing reaches, carries no current and has no
//! voltage; in matrices its row and column are zero. Solvers put a one on that diagonal.
//!
//! ```text
//! compile, reach       a network to its circuit, as far as sources reach
//! line, transformer    branches
//! injection            loads and sources
//! ```

mod compile;
mod injection;
mod line;
mod reach;
mod transformer;

use num_complex::Complex64;

pub use compile::{Compilation, compile};
pub(crate) use compile::{compile_for_cases, project};
pub use injection::{EARTH, Part, Response, VoltageDependence};
pub(crate) use injection::{law, parts_between, rated_across, shunt_admittance};
pub(crate) use line::{LineModel, line_model, placed};
pub(crate) use reach::{dead_loop, half_reached_load, is_whole, misplaced_shunt, unreached};
pub(crate) use transformer::{
    Windings, coil_volts, coils, positive_sequence, transformer_admittance,
};

use crate::block::{Block, Column, add_to, apply, inverse, negative, zero};
use crate::network::{Line, Wire, Wires};
use crate::topology::NONE;

/// Impedance of a switch that joins some wires of two nodes that have others, ohm: so little that
/// no result distinguishes it from zero.
pub const SWITCH_OHM: f64 = 1e-7;

/// A network for solvers.
#[derive(Clone, Debug)]
pub struct Circuit<const N: usize> {
    /// The number of each node of the network; [`NONE`] if no source reaches it.
    pub node_of: Vec<u32>,
    /// Whether a source reaches all wires of the nodes that one reaches.
    pub is_whole: bool,
    /// Of each node: rated voltage to earth, volts.
    pub rated_voltage_v: Vec<f64>,
    /// Of each node: the wires whose voltages are to be found. With `N` = 1 all three phases.
    pub wires: Vec<Wires>,
    /// The nodes whose neutral wire is ideally earthed, in order: it is none of those wires.
    pub earthed: Vec<u32>,
    /// Of each node: the number of the node towards the source; [`NONE`] for roots.
    pub parent: Vec<u32>,
    /// Of each node: index of the branch towards the source; [`NONE`] for roots.
    pub parent_branch: Vec<u32>,
    /// Constant admittances at nodes, siemens: shunts and charging.
    pub shunt: Shunts<N>,
    /// What joins the nodes, at most one branch for two nodes: first those of the trees in the
    /// order of the nodes they lead to, then those that close loops.
    pub branches: Vec<Branch<N>>,
    /// How many of the branches belong to trees.
    pub tree_branches: usize,
    /// Voltage sources; each root has at least one.
    pub sources: Vec<SourceNode<N>>,
    /// Single-phase parts of loads, in the order of the network's loads.
    pub parts: Vec<Part>,
}

/// Constant admittances of the nodes that have one; most have none.
#[derive(Clone, Debug)]
pub struct Shunts<const N: usize> {
    at: Vec<u32>,
    blocks: Vec<Block<N>>,
}

impl<const N: usize> Shunts<N> {
    /// None at so many nodes.
    pub fn new(nodes: usize) -> Self {
        Self { at: vec![NONE; nodes], blocks: Vec::new() }
    }

    /// What a node has, siemens.
    pub fn get(&self, node: usize) -> Option<&Block<N>> {
        self.blocks.get(*self.at.get(node)? as usize)
    }

    /// Adds to what a node has, siemens.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn add(&mut self, node: usize, admittance: &Block<N>) {
        if *admittance == zero() {
            return;
        }
        let at = &mut self.at[node];
        if let Some(block) = self.blocks.get_mut(*at as usize) {
            add_to(block, admittance);
        } else {
            *at = self.blocks.len() as u32;
            self.blocks.push(*admittance);
        }
    }
}

/// What joins two nodes. Parents are `from`.
#[derive(Clone, Debug)]
pub struct Branch<const N: usize> {
    /// The lower number.
    pub from: u32,
    /// The higher number.
    pub to: u32,
    /// How they are coupled.
    pub coupling: Coupling<N>,
}

/// How two nodes are coupled.
#[derive(Clone, Debug)]
pub enum Coupling<const N: usize> {
    /// Series impedances of conductors that are alike, one for each of the `N` wires, ohm; with `N`
    /// = 1 any impedance. Most branches are that, and there may be very many.
    Alike {
        /// On the diagonal.
        own: Complex64,
        /// Beside it.
        mutual: Complex64,
    },
    /// A series impedance; charging is with the nodes' shunts. Where there is no conductor rows and
    /// columns are zero, and no current can flow.
    Series {
        /// Ohm.
        impedance: Box<Block<N>>,
        /// The wires that have a conductor. With `N` = 1 all three phases.
        wires: Wires,
    },
    /// Anything else: transformers, elements side by side, conductors that change places.
    TwoPort(Box<TwoPort<N>>),
}

/// Currents into both ends by the voltages there, siemens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoPort<const N: usize> {
    /// Current into `from` by the voltage there.
    pub ff: Block<N>,
    /// Current into `from` by the voltage at `to`.
    pub ft: Block<N>,
    /// Current into `to` by the voltage at `from`.
    pub tf: Block<N>,
    /// Current into `to` by the voltage there.
    pub tt: Block<N>,
}

impl<const N: usize> TwoPort<N> {
    /// Of a series admittance.
    pub fn series(admittance: Block<N>) -> Self {
        let across = negative(&admittance);
        Self { ff: admittance, ft: across, tf: across, tt: admittance }
    }

    /// With its ends exchanged.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { ff: self.tt, ft: self.tf, tf: self.ft, tt: self.ff }
    }

    /// Adds what stands beside it.
    pub fn add(&mut self, other: &Self) {
        add_to(&mut self.ff, &other.ff);
        add_to(&mut self.ft, &other.ft);
        add_to(&mut self.tf, &other.tf);
        add_to(&mut self.tt, &other.tt);
    }

    /// The currents into both ends, amperes.
    pub fn currents(&self, from: &Column<N>, to: &Column<N>) -> [Column<N>; 2] {
        let sum = |a: Column<N>, b: Column<N>| std::array::from_fn(|k| a[k] + b[k]);
        [
            sum(apply(&self.ff, from), apply(&self.ft, to)),
            sum(apply(&self.tf, from), apply(&self.tt, to)),
        ]
    }
}

impl<const N: usize> Coupling<N> {
    /// An impedance on the wires that have a conductor.
    pub fn series(impedance: Block<N>, wires: Wires) -> Self {
        if N == 1 {
            return Self::Alike { own: impedance[0][0], mutual: Complex64::ZERO };
        }
        Self::Series { impedance: Box::new(impedance), wires }
    }

    /// Its impedance, ohm, and the wires that have a conductor, if it is a series impedance.
    pub fn impedance(&self) -> Option<(Block<N>, Wires)> {
        match self {
            Self::Alike { own, mutual } => {
                let mut block = [[*mutual; N]; N];
                for (wire, row) in block.iter_mut().enumerate() {
                    row[wire] = *own;
                }
                Some((block, if N == 4 { Wires::ABCN } else { Wires::ABC }))
            }
            Self::Series { impedance, wires } => Some((**impedance, *wires)),
            Self::TwoPort(_) => None,
        }
    }

    /// As a two-port; none if the impedance has no inverse.
    pub fn two_port(&self) -> Option<TwoPort<N>> {
        if let Self::TwoPort(two_port) = self {
            return Some(**two_port);
        }
        let (impedance, wires) = self.impedance()?;
        series_admittance(&impedance, wires).map(TwoPort::series)
    }
}

/// The inverse of an impedance on the wires that have a conductor, zero elsewhere.
pub fn series_admittance<const N: usize>(impedance: &Block<N>, wires: Wires) -> Option<Block<N>> {
    let absent = |wire: usize| N > 1 && !wires.contains(Wire::ALL[wire]);
    let mut filled = *impedance;
    for wire in (0..N).filter(|&wire| absent(wire)) {
        filled[wire][wire] = Complex64::ONE;
    }
    let mut admittance = inverse(&filled)?;
    for wire in (0..N).filter(|&wire| absent(wire)) {
        admittance[wire][wire] = Complex64::ZERO;
    }
    Some(admittance)
}

/// A voltage source at a node.
#[derive(Clone, Debug)]
pub struct SourceNode<const N: usize> {
    /// Index into the network's sources.
    pub source: u32,
    /// At which node.
    pub node: u32,
    /// Voltage to earth behind the impedance, volts.
    pub voltage: Column<N>,
    /// Its impedance, ohm; zero if the voltage at the node is fixed.
    pub impedance: Block<N>,
    /// The inverse of its impedance, siemens; none if the voltage at the node is fixed.
    pub admittance: Option<Block<N>>,
}

impl<const N: usize> Circuit<N> {
    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.parent.len()
    }

    /// The numbers of the roots.
    pub fn roots(&self) -> impl Iterator<Item = u32> {
        (0..self.nodes() as u32).filter(|&node| self.parent[node as usize] == NONE)
    }

    /// Whether a wire of a node is one whose voltage is to be found.
    pub fn has_wire(&self, node: u32, wire: usize) -> bool {
        N == 1 || self.wires[node as usize].contains(Wire::ALL[wire])
    }

    /// Which conductors of a line no source reaches, though it reaches the line. The others have no
    /// current from them: they are open at both ends.
    pub(crate) fn dead_conductors(&self, line: &Line) -> [bool; 4] {
        let mut dead = [false; 4];
        if self.is_whole {
            return dead;
        }
        let ends = [(line.from_closed, &line.from), (line.to_closed, &line.to)];
        for (_, end) in ends.into_iter().filter(|it| it.0) {
            let node = self.node_of[end.node.index()];
            let Some(reached) = self.wires.get(node as usize) else { continue };
            for (dead, &wire) in dead.iter_mut().zip(end.wires.as_slice()) {
                let is_earthed = wire == Wire::Neutral && self.earthed.binary_search(&node).is_ok();
                *dead |= !reached.contains(wire) && !is_earthed;
            }
        }
        dead
    }
}
