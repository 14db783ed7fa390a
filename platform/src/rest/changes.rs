//! The platform's own additions: reading back what was committed (readings, alerts) and refused, in
//! the order of commit and as it is committed, and driving the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::on;
use axum::{Extension, Json};
use lastmeter_model::access::{self, Action};
use lastmeter_model::message::{EPOCH, SERIAL};
use lastmeter_model::row::{AlertRow, ReadingRow, RefusalRow};
use lastmeter_store::{self as store, Stretch};
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::watch;

use super::extract::{Body, Pairs};
use super::openapi::Instant;
use super::parameter::Parameter;
use super::routes::{Access, Gives, Route, Verb, schema};
use super::serve::Stopping;
use super::{Answer, Api, Problem};
use crate::config::ClockSource;

const AFTER: Parameter =
    Parameter::whole("after", "`last` of an earlier answer", 0, (0, i64::MAX.unsigned_abs()));
const LIMIT: Parameter = Parameter::whole("limit", "rows at most", 1000, (1, 5000));
const WAIT_MS: Parameter =
    Parameter::whole("wait_ms", "how long to wait for a first row", 0, (0, 10_000));

/// The routes of this file.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Get,
        path: "/api/v1/readings",
        resource: "records",
        summary: "Readings, in the order of commit",
        access: Access::To(access::Kind::CommitOrder, Action::Read),
        parameters: &[&AFTER, &LIMIT, &WAIT_MS],
        takes: None,
        gives: Gives::json::<Rows<ReadingJson>>(200),
        refuses: &[500],
        run: |verb| on(verb, readings),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/refusals",
        resource: "records",
        summary: "Refused messages, in the order of commit",
        access: Access::To(access::Kind::CommitOrder, Action::Read),
        parameters: &[&AFTER, &LIMIT, &WAIT_MS],
        takes: None,
        gives: Gives::json::<Rows<RefusalJson>>(200),
        refuses: &[500],
        run: |verb| on(verb, refusals),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/alerts",
        resource: "records",
        summary: "Alerts, in the order of commit",
        access: Access::To(access::Kind::CommitOrder, Action::Read),
        parameters: &[&AFTER, &LIMIT, &WAIT_MS],
        takes: None,
        gives: Gives::json::<Rows<AlertJson>>(200),
        refuses: &[500],
        run: |verb| on(verb, alerts),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/clock",
        resource: "clock",
        summary: "The platform's time",
        access: Access::To(access::Kind::Clock, Action::Read),
        parameters: &[],
        takes: None,
        gives: Gives::json::<ClockJson>(200),
        refuses: &[],
        run: |verb| on(verb, clock),
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/clock/advance",
        resource: "clock",
        summary: "Advances a driven clock; answered when all that was acknowledged before is committed",
        access: Access::To(access::Kind::Clock, Action::Write),
        parameters: &[],
        takes: Some(schema::<AdvanceJson>),
        gives: Gives::json::<AdvancedJson>(200),
        refuses: &[409, 500],
        run: |verb| on(verb, advance),
    },
];

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

/// What is asked of a list in the order of commit.
struct Asked {
    after: i64,
    limit: u32,
    wait: Duration,
}

/// `after`, `limit` and `wait_ms`.
fn asked(mut pairs: Pairs) -> Result<Asked, Problem> {
    let after = pairs.number(&AFTER)?;
    let limit = pairs.number(&LIMIT)?;
    let wait_ms = pairs.number(&WAIT_MS)?;
    pairs.finish()?;
    let (after, limit) = (after.cast_signed(), limit as u32);
    Ok(Asked { after, limit, wait: Duration::from_millis(wait_ms) })
}

/// Returns once something after `asked.after` is committed, the time asked for is over, or the
/// server stops. Who waits holds a connection, so only so many may.
async fn wait(
    api: &Api,
    mut committed: watch::Receiver<u64>,
    asked: &Asked,
    mut stopping: Stopping,
) -> Result<(), Problem> {
    let is_news = |last: &u64| *last > asked.after.unsigned_abs();
    if asked.wait.is_zero() || is_news(&committed.borrow()) {
        return Ok(());
    }
    let Ok(_waiter) = api.shared.waiters.try_acquire() else {
        let detail = "as many requests wait with `wait_ms` as may at a time; ask without it";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_waiting", detail));
    };
    tokio::select! {
        // Whether there is news or the time is over shows when the store is read.
        _ = tokio::time::timeout(asked.wait, committed.wait_for(is_news)) => {}
        () = stopping.wait() => {}
    }
    Ok(())
}

/// Rows as they are answered.
fn page<R, T: From<R>>(found: store::Rows<R>, after: i64, key: fn(&R) -> u64) -> Rows<T> {
    let last = found.rows.last().map_or(after.unsigned_abs(), key);
    let results = found.rows.into_iter().map(T::from).collect();
    Rows { results, last, more: found.is_more }
}

/// `GET /api/v1/readings?after=&limit=&wait_ms=`
pub(super) async fn readings(
    api: Api,
    Extension(stopping): Extension<Stopping>,
    pairs: Pairs,
) -> Answer<Rows<ReadingJson>> {
    let asked = asked(pairs)?;
    let Asked { after, limit, .. } = asked;
    let progress = &api.tenant.progress;
    wait(&api, progress.readings(), &asked, stopping).await?;
    // A commit shows a moment before its instant is known; those readings come with the next call.
    let last = *progress.readings().borrow();
    let stretch = Stretch { after: after.unsigned_abs(), limit, last };
    let mut found = api.store()?.readings(stretch).await?;
    for row in &mut found.rows {
        row.commit = progress.committed_at(row.sequence).unwrap_or(row.commit);
    }
    Ok(Json(page(found, after, |row| row.sequence)))
}

/// `GET /api/v1/refusals?after=&limit=&wait_ms=`
pub(super) async fn refusals(
    api: Api,
    Extension(stopping): Extension<Stopping>,
    pairs: Pairs,
) -> Answer<Rows<RefusalJson>> {
    let asked = asked(pairs)?;
    let Asked { after, limit, .. } = asked;
    let progress = &api.tenant.progress;
    wait(&api, progress.refusals(), &asked, stopping).await?;
    let last = *progress.refusals().borrow();
    let stretch = Stretch { after: after.unsigned_abs(), limit, last };
    let found = api.store()?.refusals(stretch).await?;
    Ok(Json(page(found, after, |row| row.sequence)))
}

/// `GET /api/v1/alerts?after=&limit=&wait_ms=`
pub(super) async fn alerts(
    api: Api,
    Extension(stopping): Extension<Stopping>,
    pairs: Pairs,
) -> Answer<Rows<AlertJson>> {
    let asked = asked(pairs)?;
    let Asked { after, limit, .. } = asked;
    let progress = &api.tenant.progress;
    wait(&api, progress.alerts(), &asked, stopping).await?;
    let last = *progress.alerts().borrow();
    let stretch = Stretch { after: after.unsigned_abs(), limit, last };
    let found = api.store()?.alerts(stretch).await?;
    Ok(Json(page(found, after, |row| row.sequence)))
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
pub(super) async fn clock(api: Api, pairs: Pairs) -> Answer<ClockJson> {
    pairs.finish()?;
    let clock = &api.tenant.clock;
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
}

/// `POST /api/v1/clock/advance`: the barrier. Answers when all timers due by then have
/// fired and everything that was acknowledged before is committed.
pub(super) async fn advance(
    api: Api,
    pairs: Pairs,
    Body(asked): Body<AdvanceJson>,
) -> Answer<AdvancedJson> {
    pairs.finish()?;
    let advanced = api.tenant.advance(asked.to).await?;
    Ok(Json(AdvancedJson {
        now: advanced.now,
        committed: advanced.totals.readings,
        refused: advanced.totals.refusals,
        sent: advanced.sent,
    }))
}
