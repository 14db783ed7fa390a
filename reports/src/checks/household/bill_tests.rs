//! Bills against sums that were made by hand.

use super::super::super::testing::{at, check, facts, row, try_check};
use super::*;
use lastmeter_record::{RunState, Status};

const PRICES: &str = "gateway = \"hub\"\nmeter = \"feed\"\nunbilled = \"1 h\"\n\
    prices = [{ from = \"0 s\", import = \"0.20\", export = \"0.05\" }, \
    { from = \"30 s\", import = \"0.50\" }]\n";

/// 1 kWh, in the unit of observations.
const KWH: f64 = 3.6e6;

fn bill(total_ucent: i128, (from, until): (i64, i64), open_steps: u64) -> Event {
    Event::new(at(until), "hub", EventKind::HouseholdBill)
        .with(field::FROM, at(from).to_string())
        .with(field::UNTIL, at(until).to_string())
        .with(field::TOTAL_UCENT, total_ucent.to_string())
        .with(field::OPEN_STEPS, open_steps)
}

/// Imports 1 kWh, exports 2, imports 3: readings every 10 s from 10 s on, the price changes at the
/// last but one. Truth is a tenth of a kWh beyond at the end.
fn judged(keys: &str, bills: &[Event]) -> Verdict {
    judged_by(&format!("{PRICES}{keys}"), bills)
}

fn judged_by(keys: &str, bills: &[Event]) -> Verdict {
    let mut check = check("household_bill", keys);
    let facts = facts(RunState::Finished);
    check.begin(&facts);
    for (serial, taken, fed, truth) in
        [(1, 7.0, 1.0, 7.0), (2, 8.0, 1.0, 8.0), (3, 8.0, 3.0, 8.0), (4, 11.0, 3.0, 11.1)]
    {
        let [taken, fed, truth] = [taken, fed, truth].map(|kwh| Some(kwh * KWH));
        check.observation(&row("feed", serial, QUANTITIES[0], truth, taken));
        check.observation(&row("feed", serial, QUANTITIES[1], fed, fed));
        check.observation(&row("other", serial, QUANTITIES[0], truth, Some(0.0)));
    }
    (1..).zip(bills).for_each(|(line, event)| check.event(line, event));
    check.verdict(&facts)
}

// 20 cents for 1 kWh, less 10 for 2 kWh, and 150 for 3 kWh: 160 cents.
const RIGHT: i128 = 160 * CENT;

#[test]
fn the_last_bill_has_to_be_the_sum() {
    let earlier = bill(1, (10, 20), 0);
    for (total, status, difference) in [
        (RIGHT, Status::Pass, 0.0),
        (RIGHT + 1, Status::Fail, 1e-6),
        (RIGHT + 300_000, Status::Fail, 0.3),
        (RIGHT - CENT, Status::Fail, 1.0),
    ] {
        let verdict = judged("", &[earlier.clone(), bill(total, (10, 40), 0)]);
        assert_eq!((verdict.status, verdict.measured, verdict.n), (status, Some(difference), 3));
        let place = verdict.at.and_then(|at| at.event);
        assert_eq!(place, (status == Status::Fail).then_some(2));
    }
    let fixed = judged("fixed = \"1.25\"\n", &[bill(RIGHT + 125 * CENT, (10, 40), 0)]);
    assert_eq!(fixed.status, Status::Pass, "{}", fixed.why);
    // Only the first step.
    assert_eq!(judged("", &[bill(20 * CENT, (10, 20), 0)]).status, Status::Pass);
}

#[test]
fn truth_has_a_tolerance() {
    // A tenth of a kWh at 0.50.
    for (within, status) in [("0.05", Status::Pass), ("0.0499", Status::Fail)] {
        let keys = format!("against = \"truth\"\nwithin = \"{within}\"\n");
        let verdict = judged(&keys, &[bill(RIGHT, (10, 40), 0)]);
        assert_eq!(verdict.status, status, "{}", verdict.why);
        assert!((verdict.measured.unwrap() - 5.0).abs() < 1e-5);
    }
}

#[test]
fn what_cannot_be_compared_is_no_verdict() {
    for bills in [
        &[][..],
        &[bill(RIGHT, (10, 40), 1)],
        &[bill(RIGHT, (5, 40), 0)],
        &[bill(RIGHT, (10, 50), 0)],
        &[bill(0, (40, 40), 0)],
    ] {
        let verdict = judged("", bills);
        assert_eq!(verdict.status, Status::Inconclusive, "{}", verdict.why);
    }
    // Of ten minutes none are billed after the first.
    let keys = PRICES.replace("1 h", "9 min");
    assert_eq!(judged_by(&keys, &[bill(RIGHT, (10, 40), 0)]).status, Status::Inconclusive);
    // A price that changes amid the last step.
    let keys = "gateway = \"hub\"\nmeter = \"feed\"\nunbilled = \"1 h\"\n\
                prices = [{ from = \"0 s\", import = \"1\" }, { from = \"35 s\", import = \"2\" }]";
    let mut check = check("household_bill", keys);
    let facts = facts(RunState::Finished);
    check.begin(&facts);
    for (serial, taken) in [(3, 1.0), (4, 2.0)] {
        check.observation(&row("feed", serial, QUANTITIES[0], None, Some(taken * KWH)));
    }
    check.event(1, &bill(100 * CENT, (30, 40), 0));
    assert_eq!(check.verdict(&facts).status, Status::Inconclusive);
}

#[test]
fn amounts_are_decimal_and_prices_in_order() {
    assert_eq!(decimal("0.20"), Some(20_000_000));
    assert_eq!(decimal("-1.00000001"), Some(-100_000_001));
    for text in ["", ".5", "1e3", "0,2", "1.123456789", "--1"] {
        assert_eq!(decimal(text), None, "{text}");
    }
    assert_eq!([rounded(5, 10), rounded(15, 10), rounded(-5, 10), rounded(-6, 10)], [0, 2, 0, -1]);
    let prices = |list: &str| format!("gateway = \"h\"\nmeter = \"f\"\nprices = [{list}]");
    for wrong in [
        prices("{ from = \"1 s\", import = \"1\" }, { from = \"1 s\", import = \"2\" }"),
        prices("{ from = \"1 s\", import = \"cheap\" }"),
        format!("{}\nagainst = \"truth\"", prices("{ from = \"0 s\", import = \"1\" }")),
        format!("{}\nwithin = \"1\"", prices("{ from = \"0 s\", import = \"1\" }")),
    ] {
        assert!(try_check("household_bill", &wrong).is_err(), "{wrong}");
    }
}
