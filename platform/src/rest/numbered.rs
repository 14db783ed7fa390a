//! Results of applications and blocks of samples, in the order of commit.

use std::pin::Pin;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lastmeter_model::access::{Action, Kind};
use lastmeter_model::row::{BlockRow, ResultRow};
use lastmeter_store::{PAGE_BYTES_MAX, StoreResult, Stretch};
use lastmeter_units::SimTime;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::extract::{Call, wrong_parameter};
use super::openapi::Instant;
use super::parameter::{EXAMPLE_DEVICE, Parameter};
use super::routes::{Gives, routes};
use super::{Answer, Problem, cursor};
use crate::format;
use crate::ops::{Cuts, Looked, devices};

const AFTER: Parameter = Parameter::text("after", "`next` of an earlier answer, or 0").example("0");
const LIMIT: Parameter = Parameter::whole("limit", "rows at most", 100, (1, 1000));
const KIND: Parameter = Parameter::text("kind", "only results of this kind").example("outage");
const SUBJECT: Parameter =
    Parameter::text("subject", "only results about this").example("outage-1");
const DEVICE: Parameter =
    Parameter::text("device", "only those of the device with this hardware id")
        .example(EXAMPLE_DEVICE);
const OF: Parameter = Parameter::text("device", "the recorder's hardware id").example("recorder-1");
const EPOCH: Parameter = Parameter::text("epoch", "which run of its counter").example("1");
const SERIAL: Parameter = Parameter::text("serial", "its number within the epoch").example("1");

/// Rows that one request looks at; it reads no more of them once their content is as long as that
/// of a page.
const LOOKED_AT_MAX: u64 = 10_000;
/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 1000;

routes! {
    "results" {
        Get "/api/v1/results" => results:
            "What applications conclude, in the order of commit; the last one of a kind and \
             subject holds",
            Within(Result, Read), [KIND, SUBJECT, DEVICE, AFTER, LIMIT],
            gives Gives::json::<RowsJson<ResultJson>>(200), refuses [500];
        Get "/api/v1/blocks" => blocks:
            "Blocks of samples of recorders, in the order of commit, without their samples",
            Within(Series, Read), [DEVICE, AFTER, LIMIT],
            gives Gives::json::<RowsJson<BlockJson>>(200), refuses [500];
        Get "/api/v1/blocks/{device}/{epoch}/{serial}" => block:
            "A block of samples as the recorder sent it",
            Within(Series, Read), [OF, EPOCH, SERIAL],
            gives Gives::text(format::BLOCK.content_type), refuses [500];
    }
}

/// Rows in the order of commit.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(super) struct RowsJson<T> {
    results: Vec<T>,
    /// Where the next page begins, also of rows that are still to come.
    next: String,
    /// Whether there is more behind them now.
    more: bool,
}

/// A result of an application.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Result")]
pub(super) struct ResultJson {
    /// The application's hardware id.
    device: String,
    epoch: Option<u64>,
    serial: Option<u64>,
    kind: String,
    subject: String,
    /// When what it speaks of begins.
    #[schemars(with = "Instant")]
    from: SimTime,
    /// When that ends; without it, it goes on.
    #[schemars(with = "Option<Instant>")]
    until: Option<SimTime>,
    #[schemars(with = "Instant")]
    received_time: SimTime,
    /// The conclusion, in the form of its kind.
    content: Map<String, Value>,
}

impl From<ResultRow> for ResultJson {
    fn from(row: ResultRow) -> Self {
        Self {
            device: row.device.to_string(),
            epoch: row.number.map(|(epoch, _)| epoch),
            serial: row.number.map(|(_, serial)| serial),
            kind: row.kind,
            subject: row.subject,
            from: row.from,
            until: row.until,
            received_time: row.received,
            content: serde_json::from_str(&row.content).unwrap_or_default(),
        }
    }
}

/// A block without its samples.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Block")]
pub(super) struct BlockJson {
    /// The recorder's hardware id.
    device: String,
    epoch: Option<u64>,
    serial: Option<u64>,
    /// When the first sample was taken.
    #[schemars(with = "Instant")]
    event_time: SimTime,
    #[schemars(with = "Instant")]
    received_time: SimTime,
    /// What its channels measure.
    channels: Vec<String>,
    /// Samples of each channel.
    samples: u64,
    /// Samples per second of each channel.
    sample_rate_hz: f64,
    /// Its length.
    bytes: u64,
}

impl From<BlockRow> for BlockJson {
    fn from(row: BlockRow) -> Self {
        Self {
            device: row.device.to_string(),
            epoch: row.number.map(|(epoch, _)| epoch),
            serial: row.number.map(|(_, serial)| serial),
            event_time: row.event,
            received_time: row.received,
            channels: row.channels,
            samples: row.samples,
            sample_rate_hz: row.rate_hz,
            bytes: row.content.len() as u64,
        }
    }
}

type Read<'a, R> = Pin<Box<dyn Future<Output = StoreResult<Looked<R>>> + Send + 'a>>;

/// A page of a list that goes up to `last`: of what `read` leaves, each with its sequence, what is
/// meant. Who may have everything may count it, too; for others positions are sealed.
async fn page<R, T: From<R>>(
    (mut call, mut cuts): (Call, Cuts),
    ((kind, last), is_meant): ((cursor::Kind, u64), impl Fn(&R) -> bool),
    read: impl Fn(&mut Cuts, Stretch) -> Read<'_, R>,
    sequence: fn(&R) -> u64,
) -> Answer<RowsJson<T>> {
    let is_whole = cuts.is_whole();
    let (given, limit) = (call.pairs.one(&AFTER)?, call.pairs.number(&LIMIT)? as usize);
    call.pairs.finish()?;
    let text = given.as_deref().unwrap_or("0");
    let plain = text.parse().ok().filter(|after| *after == 0 || is_whole);
    let wrong = || wrong_parameter(&AFTER, text, "`next` of an earlier answer, or 0");
    let mut after = plain.or_else(|| cursor::open(kind, text)).ok_or_else(wrong)?;
    let (mut results, mut looked_at, mut bytes) = (Vec::new(), 0, 0);
    while after < last
        && results.len() < limit
        && looked_at < LOOKED_AT_MAX
        && bytes < PAGE_BYTES_MAX
    {
        let found = read(&mut cuts, Stretch { after, limit: ROWS_AT_ONCE, last }).await?;
        looked_at += found.last.saturating_sub(after).max(1);
        bytes += found.bytes;
        after = if found.last > after { found.last } else { last };
        for row in found.rows.into_iter().filter(&is_meant) {
            if results.len() >= limit {
                after = after.min(sequence(&row) - 1);
                break;
            }
            results.push(T::from(row));
        }
    }
    let next = if is_whole { after.to_string() } else { cursor::seal_salted(kind, after) };
    Ok(Json(RowsJson { results, next, more: after < last }))
}

/// `GET /api/v1/results?kind=&subject=&device=&after=&limit=`
async fn results(mut call: Call) -> Answer<RowsJson<ResultJson>> {
    let [kind, subject, device] = [&KIND, &SUBJECT, &DEVICE].map(|one| call.pairs.one(one));
    let (kind, subject, device) = (kind?, subject?, device?);
    let is_one = |asked: &Option<String>, own: &str| asked.as_ref().is_none_or(|it| it == own);
    let is_meant = |row: &ResultRow| {
        is_one(&kind, &row.kind)
            && is_one(&subject, &row.subject)
            && is_one(&device, row.device.as_str())
    };
    let of = ((cursor::Kind::Results, call.tenant.progress.totals().results), is_meant);
    let cuts = Cuts::of(call.caller(), Kind::Result)?;
    page((call, cuts), of, |cuts, stretch| Box::pin(cuts.results(stretch)), |row| row.sequence)
        .await
}

/// `GET /api/v1/blocks?device=&after=&limit=`
async fn blocks(mut call: Call) -> Answer<RowsJson<BlockJson>> {
    let device = call.pairs.one(&DEVICE)?;
    let is_meant =
        |row: &BlockRow| device.as_ref().is_none_or(|device| row.device.as_str() == device);
    let of = ((cursor::Kind::Blocks, call.tenant.progress.totals().blocks), is_meant);
    let cuts = Cuts::of(call.caller(), Kind::Series)?;
    page((call, cuts), of, |cuts, stretch| Box::pin(cuts.blocks(stretch)), |row| row.sequence).await
}

/// `GET /api/v1/blocks/{device}/{epoch}/{serial}`
async fn block(call: Call) -> Result<Response, Problem> {
    let (row, _) = devices::find(&call.caller(), (Kind::Series, Action::Read), &call.variable)?;
    let (Ok(epoch), Ok(serial)) = (call.second.parse(), call.third.parse()) else {
        return Err(absent());
    };
    let mut cuts = Cuts::of(call.caller(), Kind::Series)?;
    let found = cuts.block(row.id, (epoch, serial)).await?.ok_or_else(absent)?;
    Ok(([(CONTENT_TYPE, format::BLOCK.content_type)], found.content).into_response())
}

fn absent() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_block", "the device has no block of this number")
}
