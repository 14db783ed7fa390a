//! What has been read of the tables so far.

use std::collections::{BTreeMap, BTreeSet};

use super::table::Table;
use crate::network::{Connection, LineImpedance, Network, NodeId, Wire, WireList, Wires};

/// A line code: impedances by metre.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) impedance: LineImpedance,
    pub(super) conductors: Option<usize>,
    pub(super) rated_current_a: Option<f64>,
}

pub(super) struct Reader {
    pub(super) network: Network,
    pub(super) nodes: BTreeMap<String, NodeId>,
    pub(super) codes: BTreeMap<String, Code>,
    /// Kinds and names of what was refused, so that it is not reported as missing.
    pub(super) refused: BTreeSet<(&'static str, String)>,
    pub(super) voltage_v: Option<f64>,
}

impl Reader {
    /// Reports what a key names as missing, unless it is there and was refused itself.
    pub(super) fn not_there(
        &self,
        table: &Table<'_>,
        key: &str,
        (kind, name): (&'static str, &str),
        line: u32,
    ) {
        if !self.refused.contains(&(kind, name.to_owned())) {
            table.refuse(line, &format!("{key} is {name:?}, but there is no such {kind}"));
        }
    }

    /// The name, or the kind and a number.
    pub(super) fn name(table: &Table<'_>, kind: &str, count: usize) -> Box<str> {
        table
            .text("name")
            .map_or_else(|| format!("{kind} {}", count + 1), |it| it.0.to_owned())
            .into()
    }

    pub(super) fn wires<'a>(
        table: &Table<'a>,
        name: &str,
        default: &'a str,
    ) -> Option<(WireList, u32)> {
        let (text, line) = table.text(name).unwrap_or((default, table.line));
        let wires: Option<Vec<Wire>> =
            text.chars().map(|letter| "abcn".find(letter).map(|at| Wire::ALL[at])).collect();
        let list = wires.filter(|it| !it.is_empty()).and_then(|wires| WireList::new(&wires));
        if list.is_none() {
            table.refuse(
                line,
                &format!("{name} is {text:?}, different letters of abcn are expected"),
            );
        }
        Some((list?, line))
    }

    /// The letters of the wires that two nodes have, `abc` if they have none in common.
    pub(super) fn wires_of_both(&self, from: NodeId, to: NodeId) -> String {
        let [from, to] = [from, to].map(|it| self.network.nodes[it.index()].wires);
        let both = from.common(to);
        if both.is_empty() { Wires::ABC.to_string() } else { both.to_string() }
    }

    pub(super) fn at(&self, table: &Table<'_>, name: &str) -> Option<NodeId> {
        let (node, line) = table.need_text(name)?;
        let found = self.nodes.get(node).copied();
        if found.is_none() {
            self.not_there(table, name, ("node", node), line);
        }
        found
    }

    /// Connects wires to the node of a key, which has to have them.
    pub(super) fn connect(
        &self,
        table: &Table<'_>,
        (key, node): (&str, NodeId),
        wires: WireList,
    ) -> Option<Connection> {
        let own = &self.network.nodes[node.index()];
        if own.wires.contains_all(wires.set()) {
            return Some(Connection { node, wires });
        }
        let what = format!("node {} has wires {}, not all of {wires}", own.name, own.wires);
        table.refuse(table.line_of(&["wires", key]), &what);
        None
    }
}
