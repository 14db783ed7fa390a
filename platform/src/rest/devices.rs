//! Devices: they register themselves with their first message, or somebody does (see
//! `device_changes`).

use axum::Json;
use lastmeter_model::access::{self, Action, Resource, Subject, Target};
use lastmeter_model::entity::BoundingBox;
use lastmeter_model::row::DeviceRow;
use lastmeter_store::Page;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::extract::{Call, wrong_parameter};
use super::openapi::Instant;
use super::parameter::{HARDWARE_ID, PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes};
use super::{Answer, Api, Problem};
use crate::config::TENANT;
use crate::ops::{self, Caller};

/// A bounding box (RFC 7946, 5), which crosses the antimeridian where west is above east.
pub(super) const BBOX: Parameter =
    Parameter::text("bbox", "only devices inside `west,south,east,north` now, degrees")
        .example("-180,-90,180,90");

routes! {
    "devices" {
        Get "/sitewhere/api/devices" => list: "All devices, in the order of their registration",
            Within(Device, Read), [PAGE, PAGE_SIZE, BBOX],
            gives Gives::json::<List<DeviceJson>>(200), refuses [];
        Get "/sitewhere/api/devices/{hardwareId}" => one: "One device",
            Within(Device, Read), [HARDWARE_ID], gives Gives::json::<DeviceJson>(200), refuses [];
    }
}

/// SiteWhere's list envelope.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ListOf{T}")]
pub(super) struct List<T> {
    /// How many there are altogether.
    pub(super) num_results: u64,
    pub(super) results: Vec<T>,
}

/// A device as SiteWhere shows it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Device")]
pub(super) struct DeviceJson {
    hardware_id: String,
    site_token: String,
    assignment_token: String,
    #[schemars(with = "Instant")]
    created_date: SimTime,
    deleted: bool,
    /// What its document has, once it has one.
    #[serde(flatten)]
    document: Map<String, Value>,
}

impl DeviceJson {
    /// A device with what its document and its assignment of now have.
    pub(super) fn of(api: &Api, row: DeviceRow) -> Self {
        let row = ops::assignments::current(&api.tenant, row);
        let document = ops::devices::document(&api.tenant, row.hardware_id.as_str());
        let shown = document.map(|document| ops::documents::shown(&document));
        let Some(Value::Object(mut document)) = shown else {
            return Self::without_document(row);
        };
        let site = document.remove("siteToken");
        for known in ["hardwareId", "createdDate", "deleted"] {
            document.remove(known);
        }
        let deleted = document.get("status").is_some_and(|status| status == "deleted");
        let site = site.and_then(|site| site.as_str().map(str::to_owned));
        let plain = Self::without_document(row);
        let site_token = site.unwrap_or_else(|| plain.site_token.clone());
        Self { site_token, deleted, document, ..plain }
    }

    fn without_document(row: DeviceRow) -> Self {
        Self {
            hardware_id: row.hardware_id.to_string(),
            site_token: TENANT.to_owned(),
            assignment_token: row.assignment,
            created_date: row.created,
            deleted: false,
            document: Map::new(),
        }
    }
}

/// `GET /sitewhere/api/devices`
async fn list(mut call: Call) -> Answer<List<DeviceJson>> {
    let (page, within) = (call.pairs.page()?, call.pairs.one(&BBOX)?);
    call.pairs.finish()?;
    let within = within.map(|text| bounding_box(&text)).transpose()?;
    let caller = call.caller();
    let may_see = caller.is_administrator();
    let is_seen =
        |row: &DeviceRow| may_see || !ops::devices::is_recognised(&call.tenant, &row.hardware_id);
    let (num_results, rows) = match within {
        None => caller.devices(access::Kind::Device, page)?,
        Some(within) => {
            let mut rows = caller.devices(access::Kind::Device, Page::ALL)?.1;
            rows.retain(|row| ops::devices::is_inside(&call.tenant, &row.hardware_id, &within));
            page.of(rows)
        }
    };
    let rows = rows.into_iter().filter(is_seen);
    Ok(Json(List { num_results, results: rows.map(|row| DeviceJson::of(&call, row)).collect() }))
}

/// `GET /sitewhere/api/devices/{hardwareId}`
async fn one(call: Call) -> Answer<DeviceJson> {
    let needed = (access::Kind::Device, Action::Read);
    let (row, _) = ops::devices::find(&call.caller(), needed, &call.variable)?;
    Ok(Json(DeviceJson::of(&call, row)))
}

/// The box in a text.
pub(super) fn bounding_box(text: &str) -> Result<BoundingBox, Problem> {
    let wrong = || wrong_parameter(&BBOX, text, "degrees as `west,south,east,north`");
    let edges: Vec<f64> =
        text.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let [west, south, east, north] = edges[..] else { return Err(wrong()) };
    let edges = json!({ "west": west, "south": south, "east": east, "north": north });
    serde_json::from_value(edges).map_err(|_| wrong())
}

/// Whether there is a device of which something may be had.
pub(super) fn is_seen(caller: &Caller, kind: access::Kind, hardware_id: &str) -> bool {
    let found = caller.tenant.devices.find(hardware_id);
    found.is_some_and(|device| {
        let target = Target::Device(device.hardware_id);
        let on = Resource::new(kind, &caller.tenant.name, Subject::One(&target));
        caller.may(Action::Read, &on)
    })
}
