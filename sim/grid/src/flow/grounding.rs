//! Loads against earth where nothing is earthed: their currents have no way back.
//!
//! A bare delta, or a star whose point is connected to nothing, feeds currents from wire to wire
//! only. What loads draw to earth there has to add up to zero, which those of constant power do at
//! no voltages, unless they happen to be alike on all phases.

use num_complex::Complex64;

use crate::network::{
    Configuration, Connection, Fault, Load, Network, Neutral, NodeId, ShuntAdmittance, WindingKind,
    Wire,
};
use crate::topology::Groups;

/// What is wrong with a load against earth at this node, or at one that conductors join to it, if
/// nothing that they join is earthed.
pub(super) fn missing(network: &Network, node: NodeId) -> Option<Fault> {
    let mut joined = joined(network);
    let zone = joined.find(node.0);
    let mut is_there = |connection: &Connection| joined.find(connection.node.0) == zone;
    if network.sources.iter().any(|it| it.connected && is_there(&Connection::abc(it.node)))
        || network.shunts.iter().any(|it| it.connected && earths(it) && is_there(&it.connection))
    {
        return None;
    }
    let mut winding_there = None;
    for transformer in &network.transformers {
        let windings = transformer.windings.iter().zip(&transformer.closed).enumerate();
        for (number, (winding, _)) in windings.filter(|(_, (_, closed))| **closed) {
            if !is_there(&winding.connection) {
                continue;
            }
            if is_earthed(winding.kind) {
                return None;
            }
            winding_there.get_or_insert((&transformer.name, number + 1, winding.kind));
        }
    }
    let (transformer, number, kind) = winding_there?;
    let is_to_earth = |load: &&Load| load.connected && is_against_earth(load);
    let at_node = |load: &&Load| load.connection.node == node;
    let mut loads = network.loads.iter().filter(is_to_earth);
    let load =
        loads.clone().find(at_node).or_else(|| loads.find(|load| is_there(&load.connection)))?;
    let what = format!(
        "its current has no way back: it draws from `{}` of node `{}` to earth, and nothing there \
         is earthed, as winding {number} of transformer `{transformer}` is {}; connect the load in \
         delta, or earth a neutral point",
        load.connection.wires,
        network.nodes[load.connection.node.index()].name,
        match kind {
            WindingKind::Delta => "a delta",
            WindingKind::Star(_) | WindingKind::Zigzag(_) => "a wye without earth",
        }
    );
    Some(Fault::new("load", &load.name, load.place, what))
}

/// Nodes that conductors join.
pub(crate) fn joined(network: &Network) -> Groups {
    let mut joined = Groups::new(network.nodes.len());
    for line in network.lines.iter().filter(|line| line.from_closed && line.to_closed) {
        joined.join(line.from.node.0, line.to.node.0);
    }
    for switch in network.switches.iter().filter(|switch| switch.closed) {
        joined.join(switch.from.node.0, switch.to.node.0);
    }
    joined
}

fn is_against_earth(load: &Load) -> bool {
    load.configuration == Configuration::Star
        && !load.connection.wires.set().contains(Wire::Neutral)
        && load.power_va.iter().any(|power| *power != Complex64::ZERO)
}

fn earths(shunt: &crate::network::Shunt) -> bool {
    match shunt.admittance {
        ShuntAdmittance::Sequence { y0_s, .. } => y0_s != Complex64::ZERO,
        ShuntAdmittance::Parts { configuration, .. } => configuration == Configuration::Star,
    }
}

fn is_earthed(kind: WindingKind) -> bool {
    match kind {
        WindingKind::Star(point) | WindingKind::Zigzag(point) => {
            // A neutral wire may be earthed elsewhere.
            !matches!(point, Neutral::Isolated)
        }
        WindingKind::Delta => false,
    }
}
