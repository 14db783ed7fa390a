//! Names that come twice, ends that make no element, islands.

use crate::circuit::{dead_loop, half_reached_load, is_whole, misplaced_shunt, unreached};
use crate::network::{Fault, Network, Place, Wires};
use crate::topology::{Groups, Supply, supply};

/// Reports every element whose name is missing, or another one's of its kind.
pub(super) fn names(network: &Network, found: &mut impl FnMut(Fault)) {
    unique("node", network.nodes.iter().map(|it| (&*it.name, it.place)), found);
    unique("line", network.lines.iter().map(|it| (&*it.name, it.place)), found);
    unique("transformer", network.transformers.iter().map(|it| (&*it.name, it.place)), found);
    unique("regulator", network.regulators.iter().map(|it| (&*it.name, it.place)), found);
    unique("switch", network.switches.iter().map(|it| (&*it.name, it.place)), found);
    unique("shunt", network.shunts.iter().map(|it| (&*it.name, it.place)), found);
    unique("source", network.sources.iter().map(|it| (&*it.name, it.place)), found);
    unique("load", network.loads.iter().map(|it| (&*it.name, it.place)), found);
}

fn unique<'a>(
    element: &'static str,
    names: impl Iterator<Item = (&'a str, Place)>,
    found: &mut impl FnMut(Fault),
) {
    let names: Vec<(&str, Place)> = names.collect();
    let mut sorted: Vec<u32> = (0..names.len() as u32).collect();
    sorted.sort_by_key(|&at| (names[at as usize].0, at));
    let mut twice: Vec<(u32, u32)> = sorted
        .windows(2)
        .filter(|pair| names[pair[0] as usize].0 == names[pair[1] as usize].0)
        .map(|pair| (pair[1], pair[0]))
        .collect();
    twice.extend(sorted.first().filter(|&&at| names[at as usize].0.is_empty()).map(|&at| (at, at)));
    twice.sort_unstable();
    for (at, before) in twice {
        let ((name, place), (_, before)) = (names[at as usize], names[before as usize]);
        if name.is_empty() {
            found(Fault::new(element, name, place, "it has no name"));
            continue;
        }
        let of_line = match before {
            Place(0) => String::new(),
            Place(line) => format!(" on line {line}"),
        };
        let what = format!("another {element}{of_line} has this name already");
        found(Fault::new(element, name, place, what));
    }
}

/// Reports the lines and switches whose ends are at the same node.
pub(super) fn ends(network: &Network, found: &mut impl FnMut(Fault)) {
    let mut report = |element, name: &str, place, node: crate::network::NodeId| {
        let what = format!("both its ends are at node `{}`", network.nodes[node.index()].name);
        found(Fault::new(element, name, place, what));
    };
    for line in network.lines.iter().filter(|it| it.from.node == it.to.node) {
        report("line", &line.name, line.place, line.from.node);
    }
    for switch in network.switches.iter().filter(|it| it.from.node == it.to.node) {
        report("switch", &switch.name, switch.place, switch.from.node);
    }
}

/// Remarks about loads that no source reaches, and reports loads whose current has no way back;
/// an error if impedances are missing in a loop. References have been checked.
pub(super) fn reach(network: &Network, found: &mut impl FnMut(Fault)) -> Result<Vec<Fault>, Fault> {
    let supply = supply(network)?;
    let mut remarks = islands(network, &supply);
    for load in network.loads.iter().filter(|load| load.connected) {
        let group = supply.group[load.connection.node.index()];
        let reached = supply.reached[group as usize];
        if !supply.is_live(group) || reached.contains_all(load.connection.wires.set()) {
            continue;
        }
        if let Some(fault) = half_reached_load(network, load, reached, false) {
            found(fault);
            continue;
        }
        let unreached = unreached(load, reached);
        if remarks.len() < super::MOST_LISTED && !unreached.is_empty() {
            let node = &network.nodes[load.connection.node.index()].name;
            let what = format!(
                "`{unreached}` of node `{node}` is de-energised: nothing is drawn from there"
            );
            remarks.push(Fault::new("load", &load.name, load.place, what));
        }
    }
    if !is_whole(network, &supply) {
        dead_loop(network, &supply).map(&mut *found);
    }
    shunts(network, &supply, found, &mut remarks);
    Ok(remarks)
}

/// Reports shunts that are between what is fed and what is not, and remarks about those that
/// only draw from what is not.
fn shunts(
    network: &Network,
    supply: &Supply,
    found: &mut impl FnMut(Fault),
    remarks: &mut Vec<Fault>,
) {
    for shunt in network.shunts.iter().filter(|shunt| shunt.connected) {
        let group = supply.group[shunt.connection.node.index()];
        if !supply.is_live(group) {
            continue;
        }
        if let Some(fault) = misplaced_shunt(network, shunt, supply) {
            found(fault);
            continue;
        }
        let reached = supply.reached[group as usize];
        let wires = shunt.connection.wires.as_slice().iter().copied();
        let unreached: Wires = wires.filter(|&wire| !reached.contains(wire)).collect();
        if remarks.len() < super::MOST_LISTED && !unreached.is_empty() {
            let node = &network.nodes[shunt.connection.node.index()].name;
            let what = format!(
                "`{unreached}` of node `{node}` is de-energised: nothing is drawn from there"
            );
            remarks.push(Fault::new("shunt", &shunt.name, shunt.place, what));
        }
    }
}

/// Remarks about islands that have loads, but no source.
fn islands(network: &Network, supply: &Supply) -> Vec<Fault> {
    let mut islands = Groups::new(supply.graph.nodes());
    for &(a, b) in supply.graph.ends() {
        islands.join(a, b);
    }
    let mut without: Vec<u32> = vec![0; supply.graph.nodes()];
    for load in network.loads.iter().filter(|load| load.connected) {
        let group = supply.group[load.connection.node.index()];
        if !supply.is_live(group) {
            without[islands.find(group) as usize] += 1;
        }
    }
    let mut remarks = Vec::new();
    for (index, &group) in supply.group.iter().enumerate() {
        let loads = std::mem::take(&mut without[islands.find(group) as usize]);
        if loads > 0 {
            let node = &network.nodes[index];
            let loads = if loads == 1 { "a load".to_owned() } else { format!("{loads} loads") };
            let what = format!("its island is de-energised and has {loads}: nothing is drawn");
            remarks.push(Fault::new("node", &node.name, node.place, what));
            if remarks.len() == super::MOST_LISTED {
                break;
            }
        }
    }
    remarks
}
