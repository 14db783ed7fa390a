//! Maps of described frames: where points lie, and what is reported of them.

use super::{mistakes, parsed};
use crate::point_map::{PointDirection, unnoticeable_shifts};
use crate::{ByteOrder, FieldType, FrameField};

/// A map of described frames in big endian: keys of `[simulator]`, then points with theirs.
pub(super) fn frame(simulator: &str, points: &[(&str, &str, &str)]) -> String {
    let head = "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"frame\"\n\
                sample_rate = \"50 Hz\"\n";
    let order = if simulator.contains("byte_order") { "" } else { "byte_order = \"big\"\n" };
    let points = points.iter().map(|(name, kind, keys)| {
        let direction = if name.starts_with("to") { "to-simulator" } else { "from-simulator" };
        let limits = match (direction, *kind) {
            ("to-simulator", "boolean") => "initial = 0\nsafe_value = 0\n",
            ("to-simulator", _) => {
                "least = 0\ngreatest = 1\ngreatest_change_per_second = 1\ninitial = 0\n\
                 safe_value = 0\n"
            }
            _ => "",
        };
        format!(
            "[[point]]\nname = \"{name}\"\ndirection = \"{direction}\"\ntype = \"{kind}\"\n\
             {keys}\n{limits}"
        )
    });
    format!("{head}{order}{simulator}\n{}", points.collect::<Vec<_>>().concat())
}

/// The only mistake of a map with these points.
fn only(simulator: &str, points: &[(&str, &str, &str)]) -> String {
    let found = mistakes(&frame(simulator, points));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.concat()
}

#[test]
fn points_follow_one_another_unless_they_have_a_place() {
    let points = [
        ("flag", "boolean", "bits = 1"),
        ("count", "integer", "bits = 7\nunsigned = true"),
        ("u", "float", "bits = 32"),
        ("to-a", "float", "bits = 64\nbyte_order = \"little\""),
        ("i", "integer", "bits = 12\nbyte_offset = 9\nbit_offset = 4"),
        ("p", "integer", "bits = 24\nbyte_order = \"little\""),
        ("to-b", "integer", "bits = 16"),
    ];
    let map = parsed(&frame("frame_bytes_from_simulator = 16", &points));
    let field = FrameField::new;
    let big = |byte, width, of| field(byte, width, ByteOrder::Big, of);
    let expected = [
        big(0, 1, FieldType::Boolean),
        FrameField { bit_offset: 1, ..big(0, 7, FieldType::Unsigned) },
        big(1, 32, FieldType::Float32),
        field(0, 64, ByteOrder::Little, FieldType::Float64),
        FrameField { bit_offset: 4, ..big(9, 12, FieldType::Signed) },
        field(11, 24, ByteOrder::Little, FieldType::Signed),
        big(8, 16, FieldType::Signed),
    ];
    for (point, expected) in map.points.iter().zip(expected) {
        assert_eq!(point.place, Some(expected), "{}", point.name);
    }
    assert_eq!(map.simulator.frame_bytes(PointDirection::FromSimulator), Some(16));
    assert_eq!(map.simulator.frame_bytes(PointDirection::ToSimulator), None);
}

#[test]
fn all_mistakes_of_a_layout_are_reported_at_once_with_their_lines() {
    let points = [
        ("a", "integer", "bits = 12"),
        ("b", "float", "bits = 32"),
        ("c", "float", "byte_offset = 8\nbits = 24"),
        ("d", "integer", "byte_offset = 1\nbits = 8"),
        ("e", "integer", "bit_offset = 3\nbits = 8"),
        ("f", "integer", "byte_offset = 19\nbits = 16"),
        ("g", "boolean", "bits = 1\nunsigned = true\nbyte_offset = 12"),
        ("h", "integer", "bits = 8\nbyte_order = \"little\""),
        ("i", "integer", "byte_offset = 14"),
        ("j", "integer", "byte_offset = 70000\nbits = 65"),
    ];
    let found = mistakes(&frame("frame_bytes_from_simulator = 20", &points));
    let expected = [
        "line 13: S027: a float begins at a whole byte, and this at bit 4 of byte 1: expected \
         `byte_offset`, such as 2",
        "line 23: S027: no float is 24 bits wide: expected 32 or 64; an integer with `scale` may \
         have any width",
        "line 28: S027: point `d` overlaps point `a`: both have bits of byte 1; compare \
         `byte_offset`, `bit_offset` and `bits` of both",
        "line 34: S004: `bit_offset` without `byte_offset`: expected `byte_offset` beside it",
        "line 40: S006: point `f` ends in byte 20, behind the frame: expected it within the 20 \
         bytes of `frame_bytes_from_simulator`",
        "line 47: S027: a point of type `boolean` has no `unsigned`: expected a point of type \
         `integer`",
        "line 49: S004: byte 12 is not full, and there the byte order changes: expected \
         `byte_offset` in point `h`; the two orders count the bits of a byte from different ends",
        "line 55: S004: point `i` has no `bits`: expected its width in the frame, 1 to 64; such \
         as `bits = 32`",
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    let bounds: Vec<&str> = found[8..].iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(bounds, ["line 64", "line 65"], "{found:#?}");
}

#[test]
fn a_byte_order_is_never_guessed() {
    let text = frame("", &[("a", "integer", "bits = 8")]).replace("byte_order = \"big\"\n", "");
    let found = mistakes(&text).concat();
    assert_eq!(
        found,
        "line 2: S004: `byte_order` is missing: expected it here, or in each point; point `a` has \
         none; write `byte_order = \"little\"` or `\"big\"`"
    );
    assert!(mistakes(&text.replace("bits", "byte_order = \"small\"\nbits")).len() == 1);
    parsed(&text.replace("bits", "byte_order = \"little\"\nbits"));
}

#[test]
fn keys_of_described_frames_stand_in_no_other_map() {
    let point = ("a", "float", "bits = 32\nbyte_offset = 0");
    let text = frame("frame_bytes_to_simulator = 4", &[point]);
    let other = text.replace("\"frame\"", "\"gtnet-skt\"");
    let found = mistakes(&other);
    let expected = [
        ("line 6", "byte_order"),
        ("line 7", "frame_bytes_to_simulator"),
        ("line 12", "bits"),
        ("line 13", "byte_offset"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (line, key)) in found.iter().zip(expected) {
        let text =
            format!("{line}: S027: `gtnet-skt` has no `{key}`: expected the wire format `frame`");
        assert_eq!(*found, text);
    }
    assert_eq!(
        only("frame_bytes_to_simulator = 4", &[point]),
        "line 7: S027: `frame_bytes_to_simulator` without points of that direction: expected a \
         point `to-simulator`"
    );
    // While the format is misspelt, nobody knows which keys are right.
    let misspelt = mistakes(&text.replace("\"frame\"", "\"fame\""));
    assert_eq!(misspelt.len(), 1, "{misspelt:#?}");
    let device = only("dev_id = 1", &[point]);
    assert!(device.contains("`frame` has no `dev_id`: expected the wire format `opal-asyncip`"));
}

#[test]
fn words_carry_what_is_declared() {
    let range = |keys: &str| only("", &[("a", "integer", keys)]);
    let byte = range("bits = 8\nleast = 0\ngreatest = 200");
    assert!(byte.contains("`greatest` is 200 on the wire, and no word can carry that"), "{byte}");
    assert!(byte.contains("expected a word from -128 to 127"), "{byte}");
    parsed(&frame("", &[("a", "integer", "bits = 8\nunsigned = true\nleast = 0\ngreatest = 200")]));
    let negative = range("bits = 12\nunsigned = true\nleast = -1\ngreatest = 200");
    assert!(negative.contains("expected a word from 0 to 4095"), "{negative}");
    let narrow = only("", &[("a", "float", "bits = 32\nleast = 0\ngreatest = 1e39")]);
    assert!(narrow.contains("no word can carry that"), "{narrow}");
    parsed(&frame("", &[("a", "float", "bits = 64\nleast = 0\ngreatest = 1e39")]));
    let role = range("bits = 1\nrole = \"mode\"");
    assert!(role.contains("role `mode` does not fit a word from -1 to 0"), "{role}");
    parsed(&frame("", &[("a", "integer", "bits = 1\nunsigned = true\nrole = \"mode\"")]));
    let far = only("", &[("a", "integer", "byte_offset = 65506\nbits = 16")]);
    assert!(far.contains("expected it within 65507 bytes"), "{far}");
}

#[test]
fn neighbours_are_those_of_one_width_and_order_without_a_gap() {
    let keys = "bits = 32\nleast = 0\ngreatest = 9\n";
    let placed = |at: usize| format!("{keys}byte_offset = {at}");
    let (far, near, last) = (placed(12), placed(4), placed(0));
    let points = [
        ("far", "float", far.as_str()),
        ("near", "float", near.as_str()),
        ("last", "float", last.as_str()),
    ];
    let found = unnoticeable_shifts(&parsed(&frame("", &points)));
    let pairs: Vec<(&str, &str)> =
        found.iter().map(|one| (one.first.as_str(), one.second.as_str())).collect();
    assert_eq!(pairs, [("last", "near")]);
    let wide = keys.replace("32", "64");
    let little = format!("{keys}byte_order = \"little\"");
    let points = [("a", "float", keys), ("b", "float", &wide), ("c", "float", &wide)];
    assert_eq!(unnoticeable_shifts(&parsed(&frame("", &points))).len(), 1);
    let points = [("a", "float", keys), ("b", "float", &little)];
    assert!(unnoticeable_shifts(&parsed(&frame("", &points))).is_empty());
}
