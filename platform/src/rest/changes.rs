//! The platform's own additions: reading back what was committed (readings, alerts) and refused, in
//! the order of commit and as it is committed, and driving the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::{Extension, Json};
use lastmeter_model::message::{EPOCH, SERIAL};
use lastmeter_model::row::{AlertRow, ReadingRow, RefusalRow};
use lastmeter_store::{self as store, Progress, Stretch};
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::watch;

use super::extract::{Body, Call};
use super::openapi::Instant;
use super::parameter::Parameter;
use super::routes::{Gives, routes, schema};
use super::serve::Stopping;
use super::{Answer, Problem};
use crate::config::ClockSource;

const AFTER: Parameter =
    Parameter::whole("after", "`last` of an earlier answer", 0, (0, i64::MAX.unsigned_abs()));
const LIMIT: Parameter = Parameter::whole("limit", "rows at most", 1000, (1, 5000));
const WAIT_MS: Parameter =
    Parameter::whole("wait_ms", "how long to wait for a first row", 0, (0, 10_000));

routes! {
    "records" {
        Get "/api/v1/readings" => readings: "Readings, in the order of commit",
            To(CommitOrder, Read), [AFTER, LIMIT, WAIT_MS],
            gives Gives::json::<Rows<ReadingJson>>(200), refuses [500];
        Get "/api/v1/refusals" => refusals: "Refused messages, in the order of commit",
            To(CommitOrder, Read), [AFTER, LIMIT, WAIT_MS],
            gives Gives::json::<Rows<RefusalJson>>(200), refuses [500];
        Get "/api/v1/alerts" => alerts: "Alerts, in the order of commit",
            To(CommitOrder, Read), [AFTER, LIMIT, WAIT_MS],
            gives Gives::json::<Rows<AlertJson>>(200), refuses [500];
    }
    "clock" {
        Get "/api/v1/clock" => clock: "The platform's time",
            To(Clock, Read), [], gives Gives::json::<ClockJson>(200), refuses [];
        Post "/api/v1/clock/advance" => advance:
            "Advances a driven clock; answered when all that was acknowledged before is committed",
            To(Clock, Write), [], takes schema::<AdvanceJson>,
            gives Gives::json::<AdvancedJson>(200), refuses [409, 500];
    }
}

/// Rows in the order of their sequence.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RowsOf{T}")]
pub(super) struct Rows<T> {
    results: Vec<T>,
    /// The last sequence given, or what was asked for if there is nothing after it.
    last: u64,
    /// Whether there is more after it.
    more: bool,
}

/// A reading as `/api/v1/readings` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reading")]
pub(super) struct ReadingJson {
    sequence: u64,
    device: String,
    epoch: Option<u64>,
    serial: Option<u64>,
    #[schemars(with = "Instant")]
    event_time: SimTime,
    #[schemars(with = "Instant")]
    commit_time: SimTime,
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, f64>")]
    values: Vec<(Arc<str>, f64)>,
}

/// A refusal as `/api/v1/refusals` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Refusal")]
pub(super) struct RefusalJson {
    sequence: u64,
    reason: String,
    device: Option<String>,
    topic: String,
    detail: String,
    #[schemars(with = "Instant")]
    event_time: SimTime,
    /// The message itself, where it would be lost otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// How long that was, whether it was kept or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_bytes: Option<u64>,
}

/// An alert as `/api/v1/alerts` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Alert")]
pub(super) struct AlertJson {
    sequence: u64,
    device: String,
    #[serde(rename = "type")]
    kind: String,
    level: String,
    message: String,
    #[schemars(with = "Instant")]
    event_time: SimTime,
    /// Of a sender that numbers its alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    /// When it arrived. The store does not keep when it committed an alert.
    #[schemars(with = "Instant")]
    received_time: SimTime,
}

fn as_map<S: Serializer>(values: &[(Arc<str>, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(values.len()))?;
    for (name, value) in values {
        map.serialize_entry(&**name, value)?;
    }
    map.end()
}

impl From<ReadingRow> for ReadingJson {
    fn from(row: ReadingRow) -> Self {
        Self {
            sequence: row.sequence,
            device: row.device.to_string(),
            epoch: row.number.map(|(epoch, _)| epoch),
            serial: row.number.map(|(_, serial)| serial),
            event_time: row.event,
            commit_time: row.commit,
            values: row.values,
        }
    }
}

impl From<RefusalRow> for RefusalJson {
    fn from(row: RefusalRow) -> Self {
        Self {
            sequence: row.sequence,
            reason: row.reason,
            device: row.device,
            topic: row.topic,
            detail: row.detail,
            event_time: row.event,
            // What keeps its content could be read as JSON once, so it is UTF-8.
            content: row.content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            content_bytes: row.content_bytes,
        }
    }
}

impl From<AlertRow> for AlertJson {
    fn from(row: AlertRow) -> Self {
        let mut metadata = row.metadata;
        // A text that is no number was not written as one, and stays.
        let mut number = |key: &str| {
            let text = metadata.get(key)?;
            let number = text.parse().ok().filter(|number: &u64| number.to_string() == *text)?;
            metadata.remove(key);
            Some(number)
        };
        Self {
            epoch: number(EPOCH),
            serial: number(SERIAL),
            metadata,
            sequence: row.sequence,
            device: row.device.to_string(),
            kind: row.kind,
            level: row.level,
            message: row.message,
            event_time: row.event,
            received_time: row.received,
        }
    }
}

/// What is asked of a list in the order of commit, once something after it is committed, the time
/// asked for is over, or the server stops. Who waits holds a connection, so only so many may.
async fn asked(
    call: &mut Call,
    mut stopping: Stopping,
    committed: impl Fn(&Progress) -> watch::Receiver<u64>,
) -> Result<Stretch, Problem> {
    let (after, limit) = (call.pairs.number(&AFTER)?, call.pairs.number(&LIMIT)? as u32);
    let wait = Duration::from_millis(call.pairs.number(&WAIT_MS)?);
    call.pairs.finish()?;
    let mut news = committed(&call.tenant.progress);
    let is_news = |last: &u64| *last > after;
    if !wait.is_zero() && !is_news(&news.borrow()) {
        let Ok(_waiter) = call.shared.waiters.try_acquire() else {
            let detail = "as many requests wait with `wait_ms` as may at a time; ask without it";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_waiting", detail));
        };
        tokio::select! {
            // Whether there is news or the time is over shows when the store is read.
            _ = tokio::time::timeout(wait, news.wait_for(is_news)) => {}
            () = stopping.wait() => {}
        }
    }
    let last = *news.borrow();
    Ok(Stretch { after, limit, last })
}

/// Rows as they are answered.
fn page<R, T: From<R>>(found: store::Rows<R>, asked: Stretch, key: fn(&R) -> u64) -> Json<Rows<T>> {
    let last = found.rows.last().map_or(asked.after, key);
    let results = found.rows.into_iter().map(T::from).collect();
    Json(Rows { results, last, more: found.is_more })
}

/// `GET /api/v1/readings?after=&limit=&wait_ms=`
async fn readings(
    mut call: Call,
    Extension(stopping): Extension<Stopping>,
) -> Answer<Rows<ReadingJson>> {
    // A commit shows a moment before its instant is known; those readings come with the next call.
    let asked = asked(&mut call, stopping, Progress::readings).await?;
    let mut found = call.store()?.readings(asked).await?;
    for row in &mut found.rows {
        row.commit = call.tenant.progress.committed_at(row.sequence).unwrap_or(row.commit);
    }
    Ok(page(found, asked, |row| row.sequence))
}

/// `GET /api/v1/refusals?after=&limit=&wait_ms=`
async fn refusals(
    mut call: Call,
    Extension(stopping): Extension<Stopping>,
) -> Answer<Rows<RefusalJson>> {
    let asked = asked(&mut call, stopping, Progress::refusals).await?;
    Ok(page(call.store()?.refusals(asked).await?, asked, |row| row.sequence))
}

/// `GET /api/v1/alerts?after=&limit=&wait_ms=`
async fn alerts(
    mut call: Call,
    Extension(stopping): Extension<Stopping>,
) -> Answer<Rows<AlertJson>> {
    let asked = asked(&mut call, stopping, Progress::alerts).await?;
    Ok(page(call.store()?.alerts(asked).await?, asked, |row| row.sequence))
}

/// The clock as `/api/v1/clock` shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Clock")]
pub(super) struct ClockJson {
    #[schemars(with = "Instant")]
    now: SimTime,
    driven: bool,
}

/// `GET /api/v1/clock`
async fn clock(call: Call) -> Answer<ClockJson> {
    let clock = &call.tenant.clock;
    Ok(Json(ClockJson { now: clock.now(), driven: clock.source == ClockSource::Driven }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Advance", extend("examples" = [{ "to": "2027-01-18T17:01:00Z" }]))]
pub(super) struct AdvanceJson {
    #[schemars(with = "Instant")]
    to: SimTime,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Advanced")]
pub(super) struct AdvancedJson {
    #[schemars(with = "Instant")]
    now: SimTime,
    /// Readings committed so far, which is also the last commit sequence.
    committed: u64,
    /// Refusals recorded so far, which is also the last refusal's sequence.
    refused: u64,
    /// Messages sent to each device since the previous advance.
    sent: BTreeMap<String, u64>,
    /// Live values published to connections of each principal since the previous advance, by
    /// `app:NAME` and the like.
    parties: BTreeMap<String, u64>,
}

/// `POST /api/v1/clock/advance`: the barrier. Answers when all timers due by then have
/// fired and everything that was acknowledged before is committed.
async fn advance(call: Call, Body(asked): Body<AdvanceJson>) -> Answer<AdvancedJson> {
    let advanced = call.tenant.advance(asked.to).await?;
    Ok(Json(AdvancedJson {
        now: advanced.now,
        committed: advanced.totals.readings,
        refused: advanced.totals.refusals,
        sent: advanced.sent,
        parties: advanced.parties,
    }))
}
