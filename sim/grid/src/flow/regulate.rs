//! Regulators: they move taps until the voltages at their relays are right.
//!
//! In a round every regulator outside its band moves by one position, in the order of the list;
//! then the network is solved again. A regulator that turns back comes to rest, so a band narrower
//! than a tap ends beside the set point instead of never.
//!
//! Those of `OpenDSS` scripts move towards their set points by several positions at once, those of
//! the shortest delay first ([`Pace::Towards`]), so that they end at the same taps as there.

use num_complex::Complex64;

use super::attempt::solve_as_it_stands;
use super::failure::Failure;
use super::options::Options;
use super::result::Flow;
use crate::block::magnitude;
use crate::network::{Network, Pace, Regulator, Winding, WindingKind, Wire};

/// More rounds than any regulator has positions.
const MOST_ROUNDS: u32 = 200;
/// From this round on those that move towards their set points rest, too, when they turn back.
const ROUNDS_OF_TURNS: u32 = 100;
/// How much of the way to its set point a regulator goes at once.
const SHARE_OF_WAY: f64 = 0.7;

pub(super) fn solve(network: &Network, options: &Options) -> Result<Flow, Failure> {
    let mut moved = network.clone();
    let mut last = vec![0_i32; network.regulators.len()];
    let mut resting = vec![false; network.regulators.len()];
    let mut iterations = 0;
    for round in 0..MOST_ROUNDS {
        let mut flow = solve_as_it_stands(&moved, options)?;
        iterations += flow.iterations;
        let mut moves = Vec::new();
        for (index, regulator) in network.regulators.iter().enumerate() {
            if !regulator.enabled || resting[index] {
                continue;
            }
            let step = wanted(&moved, &flow, regulator);
            let turns = step.signum() == -last[index].signum() && step != 0;
            let may_turn = regulator.pace != Pace::OneByOne && round < ROUNDS_OF_TURNS;
            if turns && !may_turn {
                resting[index] = true;
            } else if step != 0 && can_move(&moved, regulator, step) {
                moves.push((index, step));
            }
        }
        let delay = |index: usize| match network.regulators[index].pace {
            Pace::OneByOne => None,
            Pace::Towards { delay_s, .. } => Some(delay_s),
        };
        let shortest = moves.iter().filter_map(|it| delay(it.0)).fold(f64::INFINITY, f64::min);
        moves.retain(|it| delay(it.0).is_none_or(|delay_s| delay_s <= shortest));
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

/// Whether there is a position in this direction.
fn can_move(network: &Network, regulator: &Regulator, step: i32) -> bool {
    let windings = &network.transformers[regulator.transformer as usize].windings;
    windings[usize::from(regulator.winding)].tap.is_some_and(|tap| {
        (tap.lowest..=tap.highest).contains(&tap.position.saturating_add(step.signum()))
    })
}

/// Moves a tap as far as its range allows it.
fn apply(network: &mut Network, regulator: &Regulator, step: i32) -> bool {
    let windings = &mut network.transformers[regulator.transformer as usize].windings;
    let Some(tap) = &mut windings[usize::from(regulator.winding)].tap else { return false };
    let next = tap.position.saturating_add(step);
    let next = if step > 0 { next.min(tap.highest) } else { next.max(tap.lowest) };
    let allowed = next != tap.position && (tap.lowest..=tap.highest).contains(&next);
    if allowed {
        tap.position = next;
    }
    allowed
}

/// A regulator that came to the end of its taps before its relay saw a voltage within its band.
#[derive(Clone, Debug, PartialEq)]
pub struct AtItsEnd {
    /// Among the network's regulators.
    pub regulator: usize,
    /// Where its taps stand.
    pub position: i32,
    /// Whether that is the highest of them, and not the lowest.
    pub is_highest: bool,
    /// What its relay sees, V.
    pub voltage_v: f64,
}

/// The regulators that would move on in a solved network if they had more taps.
#[must_use]
pub fn at_their_ends(network: &Network, flow: &Flow) -> Vec<AtItsEnd> {
    let enabled = network.regulators.iter().enumerate().filter(|(_, it)| it.enabled);
    let at_its_end = |(index, own): (usize, &Regulator)| {
        let of = (own.transformer, own.winding);
        let windings = &network.transformers[own.transformer as usize].windings;
        let tap = windings[usize::from(own.winding)].tap?;
        let moved = flow.taps.iter().find(|it| (it.0, it.1) == of);
        let position = moved.map_or(tap.position, |it| it.2);
        let step = wanted(network, flow, own);
        let is_highest = step > 0;
        let end = if is_highest { tap.highest } else { tap.lowest };
        let voltage_v = relay_voltage_v(network, flow, own)?;
        (step != 0 && position == end).then_some(AtItsEnd {
            regulator: index,
            position,
            is_highest,
            voltage_v,
        })
    };
    enabled.filter_map(at_its_end).collect()
}

/// What the relay of a regulator sees, V; none where there is no voltage.
fn relay_voltage_v(network: &Network, flow: &Flow, regulator: &Regulator) -> Option<f64> {
    let node = &flow.nodes[regulator.node.index()];
    if !node.energized {
        return None;
    }
    let mut voltage = node.voltage_v[regulator.wire.index()];
    if let Some(against) = regulator.against {
        voltage -= node.voltage_v[against.index()];
    }
    voltage /= regulator.voltage_transformer_ratio;
    if let Some(it) = regulator.compensation {
        let at = usize::from(regulator.winding);
        let winding = &network.transformers[regulator.transformer as usize].windings[at];
        let conductor = winding.terminals().position(|wire| wire == regulator.wire);
        if let Some(conductor) = conductor {
            // What flows into the winding has the opposite sign of what goes to the loads.
            let current = flow.transformers[regulator.transformer as usize].windings[at].current_a
                [conductor.min(3)];
            let setting = Complex64::new(it.resistive_v, it.reactive_v);
            voltage += current / it.current_transformer_a * setting;
        }
    }
    Some(magnitude(voltage))
}

/// Volts across the phase of a winding that its taps are rated for.
fn phase_voltage_v(winding: &Winding) -> f64 {
    let phases = winding.connection.wires.as_slice().iter().filter(|it| **it != Wire::Neutral);
    let is_star = winding.kind != WindingKind::Delta && phases.count() > 1;
    winding.rated_voltage_v / if is_star { 3f64.sqrt() } else { 1.0 }
}

/// By how many positions, and in which direction, a regulator wants to move.
fn wanted(network: &Network, flow: &Flow, regulator: &Regulator) -> i32 {
    let transformer = &network.transformers[regulator.transformer as usize];
    let at = usize::from(regulator.winding);
    let winding = &transformer.windings[at];
    let Some(tap) = winding.tap else { return 0 };
    let Some(voltage_v) = relay_voltage_v(network, flow, regulator) else { return 0 };
    let off = voltage_v - regulator.set_point_v;
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
    let direction = if tap.step < 0.0 { -direction } else { direction };
    let Pace::Towards { most, .. } = regulator.pace else { return direction };
    // In per unit of the turns, as OpenDSS counts: ties go to the even number of positions.
    let missing_pu = off.abs() * regulator.voltage_transformer_ratio / phase_voltage_v(winding);
    let step = tap.step.abs();
    let whole = (missing_pu / step).round_ties_even() * step;
    if whole == 0.0 {
        return 0;
    }
    let count = (SHARE_OF_WAY * whole / step).trunc().max(1.0).min(f64::from(most));
    direction * count as i32
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
