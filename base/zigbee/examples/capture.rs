//! Writes a capture with one frame of each kind, and what is in each as a line of JSON:
//! `cargo run -p lastmeter-zigbee --example capture -- FILE.pcap [no-check]`.
//!
//! With `no-check` the frames have no check sequence. The values printed are those that were given,
//! before anything is encoded; the first line has the tables of attributes, types and statuses.
//! `tests/conformance/zigbee_tshark.py` holds tshark's reading to them.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::process::ExitCode;
use std::time::Duration;

use lastmeter_zigbee::address::{Eui64, ShortAddress};
use lastmeter_zigbee::capture::{Capture, FrameCheck};
use lastmeter_zigbee::opcode::Direction as Way;
use lastmeter_zigbee::relay::Relay;
use lastmeter_zigbee::zcl::cluster::ias_zone::{self, StatusChange};
use lastmeter_zigbee::zcl::cluster::on_off::{self, OnOff, StartUp};
use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
use lastmeter_zigbee::zcl::cluster::plug::{self, CalibrationWrite, WaveformBlock};
use lastmeter_zigbee::zcl::cluster::{
    ATTRIBUTES, BASIC, ELECTRICAL_MEASUREMENT, IAS_ZONE, METERING, ON_OFF, OTA_UPGRADE, PLUG,
    PROFILE_HOME_AUTOMATION, TEMPERATURE_MEASUREMENT,
};
use lastmeter_zigbee::zcl::global::{
    AttributeId, DefaultResponse, ReadRecord, Reportable, ReportingRecord, ReportingStatus,
    WriteRecord, command,
};
use lastmeter_zigbee::zcl::{Attribute, Direction, Header, Record, Status, Type, Value};
use lastmeter_zigbee::zdp::{self, Capability, LeaveFlags, Message, Zdp};
use serde_json::{Value as Json, json};

const NODE: Eui64 = Eui64(0x0012_4B00_0A0B_0C0D);
const IMAGE: ImageId =
    ImageId { manufacturer: plug::MANUFACTURER, image_type: 2, version: 0x0102_0304 };

/// A frame to write, and what is in it.
struct Example {
    way: Way,
    cluster: u16,
    frame: Vec<u8>,
    expected: Json,
}

/// The number, text or absence that a value was made of.
fn plain(value: &Value<'_>) -> Json {
    match *value {
        Value::Octets(bytes) => json!(bytes),
        Value::Text(_) => json!(value.text()),
        Value::Utc(seconds) => json!(seconds),
        _ => json!(value.number()),
    }
}

fn record(attribute: &Attribute<'_>) -> Json {
    let (id, value) = (attribute.id, attribute.value);
    json!({ "id": id, "type": format!("{:?}", value.kind()), "value": plain(&value) })
}

/// A frame of records with what its header and its records state.
#[expect(clippy::needless_pass_by_value, reason = "callers make it for this")]
fn zcl<'a, R: Record<'a>>(
    kind: &str,
    (way, cluster): (Way, u16),
    header: Header,
    records: &[R],
    content: Json,
) -> Result<Example, Box<dyn Error>> {
    let frame = header.with_records(records)?;
    Ok(Example { way, cluster, frame, expected: described(kind, header, &content) })
}

fn described(kind: &str, header: Header, content: &Json) -> Json {
    json!({
        "kind": kind,
        "to_client": header.direction == Direction::ToClient,
        "manufacturer": header.manufacturer,
        "disable_default_response": header.disable_default_response,
        "sequence": header.sequence,
        "command": header.command,
        "content": content,
    })
}

fn attribute(id: u16, value: Value<'_>) -> Attribute<'_> {
    Attribute { id, value }
}

fn reports() -> Result<Vec<Example>, Box<dyn Error>> {
    let report = |sequence, cluster, records: &[Attribute<'_>]| {
        let header = Header::global(Direction::ToClient, sequence, command::REPORT)
            .without_default_response();
        let content = records.iter().map(record).collect();
        zcl("report", (Way::Up, cluster), header, records, content)
    };
    let electrical = [
        attribute(0x0505, Value::U16(Some(2301))),
        attribute(0x0508, Value::U16(Some(543))),
        attribute(0x050B, Value::I16(Some(1234))),
        attribute(0x050E, Value::I16(Some(-56))),
        attribute(0x050F, Value::U16(Some(1236))),
        attribute(0x0510, Value::I8(Some(-99))),
        attribute(0x0304, Value::I32(Some(-123_456))),
    ];
    let metering = [
        attribute(0x0000, Value::U48(Some(0x0102_0304_0506))),
        attribute(0x0200, Value::Map8(0x05)),
        attribute(0x0301, Value::U24(Some(0x01_0203))),
        attribute(0x0400, Value::I24(Some(-1000))),
    ];
    let basic = [
        attribute(0x0001, Value::U8(Some(3))),
        attribute(0x0004, Value::Text(Some(b"lastmeter"))),
        attribute(0x0007, Value::Enum8(Some(1))),
    ];
    // Absent phases of a real plug.
    let absent = [attribute(0x0905, Value::U16(None)), attribute(0x090B, Value::I16(None))];
    Ok(vec![
        report(1, ELECTRICAL_MEASUREMENT, &electrical)?,
        report(2, METERING, &metering)?,
        report(3, BASIC, &basic)?,
        report(4, TEMPERATURE_MEASUREMENT, &[attribute(0, Value::I16(Some(-1234)))])?,
        report(5, ON_OFF, &[attribute(on_off::ON_OFF, Value::Bool(Some(true)))])?,
        report(6, ELECTRICAL_MEASUREMENT, &absent)?,
        report(7, IAS_ZONE, &[attribute(0x0002, Value::Map16(0x0009))])?,
    ])
}

fn reading_and_writing() -> Result<Vec<Example>, Box<dyn Error>> {
    let ask = |sequence, command| Header::global(Direction::ToServer, sequence, command);
    let electrical = |way| (way, ELECTRICAL_MEASUREMENT);
    let read = ask(10, command::READ);
    let ids = [AttributeId(0x0505), AttributeId(0x0600), AttributeId(0x05FF)];
    let answers = [
        ReadRecord { id: 0x0505, result: Ok(Value::U16(Some(2299))) },
        ReadRecord { id: 0x05FF, result: Err(Status::UNSUPPORTED_ATTRIBUTE) },
        ReadRecord { id: 0x0510, result: Ok(Value::I8(Some(100))) },
    ];
    let answered = answers.iter().map(|answer| match answer.result {
        Ok(value) => {
            let mut row = record(&attribute(answer.id, value));
            row["status"] = json!(0);
            row
        }
        Err(status) => json!({ "id": answer.id, "status": status.0 }),
    });
    let start_up = attribute(on_off::START_UP, StartUp::On.value());
    let (write, write_failed) = (ask(11, command::WRITE), Status::READ_ONLY);
    let failed = WriteRecord::Failed { status: write_failed, id: 0x0505 };
    let not_written = json!([{ "id": 0x0505, "status": write_failed.0 }]);
    let done = DefaultResponse { command: OnOff::Toggle as u8, status: Status::SUCCESS };
    let answer_done = ask(5, 0).answer(command::DEFAULT_RESPONSE);
    let done_content = json!({ "command": done.command, "status": done.status.0 });
    Ok(vec![
        zcl("read", electrical(Way::Down), read, &ids, ids.iter().map(|id| id.0).collect())?,
        zcl(
            "read response",
            electrical(Way::Up),
            read.answer(command::READ_RESPONSE),
            &answers,
            answered.collect(),
        )?,
        zcl("write", (Way::Down, ON_OFF), write, &[start_up], json!([record(&start_up)]))?,
        zcl(
            "write response",
            electrical(Way::Up),
            write.answer(command::WRITE_RESPONSE),
            &[failed],
            not_written,
        )?,
        zcl("default response", (Way::Up, ON_OFF), answer_done, &[done], done_content)?,
    ])
}

fn reporting() -> Result<Vec<Example>, Box<dyn Error>> {
    let header = Header::global(Direction::ToServer, 12, command::CONFIGURE_REPORTING);
    let change = Value::I16(Some(10));
    let power = ReportingRecord::Send {
        id: 0x050B,
        min_s: 5,
        max_s: 60,
        change: Reportable::Change(change),
    };
    let power_row = json!({ "id": 0x050B, "type": "I16", "min_s": 5, "max_s": 60, "change": 10 });
    let kind = Type::Bool;
    let relay =
        ReportingRecord::Send { id: 0, min_s: 0, max_s: 3600, change: Reportable::Any(kind) };
    let relay_row = json!({ "id": 0, "type": "Bool", "min_s": 0, "max_s": 3600 });
    let status = Status::UNREPORTABLE_ATTRIBUTE;
    let failed = ReportingStatus::Failed { status, direction: 0, id: 0x0510 };
    let failed_row = json!([{ "id": 0x0510, "status": status.0 }]);
    let electrical = |way| (way, ELECTRICAL_MEASUREMENT);
    let answer = header.answer(command::CONFIGURE_REPORTING_RESPONSE);
    Ok(vec![
        zcl("configure reporting", electrical(Way::Down), header, &[power], json!([power_row]))?,
        zcl("configure reporting", (Way::Down, ON_OFF), header, &[relay], json!([relay_row]))?,
        zcl("configure reporting response", electrical(Way::Up), answer, &[failed], failed_row)?,
    ])
}

fn of_clusters() -> Result<Vec<Example>, Box<dyn Error>> {
    let mut examples = Vec::new();
    for (number, command) in [OnOff::Off, OnOff::On, OnOff::Toggle].into_iter().enumerate() {
        let header = Header::cluster(Direction::ToServer, 20 + number as u8, command as u8);
        let frame = command.frame(header.sequence);
        let expected = described("on/off", header, &json!({}));
        examples.push(Example { way: Way::Down, cluster: ON_OFF, frame, expected });
    }
    let status = ias_zone::ALARM_1 | ias_zone::BATTERY_LOW;
    let zone = StatusChange { status, extended: 0, zone: 7, delay_quarter_s: 4 };
    let content = json!({ "status": status, "zone": 7, "delay_quarter_s": 4 });
    let header = Header::cluster(Direction::ToClient, 23, ias_zone::STATUS_CHANGE);
    examples.push(zcl("zone status", (Way::Up, IAS_ZONE), header, &[zone], content)?);
    let samples: Vec<i16> = (0..32).map(|number| number * 1000 - 16_000).collect();
    let mut wire = Vec::new();
    WaveformBlock::encode((7, 4000, 96), &samples, &mut wire)?;
    let header = Header::cluster(Direction::ToClient, 24, plug::WAVEFORM_BLOCK)
        .of_manufacturer(plug::MANUFACTURER);
    let content = json!({ "capture": 7, "rate_hz": 4000, "offset": 96, "samples": samples });
    let mut frame = Vec::new();
    header.encode(&mut frame);
    frame.extend(wire);
    let expected = described("waveform", header, &content);
    examples.push(Example { way: Way::Up, cluster: PLUG, frame, expected });
    let (gain, offset) = (0x40_0123, -2);
    let calibration = CalibrationWrite { channel: 1, gain, offset };
    let content = json!({ "channel": 1, "gain": gain, "offset": offset });
    let header = Header::cluster(Direction::ToServer, 25, plug::CALIBRATION_WRITE)
        .of_manufacturer(plug::MANUFACTURER);
    examples.push(zcl("calibration", (Way::Down, PLUG), header, &[calibration], content)?);
    Ok(examples)
}

/// A table of commands.
fn image() -> Result<Vec<Example>, Box<dyn Error>> {
    let (manufacturer, image_type) = (IMAGE.manufacturer, IMAGE.image_type);
    let shared =
        json!({ "manufacturer": manufacturer, "image_type": image_type, "version": IMAGE.version });
    let block: Vec<u8> = (0..48).collect();
    let commands = [
        (
            Ota::QueryNextImage { current: IMAGE, hardware: Some(3) },
            json!({ "image": shared, "hardware": 3 }),
        ),
        (
            Ota::NextImage(Ok((IMAGE, 200_000))),
            json!({ "image": shared, "status": 0, "size": 200_000 }),
        ),
        (Ota::NextImage(Err(Status::NO_IMAGE_AVAILABLE)), json!({ "status": 0x98 })),
        (
            Ota::BlockRequest {
                image: IMAGE,
                offset: 48,
                size_max: 49,
                node: Some(NODE),
                min_block_period: Some(200),
            },
            json!({ "image": shared, "offset": 48, "size_max": 49, "node": NODE.to_string(),
                "min_block_period": 200 }),
        ),
        (
            Ota::BlockResponse(BlockResponse::Data { image: IMAGE, offset: 96, data: &block }),
            json!({ "image": shared, "status": 0, "offset": 96, "data": block }),
        ),
        (
            Ota::UpgradeEnd { status: Status::INVALID_IMAGE, image: IMAGE },
            json!({ "image": shared, "status": 0x96 }),
        ),
        (
            Ota::UpgradeEndResponse { image: IMAGE, now_s: 86_400, upgrade_at_s: 90_000 },
            json!({ "image": shared, "now_s": 86_400, "upgrade_at_s": 90_000 }),
        ),
    ];
    let mut examples = Vec::new();
    for (number, (command, content)) in commands.into_iter().enumerate() {
        let (code, direction) = command.command();
        let header = Header::cluster(direction, 30 + number as u8, code).without_default_response();
        let way = if direction == Direction::ToServer { Way::Up } else { Way::Down };
        let (frame, cluster) = (command.frame(header.sequence)?, OTA_UPGRADE);
        examples.push(Example {
            way,
            cluster,
            frame,
            expected: described("image", header, &content),
        });
    }
    Ok(examples)
}

/// Frames of profile 0.
fn announcements(short: ShortAddress) -> Vec<Example> {
    let (announce, leave) = (Capability::PLUG, LeaveFlags::REJOIN);
    let eui64 = NODE.to_string();
    let messages = [
        (
            Way::Up,
            Message::DeviceAnnounce { short, eui64: NODE, capability: announce },
            json!({ "kind": "announce", "short": short.0, "eui64": eui64,
                "router": true, "mains": true, "listens": true }),
        ),
        (
            Way::Down,
            Message::LeaveRequest { node: NODE, flags: leave },
            json!({ "kind": "leave", "eui64": eui64, "rejoin": true, "children": false }),
        ),
        (
            Way::Up,
            Message::LeaveResponse { status: 0 },
            json!({ "kind": "leave response", "status": 0 }),
        ),
    ];
    let example = |(number, (way, message, mut expected)): (u8, (Way, Message, Json))| {
        let zdp = Zdp { sequence: 40 + number, message };
        expected["sequence"] = json!(zdp.sequence);
        let mut frame = Vec::new();
        zdp.encode(&mut frame);
        Example { way, cluster: zdp.cluster(), frame, expected }
    };
    (0..).zip(messages).map(example).collect()
}

/// Our tables, which tshark has too.
fn tables() -> Json {
    let attributes = ATTRIBUTES
        .iter()
        .map(|row| json!({ "cluster": row.cluster, "id": row.id, "name": row.name }))
        .collect::<Json>();
    let status = |code| Status(code).name().map(|name| json!([code, name]));
    let statuses = (0..=u8::MAX).filter_map(status).collect::<Json>();
    let kind = |kind: &Type| json!([format!("{kind:?}"), kind.code()]);
    let types = Type::ALL.iter().map(kind).collect::<Json>();
    json!({ "attributes": attributes, "statuses": statuses, "types": types })
}

fn write(path: &str, check: FrameCheck) -> Result<Vec<Json>, Box<dyn Error>> {
    let (pan, short) = (0xBEEF, ShortAddress(0x1A2B));
    let mut capture = Capture::new(BufWriter::new(File::create(path)?), check, pan)?;
    let parts = [announcements(short), reports()?, reading_and_writing()?, reporting()?];
    let examples = parts.into_iter().flatten().chain(of_clusters()?).chain(image()?);
    let mut lines = Vec::new();
    for (number, example) in (0_u8..).zip(examples) {
        let Example { way, cluster, frame, mut expected } = example;
        let is_zdp = expected["command"].is_null();
        let endpoint = if is_zdp { zdp::ENDPOINT } else { 1 };
        let relay = Relay {
            short,
            eui64: NODE,
            source_endpoint: endpoint,
            destination_endpoint: if is_zdp { endpoint } else { 2 },
            profile: if is_zdp { zdp::PROFILE } else { PROFILE_HOME_AUTOMATION },
            cluster,
            lqi: 200,
            aps_counter: 100 + number,
            frame: &frame,
        };
        let at = Duration::from_millis(1_800_000_000_000 + 250 * u64::from(number));
        capture.frame(at, way, &relay)?;
        expected["relay"] = json!({
            "up": way == Way::Up, "pan": pan, "node": short.0, "eui64": NODE.to_string(),
            "source_endpoint": relay.source_endpoint,
            "destination_endpoint": relay.destination_endpoint,
            "profile": relay.profile, "cluster": cluster, "aps_counter": relay.aps_counter,
            "time_ms": at.as_millis() as u64,
        });
        lines.push(expected);
    }
    capture.finish()?;
    Ok(lines)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program of its own")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, check) = match &arguments[..] {
        [path] => (path, FrameCheck::Written),
        [path, check] if check == "no-check" => (path, FrameCheck::LeftOut),
        _ => {
            eprintln!("expected `FILE.pcap [no-check]`, found {arguments:?}");
            return ExitCode::from(2);
        }
    };
    match write(path, check) {
        Ok(lines) => {
            println!("{}", tables());
            for line in lines {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
