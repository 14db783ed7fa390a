//! `zigbee`: plugs and sensors that speak the ZigBee cluster library, behind a transparent gateway.
//!
//! What is learned of a node are its multipliers, divisors and units, endpoint by endpoint: without
//! them most of its numbers mean nothing, and one that is absent, zero or changed gives no value.
//! State: for each of them endpoint u8, cluster u16, whether it is the one in use (0) or one that
//! came later and was not accepted (1), then the attribute as in frames; low byte first.

mod firmware;

use std::collections::BTreeMap;

use lastmeter_params::{Entry, Field, Kind};
use lastmeter_units::MeasurementId;
use lastmeter_zigbee::bytes::Reader;
use lastmeter_zigbee::relay::{Content, Relay};
use lastmeter_zigbee::scale::{Quantity, ScaleError, Scaled, Scales};
use lastmeter_zigbee::zcl::cluster::ias_zone::{self, StatusChange};
use lastmeter_zigbee::zcl::cluster::on_off::OnOff;
use lastmeter_zigbee::zcl::cluster::plug::{self, CalibrationWrite};
use lastmeter_zigbee::zcl::cluster::{IAS_ZONE, ON_OFF, PLUG, PROFILE_HOME_AUTOMATION, attribute};
use lastmeter_zigbee::zcl::global::{
    AttributeId, Reportable, ReportingRecord, ReportingStatus, WriteRecord, command,
};
use lastmeter_zigbee::zcl::{
    Attribute, Direction, Frame, FrameType, Global, Header, Record, Records, Status, Type, Value,
};
use lastmeter_zigbee::zdp::Message;
use serde_json::{Value as Json, json};

use super::{
    Accepted, Answer, CommandRow, Declared, Decoded, FrameRefusal, Frames, NetworkType,
    NodeContext, NodeEvent, Order, Origin, Parameter, STATE_BYTES_MAX, Settings,
};

pub(super) const ZIGBEE: NetworkType = NetworkType {
    entry: Entry {
        name: "zigbee",
        summary: "plugs and sensors of the ZigBee cluster library",
        description: "Frames of the ZigBee cluster library pass the gateway as they are. Values \
            come by reports: On/Off, Metering, Electrical Measurement, Temperature Measurement, \
            IAS Zone, Power Configuration.",
        fields: &[
            Field::optional("channel", Kind::Integer { min: 11, max: 26 }, "the radio channel"),
            Field::optional(
                "networkId",
                Kind::Integer { min: 0, max: 0xFFFE },
                "the network's id (PAN)",
            ),
            Field::optional(
                "securityLevel",
                Kind::Integer { min: 0, max: 7 },
                "the security level of its frames",
            ),
        ],
    },
    code: 0,
    yields: &[
        counter("electricity.energy.active.consumed.total"),
        counter("electricity.energy.active.injected.total"),
        gauge("electricity.power.active.consumed.total", 0.0001, 1.1),
        gauge("electricity.power.active.injected.total", 0.0001, 1.1),
        gauge("electricity.power.reactive.consumed.total", 0.0001, 1.1),
        gauge("electricity.power.reactive.injected.total", 0.0001, 1.1),
        gauge("electricity.power.apparent.total", 0.0001, 1.1),
        gauge("electricity.voltage.rms.l1", 0.1, 1.1),
        gauge("electricity.current.rms.l1", 0.001, 1.1),
        gauge("electricity.frequency", 0.01, 0.1),
        gauge("electricity.powerFactor.l1", 0.01, 1.1),
        gauge("x.electricity.breaker.closed", 1.0, 0.0),
        gauge("x.room.temperature", 0.01, 5.0),
        gauge("x.contact.open", 1.0, 0.0),
        gauge("x.battery.voltage", 0.1, 5.0),
        gauge("x.battery.charge", 0.005, 10.0),
    ],
    commands: COMMANDS,
    origin,
    learn,
    accept: Some(accept),
    decode,
    encode,
    supply: Some(firmware::supply),
    settings,
};

const fn counter(id: &'static str) -> Declared {
    Declared { id, is_counter: true, resolution: 0.001, accuracy_percent: 1.1 }
}

const fn gauge(id: &'static str, resolution: f64, accuracy_percent: f64) -> Declared {
    Declared { id, is_counter: false, resolution, accuracy_percent }
}

const fn given(name: &'static str, max: i64) -> Parameter {
    Parameter { name, is_required: true, min: 0, max }
}

const ENDPOINT: Parameter = Parameter { name: "endpoint", is_required: false, min: 1, max: 240 };
const CLUSTER: Parameter = given("cluster", 0xFFFF);
const ATTRIBUTE: Parameter = given("attribute", 0xFFFF);
const MIN_S: Parameter = given("minSeconds", 0xFFFE);
const MAX_S: Parameter = given("maxSeconds", 0xFFFF);
const CHANGE: Parameter =
    Parameter { name: "change", is_required: false, min: 0, max: u32::MAX as i64 };
const VALUE: Parameter =
    Parameter { name: "value", is_required: true, min: i32::MIN as i64, max: u32::MAX as i64 };
const CHANNEL: Parameter = given("channel", 255);
const GAIN: Parameter = given("gain", 0xFF_FFFF);
const OFFSET: Parameter =
    Parameter { name: "offset", is_required: true, min: i32::MIN as i64, max: i32::MAX as i64 };

const COMMANDS: &[CommandRow] = &[
    CommandRow { name: "on", description: "Closes the relay", parameters: &[ENDPOINT] },
    CommandRow { name: "off", description: "Opens the relay", parameters: &[ENDPOINT] },
    CommandRow { name: "toggle", description: "Switches the relay over", parameters: &[ENDPOINT] },
    CommandRow {
        name: "readAttribute",
        description: "Answers with the value of an attribute",
        parameters: &[ENDPOINT, CLUSTER, ATTRIBUTE],
    },
    CommandRow {
        name: "writeAttribute",
        description: "Sets an attribute",
        parameters: &[ENDPOINT, CLUSTER, ATTRIBUTE, VALUE],
    },
    CommandRow {
        name: "setReporting",
        description: "Reports an attribute after a change, and at least and at most so often",
        parameters: &[ENDPOINT, CLUSTER, ATTRIBUTE, MIN_S, MAX_S, CHANGE],
    },
    CommandRow {
        name: "calibrate",
        description: "Writes the coefficients of a channel",
        parameters: &[ENDPOINT, CHANNEL, GAIN, OFFSET],
    },
];

/// The endpoint of the platform's side.
const OWN_ENDPOINT: u8 = 1;

fn read(frame: &[u8]) -> Result<Relay<'_>, FrameRefusal> {
    Relay::decode(frame).map_err(FrameRefusal::malformed)
}

fn origin(frame: &[u8]) -> Result<Origin, FrameRefusal> {
    let relay = read(frame)?;
    // A gateway that does not know which node has an address leaves its own out.
    let node = Some(relay.eui64.0).filter(|node| ![0, u64::MAX].contains(node));
    Ok(Origin { node, address: relay.short.0, signal: relay.lqi })
}

/// An entry of a node's state.
struct Kept<'a> {
    endpoint: u8,
    cluster: u16,
    is_later: bool,
    attribute: Attribute<'a>,
}

/// The entries of a state; what cannot be read is left out.
fn kept(state: &[u8]) -> Vec<Kept<'_>> {
    let (mut reader, mut found) = (Reader::new(state), Vec::new());
    let mut next = || {
        let endpoint = reader.u8("endpoint").ok()?;
        let cluster = reader.u16("cluster").ok()?;
        let is_later = reader.u8("place").ok()? != 0;
        let attribute = Attribute::take(&mut reader).ok()?;
        Some(Kept { endpoint, cluster, is_later, attribute })
    };
    while let Some(entry) = next() {
        found.push(entry);
    }
    found
}

/// The scales of an endpoint, as they were learned. What is wrong with one shows where it is used.
fn scales(state: &[u8], endpoint: u8) -> Scales {
    let mut scales = Scales::default();
    let entries = kept(state);
    for is_later in [false, true] {
        let of_endpoint = entries.iter().filter(|it| it.endpoint == endpoint);
        for entry in of_endpoint.filter(|entry| entry.is_later == is_later) {
            let _ = scales.learn(entry.cluster, &entry.attribute);
        }
    }
    scales
}

/// Attributes with values in a frame of a node, by report or as an answer.
fn values<'a>(frame: &Frame<'a>) -> Result<Vec<Attribute<'a>>, FrameRefusal> {
    match Global::decode(frame).map_err(FrameRefusal::malformed)? {
        Global::Report(records) => records_of(records),
        Global::ReadResponse(records) => {
            let all = records_of(records)?.into_iter();
            Ok(all.filter_map(|it| Some(Attribute { id: it.id, value: it.result.ok()? })).collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn records_of<'a, R: Record<'a>>(records: Records<'a, R>) -> Result<Vec<R>, FrameRefusal> {
    records.collect::<Result<_, _>>().map_err(FrameRefusal::malformed)
}

fn learn(context: &NodeContext, frame: &[u8]) -> Option<NodeContext> {
    let relay = read(frame).ok()?;
    let Content::Zcl(content) = relay.content().ok()? else { return None };
    let is_plain = content.header.frame_type == FrameType::Global
        && content.header.manufacturer.is_none()
        && content.header.direction == Direction::ToClient;
    if !is_plain {
        return None;
    }
    let (endpoint, cluster) = (relay.source_endpoint, relay.cluster);
    let mut state = context.state.clone();
    for attribute in values(&content).ok()? {
        match Scales::default().learn(cluster, &attribute) {
            Ok(false) | Err(ScaleError::WrongType { .. } | ScaleError::NoQuantity { .. }) => {}
            _ => keep(&mut state, (endpoint, cluster), &attribute),
        }
    }
    (state != context.state && state.len() <= STATE_BYTES_MAX)
        .then(|| NodeContext { state, ..context.clone() })
}

/// Puts a scale into a state: the first usable one is the one in use, another is kept beside it
/// until it is accepted.
fn keep(state: &mut Vec<u8>, (endpoint, cluster): (u8, u16), new: &Attribute<'_>) {
    let before = state.clone();
    let mut all = kept(&before);
    let is_same =
        |it: &Kept<'_>| (it.endpoint, it.cluster, it.attribute.id) == (endpoint, cluster, new.id);
    let in_use = all.iter().find(|it| is_same(it) && !it.is_later).map(|it| it.attribute);
    all.retain(|it| !is_same(it) || (!it.is_later && is_usable(&it.attribute)));
    let is_first = in_use.is_none_or(|it| !is_usable(&it));
    if is_first || in_use != Some(*new) {
        all.push(Kept { endpoint, cluster, is_later: !is_first, attribute: *new });
    }
    *state = state_of(&all);
}

/// Entries as a state.
fn state_of(entries: &[Kept<'_>]) -> Vec<u8> {
    let mut state = Vec::new();
    for Kept { endpoint, cluster, is_later, attribute } in entries {
        let start = state.len();
        state.push(*endpoint);
        state.extend(cluster.to_le_bytes());
        state.push(u8::from(*is_later));
        if attribute.put(&mut state).is_err() {
            state.truncate(start);
        }
    }
    state
}

/// Scales that came later are the ones in use from now on; one that gives no value never is.
fn accept(context: &NodeContext) -> Option<Accepted> {
    let (mut all, mut changes) = (Vec::new(), Vec::new());
    let entries = kept(&context.state);
    let place = |it: &Kept<'_>| (it.endpoint, it.cluster, it.attribute.id);
    let later = |of: &Kept<'_>| {
        let usable = entries.iter().filter(|it| it.is_later && is_usable(&it.attribute));
        usable.map(|it| (place(it), it.attribute)).find(|(at, _)| *at == place(of))
    };
    for entry in &entries {
        let Kept { endpoint, cluster, is_later, attribute } = *entry;
        match later(entry) {
            Some(_) if is_later => {}
            Some((_, attribute)) => {
                let [from, to] = [entry.attribute, attribute].map(|it| shown(&it.value));
                changes.push(format!("{} from {from} to {to}", name_of(cluster, attribute.id)));
                all.push(Kept { endpoint, cluster, is_later: false, attribute });
            }
            None => all.push(Kept { endpoint, cluster, is_later, attribute }),
        }
    }
    let context = NodeContext { state: state_of(&all), ..context.clone() };
    (!changes.is_empty()).then_some(Accepted { context, changes })
}

fn name_of(cluster: u16, id: u16) -> &'static str {
    attribute(cluster, id).map_or("attribute", |row| row.name)
}

/// Whether a scale gives values by itself.
fn is_usable(attribute: &Attribute<'_>) -> bool {
    attribute.value.number().is_some_and(|number| number != 0) || attribute.id == 0x0300
}

fn decode(context: &NodeContext, frame: &[u8]) -> Result<Decoded, FrameRefusal> {
    let relay = read(frame)?;
    match relay.content().map_err(FrameRefusal::malformed)? {
        Content::Zdp(zdp) => Ok(of_zdp(&zdp.message)),
        Content::Zcl(content) if content.header.frame_type == FrameType::Global => {
            of_global(context, &relay, &content)
        }
        Content::Zcl(content) => match firmware::demand(&relay, &content)? {
            Some(demand) => Ok(Decoded { demand: Some(demand), ..Decoded::default() }),
            None => of_cluster(&relay, &content),
        },
    }
}

fn of_zdp(message: &Message) -> Decoded {
    let event = match *message {
        Message::DeviceAnnounce { short, eui64, capability } => Some(NodeEvent::Joined {
            node: eui64.0,
            address: short.0,
            sleeps: !capability.listens_when_idle(),
        }),
        Message::LeaveResponse { status: 0 } => Some(NodeEvent::Left),
        Message::LeaveRequest { .. } | Message::LeaveResponse { .. } => None,
    };
    Decoded { is_configuration: event.is_none(), event, ..Decoded::default() }
}

/// A frame of a command of its cluster.
fn of_cluster(relay: &Relay<'_>, content: &Frame<'_>) -> Result<Decoded, FrameRefusal> {
    let header = content.header;
    let is_status = relay.cluster == IAS_ZONE
        && header.manufacturer.is_none()
        && (header.direction, header.command) == (Direction::ToClient, ias_zone::STATUS_CHANGE);
    if !is_status {
        return Ok(Decoded { is_configuration: true, ..Decoded::default() });
    }
    let mut reader = Reader::new(content.payload);
    let change = StatusChange::take(&mut reader).map_err(FrameRefusal::malformed)?;
    let mut decoded = Decoded::default();
    put(&mut decoded, "x.contact.open", f64::from(u8::from(change.is_open())));
    Ok(decoded)
}

/// A frame of a command that means the same in every cluster.
fn of_global(
    context: &NodeContext,
    relay: &Relay<'_>,
    content: &Frame<'_>,
) -> Result<Decoded, FrameRefusal> {
    // One arm for each command that a node may send.
    let global = Global::decode(content).map_err(FrameRefusal::malformed)?;
    let (mut decoded, sequence) = (Decoded::default(), content.header.sequence);
    let answer = |text: String| Some(Answer { sequence, text });
    match global {
        Global::Report(_) => {}
        Global::ReadResponse(records) => {
            let read = records_of(records)?.into_iter().map(|record| match record.result {
                Ok(value) => (format!("0x{:04X}", record.id), shown(&value)),
                Err(status) => (format!("0x{:04X}", record.id), json!(word(status))),
            });
            decoded.answer = answer(Json::Object(read.collect()).to_string());
        }
        Global::WriteResponse(records) => {
            let failed = records_of(records)?.into_iter().find_map(|record| match record {
                WriteRecord::AllWritten => None,
                WriteRecord::Failed { status, .. } => Some(status),
            });
            decoded.answer = answer(word(failed.unwrap_or(Status::SUCCESS)));
        }
        Global::ConfigureReportingResponse(records) => {
            let failed = records_of(records)?.into_iter().find_map(|record| match record {
                ReportingStatus::AllConfigured => None,
                ReportingStatus::Failed { status, .. } => Some(status),
            });
            decoded.answer = answer(word(failed.unwrap_or(Status::SUCCESS)));
        }
        Global::DefaultResponse(response) => decoded.answer = answer(word(response.status)),
        Global::Read(_) | Global::Write(_) | Global::ConfigureReporting(_) => {
            decoded.is_configuration = true;
        }
    }
    if content.header.manufacturer.is_some() {
        decoded.is_configuration = true;
        return Ok(decoded);
    }
    let scales = scales(&context.state, relay.source_endpoint);
    for attribute in values(content)? {
        of_attribute(&mut decoded, &scales, relay.cluster, &attribute);
    }
    Ok(decoded)
}

/// What an attribute of a node is: a value, or what is kept as it is.
fn of_attribute(decoded: &mut Decoded, scales: &Scales, cluster: u16, attribute: &Attribute<'_>) {
    match (cluster, attribute.id, attribute.value) {
        (ON_OFF, 0x0000, Value::Bool(Some(is_closed))) => {
            put(decoded, "x.electricity.breaker.closed", f64::from(u8::from(is_closed)));
        }
        (IAS_ZONE, 0x0002, Value::Map16(status)) => {
            let is_open = status & ias_zone::ALARM_1 != 0;
            put(decoded, "x.contact.open", f64::from(u8::from(is_open)));
        }
        _ => match scales.convert(cluster, attribute) {
            Ok(Some(scaled)) => put_scaled(decoded, scaled),
            // The node has no value.
            Ok(None) => {}
            Err(ScaleError::NoQuantity { .. }) => decoded.is_configuration = true,
            Err(error) => decoded.unusable.push(error.to_string()),
        },
    }
}

fn put(decoded: &mut Decoded, name: &str, value: f64) {
    let Some(id) = MeasurementId::lookup(name) else { return };
    if decoded.measured.iter().all(|(known, _)| *known != id) {
        decoded.measured.push((id, value));
    }
}

/// Puts a value in the unit of messages. What flows back is another quantity, never negative.
fn put_scaled(decoded: &mut Decoded, Scaled { quantity, value, .. }: Scaled) {
    let name = match quantity {
        Quantity::EnergyDelivered => "electricity.energy.active.consumed.total",
        Quantity::EnergyReceived => "electricity.energy.active.injected.total",
        Quantity::ActivePower | Quantity::Demand if value < 0.0 => {
            "electricity.power.active.injected.total"
        }
        Quantity::ActivePower | Quantity::Demand => "electricity.power.active.consumed.total",
        Quantity::ReactivePower if value < 0.0 => "electricity.power.reactive.injected.total",
        Quantity::ReactivePower => "electricity.power.reactive.consumed.total",
        Quantity::ApparentPower => "electricity.power.apparent.total",
        Quantity::VoltageRms => "electricity.voltage.rms.l1",
        Quantity::CurrentRms => "electricity.current.rms.l1",
        Quantity::PowerFactor => "electricity.powerFactor.l1",
        Quantity::Frequency => "electricity.frequency",
        Quantity::Temperature => "x.room.temperature",
        Quantity::BatteryVoltage => "x.battery.voltage",
        Quantity::BatteryCharge => "x.battery.charge",
    };
    let is_signed = matches!(quantity, Quantity::Temperature | Quantity::PowerFactor);
    let value = if is_signed { value } else { value.abs() };
    let factor = MeasurementId::lookup(name).map_or(1.0, |id| id.row().si_factor);
    put(decoded, name, value / factor);
    // A power that flows one way does not flow the other.
    let (consumed, injected) = (".consumed.", ".injected.");
    if matches!(quantity, Quantity::ActivePower | Quantity::ReactivePower) {
        let is_consumed = name.contains(consumed);
        let (from, to) = if is_consumed { (consumed, injected) } else { (injected, consumed) };
        put(decoded, &name.replace(from, to), 0.0);
    }
}

/// A value for people and programs.
fn shown(value: &Value<'_>) -> Json {
    match (value.number(), value.text(), value) {
        (Some(number), ..) => json!(number),
        (None, Some(text), _) => json!(text),
        (None, None, Value::Octets(Some(bytes))) => {
            json!(bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
        }
        _ => Json::Null,
    }
}

fn word(status: Status) -> String {
    status.name().map_or_else(|| format!("status 0x{:02X}", status.0), ToOwned::to_owned)
}

/// A number as a value of a type.
fn value_of(kind: Type, number: i64) -> Result<Value<'static>, String> {
    let wrong = || format!("{number} is none of the attribute's type {kind}");
    let small =
        |bits: u32| (0..1_i64 << bits).contains(&number).then_some(number).ok_or_else(wrong);
    Ok(match kind {
        Type::Bool => Value::Bool(Some(small(1)? != 0)),
        Type::Map8 => Value::Map8(small(8)? as u8),
        Type::Map16 => Value::Map16(small(16)? as u16),
        Type::Map32 => Value::Map32(small(32)? as u32),
        Type::U8 => Value::U8(Some(small(8)? as u8)),
        Type::U16 => Value::U16(Some(small(16)? as u16)),
        Type::U24 => Value::U24(Some(small(24)? as u32)),
        Type::U32 => Value::U32(Some(small(32)? as u32)),
        Type::U48 => Value::U48(Some(small(48)? as u64)),
        Type::I8 => Value::I8(Some(i8::try_from(number).map_err(|_| wrong())?)),
        Type::I16 => Value::I16(Some(i16::try_from(number).map_err(|_| wrong())?)),
        Type::I24 if (-(1 << 23)..1 << 23).contains(&number) => Value::I24(Some(number as i32)),
        Type::I32 => Value::I32(Some(i32::try_from(number).map_err(|_| wrong())?)),
        Type::Enum8 => Value::Enum8(Some(small(8)? as u8)),
        Type::Enum16 => Value::Enum16(Some(small(16)? as u16)),
        _ => return Err(wrong()),
    })
}

fn encode(context: &NodeContext, order: &Order<'_>) -> Result<Frames, String> {
    // One arm for each command of the network's specification.
    let number = |parameter: &Parameter| order.number(parameter).map(Option::unwrap_or_default);
    let endpoint = order.number(&ENDPOINT)?.unwrap_or(1) as u8;
    let global = |command| Header::global(Direction::ToServer, order.sequence, command);
    let attribute_of = || -> Result<(u16, u16), String> {
        Ok((number(&CLUSTER)? as u16, number(&ATTRIBUTE)? as u16))
    };
    let row_of = |cluster, id| {
        let unknown = || format!("attribute 0x{id:04X} of cluster 0x{cluster:04X} is not known");
        attribute(cluster, id).ok_or_else(unknown)
    };
    let (cluster, frame) = match order.command {
        "setBreaker" => (ON_OFF, breaker(order)?.frame(order.sequence)),
        "on" => (ON_OFF, OnOff::On.frame(order.sequence)),
        "off" => (ON_OFF, OnOff::Off.frame(order.sequence)),
        "toggle" => (ON_OFF, OnOff::Toggle.frame(order.sequence)),
        "readAttribute" => {
            let (cluster, id) = attribute_of()?;
            let frame = global(command::READ).with_records(&[AttributeId(id)]);
            (cluster, frame.map_err(|error| error.to_string())?)
        }
        "writeAttribute" => {
            let (cluster, id) = attribute_of()?;
            let value = value_of(row_of(cluster, id)?.kind, number(&VALUE)?)?;
            let frame = global(command::WRITE).with_records(&[Attribute { id, value }]);
            (cluster, frame.map_err(|error| error.to_string())?)
        }
        "setReporting" => {
            let (cluster, id) = attribute_of()?;
            let kind = row_of(cluster, id)?.kind;
            let change = if kind.is_analog() {
                Reportable::Change(value_of(kind, number(&CHANGE)?)?)
            } else {
                Reportable::Any(kind)
            };
            let (min_s, max_s) = (number(&MIN_S)? as u16, number(&MAX_S)? as u16);
            let record = ReportingRecord::Send { id, min_s, max_s, change };
            let frame = global(command::CONFIGURE_REPORTING).with_records(&[record]);
            (cluster, frame.map_err(|error| error.to_string())?)
        }
        "calibrate" => {
            let (channel, gain) = (number(&CHANNEL)? as u8, number(&GAIN)? as u32);
            let record = CalibrationWrite { channel, gain, offset: number(&OFFSET)? as i32 };
            let header =
                Header::cluster(Direction::ToServer, order.sequence, plug::CALIBRATION_WRITE);
            let frame = header.of_manufacturer(plug::MANUFACTURER).with_records(&[record]);
            (PLUG, frame.map_err(|error| error.to_string())?)
        }
        other => return Err(format!("nodes of this type have no command `{other}`")),
    };
    Ok(vec![relayed(context, (endpoint, cluster), order.sequence, &frame)])
}

/// What the command that every device has is for a plug.
fn breaker(order: &Order<'_>) -> Result<OnOff, String> {
    match order.arguments.get("state").map(String::as_str) {
        Some("open") => Ok(OnOff::Off),
        Some("closed") => Ok(OnOff::On),
        _ => Err("`state` has to be `open` or `closed`".to_owned()),
    }
}

/// A frame with the addresses of its node.
fn relayed(
    context: &NodeContext,
    (endpoint, cluster): (u8, u16),
    counter: u8,
    frame: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(lastmeter_zigbee::relay::HEADER_LENGTH + frame.len());
    Relay {
        short: lastmeter_zigbee::address::ShortAddress(context.address),
        eui64: lastmeter_zigbee::address::Eui64(context.node),
        source_endpoint: OWN_ENDPOINT,
        destination_endpoint: endpoint,
        profile: PROFILE_HOME_AUTOMATION,
        cluster,
        lqi: 0,
        aps_counter: counter,
        frame,
    }
    .encode(&mut out);
    out
}

/// The keys of a gateway's configuration, as `docs/gateway-protocol.md` has them.
fn settings(options: &BTreeMap<String, Json>) -> Settings {
    let number = |name: &str| options.get(name).and_then(Json::as_u64);
    let mut settings = Vec::new();
    settings.extend(number("channel").map(|channel| (1, vec![channel as u8])));
    settings.extend(number("networkId").map(|id| (2, (id as u16).to_be_bytes().to_vec())));
    settings.extend(number("securityLevel").map(|level| (3, vec![level as u8])));
    settings
}
