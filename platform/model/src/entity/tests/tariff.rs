//! What energy costs at each instant, by hand.

use lastmeter_units::SimTime;
use serde_json::{Value, json};

use crate::entity::{Decimal, Direction, Money, Tariff, read};

fn at(text: &str) -> SimTime {
    text.parse().unwrap()
}

fn tariff(members: Value) -> Tariff {
    let mut body = json!({
        "name": "Plain", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2027-01-01T00:00:00Z", "validUntil": "2028-01-01T00:00:00Z",
    });
    let Value::Object(members) = members else { panic!() };
    body.as_object_mut().unwrap().extend(members);
    read(&body).unwrap()
}

/// Pieces as `BEGINNING NAME PRICE`, in local time, and the end of the last one.
fn shown(tariff: &Tariff, from: &str, until: &str) -> Vec<String> {
    let pieces = tariff.pieces(Direction::Import, at(from), at(until));
    let local = |at: SimTime| {
        let text = tariff.zone.local_text(at);
        format!("{} {}{}", &text[8..10], &text[11..16], &text[19..22])
    };
    let mut shown: Vec<_> = pieces
        .iter()
        .map(|piece| format!("{} {} {}", local(piece.from), piece.name, piece.price))
        .collect();
    shown.extend(pieces.last().map(|piece| local(piece.until)));
    shown
}

#[test]
fn zones_go_by_the_local_clock() {
    // Italian time bands without holidays: F1 Monday to Friday 8 to 19, F2 Monday to Friday 7 to 8
    // and 19 to 23, Saturday 7 to 23, F3 the rest.
    let workdays = json!(["mon", "tue", "wed", "thu", "fri"]);
    let bands = tariff(json!({"imports": [
        {"name": "F3", "price": "0.1"},
        {"name": "F2", "weekdays": workdays, "from": "07:00", "until": "23:00", "price": "0.2"},
        {"name": "F2", "weekdays": ["sat"], "from": "07:00", "until": "23:00", "price": "0.2"},
        {"name": "F1", "weekdays": workdays, "from": "08:00", "until": "19:00", "price": "0.3"},
    ]}));
    // Friday 11 to Monday 14 June 2027.
    assert_eq!(
        shown(&bands, "2027-06-11T10:00:00Z", "2027-06-14T06:30:00Z"),
        [
            "11 12:00+02 F1 0.3",
            "11 19:00+02 F2 0.2",
            "11 23:00+02 F3 0.1",
            "12 07:00+02 F2 0.2",
            "12 23:00+02 F3 0.1",
            "14 07:00+02 F2 0.2",
            "14 08:00+02 F1 0.3",
            "14 08:30+02",
        ]
    );
}

#[test]
fn a_zone_over_midnight_ends_on_the_day_after_its_own() {
    let night = tariff(json!({"imports": [
        {"name": "day", "price": "2"},
        {"name": "night", "weekdays": ["fri"], "from": "22:00", "until": "06:00", "price": "1"},
        {"name": "whole", "weekdays": ["sun"], "price": "3"},
        {"name": "early", "weekdays": ["sun"], "until": "01:30", "price": "4"},
        {"name": "late", "weekdays": ["sun"], "from": "23:15:30", "price": "5"},
    ]}));
    assert_eq!(
        shown(&night, "2027-06-11T10:00:00Z", "2027-06-14T10:00:00Z"),
        [
            "11 12:00+02 day 2",
            "11 22:00+02 night 1",
            "12 06:00+02 day 2",
            "13 00:00+02 early 4",
            "13 01:30+02 whole 3",
            "13 23:15+02 late 5",
            "14 00:00+02 day 2",
            "14 12:00+02",
        ]
    );
}

#[test]
fn the_hour_that_is_left_out_has_no_price_and_the_repeated_one_has_its_price_twice() {
    let zones = |from: &str, until: &str| {
        tariff(json!({"imports": [
            {"name": "base", "price": "1"},
            {"name": "part", "weekdays": ["sun"], "from": from, "until": until, "price": "2"},
        ]}))
    };
    // 28 March 2027: after 02:00 comes 03:00.
    let (from, until) = ("2027-03-28T00:00:00Z", "2027-03-28T03:00:00Z");
    let base = ["28 01:00+01 base 1", "28 05:00+02"];
    assert_eq!(shown(&zones("02:00", "03:00"), from, until), base);
    assert_eq!(shown(&zones("02:15", "02:45"), from, until), base);
    let over = ["28 01:00+01 base 1", "28 01:30+01 part 2", "28 03:30+02 base 1", "28 05:00+02"];
    assert_eq!(shown(&zones("01:30", "03:30"), from, until), over);
    let cut = ["28 01:00+01 base 1", "28 03:00+02 part 2", "28 03:30+02 base 1", "28 05:00+02"];
    assert_eq!(shown(&zones("02:30", "03:30"), from, until), cut);
    // 31 October 2027: after 03:00 comes 02:00 again.
    let (from, until) = ("2027-10-30T23:00:00Z", "2027-10-31T03:00:00Z");
    let whole = ["31 01:00+02 base 1", "31 02:00+02 part 2", "31 03:00+01 base 1", "31 04:00+01"];
    assert_eq!(shown(&zones("02:00", "03:00"), from, until), whole);
    assert_eq!(
        shown(&zones("01:30", "02:15"), from, until),
        [
            "31 01:00+02 base 1",
            "31 01:30+02 part 2",
            "31 02:15+02 base 1",
            "31 02:00+01 part 2",
            "31 02:15+01 base 1",
            "31 04:00+01",
        ]
    );
}

#[test]
fn dated_prices_win_and_may_be_all_there_is() {
    let hour = |hour: u32| format!("2027-06-11T{hour:02}:00:00Z");
    let spot = |imports: Value| {
        tariff(json!({"imports": imports, "prices": [
            {"from": hour(8), "until": hour(9), "price": "0.5"},
            {"from": hour(8), "until": hour(12), "price": "9", "direction": "export"},
            {"from": hour(9), "until": hour(10), "price": "0.5"},
            {"name": "spike", "from": hour(11), "until": hour(12), "price": "-0.000001"},
        ]}))
    };
    let base = spot(json!([{"name": "base", "price": "0.10"}]));
    assert_eq!(
        shown(&base, &hour(7), &hour(14)),
        [
            "11 09:00+02 base 0.1",
            "11 10:00+02 Plain 0.5",
            "11 12:00+02 base 0.1",
            "11 13:00+02 spike -0.000001",
            "11 14:00+02 base 0.1",
            "11 16:00+02",
        ]
    );
    let alone = spot(json!([]));
    let expected = ["11 10:00+02 Plain 0.5", "11 13:00+02 spike -0.000001", "11 14:00+02"];
    assert_eq!(shown(&alone, &hour(7), &hour(14)), expected);
    let exports = base.pieces(Direction::Export, at(&hour(0)), at(&hour(20)));
    assert_eq!((exports.len(), exports[0].price.to_string().as_str()), (1, "9"));
}

#[test]
fn there_is_no_price_beyond_the_validity() {
    let plain = tariff(json!({"imports": [{"name": "base", "price": "1"}]}));
    let pieces = plain.pieces(Direction::Import, at("2020-01-01T00:00:00Z"), SimTime(i64::MAX));
    assert_eq!(pieces.len(), 1);
    assert_eq!((pieces[0].from, pieces[0].until), (plain.valid_from, plain.valid_until.unwrap()));
    assert!(plain.pieces(Direction::Import, SimTime(i64::MAX), SimTime(i64::MIN)).is_empty());
    assert!(plain.pieces(Direction::Export, plain.valid_from, SimTime(i64::MAX)).is_empty());
}

#[test]
fn amounts_are_texts_of_exact_decimals() {
    for (text, micros, written) in [
        ("0.2215", 221_500, "0.2215"),
        ("-12.50", -12_500_000, "-12.5"),
        ("007", 7_000_000, "7"),
        ("-0.0", 0, "0"),
        ("9223372036854.775807", i64::MAX, "9223372036854.775807"),
        ("-9223372036854.775808", i64::MIN, "-9223372036854.775808"),
    ] {
        let decimal = Decimal::try_from(text.to_owned()).unwrap();
        assert_eq!((decimal.micros(), decimal.to_string().as_str()), (micros, written));
    }
    for text in
        ["", "-", ".5", "5.", "+1", "1e3", "0.0000001", "9223372036854.775808", "1.2.3", "١"]
    {
        assert!(Decimal::try_from(text.to_owned()).is_err(), "{text}");
    }
    for (text, minor) in
        [("28.97", 2897), ("-0.05", -5), ("3", 3), ("-0.00", 0), ("1.0001", 10_001)]
    {
        assert_eq!(Money::try_from(text.to_owned()).unwrap().minor(), minor);
    }
    assert!(Money::try_from("0.00001".to_owned()).is_err());
}
