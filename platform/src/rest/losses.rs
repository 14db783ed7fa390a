//! What is known to be lost or damaged, and that somebody has looked at it.

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::extract::{Body, Call};
use super::parameter::Parameter;
use super::routes::{Gives, routes, schema};
use crate::losses::Loss;
use crate::ops::losses;

const LOSS: Parameter =
    Parameter::text("id", "the number of a report, `id` in the list").example("1");

routes! {
    "operation" {
        Get "/api/v1/losses" => list: "What is known to be lost or damaged, oldest first",
            To(Losses, Read), [], gives Gives::json::<LossesJson>(200), refuses [];
        Post "/api/v1/losses/{id}/acknowledge" => acknowledge:
            "Acknowledges a loss; durable when answered",
            To(Losses, Acknowledge), [LOSS], takes schema::<AcknowledgeJson>,
            gives Gives::json::<Loss>(200), refuses [];
    }
}

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
async fn list(call: Call) -> Answer<LossesJson> {
    let (results, further) = call.tenant.losses.list();
    let unacknowledged = call.tenant.losses.open_ones().0;
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
async fn acknowledge(call: Call, Body(body): Body<AcknowledgeJson>) -> Answer<Loss> {
    losses::acknowledge(&call.caller(), &call.variable, body.note).await.map(Json)
}
