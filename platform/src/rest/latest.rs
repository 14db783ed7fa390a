//! The last values of many devices.

use axum::Json;
use lastmeter_model::access::{self, Action};
use lastmeter_model::row::{DeviceRow, DeviceState};
use lastmeter_store::Page;
use lastmeter_units::{MeasurementId, SimTime};
use schemars::JsonSchema;
use serde::Serialize;

use super::Answer;
use super::devices::{BBOX, bounding_box};
use super::extract::Call;
use super::openapi::Instant;
use super::parameter::{EXAMPLE_DEVICE, PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes};
use super::series::listed_devices;
use crate::ops::devices::{self, is_inside};

const DEVICE: Parameter =
    Parameter::texts("device", "hardware ids of devices; without it all, by page")
        .example(EXAMPLE_DEVICE);

routes! {
    "series" {
        Get "/api/v1/latest" => latest:
            "The last values of many devices, of messages that update their state",
            Within(Latest, Read), [DEVICE, PAGE, PAGE_SIZE, BBOX],
            gives Gives::json::<LatestJson>(200), refuses [404, 500];
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Latest")]
struct LatestJson {
    /// In the order in which they are asked for, or of their hardware ids.
    results: Vec<DeviceJson>,
    /// How many devices that is without pages.
    devices: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LatestOfDevice")]
struct DeviceJson {
    device: String,
    /// When it was last heard; `null` if that is not for who asks.
    #[schemars(with = "Option<Instant>")]
    last_interaction: Option<SimTime>,
    values: Vec<ValueJson>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LatestValue")]
struct ValueJson {
    quantity: String,
    unit: &'static str,
    value: f64,
    #[schemars(with = "Instant")]
    event_time: SimTime,
}

/// `GET /api/v1/latest`
async fn latest(mut call: Call) -> Answer<LatestJson> {
    let asked = call.pairs.all(&DEVICE);
    let (page, within) = (call.pairs.page()?, call.pairs.one(&BBOX)?);
    call.pairs.finish()?;
    let within = within.map(|text| bounding_box(&text)).transpose()?;
    let caller = call.caller();
    let with_permit = |row: DeviceRow| {
        let id = row.hardware_id.to_string();
        devices::find(&caller, (access::Kind::Latest, Action::Read), &id).ok()
    };
    let (devices, rows) = if asked.is_empty() && within.is_none() {
        let (count, rows) = caller.devices(access::Kind::Latest, page)?;
        (count, rows.into_iter().filter_map(with_permit).collect())
    } else {
        let mut rows = if asked.is_empty() {
            let rows = caller.devices(access::Kind::Latest, Page::ALL)?.1.into_iter();
            rows.filter_map(with_permit).collect()
        } else {
            listed_devices(&caller, access::Kind::Latest, &asked)?
        };
        if let Some(within) = within {
            rows.retain(|(row, _)| is_inside(&call.tenant, &row.hardware_id, &within));
        }
        page.of(rows)
    };
    let mut results = Vec::new();
    for (row, permit) in rows {
        let (heard, state) = call.tenant.readers.state(&permit, &row).await?;
        results.push(of_device(row.hardware_id.to_string(), heard, state));
    }
    Ok(Json(LatestJson { results, devices }))
}

fn of_device(device: String, heard: Option<SimTime>, state: DeviceState) -> DeviceJson {
    let values = state.values.into_iter().map(|last| ValueJson {
        unit: MeasurementId::lookup(&last.name).map_or("", |id| id.row().unit),
        quantity: last.name,
        value: last.value,
        event_time: last.event,
    });
    DeviceJson { device, last_interaction: heard, values: values.collect() }
}
