//! Series of many devices, raw and by width, by pages; last values; the six fields.

use std::collections::BTreeMap;

use lastmeter_model::calendar::Zone;

use super::*;
use crate::tests::{Accepted, arrival, take};

pub(super) const VOLTAGE: &str = "electricity.voltage.rms.l1";
const FREQUENCY: &str = "electricity.frequency";
const MINUTE: i64 = 60_000_000_000;

/// Stores what a device measured, numbered in this order.
pub(super) async fn store_values(
    served: &Served,
    device: &str,
    values: &[(SimTime, f64, Option<f64>)],
) {
    for (part, chunk) in values.chunks(500).enumerate() {
        let one = |(at, (event, volts, hertz)): (usize, &(SimTime, f64, Option<f64>))| {
            let mut values = BTreeMap::from([(VOLTAGE, *volts)]);
            values.extend(hertz.map(|hertz| (FREQUENCY, hertz)));
            let metadata = json!({ "epoch": "1", "serial": (part * 500 + at + 1).to_string() });
            json!({ "measurements": values, "eventDate": event, "metadata": metadata })
        };
        let measurements: Vec<Value> = chunk.iter().enumerate().map(one).collect();
        let document = json!({ "hardwareId": device, "measurements": measurements });
        let topic = "default/SiteWhere/input/jsonbatch";
        let taken = take(&served.bench.core, arrival(topic, document.to_string())).await;
        assert_eq!(taken.unwrap(), Accepted::Stored);
    }
    served.bench.core.barrier().await.unwrap();
}

/// All points of an answer page by page, by device and quantity, as they are written.
async fn all_pages(served: &Served, path: &str) -> BTreeMap<(String, String), Vec<Value>> {
    let mut found: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let answer = served.ok(&format!("{path}{cursor}")).await;
        for one in answer["results"].as_array().unwrap() {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            let points = one["points"].as_array().unwrap();
            assert!(!points.is_empty(), "{answer}");
            found.entry((text("device"), text("quantity"))).or_default().extend(points.clone());
        }
        match answer["next"].as_str() {
            None => return found,
            Some(next) => cursor = format!("&cursor={next}"),
        }
    }
}

#[tokio::test]
async fn days_of_a_change_of_offset_have_the_hours_that_the_local_clock_shows() {
    let served = Served::start().await;
    let mut values = Vec::new();
    for first in ["2027-03-26T23:00:00Z", "2027-10-29T22:00:00Z"] {
        let first = time(first);
        values.extend((0..4 * 96).map(|n| (SimTime(first.0 + n * 15 * MINUTE), n as f64, None)));
    }
    store_values(&served, "home", &values).await;
    let key = ("home".to_owned(), VOLTAGE.to_owned());
    // A closed count: four values an hour; 27 March to 30 March, 30 October to 2 November.
    for (start, end, hours) in [
        ("2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z", [24, 23, 24]),
        ("2027-10-30T12:00:00Z", "2027-11-01T12:00:00Z", [24, 25, 24]),
    ] {
        let path = format!("/api/v1/series?device=home&zone=Europe/Berlin&start={start}&end={end}");
        let days = &all_pages(&served, &format!("{path}&width=1d")).await[&key];
        let counts: Vec<u64> = days.iter().map(|day| day[1].as_u64().unwrap()).collect();
        assert_eq!(counts, hours.map(|hours| hours * 4), "{start}");
        let zone = Zone::named("Europe/Berlin").unwrap();
        for day in days {
            let local = zone.local_text(day[0].as_str().unwrap().parse().unwrap());
            assert!(local.contains("T00:00:00+0"), "{local}");
            let (least, most) = (day[2].as_f64().unwrap(), day[4].as_f64().unwrap());
            assert_eq!(day[3].as_f64().unwrap(), f64::midpoint(least, most), "{day}");
        }
        let day = days[1][0].as_str().unwrap();
        let next = days[2][0].as_str().unwrap();
        let path = path.replace(start, day).replace(end, next);
        let in_hours = &all_pages(&served, &format!("{path}&width=1h&limit=7")).await[&key];
        assert_eq!(in_hours.len() as u64, hours[1]);
        assert!(in_hours.iter().all(|hour| hour[1] == 4), "{in_hours:?}");
    }
    served.stop().await;
}

/// What the points of a quantity are by width, computed from a list.
fn naive(values: &[(SimTime, f64, Option<f64>)], width: Option<i64>, of: usize) -> Vec<Value> {
    let all = values.iter().zip(0..);
    let mut points: Vec<(SimTime, i32, f64)> = all
        .filter_map(|((at, volts, hertz), n)| {
            Some((*at, n, if of == 0 { *volts } else { (*hertz)? }))
        })
        .collect();
    points.sort_by_key(|(at, n, _)| (*at, *n));
    let Some(width) = width else {
        return points.iter().map(|(at, _, value)| json!([at, value])).collect();
    };
    let mut by_start: BTreeMap<SimTime, Vec<f64>> = BTreeMap::new();
    for (at, _, value) in points {
        by_start.entry(SimTime(at.0 - at.0.rem_euclid(width))).or_default().push(value);
    }
    let summary = |(start, values): (SimTime, Vec<f64>)| {
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(least, most), value| {
            (least.min(*value), most.max(*value))
        });
        // Whole numbers: sums are exact in any order.
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        json!([start, values.len(), least, mean, most])
    };
    by_start.into_iter().map(summary).collect()
}

async fn check_pages(homes: &[Vec<(i64, i32, Option<i32>)>], limit: usize) {
    let served = Served::start().await;
    let start = time(START);
    let at = |(minutes, volts, hertz): &(i64, i32, Option<i32>)| {
        (SimTime(start.0 + minutes * MINUTE), f64::from(*volts), hertz.map(f64::from))
    };
    let homes: Vec<Vec<_>> = homes.iter().map(|home| home.iter().map(at).collect()).collect();
    for (n, values) in homes.iter().enumerate() {
        store_values(&served, &format!("home-{n}"), values).await;
    }
    let devices: Vec<String> = (0..homes.len()).map(|n| format!("home-{n}")).collect();
    let path = format!("/api/v1/series?device={}&limit={limit}", devices.join(","));
    for (word, width) in [("", None), ("&width=15m", Some(15)), ("&width=1h", Some(60))] {
        let found = all_pages(&served, &format!("{path}{word}")).await;
        let mut expected = BTreeMap::new();
        for (device, values) in devices.iter().zip(&homes) {
            for (of, quantity) in [VOLTAGE, FREQUENCY].into_iter().enumerate() {
                let points = naive(values, width.map(|width| width * MINUTE), of);
                if !points.is_empty() {
                    expected.insert((device.clone(), quantity.to_owned()), points);
                }
            }
        }
        assert_eq!(found, expected, "limit {limit}, {word}");
    }
    served.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn pages_of_many_series_are_those_of_sorted_lists(
        homes in prop::collection::vec(
            prop::collection::vec((0_i64..200, -50..50, prop::option::of(0..9)), 1..40),
            1..4,
        ),
        limit in 1_usize..30,
    ) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.unwrap().block_on(check_pages(&homes, limit));
    }
}

#[tokio::test]
async fn a_range_ends_before_its_end_and_summaries_are_of_whole_stretches() {
    let served = Served::start().await;
    let start = time(START);
    let at = |n: i64| SimTime(start.0 + n * MINUTE);
    let values: Vec<_> = (0..60).map(|n| (at(n), n as f64, None)).collect();
    store_values(&served, "home", &values).await;
    let path = format!("/api/v1/series?device=home&start={}&end={}", at(5), at(15));
    let raw = served.ok(&path).await;
    let points = raw["results"][0]["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[0]), (10, &json!([at(5), 5.0])));
    assert_eq!((&raw["width"], &raw["zone"]), (&Value::Null, &json!("UTC")));
    let wide = served.ok(&format!("{path}&width=15m")).await;
    assert_eq!(wide["results"][0]["points"], json!([[at(0), 15, 0.0, 7.0, 14.0]]));
    assert_eq!(wide["results"][0]["unit"], "V");
    let csv = served.get(&format!("{path}&format=csv&limit=3")).await;
    assert!(csv.head.contains("content-type: text/csv"), "{}", csv.head);
    assert!(csv.head.contains("x-next-cursor: 0."), "{}", csv.head);
    let lines = format!(
        "device,quantity,unit,time,value\nhome,{VOLTAGE},V,{},5.0\nhome,{VOLTAGE},V,{},6.0\n\
         home,{VOLTAGE},V,{},7.0\n",
        at(5),
        at(6),
        at(7)
    );
    assert_eq!(String::from_utf8(csv.body).unwrap(), lines);
    for (query, status, code) in [
        (format!("device=home&measurementId={VOLTAGE}&width=1h"), 400, "wrong_parameter"),
        (format!("device=home&endDate={}", at(3)), 400, "wrong_parameter"),
        ("device=home&zone=Europe/Nowhere".to_owned(), 400, "wrong_parameter"),
        ("device=home&cursor=0.0.00".to_owned(), 400, "wrong_parameter"),
        ("device=home,nobody".to_owned(), 404, "unknown_device"),
        (format!("device=home&quantity={VOLTAGE},volts"), 400, "unknown_identifier"),
    ] {
        let answer = served.get(&format!("/api/v1/series?{query}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{query}");
    }
    served.stop().await;
}

#[tokio::test]
async fn values_are_given_in_six_fields_and_the_last_of_each_device() {
    let served = Served::start().await;
    for (device, volts) in [("b,1", 231.0), ("a", 229.0), ("a", 230.5)] {
        let serial = volts as u64;
        store(&served.bench.core, &[reading(device, Some(serial), volts)]).await;
    }
    let answer = served.ok("/api/v1/observations?device=b,1").await;
    let timestamp = reading("b,1", Some(231), 0.0).event_date.unwrap();
    let expected = json!({
        "object_identifier": "b,1",
        "object_type": "device",
        "measurement_unit": "V",
        "data_field": { "quantity": VOLTAGE, "value": 231.0 },
        "geographical_position": null,
        "timestamp": timestamp,
    });
    assert_eq!(answer, json!({ "results": [expected], "next": null }));
    let latest = served.ok("/api/v1/latest").await;
    let devices: Vec<&str> = latest["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["device"].as_str().unwrap())
        .collect();
    assert_eq!((devices, &latest["devices"]), (vec!["a", "b,1"], &json!(2)));
    let value = &latest["results"][0]["values"][0];
    let event = reading("a", Some(230), 0.0).event_date.unwrap();
    let expected = json!({ "quantity": VOLTAGE, "unit": "V", "value": 230.5, "event_time": event });
    assert_eq!(value, &expected);
    let second = served.ok("/api/v1/latest?device=b,1&device=a&page=2&pageSize=1").await;
    assert_eq!(second["results"][0]["device"], "a");
    served.stop().await;
}
