//! Documents: the same six routes for each kind; a kind is a row of `documents!`.

use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind};
use lastmeter_model::document::{DocumentKind, kind_of_name};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::devices::List;
use super::extract::{Body, Pairs, PathText, wrong_parameter};
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::ops::documents::{self, Repeatable, Request, own_members, shown};

pub(super) const TOKEN: Parameter = Parameter::text("token", "the document's token").example("x.a");
const WITH: Parameter =
    Parameter::text("with", "only those with a key and its value").example("site:a");
const AT: Parameter = Parameter::instant("at", "as it was at this instant; now, if left out")
    .example("2100-01-01T00:00:00Z");
/// The longest key of a request that may come again.
const KEY_BYTES_MAX: usize = 128;

/// Paths, with the kind of their documents.
macro_rules! documents {
    ($($path:literal $group:literal $kind:literal $right:ident $write:ident $example:literal;)+) => {
        pub(super) const PATHS: &[(&str, &str)] = &[$(($path, $kind)),+];

        /// The routes of this file.
        pub(super) const ROUTES: &[Route] = &[$(
            Route {
                path: $path,
                resource: $group,
                access: Access::Within(Kind::$right, Action::Read),
                ..LIST
            },
            Route {
                path: $path,
                resource: $group,
                access: Access::Within(Kind::$right, Action::$write),
                takes: Some(|_| described($example)),
                ..MAKE
            },
            Route {
                path: concat!($path, "/{token}"),
                resource: $group,
                access: Access::Within(Kind::$right, Action::Read),
                ..ONE
            },
            Route {
                path: concat!($path, "/{token}"),
                resource: $group,
                access: Access::Within(Kind::$right, Action::$write),
                takes: Some(|_| described($example)),
                ..CHANGE
            },
            Route {
                path: concat!($path, "/{token}"),
                resource: $group,
                access: Access::Within(Kind::$right, Action::$write),
                ..REMOVE
            },
            Route {
                path: concat!($path, "/{token}/history"),
                resource: $group,
                access: Access::Within(Kind::$right, Action::Read),
                ..HISTORY
            },
        )+];
    };
}

documents! {
    "/sitewhere/api/specifications" "specifications" "specification" Specification Write
        r#"{"token":"x.a","name":"Meter","quantities":[]}"#;
    "/sitewhere/api/commands" "specifications" "command" Specification Write
        r#"{"token":"x.a","name":"reset","specificationToken":"x.a"}"#;
    "/sitewhere/api/assets" "assets" "asset" Asset Write
        r#"{"token":"x.a","category":"person","name":"Ann"}"#;
    "/sitewhere/api/sites" "sites" "site" Site Write r#"{"token":"x.a","name":"North"}"#;
    "/sitewhere/api/zones" "sites" "zone" Zone Write
        r#"{"token":"x.a","name":"Feeder 1","kind":"feeder"}"#;
    "/sitewhere/api/devicegroups" "groups" "group" Group Write
        r#"{"token":"x.a","name":"All","members":[{"of":{"device":"meter-1"},
            "from":"2020-01-01T00:00:00Z"}]}"#;
    "/sitewhere/api/schedules" "commands" "schedule" Schedule Command
        r#"{"token":"x.a","schedule":{"kind":"once","at":"2027-01-18T17:00:00Z"},"command":
            {"commandToken":"setReportingPeriod","parameterValues":{"seconds":"5"}},
            "target":{"device":"meter-1"}}"#;
    "/api/v1/quantities" "specifications" "quantity" Specification Write
        r#"{"token":"x.a","kind":"counter","summary":"difference","unit":"m3"}"#;
    "/api/v1/grants" "access" "grant" Grant Grant
        r#"{"token":"x.a","to":"user:ann","on":"device:meter-1","actions":["read"],
            "quantities":["*"],"from":"2027-01-18T17:00:00Z","until":"2028-01-18T17:00:00Z"}"#;
    "/api/v1/applications" "access" "application" Application Write r#"{"token":"x.a"}"#;
    "/api/v1/electric-networks" "networks" "electric_network" ElectricNetwork Write
        r#"{"token":"x.a","name":"Feeder 1","model":"{}"}"#;
    "/api/v1/settings" "operation" "tenant_settings" Settings Write
        r#"{"token":"x.a","timeZone":"Europe/Berlin","currency":"EUR","registration":"open"}"#;
}

const LIST: Route = Route {
    method: Verb::Get,
    path: "",
    resource: "",
    summary: "Those that may be read, by token",
    access: Access::Within(Kind::Site, Action::Read),
    parameters: &[&WITH, &PAGE, &PAGE_SIZE],
    takes: None,
    gives: Gives::json::<List<DocumentJson>>(200),
    refuses: &[500],
    run: |verb| on(verb, list),
};
const MAKE: Route = Route {
    method: Verb::Post,
    summary: "Makes one; durable when answered, and once for an `Idempotency-Key`",
    parameters: &[],
    takes: Some(schema::<DocumentJson>),
    gives: Gives::json::<DocumentJson>(201),
    refuses: &[409, 500, 507],
    run: |verb| on(verb, make),
    ..LIST
};
const ONE: Route = Route {
    summary: "One of them",
    parameters: &[&TOKEN, &AT],
    gives: Gives::json::<DocumentJson>(200),
    run: |verb| on(verb, one),
    ..LIST
};
const CHANGE: Route = Route {
    method: Verb::Put,
    summary: "Replaces one, if it is in the `version` that is sent with it",
    parameters: &[&TOKEN],
    takes: Some(schema::<DocumentJson>),
    gives: Gives::json::<DocumentJson>(200),
    refuses: &[409, 500, 507],
    run: |verb| on(verb, change),
    ..LIST
};
const REMOVE: Route = Route {
    method: Verb::Delete,
    summary: "Removes one that no other document names, in the version of `If-Match` if given",
    takes: None,
    run: |verb| on(verb, remove),
    ..CHANGE
};
pub(super) const HISTORY: Route = Route {
    summary: "Its versions, newest first",
    parameters: &[&TOKEN, &PAGE, &PAGE_SIZE],
    run: |verb| on(verb, history),
    ..LIST
};

/// A document: members by its kind, its token and its version.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Document")]
pub(super) struct DocumentJson(pub(super) Map<String, Value>);

impl From<Value> for DocumentJson {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => Self(members),
            _ => Self(Map::new()),
        }
    }
}

/// The schema of a body with an example.
pub(super) fn described(example: &str) -> Schema {
    let example: Value = serde_json::from_str(example).unwrap_or_default();
    json_schema!({ "type": "object", "additionalProperties": true, "examples": [example] })
}

/// The kind of the documents of a route.
fn kind_of(route: &Route) -> Result<&'static DocumentKind, Problem> {
    let path = route.path.split("/{").next().unwrap_or_default();
    let name = PATHS.iter().find(|(of, _)| *of == path).map(|(_, name)| *name);
    let kind = name.and_then(kind_of_name);
    kind.ok_or_else(|| Problem::not_found("no_such_path", format!("there is nothing at {path}")))
}

async fn list(
    api: Api,
    Extension(route): Extension<&'static Route>,
    mut pairs: Pairs,
) -> Answer<List<DocumentJson>> {
    let (with, page) = (pairs.one(&WITH)?, pairs.page()?);
    pairs.finish()?;
    let with = match &with {
        Some(text) => {
            let wrong = || wrong_parameter(&WITH, text, "a key and its value, as `site:a`");
            Some(text.split_once(':').ok_or_else(wrong)?)
        }
        None => None,
    };
    let found = documents::list(&api.caller(), kind_of(route)?, with, page).await?;
    Ok(Json(listed(found)))
}

pub(super) fn listed((num_results, found): (u64, Vec<Value>)) -> List<DocumentJson> {
    List { num_results, results: found.into_iter().map(DocumentJson::from).collect() }
}

async fn make(
    api: Api,
    Extension(route): Extension<&'static Route>,
    pairs: Pairs,
    headers: HeaderMap,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let kind = kind_of(route)?;
    let repeatable = repeatable(&headers, route.path)?;
    let request = own_members(kind, members)?;
    let made = documents::make(&api.caller(), kind, request, repeatable).await?;
    Ok((StatusCode::CREATED, Json(shown(&made).into())))
}

/// The key under which a request may come again.
pub(super) fn repeatable(headers: &HeaderMap, path: &str) -> Result<Option<Repeatable>, Problem> {
    let Some(key) = headers.get("Idempotency-Key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    let wrong = || {
        let detail = format!("`Idempotency-Key` is no text of 1 to {KEY_BYTES_MAX} characters");
        Problem::bad_request("wrong_header", detail)
    };
    Ok(Some(Repeatable { key: key.ok_or_else(wrong)?.to_owned(), path: path.to_owned() }))
}

async fn one(
    api: Api,
    Extension(route): Extension<&'static Route>,
    PathText(token): PathText,
    mut pairs: Pairs,
) -> Answer<DocumentJson> {
    let at = pairs.instant(&AT)?;
    pairs.finish()?;
    let found = documents::one(&api.caller(), kind_of(route)?, &token, at).await?;
    Ok(Json(shown(&found).into()))
}

async fn change(
    api: Api,
    Extension(route): Extension<&'static Route>,
    PathText(token): PathText,
    pairs: Pairs,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    let kind = kind_of(route)?;
    let request = own_members(kind, members)?;
    let changed = documents::change(&api.caller(), kind, &token, request).await?;
    Ok(Json(shown(&changed).into()))
}

async fn remove(
    api: Api,
    Extension(route): Extension<&'static Route>,
    PathText(token): PathText,
    pairs: Pairs,
    headers: HeaderMap,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    let version = match headers.get(IF_MATCH) {
        Some(value) => {
            let version = value.to_str().ok().and_then(|text| text.trim_matches('"').parse().ok());
            let wrong = || {
                let detail = "`If-Match` is no number of a version, as in `If-Match: \"3\"`";
                Problem::bad_request("wrong_header", detail)
            };
            Some(version.ok_or_else(wrong)?)
        }
        None => None,
    };
    let request = Request { token: None, version, body: None };
    let removed = documents::change(&api.caller(), kind_of(route)?, &token, request).await?;
    Ok(Json(shown(&removed).into()))
}

async fn history(
    api: Api,
    Extension(route): Extension<&'static Route>,
    PathText(token): PathText,
    mut pairs: Pairs,
) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let found = documents::history(&api.caller(), kind_of(route)?, &token, page).await?;
    Ok(Json(listed(found)))
}
