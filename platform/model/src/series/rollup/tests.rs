//! Roll-ups against what the values themselves give.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::calendar::{Width, Zone, stretches};

const START: SimTime = SimTime(1_800_000_000 * 1_000_000_000);

type Reading = (SimTime, Vec<(u16, f64)>);
/// Count, least, greatest, first with its time, last.
type NaiveSummary = (u64, f64, f64, (SimTime, f64), f64);

fn rollup<'a>(readings: impl IntoIterator<Item = &'a Reading>) -> Rollup {
    let mut rollup = Rollup::new(START);
    readings.into_iter().for_each(|(at, values)| {
        rollup.add((*at, received(*at)), values.iter().copied());
    });
    rollup
}

/// When something arrived: some of it before it was measured, by a clock that is fast.
fn received(at: SimTime) -> SimTime {
    SimTime(at.0 - (at.0 / 1_000_000_000 % 3 - 1) * 7_000_000_001)
}

fn readings(most: usize) -> impl Strategy<Value = Vec<Reading>> {
    let at = prop_oneof![
        (0..900_000_i64).prop_map(|ms| START + SimDuration::from_milliseconds(ms)),
        (0..BUCKET.0).prop_map(|ns| START + SimDuration(ns)),
        // Few instants, so that some come twice.
        (0..5_i64).prop_map(|s| START + SimDuration::from_seconds(s)),
    ];
    let value = prop_oneof![-1e6..1e6, any::<i16>().prop_map(f64::from), Just(0.1), Just(-0.0)];
    vec((at, vec((0..4_u16, value), 0..4)), 0..most)
}

/// From the values themselves, by sorting them.
fn naive(readings: &[Reading], number: u16) -> Option<NaiveSummary> {
    let of_reading = |(at, values): &Reading| {
        let at = *at;
        let values = values.clone().into_iter().filter(move |(quantity, _)| *quantity == number);
        values.map(move |(_, value)| (at, value))
    };
    let mut all: Vec<_> = readings.iter().flat_map(of_reading).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let min = all.iter().map(|(_, value)| *value).min_by(f64::total_cmp)?;
    let max = all.iter().map(|(_, value)| *value).max_by(f64::total_cmp)?;
    Some((all.len() as u64, min, max, all[0], all[all.len() - 1].1))
}

proptest! {
    #[test]
    fn a_row_is_what_its_values_give(readings in readings(60)) {
        let rollup = rollup(&readings);
        prop_assert_eq!(rollup.readings() as usize, readings.len());
        prop_assert_eq!(rollup.has_row(), readings.len() >= 4);
        let belong = readings.iter().map(|(at, _)| instant_of_data(*at, received(*at)));
        let earliest = belong.min().map_or(START, |at| at.min(START));
        let early = earliest.0 - rollup.earliest().0;
        prop_assert!((0..1_000_000).contains(&early), "{}", early);
        for number in 0..4 {
            let found = rollup.quantity(number);
            let found = found.map(|one| (one.n, one.min, one.max, one.first, one.last.1));
            prop_assert_eq!(found, naive(&readings, number));
        }
    }

    #[test]
    fn the_order_of_values_and_merges_does_not_matter(
        readings in readings(40),
        seed in any::<u64>(),
        cuts in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let all = rollup(&readings);
        let mut shuffled = readings.clone();
        shuffled.sort_by_key(|(at, values)| {
            (at.0 as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(values.len() as u32)
        });
        prop_assert_eq!(rollup(&shuffled).encode(), all.encode());
        let (a, b) = (cuts.0.index(readings.len() + 1), cuts.1.index(readings.len() + 1));
        let parts = [&readings[..a.min(b)], &readings[a.min(b)..a.max(b)], &readings[a.max(b)..]];
        let [one, two, three] = parts.map(rollup);
        let merged = |left: &Rollup, right: &Rollup| {
            let mut left = left.clone();
            left.merge(right);
            left
        };
        prop_assert_eq!(&merged(&merged(&one, &two), &three), &all);
        prop_assert_eq!(&merged(&one, &merged(&two, &three)), &all);
        prop_assert_eq!(&merged(&merged(&three, &one), &two), &all);
    }

    #[test]
    fn bytes_give_the_row_again_and_damage_is_reported(
        readings in readings(40),
        cut in any::<prop::sample::Index>(),
    ) {
        let rollup = rollup(&readings);
        let bytes = rollup.encode();
        prop_assert_eq!(Rollup::decode(START, &bytes), Ok(rollup));
        prop_assert!(Rollup::decode(START, &bytes[..cut.index(bytes.len())]).is_err());
        let mut long = bytes.clone();
        long.push(0);
        prop_assert!(Rollup::decode(START, &long).is_err());
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error(mut bytes in vec(any::<u8>(), 0..200)) {
        if let Some(version) = bytes.first_mut() {
            *version = VERSION;
        }
        let _ = Rollup::decode(START, &bytes);
    }

    #[test]
    fn hours_and_days_are_what_the_values_give(
        values in vec((0..200_000_i64, -1e3..1e3), 1..300),
        width in proptest::sample::select(&Width::ALL[..5]),
    ) {
        // Across the end of daylight saving time on 31 October 2027.
        let from: SimTime = "2027-10-30T00:00:00Z".parse().unwrap();
        let values: Vec<(SimTime, f64)> =
            values.iter().map(|(s, value)| (from + SimDuration::from_seconds(*s), *value)).collect();
        let mut buckets: BTreeMap<SimTime, Rollup> = BTreeMap::new();
        for (at, value) in &values {
            let bucket = buckets.entry(bucket(*at)).or_insert_with(|| Rollup::new(*at));
            bucket.add((*at, received(*at)), [(7, *value)]);
        }
        let rows = buckets.values().filter_map(|row| row.quantity(7).cloned());
        let until = from + SimDuration::from_seconds(200_000);
        let zone = Zone::named("Europe/Rome").unwrap();
        let wide = widened(stretches(&zone, width, from, until), rows);
        let mut expected = Vec::new();
        for stretch in stretches(&zone, width, from, until) {
            let inside = values.iter().filter(|(at, _)| (stretch.from..stretch.until).contains(at));
            let total = inside.fold(None, |total: Option<Summary>, (at, value)| match total {
                None => Some(Summary::of(*at, *value)),
                Some(mut total) => {
                    total.add(*at, *value);
                    Some(total)
                }
            });
            expected.extend(total.map(|total| (stretch, total)));
        }
        prop_assert_eq!(wide, expected);
    }
}

#[test]
fn a_row_of_90_readings_of_five_values_takes_less_than_a_byte_a_value() {
    let readings: Vec<Reading> = (0..90)
        .map(|n| {
            let at = START + SimDuration::from_milliseconds(10_000 * n + 137);
            let value = |k: u16| f64::from(k).mul_add(17.31, 229.9) + 0.01 * (n * n % 37) as f64;
            (at, (0..5).map(|k| (k, value(k))).collect())
        })
        .collect();
    let bytes = rollup(&readings).encode().len();
    assert!(bytes <= 290, "{bytes}");
    assert!(rollup(&readings[..4]).encode().len() <= 4 * 5 * 15);
}

#[test]
fn rows_of_another_version_are_reported() {
    assert_eq!(Rollup::decode(START, &[2]), Err(RollupError::Version(2)));
    assert_eq!(bucket(SimTime(-1)), SimTime(-BUCKET.0));
    assert_eq!(bucket(START + SimDuration(5)), START);
}
