//! What the devices on a radio network share: when the node is off, away or frozen, how its
//! readings become frames, and what it hands over.
//!
//! A reading is announced when its report is sent. While the node is no member of its network none
//! is: nobody would learn how old a value was that had to wait.

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use lastmeter_sim::ReferenceSpan;
use lastmeter_units::{Epoch, Serial, SimTime};
use lastmeter_zigbee::network::{ApsFrame, NodeEvent, RadioFrame};
use rand::Rng as _;

use super::{event, named};
use crate::border::{DeviceFault, EventKind, Output};
use crate::zigbee::{Application, ZigbeeNode};

/// Bits per second of the radio at 2.4 GHz (IEEE 802.15.4).
const BITS_PER_SECOND: u32 = 250_000;

/// A node as a device of the bench.
#[derive(Debug)]
pub(crate) struct NodeShell<A> {
    pub(crate) node: ZigbeeNode<A>,
    start: SimTime,
    /// For the pauses of its radio.
    stream: ChaCha8Rng,
    serial: u64,
    /// How many readings are still to be made and not sent.
    skip: u32,
    frozen_until: Option<SimTime>,
    /// Until when it is no member of its network on purpose, and whether it is off.
    away: Option<(SimTime, bool)>,
}

impl<A: Application> NodeShell<A> {
    /// A node that begins to join at the start.
    pub(crate) fn new(mut node: ZigbeeNode<A>, start: SimTime, stream: ChaCha8Rng) -> Self {
        node.radio.join(start);
        Self { node, start, stream, serial: 1, skip: 0, frozen_until: None, away: None }
    }

    /// Event time of the scenario's start.
    pub(crate) fn start(&self) -> SimTime {
        self.start
    }

    /// Its address on the radio network.
    pub(crate) fn address(&self) -> String {
        self.node.radio.config().eui.to_string()
    }

    /// Whether it is off on purpose.
    pub(crate) fn is_off(&self) -> bool {
        self.away.is_some_and(|(_, is_silent)| is_silent)
    }

    /// Whether nothing comes of what it senses and hears.
    pub(crate) fn is_frozen(&mut self, at: SimTime) -> bool {
        self.frozen_until = self.frozen_until.filter(|&until| at < until);
        self.frozen_until.is_some()
    }

    /// Lets time pass for its radio.
    pub(crate) fn pass(&mut self, now: SimTime) -> Vec<NodeEvent> {
        if let Some((until, is_silent)) = self.away.filter(|(until, _)| *until <= now) {
            self.away = None;
            if is_silent {
                self.node.radio.restart(until);
            } else {
                self.node.radio.join(until);
            }
        }
        if self.is_off() {
            return Vec::new();
        }
        let stream = &mut self.stream;
        self.node.step(now, &mut || (stream.next_u32() >> 16) as u16)
    }

    /// What is heard on the air; what is damaged is not received.
    pub(crate) fn hear(&mut self, now: SimTime, bytes: &[u8]) -> Vec<NodeEvent> {
        let is_deaf = self.is_off() || self.is_frozen(now);
        match RadioFrame::decode(bytes) {
            Ok(frame) if !is_deaf => self.node.receive(now, &frame),
            _ => Vec::new(),
        }
    }

    /// The held reports of its reading that is due; none while it is no member of its network.
    pub(crate) fn take_frames(&mut self, at: SimTime, out: &mut Vec<Output>) -> Vec<ApsFrame> {
        let frames = if self.is_off() { Vec::new() } else { self.node.take_held(at) };
        if frames.is_empty() && self.away.is_none() {
            event(out, EventKind::ReadingLeftOut, "it is no member of its network");
        }
        frames
    }

    /// Makes a reading of these frames and sends it, unless it is to be skipped.
    pub(crate) fn report(
        &mut self,
        at: SimTime,
        span: ReferenceSpan,
        values: BTreeMap<String, f64>,
        frames: Vec<ApsFrame>,
        out: &mut Vec<Output>,
    ) {
        let (epoch, serial) = (Epoch(1), Serial(self.serial));
        self.serial += 1;
        out.push(Output::Reading { epoch, serial, at, span });
        let payloads = frames.iter().map(|frame| frame.payload.clone()).collect();
        out.push(Output::Reported { values, frames: payloads });
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        for frame in frames {
            self.node.send(at, frame);
        }
    }

    /// Writes down what became of the node; whether it has joined its network.
    pub(crate) fn record(events: Vec<NodeEvent>, out: &mut Vec<Output>) -> bool {
        let mut has_joined = false;
        for happened in events {
            match happened {
                NodeEvent::Undelivered(_, why) => {
                    let detail = format!("a frame over the radio: {why:?}");
                    event(out, EventKind::ReadingLeftOut, &detail);
                }
                NodeEvent::Joined(address) | NodeEvent::Rejoined { to: address, .. } => {
                    event(out, EventKind::Joined, &address.to_string());
                    has_joined = true;
                }
                NodeEvent::Left => event(out, EventKind::Left, ""),
                _ => {}
            }
        }
        has_joined
    }

    /// Hands over what its radio sends.
    pub(crate) fn transmit(&mut self, now: SimTime, out: &mut Vec<Output>) {
        while let Some(frame) = self.node.radio.transmit() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            out.push(Output::Transmit { at: now, bits_per_second: BITS_PER_SECOND, bytes });
        }
    }

    /// Something goes wrong on purpose that can at any node; what it is for the record, or why it
    /// cannot.
    pub(crate) fn fault(
        &mut self,
        now: SimTime,
        fault: &DeviceFault,
    ) -> Result<String, &'static str> {
        match *fault {
            DeviceFault::RenumberReading | DeviceFault::UnknownIdentifier => {
                return Err("a node's reports have no identifiers, and are numbered once");
            }
            DeviceFault::Away { until, is_silent } => {
                self.away = Some((until, is_silent));
                if !is_silent {
                    self.node.radio.leave(now);
                }
                let how = if is_silent { "silent" } else { "leaves" };
                return Ok(format!("{how} until {until}"));
            }
            DeviceFault::SkipReading { count } => self.skip = self.skip.saturating_add(count),
            DeviceFault::Freeze { until } => {
                self.frozen_until = Some(until.unwrap_or(SimTime(i64::MAX)));
            }
            _ => {}
        }
        named(fault)
    }

    /// When it has to be woken at the latest if its next reading is due at an instant.
    pub(crate) fn wake_at(&self, next_reading: SimTime) -> Option<SimTime> {
        let radio = self.node.next().filter(|_| !self.is_off());
        let back = self.away.map(|(until, _)| until);
        radio.into_iter().chain(back).chain([next_reading]).min()
    }
}
