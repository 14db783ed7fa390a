//! Buses: a name, and the nodes of it to which an element's conductors are connected.

use super::value::ValueResult;

/// Where one terminal is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bus {
    /// As it was written.
    pub(super) name: String,
    /// The nodes that were given; 0 is earth, 1 to 3 are the phases, 4 the neutral.
    pub(super) nodes: Vec<u8>,
}

impl Bus {
    /// Reads `name.1.2.3`.
    pub(super) fn read(text: &str) -> ValueResult<Self> {
        let mut parts = text.trim().split('.');
        let name = parts.next().unwrap_or("").trim().to_owned();
        if name.is_empty() {
            return Err(format!("{text:?} is no bus"));
        }
        let nodes = parts.map(str::trim).filter(|part| !part.is_empty()).map(|part| {
            match part.parse::<u8>() {
                Ok(node @ 0..=4) => Ok(node),
                _ => Err(format!("{text:?} has a node {part}; here a bus has nodes 0 to 4")),
            }
        });
        Ok(Self { nodes: nodes.collect::<ValueResult<_>>()?, name })
    }

    /// As capacitors and reactors read it: a star passes over further nodes, and its other ends are
    /// earth whatever they are.
    pub(super) fn of_bank(&self, phases: usize, is_delta: bool) -> Self {
        let mut bus = self.clone();
        if !is_delta {
            bus.nodes.truncate(phases);
        }
        bus
    }

    /// The nodes of an element's conductors: 1, 2, 3 for its phases and earth beyond, where they
    /// were not given.
    pub(super) fn conductors(&self, phases: usize, conductors: usize) -> Vec<u8> {
        (0..conductors)
            .map(|k| {
                let own = if k < phases { k as u8 + 1 } else { 0 };
                self.nodes.get(k).copied().unwrap_or(own)
            })
            .collect()
    }
}
