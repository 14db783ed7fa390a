//! Alarms: who knows of them, and which are not to be shown for a while. What raises and ends them
//! is the services' (`crate::services`).

use std::sync::Arc;

use lastmeter_model::document::Document;
use lastmeter_model::entity::{Alarm, Body as _};
use lastmeter_units::SimTime;

use super::Caller;
use super::documents;
use crate::problem::Problem;

/// What somebody does about an alarm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handling {
    /// Somebody knows of it.
    Acknowledge,
    /// It is over, as somebody sees it.
    Clear,
    /// It is not to be shown until an instant; `None` shows it again.
    Shelve(Option<SimTime>),
}

/// Handles an alarm.
///
/// # Errors
/// 401, 403 or 404 as for any document; 409 if it is being changed all the time.
pub(crate) async fn handle(
    caller: &Caller,
    token: &str,
    handling: Handling,
) -> Result<Arc<Document>, Problem> {
    documents::edit(caller, Alarm::kind(), token, |document| {
        let alarm: Alarm = serde_json::from_str(&document.body).ok()?;
        let by = caller.who.first()?.reference.clone();
        let now = match handling {
            Handling::Acknowledge => alarm.acknowledged(by, caller.tenant.clock.now())?,
            Handling::Clear => alarm.cleared(caller.tenant.clock.now())?,
            Handling::Shelve(until) => alarm.shelved(until),
        };
        serde_json::to_value(now).ok()
    })
    .await
}
