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
        let flow = solve(&network, options);
        if let Ok(flow) = &flow {
            keep_taps(flow, &mut network);
        }
        results.push(read(step, &network, flow)?);
    }
    Ok(results)
}

/// Sets a network's taps to where a flow's regulators have left them.
pub fn keep_taps(flow: &Flow, network: &mut Network) {
    for &(transformer, winding, position) in &flow.taps {
        let windings = &mut network.transformers[transformer as usize].windings;
        if let Some(tap) = &mut windings[usize::from(winding)].tap {
            tap.position = position;
        }
    }
}
