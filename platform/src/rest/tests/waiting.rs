//! Waiting for what is not committed yet (`wait_ms`).

use std::sync::Arc;

use super::*;
use crate::tests::bytes;

/// Shorter than the longest wait a client can ask for, so that an answer within it was not the end
/// of that wait.
const EARLY: Duration = Duration::from_secs(8);

type Asking = tokio::task::JoinHandle<Answer>;

impl Served {
    async fn waiting_of(waiters: usize) -> Arc<Self> {
        let bench = Bench::start_with(ClockSource::Wall, |config| {
            config.limits.rest_connections = 2 * waiters;
        });
        Arc::new(Self::with_connections(bench.await, 2 * waiters + 8))
    }

    fn ask_in_background(self: &Arc<Self>, path: &'static str) -> Asking {
        let served = Arc::clone(self);
        tokio::spawn(async move { served.get(path).await })
    }

    async fn waiting(&self) -> usize {
        let text = String::from_utf8(self.get("/metrics").await.body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("lastmeter_rest_waiting "));
        line.expect("a gauge").parse().unwrap()
    }

    /// Returns when that many requests wait.
    async fn until_waiting(&self, count: usize) {
        let reached = async { while self.waiting().await != count {} };
        let limit = tokio::time::timeout(LIMIT, reached).await;
        assert!(limit.is_ok(), "{count} waiting requests never came about");
    }

    async fn end(self: Arc<Self>) {
        let served = Arc::into_inner(self).expect("no request under way");
        served.stop().await;
    }
}

async fn early(asking: Asking) -> Answer {
    tokio::time::timeout(EARLY, asking).await.expect("an answer before its time is over").unwrap()
}

#[tokio::test]
async fn a_request_waits_until_something_after_its_sequence_is_committed() {
    let served = Served::waiting_of(2).await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    // What is there already is given at once.
    let there = served.get("/api/v1/readings?after=0&wait_ms=10000").await.json();
    assert_eq!(there["last"], 1);
    let asking = served.ask_in_background("/api/v1/readings?after=1&wait_ms=10000");
    let further = served.ask_in_background("/api/v1/readings?after=2&wait_ms=10000");
    served.until_waiting(2).await;
    // A refusal is no reading, and a reading before theirs is no news to the second.
    accept(&served.bench.core, b"{".to_vec()).await.unwrap();
    store(&served.bench.core, &[reading("home", Some(2), 2.0)]).await;
    let found = early(asking).await.json();
    assert_eq!((&found["last"], &found["more"]), (&json!(2), &json!(false)));
    assert_eq!(found["results"][0]["serial"], 2);
    assert_eq!(served.waiting().await, 1);
    store(&served.bench.core, &[reading("home", Some(3), 3.0)]).await;
    assert_eq!(early(further).await.json()["results"][0]["serial"], 3);
    served.end().await;
}

#[tokio::test]
async fn refusals_can_be_waited_for_as_well() {
    let served = Served::waiting_of(1).await;
    let asking = served.ask_in_background("/api/v1/refusals?wait_ms=10000");
    served.until_waiting(1).await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    assert_eq!(served.waiting().await, 1);
    accept(&served.bench.core, b"{".to_vec()).await.unwrap();
    assert_eq!(early(asking).await.json()["results"][0]["reason"], "not_json");
    served.end().await;
}

#[tokio::test]
async fn a_wait_that_brings_nothing_ends_empty() {
    let served = Served::waiting_of(1).await;
    let found = served.get("/api/v1/readings?after=7&wait_ms=1").await.json();
    assert_eq!(found, json!({"results": [], "last": 7, "more": false}));
    served.end().await;
}

#[tokio::test]
async fn one_commit_answers_everybody_who_waits_for_it() {
    let served = Served::waiting_of(100).await;
    let asking: Vec<Asking> = (0..100)
        .map(|_| served.ask_in_background("/api/v1/readings?after=0&wait_ms=10000"))
        .collect();
    served.until_waiting(100).await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    for asking in asking {
        assert_eq!(early(asking).await.json()["last"], 1);
    }
    assert_eq!(served.waiting().await, 0);
    served.end().await;
}

#[tokio::test]
async fn no_more_wait_than_may_and_who_goes_away_makes_room() {
    let served = Served::waiting_of(1).await;
    let path = "/api/v1/readings?after=0&wait_ms=10000";
    let mut gone = TcpStream::connect(served.server.address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    gone.write_all(request.as_bytes()).await.unwrap();
    served.until_waiting(1).await;
    let refused = served.get(path).await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "too_many_waiting"));
    // Who does not wait is served.
    assert_eq!(served.get("/api/v1/readings?after=0").await.status, 200);
    drop(gone);
    served.until_waiting(0).await;
    let asking = served.ask_in_background(path);
    served.until_waiting(1).await;
    store(&served.bench.core, &[reading("home", Some(1), 1.0)]).await;
    assert_eq!(early(asking).await.status, 200);
    served.end().await;
}

#[tokio::test]
async fn a_stop_answers_whoever_waits() {
    let served = Served::waiting_of(1).await;
    let address = served.server.address;
    let asking = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /api/v1/readings?wait_ms=10000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        rest_of(stream).await
    });
    served.until_waiting(1).await;
    let served = Arc::into_inner(served).unwrap();
    assert!(served.server.stop(EARLY).await);
    let answer = asking.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"results\":[]"), "{answer}");
    served.bench.stop().await;
}

#[tokio::test]
async fn the_commit_time_is_when_the_commit_was_done() {
    let served = Served::waiting_of(1).await;
    let clock = || served.bench.core.clock.now();
    let committed = |answer: &Value| -> SimTime {
        answer["results"][0]["commit_time"].as_str().unwrap().parse().unwrap()
    };
    let before = clock();
    accept(&served.bench.core, bytes(&reading("home", Some(1), 1.0))).await.unwrap();
    let found = served.ok("/api/v1/readings?after=0&wait_ms=10000").await;
    let answered = clock();
    let at = committed(&found);
    assert!(before < at && at <= answered, "{before} {at} {answered}");
    let began = crate::tests::readings(&served.bench.core).await[0].commit;
    assert!(began < at, "{began} {at}");
    assert_eq!(committed(&served.ok("/api/v1/readings?after=0").await), at, "asked twice");

    // What is left after a restart is when the transaction began.
    let Served { bench, server, process, .. } = Arc::into_inner(served).unwrap();
    drop(process);
    assert!(server.stop(LIMIT).await);
    let served = Served::over(bench.restart().await);
    assert_eq!(committed(&served.ok("/api/v1/readings?after=0").await), began);
    served.stop().await;
}
