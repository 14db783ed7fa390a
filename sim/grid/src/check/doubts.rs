//! Rated voltages that do not belong together: what can be solved, and is hardly meant.

use crate::network::{
    Configuration, Connection, Fault, Load, Network, Node, Place, Transformer, Winding,
    WindingKind, Wire,
};

/// How far a rated voltage may be off its node's: the highest voltage for equipment of IEC 60038 is
/// up to 1.2 times the nominal one. What is off by the root of three, or by a level, is beyond.
const MOST_OFF: f64 = 1.2;

/// How many of one kind of element are listed one by one.
const MOST_LISTED: usize = 5;

/// Lists the first doubts of each kind of element, and how many more there are. References have
/// been checked.
pub(super) fn doubts(network: &Network) -> Vec<Fault> {
    let mut found = Vec::new();
    let ends = |element, name: &str, place, (from, to): (&Connection, &Connection)| {
        let [from, to] = [from, to].map(|end| node(network, end));
        is_off(from.rated_voltage_v, to.rated_voltage_v).then(|| {
            let what = format!(
                "it joins node `{}` of {} V and node `{}` of {} V, expected the same rated voltage \
                 at both ends: mend the node's, or put a transformer between them",
                from.name,
                shown(from.rated_voltage_v),
                to.name,
                shown(to.rated_voltage_v)
            );
            Fault::new(element, name, place, what)
        })
    };
    let lines = network.lines.iter();
    some(&mut found, lines.filter_map(|it| ends("line", &it.name, it.place, (&it.from, &it.to))));
    let switches = network.switches.iter();
    let of_switch =
        |it: &crate::network::Switch| ends("switch", &it.name, it.place, (&it.from, &it.to));
    some(&mut found, switches.filter_map(of_switch));
    some(&mut found, network.transformers.iter().filter_map(|it| transformer(network, it)));
    let sources = network.sources.iter().filter(|it| it.connected);
    some(
        &mut found,
        sources.filter_map(|it| {
            let node = &network.nodes[it.node.index()];
            is_off(it.voltage_v, node.rated_voltage_v).then(|| {
                let what = format!(
                    "its voltage is {} V, and node `{}` is rated for {} V",
                    shown(it.voltage_v),
                    node.name,
                    shown(node.rated_voltage_v)
                );
                Fault::new("source", &it.name, it.place, what)
            })
        }),
    );
    let loads = network.loads.iter().filter(|it| it.connected);
    some(&mut found, loads.filter_map(|it| load(network, it)));
    found
}

/// Adds the first ones, and how many more there are.
fn some(found: &mut Vec<Fault>, mut of_kind: impl Iterator<Item = Fault>) {
    found.extend(of_kind.by_ref().take(MOST_LISTED));
    let more = of_kind.count();
    if let (1.., Some(last)) = (more, found.last().cloned()) {
        let what = format!("and {more} more like it");
        found.push(Fault { place: Place(0), what, ..last });
    }
}

fn node<'a>(network: &'a Network, connection: &Connection) -> &'a Node {
    &network.nodes[connection.node.index()]
}

fn is_off(own: f64, expected: f64) -> bool {
    // What is not above zero is a fault by itself.
    own > 0.0 && expected > 0.0 && !(1.0 / MOST_OFF..=MOST_OFF).contains(&(own / expected))
}

/// A voltage to the volt, or finer where it is low.
fn shown(volts: f64) -> f64 {
    if volts >= 100.0 { volts.round() } else { (volts * 100.0).round() / 100.0 }
}

fn transformer(network: &Network, own: &Transformer) -> Option<Fault> {
    own.windings.iter().find_map(|winding| {
        let node = node(network, &winding.connection);
        let expected = across(node, winding);
        let rated = winding.rated_voltage_v;
        is_off(rated, expected).then(|| {
            let what = format!(
                "a winding is rated for {} V and has {} V at node `{}`: the voltages behind it are \
                 off by as much; look at its plate and at the node's voltage",
                shown(rated),
                shown(expected),
                node.name
            );
            Fault::new("transformer", &own.name, own.place, what)
        })
    })
}

/// The rated voltage of a node as a winding there has it.
fn across(node: &Node, winding: &Winding) -> f64 {
    let wires = winding.connection.wires.as_slice();
    let phases = wires.iter().filter(|wire| **wire != Wire::Neutral).count();
    let is_to_earth = phases == 1 && winding.kind != WindingKind::Delta;
    node.rated_voltage_v / if is_to_earth { 3f64.sqrt() } else { 1.0 }
}

fn load(network: &Network, own: &Load) -> Option<Fault> {
    let node = node(network, &own.connection);
    let wires = own.connection.wires.as_slice();
    let is_to_earth = own.configuration != Configuration::Delta || wires.contains(&Wire::Neutral);
    let expected = node.rated_voltage_v / if is_to_earth { 3f64.sqrt() } else { 1.0 };
    is_off(own.rated_voltage_v, expected).then(|| {
        let between = if is_to_earth { "to earth" } else { "between lines" };
        let what = format!(
            "it is rated for {} V across each part and has {} V {between} at node `{}`: far from \
             its rated voltage it draws another power than the one written; look at its voltage",
            shown(own.rated_voltage_v),
            shown(expected),
            node.name
        );
        Fault::new("load", &own.name, own.place, what)
    })
}
