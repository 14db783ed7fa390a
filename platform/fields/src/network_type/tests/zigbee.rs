//! ZigBee: values by their scales, what is kept as it is, answers, orders.

use lastmeter_zigbee::address::{Eui64, ShortAddress};
use lastmeter_zigbee::relay::{Content, Relay};
use lastmeter_zigbee::zcl::global::{ReadRecord, command};
use lastmeter_zigbee::zcl::{Attribute, Direction, Header, Status, Value};
use lastmeter_zigbee::zdp::{Capability, Message, Zdp};

use super::*;
use crate::firmware::Asked;

const ELECTRICAL: u16 = 0x0B04;
const METERING: u16 = 0x0702;
const NODE: u64 = 0x0015_8D00_0000_0091;

fn relay(profile: u16, cluster: u16, frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Relay {
        short: ShortAddress(0x1A2B),
        eui64: Eui64(NODE),
        source_endpoint: 1,
        destination_endpoint: 1,
        profile,
        cluster,
        lqi: 200,
        aps_counter: 1,
        frame,
    }
    .encode(&mut out);
    out
}

fn report(cluster: u16, attributes: &[(u16, Value<'_>)]) -> Vec<u8> {
    let header = Header::global(Direction::ToClient, 7, command::REPORT);
    let records: Vec<Attribute<'_>> =
        attributes.iter().map(|(id, value)| Attribute { id: *id, value: *value }).collect();
    relay(0x0104, cluster, &header.with_records(&records).unwrap())
}

/// What comes of frames, one after the other, from a node that nothing is known of.
fn decoded(frames: &[Vec<u8>]) -> Decoded {
    let zigbee = by_name("zigbee").unwrap();
    let mut context = NodeContext { node: NODE, address: 0x1A2B, state: Vec::new() };
    let mut last = Decoded::default();
    for frame in frames {
        if let Some(learned) = (zigbee.learn)(&context, frame) {
            context = learned;
        }
        last = (zigbee.decode)(&context, frame).unwrap();
    }
    last
}

fn named(decoded: &Decoded) -> Vec<(&'static str, f64)> {
    decoded.measured.iter().map(|(id, value)| (id.name(), *value)).collect()
}

fn scale(divisor: u16) -> Vec<u8> {
    report(ELECTRICAL, &[(0x0604, Value::U16(Some(1))), (0x0605, Value::U16(Some(divisor)))])
}

fn power(watt: i16) -> Vec<u8> {
    report(ELECTRICAL, &[(0x050B, Value::I16(Some(watt)))])
}

const CONSUMED: &str = "electricity.power.active.consumed.total";
const INJECTED: &str = "electricity.power.active.injected.total";

#[test]
fn values_come_in_the_units_of_messages_once_their_scale_is_known() {
    assert_eq!(
        named(&decoded(&[scale(10), power(1234)])),
        [(CONSUMED, 123.4 / 1e3), (INJECTED, 0.0)]
    );
    assert_eq!(
        named(&decoded(&[scale(10), power(-1234)])),
        [(INJECTED, 123.4 / 1e3), (CONSUMED, 0.0)]
    );
    let metering = [
        (0x0300, Value::Enum8(Some(0))),
        (0x0301, Value::U24(Some(1))),
        (0x0302, Value::U24(Some(1000))),
        (0x0000, Value::U48(Some(123_456))),
    ];
    // A report may bring its scales along.
    assert_eq!(
        named(&decoded(&[report(METERING, &metering)])),
        [("electricity.energy.active.consumed.total", 123_456.0 * 3600.0 / 3.6e6)]
    );
    let switch = report(0x0006, &[(0, Value::Bool(Some(true)))]);
    assert_eq!(named(&decoded(&[switch])), [("x.electricity.breaker.closed", 1.0)]);
    let room = report(0x0402, &[(0, Value::I16(Some(-525)))]);
    assert_eq!(named(&decoded(&[room])), [("x.room.temperature", -5.25)]);
}

#[test]
fn an_absent_zero_or_changed_scale_gives_no_value_and_the_reason() {
    for (frames, reason) in [
        (vec![power(5)], "is absent"),
        (vec![scale(0), power(5)], "is 0"),
        (vec![scale(10), scale(100), power(5)], "changed from 10 to 100"),
        (vec![scale(10), scale(100), scale(1000), power(5)], "changed from 10 to 1000"),
        (vec![scale(10), scale(0), power(5)], "is 0"),
    ] {
        let found = decoded(&frames);
        assert!(found.measured.is_empty() && !found.is_configuration, "{found:?}");
        assert!(found.unusable[0].contains(reason), "{found:?}");
    }
    // What it was before is used again, and so is the first one that can be used.
    for frames in [[scale(10), scale(100), scale(10)], [scale(0), scale(0), scale(10)]] {
        let found = decoded(&[&frames[..], &[power(5)]].concat());
        assert_eq!(named(&found), [(CONSUMED, 0.5 / 1e3), (INJECTED, 0.0)]);
    }
    // The value that stands for none is none.
    let none = report(ELECTRICAL, &[(0x050B, Value::I16(None))]);
    assert_eq!(decoded(&[scale(10), none]), Decoded::default());
}

#[test]
fn a_changed_scale_is_used_once_it_is_accepted_and_a_zero_never_is() {
    let zigbee = by_name("zigbee").unwrap();
    let accept = zigbee.accept.unwrap();
    let after = |frames: &[Vec<u8>]| {
        let start = NodeContext { node: NODE, address: 0x1A2B, state: Vec::new() };
        frames
            .iter()
            .fold(start, |context, frame| (zigbee.learn)(&context, frame).unwrap_or(context))
    };
    let temperature = report(0x0402, &[(0, Value::I16(Some(2000)))]);
    for frames in [vec![], vec![scale(10)], vec![scale(10), temperature.clone()]] {
        assert_eq!(accept(&after(&frames)), None, "nothing has changed");
    }
    for frames in [vec![scale(0)], vec![scale(10), scale(0)], vec![scale(10), scale(100), scale(0)]]
    {
        assert_eq!(accept(&after(&frames)), None, "a zero");
    }
    let accepted = accept(&after(&[scale(10), scale(100), scale(1000)])).unwrap();
    assert_eq!(accepted.changes, ["ACPowerDivisor from 10 to 1000"]);
    let read = |context: &NodeContext, frame: &[u8]| (zigbee.decode)(context, frame).unwrap();
    assert_eq!(
        named(&read(&accepted.context, &power(1234))),
        [(CONSUMED, 1.234 / 1e3), (INJECTED, 0.0)]
    );
    assert_eq!(accept(&accepted.context), None, "it is accepted");
    // What was in use before is a change now.
    let back = (zigbee.learn)(&accepted.context, &scale(10)).unwrap();
    assert!(read(&back, &power(5)).unusable[0].contains("changed from 1000 to 10"));
    // The other endpoints and scales of a node stay as they are.
    let metering = [(0x0300, Value::Enum8(Some(0))), (0x0302, Value::U24(Some(1000)))];
    let voltage = [(0x0600, Value::U16(Some(1))), (0x0601, Value::U16(Some(10)))];
    let others = [report(METERING, &metering), report(ELECTRICAL, &voltage)];
    let before = after(&[&others[..], &[scale(10), scale(100)]].concat());
    let accepted = accept(&before).unwrap();
    let volts = report(ELECTRICAL, &[(0x0505, Value::U16(Some(2300)))]);
    assert_eq!(named(&read(&accepted.context, &volts)), [("electricity.voltage.rms.l1", 230.0)]);
    assert_eq!(accepted.context, after(&[&others[..], &[scale(100)]].concat()));
}

#[test]
fn a_node_announces_itself_and_what_describes_it_is_kept() {
    let capability = Capability(0x80);
    let message =
        Message::DeviceAnnounce { short: ShortAddress(3), eui64: Eui64(NODE), capability };
    let (zdp, mut frame) = (Zdp { sequence: 1, message }, Vec::new());
    zdp.encode(&mut frame);
    let found = decoded(&[relay(0, zdp.cluster(), &frame)]);
    let joined = NodeEvent::Joined { node: NODE, address: 3, sleeps: true };
    assert_eq!((found.event, found.is_configuration), (Some(joined), false));
    let model = report(0, &[(5, Value::Text(Some(b"plug")))]);
    assert!(decoded(&[model]).is_configuration);
    let unknown = Header::cluster(Direction::ToClient, 1, 9);
    let mut frame = Vec::new();
    unknown.encode(&mut frame);
    assert!(decoded(&[relay(0x0104, 0xFC01, &frame)]).is_configuration);
}

#[test]
fn orders_are_frames_for_their_node_and_answers_name_them() {
    let zigbee = by_name("zigbee").unwrap();
    let context = NodeContext { node: NODE, address: 0x1A2B, state: Vec::new() };
    let encode = |command, given: &[(&str, &str)]| {
        let order = Order { command, arguments: &arguments(given), sequence: 42 };
        (zigbee.encode)(&context, &order)
    };
    let frames = encode("off", &[]).unwrap();
    let relay_of = Relay::decode(&frames[0]).unwrap();
    assert_eq!((relay_of.eui64.0, relay_of.short.0, relay_of.cluster), (NODE, 0x1A2B, 6));
    // Frame control of a command of the cluster to the server, sequence, command off.
    assert_eq!(relay_of.frame, [1, 42, 0]);
    let frames = encode("setBreaker", &[("state", "closed")]).unwrap();
    assert_eq!(Relay::decode(&frames[0]).unwrap().frame, [1, 42, 1]);
    assert!(encode("setBreaker", &[]).unwrap_err().contains("`open` or `closed`"));
    let read = [("cluster", "0x0B04"), ("attribute", "0x050B"), ("endpoint", "2")];
    let frames = encode("readAttribute", &read).unwrap();
    let relay_of = Relay::decode(&frames[0]).unwrap();
    assert_eq!((relay_of.destination_endpoint, relay_of.frame), (2, &[0, 42, 0, 0x0B, 5][..]));
    let reporting = [
        ("cluster", "0x0B04"),
        ("attribute", "0x050B"),
        ("minSeconds", "1"),
        ("maxSeconds", "60"),
        ("change", "5"),
    ];
    let frames = encode("setReporting", &reporting).unwrap();
    let expected = [0, 42, 6, 0, 0x0B, 5, 0x29, 1, 0, 60, 0, 5, 0];
    assert_eq!(Relay::decode(&frames[0]).unwrap().frame, expected);
    for (command, given, wrong) in [
        ("readAttribute", &[][..], "`cluster` is missing"),
        ("readAttribute", &[("cluster", "x")][..], "`cluster` is `x`, expected a whole number"),
        ("off", &[("endpoint", "0")][..], "from 1 to 240"),
        ("setReporting", &[("cluster", "1"), ("attribute", "9")][..], "is not known"),
        ("calibrate", &[("channel", "1"), ("gain", "0x1000000")][..], "from 0 to 16777215"),
    ] {
        assert!(encode(command, given).unwrap_err().contains(wrong), "{command}");
    }
    let default = Header::global(Direction::ToClient, 42, command::DEFAULT_RESPONSE);
    let mut frame = Vec::new();
    default.encode(&mut frame);
    frame.extend([0, 0]);
    let answered = decoded(&[relay(0x0104, 6, &frame)]).answer.unwrap();
    assert_eq!((answered.sequence, &*answered.text), (42, "success"));
    let header = Header::global(Direction::ToClient, 42, command::READ_RESPONSE);
    let records = [
        ReadRecord { id: 0x0605, result: Ok(Value::U16(Some(10))) },
        ReadRecord { id: 0x0604, result: Ok(Value::U16(Some(1))) },
        ReadRecord { id: 0x050B, result: Ok(Value::I16(Some(1234))) },
        ReadRecord { id: 0x0505, result: Err(Status::UNSUPPORTED_ATTRIBUTE) },
    ];
    let answered = decoded(&[relay(0x0104, ELECTRICAL, &header.with_records(&records).unwrap())]);
    let text = &answered.answer.as_ref().unwrap().text;
    assert!(text.contains(r#""0x050B":1234"#));
    assert_eq!(named(&answered), [(CONSUMED, 123.4 / 1e3), (INJECTED, 0.0)]);
    assert!(matches!(relay_of.content(), Ok(Content::Zcl(_))));
}

#[test]
fn a_demand_for_an_image_is_answered_to_where_it_came_from() {
    use lastmeter_zigbee::zcl::Frame;
    use lastmeter_zigbee::zcl::cluster::OTA_UPGRADE;
    use lastmeter_zigbee::zcl::cluster::ota::{BlockResponse, ImageId, Ota};
    let zigbee = by_name("zigbee").unwrap();
    let context = NodeContext { node: NODE, address: 0x1A2B, state: Vec::new() };
    let id = ImageId { manufacturer: 0x1234, image_type: 2, version: 7 };
    let image = ImageKey { manufacturer: 0x1234, image_type: 2, version: 7 };
    let (node, min_block_period) = (None, None);
    let block = Ota::BlockRequest { image: id, offset: 96, size_max: 48, node, min_block_period };
    let end = |status| Ota::UpgradeEnd { status, image: id };
    let data = &[7; 48][..];
    let of_block = BlockResponse::Data { image: id, offset: 96, data };
    let none = Status::NO_IMAGE_AVAILABLE;
    let run = Ota::UpgradeEndResponse { image: id, now_s: 0, upgrade_at_s: 0 };
    let refused = Asked::End(Err("invalid image".to_owned()));
    for (sent, asked, supply, answer) in [
        (
            Ota::QueryNextImage { current: id, hardware: None },
            Asked::Other,
            Supply::Offer { bytes: 96 },
            Some(Ota::NextImage(Ok((id, 96)))),
        ),
        (
            Ota::QueryNextImage { current: id, hardware: Some(1) },
            Asked::Other,
            Supply::Nothing,
            Some(Ota::NextImage(Err(none))),
        ),
        (
            block,
            Asked::Block { offset: 96, bytes_max: 48 },
            Supply::Block { offset: 96, data },
            Some(Ota::BlockResponse(of_block)),
        ),
        (
            block,
            Asked::Block { offset: 96, bytes_max: 48 },
            Supply::Ended,
            Some(Ota::BlockResponse(BlockResponse::Refused(Status::ABORT))),
        ),
        (end(Status::SUCCESS), Asked::End(Ok(())), Supply::Run, Some(run)),
        // A default response, which is no command of the cluster.
        (end(Status::INVALID_IMAGE), refused, Supply::Noted, None),
    ] {
        let frame = relay(0x0104, OTA_UPGRADE, &sent.frame(42).unwrap());
        let found = decoded(&[frame]);
        let demand = found.demand.clone().unwrap();
        assert_eq!((&demand.asked, demand.image), (&asked, image));
        assert_eq!(Decoded { demand: None, ..found }, Decoded::default());
        let given = (zigbee.supply.unwrap())(&context, (demand.reply, image), &supply).unwrap();
        let relay = Relay::decode(&given).unwrap();
        assert_eq!((relay.eui64, relay.cluster), (Eui64(NODE), OTA_UPGRADE));
        let frame = Frame::decode(relay.frame).unwrap();
        assert_eq!(frame.header.sequence, 42);
        assert_eq!(Ota::decode(&frame).ok(), answer);
    }
    let given = (zigbee.supply.unwrap())(&context, (0, image), &Supply::Notice).unwrap();
    assert_eq!(Relay::decode(&given).unwrap().frame[..5], [0x19, 0, 0, 3, 100]);
    let cut = relay(0x0104, OTA_UPGRADE, &block.frame(42).unwrap()[..9]);
    assert_eq!((zigbee.decode)(&context, &cut).unwrap_err().reason, "malformed_frame");
}
