//! Export of what is stored, and import of what was exported or measured before.
//!
//! A row of an export is the message as a device sends it, so that whatever takes messages takes an
//! export. An import goes through the ingest port with the numbers that the rows have; what is
//! stored already is left out, so importing twice changes nothing.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use lastmeter_model::access;
use lastmeter_store::{StoreError, Stretch};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_wire::flexmeter::{self, Request as Wire};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::cursor::{self, Kind};
use super::extract::{Call, wrong_parameter};
use super::flow::{Gone, Outlet, flow};
use super::parameter::{EXAMPLE_DEVICE, Parameter};
use super::routes::{Gives, routes};
use super::series::listed_devices;
use super::serve::Stopping;
use super::{Answer, Problem};
use crate::ops::Cuts;
use crate::ops::transfer::{
    CSV_HEAD, CsvReadings, Imported, Line, ROWS_AT_ONCE, alert_of, csv_lines, json_lines,
    message_of, store_messages,
};

const NDJSON: &str = "application/x-ndjson";

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

routes! {
    "transfer" {
        Get "/api/v1/export" => export:
            "Stored readings or alerts as messages of devices, in the order of commit, up to what \
             is committed when it begins",
            Within(Export, Read), [WHAT, DEVICE, START, END, FORMAT, AFTER],
            gives Gives::text(NDJSON).or_csv(), refuses [404, 500];
        Post "/api/v1/import" => import:
            "Takes messages, one a line, or values as CSV; durable when answered, and what is \
             stored already is left out",
            To(SharedInput, Write), [], takes import_schema,
            gives Gives::json::<Imported>(200), refuses [500];
    }
}

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
    mut call: Call,
    Extension(stopping): Extension<Stopping>,
) -> Result<Response, Problem> {
    let caller = call.caller();
    let pairs = &mut call.pairs;
    let is_alerts = pairs.word(&WHAT)? == Some("alerts");
    let devices = match &pairs.all(&DEVICE)[..] {
        [] => BTreeSet::new(),
        texts => {
            let rows = listed_devices(&caller, access::Kind::Export, texts)?;
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
    let totals = call.tenant.progress.totals();
    let last = if is_alerts { totals.alerts } else { totals.readings };
    let asked = Asked { devices, range: start..end, is_csv, after, last };
    let mut cuts = Cuts::of(caller, access::Kind::Export)?;
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
        outlet.write(format!("{CSV_HEAD}\n")).await?;
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
                    lines.extend(csv_lines(&row, "").into_bytes());
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

/// `POST /api/v1/import`
async fn import(call: Call, headers: HeaderMap, body: Bytes) -> Answer<Imported> {
    call.pairs.finish()?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    let lines = match &*media_type.trim().to_ascii_lowercase() {
        NDJSON => json_lines(&body),
        "text/csv" => csv_lines_of(&body)?,
        _ => {
            let detail = format!("expected `{NDJSON}` or `text/csv` as `Content-Type`");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "not_import_content", detail));
        }
    };
    let permit = call.permit.clone().ok_or_else(Problem::nothing)?;
    Ok(Json(store_messages(&call.tenant, permit, lines).await?))
}

/// The messages of a table. Whatever is wrong with a line refuses the whole table, before anything
/// of it is stored.
fn csv_lines_of(body: &[u8]) -> Result<Vec<Line>, Problem> {
    CsvReadings::new(body).and_then(Iterator::collect).map_err(|(line, what)| {
        let detail = format!("line {line}: {what}");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_body", detail)
    })
}
