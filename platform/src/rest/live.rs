//! Live values over server-sent events (HTML, 9.2): what is committed from now on, or from where an
//! earlier stream ended.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use lastmeter_model::access;
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_units::{HardwareId, MeasurementId};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Problem;
use super::assignments::{VOLTAGE, listed_ids};
use super::cursor::{self, Kind};
use super::extract::{Call, Pairs, wrong_parameter};
use super::flow::{Outlet, flow};
use super::parameter::{EXAMPLE_DEVICE, Parameter};
use super::routes::{Gives, routes};
use super::serve::Stopping;
use crate::identity::{Visitor, is_current};
use crate::live::{self as shown, Position};
use crate::ops::Cuts;
use crate::ops::live::{Event, Subscription};

/// Between two signs of life of a stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client may leave all that waits for it untaken.
const UNTAKEN: Duration = Duration::from_secs(5);

const DEVICES: Parameter =
    Parameter::texts("devices", "hardware ids of devices; without it all").example(EXAMPLE_DEVICE);
const QUANTITIES: Parameter =
    Parameter::texts("quantities", "the quantities of readings; without it all").example(VOLTAGE);

routes! {
    "series" {
        Get "/api/v1/live" => live:
            "Readings and alerts as they are committed: events `reading`, `alert`, `gap`; \
             `Last-Event-ID` goes on where a stream ended",
            Within(Live, Read), [DEVICES, QUANTITIES],
            gives Gives::text("text/event-stream"), refuses [];
    }
}

/// What a stream shows.
struct Filter {
    devices: Vec<HardwareId>,
    quantities: Vec<MeasurementId>,
}

impl Filter {
    fn of(pairs: &mut Pairs) -> Result<Self, Problem> {
        let texts = pairs.all(&DEVICES);
        let ids = texts.iter().flat_map(|text| text.split(',')).filter(|id| !id.is_empty());
        let id = |id: &str| {
            HardwareId::new(id)
                .map_err(|error| wrong_parameter(&DEVICES, id, &format!("hardware ids: {error}")))
        };
        let devices = ids.map(id).collect::<Result<_, _>>()?;
        let quantities = listed_ids(&pairs.all(&QUANTITIES))?;
        Ok(Self { devices, quantities })
    }

    fn has(&self, device: &HardwareId) -> bool {
        self.devices.is_empty() || self.devices.contains(device)
    }

    fn reading(&self, row: &ReadingRow) -> Option<Value> {
        let is_asked = |name: &str| {
            self.quantities.is_empty() || self.quantities.iter().any(|id| id.name() == name)
        };
        self.has(&row.device).then(|| shown::reading_json(row, is_asked))?
    }

    fn alert(&self, row: &AlertRow) -> Option<Value> {
        self.has(&row.device).then(|| shown::alert_json(row))
    }
}

/// A position as `Last-Event-ID` has it.
fn text_of(position: Position, is_whole: bool) -> String {
    let seal = if is_whole { cursor::seal } else { cursor::seal_salted };
    let (readings, alerts) = (position.readings, position.alerts);
    format!("{}.{}", seal(Kind::Readings, readings), seal(Kind::Alerts, alerts))
}

fn position_of(text: &str) -> Option<Position> {
    let (readings, alerts) = text.split_once('.')?;
    let readings = cursor::open(Kind::Readings, readings)?;
    Some(Position { readings, alerts: cursor::open(Kind::Alerts, alerts)? })
}

/// `GET /api/v1/live`
async fn live(
    mut call: Call,
    Extension(stopping): Extension<Stopping>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = Filter::of(&mut call.pairs)?;
    call.pairs.finish()?;
    let asked = headers.get("Last-Event-ID").map(|id| id.to_str().ok().and_then(position_of));
    let cuts = Cuts::of(call.caller(), access::Kind::Live)?;
    let Some(subscription) = Subscription::begin(cuts, asked.flatten()) else {
        let detail = "the tenant, or you, have as many live streams as may be at a time";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail));
    };
    // What was committed between an unknown position and now is not in the stream.
    let is_lost = asked == Some(None);
    let (outlet, body) = flow();
    let tenants = Arc::clone(&call.shared.tenants);
    let still = move || is_current(&tenants.access, &visitor);
    tokio::spawn(stream(subscription, (filter, still), is_lost, outlet, stopping));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// An event; the position is behind it.
fn put(out: &mut String, name: &str, id: &str, data: &Value) {
    // Writing to a text cannot fail. JSON has no line breaks.
    let _ = write!(out, "event: {name}\nid: {id}\ndata: {data}\n\n");
}

fn gap(id: &str, why: &str) -> String {
    let mut out = String::new();
    put(&mut out, "gap", id, &json!({ "reason": why }));
    out
}

/// A sign of life, which moves the client's position and is no event to it.
fn heartbeat(id: &str) -> String {
    format!(": heartbeat\nid: {id}\n\n")
}

async fn stream(
    mut subscription: Subscription,
    (filter, is_still_let_in): (Filter, impl Fn() -> bool),
    is_lost: bool,
    outlet: Outlet,
    mut stopping: Stopping,
) {
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut position = subscription.position();
    let is_whole = subscription.is_whole();
    let id = |position: Position| text_of(position, is_whole);
    if is_lost && outlet.write(gap(&id(position), "unknown_position")).await.is_err() {
        return;
    }
    loop {
        let texts = tokio::select! {
            events = subscription.next() => match events {
                Ok(Some(events)) => written(&filter, position, events, id),
                Ok(None) => return,
                Err(_) => return outlet.end_with(gap(&id(position), "store_unavailable")),
            },
            _ = beats.tick() => vec![(position, heartbeat(&id(position)))],
            () = outlet.closed() => return,
            () = stopping.wait() => return,
        };
        if !is_still_let_in() {
            return;
        }
        for (behind, text) in texts {
            match timeout(UNTAKEN, outlet.write(text)).await {
                Ok(Ok(())) => position = behind,
                Ok(Err(_)) => return,
                Err(_) => return outlet.end_with(gap(&id(position), "too_slow")),
            }
        }
        position = subscription.position();
    }
}

/// Events as they are sent, each with the position behind it.
fn written(
    filter: &Filter,
    before: Position,
    events: Vec<Event>,
    id: impl Fn(Position) -> String,
) -> Vec<(Position, String)> {
    let mut position = before;
    let one = |event| {
        match &event {
            Event::Reading(row) => position.readings = row.sequence,
            Event::Alert(row) => position.alerts = row.sequence,
            Event::DamagedReading => position.readings += 1,
            Event::DamagedAlert => position.alerts += 1,
        }
        let (name, data) = match &event {
            Event::Reading(row) => ("reading", filter.reading(row)?),
            Event::Alert(row) => ("alert", filter.alert(row)?),
            Event::DamagedReading | Event::DamagedAlert => ("gap", json!({ "reason": "damaged" })),
        };
        let mut text = String::new();
        put(&mut text, name, &id(position), &data);
        Some((position, text))
    };
    events.into_iter().filter_map(one).collect()
}
