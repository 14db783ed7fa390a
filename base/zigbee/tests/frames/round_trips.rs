//! What is written is read the same again, whatever it is.

use lastmeter_zigbee::address::{Eui64, ShortAddress};
use lastmeter_zigbee::bytes::Reader;
use lastmeter_zigbee::relay::Relay;
use lastmeter_zigbee::zcl::cluster::ias_zone::StatusChange;
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::cluster::plug::{CalibrationWrite, WaveformBlock};
use lastmeter_zigbee::zcl::global::{
    AttributeId, ReadRecord, Reportable, ReportingRecord, ReportingStatus, WriteRecord,
};
use lastmeter_zigbee::zcl::{
    Attribute, Direction, Frame, FrameType, Header, Record, Records, Status, Value,
};
use lastmeter_zigbee::zdp::{Capability, LeaveFlags, Message, Zdp};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Every value that has a form on the wire, with the string's bytes from `text`.
fn value(text: &'static [u8]) -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        of(any::<bool>()).prop_map(Value::Bool),
        any::<u8>().prop_map(Value::Map8),
        any::<u16>().prop_map(Value::Map16),
        any::<u32>().prop_map(Value::Map32),
        of(0..u8::MAX).prop_map(Value::U8),
        of(0..u16::MAX).prop_map(Value::U16),
        of(0_u32..0xFF_FFFF).prop_map(Value::U24),
        of(0..u32::MAX).prop_map(Value::U32),
        of(0_u64..0xFFFF_FFFF_FFFF).prop_map(Value::U48),
        of(-127_i8..=127).prop_map(Value::I8),
        of(-32767_i16..=32767).prop_map(Value::I16),
        of(-0x7F_FFFF..=0x7F_FFFF).prop_map(Value::I24),
        of(-i32::MAX..=i32::MAX).prop_map(Value::I32),
        of(0..u8::MAX).prop_map(Value::Enum8),
        of(0..u16::MAX).prop_map(Value::Enum16),
        of(Just(text)).prop_map(Value::Octets),
        of(Just(text)).prop_map(Value::Text),
        of(0..u32::MAX).prop_map(Value::Utc),
    ]
}

const TEXT: &[u8] = b"lastmeter \xC3\xA9\xFF";

fn failure() -> impl Strategy<Value = Status> {
    (1_u8..).prop_map(Status)
}

fn header() -> impl Strategy<Value = Header> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (flags, of(any::<u16>()), any::<u8>(), any::<u8>()).prop_map(
        |((is_global, to_server, disable), manufacturer, sequence, command)| Header {
            frame_type: if is_global { FrameType::Global } else { FrameType::Cluster },
            manufacturer,
            direction: if to_server { Direction::ToServer } else { Direction::ToClient },
            disable_default_response: disable,
            sequence,
            command,
        },
    )
}

fn reporting() -> impl Strategy<Value = ReportingRecord<'static>> {
    let change = value(TEXT).prop_map(|value| {
        if value.kind().is_analog() {
            Reportable::Change(value)
        } else {
            Reportable::Any(value.kind())
        }
    });
    prop_oneof![
        (any::<u16>(), any::<u16>(), any::<u16>(), change).prop_map(
            |(id, min_s, max_s, change)| ReportingRecord::Send { id, min_s, max_s, change }
        ),
        (any::<u16>(), any::<u16>())
            .prop_map(|(id, timeout_s)| ReportingRecord::Expect { id, timeout_s }),
    ]
}

fn image() -> impl Strategy<Value = ImageId> {
    (any::<u16>(), any::<u16>(), any::<u32>()).prop_map(|(manufacturer, image_type, version)| {
        ImageId { manufacturer, image_type, version }
    })
}

fn ota() -> impl Strategy<Value = Ota<'static>> {
    let refused = any::<u8>()
        .prop_filter("success and wait have forms of their own", |code| ![0, 0x97].contains(code))
        .prop_map(|code| Ota::BlockResponse(BlockResponse::Refused(Status(code))));
    let end = (any::<u8>(), image());
    let numbers = (any::<u32>(), any::<u32>(), any::<u16>());
    prop_oneof![
        (image(), of(any::<u16>()))
            .prop_map(|(current, hardware)| Ota::QueryNextImage { current, hardware }),
        (image(), any::<u32>()).prop_map(|found| Ota::NextImage(Ok(found))),
        failure().prop_map(|status| Ota::NextImage(Err(status))),
        (image(), any::<u32>(), any::<u8>(), of(any::<u64>()), of(any::<u16>())).prop_map(
            |(image, offset, size_max, node, min_block_period)| {
                let node = node.map(Eui64);
                Ota::BlockRequest { image, offset, size_max, node, min_block_period }
            }
        ),
        (image(), any::<u32>()).prop_map(|(image, offset)| {
            Ota::BlockResponse(BlockResponse::Data { image, offset, data: TEXT })
        }),
        numbers.prop_map(|(now_s, ask_at_s, min_block_period)| {
            Ota::BlockResponse(BlockResponse::Wait { now_s, ask_at_s, min_block_period })
        }),
        refused,
        end.prop_map(|(code, image)| Ota::UpgradeEnd { status: Status(code), image }),
        (image(), any::<u32>(), any::<u32>()).prop_map(|(image, now_s, upgrade_at_s)| {
            Ota::UpgradeEndResponse { image, now_s, upgrade_at_s }
        }),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<u16>(), any::<u64>(), any::<u8>()).prop_map(|(short, eui64, bits)| {
            let (short, capability) = (ShortAddress(short), Capability(bits));
            Message::DeviceAnnounce { short, eui64: Eui64(eui64), capability }
        }),
        (any::<u64>(), any::<u8>()).prop_map(|(node, bits)| Message::LeaveRequest {
            node: Eui64(node),
            flags: LeaveFlags(bits)
        }),
        any::<u8>().prop_map(|status| Message::LeaveResponse { status }),
    ]
}

fn list<'a, R>(header: Header, records: &[R], wire: &'a [u8]) -> TestCaseResult
where
    R: Record<'a> + PartialEq + std::fmt::Debug,
{
    let frame = Frame::decode(wire).unwrap();
    prop_assert_eq!(frame.header, header);
    let read: Vec<R> = Records::new(frame.payload).map(Result::unwrap).collect();
    prop_assert_eq!(&read[..], records);
    Ok(())
}

fn one<'a, R>(record: &R, wire: &'a mut Vec<u8>) -> TestCaseResult
where
    R: Record<'a> + PartialEq + std::fmt::Debug,
{
    record.put(wire).unwrap();
    let mut reader = Reader::new(wire);
    let read = R::take(&mut reader);
    prop_assert_eq!(read.as_ref(), Ok(record));
    prop_assert_eq!(reader.end("record"), Ok(()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn lists_of_global_commands(
        header in header(),
        ids in vec(any::<u16>().prop_map(AttributeId), 0..20),
        values in vec((any::<u16>(), value(TEXT)), 0..20),
        failed in vec((failure(), any::<u16>()), 1..20),
        configured in vec(reporting(), 0..10),
    ) {
        list(header, &ids, &header.with_records(&ids).unwrap())?;
        let records: Vec<_> = values.iter().map(|&(id, value)| Attribute { id, value }).collect();
        list(header, &records, &header.with_records(&records).unwrap())?;
        let read = values.iter().map(|&(id, value)| ReadRecord { id, result: Ok(value) });
        let unread = failed.iter().map(|&(status, id)| ReadRecord { id, result: Err(status) });
        let records: Vec<_> = read.chain(unread).collect();
        list(header, &records, &header.with_records(&records).unwrap())?;
        let records: Vec<_> =
            failed.iter().map(|&(status, id)| WriteRecord::Failed { status, id }).collect();
        list(header, &records, &header.with_records(&records).unwrap())?;
        let status = |&(status, id)| ReportingStatus::Failed { status, direction: 1, id };
        let records: Vec<_> = failed.iter().map(status).collect();
        list(header, &records, &header.with_records(&records).unwrap())?;
        list(header, &configured, &header.with_records(&configured).unwrap())?;
    }

    #[test]
    fn commands_of_clusters(
        status in any::<u16>(), bytes in any::<(u8, u8)>(), delay in any::<u16>(),
        gain in 0_u32..=0xFF_FFFF, offset in any::<i32>(),
        samples in vec(any::<i16>(), 0..=32), capture in any::<(u16, u16, u16)>(),
        command in ota(), sequence in any::<u8>(),
    ) {
        let (extended, zone) = bytes;
        let change = StatusChange { status, extended, zone, delay_quarter_s: delay };
        one(&change, &mut Vec::new())?;
        one(&CalibrationWrite { channel: zone, gain, offset }, &mut Vec::new())?;
        let mut wire = Vec::new();
        WaveformBlock::encode(capture, &samples, &mut wire).unwrap();
        let block = WaveformBlock::take(&mut Reader::new(&wire)).unwrap();
        prop_assert_eq!((block.capture, block.sample_rate_hz, block.offset), capture);
        prop_assert_eq!(block.samples().collect::<Vec<_>>(), samples);
        let wire = command.frame(sequence).unwrap();
        let frame = Frame::decode(&wire).unwrap();
        prop_assert_eq!(frame.header.sequence, sequence);
        prop_assert_eq!(Ota::decode(&frame), Ok(command));
    }

    #[test]
    fn announcements_and_payloads(
        message in message(), sequence in any::<u8>(), short in any::<u16>(), eui64 in any::<u64>(),
        endpoints in any::<(u8, u8)>(), profile in any::<u16>(), cluster in any::<u16>(),
        lqi in any::<u8>(), aps_counter in any::<u8>(), frame in vec(any::<u8>(), 0..100),
    ) {
        let zdp = Zdp { sequence, message };
        let mut wire = Vec::new();
        zdp.encode(&mut wire);
        prop_assert_eq!(Zdp::decode(zdp.cluster(), &wire), Ok(zdp));
        let relay = Relay {
            short: ShortAddress(short),
            eui64: Eui64(eui64),
            source_endpoint: endpoints.0,
            destination_endpoint: endpoints.1,
            profile,
            cluster,
            lqi,
            aps_counter,
            frame: &frame,
        };
        let mut wire = Vec::new();
        relay.encode(&mut wire);
        prop_assert_eq!(Relay::decode(&wire), Ok(relay));
    }
}
