//! What closed switches make one, and which wires a source reaches.

use num_complex::Complex64;

use super::{Forest, Graph, Groups};
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
    /// one, reaches them; a neutral also if something earths it. Of the others, neutrals at the
    /// node of a source or of an earthed star point are ideally earthed, and what nothing reaches
    /// is open.
    pub wires: Vec<Wires>,
    /// Of each group: the same with the neutrals that are ideally earthed.
    pub reached: Vec<Wires>,
    /// What joins the groups, between which; also where no source is.
    pub graph: Graph,
    /// The trees of what the sources reach.
    pub forest: Forest,
    /// What each edge of the graph is.
    pub elements: Vec<Element>,
    /// What makes its ends one.
    pub joins: Joins,
    /// The lines that are no edge and yet not open: joined ones, and those open at one end.
    pub one_sided: Vec<u32>,
}

/// What makes its ends one.
#[derive(Clone, Debug)]
pub struct Joins {
    /// Of each switch: whether its ends are one.
    pub switches: Vec<bool>,
    /// Of each line: whether its ends are one, as it is closed and has no series impedance.
    pub lines: Vec<bool>,
}

impl Supply {
    /// Whether a source reaches a group at all.
    pub fn is_live(&self, group: u32) -> bool {
        self.forest.number[group as usize] != super::NONE
    }

    /// Whether a source or a star point earths the neutral of a group that is live.
    pub fn is_neutral_earthed(&self, group: u32) -> bool {
        let [reached, wires] = [&self.reached, &self.wires].map(|it| it[group as usize]);
        self.is_live(group) && reached.contains(Wire::Neutral) && !wires.contains(Wire::Neutral)
    }
}

/// Sees to the switches of a network whose references were checked
/// ([`crate::network::check_references`]).
///
/// # Errors
/// If a switch or a line without impedance closes a loop that has none: nothing would determine
/// how currents divide.
pub fn supply(network: &Network) -> Result<Supply, Fault> {
    let mut joined = NodeMerger::new(network);
    let mut joins = Joins { switches: Vec::with_capacity(network.switches.len()), lines: vec![] };
    for switch in &network.switches {
        joins.switches.push(joined.switch(switch)?);
    }
    let mut edges = Edges::new(network);
    edges.lines(&mut joined, &mut joins)?;
    for (index, switch) in network.switches.iter().enumerate() {
        if switch.closed && !joins.switches[index] {
            edges.conductors(Element::Switch(index as u32), &switch.from, &switch.to);
        }
    }
    for (index, transformer) in network.transformers.iter().enumerate() {
        edges.transformer(index as u32, transformer);
    }
    let any = joined.any;
    let (group, count) = joined.numbered();
    if any {
        for (a, b) in &mut edges.ends {
            (*a, *b) = (group[*a as usize], group[*b as usize]);
        }
    }
    let Edges { ends, elements, through, one_sided, .. } = edges;
    let sources = network.sources.iter().filter(|source| source.connected);
    let roots: Vec<u32> = sources.map(|source| group[source.node.index()]).collect();
    let graph = Graph::new(count, ends);
    let forest = graph.forest(&roots);
    let mut fed = vec![Wires::NONE; count];
    for &root in &roots {
        fed[root as usize] = Wires::ABCN;
    }
    for shunt in network.shunts.iter().filter(|shunt| shunt.connected) {
        if *shunt.connection.wires.as_slice() == [Wire::Neutral] {
            let fed = &mut fed[group[shunt.connection.node.index()] as usize];
            *fed = fed.with(Wire::Neutral);
        }
    }
    let mut earthed = roots;
    for transformer in &network.transformers {
        let closed = transformer.windings.iter().zip(&transformer.closed).filter(|it| *it.1);
        let closed = closed.map(|it| it.0).filter(|winding| winding.earths_neutral_wire());
        earthed.extend(closed.map(|winding| group[winding.connection.node.index()]));
    }
    for &group in &earthed {
        fed[group as usize] = fed[group as usize].with(Wire::Neutral);
    }
    let mut spread = Spread { network, graph: &graph, elements: &elements, through, fed };
    spread.everywhere(&forest);
    let reached = spread.fed;
    let mut wires = reached.clone();
    for &group in &earthed {
        wires[group as usize] = wires[group as usize].common(Wires::ABC);
    }
    Ok(Supply { group, wires, reached, graph, forest, elements, joins, one_sided })
}

/// The edges of the graph, first by the nodes that they join.
struct Edges<'a> {
    network: &'a Network,
    ends: Vec<(u32, u32)>,
    elements: Vec<Element>,
    /// Of each edge: its wires where they have the same order at both ends, else none.
    through: Vec<Wires>,
    one_sided: Vec<u32>,
}

impl<'a> Edges<'a> {
    fn new(network: &'a Network) -> Self {
        let most = network.lines.len() + network.transformers.len();
        Self {
            network,
            ends: Vec::with_capacity(most),
            elements: Vec::with_capacity(most),
            through: Vec::with_capacity(most),
            one_sided: Vec::new(),
        }
    }

    /// All lines, in one pass.
    fn lines(&mut self, joined: &mut NodeMerger<'a>, joins: &mut Joins) -> Result<(), Fault> {
        joins.lines = vec![false; self.network.lines.len()];
        for (index, line) in self.network.lines.iter().enumerate() {
            let element = Element::Line(index as u32);
            let is_edge = line.from_closed && line.to_closed && !joined.line(line)?;
            if is_edge {
                self.conductors(element, &line.from, &line.to);
            } else if line.from_closed || line.to_closed {
                joins.lines[index] = line.from_closed && line.to_closed;
                self.one_sided.push(index as u32);
            }
        }
        Ok(())
    }

    fn conductors(&mut self, element: Element, from: &Connection, to: &Connection) {
        self.ends.push((from.node.0, to.node.0));
        self.elements.push(element);
        let alike = from.wires == to.wires;
        self.through.push(if alike { from.wires.set() } else { Wires::NONE });
    }

    fn transformer(&mut self, index: u32, transformer: &Transformer) {
        let closed: Vec<usize> =
            (0..transformer.windings.len()).filter(|&at| transformer.closed[at]).collect();
        for (nth, &from) in closed.iter().enumerate() {
            for &to in &closed[nth + 1..] {
                let [a, b] = [from, to].map(|at| transformer.windings[at].connection.node.0);
                self.ends.push((a, b));
                let (from, to) = (from as u8, to as u8);
                self.elements.push(Element::Transformer { index, from, to });
                self.through.push(Wires::NONE);
            }
        }
    }
}

/// How far voltages reach from what feeds wires.
struct Spread<'a> {
    network: &'a Network,
    graph: &'a Graph,
    elements: &'a [Element],
    through: Vec<Wires>,
    fed: Vec<Wires>,
}

impl Spread<'_> {
    /// Until nothing more is fed.
    fn everywhere(&mut self, forest: &Forest) {
        // Along the trees, which is all there is in most networks.
        for &edge in forest.parent_edge.iter().filter(|&&edge| edge != super::NONE) {
            self.along(edge as usize);
        }
        let mut open = Vec::new();
        loop {
            let mut changed = false;
            for edge in 0..self.elements.len() {
                if !self.along(edge) {
                    continue;
                }
                changed = true;
                let (a, b) = self.graph.ends()[edge];
                open.extend([a, b]);
                while let Some(group) = open.pop() {
                    for &(edge, other) in self.graph.beside(group) {
                        if self.along(edge as usize) {
                            open.extend([group, other]);
                        }
                    }
                }
            }
            if !changed {
                break;
            }
        }
    }

    fn feed(&mut self, group: u32, wires: Wires) -> bool {
        let fed = &mut self.fed[group as usize];
        let before = std::mem::replace(fed, fed.union(wires));
        *fed != before
    }

    /// What is fed at one end of an edge is fed at the other; whether that changed anything.
    fn along(&mut self, edge: usize) -> bool {
        let (a, b) = self.graph.ends()[edge];
        let (at_a, at_b) = (self.fed[a as usize], self.fed[b as usize]);
        let through = self.through[edge];
        if !through.is_empty() {
            let both = at_a.union(at_b).common(through);
            return self.feed(a, both) | self.feed(b, both);
        }
        let (from, to) = match self.elements[edge] {
            Element::Line(index) => {
                let line = &self.network.lines[index as usize];
                (&line.from, &line.to)
            }
            Element::Switch(index) => {
                let switch = &self.network.switches[index as usize];
                (&switch.from, &switch.to)
            }
            Element::Transformer { index, from, to } => {
                // One wire of any winding feeds all that its windings are connected to.
                let windings = &self.network.transformers[index as usize].windings;
                let [at_from, at_to] =
                    [from, to].map(|at| windings[usize::from(at)].terminals().collect::<Wires>());
                if at_a.common(at_from).is_empty() && at_b.common(at_to).is_empty() {
                    return false;
                }
                return self.feed(a, at_from) | self.feed(b, at_to);
            }
        };
        let mut changed = false;
        for (&f, &t) in from.wires.as_slice().iter().zip(to.wires.as_slice()) {
            if at_a.contains(f) || at_b.contains(t) {
                changed |= self.feed(a, Wires::NONE.with(f)) | self.feed(b, Wires::NONE.with(t));
            }
        }
        changed
    }
}

/// Reports every switch and every line without impedance that closes a loop without any: the first
/// of them is what stops [`supply`].
pub(crate) fn loops(network: &Network, found: &mut impl FnMut(Fault)) {
    let mut joined = NodeMerger::new(network);
    let switches = network.switches.iter().map(|it| joined.switch(it)).filter_map(Result::err);
    switches.for_each(&mut *found);
    let lines = network.lines.iter().map(|it| joined.line(it)).filter_map(Result::err);
    lines.for_each(found);
}

/// Nodes that become one.
struct NodeMerger<'a> {
    network: &'a Network,
    /// Whether there are any; until then nothing is kept about nodes.
    any: bool,
    groups: Groups,
    /// Of the node that stands for a group: all wires of the group.
    wires: Vec<Wires>,
}

impl<'a> NodeMerger<'a> {
    fn new(network: &'a Network) -> Self {
        Self { network, any: false, groups: Groups::new(0), wires: Vec::new() }
    }

    /// Whether the ends become one; an error if they are one already.
    fn join(&mut self, from: &Connection, to: &Connection) -> Result<bool, String> {
        if from.wires != to.wires {
            return Ok(false);
        }
        if !self.any {
            self.any = true;
            self.groups = Groups::new(self.network.nodes.len());
            self.wires = self.network.nodes.iter().map(|node| node.wires).collect();
        }
        let (a, b) = (self.groups.find(from.node.0), self.groups.find(to.node.0));
        if a == b {
            let names = [from.node, to.node].map(|id| &self.network.nodes[id.index()].name);
            return Err(format!(
                "it closes a loop without any impedance from `{}` to `{}`; open it, or give it one",
                names[0], names[1]
            ));
        }
        let (at_a, at_b) = (self.wires[a as usize], self.wires[b as usize]);
        if !from.wires.set().contains_all(at_a.common(at_b)) {
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
        let nodes = self.network.nodes.len();
        if !self.any {
            return ((0..nodes as u32).collect(), nodes);
        }
        let mut number = vec![super::NONE; nodes];
        let mut count = 0;
        let group = (0..nodes as u32).map(|node| {
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
