//! The adapter: its answers as the manual has them, and our host at its other end.

use proptest::prelude::*;

use super::adapter::{Adapter, BitTiming, Flag, LAWICEL_FLAGS, Order};
use super::{BitRate, Command, Item, Reader};
use crate::frame::CanFrame;

fn ask(adapter: &mut Adapter, bytes: &[u8]) -> (String, Vec<Order>) {
    let (mut answers, mut orders) = (Vec::new(), Vec::new());
    adapter.bytes(bytes, &mut answers, &mut orders);
    (answers.escape_ascii().to_string(), orders)
}

fn open(configuration: &str) -> Adapter {
    let mut adapter = Adapter::default();
    let (answers, orders) = ask(&mut adapter, format!("S4\r{configuration}O\r").as_bytes());
    assert!(!answers.contains("\\x07"), "{configuration}: {answers}");
    let expected = Order::Open { timing: BitTiming::Rate(BitRate::S4), listens_only: false };
    assert_eq!(orders, [expected]);
    adapter
}

fn shown(adapter: &mut Adapter, frame: &str, now_ms: u64) -> String {
    let mut line = Vec::new();
    adapter.frame(&frame.parse().unwrap(), now_ms, &mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn a_session_is_answered_as_the_manual_has_it() {
    let mut adapter = Adapter::default();
    let (answers, orders) = ask(&mut adapter, b"\r\rC\rO\rS9\rS4\rO\rS4\rt10021133\rr3018\rV\rN\r");
    assert_eq!(answers, "\\r\\r\\x07\\x07\\x07\\r\\r\\x07z\\rz\\rV1013\\rNLM01\\r");
    let frames = ["100#1133", "301#R8"].map(|text| text.parse::<CanFrame>().unwrap());
    assert_eq!(orders[1..], frames.map(Order::Transmit));
    assert_eq!(ask(&mut adapter, b"C\rt1000\r"), ("\\r\\x07".into(), vec![Order::Close]));
}

/// What an adapter refuses is refused once, and the next good line works.
#[test]
fn a_wrong_line_is_refused_and_the_next_one_works() {
    let long = format!("t1008{}", "0".repeat(195));
    let wrong = [
        "O",
        "t12",
        &long,
        "t1009112233445566778899",
        "t8001AA",
        "t1001GG",
        "S4",
        "t10021133FFFF",
        "T123",
        "Q",
        "Z1",
        "M00000000",
        "F0",
        "\u{7}",
        "r3019",
        "L",
        "t1002113",
        "z",
    ];
    for line in wrong {
        let mut adapter = open("");
        let (answers, orders) = ask(&mut adapter, format!("{line}\rt10021133\r").as_bytes());
        assert_eq!(answers, "\\x07z\\r", "{line}");
        assert_eq!(orders, [Order::Transmit("100#1133".parse().unwrap())], "{line}");
    }
}

#[test]
fn another_host_finds_an_adapter_as_after_power_up() {
    let mut adapter = open("Z1\r");
    ask(&mut adapter, b"t20");
    let mut orders = Vec::new();
    adapter.reset(&mut orders);
    assert_eq!(orders, [Order::Close]);
    let (answers, orders) = ask(&mut adapter, b"\r\nO\r\nX1\r\nS4\r\nO\r\n");
    assert_eq!(answers, "\\r\\x07\\r\\r\\r");
    assert_eq!(orders.len(), 1);
    assert_eq!(shown(&mut adapter, "123#11", 59_999), "t123111\r");
}

#[test]
fn who_only_listens_sends_nothing() {
    let mut adapter = Adapter::default();
    let (answers, orders) = ask(&mut adapter, b"s031C\rL\rt1000\r");
    assert_eq!(answers, "\\r\\r\\x07");
    assert_eq!(orders, [Order::Open { timing: BitTiming::Registers(0x031C), listens_only: true }]);
    assert_eq!(shown(&mut adapter, "123#11", 0), "t123111\r");
}

#[test]
fn time_stamps_begin_again_after_a_minute() {
    let mut adapter = open("Z1\r");
    assert_eq!(shown(&mut adapter, "123#11", 59_999), "t123111EA5F\r");
    assert_eq!(shown(&mut adapter, "123#11", 60_000), "t1231110000\r");
    assert_eq!(shown(&mut adapter, "00000123#R2", 60_017), "R0000012320011\r");
}

#[test]
fn flags_are_shown_once_at_their_makers_bits() {
    let mut adapter = open("");
    adapter.set_room(1);
    assert_eq!(ask(&mut adapter, b"t1000\rt1000\rF\rF\r").0, "z\\r\\x07F02\\rF00\\r");
    adapter.raise(Flag::BusError);
    adapter.raise(Flag::Warning);
    assert_eq!(ask(&mut adapter, b"F\r").0, "F84\\r");
    let mut bits = LAWICEL_FLAGS;
    bits[6].1 = 0;
    let mut other = Adapter::with_flags(bits);
    ask(&mut other, b"S0\rO\r");
    other.raise(Flag::BusError);
    assert_eq!(ask(&mut other, b"F\r").0, "F01\\r");
}

/// By the tables of the SJA1000's two filters: identifier and RTR in bits 31 to 20, the first data
/// byte in 19 to 16 and 3 to 0; identifier and RTR in 15 to 4.
#[test]
fn two_filters_accept_frames() {
    // The first one: 0x123 with a first byte 0xA5; the second one: remote frames of 0x7FF.
    let mut adapter = open("M246AFFF5\rm00000000\r");
    let accepted = ["123#A5", "123#A5FF", "7FF#R8", "123#"];
    for frame in accepted {
        assert_ne!(shown(&mut adapter, frame, 0), "", "{frame}");
    }
    for frame in ["123#A4", "123#B5", "122#A5", "123#R1", "7FF#00", "000#"] {
        assert_eq!(shown(&mut adapter, frame, 0), "", "{frame}");
    }
    // Of an extended identifier the upper 16 bits.
    let mut adapter = open("M12340000\rm0000FFFF\r");
    adapter.frame(&"02468001#".parse().unwrap(), 0, &mut Vec::new());
    assert_ne!(shown(&mut adapter, "02468000#", 0), "");
}

proptest! {
    /// What our host writes our adapter takes, and the other way round.
    #[test]
    fn host_and_adapter_understand_each_other(
        frame in crate::tests::frame(),
        now_ms in any::<u64>(),
    ) {
        let mut adapter = open("Z1\r");
        let (answers, orders) = ask(&mut adapter, &Command::Transmit(frame).encode());
        prop_assert!(answers == "z\\r" || answers == "Z\\r");
        prop_assert_eq!(orders, [Order::Transmit(frame)]);
        let (mut line, mut items) = (Vec::new(), Vec::new());
        adapter.frame(&frame, now_ms, &mut line);
        Reader::default().bytes(&line, &mut items);
        let timestamp_ms = Some((now_ms % 60_000) as u16);
        prop_assert_eq!(items, [Item::Frame { frame, timestamp_ms }]);
    }

    /// Each line gets one answer, whatever it is, and in whatever pieces it comes.
    #[test]
    fn each_line_is_answered_once(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        cut in 0_usize..300,
    ) {
        let mut adapter = open("");
        let cut = cut.min(bytes.len());
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        adapter.clone().bytes(&bytes, &mut whole, &mut Vec::new());
        for part in [&bytes[..cut], &bytes[cut..]] {
            adapter.bytes(part, &mut pieces, &mut Vec::new());
        }
        let answers = whole.iter().filter(|byte| matches!(byte, b'\r' | 7)).count();
        prop_assert_eq!(answers + 1, bytes.split(|byte| *byte == b'\r').count());
        prop_assert_eq!(whole, pieces);
    }
}
