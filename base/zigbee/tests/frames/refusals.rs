//! What is refused, with the place, what was found and what is expected there.

use lastmeter_zigbee::address::{Eui64, ShortAddress};
use lastmeter_zigbee::bytes::Reader;
use lastmeter_zigbee::capture::{Capture, FrameCheck};
use lastmeter_zigbee::opcode::Direction as Way;
use lastmeter_zigbee::relay::Relay;
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::cluster::plug::{CalibrationWrite, WaveformBlock};
use lastmeter_zigbee::zcl::global::{
    Attribute, ReadRecord, Reportable, ReportingRecord, ReportingStatus, WriteRecord,
};
use lastmeter_zigbee::zcl::{Frame, Global, Record, Records, Status, Type, Value};
use lastmeter_zigbee::zdp::Zdp;

/// The first error of a list.
fn first<'a, R: Record<'a>>(bytes: &'a [u8]) -> String {
    let mut records = Records::<R>::new(bytes);
    let error = records.find_map(Result::err).map_or("no error".to_owned(), |e| e.to_string());
    assert!(records.next().is_none(), "a list goes on behind an error");
    error
}

#[test]
fn frames_that_are_none_are_refused_with_the_place() {
    let error = |bytes: &[u8]| Frame::decode(bytes).unwrap_err().to_string();
    assert_eq!(error(&[]), "frame control at byte 0: 0 bytes left, expected at least 1");
    assert_eq!(
        error(&[0x02, 1, 2]),
        "frame type in the frame control at byte 0: found 0x02, expected 00 or 01"
    );
    assert_eq!(error(&[0x04, 1]), "manufacturer code at byte 1: 1 bytes left, expected at least 2");
    assert_eq!(error(&[0, 1]), "command identifier at byte 2: 0 bytes left, expected at least 1");
    let global =
        |bytes: &[u8]| Global::decode(&Frame::decode(bytes).unwrap()).unwrap_err().to_string();
    assert_eq!(
        global(&[0, 1, 0x0C]),
        "global command at byte 2: found 0x0C, expected 00, 01, 02, 04, 06, 07, 0A or 0B"
    );
    assert!(global(&[4, 1, 2, 1, 0x0C]).starts_with("global command at byte 4"));
    assert!(global(&[1, 1, 0]).contains("expected 00, a global command"));
    assert_eq!(
        global(&[8, 1, 0x0B, 0, 0, 7]),
        "default response ends at byte 2: 1 more bytes, expected none"
    );
}

#[test]
fn records_that_are_none_end_the_list() {
    assert_eq!(
        first::<Attribute<'_>>(&[5, 5, 0x21, 1, 2, 8, 5, 0x77, 1]),
        "data type at byte 7: found 0x77, expected one of 10, 18, 19, 1B, 20 to 23, 25, 28 to 2B, \
         30, 31, 41, 42, E2"
    );
    assert_eq!(
        first::<Attribute<'_>>(&[0, 0, 0x10, 2]),
        "boolean at byte 3: found 0x02, expected 00, 01 or FF"
    );
    assert_eq!(
        first::<Attribute<'_>>(&[0, 0, 0x42, 5, 0x61]),
        "string at byte 4: 1 bytes left, expected at least 5"
    );
    assert!(first::<WriteRecord>(&[0x88, 0, 0, 0]).contains("as the only byte"));
    assert!(first::<ReportingStatus>(&[0, 0]).contains("as the only byte"));
    assert!(
        first::<ReportingRecord<'_>>(&[2, 0, 0, 0, 0]).contains("found 0x02, expected 00 or 01")
    );
}

#[test]
fn what_cannot_be_on_the_wire_is_not_written() {
    let error = |value: Value<'_>| value.put(&mut Vec::new()).unwrap_err().to_string();
    let none = [
        Value::U8(Some(0xFF)),
        Value::U16(Some(0xFFFF)),
        Value::U24(Some(0xFF_FFFF)),
        Value::U24(Some(u32::MAX)),
        Value::U32(Some(u32::MAX)),
        Value::U48(Some(0xFFFF_FFFF_FFFF)),
        Value::U48(Some(u64::MAX)),
        Value::I8(Some(i8::MIN)),
        Value::I16(Some(i16::MIN)),
        Value::I24(Some(-0x80_0000)),
        Value::I24(Some(0x80_0000)),
        Value::I32(Some(i32::MIN)),
        Value::Enum8(Some(0xFF)),
        Value::Enum16(Some(0xFFFF)),
        Value::Utc(Some(u32::MAX)),
    ];
    for value in none {
        assert!(error(value).contains("does not stand for no value"), "{value:?}");
    }
    let long = [0; 255];
    assert_eq!(
        error(Value::Octets(Some(&long))),
        "string: 255 bytes or elements, expected at most 254"
    );
    let record = ReadRecord { id: 0, result: Err(Status::SUCCESS) };
    assert!(record.put(&mut Vec::new()).is_err());
    let record = WriteRecord::Failed { status: Status::SUCCESS, id: 0 };
    assert!(record.put(&mut Vec::new()).is_err());
    let record = ReportingStatus::Failed { status: Status::SUCCESS, direction: 0, id: 0 };
    assert!(record.put(&mut Vec::new()).is_err());
    for change in [Reportable::Any(Type::U16), Reportable::Change(Value::Bool(Some(true)))] {
        let record = ReportingRecord::Send { id: 0, min_s: 0, max_s: 0, change };
        assert!(record.put(&mut Vec::new()).is_err(), "{change:?}");
    }
    let calibration = CalibrationWrite { channel: 0, gain: 1 << 24, offset: 0 };
    assert!(calibration.put(&mut Vec::new()).is_err());
    assert!(WaveformBlock::encode((0, 0, 0), &[0; 33], &mut Vec::new()).is_err());
    let image = ImageId { manufacturer: 1, image_type: 2, version: 3 };
    let data = [0; 256];
    for response in [
        Ota::BlockResponse(BlockResponse::Data { image, offset: 0, data: &data }),
        Ota::BlockResponse(BlockResponse::Refused(Status::WAIT_FOR_DATA)),
        Ota::NextImage(Err(Status::SUCCESS)),
    ] {
        assert!(response.frame(0).is_err(), "{response:?}");
    }
}

#[test]
fn commands_of_clusters_that_are_none_are_refused() {
    let block =
        |bytes: &[u8]| WaveformBlock::take(&mut Reader::new(bytes)).unwrap_err().to_string();
    let mut long = vec![0; 100];
    long[6] = 33;
    assert_eq!(block(&long), "number of samples at byte 6: found 0x21, expected at most 0x20");
    assert_eq!(
        block(&[0, 0, 0, 0, 0, 0, 2, 1, 1]),
        "samples at byte 7: 2 bytes left, expected at least 4"
    );
    let calibration = CalibrationWrite { channel: 1, gain: 5, offset: 6 };
    let mut wire = Vec::new();
    calibration.put(&mut wire).unwrap();
    for bit in 0..wire.len() * 8 {
        let mut changed = wire.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(CalibrationWrite::take(&mut Reader::new(&changed)).is_err(), "bit {bit}");
    }
    let ota = |bytes: &[u8]| Ota::decode(&Frame::decode(bytes).unwrap()).unwrap_err().to_string();
    assert!(ota(&[0x11, 0, 0x04]).contains("command of OTA Upgrade at byte 2: found 0x04"));
    assert!(ota(&[0x19, 0, 0x01]).contains("found 0x01"));
    assert!(ota(&[0x15, 1, 2, 0, 0x01]).contains("found 0x01"));
    assert_eq!(ota(&[0x11, 0, 0x01, 2]), "field control at byte 0: found 0x02, expected 00 or 01");
    assert!(ota(&[0x19, 0, 0x05, 0x95, 1]).contains("1 more bytes, expected none"));
}

#[test]
fn payloads_that_are_none_are_refused() {
    let error = |bytes: &[u8]| Relay::decode(bytes).unwrap_err().to_string();
    assert_eq!(error(&[1, 2, 3]), "EUI-64 at byte 2: 1 bytes left, expected at least 8");
    for length in 0..18 {
        assert!(Relay::decode(&[0; 18][..length]).is_err(), "{length}");
    }
    let zdp = |cluster, bytes: &[u8]| Zdp::decode(cluster, bytes).unwrap_err().to_string();
    assert_eq!(
        zdp(0x0002, &[1]),
        "cluster of profile 0 at byte 0: found 0x02, expected 0013, 0034 or 8034"
    );
    assert!(zdp(0x0013, &[0; 11]).starts_with("capability at byte 11"));
    assert!(zdp(0x8034, &[0; 3]).contains("1 more bytes"));
}

#[test]
fn frames_too_long_for_the_radio_are_not_captured() {
    let frame = [0; 93];
    let relay = |length| Relay {
        short: ShortAddress(1),
        eui64: Eui64(2),
        source_endpoint: 1,
        destination_endpoint: 1,
        profile: 0x0104,
        cluster: 6,
        lqi: 0,
        aps_counter: 0,
        frame: &frame[..length],
    };
    for check in [FrameCheck::Written, FrameCheck::LeftOut] {
        let mut capture = Capture::new(Vec::new(), check, 1).unwrap();
        let mut add = |length, at_s| {
            let at = std::time::Duration::from_secs(at_s);
            capture.frame(at, Way::Up, &relay(length)).map_err(|error| error.to_string())
        };
        assert_eq!(add(92, 0), Ok(()));
        let error = "frame of 128 bytes in the radio, expected at most 127; it needs fragments";
        assert_eq!(add(93, 0), Err(error.to_owned()));
        assert!(add(1, 1 << 32).unwrap_err().contains("expected less than 2^32 s"));
    }
}
