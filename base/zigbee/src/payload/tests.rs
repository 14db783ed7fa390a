//! Payloads to and from bytes, and the page that lists them.

use proptest::prelude::*;

use super::*;

fn entry(node: u64) -> NodeEntry {
    NodeEntry { node: Eui64(node), address: ShortAddress(0x1234), sleeps: node % 2 == 1 }
}

fn ups() -> Vec<Up<'static>> {
    let numbered = |content| Up::Numbered(Numbered { epoch: 1, sequence: 2, taken_s: 3, content });
    vec![
        Up::KeepAlive,
        numbered(Content::Relay { network_type: 0, frame: b"frame" }),
        numbered(Content::NodeTable(vec![entry(1), entry(2)])),
        numbered(Content::NodeTable(Vec::new())),
        numbered(Content::NodeJoined(entry(3))),
        numbered(Content::NodeLeft(Eui64(4))),
        numbered(Content::NodeChanged(entry(5))),
        Up::OrderResult { order: 6, state: OrderState::Unreachable },
        Up::Configuration(vec![Setting { key: setting::CHANNEL, value: &[15] }]),
        Up::FirmwareStatus { image: 7, bytes: 8 },
        Up::Diagnostics([1, 2, 3, 4, 5, 6]),
    ]
}

fn downs() -> Vec<Down<'static>> {
    vec![
        Down::Time,
        Down::Delivered(Delivered { epoch: 1, next: 2 }),
        Down::Order { order: 3, network_type: 255, frame: b"frame" },
        Down::ReadConfiguration,
        Down::WriteConfiguration(vec![
            Setting { key: setting::NETWORK_ID, value: &[0x1A, 0x2B] },
            Setting { key: setting::PERMIT_JOIN, value: &[60] },
        ]),
        Down::Restart,
        Down::FirmwareBlock { image: 1, offset: 2, length: 3, checksum: 4, block: b"block" },
        Down::ReadDiagnostics,
    ]
}

#[test]
fn each_opcode_has_its_payload_one_way_only() {
    let mut seen = Vec::new();
    for up in ups() {
        let mut bytes = Vec::new();
        up.write(&mut bytes);
        assert_eq!(Up::read(up.opcode(), &bytes).unwrap().as_ref(), Ok(&up));
        assert_eq!(Down::read(up.opcode(), &bytes), None);
        assert_eq!(up.opcode().direction(), Direction::Up);
        seen.push(up.opcode());
    }
    for down in downs() {
        let mut bytes = Vec::new();
        down.write(&mut bytes);
        assert_eq!(Down::read(down.opcode(), &bytes).unwrap().as_ref(), Ok(&down));
        assert_eq!(Up::read(down.opcode(), &bytes), None);
        assert_eq!(down.opcode().direction(), Direction::Down);
        seen.push(down.opcode());
    }
    for opcode in Administration::ALL {
        let is_handshake = crate::packet::is_clear(opcode.into());
        assert_ne!(is_handshake, seen.contains(&opcode.into()), "{opcode}");
    }
}

#[test]
fn what_is_short_or_long_is_named() {
    let error = |opcode: Administration, bytes: &[u8]| {
        let (up, down) = (Up::read(opcode.into(), bytes), Down::read(opcode.into(), bytes));
        let up = up.map(|read| read.unwrap_err().to_string());
        up.or(down.map(|read| read.unwrap_err().to_string())).unwrap()
    };
    for (opcode, bytes, expected) in [
        (Administration::KeepAlive, &[0][..], "payload of keep-alive: 1 bytes behind its end"),
        (
            Administration::Delivered,
            &[0; 7],
            "payload of delivered: 3 bytes left for next number, expected 4",
        ),
        (Administration::OrderResult, &[9; 9], "payload of order-result: state 9, expected 0 to 4"),
        (
            Administration::WriteConfiguration,
            &[1, 2, 0],
            "payload of write-configuration: 1 bytes left for value, expected 2",
        ),
        (Administration::NodeJoined, &[2; 23], "payload of node-joined: flags 2, expected 0 or 1"),
    ] {
        assert_eq!(error(opcode, bytes), expected);
    }
    assert!(Hello::read(&[0; 16]).is_err());
    let mut hello = vec![0; 16];
    Hello { nonce: [1; 16], network_name: "home" }.write(&mut hello);
    assert_eq!(Hello::read(&hello[16..]).unwrap().network_name, "home");
    hello[16 + 17] = 0xFF;
    let error = Hello::read(&hello[16..]).unwrap_err().to_string();
    assert_eq!(error, "payload of hello: network name is not UTF-8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Any bytes are a payload or an error, and what was read is written as it was.
    #[test]
    fn any_bytes_are_read_or_an_error(
        code in prop_oneof![0..22_u16, 0x100..0x104_u16],
        bytes in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let Some(opcode) = Opcode::of(code) else { return Ok(()) };
        let mut written = Vec::new();
        if let Some(Ok(up)) = Up::read(opcode, &bytes) {
            up.write(&mut written);
            prop_assert_eq!(&written, &bytes);
        } else if let Some(Ok(down)) = Down::read(opcode, &bytes) {
            down.write(&mut written);
            prop_assert_eq!(&written, &bytes);
        }
        let _ = (Hello::read(&bytes), Accept::read(&bytes));
    }
}

/// The page that the interface is written on lists what there is.
#[test]
fn the_page_lists_each_opcode_refusal_counter_and_setting() {
    let page = include_str!("../../../../docs/gateway-protocol.md");
    let opcodes = Administration::ALL.map(|it| format!("| {:#06x} | `{it}` |", it.code()));
    let refusals = crate::session::Refusal::ALL.map(|it| format!("| {} | `{it}` |", it as u8));
    let counters = Counter::ALL.map(|it| format!("| {} | `{it}` |", it as u8));
    let missing: Vec<_> = opcodes
        .into_iter()
        .chain(refusals)
        .chain(counters)
        .filter(|row| page.matches(row.as_str()).count() != 1)
        .collect();
    assert_eq!(missing, [""; 0]);
}
