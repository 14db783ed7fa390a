//! What flows: voltages, currents, powers and losses in steady state.
//!
//! [`solve`] makes the circuit, solves it, and works out the results of every element from the
//! voltages. Where it finds no solution it says up to which share of the loads there is one, and
//! where voltages collapse.

mod batch;
mod failure;
mod newton;
mod nodal;
mod pieces;
mod regulate;
mod result;
mod rounding;
mod series;
mod walk;
mod way_back;

use num_complex::Complex64;

pub use batch::{Batch, Case};
pub(crate) use failure::singular;
pub use failure::{Collapse, Failure};
pub use nodal::Nodal;
pub use regulate::{AtItsEnd, at_their_ends};
pub use result::{EndState, Flow, LineState, LoadState, NodeState, TransformerState};
pub(crate) use result::{node_state, results};
pub use series::series;

use crate::block::{Column, magnitude};
use crate::circuit::{Circuit, EARTH, Fixed, compile};
use crate::network::{Fault, Network, Wire};
use crate::sweep::{Constant, Loads, Sweep};

/// Which wires are solved for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phases {
    /// Each phase by itself, and the neutral where there is one.
    #[default]
    All,
    /// The positive sequence only: for networks of three phases that are loaded alike, or to see
    /// the mean of their phases.
    Balanced,
}

/// How it is solved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Whatever is best for the network: a sweep for trees and few loops, currents with a factored
    /// matrix for others, Newton where they do not converge.
    #[default]
    Auto,
    /// Forward and backward along the tree ([`crate::sweep`]).
    Sweep,
    /// Loads as currents that are corrected until they fit; the matrix is factored once.
    CurrentInjection,
    /// Newton's method: a matrix for each step, also for networks close to collapse.
    Newton,
}

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Which wires.
    pub phases: Phases,
    /// How.
    pub method: Method,
    /// It is solved when no voltage changes by more than this any more, per unit of the rated one.
    pub tolerance_pu: f64,
    /// After how many iterations a method is given up.
    pub most_iterations: u32,
    /// Whether regulators that are enabled move their taps.
    pub regulate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            phases: Phases::All,
            method: Method::Auto,
            tolerance_pu: 1e-8,
            most_iterations: 60,
            regulate: true,
        }
    }
}

/// What a method has come to.
#[derive(Clone, Debug)]
pub struct Solved<const N: usize> {
    /// Of each node: voltages to earth, volts.
    pub voltages: Vec<Column<N>>,
    /// How many iterations it took.
    pub iterations: u32,
    /// Whether voltages stood still in the end.
    pub converged: bool,
    /// Which method it was.
    pub method: Method,
}

/// Solves the power flow of a network.
///
/// # Errors
/// If the network cannot be made a circuit, there is no solution, or numbers have too few digits
/// for it.
pub fn solve(network: &Network, options: &Options) -> Result<Flow, Failure> {
    if options.regulate && network.regulators.iter().any(|it| it.enabled) {
        return regulate::solve(network, options);
    }
    solve_as_it_stands(network, options)
}

fn solve_as_it_stands(network: &Network, options: &Options) -> Result<Flow, Failure> {
    if options.phases == Phases::Balanced {
        return solve_compiled(network, &compile::<1>(network)?, options);
    }
    if network.nodes.iter().any(|node| node.wires.contains(Wire::Neutral)) {
        return solve_compiled(network, &compile::<4>(network)?, options);
    }
    solve_compiled(network, &compile::<3>(network)?, options)
}

fn solve_compiled<const N: usize>(
    network: &Network,
    fixed: &Fixed<N>,
    options: &Options,
) -> Result<Flow, Failure> {
    let solved = solve_circuit(network, fixed, options)?;
    let drawn = vec![[Complex64::ZERO; 4]; network.nodes.len()];
    let flow = results(network, fixed, &solved, drawn)?;
    failure::is_exact(network, &flow, options)?;
    Ok(flow)
}

/// Solves a circuit; `network` is asked for names only. The solution is the one that loads lead to
/// when they grow from nothing.
///
/// # Errors
/// If there is no solution, or none within the tolerance: where rounding keeps voltages from
/// standing still, no load is too much.
pub fn solve_circuit<const N: usize>(
    network: &Network,
    fixed: &Fixed<N>,
    options: &Options,
) -> Result<Solved<N>, Failure> {
    let failed = match attempt(network, fixed, options) {
        Ok(solved) => return Ok(solved),
        Err(failed) => failed,
    };
    if !matches!(failed, Failure::Collapse(_) | Failure::Tolerance { .. }) {
        return Err(failed);
    }
    let (circuit, tolerance_pu) = (&fixed.circuit, options.tolerance_pu);
    for coarser_pu in failure::coarser(tolerance_pu) {
        let coarser = Options { tolerance_pu: coarser_pu, ..*options };
        if let Ok(solved) = attempt(network, fixed, &coarser) {
            let reached = (tolerance_pu, Some(coarser_pu));
            return Err(failure::unreachable(network, circuit, solved.voltages, reached));
        }
    }
    Err(failed)
}

/// The same within this tolerance only.
fn attempt<const N: usize>(
    network: &Network,
    fixed: &Fixed<N>,
    options: &Options,
) -> Result<Solved<N>, Failure> {
    let circuit = &fixed.circuit;
    let mut doubtful = None;
    let never_sure = walk::has_negative_impedance(circuit);
    let is_sure = |it: &Solved<N>| !never_sure && walk::is_sure(it.iterations, options);
    if matches!(options.method, Method::Auto | Method::Sweep)
        && let Some(solved) = swept(circuit, options)
        && solved.converged
    {
        if is_sure(&solved) {
            return Ok(solved);
        }
        doubtful = Some(solved);
    }
    let mut nodal = Nodal::new(circuit).map_err(|at| singular(network, circuit, at))?;
    let start = nodal.without_load();
    if doubtful.is_none() && options.method != Method::Newton {
        let solved = nodal.solve(circuit, start.clone(), options);
        if solved.converged && is_sure(&solved) {
            return Ok(solved);
        }
        doubtful = Some(solved).filter(|it| it.converged);
    }
    if doubtful.is_none() && options.method != Method::CurrentInjection {
        let solved = newton::solve(circuit, start.clone(), options);
        if solved.converged
            && !never_sure
            && walk::is_sure_at(circuit, &mut nodal, &start, &solved.voltages)
        {
            return Ok(solved);
        }
        doubtful = Some(solved).filter(|it| it.converged);
    }
    let walk = walk::up(circuit, &start, options);
    if walk.is_stuck {
        let reached = (options.tolerance_pu, None);
        return Err(failure::unreachable(network, circuit, start, reached));
    }
    if walk.share < 1.0 {
        return Err(failure::collapse(network, circuit, &mut nodal, &start, walk));
    }
    let same =
        |it: &Solved<N>| largest_change(circuit, &it.voltages, &walk.voltages) <= walk::SAME_PU;
    Ok(doubtful.filter(same).unwrap_or_else(|| walk.into_solved()))
}

/// By a sweep; none if the circuit cannot be swept.
fn swept<const N: usize>(circuit: &Circuit<N>, options: &Options) -> Option<Solved<N>> {
    let sweep = Sweep::new(circuit, Constant::InMatrix).ok()?;
    let loads = Loads::<N, 1>::new(circuit, &sweep);
    let mut state = sweep.state();
    let outcome = sweep.solve(&loads, &mut state, options.tolerance_pu, options.most_iterations);
    drop(loads);
    Some(Solved {
        voltages: sweep.into_voltages(state),
        iterations: outcome.iterations,
        converged: outcome.converged,
        method: Method::Sweep,
    })
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Description(fault)
    }
}

/// Adds the currents that the parts of loads draw from the nodes, amperes; constant admittances
/// are left out if they are in the matrix.
fn add_drawn<const N: usize>(
    circuit: &Circuit<N>,
    voltages: &[Column<N>],
    but_constant: bool,
    sign: f64,
    into: &mut [Column<N>],
) {
    for part in &circuit.parts {
        if but_constant && part.is_constant() {
            continue;
        }
        let at = &voltages[part.node as usize];
        let (wire, against) = (usize::from(part.wire), usize::from(part.against));
        let mut across = at[wire];
        if part.against != EARTH {
            across -= at[against];
        }
        let current = part.current(across) * sign;
        let into = &mut into[part.node as usize];
        into[wire] += current;
        if part.against != EARTH {
            into[against] -= current;
        }
    }
    // What is not there draws nothing.
    for (node, into) in into.iter_mut().enumerate() {
        for (wire, current) in into.iter_mut().enumerate() {
            if !circuit.has_wire(node as u32, wire) {
                *current = Complex64::ZERO;
            }
        }
    }
}

/// The largest change of any voltage per unit of its rated one.
fn largest_change<const N: usize>(
    circuit: &Circuit<N>,
    before: &[Column<N>],
    after: &[Column<N>],
) -> f64 {
    let mut largest = 0.0_f64;
    for ((a, b), rated) in before.iter().zip(after).zip(&circuit.rated_voltage_v) {
        for (a, b) in a.iter().zip(b) {
            let change = magnitude(a - b) / rated;
            // A change that is not a number must not pass for none.
            if !change.is_finite() {
                return f64::INFINITY;
            }
            largest = largest.max(change);
        }
    }
    largest
}
