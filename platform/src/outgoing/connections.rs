//! Connections: sources outside that are read again and again into documents, which carry the
//! connection's name as their origin. What is somebody else's is never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use lastmeter_model::document::{Document, DocumentKind, Edit, Expect, Transaction};
use lastmeter_model::entity::{Asset, Body as _, Feed, FeedPoint};
use lastmeter_model::refusal::shortened;
use lastmeter_outgoing::{ClientTls, Source, SourceKind, SourceRow};
use lastmeter_store::lock;
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Value, json};

use super::{Outgoing, secret};
use crate::certificates;
use crate::commands::InvokeError;
use crate::config::{Becomes, ClockSource, ConnectionConfig};
use crate::error::PlatformError;

/// The member of a document's metadata that names where it is from.
const ORIGIN: &str = "origin";
/// Points that a feed has at most; of more the oldest are left out.
const POINTS_MAX: usize = 3000;

/// What is kept of why a source was not taken, bytes.
const FAILURE_BYTES_MAX: usize = 500;

/// A source, and what it becomes.
pub(crate) struct Connection {
    pub(crate) name: String,
    pub(crate) kind: &'static SourceKind,
    pub(crate) into: Becomes,
    every: SimDuration,
    columns: BTreeMap<String, String>,
    source: Source,
    pub(super) state: Mutex<State>,
}

/// How a connection stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// When it was read last, well or not.
    pub(crate) read: Option<SimTime>,
    /// Why that failed, or what was refused last.
    pub(crate) failure: Option<String>,
    /// Rows of the last reading.
    pub(crate) rows: u64,
    /// Documents that have changed by it, since the start.
    pub(crate) changed: u64,
    /// Readings that failed and rows that were refused, since the start.
    pub(crate) refused: u64,
}

/// What rows become.
#[derive(Default)]
struct Made {
    edits: Vec<Edit>,
    refused: u64,
    failure: Option<String>,
}

impl Made {
    fn refuse(&mut self, why: impl AsRef<str>) {
        self.refused += 1;
        // It may be the source's own words.
        self.failure.get_or_insert_with(|| shortened(why.as_ref(), FAILURE_BYTES_MAX));
    }
}

impl Connection {
    /// One of the settings.
    pub(super) fn new(config: &ConnectionConfig, tls: &ClientTls) -> Result<Self, PlatformError> {
        let read = |path: &Option<std::path::PathBuf>| path.as_deref().map(secret).transpose();
        let kind = config.source_kind()?;
        let own = config.authority.as_ref();
        let own = own.map(|pem| certificates::client("connection.authority", pem)).transpose();
        let own = own.map_err(|error| PlatformError::Tls(Box::new(error)))?;
        let source = Source {
            url: config.url.as_ref().map(|url| url.reveal().to_owned()),
            token: read(&config.token_file)?,
            rows: config.rows.clone(),
            file: config.file.clone(),
            query: config.query.clone(),
            password: read(&config.password_file)?,
            tls: own.or_else(|| (kind.name == "http-json").then(|| tls.clone())),
        };
        Ok(Self {
            name: config.name.clone(),
            kind,
            into: config.into.clone(),
            every: SimDuration::from_seconds(config.every_s.into()),
            columns: config.columns.clone(),
            source,
            state: Mutex::default(),
        })
    }

    /// How it stands.
    pub(crate) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    /// When it is read next.
    fn due(&self) -> Option<SimTime> {
        lock(&self.state).read.map(|read| read + self.every)
    }

    /// A part of a row, by its column.
    fn part<'a>(&self, row: &'a SourceRow, part: &str) -> Option<&'a str> {
        let column = self.columns.get(part).map_or(part, String::as_str);
        row.get(column).map(String::as_str)
    }

    fn is_own(&self, metadata: &BTreeMap<String, String>) -> bool {
        metadata.get(ORIGIN) == Some(&self.name)
    }
}

/// An instant as sources write it: RFC 3339, as PostgreSQL prints it, or seconds since 1970.
fn instant(text: &str) -> Option<SimTime> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(SimTime(seconds.checked_mul(1_000_000_000)?));
    }
    // `2027-01-18 17:00:00+00` is written without minutes of the offset, and with a space.
    let has_minutes = |sign: usize| text.len() > sign + 3;
    let sign = text.rfind(['+', '-']).filter(|sign| *sign > 10);
    let end = sign.filter(|sign| !has_minutes(*sign)).map_or("", |_| ":00");
    format!("{}{end}", text.replacen(' ', "T", 1)).parse().ok()
}

impl Outgoing {
    /// When the next source is read. On a driven clock that is once for each time it is moved.
    pub(super) fn next_reading(&self, until: SimTime) -> Option<SimTime> {
        let is_driven = self.core.clock.source == ClockSource::Driven;
        // What was not read yet is due whenever that is asked.
        let due = self.connections.iter().map(|one| one.due().unwrap_or(until));
        let due = due.min().filter(|at| *at <= until)?;
        Some(if is_driven { until } else { due })
    }

    /// Reads the sources that are due.
    pub(super) async fn read_sources(&self, at: SimTime) -> Result<(), InvokeError> {
        for connection in &self.connections {
            if connection.due().is_none_or(|due| due <= at) {
                self.read_into(connection, at).await?;
            }
        }
        Ok(())
    }

    /// Reads a source into documents.
    pub(super) async fn read_into(
        &self,
        connection: &Connection,
        at: SimTime,
    ) -> Result<(), InvokeError> {
        // However it ends, it is not due again at once.
        lock(&connection.state).read = Some(at);
        let found = (connection.kind.read)(&connection.source, &self.web).await;
        let (rows, mut made) = match found {
            Ok(rows) => (rows.len() as u64, self.made(connection, &rows)),
            Err(error) => {
                let mut made = Made::default();
                made.refuse(error.to_string());
                (0, made)
            }
        };
        let mut changed = made.edits.len() as u64;
        if changed > 0 {
            let _changing = self.core.changing.lock().await;
            let by = format!("connection:{}", connection.name);
            let edits = std::mem::take(&mut made.edits);
            let done = self.core.dispatcher.apply(Transaction::of(by, edits)).await?;
            // Then nothing of it was kept.
            if done.limit.is_some() || done.conflict.is_some() {
                changed = 0;
            }
            if let Some(limit) = done.limit {
                made.refuse(format!("the tenant is at its limit: {limit}"));
            }
            if done.conflict.is_some() {
                made.refuse("a document has changed meanwhile; it is read again");
            }
        }
        let mut state = lock(&connection.state);
        if let Some(why) = made.failure.as_ref().filter(|_| state.failure != made.failure) {
            tracing::warn!(connection = connection.name, why, "a source was not taken as a whole");
        }
        state.rows = rows;
        state.changed += changed;
        state.refused += made.refused;
        state.failure = made.failure;
        Ok(())
    }

    fn made(&self, connection: &Connection, rows: &[SourceRow]) -> Made {
        match &connection.into {
            Becomes::Feed { token, name, kind, quantity, unit, last_s } => {
                let head = json!({
                    "name": name, "kind": kind, "quantity": quantity, "unit": unit,
                    "metadata": { ORIGIN: connection.name },
                });
                self.feed(connection, rows, (token, head, *last_s))
            }
            Becomes::Assets { category } => {
                let mut made = Made::default();
                let mut seen = BTreeSet::new();
                for row in rows {
                    let (token, name) =
                        (connection.part(row, "token"), connection.part(row, "name"));
                    let (Some(token), Some(name)) = (token, name) else {
                        made.refuse("a row has no `token` or no `name`");
                        continue;
                    };
                    if !seen.insert(token) {
                        made.refuse(format!("two rows have the token `{token}`"));
                        continue;
                    }
                    let document = self.core.documents.find(Asset::kind(), token);
                    let known = self.core.documents.body::<Asset>(token);
                    if known.as_ref().is_some_and(|one| !connection.is_own(&one.metadata.0)) {
                        made.refuse(format!("the asset `{token}` is not of this connection"));
                    } else if known
                        .is_none_or(|one| one.name.as_str() != name || one.category != *category)
                    {
                        // What others have made of it since stays.
                        let mut body = document.as_ref().map_or_else(
                            || json!({ "metadata": { ORIGIN: connection.name } }),
                            |document| Value::Object(document.members()),
                        );
                        body["category"] = json!(category.word());
                        body["name"] = json!(name);
                        made.put(Asset::kind(), token, (document.as_deref(), body));
                    }
                }
                made
            }
        }
    }

    /// A feed with the points of rows in place of those that it had from the first of them on.
    fn feed(
        &self,
        connection: &Connection,
        rows: &[SourceRow],
        (token, mut body, last_s): (&str, Value, u32),
    ) -> Made {
        let mut made = Made::default();
        let document = self.core.documents.find(Feed::kind(), token);
        let known = self.core.documents.body::<Feed>(token);
        if known.as_ref().is_some_and(|one| !connection.is_own(&one.metadata.0)) {
            made.refuse(format!("the feed `{token}` is not of this connection"));
            return made;
        }
        let mut points: BTreeMap<SimTime, Option<f64>> = BTreeMap::new();
        for row in rows {
            let text = connection.part(row, "at").unwrap_or_default();
            let Some(at) = instant(text) else {
                made.refuse(format!("`at` is no instant: `{text}`"));
                continue;
            };
            match connection.part(row, "value").map(str::parse::<f64>) {
                None => drop(points.insert(at, None)),
                Some(Ok(value)) if value.is_finite() => drop(points.insert(at, Some(value))),
                Some(_) => made.refuse(format!("`value` of {at} is no number")),
            }
        }
        let Some((first, last)) = points.first_key_value().zip(points.last_key_value()) else {
            return made;
        };
        // The last one holds for so long, as far as there is time.
        let lasts = SimDuration::from_seconds(last_s.into());
        let (first, Some(until)) = (*first.0, last.0.0.checked_add(lasts.0).map(SimTime)) else {
            made.refuse(format!("`at` is too late: {}", last.0));
            return made;
        };
        let before = known.iter().flat_map(|one| &one.points).filter(|point| point.0 < first);
        let mut all: Vec<FeedPoint> = before.copied().collect();
        all.extend(points.into_iter().map(|(at, value)| FeedPoint(at, value)));
        all.drain(..all.len().saturating_sub(POINTS_MAX));
        let is_same = known.is_some_and(|one| one.points == all && one.valid_until == until);
        if !is_same && let Some(from) = all.first().map(|point| point.0) {
            body["validFrom"] = json!(from);
            body["validUntil"] = json!(until);
            body["points"] = json!(all);
            made.put(Feed::kind(), token, (document.as_deref(), body));
        }
        made
    }
}

impl Made {
    /// A document as it is from now on, in place of the one that there is, if it is one.
    fn put(
        &mut self,
        kind: &'static DocumentKind,
        token: &str,
        (before, body): (Option<&Document>, Value),
    ) {
        if let Err(error) = lastmeter_model::token::validate_token(token) {
            return self.refuse(format!("`{token}`: {error}"));
        }
        match (kind.check)(&body) {
            Ok(_) => {
                // One that was removed may come back.
                let expect =
                    before.map_or(Expect::Anything, |before| Expect::Version(before.version));
                let token = Some(token.to_owned());
                self.edits.push(Edit { kind, token, expect, body: Some(body) });
            }
            Err(error) => self.refuse(format!("`{token}`: {error}")),
        }
    }
}
