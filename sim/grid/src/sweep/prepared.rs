//! A circuit as the sweep wants it: rows in an order, pieces of them, and loops cut open.

use std::ops::Range;

use num_complex::Complex64;

use crate::block::{Block, Column};
use crate::network::Wires;

/// Where loads of constant impedance are seen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    /// In the matrices: fewer iterations, but these loads cannot change any more.
    InMatrix,
    /// As currents, like all other loads: they can change from case to case.
    Injected,
}

/// Why a circuit cannot be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepObstacle {
    /// It has this many loops, which are too many, or made by transformers.
    Loops(usize),
    /// A second source whose voltage is fixed is in the same tree, at this node.
    FixedSource(u32),
    /// A wire of this node is not fed along the tree, but by a loop, or by what earths it.
    Wire(u32),
    /// What is downstream of this node cannot be reduced to an admittance.
    Singular(u32),
}

/// A circuit prepared for sweeping.
#[derive(Clone, Debug)]
pub struct Sweep<const N: usize> {
    pub(super) constant: Constant,
    /// By root: the voltage behind the source's impedance. The first rows are these.
    pub(super) emf: Vec<Column<N>>,
    /// By row: the row towards the source.
    pub(super) parent: Vec<u32>,
    /// By row: one over the square of the rated voltage.
    pub(super) weight: Vec<f64>,
    /// By node: its wires.
    pub(super) wires: Vec<Wires>,
    /// All rows but those of the sources, piece by piece, in order.
    pub(super) items: Vec<Item>,
    /// Self impedances less the mutual ones, and mutual ones, of lines whose conductors are alike.
    pub(super) alike: Vec<[f64; 4]>,
    /// `B` of all other rows.
    pub(super) full: Vec<Block<N>>,
    /// For each of these the index of its `A` and `M`; [`NONE`] for identities.
    pub(super) slot: Vec<u32>,
    pub(super) through: Vec<TransferBlocks<N>>,
    /// By row: currents drawn by sources that are not at a tree's root.
    pub(super) injections: Vec<(u32, Column<N>)>,
    pub(super) loops: Option<Loops>,
}

/// What stands between a node and its parent if that is not an impedance alone.
#[derive(Clone, Debug)]
pub(super) struct TransferBlocks<const N: usize> {
    /// `-A`: the voltage that the parent's leaves here.
    pub(super) voltage: Block<N>,
    /// `-M`: the current that arrives at the parent.
    pub(super) current: Block<N>,
}

/// Consecutive rows that are swept together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
    /// Whether rows of later items are downstream, so that currents are added up at the end only.
    pub(super) trunk: bool,
    /// Where the figures of the first row are.
    pub(super) first_matrix: u32,
}

impl Item {
    pub(super) fn rows(&self) -> Range<usize> {
        self.first as usize..self.end as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Impedances of conductors that are alike.
    Alike,
    /// Impedances.
    Full,
    /// Anything.
    General,
}

/// A row that is on the way from a cut to a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) row: u32,
    /// Which step is its parent; [`NONE`] where a source is.
    pub(super) parent: u32,
    pub(super) kind: Kind,
    /// Where its figures are.
    pub(super) place: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Steps of both ends.
    pub(super) ends: [u32; 2],
    pub(super) wires: [bool; 4],
}

#[derive(Clone, Debug)]
pub(super) struct Loops {
    /// Parents first.
    pub(super) steps: Vec<Step>,
    pub(super) cuts: Vec<Cut>,
    /// Currents through the cuts by the voltages across them, siemens; row by row.
    pub(super) admittance: Vec<Complex64>,
}

/// Phasors of the wires of a node: real parts and imaginary ones, lane by lane.
pub(super) type Phasors<const N: usize, const W: usize> = [[[f64; W]; 2]; N];

pub(super) const fn nothing<const N: usize, const W: usize>() -> Phasors<N, W> {
    [[[0.0; W]; 2]; N]
}

impl<const N: usize> Sweep<N> {
    pub(super) fn row(&self, node: u32) -> u32 {
        node + self.emf.len() as u32
    }
}
