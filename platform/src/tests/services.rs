//! Services over the shell: in order, exactly once through stops, and nothing where nothing asks.

use lastmeter_model::entity::Alarm;
use lastmeter_model::row::AlertRow;
use serde_json::json;

use super::commands::put;
use super::*;

const START: &str = "2027-01-18T17:00:00Z";

fn at(seconds: i64) -> SimTime {
    SimTime(time(START).0 + seconds * 1_000_000_000)
}

async fn watched(bench: &Bench, devices: &[&str], seconds: u32) {
    let body = json!({ "name": "Meter", "presenceAfter": seconds });
    put(&bench.core, "specification", "watched", body).await;
    for device in devices {
        put(
            &bench.core,
            "device",
            device,
            json!({
                "specificationToken": "watched", "status": "registered", "visibility": "private",
            }),
        )
        .await;
    }
}

async fn heard(bench: &Bench, device: &str, serial: u64, seconds: i64) {
    let mut message = reading(device, Some(serial), 230.0);
    message.event_date = Some(at(seconds));
    assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), Accepted::Stored);
}

fn shown(alerts: &[AlertRow]) -> Vec<(String, String, i64)> {
    let one = |row: &AlertRow| {
        let seconds = (row.event.0 - time(START).0) / 1_000_000_000;
        (row.kind.clone(), row.metadata["device"].clone(), seconds)
    };
    alerts.iter().map(one).collect()
}

fn missing(device: &str, seconds: i64) -> (String, String, i64) {
    ("presence.missing".to_owned(), device.to_owned(), seconds)
}

fn present(device: &str, seconds: i64) -> (String, String, i64) {
    ("presence.present".to_owned(), device.to_owned(), seconds)
}

async fn started() -> Bench {
    let bench = Bench::start(ClockSource::Driven).await;
    bench.core.advance(time(START)).await.unwrap();
    bench
}

/// Two devices: one falls silent twice, the other once, within spans of the clock of any length.
async fn two_silences(bench: Bench, stops: &[i64], restarts: bool) -> Vec<AlertRow> {
    let mut bench = bench;
    watched(&bench, &["a", "b"], 20).await;
    let readings = [("a", 5), ("b", 9), ("a", 15), ("b", 19), ("b", 30), ("a", 61), ("b", 95)];
    let mut sent = 0;
    for stop in stops {
        for (device, seconds) in &readings[sent..] {
            if *seconds > *stop {
                break;
            }
            sent += 1;
            heard(&bench, device, sent as u64, *seconds).await;
        }
        bench.core.advance(at(*stop)).await.unwrap();
        if restarts {
            bench = bench.restart().await;
        }
    }
    let found = alerts(&bench.core).await;
    bench.stop().await;
    found
}

#[tokio::test]
async fn silence_is_noticed_at_its_instant_whatever_the_steps_and_stops() {
    let expected =
        [missing("a", 35), missing("b", 50), present("a", 61), missing("a", 81), present("b", 95)];
    for stops in [&[114][..], &[10, 50, 60, 81, 100], &[5, 15, 35, 36, 61, 99, 110]] {
        for restarts in [false, true] {
            let found = two_silences(started().await, stops, restarts).await;
            assert_eq!(shown(&found), expected, "{stops:?} {restarts}");
            assert!(found.iter().all(|row| row.device.as_str() == "$presence"), "{found:?}");
            assert_eq!(found[0].received, at(35), "it was committed then");
        }
    }
}

#[tokio::test]
async fn who_is_not_watched_costs_nothing_and_who_is_no_longer_is_not_missing() {
    let bench = started().await;
    let place = async |bench: &Bench| {
        let name = "services".to_owned();
        bench.core.readers.store().cursor(name).await.unwrap()
    };
    heard(&bench, "a", 1, 5).await;
    bench.core.advance(at(60)).await.unwrap();
    assert_eq!(place(&bench).await, None, "nothing is kept");
    watched(&bench, &["a"], 20).await;
    bench.core.advance(at(70)).await.unwrap();
    assert!(alerts(&bench.core).await.is_empty(), "silence counts from now on");
    bench.core.advance(at(90)).await.unwrap();
    assert_eq!(shown(&alerts(&bench.core).await), [missing("a", 80)]);
    // Of a specification without a limit, none is missed.
    put(&bench.core, "specification", "watched", json!({ "name": "Meter" })).await;
    heard(&bench, "a", 2, 95).await;
    bench.core.advance(at(500)).await.unwrap();
    assert_eq!(alerts(&bench.core).await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn what_comes_late_was_heard_when_it_came() {
    let bench = started().await;
    watched(&bench, &["a"], 20).await;
    bench.core.advance(at(15)).await.unwrap();
    heard(&bench, "a", 1, 1).await;
    bench.core.advance(at(30)).await.unwrap();
    assert!(alerts(&bench.core).await.is_empty());
    bench.core.advance(at(40)).await.unwrap();
    assert_eq!(shown(&alerts(&bench.core).await), [missing("a", 35)]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_noticed_on_the_walls_clock() {
    let bench = Bench::start(ClockSource::Wall).await;
    let attending = tokio::spawn({
        let core = Arc::clone(&bench.core);
        async move { core.attend().await }
    });
    watched(&bench, &["a", "b"], 1).await;
    let find = async |count: usize| {
        let found = async {
            loop {
                let found = alerts(&bench.core).await;
                if found.len() >= count {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(STOP_LIMIT, found).await.expect("alerts")
    };
    let missing = find(2).await;
    assert!(missing.iter().all(|row| row.kind == "presence.missing"), "{missing:?}");
    store(&bench.core, &[reading("b", Some(1), 230.0)]).await;
    let found = find(3).await;
    assert_eq!((&*found[2].kind, &*found[2].metadata["device"]), ("presence.present", "b"));
    attending.abort();
    bench.stop().await;
}

fn peak(more: &serde_json::Value) -> serde_json::Value {
    let mut body = json!({
        "name": "Peak", "owner": "user:ann",
        "when": { "threshold": { "device": "home", "quantity": VOLTAGE, "above": 240.0 } },
        "then": [
            { "alert": { "type": "peak", "level": "Warning", "text": "high" } },
            { "alarm": { "type": "high", "level": "Error", "text": "high" } },
            { "command": {
                "device": "home", "command": "setReportingPeriod", "parameters": { "seconds": "2" },
            } },
        ],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn grant(more: &serde_json::Value) -> serde_json::Value {
    let mut body = json!({
        "to": "user:ann", "on": "device:home", "actions": ["read", "command"],
        "quantities": ["*"], "from": at(0), "until": at(3600), "by": "user:bench",
        "purpose": "home",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn value(bench: &Bench, serial: u64, volts: f64, seconds: i64) {
    let mut message = reading("home", Some(serial), volts);
    message.event_date = Some(at(seconds));
    assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), Accepted::Stored);
    bench.core.advance(at(seconds)).await.unwrap();
}

/// What rules have done: alerts, commands, alarms that hold, and what was denied.
async fn done(bench: &Bench) -> (usize, usize, usize, usize) {
    let alarms = bench.core.documents.bodies::<Alarm>();
    let active = alarms.iter().filter(|(_, alarm)| alarm.active).count();
    let last = bench.core.progress.audited();
    let stretch = Stretch { after: 0, limit: 1_000, last };
    let audit = bench.core.readers.store().audit(stretch).await.unwrap().rows;
    let denied = audit.iter().filter(|(row, _)| row.outcome == "denied").count();
    let commands = schedules::made(&bench.core, "home").await.len();
    (alerts(&bench.core).await.len(), commands, active, denied)
}

#[tokio::test]
async fn a_rule_does_what_its_owner_may_as_long_as_the_owner_may() {
    let mut bench = started().await;
    put(&bench.core, "user", "ann", json!({ "roles": ["user"] })).await;
    put(&bench.core, "grant", "g", grant(&json!({}))).await;
    put(&bench.core, "rule", "peak", peak(&json!({}))).await;
    // Restarted after each: nothing is done twice.
    for (serial, volts, seconds, expected) in [
        (1, 230.0, 10, (0, 0, 0, 0)),
        (2, 250.0, 20, (1, 1, 1, 0)),
        (3, 251.0, 30, (1, 1, 1, 0)),
        (4, 230.0, 40, (1, 1, 0, 0)),
        (5, 250.0, 50, (2, 2, 1, 0)),
        (6, 230.0, 60, (2, 2, 0, 0)),
    ] {
        value(&bench, serial, volts, seconds).await;
        assert_eq!(done(&bench).await, expected, "{seconds}");
        bench = bench.restart().await;
    }
    let read_only = grant(&json!({ "actions": ["read"] }));
    put(&bench.core, "grant", "g", read_only).await;
    value(&bench, 7, 250.0, 70).await;
    assert_eq!(done(&bench).await, (3, 2, 1, 1), "it may read, and not command");
    value(&bench, 8, 230.0, 80).await;
    put(&bench.core, "grant", "g", grant(&json!({ "revoked": at(85) }))).await;
    value(&bench, 9, 250.0, 90).await;
    assert_eq!(done(&bench).await, (3, 2, 0, 2), "it may not even know");
    // One of the tenant's own needs nobody's rights.
    put(&bench.core, "rule", "own", peak(&json!({ "owner": null }))).await;
    value(&bench, 10, 260.0, 100).await;
    assert_eq!(done(&bench).await, (4, 3, 1, 2));
    bench.stop().await;
}

#[tokio::test]
async fn a_service_that_fails_is_built_again_and_then_left_out() {
    let bench = started().await;
    watched(&bench, &["a"], 20).await;
    let name = lastmeter_services::SERVICES[0].name;
    for failures in 1..=3 {
        bench.core.services.fail(name).await;
        bench.core.advance(at(failures)).await.unwrap();
    }
    let counted =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    let metrics = &bench.core.metrics;
    assert_eq!((counted(&metrics.service_failures), counted(&metrics.services_left_out)), (3, 1));
    bench.core.advance(at(100)).await.unwrap();
    assert!(alerts(&bench.core).await.is_empty(), "it is left out");
    // Others go on.
    put(&bench.core, "rule", "own", peak(&json!({ "owner": null }))).await;
    value(&bench, 1, 250.0, 110).await;
    assert_eq!(alerts(&bench.core).await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn more_refusals_in_an_hour_than_may_be_are_an_alarm_until_there_are_fewer() {
    let bench = started().await;
    let body = json!({
        "timeZone": "UTC", "currency": "EUR", "registration": "open", "refusalsPerHour": 2,
    });
    put(&bench.core, "tenant_settings", "settings", body).await;
    bench.core.advance(at(60)).await.unwrap();
    let mut active = Vec::new();
    for (hour, refused) in [(1, 2), (2, 3), (3, 0)] {
        for _ in 0..refused {
            let accepted = accept(&bench.core, b"no message".to_vec()).await.unwrap();
            assert!(matches!(accepted, Accepted::Refused(_)), "{accepted:?}");
        }
        bench.core.advance(at(hour * 3600)).await.unwrap();
        let alarms = bench.core.documents.bodies::<Alarm>();
        active.push(alarms.iter().filter(|(_, alarm)| alarm.active).count());
    }
    assert_eq!(active, [0, 1, 0]);
    bench.stop().await;
}

#[tokio::test]
async fn a_report_is_made_once_whatever_the_steps_and_stops() {
    let register = MeasurementId::lookup("electricity.energy.active.consumed.total").unwrap();
    let hour = 3600;
    let mut all = Vec::new();
    for (stops, restarts) in
        [(&[80][..], false), (&[1, 7, 8, 30, 31, 33, 56, 57, 79, 80], true), (&[6, 32, 80], true)]
    {
        let mut bench = started().await;
        let body = json!({
            "name": "Day", "kind": "consumption", "subject": "device:home", "period": "day",
            "hour": 1,
        });
        put(&bench.core, "report_plan", "p", body).await;
        let mut sent = 0;
        for stop in stops {
            while sent <= 4 * stop {
                let mut message = reading("home", Some(sent as u64 + 1), 0.0);
                message.values = vec![(register, 0.25 * sent as f64)];
                message.event_date = Some(at(sent * hour / 4));
                assert_eq!(accept(&bench.core, bytes(&message)).await.unwrap(), Accepted::Stored);
                sent += 1;
            }
            bench.core.advance(at(stop * hour)).await.unwrap();
            if restarts {
                bench = bench.restart().await;
            }
        }
        let store = bench.core.readers.store();
        let kind = lastmeter_model::document::kind_of_name("report").unwrap();
        let (count, reports) =
            store.documents(kind, None, lastmeter_store::Page::ALL).await.unwrap();
        let shown = |one: &lastmeter_model::document::Document| {
            (one.token.clone(), one.version, one.changed, one.body.clone())
        };
        assert_eq!(count, 4, "of 18 to 21 January");
        assert!(reports.iter().all(|one| one.version == 1), "{reports:?}");
        all.push(reports.iter().map(shown).collect::<Vec<_>>());
        bench.stop().await;
    }
    assert_eq!((&all[0], &all[0]), (&all[1], &all[2]));
    // 17:00 to midnight; then whole days.
    let energy = |index: usize| {
        let body: serde_json::Value = serde_json::from_str(&all[0][index].3).unwrap();
        (body["content"]["energyKwh"].clone(), body["content"]["devices"][0]["days"][0].clone())
    };
    assert_eq!(energy(0), (serde_json::Value::Null, serde_json::Value::Null), "it began at 17:00");
    assert_eq!(energy(1), (json!(24.0), json!(24.0)));
    assert_eq!(all[0][1].2, at((24 + 8) * hour), "at 01:00");
}
