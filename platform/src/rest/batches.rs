//! Batches: one command to many devices.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use axum::Json;
use axum::http::StatusCode;
use lastmeter_model::entity::{Batch, CommandCall, Metadata, Targets, Token};
use lastmeter_units::HardwareId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::devices::List;
use super::documents::{DocumentJson, TOKEN, list_of};
use super::extract::{Body, Call};
use super::invocations::texts;
use super::parameter::{PAGE, PAGE_SIZE};
use super::routes::{Gives, routes, schema};
use super::{Answer, Made, Problem};
use crate::ops::commands::{self, NewBatch};
use crate::problem::wrong;

routes! {
    "commands" {
        Post "/sitewhere/api/batch/command" => of_list:
            "Asks a list of devices for a command; once for an `Idempotency-Key`",
            Within(Batch, Command), [], takes schema::<ListJson>,
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Post "/sitewhere/api/batch/command/criteria" => by_criteria:
            "Asks the devices that are in a group or zone now for a command",
            Within(Batch, Command), [], takes schema::<CriteriaJson>,
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Get "/sitewhere/api/batch" => list_of::<Batch>:
            "Batches that may be read, by token, with the counts of their last step",
            Within(Batch, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Get "/sitewhere/api/batch/{token}" => one:
            "A batch, with how many of its commands are in which state",
            Within(Batch, Read), [TOKEN], gives Gives::json::<DocumentJson>(200), refuses [500];
        Delete "/sitewhere/api/batch/{token}" => cancel: "Cancels what of a batch has not ended",
            Within(Batch, Command), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

/// One command to a list of devices; SiteWhere's names, and one of our own.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewBatch", extend("examples" = [{
    "token": "x.a", "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
    "hardwareIds": ["meter-1"]
}]))]
struct ListJson {
    token: Option<String>,
    command_token: String,
    #[serde(default)]
    parameter_values: BTreeMap<String, Value>,
    hardware_ids: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Our own: when each command expires, in seconds from when it is made.
    #[schemars(with = "Option<u32>")]
    expires_after_seconds: Option<NonZeroU32>,
}

/// One command to the devices that are somewhere.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewBatchByCriteria", extend("examples" = [{
    "token": "x.b", "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
    "groupToken": "x.a"
}]))]
struct CriteriaJson {
    token: Option<String>,
    command_token: String,
    #[serde(default)]
    parameter_values: BTreeMap<String, Value>,
    /// Either a group or a zone.
    group_token: Option<String>,
    zone_token: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Our own: when each command expires, in seconds from when it is made.
    #[schemars(with = "Option<u32>")]
    expires_after_seconds: Option<NonZeroU32>,
}

fn token(field: &str, text: String) -> Result<Token, Problem> {
    Token::try_from(text).map_err(|expected| wrong(field, expected))
}

fn call(
    command: String,
    values: BTreeMap<String, Value>,
    expires_after_seconds: Option<NonZeroU32>,
) -> Result<CommandCall, Problem> {
    let values = Metadata::try_from(texts(values)?);
    Ok(CommandCall {
        command_token: token("commandToken", command)?,
        parameter_values: values.map_err(|expected| wrong("parameterValues", expected))?,
        expires_after_seconds,
    })
}

async fn of_list(call: Call, Body(asked): Body<ListJson>) -> Made<DocumentJson> {
    let ids = asked.hardware_ids.into_iter().map(HardwareId::new);
    let devices = ids.collect::<Result<_, _>>();
    let devices = devices.map_err(|error| wrong("hardwareIds", &error.to_string()))?;
    let (target, metadata) = (Targets::Devices(devices), json!(asked.metadata));
    let command =
        self::call(asked.command_token, asked.parameter_values, asked.expires_after_seconds)?;
    make(&call, NewBatch { token: asked.token, call: command, target, metadata }).await
}

async fn by_criteria(call: Call, Body(asked): Body<CriteriaJson>) -> Made<DocumentJson> {
    let target = match (asked.group_token, asked.zone_token) {
        (Some(group), None) => Targets::Group(token("groupToken", group)?),
        (None, Some(zone)) => Targets::Zone(token("zoneToken", zone)?),
        _ => return Err(wrong("groupToken", "expected it or `zoneToken`, and not both")),
    };
    let command =
        self::call(asked.command_token, asked.parameter_values, asked.expires_after_seconds)?;
    let metadata = json!(asked.metadata);
    make(&call, NewBatch { token: asked.token, call: command, target, metadata }).await
}

async fn make(call: &Call, asked: NewBatch) -> Made<DocumentJson> {
    let made = commands::make(&call.caller(), asked, call.repeatable()?).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn one(call: Call) -> Answer<DocumentJson> {
    Ok(Json(commands::one(&call.caller(), &call.variable).await?.into()))
}

async fn cancel(call: Call) -> Answer<DocumentJson> {
    Ok(Json(commands::cancel(&call.caller(), &call.variable).await?.into()))
}
