//! Pages of the series of one device, by number and by keyset.

use super::*;

/// A stored point: event time in ns, serial, volts, amperes if there were any.
type Point = (i64, u64, f64, Option<f64>);

fn points() -> impl Strategy<Value = Vec<Point>> {
    let point = (0_i64..40, 0.0..400.0, prop::option::of(0.0..50.0));
    prop::collection::vec(point, 1..40).prop_map(|rows| {
        (1..).zip(rows).map(|(serial, (t, volts, amperes))| (t, serial, volts, amperes)).collect()
    })
}

/// What a page of a series has to be, computed by sorting a list.
fn naive_page(
    points: &[Point],
    (start, end): (i64, i64),
    (page, size): (usize, usize),
) -> Vec<(i64, f64)> {
    let mut rows: Vec<(i64, u64, f64)> = points
        .iter()
        .filter(|(t, ..)| (start..=end).contains(t))
        .map(|(t, serial, volts, _)| (*t, *serial, *volts))
        .collect();
    rows.sort_by_key(|(t, serial, _)| (*t, *serial));
    rows.into_iter().skip((page - 1) * size).take(size).map(|(t, _, volts)| (t, volts)).collect()
}

fn entries(series: &Value) -> Vec<(i64, f64)> {
    let entry = |entry: &Value| {
        let date: SimTime = entry["measurementDate"].as_str().unwrap().parse().unwrap();
        (date.as_nanoseconds(), entry["value"].as_f64().unwrap())
    };
    series["entries"].as_array().unwrap().iter().map(entry).collect()
}

async fn check_series(points: &[Point], range: (i64, i64), page: (usize, usize)) {
    const VOLTAGE: &str = "electricity.voltage.rms.l1";
    const CURRENT: &str = "electricity.current.rms.l1";
    let served = Served::start().await;
    for (t, serial, volts, amperes) in points {
        let mut message = reading("home", Some(*serial), *volts);
        message.event_date = Some(SimTime(*t));
        let current = MeasurementId::lookup(CURRENT).unwrap();
        message.values.extend(amperes.map(|amperes| (current, amperes)));
        accept(&served.bench.core, crate::tests::bytes(&message)).await.unwrap();
    }
    // Another device's values are never seen.
    store(&served.bench.core, &[reading("other", Some(1), -1.0)]).await;
    let token = served.assignment("home").await;
    let bounds = format!("startDate={}&endDate={}", SimTime(range.0), SimTime(range.1));
    let path = format!(
        "/sitewhere/api/assignments/{token}/measurements/series?measurementIds={VOLTAGE}\
         &measurementIds={CURRENT}&{bounds}&page={}&pageSize={}",
        page.0, page.1
    );
    let series = served.ok(&path).await;
    assert_eq!(series[0]["measurementId"], VOLTAGE);
    assert_eq!(series[1]["measurementId"], CURRENT);
    assert_eq!(entries(&series[0]), naive_page(points, range, page));

    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!(
            "/api/v1/series?device=home&measurementId={VOLTAGE}&{bounds}&limit={}{after}",
            page.1
        );
        let answer = served.ok(&path).await;
        for point in answer["results"].as_array().unwrap() {
            let date: SimTime = point["event_time"].as_str().unwrap().parse().unwrap();
            seen.push((date.as_nanoseconds(), point["value"].as_f64().unwrap()));
        }
        match answer["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, naive_page(points, range, (1, usize::MAX)));
    served.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn pages_of_a_series_are_those_of_a_sorted_list(
        points in points(), start in 0_i64..40, length in 0_i64..40,
        page in 1_usize..4, size in 1_usize..9,
    ) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.unwrap().block_on(check_series(&points, (start, start + length), (page, size)));
    }
}

#[tokio::test]
async fn without_identifiers_all_series_of_the_device_are_given() {
    let served = Served::start().await;
    let mut message = reading("home", Some(1), 230.0);
    message.update_state = false;
    let frequency = MeasurementId::lookup("electricity.frequency").unwrap();
    message.values.push((frequency, 50.01));
    store(&served.bench.core, &[message]).await;
    let token = served.assignment("home").await;
    let path = format!("/sitewhere/api/assignments/{token}/measurements/series");
    let series = served.ok(&path).await;
    let found: BTreeMap<&str, f64> = series
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (one["measurementId"].as_str().unwrap(), one["entries"][0]["value"].as_f64().unwrap())
        })
        .collect();
    let expected =
        BTreeMap::from([("electricity.frequency", 50.01), ("electricity.voltage.rms.l1", 230.0)]);
    assert_eq!(found, expected);
    served.stop().await;
}
