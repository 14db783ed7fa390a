//! Devices: they register themselves with their first message.

use axum::Json;
use axum::extract::State;
use lastmeter_units::SimTime;
use serde::Serialize;

use super::extract::{Pairs, PathText};
use super::{Answer, Api, Problem};
use crate::config::TENANT;
use lastmeter_model::row::DeviceRow;

/// SiteWhere's list envelope.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List<T> {
    /// How many there are altogether.
    pub(super) num_results: u64,
    pub(super) results: Vec<T>,
}

/// A device as SiteWhere shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceJson {
    hardware_id: String,
    site_token: &'static str,
    assignment_token: String,
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
pub(super) async fn list(State(api): State<Api>, mut pairs: Pairs) -> Answer<List<DeviceJson>> {
    let page = pairs.page()?;
    pairs.finish()?;
    let (num_results, rows) = api.core.devices.page(page.offset, page.limit);
    Ok(Json(List { num_results, results: rows.into_iter().map(DeviceJson::from).collect() }))
}

/// `GET /sitewhere/api/devices/{hardwareId}`
pub(super) async fn one(
    State(api): State<Api>,
    PathText(hardware_id): PathText,
    pairs: Pairs,
) -> Answer<DeviceJson> {
    pairs.finish()?;
    Ok(Json(find(&api, &hardware_id)?.into()))
}

pub(super) fn find(api: &Api, hardware_id: &str) -> Result<DeviceRow, Problem> {
    api.core.devices.find(hardware_id).ok_or_else(|| {
        let hardware_id = lastmeter_model::refusal::shortened(hardware_id, 128);
        Problem::not_found("unknown_device", format!("there is no device `{hardware_id}`"))
    })
}
