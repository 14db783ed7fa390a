//! Loads and shunts of which a source does not reach all wires, or nothing earths the neutral.

use num_complex::Complex64;

use super::injection::{parts_between, shunt_admittance};
use crate::network::{Configuration, Connection, Fault, Load, Network, NodeId, Shunt, Wire, Wires};
use crate::topology::{Groups, Supply};

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
    let what = what_is_half_reached(network, load.connection.node, one, other);
    Some(Fault::new("load", &load.name, load.place, what))
}

/// What is wrong with a shunt between two wires of which a source or an earthed neutral reaches one
/// only, or that earths what is earth already.
pub(crate) fn misplaced_shunt(network: &Network, shunt: &Shunt, supply: &Supply) -> Option<Fault> {
    let node = shunt.connection.node;
    let group = supply.group[node.index()];
    let reached = supply.reached[group as usize];
    if *shunt.connection.wires.as_slice() == [Wire::Neutral] && supply.is_neutral_earthed(group) {
        let what = format!(
            "`n` of node `{}` is earth already, by its source or its neutral point: redundant grounding; leave \
             it out",
            network.nodes[node.index()].name
        );
        return Some(Fault::new("shunt", &shunt.name, shunt.place, what));
    }
    if reached.contains_all(shunt.connection.wires.set()) {
        return None;
    }
    let admittance = shunt_admittance(shunt).ok()?;
    let wires = shunt.connection.wires.as_slice();
    let coupled = |one: Wire, other: Wire| {
        admittance[one.index()][other.index()] != Complex64::ZERO
            && reached.contains(one)
            && !reached.contains(other)
    };
    let pairs = wires.iter().flat_map(|&one| wires.iter().map(move |&other| (one, other)));
    let (one, other) = pairs.into_iter().find(|&(one, other)| coupled(one, other))?;
    let what = what_is_half_reached(network, node, one, other);
    Some(Fault::new("shunt", &shunt.name, shunt.place, what))
}

fn what_is_half_reached(network: &Network, node: NodeId, one: Wire, other: Wire) -> String {
    let node = &network.nodes[node.index()].name;
    if other == Wire::Neutral {
        format!(
            "its current from `{one}` has no way back: no conductor leads from `n` of node \
             `{node}` to an earthed neutral point or a source; give the lines there a wire `n`, earth \
             the neutral point, or `n` itself"
        )
    } else {
        format!(
            "it stands between `{one}` and `{other}` of node `{node}`, but `{other}` is de-energised \
             there; give the lines there that wire, or leave it out"
        )
    }
}

/// Whether a source reaches all wires of the nodes that one reaches.
pub(crate) fn is_whole(network: &Network, supply: &Supply) -> bool {
    network.nodes.iter().zip(&supply.group).all(|(node, &group)| {
        !supply.is_live(group) || supply.reached[group as usize].contains_all(node.wires)
    })
}

/// What is wrong with wires that no source reaches: closed to a loop, the currents beside them
/// would drive one there, and they are taken to be open.
pub(crate) fn dead_loop(network: &Network, supply: &Supply) -> Option<Fault> {
    let joins = &supply.joins;
    let mut dead = DeadWires { supply, groups: Groups::new(supply.reached.len() * 4) };
    for (line, &joined) in network.lines.iter().zip(&joins.lines) {
        if line.from_closed
            && line.to_closed
            && !joined
            && let Err(what) = dead.join([&line.from, &line.to])
        {
            return Some(Fault::new("line", &line.name, line.place, what));
        }
    }
    for (switch, &joined) in network.switches.iter().zip(&joins.switches) {
        if switch.closed
            && !joined
            && let Err(what) = dead.join([&switch.from, &switch.to])
        {
            return Some(Fault::new("switch", &switch.name, switch.place, what));
        }
    }
    None
}

/// Wires that no source reaches, at nodes that one reaches, and what joins them.
struct DeadWires<'a> {
    supply: &'a Supply,
    /// Four for each group of nodes.
    groups: Groups,
}

impl DeadWires<'_> {
    /// The number of such a wire; none if a source reaches it, or not even the node.
    fn place(&self, connection: &Connection, wire: Wire) -> Option<u32> {
        let group = self.supply.group[connection.node.index()];
        let is_dead =
            self.supply.is_live(group) && !self.supply.reached[group as usize].contains(wire);
        is_dead.then_some(group * 4 + wire.index() as u32)
    }

    /// Joins them by the conductors of an element, unless that closes a loop.
    fn join(&mut self, [from, to]: [&Connection; 2]) -> Result<(), String> {
        for (&a, &b) in from.wires.as_slice().iter().zip(to.wires.as_slice()) {
            let (Some(at_a), Some(at_b)) = (self.place(from, a), self.place(to, b)) else {
                continue;
            };
            if self.groups.find(at_a) == self.groups.find(at_b) {
                return Err(format!(
                    "its conductor `{a}` closes a de-energised loop, in which the \
                     conductors beside it would drive a current; open it, or leave out wires that \
                     are not fed"
                ));
            }
            self.groups.join(at_a, at_b);
        }
        Ok(())
    }
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
            // From a phase that is dark nothing is drawn, against earth and against a neutral.
            [false, true] if against != Wire::Neutral => Some((against, wire)),
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
