//! Regulators: they move taps, position by position, until the voltages at their relays are right.
//!
//! In a round every regulator outside its band moves by one position, in the order of the list;
//! then the network is solved again. A regulator that turns back comes to rest, so a band narrower
//! than a tap ends beside the set point instead of never.

use num_complex::Complex64;

use super::{Failure, Flow, Options, solve_as_it_stands};
use crate::block::magnitude;
use crate::network::{Network, Regulator};

/// More rounds than any regulator has positions.
const MOST_ROUNDS: u32 = 200;

pub(super) fn solve(network: &Network, options: &Options) -> Result<Flow, Failure> {
    let mut moved = network.clone();
    let mut last = vec![0_i32; network.regulators.len()];
    let mut resting = vec![false; network.regulators.len()];
    let mut iterations = 0;
    for _ in 0..MOST_ROUNDS {
        let mut flow = solve_as_it_stands(&moved, options)?;
        iterations += flow.iterations;
        let mut moves = Vec::new();
        for (index, regulator) in network.regulators.iter().enumerate() {
            if !regulator.enabled || resting[index] {
                continue;
            }
            let step = wanted(&moved, &flow, regulator);
            if step == -last[index] && step != 0 {
                resting[index] = true;
            } else if step != 0 {
                moves.push((index, step));
            }
        }
        let mut any = false;
        for (index, step) in moves {
            any |= apply(&mut moved, &network.regulators[index], step);
            last[index] = step;
        }
        if !any {
            flow.iterations = iterations;
            flow.taps = changed(network, &moved);
            return Ok(flow);
        }
    }
    let name = network.regulators.iter().find(|it| it.enabled).map(|it| it.name.clone());
    Err(Failure::Regulators { rounds: MOST_ROUNDS, name: name.unwrap_or_default() })
}

/// Moves a tap if its range allows it.
fn apply(network: &mut Network, regulator: &Regulator, step: i32) -> bool {
    let winding = network
        .transformers
        .get_mut(regulator.transformer as usize)
        .and_then(|it| it.windings.get_mut(usize::from(regulator.winding)));
    let Some(tap) = winding.and_then(|it| it.tap.as_mut()) else { return false };
    let next = tap.position.saturating_add(step);
    let allowed = (tap.lowest..=tap.highest).contains(&next);
    if allowed {
        tap.position = next;
    }
    allowed
}

/// By how many positions, and in which direction, a regulator wants to move: -1, 0 or 1.
fn wanted(network: &Network, flow: &Flow, regulator: &Regulator) -> i32 {
    let transformer = &network.transformers[regulator.transformer as usize];
    let at = usize::from(regulator.winding);
    let winding = &transformer.windings[at];
    let Some(tap) = winding.tap else { return 0 };
    let node = &flow.nodes[regulator.node.index()];
    if !node.energized {
        return 0;
    }
    let mut voltage = node.voltage_v[regulator.wire.index()];
    if let Some(against) = regulator.against {
        voltage -= node.voltage_v[against.index()];
    }
    voltage /= regulator.voltage_transformer_ratio;
    if let Some(it) = regulator.compensation {
        let conductor = winding.terminals().position(|wire| wire == regulator.wire);
        if let Some(conductor) = conductor {
            // What flows into the winding has the opposite sign of what goes to the loads.
            let current = flow.transformers[regulator.transformer as usize].windings[at].current_a
                [conductor.min(3)];
            let setting = Complex64::new(it.resistive_v, it.reactive_v);
            voltage += current / it.current_transformer_a * setting;
        }
    }
    let off = magnitude(voltage) - regulator.set_point_v;
    if !off.is_finite() || off.abs() <= 0.5 * regulator.bandwidth_v {
        return 0;
    }
    // More turns on the winding that is looked at raise its voltage, more on another one lower it.
    let other = transformer
        .windings
        .iter()
        .enumerate()
        .any(|(index, winding)| index != at && winding.connection.node == regulator.node);
    let raises = winding.connection.node == regulator.node || (!other && at > 0);
    let direction = if off < 0.0 { 1 } else { -1 };
    let direction = if raises { direction } else { -direction };
    if tap.step < 0.0 { -direction } else { direction }
}

fn changed(before: &Network, after: &Network) -> Vec<(u32, u8, i32)> {
    let mut taps = Vec::new();
    for (index, (a, b)) in before.transformers.iter().zip(&after.transformers).enumerate() {
        for (winding, (a, b)) in a.windings.iter().zip(&b.windings).enumerate() {
            if let (Some(a), Some(b)) = (a.tap, b.tap)
                && a.position != b.position
            {
                taps.push((index as u32, winding as u8, b.position));
            }
        }
    }
    taps
}
