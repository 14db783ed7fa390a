//! A map put to work: what one side writes the other side reads, in every format.

use lastmeter_rts::point_map::PointMap;
use lastmeter_rts::{Refusal, Sample, SequenceEvent, Value, Wire, WireError};

/// Two points, the second of which is an integer where the format has such.
fn map(wire_format: &str, direction: &str) -> PointMap {
    let second = if wire_format == "opal-asyncip" { "float" } else { "integer" };
    let limits = match direction {
        "to-simulator" => "greatest_change_per_second = 1000\ninitial = 1\nsafe_value = 0\n",
        _ => "",
    };
    let (order, bits) = match wire_format {
        "frame" => ("byte_order = \"little\"\n", "bits = 32\n"),
        _ => ("", ""),
    };
    let point = |name: &str, kind: &str| {
        format!(
            "[[point]]\nname = \"{name}\"\ndirection = \"{direction}\"\ntype = \"{kind}\"\n\
             least = -1000\ngreatest = 1000\n{bits}{limits}"
        )
    };
    let text = format!(
        "format = 1\n[simulator]\nname = \"rack\"\nwire_format = \"{wire_format}\"\n\
         sample_rate = \"10 Hz\"\n{order}{}{}",
        point("a", "float"),
        point("b", second)
    );
    PointMap::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

const FORMATS: [&str; 7] = [
    "gtnet-skt",
    "gtnet-skt-header",
    "opal-asyncip",
    "villas-binary",
    "villas-json",
    "villas-protobuf",
    "frame",
];

fn sample(wire_format: &str, number: i64) -> Sample {
    let second = match wire_format {
        "opal-asyncip" => Value::Float(-(number as f64)),
        _ => Value::Integer(-number),
    };
    let values = vec![Value::Float(0.5 + number as f64), second];
    Sample { sequence: None, origin: Some((1_800_000_000, 7)), values }
}

#[test]
fn what_one_side_writes_the_other_side_reads() {
    for wire_format in FORMATS {
        let both = map_of_both(wire_format);
        let mut bench = Wire::new(&both, false).unwrap();
        let mut rack = Wire::new(&both, false).unwrap();
        for number in 1..=5 {
            let frame = bench.frame(sample(wire_format, number)).unwrap();
            let read = rack.arrived(&frame);
            let [Ok(read)] = read.as_slice() else { panic!("{wire_format}: {read:?}") };
            assert_eq!(read.values, sample(wire_format, number).values, "{wire_format}");
        }
        assert_eq!(rack.samples(), 5);
        assert_eq!(rack.refusals().total(), 0);
        if let Some(watch) = rack.sequences() {
            assert_eq!((watch.of(SequenceEvent::Next), watch.missing()), (4, 0), "{wire_format}");
        }
    }
}

/// The same points in both directions.
fn map_of_both(wire_format: &str) -> PointMap {
    let (mut from, to) = (map(wire_format, "from-simulator"), map(wire_format, "to-simulator"));
    from.points.extend(to.points.into_iter().map(|mut point| {
        point.name.push_str("-written");
        point
    }));
    from
}

#[test]
fn a_stream_is_found_in_any_pieces_where_the_format_has_frames() {
    for wire_format in FORMATS {
        let both = map_of_both(wire_format);
        let stream = Wire::new(&both, true);
        if wire_format.starts_with("villas") {
            assert_eq!(
                stream.unwrap_err(),
                WireError::NotInStreams(both.simulator.wire_format.word())
            );
            continue;
        }
        let (mut rack, mut bench) = (stream.unwrap(), Wire::new(&both, false).unwrap());
        let mut bytes = Vec::new();
        for number in 1..=10 {
            bytes.extend(bench.frame(sample(wire_format, number)).unwrap());
        }
        let mut count = 0;
        for piece in bytes.chunks(7) {
            count += rack.arrived(piece).into_iter().flatten().count();
        }
        assert_eq!(count, 10, "{wire_format}");
        rack.arrived(&bytes[..5]);
        let cut = rack.reconnected();
        let [Err(rejection)] = cut.as_slice() else { panic!("{wire_format}: {cut:?}") };
        let is_cut = matches!(rejection.refusal, Refusal::TruncatedFrame);
        assert!(is_cut, "{wire_format}: {rejection:?}");
        let again = bench.frame(sample(wire_format, 11)).unwrap();
        assert!(rack.arrived(&again)[0].is_ok(), "{wire_format}");
    }
}

#[test]
fn a_map_without_written_points_writes_nothing() {
    let mut only_read = Wire::new(&map("gtnet-skt", "from-simulator"), false).unwrap();
    assert_eq!(only_read.frame(sample("gtnet-skt", 1)).unwrap_err().refusal, Refusal::NoSuchPoint);
}
