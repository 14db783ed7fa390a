//! More clients than there are slots, and clients that guess the token.

use super::*;
use crate::gate::RejectReason;

impl Served {
    /// Few slots, much patience.
    async fn cramped(connections: usize, of_peer: usize) -> Self {
        let bench = Bench::start(ClockSource::Driven).await;
        let gate = Arc::new(Gate::new(GuessLimits::default()));
        Self::with_settings(
            bench,
            Settings {
                listener: Listener::Rest,
                connections,
                of_peer,
                limit: LIMIT,
                gate,
                edge: Edge::default(),
            },
        )
    }

    async fn silent(&self) -> TcpStream {
        TcpStream::connect(self.server.address).await.unwrap()
    }

    /// A client that has shown its token and keeps its connection.
    async fn authenticated(&self) -> TcpStream {
        let mut stream = self.silent().await;
        let request = format!(
            "GET /api/v1/clock HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 15];
        tokio::time::timeout(LIMIT, stream.read_exact(&mut head)).await.unwrap().unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        stream
    }

    fn rejected(&self, reason: RejectReason) -> u64 {
        self.gate.tally.count(Listener::Rest, reason)
    }

    async fn until_rejected(&self, reason: RejectReason, count: u64) {
        let reached = async {
            while self.rejected(reason) < count {
                tokio::task::yield_now().await;
            }
        };
        let limit = tokio::time::timeout(LIMIT, reached).await;
        assert!(limit.is_ok(), "{}: {}", reason.word(), self.rejected(reason));
    }
}

#[tokio::test]
async fn only_health_is_answered_where_every_slot_is_authenticated() {
    let served = Served::cramped(3, 3).await;
    let connected =
        [served.authenticated().await, served.authenticated().await, served.authenticated().await];
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = served.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
    }
    // As everywhere, metrics want the token.
    assert_eq!(served.ask("GET", "/metrics", "", "").await.status, 401);
    let refused = served.get("/api/v1/clock").await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "too_many_connections"));
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert_eq!(served.rejected(RejectReason::FullOfPeer), 1);
    drop(connected);
    let again = async { while served.get("/api/v1/clock").await.status != 200 {} };
    tokio::time::timeout(LIMIT, again).await.expect("their slots are free");
    served.stop().await;
}

#[tokio::test]
async fn silent_connections_give_way_to_requests() {
    let served = Served::cramped(4, 4).await;
    let authenticated = served.authenticated().await;
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(served.silent().await);
    }
    // Thirty-two were admitted to the reserve, and evicted from it for later ones.
    assert_eq!(served.get("/healthz").await.status, 200);
    let asked = async { while served.get("/api/v1/clock").await.status != 200 {} };
    tokio::time::timeout(LIMIT, asked).await.expect("a quarter of a second is over soon");
    assert!(served.rejected(RejectReason::CrowdedOut) >= 60 - 3 - 32);
    // The authenticated connection has kept its slot.
    let mut authenticated = authenticated;
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    authenticated.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let whole = async {
        while !answer.ends_with(b"{\"status\":\"ok\"}") {
            assert!(authenticated.read_buf(&mut answer).await.unwrap() > 0, "it was cut");
        }
    };
    tokio::time::timeout(LIMIT, whole).await.unwrap();
    served.stop().await;
}

/// A burst comes faster than those close that are evicted for it.
#[tokio::test]
async fn health_is_answered_in_a_burst_of_silent_connections() {
    let served = Served::cramped(1, 1).await;
    let _member = served.authenticated().await;
    let mut idle = Vec::new();
    for round in 0..5 {
        for _ in 0..300 {
            idle.push(std::net::TcpStream::connect(served.server.address).unwrap());
        }
        let answer = served.get("/healthz").await;
        assert_eq!(answer.status, 200, "round {round}: {answer:?}");
    }
    assert_eq!(served.rejected(RejectReason::Full), 0);
    drop(idle);
    served.stop().await;
}

#[tokio::test]
async fn a_connection_that_never_completes_a_head_is_counted() {
    let bench = Bench::start(ClockSource::Driven).await;
    let served = Served::with_limits(bench, 8, Duration::from_millis(300));
    let silent = served.silent().await;
    let mut slow = served.silent().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    drop(served.silent().await);
    for reason in [RejectReason::Silent, RejectReason::Slow, RejectReason::GaveUp] {
        served.until_rejected(reason, 1).await;
        assert_eq!(served.rejected(reason), 1, "{}", reason.word());
    }
    // An idle connection that was answered before is nobody's refusal.
    let idle = served.authenticated().await;
    rest_of(idle).await;
    let text = String::from_utf8(served.get("/metrics").await.body).unwrap();
    for reason in ["silent", "slow", "gave_up"] {
        let line =
            format!("lastmeter_connections_refused_total{{door=\"rest\",reason=\"{reason}\"}} 1\n");
        assert!(text.contains(&line), "{text}");
    }
    drop((silent, slow));
    served.stop().await;
}

#[tokio::test]
async fn wrong_tokens_are_answered_late_and_the_right_one_at_once() {
    let bench = Bench::start(ClockSource::Driven).await;
    let limits = GuessLimits { burst: 2, per_minute: 60, wait: Duration::from_secs(4) };
    let gate = Arc::new(Gate::new(limits));
    let served = Arc::new(Served::with_settings(
        bench,
        Settings {
            listener: Listener::Rest,
            connections: 50,
            of_peer: 50,
            limit: LIMIT,
            gate,
            edge: Edge::default(),
        },
    ));
    let guess = "Authorization: Bearer wrong\r\n";
    let mut guesses = Vec::new();
    for _ in 0..20 {
        let served = Arc::clone(&served);
        guesses.push(tokio::spawn(async move {
            served.ask("GET", "/api/v1/clock", guess, "").await.status
        }));
    }
    let counted = async {
        while served.gate.tally.wrong_secrets(Listener::Rest) < 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, counted).await.unwrap();
    assert_eq!(served.get("/api/v1/clock").await.status, 200);
    assert_eq!(served.ask("GET", "/api/v1/clock", "", "").await.status, 401, "no guess at all");
    let waiting = guesses.iter().filter(|guess| !guess.is_finished()).count();
    assert!(waiting >= 10, "{waiting} of them waited longer");
    for guess in guesses {
        assert_eq!(guess.await.unwrap(), 401);
    }
    assert_eq!(served.gate.tally.wrong_secrets(Listener::Rest), 20);
    Arc::into_inner(served).expect("no request under way").stop().await;
}

/// Who does not wait for the answer to a guess must not be able to guess the faster for it.
#[tokio::test]
async fn the_slot_of_a_guesser_that_closes_stays_in_use_as_long() {
    let bench = Bench::start(ClockSource::Driven).await;
    let limits = GuessLimits { burst: 1, per_minute: 60, wait: Duration::from_secs(30) };
    let gate = Arc::new(Gate::new(limits));
    let settings = Settings {
        listener: Listener::Rest,
        connections: 50,
        of_peer: 50,
        limit: LIMIT,
        gate,
        edge: Edge::default(),
    };
    let served = Served::with_settings(bench, settings);
    for number in 1..=10 {
        let mut stream = served.silent().await;
        let request =
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let counted = async {
            while served.gate.tally.wrong_secrets(Listener::Rest) < number {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, counted).await.unwrap();
    }
    let text = String::from_utf8(served.get("/metrics").await.body).unwrap();
    let line = "lastmeter_connections_unknown{door=\"rest\"} ";
    let unauthenticated = text.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    let unauthenticated: u64 = unauthenticated.parse().unwrap();
    assert!(unauthenticated >= 5, "{unauthenticated} of the ten are still there");
    served.stop().await;
}
