//! The way out of a smart plug on a ZigBee network: what its meter reads becomes attributes, which
//! are reported as its coordinator has configured; commands over the radio come back as orders.
//!
//! A reading is announced when its report is sent. While the plug is no member of its network none
//! is: its energies go on, and nobody would learn how old a power was that had to wait.

use std::collections::VecDeque;

use chacha20::ChaCha8Rng;
use lastmeter_sim::{DeclaredSpan, Identity as ReadingIdentity, ReferenceSpan};
use lastmeter_units::{Direction, Epoch, MeasurementId, Quantity, Serial, SimDuration, SimTime};
use lastmeter_wire::commands::Order;
use lastmeter_zigbee::network::{NodeConfig, NodeEvent, RadioFrame};
use lastmeter_zigbee::zcl::cluster::plug::CalibrationWrite;
use lastmeter_zigbee::zcl::cluster::{ELECTRICAL_MEASUREMENT, METERING};
use rand::Rng as _;

use super::{Outlet, event, named};
use crate::border::{DeviceFault, EventKind, Input, Output};
use crate::zigbee::{BistableRelay, Measured, Plug, PlugOrder, PlugScales, ZigbeeNode};

/// Bits per second of the radio at 2.4 GHz (IEEE 802.15.4).
const BITS_PER_SECOND: u32 = 250_000;
/// How far a window may end before the reading that contains it is due.
const WINDOW_LAG: SimDuration = SimDuration::from_milliseconds(500);
/// Registers of the energy chip by channel: voltage, current, P, Q, S; gain and offset.
const REGISTERS: [(&str, &str); 5] = [
    ("AVGAIN", "VRMSOS"),
    ("AIGAIN", "AIRMSOS"),
    ("AWGAIN", "AWATTOS"),
    ("AVARGAIN", "AVAROS"),
    ("AVAGAIN", "AVAOS"),
];

#[derive(Debug)]
pub(crate) struct ZigbeeParts {
    pub(crate) start: SimTime,
    pub(crate) config: NodeConfig,
    pub(crate) scales: PlugScales,
    pub(crate) report_every: SimDuration,
    /// Whether the load is connected at the start.
    pub(crate) is_closed: bool,
    /// For the pauses of its radio.
    pub(crate) stream: ChaCha8Rng,
}

/// The way out of a smart plug.
#[derive(Debug)]
pub(crate) struct ZigbeeOutlet {
    start: SimTime,
    report_every: SimDuration,
    node: ZigbeeNode<Plug>,
    stream: ChaCha8Rng,
    serial: u64,
    orders: VecDeque<Order>,
    /// Whether its relay is open from the start, which nobody has learnt yet.
    starts_open: bool,
    /// How many readings are still to be made and not sent.
    skip: u32,
    frozen_until: Option<SimTime>,
}

impl ZigbeeOutlet {
    /// A plug that begins to join at the start.
    pub(crate) fn new(parts: ZigbeeParts) -> Self {
        let plug = Plug::new(BistableRelay::new(parts.is_closed), false);
        let mut node = ZigbeeNode::plug(parts.config, plug, parts.scales, parts.report_every);
        node.hold_reports(&[METERING, ELECTRICAL_MEASUREMENT]);
        node.radio.join(parts.start);
        Self {
            start: parts.start,
            report_every: parts.report_every,
            node,
            stream: parts.stream,
            serial: 1,
            orders: VecDeque::new(),
            starts_open: !parts.is_closed,
            skip: 0,
            frozen_until: None,
        }
    }

    fn pass(&mut self, now: SimTime) -> Vec<NodeEvent> {
        let stream = &mut self.stream;
        self.node.step(now, &mut || (stream.next_u32() >> 16) as u16)
    }

    /// Hands over what the radio sends, and what became of the node.
    fn flush(&mut self, now: SimTime, events: Vec<NodeEvent>, out: &mut Vec<Output>) {
        for happened in events {
            if let NodeEvent::Undelivered(_, why) = happened {
                let detail = format!("a frame over the radio: {why:?}");
                event(out, EventKind::ReadingLeftOut, &detail);
            }
        }
        if std::mem::take(&mut self.starts_open) {
            out.push(Output::Switched { is_closed: false });
        }
        while let Some(order) = self.node.application.order() {
            match order {
                PlugOrder::Switched { is_closed } => {
                    let detail = if is_closed { "relay closed" } else { "relay opened" };
                    event(out, EventKind::CommandObeyed, detail);
                    out.push(Output::Switched { is_closed });
                }
                PlugOrder::Calibrate(written) => self.orders.extend(registers(&written)),
            }
        }
        while let Some(frame) = self.node.radio.transmit() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            out.push(Output::Transmit { at: now, bits_per_second: BITS_PER_SECOND, bytes });
        }
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, fault: &DeviceFault, out: &mut Vec<Output>) {
        let named = match fault {
            DeviceFault::RenumberReading | DeviceFault::UnknownIdentifier => {
                Err("a plug's reports have no identifiers, and are numbered once")
            }
            _ => named(fault),
        };
        match *fault {
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

/// The registers that a calibration writes.
fn registers(written: &CalibrationWrite) -> Vec<Order> {
    let Some((gain, offset)) = REGISTERS.get(usize::from(written.channel)) else {
        return Vec::new();
    };
    let order =
        |register: &str, value: String| Order::SetRegister { register: register.to_owned(), value };
    vec![order(gain, written.gain.to_string()), order(offset, written.offset.to_string())]
}

/// What a reading has of these quantities, in SI units.
fn measured_of(values: &[(MeasurementId, f64)]) -> Measured {
    let of = |quantity: Quantity| {
        let (id, value) = values.iter().find(|(id, _)| id.row().quantity == quantity)?;
        Some(value * id.row().si_factor)
    };
    // What goes both ways is one number with a sign.
    let signed = |kind: fn(Direction) -> Quantity| {
        Some(of(kind(Direction::Consumed))? - of(kind(Direction::Injected)).unwrap_or(0.0))
    };
    Measured {
        voltage_v: of(Quantity::VoltageRms),
        current_a: of(Quantity::CurrentRms),
        active_w: signed(Quantity::ActivePower),
        reactive_var: signed(Quantity::ReactivePower),
        apparent_va: of(Quantity::ApparentPower),
        power_factor: of(Quantity::PowerFactor),
        frequency_hz: of(Quantity::Frequency),
        delivered_j: of(Quantity::ActiveEnergy(Direction::Consumed)),
        received_j: of(Quantity::ActiveEnergy(Direction::Injected)),
    }
}

/// Whether a plug reports a quantity.
pub(crate) fn is_reported(id: MeasurementId) -> bool {
    matches!(
        id.row().quantity,
        Quantity::VoltageRms
            | Quantity::CurrentRms
            | Quantity::ActivePower(_)
            | Quantity::ReactivePower(_)
            | Quantity::ApparentPower
            | Quantity::PowerFactor
            | Quantity::Frequency
            | Quantity::ActiveEnergy(_)
    )
}

impl Outlet for ZigbeeOutlet {
    fn start(&self) -> SimTime {
        self.start
    }

    fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        out: &mut Vec<Output>,
    ) {
        let at = self.start + due;
        let events = self.pass(at);
        self.node.measure(at, measured_of(&values));
        let frames = self.node.take_held(at);
        let serial = self.serial;
        self.serial += u64::from(!frames.is_empty());
        if frames.is_empty() {
            event(out, EventKind::ReadingLeftOut, "it is no member of its network");
        } else {
            out.push(Output::Reading { epoch: Epoch(1), serial: Serial(serial), at, span });
        }
        if self.skip > 0 && !frames.is_empty() {
            self.skip -= 1;
        } else {
            for frame in frames {
                self.node.send(at, frame);
            }
        }
        self.flush(at, events, out);
    }

    fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        let mut events = self.pass(now);
        self.frozen_until = self.frozen_until.filter(|&until| now < until);
        match input {
            // What is damaged is not received.
            Input::Heard { bytes } => {
                if let (Ok(frame), None) = (RadioFrame::decode(&bytes), self.frozen_until) {
                    events.extend(self.node.receive(now, &frame));
                }
            }
            Input::Passed => {}
            Input::Fault(fault) => self.fault(&fault, out),
            _ => {
                let detail = "connection state for a device without an uplink";
                event(out, EventKind::InputRefused, detail);
            }
        }
        self.flush(now, events, out);
    }

    fn order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    fn network_address(&self) -> Option<String> {
        Some(self.node.radio.config().eui.to_string())
    }

    fn wake_at(&self, next_reading: SimTime) -> Option<SimTime> {
        self.node.next().into_iter().chain([next_reading]).min()
    }

    fn is_frozen(&mut self, at: SimDuration) -> bool {
        let at = self.start + at;
        self.frozen_until = self.frozen_until.filter(|&until| at < until);
        self.frozen_until.is_some()
    }

    /// A value is a mean of the period before its report.
    fn declared(&self) -> Option<DeclaredSpan> {
        Some(DeclaredSpan {
            identity: ReadingIdentity::Number,
            window: Some(self.report_every),
            earliest: WINDOW_LAG,
            latest: SimDuration::ZERO,
            registers_earliest: None,
        })
    }
}
