//! Bills by hand, and against a clock that is watched minute by minute.

use serde_json::{Value, json};

use super::*;
use crate::entity::read;

mod watched;

fn at(text: &str) -> SimTime {
    text.parse().unwrap()
}

/// The 11th of January 2027, a Monday: F1 from 08:00 to 19:00, 07:00 to 18:00 in UTC.
fn monday() -> Stretch {
    Stretch { from: at("2027-01-10T23:00:00Z"), until: at("2027-01-11T23:00:00Z") }
}

/// A tariff in two price zones with other or more members.
fn tariff(members: Value) -> Tariff {
    let mut body = json!({
        "name": "Two zones", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2026-01-01T00:00:00Z",
        "imports": [
            {"name": "F3", "price": "0.20"},
            {"name": "F1", "weekdays": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00",
             "until": "19:00", "price": "0.30"},
        ],
    });
    let Value::Object(members) = members else { panic!() };
    body.as_object_mut().unwrap().extend(members);
    read(&body).unwrap()
}

/// A register that is read every 15 min, with readings at times of that Monday in UTC.
fn register(readings: &[(&str, i64)]) -> Register {
    let reading = |&(time, register_wh): &(&str, i64)| {
        let is_date = time.len() > 5;
        let at = if is_date { at(time) } else { at(&format!("2027-01-11T{time}:00Z")) };
        Reading { at, register_wh }
    };
    Register {
        meter: HardwareId::new("meter 1").unwrap(),
        direction: Direction::Import,
        service: Stretch { from: SimTime(i64::MIN), until: SimTime(i64::MAX) },
        reading_period: SimDuration::from_seconds(900),
        readings: readings.iter().map(reading).collect(),
    }
}

const MIDNIGHT: &str = "2027-01-10T23:00:00Z";

fn export(readings: &[(&str, i64)]) -> Register {
    Register { direction: Direction::Export, ..register(readings) }
}

fn account<'a>(period: Stretch, tariffs: &'a [Tariff], registers: &'a [Register]) -> Account<'a> {
    let customer = Token::try_from("a-2".to_owned()).unwrap();
    Account { customer, owner: None, period, tariffs, registers }
}

fn billed(tariffs: &[Tariff], registers: &[Register]) -> Bill {
    let bill = bill(&account(monday(), tariffs, registers)).unwrap();
    assert_eq!(read::<Bill>(&json!(bill)).unwrap(), bill, "it is a document");
    bill
}

/// The lines of a kind as JSON.
fn lines(bill: &Bill, kind: &str) -> Vec<Value> {
    let all = json!(bill.lines);
    all.as_array().unwrap().iter().filter_map(|line| line.get(kind).cloned()).collect()
}

fn total(bill: &Bill) -> String {
    bill.total.to_string()
}

#[test]
fn energy_is_charged_at_the_price_it_was_taken_at() {
    let registers =
        [register(&[(MIDNIGHT, 100), ("07:00", 1100), ("18:00", 4100), ("23:00", 4600)])];
    let bill = billed(&[tariff(json!({}))], &registers);
    assert_eq!(
        lines(&bill, "energy"),
        [
            json!({
                "meter": "meter 1", "direction": "import", "name": "F1", "price": "0.3",
                "energyWh": 3000, "amount": "0.90", "registers": [{
                    "from": "2027-01-11T07:00:00.000Z", "until": "2027-01-11T18:00:00.000Z",
                    "firstWh": 1100, "lastWh": 4100, "onlyTotal": true,
                }],
            }),
            json!({
                "meter": "meter 1", "direction": "import", "name": "F3", "price": "0.2",
                "energyWh": 1500, "amount": "0.30", "registers": [
                    {
                        "from": "2027-01-10T23:00:00.000Z", "until": "2027-01-11T07:00:00.000Z",
                        "firstWh": 100, "lastWh": 1100, "onlyTotal": true,
                    },
                    {
                        "from": "2027-01-11T18:00:00.000Z", "until": "2027-01-11T23:00:00.000Z",
                        "firstWh": 4100, "lastWh": 4600, "onlyTotal": true,
                    },
                ],
            }),
        ]
    );
    assert_eq!((total(&bill).as_str(), bill.is_open), ("1.20", false));
    assert_eq!(bill.complete_until, monday().until);
    let json = json!(bill);
    assert_eq!((&json["total"], &json["isOpen"]), (&json!("1.20"), &json!(false)));
}

#[test]
fn steps_up_to_two_and_a_half_reading_periods_are_one_span() {
    // 15, 37.5 and 38 min, all of it by day.
    let mut registers = [register(&[
        (MIDNIGHT, 0),
        ("07:00", 0),
        ("07:15", 10),
        ("2027-01-11T07:52:30Z", 20),
        ("2027-01-11T08:30:30Z", 20),
    ])];
    registers[0].service = Stretch { from: at("2027-01-11T07:00:00Z"), ..monday() };
    registers[0].service.until = at("2027-01-11T08:30:30Z");
    let bill = billed(&[tariff(json!({}))], &registers);
    let spans = &lines(&bill, "energy")[0]["registers"];
    let marks: Vec<_> = spans.as_array().unwrap().iter().map(|span| &span["onlyTotal"]).collect();
    assert_eq!(marks, [false, true]);
    assert_eq!(spans[0]["until"], "2027-01-11T07:52:30.000Z");
}

#[test]
fn energy_over_a_change_of_price_is_a_gap_with_bounds() {
    let registers = [register(&[(MIDNIGHT, 0), ("07:00", 1000), ("19:00", 4500), ("23:00", 4500)])];
    let bill = billed(&[tariff(json!({}))], &registers);
    assert_eq!(
        lines(&bill, "gap"),
        [json!({
            "meter": "meter 1", "direction": "import", "from": "2027-01-11T07:00:00.000Z",
            "until": "2027-01-11T19:00:00.000Z", "firstWh": 1000, "lastWh": 4500, "energyWh": 3500,
            "missed": true, "prices": [
                {"name": "F1", "price": "0.3", "amount": "1.05"},
                {"name": "F3", "price": "0.2", "amount": "0.70"},
            ],
            "amount": null, "lower": "0.70", "upper": "1.05",
        })]
    );
    assert_eq!((total(&bill).as_str(), bill.is_open), ("0.20", true));
    assert_eq!(bill.complete_until, at("2027-01-11T07:00:00Z"));
    // A meter that is not read at the change misses no reading.
    let registers =
        [register(&[(MIDNIGHT, 0), ("06:55", 0), ("07:10", 1), ("18:00", 1), ("23:00", 1)])];
    let bill = billed(&[tariff(json!({}))], &registers);
    let gap = &lines(&bill, "gap")[0];
    assert_eq!(
        (&gap["missed"], &gap["lower"], &gap["upper"]),
        (&json!(false), &json!("0.00"), &json!("0.00"))
    );
    assert!(bill.is_open, "bounds that differ by less than a cent differ");
}

#[test]
fn no_energy_over_a_change_of_price_is_no_gap() {
    let registers = [register(&[(MIDNIGHT, 0), ("06:00", 50), ("20:00", 50), ("23:00", 60)])];
    let bill = billed(&[tariff(json!({}))], &registers);
    assert_eq!((total(&bill).as_str(), bill.is_open, bill.lines.len()), ("0.01", false, 1));
    assert_eq!(lines(&bill, "energy")[0]["energyWh"], 60);
}

#[test]
fn one_price_under_two_names_leaves_nothing_open() {
    let same = tariff(json!({"imports": [
        {"name": "A", "price": "0.25"}, {"name": "B", "from": "08:00", "price": "0.25"},
    ]}));
    let bill = billed(&[same], &[register(&[(MIDNIGHT, 0), ("23:00", 1000)])]);
    assert_eq!((total(&bill).as_str(), bill.is_open), ("0.25", false));
    assert_eq!(lines(&bill, "gap")[0]["amount"], "0.25");
}

#[test]
fn a_fall_a_conflict_and_missing_ends_are_open() {
    let of = |readings: &[(&str, i64)]| {
        let bill = billed(&[tariff(json!({}))], &[register(readings)]);
        let open = lines(&bill, "gapOpen");
        let shown = open.iter().map(|line| {
            let [from, until] =
                ["from", "until"].map(|name| line[name].as_str().unwrap()[11..16].to_owned());
            format!(
                "{from}-{until} {} {} {}",
                line["cause"].as_str().unwrap(),
                line["firstWh"],
                line["lastWh"]
            )
        });
        let shown: Vec<_> = shown.collect();
        assert!(bill.is_open);
        (shown.join(", "), total(&bill), bill.complete_until.to_string()[11..16].to_owned())
    };
    let expect = |shown: &str, total: &str, complete: &str| {
        (shown.to_owned(), total.to_owned(), complete.to_owned())
    };
    assert_eq!(
        of(&[
            (MIDNIGHT, 500),
            ("06:00", 600),
            ("07:00", 10),
            ("07:15", 110),
            ("18:00", 110),
            ("23:00", 110)
        ]),
        expect("06:00-07:00 fall 600 10", "0.05", "06:00"),
    );
    assert_eq!(
        of(&[(MIDNIGHT, 0), ("06:00", 100), ("06:00", 200), ("23:00", 200)]),
        expect("06:00-06:00 conflict 100 200", "0.02", "06:00"),
    );
    assert_eq!(
        of(&[("07:00", 0), ("18:00", 1000)]),
        expect("23:00-07:00 no-reading null 0, 18:00-23:00 no-reading 1000 null", "0.30", "23:00"),
    );
    assert_eq!(of(&[]), expect("23:00-23:00 no-reading null null", "0.00", "23:00"));
    // The last reading long before the period.
    assert_eq!(
        of(&[("2027-01-01T00:00:00Z", 5)]),
        expect("23:00-23:00 no-reading 5 null", "0.00", "23:00"),
    );
}

#[test]
fn what_lies_around_the_period_may_be_outside() {
    let registers = [register(&[("2027-01-10T22:45:00Z", 0), ("00:00", 1000), ("23:00", 1000)])];
    let bill = billed(&[tariff(json!({}))], &registers);
    let gap = &lines(&bill, "gap")[0];
    assert_eq!((&gap["lower"], &gap["upper"]), (&json!("0.00"), &json!("0.20")));
    assert_eq!(bill.complete_until, monday().from);
    let outside = register(&[("2027-01-01T00:00:00Z", 0), (MIDNIGHT, 1000), ("23:00", 1000)]);
    let bill = billed(&[tariff(json!({}))], &[outside]);
    assert_eq!((bill.lines.len(), bill.is_open), (0, false));
}

#[test]
fn energy_that_is_fed_in_is_paid_where_a_tariff_has_a_price_for_it() {
    let registers = [export(&[(MIDNIGHT, 0), ("07:00", 25), ("23:00", 25)])];
    let feed_in = tariff(json!({"exports": [{"name": "Feed-in", "price": "0.2"}]}));
    let bill = billed(std::slice::from_ref(&feed_in), &registers);
    assert_eq!(total(&bill), "-0.01", "half a cent is rounded away from zero");
    let taken = [register(&[(MIDNIGHT, 0), ("07:00", 25), ("23:00", 25)])];
    assert_eq!(total(&billed(&[feed_in], &taken)), "0.01");
    let bill = billed(&[tariff(json!({}))], &[export(&[])]);
    assert_eq!((bill.lines.len(), bill.is_open), (0, false), "nobody pays for it");
    // From noon in Rome on.
    let later = tariff(json!({
        "imports": [], "exports": [{"name": "Feed-in", "price": "0.1"}],
        "validFrom": "2027-01-11T11:00:00Z",
    }));
    let registers = [export(&[(MIDNIGHT, 0), ("10:45", 500), ("11:15", 1500), ("23:00", 1500)])];
    let bill = billed(&[tariff(json!({})), later], &registers);
    let gap = &lines(&bill, "gap")[0];
    assert_eq!((&gap["lower"], &gap["upper"]), (&json!("-0.10"), &json!("0.00")));
}

#[test]
fn energy_that_is_taken_without_a_price_has_no_bounds() {
    let until_noon = tariff(json!({"validUntil": "2027-01-11T11:00:00Z"}));
    let registers = [register(&[
        (MIDNIGHT, 0),
        ("07:00", 0),
        ("10:45", 0),
        ("11:15", 1000),
        ("22:00", 2000),
        ("23:00", 2000),
    ])];
    let bill = billed(&[until_noon], &registers);
    let gaps = lines(&bill, "gap");
    assert_eq!(gaps.len(), 2);
    assert_eq!(
        (&gaps[0]["prices"][0]["amount"], &gaps[0]["upper"]),
        (&json!("0.30"), &Value::Null)
    );
    assert_eq!((&gaps[1]["prices"], &gaps[1]["lower"]), (&json!([]), &Value::Null));
    assert!(bill.is_open);
}

#[test]
fn a_tariff_that_goes_on_in_another_is_no_change_of_price() {
    let plain = json!([{"name": "All", "price": "0.2"}]);
    let noon = "2027-01-11T11:00:00Z";
    let first = tariff(json!({"imports": plain, "validUntil": noon}));
    let second = tariff(json!({"imports": plain, "validFrom": noon}));
    let bill = billed(&[second, first], &[register(&[(MIDNIGHT, 0), ("23:00", 1000)])]);
    assert_eq!((total(&bill).as_str(), bill.lines.len()), ("0.20", 1));
}

#[test]
fn a_spike_wins_over_the_zones() {
    let spike = tariff(json!({"prices": [
        {"from": "2027-01-11T10:00:00Z", "until": "2027-01-11T10:15:00Z", "price": "5.4321"},
    ]}));
    let registers = [register(&[
        (MIDNIGHT, 0),
        ("07:00", 0),
        ("10:00", 1000),
        ("10:15", 2000),
        ("18:00", 2000),
        ("23:00", 2000),
    ])];
    let bill = billed(&[spike], &registers);
    let shown = lines(&bill, "energy");
    let shown = shown.iter().map(|line| format!("{} {}", line["name"], line["amount"]));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [r#""F1" "0.30""#, r#""F3" "0.00""#, r#""Two zones" "5.43""#],
    );
}

#[test]
fn meters_that_were_exchanged_have_a_register_each() {
    let (exchange, always) = (at("2027-01-11T10:07:00Z"), monday());
    let mut old = register(&[(MIDNIGHT, 90_000), ("07:00", 90_000), ("10:07", 91_000)]);
    old.service = Stretch { until: exchange, ..always };
    let mut new = register(&[("10:07", 3), ("18:00", 2003), ("23:00", 2003)]);
    new.service = Stretch { from: exchange, ..always };
    new.meter = HardwareId::new("meter 2").unwrap();
    let peak = json!({"peak": {"name": "Peak", "perKwMonth": "31", "window": "15m"}});
    let bill =
        billed(&[tariff(json!({})), tariff(json!({"imports": []}))], &[old.clone(), new.clone()]);
    assert_eq!((total(&bill).as_str(), bill.is_open), ("0.90", false));
    // 800 Wh and 200 Wh in the window from 10:00: 4 kW, for one day of 31.
    old.readings.insert(2, Reading { at: at("2027-01-11T10:00:00Z"), register_wh: 90_200 });
    new.readings.insert(1, Reading { at: at("2027-01-11T10:15:00Z"), register_wh: 203 });
    new.readings.insert(2, Reading { at: at("2027-01-11T17:59:00Z"), register_wh: 203 });
    let bill = billed(&[tariff(peak)], &[old, new]);
    let peak = &lines(&bill, "peak")[0];
    assert_eq!((&peak["lowerW"], &peak["upperW"]), (&json!(7200), &json!(7200)));
    assert_eq!(
        (&peak["window"], &peak["amount"]),
        (&json!("2027-01-11T17:45:00.000Z"), &json!("7.20"))
    );
}

#[test]
fn a_step_over_the_end_of_a_service_may_be_outside() {
    let mut moved = register(&[("10:00", 0), ("10:15", 1000), ("23:00", 1000)]);
    moved.service = Stretch { from: at("2027-01-11T10:07:00Z"), ..monday() };
    let peak = json!({"peak": {"name": "Peak", "perKwMonth": "31", "window": "15m"}});
    let bill = billed(&[tariff(peak)], &[moved]);
    let gap = &lines(&bill, "gap")[0];
    assert_eq!((&gap["lower"], &gap["upper"]), (&json!("0.00"), &json!("0.30")));
    let peak = &lines(&bill, "peak")[0];
    assert_eq!((&peak["lowerW"], &peak["upperW"]), (&json!(0), &json!(4000)));
}

#[test]
fn a_peak_is_known_if_nothing_else_can_be_higher() {
    let peak = |readings: &[(&str, i64)]| {
        let tariff = tariff(json!({
            "imports": [{"name": "All", "price": "0"}],
            "peak": {"name": "Peak", "perKwMonth": "31", "window": "15m"},
        }));
        let bill = billed(&[tariff], &[register(readings)]);
        let line = lines(&bill, "peak").remove(0);
        let shown = format!(
            "{} {} {} {} {}",
            line["lowerW"], line["upperW"], line["amount"], line["lower"], line["upper"]
        );
        (shown.replace('"', ""), bill.complete_until.to_string()[11..16].to_owned())
    };
    let closed = |shown: &str| (shown.to_owned(), "23:00".to_owned());
    // 1 kWh in a quarter of an hour; an hour with 0.9 kWh of which nothing is known.
    assert_eq!(
        peak(&[(MIDNIGHT, 0), ("10:00", 0), ("10:15", 1000), ("11:15", 1900), ("23:00", 1900)]),
        closed("4000 4000 4.00 4.00 4.00"),
    );
    assert_eq!(
        peak(&[(MIDNIGHT, 0), ("10:00", 0), ("10:15", 1000), ("11:15", 2100), ("23:00", 2100)]),
        ("4000 4400 null 4.00 4.40".to_owned(), "10:15".to_owned()),
    );
    // Not read at the ends of windows: two of them share 500 Wh.
    assert_eq!(
        peak(&[(MIDNIGHT, 0), ("10:05", 0), ("10:10", 300), ("10:20", 800), ("23:00", 800)]),
        ("1200 3200 null 1.20 3.20".to_owned(), "10:00".to_owned()),
    );
    assert_eq!(
        peak(&[(MIDNIGHT, 0), ("10:05", 9), ("10:20", 8), ("23:00", 8)]),
        ("0 null null 0.00 null".to_owned(), "23:00".to_owned()),
    );
    assert_eq!(peak(&[(MIDNIGHT, 0), ("23:00", 0)]), closed("0 0 0.00 0.00 0.00"));
}

#[test]
fn terms_by_month_are_shared_by_days() {
    let zone = Zone::named("Europe/Rome").unwrap();
    let fixed = |from: &str, until: Value| {
        tariff(json!({
            "imports": [], "fixed": [{"name": "Meter", "perMonth": "10"}],
            "validFrom": from, "validUntil": until,
        }))
    };
    let shown = |tariffs: &[Tariff], period: Stretch| {
        let bill = bill(&account(period, tariffs, &[])).unwrap();
        let lines = lines(&bill, "fixed");
        let lines = lines
            .iter()
            .map(|line| format!("{}/{} {}", line["days"], line["daysOfMonth"], line["amount"]));
        (lines.collect::<Vec<_>>().join(", ").replace('"', ""), total(&bill))
    };
    let january = month(&zone, 2027, 1).unwrap();
    let whole = fixed("2026-01-01T00:00:00Z", Value::Null);
    let expect = |lines: &str, total: &str| (lines.to_owned(), total.to_owned());
    assert_eq!(shown(std::slice::from_ref(&whole), january), expect("31/31 10.00", "10.00"));
    // At noon of the 15th: the day counts where it begins.
    let noon = "2027-01-15T11:00:00Z";
    let two = [fixed("2026-01-01T00:00:00Z", json!(noon)), fixed(noon, Value::Null)];
    assert_eq!(shown(&two, january), expect("15/31 4.84, 16/31 5.16", "10.00"));
    let both = Stretch { until: month(&zone, 2027, 2).unwrap().until, from: at(noon) };
    assert_eq!(shown(&[whole], both), expect("16/31 5.16, 28/28 10.00", "15.16"));
}

#[test]
fn a_month_with_a_change_of_offset_has_the_prices_of_its_clock() {
    // Sunday 31 October 2027: 02:00 to 03:00 comes twice, at 00:00 and at 01:00 in UTC.
    let night = tariff(json!({"imports": [
        {"name": "base", "price": "0.1"},
        {"name": "night", "weekdays": ["sun"], "from": "02:00", "until": "02:30", "price": "1"},
    ]}));
    let times = ["00:00", "00:30", "01:00", "01:30"].map(|time| format!("2027-10-31T{time}:00Z"));
    let october = month(&Zone::named("Europe/Rome").unwrap(), 2027, 10).unwrap();
    let ends = [october.from, october.until].map(|end| end.to_string());
    let instants: Vec<_> = [&ends[..1], &times, &ends[1..]].concat();
    let mut readings: Vec<_> =
        instants.iter().zip(0..).map(|(at, index)| (at.as_str(), index * 1000)).collect();
    // From 1 October on another four Sundays have such a half hour; nothing is taken until then.
    readings[0].1 = 1000;
    for reading in &mut readings[1..] {
        reading.1 = reading.1.min(4000);
    }
    let bill = bill(&account(october, &[night], &[register(&readings)])).unwrap();
    let shown = lines(&bill, "energy");
    let shown: Vec<_> = shown.iter().map(|line| (&line["energyWh"], &line["amount"])).collect();
    let expected = [(json!(1000), json!("0.10")), (json!(2000), json!("2.00"))];
    assert_eq!(shown, expected.each_ref().map(|(energy, amount)| (energy, amount)));
    assert_eq!((total(&bill).as_str(), bill.is_open), ("2.10", false));
}

#[test]
fn months_are_those_of_the_local_calendar() {
    let zone = Zone::named("Europe/Rome").unwrap();
    let march = month(&zone, 2027, 3).unwrap();
    assert_eq!(march.from, at("2027-02-28T23:00:00Z"));
    assert_eq!(march.until, at("2027-03-31T22:00:00Z"));
    for (year, of) in [(2027, 0), (2027, 13), (1677, 1), (2262, 1), (i16::MAX, i8::MIN)] {
        assert_eq!(month(&zone, year, of), Err(BillError::Month { year, month: of }));
    }
}

#[test]
fn amounts_have_the_places_of_the_currency() {
    let readings = [register(&[(MIDNIGHT, 0), ("07:00", 1234), ("23:00", 1234)])];
    for (currency, expected) in [("JPY", "0"), ("KWD", "0.247"), ("CLF", "0.2468"), ("XYZ", "0.25")]
    {
        assert_eq!(total(&billed(&[tariff(json!({"currency": currency}))], &readings)), expected);
    }
    for (numerator, expected) in
        [(5, "0.01"), (-5, "-0.01"), (4, "0.00"), (-4, "0.00"), (-1005, "-1.01")]
    {
        assert_eq!(Money::rounded(numerator, 1000, 2).unwrap().to_string(), expected);
    }
    assert_eq!(Money::rounded(i128::MAX, 1, 0), None);
    assert_eq!(Money::rounded(1, 0, 0), None);
}

#[test]
fn what_contradicts_itself_is_no_bill() {
    let error = |period: Stretch, tariffs: &[Tariff], registers: &[Register]| {
        bill(&account(period, tariffs, registers)).unwrap_err().to_string()
    };
    let (one, none) = (tariff(json!({})), []);
    let empty = Stretch { until: monday().from, ..monday() };
    assert!(error(empty, std::slice::from_ref(&one), &none).starts_with("period: 2027-01-10T23:"));
    let long = Stretch { from: SimTime(i64::MIN), until: SimTime(i64::MAX) };
    assert!(error(long, std::slice::from_ref(&one), &none).starts_with("period: 1677-"));
    assert_eq!(error(monday(), &[], &none), "tariffs: none, expected at least one");
    let other = tariff(json!({"currency": "CHF"}));
    assert_eq!(
        error(monday(), &[one.clone(), other], &none),
        "tariffs: EUR and CHF, expected one currency"
    );
    assert!(
        error(monday(), &[one.clone(), one.clone()], &none).contains("two prices at 2027-01-10T23")
    );
    let late = register(&[("07:00", 0), ("06:00", 0)]);
    assert!(
        error(monday(), std::slice::from_ref(&one), &[late])
            .starts_with("readings of `meter 1`: 2027")
    );
    let still = Register { reading_period: SimDuration(0), ..register(&[]) };
    assert!(
        error(monday(), std::slice::from_ref(&one), &[still])
            .starts_with("reading period of `meter 1`")
    );
    let far = register(&[(MIDNIGHT, i64::MIN), ("07:00", i64::MAX)]);
    assert!(
        error(monday(), std::slice::from_ref(&one), &[far]).starts_with("meter 1: a number beyond")
    );
    let dear = tariff(json!({"imports": [{"name": "All", "price": "9000000000000"}]}));
    let much = register(&[(MIDNIGHT, 0), ("23:00", i64::MAX)]);
    assert!(error(monday(), &[dear], &[much]).starts_with("meter 1: a number beyond"));
}
