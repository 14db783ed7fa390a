//! Electric networks as applications read them: the model byte for byte, and the states of its
//! switches with their versions.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use lastmeter_model::access::{Action, Kind};
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::documents::TOKEN;
use super::extract::{Body, Pairs, PathText};
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::ops::topology::{self, SwitchStates, When};

const AT: Parameter = Parameter::instant("at", "as it was at this instant; now, if left out");
const VERSION: Parameter = Parameter::whole(
    "version",
    "as it was in this version; 0 is the normal state",
    0,
    (0, VERSIONS),
);
const VERSIONS: u64 = i64::MAX as u64;

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Get,
        path: "/api/v1/electric-networks/{token}/model",
        resource: "networks",
        summary: "The model of a network, byte for byte as it was put",
        access: Access::Within(Kind::ElectricNetwork, Action::Read),
        parameters: &[&TOKEN],
        takes: None,
        gives: Gives::json::<Value>(200),
        refuses: &[500],
        run: |verb| on(verb, model),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/electric-networks/{token}/topology",
        resource: "networks",
        summary: "Whether each switch is closed, in the order of the network's switches",
        access: Access::Within(Kind::Topology, Action::Read),
        parameters: &[&TOKEN, &AT, &VERSION],
        takes: None,
        gives: Gives::json::<TopologyJson>(200),
        refuses: &[500],
        run: |verb| on(verb, one),
    },
    Route {
        method: Verb::Put,
        path: "/api/v1/electric-networks/{token}/topology",
        resource: "networks",
        summary: "Changes switches, if the topology is in the `version` that is sent with it; \
                  an alert `topology.changed` is raised with it",
        access: Access::Within(Kind::Topology, Action::Switch),
        parameters: &[&TOKEN],
        takes: Some(schema::<SwitchJson>),
        gives: Gives::json::<TopologyJson>(200),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, switch),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/electric-networks/{token}/topology/history",
        resource: "networks",
        summary: "The versions of the topology, newest first",
        access: Access::Within(Kind::Topology, Action::Read),
        parameters: &[&TOKEN, &PAGE, &PAGE_SIZE],
        takes: None,
        gives: Gives::json::<super::devices::List<TopologyJson>>(200),
        refuses: &[500],
        run: |verb| on(verb, history),
    },
];

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

async fn model(api: Api, PathText(token): PathText, pairs: Pairs) -> Result<Response, Problem> {
    pairs.finish()?;
    let network = topology::network(&api.caller(), &token).await?;
    Ok(([(CONTENT_TYPE, "application/json")], network.model).into_response())
}

async fn one(api: Api, PathText(token): PathText, mut pairs: Pairs) -> Answer<TopologyJson> {
    let at = pairs.instant(&AT)?;
    let has_version = pairs.has(&VERSION);
    let version = pairs.number(&VERSION)?;
    pairs.finish()?;
    let when = match at {
        _ if has_version => When::Version(version),
        Some(at) => When::At(at),
        None => When::Now,
    };
    Ok(Json(topology::states(&api.caller(), &token, when).await?.into()))
}

async fn switch(
    api: Api,
    PathText(token): PathText,
    pairs: Pairs,
    Body(SwitchJson { version, states, cause }): Body<SwitchJson>,
) -> Answer<TopologyJson> {
    pairs.finish()?;
    let done = topology::switch(&api.caller(), &token, (version, states), cause).await?;
    Ok(Json(done.into()))
}

async fn history(
    api: Api,
    PathText(token): PathText,
    mut pairs: Pairs,
) -> Answer<super::devices::List<TopologyJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let (num_results, found) = topology::history(&api.caller(), &token, page).await?;
    let results = found.into_iter().map(TopologyJson::from).collect();
    Ok(Json(super::devices::List { num_results, results }))
}
