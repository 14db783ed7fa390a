//! Tests of the shell against a broker and a REST server of a few lines each.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use lastmeter_link::clock::monotonic_ns;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use lastmeter_wire::rest::Method;

const LIMIT: Duration = Duration::from_secs(20);

/// Reports what it is given, and does what it was made for once it is connected.
struct Scripted {
    given: Sender<(SimTime, AppInput)>,
    at_first: Vec<AppOutput>,
    wake_at: Option<SimTime>,
    is_troubled: bool,
}

impl Application for Scripted {
    fn step(&mut self, now: SimTime, input: AppInput, out: &mut Vec<AppOutput>) {
        if input == AppInput::Wake {
            self.wake_at = None;
        }
        if input == AppInput::Connected {
            out.append(&mut self.at_first);
        }
        self.is_troubled |= matches!(input, AppInput::Message { .. });
        self.given.send((now, input)).unwrap();
    }

    fn trouble(&self) -> Option<&str> {
        self.is_troubled.then_some("no message was expected")
    }

    fn wake_at(&self) -> Option<SimTime> {
        self.wake_at
    }

    fn subscriptions(&self) -> Vec<String> {
        vec!["t/live/alerts".to_owned()]
    }
}

/// The monotonic clock as event time.
fn event_time() -> SimTime {
    SimTime(monotonic_ns())
}

fn options(broker: &TcpListener, rest: &TcpListener) -> ShellOptions {
    let place = |of: &TcpListener| of.local_addr().unwrap().to_string();
    let rest = Client::new(&format!("http://{}", place(rest)), "the-key").unwrap();
    let session = SessionOptions::new(&place(broker), "watch", "t/app/watch", "secret");
    ShellOptions { session, rest, clock: Box::new(event_time) }
}

async fn listeners() -> [TcpListener; 2] {
    let any = "127.0.0.1:0";
    [TcpListener::bind(any).await.unwrap(), TcpListener::bind(any).await.unwrap()]
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    timeout(LIMIT, listener.accept()).await.unwrap().unwrap().0
}

/// A packet of MQTT of less than 128 bytes: its first byte, and what is behind its length.
async fn packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    timeout(LIMIT, stream.read_exact(&mut head)).await.unwrap().unwrap();
    let mut body = vec![0; usize::from(head[1])];
    stream.read_exact(&mut body).await.unwrap();
    (head[0], body)
}

/// Lets a client of MQTT 5 in, and grants what it subscribes to.
async fn let_in(broker: &TcpListener) -> TcpStream {
    let mut stream = accepted(broker).await;
    assert_eq!(packet(&mut stream).await.0, 0x10);
    stream.write_all(&[0x20, 3, 0, 0, 0]).await.unwrap();
    let (kind, body) = packet(&mut stream).await;
    assert_eq!(kind, 0x82);
    stream.write_all(&[0x90, 4, body[0], body[1], 0, 1]).await.unwrap();
    stream
}

/// A request of HTTP with its body: the first line and the body.
async fn request(stream: &mut TcpStream) -> (String, String) {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 1024];
        let count = timeout(LIMIT, stream.read(&mut part)).await.unwrap().unwrap();
        read.extend_from_slice(&part[..count]);
        let text = String::from_utf8(read.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.contains("authorization: Bearer the-key"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.map_or(0, |length| length.parse::<usize>().unwrap()) <= body.len() {
            return (head.lines().next().unwrap().to_owned(), body.to_owned());
        }
    }
}

async fn answer(stream: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
}

fn asks(number: u64, method: Method, key: Option<&str>) -> AppOutput {
    let body = (method == Method::Post).then(|| "{}".to_owned());
    let (path, key) = (format!("/api/v1/{number}"), key.map(str::to_owned));
    AppOutput::Ask(Request { number, method, path, body, key })
}

type Ended = tokio::task::JoinHandle<Result<(), ShellError>>;

fn start(
    options: ShellOptions,
    at_first: Vec<AppOutput>,
    wake_at: Option<SimTime>,
) -> (Ended, Receiver<(SimTime, AppInput)>, Receiver<ShellEvent>) {
    let ((given, inputs), (happened, events)) = (channel(), channel());
    let machine = Box::new(Scripted { given, at_first, wake_at, is_troubled: false });
    let report = move |event| happened.send(event).unwrap();
    let ended = tokio::spawn(run(machine, options, report, std::future::pending()));
    (ended, inputs, events)
}

async fn next<T>(of: &Receiver<T>) -> T {
    let limit = monotonic_ns() + i64::try_from(LIMIT.as_nanos()).unwrap();
    let mut timer = Timer::new().unwrap();
    loop {
        match of.try_recv() {
            Ok(one) => return one,
            Err(_) => assert!(monotonic_ns() < limit, "nothing came"),
        }
        timer.until(monotonic_ns() + 1_000_000).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_and_what_comes_is_given() {
    let [broker, rest] = listeners().await;
    let publish = |text: &str| AppOutput::Publish {
        topic: "t/device/watch/input/result".to_owned(),
        payload: text.as_bytes().to_vec(),
    };
    let all = vec![publish("one"), publish("two")];
    let (_ended, inputs, events) = start(options(&broker, &rest), all, None);
    let mut stream = let_in(&broker).await;
    let (one, two) = (packet(&mut stream).await, packet(&mut stream).await);
    assert!(one.1.ends_with(b"one") && two.1.ends_with(b"two"));
    // The first is taken, the second not: the connection is gone before.
    let at = 2 + "t/device/watch/input/result".len();
    stream.write_all(&[0x40, 2, one.1[at], one.1[at + 1]]).await.unwrap();
    assert_eq!(next(&events).await, ShellEvent::Connected);
    assert!(matches!(next(&events).await, ShellEvent::Published { .. }));
    drop(stream);
    assert!(matches!(next(&events).await, ShellEvent::Lost { .. }));
    let mut stream = let_in(&broker).await;
    let again = packet(&mut stream).await;
    assert!(again.1.ends_with(b"two"), "{again:?}");
    stream.write_all(&[0x40, 3, again.1[at], again.1[at + 1], 0x97]).await.unwrap();
    assert_eq!(next(&events).await, ShellEvent::Connected);
    let ShellEvent::Refused { why, .. } = next(&events).await else { panic!() };
    assert!(why.starts_with("0x97"), "{why}");
    stream.write_all(b"\x30\x11\x00\x0dt/live/alerts\x00x").await.unwrap();
    let message = AppInput::Message { topic: "t/live/alerts".to_owned(), payload: b"x".to_vec() };
    for expected in [AppInput::Connected, AppInput::Connected, message] {
        assert_eq!(next(&inputs).await.1, expected);
    }
    let why = "no message was expected".to_owned();
    assert_eq!(next(&events).await, ShellEvent::Troubled { why });
}

#[tokio::test]
async fn requests_go_in_order_and_are_sent_again_where_they_act_once() {
    let [broker, rest] = listeners().await;
    let all = vec![
        asks(1, Method::Get, None),
        asks(2, Method::Post, Some("once")),
        asks(3, Method::Post, None),
        asks(4, Method::Get, None),
    ];
    let (ended, inputs, _events) = start(options(&broker, &rest), all, None);
    let _stream = let_in(&broker).await;
    assert_eq!(next(&inputs).await.1, AppInput::Connected);
    let mut paths = Vec::new();
    // The first two are not answered at first, and then are; nor is the third, which is given up.
    for (status, is_answered) in [
        ("", false),
        ("503 Service Unavailable", true),
        ("200 OK", true),
        ("", false),
        ("201 Created", true),
        ("", false),
        ("401 Unauthorized", true),
    ] {
        let mut stream = accepted(&rest).await;
        let (line, _) = request(&mut stream).await;
        paths.push(line.split(' ').nth(1).unwrap().trim_start_matches("/api/v1/").to_owned());
        if is_answered {
            answer(&mut stream, status, "{}").await;
        }
    }
    assert_eq!(paths.join(" "), "1 1 1 2 2 3 4");
    for (number, status) in [(1, 200), (2, 201), (3, 0)] {
        let (_, AppInput::Answer(answer)) = next(&inputs).await else { panic!() };
        assert_eq!((answer.number, answer.status), (number, status));
    }
    let ended = timeout(LIMIT, ended).await.unwrap().unwrap().unwrap_err();
    let text = ended.to_string();
    assert!(text.starts_with("`key`: GET /api/v1/4") && text.contains("expected"), "{text}");
}

#[tokio::test]
async fn it_is_woken_at_its_instant_and_not_before_it_is_connected() {
    let [broker, rest] = listeners().await;
    let wake_at = event_time() + lastmeter_units::SimDuration::from_seconds(1);
    let past = Some(SimTime(wake_at.0 - 900_000_000));
    let (_ended, inputs, _events) = start(options(&broker, &rest), Vec::new(), past);
    // It is let in long after its instant.
    let mut timer = Timer::new().unwrap();
    timer.until(monotonic_ns() + 300_000_000).await.unwrap();
    assert!(inputs.try_recv().is_err());
    let _stream = let_in(&broker).await;
    assert_eq!(next(&inputs).await.1, AppInput::Connected);
    assert_eq!(next(&inputs).await.1, AppInput::Wake);
    let [broker, rest] = listeners().await;
    let (_ended, inputs, _events) = start(options(&broker, &rest), Vec::new(), Some(wake_at));
    let _stream = let_in(&broker).await;
    assert_eq!(next(&inputs).await.1, AppInput::Connected);
    let (now, input) = next(&inputs).await;
    assert!(input == AppInput::Wake && now >= wake_at, "{now}");
}

#[tokio::test]
async fn who_is_refused_or_taken_over_ends_with_what_is_wrong() {
    // CONNACK with bad user name or password (MQTT 5, table 3-1), and DISCONNECT with session
    // taken over (section 3.14.2.1).
    let [broker, rest] = listeners().await;
    let (ended, _inputs, _events) = start(options(&broker, &rest), Vec::new(), None);
    let mut stream = accepted(&broker).await;
    packet(&mut stream).await;
    stream.write_all(&[0x20, 3, 0, 0x86, 0]).await.unwrap();
    let text = timeout(LIMIT, ended).await.unwrap().unwrap().unwrap_err().to_string();
    assert!(text.starts_with("`password`: ") && text.contains("`t/app/watch`"), "{text}");
    let (ended, _inputs, _events) = start(options(&broker, &rest), Vec::new(), None);
    let mut stream = let_in(&broker).await;
    stream.write_all(&[0xE0, 2, 0x8E, 0]).await.unwrap();
    let ended = timeout(LIMIT, ended).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(ended, ShellError::Refused(_)), "{ended:?}");
    assert!(ended.to_string().starts_with("`name`: another connection as `watch`"), "{ended}");
}

/// Lets a client in and refuses what it subscribes to (MQTT 5, section 3.9.3: 0x87, not
/// authorized).
async fn refuse_subscription(broker: &TcpListener) -> TcpStream {
    let mut stream = accepted(broker).await;
    packet(&mut stream).await;
    stream.write_all(&[0x20, 3, 0, 0, 0]).await.unwrap();
    let (_, body) = packet(&mut stream).await;
    stream.write_all(&[0x90, 4, body[0], body[1], 0, 0x87]).await.unwrap();
    stream
}

#[tokio::test]
async fn who_may_hear_nothing_at_the_start_ends_and_learns_the_missing_right() {
    let [broker, rest] = listeners().await;
    let (ended, _inputs, _events) = start(options(&broker, &rest), Vec::new(), None);
    let _refusing = refuse_subscription(&broker).await;
    let text = timeout(LIMIT, ended).await.unwrap().unwrap().unwrap_err().to_string();
    for part in ["subscription to t/live/alerts", "`read`", "/api/v1/grants", "app:watch"] {
        assert!(text.contains(part), "{text}");
    }
    // Who was let in once waits for its right to come back.
    let [broker, rest] = listeners().await;
    let (_ended, _inputs, events) = start(options(&broker, &rest), Vec::new(), None);
    let stream = let_in(&broker).await;
    assert_eq!(next(&events).await, ShellEvent::Connected);
    drop(stream);
    assert!(matches!(next(&events).await, ShellEvent::Lost { .. }));
    let _refusing = refuse_subscription(&broker).await;
    assert!(matches!(next(&events).await, ShellEvent::Lost { .. }));
    let _stream = let_in(&broker).await;
    assert_eq!(next(&events).await, ShellEvent::Connected);
}

#[tokio::test]
async fn a_network_that_is_not_there_at_the_start_ends_it() {
    let asks = |number| {
        let path = format!("{NETWORKS}valley");
        let request = Request { number, method: Method::Get, path, body: None, key: None };
        AppOutput::Ask(request)
    };
    for (answers, ends) in [(&["404 Not Found"][..], true), (&["200 OK", "404 Not Found"], false)] {
        let [broker, rest] = listeners().await;
        let all = (1..).take(answers.len()).map(asks).collect();
        let (ended, inputs, _events) = start(options(&broker, &rest), all, None);
        let _stream = let_in(&broker).await;
        for status in answers {
            let mut stream = accepted(&rest).await;
            request(&mut stream).await;
            answer(&mut stream, status, "{}").await;
        }
        if ends {
            let ended = timeout(LIMIT, ended).await.unwrap().unwrap().unwrap_err();
            let text = ended.to_string();
            assert!(text.starts_with("`network`: /api/v1/electric-networks/valley"), "{text}");
            continue;
        }
        assert_eq!(next(&inputs).await.1, AppInput::Connected);
        for expected in [200, 404] {
            let (_, AppInput::Answer(answer)) = next(&inputs).await else { panic!() };
            assert_eq!(answer.status, expected);
        }
    }
}
