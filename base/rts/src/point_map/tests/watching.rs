//! Shifts that could not be noticed, and the watcher of decoded samples.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{FEEDER, parsed};
use crate::SignalType::{self, Float, Integer};
use crate::point_map::{
    Finding, Plausibility, PointMap, SAMPLES_NEEDED, Suspicion, WireFormat, unnoticeable_shifts,
};
use crate::{Sample, Value};

fn sample(values: Vec<Value>) -> Sample {
    Sample { values, ..Sample::default() }
}

/// A map of points from the simulator: type, least and greatest word.
fn map_of(format: WireFormat, points: &[(SignalType, f64, f64)]) -> PointMap {
    let mut text = format!(
        "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"{format}\"\n\
         sample_rate = \"50 Hz\"\n"
    );
    for (number, (kind, least, greatest)) in points.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[point]]\nname = \"p{number}\"\ndirection = \"from-simulator\"\ntype = \"{kind}\"\n\
             least = {least:?}\ngreatest = {greatest:?}\n"
        );
    }
    parsed(&text)
}

/// Three voltages, three currents, a frequency, a number of a tap, in V, A and Hz.
const GRID: [(SignalType, f64, f64); 8] = [
    (Float, 180.0, 280.0),
    (Float, 180.0, 280.0),
    (Float, 180.0, 280.0),
    (Float, 0.0, 60.0),
    (Float, 0.0, 60.0),
    (Float, 0.0, 60.0),
    (Float, 45.0, 55.0),
    (Integer, -8.0, 8.0),
];

/// The `number`th sample of [`GRID`], in order.
fn grid_sample(number: i32) -> Vec<Value> {
    let n = f64::from(number);
    let narrow = |value: f64| Value::Float(f64::from(value as f32));
    let mut values: Vec<Value> = (0..3).map(|k| narrow(230.3 + n + f64::from(k))).collect();
    values.extend((0..3).map(|k| narrow(4.7 + n / 3.0 + f64::from(k))));
    values.extend([narrow(50.01), Value::Integer(-3)]);
    values
}

fn findings(map: &PointMap, samples: impl Iterator<Item = Vec<Value>>) -> Vec<Finding> {
    let mut watcher = Plausibility::new(map);
    samples.filter_map(|values| watcher.observe(&sample(values))).collect()
}

/// A value as a 32-bit word, and a word as a value.
fn word_of(value: Value) -> u32 {
    match value {
        Value::Float(value) => (value as f32).to_bits(),
        Value::Integer(value) => (value as i32).cast_unsigned(),
        _ => 0,
    }
}

fn value_of(word: u32, kind: SignalType) -> Value {
    match kind {
        Float => Value::Float(f64::from(f32::from_bits(word))),
        _ => Value::Integer(i64::from(word.cast_signed())),
    }
}

/// The words of a sample of [`GRID`], read as its types.
fn read_as_grid(words: impl Iterator<Item = u32>) -> Vec<Value> {
    words.zip(GRID).map(|(word, (kind, ..))| value_of(word, kind)).collect()
}

fn words(number: i32) -> Vec<u32> {
    grid_sample(number).into_iter().map(word_of).collect()
}

#[test]
fn neighbours_that_are_alike_are_listed() {
    let map = map_of(WireFormat::GtnetSkt, &GRID);
    let found = unnoticeable_shifts(&map);
    let pairs: Vec<(&str, &str)> =
        found.iter().map(|one| (one.first.as_str(), one.second.as_str())).collect();
    // A current may be any frequency's place only in part, and a frequency is a plausible current.
    assert_eq!(pairs, [("p0", "p1"), ("p1", "p2"), ("p3", "p4"), ("p4", "p5"), ("p5", "p6")]);
    assert_eq!((found[0].first_as_second, found[0].second_as_first), (1.0, 1.0));
    assert_eq!(found[4].second_as_first, 1.0);
    assert!(found[4].first_as_second < 0.2);
    assert_eq!(
        found[4].to_string(),
        "from-simulator: a shift by one word between `p5` and `p6` is unnoticeable: 16 % of the \
         range of `p5` is plausible as `p6`, and 100 % the reverse"
    );
    // Two flags are alike; a float beside an integer is not.
    let feeder = unnoticeable_shifts(&parsed(FEEDER));
    let pairs: Vec<&str> = feeder.iter().map(|one| one.first.as_str()).collect();
    assert_eq!(pairs, ["new-data", "wave"]);
    let undeclared = FEEDER.replace("least = \"-40 °C\"\ngreatest = \"120 °C\"\n", "");
    let undeclared = unnoticeable_shifts(&parsed(&undeclared));
    assert!(undeclared[1].to_string().ends_with("declare `least` and `greatest` of both"));
}

#[test]
fn a_counter_shows_a_shift() {
    let text = FEEDER.replace("role = \"new-data\"", "role = \"sequence\"");
    assert_eq!(unnoticeable_shifts(&parsed(&text)).len(), 1);
}

#[test]
fn bytes_in_reverse_order_are_found() {
    let map = map_of(WireFormat::GtnetSkt, &GRID);
    let swapped = (0..20).map(|n| read_as_grid(words(n).into_iter().map(u32::swap_bytes)));
    let found = findings(&map, swapped);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].suspicion, found[0].samples), (Suspicion::ByteOrder, SAMPLES_NEEDED));
    let own = found[0].evidence.iter().find(|one| one.point == "p7").unwrap();
    assert_eq!((own.as_read, own.otherwise), (Value::Integer(-33_554_433), Value::Integer(-3)));
    assert!(found[0].to_string().contains("bytes of each word in reverse order; `p0` reads "));

    // The same of 64-bit floats.
    let ranges = GRID.map(|(_, least, greatest)| (Float, least, greatest));
    let map = map_of(WireFormat::OpalAsyncIp, &ranges);
    let wide = |n: i32| grid_sample(n).into_iter().take(7);
    let swap = |value| match value {
        Value::Float(value) => Value::Float(f64::from_bits(value.to_bits().swap_bytes())),
        other => other,
    };
    let mut watcher = Plausibility::new(&map);
    let found: Vec<Finding> =
        (0..20).filter_map(|n| watcher.observe(&sample(wide(n).map(swap).collect()))).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].suspicion, Suspicion::ByteOrder);
}

#[test]
fn a_value_of_the_other_type_is_found() {
    let map = map_of(WireFormat::GtnetSkt, &GRID);
    // The simulator sends the tap as a float, and the first current as an integer.
    let sent = |n: i32| {
        let mut words = words(n);
        words[7] = (-3.0_f32).to_bits();
        words[3] = 17;
        read_as_grid(words.into_iter())
    };
    let found = findings(&map, (0..20).map(sent));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].suspicion, Suspicion::Type);
    let read: Vec<(&str, Value)> =
        found[0].evidence.iter().map(|one| (one.point.as_str(), one.otherwise)).collect();
    assert_eq!(read, [("p3", Value::Integer(17)), ("p7", Value::Float(-3.0))]);
}

#[test]
fn shifts_by_one_or_more_words_are_found() {
    let map = map_of(WireFormat::GtnetSkt, &GRID);
    for by in 1..=3_usize {
        // A stream that has lost words, and one with words too many in front.
        let mut earlier = |n: i32| {
            let mut words = words(n);
            words.rotate_left(by);
            read_as_grid(words.into_iter())
        };
        let found = findings(&map, (0..9).map(&mut earlier));
        assert_eq!(found.len(), 1, "{by}: {found:#?}");
        assert_eq!(found[0].suspicion, Suspicion::Shift { words: -(by as isize) });
        let mut later = |n: i32| {
            let front = [17_u32, 1_800_000_000, 123_456_789].into_iter().take(by);
            read_as_grid(front.chain(words(n)))
        };
        let found = findings(&map, (0..9).map(&mut later));
        assert_eq!(found.len(), 1, "{by}: {found:#?}");
        assert_eq!(found[0].suspicion, Suspicion::Shift { words: by as isize });
    }
    assert_eq!(
        Suspicion::Shift { words: -2 }.to_string(),
        "values 2 words earlier than in the map"
    );
}

#[test]
fn a_shift_of_json_values_is_found_without_words() {
    let map = map_of(WireFormat::VillasJson, &GRID[..7]);
    let rotated = |n: i32| {
        let mut values = grid_sample(n);
        values.truncate(7);
        values.rotate_left(1);
        values
    };
    let found = findings(&map, (0..9).map(rotated));
    assert_eq!(found[0].suspicion, Suspicion::Shift { words: -1 });
    let mut watcher = Plausibility::new(&map);
    assert!(watcher.observe(&sample(Vec::new())).is_none());
}

/// What happens in a network is no mistake of the map.
#[test]
fn events_and_a_simulator_that_stands_still_are_no_findings() {
    let map = map_of(WireFormat::GtnetSkt, &GRID);
    let disturbed = |at: usize, values: [f64; 3]| {
        let events = (0..60).map(|n| {
            let mut now = grid_sample(n % 20);
            if n >= 20 {
                for (place, value) in values.iter().enumerate() {
                    now[at + place] = Value::Float(f64::from(*value as f32));
                }
            }
            now
        });
        findings(&map, events)
    };
    for at in [0, 3] {
        for event in [[0.0; 3], [12.0, 231.1, 230.2], [33.1; 3], [420.5; 3], [f64::NAN; 3]] {
            let found = disturbed(at, event);
            assert!(found.is_empty(), "{at} {event:?} {found:#?}");
        }
    }
    let still = std::iter::repeat_n(read_as_grid(std::iter::repeat_n(0, 8)), 50);
    assert!(findings(&map, still).is_empty());
    // A current that dies away passes through the smallest of floats.
    let map = map_of(WireFormat::GtnetSkt, &[(Float, 0.0, 1_000.0)]);
    let decay = (0..200).map(|n| vec![Value::Float(f64::from(100.0 * 0.3_f32.powi(n)))]);
    assert!(findings(&map, decay).is_empty());
}

/// Where a voltage may be low, only the current is outside of its range.
#[test]
fn two_exchanged_points_are_found_and_named() {
    let ranges = [(Float, 0.0, 300.0), (Float, 0.0, 63.0), (Float, 45.0, 55.0)];
    let map = map_of(WireFormat::GtnetSkt, &ranges);
    let sample = |n: i32| [230.0 + f64::from(n), 10.0, 50.0].map(Value::Float).to_vec();
    assert!(findings(&map, (0..40).map(sample)).is_empty());
    let swapped = (0..40).map(|n| {
        let mut values = sample(n);
        values.swap(0, 1);
        values
    });
    let found = findings(&map, swapped);
    assert_eq!((found.len(), found[0].suspicion), (1, Suspicion::Exchange), "{found:#?}");
    let text = found[0].to_string();
    for part in ["two points exchanged; `p1` reads 232, expected ", "which fits `p0` ("] {
        assert!(text.contains(part), "{text}");
    }
    // An overload without a dip is none.
    let overload = |n: i32| [231.0 + f64::from(n), 90.0, 50.0].map(Value::Float).to_vec();
    assert!(findings(&map, (0..40).map(overload)).is_empty());
}

/// A dip to the size of the neighbouring current would be a shift by one word, if the last current
/// could be a voltage, or if nothing were known of the others.
#[test]
fn a_dip_beside_a_current_is_no_shift() {
    let dip = |n: i32| {
        let mut now = grid_sample(n);
        now.truncate(6);
        now[2] = Value::Float(30.5);
        now
    };
    let mut map = map_of(WireFormat::GtnetSkt, &GRID[..6]);
    assert!(findings(&map, (0..20).map(dip)).is_empty());
    for at in [0, 1, 4, 5] {
        map.points[at].range = None;
    }
    assert!(findings(&map, (0..20).map(dip)).is_empty());
}

#[test]
fn a_finding_is_reported_once_until_good_data_comes() {
    let map = map_of(WireFormat::GtnetSkt, &GRID);
    let stream = (0..90).map(|n| {
        let words = words(n % 20);
        let is_swapped = !(30..60).contains(&n);
        read_as_grid(words.into_iter().map(|w| if is_swapped { w.swap_bytes() } else { w }))
    });
    assert_eq!(findings(&map, stream).len(), 2);
}

/// A random point, type, least and greatest, and where in its range each of some samples lies.
type PointAndData = ((SignalType, f64, f64), Vec<f64>);

/// The word of a point in a sample.
fn word_at(((kind, least, greatest), shares): &PointAndData, at: usize) -> u32 {
    let value = least + (greatest - least) * shares[at];
    word_of(match kind {
        Float => Value::Float(value),
        _ => Value::Integer(value.round() as i64),
    })
}

fn point_and_data() -> impl Strategy<Value = PointAndData> {
    let range = (-1e6..1e6_f64, 2.0..1e6_f64);
    let kind = prop_oneof![Just(Float), Just(Integer)];
    let share = prop_oneof![0.0..=1.0_f64, Just(0.0), Just(1.0)];
    (kind, range, prop::collection::vec(share, 12)).prop_map(|(kind, (least, width), shares)| {
        let (least, greatest) = (least.round(), (least + width).round());
        ((kind, least, greatest.max(least + 1.0)), shares)
    })
}

proptest! {
    /// Reversed bytes explain all of such a stream, so nothing else can be found in it.
    #[test]
    fn of_reversed_bytes_nothing_else_is_found(
        points in prop::collection::vec(point_and_data(), 1..12),
    ) {
        let declared: Vec<_> = points.iter().map(|(point, _)| *point).collect();
        let map = map_of(WireFormat::GtnetSkt, &declared);
        let samples = (0..12).map(|at| {
            let swapped = |point: &PointAndData| {
                value_of(word_at(point, at).swap_bytes(), point.0.0)
            };
            points.iter().map(swapped).collect()
        });
        for found in findings(&map, samples) {
            prop_assert_eq!(found.suspicion, Suspicion::ByteOrder);
        }
    }

    /// The same of points that are declared to be of the other type.
    #[test]
    fn of_other_types_something_else_is_found_beside_it_only(
        points in prop::collection::vec((point_and_data(), any::<bool>()), 1..12),
    ) {
        let kind_of = |((kind, ..), _): &PointAndData, is_other: bool| {
            if is_other == (*kind == Float) { Integer } else { Float }
        };
        let declared: Vec<_> = points
            .iter()
            .map(|(point, is_other)| (kind_of(point, *is_other), point.0.1, point.0.2))
            .collect();
        let map = map_of(WireFormat::GtnetSkt, &declared);
        let samples = (0..12).map(|at| {
            let sent = |(point, is_other): &(PointAndData, bool)| {
                value_of(word_at(point, at), kind_of(point, *is_other))
            };
            points.iter().map(sent).collect()
        });
        if let Some(found) = findings(&map, samples).first() {
            let is_found = found.suspicion == Suspicion::Type
                || found.alternatives.contains(&Suspicion::Type);
            prop_assert!(is_found, "{found:#?}");
        }
    }

    #[test]
    fn it_stays_silent_on_data_within_the_declared_ranges(
        points in prop::collection::vec(point_and_data(), 1..12),
    ) {
        let declared: Vec<_> = points.iter().map(|(point, _)| *point).collect();
        let map = map_of(WireFormat::GtnetSkt, &declared);
        let mut watcher = Plausibility::new(&map);
        for at in 0..12 {
            let value = |point: &PointAndData| value_of(word_at(point, at), point.0.0);
            let found = watcher.observe(&sample(points.iter().map(value).collect()));
            prop_assert!(found.is_none(), "{found:#?}");
        }
    }

    /// One value may be anything while the others are as they should be: the evidence is no longer
    /// that of the whole sample.
    #[test]
    fn one_value_out_of_its_range_is_no_finding(at in 0..7_usize, value in any::<f32>()) {
        let value = if value.is_subnormal() { 0.0 } else { value };
        let map = map_of(WireFormat::GtnetSkt, &GRID);
        let found = findings(&map, (0..20).map(|n| {
            let mut now = grid_sample(n);
            if n >= 1 {
                now[at] = Value::Float(f64::from(value));
            }
            now
        }));
        prop_assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn it_never_panics_on_any_values(
        points in prop::collection::vec(point_and_data(), 1..12),
        words in prop::collection::vec(any::<u32>(), 0..40),
    ) {
        let declared: Vec<_> = points.iter().map(|(point, _)| *point).collect();
        let map = map_of(WireFormat::GtnetSkt, &declared);
        let mut watcher = Plausibility::new(&map);
        for part in words.chunks(5) {
            let values = part.iter().zip(&declared);
            let values = values.map(|(word, (kind, ..))| value_of(*word, *kind));
            if let Some(found) = watcher.observe(&sample(values.collect())) {
                prop_assert!(!found.evidence.is_empty());
            }
        }
    }
}
