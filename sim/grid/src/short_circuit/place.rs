//! Puts faults where they are: lines with a fault along them become two.

use std::borrow::Cow;

use num_complex::Complex64;

use super::along::split;
use super::{Fault, Kind, Location};
use crate::flow::Flow;
use crate::network::{self, Network, NodeId, Place};

pub(super) struct Short {
    pub(super) fault: usize,
    pub(super) kind: Kind,
    pub(super) node: NodeId,
    pub(super) impedance_ohm: Complex64,
}

pub(super) struct Open {
    pub(super) fault: usize,
    pub(super) wires: network::Wires,
    pub(super) line: u32,
    pub(super) share: f64,
    pub(super) impedance_ohm: Complex64,
}

/// A network with a node at the place of every short circuit.
pub(super) struct PlacedFaults<'a> {
    pub(super) network: Cow<'a, Network>,
    pub(super) short: Vec<Short>,
    pub(super) open: Vec<Open>,
    pub(super) count: usize,
    /// Lines that were split, and where their second parts are.
    parts: Vec<(usize, usize)>,
    /// How many nodes and lines there were.
    nodes: usize,
    lines: usize,
}

/// Describes what is wrong with a fault at this element.
pub(super) fn wrong(
    element: &'static str,
    name: &str,
    place: Place,
    what: impl Into<String>,
) -> network::Fault {
    network::Fault::new(element, name, place, format!("a fault there: {}", what.into()))
}

pub(super) fn place<'a>(
    network: &'a Network,
    faults: &[Fault],
) -> Result<PlacedFaults<'a>, network::Fault> {
    network::check_references(network)?;
    let mut placed = PlacedFaults {
        short: Vec::new(),
        open: Vec::new(),
        count: faults.len(),
        parts: Vec::new(),
        nodes: network.nodes.len(),
        lines: network.lines.len(),
        network: Cow::Borrowed(network),
    };
    let mut used: Vec<u32> = Vec::new();
    for (fault, it) in faults.iter().enumerate() {
        let z = it.impedance_ohm;
        match it.location {
            Location::Node(node) if node.index() < network.nodes.len() => {
                let at = &network.nodes[node.index()];
                let wrong = |what: &str| Err(wrong("node", &at.name, at.place, what));
                if !z.re.is_finite() || !z.im.is_finite() {
                    return wrong("its impedance is not finite");
                }
                if matches!(it.kind, Kind::OpenConductors(_)) {
                    return wrong("conductors are broken along a line; name the line");
                }
                placed.short.push(Short { fault, kind: it.kind, node, impedance_ohm: z });
            }
            Location::Node(node) => {
                let what = format!("there is no node {} of {}", node.0, network.nodes.len());
                return Err(wrong("network", &network.name, Place(0), what));
            }
            Location::Line { line, share } => {
                if used.contains(&line) {
                    let at = &network.lines[line as usize];
                    let what = "another one is along the same line; take one at a time";
                    return Err(wrong("line", &at.name, at.place, what));
                }
                placed.along(network, fault, it, (line, share))?;
                used.push(line);
            }
        }
    }
    Ok(placed)
}

impl PlacedFaults<'_> {
    fn along(
        &mut self,
        network: &Network,
        fault: usize,
        it: &Fault,
        (line, share): (u32, f64),
    ) -> Result<(), network::Fault> {
        let Some(at) = network.lines.get(line as usize) else {
            let what = format!("there is no line {line} of {}", network.lines.len());
            return Err(wrong("network", &network.name, Place(0), what));
        };
        let wrong = |what: String| Err(wrong("line", &at.name, at.place, what));
        if !(0.0..=1.0).contains(&share) {
            return wrong(format!("it is at {share} of the length, expected 0 to 1"));
        }
        let z = it.impedance_ohm;
        if !z.re.is_finite() || !z.im.is_finite() {
            return wrong("its impedance is not finite".into());
        }
        if let Kind::OpenConductors(wires) = it.kind {
            if wires.is_empty() || !at.from.wires.set().contains_all(wires) {
                return wrong("it breaks conductors that the line does not have".into());
            }
            self.open.push(Open { fault, wires, line, share, impedance_ohm: z });
            return Ok(());
        }
        let node = if share <= 0.0 {
            at.from.node
        } else if share >= 1.0 {
            at.to.node
        } else {
            let network = self.network.to_mut();
            self.parts.push((line as usize, network.lines.len()));
            split(network, line as usize, share)
        };
        self.short.push(Short { fault, kind: it.kind, node, impedance_ohm: z });
        Ok(())
    }

    /// Makes one result again of those of a line's parts, and leaves out the nodes between.
    pub(super) fn gather(&self, flow: &mut Flow) {
        for &(first, second) in &self.parts {
            flow.lines[first].to = flow.lines[second].to;
            let loadings = flow.lines[first].loading.zip(flow.lines[second].loading);
            flow.lines[first].loading = loadings.map(|(a, b)| a.max(b));
        }
        flow.lines.truncate(self.lines);
        flow.nodes.truncate(self.nodes);
    }
}
