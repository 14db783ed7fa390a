//! Losses: that somebody has looked at one.

use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Resource, Subject};
use lastmeter_model::refusal::shortened;

use super::Caller;
use crate::losses::Loss;
use crate::problem::Problem;

/// Acknowledges a loss; durable when it is answered.
///
/// # Errors
/// 404 for a number that no report has, 503 where it could not be written.
pub(crate) async fn acknowledge(
    caller: &Caller,
    number: &str,
    note: String,
) -> Result<Loss, Problem> {
    let unknown = || {
        let text = shortened(number, 80);
        Problem::not_found("unknown_loss", format!("there is no report of a loss `{text}`"))
    };
    let on = Resource::new(Kind::Losses, &caller.tenant.name, Subject::List);
    caller.require(Action::Acknowledge, &on, unknown)?;
    let id: u64 = number.parse().map_err(|_| unknown())?;
    let losses = Arc::clone(&caller.tenant.losses);
    let written = tokio::task::spawn_blocking(move || losses.acknowledge(id, &note)).await;
    let unwritten = |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_written", why);
    match written.map_err(|error| unwritten(error.to_string()))? {
        Ok(loss) => loss.ok_or_else(unknown),
        Err(error) => Err(unwritten(format!("the acknowledgement could not be written: {error}"))),
    }
}
