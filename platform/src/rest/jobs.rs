//! Jobs of maintenance: asked for, and how they stand.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use lastmeter_model::entity::Job;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Made;
use super::devices::List;
use super::documents::{DocumentJson, TOKEN, list_of, one_of};
use super::extract::{Body, Call};
use super::invocations::texts;
use super::parameter::{PAGE, PAGE_SIZE};
use super::routes::{Gives, routes, schema};
use crate::ops::jobs::{self, NewJob};

routes! {
    "operation" {
        Post "/api/v1/jobs" => make:
            "Has a job of maintenance done: a backup, the removal of what is kept no longer, a \
             refused message taken in again, an assignment ended; once for an `Idempotency-Key`",
            Within(Job, Write), [], takes schema::<NewJobJson>,
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Get "/api/v1/jobs" => list_of::<Job>: "Jobs of maintenance, by token",
            Within(Job, Read), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Get "/api/v1/jobs/{token}" => one_of::<Job>:
            "A job: `state` is `waiting`, `running`, `done` or `failed`, with its `result`",
            Within(Job, Read), [TOKEN], gives Gives::json::<DocumentJson>(200), refuses [500];
    }
}

/// A job to be done.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewJob", extend("examples" = [{ "token": "x.a", "kind": "backup" }]))]
struct NewJobJson {
    token: Option<String>,
    /// `backup`, `retention`, `replay` or `assignment-end`.
    kind: String,
    /// Of `replay` the number of the refusal as `refusal`, of `assignment-end` the token as
    /// `assignment`.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
}

/// `POST /api/v1/jobs`
async fn make(call: Call, Body(asked): Body<NewJobJson>) -> Made<DocumentJson> {
    let repeatable = call.repeatable()?;
    let NewJobJson { token, kind, parameters } = asked;
    let asked = NewJob { token, kind, parameters: texts(parameters)? };
    let made = jobs::make(&call.caller(), asked, repeatable).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
