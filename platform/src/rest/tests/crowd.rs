//! More clients than there are seats, and clients that guess the token.

use super::*;
use crate::gate::Turned;

impl Served {
    /// Few seats, much patience.
    async fn cramped(connections: usize, of_peer: usize) -> Self {
        let bench = Bench::start(ClockSource::Driven).await;
        let gate = Arc::new(Gate::new(GuessLimits::default()));
        Self::with_settings(
            bench,
            Settings { door: Door::Rest, connections, of_peer, limit: LIMIT, gate },
        )
    }

    async fn silent(&self) -> TcpStream {
        TcpStream::connect(self.server.address()).await.unwrap()
    }

    /// A client that has shown its token and keeps its connection.
    async fn member(&self) -> TcpStream {
        let mut stream = self.silent().await;
        let request = format!(
            "GET /api/v1/clock HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 15];
        tokio::time::timeout(LIMIT, stream.read_exact(&mut head)).await.unwrap().unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        stream
    }

    fn turned_away(&self, reason: Turned) -> u64 {
        self.gate.tally.count(Door::Rest, reason)
    }

    async fn until_turned_away(&self, reason: Turned, count: u64) {
        let reached = async {
            while self.turned_away(reason) < count {
                tokio::task::yield_now().await;
            }
        };
        let limit = tokio::time::timeout(LIMIT, reached).await;
        assert!(limit.is_ok(), "{}: {}", reason.word(), self.turned_away(reason));
    }
}

#[tokio::test]
async fn health_is_answered_where_every_seat_is_a_members_and_nothing_else_is() {
    let served = Served::cramped(3, 3).await;
    let members = [served.member().await, served.member().await, served.member().await];
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
    assert_eq!(served.turned_away(Turned::FullOfPeer), 1);
    drop(members);
    let again = async { while served.get("/api/v1/clock").await.status != 200 {} };
    tokio::time::timeout(LIMIT, again).await.expect("their seats are free");
    served.stop().await;
}

#[tokio::test]
async fn silent_connections_give_their_seats_to_whoever_asks_for_something() {
    let served = Served::cramped(4, 4).await;
    let member = served.member().await;
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(served.silent().await);
    }
    // Thirty-two found a place in the anteroom, and left it to those who came later.
    assert_eq!(served.get("/healthz").await.status, 200);
    let asked = async { while served.get("/api/v1/clock").await.status != 200 {} };
    tokio::time::timeout(LIMIT, asked).await.expect("a quarter of a second is over soon");
    assert!(served.turned_away(Turned::CrowdedOut) >= 60 - 3 - 32);
    // The member has its seat all the same.
    let mut member = member;
    let request =
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    member.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let whole = async {
        while !answer.ends_with(b"{\"status\":\"ok\"}") {
            assert!(member.read_buf(&mut answer).await.unwrap() > 0, "it was cut");
        }
    };
    tokio::time::timeout(LIMIT, whole).await.unwrap();
    served.stop().await;
}

/// A burst comes faster than those go who are sent away for it.
#[tokio::test]
async fn a_burst_of_silent_connections_does_not_turn_health_away() {
    let served = Served::cramped(1, 1).await;
    let _member = served.member().await;
    let mut crowd = Vec::new();
    for round in 0..5 {
        for _ in 0..300 {
            crowd.push(std::net::TcpStream::connect(served.server.address()).unwrap());
        }
        let answer = served.get("/healthz").await;
        assert_eq!(answer.status, 200, "round {round}: {answer:?}");
    }
    assert_eq!(served.turned_away(Turned::Full), 0);
    drop(crowd);
    served.stop().await;
}

#[tokio::test]
async fn who_never_got_to_the_end_of_a_head_is_counted() {
    let bench = Bench::start(ClockSource::Driven).await;
    let served = Served::with_limits(bench, 8, Duration::from_millis(300));
    let silent = served.silent().await;
    let mut slow = served.silent().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    drop(served.silent().await);
    for reason in [Turned::Silent, Turned::Slow, Turned::GaveUp] {
        served.until_turned_away(reason, 1).await;
        assert_eq!(served.turned_away(reason), 1, "{}", reason.word());
    }
    // An idle connection that was answered before is nobody's refusal.
    let idle = served.member().await;
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
        Settings { door: Door::Rest, connections: 50, of_peer: 50, limit: LIMIT, gate },
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
        while served.gate.tally.wrong_secrets(Door::Rest) < 20 {
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
    assert_eq!(served.gate.tally.wrong_secrets(Door::Rest), 20);
    Arc::into_inner(served).expect("no request under way").stop().await;
}

/// Who does not wait for the answer to a guess must not be able to guess the faster for it.
#[tokio::test]
async fn a_guesser_that_goes_away_leaves_its_seat_taken_as_long() {
    let bench = Bench::start(ClockSource::Driven).await;
    let limits = GuessLimits { burst: 1, per_minute: 60, wait: Duration::from_secs(30) };
    let gate = Arc::new(Gate::new(limits));
    let settings = Settings { door: Door::Rest, connections: 50, of_peer: 50, limit: LIMIT, gate };
    let served = Served::with_settings(bench, settings);
    for number in 1..=10 {
        let mut stream = served.silent().await;
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let counted = async {
            while served.gate.tally.wrong_secrets(Door::Rest) < number {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, counted).await.unwrap();
    }
    let text = String::from_utf8(served.get("/metrics").await.body).unwrap();
    let line = "lastmeter_connections_unknown{door=\"rest\"} ";
    let guests = text.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    let guests: u64 = guests.parse().unwrap();
    assert!(guests >= 5, "{guests} of the ten are still there");
    served.stop().await;
}
