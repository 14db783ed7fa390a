//! Electric networks as they are now: the states of switches, outages, and what follows from them
//! for each element. Whose supply is known is for those who may read all results.

mod model;
#[cfg(test)]
pub(crate) mod tests;

use lastmeter_model::access::{Action, Kind, Resource, Subject};
use lastmeter_model::entity::{Body as _, Device, ElectricNetwork, read};
use lastmeter_store::Page;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub(crate) use model::{
    ALL_PHASES, Cut, Element, ElementKind, Model, Position, State, Supply, phases_of,
};

use super::Caller;
use super::documents;
use super::outages::{self, Outage};
use super::topology::{self, SwitchStates, When};
use crate::problem::Problem;

/// Networks of a tenant that pages offer.
const NETWORKS_MAX: u32 = 32;
/// Versions of a topology in which the beginning of a state is looked for.
const VERSIONS_MAX: u32 = 64;

/// A network that was read.
pub(crate) struct Network {
    pub(crate) token: String,
    pub(crate) model: Model,
    /// Ids of its switches.
    ids: Vec<i64>,
    /// When it was changed last.
    changed: SimTime,
}

/// A network as it is.
pub(crate) struct Grid {
    pub(crate) network: Network,
    pub(crate) switches: SwitchStates,
    /// Of each declared switch whether it is closed, where that is known.
    pub(crate) closed: Vec<Option<bool>>,
    /// Of each element of the model.
    pub(crate) states: Vec<State>,
    /// Those of this network that are not over, whatever became of them.
    pub(crate) outages: Vec<Outage>,
}

/// How many connections there are, and of how many what is known.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    connections: u64,
    /// Connections without supply on all of their phases or on some.
    without: u64,
    /// Of these on some phases only.
    partly: u64,
    /// Connections of which it is not known.
    unknown: u64,
    switches_unknown: u64,
}

/// The right to see who has supply.
pub(crate) fn require(caller: &Caller) -> Result<(), Problem> {
    let on = Resource::new(Kind::Result, &caller.tenant.name, Subject::List);
    let permit = caller.require(Action::Read, &on, Problem::nothing)?;
    if permit.is_whole() { Ok(()) } else { Err(Problem::nothing()) }
}

/// The first networks that there are, and the one that is asked for: tokens and names.
///
/// # Errors
/// 404 if one is asked for that is not there.
pub(crate) async fn names(caller: &Caller, asked: &str) -> Result<Vec<(String, String)>, Problem> {
    let page = Page { offset: 0, limit: NETWORKS_MAX };
    let (_, found) = documents::list(caller, ElectricNetwork::kind(), None, page).await?;
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let names = found.iter().map(|one| (text(one, "token"), text(one, "name")));
    let mut names: Vec<(String, String)> = names.collect();
    if !asked.is_empty() && names.iter().all(|(token, _)| token != asked) {
        let other = documents::one(caller, ElectricNetwork::kind(), asked, None).await?;
        names.push((asked.to_owned(), text(&Value::Object(other.members()), "name")));
    }
    Ok(names)
}

/// Reads a network.
///
/// # Errors
/// 404 if it is not there or hidden, 409 if its model cannot be read.
pub(crate) async fn load(caller: &Caller, token: &str) -> Result<Network, Problem> {
    let document = documents::one(caller, ElectricNetwork::kind(), token, None).await?;
    let given: ElectricNetwork = read(&Value::Object(document.members()))?;
    let model = Model::read(&given).map_err(|what| {
        Problem::conflict("unreadable_model", format!("the model of `{token}`: {what}"))
    })?;
    let ids = given.switches.iter().map(|switch| switch.id).collect();
    Ok(Network { token: token.to_owned(), model, ids, changed: document.changed })
}

/// Of each switch whether it is closed. A state is that of the switch whose id stood at its place
/// when it was set; a switch that the network has had since then has none that is known.
pub(crate) async fn closed(
    caller: &Caller,
    network: &Network,
    switches: &SwitchStates,
) -> Result<Vec<Option<bool>>, Problem> {
    let mut ids = network.ids.clone();
    if let Some(from) = switches.from.filter(|from| *from < network.changed) {
        let readers = caller.tenant.readers.permitted();
        let kind = ElectricNetwork::kind();
        let then = readers.document_at(kind, network.token.clone(), from).await?;
        let then: Option<ElectricNetwork> =
            then.and_then(|then| read(&Value::Object(then.members())).ok());
        ids = then.map_or(ids, |then| then.switches.iter().map(|switch| switch.id).collect());
    }
    let state = |(at, id): (usize, &i64)| {
        network.model.switches[at]?;
        let place = ids.iter().position(|then| then == id)?;
        switches.states.get(place).copied()
    };
    Ok(network.ids.iter().enumerate().map(state).collect())
}

/// A network as it is now.
///
/// # Errors
/// As [`load`]; 404 for who may not read all results.
pub(crate) async fn now(caller: &Caller, token: &str) -> Result<Grid, Problem> {
    require(caller)?;
    let network = load(caller, token).await?;
    let switches = topology::states(caller, token, When::Now).await?;
    let closed = closed(caller, &network, &switches).await?;
    let mut outages = outages::all(caller, Some(&network)).await?.all;
    outages.retain(|outage| outage.content.network == token && outage.is_open());
    let cuts = outages.iter().map(|outage| cut(caller, &network, outage));
    let states = network.model.states(&closed, &cuts.collect::<Vec<_>>());
    Ok(Grid { network, switches, closed, states, outages })
}

/// What an outage takes from a network.
pub(crate) fn cut(caller: &Caller, network: &Network, outage: &Outage) -> Cut {
    let failed = outage.content.areas.iter().filter_map(|area| {
        let at = network.model.find(&area.element, &area.name)?;
        let phases = phases_of(&area.phases);
        Some((at, if phases == 0 { ALL_PHASES } else { phases }))
    });
    let connections = |ids: &[String]| {
        ids.iter().filter_map(|id| connection(caller, network, id)).collect::<Vec<_>>()
    };
    Cut {
        failed: failed.collect(),
        lit: connections(&outage.content.restored),
        doubtful: connections(&outage.content.contradicted),
    }
}

/// The connection of a meter, as its own document has it.
fn connection(caller: &Caller, network: &Network, device: &str) -> Option<usize> {
    let device = caller.tenant.documents.body::<Device>(device)?;
    let of = |name: &str| device.metadata.0.get(name);
    let load = of("load").filter(|_| of("network") == Some(&network.token))?;
    network.model.find(ElementKind::Load.word(), load)
}

impl Grid {
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for at in self.network.model.connections() {
            counts.connections += 1;
            match self.states[at].supply() {
                Supply::Yes => {}
                Supply::No => counts.without += 1,
                Supply::Partly => {
                    counts.without += 1;
                    counts.partly += 1;
                }
                Supply::Unknown => counts.unknown += 1,
            }
        }
        let unknown = self.closed.iter().filter(|closed| closed.is_none());
        Counts { switches_unknown: unknown.count() as u64, ..counts }
    }
}

/// The version of the topology with which the state of an element began; none where it was so
/// before any change, or an outage is the reason. Its last versions are looked at.
pub(crate) async fn beginning(
    caller: &Caller,
    grid: &Grid,
    element: usize,
) -> Result<Option<SwitchStates>, Problem> {
    let page = Page { offset: 0, limit: VERSIONS_MAX };
    let (_, versions) = topology::history(caller, &grid.network.token, page).await?;
    let of = async |switches: &SwitchStates| {
        let closed = closed(caller, &grid.network, switches).await?;
        Ok::<_, Problem>(grid.network.model.states(&closed, &[])[element])
    };
    let Some(newest) = versions.first() else { return Ok(None) };
    let state = of(newest).await?;
    if state.supply() != grid.states[element].supply() {
        return Ok(None);
    }
    let mut begun = None;
    for version in versions {
        if of(&version).await? != state {
            break;
        }
        begun = Some(version);
    }
    let (model, normal) = (&grid.network.model, grid.network.model.normal());
    let was_so =
        |begun: &SwitchStates| begun.version == 1 && model.states(&normal, &[])[element] == state;
    Ok(begun.filter(|begun| !was_so(begun)))
}
