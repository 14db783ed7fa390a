//! Bills beside decimal arithmetic on digits.

use lastmeter_household::tariff::{
    BillError, Cause, Direction, Interval, Price, PriceFault, PriceSeries, Reading, Register,
    SeriesError, Tariff, bill,
};
use lastmeter_household::{Amount, Energy, Rate};
use lastmeter_units::{SimDuration, SimTime};
use proptest::collection::vec;
use proptest::prelude::*;

fn hour(hour: usize) -> SimTime {
    SimTime(1_800_000_000_000_000_000) + SimDuration::from_seconds(3600 * hour as i64)
}

/// One price for each hour.
fn series(rates: &[(i64, i64)]) -> PriceSeries {
    let interval = |(at, (import, export)): (usize, &(i64, i64))| Interval {
        from: hour(at),
        until: hour(at + 1),
        price: Price { import: Rate(*import), export: Rate(*export) },
    };
    PriceSeries::new(rates.iter().enumerate().map(interval).collect()).unwrap()
}

fn tariff(rates: &[(i64, i64)], fixed_microcents: i64) -> Tariff {
    Tariff { prices: series(rates), fixed: Amount::from_microcents(fixed_microcents) }
}

const REGISTER: Register = Register { wraps_at: None, power_max_w: 20_000 };

fn reading(at: usize, import_wh: i64, export_wh: i64) -> Reading {
    let [import, export] = [import_wh, export_wh].map(Energy::from_watt_hours);
    Reading { at: hour(at), import, export }
}

/// Cents of a decimal number of cents with nine decimals, half to even, on its digits.
fn rounded(nano_cents: i128) -> i128 {
    let digits = format!("{:010}", nano_cents.unsigned_abs());
    let (whole, decimals) = digits.split_at(digits.len() - 9);
    let mut cents: i128 = whole.parse().unwrap();
    let last = whole.as_bytes()[whole.len() - 1] - b'0';
    match decimals.cmp("500000000") {
        std::cmp::Ordering::Greater => cents += 1,
        std::cmp::Ordering::Equal if last % 2 == 1 => cents += 1,
        _ => {}
    }
    if nano_cents < 0 { -cents } else { cents }
}

#[test]
fn rounding_on_digits_is_right_itself() {
    let cases = [(500_000_000, 0), (1_500_000_000, 2), (2_500_000_000, 2), (-1_500_000_000, -2)];
    for (nano, cents) in cases.into_iter().chain([(-500_000_001, -1), (2_500_000_001, 3), (0, 0)]) {
        assert_eq!(rounded(nano), cents, "{nano}");
    }
}

proptest! {
    /// Wh times millionths of a cent for 1 kWh are 1e-9 cents: finite decimals.
    #[test]
    fn a_bill_is_registers_times_prices_to_the_cent(
        hours in vec((-50_000_000..80_000_000_i64, 0..20_000_000_i64, 0..9000_i64, 0..5000_i64), 1..60),
        fixed in -2_000_000_000..2_000_000_000_i64,
        first in (0..1_000_000_i64, 0..1_000_000_i64),
    ) {
        let rates: Vec<(i64, i64)> = hours.iter().map(|hour| (hour.0, hour.1)).collect();
        let mut readings = vec![reading(0, first.0, first.1)];
        let (mut import, mut export) = first;
        let mut nano_cents = i128::from(fixed) * 1000;
        for (at, (import_rate, export_rate, taken, fed_in)) in hours.iter().enumerate() {
            import += taken;
            export += fed_in;
            nano_cents += i128::from(*taken) * i128::from(*import_rate);
            nano_cents -= i128::from(*fed_in) * i128::from(*export_rate);
            readings.push(reading(at + 1, import, export));
        }
        let bill = bill(&tariff(&rates, fixed), &REGISTER, &readings).unwrap();
        prop_assert!(bill.is_complete());
        prop_assert_eq!(bill.total().cents(), rounded(nano_cents));
        prop_assert_eq!(bill.import, Energy::from_watt_hours(import - first.0));
        prop_assert_eq!(bill.export, Energy::from_watt_hours(export - first.1));
    }

    /// Of a register that wraps, the bill is that of the sum that does not.
    #[test]
    fn a_wrap_changes_no_bill(steps in vec(0..20_000_i64, 1..40), end in 20_001..200_000_i64) {
        let rates = vec![(23_456_789, 0); steps.len()];
        let (mut count, mut wraps) = (end - 1, 0);
        let (mut wrapping, mut plain) = (vec![reading(0, count, 0)], vec![reading(0, count, 0)]);
        for (at, step) in steps.iter().enumerate() {
            wraps += usize::from(count / end != (count + step) / end);
            count += step;
            wrapping.push(reading(at + 1, count % end, 0));
            plain.push(reading(at + 1, count, 0));
        }
        let register = Register { wraps_at: Some(Energy::from_watt_hours(end)), ..REGISTER };
        let of = |register, readings: &[Reading]| {
            bill(&tariff(&rates, 0), register, readings).unwrap()
        };
        let (wrapping, plain) = (of(&register, &wrapping), of(&REGISTER, &plain));
        prop_assert_eq!(wrapping.total(), plain.total());
        prop_assert!(wrapping.is_complete());
        prop_assert_eq!(wrapping.remarks.len(), wraps);
        prop_assert!(wrapping.remarks.iter().all(|it| matches!(it.cause, Cause::Wrapped(_))));
    }
}

#[test]
fn an_amount_is_rounded_once_and_halves_to_even() {
    // 5 Wh at 1 currency unit for 1 kWh are half a cent.
    let half = |half_cents: i64| Energy::from_watt_hours(5 * half_cents) * Rate(100_000_000);
    let cents: Vec<i128> = (-5..=5).map(|count| half(count).cents()).collect();
    assert_eq!(cents, [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2]);
    // Three parts of 0.4 cents are 1.2, not 0.
    let part = Energy::from_watt_hours(4) * Rate(100_000_000);
    assert_eq!((part + part + part).cents(), 1);
    assert_eq!(part.cents(), 0);
}

#[test]
fn a_restart_is_named_and_charges_nothing() {
    let rates = [(20_000_000, 0); 3];
    let readings = [reading(0, 900, 0), reading(1, 1400, 0), reading(2, 30, 0), reading(3, 530, 0)];
    let result = bill(&tariff(&rates, 7_000_000), &REGISTER, &readings).unwrap();
    // 1 kWh at 20 cents, and 7 cents.
    assert_eq!((result.total().cents(), result.import), (27, Energy::from_watt_hours(1000)));
    assert!(!result.is_complete());
    let remark = result.remarks[0];
    assert_eq!(
        (remark.direction, remark.from, remark.until),
        (Direction::Import, hour(1), hour(2))
    );
    assert_eq!(remark.cause, Cause::Restarted);
    // With an end at 100 kWh the fall were a wrap of 98.63 kWh in an hour: more than 20 kW carry.
    let register = Register { wraps_at: Some(Energy::from_watt_hours(100_000)), ..REGISTER };
    assert_eq!(bill(&tariff(&rates, 7_000_000), &register, &readings).unwrap(), result);
}

#[test]
fn energy_without_a_single_known_price_stays_open() {
    let readings = |until: [usize; 3]| {
        [reading(until[0], 0, 0), reading(until[1], 100, 0), reading(until[2], 200, 50)]
    };
    let causes = |rates: &[(i64, i64)], at: [usize; 3]| {
        let result = bill(&tariff(rates, 0), &REGISTER, &readings(at)).unwrap();
        let causes: Vec<Cause> = result.remarks.iter().map(|remark| remark.cause).collect();
        (result.total().cents(), result.is_complete(), causes)
    };
    let (import, export) = (Energy::from_watt_hours(100), Energy::from_watt_hours(50));
    // 0.1 kWh at 30 cents, then prices end.
    let unknown = |energy, at| Cause::Unpriced(energy, PriceFault::Unknown(hour(at)));
    let open = vec![unknown(import, 1), unknown(export, 1)];
    assert_eq!(causes(&[(30_000_000, 0)], [0, 1, 2]), (3, false, open));
    // The price of import changes within the second step, that of export does not.
    let rates = [(30_000_000, 20_000_000), (30_000_000, 20_000_000), (40_000_000, 20_000_000)];
    let open = vec![Cause::Unpriced(import, PriceFault::Changes(hour(2)))];
    assert_eq!(causes(&rates, [0, 1, 3]), (2, false, open));
    // Two intervals of one price are one.
    assert_eq!(causes(&rates[..2], [0, 1, 2]), (5, true, vec![]));
    // Nothing counted needs no price.
    let idle = [reading(0, 5, 5), reading(9, 5, 5)];
    assert!(bill(&tariff(&[], 0), &REGISTER, &idle).unwrap().is_complete());
}

#[test]
fn what_is_not_in_order_or_range_is_rejected() {
    let tariff = tariff(&[(1, 1); 4], 0);
    let of = |readings: &[Reading]| bill(&tariff, &REGISTER, readings).map(|_| ());
    let twice = [reading(1, 0, 0), reading(1, 0, 0)];
    assert_eq!(of(&twice), Err(BillError::Order(hour(1))));
    assert_eq!(of(&[reading(2, 0, -1)]), Err(BillError::Range(hour(2))));
    assert_eq!(of(&[reading(2, i64::MAX, 0)]), Err(BillError::Range(hour(2))));
    assert_eq!(of(&[]), Ok(()));
    let interval = |from, until, import| Interval {
        from: hour(from),
        until: hour(until),
        price: Price { import: Rate(import), export: Rate(0) },
    };
    let of = |intervals: &[Interval]| PriceSeries::new(intervals.to_vec()).map(|_| ());
    assert_eq!(of(&[interval(1, 1, 0)]), Err(SeriesError::Order(hour(1))));
    assert_eq!(of(&[interval(0, 2, 0), interval(1, 3, 0)]), Err(SeriesError::Order(hour(1))));
    assert_eq!(of(&[interval(0, 2, i64::MAX)]), Err(SeriesError::Range(hour(0))));
    let with_gap = PriceSeries::new(vec![interval(0, 1, 5), interval(2, 3, 5)]).unwrap();
    let over = |from, until| with_gap.over(Direction::Import, hour(from), hour(until));
    assert_eq!(over(0, 3), Err(PriceFault::Unknown(hour(1))));
    assert_eq!(over(1, 3), Err(PriceFault::Unknown(hour(1))));
    assert_eq!(over(2, 3), Ok(Rate(5)));
    assert_eq!(with_gap.horizon(), Some(hour(3)));
}
