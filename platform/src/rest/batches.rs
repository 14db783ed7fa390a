//! Batches: one command to many devices, listed or found by what they belong to.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use lastmeter_model::access::{Action, Kind};
use lastmeter_model::document::{DocumentKind, kind_of_name};
use lastmeter_model::entity::{CommandCall, Metadata, Targets, Token};
use lastmeter_units::HardwareId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::devices::List;
use super::documents::{DocumentJson, TOKEN, repeatable};
use super::extract::{Body, Pairs, PathText};
use super::parameter::{EXAMPLE_DEVICE, PAGE, PAGE_SIZE};
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::ops::commands::{make_batch, shown};
use crate::ops::documents::{self, Request};

/// What the rows have in common.
const ROW: Route = Route {
    method: Verb::Get,
    path: "/sitewhere/api/batch/{token}",
    resource: "commands",
    summary: "A batch, and how many of its commands stand how",
    access: Access::Within(Kind::Batch, Action::Read),
    parameters: &[&TOKEN],
    takes: None,
    gives: Gives::json::<DocumentJson>(200),
    refuses: &[500],
    run: |verb| on(verb, one),
};

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/sitewhere/api/batch",
        summary: "Batches that may be read, by token",
        parameters: &[&PAGE, &PAGE_SIZE],
        gives: Gives::json::<List<DocumentJson>>(200),
        run: |verb| on(verb, list),
        ..ROW
    },
    Route {
        method: Verb::Post,
        path: "/sitewhere/api/batch/command",
        summary: "One command to devices of a list; durable when answered",
        access: Access::Within(Kind::Batch, Action::Command),
        parameters: &[],
        takes: Some(schema::<ListedJson>),
        gives: Gives::json::<DocumentJson>(201),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, of_list),
        ..ROW
    },
    Route {
        method: Verb::Post,
        path: "/sitewhere/api/batch/command/criteria",
        summary: "One command to the devices that are now in a group or a zone",
        access: Access::Within(Kind::Batch, Action::Command),
        parameters: &[],
        takes: Some(schema::<CriteriaJson>),
        gives: Gives::json::<DocumentJson>(201),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, by_criteria),
        ..ROW
    },
    ROW,
    Route {
        method: Verb::Delete,
        summary: "Makes no further commands of a batch",
        access: Access::Within(Kind::Batch, Action::Command),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, remove),
        ..ROW
    },
];

/// A command to devices of a list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewBatch", extend("examples" = [{
    "token": "x.a", "commandToken": "readRegister", "parameterValues": { "register": "status" },
    "hardwareIds": [EXAMPLE_DEVICE]
}]))]
struct ListedJson {
    /// Made, if left out.
    token: Option<String>,
    command_token: String,
    #[serde(default)]
    parameter_values: BTreeMap<String, String>,
    hardware_ids: Vec<String>,
}

/// A command to devices of a group or a zone: one of both.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewBatchByCriteria", extend("examples" = [{
    "commandToken": "readRegister", "parameterValues": { "register": "status" },
    "groupToken": "x.a"
}]))]
struct CriteriaJson {
    /// Made, if left out.
    token: Option<String>,
    command_token: String,
    #[serde(default)]
    parameter_values: BTreeMap<String, String>,
    group_token: Option<String>,
    zone_token: Option<String>,
}

fn kind() -> Result<&'static DocumentKind, Problem> {
    let none = || Problem::not_found("no_such_path", "there are no batches");
    kind_of_name("batch").ok_or_else(none)
}

fn wrong(field: &str, expected: &str) -> Problem {
    let detail = format!("`{field}`: expected {expected}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail)
}

fn token(field: &str, text: String) -> Result<Token, Problem> {
    Token::try_from(text).map_err(|error| wrong(field, error.trim_start_matches("expected ")))
}

fn call(command: String, parameters: BTreeMap<String, String>) -> Result<CommandCall, Problem> {
    let parameter_values = Metadata::try_from(parameters)
        .map_err(|error| wrong("parameterValues", error.trim_start_matches("expected ")))?;
    Ok(CommandCall { command_token: token("commandToken", command)?, parameter_values })
}

async fn list(api: Api, mut pairs: Pairs) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let (num_results, found) = documents::list(&api.caller(), kind()?, None, page).await?;
    let results = found.into_iter().map(DocumentJson::from).collect();
    Ok(Json(List { num_results, results }))
}

async fn of_list(
    api: Api,
    pairs: Pairs,
    headers: HeaderMap,
    Body(asked): Body<ListedJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let ids = asked.hardware_ids.into_iter().map(|text| {
        HardwareId::new(text).map_err(|_| wrong("hardwareIds", "hardware ids of devices"))
    });
    let target = Targets::Devices(ids.collect::<Result<_, _>>()?);
    let call = call(asked.command_token, asked.parameter_values)?;
    let repeatable = repeatable(&headers, "/sitewhere/api/batch/command")?;
    let caller = api.caller();
    let made = make_batch(&caller, asked.token, (&call, &target), repeatable).await?;
    Ok((StatusCode::CREATED, Json(shown(&caller, &made).await?.into())))
}

async fn by_criteria(
    api: Api,
    pairs: Pairs,
    headers: HeaderMap,
    Body(asked): Body<CriteriaJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let target = match (asked.group_token, asked.zone_token) {
        (Some(group), None) => Targets::Group(token("groupToken", group)?),
        (None, Some(zone)) => Targets::Zone(token("zoneToken", zone)?),
        _ => return Err(wrong("groupToken", "either it or `zoneToken`")),
    };
    let call = call(asked.command_token, asked.parameter_values)?;
    let repeatable = repeatable(&headers, "/sitewhere/api/batch/command/criteria")?;
    let caller = api.caller();
    let made = make_batch(&caller, asked.token, (&call, &target), repeatable).await?;
    Ok((StatusCode::CREATED, Json(shown(&caller, &made).await?.into())))
}

async fn one(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    let caller = api.caller();
    let found = documents::one(&caller, kind()?, &token, None).await?;
    Ok(Json(shown(&caller, &found).await?.into()))
}

async fn remove(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    let request = Request { token: None, version: None, body: None };
    let removed = documents::change(&api.caller(), kind()?, &token, request).await?;
    let shown: Value = documents::shown(&removed);
    Ok(Json(shown.into()))
}
