//! The watcher of samples of described frames: what simulator and map have different is named.

use proptest::prelude::*;

use super::laid_out::frame;
use super::parsed;
use crate::point_map::{
    Finding, Plausibility, PointMap, SAMPLES_NEEDED, Suspicion, are_shifts_watched,
};
use crate::{FrameDescription, FrameField, Sample, Value};

/// Points of mixed widths, their keys and the values of a sample.
const POINTS: [(&str, &str, &str); 6] = [
    ("u1", "float", "bits = 32\nleast = 180\ngreatest = 280"),
    ("u2", "float", "bits = 64\nleast = 180\ngreatest = 280"),
    ("i1", "integer", "bits = 16\nleast = 0\ngreatest = 5000"),
    ("tap", "integer", "bits = 8\nleast = -8\ngreatest = 8"),
    ("angle", "integer", "bits = 24\nunsigned = true\nleast = 0\ngreatest = 36000"),
    ("state", "integer", "bits = 4\nunsigned = true\nleast = 0\ngreatest = 9"),
];

fn values(number: i64) -> Vec<Value> {
    let n = number as f64;
    vec![
        Value::Float(f64::from((230.3 + n / 8.0) as f32)),
        Value::Float(231.7 + n / 7.0),
        Value::Integer(1234 + number),
        Value::Integer(-3),
        Value::Integer(12_000 + number),
        Value::Integer(5),
    ]
}

/// A map of [`POINTS`] in which some of them are of the other byte order than the others.
fn with_others_little(is_little: impl Fn(&str) -> bool) -> PointMap {
    let keys = POINTS.map(|(name, _, keys)| {
        let order = if is_little(name) { "byte_order = \"little\"" } else { "" };
        format!("{keys}\n{order}")
    });
    let points: Vec<(&str, &str, &str)> =
        POINTS.iter().zip(&keys).map(|((name, kind, _), keys)| (*name, *kind, &**keys)).collect();
    parsed(&frame("", &points))
}

fn description(map: &PointMap) -> FrameDescription {
    let fields: Option<Vec<FrameField>> = map.points.iter().map(|point| point.place).collect();
    FrameDescription::new(fields.unwrap(), None)
}

/// What is found where the simulator writes by one map, and the bench reads by another.
fn findings(
    sent_by: &PointMap,
    read_by: &PointMap,
    samples: impl Iterator<Item = Vec<Value>>,
) -> Vec<Finding> {
    let (sent_by, description) = (description(sent_by), description(read_by));
    let mut watcher = Plausibility::new(read_by);
    let read = samples.map(|values| {
        let (mut bytes, mut read) = (Vec::new(), Sample::default());
        sent_by.encode(&Sample { values, ..Sample::default() }, &mut bytes).unwrap();
        description.decode(&bytes, &mut read).unwrap();
        read
    });
    read.filter_map(|sample| watcher.observe(&sample)).collect()
}

#[test]
fn one_point_of_the_wrong_byte_order_is_named() {
    let right = with_others_little(|_| false);
    for wrong in ["u1", "u2", "i1", "angle"] {
        let map = with_others_little(|name| name == wrong);
        let found = findings(&right, &map, (0..20).map(values));
        assert_eq!(found.len(), 1, "{wrong}: {found:#?}");
        let Finding { suspicion, alternatives, evidence, samples } = &found[0];
        assert_eq!((*suspicion, *samples), (Suspicion::PointByteOrder, SAMPLES_NEEDED), "{wrong}");
        assert!(alternatives.is_empty(), "{wrong}: {alternatives:?}");
        let named: Vec<&str> = evidence.iter().map(|one| one.point.as_str()).collect();
        assert_eq!(named, [wrong]);
        let at = POINTS.iter().position(|(name, ..)| *name == wrong).unwrap();
        assert_eq!(evidence[0].otherwise, values(2)[at]);
        let text = found[0].to_string();
        let named = format!("bytes of single points in reverse order; `{wrong}` reads ");
        assert!(text.contains(&named), "{text}");
    }
    // Two of them are two pieces of evidence of one finding.
    let map = with_others_little(|name| matches!(name, "u1" | "i1"));
    let found = findings(&right, &map, (0..20).map(values));
    assert_eq!((found.len(), found[0].evidence.len()), (1, 2), "{found:#?}");
}

#[test]
fn all_points_of_the_wrong_byte_order_are_one_finding() {
    // All but the four bits, whose place another byte order would change.
    let (right, map) = (with_others_little(|_| false), with_others_little(|name| name != "state"));
    let found = findings(&right, &map, (0..20).map(values));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].suspicion, Suspicion::ByteOrder);
    assert_eq!(found[0].alternatives, [Suspicion::PointByteOrder]);
    assert_eq!(found[0].evidence.len(), 4);
}

#[test]
fn a_point_that_was_seen_right_leaves_its_range_for_other_reasons() {
    let map = with_others_little(|_| false);
    // 0x2D09 is beyond 5,000, and 0x092D is 2349.
    let event = |n: i64| {
        let mut values = values(n);
        if n >= 5 {
            values[2] = Value::Integer(0x2D09);
        }
        values
    };
    assert!(findings(&map, &map, (0..20).map(event)).is_empty());
    // From the begin on it is what a wrong order looks like.
    let found = findings(&map, &map, (5..20).map(event));
    assert_eq!(found[0].suspicion, Suspicion::PointByteOrder);
}

#[test]
fn a_float_sent_as_an_integer_of_its_width_is_found() {
    let right = with_others_little(|_| false);
    let other = frame(
        "",
        &POINTS.map(|(name, kind, keys)| match name {
            "u1" | "u2" => (name, "integer", keys),
            _ => (name, kind, keys),
        }),
    );
    let found = findings(&right, &parsed(&other), (0..20).map(values));
    assert_eq!((found.len(), found[0].suspicion), (1, Suspicion::Type), "{found:#?}");
    let named: Vec<&str> = found[0].evidence.iter().map(|one| one.point.as_str()).collect();
    assert_eq!(named, ["u1", "u2"]);
}

#[test]
fn values_some_words_off_are_found_in_frames_of_equal_words_only() {
    let ranges = [(180, 280), (180, 280), (0, 60), (0, 60), (45, 55)];
    let keys = ranges.map(|(least, greatest)| format!("least = {least}\ngreatest = {greatest}\n"));
    let doubles = |last: &str| {
        let names = ["a", "b", "c", "d", "e"];
        let keys = keys.iter().zip(names).map(|(keys, name)| match name {
            "e" => format!("{keys}{last}"),
            _ => format!("{keys}bits = 64"),
        });
        let keys: Vec<String> = keys.collect();
        let points = names.iter().zip(&keys).map(|(name, keys)| (*name, "float", keys.as_str()));
        parsed(&frame("byte_order = \"little\"", &points.collect::<Vec<_>>()))
    };
    let rotated = |n: i32| {
        let mut values = [230.1, 231.2, 4.5, 5.25, 50.0].map(|v| Value::Float(v + f64::from(n)));
        values.rotate_right(1);
        values.to_vec()
    };
    let found = |map: &PointMap| findings(map, map, (0..9).map(|n| rotated(n % 3)));
    let of_equal = found(&doubles("bits = 64"));
    assert!(are_shifts_watched(&doubles("bits = 64")));
    assert_eq!(of_equal.len(), 1, "{of_equal:#?}");
    assert_eq!(of_equal[0].suspicion, Suspicion::Shift { words: 1 });
    for other in ["bits = 32", "bits = 64\nbyte_offset = 40", "bits = 64\nbyte_order = \"big\""] {
        assert!(found(&doubles(other)).is_empty(), "{other}");
        assert!(!are_shifts_watched(&doubles(other)), "{other}");
    }
}

proptest! {
    /// What is within the ranges, and what one event of a point makes of them, is no finding.
    #[test]
    fn it_stays_silent_on_right_data_and_on_events(at in 0..5_usize, raw in any::<i64>()) {
        let map = with_others_little(|name| name == "u2");
        let found = findings(&map, &map, (0..30).map(|n| {
            let mut now = values(n % 20);
            if n >= 5 {
                now[at] = match at {
                    0 => Value::Float(f64::from(raw as f32)),
                    1 => Value::Float(raw as f64),
                    2 => Value::Integer(i64::from(raw as i16)),
                    3 => Value::Integer(i64::from(raw as i8)),
                    _ => Value::Integer(raw & 0xFF_FFFF),
                };
            }
            now
        }));
        prop_assert!(found.is_empty(), "{found:#?}");
    }
}
