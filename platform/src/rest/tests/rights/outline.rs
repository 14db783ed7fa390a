//! What may be had in outline, or of some hours only, shows nothing of what lies between.

use super::super::*;
use super::named::{full, json_of, of};
use super::world::now;
use crate::tests::bytes;

const VOLTAGE: &str = "electricity.voltage.rms.l1";
const MINUTE: i64 = 60_000_000_000;

#[tokio::test]
async fn a_page_of_roll_ups_begins_with_a_whole_one_whatever_its_cursor() {
    let (world, all) = full().await;
    let app = of(&all, "app");
    let mut message = reading("m-hour", Some(9), 7.5);
    message.event_date = Some(SimTime(now().0 - 30 * MINUTE));
    accept(&world.bench.core, bytes(&message)).await.unwrap();
    world.bench.core.barrier().await.unwrap();
    let path = format!("/api/v1/series?device=m-hour&quantity={VOLTAGE}&width=1h");
    let points = async |cursor: &str| {
        let answer = json_of(&world.ask(app, "GET", &format!("{path}{cursor}")).await.body);
        answer["results"][0]["points"].as_array().unwrap().clone()
    };
    let whole = points("").await;
    // The values at ten and at thirty minutes.
    assert_eq!((whole.len(), &whole[1][1]), (2, &json!(2)), "{whole:?}");
    for minutes in [1, 20, 31, 59] {
        let within = now().0 - (60 - minutes) * MINUTE;
        assert_eq!(points(&format!("&cursor=0.{within}")).await, whole[1..], "{minutes}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_bounding_box_places_no_device_for_who_may_not_read_its_document() {
    let (world, all) = full().await;
    let (ann, app) = (of(&all, "user"), of(&all, "app"));
    for device in ["m-hour", "m-left", "m-lent", "m-home"] {
        let place = json!({ "latitude": 45.0, "longitude": 7.0 });
        let body = json!({ "status": "registered", "location": place });
        world.put("device", device, body).await;
    }
    for (who, device, is_placed) in [
        (app, "m-hour", false),
        (ann, "m-hour", false),
        // It is another's now.
        (ann, "m-left", false),
        (ann, "m-home", true),
        (app, "m-lent", true),
    ] {
        let width = if device == "m-hour" { "&width=1h" } else { "" };
        let path = format!("/api/v1/series?device={device}{width}");
        let count = async |within: &str| {
            let told = world.ask(who, "GET", &format!("{path}{within}")).await;
            json_of(&told.body)["results"].as_array().unwrap().len()
        };
        assert!(count("").await > 0, "{device}");
        assert_eq!(count("&bbox=6,44,8,46").await > 0, is_placed, "{device}");
        assert_eq!(count("&bbox=8,44,9,46").await, 0, "{device}");
    }
    world.stop().await;
}

#[tokio::test]
async fn who_may_not_have_a_whole_series_goes_on_by_sealed_positions_only() {
    let (world, all) = full().await;
    let (app, bench) = (of(&all, "app"), of(&all, "bench"));
    let path = format!("/api/v1/series?device=m-lent&measurementId={VOLTAGE}&limit=1");
    for (who, expected) in [(app, 400), (bench, 200)] {
        let first = json_of(&world.ask(who, "GET", &path).await.body);
        let next = first["next"].as_str().unwrap().to_owned();
        let told = world.ask(who, "GET", &format!("{path}&after={next}")).await;
        assert_eq!(told.status, 200, "{told:?}");
        let (event_ns, _) = next.split_once('.').unwrap();
        let told = world.ask(who, "GET", &format!("{path}&after={event_ns}.7")).await;
        assert_eq!(told.status, expected, "{told:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_grant_on_a_virtual_device_is_none_on_a_device_of_another_with_its_id() {
    let (world, all) = full().await;
    let app = of(&all, "app");
    world.put("device", "m-home~1", json!({ "status": "registered", "name": "of bob" })).await;
    store(&world.bench.core, &[reading("m-home~1", Some(1), 1.0)]).await;
    world.assign("m-home~1", "bob", 0, None).await;
    let grant = json!({
        "to": &app.reference, "on": "virtual-device:m-home~1", "actions": ["read"],
        "quantities": ["*"], "from": SimTime(0), "until": SimTime(now().0 + MINUTE),
        "by": "user:ann", "with_history": true,
    });
    world.put("grant", "part", grant).await;
    for path in ["/sitewhere/api/devices?pageSize=1000", "/api/v1/latest"] {
        let told = world.ask(app, "GET", path).await;
        assert!(told.status == 200 && !told.body.contains("m-home~1"), "{path}: {told:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_command_has_no_more_texts_than_a_document() {
    let (world, all) = full().await;
    let ann = of(&all, "user");
    let token = world.bench.core.devices.find("m-home").unwrap().assignment;
    let path = format!("/sitewhere/api/assignments/{token}/invocations");
    for (initiator, text, expected) in [(0, 4000, 201), (0, 4097, 422), (4097, 0, 422)] {
        let body = json!({
            "commandToken": "setReportingPeriod", "parameterValues": { "seconds": "5" },
            "initiatorId": "i".repeat(initiator), "metadata": { "x": "y".repeat(text) },
        });
        let told = world.ask_with(ann, ("POST", &path), &[], &body.to_string()).await;
        assert_eq!(told.status, expected, "{initiator} {text}: {}", told.body);
    }
    world.stop().await;
}
