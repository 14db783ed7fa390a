//! The network of a run laid out for a small picture: the tree of its one-line diagram, sources on
//! the left, with what is too much for a picture left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lastmeter_grid::Network;
use lastmeter_grid::diagram::{self, Tree};
use lastmeter_grid::format::{dss, pgm, toml};
use lastmeter_grid::network::{NodeId, Wire};
use lastmeter_params::{NodeValue, Table};
use lastmeter_record::RunFacts;

/// Above so many nodes dead ends without a load are left out.
const WHOLE_MAX: usize = 200;
/// More rows than these cannot be told apart, and more nodes make a page slow.
const ROWS_MAX: usize = 120;
const NODES_MAX: usize = 600;

/// An element by what it is and its name.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The nodes that it joins, or twice the one at which it is.
    ends: (usize, usize),
}

/// A network and where its nodes stand.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) network: Network,
    pub(super) tree: Tree,
    /// Of each node, how many elements from its root.
    pub(super) depth: Vec<f64>,
    /// Of each node its row among those that are shown; none of one that is left out.
    pub(super) row: Vec<Option<usize>>,
    pub(super) rows: usize,
    /// Where something hangs or branches, or a tree begins: what is between is one stroke.
    pub(super) is_joint: Vec<bool>,
    elements: Vec<Element>,
    /// Of each node, by which of them it hangs on its parent.
    hangs_by: Vec<Vec<usize>>,
    /// Of each meter its load.
    pub(super) meters: BTreeMap<String, usize>,
}

impl Plan {
    /// The network that a scenario names and its run keeps.
    ///
    /// # Errors
    /// Why there is no picture, as a sentence.
    pub(super) fn of(facts: &RunFacts, document: &Table) -> Result<Self, String> {
        let grid = match document.get("grid").map(|node| &node.value) {
            Some(NodeValue::Table(grid)) => grid.text("file"),
            _ => None,
        };
        let kept = grid.and_then(|name| Some((name, facts.files.get(name)?)));
        let Some((name, text)) = kept else {
            return Err("The run keeps no network that could be drawn.".to_owned());
        };
        let Some(network) = network(name, text, facts) else {
            return Err(format!("The network {name} could not be read again to be drawn."));
        };
        let mut plan = Self::new(network)?;
        let loads = plan.network.loads.iter().enumerate();
        let loads: BTreeMap<&str, usize> = loads.map(|(at, load)| (&*load.name, at)).collect();
        let place = |at: &str| loads.get(at.strip_prefix("load:")?).copied();
        let devices = facts.devices.iter();
        plan.meters = devices.filter_map(|it| Some((it.name.clone(), place(&it.at)?))).collect();
        Ok(plan)
    }

    /// Lays a network out.
    ///
    /// # Errors
    /// If it is too large, as a sentence.
    fn new(network: Network) -> Result<Self, String> {
        let tree = diagram::tree(&network);
        let count = network.nodes.len();
        let mut has_loads = vec![false; count];
        for load in &network.loads {
            has_loads[load.connection.node.index()] = true;
        }
        let mut is_shown = vec![count <= WHOLE_MAX; count];
        let (mut below, mut depth) = (vec![0_usize; count], vec![0.0; count]);
        for &at in tree.order.iter().rev() {
            is_shown[at] |= below[at] > 0 || has_loads[at];
            if let Some(parent) = tree.parents[at].filter(|_| is_shown[at]) {
                below[parent] += 1;
            }
        }
        for &at in &tree.order {
            depth[at] = tree.parents[at].map_or(0.0, |parent| depth[parent] + 1.0);
        }
        let is_end = |at: usize| below[at] != 1 || has_loads[at];
        let is_joint: Vec<bool> =
            (0..count).map(|at| tree.parents[at].is_none() || is_end(at)).collect();
        let (row, rows) = rows(&tree, &is_shown, &is_joint);
        let drawn = (0..count).filter(|at| is_shown[*at] && is_joint[*at]).count();
        if rows > ROWS_MAX || drawn > NODES_MAX {
            return Err(format!("The network of {count} nodes is too large for a small picture."));
        }
        let (elements, mut hangs_by) = (elements(&network), vec![Vec::new(); count]);
        for (at, Element { ends: (one, other), .. }) in elements.iter().enumerate() {
            for (node, parent) in [(*one, *other), (*other, *one)] {
                if tree.parents[node] == Some(parent) {
                    hangs_by[node].push(at);
                }
            }
        }
        let meters = BTreeMap::new();
        Ok(Self { network, tree, depth, row, rows, is_joint, elements, hangs_by, meters })
    }

    /// The nodes that are shown, each behind the one that it hangs on.
    pub(super) fn shown(&self) -> impl Iterator<Item = usize> {
        self.tree.order.iter().copied().filter(|at| self.row[*at].is_some())
    }

    /// How many nodes have been left out.
    pub(super) fn left_out(&self) -> usize {
        self.row.iter().filter(|row| row.is_none()).count()
    }

    /// What a node hangs on its parent by.
    pub(super) fn hangs_by(&self, node: usize) -> impl Iterator<Item = &Element> {
        self.hangs_by[node].iter().map(|at| &self.elements[*at])
    }

    /// The nodes of an element, given what it is and its name.
    pub(super) fn ends(&self, kind: &str, name: &str) -> Option<(usize, usize)> {
        self.elements.iter().find(|it| it.kind == kind && it.name == name).map(|it| it.ends)
    }

    /// The node of a load.
    pub(super) fn node_of(&self, load: usize) -> usize {
        self.network.loads[load].connection.node.index()
    }

    /// The phases of a load.
    pub(super) fn phases(&self, load: usize) -> [bool; 3] {
        let wires = self.network.loads[load].connection.wires;
        Wire::PHASES.map(|wire| wires.as_slice().contains(&wire))
    }
}

/// A network by its text, whose format its name shows as the scenario language has it.
fn network(name: &str, text: &str, facts: &RunFacts) -> Option<Network> {
    let path = Path::new(name);
    let ends_in =
        |expected: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(expected));
    if ends_in("toml") {
        return toml::read(name, text).ok();
    }
    if ends_in("json") || text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return Some(pgm::read(name, text).ok()?.network);
    }
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut open = |other: &str| {
        let beside = folder.join(other);
        let kept = facts.files.get(other).or_else(|| facts.files.get(&*beside.to_string_lossy()));
        kept.cloned().ok_or_else(|| "not kept".to_owned())
    };
    Some(dss::read(name, text, &mut open).ok()?.network)
}

/// The row of each node that is shown, without gaps, and how many there are. What is between joints
/// stands in the row of the next one.
fn rows(tree: &Tree, is_shown: &[bool], is_joint: &[bool]) -> (Vec<Option<usize>>, usize) {
    let drawn = (0..is_shown.len()).filter(|at| is_shown[*at] && is_joint[*at]);
    let used: BTreeSet<usize> = drawn.map(|at| tree.rows[at]).collect();
    let rank: BTreeMap<usize, usize> = used.iter().copied().zip(0..).collect();
    let mut row = vec![None; is_shown.len()];
    for &at in tree.order.iter().rev().filter(|at| is_shown[**at]) {
        if is_joint[at] {
            row[at] = rank.get(&tree.rows[at]).copied();
        }
        if let Some(parent) = tree.parents[at].filter(|parent| !is_joint[*parent]) {
            row[parent] = row[at];
        }
    }
    (row, used.len())
}

/// What can be named or joins nodes, list by list.
fn elements(network: &Network) -> Vec<Element> {
    let mut all = Vec::new();
    let mut add = |kind, name: &str, one: NodeId, other: NodeId| {
        all.push(Element { kind, name: name.to_owned(), ends: (one.index(), other.index()) });
    };
    for line in &network.lines {
        add("line", &line.name, line.from.node, line.to.node);
    }
    for own in &network.transformers {
        for other in own.windings.iter().skip(1) {
            add("transformer", &own.name, own.windings[0].connection.node, other.connection.node);
        }
    }
    for switch in network.switches.iter().filter(|it| it.closed) {
        add("switch", &switch.name, switch.from.node, switch.to.node);
    }
    for load in &network.loads {
        add("load", &load.name, load.connection.node, load.connection.node);
    }
    for source in &network.sources {
        add("source", &source.name, source.node, source.node);
    }
    all
}
