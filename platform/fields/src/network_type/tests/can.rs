//! CAN: values by hand from the layout of each register, what is refused, orders.

use super::*;

/// The bus of the tests; its node 5 is the device `00124b0000000c05`, as 0xC00 ends in five zeros.
const BUS: u64 = 0x0012_4B00_0000_0C00;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn relayed(bus: u64, identifier: u16, data: &[u8]) -> Vec<u8> {
    [&bus.to_be_bytes()[..], &identifier.to_be_bytes(), data].concat()
}

fn can() -> &'static NetworkType {
    by_name("can").unwrap()
}

fn decoded(identifier: u16, data: &[u8]) -> Result<Decoded, FrameRefusal> {
    (can().decode)(&NodeContext::default(), &relayed(BUS, identifier, data))
}

/// Names and values of a frame.
fn measured(identifier: u16, data: &[u8]) -> Vec<(&'static str, f64)> {
    let found = decoded(identifier, data).unwrap();
    assert!(found.unusable.is_empty() && !found.is_configuration, "{found:?}");
    found.measured.iter().map(|(id, value)| (id.name(), *value)).collect()
}

/// Bytes by `struct.pack` of Python from values times the steps of `docs/can.md`.
#[test]
fn registers_become_quantities_in_the_units_of_messages() {
    let consumed = "electricity.power.active.consumed.total";
    let injected = "electricity.power.active.injected.total";
    for (identifier, data, expected) in [
        (
            0x205,
            "0DB58580004C4B40",
            vec![("electricity.voltage.rms.l1", 230.0), ("electricity.current.rms.l1", 5.0)],
        ),
        (0x225, "FFFFFFFFA697D100", vec![(consumed, 0.0), (injected, 1.5)]),
        (
            0x245,
            "00118C30000F4240",
            vec![
                ("electricity.power.apparent.total", 1.15),
                ("x.electricity.power.nonactive.total", 1.0),
            ],
        ),
        (
            0x265,
            "FFF85EE002FAF080",
            vec![("electricity.powerFactor.l1", -0.5), ("electricity.frequency", 50.0)],
        ),
        (0x285, "00000000D693A400", vec![("electricity.energy.active.consumed.total", 1.0)]),
        (0x2BF, "00000000D693A400", vec![("electricity.energy.active.injected.total", 1.0)]),
        (
            0x365,
            "0001388000030D40",
            vec![("x.electricity.voltage.thd.l1", 8.0), ("x.electricity.current.thd.l1", 20.0)],
        ),
        // Compact ones: four bytes of data, then a counter and a tag, which are the gateway's.
        (0x445, "FFE91CA0FF123456", vec![(consumed, 0.0), (injected, 1.5)]),
        (0x4E5, "00008CA000000000", vec![("electricity.energy.active.consumed.total", 1.0)]),
        (0x065, "0107", vec![("x.electricity.breaker.closed", 1.0)]),
    ] {
        let found = measured(identifier, &hex(data));
        let names = |all: &[(&'static str, f64)]| all.iter().map(|(it, _)| *it).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "{identifier:03X}");
        for ((name, value), (_, expected)) in found.iter().zip(&expected) {
            assert!((value - expected).abs() <= 1e-12 * expected.abs(), "{name}: {value}");
        }
    }
}

#[test]
fn a_node_is_its_number_in_the_address_of_its_bus() {
    let origin = |bus, identifier| (can().origin)(&relayed(bus, identifier, &[0; 8]));
    let expected = Origin { node: Some(0x0012_4B00_0000_0C05), address: 5, signal: 255 };
    assert_eq!(origin(BUS, 0x205), Ok(expected));
    assert_eq!(origin(BUS + 32, 0x7FF).unwrap().node, Some(BUS + 63));
    for (bus, identifier, reason) in [
        (BUS, 0x020, "not_of_a_node"),
        (BUS + 1, 0x205, "malformed_frame"),
        (BUS, 0x800, "malformed_frame"),
    ] {
        assert_eq!(origin(bus, identifier).unwrap_err().reason, reason);
    }
    for bytes in [&[0; 9][..], &[0; 19]] {
        assert_eq!((can().origin)(bytes).unwrap_err().reason, "malformed_frame");
    }
}

#[test]
fn what_the_network_does_not_have_is_refused_with_the_frame_and_the_reason() {
    for (identifier, data, reason, words) in [
        (0x605, "0000000000000000", "unknown_identifier", "frame 605#0000000000000000: "),
        (0x205, "0DB58580004C4B", "wrong_length", "7 bytes of data, expected 8 of Node5_Voltage"),
        (0x065, "010203", "wrong_length", "3 bytes of data, expected 2 of Node5_Switch"),
        (0x205, "", "wrong_length", "0 bytes of data, expected 8"),
    ] {
        let refusal = decoded(identifier, &hex(data)).unwrap_err();
        assert_eq!(refusal.reason, reason);
        assert!(refusal.detail.contains(words), "{refusal}");
    }
    // A power factor of 1.5 beside a frequency that is used.
    let found = decoded(0x265, &hex("0016E36002FAF080")).unwrap();
    let names: Vec<&str> = found.measured.iter().map(|(id, _)| id.name()).collect();
    assert_eq!(names, ["electricity.frequency"]);
    assert_eq!(
        found.unusable,
        ["frame 265#0016E36002FAF080: PowerFactor is 1.5, expected -1 to 1"]
    );
    let found = decoded(0x065, &hex("0207")).unwrap();
    assert_eq!((found.measured.len(), found.unusable.len(), found.answer), (0, 1, None));
}

#[test]
fn what_describes_a_node_is_kept_and_answers_to_polls_are_not() {
    for (identifier, is_kept) in [
        (0x025, false),
        (0x2C5, false),
        (0x2E5, true),
        (0x305, true),
        (0x325, true),
        (0x385, true),
        (0x3A5, true),
    ] {
        let found = decoded(identifier, &[0; 8]).unwrap();
        assert_eq!(
            (found.measured.len(), found.is_configuration),
            (0, is_kept),
            "{identifier:03X}"
        );
    }
}

#[test]
fn a_switching_unit_is_ordered_and_its_answer_has_the_number_of_the_order() {
    let context = NodeContext { node: BUS + 5, address: 5, state: Vec::new() };
    let encode = |state: &str| {
        let arguments = arguments(&[("state", state)]);
        let order = Order { command: "setBreaker", arguments: &arguments, sequence: 7 };
        (can().encode)(&context, &order)
    };
    assert_eq!(encode("open").unwrap(), [relayed(BUS, 0x065, &[0, 7])]);
    assert_eq!(encode("closed").unwrap(), [relayed(BUS, 0x065, &[1, 7])]);
    assert!(encode("ajar").unwrap_err().contains("`open` or `closed`"));
    let answer = decoded(0x065, &[0, 7]).unwrap().answer;
    assert_eq!(answer, Some(Answer { sequence: 7, text: "open".to_owned() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Registers by the table of `docs/can.md`, values by their bytes: all that is taken, and
    /// nothing else is.
    #[test]
    fn a_frame_is_refused_or_has_the_values_of_its_bytes(
        identifier in 0_u16..0x7FF, data in prop::collection::vec(any::<u8>(), 0..=8),
    ) {
        let register = identifier >> 5;
        let bytes = if register == 3 { 2 } else { 8 };
        let is_known = matches!(register, 0x01..=0x03 | 0x10..=0x1D | 0x1F | 0x20..=0x2E);
        let origin = (can().origin)(&relayed(BUS, identifier, &data));
        prop_assert_eq!(origin.is_ok(), identifier & 31 != 0);
        prop_assume!(identifier & 31 != 0);
        let found = decoded(identifier, &data);
        // Without freshness and tag, as on a bus that has no authentication.
        let is_short = matches!(register, 0x02 | 0x20..=0x2E) && data.len() == 4;
        prop_assert_eq!(found.is_ok(), is_known && (data.len() == bytes || is_short));
        let Ok(found) = found else { return Ok(()) };
        let named: BTreeMap<&str, f64> =
            found.measured.iter().map(|(id, value)| (id.name(), *value)).collect();
        prop_assert_eq!(named.len(), found.measured.len());
        let u32_at = |at: usize| data[at..at + 4].iter().fold(0, |sum, &it| sum << 8 | u64::from(it));
        let expected = match register {
            0x10 => ("electricity.current.rms.l1", u32_at(4) as f64 / 1e6),
            0x12 => ("x.electricity.power.nonactive.total", u32_at(4) as f64 / 1e6),
            0x13 => ("electricity.frequency", u32_at(4) as f64 / 1e6),
            0x14 => ("electricity.energy.active.consumed.total",
                (u32_at(0) as f64 * 4_294_967_296.0 + u32_at(4) as f64) / 3.6e9),
            0x1B => ("x.electricity.current.thd.l1", u32_at(4) as f64 / 1e4),
            0x20 => ("electricity.voltage.rms.l1", u32_at(0) as f64 / 1e6),
            0x28 => ("electricity.energy.active.injected.total", u32_at(0) as f64 / 36_000.0),
            _ => return Ok(()),
        };
        let value = named.get(expected.0).copied().unwrap_or(f64::NAN);
        prop_assert!((value - expected.1).abs() <= 1e-12 * expected.1, "{} {:?}", value, expected);
    }
}
