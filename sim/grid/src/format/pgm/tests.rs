//! Values are worked out by hand from the documented models; mistakes are reported with their line.

use num_complex::Complex64;
use proptest::prelude::*;

use super::{Component, read, write};
use crate::network::{LineImpedance, Magnetising, Neutral, WindingKind, Wire};
use crate::short_circuit::Kind;

const SMALL: &str = r#"{
"version": "1.0", "type": "input", "is_batch": false,
"attributes": {"node": ["id", "u_rated"]},
"data": {
  "node": [
    [1, 10000.0],
    [2, 10000.0],
    {"id": 3, "u_rated": 400.0}
  ],
  "line": [
    {"id": 4, "from_node": 1, "to_node": 2, "from_status": 1, "to_status": 1, "r1": 0.25,
     "x1": 0.2, "c1": 1e-5, "tan1": 0.1, "r0": 0.5, "x0": 0.6, "c0": 4e-6, "tan0": 0.0, "i_n": 500}
  ],
  "transformer": [
    {"id": 5, "from_node": 2, "to_node": 3, "from_status": 1, "to_status": 1, "u1": 10000,
     "u2": 400, "sn": 1e5, "uk": 0.05, "pk": 3000, "i0": 0.013, "p0": 500, "winding_from": 2,
     "winding_to": 1, "clock": 5, "tap_side": 0, "tap_pos": 3, "tap_min": 5, "tap_max": 1,
     "tap_nom": 4, "tap_size": 250, "uk_max": 0.08, "r_grounding_to": 1.5}
  ],
  "source": [{"id": 6, "node": 1, "status": 1, "u_ref": 1.05, "sk": 1e9, "rx_ratio": 0.75,
              "z01_ratio": 2.0}],
  "asym_load": [{"id": 7, "node": 3, "status": 1, "type": 2, "p_specified": [1e3, 2e3, 3e3],
                 "q_specified": [0.0, 0.0, 500.0]}],
  "sym_gen": [{"id": 8, "node": 3, "status": 0, "type": 0, "p_specified": 900, "q_specified": 0}],
  "shunt": [{"id": 9, "node": 2, "status": 1, "g1": 0, "b1": 0.01, "g0": 0, "b0": 0.005}],
  "fault": [{"id": 10, "status": 1, "fault_type": 2, "fault_object": 3, "r_f": 0.1, "x_f": null}],
  "sym_voltage_sensor": [{"id": 11}]
}}"#;

fn close(found: Complex64, re: f64, im: f64) {
    let expected = Complex64::new(re, im);
    assert!((found - expected).norm() <= 1e-12 * expected.norm(), "{found} is not {expected}");
}

#[test]
fn figures_are_those_of_the_documented_models() {
    let document = read("small.json", SMALL).unwrap();
    let network = &document.network;
    assert_eq!(network.nodes.len(), 3);
    let LineImpedance::Sequence(line) = &network.lines[0].impedance else {
        panic!("a line by symmetrical components");
    };
    close(line.z1_ohm, 0.25, 0.2);
    // 2 pi 50 Hz 10 uF is 3.14159 mS.
    close(line.y1_s, 3.141_592_653_589_793e-4, 3.141_592_653_589_793e-3);
    // Short-circuit loss 3 %; from uk 5 % at nominal to 8 % at position 1: 6 % at position 3.
    let transformer = &network.transformers[0];
    close(transformer.short_circuit_pu[0], 0.03, 0.051_961_524_227_066_32);
    // Towards tap_max turns become more: one step of 250 V.
    assert_eq!(transformer.windings[0].tap.unwrap().ratio(), 1.025);
    assert_eq!(transformer.windings[1].tap, None);
    let earth = Neutral::Earthed(Complex64::new(1.5, 0.0));
    assert_eq!(transformer.windings[1].kind, WindingKind::Star(earth));
    let Magnetising::BySequence { y1_pu, y0_pu } = transformer.magnetising else {
        panic!("by sequence");
    };
    close(y1_pu, 0.005, -0.012);
    close(y0_pu, 0.005, -0.012);
    // 10 kV, 1 GVA: 0.1 ohm; R is three quarters of X.
    close(network.sources[0].z1_ohm, 0.06, 0.08);
    close(network.sources[0].z0_ohm, 0.12, 0.16);
    assert_eq!(network.sources[0].voltage_v, 10_500.0);
    close(network.loads[1].power_va[2], 3e3, 500.0);
    close(network.loads[0].power_va[2], -300.0, 0.0);
    assert!(network.loads[0].generator && !network.loads[0].connected);
    assert_eq!(document.faults[0].fault.kind, Kind::TwoPhase(Wire::B, Wire::C));
    assert_eq!(document.notes, ["1 sym_voltage_sensor left out: measurements"]);
    assert_eq!(document.symmetric_only, None);
    assert_eq!(document.elements.len(), 10);
    assert_eq!(document.elements[3].component, Component::Line);
}

#[test]
fn what_is_written_is_read_again() {
    let network = read("small.json", SMALL).unwrap().network;
    let written = write(&network).unwrap();
    assert_eq!(written.lines, [4]);
    // power-grid-model takes no whole number with a point.
    assert!(written.json.contains("[4, 1, 2, 1, 1, 0.25, 0.2, "), "{}", written.json);
    let again = read("again.json", &written.json).unwrap().network;
    let transformer = (&network.transformers[0], &again.transformers[0]);
    close(
        transformer.1.short_circuit_pu[0],
        transformer.0.short_circuit_pu[0].re,
        transformer.0.short_circuit_pu[0].im,
    );
    let taps = (transformer.0.windings[0].tap.unwrap(), transformer.1.windings[0].tap.unwrap());
    assert_eq!(taps.0, taps.1);
    assert_eq!(transformer.0.windings[1], transformer.1.windings[1]);
    let impedance = |network: &crate::Network| match &network.lines[0].impedance {
        LineImpedance::Sequence(own) => *own,
        LineImpedance::Matrix { .. } => panic!("a line by symmetrical components"),
    };
    close(impedance(&again).y1_s, impedance(&network).y1_s.re, impedance(&network).y1_s.im);
    close(again.sources[0].z1_ohm, 0.06, 0.08);
    for one in &network.loads {
        let other = again.loads.iter().find(|load| load.name == one.name).unwrap();
        assert_eq!(
            (&one.name, one.power_va, one.model, one.generator, one.connected),
            (&other.name, other.power_va, other.model, other.generator, other.connected)
        );
    }
    assert_eq!(network.shunts[0].admittance, again.shunts[0].admittance);
}

/// The first mistake in the small file with one piece of it replaced.
fn mistake(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    read("f.json", &SMALL.replacen(from, to, 1)).unwrap_err().mistakes[0].to_string()
}

#[test]
fn mistakes_are_reported_with_component_number_and_line() {
    let cases = [
        ("[2, 10000.0]", "[2, 1e4, 3]", "f.json:7:5: node 0: 3 values, but \"attributes\" lists 2"),
        ("[2, 10000.0]", "[2, -1]", "f.json:7:5: node 2: u_rated is -1, expected more than 0"),
        (
            "[2, 10000.0]",
            "[1, 1e4]",
            "f.json:7:5: node 1: its number is that of a node on line 6, c",
        ),
        ("\"r1\": 0.25", "\"r1\": null", "f.json:11:5: line 4: r1 is missing"),
        ("\"r1\": 0.25", "\"r_1\": 0.25", "f.json:11:5: line 4: r_1 is no attribute of a line"),
        (
            "\"to_node\": 2",
            "\"to_node\": 12",
            "f.json:11:5: line 4: to_node is 12, but there is no",
        ),
        (
            "\"to_node\": 2",
            "\"to_node\": 3",
            "f.json:11:5: line 4: its nodes are rated 10000 V and",
        ),
        ("\"clock\": 5", "\"clock\": 6", "f.json:15:5: transformer 5: clock is 6: even is only"),
        (
            "\"uk\": 0.05",
            "\"uk\": \"inf\"",
            "f.json:15:5: transformer 5: uk is inf, expected a num",
        ),
        ("\"type\": 2", "\"type\": 3", "f.json:22:17: asym_load 7: type is 3, expected 0, 1 or 2"),
        ("\"fault\"", "\"fuse\"", "f.json:26:11: unknown component fuse"),
        (
            "\"sym_voltage_sensor\": [{\"id\": 11}]",
            "\"fuse\": []",
            "f.json:27:11: unknown component fuse",
        ),
        ("\"version\": \"1.0\"", "\"version\": 2", "f.json:2:12: version is 2, expected \"1.0\""),
        (
            "\"is_batch\": false",
            "\"is_batch\": tru",
            "f.json:2:51: not the JSON of power-grid-model",
        ),
        ("[\"id\", \"u_rated\"]", "[\"id\", \"u\"]", "f.json:3:24: u is no attribute of a node"),
    ];
    for (from, to, expected) in cases {
        let found = mistake(from, to);
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
}

#[test]
fn what_stands_twice_is_refused_at_every_level() {
    let again = ", \"data\": {\"node\": []}}";
    let whole = format!("{}{again}", SMALL.trim_end().strip_suffix('}').unwrap());
    let message = read("f.json", &whole).unwrap_err().mistakes[0].to_string();
    assert!(
        message.ends_with(": \"data\" stands in the file twice; keep one of them"),
        "{message}"
    );
    let first = "\"attributes\": {\"node\": [\"id\", \"u_rated\"]";
    let cases = [
        (
            "\"version\": \"1.0\"",
            "\"version\": \"1.0\", \"version\": \"1.0\"",
            "\"version\" stands in the file twice",
        ),
        (first, &format!("{first}, \"node\": []"), "\"node\" stands in \"attributes\" twice"),
        (
            "\"sym_voltage_sensor\": [",
            "\"sym_voltage_sensor\": [], \"sym_voltage_sensor\": [",
            "\"sym_voltage_sensor\" stands in \"data\" twice",
        ),
        ("\"fault\": [", "\"fault\": [], \"fault\": [", "\"fault\" stands in \"data\" twice"),
        ("{\"id\": 11}", "{\"id\": 11, \"id\": 12}", "\"id\" stands in a sym_voltage_sensor twice"),
        ("\"r1\": 0.25", "\"r1\": 0.25, \"r1\": 1", "line 4: r1 stands there twice"),
        (
            "{\"id\": 7,",
            "{\"id\": 7, \"name\": \"x\", \"name\": \"x\",",
            "asym_load 7: name stands there twice",
        ),
    ];
    for (from, to, expected) in cases {
        let found = mistake(from, to);
        assert!(found.contains(expected), "{found}\nlacks\n{expected}");
    }
}

#[test]
fn attributes_of_what_is_no_component_are_refused() {
    let first = "\"attributes\": {\"node\": [\"id\", \"u_rated\"]";
    let found = mistake(first, &format!("{first}, \"nods\": [\"id\"]"));
    assert!(found.ends_with("\"attributes\": unknown component nods"), "{found}");
    let sensors = format!("{first}, \"sym_voltage_sensor\": [\"id\"]");
    assert!(read("f.json", &SMALL.replacen(first, &sensors, 1)).is_ok());
}

#[test]
fn mistakes_of_a_file_on_one_line_are_reported_with_their_columns() {
    let line = SMALL.replace('\n', "");
    for (begin, from, to, what) in [
        (
            "[2, 10000.0]",
            "[2, 10000.0]",
            "[1, 1e4]",
            "node 1: its number is that of a node on line 1",
        ),
        ("{\"id\": 4", "\"r1\": 0.25", "\"r1\": null", "line 4: r1 is missing"),
        ("{\"id\": 4", "\"r1\": 0.25", "\"r1\": {}", "line 4: r1 is {}, expected a number"),
        (
            "{\"id\": 8",
            "\"node\": 3, \"status\": 0",
            "\"node\": 9, \"status\": 0",
            "sym_gen 8: node",
        ),
        ("[{\"id\": 10", "\"fault\"", "\"fuse\"", "unknown component fuse"),
    ] {
        let changed = line.replacen(from, to, 1);
        // Nothing before the component has changed, but the name of the list it stands in.
        let shift =
            if from == "\"fault\"" { to.len() } else { from.len() } as i64 - from.len() as i64;
        let column = line.find(begin).unwrap() as i64 + shift + 1;
        let message = read("f.json", &changed).unwrap_err().mistakes[0].to_string();
        assert!(
            message.starts_with(&format!("f.json:1:{column}: {what}")),
            "{message} at {column}"
        );
    }
    // What is no JSON is reported where it ceases to be valid.
    let cut = &line[..line.find("\"x1\"").unwrap()];
    let message = read("f.json", cut).unwrap_err().mistakes[0].to_string();
    let column = cut.len();
    assert!(
        message.starts_with(&format!("f.json:1:{column}: not the JSON of power-grid")),
        "{message}"
    );
    assert!(!message.contains("at line"), "{message}");
}

#[test]
fn the_mark_of_an_editor_in_front_is_no_mistake() {
    let marked = read("f.json", &format!("\u{feff}{SMALL}")).unwrap();
    assert_eq!(marked.network.nodes.len(), 3);
    assert_eq!(marked.notes, ["1 sym_voltage_sensor left out: measurements"]);
    let none = SMALL.replace("[{\"id\": 11}]", "[]");
    assert_eq!(read("f.json", &none).unwrap().notes, [""; 0]);
}

#[test]
fn what_has_no_zero_sequence_is_for_symmetrical_calculation_only() {
    let text = SMALL.replacen("\"r0\": 0.5,", "", 1);
    let why = read("f.json", &text).unwrap().symmetric_only.unwrap();
    assert_eq!((why.what.as_str(), why.place.0), ("line 4 has no r0, x0, c0 and tan0", 11));
}

#[test]
fn what_power_grid_model_cannot_express_is_refused_by_name() {
    let mut network = read("small.json", SMALL).unwrap().network;
    network.loads[1].configuration = crate::network::Configuration::Delta;
    network.transformers[0].magnetising =
        Magnetising::AtWinding { winding: 1, y_pu: Complex64::new(0.01, 0.0), antifloat_pu: 0.0 };
    let mistakes: Vec<_> = write(&network).unwrap_err().mistakes;
    assert_eq!(mistakes.len(), 2);
    assert!(
        mistakes[0].what.starts_with("transformer 5: its magnetising current"),
        "{}",
        mistakes[0]
    );
    assert!(mistakes[1].what.starts_with("load 7: it is not a wye"), "{}", mistakes[1]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = read("f.json", &text);
    }

    #[test]
    fn no_change_of_a_file_makes_it_panic(
        at in 0..SMALL.len(), length in 0usize..40, with in "[0-9eE.,:\"\\[\\]{}nul -]{0,6}"
    ) {
        let end = (at + length).min(SMALL.len());
        if let (Some(begin), Some(rest)) = (SMALL.get(..at), SMALL.get(end..)) {
            let _ = read("f.json", &format!("{begin}{with}{rest}"));
        }
    }
}

/// Names that power-grid-model has no attribute for come back from what is written for it.
#[test]
fn elements_keep_their_names_through_a_file() {
    let text = SMALL.replace("\"id\": 3,", "\"id\": 3, \"name\": \"the \\\"low\\\" side\",");
    let text = text.replace("{\"id\": 7,", "{\"id\": 7, \"name\": \"homes\",");
    let text = text.replace("{\"id\": 5,", "{\"id\": 5, \"name\": \"T1\",");
    let document = read("small.json", &text).unwrap();
    let names = |document: &super::Document| {
        let network = &document.network;
        let mut names: Vec<String> = network.nodes.iter().map(|it| it.name.to_string()).collect();
        names.extend(network.transformers.iter().map(|it| it.name.to_string()));
        names.extend(network.loads.iter().map(|it| it.name.to_string()));
        names
    };
    assert_eq!(names(&document), ["1", "2", "the \"low\" side", "T1", "8", "homes"]);
    let written = write(&document.network).unwrap();
    let again = read("written.json", &written.json).unwrap();
    let called = |document: &super::Document| {
        let mut names = names(document);
        // What was called by a number may have another one now.
        names.retain(|name| name.parse::<i32>().is_err());
        names
    };
    assert_eq!(called(&again), ["the \"low\" side", "T1", "homes"]);
    assert_eq!(called(&again), called(&document));
    assert!(document.notes.iter().all(|note| !note.contains("names")), "{:?}", document.notes);
}

/// A number is a name unless it is that of an element that has no other.
#[test]
fn names_that_cannot_be_taken_are_reported() {
    let called = |of_eight: &str, of_seven: &str| {
        let text = SMALL.replace("{\"id\": 8,", &format!("{{\"id\": 8, {of_eight}"));
        let text = text.replace("{\"id\": 7,", &format!("{{\"id\": 7, \"name\": \"{of_seven}\","));
        let document = read("small.json", &text).unwrap();
        let noted = document.notes.iter().any(|note| note.starts_with("1 names left out"));
        (document.network.loads[1].name.to_string(), noted)
    };
    let homes = "\"name\": \"homes\",";
    for (of_eight, of_seven) in [(homes, ""), (homes, "homes"), ("", "8")] {
        assert_eq!(called(of_eight, of_seven), ("7".into(), true), "{of_eight} {of_seven}");
    }
    for (of_eight, of_seven) in [(homes, "7"), (homes, "8"), ("", "1e3")] {
        assert_eq!(called(of_eight, of_seven), (of_seven.into(), false), "{of_eight} {of_seven}");
    }
    for (name, what) in [("5", "name is 5, expected a text"), ("[]", "name is [], expected")] {
        let text = SMALL.replace("{\"id\": 7,", &format!("{{\"id\": 7, \"name\": {name},"));
        let message = read("small.json", &text).unwrap_err().to_string();
        assert!(message.contains("asym_load 7: ") && message.contains(what), "{message}");
    }
}

/// Lengths are no attribute of power-grid-model either, and of lines only.
#[test]
fn lengths_of_lines_are_read_and_wrong_ones_are_rejected_by_line() {
    let line = SMALL.find("\"line\": [").expect("there are lines");
    let with = |value: &str| {
        let (before, after) = SMALL.split_at(line);
        let after = after.replacen("{\"id\":", &format!("{{\"length_m\": {value}, \"id\":"), 1);
        read("f.json", &format!("{before}{after}"))
    };
    let network = with("1250.5").unwrap().network;
    assert_eq!(network.lines[0].length_m, Some(1250.5));
    let again = read("again.json", &write(&network).unwrap().json).unwrap().network;
    assert_eq!(again.lines[0].length_m, Some(1250.5));
    for value in ["0", "-1", "\"long\"", "1e999"] {
        let message = with(value).unwrap_err().to_string();
        assert!(message.contains("length_m is ") && message.contains("above 0"), "{message}");
    }
    let at_load = SMALL.replace("{\"id\": 7,", "{\"id\": 7, \"length_m\": 1,");
    let message = read("f.json", &at_load).unwrap_err().to_string();
    assert!(message.contains("length_m is no attribute of a asym_load"), "{message}");
}
