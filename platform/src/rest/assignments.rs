//! Assignments of devices: last state, measurement events, series.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use lastmeter_model::access::{self, Action, Permit};
use lastmeter_model::decide::{is_reserved, specification};
use lastmeter_model::entity::{Assignment, AssignmentStatus, Body as _, Device};
use lastmeter_model::message::{EPOCH, SERIAL};
use lastmeter_model::row::{AlertRow, DeviceRow, ReadingRow, SeriesPoint, StateValue};
use lastmeter_store::SeriesQuery;
use lastmeter_units::{MeasurementId, SimTime};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::cursor::{self, Kind};
use super::devices::List;
use super::extract::{Call, Pairs};
use super::openapi::Instant;
use super::parameter::{ASSIGNMENT, END_DATE, HARDWARE_ID, PAGE, PAGE_SIZE, Parameter, START_DATE};
use super::routes::{Gives, routes};
use super::{Answer, Api, Problem};
use crate::config::TENANT;
use crate::ops::{assignments, devices, documents};

const LATEST: (access::Kind, Action) = (access::Kind::Latest, Action::Read);
const SERIES: (access::Kind, Action) = (access::Kind::Series, Action::Read);
/// Identifiers of one series request at most.
const SERIES_MAX: usize = 128;
/// The type of an assignment that a device has while it has none of its own.
const UNASSOCIATED: &str = "Unassociated";
pub(super) const VOLTAGE: &str = "electricity.voltage.rms.l1";
const MEASUREMENT_IDS: Parameter =
    Parameter::texts("measurementIds", "the series; without it all that are in the state")
        .example(VOLTAGE);
const MEASUREMENT_IDS_ARRAY: Parameter =
    Parameter::texts("measurementIds[]", "the same, as some clients write lists").example(VOLTAGE);

routes! {
    "assignments" {
        Get "/sitewhere/api/devices/{hardwareId}/assignment" => assignment:
            "A device's assignment, with its latest state",
            Within(Latest, Read), [HARDWARE_ID],
            gives Gives::json::<AssignmentJson>(200), refuses [500];
        Get "/sitewhere/api/assignments/{token}" => one: "An assignment, with its latest state",
            Within(Latest, Read), [ASSIGNMENT],
            gives Gives::json::<AssignmentJson>(200), refuses [500];
        Get "/sitewhere/api/assignments/{token}/measurements" => measurements:
            "Measurement events, newest first",
            Within(Series, Read), [ASSIGNMENT, PAGE, PAGE_SIZE, START_DATE, END_DATE],
            gives Gives::json::<List<MeasurementsJson>>(200), refuses [500];
        Get "/sitewhere/api/assignments/{token}/measurements/series" => series:
            "Series, oldest first, each on its own page",
            Within(Series, Read), [ASSIGNMENT, MEASUREMENT_IDS, MEASUREMENT_IDS_ARRAY, PAGE, PAGE_SIZE, START_DATE, END_DATE],
            gives Gives::json::<Vec<SeriesJson>>(200), refuses [500];
    }
}

/// An assignment with what is known last.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Assignment")]
pub(super) struct AssignmentJson {
    token: String,
    device_hardware_id: String,
    site_token: String,
    assignment_type: &'static str,
    status: &'static str,
    #[schemars(with = "Instant")]
    active_date: SimTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateJson>,
    /// What else its document has, if it is one of the device's own.
    #[serde(flatten)]
    document: Map<String, Value>,
}

impl AssignmentJson {
    /// The assignment of a row, which has its token.
    pub(super) fn without_state(api: &Api, row: DeviceRow) -> Self {
        let plain = Self {
            token: row.assignment,
            device_hardware_id: row.hardware_id.to_string(),
            site_token: TENANT.to_owned(),
            assignment_type: UNASSOCIATED,
            status: "Active",
            active_date: row.created,
            state: None,
            document: Map::new(),
        };
        let Some(own) = api.tenant.documents.body::<Assignment>(&plain.token) else { return plain };
        let readable = |kind| documents::readable(&api.caller(), kind, &plain.token);
        let Some(document) = readable(Assignment::kind()) else { return plain };
        let mut document = match documents::shown(&document) {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        for known in ["token", "deviceHardwareId", "siteToken", "status", "activeDate"] {
            document.remove(known);
        }
        Self {
            site_token: own.site_token.as_ref().map_or(plain.site_token, ToString::to_string),
            assignment_type: "Associated",
            status: match own.status {
                AssignmentStatus::Active => "Active",
                AssignmentStatus::Missing => "Missing",
                AssignmentStatus::Released => "Released",
            },
            active_date: own.active_date,
            document,
            ..plain
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AssignmentState")]
struct StateJson {
    #[schemars(with = "Option<Instant>")]
    last_interaction_date: Option<SimTime>,
    latest_measurements: Vec<LatestJson>,
    latest_alerts: Vec<AlertJson>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LatestMeasurement")]
struct LatestJson {
    name: String,
    value: f64,
    #[schemars(with = "Instant")]
    event_date: SimTime,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AlertEvent")]
pub(super) struct AlertJson {
    id: String,
    event_type: &'static str,
    #[serde(rename = "type")]
    kind: String,
    level: String,
    message: String,
    #[schemars(with = "Instant")]
    event_date: SimTime,
    #[schemars(with = "Instant")]
    received_date: SimTime,
    metadata: BTreeMap<String, String>,
    /// `System` if the platform raised it itself, else `Device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    /// Whether the specification of its device has such a type; only where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<bool>,
}

impl AlertJson {
    /// An alert with its source and what its device's specification declares.
    pub(super) fn marked(api: &Api, row: AlertRow, is_whole: bool) -> Self {
        let source = if is_reserved(&row.device) { "System" } else { "Device" };
        let documents = &api.tenant.documents;
        let device = documents.body::<Device>(row.device.as_str());
        let specification = device.and_then(|device| specification(documents, &device));
        let declared = specification.map(|it| it.alert_level(&row.kind).is_some());
        Self { source: Some(source), declared, ..Self::of(row, is_whole) }
    }
}

/// A measurement message as an event.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MeasurementsEvent")]
pub(super) struct MeasurementsJson {
    id: String,
    event_type: &'static str,
    site_token: String,
    device_assignment_token: String,
    assignment_type: &'static str,
    #[schemars(with = "Instant")]
    event_date: SimTime,
    #[schemars(with = "Instant")]
    received_date: SimTime,
    measurements: BTreeMap<String, f64>,
    metadata: BTreeMap<String, String>,
}

/// One series of a chart.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Series")]
pub(super) struct SeriesJson {
    measurement_id: String,
    entries: Vec<EntryJson>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SeriesEntry")]
struct EntryJson {
    value: f64,
    #[schemars(with = "Instant")]
    measurement_date: SimTime,
}

impl From<StateValue> for LatestJson {
    fn from(row: StateValue) -> Self {
        Self { name: row.name, value: row.value, event_date: row.event }
    }
}

impl AlertJson {
    fn of(row: AlertRow, is_whole: bool) -> Self {
        Self {
            id: format!("alert-{}", id_of(Kind::Alerts, row.sequence, is_whole)),
            event_type: "Alerts",
            kind: row.kind,
            level: row.level,
            message: row.message,
            event_date: row.event,
            received_date: row.received,
            metadata: row.metadata,
            source: None,
            declared: None,
        }
    }
}

/// What identifies a row: its sequence, for those who may have all rows.
fn id_of(kind: Kind, sequence: u64, is_whole: bool) -> String {
    if is_whole { sequence.to_string() } else { cursor::seal(kind, sequence) }
}

/// `GET /sitewhere/api/assignments/{token}`
async fn one(call: Call) -> Answer<AssignmentJson> {
    let found = assignments::device(&call.caller(), LATEST, &call.variable)?;
    with_state(&call, found).await
}

/// `GET /sitewhere/api/assignments/{token}/measurements`, newest first.
async fn measurements(mut call: Call) -> Answer<List<MeasurementsJson>> {
    let (page, range) = call.page_of_range()?;
    let (device, permit) = assignments::device(&call.caller(), SERIES, &call.variable)?;
    let range = assignments::clipped(&call.tenant, &call.variable, range);
    let (num_results, rows) = call.tenant.readers.events(&permit, &device, range, page).await?;
    let of = AssignmentJson::without_state(&call, device);
    let one = |row| event(row, &of, permit.is_whole());
    let results = rows.iter().map(one).collect();
    Ok(Json(List { num_results, results }))
}

fn event(row: &ReadingRow, assignment: &AssignmentJson, is_whole: bool) -> MeasurementsJson {
    let mut metadata = row.metadata();
    if let Some((epoch, serial)) = row.number {
        metadata.insert(EPOCH.to_owned(), epoch.to_string());
        metadata.insert(SERIAL.to_owned(), serial.to_string());
    }
    MeasurementsJson {
        id: id_of(Kind::Readings, row.sequence, is_whole),
        event_type: "Measurements",
        site_token: assignment.site_token.clone(),
        device_assignment_token: assignment.token.clone(),
        assignment_type: assignment.assignment_type,
        event_date: row.event,
        received_date: row.received,
        measurements: row.values.iter().map(|(name, value)| (name.to_string(), *value)).collect(),
        metadata,
    }
}

/// `GET /sitewhere/api/assignments/{token}/measurements/series`: each series on its own page,
/// oldest first; without `measurementIds` all that the device has in its state.
async fn series(mut call: Call) -> Answer<Vec<SeriesJson>> {
    let ids = measurement_ids(&mut call.pairs)?;
    let (page, range) = call.page_of_range()?;
    let (device, permit) = assignments::device(&call.caller(), SERIES, &call.variable)?;
    let range = assignments::clipped(&call.tenant, &call.variable, range);
    let (device, cut) = (device.id, permit.cut(&device.hardware_id));
    let (readers, is_named) = (&call.tenant.readers, !ids.is_empty());
    let ids = if is_named { ids } else { readers.quantities_of(device, &cut).await? };
    let query = SeriesQuery { device, ids, range, page, after: None, cut };
    let mut series = readers.series(query).await?;
    // Which quantities a device has at other times is not for everybody.
    series.retain(|(_, points)| is_named || permit.is_whole() || !points.is_empty());
    let entry =
        |point: SeriesPoint| EntryJson { value: point.value, measurement_date: point.event };
    let one = |(id, points): (MeasurementId, Vec<SeriesPoint>)| SeriesJson {
        measurement_id: id.name().to_owned(),
        entries: points.into_iter().map(entry).collect(),
    };
    Ok(Json(series.into_iter().map(one).collect()))
}

/// `measurementIds`, repeated, with `[]` behind the name, or separated by commas; each series is
/// given once, however often it is asked for.
fn measurement_ids(pairs: &mut Pairs) -> Result<Vec<MeasurementId>, Problem> {
    let mut texts = pairs.all(&MEASUREMENT_IDS);
    texts.extend(pairs.all(&MEASUREMENT_IDS_ARRAY));
    listed_ids(&texts)
}

/// The identifiers in texts, each once.
pub(super) fn listed_ids(texts: &[String]) -> Result<Vec<MeasurementId>, Problem> {
    let names = texts.iter().flat_map(|text| text.split(',')).filter(|name| !name.is_empty());
    let mut seen = BTreeSet::new();
    let mut ids = names.map(measurement_id).collect::<Result<Vec<_>, _>>()?;
    ids.retain(|id| seen.insert(id.index()));
    if ids.len() > SERIES_MAX {
        let detail = format!("{} series are asked for, at most {SERIES_MAX} are given", ids.len());
        return Err(Problem::bad_request("too_many_series", detail));
    }
    Ok(ids)
}

pub(super) fn measurement_id(name: &str) -> Result<MeasurementId, Problem> {
    MeasurementId::lookup(name).ok_or_else(|| {
        let name = lastmeter_model::refusal::shortened(name, 80);
        let detail = format!("there is no measurement identifier `{name}`");
        Problem::bad_request("unknown_identifier", detail)
    })
}

async fn with_state(api: &Api, (device, permit): (DeviceRow, Permit)) -> Answer<AssignmentJson> {
    let (heard, state) = api.tenant.readers.state(&permit, &device).await?;
    let alerts = state.alerts.into_iter();
    let state = StateJson {
        last_interaction_date: heard,
        latest_measurements: state.values.into_iter().map(LatestJson::from).collect(),
        latest_alerts: alerts.map(|row| AlertJson::of(row, permit.is_whole())).collect(),
    };
    let shown = AssignmentJson::without_state(api, device);
    Ok(Json(AssignmentJson { state: Some(state), ..shown }))
}

/// `GET /sitewhere/api/devices/{hardwareId}/assignment`
async fn assignment(call: Call) -> Answer<AssignmentJson> {
    let (device, permit) = devices::find(&call.caller(), LATEST, &call.variable)?;
    let device = assignments::current(&call.tenant, device);
    with_state(&call, (device, permit)).await
}
