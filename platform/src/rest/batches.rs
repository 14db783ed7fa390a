//! Batches: one command to many devices.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind};
use lastmeter_model::document::kind_of_name;
use lastmeter_model::entity::{CommandCall, Metadata, Targets, Token};
use lastmeter_units::HardwareId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::devices::List;
use super::documents::{DocumentJson, TOKEN, listed, repeatable};
use super::extract::{Body, Pairs, PathText};
use super::invocations::texts;
use super::parameter::{PAGE, PAGE_SIZE};
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::ops::commands::{self, NewBatch};
use crate::ops::documents;

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Post,
        path: "/sitewhere/api/batch/command",
        resource: "commands",
        summary: "Asks a list of devices for a command; once for an `Idempotency-Key`",
        access: Access::Within(Kind::Batch, Action::Command),
        parameters: &[],
        takes: Some(schema::<ListJson>),
        gives: Gives::json::<DocumentJson>(201),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, of_list),
    },
    Route {
        method: Verb::Post,
        path: "/sitewhere/api/batch/command/criteria",
        resource: "commands",
        summary: "Asks the devices that are in a group or zone now for a command",
        access: Access::Within(Kind::Batch, Action::Command),
        parameters: &[],
        takes: Some(schema::<CriteriaJson>),
        gives: Gives::json::<DocumentJson>(201),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, by_criteria),
    },
    Route {
        method: Verb::Get,
        path: "/sitewhere/api/batch",
        resource: "commands",
        summary: "Batches that may be read, by token, with the counts of their last step",
        access: Access::Within(Kind::Batch, Action::Read),
        parameters: &[&PAGE, &PAGE_SIZE],
        takes: None,
        gives: Gives::json::<List<DocumentJson>>(200),
        refuses: &[500],
        run: |verb| on(verb, list),
    },
    Route {
        method: Verb::Get,
        path: "/sitewhere/api/batch/{token}",
        resource: "commands",
        summary: "A batch, with how many of its commands are in which state",
        access: Access::Within(Kind::Batch, Action::Read),
        parameters: &[&TOKEN],
        takes: None,
        gives: Gives::json::<DocumentJson>(200),
        refuses: &[500],
        run: |verb| on(verb, one),
    },
    Route {
        method: Verb::Delete,
        path: "/sitewhere/api/batch/{token}",
        resource: "commands",
        summary: "Cancels what of a batch has not ended",
        access: Access::Within(Kind::Batch, Action::Command),
        parameters: &[&TOKEN],
        takes: None,
        gives: Gives::json::<DocumentJson>(200),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, cancel),
    },
];

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

fn wrong(field: &str, detail: &str) -> Problem {
    let detail = format!("{field}: {detail}");
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail);
    problem.with("field", json!(field))
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

async fn of_list(
    api: Api,
    Extension(route): Extension<&'static Route>,
    pairs: Pairs,
    headers: HeaderMap,
    Body(asked): Body<ListJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let ids = asked.hardware_ids.into_iter().map(HardwareId::new);
    let devices = ids.collect::<Result<_, _>>();
    let devices = devices.map_err(|error| wrong("hardwareIds", &error.to_string()))?;
    let call = call(asked.command_token, asked.parameter_values, asked.expires_after_seconds)?;
    let (target, metadata) = (Targets::Devices(devices), json!(asked.metadata));
    make(&api, route, &headers, NewBatch { token: asked.token, call, target, metadata }).await
}

async fn by_criteria(
    api: Api,
    Extension(route): Extension<&'static Route>,
    pairs: Pairs,
    headers: HeaderMap,
    Body(asked): Body<CriteriaJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let target = match (asked.group_token, asked.zone_token) {
        (Some(group), None) => Targets::Group(token("groupToken", group)?),
        (None, Some(zone)) => Targets::Zone(token("zoneToken", zone)?),
        _ => return Err(wrong("groupToken", "expected it or `zoneToken`, and not both")),
    };
    let call = call(asked.command_token, asked.parameter_values, asked.expires_after_seconds)?;
    let metadata = json!(asked.metadata);
    make(&api, route, &headers, NewBatch { token: asked.token, call, target, metadata }).await
}

async fn make(
    api: &Api,
    route: &Route,
    headers: &HeaderMap,
    asked: NewBatch,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    let repeatable = repeatable(headers, route.path)?;
    let made = commands::make(&api.caller(), asked, repeatable).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn list(api: Api, mut pairs: Pairs) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let kind = kind_of_name("batch");
    let kind = kind.ok_or_else(|| Problem::not_found("no_such_path", "there are no batches"))?;
    Ok(Json(listed(documents::list(&api.caller(), kind, None, page).await?)))
}

async fn one(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    Ok(Json(commands::one(&api.caller(), &token).await?.into()))
}

async fn cancel(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    Ok(Json(commands::cancel(&api.caller(), &token).await?.into()))
}
