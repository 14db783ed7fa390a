//! Both sides: typed-in lines, each refusal by its name, and whatever bytes may come.

use super::*;
use crate::frame::CanFrame;
use crate::frame::testing::frame;
use proptest::prelude::*;

fn read(text: &str) -> CanFrame {
    text.parse().unwrap()
}

/// A new adapter after some bytes, with what it answered and what they meant.
fn after(bytes: &[u8]) -> (Adapter, Vec<u8>, Vec<Event>) {
    let mut adapter = Adapter::new(Settings::default());
    let (answers, events) = more(&mut adapter, bytes);
    (adapter, answers, events)
}

fn more(adapter: &mut Adapter, bytes: &[u8]) -> (Vec<u8>, Vec<Event>) {
    let (mut answers, mut events) = (Vec::new(), Vec::new());
    adapter.bytes_from_host(bytes, &mut answers, &mut events);
    (answers, events)
}

/// How often a byte stands among others.
fn count(bytes: &[u8], wanted: u8) -> usize {
    bytes.split(|&byte| byte == wanted).count() - 1
}

fn items(bytes: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    Reader::default().bytes(bytes, &mut items);
    items
}

/// What the host's reader holds against one line.
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
fn a_session_as_slcand_and_python_can_begin_it() {
    let (mut adapter, answers, events) = after(b"\r\rC\rS4\r\rO\r");
    assert_eq!(answers, b"\r\r\x07\r\r\r");
    let timing = BusTiming::Standard(BitRate::S4);
    let opened = Event::Opened { timing, listen_only: false };
    assert_eq!(events, [Event::Refused(Refusal::Closed), opened]);
    assert_eq!(timing.bits_per_second(), 125_000);
    let sent = b"t10021133\rr3010\rT00000010811aF334455667788\rR1FFFFFFF8\rC\r";
    let (answers, events) = more(&mut adapter, sent);
    assert_eq!(answers, b"z\rz\rZ\rZ\r\r");
    let frames = ["100#1133", "301#R", "00000010#11AF334455667788", "1FFFFFFF#R8"];
    let mut expected: Vec<Event> = frames.map(|text| Event::Transmit(read(text))).to_vec();
    expected.push(Event::Closed);
    assert_eq!(events, expected);
}

#[test]
fn questions_are_answered_open_or_closed() {
    let (_, answers, events) = after(b"V\rv\rN\r");
    assert_eq!(answers, b"V1013\rv1013\rNLM01\r");
    assert_eq!(events, []);
    let version = Version::new(10, 13).unwrap();
    let expected = [
        Item::Version(version),
        Item::FirmwareVersion(version),
        Item::SerialNumber(SerialNumber::new(*b"LM01").unwrap()),
    ];
    assert_eq!(items(&answers), expected);
    assert_eq!((Version::new(100, 0), Version::new(0, 100)), (None, None));
    assert_eq!(SerialNumber::new(*b"LM\r1"), None);
}

#[test]
fn registers_and_listen_only() {
    let (mut adapter, answers, events) = after(b"s031C\rL\r");
    assert_eq!(answers, b"\r\r");
    let timing = BusTiming::Registers(BitTiming { btr0: 0x03, btr1: 0x1C });
    assert_eq!(events, [Event::Opened { timing, listen_only: true }]);
    assert_eq!(timing.bits_per_second(), 125_000);
    let mut to_host = Vec::new();
    assert_eq!(adapter.frame_to_host(&read("100#"), 0, &mut to_host), Delivery::Written);
    assert_eq!(to_host, b"t1000\r");
}

#[test]
fn every_refusal_of_the_adapter() {
    let digit = |found, place| Refusal::Line(LineFault::Digit { found, place });
    let length = |found, expected| Refusal::Line(LineFault::Length { found, expected });
    let cases: &[(&[u8], Refusal)] = &[
        (b"O", Refusal::NoBitRate),
        (b"L", Refusal::NoBitRate),
        (b"C", Refusal::Closed),
        (b"F", Refusal::Closed),
        (b"P", Refusal::Closed),
        (b"A", Refusal::Closed),
        (b"t1000", Refusal::Closed),
        (b"S4\rO\rO", Refusal::Open),
        (b"S4\rL\rO", Refusal::Open),
        (b"S4\rO\rL", Refusal::Open),
        (b"S4\rO\rS4", Refusal::Open),
        (b"S4\rO\rs031C", Refusal::Open),
        (b"S4\rO\rZ1", Refusal::Open),
        (b"S4\rO\rX1", Refusal::Open),
        (b"S4\rO\rM00000000", Refusal::Open),
        (b"S4\rO\rm00000000", Refusal::Open),
        (b"S4\rO\rP", Refusal::AutoPoll),
        (b"S4\rO\rA", Refusal::AutoPoll),
        (b"S4\rL\rt1000", Refusal::ListenOnly),
        (b"S4\rO\rt1009112233445566778899", Refusal::Line(LineFault::LengthCode { found: b'9' })),
        (b"S4\rO\rr1009", Refusal::Line(LineFault::LengthCode { found: b'9' })),
        (b"S4\rO\rt8000", Refusal::Line(LineFault::Identifier { found: 0x800 })),
        (b"S4\rO\rT200000000", Refusal::Line(LineFault::Identifier { found: 0x2000_0000 })),
        (b"S4\rO\rt10G0", digit(b'G', 3)),
        (b"S4\rO\rt10021G33", digit(b'G', 6)),
        (b"S4\rO\rt100811", length(7, 21)),
        (b"S4\rO\rt10001", length(6, 5)),
        (b"S4\rO\rt10", length(3, 5)),
        (b"S4\rO\rT0000001", length(8, 10)),
        (b"S4\rO\rr1002AABB", length(9, 5)),
        (b"S4\rO\rt10021133EA5F", length(13, 9)),
        (b"S9", digit(b'9', 1)),
        (b"S", length(1, 2)),
        (b"s03", length(3, 5)),
        (b"s03G0", digit(b'G', 3)),
        (b"Z2", digit(b'2', 1)),
        (b"X", length(1, 2)),
        (b"M0000000", length(8, 9)),
        (b"m00000x00", digit(b'x', 6)),
        (b"VV", length(2, 1)),
        (b"W0", Refusal::Line(LineFault::Unknown { found: b'W' })),
        (b"\nO", Refusal::Line(LineFault::Unknown { found: b'\n' })),
        (b"\xff", Refusal::Line(LineFault::Unknown { found: 0xFF })),
        (&[b't'; 33], Refusal::Line(LineFault::TooLong { found: 33 })),
    ];
    for (bytes, refusal) in cases {
        let (mut adapter, answers, events) = after(&[bytes, &b"\r"[..]].concat());
        let shown = bytes.escape_ascii();
        assert_eq!(events.last(), Some(&Event::Refused(*refusal)), "{shown}");
        assert_eq!(count(&answers, BEL), 1, "{shown}");
        assert_eq!(answers.last(), Some(&BEL), "{shown}");
        assert_eq!(more(&mut adapter, b"V\r").0, b"V1013\r", "{shown}");
    }
}

#[test]
fn flags_are_read_once() {
    let (mut adapter, ..) = after(b"S8\rO\r");
    adapter.raise(StatusFlag::ErrorPassive);
    adapter.raise(StatusFlag::BusError);
    adapter.set_transmit_queue_full(true);
    let (answers, events) = more(&mut adapter, b"t1000\rF\rF\r");
    assert_eq!(answers, b"\x07FA2\rF00\r");
    assert_eq!(events, [Event::Refused(Refusal::TransmitQueueFull)]);
    adapter.set_transmit_queue_full(false);
    assert_eq!(more(&mut adapter, b"t1000\r").0, b"z\r");
    assert_eq!(items(b"FA2\r"), [Item::Flags(StatusFlags::from_bits(0xA2))]);
}

#[test]
fn time_stamps_wrap_at_a_minute() {
    let (mut adapter, ..) = after(b"S8\rZ1\rO\r");
    let mut to_host = Vec::new();
    for at_ms in [59_999, 60_000, 120_001] {
        adapter.frame_to_host(&read("12345678#11"), at_ms, &mut to_host);
    }
    assert_eq!(to_host, b"T12345678111EA5F\rT123456781110000\rT123456781110001\r");
    let (answers, _) = more(&mut adapter, b"C\rZ0\rO\r");
    assert_eq!(answers, b"\r\r\r");
    to_host.clear();
    adapter.frame_to_host(&read("7FF#R3"), 7, &mut to_host);
    assert_eq!(to_host, b"r7FF3\r");
}

#[test]
fn with_automatic_poll_off_frames_wait_to_be_asked_for() {
    let (mut adapter, ..) = after(b"S8\rX0\rO\r");
    let mut to_host = Vec::new();
    assert_eq!(more(&mut adapter, b"P\rA\rt1000\r").0, b"\r\r\r");
    for _ in 0..3 {
        assert_eq!(adapter.frame_to_host(&read("100#11"), 0, &mut to_host), Delivery::Queued);
    }
    assert_eq!(more(&mut adapter, b"P\rA\rA\r").0, b"t100111\rt100111\rt100111\rA\r\r");
    assert_eq!(items(b"A\r"), [Item::EndOfPoll]);
    for _ in 0..RECEIVE_QUEUE_FRAMES {
        assert_eq!(adapter.frame_to_host(&read("100#11"), 0, &mut to_host), Delivery::Queued);
    }
    assert_eq!(adapter.frame_to_host(&read("100#11"), 0, &mut to_host), Delivery::Lost);
    assert_eq!(more(&mut adapter, b"F\rC\rO\rP\r").0, b"F01\r\r\r\r");
    assert!(to_host.is_empty());
}

#[test]
fn frames_are_kept_out_by_acceptance_or_a_closed_channel() {
    let (mut adapter, answers, _) = after(b"S8\rM60006020\rm001F001F\r");
    assert_eq!(answers, b"\r\r\r");
    let mut to_host = Vec::new();
    assert_eq!(adapter.frame_to_host(&read("300#"), 0, &mut to_host), Delivery::NotOpen);
    more(&mut adapter, b"O\r");
    assert_eq!(adapter.frame_to_host(&read("302#"), 0, &mut to_host), Delivery::Filtered);
    assert_eq!(adapter.frame_to_host(&read("301#"), 0, &mut to_host), Delivery::Written);
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
        (b"F1", length(2, 3)),
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

#[test]
fn what_is_read_is_counted() {
    let (mut reader, mut items) = (Reader::default(), Vec::new());
    reader.bytes(b"t1000\rz\r\r\x07xx\rF00\rt10", &mut items);
    let counts = Counts { frames: 1, answers: 3, refusals: 1, garbage: 1 };
    assert_eq!(reader.counts(), counts);
    reader.bytes(b"00\rxx\x07", &mut items);
    assert_eq!(reader.counts(), Counts { frames: 2, answers: 3, refusals: 2, garbage: 2 });
}

/// Bytes of the protocol more often than not, and any others.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => prop::sample::select(b"0123456789ABCDEFfSsOLCtTrRVvNZXMmPAz".to_vec()),
        3 => Just(CR),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..300)
}

/// Any command.
fn command() -> impl Strategy<Value = Command> {
    let rate = prop::sample::select(BitRate::ALL.map(|(rate, _)| rate).to_vec());
    prop_oneof![
        frame().prop_map(Command::Transmit),
        rate.prop_map(Command::BitRate),
        any::<[u8; 2]>().prop_map(|[btr0, btr1]| Command::BitTiming(BitTiming { btr0, btr1 })),
        any::<[u8; 4]>().prop_map(Command::AcceptanceCode),
        any::<[u8; 4]>().prop_map(Command::AcceptanceMask),
        any::<bool>().prop_map(Command::TimeStamps),
        any::<bool>().prop_map(Command::AutoPoll),
        prop::sample::select(vec![
            Command::Empty,
            Command::Open,
            Command::ListenOnly,
            Command::Close,
            Command::Poll,
            Command::PollAll,
            Command::Flags,
            Command::Version,
            Command::FirmwareVersion,
            Command::SerialNumber,
        ]),
    ]
}

proptest! {
    #[test]
    fn every_command_is_read_as_it_was_written(command in command()) {
        let line = command.encode();
        let (last, line) = line.split_last().unwrap();
        prop_assert_eq!(*last, CR);
        prop_assert_eq!(Command::read(line), Ok(command));
    }

    #[test]
    fn frames_of_the_host_reach_the_bus(
        frames in prop::collection::vec(frame(), 1..10),
        segment in 1_usize..40,
    ) {
        let (mut adapter, ..) = after(b"S4\rO\r");
        let written: Vec<u8> =
            frames.iter().flat_map(|&frame| Command::Transmit(frame).encode()).collect();
        let (mut answers, mut events) = (Vec::new(), Vec::new());
        for part in written.chunks(segment) {
            adapter.bytes_from_host(part, &mut answers, &mut events);
        }
        let expected: Vec<Event> = frames.iter().copied().map(Event::Transmit).collect();
        prop_assert_eq!(events, expected);
        let sent: Vec<Item> = frames
            .iter()
            .map(|frame| Item::Sent { extended: frame.id().is_extended() })
            .collect();
        prop_assert_eq!(items(&answers), sent);
    }

    #[test]
    fn frames_of_the_bus_reach_the_host(
        frames in prop::collection::vec((frame(), any::<u64>()), 1..10),
        (stamped, polled) in any::<(bool, bool)>(),
        segment in 1_usize..40,
    ) {
        let settings = Settings {
            time_stamps: stamped,
            auto_poll: !polled,
            ..Settings::default()
        };
        let mut adapter = Adapter::new(settings);
        let mut to_host = Vec::new();
        more(&mut adapter, b"S4\rO\r");
        let mut expected = Vec::new();
        for (frame, at_ms) in frames {
            adapter.frame_to_host(&frame, at_ms, &mut to_host);
            let timestamp_ms = stamped.then_some((at_ms % 60_000) as u16);
            expected.push(Item::Frame { frame, timestamp_ms });
        }
        if polled {
            prop_assert!(to_host.is_empty());
            to_host = more(&mut adapter, b"A\r").0;
            expected.push(Item::EndOfPoll);
        }
        let (mut reader, mut items) = (Reader::default(), Vec::new());
        for part in to_host.chunks(segment) {
            reader.bytes(part, &mut items);
        }
        prop_assert_eq!(items, expected);
    }

    #[test]
    fn after_any_bytes_an_adapter_can_be_opened_and_each_line_had_its_answer(
        bytes in bytes(),
        frame in frame(),
        segment in 1_usize..40,
    ) {
        let (mut adapter, whole, _) = after(&bytes);
        adapter.frame_to_host(&frame, 0, &mut Vec::new());
        let mut again = Adapter::new(Settings::default());
        let (mut answers, mut events) = (Vec::new(), Vec::new());
        for part in bytes.chunks(segment) {
            again.bytes_from_host(part, &mut answers, &mut events);
        }
        prop_assert_eq!(&answers, &whole);
        // No frame was received before, so every line of the host has one answer.
        let lines = count(&bytes, CR);
        let read = items(&answers);
        prop_assert_eq!(read.len(), lines);
        let garbage = |item: &Item| matches!(item, Item::Garbage { .. });
        prop_assert!(!read.iter().any(garbage));
        let refusals = events.iter().filter(|event| matches!(event, Event::Refused(_))).count();
        prop_assert_eq!(read.iter().filter(|&item| *item == Item::Refused).count(), refusals);

        more(&mut adapter, b"\r\rC\r");
        prop_assert_eq!(more(&mut adapter, b"S6\rX1\rO\r").0, b"\r\r\r".to_vec());
        let (answers, events) = more(&mut adapter, &Command::Transmit(frame).encode());
        prop_assert_eq!(events, [Event::Transmit(frame)]);
        prop_assert_eq!(items(&answers), [Item::Sent { extended: frame.id().is_extended() }]);
    }

    #[test]
    fn after_any_bytes_a_reader_goes_on_at_the_next_line(
        bytes in bytes(),
        segment in 1_usize..40,
        frame in frame(),
        stamp in prop::option::of(0_u16..60_000),
    ) {
        let (mut reader, mut parts) = (Reader::default(), Vec::new());
        for part in bytes.chunks(segment) {
            reader.bytes(part, &mut parts);
        }
        let whole = items(&bytes);
        prop_assert_eq!(&parts, &whole);
        let counts = reader.counts();
        let counted = counts.frames + counts.answers + counts.refusals + counts.garbage;
        prop_assert_eq!(counted, whole.len() as u64);
        // Each CR ends one item; each BEL one, or two if it cuts a line.
        let crs = count(&bytes, CR);
        let bels = count(&bytes, BEL);
        prop_assert!((crs + bels..=crs + 2 * bels).contains(&whole.len()));
        // What is not garbage is written the same again, up to the case of digits.
        for item in whole {
            let mut line = Vec::new();
            item.encode(&mut line);
            if !matches!(item, Item::Garbage { .. }) {
                prop_assert_eq!(items(&line), [item]);
            }
        }

        let mut next = vec![CR];
        let item = Item::Frame { frame, timestamp_ms: stamp };
        item.encode(&mut next);
        parts.clear();
        reader.bytes(&next, &mut parts);
        prop_assert_eq!(parts.len(), 2);
        prop_assert_eq!(&parts[1], &item);
    }
}
