//! Calendars against known dates and brute force.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> SimTime {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

/// Hours of the stretches of a width over a range, and where the first begins, in local time.
fn hours(name: &str, width: Width, from: &str, until: &str) -> (String, Vec<f64>) {
    let zone = zone(name);
    let all: Vec<_> = stretches(&zone, width, at(from), at(until)).collect();
    let hours = all.iter().map(|one| one.until.since(one.from).as_seconds_f64() / 3600.0);
    (zone.local_text(all[0].from), hours.collect())
}

#[test]
fn days_of_rome_have_23_and_25_hours_at_the_changes_of_2027() {
    // 28 March and 31 October 2027, by Directive 2000/84/EC: the last Sundays, at 01:00 UTC.
    let (first, spring) =
        hours("Europe/Rome", Width::Day, "2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z");
    assert_eq!((first.as_str(), spring), ("2027-03-27T00:00:00+01:00", vec![24.0, 23.0, 24.0]));
    let (first, autumn) =
        hours("Europe/Rome", Width::Day, "2027-10-30T12:00:00Z", "2027-11-01T12:00:00Z");
    assert_eq!((first.as_str(), autumn), ("2027-10-30T00:00:00+02:00", vec![24.0, 25.0, 24.0]));
    let (_, march) =
        hours("Europe/Rome", Width::Month, "2027-03-10T00:00:00Z", "2027-03-11T00:00:00Z");
    assert_eq!(march, [743.0]);
    let (_, year) =
        hours("Europe/Rome", Width::Year, "2028-03-10T00:00:00Z", "2028-03-11T00:00:00Z");
    assert_eq!(year, [366.0 * 24.0]);
    let (monday, week) =
        hours("Europe/Rome", Width::Week, "2027-10-31T12:00:00Z", "2027-10-31T13:00:00Z");
    assert_eq!((monday.as_str(), week), ("2027-10-25T00:00:00+02:00", vec![169.0]));
}

#[test]
fn hours_of_the_repeated_and_the_missing_hour_are_whole() {
    let autumn = hours("Europe/Rome", Width::Hour, "2027-10-30T22:00:00Z", "2027-10-31T23:00:00Z");
    assert_eq!(autumn.1, vec![1.0; 25]);
    let spring = hours("Europe/Rome", Width::Hour, "2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z");
    assert_eq!(spring.1, vec![1.0; 23]);
}

#[test]
fn hours_begin_where_the_local_clock_shows_them() {
    for (name, first) in [
        ("Asia/Kolkata", "2027-06-01T05:00:00+05:30"),
        ("Asia/Kathmandu", "2027-06-01T05:00:00+05:45"),
        ("Pacific/Chatham", "2027-06-01T12:00:00+12:45"),
        ("UTC", "2027-06-01T00:00:00+00:00"),
    ] {
        let found = hours(name, Width::Hour, "2027-06-01T00:05:00Z", "2027-06-01T00:10:00Z");
        assert_eq!(found, (first.to_owned(), vec![1.0]), "{name}");
    }
}

#[test]
fn a_change_by_half_an_hour_ends_the_stretch() {
    // Lord Howe Island: +11:00 to +10:30 at 02:00 local on 4 April 2027 (15:00 UTC on the 3rd).
    let found =
        hours("Australia/Lord_Howe", Width::Hour, "2027-04-03T14:00:00Z", "2027-04-03T16:30:00Z");
    assert_eq!(found, ("2027-04-04T01:00:00+11:00".to_owned(), vec![1.0, 0.5, 1.0]));
    let day =
        hours("Australia/Lord_Howe", Width::Day, "2027-04-03T15:00:00Z", "2027-04-03T15:30:00Z");
    assert_eq!(day.1, [24.5]);
}

#[test]
fn the_southern_hemisphere_changes_the_other_way() {
    // Sydney: 3 October 2027 has 23 hours, 4 April 2027 has 25.
    let spring =
        hours("Australia/Sydney", Width::Day, "2027-10-02T14:00:00Z", "2027-10-03T13:00:00Z");
    assert_eq!(spring.1, [23.0]);
    let autumn =
        hours("Australia/Sydney", Width::Day, "2027-04-03T13:00:00Z", "2027-04-04T14:00:00Z");
    assert_eq!(autumn.1, [25.0]);
}

#[test]
fn a_day_without_midnight_begins_at_the_change_and_a_day_left_out_has_no_stretch() {
    // Sao Paulo, 4 November 2018: 00:00 to 01:00. Apia had no 30 December 2011.
    let found =
        hours("America/Sao_Paulo", Width::Day, "2018-11-04T12:00:00Z", "2018-11-04T13:00:00Z");
    assert_eq!(found, ("2018-11-04T01:00:00-02:00".to_owned(), vec![23.0]));
    let found = hours("Pacific/Apia", Width::Day, "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z");
    assert_eq!(found, ("2011-12-29T00:00:00-10:00".to_owned(), vec![24.0, 24.0, 24.0]));
}

#[test]
fn names_that_are_no_zone_or_width_are_reported() {
    let error = Zone::named("Europe/Turin").unwrap_err();
    assert!(error.to_string().starts_with("unknown time zone `Europe/Turin`"));
    assert_eq!(
        "2h".parse::<Width>().unwrap_err().to_string(),
        "unknown width `2h`, expected one of 15m, 30m, 1h, 1d, 1w, 1mo, 1y"
    );
    assert_eq!(serde_json::to_string(&zone("Europe/Rome")).unwrap(), "\"Europe/Rome\"");
    assert_eq!(zone("europe/rome"), zone("Europe/Rome"));
    assert_eq!(zone("Asia/Kathmandu").offset(SimTime(0)).to_string(), "330 min");
}

pub(crate) const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Rome",
    "Europe/Dublin",
    "America/Havana",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
];

proptest! {
    #[test]
    fn stretches_tile_the_range(
        zone in proptest::sample::select(&ZONES[..]),
        width in proptest::sample::select(&Width::ALL),
        from_s in 1_000_000_000_i64..2_200_000_000,
        long_s in 1_i64..10_000_000,
    ) {
        let from = SimTime(from_s * 1_000_000_000 + 7);
        let until = from + SimDuration::from_seconds(long_s);
        let all: Vec<_> = stretches(&tests::zone(zone), width, from, until).collect();
        prop_assert!(all[0].from <= from && from < all[0].until);
        let last = all[all.len() - 1];
        prop_assert!(last.from < until && until <= last.until);
        for (one, next) in all.iter().zip(&all[1..]) {
            prop_assert!(one.from < one.until);
            prop_assert_eq!(one.until, next.from);
        }
    }

    #[test]
    fn stretches_do_not_depend_on_the_range(
        zone in proptest::sample::select(&ZONES[..]),
        width in proptest::sample::select(&Width::ALL),
        from_s in 1_000_000_000_i64..2_200_000_000,
        later_s in 0_i64..1_000_000,
    ) {
        let zone = tests::zone(zone);
        let from = SimTime::from_nanoseconds(from_s * 1_000_000_000);
        let later = from + SimDuration::from_seconds(later_s);
        let from_there = stretches(&zone, width, later, SimTime(later.0 + 1)).next().unwrap();
        let through = stretches(&zone, width, from, SimTime(later.0 + 1)).last().unwrap();
        prop_assert_eq!(from_there, through);
    }

    #[test]
    fn local_times_are_the_first_instants_that_show_them_or_more(
        zone in proptest::sample::select(&ZONES[..]),
        around in 1_000_000_000_i64..2_200_000_000,
        minutes in 0_i64..1440,
    ) {
        // By brute force: the change of offset that follows, and the local times around it.
        let zone = tests::zone(zone);
        let change = zone.change_after(SimTime(around * 1_000_000_000));
        prop_assume!(change.0 < 2_300_000_000 * 1_000_000_000);
        let local = zone.date(change).at(0, 0, 0, 0);
        let local = local.checked_add(jiff::Span::new().minutes(minutes)).unwrap();
        let first = (-2 * 96..2 * 96)
            .map(|quarter| change + SimDuration::from_seconds(900 * quarter))
            .flat_map(|from| (0..15).map(move |m| from + SimDuration::from_seconds(60 * m)))
            .find(|at| zone.0.to_datetime(timestamp(*at)) >= local);
        prop_assert_eq!(Some(zone.instant(local)), first);
    }
}
