//! A sensor of a room on a ZigBee network, as a device: what it senses goes out by its node.
//!
//! A reading is two frames: a report of the temperature and the status of its contact. While the
//! sensor is no member of its network none is made. That its contact opened or closed it sends
//! besides, at once; where it is no member, as soon as it is one again.

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use lastmeter_sim::{PipeState, ReferenceSpan, RoomState};
use lastmeter_units::{MeasurementId, Phase, Quantity, SimDuration, SimTime};
use lastmeter_zigbee::network::{NodeConfig, NodeEvent};
use lastmeter_zigbee::zcl::cluster::TEMPERATURE_MEASUREMENT;

use crate::answer::CommandFault;
use crate::border::{Device, DeviceFault, EventKind, Feed, Input, Output};
use crate::gaussian::Gaussian;
use crate::outlet::event;
use crate::outlet::node::NodeShell;
use crate::zigbee::{RoomSensor, ZigbeeNode};

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
    shell: NodeShell<RoomSensor>,
    quantities: Vec<MeasurementId>,
    report_every: SimDuration,
    offset_k: f64,
    noise_k: f64,
    noise: Gaussian,
    /// Up to when it has seen its room.
    seen: SimDuration,
    /// When its last reading was due, and when its next one is.
    last_due: SimDuration,
    next_due: SimDuration,
    is_sticking: bool,
}

impl RoomSensorDevice {
    /// A sensor that begins to join at the start.
    pub(crate) fn new(parts: RoomSensorParts) -> Self {
        let mut node = ZigbeeNode::room_sensor(parts.config, parts.report_every);
        node.hold_reports(&[TEMPERATURE_MEASUREMENT]);
        node.set_battery_percent(parts.battery_percent);
        let quantities = [Quantity::RoomTemperature, Quantity::ContactOpen];
        let quantities = quantities.into_iter();
        Self {
            shell: NodeShell::new(node, parts.start, parts.radio),
            quantities: quantities.filter_map(|it| MeasurementId::of(it, Phase::None)).collect(),
            report_every: parts.report_every,
            offset_k: parts.offset_k,
            noise_k: parts.noise_k,
            noise: parts.noise,
            seen: SimDuration::ZERO,
            last_due: SimDuration::ZERO,
            next_due: parts.report_every,
            is_sticking: false,
        }
    }

    /// Its room was like this since it was last seen.
    fn sense(&mut self, until: SimDuration, state: RoomState, out: &mut Vec<Output>) {
        let since = self.shell.start() + std::mem::replace(&mut self.seen, until);
        let is_changed = state.is_open != self.shell.node.is_open() && !self.is_sticking;
        if is_changed && !self.shell.is_off() && !self.shell.is_frozen(since) {
            let events = self.shell.pass(since);
            self.shell.node.set_open(since, state.is_open);
            self.flush(since, events, out);
        }
        while self.next_due <= until {
            self.reading_due(state.celsius, out);
        }
    }

    fn reading_due(&mut self, celsius: f64, out: &mut Vec<Output>) {
        let to = self.next_due;
        self.next_due = to + self.report_every;
        let at = self.shell.start() + to;
        if self.shell.is_frozen(at) {
            return;
        }
        let from = std::mem::replace(&mut self.last_due, to);
        let events = self.shell.pass(at);
        let celsius = celsius + self.offset_k + self.noise_k * self.noise.draw();
        self.shell.node.set_celsius(Some(celsius));
        let mut frames = self.shell.take_frames(at, out);
        if !frames.is_empty() {
            frames.extend(self.shell.node.zone_status());
            let span = ReferenceSpan { from, to, registers_from: SimDuration::ZERO };
            let open = f64::from(u8::from(self.shell.node.is_open()));
            let sent = [(celsius * STEPS_PER_K).round() / STEPS_PER_K, open];
            let names = self.quantities.iter().map(|id| id.name().to_owned());
            let values = names.zip(sent).collect();
            self.shell.report(at, span, values, frames, out);
        }
        self.flush(at, events, out);
    }

    /// Hands over what the radio sends, and what became of the node.
    fn flush(&mut self, now: SimTime, events: Vec<NodeEvent>, out: &mut Vec<Output>) {
        NodeShell::<RoomSensor>::record(events, out);
        self.shell.transmit(now, out);
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, now: SimTime, fault: &DeviceFault, out: &mut Vec<Output>) {
        let named = if let DeviceFault::ContactSticks = fault {
            self.is_sticking = true;
            Ok("its contact sticks".to_owned())
        } else {
            self.shell.fault(now, fault)
        };
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
        Some(self.shell.address())
    }

    fn wake_at(&self) -> Option<SimTime> {
        self.shell.wake_at(self.shell.start() + self.next_due)
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
        self.report_every
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        let mut events = Vec::new();
        match input {
            Input::Pipe { until, state: PipeState::Room(state) } => {
                return self.sense(until, state, out);
            }
            Input::Passed => events = self.shell.pass(now),
            Input::Heard { bytes } => {
                events = self.shell.pass(now);
                events.extend(self.shell.hear(now, &bytes));
            }
            Input::Fault(fault) => {
                events = self.shell.pass(now);
                self.fault(now, &fault, out);
                events.extend(self.shell.pass(now));
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
