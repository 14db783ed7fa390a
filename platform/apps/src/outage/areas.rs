//! The tree of a network as its switches stand: what is downstream of what, element by element.
//!
//! Elements are sources, closed lines and switches, transformers and loads; a node is no element,
//! what supplies it is. An element is out when it passes nothing on, so an outage at one has
//! everything below it in the dark. Where the network is a ring the spanning tree of
//! [`lastmeter_grid::topology`] decides which way is upstream.

use std::collections::BTreeMap;

use lastmeter_grid::Network;
use lastmeter_grid::network::{Configuration, Load, Wire, Wires};
use lastmeter_grid::topology::{Graph, NONE};
use lastmeter_units::words;

words! {
    /// What can be out.
    pub enum ElementKind in files {
        /// A service: one load.
        Load = "load",
        /// A line or a cable.
        Line = "line",
        /// A closed switch, a fuse, a breaker.
        Switch = "switch",
        /// A transformer.
        Transformer = "transformer",
        /// An infeed with everything that it supplies.
        Source = "source",
    }
}

/// An element of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// What it is.
    pub kind: ElementKind,
    /// Its name in the model.
    pub name: Box<str>,
    /// The phases that it has.
    pub phases: Wires,
    /// The element that supplies it; none for sources. It comes earlier in [`Areas::elements`].
    pub parent: Option<u32>,
}

/// The elements that sources reach.
#[derive(Clone, Debug, Default)]
pub struct Areas {
    elements: Vec<Element>,
    loads: BTreeMap<Box<str>, u32>,
}

impl Areas {
    /// Of a network whose references were checked (every reader of files does so), with the
    /// switches as they stand in it.
    pub fn new(network: &Network) -> Self {
        let (ends, of_edge) = edges(network);
        let graph = Graph::new(network.nodes.len(), ends);
        let sources: Vec<_> = network.sources.iter().filter(|it| it.connected).collect();
        let roots: Vec<u32> = sources.iter().map(|source| source.node.0).collect();
        let forest = graph.forest(&roots);
        let mut elements = Vec::with_capacity(forest.order.len() + network.loads.len());
        for (number, &node) in forest.order.iter().enumerate() {
            let (edge, parent) = (forest.parent_edge[number], forest.parent[number]);
            let parent = (parent != NONE).then_some(parent);
            let (kind, name, phases) = if edge == NONE {
                let source = sources.iter().find(|source| source.node.0 == node);
                let name = source.map_or_else(Box::default, |source| source.name.clone());
                (ElementKind::Source, name, Wires::ABC)
            } else {
                of_edge[edge as usize].clone()
            };
            elements.push(Element { kind, name, phases, parent });
        }
        let mut loads = BTreeMap::new();
        for load in network.loads.iter().filter(|load| load.connected) {
            let parent = forest.number[load.connection.node.index()];
            if parent != NONE {
                loads.insert(load.name.clone(), elements.len() as u32);
                let (kind, name, phases) = (ElementKind::Load, load.name.clone(), phases_of(load));
                elements.push(Element { kind, name, phases, parent: Some(parent) });
            }
        }
        Self { elements, loads }
    }

    /// All elements; each comes after the one that supplies it.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The place of a load in [`Self::elements`]; none if no source reaches it.
    pub fn load(&self, name: &str) -> Option<u32> {
        self.loads.get(name).copied()
    }

    /// An element and all that supply it, from it on upstream.
    pub fn upstream(&self, element: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(element), |&at| self.elements[at as usize].parent)
    }
}

/// What an edge of the tree is.
type Branch = (ElementKind, Box<str>, Wires);

/// The nodes that closed lines, switches and transformers join, and what each of them is.
fn edges(network: &Network) -> (Vec<(u32, u32)>, Vec<Branch>) {
    let mut found: (Vec<_>, Vec<_>) = Default::default();
    let mut push = |ends: (u32, u32), kind, name: &str, wires: Wires| {
        found.0.push(ends);
        found.1.push((kind, name.into(), wires.common(Wires::ABC)));
    };
    for line in network.lines.iter().filter(|line| line.from_closed && line.to_closed) {
        let ends = (line.from.node.0, line.to.node.0);
        push(ends, ElementKind::Line, &line.name, line.from.wires.set());
    }
    for switch in network.switches.iter().filter(|switch| switch.closed) {
        let ends = (switch.from.node.0, switch.to.node.0);
        push(ends, ElementKind::Switch, &switch.name, switch.from.wires.set());
    }
    for it in &network.transformers {
        let closed = it.windings.iter().zip(&it.closed).filter(|(_, is_closed)| **is_closed);
        let nodes: Vec<u32> = closed.map(|(winding, _)| winding.connection.node.0).collect();
        // A winding is joined to the first one, so that three of them make no loop.
        for &other in nodes.iter().skip(1) {
            push((nodes[0], other), ElementKind::Transformer, &it.name, Wires::ABC);
        }
    }
    found
}

/// The phases on which a load draws power; all that it is connected to if it draws none.
fn phases_of(load: &Load) -> Wires {
    let wires = load.connection.wires.as_slice();
    let drawing = wires.iter().zip(&load.power_va).filter(|(_, power)| power.norm_sqr() > 0.0);
    let drawing: Wires = drawing.map(|(wire, _)| *wire).filter(|it| *it != Wire::Neutral).collect();
    let is_star = load.configuration == Configuration::Star;
    if is_star && !drawing.is_empty() {
        drawing
    } else {
        load.connection.wires.set().common(Wires::ABC)
    }
}
