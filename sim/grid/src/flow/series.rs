//! Quasi-static series: one steady state after another, as loads follow their profiles.

use super::{Failure, Flow, Options, solve};
use crate::network::Network;

/// Solves a network step by step. Before each step `change` sets what is different there: powers of
/// loads, switches, voltages of sources. Regulators begin each step where the last one left
/// their taps, so results depend on the order of the steps, and on nothing else. `read` takes from
/// each step what is wanted.
///
/// # Errors
/// The first that `read` returns; no step is solved after it.
pub fn series<R, E>(
    network: &Network,
    steps: usize,
    options: &Options,
    mut change: impl FnMut(usize, &mut Network),
    mut read: impl FnMut(usize, &Network, Result<Flow, Failure>) -> Result<R, E>,
) -> Result<Vec<R>, E> {
    let mut network = network.clone();
    let mut results = Vec::with_capacity(steps);
    for step in 0..steps {
        change(step, &mut network);
        let flow = solve_and_keep_taps(&mut network, options);
        results.push(read(step, &network, flow)?);
    }
    Ok(results)
}

/// Solves a network once and leaves the taps where its regulators have moved them: one step of a
/// [`series`], for who does not know all steps ahead.
///
/// # Errors
/// As [`solve`]; then nothing is changed.
pub fn solve_and_keep_taps(network: &mut Network, options: &Options) -> Result<Flow, Failure> {
    let flow = solve(network, options)?;
    for &(transformer, winding, position) in &flow.taps {
        let windings = &mut network.transformers[transformer as usize].windings;
        if let Some(tap) = &mut windings[usize::from(winding)].tap {
            tap.position = position;
        }
    }
    Ok(flow)
}
