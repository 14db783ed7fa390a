//! Devices: they register themselves with their first message.

use axum::Json;
use axum::routing::on;
use lastmeter_model::access::{self, Action, Permit, Resource, Subject, Target};
use lastmeter_model::row::DeviceRow;
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::{Pairs, PathText};
use super::openapi::Instant;
use super::parameter::{HARDWARE_ID, PAGE, PAGE_SIZE};
use super::routes::{Access, Gives, Route, Verb};
use super::{Answer, Api, Problem};
use crate::config::TENANT;
use crate::ops::Caller;

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Get,
        path: "/sitewhere/api/devices",
        resource: "devices",
        summary: "All devices, in the order of their registration",
        access: Access::Within(access::Kind::Device, Action::Read),
        parameters: &[&PAGE, &PAGE_SIZE],
        takes: None,
        gives: Gives::json::<List<DeviceJson>>(200),
        refuses: &[],
        run: |verb| on(verb, list),
    },
    Route {
        method: Verb::Get,
        path: "/sitewhere/api/devices/{hardwareId}",
        resource: "devices",
        summary: "One device",
        access: Access::Within(access::Kind::Device, Action::Read),
        parameters: &[&HARDWARE_ID],
        takes: None,
        gives: Gives::json::<DeviceJson>(200),
        refuses: &[],
        run: |verb| on(verb, one),
    },
];

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
    site_token: &'static str,
    assignment_token: String,
    #[schemars(with = "Instant")]
    created_date: SimTime,
    deleted: bool,
}

impl From<DeviceRow> for DeviceJson {
    fn from(row: DeviceRow) -> Self {
        Self {
            hardware_id: row.hardware_id.to_string(),
            site_token: TENANT,
            assignment_token: row.assignment,
            created_date: row.created,
            deleted: false,
        }
    }
}

/// `GET /sitewhere/api/devices`
pub(super) async fn list(api: Api, mut pairs: Pairs) -> Answer<List<DeviceJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let (num_results, rows) = api.caller().devices(access::Kind::Device, page)?;
    Ok(Json(List { num_results, results: rows.into_iter().map(DeviceJson::from).collect() }))
}

/// `GET /sitewhere/api/devices/{hardwareId}`
pub(super) async fn one(
    api: Api,
    PathText(hardware_id): PathText,
    pairs: Pairs,
) -> Answer<DeviceJson> {
    pairs.finish()?;
    Ok(Json(find(&api.caller(), access::Kind::Device, &hardware_id)?.0.into()))
}

/// A device, and what may be had of a kind of its data.
pub(super) fn find(
    caller: &Caller,
    kind: access::Kind,
    hardware_id: &str,
) -> Result<(DeviceRow, Permit), Problem> {
    let unknown = || {
        let hardware_id = lastmeter_model::refusal::shortened(hardware_id, 128);
        Problem::not_found("unknown_device", format!("there is no device `{hardware_id}`"))
    };
    permitted(caller, kind, caller.tenant.devices.find(hardware_id), unknown)
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

/// A device that was found, or was not, and what may be had of a kind of its data.
pub(super) fn permitted(
    caller: &Caller,
    kind: access::Kind,
    found: Option<DeviceRow>,
    unknown: impl Fn() -> Problem,
) -> Result<(DeviceRow, Permit), Problem> {
    let id = found.as_ref().map(|device| &device.hardware_id);
    let permit = caller.of_device(kind, id, &unknown)?;
    Ok((found.ok_or_else(unknown)?, permit))
}
