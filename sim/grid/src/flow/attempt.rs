//! Solves a network whose taps stay where they are, by one method after another.

use num_complex::Complex64;

use super::failure::{self, Failure, singular};
use super::nodal::Nodal;
use super::options::{Method, Options, Phases, Solved, largest_change};
use super::result::{Flow, results};
use super::{continuation, newton};
use crate::circuit::{Circuit, Compilation, compile};
use crate::network::{Network, Wire};
use crate::sweep::{Constant, Loads, Sweep};

pub(super) fn solve_as_it_stands(network: &Network, options: &Options) -> Result<Flow, Failure> {
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
    fixed: &Compilation<N>,
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
    fixed: &Compilation<N>,
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
    fixed: &Compilation<N>,
    options: &Options,
) -> Result<Solved<N>, Failure> {
    let circuit = &fixed.circuit;
    let mut doubtful = None;
    let never_sure = continuation::has_negative_impedance(circuit);
    let is_sure = |it: &Solved<N>| !never_sure && continuation::is_sure(it.iterations, options);
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
            && continuation::is_determined_at(circuit, &mut nodal, &start, &solved.voltages)
        {
            return Ok(solved);
        }
        doubtful = Some(solved).filter(|it| it.converged);
    }
    let reached = continuation::from_no_load(circuit, &start, options);
    if reached.is_stuck {
        let reached = (options.tolerance_pu, None);
        return Err(failure::unreachable(network, circuit, start, reached));
    }
    if reached.share < 1.0 {
        return Err(failure::collapse(network, circuit, &mut nodal, &start, reached));
    }
    let same = |it: &Solved<N>| {
        largest_change(circuit, &it.voltages, &reached.voltages) <= continuation::SAME_PU
    };
    Ok(doubtful.filter(same).unwrap_or_else(|| reached.into_solved()))
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
