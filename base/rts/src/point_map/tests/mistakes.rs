//! What is reported of maps with mistakes: all of them, each with its line.

use std::collections::BTreeSet;

use super::{FEEDER, mistakes};
use crate::point_map::PointMap;

#[test]
fn all_mistakes_of_a_map_are_reported_at_once() {
    let found = mistakes(include_str!("mistakes.map.toml"));
    let expected: Vec<&str> = include_str!("mistakes.txt").lines().collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n"));
    let lines: BTreeSet<&str> = found.iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(lines.len(), found.len(), "each mistake stands on a line of its own");
}

/// The only mistake of a text.
fn only(text: &str) -> String {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.concat()
}

/// A map of one format with these points.
fn of(format: &str, points: &str) -> String {
    format!(
        "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"{format}\"\n\
         sample_rate = \"50 Hz\"\n{points}"
    )
}

fn point(name: &str, direction: &str, kind: &str, keys: &str) -> String {
    format!(
        "[[point]]\nname = \"{name}\"\ndirection = \"{direction}\"\ntype = \"{kind}\"\n{keys}\n"
    )
}

#[test]
fn an_empty_map_is_refused() {
    let expected = "line 1: S004: the map is empty: expected at least one `[[point]]`; write a \
                    `[[point]]` for each point, in the order on the wire";
    assert_eq!(only(&of("frame", "")), expected);
    let found = mistakes("");
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().all(|text| text.starts_with("line 1: S004: ")), "{found:#?}");
}

#[test]
fn sections_are_named_and_written_as_they_should_be() {
    let misspelt = FEEDER.replace("[simulator]", "[simulater]");
    let expected = "line 3: S003: unknown section or key `simulater`: not part of a point map; did \
                    you mean `simulator`?";
    assert_eq!(only(&misspelt), expected);
    let version = only(&FEEDER.replace("format = 1", "format = 2"));
    assert!(version.starts_with("line 1: S016: "), "{version}");
    let single = of("frame", "[point]\nname = \"p\"\n");
    assert!(only(&single).contains("write `[[point]]` with double brackets"));
    let repeated = format!("{FEEDER}\n[simulator]\nname = \"other\"\n");
    assert!(mistakes(&repeated)[0].contains("table `simulator` stands twice"));
    let list = only(&FEEDER.replace("[simulator]", "[[simulator]]"));
    assert!(list.contains("write `[simulator]` with single brackets"), "{list}");
}

#[test]
fn a_packet_carries_no_more_than_its_format_can() {
    let points: String =
        (0..66).map(|n| point(&format!("p{n}"), "from-simulator", "float", "")).collect();
    let expected = "line 326: S006: 66 points from-simulator are more than `opal-asyncip` carries: \
                    expected at most 64; this is the first beyond; send fewer points, or divide \
                    them between two simulator maps";
    assert_eq!(only(&of("opal-asyncip", &points)), expected);
    let card = of("villas-json", &point("p", "from-simulator", "float", ""));
    let card = card.replace("sample_rate", "card = \"gtnet\"\nsample_rate");
    assert!(only(&card).contains("card `gtnet` does not send `villas-json`"));
}

#[test]
fn each_kind_of_mistake_of_a_point_is_found() {
    let written = "least = 0\ngreatest = 9\ngreatest_change_per_second = 1\ninitial = 0\n\
                   safe_value = 0\n";
    let (from, to) = ("from-simulator", "to-simulator");
    for (format, direction, kind, keys, expected) in [
        ("gtnet-skt-header", from, "integer", "role = \"seconds\"", "stands in the header of"),
        ("gtnet-skt", from, "float", "role = \"ready\"", "is a whole number"),
        ("gtnet-skt", to, "integer", "role = \"mode\"", "only the simulator knows"),
        ("gtnet-skt", from, "float", "scale = 0", "every word would be the same"),
        ("gtnet-skt", from, "float", "unit = \"1 h 30 min\"", "unknown unit `1 h 30 min`"),
        ("gtnet-skt", from, "float", "unit = \"min30s\"", "unknown unit `min30s`"),
        ("gtnet-skt", from, "float", "unit = \"\"", "unknown unit ``"),
        ("gtnet-skt", from, "float", "unit = \"v\"", "did you mean `V`?"),
        ("gtnet-skt", from, "float", "unit = 5", "`unit` takes text"),
        ("gtnet-skt", from, "float", "device = \"d\"", "`device` without `quantity`"),
        ("gtnet-skt", from, "float", "least = \"3 V\"\ngreatest = 4", "`V` is a unit of voltage"),
        ("gtnet-skt", from, "float", "unit = \"V\"\nleast = 3\ngreatest = \"4 V\"", "no unit"),
        ("gtnet-skt", from, "float", "least = -1e39\ngreatest = 0", "no word can carry"),
        ("villas-json", from, "complex", "unit = \"V\"", "`complex` has no `unit`"),
        ("villas-json", to, "complex", "", "can only be a raw signal"),
        ("gtnet-skt", to, "float", "initial = 1\nleast = 0\ngreatest = 2", "has no `safe_value`"),
        ("opal-asyncip", from, "integer", "", "carries no value of type `integer`"),
    ] {
        let found = only(&of(format, &point("p", direction, kind, keys)));
        assert!(found.contains(expected), "{found}\n{expected}");
    }
    let narrow = "unit = \"V\"\nleast = \"0.1 V\"\ngreatest = \"0.9 V\"";
    let narrow = only(&of("gtnet-skt", &point("p", from, "integer", narrow)));
    assert!(narrow.contains("narrower than one step of the integer: one step is 1 V"), "{narrow}");
    let blocked = format!("{written}blocked_by_mode = true");
    let blocked = only(&of("gtnet-skt", &point("p", to, "float", &blocked)));
    assert!(blocked.starts_with("line 15: S018: `blocked_by_mode` without"), "{blocked}");
    let echo = point("echo", from, "float", "unit = \"V\"");
    let echoed = format!("{written}reflected_by = \"echo\"");
    let echoed = only(&of("gtnet-skt", &(echo + &point("p", to, "float", &echoed))));
    assert!(echoed.contains("S010: `echo` is of the dimension voltage"), "{echoed}");
}

#[test]
fn one_mistake_does_not_hide_another_nor_make_one() {
    // A misspelt key is not missing as well.
    let text = FEEDER.replace("safe_value = 0", "safe_valeu = 0");
    assert!(only(&text).contains("did you mean `safe_value`?"));
    // A line that cannot be read hides what stands on it, and nothing else.
    let text = FEEDER.replace("greatest = 8", "greatest = = 8").replace("\"kV\"", "\"kA\"");
    let found = mistakes(&text);
    assert!(found.iter().any(|text| text.contains("S010")), "{found:#?}");
    assert!(!found.iter().any(|text| text.contains("has no `greatest`")), "{found:#?}");
    assert!(PointMap::parse(&text).is_err());
}
