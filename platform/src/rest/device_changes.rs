//! Devices registered, changed and decommissioned, and selections of them.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{Action, Kind, Permit};
use lastmeter_model::document::kind_of_name;
use serde_json::{Map, Value, json};

use super::assignments::AssignmentJson;
use super::devices::{DeviceJson, List};
use super::documents::{DocumentJson, HISTORY, TOKEN, described, listed, repeatable};
use super::extract::{Body, Pairs, PathText};
use super::parameter::{HARDWARE_ID, PAGE, PAGE_SIZE};
use super::routes::{Access, Gives, Route, Verb};
use super::{Answer, Api, Problem};
use crate::ops::transfer::{Imported, store_messages};
use crate::ops::{devices, documents};

const READ: (Kind, Action) = (Kind::Device, Action::Read);
const DEVICE: &str = r#"{"hardwareId":"meter-1","name":"Kitchen","room":"kitchen",
    "location":{"latitude":45.07,"longitude":7.68}}"#;
const BATCH: &str = r#"{"measurements":[{"measurements":{"electricity.voltage.rms.l1":230.4},
    "eventDate":"2027-01-18T17:00:00Z"}],"alerts":[]}"#;

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    MAKE,
    Route {
        method: Verb::Put,
        path: "/sitewhere/api/devices/{hardwareId}",
        summary: "Changes a device, if it is in the `version` that is sent with it",
        parameters: &[&HARDWARE_ID],
        gives: Gives::json::<DeviceJson>(200),
        run: |verb| on(verb, change),
        ..MAKE
    },
    Route {
        method: Verb::Delete,
        path: "/sitewhere/api/devices/{hardwareId}",
        summary: "Decommissions a device without an assignment; what it sent stays",
        parameters: &[&HARDWARE_ID],
        takes: None,
        gives: Gives::json::<DeviceJson>(200),
        run: |verb| on(verb, decommission),
        ..MAKE
    },
    Route {
        path: "/sitewhere/api/devices/{hardwareId}/history",
        resource: "devices",
        access: Access::Within(Kind::Device, Action::Read),
        parameters: &[&HARDWARE_ID, &PAGE, &PAGE_SIZE],
        run: |verb| on(verb, history),
        ..HISTORY
    },
    Route {
        path: "/sitewhere/api/devices/{hardwareId}/assignments",
        resource: "assignments",
        summary: "The assignments of a device; while it has none of its own, the one of its row",
        access: Access::Within(Kind::Assignment, Action::Read),
        parameters: &[&HARDWARE_ID, &PAGE, &PAGE_SIZE],
        run: |verb| on(verb, own_assignments),
        ..HISTORY
    },
    Route {
        path: "/sitewhere/api/devices/{hardwareId}/batch",
        summary: "Takes measurements, alerts and answers of a device",
        access: Access::Within(Kind::OwnInput, Action::Write),
        parameters: &[&HARDWARE_ID],
        takes: Some(|_| described(BATCH)),
        gives: Gives::json::<Imported>(201),
        refuses: &[409, 500],
        run: |verb| on(verb, batch),
        ..MAKE
    },
    Route {
        path: "/sitewhere/api/devices/specification/{token}",
        summary: "Devices of a specification",
        run: |verb| on(verb, of_specification),
        ..SELECTED
    },
    Route {
        path: "/sitewhere/api/devices/group/{token}",
        summary: "Devices of a group now, also of groups in it",
        run: |verb| on(verb, of_group),
        ..SELECTED
    },
    Route {
        path: "/api/v1/recognised",
        summary: "Devices that have sent something and that nobody has registered",
        access: Access::To(Kind::Device, Action::Write),
        parameters: &[&PAGE, &PAGE_SIZE],
        run: |verb| on(verb, recognised),
        ..SELECTED
    },
];

const MAKE: Route = Route {
    method: Verb::Post,
    path: "/sitewhere/api/devices",
    resource: "devices",
    summary: "Registers a device; durable when answered, and what is sent twice is done once",
    access: Access::Within(Kind::Device, Action::Write),
    parameters: &[],
    takes: Some(|_| described(DEVICE)),
    gives: Gives::json::<DeviceJson>(201),
    refuses: &[409, 500, 507],
    run: |verb| on(verb, make),
};
const SELECTED: Route = Route {
    method: Verb::Get,
    path: "",
    resource: "devices",
    summary: "",
    access: Access::To(Kind::Device, Action::Read),
    parameters: &[&TOKEN, &PAGE, &PAGE_SIZE],
    takes: None,
    gives: Gives::json::<List<DeviceJson>>(200),
    refuses: &[500],
    run: |verb| on(verb, recognised),
};

async fn make(
    api: Api,
    Extension(route): Extension<&'static Route>,
    pairs: Pairs,
    headers: HeaderMap,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Result<(StatusCode, Json<DeviceJson>), Problem> {
    pairs.finish()?;
    let repeatable = repeatable(&headers, route.path)?;
    let made = devices::make(&api.caller(), members, repeatable).await?;
    Ok((StatusCode::CREATED, Json(DeviceJson::of(&api, made))))
}

async fn change(
    api: Api,
    PathText(id): PathText,
    pairs: Pairs,
    Body(DocumentJson(members)): Body<DocumentJson>,
) -> Answer<DeviceJson> {
    pairs.finish()?;
    let changed = devices::change(&api.caller(), &id, members).await?;
    Ok(Json(DeviceJson::of(&api, changed)))
}

async fn decommission(api: Api, PathText(id): PathText, pairs: Pairs) -> Answer<DeviceJson> {
    pairs.finish()?;
    let gone = devices::decommission(&api.caller(), &id).await?;
    Ok(Json(DeviceJson::of(&api, gone)))
}

async fn history(api: Api, PathText(id): PathText, mut pairs: Pairs) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    devices::find(&api.caller(), READ, &id)?;
    if devices::document(&api.tenant, &id)?.is_none() {
        return Ok(Json(listed((0, Vec::new()))));
    }
    let kind = kind("device")?;
    Ok(Json(listed(documents::history(&api.caller(), kind, &id, page).await?)))
}

fn kind(name: &str) -> Result<&'static lastmeter_model::document::DocumentKind, Problem> {
    let none = || Problem::not_found("no_such_path", "there is nothing here");
    kind_of_name(name).ok_or_else(none)
}

async fn own_assignments(
    api: Api,
    PathText(id): PathText,
    mut pairs: Pairs,
) -> Answer<List<DocumentJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let row = devices::find(&api.caller(), (Kind::Assignment, Action::Read), &id)?;
    let key = Some(("device", id.as_str()));
    let found = documents::list(&api.caller(), kind("assignment")?, key, page).await?;
    if !api.tenant.facts().assignments(&row.hardware_id).is_empty() {
        return Ok(Json(listed(found)));
    }
    let implicit = serde_json::to_value(AssignmentJson::without_state(&api, row));
    Ok(Json(listed((1, vec![implicit.unwrap_or_default()]))))
}

/// `POST /sitewhere/api/devices/{hardwareId}/batch`
async fn batch(
    api: Api,
    PathText(id): PathText,
    pairs: Pairs,
    Body(DocumentJson(lists)): Body<DocumentJson>,
) -> Result<(StatusCode, Json<Imported>), Problem> {
    pairs.finish()?;
    devices::find(&api.caller(), (Kind::OwnInput, Action::Write), &id)?;
    let mut messages = Vec::new();
    for (name, list) in lists {
        let kind = match &*name {
            "hardwareId" if list == *id => continue,
            "measurements" => "DeviceMeasurements",
            "alerts" => "DeviceAlert",
            "acknowledgements" => "Acknowledge",
            _ => {
                let expected = "expected `measurements`, `alerts` and `acknowledgements`";
                return Err(documents::wrong(&name, expected));
            }
        };
        let Value::Array(list) = list else {
            return Err(documents::wrong(&name, "expected a list"));
        };
        messages.extend(list.into_iter().map(|request| envelope(&id, kind, &request)));
    }
    let lines = (1..).zip(messages).collect();
    let stored = store_messages(&api.tenant, Permit::whole_tenant(), lines).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// A message as a device sends it.
pub(super) fn envelope(id: &str, kind: &str, request: &Value) -> Bytes {
    json!({ "hardwareId": id, "type": kind, "request": request }).to_string().into()
}

fn selected(
    api: &Api,
    mut pairs: Pairs,
    rows: Vec<lastmeter_model::row::DeviceRow>,
) -> Answer<List<DeviceJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let skipped = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let num_results = rows.len() as u64;
    let rows = rows.into_iter().skip(skipped).take(page.limit as usize);
    Ok(Json(List { num_results, results: rows.map(|row| DeviceJson::of(api, row)).collect() }))
}

async fn of_specification(
    api: Api,
    PathText(token): PathText,
    pairs: Pairs,
) -> Answer<List<DeviceJson>> {
    documents::one(&api.caller(), kind("specification")?, &token, None).await?;
    selected(&api, pairs, devices::of_specification(&api.tenant, &token))
}

async fn of_group(api: Api, PathText(token): PathText, pairs: Pairs) -> Answer<List<DeviceJson>> {
    documents::one(&api.caller(), kind("group")?, &token, None).await?;
    selected(&api, pairs, devices::of_group(&api.tenant, &token))
}

async fn recognised(api: Api, pairs: Pairs) -> Answer<List<DeviceJson>> {
    let found = api.tenant.documents.with_key(kind("device")?, "status", "recognised");
    let rows = found.iter().filter_map(|document| api.tenant.devices.find(&document.token));
    selected(&api, pairs, rows.collect())
}

/// Members of an object.
pub(super) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
