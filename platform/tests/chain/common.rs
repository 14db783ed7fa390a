//! A sender with an outbox, and reading back over REST: the platform as its users see it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{PublishError, Session, SessionEvent, SessionEvents, SessionOptions};
use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};
use lastmeter_units::{Epoch, HardwareId, MeasurementId, Serial, SimTime};
use lastmeter_wire::flexmeter::{MeasurementMessage, encode_measurements};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The shared secret of the tests.
pub(crate) const TOKEN: &str = "a token of the tests";
/// Where devices publish.
pub(crate) const INPUT: &str = "default/SiteWhere/input/json";
/// The longest any single step may take.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Status and body of an answer; `more` are further header lines.
pub(crate) async fn ask_with(
    platform: &Running,
    asked: (&str, &str),
    body: Option<&Value>,
    more: &str,
) -> (u16, Value) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let (status, body) = exchange(platform, asked, ("json", &body), more).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

async fn exchange(
    platform: &Running,
    (method, path): (&str, &str),
    (media_type, body): (&str, &str),
    more: &str,
) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(platform.rest_address()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \
         application/{media_type}\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (answer[9..12].parse().unwrap(), body.to_owned())
}

/// The body of an answer, byte for byte.
pub(crate) async fn text(platform: &Running, path: &str, more: &str) -> String {
    exchange(platform, ("GET", path), ("json", ""), more).await.1
}

/// What an import of a line of messages is answered with.
pub(crate) async fn import(platform: &Running, line: &str, more: &str) -> (u16, Value) {
    let asked = ("POST", "/api/v1/import");
    let (status, body) = exchange(platform, asked, ("x-ndjson", line), more).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// Status and body of an answer to who has a token.
pub(crate) async fn ask(
    platform: &Running,
    method: &str,
    path: &str,
    body: Option<&Value>,
    token: &str,
) -> (u16, Value) {
    ask_with(platform, (method, path), body, &format!("Authorization: Bearer {token}\r\n")).await
}

/// Moves the driven clock of a platform.
pub(crate) async fn advance(platform: &Running, to: &str) {
    let body = json!({ "to": to });
    let done = ask(platform, "POST", "/api/v1/clock/advance", Some(&body), TOKEN).await;
    assert_eq!(done.0, 200, "{done:?}");
}

/// A platform in a folder, on the wall's clock.
pub(crate) async fn start(folder: &Path) -> Running {
    let config = Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall);
    Platform::start(config).await.expect("a platform")
}

/// Values per reading.
const VALUES: usize = 20;

/// A reading of 20 values.
pub(crate) fn reading(device: &str, serial: u64) -> Vec<u8> {
    let values = MeasurementId::all().take(VALUES).map(|id| (id, serial as f64 * 0.1)).collect();
    let message = MeasurementMessage {
        epoch: Some(Epoch(1)),
        serial: Some(Serial(serial)),
        event_date: Some(SimTime(1_800_000_000_000_000_000 + serial.cast_signed() * 1_000_000_000)),
        update_state: true,
        ..MeasurementMessage::new(HardwareId::new(device).expect("an id"), values)
    };
    let mut payload = Vec::new();
    encode_measurements(&message, &mut payload);
    payload
}

/// A payload that is refused, of four kinds in turn, with the reason.
pub(crate) fn bad(device: &str, serial: u64) -> (Vec<u8>, &'static str) {
    let good = String::from_utf8(reading(device, serial)).expect("JSON is UTF-8");
    match serial % 4 {
        0 => (good[..good.len() / 2].into(), "not_json"),
        1 => (good.replace("\"updateState\":true", "\"updateState\":1").into(), "wrong_type"),
        2 => (good.replace(".l1\"", ".l9\"").into(), "unknown_identifier"),
        _ => (format!("{good}{}", " ".repeat(100_000)).into(), "too_large"),
    }
}

/// One MQTT session that keeps what is not acknowledged and sends it again.
pub(crate) struct Sender {
    session: Session,
    events: SessionEvents,
    outbox: BTreeMap<u64, Vec<u8>>,
    waiting: VecDeque<u64>,
    connected: bool,
    /// Numbers of the messages that were acknowledged.
    pub(crate) acknowledged: BTreeSet<u64>,
    /// How often a connection was lost.
    pub(crate) lost: u32,
}

impl Sender {
    /// Connects, with room for larger packets than the platform takes.
    pub(crate) fn open(address: SocketAddr, client_id: &str) -> Self {
        let mut options = SessionOptions::new(&address.to_string(), client_id, "default", TOKEN);
        options.packet_limit_bytes = 4 * 1024 * 1024;
        Self::open_with(options)
    }

    /// Connects with these options.
    pub(crate) fn open_with(options: SessionOptions) -> Self {
        let (session, events) = Session::open(options);
        Self {
            session,
            events,
            outbox: BTreeMap::new(),
            waiting: VecDeque::new(),
            connected: false,
            acknowledged: BTreeSet::new(),
            lost: 0,
        }
    }

    /// Puts a message into the outbox.
    pub(crate) fn queue(&mut self, number: u64, payload: Vec<u8>) {
        self.outbox.insert(number, payload);
        self.waiting.push_back(number);
    }

    /// What was not acknowledged.
    pub(crate) fn unacknowledged(self) -> BTreeMap<u64, Vec<u8>> {
        self.outbox
    }

    /// Takes a message out of the outbox: it is not sent again.
    pub(crate) fn give_up(&mut self, number: u64) {
        self.outbox.remove(&number);
        self.waiting.retain(|waiting| *waiting != number);
    }

    /// Sends until everything is acknowledged, or `done` holds.
    pub(crate) async fn run(&mut self, done: impl Fn(&Self) -> bool) {
        loop {
            while let Some(event) = self.events.try_recv() {
                self.take(&event);
            }
            if self.outbox.is_empty() || done(self) {
                return;
            }
            if let Some(number) = self.waiting.pop_front().filter(|_| self.connected) {
                self.publish(number).await;
            } else {
                let event = tokio::time::timeout(LIMIT, self.events.recv()).await;
                self.take(&event.expect("the broker sends something").expect("a session"));
            }
        }
    }

    async fn publish(&mut self, number: u64) {
        let Some(payload) = self.outbox.get(&number) else { return };
        match self.session.publish(number, INPUT, payload.clone().into()).await {
            Ok(()) => {}
            // It stays in the outbox; the next connection takes it up.
            Err(PublishError::NotConnected) => self.connected = false,
            Err(error) => panic!("{error}"),
        }
    }

    fn take(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Connected => {
                self.connected = true;
                self.waiting = self.outbox.keys().copied().collect();
            }
            SessionEvent::Disconnected { .. } => {
                self.lost += u32::from(self.connected);
                self.connected = false;
            }
            SessionEvent::Acknowledged { message } | SessionEvent::Refused { message, .. } => {
                self.outbox.remove(message);
                self.acknowledged.insert(*message);
            }
            SessionEvent::TakenOver | SessionEvent::Received { .. } => {}
        }
    }

    /// Ends the session.
    pub(crate) async fn close(self) {
        self.session.close().await;
    }
}

/// A client of a platform's REST.
pub(crate) fn client(address: SocketAddr) -> Client {
    Client::new(&format!("http://{address}"), TOKEN).expect("a base URL")
}

/// All rows of a read-back path.
pub(crate) async fn read_back(client: &Client, path: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let page: Value =
            client.get_json(&format!("{path}?after={after}&limit=500")).await.expect("a page");
        rows.extend(page["results"].as_array().expect("results").iter().cloned());
        after = page["last"].as_u64().expect("a sequence");
        if !page["more"].as_bool().expect("more or not") {
            return rows;
        }
    }
}

/// Refusals by reason.
pub(crate) fn by_reason(refusals: &[Value]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for refusal in refusals {
        let reason = refusal["reason"].as_str().expect("a reason").to_owned();
        *counts.entry(reason).or_insert(0) += 1;
    }
    counts
}
