//! Stored rows as messages of devices, and messages taken in again: what export and import have in
//! common, over REST or from files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use lastmeter_model::access::Permit;
use lastmeter_model::decide::is_same_content;
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_store::{Page, Range, Stretch};
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{self, AlertLevel, AlertMessage, MeasurementMessage};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::format::{self, Rules};
use crate::ingest::NO_DOOR;
use crate::port::{Arrival, NotDurable, Verdict};
use crate::problem::Problem;
use crate::tenant::Tenant;

/// Rows that are read at once.
pub(crate) const ROWS_AT_ONCE: u32 = 500;
/// Messages of an import that become durable together.
const TOGETHER_MAX: usize = 64;
/// Refusals of an import that are listed.
const LISTED_MAX: usize = 20;
/// The columns of readings as a table.
pub(crate) const CSV_HEAD: &str = "device,epoch,serial,time,quantity,unit,value,update_state";

/// A text as a field of CSV (RFC 4180).
pub(crate) fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A stored reading as the message of its device. It has the date by which it is stored, also
/// where the message had none.
pub(crate) fn message_of(row: &ReadingRow) -> MeasurementMessage {
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
pub(crate) fn alert_of(row: AlertRow) -> AlertMessage {
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

/// The lines of a reading under [`CSV_HEAD`], one for each value, each with this behind it.
pub(crate) fn csv_lines(row: &ReadingRow, behind: &str) -> String {
    let (epoch, serial) = row.number.unzip();
    let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    let head = format!("{},{},{}", csv_field(row.device.as_str()), number(epoch), number(serial));
    let line = |(name, value): &(Arc<str>, f64)| {
        let unit = MeasurementId::lookup(name).map_or("", |id| id.row().unit);
        format!("{head},{},{name},{unit},{value:?},{}{behind}\n", row.event, row.updates_state)
    };
    row.values.iter().map(line).collect()
}

/// What became of an import.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Imported {
    /// Messages that were stored.
    pub(crate) stored: u64,
    /// Messages that had been stored before, with the same content.
    pub(crate) repeated: u64,
    /// Messages that were refused; they are in `/api/v1/refusals`.
    pub(crate) refused: u64,
    /// The first of them.
    pub(crate) refusals: Vec<ImportRefusal>,
}

/// A message of an import that was refused.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ImportRefusal {
    /// From 1; of CSV the first line of the message.
    pub(crate) line: u64,
    pub(crate) reason: String,
    pub(crate) detail: String,
}

impl Imported {
    /// Why the first message was refused.
    pub(crate) fn first_refusal(&self) -> Option<(&str, &str)> {
        self.refusals.first().map(|refusal| (&*refusal.reason, &*refusal.detail))
    }
}

/// A message of an import, with the line on which it begins.
pub(crate) type Line = (u64, Bytes);

/// The lines of a body that are not empty.
pub(crate) fn json_lines(body: &Bytes) -> Vec<Line> {
    let lines = body.split(|byte| *byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    lines.map(|(line, at)| (at, body.slice_ref(line))).collect()
}

/// The readings of a table: lines of the same device, number and time in a row are one. It ends
/// with the first line that is wrong.
pub(crate) struct CsvReadings<R> {
    records: csv::StringRecordsIntoIter<R>,
    columns: Columns,
    last: Option<(u64, MeasurementMessage)>,
    is_over: bool,
}

/// Where the columns of a table are.
struct Columns {
    device: usize,
    time: usize,
    quantity: usize,
    value: usize,
    epoch: Option<usize>,
    serial: Option<usize>,
    state: Option<usize>,
}

/// A line of a table that is wrong, from 1, and what is.
type WrongLine = (u64, String);

impl Columns {
    fn of(head: &csv::StringRecord) -> Result<Self, WrongLine> {
        let place = |name: &str| head.iter().position(|column| column == name);
        let required = |name: &str| place(name).ok_or_else(|| (1, format!("no column `{name}`")));
        Ok(Self {
            device: required("device")?,
            time: required("time")?,
            quantity: required("quantity")?,
            value: required("value")?,
            epoch: place("epoch"),
            serial: place("serial"),
            state: place("update_state"),
        })
    }

    /// A value as a message of its own.
    fn message(&self, record: &csv::StringRecord) -> Result<MeasurementMessage, String> {
        let text = |at: usize| record.get(at).unwrap_or_default();
        let number = |at: Option<usize>| match at.map_or("", text) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| format!("number `{text}`")),
        };
        let (time, quantity, value) = (text(self.time), text(self.quantity), text(self.value));
        let device = HardwareId::new(text(self.device)).map_err(|error| error.to_string())?;
        let event: SimTime = time.parse().map_err(|_| format!("time `{time}`"))?;
        let id = MeasurementId::lookup(quantity).ok_or_else(|| format!("quantity `{quantity}`"))?;
        let value: f64 = value.parse().map_err(|_| format!("value `{value}`"))?;
        Ok(MeasurementMessage {
            update_state: self.state.is_some_and(|at| text(at) == "true"),
            event_date: Some(event),
            epoch: number(self.epoch)?.map(Epoch),
            serial: number(self.serial)?.map(Serial),
            ..MeasurementMessage::new(device, vec![(id, value)])
        })
    }
}

impl<R: std::io::Read> CsvReadings<R> {
    /// Of a table with a head.
    ///
    /// # Errors
    /// If a column is missing.
    pub(crate) fn new(table: R) -> Result<Self, WrongLine> {
        let mut reader = csv::Reader::from_reader(table);
        let head = reader.headers().map_err(|error| (1, error.to_string()))?;
        let columns = Columns::of(head)?;
        Ok(Self { records: reader.into_records(), columns, last: None, is_over: false })
    }

    /// The next value, with its line.
    fn value(&mut self) -> Option<Result<(u64, MeasurementMessage), WrongLine>> {
        let record = match self.records.next()? {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                return Some(Err((line, error.to_string())));
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let message = self.columns.message(&record).map_err(|what| (line, what));
        Some(message.map(|message| (line, message)))
    }
}

impl<R: std::io::Read> Iterator for CsvReadings<R> {
    type Item = Result<Line, WrongLine>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.value() {
                Some(Ok((line, message))) => match &mut self.last {
                    // A table has a line for each value, where a message has all of its values.
                    Some((_, last)) if is_of_reading(last, &message) => {
                        last.values.extend(message.values);
                    }
                    last => {
                        if let Some(done) = last.replace((line, message)) {
                            return Some(Ok(encoded(done)));
                        }
                    }
                },
                Some(Err(wrong)) => {
                    self.is_over = true;
                    return Some(Err(wrong));
                }
                None => self.is_over = true,
            }
        }
        self.last.take().map(|last| Ok(encoded(last)))
    }
}

fn encoded((line, message): (u64, MeasurementMessage)) -> Line {
    let mut bytes = Vec::new();
    flexmeter::encode_measurements(&message, &mut bytes);
    (line, bytes.into())
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

/// Takes messages through the ingest port; what is stored already is left out, which shows nothing
/// but what the sender has.
pub(crate) async fn store_messages(
    tenant: &Arc<Tenant>,
    permit: Permit,
    lines: Vec<Line>,
) -> Result<Imported, Problem> {
    let mut import = Import::new(tenant, permit, &lines).await?;
    for line in lines {
        import.take(line).await?;
    }
    import.finish().await
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
    done: Imported,
    /// Of the alerts of the import, those that are stored.
    alerts: BTreeSet<AlertKey>,
    /// What is on its way, by device and event time.
    sent: BTreeSet<(HardwareId, Option<SimTime>)>,
    under_way: JoinSet<(u64, Result<Verdict, NotDurable>)>,
}

impl Import {
    /// Of lines that are to be taken, each once, by who may send for every device.
    async fn new(tenant: &Arc<Tenant>, permit: Permit, lines: &[Line]) -> Result<Self, Problem> {
        let store = tenant.readers.whole(&permit).ok_or_else(Problem::nothing)?;
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
        let (done, sent, under_way) = (Imported::default(), BTreeSet::new(), JoinSet::new());
        let tenant = Arc::clone(tenant);
        Ok(Self { tenant, permit, done, alerts, sent, under_way })
    }

    /// Takes a line; what is stored already is left out.
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
                    self.done.refusals.push(ImportRefusal { line, reason, detail });
                    self.done.refusals.sort_by_key(|refusal| refusal.line);
                    self.done.refusals.truncate(LISTED_MAX);
                }
            }
        }
        self.tenant.barrier().await?;
        self.sent.clear();
        Ok(())
    }

    /// Returns when all of it is committed.
    async fn finish(mut self) -> Result<Imported, Problem> {
        self.settle().await?;
        Ok(self.done)
    }
}

/// A line as a message; what is none is for the port to refuse.
fn decoded(line: &[u8]) -> Option<Message> {
    format::first().decode(line, Rules::default()).ok()?.pop()
}
