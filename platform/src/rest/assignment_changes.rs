//! Assignments made, changed and ended, and the events of their devices.

use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind, Permit};
use lastmeter_store::{PAGE_BYTES_MAX, Page, Range, Stretch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::assignments::AlertJson;
use super::device_changes::{envelope, members};
use super::devices::List;
use super::documents::{DocumentJson, TOKEN, described, repeatable};
use super::extract::{Body, Pairs, PathText};
use super::parameter::{ASSIGNMENT, END_DATE, PAGE, PAGE_SIZE, START_DATE};
use super::routes::{Access, Gives, Route, Verb, schema};
use super::{Answer, Api, Problem};
use crate::ops::documents::shown;
use crate::ops::transfer::{Imported, store_messages};
use crate::ops::{Cuts, Looked, assignments, devices};
use lastmeter_model::row::AlertRow;
use lastmeter_units::SimTime;

const NEW: &str = r#"{"token":"x.a","deviceHardwareId":"meter-1","assetId":"x.a",
    "siteToken":"x.a","activeDate":"2027-01-18T17:00:00Z"}"#;
const REPLACED: &str = r#"{"deviceHardwareId":"meter-1","status":"active","assetId":"x.a",
    "siteToken":"x.a","activeDate":"2027-01-18T17:00:00Z"}"#;
const METADATA: &str = r#"{"contract":"4711"}"#;
const MEASUREMENTS: &str = r#"{"measurements":{"electricity.voltage.rms.l1":230.5},
    "eventDate":"2027-01-18T17:00:20Z"}"#;
const ALERT: &str = r#"{"type":"maximum.power","level":"Warning","message":"close",
    "eventDate":"2027-01-18T17:00:20Z"}"#;
/// Alerts that are read at once.
const ROWS_AT_ONCE: u32 = 5000;

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Post,
        path: "/sitewhere/api/assignments",
        resource: "assignments",
        summary: "Assigns a device, from now on unless `activeDate` is given",
        access: Access::Within(Kind::Assignment, Action::Write),
        parameters: &[],
        takes: Some(|_| described(NEW)),
        gives: Gives::json::<DocumentJson>(201),
        refuses: &[404, 409, 500, 507],
        run: |verb| on(verb, make),
    },
    Route {
        method: Verb::Put,
        path: "/sitewhere/api/assignments/{token}",
        summary: "Replaces an assignment, if it is in the `version` that is sent with it",
        takes: Some(|_| described(REPLACED)),
        run: |verb| on(verb, change),
        ..END
    },
    Route {
        path: "/sitewhere/api/assignments/{token}/missing",
        summary: "Marks the device of an assignment as missing",
        run: |verb| on(verb, missing),
        ..END
    },
    Route {
        method: Verb::Put,
        path: "/sitewhere/api/assignments/{token}/metadata",
        summary: "Replaces the free texts of an assignment",
        takes: Some(|_| described(METADATA)),
        run: |verb| on(verb, metadata),
        ..END
    },
    Route {
        path: "/sitewhere/api/assignments/{token}/measurements",
        summary: "Takes a reading of the device; one with a number or date is stored once",
        takes: Some(|_| described(MEASUREMENTS)),
        run: |verb| on(verb, measurements),
        ..SEND
    },
    Route {
        path: "/sitewhere/api/assignments/{token}/alerts",
        summary: "Takes an alert of the device; one with a date is stored once",
        takes: Some(|_| described(ALERT)),
        run: |verb| on(verb, alert),
        ..SEND
    },
    Route {
        path: "/sitewhere/api/assignments/{token}/alerts",
        summary: "Alerts of the device while the assignment was in force, newest first",
        access: Access::Within(Kind::Alert, Action::Read),
        gives: Gives::json::<List<AlertJson>>(200),
        run: |verb| on(verb, alerts),
        ..LISTED
    },
    Route {
        path: "/sitewhere/api/assignments/{token}/locations",
        summary: "Moves the device to a position; what was measured before keeps the one before",
        access: Access::Within(Kind::Device, Action::Write),
        takes: Some(schema::<PlaceJson>),
        gives: Gives::json::<LocationJson>(201),
        refuses: &[409, 500, 507],
        run: |verb| on(verb, locate),
        ..SEND
    },
    Route {
        path: "/sitewhere/api/assignments/{token}/locations",
        summary: "Where the device was put while the assignment was in force, newest first",
        access: Access::Within(Kind::Location, Action::Read),
        gives: Gives::json::<List<LocationJson>>(200),
        run: |verb| on(verb, locations),
        ..LISTED
    },
    Route { path: "/sitewhere/api/assignments/{token}/end", ..END },
    Route {
        method: Verb::Delete,
        path: "/sitewhere/api/assignments/{token}",
        summary: "Removes an assignment that has ended",
        run: |verb| on(verb, remove),
        ..END
    },
];

const END: Route = Route {
    method: Verb::Post,
    path: "",
    resource: "assignments",
    summary: "Ends an assignment now",
    access: Access::Within(Kind::Assignment, Action::Write),
    parameters: &[&TOKEN],
    takes: None,
    gives: Gives::json::<DocumentJson>(200),
    refuses: &[409, 500, 507],
    run: |verb| on(verb, end),
};
const SEND: Route = Route {
    access: Access::Within(Kind::OwnInput, Action::Write),
    parameters: &[&ASSIGNMENT],
    gives: Gives::json::<Imported>(201),
    refuses: &[409, 500],
    ..END
};
const LISTED: Route = Route {
    method: Verb::Get,
    parameters: &[&ASSIGNMENT, &PAGE, &PAGE_SIZE, &START_DATE, &END_DATE],
    refuses: &[500],
    ..END
};

/// A position (WGS 84), degrees and metres.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Place", extend("examples" = [{ "latitude": 45.07, "longitude": 7.68 }]))]
struct PlaceJson {
    latitude: f64,
    longitude: f64,
    elevation: Option<f64>,
}

/// Where a device was put.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LocationEvent")]
struct LocationJson {
    event_type: &'static str,
    #[schemars(with = "super::openapi::Instant")]
    event_date: SimTime,
    latitude: f64,
    longitude: f64,
    elevation: Option<f64>,
}

async fn make(
    api: Api,
    Extension(route): Extension<&'static Route>,
    pairs: Pairs,
    headers: HeaderMap,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Result<(StatusCode, Json<DocumentJson>), Problem> {
    pairs.finish()?;
    let repeatable = repeatable(&headers, route.path)?;
    let made = assignments::make(&api.caller(), members, repeatable).await?;
    Ok((StatusCode::CREATED, Json(shown(&made).into())))
}

async fn change(
    api: Api,
    PathText(token): PathText,
    pairs: Pairs,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    let changed = assignments::change(&api.caller(), &token, members).await?;
    Ok(Json(shown(&changed).into()))
}

async fn end(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    Ok(Json(shown(&*assignments::end(&api.caller(), &token).await?).into()))
}

async fn missing(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    let changed = assignments::edit(&api.caller(), &token, |own, body| {
        if own.released_date.is_none() {
            body.insert("status".to_owned(), json!("missing"));
        }
    })
    .await?;
    Ok(Json(shown(&changed).into()))
}

async fn metadata(
    api: Api,
    PathText(token): PathText,
    pairs: Pairs,
    Body(DocumentJson(texts)): Body<DocumentJson>,
) -> Answer<DocumentJson> {
    pairs.finish()?;
    let changed = assignments::edit(&api.caller(), &token, |_, body| {
        body.insert("metadata".to_owned(), Value::Object(texts));
    })
    .await?;
    Ok(Json(shown(&changed).into()))
}

async fn remove(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<DocumentJson> {
    pairs.finish()?;
    Ok(Json(shown(&*assignments::remove(&api.caller(), &token).await?).into()))
}

type Sent = Result<(StatusCode, Json<Imported>), Problem>;

/// Takes what a device would send; a refusal is answered as one.
async fn send(api: &Api, token: &str, kind: &str, request: Map<String, Value>) -> Sent {
    let row = assignments::device(&api.caller(), (Kind::OwnInput, Action::Write), token)?;
    let message = envelope(row.hardware_id.as_str(), kind, &Value::Object(request));
    let lines = vec![(1, message)];
    let done = store_messages(&api.tenant, Permit::whole_tenant(), lines).await?;
    match done.first_refusal() {
        None => Ok((StatusCode::CREATED, Json(done))),
        Some((reason, detail)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let problem = Problem::new(status, "message_refused", detail);
            Err(problem.with("reason", json!(reason)))
        }
    }
}

async fn measurements(
    api: Api,
    PathText(token): PathText,
    pairs: Pairs,
    Body(DocumentJson(request)): Body<DocumentJson>,
) -> Sent {
    pairs.finish()?;
    send(&api, &token, "DeviceMeasurements", request).await
}

async fn alert(
    api: Api,
    PathText(token): PathText,
    pairs: Pairs,
    Body(DocumentJson(request)): Body<DocumentJson>,
) -> Sent {
    pairs.finish()?;
    send(&api, &token, "DeviceAlert", request).await
}

/// Part of a list, newest first, and how many it has.
fn paged<T>(mut found: Vec<(SimTime, T)>, page: Page) -> List<T> {
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let skipped = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let num_results = found.len() as u64;
    let on_page = found.into_iter().skip(skipped).take(page.limit as usize);
    List { num_results, results: on_page.map(|(_, one)| one).collect() }
}

fn has(range: Range, at: SimTime) -> bool {
    range.start <= at && at <= range.end
}

async fn alerts(api: Api, PathText(token): PathText, mut pairs: Pairs) -> Answer<List<AlertJson>> {
    let (page, range) = (pairs.page()?, pairs.range()?);
    pairs.finish()?;
    let row = assignments::device(&api.caller(), (Kind::Alert, Action::Read), &token)?;
    let mut cuts = Cuts::of(api.caller(), Kind::Alert)?;
    let range = assignments::clipped(&api.tenant, &token, range);
    let (mut after, last) = (0, api.tenant.progress.totals().alerts);
    // Which ones there are; those of the page are read again, so that the others are not kept.
    let mut found = Vec::new();
    let is_meant = |alert: &AlertRow| alert.device == row.hardware_id && has(range, alert.event);
    while after < last {
        let stretch = Stretch { after, limit: ROWS_AT_ONCE, last };
        let Looked { rows, last: looked } = cuts.alerts(stretch).await?;
        after = if looked > after { looked } else { last };
        let of_device = rows.into_iter().filter(is_meant);
        found.extend(of_device.map(|alert| (alert.event, alert.sequence)));
    }
    let List { num_results, results: on_page } = paged(found, page);
    let (mut results, mut bytes) = (Vec::new(), 0);
    for sequence in on_page {
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
        let stretch = Stretch { after: sequence - 1, limit: 1, last };
        let again = cuts.alerts(stretch).await?.rows.into_iter();
        for alert in again.filter(|alert| alert.sequence == sequence) {
            let facts = alert.metadata.iter().map(|(name, value)| name.len() + value.len());
            bytes += alert.kind.len() + alert.message.len() + facts.sum::<usize>();
            results.push(AlertJson::marked(&api, alert, cuts.is_whole()));
        }
    }
    Ok(Json(List { num_results, results }))
}

async fn locate(
    api: Api,
    PathText(token): PathText,
    pairs: Pairs,
    Body(place): Body<PlaceJson>,
) -> Result<(StatusCode, Json<LocationJson>), Problem> {
    pairs.finish()?;
    let row = assignments::device(&api.caller(), devices::WRITE, &token)?;
    let id = row.hardware_id.as_str();
    let body = devices::document(&api.tenant, id)?.and_then(|document| {
        let body: Value = serde_json::from_str(&document.body).ok()?;
        Some(members(body))
    });
    let mut body = body.unwrap_or_default();
    body.insert("location".to_owned(), json!(place));
    devices::change(&api.caller(), id, body).await?;
    let PlaceJson { latitude, longitude, elevation } = place;
    let (event_type, event_date) = ("Location", api.tenant.clock.now());
    let located = LocationJson { event_type, event_date, latitude, longitude, elevation };
    Ok((StatusCode::CREATED, Json(located)))
}

async fn locations(
    api: Api,
    PathText(token): PathText,
    mut pairs: Pairs,
) -> Answer<List<LocationJson>> {
    let (page, range) = (pairs.page()?, pairs.range()?);
    pairs.finish()?;
    let row = assignments::device(&api.caller(), (Kind::Location, Action::Read), &token)?;
    let range = assignments::clipped(&api.tenant, &token, range);
    let placed = devices::Positions::of(&api.tenant, &row.hardware_id).await?;
    let mut found: Vec<(SimTime, LocationJson)> = Vec::new();
    for (event_date, at) in placed.own() {
        let place = (at.latitude, at.longitude, at.elevation);
        let is_same = |(_, last): &(SimTime, LocationJson)| {
            (last.latitude, last.longitude, last.elevation) == place
        };
        if !found.last().is_some_and(is_same) {
            let (latitude, longitude, elevation) = place;
            let event_type = "Location";
            let one = LocationJson { event_type, event_date, latitude, longitude, elevation };
            found.push((event_date, one));
        }
    }
    let none = || Problem::not_found("unknown_assignment", "there is no such assignment");
    let permit = api.caller().of_device(Kind::Location, Some(&row.hardware_id), none)?;
    let cut = permit.cut(&row.hardware_id);
    found.retain(|(at, _)| has(range, *at) && cut.has(*at));
    Ok(Json(paged(found, page)))
}
