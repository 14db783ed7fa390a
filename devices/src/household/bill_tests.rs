//! The bill against registers times tariff, computed apart in whole numbers, with restarts.

use lastmeter_household::RATE_MAX;
use lastmeter_household::tariff::{Interval, Price};
use proptest::prelude::*;

use super::*;
use crate::household::kept::{decode, encode};

const START: SimTime = SimTime(1_800_000_000_000_000_000);
const REGISTER: Register = Register { wraps_at: None, power_max_w: 1_000_000 };

fn minutes(count: i64) -> SimTime {
    START + SimDuration::from_seconds(60 * count)
}

/// Prices of hours, in both directions; none: unknown.
fn series(hours: &[Option<i64>]) -> PriceSeries {
    let interval = |(hour, rate): (usize, &Option<i64>)| {
        let rate = Rate((*rate)?);
        let price = Price { import: rate, export: rate };
        let from = minutes(60 * hour as i64);
        Some(Interval { from, until: minutes(60 * (hour as i64 + 1)), price })
    };
    PriceSeries::new(hours.iter().enumerate().filter_map(interval).collect()).unwrap()
}

/// What a day of minutes costs by hours, of steps that lie in one hour with a price: a loop over
/// hours, with products in microjoules times millionths of a cent, of which a cent has 3.6e18.
fn by_hand(registers: &[(i64, i128)], hours: &[Option<i64>]) -> (i128, i128, usize) {
    let (mut energy, mut money, mut open) = (0, 0, 0);
    for pair in registers.windows(2) {
        let ((from, earlier), (until, later)) = (pair[0], pair[1]);
        let step = later - earlier;
        let touched = &hours[(from / 60) as usize..=((until - 1) / 60) as usize];
        let one = touched[0].filter(|rate| touched.iter().all(|other| *other == Some(*rate)));
        match one {
            _ if step == 0 => {}
            Some(rate) => {
                energy += step;
                money += step * i128::from(rate);
            }
            None => open += 1,
        }
    }
    (energy, money, open)
}

fn to_the_cent(parts: i128) -> i128 {
    let cent = 3_600_000_000_000_000_000;
    let (whole, rest) = (parts.div_euclid(cent), parts.rem_euclid(cent));
    whole + i128::from(2 * rest > cent || (2 * rest == cent && whole % 2 != 0))
}

fn a_price() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        1 => Just(None),
        9 => (-2_000_000_000..RATE_MAX).prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A day of readings, some left out, with the aggregator killed at random points: to the cent.
    #[test]
    fn a_day_is_registers_times_tariff(
        import_prices in prop::collection::vec(a_price(), 24),
        export_prices in prop::collection::vec(a_price(), 24),
        day in prop::collection::vec((0_i128..50_000, 0_i128..20_000, 0_u8..10, 0_u8..20), 1440),
        fixed in 0_i64..1_000_000_000,
    ) {
        let prices = [series(&import_prices), series(&export_prices)];
        let by = |direction| Some(&prices[usize::from(direction == Direction::Export)]);
        let mut ledger = Ledger::default();
        let (mut import, mut export) = (7_i128, 3_i128);
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        for (minute, (consumed, injected, lost, killed)) in (0..).zip(day) {
            // mJ, as registers have them.
            import += consumed * 1000;
            export += injected * 1000;
            if killed == 0 {
                ledger = decode(&encode(&ledger)).unwrap();
            }
            if lost == 0 && minute > 0 {
                continue;
            }
            let reading =
                Reading { at: minutes(minute), import: Energy(import), export: Energy(export) };
            ledger.reading(reading, &REGISTER, by);
            // The same once more, as after a kill between two records.
            ledger.reading(reading, &REGISTER, by);
            imports.push((minute, import));
            exports.push((minute, export));
        }
        let fixed = Amount::from_microcents(fixed);
        let view = ledger.view("EUR", fixed);
        let (energy, cost, open) = by_hand(&imports, &import_prices);
        let (fed_in, pay, fed_open) = by_hand(&exports, &export_prices);
        prop_assert_eq!((view.import, view.export), (Energy(energy), Energy(fed_in)));
        let fixed_parts = fixed.parts();
        prop_assert_eq!(view.total.cents(), to_the_cent(cost - pay + fixed_parts));
        prop_assert_eq!(view.open_steps, open + fed_open);
    }

    /// Prices that become known later are charged then, as if they had been known.
    #[test]
    fn late_prices_are_charged(
        hours in prop::collection::vec(prop::option::of(-1_000_000_i64..1_000_000_000), 24),
        steps in prop::collection::vec(0_i128..9_000_000, 24),
    ) {
        let known = series(&hours);
        let none = PriceSeries::default();
        let (mut early, mut late) = (Ledger::default(), Ledger::default());
        let mut import = 0;
        for (hour, step) in (0..).zip([0].into_iter().chain(steps)) {
            import += step * 1000;
            let reading =
                Reading { at: minutes(60 * hour), import: Energy(import), export: Energy::ZERO };
            early.reading(reading, &REGISTER, |_| Some(&known));
            late.reading(reading, &REGISTER, |_| Some(&none));
        }
        late.charge_open(|_| Some(&known));
        prop_assert_eq!(late.view("EUR", Amount::ZERO), early.view("EUR", Amount::ZERO));
    }
}

#[test]
fn what_cannot_be_charged_is_named() {
    let prices = series(&[Some(1_000_000_000), Some(2_000_000_000)]);
    let mut ledger = Ledger::default();
    let mut read = |minute, watt_hours| {
        let import = Energy::from_watt_hours(watt_hours);
        let reading = Reading { at: minutes(minute), import, export: Energy::ZERO };
        ledger.reading(reading, &REGISTER, |_| Some(&prices))
    };
    assert_eq!(read(0, 100), [""; 0]);
    assert_eq!(read(59, 200), [""; 0]);
    assert!(read(61, 300)[0].contains("the price changes in it"));
    assert!(read(70, 0)[0].contains("the register restarted"));
    assert!(read(130, 500)[0].contains("no price is known"));
    assert_eq!(read(140, 600), [""; 0], "an outage is remarked once");
    let view = ledger.view("EUR", Amount::ZERO);
    assert_eq!((view.total.cents(), view.open_steps), (100, 4));
}
