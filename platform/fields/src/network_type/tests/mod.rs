//! What holds of every type, what is ZigBee's, and that a new type is one file and one line.

mod can;
mod made_up;
mod zigbee;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::relay::RelayEntry;

/// All types, and one more: its file and its line here are all there is of it.
static TYPES: &[NetworkType] = &[super::zigbee::ZIGBEE, super::can::CAN, made_up::MADE_UP];

fn arguments(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn each_type_has_a_name_and_a_code_of_its_own_and_declares_what_there_is() {
    let names: BTreeSet<&str> = TYPES.iter().map(|row| row.entry.name).collect();
    let codes: BTreeSet<u8> = TYPES.iter().map(|row| row.code).collect();
    assert_eq!((names.len(), codes.len()), (TYPES.len(), TYPES.len()));
    assert_eq!(NETWORK_TYPES.iter().map(|row| row.code).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(by_name("zigbee").map(|row| row.code), Some(0));
    assert!(by_name("none").is_none() && by_code(200).is_none());
    for row in TYPES {
        for declared in row.yields {
            assert!(MeasurementId::lookup(declared.id).is_some(), "{}", declared.id);
            assert!(declared.resolution > 0.0 && declared.accuracy_percent >= 0.0);
        }
        let unknown = Order { command: "fly", arguments: &BTreeMap::new(), sequence: 1 };
        assert!((row.encode)(&NodeContext::default(), &unknown).unwrap_err().contains("fly"));
    }
}

#[test]
fn options_are_those_of_the_type_and_within_their_spans() {
    let zigbee = by_name("zigbee").unwrap();
    let check = |name: &str, value| zigbee.check_options(&[(name.to_owned(), value)].into());
    assert_eq!(check("channel", json!(15)), Ok(()));
    for (name, value, expected) in [
        ("channel", json!(27), "expected a whole number from 11 to 26"),
        ("channel", json!("15"), "expected a whole number from 11 to 26"),
        ("colour", json!(1), "expected one of channel, networkId, securityLevel"),
    ] {
        assert_eq!(check(name, value), Err((name.to_owned(), expected.to_owned())));
    }
    let options = [("channel".to_owned(), json!(15)), ("networkId".to_owned(), json!(0x1A2B))];
    assert_eq!((zigbee.settings)(&options.into()), [(1, vec![15]), (2, vec![0x1A, 0x2B])]);
}

#[test]
fn a_new_type_goes_the_whole_way_by_its_row() {
    let context = NodeContext { node: 7, address: 3, state: Vec::new() };
    let frame = made_up::frame(7, 3, b't', &2150_i16.to_be_bytes());
    let entry = RelayEntry {
        network_type: made_up::MADE_UP.code,
        gateway_number: 1,
        epoch: 0,
        sequence: 5,
        taken_s: 1_800_000_000,
        context: context.clone(),
        invocation: "",
        frame: &frame,
    };
    let bytes = entry.encode();
    let read = RelayEntry::decode(&bytes).unwrap();
    assert_eq!(read.kind(NETWORK_TYPES).unwrap_err().reason, "unknown_network_type");
    let kind = read.kind(TYPES).unwrap();
    let origin = (kind.origin)(read.frame).unwrap();
    assert_eq!((origin.node, origin.address), (Some(7), 3));
    let decoded = (kind.decode)(&read.context, read.frame).unwrap();
    let temperature = MeasurementId::lookup("x.room.temperature").unwrap();
    assert_eq!(decoded.measured, [(temperature, 21.5)]);
    let none = BTreeMap::new();
    let order = Order { command: "blink", arguments: &none, sequence: 9 };
    assert_eq!((kind.encode)(&context, &order).unwrap(), [made_up::frame(7, 3, b'b', &[9])]);
    let answer = (kind.decode)(&context, &made_up::frame(7, 3, b'b', &[9])).unwrap().answer;
    assert_eq!(answer, Some(Answer { sequence: 9, text: "blinked".to_owned() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No bytes make a type panic, and what it learns stays within its bound.
    #[test]
    fn any_bytes_are_read_without_a_panic(
        frame in prop::collection::vec(any::<u8>(), 0..120),
        state in prop::collection::vec(any::<u8>(), 0..200),
        cluster in prop::sample::select(vec![0x0006_u16, 0x0702, 0x0B04, 0x0500, 0xFC01, 0x0013]),
        control in prop::sample::select(vec![0x08_u8, 0x18, 0x09, 0x0C]),
    ) {
        let context = NodeContext { node: 1, address: 2, state };
        let mut shaped = vec![0; 10];
        shaped.extend([1, 1, 1, 4]);
        shaped.extend(cluster.to_be_bytes());
        shaped.extend([200, 1, control, 7]);
        shaped.extend(&frame);
        for kind in TYPES {
            for bytes in [&frame, &shaped] {
                let _ = (kind.origin)(bytes);
                let _ = (kind.decode)(&context, bytes);
                if let Some(learned) = (kind.learn)(&context, bytes) {
                    prop_assert!(learned.state.len() <= STATE_BYTES_MAX);
                    let _ = (kind.decode)(&learned, bytes);
                }
            }
        }
    }
}
