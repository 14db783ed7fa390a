//! How `serve` ends, and what is there afterwards: stopped amid clients that take nothing, and
//! killed amid many that send.
#![expect(clippy::disallowed_methods, reason = "how long a process takes is the machine's time")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lastmeter_link::http::Client;
use lastmeter_link::mqtt::{Session, SessionEvent, SessionOptions};
use serde_json::Value;

use crate::bench::{call, lastmeter, signal};
use crate::crowds::subscribe_and_read_nothing;
use crate::repeats::Served;

/// The longest that any one thing may take.
const LIMIT: Duration = Duration::from_mins(1);
const TOPIC: &str = "default/SiteWhere/input/json";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn serve(folder: &Path) -> Served {
    serve_with(folder, &[])
}

fn serve_with(folder: &Path, options: &[&str]) -> Served {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let any = "127.0.0.1:0";
    Served::start_with(&folder.join("data"), any, any, log.into(), options)
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap()
}

fn reading(device: &str, serial: u64) -> Vec<u8> {
    format!(
        r#"{{"hardwareId":"{device}","type":"DeviceMeasurements","request":{{"measurements":{{
        "electricity.frequency":{}}},"metadata":{{"serial":"{serial}","epoch":"1"}}}}}}"#,
        50.0 + serial as f64 / 1000.0
    )
    .into_bytes()
}

/// Sends readings until the connection is lost or all have their PUBACK; how many have, which is
/// added to `heard` as they come.
async fn send(
    mqtt: String,
    device: String,
    from: u64,
    readings: u64,
    heard: Arc<AtomicU64>,
) -> u64 {
    const WINDOW: u64 = 20;
    let (session, mut events) =
        Session::open(SessionOptions::new(&mqtt, &device, "default", "secret"));
    let (mut sent, mut acknowledged) = (0, 0);
    while acknowledged < readings {
        let event = tokio::time::timeout(LIMIT, events.recv()).await.expect("something happens");
        match event.expect("a session") {
            SessionEvent::Connected | SessionEvent::TakenOver | SessionEvent::Received { .. } => {}
            SessionEvent::Refused { refusal, .. } => panic!("{refusal:?}"),
            SessionEvent::Acknowledged { .. } => {
                acknowledged += 1;
                heard.fetch_add(1, Ordering::Relaxed);
            }
            SessionEvent::Disconnected { .. } => break,
        }
        while sent < readings && sent < acknowledged + WINDOW {
            let serial = from + sent;
            // If the connection is gone, an event reports it.
            let _ = session.publish(serial, TOPIC, reading(&device, serial).into()).await;
            sent += 1;
        }
    }
    acknowledged
}

/// Waits until so many readings have their PUBACK.
fn until_heard(heard: &AtomicU64, count: u64) {
    let begun = Instant::now();
    while heard.load(Ordering::Relaxed) < count {
        assert!(begun.elapsed() < LIMIT, "{heard:?} of {count}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Serials by device, and every row once.
async fn stored(rest: &str) -> BTreeMap<String, BTreeSet<u64>> {
    let client = Client::new(rest, "secret").unwrap();
    let (mut after, mut all) = (0, BTreeMap::<String, BTreeSet<u64>>::new());
    loop {
        let path = format!("/api/v1/readings?after={after}&limit=500");
        let page: Value = client.get_json(&path).await.unwrap();
        for row in page["results"].as_array().unwrap() {
            let (device, serial) =
                (row["device"].as_str().unwrap(), row["serial"].as_u64().unwrap());
            let value = row["values"]["electricity.frequency"].as_f64();
            assert_eq!(value, Some(50.0 + serial as f64 / 1000.0), "{row}");
            let is_new = all.entry(device.to_owned()).or_default().insert(serial);
            assert!(is_new, "twice: {row}");
        }
        after = page["last"].as_u64().unwrap();
        if page["more"] != true {
            return all;
        }
    }
}

/// Nothing is missing, and nothing is reported as missing that is there.
async fn assert_ready(rest: &str) {
    let client = Client::new(rest, "secret").unwrap();
    let losses: Value = client.get_json("/api/v1/losses").await.unwrap();
    assert_eq!(losses["results"].as_array().unwrap().len(), 0, "{losses}");
    client.get_text("/readyz").await.unwrap();
}

/// Waits for the end; how it ended and how long it took.
fn end_of(served: &mut Served) -> (ExitStatus, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(status) = served.child.try_wait().unwrap() {
            return (status, begun.elapsed());
        }
        assert!(begun.elapsed() < LIMIT, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Clients that hold their connections and take nothing: at MQTT one for which much waits, at REST
/// one with half a head and one that never reads what it asked for.
fn deaf_clients(served: &Served) -> [TcpStream; 3] {
    let deaf = subscribe_and_read_nothing(&served.mqtt, "secret", "deaf", "default/echo/#");
    let rest = || TcpStream::connect(served.rest.trim_start_matches("http://")).unwrap();
    let (mut half, mut unread) = (rest(), rest());
    half.write_all(b"GET /api/v1/readings HTTP/1.1\r\nHost: localhost\r\nAuthor").unwrap();
    let request = "GET /api/v1/readings?limit=500 HTTP/1.1\r\nHost: localhost\r\n\
                   Authorization: Bearer secret\r\n\r\n";
    unread.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // As many as it takes until nothing goes into either direction.
    while unread.write_all(request.repeat(100).as_bytes()).is_ok() {}
    [deaf, half, unread]
}

#[test]
fn a_stop_amid_clients_that_take_nothing_is_orderly_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    // They may take longer than the platform has for stopping.
    let mut served = serve_with(folder.path(), &["--limit", "rest_header_s=60"]);
    let heard = Arc::<AtomicU64>::default();
    let send = |device: &str, readings| {
        send(served.mqtt.clone(), device.to_owned(), 1, readings, Arc::clone(&heard))
    };
    assert_eq!(runtime.block_on(send("early", 200)), 200);
    let mut deaf = deaf_clients(&served);
    runtime.block_on(async {
        let options = SessionOptions::new(&served.mqtt, "loud", "default", "secret");
        let (session, mut events) = Session::open(options);
        let first = tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap();
        assert_eq!(first, SessionEvent::Connected);
        for message in 1..=100 {
            let payload = vec![b'x'; 64 * 1024];
            session.publish(message, "default/echo/loud", payload.into()).await.unwrap();
        }
        let mut echoed = 0;
        while echoed < 100 {
            let event = tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap();
            echoed += usize::from(matches!(event, SessionEvent::Acknowledged { .. }));
        }
    });
    let late = runtime.spawn(send("late", 1_000_000));
    until_heard(&heard, 220);
    signal(&served.child, "TERM");
    let (status, took) = end_of(&mut served);
    let late = runtime.block_on(late).unwrap();
    println!("ended after {took:?}; {late} late readings were acknowledged");
    let text = log(folder.path());
    assert!(status.success(), "{status}: {text}");
    assert!(!text.contains("could not store"), "{text}");
    // They were let go.
    let mut rest = Vec::new();
    deaf[1].set_read_timeout(Some(LIMIT)).unwrap();
    let _ = deaf[1].read_to_end(&mut rest);
    let served = serve(folder.path());
    runtime.block_on(async {
        let stored = stored(&served.rest).await;
        assert_eq!(stored["early"], (1..=200).collect());
        let there = stored.get("late").map_or(0, BTreeSet::len) as u64;
        assert!(there >= late, "{there} of {late}");
        assert_ready(&served.rest).await;
    });
}

#[test]
fn kills_amid_many_senders_lose_nothing_and_raise_no_false_alarm() {
    const SENDERS: u64 = 8;
    const ROUNDS: u64 = 5;
    const EACH: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let mut acknowledged = BTreeMap::<(u64, u64), u64>::new();
    for round in 0..ROUNDS {
        let mut served = serve(folder.path());
        runtime.block_on(assert_ready(&served.rest));
        let heard = Arc::<AtomicU64>::default();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (mqtt, device) = (served.mqtt.clone(), format!("home-{sender}"));
                runtime.spawn(send(mqtt, device, 1 + round * EACH, EACH, Arc::clone(&heard)))
            })
            .collect();
        // Each time at another moment.
        until_heard(&heard, 100 + 137 * round);
        served.child.kill().unwrap();
        assert_eq!(served.child.wait().unwrap().signal(), Some(9));
        for (sender, sending) in (0..).zip(senders) {
            acknowledged.insert((sender, round), runtime.block_on(sending).unwrap());
        }
    }
    let served = serve(folder.path());
    runtime.block_on(assert_ready(&served.rest));
    let stored = runtime.block_on(stored(&served.rest));
    let total: u64 = acknowledged.values().sum();
    let there: usize = stored.values().map(BTreeSet::len).sum();
    println!("{total} readings were acknowledged before {ROUNDS} kills, {there} are stored");
    for ((sender, round), count) in acknowledged {
        let serials = &stored[&format!("home-{sender}")];
        let first = 1 + round * EACH;
        let missing: Vec<u64> =
            (first..first + count).filter(|serial| !serials.contains(serial)).collect();
        assert!(missing.is_empty(), "round {round}, sender {sender}: {missing:?}");
    }
}

/// Whether a meter gets in with this password.
async fn opens_mqtt(mqtt: &str, password: &str) -> bool {
    let (_session, mut events) =
        Session::open(SessionOptions::new(mqtt, "meter", "default", password));
    let first = tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap();
    first == SessionEvent::Connected
}

async fn opens_rest(rest: &str, token: &str) -> bool {
    let client = Client::new(rest, token).unwrap();
    client.get_json::<Value>("/sitewhere/api/devices").await.is_ok()
}

#[test]
fn one_secret_alone_serves_both_doors_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let served = serve(folder.path());
    runtime().block_on(async {
        assert!(opens_mqtt(&served.mqtt, "secret").await);
        assert!(opens_rest(&served.rest, "secret").await);
        assert!(!opens_mqtt(&served.mqtt, "another").await);
        assert!(!opens_rest(&served.rest, "another").await);
    });
    let text = log(folder.path());
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains("device_token")).collect();
    assert_eq!(warnings.len(), 1, "{text}");
    assert!(warnings[0].contains("WARN"), "{text}");
    assert!(!text.contains("secret\""), "no secret is in the log: {text}");
}

#[test]
fn secrets_that_cannot_be_are_rejected_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data_text = data.to_str().unwrap();
    for (secrets, words) in [
        (&["--token", "same", "--device-token", "same"][..], "device_token"),
        (&["--token", "one", "--device-token", ""], "device_token"),
        (&["--token", ""], "token"),
    ] {
        let done = call(&[&["serve", "--data", data_text][..], secrets].concat());
        assert_eq!(done.code, 2, "{secrets:?}: {done:?}");
        assert!(done.stderr.contains(words), "{secrets:?}: {done:?}");
        assert!(!data.exists(), "{secrets:?}");
    }
    // The meters' secret from the environment, the token from the file.
    let file = folder.path().join("platform.toml");
    let text = format!(
        "data = {data_text:?}\ntoken = \"one\"\nmqtt_address = \"127.0.0.1:0\"\n\
         rest_address = \"127.0.0.1:0\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let child = lastmeter()
        .args(["serve", "--until-stdin-closes", "--config"])
        .arg(&file)
        .env("LASTMETER_DEVICE_TOKEN", "two")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let log = String::from_utf8_lossy(&child.stderr);
    assert!(!log.contains("one secret"), "{log}");
}

#[test]
fn without_a_token_a_start_prints_a_one_time_password_of_the_first_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let child = lastmeter()
            .args(["serve", "--until-stdin-closes", "--mqtt", "127.0.0.1:0", "--rest"])
            .args(["127.0.0.1:0", "--data"])
            .arg(folder.path())
            .env_remove("LASTMETER_TOKEN")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        let log = String::from_utf8_lossy(&child.stderr).into_owned();
        let (_, behind) = log.split_once("one-time password ").unwrap();
        behind.split(' ').next().unwrap().to_owned()
    };
    let (first, second) = (start(), start());
    assert!(first.len() == 32 && second.len() == 32, "{first} {second}");
    assert_ne!(first, second, "as long as nobody has replaced it, each start has its own");
}
