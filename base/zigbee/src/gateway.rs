//! A transparent gateway: the coordinator of a radio network on one side, packets for the platform
//! on the other.
//!
//! It carries nodes' frames unread. What decides whose a frame is (joined, left, another address)
//! goes up with the frames in one order, numbered and kept until the platform has it on disk;
//! orders go down to their node and report what became of them. Sans-I/O: frames, packets and
//! times come in, frames and packets go out; the connection itself is [`crate::session`].

use std::collections::{BTreeMap, VecDeque};

use lastmeter_units::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

use crate::address::Eui64;
use crate::delivery::Outbox;
use crate::network::{
    ApsFrame, Coordinator, CoordinatorConfig, Event, Handle, RadioFrame, Random, SendError,
    Snapshot,
};
use crate::opcode::Opcode;
use crate::payload::{
    Content, Counter, Delivered, Down, NodeEntry, OrderState, Setting, Up, setting,
};
use crate::relay::Relay;

/// The number of ZigBee among the types of networks.
pub const NETWORK_TYPE: u8 = 0;
/// Numbered packets that are sent before the first of them is on the platform's disk.
const UNDER_WAY: usize = 64;
/// Link quality where the radio does not measure any.
const LINK_QUALITY: u8 = 255;

/// What a gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Its coordinator.
    pub coordinator: CoordinatorConfig,
    /// Room for what waits for the platform, in bytes.
    pub outbox_bytes: usize,
    /// The radio channel, 11 to 26.
    pub channel: u8,
    /// The network's id.
    pub network_id: u16,
    /// The security level of the network, 0 to 7.
    pub security_level: u8,
}

impl GatewayConfig {
    /// The usual: channel 15, security level 5, a megabyte of room.
    pub const fn new(coordinator: Eui64) -> Self {
        Self {
            coordinator: CoordinatorConfig::new(coordinator),
            outbox_bytes: 1 << 20,
            channel: 15,
            network_id: 0x1A2B,
            security_level: 5,
        }
    }
}

/// What outlasts a restart of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewaySnapshot {
    /// Of its coordinator.
    pub network: Snapshot,
    /// What waits for the platform, as [`Outbox::to_bytes`] has it.
    pub outbox: Vec<u8>,
}

/// A gateway whose network is transparent to the platform.
#[derive(Debug)]
pub struct TransparentGateway {
    config: GatewayConfig,
    coordinator: Coordinator,
    outbox: Outbox,
    /// Whether nodes sleep, by their addresses for life.
    sleeps: BTreeMap<Eui64, bool>,
    /// Orders under way to their nodes.
    orders: BTreeMap<Handle, u64>,
    /// Packets that are of use over this connection only.
    answers: VecDeque<(Opcode, Vec<u8>)>,
    counters: [u32; Counter::ALL.len()],
    is_restart_wanted: bool,
}

impl TransparentGateway {
    /// One with an empty network.
    pub fn new(config: GatewayConfig) -> Self {
        let coordinator = Coordinator::new(config.coordinator);
        Self::with(config, coordinator, Outbox::new(config.outbox_bytes))
    }

    /// One that starts again from what it kept. What waited for sleeping nodes is gone, and the
    /// platform is given the whole table of nodes, ahead of what they send from now on.
    pub fn restart(config: GatewayConfig, kept: GatewaySnapshot, now: SimTime) -> Self {
        let entries = kept.network.nodes.iter().map(|node| NodeEntry {
            node: node.node,
            address: node.address,
            sleeps: !node.capability.listens_when_idle(),
        });
        let table: Vec<NodeEntry> = entries.collect();
        let coordinator = Coordinator::restart(config.coordinator, kept.network, now);
        let outbox = Outbox::from_bytes(&kept.outbox, config.outbox_bytes)
            .unwrap_or_else(|| Outbox::new(config.outbox_bytes));
        let mut started = Self::with(config, coordinator, outbox);
        started.sleeps = table.iter().map(|entry| (entry.node, entry.sleeps)).collect();
        started.outbox.put(unix_s(now), &Content::NodeTable(table));
        started
    }

    fn with(config: GatewayConfig, coordinator: Coordinator, outbox: Outbox) -> Self {
        Self {
            config,
            coordinator,
            outbox,
            sleeps: BTreeMap::new(),
            orders: BTreeMap::new(),
            answers: VecDeque::new(),
            counters: [0; Counter::ALL.len()],
            is_restart_wanted: false,
        }
    }

    /// What outlasts a restart, as of now.
    pub fn snapshot(&self) -> GatewaySnapshot {
        let outbox = self.outbox.to_bytes();
        GatewaySnapshot { network: self.coordinator.snapshot(), outbox }
    }

    /// Whether the platform wants it to restart.
    pub fn is_restart_wanted(&self) -> bool {
        self.is_restart_wanted
    }

    /// New nodes may join before this instant.
    pub fn permit_joining(&mut self, until: SimTime) {
        self.coordinator.permit_joining(until);
    }

    /// Takes a frame of the network that was received now.
    pub fn receive(&mut self, now: SimTime, frame: &RadioFrame, random: Random<'_>) {
        self.coordinator.receive(now, frame, random);
        self.gather(now);
    }

    /// Lets time pass in the network.
    pub fn step(&mut self, now: SimTime) {
        self.coordinator.step(now);
        self.gather(now);
    }

    /// When [`Self::step`] has something to do.
    pub fn wake_at(&self) -> Option<SimTime> {
        self.coordinator.next()
    }

    /// The next frame for the network to send now.
    pub fn transmit(&mut self) -> Option<RadioFrame> {
        self.coordinator.transmit()
    }

    /// A connection to the platform is there: what it has on disk is known.
    pub fn connected(&mut self, delivered: Delivered) {
        self.count(Counter::Connections);
        // Nobody waits for answers to questions of the connection before.
        self.answers.clear();
        self.outbox.connected(delivered);
    }

    /// Takes a packet of the platform.
    pub fn take(&mut self, now: SimTime, down: &Down<'_>) {
        match down {
            // The connection itself has taken the time.
            Down::Time => {}
            Down::Delivered(delivered) => self.outbox.delivered(*delivered),
            Down::Order { order, network_type: NETWORK_TYPE, frame } => {
                self.order(now, *order, frame);
            }
            // The program images of gateways are not simulated: nothing of one is ever there.
            Down::FirmwareBlock { image, .. } => {
                self.count(Counter::Refused);
                self.answer(&Up::FirmwareStatus { image: *image, bytes: 0 });
            }
            Down::Order { .. } => self.count(Counter::Refused),
            Down::ReadConfiguration => self.answer_configuration(),
            Down::WriteConfiguration(settings) => {
                for setting in settings {
                    if !self.configure(now, setting) {
                        self.count(Counter::Refused);
                    }
                }
                self.answer_configuration();
            }
            Down::Restart => self.is_restart_wanted = true,
            Down::ReadDiagnostics => {
                let mut counters = self.counters;
                counters[Counter::Waiting as usize] = saturated(self.outbox.len() as u64);
                counters[Counter::Lost as usize] = saturated(self.outbox.lost());
                self.answer(&Up::Diagnostics(counters));
            }
        }
    }

    /// The next packet for the platform, while a connection is there: its opcode and payload.
    pub fn next_packet(&mut self) -> Option<(Opcode, Vec<u8>)> {
        let answer = self.answers.pop_front();
        answer.or_else(|| {
            let waiting = self.outbox.next_to_send(UNDER_WAY)?;
            Some((waiting.opcode, waiting.payload.clone()))
        })
    }

    /// How much content for the platform there has been: it rises with each, and when an epoch
    /// begins. Everything that changes who is a member is such content.
    pub fn numbered(&self) -> u64 {
        self.outbox.numbered()
    }

    /// Packets that are not on the platform's disk.
    pub fn unacknowledged(&self) -> usize {
        self.outbox.len()
    }

    fn count(&mut self, counter: Counter) {
        let count = &mut self.counters[counter as usize];
        *count = count.saturating_add(1);
    }

    fn answer(&mut self, up: &Up<'_>) {
        let mut payload = Vec::new();
        up.write(&mut payload);
        self.answers.push_back((up.opcode(), payload));
    }

    fn answer_configuration(&mut self) {
        let GatewayConfig { channel, network_id, security_level, .. } = self.config;
        let setting = |key, value| Setting { key, value };
        let network_id = network_id.to_be_bytes();
        self.answer(&Up::Configuration(vec![
            setting(setting::CHANNEL, &[channel]),
            setting(setting::NETWORK_ID, &network_id),
            setting(setting::SECURITY_LEVEL, &[security_level]),
        ]));
    }

    /// Changes a setting; false if it is none, or its value is out of range.
    fn configure(&mut self, now: SimTime, setting: &Setting<'_>) -> bool {
        match (setting.key, setting.value) {
            (setting::CHANNEL, &[channel @ 11..=26]) => self.config.channel = channel,
            (setting::NETWORK_ID, &[high, low]) => {
                self.config.network_id = u16::from_be_bytes([high, low]);
            }
            (setting::SECURITY_LEVEL, &[level @ 0..=7]) => self.config.security_level = level,
            (setting::PERMIT_JOIN, &[u8::MAX]) => self.permit_joining(SimTime(i64::MAX)),
            (setting::PERMIT_JOIN, &[seconds]) => {
                self.permit_joining(now + SimDuration::from_seconds(i64::from(seconds)));
            }
            _ => return false,
        }
        true
    }

    /// Gives a node the frame of an order.
    fn order(&mut self, now: SimTime, order: u64, frame: &[u8]) {
        self.count(Counter::FramesDown);
        let Ok(relay) = Relay::decode(frame) else {
            self.count(Counter::Refused);
            return self.answer(&Up::OrderResult { order, state: OrderState::UnknownNode });
        };
        let aps = ApsFrame {
            profile: relay.profile,
            cluster: relay.cluster,
            source_endpoint: relay.source_endpoint,
            destination_endpoint: relay.destination_endpoint,
            payload: relay.frame.to_vec(),
        };
        let state = match self.coordinator.send(now, relay.eui64, aps) {
            Ok(handle) => {
                self.orders.insert(handle, order);
                OrderState::Waiting
            }
            Err(SendError::Unknown) => OrderState::UnknownNode,
            Err(_) => OrderState::Full,
        };
        self.answer(&Up::OrderResult { order, state });
        self.gather(now);
    }

    /// Takes what happened in the network.
    fn gather(&mut self, now: SimTime) {
        while let Some(event) = self.coordinator.event() {
            self.happened(unix_s(now), event);
        }
    }

    fn happened(&mut self, now_s: u32, event: Event) {
        match event {
            Event::Joined { node, address, capability } => {
                let sleeps = !capability.listens_when_idle();
                self.sleeps.insert(node, sleeps);
                let entry = NodeEntry { node, address, sleeps };
                self.outbox.put(now_s, &Content::NodeJoined(entry));
            }
            Event::AddressChanged { node, to: address, .. } => {
                let sleeps = self.sleeps.get(&node).copied().unwrap_or_default();
                let entry = NodeEntry { node, address, sleeps };
                self.outbox.put(now_s, &Content::NodeChanged(entry));
            }
            Event::Left { node, .. } => {
                self.sleeps.remove(&node);
                self.outbox.put(now_s, &Content::NodeLeft(node));
            }
            Event::Received { node, address, aps_counter, aps } => {
                self.count(Counter::FramesUp);
                let mut frame = Vec::with_capacity(crate::relay::HEADER_LENGTH + aps.payload.len());
                let relay = Relay {
                    short: address,
                    eui64: node,
                    source_endpoint: aps.source_endpoint,
                    destination_endpoint: aps.destination_endpoint,
                    profile: aps.profile,
                    cluster: aps.cluster,
                    lqi: LINK_QUALITY,
                    aps_counter,
                    frame: &aps.payload,
                };
                relay.encode(&mut frame);
                let content = Content::Relay { network_type: NETWORK_TYPE, frame: &frame };
                self.outbox.put(now_s, &content);
            }
            Event::Delivered(handle) => self.settle(handle, OrderState::Delivered),
            Event::Undelivered(handle, _) => self.settle(handle, OrderState::Unreachable),
            // The platform notices silence by itself, and who may not join is no node of it; both
            // addresses of a conflict change, which is reported as such.
            Event::Lost(_) | Event::Back(_) | Event::Conflict { .. } | Event::Refused(..) => {}
        }
    }

    /// An order is done with.
    fn settle(&mut self, handle: Handle, state: OrderState) {
        if let Some(order) = self.orders.remove(&handle) {
            self.answer(&Up::OrderResult { order, state });
        }
    }
}

fn saturated(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn unix_s(now: SimTime) -> u32 {
    u32::try_from(now.0.div_euclid(1_000_000_000)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
