//! Electric networks as applications read them: the model byte for byte, and the states of its
//! switches with their versions.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::devices::List;
use super::documents::TOKEN;
use super::extract::{Body, Call};
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes, schema};
use super::{Answer, Problem};
use crate::ops::topology::{self, SwitchStates, When};

const AT: Parameter = Parameter::instant("at", "as it was at this instant; now, if left out");
const VERSION: Parameter = Parameter::whole(
    "version",
    "as it was in this version; 0 is the normal state",
    0,
    (0, VERSIONS),
);
const VERSIONS: u64 = i64::MAX as u64;

routes! {
    "networks" {
        Get "/api/v1/electric-networks/{token}/model" => model:
            "The model of a network, byte for byte as it was put",
            Within(ElectricNetwork, Read), [TOKEN], gives Gives::json::<Value>(200), refuses [500];
        Get "/api/v1/electric-networks/{token}/topology" => one:
            "Whether each switch is closed, in the order of the network's switches",
            Within(Topology, Outline), [TOKEN, AT, VERSION],
            gives Gives::json::<TopologyJson>(200), refuses [500];
        Put "/api/v1/electric-networks/{token}/topology" => switch:
            "Changes switches, if the topology is in the `version` that is sent with it; an alert \
             `topology.changed` is raised with it",
            Within(Topology, Switch), [TOKEN], takes schema::<SwitchJson>,
            gives Gives::json::<TopologyJson>(200), refuses [409, 500, 507];
        Get "/api/v1/electric-networks/{token}/topology/history" => history:
            "The versions of the topology, newest first",
            Within(Topology, Outline), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<TopologyJson>>(200), refuses [500];
    }
}

/// The states of a network's switches.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Topology")]
struct TopologyJson {
    /// 0 before any change.
    version: u64,
    /// Whether each switch is closed.
    states: Vec<bool>,
    /// Since when; `null` before any change.
    #[schemars(with = "Option<Instant>")]
    from: Option<SimTime>,
    /// Who changed it.
    by: Option<String>,
    cause: Option<String>,
}

impl From<SwitchStates> for TopologyJson {
    fn from(of: SwitchStates) -> Self {
        let SwitchStates { version, states, from, by, cause } = of;
        Self { version, states, from, by, cause }
    }
}

/// A change of switches.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Switching", extend("examples" = [{
    "version": 0, "states": [], "cause": "work on the line"
}]))]
struct SwitchJson {
    /// The version that it is of.
    version: u64,
    /// Whether each switch is closed, in the order of the network's switches.
    states: Vec<bool>,
    /// Why.
    cause: Option<String>,
}

async fn model(call: Call) -> Result<Response, Problem> {
    let network = topology::network(&call.caller(), &call.variable).await?;
    Ok(([(CONTENT_TYPE, "application/json")], network.model).into_response())
}

async fn one(mut call: Call) -> Answer<TopologyJson> {
    let at = call.pairs.instant(&AT)?;
    let has_version = call.pairs.has(&VERSION);
    let version = call.pairs.number(&VERSION)?;
    call.pairs.finish()?;
    let when = match at {
        _ if has_version => When::Version(version),
        Some(at) => When::At(at),
        None => When::Now,
    };
    Ok(Json(topology::states(&call.caller(), &call.variable, when).await?.into()))
}

async fn switch(call: Call, Body(asked): Body<SwitchJson>) -> Answer<TopologyJson> {
    let SwitchJson { version, states, cause } = asked;
    let states = (version, states);
    let done = topology::switch(&call.caller(), &call.variable, states, cause).await?;
    Ok(Json(done.into()))
}

async fn history(mut call: Call) -> Answer<List<TopologyJson>> {
    let page = call.page()?;
    let found = topology::history(&call.caller(), &call.variable, page).await?;
    let results = found.1.into_iter().map(TopologyJson::from).collect();
    Ok(Json(List { num_results: found.0, results }))
}
