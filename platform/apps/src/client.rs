//! What every application does with the platform: requests under way, and its own results and
//! alerts, sent and read back.
//!
//! A result goes before its alert, and both are numbered: after a restart at most the alert of the
//! last result is missing. What cannot be read is read again, with all the rest, a while later.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lastmeter_units::{Epoch, HardwareId, Serial, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{
    AlertLevel, AlertMessage, ResultMessage, encode_alert, encode_result,
};
use lastmeter_wire::rest::{Answer, Method, Request};
use lastmeter_wire::topics;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::border::AppOutput;
use super::kind::AppContext;
use super::platform::{Page, body};

/// How long it waits before it reads again what it could not read.
const AGAIN: SimDuration = SimDuration::from_seconds(5);

/// A message by its epoch and serial: a later one has a greater number.
pub(crate) type Number = (u64, u64);

/// A number as alerts name it.
pub(crate) fn named((epoch, serial): Number) -> String {
    format!("{epoch}/{serial}")
}

/// A text as one segment or value of a path with query.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into memory does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// What an application has sent before.
#[derive(Debug)]
pub(crate) struct Past {
    /// Its results, in the order of commit.
    pub(crate) results: Vec<ResultRow>,
    /// The facts of its last alerts.
    pub(crate) alerts: Vec<BTreeMap<String, String>>,
}

/// A result of the application.
#[derive(Debug, Deserialize)]
pub(crate) struct ResultRow {
    epoch: Option<u64>,
    serial: Option<u64>,
    pub(crate) subject: String,
    pub(crate) content: Value,
}

impl ResultRow {
    pub(crate) fn number(&self) -> Number {
        (self.epoch.unwrap_or_default(), self.serial.unwrap_or_default())
    }
}

/// An alert of the application, without its number and date.
pub(crate) struct Notice {
    pub(crate) kind: &'static str,
    pub(crate) level: AlertLevel,
    /// For people.
    pub(crate) text: String,
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// What a request was for.
#[derive(Debug)]
enum Asked<T> {
    Results,
    Alerts,
    Other(T),
}

/// An application beside its platform; `T` is what it asks for.
#[derive(Debug)]
pub(crate) struct Client<T> {
    pub(crate) tenant: String,
    id: HardwareId,
    /// The kind of its results.
    kind: &'static str,
    last: u64,
    /// Requests that are not answered.
    open: BTreeMap<u64, Asked<T>>,
    /// Its results, as far as they are read; with its alerts once all of them are there.
    results: Vec<ResultRow>,
    past: Option<Past>,
    again: Option<SimTime>,
    trouble: Option<String>,
}

impl<T> Client<T> {
    /// Of an application whose results are of a kind; none if its name is no hardware id.
    pub(crate) fn new(context: &AppContext, kind: &'static str) -> Option<Self> {
        Some(Self {
            tenant: context.tenant.clone(),
            id: HardwareId::new(context.name.as_str()).ok()?,
            kind,
            last: 0,
            open: BTreeMap::new(),
            results: Vec::new(),
            past: None,
            again: None,
            trouble: None,
        })
    }

    /// Reads from a path.
    pub(crate) fn get(&mut self, what: T, path: String, out: &mut Vec<AppOutput>) {
        self.ask(Asked::Other(what), Method::Get, path, None, out);
    }

    /// Adds something, once under its key.
    pub(crate) fn post(
        &mut self,
        what: T,
        path: String,
        (body, key): (&Value, String),
        out: &mut Vec<AppOutput>,
    ) {
        self.ask(Asked::Other(what), Method::Post, path, Some((body.to_string(), key)), out);
    }

    fn ask(
        &mut self,
        what: Asked<T>,
        method: Method,
        path: String,
        body: Option<(String, String)>,
        out: &mut Vec<AppOutput>,
    ) {
        self.last += 1;
        self.open.insert(self.last, what);
        let (body, key) = body.unzip();
        out.push(AppOutput::Ask(Request { number: self.last, method, path, body, key }));
    }

    /// Nobody waits for the answers of the connection before.
    pub(crate) fn forget(&mut self) {
        self.open.clear();
        self.again = None;
    }

    /// Forgets what was asked for, and reads all that the application has sent.
    pub(crate) fn read_back(&mut self, out: &mut Vec<AppOutput>) {
        self.forget();
        self.results.clear();
        self.past = None;
        self.ask_results("0", out);
    }

    fn ask_results(&mut self, after: &str, out: &mut Vec<AppOutput>) {
        let (kind, device, after) = (self.kind, encoded(self.id.as_str()), encoded(after));
        let path = format!("/api/v1/results?kind={kind}&device={device}&after={after}");
        self.ask(Asked::Results, Method::Get, path, None, out);
    }

    /// Takes an answer: what was asked for, if it is not its own.
    pub(crate) fn answered(
        &mut self,
        now: SimTime,
        answer: &Answer,
        out: &mut Vec<AppOutput>,
    ) -> Option<T> {
        let is_read = match self.open.remove(&answer.number)? {
            Asked::Other(what) => return Some(what),
            Asked::Results => self.take_results(answer, out),
            Asked::Alerts => self.take_alerts(answer),
        };
        if is_read.is_none() {
            self.fail(now);
        }
        None
    }

    fn take_results(&mut self, answer: &Answer, out: &mut Vec<AppOutput>) -> Option<()> {
        let page: Page<ResultRow> = body(answer)?;
        self.results.extend(page.results);
        if page.more {
            self.ask_results(&page.next, out);
        } else {
            let path = format!("/sitewhere/api/devices/{}/assignment", encoded(self.id.as_str()));
            self.ask(Asked::Alerts, Method::Get, path, None, out);
        }
        Some(())
    }

    fn take_alerts(&mut self, answer: &Answer) -> Option<()> {
        if is_lasting(answer.status) {
            let id = &self.id;
            self.trouble = Some(format!(
                "`app:{id}` finds no device `{id}`, by which it would know after a restart what \
                 it has reported, expected it registered, and a grant of `read` on `device:{id}`"
            ));
        }
        let own: Value = body(answer)?;
        let alerts = own["state"]["latestAlerts"].as_array().into_iter().flatten();
        let alerts = alerts.filter_map(|it| Deserialize::deserialize(&it["metadata"]).ok());
        let results = std::mem::take(&mut self.results);
        self.past = Some(Past { results, alerts: alerts.collect() });
        self.trouble = None;
        Some(())
    }

    /// Whether all that the application has sent is there, and was not taken.
    pub(crate) fn has_past(&self) -> bool {
        self.past.is_some()
    }

    /// What the application has sent, once it is there.
    pub(crate) fn take_past(&mut self) -> Option<Past> {
        self.past.take()
    }

    /// Something could not be read.
    pub(crate) fn fail(&mut self, now: SimTime) {
        self.forget();
        self.again = Some(now + AGAIN);
    }

    /// When all is to be read again, because something could not be read.
    pub(crate) fn again(&self) -> Option<SimTime> {
        self.again
    }

    /// Why it cannot know what it has sent; for people.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Sends a result.
    pub(crate) fn conclude(
        &self,
        (epoch, serial): Number,
        subject: String,
        (from, until): (SimTime, Option<SimTime>),
        content: Map<String, Value>,
        out: &mut Vec<AppOutput>,
    ) {
        let message = ResultMessage {
            hardware_id: self.id.clone(),
            kind: self.kind.to_owned(),
            subject,
            from,
            until,
            content,
            epoch: Epoch(epoch),
            serial: Serial(serial),
        };
        let mut payload = Vec::new();
        encode_result(&message, &mut payload);
        let topic = topics::input_of(&self.tenant, Some(&self.id), "result");
        out.push(AppOutput::Publish { topic, payload });
    }

    /// Sends an alert.
    pub(crate) fn raise(
        &self,
        (epoch, serial): Number,
        at: Option<SimTime>,
        notice: Notice,
        out: &mut Vec<AppOutput>,
    ) {
        let facts = notice.facts.into_iter();
        let message = AlertMessage {
            hardware_id: self.id.clone(),
            alert_type: notice.kind.to_owned(),
            level: notice.level,
            message: notice.text,
            event_date: at,
            // By its own last alerts it knows after a restart which it has sent.
            update_state: true,
            epoch: Some(Epoch(epoch)),
            serial: Some(Serial(serial)),
            originator: None,
            metadata: facts.map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let mut payload = Vec::new();
        encode_alert(&message, &mut payload);
        out.push(AppOutput::Publish {
            topic: topics::device_input(&self.tenant, &self.id),
            payload,
        });
    }
}

/// Whether a request was refused for what it is: who has no time or is not there has refused
/// nothing.
pub(crate) fn is_lasting(status: u16) -> bool {
    matches!(status, 400..500) && status != 429
}
