//! Alarms: what holds or nobody knows of yet, and what people do about it.

use axum::Json;
use lastmeter_model::entity::Alarm;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Answer;
use super::devices::List;
use super::documents::{DocumentJson, TOKEN, history_of, list_of, one_of};
use super::extract::{Body, Call};
use super::openapi::Instant;
use super::parameter::{PAGE, PAGE_SIZE};
use super::routes::{Gives, routes, schema};
use crate::ops::alarms::{self, Handling};
use crate::ops::documents::shown;

routes! {
    "alarms" {
        Get "/api/v1/alarms" => list_of::<Alarm>:
            "Alarms, by token: what holds (`active`) or has held, and who knows of it",
            Within(Alarm, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Get "/api/v1/alarms/{token}" => one_of::<Alarm>: "An alarm",
            Within(Alarm, Read), [TOKEN], gives Gives::json::<DocumentJson>(200), refuses [500];
        Get "/api/v1/alarms/{token}/history" => history_of::<Alarm>: "Its versions, newest first",
            Within(Alarm, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/alarms/{token}/acknowledge" => acknowledge:
            "Notes that whoever asks knows of an alarm; who did so first stays",
            Within(Alarm, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/api/v1/alarms/{token}/clear" => clear:
            "Ends an alarm by hand; what raises it may begin it again",
            Within(Alarm, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/api/v1/alarms/{token}/shelve" => shelve:
            "Has an alarm not shown among those that need somebody until an instant",
            Within(Alarm, Write), [TOKEN], takes schema::<ShelveJson>,
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

/// Until when an alarm is not to be shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Shelve", extend("examples" = [{ "until": "2027-01-19T06:00:00Z" }]))]
struct ShelveJson {
    /// `null` shows it again.
    #[schemars(with = "Option<Instant>")]
    until: Option<SimTime>,
}

/// `POST /api/v1/alarms/{token}/acknowledge`
async fn acknowledge(call: Call) -> Answer<DocumentJson> {
    handle(&call, Handling::Acknowledge).await
}

/// `POST /api/v1/alarms/{token}/clear`
async fn clear(call: Call) -> Answer<DocumentJson> {
    handle(&call, Handling::Clear).await
}

/// `POST /api/v1/alarms/{token}/shelve`
async fn shelve(call: Call, Body(asked): Body<ShelveJson>) -> Answer<DocumentJson> {
    handle(&call, Handling::Shelve(asked.until)).await
}

async fn handle(call: &Call, handling: Handling) -> Answer<DocumentJson> {
    let alarm = alarms::handle(&call.caller(), &call.variable, handling).await?;
    Ok(Json(shown(&alarm).into()))
}
