//! Commands over REST: asking for one, and seeing how far it has come.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use lastmeter_model::access::{self, Action};
use lastmeter_model::invocation::StoredInvocation;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::devices::List;
use super::extract::{Body, Call};
use super::openapi::Instant;
use super::parameter::{ASSIGNMENT, PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes, schema};
use super::{Answer, Made, Problem};
use crate::config::TENANT;
use crate::ops::assignments;
use crate::ops::commands::{self, Asked, EXPIRY_S_MAX};

const READ: (access::Kind, Action) = (access::Kind::Invocation, Action::Read);

const INVOCATION: Parameter = Parameter::text("id", "the id of an invocation, `id` of its answer")
    .example("000000000000000000000001");

routes! {
    "commands" {
        Get "/sitewhere/api/assignments/{token}/invocations" => list:
            "Commands asked for, newest first",
            Within(Invocation, Read), [ASSIGNMENT, PAGE, PAGE_SIZE],
            gives Gives::json::<List<InvocationJson>>(200), refuses [500];
        Post "/sitewhere/api/assignments/{token}/invocations" => invoke:
            "Asks for a command; durable when answered",
            Within(Invocation, Command), [ASSIGNMENT], takes schema::<InvokeJson>,
            gives Gives::json::<InvocationJson>(201), refuses [500];
        Get "/sitewhere/api/invocations/{id}" => one: "What became of a command",
            Within(Invocation, Read), [INVOCATION],
            gives Gives::json::<InvocationJson>(200), refuses [500];
        Get "/sitewhere/api/invocations/{id}/summary" => summary:
            "What was asked for, and what came of it",
            Within(Invocation, Read), [INVOCATION],
            gives Gives::json::<SummaryJson>(200), refuses [500];
        Get "/sitewhere/api/invocations/{id}/responses" => responses: "What the device answered",
            Within(Invocation, Read), [INVOCATION],
            gives Gives::json::<List<ResponseJson>>(200), refuses [500];
        Delete "/sitewhere/api/invocations/{id}" => cancel: "Cancels a command that has not ended",
            Within(Invocation, Command), [INVOCATION],
            gives Gives::json::<InvocationJson>(200), refuses [409, 500];
    }
}

/// What is asked for; SiteWhere's names, and one of our own.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewInvocation", extend("examples" = [{
    "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" }
}]))]
pub(super) struct InvokeJson {
    command_token: String,
    /// Arguments; texts as SiteWhere has them, numbers and truth values are taken too.
    #[serde(default)]
    parameter_values: BTreeMap<String, Value>,
    /// `REST` unless given; only what the bench gives here is not put into the metadata.
    initiator: Option<String>,
    initiator_id: Option<String>,
    /// Only `Assignment` exists.
    target: Option<String>,
    /// Same as the token in the path; taken for compatibility.
    target_id: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// Our own: when it expires, in seconds from now.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = EXPIRY_S_MAX))]
    expires_after_seconds: Option<f64>,
}

/// An invocation as SiteWhere shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Invocation")]
pub(super) struct InvocationJson {
    id: String,
    event_type: &'static str,
    site_token: &'static str,
    device_assignment_token: String,
    assignment_type: &'static str,
    device_hardware_id: String,
    #[schemars(with = "Instant")]
    event_date: SimTime,
    #[schemars(with = "Instant")]
    received_date: SimTime,
    initiator: String,
    initiator_id: String,
    target: &'static str,
    command_token: String,
    parameter_values: BTreeMap<String, String>,
    /// SiteWhere's word.
    status: &'static str,
    /// Our word.
    state: &'static str,
    #[schemars(with = "Instant")]
    expires_date: SimTime,
    #[schemars(with = "Option<Instant>")]
    sent_date: Option<SimTime>,
    #[schemars(with = "Option<Instant>")]
    ended_date: Option<SimTime>,
    response: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl From<StoredInvocation> for InvocationJson {
    fn from(StoredInvocation { hardware_id, assignment, row }: StoredInvocation) -> Self {
        Self {
            id: row.id.to_string(),
            event_type: "CommandInvocation",
            site_token: TENANT,
            status: row.sitewhere_status(),
            state: row.state.word(),
            device_assignment_token: assignment,
            assignment_type: "Unassociated",
            device_hardware_id: hardware_id.to_string(),
            event_date: row.asked.created,
            received_date: row.asked.created,
            initiator: row.asked.initiator,
            initiator_id: row.asked.initiator_id,
            target: "Assignment",
            command_token: row.asked.command,
            parameter_values: row.asked.parameters,
            expires_date: row.asked.expires,
            sent_date: row.sent,
            ended_date: row.ended,
            response: row.response,
            metadata: row.asked.metadata,
        }
    }
}

/// `POST /sitewhere/api/assignments/{token}/invocations`: durable when it is answered, and sent if
/// the device is there.
async fn invoke(call: Call, Body(asked): Body<InvokeJson>) -> Made<InvocationJson> {
    let (device, _) = assignments::device(&call.caller(), READ, &call.variable)?;
    commands::may_command(&call.caller(), &device.hardware_id)?;
    check_target(&asked, &call.variable)?;
    let asked = Asked {
        command: asked.command_token,
        parameters: texts(asked.parameter_values)?,
        metadata: asked.metadata,
        initiators: (asked.initiator, asked.initiator_id),
        expiry_s: asked.expires_after_seconds.unwrap_or(f64::from(call.shared.command_expiry_s)),
    };
    let stored = commands::invoke(&call.caller(), &device, asked).await?;
    Ok((StatusCode::CREATED, Json(stored.into())))
}

fn check_target(asked: &InvokeJson, token: &str) -> Result<(), Problem> {
    let wrong = |name: &str, expected: &str| {
        let detail = format!("`{name}` can only be `{expected}` here");
        Err(Problem::bad_request("wrong_parameter", detail))
    };
    if asked.target.as_deref().is_some_and(|target| target != "Assignment") {
        return wrong("target", "Assignment");
    }
    if asked.target_id.as_deref().is_some_and(|id| id != token) {
        return wrong("targetId", token);
    }
    Ok(())
}

pub(super) fn texts(values: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Problem> {
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(_) | Value::Bool(_) => Ok((name, value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let name = lastmeter_model::refusal::shortened(&name, 80);
            let detail = format!("parameter `{name}` is not a text, number or truth value");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail))
        }
    };
    values.into_iter().map(text).collect()
}

/// `GET /sitewhere/api/assignments/{token}/invocations`, newest first.
async fn list(mut call: Call) -> Answer<List<InvocationJson>> {
    let page = call.page()?;
    let (device, permit) = assignments::device(&call.caller(), READ, &call.variable)?;
    let found = call.tenant.readers.invocations_of(&permit, &device, page).await?;
    let (num_results, rows) = found;
    Ok(Json(List { num_results, results: rows.into_iter().map(InvocationJson::from).collect() }))
}

/// What was asked for, in short.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InvocationSummary")]
pub(super) struct SummaryJson {
    #[schemars(with = "Instant")]
    invocation_date: SimTime,
    namespace: String,
    name: String,
    /// Our word.
    state: &'static str,
    parameters: Vec<ArgumentJson>,
    responses: Vec<ResponseJson>,
}

/// An argument.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Argument")]
struct ArgumentJson {
    name: String,
    value: String,
}

/// What a device answered.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CommandResponse")]
pub(super) struct ResponseJson {
    event_type: &'static str,
    originating_event_id: String,
    #[schemars(with = "Option<Instant>")]
    event_date: Option<SimTime>,
    response: String,
}

fn responses_of(stored: &StoredInvocation) -> Vec<ResponseJson> {
    let row = &stored.row;
    let response = row.response.clone().into_iter().map(|response| ResponseJson {
        event_type: "CommandResponse",
        originating_event_id: row.id.to_string(),
        event_date: row.ended,
        response,
    });
    response.collect()
}

/// The invocation that a path names.
async fn find(call: &Call) -> Result<StoredInvocation, Problem> {
    let unknown = || {
        let text = lastmeter_model::refusal::shortened(&call.variable, 80);
        Problem::not_found("unknown_invocation", format!("there is no invocation `{text}`"))
    };
    let id = call.variable.parse().map_err(|()| unknown())?;
    call.caller().invocation(id, unknown).await
}

/// `GET /sitewhere/api/invocations/{id}`
async fn one(call: Call) -> Answer<InvocationJson> {
    Ok(Json(find(&call).await?.into()))
}

/// `GET /sitewhere/api/invocations/{id}/summary`
async fn summary(call: Call) -> Answer<SummaryJson> {
    let stored = find(&call).await?;
    let responses = responses_of(&stored);
    let StoredInvocation { hardware_id, row, .. } = stored;
    let command = call.tenant.dispatcher.definitions.find(&hardware_id, &row.asked.command);
    let (namespace, name) = match command {
        Some(command) => (command.namespace, command.name),
        // It is defined no more.
        None => (String::new(), row.asked.command),
    };
    let arguments = row.asked.parameters.into_iter();
    Ok(Json(SummaryJson {
        invocation_date: row.asked.created,
        namespace,
        name,
        state: row.state.word(),
        parameters: arguments.map(|(name, value)| ArgumentJson { name, value }).collect(),
        responses,
    }))
}

/// `GET /sitewhere/api/invocations/{id}/responses`
async fn responses(call: Call) -> Answer<List<ResponseJson>> {
    let results = responses_of(&find(&call).await?);
    Ok(Json(List { num_results: results.len() as u64, results }))
}

/// `DELETE /sitewhere/api/invocations/{id}`: `Failed` with `failure` = `cancelled`.
async fn cancel(call: Call) -> Answer<InvocationJson> {
    let StoredInvocation { hardware_id, row, .. } = find(&call).await?;
    commands::may_command(&call.caller(), &hardware_id)?;
    let cancelled = call.tenant.dispatcher.cancel(&[row.id]).await?;
    let stored = find(&call).await?;
    if cancelled != [true] {
        let detail = format!("the invocation is {}: it has ended already", stored.row.state.word());
        return Err(Problem::conflict("invocation_ended", detail));
    }
    Ok(Json(stored.into()))
}
