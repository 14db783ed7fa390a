//! Jobs of maintenance: asked for, and how they stand.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind};
use lastmeter_model::entity::Job;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::devices::List;
use super::documents::{DocumentJson, TOKEN, listed, repeatable};
use super::extract::{Body, Pairs, PathText};
use super::invocations::texts;
use super::parameter::{PAGE, PAGE_SIZE};
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::ops::accounts::kind;
use crate::ops::documents;
use crate::ops::jobs::{self, NewJob};

const PATH: &str = "/api/v1/jobs";

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Post,
        path: PATH,
        resource: "operation",
        summary: "Has a job of maintenance done: a backup, the removal of what is kept no longer, a \
                  refused message taken in again, an assignment ended; once for an `Idempotency-Key`",
        access: Access::Within(Kind::Job, Action::Write),
        parameters: &[],
        takes: Some(schema::<NewJobJson>),
        gives: Gives::json::<DocumentJson>(201),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, make),
    },
    Route {
        method: Verb::Get,
        path: PATH,
        resource: "operation",
        summary: "Jobs of maintenance, by token",
        access: Access::Within(Kind::Job, Action::Read),
        parameters: &[&PAGE, &PAGE_SIZE],
        takes: None,
        gives: Gives::json::<List<DocumentJson>>(200),
        refuses: &[500],
        run: |verb| on(verb, list),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/jobs/{token}",
        resource: "operation",
        summary: "A job: `state` is `waiting`, `running`, `done` or `failed`, with its `result`",
        access: Access::Within(Kind::Job, Action::Read),
        parameters: &[&TOKEN],
        takes: None,
        gives: Gives::json::<DocumentJson>(200),
        refuses: &[500],
        run: |verb| on(verb, one),
    },
];

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
async fn make(
    api: Api,
    Extension(route): Extension<&'static Route>,
    pairs: Pairs,
    headers: HeaderMap,
    Body(asked): Body<NewJobJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let repeatable = repeatable(&headers, route.path)?;
    let NewJobJson { token, kind, parameters } = asked;
    let asked = NewJob { token, kind, parameters: texts(parameters)? };
    let made = jobs::make(&api.caller(), asked, repeatable).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// `GET /api/v1/jobs`
async fn list(api: Api, mut pairs: Pairs) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    Ok(Json(listed(documents::list(&api.caller(), kind::<Job>()?, None, page).await?)))
}

/// `GET /api/v1/jobs/{token}`
async fn one(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    let found = documents::one(&api.caller(), kind::<Job>()?, &token, None).await?;
    Ok(Json(documents::shown(&found).into()))
}
