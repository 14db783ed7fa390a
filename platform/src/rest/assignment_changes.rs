//! Assignments made, changed and ended, and the events of their devices.

use axum::Json;
use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Permit};
use lastmeter_store::{PAGE_BYTES_MAX, Page, Range, Stretch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::assignments::AlertJson;
use super::device_changes::envelope;
use super::devices::List;
use super::documents::{DocumentJson, Members, TOKEN, described};
use super::extract::{Body, Call};
use super::parameter::{ASSIGNMENT, END_DATE, PAGE, PAGE_SIZE, START_DATE};
use super::routes::{Gives, routes, schema};
use super::{Answer, Made, Problem};
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

routes! {
    "assignments" {
        Post "/sitewhere/api/assignments" => make:
            "Assigns a device, from now on unless `activeDate` is given",
            Within(Assignment, Write), [], takes |_| described(NEW),
            gives Gives::json::<DocumentJson>(201), refuses [404, 409, 500, 507];
        Put "/sitewhere/api/assignments/{token}" => change:
            "Replaces an assignment, if it is in the `version` that is sent with it",
            Within(Assignment, Write), [TOKEN], takes |_| described(REPLACED),
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/sitewhere/api/assignments/{token}/missing" => missing:
            "Marks the device of an assignment as missing",
            Within(Assignment, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Put "/sitewhere/api/assignments/{token}/metadata" => metadata:
            "Replaces the free texts of an assignment",
            Within(Assignment, Write), [TOKEN], takes |_| described(METADATA),
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Post "/sitewhere/api/assignments/{token}/measurements" => measurements:
            "Takes a reading of the device; one with a number or date is stored once",
            Within(OwnInput, Write), [ASSIGNMENT], takes |_| described(MEASUREMENTS),
            gives Gives::json::<Imported>(201), refuses [409, 500];
        Post "/sitewhere/api/assignments/{token}/alerts" => alert:
            "Takes an alert of the device; one with a date is stored once",
            Within(OwnInput, Write), [ASSIGNMENT], takes |_| described(ALERT),
            gives Gives::json::<Imported>(201), refuses [409, 500];
        Get "/sitewhere/api/assignments/{token}/alerts" => alerts:
            "Alerts of the device while the assignment was in force, newest first",
            Within(Alert, Read), [ASSIGNMENT, PAGE, PAGE_SIZE, START_DATE, END_DATE],
            gives Gives::json::<List<AlertJson>>(200), refuses [500];
        Post "/sitewhere/api/assignments/{token}/locations" => locate:
            "Moves the device to a position; what was measured before keeps the one before",
            Within(Device, Write), [ASSIGNMENT], takes schema::<PlaceJson>,
            gives Gives::json::<LocationJson>(201), refuses [409, 500, 507];
        Get "/sitewhere/api/assignments/{token}/locations" => locations:
            "Where the device was put while the assignment was in force, newest first",
            Within(Location, Read), [ASSIGNMENT, PAGE, PAGE_SIZE, START_DATE, END_DATE],
            gives Gives::json::<List<LocationJson>>(200), refuses [500];
        Post "/sitewhere/api/assignments/{token}/end" => end: "Ends an assignment now",
            Within(Assignment, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Delete "/sitewhere/api/assignments/{token}" => remove:
            "Removes an assignment that has ended",
            Within(Assignment, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

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

async fn make(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let made = assignments::make(&call.caller(), members, call.repeatable()?).await?;
    Ok((StatusCode::CREATED, Json(shown(&made).into())))
}

async fn change(call: Call, Body(members): Body<Members>) -> Answer<DocumentJson> {
    let changed = assignments::change(&call.caller(), &call.variable, members).await?;
    Ok(Json(shown(&changed).into()))
}

async fn end(call: Call) -> Answer<DocumentJson> {
    Ok(Json(shown(&*assignments::end(&call.caller(), &call.variable).await?).into()))
}

async fn missing(call: Call) -> Answer<DocumentJson> {
    let changed = assignments::edit(&call.caller(), &call.variable, |own, body| {
        if own.released_date.is_none() {
            body.insert("status".to_owned(), json!("missing"));
        }
    })
    .await?;
    Ok(Json(shown(&changed).into()))
}

async fn metadata(call: Call, Body(texts): Body<Members>) -> Answer<DocumentJson> {
    let changed = assignments::edit(&call.caller(), &call.variable, |_, body| {
        body.insert("metadata".to_owned(), Value::Object(texts));
    })
    .await?;
    Ok(Json(shown(&changed).into()))
}

async fn remove(call: Call) -> Answer<DocumentJson> {
    Ok(Json(shown(&*assignments::remove(&call.caller(), &call.variable).await?).into()))
}

/// Takes what a device would send; a refusal is answered as one.
async fn send(call: &Call, kind: &str, request: Members) -> Made<Imported> {
    let needed = (Kind::OwnInput, Action::Write);
    let (row, _) = assignments::device(&call.caller(), needed, &call.variable)?;
    let message = envelope(row.hardware_id.as_str(), kind, &Value::Object(request));
    let lines = vec![(1, message)];
    let done = store_messages(&call.tenant, Permit::whole_tenant(), lines).await?;
    match done.first_refusal() {
        None => Ok((StatusCode::CREATED, Json(done))),
        Some((reason, detail)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let problem = Problem::new(status, "message_refused", detail);
            Err(problem.with("reason", json!(reason)))
        }
    }
}

async fn measurements(call: Call, Body(request): Body<Members>) -> Made<Imported> {
    send(&call, "DeviceMeasurements", request).await
}

async fn alert(call: Call, Body(request): Body<Members>) -> Made<Imported> {
    send(&call, "DeviceAlert", request).await
}

/// Part of a list, newest first, and how many it has.
fn paged<T>(mut found: Vec<(SimTime, T)>, page: Page) -> List<T> {
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let (num_results, on_page) = page.of(found);
    List { num_results, results: on_page.into_iter().map(|(_, one)| one).collect() }
}

fn has(range: Range, at: SimTime) -> bool {
    range.start <= at && at <= range.end
}

async fn alerts(mut call: Call) -> Answer<List<AlertJson>> {
    let (page, range) = call.page_of_range()?;
    let token = &call.variable;
    let (row, _) = assignments::device(&call.caller(), (Kind::Alert, Action::Read), token)?;
    let mut cuts = Cuts::of(call.caller(), Kind::Alert)?;
    let range = assignments::clipped(&call.tenant, token, range);
    let (mut after, last) = (0, call.tenant.progress.totals().alerts);
    // Which ones there are; those of the page are read again, so that the others are not kept.
    let mut found = Vec::new();
    let is_meant = |alert: &AlertRow| alert.device == row.hardware_id && has(range, alert.event);
    while after < last {
        let stretch = Stretch { after, limit: ROWS_AT_ONCE, last };
        let Looked { rows, last: looked, .. } = cuts.alerts(stretch).await?;
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
            results.push(AlertJson::marked(&call, alert, cuts.is_whole()));
        }
    }
    Ok(Json(List { num_results, results }))
}

async fn locate(call: Call, Body(place): Body<PlaceJson>) -> Made<LocationJson> {
    let (row, _) = assignments::device(&call.caller(), devices::WRITE, &call.variable)?;
    let id = row.hardware_id.as_str();
    let known = devices::document(&call.tenant, id);
    let mut body = known.map(|document| document.members()).unwrap_or_default();
    body.insert("location".to_owned(), json!(place));
    devices::change(&call.caller(), id, body).await?;
    let PlaceJson { latitude, longitude, elevation } = place;
    let (event_type, event_date) = ("Location", call.tenant.clock.now());
    let located = LocationJson { event_type, event_date, latitude, longitude, elevation };
    Ok((StatusCode::CREATED, Json(located)))
}

async fn locations(mut call: Call) -> Answer<List<LocationJson>> {
    let (page, range) = call.page_of_range()?;
    let token = &call.variable;
    let needed = (Kind::Location, Action::Read);
    let (row, permit) = assignments::device(&call.caller(), needed, token)?;
    let range = assignments::clipped(&call.tenant, token, range);
    let placed = devices::Positions::of(&call.tenant, &row.hardware_id).await?;
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
    let cut = permit.cut(&row.hardware_id);
    found.retain(|(at, _)| has(range, *at) && cut.has(*at));
    Ok(Json(paged(found, page)))
}
