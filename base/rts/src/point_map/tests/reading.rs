//! What is read from a map without mistakes.

use lastmeter_params::Dimension;
use proptest::prelude::*;

use super::{FEEDER, mistakes, parsed};
use crate::SignalType;
use crate::point_map::{
    Card, Meaning, PointDirection, PointMap, StatusRole, WaveformChannel, WireFormat,
};

#[test]
fn a_map_has_its_points_in_the_order_on_the_wire() {
    let map = parsed(FEEDER);
    assert_eq!(map.simulator.wire_format, WireFormat::GtnetSkt);
    assert_eq!((map.simulator.card, map.simulator.sample_rate), (Card::GtnetX2, 1_000.0));
    let names = |direction| -> Vec<&str> {
        map.of_direction(direction).map(|point| point.name.as_str()).collect()
    };
    let sent = ["new-data", "mode", "u1", "i1", "wave", "flow"];
    assert_eq!(names(PointDirection::FromSimulator), sent);
    assert_eq!(names(PointDirection::ToSimulator), ["set-point", "tap"]);
    let mode = map.position_of_role(PointDirection::FromSimulator, StatusRole::Mode);
    assert_eq!(mode, Some(1));
    let Meaning::Measured { device, quantity } = &map.points[2].meaning else { panic!() };
    assert_eq!((device.as_str(), quantity.name()), ("house-1", "electricity.voltage.rms.l1"));
    let channel = WaveformChannel::U1;
    assert_eq!(map.points[4].meaning, Meaning::Waveform { device: device.clone(), channel });
    let line_before_tap = FEEDER.lines().position(|line| line == "name = \"tap\"");
    assert_eq!((map.points[0].line, Some(map.points[7].line)), (9, line_before_tap));
    let write = map.points[6].write.clone().unwrap();
    assert_eq!((write.reflected_by, write.blocked_by_mode), (Some(5), true));
    assert_eq!(write.greatest_change_per_second, Some(0.5));
    assert_eq!(map.points[7].signal_type, SignalType::Integer);
}

#[test]
fn the_map_of_the_documentation_is_right() {
    let lines = include_str!("../mod.rs").lines();
    let lines = lines.map(|line| line.trim_start_matches("//!").trim_start());
    let text: Vec<&str> = lines.skip_while(|line| *line != "```toml").skip(1).collect();
    let map = parsed(text.join("\n").split("```").next().unwrap());
    assert_eq!(map.points.len(), 2);
}

#[test]
fn words_become_values_in_si_units_and_back() {
    let map = parsed(FEEDER);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
    // 0.23 kV; 1,234 steps of 10 mA; 623 tenths of a degree above -40.
    near(map.points[2].to_si(0.23), 230.0);
    near(map.points[3].to_si(1_234.0), 12.34);
    near(map.points[5].to_si(623.0), 22.3);
    near(map.points[5].to_word(22.3), 623.0);
    assert_eq!(map.points[3].word_range(), Some((0.0, 10_000.0)));
    assert_eq!(map.points[5].unit.dimension, Dimension::Temperature);
    assert_eq!(map.points[0].word_range(), Some((0.0, 1.0)));
}

#[test]
fn a_negative_scale_turns_the_range_of_words_round() {
    let text = FEEDER.replace("scale = 10\n", "scale = -10\n");
    assert_eq!(parsed(&text).points[3].word_range(), Some((-10_000.0, 0.0)));
}

#[test]
fn a_byte_order_mark_moves_no_line() {
    assert_eq!(parsed(&format!("\u{feff}{FEEDER}")), parsed(FEEDER));
}

#[test]
fn each_format_carries_its_own_types() {
    let with = |format: &str, kind: &str| {
        let (order, bits) = match format {
            "frame" => ("byte_order = \"big\"\n", "bits = 32\n"),
            _ => ("", ""),
        };
        let text = format!(
            "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"{format}\"\n{order}\
             sample_rate = \"50 Hz\"\n[[point]]\nname = \"p\"\n\
             direction = \"from-simulator\"\ntype = \"{kind}\"\n{bits}"
        );
        PointMap::parse(&text).is_ok()
    };
    for format in WireFormat::ALL {
        for kind in SignalType::ALL {
            assert_eq!(with(format.word(), kind.word()), format.carries(kind), "{format} {kind}");
        }
    }
}

#[test]
fn limits_are_those_of_the_card_at_the_number_of_points() {
    let point = |number: usize| {
        format!(
            "[[point]]\nname = \"p{number}\"\ndirection = \"from-simulator\"\ntype = \"float\"\n"
        )
    };
    let faults = |format: &str, card: &str, points: usize, rate: &str| {
        let points: String = (0..points).map(point).collect();
        let text = format!(
            "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"{format}\"\n\
             card = \"{card}\"\nsample_rate = \"{rate}\"\n{points}"
        );
        PointMap::parse(&text).err().map_or(0, |error| error.0.len())
    };
    assert_eq!(faults("gtnet-skt", "gtnetx2", 300, "1 kHz"), 0);
    assert_eq!(faults("gtnet-skt", "gtnetx2", 301, "1 kHz"), 1);
    assert_eq!(faults("gtnet-skt", "gtnetx2", 300, "1.001 kHz"), 1);
    assert_eq!(faults("gtnet-skt", "gtnetx2", 59, "5 kHz"), 0);
    assert_eq!(faults("gtnet-skt", "gtnetx2", 60, "5 kHz"), 1);
    // The three words of the header count.
    assert_eq!(faults("gtnet-skt-header", "gtnetx2", 297, "1 kHz"), 0);
    assert_eq!(faults("gtnet-skt-header", "gtnetx2", 298, "1 kHz"), 1);
    assert_eq!(faults("gtnet-skt-header", "gtnetx2", 57, "5 kHz"), 1);
    assert_eq!(faults("gtnet-skt", "gtnet", 10, "100 Hz"), 0);
    assert_eq!(faults("gtnet-skt", "gtnet", 10, "101 Hz"), 1);
    assert_eq!(faults("gtnet-skt", "none", 400, "9 kHz"), 0);
    assert_eq!(faults("opal-asyncip", "none", 64, "9 kHz"), 0);
    assert_eq!(faults("opal-asyncip", "none", 65, "9 kHz"), 1);
}

#[test]
fn a_boolean_is_written_with_its_values_only() {
    let text = |keys: &str| {
        format!(
            "format = 1\n[simulator]\nname = \"s\"\nwire_format = \"villas-json\"\n\
             sample_rate = \"50 Hz\"\n[[point]]\nname = \"breaker\"\n\
             direction = \"to-simulator\"\ntype = \"boolean\"\n{keys}"
        )
    };
    let map = parsed(&text("initial = 1\nsafe_value = 0\n"));
    assert_eq!(map.points[0].write.as_ref().unwrap().initial, 1.0);
    let found = mistakes(&text("initial = 2\nsafe_value = 0\nleast = 0\ngreatest = 1\n"));
    assert_eq!(found.len(), 4, "{found:#?}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(at in 0..FEEDER.len(), cut in 0..40_usize, put in "[ -~\n]{0,12}") {
        let start = FEEDER.floor_char_boundary(at);
        let end = FEEDER.floor_char_boundary((at + cut).min(FEEDER.len())).max(start);
        let text = format!("{}{put}{}", &FEEDER[..start], &FEEDER[end..]);
        if let Err(error) = PointMap::parse(&text) {
            prop_assert!(!error.0.is_empty());
            let lines = text.matches('\n').count() + 1;
            prop_assert!(error.0.iter().all(|mistake| mistake.line <= lines));
        }
    }
}
