//! What closed switches make one, and which wires a source reaches.

use num_complex::Complex64;

use super::{Graph, Groups};
use crate::network::{
    Connection, Fault, Line, LineImpedance, Network, Switch, Transformer, Wire, Wires,
};

/// What an edge of the graph is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Index into the network's lines.
    Line(u32),
    /// Index into the network's transformers, and two of its windings.
    Transformer {
        /// The transformer.
        index: u32,
        /// One winding, from 0.
        from: u8,
        /// Another one.
        to: u8,
    },
    /// A closed switch that does not make its ends one, as each of them has wires of its own.
    Switch(u32),
}

/// A network after its switches were seen to: groups of nodes that are one, and what joins them.
#[derive(Clone, Debug)]
pub struct Supply {
    /// The group of each node.
    pub group: Vec<u32>,
    /// Of each group: the wires whose voltage is to be found, as a source, or a transformer behind
    /// one, reaches them; a neutral also if something earths it. All other wires are as if they
    /// were ideally earthed, also the neutral at the node of a source.
    pub wires: Vec<Wires>,
    /// Of each group: whether a source reaches it at all.
    pub live: Vec<bool>,
    /// The groups at which sources are, in the order of the sources that are connected.
    pub roots: Vec<u32>,
    /// What joins the groups, between which; also where no source is.
    pub graph: Graph,
    /// What each edge of the graph is.
    pub elements: Vec<Element>,
    /// Of each switch: whether its ends are one.
    pub switch_joins: Vec<bool>,
    /// Of each line: whether its ends are one, as it is closed and has no series impedance.
    pub line_joins: Vec<bool>,
}

/// Sees to the switches of a network whose references were checked
/// ([`crate::network::check_references`]).
///
/// # Errors
/// If a switch or a line without impedance closes a loop that has none: nothing would tell how
/// currents divide.
pub fn supply(network: &Network) -> Result<Supply, Fault> {
    let mut joined = Joined::new(network);
    let mut switch_joins = Vec::with_capacity(network.switches.len());
    for switch in &network.switches {
        switch_joins.push(joined.switch(switch)?);
    }
    let mut line_joins = Vec::with_capacity(network.lines.len());
    for line in &network.lines {
        line_joins.push(joined.line(line)?);
    }
    let (group, count) = joined.numbered();
    let mut edges = Edges {
        group: &group,
        ends: Vec::with_capacity(network.lines.len() + network.transformers.len()),
        elements: Vec::with_capacity(network.lines.len() + network.transformers.len()),
        reach: Groups::new(count * 4),
    };
    for (index, line) in network.lines.iter().enumerate() {
        if line.from_closed && line.to_closed && !line_joins[index] {
            edges.conductors(Element::Line(index as u32), &line.from, &line.to);
        }
    }
    for (index, switch) in network.switches.iter().enumerate() {
        if switch.closed && !switch_joins[index] {
            edges.conductors(Element::Switch(index as u32), &switch.from, &switch.to);
        }
    }
    for (index, transformer) in network.transformers.iter().enumerate() {
        edges.transformer(index as u32, transformer);
    }
    let Edges { ends, elements, mut reach, .. } = edges;

    let sources = network.sources.iter().filter(|source| source.connected);
    let roots: Vec<u32> = sources.map(|source| group[source.node.index()]).collect();
    let graph = Graph::new(count, ends);
    let forest = graph.forest(&roots);
    let live: Vec<bool> = forest.number.iter().map(|&number| number != super::NONE).collect();
    let mut fed = vec![false; count * 4];
    for (&root, wire) in roots.iter().flat_map(|root| Wire::ALL.map(|wire| (root, wire))) {
        fed[reach.find(wire_at(root, wire)) as usize] = true;
    }
    for shunt in network.shunts.iter().filter(|shunt| shunt.connected) {
        if *shunt.connection.wires.as_slice() == [Wire::Neutral] {
            let group = group[shunt.connection.node.index()];
            fed[reach.find(wire_at(group, Wire::Neutral)) as usize] = true;
        }
    }
    let mut wires: Vec<Wires> = (0..count as u32)
        .map(|group| {
            let fed = |wire: &Wire| fed[reach.find(wire_at(group, *wire)) as usize];
            Wire::ALL.into_iter().filter(fed).collect()
        })
        .collect();
    for &root in &roots {
        // A source earths the neutral wire of its node.
        wires[root as usize] =
            wires[root as usize].iter().filter(|&it| it != Wire::Neutral).collect();
    }
    Ok(Supply { group, wires, live, roots, graph, elements, switch_joins, line_joins })
}

fn wire_at(group: u32, wire: Wire) -> u32 {
    group * 4 + wire.index() as u32
}

struct Edges<'a> {
    group: &'a [u32],
    ends: Vec<(u32, u32)>,
    elements: Vec<Element>,
    reach: Groups,
}

impl Edges<'_> {
    fn conductors(&mut self, element: Element, from: &Connection, to: &Connection) {
        let (a, b) = (self.group[from.node.index()], self.group[to.node.index()]);
        self.ends.push((a, b));
        self.elements.push(element);
        for (&f, &t) in from.wires.as_slice().iter().zip(to.wires.as_slice()) {
            self.reach.join(wire_at(a, f), wire_at(b, t));
        }
    }

    fn transformer(&mut self, index: u32, transformer: &Transformer) {
        let closed: Vec<usize> =
            (0..transformer.windings.len()).filter(|&at| transformer.closed[at]).collect();
        for (nth, &from) in closed.iter().enumerate() {
            for &to in &closed[nth + 1..] {
                let ends = [from, to].map(|at| transformer.windings[at].connection);
                let [a, b] = ends.map(|end| self.group[end.node.index()]);
                self.ends.push((a, b));
                let (from, to) = (from as u8, to as u8);
                self.elements.push(Element::Transformer { index, from, to });
                let first = wire_at(a, ends[0].wires.as_slice()[0]);
                for (at, winding) in [(a, from), (b, to)] {
                    for wire in transformer.windings[usize::from(winding)].terminals() {
                        self.reach.join(first, wire_at(at, wire));
                    }
                }
            }
        }
    }
}

/// Nodes that become one.
struct Joined<'a> {
    network: &'a Network,
    groups: Groups,
    /// Of the node that stands for a group: all wires of the group.
    wires: Vec<Wires>,
}

impl<'a> Joined<'a> {
    fn new(network: &'a Network) -> Self {
        let wires = network.nodes.iter().map(|node| node.wires).collect();
        Self { network, groups: Groups::new(network.nodes.len()), wires }
    }

    /// Whether the ends become one; an error if they are one already.
    fn join(&mut self, from: &Connection, to: &Connection) -> Result<bool, String> {
        let (a, b) = (self.groups.find(from.node.0), self.groups.find(to.node.0));
        if from.wires != to.wires {
            return Ok(false);
        }
        if a == b {
            let names = [from.node, to.node].map(|id| &self.network.nodes[id.index()].name);
            return Err(format!(
                "it closes a loop without any impedance from `{}` to `{}`; open it, or give it one",
                names[0], names[1]
            ));
        }
        let (at_a, at_b) = (self.wires[a as usize], self.wires[b as usize]);
        let both: Wires = at_a.iter().filter(|&wire| at_b.contains(wire)).collect();
        if !from.wires.set().contains_all(both) {
            return Ok(false);
        }
        self.groups.join(a, b);
        self.wires[a.min(b) as usize] = at_a.union(at_b);
        Ok(true)
    }

    fn switch(&mut self, switch: &Switch) -> Result<bool, Fault> {
        if !switch.closed {
            return Ok(false);
        }
        self.join(&switch.from, &switch.to)
            .map_err(|what| Fault::new("switch", &switch.name, switch.place, what))
    }

    fn line(&mut self, line: &Line) -> Result<bool, Fault> {
        if !line.from_closed || !line.to_closed || !is_without_impedance(line) {
            return Ok(false);
        }
        let fault = |what: String| Fault::new("line", &line.name, line.place, what);
        if !self.join(&line.from, &line.to).map_err(fault)? {
            let what = "it has no impedance, and its ends have other wires; make it a switch";
            return Err(fault(what.into()));
        }
        Ok(true)
    }

    /// The group of each node, numbered in the order of their first nodes, and their count.
    fn numbered(mut self) -> (Vec<u32>, usize) {
        let mut number = vec![super::NONE; self.network.nodes.len()];
        let mut count = 0;
        let group = (0..self.network.nodes.len() as u32).map(|node| {
            let of_group = &mut number[self.groups.find(node) as usize];
            if *of_group == super::NONE {
                *of_group = count;
                count += 1;
            }
            *of_group
        });
        (group.collect(), count as usize)
    }
}

/// Whether a line has no series impedance at all.
fn is_without_impedance(line: &Line) -> bool {
    match &line.impedance {
        LineImpedance::Sequence(it) => it.z1_ohm == Complex64::ZERO && it.z0_ohm == Complex64::ZERO,
        LineImpedance::Matrix { series_ohm, .. } => {
            series_ohm.rows.as_flattened().iter().all(|&value| value == Complex64::ZERO)
        }
    }
}
