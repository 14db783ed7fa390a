//! What is sent outside and read of it, over sinks and sources of this machine.

use std::sync::{Arc, Mutex};

use lastmeter_model::entity::{Body as _, Feed, Notification};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Connection;
use crate::config::{ClockSource, Config};
use crate::tests::commands::put;
use crate::tests::*;

const START: &str = "2027-01-18T17:00:00Z";

fn at(seconds: i64) -> lastmeter_units::SimTime {
    lastmeter_units::SimTime(time(START).0 + seconds * 1_000_000_000)
}

/// A web server that answers with a status, and keeps what it is sent: key and body.
#[derive(Clone)]
struct Sink {
    port: u16,
    status: Arc<Mutex<u16>>,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Sink {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sink = Self { port, status: Arc::new(Mutex::new(200)), taken: Arc::default() };
        let own = sink.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut all = String::new();
                let (head, body) = loop {
                    let mut part = [0; 4096];
                    let count = stream.read(&mut part).await.unwrap();
                    all.push_str(std::str::from_utf8(&part[..count]).unwrap());
                    let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
                    let header = |name: &str| {
                        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                        lines.find(|(of, _)| *of == name).map(|(_, value)| value.to_owned())
                    };
                    let length = header("content-length").map_or(0, |one| one.parse().unwrap());
                    if body.len() >= length {
                        break (header("idempotency-key").unwrap(), body.to_owned());
                    }
                };
                own.taken.lock().unwrap().push((head, serde_json::from_str(&body).unwrap()));
                let answer = format!("HTTP/1.1 {} x\r\nContent-Length: 0\r\n\r\n", own.status());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        sink
    }

    fn status(&self) -> u16 {
        *self.status.lock().unwrap()
    }

    fn taken(&self) -> Vec<(String, Value)> {
        self.taken.lock().unwrap().clone()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
}

/// A platform whose clock is driven, and that sends to a sink.
async fn with(sink: &Sink, more: &str) -> Bench {
    let text = format!("data = \"\"\n[outgoing]\nhosts = [\"127.0.0.1:{}\"]\n{more}", sink.port);
    let config = Config::from_toml(&text).unwrap();
    let bench = Bench::start_with(ClockSource::Driven, |own| {
        own.outgoing = config.outgoing;
        own.connections = config.connections;
    })
    .await;
    bench.core.advance(time(START)).await.unwrap();
    bench
}

async fn rule(bench: &Bench, url: &str, level: &str) {
    let message = json!({ "channel": "webhook", "url": url, "subject": "Peak", "level": level });
    let body = json!({
        "name": "Peak", "then": [{ "message": message }],
        "when": { "threshold": {
            "device": "a", "quantity": "electricity.voltage.rms.l1", "above": 240.0,
        } },
    });
    put(&bench.core, "rule", "r-1", body).await;
}

async fn heard(bench: &Bench, serial: u64, seconds: i64, volts: f64) {
    let mut message = reading("a", Some(serial), volts);
    message.event_date = Some(at(seconds));
    assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), Accepted::Stored);
}

/// All notifications: state, tries, failure.
fn notices(bench: &Bench) -> Vec<(String, u32, Option<String>)> {
    let all = bench.core.documents.bodies::<Notification>();
    let one = |body: &Notification| {
        (body.state.word().to_owned(), body.tries, body.failure.as_ref().map(ToString::to_string))
    };
    all.iter().map(|(_, body)| one(body)).collect()
}

#[tokio::test]
async fn what_a_rule_sends_is_sent_once_under_its_token_through_stops() {
    let sink = Sink::start().await;
    let mut bench = with(&sink, "").await;
    rule(&bench, &sink.url(), "Warning").await;
    heard(&bench, 1, 5, 241.0).await;
    bench.core.advance(at(10)).await.unwrap();
    bench = bench.restart().await;
    bench.core.advance(at(8_000)).await.unwrap();
    let taken = sink.taken();
    let (token, _) = bench.core.documents.bodies::<Notification>().remove(0);
    assert_eq!(taken.len(), 1, "{taken:?}");
    let expected = json!({
        "id": token, "tenant": "default", "subject": "Peak", "text": "", "level": "Warning",
        "cause": "rule:r-1", "at": at(5),
    });
    assert_eq!(taken[0], (token, expected));
    assert_eq!(notices(&bench), [("sent".to_owned(), 1, None)]);
    bench.core.advance(at(31 * 86_400)).await.unwrap();
    heard(&bench, 2, 31 * 86_400 + 1, 230.0).await;
    heard(&bench, 3, 31 * 86_400 + 2, 245.0).await;
    bench.core.advance(at(31 * 86_400 + 5)).await.unwrap();
    assert_eq!(notices(&bench).len(), 1, "the first one is removed after thirty days");
    bench.stop().await;
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_and_given_up() {
    let sink = Sink::start().await;
    let bench = with(&sink, "").await;
    *sink.status.lock().unwrap() = 503;
    rule(&bench, &sink.url(), "Warning").await;
    heard(&bench, 1, 5, 241.0).await;
    let mut counts = Vec::new();
    for seconds in [5, 64, 65, 364, 365, 2_165, 9_365, 90_000] {
        bench.core.advance(at(seconds)).await.unwrap();
        counts.push(sink.taken().len());
    }
    assert_eq!(counts, [1, 1, 2, 2, 3, 4, 5, 5]);
    let taken = sink.taken();
    assert!(taken.iter().all(|one| *one == taken[0]), "the same under the same key: {taken:?}");
    let failure = Some("the answer was 503".to_owned());
    assert_eq!(notices(&bench), [("failed".to_owned(), 5, failure)]);
    bench.stop().await;
}

#[tokio::test]
async fn what_came_of_it_may_be_lost_and_it_is_sent_again_under_the_same_key() {
    let sink = Sink::start().await;
    let bench = with(&sink, "").await;
    let body = json!({
        "channel": "webhook", "to": sink.url(), "subject": "s", "text": "t", "level": "Info",
        "cause": "rule:r", "at": START, "state": "waiting", "next": START,
    });
    put(&bench.core, "notification", "n-1", body).await;
    let (_, body) = bench.core.documents.bodies::<Notification>().remove(0);
    let to = body.to.as_ref().map(ToString::to_string);
    // Killed between the answer of the other side and the commit.
    bench.core.outgoing.attempt("n-1", &body, to).await;
    let bench = bench.restart().await;
    bench.core.advance(at(1)).await.unwrap();
    let taken = sink.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0], taken[1]);
    assert_eq!(notices(&bench), [("sent".to_owned(), 1, None)]);
    bench.stop().await;
}

#[tokio::test]
async fn a_host_that_is_not_named_is_refused_and_not_reached() {
    let (sink, other) = (Sink::start().await, Sink::start().await);
    let bench = with(&sink, "").await;
    // As if the host had been taken from the list since the rule was made.
    rule(&bench, &other.url(), "Critical").await;
    heard(&bench, 1, 5, 241.0).await;
    bench.core.advance(at(10)).await.unwrap();
    let found = notices(&bench);
    assert_eq!((found[0].0.as_str(), found[0].1), ("failed", 1));
    assert!(found[0].2.as_ref().unwrap().contains("is not one of the hosts"), "{found:?}");
    assert!(other.taken().is_empty() && sink.taken().is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn in_quiet_hours_only_what_is_critical_is_sent() {
    let sink = Sink::start().await;
    let bench = with(&sink, "").await;
    let ann = json!({
        "roles": ["user"], "timeZone": "Europe/Rome", "quietFrom": "18:00:00",
        "quietUntil": "07:00:00", "email": "ann@example.org",
    });
    put(&bench.core, "user", "ann", ann).await;
    // 18:00 in Rome; quiet ends at 06:00 UTC.
    for (token, level) in [("n-1", "Error"), ("n-2", "Critical")] {
        let body = json!({
            "owner": "user:ann", "channel": "webhook", "to": sink.url(), "subject": level,
            "text": "", "level": level, "cause": "rule:r", "at": START, "state": "waiting",
            "next": START,
        });
        put(&bench.core, "notification", token, body).await;
    }
    let subjects = || -> Vec<String> {
        sink.taken().iter().map(|(_, body)| body["subject"].as_str().unwrap().to_owned()).collect()
    };
    bench.core.advance(time("2027-01-19T05:59:59Z")).await.unwrap();
    assert_eq!(subjects(), ["Critical"]);
    bench.core.advance(time("2027-01-19T06:00:00Z")).await.unwrap();
    assert_eq!(subjects(), ["Critical", "Error"]);
    // Mail goes nowhere without a server, and is not tried again.
    let body = json!({
        "owner": "user:ann", "channel": "email", "subject": "s", "text": "", "level": "Critical",
        "cause": "rule:r", "at": START, "state": "waiting", "next": START,
    });
    put(&bench.core, "notification", "n-3", body).await;
    bench.core.advance(time("2027-01-19T06:00:01Z")).await.unwrap();
    let failed = ("failed".to_owned(), 1, Some("no mail server is set".to_owned()));
    assert!(notices(&bench).contains(&failed), "{:?}", notices(&bench));
    bench.stop().await;
}

#[tokio::test]
async fn of_one_owner_two_hundred_are_kept() {
    let sink = Sink::start().await;
    let bench = with(&sink, "").await;
    let body = |state: &str, seconds: i64| {
        let when = if state == "waiting" { "next" } else { "settled" };
        let mut body = json!({
            "owner": "user:ann", "channel": "webhook", "to": sink.url(), "subject": "s", "text": "",
            "level": "Info", "cause": "rule:r", "at": START, "state": state,
        });
        body[when] = json!(at(seconds));
        body
    };
    for number in 0..205 {
        put(&bench.core, "notification", &format!("n-{number:03}"), body("sent", number)).await;
    }
    put(&bench.core, "notification", "next", body("waiting", 300)).await;
    bench.core.advance(at(300)).await.unwrap();
    let tokens: Vec<_> =
        bench.core.documents.bodies::<Notification>().into_iter().map(|(token, _)| token).collect();
    // The newest ones, and the one that was sent just now.
    assert_eq!((tokens.len(), tokens[0].as_str()), (201, "n-005"), "{tokens:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_file_becomes_a_feed_whose_past_stays_and_others_feeds_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.csv");
    let head = "start,price\n";
    std::fs::write(&file, format!("{head}2027-01-18T17:00:00Z,0.2\n2027-01-18 18:00:00+00,\n"))
        .unwrap();
    let connection = |name: &str, token: &str| {
        format!(
            "[[connection]]\nname = \"{name}\"\nkind = \"csv\"\nfile = \"{}\"\nevery_s = 900\n\
             columns = {{ at = \"start\", value = \"price\" }}\ninto = {{ feed = {{ token = \
             \"{token}\", name = \"Day ahead\", kind = \"price\", quantity = \"price\", unit = \
             \"EUR/kWh\", last_s = 3600 }} }}\n",
            file.display()
        )
    };
    let sink = Sink::start().await;
    let both = connection("market", "spot") + &connection("other", "own");
    let bench = with(&sink, &both).await;
    let own = json!({
        "name": "Own", "kind": "price", "quantity": "price", "unit": "EUR/kWh",
        "validFrom": START, "validUntil": at(60),
    });
    let feed = |bench: &Bench| {
        let feed = bench.core.documents.body::<Feed>("spot").unwrap();
        let points = feed.points.iter().map(|one| ((one.0.0 - at(0).0) / 1_000_000_000, one.1));
        (points.collect::<Vec<_>>(), (feed.valid_until.0 - at(0).0) / 1_000_000_000)
    };
    assert_eq!(feed(&bench), (vec![(0, Some(0.2)), (3_600, None)], 7_200));
    put(&bench.core, "feed", "own", own.clone()).await;
    std::fs::write(&file, format!("{head}1800295200,0.3\nsoon,1\n")).unwrap();
    bench.core.advance(at(899)).await.unwrap();
    assert_eq!(feed(&bench).0.len(), 2, "it is not read before its time");
    bench.core.advance(at(900)).await.unwrap();
    assert_eq!(feed(&bench), (vec![(0, Some(0.2)), (3_600, Some(0.3))], 7_200));
    let states: Vec<_> = bench.core.outgoing.connections().iter().map(Connection::state).collect();
    assert_eq!((states[0].rows, states[0].refused), (2, 1));
    assert!(states[0].failure.as_ref().unwrap().contains("`soon`"), "{states:?}");
    assert!(states[1].failure.as_ref().unwrap().contains("not of this connection"), "{states:?}");
    assert_eq!(bench.core.documents.body::<Feed>("own").unwrap().name.as_str(), "Own");
    let versions = bench.core.documents.find(Feed::kind(), "spot").unwrap().version;
    bench.core.advance(at(1_800)).await.unwrap();
    let again = bench.core.documents.find(Feed::kind(), "spot").unwrap().version;
    assert_eq!(again, versions, "what has not changed makes no version");
    // The last instant that there is would last beyond it; words of a source are kept short.
    std::fs::write(&file, format!("{head}9223372036,1\n")).unwrap();
    let spot = &bench.core.outgoing.connections()[0];
    let state = bench.core.outgoing.read(spot).await.unwrap();
    assert!(state.failure.unwrap().contains("too late"));
    std::fs::write(&file, format!("{head}{},1\n", "x".repeat(100_000))).unwrap();
    let state = bench.core.outgoing.read(spot).await.unwrap();
    assert!(state.failure.unwrap().len() < 600);
    bench.stop().await;
}

#[tokio::test]
async fn assets_of_two_sources_stand_beside_own_ones_with_their_origin() {
    let folder = tempfile::tempdir().unwrap();
    let connection = |name: &str, rows: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("token,name\n{rows}")).unwrap();
        format!(
            "[[connection]]\nname = \"{name}\"\nkind = \"csv\"\nfile = \"{}\"\ninto = {{ assets = \
             {{ category = \"person\" }} }}\n",
            file.display()
        )
    };
    let sink = Sink::start().await;
    let both = connection("east", "e-1,Ann\ne-2,Bob\n") + &connection("west", "w-1,Eve\ne-1,Fay\n");
    let bench = with(&sink, &both).await;
    let found: Vec<_> = bench.core.documents.bodies::<lastmeter_model::entity::Asset>();
    let one = |(token, body): &(String, Arc<lastmeter_model::entity::Asset>)| {
        format!("{token} {} {}", body.name, body.metadata.0["origin"])
    };
    let found: Vec<_> = found.iter().map(one).collect();
    assert_eq!(found, ["e-1 Ann east", "e-2 Bob east", "w-1 Eve west"]);
    let west = bench.core.outgoing.connections()[1].state();
    assert_eq!((west.rows, west.changed, west.refused), (2, 1, 1), "{west:?}");
    // What others have made of one stays, whatever its source calls it.
    let body = json!({
        "category": "person", "name": "Ann", "user": "ann",
        "metadata": { "origin": "east", "note": "n" },
    });
    put(&bench.core, "asset", "e-1", body).await;
    std::fs::write(folder.path().join("east"), "token,name\ne-1,Anna\n").unwrap();
    bench.core.outgoing.read(&bench.core.outgoing.connections()[0]).await.unwrap();
    let asset = bench.core.documents.body::<lastmeter_model::entity::Asset>("e-1").unwrap();
    assert_eq!((asset.name.as_str(), &*asset.metadata.0["note"]), ("Anna", "n"));
    assert!(asset.user.is_some(), "{asset:?}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_walls_clock_sources_are_read_and_notifications_sent_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, "token,name\np-1,Ann\n").unwrap();
    let sink = Sink::start().await;
    let text = format!(
        "data = \"\"\n[outgoing]\nhosts = [\"127.0.0.1:{}\"]\n[[connection]]\nname = \"people\"\n\
         kind = \"csv\"\nfile = \"{}\"\ninto = {{ assets = {{ category = \"person\" }} }}\n",
        sink.port,
        file.display()
    );
    let config = Config::from_toml(&text).unwrap();
    let bench = Bench::start_with(ClockSource::Wall, |own| {
        own.outgoing = config.outgoing;
        own.connections = config.connections;
    })
    .await;
    let attending = tokio::spawn({
        let core = Arc::clone(&bench.core);
        async move { tokio::join!(core.attend(), core.outgoing.follow()) }
    });
    let now = bench.core.clock.now();
    let body = json!({
        "channel": "webhook", "to": sink.url(), "subject": "s", "text": "t", "level": "Info",
        "cause": "rule:r", "at": now, "state": "waiting", "next": now,
    });
    put(&bench.core, "notification", "n-1", body).await;
    let is_read = || bench.core.documents.body::<lastmeter_model::entity::Asset>("p-1").is_some();
    let is_sent = || notices(&bench) == [("sent".to_owned(), 1, None)];
    let done = async {
        while !(is_read() && is_sent()) {
            tokio::task::yield_now().await;
        }
    };
    let done = tokio::time::timeout(std::time::Duration::from_secs(20), done).await;
    assert!(done.is_ok(), "{:?}", notices(&bench));
    assert_eq!(sink.taken().len(), 1);
    attending.abort();
    bench.stop().await;
}
