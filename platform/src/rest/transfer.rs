//! Export of what is stored, and import of what was exported or measured before.
//!
//! A row of an export is the message as a device sends it, so that whatever takes messages takes an
//! export. An import goes through the ingest port with the numbers that the rows have; what is
//! stored already is left out, so importing twice changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{self, Action, Permit};
use lastmeter_model::decide::is_same_content;
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_store::{Page, Range, StoreError, Stretch};
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{
    self, AlertLevel, AlertMessage, MeasurementMessage, Request as Wire,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use tokio::task::JoinSet;

use super::cursor::{self, Kind};
use super::extract::{Pairs, wrong_parameter};
use super::flow::{Gone, Outlet, flow};
use super::parameter::{EXAMPLE_DEVICE, Parameter};
use super::routes::{Access, Gives, Route, Verb};
use super::series::{csv_field, listed_devices};
use super::serve::Stopping;
use super::{Answer, Api, Problem};
use crate::format::{self, Rules};
use crate::ingest::NO_DOOR;
use crate::ops::Cuts;
use crate::port::{Arrival, NotDurable, Verdict};
use crate::tenant::Tenant;

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 500;
/// Messages of an import that become durable together.
const TOGETHER_MAX: usize = 64;
/// Refusals of an import that are listed.
const LISTED_MAX: usize = 20;
const NDJSON: &str = "application/x-ndjson";
const CSV_HEAD: &str = "device,epoch,serial,time,quantity,unit,value,update_state\n";

const WHAT: Parameter =
    Parameter::word("what", "`readings`, or `alerts` (JSON only)", &["readings", "alerts"]);
const DEVICE: Parameter =
    Parameter::texts("device", "hardware ids of devices; without it all").example(EXAMPLE_DEVICE);
const START: Parameter = Parameter::instant("start", "the first event time");
const END: Parameter = Parameter::instant("end", "the first event time after the last");
const FORMAT: Parameter = Parameter::word(
    "format",
    "`json`, a message a line, or `csv`, a value a line, without metadata",
    &["json", "csv"],
);
const AFTER: Parameter = Parameter::text(
    "after",
    "`X-Next-Cursor` of an earlier export: only what was committed since then; `0` is all",
)
.example("0");

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Get,
        path: "/api/v1/export",
        resource: "transfer",
        summary: "Stored readings or alerts as messages of devices, in the order of commit, up to \
                  what is committed when it begins",
        access: Access::Within(access::Kind::Export, Action::Read),
        parameters: &[&WHAT, &DEVICE, &START, &END, &FORMAT, &AFTER],
        takes: None,
        gives: Gives::text(NDJSON).or_csv(),
        refuses: &[404, 500],
        run: |verb| on(verb, export),
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/import",
        resource: "transfer",
        summary: "Takes messages, one a line, or values as CSV; durable when answered, and what is \
                  stored already is left out",
        access: Access::To(access::Kind::SharedInput, Action::Write),
        parameters: &[],
        takes: Some(import_schema),
        gives: Gives::json::<ImportedJson>(200),
        refuses: &[500],
        run: |verb| on(verb, import),
    },
];

/// Text, not JSON.
fn import_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}

/// What is exported.
struct Asked {
    devices: BTreeSet<HardwareId>,
    range: std::ops::Range<SimTime>,
    is_csv: bool,
    after: u64,
    last: u64,
}

impl Asked {
    fn has(&self, device: &HardwareId, event: SimTime) -> bool {
        (self.devices.is_empty() || self.devices.contains(device)) && self.range.contains(&event)
    }
}

/// `GET /api/v1/export`: rows are read and sent page by page, so that any number fits in memory.
async fn export(
    api: Api,
    Extension(stopping): Extension<Stopping>,
    mut pairs: Pairs,
) -> Result<Response, Problem> {
    let is_alerts = pairs.word(&WHAT)? == Some("alerts");
    let devices = match &pairs.all(&DEVICE)[..] {
        [] => BTreeSet::new(),
        texts => {
            let rows = listed_devices(&api.caller(), access::Kind::Export, texts)?;
            rows.into_iter().map(|(row, _)| row.hardware_id).collect()
        }
    };
    let start = pairs.instant(&START)?.unwrap_or(SimTime(i64::MIN));
    let end = pairs.instant(&END)?.unwrap_or(SimTime(i64::MAX));
    let is_csv = pairs.word(&FORMAT)? == Some("csv");
    let kind = if is_alerts { Kind::Alerts } else { Kind::Readings };
    let after = pairs.one(&AFTER)?.map(|text| {
        let expected = "the `X-Next-Cursor` of an earlier export of this process";
        let after = if text == "0" { Some(0) } else { cursor::open(kind, &text) };
        after.ok_or_else(|| wrong_parameter(&AFTER, &text, expected))
    });
    let after = after.transpose()?.unwrap_or(0);
    pairs.finish()?;
    if is_alerts && is_csv {
        return Err(wrong_parameter(&FORMAT, "csv", "`json`, the form that alerts have"));
    }
    // What is committed later is for the next export, from the cursor that this one gives.
    let totals = api.tenant.progress.totals();
    let last = if is_alerts { totals.alerts } else { totals.readings };
    let asked = Asked { devices, range: start..end, is_csv, after, last };
    let mut cuts = Cuts::of(api.caller(), access::Kind::Export)?;
    let seal = if cuts.is_whole() { cursor::seal } else { cursor::seal_salted };
    let (outlet, body) = flow();
    let write = async move {
        let mut stopping = stopping;
        tokio::select! {
            result = write_rows(&asked, &mut cuts, is_alerts, &outlet) => match result {
                Ok(()) | Err(Ended::Gone) => {}
                Err(Ended::Store(error)) => outlet.break_off(error.to_string()),
            },
            () = stopping.wait() => outlet.break_off("the platform is stopping".to_owned()),
        }
    };
    tokio::spawn(write);
    let media_type = if is_csv { "text/csv; charset=utf-8" } else { NDJSON };
    let next = seal(kind, last);
    let headers = [(CONTENT_TYPE.as_str(), media_type), ("x-next-cursor", next.as_str())];
    Ok((headers, body).into_response())
}

/// Why an export ended early.
enum Ended {
    Gone,
    Store(StoreError),
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn write_rows(
    asked: &Asked,
    cuts: &mut Cuts,
    is_alerts: bool,
    outlet: &Outlet,
) -> Result<(), Ended> {
    if asked.is_csv {
        outlet.write(CSV_HEAD).await?;
    }
    let mut after = asked.after;
    while after < asked.last {
        let stretch = Stretch { after, limit: ROWS_AT_ONCE, last: asked.last };
        let mut lines = Vec::new();
        if is_alerts {
            let looked = cuts.alerts(stretch).await?;
            after = looked.last;
            for row in looked.rows {
                if asked.has(&row.device, row.event) {
                    flexmeter::encode(&Wire::Alert(alert_of(row)), &mut lines);
                    lines.push(b'\n');
                }
            }
        } else {
            let looked = cuts.readings(stretch).await?;
            after = looked.last;
            for row in looked.rows {
                if !asked.has(&row.device, row.event) {
                } else if asked.is_csv {
                    lines.extend(csv_lines(&row).into_bytes());
                } else {
                    flexmeter::encode(&Wire::Measurements(message_of(&row)), &mut lines);
                    lines.push(b'\n');
                }
            }
        }
        if !lines.is_empty() {
            outlet.write(lines).await?;
        }
    }
    Ok(())
}

/// A stored reading as the message of its device. It has the date by which it is stored, also
/// where the message had none.
fn message_of(row: &ReadingRow) -> MeasurementMessage {
    let id = |(name, value): &(Arc<str>, f64)| Some((MeasurementId::lookup(name)?, *value));
    MeasurementMessage {
        update_state: row.updates_state,
        event_date: Some(row.event),
        epoch: row.number.map(|(epoch, _)| Epoch(epoch)),
        serial: row.number.map(|(_, serial)| Serial(serial)),
        originator: row.originator(),
        metadata: row.metadata(),
        ..MeasurementMessage::new(row.device.clone(), row.values.iter().filter_map(id).collect())
    }
}

/// A stored alert as the message of its device; whether its state had it is not known of a row.
fn alert_of(row: AlertRow) -> AlertMessage {
    AlertMessage {
        hardware_id: row.device,
        alert_type: row.kind,
        level: AlertLevel::from_word(&row.level).unwrap_or(AlertLevel::Info),
        message: row.message,
        event_date: Some(row.event),
        update_state: false,
        epoch: None,
        serial: None,
        originator: None,
        metadata: row.metadata,
    }
}

fn csv_lines(row: &ReadingRow) -> String {
    let (epoch, serial) = row.number.unzip();
    let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    let head = format!("{},{},{}", csv_field(row.device.as_str()), number(epoch), number(serial));
    let line = |(name, value): &(Arc<str>, f64)| {
        let unit = MeasurementId::lookup(name).map_or("", |id| id.row().unit);
        format!("{head},{},{name},{unit},{value:?},{}\n", row.event, row.updates_state)
    };
    row.values.iter().map(line).collect()
}

/// What became of an import.
#[derive(Default, Serialize, JsonSchema)]
#[schemars(rename = "Imported")]
pub(super) struct ImportedJson {
    /// Messages that were stored.
    stored: u64,
    /// Messages that had been stored before, with the same content.
    repeated: u64,
    /// Messages that were refused; they are in `/api/v1/refusals`.
    refused: u64,
    /// The first of them.
    refusals: Vec<RefusalJson>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ImportRefusal")]
struct RefusalJson {
    /// From 1; of CSV the first line of the message.
    line: u64,
    reason: String,
    detail: String,
}

impl ImportedJson {
    /// Why the first message was refused.
    pub(super) fn first_refusal(&self) -> Option<(&str, &str)> {
        self.refusals.first().map(|refusal| (&*refusal.reason, &*refusal.detail))
    }
}

/// Takes messages through the ingest port; what is stored already is left out, which shows nothing
/// but what the sender has.
pub(super) async fn store_messages(
    api: &Api,
    messages: Vec<Bytes>,
) -> Result<ImportedJson, Problem> {
    let lines: Vec<Line> = (1..).zip(messages).collect();
    let mut import = Import::new(api, Permit::whole_tenant(), &lines).await?;
    for line in lines {
        import.take(line).await?;
    }
    import.finish().await
}

/// A message of an import, with the line on which it begins.
type Line = (u64, Bytes);

/// `POST /api/v1/import`
async fn import(api: Api, pairs: Pairs, headers: HeaderMap, body: Bytes) -> Answer<ImportedJson> {
    pairs.finish()?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    let lines = match &*media_type.trim().to_ascii_lowercase() {
        NDJSON => json_lines(&body),
        "text/csv" => csv_messages(&body)?,
        _ => {
            let detail = format!("expected `{NDJSON}` or `text/csv` as `Content-Type`");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "not_import_content", detail));
        }
    };
    let none = || Problem::not_found("no_such_path", "there is nothing here");
    let permit = api.permit.clone().ok_or_else(none)?;
    let mut import = Import::new(&api, permit, &lines).await?;
    for line in lines {
        import.take(line).await?;
    }
    Ok(Json(import.finish().await?))
}

fn json_lines(body: &Bytes) -> Vec<Line> {
    let lines = body.split(|byte| *byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    lines.map(|(line, at)| (at, body.slice_ref(line))).collect()
}

/// The readings of a table: lines of the same device, number and time in a row are one. Whatever is
/// wrong with a line refuses the whole table, before anything of it is stored.
fn csv_messages(body: &[u8]) -> Result<Vec<Line>, Problem> {
    let wrong = |line: u64, what: String| {
        let detail = format!("line {line}: {what}");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail)
    };
    let mut reader = csv::Reader::from_reader(body);
    let head = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let place = |name: &str| head.iter().position(|column| column == name);
    let required = |name: &str| place(name).ok_or_else(|| wrong(1, format!("no column `{name}`")));
    let [device, time, quantity, value] = ["device", "time", "quantity", "value"].map(required);
    let (device, time, quantity, value) = (device?, time?, quantity?, value?);
    let (epoch, serial, state) = (place("epoch"), place("serial"), place("update_state"));
    let mut messages: Vec<(u64, MeasurementMessage)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            wrong(error.position().map_or(0, csv::Position::line), error.to_string())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let text = |at: usize| record.get(at).unwrap_or_default();
        let number = |at: Option<usize>| match at.map_or("", text) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| wrong(line, format!("number `{text}`"))),
        };
        let hardware_id =
            HardwareId::new(text(device)).map_err(|error| wrong(line, error.to_string()))?;
        let event: SimTime =
            text(time).parse().map_err(|_| wrong(line, format!("time `{}`", text(time))))?;
        let id = MeasurementId::lookup(text(quantity))
            .ok_or_else(|| wrong(line, format!("quantity `{}`", text(quantity))))?;
        let value: f64 =
            text(value).parse().map_err(|_| wrong(line, format!("value `{}`", text(value))))?;
        let message = MeasurementMessage {
            update_state: state.is_some_and(|at| text(at) == "true"),
            event_date: Some(event),
            epoch: number(epoch)?.map(Epoch),
            serial: number(serial)?.map(Serial),
            ..MeasurementMessage::new(hardware_id, vec![(id, value)])
        };
        // A table has a line for each value, where a message has all of its values.
        match messages.last_mut().filter(|(_, last)| is_of_reading(last, &message)) {
            Some((_, last)) => last.values.extend(message.values),
            None => messages.push((line, message)),
        }
    }
    let encoded = |(line, message): (u64, MeasurementMessage)| {
        let mut bytes = Vec::new();
        flexmeter::encode_measurements(&message, &mut bytes);
        (line, bytes.into())
    };
    Ok(messages.into_iter().map(encoded).collect())
}

/// Whether a value belongs to the reading of the lines before.
fn is_of_reading(last: &MeasurementMessage, next: &MeasurementMessage) -> bool {
    let key = |one: &MeasurementMessage| {
        (one.hardware_id.clone(), one.epoch, one.serial, one.event_date, one.update_state)
    };
    let is_there =
        |(id, _): &(MeasurementId, f64)| last.values.iter().any(|(known, _)| known == id);
    key(last) == key(next) && !next.values.iter().any(is_there)
}

/// What an alert is recognised by.
type AlertKey = (HardwareId, SimTime, String, String, String, BTreeMap<String, String>);

fn alert_key(message: &Message) -> Option<AlertKey> {
    let MessageBody::Alert { kind, level, text } = &message.body else { return None };
    let (kind, level, text) = (kind.clone(), (*level).to_owned(), text.clone());
    Some((message.device.clone(), message.event?, kind, level, text, message.metadata.clone()))
}

/// An import under way.
struct Import {
    tenant: Arc<Tenant>,
    /// Of who may send for every device.
    permit: Permit,
    done: ImportedJson,
    /// Of the alerts of the import, those that are stored.
    alerts: BTreeSet<AlertKey>,
    /// What is on its way, by device and event time.
    sent: BTreeSet<(HardwareId, Option<SimTime>)>,
    under_way: JoinSet<(u64, Result<Verdict, NotDurable>)>,
}

impl Import {
    async fn new(api: &Api, permit: Permit, lines: &[Line]) -> Result<Self, Problem> {
        let tenant = &api.tenant;
        let none = || Problem::not_found("no_such_path", "there is nothing here");
        let store = tenant.readers.whole(&permit).ok_or_else(none)?;
        let given = lines.iter().filter_map(|(_, line)| alert_key(&decoded(line)?));
        let given: BTreeSet<AlertKey> = given.collect();
        let mut alerts = BTreeSet::new();
        let (mut after, last) = (0, tenant.progress.totals().alerts);
        while !given.is_empty() && after < last {
            let stretch = Stretch { after, limit: ROWS_AT_ONCE, last };
            let found = store.alerts(stretch).await?;
            if found.rows.is_empty() {
                // None of them is kept any more.
                break;
            }
            for row in found.rows {
                after = row.sequence;
                let AlertRow { device, event, kind, level, message, metadata, .. } = row;
                let key = (device, event, kind, level, message, metadata);
                if given.contains(&key) {
                    alerts.insert(key);
                }
            }
        }
        let (done, sent, under_way) = (ImportedJson::default(), BTreeSet::new(), JoinSet::new());
        let tenant = Arc::clone(&api.tenant);
        Ok(Self { tenant, permit, done, alerts, sent, under_way })
    }

    async fn take(&mut self, (line, bytes): Line) -> Result<(), Problem> {
        if let Some(message) = decoded(&bytes) {
            let place = (message.device.clone(), message.event);
            if self.sent.contains(&place) || self.under_way.len() >= TOGETHER_MAX {
                // What came before may be the same.
                self.settle().await?;
            }
            if self.has(&message).await? {
                self.done.repeated += 1;
                return Ok(());
            }
            self.alerts.extend(alert_key(&message));
            self.sent.insert(place);
        }
        let (tenant, topic) = (Arc::clone(&self.tenant), self.tenant.name.to_string());
        self.under_way.spawn(async move {
            let topic = format!("{topic}/SiteWhere/input/json");
            let sender = "import".to_owned();
            let arrival =
                Arrival { door: NO_DOOR, sender, topic, payload: bytes, is_shared: false };
            let verdict = tenant.ingest.accept(arrival).await;
            (line, verdict.map_err(NotDurable::from))
        });
        Ok(())
    }

    /// Whether a message is stored; of a reading without a number whether there is an equal one.
    async fn has(&self, message: &Message) -> Result<bool, Problem> {
        if let Some(key) = alert_key(message) {
            return Ok(self.alerts.contains(&key));
        }
        let Some(device) = self.tenant.devices.row(&message.device) else { return Ok(false) };
        let permit = &self.permit;
        let Some(store) = self.tenant.readers.whole(permit) else { return Ok(false) };
        let rows = match (message.number, message.event) {
            (Some(number), _) => store.numbered(device, number).await?.into_iter().collect(),
            (None, Some(at)) => {
                let (range, page) = (Range { start: at, end: at }, Page { offset: 0, limit: 1000 });
                store.events(device, range, page, permit.cut(&message.device)).await?.1
            }
            (None, None) => Vec::new(),
        };
        // One that was stored by when it arrived was exported with that date.
        let is_equal = |row: &ReadingRow| {
            let event = message.event.filter(|at| row.is_dated || *at != row.event);
            is_same_content(row, &Message { event, ..message.clone() })
        };
        Ok(rows.iter().any(is_equal))
    }

    /// Returns when what is under way is committed.
    async fn settle(&mut self) -> Result<(), Problem> {
        while let Some(taken) = self.under_way.join_next().await {
            let unavailable =
                |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_durable", why);
            let (line, verdict) = taken.map_err(|error| unavailable(error.to_string()))?;
            match verdict.map_err(|error| unavailable(error.to_string()))? {
                Verdict::Stored => self.done.stored += 1,
                Verdict::Refused { reason, detail } => {
                    self.done.refused += 1;
                    let reason = reason.word().to_owned();
                    self.done.refusals.push(RefusalJson { line, reason, detail });
                    self.done.refusals.sort_by_key(|refusal| refusal.line);
                    self.done.refusals.truncate(LISTED_MAX);
                }
            }
        }
        self.tenant.barrier().await?;
        self.sent.clear();
        Ok(())
    }

    async fn finish(mut self) -> Result<ImportedJson, Problem> {
        self.settle().await?;
        Ok(self.done)
    }
}

/// A line as a message; what is none is for the port to refuse.
fn decoded(line: &[u8]) -> Option<Message> {
    format::first().decode(line, Rules::default()).ok()?.pop()
}
