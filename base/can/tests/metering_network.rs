//! The database that comes with the program is what its rows make, and each node has the same.

use lastmeter_can::dbc::metering::{METERING_NETWORK_TEXT, metering_network};
use lastmeter_can::dbc::{Message, Rounding};
use lastmeter_can::frame::CanId;

#[expect(dead_code, reason = "it is a program of its own, too")]
#[expect(unreachable_pub, reason = "it is a program of its own, too")]
#[path = "../examples/metering_network_dbc.rs"]
mod written;

#[test]
fn the_file_is_what_its_rows_make() {
    let is_same = METERING_NETWORK_TEXT == written::text();
    assert!(is_same, "write it again: cargo run -p lastmeter-can --example metering_network_dbc");
}

#[test]
fn each_node_has_each_register() {
    let database = metering_network();
    let of_node = |message: &Message, node: u32| {
        let id = CanId::standard(message.id.value() - 1 + node).unwrap();
        database.message(id).unwrap()
    };
    let first: Vec<_> = database.messages().filter(|m| m.id.value() % 32 == 1).collect();
    assert_eq!(first.len(), 33);
    for message in first {
        let (_, register) = message.name.split_once('_').unwrap();
        let dlc = if register == "Switch" { 2 } else { 8 };
        for node in 1..32 {
            let other = of_node(message, node);
            assert_eq!(other.name, format!("Node{node}_{register}"));
            assert_eq!((other.dlc, other.signals.len()), (dlc, message.signals.len()));
            for (a, b) in message.signals.iter().zip(&other.signals) {
                let place = |s: &lastmeter_can::dbc::Signal| (s.start_bit, s.length_bits, s.format);
                assert_eq!((&a.name, &a.unit, place(a)), (&b.name, &b.unit, place(b)));
                assert_eq!((a.factor, a.range, &a.labels), (b.factor, b.range, &b.labels));
            }
        }
        assert_eq!(message.sender.as_deref(), Some("Node1"));
    }
    assert_eq!(database.messages().count(), 33 * 31 + 3);
}

/// Typed in: 230 V and 5 A as the firmware answers them, and a compact frame.
#[test]
fn answers_of_a_node_have_names_and_units() {
    let database = metering_network();
    let frame = "21F#0DB58580004C4B40".parse().unwrap();
    let found: Vec<_> = database.decode(&frame).unwrap();
    let found: Vec<_> = found.iter().map(|v| (v.name, v.value, v.unit)).collect();
    assert_eq!(found, [("Voltage", 230.0, "V"), ("Current", 5.0, "A")]);
    let values = [("ActivePower", -575.0), ("Freshness", 7.0), ("Tag", 66_051.0)];
    let frame = database.encode("Node2_CompactActivePower", &values, Rounding::Error).unwrap();
    assert_eq!(frame.to_string(), "442#FFF739E807010203");
    let status = database.decode(&"301#0005000000000000".parse().unwrap()).unwrap();
    assert_eq!(status[0].label, Some("memory, EEPROM"));
}
