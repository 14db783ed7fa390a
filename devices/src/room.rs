//! A sensor of a room on a ZigBee network, as a device: what it senses goes out by its node.
//!
//! A reading is two frames: a report of the temperature and the status of its contact. While the
//! sensor is no member of its network none is made. That its contact opened or closed it sends
//! besides, at once; where it is no member, as soon as it is one again.

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use lastmeter_sim::{PipeState, ReferenceSpan, RoomState};
use lastmeter_units::{Epoch, MeasurementId, Phase, Quantity, Serial, SimDuration, SimTime};
use lastmeter_zigbee::network::{NodeConfig, NodeEvent, RadioFrame};
use lastmeter_zigbee::zcl::cluster::TEMPERATURE_MEASUREMENT;
use rand::Rng as _;

use crate::answer::CommandFault;
use crate::border::{Device, DeviceFault, EventKind, Feed, Input, Output};
use crate::gaussian::Gaussian;
use crate::outlet::{event, named};
use crate::zigbee::{RoomSensor, ZigbeeNode};

/// Bits per second of the radio at 2.4 GHz (IEEE 802.15.4).
const BITS_PER_SECOND: u32 = 250_000;
/// What it is commanded over its network.
const COMMANDS: [&str; 2] = ["readAttribute", "setReporting"];
/// Steps of the temperature in a kelvin.
const STEPS_PER_K: f64 = 100.0;

/// What a sensor is made of.
#[derive(Debug)]
pub(crate) struct RoomSensorParts {
    pub(crate) start: SimTime,
    pub(crate) config: NodeConfig,
    pub(crate) report_every: SimDuration,
    /// By how much its temperature reads too high.
    pub(crate) offset_k: f64,
    /// Standard deviation of what is added to each temperature.
    pub(crate) noise_k: f64,
    pub(crate) battery_percent: f64,
    pub(crate) noise: Gaussian,
    /// For the pauses of its radio.
    pub(crate) radio: ChaCha8Rng,
}

/// A sensor of a room.
#[derive(Debug)]
pub(crate) struct RoomSensorDevice {
    parts: RoomSensorParts,
    node: ZigbeeNode<RoomSensor>,
    quantities: Vec<MeasurementId>,
    /// Up to when it has seen its room.
    seen: SimDuration,
    /// When its last reading was due, and when its next one is.
    last_due: SimDuration,
    next_due: SimDuration,
    serial: u64,
    /// How many readings are still to be made and not sent.
    skip: u32,
    is_sticking: bool,
    frozen_until: Option<SimTime>,
    /// Until when it is no member of its network on purpose, and whether it is off.
    away: Option<(SimTime, bool)>,
}

impl RoomSensorDevice {
    /// A sensor that begins to join at the start.
    pub(crate) fn new(parts: RoomSensorParts) -> Self {
        let mut node = ZigbeeNode::room_sensor(parts.config, parts.report_every);
        node.hold_reports(&[TEMPERATURE_MEASUREMENT]);
        node.set_battery_percent(parts.battery_percent);
        node.radio.join(parts.start);
        let quantities = [Quantity::RoomTemperature, Quantity::ContactOpen];
        let quantities = quantities.into_iter();
        Self {
            node,
            quantities: quantities.filter_map(|it| MeasurementId::of(it, Phase::None)).collect(),
            seen: SimDuration::ZERO,
            last_due: SimDuration::ZERO,
            next_due: parts.report_every,
            serial: 1,
            skip: 0,
            is_sticking: false,
            frozen_until: None,
            away: None,
            parts,
        }
    }

    /// Lets time pass for its radio.
    fn pass(&mut self, now: SimTime) -> Vec<NodeEvent> {
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
        let stream = &mut self.parts.radio;
        self.node.step(now, &mut || (stream.next_u32() >> 16) as u16)
    }

    fn is_off(&self) -> bool {
        self.away.is_some_and(|(_, is_silent)| is_silent)
    }

    fn is_frozen(&mut self, now: SimTime) -> bool {
        self.frozen_until = self.frozen_until.filter(|&until| now < until);
        self.frozen_until.is_some()
    }

    /// Its room was like this since it was last seen.
    fn sense(&mut self, until: SimDuration, state: RoomState, out: &mut Vec<Output>) {
        let since = self.parts.start + std::mem::replace(&mut self.seen, until);
        let is_changed = state.is_open != self.node.is_open();
        if is_changed && !self.is_sticking && !self.is_off() && !self.is_frozen(since) {
            let events = self.pass(since);
            self.node.set_open(since, state.is_open);
            self.flush(since, events, out);
        }
        while self.next_due <= until {
            self.reading_due(state.celsius, out);
        }
    }

    fn reading_due(&mut self, celsius: f64, out: &mut Vec<Output>) {
        let to = self.next_due;
        self.next_due = to + self.parts.report_every;
        let at = self.parts.start + to;
        if self.is_frozen(at) {
            return;
        }
        let from = std::mem::replace(&mut self.last_due, to);
        let events = self.pass(at);
        let celsius = celsius + self.parts.offset_k + self.parts.noise_k * self.parts.noise.draw();
        self.node.set_celsius(Some(celsius));
        let mut frames = if self.is_off() { Vec::new() } else { self.node.take_held(at) };
        if frames.is_empty() {
            if self.away.is_none() {
                event(out, EventKind::ReadingLeftOut, "it is no member of its network");
            }
            return self.flush(at, events, out);
        }
        frames.extend(self.node.zone_status());
        let (epoch, serial) = (Epoch(1), Serial(self.serial));
        self.serial += 1;
        let span = ReferenceSpan { from, to, registers_from: SimDuration::ZERO };
        out.push(Output::Reading { epoch, serial, at, span });
        let open = f64::from(u8::from(self.node.is_open()));
        let sent = [(celsius * STEPS_PER_K).round() / STEPS_PER_K, open];
        let names = self.quantities.iter().map(|id| id.name().to_owned());
        let values: BTreeMap<String, f64> = names.zip(sent).collect();
        let payloads = frames.iter().map(|frame| frame.payload.clone()).collect();
        out.push(Output::Reported { values, frames: payloads });
        if self.skip > 0 {
            self.skip -= 1;
        } else {
            for frame in frames {
                self.node.send(at, frame);
            }
        }
        self.flush(at, events, out);
    }

    /// Hands over what the radio sends, and what became of the node.
    fn flush(&mut self, now: SimTime, events: Vec<NodeEvent>, out: &mut Vec<Output>) {
        for happened in events {
            match happened {
                NodeEvent::Undelivered(_, why) => {
                    let detail = format!("a frame over the radio: {why:?}");
                    event(out, EventKind::ReadingLeftOut, &detail);
                }
                NodeEvent::Joined(address) | NodeEvent::Rejoined { to: address, .. } => {
                    event(out, EventKind::Joined, &address.to_string());
                }
                NodeEvent::Left => event(out, EventKind::Left, ""),
                _ => {}
            }
        }
        while let Some(frame) = self.node.radio.transmit() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            out.push(Output::Transmit { at: now, bits_per_second: BITS_PER_SECOND, bytes });
        }
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, now: SimTime, fault: &DeviceFault, out: &mut Vec<Output>) {
        let named = match fault {
            DeviceFault::RenumberReading | DeviceFault::UnknownIdentifier => {
                Err("a sensor's reports have no identifiers, and are numbered once")
            }
            DeviceFault::Away { until, is_silent } => {
                Ok(format!("{} until {until}", if *is_silent { "silent" } else { "leaves" }))
            }
            DeviceFault::ContactSticks => Ok("its contact sticks".to_owned()),
            _ => named(fault),
        };
        match *fault {
            DeviceFault::ContactSticks => self.is_sticking = true,
            DeviceFault::Away { until, is_silent } => {
                self.away = Some((until, is_silent));
                if !is_silent {
                    self.node.radio.leave(now);
                }
            }
            DeviceFault::SkipReading { count } => self.skip = self.skip.saturating_add(count),
            DeviceFault::Freeze { until } => {
                self.frozen_until = Some(until.unwrap_or(SimTime(i64::MAX)));
            }
            _ => {}
        }
        match named {
            Ok(detail) => event(out, EventKind::FaultBegun, &detail),
            Err(why) => event(out, EventKind::InputRefused, why),
        }
    }
}

impl Device for RoomSensorDevice {
    fn feed(&self) -> Feed {
        Feed::Pipe
    }

    fn quantities(&self) -> &[MeasurementId] {
        &self.quantities
    }

    fn network_address(&self) -> Option<String> {
        Some(self.node.radio.config().eui.to_string())
    }

    fn wake_at(&self) -> Option<SimTime> {
        let radio = self.node.next().filter(|_| !self.is_off());
        let back = self.away.map(|(until, _)| until);
        let due = self.parts.start + self.next_due;
        radio.into_iter().chain(back).chain([due]).min()
    }

    fn validate_command(
        &self,
        command: &str,
        _: &BTreeMap<String, String>,
    ) -> Option<CommandFault> {
        let what = || format!("unknown command `{command}`; there are {}", COMMANDS.join(", "));
        let is_known = COMMANDS.contains(&command);
        (!is_known).then(|| CommandFault::Impossible { parameter: None, what: what() })
    }

    fn report_period(&self) -> SimDuration {
        self.parts.report_every
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        let mut events = Vec::new();
        match input {
            Input::Pipe { until, state: PipeState::Room(state) } => {
                return self.sense(until, state, out);
            }
            Input::Passed => events = self.pass(now),
            // What is damaged is not received.
            Input::Heard { bytes } => {
                events = self.pass(now);
                let is_deaf = self.is_off() || self.is_frozen(now);
                if let (Ok(frame), false) = (RadioFrame::decode(&bytes), is_deaf) {
                    events.extend(self.node.receive(now, &frame));
                }
            }
            Input::Fault(fault) => {
                events = self.pass(now);
                self.fault(now, &fault, out);
                events.extend(self.pass(now));
            }
            _ => event(out, EventKind::InputRefused, "nothing that a sensor of a room takes"),
        }
        self.flush(now, events, out);
    }

    /// Nothing of it goes to the platform but through its gateway.
    fn unacknowledged(&self) -> usize {
        0
    }
}
