//! Requests through proxies, under foreign names, too many of them, and those that browsers send.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue};

use super::*;
use crate::config::{Config, Network};
use crate::gate::Rate;
use crate::rest::routes::all;

/// An edge with these settings and without TLS.
fn edge(bench: &Bench, change: impl FnOnce(&mut Config)) -> Edge {
    let mut config = bench.config.clone();
    change(&mut config);
    let port = Arc::new(crate::tenants::Tenants::of(Arc::clone(&bench.core)));
    Edge::of(&config, None, port).unwrap()
}

/// This machine's own addresses, as a proxy.
fn own() -> Vec<Network> {
    vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]
}

impl Served {
    pub(super) async fn behind(gate: Gate, change: impl FnOnce(&mut Config)) -> Self {
        let bench = Bench::start_with(ClockSource::Driven, |config| {
            // What the examples name; its file is not there.
            let market = "data = \"\"\n[[connection]]\nname = \"market\"\nkind = \"csv\"\n\
                          file = \"none.csv\"\ninto = { assets = { category = \"person\" } }";
            config.connections = Config::from_toml(market).unwrap().connections;
        })
        .await;
        let edge = edge(&bench, change);
        let gate = Arc::new(gate);
        let settings = Settings {
            listener: Listener::Rest,
            connections: 8,
            of_peer: 8,
            limit: LIMIT,
            gate,
            edge,
        };
        Self::with_settings(bench, settings)
    }

    async fn get_for(&self, from: &str, path: &str) -> Answer {
        let headers = format!("Authorization: Bearer {TOKEN}\r\nX-Forwarded-For: {from}\r\n");
        self.ask("GET", path, &headers, "").await
    }
}

async fn under(served: &Served, target: &str, version: &str, hosts: &str) -> u16 {
    let request = format!(
        "GET {target} HTTP/{version}\r\n{hosts}Authorization: Bearer {TOKEN}\r\n\
         Connection: close\r\n\r\n"
    );
    served.raw(request.as_bytes()).await.status
}

#[tokio::test]
async fn on_the_loopback_only_names_of_the_loopback_are_answered() {
    let served = Served::start().await;
    for path in ["/healthz", "/readyz", "/api-doc", "/openapi.json", "/api/v1/clock"] {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:8080", "[::1]:1"] {
            let status = under(&served, path, "1.1", &format!("Host: {host}\r\n")).await;
            assert_eq!(status, 200, "{path} {host}");
        }
        for host in [
            "x",
            "meter.example",
            "localhost.meter.example",
            "a@localhost",
            "192.0.2.1",
            "",
            "[::2]",
        ] {
            let status = under(&served, path, "1.1", &format!("Host: {host}\r\n")).await;
            assert_eq!(status, 421, "{path} {host}");
        }
    }
    let two = "Host: localhost\r\nHost: meter.example\r\n";
    assert_eq!(under(&served, "/healthz", "1.1", two).await, 400);
    assert_eq!(under(&served, "/healthz", "1.1", "").await, 400);
    assert_eq!(
        under(&served, "/healthz", "1.0", "").await,
        200,
        "of HTTP/1.0 it need not have one"
    );
    let whole = "http://meter.example/healthz";
    assert_eq!(under(&served, whole, "1.1", "Host: localhost\r\n").await, 421);
    let answer = served.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(answer.problem(), "not_this_host");
    served.stop().await;
    let served =
        Served::behind(Gate::new(GuessLimits::default()), |config| config.behind_proxy = true)
            .await;
    assert_eq!(under(&served, "/healthz", "1.1", "Host: meter.example\r\n").await, 200);
    served.stop().await;
}

#[tokio::test]
async fn only_what_trusted_proxies_report_is_believed() {
    let bench = Bench::start(ClockSource::Driven).await;
    let edge = edge(&bench, |config| config.trusted_proxies = own());
    let sender = |peer: &str, reported: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in reported {
            headers.append("X-Forwarded-For", HeaderValue::from_str(value).unwrap());
        }
        edge.sender(peer.parse().unwrap(), &headers).to_string()
    };
    for (peer, reported, expected) in [
        ("203.0.113.1", &["192.0.2.1"][..], "203.0.113.1"),
        ("127.0.0.1", &[], "127.0.0.1"),
        ("127.0.0.1", &["192.0.2.1"], "192.0.2.1"),
        // What stands left of the right-most stranger is the stranger's.
        ("127.0.0.1", &["127.0.0.1, 192.0.2.9, 192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", &["192.0.2.9", "192.0.2.1, 10.1.2.3"], "192.0.2.1"),
        ("::ffff:10.0.0.1", &["192.0.2.1:4711,[2001:db8::1]:443"], "2001:db8::1"),
        ("127.0.0.1", &["[2001:db8::2]"], "2001:db8::2"),
        ("127.0.0.1", &["192.0.2.1, nobody, 10.0.0.2"], "10.0.0.2"),
        ("127.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
    ] {
        assert_eq!(sender(peer, reported), expected, "{peer} {reported:?}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn an_address_that_sends_too_many_requests_gets_429_and_others_do_not() {
    let rate = |burst| Rate { per_second: 1, burst };
    let gate = Gate::new(GuessLimits::default()).with_rates(rate(3), rate(1000));
    let served = Served::behind(gate, |config| config.trusted_proxies = own()).await;
    let ask = async |from: &str, path: &str| {
        served.ask("GET", path, &format!("X-Forwarded-For: {from}\r\n"), "").await
    };
    for (path, status) in [("/api/v1/clock", 401), ("/api-doc", 200), ("/no/such/path", 401)] {
        assert_eq!(ask("192.0.2.1", path).await.status, status, "{path}");
    }
    for path in ["/api/v1/clock", "/api-doc", "/no/such/path"] {
        // On a busy machine there may be one again.
        let mut refused = ask("192.0.2.1", path).await;
        while refused.status != 429 {
            refused = ask("192.0.2.1", path).await;
        }
        assert_eq!((refused.status, refused.problem().as_str()), (429, "too_many_requests"));
        assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    }
    assert_eq!(ask("192.0.2.1", "/healthz").await.status, 200);
    assert_eq!(ask("192.0.2.2", "/api-doc").await.status, 200);
    // The bench, from there and on this machine.
    for _ in 0..20 {
        assert_eq!(served.get_for("192.0.2.1", "/api/v1/clock").await.status, 200);
        assert_eq!(ask("127.0.0.1", "/api-doc").await.status, 200);
    }
    let metrics = String::from_utf8(served.get("/metrics").await.body).unwrap();
    assert!(!metrics.contains("lastmeter_too_many_requests_total 0\n"), "{metrics}");
    served.stop().await;
}

#[tokio::test]
async fn who_guesses_through_a_proxy_shuts_out_itself_alone() {
    let limits = GuessLimits { burst: 1, per_minute: 1, wait: Duration::ZERO };
    let served = Served::behind(Gate::new(limits), |config| config.trusted_proxies = own()).await;
    let guess = "Authorization: Bearer wrong\r\nX-Forwarded-For: 192.0.2.1\r\n";
    let statuses = [
        served.ask("GET", "/api/v1/clock", guess, "").await.status,
        served.ask("GET", "/api/v1/clock", guess, "").await.status,
        served.get_for("192.0.2.1", "/api/v1/clock").await.status,
        served.get_for("192.0.2.2", "/api/v1/clock").await.status,
    ];
    assert_eq!(statuses, [401, 401, 429, 200]);
    let from: IpAddr = "192.0.2.1".parse().unwrap();
    assert!(served.gate.is_shut_for(Listener::Rest, from));
    served.stop().await;
}

#[tokio::test]
async fn a_browser_is_never_asked_for_a_password() {
    let served = Served::start().await;
    for route in all() {
        let path = route.path.replace(['{', '}'], "");
        let headers = "Sec-Fetch-Mode: cors\r\nContent-Type: application/json\r\n";
        let answer = served.ask(route.method.word(), &path, headers, "{}").await;
        assert!(!answer.head.contains("www-authenticate: basic"), "{path}: {}", answer.head);
    }
    served.stop().await;
}

#[tokio::test]
async fn what_changes_something_has_to_be_declared_as_json() {
    let served = Served::start().await;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for route in all().filter(|route| route.method.is_declared()) {
        let path = route.path.replace(['{', '}'], "");
        for (kind, body) in [
            ("", ""),
            ("", "{}"),
            ("Content-Type: text/plain\r\n", "{}"),
            ("Content-Type: application/x-www-form-urlencoded\r\n", "{}"),
            ("Content-Type: multipart/form-data; boundary=application/json\r\n", "{}"),
        ] {
            let headers = format!("{token}{kind}");
            let answer = served.ask(route.method.word(), &path, &headers, body).await;
            assert_eq!(answer.status, 415, "{path} {kind}");
            assert_eq!(answer.problem(), "not_json_content");
        }
        let headers = format!("{token}Content-Type: Application/JSON; charset=utf-8\r\n");
        let answer = served.ask(route.method.word(), &path, &headers, "{}").await;
        // An import is no JSON, and its route states that.
        let is_import = path == "/api/v1/import";
        assert_eq!(answer.status == 415, is_import, "{path}");
    }
    served.stop().await;
}
