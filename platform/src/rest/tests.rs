//! REST over a real socket: the answers as a client sees them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lastmeter_units::{MeasurementId, SimTime};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Edge, Server, Settings};
use crate::config::ClockSource;
use crate::gate::{Gate, GuessLimits, Listener};
use crate::journal::simulated::SimulatedDirectory;
use crate::process::Process;
use crate::tests::{Bench, TOKEN, accept, reading, store, time};

mod alerts;
mod bills;
mod edge;
mod flips;
mod jobs;
mod live;
mod nodes;
mod numbered;
mod overload;
mod reports;
mod retention;
mod rights;
mod routes;
mod series;
mod series_pages;
mod slow;
mod transfer;
mod unread;
mod waiting;

const LIMIT: Duration = Duration::from_secs(20);
const START: &str = "2027-01-18T17:00:00Z";

/// A served core.
pub(crate) struct Served {
    pub(crate) bench: Bench,
    server: Server,
    gate: Arc<Gate>,
    process: Arc<Process>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Checks that this is a problem as RFC 9457 has it, and gives its code.
    fn problem(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let body = self.json();
        assert_eq!(body["status"], self.status);
        assert_eq!(body["type"], "about:blank");
        for member in ["title", "detail"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        }
        body["code"].as_str().unwrap().to_owned()
    }
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::start_with(ClockSource::Driven).await
    }

    async fn start_with(clock: ClockSource) -> Self {
        Self::over(Bench::start(clock).await)
    }

    fn over(bench: Bench) -> Self {
        Self::with_connections(bench, 8)
    }

    fn with_connections(bench: Bench, connections: usize) -> Self {
        Self::with_limits(bench, connections, Duration::from_millis(300))
    }

    fn with_limits(bench: Bench, connections: usize, limit: Duration) -> Self {
        let gate = Arc::new(Gate::new(GuessLimits::default()));
        let (listener, of_peer, edge) = (Listener::Rest, connections, Edge::default());
        let settings = Settings { listener, connections, of_peer, limit, gate, edge };
        Self::with_settings(bench, settings)
    }

    fn with_settings(bench: Bench, settings: Settings) -> Self {
        let gate = Arc::clone(&settings.gate);
        let limits = &bench.config.limits;
        let of_router = Settings::of(limits, Listener::Rest, limits.rest_connections, &gate);
        let process = bench.process();
        let router = crate::web(&process, &bench.config, &of_router);
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let server = Server::start(any, router, settings).unwrap();
        Self { bench, server, gate, process }
    }

    pub(crate) async fn stop(self) {
        assert!(self.server.stop(LIMIT).await);
        assert!(self.process.stop().await);
    }

    async fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let reading = async {
            // A live stream has no end.
            let is_live = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                let head = text.split_once("\r\n\r\n").map(|(head, _)| head);
                head.is_some_and(|head| head.contains("text/event-stream"))
            };
            while !is_live(&bytes) {
                if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                    break;
                }
            }
        };
        tokio::time::timeout(LIMIT, reading).await.unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(&bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: bytes[end + 4..].to_vec() }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.raw(request.as_bytes()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &format!("Authorization: Bearer {TOKEN}\r\n"), "").await
    }

    pub(crate) async fn ok(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers =
            format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
        self.ask("POST", path, &headers, &body.to_string()).await
    }

    async fn assignment(&self, device: &str) -> String {
        let device = self.ok(&format!("/sitewhere/api/devices/{device}")).await;
        device["assignmentToken"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn without_the_token_everything_but_health_is_closed() {
    let served = Served::start().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.ask("GET", path, "", "").await.status, 200);
    }
    for headers in [
        "",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer wrong\r\n",
        "Authorization: Basic ZGVmYXVsdDp4\r\n",
    ] {
        for path in ["/metrics", "/sitewhere/api/devices", "/api/v1/readings", "/no/such/path"] {
            let answer = served.ask("GET", path, headers, "").await;
            assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthorized"));
            assert!(answer.head.contains("www-authenticate: bearer"));
            // Whoever has sent a token does not need to be shown how.
            let is_given = headers.starts_with("Authorization: B") && !headers.ends_with("er\r\n");
            let detail = answer.json()["detail"].to_string();
            assert_eq!(detail.contains("the token is not valid here"), is_given, "{detail}");
            assert_eq!(detail.contains("send the header"), !is_given, "{detail}");
        }
    }
    let lower = format!("authorization: bearer {TOKEN}\r\n");
    assert_eq!(served.ask("GET", "/sitewhere/api/devices", &lower, "").await.status, 200);
    served.stop().await;
}

#[tokio::test]
async fn who_asks_for_another_tenant_gets_nothing_of_this_one() {
    let served = Served::start().await;
    let ask =
        |tenant: &str| format!("Authorization: Bearer {TOKEN}\r\nX-SiteWhere-Tenant: {tenant}\r\n");
    let path = "/sitewhere/api/devices";
    assert_eq!(served.ask("GET", path, &ask("default"), "").await.status, 200);
    let other = served.ask("GET", path, &ask("other"), "").await;
    assert_eq!((other.status, other.problem().as_str()), (403, "no_such_tenant"));
    served.stop().await;
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_its_status_and_code() {
    let served = Served::start().await;
    store(&served.bench.core, &[reading("home", Some(1), 230.0)]).await;
    let token = served.assignment("home").await;
    let series = format!("/sitewhere/api/assignments/{token}/measurements/series");
    let cases = [
        ("/no/such/path".to_owned(), 404, "no_such_path"),
        ("/sitewhere/api/devices/nobody".to_owned(), 404, "unknown_device"),
        ("/sitewhere/api/devices/a%2Fb".to_owned(), 404, "unknown_device"),
        ("/sitewhere/api/devices/%FF".to_owned(), 400, "unreadable_path"),
        ("/sitewhere/api/assignments/nothing".to_owned(), 404, "unknown_assignment"),
        ("/sitewhere/api/invocations/nothing".to_owned(), 404, "unknown_invocation"),
        ("/sitewhere/api/devices?pageSize=0".to_owned(), 400, "wrong_parameter"),
        ("/sitewhere/api/devices?pageSize=1001".to_owned(), 400, "wrong_parameter"),
        ("/sitewhere/api/devices?page=0".to_owned(), 400, "wrong_parameter"),
        ("/sitewhere/api/devices?page=x".to_owned(), 400, "wrong_parameter"),
        ("/sitewhere/api/devices?page=1&page=2".to_owned(), 400, "repeated_parameter"),
        ("/sitewhere/api/devices?pgae=1".to_owned(), 400, "unknown_parameter"),
        (format!("{series}?startDate=yesterday"), 400, "wrong_parameter"),
        (format!("{series}?measurementIds=voltage"), 400, "unknown_identifier"),
        ("/api/v1/readings?after=-1".to_owned(), 400, "wrong_parameter"),
        ("/api/v1/readings?limit=5001".to_owned(), 400, "wrong_parameter"),
        ("/api/v1/readings?wait_ms=10001".to_owned(), 400, "wrong_parameter"),
        ("/api/v1/refusals?wait_ms=-1".to_owned(), 400, "wrong_parameter"),
        ("/api/v1/series".to_owned(), 400, "missing_parameter"),
    ];
    for (path, status, code) in cases {
        let answer = served.get(&path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{path}");
    }
    for (method, path) in [("POST", "/sitewhere/api/devices/home"), ("DELETE", "/healthz")] {
        let answer =
            served.ask(method, path, &format!("Authorization: Bearer {TOKEN}\r\n"), "").await;
        assert_eq!((answer.status, answer.problem().as_str()), (405, "no_such_method"), "{path}");
    }
    served.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_each_with_its_status() {
    let served = Served::start().await;
    let path = "/api/v1/clock/advance";
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let json_type = format!("{token}Content-Type: application/json\r\n");
    let large = format!("{{\"to\":\"{}\"}}", "x".repeat(1024 * 1024));
    for (headers, body, status, code) in [
        (&token, "{}", 415, "not_json_content"),
        (&json_type, "{", 400, "unreadable_body"),
        (&json_type, "{}", 422, "wrong_body"),
        (&json_type, r#"{"to":5}"#, 422, "wrong_body"),
        (&json_type, r#"{"to":"2027-01-18T17:00:00Z","from":1}"#, 422, "wrong_body"),
        (&json_type, &large, 413, "body_too_large"),
    ] {
        let answer = served.ask("POST", path, headers, body).await;
        let body = &body[..body.len().min(50)];
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{body}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_never_finishes_its_head_is_cut_off() {
    let served = Served::start().await;
    let mut stream = TcpStream::connect(served.server.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(LIMIT, stream.read_to_end(&mut bytes)).await;
    // The server answers 408 or just closes; what counts is that it does not wait for ever.
    assert!(ended.is_ok());
    served.stop().await;
}

#[tokio::test]
async fn a_platform_whose_disk_is_full_is_not_ready_until_it_can_write_again() {
    let disk = SimulatedDirectory::default();
    let served = Served::over(Bench::start_on(&disk).await);
    let message = |serial| crate::tests::bytes(&reading("home", Some(serial), 230.0));
    disk.limit_space(Some(0));
    assert!(accept(&served.bench.core, message(1)).await.is_err());
    let answer = served.ask("GET", "/readyz", "", "").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "not_ready"));
    disk.limit_space(None);
    assert!(accept(&served.bench.core, message(1)).await.is_ok());
    assert_eq!(served.ask("GET", "/readyz", "", "").await.status, 200);
    served.stop().await;
}

/// Whatever the server sends on a connection until it closes it.
async fn rest_of(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset ends it as well.
    let _ = tokio::time::timeout(LIMIT, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn bodies_that_never_end_are_refused_and_do_not_keep_others_out() {
    let bench = Bench::start_with(ClockSource::Driven, |config| config.limits.rest_header_s = 1);
    let served = Served::over(bench.await);
    let request = format!(
        "POST /api/v1/clock/advance HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    // As many as the server takes at a time.
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(served.server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(served.get("/sitewhere/api/devices").await.status, 200);
    for stream in slow {
        let answer = rest_of(stream).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 408 "), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("\"code\":\"slow_body\""), "{answer}");
    }
    served.stop().await;
}

#[tokio::test]
async fn idle_connections_are_closed_and_do_not_keep_others_out() {
    let served = Served::start().await;
    let mut idle = Vec::new();
    for place in 0..8 {
        let mut stream = TcpStream::connect(served.server.address).await.unwrap();
        // Some have asked something before, others never do.
        if place % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        }
        idle.push(stream);
    }
    assert_eq!(served.get("/sitewhere/api/devices").await.status, 200);
    for (place, stream) in idle.into_iter().enumerate() {
        let answer = rest_of(stream).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200 "), place % 2 == 0, "{answer}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_platform_that_lost_acknowledged_records_is_not_ready_until_somebody_has_seen_it() {
    let disk = SimulatedDirectory::default();
    let bench = Bench::start_on(&disk).await;
    for serial in 1..=3 {
        store(&bench.core, &[reading("home", Some(serial), 230.0)]).await;
    }
    let mut image = disk.crash_image();
    bench.stop().await;
    // One bit of the first record.
    image.values_mut().next().unwrap()[40] ^= 1;
    let bench = Bench::start_on(&SimulatedDirectory::from_image(&image)).await;
    let served = Served::over(bench);
    let answer = served.ask("GET", "/readyz", "", "").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "data_lost"));
    let metrics = String::from_utf8(served.get("/metrics").await.body).unwrap();
    for line in
        ["lastmeter_losses 1", "lastmeter_losses_open 1", "lastmeter_journal_missing_total 1"]
    {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let losses = served.ok("/api/v1/losses").await;
    assert_eq!((&losses["unacknowledged"], &losses["further"]), (&json!(1), &json!(0)));
    let loss = &losses["results"][0];
    assert_eq!((&loss["id"], &loss["kind"]), (&json!(1), &json!("missing_records")));
    assert_eq!((&loss["place"], &loss["acknowledged"]), (&json!("1-1"), &Value::Null));

    let path = "/api/v1/losses/1/acknowledge";
    for (path, body, status, code) in [
        ("/api/v1/losses/2/acknowledge", json!({"note": "x"}), 404, "unknown_loss"),
        ("/api/v1/losses/x/acknowledge", json!({"note": "x"}), 404, "unknown_loss"),
        (path, json!({}), 422, "wrong_body"),
    ] {
        let answer = served.post(path, &body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{path} {body}");
    }
    assert_eq!(served.ask("POST", path, "", "").await.status, 401);
    let answer = served.post(path, &json!({"note": "sent again"})).await;
    assert_eq!(
        (answer.status, &answer.json()["acknowledged"]["note"]),
        (200, &json!("sent again"))
    );
    assert_eq!(served.ask("GET", "/readyz", "", "").await.status, 200);
    let losses = served.ok("/api/v1/losses").await;
    assert_eq!(losses["unacknowledged"], 0);
    assert_eq!(losses["results"][0]["acknowledged"]["note"], "sent again", "it stays known");
    served.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_connections() {
    let served = Served::start().await;
    let idle = TcpStream::connect(served.server.address).await.unwrap();
    assert_eq!(served.get("/healthz").await.status, 200);
    served.stop().await;
    drop(idle);
}

#[tokio::test]
async fn a_device_registers_itself_and_shows_its_state() {
    let served = Served::start().await;
    served.bench.core.advance(time(START)).await.unwrap();
    let devices = served.ok("/sitewhere/api/devices").await;
    assert_eq!(devices, json!({"numResults": 0, "results": []}));
    for device in ["b", "a", "c d"] {
        store(&served.bench.core, &[reading(device, Some(1), 230.5)]).await;
    }
    let devices = served.ok("/sitewhere/api/devices?page=2&pageSize=2").await;
    assert_eq!(devices["numResults"], 3);
    assert_eq!(devices["results"][0]["hardwareId"], "c d");
    let device = served.ok("/sitewhere/api/devices/c%20d").await;
    assert_eq!(device, devices["results"][0]);
    assert_eq!(device["createdDate"], "2027-01-18T17:00:00.000Z");
    let assignment = served.ok("/sitewhere/api/devices/c%20d/assignment").await;
    assert_eq!(assignment["token"], device["assignmentToken"]);
    let token = served.assignment("c%20d").await;
    assert_eq!(served.ok(&format!("/sitewhere/api/assignments/{token}")).await, assignment);
    assert_eq!(assignment["status"], "Active");
    let state = &assignment["state"];
    assert_eq!(state["lastInteractionDate"], "2027-01-18T17:00:00.000Z");
    let event_date = SimTime(1_800_000_001_000_000_000).to_string();
    assert_eq!(
        state["latestMeasurements"],
        json!([{"name": "electricity.voltage.rms.l1", "value": 230.5, "eventDate": event_date}])
    );
    served.stop().await;
}

#[tokio::test]
async fn the_bench_reads_back_what_was_committed_and_refused_by_sequence() {
    let served = Served::start().await;
    let empty = json!({"results": [], "last": 0, "more": false});
    assert_eq!(served.ok("/api/v1/readings").await, empty);
    assert_eq!(served.ok("/api/v1/refusals?after=0&limit=10").await, empty);
    for serial in 1..=5 {
        store(&served.bench.core, &[reading("home", Some(serial), serial as f64)]).await;
        accept(&served.bench.core, b"{".to_vec()).await.unwrap();
    }
    store(&served.bench.core, &[reading("home", None, 6.0)]).await;
    let page = served.ok("/api/v1/readings?after=1&limit=2").await;
    assert_eq!((&page["last"], &page["more"]), (&json!(3), &json!(true)));
    assert_eq!(
        page["results"][0],
        json!({
            "sequence": 2, "device": "home", "epoch": 1, "serial": 2,
            "event_time": SimTime(1_800_000_002_000_000_000).to_string(),
            "commit_time": "1970-01-01T00:00:00.000Z",
            "values": {"electricity.voltage.rms.l1": 2.0}
        })
    );
    let rest = served.ok("/api/v1/readings?after=3&limit=3").await;
    assert_eq!((&rest["last"], &rest["more"]), (&json!(6), &json!(false)));
    assert_eq!(
        (&rest["results"][2]["epoch"], &rest["results"][2]["serial"]),
        (&Value::Null, &Value::Null)
    );
    let past = served.ok("/api/v1/readings?after=6").await;
    assert_eq!(past, json!({"results": [], "last": 6, "more": false}));
    let refusals = served.ok("/api/v1/refusals?after=4").await;
    assert_eq!(refusals["last"], 5);
    assert_eq!(refusals["results"][0]["reason"], "not_json");
    assert_eq!(refusals["results"][0]["device"], Value::Null);
    assert_eq!(refusals["results"][0]["topic"], "default/SiteWhere/input/json");
    served.stop().await;
}

#[tokio::test]
async fn the_clock_is_driven_over_rest() {
    let served = Served::start().await;
    let path = "/api/v1/clock/advance";
    store(&served.bench.core, &[reading("home", Some(1), 230.0)]).await;
    accept(&served.bench.core, b"{".to_vec()).await.unwrap();
    let answer = served.post(path, &json!({"to": START})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"now": "2027-01-18T17:00:00.000Z", "committed": 1, "refused": 1, "sent": {},
            "parties": {}})
    );
    let back = served.post(path, &json!({"to": "2027-01-18T16:00:00Z"})).await;
    assert_eq!((back.status, back.problem().as_str()), (409, "clock_backwards"));
    assert_eq!(back.json()["now"], "2027-01-18T17:00:00.000Z");
    assert_eq!(back.json()["to"], "2027-01-18T16:00:00.000Z");
    let clock = served.ok("/api/v1/clock").await;
    assert_eq!(clock, json!({"now": "2027-01-18T17:00:00.000Z", "driven": true}));
    served.stop().await;

    let wall = Served::start_with(ClockSource::Wall).await;
    let answer = wall.post(path, &json!({"to": START})).await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "clock_not_driven"));
    wall.stop().await;
}

#[tokio::test]
async fn a_command_goes_from_rest_to_the_device() {
    let served = Served::start().await;
    served.bench.core.advance(time(START)).await.unwrap();
    store(&served.bench.core, &[reading("home", Some(1), 230.0)]).await;
    served.bench.devices.subscribe(&served.bench.core, "home");
    let token = served.assignment("home").await;
    let path = format!("/sitewhere/api/assignments/{token}/invocations");
    let asked = json!({
        "initiator": "REST", "initiatorId": "bench", "target": "Assignment",
        "commandToken": "setReportingPeriod", "parameterValues": {"seconds": "5"}
    });
    let answer = served.post(&path, &asked).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let invocation = answer.json();
    assert_eq!((&invocation["state"], &invocation["status"]), (&json!("Sent"), &json!("Sent")));
    assert_eq!(invocation["parameterValues"], json!({"seconds": "5"}));
    assert_eq!(invocation["deviceHardwareId"], "home");
    assert_eq!(invocation["expiresDate"], "2027-01-18T18:00:00.000Z");
    let id = invocation["id"].as_str().unwrap();
    assert_eq!(served.ok(&format!("/sitewhere/api/invocations/{id}")).await, invocation);
    assert_eq!(served.bench.devices.received("home")[0].invocation.id, id);
    let listed = served.ok(&path).await;
    assert_eq!(listed, json!({"numResults": 1, "results": [invocation]}));

    let wrong = |change: Value| {
        let mut asked = asked.clone();
        asked.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        asked
    };
    for (body, status, code) in [
        (wrong(json!({"commandToken": "blinkLed"})), 404, "unknown_command"),
        (wrong(json!({"parameterValues": {}})), 400, "wrong_parameter"),
        (wrong(json!({"parameterValues": {"seconds": "soon"}})), 400, "wrong_parameter"),
        (wrong(json!({"parameterValues": {"seconds": "5", "x": "1"}})), 400, "wrong_parameter"),
        (wrong(json!({"parameterValues": {"seconds": [5]}})), 422, "wrong_body"),
        (wrong(json!({"expiresAfterSeconds": 0.0})), 400, "wrong_parameter"),
        (wrong(json!({"target": "Site"})), 400, "wrong_parameter"),
        (json!({"parameterValues": {"seconds": "5"}}), 422, "wrong_body"),
    ] {
        let answer = served.post(&path, &body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{body}");
    }
    let nowhere = served.post("/sitewhere/api/assignments/x/invocations", &asked).await;
    assert_eq!((nowhere.status, nowhere.problem().as_str()), (404, "unknown_assignment"));
    assert_eq!(served.ok(&path).await["numResults"], 1, "what is refused is not stored");
    served.stop().await;
}

#[tokio::test]
async fn the_metrics_are_prometheus_text_of_everything_counted() {
    let served = Served::start().await;
    store(&served.bench.core, &[reading("home", Some(1), 230.0), reading("home", None, 1.0)]).await;
    accept(&served.bench.core, b"{".to_vec()).await.unwrap();
    served.bench.core.barrier().await.unwrap();
    let answer = served.get("/metrics").await;
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"));
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "lastmeter_accepted_total 2",
        "lastmeter_readings_stored_total 2",
        "lastmeter_without_serial_total 1",
        "lastmeter_repetitions_total 0",
        "lastmeter_refused_total{reason=\"not_json\"} 1",
        "lastmeter_journal_syncs_total 3",
        "lastmeter_in_flight_bytes 0",
        "lastmeter_ready 1",
        "lastmeter_broker_stand_ins_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    served.stop().await;
}

#[tokio::test]
async fn measurement_events_come_newest_first_by_page_and_range() {
    let served = Served::start().await;
    let messages: Vec<_> =
        (1..=25).map(|serial| reading("home", Some(serial), serial as f64)).collect();
    store(&served.bench.core, &messages).await;
    let token = served.assignment("home").await;
    let path = format!("/sitewhere/api/assignments/{token}/measurements");
    let page = served.ok(&format!("{path}?page=2&pageSize=10")).await;
    assert_eq!(page["numResults"], 25);
    let serials: Vec<&str> = page["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["metadata"]["serial"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (6..=15).rev().map(|serial| serial.to_string()).collect();
    assert_eq!(serials, expected);
    let (from, to) = (messages[2].event_date.unwrap(), messages[4].event_date.unwrap());
    let range = served.ok(&format!("{path}?startDate={from}&endDate={to}")).await;
    assert_eq!(range["numResults"], 3);
    assert_eq!(range["results"][0]["measurements"], json!({"electricity.voltage.rms.l1": 5.0}));
    served.stop().await;
}
