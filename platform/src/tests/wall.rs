//! A platform on the wall's clock takes readings of any event time, and its own timers keep to its
//! own clock: scenarios in real time play an event time that is not today's.

use lastmeter_model::invocation::InvocationState;
use lastmeter_units::SimDuration;

use super::advance::{invocation, invoke};
use super::*;

/// Dates of readings: as early as can be counted, a scenario's, and as late.
const DATES: [&str; 4] = [
    "1677-09-21T01:00:00Z",
    "2027-01-18T17:00:00.250Z",
    "2199-12-31T23:59:59.999999999Z",
    "2262-04-11T00:00:00Z",
];

fn dated(serial: u64, date: &str) -> MeasurementMessage {
    let mut message = reading("home", Some(serial), serial as f64);
    message.event_date = Some(time(date));
    message
}

async fn store_all_dates(bench: &Bench, first_serial: u64) {
    let messages: Vec<_> =
        (first_serial..).zip(DATES).map(|(serial, date)| dated(serial, date)).collect();
    store(&bench.core, &messages).await;
}

#[tokio::test]
async fn readings_from_the_past_and_the_future_are_taken_as_they_are_dated() {
    let bench = Bench::start(ClockSource::Wall).await;
    let before = bench.core.clock.now();
    store_all_dates(&bench, 1).await;
    let mut undated = reading("home", Some(5), 5.0);
    undated.event_date = None;
    store(&bench.core, &[undated]).await;
    let after = bench.core.clock.now();
    let rows = readings(&bench.core).await;
    let dates: Vec<SimTime> = rows[..4].iter().map(|row| row.event).collect();
    assert_eq!(dates, DATES.map(time));
    for row in &rows {
        assert!(before <= row.received && row.received <= row.commit && row.commit <= after);
    }
    assert_eq!(rows[4].event, rows[4].received, "a missing date is the platform's time");
    assert!(refusals(&bench.core).await.is_empty());
    // Sent again, they are what is there already.
    store_all_dates(&bench, 1).await;
    assert_eq!(readings(&bench.core).await, rows);
    bench.stop().await;
}

#[tokio::test]
async fn commands_expire_by_the_wall_clock_whatever_the_readings_are() {
    let bench = Bench::start(ClockSource::Wall).await;
    store_all_dates(&bench, 1).await;
    let attending = tokio::spawn({
        let core = Arc::clone(&bench.core);
        async move { core.attend().await }
    });
    let long = invoke(&bench, "5", 4_000_000_000.0).await;
    let short = invoke(&bench, "6", 0.2).await;
    store_all_dates(&bench, 5).await;
    assert!(bench.core.clock.now() < long.row.asked.expires);
    let expired = async {
        while invocation(&bench, short.row.id).await.row.state != InvocationState::Expired {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(STOP_LIMIT, expired).await.expect("the command expires");
    let ended = invocation(&bench, short.row.id).await.row.ended.unwrap();
    assert_eq!(ended, short.row.asked.created + SimDuration::from_milliseconds(200));
    assert!(ended <= bench.core.clock.now());
    assert_eq!(invocation(&bench, long.row.id).await.row.state, InvocationState::Pending);
    attending.abort();
    // Over a restart it is still waited for.
    let bench = bench.restart().await;
    assert_eq!(invocation(&bench, long.row.id).await.row.state, InvocationState::Pending);
    bench.stop().await;
}
