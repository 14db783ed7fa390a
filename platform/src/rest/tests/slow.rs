//! Queries that take long: they end at their deadline and hold nobody else up.

use std::time::Instant;

use super::*;
use crate::bench::BenchStore;
use crate::tenant::Tenant;
use crate::tests::config;

/// Readings of one device.
const READINGS: usize = 40_000;
/// How long somebody else's small query may take beside long ones.
const QUIET_LIMIT: Duration = Duration::from_millis(200);

/// A platform with many readings of `meter-0000` and one of `quiet`.
async fn with_many() -> Arc<Served> {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), ClockSource::Driven);
    std::fs::create_dir_all(config.tenant_folder()).unwrap();
    let mut many = BenchStore::open(&config.tenant_folder(), 20, 1);
    for _ in 0..READINGS / 4000 {
        let batch = many.batch(4000, 1);
        many.apply(&batch);
    }
    drop(many);
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, folder).await;
    store(&bench.core, &[reading("quiet", Some(1), 230.0)]).await;
    Arc::new(Served::with_limits(bench, 32, LIMIT))
}

fn series(device: &str, query: &str) -> String {
    let token = lastmeter_model::token::assignment_token("default", device);
    format!("/sitewhere/api/assignments/{token}/measurements/series?{query}")
}

async fn end(served: Arc<Served>) {
    Arc::into_inner(served).expect("no request under way").stop().await;
}

/// Asks for something small again and again as long as six slow queries go on; the median time of
/// its answers.
#[expect(clippy::disallowed_methods, reason = "how long an answer takes is what is tested")]
async fn quiet_beside_six_slow(served: &Arc<Served>) -> Duration {
    // The last page of every series: all readings have to be gone through.
    let slow = series("meter-0000", &format!("pageSize=1000&page={}", READINGS / 1000));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (served, slow) = (Arc::clone(served), slow.clone());
        asking.spawn(async move { served.get(&slow).await.status });
    }
    let quiet = [
        series("quiet", "measurementIds=electricity.voltage.rms.l1"),
        "/sitewhere/api/devices/quiet/assignment".to_owned(),
        "/api/v1/readings?after=0&limit=1".to_owned(),
    ];
    let (mut took, mut beside) = (Vec::new(), 0);
    // As long as the slow ones go on, and they do so for longer than a few of these.
    while asking.len() == 6 {
        for path in &quiet {
            let begun = Instant::now();
            assert_eq!(served.get(path).await.status, 200);
            took.push(begun.elapsed());
        }
        beside += usize::from(asking.try_join_next().is_none());
    }
    while let Some(status) = asking.join_next().await {
        // On a slow machine they may reach their deadline.
        assert!([200, 503].contains(&status.unwrap()));
    }
    took.sort();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{} quiet queries beside six slow ones: median {median:?}, {longest:?}", took.len());
    assert!(beside >= 3, "the slow queries were not slow");
    median
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_slow_queries_do_not_hold_up_a_quiet_one() {
    let served = with_many().await;
    // What else the machine does must not decide this.
    let mut medians = Vec::new();
    while medians.len() < 3 && medians.last().is_none_or(|median| *median >= QUIET_LIMIT) {
        medians.push(quiet_beside_six_slow(&served).await);
    }
    assert!(medians.iter().any(|median| *median < QUIET_LIMIT), "{medians:?}");
    end(served).await;
}

#[tokio::test]
async fn a_series_asked_for_many_times_is_read_and_given_once() {
    let served = Served::start().await;
    store(&served.bench.core, &[reading("home", Some(1), 230.0)]).await;
    let id = "electricity.voltage.rms.l1";
    let many = vec![format!("measurementIds={id}"); 128].join("&");
    let answer = served.ok(&series("home", &many)).await;
    assert_eq!(answer.as_array().unwrap().len(), 1);
    assert_eq!(answer[0]["entries"][0]["value"], 230.0);
    served.stop().await;
}

#[tokio::test]
async fn a_query_that_takes_longer_than_it_may_is_answered_with_the_limits_name() {
    let bench = Bench::start_with(ClockSource::Driven, |config| config.limits.query_s = 0).await;
    let served = Served::over(bench);
    store(&served.bench.core, &[reading("home", Some(1), 230.0)]).await;
    for path in [series("home", ""), "/api/v1/readings".to_owned()] {
        let answer = served.get(&path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (503, "query_too_slow"));
        assert!(answer.head.contains("retry-after: 5"), "{}", answer.head);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("limits.query_s"), "{detail}");
    }
    let metrics = String::from_utf8(served.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("lastmeter_slow_queries_total 2"), "{metrics}");
    assert_eq!(served.get("/sitewhere/api/devices").await.status, 200, "that asks nothing");
    served.stop().await;
}
