//! Series over time: many quantities of many devices at once, as they were measured or summed up
//! by width in a time zone; and each value in the six fields of a record that stands alone.
//!
//! A page goes device by device and there in the order of time, all quantities side by side; `next`
//! leads on. Where there are no values there are no points.

mod summed;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lastmeter_model::access::{self, Action, Cut, Permit};
use lastmeter_model::calendar::{Width, Zone};
use lastmeter_model::entity::Location;
use lastmeter_model::row::{DeviceRow, SeriesPoint};
use lastmeter_store::{Page, Place, Range, Series, SeriesQuery, StoreResult};
use lastmeter_units::{MeasurementId, SimTime};
use schemars::JsonSchema;
use serde::Serialize;
use summed::summed;

use super::assignments::{VOLTAGE, listed_ids, measurement_id};
use super::cursor::{self, Kind};
use super::devices::{self, BBOX, bounding_box};
use super::extract::{Call, wrong_parameter};
use super::openapi::Instant;
use super::parameter::{END_DATE, EXAMPLE_DEVICE, Parameter, START_DATE};
use super::routes::{Gives, routes};
use super::{Answer, Api, Problem};
use crate::ops::devices::{Positions, is_inside};
use crate::ops::nodes;
use crate::ops::transfer::csv_field;
use crate::ops::{self, Caller};
use crate::reader::Reader;

/// Points that are read between two looks at whether a page is full.
const POINTS_AT_ONCE: usize = 8192;
/// Devices of one request at most.
const DEVICES_MAX: usize = 1000;

pub(super) const DEVICE: Parameter =
    Parameter::texts("device", "hardware ids of devices").required().example(EXAMPLE_DEVICE);
const QUANTITY: Parameter =
    Parameter::texts("quantity", "the quantities; without it all that a device has")
        .example(VOLTAGE);
const START: Parameter = Parameter::instant("start", "the first instant of the range");
const END: Parameter = Parameter::instant("end", "the first instant after the range");
const ZONE: Parameter =
    Parameter::text("zone", "time zone of the IANA database in which widths are counted; UTC")
        .example("Europe/Rome");
const WIDTH: Parameter = Parameter::word(
    "width",
    "how long a summary is, in local time; without it the values as they were measured",
    Width::WORDS,
);
pub(super) const FORMAT: Parameter = Parameter::word(
    "format",
    "`json`, or `csv`: the cursor is in `X-Next-Cursor`",
    &["json", "csv"],
);
const CURSOR: Parameter = Parameter::text("cursor", "`next` of an earlier answer").example("0.0");
/// With it no answer is above 8 MiB.
pub(super) const LIMIT: Parameter = Parameter::whole(
    "limit",
    "points of all series at most; of an instant they are given together",
    1000,
    (1, 25_000),
);
const MEASUREMENT_ID: Parameter = Parameter::text(
    "measurementId",
    "the one quantity of one device, with the numbers of its readings; goes with `startDate`, \
     `endDate` and `after` only",
)
.example(VOLTAGE);
const AFTER: Parameter =
    Parameter::text("after", "`next` of an earlier answer about `measurementId`").example("0.0");
pub(super) const ONE_QUANTITY: Parameter =
    Parameter::text("measurementId", "the quantity").required().example(VOLTAGE);
pub(super) const FROM: Parameter = Parameter::instant("from", "the first instant of the range");
pub(super) const TO: Parameter = Parameter::instant("to", "the first instant after the range");
pub(super) const FURTHER: Parameter =
    Parameter::text("after", "`X-Next-Cursor` of an earlier answer").example("0.0");

routes! {
    "series" {
        Get "/api/v1/series" => series:
            "Series of many devices and quantities, oldest first, raw or by width",
            Within(Series, Read), [DEVICE, QUANTITY, START, END, ZONE, WIDTH, FORMAT, CURSOR, LIMIT, MEASUREMENT_ID, START_DATE, END_DATE, AFTER, BBOX],
            gives Gives::json::<AnswerJson>(200).or_csv(), refuses [404, 500];
        Get "/api/v1/observations" => observations:
            "Stored values, each with object, type, unit, field, position and time",
            Within(Series, Read), [DEVICE, QUANTITY, START, END, CURSOR, LIMIT, BBOX],
            gives Gives::json::<ObservationsJson>(200), refuses [404, 500];
    }
}

/// Either form of an answer about series.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "SeriesAnswer")]
enum AnswerJson {
    Many(ManyJson),
    One(KeysetJson),
}

/// Series of devices, and where to go on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ManySeries")]
struct ManyJson {
    /// The width of summaries; `null` where the values are as they were measured.
    width: Option<&'static str>,
    /// In which local time widths are counted. All times are UTC.
    zone: String,
    results: Vec<SeriesJson>,
    /// `cursor` of the next request; `null` at the end.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OneSeries")]
struct SeriesJson {
    device: String,
    quantity: &'static str,
    unit: &'static str,
    /// Oldest first: time and value, or beginning, number of values, least, mean and greatest.
    points: Vec<PointJson>,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Point")]
pub(super) enum PointJson {
    Value(#[schemars(with = "Instant")] SimTime, f64),
    Summary(#[schemars(with = "Instant")] SimTime, u64, f64, f64, f64),
}

/// Points of a series and where to go on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SeriesPage")]
struct KeysetJson {
    results: Vec<NumberedJson>,
    /// `after` of the next request; `null` at the end.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SeriesPoint")]
struct NumberedJson {
    #[schemars(with = "Instant")]
    event_time: SimTime,
    epoch: Option<u64>,
    serial: Option<u64>,
    value: f64,
}

/// Values, each as a record of its own.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Observations")]
struct ObservationsJson {
    results: Vec<ObservationJson>,
    /// `cursor` of the next request; `null` at the end.
    next: Option<String>,
}

/// A value in six fields.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Observation")]
struct ObservationJson {
    object_identifier: String,
    object_type: &'static str,
    measurement_unit: &'static str,
    data_field: FieldJson,
    geographical_position: Option<PositionJson>,
    #[schemars(with = "Instant")]
    timestamp: SimTime,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DataField")]
struct FieldJson {
    quantity: &'static str,
    value: f64,
}

/// WGS 84, degrees and metres.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "Position")]
struct PositionJson {
    latitude: f64,
    longitude: f64,
    elevation: Option<f64>,
}

impl From<Location> for PositionJson {
    fn from(at: Location) -> Self {
        Self { latitude: at.latitude, longitude: at.longitude, elevation: at.elevation }
    }
}

/// What is asked of which series.
struct Asked {
    /// With what of each may be had.
    devices: Vec<(DeviceRow, Cut)>,
    quantities: Vec<MeasurementId>,
    range: Range,
    limit: usize,
    cursor: Cursor,
}

impl Asked {
    fn of(call: &mut Call, summed: Option<(Width, &Zone)>) -> Result<Self, Problem> {
        let (caller, pairs) = (call.caller(), &mut call.pairs);
        let mut devices = listed_devices(&caller, access::Kind::Series, &pairs.all(&DEVICE))?;
        if let Some(text) = pairs.one(&BBOX)? {
            let within = bounding_box(&text)?;
            // Where it is now is for who may read its document, which values alone do not give.
            devices.retain(|(row, _)| {
                devices::is_seen(&caller, access::Kind::Device, row.hardware_id.as_str())
                    && is_inside(&caller.tenant, &row.hardware_id, &within)
            });
        }
        let with_cut = |(device, permit): (DeviceRow, Permit)| {
            let cut = match summed {
                None => permit.cut(&device.hardware_id),
                Some(summed) => caller.summed(&permit, &device.hardware_id, summed),
            };
            (device, cut)
        };
        let devices = devices.into_iter().map(with_cut).collect();
        let quantities = listed_ids(&pairs.all(&QUANTITY))?;
        let start = pairs.instant(&START)?.unwrap_or(SimTime(i64::MIN));
        let end = pairs.instant(&END)?.map_or(SimTime(i64::MAX), before);
        let cursor = pairs.one(&CURSOR)?.map(|text| Cursor::parse(&text)).transpose()?;
        let limit = pairs.number(&LIMIT)? as usize;
        let range = Range { start, end };
        Ok(Self { devices, quantities, range, limit, cursor: cursor.unwrap_or_default() })
    }

    /// The way through the series of the device in this place, from where the page begins.
    async fn walk(&self, readers: &Reader, place: usize) -> StoreResult<Walk> {
        let (device, cut) = (self.devices[place].0.id, self.devices[place].1.clone());
        let mut ids = readers.quantities_of(device, &cut).await?;
        if !self.quantities.is_empty() {
            ids.retain(|id| self.quantities.contains(id));
        }
        let mut range = self.range;
        let begun = self.cursor.from.filter(|_| place == self.cursor.device);
        let after = begun.and_then(|from| Some((from.0, self.cursor.sequence?.cast_signed())));
        range.start = begun.map_or(range.start, |from| from.max(range.start));
        let is_done = ids.is_empty() || range.start > range.end;
        Ok(Walk { place, device, cut, ids, range, after, is_done })
    }
}

/// The last instant before another.
fn before(at: SimTime) -> SimTime {
    SimTime(at.0.saturating_sub(1))
}

/// Where a page begins: in the place of a device, there from an instant on, and behind a reading
/// of that instant where it names one.
#[derive(Default)]
struct Cursor {
    device: usize,
    from: Option<SimTime>,
    sequence: Option<u64>,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Problem> {
        let mut parts = text.split('.');
        let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
        let (device, from) = (number().and_then(|one| usize::try_from(one).ok()), number());
        let sequence = parts.next().map(|part| cursor::open(Kind::Readings, part));
        match (device, from, sequence, parts.next()) {
            (Some(device), Some(from), sequence, None) if sequence != Some(None) => {
                Ok(Self { device, from: Some(SimTime(from)), sequence: sequence.flatten() })
            }
            _ => Err(wrong_parameter(&CURSOR, text, "the `next` of an earlier answer")),
        }
    }
}

/// The points of some quantities of a device in the order of time.
struct Walk {
    place: usize,
    device: i64,
    cut: Cut,
    ids: Vec<MeasurementId>,
    range: Range,
    after: Option<Place>,
    is_done: bool,
}

impl Walk {
    /// The next points, of each quantity so many at most, all up to the same place.
    async fn next(&mut self, readers: &Reader, limit: usize) -> StoreResult<Vec<Series>> {
        let (device, ids, after) = (self.device, self.ids.clone(), self.after);
        let page = Page { offset: 0, limit: limit as u32 };
        let (range, cut) = (self.range, self.cut.clone());
        let query = SeriesQuery { device, ids, range, page, after, cut };
        let mut series = readers.series(query).await?;
        let full = series.iter().filter(|(_, points)| points.len() >= limit);
        match full.filter_map(|(_, points)| points.last().map(place)).min() {
            None => self.is_done = true,
            Some(cut) => {
                for (_, points) in &mut series {
                    points.retain(|point| place(point) <= cut);
                }
                self.after = Some(cut);
            }
        }
        Ok(series)
    }

    /// The cursor of what comes next.
    fn cursor(&self) -> String {
        match self.after {
            None => format!("{}.{}", self.place, self.range.start.0),
            Some((event_ns, sequence)) => {
                let sequence = cursor::seal(Kind::Readings, sequence.cast_unsigned());
                format!("{}.{event_ns}.{sequence}", self.place)
            }
        }
    }

    /// How many points of each quantity to ask for, of so many in all.
    fn share(&self, points: usize) -> usize {
        (points / self.ids.len().max(1)).max(1)
    }
}

fn place(point: &SeriesPoint) -> Place {
    (point.event.as_nanoseconds(), point.sequence.cast_signed())
}

/// A page: points by the place of the device and the quantity.
struct Found {
    points: BTreeMap<(usize, usize), Vec<PointJson>>,
    room: usize,
    next: Option<String>,
}

impl Found {
    fn of(asked: &Asked) -> Self {
        Self { points: BTreeMap::new(), room: asked.limit, next: None }
    }

    fn add(&mut self, place: usize, id: MeasurementId, points: Vec<PointJson>) {
        if points.is_empty() {
            return;
        }
        // What stands around its points takes the room of one.
        let is_first = usize::from(!self.points.contains_key(&(place, id.index())));
        self.room = self.room.saturating_sub(points.len() + is_first);
        self.points.entry((place, id.index())).or_default().extend(points);
    }

    fn series(self, devices: &[(DeviceRow, Cut)]) -> Vec<SeriesJson> {
        let one = |((place, index), points): ((usize, usize), Vec<PointJson>)| {
            let row = MeasurementId::from_index(index)?.row();
            let device = devices.get(place)?.0.hardware_id.to_string();
            Some(SeriesJson { device, quantity: row.name, unit: row.unit, points })
        };
        self.points.into_iter().filter_map(one).collect()
    }
}

/// A page of values as they were measured.
async fn measured(readers: &Reader, asked: &Asked) -> StoreResult<Found> {
    let mut found = Found::of(asked);
    for place in asked.cursor.device..asked.devices.len() {
        let mut walk = asked.walk(readers, place).await?;
        while !walk.is_done {
            if found.room == 0 {
                found.next = Some(walk.cursor());
                return Ok(found);
            }
            let share = walk.share(found.room.min(POINTS_AT_ONCE));
            for (id, points) in walk.next(readers, share).await? {
                let value = |point: SeriesPoint| PointJson::Value(point.event, point.value);
                found.add(place, id, points.into_iter().map(value).collect());
            }
        }
    }
    Ok(found)
}

/// The devices in texts, each once, with what may be had of a kind of data: an id, or several
/// between commas.
pub(super) fn listed_devices(
    caller: &Caller,
    kind: access::Kind,
    texts: &[String],
) -> Result<Vec<(DeviceRow, Permit)>, Problem> {
    let mut found: Vec<(DeviceRow, Permit)> = Vec::new();
    for text in texts {
        // An id that has a comma itself is one of those who may have it.
        let is_one = !text.contains(',') || devices::is_seen(caller, kind, text);
        let ids = if is_one { vec![&**text] } else { text.split(',').collect() };
        let of = |id: &str| ops::devices::find(caller, (kind, Action::Read), id);
        let devices = ids.into_iter().map(of).collect::<Result<Vec<_>, _>>()?;
        for device in devices {
            if found.len() < DEVICES_MAX && found.iter().all(|(known, _)| known.id != device.0.id) {
                found.push(device);
            }
        }
    }
    if found.is_empty() {
        return Err(Problem::bad_request("missing_parameter", "give `device`"));
    }
    Ok(found)
}

/// `GET /api/v1/series`, in either form.
async fn series(mut call: Call) -> Result<Response, Problem> {
    let pairs = &mut call.pairs;
    let has = |given: &[&Parameter]| given.iter().any(|parameter| pairs.has(parameter));
    let is_many = has(&[&QUANTITY, &START, &END, &ZONE, &WIDTH, &FORMAT, &CURSOR]);
    if has(&[&MEASUREMENT_ID, &START_DATE, &END_DATE, &AFTER])
        && (is_many || !pairs.has(&MEASUREMENT_ID))
    {
        let detail = "`startDate`, `endDate` and `after` go with `measurementId`, and it with \
                      `device`, `limit` and them only";
        return Err(Problem::bad_request("wrong_parameter", detail));
    }
    let one = pairs.one(&MEASUREMENT_ID)?;
    let (dates, after) = (pairs.range()?, pairs.one(&AFTER)?);
    let zone = pairs.one(&ZONE)?;
    let width = pairs.word(&WIDTH)?.and_then(Width::from_word);
    let is_csv = pairs.word(&FORMAT)? == Some("csv");
    let zone = zone
        .map_or(Ok(Zone::utc()), |name| Zone::named(&name))
        .map_err(|error| Problem::bad_request("wrong_parameter", format!("`zone`: {error}")))?;
    let mut asked = Asked::of(&mut call, width.map(|width| (width, &zone)))?;
    call.pairs.finish()?;
    if let Some(id) = one {
        let id = measurement_id(&id)?;
        let found = keyset(&call, &asked, id, dates, after).await?;
        return Ok(Json(AnswerJson::One(found)).into_response());
    }
    let readers = &call.tenant.readers;
    let mut found = match width {
        None => measured(readers, &asked).await?,
        Some(width) => summed(readers, &mut asked, &zone, width).await?,
    };
    let next = found.next.take();
    let results = found.series(&asked.devices);
    if is_csv {
        return Ok(as_csv(&results, width.is_some(), next.as_deref()));
    }
    let (width, zone) = (width.map(Width::word), zone.to_string());
    Ok(Json(AnswerJson::Many(ManyJson { width, zone, results, next })).into_response())
}

/// Rows of a point each.
fn as_csv(results: &[SeriesJson], is_summed: bool, next: Option<&str>) -> Response {
    let values = if is_summed { "n,min,mean,max" } else { "value" };
    let mut text = format!("device,quantity,unit,time,{values}\n");
    for SeriesJson { device, quantity, unit, points } in results {
        let device = csv_field(device);
        for point in points {
            let values = match *point {
                PointJson::Value(at, value) => format!("{at},{value:?}"),
                PointJson::Summary(at, n, min, mean, max) => {
                    format!("{at},{n},{min:?},{mean:?},{max:?}")
                }
            };
            text.extend([&device, ",", quantity, ",", unit, ",", &values, "\n"]);
        }
    }
    let response = ([(CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response();
    with_cursor(response, next)
}

/// An answer that has its cursor beside it.
fn with_cursor(mut response: Response, next: Option<&str>) -> Response {
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(next).ok()) {
        response.headers_mut().insert("x-next-cursor", next);
    }
    response
}

/// The form with `measurementId`: the points of one series with the numbers of their readings.
async fn keyset(
    api: &Api,
    asked: &Asked,
    id: MeasurementId,
    range: Range,
    after: Option<String>,
) -> Result<KeysetJson, Problem> {
    let [(device, cut)] = &asked.devices[..] else {
        let detail = "with `measurementId` give one `device`, or give `quantity`";
        return Err(Problem::bad_request("repeated_parameter", detail));
    };
    let is_whole = cut.windows().is_none();
    let after = after.map(|text| keyset_place(&text, is_whole)).transpose()?;
    let page = Page { offset: 0, limit: asked.limit as u32 };
    let (device, ids, cut) = (device.id, vec![id], cut.clone());
    let query = SeriesQuery { device, ids, range, page, after, cut };
    let series = api.tenant.readers.series(query).await?;
    let points: Vec<SeriesPoint> = series.into_iter().flat_map(|(_, points)| points).collect();
    let last = points.last().filter(|_| points.len() == asked.limit);
    let sequence = |of: u64| {
        if is_whole { of.to_string() } else { cursor::seal(Kind::Readings, of) }
    };
    let next =
        last.map(|point| format!("{}.{}", point.event.as_nanoseconds(), sequence(point.sequence)));
    let numbered = |point: SeriesPoint| NumberedJson {
        event_time: point.event,
        epoch: point.number.map(|(epoch, _)| epoch),
        serial: point.number.map(|(_, serial)| serial),
        value: point.value,
    };
    let results = points.into_iter().map(numbered).collect();
    Ok(KeysetJson { results, next })
}

/// `GET /api/v1/networks/{token}/sensors/{hardwareId}/data`
pub(super) async fn of_node(mut call: Call) -> Result<Response, Problem> {
    let id = call.pairs.one(&ONE_QUANTITY)?;
    let start = call.pairs.instant(&FROM)?.unwrap_or(SimTime(i64::MIN));
    let end = call.pairs.instant(&TO)?.map_or(SimTime(i64::MAX), before);
    let (limit, after) = (call.pairs.number(&LIMIT)? as usize, call.pairs.one(&FURTHER)?);
    call.pairs.finish()?;
    let missing = || Problem::bad_request("missing_parameter", "give `measurementId`");
    let id = measurement_id(&id.ok_or_else(missing)?)?;
    let (device, permit) = nodes::measured(&call.caller(), &call.variable, &call.second).await?;
    let cut = permit.cut(&device.hardware_id);
    let (devices, range) = (vec![(device, cut)], Range { start, end });
    let asked = Asked { devices, quantities: Vec::new(), range, limit, cursor: Cursor::default() };
    let found = keyset(&call, &asked, id, range, after).await?;
    let points = found.results.into_iter();
    let points: Vec<PointJson> =
        points.map(|point| PointJson::Value(point.event_time, point.value)).collect();
    Ok(with_cursor(Json(points).into_response(), found.next.as_deref()))
}

/// Event time and commit sequence of the last point before; the sequence as a number only for who
/// may have the whole series, since others would find out by it how many readings there are.
fn keyset_place(text: &str, is_whole: bool) -> Result<Place, Problem> {
    let place = text.split_once('.').and_then(|(event_ns, sequence)| {
        let sealed = || cursor::open(Kind::Readings, sequence).map(u64::cast_signed);
        let plain = sequence.parse().ok().filter(|_| is_whole);
        Some((event_ns.parse().ok()?, plain.or_else(sealed)?))
    });
    place.ok_or_else(|| wrong_parameter(&AFTER, text, "the `next` of an earlier answer"))
}

/// `GET /api/v1/observations`
async fn observations(mut call: Call) -> Answer<ObservationsJson> {
    let asked = Asked::of(&mut call, None)?;
    call.pairs.finish()?;
    let found = measured(&call.tenant.readers, &asked).await?;
    let (mut results, mut positions) = (Vec::new(), BTreeMap::new());
    for ((place, index), points) in found.points {
        let (Some(id), Some((device, _))) =
            (MeasurementId::from_index(index), asked.devices.get(place))
        else {
            continue;
        };
        let (quantity, measurement_unit) = (id.name(), id.row().unit);
        if let Entry::Vacant(entry) = positions.entry(place) {
            entry.insert(Positions::of(&call.tenant, &device.hardware_id).await?);
        }
        let positions = &positions[&place];
        results.extend(points.into_iter().filter_map(|point| match point {
            PointJson::Value(timestamp, value) => Some(ObservationJson {
                object_identifier: device.hardware_id.to_string(),
                object_type: "device",
                measurement_unit,
                data_field: FieldJson { quantity, value },
                geographical_position: positions.at(timestamp).map(PositionJson::from),
                timestamp,
            }),
            PointJson::Summary(..) => None,
        }));
    }
    Ok(Json(ObservationsJson { results, next: found.next }))
}
