//! The gateway of a ZigBee home: its coordinator, and what nodes send carried unread to the
//! platform's dispatcher.
//!
//! What is numbered goes out only once the gateway's state is durable, so that a restart repeats
//! numbers with their content. A message is opcode and payload of a packet; its number is epoch
//! (upper 32 bits) and sequence of the packet, plus one, 0 of what is not numbered. An
//! acknowledgement is of all up to its number.

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use lastmeter_params::{Diagnostics, Entry, Field, Kind, Values};
use lastmeter_units::{HardwareId, SimTime};
use lastmeter_zigbee::address::Eui64;
use lastmeter_zigbee::gateway::{GatewayConfig, GatewaySnapshot, TransparentGateway};
use lastmeter_zigbee::network::{RadioFrame, Snapshot};
use lastmeter_zigbee::opcode::Opcode;
use lastmeter_zigbee::payload::{Delivered, Down, Up};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

use super::kind::{DispatcherUplink, GatewayContext, GatewayKind};
use super::{Gateway, GatewayEventKind, GatewayInput, GatewayOutput, Out, event};
use crate::model::smart_plug::{derived, eui_of};

/// The first 32 bits of addresses that are derived from names: of a maker of coordinators.
const MAKER: u64 = 0x0012_4B00;
/// Bits per second of the radio at 2.4 GHz (IEEE 802.15.4).
const BITS_PER_SECOND: u32 = 250_000;

static FIELDS: [Field; 2] = [
    Field::optional(
        "eui64",
        Kind::Text,
        "The EUI-64 of its coordinator, which is also the gateway's address: eight bytes in \
         hexadecimal with colons; left out, it follows from its name.",
    ),
    Field::default(
        "outbox_bytes",
        Kind::Integer { min: 1_000, max: 1_000_000_000 },
        "1000000",
        "Room for what waits for the platform; what has none is lost, and seen as a gap.",
    ),
];

pub(super) const ZIGBEE_GATEWAY: GatewayKind = GatewayKind {
    entry: Entry {
        name: "zigbee-gateway",
        summary: "transparent gateway of a ZigBee home: coordinator, packets to the dispatcher",
        description: "The coordinator of a radio network, which nodes join by themselves. What \
            they send goes unread to the platform's door `gateways`, in encrypted packets over a \
            connection that the gateway opens; what has not arrived there survives a restart. \
            The bench registers the network, gives the gateway its key, and registers the nodes \
            of the scenario once the platform has recognised them.",
        fields: &FIELDS,
    },
    networks: &["zigbee"],
    files: &[],
    live: |_| None,
    flows: |_, _| Vec::new(),
    devices: |_, _| Vec::new(),
    dispatcher: Some(DispatcherUplink {
        network_type: "zigbee",
        address: |values, id| address_of(values, id).map(|address| address.0),
    }),
    build: |values, context, kept, diagnostics| {
        let made = ZigbeeGateway::new(values, context, kept, diagnostics)?;
        Some(Box::new(made))
    },
};

fn address_of(values: &Values, id: &HardwareId) -> Option<Eui64> {
    match values.text_opt("eui64") {
        Some(text) => eui_of(text),
        None => Some(derived(MAKER, id)),
    }
}

/// How much content there has been before the first record.
const NOT_BEGUN: u64 = u64::MAX;

/// The head of what outlasts a restart; what waits for the platform stands behind it. There is a
/// record for each frame of a node, so it is compact.
#[derive(Serialize, Deserialize)]
struct Kept {
    number: u64,
    network: Snapshot,
    delivered: (u32, u32),
}

impl Kept {
    fn record(&self, outbox: &[u8]) -> Vec<u8> {
        // It has no errors of its own: it grows as it is written.
        let mut record = postcard::to_stdvec(self).unwrap_or_default();
        record.extend_from_slice(outbox);
        record
    }

    fn read(record: &[u8]) -> Option<(Self, Vec<u8>)> {
        let (kept, outbox) = postcard::take_from_bytes(record).ok()?;
        Some((kept, outbox.to_vec()))
    }
}

struct ZigbeeGateway {
    machine: TransparentGateway,
    config: GatewayConfig,
    /// What was kept before a restart, until it begins.
    before: Option<GatewaySnapshot>,
    id: HardwareId,
    start: SimTime,
    /// The place of each node among those of the scenario.
    lanes: BTreeMap<Eui64, usize>,
    stream: ChaCha8Rng,
    /// Up to where the platform has all on disk.
    delivered: Delivered,
    is_connected: bool,
    /// How much content there has been as of the last record, and the record's number.
    kept: (u64, u64),
    is_durable: bool,
}

impl ZigbeeGateway {
    fn new(
        values: &Values,
        context: &GatewayContext<'_>,
        kept: &[Vec<u8>],
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let Some(address) = address_of(values, &context.hardware_id) else {
            crate::model::smart_plug::report_no_eui(values, diagnostics);
            return None;
        };
        let outbox_bytes = usize::try_from(values.integer("outbox_bytes")).unwrap_or(usize::MAX);
        let config = GatewayConfig { outbox_bytes, ..GatewayConfig::new(address) };
        let last = kept.last().and_then(|record| Kept::read(record));
        let number = last.as_ref().map_or(0, |(kept, _)| kept.number);
        let (epoch, next) = last.as_ref().map_or((0, 0), |(kept, _)| kept.delivered);
        let mut machine = TransparentGateway::new(config);
        machine.permit_joining(SimTime(i64::MAX));
        let devices = context.networks.iter().flat_map(|network| &network.devices).enumerate();
        let lane =
            |(lane, (_, address)): (usize, &(HardwareId, String))| Some((eui_of(address)?, lane));
        Some(Self {
            machine,
            config,
            before: last.map(|(Kept { network, .. }, outbox)| GatewaySnapshot { network, outbox }),
            id: context.hardware_id.clone(),
            start: context.start,
            lanes: devices.filter_map(lane).collect(),
            stream: context.streams.stream(&format!("gateway/{}", context.name)),
            delivered: Delivered { epoch, next },
            is_connected: false,
            kept: (NOT_BEGUN, number),
            is_durable: false,
        })
    }

    fn take(&mut self, now: SimTime, payload: &[u8], out: &mut Out) {
        let read = payload.split_first_chunk().and_then(|(code, rest)| {
            let opcode = Opcode::of(u16::from_be_bytes(*code))?;
            Down::read(opcode, rest)?.ok()
        });
        if let Some(down) = read {
            self.machine.take(now, &down);
        } else {
            let detail = format!("{} bytes that are no packet of a platform", payload.len());
            event(out, GatewayEventKind::InputRefused, detail);
        }
    }

    /// Hands out what is to be sent, and first what has to be durable before.
    fn flush(&mut self, out: &mut Out) {
        while let Some(frame) = self.machine.transmit() {
            let lane = match frame.destination_eui {
                None => None,
                // Whoever it is, it is no node of this scenario.
                Some(eui) => match self.lanes.get(&eui) {
                    Some(&lane) => Some(lane),
                    None => continue,
                },
            };
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            let bits_per_second = BITS_PER_SECOND;
            out.push(GatewayOutput::Bytes { network: 0, lane, bits_per_second, bytes });
        }
        let numbered = self.machine.numbered();
        if numbered != self.kept.0 {
            let delivered = (self.delivered.epoch, self.delivered.next);
            let number = self.kept.1 + 1;
            let GatewaySnapshot { network, outbox } = self.machine.snapshot();
            let record = Kept { number, network, delivered }.record(&outbox);
            (self.kept, self.is_durable) = ((numbered, number), false);
            out.push(GatewayOutput::Keep { number, record });
            if number > 1 {
                out.push(GatewayOutput::Forget { upto: number - 1 });
            }
        }
        while self.is_connected && self.is_durable {
            let Some((opcode, mut payload)) = self.machine.next_packet() else { break };
            let message = match Up::read(opcode, &payload) {
                Some(Ok(Up::Numbered(it))) => {
                    (u64::from(it.epoch) << 32 | u64::from(it.sequence)) + 1
                }
                _ => 0,
            };
            payload.splice(0..0, opcode.code().to_be_bytes());
            out.push(GatewayOutput::Send { message, owner: self.id.clone(), payload });
        }
    }
}

impl Gateway for ZigbeeGateway {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Out) {
        if let Some(before) = self.before.take() {
            self.machine = TransparentGateway::restart(self.config, before, now);
            self.machine.permit_joining(SimTime(i64::MAX));
        }
        match input {
            GatewayInput::Wake
            | GatewayInput::LineUp { .. }
            | GatewayInput::LineDown { .. }
            | GatewayInput::Answer(_)
            | GatewayInput::Page { .. } => {}
            // What is damaged is not received.
            GatewayInput::Bytes { bytes, .. } => {
                if let Ok(frame) = RadioFrame::decode(&bytes) {
                    let stream = &mut self.stream;
                    let random = &mut || (stream.next_u32() >> 16) as u16;
                    self.machine.receive(now, &frame, random);
                }
            }
            GatewayInput::Connected => {
                self.is_connected = true;
                self.machine.connected(self.delivered);
            }
            GatewayInput::Disconnected => self.is_connected = false,
            GatewayInput::Acknowledged { message } => {
                self.delivered = Delivered { epoch: (message >> 32) as u32, next: message as u32 };
                self.machine.take(now, &Down::Delivered(self.delivered));
            }
            GatewayInput::Command { payload, .. } => self.take(now, &payload, out),
            GatewayInput::Kept { number } => self.is_durable = number == self.kept.1,
            GatewayInput::Live { .. }
            | GatewayInput::Flow { .. }
            | GatewayInput::Frame { .. }
            | GatewayInput::Wire { .. } => {
                let detail = "a frame beside the radio network".to_owned();
                event(out, GatewayEventKind::InputRefused, detail);
            }
        }
        self.machine.step(now);
        self.flush(out);
    }

    fn wake_at(&self) -> Option<SimTime> {
        let begins = (self.kept.0 == NOT_BEGUN).then_some(self.start);
        self.machine.wake_at().into_iter().chain(begins).min()
    }

    fn unacknowledged(&self) -> usize {
        self.machine.unacknowledged()
    }
}

#[cfg(test)]
#[path = "transparent_tests.rs"]
mod tests;
