//! A household that is made up, with everything that pages can show: for the example and for tests.

use lastmeter_household::schedule::Strategy;
use lastmeter_household::{Amount, Energy, Rate};
use lastmeter_units::{SimDuration, SimTime};

use super::display::Screen;
use super::view::{BillView, CoGeneratorView, DecisionView, LoadView, Statistics, View};

/// Monday, 18 January 2027, 17:00 UTC, with local clocks one hour ahead.
pub(crate) const NOW: SimTime = SimTime::from_nanoseconds(1_800_291_600_000_000_000);
const HOUR: SimDuration = SimDuration::from_seconds(3600);
const QUARTER: SimDuration = SimDuration::from_seconds(900);

fn statistics(day_wh: i64, peak_w: i64) -> Statistics {
    let energy = Energy::from_watt_hours;
    Statistics {
        register: energy(day_wh * 400 + 123),
        day: energy(day_wh),
        month: energy(day_wh * 17),
        year: energy(day_wh * 17),
        peak_w,
    }
}

/// Mean powers since midnight, of which an hour is missing.
fn profile(of: impl Fn(i64) -> i64) -> Vec<(SimTime, i64)> {
    let quarters = (0..72).filter(|quarter| !(40..44).contains(quarter));
    quarters.map(|quarter| (NOW - HOUR * 18 + QUARTER * quarter, of(quarter))).collect()
}

fn load(name: &str, power_w: i64, of: impl Fn(i64) -> i64) -> LoadView {
    let day_wh = (0..72).map(&of).sum::<i64>() / 4;
    LoadView {
        name: name.to_owned(),
        power_w: Some(power_w),
        is_closed: Some(true),
        is_shed: false,
        priority: 3,
        window: None,
        least_window: HOUR * 2,
        start: None,
        statistics: statistics(day_wh, (0..72).map(&of).max().unwrap_or(0)),
        profile: profile(of),
    }
}

fn loads() -> Vec<LoadView> {
    let between = |quarter: i64, from: i64, until: i64| (from..until).contains(&quarter);
    let hours = |from, until| Some((HOUR * from, HOUR * until));
    vec![
        load("fridge", 92, |quarter| 60 + 40 * (quarter % 3)),
        LoadView {
            window: hours(21, 7),
            start: Some(NOW + HOUR * 5),
            ..load("dishwasher", 0, |_| 0)
        },
        LoadView {
            window: hours(9, 17),
            ..load("washing machine", 410, move |quarter| {
                if between(quarter, 52, 58) { 1_900 - 250 * (quarter - 52) } else { 0 }
            })
        },
        LoadView {
            is_closed: Some(false),
            is_shed: true,
            priority: 1,
            ..load(
                "water heater",
                0,
                move |quarter| if between(quarter, 20, 28) { 1_950 } else { 0 },
            )
        },
        LoadView { is_closed: None, power_w: None, ..load("oven", 0, |_| 0) },
    ]
}

fn decision(minutes: i64, about: &str, action: &'static str, why: &str) -> DecisionView {
    let at = NOW - SimDuration::from_seconds(60 * minutes);
    DecisionView { at, about: about.to_owned(), action, why: why.to_owned() }
}

/// Everything that is shown.
pub(crate) fn view() -> View {
    let midnight = NOW - HOUR * 18;
    let of_hour = |hour: i64| midnight + HOUR * hour;
    let renewable = |hour: i64| (0.max(36 - (hour % 24 - 12) * (hour % 24 - 12)) * 60, hour);
    let price = |hour: i64| match hour % 24 {
        17..21 => 48_000_000,
        7..17 => 27_500_000,
        _ => 19_000_000,
    };
    View {
        name: "aggregator".to_owned(),
        now: NOW,
        local_offset: HOUR,
        strategy: Strategy::LeastCost,
        net_w: Some(1_244),
        production_w: Some(0),
        limit_w: 3_000,
        profile: profile(|quarter| 300 + 900 * (quarter % 7) / 3 - 60 * (quarter - 30).max(0)),
        renewable_w: (0..30).map(renewable).map(|(watts, hour)| (of_hour(hour), watts)).collect(),
        prices: (0..30).map(|hour| (of_hour(hour), Some(Rate(price(hour))))).collect(),
        temperature_c: Some(4.5),
        co_generator: Some(CoGeneratorView {
            is_running: true,
            reason: "heat",
            output_w: 1_000,
            heat_w: 2_400,
            stored: Energy::from_watt_hours(3_500),
            unmet: Energy::from_watt_hours(0),
        }),
        bill: BillView {
            from: Some(midnight - HOUR * 24 * 17),
            currency: "EUR".to_owned(),
            import: Energy::from_watt_hours(131_700),
            export: Energy::from_watt_hours(18_400),
            total: Amount::from_microcents(3_820_400_000),
            open_steps: 1,
        },
        loads: loads(),
        whole: statistics(9_120, 3_120),
        decisions: vec![
            decision(12, "water heater", "open", "Net power of 3.4 kW is above the limit of 3 kW."),
            decision(200, "washing machine", "start", "The lowest price of its window begins."),
        ],
        tasks: vec!["CAN manage", "Web server", "Decide", "Bill", "User interface"],
        screen: Screen::Start,
    }
}
