//! `can`: meters of the CAN metering network, behind a gateway that relays their frames unread.
//!
//! A relayed frame, big endian: address of the bus u64, identifier u16 (11 bits: register x 32 +
//! node), 0 to 8 bytes of data. What they mean is in the DBC file of the metering network, which
//! comes with the program; nothing has to be learned of a node. The address of a bus is an EUI-64
//! of its gateway's maker whose low five bits are 0; with the node's number in them it is the
//! address of a node, so those of two buses never meet.

use lastmeter_can::dbc::metering::metering_network;
use lastmeter_can::dbc::{Message, Rounding, Value};
use lastmeter_can::frame::{CanFrame, CanId};
use lastmeter_params::Entry;
use lastmeter_units::MeasurementId;

use super::{
    Answer, Declared, Decoded, FrameRefusal, Frames, NetworkType, NodeContext, Order, Origin,
};

pub(super) const CAN: NetworkType = NetworkType {
    entry: Entry {
        name: "can",
        summary: "meters of the CAN metering network",
        description: "Data frames of nodes 1 to 31 pass the gateway as they are. Values come by \
            the messages of the metering network's DBC file.",
        fields: &[],
    },
    code: 1,
    yields: &[
        declared("electricity.voltage.rms.l1", false, 1e-6),
        declared("electricity.current.rms.l1", false, 1e-6),
        declared(CONSUMED, false, 1e-9),
        declared(INJECTED, false, 1e-9),
        declared("electricity.power.apparent.total", false, 1e-6),
        declared("x.electricity.power.nonactive.total", false, 1e-6),
        declared("electricity.powerFactor.l1", false, 1e-6),
        declared("electricity.frequency", false, 1e-6),
        declared("electricity.energy.active.consumed.total", true, 1e-3 / 3.6e6),
        declared("electricity.energy.active.injected.total", true, 1e-3 / 3.6e6),
        declared("x.electricity.voltage.thd.l1", false, 1e-4),
        declared("x.electricity.current.thd.l1", false, 1e-4),
        declared("x.electricity.breaker.closed", false, 1.0),
    ],
    // The command that every device has reaches the switching unit.
    commands: &[],
    origin,
    learn: |_, _| None,
    accept: None,
    decode,
    encode,
    supply: None,
    settings: |_| Vec::new(),
};

/// Of a meter of class 1.
const fn declared(id: &'static str, is_counter: bool, resolution: f64) -> Declared {
    Declared { id, is_counter, resolution, accuracy_percent: 1.0 }
}

/// The bits of a node in an identifier, and in its address.
const NODE_BITS: u16 = 0x1F;
const CONSUMED: &str = "electricity.power.active.consumed.total";
const INJECTED: &str = "electricity.power.active.injected.total";

/// Signals of the DBC file and what they are called in messages; the active power has a sign.
const SIGNALS: &[(&str, &str)] = &[
    ("Voltage", "electricity.voltage.rms.l1"),
    ("Current", "electricity.current.rms.l1"),
    ("ActivePower", CONSUMED),
    ("ApparentPower", "electricity.power.apparent.total"),
    ("NonActivePower", "x.electricity.power.nonactive.total"),
    ("PowerFactor", "electricity.powerFactor.l1"),
    ("Frequency", "electricity.frequency"),
    ("ConsumedEnergy", "electricity.energy.active.consumed.total"),
    ("InjectedEnergy", "electricity.energy.active.injected.total"),
    ("VoltageDistortion", "x.electricity.voltage.thd.l1"),
    ("CurrentDistortion", "x.electricity.current.thd.l1"),
    ("State", "x.electricity.breaker.closed"),
];
/// Quantities whose ranges are narrower than what the file has for the bits of their signals.
const RANGES: &[(&str, (f64, f64))] = &[("PowerFactor", (-1.0, 1.0)), ("State", (0.0, 1.0))];

/// Messages that are answers to a poll, without any value: they are not kept.
const OF_POLLS: [&str; 4] = ["Freeze", "CompactFreeze", "Number", "CompactNumber"];

/// The address of the bus, and the frame.
fn parts(bytes: &[u8]) -> Result<(u64, CanFrame), FrameRefusal> {
    let short = || FrameRefusal::malformed(format!("{} bytes, expected 10 to 18", bytes.len()));
    let (bus, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    let (identifier, data) = rest.split_first_chunk().ok_or_else(short)?;
    let (bus, identifier) = (u64::from_be_bytes(*bus), u16::from_be_bytes(*identifier));
    if bus & u64::from(NODE_BITS) != 0 {
        let detail = format!("the bus {bus:016x}, expected an address whose low five bits are 0");
        return Err(FrameRefusal::malformed(detail));
    }
    let id = CanId::standard(identifier.into()).map_err(FrameRefusal::malformed)?;
    Ok((bus, CanFrame::data(id, data).map_err(FrameRefusal::malformed)?))
}

/// The number of the node that a frame is from, or 0 of an order to all.
fn node_of(frame: &CanFrame) -> u16 {
    frame.id().value() as u16 & NODE_BITS
}

fn refusal(reason: &'static str, frame: &CanFrame, why: &str) -> FrameRefusal {
    FrameRefusal { reason, detail: format!("frame {frame}: {why}") }
}

fn origin(bytes: &[u8]) -> Result<Origin, FrameRefusal> {
    let (bus, frame) = parts(bytes)?;
    let address = node_of(&frame);
    if address == 0 {
        return Err(refusal("not_of_a_node", &frame, "an order to all, expected a node's frame"));
    }
    Ok(Origin { node: Some(bus | u64::from(address)), address, signal: u8::MAX })
}

/// A compact frame of a bus without authentication, which ends behind its data, with the room that
/// the file has for freshness and tag.
fn lengthened(frame: &CanFrame) -> Option<CanFrame> {
    let data: [u8; 4] = frame.bytes().try_into().ok()?;
    let mut all = [0; 8];
    all[..4].copy_from_slice(&data);
    CanFrame::data(frame.id(), &all).ok()
}

fn decode(_: &NodeContext, bytes: &[u8]) -> Result<Decoded, FrameRefusal> {
    let (_, frame) = parts(bytes)?;
    let network = metering_network();
    let Some(message) = network.message(frame.id()) else {
        let why = "the metering network has no message with this identifier";
        return Err(refusal("unknown_identifier", &frame, why));
    };
    let whole = if message.name.contains("_Compact") { lengthened(&frame) } else { None };
    let read = whole.as_ref().unwrap_or(&frame);
    if read.dlc() != message.dlc {
        let (found, expected) = (frame.dlc(), message.dlc);
        let why = format!("{found} bytes of data, expected {expected} of {}", message.name);
        return Err(refusal("wrong_length", &frame, &why));
    }
    let values = network.decode(read);
    let values = values.map_err(|error| refusal("malformed_frame", &frame, &error.to_string()))?;
    let mut decoded = Decoded::default();
    for value in &values {
        let Some((_, id)) = SIGNALS.iter().find(|(signal, _)| *signal == value.name) else {
            continue;
        };
        match out_of_range(message, value) {
            Some((least, most)) => decoded.unusable.push(format!(
                "frame {frame}: {} is {}, expected {least} to {most}",
                value.name, value.value
            )),
            None => put(&mut decoded, id, value.value),
        }
    }
    let is_of_poll = OF_POLLS.iter().any(|kind| message.name.ends_with(&format!("_{kind}")));
    let has_values = !decoded.measured.is_empty() || !decoded.unusable.is_empty();
    decoded.is_configuration = !has_values && !is_of_poll;
    if let (true, [state, token, ..]) = (message.name.ends_with("_Switch"), frame.bytes()) {
        let text = if *state == 1 { "closed" } else { "open" }.to_owned();
        decoded.answer =
            Some(Answer { sequence: *token, text }).filter(|_| decoded.unusable.is_empty());
    }
    Ok(decoded)
}

/// What a value had to be within, where it is not: bounds of the file have been rounded.
fn out_of_range(message: &Message, value: &Value<'_>) -> Option<(f64, f64)> {
    let signal = message.signals.iter().find(|signal| signal.name == value.name)?;
    let own = RANGES.iter().find(|(name, _)| *name == value.name).map(|(_, range)| *range);
    let (least, most) = own.or(signal.range)?;
    let margin = signal.factor.abs() / 2.0;
    let is_within = (least - margin..=most + margin).contains(&value.value);
    (!is_within).then_some((least, most))
}

/// Puts a value in the unit of messages; of an active power that flows back the other direction.
fn put(decoded: &mut Decoded, name: &'static str, value: f64) {
    let is_power = name == CONSUMED;
    let both = [(CONSUMED, value.max(0.0)), (INJECTED, (-value).max(0.0))];
    let values = if is_power { &both[..] } else { &[(name, value)] };
    for (name, value) in values {
        let Some(id) = MeasurementId::lookup(name) else { continue };
        decoded.measured.push((id, value / id.row().si_factor));
    }
}

fn encode(context: &NodeContext, order: &Order<'_>) -> Result<Frames, String> {
    if order.command != "setBreaker" {
        return Err(format!("nodes of this type have no command `{}`", order.command));
    }
    let state = match order.arguments.get("state").map(String::as_str) {
        Some("open") => 0.0,
        Some("closed") => 1.0,
        _ => return Err("`state` has to be `open` or `closed`".to_owned()),
    };
    let message = format!("Node{}_Switch", context.address);
    let values = [("State", state), ("Token", order.sequence.into())];
    let frame = metering_network().encode(&message, &values, Rounding::Error);
    let frame = frame.map_err(|error| error.to_string())?;
    let bus = context.node & !u64::from(NODE_BITS);
    let identifier = frame.id().value() as u16;
    Ok(vec![[&bus.to_be_bytes()[..], &identifier.to_be_bytes(), frame.bytes()].concat()])
}
