//! What flows: voltages, currents, powers and losses in steady state.
//!
//! [`solve`] makes the circuit, solves it, and works out the results of every element from the
//! voltages. Where it finds no solution it reports up to which share of the loads there is one,
//! and where voltages collapse.
//!
//! ```text
//! options, attempt, newton, nodal     the methods, tried one after another
//! regulate                            taps of regulators around them
//! continuation, load_breakpoints      which solution it is, and the pieces of load models
//! failure, grounding, rounding        why there is none, and what rounding alone may do
//!   -> result                         the results of each element
//! batch, series                       many cases, and one after another in time
//! ```

mod attempt;
mod batch;
mod continuation;
mod failure;
mod grounding;
mod load_breakpoints;
mod newton;
mod nodal;
mod options;
mod regulate;
mod result;
mod rounding;
mod series;

pub use attempt::solve_circuit;
pub use batch::{Batch, Case};
pub(crate) use failure::singular;
pub use failure::{Collapse, Failure};
pub(crate) use grounding::joined;
pub use nodal::Nodal;
pub use options::{Method, Options, Phases, Solved};
pub use regulate::{AtItsEnd, at_their_ends};
pub use result::{EndState, Flow, LineState, LoadState, NodeState, TransformerState};
pub(crate) use result::{node_state, of_wires, results};
pub use series::{series, solve_and_keep_taps};

use crate::network::Network;
use attempt::solve_as_it_stands;

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
