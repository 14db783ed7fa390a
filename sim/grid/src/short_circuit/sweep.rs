//! Every fault at every node.

use num_complex::Complex64;

use super::paths::Branches;
use super::place::wrong;
use super::{Kind, Options, circuit_before, wires};
use crate::block::{Column, apply};
use crate::circuit::Circuit;
use crate::flow::{self, Failure, Nodal, of_wires};
use crate::network::{Network, NodeId, Place};
use crate::topology::NONE;

/// What flows in faults at every node, one at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The faults.
    pub kinds: Vec<Kind>,
    /// Of each node of the network: its place in the lists below; [`NONE`] if no source reaches it.
    pub number: Vec<u32>,
    /// Of each place: the voltages before the fault, volts.
    pub before_v: Vec<[Complex64; 4]>,
    /// Of each place, kind by kind: the current into the fault, amperes, and the voltages that are
    /// left there, volts. None where a wire is missing, or nothing limits the current.
    pub at: Vec<Option<AtNode>>,
}

/// A fault at a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtNode {
    /// Current into the fault from each wire, amperes.
    pub current_a: [Complex64; 4],
    /// Voltage of each wire to earth, volts.
    pub voltage_v: [Complex64; 4],
}

impl Sweep {
    /// A fault at a node, by its place in [`Sweep::kinds`].
    pub fn fault(&self, node: NodeId, kind: usize) -> Option<&AtNode> {
        let number = *self.number.get(node.index())?;
        if number == NONE || kind >= self.kinds.len() {
            return None;
        }
        self.at.get(number as usize * self.kinds.len() + kind)?.as_ref()
    }
}

/// Each of these faults at each node, with this impedance. The nodal matrix is factored once.
///
/// # Errors
/// What stops a power flow; broken conductors, and with [`flow::Phases::Balanced`] anything but
/// three phases.
pub fn sweep(
    network: &Network,
    kinds: &[Kind],
    impedance_ohm: Complex64,
    options: &Options,
) -> Result<Sweep, Failure> {
    match wires(network, options) {
        1 => compiled::<1>(network, kinds, impedance_ohm, options),
        3 => compiled::<3>(network, kinds, impedance_ohm, options),
        _ => compiled::<4>(network, kinds, impedance_ohm, options),
    }
}

fn compiled<const N: usize>(
    network: &Network,
    kinds: &[Kind],
    impedance_ohm: Complex64,
    options: &Options,
) -> Result<Sweep, Failure> {
    let refused = |what: String| wrong("network", &network.name, Place(0), what);
    if !impedance_ohm.re.is_finite() || !impedance_ohm.im.is_finite() {
        return Err(refused("its impedance is not finite".into()).into());
    }
    let branches: Vec<Branches<N>> = kinds
        .iter()
        .map(|&kind| {
            Branches::new(kind, impedance_ohm)
                .ok_or_else(|| refused(format!("{kind:?} cannot be at every node of it")))
        })
        .collect::<Result<_, _>>()?;
    let fixed = circuit_before::<N>(network, options)?;
    let circuit = &fixed.circuit;
    let mut nodal = Nodal::new(circuit).map_err(|at| flow::singular(network, circuit, at))?;
    let before = nodal.without_load();
    let seen = nodal.matrix.selected_inverse(&nodal.symbolic);
    let mut at = Vec::with_capacity(circuit.nodes() * kinds.len());
    for node in 0..circuit.nodes() as u32 {
        let before = &before[node as usize];
        let mut seen = *seen.diagonal(&nodal.symbolic, node);
        if nodal.is_fixed(node) {
            seen = crate::block::zero();
        }
        at.extend(branches.iter().map(|it| at_node(circuit, node, it, &seen, before)));
    }
    Ok(Sweep {
        kinds: kinds.to_vec(),
        number: circuit.node_of.clone(),
        before_v: before.iter().map(of_wires).collect(),
        at,
    })
}

fn at_node<const N: usize>(
    circuit: &Circuit<N>,
    node: u32,
    branches: &Branches<N>,
    seen: &crate::block::Block<N>,
    before: &Column<N>,
) -> Option<AtNode> {
    let branches = branches.at(circuit, node)?;
    let current = branches.current(seen, before)?;
    let change = apply(seen, &current);
    let voltage: Column<N> = std::array::from_fn(|wire| before[wire] - change[wire]);
    Some(AtNode { current_a: of_wires(&current), voltage_v: of_wires(&voltage) })
}
