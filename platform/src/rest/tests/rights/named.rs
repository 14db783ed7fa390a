//! Cases of rights by name.

use super::super::super::cursor;
use super::super::*;
use super::world::{SampleTenant, What, marker, now};
use super::{Principal, principals};
use crate::tests::bytes;
use lastmeter_units::TenantName;

pub(super) async fn full() -> (SampleTenant, Vec<(&'static str, Principal)>) {
    let all = principals(&TenantName::default());
    (SampleTenant::full(&all).await, all)
}

pub(super) fn of<'a>(all: &'a [(&'static str, Principal)], name: &str) -> &'a Principal {
    &all.iter().find(|(known, _)| *known == name).unwrap().1
}

pub(super) fn json_of(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}"))
}

#[tokio::test]
async fn a_finest_width_gives_closed_roll_ups_and_no_latest_value_alert_or_live_stream() {
    let (world, all) = full().await;
    let app = of(&all, "app");
    let series = "/api/v1/series?device=m-hour";
    let values: Vec<String> =
        [What::Volts, What::Alert].map(|what| marker("m-hour", 3, what)).to_vec();
    let token = world.bench.core.devices.find("m-hour").unwrap().assignment;
    let begin = [cursor::Kind::Readings, cursor::Kind::Alerts].map(|kind| cursor::seal(kind, 0));
    for path in [
        "/api/v1/latest".to_owned(),
        "/api/v1/latest?device=m-hour".to_owned(),
        format!("/sitewhere/api/assignments/{token}"),
        format!("/sitewhere/api/assignments/{token}/measurements"),
        format!("/sitewhere/api/assignments/{token}/invocations"),
        "/api/v1/live?devices=m-hour".to_owned(),
        "/api/v1/export?device=m-hour".to_owned(),
        "/api/v1/export?device=m-hour&what=alerts".to_owned(),
        series.to_owned(),
        format!("{series}&width=15m"),
        format!("{series}&width=1d"),
        // Others begin at other instants, and would uncover what is between.
        format!("{series}&width=1h&zone=Asia/Kolkata"),
    ] {
        let headers = [("last-event-id", &*begin.join("."))];
        let told = world.ask_with(app, ("GET", &path), &headers, "").await;
        assert!(values.iter().all(|one| !told.body.contains(one)), "{path}: {told:?}");
    }
    let hours = json_of(&world.ask(app, "GET", &format!("{series}&width=1h")).await.body);
    let points = |hours: &Value| {
        let points = hours["results"][0]["points"].as_array().cloned().unwrap_or_default();
        points.iter().map(|point| point[0].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(points(&hours).len(), 2, "the second and the third hour: {hours}");
    // An hour that is not over, and one in which the grant begins, are not given.
    let to = &app.reference;
    let grant = json!({
        "to": to, "on": "device:m-bobs", "actions": ["read"], "quantities": ["*"],
        "from": SimTime(now().0 - 7_200_000_000_000 + 1), "until": SimTime(now().0 + 1),
        "by": "user:bob",
        "finest": 3_600_000_000_000_i64,
    });
    world.put("grant", "part", grant).await;
    let mut message = reading("m-bobs", Some(9), 7.5);
    message.event_date = Some(now());
    accept(&world.bench.core, bytes(&message)).await.unwrap();
    world.bench.core.barrier().await.unwrap();
    let path = "/api/v1/series?device=m-bobs&width=1h";
    let hours = json_of(&world.ask(app, "GET", path).await.body);
    assert_eq!(points(&hours), ["2027-01-15T10:00:00.000Z"], "{hours}");
    world.stop().await;
}

#[tokio::test]
async fn another_principals_cursor_is_a_position_and_nothing_else() {
    let (world, all) = full().await;
    let (bench, ann, app) = (of(&all, "bench"), of(&all, "user"), of(&all, "app"));
    let page = "/api/v1/series?device=m-left,m-home,m-lent&limit=1";
    let of_bench = json_of(&world.ask(bench, "GET", page).await.body);
    let next = of_bench["next"].as_str().unwrap().to_owned();
    // Going on from there, each page is asked for anew.
    let path = format!("/api/v1/series?device=m-left,m-home,m-lent&limit=25000&cursor={next}");
    let told = world.ask(ann, "GET", &path).await;
    assert!(!told.body.contains(&marker("m-left", 2, What::Volts)), "{told:?}");
    assert!(told.body.contains(&marker("m-home", 2, What::Volts)), "{told:?}");
    let told = world.ask(app, "GET", &path).await;
    assert_eq!(told.status, 404, "{told:?}");
    // What was exported last by the bench is where others may begin, with what is theirs.
    let export = world.ask(bench, "GET", "/api/v1/export").await;
    let cursor = |headers: &str| {
        let line = headers.lines().find_map(|line| line.strip_prefix("x-next-cursor: "));
        line.unwrap().trim_matches('"').to_owned()
    };
    let after = cursor(&export.headers);
    let told = world.ask(ann, "GET", &format!("/api/v1/export?after={after}")).await;
    assert_eq!((told.status, told.body.as_str()), (200, ""));
    // It does not show whether something of others was committed in between.
    let path = "/api/v1/export?device=m-home";
    let two = [world.ask(ann, "GET", path).await, world.ask(ann, "GET", path).await];
    assert_eq!(two[0].body, two[1].body);
    assert_ne!(cursor(&two[0].headers), cursor(&two[1].headers));
    // Nor do ids count the readings of the tenant.
    let token = world.bench.core.devices.find("m-home").unwrap().assignment;
    let path = format!("/sitewhere/api/assignments/{token}/measurements");
    let events = json_of(&world.ask(ann, "GET", &path).await.body);
    for event in events["results"].as_array().unwrap() {
        assert_eq!(event["id"].as_str().unwrap().len(), 32, "{event}");
    }
    world.stop().await;
}

/// At a change of customer: a reading that comes late is the former one's, and so is one of a
/// clock that runs fast, also in the latest values.
#[tokio::test]
async fn late_and_early_readings_are_of_who_was_there() {
    let all = principals(&TenantName::default());
    let (ann, adam) = (of(&all, "user"), of(&all, "admin"));
    let world = SampleTenant::start(Bench::start(ClockSource::Driven).await);
    let core = Arc::clone(&world.bench.core);
    let at = |second: i64| SimTime((1_800_000_000 + second) * 1_000_000_000);
    let send = |serial: u64, event: i64, volts: f64| {
        let mut message = reading("m", Some(serial), volts);
        message.event_date = Some(at(event));
        bytes(&message)
    };
    core.advance(at(0)).await.unwrap();
    // Before the change, of which the last is from a clock that is an hour fast.
    accept(&core, send(1, 0, 1.5)).await.unwrap();
    accept(&core, send(2, 3600, 2.5)).await.unwrap();
    core.advance(at(200)).await.unwrap();
    // After it: one that is late, one at the very change, one now.
    for (serial, event, volts) in [(3, 99, 3.5), (4, 100, 4.5), (5, 200, 5.5)] {
        accept(&core, send(serial, event, volts)).await.unwrap();
    }
    core.advance(at(300)).await.unwrap();
    for name in ["ann", "bob"] {
        let body = json!({ "category": "person", "name": name, "user": name });
        world.put("asset", name, body).await;
    }
    world.assign("m", "bob", at(-1).0, Some(at(100).0)).await;
    world.assign("m", "ann", at(100).0, None).await;
    let bob = Principal { reference: "user:bob".parse().unwrap(), ..ann.clone() };
    let volts = async |who: &Principal, path: &str| {
        let body = world.ask(who, "GET", path).await.body;
        [1.5, 2.5, 3.5, 4.5, 5.5].map(|one| body.contains(&format!("{one:?}")))
    };
    let token = core.devices.find("m").unwrap().assignment;
    for path in [
        "/api/v1/series?device=m".to_owned(),
        "/api/v1/export".to_owned(),
        format!("/sitewhere/api/assignments/{token}/measurements"),
    ] {
        assert_eq!(volts(&bob, &path).await, [true, true, true, false, false], "{path}");
        assert_eq!(volts(ann, &path).await, [false, false, false, true, true], "{path}");
        assert_eq!(volts(adam, &path).await, [false; 5], "{path}");
    }
    // The newest value by event time is of the clock that is fast.
    for path in
        ["/api/v1/latest?device=m".to_owned(), format!("/sitewhere/api/assignments/{token}")]
    {
        assert_eq!(volts(ann, &path).await, [false; 5], "{path}");
        assert_eq!(volts(&bob, &path).await, [false; 5], "{path}");
    }
    assert!(volts(of(&all, "bench"), "/api/v1/latest").await[1]);
    drop(core);
    world.stop().await;
}

#[tokio::test]
async fn a_key_that_is_repeated_gives_nothing_of_others_and_nothing_after_revocation() {
    let (world, all) = full().await;
    let (bench, ann, app) = (of(&all, "bench"), of(&all, "user"), of(&all, "app"));
    let grant = json!({
        "to": "app:locator", "on": "device:m-home", "actions": ["read"], "quantities": ["*"],
        "from": now(), "until": SimTime(now().0 + 1_000), "by": "user:ann",
    });
    let (grants, headers) = ("/api/v1/grants", [("idempotency-key", "k")]);
    let send = async |who: &Principal| {
        world.ask_with(who, ("POST", grants), &headers, &grant.to_string()).await
    };
    let made = send(ann).await;
    assert_eq!(made.status, 201, "{made:?}");
    let repeated = send(ann).await;
    assert_eq!((repeated.status, &repeated.body), (201, &made.body));
    // The key is of who sent it: others make their own, or nothing.
    let of_bench = json_of(&send(bench).await.body);
    let token = json_of(&made.body)["token"].clone();
    assert_ne!(of_bench["token"], token);
    let refused = send(app).await;
    assert!([403, 404].contains(&refused.status), "{refused:?}");
    // Who owns the device no more is asked for its right before the answer is given again.
    world.assign("m-home", "bob", now().0 - 1, None).await;
    world
        .put(
            "assignment",
            "m-home-ann",
            json!({
                "deviceHardwareId": "m-home", "assetId": "ann", "status": "released",
                "activeDate": SimTime(0), "releasedDate": SimTime(1),
            }),
        )
        .await;
    let after = send(ann).await;
    assert!([403, 404].contains(&after.status), "{after:?}");
    assert!(!after.body.contains(token.as_str().unwrap()), "{after:?}");
    // A token that somebody chooses would show whether it is taken.
    let mut chosen = grant.clone();
    chosen["token"] = json!("g-m-lent-user-ann");
    let told = world.ask_with(ann, ("POST", grants), &[], &chosen.to_string()).await;
    assert!(told.status != 409 && told.status != 201, "{told:?}");
    world.stop().await;
}

/// Who had the device when a command was made still sees it, and makes and calls off none.
#[tokio::test]
async fn commands_are_made_and_called_off_by_who_has_the_device_now() {
    let (world, all) = full().await;
    let body = json!({
        "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
    });
    let devices = Arc::clone(&world.bench.core.devices);
    let path = |device: &str| {
        let token = devices.find(device).map_or_else(|| "x".repeat(36), |row| row.assignment);
        format!("/sitewhere/api/assignments/{token}/invocations")
    };
    for (name, device, expected) in [
        ("user", "m-home", 201),
        ("user", "m-came", 201),
        ("user", "m-left", 403),
        ("user", "m-lent", 403),
        ("user", "m-bobs", 404),
        ("user", "m-none", 404),
        ("app", "m-lent", 403),
        ("app", "m-back", 404),
        ("operator", "m-home", 404),
        ("anonymous", "m-open", 401),
        ("admin", "m-bobs", 201),
    ] {
        let who = of(&all, name);
        let told = world.ask_with(who, ("POST", &path(device)), &[], &body.to_string()).await;
        assert_eq!(told.status, expected, "{name} {device}: {told:?}");
        let id = world.invocations.get(&(device.to_owned(), 1));
        let id = id.map_or_else(|| "0".repeat(24), ToString::to_string);
        let one = format!("/sitewhere/api/invocations/{id}");
        let told = world.ask_with(who, ("DELETE", &one), &[], "").await;
        // Of the first hour, which the user has not of everything.
        let is_seen = world.ask(who, "GET", &one).await.status == 200;
        let expected = match expected {
            201 | 403 if !is_seen => 404,
            201 => 200,
            other => other,
        };
        assert_eq!(told.status, expected, "{name} {device}: {told:?}");
    }
    world.stop().await;
}
