//! The floor's arithmetic, and the floor of the embedded platform.

use std::time::Duration;

use lastmeter_link::mqtt::SessionOptions;
use lastmeter_platform::{ClockSource, Config, Platform, Running, Token};
use proptest::prelude::*;

use super::arrivals::Arrivals;
use super::*;

const TOKEN: &str = "secret";

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::from_seed([3; 32])
}

fn plan(messages: u32) -> Plan {
    Plan { messages, pace_ns: 2_000_000, payload_bytes: 64 }
}

#[test]
fn latency_runs_from_when_an_echo_was_due() {
    let plan = plan(4);
    let mut arrivals = Arrivals::new(9, 4);
    // Started at 1 s: due at 1.000, 1.002, 1.004 and 1.006 s.
    for (number, at_ns) in
        [(0, 1_000_100_000), (2, 1_009_000_000), (1, 1_009_000_001), (2, 1_010_000_000)]
    {
        arrivals.take(&plan.payload(9, number), at_ns);
    }
    assert!(!arrivals.is_complete());
    let latencies = arrivals.latencies_ns(&plan, 1_000_000_000);
    assert_eq!(latencies, [100_000, 7_000_001, 5_000_000, i64::MAX]);
    let mut sorted = latencies;
    let summary = Summary::of(&mut sorted).unwrap();
    // Nearest rank of four: the second, the fourth, the fourth.
    assert_eq!((summary.n, summary.p50_ns, summary.p99_ns), (4, 5_000_000, i64::MAX));
    assert_eq!(summary.max_ns, i64::MAX);
}

#[test]
fn what_is_not_an_echo_of_this_measurement_does_not_count() {
    let plan = plan(1);
    let mut arrivals = Arrivals::new(9, 1);
    for foreign in [vec![], vec![9; 15], plan.payload(8, 0), b"{\"hardwareId\":\"x\"}".to_vec()] {
        arrivals.take(&foreign, 1);
    }
    assert!(!arrivals.is_complete() && !arrivals.is_warm());
    arrivals.take(&plan.payload(9, 1), 1);
    assert!(arrivals.is_warm() && !arrivals.is_complete(), "the warm-up is not counted");
    arrivals.take(&plan.payload(9, 0), 1);
    assert!(arrivals.is_complete());
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut arrivals = Arrivals::new(0, 3);
        arrivals.take(&bytes, i64::MIN);
        prop_assert_eq!(arrivals.latencies_ns(&plan(3), i64::MAX).len(), 3);
    }

    #[test]
    fn a_payload_has_its_size_and_is_recognised(bytes in 16_usize..2000, number in 0_u32..50) {
        let plan = Plan { payload_bytes: bytes, ..plan(50) };
        let payload = plan.payload(7, number);
        prop_assert_eq!(payload.len(), bytes);
        let mut arrivals = Arrivals::new(7, 50);
        arrivals.take(&payload, 1_000_000_000);
        let found = arrivals.latencies_ns(&plan, 1_000_000_000)[number as usize];
        prop_assert_eq!(found, -2_000_000 * i64::from(number));
    }
}

async fn platform(folder: &Path) -> Running {
    let config = Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall);
    Platform::start(config).await.unwrap()
}

fn options(address: &str) -> FloorOptions {
    let session = |client: &str| SessionOptions::new(address, client, "default", TOKEN);
    FloorOptions {
        messages: 50,
        probes: 10,
        connect_limit: Duration::from_secs(2),
        ..FloorOptions::new(session("floor-out"), session("floor-in"))
    }
}

fn ordered(summary: Summary) -> bool {
    0 < summary.p50_ns
        && summary.p50_ns <= summary.p99_ns
        && summary.p99_ns <= summary.p999_ns
        && summary.p999_ns <= summary.max_ns
}

#[tokio::test]
async fn the_embedded_platforms_floor_is_measured_by_echoes_that_it_does_not_store() {
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(folder.path()).await;
    let options = options(&platform.mqtt_address().to_string());
    let floor = measure(&options, rng()).await.unwrap();
    let echo = floor.echo.unwrap();
    assert_eq!((floor.timer.n, echo.n), (10, 50));
    assert!(ordered(floor.timer) && ordered(echo), "{floor:?}");
    assert!(echo.max_ns < i64::MAX, "none is lost: {floor:?}");
    assert_eq!(floor.echo_kind, "MQTT QoS 1 on `default/echo/floor-out`, 1300 bytes every 2ms");
    let rest =
        lastmeter_link::http::Client::new(&format!("http://{}", platform.rest_address()), TOKEN);
    let metrics = rest.unwrap().get_text("/metrics").await.unwrap();
    for line in [
        "lastmeter_broker_publications_echoed_total 70",
        "lastmeter_broker_publications_refused_total 0",
        "lastmeter_accepted_total 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn a_broker_without_echoes_is_replaced_by_loopback_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(folder.path()).await;
    let options = options(&platform.mqtt_address().to_string());
    for (topic, why) in [
        ("elsewhere/echo/floor-out", "refused the subscription"),
        ("default/echo/somebody", "nothing published"),
    ] {
        let options = FloorOptions { topic: Some(topic.to_owned()), ..options.clone() };
        let floor = measure(&options, rng()).await.unwrap();
        let echo = floor.echo.unwrap();
        assert!(echo.n == 50 && ordered(echo) && echo.max_ns < i64::MAX, "{floor:?}");
        assert!(floor.echo_kind.starts_with("TCP on loopback, "), "{}", floor.echo_kind);
        assert!(floor.echo_kind.contains(why), "{}", floor.echo_kind);
    }
    assert!(platform.shutdown().await);
}

#[tokio::test]
async fn a_broker_that_is_not_there_or_does_not_let_us_in_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(folder.path()).await;
    let mut wrong = options(&platform.mqtt_address().to_string());
    wrong.subscriber.password = "wrong".to_owned();
    let error = measure(&wrong, rng()).await.unwrap_err().to_string();
    assert!(error.contains("subscriber") && error.contains("bad user name or password"), "{error}");
    let address = platform.mqtt_address().to_string();
    assert!(platform.shutdown().await);
    let error = measure(&options(&address), rng()).await.unwrap_err().to_string();
    assert!(error.contains(&address), "{error}");
}

#[tokio::test]
async fn echoes_that_get_lost_count_as_infinitely_late() {
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(folder.path()).await;
    let address = platform.mqtt_address().to_string();
    let options =
        FloorOptions { messages: 1000, grace: Duration::from_millis(200), ..options(&address) };
    let measuring = tokio::spawn(async move { measure(&options, rng()).await });
    // Once the first echoes are through, the broker goes away.
    let rest =
        lastmeter_link::http::Client::new(&format!("http://{}", platform.rest_address()), TOKEN)
            .unwrap();
    loop {
        let metrics = rest.get_text("/metrics").await.unwrap();
        let echoed = metrics
            .lines()
            .find_map(|line| line.strip_prefix("lastmeter_broker_publications_echoed_total "));
        if echoed.unwrap().parse::<u32>().unwrap() > 100 {
            break;
        }
    }
    platform.shutdown().await;
    let floor = measuring.await.unwrap().unwrap();
    let echo = floor.echo.unwrap();
    assert_eq!((echo.n, echo.max_ns), (1000, i64::MAX));
    assert_eq!(floor.p99_ns(), i64::MAX);
}
