//! Live streams: what is committed, where they go on, and how they end.

use super::*;

fn alert(device: &str, text: &str) -> Vec<u8> {
    let alert = json!({ "type": "over", "level": "Warning", "message": text });
    json!({ "hardwareId": device, "type": "DeviceAlert", "request": alert }).to_string().into()
}

/// A client of a live stream.
struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// An event as a client gets it.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Client {
    async fn open(served: &Served, query: &str, after: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(served.server.address).await.unwrap();
        let after = after.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!(
            "GET /api/v1/live?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
             {after}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut client = Self { stream, bytes: Vec::new() };
        // The stream is there once its first position is.
        client.until(|text| text.contains("\nid: ")).await;
        client
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    async fn until(&mut self, is_enough: impl Fn(&str) -> bool) {
        let reading = async {
            while !is_enough(&self.text()) {
                assert!(
                    self.stream.read_buf(&mut self.bytes).await.unwrap() > 0,
                    "{}",
                    self.text()
                );
            }
        };
        let read = tokio::time::timeout(LIMIT, reading).await;
        assert!(read.is_ok(), "{}", self.text());
    }

    /// The first events, once there are so many.
    async fn events(&mut self, count: usize) -> Vec<Event> {
        self.until(|text| events(text).len() >= count).await;
        events(&self.text())
    }

    /// All events of a stream that ends.
    async fn end(mut self) -> Vec<Event> {
        let end = self.stream.read_to_end(&mut self.bytes);
        tokio::time::timeout(LIMIT, end).await.expect("the stream ends").unwrap();
        events(&self.text())
    }
}

fn events(text: &str) -> Vec<Event> {
    // The lines of chunks (RFC 9112, 7.1) are none of an event.
    let field = |part: &str, name: &str| {
        let line = part.lines().find_map(|line| line.strip_prefix(name));
        line.map(ToOwned::to_owned)
    };
    let parts = text.split("event: ").skip(1).filter(|part| part.contains("\n\n"));
    let event = |part: &str| Event {
        name: part.lines().next().unwrap().to_owned(),
        id: field(part, "id: ").unwrap(),
        data: serde_json::from_str(&field(part, "data: ").unwrap()).unwrap(),
    };
    parts.map(event).collect()
}

fn volts(events: &[Event]) -> Vec<f64> {
    let value = |event: &Event| event.data["values"]["electricity.voltage.rms.l1"].as_f64();
    events.iter().filter_map(value).collect()
}

#[tokio::test]
async fn a_stream_has_what_is_committed_from_then_on_of_what_was_asked_for() {
    let served = Served::start_with(ClockSource::Wall).await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    let mut all = Client::open(&served, "", None).await;
    let mut one =
        Client::open(&served, "devices=other&quantities=electricity.frequency", None).await;
    store(&served.bench.core, &[reading("home", Some(2), 2.0), reading("other", None, 3.0)]).await;
    accept(&served.bench.core, alert("other", "over")).await.unwrap();
    let seen = all.events(3).await;
    assert_eq!(volts(&seen), [2.0, 3.0]);
    let expected = json!({
        "device": "home", "epoch": 1, "serial": 2,
        "event_time": reading("home", Some(2), 2.0).event_date,
        "values": { "electricity.voltage.rms.l1": 2.0 },
    });
    assert_eq!(seen[0].data, expected);
    assert_eq!((seen[2].name.as_str(), &seen[2].data["type"]), ("alert", &json!("over")));
    let seen = one.events(1).await;
    assert_eq!((seen.len(), seen[0].name.as_str()), (1, "alert"));
    // Streams end with the server, and it does not wait for them.
    served.stop().await;
    assert_eq!(all.end().await.len(), 3);
}

#[tokio::test]
async fn a_stream_goes_on_where_another_ended() {
    let served = Served::start_with(ClockSource::Wall).await;
    let mut first = Client::open(&served, "", None).await;
    for serial in 1..=5 {
        store(&served.bench.core, &[reading("home", Some(serial), serial as f64)]).await;
    }
    let seen = first.events(5).await;
    drop(first);
    for event in &seen {
        assert_eq!((event.id.len(), event.name.as_str()), (65, "reading"));
    }
    let mut second = Client::open(&served, "", Some(&seen[1].id)).await;
    assert_eq!(second.events(3).await[..], seen[2..], "the same events with the same positions");
    // A position that nobody gave: what is between is lost, and that is stated.
    let mut third = Client::open(&served, "", Some("0.0")).await;
    store(&served.bench.core, &[reading("home", Some(6), 6.0)]).await;
    let seen = third.events(2).await;
    assert_eq!(
        (seen[0].name.as_str(), &seen[0].data["reason"]),
        ("gap", &json!("unknown_position"))
    );
    assert_eq!(volts(&seen), [6.0]);
    served.stop().await;
}

#[tokio::test]
async fn on_a_driven_clock_a_stream_moves_with_each_advance() {
    let served = Served::start().await;
    let mut client = Client::open(&served, "", None).await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    let mut late = Client::open(&served, "", None).await;
    assert_eq!(events(&client.text()), []);
    served.bench.core.advance(time(START)).await.unwrap();
    assert_eq!(volts(&client.events(1).await), [1.0]);
    assert_eq!(volts(&late.events(1).await), [1.0]);
    served.bench.core.live.end();
    assert_eq!(client.end().await.len(), 1, "the tenant is closed");
    served.stop().await;
}

#[tokio::test]
async fn a_tenant_has_so_many_streams_and_no_more() {
    let served = Served::with_connections(Bench::start(ClockSource::Driven).await, 300);
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(Client::open(&served, "", None).await);
    }
    let answer = served.get("/api/v1/live").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "too_many_streams"));
    open.pop();
    let again = async { while served.get("/api/v1/live").await.status == 503 {} };
    assert!(tokio::time::timeout(LIMIT, again).await.is_ok(), "a place becomes free");
    drop(open);
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_gets_a_gap_and_the_end() {
    let bench = Bench::start(ClockSource::Driven).await;
    let served = Served::with_limits(bench, 8, LIMIT);
    let client = Client::open(&served, "", None).await;
    // More than every buffer on the way holds.
    let text = "x".repeat(60_000);
    for _ in 0..400 {
        accept(&served.bench.core, alert("home", &text)).await.unwrap();
    }
    served.bench.core.advance(time(START)).await.unwrap();
    let ended = async {
        while served.bench.core.live.subscriptions() > 0 {
            assert_eq!(served.get("/healthz").await.status, 200);
        }
    };
    assert!(tokio::time::timeout(LIMIT, ended).await.is_ok(), "it does not wait for ever");
    let seen = client.end().await;
    let last = seen.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data["reason"]), ("gap", &json!("too_slow")));
    assert!(seen.len() < 400, "{} events", seen.len());
    let mut next = Client::open(&served, "", Some(&last.id)).await;
    let rest = next.events(401 - seen.len()).await;
    assert_eq!(rest.len() + seen.len() - 1, 400, "nothing is lost and nothing given twice");
    served.stop().await;
}
