//! Loads of which a source does not reach all wires, or nothing earths the neutral.

use num_complex::Complex64;

use super::injection::parts_between;
use crate::network::{Configuration, Connection, Fault, Load, Network, Wire, Wires};

/// What is wrong with a load of which only one of a part's two wires is reached; parts without
/// power are right, unless they may have some in a case.
pub(crate) fn half_reached_load(
    network: &Network,
    load: &Load,
    reached: Wires,
    has_cases: bool,
) -> Option<Fault> {
    let has_power = |slot: usize| load.power_va.get(slot).is_some_and(|it| *it != Complex64::ZERO);
    let is_used = |slot: usize| has_cases || has_power(slot);
    let (one, other) = half_reached(&load.connection, load.configuration, is_used, reached)?;
    let node = &network.nodes[load.connection.node.index()].name;
    let what = if other == Wire::Neutral {
        format!(
            "its current from `{one}` has no way back: no conductor leads from `n` of node \
             `{node}` to an earthed star point or a source; give the lines there a wire `n`, earth \
             the star point, or earth `n` by a shunt"
        )
    } else {
        format!(
            "it stands between `{one}` and `{other}` of node `{node}`, but no source reaches \
             `{other}` there; give the lines there that wire, or leave it out"
        )
    };
    Some(Fault::new("load", &load.name, load.place, what))
}

/// Two wires of a part of something, of which a source or an earthed neutral reaches the first
/// only; parts that `is_used` does not hold for are passed over.
fn half_reached(
    connection: &Connection,
    configuration: Configuration,
    is_used: impl Fn(usize) -> bool,
    reached: Wires,
) -> Option<(Wire, Wire)> {
    let wires = connection.wires.as_slice();
    if reached.contains_all(connection.wires.set()) {
        return None;
    }
    let Some(between) = parts_between(connection, configuration) else {
        let first = wires.iter().find(|&&wire| reached.contains(wire))?;
        return wires.iter().find(|&&wire| !reached.contains(wire)).map(|&other| (*first, other));
    };
    let used = between.as_slice().iter().enumerate().filter(|(slot, _)| is_used(*slot));
    let mut halves = used.filter_map(|(_, &(wire, against))| {
        let against = against?;
        match [wire, against].map(|wire| reached.contains(wire)) {
            [true, false] => Some((wire, against)),
            [false, true] => Some((against, wire)),
            _ => None,
        }
    });
    halves.next()
}

/// The phases from which a load would draw something, had a source reached them.
pub(crate) fn unreached(load: &Load, reached: Wires) -> Wires {
    let Some(between) = parts_between(&load.connection, load.configuration) else {
        let wires = load.connection.wires.as_slice().iter().copied();
        return wires.filter(|&wire| !reached.contains(wire)).collect();
    };
    let used = between.as_slice().iter().zip(&load.power_va);
    let used = used.filter(|(_, power)| **power != Complex64::ZERO);
    used.map(|((wire, _), _)| *wire).filter(|&wire| !reached.contains(wire)).collect()
}
