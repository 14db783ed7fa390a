//! Devices registered, changed and decommissioned, and selections of them.

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Permit};
use lastmeter_model::entity::{Assignment, Body as _, Device, Group, Specification};
use lastmeter_model::row::DeviceRow;
use serde_json::{Value, json};

use super::assignments::AssignmentJson;
use super::devices::{DeviceJson, List};
use super::documents::{DocumentJson, Members, TOKEN, described, listed};
use super::extract::{Body, Call};
use super::parameter::{HARDWARE_ID, PAGE, PAGE_SIZE};
use super::routes::{Gives, routes};
use super::{Answer, Made};
use crate::ops::transfer::{Imported, store_messages};
use crate::ops::{devices, documents};
use crate::problem::wrong;

const DEVICE: &str = r#"{"hardwareId":"meter-1","name":"Kitchen","room":"kitchen",
    "location":{"latitude":45.07,"longitude":7.68}}"#;
const BATCH: &str = r#"{"measurements":[{"measurements":{"electricity.voltage.rms.l1":230.4},
    "eventDate":"2027-01-18T17:00:00Z"}],"alerts":[]}"#;

routes! {
    "devices" {
        Post "/sitewhere/api/devices" => make:
            "Registers a device; durable when answered, and what is sent twice is done once",
            Within(Device, Write), [], takes |_| described(DEVICE),
            gives Gives::json::<DeviceJson>(201), refuses [409, 500, 507];
        Put "/sitewhere/api/devices/{hardwareId}" => change:
            "Changes a device, if it is in the `version` that is sent with it",
            Within(Device, Write), [HARDWARE_ID], takes |_| described(DEVICE),
            gives Gives::json::<DeviceJson>(200), refuses [409, 500, 507];
        Delete "/sitewhere/api/devices/{hardwareId}" => decommission:
            "Decommissions a device without an assignment; what it sent stays",
            Within(Device, Write), [HARDWARE_ID],
            gives Gives::json::<DeviceJson>(200), refuses [409, 500, 507];
        Get "/sitewhere/api/devices/{hardwareId}/history" => history: "Its versions, newest first",
            Within(Device, Read), [HARDWARE_ID, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
    }
    "assignments" {
        Get "/sitewhere/api/devices/{hardwareId}/assignments" => own_assignments:
            "The assignments of a device; while it has none of its own, the one of its row",
            Within(Assignment, Read), [HARDWARE_ID, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
    }
    "devices" {
        Post "/sitewhere/api/devices/{hardwareId}/batch" => batch:
            "Takes measurements, alerts and answers of a device",
            Within(OwnInput, Write), [HARDWARE_ID], takes |_| described(BATCH),
            gives Gives::json::<Imported>(201), refuses [409, 500];
        Get "/sitewhere/api/devices/specification/{token}" => of_specification:
            "Devices of a specification",
            To(Device, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DeviceJson>>(200), refuses [500];
        Get "/sitewhere/api/devices/group/{token}" => of_group:
            "Devices of a group now, also of groups in it",
            To(Device, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DeviceJson>>(200), refuses [500];
    }
}

async fn make(call: Call, Body(members): Body<Members>) -> Made<DeviceJson> {
    let made = devices::make(&call.caller(), members, call.repeatable()?).await?;
    Ok((StatusCode::CREATED, Json(DeviceJson::of(&call, made))))
}

async fn change(call: Call, Body(members): Body<Members>) -> Answer<DeviceJson> {
    let changed = devices::change(&call.caller(), &call.variable, members).await?;
    Ok(Json(DeviceJson::of(&call, changed)))
}

async fn decommission(call: Call) -> Answer<DeviceJson> {
    let gone = devices::decommission(&call.caller(), &call.variable).await?;
    Ok(Json(DeviceJson::of(&call, gone)))
}

async fn history(mut call: Call) -> Answer<List<DocumentJson>> {
    let page = call.page()?;
    let id = &call.variable;
    devices::find(&call.caller(), (Kind::Device, Action::Read), id)?;
    if devices::document(&call.tenant, id).is_none() {
        return Ok(Json(listed((0, Vec::new()))));
    }
    let found = documents::history(&call.caller(), Device::kind(), id, page).await?;
    Ok(Json(listed(found)))
}

async fn own_assignments(mut call: Call) -> Answer<List<DocumentJson>> {
    let page = call.page()?;
    let id = call.variable.as_str();
    let (row, _) = devices::find(&call.caller(), (Kind::Assignment, Action::Read), id)?;
    let key = Some(("device", id));
    let found = documents::list(&call.caller(), Assignment::kind(), key, page).await?;
    if !call.tenant.facts().assignments(&row.hardware_id).is_empty() {
        return Ok(Json(listed(found)));
    }
    let implicit = serde_json::to_value(AssignmentJson::without_state(&call, row));
    Ok(Json(listed((1, vec![implicit.unwrap_or_default()]))))
}

/// `POST /sitewhere/api/devices/{hardwareId}/batch`
async fn batch(call: Call, Body(lists): Body<Members>) -> Made<Imported> {
    let id = &call.variable;
    devices::find(&call.caller(), (Kind::OwnInput, Action::Write), id)?;
    let mut messages = Vec::new();
    for (name, list) in lists {
        let kind = match &*name {
            "hardwareId" if list == **id => continue,
            "measurements" => "DeviceMeasurements",
            "alerts" => "DeviceAlert",
            "acknowledgements" => "Acknowledge",
            _ => {
                let expected = "expected `measurements`, `alerts` and `acknowledgements`";
                return Err(wrong(&name, expected));
            }
        };
        let Value::Array(list) = list else {
            return Err(wrong(&name, "expected a list"));
        };
        messages.extend(list.into_iter().map(|request| envelope(id, kind, &request)));
    }
    let lines = (1..).zip(messages).collect();
    let stored = store_messages(&call.tenant, Permit::whole_tenant(), lines).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// A message as a device sends it.
pub(super) fn envelope(id: &str, kind: &str, request: &Value) -> Bytes {
    json!({ "hardwareId": id, "type": kind, "request": request }).to_string().into()
}

fn selected(mut call: Call, rows: Vec<DeviceRow>) -> Answer<List<DeviceJson>> {
    let page = call.page()?;
    let (num_results, rows) = page.of(rows);
    let results = rows.into_iter().map(|row| DeviceJson::of(&call, row)).collect();
    Ok(Json(List { num_results, results }))
}

async fn of_specification(call: Call) -> Answer<List<DeviceJson>> {
    let token = &call.variable;
    documents::one(&call.caller(), Specification::kind(), token, None).await?;
    let rows = devices::of_specification(&call.tenant, token);
    selected(call, rows)
}

async fn of_group(call: Call) -> Answer<List<DeviceJson>> {
    documents::one(&call.caller(), Group::kind(), &call.variable, None).await?;
    let rows = devices::of_group(&call.tenant, &call.variable);
    selected(call, rows)
}
