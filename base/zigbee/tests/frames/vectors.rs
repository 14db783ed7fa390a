//! Bytes written down field by field from the layouts of ZCL 075123 and ZigBee 05-3474, and what
//! they mean.

use std::time::Duration;

use lastmeter_zigbee::address::{Eui64, ShortAddress};
use lastmeter_zigbee::bytes::{Reader, crc16};
use lastmeter_zigbee::capture::{Capture, FrameCheck};
use lastmeter_zigbee::opcode::Direction as Way;
use lastmeter_zigbee::relay::{Content, Relay};
use lastmeter_zigbee::zcl::cluster::ias_zone::StatusChange;
use lastmeter_zigbee::zcl::cluster::on_off::{OnOff, StartUp};
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::cluster::plug::{CalibrationWrite, WaveformBlock};
use lastmeter_zigbee::zcl::cluster::{ATTRIBUTES, attribute, cluster_name};
use lastmeter_zigbee::zcl::global::{
    AttributeId, DefaultResponse, ReadRecord, Reportable, ReportingRecord, ReportingStatus,
    WriteRecord, command,
};
use lastmeter_zigbee::zcl::{
    Attribute, Direction, Frame, FrameType, Global, Header, Record, Records, Status, Type, Value,
};
use lastmeter_zigbee::zdp::{Capability, LeaveFlags, Message, Zdp};

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
}

fn attribute_of(id: u16, value: Value<'_>) -> Attribute<'_> {
    Attribute { id, value }
}

/// A frame of records: read, and written from what was read.
fn same_list<'a, R>(frame: &'a [u8], header: Header, records: &[R])
where
    R: Record<'a> + PartialEq + std::fmt::Debug,
{
    let read = Frame::decode(frame).unwrap();
    assert_eq!(read.header, header);
    let list: Vec<R> = Records::new(read.payload).map(Result::unwrap).collect();
    assert_eq!(list, records);
    assert_eq!(header.with_records(records).unwrap(), frame);
}

#[test]
fn a_report_is_read_and_written() {
    let frame = bytes("18 07 0A  0B 05 29 D2 04  05 05 21 FD 08  00 04 2A 18 FC FF");
    let header = Header::global(Direction::ToClient, 7, command::REPORT).without_default_response();
    let records = [
        attribute_of(0x050B, Value::I16(Some(1234))),
        attribute_of(0x0505, Value::U16(Some(2301))),
        attribute_of(0x0400, Value::I24(Some(-1000))),
    ];
    same_list(&frame, header, &records);
    let Ok(Global::Report(list)) = Global::decode(&Frame::decode(&frame).unwrap()) else {
        panic!("no report");
    };
    assert_eq!(list.count(), 3);
}

#[test]
fn global_commands_are_read_and_written() {
    let asked = |command| Header::global(Direction::ToServer, 1, command);
    let answered = |command| Header::global(Direction::ToClient, 1, command);
    let (read, read_answer) =
        (bytes("00 01 00  05 05  08 05"), bytes("08 01 01  05 05 00 21 FF FF  FF 05 86"));
    same_list(&read, asked(0x00), &[AttributeId(0x0505), AttributeId(0x0508)]);
    let answers = [
        ReadRecord { id: 0x0505, result: Ok(Value::U16(None)) },
        ReadRecord { id: 0x05FF, result: Err(Status::UNSUPPORTED_ATTRIBUTE) },
    ];
    same_list(&read_answer, answered(0x01), &answers);
    let start_up = attribute_of(0x4003, StartUp::Previous.value());
    same_list(&bytes("00 01 02  03 40 30 FF"), asked(0x02), &[start_up]);
    same_list(&bytes("08 01 04  00"), answered(0x04), &[WriteRecord::AllWritten]);
    let failed = WriteRecord::Failed { status: Status::READ_ONLY, id: 0x0505 };
    same_list(&bytes("08 01 04  88 05 05"), answered(0x04), &[failed]);
    let change = Reportable::Change(Value::I16(Some(10)));
    let sends = ReportingRecord::Send { id: 0x050B, min_s: 5, max_s: 60, change };
    let any = Reportable::Any(Type::Bool);
    let sends_any = ReportingRecord::Send { id: 0, min_s: 0, max_s: 0xFFFF, change: any };
    let expects = ReportingRecord::Expect { id: 0x0505, timeout_s: 300 };
    let configure =
        "00 01 06  00 0B 05 29 05 00 3C 00 0A 00  00 00 00 10 00 00 FF FF  01 05 05 2C 01";
    same_list(&bytes(configure), asked(0x06), &[sends, sends_any, expects]);
    same_list(&bytes("08 01 07  00"), answered(0x07), &[ReportingStatus::AllConfigured]);
    let (status, direction) = (Status::UNREPORTABLE_ATTRIBUTE, 0);
    let failed = ReportingStatus::Failed { status, direction, id: 0x0510 };
    same_list(&bytes("08 01 07  8C 00 10 05"), answered(0x07), &[failed]);
    let done = DefaultResponse { command: 2, status: Status::SUCCESS };
    same_list(&bytes("08 01 0B  02 00"), answered(0x0B), &[done]);
}

#[test]
fn every_type_has_its_bytes_and_its_pattern_for_no_value() {
    let cases: [(&str, Value<'_>); 34] = [
        ("10 01", Value::Bool(Some(true))),
        ("10 FF", Value::Bool(None)),
        ("18 A5", Value::Map8(0xA5)),
        ("19 34 12", Value::Map16(0x1234)),
        ("1B 78 56 34 12", Value::Map32(0x1234_5678)),
        ("20 FE", Value::U8(Some(254))),
        ("20 FF", Value::U8(None)),
        ("21 FE FF", Value::U16(Some(65534))),
        ("21 FF FF", Value::U16(None)),
        ("22 01 02 03", Value::U24(Some(0x03_0201))),
        ("22 FF FF FF", Value::U24(None)),
        ("23 01 02 03 04", Value::U32(Some(0x0403_0201))),
        ("23 FF FF FF FF", Value::U32(None)),
        ("25 01 02 03 04 05 06", Value::U48(Some(0x0605_0403_0201))),
        ("25 FF FF FF FF FF FF", Value::U48(None)),
        ("28 81", Value::I8(Some(-127))),
        ("28 80", Value::I8(None)),
        ("29 FF FF", Value::I16(Some(-1))),
        ("29 00 80", Value::I16(None)),
        ("2A 01 00 80", Value::I24(Some(-8_388_607))),
        ("2A 00 00 80", Value::I24(None)),
        ("2A FF FF 7F", Value::I24(Some(8_388_607))),
        ("2B FE FF FF FF", Value::I32(Some(-2))),
        ("2B 00 00 00 80", Value::I32(None)),
        ("30 04", Value::Enum8(Some(4))),
        ("30 FF", Value::Enum8(None)),
        ("31 15 00", Value::Enum16(Some(0x0015))),
        ("31 FF FF", Value::Enum16(None)),
        ("41 02 00 FF", Value::Octets(Some(&[0, 255]))),
        ("41 FF", Value::Octets(None)),
        ("42 02 61 62", Value::Text(Some(b"ab"))),
        ("42 FF", Value::Text(None)),
        ("E2 80 51 01 00", Value::Utc(Some(86400))),
        ("E2 FF FF FF FF", Value::Utc(None)),
    ];
    for (hex, value) in cases {
        let record = attribute_of(0x0102, value);
        let wire = bytes(&format!("02 01 {hex}"));
        assert_eq!(Attribute::take(&mut Reader::new(&wire)), Ok(record), "{hex}");
        let mut again = Vec::new();
        record.put(&mut again).unwrap();
        assert_eq!(again, wire, "{hex}");
    }
    assert!(Type::ALL.iter().all(|kind| cases.iter().any(|case| case.1.kind() == *kind)));
    assert_eq!((Value::U16(None).number(), Value::U16(Some(0)).number()), (None, Some(0)));
    assert_eq!((Value::I24(Some(-5)).number(), Value::Map8(255).number()), (Some(-5), Some(255)));
    assert_eq!(Value::Text(Some(b"ab")).text(), Some("ab"));
    assert_eq!(Value::Text(Some(&[0xFF])).text(), None);
}

#[test]
fn commands_of_clusters_are_read_and_written() {
    assert_eq!(OnOff::Toggle.frame(5), bytes("01 05 02"));
    for command in [OnOff::Off, OnOff::On, OnOff::Toggle] {
        let frame = command.frame(9);
        assert_eq!(OnOff::of(&Frame::decode(&frame).unwrap()), Some(command));
    }
    assert_eq!(OnOff::of(&Frame::decode(&bytes("09 05 02")).unwrap()), None);
    for start in [StartUp::Off, StartUp::On, StartUp::Toggle, StartUp::Previous] {
        assert_eq!(StartUp::of(start.value()), Some(start));
    }
    let zone = StatusChange { status: 9, extended: 0, zone: 0xFF, delay_quarter_s: 4 };
    let header = Header::cluster(Direction::ToClient, 3, 0);
    same_list(&bytes("09 03 00  09 00 00 FF 04 00"), header, &[zone]);
    assert!(zone.is_open());
    let manufacturer = Header::cluster(Direction::ToServer, 4, 1).of_manufacturer(0xFFF0);
    let gain = CalibrationWrite { channel: 1, gain: 0x40_0123, offset: -2 };
    // The CRC was computed by a program in Python.
    let frame = bytes("05 F0 FF 04 01  01 23 01 40 00 FE FF FF FF FB 03");
    same_list(&frame, manufacturer, &[gain]);
    let mut block = Vec::new();
    WaveformBlock::encode((7, 4000, 96), &[-1, 256], &mut block).unwrap();
    assert_eq!(block, bytes("07 00 A0 0F 60 00 02 FF FF 00 01"));
    let read = WaveformBlock::take(&mut Reader::new(&block)).unwrap();
    assert_eq!((read.capture, read.sample_rate_hz, read.offset), (7, 4000, 96));
    assert_eq!(read.samples().collect::<Vec<_>>(), [-1, 256]);
    assert_eq!(crc16(b"123456789"), 0x2189);
}

const IMAGE: ImageId = ImageId { manufacturer: 0xFFF0, image_type: 2, version: 0x0102_0304 };

#[test]
fn an_image_is_asked_for_and_sent_in_blocks() {
    let wire_image = "F0 FF 02 00 04 03 02 01";
    let node = Some(Eui64(0x0012_4B00_0102_0304));
    let cases = [
        (
            format!("11 06 01  01 {wire_image} 03 00"),
            Ota::QueryNextImage { current: IMAGE, hardware: Some(3) },
        ),
        (format!("19 06 02  00 {wire_image} 40 0D 03 00"), Ota::NextImage(Ok((IMAGE, 200_000)))),
        ("19 06 02  98".to_owned(), Ota::NextImage(Err(Status::NO_IMAGE_AVAILABLE))),
        (
            format!("11 06 03  03 {wire_image} 30 00 00 00 30 04 03 02 01 00 4B 12 00 C8 00"),
            Ota::BlockRequest {
                image: IMAGE,
                offset: 48,
                size_max: 48,
                node,
                min_block_period: Some(200),
            },
        ),
        (
            format!("19 06 05  00 {wire_image} 30 00 00 00 03 0A 0B 0C"),
            Ota::BlockResponse(BlockResponse::Data {
                image: IMAGE,
                offset: 48,
                data: &[10, 11, 12],
            }),
        ),
        (
            "19 06 05  97 01 00 00 00 0B 00 00 00 05 00".to_owned(),
            Ota::BlockResponse(BlockResponse::Wait { now_s: 1, ask_at_s: 11, min_block_period: 5 }),
        ),
        ("19 06 05  95".to_owned(), Ota::BlockResponse(BlockResponse::Refused(Status::ABORT))),
        (
            format!("11 06 06  96 {wire_image}"),
            Ota::UpgradeEnd { status: Status::INVALID_IMAGE, image: IMAGE },
        ),
        (
            format!("19 06 07  {wire_image} 00 00 00 00 FF FF FF FF"),
            Ota::UpgradeEndResponse { image: IMAGE, now_s: 0, upgrade_at_s: u32::MAX },
        ),
    ];
    for (hex, command) in cases {
        let wire = bytes(&hex);
        assert_eq!(Ota::decode(&Frame::decode(&wire).unwrap()), Ok(command), "{hex}");
        assert_eq!(command.frame(6).unwrap(), wire, "{hex}");
    }
}

const PLUG: Eui64 = Eui64(0x0012_4B00_0102_0304);

#[test]
fn nodes_announce_themselves_and_leave() {
    let announce = Message::DeviceAnnounce {
        short: ShortAddress(0x1A2B),
        eui64: PLUG,
        capability: Capability::PLUG,
    };
    let leave = Message::LeaveRequest { node: PLUG, flags: LeaveFlags::REJOIN };
    let cases = [
        (0x0013, "05 2B 1A 04 03 02 01 00 4B 12 00 8E", announce),
        (0x0034, "05 04 03 02 01 00 4B 12 00 80", leave),
        (0x8034, "05 00", Message::LeaveResponse { status: 0 }),
    ];
    for (cluster, hex, message) in cases {
        let wire = bytes(hex);
        let read = Zdp { sequence: 5, message };
        assert_eq!(Zdp::decode(cluster, &wire), Ok(read));
        let mut again = Vec::new();
        read.encode(&mut again);
        assert_eq!((again, read.cluster()), (wire, cluster));
    }
    assert!(Capability::PLUG.is_router() && Capability::PLUG.is_mains_powered());
    assert!(Capability::PLUG.listens_when_idle() && !Capability::SLEEPER.listens_when_idle());
    assert!(LeaveFlags::REJOIN.rejoins() && !LeaveFlags::FINAL.rejoins());
    assert_eq!(PLUG.to_string(), "00:12:4b:00:01:02:03:04");
    assert_eq!(ShortAddress(0x1A2B).to_string(), "0x1a2b");
}

#[test]
fn a_relayed_payload_is_read_and_written() {
    let head = "1A 2B  00 12 4B 00 01 02 03 04  01 02  01 04  0B 04  C8 09";
    let wire = bytes(&format!("{head}  18 07 0A 05 05 21 FD 08"));
    let relay = Relay {
        short: ShortAddress(0x1A2B),
        eui64: PLUG,
        source_endpoint: 1,
        destination_endpoint: 2,
        profile: 0x0104,
        cluster: 0x0B04,
        lqi: 200,
        aps_counter: 9,
        frame: &wire[18..],
    };
    assert_eq!(Relay::decode(&wire), Ok(relay));
    let mut again = Vec::new();
    relay.encode(&mut again);
    assert_eq!(again, wire);
    let Ok(Content::Zcl(frame)) = relay.content() else { panic!("no cluster frame") };
    assert_eq!((frame.header.frame_type, frame.header.sequence), (FrameType::Global, 7));
    let leave = Relay { profile: 0, cluster: 0x8034, frame: &[5, 0], ..relay };
    let message = Message::LeaveResponse { status: 0 };
    assert_eq!(leave.content(), Ok(Content::Zdp(Zdp { sequence: 5, message })));
}

#[test]
fn a_capture_has_the_headers_of_a_radio_frame() {
    let relay = Relay {
        short: ShortAddress(0x1A2B),
        eui64: PLUG,
        source_endpoint: 1,
        destination_endpoint: 2,
        profile: 0x0104,
        cluster: 0x0006,
        lqi: 200,
        aps_counter: 9,
        frame: &[1, 5, 2],
    };
    let mut capture = Capture::new(Vec::new(), FrameCheck::LeftOut, 0xBEEF).unwrap();
    let at = Duration::new(1_800_000_000, 5);
    capture.frame(at, Way::Down, &relay).unwrap();
    capture.frame(at, Way::Up, &relay).unwrap();
    let wire = capture.finish().unwrap();
    let head = "4D 3C B2 A1 02 00 04 00 00 00 00 00 00 00 00 00 7F 00 00 00 E6 00 00 00";
    let record = "00 D2 49 6B 05 00 00 00 24 00 00 00 24 00 00 00";
    let eui64 = "04 03 02 01 00 4B 12 00";
    let down = format!("61 88 00 EF BE 2B 1A 00 00  48 08 2B 1A 00 00 1E 00 {eui64}");
    let up = format!("61 88 01 EF BE 00 00 2B 1A  48 10 00 00 2B 1A 1E 01 {eui64}");
    let inner = "40 02 06 00 04 01 01 09  01 05 02";
    assert_eq!(wire, bytes(&format!("{head} {record} {down} {inner} {record} {up} {inner}")));
}

#[test]
fn the_table_of_attributes_is_in_order_and_found() {
    assert!(ATTRIBUTES.is_sorted_by(|a, b| (a.cluster, a.id) < (b.cluster, b.id)));
    let summation = attribute(0x0702, 0x0000).unwrap();
    assert_eq!((summation.kind, summation.unit), (Type::U48, "kWh"));
    assert_eq!(attribute(0x0702, 0x0777), None);
    assert_eq!((cluster_name(0x0006), cluster_name(0x0FFF)), (Some("On/Off"), None));
    assert_eq!(Status(0x86).to_string(), "unsupported attribute (0x86)");
    assert_eq!(Status(0x77).to_string(), "status 0x77");
}
