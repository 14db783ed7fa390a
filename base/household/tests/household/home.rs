//! A household on a day in summer: 96 quarters of an hour, prices by the hour, photovoltaics, and
//! loads that may be moved. All values are chosen; nothing is claimed of any household.

use lastmeter_household::Rate;
use lastmeter_household::schedule::{Forecast, MovableLoad};
use lastmeter_household::tariff::{Interval, Price, PriceSeries};
use lastmeter_units::{SimDuration, SimTime};

/// Hundredths of a cent for 1 kWh that is taken, hour by hour.
pub(crate) const IMPORT: [i64; 24] = [
    790, 710, 670, 640, 690, 1180, 2530, 3340, 3620, 3180, 2710, 2420, 2260, 2240, 2390, 2650,
    2980, 3560, 4120, 4380, 3890, 3070, 2480, 2110,
];
/// Hundredths of a cent for 1 kWh that is fed in.
pub(crate) const EXPORT: i64 = 795;
/// Demand that cannot be moved, in W, hour by hour.
const DEMAND_W: [i64; 24] = [
    210, 190, 180, 180, 190, 240, 620, 980, 760, 430, 390, 450, 720, 540, 400, 380, 460, 620, 880,
    940, 810, 670, 520, 310,
];
pub(crate) const SLOTS: usize = 96;
pub(crate) const SLOT: SimDuration = SimDuration::from_seconds(900);

/// Midnight, at which the day begins.
pub(crate) fn midnight() -> SimTime {
    SimTime(1_813_536_000_000_000_000)
}

pub(crate) fn hour(hour: i64) -> SimTime {
    midnight() + SimDuration::from_seconds(3600 * hour)
}

pub(crate) fn prices() -> PriceSeries {
    let interval = |(at, import): (usize, &i64)| Interval {
        from: hour(at as i64),
        until: hour(at as i64 + 1),
        price: Price { import: Rate(import * 10_000), export: Rate(EXPORT * 10_000) },
    };
    PriceSeries::new(IMPORT.iter().enumerate().map(interval).collect()).unwrap()
}

/// Photovoltaics in a slot, in W: a parabola from 6 to 20 o'clock with 1500 W at its top.
pub(crate) fn production_w(slot: usize) -> i64 {
    let from_top = slot as i64 - 52;
    (1500 - 1500 * from_top * from_top / (28 * 28)).max(0)
}

pub(crate) fn demand_w(slot: usize) -> i64 {
    DEMAND_W[slot / 4]
}

pub(crate) fn forecast() -> Forecast {
    let net: Vec<i64> = (0..SLOTS).map(|slot| demand_w(slot) - production_w(slot)).collect();
    Forecast::new(&prices(), midnight(), SLOT, &net).unwrap()
}

/// A washing machine, a dishwasher, a tumble dryer and a water heater.
pub(crate) fn loads() -> Vec<MovableLoad> {
    let load = |profile_w: &[i64], from, until| MovableLoad {
        profile_w: profile_w.to_vec(),
        from: hour(from),
        until: hour(until),
    };
    vec![
        load(&[300, 2050, 1400, 180, 160, 220, 480], 0, 22),
        load(&[1900, 900, 90, 80, 1850, 600], 7, 24),
        load(&[2300, 2300, 2100, 1700, 900], 6, 23),
        load(&[2000; 6], 1, 18),
    ]
}
