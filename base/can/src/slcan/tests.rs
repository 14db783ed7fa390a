//! Typed-in lines, each fault by its name, and whatever bytes may come.

use super::*;
use crate::frame::CanFrame;
use crate::tests::frame;
use proptest::prelude::*;

fn items(bytes: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    Reader::default().bytes(bytes, &mut items);
    items
}

/// What the reader holds against one line.
fn fault(line: &[u8]) -> LineFault {
    let mut items = items(&[line, b"\r"].concat());
    match (items.pop(), items.is_empty()) {
        (Some(Item::Garbage { bytes, why }), true) => {
            assert_eq!(bytes, line[..line.len().min(LINE_BYTES_MAX)]);
            why
        }
        other => panic!("{}: {other:?}", line.escape_ascii()),
    }
}

#[test]
fn commands_are_written_as_the_manual_has_them() {
    let sent = |text: &str| Command::Transmit(text.parse().unwrap());
    for (command, line) in [
        (Command::Empty, "\r"),
        (Command::BitRate(BitRate::S4), "S4\r"),
        (Command::Open, "O\r"),
        (Command::Close, "C\r"),
        (Command::Version, "V\r"),
        (Command::SerialNumber, "N\r"),
        (sent("100#1133"), "t10021133\r"),
        (sent("301#R"), "r3010\r"),
        (sent("00000010#11AF334455667788"), "T00000010811AF334455667788\r"),
        (sent("1FFFFFFF#R8"), "R1FFFFFFF8\r"),
    ] {
        assert_eq!(command.encode(), line.as_bytes());
    }
}

#[test]
fn answers_are_read() {
    let frame =
        |text: &str, timestamp_ms| Item::Frame { frame: text.parse().unwrap(), timestamp_ms };
    let read = items(b"\r\x07V1013\rz\rZ\rt10021133EA5F\rr3010\r");
    let version = Version { hardware: 10, software: 13 };
    let expected = [
        Item::Acknowledged,
        Item::Refused,
        Item::Version(version),
        Item::Sent { extended: false },
        Item::Sent { extended: true },
        frame("100#1133", Some(59_999)),
        frame("301#R", None),
    ];
    assert_eq!(read, expected);
    assert_eq!(version.to_string(), "1013");
    let [Item::SerialNumber(number)] = items(b"NLM01\r")[..] else { panic!("no serial number") };
    assert_eq!(number.to_string(), "LM01");
}

#[test]
fn every_fault_of_the_reader() {
    let length = |found, expected| LineFault::Length { found, expected };
    let cases: &[(&[u8], LineFault)] = &[
        // python-can takes the two bytes for a frame.
        (b"t10081122", length(9, 21)),
        (b"t1002112", length(8, 9)),
        (b"t10021133EA5", length(12, 9)),
        (b"T0000001", length(8, 10)),
        (b"r30", length(3, 5)),
        (b"zz", length(2, 1)),
        (b"Z1", length(2, 1)),
        (b"V101", length(4, 5)),
        (b"t10021133EA60", LineFault::TimeStamp { found: 60_000 }),
        (b"t10021133EA5G", LineFault::Digit { found: b'G', place: 12 }),
        (b"t1 00", LineFault::Digit { found: b' ', place: 2 }),
        (b"V10A3", LineFault::Digit { found: b'A', place: 3 }),
        (b"NLM 1", LineFault::Digit { found: b' ', place: 3 }),
        (b"t1009", LineFault::LengthCode { found: b'9' }),
        (b"t100A", LineFault::LengthCode { found: b'A' }),
        (b"t8000", LineFault::Identifier { found: 0x800 }),
        (b"RFFFFFFFF0", LineFault::Identifier { found: u32::MAX }),
        (b"\n", LineFault::Unknown { found: b'\n' }),
        (b"ok", LineFault::Unknown { found: b'o' }),
        (&[b'0'; 500], LineFault::TooLong { found: 500 }),
    ];
    for (line, why) in cases {
        assert_eq!(fault(line), *why, "{}", line.escape_ascii());
    }
    let why = LineFault::CutByBel { found: 4 };
    let garbage = Item::Garbage { bytes: b"t100".to_vec(), why };
    assert_eq!(items(b"t100\x07\r"), [garbage, Item::Refused, Item::Acknowledged]);
    let message = fault(b"t10081122").to_string();
    assert_eq!(message, "the line has 9 characters, expected 21");
}

/// Bytes of the protocol more often than not, and any others.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => prop::sample::select(b"0123456789ABCDEFtTrRVNZz\x07".to_vec()),
        3 => Just(CR),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..300)
}

proptest! {
    /// The line of a frame is the same in both directions.
    #[test]
    fn a_frame_is_read_as_it_was_written(frame in frame()) {
        let expected = [Item::Frame { frame, timestamp_ms: None }];
        prop_assert_eq!(items(&Command::Transmit(frame).encode()), expected);
    }

    #[test]
    fn after_any_bytes_a_reader_goes_on_at_the_next_line(
        bytes in bytes(),
        segment in 1_usize..40,
        frame in frame(),
    ) {
        let (mut reader, mut parts) = (Reader::default(), Vec::new());
        for part in bytes.chunks(segment) {
            reader.bytes(part, &mut parts);
        }
        let whole = items(&bytes);
        prop_assert_eq!(&parts, &whole);
        // Each CR ends one item; each BEL one, or two if it cuts a line.
        let count = |wanted: u8| bytes.split(|&byte| byte == wanted).count() - 1;
        let (crs, bels) = (count(CR), count(BEL));
        prop_assert!((crs + bels..=crs + 2 * bels).contains(&whole.len()));

        parts.clear();
        reader.bytes(&[&[CR][..], &Command::Transmit(frame).encode()].concat(), &mut parts);
        prop_assert_eq!(parts.len(), 2);
        prop_assert_eq!(&parts[1], &Item::Frame { frame, timestamp_ms: None });
    }
}

/// As `slcand` and python-can see it, a frame is a line that others write, too.
#[test]
fn digits_may_be_small_letters() {
    let frame: CanFrame = "00000010#AF".parse().unwrap();
    assert_eq!(items(b"T000000101af\r"), [Item::Frame { frame, timestamp_ms: None }]);
}
