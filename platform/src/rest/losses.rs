//! What is known to be lost or damaged, and that somebody has looked at it.

use axum::Json;
use axum::http::StatusCode;
use axum::routing::on;
use lastmeter_model::access::{self, Action};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{Body, Pairs, PathText};
use super::parameter::Parameter;
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::losses::Loss;

const LOSS: Parameter =
    Parameter::text("id", "the number of a report, `id` in the list").example("1");

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Get,
        path: "/api/v1/losses",
        resource: "operation",
        summary: "What is known to be lost or damaged, oldest first",
        access: Access::To(access::Kind::Losses, Action::Read),
        parameters: &[],
        takes: None,
        gives: Gives::json::<LossesJson>(200),
        refuses: &[],
        run: |verb| on(verb, list),
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/losses/{id}/acknowledge",
        resource: "operation",
        summary: "Acknowledges a loss; durable when answered",
        access: Access::To(access::Kind::Losses, Action::Acknowledge),
        parameters: &[&LOSS],
        takes: Some(schema::<AcknowledgeJson>),
        gives: Gives::json::<Loss>(200),
        refuses: &[],
        run: |verb| on(verb, acknowledge),
    },
];

/// All reports, oldest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Losses")]
pub(super) struct LossesJson {
    results: Vec<Loss>,
    /// Those that nobody has acknowledged.
    unacknowledged: u64,
    /// Losses that were found when there were too many reports to keep.
    further: u64,
}

/// `GET /api/v1/losses`
pub(super) async fn list(api: Api, pairs: Pairs) -> Answer<LossesJson> {
    pairs.finish()?;
    let (results, further) = api.tenant.losses.list();
    let unacknowledged = api.tenant.losses.open_ones().0;
    Ok(Json(LossesJson { results, unacknowledged, further }))
}

/// The note about a loss.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Acknowledgement", extend("examples" = [{ "note": "seen" }]))]
pub(super) struct AcknowledgeJson {
    /// Who looked at it and what was done.
    note: String,
}

/// `POST /api/v1/losses/{id}/acknowledge`: durable when it is answered.
pub(super) async fn acknowledge(
    api: Api,
    PathText(text): PathText,
    pairs: Pairs,
    Body(body): Body<AcknowledgeJson>,
) -> Answer<Loss> {
    pairs.finish()?;
    let unknown = || {
        let text = lastmeter_model::refusal::shortened(&text, 80);
        Problem::not_found("unknown_loss", format!("there is no report of a loss `{text}`"))
    };
    let id: u64 = text.parse().map_err(|_| unknown())?;
    let losses = std::sync::Arc::clone(&api.tenant.losses);
    let written = tokio::task::spawn_blocking(move || losses.acknowledge(id, &body.note)).await;
    let unwritten = |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_written", why);
    match written.map_err(|error| unwritten(error.to_string()))? {
        Ok(loss) => loss.map(Json).ok_or_else(unknown),
        Err(error) => Err(unwritten(format!("the acknowledgement could not be written: {error}"))),
    }
}
