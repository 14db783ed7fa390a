//! Described frames by their map: vectors typed by hand, both ways, in datagrams and in streams.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::fmt::Write as _;

use lastmeter_rts::point_map::PointMap;
use lastmeter_rts::{Refusal, Sample, Value, Wire};

/// The same points in both directions, each a line of name, type and keys.
fn map(simulator: &str, points: &[(&str, &str, &str)]) -> PointMap {
    let mut text = format!(
        "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"frame\"\nsample_rate = \"50 Hz\"\n\
         {simulator}\n"
    );
    for direction in ["from", "to"] {
        for (name, kind, keys) in points {
            let limits = match (direction, *kind) {
                ("from", _) => "",
                (_, "boolean") => "initial = 0\nsafe_value = 0\n",
                _ => {
                    "least = 0\ngreatest = 1\ngreatest_change_per_second = 1\ninitial = 0\n\
                     safe_value = 0\n"
                }
            };
            write!(
                text,
                "[[point]]\nname = \"{direction}-{name}\"\ndirection = \"{direction}-simulator\"\n\
                 type = \"{kind}\"\n{keys}\n{limits}"
            )
            .unwrap();
        }
    }
    PointMap::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The bytes are the frame of the values, both ways.
fn both_ways(map: &PointMap, values: &[Value], bytes: &[u8]) {
    let mut wire = Wire::new(map, false).unwrap();
    let sample = Sample { values: values.to_vec(), ..Sample::default() };
    assert_eq!(wire.frame(sample.clone()).unwrap(), bytes);
    let read = wire.arrived(bytes);
    let [Ok(read)] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!(*read, sample);
    assert!(wire.sequences().is_none());
}

/// Typhoon HIL over UDP: 64-bit words, little endian, floats and integers mixed.
#[test]
fn words_of_typhoon_hil() {
    let points =
        [("u", "float", "bits = 64"), ("i", "float", "bits = 64"), ("n", "integer", "bits = 64")];
    let map = map("byte_order = \"little\"", &points);
    both_ways(
        &map,
        &[Value::Float(230.5), Value::Float(-1.0), Value::Integer(-2)],
        &[
            0x00, 0x00, 0x00, 0x00, 0x00, 0xD0, 0x6C, 0x40, // 230.5
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xF0, 0xBF, // -1
            0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, // -2
        ],
    );
}

/// As a frame builder of HYPERSIM has them: bits, gaps, both byte orders, and a rest.
#[test]
fn a_frame_of_mixed_bits() {
    let points = [
        ("flag", "boolean", "bits = 1"),
        ("mode", "integer", "bits = 3\nunsigned = true"),
        ("tap", "integer", "bits = 4"),
        ("adc", "integer", "bits = 12\nunsigned = true"),
        ("u", "float", "byte_offset = 3\nbits = 32"),
        ("le", "integer", "bits = 16\nbyte_order = \"little\""),
        ("wide", "integer", "bits = 24"),
    ];
    let lengths = "byte_order = \"big\"\nframe_bytes_from_simulator = 16\n\
                   frame_bytes_to_simulator = 16";
    let map = map(lengths, &points);
    let mut bytes = [
        0b1101_1110, // true, 5, -2
        0xAB,
        0xC0, // 0xABC and four free bits
        0x3F,
        0xC0,
        0x00,
        0x00, // 1.5
        0xFE,
        0xFF, // -2, little endian
        0x01,
        0x02,
        0x03, // 0x010203
        0x00,
        0x00,
        0x00,
        0x00, // free
    ];
    let values = [
        Value::Boolean(true),
        Value::Integer(5),
        Value::Integer(-2),
        Value::Integer(0xABC),
        Value::Float(1.5),
        Value::Integer(-2),
        Value::Integer(0x01_0203),
    ];
    both_ways(&map, &values, &bytes);
    // What is free may hold anything.
    (bytes[2], bytes[15]) = (0xCF, 0xFF);
    let read = Wire::new(&map, false).unwrap().arrived(&bytes);
    assert_eq!(read[0].as_ref().unwrap().values, values);
}

#[test]
fn a_frame_of_another_length_and_values_that_do_not_fit_are_refused() {
    let map = map("byte_order = \"big\"", &[("a", "integer", "bits = 12")]);
    let mut wire = Wire::new(&map, false).unwrap();
    let refusal =
        |wire: &mut Wire, bytes: &[u8]| wire.arrived(bytes)[0].clone().unwrap_err().refusal;
    assert_eq!(refusal(&mut wire, &[0]), Refusal::FrameTooShort);
    assert_eq!(refusal(&mut wire, &[0; 3]), Refusal::FrameTooLong);
    let beyond = Sample { values: vec![Value::Integer(2048)], ..Sample::default() };
    assert_eq!(wire.frame(beyond).unwrap_err().refusal, Refusal::IntegerOutOfRange);
}

#[test]
fn a_map_whose_points_have_no_place_is_named() {
    let mut map = map("byte_order = \"big\"", &[("a", "integer", "bits = 12")]);
    map.points[0].place = None;
    let error = Wire::new(&map, false).unwrap_err().to_string();
    assert_eq!(error, "point `from-a` has no place in the frame, expected its `bits`");
}
