//! Devices that announce no spans: what they declare, and what makes no sense of it.

use lastmeter_sim::{DeclaredSpan, Identity};
use lastmeter_units::SimDuration;

use super::{assert_printed, change, load, mistakes};

const BOARD: &str = r#"format = 1

[scenario]
name = "board"
start = 2027-01-18T00:00:00Z
duration = "1 h"

[[source]]
name = "tap"
kind = "water"

[[device]]
name = "board"
at = "source:tap"
model = "water-meter"

[[check]]
name = "volume"
kind = "accuracy"
quantity = "water.volume"
limit = "1 l"
"#;

fn with(keys: &str) -> String {
    BOARD.replacen("model =", &format!("{keys}\nmodel ="), 1)
}

fn declared(keys: &str) -> Option<DeclaredSpan> {
    let scenario = load(&with(keys)).map_err(|failure| failure.to_string()).unwrap();
    scenario.devices[0].declared
}

#[test]
fn what_a_device_declares_is_read() {
    assert_eq!(declared(""), None);
    assert_eq!(declared("readings = \"announced\""), None);
    let nothing = SimDuration::ZERO;
    let bare = DeclaredSpan {
        identity: Identity::Number,
        window: None,
        earliest: nothing,
        latest: nothing,
        registers_earliest: None,
    };
    assert_eq!(declared("readings = \"numbered\""), Some(bare));
    let keys = "readings = \"scheduled\"\nspan_window = \"1 min\"\nspan_earliest = \"2 s\"\n\
                span_latest = \"1500 ms\"";
    let full = DeclaredSpan {
        identity: Identity::Schedule,
        window: Some(SimDuration::from_seconds(60)),
        earliest: SimDuration::from_seconds(2),
        latest: SimDuration::from_milliseconds(1500),
        registers_earliest: None,
    };
    assert_eq!(declared(keys), Some(full));
}

#[test]
fn what_makes_no_sense_is_reported_where_it_stands() {
    let cases = [
        "span_window = \"1 s\"",
        "readings = \"announced\"\nspan_latest = \"1 s\"",
        "span_earliest = \"0 s\"",
        "readings = \"guessed\"",
        "readings = \"numbered\"\nspan_latest = \"-1 s\"",
        "readings = \"numbered\"\nspan_window = \"0 s\"",
    ];
    assert_printed("declared", cases.map(|keys| (change("", keys), load(&with(keys)))));
}

#[test]
fn readings_that_only_their_schedule_identifies_have_a_period_each_to_themselves() {
    for (keys, is_fine) in [
        ("span_earliest = \"59 s\"", true),
        ("span_earliest = \"40 s\"\nspan_latest = \"20 s\"", false),
        ("span_latest = \"61 s\"", false),
    ] {
        for (readings, is_fine) in [("scheduled", is_fine), ("numbered", true)] {
            let keys = format!("report_every = \"1 min\"\nreadings = \"{readings}\"\n{keys}");
            let found = mistakes(&with(&keys));
            assert_eq!(found.is_empty(), is_fine, "{keys}: {found:?}");
            let expected = "a reading every 1 min that may be dated from";
            assert!(found.iter().all(|mistake| mistake.contains(expected)), "{keys}: {found:?}");
        }
    }
}

#[test]
fn the_devices_in_the_lists_of_checks_are_there() {
    let check = |rest: &str| format!("{BOARD}\n[[check]]\nname = \"c\"\n{rest}\n");
    for (rest, is_fine) in [
        ("kind = \"no_loss\"\nsilent = [{ device = \"board\", readings = 1 }]", true),
        ("kind = \"no_loss\"\nsilent = [{ device = \"bord\", readings = 1 }]", false),
        ("kind = \"refused\"\nexpect = [{ reason = \"not_json\", device = \"board\" }]", true),
        ("kind = \"refused\"\nexpect = [{ reason = \"not_json\", device = \"bord\" }]", false),
        ("kind = \"refused\"\nexpect = [{ reason = \"not_json\" }]", true),
    ] {
        let found = mistakes(&check(rest));
        assert_eq!(found.is_empty(), is_fine, "{rest}: {found:?}");
        let expected = "<\"bord\"> there is no device named `bord`";
        assert!(found.iter().all(|mistake| mistake.contains(expected)), "{rest}: {found:?}");
    }
}
