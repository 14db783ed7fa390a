//! What is wrong with a description: each fault with its element and its place.

use std::fmt;

use super::{Connection, Network, NodeId, Place, Wires};

/// One thing that is wrong with a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which kind of element: `line`, `transformer` and so on.
    pub element: &'static str,
    /// Its name.
    pub name: Box<str>,
    /// Where it was read.
    pub place: Place,
    /// What was found, and what was expected.
    pub what: String,
}

impl Fault {
    /// A fault of an element.
    pub fn new(element: &'static str, name: &str, place: Place, what: impl Into<String>) -> Self {
        Self { element, name: name.into(), place, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.0 > 0 {
            write!(f, "line {}: ", self.place.0)?;
        }
        write!(f, "{} `{}`: {}", self.element, self.name, self.what)
    }
}

impl std::error::Error for Fault {}

/// Whether every element refers to nodes, wires and elements that are there, and its lists have the
/// lengths they need: what everything that looks at a network relies on.
///
/// # Errors
/// The first element that does not.
pub fn check_references(network: &Network) -> Result<(), Fault> {
    let mut first = None;
    references(network, |fault| {
        first.get_or_insert(fault);
    });
    first.map_or(Ok(()), Err)
}

/// Every element of which that is not so, each with the first thing that is wrong with it.
pub(crate) fn references(network: &Network, mut found: impl FnMut(Fault)) {
    let mut report = |element, name: &str, place, wrong: Result<(), String>| {
        if let Err(what) = wrong {
            found(Fault::new(element, name, place, what));
        }
    };
    // Close together, as nodes are looked up all over the place; what is right is passed over here.
    let wires: Vec<Wires> = network.nodes.iter().map(|node| node.wires).collect();
    let is_right = |it: &Connection| {
        let (node, set) = (wires.get(it.node.index()), it.wires.set());
        !set.is_empty() && node.is_some_and(|node| node.contains_all(set))
    };
    for line in &network.lines {
        let alike = line.from.wires.set().len() == line.to.wires.set().len();
        let in_full = matches!(line.impedance, super::LineImpedance::Matrix { .. });
        if is_right(&line.from) && is_right(&line.to) && alike && !in_full {
            continue;
        }
        let wrong = both_ends(network, &line.from, &line.to).and_then(|()| matrices(line));
        report("line", &line.name, line.place, wrong);
    }
    for switch in &network.switches {
        let wrong = both_ends(network, &switch.from, &switch.to);
        report("switch", &switch.name, switch.place, wrong);
    }
    for transformer in &network.transformers {
        let wrong = windings(network, transformer);
        report("transformer", &transformer.name, transformer.place, wrong);
    }
    for regulator in &network.regulators {
        let transformer = network.transformers.get(regulator.transformer as usize);
        let winding = transformer.and_then(|it| it.windings.get(usize::from(regulator.winding)));
        let mut wrong = node(network, regulator.node);
        if winding.is_none_or(|winding| winding.tap.is_none()) {
            let what = "it names no winding with taps, expected one that it can move";
            wrong = wrong.and_then(|()| Err(what.to_owned()));
        }
        report("regulator", &regulator.name, regulator.place, wrong);
    }
    for shunt in &network.shunts {
        report("shunt", &shunt.name, shunt.place, connection(network, &shunt.connection));
    }
    for load in network.loads.iter().filter(|load| !is_right(&load.connection)) {
        report("load", &load.name, load.place, connection(network, &load.connection));
    }
    for source in &network.sources {
        report("source", &source.name, source.place, node(network, source.node));
    }
}

fn matrices(line: &super::Line) -> Result<(), String> {
    if let super::LineImpedance::Matrix { series_ohm, shunt_s } = &line.impedance {
        let wires = line.from.wires.as_slice().len();
        if series_ohm.size != wires || shunt_s.size != wires {
            return Err(format!(
                "its matrices have {} and {} rows, expected one for each of its {wires} wires",
                series_ohm.size, shunt_s.size
            ));
        }
    }
    Ok(())
}

fn node(network: &Network, id: NodeId) -> Result<(), String> {
    if id.index() < network.nodes.len() {
        return Ok(());
    }
    Err(format!("it refers to node {}, but there are {} nodes", id.0, network.nodes.len()))
}

fn connection(network: &Network, connection: &Connection) -> Result<(), String> {
    node(network, connection.node)?;
    let node = &network.nodes[connection.node.index()];
    let wires = connection.wires;
    if wires.as_slice().is_empty() {
        return Err(format!("it is connected to no wire of node `{}`", node.name));
    }
    match wires.as_slice().iter().find(|&&wire| !node.wires.contains(wire)) {
        None => Ok(()),
        Some(wire) => {
            Err(format!("it is connected to wire {wire} of node `{}`, which has none", node.name))
        }
    }
}

fn both_ends(network: &Network, from: &Connection, to: &Connection) -> Result<(), String> {
    connection(network, from)?;
    connection(network, to)?;
    let (at_from, at_to) = (from.wires.as_slice().len(), to.wires.as_slice().len());
    if at_from != at_to {
        return Err(format!("it has {at_from} wires at one end and {at_to} at the other"));
    }
    Ok(())
}

fn windings(network: &Network, transformer: &super::Transformer) -> Result<(), String> {
    let count = transformer.windings.len();
    if !(2..=3).contains(&count) {
        return Err(format!("it has {count} windings, expected two or three"));
    }
    for (what, found, expected) in [
        ("clock numbers", transformer.clock.len(), count - 1),
        ("breakers", transformer.closed.len(), count),
        ("short-circuit impedances", transformer.short_circuit_pu.len(), count * (count - 1) / 2),
    ] {
        if found != expected {
            return Err(format!("it has {found} {what}, expected {expected} for {count} windings"));
        }
    }
    let mut phases = None;
    for winding in &transformer.windings {
        connection(network, &winding.connection)?;
        let wires = winding.connection.wires.as_slice().len();
        let delta = winding.kind == super::WindingKind::Delta;
        let of_winding = match (wires, delta) {
            (3, _) => 3,
            (1, false) | (2, true) => 1,
            _ => {
                let kind = if delta { "delta" } else { "wye or zigzag" };
                return Err(format!("its {kind} winding is connected to {wires} wires"));
            }
        };
        if *phases.get_or_insert(of_winding) != of_winding {
            return Err("one of its windings has three phases, another has one".into());
        }
    }
    Ok(())
}
