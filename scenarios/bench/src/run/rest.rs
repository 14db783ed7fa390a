//! What the bench asks of a platform's REST interface, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_link::http::{Client, HttpError};
use lastmeter_units::SimTime;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::alarm::Alarm;
use super::alerts::{Alert, AlertsPage, AlertsRead};
use super::commands::Ending;
use super::error::{BenchError, chain};
use super::field_networks::NodeNames;
use super::ledger::StoredReading;
use super::results::StoredResult;
use super::run_platform::Profile;

/// Readings, refusals or alerts asked for at once.
const PAGE: u32 = 1000;

/// How long one call may take; an advance waits for the commit of everything before it.
const CALL_LIMIT: Duration = Duration::from_mins(1);

/// How long to wait before asking again where the platform answers with an error of its own.
const RETRY_PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_secs(1)];

/// How often a command's state is asked for in real time; its latency is coarser by so much.
const COMMAND_POLL_NS: i64 = 2_000_000;

/// The platform's REST interface as the bench uses it.
pub(crate) struct Rest {
    client: Client,
    url: String,
    /// What the names of its tenant's devices, and of what becomes of them, begin with.
    pub(crate) prefix: String,
    /// The names of the scenario for those that have others at the platform.
    pub(crate) nodes: NodeNames,
    readings_after: u64,
    refusals_after: u64,
    alerts: AlertsPage,
    /// Where the next page of results begins; `None` before the first, and where there are none.
    results: Option<String>,
    /// How far the list of blocks of samples has been read.
    pub(super) blocks_after: String,
    /// Readings, refusals and alerts that could not be read, in words, since these were taken out.
    wrong: Vec<String>,
}

/// What `clock/advance` answers: the barrier has been reached.
#[derive(Debug, Deserialize)]
pub(crate) struct Advanced {
    /// Messages sent to each device since the previous advance.
    pub(crate) sent: BTreeMap<String, u64>,
    /// Live values that went to each party since then.
    #[serde(default)]
    pub(crate) parties: BTreeMap<String, u64>,
}

/// One page of a read-back.
#[derive(Debug, Deserialize)]
struct Page<T> {
    results: Vec<T>,
    last: u64,
    more: bool,
}

/// Something the platform refused. The order is that of content: when it happened, whose it is,
/// why it was refused.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct RefusedMessage {
    pub(crate) event_time: Option<SimTime>,
    pub(crate) device: Option<String>,
    pub(crate) reason: String,
    pub(crate) topic: Option<String>,
    pub(crate) detail: Option<String>,
}

/// The state of a command that was invoked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invocation {
    pub(crate) id: String,
    /// SiteWhere's word for how far it is.
    #[serde(default)]
    status: String,
    /// Our word for it, where the platform has one.
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    pub(crate) response: Option<String>,
    #[serde(default)]
    pub(crate) device_hardware_id: Option<String>,
    #[serde(default)]
    pub(crate) command_token: Option<String>,
    #[serde(default)]
    pub(crate) parameter_values: Option<BTreeMap<String, String>>,
    /// When its device answered, as that dates it.
    #[serde(default)]
    pub(crate) ended_date: Option<SimTime>,
    /// By which id it was asked for.
    #[serde(skip)]
    pub(crate) asked_for: String,
}

impl Invocation {
    /// How it ended, by our word or SiteWhere's; `None` while it may get any further.
    pub(crate) fn ending(&self) -> Option<Ending> {
        match self.state.as_deref().unwrap_or(&self.status) {
            "Acknowledged" => Some(Ending::Acknowledged),
            "Responded" if self.state.is_none() => Some(Ending::Acknowledged),
            "Failed" => Some(Ending::Failed),
            "Expired" => Some(Ending::Expired),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Assignment {
    token: String,
}

impl Rest {
    pub(crate) fn new(profile: &Profile, prefix: String) -> Result<Self, BenchError> {
        let client = profile
            .rest_client()
            .map_err(|error| BenchError::Rest(chain(&error)))?
            .with_time_limit(CALL_LIMIT);
        Ok(Self {
            client,
            url: profile.rest.clone(),
            prefix,
            nodes: NodeNames::new(),
            readings_after: 0,
            refusals_after: 0,
            alerts: AlertsPage::Listed { after: 0 },
            results: None,
            blocks_after: "0".to_owned(),
            wrong: Vec::new(),
        })
    }

    /// Refuses a platform that already holds something: it would mix with this run's.
    pub(crate) async fn require_empty(&mut self) -> Result<(), BenchError> {
        for what in ["readings", "refusals", "alerts"] {
            let path = format!("/api/v1/{what}?after=0&limit=1");
            if what == "alerts" && self.is_absent(&path).await.map_err(set_up)? {
                self.alerts = AlertsPage::Absent { is_noted: false };
                continue;
            }
            let page: Page<Value> = self.get(&path).await.map_err(set_up)?;
            if !page.results.is_empty() {
                return Err(BenchError::Rest(format!(
                    "{}: it already holds {what}, which would mix with the run's; give it a \
                     platform with an empty data folder",
                    self.url
                )));
            }
        }
        Ok(())
    }

    /// Advances the platform's clock; returns when everything before has been committed.
    pub(crate) async fn advance(&mut self, to: SimTime) -> Result<Advanced, BenchError> {
        let answer = self.client.post_json("/api/v1/clock/advance", &json!({ "to": to })).await;
        let Advanced { sent, parties } = answer.map_err(|error| self.broken(&error))?;
        let named = |(name, count)| (self.named(name), count);
        let parties = parties.into_iter().map(named).collect();
        Ok(Advanced { sent: sent.into_iter().map(named).collect(), parties })
    }

    /// The bench's name for something of its tenant.
    pub(super) fn named(&self, name: String) -> String {
        if let Some(node) = self.nodes.get(&name) {
            return node.clone();
        }
        if self.prefix.is_empty() { name } else { format!("{}{name}", self.prefix) }
    }

    /// The tenant's own name for something that the bench names.
    fn own<'a>(&'a self, name: &'a str) -> &'a str {
        if let Some((own, _)) = self.nodes.iter().find(|(_, node)| *node == name) {
            return own;
        }
        name.strip_prefix(self.prefix.as_str()).unwrap_or(name)
    }

    /// What asks for a node, and the platform's own name for it.
    pub(crate) fn node<'a>(&'a self, name: &'a str) -> (&'a Client, String) {
        (&self.client, self.own(name).to_owned())
    }

    /// The next page of readings committed since the last call; waits so long for one to come if
    /// there is none and the platform knows how to.
    pub(crate) async fn readings_once(
        &mut self,
        wait: Duration,
    ) -> Result<Vec<StoredReading>, BenchError> {
        let wait = format!("&wait_ms={}", wait.as_millis());
        let page: Page<StoredReading> = self.page("readings", self.readings_after, &wait).await?;
        self.readings_after = page.last;
        Ok(self.all_named(page.results, |reading| Some(&mut reading.device)))
    }

    /// The readings committed since the last call.
    pub(crate) async fn readings(&mut self) -> Result<Vec<StoredReading>, BenchError> {
        let (all, last) = self.pages("readings", self.readings_after).await?;
        self.readings_after = last;
        Ok(self.all_named(all, |reading| Some(&mut reading.device)))
    }

    /// What was read, by the bench's names for its devices.
    fn all_named<T>(&self, mut all: Vec<T>, device: fn(&mut T) -> Option<&mut String>) -> Vec<T> {
        for name in all.iter_mut().filter_map(device) {
            *name = self.named(std::mem::take(name));
        }
        all
    }

    /// Why the platform takes no messages or does not commit them, if it states it.
    pub(crate) async fn trouble(&mut self) -> Option<String> {
        match self.client.get_text("/readyz").await {
            Err(HttpError::Status { status, detail, .. }) if status.as_u16() == 503 => Some(detail),
            _ => None,
        }
    }

    /// What has arrived at the platform and is not committed yet; `None` if it does not report it.
    pub(crate) async fn in_flight_bytes(&mut self) -> Result<Option<u64>, BenchError> {
        let text = match self.client.get_text("/metrics").await {
            Ok(text) => text,
            Err(error @ (HttpError::Connection { .. } | HttpError::TimeLimit { .. })) => {
                return Err(self.broken(&error));
            }
            // Somebody else's platform need not have such a page.
            Err(_) => return Ok(None),
        };
        // The first tenant's comes first, without a label; another sees its own alone, with one.
        let own = |line: &&str| line.starts_with("lastmeter_in_flight_bytes");
        let found = text.lines().find(own).and_then(|line| line.split_whitespace().next_back());
        Ok(found.and_then(|figure| figure.parse().ok()))
    }

    /// The refusals recorded since the last call.
    pub(crate) async fn refusals(&mut self) -> Result<Vec<RefusedMessage>, BenchError> {
        let (all, last): (Vec<RefusedMessage>, u64) =
            self.pages("refusals", self.refusals_after).await?;
        self.refusals_after = last;
        let mut all = self.all_named(all, |refused| refused.device.as_mut());
        // In which order several devices' refusals arrived is chance.
        all.sort();
        Ok(all)
    }

    /// The alerts stored since the last call, whoever sent them.
    pub(crate) async fn alerts(&mut self) -> Result<AlertsRead, BenchError> {
        let after = match &mut self.alerts {
            AlertsPage::Listed { after } => *after,
            AlertsPage::Absent { is_noted } => {
                let is_news = !std::mem::replace(is_noted, true);
                return Ok(AlertsRead { alerts: Vec::new(), is_newly_absent: is_news });
            }
        };
        let (all, last): (Vec<Alert>, u64) = self.pages("alerts", after).await?;
        self.alerts = AlertsPage::Listed { after: last };
        let mut all = self.all_named(all, |alert| Some(&mut alert.device));
        // In which order several devices' alerts arrived is chance.
        all.sort();
        Ok(AlertsRead { alerts: all, is_newly_absent: false })
    }

    /// Whether a platform has no such path.
    async fn is_absent(&mut self, path: &str) -> Result<bool, BenchError> {
        match self.ask(path).await {
            Ok(_) => Ok(false),
            Err(error) if has_no_such_path(&error) => Ok(true),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Invokes a command on a device through its assignment.
    pub(crate) async fn invoke(
        &mut self,
        device: &str,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Invocation, BenchError> {
        let path = format!("/sitewhere/api/devices/{}/assignment", self.own(device));
        let assignment = self.client.get_json(&path).await;
        let assignment: Assignment = assignment.map_err(|error| self.refused_or_broken(&error))?;
        let path = format!("/sitewhere/api/assignments/{}/invocations", assignment.token);
        let body = json!({
            "initiator": "REST",
            "initiatorId": "bench",
            "target": "Assignment",
            "commandToken": command,
            "parameterValues": parameters,
        });
        let invoked = self.client.post_json(&path, &body).await;
        let invoked = invoked.map_err(|error| self.refused_or_broken(&error))?;
        let invoked = self.invocation_named(invoked);
        Ok(Invocation { asked_for: invoked.id.clone(), ..invoked })
    }

    fn invocation_named(&self, found: Invocation) -> Invocation {
        let device = found.device_hardware_id.map(|device| self.named(device));
        Invocation { id: self.named(found.id), device_hardware_id: device, ..found }
    }

    /// An answer that refuses what was asked is another thing than no answer, or none that makes
    /// sense.
    fn refused_or_broken(&self, error: &HttpError) -> BenchError {
        match error {
            // The path has the assignment's token, which is another in each run.
            HttpError::Status { status, detail, .. }
                if matches!(status.as_u16(), 400 | 404 | 409 | 422) =>
            {
                BenchError::Refused(format!("{status}: {detail}"))
            }
            _ => self.broken(error),
        }
    }

    /// The present state of an invoked command.
    pub(crate) async fn invocation(&mut self, id: &str) -> Result<Invocation, BenchError> {
        let found = self.get(&format!("/sitewhere/api/invocations/{}", self.own(id))).await?;
        Ok(Invocation { asked_for: id.to_owned(), ..self.invocation_named(found) })
    }

    /// Invokes a command and asks until its state is final.
    pub(crate) async fn carry_through(
        &mut self,
        device: &str,
        command: &str,
        parameters: &BTreeMap<String, String>,
        alarm: &Alarm,
    ) -> Result<(Ending, Invocation), BenchError> {
        let invocation = self.invoke(device, command, parameters).await?;
        self.follow(invocation, alarm).await
    }

    /// Asks for a command that was given until its state is final.
    pub(crate) async fn follow(
        &mut self,
        mut invocation: Invocation,
        alarm: &Alarm,
    ) -> Result<(Ending, Invocation), BenchError> {
        loop {
            if let Some(ending) = invocation.ending() {
                return Ok((ending, invocation));
            }
            alarm.until(monotonic_ns() + COMMAND_POLL_NS).await;
            invocation = self.invocation(&invocation.asked_for).await?;
        }
    }

    /// The results of applications stored since the last call.
    pub(crate) async fn results(&mut self) -> Result<Vec<StoredResult>, BenchError> {
        #[derive(Deserialize)]
        struct Rows {
            results: Vec<StoredResult>,
            next: String,
            more: bool,
        }
        let mut all = Vec::new();
        loop {
            let after = self.results.as_ref().map(|after| format!("&after={after}"));
            let path = format!("/api/v1/results?limit={PAGE}{}", after.unwrap_or_default());
            let Rows { results, next, more } = self.get(&path).await?;
            all.extend(results);
            self.results = Some(next);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Takes out what could not be read of pages that were otherwise in order.
    pub(crate) fn take_wrong(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }

    /// All pages of a read-back after a row, and the last row of them. It counts as read only then:
    /// a page that could not be read would take those before it along.
    async fn pages<T: DeserializeOwned>(
        &mut self,
        what: &str,
        mut after: u64,
    ) -> Result<(Vec<T>, u64), BenchError> {
        let mut all = Vec::new();
        loop {
            let page: Page<T> = self.page(what, after, "").await?;
            all.extend(page.results);
            after = page.last;
            if !page.more {
                return Ok((all, after));
            }
        }
    }

    /// The page of a read-back after a row. What cannot be read in it is left out and kept in
    /// words, so that one bad value does not take the others along.
    async fn page<T: DeserializeOwned>(
        &mut self,
        what: &str,
        after: u64,
        more: &str,
    ) -> Result<Page<T>, BenchError> {
        let path = format!("/api/v1/{what}?after={after}&limit={PAGE}{more}");
        let text = self.get_text(&path).await?;
        let page = if let Ok(page) = serde_json::from_str(&text) {
            page
        } else {
            let all: Page<Value> = serde_json::from_str(&text)
                .map_err(|error| BenchError::WrongAnswer(format!("{what}: {error}")))?;
            let mut results = Vec::new();
            for value in all.results {
                match T::deserialize(&value) {
                    Ok(result) => results.push(result),
                    Err(error) => self.wrong.push(misread(what, &value, &error)),
                }
            }
            Page { results, last: all.last, more: all.more }
        };
        let Page { last, more, .. } = page;
        // A platform that goes back, or promises more without going on, would be asked for ever.
        if last < after || (more && last == after) {
            return Err(BenchError::WrongAnswer(format!(
                "after {what} {after} it answered up to {last}, with more to come: {more}"
            )));
        }
        Ok(page)
    }

    /// Status and body of an answer that need not be text.
    pub(super) async fn bytes(&mut self, path: &str) -> Result<(u16, Bytes), BenchError> {
        self.client.ask("GET", path, None, None).await.map_err(|error| self.broken(&error))
    }

    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, BenchError> {
        let text = self.get_text(path).await?;
        serde_json::from_str(&text)
            .map_err(|error| BenchError::WrongAnswer(format!("{path}: {error}")))
    }

    /// Asks, and asks again where the platform answers with an error of its own: it may be busy, or
    /// starting.
    #[expect(clippy::disallowed_methods, reason = "a busy platform reports no event to wait for")]
    async fn ask(&mut self, path: &str) -> Result<String, HttpError> {
        let mut pauses = RETRY_PAUSES.iter();
        let is_server_error = |error: &HttpError| {
            !has_no_such_path(error) && error.status().is_some_and(|it| it.is_server_error())
        };
        loop {
            match (self.client.get_text(path).await, pauses.next()) {
                (Ok(text), _) => return Ok(text),
                (Err(error), Some(pause)) if is_server_error(&error) => {
                    tokio::time::sleep(*pause).await;
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    async fn get_text(&mut self, path: &str) -> Result<String, BenchError> {
        self.ask(path).await.map_err(|error| self.broken(&error))
    }

    /// What an answer that is none means: credentials that are refused and a connection that fails
    /// are a bench that could not be set up, everything else is the platform's doing.
    fn broken(&self, error: &HttpError) -> BenchError {
        match error {
            HttpError::Status { status, .. } if matches!(status.as_u16(), 401 | 403) => {
                BenchError::Rest(format!("{}: {}", self.url, chain(error)))
            }
            HttpError::Status { status, .. } if status.is_server_error() => {
                BenchError::ServerError(chain(error))
            }
            HttpError::Status { .. } | HttpError::Json { .. } | HttpError::TooLarge { .. } => {
                BenchError::WrongAnswer(chain(error))
            }
            _ => BenchError::Rest(format!("{}: {}", self.url, chain(error))),
        }
    }
}

/// Whether a platform answers that it has no such path: 404, or 501 (not implemented).
fn has_no_such_path(error: &HttpError) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 404 | 501))
}

/// Before anything has been sent, what does not answer as it should is no platform to run against.
fn set_up(error: BenchError) -> BenchError {
    match error.wrong_answer() {
        Some(what) => BenchError::Rest(what.to_owned()),
        None => error,
    }
}

/// Which reading, refusal or alert cannot be read, and why: `readings: serial 4 of alpha: the value
/// electricity.frequency is null, expected a number`.
fn misread(what: &str, value: &Value, error: &serde_json::Error) -> String {
    let device = value.get("device").and_then(Value::as_str).unwrap_or("an unknown device");
    let serial = value.get("serial").and_then(Value::as_u64);
    let serial = serial.map_or_else(|| "one".to_owned(), |serial| format!("serial {serial}"));
    let values = value.get("values").and_then(Value::as_object);
    let bad = values.and_then(|values| values.iter().find(|(_, value)| !value.is_number()));
    let why = match bad {
        Some((name, value)) => format!("the value {name} is {value}, expected a number"),
        None => error.to_string(),
    };
    format!("{what}: {serial} of {device}: {why}")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// A platform's REST interface that answers each path as set, and 404 all others.
    fn platform(answer: fn(&str) -> Option<Value>) -> Rest {
        platform_without("404 Not Found", answer)
    }

    /// The same with another status for all others.
    fn platform_without(absent: &'static str, answer: fn(&str) -> Option<Value>) -> Rest {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rest = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
                let path = head.split(' ').nth(1).unwrap_or_default();
                let (status, body) = match answer(path) {
                    Some(body) => ("200 OK", body.to_string()),
                    None => (absent, "{}".to_owned()),
                };
                let length = body.len();
                write!(
                    stream.get_mut(),
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n\
                     Content-Length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        let profile = json!({ "mqtt": "127.0.0.1:1", "rest": rest, "token": "secret" });
        Rest::new(&serde_json::from_value(profile).unwrap(), String::new()).unwrap()
    }

    fn alert(sequence: u64, second: u64) -> Value {
        json!({
            "sequence": sequence, "device": "cellar", "type": "t", "level": "Info",
            "message": sequence.to_string(), "event_time": format!("2027-01-18T17:00:{second:02}Z"),
        })
    }

    fn messages(read: &AlertsRead) -> Vec<String> {
        read.alerts.iter().map(|alert| alert.message.to_string()).collect()
    }

    #[tokio::test]
    async fn alerts_are_read_page_by_page_and_each_once() {
        let mut rest = platform(|path| {
            let (results, last, more) = match path {
                "/api/v1/alerts?after=0&limit=1000" => (vec![alert(1, 9), alert(2, 5)], 2, true),
                "/api/v1/alerts?after=2&limit=1000" => (vec![alert(3, 7)], 3, true),
                "/api/v1/alerts?after=3&limit=1000" => (vec![alert(4, 1)], 4, false),
                _ => (Vec::new(), 4, false),
            };
            Some(json!({ "results": results, "last": last, "more": more }))
        });
        let read = rest.alerts().await.unwrap();
        assert_eq!(messages(&read), ["4", "2", "3", "1"], "by content, not by arrival");
        assert!(!read.is_newly_absent);
        assert!(rest.alerts().await.unwrap().alerts.is_empty());
    }

    #[tokio::test]
    async fn that_there_is_no_list_of_alerts_is_reported_once() {
        let empty = |path: &str| {
            let is_other = !path.starts_with("/api/v1/alerts");
            is_other.then(|| json!({ "results": [], "last": 0, "more": false }))
        };
        for absent in ["404 Not Found", "501 Not Implemented"] {
            let mut rest = platform_without(absent, empty);
            rest.require_empty().await.unwrap();
            for expected in [true, false, false] {
                let read = rest.alerts().await.unwrap();
                assert_eq!((read.alerts.len(), read.is_newly_absent), (0, expected), "{absent}");
            }
        }
        let mut rest = platform_without("500 Internal Server Error", empty);
        assert!(rest.require_empty().await.is_err());
    }

    #[tokio::test]
    async fn a_platform_that_has_alerts_already_is_not_used() {
        let mut rest = platform(|path| {
            let results = if path.contains("alerts") { vec![alert(1, 1)] } else { Vec::new() };
            Some(json!({ "results": results, "last": 1, "more": false }))
        });
        let error = rest.require_empty().await.unwrap_err().to_string();
        assert!(error.contains("it already holds alerts"), "{error}");
    }

    #[tokio::test]
    async fn an_alert_that_cannot_be_read_is_a_wrong_answer_and_the_others_are_read() {
        let mut rest = platform(|_| {
            let bad = json!({ "device": "cellar", "type": 5 });
            Some(json!({ "results": [bad, alert(2, 1)], "last": 2, "more": false }))
        });
        assert_eq!(messages(&rest.alerts().await.unwrap()), ["2"]);
        let wrong = rest.take_wrong();
        assert!(wrong.len() == 1 && wrong[0].starts_with("alerts: one of cellar:"), "{wrong:?}");
    }

    #[test]
    fn a_reading_that_cannot_be_read_is_named_with_its_value() {
        let reading = json!({
            "device": "alpha", "epoch": 1, "serial": 4, "event_time": "2027-01-18T17:00:41.000Z",
            "values": { "electricity.frequency": null },
        });
        let error = StoredReading::deserialize(&reading).unwrap_err();
        let expected = "readings: serial 4 of alpha: the value electricity.frequency is null, expected \
                    a number";
        assert_eq!(misread("readings", &reading, &error), expected);
        let error = StoredReading::deserialize(&json!({ "device": "alpha" })).unwrap_err();
        let message = misread("readings", &json!({ "device": "alpha" }), &error);
        assert!(message.starts_with("readings: one of alpha: missing field"), "{message}");
    }
}
