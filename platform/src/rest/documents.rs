//! Documents: the same six routes for each kind; a kind is a row of `documents!`.

use axum::Json;
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, StatusCode};
use lastmeter_model::document::{DocumentKind, kind_of_name};
use lastmeter_model::entity::Body as Entity;
use schemars::{JsonSchema, Schema, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

use super::devices::List;
use super::extract::{Body, Call, wrong_parameter};
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, Route, routes};
use super::{Answer, Made, Problem};
use crate::ops::documents::{self, Request, own_members, shown};

pub(super) const TOKEN: Parameter = Parameter::text("token", "the document's token").example("x.a");
const WITH: Parameter =
    Parameter::text("with", "only those with a key and its value").example("site:a");
const AT: Parameter = Parameter::instant("at", "as it was at this instant; now, if left out")
    .example("2100-01-01T00:00:00Z");

/// Paths, with the kind of their documents.
macro_rules! documents {
    ($($path:literal $group:literal $kind:literal $right:ident $write:ident $example:literal;)+) => {
        pub(super) const PATHS: &[(&str, &str)] = &[$(($path, $kind)),+];

        routes! {$(
            $group {
                Get $path => list: "Those that may be read, by token",
                    Within($right, Read), [WITH, PAGE, PAGE_SIZE],
                    gives Gives::json::<List<DocumentJson>>(200), refuses [500];
                Post $path => make:
                    "Makes one; durable when answered, and once for an `Idempotency-Key`",
                    Within($right, $write), [], takes |_| described($example),
                    gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
                Get concat!($path, "/{token}") => one: "One of them",
                    Within($right, Read), [TOKEN, AT],
                    gives Gives::json::<DocumentJson>(200), refuses [500];
                Put concat!($path, "/{token}") => change:
                    "Replaces one, if it is in the `version` that is sent with it",
                    Within($right, $write), [TOKEN], takes |_| described($example),
                    gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
                Delete concat!($path, "/{token}") => remove:
                    "Removes one that no other document names, in the version of `If-Match` if \
                     given",
                    Within($right, $write), [TOKEN],
                    gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
                Get concat!($path, "/{token}/history") => history: "Its versions, newest first",
                    Within($right, Read), [TOKEN, PAGE, PAGE_SIZE],
                    gives Gives::json::<List<DocumentJson>>(200), refuses [500];
            }
        )+}
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
    "/api/v1/rules" "rules" "rule" Rule Write
        r#"{"token":"x.a","name":"Too much","when":{"threshold":{"device":"meter-1",
            "quantity":"electricity.power.active.consumed.total","above":3.0}},
            "then":[{"alert":{"type":"too.much","level":"Warning","text":"above 3 kW"}}]}"#;
    "/api/v1/report-plans" "reports" "report_plan" ReportPlan Write
        r#"{"token":"x.a","name":"Energy of the day","kind":"consumption",
            "subject":"device:meter-1","period":"day","hour":3}"#;
    "/api/v1/views" "series" "view" View Write
        r#"{"token":"x.a","name":"Meter by week","device":"meter-1","period":"week",
            "quantity":"electricity.energy.active.consumed.total"}"#;
    "/api/v1/tariffs" "bills" "tariff" Tariff Write
        r#"{"token":"x.a","name":"Two prices","currency":"EUR","zone":"Europe/Rome",
            "validFrom":"2026-01-01T00:00:00Z","imports":[{"name":"F3","price":"0.18"},
            {"name":"F1","weekdays":["mon","tue","wed","thu","fri"],"from":"08:00:00",
            "until":"19:00:00","price":"0.2215"}],"fixed":[{"name":"Meter","perMonth":"3.5"}]}"#;
    "/api/v1/feeds" "bills" "feed" Feed Write
        r#"{"token":"x.a","name":"Day ahead","kind":"price","quantity":"price","unit":"EUR/kWh",
            "validFrom":"2027-01-18T00:00:00Z","validUntil":"2027-01-19T00:00:00Z",
            "points":[["2027-01-18T00:00:00Z",0.21],["2027-01-18T17:00:00Z",0.58],
            ["2027-01-18T20:00:00Z",null]]}"#;
    "/api/v1/settings" "operation" "tenant_settings" Settings Write
        r#"{"token":"x.a","timeZone":"Europe/Berlin","currency":"EUR","registration":"open"}"#;
}

/// What a client sends of a document.
pub(super) type Members = Map<String, Value>;

/// A document: members by its kind, its token and its version.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Document")]
pub(super) struct DocumentJson(Members);

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

async fn list(mut call: Call) -> Answer<List<DocumentJson>> {
    let (with, page) = (call.pairs.one(&WITH)?, call.pairs.page()?);
    call.pairs.finish()?;
    let with = match &with {
        Some(text) => {
            let wrong = || wrong_parameter(&WITH, text, "a key and its value, as `site:a`");
            Some(text.split_once(':').ok_or_else(wrong)?)
        }
        None => None,
    };
    let found = documents::list(&call.caller(), kind_of(call.route)?, with, page).await?;
    Ok(Json(listed(found)))
}

pub(super) fn listed((num_results, found): (u64, Vec<Value>)) -> List<DocumentJson> {
    List { num_results, results: found.into_iter().map(DocumentJson::from).collect() }
}

/// The documents of a kind that has other routes of its own.
pub(super) async fn list_of<T: Entity>(mut call: Call) -> Answer<List<DocumentJson>> {
    let page = call.page()?;
    Ok(Json(listed(documents::list(&call.caller(), T::kind(), None, page).await?)))
}

/// One of them.
pub(super) async fn one_of<T: Entity>(call: Call) -> Answer<DocumentJson> {
    let found = documents::one(&call.caller(), T::kind(), &call.variable, None).await?;
    Ok(Json(shown(&found).into()))
}

async fn make(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let kind = kind_of(call.route)?;
    let repeatable = call.repeatable()?;
    let request = own_members(kind, members)?;
    let made = documents::make(&call.caller(), kind, request, repeatable).await?;
    Ok((StatusCode::CREATED, Json(shown(&made).into())))
}

async fn one(mut call: Call) -> Answer<DocumentJson> {
    let at = call.pairs.instant(&AT)?;
    call.pairs.finish()?;
    let found = documents::one(&call.caller(), kind_of(call.route)?, &call.variable, at).await?;
    Ok(Json(shown(&found).into()))
}

async fn change(call: Call, Body(members): Body<Members>) -> Answer<DocumentJson> {
    let kind = kind_of(call.route)?;
    let request = own_members(kind, members)?;
    let changed = documents::change(&call.caller(), kind, &call.variable, request).await?;
    Ok(Json(shown(&changed).into()))
}

async fn remove(call: Call, headers: HeaderMap) -> Answer<DocumentJson> {
    remove_in(kind_of(call.route)?, call, headers).await
}

/// Removes one of a kind that has other routes of its own.
pub(super) async fn remove_of<T: Entity>(call: Call, headers: HeaderMap) -> Answer<DocumentJson> {
    remove_in(T::kind(), call, headers).await
}

async fn remove_in(
    kind: &'static DocumentKind,
    call: Call,
    headers: HeaderMap,
) -> Answer<DocumentJson> {
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
    let removed = documents::change(&call.caller(), kind, &call.variable, request).await?;
    Ok(Json(shown(&removed).into()))
}

/// The versions of one of a kind that has other routes of its own.
pub(super) async fn history_of<T: Entity>(mut call: Call) -> Answer<List<DocumentJson>> {
    let page = call.page()?;
    let found = documents::history(&call.caller(), T::kind(), &call.variable, page).await?;
    Ok(Json(listed(found)))
}

async fn history(mut call: Call) -> Answer<List<DocumentJson>> {
    let page = call.page()?;
    let kind = kind_of(call.route)?;
    let found = documents::history(&call.caller(), kind, &call.variable, page).await?;
    Ok(Json(listed(found)))
}
