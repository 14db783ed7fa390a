//! The network of an application, as its document and the states of its switches have it.

use std::collections::BTreeMap;

use lastmeter_grid::Network;
use lastmeter_grid::fault_search::{Options, Station};
use lastmeter_grid::network::NodeId;

use super::Locator;
use crate::network::{NetworkDocument, SwitchStates};

/// A network on which faults are located.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) locator: Locator,
    lines: Vec<Box<str>>,
    /// Indices of loads by their names.
    pub(super) loads: BTreeMap<String, usize>,
}

impl Model {
    /// Why there is none is a text for people.
    pub(super) fn new(
        document: &NetworkDocument,
        states: &SwitchStates,
        station: &str,
        options: &Options,
    ) -> Result<Self, String> {
        let (network, _) = document.linked(states)?;
        let at = station_of(&network, station)
            .ok_or_else(|| format!("no source, node or line is called `{station}`"))?;
        let locator = Locator::new(&network, at, options.clone()).map_err(|it| it.to_string())?;
        let loads = network.loads.iter().enumerate();
        Ok(Self {
            locator,
            loads: loads.map(|(at, load)| (load.name.to_string(), at)).collect(),
            lines: network.lines.into_iter().map(|line| line.name).collect(),
        })
    }

    pub(super) fn line_name(&self, line: u32) -> &str {
        self.lines.get(line as usize).map_or("", |name| name)
    }
}

fn station_of(network: &Network, name: &str) -> Option<Station> {
    if let Some(source) = network.sources.iter().position(|it| &*it.name == name) {
        return Some(Station::Source(source as u32));
    }
    if let Some(node) = network.nodes.iter().position(|it| &*it.name == name) {
        return Some(Station::Node(NodeId(node as u32)));
    }
    let line = network.lines.iter().position(|it| &*it.name == name)?;
    Some(Station::Line(line as u32))
}
