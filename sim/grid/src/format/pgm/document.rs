//! What a file of power-grid-model contains, and what has been read of it so far.

use std::collections::BTreeMap;

use super::json::{Lines, Row, RowResult};
use super::{Component, FREQUENCY_HZ};
use crate::format::Mistakes;
use crate::network::{Network, NodeId, Place};
use crate::short_circuit::Fault;

/// One component of a file and where it is in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// What it is.
    pub component: Component,
    /// Its number in the file.
    pub id: i32,
    /// Index into the network's nodes, lines (also of links), transformers (also of generic
    /// branches; the first of three for three windings, whose `from` ends are its sides), shunts,
    /// sources, loads (also of generators), or into [`Document::faults`].
    pub at: u32,
}

/// A short circuit that the file asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultRow {
    /// Whether it is there.
    pub active: bool,
    /// What it is, at a node.
    pub fault: Fault,
}

/// Why a file cannot be calculated phase by phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymmetricOnly {
    /// What, and what it lacks.
    pub what: String,
    /// Where it was read.
    pub place: Place,
}

/// What a file contains.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The network; its elements are named by their numbers, or by an attribute `name`.
    pub network: Network,
    /// All components, kind by kind in the order of [`Component::ALL`], each in the file's order.
    pub elements: Vec<Element>,
    /// The short circuits it asks for.
    pub faults: Vec<FaultRow>,
    /// The first thing that lacks figures of the zero sequence, if any does.
    pub symmetric_only: Option<SymmetricOnly>,
    /// What was left out because it has no influence on the power flow.
    pub notes: Vec<String>,
}

/// What has been read so far.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) lines: Lines<'a>,
    pub(super) mistakes: Mistakes,
    /// Numbers of all components, with line and column; and which of them are nodes.
    pub(super) seen: BTreeMap<i32, ((u32, u32), Component)>,
    pub(super) nodes: BTreeMap<i32, NodeId>,
    /// Elements, and the names that they have beside their numbers; and how many were not taken.
    pub(super) called: Vec<(Component, usize, Option<String>)>,
    pub(super) names_left_out: usize,
    pub(super) document: Document,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            lines: Lines::new(text),
            mistakes: Mistakes::default(),
            seen: BTreeMap::new(),
            nodes: BTreeMap::new(),
            called: Vec::new(),
            names_left_out: 0,
            document: Document {
                network: Network::new("", FREQUENCY_HZ),
                elements: Vec::new(),
                faults: Vec::new(),
                symmetric_only: None,
                notes: Vec::new(),
            },
        }
    }

    /// The node of this number, and its rated voltage between lines.
    pub(super) fn node_of(&self, row: &Row, name: &str) -> RowResult<(NodeId, f64)> {
        let id = row.id(name)?;
        let node = *self
            .nodes
            .get(&id)
            .ok_or_else(|| format!("{name} is {id}, but there is no such node"))?;
        Ok((node, self.document.network.nodes[node.index()].rated_voltage_v))
    }

    /// Notes that something can be calculated by its positive sequence only.
    pub(super) fn symmetric_only(&mut self, component: Component, row: &Row, lacks: &str) {
        if self.document.symmetric_only.is_none() {
            let what = format!("{component} {} {lacks}", row.id);
            self.document.symmetric_only = Some(SymmetricOnly { what, place: Place(row.at.0) });
        }
    }
}
