//! What is known to be lost or damaged, and that somebody has looked at it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::extract::{Body, Pairs, PathText};
use super::{Answer, Api, Problem};
use crate::losses::Loss;

/// All reports, oldest first.
#[derive(Serialize)]
pub(super) struct LossesJson {
    results: Vec<Loss>,
    /// Those that nobody has acknowledged.
    unacknowledged: u64,
    /// Losses that were found when there were too many reports to keep.
    further: u64,
}

/// `GET /api/v1/losses`
pub(super) async fn list(State(api): State<Api>, pairs: Pairs) -> Answer<LossesJson> {
    pairs.finish()?;
    let (results, further) = api.core.losses.list();
    let unacknowledged = api.core.losses.open_ones().0;
    Ok(Json(LossesJson { results, unacknowledged, further }))
}

/// The note about a loss.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcknowledgeJson {
    /// Who looked at it and what was done.
    note: String,
}

/// `POST /api/v1/losses/{id}/acknowledge`: durable when it is answered.
pub(super) async fn acknowledge(
    State(api): State<Api>,
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
    let losses = std::sync::Arc::clone(&api.core.losses);
    let written = tokio::task::spawn_blocking(move || losses.acknowledge(id, &body.note)).await;
    let unwritten = |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_written", why);
    match written.map_err(|error| unwritten(error.to_string()))? {
        Ok(loss) => loss.map(Json).ok_or_else(unknown),
        Err(error) => Err(unwritten(format!("the acknowledgement could not be written: {error}"))),
    }
}
