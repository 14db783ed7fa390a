//! Points that are fed: their keys, their mistakes, values read from documents of their sources.

use proptest::prelude::*;

use super::mistakes;
use crate::point_map::{Feed, FeedSource, PointMap, is_filter_of};

/// The source of a point in kilowatts with these keys.
fn feed(keys: &str) -> Feed {
    let text = format!(
        "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"villas-json\"\n\
         sample_rate = \"50 Hz\"\n[[point]]\nname = \"p\"\ndirection = \"to-simulator\"\n\
         type = \"float\"\nunit = \"kW\"\nleast = \"0 kW\"\ngreatest = \"9 kW\"\n\
         greatest_change_per_second = \"9 kW\"\ninitial = \"1 kW\"\nsafe_value = \"0 kW\"\n\
         stale_after = \"3 s\"\n{keys}\n"
    );
    let map = PointMap::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let write = map.points[0].write.clone().unwrap();
    assert_eq!(write.commanded, None);
    write.fed.unwrap()
}

#[test]
fn all_mistakes_of_sources_are_reported_each_with_its_line() {
    let found = mistakes(include_str!("fed_mistakes.map.toml"));
    let expected: Vec<&str> = include_str!("fed_mistakes.txt").lines().collect();
    assert_eq!(found, expected, "{}", found.join("\n"));
}

#[test]
fn a_device_is_asked_for_its_last_reading_and_its_unit_is_the_identifiers() {
    let fed =
        feed("from = \"device:a b%/electricity.power.active.consumed.total\"\nevery = \"2 s\"");
    let (path, every) = fed.polled().unwrap();
    assert_eq!(path, "/api/v1/latest?device=a%20b%25");
    assert_eq!(every.as_seconds_f64(), 2.0);
    let document = br#"{"results":[{"device":"a b%","last_interaction":null,"values":[
        {"quantity":"electricity.voltage.rms.l1","unit":"V","value":230,"event_time":"2027-01-18T00:00:09Z"},
        {"quantity":"electricity.power.active.consumed.total","unit":"kW","value":1.5005,
         "event_time":"2027-01-18T00:00:01.5Z"}]}],"devices":1}"#;
    let value = fed.value(document).unwrap();
    assert_eq!(value.si, 1500.5);
    assert_eq!(value.at, Some("2027-01-18T00:00:01.5Z".parse().unwrap()));
    for (document, why) in [
        (&b"{\"results\":[],\"devices\":0}"[..], "there is no electricity.power"),
        (b"{\"results\":[{\"values\":[]}]}", "there is no electricity.power"),
        (b"{", "EOF"),
    ] {
        let error = fed.value(document).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_value_at_a_pointer_is_in_the_unit_of_the_point_or_of_its_own() {
    let rest = "from = \"rest:/api/v1/x?y=1\"\npointer = \"/a/0/b~1c\"\nevery = \"200 ms\"\n";
    let document = br#"{"a":[{"b/c":2.5,"t":"2027-01-18T00:00:00+01:00"}]}"#;
    assert_eq!(feed(rest).value(document).unwrap().si, 2500.0);
    assert_eq!(feed(rest).value(document).unwrap().at, None);
    assert_eq!(feed(rest).polled().unwrap().1.as_seconds_f64(), 0.2);
    let own = format!("{rest}from_unit = \"W\"\ntime_pointer = \"/a/0/t\"");
    let value = feed(&own).value(document).unwrap();
    assert_eq!((value.si, value.at), (2.5, Some("2027-01-17T23:00:00Z".parse().unwrap())));
    let without = br#"{"a":[{"b/c":true}]}"#;
    assert!(feed(&own).value(without).unwrap_err().contains("no time beside the value"));
    assert_eq!(feed(rest).value(without).unwrap().si, 1000.0);
    let text = br#"{"a":[{"b/c":"2.5"}]}"#;
    let error = feed(rest).value(text).unwrap_err();
    assert_eq!(error, "found \"2.5\", expected a number, or true or false");
    let topic = feed("from = \"topic:t/+/x/#\"\npointer = \"\"");
    assert_eq!(topic.filter(), Some("t/+/x/#"));
    assert_eq!((topic.polled(), topic.value(b"0.5").unwrap().si), (None, 500.0));
    assert!(matches!(topic.source, FeedSource::Topic { .. }));
}

/// MQTT 5, 4.7.1, by its own examples.
#[test]
fn filters_take_the_topics_that_the_standard_lists() {
    for (filter, topic, is_taken) in [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("a/b", "a/b/c", false),
        ("a/b/c", "a/b", false),
    ] {
        assert_eq!(is_filter_of(filter, topic), is_taken, "{filter} {topic}");
    }
}

/// The same by recursion over the levels, which shares nothing with the loop.
fn is_taken(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        ([first, filter @ ..], [level, topic @ ..]) => {
            (*first == "+" || first == level) && is_taken(filter, topic)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn filters_are_as_by_recursion(
        filter in prop::collection::vec(prop::sample::select(vec!["a", "b", "+", ""]), 1..5),
        ends in any::<bool>(),
        topic in prop::collection::vec(prop::sample::select(vec!["a", "b", ""]), 1..5),
    ) {
        let mut filter = filter;
        if ends {
            filter.push("#");
        }
        prop_assert_eq!(is_filter_of(&filter.join("/"), &topic.join("/")), is_taken(&filter, &topic));
    }

    /// What a source has comes to the wire as the same value in the point's unit.
    #[test]
    fn a_value_is_scaled_as_that_of_a_command(watts in -1e9..1e9_f64) {
        let fed = feed("from = \"rest:/api/v1/x\"\npointer = \"\"\nfrom_unit = \"W\"");
        prop_assert_eq!(fed.value(watts.to_string().as_bytes()).unwrap().si, watts);
        let fed = feed("from = \"rest:/api/v1/x\"\npointer = \"\"");
        let si = fed.value(watts.to_string().as_bytes()).unwrap().si;
        prop_assert!((si - watts * 1e3).abs() <= 1e-9 * si.abs());
    }

    #[test]
    fn no_document_is_too_odd(document in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = feed("from = \"rest:/api/v1/x\"\npointer = \"/a\"").value(&document);
    }
}
