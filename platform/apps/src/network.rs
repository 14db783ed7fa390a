//! The network that an application was given: the platform's model with the states of its switches.
//!
//! The model is input data of power-grid-model, in which switches are links.

use std::collections::BTreeMap;

use lastmeter_grid::Network;
use lastmeter_grid::format::pgm::{self, Component};
use lastmeter_grid::network::Switch;
use serde::Deserialize;

use super::client::encoded;

/// An electric network as `GET /api/v1/electric-networks/{token}` gives it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NetworkDocument {
    token: String,
    model: String,
    #[serde(default)]
    switches: Vec<SwitchRow>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
struct SwitchRow {
    id: i64,
    normal: bool,
}

/// The states of its switches as `GET /api/v1/electric-networks/{token}/topology` gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct SwitchStates {
    /// The version of the topology; 0 is the normal state.
    version: u64,
    /// Whether each switch is closed, in the order of the document.
    states: Vec<bool>,
    /// Who changed them last.
    #[serde(default)]
    by: Option<String>,
}

impl SwitchStates {
    /// Whether a person brought them about: what a device or an application reports has happened by
    /// itself.
    pub(crate) fn is_by_person(&self) -> bool {
        self.by.as_ref().is_some_and(|by| by.starts_with("user:"))
    }
}

/// Where a network is.
pub(crate) fn place_of(token: &str) -> String {
    format!("/api/v1/electric-networks/{}", encoded(token))
}

impl NetworkDocument {
    /// The token of the network of which this one is what an application knows: there the states of
    /// the switches are, and to it devices belong whose metadata `network` names it. It is in the
    /// metadata `of`; without that, the network's own token.
    pub(crate) fn of(&self) -> &str {
        self.metadata.get("of").unwrap_or(&self.token)
    }

    /// Where the states of its switches are.
    pub(crate) fn topology(&self) -> String {
        format!("{}/topology", place_of(self.of()))
    }

    /// The network with its switches as they stand, as lines; without states, in the normal state.
    /// Beside it the indices of these lines, in the order of the document. Why there is none is a
    /// text for people: the model is no input data of power-grid-model, or a switch is none of its
    /// links.
    pub(crate) fn linked(&self, states: &SwitchStates) -> Result<(Network, Vec<usize>), String> {
        let read = pgm::read("model", &self.model);
        let document =
            read.map_err(|error| format!("the model of the network cannot be read: {error}"))?;
        let mut network = document.network;
        let links = document.elements.iter().filter(|it| it.component == Component::Link);
        let line_of: BTreeMap<i64, usize> =
            links.map(|it| (i64::from(it.id), it.at as usize)).collect();
        let mut lines = Vec::with_capacity(self.switches.len());
        for (index, SwitchRow { id, normal }) in self.switches.iter().enumerate() {
            let line = *line_of.get(id).ok_or_else(|| {
                format!("the network has no link {id}, which is one of its switches")
            })?;
            let closed = states.states.get(index).copied().unwrap_or(*normal);
            let link = &mut network.lines[line];
            (link.from_closed, link.to_closed) = (closed, closed);
            lines.push(line);
        }
        Ok((network, lines))
    }

    /// The same with switches that are switches.
    pub(crate) fn network(&self, states: &SwitchStates) -> Result<Network, String> {
        let (mut network, switches) = self.linked(states)?;
        let mut is_switch = vec![false; network.lines.len()];
        for line in switches {
            is_switch[line] = true;
            let link = &network.lines[line];
            network.switches.push(Switch {
                name: link.name.clone(),
                from: link.from,
                to: link.to,
                closed: link.from_closed,
                rated_current_a: None,
                place: link.place,
            });
        }
        let mut lines = is_switch.iter();
        network.lines.retain(|_| !lines.next().copied().unwrap_or(false));
        Ok(network)
    }
}
