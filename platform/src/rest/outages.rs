//! Who has supply in a network, and outages: what applications report, and what operators make of
//! it.

use axum::Json;
use lastmeter_model::entity::OutageVerdict;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::extract::{Body, Call};
use super::openapi::Instant;
use super::parameter::Parameter;
use super::routes::{Gives, routes, schema};
use crate::ops::grid::{self, Counts, Grid, Position};
use crate::ops::outages::{self, Area, Happening, History, Outage};

const NETWORK: Parameter = Parameter::text("token", "the network's token").example("feeder-1");
const OUTAGE: Parameter = Parameter::text("token", "`APPLICATION~SUBJECT` of the outage's results")
    .example("outages~outage-1");

routes! {
    "networks" {
        Get "/api/v1/electric-networks/{token}/supply" => supply:
            "Which elements of a network have supply, as far as it follows from the topology and \
             from outages that are not over",
            To(Result, Read), [NETWORK], gives Gives::json::<SupplyJson>(200), refuses [409, 500];
    }
    "outages" {
        Get "/api/v1/outages" => list: "Outages that applications report, the last one first",
            To(Result, Read), [], gives Gives::json::<OutagesJson>(200), refuses [500];
        Get "/api/v1/outages/{token}" => one: "An outage with what happened",
            To(Result, Read), [OUTAGE], gives Gives::json::<HistoryJson>(200), refuses [500];
        Post "/api/v1/outages/{token}/review" => review: "Confirms or rejects an outage",
            To(NetworkAlarm, Acknowledge), [OUTAGE], takes schema::<ReviewJson>,
            gives Gives::json::<HistoryJson>(200), refuses [409, 500, 507];
    }
}

/// Who has supply.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Supply")]
struct SupplyJson {
    /// Of the topology; 0 before any change.
    version: u64,
    #[serde(flatten)]
    counts: Counts,
    elements: Vec<ElementJson>,
}

/// An element of a network.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "GridElement")]
struct ElementJson {
    /// `node`, `line`, `switch`, `transformer`, `source`, `load` or `generator`.
    kind: &'static str,
    name: String,
    /// `open`, `closed` or `position unknown`, of a switch.
    position: Option<&'static str>,
    /// `energised`, `no supply on some phases`, `no supply` or `supply unknown`.
    supply: &'static str,
    /// Both in words, with phases.
    state: String,
}

impl From<Grid> for SupplyJson {
    fn from(grid: Grid) -> Self {
        let elements = grid.network.model.elements.iter().zip(&grid.states);
        let elements = elements.map(|(element, state)| ElementJson {
            kind: element.kind.word(),
            name: element.name.clone(),
            position: state.position.map(Position::word),
            supply: state.supply().word(),
            state: state.text(),
        });
        let elements = elements.collect();
        Self { version: grid.switches.version, counts: grid.counts(), elements }
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Outages")]
struct OutagesJson {
    results: Vec<OutageJson>,
    /// Results of applications that are not of the form of an outage.
    unreadable: u64,
}

/// An outage.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Outage")]
struct OutageJson {
    token: String,
    network: String,
    /// `proposed`, `confirmed`, `partly restored`, `restored`, `rejected`, `withdrawn` or
    /// `planned`.
    state: &'static str,
    areas: Vec<Area>,
    /// Meters that should have been heard.
    expected: u64,
    /// Of these, those whose last gasp was heard.
    heard: u64,
    /// Meters with supply again.
    restored: u64,
    #[schemars(with = "Instant")]
    since: SimTime,
    #[schemars(with = "Option<Instant>")]
    until: Option<SimTime>,
    /// Who confirmed or rejected it.
    reviewed_by: Option<String>,
    #[schemars(with = "Option<Instant>")]
    reviewed: Option<SimTime>,
    /// Who had switched it on purpose.
    planned_by: Option<String>,
}

impl From<Outage> for OutageJson {
    fn from(of: Outage) -> Self {
        Self {
            state: of.state.word(),
            areas: of.content.areas,
            expected: of.meters[0] as u64,
            heard: of.heard as u64,
            restored: of.meters[1] as u64,
            since: of.content.since,
            until: of.content.until,
            reviewed: of.review.as_ref().map(|review| review.at),
            reviewed_by: of.review.map(|review| review.by),
            planned_by: of.planned.map(|planned| planned.by),
            token: of.token,
            network: of.content.network,
        }
    }
}

/// An outage with what happened.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OutageHistory")]
struct HistoryJson {
    outage: OutageJson,
    timeline: Vec<Happening>,
    /// Minutes that connections were without supply, all of them together, up to now.
    minutes_lost: f64,
    /// How many connections that were.
    interrupted: u64,
}

impl From<History> for HistoryJson {
    fn from(of: History) -> Self {
        Self {
            outage: of.outage.into(),
            timeline: of.timeline,
            minutes_lost: of.minutes_lost,
            interrupted: of.interrupted as u64,
        }
    }
}

/// What an operator makes of an outage.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OutageReview", extend("examples" = [{ "verdict": "confirmed" }]))]
struct ReviewJson {
    /// `confirmed` or `rejected`.
    #[schemars(with = "String")]
    verdict: OutageVerdict,
}

/// `GET /api/v1/electric-networks/{token}/supply`
async fn supply(call: Call) -> Answer<SupplyJson> {
    Ok(Json(grid::now(&call.caller(), &call.variable).await?.into()))
}

/// `GET /api/v1/outages`
async fn list(call: Call) -> Answer<OutagesJson> {
    let found = outages::all(&call.caller(), None).await?;
    let results = found.all.into_iter().map(OutageJson::from).collect();
    Ok(Json(OutagesJson { results, unreadable: found.unreadable as u64 }))
}

/// `GET /api/v1/outages/{token}`
async fn one(call: Call) -> Answer<HistoryJson> {
    Ok(Json(outages::one(&call.caller(), &call.variable).await?.into()))
}

/// `POST /api/v1/outages/{token}/review`
async fn review(call: Call, Body(asked): Body<ReviewJson>) -> Answer<HistoryJson> {
    Ok(Json(outages::review(&call.caller(), &call.variable, asked.verdict).await?.into()))
}
