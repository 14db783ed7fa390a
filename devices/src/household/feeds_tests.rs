//! When feeds are asked for, and what of them holds.

use super::*;

const NOW: SimTime = SimTime(1_800_000_000_000_000_000);

fn seconds(count: i64) -> SimTime {
    NOW + SimDuration::from_seconds(count)
}

fn feeds() -> Feeds {
    let price = Some("spot".to_owned());
    Feeds::new(&FeedTokens { price, ..FeedTokens::default() }, "EUR", NOW)
}

fn answer(number: u64, status: u16, (from, until): (i64, i64), points: &[(i64, &str)]) -> Answer {
    let points: Vec<String> =
        points.iter().map(|(at, value)| format!("[\"{}\",{value}]", seconds(*at))).collect();
    let body = format!(
        "{{\"token\":\"spot\",\"name\":\"Spot\",\"kind\":\"price\",\"quantity\":\"price\",\
         \"unit\":\"EUR/kWh\",\"validFrom\":\"{}\",\"validUntil\":\"{}\",\"points\":[{}]}}",
        seconds(from),
        seconds(until),
        points.join(",")
    );
    Answer { number, status, body: body.into_bytes() }
}

fn rate(feeds: &Feeds, from: i64, until: i64) -> Option<i64> {
    let prices = feeds.prices(Direction::Import)?;
    prices.over(Direction::Import, seconds(from), seconds(until)).ok().map(|rate| rate.0)
}

#[test]
fn what_has_no_value_is_unknown_and_the_last_good_values_hold() {
    let mut feeds = feeds();
    let requests = feeds.due(NOW);
    assert_eq!(requests[0].path, "/api/v1/feeds/spot");
    let points = [(0, "0.2215"), (3600, "null"), (7200, "-0.05")];
    assert_eq!(feeds.answer(NOW, &answer(1, 200, (0, 10_800), &points)), Ok(true));
    // 0.2215 EUR are 22.15 cents, in millionths.
    assert_eq!(rate(&feeds, 0, 3600), Some(22_150_000));
    assert_eq!(rate(&feeds, 3600, 3601), None);
    assert_eq!(rate(&feeds, 7200, 10_800), Some(-5_000_000));
    assert_eq!(rate(&feeds, 10_799, 10_801), None, "beyond its end");
    // The same again changes nothing, an error neither.
    feeds.due(seconds(3600));
    assert_eq!(feeds.answer(seconds(3600), &answer(2, 200, (0, 10_800), &points)), Ok(false));
    feeds.due(seconds(7200));
    assert!(feeds.answer(seconds(7200), &answer(3, 503, (0, 10_800), &[])).is_err());
    assert_eq!(rate(&feeds, 7200, 10_800), Some(-5_000_000));
    // The next day's document leaves the rest of this one.
    feeds.due(seconds(7260));
    let next = answer(4, 200, (9000, 90_000), &[(9000, "0.1")]);
    assert_eq!(feeds.answer(seconds(7260), &next), Ok(true));
    assert_eq!(rate(&feeds, 7200, 9000), Some(-5_000_000));
    assert_eq!(rate(&feeds, 9000, 90_000), Some(10_000_000));
}

#[test]
fn it_asks_every_hour_and_a_minute_after_a_failure() {
    let mut feeds = feeds();
    assert_eq!(feeds.wake_at(), Some(NOW));
    feeds.due(NOW);
    assert!(feeds.due(seconds(10)).is_empty());
    for (answer, due) in [
        (answer(1, 0, (0, 1), &[]), 70),
        (answer(2, 200, (0, 1), &[(0, "1e9")]), 140),
        (answer(3, 200, (1, 0), &[]), 210),
        (Answer { number: 4, status: 200, body: b"[".to_vec() }, 280),
        (answer(5, 200, (0, 9), &[(0, "0.1")]), 3890),
    ] {
        let now = feeds.wake_at().unwrap() + SimDuration::from_seconds(10);
        if answer.number > 1 {
            assert_eq!(feeds.due(now)[0].number, answer.number);
        }
        let now = if answer.number > 1 { now } else { seconds(10) };
        assert_eq!(feeds.answer(now, &answer).is_ok(), answer.number == 5, "{answer:?}");
        assert_eq!(feeds.wake_at(), Some(seconds(due)));
    }
    // One that is never answered is asked for again a minute after the next time.
    feeds.due(seconds(3890));
    assert_eq!(feeds.due(seconds(7490)).len(), 1);
    assert_eq!(feeds.wake_at(), Some(seconds(7550)));
    assert!(feeds.answer(seconds(7500), &answer(6, 200, (0, 9), &[])).is_err(), "given up on");
}
