//! Maps made from what a laboratory already has.

use super::{mistakes, parsed};
use crate::point_map::{ImportError, PointDirection, WireFormat, listed_points, villas_points};
use crate::{ByteOrder, FieldType, FrameField, SignalType};

const CONFIGURATION: &str = r#"{ "nodes": {
  "rtds": {
    "type": "socket",
    "format": { "type": "gtnet", "fake": true },
    "in": { "address": "*:12000", "signals": [
      { "name": "U L1", "type": "float", "unit": "V" },
      { "name": "i1", "unit": "pu" },
      { "name": "count", "type": "integer" }
    ] },
    "out": { "signals": { "count": 2, "type": "float" } }
  },
  "opal": {
    "type": "socket",
    "format": { "type": "opal.asyncip", "dev_id": 7 },
    "in": { "signals": { "count": 3, "type": "float" } }
  }
} }"#;

/// The text with its commented rate filled in.
fn with_rate(text: &str) -> String {
    text.replace("# sample_rate", "sample_rate")
}

#[test]
fn a_configuration_of_villasnode_becomes_a_map_to_fill_in() {
    let text = villas_points(CONFIGURATION, Some("opal")).unwrap();
    assert!(mistakes(&text).concat().contains("key `sample_rate` is missing"), "{text}");
    let map = parsed(&with_rate(&text));
    assert_eq!(map.simulator.wire_format, WireFormat::OpalAsyncIp);
    assert_eq!((map.simulator.dev_id, map.points.len()), (Some(7), 3));
    assert_eq!(map.points[2].name, "signal2");

    let text = villas_points(CONFIGURATION, Some("rtds")).unwrap();
    assert!(text.contains("wire_format = \"gtnet-skt-header\""), "{text}");
    assert!(text.contains("# named `U L1` in the source\n[[point]]\nname = \"U-L1\""), "{text}");
    assert!(text.contains("# TO FILL IN (the source has `pu`)"), "{text}");
    // What is written needs limits, which the source does not know: no guess goes to the plant.
    let found = mistakes(&with_rate(&text));
    let limitless = found.iter().filter(|text| text.contains("is written and has no")).count();
    assert_eq!((found.len(), limitless), (2, 2), "{found:#?}");
}

#[test]
fn raw_values_of_villasnode_become_a_described_frame() {
    let typhoon = r#"{ "nodes": { "typhoon": { "type": "socket",
        "format": { "type": "raw", "bits": 64, "endianess": "big" },
        "in": { "signals": [{ "name": "u" }, { "name": "n", "type": "integer" }] } } } }"#;
    let map = parsed(&with_rate(&villas_points(typhoon, None).unwrap()));
    assert_eq!(map.simulator.wire_format, WireFormat::Frame);
    let place = |at, of| Some(FrameField::new(at, 64, ByteOrder::Big, of));
    assert_eq!(map.points[0].place, place(0, FieldType::Float64));
    assert_eq!(map.points[1].place, place(8, FieldType::Signed));
    let plain = typhoon.replace(r#"{ "type": "raw", "bits": 64, "endianess": "big" }"#, "\"raw\"");
    let map = parsed(&with_rate(&villas_points(&plain, None).unwrap()));
    let expected = FrameField::new(4, 32, ByteOrder::Little, FieldType::Signed);
    assert_eq!(map.points[1].place, Some(expected));
}

#[test]
fn what_is_filled_in_is_right_as_it_stands() {
    let text = villas_points(CONFIGURATION, Some("rtds")).unwrap();
    let filled: String = text
        .lines()
        .map(|line| match line {
            "# greatest = \"0\"" => "greatest = 5\n".to_owned(),
            line if ["least", "greatest_change", "initial", "safe_value"]
                .iter()
                .any(|key| line.starts_with(&format!("# {key}")) && line.ends_with("\"0\"")) =>
            {
                format!("{}\n", &line[2..])
            }
            line => format!("{line}\n"),
        })
        .collect();
    let map = parsed(&with_rate(&filled));
    assert_eq!(map.of_direction(PointDirection::ToSimulator).count(), 2);
    assert_eq!(map.points[0].unit.symbol, "V");
    assert_eq!(map.points[2].signal_type, SignalType::Integer);
}

#[test]
fn what_is_no_configuration_is_refused_with_its_place() {
    let refused = |text: &str, node| villas_points(text, node).unwrap_err().to_string();
    let libconfig = "nodes = {\n  rtds = {\n    type = \"socket\"\n  }\n}\n";
    assert_eq!(villas_points(libconfig, None), Err(ImportError::Libconfig));
    assert!(refused(libconfig, None).contains("villas conf2json"));
    assert!(refused("{ \"nodes\": \n}", None).starts_with("not JSON, line 2: "));
    assert_eq!(
        refused(CONFIGURATION, None),
        "`nodes`: found 2 nodes, expected the name of one of: opal, rtds"
    );
    assert_eq!(refused("[]", None), "`nodes`: found nothing, expected an object with the nodes");
    let bad = CONFIGURATION.replace("\"integer\"", "\"int\"");
    assert_eq!(
        refused(&bad, Some("rtds")),
        "`nodes.rtds.in.signals[2].type`: found `\"int\"`, expected `float`, `integer`, `boolean` \
         or `complex`"
    );
    let bad = CONFIGURATION.replace("\"count\": 2,", "\"count\": -2,");
    assert!(refused(&bad, Some("rtds")).contains("out.signals.count`: found `-2`"));
    let none = "{ \"nodes\": { \"a\": { \"type\": \"file\" } } }";
    assert!(refused(none, None).contains("`nodes.a.in.signals`: found nothing"));
}

#[test]
fn a_list_of_points_becomes_a_map_to_fill_in() {
    let list = "Name,Type,Unit,Direction\nNewData,int\nBUS1 VRMS,float,kV\n\n# spare\n\
                TAP;INT;;to-simulator\nP1\tREAL\tMW\tfrom-simulator\n";
    let text = listed_points(list).unwrap();
    let found = mistakes(&text);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("`wire_format` is missing"), "{found:#?}");
    let text = with_rate(&text).replace("# wire_format = \"\"", "wire_format = \"gtnet-skt\"");
    let text = text.replace("# card", "card");
    let only = mistakes(&text).concat();
    assert!(only.contains("point `TAP` is written and has no `initial`"), "{only}");
    let without = listed_points(&list.replace("TAP", "#")).unwrap();
    let without = without.replace("# wire_format = \"\"", "wire_format = \"gtnet-skt\"");
    let map = parsed(&with_rate(&without));
    let names: Vec<&str> = map.points.iter().map(|point| point.name.as_str()).collect();
    assert_eq!(names, ["NewData", "BUS1-VRMS", "P1"]);
    assert_eq!(map.points[2].unit.factor, 1e6);
}

#[test]
fn all_faults_of_a_list_are_reported_at_once() {
    let list = "a,float\nb\nc,double\nd,int,V,in\ne,int,V,from-simulater\n,float\nf,int,V,,x";
    let error = listed_points(list).unwrap_err();
    let ImportError::Lines(faults) = error else { panic!("{error}") };
    assert_eq!(
        faults,
        [
            "line 2: found `b`, expected `name,type[,unit[,direction]]`",
            "line 3: found the type `double`, expected `float` or `integer`",
            "line 4: found the direction `in`, expected `from-simulator` or `to-simulator`",
            "line 5: found the direction `from-simulater`, expected `from-simulator` or \
             `to-simulator`; did you mean `from-simulator`?",
            "line 6: the name is empty, expected a name before the first separator",
            "line 7: unexpected extra cell `x`",
        ]
    );
    assert!(listed_points("# nothing\n").unwrap_err().to_string().contains("no point found"));
}
