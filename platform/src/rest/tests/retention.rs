//! What is kept no longer, as REST shows it; and sums from roll-ups.

use super::*;
use crate::tenant::Tenant;
use crate::tests::numbered::{result, take};
use crate::tests::{Accepted, bytes, config};
use lastmeter_units::HardwareId;

const HOUR: i64 = 3_600_000_000_000;
const DAY: i64 = 24 * HOUR;
const VOLTAGE: &str = "electricity.voltage.rms.l1";

async fn served(reading_days: u32, rollup_days: u32) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), ClockSource::Driven);
    (config.limits.reading_days, config.limits.rollup_days) = (reading_days, rollup_days);
    let core = Tenant::start(&config).unwrap();
    Served::over(Bench::ready(core, config, folder).await)
}

fn measured(serial: u64, event: SimTime) -> Vec<u8> {
    let mut message = reading("home", Some(serial), serial as f64);
    message.event_date = Some(event);
    bytes(&message)
}

/// Of each point the beginning and the number of values.
async fn counts(served: &Served, query: &str) -> Vec<(SimTime, u64)> {
    let answer = served.ok(&format!("/api/v1/series?device=home&{query}&limit=25000")).await;
    let points = answer["results"][0]["points"].as_array().cloned().unwrap_or_default();
    let count = |point: &Value| (time(point[0].as_str().unwrap()), point[1].as_u64().unwrap_or(1));
    points.iter().map(count).collect()
}

/// Readings in an export.
async fn exported(served: &Served) -> usize {
    let answer = served.get("/api/v1/export?what=readings&device=home").await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap().matches("hardwareId").count()
}

#[tokio::test]
async fn what_was_received_days_ago_is_gone_and_its_sums_are_not() {
    let served = served(2, 4).await;
    let (core, start) = (&served.bench.core, time("2027-01-18T00:00:00Z"));
    let at = |day: i64, n: i64| SimTime(start.0 + day * DAY + n * 60_000_000_000);
    let mut serial = 0;
    for day in 0..3 {
        core.advance(at(day, 0)).await.unwrap();
        for n in 0..40 {
            serial += 1;
            let taken = accept(core, measured(serial, at(day, n))).await.unwrap();
            assert_eq!(taken, Accepted::Stored);
        }
    }
    core.advance(at(2, 60)).await.unwrap();
    let raw = counts(&served, &format!("quantity={VOLTAGE}")).await;
    assert_eq!((raw.len(), raw[0].0), (80, at(1, 0)));
    let job = jobs::make(&served, json!({ "kind": "retention" })).await;
    assert_eq!(
        job["result"],
        "gone are the first 40 readings, 0 alerts, 0 refusals, 0 results and 0 blocks",
        "{job}"
    );
    // The last bucket of a day has a row as well, since its readings are gone.
    let quarters = counts(&served, "width=15m&start=2027-01-18T00:00:00Z").await;
    let of_day = |day| [(at(day, 0), 15), (at(day, 15), 15), (at(day, 30), 10)];
    assert_eq!(quarters, [of_day(0), of_day(1), of_day(2)].concat());
    let days = counts(&served, "width=1d").await;
    assert_eq!(days, [0, 1, 2].map(|day| (at(day, 0), 40)));

    // In the order of commit the list begins behind what is gone, and whoever walks arrives.
    let listed = served.ok("/api/v1/readings?after=0&limit=1000").await;
    let (rows, more) = (listed["results"].as_array().unwrap(), &listed["more"]);
    assert_eq!((rows.len(), &rows[0]["serial"], more), (80, &json!(41), &json!(false)));
    assert_eq!(exported(&served).await, 80);

    // A repetition is recognised, before a restart and after.
    accept(core, measured(7, at(0, 6))).await.unwrap();
    core.barrier().await.unwrap();
    let refused = served.ok("/api/v1/refusals?after=0").await;
    assert_eq!(refused["results"][0]["reason"], "repetition_beyond_retention", "{refused}");
    assert_eq!(served.ok("/api/v1/readings?after=119").await["results"][0]["serial"], 120);

    // Later the sums go, too, and then everything is gone.
    core.advance(at(5, 0)).await.unwrap();
    assert_eq!(counts(&served, "width=1d").await, [1, 2].map(|day| (at(day, 0), 40)));
    assert_eq!(counts(&served, &format!("quantity={VOLTAGE}")).await, []);
    core.advance(at(9, 0)).await.unwrap();
    assert_eq!(counts(&served, "width=1d").await, []);
    assert_eq!(exported(&served).await, 0);
    assert_eq!(served.ok("/api/v1/refusals?after=0").await["results"], json!([]));
    served.stop().await;
}

/// What has been looked at before is not shown from memory.
#[tokio::test]
async fn a_result_that_is_gone_is_on_no_list_of_outages() {
    let served = served(2, 4).await;
    let (core, start) = (&served.bench.core, time("2027-01-18T00:00:00Z"));
    let app = HardwareId::new("outages").unwrap();
    for (serial, day) in [(1, 0), (2, 1)] {
        let at = SimTime(start.0 + day * DAY);
        core.advance(at).await.unwrap();
        let content = json!({ "network": "feeder", "state": "detected", "areas": [], "since": at });
        let sent = result(&app, (1, serial), (at, "outage"), &content);
        take(core, (&app, "result"), sent).await.unwrap();
        core.barrier().await.unwrap();
    }
    let happened = async || {
        let listed = served.ok("/api/v1/outages").await["results"].as_array().unwrap().len();
        let path = "/api/v1/outages/outages~outage-1";
        let found = served.get(path).await;
        let text = String::from_utf8(found.body).unwrap();
        (listed, text.matches("detected, ").count())
    };
    assert_eq!(happened().await, (1, 1));
    let again = async || served.ok("/api/v1/results").await["results"].as_array().unwrap().len();
    for (day, left) in [(2, 1), (5, 0)] {
        core.advance(SimTime(start.0 + day * DAY + HOUR)).await.unwrap();
        assert_eq!(again().await, left, "day {day}");
        assert_eq!(happened().await.0, left, "day {day}");
    }
    served.stop().await;
}

#[tokio::test]
async fn without_a_number_of_days_everything_stays() {
    let served = served(0, 0).await;
    let (core, start) = (&served.bench.core, time("2027-01-18T00:00:00Z"));
    core.advance(start).await.unwrap();
    accept(core, measured(1, start)).await.unwrap();
    core.advance(SimTime(start.0 + 4000 * DAY)).await.unwrap();
    assert_eq!(served.ok("/api/v1/readings?after=0").await["results"][0]["serial"], 1);
    served.stop().await;
}

/// In Newfoundland clocks were once put forward at one minute past midnight.
#[tokio::test]
async fn a_bucket_within_which_the_offset_changes_is_read_value_by_value() {
    let served = served(0, 0).await;
    let (core, start) = (&served.bench.core, time("2007-03-11T02:00:00Z"));
    let at = |n: i64| SimTime(start.0 + n * 60_000_000_000);
    for n in 0..240_i64 {
        accept(core, measured(n.cast_unsigned() + 1, at(n))).await.unwrap();
    }
    core.barrier().await.unwrap();
    let hours = counts(&served, "width=1h&zone=America/St_Johns").await;
    assert!(hours.iter().any(|(from, _)| *from == time("2007-03-11T03:31:00Z")), "{hours:?}");
    let ends = hours.iter().skip(1).map(|(from, _)| *from).chain([SimTime(i64::MAX)]);
    for ((from, found), until) in hours.iter().zip(ends) {
        let expected = (0..240).filter(|n| *from <= at(*n) && at(*n) < until).count();
        assert_eq!(*found, expected as u64, "{from}");
    }
    served.stop().await;
}
